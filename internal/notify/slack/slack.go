// Package slack tells a channel or a person in Slack, with a button that claims.
//
// Slack has no idempotency key. So each message carries its key as metadata, and
// before a message is sent again after an unclear outcome, [Channel.Send] looks
// for it in the conversation. Where the app may not read the conversation it
// cannot look, and the message may be there twice.
//
// Web API: https://docs.slack.dev/apis/web-api, through slack-go without its
// retries: when to try again is decided elsewhere.
package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	slackgo "github.com/slack-go/slack"

	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/internal/notify/wire"
	"github.com/baton-handoff/baton/internal/outbound"
	"github.com/baton-handoff/baton/internal/secrets"
)

// Config is an installation of the app in an account's workspace.
type Config struct {
	// Token is the bot's, "xoxb-…". Its scopes: chat:write, users:read,
	// users:read.email; to look for messages also channels:history,
	// groups:history, im:history and im:write.
	Token secrets.Secret
	// APIURL replaces https://slack.com/api/. For tests and the sandbox.
	APIURL string
}

// Channel is the app in one workspace.
type Channel struct {
	api *slackgo.Client
}

var (
	_ notify.Channel = (*Channel)(nil)
	_ notify.Updater = (*Channel)(nil)
	_ notify.Checker = (*Channel)(nil)
)

const (
	sending   = "sending the Slack message"
	updating  = "updating the Slack message"
	looking   = "looking for the Slack message"
	checking  = "checking the Slack app"
	lookingUp = "looking up the Slack user"
)

// New makes the channel of a workspace. Its error is a [*notify.Error] of class
// misconfigured.
func New(cfg Config, client *outbound.Client, now func() time.Time) (*Channel, error) {
	if t := cfg.Token.Reveal(); !strings.HasPrefix(t, "xoxb-") || strings.ContainsAny(t, " \t\r\n") {
		return nil, notify.Errorf(notify.ClassMisconfigured, checking, "The token is not a bot's.").
			WithCure("Copy the Bot User OAuth Token, which begins with xoxb-, from the app's page OAuth & Permissions.")
	}
	api := cfg.APIURL
	if api == "" {
		api = slackgo.APIURL
	}
	if !strings.HasSuffix(api, "/") {
		api += "/"
	}
	d := &doer{wire.Caller{HTTP: client, Channel: notify.ChannelSlack, Now: now}}
	return &Channel{api: slackgo.New(cfg.Token.Reveal(), slackgo.OptionAPIURL(api), slackgo.OptionHTTPClient(d))}, nil
}

// doer lets slack-go call through the guard. It leaves it only answers of 200
// with JSON; all else is an error already, so that nothing slack-go makes of it
// is lost.
type doer struct{ call wire.Caller }

func (d *doer) Do(req *http.Request) (*http.Response, error) {
	method := path.Base(req.URL.Path)
	op := ops()[method]
	res, err := d.call.Do(req, op, method == "chat.postMessage")
	if err != nil {
		return nil, err
	}
	var head struct {
		OK    bool   `json:"ok"`
		Error string `json:"error"`
	}
	if json.Unmarshal(res.Body, &head) != nil || !head.OK && head.Error == "" {
		e := notify.Errorf(notify.ClassTemporary, op, "Slack answered with something that is not what its API promises.")
		if method == "chat.postMessage" {
			e.Class = notify.ClassUnclear
		}
		e.Status, e.GiveUpAfter = res.Status, notify.Doubtful
		return nil, e
	}
	return &http.Response{
		StatusCode: http.StatusOK, Status: "200 OK", Header: res.Header, Body: io.NopCloser(bytes.NewReader(res.Body)), Request: req,
	}, nil
}

func ops() map[string]string {
	return map[string]string{
		"chat.postMessage": sending, "chat.update": updating, "conversations.history": looking, "conversations.open": looking,
		"auth.test": checking, "users.info": lookingUp, "users.lookupByEmail": lookingUp,
	}
}

// Name is slack.
func (c *Channel) Name() notify.ChannelName { return notify.ChannelSlack }

// Send posts m to the conversation of its recipient. The receipt has Slack's
// channel and ts. When m may have been sent, it looks for it first.
func (c *Channel) Send(ctx context.Context, m notify.Message) (notify.Receipt, error) {
	if m.To.Address == "" || strings.Trim(m.To.Address, alphanumeric) != "" {
		return notify.Receipt{}, notify.Errorf(notify.ClassRecipientUnknown, sending, "The recipient has no valid Slack id.").
			WithCure("Choose a channel, or connect the user's Slack account.")
	}
	if m.MaybeSent {
		found, err := c.find(ctx, m)
		if err != nil || found.ID != "" {
			return found, err
		}
	}
	text, blocks := render(m)
	channel, ts, err := c.api.PostMessageContext(ctx, m.To.Address,
		slackgo.MsgOptionText(text, false), slackgo.MsgOptionBlocks(blocks...), slackgo.MsgOptionMetadata(metadata(m)),
		slackgo.MsgOptionDisableLinkUnfurl(), slackgo.MsgOptionDisableMediaUnfurl())
	if err != nil {
		return notify.Receipt{}, failure(err, sending, true)
	}
	if ts == "" || channel == "" {
		return notify.Receipt{}, notify.Errorf(notify.ClassUnclear, sending, "Slack took the message and did not say where it is.")
	}
	return notify.Receipt{ID: ts, Where: channel, Status: http.StatusOK}, nil
}

