// Package email tells somebody by mail: SMTP (RFC 5321) by go-mail, to one
// recipient at a time.
//
// The Message-ID is made of the message's business key, so mail programs show a
// mail that was sent twice once, and all mails about one handoff hang together
// (RFC 5322, section 3.6.4).
package email

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/mail"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/internal/notify/wire"
	"github.com/baton-handoff/baton/internal/outbound"
	"github.com/baton-handoff/baton/internal/secrets"
)

// Security is how the connection to the mail server is protected.
type Security string

// The securities. The empty one is STARTTLS.
const (
	// SecuritySTARTTLS begins in the clear and refuses to go on without TLS.
	SecuritySTARTTLS Security = "starttls"
	// SecurityTLS is TLS from the first byte (RFC 8314).
	SecurityTLS Security = "tls"
	// SecurityNone is for a mail sink on this machine or a relay in an own
	// network; a password is never sent over it.
	SecurityNone Security = "none"
)

// Config is how mail is sent.
type Config struct {
	Host string
	// Port is 587 for STARTTLS, 465 for TLS and 25 for none when it is zero.
	Port     uint16
	Security Security
	// Username may be empty: then nobody signs in.
	Username string
	Password secrets.Secret
	// From is the sender, such as "Baton <baton@msp.example>". The part after
	// the @ is also that of the Message-IDs: changing it unties threads.
	From string
	// Hello is the name that Baton introduces itself with; empty means that of
	// From's domain.
	Hello   string
	Network notify.Network
	// Timeout bounds each step of the conversation. Zero means 20 seconds.
	Timeout time.Duration
	// TLS is used instead of the system's settings. For tests.
	TLS *tls.Config
}

// Channel sends mail by one server. It keeps no connection.
type Channel struct {
	cfg    Config
	from   *mail.Address
	domain string
	dialer *net.Dialer
}

var (
	_ notify.Channel = (*Channel)(nil)
	_ notify.Checker = (*Channel)(nil)
)

const (
	op             = "sending the mail"
	checking       = "checking the mail server"
	defaultTimeout = 20 * time.Second
)

