package bench

import (
	"context"
	"errors"
	"fmt"
)

// measureMemory compares what an idle stream of a replica takes with one of a
// bare net/http server.
func measureMemory(ctx context.Context, b *bench) ([]Row, error) {
	if _, err := b.installed.oneEvent(ctx); err != nil {
		return nil, err
	}
	resident := make([]round, b.Sizes.Rounds)
	live := make([]round, b.Sizes.Rounds)
	stacks := make([]round, b.Sizes.Rounds)
	goroutines := make([]round, b.Sizes.Rounds)
	for i := range resident {
		baton, floor, stop, err := b.installed.startSides(ctx, b.Profile != "")
		if err != nil {
			return nil, err
		}
		err = alternate(i,
			func() error {
				m, err := perStream(baton, b.Sizes.IdleStreams)
				resident[i].baton, live[i].baton, stacks[i].baton, goroutines[i].baton = m.resident, m.live, m.stacks, m.goroutines
				return err
			},
			func() error {
				m, err := perStream(floor, b.Sizes.IdleStreams)
				resident[i].floor, live[i].floor, stacks[i].floor, goroutines[i].floor = m.resident, m.live, m.stacks, m.goroutines
				return err
			})
		if err == nil && b.Profile != "" {
			for _, s := range []*side{baton, floor} {
				_, profileErr := s.server.ask(order{Do: "heap", File: b.profile("memory-"+s.name) + ".heap"})
				err = errors.Join(err, profileErr)
			}
		}
		stop()
		if err != nil {
			return nil, err
		}
	}
	how := fmt.Sprintf("growth of the server's process while %d streams are opened, after a garbage collection, for each of them; fresh processes in each round", b.Sizes.IdleStreams)
	return []Row{
		ratioRow("resident memory of an idle stream ÷ bare net/http", "kB", resident, 0.5, 1.1, how),
		ratioRow("heap and stacks of an idle stream ÷ bare net/http", "kB", live, 0.5, 1.1, how),
		ratioRow("of it, stacks ÷ bare net/http", "kB", stacks, 0.5, 0, how),
		ratioRow("goroutines of an idle stream ÷ bare net/http", "", goroutines, 0.5, 0, how),
	}, nil
}

type perOne struct{ resident, live, stacks, goroutines []float64 }

func perStream(s *side, streams int) (perOne, error) {
	const warm = 100 // what a server needs once is not a stream's
	if err := s.open(warm); err != nil {
		return perOne{}, err
	}
	before, err := s.memory()
	if err != nil {
		return perOne{}, err
	}
	if err := s.open(streams); err != nil {
		return perOne{}, err
	}
	after, err := s.memory()
	if err != nil {
		return perOne{}, err
	}
	each := func(growth int64, unit float64) []float64 {
		return []float64{float64(growth) / unit / float64(streams)}
	}
	const kB = 1000
	return perOne{
		resident:   each(after.Resident-before.Resident, kB),
		live:       each(after.Heap+after.Stacks-before.Heap-before.Stacks, kB),
		stacks:     each(after.Stacks-before.Stacks, kB),
		goroutines: each(after.Goroutines-before.Goroutines, 1),
	}, nil
}
