package engine

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/baton-handoff/baton/models"
	"github.com/baton-handoff/baton/workflows"
)

// Brief has a handoff briefed, by a workflow that is started when none runs.
// The wish is durable when it returns. With [models.BriefClosed] a running one
// ends, and none is started.
func (e *Engine) Brief(ctx context.Context, account, session, handoff uuid.UUID, why models.BriefingReason) error {
	ctx, cancel := context.WithTimeout(ctx, e.patience)
	defer cancel()
	ctx, onWire := watchWire(ctx)
	id, ask := workflows.BriefingWorkflowID(account, handoff), workflows.BriefingAsk{Reason: why}
	if why == models.BriefClosed {
		err := e.temporal.SignalWorkflow(ctx, id, "", workflows.SignalBrief, ask)
		var over *serviceerror.NotFound
		if err == nil || errors.As(err, &over) {
			return nil
		}
		return e.trouble(ctx, "ending a briefing", onWire.Load(), err)
	}
	_, err := e.temporal.SignalWithStartWorkflow(ctx, id, workflows.SignalBrief, ask, client.StartWorkflowOptions{
		ID: id, TaskQueue: workflows.TaskQueue,
		TypedSearchAttributes: workflows.AccountAttributes(account),
		StaticSummary:         "Briefs whoever claims a handoff",
		StaticDetails: "Writes the briefing by rules at once, and asks a language model to make it better when the account has one. " +
			"The pending activity says what is tried, how often, and why it did not work yet.",
	}, workflows.BriefingWorkflow, workflows.BriefingInput{AccountID: account, SessionID: session, HandoffID: handoff})
	if err != nil {
		return e.trouble(ctx, "asking for a briefing", onWire.Load(), err)
	}
	return nil
}

// renewAgain is how long a renewal that was asked for has to have been under way
// before it can be asked for again: models cost money.
const renewAgain = 10 * time.Second

// RenewBriefing has an open handoff briefed again, for a person. It does not
// wait for the outcome, and shows that it is under way.
func (e *Engine) RenewBriefing(ctx context.Context, sessionID, handoffID uuid.UUID) (models.HandoffView, error) {
	view, err := e.records.Handoff(ctx, sessionID, handoffID)
	if err != nil {
		return view, err
	}
	if view.Status.Closed() {
		return models.HandoffView{}, models.Errorf(models.CodeClosed, "The handoff is already %s: nobody needs a new briefing.", view.Status)
	}
	for _, effect := range view.Effects {
		if effect.Kind != models.EffectBriefing || effect.Version == nil {
			continue
		}
		if effect.State == models.EffectPending && time.Since(effect.UpdatedAt) < renewAgain {
			return view, nil
		}
		// Shown before it is asked for: afterwards it may be done already. Should
		// asking fail, the housekeeping asks.
		pending := models.Effect{HandoffID: handoffID, State: models.EffectPending}
		if err := e.records.RecordBriefing(ctx, *effect.Version, pending); err != nil {
			return models.HandoffView{}, err
		}
	}
	if err := e.Brief(ctx, view.AccountID, sessionID, handoffID, models.BriefRenewed); err != nil {
		return models.HandoffView{}, err
	}
	return e.records.Handoff(ctx, sessionID, handoffID)
}

// stepsPatience is how long somebody who adds steps waits for Temporal to hear
// of it.
const stepsPatience = time.Second

// StepsAdded lets the briefing of the session's open handoff know that it lacks
// steps. What is not heard now is found by the housekeeping.
func (e *Engine) StepsAdded(ctx context.Context, s models.Session) {
	ctx, cancel := context.WithTimeout(ctx, stepsPatience)
	defer cancel()
	handoff, open, err := e.records.OpenHandoff(ctx, s.ID)
	if err == nil && open {
		err = e.Brief(ctx, s.AccountID, s.ID, handoff, models.BriefSteps)
	}
	if err != nil {
		e.log.WarnContext(ctx, "a briefing was not told of new steps", "session_id", s.ID, "error", err)
	}
}
