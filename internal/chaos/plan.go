package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// planned is one fault of a plan.
type planned struct {
	at   time.Duration
	last time.Duration // how long it is left so
	fault
	on string // the part or link that it is done to
}

// makePlan decides what goes wrong when. The same seed, duration and system
// make the same plan. Only what has only in its name is broken.
func makePlan(seed uint64, duration time.Duration, s *system, only string) []planned {
	rng := rand.New(rand.NewPCG(seed, 1))
	all := faults(s)
	for i := range all {
		all[i].on = slices.DeleteFunc(slices.Clone(all[i].on), func(on string) bool { return !strings.Contains(on, only) })
	}
	all = slices.DeleteFunc(all, func(f fault) bool { return len(f.on) == 0 })
	if len(all) == 0 {
		return nil
	}
	total := 0
	for _, f := range all {
		total += f.weight
	}
	busy := map[string]time.Duration{} // until when
	var plan []planned
	at := time.Second
	for at < duration {
		pick := rng.IntN(total)
		var f fault
		for _, f = range all {
			if pick -= f.weight; pick < 0 {
				break
			}
		}
		on := f.on[rng.IntN(len(f.on))]
		last := f.least
		if f.most > f.least {
			last += time.Duration(rng.Int64N(int64(f.most - f.least)))
		}
		if busy[on] <= at && at+last < duration {
			busy[on] = at + last + time.Second
			plan = append(plan, planned{at: at, last: last, fault: f, on: on})
		}
		at += time.Duration(200+rng.IntN(2500)) * time.Millisecond
		if rng.IntN(12) == 0 {
			at += 6 * time.Second // a time to recover
		}
	}
	return plan
}

// carryOut does what the plan says, until it is done or ctx ends.
func carryOut(ctx context.Context, s *system, plan []planned, began time.Time, note func(kind, what string)) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	failed := make(chan error, len(plan))
	// A restart takes as long as it takes: what comes next waits for it.
	holds := map[string]*sync.Mutex{}
	for _, p := range plan {
		holds[p.on] = &sync.Mutex{}
	}
	for _, p := range plan {
		if !wait(ctx, time.Until(began.Add(p.at))) {
			return nil
		}
		wg.Go(func() {
			hold := holds[p.on]
			hold.Lock()
			defer hold.Unlock()
			if err := p.carryOut(ctx, s, note); err != nil {
				failed <- err
			}
		})
		select {
		case err := <-failed:
			return err
		default:
		}
	}
	wg.Wait()
	close(failed)
	return <-failed
}

func (p planned) carryOut(ctx context.Context, s *system, note func(kind, what string)) error {
	note(p.name, fmt.Sprintf("%s %s", p.name, p.on))
	// Once begun, a fault is ended: nothing may be left half done.
	ctx = context.WithoutCancel(ctx)
	if err := p.strike(ctx, s, p.on); err != nil {
		return fmt.Errorf("%s %s: %w", p.name, p.on, err)
	}
	if p.end == nil {
		return nil
	}
	wait(ctx, p.last)
	if err := p.end(ctx, s, p.on); err != nil {
		return fmt.Errorf("ending %s %s: %w", p.name, p.on, err)
	}
	note("", fmt.Sprintf("%s %s: over", p.name, p.on))
	return nil
}

// wait waits, and reports whether ctx lasted as long.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
