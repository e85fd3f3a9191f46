// Package webhook tells a program: a signed POST to an address that an account
// chose, by the Standard Webhooks specification
// (https://www.standardwebhooks.com).
//
// The id of a message, in the header webhook-id, is made of its business key,
// so it is the same for each attempt and a receiver can tell repeats. The body
// is the same too; the timestamp and with it the signature are each attempt's.
package webhook

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/internal/notify/wire"
	"github.com/baton-handoff/baton/internal/outbound"
	"github.com/baton-handoff/baton/internal/secrets"
)

// Config is an endpoint of an account.
type Config struct {
	// URL is where messages are posted to. It may hold a secret in its path.
	URL secrets.Secret
	// Secrets sign, each on its own: the current one, and while it is being
	// rotated the previous. See [NewSecret] for their form.
	Secrets []secrets.Secret
	// PlainHTTP allows http:// besides https://. For tests and the sandbox.
	PlainHTTP bool
}

// Channel posts to one endpoint.
type Channel struct {
	url     string
	signers []*standardwebhooks.Webhook
	call    wire.Caller
	now     func() time.Time
}

var _ notify.Channel = (*Channel)(nil)

const op = "posting the webhook"

// MaxSecrets is how many secrets may sign at once.
const MaxSecrets = 2

// New makes the channel of an endpoint. Its error is a [*notify.Error] of class
// misconfigured.
func New(cfg Config, client *outbound.Client, now func() time.Time) (*Channel, error) {
	bad := func(format string, args ...any) error {
		return notify.Errorf(notify.ClassMisconfigured, op, format, args...)
	}
	u, err := url.Parse(cfg.URL.Reveal())
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, bad("The webhook's address is not one such as https://example.com/hook.")
	case u.Scheme == "http" && !cfg.PlainHTTP:
		return nil, bad("The webhook's address must begin with https://.")
	case u.User != nil:
		return nil, bad("The webhook's address must not hold a user or password; it is the signature that says who calls.")
	case u.Fragment != "":
		return nil, bad("The webhook's address must not hold a fragment.")
	case len(cfg.Secrets) == 0 || len(cfg.Secrets) > MaxSecrets:
		return nil, bad("A webhook has one secret, or two while it is being rotated.")
	}
	c := &Channel{url: u.String(), call: wire.Caller{HTTP: client, Channel: notify.ChannelWebhook, Now: now}, now: now}
	for _, s := range cfg.Secrets {
		key, err := Key(s)
		if err != nil {
			return nil, err
		}
		signer, err := standardwebhooks.NewWebhookRaw(key)
		if err != nil {
			return nil, bad("A webhook's secret cannot be used.")
		}
		c.signers = append(c.signers, signer)
	}
	return c, nil
}

const (
	prefix = "whsec_"
	minKey = 24
	maxKey = 64
)

// NewSecret makes a secret: "whsec_" and the base64 of 32 random bytes.
func NewSecret() secrets.Secret {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return secrets.Secret(prefix + base64.StdEncoding.EncodeToString(key))
}

// Key is the key in a secret, which has 24 to 64 bytes. Its error is a
// [*notify.Error] of class misconfigured.
func Key(s secrets.Secret) ([]byte, error) {
	text, ok := strings.CutPrefix(s.Reveal(), prefix)
	key, err := base64.StdEncoding.Strict().DecodeString(text)
	if !ok || err != nil || len(key) < minKey || len(key) > maxKey {
		return nil, notify.Errorf(notify.ClassMisconfigured, op, "A webhook's secret is whsec_ followed by the base64 of %d to %d bytes.", minKey, maxKey)
	}
	return key, nil
}

// Name is webhook.
func (c *Channel) Name() notify.ChannelName { return notify.ChannelWebhook }

