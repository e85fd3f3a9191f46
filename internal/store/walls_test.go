package store

// These tests look behind the Store, at what PostgreSQL itself enforces.

import (
	"context"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm/schema"

	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/internal/testenv"
	"github.com/baton-handoff/baton/models"
)

// rows are all structs that gorm reads and writes.
var rows = []any{
	models.Account{},
	models.Team{},
	models.User{},
	models.Session{},
	models.Step{},
	models.Handoff{},
	models.Effect{},
	models.PSAStep{},
	models.Documentation{},
	models.TimelineEntry{},
	models.TransitionInput{},
	models.FeedEvent{},
	models.FeedHead{},
	models.PSAConnection{},
	models.HandoffTicket{},
	models.Briefing{},
	models.ModelCall{},
	models.BriefingGrade{},
	models.BriefingSettings{},
	models.LadderPolicy{},
	models.HandoffLadder{},
	models.Presence{},
	models.Endpoint{},
	models.NotificationPreference{},
	models.Delivery{},
	models.APIKey{},
	models.AuditEntry{},
}

func open(t *testing.T) *Store {
	t.Helper()
	url := testenv.PostgresTemplate(t, "store", func(ctx context.Context, url string) error {
		_, err := Migrate(ctx, url)
		return err
	})
	s, err := Open(t.Context(), url, Options{MaxConns: 4})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

// TestQueriesThatForgetTheirFilterSeeOneAccount is promise 7.
func TestQueriesThatForgetTheirFilterSeeOneAccount(t *testing.T) {
	t.Parallel()
	s := open(t)
	one, two := uuid.New(), uuid.New()
	for _, id := range []uuid.UUID{one, two} {
		require.NoError(t, s.EnsureAccount(t.Context(), models.Account{ID: id, Name: "A"}))
		_, err := s.ProvisionUser(t.Context(), models.User{AccountID: id, Email: "a@example.test", Name: "A", Role: models.RoleAdmin})
		require.NoError(t, err)
	}
	count := func(ctx context.Context) (n int64) {
		t.Helper()
		require.NoError(t, s.db.WithContext(ctx).Raw(`SELECT count(*) FROM users`).Scan(&n).Error)
		return n
	}
	// The connections of the small pool change hands between accounts.
	var wg sync.WaitGroup
	for i := range 40 {
		ctx, want := tenant.With(t.Context(), one), int64(1)
		switch i % 4 {
		case 1:
			ctx = tenant.With(t.Context(), two)
		case 2:
			ctx, want = tenant.System(t.Context()), 2
		case 3:
			ctx, want = t.Context(), 0
		}
		wg.Go(func() {
			if got := count(ctx); got != want {
				t.Errorf("saw %d users, want %d", got, want)
			}
		})
	}
	wg.Wait()

	ctx := tenant.With(t.Context(), one)
	res := s.db.WithContext(ctx).Exec(`UPDATE users SET name = 'taken over'`)
	require.NoError(t, res.Error)
	require.Equal(t, int64(1), res.RowsAffected)
	require.Error(t, s.db.WithContext(ctx).Exec(`INSERT INTO teams (account_id, id, name, created_at) VALUES (?, ?, 'x', now())`, two, uuid.New()).Error,
		"nor can anything be planted there")
	_, err := s.Session(t.Context(), uuid.New())
	require.Equal(t, models.CodeInternal, models.CodeOf(err), "a forgotten account is loud")
}

func TestEveryTableIsWalled(t *testing.T) {
	t.Parallel()
	s := open(t)
	var tables []struct {
		Name                string
		Forced, HasAccount  bool
		KeyBeginsWithTenant bool
	}
	require.NoError(t, s.db.WithContext(t.Context()).Raw(`
		SELECT c.relname AS name, c.relrowsecurity AND c.relforcerowsecurity AS forced,
			EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'account_id' AND a.attnotnull) AS has_account,
			EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
				WHERE i.indrelid = c.oid AND i.indisprimary AND a.attname = 'account_id') AS key_begins_with_tenant
		FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND c.relname <> 'goose_db_version'`).Scan(&tables).Error)
	require.Len(t, tables, len(rows))
	for _, table := range tables {
		require.True(t, table.Forced, "%s: row-level security", table.Name)
		require.True(t, table.HasAccount, "%s: account_id", table.Name)
		require.True(t, table.KeyBeginsWithTenant, "%s: primary key", table.Name)
	}
}

// TestModelsMatchTheSchema holds the structs against what the migrations made.
func TestModelsMatchTheSchema(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, row := range rows {
		parsed, err := schema.Parse(row, &sync.Map{}, s.db.NamingStrategy)
		require.NoError(t, err)
		var columns []struct {
			ColumnName string
			IsNullable bool
		}
		require.NoError(t, s.db.WithContext(t.Context()).Raw(`SELECT column_name, is_nullable = 'YES' AS is_nullable
			FROM information_schema.columns WHERE table_schema = 'public' AND table_name = ?`, parsed.Table).Scan(&columns).Error)
		var inDatabase, inModel []string
		for _, c := range columns {
			inDatabase = append(inDatabase, c.ColumnName)
			if field := parsed.LookUpField(c.ColumnName); field != nil && c.IsNullable {
				kind := field.FieldType.Kind()
				require.True(t, kind == reflect.Pointer || kind == reflect.Slice, "%s.%s can be NULL", parsed.Table, c.ColumnName)
			}
		}
		for _, f := range parsed.Fields {
			if f.DBName != "" {
				inModel = append(inModel, f.DBName)
			}
		}
		slices.Sort(inDatabase)
		slices.Sort(inModel)
		require.Equal(t, inDatabase, inModel, "table %s", parsed.Table)
	}
}

func TestSuperusersObeyThePolicies(t *testing.T) {
	t.Parallel()
	s := open(t)
	cfg := s.pool.Config()
	conn, err := pgx.ConnectConfig(t.Context(), cfg.ConnConfig)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	require.NoError(t, obeyPolicies(t.Context(), conn))
	var user string
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT current_user`).Scan(&user))
	require.Equal(t, "baton_app", user, "superusers are exempt from the policies")
}
