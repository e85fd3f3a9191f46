// Package engine carries out decisions about handoffs: it asks the workflow
// through Temporal and shows the answer to readers before anybody is told.
// It is what stands behind the API's interface Handoffs.
package engine

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/client"

	"github.com/baton-handoff/baton/models"
)

// Records is what the engine reads and writes besides Temporal.
type Records interface {
	PrepareHandoff(ctx context.Context, by models.Principal, in models.NewHandoff) (models.Handoff, error)
	DiscardHandoff(ctx context.Context, id uuid.UUID) error
	Project(ctx context.Context, snap models.Snapshot) (models.HandoffView, error)
	Handoff(ctx context.Context, sessionID, handoffID uuid.UUID) (models.HandoffView, error)
	HandoffHead(ctx context.Context, sessionID, handoffID uuid.UUID, requestID string) (head models.HandoffView, repeated bool, err error)
	CheckTarget(ctx context.Context, h models.Handoff, target uuid.UUID) error
	SaveTransitionInput(ctx context.Context, handoffID uuid.UUID, requestID string, req models.TransitionRequest) error
	DiscardTransitionInput(ctx context.Context, handoffID uuid.UUID, requestID string) error
	Timeline(ctx context.Context, sessionID, handoffID uuid.UUID) ([]models.TimelineView, error)
	PSASteps(ctx context.Context, handoffID uuid.UUID) ([]models.PSAStep, error)
	RecordBriefing(ctx context.Context, after int, e models.Effect) error
	OpenHandoff(ctx context.Context, sessionID uuid.UUID) (id uuid.UUID, found bool, err error)
	ReopenDelivery(ctx context.Context, handoffID, id uuid.UUID) (models.Delivery, error)
	LadderPolicies(ctx context.Context) ([]models.LadderPolicy, error)
	RetryPSASteps(ctx context.Context, handoffID uuid.UUID, seen []models.PSAStep) error
}

// Engine decides about handoffs. It is safe for concurrent use.
type Engine struct {
	temporal client.Client
	records  Records
	log      *slog.Logger
	patience time.Duration
	claims   turns
}

// New makes an engine. Patience bounds how long it waits for Temporal in one
// request; 0 means five seconds. The client has to be made with [Dial].
func New(temporal client.Client, records Records, log *slog.Logger, patience time.Duration) *Engine {
	if patience == 0 {
		patience = 5 * time.Second
	}
	return &Engine{temporal: temporal, records: records, log: log, patience: patience}
}

// Ping reports whether Temporal answers.
func (e *Engine) Ping(ctx context.Context) error {
	_, err := e.temporal.CheckHealth(ctx, &client.CheckHealthRequest{})
	return err
}

// afterwards is a context for what has to be done even when the request that
// caused it has run out of time.
func afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
}
