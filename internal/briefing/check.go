package briefing

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/baton-handoff/baton/internal/transcript"
	"github.com/baton-handoff/baton/models"
)

// MaxAnswer is the longest answer that [Check] reads, in bytes.
const MaxAnswer = 256 << 10

// The bounds of what a model may add.
const (
	maxImpact     = 5
	maxChanges    = 5
	maxRuledOut   = 8
	maxHypotheses = 4
	maxNextSteps  = 6
	maxRisks      = 8
	maxOpen       = 6
	maxMinutes    = 24 * 60
	maxClaim      = 600 // characters of one text of a model
)

// AnswerError says why an answer cannot be used at all. Its text names the
// places in the answer and is meant for the model that gave it; it may repeat
// words of the answer, so it does not belong into a log.
type AnswerError struct{ Reason string }

func (e *AnswerError) Error() string { return "the answer cannot be used: " + e.Reason }

// Check merges a model's answer into the briefing of the rules. Every citation
// has to name a step that exists and was not cut away, every quote has to stand
// in the step it cites. Citations that do not are dropped. What is left without
// any is marked as unsupported; but facts (errors, promises, what is ruled out,
// what an attempt showed, since when and what changed before) are dropped then.
// What a human said is never overwritten.
//
// It fails with [*AnswerError] when nothing can be saved by dropping parts: the
// answer is no JSON, or not of the schema. [Repair] asks for another one.
func Check(in Input, rules Briefing, cut Cut, raw []byte) (Briefing, Findings, error) {
	a, err := decode(raw)
	if err != nil {
		return Briefing{}, Findings{}, err
	}
	c := checker{steps: map[int]models.Step{}, b: rules.Map(func(s string) string { return s })}
	steps := clean(in).Steps
	for _, step := range steps {
		c.steps[step.Seq] = step
	}
	for _, seq := range slices.Concat(cut.Omitted, untrusted(steps)) {
		delete(c.steps, seq)
	}
	c.merge(a)

	p := &c.b.Provenance
	p.Source, p.PromptVersion, p.Cut, p.Findings = ByModel, PromptVersion, cut, c.f
	return c.b, c.f, nil
}

// decode reads an answer and holds it against the schema.
func decode(raw []byte) (answer, error) {
	var a answer
	if len(raw) > MaxAnswer {
		return a, &AnswerError{fmt.Sprintf("it has %d bytes; %d is the most", len(raw), MaxAnswer)}
	}
	if !utf8.Valid(raw) {
		return a, &AnswerError{"it is not UTF-8"}
	}
	raw = unfence(raw)
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return a, &AnswerError{"it is not one complete JSON object: " + err.Error()}
	}
	s, err := compiled()
	if err != nil {
		return a, err
	}
	if err := s.Validate(value); err != nil {
		return a, &AnswerError{explain(err)}
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return a, &AnswerError{err.Error()}
	}
	return a, nil
}

// unfence takes away the fence of Markdown that some models put around JSON.
func unfence(raw []byte) []byte {
	raw = bytes.TrimSpace(raw)
	if rest, ok := bytes.CutPrefix(raw, []byte("```")); ok {
		rest = bytes.TrimPrefix(rest, []byte("json"))
		if rest, ok = bytes.CutSuffix(bytes.TrimSpace(rest), []byte("```")); ok {
			return bytes.TrimSpace(rest)
		}
	}
	return raw
}

func compiled() (*jsonschema.Schema, error) {
	const address = "briefing.json"
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema()))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(address, doc); err != nil {
		return nil, err
	}
	return compiler.Compile(address)
}

// explain names the first places where an answer is not of the schema.
func explain(err error) string {
	const most = 5
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return err.Error()
	}
	printer := message.NewPrinter(language.English)
	var found []string
	var walk func(e *jsonschema.ValidationError)
	walk = func(e *jsonschema.ValidationError) {
		if len(e.Causes) == 0 && len(found) < most {
			where := "/" + strings.Join(e.InstanceLocation, "/")
			found = append(found, transcript.Shorten(where+": "+e.ErrorKind.LocalizedString(printer), 200))
		}
		for _, cause := range e.Causes {
			walk(cause)
		}
	}
	walk(invalid)
	return strings.Join(found, "; ")
}

