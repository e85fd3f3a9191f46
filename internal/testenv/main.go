package testenv

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/baton-handoff/baton/internal/devstack"
)

const (
	// A first start may have to build the Temporal dev server.
	startWithin = 20 * time.Minute
	workWithin  = time.Minute
)

// shared is what the tests of this process have in common. It lives as long as
// the process, hence the variable; [Main] empties it.
var shared struct {
	postgres lazy[*postgresServer]
	temporal lazy[*temporalServer]
}

// WorkersStop is for packages whose tests run workers. A workflow task that
// ends while its worker stops finds the SDK's cache of workflows released, and
// its coroutines stay until the process ends, which in production is then.
func WorkersStop() goleak.Option {
	return goleak.IgnoreAnyFunction("go.temporal.io/sdk/internal.(*coroutineState).run")
}

// Main runs the tests of a package, stops the servers that were started for
// them, and ends the process. It fails a run that leaks goroutines, besides
// those that existed before it and those that options ignore.
func Main(m *testing.M, options ...goleak.Option) {
	os.Exit(run(m, options))
}

func run(m *testing.M, options []goleak.Option) int {
	options = append(options, goleak.IgnoreCurrent())
	code := m.Run()
	if err := errors.Join(shared.postgres.close(), shared.temporal.close()); err != nil {
		fmt.Fprintln(os.Stderr, "testenv:", err)
		code = max(code, 1)
	}
	if code != 0 {
		return code // a failed test leaks, and that is not the news
	}
	http.DefaultClient.CloseIdleConnections()
	if err := goleak.Find(options...); err != nil {
		fmt.Fprintln(os.Stderr, "testenv: goroutines leaked:", err)
		return 1
	}
	return 0
}

// Stack starts a stack for one test alone, which may kill and pause its
// servers. Their data survive that; they are removed when the test ends.
func Stack(t testing.TB) *devstack.Stack {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startWithin)
	defer cancel()
	s, err := devstack.Start(ctx, devstack.Options{Persistent: true, UIPort: -1, Logf: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(s); err != nil {
			t.Error(err)
		}
	})
	return s
}

// startPart starts a server for this process. Its messages go to standard
// error: it outlives the test that asks for it first.
func startPart(o devstack.Options) (*devstack.Stack, error) {
	o.UIPort = -1
	o.Logf = func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, format+"\n", args...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	return devstack.Start(ctx, o)
}

// stop stops a stack, or nothing for nil.
func stop(s *devstack.Stack) error {
	if s == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), workWithin)
	defer cancel()
	return s.Stop(ctx)
}

type closer interface{ close() error }

// lazy is a server that is started when somebody asks for it.
type lazy[T closer] struct {
	mu      sync.Mutex
	started bool
	value   T
	err     error
}

// get returns the server. The first call starts it; when that fails, so do all
// others, because the reason will not have gone.
func (l *lazy[T]) get(start func() (T, error)) (T, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.started {
		l.started = true
		l.value, l.err = start()
	}
	return l.value, l.err
}

func (l *lazy[T]) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.started || l.err != nil {
		return nil
	}
	l.started = false
	return l.value.close()
}
