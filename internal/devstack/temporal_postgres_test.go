package devstack

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
)

func TestTemporalOnPostgres(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{temporalServerName, temporalSQLToolName} {
		if _, err := findTool(tool); err != nil {
			t.Skip(err) // `make test` does not build them: they are for `make bench`
		}
	}
	s := start(t, Options{Persistent: true, TemporalOnPostgres: true})
	c := temporalClient(t, s.TemporalAddress)
	startWorkflow(t, c, "kept", client.StartWorkflowOptions{})
	require.NoError(t, s.Temporal().Kill())
	require.NoError(t, s.Temporal().Restart(t.Context()))
	requireRunning(t, temporalClient(t, s.TemporalAddress), "kept")
}

func TestTemporalOnPostgresNeedsItsPrograms(t *testing.T) {
	checkout(t)
	t.Setenv("PATH", t.TempDir())
	_, err := findTool(temporalServerName)
	require.ErrorContains(t, err, "make bin/temporal-server")
}
