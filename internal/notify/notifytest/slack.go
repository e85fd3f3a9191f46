package notifytest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Slack is a workspace with one app in it: the methods that a channel needs
// below /api/, and the addresses to answer presses of buttons at below
// /actions/.
type Slack struct {
	faults Faults
	now    func() time.Time

	mu       sync.Mutex
	team     string
	token    string
	signing  string
	scopes   map[string]bool
	channels map[string]*slackChannel
	users    map[string]SlackUser
	answers  map[string]*slackAnswer
	seq      int
	pageCap  int
}

// SlackUser is a person or bot of the workspace.
type SlackUser struct {
	ID   string
	Name string
	// Email is confirmed unless Unconfirmed is set.
	Email       string
	Unconfirmed bool
	Bot         bool
	Deleted     bool
	// Stranger is of another workspace, in a shared channel.
	Stranger bool
}

type slackChannel struct {
	id       string
	member   bool
	archived bool
	messages []SlackMessage
}

// SlackMessage is a message as it stands.
type SlackMessage struct {
	Channel  string
	TS       string
	Text     string
	Blocks   json.RawMessage
	Metadata json.RawMessage
	// Edits is how often it was changed.
	Edits int
	// Buttons are the values of its buttons by their action ids.
	Buttons map[string]string
	// Private is what only one user sees, in answer to a press.
	Private string
}

type slackAnswer struct {
	channel, ts, user string
	until             time.Time
	left              int
}

// NewSlack makes a workspace with the app in it, and nobody else.
func NewSlack(now func() time.Time) *Slack {
	return &Slack{
		now: now, team: "T0BATON", token: "xoxb-" + rand.Text(), signing: hex.EncodeToString([]byte(rand.Text()))[:32],
		scopes:   map[string]bool{"chat:write": true, "users:read": true, "users:read.email": true, "history": true, "im:write": true},
		channels: map[string]*slackChannel{}, users: map[string]SlackUser{}, answers: map[string]*slackAnswer{}, pageCap: 15,
	}
}

// Team is the id of the workspace.
func (s *Slack) Team() string { return s.team }

// Token is the bot's token that is good now.
func (s *Slack) Token() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token
}

// RotateToken makes the token so far bad.
func (s *Slack) RotateToken() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = "xoxb-" + rand.Text()
}

// SigningSecret is what presses of buttons are signed with.
func (s *Slack) SigningSecret() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.signing
}

// RevokeScope takes a permission away: "chat:write", "users:read",
// "users:read.email", "history" or "im:write".
func (s *Slack) RevokeScope(scope string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.scopes, scope)
}

// AddChannel makes a channel; the app is in it.
func (s *Slack) AddChannel(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.channels[id] = &slackChannel{id: id, member: true}
}

// Kick removes the app from a channel.
func (s *Slack) Kick(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.channels[id].member = false
}

// Archive closes a channel.
func (s *Slack) Archive(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.channels[id].archived = true
}

// AddUser adds somebody, and the app's direct conversation with them.
func (s *Slack) AddUser(u SlackUser) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[u.ID] = u
	s.channels[dm(u.ID)] = &slackChannel{id: dm(u.ID), member: true}
}

func dm(user string) string { return "D" + strings.TrimLeft(user, "UW") }

// Faults is what goes wrong.
func (s *Slack) Faults() *Faults { return &s.faults }

// Messages lists what stands in a channel, or in the conversation with a user,
// in order.
func (s *Slack) Messages(where string) []SlackMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.channel(where)
	if c == nil {
		return nil
	}
	return slices.Clone(c.messages)
}

// Channels lists the channels and direct conversations.
func (s *Slack) Channels() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]string, 0, len(s.channels))
	for id := range s.channels {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// channel finds a conversation by its id or a user's. The lock is held.
func (s *Slack) channel(id string) *slackChannel {
	if c := s.channels[id]; c != nil {
		return c
	}
	if _, ok := s.users[id]; ok {
		return s.channels[dm(id)]
	}
	return nil
}

// maxSlack bounds a request, in bytes.
const maxSlack = 1 << 20

// ServeHTTP answers the methods and the addresses for answers.
func (s *Slack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxSlack+1))
	if err != nil || len(body) > maxSlack {
		write(w, reply{status: http.StatusRequestEntityTooLarge})
		return
	}
	if id, ok := strings.CutPrefix(r.URL.Path, "/actions/"); ok {
		serve(&s.faults, w, r, OpSlackRespond, func() reply { return s.respond(id, r, body) }, nil)
		return
	}
	method, ok := strings.CutPrefix(r.URL.Path, "/api/")
	if !ok {
		write(w, reply{status: http.StatusNotFound})
		return
	}
	op := Op(method)
	serve(&s.faults, w, r, op, func() reply { return s.call(op, r, body) }, slackError)
}

