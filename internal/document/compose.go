package document

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/baton-handoff/baton/internal/page"
	"github.com/baton-handoff/baton/internal/transcript"
	"github.com/baton-handoff/baton/models"
)

// compose writes the sections. What the next person needs before they touch
// anything comes first, the long lists come last.
func compose(p *page.Page, d digest, c cuts) {
	p.Headline(headline(d, c)...)

	p.Heading("What is asked")
	quoteOr(p, d.EngineerNotes, c.notes, "the engineer's notes", "No notes were written.")

	p.Heading("The problem")
	quoteOr(p, d.Problem, c.problem, "the problem", "The problem was not described.")

	p.Heading("Where it stands")
	whereItStands(p, d, c)

	if len(d.said) > 0 || d.lastUser != nil {
		p.Heading("What the customer was told, and said last")
		conversation(p, d, c)
	}
	highlight(p, d, c, models.OutcomeWorked, "What worked")
	highlight(p, d, c, models.OutcomeWorse, "What made it worse")

	if len(d.attempts) > 0 {
		p.Heading("What was tried and what it did")
		p.Para(page.Ours("%s", tally(d.attempts)))
		attemptList(p, d, c, d.attempts, c.attempts, true)
	}
	if len(d.facts) > 0 {
		p.Heading("Environment, as the steps name it")
		environment(p, d, c)
	}
	p.Heading("The session")
	p.Para(page.Ours("%s", session(d)))
}

// headline says who hands off, to whom, how urgent it is and what it is about.
func headline(d digest, c cuts) []page.Span {
	most := models.MaxTitle
	if c.line <= 40 {
		most = 40
	}
	name := func(s, otherwise string) page.Span {
		if s == "" {
			return page.Ours("%s", otherwise)
		}
		return page.Words(transcript.Shorten(s, most))
	}
	verb, preposition, anyone := "Escalated", "to", "any senior"
	if d.Intent == models.IntentPark {
		verb, preposition, anyone = "Parked", "for", "anyone"
	}
	spans := []page.Span{
		page.Ours("%s by ", verb), name(d.SenderName, "an engineer"),
		page.Ours(" %s ", preposition), name(d.TargetName, anyone),
		page.Ours(", %s priority: ", d.Priority), name(d.SessionTitle, "untitled session"),
		page.Ours(" ("), name(d.ClientName, "client not named"),
	}
	if d.Ticket != "" {
		spans = append(spans, page.Ours(", ticket "), name(d.Ticket, ""))
	}
	return append(spans, page.Ours(")"))
}

// quoteOr quotes a person, or says that there is nothing to quote.
func quoteOr(p *page.Page, s string, most int, what, otherwise string) {
	if strings.TrimSpace(s) == "" {
		p.Para(page.Ours("%s", otherwise))
		return
	}
	shown, mark := cut(s, most, what+" in Baton")
	p.Quote(shown)
	p.Mark(mark)
}

// verbatim shows what was said or seen: in columns when it has columns.
func verbatim(p *page.Page, r transcript.Remark, most int) {
	shown, mark := cut(r.Text, most, fmt.Sprintf("step %d in Baton", r.Step.Seq))
	switch {
	case strings.TrimSpace(shown) == "":
		p.Para(page.Ours("(empty)"))
	case inColumns(shown):
		p.Output(shown)
	default:
		p.Quote(shown)
	}
	p.Mark(mark)
}

// cut returns the first most characters of s and the line that says how much
// is missing. A few characters more than most are not worth such a line.
func cut(s string, most int, whole string) (shown, mark string) {
	all := transcript.Runes(s)
	if all-most <= min(most, 100) {
		return s, ""
	}
	return transcript.FirstRunes(s, most), fmt.Sprintf("… the last %d of %d characters left out here; see %s.", all-most, all, whole)
}

// inColumns reports whether the spaces in a text mean something.
func inColumns(s string) bool {
	for line := range strings.SplitSeq(s, "\n") {
		line = strings.TrimRight(line, " \t")
		if strings.Contains(line, "  ") || strings.Contains(line, "\t") {
			return true
		}
	}
	return false
}

func whereItStands(p *page.Page, d digest, c cuts) {
	var last transcript.Attempt
	if n := len(d.attempts); n == 0 {
		p.Para(page.Ours("Nothing was tried yet."))
	} else {
		last = d.attempts[n-1]
		p.Para(append([]page.Span{page.Ours("Last attempt: ")}, attemptLine(last, d, c, true)...)...)
		if open := inconclusive(d.attempts[:n-1]); len(open) > 0 {
			p.Para(page.Ours("Inconclusive before that: %s.", list(open, c.facts)))
		}
	}
	if seen := d.lastObservation; seen != nil {
		p.Para(page.Ours("Last observation (%s):", d.where(seen.Step)))
		verbatim(p, *seen, c.output)
	}
	lastError(p, d, c, last.Step.Seq)
	if advice := d.lastAdvice; advice != nil {
		p.Para(page.Ours("The assistant's last advice (%s; written by an AI):", d.where(advice.Step)))
		verbatim(p, *advice, c.output)
	}
}

