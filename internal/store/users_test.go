package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/models"
)

func TestColleagues(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.ChangeUser(as(t, w.ana), models.Operator(w.ana.AccountID), w.ben.UserID, models.UserChange{Disabled: new(true)})
	require.NoError(t, err)
	rows, err := w.Colleagues(as(t, w.ana))
	require.NoError(t, err)
	names := make([]string, len(rows))
	for i, r := range rows {
		names[i] = r.Name
		require.NotEqual(t, w.ben.UserID, r.ID, "who is disabled is nobody to hand off to")
		require.NotEqual(t, w.eve.UserID, r.ID, "nor is somebody of another account")
	}
	require.Contains(t, names, w.ana.Name)
	require.IsNonDecreasing(t, names)
}