func slackError(code string) reply { return slackReply(map[string]any{"ok": false, "error": code}) }

func slackReply(v any) reply {
	raw, _ := json.Marshal(v)
	return reply{status: http.StatusOK, contentType: "application/json; charset=utf-8", body: string(raw)}
}

func (s *Slack) call(op Op, r *http.Request, body []byte) reply {
	form, err := url.ParseQuery(string(body))
	if err != nil || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return slackError("invalid_post_type")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	token := form.Get("token")
	if t, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		token = t
	}
	switch {
	case token == "":
		return slackError("not_authed")
	case token != s.token:
		return slackError("invalid_auth")
	}
	switch op {
	case OpSlackAuth:
		return slackReply(map[string]any{"ok": true, "url": "https://baton.slack.test/", "team": "Baton", "team_id": s.team, "user": "baton", "user_id": "U0BATON", "bot_id": "B0BATON"})
	case OpSlackPost:
		return s.scoped("chat:write", s.post, form)
	case OpSlackUpdate:
		return s.scoped("chat:write", s.update, form)
	case OpSlackHistory:
		return s.scoped("history", s.history, form)
	case OpSlackOpen:
		return s.scoped("im:write", s.open, form)
	case OpSlackByEmail:
		return s.scoped("users:read.email", s.byEmail, form)
	case OpSlackUser:
		return s.scoped("users:read", s.user, form)
	default:
		return slackError("unknown_method")
	}
}

func (s *Slack) scoped(scope string, do func(url.Values) reply, form url.Values) reply {
	if !s.scopes[scope] {
		return slackError("missing_scope")
	}
	return do(form)
}

// stamp makes the next ts: no two messages of a channel share one.
func (s *Slack) stamp() string {
	s.seq++
	return strconv.FormatInt(s.now().Unix(), 10) + fmt.Sprintf(".%06d", s.seq%1_000_000)
}

func (s *Slack) post(form url.Values) reply {
	c := s.channel(form.Get("channel"))
	switch {
	case c == nil:
		return slackError("channel_not_found")
	case c.archived:
		return slackError("is_archived")
	case !c.member:
		return slackError("not_in_channel")
	}
	m := SlackMessage{Channel: c.id, TS: s.stamp()}
	if code := m.fill(form); code != "" {
		return slackError(code)
	}
	c.messages = append(c.messages, m)
	return slackReply(map[string]any{"ok": true, "channel": c.id, "ts": m.TS, "message": map[string]any{"text": m.Text, "ts": m.TS}})
}

func (s *Slack) update(form url.Values) reply {
	c := s.channels[form.Get("channel")] // an id of a user will not do
	if c == nil {
		return slackError("channel_not_found")
	}
	for i := range c.messages {
		if m := &c.messages[i]; m.TS == form.Get("ts") {
			changed := *m
			if code := changed.fill(form); code != "" {
				return slackError(code)
			}
			changed.Edits++
			*m = changed
			return slackReply(map[string]any{"ok": true, "channel": c.id, "ts": m.TS, "text": m.Text})
		}
	}
	return slackError("message_not_found")
}

func (s *Slack) history(form url.Values) reply {
	c := s.channels[form.Get("channel")]
	if c == nil {
		return slackError("channel_not_found")
	}
	if !c.member {
		return slackError("not_in_channel")
	}
	limit, _ := strconv.Atoi(form.Get("limit"))
	if limit <= 0 || limit > s.pageCap {
		limit = s.pageCap
	}
	skip, _ := strconv.Atoi(strings.TrimPrefix(form.Get("cursor"), "skip:"))
	var found []map[string]any
	for _, m := range slices.Backward(c.messages) {
		if m.TS < form.Get("oldest") || m.Private != "" {
			continue
		}
		v := map[string]any{"type": "message", "ts": m.TS, "text": m.Text, "bot_id": "B0BATON"}
		if form.Get("include_all_metadata") == "1" && len(m.Metadata) > 0 {
			v["metadata"] = m.Metadata
		}
		found = append(found, v)
	}
	found = found[min(skip, len(found)):]
	res := map[string]any{"ok": true, "messages": found[:min(limit, len(found))], "has_more": len(found) > limit}
	if len(found) > limit {
		res["response_metadata"] = map[string]any{"next_cursor": "skip:" + strconv.Itoa(skip+limit)}
	}
	return slackReply(res)
}

