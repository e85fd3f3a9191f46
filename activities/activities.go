// Package activities is everything a handoff's workflow does to the world:
// projecting its decisions into the read model, and its side effects. Each
// activity may run more than once and does its work once.
package activities

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

// Records is what the activities read and write.
type Records interface {
	Project(ctx context.Context, snap models.Snapshot) (models.HandoffView, error)
	Handoff(ctx context.Context, sessionID, handoffID uuid.UUID) (models.HandoffView, error)
	Session(ctx context.Context, id uuid.UUID) (models.Session, error)
	Steps(ctx context.Context, sessionID uuid.UUID) ([]models.Step, error)
	RecordEffect(ctx context.Context, e models.Effect) error
	SaveDocumentation(ctx context.Context, doc models.Documentation, e models.Effect) error
	Timeline(ctx context.Context, sessionID, handoffID uuid.UUID) ([]models.TimelineView, error)
	User(ctx context.Context, id uuid.UUID) (models.User, error)
	PSASteps(ctx context.Context, handoffID uuid.UUID) ([]models.PSAStep, error)
	RecordPSASteps(ctx context.Context, handoffID uuid.UUID, steps []models.PSAStep) error
}

// Activities holds what the activities share. Its methods are the activities.
type Activities struct {
	records     Records
	maintenance Maintenance
	ticketing   Ticketing
	briefings   Briefings
	redaction   Redaction
	ladders     Ladders
	notifying   Notifying
	pushing     turns
	asking      turns
	telling     turns
	log         *slog.Logger
}

// Options is what the activities need of the world.
type Options struct {
	Records     Records
	Maintenance Maintenance
	Ticketing   Ticketing
	Briefings   Briefings
	Redaction   Redaction
	Ladders     Ladders
	Notifying   Notifying
	// Log hears what a person has to look into.
	Log *slog.Logger
}

// New makes the activities.
func New(o Options) *Activities {
	return &Activities{
		records: o.Records, maintenance: o.Maintenance, ticketing: o.Ticketing, briefings: o.Briefings,
		redaction: o.Redaction, ladders: o.Ladders, notifying: o.Notifying, log: o.Log,
	}
}

// Shown is where a handoff stands for readers.
type Shown struct {
	Version int           `json:"version"`
	Status  models.Status `json:"status"`
}

// Project brings the read model up to a decision of the workflow, says where it
// stands then, and hands the decision over to the workflows of its ticket,
// its briefing and its ladder. It is idempotent and order-free: the store compares versions. It
// never gives up: nothing else would show the decision.
func (a *Activities) Project(ctx context.Context, snap models.Snapshot) (Shown, error) {
	if last := snap.Last(); last.Door != models.DoorOperator && !last.Status.Closed() && attempt(ctx) == 1 {
		giveWay(ctx)
	}
	ctx = tenant.With(ctx, snap.AccountID)
	row, err := a.records.Project(ctx, snap)
	if err == nil {
		err = errors.Join(a.handToTicket(ctx, snap, row), a.handToBriefing(ctx, snap, row), a.handToLadder(ctx, snap), a.handToPeople(ctx, snap, row))
	}
	if err == nil {
		return Shown{Version: row.Version, Status: row.Status}, nil
	}
	a.log.WarnContext(ctx, "a decision could not be projected", "account_id", snap.AccountID, "handoff_id", snap.HandoffID, "version", snap.Version(), "error", err)
	return Shown{}, temporal.NewApplicationError(reasonOf(err), string(models.CodeOf(err))) // never final, whatever the code
}

// headStart is how long the API that asked for a transition gets to show it
// before the worker does the same. Somebody waits for its answer, and both at
// once would only be in each other's way.
const headStart = 100 * time.Millisecond

// giveWay waits for the head start, unless the worker stops before.
func giveWay(ctx context.Context) {
	timer := time.NewTimer(headStart)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-activity.GetWorkerStopChannel(ctx):
	}
}

// EffectInput names the step of a handoff that a side effect is for.
type EffectInput struct {
	AccountID uuid.UUID `json:"account_id"`
	SessionID uuid.UUID `json:"session_id"`
	HandoffID uuid.UUID `json:"handoff_id"`
	// Verb, Generation and Version are those of the transition.
	Verb       models.Verb `json:"verb"`
	Generation int         `json:"generation"`
	Version    int         `json:"version"`
	// Last says that there is no other attempt after this one. Only runs that
	// began with an older build set it; see changeHandOver in package workflows.
	Last bool `json:"last,omitempty"`
	// Superseded says that the ticket was told of a later step: nothing but the
	// note is left to do.
	Superseded bool `json:"superseded,omitempty"`
}

// Side effects are retried without end, quickly at first, then every
// EffectMaxRetry.
const (
	EffectFirstRetry = time.Second
	EffectBackoff    = 2.0
	EffectMaxRetry   = 5 * time.Minute
)
