package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/activity"
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
	// AtOnce is how many calls of one account a worker makes at once.
	AtOnce int
}

// BriefingRecords is what they are kept in. The account comes from the context.
type BriefingRecords interface {
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
	// ModelTimeout bounds one attempt to ask a model: the question, and once more
	// with its answer's faults.
	ModelTimeout = 10 * time.Minute
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
}

// Ruled is what [Activities.BriefByRules] did.
type Ruled struct {
	// Version is that of the rules' briefing.
	Version int `json:"version"`
	// AskModel says that a model should make it better.
	AskModel bool `json:"ask_model"`
}

// ModelInput names the briefing of the rules that a model is to make better.
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
		for _, e := range s.handoff.Effects { // an attempt before may have said that a model is waited for
			if e.Kind == models.EffectBriefing && e.Version != nil && (e.State == models.EffectPending || e.State == models.EffectRetrying) {
				return Ruled{}, a.LeaveBriefing(ctx, ModelInput{BriefingInput: in, After: *e.Version})
			}
		}
		return Ruled{}, nil
	}
	ask, why, _, err := a.mayAsk(ctx)
	if err != nil {
		return Ruled{}, forTemporal(err)
	}
	b := briefing.Rules(briefingInput(s))
	b.Provenance.Redactions = s.counts
	row, err := briefingRow(in, len(s.steps), b)
	if err != nil {
		return Ruled{}, err
	}
	e := models.Effect{HandoffID: in.HandoffID, State: models.EffectDone, Reason: why}
	if ask {
		e.State = models.EffectPending
	}
	version, err := a.briefings.Records.SaveBriefing(ctx, row, 0, e)
	if err != nil {
		return Ruled{}, forTemporal(err)
	}
	return Ruled{Version: version, AskModel: ask}, nil
}

// mayAsk reports whether a model may be asked for the account, for how much
// money a month, and if not, why.
func (a *Activities) mayAsk(ctx context.Context) (yes bool, why *string, monthly int64, err error) {
	if a.briefings.Model == nil {
		return false, new("Written by rules: no model is configured."), 0, nil
	}
	settings, found, err := a.briefings.Records.BriefingSettings(ctx)
	if err != nil {
		return false, nil, 0, err
	}
	if found && !settings.UseModel {
		return false, new("Written by rules: the account uses no model."), 0, nil
	}
	monthly = int64(a.briefings.Monthly)
	if found && settings.MonthlyMicroUSD != nil {
		monthly = *settings.MonthlyMicroUSD
	}
	return true, nil, monthly, nil
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
	defer keepAlive(ctx, ModelHeartbeat, cancel)()
	q := &question{Activities: a, in: in, tries: 1}
	asked, err := q.ask(work)
	if err == nil || ctx.Err() != nil {
		return asked, err
	}
	return q.over(ctx, err)
}

// question is one attempt to ask a model.
type question struct {
	*Activities
	in      ModelInput
	monthly int64
	// tries counts the attempts since the rules' briefing, with this one.
	tries int
}

// errUnusable says that the model broke the rules of its answer twice.
var errUnusable = models.Errorf(models.CodeInvalid, "The model's answer could not be used, nor could its second one. The rules' briefing stays. Renew the briefing to ask again.")

