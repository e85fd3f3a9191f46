package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/ladder"
	"github.com/baton-handoff/baton/models"
)

// fakeLadders keeps rules, and answers with a ladder.
type fakeLadders struct {
	LadderRecords // what a test does not set must not be called
	rows          []models.LadderPolicy
	view          models.LadderView
	waits         []models.HandoffWait
	since, until  time.Time
	stillHere     error
}

func (f *fakeLadders) LadderPolicies(context.Context) ([]models.LadderPolicy, error) {
	return f.rows, nil
}

func (f *fakeLadders) SaveLadderPolicies(_ context.Context, _ models.Principal, rows []models.LadderPolicy) error {
	f.rows = rows
	return nil
}

func (f *fakeLadders) Ladder(context.Context, uuid.UUID, uuid.UUID) (models.LadderView, error) {
	return f.view, nil
}

func (f *fakeLadders) StillHere(_ context.Context, _, _, user uuid.UUID) error {
	if user != ana {
		return models.Errorf(models.CodeForbidden, "Somebody else holds the handoff.")
	}
	return f.stillHere
}

func (f *fakeLadders) HandoffWaits(_ context.Context, since, until time.Time, _ int) ([]models.HandoffWait, error) {
	f.since, f.until = since, until
	return f.waits, nil
}

func (f *fakeLadders) WaitingNow(context.Context) ([]models.WaitingNow, error) {
	return []models.WaitingNow{{Priority: models.PriorityCritical, Open: 2, Oldest: new(noon)}}, nil
}

func newLadderWorld(t *testing.T) (*world, *fakeLadders) {
	t.Helper()
	w, f := newWorld(t), &fakeLadders{}
	w.records.LadderRecords = f
	return w, f
}

func admin(r *http.Request) { r.Header.Set("Authorization", "Bearer admin") }

func TestLadderRules(t *testing.T) {
	t.Parallel()
	w, f := newLadderWorld(t)
	rec := w.do(ask("GET", "/api/v1/ladder", "", admin))
	require.Equal(t, 200, rec.Code, rec.Body.String())
	type effective struct {
		TeamID   *uuid.UUID `json:"team_id"`
		Priority string
		Policy   ladder.Policy
	}
	var settings struct {
		Rules               []ladder.Rule
		Effective, Defaults []effective
	}
	read := func() {
		t.Helper()
		settings.Rules, settings.Effective, settings.Defaults = nil, nil, nil
		require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &settings))
	}
	read()
	require.Empty(t, settings.Rules)
	require.Len(t, settings.Effective, 4)
	require.Equal(t, "critical", settings.Effective[0].Priority)
	require.Equal(t, ladder.Default(models.PriorityCritical), settings.Effective[0].Policy)
	defaults := settings.Defaults
	require.Equal(t, settings.Effective, defaults, "without rules the defaults follow")

	rec = w.do(ask("PUT", "/api/v1/ladder", `{"rules":[
		{"hours":{"zone":"Europe/Berlin","week":[{"days":["mon"],"from":"08:00","to":"18:00"}]},"lease":{"remind_after_seconds":60,"ask_after_seconds":60,"take_back_after_seconds":60}},
		{"team_id":"`+team.String()+`","priority":"high","claim_within_seconds":99,"steps":[{"to":[{"who":"team","channels":["slack"]}]}]}]}`, admin))
	require.Equal(t, 200, rec.Code, rec.Body.String())
	read()
	require.Len(t, settings.Rules, 2)
	require.Len(t, settings.Effective, 8)
	require.Equal(t, []string{"account", "team/" + team.String() + "/high"}, []string{f.rows[0].Scope, f.rows[1].Scope})
	require.Equal(t, defaults, settings.Defaults, "whatever the rules are")
	high := settings.Effective[5]
	require.Equal(t, team, *high.TeamID)
	require.EqualValues(t, 99, high.Policy.ClaimWithin)
	require.Equal(t, "Europe/Berlin", high.Policy.Hours.Zone)
	require.True(t, high.Policy.Lease.On())

	for body, field := range map[string]string{
		`{"rules":[{"steps":[{"to":[{"who":"cat"}]}]}]}`:                   "/rules/0/steps/0/to/0/who",
		`{"rules":[{"claim_within_seconds":0}]}`:                           "/rules/0/claim_within_seconds",
		`{"rules":[{"claim_within_seconds":1e30}]}`:                        "/rules/0/claim_within_seconds",
		`{"rules":[{"hours":{"zone":"Mars"}}]}`:                            "/rules/0/hours/zone",
		`{"rules":[{"colour":"red"}]}`:                                     "/rules/0/colour",
		`{"rules":[{"priority":"urgent"}]}`:                                "/rules/0/priority",
		`{"rules":[{"lease":{"remind_after_seconds":1}}]}`:                 "/rules/0/lease/ask_after_seconds",
		`{"rules":[{"steps":[{"to":[{"who":"team"}],"repeat_times":1}]}]}`: "/rules/0/steps/0/repeat_every_seconds",
	} {
		rec := w.do(ask("PUT", "/api/v1/ladder", body, admin))
		require.Contains(t, []int{400, 422}, rec.Code, "%s: %s", body, rec.Body)
		require.Contains(t, rec.Body.String(), `"`+field+`"`, body)
	}
	require.Len(t, f.rows, 2, "what is refused changes nothing")
}

