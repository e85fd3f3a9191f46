package devstack

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
)

func TestKillAndRestartPostgres(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Persistent: true, SkipTemporal: true})
	conn := connect(t, s.DatabaseURL)
	execute(t, conn, `CREATE TABLE kept AS SELECT 42 AS answer`)
	backend := query[int](t, conn, `SELECT pg_backend_pid()`)
	before := s.Postgres().PID()

	execute(t, conn, `UPDATE kept SET answer = 43`)
	require.NoError(t, s.Postgres().Kill())
	require.Zero(t, s.Postgres().PID())
	requireGone(t, before)
	requireGone(t, backend)
	require.Error(t, conn.Ping(t.Context()))
	require.Error(t, ping(t.Context(), s.DatabaseURL))
	require.ErrorContains(t, s.Postgres().Pause(), "does not run")
	require.ErrorContains(t, s.Postgres().Resume(), "does not run")
	require.ErrorContains(t, s.Postgres().Kill(), "does not run")
	require.NoError(t, s.Postgres().Stop(t.Context()))

	require.NoError(t, s.Postgres().Restart(t.Context()))
	require.NotEqual(t, before, s.Postgres().PID())
	require.Equal(t, 43, query[int](t, connect(t, s.DatabaseURL), `SELECT answer FROM kept`))

	// Running: stops gracefully first.
	require.NoError(t, s.Postgres().Restart(t.Context()))
	require.Equal(t, 43, query[int](t, connect(t, s.DatabaseURL), `SELECT answer FROM kept`))
	require.Empty(t, s.Failed())
}

func TestKillAndRestartTemporal(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Persistent: true, SkipPostgres: true, UIPort: -1})
	c := temporalClient(t, s.TemporalAddress)
	startWorkflow(t, c, "kept", client.StartWorkflowOptions{})
	require.NoError(t, s.Temporal().Kill())
	require.NoError(t, s.Temporal().Restart(t.Context()))
	requireRunning(t, temporalClient(t, s.TemporalAddress), "kept")
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	s := start(t, Options{UIPort: -1})
	conn := connect(t, s.DatabaseURL)
	for name, part := range map[string]struct {
		process *Process
		ask     func(context.Context) error
	}{
		"PostgreSQL, open connection": {s.Postgres(), conn.Ping},
		"PostgreSQL, new connection":  {s.Postgres(), func(ctx context.Context) error { return ping(ctx, s.DatabaseURL) }},
		"Temporal":                    {s.Temporal(), func(ctx context.Context) error { return temporalReady(ctx, s.TemporalAddress, 0) }},
	} {
		require.NoError(t, part.process.Pause(), name)
		answer := make(chan error, 1)
		go func() { answer <- part.ask(context.Background()) }()
		requirePaused(t, part.process.PID())
		select {
		case err := <-answer:
			t.Fatalf("%s answers while it is paused: %v", name, err)
		default:
		}
		require.NoError(t, part.process.Resume(), name)
		require.NoError(t, <-answer, name)
	}
	// Stop of the cleanup has to get through to a paused one as well.
	require.NoError(t, s.Postgres().Pause())
}

// requirePaused waits until the kernel has stopped a process and its children.
func requirePaused(t *testing.T, pid int) {
	t.Helper()
	pids, err := children(pid)
	require.NoError(t, err)
	for _, pid := range append(pids, pid) {
		require.Eventually(t, func() bool {
			status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
			// A child that ended just before stays a zombie: its parent is stopped.
			return os.IsNotExist(err) || strings.Contains(string(status), "\nState:\tT") || strings.Contains(string(status), "\nState:\tZ")
		}, within, every)
	}
}