const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// Update makes the message say what m says now.
func (c *Channel) Update(ctx context.Context, sent notify.Receipt, m notify.Message) (notify.Receipt, error) {
	text, blocks := render(m)
	channel, ts, _, err := c.api.UpdateMessageContext(ctx, sent.Where, sent.ID,
		slackgo.MsgOptionText(text, false), slackgo.MsgOptionBlocks(blocks...), slackgo.MsgOptionMetadata(metadata(m)))
	if err != nil {
		return notify.Receipt{}, failure(err, updating, false)
	}
	return notify.Receipt{ID: ts, Where: channel, Status: http.StatusOK}, nil
}

// The bounds of a search: what is further back was not sent by an attempt that
// is worth looking for.
const (
	searchPages = 5
	searchPage  = 100 // Slack gives 15 to apps that are not in its marketplace
	searchSlack = time.Minute
)

// find looks for m's message in the conversation. It finds nothing, without an
// error, where the app is not allowed to look.
func (c *Channel) find(ctx context.Context, m notify.Message) (notify.Receipt, error) {
	where := m.To.Address
	if strings.HasPrefix(where, "U") || strings.HasPrefix(where, "W") {
		dm, _, _, err := c.api.OpenConversationContext(ctx, &slackgo.OpenConversationParameters{Users: []string{where}})
		if err != nil || dm == nil {
			return notFound(failure(err, looking, false))
		}
		where = dm.ID
	}
	want := metadata(m)
	p := slackgo.GetConversationHistoryParameters{ChannelID: where, Limit: searchPage, IncludeAllMetadata: true, Inclusive: true}
	if !m.At.IsZero() {
		p.Oldest = strconv.FormatInt(m.At.Add(-searchSlack).Unix(), 10) + ".000000"
	}
	for range searchPages {
		page, err := c.api.GetConversationHistoryContext(ctx, &p)
		if err != nil {
			return notFound(failure(err, looking, false))
		}
		for _, msg := range page.Messages {
			if msg.Metadata.EventType == want.EventType && msg.Metadata.EventPayload[payloadKey] == want.EventPayload[payloadKey] {
				return notify.Receipt{ID: msg.Timestamp, Where: where, Status: http.StatusOK, Found: true}, nil
			}
		}
		if p.Cursor = page.ResponseMetaData.NextCursor; !page.HasMore || p.Cursor == "" {
			break
		}
	}
	return notify.Receipt{}, nil
}

// notFound decides what a search that failed means: one that may succeed later
// is worth waiting for, the others cannot be done.
func notFound(e *notify.Error) (notify.Receipt, error) {
	if e.Retryable() && e.GiveUpAfter == 0 {
		return notify.Receipt{}, e
	}
	return notify.Receipt{}, nil
}

// Workspace is where the app is installed.
type Workspace struct {
	// TeamID is Slack's id of the workspace, which its callbacks name.
	TeamID string
	Name   string
	// BotID is the user id of the app's bot.
	BotID string
}

// Workspace asks whether the token is good, and where.
func (c *Channel) Workspace(ctx context.Context) (Workspace, error) {
	res, err := c.api.AuthTestContext(ctx)
	if err != nil {
		return Workspace{}, failure(err, checking, false)
	}
	return Workspace{TeamID: res.TeamID, Name: res.Team, BotID: res.UserID}, nil
}

// Check asks whether the token is good.
func (c *Channel) Check(ctx context.Context) error {
	_, err := c.Workspace(ctx)
	return err
}

// User is somebody in Slack.
type User struct {
	ID     string
	TeamID string
	Name   string
	Email  string
	// Member says that the workspace vouches for the address: a person who
	// belongs to it, is active and has confirmed the address. Bots, guests from
	// other workspaces and those who were removed are none. Only a member may
	// be taken for the user of Baton with the same address.
	Member bool
}

// UserByEmail finds a user. An unknown address is an error of class
// recipient_unknown.
func (c *Channel) UserByEmail(ctx context.Context, address string) (User, error) {
	u, err := c.api.GetUserByEmailContext(ctx, address)
	return user(u, err)
}

// User reads a user by their id, "U…".
func (c *Channel) User(ctx context.Context, id string) (User, error) {
	u, err := c.api.GetUserInfoContext(ctx, id)
	return user(u, err)
}

