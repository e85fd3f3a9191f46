// Package link makes the links by which a handoff is claimed from a mail or a
// card: signed, for one purpose, one person and one generation, and short-lived.
//
// A link is not a session: whoever opens it is shown what they are about to do
// and has to confirm, because scanners and previews open links as well. It may
// be opened often; that it claims once is the transition's own rule, whose
// generation the link names.
package link

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/models"
)

// Purpose is what a link is good for.
type Purpose byte

// The purposes. Their numbers stand in links; do not change them.
const (
	PurposeClaim Purpose = 1
)

// String is the purpose in words.
func (p Purpose) String() string {
	if p == PurposeClaim {
		return "claim"
	}
	return fmt.Sprintf("purpose(%d)", byte(p))
}

// Token is what a link says.
type Token struct {
	Purpose    Purpose
	Account    uuid.UUID
	User       uuid.UUID
	Handoff    uuid.UUID
	Generation int
	// Expires is in whole seconds.
	Expires time.Time
}

// The errors of [Signer.Parse]; each also holds a [*models.Error] for whoever
// opened the link.
var (
	// ErrForged is a link that was not made here, was changed, or is cut off;
	// or one whose key is not in use any more.
	ErrForged = errors.New("link: forged")
	// ErrExpired is a link that was good.
	ErrExpired = errors.New("link: expired")
	// ErrPurpose is a good link for something else.
	ErrPurpose = errors.New("link: wrong purpose")
)

// Key is a secret to sign with.
type Key struct {
	// ID tells keys apart; it is in the links. Up to 255 is enough for keys
	// that are in use at once, so it is the caller's to choose.
	ID byte
	// Secret has at least 32 bytes. It may be one that is used for other things
	// as well: what signs is derived from it.
	Secret []byte
}

// Signer signs and reads links. It is safe for concurrent use.
type Signer struct {
	first byte
	keys  map[byte][]byte
}

// minSecret is the least length of a secret, in bytes.
const minSecret = 32

// New makes a signer. The first key signs, all of them read: to rotate, put a
// new one in front and take the old one away when its links have expired.
func New(keys ...Key) (*Signer, error) {
	if len(keys) == 0 {
		return nil, errors.New("link: no key to sign with")
	}
	s := &Signer{first: keys[0].ID, keys: make(map[byte][]byte, len(keys))}
	for _, k := range keys {
		if len(k.Secret) < minSecret {
			return nil, fmt.Errorf("link: key %d is shorter than %d bytes", k.ID, minSecret)
		}
		if _, twice := s.keys[k.ID]; twice {
			return nil, fmt.Errorf("link: there are two keys %d", k.ID)
		}
		derived, err := hkdf.Key(sha256.New, k.Secret, nil, "baton signed link 1", sha256.Size)
		if err != nil {
			return nil, fmt.Errorf("link: key %d: %w", k.ID, err)
		}
		s.keys[k.ID] = derived
	}
	return s, nil
}

// A token is, in bytes: version, key's id, purpose, account, user, handoff,
// generation (4), expiry in Unix seconds (8), and the first half of an
// HMAC-SHA256 of all that (RFC 4868 cuts it likewise).
const (
	version = 1
	macLen  = sha256.Size / 2
	bodyLen = 3 + 3*16 + 4 + 8
	rawLen  = bodyLen + macLen
)

// Length is how long a token is, in characters.
const Length = (rawLen*8 + 5) / 6

// encoding has characters that stand in any part of a URL as they are.
func encoding() *base64.Encoding { return base64.RawURLEncoding.Strict() }

// Sign makes the token, of [Length] letters, digits, "-" and "_". A generation
// that is negative or does not fit into 31 bits is an error.
func (s *Signer) Sign(t Token) (string, error) {
	if t.Generation < 0 || t.Generation > math.MaxInt32 || t.Expires.Unix() < 0 {
		return "", errors.New("link: the generation or expiry is out of range")
	}
	raw := make([]byte, 0, rawLen)
	raw = append(raw, version, s.first, byte(t.Purpose))
	raw = append(raw, t.Account[:]...)
	raw = append(raw, t.User[:]...)
	raw = append(raw, t.Handoff[:]...)
	raw = binary.BigEndian.AppendUint32(raw, uint32(t.Generation))
	raw = binary.BigEndian.AppendUint64(raw, uint64(t.Expires.Unix()))
	raw = append(raw, mac(s.keys[s.first], raw)...)
	return encoding().EncodeToString(raw), nil
}

func mac(key, body []byte) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write(body)
	return h.Sum(nil)[:macLen]
}

// Parse reads a token that is good for a purpose at a time. Its error is one of
// [ErrForged], [ErrExpired] and [ErrPurpose]. An expired token is returned with
// its error, so that whoever opens it can be shown where it led.
func (s *Signer) Parse(token string, p Purpose, now time.Time) (Token, error) {
	if len(token) != Length {
		return Token{}, forged()
	}
	raw, err := encoding().DecodeString(token)
	if err != nil || len(raw) != rawLen || raw[0] != version {
		return Token{}, forged()
	}
	key, ok := s.keys[raw[1]]
	if !ok || !hmac.Equal(mac(key, raw[:bodyLen]), raw[bodyLen:]) {
		return Token{}, forged()
	}
	t := Token{Purpose: Purpose(raw[2])}
	rest := raw[3:bodyLen]
	for _, id := range []*uuid.UUID{&t.Account, &t.User, &t.Handoff} {
		rest = rest[copy(id[:], rest):]
	}
	t.Generation = int(binary.BigEndian.Uint32(rest))
	t.Expires = time.Unix(int64(binary.BigEndian.Uint64(rest[4:])), 0).UTC()
	if t.Purpose != p {
		return Token{}, models.Errorf(models.CodeForbidden, "This link is for something else.").WithCause(ErrPurpose)
	}
	if !now.Before(t.Expires) {
		return t, models.Errorf(models.CodeForbidden, "This link has expired. Open the handoff in Baton and claim it there.").WithCause(ErrExpired)
	}
	return t, nil
}

func forged() error {
	return models.Errorf(models.CodeForbidden, "This link is not one of Baton's, or a part of it is missing. Open the handoff in Baton instead.").WithCause(ErrForged)
}
