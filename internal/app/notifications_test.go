package app_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/activities"
	apiclient "github.com/baton-handoff/baton/api/client"
	"github.com/baton-handoff/baton/internal/app"
	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/internal/notify/notifytest"
	"github.com/baton-handoff/baton/internal/secrets"
	"github.com/baton-handoff/baton/models"
)

// town is what is outside: a mail server, Slack, and a webhook's receiver.
type town struct {
	*baton
	mail  *notifytest.SMTP
	slack *notifytest.Slack
	// slackURL is where Slack is, and base the API.
	slackURL string
	base     string
	app      *app.App
}

// newTown connects an installation to the outside, before its processes start.
func newTown(t *testing.T) *town {
	t.Helper()
	w := &town{baton: newBaton(t), mail: notifytest.NewSMTP(time.Now, notifytest.SMTPOptions{}), slack: notifytest.NewSlack(time.Now)}
	at, err := w.mail.Start("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(w.mail.Close)
	server := httptest.NewServer(w.slack)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	w.slackURL = server.URL
	w.extra = append(
		w.extra, "BATON_SECRET_KEYS="+secrets.NewKey(), "BATON_SMTP_HOST=127.0.0.1", "BATON_SMTP_PORT="+strconv.Itoa(at.(*net.TCPAddr).Port),
		"BATON_SMTP_SECURITY=none", "BATON_SMTP_FROM=Baton <baton@msp.test>", "BATON_SLACK_URL="+server.URL,
		"BATON_NOTIFY_ALLOW_PRIVATE=127.0.0.0/8", "BATON_PUBLIC_URL=http://baton.test",
	)
	w.app, _ = w.start(app.Options{API: true})
	w.base = "http://" + w.app.Addr
	// Whom a handoff is addressed to is told, and nobody else: what comes of it
	// can be counted.
	w.rules(w.base, map[string]any{"claim_within_seconds": 3600, "steps": []map[string]any{{"after_seconds": 0, "to": []map[string]any{{"who": "target"}}}}})
	return w
}

// connectSlack connects the account to Slack, where all of its people are, and
// has ana told there.
func (w *town) connectSlack() {
	w.t.Helper()
	for i, u := range []models.User{w.sam, w.ana, w.ben} {
		w.slack.AddUser(notifytest.SlackUser{ID: slackID(i), Name: u.Name, Email: u.Email})
	}
	w.slack.AddUser(notifytest.SlackUser{ID: "U0MALLORY", Name: "Mallory", Email: "mallory@nowhere.test"})
	status, answer := w.call(w.ada, http.MethodPost, w.base+"/api/v1/notifications/channels", map[string]any{
		"kind": "slack", "name": "Slack", "options": map[string]any{"direct": true},
		"credentials": map[string]any{"token": w.slack.Token(), "signing_secret": w.slack.SigningSecret()},
	})
	require.Equal(w.t, http.StatusCreated, status, "%v", answer)
	w.prefer(w.ana, map[string]any{"channels": []string{"slack"}})
}

func slackID(i int) string { return "U0PERSON" + strconv.Itoa(i) }

const (
	slackAna = "U0PERSON1"
	dmAna    = "D0PERSON1"
)

func (w *town) prefer(u models.User, settings map[string]any) {
	w.t.Helper()
	status, answer := w.call(u, http.MethodPut, w.base+"/api/v1/me/notifications", settings)
	require.Equal(w.t, http.StatusOK, status, "%v", answer)
}

// escalateTo hands a session off to somebody.
func (w *town) escalateTo(u models.User) *apiclient.Handoff {
	w.t.Helper()
	in := escalation()
	in.TargetUserID = &u.ID
	h, err := w.as(w.sam, w.base).HandOff(w.t.Context(), uuid.NewString(), w.session(w.base), in)
	require.NoError(w.t, err)
	return h
}

func (w *town) deliveries(h *apiclient.Handoff) []map[string]any {
	w.t.Helper()
	status, answer := w.call(w.ana, http.MethodGet, handoffURL(w.base, h)+"/deliveries", nil)
	require.Equal(w.t, http.StatusOK, status, "%v", answer)
	var rows []map[string]any
	for _, r := range answer["items"].([]any) {
		rows = append(rows, r.(map[string]any))
	}
	return rows
}

// await waits until the one delivery of a handoff stands somehow.
func (w *town) await(h *apiclient.Handoff, state string) map[string]any {
	w.t.Helper()
	var rows []map[string]any
	ok := waitFor(60*time.Second, func() bool {
		rows = w.deliveries(h)
		return len(rows) == 1 && rows[0]["state"] == state
	})
	require.True(w.t, ok, "not %s: %v", state, rows)
	return rows[0]
}

func (w *town) door(h *apiclient.Handoff) (door any, holder any) {
	w.t.Helper()
	status, answer := w.call(w.ada, http.MethodGet, handoffURL(w.base, h)+"/timeline", nil)
	require.Equal(w.t, http.StatusOK, status)
	items := answer["items"].([]any)
	last := items[len(items)-1].(map[string]any)
	return last["door"], last["holder_name"]
}

var linkPattern = regexp.MustCompile(`http://baton\.test(/claim/[\w-]+)`)

// page asks for the page of a link.
func (w *town) page(method, path string) (int, string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.base+path, nil)
	require.NoError(w.t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(w.t, err)
	defer func() { _ = res.Body.Close() }()
	var b strings.Builder
	_, err = fmt.Fprint(&b, readAll(w.t, res))
	require.NoError(w.t, err)
	require.Contains(w.t, res.Header.Get("Content-Security-Policy"), "default-src 'none'")
	require.Equal(w.t, "no-referrer", res.Header.Get("Referrer-Policy"))
	return res.StatusCode, b.String()
}

func readAll(t *testing.T, res *http.Response) string {
	t.Helper()
	var b strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := res.Body.Read(buf)
		b.Write(buf[:n])
		if err != nil {
			return b.String()
		}
	}
}

