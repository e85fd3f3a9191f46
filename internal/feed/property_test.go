package feed

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/baton-handoff/baton/models"
)

// bubbled hides the test's deadline from rapid: a bubble's clock knows none.
type bubbled struct{ *testing.T }

// reader is a client: it keeps the id of the last frame and checks that each
// new one is what has to follow.
type reader struct {
	sub     *Subscription
	account uuid.UUID
	at      position
	// pending is the resync that its last id called for.
	pending Reason
	dropped bool
	told    []string // for the report of a failure
}

// world is the system under test, and what its readers are owed.
type world struct {
	tb      *table
	hub     *Hub
	ring    int64
	readers []*reader
	// pruned is the newest number that was ever deleted, by account and epoch.
	pruned map[uuid.UUID]map[int64]int64
	// overtaken tells where events were deleted before the hub had read them,
	// which makes it tell everybody, also who had seen them elsewhere.
	overtaken map[uuid.UUID]bool
}

// TestEveryReaderSeesEveryEvent is promise 6 of the feed: whatever the order
// of writes, wake-ups, failures, prunings, restores and reads, a reader sees
// every event once, in order, without a gap, or is told to resync, once, for a
// reason that is true.
func TestEveryReaderSeesEveryEvent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(bubbled{t}, func(rt *rapid.T) {
			ring := rapid.IntRange(1, 12).Draw(rt, "ring")
			w := &world{
				tb: newTable(), ring: int64(ring),
				pruned: map[uuid.UUID]map[int64]int64{acme: {}, other: {}}, overtaken: map[uuid.UUID]bool{},
			}
			w.hub = NewHub(w.tb, nil, Options{Ring: ring, Linger: 3 * time.Second, Logger: quiet})
			w.hub.Start()
			defer w.hub.Stop()
			account := rapid.SampledFrom([]uuid.UUID{acme, other})
			rt.Repeat(map[string]func(*rapid.T){
				"write": func(rt *rapid.T) {
					w.tb.add(account.Draw(rt, "account"), rapid.IntRange(1, 2*ring).Draw(rt, "events"))
				},
				"write and wake": func(rt *rapid.T) {
					w.tb.add(account.Draw(rt, "account"), rapid.IntRange(1, 3).Draw(rt, "events"))
					w.hub.Wake()
				},
				"prune": func(rt *rapid.T) {
					w.prune(account.Draw(rt, "account"), rapid.IntRange(0, 20).Draw(rt, "keep"))
				},
				"restore": func(rt *rapid.T) {
					a := account.Draw(rt, "account")
					head, _ := w.tb.end(a)
					w.tb.restore(a, rapid.Int64Range(0, head.LastSeq).Draw(rt, "last"))
					w.prune(a, len(w.tb.feeds[a].events)) // what was not in the backup
				},
				"fail": func(rt *rapid.T) { w.tb.fail(rapid.IntRange(1, 6).Draw(rt, "calls")) },
				"wait": func(rt *rapid.T) {
					<-time.After(time.Duration(rapid.IntRange(1, 4000).Draw(rt, "ms")) * time.Millisecond)
				},
				"join": func(rt *rapid.T) { w.join(rt, account.Draw(rt, "account")) },
				"read": func(rt *rapid.T) { w.read(rt, w.pick(rt), time.Millisecond) },
				"leave": func(rt *rapid.T) {
					r := w.pick(rt)
					r.sub.Close()
					w.remove(r)
				},
				"come back": func(rt *rapid.T) {
					r := w.pick(rt)
					r.sub.Close()
					w.remove(r)
					w.joinAt(rt, r.account, r.at.String())
				},
				"": func(*rapid.T) { synctest.Wait() },
			})
			w.tb.fail(0)
			<-time.After(3 * time.Second)
			for len(w.readers) > 0 {
				r := w.readers[0]
				w.read(rt, r, 3*time.Second)
				if !r.dropped {
					head, _ := w.tb.end(r.account)
					require.Equal(rt, position{head.Epoch, head.LastSeq}, r.at, "nothing is missing at the end; was told %v", r.told)
					w.remove(r)
				}
				r.sub.Close()
			}
		})
	})
}

