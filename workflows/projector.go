package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/baton-handoff/baton/activities"
)

// project brings the read model up to the state, again and again. The API does
// the same as soon as it has a decision; this coroutine does it whatever
// becomes of the API. One activity at a time: decisions that come meanwhile go
// together with the next.
func (h *handoff) project(ctx workflow.Context) {
	for workflow.Await(ctx, func() bool { return h.projected < h.snap.Version() }) == nil {
		last := h.snap.Last()
		ctx := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
			TaskQueue:           TaskQueue,
			StartToCloseTimeout: 10 * time.Second,
			RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 250 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: 10 * time.Second},
			Summary:             fmt.Sprintf("show version %d to readers: %s", last.Version, last.Verb),
		})
		if h.lateAttributes {
			// Told apart from those of older versions in the very first task: a
			// worker of an older build must not go on with this run as if it were
			// one of its own. It skips the marker of a change that it does not know.
			o := workflow.GetActivityOptions(ctx)
			o.ActivityID = fmt.Sprintf("project-%d", last.Version)
			ctx = workflow.WithActivityOptions(ctx, o)
		}
		var a *activities.Activities
		var shown activities.Shown // empty in the histories of older versions
		if err := workflow.ExecuteActivity(ctx, a.Project, h.snap).Get(ctx, &shown); err != nil {
			// Retried without limit, so this is an operator's doing. Try anew.
			workflow.GetLogger(ctx).Error("projecting was ended from outside", "error", err)
			_ = workflow.Sleep(ctx, 10*time.Second)
			continue
		}
		// Not in a run of an older build, which goes on whatever the answer is.
		if h.lateAttributes && shown.Status.Closed() && shown.Version > h.snap.Version() {
			h.late = &shown
			return
		}
		h.projected = last.Version
		if h.lateAttributes {
			h.index(ctx)
		}
	}
}
