package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baton-handoff/baton/internal/devstack"
)

// What Temporal keeps its data in.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// Servers are the servers that a run works on.
type Servers struct {
	// Backend is [SQLite] or [Postgres].
	Backend string
	// DatabaseURL is of a superuser who may create databases.
	DatabaseURL                string
	TemporalAddress, Namespace string

	processes []server
}

// StartServers starts a PostgreSQL that syncs its writes as production does,
// and a Temporal on the backend, with their data in dir. stop ends them and
// removes the data.
func StartServers(ctx context.Context, backend, dir string, logf func(string, ...any)) (_ Servers, stop func(), err error) {
	if dir, err = os.MkdirTemp(dir, "baton-bench-"); err != nil {
		return Servers{}, nil, err
	}
	if err := os.Chmod(dir, 0o711); err != nil { // the user that PostgreSQL runs as passes through
		return Servers{}, nil, err
	}
	remove := func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		if err := devstack.Remove(ctx, dir); err != nil {
			logf("%v", err)
		}
		_ = os.RemoveAll(dir)
	}
	o := devstack.Options{Dir: dir, Persistent: true, UIPort: -1, Logf: logf, TemporalOnPostgres: backend == Postgres}
	if err := prepareCounting(ctx, o); err != nil {
		remove()
		return Servers{}, nil, err
	}
	stack, err := devstack.Start(ctx, o)
	if err != nil {
		remove()
		return Servers{}, nil, err
	}
	stop = func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		if err := stack.Stop(ctx); err != nil {
			logf("%v", err)
		}
		remove()
	}
	if err := countLater(ctx, stack.DatabaseURL); err != nil {
		stop()
		return Servers{}, nil, err
	}
	return Servers{
		Backend: backend, DatabaseURL: stack.DatabaseURL, TemporalAddress: stack.TemporalAddress, Namespace: "default",
		processes: []server{{"PostgreSQL", stack.Postgres()}, {"Temporal", stack.Temporal()}},
	}, stop, nil
}

// prepareCounting makes PostgreSQL load the library that counts statements,
// where it is installed: that has to be before a start.
func prepareCounting(ctx context.Context, o devstack.Options) error {
	o.SkipTemporal = true
	stack, err := devstack.Start(ctx, o)
	if err != nil {
		return err
	}
	err = execute(ctx, stack.DatabaseURL, `SELECT name FROM pg_available_extensions WHERE name = 'pg_stat_statements'`, func(n int64) string {
		if n == 0 {
			return ""
		}
		return `ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'`
	})
	return errors.Join(err, stack.Stop(context.WithoutCancel(ctx)))
}

// countLater turns counting off until the scenario that needs it, so that it
// costs the others nothing.
func countLater(ctx context.Context, databaseURL string) error {
	return execute(ctx, databaseURL, `SELECT name FROM pg_settings WHERE name = 'pg_stat_statements.track'`, func(n int64) string {
		if n == 0 {
			return ""
		}
		return `ALTER SYSTEM SET "pg_stat_statements.track" = 'none'; SELECT pg_reload_conf()`
	})
}

// execute runs a question, and the statement that follows from how many rows
// it found.
func execute(ctx context.Context, databaseURL, question string, then func(rows int64) string) error {
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	found, err := conn.Exec(ctx, question)
	if err != nil {
		return fmt.Errorf("preparing to count statements: %w", err)
	}
	for _, statement := range strings.Split(then(found.RowsAffected()), ";") {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("preparing to count statements: %w", err)
		}
	}
	return nil
}
