package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/baton-handoff/baton/activities"
	"github.com/baton-handoff/baton/models"
)

const (
	// briefingSettle is how long no step must have been added before a briefing
	// is renewed, and briefingSettleMost how long that is waited for.
	briefingSettle     = 30 * time.Second
	briefingSettleMost = 5 * time.Minute
	// briefingPatience is how long a model is given before steps that have
	// settled are worth more than its answer.
	briefingPatience = 2 * time.Minute
	// briefingAgain is when a model is asked again after trouble that only a
	// person can mend, and briefingAgainMost how often.
	briefingAgain     = time.Hour
	briefingAgainMost = 14 * 24
	// modelTimeout is longer than an attempt gives itself, so that it can record
	// its own end.
	modelTimeout = activities.ModelTimeout + 30*time.Second
	// modelMissed is how long an attempt may say nothing. Then its worker is gone.
	modelMissed = 5 * activities.ModelHeartbeat
)

// briefing is the state of a running [BriefingWorkflow].
type briefing struct {
	in     BriefingInput
	asks   workflow.ReceiveChannel
	round  int
	closed bool
	// asked is the most pressing reason for another round; empty for none.
	asked models.BriefingReason
	// heard counts what came of new steps.
	heard int
	state models.EffectState
}

// BriefingWorkflow writes the briefing of a handoff, by rules at once and by a
// model when it can, and anew when it is asked to. It ends when nothing is left
// to do, and at once when the handoff is closed; the next wish starts a new run.
// A claim never waits for it.
func BriefingWorkflow(ctx workflow.Context, in BriefingInput) error {
	b := &briefing{in: in, asked: in.Asked, state: models.EffectPending, asks: workflow.GetSignalChannelWithOptions(ctx, SignalBrief, workflow.SignalChannelOptions{
		Description: `Briefs the handoff again: {"reason": "renewed"}. Baton sends this.`,
	})}
	workflow.GoNamed(ctx, "asks", b.hear)
	for {
		if err := workflow.Await(ctx, func() bool { return b.asks.Len() == 0 }); err != nil {
			return err
		}
		switch {
		case b.closed:
			if err := b.leave(ctx); err != nil {
				return err
			}
			return b.show(ctx, models.EffectDone)
		case b.asked == "":
			return b.show(ctx, b.state)
		case workflow.GetInfo(ctx).GetContinueAsNewSuggested():
			in.Asked = b.asked
			return workflow.NewContinueAsNewError(ctx, BriefingWorkflow, in)
		}
		if b.asked == models.BriefSteps {
			if err := b.settle(ctx); err != nil {
				return err
			}
			if b.closed {
				continue
			}
		}
		why := b.asked
		b.asked = ""
		b.round++
		if err := b.brief(ctx, why); err != nil {
			return err
		}
	}
}

// hear takes in what is asked for, as it comes. It waits for the channel to
// fill and never blocks on it: what a coroutine inside Receive is handed is in
// no channel any more when the run looks whether it may end.
func (b *briefing) hear(ctx workflow.Context) {
	for workflow.Await(ctx, func() bool { return b.asks.Len() > 0 }) == nil {
		var ask BriefingAsk
		b.asks.ReceiveAsync(&ask)
		switch ask.Reason {
		case models.BriefClosed:
			b.closed = true
		case models.BriefCreated:
			if b.round == 0 && b.asked == "" { // or it is told once more
				b.asked = ask.Reason
			}
		case models.BriefSteps:
			b.heard++
			if b.asked == "" {
				b.asked = ask.Reason
			}
		default:
			b.asked = models.BriefRenewed
		}
	}
}

// settle waits until no more steps come, or somebody wants it now.
func (b *briefing) settle(ctx workflow.Context) error {
	until := workflow.Now(ctx).Add(briefingSettleMost)
	for workflow.Now(ctx).Before(until) {
		heard := b.heard
		more, err := workflow.AwaitWithTimeout(ctx, briefingSettle, func() bool { return b.pressing() || b.heard > heard })
		if err != nil || !more || b.pressing() {
			return err
		}
	}
	return nil
}

// pressing reports whether something is asked for that does not wait.
func (b *briefing) pressing() bool { return b.closed || b.asked != "" && b.asked != models.BriefSteps }

