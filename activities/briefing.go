package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/temporal"

	"github.com/baton-handoff/baton/internal/briefing"
	"github.com/baton-handoff/baton/internal/llm"
	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

// Briefings is what making briefings needs. Without a model, those of the
// rules are all there is.
type Briefings struct {
	Records BriefingRecords
	Asks    Asks
	Model   llm.Client
	Price   llm.Price
	// Monthly bounds what the model may cost an account in a calendar month
	// (UTC), unless the account has set a bound of its own.
	Monthly llm.MicroUSD
	// ContextTokens is how many tokens the model reads and writes together; 0 is
	// unknown, and enough.
	ContextTokens int
	// AtOnce is how many calls of one account a worker makes at once.
	AtOnce int
}

// BriefingRecords is what they are kept in. The account comes from the context.
type BriefingRecords interface {
	// Briefing returns the newest one when version is 0.
	Briefing(ctx context.Context, sessionID, handoffID uuid.UUID, version int) (models.BriefingView, error)
	SaveBriefing(ctx context.Context, b models.Briefing, after int, e models.Effect) (version int, err error)
	RecordBriefing(ctx context.Context, after int, e models.Effect) error
	BriefingSettings(ctx context.Context) (settings models.BriefingSettings, found bool, err error)
	BeginModelCall(ctx context.Context, c models.ModelCall, most int64) (allowed bool, spent int64, err error)
	EndModelCall(ctx context.Context, c models.ModelCall) error
}

// Asks has a handoff briefed, by the workflow that does so. The wish is durable
// when it returns.
type Asks interface {
	Brief(ctx context.Context, account, session, handoff uuid.UUID, why models.BriefingReason) error
}

const (
	// ModelTimeout bounds one attempt to ask a model: the question, once more
	// with its answer's faults, and each of them again when the answer was cut.
	ModelTimeout = 18 * time.Minute
	// ModelHeartbeat is how often a running attempt says that it is alive, and
	// hears that nobody wants it any more.
	ModelHeartbeat = 3 * time.Second
	// answerTokens bounds a model's answer; one that was cut may have twice as many.
	answerTokens = 12_000
)

// BriefingInput names the handoff to brief.
type BriefingInput struct {
	AccountID uuid.UUID `json:"account_id"`
	SessionID uuid.UUID `json:"session_id"`
	HandoffID uuid.UUID `json:"handoff_id"`
	// Reason is why it is briefed.
	Reason models.BriefingReason `json:"reason,omitempty"`
}

// Ruled is what [Activities.BriefByRules] did.
type Ruled struct {
	// Version is that of the newest briefing: the rules' new one, or a model's
	// that is to be written anew.
	Version int `json:"version"`
	// AskModel says that a model should make it better.
	AskModel bool `json:"ask_model"`
}

// ModelInput names the briefing that a model is to write a better one after.
type ModelInput struct {
	BriefingInput
	After int `json:"after"`
}

// Asked is how asking a model ended, when it ended for good. Passing trouble is
// an error.
type Asked struct {
	State  models.EffectState `json:"state"`
	Reason string             `json:"reason,omitempty"`
	// Again says of a failure that it would befall every question until a person
	// has mended its cause, and that it is worth to ask again later.
	Again bool `json:"again,omitempty"`
}

// handToBriefing has a new handoff briefed, and ends the making of the briefing
// of one that is closed. It runs with the projection, like [Activities.handToTicket].
func (a *Activities) handToBriefing(ctx context.Context, snap models.Snapshot, row models.HandoffView) error {
	if a.briefings.Asks == nil {
		return nil
	}
	known := false
	for _, e := range row.Effects {
		known = known || e.Kind == models.EffectBriefing
	}
	switch {
	case row.Status.Closed():
		return a.briefings.Asks.Brief(ctx, snap.AccountID, snap.SessionID, snap.HandoffID, models.BriefClosed)
	case known:
		return nil
	}
	return a.briefings.Asks.Brief(ctx, snap.AccountID, snap.SessionID, snap.HandoffID, models.BriefCreated)
}

