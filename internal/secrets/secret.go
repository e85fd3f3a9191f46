package secrets

import (
	"fmt"
	"io"
	"log/slog"
)

// Redacted stands for a secret wherever one would be shown.
const Redacted = "[redacted]"

// Secret is a password, a token, or an address that is as good as one. Printing,
// logging or marshalling it shows that there is one, and no more.
type Secret string

// String hides the secret; an empty one shows that it is empty.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return Redacted
}

// Format hides the secret from every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// LogValue hides the secret from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the secret from encoders such as encoding/json, and so from
// Temporal's histories.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reveal returns the secret itself: to use it where it is for, or to seal it.
func (s Secret) Reveal() string { return string(s) }
