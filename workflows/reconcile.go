package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/baton-handoff/baton/activities"
)

// ReconcileWorkflow compares open handoffs with their tickets once, because
// callbacks get lost and turned off. A Temporal Schedule of its own runs it: it
// waits for PSAs, which housekeeping must not.
func ReconcileWorkflow(ctx workflow.Context) (report activities.ReconcileReport, err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           TaskQueuePSA,
		StartToCloseTimeout: 15 * time.Minute,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 10 * time.Second, MaximumAttempts: 3},
		Summary:             "compare open handoffs with their tickets",
	})
	var a *activities.Activities
	err = workflow.ExecuteActivity(ctx, a.ReconcileTickets).Get(ctx, &report)
	return report, err
}
