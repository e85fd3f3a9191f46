package notifytest

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/baton-handoff/baton/internal/fakes"
)

// SMTP is a mail server that keeps what it gets.
type SMTP struct {
	faults Faults
	now    func() time.Time
	o      SMTPOptions
	server *smtp.Server
	done   chan struct{}
	// listener is set by Start.
	listener net.Listener

	mu    sync.Mutex
	mails []Mail
	// refused says why mails were.
	refused []string
}

// SMTPOptions say how a mail server is.
type SMTPOptions struct {
	// TLS, when set, lets it offer STARTTLS, or speak TLS from the first byte
	// with Implicit.
	TLS      *tls.Config
	Implicit bool
	// Username and Password, when set, are demanded.
	Username string
	Password string
	// Unknown are recipients that it does not know.
	Unknown []string
}

// Mail is a mail that was taken.
type Mail struct {
	At time.Time
	// From and To are the envelope's.
	From string
	To   []string
	Raw  []byte
	// Header is the mail's, and Subject, Text and HTML are decoded.
	Header    mail.Header
	MessageID string
	Subject   string
	Text      string
	HTML      string
}

// NewSMTP makes a mail server. [SMTP.Start] starts it.
func NewSMTP(now func() time.Time, o SMTPOptions) *SMTP {
	s := &SMTP{now: now, o: o, done: make(chan struct{})}
	s.server = smtp.NewServer(smtp.BackendFunc(s.session))
	s.server.Domain = "mail.test"
	s.server.MaxMessageBytes = 1 << 20
	s.server.MaxRecipients = 50
	s.server.MaxLineLength = 1000 // RFC 5321, section 4.5.3.1.6
	s.server.ReadTimeout, s.server.WriteTimeout = time.Minute, time.Minute
	s.server.ErrorLog = log.New(io.Discard, "", 0)
	s.server.TLSConfig = o.TLS
	s.server.AllowInsecureAuth = o.TLS == nil
	return s
}

// Start listens on an address such as "127.0.0.1:0", and returns the one it
// got.
func (s *SMTP) Start(address string) (net.Addr, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	at := l.Addr()
	if s.o.Implicit {
		l = tls.NewListener(l, s.o.TLS)
	}
	l = &greeter{l, &s.faults}
	s.listener = l
	go func() {
		defer close(s.done)
		_ = s.server.Serve(l) // ends with Close
	}()
	return at, nil
}

// Close ends it and all its connections.
func (s *SMTP) Close() {
	_ = s.server.Close()
	_ = s.listener.Close() // the server may not have come to know it yet
	<-s.done
}

// greeter turns away who connects when that is to go wrong: after the greeting,
// clients would go on with HELO.
type greeter struct {
	net.Listener
	faults *Faults
}

// Accept waits for a connection that is let in.
func (g *greeter) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		f := pick(g.faults, OpMailConnect)
		switch f.Kind {
		case FaultStatus:
			_ = c.SetDeadline(time.Now().Add(5 * time.Second))
			_, _ = fmt.Fprintf(c, "%d %s hunter2hunter2 says no\r\n", f.Status, f.Enhanced)
		case FaultDrop:
		default:
			return c, nil
		}
		_ = c.Close()
	}
}

// Faults is what goes wrong.
func (s *SMTP) Faults() *Faults { return &s.faults }

// Mails lists what was taken, in order.
func (s *SMTP) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

// Refused says why mails were refused for their form.
func (s *SMTP) Refused() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.refused)
}

// Forget empties the mailbox.
func (s *SMTP) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mails = nil
}

func (s *SMTP) session(c *smtp.Conn) (smtp.Session, error) {
	return &smtpSession{server: s, conn: c, signedIn: s.o.Username == ""}, nil
}

type smtpSession struct {
	server   *SMTP
	conn     *smtp.Conn
	signedIn bool
	from     string
	to       []string
}

var _ smtp.AuthSession = (*smtpSession)(nil)

var errCut = errors.New("the connection was cut")

// fault does what is due before an operation.
func (s *smtpSession) fault(op Op) (Fault, error) {
	f := pick(&s.server.faults, op)
	switch f.Kind {
	case FaultDrop:
		_ = s.conn.Conn().Close()
		return f, errCut
	case FaultStatus:
		return f, &smtp.SMTPError{Code: f.Status, EnhancedCode: enhanced(f), Message: "hunter2hunter2 says no"}
	case FaultSlow:
		fakes.Wait(nil, f.Delay, f.Until)
	case FaultStall:
		_, _ = io.Copy(io.Discard, s.conn.Conn()) // until the client goes
		return f, errCut
	default:
	}
	return f, nil
}

func enhanced(f Fault) smtp.EnhancedCode {
	parts := strings.Split(f.Enhanced, ".")
	if len(parts) != 3 {
		return smtp.NoEnhancedCode
	}
	var code smtp.EnhancedCode
	for i, p := range parts {
		code[i], _ = strconv.Atoi(p)
	}
	return code
}

// AuthMechanisms offers PLAIN when it wants a password.
func (s *smtpSession) AuthMechanisms() []string {
	if s.server.o.Username == "" {
		return nil
	}
	return []string{sasl.Plain}
}

