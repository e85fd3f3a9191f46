package devstack

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

func temporalClient(t *testing.T, address string) client.Client {
	t.Helper()
	c, err := dialTemporal(address)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func startWorkflow(t *testing.T, c client.Client, id string, o client.StartWorkflowOptions) {
	t.Helper()
	o.ID, o.TaskQueue = id, "nobody-polls"
	_, err := c.ExecuteWorkflow(t.Context(), o, "Nothing")
	require.NoError(t, err)
}

func requireRunning(t *testing.T, c client.Client, id string) {
	t.Helper()
	description, err := c.DescribeWorkflowExecution(t.Context(), id, "")
	require.NoError(t, err)
	require.Equal(t, enums.WORKFLOW_EXECUTION_STATUS_RUNNING, description.WorkflowExecutionInfo.Status)
}

func TestPersistentDataSurviveStop(t *testing.T) {
	t.Parallel()
	options := Options{
		Dir:              serverDir(t),
		Persistent:       true,
		SearchAttributes: map[string]string{"BatonTeam": "Keyword", "BatonVersion": "Int"},
	}

	first, err := Start(t.Context(), options)
	require.NoError(t, err)
	execute(t, connect(t, first.DatabaseURL), `CREATE TABLE kept AS SELECT 42 AS answer`)
	c := temporalClient(t, first.TemporalAddress)
	startWorkflow(t, c, "kept", client.StartWorkflowOptions{
		TypedSearchAttributes: temporal.NewSearchAttributes(
			temporal.NewSearchAttributeKeyKeyword("BatonTeam").ValueSet("network"),
			temporal.NewSearchAttributeKeyInt64("BatonVersion").ValueSet(3),
		),
	})
	response, err := http.Get(first.TemporalUIURL)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
	http.DefaultClient.CloseIdleConnections()
	pids := []int{first.Postgres().PID(), first.Temporal().PID()}
	require.NotContains(t, pids, 0)
	require.NoError(t, first.Stop(t.Context()))
	require.NoError(t, first.Stop(t.Context()), "a second Stop does nothing")
	for _, pid := range pids {
		requireGone(t, pid)
	}
	require.Zero(t, first.Postgres().PID())

	// Data that are thrown away, in the same directory, leave them alone.
	thrown := options
	thrown.Persistent, thrown.SkipTemporal = false, true
	between, err := Start(t.Context(), thrown)
	require.NoError(t, err)
	require.Zero(t, query[int](t, connect(t, between.DatabaseURL), `SELECT count(*) FROM pg_class WHERE relname = 'kept'`))
	require.NoError(t, between.Stop(t.Context()))

	second := start(t, options)
	conn := connect(t, second.DatabaseURL)
	require.Equal(t, 42, query[int](t, conn, `SELECT answer FROM kept`))
	require.Equal(t, "on", query[string](t, conn, `SHOW fsync`))
	c = temporalClient(t, second.TemporalAddress)
	requireRunning(t, c, "kept")
	description, err := c.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: "default"})
	require.NoError(t, err)
	require.Equal(t, keptRetention, description.Config.WorkflowExecutionRetentionTtl.AsDuration())
}

func TestThrowAwayDataAreThrownAway(t *testing.T) {
	t.Parallel()
	options := Options{Dir: serverDir(t), SkipTemporal: true}

	first, err := Start(t.Context(), options)
	require.NoError(t, err)
	conn := connect(t, first.DatabaseURL)
	execute(t, conn, `CREATE TABLE kept ()`)
	for setting, want := range map[string]string{
		"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off",
		"max_connections": "300", "server_encoding": "UTF8", "TimeZone": "UTC",
		"listen_addresses": "127.0.0.1", "unix_socket_directories": "",
	} {
		require.Equal(t, want, query[string](t, conn, `SHOW `+setting), setting)
	}
	require.Equal(t, "ÄÖ", query[string](t, conn, `SELECT upper('äö')`))
	require.True(t, query[bool](t, conn, `SELECT rolsuper FROM pg_roles WHERE rolname = current_user`))
	require.NoError(t, first.Stop(t.Context()))
	require.NoDirExists(t, filepath.Join(options.Dir, throwawayName))
	require.FileExists(t, filepath.Join(options.Dir, postgresLogName))

	second := start(t, options)
	require.Zero(t, query[int](t, connect(t, second.DatabaseURL), `SELECT count(*) FROM pg_class WHERE relname = 'kept'`))
}

func TestTemporaryDirectoryIsRemoved(t *testing.T) {
	t.Parallel()
	s, err := Start(t.Context(), Options{UIPort: -1})
	require.NoError(t, err)
	require.DirExists(t, s.Dir)
	require.Empty(t, s.TemporalUIURL)
	require.NoError(t, s.Stop(t.Context()))
	require.NoDirExists(t, s.Dir)
}

