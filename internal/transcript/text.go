package transcript

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	terminalColour = regexp.MustCompile(`\x1b\[[0-9;?]*[ -/]*[@-~]`)
	lineBreaks     = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n", "\u0085", "\n", "\v", "\n", "\f", "\n")
)

// Clean drops broken UTF-8, terminal colours, control characters, and the
// marks that turn the direction of writing around, with which a line can be
// made to read as another one.
func Clean(s string) string {
	s = strings.ToValidUTF8(s, string(utf8.RuneError))
	s = lineBreaks.Replace(terminalColour.ReplaceAllString(s, ""))
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\ufeff':
			return -1
		}
		return r
	}, s)
}

// OneLine puts a text on one line, with single spaces.
func OneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// Shorten cuts a text to at most n characters and marks the cut.
func Shorten(s string, n int) string {
	if Runes(s) <= n {
		return s
	}
	return strings.TrimRightFunc(FirstRunes(s, n-1), unicode.IsSpace) + "…"
}

// FirstRunes returns the first n characters of s.
func FirstRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// Runes counts the characters of s.
func Runes(s string) int { return utf8.RuneCountInString(s) }
