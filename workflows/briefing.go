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
	// briefingAgain is when a model is asked again after trouble that only a
	// person can mend, and briefingAgainMost how often.
	briefingAgain     = time.Hour
	briefingAgainMost = 24
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
	state models.EffectState
	// ruled is the newest briefing of the rules.
	ruled activities.Ruled
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
			return b.leave(ctx)
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
		b.asked = ""
		b.round++
		if err := b.brief(ctx); err != nil {
			return err
		}
	}
}

// hear takes in what is asked for, as it comes.
func (b *briefing) hear(ctx workflow.Context) {
	for {
		var ask BriefingAsk
		b.asks.Receive(ctx, &ask)
		switch {
		case ask.Reason == models.BriefClosed:
			b.closed = true
		case ask.Reason == models.BriefCreated && b.round > 0: // told again, and known
		case b.asked == "" || ask.Reason != models.BriefSteps:
			b.asked = ask.Reason
		}
	}
}

// settle waits until no more steps come, or somebody wants it now.
func (b *briefing) settle(ctx workflow.Context) error {
	until := workflow.Now(ctx).Add(briefingSettleMost)
	for workflow.Now(ctx).Before(until) {
		b.asked = ""
		more, err := workflow.AwaitWithTimeout(ctx, briefingSettle, func() bool { return b.closed || b.asked != "" })
		if err != nil || !more || b.closed || b.asked != models.BriefSteps {
			return err
		}
	}
	return nil
}

// brief writes one briefing.
func (b *briefing) brief(ctx workflow.Context) error {
	var a *activities.Activities
	rules := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: TaskQueue, StartToCloseTimeout: 30 * time.Second,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: 250 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: activities.EffectMaxRetry},
		Summary:     fmt.Sprintf("brief by rules (round %d)", b.round),
	})
	var ruled activities.Ruled
	if err := workflow.ExecuteActivity(rules, a.BriefByRules, b.in.Handoff()).Get(ctx, &ruled); err != nil {
		return b.failed(ctx, err)
	}
	if ruled.Version == 0 { // it was closed meanwhile
		return b.leave(ctx)
	}
	b.ruled, b.state = ruled, models.EffectPending
	if !ruled.AskModel {
		b.state = models.EffectDone
	}
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
		activities.ModelInput{BriefingInput: b.in.Handoff(), After: ruled.Version})
	superseded := func() bool { return b.closed || b.asked != "" && b.asked != models.BriefSteps }
	if err := workflow.Await(ctx, func() bool { return result.IsReady() || superseded() }); err != nil {
		return asked, err
	}
	if !result.IsReady() {
		cancel()
	}
	err = result.Get(ctx, &asked)
	if err == nil || !superseded() {
		return asked, err
	}
	// It was given up, however it ended: what fails after that is not repeated.
	if b.closed {
		return activities.Asked{State: models.EffectDone}, b.leave(ctx)
	}
	return activities.Asked{State: models.EffectPending}, nil
}

// leave says of a closed handoff that no model is asked any more, if one was to
// be.
func (b *briefing) leave(ctx workflow.Context) error {
	if b.state != models.EffectPending || b.ruled.Version == 0 {
		return nil // nobody waits for a model
	}
	var a *activities.Activities
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: TaskQueue, StartToCloseTimeout: 10 * time.Second, Summary: "the handoff is closed: the rules' briefing stays",
	})
	return workflow.ExecuteActivity(ctx, a.LeaveBriefing, activities.ModelInput{BriefingInput: b.in.Handoff(), After: b.ruled.Version}).Get(ctx, nil)
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