func (s *Slack) open(form url.Values) reply {
	if _, ok := s.users[form.Get("users")]; !ok {
		return slackError("user_not_found")
	}
	return slackReply(map[string]any{"ok": true, "channel": map[string]any{"id": dm(form.Get("users"))}})
}

func (s *Slack) byEmail(form url.Values) reply {
	for _, u := range s.users {
		if strings.EqualFold(u.Email, form.Get("email")) && u.Email != "" && !u.Deleted {
			return s.userReply(u)
		}
	}
	return slackError("users_not_found")
}

func (s *Slack) user(form url.Values) reply {
	u, ok := s.users[form.Get("user")]
	if !ok {
		return slackError("user_not_found")
	}
	return s.userReply(u)
}

func (s *Slack) userReply(u SlackUser) reply {
	team := s.team
	if u.Stranger {
		team = "T0OTHER"
	}
	return slackReply(map[string]any{"ok": true, "user": map[string]any{
		"id": u.ID, "team_id": team, "name": u.Name, "real_name": u.Name, "deleted": u.Deleted, "is_bot": u.Bot, "is_stranger": u.Stranger,
		"is_email_confirmed": u.Email != "" && !u.Unconfirmed, "profile": map[string]any{"email": u.Email, "real_name": u.Name},
	}})
}

// fill reads a message's content, and returns Slack's name of what is wrong
// with it.
func (m *SlackMessage) fill(form url.Values) string {
	text, blocks := form.Get("text"), form.Get("blocks")
	if text == "" && blocks == "" {
		return "no_text"
	}
	if len([]rune(text)) > 40000 {
		return "msg_too_long"
	}
	if mrkdwn(text) != nil {
		return "invalid_arguments"
	}
	if meta := form.Get("metadata"); meta != "" {
		var v struct {
			EventType    string         `json:"event_type"`
			EventPayload map[string]any `json:"event_payload"`
		}
		if json.Unmarshal([]byte(meta), &v) != nil || v.EventType == "" || v.EventPayload == nil {
			return "invalid_metadata_format"
		}
		m.Metadata = json.RawMessage(meta)
	}
	buttons, err := readBlocks([]byte(blocks))
	if err != nil {
		return "invalid_blocks"
	}
	m.Text, m.Blocks, m.Buttons = text, json.RawMessage(blocks), buttons
	return ""
}

// CheckBlocks says what is wrong with the blocks of a message, by Slack's
// limits and more: a mention or link in them that Baton did not make is an
// error.
func CheckBlocks(raw []byte) error {
	_, err := readBlocks(raw)
	return err
}

func readBlocks(raw []byte) (map[string]string, error) {
	var blocks []object
	if err := json.Unmarshal(raw, &blocks); err != nil || len(blocks) == 0 || len(blocks) > 50 {
		return nil, errors.New("there are no blocks, or more than 50")
	}
	buttons := map[string]string{}
	for _, b := range blocks {
		if err := readBlock(b, buttons); err != nil {
			return nil, err
		}
	}
	return buttons, nil
}

