// Package document writes the note that people read in a ticket when a session
// is handed off: what is asked, where it stands, what was tried and what it did.
//
// It is pure and deterministic: the same input gives the same note, byte for
// byte, and nothing is asked of a network, a clock or a model. Every statement
// is either a human's own words or follows from the steps by a rule, and names
// the step that it comes from.
//
// The text of a session is untrusted. In the Markdown it can make no heading,
// link, image or HTML, and it cannot leave the block it was put into.
package document

import (
	"time"
	"unicode/utf8"

	"github.com/baton-handoff/baton/internal/page"
	"github.com/baton-handoff/baton/models"
)

// DefaultLimit is the length of a note, in characters, where the caller names
// none. It suits every PSA that Baton writes to: Autotask takes 32,000 and
// counts UTF-16 units, of which one character has at most two; ConnectWise and
// HaloPSA declare no limit, but nobody reads more than this in a ticket.
const DefaultLimit = 16_000

// MinLimit is the shortest limit that has room for the parts that are never
// left out. A smaller limit counts as this one.
const MinLimit = 6_000

// Input is what a note is written from.
type Input struct {
	Intent     models.Intent
	Priority   models.Priority
	SenderName string
	// TargetName is the person who was asked by name; empty for anybody.
	TargetName    string
	CreatedAt     time.Time
	EngineerNotes string

	SessionTitle string
	ClientName   string
	Problem      string
	// Ticket is the number of the ticket in the PSA; empty without one.
	Ticket string
	// Steps are all steps of the session in the order of their Seq, by which
	// the note refers to them.
	Steps []models.Step

	// Limit is the greatest length of either text of the note in characters
	// (code points, not bytes). Zero means [DefaultLimit].
	Limit int
	// Redact is applied to every piece of text before anything else looks at
	// it. Nil leaves the text as it is.
	Redact func(string) string
}

// Note is the written note. Both texts say the same in the same order; Plain
// is for a PSA that shows Markdown as it stands.
type Note struct {
	Markdown string
	Plain    string
	// Truncated reports that something was left out or shortened to keep within
	// the limit. The text says what, and where. That a command is told on one
	// line, and a long list of facts counted, is how a note is written and does
	// not count.
	Truncated bool
}

// Render writes the note. It never fails and never exceeds the limit: when
// everything does not fit, it leaves out the middle of the attempts first and
// the engineer's own words last, and says so.
func Render(in Input) Note {
	limit := in.Limit
	if limit == 0 {
		limit = DefaultLimit
	}
	limit = max(limit, MinLimit)

	d := read(in)
	note, truncated := fit(d, limit)
	note.Truncated = truncated
	return note
}

// write puts the digest on both pages under the same cuts, so that both leave
// out the same.
func write(d digest, c cuts) Note {
	var n Note
	for _, markdown := range []bool{true, false} {
		p := &page.Page{Markdown: markdown}
		compose(p, d, c)
		if markdown {
			n.Markdown = p.String()
		} else {
			n.Plain = p.String()
		}
	}
	return n
}

// length is what counts against the limit: the longer of the two texts.
func (n Note) length() int {
	return max(utf8.RuneCountInString(n.Markdown), utf8.RuneCountInString(n.Plain))
}
