package link_test

import (
	"bytes"
	"encoding/base64"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/baton-handoff/baton/internal/notify/link"
	"github.com/baton-handoff/baton/models"
)

func now() time.Time { return time.Unix(1_795_000_000, 0) }

func key(id byte) link.Key { return link.Key{ID: id, Secret: bytes.Repeat([]byte{id}, 32)} }

func signer(t require.TestingT, keys ...link.Key) *link.Signer {
	s, err := link.New(keys...)
	require.NoError(t, err)
	return s
}

func token() link.Token {
	return link.Token{
		Purpose: link.PurposeClaim, Account: uuid.UUID{1}, User: uuid.UUID{2}, Handoff: uuid.UUID{3}, Generation: 4,
		Expires: now().Add(time.Hour).UTC(),
	}
}

// TestTheTokenKeepsItsForm guards links that are in people's mailboxes.
func TestTheTokenKeepsItsForm(t *testing.T) {
	t.Parallel()
	s, err := signer(t, key(1)).Sign(token())
	require.NoError(t, err)
	require.Len(t, s, link.Length)
	require.Equal(t, "AQEBAQAAAAAAAAAAAAAAAAAAAAIAAAAAAAAAAAAAAAAAAAADAAAAAAAAAAAAAAAAAAAAAAAABAAAAABq_ZTQoW2dvuYLLigV0soOZglNOg", s)
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	s := signer(t, key(1))
	rapid.Check(t, func(t *rapid.T) {
		id := func(name string) (u uuid.UUID) {
			copy(u[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, name))
			return u
		}
		want := link.Token{
			Purpose: link.Purpose(rapid.Byte().Draw(t, "purpose")), Account: id("account"), User: id("user"), Handoff: id("handoff"),
			Generation: rapid.IntRange(0, 1<<31-1).Draw(t, "generation"),
			Expires:    time.Unix(rapid.Int64Range(0, 1<<40).Draw(t, "expires"), 0).UTC(),
		}
		text, err := s.Sign(want)
		require.NoError(t, err)
		got, err := s.Parse(text, want.Purpose, want.Expires.Add(-time.Second))
		require.NoError(t, err)
		require.Equal(t, want, got)

		// No other text is good.
		raw, _ := base64.RawURLEncoding.DecodeString(text)
		i := rapid.IntRange(0, len(raw)-1).Draw(t, "byte")
		raw[i] ^= byte(rapid.IntRange(1, 255).Draw(t, "flip"))
		_, err = s.Parse(base64.RawURLEncoding.EncodeToString(raw), want.Purpose, want.Expires.Add(-time.Second))
		require.ErrorIs(t, err, link.ErrForged)
	})
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	s := signer(t, key(1))
	good, err := s.Sign(token())
	require.NoError(t, err)
	_, err = s.Parse(good, link.PurposeClaim, now())
	require.NoError(t, err)
	got, err := s.Parse(good, link.PurposeClaim, token().Expires)
	require.ErrorIs(t, err, link.ErrExpired)
	require.Equal(t, token(), got)
	require.Equal(t, models.CodeForbidden, models.CodeOf(err))
	got, err = s.Parse(good, link.Purpose(2), now())
	require.ErrorIs(t, err, link.ErrPurpose)
	require.Zero(t, got)
	for _, bad := range []string{"", good[:len(good)-1], good + "A", good + "=", " " + good[1:], good[:50] + "\n" + good[51:], good[:50] + "+" + good[51:]} {
		got, err := s.Parse(bad, link.PurposeClaim, now())
		require.ErrorIs(t, err, link.ErrForged, "%q", bad)
		require.Zero(t, got)
	}
	_, err = s.Sign(link.Token{Generation: -1, Expires: now()})
	require.Error(t, err)
}

func TestKeysAreRotated(t *testing.T) {
	t.Parallel()
	old, err := signer(t, key(1)).Sign(token())
	require.NoError(t, err)
	both := signer(t, key(2), key(1))
	_, err = both.Parse(old, link.PurposeClaim, now())
	require.NoError(t, err)
	fresh, err := both.Sign(token())
	require.NoError(t, err)
	_, err = signer(t, key(2)).Parse(fresh, link.PurposeClaim, now())
	require.NoError(t, err)
	_, err = signer(t, key(2)).Parse(old, link.PurposeClaim, now())
	require.ErrorIs(t, err, link.ErrForged)
	// The same id with another secret is another key.
	_, err = signer(t, link.Key{ID: 1, Secret: bytes.Repeat([]byte{9}, 32)}).Parse(old, link.PurposeClaim, now())
	require.ErrorIs(t, err, link.ErrForged)

	for _, keys := range [][]link.Key{nil, {{ID: 1, Secret: make([]byte, 31)}}, {key(1), key(1)}} {
		_, err := link.New(keys...)
		require.Error(t, err)
	}
}

func FuzzParse(f *testing.F) {
	s := signer(f, key(1))
	good, err := s.Sign(token())
	require.NoError(f, err)
	f.Add(good)
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := s.Parse(text, link.PurposeClaim, now())
		if err == nil {
			require.Equal(t, good, text)
			require.Equal(t, token(), got)
		}
	})
}