// Send posts m. The receipt's id is the webhook-id. An answer of 410 is an error
// of class gone: the endpoint is to be disabled.
func (c *Channel) Send(ctx context.Context, m notify.Message) (notify.Receipt, error) {
	body, err := Body(m)
	if err != nil {
		return notify.Receipt{}, notify.Errorf(notify.ClassRejected, op, "The message cannot be written as JSON.").WithCause(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return notify.Receipt{}, notify.Errorf(notify.ClassMisconfigured, op, "The webhook's address is not valid.")
	}
	id, at := ID(m.Key), c.now()
	signatures := make([]string, 0, len(c.signers))
	for _, s := range c.signers {
		sig, err := s.Sign(id, at, body)
		if err != nil {
			return notify.Receipt{}, notify.Errorf(notify.ClassMisconfigured, op, "The message could not be signed.").WithCause(err)
		}
		signatures = append(signatures, sig)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(standardwebhooks.HeaderWebhookID, id)
	req.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	req.Header.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	res, err := c.call.Do(req, op, true)
	if err != nil {
		return notify.Receipt{}, err
	}
	return notify.Receipt{ID: id, Status: res.Status}, nil
}

// ID is the webhook-id of a key's message.
func ID(k notify.Key) string { return "msg_" + k.ID() }

// payload is the body, whose form is an API of ours: members are only added.
type payload struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      data      `json:"data"`
}

type data struct {
	AccountID    uuid.UUID `json:"account_id"`
	HandoffID    string    `json:"handoff_id,omitempty"`
	Generation   int       `json:"generation,omitempty"`
	Step         string    `json:"step,omitempty"`
	Summary      string    `json:"summary"`
	Client       string    `json:"client,omitempty"`
	Problem      string    `json:"problem,omitempty"`
	Priority     string    `json:"priority,omitempty"`
	Ticket       string    `json:"ticket,omitempty"`
	From         string    `json:"from,omitempty"`
	Team         string    `json:"team,omitempty"`
	Holder       string    `json:"holder,omitempty"`
	Ask          string    `json:"ask,omitempty"`
	Reason       string    `json:"reason,omitempty"`
	Questions    []string  `json:"questions,omitempty"`
	Answer       string    `json:"answer,omitempty"`
	WaitingSince time.Time `json:"waiting_since,omitzero"`
	Due          time.Time `json:"due,omitzero"`
	Count        int       `json:"count,omitempty"`
	Items        []item    `json:"items,omitempty"`
	URL          string    `json:"url,omitempty"`
}

type item struct {
	Summary string `json:"summary"`
	URL     string `json:"url,omitempty"`
}

// The bounds of texts, in characters.
const (
	maxShort  = 200
	maxLong   = 4000
	maxFields = 20
)

// Body is the JSON that is posted for m: the same for the same m.
func Body(m notify.Message) ([]byte, error) {
	f, c := m.Facts, m.Content()
	d := data{
		AccountID: m.Key.Account, Generation: m.Key.Generation, Step: notify.Line(m.Key.Step, maxShort), Summary: c.Subject,
		Client: notify.Line(f.Client, maxShort), Problem: notify.Line(f.Problem, maxShort), Ticket: notify.Line(f.Ticket, maxShort),
		From: notify.Line(f.From, maxShort), Team: notify.Line(f.Team, maxShort), Holder: notify.Line(f.Holder, maxShort),
		Ask: notify.Text(f.Ask, maxLong), Reason: notify.Text(f.Reason, maxLong), Answer: notify.Text(f.Answer, maxLong),
		WaitingSince: stamp(f.WaitingSince), Due: stamp(f.Due), URL: c.OpenURL,
	}
	if m.Key.Handoff != uuid.Nil {
		d.HandoffID = m.Key.Handoff.String()
	}
	if f.Priority != 0 {
		d.Priority = f.Priority.String()
	}
	for _, q := range f.Questions[:min(len(f.Questions), maxFields)] {
		if q = notify.Text(q, maxLong/4); q != "" {
			d.Questions = append(d.Questions, q)
		}
	}
	if m.Kind == notify.KindBundle {
		d.Count = max(f.Count, len(f.Items))
		for _, i := range c.Items {
			d.Items = append(d.Items, item{i.Text, i.URL})
		}
	}
	kind := "handoff." + string(m.Kind)
	switch m.Kind {
	case notify.KindBundle:
		kind = "handoffs.waiting"
	case notify.KindTest:
		kind = "test"
	default:
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(payload{kind, stamp(m.At), d}); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// stamp is a time in UTC and whole seconds, so that a message looks the same
// whatever it was stored in between.
func stamp(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Second)
}
