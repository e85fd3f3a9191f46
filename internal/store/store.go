// Package store keeps Baton's records in PostgreSQL: sessions, handoffs as the
// workflow decided them, the feed, and the people. Every method works inside
// the account of its context (package tenant); PostgreSQL's row-level security
// enforces that once more underneath.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

// Store reads and writes Baton's records. It is safe for concurrent use.
type Store struct {
	db    *gorm.DB
	sqlDB *sql.DB // gorm's view of pool
	pool  *pgxpool.Pool
	// watch is for what each replica asks about all accounts, all the time. On
	// the pool's connections it would make every request say anew whose rows it
	// may see, which takes a round trip.
	watch *pgxpool.Pool
	wake  func()
}

// Options tunes a [Store]. Zero values are sensible.
type Options struct {
	// MaxConns bounds the connections of the pool; 0 leaves it to pgx.
	MaxConns int32
	// Wake is called after each commit that appended to a feed. It must not
	// block. It may be nil.
	Wake func()
}

// Open prepares a store on the database at url. It does not connect yet, so it
// works while PostgreSQL is down.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		// pgx's own message can quote the password.
		return nil, errors.New("DATABASE_URL is not a PostgreSQL connection string; use postgres://user:password@host:5432/name")
	}
	if o.MaxConns > 0 {
		cfg.MaxConns = o.MaxConns
	}
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = 5 * time.Second
	}
	cfg.ConnConfig.RuntimeParams["application_name"] = "baton"
	cfg.AfterConnect = prepareConn
	cfg.PrepareConn = enterTenant

	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("preparing the connection pool: %w", err)
	}
	watchCfg := cfg.Copy()
	watchCfg.MaxConns = 2
	watch, err := pgxpool.NewWithConfig(ctx, watchCfg)
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("preparing the connection pool: %w", err)
	}
	sqlDB := stdlib.OpenDBFromPool(pool)
	db, err := gorm.Open(postgres.New(postgres.Config{Conn: sqlDB}), &gorm.Config{
		TranslateError:         true,
		SkipDefaultTransaction: true,
		DisableAutomaticPing:   true,
		Logger:                 logger.Discard,
		NowFunc:                now,
	})
	if err != nil {
		_ = sqlDB.Close()
		pool.Close()
		watch.Close()
		return nil, fmt.Errorf("preparing gorm: %w", err)
	}
	wake := o.Wake
	if wake == nil {
		wake = func() {}
	}
	return &Store{db: db, sqlDB: sqlDB, pool: pool, watch: watch, wake: wake}, nil
}

// Close ends all connections. It waits for those in use.
func (s *Store) Close() {
	_ = s.sqlDB.Close()
	s.pool.Close()
	s.watch.Close()
}

// Ping reports whether the database answers and its schema is there.
func (s *Store) Ping(ctx context.Context) error {
	var ok bool
	err := s.watch.QueryRow(tenant.System(ctx), `SELECT true FROM feed_heads LIMIT 1`).Scan(&ok)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	return translate("asking PostgreSQL", err)
}

// Notify wakes the feed's readers in all processes. It carries nothing: what
// happened is in the table.
func (s *Store) Notify(ctx context.Context) error {
	_, err := s.watch.Exec(tenant.System(ctx), `NOTIFY `+FeedChannel)
	return translate("notifying feed readers", err)
}

// Listener opens a connection of its own for LISTEN, outside the pool.
func (s *Store) Listener(ctx context.Context) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig)
	return conn, translate("connecting the feed's listener", err)
}

// FeedChannel is the NOTIFY channel that wakes feed readers.
const FeedChannel = "baton_feed"

// prepareConn readies a new connection.
func prepareConn(ctx context.Context, conn *pgx.Conn) error {
	// Times are told in UTC, wherever the process runs.
	conn.TypeMap().RegisterType(&pgtype.Type{
		Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
	})
	return obeyPolicies(ctx, conn)
}

