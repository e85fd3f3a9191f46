package auth

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/models"
)

// maxCached bounds the tokens that are remembered.
const maxCached = 10_000

// cache remembers for a moment who good tokens stand for, so that a burst of
// requests of one person costs one verification and one query. What has
// changed since, such as a role that was taken away, a user who was disabled or
// a key that was withdrawn, is noticed after ttl.
type cache struct {
	ttl time.Duration // 0 remembers nothing
	now func() time.Time

	mu      sync.Mutex
	bearers map[[sha256.Size]byte]bearer // by the hash of their tokens, which are kept nowhere
}

type bearer struct {
	user    models.User
	keyID   uuid.UUID // of the API key, if it is one
	keyName string
	expires time.Time // of the token; zero for never
	until   time.Time
}

func (c *cache) get(token string) (bearer, bool) {
	if c.ttl <= 0 {
		return bearer{}, false
	}
	key := sha256.Sum256([]byte(token))
	c.mu.Lock()
	defer c.mu.Unlock()
	b, ok := c.bearers[key]
	return b, ok && c.now().Before(b.until)
}

// put remembers a bearer, but not beyond the end of the token: from then on
// the verifier says whether it is still good.
func (c *cache) put(token string, b bearer) {
	if c.ttl <= 0 {
		return
	}
	b.until = c.now().Add(c.ttl)
	if !b.expires.IsZero() && b.expires.Before(b.until) {
		b.until = b.expires
	}
	key := sha256.Sum256([]byte(token))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bearers == nil || len(c.bearers) >= maxCached {
		// With so short a life, starting over costs less than to keep order.
		c.bearers = make(map[[sha256.Size]byte]bearer)
	}
	c.bearers[key] = b
}
