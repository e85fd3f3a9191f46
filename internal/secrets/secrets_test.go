package secrets_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/baton-handoff/baton/internal/secrets"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	here  = uuid.MustParse("0197a3c0-1f00-7a10-8c55-2b9d6e4f1a01")
	there = uuid.MustParse("0197a3c0-1f00-7a10-8c55-2b9d6e4f1a02")
	text  = []byte("the private key")
)

func box(t *testing.T, list string) *secrets.Box {
	t.Helper()
	b, err := secrets.Parse(list)
	require.NoError(t, err)
	return b
}

func TestSealedOpensForItsAccountAndPurposeAlone(t *testing.T) {
	t.Parallel()
	b := box(t, secrets.NewKey())
	s, err := b.Seal(here, "psa", text)
	require.NoError(t, err)
	require.Equal(t, b.KeyID(), s.KeyID)
	require.NotContains(t, string(s.Data), "private")
	got, err := b.Open(here, "psa", s)
	require.NoError(t, err)
	require.Equal(t, text, got)

	again, err := b.Seal(here, "psa", text)
	require.NoError(t, err)
	require.NotEqual(t, s.Data, again.Data, "a fresh nonce each time")

	_, err = b.Open(there, "psa", s)
	require.ErrorIs(t, err, secrets.ErrNotAuthentic, "another account")
	_, err = b.Open(here, "mail", s)
	require.ErrorIs(t, err, secrets.ErrNotAuthentic, "another purpose")
	for i := range s.Data {
		bad := secrets.Sealed{KeyID: s.KeyID, Data: bytes.Clone(s.Data)}
		bad.Data[i] ^= 1
		_, err = b.Open(here, "psa", bad)
		require.ErrorIs(t, err, secrets.ErrNotAuthentic, "byte %d", i)
	}
	for n := range len(s.Data) {
		_, err = b.Open(here, "psa", secrets.Sealed{KeyID: s.KeyID, Data: s.Data[:n]})
		require.ErrorIs(t, err, secrets.ErrNotAuthentic, "%d bytes", n)
	}
}

func TestTheFirstKeySealsAndAllOpen(t *testing.T) {
	t.Parallel()
	old, fresh := secrets.NewKey(), secrets.NewKey()
	s, err := box(t, old).Seal(here, "psa", text)
	require.NoError(t, err)

	both := box(t, fresh+" , "+old)
	got, err := both.Open(here, "psa", s)
	require.NoError(t, err)
	require.Equal(t, text, got)
	renewed, err := both.Seal(here, "psa", got)
	require.NoError(t, err)
	_, err = box(t, fresh).Open(here, "psa", renewed)
	require.NoError(t, err)
	_, err = box(t, fresh).Open(here, "psa", s)
	require.ErrorIs(t, err, secrets.ErrUnknownKey)
	require.ErrorContains(t, err, s.KeyID)
	// The same key under another id is not the same.
	_, key, _ := strings.Cut(old, ":")
	_, err = box(t, "other:"+key).Open(here, "psa", secrets.Sealed{KeyID: "other", Data: s.Data})
	require.ErrorIs(t, err, secrets.ErrNotAuthentic)
}

func TestWithoutKeys(t *testing.T) {
	t.Parallel()
	b := box(t, " ")
	require.False(t, b.Ready())
	_, err := b.Seal(here, "psa", text)
	require.ErrorIs(t, err, secrets.ErrNoKey)
	_, err = b.Open(here, "psa", secrets.Sealed{KeyID: "k", Data: text})
	require.ErrorIs(t, err, secrets.ErrUnknownKey)
}

func TestParseNamesTheEntryAndNoKey(t *testing.T) {
	t.Parallel()
	good := secrets.NewKey()
	_, key, _ := strings.Cut(good, ":")
	for name, list := range map[string]string{
		"no id":      key,
		"empty id":   ":" + key,
		"strange id": "a b:" + key,
		"short":      "b:" + base64.StdEncoding.EncodeToString([]byte("hunter2hunter2")),
		"no base64":  "b:hunter2!",
		"twice":      good,
		"empty":      "",
	} {
		_, err := secrets.Parse(good + "," + list)
		require.ErrorContains(t, err, "entry 2", name)
		require.NotContains(t, err.Error(), "hunter2", name)
		require.NotContains(t, err.Error(), key[:8], name)
	}
}

func TestPrintingShowsNoKey(t *testing.T) {
	t.Parallel()
	entry := secrets.NewKey()
	id, key, _ := strings.Cut(entry, ":")
	b := box(t, entry)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		require.Equal(t, "keys "+id, fmt.Sprintf(verb, b), verb)
		require.NotContains(t, fmt.Sprintf(verb, b), key, verb)
	}
}

// TestDerivedKeysAreApart holds that each entry and purpose has a key of its
// own, and always the same.
func TestDerivedKeysAreApart(t *testing.T) {
	t.Parallel()
	one, two := secrets.NewKey(), secrets.NewKey()
	keys := func(list, purpose string) []secrets.Derived {
		d, err := box(t, list).Derive(purpose)
		require.NoError(t, err)
		return d
	}
	both := keys(one+","+two, "links")
	require.Len(t, both, 2)
	require.Equal(t, both[:1], keys(one, "links"))
	require.Equal(t, both[1:], keys(two, "links"))
	require.NotEqual(t, both[0].Key, both[1].Key)
	require.NotEqual(t, both[0].Key, keys(one, "other")[0].Key)
	require.Len(t, both[0].Key, 32)
	require.Empty(t, keys("", "links"))
}
