// Package teams tells a channel or chat of Microsoft Teams: an Adaptive Card to
// the address of a Workflow ("When a Teams webhook request is received"). The
// Office 365 connectors, which came before, are retired.
//
// A workflow takes a card and says 202: what it then does with it cannot be
// known, and a card that was posted cannot be changed or found again. So a
// message after an unclear outcome may be seen twice.
package teams

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/internal/notify/wire"
	"github.com/baton-handoff/baton/internal/outbound"
	"github.com/baton-handoff/baton/internal/secrets"
)

// Config is a workflow of an account.
type Config struct {
	// URL is the workflow's address. Whoever has it can post: all of it is
	// secret.
	URL secrets.Secret
	// PlainHTTP allows http:// besides https://. For tests and the sandbox.
	PlainHTTP bool
}

// Channel posts to one workflow.
type Channel struct {
	url  string
	call wire.Caller
}

var _ notify.Channel = (*Channel)(nil)

const op = "posting the card"

// New makes the channel of a workflow. Its error is a [*notify.Error] of class
// misconfigured.
func New(cfg Config, client *outbound.Client, now func() time.Time) (*Channel, error) {
	u, err := url.Parse(cfg.URL.Reveal())
	const cure = "In Teams, make a workflow that begins with \"When a Teams webhook request is received\", and copy its address."
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil:
		return nil, notify.Errorf(notify.ClassMisconfigured, op, "The workflow's address is not an address.").WithCure(cure)
	case u.Scheme == "http" && !cfg.PlainHTTP:
		return nil, notify.Errorf(notify.ClassMisconfigured, op, "The workflow's address must begin with https://.").WithCure(cure)
	case retired(u.Hostname()):
		return nil, notify.Errorf(notify.ClassMisconfigured, op, "The address is one of an Office 365 connector, which Microsoft has retired.").WithCure(cure)
	}
	return &Channel{url: u.String(), call: wire.Caller{HTTP: client, Channel: notify.ChannelTeams, Now: now}}, nil
}

func retired(host string) bool {
	host = strings.ToLower(host)
	return strings.HasSuffix(host, ".webhook.office.com") || host == "outlook.office.com"
}

// Name is teams.
func (c *Channel) Name() notify.ChannelName { return notify.ChannelTeams }