// TestParentIsKilled runs a stack in a process of its own and kills that: the
// servers must end, the directory must be free, and the data must be there.
func TestParentIsKilled(t *testing.T) {
	t.Parallel()
	dir := serverDir(t)
	helper := exec.Command(os.Args[0])
	helper.Env = append(os.Environ(), envHelper+"=stack", envDir+"="+dir)
	stdin, err := helper.StdinPipe()
	require.NoError(t, err)
	defer stdin.Close()
	stdout, err := helper.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, helper.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	words := strings.Fields(line)
	require.Len(t, words, 3, line)
	execute(t, connect(t, words[0]), `CREATE TABLE kept AS SELECT 42 AS answer`)

	require.NoError(t, helper.Process.Kill())
	require.Error(t, helper.Wait())
	// At once: what has not ended yet is waited for.
	s := start(t, Options{Dir: dir, Persistent: true, UIPort: -1})
	require.Equal(t, 42, query[int](t, connect(t, s.DatabaseURL), `SELECT answer FROM kept`))
	requireGone(t, atoi(t, words[1]))
	requireGone(t, atoi(t, words[2]))
}

// TestServersThatOutliveTheirStack is what happens where the kernel tells
// nobody that a parent is gone.
func TestServersThatOutliveTheirStack(t *testing.T) {
	t.Parallel()
	options := Options{Dir: serverDir(t), Persistent: true, UIPort: -1}
	first, err := Start(t.Context(), options)
	require.NoError(t, err)
	execute(t, connect(t, first.DatabaseURL), `CREATE TABLE kept AS SELECT 42 AS answer`)
	pids := []int{first.Postgres().PID(), first.Temporal().PID()}
	require.NoError(t, first.lock.release())

	second := start(t, options)
	for _, pid := range pids {
		requireGone(t, pid)
	}
	require.Equal(t, 42, query[int](t, connect(t, second.DatabaseURL), `SELECT answer FROM kept`))
	requireReachable(t, second)
}

func TestStalePIDFile(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Persistent: true, SkipTemporal: true})
	require.NoError(t, s.Postgres().Kill())
	pidFile := filepath.Join(s.place.data(), postgresDirName, "postmaster.pid")
	require.FileExists(t, pidFile)
	text, err := os.ReadFile(pidFile)
	require.NoError(t, err)
	// The number now belongs to somebody else, who runs and must go on running.
	_, rest, _ := strings.Cut(string(text), "\n")
	require.NoError(t, os.WriteFile(pidFile, []byte(strconv.Itoa(os.Getpid())+"\n"+rest), 0o600))
	require.NoError(t, s.Postgres().Restart(t.Context()))
	requireReachable(t, s)
}

func TestRemoveEndsWhatRuns(t *testing.T) {
	t.Parallel()
	options := Options{Dir: serverDir(t), UIPort: -1}
	s, err := Start(t.Context(), options)
	require.NoError(t, err)
	pids := []int{s.Postgres().PID(), s.Temporal().PID()}
	require.NoError(t, s.lock.release())

	require.NoError(t, Remove(t.Context(), options.Dir))
	for _, pid := range pids {
		requireGone(t, pid)
	}
	require.NoDirExists(t, options.Dir)
	require.NoError(t, Remove(t.Context(), options.Dir), "there is none")
}

func TestSweepRemovesAbandonedDirectoriesOnly(t *testing.T) {
	t.Parallel()
	abandoned, lock, err := openTemporary(false)
	require.NoError(t, err)
	require.NoError(t, lock.release())
	used, lock, err := openTemporary(false)
	require.NoError(t, err)
	unlocked, err := os.MkdirTemp("", tempPattern)
	require.NoError(t, err)
	old, err := os.MkdirTemp("", tempPattern)
	require.NoError(t, err)
	yesterday := time.Now().Add(-24 * time.Hour)
	require.NoError(t, os.Chtimes(old, yesterday, yesterday))

	sweep(t.Context())
	require.NoDirExists(t, abandoned.dir)
	require.DirExists(t, used.dir)
	require.DirExists(t, unlocked, "may be about to be locked")
	require.NoDirExists(t, old)

	require.NoError(t, used.discard())
	require.NoError(t, lock.release())
	require.NoError(t, os.Remove(unlocked))
}