// Auth takes the password.
func (s *smtpSession) Auth(string) (sasl.Server, error) {
	if _, err := s.fault(OpMailAuth); err != nil {
		return nil, err
	}
	return sasl.NewPlainServer(func(_, username, password string) error {
		if username != s.server.o.Username || password != s.server.o.Password {
			return smtp.ErrAuthFailed
		}
		s.signedIn = true
		return nil
	}), nil
}

// Mail takes the sender.
func (s *smtpSession) Mail(from string, _ *smtp.MailOptions) error {
	if !s.signedIn {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "Authentication required"}
	}
	if _, err := s.fault(OpMailFrom); err != nil {
		return err
	}
	s.from = from
	return nil
}

// Rcpt takes a recipient.
func (s *smtpSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if _, err := s.fault(OpMailRcpt); err != nil {
		return err
	}
	if slices.Contains(s.server.o.Unknown, to) {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "No such user here"}
	}
	s.to = append(s.to, to)
	return nil
}

// Data takes the mail.
func (s *smtpSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	f, err := s.fault(OpMailData)
	if err != nil {
		return err
	}
	m := Mail{At: s.server.now(), From: s.from, To: slices.Clone(s.to), Raw: raw}
	if err := m.read(); err != nil {
		s.server.mu.Lock()
		s.server.refused = append(s.server.refused, err.Error())
		s.server.mu.Unlock()
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: err.Error()}
	}
	s.server.mu.Lock()
	s.server.mails = append(s.server.mails, m)
	s.server.mu.Unlock()
	if f.Kind == FaultCommitThenDrop {
		_ = s.conn.Conn().Close()
		return errCut
	}
	return nil
}

// Reset forgets the envelope.
func (s *smtpSession) Reset() { s.from, s.to = "", nil }

// Logout ends the session.
func (s *smtpSession) Logout() error { return nil }

// read parses the mail, and refuses what is not a mail from a machine in two
// forms: see RFC 5322, RFC 2046 and RFC 3834.
func (m *Mail) read() error {
	head, _, ok := bytes.Cut(m.Raw, []byte("\r\n\r\n"))
	if !ok {
		return errors.New("the mail has no body")
	}
	for _, line := range bytes.Split(m.Raw, []byte("\r\n")) {
		if len(line) > 998 || bytes.ContainsAny(line, "\r\n\x00") {
			return errors.New("a line is too long, or holds a control character")
		}
	}
	for _, b := range head {
		if b >= 0x80 || b < ' ' && b != '\r' && b != '\n' && b != '\t' {
			return errors.New("the header is not ASCII")
		}
	}
	msg, err := mail.ReadMessage(bytes.NewReader(m.Raw))
	if err != nil {
		return fmt.Errorf("the mail cannot be read: %w", err)
	}
	m.Header = msg.Header
	for _, name := range []string{"From", "To", "Date", "Subject", "Message-Id", "Mime-Version", "Content-Type"} {
		if len(m.Header[name]) != 1 {
			return fmt.Errorf("the header %s is there %d times", name, len(m.Header[name]))
		}
	}
	for _, name := range []string{"Bcc", "Cc", "Reply-To", "Sender"} {
		if len(m.Header[name]) != 0 {
			return fmt.Errorf("there is a header %s", name)
		}
	}
	if _, err := m.Header.Date(); err != nil {
		return errors.New("the date is none")
	}
	for _, name := range []string{"From", "To"} {
		list, err := m.Header.AddressList(name)
		if err != nil || len(list) != 1 {
			return fmt.Errorf("the header %s is not one address", name)
		}
	}
	m.MessageID = m.Header.Get("Message-Id")
	for _, id := range append(strings.Fields(m.Header.Get("References")), m.MessageID) {
		left, right, _ := strings.Cut(strings.Trim(id, "<>"), "@")
		if "<"+left+"@"+right+">" != id || left == "" || right == "" || strings.ContainsAny(left+right, "<>@ ") {
			return errors.New("a message id is not <left@right>")
		}
	}
	if m.Header.Get("Auto-Submitted") == "" {
		return errors.New("it does not say that a machine wrote it")
	}
	if m.Subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
		return errors.New("the subject cannot be decoded")
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		return errors.New("it is not multipart/alternative")
	}
	return m.parts(multipart.NewReader(msg.Body, params["boundary"]))
}

func (m *Mail) parts(r *multipart.Reader) error {
	var kinds []string
	for {
		part, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("a part cannot be read: %w", err)
		}
		kind, params, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
		if err != nil || !strings.EqualFold(params["charset"], "utf-8") {
			return errors.New("a part is not in UTF-8")
		}
		if part.Header.Get("Content-Transfer-Encoding") != "quoted-printable" {
			return errors.New("a part is not quoted-printable")
		}
		text, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			return errors.New("a part is not quoted-printable")
		}
		kinds = append(kinds, kind)
		switch kind {
		case "text/plain":
			m.Text = string(text)
		case "text/html":
			m.HTML = string(text)
		default:
		}
	}
	if !slices.Equal(kinds, []string{"text/plain", "text/html"}) || m.Text == "" || m.HTML == "" {
		return errors.New("the parts are not a plain text and then a page") // the best one comes last
	}
	return nil
}
