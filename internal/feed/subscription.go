package feed

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/aside"
	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

// ErrDropped is what a subscription returns after it has told its reader to
// resync because the reader was too slow. The stream should end then.
var ErrDropped = errors.New("the reader of the feed was too slow")

// Subscription is one reader's place in the feed of an account. It costs no
// goroutine and no buffer. Its methods are for one goroutine at a time.
type Subscription struct {
	hub    *Hub
	topic  *topic
	start  position
	cursor int64  // number of the last event that was given out
	era    uint64 // of the topic, as far as the reader was told
	resync Reason // to be told before anything else
	// live is set once the reader has caught up. Before that it may be as far
	// behind as it likes; from then on it has to keep up.
	live    bool
	dropped bool
	closed  bool
}

// Subscribe opens a subscription that continues after lastEventID, the id of
// the last frame that the reader has seen, or, when it is empty, begins at the
// end of the feed. An id that cannot be continued from is no error: the reader
// is told to resync and begins at the end. It fails with
// [models.CodeUnavailable] when the feed cannot be read or the hub has stopped.
func (h *Hub) Subscribe(ctx context.Context, account uuid.UUID, lastEventID string) (*Subscription, error) {
	for {
		t, st, err := h.find(account)
		if err != nil {
			return nil, err
		}
		if t != nil && st.knows(lastEventID) {
			at, why := locate(lastEventID, st.position(), 0)
			if sub := h.attach(t, st.era, at, why); sub != nil {
				return sub, nil
			}
			continue
		}
		head, oldest, err := h.head(ctx, account)
		if err != nil {
			return nil, models.Errorf(models.CodeUnavailable, "The feed cannot be read at the moment.").WithCause(err)
		}
		t, era := h.topicAt(head, t, st)
		if t == nil {
			continue
		}
		at, why := locate(lastEventID, position{head.Epoch, head.LastSeq}, oldest)
		if sub := h.attach(t, era, at, why); sub != nil {
			return sub, nil
		}
	}
}

// knows reports whether the topic can judge a last id by itself. Otherwise it
// may be an id of a replica that has read more of the feed.
func (s *state) knows(lastEventID string) bool {
	if lastEventID == "" {
		return true
	}
	at, err := parsePosition(lastEventID)
	return err != nil || at.epoch == s.epoch && at.seq <= s.head
}

// locate finds where a reader goes on in a feed with this end and this oldest
// number, and why it has to be told to resync, if it has to.
func locate(lastEventID string, head position, oldest int64) (position, Reason) {
	if lastEventID == "" {
		return head, ""
	}
	at, err := parsePosition(lastEventID)
	switch {
	case err != nil:
		return head, ReasonUnknownID
	case at.epoch != head.epoch:
		return head, ReasonEpoch
	case at.seq > head.seq:
		return head, ReasonUnknownID
	case at.seq+1 < oldest:
		return head, ReasonExpired
	}
	return at, ""
}

// find returns the topic of an account with its state, or nil.
func (h *Hub) find(account uuid.UUID) (*topic, *state, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, nil, models.Errorf(models.CodeUnavailable, "This server is shutting down.").WithCause(ErrClosed)
	}
	t := h.topics[account]
	if t == nil {
		return nil, nil, nil
	}
	return t, t.state.Load(), nil
}

// topicAt returns the topic of the feed whose end was read from the database
// after seen was found in the state st. It makes the topic when there is none
// and moves it to the epoch of head when nobody else has moved it since. When
// the topic may be newer than head it returns nil: look again.
func (h *Hub) topicAt(head models.FeedHead, seen *topic, st *state) (t *topic, era uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t = h.topics[head.AccountID]
	if t == nil {
		t = newTopic(head)
		t.idleSince = time.Now()
		h.topics[head.AccountID] = t
		return t, t.state.Load().era
	}
	now := t.state.Load()
	switch {
	case t == seen && now.era != st.era:
		return nil, 0
	case now.epoch == head.Epoch:
		return t, now.era
	case t == seen && t.reset(st.era, head, ReasonEpoch):
		return t, st.era + 1
	}
	return nil, 0
}

// attach adds a reader to a topic, or returns nil when the hub has forgotten
// the topic or has stopped.
func (h *Hub) attach(t *topic, era uint64, at position, why Reason) *Subscription {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || h.topics[t.account] != t {
		return nil
	}
	t.readers++
	h.opt.Observer.FeedSubscribers(1)
	if at.seq > t.state.Load().head {
		h.Wake() // the database is ahead of the topic
	}
	return &Subscription{hub: h, topic: t, start: at, cursor: at.seq, era: era, resync: why}
}

func (h *Hub) head(ctx context.Context, account uuid.UUID) (models.FeedHead, int64, error) {
	ctx, cancel := context.WithTimeout(tenant.With(ctx, account), queryTimeout)
	defer cancel()
	select {
	case h.reads <- struct{}{}:
		defer func() { <-h.reads }()
	case <-ctx.Done():
		return models.FeedHead{}, 0, ctx.Err()
	}
	head, oldest, err := h.src.FeedHead(ctx, account)
	head.AccountID = account
	return head, oldest, err
}

