package redact

import (
	_ "embed"
	"fmt"
	"math"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/coregx/ahocorasick"
	"github.com/pelletier/go-toml/v2"
)

// The rules of gitleaks v8.30.1, unchanged. MIT License, see LICENSE.gitleaks.
//
//go:embed gitleaks.toml
var gitleaksTOML []byte

// family is how most rules of gitleaks begin: with some characters of the name
// that the keyword ends. Such a rule is tried at its keyword alone.
const family = `(?i)[\w.-]{0,50}?`

// solidRuns are rules whose keyword is part of common words. It is the number
// of bytes without white space that the rule's expression needs at least.
var solidRuns = map[string]int{"jwt": 33, "twilio-api-key": 34, "vault-service-token": 26, "flyio-access-token": 40, "aws-access-token": 20, "airtable-personnal-access-token": 8}

// reaches bounds rules that would look at pages behind each word like "curl",
// in bytes.
var reaches = map[string]int{"curl-auth-header": 640, "curl-auth-user": 640}

// moreKeywords are for a rule whose keyword is none of its expression, and can be
// anywhere in a file.
var moreKeywords = map[string]string{"airtable-personnal-access-token": "pat"}

// named are rules whose secret has a name in front, and what is between them.
var named = map[string]string{"curl-auth-user": ":", "kubernetes-secret-yaml": ":"}

// shapeRule is a rule of gitleaks.
type shapeRule struct {
	id       string
	expr     *regexp.Regexp
	group    int // 0: the first group that took part
	entropy  float64
	keywords []string
	allow    []allowlist
	anchored bool
	solid    int
	reach    int // how far from its keyword a match can be, in bytes
}

type allowlist struct {
	target string // "": the secret
	expr   []*regexp.Regexp
	stop   *ahocorasick.Automaton
}

type gitleaksAllowlist struct {
	RegexTarget string   `toml:"regexTarget"`
	Condition   string   `toml:"condition"`
	Paths       []string `toml:"paths"`
	Regexes     []string `toml:"regexes"`
	StopWords   []string `toml:"stopwords"`
}

type gitleaksConfig struct {
	Allowlist gitleaksAllowlist `toml:"allowlist"`
	Rules     []struct {
		ID          string              `toml:"id"`
		Regex       string              `toml:"regex"`
		SecretGroup int                 `toml:"secretGroup"`
		Entropy     float64             `toml:"entropy"`
		Keywords    []string            `toml:"keywords"`
		Allowlists  []gitleaksAllowlist `toml:"allowlists"`
	} `toml:"rules"`
}

// loadShapes reads the rules of gitleaks. What they say about paths has no
// meaning in a text: a rule that names some applies everywhere, and the one
// that has nothing else (pkcs12-file) is left out.
func loadShapes() ([]*shapeRule, error) {
	var config gitleaksConfig
	if err := toml.Unmarshal(gitleaksTOML, &config); err != nil {
		return nil, fmt.Errorf("redact: gitleaks.toml: %w", err)
	}
	everywhere, err := config.Allowlist.compile()
	if err != nil {
		return nil, fmt.Errorf("redact: gitleaks.toml: the general allowlist: %w", err)
	}
	var rules []*shapeRule
	for _, r := range config.Rules {
		if r.Regex == "" {
			continue
		}
		rule := &shapeRule{id: r.ID, group: r.SecretGroup, entropy: r.Entropy, keywords: r.Keywords, solid: solidRuns[r.ID]}
		if word := moreKeywords[r.ID]; word != "" {
			rule.keywords = append(rule.keywords, word)
		}
		text := r.Regex
		if rest, ok := strings.CutPrefix(text, family); ok && beginsWith(rest, r.ID, r.Keywords) {
			rule.anchored, text = true, `^(?i)`+rest
		}
		if rule.expr, err = regexp.Compile(text); err != nil {
			return nil, fmt.Errorf("redact: gitleaks.toml: rule %s: %w", r.ID, err)
		}
		parsed, err := syntax.Parse(text, syntax.Perl)
		if err != nil {
			return nil, fmt.Errorf("redact: gitleaks.toml: rule %s: %w", r.ID, err)
		}
		rule.reach = longest(parsed)
		if n := reaches[r.ID]; n > 0 {
			rule.reach = n
		}
		for _, a := range r.Allowlists {
			if a.Condition == "AND" && len(a.Paths) > 0 {
				continue
			}
			allow, err := a.compile()
			if err != nil {
				return nil, fmt.Errorf("redact: gitleaks.toml: an allowlist of rule %s: %w", r.ID, err)
			}
			rule.allow = append(rule.allow, allow)
		}
		rule.allow = append(rule.allow, everywhere)
		rules = append(rules, rule)
	}
	return rules, nil
}

