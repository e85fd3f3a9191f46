package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/enums/v1"
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
	defer func() { run.over = true }()
	for next := 0; ; next++ {
		err := workflow.Await(ctx, func() bool { return next < h.projected || h.snap.Last().Status.Closed() && next == h.snap.Version() })
		if err != nil || next == h.snap.Version() {
			return
		}
		if t := h.snap.Transitions[next]; run.due(t) {
			if err := h.execute(ctx, run, t); temporal.IsCanceledError(err) {
				h.handOver(ctx, run, next)
				return
			}
		}
	}
}

// execute runs one side effect until it is done, or until a retry cannot help.
// A canceled error says that the handoff is closed and cannot wait for it.
func (h *handoff) execute(ctx workflow.Context, run *effectRun, t models.Transition) error {
	ctx = run.withOptions(ctx, t.Version)
	in := h.effectInput(t)
	err := h.untilClosed(ctx, run, in)
	if temporal.IsCanceledError(err) {
		if workflow.GetVersion(ctx, changeHandOver, workflow.DefaultVersion, 1) > workflow.DefaultVersion {
			return err
		}
		in.Last = true
		err = workflow.ExecuteActivity(once(ctx), run.activity, in).Get(ctx, nil)
	}
	run.state, run.reason = models.EffectDone, ""
	if err != nil {
		run.state, run.reason = models.EffectFailed, err.Error()
		var app *temporal.ApplicationError
		if errors.As(err, &app) {
			run.reason = app.Message()
		}
	}
	h.show(ctx)
	h.index(ctx)
	return nil
}

func (h *handoff) effectInput(t models.Transition) activities.EffectInput {
	return activities.EffectInput{
		AccountID: h.in.AccountID, SessionID: h.in.SessionID, HandoffID: h.in.HandoffID,
		Verb: t.Verb, Generation: t.Generation, Version: t.Version,
	}
}

// withOptions is how the effect's activity is run.
func (e effect) withOptions(ctx workflow.Context, version int) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           e.queue,
		StartToCloseTimeout: e.timeout,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: activities.EffectFirstRetry, BackoffCoefficient: activities.EffectBackoff, MaximumInterval: activities.EffectMaxRetry,
		},
		Summary: fmt.Sprintf("%s (version %d)", e.summary, version),
	})
}

// closingGrace is how long a closed handoff waits for a side effect that is
// being retried. The session cannot be handed off again before it is over.
const closingGrace = 5 * time.Second

// untilClosed runs a side effect with all its retries, and cancels it when the
// handoff has been closed and the grace is over.
func (h *handoff) untilClosed(ctx workflow.Context, run *effectRun, in activities.EffectInput) error {
	ctx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	result := workflow.ExecuteActivity(ctx, run.activity, in)
	shown := func() bool { return h.snap.Last().Status.Closed() && h.projected == h.snap.Version() }
	if err := workflow.Await(ctx, func() bool { return result.IsReady() || shown() }); err != nil {
		return err
	}
	if !result.IsReady() {
		if _, err := workflow.AwaitWithTimeout(ctx, closingGrace, result.IsReady); err != nil {
			return err
		}
		if !result.IsReady() {
			cancel()
		}
	}
	return result.Get(ctx, nil)
}

// changeHandOver marks histories whose unfinished side effects outlive them.
// Before, such a one got a last attempt, and was lost if that failed.
const changeHandOver = "effects-outlive-handoff"

// handOver gives a side effect, from a transition on, to a workflow that goes
// on with it for as long as it takes, while the session can be handed off again.
func (h *handoff) handOver(ctx workflow.Context, run *effectRun, from int) {
	in := EffectInput{Kind: run.kind}
	for _, t := range h.snap.Transitions[from:] {
		if run.due(t) {
			in.Steps = append(in.Steps, h.effectInput(t))
		}
	}
	id := EffectWorkflowID(h.in.AccountID, h.in.HandoffID, run.kind)
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID: id, TaskQueue: TaskQueue,
		ParentClosePolicy: enums.PARENT_CLOSE_POLICY_ABANDON,
		StaticSummary:     fmt.Sprintf("A closed handoff: %s", run.summary),
		TypedSearchAttributes: temporal.NewSearchAttributes(
			AttrAccount.ValueSet(h.in.AccountID.String()), AttrEffects.ValueSet(string(models.EffectPending)),
		),
	})
	err := workflow.ExecuteChildWorkflow(ctx, EffectWorkflow, in).GetChildWorkflowExecution().Get(ctx, nil)
	if err != nil { // it runs already: this run was reset
		workflow.GetLogger(ctx).Warn("a side effect was not handed over", "workflow", id, "error", err)
	}
	run.state, run.reason = models.EffectPending, "it goes on in the workflow `"+id+"`"
	h.show(ctx)
}

// EffectWorkflow goes on with a side effect of a handoff that has been closed,
// until it is done or a retry cannot help. The activity itself shows readers
// how it stands.
func EffectWorkflow(ctx workflow.Context, in EffectInput) error {
	var failed error
	for _, e := range effects() {
		if e.kind != in.Kind {
			continue
		}
		for _, step := range in.Steps {
			if err := workflow.ExecuteActivity(e.withOptions(ctx, step.Version), e.activity, step).Get(ctx, nil); err != nil {
				failed = err // and the next step is tried all the same
			}
		}
	}
	state := models.EffectDone
	if failed != nil {
		state = models.EffectFailed
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, AttrEffects.ValueSet(string(state))); err != nil {
		return err
	}
	return failed
}

// once is for the last attempt of a side effect.
func once(ctx workflow.Context) workflow.Context {
	o := workflow.GetActivityOptions(ctx)
	o.RetryPolicy = &temporal.RetryPolicy{MaximumAttempts: 1}
	o.Summary += ", for the last time"
	return workflow.WithActivityOptions(ctx, o)
}

func (h *handoff) effectsSettled() bool {
	for _, run := range h.effects {
		if !run.over {
			return false
		}
	}
	return true
}
