package api

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Why a stream is not opened now.
var (
	errDraining = errors.New("the server drains")
	errFull     = errors.New("the server has as many streams as it may")
)

// retryAfter is when a refused reader shall come back, in milliseconds. One
// that meets a draining server finds another at once.
func retryAfter(refused error) int {
	if errors.Is(refused, errFull) {
		return retryIfFull
	}
	return retryJitter()
}

// streams are the streams that are open.
type streams struct {
	most int // 0 is no bound

	mu     sync.Mutex
	open   map[*place]struct{}
	closed chan struct{} // set by drain; closed when no stream is open
}

// place is one open stream. Whatever the stream itself has to do, and the end,
// it is told by one alarm, which costs less than contexts: there may be ten
// thousand of them.
type place struct {
	alarm *time.Timer
	ended atomic.Bool
}

// end makes the stream end. It looks for ended after each setting of its
// alarm, so that it cannot miss this one.
func (p *place) end() {
	p.ended.Store(true)
	p.alarm.Reset(0)
}

// enter takes a place for a stream, which has to leave it.
func (s *streams) enter() (*place, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed != nil:
		return nil, errDraining
	case s.most > 0 && len(s.open) >= s.most:
		return nil, errFull
	}
	if s.open == nil {
		s.open = map[*place]struct{}{}
	}
	p := &place{alarm: time.NewTimer(math.MaxInt64)} // the stream sets it
	s.open[p] = struct{}{}
	return p, nil
}

func (s *streams) leave(p *place) {
	p.alarm.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, p)
	if s.closed != nil && len(s.open) == 0 {
		close(s.closed)
	}
}

func (s *streams) draining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed != nil
}

// drain lets no more streams in. It returns those that are open, and a channel
// that is closed when they have ended.
func (s *streams) drain() ([]*place, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed == nil {
		s.closed = make(chan struct{})
		if len(s.open) == 0 {
			close(s.closed)
		}
	}
	open := make([]*place, 0, len(s.open))
	for p := range s.open {
		open = append(open, p)
	}
	return open, s.closed
}

// Drain ends the open streams, each at a random moment of the time spread, so
// that their readers do not reach the other replicas all at once, and waits
// until they have ended. Everything else is served as before, except that
// /readyz says so and new streams are told to come back. When ctx ends, the
// streams that are left end together; the error is ctx's.
func (s *Server) Drain(ctx context.Context, spread time.Duration) error {
	open, ended := s.streams.drain()
	defer func() {
		for _, p := range open {
			p.end()
		}
	}()
	delays := make([]time.Duration, len(open))
	for i := range delays {
		delays[i] = time.Duration(rand.Int64N(int64(max(spread, 1))))
	}
	slices.Sort(delays)
	start := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i, p := range open { // in the random order of a map
		timer.Reset(time.Until(start.Add(delays[i])))
		select {
		case <-timer.C:
			p.end()
		case <-ended:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
