package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/mail"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/internal/notify/notifytest"
	"github.com/baton-handoff/baton/internal/notify/webhook"
	"github.com/baton-handoff/baton/models"
)

// inbox is where people are told: a mail server, a Slack workspace, and for
// each account a receiver of webhooks. They are strict fakes in this process,
// which Baton reaches through links of their own.
type inbox struct {
	mail   *notifytest.SMTP
	slack  *notifytest.Slack
	hooks  []*notifytest.Webhook // of the accounts, in their order
	server *http.Server
	seed   uint64
	// The links' near ends.
	mailAt, slackAt, hookAt string
	secrets                 []string // of the webhooks
	endpoints               []Endpoint
}

// What the services are called in faults and links.
const (
	mailName  = "mail"
	slackName = "slack"
	hookName  = "webhook"
)

// Endpoint is a channel of an account that can be told itself.
type Endpoint struct {
	ID      uuid.UUID          `json:"id"`
	Account uuid.UUID          `json:"account"`
	Channel notify.ChannelName `json:"channel"`
}

func (s *system) addInbox(ctx context.Context, o Options) error {
	b := &inbox{mail: notifytest.NewSMTP(time.Now, notifytest.SMTPOptions{}), slack: notifytest.NewSlack(time.Now), seed: o.Seed}
	at, err := b.mail.Start("127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("opening the mail server: %w", err)
	}
	s.inbox = b
	mux := http.NewServeMux()
	mux.Handle("/", b.slack)
	for i := range o.Accounts {
		secret := webhook.NewSecret().Reveal()
		s.secrets.keep("the secret of a webhook", secret)
		hook := notifytest.NewWebhook(time.Now, secret)
		b.hooks, b.secrets = append(b.hooks, hook), append(b.secrets, secret)
		mux.Handle(hookPath(i), hook)
	}
	s.secrets.keep("the token of Slack's app", b.slack.Token())
	s.secrets.keep("the signing secret of Slack's app", b.slack.SigningSecret())
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("opening Slack: %w", err)
	}
	b.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = b.server.Serve(listener) }() // ends with stop
	for _, l := range []struct {
		name, to string
		at       *string
	}{{mailName, at.String(), &b.mailAt}, {slackName, listener.Addr().String(), &b.slackAt}, {hookName, listener.Addr().String(), &b.hookAt}} {
		made, err := s.addLink("baton ⇄ "+l.name, l.to)
		if err != nil {
			return err
		}
		*l.at = made.address
	}
	return nil
}

func hookPath(i int) string { return fmt.Sprintf("/hooks/%d", i+1) }

func (b *inbox) stop() error {
	if b == nil {
		return nil
	}
	b.mail.Close()
	if b.server == nil {
		return nil
	}
	return b.server.Close()
}

// publicURL is the address of Baton in messages.
const publicURL = "http://baton.test"

// environ is how processes of Baton reach it.
func (b *inbox) environ() []string {
	host, port, _ := net.SplitHostPort(b.mailAt)
	return []string{
		"BATON_SMTP_HOST=" + host, "BATON_SMTP_PORT=" + port, "BATON_SMTP_SECURITY=none", "BATON_SMTP_FROM=Baton <baton@msp.test>",
		"BATON_SLACK_URL=http://" + b.slackAt, "BATON_NOTIFY_ALLOW_PRIVATE=127.0.0.0/8", "BATON_PUBLIC_URL=" + publicURL,
	}
}

// slackUser is somebody's id in Slack, and slackChannel an account's channel.
func slackUser(p Person) string {
	return "U" + strings.ToUpper(strings.ReplaceAll(p.ID.String(), "-", "")[20:])
}

func slackChannel(account uuid.UUID) string {
	return "C" + strings.ToUpper(strings.ReplaceAll(account.String(), "-", "")[20:])
}

