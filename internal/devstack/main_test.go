package devstack

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// The test program is also the programs that the tests need: one that keeps a
// stack running until it is killed, and the command of an Exec.
const (
	envHelper = "BATON_DEVSTACK_TEST_HELPER"
	envDir    = "BATON_DEVSTACK_TEST_DIR"
)

func TestMain(m *testing.M) {
	switch os.Getenv(envHelper) {
	case "":
		goleak.VerifyTestMain(m)
	case "stack":
		os.Exit(keepStack(os.Getenv(envDir)))
	case "exec":
		code, err := Exec(context.Background(), Options{SkipTemporal: true}, os.Args[1:])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(code)
	case "wait":
		os.Exit(awaitSignal())
	}
}

// keepStack runs a stack until standard input ends, which it never does well:
// the stack is not stopped.
func keepStack(dir string) int {
	s, err := Start(context.Background(), Options{Dir: dir, Persistent: true, UIPort: -1, Logf: log.Printf})
	if err != nil {
		fmt.Fprintln(os.Stdout, "error:", err)
		return 1
	}
	fmt.Fprintln(os.Stdout, s.DatabaseURL, s.Postgres().PID(), s.Temporal().PID())
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

// awaitSignal ends with 40 plus the number of the first signal.
func awaitSignal() int {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	fmt.Fprintln(os.Stdout, "waiting")
	return 40 + int((<-signals).(syscall.Signal))
}

const (
	within = 30 * time.Second // for what must happen at last, on a slow machine
	every  = 10 * time.Millisecond
)

// serverDir is t.TempDir for a stack: another user can pass through it.
func serverDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir() + "/stack"
	require.NoError(t, os.Mkdir(dir, 0o755))
	for parent := dir; parent != os.TempDir() && parent != "/"; parent = parent[:strings.LastIndexByte(parent, '/')] {
		require.NoError(t, os.Chmod(parent, 0o755))
	}
	return dir
}

// start starts a stack that ends with the test.
func start(t *testing.T, o Options) *Stack {
	t.Helper()
	o.Logf = t.Logf
	s, err := Start(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop(context.Background())) })
	return s
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func query[T any](t *testing.T, conn *pgx.Conn, sql string) T {
	t.Helper()
	var value T
	require.NoError(t, conn.QueryRow(t.Context(), sql).Scan(&value))
	return value
}

func execute(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	_, err := conn.Exec(t.Context(), sql)
	require.NoError(t, err)
}

// requireGone waits until no process has the id, or only one that waits for its
// parent, which is not ours to be.
func requireGone(t *testing.T, pid int) {
	t.Helper()
	require.Eventually(t, func() bool { return commandLine(pid) == "" }, within, every, "process %d still runs", pid)
}

func atoi(t *testing.T, text string) int {
	t.Helper()
	number, err := strconv.Atoi(text)
	require.NoError(t, err)
	return number
}
