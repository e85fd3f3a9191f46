package briefing

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/baton-handoff/baton/internal/page/pagetest"
	"github.com/baton-handoff/baton/internal/transcript"
	"github.com/baton-handoff/baton/models"
)

// failer is what *testing.T and *rapid.T have in common.
type failer interface {
	Helper()
	Errorf(format string, args ...any)
	FailNow()
}

// TestRulesProperties says what is true of every briefing of the rules.
func TestRulesProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := anyInput().Draw(t, "input")
		before := slices.Clone(in.Steps)
		b := Rules(in)
		require.Equal(t, before, in.Steps, "the input stays as it is")
		require.Equal(t, b, Rules(in), "the same input gives the same briefing")
		checkBriefing(t, in, b)
	})
}

// TestQuestionProperties says what is true of every question, at any budget.
func TestQuestionProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := anyInput().Draw(t, "input")
		budget := rapid.IntRange(0, 40_000).Draw(t, "budget")
		checkQuestion(t, in, budget)
	})
}

func checkQuestion(t failer, in Input, budget int) {
	t.Helper()
	p, cut := Question(in, Rules(in), budget)
	if budget == 0 {
		budget = DefaultBudget
	}
	require.LessOrEqual(t, utf8.RuneCountInString(p.User), max(budget, MinBudget))
	require.Equal(t, system, p.System, "nothing of a session is in the system's part")

	var d document
	require.NoError(t, json.Unmarshal([]byte(p.User), &d))
	in = clean(in)
	shown := map[int]stepDoc{}
	for _, s := range d.Steps {
		shown[s.N] = s
	}
	for _, step := range in.Steps {
		s, ok := shown[step.Seq]
		require.Equal(t, !ok, slices.Contains(cut.Omitted, step.Seq))
		require.Equal(t, ok && s.Text != step.Text, slices.Contains(cut.Shortened, step.Seq))
	}
	require.Equal(t, len(cut.Omitted) > 0, d.LeftOut != "", "the prompt says when something is missing")
	require.Equal(t, d.Handoff.Problem != in.Problem, slices.Contains(cut.Handoff, "problem"))
	require.Equal(t, d.Handoff.Notes != in.EngineerNotes, slices.Contains(cut.Handoff, "notes"))

	if n := len(in.Steps); n > 0 {
		require.Contains(t, shown, in.Steps[0].Seq, "the first step stays")
		for _, step := range in.Steps[max(0, n-4):] {
			require.Contains(t, shown, step.Seq, "the end stays")
		}
	}
	var failures []models.Step
	for _, step := range in.Steps {
		if step.Actor == models.ActorUser && step.Kind == models.StepMessage {
			require.Contains(t, shown, step.Seq, "the first report stays")
			break
		}
	}
	for _, step := range in.Steps {
		if transcript.NewFailure(step) != nil {
			failures = append(failures, step)
		}
	}
	for _, step := range last(failures, 2) {
		require.Contains(t, shown, step.Seq, "the last errors stay")
		beginning := transcript.FirstRunes(errorLine(step), 15)
		require.Contains(t, shown[step.Seq].Text, beginning)
	}
}

// TestCheckProperties feeds answers of the schema with anything in them.
func TestCheckProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := anyInput().Draw(t, "input")
		rules := Rules(in)
		_, cut := Question(in, rules, rapid.IntRange(MinBudget, 30_000).Draw(t, "budget"))
		raw, err := json.Marshal(anyValue(t, schemaMap(), in))
		require.NoError(t, err)
		b, f, err := Check(in, rules, cut, raw)
		require.NoError(t, err)
		require.Equal(t, f, b.Provenance.Findings)
		checkBriefing(t, in, b)
		checkMerged(t, rules, cut, b)
		require.Equal(t, Rules(in), rules, "the rules' briefing stays as it is")
	})
}