func TestHandoffLadder(t *testing.T) {
	t.Parallel()
	w, f := newLadderWorld(t)
	f.view.Handoff = models.Handoff{ID: handoffID, SessionID: sessionID, Generation: 1, Version: 2, Priority: models.PriorityHigh, Status: models.StatusClaimed}
	path := aHandoffPath + "/ladder"
	rec := w.do(ask("GET", path, ""))
	require.Equal(t, 200, rec.Code)
	require.JSONEq(t, `{"handoff_id":"`+handoffID.String()+`","generation":1,"version":2,"state":null,"reason":null,"next":null,"next_at":null,
		"wake_at":null,"lease":null,"policy":null,"updated_at":null}`, rec.Body.String(), "it has not begun")

	p := ladder.Default(models.PriorityHigh)
	p.Lease = ladder.Lease{Remind: 3600, Ask: 1800, TakeBack: 600}
	text, err := json.Marshal(p)
	require.NoError(t, err)
	f.view.ActiveAt = &noon
	f.view.Ladder = &models.HandoffLadder{Policy: text, State: models.LadderHeld, Version: 2, Next: new("its holder is reminded"), NextAt: &noon}
	answer := func(rec *httptest.ResponseRecorder) (doc map[string]any) {
		t.Helper()
		require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &doc))
		return doc
	}
	doc := answer(w.do(ask("GET", path, "")))
	require.Equal(t, "held", doc["state"])
	require.Equal(t, "its holder is reminded", doc["next"])
	require.Equal(t, map[string]any{"active_at": "2026-11-04T12:00:00Z", "until": "2026-11-04T13:40:00Z", "over": false}, doc["lease"])
	require.Equal(t, doc, answer(w.do(ask("POST", aHandoffPath+"/still-here", ""))))

	f.view.Version, f.view.Ladder.Taking = 3, new(1)
	doc = answer(w.do(ask("GET", path, "")))
	require.Nil(t, doc["state"], "what is known is about an older version")
	require.Equal(t, true, doc["lease"].(map[string]any)["over"])
	f.stillHere = models.Errorf(models.CodeConflict, "Too late.")
	require.Equal(t, 409, w.do(ask("POST", aHandoffPath+"/still-here", "")).Code)
}

