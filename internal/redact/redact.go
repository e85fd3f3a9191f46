// Package redact takes credentials out of what people and machines wrote
// before it leaves for somewhere else: a model, a PSA, a notification, a
// workflow's history.
//
// Two sets of rules find them. The public one of gitleaks, embedded as data,
// knows the shapes of tokens. Our own knows how technicians type: a label and
// what follows it ("pw: Acme#2025", "password is Welcome1"), command lines,
// device configurations, keys of a fixed shape. Matching takes time linear in
// the text: one pass looks for the keywords of all rules, and a rule looks only
// at the neighbourhood of its own.
//
// A secret is replaced by a placeholder that tells its kind and is the same
// wherever the same secret occurs under the same key:
//
//	«password:3f9a1c07b2»
//
// It has no character with a meaning in Markdown, HTML, JSON or a URL. The
// first six hexadecimal digits are a keyed digest of the secret; the last four
// authenticate the placeholder, so that what merely looks like one hides
// nothing from the rules. A placeholder is never matched again: redacting what
// was redacted under the same key changes nothing.
package redact

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
)

// minKey is the least length of a key, in bytes.
const minKey = 16

// ErrShortKey says that the key of a [Redactor] is shorter than 16 bytes.
var ErrShortKey = errors.New("redact: the key needs 16 bytes or more")

// Counts says how many secrets were taken out, by the id of the rule.
type Counts map[string]int

// Add adds the counts of other.
func (c Counts) Add(other Counts) {
	for id, n := range other {
		c[id] += n
	}
}

// Total is the number of secrets of all rules.
func (c Counts) Total() int {
	total := 0
	for _, n := range c {
		total += n
	}
	return total
}

// Redactor replaces secrets by placeholders. It is safe for concurrent use.
type Redactor struct {
	rules *ruleset
	key   []byte
}

// New makes a redactor whose placeholders are digests under key. Making one
// compiles some hundred expressions: make one per process, and use
// [Redactor.Keyed] for the key of an account. The only errors are ErrShortKey
// and an unreadable set of rules.
func New(key []byte) (*Redactor, error) {
	if len(key) < minKey {
		return nil, ErrShortKey
	}
	rules, err := loadRules()
	if err != nil {
		return nil, err
	}
	return &Redactor{rules: rules, key: slices.Clone(key)}, nil
}

// Keyed is the same redactor for something else, such as an account: its
// placeholders cannot be compared with those of any other name.
func (r *Redactor) Keyed(name string) *Redactor {
	return &Redactor{rules: r.rules, key: digest(r.key, "for", name)}
}

// Text replaces the secrets of one text. All bytes outside of them stay as they
// are, whether they are valid UTF-8 or not.
func (r *Redactor) Text(s string) (string, Counts) {
	var out strings.Builder
	counts := Counts{}
	r.each(s, &out, func(secret, rule string) { counts[rule]++ })
	if len(counts) == 0 {
		return s, counts
	}
	return out.String(), counts
}

// span is a secret in a text, from lo up to hi.
type span struct {
	lo, hi int
	rule   string
}

// each writes s with placeholders to out and calls found for each secret.
func (r *Redactor) each(s string, out *strings.Builder, found func(secret, rule string)) {
	start := 0
	for _, p := range r.placeholders(s) {
		r.segment(s[start:p.lo], true, out, found)
		out.WriteString(s[p.lo:p.hi])
		start = p.hi
	}
	r.segment(s[start:], false, out, found)
}

// segment redacts a text without placeholders. What lies between two secrets
// is looked at again as a text of its own, until nothing is found in it: so
// redacting the result finds nothing either, whatever the rules are. A short
// word before a placeholder (followed) is no secret: it is the "7" of "secret 7".
func (r *Redactor) segment(s string, followed bool, out *strings.Builder, found func(secret, rule string)) {
	spans := r.rules.find(s)
	if n := len(spans); followed && n > 0 && spans[n-1].hi-spans[n-1].lo <= 4 && strings.TrimSpace(s[spans[n-1].hi:]) == "" {
		spans = spans[:n-1]
	}
	if len(spans) == 0 {
		out.WriteString(s)
		return
	}
	start := 0
	for _, sp := range spans {
		r.segment(s[start:sp.lo], true, out, found)
		secret := s[sp.lo:sp.hi]
		found(secret, sp.rule)
		out.WriteString(r.placeholder(sp.rule, secret))
		start = sp.hi
	}
	r.segment(s[start:], followed, out, found)
}

// union sorts spans and joins those that overlap under the rule of the longest.
func union(spans []span) []span {
	if len(spans) < 2 {
		return spans
	}
	slices.SortFunc(spans, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.lo, b.lo), cmp.Compare(b.hi, a.hi), strings.Compare(a.rule, b.rule))
	})
	joined, longest := spans[:1], spans[0].hi-spans[0].lo
	for _, sp := range spans[1:] {
		last := &joined[len(joined)-1]
		if sp.lo >= last.hi {
			joined, longest = append(joined, sp), sp.hi-sp.lo
			continue
		}
		if n := sp.hi - sp.lo; n > longest {
			last.rule, longest = sp.rule, n
		}
		last.hi = max(last.hi, sp.hi)
	}
	return joined
}

const (
	opening, closing = "«", "»"
	tagLen           = 10 // hexadecimal digits
	digestLen        = 6  // of them, those that tell the secret
	longestRule      = 64
)

func (r *Redactor) placeholder(rule, secret string) string {
	tag := hex.EncodeToString(digest(r.key, "secret", secret))[:digestLen]
	return opening + rule + ":" + tag + r.seal(rule, tag) + closing
}

// seal authenticates a placeholder.
func (r *Redactor) seal(rule, tag string) string {
	return hex.EncodeToString(digest(r.key, "placeholder", rule+":"+tag))[:tagLen-digestLen]
}

// placeholders finds those that were made under this key.
func (r *Redactor) placeholders(s string) []span {
	var spans []span
	for at := 0; ; {
		i := strings.Index(s[at:], opening)
		if i < 0 {
			return spans
		}
		lo := at + i
		at = lo + len(opening)
		inner, _, ok := strings.Cut(s[at:min(len(s), at+longestRule+1+tagLen+len(closing))], closing)
		rule, tag, _ := strings.Cut(inner, ":")
		if !ok || len(tag) != tagLen || !r.rules.ids[rule] {
			continue
		}
		if hmac.Equal([]byte(r.seal(rule, tag[:digestLen])), []byte(tag[digestLen:])) {
			at += len(inner) + len(closing)
			spans = append(spans, span{lo, at, rule})
		}
	}
}

func digest(key []byte, purpose, text string) []byte {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(purpose + "\x00" + text)) // never fails
	return mac.Sum(nil)
}
