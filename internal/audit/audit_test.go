package audit

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/baton-handoff/baton/models"
)

func TestDiff(t *testing.T) {
	t.Parallel()
	type options struct {
		Status map[string]string `json:"status,omitempty"`
		Notes  string            `json:"notes,omitempty"`
		Owner  bool              `json:"set_owner,omitempty"`
		Board  *int64            `json:"board_id"`
		Days   []string          `json:"days,omitempty"`
	}
	changes, err := Diff(
		options{Status: map[string]string{"claimed": "New", "resolved": "Done"}, Notes: "internal", Board: new(int64(9007199254740993))},
		options{Status: map[string]string{"claimed": "In Progress", "escalated": "x", "resolved": "Done"}, Owner: true, Days: []string{"mon"}})
	require.NoError(t, err)
	require.Equal(t, []models.AuditChange{
		{Field: "board_id", Before: new("9007199254740993")},
		{Field: "days", After: new(`["mon"]`)},
		{Field: "notes", Before: new("internal")},
		{Field: "set_owner", After: new("true")},
		{Field: "status.claimed", Before: new("New"), After: new("In Progress")},
		{Field: "status.escalated", After: new("x")},
	}, changes)
	all, err := Diff(nil, map[string]any{"name": "RMM", "empty": ""})
	require.NoError(t, err)
	require.Equal(t, []models.AuditChange{{Field: "empty", After: new("")}, {Field: "name", After: new("RMM")}}, all)
	_, err = Diff(nil, make(chan int))
	require.Error(t, err)
}

// TestADiffIsTrue holds that what a diff says, done to what was before, gives
// what is after, and that nothing more is said.
func TestADiffIsTrue(t *testing.T) {
	t.Parallel()
	values := rapid.MapOf(rapid.SampledFrom([]string{"a", "b", "c", "d"}), rapid.OneOf(
		rapid.Just[any](nil), rapid.Map(rapid.SampledFrom([]string{"", "x", "y"}), func(s string) any { return s }),
		rapid.Map(rapid.IntRange(0, 2), func(n int) any { return n }), rapid.Map(rapid.Bool(), func(b bool) any { return b })))
	rapid.Check(t, func(t *rapid.T) {
		before, after := values.Draw(t, "before"), values.Draw(t, "after")
		changes, err := Diff(before, after)
		if err != nil {
			t.Fatal(err)
		}
		was, _ := flat(before)
		is, _ := flat(after)
		for _, c := range changes {
			if c.Before == nil && c.After == nil || c.Before != nil && c.After != nil && *c.Before == *c.After {
				t.Fatalf("%q is no change", c.Field)
			}
			if c.After == nil {
				delete(was, c.Field)
			} else {
				was[c.Field] = *c.After
			}
		}
		a, _ := json.Marshal(was)
		b, _ := json.Marshal(is)
		if string(a) != string(b) {
			t.Fatalf("%s instead of %s", a, b)
		}
	})
}

func TestSecretsAreNotTold(t *testing.T) {
	t.Parallel()
	before := map[string]string{"kept": "hunter1", "new": "hunter2", "gone": "hunter3"}
	after := map[string]string{"kept": "hunter1", "new": "hunter4", "first": "hunter5"}
	changes := Secrets("credentials.", before, after, map[string]bool{"kept": true, "gone": true})
	require.Equal(t, []models.AuditChange{Secret("credentials.first"), Secret("credentials.gone"), Secret("credentials.new")}, changes)
	text, err := json.Marshal(changes)
	require.NoError(t, err)
	require.NotContains(t, string(text), "hunter")
}

func TestWriteCSV(t *testing.T) {
	t.Parallel()
	at, who := time.Date(2026, 11, 4, 9, 41, 7, 0, time.UTC), uuid.New()
	var b bytes.Buffer
	require.NoError(t, WriteCSV(&b, []models.AuditEntry{
		{ID: uuid.New(), At: at, Action: models.AuditUserSet, ActorKind: models.ByUser, ActorID: &who, ActorName: new("=cmd()"), ThingName: new("Ben"), Changes: []models.AuditChange{
			{Field: "name", Before: new("-1"), After: new("Ben, \"B\"")}, {Field: "role", After: new("admin")},
		}},
		{ID: uuid.New(), At: at, Action: models.AuditPSAConnectionSet, ActorKind: models.ByOperator},
	}))
	lines, err := csv.NewReader(&b).ReadAll()
	require.NoError(t, err)
	require.Len(t, lines, 4)
	require.Equal(t, []string{"2026-11-04T09:41:07Z", lines[1][1], "user.set", "user", who.String(), "'=cmd()", "", "", "", "Ben", "name", "false", "'-1", "Ben, \"B\"", ""}, lines[1])
	require.Equal(t, lines[1][:10], lines[2][:10])
	require.Equal(t, "psa_connection.set", lines[3][2])
}