// TestLookingIsActivity: whoever looks at a handoff is noted; the store knows
// whether they hold it.
func TestLookingIsActivity(t *testing.T) {
	t.Parallel()
	w, f := newLadderWorld(t)
	var seen []uuid.UUID
	w.records.holderSeen = func(handoff, user uuid.UUID) error {
		require.Equal(t, ana, user)
		seen = append(seen, handoff)
		return models.Errorf(models.CodeUnavailable, "Not now.") // which nobody is told
	}
	w.records.handoff = func(context.Context, uuid.UUID, uuid.UUID) (models.HandoffView, error) { return aHandoff(), nil }
	require.Equal(t, 200, w.do(ask("GET", aHandoffPath, "")).Code)
	f.view.ID = handoffID
	require.Equal(t, 200, w.do(ask("GET", aHandoffPath+"/ladder", "")).Code)
	require.Equal(t, []uuid.UUID{handoffID, handoffID}, seen)
	refresh := func(r *http.Request) { r.Header.Set(ConsoleHeader, "refresh") }
	require.Equal(t, 200, w.do(ask("GET", aHandoffPath, "", refresh)).Code)
	w.records.PresenceRecords = &fakePresence{}
	require.Equal(t, 200, w.do(ask("PUT", aHandoffPath+"/presence", "")).Code)
	require.Len(t, seen, 2, "a page that was left open is no activity")
	w.records.handoff = func(context.Context, uuid.UUID, uuid.UUID) (models.HandoffView, error) {
		return models.HandoffView{}, models.Errorf(models.CodeNotFound, "Handoff not found")
	}
	require.Equal(t, 404, w.do(ask("GET", aHandoffPath, "")).Code)
	require.Len(t, seen, 2)
}

func TestWake(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	for _, c := range []struct {
		body, field string
		at          time.Duration // from now, to the minute
	}{
		{`"intent":"park","wake":null`, "", 0},
		{`"intent":"park","wake":{"after_minutes":90}`, "", 90 * time.Minute},
		{`"intent":"park","wake":{"at":"` + time.Now().Add(day).Format(time.RFC3339) + `"}`, "", day},
		{`"intent":"park","wake":{"local_time":"` + time.Now().UTC().Add(2*time.Hour).Format("15:04") + `","zone":"UTC"}`, "", 2 * time.Hour},
		{`"intent":"escalate","wake":{"after_minutes":90}`, "/wake", 0},
		{`"intent":"park","wake":{}`, "/wake", 0},
		{`"intent":"park","wake":{"after_minutes":90,"local_time":"08:00","zone":"UTC"}`, "/wake", 0},
		{`"intent":"park","wake":{"after_minutes":90,"zone":"UTC"}`, "/wake/zone", 0},
		{`"intent":"park","wake":{"after_minutes":0}`, "/wake", 0},
		{`"intent":"park","wake":{"local_time":"8","zone":"UTC"}`, "/wake/local_time", 0},
		{`"intent":"park","wake":{"local_time":"08:00"}`, "/wake/zone", 0},
		{`"intent":"park","wake":{"local_time":"08:00","zone":"Local"}`, "/wake/zone", 0},
		{`"intent":"park","wake":{"at":"2020-01-01T00:00:00Z"}`, "/wake/at", 0},
		{`"intent":"park","wake":{"at":"2999-01-01T00:00:00Z"}`, "/wake/at", 0},
	} {
		w, _ := newLadderWorld(t)
		var got models.NewHandoff
		w.handoffs.create = func(_ context.Context, _ models.Principal, req models.NewHandoff) (models.HandoffView, error) {
			got = req
			return aHandoff(), nil
		}
		rec := w.do(ask("POST", sessionPath+"/handoff", `{"engineer_notes":"n",`+c.body+`}`))
		if c.field != "" {
			require.Contains(t, []int{400, 422}, rec.Code, c.body)
			require.Contains(t, rec.Body.String(), `"`+c.field+`"`, c.body)
			continue
		}
		require.Equal(t, 201, rec.Code, rec.Body.String())
		if c.at == 0 {
			require.Nil(t, got.WakeAt)
			require.Empty(t, got.WakeWish)
			continue
		}
		require.NotEmpty(t, got.WakeWish)
		require.WithinDuration(t, time.Now().Add(c.at), *got.WakeAt, 2*time.Minute)
	}
}
