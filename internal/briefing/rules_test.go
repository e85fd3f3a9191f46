package briefing

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/models"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden keeps the briefings of the demo's sessions. Read the difference
// before you update: it is what a senior reads instead of the transcript.
func TestGolden(t *testing.T) {
	t.Parallel()
	for key, in := range sessions(t) {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			b := Rules(in)
			golden(t, key+".txt", Plain(b))
			checkBriefing(t, in, b)
		})
	}
	in := sessions(t)["outlook-not-syncing"]
	b := Rules(in)
	golden(t, "outlook-not-syncing.md", Markdown(b))
	data, err := json.MarshalIndent(b, "", "  ")
	require.NoError(t, err)
	golden(t, "outlook-not-syncing.json", string(data))
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got+"\n"), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run: go test ./internal/briefing -update")
	require.Equal(t, string(want), got+"\n")
}

// sessions are the inputs of the demo's sessions by their keys.
func sessions(t testing.TB) map[string]Input {
	t.Helper()
	all := map[string]Input{}
	// Not by package demo, whose client of the API knows this package.
	lines, err := os.ReadFile(filepath.Join("..", "..", "demo", "sessions.jsonl"))
	require.NoError(t, err)
	for line := range bytes.Lines(lines) {
		var s struct {
			Key, Title, Problem string
			ClientName          string `json:"client_name"`
			PSATicket           string `json:"psa_ticket"`
			Steps               []models.Step
			Handoff             struct {
				Intent        models.Intent
				Priority      models.Priority
				EngineerNotes string `json:"engineer_notes"`
			}
		}
		require.NoError(t, json.Unmarshal([]byte(redact(string(line))), &s))
		for i := range s.Steps {
			s.Steps[i].Seq = i + 1
		}
		all[s.Key] = Input{
			Intent: s.Handoff.Intent, Priority: s.Handoff.Priority, SenderName: "Sam Okoro",
			EngineerNotes: s.Handoff.EngineerNotes, SessionTitle: s.Title, ClientName: s.ClientName, Problem: s.Problem, Ticket: s.PSATicket, Steps: s.Steps,
		}
	}
	return all
}

// redact is what the caller of this package does: nothing in it may bring a
// secret back.
func redact(s string) string {
	for i, secret := range secrets {
		s = strings.ReplaceAll(s, secret, fmt.Sprintf("[secret-%d]", i+1))
	}
	return s
}

// secrets are those that the demo's sessions have in them, all invented.
var secrets = []string{
	"Larkspur#2025", "Tr0ub4dor-Gate77", "Hunter2!Scan", "N0tARealPw!88", "7Xk-FAKE-2QpZ", "fk_demo_51JxNOTREAL0000example", "Thistle-Temp-0019",
	"Quokka!1999", "Pendlewick-Guest-4417",
}
