// Package page writes one text in two forms: Markdown, in which the words of
// others can make no heading, link, image or HTML and cannot leave the block
// they were put into; and plain text, for what shows Markdown as it stands.
package page

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Page collects the blocks of a note in one of its two forms. Blocks are
// separated by blank lines in Markdown, also the items of a list, because
// ConnectWise is known to show a single newline as a space.
type Page struct {
	// Markdown is which of the forms it has.
	Markdown bool
	b        strings.Builder
	inList   bool
}

// String is the text so far.
func (p *Page) String() string { return p.b.String() }

// Span is a piece of a line: its text, and whose it is.
type Span struct {
	Text string
	kind kind
}

type kind int

const (
	ours   kind = iota // written by us
	strong             // the same, and to be seen at a glance
	words              // somebody's words, on one line
	code               // a command or its result, on one line
)

// Ours is a span of the writer's own words, as they stand.
func Ours(format string, args ...any) Span { return Span{fmt.Sprintf(format, args...), ours} }

// Strong is a span of the writer's own words that has to be seen at a glance.
func Strong(text string) Span { return Span{text, strong} }

// Words is a span of somebody's words. They have no newlines.
func Words(text string) Span { return Span{text, words} }

// Code is a span of a command or its result, shown literally. It has no
// newlines.
func Code(text string) Span { return Span{text, code} }

// Heading starts a section.
func (p *Page) Heading(title string) {
	if p.Markdown {
		p.block("### " + title)
	} else {
		p.block(strings.ToUpper(title))
	}
}

// Headline is the first line of the note.
func (p *Page) Headline(spans ...Span) {
	if p.Markdown {
		p.block("**" + p.line(spans) + "**")
	} else {
		p.block(p.line(spans))
	}
}

// Para is a paragraph of one line.
func (p *Page) Para(spans ...Span) { p.block(p.line(spans)) }

// Mark says that something was left out at this place; "" says nothing.
func (p *Page) Mark(text string) {
	if text != "" {
		p.block(text)
	}
}

// Item is an item of a list. Items that follow each other are one list.
func (p *Page) Item(spans ...Span) {
	separator := "\n\n"
	if !p.Markdown && p.inList {
		separator = "\n"
	}
	p.add(separator, "- "+p.line(spans))
	p.inList = true
}

// Quote sets a text of many lines apart as somebody's own words. In Markdown
// each line is a paragraph: the only form in which no line can change what its
// neighbours mean.
func (p *Page) Quote(text string) {
	var lines []string
	for line := range strings.SplitSeq(strings.Trim(text, "\n"), "\n") {
		line = strings.TrimRightFunc(line, unicode.IsSpace)
		switch {
		case !p.Markdown && line == "":
			lines = append(lines, "")
		case !p.Markdown:
			lines = append(lines, "  "+line)
		case line != "":
			lines = append(lines, "> "+escape(line))
		}
	}
	if p.Markdown {
		p.block(strings.Join(lines, "\n>\n"))
	} else {
		p.block(strings.Join(lines, "\n"))
	}
}

// Output sets a text apart exactly as it is, with its columns.
func (p *Page) Output(text string) {
	text = strings.Trim(text, "\n")
	if p.Markdown {
		fence := strings.Repeat("`", max(3, longestRun(text, '`')+1))
		p.block(fence + "\n" + text + "\n" + fence)
		return
	}
	p.block("    " + strings.ReplaceAll(text, "\n", "\n    "))
}

func (p *Page) block(text string) {
	p.add("\n\n", text)
	p.inList = false
}

func (p *Page) add(separator, text string) {
	if p.b.Len() > 0 {
		p.b.WriteString(separator)
	}
	p.b.WriteString(text)
}

func (p *Page) line(spans []Span) string {
	var b strings.Builder
	for _, s := range spans {
		switch {
		case !p.Markdown || s.kind == ours:
			b.WriteString(s.Text)
		case s.kind == strong:
			b.WriteString("**" + s.Text + "**")
		case s.kind == words:
			b.WriteString(escape(s.Text))
		case s.kind == code:
			b.WriteString(codeSpan(s.Text))
		}
	}
	return b.String()
}

// codeSpan shows text literally within a line. It has no newlines.
func codeSpan(text string) string {
	if text == "" {
		return ""
	}
	ticks := strings.Repeat("`", longestRun(text, '`')+1)
	if strings.HasPrefix(text, "`") || strings.HasSuffix(text, "`") {
		text = " " + text + " "
	}
	return ticks + text + ticks
}

// address matches what some Markdown reader or other turns into a link or a
// mention, and paths, which are unreadable with doubled backslashes.
var address = regexp.MustCompile(`://|@|\\|[Ww]{3}\.|[\pL\pN_-]\.\pL{2,}`)

// escape makes one line of prose stand for itself in Markdown. Addresses become
// code, which no reader links; all else keeps its look, whether the Markdown is
// rendered or read as it is.
func escape(line string) string {
	line = strings.TrimFunc(line, unicode.IsSpace)
	var b strings.Builder
	for line != "" {
		// One word, with the space behind it.
		end := strings.IndexFunc(line, unicode.IsSpace)
		if end < 0 {
			end = len(line)
		}
		word, rest := line[:end], line[end:]
		line = strings.TrimLeftFunc(rest, unicode.IsSpace)
		space := rest[:len(rest)-len(line)]

		if first := b.Len() == 0; strings.ContainsAny(word, `:@\.`) && address.MatchString(word) {
			b.WriteString(escapeAddress(word))
		} else {
			b.WriteString(escapeWord(word, first))
		}
		b.WriteString(space)
	}
	return b.String()
}

// escapeAddress leaves the punctuation around an address outside of the code.
func escapeAddress(word string) string {
	inner := strings.TrimRight(strings.TrimLeft(word, `("'`), `.,;:!?)"'`)
	at := strings.Index(word, inner)
	before, after := word[:at], word[at+len(inner):]
	return before + codeSpan(inner) + after
}

var orderedItem = regexp.MustCompile(`^\d+[.)]$`)

// escapeWord escapes what means something in Markdown: anywhere, or at the
// start of a line only.
func escapeWord(word string, first bool) string {
	if first {
		switch c, _ := utf8.DecodeRuneInString(word); {
		case c == '>':
			return "&gt;" + escapeWord(word[1:], false)
		case strings.ContainsRune("#-+:", c):
			return `\` + word[:1] + escapeWord(word[1:], false)
		case orderedItem.MatchString(word):
			return word[:len(word)-1] + `\` + word[len(word)-1:]
		}
	}
	var b strings.Builder
	for i, c := range word {
		switch {
		case c == '<':
			b.WriteString("&lt;")
		case c == '&' && strings.Contains(word[i:], ";"): // an entity ends with one
			b.WriteString("&amp;")
		case strings.ContainsRune("*_`[]~|", c):
			b.WriteRune('\\')
			b.WriteRune(c)
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

func longestRun(s string, c byte) int {
	longest, run := 0, 0
	for i := range len(s) {
		if s[i] != c {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}
