package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"go.temporal.io/api/enums/v1"
)

// historyTarget is the most events that the history of a handoff may have.
const historyTarget = 60

// measureCost counts what a handoff leaves behind that is created, documented,
// claimed and resolved.
func measureCost(ctx context.Context, b *bench) ([]Row, error) {
	w, leave, err := b.world(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	conn, err := pgx.Connect(ctx, w.databaseURL)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(ctx) }()
	counter, err := countedStatements(ctx, conn)
	if err != nil {
		return nil, err
	}
	before, err := size(ctx, conn)
	if err != nil {
		return nil, err
	}
	n := b.Sizes.Handoffs
	sessions := make([]handoff, n)
	for i := range sessions {
		if sessions[i].SessionID, err = w.session(ctx, w.base); err != nil {
			return nil, err
		}
	}
	handoffs := make([]handoff, n)
	senior := w.seniors[0]
	phases := []struct {
		name string
		do   func(i int) error
	}{
		{"create", func(i int) (err error) {
			handoffs[i], _, err = w.handOff(ctx, w.base, sessions[i].SessionID)
			return err
		}},
		{"claim", func(i int) error {
			_, _, err := senior.expect(ctx, http.StatusOK, http.MethodPost, handoffs[i].url(w.base)+"/claim", "{}")
			return err
		}},
		{"resolve", func(i int) error {
			_, _, err := senior.expect(ctx, http.StatusOK, http.MethodPost, handoffs[i].url(w.base)+"/resolve", `{"resolution":"The connector had lost its certificate."}`)
			return err
		}},
	}
	var rows, statements []Row
	for _, phase := range phases {
		if err := counter.reset(ctx); err != nil {
			return nil, err
		}
		for i := range n {
			if err := phase.do(i); err != nil {
				return nil, err
			}
			if err := w.settled(ctx, handoffs[i].workflow()); err != nil {
				return nil, err
			}
		}
		count, err := counter.count(ctx, n)
		if err != nil {
			return nil, err
		}
		if b.Profile != "" {
			if err := os.WriteFile(b.profile(phase.name)+".sql.txt", []byte(count.list), 0o644); err != nil {
				return nil, err
			}
		}
		if count.total > 0 {
			statements = append(statements,
				Row{What: "SQL statements of a " + phase.name, Baton: Spread{count.total, count.total, count.total}, How: "round trips to Baton's database, with those that begin and end transactions, by the request and by the worker until nothing is under way (pg_stat_statements)"},
				Row{What: "transactions of a " + phase.name + " that take more than one statement", Baton: Spread{count.transactions, count.transactions, count.transactions}, How: "of the row above, those that BEGIN"})
		}
	}
	after, err := size(ctx, conn)
	if err != nil {
		return nil, err
	}

	var events, bytes []float64
	for _, h := range handoffs {
		run, err := w.ended(ctx, h.workflow())
		if err != nil {
			return nil, err
		}
		events, bytes = append(events, run.events), append(bytes, run.bytes/1000)
	}
	rows = append(rows,
		Row{What: "history events of a handoff: created, documented, claimed, resolved", Baton: spread(events), Target: historyTarget, How: "as the server counts them, of runs that are completed; each waits between its transitions, which is when there are most"},
		Row{What: "history of a handoff", Unit: "kB", Baton: spread(bytes), How: "as the server counts it"},
	)
	rows = append(rows, statements...)
	perHandoff := func(total float64) Spread { v := total / float64(n); return Spread{v, v, v} }
	return append(rows,
		Row{What: "rows of a handoff in PostgreSQL, its session's included", Baton: perHandoff(after.rows - before.rows), How: "in all tables of Baton, a session with six steps"},
		Row{What: "bytes of these rows", Unit: "kB", Baton: perHandoff((after.bytes - before.bytes) / 1000), How: "pg_column_size of whole rows, without indexes"},
	), nil
}

type finished struct{ events, bytes float64 }