// Start returns the id for the reader's first frame, which it comes back with
// when it loses its stream before the next one: where the subscription began,
// or, as long as the reader has to be told to resync, an id that leads to that
// again.
func (s *Subscription) Start() string {
	if s.resync != "" {
		return position{}.String() // no feed's epoch is 0
	}
	return s.start.String()
}

// Next returns the next frames, complete with their ids and blank lines, and
// waits when there are none, but not beyond alarm: then it returns none. The
// frames are shared with other readers and must not be changed. The error is
// ctx's, [ErrDropped] or [ErrClosed].
//
// A reader that is told to resync gets that one frame alone, and then the
// events after its id.
func (s *Subscription) Next(ctx context.Context, alarm <-chan time.Time) ([][]byte, error) {
	for {
		st := s.topic.state.Load()
		frames, inRing := st.after(s.cursor, maxPage)
		switch {
		case s.closed:
			return nil, ErrClosed
		case s.dropped:
			return nil, ErrDropped
		case s.era != st.era:
			return s.tell(st.reason, st), nil
		case s.resync != "":
			return s.tellAt(s.start, s.resync), nil
		case len(frames) > 0:
			s.cursor += int64(len(frames))
			s.live = s.live || s.cursor == st.head
			return frames, nil
		case st.closed:
			return nil, ErrClosed
		case inRing || s.cursor >= st.head:
			s.live = true
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-alarm:
				return nil, nil
			case <-st.changed:
			}
		case s.live:
			s.dropped = true
			return s.tell(ReasonSlow, st), nil
		default:
			if frames, again, err := s.catchUp(ctx, alarm, st); !again {
				return frames, err
			}
		}
	}
}

// tell moves the reader to the end of the feed and returns the frame that says
// so.
func (s *Subscription) tell(why Reason, st *state) [][]byte {
	s.era, s.cursor, s.live = st.era, st.head, true
	return s.tellAt(st.position(), why)
}

func (s *Subscription) tellAt(at position, why Reason) [][]byte {
	s.resync = ""
	s.hub.opt.Observer.FeedResync(string(why))
	return [][]byte{resyncFrame(at, why)}
}

// catchUp reads a page of what is older than the ring. It reports that the
// topic should be looked at again when it can only be told there what to do.
func (s *Subscription) catchUp(ctx context.Context, alarm <-chan time.Time, st *state) (frames [][]byte, again bool, err error) {
	h := s.hub
	select {
	case h.reads <- struct{}{}:
	case <-alarm:
		return nil, false, nil
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	var events []models.FeedEvent
	var gap bool
	aside.Do(func() {
		events, err = h.events(ctx, s.topic.account, s.cursor)
		gap = err == nil && !follows(events, s.cursor)
		if gap {
			err = h.checkEpoch(ctx, sighting{s.topic, st.era})
		}
	})
	<-h.reads
	if err != nil {
		again, err = s.pause(ctx, alarm, st, err)
		return nil, again, err
	}
	h.readFailed.Store(false)
	now := s.topic.state.Load()
	switch {
	case now.era != st.era:
		return nil, true, nil
	case gap:
		return s.tell(ReasonExpired, now), false, nil
	}
	frames = make([][]byte, len(events))
	for i, e := range events {
		frames[i] = eventFrame(st.epoch, e)
	}
	s.cursor += int64(len(frames))
	return frames, false, nil
}

// checkEpoch resets a topic whose feed has begun anew.
func (h *Hub) checkEpoch(ctx context.Context, seen sighting) error {
	heads, err := h.heads(ctx, []uuid.UUID{seen.topic.account})
	if err == nil && len(heads) > 0 && heads[0].Epoch != seen.topic.state.Load().epoch {
		seen.topic.reset(seen.era, heads[0], ReasonEpoch)
	}
	return err
}

// pause waits before the database is asked again, and reports whether it
// should be asked at once. Ending the stream instead would only make the reader
// come back with the same question.
func (s *Subscription) pause(ctx context.Context, alarm <-chan time.Time, st *state, cause error) (again bool, err error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if !s.hub.readFailed.Swap(true) {
		s.hub.opt.Logger.Warn("The feed cannot be read; readers that catch up wait.", "error", cause)
	}
	retry := time.NewTimer(s.hub.opt.PollEvery)
	defer retry.Stop()
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case <-alarm:
		return false, nil
	case <-st.changed:
	case <-retry.C:
	}
	return true, nil
}

// Close gives the place up. It may be called more than once.
func (s *Subscription) Close() {
	if s.closed {
		return
	}
	s.closed = true
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	s.topic.readers--
	s.topic.idleSince = time.Now()
	h.opt.Observer.FeedSubscribers(-1)
}
