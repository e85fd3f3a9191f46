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
	// KeepFeed is how long feed events can be replayed.
	KeepFeed time.Duration
}

// MaintenanceRecords finds and removes what nobody needs any more.
type MaintenanceRecords interface {
	AbandonedStarts(ctx context.Context, idle time.Duration, limit int) ([]models.Handoff, error)
	DiscardAbandonedStart(ctx context.Context, h models.Handoff) error
	PruneFeed(ctx context.Context, keep time.Duration) (int64, error)
}

// Workflows tells whether a handoff's workflow is running.
type Workflows interface {
	Running(ctx context.Context, account, session, handoff uuid.UUID) (bool, error)
}

// Abandoned is how long nobody must have worked on a start before it is
// removed. It is far longer than any request lives.
const Abandoned = 15 * time.Minute

// MaintenanceReport counts what was removed.
type MaintenanceReport struct {
	Starts int   `json:"starts"`
	Events int64 `json:"events"`
}

// Maintain ends what nobody retried: rows of handoffs that never started, and
// feed events past their time. What fails does not keep the rest from being done.
func (a *Activities) Maintain(ctx context.Context) (MaintenanceReport, error) {
	starts, startsErr := a.endAbandonedStarts(ctx)
	events, eventsErr := a.maintenance.Records.PruneFeed(ctx, a.maintenance.KeepFeed)
	report := MaintenanceReport{Starts: starts, Events: events}
	if err := errors.Join(startsErr, eventsErr); err != nil {
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
