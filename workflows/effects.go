package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/baton-handoff/baton/activities"
	"github.com/baton-handoff/baton/models"
)

// effect is a side effect of a handoff: one activity that is run, in the order
// of the transitions, for each transition that it is due for. To add one, add
// it to effects and write its activity.
type effect struct {
	kind models.EffectKind
	// queue is the task queue of its activity.
	queue    string
	activity any // func(context.Context, activities.EffectInput) error
	// timeout bounds one attempt.
	timeout time.Duration
	summary string
	due     func(models.Transition) bool
}

func effects() []effect {
	var a *activities.Activities
	return []effect{
		{
			kind: models.EffectDocumentation, queue: TaskQueuePSA, activity: a.Document,
			timeout: 30 * time.Second, summary: "write the note for the ticket",
			due: func(t models.Transition) bool { return t.Verb == models.VerbCreate },
		},
	}
}

// effectRun is where a side effect stands in this workflow.
type effectRun struct {
	effect
	state  models.EffectState
	reason string
	over   bool
}

// startEffects gives each side effect a coroutine of its own.
func (h *handoff) startEffects(ctx workflow.Context) {
	for _, e := range effects() {
		run := &effectRun{effect: e, state: models.EffectPending}
		h.effects = append(h.effects, run)
		workflow.GoNamed(ctx, "effect:"+string(e.kind), func(ctx workflow.Context) { h.runEffect(ctx, run) })
	}
	h.show(ctx)
}

// runEffect follows the transitions. It begins with one only when readers can
// see it, and ends with the handoff.
func (h *handoff) runEffect(ctx workflow.Context, run *effectRun) {
	for next := 0; ; next++ {
		err := workflow.Await(ctx, func() bool { return next < h.projected || h.snap.Last().Status.Closed() && next == h.snap.Version() })
		if err != nil || next == h.snap.Version() {
			run.over = true
			return
		}
		if t := h.snap.Transitions[next]; run.due(t) {
			h.execute(ctx, run, t)
		}
	}
}

// execute runs one side effect until it is done, or until a retry cannot help.
func (h *handoff) execute(ctx workflow.Context, run *effectRun, t models.Transition) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           run.queue,
		StartToCloseTimeout: run.timeout,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: activities.EffectFirstRetry, BackoffCoefficient: activities.EffectBackoff, MaximumInterval: activities.EffectMaxRetry,
		},
		Summary: fmt.Sprintf("%s (version %d)", run.summary, t.Version),
	})
	err := workflow.ExecuteActivity(ctx, run.activity, activities.EffectInput{
		AccountID: h.in.AccountID, SessionID: h.in.SessionID, HandoffID: h.in.HandoffID,
		Verb: t.Verb, Generation: t.Generation, Version: t.Version,
	}).Get(ctx, nil)
	run.state, run.reason = models.EffectDone, ""
	if err != nil {
		run.state, run.reason = models.EffectFailed, err.Error()
		var app *temporal.ApplicationError
		if errors.As(err, &app) {
			run.reason = app.Message()
		}
	}
	h.show(ctx)
}

func (h *handoff) effectsSettled() bool {
	for _, run := range h.effects {
		if !run.over {
			return false
		}
	}
	return true
}
