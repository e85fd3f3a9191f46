package bench

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/google/uuid"

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
	n := b.Sizes.ThroughputPerWorkerRun
	sessions := make([]uuid.UUID, n)
	if err := each(ctx, n, func(ctx context.Context, i int) (err error) {
		sessions[i], err = w.session(ctx, w.base)
		return err
	}); err != nil {
		return nil, err
	}
	handoffs, bare := make([]handoff, n), make([]string, n)
	creates, err := rate(ctx, n, func(ctx context.Context, i int) (err error) {
		handoffs[i], _, err = w.handOff(ctx, w.base, sessions[i])
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, h := range handoffs {
		if err := w.settled(ctx, h.workflow()); err != nil {
			return nil, err
		}
	}
	starts, err := rate(ctx, n, func(ctx context.Context, i int) (err error) {
		bare[i], _, err = w.bare.begin(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, id := range bare {
		if err := w.settled(ctx, id); err != nil {
			return nil, err
		}
	}
	updates, err := rate(ctx, n, func(ctx context.Context, i int) error {
		_, err := w.bare.update(ctx, bare[i])
		return err
	})
	if err != nil {
		return nil, err
	}
	claims, err := rate(ctx, n, func(ctx context.Context, i int) error {
		senior := w.seniors[i%len(w.seniors)]
		_, _, err := senior.expect(ctx, http.StatusOK, http.MethodPost, handoffs[i].url(w.base)+"/claim", "{}")
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, h := range handoffs {
		if err := w.settled(ctx, h.workflow()); err != nil {
			return nil, err
		}
	}
	row := func(what string, baton, floor float64) Row {
		ratio := baton / floor
		return Row{
			What: fmt.Sprintf("%s, %d clients, %d workers", what, inParallel, workers), Unit: "/s",
			Baton: Spread{baton, baton, baton}, Floor: &Spread{floor, floor, floor}, Ratio: &Spread{ratio, ratio, ratio},
			How: fmt.Sprintf("%d of them, one run; here more is better. The bare worker is one, whatever their number", n),
		}
	}
	return []Row{
		row("creates a second ÷ bare starts", creates, starts),
		row("claims a second ÷ bare Updates", claims, updates),
	}, nil
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
