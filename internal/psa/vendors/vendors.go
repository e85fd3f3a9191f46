// Package vendors picks the adapter for a connection, and keeps the clients of
// the connections in use. It is the one package that knows all adapters.
package vendors

import (
	"crypto/tls"
	"sync"
	"time"

	"github.com/baton-handoff/baton/internal/outbound"
	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/autotask"
	"github.com/baton-handoff/baton/internal/psa/connectwise"
	"github.com/baton-handoff/baton/internal/psa/halopsa"
)

// Options are what all clients share.
type Options struct {
	// UserAgent is what vendors see; empty means "baton".
	UserAgent string
	// Timeout bounds one call. Zero means 30 seconds.
	Timeout time.Duration
	// Now is the clock. Nil means [time.Now].
	Now func() time.Time
	// TLS is used instead of the system's settings. For tests.
	TLS *tls.Config
}

// New makes a client for a connection. It calls nobody. Its error is a
// [*models.Error] for a connection that is not valid, and an [*psa.Error]
// otherwise.
func New(c psa.Connection, o Options) (psa.Client, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	httpClient, err := outbound.New(outbound.Options{
		UserAgent: o.UserAgent, Timeout: o.Timeout, TLS: o.TLS, Allow: c.Network.Allow, Ports: c.Ports(),
	})
	if err != nil {
		return nil, psa.Errorf(psa.ClassMisconfigured, "", "The networks that this connection may reach are not valid.").
			WithCure("The operator of Baton has to correct them.").WithCause(err)
	}
	now := o.Now
	if now == nil {
		now = time.Now
	}
	switch c.Kind {
	case psa.KindConnectWise:
		return nonNil(connectwise.New(c, httpClient, now))
	case psa.KindAutotask:
		return nonNil(autotask.New(c, httpClient, now))
	case psa.KindHaloPSA:
		return nonNil(halopsa.New(c, httpClient, now))
	}
	return nil, psa.Errorf(psa.ClassMisconfigured, "", "The kind of the connection is unknown.")
}

// nonNil keeps a nil pointer from becoming a client that is not nil.
func nonNil[C psa.Client](c C, err error) (psa.Client, error) {
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Pool keeps one client per connection, so that its tokens, names and network
// connections are shared by all who use it, and its limits hold for all of
// them. It is safe for concurrent use.
type Pool struct {
	options Options
	limit   int

	mu      sync.Mutex
	clients map[string]*pooled
}

type pooled struct {
	version string
	client  psa.Client
	used    time.Time
}

// NewPool makes a pool of at most limit clients. Those used longest ago make
// room for others.
func NewPool(o Options, limit int) *Pool {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Pool{options: o, limit: max(limit, 1), clients: map[string]*pooled{}}
}

// Get returns the client of the connection that key names, such as an account's
// id. A new version, such as the row's time of change, replaces it; what is
// under way with the old one is not disturbed. The connection is only read from
// connection when the client has to be made, because that takes decrypting;
// everybody waits for it, so it should ask no database.
func (p *Pool) Get(key, version string, connection func() (psa.Connection, error)) (psa.Client, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.clients[key]; e != nil && e.version == version {
		e.used = p.options.Now()
		return e.client, nil
	}
	conn, err := connection()
	if err != nil {
		return nil, err
	}
	client, err := New(conn, p.options)
	if err != nil {
		return nil, err
	}
	p.drop(key)
	if len(p.clients) >= p.limit {
		oldest := ""
		for k, e := range p.clients {
			if oldest == "" || e.used.Before(p.clients[oldest].used) {
				oldest = k
			}
		}
		p.drop(oldest)
	}
	p.clients[key] = &pooled{version: version, client: client, used: p.options.Now()}
	return client, nil
}

// Drop forgets the client of a connection that was removed.
func (p *Pool) Drop(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop(key)
}

func (p *Pool) drop(key string) {
	if e := p.clients[key]; e != nil {
		e.client.Close()
		delete(p.clients, key)
	}
}

// Close forgets all clients and lets their idle connections go.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key := range p.clients {
		p.drop(key)
	}
}
