package engine

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/models"
)

// taken is a replica whose row is taken from its holder between two reads.
type taken struct{ *replica }

func (r taken) Handoff(context.Context, uuid.UUID, uuid.UUID) (models.HandoffView, error) {
	row := r.row
	row.Status, row.ClaimedBy, row.ClaimedAt, row.Generation, row.Version = models.StatusQueued, nil, nil, 2, 3
	return row, nil
}

// TestAHolderWhoAsksAgainTooLate: the holder claims again, and is not told that
// they have what was taken from them before the answer.
func TestAHolderWhoAsksAgainTooLate(t *testing.T) {
	t.Parallel()
	r := newReplica(nil)
	by := models.Principal{UserID: uuid.New(), AccountID: r.row.AccountID, Role: models.RoleEngineer}
	now := time.Now()
	r.row.Status, r.row.ClaimedBy, r.row.ClaimedAt, r.row.Version = models.StatusClaimed, &by.UserID, &now, 2
	e := New(r, taken{r}, r.log, time.Minute)
	_, err := e.Transition(t.Context(), by, models.TransitionRequest{Verb: models.VerbClaim, SessionID: r.row.SessionID, HandoffID: r.row.ID})
	require.Equal(t, models.CodeConflict, models.CodeOf(err))
}
