// Package briefing writes what the person who claims a handoff reads first:
// what is asked, what is wrong, what was tried and what it did, what is ruled
// out, what to do next, and what the customer was promised.
//
// It is pure and deterministic. [Rules] writes a briefing from the session
// alone, at once. [Question] is what a model is asked to make it better, and
// [Check] takes the model's answer apart: what cites a step that exists stays,
// what cites nothing is marked as unsupported or dropped, and what a human said
// is never overwritten.
//
// All text of the input has to be redacted already. It is untrusted all the
// same: it can neither end the place it is put into, nor change what is asked.
package briefing

import (
	"time"

	"github.com/baton-handoff/baton/models"
)

// Version is that of the schema of [Briefing]. It grows when a field changes
// its meaning or goes away, not when one is added.
const Version = 1

// By says who made a statement.
type By string

// Who makes statements.
const (
	// ByHuman is for words that are somebody's own, quoted as they stand.
	ByHuman By = "human"
	// ByRules is for what follows from the steps without a model.
	ByRules By = "rules"
	// ByModel is for what a model wrote; people are to see that it did.
	ByModel By = "model"
)

// Basis says what a statement rests on.
type Basis struct {
	By By `json:"by"`
	// Refs are the steps that say so ([models.Step.Seq]), ascending, each once.
	Refs []int `json:"refs"`
	// FromHandoff is set when the problem or the engineer's notes say so.
	FromHandoff bool `json:"from_handoff,omitempty"`
	// Unsupported is set when nothing was found that says so: the statement is
	// an opinion of its author, to be shown as one.
	Unsupported bool `json:"unsupported,omitempty"`
}

// Statement is one sentence, or a few, and what they rest on.
type Statement struct {
	Text string `json:"text"`
	Basis
}

// Quote is text that stands in its step word for word, but for the spaces
// around it.
type Quote struct {
	Text string `json:"text"`
	// From is the command that showed it; empty when no command did.
	From string    `json:"from,omitempty"`
	At   time.Time `json:"at"`
	Basis
	// WorkedAfter is the first later step that worked, and 0 when none did. It
	// does not say that it helped against this.
	WorkedAfter int `json:"worked_after,omitempty"`
}

// Briefing is what the claimer reads. Its JSON is the schema of [Version].
// Lists are never null in it.
type Briefing struct {
	Version       int           `json:"briefing_version"`
	Headline      Headline      `json:"headline"`
	Ask           Ask           `json:"ask"`
	Severity      Severity      `json:"severity"`
	Problem       Problem       `json:"problem"`
	Environment   []Fact        `json:"environment"`
	Timeline      []Event       `json:"timeline"`
	Attempts      []Attempt     `json:"attempts"`
	RuledOut      []RuledOut    `json:"ruled_out"`
	Hypotheses    []Hypothesis  `json:"hypotheses"`
	NextSteps     []NextStep    `json:"next_steps"`
	Risks         []Risk        `json:"risks"`
	Communication Communication `json:"communication"`
	OpenQuestions []Open        `json:"open_questions"`
	Completeness  Completeness  `json:"completeness"`
	Provenance    Provenance    `json:"provenance"`
}

// Headline is what the handoff is about.
type Headline struct {
	Title  string        `json:"title"`
	Client string        `json:"client"`
	Ticket string        `json:"ticket"`
	Sender string        `json:"sender"`
	Target string        `json:"target"`
	Intent models.Intent `json:"intent"`
}

// Ask is what the sender wants of whoever claims.
type Ask struct {
	// Notes are the engineer's notes, whole and as they wrote them.
	Notes string `json:"notes"`
	// Requests are the sentences of the notes that ask for something.
	Requests []Statement `json:"requests"`
	// Decision is the one thing that is wanted, in a sentence; nil without a model.
	Decision *Statement `json:"decision"`
	// Reason is why it is handed off.
	Reason Reason `json:"reason"`
	// ReasonBy says who chose the reason.
	ReasonBy By `json:"reason_by,omitempty"`
	// ByWhen is until when, in the words of the notes; empty when they do not say.
	ByWhen string `json:"by_when"`
}

// Reason is why a session is handed off.
type Reason string

