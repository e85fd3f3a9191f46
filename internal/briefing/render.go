package briefing

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/baton-handoff/baton/internal/page"
	"github.com/baton-handoff/baton/internal/transcript"
	"github.com/baton-handoff/baton/models"
)

// Plain is the briefing for a terminal or a ticket without Markdown. It says
// what Markdown says.
func Plain(b Briefing) string { return render(b, false) }

// Markdown is the briefing in Markdown in which text of the session can make no
// heading, link, image or HTML.
func Markdown(b Briefing) string { return render(b, true) }

// writer writes a briefing. What the reader needs before they touch anything
// comes first.
type writer struct {
	*page.Page
	b     Briefing
	clock string
}

func render(b Briefing, markdown bool) string {
	w := writer{&page.Page{Markdown: markdown}, b, "15:04"}
	if n := len(b.Timeline); n > 0 && b.Timeline[0].At.UTC().Format(time.DateOnly) != b.Timeline[n-1].At.UTC().Format(time.DateOnly) {
		w.clock = "2 Jan 15:04"
	}
	w.head()
	w.ask()
	w.care()
	w.customer()
	w.problem()
	w.next()
	w.causes()
	w.attempts()
	w.open()
	w.environment()
	w.timeline()
	w.provenance()
	return w.String()
}

func (w writer) head() {
	h := w.b.Headline
	verb, preposition, anyone := "Escalated", "to", "any senior"
	if h.Intent == models.IntentPark {
		verb, preposition, anyone = "Parked", "for", "anyone"
	}
	spans := []page.Span{
		page.Ours("%s by ", verb), name(h.Sender, "an engineer"), page.Ours(" %s ", preposition), name(h.Target, anyone),
		page.Ours(", %s priority: ", w.b.Severity.Priority), name(h.Title, "untitled session"), page.Ours(" ("), name(h.Client, "client not named"),
	}
	if h.Ticket != "" {
		spans = append(spans, page.Ours(", ticket "), page.Words(h.Ticket))
	}
	w.Headline(append(spans, page.Ours(")"))...)

	p := w.b.Provenance
	switch {
	case p.Source == ByModel:
		w.Para(page.Ours("Written by rules and, where it says “AI”, by a model from steps %d–%d. Check what it cites.", p.FirstStep, p.LastStep))
	case p.LastStep > 0:
		w.Para(page.Ours("Written by rules from steps %d–%d; no AI model wrote any of it.", p.FirstStep, p.LastStep))
	default:
		w.Para(page.Ours("Written by rules; the session has no steps."))
	}
}

func name(s, otherwise string) page.Span {
	if s == "" {
		return page.Ours("%s", otherwise)
	}
	return page.Words(transcript.OneLine(s))
}

func (w writer) ask() {
	a := w.b.Ask
	w.Heading("What is asked")
	for _, r := range a.Requests {
		w.Item(page.Words(oneLine(r.Text)))
	}
	if len(a.Requests) == 0 && a.Notes != "" {
		w.Para(page.Ours("The notes ask for nothing in so many words."))
	}
	var facts []page.Span
	if a.ByWhen != "" {
		facts = append(facts, page.Ours("By when: "), page.Words(oneLine(a.ByWhen)), page.Ours(". "))
	}
	if a.Reason != "" {
		facts = append(facts, page.Ours("Why it is handed off: %s%s.", words(string(a.Reason)), ai(a.ReasonBy)))
	}
	if len(facts) > 0 {
		w.Para(facts...)
	}
	w.Para(page.Ours("The engineer's notes:"))
	if a.Notes == "" {
		w.Para(page.Ours("None were written."))
	} else {
		w.Quote(a.Notes)
	}
	if a.Decision != nil {
		w.statement("In a sentence: ", *a.Decision)
	}
}

func (w writer) care() {
	if s := w.b.Severity; len(s.Impact)+len(s.Workarounds) > 0 || s.Stability != "" {
		w.Heading("How bad it is")
		if s.Stability != "" {
			w.Para(page.Ours("It is %s%s.", map[Stability]string{Stable: "stable", Watcher: "to be watched", Unstable: "getting worse"}[s.Stability], ai(s.StabilityBy)))
		}
		for _, x := range s.Impact {
			w.statement("", x)
		}
		for _, x := range s.Workarounds {
			w.statement("Meanwhile: ", x)
		}
	}
	if len(w.b.Risks) > 0 {
		w.Heading("Before you touch anything")
		for _, r := range w.b.Risks {
			w.Item(page.Strong(words(string(r.Kind))), page.Ours(": "), page.Words(oneLine(r.Text)), w.basis(r.Basis))
		}
	}
}

