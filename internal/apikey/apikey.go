// Package apikey makes and reads API keys: baton_, 32 random characters, and a
// checksum of 6, so that scanners find a key that leaked, and know it from
// something that only looks like one, without asking anybody.
package apikey

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"hash/crc32"
	"strings"
)

const (
	// Prefix is how every key begins. No other token does: those of identity
	// providers are JWTs.
	Prefix = "baton_"

	alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	// secretLength characters hold 190 bits: nobody guesses them, so a plain
	// digest keeps them, where a password would need a slow one.
	secretLength   = 32
	checksumLength = 6
	// shownLength is how much of a key people see to tell it from others, which
	// leaves 166 bits.
	shownLength = len(Prefix) + 4
	// Length is how many characters a key has.
	Length = len(Prefix) + secretLength + checksumLength
)

// ErrMalformed is what [Parse] says of anything but a key.
var ErrMalformed = errors.New("apikey: it is no API key, or one that was not copied whole")

// Key is an API key. The zero value is none. It prints as its beginning.
type Key struct{ text string }

// New makes a key.
func New() Key {
	var b strings.Builder
	b.Grow(Length)
	b.WriteString(Prefix)
	random := make([]byte, secretLength)
	for n := 0; n < secretLength; {
		_, _ = rand.Read(random) // never fails
		for _, c := range random {
			// The largest multiple of 62 in a byte: or some characters would be
			// more likely than others.
			if c < 248 && n < secretLength {
				b.WriteByte(alphabet[c%62])
				n++
			}
		}
	}
	body := b.String()
	return Key{body + checksum(body)}
}

// Is reports whether a token means to be an API key.
func Is(token string) bool { return strings.HasPrefix(token, Prefix) }

// Parse reads a key. It fails with [ErrMalformed], which repeats nothing of the
// text.
func Parse(text string) (Key, error) {
	if len(text) != Length || !Is(text) {
		return Key{}, ErrMalformed
	}
	for i := len(Prefix); i < Length; i++ {
		if strings.IndexByte(alphabet, text[i]) < 0 {
			return Key{}, ErrMalformed
		}
	}
	body := text[:Length-checksumLength]
	if text[len(body):] != checksum(body) {
		return Key{}, ErrMalformed
	}
	return Key{text}, nil
}

// checksum is the CRC-32 (IEEE) of what comes before it, in base 62.
func checksum(body string) string {
	n := crc32.ChecksumIEEE([]byte(body))
	var digits [checksumLength]byte
	for i := range digits {
		digits[checksumLength-1-i] = alphabet[n%62]
		n /= 62
	}
	return string(digits[:])
}

// Reveal is the key itself.
func (k Key) Reveal() string { return k.text }

// Hash is what is kept of it. Comparing hashes in an index tells an attacker
// nothing by its time: they cannot choose how a hash begins.
func (k Key) Hash() [sha256.Size]byte { return sha256.Sum256([]byte(k.text)) }

// Shown is how the key begins, by which people tell it from others.
func (k Key) Shown() string { return k.text[:min(shownLength, len(k.text))] }

// String is [Key.Shown], so that no log has the key.
func (k Key) String() string { return k.Shown() + "…" }

// GoString is as [Key.String].
func (k Key) GoString() string { return k.String() }