// Send posts m's card. A receipt means that the workflow accepted it, not that
// it is in the channel. Teams gives no id, so the receipt's is the key's.
func (c *Channel) Send(ctx context.Context, m notify.Message) (notify.Receipt, error) {
	body, err := Body(m)
	if err != nil {
		return notify.Receipt{}, notify.Errorf(notify.ClassRejected, op, "The message cannot be written as a card.").WithCause(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return notify.Receipt{}, notify.Errorf(notify.ClassMisconfigured, op, "The workflow's address is not valid.")
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.call.Do(req, op, true)
	if err != nil {
		e := notify.AsError(err)
		switch e.Status {
		case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
			e = e.WithCure("The workflow was removed or switched off, or its address changed. Copy its address anew.")
		}
		return notify.Receipt{}, e
	}
	return notify.Receipt{ID: m.Key.ID(), Status: res.Status}, nil
}

// MaxBody bounds what is posted, in bytes. Teams takes some 28 KB and fails in
// ways that cannot be seen beyond it.
const MaxBody = 20 << 10

type message struct {
	Type        string       `json:"type"`
	Attachments []attachment `json:"attachments"`
}

type attachment struct {
	ContentType string  `json:"contentType"`
	ContentURL  *string `json:"contentUrl"`
	Content     card    `json:"content"`
}

type card struct {
	Schema  string    `json:"$schema"`
	Type    string    `json:"type"`
	Version string    `json:"version"`
	MSTeams msteams   `json:"msteams"`
	Body    []element `json:"body"`
	Actions []action  `json:"actions,omitempty"`
}

type msteams struct {
	Width string `json:"width"`
}

// element is a TextBlock or a FactSet.
type element struct {
	Type     string `json:"type"`
	Text     string `json:"text,omitempty"`
	Size     string `json:"size,omitempty"`
	Weight   string `json:"weight,omitempty"`
	Spacing  string `json:"spacing,omitempty"`
	IsSubtle bool   `json:"isSubtle,omitempty"`
	Wrap     bool   `json:"wrap,omitempty"`
	Facts    []fact `json:"facts,omitempty"`
}

type fact struct {
	Title string `json:"title"`
	Value string `json:"value"`
}

// action is an Action.OpenUrl: workflows support no Action.Submit.
type action struct {
	Type  string `json:"type"`
	Title string `json:"title"`
	URL   string `json:"url"`
	Style string `json:"style,omitempty"`
}

// Body is the JSON that is posted for m, of at most [MaxBody] bytes: texts are
// shortened until it fits.
func Body(m notify.Message) ([]byte, error) {
	c := m.Content()
	for limit := 1500; ; limit /= 2 {
		body, err := encode(render(c, limit))
		if err != nil || len(body) <= MaxBody || limit < 32 {
			return body, err
		}
	}
}

func encode(c card) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(message{
		Type: "message", Attachments: []attachment{{ContentType: "application/vnd.microsoft.card.adaptive", Content: c}},
	})
	return bytes.TrimRight(b.Bytes(), "\n"), err
}

// render makes the card, with texts of at most limit characters.
func render(c notify.Content, limit int) card {
	out := card{
		Schema: "http://adaptivecards.io/schemas/adaptive-card.json", Type: "AdaptiveCard", Version: "1.4",
		MSTeams: msteams{Width: "Full"},
	}
	text := func(s string) element {
		return element{Type: "TextBlock", Text: Escape(notify.Cut(s, limit)), Wrap: true}
	}
	title := text(c.Subject)
	title.Size, title.Weight = "Medium", "Bolder"
	out.Body = append(out.Body, title, text(c.Lead))
	if c.Outcome != "" {
		e := text(c.Outcome)
		e.Weight = "Bolder"
		out.Body = append(out.Body, e)
	}
	facts := element{Type: "FactSet"}
	for _, r := range c.Rows {
		facts.Facts = append(facts.Facts, fact{Escape(r.Title), Escape(notify.Cut(r.Value, limit))})
	}
	if len(facts.Facts) > 0 {
		out.Body = append(out.Body, facts)
	}
	for _, p := range c.Passages {
		head := text(p.Title)
		head.Weight = "Bolder"
		body := text(p.Text)
		body.Spacing = "None"
		out.Body = append(out.Body, head, body)
	}
	for _, i := range c.Items {
		e := text(i.Text)
		e.Spacing = "Small"
		if i.URL != "" {
			e.Text = "[" + e.Text + "](" + destination(i.URL) + ")"
		}
		e.Text = "- " + e.Text
		out.Body = append(out.Body, e)
	}
	if c.More > 0 {
		out.Body = append(out.Body, text(notify.More(c.More)))
	}
	footer := text(c.Footer)
	footer.Size, footer.IsSubtle = "Small", true
	out.Body = append(out.Body, footer)
	if c.ClaimURL != "" {
		out.Actions = append(out.Actions, action{"Action.OpenUrl", "Claim", c.ClaimURL, "positive"})
	}
	if c.OpenURL != "" {
		out.Actions = append(out.Actions, action{"Action.OpenUrl", c.OpenLabel, c.OpenURL, ""})
	}
	return out
}

// destination is a URL within a Markdown link, which a parenthesis would end.
func destination(u string) string {
	return strings.NewReplacer("(", "%28", ")", "%29").Replace(u)
}

// Escape makes s mean no link, emphasis or function in the Markdown of a card:
// what was typed is what is seen. Lists stay lists, they do no harm. A line
// break becomes a paragraph, because a single one shows as a blank in Teams.
func Escape(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case strings.ContainsRune("\\`*_[]<>~", r):
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '{', r == '}':
			// There is no way to escape {{DATE(…)}}: a word joiner keeps the
			// braces apart and shows as nothing.
			b.WriteRune(r)
			b.WriteRune('\u2060')
		case r == '\n':
			b.WriteString("\n\n")
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
