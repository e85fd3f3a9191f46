package notifytest_test

import (
	"net"
	"net/mail"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/internal/notify/email"
	"github.com/baton-handoff/baton/internal/notify/notifytest"
)

func TestFaultsOfMail(t *testing.T) {
	t.Parallel()
	const (
		connect = notifytest.OpMailConnect
		from    = notifytest.OpMailFrom
		rcpt    = notifytest.OpMailRcpt
		data    = notifytest.OpMailData
		auth    = notifytest.OpMailAuth
	)
	cases := []struct {
		op       notifytest.Op
		code     int // zero cuts the connection
		enhanced string
		class    notify.Class
	}{
		{connect, 0, "", notify.ClassTemporary},
		{connect, 421, "4.3.2", notify.ClassTemporary},
		{connect, 554, "5.3.2", notify.ClassMisconfigured},
		{auth, 0, "", notify.ClassTemporary},
		{auth, 454, "4.7.0", notify.ClassTemporary},
		{auth, 535, "5.7.8", notify.ClassUnauthorized},
		{auth, 534, "5.7.9", notify.ClassUnauthorized},
		{from, 0, "", notify.ClassTemporary},
		{from, 451, "4.3.0", notify.ClassTemporary},
		{from, 530, "5.7.0", notify.ClassUnauthorized},
		{from, 550, "5.1.8", notify.ClassMisconfigured},
		{from, 553, "", notify.ClassMisconfigured},
		{rcpt, 0, "", notify.ClassTemporary},
		{rcpt, 450, "4.2.0", notify.ClassTemporary}, // greylisting
		{rcpt, 452, "4.2.2", notify.ClassTemporary},
		{rcpt, 550, "5.1.1", notify.ClassRecipientUnknown},
		{rcpt, 551, "", notify.ClassRecipientUnknown},
		{rcpt, 552, "5.2.2", notify.ClassRejected}, // full
		{rcpt, 550, "5.7.1", notify.ClassMisconfigured},
		{data, 0, "", notify.ClassUnclear},
		{data, 421, "4.3.2", notify.ClassTemporary},
		{data, 451, "", notify.ClassTemporary},
		{data, 552, "5.3.4", notify.ClassRejected},
		{data, 554, "5.7.1", notify.ClassRejected},
	}
	server, trusting := certificate(t)
	r, s := mailRig(t, time.Minute, notifytest.SMTPOptions{TLS: server, Username: "baton", Password: "correct horse"}, func(c *email.Config) {
		c.Security, c.TLS, c.Username, c.Password = email.SecuritySTARTTLS, trusting, "baton", "correct horse"
	})
	for _, c := range cases {
		fault := notifytest.Fault{Kind: notifytest.FaultStatus, On: []notifytest.Op{c.op}, Status: c.code, Enhanced: c.enhanced}
		if c.code == 0 {
			fault.Kind = notifytest.FaultDrop
		}
		r.faults.Next(fault)
		_, e := r.send(t, r.message(notify.KindEscalated))
		require.NotNil(t, e, "%+v", c)
		require.Equal(t, c.class, e.Class, "%+v: %v", c, e)
		require.Equal(t, c.code, e.Status, "%+v: %v", c, e)
		require.Empty(t, s.Mails())
	}
	_, e := r.send(t, r.message(notify.KindEscalated))
	require.Nil(t, e)
}

