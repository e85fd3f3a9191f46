package testenv

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/baton-handoff/baton/internal/devstack"
)

// envRole makes the test program one that a test runs as a process of its own.
const envRole = "BATON_TESTENV_TEST_ROLE"

func TestMain(m *testing.M) { Main(m) }

func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func count(t testing.TB, conn *pgx.Conn, sql string, args ...any) (n int) {
	t.Helper()
	require.NoError(t, conn.QueryRow(t.Context(), sql, args...).Scan(&n))
	return n
}

const ourTables = `SELECT count(*) FROM pg_class WHERE relname IN ('one', 'shared')`

func TestEachTestHasItsDatabase(t *testing.T) {
	t.Parallel()
	first, second := connect(t, Postgres(t)), connect(t, Postgres(t))
	_, err := first.Exec(t.Context(), `CREATE TABLE one ()`)
	require.NoError(t, err)
	require.Equal(t, 1, count(t, first, ourTables))
	require.Zero(t, count(t, second, ourTables))
}

func TestDatabaseIsDropped(t *testing.T) {
	t.Parallel()
	admin := connect(t, Postgres(t))
	var url string
	var forgotten *pgx.Conn
	t.Run("user", func(t *testing.T) {
		url = Postgres(t)
		var err error
		forgotten, err = pgx.Connect(t.Context(), url)
		require.NoError(t, err)
	})
	require.Zero(t, count(t, admin, `SELECT count(*) FROM pg_database WHERE datname = $1`, databaseOf(t, url)))
	require.Error(t, forgotten.Ping(t.Context()), "ended by force")
	_, err := pgx.Connect(t.Context(), url)
	require.Error(t, err)
}

func databaseOf(t testing.TB, url string) string {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	require.NoError(t, err)
	return config.Database
}

func TestTemplateIsPreparedOnce(t *testing.T) {
	t.Parallel()
	var prepared atomic.Int32
	prepare := func(ctx context.Context, url string) error {
		prepared.Add(1)
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return err
		}
		_, err = conn.Exec(ctx, `CREATE TABLE shared AS SELECT 1 AS n`)
		return errors.Join(err, conn.Close(ctx))
	}
	name := rand.Text() // with -count=2 a second run of this test is in the same process
	urls := make([]string, 6)
	var wg sync.WaitGroup
	for i := range urls {
		wg.Go(func() { urls[i] = PostgresTemplate(t, name, prepare) })
	}
	wg.Wait()
	require.EqualValues(t, 1, prepared.Load())
	for _, url := range urls {
		conn := connect(t, url)
		require.Equal(t, 1, count(t, conn, `SELECT count(*) FROM shared`))
		_, err := conn.Exec(t.Context(), `DELETE FROM shared`)
		require.NoError(t, err)
	}

	empty := PostgresTemplate(t, "another", func(context.Context, string) error { return nil })
	require.Zero(t, count(t, connect(t, empty), ourTables))
}

func nothing(workflow.Context) error { return nil }

func TestEachTestHasItsNamespace(t *testing.T) {
	t.Parallel()
	address, namespace := Temporal(t)
	_, other := Temporal(t)
	require.NotEqual(t, namespace, other)

	c, err := client.DialContext(t.Context(), client.Options{HostPort: address, Namespace: namespace})
	require.NoError(t, err)
	defer c.Close()
	w := worker.New(c, "queue", worker.Options{})
	w.RegisterWorkflow(nothing)
	require.NoError(t, w.Start())
	defer w.Stop()
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: "queue"}, nothing)
	require.NoError(t, err, "right after the namespace was registered")
	require.NoError(t, run.Get(t.Context(), nil))
}

func TestStack(t *testing.T) {
	t.Parallel()
	s := Stack(t)
	require.NoError(t, s.Postgres().Kill())
	_, err := pgx.Connect(t.Context(), s.DatabaseURL)
	require.Error(t, err)
	require.NoError(t, s.Postgres().Restart(t.Context()))
	connect(t, s.DatabaseURL)
}

// TestRole is not a test but what the tests below run in other processes.
func TestRole(t *testing.T) {
	switch os.Getenv(envRole) {
	case "":
		t.Skip("only for other tests")
	case "use":
		url := Postgres(t)
		template := PostgresTemplate(t, "used", func(context.Context, string) error { return nil })
		address, namespace := Temporal(t)
		fmt.Fprintln(os.Stdout, "used", databaseOf(t, url), databaseOf(t, template), address, namespace)
	case "panic":
		fmt.Fprintln(os.Stdout, "used", databaseOf(t, Postgres(t)))
		panic("a bug")
	case "die":
		fmt.Fprintln(os.Stdout, "used", databaseOf(t, Postgres(t)))
		Temporal(t)
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "fail":
		fmt.Fprintln(os.Stdout, "used", databaseOf(t, Postgres(t)))
		t.Fatal("a failed test")
	case "leak":
		Postgres(t)
		go func() { select {} }()
	}
}