// TestTheTargetIsToldByMailAndClaimsByLink is the way from an escalation to a
// claim without Baton's own pages.
func TestTheTargetIsToldByMailAndClaimsByLink(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.worker()
	h := w.escalateTo(w.ana)
	d := w.await(h, "done")
	require.Equal(t, "email", d["channel"])
	require.Equal(t, "target", d["because"])
	mails := w.mail.Mails()
	require.Len(t, mails, 1)
	require.Equal(t, mails[0].MessageID, d["provider_id"])
	require.Equal(t, []string{w.ana.Email}, mails[0].To)
	require.Contains(t, mails[0].Text, "Larch Dental")
	require.Equal(t, 1, w.sql(`SELECT count(*) FROM feed_events WHERE handoff_id = $1 AND data::jsonb -> 'notifications' ->> 'pending' = '1'`, h.ID))
	eventually(t, "the feed says that all is told", func() bool {
		return w.sql(`SELECT count(*) FROM feed_events WHERE handoff_id = $1 AND data::jsonb -> 'notifications' ->> 'done' = '1'`, h.ID) == 1
	})
	status, got := w.call(w.ana, http.MethodGet, handoffURL(w.base, h), nil)
	require.Equal(t, http.StatusOK, status)
	require.EqualValues(t, 1, got["notifications"].(map[string]any)["done"])

	link := linkPattern.FindStringSubmatch(mails[0].Text)
	require.Len(t, link, 2, mails[0].Text)
	for range 3 { // scanners and previews open it, too
		code, body := w.page(http.MethodGet, link[1])
		require.Equal(t, http.StatusOK, code)
		require.Contains(t, body, "as <b>Ana</b>")
	}
	_, got = w.call(w.ana, http.MethodGet, handoffURL(w.base, h), nil)
	require.Equal(t, "queued", got["status"])
	for range 2 {
		code, body := w.page(http.MethodPost, link[1])
		require.Equal(t, http.StatusOK, code, body)
		require.Contains(t, body, "It is yours, Ana")
	}
	door, holder := w.door(h)
	require.Equal(t, "link", door)
	require.Equal(t, "Ana", holder)

	// Released, it is another generation: the link is over.
	w.ask(w.base, w.ana, h, "release", nil)
	code, body := w.page(http.MethodGet, link[1])
	require.Equal(t, http.StatusOK, code)
	require.NotContains(t, body, "<button")
	code, body = w.page(http.MethodPost, link[1])
	require.Equal(t, http.StatusConflict, code)
	require.Contains(t, body, "has since been taken from you again")
	code, body = w.page(http.MethodPost, link[1][:len(link[1])-1]+"x")
	require.Equal(t, http.StatusForbidden, code)
	require.Contains(t, body, "not one of Baton")
}

