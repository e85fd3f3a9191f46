package notifytest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/internal/notify/notifytest"
	"github.com/baton-handoff/baton/internal/notify/slack"
	"github.com/baton-handoff/baton/internal/secrets"
	"github.com/baton-handoff/baton/models"
)

func TestWhatSlackSays(t *testing.T) {
	t.Parallel()
	r, s, _ := slackRig(t, time.Minute)
	for code, want := range map[string]notify.Class{
		"ratelimited": notify.ClassRateLimited, "internal_error": notify.ClassUnclear, "fatal_error": notify.ClassUnclear,
		"service_unavailable": notify.ClassTemporary, "request_timeout": notify.ClassTemporary,
		"invalid_auth": notify.ClassUnauthorized, "token_revoked": notify.ClassUnauthorized, "account_inactive": notify.ClassUnauthorized,
		"missing_scope": notify.ClassUnauthorized, "channel_not_found": notify.ClassRecipientUnknown, "is_archived": notify.ClassRecipientUnknown,
		"not_in_channel": notify.ClassRecipientUnknown, "user_not_found": notify.ClassRecipientUnknown,
		"invalid_blocks": notify.ClassRejected, "msg_too_long": notify.ClassRejected, "a_new_one": notify.ClassRejected,
		"<b>hunter2</b>": notify.ClassRejected, "": notify.ClassUnclear,
	} {
		r.faults.Next(notifytest.Fault{Kind: notifytest.FaultError, Error: code})
		_, e := r.send(t, r.message(notify.KindEscalated))
		require.NotNil(t, e, code)
		require.Equal(t, want, e.Class, "%s: %v", code, e)
	}
	r.faults.Next(notifytest.Fault{Kind: notifytest.FaultGarbage})
	_, e := r.send(t, r.message(notify.KindEscalated))
	require.Equal(t, notify.ClassUnclear, e.Class)
	require.Empty(t, r.told())

	s.Kick("C0QUEUE")
	_, e = r.send(t, r.message(notify.KindEscalated))
	require.Equal(t, notify.ClassRecipientUnknown, e.Class)
	require.Contains(t, e.Cure, "/invite")
	require.NoError(t, r.channel.(notify.Checker).Check(t.Context()))
	s.RotateToken()
	_, e = r.send(t, r.message(notify.KindEscalated))
	require.Equal(t, notify.ClassUnauthorized, e.Class)
	require.Equal(t, notify.ClassUnauthorized, notify.ClassOf(r.channel.(notify.Checker).Check(t.Context())))
	for _, address := range []string{"", "#general", "C1&x=y", "C1\n"} {
		m := r.message(notify.KindEscalated)
		m.To.Address = address
		_, e = r.send(t, m)
		require.Equal(t, notify.ClassRecipientUnknown, e.Class, address)
	}
}

func TestASlackMessageChangesWithItsHandoff(t *testing.T) {
	t.Parallel()
	r, s, _ := slackRig(t, time.Minute)
	s.AddUser(notifytest.SlackUser{ID: "U0BO", Name: "Bo", Email: "bo@msp.example"})
	m := r.message(notify.KindEscalated)
	m.To.Address = "U0BO" // a person: Slack makes it their conversation with the app
	receipt, e := r.send(t, m)
	require.Nil(t, e)
	require.NotEqual(t, "U0BO", receipt.Where)
	require.Contains(t, s.Messages("U0BO")[0].Buttons, slack.ActionClaim)

	m.Facts.Outcome = notify.Outcome{Verb: models.VerbClaim, By: "Bo Lind", At: clock().Add(time.Minute)}
	updater := r.channel.(notify.Updater)
	for range 2 {
		again, err := updater.Update(t.Context(), receipt, m)
		require.NoError(t, err)
		require.Equal(t, receipt.ID, again.ID)
	}
	messages := s.Messages("U0BO")
	require.Len(t, messages, 1)
	require.Equal(t, 2, messages[0].Edits)
	require.NotContains(t, messages[0].Buttons, slack.ActionClaim)
	require.Contains(t, string(messages[0].Blocks), "Claimed by Bo Lind, Mon 23 Nov 2026, 15:06 CET.")

	r.faults.Next(notifytest.Fault{Kind: notifytest.FaultCommitThenDrop})
	_, err := updater.Update(t.Context(), receipt, m)
	require.Equal(t, notify.ClassTemporary, notify.ClassOf(err)) // doing it twice does no harm
	r.faults.Next(notifytest.Fault{Kind: notifytest.FaultError, Error: "edit_window_closed"})
	_, err = updater.Update(t.Context(), receipt, m)
	require.Equal(t, notify.ClassRejected, notify.ClassOf(err))
	receipt.ID = "1.000001"
	_, err = updater.Update(t.Context(), receipt, m)
	require.Equal(t, notify.ClassRejected, notify.ClassOf(err))
}

