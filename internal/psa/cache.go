package psa

import (
	"context"
	"sync"
	"time"
)

// Cache remembers what a PSA said about names and ids, for a time. The zero
// value is not usable; see [NewCache]. It is safe for concurrent use.
type Cache[V any] struct {
	now   func() time.Time
	ttl   time.Duration
	again time.Duration
	limit int

	mu      sync.Mutex
	entries map[string]cached[V]
}

type cached[V any] struct {
	value V
	at    time.Time
}

// NewCache makes a cache of at most limit entries that are good for ttl. An
// entry that turned out not to hold what was looked for may be read anew after
// again: an unknown name must not cost a call each time.
func NewCache[V any](now func() time.Time, ttl, again time.Duration, limit int) *Cache[V] {
	return &Cache[V]{now: now, ttl: ttl, again: again, limit: limit, entries: map[string]cached[V]{}}
}

// Get returns the value of key, reading it when it is not known or too old, or
// when good does not like it. Nil likes everything. What is returned may still
// not be good: then it was just read.
func (c *Cache[V]) Get(ctx context.Context, key string, good func(V) bool, read func(context.Context) (V, error)) (V, error) {
	c.mu.Lock()
	e, ok := c.entries[key]
	c.mu.Unlock()
	age := c.now().Sub(e.at)
	if ok && age < c.ttl && (good == nil || good(e.value) || age < c.again) {
		return e.value, nil
	}
	// Not under the lock: a slow PSA would hold up those who know already.
	v, err := read(ctx)
	if err != nil {
		return v, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.entries) >= c.limit {
		clear(c.entries)
	}
	c.entries[key] = cached[V]{v, c.now()}
	return v, nil
}

// Drop forgets everything.
func (c *Cache[V]) Drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.entries)
}