// checker merges an answer into b.
type checker struct {
	// steps are those that may be cited.
	steps map[int]models.Step
	b     Briefing
	f     Findings
}

func (c *checker) merge(a answer) {
	b := &c.b
	if s := c.statement(a.Decision, false); s != nil {
		b.Ask.Decision = s
	}
	if b.Ask.Reason == "" && a.Reason != "unknown" {
		b.Ask.Reason, b.Ask.ReasonBy = Reason(a.Reason), ByModel
	}
	if a.Severity.Stability != "unknown" {
		b.Severity.Stability, b.Severity.StabilityBy = Stability(a.Severity.Stability), ByModel
	}
	for _, s := range bound(c, a.Severity.Impact, maxImpact) {
		if s := c.statement(s, false); s != nil {
			b.Severity.Impact = append(b.Severity.Impact, *s)
		}
	}
	c.problem(a)
	c.attempts(a)
	for _, x := range bound(c, a.RuledOut, maxRuledOut) {
		hypothesis, basis := c.text(x.Hypothesis), c.basis(x.Refs)
		if c.worth(hypothesis, basis, true) {
			b.RuledOut = append(b.RuledOut, RuledOut{hypothesis, c.text(x.Why), basis})
		}
	}
	c.hypotheses(a)
	c.nextSteps(a)
	for _, x := range bound(c, a.Risks, maxRisks) {
		text, basis := c.text(x.Text), c.basis(x.Refs)
		if c.worth(text, basis, false) {
			b.Risks = append(b.Risks, Risk{RiskKind(x.Kind), text, basis})
		}
	}
	c.promises(a)
	if a.Communication.Mood != "unknown" {
		b.Communication.Mood = Mood(a.Communication.Mood)
	}
	for _, x := range bound(c, a.OpenQuestions, maxOpen) {
		question, basis := c.text(x.Question), c.basis(x.Refs)
		if c.worth(question, basis, false) {
			b.OpenQuestions = append(b.OpenQuestions, Open{Question: question, Who: c.text(x.Who), Basis: basis})
		}
	}
}

func (c *checker) problem(a answer) {
	p := &c.b.Problem
	p.Summary = c.statement(a.Problem.Summary, false)
	p.Expected = c.statement(a.Problem.Expected, false)
	p.FirstSeen = c.statement(a.Problem.FirstSeen, true)
	p.LastKnownGood = c.statement(a.Problem.LastKnownGood, true)
	p.Scope = c.statement(a.Problem.Scope, true)
	for _, s := range bound(c, a.Problem.Changes, maxChanges) {
		if s := c.statement(s, true); s != nil {
			p.Changes = append(p.Changes, *s)
		}
	}
	for _, x := range bound(c, a.Problem.Errors, maxErrors) {
		quote, step, ok := c.quote(x.Quote, x.Ref)
		known := slices.ContainsFunc(p.Errors, func(q Quote) bool {
			_, there := find(q.Text, quote)
			return there
		})
		if ok && !known {
			q := Quote{Text: quote, At: step.At, Basis: Basis{By: ByModel, Refs: []int{step.Seq}}}
			if step.Kind == models.StepCommand {
				command, _ := transcript.SplitCommand(step.Text)
				q.From = line(command)
			}
			p.Errors = append(p.Errors, q)
		}
	}
}

