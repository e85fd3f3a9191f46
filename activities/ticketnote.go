package activities

import (
	"fmt"
	"strings"
	"time"

	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/models"
)

// stepOf is what the ticket is told of a transition.
func stepOf(v models.Verb) psa.StepName {
	switch v {
	case models.VerbCreate:
		return psa.StepEscalated
	case models.VerbClaim:
		return psa.StepClaimed
	case models.VerbResolve:
		return psa.StepResolved
	case models.VerbReturn:
		return psa.StepReturned
	case models.VerbAnswer:
		return psa.StepAnswered
	case models.VerbRelease, models.VerbReassign, models.VerbCancel:
	}
	return psa.StepReleased
}

// markOf is the mark of a transition's note. It names the generation that the
// transition is about: a release, a reassign and an answer are of the one that
// they end, not the one that they begin. Each generation ends once, and is
// returned once at most, so no two notes of a handoff have the same mark, also
// not those of a release and a later cancel.
func markOf(in EffectInput) psa.Mark {
	generation := in.Generation
	switch in.Verb {
	case models.VerbRelease, models.VerbReassign, models.VerbAnswer:
		generation--
	case models.VerbCreate, models.VerbClaim, models.VerbResolve, models.VerbCancel, models.VerbReturn:
	}
	return psa.Mark{Handoff: in.HandoffID, Step: stepOf(in.Verb), Generation: generation}
}

// ticketNote is the note of a step other than the first, which is told by the
// handoff's documentation. Its texts are free of credentials already.
func ticketNote(h models.HandoffView, t models.TimelineView) (title, markdown, plain string) {
	actor, holder, target := nameOr(t.ActorName, "an operator"), nameOr(t.HolderName, "an engineer"), nameOr(t.TargetUserName, "somebody else")
	var what, says string
	switch t.Verb {
	case models.VerbClaim:
		what = "Claimed by " + holder
		says = fmt.Sprintf("%s works on this now; %s handed it off.", holder, nameOr(h.HandedOffByName, "an engineer"))
	case models.VerbRelease:
		what = "Released by " + actor
		says = "Nobody works on this now. It waits in the queue for the next engineer."
	case models.VerbReassign:
		what = "Reassigned by " + actor + " to " + target
		says = fmt.Sprintf("It waits in the queue, addressed to %s.", target)
	case models.VerbResolve:
		what = "Resolved by " + actor
		says = "The handoff is closed; the problem is solved."
	case models.VerbCancel:
		what = "Taken back by " + actor
		says = fmt.Sprintf("The handoff was taken back before anybody claimed it. It is with %s again.", nameOr(h.HandedOffByName, "its sender"))
	case models.VerbReturn:
		what = "Returned by " + actor + " with questions"
		says = fmt.Sprintf("It waits for the answer of %s, and goes back to %s then.", nameOr(h.HandedOffByName, "its sender"), target)
	case models.VerbAnswer:
		what = "Answered by " + actor
		says = fmt.Sprintf("It waits in the queue again, reserved for %s", target)
		if t.ReservedUntil != nil {
			says += " until " + t.ReservedUntil.UTC().Format("15:04 UTC")
		}
		says += "."
	case models.VerbCreate:
	}
	when := t.At.UTC().Format("2 January 2006, 15:04 UTC")
	if t.Generation > 1 {
		when += fmt.Sprintf("; put into the queue %s", times(t.Generation))
	}
	heading := what + " (" + when + ")"
	var md, pl []string
	md, pl = append(md, "**"+escape(heading)+"**"), append(pl, heading)
	md, pl = append(md, escape(says)), append(pl, says)
	if t.Note != nil && strings.TrimSpace(*t.Note) != "" {
		label := "Note:"
		switch t.Verb {
		case models.VerbResolve:
			label = "What solved it:"
		case models.VerbReturn:
			label = "Questions:"
		case models.VerbAnswer:
			label = "Answer:"
		case models.VerbCreate, models.VerbClaim, models.VerbRelease, models.VerbReassign, models.VerbCancel:
		}
		text := strings.TrimSpace(*t.Note)
		md, pl = append(md, label, quoted(escape(text))), append(pl, label+"\n"+quoted(text))
	}
	if t.Verb == models.VerbClaim && h.CreatedAt.Before(t.At) && t.Generation == 1 {
		waited := fmt.Sprintf("It waited %s.", lasted(t.At.Sub(h.CreatedAt)))
		md, pl = append(md, waited), append(pl, waited)
	}
	return what, strings.Join(md, "\n\n"), strings.Join(pl, "\n\n")
}

func nameOr(name *string, otherwise string) string {
	if name == nil || strings.TrimSpace(*name) == "" {
		return otherwise
	}
	return strings.Join(strings.Fields(*name), " ")
}

func times(n int) string {
	if n == 2 {
		return "twice"
	}
	return fmt.Sprintf("%d times", n)
}

// lasted is a duration as people say it.
func lasted(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "less than a minute"
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

var markdownEscapes = strings.NewReplacer(
	`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", `\<`, ">", `\>`, "#", `\#`, "|", `\|`, "~", `\~`,
)

// escape keeps people's words from being taken for Markdown.
func escape(text string) string { return markdownEscapes.Replace(text) }

func quoted(text string) string { return "> " + strings.ReplaceAll(text, "\n", "\n> ") }
