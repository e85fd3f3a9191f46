package vendors

import (
	"context"
	"sync"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/psa"
)

// Static is connections that are kept nowhere, for tests that are not about
// keeping them. It is what package activities asks for its PSA.
type Static struct {
	pool *Pool

	mu          sync.Mutex
	connections map[uuid.UUID]staticConnection
	last        map[uuid.UUID]error
}

type staticConnection struct {
	version string
	psa.Connection
}

// NewStatic makes one without connections. Close it.
func NewStatic(o Options) *Static {
	return &Static{pool: NewPool(o, 1000), connections: map[uuid.UUID]staticConnection{}, last: map[uuid.UUID]error{}}
}

// Set sets an account's connection.
func (s *Static) Set(account uuid.UUID, c psa.Connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connections[account] = staticConnection{version: uuid.NewString(), Connection: c}
}

// Client returns the client of an account's connection, with its options.
func (s *Static) Client(_ context.Context, account uuid.UUID) (psa.Client, psa.Options, bool, error) {
	s.mu.Lock()
	c, found := s.connections[account]
	s.mu.Unlock()
	if !found {
		return nil, psa.Options{}, false, nil
	}
	client, err := s.pool.Get(account.String(), c.version, func() (psa.Connection, error) { return c.Connection, nil })
	return client, c.Options, err == nil, err
}

// Version tells one connection of an account from another.
func (s *Static) Version(_ context.Context, account uuid.UUID) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connections[account].version, nil
}

// Report remembers how the connection was last found.
func (s *Static) Report(_ context.Context, account uuid.UUID, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last[account] = err
}

// Last is what was reported last; nil for success.
func (s *Static) Last(account uuid.UUID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[account]
}

// Close lets idle connections go.
func (s *Static) Close() { s.pool.Close() }
