package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

const (
	bareQueue  = "bench-bare"
	bareUpdate = "nothing"
)

// bareWorkflow is the least that a workflow with an Update can be: it accepts
// everything, does nothing, and waits for more.
func bareWorkflow(ctx workflow.Context) error {
	err := workflow.SetUpdateHandlerWithOptions(ctx, bareUpdate,
		func(workflow.Context) error { return nil },
		workflow.UpdateHandlerOptions{Validator: func() error { return nil }})
	if err != nil {
		return err
	}
	workflow.GetSignalChannel(ctx, "end").Receive(ctx, nil)
	return nil
}

// bare is Temporal without Baton: an SDK client and a worker.
type bare struct {
	client client.Client
	worker worker.Worker
}

// startBare starts a worker with the options of Baton's own (package worker),
// in this process, as Baton's is. It has no metrics and no logs, which Baton
// has and a floor can do without.
func (in *installation) startBare(ctx context.Context) (bare, error) {
	c, err := client.DialContext(ctx, in.temporalOptions())
	if err != nil {
		return bare{}, fmt.Errorf("connecting to Temporal: %w", err)
	}
	pollers := worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{
		InitialNumberOfPollers: 4, MinimumNumberOfPollers: 1, MaximumNumberOfPollers: 50,
	})
	w := worker.New(c, bareQueue, worker.Options{
		MaxConcurrentWorkflowTaskExecutionSize: 100,
		WorkflowTaskPollerBehavior:             pollers,
		StickyScheduleToStartTimeout:           time.Second,
		DisableRegistrationAliasing:            true,
	})
	w.RegisterWorkflowWithOptions(bareWorkflow, workflow.RegisterOptions{Name: "Bare"})
	if err := w.Start(); err != nil {
		c.Close()
		return bare{}, fmt.Errorf("starting the bare worker: %w", err)
	}
	return bare{c, w}, nil
}

func (f bare) stop() {
	f.worker.Stop()
	f.client.Close()
}

// begin starts a workflow.
func (f bare) begin(ctx context.Context) (id string, took time.Duration, err error) {
	id = "bare/" + uuid.NewString()
	began := time.Now()
	_, err = f.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: bareQueue}, "Bare")
	return id, time.Since(began), err
}

// workflows makes n workflows that have nothing under way.
func (f bare) workflows(ctx context.Context, in *installation, n int) ([]string, error) {
	list := make([]string, n)
	err := each(ctx, n, func(ctx context.Context, i int) (err error) {
		if list[i], _, err = f.begin(ctx); err != nil {
			return err
		}
		return in.settled(ctx, list[i])
	})
	return list, err
}

// update sends an Update and waits until it is completed.
func (f bare) update(ctx context.Context, id string) (time.Duration, error) {
	began := time.Now()
	handle, err := f.client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: id, UpdateName: bareUpdate, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(ctx, nil)
	}
	return time.Since(began), err
}