// BriefByRules writes the briefing that follows from the session alone.
func (a *Activities) BriefByRules(ctx context.Context, in BriefingInput) (Ruled, error) {
	ctx = tenant.With(ctx, in.AccountID)
	s, err := a.tell(ctx, in)
	if err != nil {
		return Ruled{}, forTemporal(err)
	}
	if s.handoff.Status.Closed() {
		return Ruled{}, a.LeaveBriefing(ctx, in)
	}
	newest, err := a.briefings.Records.Briefing(ctx, in.SessionID, in.HandoffID, 0)
	if err != nil && models.CodeOf(err) != models.CodeNotFound {
		return Ruled{}, forTemporal(err)
	}
	fresh := newest.Version > 0 && newest.StepCount == len(s.steps)
	if in.Reason == models.BriefSteps && fresh && settled(newest.Effect.State) {
		return Ruled{}, nil // the steps were known already
	}
	ask, why, _, err := a.mayAsk(ctx)
	if err != nil {
		return Ruled{}, forTemporal(err)
	}
	e := models.Effect{HandoffID: in.HandoffID, State: models.EffectDone}
	if ask {
		e.State = models.EffectPending
	}
	if newest.Source == models.SourceModel && (ask || fresh) {
		// Better than what rules could write: it stays until there is a new one.
		if err := a.briefings.Records.RecordBriefing(ctx, newest.Version, e); err != nil {
			return Ruled{}, forTemporal(err)
		}
		return Ruled{Version: newest.Version, AskModel: ask}, nil
	}
	if why != "" {
		e.Reason = new(byRules + why)
	}
	row, err := rulesRow(in, s, briefing.Rules(briefingInput(s)))
	if err != nil {
		return Ruled{}, err
	}
	version, err := a.briefings.Records.SaveBriefing(ctx, row, 0, e)
	if err != nil {
		return Ruled{}, forTemporal(err)
	}
	return Ruled{Version: version, AskModel: ask}, nil
}

// byRules and notAnew begin the reason why no model wrote the briefing, or why
// a model's was not written anew.
const (
	byRules = "Written by rules: "
	notAnew = "Not written anew: "
)

func settled(s models.EffectState) bool {
	return s != models.EffectPending && s != models.EffectRetrying
}

func rulesRow(in BriefingInput, s story, rules briefing.Briefing) (models.Briefing, error) {
	rules.Provenance.Redactions = s.counts
	return briefingRow(in, len(s.steps), rules)
}

// mayAsk reports whether a model may be asked for the account, for how much
// money a month, and if not, why.
func (a *Activities) mayAsk(ctx context.Context) (yes bool, why string, monthly int64, err error) {
	if a.briefings.Model == nil {
		return false, "no model is configured.", 0, nil
	}
	settings, found, err := a.briefings.Records.BriefingSettings(ctx)
	if err != nil {
		return false, "", 0, err
	}
	if found && !settings.UseModel {
		return false, "the account uses no model.", 0, nil
	}
	monthly = int64(a.briefings.Monthly)
	if found && settings.MonthlyMicroUSD != nil {
		monthly = *settings.MonthlyMicroUSD
	}
	return true, "", monthly, nil
}

// BriefByModel asks the model to make the rules' briefing better. Passing
// trouble is shown and retried without end; trouble that no retry mends is
// shown with its cure and returned as failed. Either way the rules' briefing
// stays until there is a better one.
func (a *Activities) BriefByModel(ctx context.Context, in ModelInput) (Asked, error) {
	ctx = tenant.With(ctx, in.AccountID)
	release, ok := a.asking.acquire(in.AccountID, max(a.briefings.AtOnce, 1))
	if !ok {
		return Asked{}, busy(ctx, "Other briefings of the account have their turn first.")
	}
	defer release()
	work, cancel := context.WithTimeout(ctx, ModelTimeout)
	defer cancel()
	q := &question{Activities: a, in: in, tries: 1}
	defer keepAlive(ctx, ModelHeartbeat, func() { q.stopped.Store(true); cancel() })()
	asked, err := q.ask(work)
	switch {
	case err == nil || ctx.Err() != nil:
		return asked, err
	case q.stopped.Load():
		return Asked{}, temporal.NewApplicationError("The worker stopped before the model had answered.", "stopped")
	}
	return q.over(ctx, err)
}

