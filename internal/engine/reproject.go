package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
	"github.com/baton-handoff/baton/workflows"
)

// Reproject brings the read model up to what Temporal knows, for every handoff
// that was started after since and is still within the namespace's retention.
// It is for a database that was restored to a time before some decisions.
// Each is called with every handoff; what fails for one does not end the rest.
// It needs a running worker.
func (e *Engine) Reproject(ctx context.Context, since time.Time, each func(models.Snapshot, error)) error {
	runs, err := e.handoffRuns(ctx, since)
	if err != nil {
		return fmt.Errorf("listing handoffs: %w", err)
	}
	for _, run := range runs {
		snap, err := e.state(ctx, run)
		if err == nil {
			_, err = e.records.Project(tenant.With(ctx, snap.AccountID), snap)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		each(snap, err)
	}
	return nil
}

// handoffRuns lists runs, the oldest first: the handoffs of one session have
// to be shown in their order.
func (e *Engine) handoffRuns(ctx context.Context, since time.Time) ([]*workflow.WorkflowExecutionInfo, error) {
	query := fmt.Sprintf("WorkflowType = 'HandoffWorkflow' AND StartTime > '%s'", since.UTC().Format(time.RFC3339))
	var runs []*workflow.WorkflowExecutionInfo
	var next []byte
	for {
		page, err := e.temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: query, NextPageToken: next})
		if err != nil {
			return nil, err
		}
		runs = append(runs, page.GetExecutions()...)
		if next = page.GetNextPageToken(); len(next) == 0 {
			break
		}
	}
	slices.SortFunc(runs, func(a, b *workflow.WorkflowExecutionInfo) int {
		return a.GetStartTime().AsTime().Compare(b.GetStartTime().AsTime())
	})
	return runs, nil
}

func (e *Engine) state(ctx context.Context, run *workflow.WorkflowExecutionInfo) (snap models.Snapshot, err error) {
	ctx, cancel := context.WithTimeout(ctx, e.patience)
	defer cancel()
	value, err := e.temporal.QueryWorkflow(ctx, run.GetExecution().GetWorkflowId(), run.GetExecution().GetRunId(), workflows.QueryState)
	if err != nil {
		return snap, fmt.Errorf("asking %s: %w", run.GetExecution().GetWorkflowId(), err)
	}
	if err := value.Get(&snap); err != nil {
		return snap, err
	}
	if len(snap.Transitions) == 0 {
		return snap, errors.New("the workflow answered with an empty state")
	}
	return snap, nil
}
