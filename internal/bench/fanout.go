package bench

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baton-handoff/baton/internal/app"
	"github.com/baton-handoff/baton/internal/store"
)

// measureFanOut compares one event to many streams of a replica with the same
// bytes to as many streams of a bare server.
func measureFanOut(ctx context.Context, b *bench) ([]Row, error) {
	in := b.installed
	frame, err := in.oneEvent(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, in.databaseURL)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(ctx) }()
	var rows []Row
	for _, n := range b.Sizes.Streams {
		rounds, err := b.fanOut(ctx, n, conn, frame)
		if err != nil {
			return nil, err
		}
		how := fmt.Sprintf("until the last of %d streams has its last byte: from the commit of an event, so with NOTIFY and Baton's SELECT, ÷ from the POST of the same bytes to a net/http server with a shared frame, a goroutine for each stream, a write and a flush; servers and readers are processes of their own, both sides are connected, events alternate", n)
		what := fmt.Sprintf("one event to %d streams ÷ bare net/http, last byte", n)
		rows = append(rows,
			ratioRow(what+", p99", "ms", rounds, 0.99, 1.3, how),
			ratioRow(what+", p50", "ms", rounds, 0.5, 0, how))
	}
	return rows, nil
}

func (b *bench) fanOut(ctx context.Context, streams int, conn *pgx.Conn, frame []byte) ([]round, error) {
	baton, floor, stop, err := b.installed.startSides(ctx, false)
	if err != nil {
		return nil, err
	}
	defer stop()
	for _, s := range []*side{baton, floor} {
		if err := s.open(streams); err != nil {
			return nil, err
		}
		if b.Profile == "" {
			continue
		}
		if _, err := s.server.ask(order{Do: "profile", File: b.profile(fmt.Sprintf("fanout-%d-%s", streams, s.name)) + ".cpu"}); err != nil {
			return nil, err
		}
		defer func() { _, _ = s.server.ask(order{Do: "profiled"}) }()
	}
	poster := newCaller("")
	bare := func() (time.Time, error) {
		began := time.Now()
		_, _, err := poster.expect(ctx, http.StatusOK, http.MethodPost, "http://"+floor.address+"/publish", string(frame))
		return began, err
	}
	own := func() (time.Time, error) {
		if err := b.installed.repeatEvent(ctx, conn); err != nil {
			return time.Time{}, err
		}
		began := time.Now()
		_, err := conn.Exec(ctx, "NOTIFY "+store.FeedChannel)
		return began, err
	}
	// A tenth as many events to ten times as many streams.
	events := max(b.Sizes.Events*b.Sizes.Streams[0]/streams, 8)
	rounds := make([]round, b.Sizes.Rounds)
	for i := -1; i < len(rounds); i++ { // the first to warm up
		for j := range events {
			err := alternate(j,
				func() error {
					took, err := baton.deliver(own)
					if i >= 0 {
						rounds[i].baton = append(rounds[i].baton, milliseconds(took))
					}
					return err
				},
				func() error {
					took, err := floor.deliver(bare)
					if i >= 0 {
						rounds[i].floor = append(rounds[i].floor, milliseconds(took))
					}
					return err
				})
			if err == nil {
				err = pause(ctx, calm)
			}
			if err != nil {
				return nil, err
			}
			if i < 0 && j == 2 {
				break
			}
		}
	}
	return rounds, nil
}

// oneEvent makes the feed's first event, by a handoff, and returns its frame.
func (in *installation) oneEvent(ctx context.Context) ([]byte, error) {
	base, stop, err := in.start(ctx, app.Options{API: true, Worker: true})
	if err != nil {
		return nil, err
	}
	defer stop()
	if _, err := in.handoffs(ctx, base, 1); err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, in.databaseURL)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(ctx) }()
	var data []byte
	err = conn.QueryRow(ctx, `SELECT data::text FROM feed_events WHERE account_id = $1 AND type = 'handoff_created' LIMIT 1`, in.account).Scan(&data)
	if err != nil {
		return nil, fmt.Errorf("reading an event: %w", err)
	}
	return bytes.Join([][]byte{[]byte("id: 1700000000000-1000\nevent: handoff_created\ndata: "), data, []byte("\n\n")}, nil), nil
}

// repeatEvent appends the account's event once more, as the store does it.
func (in *installation) repeatEvent(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `WITH head AS (UPDATE feed_heads SET last_seq = last_seq + 1 WHERE account_id = $1 RETURNING last_seq),
			model AS (SELECT * FROM feed_events WHERE account_id = $1 AND type = 'handoff_created' ORDER BY seq LIMIT 1)
		INSERT INTO feed_events (account_id, seq, type, handoff_id, data, created_at)
		SELECT $1, head.last_seq, model.type, model.handoff_id, model.data, now() FROM head, model`, in.account)
	if err != nil {
		return fmt.Errorf("appending an event: %w", err)
	}
	return nil
}
