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
	stored, err := w.SavePSAConnection(ctx, c, 0)
	require.NoError(t, err)
	require.EqualValues(t, 1, stored.Version)
	require.Equal(t, models.ConnectionUnknown, stored.State)
	require.Equal(t, c.CredentialsSet, stored.CredentialsSet)
	require.JSONEq(t, string(c.Options), string(stored.Options))
	require.Equal(t, w.sam.Name, *stored.UpdatedByName)
	_, err = w.SavePSAConnection(ctx, c, 0)
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

	stored, err = w.SavePSAConnection(ctx, c, 1)
	require.NoError(t, err)
	require.EqualValues(t, 2, stored.Version)
	require.Nil(t, stored.Reason)
	_, err = w.SavePSAConnection(ctx, c, 1)
	require.Equal(t, models.CodeConflict, models.CodeOf(err), "somebody was faster")

	found, err := w.PSAConnectionByCallback(t.Context(), c.CallbackHash)
	require.NoError(t, err)
	require.Equal(t, w.sam.AccountID, found.AccountID)
	_, err = w.PSAConnectionByCallback(t.Context(), []byte("unknown"))
	require.Equal(t, models.CodeNotFound, models.CodeOf(err))

	// Another account neither sees nor removes it, and may have its own.
	_, err = w.PSAConnection(there)
	require.Equal(t, models.CodeNotFound, models.CodeOf(err))
	require.Equal(t, models.CodeNotFound, models.CodeOf(w.DeletePSAConnection(there)))
	_, err = w.SavePSAConnection(there, aConnection(w.eve), 0)
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

	require.NoError(t, w.DeletePSAConnection(ctx))
	_, err = w.PSAConnection(ctx)
	require.Equal(t, models.CodeNotFound, models.CodeOf(err))
}
