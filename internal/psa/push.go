package psa

import (
	"context"
	"strings"
)

// Step is one step of a handoff to be told to its ticket.
type Step struct {
	// Ticket is the reference that the session has, as people write it.
	Ticket string
	Mark   Mark
	Title  string
	// Markdown and Plain are the note's text without its mark.
	Markdown string
	Plain    string
	// CustomerVisible, Status and Owner come from the connection's options:
	// see [Options.Apply].
	CustomerVisible bool
	Status          string
	Owner           *Person
	// Reopen lets a status be set on a ticket that is closed. Without it a
	// ticket that people closed stays closed, whatever the step.
	Reopen bool
}

// Apply fills in what the account's options say about the step: status,
// visibility, and the owner, who is the claimer. Pass the zero Person where a
// step makes nobody the owner.
func (o Options) Apply(s Step, owner Person) Step {
	s.Status = o.StatusFor(s.Mark.Step)
	s.CustomerVisible = o.Visible()
	s.Owner = nil
	if o.SetOwner && owner != (Person{}) {
		s.Owner = &owner
	}
	return s
}

// Result is what is true of the ticket after a [Push].
type Result struct {
	// Ticket is as it was last seen; zero when it was never read.
	Ticket Ticket
	NoteID string
	// Found says that the note was there already.
	Found bool
	// Closed says that the ticket was closed and so its status and owner were
	// left alone.
	Closed bool
}

// Push tells a ticket of one step: its note once, then status and owner. It may
// be repeated at any time and any number of times, also after a crash at any
// point: the mark is looked for before the note is written, and status and
// owner are absolute. An unclear outcome is an error like an outage; the next
// attempt looks for the mark.
//
// Two pushes of one step must not run at the same time, and the steps of one
// ticket must be pushed in their order. Where a step is pushed again after later
// ones, as after a workflow reset, leave its status and owner empty: they would
// set the ticket back. The result tells what was done also when there is an
// error.
func Push(ctx context.Context, c Client, s Step) (Result, error) {
	var r Result
	if strings.TrimSpace(s.Ticket) == "" {
		return r, Errorf(ClassTicketGone, "reading the ticket", "The session names no ticket.")
	}
	ticket, err := c.Ticket(ctx, s.Ticket)
	if err != nil {
		return r, err
	}
	r.Ticket = ticket
	if s.Plain == "" {
		s.Plain = s.Markdown
	}
	if s.Markdown == "" {
		s.Markdown = s.Plain
	}
	if r.NoteID, r.Found, err = c.FindNote(ctx, ticket.ID, s.Mark); err != nil {
		return r, err
	}
	if !r.Found {
		r.NoteID, err = c.AddNote(ctx, ticket.ID, Note{
			Mark: s.Mark, Title: s.Title, Markdown: s.Markdown, Plain: s.Plain, CustomerVisible: s.CustomerVisible,
		})
		if err != nil {
			return r, err
		}
	}
	change := Change{Status: strings.TrimSpace(s.Status), Owner: s.Owner}
	if strings.EqualFold(change.Status, strings.TrimSpace(ticket.Status.Name)) {
		change.Status = ""
	}
	if change.Owner != nil && ticket.Owner.ID != "" && change.Owner.Matches(ticket.Owner) {
		change.Owner = nil
	}
	if change.Empty() {
		return r, nil
	}
	if ticket.Status.Closed && !s.Reopen {
		r.Closed = true
		return r, nil
	}
	r.Ticket, err = c.Update(ctx, ticket, change)
	if ClassOf(err) == ClassRejected {
		// Somebody may have moved the ticket to another board since it was read,
		// where the status has another id.
		if moved, readErr := c.Ticket(ctx, ticket.ID); readErr == nil && moved.Board.ID != ticket.Board.ID {
			r.Ticket, err = c.Update(ctx, moved, change)
		}
	}
	return r, err
}
