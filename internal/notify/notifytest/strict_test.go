package notifytest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/smtp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/internal/notify/notifytest"
	"github.com/baton-handoff/baton/internal/notify/slack"
	"github.com/baton-handoff/baton/internal/notify/teams"
	"github.com/baton-handoff/baton/internal/notify/webhook"
)

// A fake that takes anything proves nothing: these are mistakes that it must
// find.

func TestTheFakeSlackIsStrict(t *testing.T) {
	t.Parallel()
	raw, err := slack.Replace(notifytest.Sample(notify.KindEscalated))
	require.NoError(t, err)
	var answer struct{ Blocks json.RawMessage }
	require.NoError(t, json.Unmarshal(raw, &answer))
	good := string(answer.Blocks)
	require.NoError(t, notifytest.CheckBlocks(answer.Blocks))
	text := func(kind string, n int) string {
		return fmt.Sprintf(`{"type":"section","text":{"type":%q,"text":%q}}`, kind, strings.Repeat("x", n))
	}
	for name, blocks := range map[string]string{
		"none":           `[]`,
		"not JSON":       `[`,
		"too many":       "[" + strings.Repeat(`{"type":"divider"},`, 50) + text("mrkdwn", 1) + "]",
		"unknown block":  `[{"type":"carousel"}]`,
		"unknown member": strings.Replace(good, `"type":"header"`, `"type":"header","colour":"red"`, 1),
		"long header":    `[{"type":"header","text":{"type":"plain_text","text":"` + strings.Repeat("x", 151) + `"}}]`,
		"header's type":  `[{"type":"header","text":{"type":"mrkdwn","text":"x"}}]`,
		"long section":   "[" + text("mrkdwn", 3001) + "]",
		"empty section":  "[" + text("mrkdwn", 0) + "]",
		"long button":    strings.Replace(good, `"text":"Claim"`, `"text":"`+strings.Repeat("x", 76)+`"`, 1),
		"style":          strings.Replace(good, `"primary"`, `"loud"`, 1),
		"link":           strings.Replace(good, `"https://baton`, `"javascript:baton`, 1),
		"twice":          strings.Replace(good, slack.ActionOpen, slack.ActionClaim, 1),
		"mention":        `[{"type":"section","text":{"type":"mrkdwn","text":"<!channel>"}}]`,
		"entity":         `[{"type":"section","text":{"type":"mrkdwn","text":"R&D"}}]`,
		"emoji":          `[{"type":"section","text":{"type":"mrkdwn","text":"x","emoji":false}}]`,
		"no elements":    `[{"type":"actions","elements":[]}]`,
		"fields":         `[{"type":"section","fields":[` + strings.Repeat(`{"type":"mrkdwn","text":"x"},`, 10) + `{"type":"mrkdwn","text":"x"}]}]`,
	} {
		require.Error(t, notifytest.CheckBlocks([]byte(blocks)), name)
	}
}

func post(t *testing.T, address string, header http.Header, body string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
	require.NoError(t, err)
	for k, v := range header {
		req.Header[k] = v
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport}).Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res.StatusCode
}

func TestTheFakeTeamsIsStrict(t *testing.T) {
	t.Parallel()
	s := notifytest.NewTeams(clock)
	base := serve(t, s)
	raw, err := teams.Body(notifytest.Sample(notify.KindEscalated))
	require.NoError(t, err)
	good, asJSON := string(raw), http.Header{"Content-Type": {"application/json"}}
	require.Equal(t, http.StatusAccepted, post(t, s.Address(base), asJSON, good))
	require.Equal(t, http.StatusUnauthorized, post(t, base+"/workflows/w1?sig=guess", asJSON, good))
	require.Equal(t, http.StatusBadRequest, post(t, s.Address(base), nil, good))
	require.Equal(t, http.StatusRequestEntityTooLarge, post(t, s.Address(base), asJSON, good+strings.Repeat(" ", 28<<10)))
	for _, change := range [][2]string{
		{`"version":"1.4"`, `"version":"1.5"`},
		{`Action.OpenUrl`, `Action.Submit`},
		{`"contentUrl":null,`, ``},
		{`"type":"message"`, `"type":"card"`},
		{`"type":"TextBlock"`, `"type":"Input.Text"`},
		{`"weight":"Bolder"`, `"weight":"bolder"`},
		{`"wrap":true`, `"wrap":true,"color":"red"`},
		{`"type":"FactSet"`, `"type":"FactSet","separator":true`},
		{`https://baton.example/claim`, `javascript:claim`},
		{`"body":[`, `"corpus":[`},
	} {
		require.Contains(t, good, change[0])
		require.Equal(t, http.StatusBadRequest, post(t, s.Address(base), asJSON, strings.Replace(good, change[0], change[1], 1)), change[1])
	}
	require.Len(t, s.Cards(), 1)
}

