package engine

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/baton-handoff/baton/internal/ladder"
	"github.com/baton-handoff/baton/models"
	"github.com/baton-handoff/baton/workflows"
)

// memoHandoff is the memo field that says which handoff a run is about.
const memoHandoff = "handoff_id"

// Create hands a session off. First the row with its free text, invisible;
// then the workflow, durable once its start is answered; then the projection,
// which makes it visible. Whatever is cut off in between, the same request
// with the same key goes on from there.
func (e *Engine) Create(ctx context.Context, by models.Principal, req models.NewHandoff) (models.HandoffView, error) {
	rows, err := e.records.LadderPolicies(ctx)
	if err != nil {
		return models.HandoffView{}, err
	}
	rules, err := ladder.Rules(rows)
	if err != nil {
		return models.HandoffView{}, err
	}
	row, err := e.records.PrepareHandoff(ctx, by, req)
	if err != nil {
		return models.HandoffView{}, err
	}
	if row.Status != models.StatusStarting {
		return e.answer(ctx, req.SessionID, row.ID)
	}
	in := inputOf(row, ladder.For(rules, row.TeamID, row.Priority))
	if err := e.start(ctx, in); err != nil {
		return models.HandoffView{}, err
	}
	return e.show(ctx, workflows.Begin(in))
}

func inputOf(row models.Handoff, policy ladder.Policy) workflows.HandoffInput {
	reserve := int64(policy.Reserve)
	return workflows.HandoffInput{
		AccountID: row.AccountID, SessionID: row.SessionID, HandoffID: row.ID, TeamID: row.TeamID,
		Intent: row.Intent, Priority: row.Priority, SenderID: row.HandedOffBy, TargetUserID: row.TargetUserID,
		CreatedAt: row.CreatedAt, ReserveSeconds: &reserve,
	}
}

// start starts the workflow of a handoff, or finds it running. When it can be
// sure that nothing was started it removes the prepared row.
func (e *Engine) start(ctx context.Context, in workflows.HandoffInput) error {
	ctx, cancel := context.WithTimeout(ctx, e.patience)
	defer cancel()
	for pause := 20 * time.Millisecond; ; {
		sent, err := e.startOnce(ctx, in)
		if err == nil {
			return nil
		}
		var started *serviceerror.WorkflowExecutionAlreadyStarted
		if !errors.As(err, &started) {
			err = e.trouble(ctx, "starting the workflow", sent, err)
			if models.CodeOf(err) == models.CodeUnavailable {
				e.discard(ctx, in)
			}
			return err
		}
		running, err := e.runningHandoff(ctx, in.AccountID, in.SessionID)
		switch {
		case err != nil:
			// Something runs, and it cannot be told what: perhaps this one.
			return e.trouble(ctx, "looking at the running workflow", true, err)
		case running == in.HandoffID:
			return nil
		case running != uuid.Nil:
			closing, err := e.closing(ctx, in.SessionID, running)
			if err != nil || !closing {
				e.discard(ctx, in)
				return cmp.Or(err, error(models.AlreadyHandedOff()))
			}
		}
		// The session's last handoff is closed and its workflow about to end.
		pause = min(2*pause, time.Second)
		if !wait(ctx, pause) {
			e.discard(ctx, in)
			return models.Errorf(models.CodeUnavailable, "The session's previous handoff is still being put away. Try again.")
		}
	}
}

func (e *Engine) startOnce(ctx context.Context, in workflows.HandoffInput) (sent bool, err error) {
	ctx, onWire := watchWire(ctx)
	_, err = e.temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                                       workflows.WorkflowID(in.AccountID, in.SessionID),
		TaskQueue:                                workflows.TaskQueue,
		WorkflowIDConflictPolicy:                 enums.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowIDReusePolicy:                    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		Memo:                                     map[string]any{memoHandoff: in.HandoffID.String()},
		TypedSearchAttributes:                    workflows.StartAttributes(in),
		StaticSummary:                            workflows.Summary(in),
		StaticDetails:                            workflows.Details(in),
	}, workflows.HandoffWorkflow, in)
	return onWire.Load(), err
}

// runningHandoff says which handoff of a session has a running workflow; none
// is the zero id.
func (e *Engine) runningHandoff(ctx context.Context, account, session uuid.UUID) (uuid.UUID, error) {
	desc, err := e.temporal.DescribeWorkflowExecution(ctx, workflows.WorkflowID(account, session), "")
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return uuid.Nil, nil
	}
	if err != nil {
		return uuid.Nil, err
	}
	info := desc.GetWorkflowExecutionInfo()
	if info.GetStatus() != enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return uuid.Nil, nil
	}
	var id string
	if err := converter.GetDefaultDataConverter().FromPayload(info.GetMemo().GetFields()[memoHandoff], &id); err != nil {
		return uuid.Nil, err
	}
	return uuid.Parse(id)
}

// Running reports whether the workflow of this very handoff is running.
func (e *Engine) Running(ctx context.Context, account, session, handoff uuid.UUID) (bool, error) {
	running, err := e.runningHandoff(ctx, account, session)
	return running == handoff, err
}

// closing reports whether a handoff is closed for readers, so that its
// workflow has nothing left but its own ending.
func (e *Engine) closing(ctx context.Context, session, handoff uuid.UUID) (bool, error) {
	row, _, err := e.records.HandoffHead(ctx, session, handoff, "")
	if models.CodeOf(err) == models.CodeNotFound {
		return false, nil // it has just been started and is not shown yet
	}
	return row.Status.Closed(), err
}

// discard removes a prepared row whose workflow was not started. Should that
// fail, the sweeper finds it.
func (e *Engine) discard(ctx context.Context, in workflows.HandoffInput) {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	if err := e.records.DiscardHandoff(ctx, in.HandoffID); err != nil {
		e.log.WarnContext(ctx, "a prepared handoff could not be removed; maintenance will", "handoff_id", in.HandoffID, "error", err)
	}
}

// wait waits, and reports whether there is time left after it.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