// equip sets up the channels of each account, as its admin would, and lets
// people say how they want to be told.
func (c *crowd) equip(ctx context.Context) error {
	b := c.sys.inbox
	accounts := 0
	for _, p := range c.people {
		b.slack.AddUser(notifytest.SlackUser{ID: slackUser(p), Name: p.Name, Email: p.email})
		if err := c.demand(ctx, p, http.MethodPut, "/api/v1/me/notifications", map[string]any{"channels": p.By}, nil); err != nil {
			return err
		}
		if p.Role != models.RoleAdmin {
			continue
		}
		b.slack.AddChannel(slackChannel(p.Account))
		for _, e := range []struct {
			kind notify.ChannelName
			body map[string]any
		}{
			{notify.ChannelSlack, map[string]any{
				"name": "Slack", "options": map[string]any{"direct": true, "to": slackChannel(p.Account)},
				"credentials": map[string]any{"token": b.slack.Token(), "signing_secret": b.slack.SigningSecret()},
			}},
			{notify.ChannelWebhook, map[string]any{
				"name": "Board", "credentials": map[string]any{"url": "http://" + b.hookAt + hookPath(accounts), "secret": b.secrets[accounts]},
			}},
		} {
			e.body["kind"] = e.kind
			made := Endpoint{Account: p.Account, Channel: e.kind}
			if err := c.demand(ctx, p, http.MethodPost, "/api/v1/notifications/channels", e.body, &made); err != nil {
				return err
			}
			b.endpoints = append(b.endpoints, made)
		}
		accounts++
	}
	return nil
}