// The reasons. The empty reason is unknown.
const (
	ReasonAccess        Reason = "access_needed"
	ReasonSkill         Reason = "skill"
	ReasonTimeBox       Reason = "time_box"
	ReasonSecurity      Reason = "security"
	ReasonVendor        Reason = "vendor"
	ReasonSecondOpinion Reason = "second_opinion"
	ReasonShiftEnd      Reason = "shift_end"
)

// Severity is how bad it is.
type Severity struct {
	Priority models.Priority `json:"priority"`
	// Stability is whether it gets worse while nobody acts.
	Stability   Stability `json:"stability"`
	StabilityBy By        `json:"stability_by,omitempty"`
	// Impact are the sentences that say whom it hits and what it costs them.
	Impact []Statement `json:"impact"`
	// Workarounds are the sentences that say how they work meanwhile.
	Workarounds []Statement `json:"workarounds"`
}

// Stability is whether it gets worse while nobody acts.
type Stability string

// The stabilities. The empty one is unknown.
const (
	Stable   Stability = "stable"
	Watcher  Stability = "watcher"
	Unstable Stability = "unstable"
)

// Problem is what is wrong.
type Problem struct {
	// Reported is the problem as the session states it.
	Reported string `json:"reported"`
	// FirstReport is what the user wrote first, and LastSeen what was observed
	// last; nil when there is none.
	FirstReport *Quote `json:"first_report"`
	LastSeen    *Quote `json:"last_seen"`
	// Errors are the last errors, the newest first, word for word.
	Errors []Quote `json:"errors"`
	// Summary and the others are a model's; nil without one.
	Summary       *Statement  `json:"summary"`
	Expected      *Statement  `json:"expected"`
	FirstSeen     *Statement  `json:"first_seen"`
	Scope         *Statement  `json:"scope"`
	LastKnownGood *Statement  `json:"last_known_good"`
	Changes       []Statement `json:"changes"`
}

// Fact is something that the steps name about the customer's systems.
type Fact struct {
	Kind  FactKind `json:"kind"`
	Value string   `json:"value"`
	Basis
}

// FactKind is what kind of thing a fact names.
type FactKind string

// The kinds of facts.
const (
	FactHost      FactKind = "host"
	FactAsset     FactKind = "asset"
	FactAddress   FactKind = "address"
	FactSystem    FactKind = "system"
	FactSoftware  FactKind = "software"
	FactTenant    FactKind = "tenant"
	FactAccount   FactKind = "account"
	FactChange    FactKind = "change"
	FactErrorCode FactKind = "error_code"
	FactEventID   FactKind = "event_id"
)

// Event is one step of the timeline.
type Event struct {
	At    time.Time    `json:"at"`
	Actor models.Actor `json:"actor"`
	What  string       `json:"what"`
	// Outcome is empty when none was noted.
	Outcome models.Outcome `json:"outcome,omitempty"`
	Basis
}

// Attempt is something that was done, and what it did.
type Attempt struct {
	// Step is the step in which it was done.
	Step  int          `json:"step"`
	At    time.Time    `json:"at"`
	Actor models.Actor `json:"actor"`
	// Action is what was done, on one line: the command where Command is set.
	Action  string `json:"action"`
	Command bool   `json:"command"`
	// ReadOnly is set when the command only looks, as far as its words tell.
	ReadOnly bool    `json:"read_only"`
	Outcome  Outcome `json:"outcome"`
	// OutcomeBy is who says so: a human, who noted it, or a model.
	OutcomeBy By `json:"outcome_by,omitempty"`
	// Result is the line of its output that tells most; empty when none does.
	Result string `json:"result,omitempty"`
	// Lines counts those of the output.
	Lines int `json:"lines"`
	// Then is what was seen, or what the user said, before anything else was tried.
	Then *Quote `json:"then"`
	// Meaning is what it showed, in a model's words.
	Meaning *Statement `json:"meaning"`
	// Reversed says whether it was undone, and ReversedIn in which step.
	Reversed   Reversed `json:"reversed"`
	ReversedIn int      `json:"reversed_in,omitempty"`
	Basis
}

// Outcome is what an attempt did to the problem.
type Outcome string

