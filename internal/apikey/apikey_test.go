package apikey

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestAKeyIsFoundByScanners(t *testing.T) {
	t.Parallel()
	pattern := regexp.MustCompile(`^baton_[0-9A-Za-z]{38}$`)
	used := map[byte]bool{}
	for range 2000 {
		k := New()
		require.Regexp(t, pattern, k.Reveal())
		read, err := Parse(k.Reveal())
		require.NoError(t, err)
		require.Equal(t, k, read)
		require.Equal(t, k.Reveal()[:10], k.Shown())
		for i := len(Prefix); i < Length-checksumLength; i++ {
			used[k.Reveal()[i]] = true
		}
	}
	require.Len(t, used, 62, "every character comes up")
	one, two := New(), New()
	require.NotEqual(t, one, two)
}

// TestTheFormatStays: keys that are in use have to be read for ever.
func TestTheFormatStays(t *testing.T) {
	t.Parallel()
	const text = "baton_0123456789ABCDEFGHIJKLMNOPQRSTUV1i2sqM"
	k, err := Parse(text)
	require.NoError(t, err)
	require.Equal(t, "682c1cf9", fmt.Sprintf("%x", k.Hash())[:8])
}

func TestAKeyIsNotPrinted(t *testing.T) {
	t.Parallel()
	k := New()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		require.NotContains(t, fmt.Sprintf(verb, k), k.Reveal()[10:], verb)
		require.NotContains(t, fmt.Sprintf(verb, struct{ K Key }{k}), k.Reveal()[10:], verb)
	}
	require.Equal(t, "…", Key{}.String())
}

// TestAMistakeIsNoticed holds that one wrong character never makes another key,
// so that a typing mistake does not ask the database.
func TestAMistakeIsNoticed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(New().Reveal())
		i := rapid.IntRange(0, len(text)-1).Draw(t, "place")
		c := rapid.Byte().Draw(t, "character")
		if text[i] == c {
			return
		}
		text[i] = c
		if _, err := Parse(string(text)); err == nil {
			t.Fatalf("%q is taken for a key", text)
		}
	})
	for _, text := range []string{"", Prefix, New().Reveal() + " ", " " + New().Reveal(), strings.ToUpper(New().Reveal()), New().Reveal()[:Length-1], New().Reveal() + "0"} {
		_, err := Parse(text)
		require.ErrorIs(t, err, ErrMalformed, text)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("baton_0123456789ABCDEFGHIJKLMNOPQRSTUV1i2sqM")
	f.Add("baton_")
	f.Add("eyJhbGciOiJIUzI1NiJ9.e30.x")
	f.Add(strings.Repeat("baton_", 8))
	f.Fuzz(func(t *testing.T, text string) {
		k, err := Parse(text)
		if err != nil {
			if k != (Key{}) {
				t.Fatalf("%q: %v, %v", text, k, err)
			}
			return
		}
		if k.Reveal() != text || len(text) != Length || !strings.HasPrefix(text, k.Shown()) {
			t.Fatalf("%q was read as %q", text, k.Reveal())
		}
	})
}
