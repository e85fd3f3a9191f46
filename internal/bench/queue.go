package bench

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/baton-handoff/baton/internal/app"
)

// measureQueue compares the first page of a very long queue with that of a
// short one, over REST.
func measureQueue(ctx context.Context, b *bench) ([]Row, error) {
	small, err := b.filled(ctx, "small", b.Sizes.SmallQueue, 0)
	if err != nil {
		return nil, err
	}
	defer small.leave()
	large, err := b.filled(ctx, "large", b.Sizes.OpenQueue, b.Sizes.ClosedQueue)
	if err != nil {
		return nil, err
	}
	defer large.leave()

	pages := []struct {
		what, query string
		target      float64
		times       int // in each round
	}{
		{"first page", "", 1.5, b.Sizes.Pages},
		{"first page, newest first", "?sort=-created_at", 0, b.Sizes.Pages},
		{"first page, mine", "?mine=true", 0, b.Sizes.Pages},
		{"first page, one priority", "?priority=critical", 0, b.Sizes.Pages},
		// A search reads far more than a page, so a few are enough.
		{"search that many match", "?q=outlook", 0, max(b.Sizes.Pages/10, 2)},
		{"search that one matches", "?q=T20261104.0000777", 0, max(b.Sizes.Pages/10, 2)},
	}
	var rows []Row
	for _, page := range pages {
		rounds := make([]round, b.Sizes.Rounds)
		for i := range rounds {
			for j := range page.times {
				err := alternate(j,
					func() error { return large.page(ctx, page.query, &rounds[i].baton) },
					func() error { return small.page(ctx, page.query, &rounds[i].floor) })
				if err != nil {
					return nil, err
				}
			}
		}
		how := fmt.Sprintf("GET /ai-sessions/queue%s with %d open and %d closed handoffs ÷ the same with %d open ones in another database, alternating", page.query, b.Sizes.OpenQueue, b.Sizes.ClosedQueue, b.Sizes.SmallQueue)
		rows = append(rows, ratioRow("queue of "+number(float64(b.Sizes.OpenQueue))+" ÷ of "+number(float64(b.Sizes.SmallQueue))+": "+page.what+", p50", "ms", rounds, 0.5, page.target, how))
	}
	return rows, nil
}

// queue is an installation with a queue of some length, and an API.
type queue struct {
	*installation
	base string
	stop func()
}

func (q queue) leave() { q.stop(); q.remove() }

func (q queue) page(ctx context.Context, query string, took *[]float64) error {
	_, t, err := q.seniors[0].expect(ctx, http.StatusOK, http.MethodGet, q.base+"/api/v1/ai-sessions/queue"+query, "")
	*took = append(*took, milliseconds(t))
	return err
}

func (b *bench) filled(ctx context.Context, name string, open, closed int) (q queue, err error) {
	b.Logf("%s %-10s loading %d open and %d closed handoffs …", b.Servers.Backend, "queue", open, closed)
	if q.installation, err = install(ctx, b.Servers, "bench_"+name, 2); err != nil {
		return q, err
	}
	defer func() {
		if err != nil {
			q.remove()
		}
	}()
	if err := q.fill(ctx, open, closed); err != nil {
		return q, err
	}
	if q.base, q.stop, err = q.start(ctx, app.Options{API: true}); err != nil {
		return q, err
	}
	for range 10 {
		if err := q.page(ctx, "", new([]float64)); err != nil {
			q.stop()
			return q, err
		}
	}
	return q, nil
}

// fill loads handoffs past Baton, as they would be after a long time: every
// tenth open one is addressed to somebody, the closed ones are older.
func (in *installation) fill(ctx context.Context, open, closed int) error {
	conn, err := pgx.Connect(ctx, in.databaseURL)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	// A million foreign keys take minutes to check, and nobody doubts them.
	if _, err := conn.Exec(ctx, `SET session_replication_role = replica`); err != nil {
		return fmt.Errorf("filling the queue: %w", err)
	}
	// Ids in the order of time, as UUIDv7 are.
	const id = `('01990000-' || lpad(to_hex(%d + n / 65536), 4, '0') || '-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid`
	session, handoff := fmt.Sprintf(id, 0), fmt.Sprintf(id, 4096)
	at := fmt.Sprintf(`now() - (%d - n) * interval '1 second'`, open+closed)
	values := strings.NewReplacer(
		":account", "'"+in.account.String()+"'::uuid", ":sam", "'"+in.sam.ID.String()+"'::uuid", ":ana", "'"+in.seniors[1].ID.String()+"'::uuid",
		":total", strconv.Itoa(open+closed), ":closed", strconv.Itoa(closed))
	for _, statement := range []string{
		`INSERT INTO ai_sessions (account_id, id, owner_id, title, client_name, problem, psa_ticket, status, created_at, updated_at)
			SELECT :account, ` + session + `, :sam, (ARRAY['Outlook does not sync', 'VPN drops every hour', 'Printer offline', 'Teams has no sound'])[1 + (n / 4) % 4],
				'Client ' || n % 200, 'Since Monday it does not work. Restarted, updated, asked.', 'T20261104.' || lpad((:total - n)::text, 7, '0'),
				CASE WHEN n > :closed THEN 'escalated' ELSE 'resolved' END, ` + at + `, ` + at + `
			FROM generate_series(1, :total) n`,
		`INSERT INTO handoffs (account_id, id, session_id, intent, priority, status, generation, version, engineer_notes, target_user_id,
				handed_off_by, claimed_by, claimed_at, resolved_at, request_hash, created_at, updated_at)
			SELECT :account, ` + handoff + `, ` + session + `, 'escalate', 1 + n % 4, CASE WHEN n > :closed THEN 'queued' ELSE 'resolved' END, 1,
				CASE WHEN n > :closed THEN 1 ELSE 3 END, 'Profile rebuilt twice, add-ins off, the connector still fails.',
				CASE WHEN n % 11 = 0 THEN :ana END, :sam, CASE WHEN n <= :closed THEN :ana END,
				CASE WHEN n <= :closed THEN ` + at + ` END, CASE WHEN n <= :closed THEN ` + at + ` END, '\x00', ` + at + `, ` + at + `
			FROM generate_series(1, :total) n`,
		`INSERT INTO handoff_effects (account_id, handoff_id, kind, state, attempts, updated_at)
			SELECT :account, ` + handoff + `, 'documentation', 'done', 1, now()
			FROM generate_series(1, :total) n`,
	} {
		if _, err := conn.Exec(ctx, values.Replace(statement)); err != nil {
			return fmt.Errorf("filling the queue: %w", err)
		}
	}
	// What autovacuum and the checkpointer would have done long ago.
	for _, statement := range []string{`VACUUM (ANALYZE) ai_sessions, handoffs, handoff_effects`, `CHECKPOINT`} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("filling the queue: %w", err)
		}
	}
	return nil
}
