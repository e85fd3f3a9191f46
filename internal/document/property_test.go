package document_test

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/baton-handoff/baton/internal/document"
	"github.com/baton-handoff/baton/internal/page/pagetest"
	"github.com/baton-handoff/baton/models"
)

// TestProperties says what is true of every note, whatever it is written from.
func TestProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) { checkNote(t, anyInput().Draw(t, "input")) })
}

// FuzzRender feeds one text into every place where text can be.
func FuzzRender(f *testing.F) {
	f.Add("# heading\n```\n[x](http://y.test)\n", "$ ping a\nerror: `no`", 500, 7)
	f.Add("<b>&amp;</b> \\` 1) - a@b.test", "PS C:\\> dir\n\n  C:\\x\ttab", 0, 300)
	f.Add("\xff\x00\r\n\u2028~~~", strings.Repeat("`", 40), 20_000, 40)
	f.Fuzz(func(t *testing.T, words, output string, limit, steps int) {
		in := document.Input{
			Intent: models.IntentEscalate, Priority: models.PriorityHigh, SenderName: words, TargetName: output, EngineerNotes: words,
			SessionTitle: words, ClientName: output, Problem: output, Ticket: words, Limit: min(limit, 100_000),
		}
		actors := []models.Actor{models.ActorEngineer, models.ActorUser, models.ActorAssistant, models.ActorSystem}
		kinds := []models.StepKind{models.StepCommand, models.StepMessage, models.StepObservation, models.StepNote}
		outcomes := []models.Outcome{"", models.OutcomeWorked, models.OutcomeNoChange, models.OutcomeWorse, models.OutcomeInconclusive}
		for i := range min(max(steps, 0), 100) {
			step := models.Step{Seq: i + 1, At: start.Add(time.Duration(i) * time.Minute), Actor: actors[i%4], Kind: kinds[i/4%4], Text: words + "\n" + output}
			if i%3 == 0 {
				step.Text = output + "\nfailed: " + words
			}
			if o := outcomes[i%5]; o != "" {
				step.Outcome = &o
			}
			in.Steps = append(in.Steps, step)
		}
		checkNote(t, in)
	})
}

// failer is what *testing.T and *rapid.T have in common.
type failer interface {
	Helper()
	Errorf(format string, args ...any)
	FailNow()
}

func checkNote(t failer, in document.Input) {
	t.Helper()
	note := document.Render(in)
	require.Equal(t, note, document.Render(in), "the same input gives the same note")

	limit := in.Limit
	if limit == 0 {
		limit = document.DefaultLimit
	}
	limit = max(limit, document.MinLimit)
	at := 0
	for _, section := range []string{"What is asked", "The problem", "Where it stands", "The session"} {
		i := strings.Index(note.Plain[at:], "\n\n"+strings.ToUpper(section)+"\n\n")
		require.GreaterOrEqual(t, i, 0, "section %q is always there, in its place", section)
		at += i
	}
	for _, text := range []string{note.Markdown, note.Plain} {
		require.LessOrEqual(t, utf8.RuneCountInString(text), limit)
		require.True(t, utf8.ValidString(text))
		require.Equal(t, -1, strings.IndexFunc(text, func(r rune) bool {
			return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r)
		}), "no control characters")
	}
	checkMarkdown(t, note.Markdown)

	roomy := in
	roomy.Limit = 1 << 40
	all := document.Render(roomy)
	require.False(t, all.Truncated)
	require.Equal(t, note.Truncated, note.Markdown != all.Markdown || note.Plain != all.Plain, "truncated says whether anything is missing")
}

var headings = []string{
	"What is asked", "The problem", "Where it stands", "What the customer was told, and said last", "What worked",
	"What made it worse", "What was tried and what it did", "Environment, as the steps name it", "The session",
}

func checkMarkdown(t failer, markdown string) {
	t.Helper()
	pagetest.CheckMarkdown(t, markdown, headings, []string{"made it worse", "worked"})
}

// anyInput draws texts from what is dangerous in Markdown, mixed with letters,
// and of lengths around and far over the limits.
func anyInput() *rapid.Generator[document.Input] {
	piece := rapid.OneOf(
		rapid.SampledFrom([]string{
			"`", "```", "\n", "\n\n", " ", "    ", "\t", "#", "# ", "-", "- ", "1. ", ">", "<b>", "</", "&lt;", "&", "[a](b)", "![", "](", "*", "_", "~~~", "|", "\\",
			"http://x.test", "www.x.test", "a@b.test", "x.test", "\\\\SRV01\\c$", "C:\\>", "PS C:\\> ", "$ ", "error", "failed", "told her", "we will call back at 14:00",
			"0x80070005", "KB5066131", "10.1.2.3", "\r\n", "\u2028", "\u202e", "\x00", "\x1b[31m", "\xff", "😀", "é", "---", "===", "(empty)",
		}),
		rapid.StringN(0, 20, -1),
	)
	short := rapid.Map(rapid.SliceOfN(piece, 0, 12), func(p []string) string { return strings.Join(p, "") })
	long := rapid.Custom(func(t *rapid.T) string {
		return strings.Repeat(short.Draw(t, "part"), rapid.IntRange(1, 100).Draw(t, "times"))
	})
	anyText := rapid.OneOf(short, short, short, long)
	step := rapid.Custom(func(t *rapid.T) models.Step {
		s := models.Step{
			Actor: rapid.SampledFrom([]models.Actor{models.ActorEngineer, models.ActorAssistant, models.ActorUser, models.ActorSystem, "robot"}).Draw(t, "actor"),
			Kind:  rapid.SampledFrom([]models.StepKind{models.StepCommand, models.StepMessage, models.StepObservation, models.StepNote, "dance"}).Draw(t, "kind"),
			Text:  anyText.Draw(t, "text"),
			At:    start.Add(time.Duration(rapid.IntRange(0, 3_000).Draw(t, "minute")) * time.Minute),
		}
		if o := rapid.SampledFrom([]models.Outcome{"", models.OutcomeWorked, models.OutcomeNoChange, models.OutcomeWorse, models.OutcomeInconclusive, "splendid"}).Draw(t, "outcome"); o != "" {
			s.Outcome = &o
		}
		return s
	})
	return rapid.Custom(func(t *rapid.T) document.Input {
		in := document.Input{
			Intent:        rapid.SampledFrom([]models.Intent{models.IntentEscalate, models.IntentPark}).Draw(t, "intent"),
			Priority:      models.Priority(rapid.IntRange(0, 5).Draw(t, "priority")),
			SenderName:    anyText.Draw(t, "sender"),
			TargetName:    anyText.Draw(t, "target"),
			EngineerNotes: anyText.Draw(t, "notes"),
			SessionTitle:  anyText.Draw(t, "title"),
			ClientName:    anyText.Draw(t, "client"),
			Problem:       anyText.Draw(t, "problem"),
			Ticket:        anyText.Draw(t, "ticket"),
			Limit:         rapid.OneOf(rapid.IntRange(-1, 9_000), rapid.Just(0)).Draw(t, "limit"),
			Steps:         rapid.SliceOfN(step, 0, 25).Draw(t, "steps"),
		}
		for i := range in.Steps {
			in.Steps[i].Seq = i + 1
		}
		return in
	})
}
