package halopsa

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/wire"
)

const (
	opCallback  = "checking a callback"
	maxCallback = 1 << 20
)

// callback is what is read of a webhook. Its shape is not in the public
// documentation and is partly the tenant's own choice, so several places are
// looked at.
type callback struct {
	ID     json.RawMessage `json:"id"`
	Event  json.RawMessage `json:"event"`
	At     wire.Time       `json:"timestamp"`
	Ticket *struct {
		ID wire.ID `json:"id"`
	} `json:"ticket"`
	TicketID wire.ID `json:"ticket_id"`
	ObjectID wire.ID `json:"object_id"`
}

// Callback verifies a webhook. Halo signs nothing; it can send a user and
// password, or a token, with each call, so the connection's webhook secret must
// be that password or token.
func (c *Client) Callback(_ context.Context, h http.Header, body []byte) (psa.Callback, error) {
	if c.webhook == "" {
		return psa.Callback{}, psa.Errorf(psa.ClassMisconfigured, opCallback, "The connection has no webhook secret, so callbacks of HaloPSA cannot be checked.").
			WithCure("Choose a password in the webhook's authentication in HaloPSA, and enter the same in the connection.")
	}
	if !same(secretOf(h.Get("Authorization")), c.webhook.Reveal()) {
		return psa.Callback{}, forged("it does not hold the webhook secret")
	}
	if len(body) > maxCallback {
		return psa.Callback{}, forged("it is too large")
	}
	var cb callback
	if json.Unmarshal(body, &cb) != nil {
		return psa.Callback{}, forged("it is not a webhook of HaloPSA")
	}
	out := psa.Callback{Verified: true, Action: psa.ActionOther, EventID: text(cb.ID), At: cb.At.Time}
	id := cb.ObjectID
	if cb.TicketID != "" {
		id = cb.TicketID
	}
	if cb.Ticket != nil && cb.Ticket.ID != "" {
		id = cb.Ticket.ID
	}
	if _, ok := id.Int(); !ok {
		return out, nil
	}
	out.TicketID, out.Action = string(id), psa.ActionUpdated
	switch event := strings.ToLower(text(cb.Event)); {
	case strings.Contains(event, "delete"):
		out.Action = psa.ActionDeleted
	case strings.Contains(event, "new ticket"), strings.Contains(event, "create"):
		out.Action = psa.ActionCreated
	}
	return out, nil
}

// text is a JSON string, or a number as it stands; empty for the rest.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return psa.Safe(s)
	}
	var id wire.ID
	if json.Unmarshal(raw, &id) == nil {
		return string(id)
	}
	return ""
}

// secretOf is the password of Basic, or the token of Bearer.
func secretOf(authorization string) string {
	scheme, value, _ := strings.Cut(strings.TrimSpace(authorization), " ")
	value = strings.TrimSpace(value)
	switch strings.ToLower(scheme) {
	case "bearer":
		return value
	case "basic":
		raw, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			return ""
		}
		_, password, _ := strings.Cut(string(raw), ":")
		return password
	}
	return ""
}

// same compares in constant time, whatever the lengths.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

func forged(why string) *psa.Error {
	return psa.Errorf(psa.ClassForged, opCallback, "The callback is refused: %s.", why)
}
