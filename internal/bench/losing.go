package bench

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
)

// measureLosing compares the refusal of a claim that comes too late with one
// indexed SELECT behind gin, which it cannot do without.
func measureLosing(ctx context.Context, b *bench) ([]Row, error) {
	w, leave, err := b.world(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	handoffs, err := w.handoffs(ctx, w.base, 1)
	if err != nil {
		return nil, err
	}
	h := handoffs[0]
	if _, err := w.claim(ctx, h); err != nil {
		return nil, err
	}
	floor, stop, err := bareGin(ctx, w.databaseURL, w.account)
	if err != nil {
		return nil, err
	}
	defer stop()

	loser := w.seniors[1]
	lose := func(base string) (float64, error) {
		_, took, err := loser.expect(ctx, http.StatusConflict, http.MethodPost, h.url(base)+"/claim", "{}")
		return milliseconds(took), err
	}
	for range 50 { // prepares statements
		if _, err := lose(w.base); err != nil {
			return nil, err
		}
		if _, err := lose(floor); err != nil {
			return nil, err
		}
	}
	rounds := make([]round, b.Sizes.Rounds)
	for i := range rounds {
		for j := range b.Sizes.Losing {
			err := alternate(j,
				func() error {
					took, err := lose(w.base)
					rounds[i].baton = append(rounds[i].baton, took)
					return err
				},
				func() error {
					took, err := lose(floor)
					rounds[i].floor = append(rounds[i].floor, took)
					return err
				})
			if err != nil {
				return nil, err
			}
		}
	}
	const how = "claims of a handoff that somebody else holds, answered 409 from the read model ÷ a gin handler that reads the same row by its key through a pgx pool and answers 409; one at a time, alternating, same client"
	return []Row{
		ratioRow("losing claim ÷ gin with one SELECT, p50", "ms", rounds, 0.5, 1.5, how),
		ratioRow("losing claim ÷ gin with one SELECT, p99", "ms", rounds, 0.99, 0, how),
	}, nil
}

// bareGin serves the refusal with the least that can be done: no
// authentication, no row-level security, no checks.
func bareGin(ctx context.Context, databaseURL string, account uuid.UUID) (base string, stop func(), err error) {
	pool, err := pgxpool.New(ctx, databaseURL)
	if err != nil {
		return "", nil, err
	}
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.POST("/api/v1/ai-sessions/:id/handoffs/:hid/claim", func(c *gin.Context) {
		id, err := uuid.Parse(c.Param("hid"))
		if err != nil {
			c.Status(http.StatusNotFound)
			return
		}
		var by *uuid.UUID
		var at *time.Time
		err = pool.QueryRow(c.Request.Context(), `SELECT claimed_by, claimed_at FROM handoffs WHERE account_id = $1 AND id = $2`,
			account, id).Scan(&by, &at)
		if err != nil {
			c.Status(http.StatusInternalServerError)
			return
		}
		c.JSON(http.StatusConflict, gin.H{
			"type": "about:blank", "title": "Already claimed", "status": http.StatusConflict, "code": "already_claimed",
			"detail": gin.H{"error": "already_claimed", "claimed_by_id": by, "claimed_by_name": "Senior 0", "claimed_at": at},
		})
	})
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		pool.Close()
		return "", nil, fmt.Errorf("listening: %w", err)
	}
	server := &http.Server{Handler: e, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	return "http://" + listener.Addr().String(), func() { _ = server.Close(); pool.Close() }, nil
}
