package notifytest_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/internal/notify/notifytest"
)

// TestAStormOfFaults: with a third of all calls going wrong in any way, whoever
// retries what is retryable tells everybody, and tells nobody twice where the
// channel gives a way to know.
func TestAStormOfFaults(t *testing.T) {
	t.Parallel()
	const messages = 60
	s, slackEnd, _ := slackRig(t, time.Minute)
	te, teamsEnd := teamsRig(t, time.Minute)
	w, _ := webhookRig(t, time.Minute)
	e, _ := mailRig(t, time.Minute, notifytest.SMTPOptions{}, nil)
	faults := []notifytest.Fault{
		{Kind: notifytest.FaultDrop},
		{Kind: notifytest.FaultCommitThenDrop},
		{Kind: notifytest.FaultCommitThenFail},
		{Kind: notifytest.FaultStatus, Status: 503},
		{Kind: notifytest.FaultStatus, Status: 500},
		{Kind: notifytest.FaultRateLimit, RetryAfter: "1"},
	}
	for i, r := range []rig{s, te, w, e} {
		kinds := faults
		if r.name == notify.ChannelEmail {
			kinds = []notifytest.Fault{{Kind: notifytest.FaultDrop}, {Kind: notifytest.FaultCommitThenDrop}, {Kind: notifytest.FaultStatus, Status: 451}}
		}
		r.faults.Random(uint64(i+1), 0.33, kinds...)
		unclear := 0
		for n := range messages {
			m := r.message(notify.KindEscalated)
			m.Key.Step, m.Facts.Problem = fmt.Sprint("storm/", n), fmt.Sprintf("Problem-%d.", n)
			for attempt := 1; ; attempt++ {
				require.Less(t, attempt, 100)
				_, err := r.send(t, m)
				if err == nil {
					break
				}
				require.True(t, err.Retryable(), "%s: %v", r.name, err)
				if err.Class == notify.ClassUnclear {
					m.MaybeSent = true
					unclear++
				}
			}
		}
		require.Positive(t, unclear, r.name)
		told := map[string]int{}
		switch r.name {
		case notify.ChannelSlack:
			for _, m := range slackEnd.Messages("C0QUEUE") {
				var meta struct {
					Payload map[string]any `json:"event_payload"`
				}
				require.NoError(t, json.Unmarshal(m.Metadata, &meta))
				told[meta.Payload["key"].(string)]++
			}
		case notify.ChannelTeams:
			for _, c := range teamsEnd.Cards() {
				text := strings.Join(c.Texts, " ")
				told[text[strings.Index(text, "Problem-"):][:12]]++
			}
		default:
			for _, id := range r.told() {
				told[id]++
			}
		}
		require.Len(t, told, messages, r.name)
		total := 0
		for id, n := range told {
			total += n
			if r.name == notify.ChannelSlack {
				require.Equal(t, 1, n, id)
			}
		}
		require.LessOrEqual(t, total-messages, unclear, r.name)
	}
}
