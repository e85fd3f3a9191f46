package feed

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/models"
)

// topic is the live end of one account's feed, shared by all of its readers.
type topic struct {
	account uuid.UUID
	// state is replaced as a whole, so that readers need no lock.
	state atomic.Pointer[state]
	// mu is held by who replaces the state.
	mu sync.Mutex

	// readers and idleSince belong to the hub and its lock.
	readers   int
	idleSince time.Time
}

// state is what a topic knows at one moment. It never changes; changed is
// closed when a newer state is there, which wakes all who wait at once.
type state struct {
	epoch int64
	// era counts the resets of the topic, from 1. Readers and the database are
	// asked at different moments; comparing eras tells whether what somebody
	// has learned is older than the topic.
	era uint64
	// reason is that of the last reset.
	reason Reason
	// head is the number of the last event; frames are those of the events up
	// to it, and size is their sum in bytes.
	head    int64
	frames  [][]byte
	size    int
	closed  bool
	changed chan struct{}
}

func newTopic(head models.FeedHead) *topic {
	t := &topic{account: head.AccountID}
	t.state.Store(&state{epoch: head.Epoch, era: 1, head: head.LastSeq, changed: make(chan struct{})})
	return t
}

// position is the end of the feed as far as the topic knows it.
func (s *state) position() position { return position{s.epoch, s.head} }

// after returns up to limit frames of the events that follow seq, and whether
// the state still has them.
func (s *state) after(seq int64, limit int) (frames [][]byte, ok bool) {
	skip := seq - (s.head - int64(len(s.frames)))
	if skip < 0 || seq > s.head {
		return nil, false
	}
	frames = s.frames[skip:]
	if len(frames) > limit {
		frames = frames[:limit]
	}
	return frames[:len(frames):len(frames)], true
}

// update replaces the state by a changed copy and wakes the readers. It does
// nothing, and says so, when the topic was reset since era or is closed.
func (t *topic) update(era uint64, change func(*state)) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.state.Load()
	if old.era != era || old.closed {
		return false
	}
	t.replace(old, change)
	return true
}

func (t *topic) replace(old *state, change func(*state)) {
	next := *old
	next.changed = make(chan struct{})
	change(&next)
	t.state.Store(&next)
	close(old.changed)
}

// publish adds the events, which have to follow the head without a gap, and
// keeps the newest frames within both bounds, but always one.
func (t *topic) publish(era uint64, events []models.FeedEvent, maxFrames, maxBytes int) bool {
	return t.update(era, func(s *state) {
		for _, e := range events {
			f := eventFrame(s.epoch, e)
			// Older states share the array that append writes to, but none
			// reads past its own length.
			s.frames = append(s.frames, f)
			s.size += len(f)
			s.head = e.Seq
		}
		for len(s.frames) > maxFrames || len(s.frames) > 1 && s.size > maxBytes {
			s.size -= len(s.frames[0])
			s.frames = s.frames[1:]
		}
	})
}

// reset forgets the past: every reader is told to resync and goes on at head.
func (t *topic) reset(era uint64, head models.FeedHead, why Reason) bool {
	return t.update(era, func(s *state) {
		s.era++
		s.reason = why
		s.epoch, s.head = head.Epoch, head.LastSeq
		s.frames, s.size = nil, 0
	})
}

// close ends the streams of all readers.
func (t *topic) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.replace(t.state.Load(), func(s *state) { s.closed = true })
}
