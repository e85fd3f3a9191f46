package autotask

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // Autotask signs with it
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/wire"
)

const (
	opCallback  = "checking a callback"
	maxCallback = 1 << 20
)

type callback struct {
	Action     string
	GUID       string `json:"Guid"`
	EntityType string
	ID         wire.ID `json:"Id"`
	EventTime  wire.Time
	Sequence   wire.ID `json:"SequenceNumber"`
}

// Callback verifies a webhook: X-Hook-Signature is "sha1=" and the base64 of
// HMAC-SHA1(secret, body), by the developer help on webhooks. The notice that a
// webhook was turned off is not signed.
func (c *Client) Callback(_ context.Context, h http.Header, body []byte) (psa.Callback, error) {
	if len(body) > maxCallback {
		return psa.Callback{}, forged("it is too large")
	}
	var cb callback
	if json.Unmarshal(body, &cb) != nil {
		return psa.Callback{}, forged("it is not a webhook of Autotask")
	}
	signature := h.Get("X-Hook-Signature")
	if signature == "" && strings.EqualFold(cb.Action, "deactivated") {
		return psa.Callback{Action: psa.ActionDisabled, EventID: eventID(cb), At: cb.EventTime.Time}, nil
	}
	switch {
	case signature == "":
		return psa.Callback{}, forged("it is not signed")
	case c.webhook == "":
		return psa.Callback{}, psa.Errorf(psa.ClassMisconfigured, opCallback, "The connection has no webhook secret, so callbacks of Autotask cannot be checked.").
			WithCure("Enter the secret key of the ticket webhook in the connection.")
	case !signed(c.webhook.Reveal(), signature, body):
		return psa.Callback{}, forged("its signature is wrong")
	}
	out := psa.Callback{Verified: true, Action: psa.ActionOther, EventID: eventID(cb), At: cb.EventTime.Time}
	if strings.EqualFold(cb.Action, "deactivated") {
		out.Action = psa.ActionDisabled
		return out, nil
	}
	if _, ok := cb.ID.Int(); !ok || !strings.EqualFold(cb.EntityType, "ticket") {
		return out, nil
	}
	switch strings.ToLower(cb.Action) {
	case "create", "created":
		out.Action = psa.ActionCreated
	case "update", "updated":
		out.Action = psa.ActionUpdated
	case "delete", "deleted":
		out.Action = psa.ActionDeleted
	default:
		return out, nil
	}
	out.TicketID = string(cb.ID)
	return out, nil
}

func eventID(cb callback) string {
	if cb.GUID == "" || cb.Sequence == "" {
		return ""
	}
	return psa.Safe(cb.GUID) + "/" + psa.Safe(string(cb.Sequence))
}

func forged(why string) *psa.Error {
	return psa.Errorf(psa.ClassForged, opCallback, "The callback is refused: %s.", why)
}

// signed verifies a signature in constant time. Autotask signs the body as its
// own serializer wrote it, with escapes that are not always sent; so those
// forms count as well. All of them need the secret.
func signed(secret, signature string, body []byte) bool {
	algorithm, encoded, ok := strings.Cut(signature, "=")
	if !ok || !strings.EqualFold(algorithm, "sha1") {
		return false
	}
	got, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return false
	}
	ok = false
	for _, form := range [][]byte{body, escaped(body, "%04X"), escaped(body, "%04x")} {
		mac := hmac.New(sha1.New, []byte(secret))
		mac.Write(form)
		ok = hmac.Equal(got, mac.Sum(nil)) || ok
	}
	return ok
}

// escaped writes a JSON text as a serializer does that escapes what could mean
// something in HTML, and all but ASCII.
func escaped(body []byte, hex string) []byte {
	out := make([]byte, 0, len(body)+len(body)/4)
	unit := func(u uint16) { out = append(out, `\u`+fmt.Sprintf(hex, u)...) }
	for i := 0; i < len(body); {
		r, size := utf8.DecodeRune(body[i:])
		switch {
		case r == '\\' && i+1 < len(body):
			if next := body[i+1]; next == '"' {
				unit('"')
			} else {
				out = append(out, body[i], next)
			}
			i += 2
			continue
		case r == utf8.RuneError && size <= 1:
			out = append(out, body[i])
		case r >= utf8.RuneSelf:
			for _, u := range utf16.Encode([]rune{r}) {
				unit(u)
			}
		case strings.ContainsRune("&<>'`+", r):
			unit(uint16(r))
		default:
			out = append(out, body[i])
		}
		i += size
	}
	return out
}
