package wire

import (
	"context"
	"time"
)

// Lazy is a value that is fetched once and shared, such as a token or a zone.
// While one caller fetches it the others wait, each no longer than its context
// lasts.
type Lazy[T comparable] struct {
	now   func() time.Time
	fetch func(context.Context) (T, time.Duration, error)

	turn  chan struct{} // holds one token; whoever has it may touch the rest
	value T
	good  bool
	until time.Time
	since time.Time
}

// NewLazy makes a value that fetch gets; fetch also says how long it is good.
func NewLazy[T comparable](now func() time.Time, fetch func(context.Context) (T, time.Duration, error)) *Lazy[T] {
	l := &Lazy[T]{now: now, fetch: fetch, turn: make(chan struct{}, 1)}
	l.turn <- struct{}{}
	return l
}

// Get returns the value, fetching it when there is none or it is too old.
func (l *Lazy[T]) Get(ctx context.Context) (T, error) {
	return l.get(ctx, func() bool { return l.good && l.now().Before(l.until) })
}

// Renew fetches the value anew when it is still old, and returns it: of many
// callers that found the old one useless, only the first causes a fetch.
func (l *Lazy[T]) Renew(ctx context.Context, old T) (T, error) {
	return l.get(ctx, func() bool { return l.good && l.value != old })
}

// RenewAfter is Renew, but leaves a value that is younger than age.
func (l *Lazy[T]) RenewAfter(ctx context.Context, old T, age time.Duration) (T, error) {
	return l.get(ctx, func() bool { return l.good && (l.value != old || l.now().Sub(l.since) < age) })
}

func (l *Lazy[T]) get(ctx context.Context, enough func() bool) (T, error) {
	var zero T
	select {
	case <-ctx.Done():
		return zero, context.Cause(ctx)
	case <-l.turn:
	}
	defer func() { l.turn <- struct{}{} }()
	if enough() {
		return l.value, nil
	}
	v, ttl, err := l.fetch(ctx)
	if err != nil {
		return zero, err
	}
	l.value, l.good, l.since = v, true, l.now()
	l.until = l.since.Add(ttl)
	return v, nil
}
