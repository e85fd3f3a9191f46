package notify

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// Secret is a password, a token, or an address that is as good as one. Printing,
// logging or marshalling it shows that there is one, and no more.
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

// Reveal returns the secret itself: to send it to its service, or to encrypt it.
func (s Secret) Reveal() string { return string(s) }
