package doors_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/baton-handoff/baton/internal/doors"
	"github.com/baton-handoff/baton/internal/notify/link"
	"github.com/baton-handoff/baton/internal/secrets"
	"github.com/baton-handoff/baton/models"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// desk is a handoff that waits for ana.
type desk struct {
	ana     models.User
	handoff models.HandoffView
	asked   []models.TransitionRequest
	refuse  error
}

func (d *desk) Transition(_ context.Context, _ models.Principal, req models.TransitionRequest) (models.HandoffView, error) {
	d.asked = append(d.asked, req)
	if d.refuse != nil {
		return models.HandoffView{}, d.refuse
	}
	d.handoff.Status, d.handoff.ClaimedBy = models.StatusClaimed, &d.ana.ID
	return d.handoff, nil
}

func (d *desk) SessionOf(context.Context, uuid.UUID) (uuid.UUID, error) {
	return d.handoff.SessionID, nil
}

func (d *desk) Handoff(context.Context, uuid.UUID, uuid.UUID) (models.HandoffView, error) {
	return d.handoff, nil
}

func (d *desk) User(context.Context, uuid.UUID) (models.User, error)     { return d.ana, nil }
func (d *desk) UserByEmail(context.Context, string) (models.User, error) { return d.ana, nil }

func TestALinkClaimsForWhomItWasMade(t *testing.T) {
	t.Parallel()
	d := &desk{ana: models.User{ID: uuid.New(), AccountID: uuid.New(), Name: "Ana", Role: models.RoleEngineer}}
	d.handoff.ID, d.handoff.SessionID, d.handoff.Status, d.handoff.Generation = uuid.New(), uuid.New(), models.StatusQueued, 3
	old, fresh := secrets.NewKey(), secrets.NewKey()
	signer := func(list string) *link.Signer {
		box, err := secrets.Parse(list)
		require.NoError(t, err)
		s, err := doors.Signer(box)
		require.NoError(t, err)
		return s
	}
	require.Nil(t, signer(""))
	sign := func(expires time.Time) string {
		token, err := signer(old).Sign(link.Token{
			Purpose: link.PurposeClaim, Account: d.ana.AccountID, User: d.ana.ID, Handoff: d.handoff.ID, Generation: 3, Expires: expires,
		})
		require.NoError(t, err)
		return token
	}
	token := sign(time.Now().Add(time.Hour))
	open := doors.New(doors.Options{Handoffs: d, Records: d, Log: slog.New(slog.DiscardHandler), Links: signer(fresh + "," + old)})
	l, err := open.Look(t.Context(), token)
	require.NoError(t, err)
	require.True(t, l.Waits())
	require.False(t, l.Mine())
	require.Empty(t, d.asked)
	l, err = open.Claim(t.Context(), token)
	require.NoError(t, err)
	require.True(t, l.Mine())
	require.Equal(t, []models.TransitionRequest{{
		Verb: models.VerbClaim, SessionID: d.handoff.SessionID, HandoffID: d.handoff.ID, Generation: 3, Door: models.DoorLink, Key: "door/3",
	}}, d.asked)

	refused := func(doors *doors.Doors, token string, code models.Code) {
		t.Helper()
		_, err := doors.Claim(t.Context(), token)
		require.Equal(t, code, models.CodeOf(err))
		require.Len(t, d.asked, 1)
	}
	refused(open, sign(time.Now().Add(-time.Second)), models.CodeForbidden)
	refused(open, strings.Repeat("A", link.Length), models.CodeForbidden)
	refused(doors.New(doors.Options{Handoffs: d, Records: d, Links: signer(fresh)}), token, models.CodeForbidden)
	refused(doors.New(doors.Options{Handoffs: d, Records: d}), token, models.CodeNotFound)
	d.ana.DisabledAt = new(time.Now())
	refused(open, token, models.CodeForbidden)
}