func TestNobodyIsToldOfWhatIsNotTrueAnyMore(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.worker()
	w.mail.Faults().Set(notifytest.Fault{Kind: notifytest.FaultStatus, Status: 451, On: []notifytest.Op{notifytest.OpMailFrom}})
	h := w.escalateTo(w.ana)
	d := w.await(h, "retrying")
	require.Contains(t, d["reason"], "451")
	require.NotNil(t, d["next_attempt_at"])
	w.ask(w.base, w.ben, h, "claim", nil)
	w.mail.Faults().Clear()
	d = w.await(h, "skipped")
	require.Equal(t, "Not sent: the handoff was claimed before.", d["reason"])
	require.Empty(t, w.mail.Mails())

	// What a person has to mend fails, says so, and can be tried again.
	w.mail.Faults().Set(notifytest.Fault{Kind: notifytest.FaultStatus, Status: 550, Enhanced: "5.1.1", On: []notifytest.Op{notifytest.OpMailRcpt}})
	h = w.escalateTo(w.ana)
	d = w.await(h, "failed")
	require.Contains(t, d["reason"], "does not know the recipient")
	w.mail.Faults().Clear()
	retry := handoffURL(w.base, h) + "/deliveries/" + d["id"].(string) + "/retry"
	status, _ := w.call(w.ben, http.MethodPost, retry, nil)
	require.Equal(t, http.StatusForbidden, status)
	status, answer := w.call(w.sam, http.MethodPost, retry, nil)
	require.Equal(t, http.StatusAccepted, status, "%v", answer)
	w.await(h, "done")
	status, _ = w.call(w.sam, http.MethodPost, retry, nil)
	require.Equal(t, http.StatusConflict, status)
	require.Len(t, w.mail.Mails(), 1)
	status, answer = w.call(w.ada, http.MethodGet, w.base+"/api/v1/reports/deliveries", nil)
	require.Equal(t, http.StatusOK, status)
	require.Len(t, answer["items"], 2)
}