// lastError shows an error as it was, unless the last observation has shown it.
func lastError(p *page.Page, d digest, c cuts, lastAttempt int) {
	failed := d.lastError
	if failed == nil || d.lastObservation != nil && d.lastObservation.Step.Seq == failed.Step.Seq {
		return
	}
	if failed.Step.Seq == lastAttempt {
		p.Para(page.Ours("Last error, from the last attempt:"))
	} else {
		label := []page.Span{page.Ours("Last error (%s", d.where(failed.Step))}
		if failed.From != "" {
			label = append(label, page.Ours(", from "), page.Code(transcript.Shorten(failed.From, c.line)))
		}
		if failed.WorkedAfter > 0 {
			label = append(label, page.Ours("; later step %d worked", failed.WorkedAfter))
		}
		p.Para(append(label, page.Ours("):"))...)
	}
	shown, mark := cut(failed.Text, c.output, fmt.Sprintf("step %d in Baton", failed.Step.Seq))
	p.Output(shown)
	p.Mark(mark)
}

func inconclusive(attempts []transcript.Attempt) []string {
	var steps []string
	for _, a := range attempts {
		if a.Outcome() == models.OutcomeInconclusive {
			steps = append(steps, "step "+strconv.Itoa(a.Step.Seq))
		}
	}
	return steps
}

// list joins the newest of what it is given, and counts the others.
func list(items []string, most int) string {
	if more := len(items) - most; more > 0 {
		return fmt.Sprintf("%s and %d before", strings.Join(items[more:], ", "), more)
	}
	return strings.Join(items, ", ")
}

func conversation(p *page.Page, d digest, c cuts) {
	first, last := middle(len(d.said), c.said)
	for i, r := range d.said {
		if i == first && first <= last {
			leftOut(p, "statements", len(d.said), d.said[first].Step, d.said[last].Step, last-first+1)
		}
		if i < first || i > last {
			p.Item(page.Ours("%s: ", capital(d.where(r.Step))), page.Words(transcript.Shorten(r.Text, 2*c.line)))
		}
	}
	if d.lastUser != nil {
		p.Para(page.Ours("The user's last message (%s):", d.where(d.lastUser.Step)))
		verbatim(p, *d.lastUser, c.output)
	}
}

// highlight lists the attempts with one outcome a second time, where they
// cannot be missed.
func highlight(p *page.Page, d digest, c cuts, outcome models.Outcome, title string) {
	var some []transcript.Attempt
	for _, a := range d.attempts {
		if a.Outcome() == outcome {
			some = append(some, a)
		}
	}
	if len(some) > 0 {
		p.Heading(title)
		attemptList(p, d, c, some, c.changed, false)
	}
}

func attemptList(p *page.Page, d digest, c cuts, list []transcript.Attempt, keep int, withOutcome bool) {
	first, last := middle(len(list), keep)
	for i, a := range list {
		if i == first && first <= last {
			leftOut(p, "attempts", len(list), list[first].Step, list[last].Step, last-first+1)
		}
		if i < first || i > last {
			line := attemptLine(a, d, c, withOutcome)
			line[0].Text = capital(line[0].Text)
			if !withOutcome {
				line = append(line, aftermath(a.Then, c)...)
			}
			p.Item(line...)
		}
	}
}

// middle returns the first and the last index to leave out of n things so that
// keep of them stay, as many at either end. Nothing is left out when last comes
// before first.
func middle(n, keep int) (first, last int) {
	if keep >= n {
		return n, n - 1
	}
	return (keep + 1) / 2, n - keep/2 - 1
}

func leftOut(p *page.Page, what string, all int, first, last models.Step, n int) {
	steps := fmt.Sprintf("steps %d–%d", first.Seq, last.Seq)
	if n == 1 {
		steps = fmt.Sprintf("step %d", first.Seq)
	}
	p.Mark(fmt.Sprintf("… %d of %d %s left out here (%s); the full transcript is in Baton.", n, all, what, steps))
}

// attemptLine is one attempt: where, with what outcome, what was done, what
// came back.
func attemptLine(a transcript.Attempt, d digest, c cuts, withOutcome bool) []page.Span {
	spans := []page.Span{page.Ours("%s", d.where(a.Step))}
	if outcome := outcomeWords(a.Outcome()); withOutcome && outcome != "" {
		shown := page.Ours("%s", outcome)
		if a.Outcome() == models.OutcomeWorked || a.Outcome() == models.OutcomeWorse {
			shown = page.Strong(outcome)
		}
		spans = append(spans, page.Ours(", "), shown)
	}
	spans = append(spans, page.Ours(": "))
	if a.Step.Actor != models.ActorEngineer {
		spans = append(spans, page.Ours("(%s) ", actorName(a.Step.Actor)))
	}
	action := page.Words
	if a.Command {
		action = page.Code
	}
	spans = append(spans, action(transcript.Shorten(a.Action, c.line)))
	switch {
	case a.Result != "":
		spans = append(spans, page.Ours(" → "), page.Code(transcript.Shorten(a.Result, c.line)))
	case a.Lines > 0:
		spans = append(spans, page.Ours(" → %s of output", count(a.Lines, "line")))
	case a.Command:
		spans = append(spans, page.Ours(" → no output"))
	}
	return spans
}