func (q *question) ask(ctx context.Context) (Asked, error) {
	s, err := q.tell(ctx, q.in.BriefingInput)
	if err != nil {
		return Asked{}, err
	}
	if s.handoff.Status.Closed() {
		return Asked{State: models.EffectSkipped}, q.leave(ctx)
	}
	for _, e := range s.handoff.Effects {
		if e.Kind == models.EffectBriefing && e.Version != nil && *e.Version == q.in.After {
			q.tries = e.Attempts + 1
		}
	}
	ask, why, monthly, err := q.mayAsk(ctx)
	if err != nil {
		return Asked{}, err
	}
	if !ask {
		return q.stay(ctx, why)
	}
	q.monthly = monthly
	input := briefingInput(s)
	rules := briefing.Rules(input)
	prompt, cut := briefing.Question(input, rules, 0)
	answer, used, err := q.complete(ctx, prompt)
	if overBudget := (*overBudget)(nil); errors.As(err, &overBudget) {
		return q.stay(ctx, new(overBudget.Error()))
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
	row.Source, row.Model, row.PromptVersion = models.SourceModel, &answer.Model, &prompt.Version
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
	for _, tokens := range []int{answerTokens, 2 * answerTokens} {
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
		if failed.Usage != (llm.Usage{}) || failed.Status != 0 {
			q.count(&call, failed.Usage, 0)
		} // or nobody knows what it cost, and the estimate stays
		q.end(ctx, call, models.CallFailed, new(string(failed.Class)))
		if failed.Class != llm.ClassTruncated || tokens > answerTokens {
			return answer, call, err
		}
	}
	return answer, call, err
}

// overBudget says that a call would cost more than the account may spend.
type overBudget struct{ monthly, spent llm.MicroUSD }

func (e *overBudget) Error() string {
	return fmt.Sprintf("Written by rules: of the %s that models may cost the account this month, %s are spent.", e.monthly, e.spent)
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

// stay leaves the rules' briefing as it is, and says why.
func (q *question) stay(ctx context.Context, why *string) (Asked, error) {
	err := q.briefings.Records.RecordBriefing(ctx, q.in.After, models.Effect{
		HandoffID: q.in.HandoffID, State: models.EffectDone, Reason: why, Attempts: q.tries - 1,
	})
	return Asked{State: models.EffectDone, Reason: *why}, err
}

func (q *question) leave(ctx context.Context) error {
	return q.LeaveBriefing(ctx, q.in)
}

// LeaveBriefing says of a handoff that was closed that no model is asked any
// more.
func (a *Activities) LeaveBriefing(ctx context.Context, in ModelInput) error {
	ctx = tenant.With(ctx, in.AccountID)
	err := a.briefings.Records.RecordBriefing(ctx, in.After, models.Effect{
		HandoffID: in.HandoffID, State: models.EffectDone, Reason: new("Written by rules: the handoff was closed before the model had answered."),
	})
	if err != nil {
		return forTemporal(err)
	}
	return nil
}

// over shows how a failed attempt ended.
func (q *question) over(ctx context.Context, err error) (Asked, error) {
	err = llm.Final(err, q.tries)
	var known *llm.Error
	isModels := errors.As(err, &known)
	reason := reasonOf(err)
	e := models.Effect{HandoffID: q.in.HandoffID, State: models.EffectFailed, Reason: &reason, Attempts: q.tries}
	var delay time.Duration
	if !permanent(err) {
		delay = q.delay(ctx, err)
		next := time.Now().Add(delay)
		e.State, e.NextAttemptAt = models.EffectRetrying, &next
	}
	if recordErr := q.briefings.Records.RecordBriefing(ctx, q.in.After, e); recordErr != nil {
		q.log.WarnContext(ctx, "the state of a briefing could not be recorded", "handoff_id", q.in.HandoffID, "error", recordErr)
	}
	q.log.WarnContext(ctx, "a model did not brief a handoff", "handoff_id", q.in.HandoffID, "state", e.State, "attempt", q.tries, "error", err)
	if e.State == models.EffectFailed {
		return Asked{State: e.State, Reason: reason, Again: isModels && known.Lasting()}, nil
	}
	return Asked{}, temporal.NewApplicationErrorWithOptions(reason, string(models.CodeOf(err)), temporal.ApplicationErrorOptions{NextRetryDelay: delay})
}

// delay is when to ask again: when the service says, or ever later.
func (q *question) delay(ctx context.Context, err error) time.Duration {
	if known, ok := errors.AsType[*models.Error](err); ok && known.RetryAfter > 0 {
		return known.RetryAfter
	}
	policy := activity.GetInfo(ctx).RetryPolicy
	if policy == nil {
		return EffectFirstRetry
	}
	delay := float64(policy.InitialInterval) * math.Pow(policy.BackoffCoefficient, float64(q.tries-1))
	return time.Duration(min(delay, float64(policy.MaximumInterval)))
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