// TestSlacksButtonClaims holds that the button is a door like the others.
func TestSlacksButtonClaims(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.worker()
	w.connectSlack()
	h := w.escalateTo(w.ana)
	w.await(h, "done")
	sent := w.slack.Messages(slackAna)
	require.Len(t, sent, 1)
	address := w.base + "/api/v1/slack/interactions"
	press := func(user string) {
		t.Helper()
		p, err := w.slack.Press(w.slackURL, dmAna, sent[0].TS, user, "baton_claim")
		require.NoError(t, err)
		require.NoError(t, p.Deliver(t.Context(), http.DefaultClient, address))
		require.NoError(t, p.Deliver(t.Context(), http.DefaultClient, address), "redeliveries are harmless")
	}
	private := func(user string) string {
		for _, m := range w.slack.Messages(dmAna) {
			if m.Private == user {
				return m.Text
			}
		}
		return ""
	}
	press("U0MALLORY")
	eventually(t, "a hint", func() bool { return strings.Contains(private("U0MALLORY"), "invite you to Baton") })
	press(slackID(0)) // the sender
	eventually(t, "a refusal in words", func() bool { return strings.Contains(private(slackID(0)), "You escalated this session yourself") })
	press(slackAna)
	eventually(t, "the message says who has it", func() bool {
		m := w.slack.Messages(dmAna)[0]
		return m.Edits > 0 && len(m.Buttons) < 2 && strings.Contains(string(m.Blocks), "Claimed by Ana")
	})
	door, holder := w.door(h)
	require.Equal(t, "slack", door)
	require.Equal(t, "Ana", holder)

	// Whoever is not Slack is turned away.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader("payload=%7B%7D"))
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusBadRequest, res.StatusCode)
	p, err := w.slack.Press(w.slackURL, dmAna, sent[0].TS, slackAna, "baton_open")
	require.NoError(t, err)
	forged := p.Header()
	forged.Set("X-Slack-Signature", "v0="+strings.Repeat("0", 64))
	req, err = http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(string(p.Body)))
	require.NoError(t, err)
	req.Header = forged
	res, err = http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusForbidden, res.StatusCode)
}

// TestSlackIsAnsweredBeforeTheClaimIsDone: it waits for three seconds at most,
// whatever holds the claim up, which then goes on.
func TestSlackIsAnsweredBeforeTheClaimIsDone(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.worker()
	w.connectSlack()
	h := w.escalateTo(w.ana)
	w.await(h, "done")
	sent := w.slack.Messages(slackAna)
	require.Len(t, sent, 1)
	goOn, reached := make(chan struct{}), make(chan struct{}, 1)
	w.slack.Faults().Next(notifytest.Fault{Kind: notifytest.FaultSlow, Until: goOn, Reached: reached, On: []notifytest.Op{notifytest.OpSlackUser}})
	p, err := w.slack.Press(w.slackURL, dmAna, sent[0].TS, slackAna, "baton_claim")
	require.NoError(t, err)
	require.NoError(t, p.Deliver(t.Context(), http.DefaultClient, w.base+"/api/v1/slack/interactions"))
	<-reached
	_, got := w.call(w.ana, http.MethodGet, handoffURL(w.base, h), nil)
	require.Equal(t, "queued", got["status"])
	close(goOn)
	eventually(t, "the claim is done", func() bool {
		door, holder := w.door(h)
		return door == "slack" && holder == "Ana"
	})
}

// TestQuestionsAndAnswersAreTold: the sender that they are asked, and who asked
// that there is an answer, before anybody else. Meanwhile nobody is called.
func TestQuestionsAndAnswersAreTold(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.worker()
	h := w.escalateTo(w.ana)
	w.await(h, "done")
	w.ask(w.base, w.ana, h, "claim", nil)
	w.ask(w.base, w.ana, h, "return", map[string]any{"questions": "Which firmware did it have?"})
	told := func(kind string) map[string]any {
		t.Helper()
		var found map[string]any
		eventually(t, kind, func() bool {
			for _, d := range w.deliveries(h) {
				if d["kind"] == kind && d["state"] == "done" {
					found = d
				}
			}
			return found != nil
		})
		return found
	}
	d := told("returned")
	require.Equal(t, "sender", d["because"])
	require.Equal(t, "Sam", d["user_name"])
	mails := w.mail.Mails()
	require.Contains(t, mails[len(mails)-1].Text, "Which firmware did it have?")
	doc := w.awaitLadder(w.base, h, "paused", stands("paused", ""))
	require.Contains(t, doc["reason"], "Nobody is called before it is back in the queue.")

	w.ask(w.base, w.sam, h, "answer", map[string]any{"answer": "7.2.4"})
	d = told("answered")
	require.Equal(t, "target", d["because"])
	require.Equal(t, "Ana", d["user_name"])
	mails = w.mail.Mails()
	require.Contains(t, mails[len(mails)-1].Text, "7.2.4")
	_, got := w.call(w.ana, http.MethodGet, handoffURL(w.base, h), nil)
	w.awaitLadder(w.base, h, "calling the others when it is reserved no more", func(doc map[string]any) bool {
		return doc["state"] == "calling" && doc["next_at"] == got["reserved_until"]
	})
}

