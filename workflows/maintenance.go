package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/baton-handoff/baton/activities"
)

// MaintenanceWorkflow is one round of housekeeping. A Temporal Schedule runs
// it, so it happens once however many workers there are, and operators see it.
func MaintenanceWorkflow(ctx workflow.Context) (report activities.MaintenanceReport, err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           TaskQueue,
		StartToCloseTimeout: time.Minute,
		Summary:             "remove what nobody needs any more",
	})
	var a *activities.Activities
	err = workflow.ExecuteActivity(ctx, a.Maintain).Get(ctx, &report)
	return report, err
}
