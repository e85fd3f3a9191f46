package engine

import (
	"context"
	"errors"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/baton-handoff/baton/activities"
	"github.com/baton-handoff/baton/workflows"
)

// TellLadder hands news of a handoff over to the workflow of its ladder, which
// is started when none runs. They are durable when it returns. That a handoff
// is closed ends a running one, and starts none.
func (e *Engine) TellLadder(ctx context.Context, of activities.BriefingInput, news activities.LadderNews) error {
	ctx, cancel := context.WithTimeout(ctx, e.patience)
	defer cancel()
	ctx, onWire := watchWire(ctx)
	id := workflows.LadderWorkflowID(of.AccountID, of.HandoffID)
	if news.Status.Closed() {
		err := e.temporal.SignalWorkflow(ctx, id, "", workflows.SignalNews, news)
		var over *serviceerror.NotFound
		if err == nil || errors.As(err, &over) {
			return nil
		}
		return e.trouble(ctx, "ending a ladder", onWire.Load(), err)
	}
	_, err := e.temporal.SignalWithStartWorkflow(ctx, id, workflows.SignalNews, news, client.StartWorkflowOptions{
		ID: id, TaskQueue: workflows.TaskQueue,
		TypedSearchAttributes: workflows.AccountAttributes(of.AccountID),
		StaticSummary:         "Calls people until somebody claims a handoff",
		StaticDetails: "Calls people, more of them as time passes, while the handoff waits; stops when it is claimed, and begins anew when it is back in the queue. " +
			"The current details say what comes next, and when. To terminate it means that nobody is called any more before the next transition.",
	}, workflows.LadderWorkflow, workflows.LadderInput{Of: of})
	if err != nil {
		return e.trouble(ctx, "handing news over to a ladder", onWire.Load(), err)
	}
	return nil
}
