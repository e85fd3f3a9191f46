package psa

import (
	"html"
	"regexp"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// StepName names what a note tells of.
type StepName string

// The steps of a handoff that a ticket is told of.
const (
	StepEscalated StepName = "escalated"
	StepClaimed   StepName = "claimed"
	StepReleased  StepName = "released"
	StepResolved  StepName = "resolved"
	// StepReturned and StepAnswered set the status of [StepReleased]: in neither
	// does anybody work on the handoff.
	StepReturned StepName = "returned"
	StepAnswered StepName = "answered"
)

// StepNames lists the steps that have a status of their own, in the order of a
// handoff's life.
func StepNames() []StepName {
	return []StepName{StepEscalated, StepClaimed, StepReleased, StepResolved}
}

// Valid reports whether n is a step that has a status of its own.
func (n StepName) Valid() bool {
	return n == StepEscalated || n == StepClaimed || n == StepReleased || n == StepResolved
}

// Mark is what makes a note findable again: the step it tells of, in brackets
// at its end. No PSA has an idempotency key for notes, so the mark is it. It
// consists of characters that neither HTML, Markdown nor plain text changes.
type Mark struct {
	Handoff    uuid.UUID
	Step       StepName
	Generation int
}

// String is the mark as it stands in the note, such as
// "[baton:0192f7e8-7a5c-7c3e-8f61-2f4d3c1b0a99:claimed:2]".
func (m Mark) String() string { return "[" + m.Inner() + "]" }

// Inner is the mark without its brackets, for searches in which brackets would
// mean something, such as SQL's LIKE.
func (m Mark) Inner() string {
	return "baton:" + m.Handoff.String() + ":" + string(m.Step) + ":" + strconv.Itoa(m.Generation)
}

// In reports whether a note's text holds the mark. The text may be plain, or
// HTML in which the vendor wrapped or escaped it.
func (m Mark) In(text string) bool {
	mark := m.String()
	if strings.Contains(text, mark) {
		return true
	}
	if !strings.ContainsAny(text, "<&") {
		return false
	}
	return strings.Contains(StripHTML(text), mark)
}

var marks = regexp.MustCompile(`(?i)\[(baton:)`)

// StripHTML returns the text of HTML, good enough for finding a mark and for
// showing a line of it. It is not a sanitizer.
func StripHTML(s string) string {
	var b strings.Builder
	for {
		text, rest, found := strings.Cut(s, "<")
		b.WriteString(text)
		if !found {
			break
		}
		tag, after, closed := strings.Cut(rest, ">")
		if !closed {
			b.WriteString("<" + rest) // no tag
			break
		}
		if endsLine(tag) {
			b.WriteByte('\n')
		}
		s = after
	}
	return html.UnescapeString(b.String())
}

// endsLine reports whether a browser begins a new line after the tag.
func endsLine(tag string) bool {
	name, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), " ")
	switch strings.TrimSuffix(name, "/") {
	case "br", "/p", "/div", "/li", "/tr", "/h1", "/h2", "/h3", "/h4", "/h5", "/h6":
		return true
	}
	return false
}

// defuse makes sure that [Mark.In] finds no mark in text, however often a vendor
// unescapes it. Only text in which tags or entities hide a mark loses them.
func defuse(text string) string {
	const most = 5
	plain, hidden := text, false
	for range most {
		next := StripHTML(plain)
		if next == plain {
			break
		}
		plain = next
		hidden = hidden || marks.MatchString(plain)
	}
	if hidden {
		text = plain
	}
	return marks.ReplaceAllString(text, "($1")
}

// WithMark returns text with the mark on a line of its own below it. Whatever
// looks like a mark inside text, which people wrote, is defused: it would make
// a later step believe that its note is there.
func WithMark(text string, mark Mark) string {
	text = strings.TrimSpace(defuse(text))
	if text == "" {
		return mark.String()
	}
	return text + "\n\n" + mark.String()
}
