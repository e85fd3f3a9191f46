package testenv

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/fnv"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/baton-handoff/baton/internal/devstack"
)

// namePrefix begins the names of our databases. The run of the test process
// follows, then a number.
const namePrefix = "baton_test_"

// Postgres returns the URL of a fresh, empty database, whose user is a
// superuser unless TEST_DATABASE_URL names another one. It is dropped when the
// test ends, with whatever is still connected to it.
func Postgres(t testing.TB) string {
	t.Helper()
	server := sharedPostgres(t)
	return server.create(t, "")
}

// PostgresTemplate returns the URL of a fresh database with what prepare has
// put into one, above all a migrated schema. prepare runs once per name in a
// test process, on a database that is then cloned for each call; it must close
// its connections. The clone is dropped when the test ends.
func PostgresTemplate(t testing.TB, name string, prepare func(ctx context.Context, url string) error) string {
	t.Helper()
	server := sharedPostgres(t)
	template, err := server.template(name, prepare)
	if err != nil {
		t.Fatalf("testenv: prepare the template database %q: %v", name, err)
	}
	return server.create(t, template)
}

func sharedPostgres(t testing.TB) *postgresServer {
	t.Helper()
	server, err := shared.postgres.get(openPostgres)
	if err != nil {
		t.Fatal("testenv: ", err)
	}
	return server
}

// postgresServer is a server that databases are created on.
type postgresServer struct {
	url   *url.URL
	stack *devstack.Stack // nil when it is not ours

	run  string // in the names of this process's databases
	next atomic.Int64
	// alive holds an advisory lock for the run on a server that others use too:
	// as long as it is held, nobody takes the databases for abandoned.
	alive *pgx.Conn

	mu        sync.Mutex
	templates map[string]*template
}

// template is a database to clone, prepared by the first who wants it.
type template struct {
	once     sync.Once
	database string
	err      error
}

func openPostgres() (*postgresServer, error) {
	server := &postgresServer{
		run:       strings.ToLower(rand.Text()[:12]),
		templates: map[string]*template{},
	}
	if named := os.Getenv(devstack.EnvDatabaseURL); named != "" {
		var err error
		if server.url, err = url.Parse(named); err != nil || server.url.Host == "" {
			return nil, fmt.Errorf("%s is not a URL like postgres://user:password@host/database", devstack.EnvDatabaseURL)
		}
		return server, server.announce()
	}
	var err error
	if server.stack, err = startPart(devstack.Options{SkipTemporal: true}); err != nil {
		return nil, err
	}
	server.url, err = url.Parse(server.stack.DatabaseURL)
	return server, err
}

// announce locks this run's name and removes the databases of runs that nobody
// holds a lock for. A failure to remove is not ours to report: they may belong
// to another user.
func (s *postgresServer) announce() error {
	ctx, cancel := context.WithTimeout(context.Background(), workWithin)
	defer cancel()
	// Advisory locks are per database, so all runs must meet in one.
	conn, err := pgx.Connect(ctx, s.databaseURL("postgres"))
	if err != nil {
		return fmt.Errorf("connect to the server that %s names: %w", devstack.EnvDatabaseURL, err)
	}
	fail := func(err error) error { return errors.Join(err, conn.Close(ctx)) }
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, runKey(s.run)); err != nil {
		return fail(err)
	}
	rows, err := conn.Query(ctx, `SELECT datname FROM pg_database WHERE starts_with(datname, $1)`, namePrefix)
	if err != nil {
		return fail(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fail(err)
	}
	for _, name := range names {
		run, _, found := strings.Cut(strings.TrimPrefix(name, namePrefix), "_")
		if !found || run == s.run {
			continue
		}
		var abandoned bool
		if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, runKey(run)).Scan(&abandoned); err != nil {
			return fail(err)
		}
		if !abandoned {
			continue
		}
		_, _ = conn.Exec(ctx, dropStatement(name))
		if _, err := conn.Exec(ctx, `SELECT pg_advisory_unlock($1)`, runKey(run)); err != nil {
			return fail(err)
		}
	}
	s.alive = conn
	return nil
}

// runKey is the number of the advisory lock of a run.
func runKey(run string) int64 {
	hash := fnv.New64a()
	hash.Write([]byte(namePrefix + run))
	return int64(hash.Sum64())
}

// create makes a database, as a clone unless template is empty, and drops it
// with the test.
func (s *postgresServer) create(t testing.TB, template string) string {
	t.Helper()
	name := s.newName()
	statement := `CREATE DATABASE ` + quote(name)
	if template != "" {
		statement += ` TEMPLATE ` + quote(template)
	}
	ctx, cancel := context.WithTimeout(t.Context(), workWithin)
	defer cancel()
	if err := s.exec(ctx, statement); err != nil {
		t.Fatalf("testenv: create a database: %v", err)
	}
	t.Cleanup(func() {
		if err := s.drop(name); err != nil {
			t.Errorf("testenv: drop a database: %v", err)
		}
	})
	return s.databaseURL(name)
}

// template returns the database of the template, which is prepared by the first
// call with its name.
func (s *postgresServer) template(name string, prepare func(context.Context, string) error) (string, error) {
	s.mu.Lock()
	found := s.templates[name]
	if found == nil {
		found = &template{}
		s.templates[name] = found
	}
	s.mu.Unlock()
	found.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), workWithin)
		defer cancel()
		database := s.newName()
		if found.err = s.exec(ctx, `CREATE DATABASE `+quote(database)); found.err != nil {
			return
		}
		found.database = database
		if found.err = prepare(ctx, s.databaseURL(database)); found.err != nil {
			return
		}
		// A database that somebody is connected to cannot be cloned.
		found.err = s.exec(ctx, `ALTER DATABASE `+quote(database)+` ALLOW_CONNECTIONS false`)
	})
	return found.database, found.err
}

// exec runs a statement outside of the tests' databases.
func (s *postgresServer) exec(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, s.url.String())
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}

func (s *postgresServer) drop(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), workWithin)
	defer cancel()
	return s.exec(ctx, dropStatement(name))
}

func dropStatement(name string) string {
	return `DROP DATABASE IF EXISTS ` + quote(name) + ` WITH (FORCE)`
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

func (s *postgresServer) newName() string {
	return fmt.Sprintf("%s%s_%d", namePrefix, s.run, s.next.Add(1))
}

func (s *postgresServer) databaseURL(database string) string {
	u := *s.url
	u.Path = "/" + database
	return u.String()
}

// close drops the templates, or stops the server when it is ours.
func (s *postgresServer) close() error {
	if s.stack != nil {
		return stop(s.stack)
	}
	var errs []error
	for _, t := range s.templates {
		if t.database != "" {
			errs = append(errs, s.drop(t.database))
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), workWithin)
	defer cancel()
	return errors.Join(append(errs, s.alive.Close(ctx))...)
}
