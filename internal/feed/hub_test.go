package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

var (
	acme  = uuid.MustParse("00000000-0000-4000-8000-00000000000a")
	other = uuid.MustParse("00000000-0000-4000-8000-00000000000b")
	quiet = slog.New(slog.DiscardHandler)
)

// counts is an Observer.
type counts struct {
	subscribers, events atomic.Int64
	mu                  sync.Mutex
	resyncs             []string
}

func (c *counts) FeedSubscribers(delta int) { c.subscribers.Add(int64(delta)) }
func (c *counts) FeedEvents(n int)          { c.events.Add(int64(n)) }
func (c *counts) FeedResync(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.resyncs = append(c.resyncs, reason)
}

// inBubble runs a test in which time passes only while everybody waits, with a
// hub on a table that already has three events of acme.
func inBubble(t *testing.T, o Options, test func(t *testing.T, tb *table, h *Hub)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tb := newTable()
		tb.add(acme, 3)
		if o.Logger == nil {
			o.Logger = quiet
		}
		h := NewHub(tb, nil, o)
		h.Start()
		defer h.Stop()
		test(t, tb, h)
	})
}

func subscribe(t require.TestingT, h *Hub, account uuid.UUID, lastEventID string) *Subscription {
	s, err := h.Subscribe(context.Background(), account, lastEventID)
	require.NoError(t, err)
	return s
}

// item is a frame, taken apart.
type item struct {
	at          position
	event, data string
}

func parse(t require.TestingT, frame []byte) item {
	lines := strings.Split(string(frame), "\n")
	require.Len(t, lines, 5, "frame %q", frame)
	require.Empty(t, lines[3]+lines[4], "frame %q", frame)
	field := func(i int, name string) string {
		value, ok := strings.CutPrefix(lines[i], name+": ")
		require.True(t, ok, "frame %q", frame)
		return value
	}
	at, err := parsePosition(field(0, "id"))
	require.NoError(t, err)
	return item{at, field(1, "event"), field(2, "data")}
}

// read takes what comes within d.
func read(t require.TestingT, s *Subscription, d time.Duration) (items []item, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	for {
		frames, err := s.Next(ctx, nil)
		if err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				err = nil
			}
			return items, err
		}
		require.NotEmpty(t, frames)
		for _, f := range frames {
			items = append(items, parse(t, f))
		}
	}
}

// ids reads for d and writes down what came: an id per event, "resync:why@id"
// for a resync.
func ids(t require.TestingT, s *Subscription, d time.Duration) []string {
	items, err := read(t, s, d)
	list := []string{}
	for _, i := range items {
		if i.event == string(models.EventResync) {
			why := strings.TrimSuffix(strings.TrimPrefix(i.data, `{"reason":"`), `"}`)
			list = append(list, fmt.Sprintf("resync:%s@%s", why, i.at))
		} else {
			list = append(list, i.at.String())
		}
	}
	if err != nil {
		list = append(list, err.Error())
	}
	return list
}

func TestLiveEvents(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, tb *table, h *Hub) {
		a, b, c := subscribe(t, h, acme, ""), subscribe(t, h, acme, ""), subscribe(t, h, other, "")
		require.Equal(t, "1-3", a.Start())
		require.Equal(t, "1-0", c.Start())

		tb.add(acme, 2)
		h.Wake()
		require.Equal(t, []string{"1-4", "1-5"}, ids(t, a, time.Millisecond))
		tb.add(acme, 1)
		h.Wake()
		require.Equal(t, []string{"1-6"}, ids(t, a, time.Millisecond))
		require.Equal(t, []string{"1-4", "1-5", "1-6"}, ids(t, b, time.Millisecond))
		require.Empty(t, ids(t, c, time.Millisecond), "another account's events")
	})
}

func TestPollFindsWhatNobodyAnnounced(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, tb *table, h *Hub) {
		s := subscribe(t, h, acme, "")
		synctest.Wait() // for the poll at the start
		tb.add(acme, 1)
		require.Empty(t, ids(t, s, 900*time.Millisecond))
		require.Equal(t, []string{"1-4"}, ids(t, s, 200*time.Millisecond))
	})
}

