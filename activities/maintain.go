package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/models"
)

// Maintenance is what the housekeeping of the whole installation needs.
type Maintenance struct {
	Records   MaintenanceRecords
	Workflows Workflows
	// Tickets may be nil: then there are no PSAs.
	Tickets Reconciler
	// Briefings has those briefed again whose briefing lacks steps; nil for nobody.
	Briefings Asks
	// KeepFeed is how long feed events can be replayed.
	KeepFeed time.Duration
}

// MaintenanceRecords finds and removes what nobody needs any more.
type MaintenanceRecords interface {
	AbandonedStarts(ctx context.Context, idle time.Duration, limit int) ([]models.Handoff, error)
	DiscardAbandonedStart(ctx context.Context, h models.Handoff) error
	PruneFeed(ctx context.Context, keep time.Duration) (int64, error)
	PrunePresence(ctx context.Context, keep time.Duration) (int64, error)
	StaleBriefings(ctx context.Context, settled time.Duration, limit int) ([]models.Handoff, error)
}

// Workflows tells whether a handoff's workflow is running.
type Workflows interface {
	Running(ctx context.Context, account, session, handoff uuid.UUID) (bool, error)
}

// Abandoned is how long nobody must have worked on a start before it is
// removed. It is far longer than any request lives.
const Abandoned = 15 * time.Minute

// briefingSettled is how old the newest step must be for a briefing that lacks
// it to be renewed here: its workflow should have done so.
const briefingSettled = 2 * time.Minute

// overdue is how late a notification must be for its recipient to be woken here:
// their workflow should have looked at it.
const overdue = 10 * time.Minute

// MaintenanceReport counts what was removed, and what was asked for.
type MaintenanceReport struct {
	Starts    int   `json:"starts"`
	Events    int64 `json:"events"`
	Briefings int   `json:"briefings,omitempty"`
	// Recipients counts those who were woken because they had forgotten something.
	Recipients int `json:"recipients,omitempty"`
}

// Maintain ends what nobody retried: rows of handoffs that never started,
// feed events past their time, and who looked at what a while ago. It has stale briefings renewed that nobody was
// told of, and wakes recipients whose notifications are overdue. What fails does not keep the rest from being done.
func (a *Activities) Maintain(ctx context.Context) (MaintenanceReport, error) {
	starts, startsErr := a.endAbandonedStarts(ctx)
	events, eventsErr := a.maintenance.Records.PruneFeed(ctx, a.maintenance.KeepFeed)
	_, presenceErr := a.maintenance.Records.PrunePresence(ctx, models.PresenceLasts)
	briefings, briefingsErr := a.renewBriefings(ctx)
	recipients, recipientsErr := a.wakeRecipients(ctx)
	report := MaintenanceReport{Starts: starts, Events: events, Briefings: briefings, Recipients: recipients}
	if err := errors.Join(startsErr, eventsErr, presenceErr, briefingsErr, recipientsErr); err != nil {
		a.log.WarnContext(ctx, "housekeeping is not finished", "error", err)
		return report, forTemporal(err)
	}
	return report, nil
}

func (a *Activities) endAbandonedStarts(ctx context.Context) (ended int, err error) {
	rows, err := a.maintenance.Records.AbandonedStarts(ctx, Abandoned, 500)
	for _, row := range rows {
		running, lookErr := a.maintenance.Workflows.Running(ctx, row.AccountID, row.SessionID, row.ID)
		if lookErr == nil && running {
			continue // its own projector will show it
		}
		if lookErr == nil {
			lookErr = a.maintenance.Records.DiscardAbandonedStart(ctx, row)
		}
		if lookErr != nil {
			err = errors.Join(err, fmt.Errorf("handoff %s: %w", row.ID, lookErr))
			continue
		}
		ended++
	}
	return ended, err
}

func (a *Activities) renewBriefings(ctx context.Context) (asked int, err error) {
	if a.maintenance.Briefings == nil {
		return 0, nil
	}
	rows, err := a.maintenance.Records.StaleBriefings(ctx, briefingSettled, 500)
	for _, row := range rows {
		if askErr := a.maintenance.Briefings.Brief(ctx, row.AccountID, row.SessionID, row.ID, models.BriefSteps); askErr != nil {
			return asked, errors.Join(err, fmt.Errorf("handoff %s: %w", row.ID, askErr))
		}
		asked++
	}
	return asked, err
}

// wakeRecipients has it looked at again what should have been sent, or tried
// again, long ago. Their workflows most often know better, and stay as they are.
func (a *Activities) wakeRecipients(ctx context.Context) (woken int, err error) {
	if a.notifying.Records == nil {
		return 0, nil
	}
	rows, err := a.notifying.Records.StaleRecipients(ctx, time.Now().Add(-overdue), 500)
	for _, row := range rows {
		if wakeErr := a.notifying.Recipients.TellRecipient(ctx, row.AccountID, row.Recipient); wakeErr != nil {
			return woken, errors.Join(err, fmt.Errorf("recipient %s: %w", row.Recipient, wakeErr))
		}
		woken++
	}
	return woken, err
}