// The outcomes of attempts: those of [models.Outcome], and that nobody noted one.
const (
	Worked       = Outcome(models.OutcomeWorked)
	NoChange     = Outcome(models.OutcomeNoChange)
	Worse        = Outcome(models.OutcomeWorse)
	Inconclusive = Outcome(models.OutcomeInconclusive)
	NotVerified  = Outcome("not_verified")
)

// Reversed says whether a change was undone.
type Reversed string

// Whether a change was undone. Looking changes nothing.
const (
	ReversedYes     Reversed = "yes"
	ReversedNo      Reversed = "no"
	ReversedUnknown Reversed = "unknown"
	NothingToUndo   Reversed = "nothing_to_undo"
)

// RuledOut is a cause that it is not.
type RuledOut struct {
	Hypothesis string `json:"hypothesis"`
	// Why is empty when the words of Hypothesis say it already.
	Why string `json:"why,omitempty"`
	Basis
}

// Hypothesis is a cause that it could be.
type Hypothesis struct {
	Statement string `json:"statement"`
	// For and Against are the steps that speak for it and against it; Refs are
	// those for it.
	For     []int `json:"for"`
	Against []int `json:"against"`
	// Confidence is empty where its author did not say.
	Confidence Confidence `json:"confidence,omitempty"`
	// Because is what the confidence rests on and what would change it.
	Because  string `json:"because,omitempty"`
	NextTest string `json:"next_test,omitempty"`
	Basis
}

// Confidence is how sure the author of a hypothesis is.
type Confidence string

// The confidences.
const (
	Low    Confidence = "low"
	Medium Confidence = "medium"
	High   Confidence = "high"
)

// NextStep is something to do.
type NextStep struct {
	Action string `json:"action"`
	Why    string `json:"why,omitempty"`
	Risk   string `json:"risk,omitempty"`
	// Reversible is yes, no or unknown.
	Reversible    YesNo `json:"reversible"`
	NeedsApproval YesNo `json:"needs_approval"`
	// Minutes is an estimate, and 0 when there is none.
	Minutes int    `json:"minutes,omitempty"`
	IfThen  string `json:"if_then,omitempty"`
	// Hazard says what the action would weaken or destroy, found by a rule in
	// the words of a model; empty when nothing was found.
	Hazard string `json:"hazard,omitempty"`
	Basis
}

// YesNo is an answer that may be missing.
type YesNo string

// The answers.
const (
	Yes     YesNo = "yes"
	No      YesNo = "no"
	Unknown YesNo = "unknown"
)

// Risk is something to be careful with.
type Risk struct {
	Kind RiskKind `json:"kind"`
	Text string   `json:"text"`
	Basis
}

// RiskKind is what kind of risk it is.
type RiskKind string

// The kinds of risks.
const (
	RiskDoNotTouch RiskKind = "do_not_touch"
	RiskDataLoss   RiskKind = "data_loss"
	RiskSecurity   RiskKind = "security"
	RiskFreeze     RiskKind = "change_freeze"
	// RiskPending is for what runs by itself or has to be undone later.
	RiskPending RiskKind = "pending"
	// RiskUntrusted is for text of the session that speaks to a model.
	RiskUntrusted RiskKind = "untrusted_text"
	RiskOther     RiskKind = "other"
)

// Communication is what the customer was told and said.
type Communication struct {
	// Promises are what was said to the customer that they can hold us to.
	Promises []Promise `json:"promises"`
	// LastUpdate is what they were told last, and LastWord what they said last;
	// nil when there is none.
	LastUpdate *Quote `json:"last_update"`
	LastWord   *Quote `json:"last_word"`
	// Unanswered are the messages of the customer since we last told them
	// anything, counted.
	Unanswered int `json:"unanswered"`
	// Mood is a model's impression; empty without one.
	Mood Mood `json:"mood"`
}

// Mood is how the customer takes it.
type Mood string

// The moods. The empty one is unknown.
const (
	Calm    Mood = "calm"
	Worried Mood = "worried"
	Upset   Mood = "upset"
)

// Promise is something that the customer was told.
type Promise struct {
	Text string `json:"text"`
	// ByWhen is the time in it, as it was said; empty when it has none.
	ByWhen string    `json:"by_when"`
	At     time.Time `json:"at"`
	Basis
}

