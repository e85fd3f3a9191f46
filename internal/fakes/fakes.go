// Package fakes is what the fakes of outside services share: which calls go
// wrong, and the ways to go wrong that are the same for all of them.
package fakes

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Faults decide which calls go wrong. What was asked for with Next comes first,
// then what stands, then chance. The zero value lets all be well. It is safe
// for concurrent use.
type Faults[F any] struct {
	mu       sync.Mutex
	next     []F
	standing []F
	random   *rand.Rand
	p        float64
	kinds    []F
}

// Next lets the next matching call go wrong, once for each fault, in order.
func (f *Faults[F]) Next(faults ...F) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = append(f.next, faults...)
}

// Set lets all matching calls go wrong until it is called again. Without
// faults, all is well.
func (f *Faults[F]) Set(faults ...F) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.standing = slices.Clone(faults)
}

// Standing returns what was set.
func (f *Faults[F]) Standing() []F {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.standing)
}

// Random lets a part p of the calls go wrong by one of the faults, in the same
// way for the same seed and order of calls.
func (f *Faults[F]) Random(seed uint64, p float64, faults ...F) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.random, f.p, f.kinds = rand.New(rand.NewPCG(seed, seed)), p, slices.Clone(faults)
}

// Clear ends all trouble.
func (f *Faults[F]) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next, f.standing, f.random = nil, nil, nil
}

// Pick is the fault that is due for a call, of those that match it; the zero
// one when all is well.
func (f *Faults[F]) Pick(matches func(F) bool) (none F) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := slices.IndexFunc(f.next, matches); i >= 0 {
		fault := f.next[i]
		f.next = slices.Delete(f.next, i, i+1)
		return fault
	}
	if i := slices.IndexFunc(f.standing, matches); i >= 0 {
		return f.standing[i]
	}
	if f.random != nil && len(f.kinds) > 0 && f.random.Float64() < f.p {
		if fault := f.kinds[f.random.IntN(len(f.kinds))]; matches(fault) {
			return fault
		}
	}
	return none
}

// Tell sends to a channel that a fault happens, unless it is nil or full.
func Tell(reached chan<- struct{}) {
	select {
	case reached <- struct{}{}:
	default:
	}
}

// Wait waits until a channel is closed, or for delay when there is none. It is
// false when the client has gone meanwhile.
func Wait(gone <-chan struct{}, delay time.Duration, until <-chan struct{}) bool {
	var timer <-chan time.Time
	if until == nil {
		t := time.NewTimer(delay)
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-timer:
	case <-until:
	case <-gone:
		return false
	}
	return true
}

// Cut ends the connection without (the rest of) an answer.
func Cut(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
		return
	}
	panic(http.ErrAbortHandler) // HTTP/2 cannot be hijacked
}

// Flood answers with more JSON than anybody should read: 64 MiB.
func Flood(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	chunk := []byte(`"` + strings.Repeat("x", 1<<16))
	for i := 0; i < 16*64 && r.Context().Err() == nil; i++ {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}
