package redact

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/coregx/ahocorasick"
)

// Session redacts the texts of one session together: what is a secret in one
// of them ("password is Welcome1") is taken out of the others as well, where it
// stands without a label ("tried Welcome1 again", "WELCOME1 fails too").
//
// A secret is looked for elsewhere when it cannot be taken for a word or a
// number of something else: from six characters with letters and digits or
// symbols, or eight digits, or sixteen of anything. It has to stand by itself.
func (r *Redactor) Session(texts []string) ([]string, Counts) {
	redacted, counts := make([]string, len(texts)), Counts{}
	kinds := map[string]string{} // by the secret in lower case
	for i, text := range texts {
		var out strings.Builder
		r.each(text, &out, func(secret, rule string) {
			counts[rule]++
			for _, form := range forms(secret) {
				if kinds[form] == "" {
					kinds[form] = rule
				}
			}
		})
		redacted[i] = out.String()
	}
	if len(kinds) == 0 {
		return redacted, counts
	}
	secrets := make([]string, 0, len(kinds))
	for secret := range kinds {
		secrets = append(secrets, secret)
	}
	slices.Sort(secrets)
	known, err := ahocorasick.NewBuilder().AddStrings(secrets).Build()
	if err != nil { // only without patterns
		return redacted, counts
	}
	for i, text := range redacted {
		again := r.carry(text, known, secrets, kinds, counts)
		if again == text {
			continue
		}
		// What was taken out may have brought neighbours together.
		var found Counts
		redacted[i], found = r.Text(again)
		counts.Add(found)
	}
	return redacted, counts
}

// carry replaces known secrets outside of placeholders.
func (r *Redactor) carry(text string, known *ahocorasick.Automaton, secrets []string, kinds map[string]string, counts Counts) string {
	var out strings.Builder
	start := 0
	segment := func(s string) {
		var spans []span
		for _, m := range known.FindAllOverlapping(fold(s)) {
			if aloneAt(s, m.Start, m.End) {
				spans = append(spans, span{m.Start, m.End, kinds[secrets[m.PatternID]]})
			}
		}
		at := 0
		for _, sp := range union(spans) {
			out.WriteString(s[at:sp.lo])
			out.WriteString(r.placeholder(sp.rule, s[sp.lo:sp.hi]))
			counts[sp.rule]++
			at = sp.hi
		}
		out.WriteString(s[at:])
	}
	for _, p := range r.placeholders(text) {
		segment(text[start:p.lo])
		out.WriteString(text[p.lo:p.hi])
		start = p.hi
	}
	segment(text[start:])
	return out.String()
}

// maxCarried bounds what is looked for elsewhere, in bytes: no key of several
// lines is typed again.
const maxCarried = 512

// forms are the ways in which a secret is looked for elsewhere, in lower case:
// itself, and without the punctuation at its end, which may be the sentence's.
func forms(secret string) []string {
	var forms []string
	for _, form := range []string{secret, strings.TrimRight(secret, "!?.,;:")} {
		if carried(form) {
			forms = append(forms, string(fold(form)))
		}
	}
	return forms
}

// carried tells whether a secret can be told from words and numbers.
func carried(secret string) bool {
	n := len(secret)
	if n > maxCarried || benign(secret) || stopword(secret) {
		return false
	}
	digits := countDigits(secret)
	return n >= 6 && digits < n && !word(secret) || n >= 8 && digits == n || n >= 16
}

// aloneAt tells whether s[lo:hi] is no part of a longer word.
func aloneAt(s string, lo, hi int) bool {
	inWord := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	first, _ := utf8.DecodeRuneInString(s[lo:])
	last, _ := utf8.DecodeLastRuneInString(s[:hi])
	before, _ := utf8.DecodeLastRuneInString(s[:lo])
	after, _ := utf8.DecodeRuneInString(s[hi:])
	part := inWord(first) && inWord(before) || inWord(last) && inWord(after)
	return !part
}