func TestTheMailServersProtection(t *testing.T) {
	t.Parallel()
	server, trusting := certificate(t)
	signed := notifytest.SMTPOptions{TLS: server, Username: "baton", Password: "correct horse"}
	implicit := signed
	implicit.Implicit = true
	for name, c := range map[string]struct {
		server notifytest.SMTPOptions
		change func(*email.Config)
		want   notify.Class
	}{
		"plain":    {notifytest.SMTPOptions{}, func(*email.Config) {}, ""},
		"starttls": {signed, func(c *email.Config) { c.Username, c.Password = "baton", "correct horse" }, ""},
		"tls": {implicit, func(c *email.Config) {
			c.Security, c.Username, c.Password = email.SecurityTLS, "baton", "correct horse"
		}, ""},
		"wrong password":        {signed, func(c *email.Config) { c.Username, c.Password = "baton", "wrong horse" }, notify.ClassUnauthorized},
		"no password":           {signed, func(*email.Config) {}, notify.ClassUnauthorized},
		"no starttls":           {notifytest.SMTPOptions{}, func(c *email.Config) { c.Security = email.SecuritySTARTTLS }, notify.ClassMisconfigured},
		"no way to sign in":     {notifytest.SMTPOptions{TLS: server}, func(c *email.Config) { c.Username, c.Password = "baton", "correct horse" }, notify.ClassMisconfigured},
		"certificate":           {signed, func(c *email.Config) { c.TLS = nil }, notify.ClassTemporary},
		"certificate, implicit": {implicit, func(c *email.Config) { c.Security, c.TLS = email.SecurityTLS, nil }, notify.ClassTemporary},
	} {
		r, _ := mailRig(t, 5*time.Second, c.server, func(cfg *email.Config) {
			if c.server.TLS != nil {
				cfg.Security, cfg.TLS = email.SecuritySTARTTLS, trusting
			}
			c.change(cfg)
		})
		_, e := r.send(t, r.message(notify.KindEscalated))
		if c.want == "" {
			require.Nil(t, e, "%s: %v", name, e)
			require.NoError(t, r.channel.(notify.Checker).Check(t.Context()), name)
			require.Len(t, r.told(), 1, name)
			continue
		}
		require.NotNil(t, e, name)
		require.Equal(t, c.want, e.Class, "%s: %v", name, e)
		if strings.HasPrefix(name, "certificate") {
			require.Contains(t, e.Reason, "certificate", name)
		}
	}
	// Nobody listens there.
	r, s := mailRig(t, time.Minute, notifytest.SMTPOptions{}, nil)
	s.Close()
	_, e := r.send(t, r.message(notify.KindTest))
	require.Equal(t, notify.ClassTemporary, e.Class)
}

func TestMailsOfAHandoffHangTogether(t *testing.T) {
	t.Parallel()
	r, s := mailRig(t, time.Minute, notifytest.SMTPOptions{Unknown: []string{"gone@msp.example"}}, nil)
	first, later, other := r.message(notify.KindEscalated), r.message(notify.KindWaiting), r.message(notify.KindBundle)
	later.Key.Step, later.Key.Generation = "ladder/2/0", 3
	for _, m := range []notify.Message{first, first, later, other} {
		receipt, e := r.send(t, m)
		require.Nil(t, e)
		require.Equal(t, r.channel.(*email.Channel).MessageID(m.Key), receipt.ID)
	}
	mails := s.Mails()
	require.Equal(t, mails[0].MessageID, mails[1].MessageID)
	require.Equal(t, mails[0].Raw[strings.Index(string(mails[0].Raw), "Message-ID"):][:80], mails[1].Raw[strings.Index(string(mails[1].Raw), "Message-ID"):][:80])
	require.NotEqual(t, mails[0].MessageID, mails[2].MessageID)
	require.Equal(t, mails[0].Header.Get("References"), mails[2].Header.Get("References"))
	require.NotEqual(t, mails[0].Header.Get("References"), mails[3].Header.Get("References"))
	h := mails[0].Header
	require.Equal(t, "auto-generated", h.Get("Auto-Submitted"))
	require.Equal(t, "All", h.Get("X-Auto-Response-Suppress"))
	require.Equal(t, "Mon, 23 Nov 2026 14:05:00 +0000", h.Get("Date"))
	require.Equal(t, "baton@msp.example", mails[0].From)
	require.Equal(t, []string{"bo@msp.example"}, mails[0].To)
	require.Equal(t, "Escalated (critical): Contoso: Mail flow down after the MX change", mails[0].Subject)

	unknown := r.message(notify.KindEscalated)
	unknown.To.Address = "gone@msp.example"
	_, e := r.send(t, unknown)
	require.Equal(t, notify.ClassRecipientUnknown, e.Class)
	require.Equal(t, 550, e.Status)
}