// obeyPolicies makes a new connection subject to row-level security, which
// PostgreSQL does not apply to superusers.
func obeyPolicies(ctx context.Context, conn *pgx.Conn) error {
	var exempt bool
	err := conn.QueryRow(ctx, `SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user`).Scan(&exempt)
	if err != nil || !exempt {
		return err
	}
	if _, err := conn.Exec(ctx, `SET ROLE baton_app`); err != nil {
		return fmt.Errorf("the database user is exempt from row-level security and cannot become baton_app (run `baton migrate` first): %w", err)
	}
	return nil
}

// enterTenant tells a connection, as it leaves the pool, whose rows it may
// see. Most often it is the same account as the last time, and nothing is sent.
func enterTenant(ctx context.Context, conn *pgx.Conn) (bool, error) {
	const key = "baton.account_id"
	want := ""
	switch scope := tenant.From(ctx); {
	case scope.System:
		want = "*"
	case scope.Account != uuid.Nil:
		want = scope.Account.String()
	}
	data := conn.PgConn().CustomData()
	if have, ok := data[key].(string); ok && have == want {
		return true, nil
	}
	delete(data, key) // unknown until the server has answered
	if _, err := conn.Exec(ctx, `SELECT set_config('baton.account_id', $1, false)`, want); err != nil {
		return false, err
	}
	data[key] = want
	return true, nil
}

// account is the account that ctx works for. To forget it is a bug, and loud.
func account(ctx context.Context) (uuid.UUID, error) {
	scope := tenant.From(ctx)
	if scope.Account == uuid.Nil {
		return uuid.Nil, models.Errorf(models.CodeInternal, "no account in the context")
	}
	return scope.Account, nil
}

// one reads the row that a statement returns into a T, column by column, or
// fails with [pgx.ErrNoRows]. It is for the statements that every decision
// waits for; everything else goes through gorm.
func one[T any](ctx context.Context, s *Store, statement string, args ...any) (T, error) {
	rows, _ := s.pool.Query(ctx, statement, args...) // its error is that of the rows
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByNameLax[T])
}

// now is the time as PostgreSQL keeps it: UTC, in microseconds.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// transaction runs fn in one transaction.
// When the connection is lost at the commit itself, nobody knows whether it
// was made: [models.CodeOutcomeUnknown].
func (s *Store) transaction(ctx context.Context, op string, fn func(tx *gorm.DB) error) error {
	committing := false
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		err := fn(tx)
		committing = err == nil
		return err
	})
	if err = translate(op, err); committing && models.CodeOf(err) == models.CodeUnavailable {
		return models.Errorf(models.CodeOutcomeUnknown, "The database was lost at the last moment. Repeat the same request with the same Idempotency-Key: that is safe.").WithCause(err)
	}
	return err
}

// translate turns what the driver says into the domain's errors: a database
// that is away is [models.CodeUnavailable]; everything unexpected keeps its
// cause for the log.
func translate(op string, err error) error {
	if err == nil {
		return nil
	}
	var known *models.Error
	if errors.As(err, &known) {
		return err
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "42P01" { // undefined_table
		return models.Errorf(models.CodeUnavailable, "The database is not set up yet. Run `baton migrate`.").WithCause(fmt.Errorf("%s: %w", op, err))
	}
	if unavailable(err) {
		return models.Errorf(models.CodeUnavailable, "The database is not available now. Try again.").WithCause(fmt.Errorf("%s: %w", op, err))
	}
	return fmt.Errorf("%s: %w", op, err)
}

func unavailable(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &connect), errors.As(err, &network), errors.Is(err, context.DeadlineExceeded):
		return true
	case errors.As(err, &pg):
		// FATAL and PANIC end the session, for whatever reason. 08 connection, 53
		// out of resources, 57P admin shutdown and start-up, 58 the system around
		// it, 25006 read-only (a standby during failover).
		return pg.SeverityUnlocalized == "FATAL" || pg.SeverityUnlocalized == "PANIC" ||
			strings.HasPrefix(pg.Code, "08") || strings.HasPrefix(pg.Code, "53") ||
			strings.HasPrefix(pg.Code, "57P") || strings.HasPrefix(pg.Code, "58") || pg.Code == "25006"
	}
	return pgconn.SafeToRetry(err) || strings.Contains(err.Error(), "conn closed") || strings.Contains(err.Error(), "unexpected EOF")
}
