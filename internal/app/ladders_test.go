package app_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/activities"
	apiclient "github.com/baton-handoff/baton/api/client"
	"github.com/baton-handoff/baton/models"
	"github.com/baton-handoff/baton/workflows"

	"go.temporal.io/sdk/converter"
)

// rules sets the account's ladder.
func (b *baton) rules(base string, rules ...map[string]any) {
	b.t.Helper()
	status, answer := b.call(b.ada, http.MethodPut, base+"/api/v1/ladder", map[string]any{"rules": rules})
	require.Equal(b.t, http.StatusOK, status, "%v", answer)
}

func quickSteps() []map[string]any {
	team := []map[string]any{{"who": "target"}, {"who": "team"}}
	return []map[string]any{
		{"after_seconds": 0, "to": team},
		{"after_seconds": 1, "to": team, "repeat_every_seconds": 1, "repeat_times": 1},
		{"after_seconds": 3600, "to": []map[string]any{{"who": "admins"}}},
	}
}

func (b *baton) ladder(base string, h *apiclient.Handoff) map[string]any {
	b.t.Helper()
	status, doc := b.call(b.ben, http.MethodGet, handoffURL(base, h)+"/ladder", nil)
	require.Equal(b.t, http.StatusOK, status, "%v", doc)
	return doc
}

func (b *baton) awaitLadder(base string, h *apiclient.Handoff, what string, done func(map[string]any) bool) map[string]any {
	b.t.Helper()
	var doc map[string]any
	require.True(b.t, waitFor(60*time.Second, func() bool {
		doc = b.ladder(base, h)
		return done(doc)
	}), "%s: %v", what, doc)
	return doc
}

func stands(state, next string) func(map[string]any) bool {
	return func(doc map[string]any) bool {
		words, _ := doc["next"].(string)
		return doc["state"] == state && words == next
	}
}

// announced are the announcements that the ladder of a handoff has scheduled,
// as their steps and kinds.
func (b *baton) announced(h *apiclient.Handoff) (steps []string) {
	b.t.Helper()
	for _, e := range b.historyOf(workflows.LadderWorkflowID(h.AccountID, h.ID), "") {
		scheduled := e.GetActivityTaskScheduledEventAttributes()
		if scheduled.GetActivityType().GetName() != "Announce" {
			continue
		}
		var what activities.Announcement
		require.NoError(b.t, converter.GetDefaultDataConverter().FromPayloads(scheduled.GetInput(), &what))
		step := what.Step
		if strings.HasPrefix(step, "lease/") { // its end is a time
			step = step[:strings.LastIndex(step, "/")]
		}
		steps = append(steps, step+" "+string(what.Kind))
	}
	return steps
}

func (b *baton) ended(h *apiclient.Handoff) {
	b.t.Helper()
	require.NoError(b.t, b.temporal.GetWorkflow(b.t.Context(), workflows.LadderWorkflowID(h.AccountID, h.ID), "").Get(b.t.Context(), nil))
	require.Equal(b.t, 1, b.sql(`SELECT count(*) FROM handoff_ladders WHERE handoff_id = $1 AND state = 'ended'`, h.ID))
}

// TestTheLadderClimbs is one handoff through all that can happen to its ladder,
// with a worker that is stopped in the middle, and an edit that comes too late.
func TestTheLadderClimbs(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	stop := b.worker()
	base := b.api()
	b.rules(base, map[string]any{"steps": quickSteps()})
	h := b.handOff(base)
	b.awaitLadder(base, h, "climbing", stands("calling", "the admins are told"))
	stop()
	b.rules(base, map[string]any{"steps": []any{}})
	b.worker()
	require.NotNil(t, b.insist(b.ana, handoffURL(base, h)+"/claim", nil)) // the workflow changes hands first
	b.awaitLadder(base, h, "held", stands("held", ""))
	b.ask(base, b.ana, h, "release", map[string]any{})
	doc := b.awaitLadder(base, h, "climbing again", stands("calling", "the admins are told"))
	require.EqualValues(t, 2, doc["generation"])
	require.Len(t, doc["policy"].(map[string]any)["steps"], 3, "an edit does not change what is under way")
	b.ask(base, b.ana, h, "claim", nil)
	b.ask(base, b.ana, h, "resolve", map[string]any{})
	b.ended(h)
	require.Equal(t, []string{
		"ladder/1/0/0 escalated", "ladder/1/1/0 waiting", "ladder/1/1/1 waiting", "ladder/3/0/0 released", "ladder/3/1/0 waiting", "ladder/3/1/1 waiting",
	}, b.announced(h))
	require.Positive(t, b.sql(`SELECT count(*) FROM feed_events WHERE handoff_id = $1 AND data->'ladder'->>'next' = 'the admins are told'`, h.ID))

	other := b.handOff(base)
	b.awaitLadder(base, other, "nobody is called", stands("spent", ""))
	status, report := b.call(b.ada, http.MethodGet, base+"/api/v1/reports/handoffs", nil)
	require.Equal(t, http.StatusOK, status)
	all := report["items"].([]any)[0].(map[string]any)
	require.EqualValues(t, 3, all["waits"])
	require.EqualValues(t, 2, all["claimed"])
	require.EqualValues(t, 1, all["open"])
}