func TestOneStackPerDirectory(t *testing.T) {
	t.Parallel()
	options := Options{Dir: serverDir(t), SkipPostgres: true, SkipTemporal: true}
	first, err := Start(t.Context(), options)
	require.NoError(t, err)

	_, err = Start(t.Context(), options)
	require.ErrorIs(t, err, ErrInUse)
	require.ErrorContains(t, err, "process "+strconv.Itoa(os.Getpid()))
	require.ErrorIs(t, Remove(t.Context(), options.Dir), ErrInUse)

	require.NoError(t, first.Stop(t.Context()))
	second, err := Start(t.Context(), options)
	require.NoError(t, err)
	require.NoError(t, second.Stop(t.Context()))
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	port := listener.Addr().(*net.TCPAddr).Port

	options := Options{Dir: serverDir(t), TemporalPort: port, SkipPostgres: true}
	_, err = Start(t.Context(), options)
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	require.ErrorContains(t, err, "port "+strconv.Itoa(port)+" is not free")

	lock, err := lockDir(options.Dir)
	require.NoError(t, err, "a failed Start gives the directory free")
	require.NoError(t, lock.release())
}

func TestCancelledStart(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := serverDir(t)
	_, err := Start(ctx, Options{Dir: dir, SkipTemporal: true})
	require.ErrorIs(t, err, context.Canceled)
	require.NoDirExists(t, filepath.Join(dir, throwawayName))
}

func TestFailedTellsOfAnUnexpectedEnd(t *testing.T) {
	t.Parallel()
	s := start(t, Options{SkipPostgres: true, UIPort: -1})
	require.NoError(t, syscall.Kill(s.Temporal().PID(), syscall.SIGKILL))
	select {
	case err := <-s.Failed():
		require.ErrorContains(t, err, "Temporal ended by itself: signal: killed")
	case <-time.After(within):
		t.Fatal("nothing was reported")
	}
	require.Error(t, s.Temporal().Kill(), "it does not run")
	require.NoError(t, s.Temporal().Restart(t.Context()))
	requireReachable(t, s)
}

// requireReachable asks each server of s for something.
func requireReachable(t *testing.T, s *Stack) {
	t.Helper()
	if s.DatabaseURL != "" {
		require.NoError(t, ping(t.Context(), s.DatabaseURL))
	}
	if s.TemporalAddress != "" {
		require.NoError(t, temporalReady(t.Context(), s.TemporalAddress, 0))
	}
}

// TestStartOnDataThatDoNotFit spoils the data of a stack in several ways.
func TestStartOnDataThatDoNotFit(t *testing.T) {
	t.Parallel()
	options := Options{Dir: serverDir(t), Persistent: true, UIPort: -1}
	s, err := Start(t.Context(), options)
	require.NoError(t, err)
	require.NoError(t, s.Stop(t.Context()))
	data := filepath.Join(options.Dir, postgresDirName)

	t.Run("setting", func(t *testing.T) {
		replace(t, filepath.Join(data, "postgresql.conf"), "no_such_setting = 1\n")
		_, err := Start(t.Context(), options)
		require.ErrorContains(t, err, "PostgreSQL ended by itself: exit status 1")
		require.ErrorContains(t, err, `unrecognized configuration parameter "no_such_setting"`)
		require.NoFileExists(t, filepath.Join(options.Dir, temporalPIDName), "Temporal has been stopped")
	})
	options.SkipTemporal = true
	t.Run("version", func(t *testing.T) {
		replace(t, filepath.Join(data, versionFile), "9999\n")
		_, err := Start(t.Context(), options)
		require.ErrorContains(t, err, "the data in "+data+" are PostgreSQL 9999's, but only ")
		require.NotContains(t, err.Error(), "\n")
	})
	t.Run("no version", func(t *testing.T) {
		replace(t, filepath.Join(data, versionFile), "?\n")
		_, err := Start(t.Context(), options)
		require.ErrorContains(t, err, "does not contain a version: remove "+data+" to start over")
	})
	t.Run("owner cannot reach them", func(t *testing.T) {
		requireRoot(t)
		parent := filepath.Dir(options.Dir)
		require.NoError(t, os.Chmod(parent, 0o700))
		_, err := Start(t.Context(), options)
		require.ErrorContains(t, err, "cannot reach "+data)
		require.NoError(t, os.Chmod(parent, 0o755))
	})
	password := filepath.Join(options.Dir, passwordName)
	t.Run("password", func(t *testing.T) {
		info, err := os.Stat(password)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode())
		replace(t, password, "another\n")
		_, err = Start(t.Context(), options)
		require.ErrorContains(t, err, "refuses the password")
	})
	t.Run("no password", func(t *testing.T) {
		require.NoError(t, os.Remove(password))
		_, err := Start(t.Context(), options)
		require.ErrorContains(t, err, "is missing")
	})
	require.NoError(t, Remove(t.Context(), options.Dir))
	require.NoDirExists(t, options.Dir)
}

// replace changes what is in a file until the test ends.
func replace(t *testing.T, path, text string) {
	t.Helper()
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, []byte(text), 0))
	t.Cleanup(func() { require.NoError(t, os.WriteFile(path, before, 0)) })
}
