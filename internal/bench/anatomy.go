package bench

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/engine"
	"github.com/baton-handoff/baton/internal/store"
	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

// watched notes how long the engine waits for its records.
type watched struct {
	engine.Records
	head, project *float64
}

func (w watched) HandoffHead(ctx context.Context, session, id uuid.UUID, requestID string) (models.HandoffView, bool, error) {
	defer since(time.Now(), w.head)
	return w.Records.HandoffHead(ctx, session, id, requestID)
}

func (w watched) Project(ctx context.Context, snap models.Snapshot) (models.HandoffView, error) {
	defer since(time.Now(), w.project)
	return w.Records.Project(ctx, snap)
}

func since(began time.Time, sum *float64) { *sum += milliseconds(time.Since(began)) }

// measureAnatomy says where the time of a winning claim goes, by timing the
// engine's calls. It is about Baton alone, for those who want to make it faster.
func measureAnatomy(ctx context.Context, b *bench) ([]Row, error) {
	w, leave, err := b.world(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	temporal, err := engine.Dial(w.temporalOptions())
	if err != nil {
		return nil, err
	}
	defer temporal.Close()
	db, err := store.Open(ctx, w.databaseURL, store.Options{MaxConns: 20})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	var head, project float64
	e := engine.New(temporal, watched{db, &head, &project}, slog.New(slog.DiscardHandler), 0)
	by := models.Principal{UserID: w.seniors[0].ID, AccountID: w.account, Role: models.RoleEngineer}
	ours := tenant.With(ctx, w.account)

	parts := []struct {
		what, how string
		rounds    [][]float64
	}{
		{what: "a claim inside the engine, p50", how: "without HTTP and authentication; the rows below are parts of it"},
		{what: "· reading the row first", how: "HandoffHead"},
		{what: "· the Update", how: "what is left of the whole without the other parts"},
		{what: "· projecting the decision", how: "Project, which also reads the answer, beside the worker's own projection of the same decision"},
	}
	for range b.Sizes.Rounds {
		handoffs, err := w.handoffs(ctx, w.base, b.Sizes.Claims/2+1)
		if err != nil {
			return nil, err
		}
		values := make([][]float64, len(parts))
		for i, h := range handoffs {
			head, project = 0, 0
			began := time.Now()
			if _, err := e.Transition(ours, by, models.TransitionRequest{Verb: models.VerbClaim, SessionID: h.SessionID, HandoffID: h.ID}); err != nil {
				return nil, err
			}
			whole := milliseconds(time.Since(began))
			if i > 0 { // the first opens connections
				for j, v := range []float64{whole, head, whole - head - project, project} {
					values[j] = append(values[j], v)
				}
			}
			if err := w.settled(ctx, h.workflow()); err != nil {
				return nil, err
			}
			if err := pause(ctx, calm); err != nil {
				return nil, err
			}
		}
		for j := range parts {
			parts[j].rounds = append(parts[j].rounds, values[j])
		}
	}
	rows := make([]Row, len(parts))
	for i, part := range parts {
		var medians []float64
		for _, values := range part.rounds {
			medians = append(medians, quantile(values, 0.5))
		}
		rows[i] = Row{What: part.what, Unit: "ms", Baton: spread(medians), How: part.how}
	}
	return rows, nil
}