// beginsWith tells whether all keywords of a rule of the family are where its
// expression begins.
func beginsWith(expr, id string, keywords []string) bool {
	if id == "generic-api-key" {
		return true // they are, in another notation
	}
	head, _, _ := strings.Cut(strings.TrimPrefix(strings.ToLower(expr), "(?:"), ")")
	names := strings.Split(head, "|")
	return !slices.ContainsFunc(keywords, func(word string) bool { return !slices.Contains(names, word) }) && !strings.Contains(head, ".")
}

func (a gitleaksAllowlist) compile() (allowlist, error) {
	compiled := allowlist{target: a.RegexTarget}
	for _, text := range a.Regexes {
		expr, err := regexp.Compile(text)
		if err != nil {
			return compiled, err
		}
		compiled.expr = append(compiled.expr, expr)
	}
	if len(a.StopWords) == 0 {
		return compiled, nil
	}
	words := make([]string, len(a.StopWords))
	for i, word := range a.StopWords {
		words[i] = strings.ToLower(word)
	}
	var err error
	compiled.stop, err = ahocorasick.NewBuilder().AddStrings(words).Build()
	return compiled, err
}

// maxReach bounds what a rule without a longest match looks at, in bytes.
const maxReach = 4096

// longest is the length of the longest match of an expression in bytes, or
// maxReach.
func longest(re *syntax.Regexp) int {
	total := 0
	switch re.Op {
	case syntax.OpStar, syntax.OpPlus:
		return maxReach
	case syntax.OpRepeat:
		if re.Max < 0 {
			return maxReach
		}
		total = re.Max * longest(re.Sub[0])
	case syntax.OpLiteral:
		total = len(string(re.Rune))
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		total = 4
		if n := len(re.Rune); n > 0 && re.Rune[n-1] < 0x80 {
			total = 1
		}
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			total = max(total, longest(sub))
		}
	default:
		for _, sub := range re.Sub {
			total += longest(sub)
		}
	}
	return min(total, maxReach)
}

// around is the window in which the rule's matches with this keyword are. It
// ends between words, where there are some.
func (r *shapeRule) around(s string, lo, hi int) window {
	w := window{max(0, lo-r.reach), min(len(s), hi+r.reach)}
	for n := 0; w.lo > 0 && s[w.lo-1] > ' ' && n < 256; n++ {
		w.lo--
	}
	for n := 0; w.hi < len(s) && s[w.hi] > ' ' && n < 256; n++ {
		w.hi++
	}
	return w
}

// scan adds all matches of a window.
func (r *shapeRule) scan(s string, w window, spans []span) []span {
	for w.lo < w.hi {
		m := r.expr.FindStringSubmatchIndex(s[w.lo:w.hi])
		if m == nil {
			break
		}
		spans = r.judge(s, w.lo, m, spans)
		w.lo += max(m[1], 1)
	}
	return spans
}

