package chaos

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/models"
)

// What a ticket has to say is written anew here, like the model of a handoff: a
// mistake in package activities must not excuse itself.

// stepsOf are the step that each transition is told as, the status that it
// sets, and whether the mark names the generation before: a release, a
// reassignment and an answer are of the one that they end.
var stepsOf = map[models.Verb]struct {
	step, status string
	ends         bool
}{
	models.VerbCreate:   {"escalated", "Escalated", false},
	models.VerbClaim:    {"claimed", "In Progress", false},
	models.VerbRelease:  {"released", "New", true},
	models.VerbReassign: {"released", "New", true},
	models.VerbCancel:   {"released", "New", false},
	models.VerbResolve:  {"resolved", closingStatus, false},
	models.VerbReturn:   {"returned", "New", false},
	models.VerbAnswer:   {"answered", "New", true},
}

// closingStatus closes a ticket. What comes later leaves status and owner alone.
const closingStatus = "Completed"

// markFor is the mark of the note that tells of a transition.
func markFor(handoff uuid.UUID, e Entry) string {
	s, generation := stepsOf[e.Verb], e.Generation
	if s.ends {
		generation--
	}
	return fmt.Sprintf("[baton:%s:%s:%d]", handoff, s.step, generation)
}

var markPattern = regexp.MustCompile(`\[baton:[^\]]*\]`)

// ticketKey names a ticket.
type ticketKey struct {
	account uuid.UUID
	id      string
}

func (h *HandoffTruth) ticket() ticketKey {
	return ticketKey{h.Account, strings.TrimPrefix(h.Ticket, "#")}
}

// placed is where a mark was found.
type placed struct {
	ticketKey
	TicketNote
}

// marks are all notes by their marks.
func (ix *index) marks() map[string][]placed {
	all := map[string][]placed{}
	for _, t := range ix.Truth.Tickets {
		for _, n := range t.Notes {
			for _, mark := range markPattern.FindAllString(n.Text, -1) {
				all[mark] = append(all[mark], placed{ticketKey{t.Account, t.ID}, n})
			}
		}
	}
	return all
}

// checkTold looks for each transition's note.
func checkTold(ix *index) []Violation {
	var found []Violation
	marks := ix.marks()
	for id, h := range ix.handoffs {
		wrong := func(format string, args ...any) {
			found = append(found, Violation{Handoff: id, What: fmt.Sprintf(format, args...), Shows: ix.storyOfTicket(h)})
		}
		for _, op := range ix.ops[id] {
			if op.Verb == models.VerbCreate && strings.TrimPrefix(op.Ticket, "#") != h.ticket().id {
				wrong("its session was given the ticket %q and has %q", op.Ticket, h.Ticket)
			}
		}
		if h.Ticket == "" {
			if len(h.Steps) > 0 || h.PSA != nil {
				wrong("it has no ticket, and one was told")
			}
			continue
		}
		if len(h.Steps) != len(h.Timeline) {
			wrong("it had %d transitions, and its ticket has %d steps to tell", len(h.Timeline), len(h.Steps))
			continue
		}
		for i, e := range h.Timeline {
			notes, step := marks[markFor(id, e)], h.Steps[i]
			switch {
			case len(notes) != 1:
				wrong("%d notes tell of version %d (%s) instead of one", len(notes), e.Version, e.Verb)
			case notes[0].ticketKey != h.ticket():
				wrong("ticket %s of account %s was told of version %d", notes[0].id, short(notes[0].account), e.Version)
			case step.State != models.EffectDone || step.Version != e.Version || step.Step != stepsOf[e.Verb].step:
				wrong("the step of version %d is recorded as %s, version %d, %s", e.Version, step.Step, step.Version, step.State)
			case step.NoteID == nil || *step.NoteID != notes[0].ID || step.TicketID == nil || *step.TicketID != h.ticket().id:
				wrong("the step of version %d names another note or ticket than its own", e.Version)
			case !says(notes[0].Text, ix.words(h, e)):
				wrong("the note of version %d leaves out what people wrote: %s", e.Version, notes[0].Text)
			}
		}
		if h.Timeline == nil {
			continue // nothing happened; maintenance removes it
		}
		if !sameEffect(h.PSA, models.SumPSA(h.Steps)) {
			wrong("readers see something else of its ticket than its steps amount to")
		}
	}
	return append(found, ix.shown()...)
}

