package auth

import (
	"sync"
	"time"

	"github.com/baton-handoff/baton/models"
)

// maxCached bounds the users that are remembered.
const maxCached = 10_000

// userCache remembers users for a moment, so that a burst of requests of one
// person costs one query. A role that was taken away is gone after ttl.
type userCache struct {
	ttl time.Duration // 0 remembers nothing
	now func() time.Time

	mu    sync.Mutex
	users map[string]cachedUser
}

type cachedUser struct {
	user  models.User
	until time.Time
}

func (c *userCache) get(subject string) (models.User, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.users[subject]
	return e.user, ok && c.now().Before(e.until)
}

func (c *userCache) put(subject string, user models.User) {
	if c.ttl <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.users == nil || len(c.users) >= maxCached {
		// With so short a life, starting over costs less than to keep order.
		c.users = make(map[string]cachedUser)
	}
	c.users[subject] = cachedUser{user, c.now().Add(c.ttl)}
}
