package engine

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.uber.org/goleak"

	"github.com/baton-handoff/baton/models"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// replica is an engine between a row in memory and a workflow that a test
// plays.
type replica struct {
	*Engine
	Records
	client.Client
	client.WorkflowUpdateHandle

	mu      sync.Mutex
	row     models.HandoffView
	asked   int
	outcome func() error // of an Update
}

func newReplica(outcome func() error) *replica {
	r := &replica{outcome: outcome, row: models.HandoffView{Handoff: models.Handoff{
		AccountID: uuid.New(), ID: uuid.New(), SessionID: uuid.New(), HandedOffBy: uuid.New(),
		Intent: models.IntentEscalate, Status: models.StatusQueued, Generation: 1, Version: 1,
	}}}
	r.Engine = New(r, r, slog.New(slog.DiscardHandler), time.Minute)
	return r
}

func (r *replica) HandoffHead(context.Context, uuid.UUID, uuid.UUID, string) (models.HandoffView, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.row, false, nil
}

func (r *replica) Project(_ context.Context, snap models.Snapshot) (models.HandoffView, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	r.row.Status, r.row.ClaimedBy, r.row.ClaimedAt, r.row.Version = models.StatusClaimed, snap.Last().HolderID, &now, 2
	return r.row, nil
}

func (r *replica) UpdateWorkflow(context.Context, client.UpdateWorkflowOptions) (client.WorkflowUpdateHandle, error) {
	r.mu.Lock()
	r.asked++
	r.mu.Unlock()
	return r, r.outcome()
}

var winner = uuid.New()

func (r *replica) Get(_ context.Context, value any) error {
	snap := value.(*models.Snapshot)
	snap.Transitions = []models.Transition{{Version: 2, Verb: models.VerbClaim, HolderID: &winner, Status: models.StatusClaimed}}
	return nil
}

func (r *replica) updates() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

// race lets many people claim at once. The channel brings what they are told.
func (r *replica) race(people int) <-chan error {
	answers := make(chan error, people)
	claim := func(by uuid.UUID) {
		_, err := r.Transition(context.Background(), models.Principal{UserID: by, AccountID: r.row.AccountID, Role: models.RoleEngineer},
			models.TransitionRequest{Verb: models.VerbClaim, SessionID: r.row.SessionID, HandoffID: r.row.ID})
		answers <- err
	}
	go claim(winner)
	synctest.Wait()
	for range people - 1 {
		go claim(uuid.New())
	}
	synctest.Wait()
	return answers
}

func TestRaceIsOneUpdate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		decided := make(chan struct{})
		r := newReplica(func() error { <-decided; return nil })
		answers := r.race(50)
		require.Equal(t, 1, r.updates())
		close(decided)
		require.NoError(t, <-answers)
		for range 49 {
			require.Equal(t, models.CodeAlreadyClaimed, models.CodeOf(<-answers), "refused from the row")
		}
		require.Equal(t, 1, r.updates())
		require.Empty(t, r.claims.taken)
	})
}

// A claim that is stuck holds the others up for a moment, and no longer.
func TestRaceBehindAStuckClaim(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		r := newReplica(func() error { <-stuck; return nil })
		answers := r.race(50)
		<-time.After(turnWait)
		synctest.Wait()
		require.Equal(t, 50, r.updates())
		close(stuck)
		synctest.Wait()
		require.Len(t, answers, 50)
	})
}

// When a claim fails, those who waited for it ask at once.
func TestRaceBehindAFailedClaim(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		failed := make(chan struct{})
		r := newReplica(func() error { <-failed; return errors.New("connection lost") })
		answers := r.race(50)
		start := time.Now()
		close(failed)
		for range 50 {
			require.Error(t, <-answers)
		}
		require.Equal(t, 50, r.updates())
		require.Equal(t, start, time.Now())
	})
}