func (w writer) causes() {
	if len(w.b.Hypotheses) > 0 {
		w.Heading("What it could be")
		for _, h := range w.b.Hypotheses {
			spans := []page.Span{sentence(h.Statement)}
			if h.Confidence != "" {
				spans = append(spans, page.Ours(" Confidence: %s", h.Confidence))
				if h.Because != "" {
					spans = append(spans, page.Ours(", because: "), sentence(h.Because))
				} else {
					spans = append(spans, page.Ours("."))
				}
			}
			if len(h.Against) > 0 {
				spans = append(spans, page.Ours(" Against it: %s.", steps(h.Against)))
			}
			if h.NextTest != "" {
				spans = append(spans, page.Ours(" Cheapest test: "), page.Words(oneLine(h.NextTest)))
			}
			w.Item(append(spans, w.basis(h.Basis))...)
		}
	}
	if len(w.b.RuledOut) > 0 {
		w.Heading("What it is not")
		for _, x := range w.b.RuledOut {
			spans := []page.Span{sentence(x.Hypothesis)}
			if x.Why != "" {
				spans = append(spans, page.Ours(" Because: "), page.Words(oneLine(x.Why)))
			}
			w.Item(append(spans, w.basis(x.Basis))...)
		}
	}
}

func (w writer) next() {
	if len(w.b.NextSteps) == 0 {
		return
	}
	w.Heading("What to do next")
	for _, n := range w.b.NextSteps {
		var spans []page.Span
		if n.Hazard != "" {
			spans = append(spans, page.Strong("Careful: it "+n.Hazard+"."), page.Ours(" "))
		}
		spans = append(spans, sentence(n.Action))
		for _, part := range []struct{ label, text string }{{"Why: ", n.Why}, {"Risk: ", n.Risk}, {"Then: ", n.IfThen}} {
			if part.text != "" {
				spans = append(spans, page.Ours(" %s", part.label), sentence(part.text))
			}
		}
		if n.NeedsApproval == Yes {
			spans = append(spans, page.Ours(" Needs approval."))
		}
		if n.Reversible == No {
			spans = append(spans, page.Ours(" Cannot be undone."))
		}
		if n.Minutes > 0 {
			spans = append(spans, page.Ours(" About %d min.", n.Minutes))
		}
		w.Item(append(spans, w.basis(n.Basis))...)
	}
}

func (w writer) problem() {
	p := w.b.Problem
	w.Heading("The problem")
	if p.Summary != nil {
		w.statement("", *p.Summary)
	}
	if p.Reported == "" {
		w.Para(page.Ours("It was not described."))
	} else {
		w.Quote(p.Reported)
	}
	for _, x := range []struct {
		label string
		s     *Statement
	}{{"Expected: ", p.Expected}, {"First seen: ", p.FirstSeen}, {"Last known good: ", p.LastKnownGood}, {"Scope: ", p.Scope}} {
		if x.s != nil {
			w.statement(x.label, *x.s)
		}
	}
	for _, c := range p.Changes {
		w.statement("Changed before: ", c)
	}
	if q := p.LastSeen; q != nil {
		w.quote("Seen last", *q)
	}
	for i, e := range p.Errors {
		label := "Last error"
		if i > 0 {
			label = "An error before it"
		}
		w.quote(label, e)
	}
}

// quote shows a quote as it is, with where it comes from.
func (w writer) quote(label string, q Quote) {
	spans := []page.Span{page.Ours("%s (step%s, %s", label, strings.TrimPrefix(steps(q.Refs), "step"), q.At.UTC().Format(w.clock))}
	if q.From != "" {
		spans = append(spans, page.Ours(", from "), page.Code(transcript.Shorten(oneLine(q.From), 120)))
	}
	if q.WorkedAfter > 0 {
		spans = append(spans, page.Ours("; later step %d worked", q.WorkedAfter))
	}
	w.Para(append(spans, page.Ours("):"))...)
	if strings.Contains(q.Text, "\n") || strings.Contains(q.Text, "  ") {
		w.Output(q.Text)
	} else {
		w.Quote(q.Text)
	}
}

func (w writer) attempts() {
	all := w.b.Attempts
	if len(all) == 0 {
		w.Heading("What was tried and what it did")
		w.Para(page.Ours("Nothing was tried yet."))
		return
	}
	var tried, looked []Attempt
	for _, a := range all {
		if a.Outcome == NotVerified && a.ReadOnly {
			looked = append(looked, a)
		} else {
			tried = append(tried, a)
		}
	}
	if len(tried) > 0 {
		w.Heading("What was tried and what it did")
		for _, a := range tried {
			w.attempt(a)
		}
	}
	if len(looked) > 0 {
		w.Heading("What was looked at")
		for _, a := range looked {
			w.attempt(a)
		}
	}
}

