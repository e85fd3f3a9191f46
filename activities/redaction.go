package activities

import (
	"context"
	"slices"
	"strings"

	"github.com/baton-handoff/baton/models"
)

// Redaction takes credentials out of what people and tools wrote.
type Redaction interface {
	// Texts takes them out of texts that belong together, such as those of one
	// session: what one of them gives away is taken out of all. The counts are by
	// rule. The account comes from ctx.
	Texts(ctx context.Context, texts []string) (redacted []string, counts map[string]int, err error)
}

// story is a handoff and its session without credentials.
type story struct {
	handoff models.HandoffView
	session models.Session
	steps   []models.Step
	counts  map[string]int
}

// tell reads a handoff and its session, and takes credentials out of them, and
// of more texts about them, before anything is made of them.
func (a *Activities) tell(ctx context.Context, in BriefingInput, more ...*string) (s story, err error) {
	if s.handoff, err = a.records.Handoff(ctx, in.SessionID, in.HandoffID); err != nil {
		return s, err
	}
	if s.session, err = a.records.Session(ctx, in.SessionID); err != nil {
		return s, err
	}
	if s.steps, err = a.records.Steps(ctx, in.SessionID); err != nil {
		return s, err
	}
	if s.handoff.EngineerNotes, err = a.allNotes(ctx, s.handoff); err != nil {
		return s, err
	}
	s.steps = slices.Clone(s.steps)
	ticket := deref(s.session.PSATicket)
	places := append([]*string{
		&s.handoff.EngineerNotes, &s.session.Title, &s.session.ClientName, &s.session.Problem, &ticket,
	}, more...)
	for _, name := range []*string{s.handoff.HandedOffByName, s.handoff.TargetUserName, s.handoff.ClaimedByName} {
		if name != nil {
			places = append(places, name)
		}
	}
	for i := range s.steps {
		places = append(places, &s.steps[i].Text)
	}
	texts := make([]string, len(places))
	for i, p := range places {
		texts[i] = *p
	}
	texts, s.counts, err = a.redaction.Texts(ctx, texts)
	if err != nil {
		return s, err
	}
	for i, p := range places {
		*p = texts[i]
	}
	if s.session.PSATicket != nil {
		s.session.PSATicket = &ticket
	}
	return s, nil
}

// allNotes are the sender's notes, and what was said when the handoff went back
// into the queue: whoever claims it next has to know that as well.
func (a *Activities) allNotes(ctx context.Context, h models.HandoffView) (string, error) {
	if h.Version <= 1 {
		return h.EngineerNotes, nil
	}
	timeline, err := a.records.Timeline(ctx, h.SessionID, h.ID)
	if err != nil {
		return "", err
	}
	notes := h.EngineerNotes
	for _, t := range timeline {
		if note := strings.TrimSpace(deref(t.Note)); note != "" && t.Version > 1 {
			notes += "\n\n" + nameOr(t.ActorName, "An operator") + ": " + note
		}
	}
	return notes, nil
}
