package store_test

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/ladder"
	"github.com/baton-handoff/baton/internal/store"
	"github.com/baton-handoff/baton/models"
)

// TestAReportOfManyHandoffs sums up a filled account. BATON_TEST_REPORT says of
// how many handoffs, and -v prints how long it took, and how the database went
// about it.
func TestAReportOfManyHandoffs(t *testing.T) {
	t.Parallel()
	n := 2000
	if s := os.Getenv("BATON_TEST_REPORT"); s != "" {
		var err error
		n, err = strconv.Atoi(s)
		require.NoError(t, err)
	}
	w := newWorld(t)
	ctx := as(t, w.sam)
	conn, err := pgx.Connect(ctx, w.url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	policy, err := json.Marshal(ladder.Default(models.PriorityHigh))
	require.NoError(t, err)
	team := uuid.New()
	exec := func(sql string, args ...any) {
		_, err := conn.Exec(ctx, sql, args...)
		require.NoError(t, err)
	}
	exec("SET baton.account_id = '*'")
	exec("INSERT INTO teams VALUES ($1, $2, 'Service desk', now())", w.sam.AccountID, team)
	// Of eight, one is cancelled, one waits, one was put back once, five were
	// claimed and resolved; over 90 days.
	exec(`CREATE TEMP TABLE many AS SELECT n, gen_random_uuid() AS session, gen_random_uuid() AS handoff,
		now() - interval '2 hours' - interval '90 days' * (n::float8 / $1) AS at FROM generate_series(1, $1) n`, n)
	exec(`INSERT INTO ai_sessions (account_id, id, team_id, owner_id, title, client_name, problem, status, created_at, updated_at)
		SELECT $1, session, $2, $3, 'T', 'C', 'P', 'escalated', at, at FROM many`, w.sam.AccountID, team, w.sam.UserID)
	exec(`INSERT INTO handoffs (account_id, id, session_id, team_id, intent, priority, status, generation, version, engineer_notes,
			handed_off_by, claimed_by, claimed_at, resolved_at, request_hash, created_at, updated_at)
		SELECT $1, handoff, session, $2, 'escalate', 1 + n % 4, CASE n % 8 WHEN 0 THEN 'cancelled' WHEN 1 THEN 'queued' ELSE 'resolved' END,
			CASE n % 8 WHEN 2 THEN 2 ELSE 1 END, CASE n % 8 WHEN 0 THEN 2 WHEN 1 THEN 1 WHEN 2 THEN 5 ELSE 3 END, repeat('notes ', 100),
			$3, CASE WHEN n % 8 > 1 THEN $4::uuid END, CASE WHEN n % 8 > 1 THEN at + interval '10 min' END,
			CASE WHEN n % 8 > 1 THEN at + interval '1 h' END, '', at, at FROM many`, w.sam.AccountID, team, w.sam.UserID, w.ana.UserID)
	exec(`INSERT INTO handoff_transitions (account_id, handoff_id, version, verb, door, actor_id, at, generation, status, holder_id, request_id)
		SELECT $1, handoff, version, verb, 'update', $2, at + after, generation, status, holder, '' FROM many,
		LATERAL (VALUES (1, 'create', interval '0', 1, 'queued', NULL::uuid, true),
			(2, 'cancel', interval '5 min', 1, 'cancelled', NULL, n % 8 = 0),
			(2, 'claim', interval '1 min' * (n % 50), 1, 'claimed', $3, n % 8 > 1),
			(3, 'release', interval '55 min', 2, 'queued', NULL, n % 8 = 2),
			(4, 'claim', interval '58 min', 2, 'claimed', $3, n % 8 = 2),
			(5, 'resolve', interval '1 h', 2, 'resolved', $3, n % 8 = 2),
			(3, 'resolve', interval '1 h', 1, 'resolved', $3, n % 8 > 2)) v (version, verb, after, generation, status, holder, there)
		WHERE there`, w.sam.AccountID, w.sam.UserID, w.ana.UserID)
	exec(`INSERT INTO handoff_ladders (account_id, handoff_id, policy, state, generation, version, created_at, updated_at)
		SELECT $1, handoff, $2, 'ended', 1, 1, at, at FROM many`, w.sam.AccountID, policy)
	exec("ANALYZE")

	since, until := time.Now().AddDate(0, 0, -91), time.Now()
	began := time.Now()
	waits, err := w.HandoffWaits(ctx, since, until, 10*n)
	require.NoError(t, err)
	read := time.Since(began)
	require.Len(t, waits, n, "all that were not cancelled, and one in eight twice")
	began = time.Now()
	rows := ladder.Report(waits, time.UTC, until)
	t.Logf("%d waits: read in %v, summed up in %v", len(waits), read.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	require.Equal(t, n/8, rows[0].Open)
	require.Equal(t, n-n/4+n/8, rows[0].Claimed)
	if testing.Verbose() {
		plan, err := conn.Query(ctx, "EXPLAIN (ANALYZE, BUFFERS) "+store.HandoffWaitsSQL, w.sam.AccountID, since, until, 10*n)
		require.NoError(t, err)
		lines, err := pgx.CollectRows(plan, pgx.RowTo[string])
		require.NoError(t, err)
		t.Log("\n" + strings.Join(lines, "\n"))
	}
}
