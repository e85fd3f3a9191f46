package document_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/demo"
	"github.com/baton-handoff/baton/internal/document"
	"github.com/baton-handoff/baton/models"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden keeps the notes that people see. Read the difference before you
// update: it is what a senior will read at three in the morning.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, session string
		limit         int
	}{
		{"outlook", "outlook-not-syncing", 0},
		{"vpn", "vpn-broken-after-update", 0},
		{"spooler", "printer-spooler-crash", 0},
		{"rds-short", "rds-temporary-profile", 6_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in := sessionInput(t, c.session)
			in.Limit = c.limit
			if in.Intent == models.IntentPark {
				in.TargetName = ""
			}
			note := document.Render(in)
			require.Equal(t, c.limit != 0, note.Truncated)
			golden(t, c.name+".md", note.Markdown)
			golden(t, c.name+".txt", note.Plain)
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got+"\n"), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run: go test ./internal/document -update")
	require.Equal(t, string(want), got+"\n")
}

func TestHeadline(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		in   document.Input
		want string
	}{
		{
			"escalated to somebody",
			document.Input{
				Intent: models.IntentEscalate, Priority: models.PriorityHigh, SenderName: "Sam", TargetName: "Ana",
				SessionTitle: "No mail", ClientName: "Larkspur", Ticket: "48211",
			},
			"Escalated by Sam to Ana, high priority: No mail (Larkspur, ticket 48211)",
		},
		{
			"escalated to nobody in particular, without a ticket",
			document.Input{Intent: models.IntentEscalate, Priority: models.PriorityCritical, SenderName: "Sam", SessionTitle: "No mail", ClientName: "Larkspur"},
			"Escalated by Sam to any senior, critical priority: No mail (Larkspur)",
		},
		{
			"parked",
			document.Input{Intent: models.IntentPark, Priority: models.PriorityLow, SenderName: "Sam", SessionTitle: "No mail", ClientName: "Larkspur"},
			"Parked by Sam for anyone, low priority: No mail (Larkspur)",
		},
		{
			"a title of two lines that wants to be a list of links",
			document.Input{Intent: models.IntentPark, Priority: models.PriorityLow, SenderName: "Sam", SessionTitle: "# a\n* [b](http://c.test)", ClientName: "*d*"},
			"Parked by Sam for anyone, low priority: # a * [b](http://c.test) (*d*)",
		},
		{
			"nothing known",
			document.Input{Intent: models.IntentEscalate, Priority: models.PriorityNormal},
			"Escalated by an engineer to any senior, normal priority: untitled session (client not named)",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			note := document.Render(c.in)
			first, _, _ := strings.Cut(note.Plain, "\n")
			require.Equal(t, c.want, first)
			first, _, _ = strings.Cut(note.Markdown, "\n")
			require.True(t, strings.HasPrefix(first, "**") && strings.HasSuffix(first, "**"), first)
			require.NotContains(t, first, "*d*)")
		})
	}
}

func TestEmptySession(t *testing.T) {
	t.Parallel()
	note := document.Render(document.Input{Intent: models.IntentPark, Priority: models.PriorityNormal})
	require.Equal(t, `Parked by an engineer for anyone, normal priority: untitled session (client not named)

WHAT IS ASKED

No notes were written.

THE PROBLEM

The problem was not described.

WHERE IT STANDS

Nothing was tried yet.

THE SESSION

It has no steps.`, note.Plain)
	require.False(t, note.Truncated)
}

// TestNotesAreVerbatim: whatever the engineer wrote stands in the plain note as
// it was written, also when much else has to go.
func TestNotesAreVerbatim(t *testing.T) {
	t.Parallel()
	in := sessionInput(t, "rds-temporary-profile")
	in.EngineerNotes = "1. dont touch D:\n   - *really*\n\n\tpw is in the vault, NOT here <--\n" + strings.Repeat("and mind the gap. ", 40)
	in.Limit = document.MinLimit
	note := document.Render(in)
	require.True(t, note.Truncated)
	for line := range strings.SplitSeq(strings.TrimSpace(in.EngineerNotes), "\n") {
		require.Contains(t, note.Plain, strings.TrimRight(line, " "))
	}
	require.Less(t, strings.Index(note.Plain, "dont touch D:"), strings.Index(note.Plain, "THE PROBLEM"))
}

