package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/baton-handoff/baton/activities"
	"github.com/baton-handoff/baton/models"
	"github.com/baton-handoff/baton/workflows"
)

// TellTicket hands steps over to the workflow of a ticket, which is started
// when none runs. They are durable when it returns.
func (e *Engine) TellTicket(ctx context.Context, account uuid.UUID, ticket string, steps []activities.EffectInput) error {
	ctx, cancel := context.WithTimeout(ctx, e.patience)
	defer cancel()
	ctx, onWire := watchWire(ctx)
	id := workflows.TicketWorkflowID(account, ticket)
	_, err := e.temporal.SignalWithStartWorkflow(ctx, id, workflows.SignalSteps, workflows.TicketSteps{Steps: steps}, client.StartWorkflowOptions{
		ID: id, TaskQueue: workflows.TaskQueue,
		TypedSearchAttributes: workflows.AccountAttributes(account),
		StaticSummary:         "Tells a ticket of its handoffs",
		StaticDetails: "Adds one note for each step of a handoff to the customer's ticket and sets its status and owner, one after another. " +
			"The pending activity says what is tried, how often, and why it did not work yet; after a failure the current details say what to do.",
	}, workflows.TicketWorkflow, workflows.TicketInput{AccountID: account})
	if err != nil {
		return e.trouble(ctx, "handing steps over to a ticket", onWire.Load(), err)
	}
	return nil
}

// RetryPSA tries again what a ticket could not be told of a handoff, and shows
// that it does. It does not wait for the outcome. It may be asked for again
// until that is there.
func (e *Engine) RetryPSA(ctx context.Context, by models.Principal, sessionID, handoffID uuid.UUID) (models.HandoffView, error) {
	view, err := e.records.Handoff(ctx, sessionID, handoffID)
	if err != nil {
		return view, err
	}
	concerned := by.UserID == view.HandedOffBy || view.ClaimedBy != nil && by.UserID == *view.ClaimedBy
	if !concerned && !by.Role.AtLeast(models.RoleAdmin) {
		return models.HandoffView{}, models.Errorf(models.CodeForbidden, "Only the holder, the sender, an admin or an owner may have the ticket told again.")
	}
	steps, err := e.records.PSASteps(ctx, handoffID)
	if err != nil {
		return models.HandoffView{}, err
	}
	var failed []models.PSAStep
	asked, open := false, []int{}
	for _, s := range steps {
		if s.State == models.EffectFailed {
			failed = append(failed, s)
		}
		asked = asked || s.State == models.EffectPending && s.Attempts > 0
		if s.Open() {
			open = append(open, s.Version)
		}
	}
	if len(failed) == 0 && !asked || view.PSATicket == nil {
		return models.HandoffView{}, models.Errorf(models.CodeConflict, "Nothing has failed: there is nothing to try again.")
	}
	inputs, err := e.stepInputs(ctx, view.Handoff, open)
	if err != nil {
		return models.HandoffView{}, err
	}
	// What the ticket's workflow knows it does not take twice; should it be
	// gone, it begins anew.
	if err := e.TellTicket(ctx, view.AccountID, *view.PSATicket, inputs); err != nil {
		return models.HandoffView{}, err
	}
	asking, cancel := context.WithTimeout(ctx, e.patience)
	defer cancel()
	asking, onWire := watchWire(asking)
	err = e.temporal.SignalWorkflow(asking, workflows.TicketWorkflowID(view.AccountID, *view.PSATicket), "", workflows.SignalRetry, nil)
	var over *serviceerror.NotFound // it has begun anew, and ended
	if err != nil && !errors.As(err, &over) {
		return models.HandoffView{}, e.trouble(ctx, "asking a ticket to try again", onWire.Load(), err)
	}
	// Only now that the attempt is sure to come: it ends what this shows.
	if err := e.records.RetryPSASteps(ctx, handoffID, failed); err != nil {
		return models.HandoffView{}, unknown(err)
	}
	return e.answer(ctx, sessionID, handoffID)
}

// stepInputs names the transitions with these versions.
func (e *Engine) stepInputs(ctx context.Context, h models.Handoff, versions []int) ([]activities.EffectInput, error) {
	timeline, err := e.records.Timeline(ctx, h.SessionID, h.ID)
	if err != nil {
		return nil, fmt.Errorf("reading what to tell the ticket: %w", err)
	}
	at := make(map[int]models.TimelineView, len(timeline))
	for _, t := range timeline {
		at[t.Version] = t
	}
	var inputs []activities.EffectInput
	for _, v := range versions {
		if t, found := at[v]; found {
			inputs = append(inputs, activities.EffectInput{
				AccountID: h.AccountID, SessionID: h.SessionID, HandoffID: h.ID, Verb: t.Verb, Generation: t.Generation, Version: v,
			})
		}
	}
	return inputs, nil
}
