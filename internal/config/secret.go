package config

import (
	"fmt"
	"log/slog"
)

const hidden = "***"

// Secret is a text that no log, error or dump shows. An empty one shows that
// it is empty.
type Secret struct{ value string }

// Reveal returns the value, for the one place that needs it.
func (s Secret) Reveal() string { return s.value }

// IsSet reports whether the value is not empty.
func (s Secret) IsSet() bool { return s.value != "" }

// String hides the value.
func (s Secret) String() string {
	if s.value == "" {
		return ""
	}
	return hidden
}

// Format hides the value from every verb of package fmt; with String alone,
// %d and %#v would show it.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// LogValue hides the value from package slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the value from encoders such as encoding/json.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText sets the value.
func (s *Secret) UnmarshalText(text []byte) error {
	s.value = string(text)
	return nil
}