func TestAMessageIsFoundAgain(t *testing.T) {
	t.Parallel()
	r, s, _ := slackRig(t, time.Minute)
	s.AddUser(notifytest.SlackUser{ID: "U0BO", Name: "Bo", Email: "bo@msp.example"})
	for _, where := range []string{"C0QUEUE", "U0BO"} {
		m := r.message(notify.KindEscalated)
		m.To.Address, m.Key.Step, m.MaybeSent = where, "found/"+where, true
		first, e := r.send(t, m)
		require.Nil(t, e)
		require.False(t, first.Found)
		for n := range 40 { // further back than one page
			other := r.message(notify.KindWaiting)
			other.To.Address, other.Key.Step = where, strconv.Itoa(n)
			_, e := r.send(t, other)
			require.Nil(t, e)
		}
		again, e := r.send(t, m)
		require.Nil(t, e)
		require.True(t, again.Found)
		require.Equal(t, first.ID, again.ID)
		require.Equal(t, first.Where, again.Where)
		require.Len(t, s.Messages(where), 41)

		// One that may be found later is worth waiting for.
		for _, f := range []notifytest.Fault{
			{Kind: notifytest.FaultRateLimit, RetryAfter: "60"}, {Kind: notifytest.FaultDrop}, {Kind: notifytest.FaultStatus, Status: 503},
		} {
			f.On = []notifytest.Op{notifytest.OpSlackHistory}
			r.faults.Next(f)
			_, e = r.send(t, m)
			require.NotNil(t, e)
			require.True(t, e.Retryable())
			require.NotEqual(t, notify.ClassUnclear, e.Class)
			require.Len(t, s.Messages(where), 41)
		}
	}
	// Where the app may not look, being told twice is better than not at all.
	s.RevokeScope("history")
	m := r.message(notify.KindEscalated)
	m.MaybeSent, m.Key.Step = true, "found/C0QUEUE"
	receipt, e := r.send(t, m)
	require.Nil(t, e)
	require.False(t, receipt.Found)
	require.Len(t, s.Messages("C0QUEUE"), 42)
}

func TestSlackUsersAndBatonUsers(t *testing.T) {
	t.Parallel()
	r, s, _ := slackRig(t, time.Minute)
	c := r.channel.(*slack.Channel)
	for _, u := range []notifytest.SlackUser{
		{ID: "U0BO", Name: "Bo", Email: "bo@msp.example"},
		{ID: "U0UNCONFIRMED", Email: "ana@msp.example", Unconfirmed: true},
		{ID: "U0BOT", Email: "bot@msp.example", Bot: true},
		{ID: "U0STRANGER", Email: "owner@msp.example", Stranger: true},
		{ID: "U0GONE", Email: "gone@msp.example", Deleted: true},
	} {
		s.AddUser(u)
	}
	w, err := c.Workspace(t.Context())
	require.NoError(t, err)
	require.Equal(t, s.Team(), w.TeamID)
	bo, err := c.UserByEmail(t.Context(), "BO@msp.example")
	require.NoError(t, err)
	require.Equal(t, slack.User{ID: "U0BO", TeamID: s.Team(), Name: "Bo", Email: "bo@msp.example", Member: true}, bo)
	for _, id := range []string{"U0UNCONFIRMED", "U0BOT", "U0STRANGER", "U0GONE"} {
		u, err := c.User(t.Context(), id)
		require.NoError(t, err)
		require.False(t, u.Member, id)
	}
	for _, find := range []func() (slack.User, error){
		func() (slack.User, error) { return c.UserByEmail(t.Context(), "nobody@msp.example") },
		func() (slack.User, error) { return c.User(t.Context(), "U0NOBODY") },
	} {
		_, err := find()
		require.Equal(t, notify.ClassRecipientUnknown, notify.ClassOf(err))
	}
}