// question is one attempt to ask a model.
type question struct {
	*Activities
	in      ModelInput
	monthly int64
	// tries counts the attempts since the newest briefing, with this one.
	tries int
	story story
	rules briefing.Briefing
	// base is the newest briefing, the one of version in.After.
	base models.BriefingView
	// stopped says that the attempt was cut short because the worker stops.
	stopped atomic.Bool
}

// errUnusable says that the model broke the rules of its answer twice.
var errUnusable = models.Errorf(models.CodeInvalid, "The model's answer could not be used, also after it was told why. Renew the briefing to ask again.")

func (q *question) ask(ctx context.Context) (Asked, error) {
	s, err := q.tell(ctx, q.in.BriefingInput)
	if err != nil {
		return Asked{}, err
	}
	if s.handoff.Status.Closed() {
		return Asked{State: models.EffectSkipped}, q.LeaveBriefing(ctx, q.in.BriefingInput)
	}
	q.story = s
	if q.base, err = q.briefings.Records.Briefing(ctx, q.in.SessionID, q.in.HandoffID, 0); err != nil {
		return Asked{}, err
	}
	if q.base.Version > q.in.After { // an attempt before this one, or a newer round, has done it
		return Asked{State: models.EffectDone}, nil
	}
	if e := q.base.Effect; !settled(e.State) {
		q.tries = e.Attempts + 1
	}
	input := briefingInput(s)
	q.rules = briefing.Rules(input)
	ask, why, monthly, err := q.mayAsk(ctx)
	if err != nil {
		return Asked{}, err
	}
	if !ask {
		return q.stay(ctx, why)
	}
	q.monthly = monthly
	rules := q.rules
	prompt, cut := q.prompt(input)
	answer, used, err := q.complete(ctx, prompt)
	if overBudget := (*overBudget)(nil); errors.As(err, &overBudget) {
		return q.stay(ctx, overBudget.Error())
	}
	if err != nil {
		return Asked{}, err
	}
	better, findings, err := briefing.Check(input, rules, cut, answer.Text)
	if wrong := (*briefing.AnswerError)(nil); errors.As(err, &wrong) {
		q.end(ctx, used, models.CallUnusable, nil)
		answer, used, err = q.complete(ctx, briefing.Repair(prompt, answer.Text, err))
		if overBudget := (*overBudget)(nil); errors.As(err, &overBudget) {
			return Asked{}, errUnusable
		}
		if err != nil {
			return Asked{}, err
		}
		better, findings, err = briefing.Check(input, rules, cut, answer.Text)
		if errors.As(err, &wrong) {
			q.end(ctx, used, models.CallUnusable, nil)
			return Asked{}, errUnusable.WithCause(fmt.Errorf("%d tokens were written", answer.Usage.Output)) // its words may be the session's
		}
	}
	if err != nil {
		return Asked{}, err
	}
	if better, err = q.redact(ctx, better, &s); err != nil {
		return Asked{}, err
	}
	better.Provenance.Cut, better.Provenance.Findings = cut, findings
	better.Provenance.Model, better.Provenance.PromptVersion = answer.Model, prompt.Version
	better.Provenance.InputTokens, better.Provenance.OutputTokens = answer.Usage.Prompt(), answer.Usage.Output
	better.Provenance.LatencyMS = answer.Latency.Milliseconds()
	better.Provenance.Redactions = s.counts
	row, err := briefingRow(q.in.BriefingInput, len(s.steps), better)
	if err != nil {
		return Asked{}, err
	}
	// The configured id: that of the answer may be of a dated snapshot, and what
	// calls cost is booked under the first.
	row.Source, row.Model, row.PromptVersion = models.SourceModel, new(q.briefings.Model.Model()), &prompt.Version
	q.end(ctx, used, models.CallUsed, nil)
	_, err = q.briefings.Records.SaveBriefing(ctx, row, q.in.After, models.Effect{HandoffID: q.in.HandoffID, State: models.EffectDone, Attempts: q.tries})
	if err != nil {
		return Asked{}, err
	}
	return Asked{State: models.EffectDone}, nil
}

