package feed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

var errTable = errors.New("the database is away")

// table is a feed in memory whose moments a test decides: when it fails, is
// pruned, begins a new epoch. That the SQL does the same is the store's test.
type table struct {
	mu       sync.Mutex
	feeds    map[uuid.UUID]*storedFeed
	failures int // of the next calls
	calls    map[string]int
	// onHead runs in FeedHead after the head was read, as a slow answer would.
	onHead func()
}

type storedFeed struct {
	head   models.FeedHead
	events []models.FeedEvent
	// ever holds what each number has meant in each epoch.
	ever map[position]string
}

func newTable() *table {
	return &table{feeds: map[uuid.UUID]*storedFeed{}, calls: map[string]int{}}
}

// do runs change on a feed, which it makes when it is missing.
func (tb *table) do(account uuid.UUID, change func(f *storedFeed)) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	f := tb.feeds[account]
	if f == nil {
		f = &storedFeed{head: models.FeedHead{AccountID: account, Epoch: 1}, ever: map[position]string{}}
		tb.feeds[account] = f
	}
	change(f)
}

func (tb *table) add(account uuid.UUID, n int) {
	tb.do(account, func(f *storedFeed) {
		for range n {
			f.head.LastSeq++
			data := payload(account, f.head.Epoch, f.head.LastSeq)
			f.ever[position{f.head.Epoch, f.head.LastSeq}] = data
			f.events = append(f.events, models.FeedEvent{
				AccountID: account, Seq: f.head.LastSeq, Type: models.EventCreated, Data: []byte(data),
			})
		}
	})
}

func payload(account uuid.UUID, epoch, seq int64) string {
	return fmt.Sprintf(`{"account":%q,"event":"%d-%d"}`, account, epoch, seq)
}

func (tb *table) prune(account uuid.UUID, keep int) {
	tb.do(account, func(f *storedFeed) { f.events = slices.Clone(f.events[max(0, len(f.events)-keep):]) })
}

// restore begins a new epoch that still knows the events up to last.
func (tb *table) restore(account uuid.UUID, last int64) {
	tb.do(account, func(f *storedFeed) {
		f.head.Epoch++
		f.head.LastSeq = last
		f.events = slices.DeleteFunc(slices.Clone(f.events), func(e models.FeedEvent) bool { return e.Seq > last })
		for _, e := range f.events {
			f.ever[position{f.head.Epoch, e.Seq}] = string(e.Data)
		}
	})
}

func (tb *table) fail(calls int) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	tb.failures = calls
}

func (tb *table) count(call string) int {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	return tb.calls[call]
}

func (tb *table) end(account uuid.UUID) (head models.FeedHead, oldest int64) {
	tb.do(account, func(f *storedFeed) { head, oldest = f.end() })
	return head, oldest
}

func (f *storedFeed) end() (models.FeedHead, int64) {
	if len(f.events) == 0 {
		return f.head, f.head.LastSeq + 1
	}
	return f.head, f.events[0].Seq
}

func (tb *table) called(ctx context.Context, call string, want tenant.Scope) error {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	if got := tenant.From(ctx); got != want {
		panic(fmt.Sprintf("%s in scope %v, want %v", call, got, want))
	}
	tb.calls[call]++
	if tb.failures > 0 {
		tb.failures--
		return errTable
	}
	return ctx.Err()
}

func (tb *table) FeedHead(ctx context.Context, account uuid.UUID) (head models.FeedHead, oldest int64, err error) {
	if err := tb.called(ctx, "FeedHead", tenant.Scope{Account: account}); err != nil {
		return models.FeedHead{}, 0, err
	}
	head, oldest = tb.end(account)
	if tb.onHead != nil {
		tb.onHead()
	}
	return head, oldest, nil
}

func (tb *table) FeedHeads(ctx context.Context, accounts []uuid.UUID) ([]models.FeedHead, error) {
	if err := tb.called(ctx, "FeedHeads", tenant.Scope{System: true}); err != nil {
		return nil, err
	}
	var heads []models.FeedHead
	for _, a := range accounts {
		head, _ := tb.end(a)
		heads = append(heads, head)
	}
	return heads, nil
}

func (tb *table) FeedEvents(ctx context.Context, account uuid.UUID, after int64, limit int) (events []models.FeedEvent, err error) {
	if err := tb.called(ctx, "FeedEvents", tenant.Scope{Account: account}); err != nil {
		return nil, err
	}
	tb.do(account, func(f *storedFeed) {
		for _, e := range f.events {
			if e.Seq > after && len(events) < limit {
				events = append(events, e)
			}
		}
	})
	return events, nil
}
