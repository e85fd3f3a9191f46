package connectwise

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/wire"
)

const (
	opCallback = "checking a callback"
	// maxCallback bounds a callback's body, which holds a whole ticket.
	maxCallback = 1 << 20
)

// callback is the body of a callback. Go matches members whatever their case,
// which is needed: "Metadata" also comes as "metadata".
type callback struct {
	ID       wire.ID
	Action   string
	Type     string
	Metadata struct {
		KeyURL string `json:"key_url"`
	}
}

// Callback verifies a callback: x-content-signature is the base64 of
// HMAC-SHA256(SHA256(signing key), body), as the Developer Guide has it. The
// key is at an address that the callback itself names, so that address must be
// the tenant's PSA; otherwise anybody could sign.
func (c *Client) Callback(ctx context.Context, h http.Header, body []byte) (psa.Callback, error) {
	if len(body) > maxCallback {
		return psa.Callback{}, forged("it is too large")
	}
	var cb callback
	if json.Unmarshal(body, &cb) != nil {
		return psa.Callback{}, forged("it is not a callback of ConnectWise PSA")
	}
	signature := h.Get("x-content-signature")
	if signature == "" {
		return psa.Callback{}, forged("it is not signed")
	}
	if !c.keyAddress(cb.Metadata.KeyURL) {
		return psa.Callback{}, forged("its key is not at the address of the connection")
	}
	key, err := c.signingKey(ctx, cb.Metadata.KeyURL, func(key string) bool { return signed(key, signature, body) })
	if err != nil {
		return psa.Callback{}, err
	}
	if !signed(key, signature, body) {
		return psa.Callback{}, forged("its signature is wrong")
	}
	out := psa.Callback{Verified: true, Action: psa.ActionOther}
	if _, ok := cb.ID.Int(); !ok || !strings.EqualFold(cb.Type, "ticket") {
		return out, nil
	}
	switch strings.ToLower(cb.Action) {
	case "added":
		out.Action = psa.ActionCreated
	case "updated":
		out.Action = psa.ActionUpdated
	case "deleted":
		out.Action = psa.ActionDeleted
	default:
		return out, nil
	}
	out.TicketID = string(cb.ID)
	return out, nil
}

func forged(why string) *psa.Error {
	return psa.Errorf(psa.ClassForged, opCallback, "The callback is refused: %s.", why)
}

// signed verifies a signature in constant time.
func signed(key, signature string, body []byte) bool {
	if key == "" {
		return false
	}
	got, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return false
	}
	sum := sha256.Sum256([]byte(key))
	mac := hmac.New(sha256.New, sum[:])
	mac.Write(body)
	return hmac.Equal(got, mac.Sum(nil))
}

// keyAddress reports whether a key may be read from there: the tenant's own
// host, with or without the cloud's prefix, and a path of the API. Documents,
// which customers can upload, are not keys.
func (c *Client) keyAddress(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || u.User != nil || u.Scheme != c.site.Scheme || u.Opaque != "" {
		return false
	}
	host := func(h string) string { return strings.TrimPrefix(strings.ToLower(h), "api-") }
	path := strings.ToLower(u.Path)
	return host(u.Host) == host(c.site.Host) && strings.Contains(path, "/apis/3.0/") &&
		!strings.Contains(path, "/documents") && !strings.Contains(path, "..")
}

// signingKey reads a key, without credentials: the address comes from outside.
// The answer is JSON, or JSON inside a JSON string.
func (c *Client) signingKey(ctx context.Context, address string, good func(string) bool) (string, error) {
	return c.keys.Get(ctx, address, good, func(ctx context.Context) (string, error) {
		a, err := c.caller.Do(ctx, wire.Call{Op: opCallback, Method: http.MethodGet, URL: address})
		if err != nil {
			return "", err
		}
		switch {
		case a.Status == http.StatusNotFound, a.Status == http.StatusUnauthorized, a.Status == http.StatusForbidden:
			return "", forged("its key does not exist")
		case a.Status != http.StatusOK:
			return "", c.failure(a)
		}
		raw := a.Body
		var inner string
		if json.Unmarshal(raw, &inner) == nil {
			raw = []byte(inner)
		}
		var key struct {
			SigningKey string `json:"signing_key"`
		}
		if json.Unmarshal(raw, &key) != nil || key.SigningKey == "" {
			return "", c.caller.Garbled(a)
		}
		return key.SigningKey, nil
	})
}
