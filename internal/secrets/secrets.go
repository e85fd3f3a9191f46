// Package secrets seals what the database must not know, such as credentials
// for other systems: with AES-256-GCM, under keys that come from the
// configuration, bound to the account and the purpose.
package secrets

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// keySize is that of AES-256, in bytes.
const keySize = 32

// The errors of a [Box]. None of them holds a secret.
var (
	// ErrNoKey says that there is no key to seal with.
	ErrNoKey = errors.New("secrets: there is no key")
	// ErrUnknownKey says that the key which sealed something is not known.
	ErrUnknownKey = errors.New("secrets: sealed with a key that is not known")
	// ErrNotAuthentic says that something was changed, or was sealed for another
	// account or purpose.
	ErrNotAuthentic = errors.New("secrets: changed, or sealed for something else")
)

var validID = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// Box seals and opens. It is safe for concurrent use. Printing it shows no key.
type Box struct {
	first string
	keys  map[string]cipher.AEAD
	// roots are what [Box.Derive] begins with, in the order of the list.
	roots []root
}

// root is the pseudorandom key (RFC 5869) of an entry.
type root struct {
	id  string
	prk []byte
}

// Sealed is a sealed text, and which key opens it.
type Sealed struct {
	KeyID string
	Data  []byte
}

// Parse makes a box of a list id:key[,id:key…], each key 32 bytes in base64.
// The first key seals, all of them open. An empty list makes a box that can do
// neither. Errors say which entry is wrong and never repeat a key.
func Parse(list string) (*Box, error) {
	b := &Box{keys: map[string]cipher.AEAD{}}
	if strings.TrimSpace(list) == "" {
		return b, nil
	}
	for i, entry := range strings.Split(list, ",") {
		id, encoded, _ := strings.Cut(strings.TrimSpace(entry), ":")
		if !validID.MatchString(id) {
			return nil, fmt.Errorf("entry %d does not begin with an id of letters, digits, dots, dashes and underscores, and a colon", i+1)
		}
		if b.keys[id] != nil {
			return nil, fmt.Errorf("entry %d has the id of another entry", i+1)
		}
		raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.TrimSpace(encoded), "="))
		if err != nil || len(raw) != keySize {
			return nil, fmt.Errorf("entry %d is not an id, a colon and %d bytes in base64", i+1, keySize)
		}
		if b.keys[id], err = newAEAD(raw); err != nil {
			return nil, fmt.Errorf("entry %d cannot be used as a key", i+1)
		}
		prk, err := hkdf.Extract(sha256.New, raw, nil)
		if err != nil {
			return nil, fmt.Errorf("entry %d cannot be used as a key", i+1)
		}
		b.roots = append(b.roots, root{id, prk})
		if b.first == "" {
			b.first = id
		}
	}
	return b, nil
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	// Random nonces: 2^32 texts under one key are far more than there will be.
	return cipher.NewGCMWithRandomNonce(block)
}

// NewKey makes a fresh entry for [Parse], under an id of its own.
func NewKey() string {
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // never fails
	return "k-" + strings.ToLower(rand.Text()[:8]) + ":" + base64.StdEncoding.EncodeToString(key)
}

// Derived is a key for something else than sealing.
type Derived struct {
	// ID is that of the entry that it comes from.
	ID  string
	Key []byte
}

// Derive makes a key of 32 bytes for a purpose of each entry, the first one
// first (HKDF-SHA256). They tell nothing about what seals, nor about each other.
func (b *Box) Derive(purpose string) ([]Derived, error) {
	keys := make([]Derived, 0, len(b.roots))
	for _, r := range b.roots {
		key, err := hkdf.Expand(sha256.New, r.prk, "baton "+purpose, keySize)
		if err != nil {
			return nil, fmt.Errorf("deriving a key: %w", err)
		}
		keys = append(keys, Derived{r.id, key})
	}
	return keys, nil
}

// Ready reports whether the box can seal.
func (b *Box) Ready() bool { return b.first != "" }

// KeyID names the key that seals; empty when there is none.
func (b *Box) KeyID() string { return b.first }

// String shows the ids of the keys alone.
func (b *Box) String() string {
	ids := make([]string, 0, len(b.keys))
	for id := range b.keys {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return "keys " + strings.Join(ids, ", ")
}

// Format hides the keys from every verb.
func (b *Box) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(b.String())) }

// Seal seals text for an account and a purpose.
func (b *Box) Seal(account uuid.UUID, purpose string, text []byte) (Sealed, error) {
	if b.first == "" {
		return Sealed{}, ErrNoKey
	}
	return Sealed{KeyID: b.first, Data: b.keys[b.first].Seal(nil, nil, text, bound(b.first, account, purpose))}, nil
}

// Open returns what was sealed for the same account and purpose.
func (b *Box) Open(account uuid.UUID, purpose string, s Sealed) ([]byte, error) {
	key := b.keys[s.KeyID]
	if key == nil {
		return nil, fmt.Errorf("%w: %q", ErrUnknownKey, s.KeyID)
	}
	text, err := key.Open(nil, nil, s.Data, bound(s.KeyID, account, purpose))
	if err != nil {
		return nil, ErrNotAuthentic
	}
	return text, nil
}

// bound is the additional data: the part before purpose has a length that is
// told, so no two combinations look the same.
func bound(keyID string, account uuid.UUID, purpose string) []byte {
	data := append([]byte("baton"), account[:]...)
	data = binary.BigEndian.AppendUint16(data, uint16(len(keyID)))
	data = append(data, keyID...)
	return append(data, purpose...)
}
