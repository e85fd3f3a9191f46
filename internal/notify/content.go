package notify

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/models"
)

// Content is a message in words, the same for all channels. Its texts are clean
// and bounded, and not yet escaped.
type Content struct {
	// Subject is one line that says it all.
	Subject string
	// Lead is a sentence that says what happened and what is wanted.
	Lead string
	// Outcome is a sentence that says that it no longer waits; empty while it
	// does.
	Outcome string
	Rows    []Row
	// Passages are what people wrote, with line breaks.
	Passages []Passage
	// Items are the handoffs of a bundle, and More how many are not listed.
	Items []ContentItem
	More  int
	// Claimable says whether a button or link to claim belongs to it.
	Claimable bool
	// ClaimURL and OpenURL are addresses, empty when there is none.
	ClaimURL string
	OpenURL  string
	// OpenLabel names what OpenURL shows.
	OpenLabel string
	// Footer says who sent this and why.
	Footer string
}

// Row is a fact with its name.
type Row struct{ Title, Value string }

// Passage is a text that somebody wrote, with its heading.
type Passage struct{ Title, Text string }

// ContentItem is one handoff of a bundle: a line, and where it leads.
type ContentItem struct{ Text, URL string }

// The bounds of what a message shows, in characters. More is a click away.
const (
	maxName     = 80
	maxProblem  = 160
	maxSubject  = 200
	maxPassage  = 1500
	maxQuestion = 400
	maxItem     = 200
)

// MaxItems is how many handoffs of a bundle are listed, and MaxQuestions how
// many questions.
const (
	MaxItems     = 10
	MaxQuestions = 10
)

// claimable are the kinds that call for a claim.
func (k Kind) claimable() bool {
	switch k {
	case KindEscalated, KindParked, KindWaiting, KindWoken, KindReleased, KindReassigned, KindAnswered, KindTakenBack:
		return true
	default:
		return false
	}
}

// Content puts m into words.
func (m Message) Content() Content {
	f := m.Facts
	open := f.Outcome.Verb == ""
	c := Content{
		Outcome:   m.outcome(),
		Claimable: open && m.Kind.claimable() && m.Key.Handoff != uuid.Nil,
		OpenURL:   WebURL(m.Links.Open),
		OpenLabel: "Open in Baton",
	}
	if c.Claimable {
		c.ClaimURL = WebURL(m.Links.Claim)
	}
	what := m.what()
	label, lead := m.words()
	c.Subject, c.Lead = label, lead
	if what != "" && m.Kind != KindBundle && m.Kind != KindTest {
		urgency := ""
		if f.Priority >= models.PriorityHigh {
			urgency = " (" + f.Priority.String() + ")"
		}
		c.Subject = label + urgency + ": " + what
	}
	c.Subject = Cut(c.Subject, maxSubject)

	row := func(title, value string) {
		if value = Line(value, maxProblem); value != "" {
			c.Rows = append(c.Rows, Row{title, value})
		}
	}
	row("Client", Line(f.Client, maxName))
	row("Problem", f.Problem)
	if f.Priority != 0 {
		row("Priority", f.Priority.String())
	}
	row("Ticket", Line(f.Ticket, maxName))
	row("From", Line(f.From, maxName))
	row("For", Line(f.Team, maxName))
	if m.Kind != KindTakenBack {
		row("Held by", Line(f.Holder, maxName))
	}
	if open {
		row("Waiting since", m.clock(f.WaitingSince))
		row("Due", m.clock(f.Due))
		row("Then", f.Next)
	}

	passage := func(title, text string) {
		if text = Text(text, maxPassage); text != "" {
			c.Passages = append(c.Passages, Passage{title, text})
		}
	}
	passage("Asked for", f.Ask)
	passage("Reason", f.Reason)
	passage("Questions", questions(f.Questions))
	passage("Answer", f.Answer)

	if m.Kind == KindBundle {
		for _, i := range f.Items[:min(len(f.Items), MaxItems)] {
			c.Items = append(c.Items, i.content())
		}
		c.More = max(m.count()-len(c.Items), 0)
		c.OpenLabel = "Open the queue"
	}
	c.Footer = "Sent by Baton."
	if why := Line(f.Why, maxProblem); why != "" {
		c.Footer = "Sent by Baton because " + strings.TrimRight(why, ".") + "."
	}
	return c
}

func (m Message) count() int { return max(m.Facts.Count, len(m.Facts.Items)) }

