package api

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/models"
)

// fakePresence remembers what it was asked for, and always knows of Sam.
type fakePresence struct {
	asked []string
	err   error
}

func (f *fakePresence) rows(what string, user uuid.UUID) ([]models.PresenceView, error) {
	f.asked = append(f.asked, what+" "+user.String())
	sam := models.PresenceView{UserName: "Sam Lee"}
	sam.HandoffID, sam.UserID, sam.SeenAt = handoffID, uuid.MustParse("0197a3c0-6f2b-7c11-9d0e-4b1f5a2c7e01"), time.Date(2026, 11, 4, 9, 40, 12, 0, time.UTC)
	return []models.PresenceView{sam}, f.err
}

func (f *fakePresence) Present(_ context.Context, _, _, user uuid.UUID) ([]models.PresenceView, error) {
	return f.rows("present", user)
}

func (f *fakePresence) Absent(_ context.Context, _, _, user uuid.UUID) error {
	_, err := f.rows("absent", user)
	return err
}

func (f *fakePresence) Presence(_ context.Context, user uuid.UUID) ([]models.PresenceView, error) {
	return f.rows("list", user)
}

func TestPresence(t *testing.T) {
	t.Parallel()
	w, f := newWorld(t), &fakePresence{}
	w.records.PresenceRecords = f
	const items = `{"items":[{"handoff_id":"0197a3c5-7d44-7b8a-b1f3-6c2e9a8d5f21","user_id":"0197a3c0-6f2b-7c11-9d0e-4b1f5a2c7e01","user_name":"Sam Lee","seen_at":"2026-11-04T09:40:12Z"}]}`
	rec := w.do(ask("PUT", aHandoffPath+"/presence", ""))
	require.Equal(t, 200, rec.Code, rec.Body.String())
	require.JSONEq(t, items, rec.Body.String())
	rec = w.do(ask("GET", "/api/v1/ai-sessions/presence", ""))
	require.Equal(t, 200, rec.Code, rec.Body.String())
	require.JSONEq(t, items, rec.Body.String())
	rec = w.do(ask("DELETE", aHandoffPath+"/presence", ""))
	require.Equal(t, 204, rec.Code, rec.Body.String())
	require.Empty(t, rec.Body.String())
	require.Equal(t, []string{"present " + ana.String(), "list " + ana.String(), "absent " + ana.String()}, f.asked)

	f.err = models.Errorf(models.CodeNotFound, "Handoff not found")
	require.Equal(t, 404, w.do(ask("PUT", aHandoffPath+"/presence", "")).Code)
	require.Equal(t, 404, w.do(ask("DELETE", aHandoffPath+"/presence", "")).Code)
	f.err = models.Errorf(models.CodeUnavailable, "Not now.")
	require.Equal(t, 503, w.do(ask("GET", "/api/v1/ai-sessions/presence", "")).Code)
}
