// Package pagetest takes Markdown apart as its readers do, for the tests of
// what is written with package page.
package pagetest

import (
	"regexp"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
)

// T is what *testing.T and *rapid.T have in common.
type T interface {
	Helper()
	Errorf(format string, args ...any)
	FailNow()
}

var (
	escaped = regexp.MustCompile(`\\[!-/:-@\[-` + "`" + `{-~]`)
	// live is what would mean something to one reader of Markdown or another,
	// at the start of a block or anywhere in it.
	live = regexp.MustCompile(`^(?:#|>|[-+*]|\d+[.)](?:\s|$)|\t|    )|[<*_\[\]|~` + "`" + `@]|://|(?i:www\.)|&#?\w+;|\pL\.\pL{2}`)
)

// CheckMarkdown takes the text apart as a reader of Markdown would, takes away
// what is code or escaped or ours, and looks whether anything else has meaning. Headings and strong are the writer's own.
func CheckMarkdown(t T, markdown string, headings, strong []string) {
	t.Helper()
	fence := ""
	for line := range strings.SplitSeq(markdown, "\n") {
		ticks := line[:len(line)-len(strings.TrimLeft(line, "`"))]
		switch {
		case fence != "":
			if ticks == line && len(ticks) >= len(fence) {
				fence = ""
			}
		case len(ticks) >= 3 && ticks == line:
			fence = line
		case strings.HasPrefix(line, "#"):
			require.True(t, slices.Contains(headings, strings.TrimPrefix(line, "### ")), "a heading of its own: %q", line)
		default:
			line = strings.TrimPrefix(strings.TrimPrefix(line, "> "), "- ")
			if line == ">" {
				continue
			}
			for _, our := range strong {
				line = strings.ReplaceAll(line, "**"+our+"**", "·")
			}
			for _, entity := range []string{"&lt;", "&gt;", "&amp;"} {
				line = strings.ReplaceAll(line, entity, "·")
			}
			if strings.HasPrefix(line, "**Escalated by ") || strings.HasPrefix(line, "**Parked by ") {
				line = strings.TrimSuffix(strings.TrimPrefix(line, "**"), "**")
			}
			rest := withoutCode(t, line)
			require.NotRegexp(t, live, rest, "in line %q", line)
		}
	}
	require.Empty(t, fence, "a fence stays open")
}

// withoutCode takes the code spans and the escaped characters out of a line,
// from left to right as CommonMark does.
func withoutCode(t T, line string) string {
	t.Helper()
	var b strings.Builder
	for line != "" {
		if at := escaped.FindStringIndex(line); at != nil && at[0] == 0 {
			b.WriteRune('·')
			line = line[at[1]:]
			continue
		}
		if line[0] != '`' {
			b.WriteByte(line[0])
			line = line[1:]
			continue
		}
		ticks := line[:len(line)-len(strings.TrimLeft(line, "`"))]
		line = line[len(ticks):]
		for {
			i := strings.IndexByte(line, '`')
			require.GreaterOrEqual(t, i, 0, "code is never closed: %s%s", ticks, line)
			run := len(line[i:]) - len(strings.TrimLeft(line[i:], "`"))
			line = line[i+run:]
			if run == len(ticks) {
				break
			}
		}
		b.WriteRune('·')
	}
	return b.String()
}
