package store_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/models"
)

func aConnection(by models.Principal) models.PSAConnection {
	return models.PSAConnection{
		Kind: "halopsa", Address: "https://acme.example", Options: json.RawMessage(`{"set_owner":true}`), Sealed: []byte("sealed"), KeyID: "k1",
		CredentialsSet: map[string]time.Time{"client_id": time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		CallbackHash:   by.UserID[:], UpdatedBy: by.UserID,
	}
}

func TestPSAConnections(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, there := as(t, w.sam), as(t, w.eve)
	_, err := w.PSAConnection(ctx)
	require.Equal(t, models.CodeNotFound, models.CodeOf(err))

	c := aConnection(w.sam)
	stored, err := w.SavePSAConnection(ctx, w.sam, c, 0, nil)
	require.NoError(t, err)
	require.EqualValues(t, 1, stored.Version)
	require.Equal(t, models.ConnectionUnknown, stored.State)
	require.Equal(t, c.CredentialsSet, stored.CredentialsSet)
	require.JSONEq(t, string(c.Options), string(stored.Options))
	require.Equal(t, w.sam.Name, *stored.UpdatedByName)
	_, err = w.SavePSAConnection(ctx, w.sam, c, 0, nil)
	require.Equal(t, models.CodeConflict, models.CodeOf(err), "two at once")

	changed, err := w.NotePSAConnection(ctx, models.ConnectionBroken, "It is refused.", "Enter the key again.")
	require.NoError(t, err)
	require.True(t, changed)
	changed, err = w.NotePSAConnection(ctx, models.ConnectionBroken, "It is refused.", "Enter the key again.")
	require.NoError(t, err)
	require.False(t, changed)
	changed, err = w.NotePSAConnection(there, models.ConnectionOK, "", "")
	require.NoError(t, err)
	require.False(t, changed, "another account's")
	broken, err := w.PSAConnection(ctx)
	require.NoError(t, err)
	require.Equal(t, "It is refused.", *broken.Reason)
	require.EqualValues(t, 1, broken.Version, "how it is doing is no change of it")

	stored, err = w.SavePSAConnection(ctx, w.sam, c, 1, nil)
	require.NoError(t, err)
	require.EqualValues(t, 2, stored.Version)
	require.Nil(t, stored.Reason)
	_, err = w.SavePSAConnection(ctx, w.sam, c, 1, nil)
	require.Equal(t, models.CodeConflict, models.CodeOf(err), "somebody was faster")

	found, err := w.PSAConnectionByCallback(t.Context(), c.CallbackHash)
	require.NoError(t, err)
	require.Equal(t, w.sam.AccountID, found.AccountID)
	_, err = w.PSAConnectionByCallback(t.Context(), []byte("unknown"))
	require.Equal(t, models.CodeNotFound, models.CodeOf(err))

	// Another account neither sees nor removes it, and may have its own.
	_, err = w.PSAConnection(there)
	require.Equal(t, models.CodeNotFound, models.CodeOf(err))
	require.Equal(t, models.CodeNotFound, models.CodeOf(w.DeletePSAConnection(there, w.eve)))
	_, err = w.SavePSAConnection(there, w.eve, aConnection(w.eve), 0, nil)
	require.NoError(t, err)

	rows, err := w.PSAConnectionsNotSealedWith(t.Context(), "k2", uuid.Nil, 10)
	require.NoError(t, err)
	require.Len(t, rows, 2)
	more, err := w.PSAConnectionsNotSealedWith(t.Context(), "k2", rows[0].AccountID, 10)
	require.NoError(t, err)
	require.Len(t, more, 1)
	done, err := w.ResealPSAConnection(t.Context(), rows[0], "k2", []byte("newly sealed"))
	require.NoError(t, err)
	require.True(t, done)
	done, err = w.ResealPSAConnection(t.Context(), rows[0], "k2", []byte("late"))
	require.NoError(t, err)
	require.False(t, done, "it was changed since it was read")

	require.NoError(t, w.DeletePSAConnection(ctx, w.sam))
	_, err = w.PSAConnection(ctx)
	require.Equal(t, models.CodeNotFound, models.CodeOf(err))
}

func (w *world) ticketed(t *testing.T, by models.Principal, reference string) models.Snapshot {
	t.Helper()
	s, err := w.CreateSession(as(t, by), by, models.NewSession{Title: "Printer", ClientName: "Larch Dental", PSATicket: &reference})
	require.NoError(t, err)
	snap := snapshot(w.prepared(t, by, s.ID, models.IntentEscalate, models.PriorityHigh, nil))
	require.NoError(t, w.project(as(t, by), snap))
	return snap
}

func TestTickets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.sam)
	snap := w.ticketed(t, w.sam, "# t2026.0001")
	w.ticketed(t, w.sam, "4711")
	w.ticketed(t, w.eve, "4711")
	w.queued(t, w.sam, models.PriorityHigh, nil) // without a ticket

	all, err := w.TicketedHandoffs(ctx, uuid.Nil, 10)
	require.NoError(t, err)
	require.Len(t, all, 2)
	rest, err := w.TicketedHandoffs(ctx, all[0].HandoffID, 10)
	require.NoError(t, err)
	require.Equal(t, all[1:], rest)
	found, err := w.HandoffsOfTicket(ctx, "99", "T2026.0001")
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, snap.HandoffID, found[0].HandoffID)
	require.False(t, found[0].SeenOpen)
	found, err = w.HandoffsOfTicket(ctx, "99")
	require.NoError(t, err)
	require.Empty(t, found, "nobody has called it so yet")

	at, owner := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "Ana"
	note := models.HandoffTicket{HandoffID: snap.HandoffID, TicketID: "99", Status: "New", Owner: &owner, NotedAt: at}
	told := len(w.events(t, w.sam.AccountID))
	changed, err := w.NoteTicket(ctx, note)
	require.NoError(t, err)
	require.True(t, changed)
	events := w.events(t, w.sam.AccountID)
	require.Len(t, events, told+1)
	require.Contains(t, string(events[told].Data), `"ticket":{"status":"New","closed":false,"owner":"Ana"}`)
	found, err = w.HandoffsOfTicket(ctx, "99")
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.True(t, found[0].SeenOpen)

	again := note
	again.NotedAt = at.Add(time.Minute)
	changed, err = w.NoteTicket(ctx, again)
	require.NoError(t, err)
	require.False(t, changed, "that is known")
	late := note
	late.Status, late.NotedAt = "Waiting", at.Add(-time.Minute)
	changed, err = w.NoteTicket(ctx, late)
	require.NoError(t, err)
	require.False(t, changed, "said before what is known")
	note.Status, note.Closed, note.Owner, note.NotedAt = "Closed", true, nil, at.Add(time.Hour)
	changed, err = w.NoteTicket(ctx, note)
	require.NoError(t, err)
	require.True(t, changed)
	view, err := w.Handoff(ctx, snap.SessionID, snap.HandoffID)
	require.NoError(t, err)
	note.AccountID, note.SeenOpen, view.Ticket.NotedAt = w.sam.AccountID, true, view.Ticket.NotedAt.UTC()
	require.Equal(t, note, *view.Ticket)
	require.Len(t, w.events(t, w.sam.AccountID), told+2)

	_, err = w.NoteTicket(as(t, w.eve), note)
	require.Equal(t, models.CodeNotFound, models.CodeOf(err), "another account's handoff")
	require.NoError(t, w.project(ctx, extend(t, snap, models.VerbCancel, w.sam, nil, "r")))
	found, err = w.HandoffsOfTicket(ctx, "99")
	require.NoError(t, err)
	require.Empty(t, found, "it is not open any more")
}