func readBlock(b object, buttons map[string]string) error {
	if len(b.text("block_id")) > 255 {
		return errors.New("a block_id is too long")
	}
	switch kind := b.text("type"); kind {
	case "header":
		if err := b.only("a header", "type!", "block_id", "text!"); err != nil {
			return err
		}
		return text(b.object("text"), "plain_text", 150)
	case "section":
		if err := b.only("a section", "type!", "block_id", "text", "fields"); err != nil {
			return err
		}
		fields := b.list("fields")
		if b["text"] == nil && len(fields) == 0 || len(fields) > 10 {
			return errors.New("a section has neither text nor fields, or too many fields")
		}
		if b["text"] != nil {
			if err := text(b.object("text"), "", 3000); err != nil {
				return err
			}
		}
		for _, f := range fields {
			if err := text(f, "", 2000); err != nil {
				return err
			}
		}
	case "context":
		if err := b.only("a context", "type!", "block_id", "elements!"); err != nil {
			return err
		}
		elements := b.list("elements")
		if len(elements) == 0 || len(elements) > 10 {
			return errors.New("a context has no elements, or more than 10")
		}
		for _, e := range elements {
			if err := text(e, "", 2000); err != nil {
				return err
			}
		}
	case "actions":
		if err := b.only("an actions block", "type!", "block_id", "elements!"); err != nil {
			return err
		}
		elements := b.list("elements")
		if len(elements) == 0 || len(elements) > 25 {
			return errors.New("an actions block has no elements, or more than 25")
		}
		for _, e := range elements {
			if err := button(e, buttons); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("the block %q is not known", kind)
	}
	return nil
}

func button(e object, buttons map[string]string) error {
	if err := e.only("a button", "type!", "action_id!", "text!", "value", "url", "style"); err != nil {
		return err
	}
	id := e.text("action_id")
	if e.text("type") != "button" || id == "" || len(id) > 255 || len(e.text("value")) > 2000 || len(e.text("url")) > 3000 {
		return errors.New("a button's type, action_id, value or url is not in order")
	}
	if _, twice := buttons[id]; twice {
		return errors.New("an action_id is there twice")
	}
	if u := e.text("url"); e["url"] != nil && !strings.HasPrefix(u, "https://") && !strings.HasPrefix(u, "http://") {
		return errors.New("a button's url is not a web address")
	}
	if s := e.text("style"); e["style"] != nil && s != "primary" && s != "danger" {
		return errors.New("a button's style is unknown")
	}
	buttons[id] = e.text("value")
	return text(e.object("text"), "plain_text", 75)
}

// text checks a text object: its type, when that matters, and length.
func text(o object, kind string, limit int) error {
	if err := o.only("a text", "type!", "text!", "emoji", "verbatim"); err != nil {
		return err
	}
	t, s := o.text("type"), o.text("text")
	switch {
	case t != "plain_text" && t != "mrkdwn" || kind != "" && t != kind:
		return fmt.Errorf("a text of type %q is not allowed here", t)
	case t == "mrkdwn" && o["emoji"] != nil, t == "plain_text" && o["verbatim"] != nil:
		return errors.New("a text has a member that its type does not")
	case strings.TrimSpace(s) == "" || len([]rune(s)) > limit:
		return fmt.Errorf("a text is empty, or longer than %d", limit)
	case t == "mrkdwn":
		return mrkdwn(s)
	}
	return nil
}

// mrkdwn checks that what Slack gives a meaning to is whole: entities, and
// links with a label. Anything else in angle brackets, such as <!channel>, is
// refused: no message of ours should have it.
func mrkdwn(s string) error {
	for rest := s; ; {
		i := strings.IndexAny(rest, "<>&")
		if i < 0 {
			return nil
		}
		rest = rest[i:]
		switch rest[0] {
		case '&':
			if !strings.HasPrefix(rest, "&amp;") && !strings.HasPrefix(rest, "&lt;") && !strings.HasPrefix(rest, "&gt;") {
				return errors.New("there is an & that is not escaped")
			}
			rest = rest[1:]
		case '>':
			return errors.New("there is a > that is not escaped")
		default:
			link, after, ok := strings.Cut(rest[1:], ">")
			target, label, labelled := strings.Cut(link, "|")
			if !ok || !labelled || label == "" || !strings.HasPrefix(target, "https://") && !strings.HasPrefix(target, "http://") {
				return errors.New("there is a < that is not escaped, or a mention")
			}
			rest = after
		}
	}
}

// Press is a press of a button. It may be delivered more than once.
type Press struct {
	slack *Slack
	// Body is the request's, and Payload the JSON in it.
	Body    []byte
	Payload []byte
}

// Press lets a user press a button of a message. Base is where this server is,
// such as http://127.0.0.1:8091, for the address to answer at.
func (s *Slack) Press(base, where, ts, user, action string) (*Press, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.channel(where)
	if c == nil {
		return nil, errors.New("there is no such channel")
	}
	i := slices.IndexFunc(c.messages, func(m SlackMessage) bool { return m.TS == ts })
	if i < 0 {
		return nil, errors.New("there is no such message")
	}
	m := c.messages[i]
	value, ok := m.Buttons[action]
	if !ok {
		return nil, errors.New("the message has no such button")
	}
	u, ok := s.users[user]
	if !ok {
		return nil, errors.New("there is no such user")
	}
	team := s.team
	if u.Stranger {
		team = "T0OTHER"
	}
	id := rand.Text()
	s.answers[id] = &slackAnswer{channel: c.id, ts: ts, user: user, until: s.now().Add(30 * time.Minute), left: 5}
	payload, err := json.Marshal(map[string]any{
		"type": "block_actions", "api_app_id": "A0BATON", "token": "deprecated", "trigger_id": rand.Text(),
		"team": map[string]any{"id": s.team, "domain": "baton"}, "enterprise": nil, "is_enterprise_install": false,
		"user":    map[string]any{"id": u.ID, "username": u.Name, "name": u.Name, "team_id": team},
		"channel": map[string]any{"id": c.id, "name": "channel"},
		"message": map[string]any{"type": "message", "ts": m.TS, "text": m.Text, "blocks": m.Blocks},
		"container": map[string]any{
			"type": "message", "message_ts": m.TS, "channel_id": c.id, "is_ephemeral": false,
		},
		"state":        map[string]any{"values": map[string]any{}},
		"response_url": base + "/actions/" + id,
		"actions": []map[string]any{{
			"action_id": action, "block_id": "baton", "type": "button", "value": value, "action_ts": s.stamp(),
			"text": map[string]any{"type": "plain_text", "text": action},
		}},
	})
	if err != nil {
		return nil, err
	}
	return &Press{slack: s, Payload: payload, Body: []byte(url.Values{"payload": {string(payload)}}.Encode())}, nil
}

// Header signs the press as of now.
func (p *Press) Header() http.Header {
	p.slack.mu.Lock()
	defer p.slack.mu.Unlock()
	stamp := strconv.FormatInt(p.slack.now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(p.slack.signing))
	_, _ = mac.Write([]byte("v0:" + stamp + ":"))
	_, _ = mac.Write(p.Body)
	return http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "X-Slack-Request-Timestamp": {stamp},
		"X-Slack-Signature": {"v0=" + hex.EncodeToString(mac.Sum(nil))},
	}
}

