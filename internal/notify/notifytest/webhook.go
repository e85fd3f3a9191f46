package notifytest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Webhook is a receiver of webhooks after the Standard Webhooks specification.
type Webhook struct {
	faults Faults
	now    func() time.Time

	mu       sync.Mutex
	keys     [][]byte
	received []Hook
}

// Hook is a webhook that was received. Repeats are received as well.
type Hook struct {
	ID   string
	At   time.Time
	Body json.RawMessage
	// Signatures is how many signatures it came with.
	Signatures int
}

// NewWebhook makes a receiver that knows a secret, "whsec_…".
func NewWebhook(now func() time.Time, secret string) *Webhook {
	w := &Webhook{now: now}
	w.Accept(secret)
	return w
}

// Accept replaces the secrets that the receiver takes.
func (w *Webhook) Accept(secrets ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keys = nil
	for _, s := range secrets {
		if key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, "whsec_")); err == nil {
			w.keys = append(w.keys, key)
		}
	}
}

// Faults is what goes wrong.
func (w *Webhook) Faults() *Faults { return &w.faults }

// Received lists what was received, repeats included.
func (w *Webhook) Received() []Hook {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.received)
}

// maxHook bounds a body, in bytes: the specification advises 20 KB and large
// payloads by reference.
const maxHook = 256 << 10

// ServeHTTP answers 204 to a webhook that is in order, 401 to a bad signature
// and 400 to anything else.
func (w *Webhook) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxHook+1))
	serve(&w.faults, rw, r, OpWebhookPost, func() reply {
		switch {
		case err != nil || len(body) > maxHook:
			return reply{status: http.StatusRequestEntityTooLarge}
		case r.Method != http.MethodPost || !jsonType(r):
			return reply{status: http.StatusBadRequest, body: "not a POST of JSON"}
		}
		return w.take(r.Header, body)
	}, nil)
}

func (w *Webhook) take(h http.Header, body []byte) reply {
	bad := func(why string) reply { return reply{status: http.StatusBadRequest, body: why} }
	id, stamp := h.Get("webhook-id"), h.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if id == "" || len(id) > 64 || strings.Contains(id, ".") || err != nil {
		return bad("webhook-id or webhook-timestamp is missing")
	}
	if w.now().Sub(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
		return bad("webhook-timestamp is out of tolerance")
	}
	var v struct {
		Type      string          `json:"type"`
		Timestamp time.Time       `json:"timestamp"`
		Data      json.RawMessage `json:"data"`
	}
	if json.Unmarshal(body, &v) != nil || v.Type == "" || v.Timestamp.IsZero() || len(v.Data) == 0 {
		return bad("the body is not type, timestamp and data")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	signatures := strings.Fields(h.Get("webhook-signature"))
	if !slices.ContainsFunc(signatures, func(s string) bool { return w.signed(s, id, stamp, body) }) {
		return reply{status: http.StatusUnauthorized}
	}
	w.received = append(w.received, Hook{ID: id, At: w.now(), Body: body, Signatures: len(signatures)})
	return reply{status: http.StatusNoContent}
}

// Signed reports whether a signature is one of a message by a secret that the
// receiver knows.
func (w *Webhook) Signed(signature, id, stamp string, body []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.signed(signature, id, stamp, body)
}

func (w *Webhook) signed(signature, id, stamp string, body []byte) bool {
	text, ok := strings.CutPrefix(signature, "v1,")
	got, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil {
		return false
	}
	for _, key := range w.keys {
		mac := hmac.New(sha256.New, key)
		_, _ = mac.Write([]byte(id + "." + stamp + "."))
		_, _ = mac.Write(body)
		if hmac.Equal(mac.Sum(nil), got) {
			return true
		}
	}
	return false
}
