package redact

import (
	"fmt"
	"slices"

	"github.com/coregx/ahocorasick"
)

// matcher looks for secrets at the keyword s[lo:hi] and adds them to spans.
// fold is s in lower case, byte for byte.
type matcher func(s, fold string, lo, hi int, spans []span) []span

// ruleset is all rules behind one search for their keywords.
type ruleset struct {
	keywords *ahocorasick.Automaton
	at       [][]matcher // by keyword: what to try at it
	near     [][]int     // by keyword: the windowed rules that it wakes
	windowed []*shapeRule
	ids      map[string]bool
}

func loadRules() (*ruleset, error) {
	shapes, err := loadShapes()
	if err != nil {
		return nil, err
	}
	set := &ruleset{ids: map[string]bool{}}
	number := map[string]int{}
	var words []string
	keyword := func(word string) int {
		n, known := number[word]
		if !known {
			n = len(words)
			number[word] = n
			words = append(words, word)
			set.at, set.near = append(set.at, nil), append(set.near, nil)
		}
		return n
	}
	for _, rule := range shapes {
		set.ids[rule.id] = true
		if !rule.anchored {
			set.windowed = append(set.windowed, rule)
		}
		for _, word := range rule.keywords {
			n := keyword(word)
			if rule.anchored {
				set.at[n] = append(set.at[n], rule.match)
			} else {
				set.near[n] = append(set.near[n], len(set.windowed)-1)
			}
		}
	}
	for _, rule := range ownRules() {
		set.ids[rule.id] = true
		for _, word := range rule.keywords {
			n := keyword(word)
			set.at[n] = append(set.at[n], rule.match)
		}
	}
	for _, id := range numberRules {
		set.ids[id] = true
	}
	set.keywords, err = ahocorasick.NewBuilder().AddStrings(words).Build()
	if err != nil {
		return nil, fmt.Errorf("redact: the keywords of the rules: %w", err)
	}
	return set, nil
}

// window is a part of a text that a rule has to look at.
type window struct{ lo, hi int }

// find returns the secrets of a text, in order and apart from each other.
func (set *ruleset) find(s string) []span {
	if len(s) < shortest {
		return nil
	}
	folded := fold(s)
	lower := string(folded)
	var spans []span
	covered, judged := 0, 0 // how far the secrets reach, of the first so many spans
	var windows []window    // by windowed rule; made when the first one is woken
	for _, m := range set.keywords.FindAllOverlapping(folded) {
		for _, match := range set.at[m.PatternID] {
			if m.Start < covered {
				break // inside a secret; what is left is looked at again
			}
			spans = match(s, lower, m.Start, m.End, spans)
		}
		for ; judged < len(spans); judged++ {
			covered = max(covered, spans[judged].hi)
		}
		for _, n := range set.near[m.PatternID] {
			rule := set.windowed[n]
			if !solid(s, m.Start, rule.solid) {
				continue
			}
			if windows == nil {
				windows = make([]window, len(set.windowed))
			}
			w := rule.around(s, m.Start, m.End)
			if open := &windows[n]; open.hi > w.lo {
				open.lo, open.hi = min(open.lo, w.lo), max(open.hi, w.hi)
			} else {
				spans = rule.scan(s, *open, spans)
				*open = w
			}
		}
	}
	for n, w := range windows {
		spans = set.windowed[n].scan(s, w, spans)
	}
	spans = numbers(s, spans)
	return union(slices.DeleteFunc(spans, func(sp span) bool { return sp.lo >= sp.hi }))
}

// shortest is the length of the shortest text with a secret: a label and four
// characters.
const shortest = 6

// fold is s with the letters of ASCII in lower case; its bytes keep their places.
func fold(s string) []byte {
	folded := []byte(s)
	for i, c := range folded {
		if 'A' <= c && c <= 'Z' {
			folded[i] = c + 'a' - 'A'
		}
	}
	return folded
}

// solid tells whether n bytes without white space begin at i.
func solid(s string, i, n int) bool {
	if i+n > len(s) {
		return false
	}
	for _, c := range []byte(s[i : i+n]) {
		if c <= ' ' {
			return false
		}
	}
	return true
}