// Deliver tells the app's interactivity address of the press, once. An answer
// other than 200, or none within three seconds, is an error, as the user would
// see one.
func (p *Press) Deliver(ctx context.Context, client *http.Client, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(p.Body))
	if err != nil {
		return err
	}
	req.Header = p.Header()
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxSlack))
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the press was answered with %d", res.StatusCode)
	}
	return nil
}

// respond takes an answer to a press.
func (s *Slack) respond(id string, r *http.Request, body []byte) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.answers[id]
	if a == nil || a.left == 0 || s.now().After(a.until) {
		return reply{status: http.StatusNotFound, contentType: "application/json", body: `{"ok":false,"error":"used_url"}`}
	}
	var v object
	if r.Method != http.MethodPost || !jsonType(r) || json.Unmarshal(body, &v) != nil ||
		v.only("the answer", "replace_original", "response_type", "text!", "blocks") != nil {
		return reply{status: http.StatusBadRequest, contentType: "application/json", body: `{"ok":false,"error":"invalid_payload"}`}
	}
	a.left--
	form := url.Values{"text": {v.text("text")}, "blocks": {string(v["blocks"])}}
	c := s.channels[a.channel]
	if string(v["replace_original"]) == "true" {
		for i := range c.messages {
			if m := &c.messages[i]; m.TS == a.ts {
				changed := *m
				if code := changed.fill(form); code != "" {
					return reply{status: http.StatusBadRequest, body: code}
				}
				changed.Edits++
				*m = changed
			}
		}
		return reply{status: http.StatusOK, body: "ok"}
	}
	if v.text("response_type") != "ephemeral" || mrkdwn(v.text("text")) != nil {
		return reply{status: http.StatusBadRequest, body: "invalid_payload"}
	}
	c.messages = append(c.messages, SlackMessage{Channel: c.id, TS: s.stamp(), Text: v.text("text"), Private: a.user})
	return reply{status: http.StatusOK, body: "ok"}
}