func TestWakesCoalesce(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, tb *table, h *Hub) {
		s := subscribe(t, h, acme, "")
		defer s.Close()
		synctest.Wait()
		before := tb.count("FeedHeads")
		for range 1000 {
			h.Wake()
		}
		synctest.Wait()
		require.LessOrEqual(t, tb.count("FeedHeads")-before, 1000/10)
	})
}

func TestReplay(t *testing.T) {
	for name, test := range map[string]struct {
		lastID string
		want   []string
	}{
		"nothing missed":          {"1-9", []string{"1-10"}},
		"something missed":        {"1-7", []string{"1-8", "1-9", "1-10"}},
		"the oldest that is kept": {"1-4", []string{"1-5", "1-6", "1-7", "1-8", "1-9", "1-10"}},
		"older than kept":         {"1-3", []string{"resync:expired@1-9", "1-10"}},
		"other epoch":             {"7-9", []string{"resync:epoch@1-9", "1-10"}},
		"beyond the end":          {"1-12", []string{"resync:unknown_id@1-9", "1-10"}},
		"malformed":               {"nonsense", []string{"resync:unknown_id@1-9", "1-10"}},
	} {
		for _, known := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, topic known: %v", name, known), func(t *testing.T) {
				inBubble(t, Options{}, func(t *testing.T, tb *table, h *Hub) {
					tb.add(acme, 6)
					tb.prune(acme, 5)
					if known {
						defer subscribe(t, h, acme, "").Close()
					}
					s := subscribe(t, h, acme, test.lastID)
					tb.add(acme, 1) // live events wait for the replay
					h.Wake()
					synctest.Wait()
					want := test.want
					if known && test.lastID == "1-3" {
						// Found out only now, so the reader begins at what is the end now.
						want = []string{"resync:expired@1-10"}
					}
					require.Equal(t, want, ids(t, s, time.Millisecond))
				})
			})
		}
	}
}

func TestReplayOfManyPages(t *testing.T) {
	inBubble(t, Options{Ring: 8}, func(t *testing.T, tb *table, h *Hub) {
		tb.add(acme, 997)
		s := subscribe(t, h, acme, "1-0")
		h.Wake()
		items, err := read(t, s, time.Millisecond)
		require.NoError(t, err)
		require.Len(t, items, 1000)
		for i, it := range items {
			require.Equal(t, position{1, int64(i) + 1}, it.at)
			require.Equal(t, payload(acme, 1, int64(i)+1), it.data)
		}
	})
}

func TestReconnectWithinTheRingAsksNobody(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, tb *table, h *Hub) {
		defer subscribe(t, h, acme, "").Close()
		tb.add(acme, 5)
		h.Wake()
		synctest.Wait()
		heads, pages := tb.count("FeedHead"), tb.count("FeedEvents")
		for _, last := range []string{"", "1-3", "1-6", "1-8"} {
			s := subscribe(t, h, acme, last)
			_, err := read(t, s, time.Millisecond)
			require.NoError(t, err)
			s.Close()
		}
		require.Equal(t, heads, tb.count("FeedHead"))
		require.Equal(t, pages, tb.count("FeedEvents"))
	})
}

func TestReaderThatComesFromAReplicaAhead(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, tb *table, h *Hub) {
		defer subscribe(t, h, acme, "").Close()
		synctest.Wait()
		tb.add(acme, 4) // this hub has not heard of them
		s := subscribe(t, h, acme, "1-6")
		require.Equal(t, []string{"1-7"}, ids(t, s, time.Millisecond))

		tb.restore(acme, 2)
		tb.add(acme, 2)
		s = subscribe(t, h, acme, "2-3")
		require.Equal(t, []string{"2-4"}, ids(t, s, time.Millisecond))
	})
}

func TestNewEpochWhileStreaming(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, tb *table, h *Hub) {
		a, b := subscribe(t, h, acme, ""), subscribe(t, h, acme, "1-1")
		tb.restore(acme, 1)
		tb.add(acme, 1)
		h.Wake()
		synctest.Wait()
		tb.add(acme, 1)
		h.Wake()
		synctest.Wait()
		require.Equal(t, []string{"resync:epoch@2-3"}, ids(t, a, time.Millisecond))
		require.Equal(t, []string{"resync:epoch@2-3"}, ids(t, b, time.Millisecond), "one, though it had a replay to do")
		tb.add(acme, 1)
		h.Wake()
		require.Equal(t, []string{"2-4"}, ids(t, a, time.Millisecond))
	})
}