// complete calls the model once, and once more with more room when its answer
// was cut. The call is on the books before it is made.
func (q *question) complete(ctx context.Context, p briefing.Prompt) (answer llm.Answer, call models.ModelCall, err error) {
	most := q.answerTokens()
	for _, tokens := range []int{most, 2 * most} {
		call = models.ModelCall{ID: uuid.New(), HandoffID: q.in.HandoffID, Model: q.briefings.Model.Model(), PromptVersion: p.Version}
		estimate := llm.Usage{Input: int64(llm.EstimateTokens(p.System + p.User + string(p.Schema))), Output: int64(tokens)}
		call.CostMicroUSD = int64(q.briefings.Price.Cost(estimate))
		allowed, spent, err := q.briefings.Records.BeginModelCall(ctx, call, q.monthly)
		if err != nil {
			return answer, call, err
		}
		if !allowed {
			return answer, call, &overBudget{monthly: llm.MicroUSD(q.monthly), spent: llm.MicroUSD(spent)}
		}
		answer, err = q.briefings.Model.Complete(ctx, llm.Question{
			System: p.System, Prompt: p.User, SchemaName: p.SchemaName, Schema: p.Schema, MaxTokens: tokens,
		})
		if err == nil {
			q.count(&call, answer.Usage, answer.Latency)
			return answer, call, nil
		}
		failed := llm.AsError(err)
		if answer.Usage != (llm.Usage{}) || failed.Status != 0 {
			q.count(&call, answer.Usage, 0)
		} // or nobody knows what it cost, and the estimate stays
		q.end(ctx, call, models.CallFailed, new(string(failed.Class)))
		if failed.Class != llm.ClassTruncated || tokens > most || q.briefings.ContextTokens > 0 {
			return answer, call, err
		}
	}
	return answer, call, err
}

// overBudget says that a call would cost more than the account may spend.
type overBudget struct{ monthly, spent llm.MicroUSD }

func (e *overBudget) Error() string {
	return fmt.Sprintf("of the %s that models may cost the account this month, %s are spent.", e.monthly, e.spent)
}

func (q *question) count(call *models.ModelCall, u llm.Usage, latency time.Duration) {
	u = u.Bounded()
	call.InputTokens, call.CachedTokens, call.OutputTokens = u.Prompt(), u.CachedInput, u.Output
	call.CostMicroUSD, call.LatencyMS = int64(q.briefings.Price.Cost(u)), latency.Milliseconds()
}

// end books how a call went, also when the attempt is out of time.
func (q *question) end(ctx context.Context, call models.ModelCall, state models.ModelCallState, reason *string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	call.State, call.Reason = state, reason
	if err := q.briefings.Records.EndModelCall(ctx, call); err != nil {
		q.log.WarnContext(ctx, "what a model's call cost was not booked: its estimate stays", "handoff_id", q.in.HandoffID, "error", err)
	}
}

// redact takes credentials out of what the model wrote: it may have put
// together again what was apart.
func (q *question) redact(ctx context.Context, b briefing.Briefing, s *story) (briefing.Briefing, error) {
	texts, counts, err := q.redaction.Texts(ctx, b.Texts())
	if err != nil {
		return b, err
	}
	next := -1
	b = b.Map(func(string) string { next++; return texts[next] })
	s.counts = maps.Clone(s.counts)
	for rule, n := range counts {
		if s.counts == nil {
			s.counts = map[string]int{}
		}
		s.counts[rule] += n
	}
	return b, nil
}

// prompt is the question, as long as the model can read it.
func (q *question) prompt(input briefing.Input) (briefing.Prompt, briefing.Cut) {
	prompt, cut := briefing.Question(input, q.rules, 0)
	if q.briefings.ContextTokens == 0 {
		return prompt, cut
	}
	left := q.briefings.ContextTokens - q.answerTokens() - llm.EstimateTokens(prompt.System+string(prompt.Schema))
	return briefing.Question(input, q.rules, min(max(left*charactersPerToken, briefing.MinBudget), briefing.DefaultBudget))
}

// charactersPerToken is what [llm.EstimateTokens] reckons with.
const charactersPerToken = 3

// answerTokens is the bound of an answer that leaves room for the question.
func (q *question) answerTokens() int {
	if n := q.briefings.ContextTokens; n > 0 {
		return min(answerTokens, n/3)
	}
	return answerTokens
}

// stay ends an attempt without a model's answer, and says why.
func (q *question) stay(ctx context.Context, why string) (Asked, error) {
	err := q.settle(ctx, models.Effect{State: models.EffectDone, Attempts: q.tries - 1}, why)
	return Asked{State: models.EffectDone, Reason: why}, err
}

