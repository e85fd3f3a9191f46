package store_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/models"
)

func names(rows []models.PresenceView) (out []string) {
	for _, r := range rows {
		out = append(out, r.UserName)
	}
	return out
}

func TestPresence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.sam)
	snap, other := w.queued(t, w.sam, models.PriorityHigh, nil), w.queued(t, w.sam, models.PriorityLow, nil)
	look := func(by models.Principal, s models.Snapshot) []string {
		t.Helper()
		rows, err := w.Present(ctx, s.SessionID, s.HandoffID, by.UserID)
		require.NoError(t, err)
		return names(rows)
	}
	require.Empty(t, look(w.ben, snap))
	require.Equal(t, []string{"Ben"}, look(w.ana, snap))
	require.Equal(t, []string{"Ana"}, look(w.ben, snap), "to say it again is to stay")
	require.Empty(t, look(w.ben, other))
	all, err := w.Presence(ctx, w.ada.UserID)
	require.NoError(t, err)
	require.Equal(t, []string{"Ana", "Ben", "Ben"}, names(all))
	all, err = w.Presence(ctx, w.ben.UserID)
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, snap.HandoffID, all[0].HandoffID)

	before := len(w.events(t, w.sam.AccountID))
	require.NoError(t, w.Absent(ctx, snap.SessionID, snap.HandoffID, w.ben.UserID))
	require.NoError(t, w.Absent(ctx, snap.SessionID, snap.HandoffID, w.ben.UserID), "twice is as good")
	require.Equal(t, []string{"Ana"}, look(w.ada, snap))
	require.Len(t, w.events(t, w.sam.AccountID), before, "the feed does not hear of it")
}

// TestPresenceKeepsToItsAccount: nobody of another account sees or leaves a trace.
func TestPresenceKeepsToItsAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	snap := w.queued(t, w.sam, models.PriorityHigh, nil)
	_, err := w.Present(as(t, w.ana), snap.SessionID, snap.HandoffID, w.ana.UserID)
	require.NoError(t, err)
	_, err = w.Present(as(t, w.eve), snap.SessionID, snap.HandoffID, w.eve.UserID)
	require.Equal(t, models.CodeNotFound, models.CodeOf(err))
	_, err = w.Present(as(t, w.ana), w.session(t, w.sam).ID, snap.HandoffID, w.ana.UserID)
	require.Equal(t, models.CodeNotFound, models.CodeOf(err), "of another session")
	require.NoError(t, w.Absent(as(t, w.eve), snap.SessionID, snap.HandoffID, w.ana.UserID))
	all, err := w.Presence(as(t, w.eve), w.eve.UserID)
	require.NoError(t, err)
	require.Empty(t, all)
	all, err = w.Presence(as(t, w.ben), w.ben.UserID)
	require.NoError(t, err)
	require.Equal(t, []string{"Ana"}, names(all))
	_, err = w.Presence(t.Context(), w.ben.UserID)
	require.Equal(t, models.CodeInternal, models.CodeOf(err), "a forgotten account is loud")
}

func TestPresenceEndsByItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	snap := w.queued(t, w.sam, models.PriorityHigh, nil)
	ctx := as(t, w.ana)
	_, err := w.Present(ctx, snap.SessionID, snap.HandoffID, w.ana.UserID)
	require.NoError(t, err)
	n, err := w.PrunePresence(t.Context(), models.PresenceLasts)
	require.NoError(t, err)
	require.Zero(t, n)
	w.exec(t, `UPDATE handoff_presence SET seen_at = seen_at - interval '46 seconds'`)
	all, err := w.Presence(ctx, w.ben.UserID)
	require.NoError(t, err)
	require.Empty(t, all)
	n, err = w.PrunePresence(t.Context(), models.PresenceLasts)
	require.NoError(t, err)
	require.Equal(t, int64(1), n)
}

// TestATargetShows: until when something should be claimed is shown while it
// waits, and for no other generation.
func TestATargetShows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.sam)
	snap := w.queued(t, w.sam, models.PriorityHigh, nil)
	read := func() models.HandoffView {
		t.Helper()
		rows, _, err := w.Queue(as(t, w.ana), models.QueueFilter{Reader: w.ana.UserID}, models.Page{Limit: 10})
		require.NoError(t, err)
		h, err := w.Handoff(ctx, snap.SessionID, snap.HandoffID)
		require.NoError(t, err)
		for _, r := range rows {
			require.Equal(t, h.ClaimBy, r.ClaimBy)
		}
		return h
	}
	last := func() models.EventData {
		t.Helper()
		events := w.events(t, w.sam.AccountID)
		return decode(t, events[len(events)-1])
	}
	require.Nil(t, read().ClaimBy, "its ladder has not begun")
	require.Equal(t, snap.Last().At, last().QueuedAt.UTC())
	require.Nil(t, last().ClaimBy)

	by := time.Now().Add(30 * time.Minute).UTC().Truncate(time.Microsecond)
	l := ladderOf(snap, models.LadderCalling, "the whole team is told", &by)
	l.ClaimBy = &by
	require.NoError(t, w.RecordLadder(ctx, l))
	require.Equal(t, by, read().ClaimBy.UTC())
	require.Equal(t, by, last().ClaimBy.UTC())
	told := len(w.events(t, w.sam.AccountID))
	require.NoError(t, w.RecordLadder(ctx, l))
	require.Len(t, w.events(t, w.sam.AccountID), told, "nothing new")
	require.NoError(t, w.RecordEffect(ctx, models.Effect{HandoffID: snap.HandoffID, Kind: models.EffectPSA, State: models.EffectDone}))
	require.Equal(t, by, last().ClaimBy.UTC(), "every later event carries it")

	held := extend(t, snap, models.VerbClaim, w.ana, nil, "r1")
	require.NoError(t, w.project(ctx, held))
	require.Nil(t, read().ClaimBy)
	require.Nil(t, last().QueuedAt)
	released := extend(t, held, models.VerbRelease, w.ana, nil, "r2")
	require.NoError(t, w.project(ctx, released))
	require.Nil(t, read().ClaimBy, "that was of another generation")
	require.Nil(t, last().ClaimBy)
	require.Equal(t, released.Last().At, last().QueuedAt.UTC())
}

func decode(t *testing.T, e models.FeedEvent) (data models.EventData) {
	t.Helper()
	require.NoError(t, json.Unmarshal(e.Data, &data))
	return data
}