func TestPressingTheButton(t *testing.T) {
	t.Parallel()
	r, s, base := slackRig(t, time.Minute)
	s.AddUser(notifytest.SlackUser{ID: "U0BO", Name: "Bo", Email: "bo@msp.example"})
	m := r.message(notify.KindEscalated)
	receipt, e := r.send(t, m)
	require.Nil(t, e)

	var seen []slack.Interaction
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(io.LimitReader(req.Body, slack.MaxInteraction+1))
		if err != nil || slack.Verify(req.Header, body, clock(), "previous", secrets.Secret(s.SigningSecret())) != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		i, err := slack.ParseInteraction(body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		seen = append(seen, i)
	}))
	t.Cleanup(app.Close)
	press, err := s.Press(base, receipt.Where, receipt.ID, "U0BO", slack.ActionClaim)
	require.NoError(t, err)
	require.NoError(t, press.Deliver(t.Context(), app.Client(), app.URL))
	require.NoError(t, press.Deliver(t.Context(), app.Client(), app.URL))
	second, err := s.Press(base, receipt.Where, receipt.ID, "U0BO", slack.ActionClaim)
	require.NoError(t, err)
	require.NoError(t, second.Deliver(t.Context(), app.Client(), app.URL))
	require.Len(t, seen, 3)
	require.Equal(t, seen[0].ID(), seen[1].ID())
	require.NotEqual(t, seen[0].ID(), seen[2].ID())
	i := seen[0]
	require.Equal(t, []string{s.Team(), s.Team(), "U0BO", receipt.Where, receipt.ID, slack.ActionClaim}, []string{i.TeamID, i.UserTeamID, i.UserID, i.Channel, i.TS, i.Action})
	value, ok := slack.ParseClaimValue(i.Value)
	require.True(t, ok)
	require.Equal(t, slack.ClaimValue{Account: m.Key.Account, Handoff: m.Key.Handoff, Generation: 2}, value)

	responder, err := slack.NewResponder(client(t, base, time.Minute), clock, base+"/actions/")
	require.NoError(t, err)
	hint, err := slack.Private("Ask an admin to add <you> & your *address*.")
	require.NoError(t, err)
	require.NoError(t, responder.Respond(t.Context(), i.ResponseURL, hint))
	m.Facts.Outcome = notify.Outcome{Verb: models.VerbClaim, By: "Bo Lind"}
	replaced, err := slack.Replace(m)
	require.NoError(t, err)
	require.NoError(t, responder.Respond(t.Context(), i.ResponseURL, replaced))
	messages := s.Messages("C0QUEUE")
	require.Len(t, messages, 2)
	require.Contains(t, string(messages[0].Blocks), "Claimed by Bo Lind.")
	require.Equal(t, "Ask an admin to add &lt;you&gt; &amp; your *address*.", messages[1].Text)
	require.Equal(t, "U0BO", messages[1].Private)
	for range 3 {
		require.NoError(t, responder.Respond(t.Context(), i.ResponseURL, hint))
	}
	require.Equal(t, notify.ClassMisconfigured, notify.ClassOf(responder.Respond(t.Context(), i.ResponseURL, hint))) // five times and no more

	for _, evil := range []string{
		"https://evil.example/actions/1", "http://127.0.0.1:1/actions/1", base + "/api/chat.postMessage", "https://hooks.slack.com@evil.example/", "",
		"file:///etc/passwd", "http://user@" + base[len("http://"):] + "/actions/1",
	} {
		require.Equal(t, notify.ClassForged, notify.ClassOf(responder.Respond(t.Context(), evil, hint)), evil)
	}
	pinned, err := slack.NewResponder(client(t, base, time.Minute), clock, "")
	require.NoError(t, err)
	require.Equal(t, notify.ClassForged, notify.ClassOf(pinned.Respond(t.Context(), i.ResponseURL, hint)))
	require.Equal(t, notify.ClassForged, notify.ClassOf(pinned.Respond(t.Context(), "https://hooks.slack.com.evil.example/actions/1", hint)))
}
