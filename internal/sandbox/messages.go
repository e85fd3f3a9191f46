package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/baton-handoff/baton/internal/notify/notifytest"
)

// Where the pages of [Messages] are served.
const (
	MailPath  = "/sandbox/mail"
	SlackPath = "/sandbox/slack"
)

// Messages are the mail server and the Slack of `baton up`. They keep nothing.
type Messages struct {
	mail     *notifytest.SMTP
	slack    *notifytest.Slack
	mailPort int
	slackURL string
	server   *http.Server
	people   map[string]string // names by Slack's ids of conversations
	claimant map[string]string // user ids by the same
	// interactions is where Baton takes presses of buttons.
	interactions string
}

// Member is somebody who is in the Slack of the sandbox.
type Member struct{ Name, Email string }

// StartMessages serves both on free ports of this machine. Interactions is
// where Baton takes presses of buttons.
func StartMessages(ctx context.Context, members []Member, interactions string, log *slog.Logger) (*Messages, error) {
	m := &Messages{
		mail: notifytest.NewSMTP(time.Now, notifytest.SMTPOptions{}), slack: notifytest.NewSlack(time.Now),
		people: map[string]string{}, claimant: map[string]string{}, interactions: interactions,
	}
	for i, p := range members {
		id := "U0SANDBOX" + strconv.Itoa(i)
		m.slack.AddUser(notifytest.SlackUser{ID: id, Name: p.Name, Email: p.Email})
		direct := "D" + strings.TrimPrefix(id, "U")
		m.people[direct], m.claimant[direct] = p.Name, id
	}
	at, err := m.mail.Start("127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the mail sandbox: %w", err)
	}
	if tcp, ok := at.(*net.TCPAddr); ok {
		m.mailPort = tcp.Port
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		m.mail.Close()
		return nil, fmt.Errorf("starting the Slack sandbox: %w", err)
	}
	m.slackURL = "http://" + listener.Addr().String()
	m.server = &http.Server{Handler: m.slack, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	go func() { _ = m.server.Serve(listener) }() // ends with Stop
	return m, nil
}

// Stop ends both.
func (m *Messages) Stop() {
	m.mail.Close()
	_ = m.server.Close()
}

// Environ are the settings by which Baton uses both.
func (m *Messages) Environ() []string {
	return []string{
		"BATON_SMTP_HOST=127.0.0.1", "BATON_SMTP_PORT=" + strconv.Itoa(m.mailPort), "BATON_SMTP_SECURITY=none",
		"BATON_SMTP_FROM=Baton <baton@demo.test>", "BATON_SLACK_URL=" + m.slackURL,
	}
}

// SlackCredentials are those of the app in the sandbox's workspace.
func (m *Messages) SlackCredentials() (token, signingSecret string) {
	return m.slack.Token(), m.slack.SigningSecret()
}

// mailView is a mail with its links apart, so that they can be opened.
type mailView struct {
	notifytest.Mail
	Links []string
}

// ServeMail serves the mail server's page, and turns its switch.
func (m *Messages) ServeMail(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		m.turn(w, r, m.mail.Faults(), MailPath, notifytest.Fault{Kind: notifytest.FaultStatus, Status: 451, On: []notifytest.Op{notifytest.OpMailFrom}})
		return
	}
	var mails []mailView
	for _, one := range m.mail.Mails() {
		v := mailView{Mail: one}
		for _, word := range strings.Fields(one.Text) {
			if strings.HasPrefix(word, "http://") || strings.HasPrefix(word, "https://") {
				v.Links = append(v.Links, word)
			}
		}
		mails = append(mails, v)
	}
	slices.Reverse(mails)
	show(w, "mail.html", map[string]any{"Path": MailPath, "Mails": mails, "Away": len(m.mail.Faults().Standing()) > 0})
}

// slackView is a message as the page shows it.
type slackView struct {
	notifytest.SlackMessage
	Lines []string
	Claim bool
}

type conversation struct {
	ID, Name string
	Messages []slackView
}

// ServeSlack serves Slack's page, presses its buttons, and turns its switch.
func (m *Messages) ServeSlack(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		if ts := r.PostFormValue("press"); ts != "" {
			m.press(w, r, r.PostFormValue("where"), ts)
			return
		}
		m.turn(w, r, m.slack.Faults(), SlackPath, notifytest.Fault{Kind: notifytest.FaultStatus, Status: http.StatusServiceUnavailable})
		return
	}
	var all []conversation
	for _, id := range m.slack.Channels() {
		c := conversation{ID: id, Name: m.people[id]}
		for _, msg := range m.slack.Messages(id) {
			c.Messages = append(c.Messages, slackView{msg, lines(msg), msg.Buttons["baton_claim"] != ""})
		}
		slices.Reverse(c.Messages)
		all = append(all, c)
	}
	show(w, "slack.html", map[string]any{"Path": SlackPath, "Conversations": all, "Away": len(m.slack.Faults().Standing()) > 0})
}

// lines are the texts of a message's blocks, without those of its buttons.
func lines(m notifytest.SlackMessage) []string {
	var blocks []struct {
		Text     *struct{ Text string }  `json:"text"`
		Fields   []struct{ Text string } `json:"fields"`
		Elements []json.RawMessage       `json:"elements"`
	}
	if json.Unmarshal(m.Blocks, &blocks) != nil || len(blocks) == 0 {
		return []string{m.Text}
	}
	var all []string
	for _, b := range blocks {
		if b.Text != nil {
			all = append(all, b.Text.Text)
		}
		for _, f := range b.Fields {
			all = append(all, f.Text)
		}
	}
	return all
}

// press presses a message's button, for the person whose conversation it is.
func (m *Messages) press(w http.ResponseWriter, r *http.Request, where, ts string) {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		http.Error(w, "This comes from another site.", http.StatusForbidden)
		return
	}
	p, err := m.slack.Press(m.slackURL, where, ts, m.claimant[where], "baton_claim")
	if err == nil {
		err = p.Deliver(r.Context(), http.DefaultClient, m.interactions)
	}
	if err != nil {
		http.Error(w, "Slack would show a warning: "+err.Error(), http.StatusBadGateway)
		return
	}
	http.Redirect(w, r, SlackPath, http.StatusSeeOther)
}

// turn turns the switch of an outage. Other sites must not.
func (m *Messages) turn(w http.ResponseWriter, r *http.Request, faults *notifytest.Faults, path string, away notifytest.Fault) {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		http.Error(w, "This comes from another site.", http.StatusForbidden)
		return
	}
	if r.PostFormValue("away") == "yes" {
		faults.Set(away)
	} else {
		faults.Set()
	}
	http.Redirect(w, r, path, http.StatusSeeOther)
}
