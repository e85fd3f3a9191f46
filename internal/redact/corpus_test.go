package redact_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/redact"
)

var testKey = []byte("a key of tests, for nothing else")

// sample is a text of the corpus and which of its bytes are secret.
type sample struct {
	where   string
	text    string
	secret  []bool
	secrets [][2]int
}

// readCorpus reads a file of samples: one a line, or in *.blocks.txt apart by
// lines of %%. Secrets are in ⟦ ⟧. A ¦ is taken out: it keeps those who look
// for leaked credentials from finding ours, which open nothing.
func readCorpus(tb testing.TB, file string) []sample {
	tb.Helper()
	raw, err := os.ReadFile(file)
	require.NoError(tb, err)
	separator := "\n"
	if strings.HasSuffix(file, ".blocks.txt") {
		separator = "\n%%\n"
	}
	var samples []sample
	for i, marked := range strings.Split(strings.TrimSuffix(string(raw), "\n"), separator) {
		if strings.TrimSpace(marked) == "" || strings.HasPrefix(marked, "## ") {
			continue
		}
		s := sample{where: fmt.Sprintf("%s:%d", filepath.Base(file), i+1)}
		marked = strings.ReplaceAll(marked, "¦", "")
		for marked != "" {
			before, after, found := strings.Cut(marked, "⟦")
			s.text += before
			s.secret = append(s.secret, make([]bool, len(before))...)
			if !found {
				break
			}
			secret, rest, closed := strings.Cut(after, "⟧")
			require.True(tb, closed, "%s: a mark is not closed", s.where)
			s.secrets = append(s.secrets, [2]int{len(s.text), len(s.text) + len(secret)})
			s.text += secret
			for range len(secret) {
				s.secret = append(s.secret, true)
			}
			marked = rest
		}
		samples = append(samples, s)
	}
	return samples
}

// figures are what a corpus says of the rules. A secret is found when none of
// it is left. What was taken out is right when all of it was secret.
type figures struct {
	samples, secrets, found, taken, right int
	missed, wrong                         []string
}

func (f figures) recall() float64 { return float64(f.found) / float64(max(f.secrets, 1)) }

func (f figures) precision() float64 { return float64(f.right) / float64(max(f.taken, 1)) }

func measure(r *redact.Redactor, samples []sample) figures {
	f := figures{samples: len(samples)}
	for _, s := range samples {
		gone := make([]bool, len(s.text))
		for _, sp := range redact.Spans(r, s.text) {
			f.taken++
			right := true
			for i := sp[0]; i < sp[1]; i++ {
				gone[i] = true
				right = right && s.secret[i]
			}
			if right {
				f.right++
			} else {
				f.wrong = append(f.wrong, fmt.Sprintf("%s: took %q out of %q", s.where, s.text[sp[0]:sp[1]], s.text))
			}
		}
		for _, secret := range s.secrets {
			f.secrets++
			whole := true
			for i := secret[0]; i < secret[1]; i++ {
				whole = whole && gone[i]
			}
			if whole {
				f.found++
			} else {
				f.missed = append(f.missed, fmt.Sprintf("%s: left %q in %q", s.where, s.text[secret[0]:secret[1]], s.text))
			}
		}
	}
	return f
}

// TestCorpus prints recall and precision, file by file, and holds them.
func TestCorpus(t *testing.T) {
	t.Parallel()
	r, err := redact.New(testKey)
	require.NoError(t, err)
	files, err := filepath.Glob("testdata/corpus/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var all []sample
	show := func(name string, f figures) {
		t.Logf("%-28s %4d texts %4d secrets  recall %.4f  precision %.4f", name, f.samples, f.secrets, f.recall(), f.precision())
	}
	for _, file := range files {
		samples := readCorpus(t, file)
		f := measure(r, samples)
		show(filepath.Base(file), f)
		for _, line := range append(f.missed, f.wrong...) {
			t.Log("  ", line)
		}
		all = append(all, samples...)
	}
	f := measure(r, all)
	show("all", f)
	require.GreaterOrEqual(t, f.recall(), 0.98)
	require.GreaterOrEqual(t, f.precision(), 0.98)
}
