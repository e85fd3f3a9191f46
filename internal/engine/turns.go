package engine

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
)

// turnWait bounds how long a claim waits for another one. It is some times what
// a claim takes, so that a race is over by then, and little beside what anybody
// notices, because a claim that is stuck must not hold up the others.
const turnWait = 200 * time.Millisecond

// turns lets the claims of one handoff that reach this replica together ask the
// workflow one after another. Who has waited looks at the row again, and is
// most often refused from there: fifty people who want the same handoff are
// one Update and not fifty. It decides nothing, and who has waited long enough
// asks without a turn.
type turns struct {
	mu    sync.Mutex
	taken map[uuid.UUID]chan struct{}
}

// take takes the turn for a handoff, which has to be given back. When somebody
// else has it, take returns a channel that is closed when it is given back.
func (t *turns) take(handoff uuid.UUID) (giveBack func(), over <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if over := t.taken[handoff]; over != nil {
		return nil, over
	}
	if t.taken == nil {
		t.taken = make(map[uuid.UUID]chan struct{})
	}
	mine := make(chan struct{})
	t.taken[handoff] = mine
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.taken, handoff)
		close(mine)
	}, nil
}

// await waits for the end of another one's turn, but not for long.
func await(ctx context.Context, over <-chan struct{}) {
	long := time.NewTimer(turnWait)
	defer long.Stop()
	select {
	case <-over:
	case <-long.C:
	case <-ctx.Done():
	}
}
