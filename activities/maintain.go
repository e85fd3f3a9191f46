package activities

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/models"
)

// Maintenance is what the housekeeping of the whole installation needs.
type Maintenance struct {
	Records   MaintenanceRecords
	Workflows Workflows
	// KeepFeed is how long feed events can be replayed.
	KeepFeed time.Duration
}

// MaintenanceRecords finds and removes what nobody needs any more.
type MaintenanceRecords interface {
	AbandonedStarts(ctx context.Context, idle time.Duration, limit int) ([]models.Handoff, error)
	DiscardAbandonedStart(ctx context.Context, h models.Handoff) error
	PruneInputs(ctx context.Context, idle time.Duration) (int64, error)
	PruneFeed(ctx context.Context, keep time.Duration) (int64, error)
}

// Workflows tells whether a handoff's workflow is running.
type Workflows interface {
	Running(ctx context.Context, account, session, handoff uuid.UUID) (bool, error)
}

// Abandoned is how long nobody must have worked on a start, or used the text
// of a request, before it is removed. It is far longer than any request lives,
// so that nothing under way is cut off.
const Abandoned = 15 * time.Minute

// MaintenanceReport counts what was removed.
type MaintenanceReport struct {
	Starts int   `json:"starts"`
	Inputs int64 `json:"inputs"`
	Events int64 `json:"events"`
}

// Maintain ends what nobody retried: rows of handoffs that never started,
// texts of requests that never became a transition, feed events past their
// time.
func (a *Activities) Maintain(ctx context.Context) (MaintenanceReport, error) {
	var report MaintenanceReport
	m := a.maintenance
	rows, err := m.Records.AbandonedStarts(ctx, Abandoned, 500)
	if err != nil {
		return report, err
	}
	for _, row := range rows {
		running, err := m.Workflows.Running(ctx, row.AccountID, row.SessionID, row.ID)
		if err != nil {
			return report, err
		}
		if running {
			continue // its own projector will show it
		}
		if err := m.Records.DiscardAbandonedStart(ctx, row); err != nil {
			return report, err
		}
		report.Starts++
	}
	if report.Inputs, err = m.Records.PruneInputs(ctx, Abandoned); err != nil {
		return report, err
	}
	report.Events, err = m.Records.PruneFeed(ctx, m.KeepFeed)
	return report, err
}
