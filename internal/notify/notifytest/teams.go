package notifytest

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// Teams is a workflow "When a Teams webhook request is received". The real one
// answers 202 to nearly anything and fails later, unseen; this one refuses what
// would not come to be a card.
type Teams struct {
	faults Faults
	now    func() time.Time

	mu    sync.Mutex
	sig   string
	cards []Card
}

// Card is a card that was posted.
type Card struct {
	At   time.Time
	Size int
	// Body is the whole request, and Texts what can be read on the card, in
	// order: texts, facts, titles of actions.
	Body  json.RawMessage
	Texts []string
	// Links are the actions' addresses by their titles.
	Links map[string]string
}

// NewTeams makes a workflow.
func NewTeams(now func() time.Time) *Teams { return &Teams{now: now, sig: rand.Text()} }

// Address is the workflow's address on a server such as http://127.0.0.1:8091.
func (t *Teams) Address(base string) string {
	q := url.Values{"api-version": {"1"}, "sp": {"/triggers/manual/run"}, "sv": {"1.0"}, "sig": {t.sig}}
	return base + "/powerautomate/automations/direct/workflows/w1/triggers/manual/paths/invoke?" + q.Encode()
}

// Faults is what goes wrong.
func (t *Teams) Faults() *Faults { return &t.faults }

// Cards lists what was posted.
func (t *Teams) Cards() []Card {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.cards)
}

// maxCard is where Teams fails, in bytes.
const maxCard = 28 << 10

// ServeHTTP answers 202 to a card that is in order.
func (t *Teams) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxCard+1))
	serve(&t.faults, w, r, OpTeamsPost, func() reply {
		switch {
		case err != nil || len(body) > maxCard:
			return reply{status: http.StatusRequestEntityTooLarge}
		case r.URL.Query().Get("sig") != t.sig:
			return reply{status: http.StatusUnauthorized}
		case r.Method != http.MethodPost || !jsonType(r):
			return reply{status: http.StatusBadRequest, body: "not a POST of JSON"}
		}
		card := Card{At: t.now(), Size: len(body), Body: body, Links: map[string]string{}}
		if err := card.read(body); err != nil {
			return reply{status: http.StatusBadRequest, body: err.Error()}
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		t.cards = append(t.cards, card)
		return reply{status: http.StatusAccepted}
	}, nil)
}

// object is a JSON object, read member by member.
type object map[string]json.RawMessage

// only refuses members that are not known, and missing ones that are marked
// with a "!".
func (o object) only(what string, known ...string) error {
	for name := range o {
		if !slices.Contains(known, name) && !slices.Contains(known, name+"!") {
			return fmt.Errorf("%s has an unknown member %q", what, name)
		}
	}
	for _, k := range known {
		if name, must := k[:len(k)-1], k[len(k)-1] == '!'; must && o[name] == nil {
			return fmt.Errorf("%s has no %q", what, name)
		}
	}
	return nil
}

func (o object) text(name string) string {
	var s string
	_ = json.Unmarshal(o[name], &s)
	return s
}

func (o object) list(name string) []object {
	var l []object
	_ = json.Unmarshal(o[name], &l)
	return l
}

func (o object) object(name string) object {
	var v object
	_ = json.Unmarshal(o[name], &v)
	return v
}

func (c *Card) read(body []byte) error {
	var o object
	if err := json.Unmarshal(body, &o); err != nil {
		return fmt.Errorf("the body is not JSON: %w", err)
	}
	if err := o.only("the message", "type!", "attachments!"); err != nil {
		return err
	}
	attachments := o.list("attachments")
	if o.text("type") != "message" || len(attachments) != 1 {
		return fmt.Errorf("it is not a message with one attachment")
	}
	a := attachments[0]
	if err := a.only("the attachment", "contentType!", "contentUrl!", "content!"); err != nil {
		return err
	}
	if a.text("contentType") != "application/vnd.microsoft.card.adaptive" || !bytes.Equal(a["contentUrl"], []byte("null")) {
		return fmt.Errorf("the attachment is not a card")
	}
	card := a.object("content")
	if err := card.only("the card", "$schema", "type!", "version!", "msteams", "body!", "actions"); err != nil {
		return err
	}
	if v := card.text("version"); card.text("type") != "AdaptiveCard" || len(v) != 3 || v < "1.0" || v > "1.4" {
		return fmt.Errorf("the card is not an AdaptiveCard of version 1.0 to 1.4")
	}
	elements := card.list("body")
	if len(elements) == 0 {
		return fmt.Errorf("the card is empty")
	}
	for _, e := range elements {
		if err := c.element(e); err != nil {
			return err
		}
	}
	actions := card.list("actions")
	if len(actions) > 6 {
		return fmt.Errorf("the card has more than six actions")
	}
	for _, a := range actions {
		if err := a.only("an action", "type!", "title!", "url!", "style"); err != nil {
			return err
		}
		u, err := url.Parse(a.text("url"))
		if a.text("type") != "Action.OpenUrl" || err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || a.text("title") == "" {
			return fmt.Errorf("workflows support Action.OpenUrl with a title and a web address alone")
		}
		if s := a["style"]; s != nil && !slices.Contains([]string{"default", "positive", "destructive"}, a.text("style")) {
			return fmt.Errorf("an action's style is unknown")
		}
		c.Texts = append(c.Texts, a.text("title"))
		c.Links[a.text("title")] = a.text("url")
	}
	return nil
}

func (c *Card) element(e object) error {
	switch e.text("type") {
	case "TextBlock":
		if err := e.only("a TextBlock", "type!", "text!", "size", "weight", "spacing", "isSubtle", "wrap"); err != nil {
			return err
		}
		if e.text("text") == "" {
			return fmt.Errorf("a TextBlock is empty")
		}
		for name, values := range map[string][]string{
			"size": {"Small", "Default", "Medium", "Large", "ExtraLarge"}, "weight": {"Lighter", "Default", "Bolder"},
			"spacing": {"None", "Small", "Default", "Medium", "Large", "ExtraLarge", "Padding"},
		} {
			if e[name] != nil && !slices.Contains(values, e.text(name)) {
				return fmt.Errorf("a TextBlock's %s is unknown", name)
			}
		}
		c.Texts = append(c.Texts, e.text("text"))
	case "FactSet":
		if err := e.only("a FactSet", "type!", "facts!"); err != nil {
			return err
		}
		facts := e.list("facts")
		if len(facts) == 0 {
			return fmt.Errorf("a FactSet is empty")
		}
		for _, f := range facts {
			if err := f.only("a fact", "title!", "value!"); err != nil {
				return err
			}
			c.Texts = append(c.Texts, f.text("title")+": "+f.text("value"))
		}
	default:
		return fmt.Errorf("the element %q is not known", e.text("type"))
	}
	return nil
}
