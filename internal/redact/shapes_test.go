package redact

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestEveryShape plants what each of gitleaks' expressions describes, and holds
// the keywords, windows and anchors against the plain expression on the whole
// text: what that finds has to be gone.
func TestEveryShape(t *testing.T) {
	t.Parallel()
	var config gitleaksConfig
	require.NoError(t, toml.Unmarshal(gitleaksTOML, &config))
	require.Len(t, config.Rules, 222)
	source := map[string]string{}
	for _, rule := range config.Rules {
		source[rule.ID] = rule.Regex
	}
	rules, err := loadShapes()
	require.NoError(t, err)
	require.Len(t, rules, 221)
	set, err := loadRules()
	require.NoError(t, err)
	planted := 0
	for _, rule := range rules {
		plain := *rule
		plain.expr, plain.anchored = regexp.MustCompile(source[rule.id]), false
		words := rapid.StringMatching(source[rule.id])
		found := false
		for n := range 40 {
			// The fold of k and s outside of ASCII is of no key.
			example := strings.NewReplacer("\u212a", "k", "\u017f", "s").Replace(words.Example(n))
			text := "2026-11-10 the engineer wrote:\n" + example + "\nand went on\n"
			if !slices.ContainsFunc(rule.keywords, func(word string) bool { return strings.Contains(strings.ToLower(text), word) }) {
				continue // gitleaks would not look either
			}
			var left []span
			spans := set.find(text)
			for _, sp := range plain.scan(text, window{0, len(text)}, nil) {
				if sp.lo >= sp.hi {
					continue // an empty value
				}
				found = true
				covered := false
				for _, other := range spans {
					covered = covered || other.lo <= sp.lo && other.hi >= sp.hi
				}
				if !covered {
					left = append(left, sp)
				}
			}
			if len(left) > 0 {
				t.Errorf("%s is left in %q", rule.id, text)
				break
			}
		}
		if found {
			planted++
		} else {
			t.Log("no example of", rule.id)
		}
	}
	require.Greater(t, planted, 190)
}
