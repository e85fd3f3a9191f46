package slack_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/internal/notify/slack"
	"github.com/baton-handoff/baton/internal/secrets"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// vector is the one that Slack publishes.
func vector(t *testing.T) (h http.Header, body []byte, secret secrets.Secret, at time.Time) {
	t.Helper()
	raw, err := os.ReadFile("testdata/signature_vector.json")
	require.NoError(t, err)
	var v map[string]string
	require.NoError(t, json.Unmarshal(raw, &v))
	h = http.Header{}
	h.Set(slack.HeaderSignature, v["X-Slack-Signature"])
	h.Set(slack.HeaderTimestamp, v["X-Slack-Request-Timestamp"])
	return h, []byte(v["body"]), secrets.Secret(v["signing_secret"]), time.Unix(1531420618, 0)
}

func TestThePublishedSignature(t *testing.T) {
	t.Parallel()
	h, body, secret, at := vector(t)
	require.NoError(t, slack.Verify(h, body, at, secret))
	require.NoError(t, slack.Verify(h, body, at.Add(5*time.Minute), "", "another", secret))
	require.NoError(t, slack.Verify(h, body, at.Add(-5*time.Minute), secret))
	forged := func(name string, err error) {
		require.Equal(t, notify.ClassForged, notify.ClassOf(err), name)
	}
	forged("old", slack.Verify(h, body, at.Add(5*time.Minute+time.Second), secret))
	forged("ahead", slack.Verify(h, body, at.Add(-5*time.Minute-time.Second), secret))
	forged("secret", slack.Verify(h, body, at, secret+"x"))
	forged("no secret", slack.Verify(h, body, at))
	forged("empty secret", slack.Verify(h, body, at, ""))
	forged("body", slack.Verify(h, append(body, ' '), at, secret))
	for name, change := range map[string]func(http.Header){
		"no signature": func(h http.Header) { h.Del(slack.HeaderSignature) },
		"no timestamp": func(h http.Header) { h.Del(slack.HeaderTimestamp) },
		"timestamp":    func(h http.Header) { h.Set(slack.HeaderTimestamp, "1531420619") },
		"not a number": func(h http.Header) { h.Set(slack.HeaderTimestamp, "now") },
		"negative":     func(h http.Header) { h.Set(slack.HeaderTimestamp, "-1") },
		"version": func(h http.Header) {
			h.Set(slack.HeaderSignature, strings.Replace(h.Get(slack.HeaderSignature), "v0", "v1", 1))
		},
		"cut":   func(h http.Header) { h.Set(slack.HeaderSignature, h.Get(slack.HeaderSignature)[:40]) },
		"empty": func(h http.Header) { h.Set(slack.HeaderSignature, "v0=") },
	} {
		h := h.Clone()
		change(h)
		forged(name, slack.Verify(h, body, at, secret))
	}
}

func form(payload string) []byte { return []byte(url.Values{"payload": {payload}}.Encode()) }

func TestPresses(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/block_actions_payload.json")
	require.NoError(t, err)
	i, err := slack.ParseInteraction(form(string(raw)))
	require.NoError(t, err)
	require.Equal(t, slack.Interaction{
		TeamID: "T1DC2JH3J", UserTeamID: "T1DC2JH3J", UserID: "U2CERLKJA", Channel: "C0123456", TS: "1531420618.000100", Action: "handoff_claim",
		Value: "01J...:claim", ActionTS: "1531420620.123456", ResponseURL: "https://hooks.slack.com/actions/T1DC2JH3J/1/abc",
	}, i)
	_, ok := slack.ParseClaimValue(i.Value)
	require.False(t, ok)
	for name, body := range map[string][]byte{
		"nothing": nil, "no payload": []byte("a=b"), "two": []byte("payload={}&payload={}"), "bad form": []byte("payload=%zz"), "not JSON": form("x"),
		"array": form("[]"), "other type": form(strings.Replace(string(raw), "block_actions", "view_submission", 1)),
		"no button": form(strings.Replace(string(raw), `"type": "button"`, `"type": "users_select"`, 1)),
		"no action": form(`{"type":"block_actions","user":{"id":"U1"},"actions":[]}`),
		"no user":   form(strings.Replace(string(raw), "U2CERLKJA", "", 1)),
		"bad id":    form(strings.Replace(string(raw), "U2CERLKJA", "U1/../x", 1)),
		"huge":      form(strings.Repeat(" ", slack.MaxInteraction) + string(raw)),
	} {
		_, err := slack.ParseInteraction(body)
		require.Equal(t, notify.ClassRejected, notify.ClassOf(err), name)
	}
}

func FuzzParseInteraction(f *testing.F) {
	raw, err := os.ReadFile("testdata/block_actions_payload.json")
	require.NoError(f, err)
	f.Add(string(raw))
	f.Add(`{"type":"block_actions","team":null,"actions":[null]}`)
	f.Fuzz(func(t *testing.T, payload string) {
		i, err := slack.ParseInteraction(form(payload))
		if err != nil {
			require.Equal(t, slack.Interaction{}, i)
			return
		}
		require.NotEmpty(t, i.UserID)
		require.NotEmpty(t, i.ActionTS)
		require.Equal(t, 4, strings.Count(i.ID(), "/"))
		if v, ok := slack.ParseClaimValue(i.Value); ok {
			require.Equal(t, i.Value, v.String())
		}
	})
}