// attempts adds to those that the rules have found. A model makes no attempt.
func (c *checker) attempts(a answer) {
	seen := map[int]bool{}
	for _, x := range bound(c, a.Attempts, maxAttempts) {
		i := slices.IndexFunc(c.b.Attempts, func(at Attempt) bool { return at.Step == x.Step })
		if _, shown := c.steps[x.Step]; i < 0 || !shown || seen[x.Step] {
			if i < 0 || !shown {
				c.f.InventedRefs++
			}
			c.f.Dropped++
			continue
		}
		seen[x.Step] = true
		attempt := &c.b.Attempts[i]
		basis := c.basis(append([]int{x.Step}, x.Refs...))
		if meaning := c.text(x.Meaning); meaning != "" {
			attempt.Meaning = &Statement{meaning, basis}
		}
		switch outcome := Outcome(x.Outcome); {
		case attempt.OutcomeBy == ByHuman:
			if outcome != attempt.Outcome && outcome != NotVerified {
				c.f.Contradicted++
			}
		case outcome != NotVerified:
			attempt.Outcome, attempt.OutcomeBy = outcome, ByModel
		}
		if reversed := Reversed(x.Reversed); attempt.Reversed == ReversedUnknown {
			attempt.Reversed = reversed
			if later := basis.Refs[len(basis.Refs)-1]; reversed == ReversedYes {
				if later > x.Step {
					attempt.ReversedIn = later
				} else {
					attempt.Reversed = ReversedUnknown // no step was named that undid it
					c.f.Dropped++
				}
			}
		}
	}
}

func (c *checker) hypotheses(a answer) {
	var found []Hypothesis
	for _, x := range bound(c, a.Hypotheses, maxHypotheses) {
		pro, contra := c.basis(x.For), c.basis(x.Against)
		text := c.text(x.Statement)
		if !c.worth(text, pro, false) {
			continue
		}
		h := Hypothesis{
			Statement: text, For: slices.Clone(pro.Refs), Against: contra.Refs, Confidence: Confidence(x.Confidence),
			Because: c.text(x.Because), NextTest: c.text(x.NextTest), Basis: pro,
		}
		if pro.Unsupported {
			h.Confidence = Low
		}
		found = append(found, h)
	}
	// What the engineer supposes stays first.
	c.b.Hypotheses = append(c.b.Hypotheses, found...)
}

func (c *checker) nextSteps(a answer) {
	var found []NextStep
	for _, x := range bound(c, a.NextSteps, maxNextSteps) {
		action, basis := c.text(x.Action), c.basis(x.Refs)
		if !c.worth(action, basis, false) {
			continue
		}
		n := NextStep{
			Action: action, Why: c.text(x.Why), Risk: c.text(x.Risk), Reversible: YesNo(x.Reversible), NeedsApproval: YesNo(x.NeedsApproval),
			Minutes: min(max(x.Minutes, 0), maxMinutes), IfThen: c.text(x.IfThen), Hazard: hazard(x.Action + "\n" + x.IfThen), Basis: basis,
		}
		if n.Hazard != "" {
			n.NeedsApproval = Yes
			c.f.Hazards++
		}
		found = append(found, n)
	}
	if len(found) == 0 {
		return
	}
	// A model's steps are better than the last advice of the session's assistant.
	c.b.NextSteps = slices.DeleteFunc(c.b.NextSteps, func(n NextStep) bool { return n.By == ByRules })
	c.b.NextSteps = append(c.b.NextSteps, found...)
}

func (c *checker) promises(a answer) {
	list := &c.b.Communication.Promises
	for _, x := range bound(c, a.Communication.Promises, maxPromises) {
		quote, step, ok := c.quote(x.Quote, x.Ref)
		if !ok {
			continue
		}
		if step.Actor != models.ActorEngineer {
			c.f.Dropped++ // nobody else promises for us
			continue
		}
		when, ok := find(step.Text, x.ByWhen)
		if !ok {
			c.f.WrongQuotes++
		}
		if i := slices.IndexFunc(*list, func(p Promise) bool { return slices.Contains(p.Refs, step.Seq) }); i >= 0 {
			continue
		}
		*list = append(*list, Promise{line(quote), transcript.Shorten(transcript.OneLine(when), 80), step.At, Basis{By: ByModel, Refs: []int{step.Seq}}})
	}
	slices.SortStableFunc(*list, func(a, b Promise) int { return a.At.Compare(b.At) })
}

// statement returns what is left of a statement, and nil when nothing is. A
// fact needs support.
func (c *checker) statement(s statementA, fact bool) *Statement {
	text, basis := c.text(s.Text), c.basis(s.Refs)
	if text == "" {
		return nil // not known
	}
	if !c.worth(text, basis, fact) {
		return nil
	}
	return &Statement{text, basis}
}