// role runs TestRole in a process of its own, returns the words that it printed
// after "used", and everything, and how it ended.
func role(t *testing.T, name string, env ...string) (used []string, output string, err error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRole$")
	command.Env = append(append(os.Environ(), envRole+"="+name), env...)
	text, err := command.CombinedOutput()
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) > 0 && words[0] == "used" {
			used = words[1:]
		}
	}
	return used, string(text), err
}

// server starts a server for other processes to use, and the variables that
// name it.
func server(t *testing.T) (*devstack.Stack, []string) {
	t.Helper()
	s := Stack(t)
	return s, []string{
		devstack.EnvDatabaseURL + "=" + s.DatabaseURL,
		devstack.EnvTemporalAddress + "=" + s.TemporalAddress,
		devstack.EnvThrowaway + "=",
	}
}

const ourDatabases = `SELECT count(*) FROM pg_database WHERE starts_with(datname, 'baton_test_')`

func TestServersThatAreNamed(t *testing.T) {
	t.Parallel()
	s, env := server(t)
	admin := connect(t, s.DatabaseURL)

	used, output, err := role(t, "use", env...)
	require.NoError(t, err, output)
	require.Len(t, used, 4, output)
	require.Equal(t, s.TemporalAddress, used[2])
	require.Zero(t, count(t, admin, ourDatabases))
	c, err := client.DialContext(t.Context(), client.Options{HostPort: s.TemporalAddress})
	require.NoError(t, err)
	defer c.Close()
	_, err = c.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: used[3]})
	require.Error(t, err, "deleted with its test")

	// A failed test cleans up, and so does one that panics. A process that is
	// killed cannot, and the next one does.
	_, output, err = role(t, "fail", env...)
	require.Error(t, err)
	require.Contains(t, output, "a failed test")
	require.Zero(t, count(t, admin, ourDatabases))
	_, output, err = role(t, "panic", env...)
	require.Error(t, err)
	require.Contains(t, output, "a bug")
	require.Zero(t, count(t, admin, ourDatabases))
	used, output, err = role(t, "die", env...)
	require.Error(t, err)
	require.Len(t, used, 1, output)
	require.Equal(t, 1, count(t, admin, ourDatabases))
	require.Eventually(t, func() bool {
		return count(t, admin, `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'`) == 0
	}, 30*time.Second, 20*time.Millisecond, "the server notices")
	_, output, err = role(t, "use", env...)
	require.NoError(t, err, output)
	require.Zero(t, count(t, admin, ourDatabases))
}

func TestLeaksAreFound(t *testing.T) {
	t.Parallel()
	s, env := server(t)
	_, output, err := role(t, "leak", env...)
	require.Error(t, err)
	require.Contains(t, output, "goroutines leaked")
	require.Zero(t, count(t, connect(t, s.DatabaseURL), ourDatabases))
}

// TestNothingStaysBehind looks for the servers and directories of a process
// that is killed before it can stop them.
func TestNothingStaysBehind(t *testing.T) {
	t.Parallel()
	temp := t.TempDir()
	for parent := temp; parent != os.TempDir() && parent != "/"; parent = parent[:strings.LastIndexByte(parent, '/')] {
		require.NoError(t, os.Chmod(parent, 0o755))
	}
	env := []string{"TMPDIR=" + temp, devstack.EnvDatabaseURL + "=", devstack.EnvTemporalAddress + "="}
	used, output, err := role(t, "die", env...)
	require.Error(t, err)
	require.Len(t, used, 1, output)
	require.Eventually(t, func() bool { return !commandRuns(t, temp) }, 30*time.Second, 20*time.Millisecond, "the kernel ends its servers")
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Len(t, left, 2, "the directories of two servers, which it could not remove")

	_, output, err = role(t, "use", env...)
	require.NoError(t, err, output)
	left, err = os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left, "the next process removes it")
}

// commandRuns reports whether a process has text in its command line.
func commandRuns(t *testing.T, text string) bool {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, file := range files {
		if line, err := os.ReadFile(file); err == nil && strings.Contains(string(line), text) {
			return true
		}
	}
	return false
}

func TestNamedServerMustBeAURL(t *testing.T) {
	t.Parallel()
	_, output, err := role(t, "use", devstack.EnvDatabaseURL+"=host=localhost")
	require.Error(t, err)
	require.Contains(t, output, "TEST_DATABASE_URL is not a URL like postgres://")
}
