package devstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Stack is what Start started.
type Stack struct {
	// DatabaseURL is the URL of the database "baton", whose owner is a superuser
	// of the same name; empty without PostgreSQL.
	DatabaseURL string
	// TemporalAddress is host:port of Temporal's frontend, which holds the
	// namespace "default"; empty without Temporal.
	TemporalAddress string
	// TemporalUIURL is empty without the UI.
	TemporalUIURL string
	// Dir is where data and logs are, as an absolute path.
	Dir string

	place    place
	lock     *dirLock
	postgres *Process
	temporal *Process
	failed   chan error

	mu      sync.Mutex
	stopped bool
}

// Start starts PostgreSQL and Temporal side by side and returns when both do
// their work. ctx bounds the start only; the servers run until [Stack.Stop], or
// until this process dies (on Linux; elsewhere until the next Start with the
// same directory, which ends them first).
//
// On an error everything that was started has been stopped. The first line of
// an error says what is wrong and, where it can be known, what to do; the last
// lines of a server's log may follow. It is an ErrInUse when another stack uses
// the directory.
func Start(ctx context.Context, o Options) (*Stack, error) {
	o.Logf = serialized(o.Logf)
	s := &Stack{failed: make(chan error, 2)}
	var err error
	if s.place, s.lock, err = openPlace(ctx, o.Dir, o.Persistent); err != nil {
		return nil, fmt.Errorf("devstack: %w", err)
	}
	s.Dir = s.place.dir

	parts, partsCtx := errgroup.WithContext(ctx)
	if !o.SkipPostgres {
		parts.Go(func() error { return s.startPostgres(partsCtx, o) })
	}
	if !o.SkipTemporal && !o.TemporalOnPostgres {
		parts.Go(func() error { return s.startTemporal(partsCtx, o) })
	}
	err = parts.Wait()
	if err == nil && !o.SkipTemporal && o.TemporalOnPostgres {
		err = s.startTemporalOnPostgres(ctx, o)
	}
	if err != nil {
		// ctx may be the reason, and what runs must be stopped all the same.
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*stopWithin)
		defer cancel()
		return nil, fmt.Errorf("devstack: %w", errors.Join(err, s.Stop(stopCtx)))
	}
	return s, nil
}

// Stop ends the servers, gracefully for at most ten seconds, then, or once ctx
// ends, with SIGKILL. It discards the data unless they are persistent, removes
// a temporary directory, and gives the directory free. A second call does
// nothing.
func (s *Stack) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return nil
	}
	s.stopped = true

	var parts errgroup.Group
	for _, process := range []*Process{s.postgres, s.temporal} {
		if process != nil {
			parts.Go(func() error { return process.Stop(ctx) })
		}
	}
	if err := parts.Wait(); err != nil {
		// Something may still run on the data; the next Start deals with it.
		return fmt.Errorf("devstack: %w", errors.Join(err, s.lock.release()))
	}
	err := s.place.discard()
	if err := errors.Join(err, s.lock.release()); err != nil {
		return fmt.Errorf("devstack: %w", err)
	}
	return nil
}

// Failed gives an error when a server ends though nobody stopped or killed it.
func (s *Stack) Failed() <-chan error { return s.failed }

// Postgres is the PostgreSQL server, or nil without one.
func (s *Stack) Postgres() *Process { return s.postgres }

// Temporal is the Temporal dev server, or nil without one.
func (s *Stack) Temporal() *Process { return s.temporal }

// newProcess returns a process of this stack that does not run yet.
func (s *Stack) newProcess(spec processSpec, logf logfFunc) *Process {
	return &Process{spec: spec, logf: logf, ended: func(err error) {
		select {
		case s.failed <- err:
		default: // nobody reads, and they know already
		}
	}}
}

// startTries is how often a server is started when its start fails for a reason
// that passes, above all when another process takes a port between its choice
// and its use.
const startTries = 4

// startRetrying starts what build returns, and again after a server has ended
// by itself for a reason that passes says may be gone. build is called for each
// attempt, since it chooses the ports.
func startRetrying(ctx context.Context, build func() (*Process, error), passes func(log string) bool) (*Process, error) {
	for try := 1; ; try++ {
		process, err := build()
		if err != nil {
			return nil, err
		}
		if err = process.Restart(ctx); err == nil {
			return process, nil
		}
		var exit *exitError
		if try == startTries || !errors.As(err, &exit) || !passes(exit.tail) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(time.Duration(try) * 200 * time.Millisecond):
		}
	}
}

// Remove ends what an earlier, killed run left running in dir, and deletes dir
// with all data, wherever they are. It is an ErrInUse error when a stack uses
// the directory, and no error when there is none.
func Remove(ctx context.Context, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("devstack: %w", err)
	}
	if _, err := os.Stat(dir); os.IsNotExist(err) {
		return nil
	}
	p, lock, err := openPlace(ctx, dir, true)
	if err != nil {
		return fmt.Errorf("devstack: %w", err)
	}
	if err := errors.Join(p.removeAll(ctx), lock.release()); err != nil {
		return fmt.Errorf("devstack: %w", err)
	}
	return nil
}
