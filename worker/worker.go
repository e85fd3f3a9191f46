// Package worker runs Baton's workflows and activities: which task queue does
// what, with how much at once, and how it stops.
package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"github.com/baton-handoff/baton/activities"
	"github.com/baton-handoff/baton/workflows"
)

// Options tunes a [Worker].
type Options struct {
	// WorkflowTasks bounds the workflow tasks that run at once; 0 means 100.
	WorkflowTasks int
	// Activities bounds the activities that run at once, on each task queue; 0
	// means 100.
	Activities int
	// ModelCalls bounds the calls of a language model that run at once; 0 means 8.
	ModelCalls int
	// StopTimeout is how long running activities get to end when the worker
	// stops; 0 means 30 seconds. What does not end in time is tried again by
	// another worker.
	StopTimeout time.Duration
	// OnFatal hears of errors that a worker cannot go on with.
	OnFatal func(error)
}

// Worker polls Baton's task queues.
type Worker struct {
	temporal client.Client
	acts     *activities.Activities
	o        Options
	workers  []worker.Worker
}

// New makes a worker; it polls nothing before [Worker.Start].
func New(c client.Client, acts *activities.Activities, o Options) *Worker {
	if o.WorkflowTasks == 0 {
		o.WorkflowTasks = 100
	}
	if o.Activities == 0 {
		o.Activities = 100
	}
	if o.ModelCalls == 0 {
		o.ModelCalls = 8
	}
	if o.StopTimeout == 0 {
		o.StopTimeout = 30 * time.Second
	}
	return &Worker{temporal: c, acts: acts, o: o}
}

// build makes the SDK's workers, one for each task queue. They can be started
// once, whether or not that works, so each attempt needs new ones.
func (w *Worker) build() []worker.Worker {
	c, acts, o := w.temporal, w.acts, w.o
	decisions := worker.New(c, workflows.TaskQueue, worker.Options{
		MaxConcurrentWorkflowTaskExecutionSize: o.WorkflowTasks,
		MaxConcurrentActivityExecutionSize:     o.Activities,
		// More pollers as the load grows: the default of two makes claims
		// queue up behind each other.
		WorkflowTaskPollerBehavior: autoscaling(4),
		ActivityTaskPollerBehavior: autoscaling(2),
		// How long a claim waits when the worker that had the workflow in its
		// cache was killed. The default is five seconds.
		StickyScheduleToStartTimeout: time.Second,
		WorkerStopTimeout:            o.StopTimeout,
		OnFatalError:                 o.OnFatal,
	})
	decisions.RegisterWorkflow(workflows.HandoffWorkflow)
	decisions.RegisterWorkflow(workflows.EffectWorkflow)
	decisions.RegisterWorkflow(workflows.TicketWorkflow)
	decisions.RegisterWorkflow(workflows.BriefingWorkflow)
	decisions.RegisterWorkflow(workflows.LadderWorkflow)
	decisions.RegisterWorkflow(workflows.RecipientWorkflow)
	decisions.RegisterWorkflow(workflows.MaintenanceWorkflow)
	decisions.RegisterWorkflow(workflows.ReconcileWorkflow)
	decisions.RegisterActivity(acts.Project)
	decisions.RegisterActivity(acts.Maintain)

	psa := worker.New(c, workflows.TaskQueuePSA, o.effects(o.Activities))
	psa.RegisterActivity(acts.Document)
	psa.RegisterActivity(acts.ReconcileTickets)
	psa.RegisterActivity(acts.PushStep)
	psa.RegisterActivity(acts.ConnectionChanged)

	enrich := worker.New(c, workflows.TaskQueueEnrich, o.effects(o.ModelCalls))
	enrich.RegisterActivity(acts.BriefByModel)

	brief := worker.New(c, workflows.TaskQueueBrief, o.effects(briefingsAtOnce))
	brief.RegisterActivity(acts.BriefByRules)
	brief.RegisterActivity(acts.LeaveBriefing)

	tell := worker.New(c, workflows.TaskQueueNotify, o.effects(o.Activities))
	tell.RegisterActivity(acts.LadderStep)
	tell.RegisterActivity(acts.TakeBack)
	tell.RegisterActivity(acts.Announce)
	tell.RegisterActivity(acts.PlanDeliveries)
	tell.RegisterActivity(acts.Deliver)
	tell.RegisterActivity(acts.UpdateSent)

	return []worker.Worker{decisions, psa, enrich, brief, tell}
}

// briefingsAtOnce leaves processors for claims: writing one by rules takes
// nothing but processor time.
const briefingsAtOnce = 4

// effects are the options of a worker that has activities alone, of which so
// many may run at once.
func (o Options) effects(atOnce int) worker.Options {
	return worker.Options{
		DisableWorkflowWorker:              true,
		MaxConcurrentActivityExecutionSize: atOnce,
		ActivityTaskPollerBehavior:         autoscaling(2),
		// Heartbeats are not held back: one that is missed means that another
		// worker does the same, maybe at the same time.
		MaxHeartbeatThrottleInterval: activities.PushHeartbeat,
		WorkerStopTimeout:            o.StopTimeout,
		OnFatalError:                 o.OnFatal,
	}
}

func autoscaling(initial int) worker.PollerBehavior {
	return worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{
		InitialNumberOfPollers: initial, MinimumNumberOfPollers: 1, MaximumNumberOfPollers: 50,
	})
}

// Start begins to poll. It fails when Temporal does not answer; nothing is
// running then, and it may be called again.
func (w *Worker) Start() error {
	workers := w.build()
	for i, each := range workers {
		if err := each.Start(); err != nil {
			for _, started := range workers[:i] {
				started.Stop()
			}
			return fmt.Errorf("starting the worker: %w", err)
		}
	}
	w.workers = workers
	return nil
}

// Stop takes no more work, lets what is running end, and returns.
func (w *Worker) Stop() {
	done := make(chan struct{}, len(w.workers))
	for _, each := range w.workers {
		go func() { each.Stop(); done <- struct{}{} }()
	}
	for range w.workers {
		<-done
	}
}

// ScheduleMaintenance makes sure that housekeeping runs every few minutes,
// once for the whole installation.
func ScheduleMaintenance(ctx context.Context, c client.Client) error {
	return schedule(ctx, c, "baton-maintenance", 5*time.Minute, workflows.MaintenanceWorkflow, 10*time.Minute, "Housekeeping")
}

// ScheduleReconcile makes sure that open handoffs are compared with their
// tickets now and then, once for the whole installation.
func ScheduleReconcile(ctx context.Context, c client.Client) error {
	return schedule(ctx, c, "baton-reconcile", 10*time.Minute, workflows.ReconcileWorkflow, time.Hour, "Compare open handoffs with their tickets")
}

func schedule(ctx context.Context, c client.Client, id string, every time.Duration, run any, most time.Duration, summary string) error {
	_, err := c.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID:      id,
		Spec:    client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: every}}},
		Overlap: enumspb.SCHEDULE_OVERLAP_POLICY_SKIP,
		Action: &client.ScheduleWorkflowAction{
			ID: id, Workflow: run, TaskQueue: workflows.TaskQueue, WorkflowRunTimeout: most, StaticSummary: summary,
		},
	})
	var exists *serviceerror.AlreadyExists
	if errors.Is(err, temporal.ErrScheduleAlreadyRunning) || errors.As(err, &exists) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("scheduling %s: %w", id, err)
	}
	return nil
}
