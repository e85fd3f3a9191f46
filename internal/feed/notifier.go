package feed

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Notifier tells the other replicas that there are new events. NOTIFY takes a
// lock of the whole PostgreSQL cluster until it is committed, so it is sent
// outside of the transactions that write, and once for many of them. One that
// fails is only logged, because every hub polls.
type Notifier struct {
	send     func(ctx context.Context) error
	debounce time.Duration
	log      *slog.Logger
	wake     chan struct{}
	cancel   context.CancelFunc
	loop     sync.WaitGroup
}

// NewNotifier returns a notifier that is not yet started. It calls send at
// once for a first wake-up, and for those that follow at most every debounce.
func NewNotifier(send func(ctx context.Context) error, debounce time.Duration, log *slog.Logger) *Notifier {
	return &Notifier{
		send: send, debounce: debounce, log: log,
		wake:   make(chan struct{}, 1),
		cancel: func() {},
	}
}

// Wake asks for a notification. It never blocks.
func (n *Notifier) Wake() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// Start begins to send. Call it once.
func (n *Notifier) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	n.loop.Go(func() { n.run(ctx) })
}

// Stop ends sending and waits for it. What is not sent yet is left to polling.
func (n *Notifier) Stop() {
	n.cancel()
	n.loop.Wait()
}

func (n *Notifier) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.wake:
		}
		sendCtx, cancel := context.WithTimeout(ctx, queryTimeout)
		err := n.send(sendCtx)
		cancel()
		if err != nil && ctx.Err() == nil {
			n.log.Warn("Other replicas were not notified of new events; they find them by polling.", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(n.debounce):
		}
	}
}