func TestEventsVanishUnderLiveReaders(t *testing.T) {
	for name, test := range map[string]struct {
		change func(tb *table)
		want   string
	}{
		"pruned before they were read": {func(tb *table) { tb.add(acme, 5); tb.prune(acme, 1) }, "resync:expired@1-8"},
		"lost without a new epoch":     {func(tb *table) { tb.restore(acme, 1); tb.do(acme, func(f *storedFeed) { f.head.Epoch = 1 }) }, "resync:epoch@1-1"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Options{}, func(t *testing.T, tb *table, h *Hub) {
				s := subscribe(t, h, acme, "")
				synctest.Wait()
				test.change(tb)
				h.Wake()
				require.Equal(t, []string{test.want}, ids(t, s, time.Millisecond))
			})
		})
	}
}

func TestSlowReaderIsToldAndDropped(t *testing.T) {
	observed := &counts{}
	inBubble(t, Options{Ring: 8, Observer: observed}, func(t *testing.T, tb *table, h *Hub) {
		slow, quick, edge := subscribe(t, h, acme, ""), subscribe(t, h, acme, ""), subscribe(t, h, acme, "")
		for _, s := range []*Subscription{slow, quick, edge} {
			require.Empty(t, ids(t, s, time.Millisecond))
		}
		tb.add(acme, 1)
		h.Wake()
		require.Len(t, ids(t, quick, time.Millisecond), 1)
		require.Len(t, ids(t, edge, time.Millisecond), 1)
		tb.add(acme, 8)
		h.Wake()
		synctest.Wait()
		require.Len(t, ids(t, edge, time.Millisecond), 8, "as far behind as the ring is long")
		require.Equal(t, []string{"resync:slow@1-12", ErrDropped.Error()}, ids(t, slow, time.Millisecond))
		_, err := slow.Next(context.Background(), nil)
		require.ErrorIs(t, err, ErrDropped)
		require.Len(t, ids(t, quick, time.Millisecond), 8, "nobody else notices")
		require.Equal(t, []string{"slow"}, observed.resyncs)
		require.Equal(t, int64(9), observed.events.Load())
	})
}

// Before it has caught up a reader may be behind as far as it likes.
func TestReplayingReaderIsNotSlow(t *testing.T) {
	inBubble(t, Options{Ring: 4}, func(t *testing.T, tb *table, h *Hub) {
		tb.add(acme, 97)
		s := subscribe(t, h, acme, "1-0")
		for last := int64(0); last < 200; {
			frames, err := s.Next(context.Background(), nil)
			require.NoError(t, err)
			for _, f := range frames {
				last++
				require.Equal(t, position{1, last}, parse(t, f).at)
			}
			if last < 100 {
				tb.add(acme, 1)
				h.Wake()
				synctest.Wait()
			} else if head, _ := tb.end(acme); head.LastSeq < 200 {
				tb.add(acme, int(200-head.LastSeq))
				synctest.Wait()
			}
		}
	})
}

func TestDatabaseTroubleLosesNothing(t *testing.T) {
	var log strings.Builder
	inBubble(t, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}, func(t *testing.T, tb *table, h *Hub) {
		live := subscribe(t, h, acme, "")
		behind := subscribe(t, h, acme, "1-1")
		tb.fail(7)
		tb.add(acme, 2)
		for range 100 {
			h.Wake() // must not turn into a hundred queries
			synctest.Wait()
		}
		require.LessOrEqual(t, tb.count("FeedHeads"), 3)
		require.Empty(t, ids(t, live, 900*time.Millisecond))
		require.Equal(t, []string{"1-4", "1-5"}, ids(t, live, 20*time.Second))
		require.Equal(t, []string{"1-2", "1-3", "1-4", "1-5"}, ids(t, behind, 20*time.Second))
		require.Equal(t, 1, strings.Count(log.String(), "live streams wait"), log.String())
		require.Equal(t, 1, strings.Count(log.String(), "can be read again"), log.String())
	})
}

func TestCatchingUpWaitsForTheDatabase(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, tb *table, h *Hub) {
		s := subscribe(t, h, acme, "1-1")
		synctest.Wait()
		tb.fail(5)
		require.Equal(t, []string{"1-2", "1-3"}, ids(t, s, 20*time.Second))
	})
}