// match tries a rule of the family at its keyword.
func (r *shapeRule) match(s, _ string, lo, hi int, spans []span) []span {
	if !assigns(s, hi) {
		return spans
	}
	m := r.expr.FindStringSubmatchIndex(s[lo:min(len(s), lo+r.reach+1)])
	if m == nil {
		return spans
	}
	back := lo
	for back > 0 && lo-back < 50 && (isAlnum(s[back-1]) || strings.IndexByte("_.-", s[back-1]) >= 0) {
		back--
	}
	for i := range m {
		if m[i] >= 0 {
			m[i] += lo - back
		}
	}
	m[0] = 0
	return r.judge(s, back, m, spans)
}

// assigns tells whether the rest of a name, an operator and a value of eight
// characters can follow at i. Most keywords in prose are told apart by that.
func assigns(s string, i int) bool {
	end := min(len(s), i+64)
	for i < end && (isAlnum(s[i]) || strings.IndexByte(" \t_.-", s[i]) >= 0) {
		i++
	}
	for i < end && strings.IndexByte(" \t\r\n\v\f'\"", s[i]) >= 0 {
		i++
	}
	if i >= end || strings.IndexByte("=>:|?,", s[i]) < 0 {
		return false
	}
	for i < end && strings.IndexByte("=>:|?,`'\" \t\r\n\v\f", s[i]) >= 0 {
		i++
	}
	return solid(s, i, 8)
}

// judge adds the secret of a match, unless it is too regular or allowed.
func (r *shapeRule) judge(s string, at int, m []int, spans []span) []span {
	lo, hi := m[0], m[1]
	for g := 1; g < len(m)/2; g++ {
		if m[2*g] >= 0 && m[2*g] < m[2*g+1] && (r.group == 0 || r.group == g) {
			lo, hi = m[2*g], m[2*g+1]
			break
		}
	}
	lo, hi = at+lo, at+hi
	for hi > lo && (s[hi-1] == '\n' || s[hi-1] == '\r') {
		hi--
	}
	if name := named[r.id]; name != "" {
		if _, value, ok := strings.Cut(s[lo:hi], name); ok {
			lo = hi - len(strings.TrimLeft(value, " "))
		}
	}
	for _, quote := range []string{`"`, "'"} {
		if strings.HasPrefix(s[lo:hi], quote) {
			lo++
		}
		if lo < hi && strings.HasSuffix(s[lo:hi], quote) {
			hi--
		}
	}
	secret := s[lo:hi]
	if r.entropy > 0 && entropy(secret) <= r.entropy || strings.Contains(strings.ToLower(s[max(0, lo-16):lo]), "publickeytoken") {
		return spans
	}
	if r.id == "generic-api-key" && (countDigits(secret) == 0 || benign(secret)) {
		return spans // an own label decides about GUIDs and digests
	}
	for _, a := range r.allow {
		target := secret
		switch a.target {
		case "match":
			target = s[at+m[0] : at+m[1]]
		case "line":
			target = lineAround(s, at+m[0], at+m[1])
		}
		for _, expr := range a.expr {
			if expr.MatchString(target) {
				return spans
			}
		}
		if a.stop != nil && a.stop.IsMatch(fold(secret)) {
			return spans
		}
	}
	return append(spans, span{lo, hi, r.id})
}

// lineAround is the lines of s[lo:hi], up to some hundred bytes more.
func lineAround(s string, lo, hi int) string {
	for n := 0; lo > 0 && s[lo-1] != '\n' && n < 256; n++ {
		lo--
	}
	for n := 0; hi < len(s) && s[hi] != '\n' && n < 256; n++ {
		hi++
	}
	return s[lo:hi]
}

// entropy is that of Shannon, in bits per byte.
func entropy(s string) float64 {
	var seen [256]int
	for _, c := range []byte(s) {
		seen[c]++
	}
	bits := 0.0
	for _, n := range seen {
		if n > 0 {
			p := float64(n) / float64(len(s))
			bits -= p * math.Log2(p)
		}
	}
	return bits
}
