package slack

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/internal/secrets"
)

// The buttons of a message. A press of the second only opens a page, and is
// told of all the same; acknowledge it and do nothing.
const (
	ActionClaim = "baton_claim"
	ActionOpen  = "baton_open"
)

// ClaimValue is what the claim button carries. It is no secret and no proof:
// the request's signature says that it comes from Slack, its user says who
// pressed, and the account has to be the one of the workspace.
type ClaimValue struct {
	Account    uuid.UUID
	Handoff    uuid.UUID
	Generation int
}

const claimPrefix = "claim.1"

// String is the value as the button has it.
func (v ClaimValue) String() string {
	return strings.Join([]string{claimPrefix, v.Account.String(), v.Handoff.String(), strconv.Itoa(v.Generation)}, ".")
}

// ParseClaimValue is the inverse of [ClaimValue.String].
func ParseClaimValue(s string) (ClaimValue, bool) {
	rest, ok := strings.CutPrefix(s, claimPrefix+".")
	parts := strings.Split(rest, ".")
	if !ok || len(parts) != 3 {
		return ClaimValue{}, false
	}
	account, err1 := uuid.Parse(parts[0])
	handoff, err2 := uuid.Parse(parts[1])
	generation, err3 := strconv.Atoi(parts[2])
	v := ClaimValue{account, handoff, generation}
	if err1 != nil || err2 != nil || err3 != nil || generation < 0 || v.String() != s {
		return ClaimValue{}, false
	}
	return v, true
}

// The headers of a request from Slack.
const (
	HeaderSignature = "X-Slack-Signature"
	HeaderTimestamp = "X-Slack-Request-Timestamp"
)

// tolerance is how old, or how far ahead, a request may be.
const tolerance = 5 * time.Minute

const receiving = "receiving a press of a button"

// Verify checks that a request comes from Slack and is not an old one, by its
// raw body (https://docs.slack.dev/authentication/verifying-requests-from-slack).
// One of the app's signing secrets has to fit; there are two while one is being
// rotated. Its error is a [*notify.Error] of class forged. A redelivery passes
// again: see [Interaction.ID].
//
// slack-go has the same check, with the system's clock and one secret.
func Verify(h http.Header, body []byte, now time.Time, secrets ...secrets.Secret) error {
	forged := func(reason string) error { return notify.Errorf(notify.ClassForged, receiving, "%s", reason) }
	stamp := h.Get(HeaderTimestamp)
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || seconds < 0 {
		return forged("The request does not say when it was made.")
	}
	if now.Sub(time.Unix(seconds, 0)).Abs() > tolerance {
		return forged("The request is too old, or a clock is wrong.")
	}
	text, ok := strings.CutPrefix(h.Get(HeaderSignature), "v0=")
	got, err := hex.DecodeString(text)
	if !ok || err != nil || len(got) != sha256.Size {
		return forged("The request is not signed.")
	}
	for _, s := range secrets {
		if s == "" {
			continue
		}
		mac := hmac.New(sha256.New, []byte(s.Reveal()))
		_, _ = mac.Write([]byte("v0:" + stamp + ":"))
		_, _ = mac.Write(body)
		if hmac.Equal(mac.Sum(nil), got) {
			return nil
		}
	}
	return forged("The request's signature is not Slack's.")
}

// Interaction is a press of a button.
type Interaction struct {
	// TeamID is the workspace of the app, and UserTeamID that of who pressed:
	// in a shared channel it can be another one.
	TeamID     string
	UserTeamID string
	// UserID is who pressed.
	UserID string
	// Channel and TS are those of the message.
	Channel string
	TS      string
	// Action is [ActionClaim], [ActionOpen] or unknown.
	Action string
	// Value is what the button carries; see [ParseClaimValue].
	Value string
	// ActionTS is when it was pressed, the same in a redelivery.
	ActionTS string
	// ResponseURL is where to answer, through a [Responder].
	ResponseURL string
}

// ID is the same for each delivery of the same press, and not for two presses.
func (i Interaction) ID() string {
	return strings.Join([]string{"slack", i.TeamID, i.UserID, i.ActionTS, i.Action}, "/")
}

// MaxInteraction bounds the body of a press, in bytes. Read no more.
const MaxInteraction = 256 << 10

// ParseInteraction reads the body of a request that [Verify] let pass. What is
// not the press of a button is an error of class rejected.
func ParseInteraction(body []byte) (Interaction, error) {
	bad := func(reason string) (Interaction, error) {
		return Interaction{}, notify.Errorf(notify.ClassRejected, receiving, "%s", reason)
	}
	if len(body) > MaxInteraction {
		return bad("The request is too large.")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || len(form["payload"]) != 1 {
		return bad("The request has no payload.")
	}
	var p struct {
		Type string `json:"type"`
		Team *struct {
			ID string `json:"id"`
		} `json:"team"`
		User struct {
			ID     string `json:"id"`
			TeamID string `json:"team_id"`
		} `json:"user"`
		Channel struct {
			ID string `json:"id"`
		} `json:"channel"`
		Message struct {
			TS string `json:"ts"`
		} `json:"message"`
		Container struct {
			ChannelID string `json:"channel_id"`
			MessageTS string `json:"message_ts"`
		} `json:"container"`
		ResponseURL string `json:"response_url"`
		Actions     []struct {
			ActionID string `json:"action_id"`
			Type     string `json:"type"`
			Value    string `json:"value"`
			ActionTS string `json:"action_ts"`
		} `json:"actions"`
	}
	if json.Unmarshal([]byte(form.Get("payload")), &p) != nil {
		return bad("The request's payload is not JSON.")
	}
	if p.Type != "block_actions" || len(p.Actions) == 0 || p.Actions[0].Type != "button" {
		return bad("The request is not the press of a button.")
	}
	a := p.Actions[0]
	i := Interaction{
		UserTeamID: p.User.TeamID, UserID: p.User.ID, Channel: first(p.Channel.ID, p.Container.ChannelID),
		TS: first(p.Message.TS, p.Container.MessageTS), Action: a.ActionID, Value: a.Value, ActionTS: a.ActionTS, ResponseURL: p.ResponseURL,
	}
	if p.Team != nil {
		i.TeamID = p.Team.ID
	}
	if i.UserID == "" || i.ActionTS == "" || i.Action == "" {
		return bad("The request does not say who pressed what.")
	}
	for _, s := range []string{i.TeamID, i.UserTeamID, i.UserID, i.Channel, i.TS, i.Action, i.ActionTS} {
		if len(s) > 255 || strings.Trim(s, alphanumeric+"._-") != "" {
			return bad("The request holds an id that is none.")
		}
	}
	return i, nil
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
