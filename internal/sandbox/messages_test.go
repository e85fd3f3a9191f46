package sandbox_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/internal/notify/email"
	"github.com/baton-handoff/baton/internal/notify/notifytest"
	"github.com/baton-handoff/baton/internal/notify/slack"
	"github.com/baton-handoff/baton/internal/outbound"
	"github.com/baton-handoff/baton/internal/sandbox"
	"github.com/baton-handoff/baton/internal/secrets"
)

// TestThePagesShowMessagesAndPressButtons sends what Baton would send, and
// looks at it as somebody who tries Baton does.
func TestThePagesShowMessagesAndPressButtons(t *testing.T) {
	t.Parallel()
	pressed := make(chan string, 1)
	baton := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		pressed <- r.PostFormValue("payload")
	}))
	defer baton.Close()
	m, err := sandbox.StartMessages(t.Context(), []sandbox.Member{{Name: "Ana", Email: "ana@demo.test"}}, baton.URL, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer m.Stop()
	environ := map[string]string{}
	for _, v := range m.Environ() {
		name, value, _ := strings.Cut(v, "=")
		environ[name] = value
	}
	at, err := netip.ParseAddrPort(environ["BATON_SMTP_HOST"] + ":" + environ["BATON_SMTP_PORT"])
	require.NoError(t, err)
	mail, err := email.New(email.Config{
		Host: environ["BATON_SMTP_HOST"], Port: at.Port(), Security: email.SecurityNone, From: environ["BATON_SMTP_FROM"],
		Network: notify.Network{Allow: outbound.Loopback()},
	})
	require.NoError(t, err)
	msg := notifytest.Sample(notify.KindEscalated)
	msg.At, msg.Key.Handoff = time.Now(), uuid.New()
	msg.Facts.Problem = "Outlook <stuck>"
	msg.To = notify.Recipient{Name: "Ana", Address: "ana@demo.test"}
	_, err = mail.Send(t.Context(), msg)
	require.NoError(t, err)

	do := func(serve http.HandlerFunc, method, path, form string, header ...string) (int, string) {
		req := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(form))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		rec := httptest.NewRecorder()
		serve(rec, req)
		return rec.Code, rec.Body.String()
	}
	code, body := do(m.ServeMail, http.MethodGet, sandbox.MailPath, "")
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, body, "Outlook &lt;stuck&gt;")
	require.NotContains(t, body, "<stuck>")
	code, _ = do(m.ServeMail, http.MethodPost, sandbox.MailPath, "away=yes")
	require.Equal(t, http.StatusSeeOther, code)
	_, err = mail.Send(t.Context(), msg)
	require.Equal(t, notify.ClassTemporary, notify.ClassOf(err))

	token, _ := m.SlackCredentials()
	u, err := url.Parse(environ["BATON_SLACK_URL"])
	require.NoError(t, err)
	port, err := netip.ParseAddrPort(u.Host)
	require.NoError(t, err)
	client, err := outbound.New(outbound.Options{Allow: outbound.Loopback(), Ports: []uint16{port.Port()}})
	require.NoError(t, err)
	defer client.Close()
	workspace, err := slack.New(slack.Config{Token: secrets.Secret(token), APIURL: u.String() + "/api/"}, client, time.Now)
	require.NoError(t, err)
	ana, err := workspace.UserByEmail(t.Context(), "ana@demo.test")
	require.NoError(t, err)
	msg.To.Address, msg.Key.Channel = ana.ID, notify.ChannelSlack
	_, err = workspace.Send(t.Context(), msg)
	require.NoError(t, err)
	code, body = do(m.ServeSlack, http.MethodGet, sandbox.SlackPath, "")
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, body, "Outlook")
	button := regexp.MustCompile(`(?s)name="where" value="(\w+)".*name="press" value="([\d.]+)"`).FindStringSubmatch(body)
	require.Len(t, button, 3, body)
	form := url.Values{"where": {button[1]}, "press": {button[2]}}.Encode()
	code, _ = do(m.ServeSlack, http.MethodPost, sandbox.SlackPath, form, "Sec-Fetch-Site", "cross-site")
	require.Equal(t, http.StatusForbidden, code, "other sites may not")
	code, _ = do(m.ServeSlack, http.MethodPost, sandbox.SlackPath, form)
	require.Equal(t, http.StatusSeeOther, code)
	require.Contains(t, <-pressed, msg.Key.Handoff.String())
	code, _ = do(m.ServeSlack, http.MethodPost, sandbox.SlackPath, "away=yes")
	require.Equal(t, http.StatusSeeOther, code)
	require.Error(t, workspace.Check(t.Context()))
}