// shown compares what was last answered about each handoff's ticket. By then
// everything had come to rest.
func (ix *index) shown() []Violation {
	var found []Violation
	last := map[uuid.UUID]Op{}
	for _, op := range ix.all {
		if op.Verb == VerbRead && op.Accepted() {
			last[op.Handoff] = op
		}
	}
	for id, op := range last {
		h, want := ix.handoffs[id], models.EffectSkipped
		if h == nil {
			continue // that is for others to tell
		}
		if h.Ticket != "" {
			want = models.SumPSA(h.Steps).State
		}
		if op.PSA != want {
			found = append(found, Violation{Handoff: id, What: fmt.Sprintf("its ticket is %s, and readers are told %q", want, op.PSA), Shows: []string{op.String()}})
		}
	}
	return found
}

// words are what a note has to hold of what people wrote.
func (ix *index) words(h *HandoffTruth, e Entry) string {
	switch e.Verb {
	case models.VerbCreate:
		return "Please look at the connector."
	case models.VerbResolve:
		first, _, _ := strings.Cut(h.Resolution, "\n")
		return first
	case models.VerbRelease, models.VerbCancel:
		if e.Door == models.DoorLease {
			return "Its holder has shown no activity since"
		}
		return "not mine"
	case models.VerbReassign:
		return "yours, I think"
	case models.VerbReturn:
		return "Which firmware?"
	case models.VerbAnswer:
		return "It is 7.2.4."
	default:
		return ""
	}
}

// escapes are those of Markdown and HTML, which stand between the words of some
// PSAs' notes.
var escapes = strings.NewReplacer(`\`, "", "&#39;", "'", "&#34;", `"`, "&amp;", "&", "\n", " ")

func says(note, words string) bool { return strings.Contains(escapes.Replace(note), words) }

func sameEffect(seen *models.Effect, sum models.Effect) bool {
	return seen != nil && seen.State == sum.State && seen.Attempts == sum.Attempts &&
		equal(seen.Reason, sum.Reason) && equal(seen.TicketID, sum.TicketID) && equal(seen.NoteID, sum.NoteID)
}

func equal(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }

// storyOfTicket is what is known of a handoff and of what its ticket was told.
func (ix *index) storyOfTicket(h *HandoffTruth) []string {
	lines := ix.story(h.ID)
	for _, s := range h.Steps {
		line := fmt.Sprintf("step      version %d %s is %s after %d attempts, at %s", s.Version, s.Step, s.State, s.Attempts, s.UpdatedAt.Format("15:04:05.000000"))
		if s.Reason != nil {
			line += ": " + *s.Reason
		}
		lines = append(lines, line)
	}
	for _, t := range ix.Truth.Tickets {
		if (ticketKey{t.Account, t.ID}) == h.ticket() {
			lines = append(lines, fmt.Sprintf("ticket    %s is %s and belongs to %s", t.ID, t.Status, t.Owner))
			for _, n := range t.Notes {
				lines = append(lines, fmt.Sprintf("note      %s %v", n.ID, markPattern.FindAllString(n.Text, -1)))
			}
		}
	}
	return lines
}

// told is a transition that a ticket has to be told of.
type told struct {
	h *HandoffTruth
	Entry
}

// handedOver are the transitions that each ticket was to be told of, in the
// order in which they were handed over.
func (ix *index) handedOver() map[ticketKey][]told {
	type step struct {
		handoff uuid.UUID
		version int
	}
	all, seen := map[ticketKey][]told{}, map[step]bool{}
	for _, run := range ix.Truth.TicketRuns {
		for _, s := range run.Steps {
			h := ix.handoffs[s.HandoffID]
			if h == nil || s.Version < 1 || s.Version > len(h.Timeline) || seen[step{h.ID, s.Version}] {
				continue // what was never decided has no note, which checkTold sees
			}
			seen[step{h.ID, s.Version}] = true
			all[h.ticket()] = append(all[h.ticket()], told{h, h.Timeline[s.Version-1]})
		}
	}
	return all
}

// checkTickets looks at each ticket as a person would who reads it.
func checkTickets(ix *index) []Violation {
	var found []Violation
	handed := ix.handedOver()
	for _, t := range ix.Truth.Tickets {
		story := handed[ticketKey{t.Account, t.ID}]
		wrong := func(format string, args ...any) {
			v := Violation{What: fmt.Sprintf("ticket %s of account %s: ", t.ID, short(t.Account)) + fmt.Sprintf(format, args...)}
			for _, n := range t.Notes {
				v.Shows = append(v.Shows, fmt.Sprintf("note %s %v", n.ID, markPattern.FindAllString(n.Text, -1)))
			}
			for _, s := range story {
				v.Shows = append(v.Shows, fmt.Sprintf("handed over %s: %s", markFor(s.h.ID, s.Entry), s))
			}
			found = append(found, v)
		}
		var said, due []string
		for _, n := range t.Notes {
			said = append(said, strings.Join(markPattern.FindAllString(n.Text, -1), " and "))
		}
		for _, s := range story {
			due = append(due, markFor(s.h.ID, s.Entry))
		}
		if !slices.Equal(said, due) {
			wrong("it does not tell what was handed over, in that order and nothing else")
		}
		if what := outOfOrder(story); what != "" {
			wrong("%s", what)
		}
		status, owner := ending(story)
		if len(story) > 0 && (t.Status != status || t.Owner != owner) {
			wrong("it is %s and belongs to %q instead of %s and %q", t.Status, t.Owner, status, owner)
		}
	}
	for _, run := range ix.Truth.TicketRuns {
		if run.Status != "Completed" && run.Status != "ContinuedAsNew" && run.Status != "Running" {
			found = append(found, Violation{What: fmt.Sprintf("%s: run %s has %s", run.Workflow, run.ID, run.Status)})
		}
		for _, cause := range run.Failed {
			if ix.Builds < 2 && strings.Contains(cause, "NonDeterministic") {
				found = append(found, Violation{What: fmt.Sprintf("%s: run %s could not be replayed: %s", run.Workflow, run.ID, cause)})
			}
		}
	}
	return found
}

// outOfOrder says which transition was handed over before one that it comes
// after: of its handoff, or of an earlier handoff of its session.
func outOfOrder(story []told) string {
	last := map[uuid.UUID]told{} // by session
	for _, s := range story {
		before, ok := last[s.h.Session]
		switch {
		case !ok && s.Version != 1:
			return fmt.Sprintf("version %d of handoff %s was handed over first", s.Version, s.h.ID)
		case !ok:
		case before.h == s.h && s.Version != before.Version+1:
			return fmt.Sprintf("version %d of handoff %s was handed over after version %d", s.Version, s.h.ID, before.Version)
		case before.h != s.h && (s.Version != 1 || before.Version != len(before.h.Timeline)):
			return fmt.Sprintf("version %d of handoff %s was handed over after version %d of %s", s.Version, s.h.ID, before.Version, before.h.ID)
		}
		last[s.h.Session] = s
	}
	return ""
}

// ending is the status and the owner that a story leads to. A ticket that is
// closed stays as it is.
func ending(story []told) (status, owner string) {
	for _, s := range story {
		status = stepsOf[s.Verb].status
		if s.Verb == models.VerbClaim {
			owner = s.Holder.String()
		}
		if status == closingStatus {
			break
		}
	}
	return status, owner
}

// checkSecrets looks at where secrets were found.
func checkSecrets(ix *index) []Violation {
	var found []Violation
	for _, leak := range ix.Truth.Leaks {
		found = append(found, Violation{What: leak})
	}
	return found
}