var outcomes = map[Outcome]string{
	Worked: "worked", NoChange: "no change", Worse: "made it worse", Inconclusive: "inconclusive", NotVerified: "no outcome noted",
}

func (w writer) attempt(a Attempt) {
	spans := []page.Span{page.Ours("Step %d, %s", a.Step, a.At.UTC().Format(w.clock))}
	switch {
	case a.Outcome == Worked || a.Outcome == Worse:
		spans = append(spans, page.Ours(", "), page.Strong(outcomes[a.Outcome]), page.Ours("%s", ai(a.OutcomeBy)))
	case a.Outcome != NotVerified || !a.ReadOnly:
		spans = append(spans, page.Ours(", %s%s", outcomes[a.Outcome], ai(a.OutcomeBy)))
	}
	spans = append(spans, page.Ours(": "))
	if a.Actor != models.ActorEngineer {
		spans = append(spans, page.Ours("(%s) ", a.Actor))
	}
	if a.Command {
		spans = append(spans, page.Code(oneLine(a.Action)))
	} else {
		spans = append(spans, page.Words(oneLine(a.Action)))
	}
	switch {
	case a.Result != "":
		spans = append(spans, page.Ours(" → "), page.Code(oneLine(a.Result)))
	case a.Lines > 0:
		spans = append(spans, page.Ours(" → %d lines of output", a.Lines))
	case a.Command && a.ReadOnly:
		spans = append(spans, page.Ours(" → no output"))
	}
	if a.Then != nil {
		spans = append(spans, page.Ours(" → then, %s: ", steps(a.Then.Refs)), page.Words(transcript.Shorten(oneLine(a.Then.Text), maxLine)))
	}
	if a.Meaning != nil {
		spans = append(spans, page.Ours(" → "), page.Words(oneLine(a.Meaning.Text)), w.basis(a.Meaning.Basis))
	}
	switch {
	case a.Reversed == ReversedYes && a.ReversedIn > 0:
		spans = append(spans, page.Ours(" Undone in step %d.", a.ReversedIn))
	case a.Reversed == ReversedNo, a.Outcome == Worse && a.Reversed == ReversedUnknown:
		spans = append(spans, page.Ours(" No step says that it was undone."))
	}
	w.Item(spans...)
}

func (w writer) customer() {
	c := w.b.Communication
	if len(c.Promises) == 0 && c.LastWord == nil {
		return
	}
	w.Heading("The customer")
	if c.Mood != "" {
		w.Para(page.Ours("They are %s (AI).", c.Mood))
	}
	for _, p := range c.Promises {
		spans := []page.Span{page.Ours("%s: ", p.At.UTC().Format(w.clock)), page.Words(oneLine(p.Text))}
		if p.ByWhen != "" {
			spans = append(spans, page.Ours(" — "), page.Strong("promised"), page.Ours(": "), page.Words(oneLine(p.ByWhen)))
		}
		w.Item(append(spans, w.basis(p.Basis))...)
	}
	if len(c.Promises) == 0 {
		w.Para(page.Ours("No step says that they were told anything."))
	}
	if c.LastWord != nil {
		w.quote("Their last word", *c.LastWord)
	}
	if c.Unanswered > 0 {
		w.Para(page.Ours("%s since they were told anything.", count(c.Unanswered, "message of theirs", "messages of theirs")))
	}
}

func (w writer) open() {
	if len(w.b.OpenQuestions) == 0 {
		return
	}
	w.Heading("Open questions")
	for _, q := range w.b.OpenQuestions {
		spans := []page.Span{page.Words(oneLine(q.Question))}
		if q.Who != "" {
			spans = append(spans, page.Ours(" Ask: "), page.Words(oneLine(q.Who)))
		}
		if q.AskedBy != "" {
			spans = append(spans, page.Ours(" — asked by the %s", q.AskedBy))
		}
		w.Item(append(spans, w.basis(q.Basis))...)
	}
}

func (w writer) environment() {
	if len(w.b.Environment) == 0 {
		return
	}
	w.Heading("Environment, as the steps name it")
	var spans []page.Span
	var kind FactKind
	for _, f := range w.b.Environment {
		if f.Kind != kind {
			if len(spans) > 0 {
				w.Item(spans...)
			}
			kind, spans = f.Kind, []page.Span{page.Ours("%s: ", words(string(f.Kind)))}
		} else {
			spans = append(spans, page.Ours(", "))
		}
		spans = append(spans, page.Code(oneLine(f.Value)))
		if len(f.Refs) > 0 {
			spans = append(spans, page.Ours(" (%s)", steps(f.Refs[:1])))
		}
	}
	w.Item(spans...)
}

