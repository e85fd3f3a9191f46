package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/baton-handoff/baton/activities"
	"github.com/baton-handoff/baton/models"
)

const (
	// pushTimeout is longer than an attempt gives itself, so that it can record
	// its own end.
	pushTimeout = activities.PushTimeout + 15*time.Second
	// pushMissed is how long an attempt may say nothing. Then its worker is
	// gone, and the step is tried again.
	pushMissed = 5 * activities.PushHeartbeat
	// failedPause is how long a failed step is left alone if nobody asks for it,
	// so that a connection that changes without end does not mean calls without
	// end.
	failedPause = 30 * time.Second
	// failedAnyway is when a failed step is tried again although nothing is
	// known to have changed: much can be mended in the PSA itself.
	failedAnyway = time.Hour
)

// ticket is the state of a running [TicketWorkflow].
type ticket struct {
	account uuid.UUID
	queue   []activities.EffectInput
	// noted are steps before the queue whose note is in the ticket, and whose
	// status or owner could not be set. The next step that can settles them.
	noted   []activities.EffectInput
	steps   workflow.ReceiveChannel
	retry   workflow.ReceiveChannel
	done    int
	trouble string
	state   models.EffectState
}

// TicketWorkflow tells one ticket of its handoffs: one step at a time, in the
// order in which they were handed over, whatever becomes of the handoffs
// meanwhile. It ends when nothing is left to tell; the next step starts a new
// run. Each account's tickets go their own way, so trouble with one PSA keeps
// nobody else waiting.
func TicketWorkflow(ctx workflow.Context, in TicketInput) error {
	t := &ticket{account: in.AccountID, queue: in.Steps, noted: in.Noted, state: models.EffectPending}
	t.steps = workflow.GetSignalChannelWithOptions(ctx, SignalSteps, workflow.SignalChannelOptions{
		Description: "Steps to tell the ticket of. Baton sends this.",
	})
	t.retry = workflow.GetSignalChannelWithOptions(ctx, SignalRetry, workflow.SignalChannelOptions{
		Description: "Tries a failed step again at once. No payload.",
	})
	pause := waitFirst
	for {
		t.hear()
		for t.retry.ReceiveAsync(nil) { // nothing has failed
		}
		if len(t.queue) == 0 {
			return t.show(ctx, models.EffectDone, "")
		}
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			return workflow.NewContinueAsNewError(ctx, TicketWorkflow, TicketInput{AccountID: t.account, Steps: t.queue, Noted: t.noted})
		}
		pushed, err := t.push(ctx, t.queue[0])
		if temporal.IsCanceledError(err) {
			return err
		}
		t.hear() // while the step is still known to be here
		switch {
		case err != nil: // retried without limit, so this is an operator's doing
			err = t.awaitCure(ctx, activities.Pushed{Reason: "the attempts were ended from outside"})
		case pushed.State == models.EffectFailed && pushed.Noted && len(t.queue) > 1:
			// Its note is in its place, and its status would be the next one's
			// to change: nobody has to wait for it.
			t.noted, t.queue = append(t.noted, t.queue[0]), t.queue[1:]
		case pushed.State == models.EffectFailed:
			err = t.awaitCure(ctx, pushed)
		case pushed.State == models.EffectPending:
			err = workflow.Sleep(ctx, pause)
			pause = min(2*pause, waitMost)
		default:
			t.queue, t.done, pause = t.queue[1:], t.done+1, waitFirst
			if err = t.settle(ctx); err != nil {
				return err
			}
			err = t.show(ctx, models.EffectPending, "")
		}
		if err != nil {
			return err
		}
	}
}

// settle ends the steps of which only the note is in the ticket: a later one
// has set the status and owner now. What cannot be settled stays failed on its
// handoff, and can be asked for again there.
func (t *ticket) settle(ctx workflow.Context) error {
	for len(t.noted) > 0 {
		step := t.noted[0]
		step.Superseded = true
		if _, err := t.push(ctx, step); temporal.IsCanceledError(err) {
			return err
		}
		t.noted, t.done = t.noted[1:], t.done+1
	}
	return nil
}

