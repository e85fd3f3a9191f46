package bench

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/baton-handoff/baton/internal/app"
)

// inParallel is how many clients ask at once.
const inParallel = 16

// measureThroughput shows how many creates and claims a second there are, for
// different numbers of workers, and what bare Temporal does on the same
// machine. Clients, API, workers, Temporal and PostgreSQL share its cores.
func measureThroughput(ctx context.Context, b *bench) ([]Row, error) {
	var rows []Row
	for _, workers := range b.Sizes.Workers {
		more, err := b.throughput(ctx, workers)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

func (b *bench) throughput(ctx context.Context, workers int) ([]Row, error) {
	w, leave, err := b.world(ctx) // with a first worker
	if err != nil {
		return nil, err
	}
	defer leave()
	for range workers - 1 {
		_, stop, err := w.start(ctx, app.Options{Worker: true})
		if err != nil {
			return nil, err
		}
		defer stop()
	}
	creates, claims := make([]round, b.Sizes.Rounds), make([]round, b.Sizes.Rounds)
	for i := range b.Sizes.Rounds {
		if err := w.many(ctx, b.Sizes.Batch, &creates[i], &claims[i]); err != nil {
			return nil, err
		}
	}
	how := fmt.Sprintf("%d of them at once in each round; the bare worker is one, whatever their number. Here more is better", b.Sizes.Batch)
	with := fmt.Sprintf(", %d clients, workers: %d", inParallel, workers)
	return []Row{
		ratioRow("creates a second ÷ bare starts"+with, "/s", creates, 0.5, 0, how),
		ratioRow("claims a second ÷ bare Updates"+with, "/s", claims, 0.5, 0, how),
	}, nil
}

// many creates n handoffs and claims them, and does the same to bare workflows.
func (w *world) many(ctx context.Context, n int, creates, claims *round) error {
	sessions, handoffs, bare := make([]uuid.UUID, n), make([]handoff, n), make([]string, n)
	err := each(ctx, n, func(ctx context.Context, i int) (err error) {
		sessions[i], err = w.session(ctx, w.base)
		return err
	})
	if err != nil {
		return err
	}
	settleHandoffs := func() error {
		return each(ctx, n, func(ctx context.Context, i int) error { return w.settled(ctx, handoffs[i].workflow()) })
	}
	settleBare := func() error {
		return each(ctx, n, func(ctx context.Context, i int) error { return w.settled(ctx, bare[i]) })
	}
	for _, step := range []struct {
		rates  *[]float64
		do     func(ctx context.Context, i int) error
		settle func() error
	}{
		{&creates.baton, func(ctx context.Context, i int) (err error) {
			handoffs[i], _, err = w.handOff(ctx, w.base, sessions[i])
			return err
		}, settleHandoffs},
		{&creates.floor, func(ctx context.Context, i int) (err error) {
			bare[i], _, err = w.bare.begin(ctx)
			return err
		}, settleBare},
		{&claims.floor, func(ctx context.Context, i int) error {
			_, err := w.bare.update(ctx, bare[i])
			return err
		}, settleBare},
		{&claims.baton, func(ctx context.Context, i int) error {
			senior := w.seniors[i%len(w.seniors)]
			_, _, err := senior.expect(ctx, http.StatusOK, http.MethodPost, handoffs[i].url(w.base)+"/claim", "{}")
			return err
		}, settleHandoffs},
	} {
		perSecond, err := rate(ctx, n, step.do)
		if err == nil {
			err = step.settle()
		}
		if err != nil {
			return err
		}
		*step.rates = append(*step.rates, perSecond)
	}
	return nil
}

// rate says how many of n calls there were a second.
func rate(ctx context.Context, n int, do func(ctx context.Context, i int) error) (float64, error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(inParallel)
	began := time.Now()
	for i := range n {
		group.Go(func() error { return do(ctx, i) })
	}
	err := group.Wait()
	return float64(n) / time.Since(began).Seconds(), err
}