func TestNotesAreCutLast(t *testing.T) {
	t.Parallel()
	in := sessionInput(t, "rds-temporary-profile")
	in.EngineerNotes = strings.Repeat("<", models.MaxNotes)
	in.Problem = strings.Repeat("p", models.MaxProblem)
	in.Limit = document.MinLimit
	note := document.Render(in)
	require.Regexp(t, `the last \d+ of 10000 characters left out here; see the engineer's notes in Baton`, note.Plain)
	require.Regexp(t, `the last 3970 of 4000 characters left out here; see the problem in Baton`, note.Plain)
	require.Regexp(t, `16 of 18 attempts left out here \(steps 7–50\); the full transcript is in Baton`, note.Plain)
}

func TestLimit(t *testing.T) {
	t.Parallel()
	steps := make([]models.Step, 200)
	for i := range steps {
		worse := models.OutcomeWorse
		steps[i] = models.Step{
			Seq: i + 1, At: start.Add(time.Duration(i) * time.Minute), Actor: models.ActorEngineer, Kind: models.StepCommand,
			Text: "$ " + strings.Repeat("`", 250) + "\nerror " + strings.Repeat("`", 250), Outcome: &worse,
		}
	}
	in := document.Input{Steps: steps, EngineerNotes: strings.Repeat("&lt; ", 2_000)}
	for limit, want := range map[int]int{0: document.DefaultLimit, -5: document.MinLimit, 9_000: 9_000} {
		in.Limit = limit
		note := document.Render(in)
		require.True(t, note.Truncated)
		require.LessOrEqual(t, utf8.RuneCountInString(note.Markdown), want)
		require.LessOrEqual(t, utf8.RuneCountInString(note.Plain), want)
		require.Greater(t, utf8.RuneCountInString(note.Markdown), want*8/10, "a note uses the room that it has")
	}
}

// TestMinLimit writes the longest note that there can be once everything is
// cut: every section is there, and every character has to be escaped.
func TestMinLimit(t *testing.T) {
	t.Parallel()
	for _, c := range []string{"<", "`", "&lt;"} {
		for _, n := range []int{19, 20, 30, 40, 200} {
			long := strings.Repeat(c, n)
			var steps []models.Step
			add := func(actor models.Actor, kind models.StepKind, outcome models.Outcome, text string) {
				step := models.Step{Seq: 1_990 + len(steps), At: start.Add(time.Duration(len(steps)) * 100 * time.Hour), Actor: actor, Kind: kind, Text: text}
				if outcome != "" {
					step.Outcome = &outcome
				}
				steps = append(steps, step)
			}
			for _, outcome := range []models.Outcome{models.OutcomeWorked, models.OutcomeWorse, models.OutcomeInconclusive} {
				for range 5 {
					add(models.ActorAssistant, models.StepMessage, outcome, long)
					add(models.ActorUser, models.StepMessage, "", long)
				}
			}
			add(models.ActorAssistant, models.StepCommand, models.OutcomeInconclusive, long+"\nfailed error 0x80070005 "+long)
			for range 3 {
				add(models.ActorEngineer, models.StepMessage, "", "told "+long)
			}
			add(models.ActorUser, models.StepMessage, "", long)
			add(models.ActorAssistant, models.StepMessage, "", long)
			add(models.ActorSystem, models.StepObservation, "", long)
			for i := range 9 {
				add(models.ActorSystem, models.StepNote, "", strings.ReplaceAll("error-host.example-with-a-long-name-N nslookup HOST-WITH-A-VERY-LONG-NAME-N 192.168.201.10N "+
					"Windows Server 2022 Datacenter 22HN CasePilot v10.20.300.4000N KB506613N 0x8007000N event 1098N someone.with.a.long.nameN@example.test", "N", string(rune('1'+i))))
			}
			note := document.Render(document.Input{
				Intent: models.IntentEscalate, Priority: models.PriorityCritical, SenderName: long, TargetName: long, CreatedAt: start, EngineerNotes: strings.Repeat(long, 10),
				SessionTitle: long, ClientName: long, Problem: strings.Repeat(long, 10), Ticket: long, Steps: steps, Limit: document.MinLimit,
			})
			require.LessOrEqual(t, utf8.RuneCountInString(note.Markdown), document.MinLimit, "%d %s", n, c)
			require.LessOrEqual(t, utf8.RuneCountInString(note.Plain), document.MinLimit, "%d %s", n, c)
		}
	}
}

