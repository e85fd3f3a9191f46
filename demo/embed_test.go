package demo_test

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/demo"
	"github.com/baton-handoff/baton/models"
)

type session struct {
	Key        string  `json:"key"`
	Title      string  `json:"title"`
	ClientName string  `json:"client_name"`
	Problem    string  `json:"problem"`
	PSATicket  *string `json:"psa_ticket"`
	Steps      []struct {
		ID      uuid.UUID       `json:"id"`
		At      time.Time       `json:"at"`
		Actor   models.Actor    `json:"actor"`
		Kind    models.StepKind `json:"kind"`
		Text    string          `json:"text"`
		Outcome *models.Outcome `json:"outcome"`
	} `json:"steps"`
	Handoff struct {
		Intent        models.Intent `json:"intent"`
		Priority      string        `json:"priority"`
		EngineerNotes string        `json:"engineer_notes"`
	} `json:"handoff"`
}

// TestSessions holds every sample session to the rules of the API, so that
// seeding cannot fail, and to those of sample data, so that it harms nobody.
func TestSessions(t *testing.T) {
	t.Parallel()
	actors := []models.Actor{models.ActorEngineer, models.ActorAssistant, models.ActorUser, models.ActorSystem}
	kinds := []models.StepKind{models.StepMessage, models.StepCommand, models.StepObservation, models.StepNote}
	outcomes := []models.Outcome{models.OutcomeWorked, models.OutcomeNoChange, models.OutcomeWorse, models.OutcomeInconclusive}

	keys := map[string]bool{}
	ids := map[uuid.UUID]bool{}
	long := 0
	for line := range bytes.Lines(demo.Sessions()) {
		decoder := json.NewDecoder(bytes.NewReader(line))
		decoder.DisallowUnknownFields()
		var s session
		require.NoError(t, decoder.Decode(&s))

		require.Regexp(t, `^[a-z0-9-]+$`, s.Key)
		require.False(t, keys[s.Key], "key %s twice", s.Key)
		keys[s.Key] = true
		text(t, s.Title, models.MaxTitle)
		text(t, s.ClientName, models.MaxClientName)
		text(t, s.Problem, models.MaxProblem)
		text(t, s.Handoff.EngineerNotes, models.MaxNotes)
		if s.PSATicket != nil {
			text(t, *s.PSATicket, models.MaxTicket)
		}
		require.True(t, s.Handoff.Intent.Valid())
		_, err := models.ParsePriority(s.Handoff.Priority)
		require.NoError(t, err)

		require.GreaterOrEqual(t, len(s.Steps), 10, s.Key)
		require.LessOrEqual(t, len(s.Steps), 60, s.Key)
		if len(s.Steps) >= 45 {
			long++
		}
		var last time.Time
		for _, step := range s.Steps {
			require.False(t, ids[step.ID], "id %s twice", step.ID)
			ids[step.ID] = true
			require.Equal(t, uuid.RFC4122, step.ID.Variant())
			require.True(t, step.At.After(last), "%s: step %s is not after the one before", s.Key, step.ID)
			require.Equal(t, time.UTC, step.At.Location())
			last = step.At
			require.Contains(t, actors, step.Actor)
			require.Contains(t, kinds, step.Kind)
			if step.Outcome != nil {
				require.Contains(t, outcomes, *step.Outcome)
			}
			text(t, step.Text, models.MaxStepText)
			if step.Kind == models.StepCommand {
				require.Regexp(t, `^(PS C:\\>|C:\\>|\$|[A-Z0-9-]+#) \S`, step.Text)
			}
		}
		harmless(t, string(line))
	}
	require.GreaterOrEqual(t, len(keys), 12)
	require.GreaterOrEqual(t, long, 2, "some sessions are long")
}

func text(t *testing.T, s string, most int) {
	t.Helper()
	require.NotEmpty(t, strings.TrimSpace(s))
	require.LessOrEqual(t, utf8.RuneCountInString(s), most)
	require.Equal(t, -1, strings.IndexFunc(s, func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' && r != '\t' || r == utf8.RuneError
	}), "no control characters: %q", s)
}

var (
	address = regexp.MustCompile(`\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b`)
	domain  = regexp.MustCompile(`(?i)[a-z0-9-]\.(?:com|net|org|io|local|co|uk|de)\b`)
	version = regexp.MustCompile(`version: \S+`)
)

// harmless lets pass only addresses and domains that belong to nobody.
func harmless(t *testing.T, s string) {
	t.Helper()
	require.NotRegexp(t, domain, s)
	for _, found := range address.FindAllString(version.ReplaceAllString(s, ""), -1) {
		ip, err := netip.ParseAddr(found)
		if err != nil {
			continue // a version number
		}
		ours := ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsUnspecified() || ip.As4()[0] == 255
		for _, documentation := range []string{"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"} {
			ours = ours || netip.MustParsePrefix(documentation).Contains(ip)
		}
		require.True(t, ours, "%s is somebody's address", found)
	}
}

func TestSessionsIsACopy(t *testing.T) {
	t.Parallel()
	demo.Sessions()[0] = 'x'
	require.Equal(t, byte('{'), demo.Sessions()[0])
}
