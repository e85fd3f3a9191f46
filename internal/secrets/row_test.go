package secrets_test

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/secrets"
	"github.com/baton-handoff/baton/models"
)

// table is rows in memory, and how many Next reads at most.
type table struct {
	rows []secrets.Row
	page int
	// changed is a row that somebody sets before it is sealed anew.
	changed uuid.UUID
}

func (t *table) rotation() secrets.Rotation[secrets.Row] {
	return secrets.Rotation[secrets.Row]{
		Next: func(_ context.Context, keyID string, after uuid.UUID, limit int) (page []secrets.Row, err error) {
			for _, r := range t.rows {
				if len(page) < min(limit, t.page) && r.Sealed.KeyID != keyID && bytes.Compare(r.ID[:], after[:]) > 0 {
					page = append(page, r)
				}
			}
			return page, nil
		},
		Row: func(r secrets.Row) secrets.Row { return r },
		Reseal: func(_ context.Context, r secrets.Row, keyID string, sealed []byte) (bool, error) {
			if r.ID == t.changed {
				return false, nil
			}
			i := slices.IndexFunc(t.rows, func(at secrets.Row) bool { return at.ID == r.ID })
			t.rows[i].Sealed = secrets.Sealed{KeyID: keyID, Data: sealed}
			return true, nil
		},
	}
}

func TestRotate(t *testing.T) {
	t.Parallel()
	lost, old, fresh := secrets.NewKey(), secrets.NewKey(), secrets.NewKey()
	rows := &table{page: 2}
	for i, key := range []string{old, lost, old, fresh, old} {
		r := secrets.Row{ID: uuid.UUID{byte(i + 1)}, Account: here, Purpose: "psa"}
		var err error
		r.Sealed, err = box(t, key).SealJSON(r, map[string]int{"row": i})
		require.NoError(t, err)
		rows.rows = append(rows.rows, r)
	}
	rows.changed = rows.rows[2].ID
	failed := 0
	count := func(account uuid.UUID, err error) {
		failed++
		require.Equal(t, here, account)
		require.ErrorIs(t, err, secrets.ErrUnknownKey)
	}
	done, err := rows.rotation().Rotate(t.Context(), box(t, fresh+","+old), count)
	require.NoError(t, err)
	require.Equal(t, 2, done)
	require.Equal(t, 1, failed)
	for i, r := range rows.rows {
		var v map[string]int
		err := box(t, fresh).OpenJSON(r, &v)
		if i == 1 || i == 2 {
			require.ErrorIs(t, err, secrets.ErrUnknownKey, "row %d", i)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, i, v["row"])
	}
	_, err = rows.rotation().Rotate(t.Context(), box(t, ""), count)
	require.ErrorIs(t, err, secrets.ErrNoKey)
}

func TestWhatIsSealedIsJSON(t *testing.T) {
	t.Parallel()
	b := box(t, secrets.NewKey())
	r := secrets.Row{Account: here, Purpose: "psa"}
	_, err := box(t, "").SealJSON(r, "x")
	require.ErrorIs(t, err, secrets.ErrNoKey)
	require.Equal(t, models.CodeUnavailable, models.CodeOf(err))

	r.Sealed, err = b.SealJSON(r, "hunter2")
	require.NoError(t, err)
	moved := r
	moved.Purpose = "mail"
	var v string
	require.ErrorIs(t, b.OpenJSON(moved, &v), secrets.ErrNotAuthentic)
	require.NoError(t, b.OpenJSON(r, &v))
	require.Equal(t, "hunter2", v)
	var n int
	err = b.OpenJSON(r, &n)
	require.Error(t, err)
	require.NotContains(t, err.Error(), "hunter2")
}
