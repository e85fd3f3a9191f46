package workflows

import (
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/baton-handoff/baton/activities"
	"github.com/baton-handoff/baton/models"
)

const (
	// deliverTimeout is longer than an attempt gives itself, so that it can
	// record its own end.
	deliverTimeout = activities.DeliverTimeout + 15*time.Second
	// deliverMissed is how long an attempt may say nothing. Then its worker is
	// gone, and it is tried again.
	deliverMissed = 5 * activities.DeliverHeartbeat
	// deliverSlots is how many messages to one recipient are under way at once.
	deliverSlots = 20
	// deliverPause is how long a message is left alone whose attempts somebody
	// has ended.
	deliverPause = 10 * time.Second
	// deliverGrace is how long a run that has become long waits for what is under
	// way, before it leaves that to the next one.
	deliverGrace = time.Minute
)

// recipient is the state of a running [RecipientWorkflow].
type recipient struct {
	in    RecipientInput
	wakes workflow.ReceiveChannel
	// flying are the messages under way.
	flying map[string]bool
	told   int
	state  models.EffectState
}

// RecipientWorkflow tells one recipient what there is to tell. What that is
// stands in the database; the workflow is woken when there is more, decides with
// [activities.Activities.PlanDeliveries] what goes now and what is held back, and
// sends each message with all the retries that it takes. It ends when nothing is
// left; the next wake starts a new run.
func RecipientWorkflow(ctx workflow.Context, in RecipientInput) error {
	r := &recipient{in: in, flying: map[string]bool{}, state: models.EffectPending}
	r.wakes = workflow.GetSignalChannelWithOptions(ctx, SignalDeliver, workflow.SignalChannelOptions{
		Description: "Looks at once for what is to be told. No payload. Baton sends this.",
	})
	sending, cancel := workflow.WithCancel(ctx)
	defer cancel()
	for {
		for r.wakes.ReceiveAsync(nil) {
		}
		planned, err := r.plan(ctx)
		if temporal.IsCanceledError(err) {
			return err
		}
		if err != nil { // retried without limit, so this is an operator's doing
			if err := workflow.Sleep(ctx, deliverPause); err != nil {
				return err
			}
			continue
		}
		left := r.start(sending, planned)
		if len(r.flying) == 0 && planned.Wake.IsZero() {
			if r.wakes.Len() > 0 {
				continue
			}
			return r.show(ctx, models.EffectDone, planned)
		}
		if err := r.show(ctx, models.EffectPending, planned); err != nil {
			return err
		}
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			if err := r.land(ctx, cancel); err != nil {
				return err
			}
			return workflow.NewContinueAsNewError(ctx, RecipientWorkflow, in)
		}
		if err := r.wait(ctx, planned.Wake, left); err != nil {
			return err
		}
	}
}

func (r *recipient) plan(ctx workflow.Context) (planned activities.Planned, err error) {
	var a *activities.Activities
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: TaskQueueNotify, StartToCloseTimeout: 20 * time.Second,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: 250 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: 30 * time.Second},
		Priority:    temporal.Priority{FairnessKey: r.in.AccountID.String()},
		Summary:     "look what is to be told, and when",
	})
	err = workflow.ExecuteActivity(ctx, a.PlanDeliveries, activities.PlanInput{
		AccountID: r.in.AccountID, Recipient: r.in.Recipient, Now: workflow.Now(ctx).UTC(),
	}).Get(ctx, &planned)
	return planned, err
}

// start sends what is planned and not under way, and reports whether some of it
// has to wait for others.
func (r *recipient) start(ctx workflow.Context, planned activities.Planned) (left bool) {
	var a *activities.Activities
	for _, s := range planned.Send {
		left = r.fly(ctx, a.Deliver, s, "tell") || left
	}
	for _, id := range planned.Update {
		left = r.fly(ctx, a.UpdateSent, activities.Sending{ID: id}, "change what was told") || left
	}
	return left
}

// fly runs one activity, unless it runs already, or too many do; then it waits.
func (r *recipient) fly(ctx workflow.Context, act any, s activities.Sending, summary string) (waits bool) {
	key := summary + " " + s.ID.String()
	if r.flying[key] {
		return false
	}
	if len(r.flying) == deliverSlots {
		return true
	}
	r.flying[key] = true
	if s.Bundle {
		summary += " of several handoffs"
	}
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: TaskQueueNotify, StartToCloseTimeout: deliverTimeout, HeartbeatTimeout: deliverMissed,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: activities.EffectFirstRetry, BackoffCoefficient: activities.EffectBackoff, MaximumInterval: activities.EffectMaxRetry,
		},
		WaitForCancellation: true,
		Priority:            temporal.Priority{FairnessKey: r.in.AccountID.String()},
		Summary:             fmt.Sprintf("%s (%s)", summary, s.ID),
	})
	workflow.GoNamed(ctx, key, func(ctx workflow.Context) {
		err := workflow.ExecuteActivity(ctx, act, activities.DeliverInput{AccountID: r.in.AccountID, Recipient: r.in.Recipient, Sending: s}).Get(ctx, nil)
		if err != nil && ctx.Err() == nil { // ended from outside
			workflow.GetLogger(ctx).Error("telling somebody was ended from outside", "delivery", s.ID, "error", err)
			_ = workflow.Sleep(ctx, deliverPause)
		}
		delete(r.flying, key)
		r.told++
	})
	return false
}

// wait waits until there is something to decide.
func (r *recipient) wait(ctx workflow.Context, wake time.Time, left bool) error {
	before := len(r.flying)
	ready := func() bool {
		return r.wakes.Len() > 0 || left && len(r.flying) < before || before > 0 && len(r.flying) == 0
	}
	if wake.IsZero() {
		return workflow.Await(ctx, ready)
	}
	_, err := workflow.AwaitWithTimeout(ctx, max(wake.Sub(workflow.Now(ctx)), time.Second), ready)
	return err
}

// land waits for what is under way, and at last cuts it short: what it is
// stands in the database, and the next run goes on with it.
func (r *recipient) land(ctx workflow.Context, cancel workflow.CancelFunc) error {
	landed := func() bool { return len(r.flying) == 0 }
	over, err := workflow.AwaitWithTimeout(ctx, deliverGrace, landed)
	if err != nil || over {
		return err
	}
	cancel()
	return workflow.Await(ctx, landed)
}

// show tells operators how the recipient stands, when that changes.
func (r *recipient) show(ctx workflow.Context, state models.EffectState, planned activities.Planned) error {
	text := fmt.Sprintf("### %d told, %d under way\n", r.told, len(r.flying))
	if !planned.Wake.IsZero() {
		text += "\nThe next ones are held back until " + planned.Wake.UTC().Format(time.RFC3339) + ".\n"
	}
	workflow.SetCurrentDetails(ctx, text)
	if state == r.state {
		return nil
	}
	r.state = state
	return workflow.UpsertTypedSearchAttributes(ctx, AttrEffects.ValueSet(string(state)))
}

// SignalDeliver wakes a [RecipientWorkflow]. It comes with the start and has no
// payload.
const SignalDeliver = "deliver"

// RecipientWorkflowID is the id of the workflow that tells one recipient: a
// user, or an endpoint that is told itself.
func RecipientWorkflowID(account uuid.UUID, recipient string) string {
	return fmt.Sprintf("notify/%s/%s", account, recipient)
}

// RecipientInput starts a [RecipientWorkflow].
type RecipientInput struct {
	AccountID uuid.UUID `json:"account_id"`
	Recipient string    `json:"recipient"`
}
