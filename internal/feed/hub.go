// Package feed is the live side of an account's feed: it follows the table of
// events and hands each new event to the streams of its account, in order,
// once, without a gap.
//
// The truth is the table. Each replica's [Hub] keeps, for every account that
// somebody here listens to, the newest events as finished SSE frames; a
// [Subscription] is no more than a place in that sequence. A notification from
// PostgreSQL ([Listen], [Notifier]) only makes the hub look sooner than its
// next poll.
package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

// Source reads the stored feed. Package store implements it.
type Source interface {
	// FeedHead returns the end of an account's feed, which is made when it is
	// missing, and the oldest number still kept: LastSeq+1 when none is.
	FeedHead(ctx context.Context, account uuid.UUID) (head models.FeedHead, oldest int64, err error)
	// FeedHeads returns the ends of several feeds in one query.
	FeedHeads(ctx context.Context, accounts []uuid.UUID) ([]models.FeedHead, error)
	// FeedEvents returns up to limit events after a number, in order.
	FeedEvents(ctx context.Context, account uuid.UUID, after int64, limit int) ([]models.FeedEvent, error)
}

// Observer is told what the hub does, for metrics. It must not block.
type Observer interface {
	// FeedSubscribers is called with 1 and -1 as subscriptions come and go.
	FeedSubscribers(delta int)
	// FeedEvents is called with the number of events published to readers.
	FeedEvents(n int)
	// FeedResync is called for each reader that is told to resync.
	FeedResync(reason string)
}

type unobserved struct{}

func (unobserved) FeedSubscribers(int) {}
func (unobserved) FeedEvents(int)      {}
func (unobserved) FeedResync(string)   {}

// Options of a [Hub]. The zero value is ready to use.
type Options struct {
	// Ring is how many of an account's newest events are kept in memory, which
	// is how far a live reader may fall behind. 1,024 when 0.
	Ring int
	// RingBytes bounds the same events in bytes. 2 MiB when 0.
	RingBytes int
	// PollEvery is how often the database is asked when no wake-up comes.
	// A second when 0.
	PollEvery time.Duration
	// Linger is how long an account's events stay in memory after its last
	// reader has left. 30 seconds when 0.
	Linger time.Duration
	// Logger is slog.Default when nil.
	Logger *slog.Logger
	// Observer may be nil.
	Observer Observer
}

const (
	// maxPage is how many events are read from the database, or given to a
	// reader, at a time.
	maxPage = 256
	// maxReads bounds how many readers ask the database at once, so that a
	// crowd that reconnects leaves connections to those who write.
	maxReads     = 8
	queryTimeout = 5 * time.Second

	listenRetryMin = 100 * time.Millisecond
	listenRetryMax = 10 * time.Second
)

// ErrClosed is what a subscription returns after its Close or the hub's Stop.
var ErrClosed = errors.New("the feed is closed")

// Hub serves the feeds of one replica. Between Start and Stop its methods may
// be called by several goroutines.
type Hub struct {
	src    Source
	listen func(ctx context.Context, wake func()) error
	opt    Options
	page   int
	wake   chan struct{}
	reads  chan struct{}
	// readFailed is set while readers cannot catch up, to log that once.
	readFailed atomic.Bool

	cancel context.CancelFunc
	loops  sync.WaitGroup

	mu     sync.Mutex
	topics map[uuid.UUID]*topic
	closed bool
}

// NewHub returns a hub that is not yet started. listen, which may be nil, has
// to block, and to call wake after it connected and on each notification; when
// it returns, the hub calls it again after a while.
func NewHub(src Source, listen func(ctx context.Context, wake func()) error, o Options) *Hub {
	if o.Ring <= 0 {
		o.Ring = 1024
	}
	if o.RingBytes <= 0 {
		o.RingBytes = 2 << 20
	}
	if o.PollEvery <= 0 {
		o.PollEvery = time.Second
	}
	if o.Linger <= 0 {
		o.Linger = 30 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Observer == nil {
		o.Observer = unobserved{}
	}
	return &Hub{
		src: src, listen: listen, opt: o,
		// Publishing a quarter of the ring at a time leaves live readers the
		// time of the next query to take it.
		page:   max(1, min(maxPage, o.Ring/4)),
		wake:   make(chan struct{}, 1),
		cancel: func() {},
		reads:  make(chan struct{}, maxReads),
		topics: make(map[uuid.UUID]*topic),
	}
}

// Start begins to follow the feeds. Call it once.
func (h *Hub) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	h.cancel = cancel
	h.loops.Go(func() { h.follow(ctx) })
	if h.listen != nil {
		h.loops.Go(func() { h.keepListening(ctx) })
	}
}

// Stop ends all streams and waits until nothing of the hub runs any more.
func (h *Hub) Stop() {
	h.cancel()
	h.mu.Lock()
	h.closed = true
	for account, t := range h.topics {
		t.close()
		delete(h.topics, account)
	}
	h.mu.Unlock()
	h.loops.Wait()
}

