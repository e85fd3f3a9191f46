package chaos

import (
	"context"
	"fmt"
	"strings"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// link is the network between two parts: a TCP proxy that can be cut, slowed
// and made to lose what goes through it.
type link struct {
	name  string
	proxy *toxiproxy.Proxy
	// address is where the link's near end listens, whatever happens to it. The
	// proxy writes its own down again whenever it starts.
	address string
}

// newLink opens a link to an address.
func newLink(server *toxiproxy.ApiServer, name, to string) (*link, error) {
	p := toxiproxy.NewProxy(server, name, "127.0.0.1:0", to)
	if err := p.Start(); err != nil {
		return nil, fmt.Errorf("opening the link %s: %w", name, err)
	}
	return &link{name: name, proxy: p, address: p.Listen}, nil
}

func newLinkServer() *toxiproxy.ApiServer {
	return toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
}

// cut breaks all connections and refuses new ones.
func (l *link) cut() error {
	l.proxy.Stop()
	return nil
}

// reset ends all connections; new ones work.
func (l *link) reset() error {
	l.proxy.Stop()
	return l.proxy.Start()
}

// delay makes everything take longer, both ways.
func (l *link) delay(by, jitter time.Duration) error {
	for _, direction := range []string{"upstream", "downstream"} {
		if err := l.add("latency", direction, fmt.Sprintf(`{"latency": %d, "jitter": %d}`, by.Milliseconds(), jitter.Milliseconds())); err != nil {
			return err
		}
	}
	return nil
}

// swallow loses what is sent, in one direction, without breaking anything.
// Downstream, requests arrive and are carried out, and nobody hears of it.
func (l *link) swallow(direction string) error {
	return l.add("timeout", direction, `{"timeout": 0}`)
}

func (l *link) add(kind, direction, attributes string) error {
	_, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(
		`{"type": %q, "stream": %q, "attributes": %s}`, kind, direction, attributes)))
	if err != nil {
		return fmt.Errorf("%s on the link %s: %w", kind, l.name, err)
	}
	return nil
}

// mend makes the link work again. Connections whose data were swallowed end.
func (l *link) mend(ctx context.Context) error {
	l.proxy.Toxics.ResetToxics(ctx)
	if l.proxy.Enabled {
		return nil
	}
	if err := l.proxy.Start(); err != nil {
		return fmt.Errorf("mending the link %s: %w", l.name, err)
	}
	return nil
}

func (l *link) close() { l.proxy.Stop() }
