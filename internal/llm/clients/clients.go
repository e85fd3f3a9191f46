// Package clients picks the adapter for a model. It is the one package that
// knows all adapters.
package clients

import (
	"crypto/tls"
	"strings"

	"github.com/baton-handoff/baton/internal/llm"
	"github.com/baton-handoff/baton/internal/llm/anthropic"
	"github.com/baton-handoff/baton/internal/llm/openai"
	"github.com/baton-handoff/baton/internal/llm/wire"
	"github.com/baton-handoff/baton/internal/outbound"
)

// Options are what has nothing to do with the model.
type Options struct {
	// UserAgent is what services see; empty means "baton".
	UserAgent string
	// TLS is used instead of the system's settings. For tests.
	TLS *tls.Config
}

// New makes a client for a model. It calls nobody. Its error is a
// [*models.Error] for a configuration that is not valid, and an [*llm.Error]
// otherwise. The key may be empty for a service of one's own.
func New(c llm.Config, key string, o Options) (llm.Client, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return nil, llm.Errorf(llm.ClassMisconfigured, "The key of the model has characters that no key has.").
			WithCure("Set it again in Baton's configuration, without blanks and line breaks.")
	}
	c = c.WithDefaults()
	port, err := c.Port()
	if err != nil {
		return nil, err
	}
	http, err := outbound.New(outbound.Options{
		UserAgent: o.UserAgent, Timeout: c.Timeout, MaxBody: wire.MaxBody, TLS: o.TLS, Allow: c.Allow, Ports: []uint16{port},
	})
	if err != nil {
		return nil, llm.Errorf(llm.ClassMisconfigured, "The networks that the model may be in are not valid.").
			WithCure("Correct them in Baton's configuration.").WithCause(err)
	}
	if c.Kind == llm.KindAnthropic {
		return nonNil(anthropic.New(c, key, http))
	}
	return nonNil(openai.New(c, key, http))
}

// nonNil keeps a nil pointer from becoming a client that is not nil.
func nonNil[C llm.Client](c C, err error) (llm.Client, error) {
	if err != nil {
		return nil, err
	}
	return c, nil
}