func (w *world) prune(account uuid.UUID, keep int) {
	w.tb.prune(account, keep)
	head, oldest := w.tb.end(account)
	w.pruned[account][head.Epoch] = max(w.pruned[account][head.Epoch], oldest-1)
	if t, st, _ := w.hub.find(account); t != nil && st.head < oldest-1 {
		w.overtaken[account] = true
	}
}

func (w *world) pick(rt *rapid.T) *reader {
	if len(w.readers) == 0 {
		rt.Skip("no readers")
	}
	return rapid.SampledFrom(w.readers).Draw(rt, "reader")
}

func (w *world) remove(r *reader) {
	for i := range w.readers {
		if w.readers[i] == r {
			w.readers = append(w.readers[:i:i], w.readers[i+1:]...)
			return
		}
	}
}

func (w *world) join(rt *rapid.T, account uuid.UUID) {
	head, _ := w.tb.end(account)
	w.joinAt(rt, account, rapid.OneOf(
		rapid.Just(""),
		rapid.Just("garbage"),
		rapid.Map(rapid.Int64Range(0, head.LastSeq+2), func(seq int64) string { return position{head.Epoch, seq}.String() }),
		rapid.Map(rapid.Int64Range(0, head.LastSeq+2), func(seq int64) string { return position{max(0, head.Epoch-1), seq}.String() }),
	).Draw(rt, "last id"))
}

func (w *world) joinAt(rt *rapid.T, account uuid.UUID, lastID string) {
	sub, err := w.hub.Subscribe(rt.Context(), account, lastID)
	if err != nil {
		require.ErrorIs(rt, err, errTable)
		return
	}
	r := &reader{sub: sub, account: account, at: sub.start, pending: sub.resync, told: []string{"joined after " + lastID}}
	require.True(rt, lastID == "" || lastID == sub.Start() || r.pending != "", "%s became %s without a word", lastID, sub.Start())
	w.readers = append(w.readers, r)
}

// read lets a reader take what there is and checks every frame.
func (w *world) read(rt *rapid.T, r *reader, d time.Duration) {
	items, err := read(rt, r.sub, d)
	for _, it := range items {
		r.told = append(r.told, it.event+" "+it.at.String()+" "+it.data)
		if it.event == string(models.EventResync) {
			w.checkResync(rt, r, it)
			r.at, r.pending = it.at, ""
			continue
		}
		require.Empty(rt, r.pending, "an event before the resync; told %v", r.told)
		require.Equal(rt, position{r.at.epoch, r.at.seq + 1}, it.at, "told %v", r.told)
		r.at = it.at
		w.checkEvent(rt, r, it)
	}
	if err != nil {
		require.ErrorIs(rt, err, ErrDropped)
		require.Contains(rt, r.told[len(r.told)-1], `"slow"`)
		r.dropped = true
		w.remove(r)
	}
}

// checkEvent fails when the id of a frame means another event.
func (w *world) checkEvent(rt *rapid.T, r *reader, it item) {
	w.tb.do(r.account, func(f *storedFeed) {
		if it.at.epoch != f.head.Epoch && it.data == f.ever[position{f.head.Epoch, it.at.seq}] {
			return // read between a restore and the resync that follows it
		}
		require.Equal(rt, f.ever[it.at], it.data, "told %v", r.told)
	})
}

// checkResync fails when there was no reason to tell the reader so.
func (w *world) checkResync(rt *rapid.T, r *reader, it item) {
	head, _ := w.tb.end(r.account)
	why := Reason(strings.TrimSuffix(strings.TrimPrefix(it.data, `{"reason":"`), `"}`))
	if why == r.pending {
		return
	}
	switch why {
	case ReasonEpoch:
		require.NotEqual(rt, r.at.epoch, it.at.epoch, "told %v", r.told)
	case ReasonExpired:
		if !w.overtaken[r.account] {
			require.Less(rt, r.at.seq, max(w.pruned[r.account][r.at.epoch], w.pruned[r.account][head.Epoch]), "nothing was pruned; told %v", r.told)
		}
	case ReasonSlow:
		require.Greater(rt, it.at.seq-r.at.seq, w.ring, "it was within the ring; told %v", r.told)
	default:
		rt.Fatalf("resync for no reason; told %v", r.told)
	}
}