// Open is a question that nobody has answered in the session.
type Open struct {
	Question string `json:"question"`
	// AskedBy is who asked; empty when a model did.
	AskedBy models.Actor `json:"asked_by,omitempty"`
	// Who can answer it; empty when unknown.
	Who string `json:"who,omitempty"`
	Basis
}

// Completeness says how much of what a handoff should tell is there. It nudges
// the sender and blocks nobody.
type Completeness struct {
	// Score is from 0 to 100.
	Score int `json:"score"`
	// Missing is what is not there, the most important first.
	Missing []Missing `json:"missing"`
}

// Missing is a part of a good handoff that was not found in it.
type Missing struct {
	Part MissingPart `json:"part"`
	// Hint says what would be right.
	Hint string `json:"hint"`
}

// MissingPart names a part of a good handoff.
type MissingPart string

// The parts of a good handoff.
const (
	MissingAsk           MissingPart = "ask"
	MissingProblem       MissingPart = "problem"
	MissingAttempts      MissingPart = "attempts"
	MissingOutcomes      MissingPart = "outcomes"
	MissingImpact        MissingPart = "impact"
	MissingEnvironment   MissingPart = "environment"
	MissingCommunication MissingPart = "communication"
)

// Provenance says where a briefing comes from. [Rules] and [Check] fill what
// follows from their input; the rest is the caller's.
type Provenance struct {
	// Source is ByRules, or ByModel when a model added to it.
	Source        By     `json:"source"`
	Model         string `json:"model,omitempty"`
	PromptVersion string `json:"prompt_version,omitempty"`
	// FirstStep and LastStep are the range of steps it was written from; both
	// are 0 when there were none.
	FirstStep int `json:"first_step"`
	LastStep  int `json:"last_step"`
	// Cut is what the model was not shown.
	Cut Cut `json:"cut"`
	// Findings is what was wrong with the model's answer.
	Findings     Findings       `json:"findings"`
	InputTokens  int64          `json:"input_tokens"`
	OutputTokens int64          `json:"output_tokens"`
	LatencyMS    int64          `json:"latency_ms"`
	Redactions   map[string]int `json:"redactions,omitempty"`
	GeneratedAt  time.Time      `json:"generated_at"`
}

// Cut is what a model was not shown to keep within the budget. Its zero value
// says that it was shown everything.
type Cut struct {
	// Omitted are the steps that it did not see at all, Shortened those of which
	// it saw a part.
	Omitted   []int `json:"omitted,omitempty"`
	Shortened []int `json:"shortened,omitempty"`
	// Handoff are the parts of the handoff that were shortened: problem, notes.
	Handoff []string `json:"handoff,omitempty"`
}

// Findings counts what [Check] took out of an answer or marked in it.
type Findings struct {
	// InventedRefs are citations of steps that do not exist or were not shown,
	// or that speak to a model and so prove nothing.
	InventedRefs int `json:"invented_refs,omitempty"`
	// WrongQuotes are quotes that do not stand in the step they cite.
	WrongQuotes int `json:"wrong_quotes,omitempty"`
	// Unsupported are statements that were kept and marked.
	Unsupported int `json:"unsupported,omitempty"`
	// Dropped are statements that were taken out: facts without support, empty
	// ones, and those past the bounds.
	Dropped int `json:"dropped,omitempty"`
	// Contradicted are statements about what a human had said otherwise; the
	// human's stays.
	Contradicted int `json:"contradicted,omitempty"`
	// Hazards are next steps that would weaken or destroy something.
	Hazards int `json:"hazards,omitempty"`
}

// Input is what a briefing is written from. Its texts are redacted, with
// placeholders where secrets were.
type Input struct {
	Intent     models.Intent
	Priority   models.Priority
	SenderName string
	// TargetName is the person who was asked by name; empty for anybody.
	TargetName    string
	EngineerNotes string

	SessionTitle string
	ClientName   string
	Problem      string
	// Ticket is the number of the ticket in the PSA; empty without one.
	Ticket string
	// Steps are all steps of the session in the order of their Seq.
	Steps []models.Step
}
