package activities

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
)

// turns counts what runs for each account.
type turns struct {
	mu      sync.Mutex
	running map[uuid.UUID]int
}

// acquire takes one of the account's turns, of which there are most, if one is
// left.
func (t *turns) acquire(account uuid.UUID, most int) (release func(), ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running == nil {
		t.running = map[uuid.UUID]int{}
	}
	if t.running[account] >= most {
		return nil, false
	}
	t.running[account]++
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.running[account]--; t.running[account] == 0 {
			delete(t.running, account)
		}
	}, true
}

// busy asks to be tried again later. It is no attempt: nobody was called. It
// must not wait for its turn, and a thousand must not ask for it every second.
func busy(ctx context.Context, why string) error {
	most := min(time.Second<<min(attempt(ctx), 6), time.Minute)
	return temporal.NewApplicationErrorWithOptions(why, "busy",
		temporal.ApplicationErrorOptions{NextRetryDelay: most/2 + rand.N(most/2), Category: temporal.ApplicationErrorCategoryBenign})
}

// keepAlive lets Temporal know that an attempt is alive, so that a worker that
// was killed is missed soon. When the worker stops, the attempt is given a
// little more time, and then cut short by cut. The returned function ends this.
func keepAlive(ctx context.Context, every time.Duration, cut func()) (stop func()) {
	done := make(chan struct{})
	activity.RecordHeartbeat(ctx)
	var beating sync.WaitGroup
	beating.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		stopping := activity.GetWorkerStopChannel(ctx)
		var late <-chan time.Time
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				activity.RecordHeartbeat(ctx)
			case <-stopping:
				stopping, late = nil, time.After(stopGrace)
			case <-late:
				cut()
				late = nil
			}
		}
	})
	return func() { close(done); beating.Wait() }
}
