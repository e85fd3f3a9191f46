package app_test

import (
	"cmp"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/activities"
	apiclient "github.com/baton-handoff/baton/api/client"
	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/internal/notify/notifytest"
	"github.com/baton-handoff/baton/models"
)

const (
	// stormSetting is how many handoffs there are; `make storm` has five hundred.
	stormSetting, smallStorm = "BATON_TEST_STORM", 24
	// inTheAir is how long a message may be under way that was true when its turn
	// came.
	inTheAir = 5 * time.Second
)

// TestNotificationsInAStorm kills workers at random while many handoffs are
// announced and claimed, and the services misbehave. None of what is due is
// lost, nobody is told of what was claimed before its turn, and nobody is told
// twice where the channel gives a way to know.
func TestNotificationsInAStorm(t *testing.T) {
	t.Parallel()
	many, seed := int(setting(stormSetting, smallStorm)), setting(killsSeed, rand.Uint64())
	t.Logf("%s=%d", killsSeed, seed)
	random := rand.New(rand.NewPCG(seed, seed))
	w := newTown(t)
	w.hold = time.Second
	w.connectSlack()
	const signing = "whsec_MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw"
	hook, teams := notifytest.NewWebhook(time.Now, signing), notifytest.NewTeams(time.Now)
	board := w.channel("webhook", map[string]any{"url": w.serve(hook), "secret": signing}, map[string]any{})
	room := w.channel("teams", map[string]any{"url": teams.Address(w.serve(teams))}, map[string]any{})
	w.mail.Faults().Random(seed, 0.1, notifytest.Fault{Kind: notifytest.FaultStatus, Status: 451, On: []notifytest.Op{notifytest.OpMailFrom}}, notifytest.Fault{Kind: notifytest.FaultDrop, On: []notifytest.Op{notifytest.OpMailRcpt}})
	w.slack.Faults().Random(seed, 0.1, notifytest.Fault{Kind: notifytest.FaultCommitThenDrop, On: []notifytest.Op{notifytest.OpSlackPost}}, notifytest.Fault{Kind: notifytest.FaultRateLimit, RetryAfter: "1", On: []notifytest.Op{notifytest.OpSlackPost}})
	hook.Faults().Random(seed, 0.1, notifytest.Fault{Kind: notifytest.FaultCommitThenFail, Status: 502}, notifytest.Fault{Kind: notifytest.FaultStatus, Status: 503})
	teams.Faults().Random(seed, 0.1, notifytest.Fault{Kind: notifytest.FaultDrop}, notifytest.Fault{Kind: notifytest.FaultRateLimit, RetryAfter: "1"})

	// Workers come and go.
	over := make(chan struct{})
	var workers sync.WaitGroup
	var kills atomic.Int32
	for i := range 2 {
		life := rand.New(rand.NewPCG(seed, uint64(i)))
		workers.Go(func() {
			for n := 0; ; n++ {
				cmd, err := w.startWorkerProcess(strconv.Itoa(i) + "." + strconv.Itoa(n))
				if err != nil {
					t.Error(err)
					return
				}
				kills.Add(1)
				if !w.live(cmd, over, time.Duration(5000+life.IntN(15000))*time.Millisecond) {
					return
				}
			}
		})
	}
	acts := w.announcer()
	claimed := map[uuid.UUID]time.Time{}
	var all []*apiclient.Handoff
	began := time.Now()
	for i := range many {
		in := escalation()
		in.Priority = new([]apiclient.Priority{"low", "normal", "critical", "critical"}[random.IntN(4)])
		h, err := w.as(w.sam, w.base).HandOff(t.Context(), uuid.NewString(), w.session(w.base), in)
		require.NoError(t, err)
		_, err = acts.Announce(t.Context(), announcement(h, "storm/"+strconv.Itoa(i),
			activities.Audience{Who: activities.WhoTeam}, activities.Audience{Who: activities.WhoEndpoint, Endpoint: board},
			activities.Audience{Who: activities.WhoEndpoint, Endpoint: room}))
		require.NoError(t, err)
		all = append(all, h)
		if random.IntN(3) == 0 {
			if h := all[random.IntN(len(all))]; claimed[h.ID].IsZero() && w.insist(w.ada, claimURL(w.base, h), nil) != nil {
				claimed[h.ID] = time.Now()
			}
		}
	}
	settled := waitFor(10*time.Minute, func() bool {
		return w.sql(`SELECT count(*) FROM deliveries WHERE state IN ('pending', 'held', 'retrying')`) == 0
	})
	close(over)
	workers.Wait()
	require.True(t, settled, "something is still to be told")
	t.Logf("%d handoffs, %d claimed early, in %s, with %d workers killed", many, len(claimed), time.Since(began).Round(time.Second), kills.Load()-2)

	w.holdStorm(many, claimed, hook, teams)
}

