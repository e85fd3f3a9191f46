package notifytest_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/internal/notify/email"
	"github.com/baton-handoff/baton/internal/notify/notifytest"
	"github.com/baton-handoff/baton/internal/notify/slack"
	"github.com/baton-handoff/baton/internal/notify/teams"
	"github.com/baton-handoff/baton/internal/notify/webhook"
	"github.com/baton-handoff/baton/internal/outbound"
	"github.com/baton-handoff/baton/internal/secrets"
	"github.com/baton-handoff/baton/models"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a channel with its other end.
type rig struct {
	name    notify.ChannelName
	channel notify.Channel
	faults  *notifytest.Faults
	// post is the operation that delivers.
	post notifytest.Op
	to   string
	// told lists the ids of what was delivered, repeats included.
	told func() []string
}

// message is a sample for the rig.
func (r rig) message(kind notify.Kind) notify.Message {
	m := notifytest.Sample(kind)
	m.Key.Channel, m.To.Address = r.name, r.to
	return m
}

func (r rig) send(t *testing.T, m notify.Message) (notify.Receipt, *notify.Error) {
	t.Helper()
	receipt, err := r.channel.Send(t.Context(), m)
	if err == nil {
		return receipt, nil
	}
	e, ok := errors.AsType[*notify.Error](err)
	require.True(t, ok, "%v", err)
	require.NotEmpty(t, e.Reason)
	var model *models.Error
	require.ErrorAs(t, err, &model)
	for _, text := range []string{e.Error(), model.Error(), e.Cure, model.Message} {
		for _, secret := range []string{"hunter2", "sig=", "xoxb-", "whsec_", "127.0.0.1", "correct horse"} {
			require.NotContains(t, text, secret)
		}
	}
	return receipt, e
}

// clock is a time that stands still: the samples'.
func clock() time.Time { return notifytest.Sample(notify.KindTest).At }