// TestTheDoorsHaveOneWinner lets Slack, a link and the API race.
func TestTheDoorsHaveOneWinner(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.worker()
	w.connectSlack()
	acts := w.announcer()
	for range 5 {
		h := w.handOff(w.base)
		_, err := acts.Announce(t.Context(), announcement(h, "race", activities.Audience{Who: activities.WhoTeam}))
		require.NoError(t, err)
		eventually(t, "all are told", func() bool {
			rows := w.deliveries(h)
			return len(rows) == 3 && rows[0]["state"] == "done" && rows[1]["state"] == "done" && rows[2]["state"] == "done"
		})
		var link string
		for _, m := range w.mail.Mails() {
			if m.To[0] == w.ben.Email {
				link = linkPattern.FindStringSubmatch(m.Text)[1]
			}
		}
		messages := w.slack.Messages(dmAna)
		p, err := w.slack.Press(w.slackURL, dmAna, lastClaimable(messages).TS, slackAna, "baton_claim")
		require.NoError(t, err)
		var wg sync.WaitGroup
		var won atomic.Int32
		wg.Go(func() { _ = p.Deliver(t.Context(), http.DefaultClient, w.base+"/api/v1/slack/interactions") })
		wg.Go(func() {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.base+link, nil)
			if err != nil {
				return
			}
			if res, err := http.DefaultClient.Do(req); err == nil {
				_ = res.Body.Close()
				if res.StatusCode == http.StatusOK {
					won.Add(1)
				}
			}
		})
		wg.Go(func() {
			if status, _, err := w.tryCall(w.ada, http.MethodPost, claimURL(w.base, h), nil); err == nil && status == http.StatusOK {
				won.Add(1)
			}
		})
		wg.Wait()
		door, _ := w.door(h)
		if door == "slack" {
			won.Add(1)
		}
		require.EqualValues(t, 1, won.Load())
		require.Equal(t, 1, w.sql(`SELECT count(*) FROM handoff_transitions WHERE handoff_id = $1 AND verb = 'claim'`, h.ID))
	}
}

func lastClaimable(messages []notifytest.SlackMessage) (last notifytest.SlackMessage) {
	for _, m := range messages {
		if m.Buttons["baton_claim"] != "" {
			last = m
		}
	}
	return last
}

// announcer announces as a workflow's activity would.
func (w *town) announcer() *activities.Activities {
	return activities.New(activities.Options{
		Records: w.app.Store, Log: quiet(),
		Notifying: activities.Notifying{Records: w.app.Store, Channels: w.app.Channels, Recipients: w.app.Engine},
	})
}

func announcement(h *apiclient.Handoff, step string, to ...activities.Audience) activities.Announcement {
	return activities.Announcement{
		AccountID: h.AccountID, SessionID: h.SessionID, HandoffID: h.ID, Generation: 1, Version: 1, Step: step, Kind: notify.KindEscalated, To: to,
	}
}

// TestAWorkerThatDiesWhileItSends holds that somebody is told once all the same,
// where the channel lets Baton find out.
func TestAWorkerThatDiesWhileItSends(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	kill := w.workerProcess()
	w.connectSlack()
	reached := make(chan struct{}, 1)
	w.slack.Faults().Next(notifytest.Fault{Kind: notifytest.FaultCommitThenDrop, On: []notifytest.Op{notifytest.OpSlackPost}, Reached: reached})
	// The first attempt posts and never hears of it; its worker is killed then.
	h := w.escalateTo(w.ana)
	<-reached
	kill()
	w.worker()
	w.await(h, "done")
	require.Len(t, w.slack.Messages(slackAna), 1)
}

// TestPeopleSayHowTheyAreTold: over which channels, by priority, and not at
// night; what is held back says until when, and a change of mind holds at once.
func TestPeopleSayHowTheyAreTold(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.worker()
	w.connectSlack()
	escalate := func(priority apiclient.Priority) *apiclient.Handoff {
		in := escalation()
		in.TargetUserID, in.Priority = &w.ana.ID, &priority
		h, err := w.as(w.sam, w.base).HandOff(t.Context(), uuid.NewString(), w.session(w.base), in)
		require.NoError(t, err)
		return h
	}
	// It is night for an hour yet, wherever the clocks stand.
	now := time.Now().UTC()
	night := map[string]any{"from": now.Add(-time.Hour).Format("15:04"), "to": now.Add(time.Hour).Format("15:04")}
	w.prefer(w.ana, map[string]any{
		"channels": []string{"slack"}, "priorities": map[string]any{"low": []string{}, "critical": []string{"slack", "email"}}, "quiet": night,
	})

	urgent := escalate("critical")
	eventually(t, "what is critical is told at once, over both", func() bool {
		rows := w.deliveries(urgent)
		return len(rows) == 2 && rows[0]["state"] == "done" && rows[1]["state"] == "done"
	})
	require.Len(t, w.mail.Mails(), 1)
	require.Len(t, w.slack.Messages(slackAna), 1)

	low := escalate("low")
	w.awaitLadder(w.base, low, "called", stands("spent", ""))
	require.Empty(t, w.deliveries(low), "low is for Baton alone")

	h := escalate("normal")
	d := w.await(h, "held")
	require.Equal(t, "slack", d["channel"])
	require.Contains(t, d["reason"], "quiet hours")
	until, err := time.Parse(time.RFC3339, d["held_until"].(string))
	require.NoError(t, err)
	require.Equal(t, night["to"], until.Format("15:04"), "held back until the night is over")
	_, got := w.call(w.ana, http.MethodGet, handoffURL(w.base, h), nil)
	require.EqualValues(t, 1, got["notifications"].(map[string]any)["held"], "never in silence")

	w.prefer(w.ana, map[string]any{"channels": []string{"slack"}})
	w.await(h, "done")
	require.Len(t, w.slack.Messages(slackAna), 2)
}

// TestATeamsCardClaimsByLink: one that goes to a single person has a link that
// claims for them.
func TestATeamsCardClaimsByLink(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.worker()
	teams := notifytest.NewTeams(time.Now)
	w.channel("teams", map[string]any{"url": teams.Address(w.serve(teams))}, map[string]any{"user_id": w.ana.ID})
	w.prefer(w.ana, map[string]any{"channels": []string{"teams"}})
	h := w.escalateTo(w.ana)
	d := w.await(h, "done")
	require.Equal(t, "teams", d["channel"])
	cards := teams.Cards()
	require.Len(t, cards, 1)
	link := linkPattern.FindStringSubmatch(cards[0].Links["Claim"])
	require.Len(t, link, 2, "%v", cards[0].Links)
	code, _ := w.page(http.MethodGet, link[1])
	require.Equal(t, http.StatusOK, code)
	_, got := w.call(w.ana, http.MethodGet, handoffURL(w.base, h), nil)
	require.Equal(t, "queued", got["status"], "opening it changes nothing")
	code, body := w.page(http.MethodPost, link[1])
	require.Equal(t, http.StatusOK, code, body)
	door, holder := w.door(h)
	require.Equal(t, "link", door)
	require.Equal(t, "Ana", holder)
}