func TestNothingGetsIntoAMailsHeader(t *testing.T) {
	t.Parallel()
	r, s := mailRig(t, time.Minute, notifytest.SMTPOptions{}, nil)
	for _, evil := range []string{
		"x\r\nBcc: eve@evil.example", "x\nBcc: eve@evil.example", "x\rBcc: e@e.example", "x\u2028Bcc: e@e.example", "x\x00y", "=?utf-8?q?=0D=0ABcc:_e?=",
		strings.Repeat("ж", 5000), "\"quoted\" <a@b.c>, d@e.f", "\u202egnp.exe",
	} {
		m := r.message(notify.KindEscalated)
		m.Facts.Client, m.Facts.Problem, m.Facts.Ticket, m.To.Name, m.Key.Step, m.Key.Recipient = evil, evil, evil, evil, evil, evil
		_, e := r.send(t, m)
		require.Nil(t, e, "%q: %v", evil, e)
		mails := s.Mails()
		got := mails[len(mails)-1]
		require.Equal(t, []string{"bo@msp.example"}, got.To)
		to, err := mail.ParseAddress(got.Header.Get("To"))
		require.NoError(t, err)
		require.Equal(t, "bo@msp.example", to.Address)
	}
	before := len(s.Mails())
	for _, address := range []string{
		"", "bo", "bo@", "@msp.example", "bo@msp.example, eve@evil.example", "bo@msp.example\r\nRCPT TO:<eve@evil.example>", "bo@msp.example\nBcc: x@y.z",
		"bø@msp.example", "<bo@msp.example> SIZE=1", "bo@msp.example>", "bo eve@msp.example", "\"bo\r\n\"@msp.example", "bo@msp.example\x00", strings.Repeat("x", 65) + "@msp.example",
	} {
		m := r.message(notify.KindEscalated)
		m.To.Address = address
		_, e := r.send(t, m)
		require.NotNil(t, e, "%q", address)
		require.Equal(t, notify.ClassRecipientUnknown, e.Class, "%q", address)
	}
	require.Len(t, s.Mails(), before)
}

func TestMailSettingsThatCannotWork(t *testing.T) {
	t.Parallel()
	good := email.Config{Host: "mail.example", From: "baton@msp.example"}
	_, err := email.New(good)
	require.NoError(t, err)
	for name, change := range map[string]func(*email.Config){
		"no host":         func(c *email.Config) { c.Host = "" },
		"bad host":        func(c *email.Config) { c.Host = "mail.example\r\nX: y" },
		"no sender":       func(c *email.Config) { c.From = "" },
		"two senders":     func(c *email.Config) { c.From = "a@b.example, c@d.example" },
		"header":          func(c *email.Config) { c.From = "a@b.example\nBcc: c@d.example" },
		"security":        func(c *email.Config) { c.Security = "ssl3" },
		"clear password":  func(c *email.Config) { c.Security, c.Username, c.Password = email.SecurityNone, "u", "p" },
		"half a sign-in":  func(c *email.Config) { c.Username = "u" },
		"all of internet": func(c *email.Config) { c.Network.Allow = append(c.Network.Allow, prefix("0.0.0.0/0")) },
	} {
		c := good
		change(&c)
		_, err := email.New(c)
		require.Equal(t, notify.ClassMisconfigured, notify.ClassOf(err), "%s", name)
	}
}

func TestAServerThatIsNone(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	c, err := email.New(email.Config{
		Host: "127.0.0.1", Port: uint16(l.Addr().(*net.TCPAddr).Port), Security: email.SecurityNone, From: "baton@msp.example",
		Network: notify.Network{Allow: []netip.Prefix{prefix("127.0.0.0/8")}},
	})
	require.NoError(t, err)
	m := notifytest.Sample(notify.KindTest)
	m.To.Address = "bo@msp.example"
	_, err = c.Send(t.Context(), m)
	require.Equal(t, notify.ClassTemporary, notify.ClassOf(err), "%v", err)
}

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }
