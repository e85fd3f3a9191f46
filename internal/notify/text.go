package notify

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line makes s one line of at most limit characters (runes): no control or
// invisible characters, no runs of blanks, valid UTF-8. What is cut off shows
// as "…". The result is text and still has to be escaped for its medium.
func Line(s string, limit int) string {
	s = strings.Join(strings.Fields(clean(bound(s, limit), false)), " ")
	return Cut(s, limit)
}

// Text is like [Line], but keeps line breaks: at most one empty line between
// two others.
func Text(s string, limit int) string {
	lines := strings.Split(clean(bound(s, limit), true), "\n")
	kept := lines[:0]
	for _, l := range lines {
		l = strings.TrimRightFunc(l, unicode.IsSpace)
		if l == "" && (len(kept) == 0 || kept[len(kept)-1] == "") {
			continue
		}
		kept = append(kept, l)
	}
	return Cut(strings.TrimSpace(strings.Join(kept, "\n")), limit)
}

// bound cuts off, before any work is done, what cannot matter any more: a
// text of megabytes is not worth reading.
func bound(s string, limit int) string {
	if most := 16 * (limit + 16); len(s) > most {
		s = s[:most]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// clean removes what a reader cannot see or what changes how others read:
// control characters, marks of direction, tags. Joiners stay: several scripts,
// and emoji, need them.
func clean(s string, breaks bool) string {
	if breaks {
		s = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n\n", "\v", "\n", "\f", "\n", "\u0085", "\n").Replace(s)
	}
	const zwnj, zwj = '\u200c', '\u200d'
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' && breaks, r == zwnj, r == zwj:
			return r
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s)
}

// Cut shortens s to at most limit characters (runes), with "…" as the last.
func Cut(s string, limit int) string {
	if limit <= 0 {
		return ""
	}
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	n := 0
	for i := range s {
		if n++; n == limit {
			return strings.TrimRightFunc(s[:i], unicode.IsSpace) + "…"
		}
	}
	return s
}

// MaxURL bounds a link, in bytes. All channels take as much.
const MaxURL = 2000

// WebURL returns s when it is an absolute address of a web page that may stand
// in a message, and "" otherwise.
func WebURL(s string) string {
	u, err := url.Parse(s)
	if err != nil || len(s) > MaxURL || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	for _, r := range s {
		if r <= ' ' || r >= 0x7f || strings.ContainsRune("<>\"'`|\\^{}", r) {
			return "" // not an address as it stands in RFC 3986; some media would end the link there
		}
	}
	return s
}