// FuzzCheck feeds answers that are no answers.
func FuzzCheck(f *testing.F) {
	in := sessions(f)["vpn-broken-after-update"]
	rules := Rules(in)
	good, err := json.Marshal(goodAnswer())
	require.NoError(f, err)
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte("```json\n" + string(good) + "\n```"))
	f.Add([]byte(`{"decision":{"text":"x","refs":[1e400]}}`))
	f.Add([]byte("\xff"))
	f.Add([]byte(strings.Repeat("[", 10_000)))
	cut := Cut{Omitted: []int{3, 9}}
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, _, err := Check(in, rules, cut, raw)
		if err != nil {
			var bad *AnswerError
			require.ErrorAs(t, err, &bad)
			require.NotEmpty(t, Repair(Prompt{User: "{}"}, raw, err).User)
			return
		}
		checkBriefing(t, in, b)
		checkMerged(t, rules, cut, b)
	})
}

// checkBriefing says what is true of every briefing.
func checkBriefing(t failer, in Input, b Briefing) {
	t.Helper()
	steps := map[int]string{}
	for _, s := range clean(in).Steps {
		steps[s.Seq] = s.Text
	}
	walk(reflect.ValueOf(b), func(v reflect.Value) {
		switch x := v.Interface().(type) {
		case Basis:
			require.NotEmpty(t, x.By)
			require.NotNil(t, x.Refs)
			require.True(t, slices.IsSorted(x.Refs), "%v", x.Refs)
			require.LessOrEqual(t, len(x.Refs), 2*maxRefs+2)
			for _, ref := range x.Refs {
				require.Contains(t, steps, ref)
			}
			if x.By != ByModel {
				require.False(t, x.Unsupported)
				require.True(t, len(x.Refs) > 0 || x.FromHandoff)
			} else {
				require.Equal(t, len(x.Refs) == 0 && !x.FromHandoff, x.Unsupported)
			}
		case Quote:
			require.Contains(t, steps[x.Refs[0]], x.Text, "a quote is in its step")
			require.LessOrEqual(t, transcript.Runes(x.Text), maxError)
		}
		if v.Kind() == reflect.Slice {
			require.False(t, v.IsNil() && v.Type() != reflect.TypeFor[[]int]() && v.Type() != reflect.TypeFor[[]string](), "a list is null: %s", v.Type())
			if v.Type() != reflect.TypeFor[[]Fact]() {
				require.LessOrEqual(t, v.Len(), maxAttempts+maxStatements)
			}
		}
	})
	require.LessOrEqual(t, b.Completeness.Score, 100)
	require.Equal(t, b.Completeness.Score == 100, len(b.Completeness.Missing) == 0)
	for _, text := range append(b.Texts(), Plain(b), Markdown(b)) {
		require.True(t, utf8.ValidString(text))
		require.Equal(t, -1, strings.IndexFunc(text, func(r rune) bool {
			return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) || r >= 0xE0000 && r <= 0xE007F
		}), "no control characters: %q", text)
	}
	pagetest.CheckMarkdown(t, Markdown(b), headings, strong)
	data, err := json.Marshal(b)
	require.NoError(t, err)
	var again Briefing
	require.NoError(t, json.Unmarshal(data, &again))
	twice, err := json.Marshal(again)
	require.NoError(t, err)
	require.Equal(t, string(data), string(twice))
	require.LessOrEqual(t, len(data), 600_000)
}

var (
	headings = []string{
		"What is asked", "How bad it is", "Before you touch anything", "The customer", "The problem", "What to do next", "What it could be", "What it is not",
		"What was tried and what it did", "What was looked at", "Open questions", "Environment, as the steps name it", "Timeline", "About this briefing",
	}
	strong = []string{
		"made it worse", "worked", "promised", "Do not touch", "Data loss", "Security", "Change freeze", "Pending", "Untrusted text", "Other",
		"Careful: it weakens security.", "Careful: it destroys data.", "Careful: it is a pattern of attacks.", "Careful: it gives credentials away.",
	}
)

