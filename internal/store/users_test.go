package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestColleagues(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.NoError(t, w.SetUser(as(t, w.ana), w.ben.UserID, nil, new(true)))
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