// settle records the end of an attempt that made no briefing. When the newest
// one is an older model's that lacks steps, the rules write one that does not.
func (q *question) settle(ctx context.Context, e models.Effect, why string) error {
	e.HandoffID = q.in.HandoffID
	old := q.base.Source == models.SourceModel && q.base.StepCount < len(q.story.steps)
	if why != "" {
		e.Reason = new(byRules + why)
		if q.base.Source == models.SourceModel && !old {
			e.Reason = new(notAnew + why)
		}
	}
	if !old {
		return q.briefings.Records.RecordBriefing(ctx, q.in.After, e)
	}
	row, err := rulesRow(q.in.BriefingInput, q.story, q.rules)
	if err != nil {
		return err
	}
	_, err = q.briefings.Records.SaveBriefing(ctx, row, q.in.After, e)
	return err
}

// LeaveBriefing says of a handoff that was closed that no model is asked any
// more, if one was to be.
func (a *Activities) LeaveBriefing(ctx context.Context, in BriefingInput) error {
	ctx = tenant.With(ctx, in.AccountID)
	newest, err := a.briefings.Records.Briefing(ctx, in.SessionID, in.HandoffID, 0)
	if models.CodeOf(err) == models.CodeNotFound {
		return nil
	}
	if err == nil && !settled(newest.Effect.State) {
		err = a.briefings.Records.RecordBriefing(ctx, newest.Version, models.Effect{
			HandoffID: in.HandoffID, State: models.EffectDone, Reason: new("The handoff was closed before a model had answered."),
		})
	}
	if err != nil {
		return forTemporal(err)
	}
	return nil
}

// over shows how a failed attempt ended.
func (q *question) over(ctx context.Context, err error) (Asked, error) {
	err = llm.GaveUp(err, q.tries)
	var known *llm.Error
	isModels := errors.As(err, &known)
	reason := reasonOf(err)
	e := models.Effect{HandoffID: q.in.HandoffID, State: models.EffectFailed, Reason: &reason, Attempts: q.tries}
	delay := retryDelay(q.tries, err)
	record := func() error { return q.settle(ctx, e, "") }
	if !permanent(err) {
		next := time.Now().Add(delay)
		e.State, e.NextAttemptAt = models.EffectRetrying, &next
		record = func() error { return q.briefings.Records.RecordBriefing(ctx, q.in.After, e) }
	}
	recordErr := record()
	if recordErr != nil {
		q.log.WarnContext(ctx, "the state of a briefing could not be recorded", "handoff_id", q.in.HandoffID, "error", recordErr)
	}
	q.log.WarnContext(ctx, "a model did not brief a handoff", "handoff_id", q.in.HandoffID, "state", e.State, "attempt", q.tries, "error", err)
	switch {
	case e.State == models.EffectRetrying:
		return Asked{}, temporal.NewApplicationErrorWithOptions(reason, string(models.CodeOf(err)), temporal.ApplicationErrorOptions{NextRetryDelay: delay})
	case recordErr != nil: // readers would never hear of it: try all of it again
		return Asked{}, temporal.NewApplicationError("How the briefing ended could not be recorded.", string(models.CodeUnavailable))
	}
	return Asked{State: e.State, Reason: reason, Again: isModels && known.Class.Lasting()}, nil
}

func briefingInput(s story) briefing.Input {
	return briefing.Input{
		Intent: s.handoff.Intent, Priority: s.handoff.Priority,
		SenderName: deref(s.handoff.HandedOffByName), TargetName: deref(s.handoff.TargetUserName),
		EngineerNotes: s.handoff.EngineerNotes,
		SessionTitle:  s.session.Title, ClientName: s.session.ClientName, Problem: s.session.Problem, Ticket: deref(s.session.PSATicket),
		Steps: s.steps,
	}
}

func briefingRow(in BriefingInput, steps int, b briefing.Briefing) (models.Briefing, error) {
	content, err := json.Marshal(b)
	if err != nil {
		return models.Briefing{}, fmt.Errorf("encoding a briefing: %w", err)
	}
	return models.Briefing{
		AccountID: in.AccountID, HandoffID: in.HandoffID, Source: models.SourceRules, Content: content, StepCount: steps,
	}, nil
}