// serve serves a fake, and returns its address.
func (w *town) serve(fake http.Handler) string {
	server := httptest.NewServer(fake)
	w.t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server.URL
}

// channel connects the account to a channel of its own.
func (w *town) channel(kind string, credentials, options map[string]any) uuid.UUID {
	w.t.Helper()
	status, answer := w.call(w.ada, http.MethodPost, w.base+"/api/v1/notifications/channels", map[string]any{
		"kind": kind, "name": kind, "credentials": credentials, "options": options,
	})
	require.Equal(w.t, http.StatusCreated, status, "%v", answer)
	return uuid.MustParse(answer["id"].(string))
}

// handoffPattern finds the handoff that a card links to.
var handoffPattern = regexp.MustCompile(`/handoffs/([0-9a-f-]{36})`)

// live lets a worker live for a while and kills it; it reports whether another
// one is to come.
func (w *town) live(cmd *exec.Cmd, over <-chan struct{}, life time.Duration) (more bool) {
	timer := time.NewTimer(life)
	defer timer.Stop()
	select {
	case <-timer.C:
		more = true
	case <-over:
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	return more
}

// holdStorm compares what was due with what came.
func (w *town) holdStorm(many int, claimed map[uuid.UUID]time.Time, hook *notifytest.Webhook, teams *notifytest.Teams) {
	t := w.t
	t.Helper()
	conn, err := pgx.Connect(t.Context(), w.databaseURL)
	require.NoError(t, err)
	defer func() { _ = conn.Close(t.Context()) }()
	rows, _ := conn.Query(t.Context(), `SELECT * FROM deliveries`)
	deliveries, err := pgx.CollectRows(rows, pgx.RowToStructByName[models.Delivery])
	require.NoError(t, err)
	require.Len(t, deliveries, 5*many, "ana, ben, the admin, the board and the room")

	// What came, by the id that its service knows: how often, and when last.
	came, last := map[string]int{}, map[string]time.Time{}
	note := func(id string, at time.Time) { came[id]++; last[id] = at }
	for _, m := range w.mail.Mails() {
		note(m.MessageID, m.At)
	}
	for _, m := range w.slack.Messages(slackAna) {
		note(m.TS, time.Time{})
	}
	for _, h := range hook.Received() {
		note(h.ID, time.Time{})
	}
	// Teams gives no ids. A card is known by the first handoff that it links to,
	// of which there is one message.
	cards := map[uuid.UUID]string{}
	for _, d := range deliveries {
		if d.Channel == string(notify.ChannelTeams) && d.ProviderID != nil {
			cards[d.HandoffID] = *d.ProviderID
		}
	}
	for _, c := range teams.Cards() {
		about := uuid.MustParse(handoffPattern.FindStringSubmatch(string(c.Body))[1])
		note(cmp.Or(cards[about], "of "+about.String()), c.At)
	}
	messages := map[string]string{} // to their channel
	states, uncertain := map[models.DeliveryState]int{}, 0
	for _, d := range deliveries {
		states[d.State]++
		switch d.State {
		case models.DeliveryDone:
			require.NotNil(t, d.ProviderID)
			require.Positive(t, came[*d.ProviderID], "%s by %s is done and never came", d.Step, d.Channel)
			messages[*d.ProviderID] = d.Channel
			if at, ok := claimed[d.HandoffID]; ok && d.BundleID == nil {
				require.False(t, last[*d.ProviderID].After(at.Add(inTheAir)), "told of what was claimed before")
			}
		case models.DeliverySkipped:
			require.Contains(t, claimed, d.HandoffID, "nobody was told of what still waits")
			if strings.HasPrefix(*d.Reason, "Not sent again") {
				uncertain++
			}
		default:
			t.Errorf("%s by %s: %s %v", d.Step, d.Channel, d.State, d.Reason)
		}
	}
	repeated := map[string]int{}
	for id, n := range came {
		repeated[messages[id]] += n - 1
		if messages[id] == "" { // sent, and nothing of it was kept as done
			repeated["unknown"]++
		}
	}
	t.Logf("deliveries: %v; messages: %d; repeated: %v", states, len(messages), repeated)
	require.Zero(t, repeated["slack"])
	// A mail, and a webhook that fails after it took the message, may come twice
	// with the same id, which is how a receiver tells.
	require.LessOrEqual(t, repeated["email"], max(1, len(deliveries)/1000))
	// Nor can a worker that dies while it posts know what Teams has taken.
	require.LessOrEqual(t, repeated["teams"], max(1, len(deliveries)/1000))
	require.LessOrEqual(t, repeated["unknown"], uncertain, "what came and is not done is said to be uncertain")
}
