package engine

import (
	"context"

	"github.com/google/uuid"
	"go.temporal.io/sdk/client"

	"github.com/baton-handoff/baton/models"
	"github.com/baton-handoff/baton/workflows"
)

// TellRecipient wakes the workflow that tells a recipient, which is started
// when none runs. The wish is durable when it returns.
func (e *Engine) TellRecipient(ctx context.Context, account uuid.UUID, recipient string) error {
	ctx, cancel := context.WithTimeout(ctx, e.patience)
	defer cancel()
	ctx, onWire := watchWire(ctx)
	id := workflows.RecipientWorkflowID(account, recipient)
	_, err := e.temporal.SignalWithStartWorkflow(ctx, id, workflows.SignalDeliver, nil, client.StartWorkflowOptions{
		ID: id, TaskQueue: workflows.TaskQueue,
		TypedSearchAttributes: workflows.AccountAttributes(account),
		StaticSummary:         "Tells a recipient what waits for them",
		StaticDetails: "Sends notifications to one person or channel, holds back what is too much at once or comes in quiet hours, and tells of it together. " +
			"The pending activities say what is tried, how often, and why it did not work yet.",
	}, workflows.RecipientWorkflow, workflows.RecipientInput{AccountID: account, Recipient: recipient})
	if err != nil {
		return e.trouble(ctx, "waking a recipient's notifications", onWire.Load(), err)
	}
	return nil
}

// RetryDelivery lets a failed notification be tried again. It does not wait
// for the outcome.
func (e *Engine) RetryDelivery(ctx context.Context, by models.Principal, sessionID, handoffID, id uuid.UUID) (models.Delivery, error) {
	view, _, err := e.records.HandoffHead(ctx, sessionID, handoffID, "")
	if err != nil {
		return models.Delivery{}, err
	}
	concerned := by.UserID == view.HandedOffBy || view.ClaimedBy != nil && by.UserID == *view.ClaimedBy
	if !concerned && !by.Role.AtLeast(models.RoleAdmin) {
		return models.Delivery{}, models.Errorf(models.CodeForbidden, "Only the holder, the sender, an admin or an owner may have a notification sent again.")
	}
	d, err := e.records.ReopenDelivery(ctx, handoffID, id)
	if err != nil {
		return d, err
	}
	return d, e.TellRecipient(ctx, view.AccountID, d.Recipient)
}