// TestAnIdleClaimGoesBack is a lease, kept by whoever is there, and taken from
// whoever is not.
func TestAnIdleClaimGoesBack(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	b.worker()
	base := b.api()
	b.rules(base, map[string]any{"steps": quickSteps(), "lease": map[string]any{"remind_after_seconds": 2, "ask_after_seconds": 1, "take_back_after_seconds": 2}})
	h := b.handOff(base)
	b.ask(base, b.ana, h, "claim", nil)
	b.awaitLadder(base, h, "reminded", stands("held", "it goes back to the queue"))
	status, doc := b.call(b.ana, http.MethodPost, handoffURL(base, h)+"/still-here", nil)
	require.Equal(t, http.StatusOK, status, "%v", doc)
	status, _ = b.call(b.ben, http.MethodPost, handoffURL(base, h)+"/still-here", nil)
	require.Equal(t, http.StatusForbidden, status)
	eventually(t, "taken back", func() bool {
		return b.sql(`SELECT count(*) FROM handoff_transitions WHERE handoff_id = $1 AND door = 'lease' AND verb = 'release' AND note LIKE 'Its holder has shown no activity since%'`, h.ID) == 1
	})
	status, _ = b.call(b.ana, http.MethodPost, handoffURL(base, h)+"/still-here", nil)
	require.Equal(t, http.StatusConflict, status, "nobody holds it now")
	b.awaitLadder(base, h, "climbing again", stands("calling", "the admins are told"))
	b.ask(base, b.ana, h, "claim", nil)
	b.ask(base, b.ana, h, "resolve", map[string]any{})
	b.ended(h)
	told := b.announced(h)
	require.Contains(t, told, "ladder/3/0/0 taken_back")
	reminders := 0
	for _, step := range told {
		if step == "lease/2/remind lease_reminder" {
			reminders++
		}
	}
	require.Equal(t, 2, reminders, "who answered is reminded anew: %v", told)
}

func TestAParkedSessionWakes(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	b.worker()
	base := b.api()
	b.rules(base, map[string]any{"steps": quickSteps(), "park": map[string]any{"tell_team": false, "escalate_after_seconds": 1}})
	h := b.parked(base)
	b.awaitLadder(base, h, "escalated", stands("calling", "the admins are told"))
	b.ask(base, b.sam, h, "claim", nil)
	b.ask(base, b.sam, h, "resolve", map[string]any{})
	b.ended(h)
	require.Equal(t, []string{"ladder/1/woken woken", "ladder/1/0/0 waiting", "ladder/1/1/0 waiting", "ladder/1/1/1 waiting"}, b.announced(h))
}

// parked is a session that was put down for two seconds.
func (b *baton) parked(base string) *apiclient.Handoff {
	b.t.Helper()
	at := time.Now().Add(2 * time.Second)
	h, err := b.as(b.sam, base).HandOff(b.t.Context(), uuid.NewString(), b.session(base), apiclient.NewHandoff{
		Intent: apiclient.IntentPark, EngineerNotes: "The part comes tomorrow.", Wake: &apiclient.Wake{At: &at},
	})
	require.NoError(b.t, err)
	require.WithinDuration(b.t, at, *h.WakeAt, time.Millisecond)
	return h
}

// TestRecordLadderHistories lives the stories of ladders, for the replay test.
func TestRecordLadderHistories(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	b.worker()
	base := b.api()
	b.rules(base, map[string]any{
		"steps": quickSteps(), "lease": map[string]any{"remind_after_seconds": 1, "ask_after_seconds": 1, "take_back_after_seconds": 1},
		"park": map[string]any{"tell_team": true, "escalate_after_seconds": 1},
	})
	for name, story := range map[string]func() *apiclient.Handoff{
		"ladder-climbed-and-taken-back": func() *apiclient.Handoff {
			h := b.handOff(base)
			b.awaitLadder(base, h, "climbed", stands("calling", "the admins are told"))
			b.ask(base, b.ana, h, "claim", nil)
			eventually(t, "taken back", func() bool {
				return b.sql(`SELECT count(*) FROM handoffs WHERE id = $1 AND status = $2 AND generation = 2`, h.ID, models.StatusQueued) == 1
			})
			return h
		},
		"ladder-woken": func() *apiclient.Handoff {
			h := b.parked(base)
			b.awaitLadder(base, h, "climbed", stands("calling", "the admins are told"))
			return h
		},
	} {
		h := story()
		b.ask(base, b.ana, h, "claim", nil)
		b.ask(base, b.ana, h, "resolve", map[string]any{})
		b.ended(h)
		keepHistory(t, name, b.historyOf(workflows.LadderWorkflowID(h.AccountID, h.ID), ""))
	}
}