// brief writes one briefing.
func (b *briefing) brief(ctx workflow.Context, why models.BriefingReason) error {
	var a *activities.Activities
	rules := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: TaskQueueBrief, StartToCloseTimeout: 30 * time.Second,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: 250 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: activities.EffectMaxRetry},
		Summary:     fmt.Sprintf("brief by rules (round %d)", b.round),
	})
	var ruled activities.Ruled
	if err := workflow.ExecuteActivity(rules, a.BriefByRules, b.in.Handoff(why)).Get(ctx, &ruled); err != nil {
		return b.failed(ctx, err)
	}
	b.state = models.EffectDone
	for again := 0; ruled.AskModel; again++ {
		asked, err := b.ask(ctx, ruled)
		if err != nil {
			return b.failed(ctx, err)
		}
		b.state = asked.State
		if asked.State != models.EffectFailed || !asked.Again || again == briefingAgainMost || b.closed || b.asked != "" {
			return nil
		}
		if err := b.show(ctx, models.EffectFailed); err != nil {
			return err
		}
		wanted, err := workflow.AwaitWithTimeout(ctx, briefingAgain, func() bool { return b.closed || b.asked != "" })
		if err != nil || wanted {
			return err
		}
	}
	return nil
}

// ask asks the model, with all the retries it takes, until the handoff is
// closed or somebody wants another briefing than this one.
func (b *briefing) ask(ctx workflow.Context, ruled activities.Ruled) (asked activities.Asked, err error) {
	var a *activities.Activities
	options := workflow.ActivityOptions{
		TaskQueue: TaskQueueEnrich, StartToCloseTimeout: modelTimeout, HeartbeatTimeout: modelMissed,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: activities.EffectFirstRetry, BackoffCoefficient: activities.EffectBackoff, MaximumInterval: activities.EffectMaxRetry,
		},
		WaitForCancellation: true,
		// Where the server deals tasks out fairly, no account waits for another's.
		Priority: temporal.Priority{FairnessKey: b.in.AccountID.String()},
		Summary:  fmt.Sprintf("ask the model (round %d)", b.round),
	}
	asking, cancel := workflow.WithCancel(ctx)
	defer cancel()
	result := workflow.ExecuteActivity(workflow.WithActivityOptions(asking, options), a.BriefByModel,
		activities.ModelInput{BriefingInput: b.in.Handoff(""), After: ruled.Version})
	if err := b.await(ctx, result); err != nil {
		return asked, err
	}
	if !result.IsReady() {
		cancel()
	}
	err = result.Get(ctx, &asked)
	if err == nil || !b.pressing() {
		return asked, err
	}
	// However the attempt ended: one that was asked to stop while it failed, or
	// whose worker is gone, has no more attempts and does not say that it was
	// cancelled.
	return activities.Asked{State: models.EffectPending}, nil
}

// await waits for an answer of the model, until something presses. Steps that
// were added and have settled do so once the model had time enough.
func (b *briefing) await(ctx workflow.Context, answer workflow.Future) error {
	patience := workflow.Now(ctx).Add(briefingPatience)
	for !answer.IsReady() && !b.pressing() {
		if b.asked == "" {
			if err := workflow.Await(ctx, func() bool { return answer.IsReady() || b.asked != "" || b.closed }); err != nil {
				return err
			}
			continue
		}
		heard := b.heard
		wait := max(briefingSettle, patience.Sub(workflow.Now(ctx)))
		more, err := workflow.AwaitWithTimeout(ctx, wait, func() bool { return answer.IsReady() || b.pressing() || b.heard > heard })
		if err != nil {
			return err
		}
		if !more {
			b.asked = models.BriefRenewed
		}
	}
	return nil
}

// leave says of a closed handoff that no model is asked any more.
func (b *briefing) leave(ctx workflow.Context) error {
	var a *activities.Activities
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: TaskQueueBrief, StartToCloseTimeout: 10 * time.Second, Summary: "the handoff is closed: leave the briefing as it is",
	})
	return workflow.ExecuteActivity(ctx, a.LeaveBriefing, b.in.Handoff(models.BriefClosed)).Get(ctx, nil)
}

// failed ends a run whose activities an operator has ended, or that found no
// handoff to brief. Whoever asks again starts a new run.
func (b *briefing) failed(ctx workflow.Context, err error) error {
	if showErr := b.show(ctx, models.EffectFailed); showErr != nil {
		return showErr
	}
	return err
}

// show tells operators how the briefing stands, when that changes.
func (b *briefing) show(ctx workflow.Context, state models.EffectState) error {
	workflow.SetCurrentDetails(ctx, fmt.Sprintf("### %s · round %d\n", strings.ToUpper(string(state)), b.round))
	return workflow.UpsertTypedSearchAttributes(ctx, AttrEffects.ValueSet(string(state)))
}
