package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/tmaxmax/go-sse"

	"github.com/baton-handoff/baton/models"
)

// eventReady opens each connection, and tells where it begins.
const eventReady models.EventType = "ready"

// silence is how long a reader believes that a connection lives which says
// nothing. The API sends a sign of life every 25 seconds.
const silence = 30 * time.Second

// reader follows the feed of one account, over any replica, for as long as the
// run lasts.
type reader struct {
	sys  *system
	who  Person
	rng  *rand.Rand
	hops bool // moves to another replica every few events
	seen Stream
	last string // the id of the last frame, "" before the first
	// reached is the number in last, for others to look at.
	reached atomic.Int64
}

func newReader(s *system, who Person, n int, seed uint64) *reader {
	return &reader{
		sys: s, who: who, rng: rand.New(rand.NewPCG(seed, uint64(1000+n))), hops: n%2 == 1,
		seen: Stream{Name: fmt.Sprintf("%s, reader %d", who.Name, n+1), Account: who.Account},
	}
}

// follow reads until ctx ends.
func (r *reader) follow(ctx context.Context, opened func()) {
	defer opened() // nobody waits for a reader that is refused
	for ctx.Err() == nil {
		err := r.connect(ctx, opened)
		if errors.Is(err, errRefused) {
			r.seen.Ended = err.Error()
			return
		}
		wait(ctx, time.Duration(50+r.rng.IntN(500))*time.Millisecond)
	}
}

// errRefused is an answer that would end a browser's event source for good.
var errRefused = errors.New("the stream was refused")

// errHop ends a connection because the reader likes to move.
var errHop = errors.New("moving on")

// connect reads one connection to its end.
func (r *reader) connect(ctx context.Context, opened func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	door := r.sys.doors[r.rng.IntN(len(r.sys.doors))]
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+door.address+"/api/v1/ai-sessions/escalations/stream", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+r.who.token)
	if r.last != "" {
		req.Header.Set("Last-Event-ID", r.last)
	}
	alive := time.AfterFunc(silence, cancel)
	defer alive.Stop()
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	switch {
	case resp.StatusCode == http.StatusServiceUnavailable:
		return errors.New(resp.Status) // who you are could not be told
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("%w: %s", errRefused, resp.Status)
	}
	r.seen.Connections++
	left := 2 + r.rng.IntN(15)
	for event, err := range sse.Read(heard{resp.Body, alive}, nil) {
		if err != nil {
			return err
		}
		if err := r.take(event, opened); err != nil {
			return err
		}
		if left--; r.hops && left == 0 {
			return errHop
		}
	}
	return nil
}

// heard puts off the end of a connection as long as it says something.
type heard struct {
	io.Reader
	alive *time.Timer
}

func (h heard) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	if n > 0 {
		h.alive.Reset(silence)
	}
	return n, err
}

// take writes one frame down.
func (r *reader) take(e sse.Event, opened func()) error {
	f := Frame{ID: e.LastEventID, Type: models.EventType(e.Type)}
	switch f.Type {
	case eventReady:
		if r.last == "" {
			r.seen.Start = f.ID
			r.goOnAfter(f.ID)
			opened()
		}
		if f.ID == r.last {
			return nil // the usual
		}
		// It begins somewhere else than asked for; a resync has to explain it.
	case models.EventResync:
	default:
		var data models.EventData
		if err := json.Unmarshal([]byte(e.Data), &data); err != nil {
			return fmt.Errorf("%w: event %s is no JSON: %w", errRefused, e.LastEventID, err)
		}
		f.Account, f.Handoff = data.AccountID, data.HandoffID
		f.State = State{Version: data.Version, Generation: data.Generation, Status: data.Status, Holder: idOf(data.ClaimedBy), Target: idOf(data.TargetUserID), Reserved: reserved(data.ReservedUntil)}
	}
	r.goOnAfter(f.ID)
	r.seen.Frames = append(r.seen.Frames, f)
	return nil
}

// goOnAfter remembers how far the reader has come.
func (r *reader) goOnAfter(id string) {
	r.last = id
	if _, seq, ok := position(id); ok {
		r.reached.Store(seq)
	}
}

// position reads the id of a frame, "<epoch>-<number>".
func position(id string) (epoch, seq int64, ok bool) {
	n, err := fmt.Sscanf(id, "%d-%d", &epoch, &seq)
	return epoch, seq, err == nil && n == 2
}

// readers are the streams that a run follows: some of each account.
func readers(s *system, people []Person, perAccount int, seed uint64) []*reader {
	count := map[uuid.UUID]int{}
	var all []*reader
	for _, p := range people {
		if n := count[p.Account]; n < perAccount {
			count[p.Account]++
			all = append(all, newReader(s, p, n, seed))
		}
	}
	return all
}