func TestSubscribeFailsWhileTheDatabaseIsAway(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, tb *table, h *Hub) {
		tb.fail(1)
		_, err := h.Subscribe(context.Background(), acme, "")
		require.Equal(t, models.CodeUnavailable, models.CodeOf(err))
		require.ErrorIs(t, err, errTable)
		subscribe(t, h, acme, "").Close()
	})
}

// Between its read and its use, the answer to FeedHead grows old.
func TestSubscribeWithAnOldAnswer(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, tb *table, h *Hub) {
		var first *Subscription
		tb.onHead = func() {
			tb.onHead = nil
			tb.restore(acme, 1)
			first = subscribe(t, h, acme, "") // makes the topic, in the new epoch
		}
		s := subscribe(t, h, acme, "1-2")
		require.Equal(t, "2-1", first.Start())
		require.Equal(t, "0-0", s.Start())
		require.Equal(t, []string{"resync:epoch@2-1"}, ids(t, subscribe(t, h, acme, s.Start()), time.Millisecond), "who comes back before it was told")
		require.Equal(t, []string{"resync:epoch@2-1"}, ids(t, s, time.Millisecond))

		tb.onHead = func() {
			tb.onHead = nil
			tb.restore(acme, 1)
			h.Wake()
			synctest.Wait() // the hub moves the topic
		}
		s = subscribe(t, h, acme, "2-9")
		require.Equal(t, []string{"resync:epoch@3-1"}, ids(t, s, time.Millisecond))
		require.Equal(t, []string{"resync:epoch@3-1"}, ids(t, first, time.Millisecond))
	})
}

func TestTopicsLingerAndGo(t *testing.T) {
	observed := &counts{}
	inBubble(t, Options{Linger: 10 * time.Second, Observer: observed}, func(t *testing.T, tb *table, h *Hub) {
		topics := func() int {
			h.mu.Lock()
			defer h.mu.Unlock()
			return len(h.topics)
		}
		a, b := subscribe(t, h, acme, ""), subscribe(t, h, acme, "")
		require.Equal(t, int64(2), observed.subscribers.Load())
		a.Close()
		a.Close()
		require.Equal(t, int64(1), observed.subscribers.Load())
		<-time.After(time.Minute)
		require.Equal(t, 1, topics(), "somebody reads it")
		b.Close()
		<-time.After(5 * time.Second)
		require.Equal(t, 1, topics(), "it lingers")
		<-time.After(7 * time.Second)
		require.Zero(t, topics())
		idle := tb.count("FeedHeads")
		<-time.After(time.Minute)
		require.Equal(t, idle, tb.count("FeedHeads"), "nothing to ask for")

		tb.add(acme, 1)
		c := subscribe(t, h, acme, "1-3")
		require.Equal(t, []string{"1-4"}, ids(t, c, time.Millisecond))
		_, err := b.Next(context.Background(), nil)
		require.ErrorIs(t, err, ErrClosed)
	})
}

func TestStopEndsStreams(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, tb *table, h *Hub) {
		s := subscribe(t, h, acme, "")
		ended := make(chan error)
		go func() {
			_, err := s.Next(context.Background(), nil)
			ended <- err
		}()
		synctest.Wait()
		h.Stop()
		require.ErrorIs(t, <-ended, ErrClosed)
		s.Close()
		_, err := h.Subscribe(context.Background(), acme, "")
		require.Equal(t, models.CodeUnavailable, models.CodeOf(err))
		h.Stop()
	})
}

func TestNextEndsWithItsContext(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, tb *table, h *Hub) {
		s := subscribe(t, h, acme, "1-1")
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		tb.fail(100)
		_, err := s.Next(ctx, nil)
		require.ErrorIs(t, err, context.Canceled)
		tb.fail(0)
		require.Equal(t, []string{"1-2", "1-3"}, ids(t, s, time.Second), "an ended wait loses nothing")
	})
}

// Streams that reconnect all at once must not take every connection of the pool.
// A reader waits beyond its alarm for nothing: no event, no turn to ask the
// database, and no database that is in trouble. It loses nothing by that.
func TestNextEndsWithItsAlarm(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, tb *table, h *Hub) {
		next := func(s *Subscription) [][]byte {
			frames, err := s.Next(context.Background(), time.After(30*time.Second))
			require.NoError(t, err)
			return frames
		}
		live, behind := subscribe(t, h, acme, ""), subscribe(t, h, acme, "1-1")
		require.Empty(t, next(live))

		for range maxReads {
			h.reads <- struct{}{}
		}
		require.Empty(t, next(behind))
		for range maxReads {
			<-h.reads
		}
		require.Len(t, next(behind), 2)
	})
}

func TestFewReadersAskTheDatabaseAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tb := newTable()
		tb.add(acme, 3)
		src := &gated{table: tb, gate: make(chan struct{})}
		h := NewHub(src, nil, Options{Logger: quiet})
		h.Start()
		defer h.Stop()
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				s := subscribe(t, h, acme, "1-0")
				defer s.Close()
				require.Len(t, ids(t, s, time.Second), 3)
			})
		}
		synctest.Wait()
		require.LessOrEqual(t, src.most.Load(), int64(maxReads))
		close(src.gate)
		all.Wait()
		require.LessOrEqual(t, src.most.Load(), int64(maxReads))
	})
}

type gated struct {
	*table
	gate      chan struct{}
	now, most atomic.Int64
}

func (g *gated) enter() {
	n := g.now.Add(1)
	for most := g.most.Load(); n > most && !g.most.CompareAndSwap(most, n); most = g.most.Load() {
	}
	<-g.gate
	g.now.Add(-1)
}

func (g *gated) FeedHead(ctx context.Context, account uuid.UUID) (models.FeedHead, int64, error) {
	g.enter()
	return g.table.FeedHead(ctx, account)
}

func (g *gated) FeedEvents(ctx context.Context, account uuid.UUID, after int64, limit int) ([]models.FeedEvent, error) {
	if tenant.From(ctx).Account == account {
		g.enter()
	}
	return g.table.FeedEvents(ctx, account, after, limit)
}

func TestListenerIsRestarted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tb := newTable()
		lost := make(chan error)
		var starts atomic.Int64
		h := NewHub(tb, func(ctx context.Context, wake func()) error {
			starts.Add(1)
			wake()
			select {
			case err := <-lost:
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		}, Options{Logger: quiet, PollEvery: time.Hour})
		h.Start()
		defer h.Stop()
		s := subscribe(t, h, acme, "")
		synctest.Wait()
		require.Equal(t, int64(1), starts.Load())
		tb.add(acme, 1)
		lost <- errors.New("connection reset")
		require.Equal(t, []string{"1-1"}, ids(t, s, time.Second), "the reconnected listener wakes the hub")
		require.Equal(t, int64(2), starts.Load())
	})
}

func TestListenerBacksOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var starts atomic.Int64
		h := NewHub(newTable(), func(context.Context, func()) error {
			starts.Add(1)
			return errors.New("connection refused")
		}, Options{Logger: quiet})
		h.Start()
		<-time.After(10 * time.Minute)
		h.Stop()
		n := starts.Load()
		require.Greater(t, n, int64(600/15), "it goes on trying")
		require.Less(t, n, int64(600/5+10), "at a decent pace")
	})
}

// Readers and publisher run at full speed, for the race detector.
func TestManyReadersAtOnce(t *testing.T) {
	const readers, total = 40, 3000
	inBubble(t, Options{Ring: 64}, func(t *testing.T, tb *table, h *Hub) {
		tb.add(other, 10)
		var all sync.WaitGroup
		var complete atomic.Int64
		for i := range readers {
			s := subscribe(t, h, other, fmt.Sprintf("1-%d", i%10))
			all.Go(func() {
				defer s.Close()
				ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
				defer cancel()
				for last := int64(i % 10); last < total; {
					frames, err := s.Next(ctx, nil)
					if errors.Is(err, ErrDropped) {
						return
					}
					require.NoError(t, err)
					for _, f := range frames {
						it := parse(t, f)
						if it.event == string(models.EventResync) {
							require.Contains(t, it.data, "slow")
							continue
						}
						last++
						require.Equal(t, position{1, last}, it.at)
						require.Equal(t, payload(other, 1, last), it.data)
					}
				}
				complete.Add(1)
			})
		}
		for n := 10; n < total; n += 10 {
			tb.add(other, 10)
			h.Wake()
			if n%20 == 0 {
				synctest.Wait()
			}
		}
		all.Wait()
		require.Positive(t, complete.Load())
	})
}