func serve(t *testing.T, h http.Handler) (base string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func client(t *testing.T, base string, timeout time.Duration) *outbound.Client {
	t.Helper()
	at := netip.MustParseAddrPort(strings.TrimPrefix(base, "http://"))
	c, err := outbound.New(outbound.Options{Allow: outbound.Loopback(), Ports: []uint16{at.Port(), 1}, Timeout: timeout})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func slackRig(t *testing.T, timeout time.Duration) (rig, *notifytest.Slack, string) {
	t.Helper()
	s := notifytest.NewSlack(clock)
	s.AddChannel("C0QUEUE")
	base := serve(t, s)
	c, err := slack.New(slack.Config{Token: secrets.Secret(s.Token()), APIURL: base + "/api/"}, client(t, base, timeout), clock)
	require.NoError(t, err)
	return rig{
		name: notify.ChannelSlack, channel: c, faults: s.Faults(), post: notifytest.OpSlackPost, to: "C0QUEUE",
		told: func() (ids []string) {
			for _, m := range s.Messages("C0QUEUE") {
				ids = append(ids, m.TS)
			}
			return ids
		},
	}, s, base
}

func teamsRig(t *testing.T, timeout time.Duration) (rig, *notifytest.Teams) {
	t.Helper()
	s := notifytest.NewTeams(clock)
	base := serve(t, s)
	c, err := teams.New(teams.Config{URL: secrets.Secret(s.Address(base)), PlainHTTP: true}, client(t, base, timeout), clock)
	require.NoError(t, err)
	return rig{
		name: notify.ChannelTeams, channel: c, faults: s.Faults(), post: notifytest.OpTeamsPost,
		told: func() (ids []string) {
			for range s.Cards() {
				ids = append(ids, notify.Key{}.ID())
			}
			return ids
		},
	}, s
}

func webhookRig(t *testing.T, timeout time.Duration) (rig, *notifytest.Webhook) {
	t.Helper()
	s := notifytest.NewWebhook(clock, secret)
	base := serve(t, s)
	c, err := webhook.New(webhook.Config{URL: secrets.Secret(base + "/hook?sig=hunter2"), Secrets: []secrets.Secret{secret}, PlainHTTP: true}, client(t, base, timeout), clock)
	require.NoError(t, err)
	return rig{
		name: notify.ChannelWebhook, channel: c, faults: s.Faults(), post: notifytest.OpWebhookPost,
		told: func() (ids []string) {
			for _, h := range s.Received() {
				ids = append(ids, h.ID)
			}
			return ids
		},
	}, s
}

func certificate(t *testing.T) (server, trusting *tls.Config) {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	defer s.Close()
	pool := s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	return &tls.Config{Certificates: s.TLS.Certificates, MinVersion: tls.VersionTLS12}, &tls.Config{RootCAs: pool}
}

func mailRig(t *testing.T, timeout time.Duration, o notifytest.SMTPOptions, change func(*email.Config)) (rig, *notifytest.SMTP) {
	t.Helper()
	s := notifytest.NewSMTP(clock, o)
	addr, err := s.Start("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(s.Close)
	cfg := email.Config{
		Host: "127.0.0.1", Port: uint16(addr.(*net.TCPAddr).Port), Security: email.SecurityNone, From: "Baton <baton@msp.example>",
		Network: notify.Network{Allow: outbound.Loopback()}, Timeout: timeout,
	}
	if change != nil {
		change(&cfg)
	}
	c, err := email.New(cfg)
	require.NoError(t, err)
	return rig{
		name: notify.ChannelEmail, channel: c, faults: s.Faults(), post: notifytest.OpMailData, to: "bo@msp.example",
		told: func() (ids []string) {
			for _, m := range s.Mails() {
				ids = append(ids, m.MessageID)
			}
			return ids
		},
	}, s
}

func rigs(t *testing.T, timeout time.Duration) []rig {
	t.Helper()
	s, _, _ := slackRig(t, timeout)
	te, _ := teamsRig(t, timeout)
	w, _ := webhookRig(t, timeout)
	e, _ := mailRig(t, timeout, notifytest.SMTPOptions{}, nil)
	return []rig{e, s, te, w}
}

func TestEveryKindIsTakenByEveryService(t *testing.T) {
	t.Parallel()
	for _, r := range rigs(t, time.Minute) {
		for i, kind := range notify.Kinds() {
			receipt, e := r.send(t, r.message(kind))
			require.Nil(t, e, "%s %s: %v", r.name, kind, e)
			require.NotEmpty(t, receipt.ID)
			require.False(t, receipt.Found)
			require.Len(t, r.told(), i+1)
		}
	}
}

func TestFaultsOverHTTP(t *testing.T) {
	t.Parallel()
	cases := []struct {
		fault notifytest.Fault
		class notify.Class
		retry time.Duration
		// told is how many messages are there after the fault.
		told int
	}{
		{notifytest.Fault{Kind: notifytest.FaultDrop}, notify.ClassUnclear, 0, 0},
		{notifytest.Fault{Kind: notifytest.FaultCommitThenDrop}, notify.ClassUnclear, 0, 1},
		{notifytest.Fault{Kind: notifytest.FaultCommitThenFail}, notify.ClassUnclear, 30 * time.Second, 1},
		{notifytest.Fault{Kind: notifytest.FaultCommitThenFail, Status: 500}, notify.ClassUnclear, 0, 1},
		{notifytest.Fault{Kind: notifytest.FaultStatus, Status: 400}, notify.ClassRejected, 0, 0},
		{notifytest.Fault{Kind: notifytest.FaultStatus, Status: 401}, notify.ClassUnauthorized, 0, 0},
		{notifytest.Fault{Kind: notifytest.FaultStatus, Status: 403}, notify.ClassUnauthorized, 0, 0},
		{notifytest.Fault{Kind: notifytest.FaultStatus, Status: 404}, notify.ClassMisconfigured, 0, 0},
		{notifytest.Fault{Kind: notifytest.FaultStatus, Status: 408}, notify.ClassTemporary, 0, 0},
		{notifytest.Fault{Kind: notifytest.FaultStatus, Status: 410}, notify.ClassGone, 0, 0},
		{notifytest.Fault{Kind: notifytest.FaultStatus, Status: 413}, notify.ClassRejected, 0, 0},
		{notifytest.Fault{Kind: notifytest.FaultStatus, Status: 422}, notify.ClassRejected, 0, 0},
		{notifytest.Fault{Kind: notifytest.FaultStatus, Status: 500}, notify.ClassUnclear, 0, 0},
		{notifytest.Fault{Kind: notifytest.FaultStatus, Status: 503}, notify.ClassTemporary, 0, 0},
		{notifytest.Fault{Kind: notifytest.FaultStatus, Status: 504}, notify.ClassUnclear, 30 * time.Second, 0},
		{notifytest.Fault{Kind: notifytest.FaultRateLimit, RetryAfter: "7"}, notify.ClassRateLimited, 7 * time.Second, 0},
		{notifytest.Fault{Kind: notifytest.FaultRateLimit}, notify.ClassRateLimited, 30 * time.Second, 0},
		{notifytest.Fault{Kind: notifytest.FaultRateLimit, RetryAfter: clock().Add(90 * time.Second).Format(http.TimeFormat)}, notify.ClassRateLimited, 90 * time.Second, 0},
		{notifytest.Fault{Kind: notifytest.FaultRateLimit, RetryAfter: "99999999"}, notify.ClassRateLimited, time.Hour, 0},
		{notifytest.Fault{Kind: notifytest.FaultRedirect}, notify.ClassMisconfigured, 0, 0},
	}
	for _, r := range rigs(t, time.Minute)[1:] {
		told := 0
		for _, c := range cases {
			r.faults.Next(c.fault)
			_, e := r.send(t, r.message(notify.KindEscalated))
			require.NotNil(t, e, "%s %+v", r.name, c.fault)
			require.Equal(t, c.class, e.Class, "%s %+v: %v", r.name, c.fault, e)
			require.Equal(t, c.retry, e.RetryAfter, "%s %+v", r.name, c.fault)
			told += c.told
			require.Len(t, r.told(), told, "%s %+v", r.name, c.fault)
		}
	}
}

func TestNoAnswerIsUnclear(t *testing.T) {
	t.Parallel()
	for _, r := range rigs(t, time.Second) {
		r.faults.Next(notifytest.Fault{Kind: notifytest.FaultStall, On: []notifytest.Op{r.post}})
		_, e := r.send(t, r.message(notify.KindEscalated))
		require.NotNil(t, e, r.name)
		require.Equal(t, notify.ClassUnclear, e.Class, "%s: %v", r.name, e)
		require.Empty(t, r.told(), r.name)
	}
}

func TestAContextThatEndsLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	for _, r := range rigs(t, time.Minute) {
		reached := make(chan struct{}, 1)
		r.faults.Next(notifytest.Fault{Kind: notifytest.FaultStall, On: []notifytest.Op{r.post}, Reached: reached})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-reached; cancel() }()
		_, err := r.channel.Send(ctx, r.message(notify.KindEscalated))
		require.Equal(t, notify.ClassUnclear, notify.ClassOf(err), "%s: %v", r.name, err)

		_, err = r.channel.Send(ctx, r.message(notify.KindEscalated)) // over before it began
		require.Equal(t, notify.ClassTemporary, notify.ClassOf(err), "%s: %v", r.name, err)
	}
}

// TestAfterAnUnclearOutcome: the next attempt brings the message where it was
// not, and where it was, its id tells it is the same, or it is found.
func TestAfterAnUnclearOutcome(t *testing.T) {
	t.Parallel()
	for _, r := range rigs(t, time.Minute) {
		for _, committed := range []bool{false, true} {
			before := len(r.told())
			kind := notifytest.FaultDrop
			if committed {
				kind = notifytest.FaultCommitThenDrop
			}
			m := r.message(notify.KindEscalated)
			m.Key.Step = "unclear/" + string(kind)
			r.faults.Next(notifytest.Fault{Kind: kind, On: []notifytest.Op{r.post}})
			_, e := r.send(t, m)
			require.NotNil(t, e)
			require.Equal(t, notify.ClassUnclear, e.Class, "%s: %v", r.name, e)
			require.True(t, e.Retryable())

			m.MaybeSent = true
			receipt, e := r.send(t, m)
			require.Nil(t, e, "%s: %v", r.name, e)
			ids := r.told()[before:]
			switch {
			case !committed:
				require.Len(t, ids, 1, r.name)
			case r.name == notify.ChannelSlack:
				require.Len(t, ids, 1)
				require.True(t, receipt.Found)
				require.Equal(t, ids[0], receipt.ID)
			default:
				require.Len(t, ids, 2, r.name)
				require.Equal(t, ids[0], ids[1], r.name)
			}
		}
	}
}

func TestSlowIsNotAFault(t *testing.T) {
	t.Parallel()
	for _, r := range rigs(t, time.Minute) {
		until, reached := make(chan struct{}), make(chan struct{}, 1)
		go func() { <-reached; close(until) }()
		r.faults.Next(notifytest.Fault{Kind: notifytest.FaultSlow, Until: until, Reached: reached, On: []notifytest.Op{r.post}})
		_, e := r.send(t, r.message(notify.KindEscalated))
		require.Nil(t, e, "%s: %v", r.name, e)
		require.Len(t, r.told(), 1, r.name)
	}
}

func TestPrivateAddressesAreNotCalled(t *testing.T) {
	t.Parallel()
	strict, err := outbound.New(outbound.Options{})
	require.NoError(t, err)
	t.Cleanup(strict.Close)
	s, err := slack.New(slack.Config{Token: "xoxb-1", APIURL: "http://10.0.0.1/api/"}, strict, clock)
	require.NoError(t, err)
	te, err := teams.New(teams.Config{URL: "https://169.254.169.254/"}, strict, clock)
	require.NoError(t, err)
	w, err := webhook.New(webhook.Config{URL: "https://localhost/hook", Secrets: []secrets.Secret{secret}}, strict, clock)
	require.NoError(t, err)
	e, err := email.New(email.Config{Host: "127.0.0.1", From: "baton@msp.example"})
	require.NoError(t, err)
	for _, r := range []rig{
		{name: notify.ChannelSlack, channel: s, to: "C1"},
		{name: notify.ChannelTeams, channel: te},
		{name: notify.ChannelWebhook, channel: w},
		{name: notify.ChannelEmail, channel: e, to: "bo@msp.example"},
	} {
		_, err := r.send(t, r.message(notify.KindTest))
		require.NotNil(t, err, r.name)
		require.Equal(t, notify.ClassMisconfigured, err.Class, "%s: %v", r.name, err)
	}
}
