package psa

import (
	"slices"
	"strings"

	"github.com/baton-handoff/baton/internal/secrets"
)

// Credentials are the secrets of a connection by the names in [Fields].
type Credentials map[string]secrets.Secret

// Reveal returns the secrets themselves, to encrypt them.
func (c Credentials) Reveal() map[string]string {
	out := make(map[string]string, len(c))
	for k, v := range c {
		out[k] = string(v)
	}
	return out
}

// Redact removes the credentials from a text. Short ones are left: they would
// be found in any text.
func (c Credentials) Redact(text string) string {
	var all []string
	for _, v := range c {
		if v := strings.TrimSpace(string(v)); len(v) >= 6 { // as it is sent
			all = append(all, v)
		}
	}
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) }) // one may hold another
	for _, v := range all {
		text = strings.ReplaceAll(text, v, secrets.Redacted)
	}
	return text
}