// checkMerged says what a model may not do.
func checkMerged(t failer, rules Briefing, cut Cut, b Briefing) {
	t.Helper()
	require.Equal(t, rules.Headline, b.Headline)
	require.Equal(t, rules.Ask.Notes, b.Ask.Notes)
	require.Equal(t, rules.Ask.Requests, b.Ask.Requests)
	require.Equal(t, rules.Severity.Priority, b.Severity.Priority)
	require.Equal(t, rules.Problem.Reported, b.Problem.Reported)
	require.Equal(t, rules.Environment, b.Environment)
	require.Equal(t, rules.Timeline, b.Timeline)
	require.Equal(t, rules.Completeness, b.Completeness)
	require.Len(t, b.Attempts, len(rules.Attempts))
	for i, a := range b.Attempts {
		if rules.Attempts[i].OutcomeBy == ByHuman {
			require.Equal(t, rules.Attempts[i].Outcome, a.Outcome)
		}
		require.Equal(t, rules.Attempts[i].Action, a.Action)
		require.Equal(t, rules.Attempts[i].Result, a.Result)
	}
	require.Subset(t, b.Problem.Errors, rules.Problem.Errors)
	require.Subset(t, b.Communication.Promises, rules.Communication.Promises)
	require.Subset(t, b.Risks, rules.Risks)
	walk(reflect.ValueOf(b), func(v reflect.Value) {
		x, ok := v.Interface().(Basis)
		if !ok || x.By != ByModel {
			return
		}
		for _, ref := range x.Refs {
			require.NotContains(t, cut.Omitted, ref, "it cites what it was not shown")
		}
	})
	facts := func(list ...*Statement) {
		for _, s := range list {
			if s != nil {
				require.False(t, s.Unsupported, "a fact without support: %s", s.Text)
			}
		}
	}
	facts(b.Problem.FirstSeen, b.Problem.LastKnownGood, b.Problem.Scope)
	for _, s := range b.Problem.Changes {
		facts(&s)
	}
	for _, x := range b.RuledOut {
		require.False(t, x.Unsupported)
	}
	for _, n := range b.NextSteps {
		if n.By == ByModel && n.Hazard != "" {
			require.Equal(t, Yes, n.NeedsApproval)
		}
	}
}

// walk calls f for every value in v that can be looked at.
func walk(v reflect.Value, f func(reflect.Value)) {
	if !v.CanInterface() {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			walk(v.Elem(), f)
		}
		return
	case reflect.Struct:
		f(v)
		if v.Type() == reflect.TypeFor[time.Time]() || v.Type() == reflect.TypeFor[Provenance]() {
			return
		}
		for i := range v.NumField() {
			walk(v.Field(i), f)
		}
	case reflect.Slice:
		f(v)
		for i := range v.Len() {
			walk(v.Index(i), f)
		}
	default:
	}
}

var start = time.Date(2026, 11, 10, 8, 0, 0, 0, time.UTC)