// demand makes a request before anything goes wrong, and reads what it answers.
func (c *crowd) demand(ctx context.Context, p Person, method, path string, body map[string]any, into any) error {
	status, answer, err := c.call(ctx, p, 0, method, path, "", body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if status >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: %d %s", method, path, status, answer)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer, into)
}

// outlet is a service by which people are told, and its faults.
type outlet struct {
	faults []*notifytest.Faults
	// sends are the calls that tell somebody something.
	sends []notifytest.Op
}

func (b *inbox) outlet(name string) outlet {
	switch name {
	case mailName:
		return outlet{[]*notifytest.Faults{b.mail.Faults()}, []notifytest.Op{notifytest.OpMailData}}
	case slackName:
		return outlet{[]*notifytest.Faults{b.slack.Faults()}, []notifytest.Op{notifytest.OpSlackPost}}
	}
	o := outlet{sends: []notifytest.Op{notifytest.OpWebhookPost}}
	for _, h := range b.hooks {
		o.faults = append(o.faults, h.Faults())
	}
	return o
}

// jam lets a part of a service's calls go wrong.
func jam(part float64, how ...notifytest.Fault) func(context.Context, *system, string) error {
	return func(_ context.Context, s *system, on string) error {
		for i, f := range s.inbox.outlet(on).faults {
			f.Random(s.inbox.seed+uint64(i), part, how...)
		}
		return nil
	}
}

// jamSends is [jam] for the calls that tell somebody something.
func jamSends(part float64, how notifytest.Fault) func(context.Context, *system, string) error {
	return func(ctx context.Context, s *system, on string) error {
		how.On = s.inbox.outlet(on).sends
		return jam(part, how)(ctx, s, on)
	}
}

func clearJam(_ context.Context, s *system, on string) error {
	for _, f := range s.inbox.outlet(on).faults {
		f.Clear()
	}
	return nil
}

// busySignal is how a service says that it has too much to do.
func busySignal(ctx context.Context, s *system, on string) error {
	if on == mailName {
		return jam(0.6, notifytest.Fault{Kind: notifytest.FaultStatus, Status: 451, Enhanced: "4.7.1", On: []notifytest.Op{notifytest.OpMailFrom, notifytest.OpMailRcpt}})(ctx, s, on)
	}
	return jam(0.6, notifytest.Fault{Kind: notifytest.FaultRateLimit, RetryAfter: "2"})(ctx, s, on)
}

// outOfOrderSign is how a service says that it is broken.
func outOfOrderSign(ctx context.Context, s *system, on string) error {
	if on == mailName {
		return jam(0.6, notifytest.Fault{Kind: notifytest.FaultStatus, Status: 421, Enhanced: "4.3.2"})(ctx, s, on)
	}
	return jam(0.6, notifytest.Fault{Kind: notifytest.FaultStatus, Status: http.StatusInternalServerError}, notifytest.Fault{Kind: notifytest.FaultStatus, Status: http.StatusServiceUnavailable})(ctx, s, on)
}

// Message is one that reached somebody, in whichever way.
type Message struct {
	// Recipient is whose box it came to: a person's id, or that of an endpoint.
	Recipient uuid.UUID          `json:"recipient"`
	Channel   notify.ChannelName `json:"channel"`
	// ID is what its service knows it by, and Mark Baton's name of it, which is
	// the same each time that it is sent.
	ID   string    `json:"id"`
	Mark string    `json:"mark"`
	At   time.Time `json:"at"` // to the second in Slack
	// About are the handoffs that it names.
	About []uuid.UUID `json:"about"`
	// Claims says that it has a button that claims; in Slack alone.
	Claims bool `json:"claims,omitempty"`
}

// pageOf is the address of a handoff in a message.
var pageOf = regexp.MustCompile(publicURL + `/sessions/([0-9a-f-]{36})/handoffs/([0-9a-f-]{36})`)

// handoffsIn are the handoffs that a text names, each once.
func handoffsIn(text string) []uuid.UUID {
	var ids []uuid.UUID
	for _, m := range pageOf.FindAllStringSubmatch(text, -1) {
		if id, err := uuid.Parse(m[2]); err == nil && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// gatherMessages reads all boxes, and what was refused for its form.
func (s *system) gatherMessages(people []Person) (all []Message, refused []string) {
	b := s.inbox
	byMail := map[string]uuid.UUID{}
	for _, p := range people {
		byMail[p.email] = p.ID
		all = append(all, s.gatherSlack(slackUser(p), p.ID)...)
	}
	for _, m := range b.mail.Mails() {
		s.secrets.search("a mail", slices.Concat([]byte(m.Subject), []byte(m.Text), []byte(m.HTML), m.Raw))
		left, _, _ := strings.Cut(strings.Trim(m.MessageID, "<>"), "@")
		for _, to := range m.To {
			all = append(all, Message{Recipient: byMail[addressOf(to)], Channel: notify.ChannelEmail, ID: m.MessageID, Mark: left, At: m.At, About: handoffsIn(m.Text)})
		}
	}
	hooks := 0
	for _, e := range b.endpoints {
		if e.Channel == notify.ChannelSlack {
			all = append(all, s.gatherSlack(slackChannel(e.Account), e.ID)...)
			continue
		}
		for _, h := range b.hooks[hooks].Received() {
			s.secrets.search("a webhook", h.Body)
			all = append(all, Message{
				Recipient: e.ID, Channel: e.Channel, ID: h.ID, Mark: strings.TrimPrefix(h.ID, "msg_"), At: h.At, About: handoffsIn(string(h.Body)),
			})
		}
		hooks++
	}
	slices.SortStableFunc(all, func(a, b Message) int { return a.At.Compare(b.At) })
	return all, b.mail.Refused()
}

func addressOf(to string) string {
	if a, err := mail.ParseAddress(to); err == nil {
		return a.Address
	}
	return to
}

// gatherSlack reads a conversation in Slack, without what answers presses.
func (s *system) gatherSlack(where string, recipient uuid.UUID) (all []Message) {
	for _, m := range s.inbox.slack.Messages(where) {
		s.secrets.search("a message in Slack", slices.Concat([]byte(m.Text), m.Blocks, m.Metadata))
		if m.Private != "" {
			continue
		}
		var meta struct {
			Payload struct {
				Key string `json:"key"`
			} `json:"event_payload"`
		}
		_ = json.Unmarshal(m.Metadata, &meta) // without it, it is a message that Baton does not know
		seconds, _ := strconv.ParseInt(strings.Split(m.TS, ".")[0], 10, 64)
		all = append(all, Message{
			Recipient: recipient, Channel: notify.ChannelSlack, ID: m.TS, Mark: meta.Payload.Key, At: time.Unix(seconds, 0).UTC(),
			About: handoffsIn(string(m.Blocks)), Claims: m.Buttons[claimButton] != "",
		})
	}
	return all
}