// TestRedact plants a secret in every text and looks for it in the note.
func TestRedact(t *testing.T) {
	t.Parallel()
	const secret = "Hunter2!"
	in := sessionInput(t, "vpn-broken-after-update")
	for i := range in.Steps {
		in.Steps[i].Text += "\nerror: " + secret + "@host.test"
	}
	for _, s := range []*string{&in.SenderName, &in.TargetName, &in.EngineerNotes, &in.SessionTitle, &in.ClientName, &in.Problem, &in.Ticket} {
		*s = secret + " " + *s
	}
	require.Contains(t, document.Render(in).Plain, secret)

	before := in.Steps[0].Text
	in.Redact = func(s string) string { return strings.ReplaceAll(s, secret, "[password 1]") }
	in.EngineerNotes += " and Hunt\x00er2!"
	note := document.Render(in)
	require.NotContains(t, note.Plain+note.Markdown, "Hunter2")
	require.Contains(t, note.Plain, "[password 1]")
	require.Equal(t, before, in.Steps[0].Text, "the caller's steps stay as they are")
}

var start = time.Date(2026, 11, 10, 8, 0, 0, 0, time.UTC)

// TestHostileText puts Markdown of every sort into every place a session has,
// and looks at what is left of it outside of code.
func TestHostileText(t *testing.T) {
	t.Parallel()
	for _, hostile := range []string{
		"# heading", "heading\n===", "heading\n---", "> quote", "- item", "+ item", "* item", "1. item", "2) item", "***",
		"[link](http://evil.test)", "![image](http://evil.test/x.png)", "[ref]: http://evil.test", "<http://evil.test>", "http://evil.test",
		"www.evil.test", "mail me@evil.test", "evil.test", "<b>bold</b>", "<script>alert(1)</script>", "<!-- comment", "&lt;b&gt;", "&#60;b&#62;",
		"```\ncode", "~~~\ncode", "````", "`", "``` `` `", "a `b", `\`, "\\`", "| a | b |\n|---|---|", "- [ ] task", "~~gone~~", "[^1]: note",
		"    indented", "\ttabbed  text", "### What is asked", "**Escalated by", "\x1b[31mred\x1b[0m", "a\u202eb", "\xff\xfe", "a\r\n# b", "a\u2028# b", "a\v# b",
	} {
		inconclusive := models.OutcomeInconclusive
		in := document.Input{
			Intent: models.IntentEscalate, Priority: models.PriorityLow, SenderName: hostile, TargetName: hostile, EngineerNotes: hostile,
			SessionTitle: hostile, ClientName: hostile, Problem: hostile, Ticket: hostile,
			Steps: []models.Step{
				{Seq: 1, At: start, Actor: models.ActorEngineer, Kind: models.StepCommand, Text: hostile + "\nerror " + hostile, Outcome: &inconclusive},
				{Seq: 2, At: start, Actor: models.ActorEngineer, Kind: models.StepMessage, Text: "told her " + hostile},
				{Seq: 3, At: start, Actor: models.ActorUser, Kind: models.StepMessage, Text: hostile},
				{Seq: 4, At: start, Actor: models.ActorAssistant, Kind: models.StepMessage, Text: hostile},
				{Seq: 5, At: start, Actor: models.ActorSystem, Kind: models.StepObservation, Text: hostile},
			},
		}
		checkMarkdown(t, document.Render(in).Markdown)
	}
}

// sessionInput is what the note of a demo session is written from.
func sessionInput(t testing.TB, key string) document.Input {
	t.Helper()
	for line := range bytes.Lines(demo.Sessions()) {
		var s struct {
			Key, Title, Problem string
			ClientName          string `json:"client_name"`
			PSATicket           string `json:"psa_ticket"`
			Steps               []models.Step
			Handoff             struct {
				Intent        models.Intent
				Priority      string
				EngineerNotes string `json:"engineer_notes"`
			}
		}
		require.NoError(t, json.Unmarshal(line, &s))
		if s.Key != key {
			continue
		}
		priority, err := models.ParsePriority(s.Handoff.Priority)
		require.NoError(t, err)
		for i := range s.Steps {
			s.Steps[i].Seq = i + 1
		}
		return document.Input{
			Intent: s.Handoff.Intent, Priority: priority, SenderName: "Sam Okoro", TargetName: "Ana Ruiz",
			CreatedAt:     s.Steps[len(s.Steps)-1].At.Add(90 * time.Second),
			EngineerNotes: s.Handoff.EngineerNotes,
			SessionTitle:  s.Title, ClientName: s.ClientName, Problem: s.Problem, Ticket: s.PSATicket, Steps: s.Steps,
		}
	}
	t.Fatalf("no demo session %q", key)
	return document.Input{}
}
