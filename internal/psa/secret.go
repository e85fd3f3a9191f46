package psa

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
)

// Secret is a credential. Printing, logging or marshalling it shows that there
// is one, and no more.
type Secret string

const redacted = "[redacted]"

// String hides the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// Format hides the secret from every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// LogValue hides the secret from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON hides the secret from JSON, and so from Temporal's histories.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// Reveal returns the secret itself: to send it to its vendor, or to encrypt it.
func (s Secret) Reveal() string { return string(s) }

// Credentials are the secrets of a connection by the names in [Fields].
type Credentials map[string]Secret

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
		text = strings.ReplaceAll(text, v, redacted)
	}
	return text
}