// ended waits until a run is completed, and says how long its history is.
func (w *world) ended(ctx context.Context, workflow string) (finished, error) {
	if err := w.temporal.GetWorkflow(ctx, workflow, "").Get(ctx, nil); err != nil {
		return finished{}, fmt.Errorf("waiting for the end of %s: %w", workflow, err)
	}
	state, err := w.temporal.DescribeWorkflowExecution(ctx, workflow, "")
	if err != nil {
		return finished{}, err
	}
	info := state.GetWorkflowExecutionInfo()
	if info.GetStatus() != enums.WORKFLOW_EXECUTION_STATUS_COMPLETED {
		return finished{}, fmt.Errorf("%s ended as %s", workflow, info.GetStatus())
	}
	return finished{float64(info.GetHistoryLength()), float64(info.GetHistorySizeBytes())}, nil
}

// tables is rows and bytes of all tables of Baton.
type tables struct{ rows, bytes float64 }

func size(ctx context.Context, conn *pgx.Conn) (t tables, err error) {
	rows, err := conn.Query(ctx, `SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'goose%'`)
	if err != nil {
		return t, err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return t, err
	}
	for _, name := range names {
		var n, bytes float64
		err := conn.QueryRow(ctx, `SELECT count(*), coalesce(sum(pg_column_size(t.*)), 0) FROM `+pgx.Identifier{name}.Sanitize()+` t`).Scan(&n, &bytes)
		if err != nil {
			return t, fmt.Errorf("measuring the table %s: %w", name, err)
		}
		t.rows, t.bytes = t.rows+n, t.bytes+bytes
	}
	return t, nil
}

// statements counts with pg_stat_statements, or does nothing on a server that
// has not loaded it.
type statements struct {
	conn   *pgx.Conn
	absent bool
}

type counted struct {
	total, transactions float64
	list                string
}

func countedStatements(ctx context.Context, conn *pgx.Conn) (statements, error) {
	var loaded bool
	err := conn.QueryRow(ctx, `SELECT current_setting('shared_preload_libraries') LIKE '%pg_stat_statements%'`).Scan(&loaded)
	if err != nil || !loaded {
		return statements{absent: true}, err
	}
	for _, statement := range []string{
		`CREATE EXTENSION IF NOT EXISTS pg_stat_statements`,
		`ALTER SYSTEM SET "pg_stat_statements.track" = 'top'`, `SELECT pg_reload_conf()`,
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return statements{}, fmt.Errorf("counting statements: %w", err)
		}
	}
	// Every session reads the setting when it is next told something.
	return statements{conn: conn}, pause(ctx, time.Second)
}

func (s statements) reset(ctx context.Context) error {
	if s.absent {
		return nil
	}
	if _, err := s.conn.Exec(ctx, `SELECT pg_stat_statements_reset()`); err != nil {
		return fmt.Errorf("counting statements: %w", err)
	}
	return nil
}

// count is what n operations took since the reset, each.
func (s statements) count(ctx context.Context, n int) (c counted, err error) {
	if s.absent {
		return c, nil
	}
	rows, err := s.conn.Query(ctx, `SELECT s.calls, s.mean_exec_time, regexp_replace(s.query, '\s+', ' ', 'g')
		FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
		WHERE d.datname = current_database() AND s.query NOT LIKE '%pg_stat_statements%' ORDER BY s.calls DESC`)
	if err != nil {
		return c, fmt.Errorf("counting statements: %w", err)
	}
	var list strings.Builder
	var calls, mean float64
	var query string
	_, err = pgx.ForEachRow(rows, []any{&calls, &mean, &query}, func() error {
		each := calls / float64(n)
		c.total += each
		if strings.EqualFold(query, "begin") {
			c.transactions = each
		}
		_, err := fmt.Fprintf(&list, "%6.2f × %7.3f ms  %s\n", each, mean, query)
		return err
	})
	c.list = list.String()
	return c, errors.Join(err, rows.Err())
}