// New makes the channel. Its error is a [*notify.Error] of class misconfigured.
func New(cfg Config) (*Channel, error) {
	bad := func(format string, args ...any) error {
		return notify.Errorf(notify.ClassMisconfigured, checking, format, args...)
	}
	if cfg.Security == "" {
		cfg.Security = SecuritySTARTTLS
	}
	if cfg.Port == 0 {
		cfg.Port = map[Security]uint16{SecuritySTARTTLS: 587, SecurityTLS: 465, SecurityNone: 25}[cfg.Security]
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = defaultTimeout
	}
	from, err := address(strings.ReplaceAll(cfg.From, `\`, ""))
	switch {
	case cfg.Security != SecuritySTARTTLS && cfg.Security != SecurityTLS && cfg.Security != SecurityNone:
		return nil, bad("The mail server's security is starttls, tls or none.")
	case cfg.Host == "" || strings.ContainsAny(cfg.Host, " \t\r\n/@"):
		return nil, bad("The mail server has no valid host name.")
	case err != nil:
		return nil, bad("The sender is not an address such as \"Baton <baton@example.com>\".")
	case cfg.Security == SecurityNone && cfg.Username != "":
		return nil, bad("The mail server's password would be sent in the clear; use starttls or tls.")
	case (cfg.Username == "") != (cfg.Password == ""):
		return nil, bad("The mail server's user name and password come together.")
	}
	dialer, err := outbound.NewDialer(outbound.Options{Allow: cfg.Network.Allow, Ports: []uint16{cfg.Port}})
	if err != nil {
		return nil, bad("The networks that the mail server may be in are not valid.")
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	if cfg.Hello == "" {
		cfg.Hello = domain
	}
	return &Channel{cfg: cfg, from: from, domain: domain, dialer: dialer}, nil
}

// Name is email.
func (c *Channel) Name() notify.ChannelName { return notify.ChannelEmail }

// Send sends m to the address of its recipient. The receipt's id is the
// Message-ID. A connection that breaks after the whole mail was sent, and before
// the server answered, is the one unclear outcome.
func (c *Channel) Send(ctx context.Context, m notify.Message) (notify.Receipt, error) {
	msg, err := c.mail(m)
	if err != nil {
		return notify.Receipt{}, err
	}
	err = c.converse(ctx, op, func(client *gomail.Client, s *smtp.Client) error {
		err := client.SendWithSMTPClient(s, msg)
		if msg.IsDelivered() {
			return nil // what came after it does not matter
		}
		return err
	})
	if err != nil {
		return notify.Receipt{}, err
	}
	return notify.Receipt{ID: c.MessageID(m.Key), Status: 250}, nil
}

// Check signs in, and sends nothing.
func (c *Channel) Check(ctx context.Context) error {
	return c.converse(ctx, checking, func(*gomail.Client, *smtp.Client) error { return nil })
}

// MessageID is the Message-ID of a key's mail, in angle brackets.
func (c *Channel) MessageID(k notify.Key) string { return "<" + k.ID() + "@" + c.domain + ">" }

// thread is an id that stands for all mails about a handoff. No mail has it:
// mail programs group by it all the same.
func (c *Channel) thread(k notify.Key) string { return "<thread." + k.Thread() + "@" + c.domain + ">" }

// address reads one address, and refuses what could become more than one, or
// another header.
func address(s string) (*mail.Address, error) {
	if strings.ContainsAny(s, "\r\n\x00") || len(s) > 512 {
		return nil, errAddress
	}
	a, err := mail.ParseAddress(strings.TrimSpace(s))
	if err != nil {
		return nil, errAddress
	}
	local, domain, ok := strings.Cut(a.Address, "@")
	if !ok || local == "" || domain == "" || len(local) > 64 || len(domain) > 255 || strings.ContainsAny(a.Address, " \t\"<>(),;:\\") {
		return nil, errAddress
	}
	for _, r := range a.Address {
		if r <= ' ' || r >= 0x7f { // what is not ASCII needs SMTPUTF8, which few servers have
			return nil, errAddress
		}
	}
	return a, nil
}

var errAddress = errors.New("not an address")

// mail writes m.
func (c *Channel) mail(m notify.Message) (*gomail.Msg, error) {
	to, err := address(m.To.Address)
	if err != nil {
		return nil, notify.Errorf(notify.ClassRecipientUnknown, op, "The recipient has no valid mail address.").
			WithCure("Correct it where the recipient's address comes from.")
	}
	// net/mail puts a backslash into an encoded word, where RFC 2047, section
	// 5.3, allows none, and other programs then find no address at all.
	to.Name = notify.Line(strings.NewReplacer(`\`, "", `"`, "").Replace(m.To.Name), maxDisplayName)
	content := m.Content()
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	msg.FromMailAddress(c.from)
	msg.SetAddrHeaderFromMailAddress(gomail.HeaderTo, to)
	msg.Subject(content.Subject)
	msg.SetMessageIDWithValue(strings.Trim(c.MessageID(m.Key), "<>"))
	msg.SetDateWithValue(m.At.UTC())
	thread := c.thread(m.Key)
	msg.SetGenHeader(gomail.HeaderInReplyTo, thread)
	msg.SetGenHeader(gomail.HeaderReferences, thread)
	// RFC 3834: nobody's holiday notice answers.
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetGenHeader("X-Auto-Response-Suppress", "All")
	msg.SetGenHeader("X-Baton-Notification", m.Key.ID())
	msg.SetBodyString(gomail.TypeTextPlain, Text(content))
	msg.AddAlternativeString(gomail.TypeTextHTML, HTML(content))
	return msg, nil
}

const maxDisplayName = 80

// converse connects, signs in, and does what is asked.
func (c *Channel) converse(ctx context.Context, op string, do func(*gomail.Client, *smtp.Client) error) error {
	conns := &tracked{}
	client, err := c.client(conns)
	if err != nil {
		return notify.Errorf(notify.ClassMisconfigured, op, "The mail server's settings cannot be used.").WithCause(err)
	}
	// go-mail heeds the context while it connects only.
	stop := context.AfterFunc(ctx, conns.close)
	defer stop()
	defer conns.close()
	s, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return c.failure(ctx, op, err, stageConnect)
	}
	if err := do(client, s); err != nil {
		return c.failure(ctx, op, err, stageOf(err))
	}
	_ = client.CloseWithSMTPClient(s) // it was said and taken; a server may be gone by now
	return nil
}

func (c *Channel) client(conns *tracked) (*gomail.Client, error) {
	conf := &tls.Config{}
	if c.cfg.TLS != nil {
		conf = c.cfg.TLS.Clone()
	}
	conf.ServerName, conf.MinVersion = c.cfg.Host, tls.VersionTLS12
	options := []gomail.Option{
		gomail.WithPort(int(c.cfg.Port)), gomail.WithTimeout(c.cfg.Timeout), gomail.WithHELO(c.cfg.Hello),
		gomail.WithTLSConfig(conf), gomail.WithoutNoop(),
		gomail.WithDialContextFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := c.dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, &dialError{err}
			}
			conns.add(conn)
			if c.cfg.Security != SecurityTLS {
				return conn, nil
			}
			secure := tls.Client(conn, conf)
			if err := secure.HandshakeContext(ctx); err != nil {
				_ = conn.Close()
				return nil, err
			}
			return secure, nil
		}),
	}
	if c.cfg.Security == SecuritySTARTTLS {
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	} else {
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	}
	if c.cfg.Username != "" {
		options = append(options, gomail.WithUsername(c.cfg.Username), gomail.WithPassword(c.cfg.Password.Reveal()),
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin))
	}
	return gomail.NewClient(c.cfg.Host, options...)
}