// what names the handoff: "Contoso: mail flow down".
func (m Message) what() string {
	parts := []string{Line(m.Facts.Client, maxName), Line(m.Facts.Problem, maxProblem)}
	switch {
	case parts[0] == "":
		return parts[1]
	case parts[1] == "":
		return parts[0]
	}
	return strings.Join(parts, ": ")
}

// words returns the label of the subject and the leading sentence.
func (m Message) words() (label, lead string) {
	f := m.Facts
	from, holder := or(Line(f.From, maxName), "Somebody"), or(Line(f.Holder, maxName), "Its holder")
	due := m.clock(f.Due)
	switch m.Kind {
	case KindEscalated:
		return "Escalated", from + " hands off a session and asks for somebody to take it."
	case KindParked:
		return "Parked", from + " parked a session. Whoever has time may pick it up."
	case KindWaiting:
		return "Still waiting", "Nobody has taken this handoff yet."
	case KindWoken:
		return "Due again", "What was parked is due. Pick it up, or leave it to somebody else."
	case KindReleased:
		return "Back in the queue", from + " put this handoff back. It waits for somebody again."
	case KindReassigned:
		return "Reassigned", from + " asks you to take this handoff."
	case KindReturned:
		return "Returned with questions", from + " needs answers before going on. The handoff waits for you."
	case KindAnswered:
		return "Answered", from + " answered your questions. The handoff waits for you."
	case KindLeaseReminder:
		return "Still on it?", "You hold this handoff, and nothing has happened in it for a while."
	case KindLeaseAsked:
		if due != "" {
			return "Still on it?", "Say that you are still on this handoff, or it goes back to the queue on " + due + "."
		}
		return "Still on it?", "Say that you are still on this handoff, or it goes back to the queue."
	case KindTakenBack:
		return "Taken back", holder + " showed no activity, so this handoff is in the queue again."
	case KindBundle:
		n := strconv.Itoa(m.count())
		if m.count() == 1 {
			return "1 handoff waits", "One handoff waits for somebody to take it."
		}
		return n + " handoffs wait", n + " handoffs wait for somebody to take them. They are told of together, so that you are not told " + n + " times."
	case KindTest:
		return "Test message from Baton", "This channel works: somebody asked Baton to send a test message."
	}
	return "Handoff", "There is news of this handoff."
}

// outcome says what became of the handoff.
func (m Message) outcome() string {
	o := m.Facts.Outcome
	var done string
	switch o.Verb {
	case "":
		return ""
	case models.VerbClaim:
		done = "Claimed"
	case models.VerbRelease:
		done = "Put back into the queue"
	case models.VerbReassign:
		done = "Reassigned"
	case models.VerbResolve:
		done = "Resolved"
	case models.VerbCancel:
		done = "Cancelled"
	case models.VerbReturn:
		done = "Returned with questions"
	case models.VerbAnswer:
		done = "Answered"
	default:
		done = "No longer waiting"
	}
	if by := Line(o.By, maxName); by != "" {
		done += " by " + by
	}
	if at := m.clock(o.At); at != "" {
		done += ", " + at
	}
	return done + "."
}

// clock shows a time in the recipient's zone, and which one that is.
func (m Message) clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	zone := m.Zone
	if zone == nil {
		zone = time.UTC
	}
	return t.In(zone).Format("Mon 2 Jan 2006, 15:04 MST")
}

func questions(list []string) string {
	var b strings.Builder
	n := 0
	for _, q := range list {
		if q = Line(q, maxQuestion); q == "" {
			continue
		}
		if n++; n > MaxQuestions {
			b.WriteString("…\n")
			break
		}
		fmt.Fprintf(&b, "%d. %s\n", n, q)
	}
	return b.String()
}

func (i Item) content() ContentItem {
	text := Message{Facts: Facts{Client: i.Client, Problem: i.Problem}}.what()
	if t := Line(i.Ticket, maxName); t != "" {
		text += " (" + t + ")"
	}
	if i.Priority >= models.PriorityHigh {
		text = i.Priority.String() + ": " + text
	}
	return ContentItem{Text: Cut(or(text, "A handoff"), maxItem), URL: WebURL(i.URL)}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// More says how many handoffs of a bundle are not listed.
func More(n int) string {
	if n == 1 {
		return "… and one more."
	}
	return "… and " + strconv.Itoa(n) + " more."
}