func (w writer) timeline() {
	if len(w.b.Timeline) == 0 {
		return
	}
	w.Heading("Timeline")
	for _, e := range w.b.Timeline {
		spans := []page.Span{page.Ours("%s %s", e.At.UTC().Format(w.clock), e.Actor)}
		if e.Outcome != "" {
			spans = append(spans, page.Ours(", %s", outcomes[Outcome(e.Outcome)]))
		}
		w.Item(append(spans, page.Ours(": "), page.Words(oneLine(e.What)), w.basis(e.Basis))...)
	}
}

func (w writer) provenance() {
	w.Heading("About this briefing")
	c := w.b.Completeness
	w.Para(page.Ours("The handoff tells %d of 100 points of what the next person needs.", c.Score))
	for _, m := range c.Missing {
		w.Item(page.Ours("Missing, %s: %s", m.Part, m.Hint))
	}
	p := w.b.Provenance
	if p.Source != ByModel {
		return
	}
	if p.Model != "" {
		w.Para(page.Ours("Model: "), page.Words(oneLine(p.Model)), page.Ours(", prompt %s.", p.PromptVersion))
	}
	if n := len(p.Cut.Omitted); n > 0 {
		w.Para(page.Ours("The model was not shown %s: %s.", count(n, "step", "steps"), ranges(p.Cut.Omitted, 200)))
	}
	if n := len(p.Cut.Shortened); n > 0 {
		w.Para(page.Ours("It was shown a part of %s: %s.", count(n, "step", "steps"), ranges(p.Cut.Shortened, 200)))
	}
	if f := p.Findings; f != (Findings{}) {
		w.Para(page.Ours("Of its answer, %s did not exist, %s were wrong, %s were dropped and %s are marked as unsupported.",
			count(f.InventedRefs, "citation", "citations"), count(f.WrongQuotes, "quote", "quotes"), count(f.Dropped, "statement", "statements"), count(f.Unsupported, "statement", "statements")))
	}
}

func (w writer) statement(label string, s Statement) {
	spans := []page.Span{page.Words(oneLine(s.Text)), w.basis(s.Basis)}
	if label != "" {
		spans = append([]page.Span{page.Ours("%s", label)}, spans...)
	}
	w.Item(spans...)
}

// basis says what a statement rests on, and that a model wrote it.
func (w writer) basis(b Basis) page.Span {
	var parts []string
	if b.By == ByModel {
		parts = append(parts, "AI")
	}
	if len(b.Refs) > 0 {
		parts = append(parts, steps(b.Refs))
	}
	if b.FromHandoff && b.By != ByHuman {
		parts = append(parts, "the notes")
	}
	if b.Unsupported {
		parts = append(parts, "unsupported: no step says so")
	}
	if len(parts) == 0 {
		return page.Ours("")
	}
	return page.Ours(" (%s)", strings.Join(parts, ", "))
}

// sentence is somebody's sentence, ended where its author did not end it.
func sentence(s string) page.Span {
	s = oneLine(s)
	if r, _ := utf8.DecodeLastRuneInString(s); !strings.ContainsRune(".!?…", r) {
		s += "."
	}
	return page.Words(s)
}

func ai(by By) string {
	if by == ByModel {
		return " (AI)"
	}
	return ""
}

// words turns a word of the schema into words for people.
func words(s string) string {
	if s == "" {
		return s
	}
	s = strings.ReplaceAll(s, "_", " ")
	return strings.ToUpper(s[:1]) + s[1:]
}

func steps(refs []int) string {
	if len(refs) == 1 {
		return "step " + strconv.Itoa(refs[0])
	}
	return "steps " + ranges(refs, 80)
}

// ranges writes ascending numbers with dashes, in at most n characters.
func ranges(numbers []int, n int) string {
	var b strings.Builder
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && numbers[j+1] == numbers[j]+1 {
			j++
		}
		part := strconv.Itoa(numbers[i])
		switch {
		case j == i+1:
			j = i
		case j > i:
			part += "–" + strconv.Itoa(numbers[j])
		}
		if i > 0 {
			part = ", " + part
		}
		if b.Len()+len(part) > n {
			return b.String() + ", …"
		}
		b.WriteString(part)
		i = j + 1
	}
	return b.String()
}

func oneLine(s string) string { return transcript.OneLine(s) }

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