// TestAWebhooksLastAnswersAreShown: to admins, with what each was; one that wants
// no more is switched off, and says so.
func TestAWebhooksLastAnswersAreShown(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.worker()
	const signing = "whsec_MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw"
	hook := notifytest.NewWebhook(time.Now, signing)
	board := w.channel("webhook", map[string]any{"url": w.serve(hook), "secret": signing}, map[string]any{})
	channel := w.base + "/api/v1/notifications/channels/" + board.String()
	w.rules(w.base, map[string]any{"steps": []map[string]any{{"after_seconds": 0, "to": []map[string]any{{"who": "endpoint", "endpoint_id": board}}}}})
	answers := func(state string) map[string]any {
		t.Helper()
		var newest map[string]any
		require.True(t, waitFor(60*time.Second, func() bool {
			status, answer := w.call(w.ada, http.MethodGet, channel+"/deliveries", nil)
			require.Equal(t, http.StatusOK, status, "%v", answer)
			items := answer["items"].([]any)
			if len(items) > 0 {
				newest = items[0].(map[string]any)
			}
			return newest["state"] == state
		}), "not %s: %v", state, newest)
		return newest
	}
	hook.Faults().Set(notifytest.Fault{Kind: notifytest.FaultStatus, Status: http.StatusServiceUnavailable})
	h := w.handOff(w.base)
	d := answers("retrying")
	require.EqualValues(t, 503, d["answer"])
	require.Equal(t, h.ID.String(), d["handoff_id"])
	require.NotNil(t, d["next_attempt_at"])
	hook.Faults().Set()
	d = answers("done")
	require.EqualValues(t, 204, d["answer"])
	require.Greater(t, d["attempts"], 1.0)

	hook.Faults().Set(notifytest.Fault{Kind: notifytest.FaultStatus, Status: http.StatusGone})
	w.handOff(w.base)
	require.EqualValues(t, 410, answers("failed")["answer"])
	_, got := w.call(w.ada, http.MethodGet, channel, nil)
	require.Equal(t, "disabled", got["state"])
	status, _ := w.call(w.ana, http.MethodGet, channel+"/deliveries", nil)
	require.Equal(t, http.StatusForbidden, status)
	status, _ = w.call(w.ada, http.MethodGet, w.base+"/api/v1/notifications/channels/"+uuid.NewString()+"/deliveries", nil)
	require.Equal(t, http.StatusNotFound, status)
}

// TestAStormIsBundled holds that many handoffs at once are a few messages and
// one that counts the rest, and that nothing is held back in silence.
func TestAStormIsBundled(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	_, _ = w.start(app.Options{Worker: true, Limits: activities.Limits{Singles: 3, Hold: 4 * time.Second}})
	const many = 20
	var all []*apiclient.Handoff
	for range many {
		all = append(all, w.escalateTo(w.ana))
	}
	eventually(t, "some are held back until a time", func() bool {
		return w.sql(`SELECT count(*) FROM deliveries WHERE state = 'held' AND held_until IS NOT NULL AND reason IS NOT NULL`) > 0
	})
	eventually(t, "all are told", func() bool { return w.sql(`SELECT count(*) FROM deliveries WHERE state = 'done'`) == many })
	bundled := w.sql(`SELECT count(*) FROM deliveries WHERE bundle_id IS NOT NULL`)
	bundles := w.sql(`SELECT count(DISTINCT bundle_id) FROM deliveries`)
	require.Positive(t, bundles)
	mails := w.mail.Mails()
	require.Len(t, mails, many-bundled+bundles)
	require.Less(t, len(mails), many/2+1)
	told := 0
	for _, m := range mails {
		if n := regexp.MustCompile(`(\d+) handoffs`).FindStringSubmatch(m.Subject); n != nil {
			count, err := strconv.Atoi(n[1])
			require.NoError(t, err)
			told += count
		} else {
			told++
		}
	}
	require.Equal(t, many, told, "the bundles count what they tell of")
	require.NotNil(t, w.await(all[0], "done"))
}