// worth reports whether something may be shown, and counts what it finds.
func (c *checker) worth(text string, basis Basis, fact bool) bool {
	if text == "" || fact && basis.Unsupported {
		c.f.Dropped++
		return false
	}
	if basis.Unsupported {
		c.f.Unsupported++
	}
	return true
}

// basis keeps the citations that can be: of steps that were shown, 0 for the
// handoff.
func (c *checker) basis(cited []int) Basis {
	basis := Basis{By: ByModel, Refs: []int{}}
	for _, ref := range cited {
		_, ok := c.steps[ref]
		switch {
		case ref == 0:
			basis.FromHandoff = c.b.Problem.Reported != "" || c.b.Ask.Notes != ""
		case !ok:
			c.f.InventedRefs++
		case len(basis.Refs) < maxRefs:
			basis.Refs = addRef(basis.Refs, ref)
		}
	}
	basis.Unsupported = len(basis.Refs) == 0 && !basis.FromHandoff
	return basis
}

// quote returns the words of the step that a model quotes.
func (c *checker) quote(text string, ref int) (string, models.Step, bool) {
	step, ok := c.steps[ref]
	if !ok {
		c.f.InventedRefs++
		c.f.Dropped++
		return "", step, false
	}
	text, ok = find(step.Text, text)
	if !ok || text == "" {
		c.f.WrongQuotes++
		c.f.Dropped++
		return "", step, false
	}
	return firstLines(text, maxError), step, true
}

// text cleans what a model wrote: one line of plain text, bounded.
func (c *checker) text(s string) string {
	return transcript.Shorten(transcript.OneLine(cleanText(s)), maxClaim)
}

// bound keeps the first most of a list and counts the others as dropped.
func bound[T any](c *checker, list []T, most int) []T {
	c.f.Dropped += max(0, len(list)-most)
	return first(list, most)
}

// find returns the part of text that says what quote says, as text has it. How
// much space there is, kinds of quotation marks and dashes, and the case do not
// count. A part of a word is no quote: “able” is not said by “unable”.
func find(text, quote string) (string, bool) {
	want, _ := squeeze(cleanText(quote))
	if want == "" {
		return "", strings.TrimSpace(quote) == ""
	}
	have, at := squeeze(text)
	for from := 0; ; {
		i := strings.Index(have[from:], want)
		if i < 0 {
			return "", false
		}
		start, end := from+i, from+i+len(want)
		before, _ := utf8.DecodeLastRuneInString(have[:start])
		head, size := utf8.DecodeRuneInString(have[start:])
		after, _ := utf8.DecodeRuneInString(have[end:])
		tail, _ := utf8.DecodeLastRuneInString(have[:end])
		if isWord(before) && isWord(head) || isWord(tail) && isWord(after) {
			from = start + size
			continue
		}
		first, last := at[start], at[end-1]
		_, size = utf8.DecodeRuneInString(text[last:])
		return text[first : last+size], true
	}
}

func isWord(r rune) bool { return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r)) }

// squeeze takes out of a text what does not count when it is compared. It also
// returns where in s each byte of the result comes from.
func squeeze(s string) (squeezed string, at []int) {
	var b strings.Builder
	space := -1
	for i, r := range s {
		if unicode.IsSpace(r) {
			if space < 0 {
				space = i
			}
			continue
		}
		folded := fold(r)
		if space >= 0 && b.Len() > 0 {
			b.WriteByte(' ')
			at = append(at, space)
		}
		space = -1
		b.WriteString(folded)
		for range len(folded) {
			at = append(at, i)
		}
	}
	return b.String(), at
}

func fold(r rune) string {
	switch {
	case strings.ContainsRune("“”„«»\"", r):
		return `"`
	case strings.ContainsRune("‘’‚`´'", r):
		return "'"
	case strings.ContainsRune("‐‑‒–—−-", r):
		return "-"
	}
	return string(unicode.ToLower(r))
}