// Wake makes the hub look for new events now. It never blocks; several calls
// in a row may have the effect of one.
func (h *Hub) Wake() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// follow looks for new events on every wake-up and on every tick.
func (h *Hub) follow(ctx context.Context) {
	tick := time.NewTicker(h.opt.PollEvery)
	defer tick.Stop()
	failing := false
	for {
		more, err := h.poll(ctx)
		if ctx.Err() != nil {
			return
		}
		wake := h.wake
		switch {
		case err != nil:
			// Wake-ups would only add load to a database in trouble.
			wake, more = nil, false
			if !failing {
				h.opt.Logger.Warn("The feed cannot be read; live streams wait.", "error", err)
			}
		case failing:
			h.opt.Logger.Info("The feed can be read again.")
		}
		failing = err != nil
		if more {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-tick.C:
		}
	}
}

// sighting is a topic and its era at the moment before the database is asked.
type sighting struct {
	topic *topic
	era   uint64
}

// poll brings every topic closer to its feed's end by a page of events. It
// reports whether there is more to read at once.
func (h *Hub) poll(ctx context.Context) (more bool, err error) {
	watched := h.watched()
	if len(watched) == 0 {
		return false, nil
	}
	accounts := make([]uuid.UUID, 0, len(watched))
	for account := range watched {
		accounts = append(accounts, account)
	}
	heads, err := h.heads(ctx, accounts)
	if err != nil {
		return false, err
	}
	var errs []error
	for _, head := range heads {
		seen, ok := watched[head.AccountID]
		if !ok {
			continue
		}
		behind, err := h.advance(ctx, seen, head)
		more = more || behind
		errs = append(errs, err)
	}
	return more, errors.Join(errs...)
}

// watched returns the topics to follow and forgets those that nobody has read
// for a while.
func (h *Hub) watched() map[uuid.UUID]sighting {
	h.mu.Lock()
	defer h.mu.Unlock()
	watched := make(map[uuid.UUID]sighting, len(h.topics))
	for account, t := range h.topics {
		if t.readers == 0 && time.Since(t.idleSince) >= h.opt.Linger {
			delete(h.topics, account)
			continue
		}
		watched[account] = sighting{t, t.state.Load().era}
	}
	return watched
}

// advance publishes the next page of a feed that ends at head, and reports
// whether there is another one.
func (h *Hub) advance(ctx context.Context, seen sighting, head models.FeedHead) (more bool, err error) {
	t := seen.topic
	st := t.state.Load()
	if st.era != seen.era {
		return true, nil // head may be older than the topic
	}
	if head.Epoch != st.epoch || head.LastSeq < st.head {
		t.reset(seen.era, head, ReasonEpoch)
		return false, nil
	}
	if head.LastSeq == st.head {
		return false, nil
	}
	events, err := h.events(ctx, t.account, st.head)
	if err != nil {
		return false, err
	}
	if !follows(events, st.head) {
		return false, h.mend(ctx, seen)
	}
	if t.publish(seen.era, events, h.opt.Ring, h.opt.RingBytes) {
		h.opt.Observer.FeedEvents(len(events))
	}
	return events[len(events)-1].Seq < head.LastSeq, nil
}

// mend resets a topic whose next events are not there: they are no longer
// kept, or the feed began anew in the meantime.
func (h *Hub) mend(ctx context.Context, seen sighting) error {
	t := seen.topic
	heads, err := h.heads(ctx, []uuid.UUID{t.account})
	if err != nil {
		return err
	}
	if len(heads) == 0 {
		return fmt.Errorf("the feed of account %s has no head", t.account)
	}
	why := ReasonExpired
	if heads[0].Epoch != t.state.Load().epoch {
		why = ReasonEpoch
	}
	t.reset(seen.era, heads[0], why)
	return nil
}

// follows reports whether events are the ones right after seq, without a gap.
func follows(events []models.FeedEvent, seq int64) bool {
	for i, e := range events {
		if e.Seq != seq+1+int64(i) {
			return false
		}
	}
	return len(events) > 0
}

func (h *Hub) heads(ctx context.Context, accounts []uuid.UUID) ([]models.FeedHead, error) {
	ctx, cancel := context.WithTimeout(tenant.System(ctx), queryTimeout)
	defer cancel()
	heads, err := h.src.FeedHeads(ctx, accounts)
	if err != nil {
		return nil, fmt.Errorf("reading the ends of %d feeds: %w", len(accounts), err)
	}
	return heads, nil
}

func (h *Hub) events(ctx context.Context, account uuid.UUID, after int64) ([]models.FeedEvent, error) {
	ctx, cancel := context.WithTimeout(tenant.With(ctx, account), queryTimeout)
	defer cancel()
	events, err := h.src.FeedEvents(ctx, account, after, h.page)
	if err != nil {
		return nil, fmt.Errorf("reading the feed of account %s after %d: %w", account, after, err)
	}
	return events, nil
}

// keepListening restarts listen whenever it ends. Polling goes on meanwhile.
func (h *Hub) keepListening(ctx context.Context) {
	wait := listenRetryMin
	for {
		var connected atomic.Bool
		err := h.listen(ctx, func() {
			connected.Store(true)
			h.Wake()
		})
		if ctx.Err() != nil {
			return
		}
		if connected.Load() {
			wait = listenRetryMin
		}
		// Replicas that lost the same server should not come back together.
		pause := wait/2 + rand.N(wait)
		h.opt.Logger.Warn("Listening for feed notifications ended; polling goes on.", "error", err, "retry_in", pause)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		wait = min(2*wait, listenRetryMax)
	}
}