func user(u *slackgo.User, err error) (User, error) {
	if err != nil {
		return User{}, failure(err, lookingUp, false)
	}
	if u == nil || u.ID == "" {
		return User{}, notify.Errorf(notify.ClassRecipientUnknown, lookingUp, "Slack knows no such user.")
	}
	name := u.RealName
	if name == "" {
		name = u.Name
	}
	return User{
		ID: u.ID, TeamID: u.TeamID, Name: notify.Line(name, maxName), Email: u.Profile.Email,
		Member: u.IsEmailConfirmed && !u.Deleted && !u.IsBot && !u.IsAppUser && !u.IsStranger && !u.IsConnectorBot && !u.IsWorkflowBot && !u.IsUltraRestricted,
	}, nil
}

const maxName = 80

// failure says what an error of slack-go means. It is not nil even when err is.
func failure(err error, op string, write bool) *notify.Error {
	if e, ok := errors.AsType[*notify.Error](err); ok {
		return e
	}
	said, ok := errors.AsType[slackgo.SlackErrorResponse](err)
	if !ok {
		e := notify.Errorf(notify.ClassTemporary, op, "Slack answered with something that is not what its API promises.").WithCause(err)
		if write {
			e.Class = notify.ClassUnclear
		}
		e.GiveUpAfter = notify.Doubtful
		return e
	}
	code := safeCode(said.Err)
	fail := func(class notify.Class, format string, args ...any) *notify.Error {
		e := notify.Errorf(class, op, format, args...)
		e.Status = http.StatusOK
		return e
	}
	switch code {
	case "ratelimited", "rate_limited":
		e := fail(notify.ClassRateLimited, "Slack has had too many calls and asks to wait.")
		e.RetryAfter = time.Minute
		return e
	case "internal_error", "fatal_error":
		// "It's possible some aspect of the operation succeeded."
		e := fail(notify.ClassTemporary, "Slack is in trouble (%s).", code)
		if write {
			e.Class = notify.ClassUnclear
		}
		return e
	case "service_unavailable", "request_timeout", "team_added_to_org", "accesslimited":
		return fail(notify.ClassTemporary, "Slack cannot take the call now (%s).", code)
	case "invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "not_allowed_token_type",
		"org_login_required", "ekm_access_denied", "team_access_not_granted", "two_factor_setup_required", "access_denied":
		return fail(notify.ClassUnauthorized, "Slack does not accept the app's token (%s).", code).
			WithCure("Install the app in the workspace again, and enter its new token.")
	case "missing_scope", "no_permission":
		return fail(notify.ClassUnauthorized, "The Slack app lacks a permission (%s).", code).
			WithCure("Add the scopes that Baton's documentation names, and install the app again.")
	case "not_in_channel":
		return fail(notify.ClassRecipientUnknown, "The Slack app is not in the channel.").
			WithCure("Invite it there: /invite and its name.")
	case "channel_not_found", "user_not_found", "users_not_found", "user_not_visible", "is_archived", "user_disabled", "cannot_dm_bot", "messages_tab_disabled":
		return fail(notify.ClassRecipientUnknown, "Slack has no such recipient any more (%s).", code).
			WithCure("Choose another channel or user; a private channel must have the app invited.")
	case "message_not_found", "cant_update_message", "edit_window_closed":
		return fail(notify.ClassRejected, "The Slack message cannot be changed any more (%s).", code)
	default:
		return fail(notify.ClassRejected, "Slack refuses the message (%s).", code)
	}
}

// safeCode is Slack's name of an error; what does not look like one is not
// shown.
func safeCode(s string) string {
	if s == "" || len(s) > 64 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return "an error that has no name"
	}
	return s
}

// responseHost is where response_url must point.
const responseHost = "hooks.slack.com"

// Responder answers a press of a button through its response_url, which works
// five times within half an hour.
type Responder struct {
	call wire.Caller
	base *url.URL
}

// NewResponder makes a responder. Base, when it is not empty, replaces
// https://hooks.slack.com/ as the beginning that a response_url must have; for
// tests and the sandbox.
func NewResponder(client *outbound.Client, now func() time.Time, base string) (*Responder, error) {
	r := &Responder{call: wire.Caller{HTTP: client, Channel: notify.ChannelSlack, Now: now}}
	if base == "" {
		base = "https://" + responseHost + "/"
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" {
		return nil, notify.Errorf(notify.ClassMisconfigured, checking, "The address that Slack is answered at is not valid.")
	}
	r.base = u
	return r, nil
}

const answering = "answering in Slack"

// Respond posts an answer of [Replace] or [Private]. An address that is not
// Slack's is an error of class forged, and is not called.
func (r *Responder) Respond(ctx context.Context, responseURL string, answer []byte) error {
	u, err := url.Parse(responseURL)
	if err != nil || u.Scheme != r.base.Scheme || u.Host != r.base.Host || u.User != nil || !strings.HasPrefix(u.Path, r.base.Path) {
		return notify.Errorf(notify.ClassForged, answering, "The address to answer at is not Slack's.")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(answer))
	if err != nil {
		return notify.Errorf(notify.ClassForged, answering, "The address to answer at is not valid.")
	}
	req.Header.Set("Content-Type", "application/json")
	_, err = r.call.Do(req, answering, false)
	return err
}
