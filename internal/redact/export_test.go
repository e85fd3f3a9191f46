package redact

import "strings"

// Spans is where the secrets of a text are, in its bytes.
func Spans(r *Redactor, s string) [][2]int {
	// The secrets come in order, and what is between them is unchanged.
	var spans [][2]int
	var out strings.Builder
	at, written := 0, 0
	r.each(s, &out, func(secret, rule string) {
		at += out.Len() - written
		spans = append(spans, [2]int{at, at + len(secret)})
		at += len(secret)
		written = out.Len() + len(r.placeholder(rule, secret))
	})
	return spans
}