func TestTheFakeReceiverIsStrict(t *testing.T) {
	t.Parallel()
	s := notifytest.NewWebhook(clock, secret)
	base := serve(t, s)
	body, err := webhook.Body(notifytest.Sample(notify.KindEscalated))
	require.NoError(t, err)
	stamp := fmt.Sprint(clock().Unix())
	header := func(change ...string) http.Header {
		h := http.Header{"Content-Type": {"application/json"}, "Webhook-Id": {"msg_1"}, "Webhook-Timestamp": {stamp}, "Webhook-Signature": {"v1,AAAA"}}
		for i := 0; i < len(change); i += 2 {
			h.Set(change[i], change[i+1])
		}
		return h
	}
	require.Equal(t, http.StatusUnauthorized, post(t, base, header(), string(body)))
	require.Equal(t, http.StatusBadRequest, post(t, base, header("webhook-id", ""), string(body)))
	require.Equal(t, http.StatusBadRequest, post(t, base, header("webhook-timestamp", "1614265330"), string(body)))
	require.Equal(t, http.StatusBadRequest, post(t, base, header("content-type", "text/plain"), string(body)))
	require.Equal(t, http.StatusBadRequest, post(t, base, header(), `{"type":"x"}`))
	require.Equal(t, http.StatusRequestEntityTooLarge, post(t, base, header(), strings.Repeat(" ", 256<<10+1)))
	require.Empty(t, s.Received())
}

func TestTheFakeMailServerIsStrict(t *testing.T) {
	t.Parallel()
	s := notifytest.NewSMTP(clock, notifytest.SMTPOptions{})
	addr, err := s.Start("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(s.Close)
	good := strings.ReplaceAll(strings.TrimLeft(`
From: Baton <baton@msp.example>
To: bo@msp.example
Subject: x
Date: Mon, 23 Nov 2026 14:05:00 +0000
Message-ID: <a@msp.example>
MIME-Version: 1.0
Auto-Submitted: auto-generated
Content-Type: multipart/alternative; boundary=b

--b
Content-Type: text/plain; charset=UTF-8
Content-Transfer-Encoding: quoted-printable

x
--b
Content-Type: text/html; charset=UTF-8
Content-Transfer-Encoding: quoted-printable

<p>x</p>
--b--
`, "\n"), "\n", "\r\n")
	send := func(mail string) error {
		return smtp.SendMail(addr.String(), nil, "baton@msp.example", []string{"bo@msp.example"}, bytes.Clone([]byte(mail)))
	}
	require.NoError(t, send(good))
	for _, change := range [][2]string{
		{"Subject: x\r\n", ""},
		{"Subject: x", "Subject: x\r\nSubject: y"},
		{"Subject: x", "Subject: ж"},
		{"To: bo@msp.example", "To: bo@msp.example, eve@x.example"},
		{"To: bo", "Bcc: eve@x.example\r\nTo: bo"},
		{"<a@msp.example>", "a@msp.example"},
		{"Auto-Submitted: auto-generated\r\n", ""},
		{"Mon, 23", "Noon, 23"},
		{"text/html", "text/calendar"},
		{"UTF-8", "latin1"},
		{"alternative", "mixed"},
		{"quoted-printable", "8bit"},
		{"Subject: x", "Subject: " + strings.Repeat("x", 995)},
	} {
		require.Contains(t, good, change[0])
		require.Error(t, send(strings.Replace(good, change[0], change[1], 1)), change[1])
	}
	require.Len(t, s.Mails(), 1)
}