// aftermath is what followed an attempt.
func aftermath(r *transcript.Remark, c cuts) []page.Span {
	if r == nil {
		return nil
	}
	who := "observed"
	if r.Step.Actor == models.ActorUser {
		who = "user"
	}
	return []page.Span{page.Ours(" → step %d (%s): ", r.Step.Seq, who), page.Words(transcript.Shorten(r.Text, c.line))}
}

func outcomeWords(o models.Outcome) string {
	switch o {
	case models.OutcomeWorked:
		return "worked"
	case models.OutcomeNoChange:
		return "no change"
	case models.OutcomeWorse:
		return "made it worse"
	case models.OutcomeInconclusive:
		return "inconclusive"
	}
	return ""
}

func actorName(a models.Actor) string {
	switch a {
	case models.ActorAssistant:
		return "assistant"
	case models.ActorUser:
		return "user"
	case models.ActorSystem:
		return "system"
	case models.ActorEngineer:
		return "engineer"
	}
	return "somebody"
}

// tally counts the attempts by outcome.
func tally(attempts []transcript.Attempt) string {
	counts := map[models.Outcome]int{}
	for _, a := range attempts {
		counts[a.Outcome()]++
	}
	var parts []string
	rest := len(attempts)
	for _, o := range []models.Outcome{models.OutcomeWorked, models.OutcomeWorse, models.OutcomeNoChange, models.OutcomeInconclusive} {
		if n := counts[o]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, outcomeWords(o)))
			rest -= n
		}
	}
	if rest > 0 {
		parts = append(parts, fmt.Sprintf("%d without a noted outcome", rest))
	}
	return count(len(attempts), "attempt") + ": " + strings.Join(parts, ", ") + "."
}

func environment(p *page.Page, d digest, c cuts) {
	for _, l := range d.facts {
		spans := []page.Span{page.Ours("%s: ", l.Kind)}
		for i, f := range l.Facts[:min(len(l.Facts), c.facts)] {
			if i > 0 {
				spans = append(spans, page.Ours(", "))
			}
			spans = append(spans, page.Code(transcript.Shorten(f.Text, c.line)), page.Ours(" (step %d)", f.Seq))
		}
		if more := len(l.Facts) - c.facts; more > 0 {
			spans = append(spans, page.Ours(" and %d more", more))
		}
		p.Item(spans...)
	}
}

// session says how long it took and what of it is not in the note.
func session(d digest) string {
	var b strings.Builder
	if len(d.Steps) == 0 {
		b.WriteString("It has no steps.")
	} else {
		first, last := d.Steps[0].At.UTC(), d.Steps[len(d.Steps)-1].At.UTC()
		fmt.Fprintf(&b, "%s (%s), %s to %s UTC", count(len(d.Steps), "step"), kinds(d.Steps), first.Format(dateTime), last.Format(d.clock))
		if took := last.Sub(first); took >= time.Minute {
			fmt.Fprintf(&b, ", %s", duration(took))
		}
		b.WriteString(".")
	}
	if !d.CreatedAt.IsZero() {
		fmt.Fprintf(&b, " Handed off %s UTC.", d.CreatedAt.UTC().Format(dateTime))
	}
	if d.unlisted > 0 {
		fmt.Fprintf(&b, " %s of conversation and notes without an outcome: not repeated here. The full transcript is in Baton.", count(d.unlisted, "step"))
	}
	return b.String()
}

func kinds(steps []models.Step) string {
	counts := map[models.StepKind]int{}
	for _, s := range steps {
		counts[s.Kind]++
	}
	var parts []string
	for _, k := range []models.StepKind{models.StepCommand, models.StepMessage, models.StepObservation, models.StepNote} {
		if n := counts[k]; n > 0 {
			parts = append(parts, count(n, string(k)))
		}
	}
	return strings.Join(parts, ", ")
}

// The forms of a time. A note says "UTC" once, at its end.
const (
	timeOnly = "15:04"
	dayTime  = "2 Jan 15:04"
	dateTime = "2 Jan 2006 15:04"
)

func sameDay(a, b time.Time) bool {
	return a.UTC().Format(time.DateOnly) == b.UTC().Format(time.DateOnly)
}

// where names a step: its number and its time, with the date when the session
// took more than one day.
func (d digest) where(s models.Step) string {
	return fmt.Sprintf("step %d, %s", s.Seq, s.At.UTC().Format(d.clock))
}

func duration(d time.Duration) string {
	d = d.Round(time.Minute)
	h, m := int(d.Hours()), int(d.Minutes())%60
	switch {
	case h == 0:
		return fmt.Sprintf("%d min", m)
	case m == 0:
		return fmt.Sprintf("%d h", h)
	}
	return fmt.Sprintf("%d h %d min", h, m)
}

// capital starts a sentence that starts with one of our own words.
func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