// How long a step waits for the documentation before it looks again.
const (
	waitFirst = 500 * time.Millisecond
	waitMost  = 30 * time.Second
)

// hear takes in what was handed over meanwhile, each step once.
func (t *ticket) hear() {
	var more TicketSteps
	for t.steps.ReceiveAsync(&more) {
		for _, step := range more.Steps {
			if !t.waiting(step) {
				t.queue = append(t.queue, step)
			}
		}
		more = TicketSteps{}
	}
}

func (t *ticket) waiting(step activities.EffectInput) bool {
	for _, s := range slices.Concat(t.noted, t.queue) {
		if s.HandoffID == step.HandoffID && s.Version == step.Version {
			return true
		}
	}
	return false
}

// push runs one step with all its retries.
func (t *ticket) push(ctx workflow.Context, step activities.EffectInput) (pushed activities.Pushed, err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           TaskQueuePSA,
		StartToCloseTimeout: pushTimeout,
		HeartbeatTimeout:    pushMissed,
		// The delays are the activity's: it counts attempts that called the PSA.
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: activities.EffectFirstRetry, BackoffCoefficient: activities.EffectBackoff, MaximumInterval: activities.EffectMaxRetry,
		},
		Summary: fmt.Sprintf("tell the ticket: %s (handoff %s, version %d)", step.Verb, step.HandoffID, step.Version),
	})
	var a *activities.Activities
	err = workflow.ExecuteActivity(ctx, a.PushStep, step).Get(ctx, &pushed)
	return pushed, err
}

// awaitCure waits until a failed step is worth another attempt: somebody asks
// for it, the connection is changed, or an hour has passed; or until a later
// step comes that need not wait for it.
func (t *ticket) awaitCure(ctx workflow.Context, failed activities.Pushed) error {
	if err := t.show(ctx, models.EffectFailed, failed.Reason); err != nil {
		return err
	}
	ctx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	asked := func() bool { return t.retry.Len() > 0 || failed.Noted && t.steps.Len() > 0 }
	if now, err := workflow.AwaitWithTimeout(ctx, failedPause, asked); err != nil {
		return err
	} else if now {
		return t.show(ctx, models.EffectPending, "")
	}
	polling := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:              TaskQueuePSA,
		StartToCloseTimeout:    10 * time.Second,
		ScheduleToCloseTimeout: failedAnyway,
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: time.Minute, BackoffCoefficient: 1},
		Summary:                "wait for the connection to be changed",
	})
	var a *activities.Activities
	changed := workflow.ExecuteActivity(polling, a.ConnectionChanged, t.account, failed.Connection)
	if err := workflow.Await(ctx, func() bool { return changed.IsReady() || asked() }); err != nil {
		return err
	}
	return t.show(ctx, models.EffectPending, "")
}

// show tells operators where the ticket stands, when that changes.
func (t *ticket) show(ctx workflow.Context, state models.EffectState, trouble string) error {
	t.trouble = trouble
	workflow.SetCurrentDetails(ctx, t.details(state))
	if state == t.state {
		return nil
	}
	t.state = state
	return workflow.UpsertTypedSearchAttributes(ctx, AttrEffects.ValueSet(string(state)))
}

func (t *ticket) details(state models.EffectState) string {
	lines := []string{fmt.Sprintf("### %s · %d told, %d to tell\n", strings.ToUpper(string(state)), t.done, len(t.queue))}
	if t.trouble != "" {
		lines = append(lines, t.trouble+"\n", "It is tried again when the connection is changed, every hour, and upon the signal `"+SignalRetry+"`. "+
			"Later steps wait while its note is missing, so that the ticket tells the story in its order.\n")
	}
	for _, s := range t.queue {
		lines = append(lines, fmt.Sprintf("- %s, handoff `%s`, version %d", s.Verb, s.HandoffID, s.Version))
	}
	return strings.Join(lines, "\n") + "\n"
}

// AccountAttributes are the search attributes of a workflow that works for an account.
func AccountAttributes(account uuid.UUID) temporal.SearchAttributes {
	return temporal.NewSearchAttributes(
		AttrAccount.ValueSet(account.String()), AttrEffects.ValueSet(string(models.EffectPending)),
	)
}