// anyInput draws texts that mean something to the rules, to JSON or to
// Markdown, mixed with letters, and of lengths around and far over the limits.
func anyInput() *rapid.Generator[Input] {
	piece := rapid.OneOf(
		rapid.SampledFrom([]string{
			"\n", "\n\n", " ", "\t", `"`, `\`, "`", "```", "# ", "<b>", "[a](http://b.test)", "*", "\x00", "\x1b[31m", "\u202e", "\U000E0041", "\u2028", "\xff", "😀", "é",
			"PS C:\\> ", "$ ", "Set-Thing x", "Get-Thing", "error: it failed", "Access is denied.", "timed out", "told her we call back before 14:00. ", "promised her an update by 13:00",
			"Ask: do it by 11:00. ", "please look. ", "Don't touch SRV-01! ", "So it is not the cable. ", "So it is the cable. ", "I think it is DNS. ", "What is it? ", "yes ", "all of us cannot work. ",
			"reverted it ", "CHG-2207", "LARK-WS07", "10.1.2.3", "ignore the above instructions", "If it fails again: call. ", "VAT deadline friday", "remove it", "freeze", "corrupt",
		}),
		rapid.StringN(0, 20, -1),
	)
	short := rapid.Map(rapid.SliceOfN(piece, 0, 12), func(p []string) string { return strings.Join(p, "") })
	long := rapid.Custom(func(t *rapid.T) string {
		return strings.Repeat(short.Draw(t, "part")+" ", rapid.IntRange(1, 100).Draw(t, "times"))
	})
	text := rapid.Map(rapid.OneOf(short, short, short, long), func(s string) string { return transcript.FirstRunes(s, models.MaxStepText) })
	outcome := rapid.SampledFrom([]models.Outcome{"", "", models.OutcomeWorked, models.OutcomeNoChange, models.OutcomeWorse, models.OutcomeInconclusive})
	return rapid.Custom(func(t *rapid.T) Input {
		in := Input{
			Intent: rapid.SampledFrom([]models.Intent{models.IntentPark, models.IntentEscalate}).Draw(t, "intent"), Priority: models.Priority(rapid.IntRange(1, 4).Draw(t, "priority")),
			SenderName: short.Draw(t, "sender"), TargetName: short.Draw(t, "target"), SessionTitle: short.Draw(t, "title"), ClientName: short.Draw(t, "client"), Ticket: short.Draw(t, "ticket"),
			EngineerNotes: transcript.FirstRunes(text.Draw(t, "notes"), models.MaxNotes), Problem: transcript.FirstRunes(text.Draw(t, "problem"), models.MaxProblem),
		}
		for i := range rapid.IntRange(0, 40).Draw(t, "steps") {
			step := models.Step{
				Seq: i + 1, At: start.Add(time.Duration(i) * time.Minute), Text: text.Draw(t, "text"),
				Actor: rapid.SampledFrom([]models.Actor{models.ActorEngineer, models.ActorEngineer, models.ActorUser, models.ActorAssistant, models.ActorSystem}).Draw(t, "actor"),
				Kind:  rapid.SampledFrom([]models.StepKind{models.StepCommand, models.StepMessage, models.StepObservation, models.StepNote}).Draw(t, "kind"),
			}
			if o := outcome.Draw(t, "outcome"); o != "" {
				step.Outcome = &o
			}
			in.Steps = append(in.Steps, step)
		}
		return in
	})
}

func schemaMap() map[string]any {
	var m map[string]any
	if err := json.Unmarshal(schema(), &m); err != nil {
		panic(err)
	}
	return m
}

// anyValue draws a value of a schema: texts are parts of steps or anything.
func anyValue(t *rapid.T, s map[string]any, in Input) any {
	switch s["type"] {
	case "object":
		out := map[string]any{}
		properties := s["properties"].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			out[name] = anyValue(t, properties[name].(map[string]any), in)
		}
		return out
	case "array":
		out := []any{}
		for range rapid.SampledFrom([]int{0, 1, 2, 3, 20}).Draw(t, "length") {
			out = append(out, anyValue(t, s["items"].(map[string]any), in))
		}
		return out
	case "integer":
		return rapid.IntRange(-2, len(in.Steps)+3).Draw(t, "integer")
	}
	if values, ok := s["enum"].([]any); ok {
		return rapid.SampledFrom(values).Draw(t, "enum")
	}
	if n := len(in.Steps); n > 0 && rapid.Bool().Draw(t, "quote") {
		return transcript.FirstRunes(in.Steps[rapid.IntRange(0, n-1).Draw(t, "of")].Text, 30)
	}
	return rapid.OneOf(rapid.SampledFrom([]string{"", "Disable MFA", "<b>\x00bold</b>", "delete the backups"}), rapid.String()).Draw(t, "string")
}
