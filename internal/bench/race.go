package bench

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// measureRaces lets many people claim one handoff at the same moment, again
// and again. Two winners, or none, are an error: then no number matters.
func measureRaces(ctx context.Context, b *bench) ([]Row, error) {
	w, leave, err := b.world(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	rounds := make([]round, b.Sizes.Rounds)
	var winners []float64
	for i := range rounds {
		handoffs, err := w.handoffs(ctx, w.base, 2*b.Sizes.Races)
		if err != nil {
			return nil, err
		}
		for j := range b.Sizes.Races {
			alone, wanted := handoffs[2*j], handoffs[2*j+1]
			err := alternate(j,
				func() error {
					answers, won, err := w.race(ctx, wanted, b.Sizes.Clients)
					rounds[i].baton = append(rounds[i].baton, answers...)
					winners = append(winners, float64(won))
					return err
				},
				func() error {
					took, err := w.claim(ctx, alone)
					rounds[i].floor = append(rounds[i].floor, milliseconds(took))
					return err
				})
			if err != nil {
				return nil, err
			}
		}
	}
	how := fmt.Sprintf("%d clients with open connections claim one handoff at the same moment; all their answers, the winner's and the losers', against claims of other handoffs, one at a time, between the races", b.Sizes.Clients)
	what := fmt.Sprintf("race of %d clients, p99 of all answers ÷ an uncontended claim", b.Sizes.Clients)
	return []Row{
		ratioRowOf(what+", p50", "ms", rounds, 0.99, 0.5, 3, how),
		ratioRowOf(what+", p99", "ms", rounds, 0.99, 0.99, 0, how),
		{
			What: "winners of a race", Baton: spread(winners), Target: 1,
			How: fmt.Sprintf("counted from the answers of %d races; any other number than one ends the run with an error", len(winners)),
		},
	}, nil
}

// race returns what each client waited for its answer, from the common start,
// and how many of them won.
func (w *world) race(ctx context.Context, h handoff, clients int) (answers []float64, winners int, err error) {
	// Everybody has a connection open and is known, as in a team that watches
	// the queue.
	for _, senior := range w.seniors[:clients] {
		if _, _, err := senior.expect(ctx, http.StatusOK, http.MethodGet, w.base+"/api/v1/me", ""); err != nil {
			return nil, 0, err
		}
	}
	start := make(chan struct{})
	answers = make([]float64, clients)
	statuses := make([]int, clients)
	errs := make([]error, clients)
	var began time.Time
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			<-start
			statuses[i], _, _, errs[i] = w.seniors[i].call(ctx, http.MethodPost, h.url(w.base)+"/claim", "{}")
			answers[i] = milliseconds(time.Since(began))
		})
	}
	began = time.Now()
	close(start)
	all.Wait()
	for i, status := range statuses {
		switch {
		case errs[i] != nil:
			return nil, 0, errs[i]
		case status == http.StatusOK:
			winners++
		case status != http.StatusConflict:
			return nil, 0, fmt.Errorf("a claim in a race was answered HTTP %d", status)
		}
	}
	if winners != 1 {
		return nil, winners, fmt.Errorf("a race for handoff %s had %d winners", h.ID, winners)
	}
	if err := w.settled(ctx, h.workflow()); err != nil {
		return nil, winners, err
	}
	return answers, winners, pause(ctx, calm)
}