// stage is how far a conversation came.
type stage int

const (
	stageConnect stage = iota
	stageSender
	stageRecipient
	stageData
	// stageSent is after the last byte of the mail: it may be delivered.
	stageSent
)

func stageOf(err error) stage {
	e, ok := errors.AsType[*gomail.SendError](err)
	if !ok {
		return stageConnect
	}
	switch e.Reason {
	case gomail.ErrSMTPRcptTo:
		return stageRecipient
	case gomail.ErrSMTPData, gomail.ErrWriteContent:
		return stageData
	case gomail.ErrSMTPDataClose, gomail.ErrSMTPReset:
		return stageSent
	default:
		return stageSender
	}
}

// failure says what a conversation that failed means.
func (c *Channel) failure(ctx context.Context, op string, err error, at stage) *notify.Error {
	code, enhanced := status(err)
	fail := func(class notify.Class, format string, args ...any) *notify.Error {
		e := notify.Errorf(class, op, format, args...).WithCause(err)
		e.Status = code
		return e
	}
	said := strconv.Itoa(code)
	if enhanced != "" {
		said += ", " + enhanced
	}
	switch {
	case code == 0 && at == stageSent:
		return fail(notify.ClassUnclear, "The connection to the mail server broke after the mail was sent; it may have been delivered.")
	case code == 0:
		return c.unreached(ctx, op, err)
	case code < 500:
		return fail(notify.ClassTemporary, "The mail server cannot take the mail now (%s).", said)
	case code == 530 || code == 534 || code == 535 || code == 538 || at == stageConnect && strings.HasPrefix(enhanced, "5.7."):
		return fail(notify.ClassUnauthorized, "The mail server does not accept Baton's user name and password (%s).", said).
			WithCure("Enter new ones in the settings for mail.")
	case at == stageConnect:
		return fail(notify.ClassMisconfigured, "The mail server does not talk to Baton (%s).", said).
			WithCure("Check its host name and port, and whether it lets Baton's address in.")
	case at == stageSender:
		return fail(notify.ClassMisconfigured, "The mail server refuses the sender's address (%s).", said).
			WithCure("Use one that the server may send for, or sign in.")
	case at == stageRecipient && strings.HasPrefix(enhanced, "5.7."):
		return fail(notify.ClassMisconfigured, "The mail server does not pass on mail to the recipient (%s).", said).
			WithCure("Have it relay for Baton, or sign in.")
	case at == stageRecipient && enhanced != "5.2.2" && code != 552:
		return fail(notify.ClassRecipientUnknown, "The mail server does not know the recipient's address (%s).", said).
			WithCure("Correct it where the recipient's address comes from.")
	default:
		return fail(notify.ClassRejected, "The mail server refuses the mail (%s).", said).
			WithCure("Its log says why: policy, size or a filter.")
	}
}

// unreached is the error of a conversation that ended without a word.
func (c *Channel) unreached(ctx context.Context, op string, err error) *notify.Error {
	if ctx.Err() != nil {
		return notify.Errorf(notify.ClassTemporary, op, "Time was up before the mail was sent.").WithCause(context.Cause(ctx))
	}
	if _, ok := errors.AsType[*dialError](err); !ok {
		if text := err.Error(); strings.Contains(text, "does not support STARTTLS") {
			return notify.Errorf(notify.ClassMisconfigured, op, "The mail server offers no STARTTLS.").
				WithCure("Use tls with its port for that, often 465.").WithCause(err)
		} else if strings.Contains(text, "does not support SMTP AUTH") || errors.Is(err, gomail.ErrNoSupportedAuthDiscovered) {
			return notify.Errorf(notify.ClassMisconfigured, op, "The mail server offers no way to sign in that Baton knows.").WithCause(err)
		}
	}
	return wire.Unreached(notify.ChannelEmail, outbound.ErrorOf(err, false), op)
}

// status finds the reply of the server in err.
func status(err error) (code int, enhanced string) {
	if e, ok := errors.AsType[*gomail.SendError](err); ok {
		return e.ErrorCode(), e.EnhancedStatusCode()
	}
	if e, ok := errors.AsType[*textproto.Error](err); ok {
		first, _, _ := strings.Cut(e.Msg, " ")
		if strings.Count(first, ".") == 2 && strings.Trim(first, "0123456789.") == "" {
			enhanced = first
		}
		return e.Code, enhanced
	}
	return 0, ""
}

// dialError is an error of connecting.
type dialError struct{ cause error }

func (e *dialError) Error() string { return e.cause.Error() }
func (e *dialError) Unwrap() error { return e.cause }
