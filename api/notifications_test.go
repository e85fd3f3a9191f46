package api

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/channels"
	"github.com/baton-handoff/baton/internal/doors"
	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/models"
)

type fakeNotifications struct {
	NotificationRecords
	settings models.NotificationSettings
	rows     []models.DeliveryView
}

func (f *fakeNotifications) NotificationSettings(context.Context, uuid.UUID) (models.NotificationSettings, bool, error) {
	return f.settings, true, nil
}

func (f *fakeNotifications) SaveNotificationSettings(_ context.Context, _ uuid.UUID, s models.NotificationSettings) error {
	f.settings = s
	return nil
}

func (f *fakeNotifications) Deliveries(context.Context, uuid.UUID, uuid.UUID) ([]models.DeliveryView, error) {
	return f.rows, nil
}

func (f *fakeNotifications) ChannelDeliveries(_ context.Context, _ uuid.UUID, limit int) ([]models.DeliveryView, error) {
	return f.rows[:min(limit, len(f.rows))], nil
}

func TestHowIAmTold(t *testing.T) {
	t.Parallel()
	w, f := newWorld(t), &fakeNotifications{}
	w.records.NotificationRecords = f
	const path = "/api/v1/me/notifications"
	rec := w.do(ask("GET", path, ""))
	require.JSONEq(t, `{"channels": null, "priorities": {}, "quiet": null, "zone": "UTC"}`, rec.Body.String())
	body := `{"channels": ["slack", "email"], "priorities": {"low": []}, "quiet": {"from": "22:00", "to": "07:30"}, "zone": "Europe/Berlin"}`
	rec = w.do(ask("PUT", path, body))
	require.Equal(t, 200, rec.Code, rec.Body)
	require.JSONEq(t, body, rec.Body.String())
	require.Equal(t, models.NotificationSettings{
		Channels: []string{"slack", "email"}, Priorities: map[string][]string{"low": {}}, Quiet: &models.QuietHours{From: 1320, To: 450}, Zone: "Europe/Berlin",
	}, f.settings)
	require.Equal(t, []string{ana.String()}, w.handoffs.woken, "what waits is decided anew")
	rec = w.do(ask("PUT", path, `{"channels": []}`))
	require.Equal(t, 200, rec.Code)
	require.NotNil(t, f.settings.Channels, "none is not the same as not said")
	for body, status := range map[string]int{
		`{"channels": ["slack", "slack"]}`: 400, `{"zone": "Berlin"}`: 400, `{"zone": "Local"}`: 400,
		`{"quiet": {"from": "25:00", "to": "07:00"}}`: 422, `{"quiet": {"from": "22:00"}}`: 422, `{"channels": ["pager"]}`: 422, `{"priorities": {"huge": []}}`: 422,
	} {
		require.Contains(t, []int{status, 400}, w.do(ask("PUT", path, body)).Code, body)
	}
}

func TestDeliveries(t *testing.T) {
	t.Parallel()
	w, f := newWorld(t), &fakeNotifications{}
	w.records.NotificationRecords = f
	id := uuid.New()
	f.rows = []models.DeliveryView{{
		Delivery: models.Delivery{ID: id, Kind: "escalated", Step: "ladder/1/0", Generation: 1, Because: "team", UserID: &ana, Channel: "email", State: models.DeliveryHeld, Reason: new("Held back."), HeldUntil: &noon, CreatedAt: noon},
		UserName: new("Ana Ortiz"),
	}}
	rec := w.do(ask("GET", aHandoffPath+"/deliveries", ""))
	require.Equal(t, 200, rec.Code)
	require.JSONEq(t, `{"items": [{"id": "`+id.String()+`", "kind": "escalated", "step": "ladder/1/0", "generation": 1, "because": "team",
		"user_id": "`+ana.String()+`", "user_name": "Ana Ortiz", "channel_id": null, "channel_name": null, "channel": "email", "state": "held",
		"reason": "Held back.", "attempts": 0, "next_attempt_at": null, "held_until": "2026-11-04T12:00:00Z", "bundled": false, "provider_id": null,
		"created_at": "2026-11-04T12:00:00Z", "sent_at": null}]}`, rec.Body.String())
	w.handoffs.retryDelivery = func(context.Context, models.Principal, uuid.UUID, uuid.UUID, uuid.UUID) (models.Delivery, error) {
		return models.Delivery{ID: id}, nil
	}
	require.Equal(t, 202, w.do(ask("POST", aHandoffPath+"/deliveries/"+id.String()+"/retry", "")).Code)
}

type fakeChannels struct {
	Channels
	change channels.Change
	test   error
}

func (f *fakeChannels) Create(_ context.Context, _ models.Principal, ch channels.Change) (channels.View, error) {
	f.change = ch
	return channels.View{Endpoint: models.Endpoint{Kind: string(ch.Kind), Name: ch.Name, State: models.EndpointUnknown}, Settings: ch.Settings}, nil
}

func (f *fakeChannels) Get(context.Context, uuid.UUID) (channels.View, error) {
	return channels.View{}, nil
}

func (f *fakeChannels) Test(context.Context, models.Principal, uuid.UUID) error { return f.test }

func TestChannelsAreWriteOnly(t *testing.T) {
	t.Parallel()
	f := &fakeChannels{}
	w := newWorld(t, func(o *Options) { o.Channels = f })
	admin := header("Authorization", "Bearer admin")
	const path = "/api/v1/notifications/channels"
	rec := w.do(ask("POST", path, `{"kind": "email", "name": "Mail", "options": {"host": "smtp.test", "port": 2525, "from": "b@msp.test"}, "credentials": {"password": "hunter2"}}`, admin))
	require.Equal(t, 201, rec.Code, rec.Body)
	require.Equal(t, "hunter2", f.change.Credentials["password"].Reveal())
	require.EqualValues(t, 2525, f.change.Settings.Port)
	require.NotContains(t, rec.Body.String()+w.log.String(), "hunter2")
	require.Equal(t, 400, w.do(ask("POST", path, `{"kind": "email", "name": "a\nb"}`, admin)).Code)
	for err, want := range map[error]string{
		nil: `{"ok": true, "reason": null, "cure": null}`,
		notify.Errorf(notify.ClassGone, "", "It is gone.").WithCure("Remove it."): `{"ok": false, "reason": "It is gone.", "cure": "Remove it."}`,
	} {
		f.test = err
		require.JSONEq(t, want, w.do(ask("POST", path+"/"+handoffID.String()+"/test", "", admin)).Body.String())
	}
	require.Equal(t, 404, newWorld(t).do(ask("GET", path, "", admin)).Code)

	at := time.Date(2026, 11, 4, 10, 0, 0, 0, time.UTC)
	w.records.NotificationRecords = &fakeNotifications{rows: []models.DeliveryView{{Delivery: models.Delivery{
		ID: handoffID, SessionID: sessionID, HandoffID: handoffID, Kind: "escalated", State: models.DeliveryRetrying, Reason: new("It is in trouble (status 503)."),
		Answer: new(503), AnsweredAt: &at, Attempts: 2, NextAttemptAt: &at, CreatedAt: at,
	}}}}
	rec = w.do(ask("GET", path+"/"+handoffID.String()+"/deliveries", "", admin))
	require.Equal(t, 200, rec.Code, rec.Body)
	require.JSONEq(t, `{"items": [{"id": "`+handoffID.String()+`", "session_id": "`+sessionID.String()+`", "handoff_id": "`+handoffID.String()+`",
		"kind": "escalated", "user_id": null, "user_name": null, "state": "retrying", "reason": "It is in trouble (status 503).",
		"answer": 503, "answered_at": "2026-11-04T10:00:00Z", "attempts": 2, "next_attempt_at": "2026-11-04T10:00:00Z", "held_until": null,
		"provider_id": null, "created_at": "2026-11-04T10:00:00Z", "sent_at": null}]}`, rec.Body.String())
}

type fakeDoors struct {
	linked doors.Linked
	err    error
	claims int
}

func (f *fakeDoors) Slack(context.Context, http.Header, []byte) error { return f.err }

func (f *fakeDoors) Look(context.Context, string) (doors.Linked, error) { return f.linked, f.err }

func (f *fakeDoors) Claim(context.Context, string) (doors.Linked, error) {
	f.claims++
	return f.linked, f.err
}

// TestThePageOfALink holds that looking claims nothing, that nothing typed
// becomes markup, and what a browser may do with the page.
func TestThePageOfALink(t *testing.T) {
	t.Parallel()
	f := &fakeDoors{}
	w := newWorld(t, func(o *Options) { o.Doors = f })
	f.linked = doors.Linked{Generation: 1, User: models.User{ID: ana, Name: "Ana <b>"}}
	f.linked.Handoff.SessionTitle, f.linked.Handoff.Status, f.linked.Handoff.Generation = "<script>alert(1)</script>", models.StatusQueued, 1
	page := func(method string) (int, string) {
		rec := w.do(ask(method, "/claim/token", "", header("Authorization", "")))
		h := rec.Header()
		require.Equal(t, "text/html; charset=utf-8", h.Get("Content-Type"))
		require.Contains(t, h.Get("Content-Security-Policy"), "default-src 'none'")
		require.Contains(t, h.Get("Content-Security-Policy"), "frame-ancestors 'none'")
		require.Equal(t, "no-referrer", h.Get("Referrer-Policy"))
		require.Equal(t, "no-store", h.Get("Cache-Control"))
		require.NotContains(t, rec.Body.String(), "<script")
		return rec.Code, rec.Body.String()
	}
	code, body := page("GET")
	require.Equal(t, 200, code)
	require.Contains(t, body, "<button")
	require.Contains(t, body, "Ana &lt;b&gt;")
	require.Zero(t, f.claims)

	f.linked.Handoff.Status, f.linked.Handoff.ClaimedBy = models.StatusClaimed, &sam
	code, body = page("GET")
	require.Equal(t, 200, code)
	require.NotContains(t, body, "<button")
	f.linked.Handoff.ClaimedBy = &ana
	code, body = page("POST")
	require.Equal(t, 200, code)
	require.Contains(t, body, "It is yours")
	require.Equal(t, 1, f.claims)
	for _, tc := range []struct {
		err    error
		status int
		text   string
	}{
		{models.Errorf(models.CodeAlreadyClaimed, "Already claimed by Ben."), 409, "Already claimed by Ben."},
		{models.Errorf(models.CodeForbidden, "This link has expired."), 403, "This link has expired."},
		{models.Errorf(models.CodeUnavailable, "Not now."), 500, "Not now."},
		{models.Errorf(models.CodeInternal, "secret"), 500, "Something went wrong"},
		{http.ErrBodyNotAllowed, 500, "Something went wrong"},
	} {
		f.err = tc.err
		code, body = page("POST")
		require.Equal(t, tc.status, code)
		require.Contains(t, body, tc.text)
		require.NotContains(t, body, "secret")
	}
	require.Equal(t, 404, newWorld(t).do(ask("GET", "/claim/token", "", header("Authorization", ""))).Code)
}

func TestSlacksRequests(t *testing.T) {
	t.Parallel()
	f := &fakeDoors{}
	w := newWorld(t, func(o *Options) { o.Doors = f })
	press := func(body string) int {
		return w.do(ask("POST", "/api/v1/slack/interactions", body, header("Authorization", ""), header("Content-Type", "application/x-www-form-urlencoded"))).Code
	}
	require.Equal(t, 200, press("payload=%7B%7D"))
	require.Equal(t, 413, press("payload="+strings.Repeat("x", 300<<10)))
	f.err = notify.Errorf(notify.ClassForged, "", "The request is not signed.")
	require.Equal(t, 403, press("payload=%7B%7D"))
	f.err = notify.Errorf(notify.ClassRejected, "", "The request has no payload.")
	require.Equal(t, 400, press("x"))
}
