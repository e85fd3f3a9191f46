package psatest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/secrets"
)

// HaloPSA fakes HaloPSA: bodies are arrays, tokens expire, errors have no fixed
// shape.
type HaloPSA struct {
	desk *Desk

	mu        sync.Mutex
	secret    string
	rotations int
	tokens    int // how many were given out
	withdrawn int // how many of them, the first ones, are no longer good
	shape     int
	short     bool
}

// The parts of the fake's credentials that never change, and the outcome that
// its API agent may use.
const (
	haloClient  = "halo-client-id"
	haloWebhook = "halo-webhook-secret"
	haloTenant  = "demo"
	haloToken   = "token-of-halo-"
	// HaloPrivateNote is the outcome that the fake's API agent may use.
	HaloPrivateNote = 7
)

// NewHaloPSA makes a fake with two ticket types whose statuses differ.
func NewHaloPSA() *HaloPSA {
	return &HaloPSA{
		desk: newDesk(nil, []Board{
			{ID: 1, Name: "Incident", Statuses: []Status{
				{ID: 1, Name: "New"}, {ID: 2, Name: "In Progress"}, {ID: 23, Name: "Escalated"}, {ID: 9, Name: "Completed", Closed: true},
			}},
			{ID: 2, Name: "Change", Statuses: []Status{
				{ID: 31, Name: "New"}, {ID: 32, Name: "In Progress"}, {ID: 33, Name: "Escalated"}, {ID: 34, Name: "Closed", Closed: true},
			}},
		}),
		secret: "halo-client-secret-0",
	}
}

// Desk is what is in it.
func (s *HaloPSA) Desk() *Desk { return s.desk }

// Connection is a connection to it.
func (s *HaloPSA) Connection(address string) psa.Connection {
	s.mu.Lock()
	defer s.mu.Unlock()
	return psa.Connection{
		Kind: psa.KindHaloPSA, Address: address, Options: psa.Options{OutcomeID: HaloPrivateNote},
		Credentials: psa.Credentials{
			psa.CredClientID: haloClient, psa.CredClientSecret: secrets.Secret(s.secret), psa.CredTenant: haloTenant, psa.CredWebhookSecret: haloWebhook,
		},
	}
}

// RotateCredentials makes the client secret bad, and the tokens with it.
func (s *HaloPSA) RotateCredentials() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rotations++
	s.secret = "halo-client-secret-" + strconv.Itoa(s.rotations)
	s.withdrawn = s.tokens
}

// ExpireTokens withdraws the tokens that were given out.
func (s *HaloPSA) ExpireTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.withdrawn = s.tokens
}

// AnswerShort makes updates be answered with an object that has only the id,
// in place of an array.
func (s *HaloPSA) AnswerShort() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.short = true
}

// Callback makes a webhook, which holds a password.
func (s *HaloPSA) Callback(_ string, ticketID int64, action psa.Action) (http.Header, []byte) {
	event := map[psa.Action]string{psa.ActionCreated: "New Ticket Logged", psa.ActionUpdated: "Ticket Updated", psa.ActionDeleted: "Ticket Deleted"}[action]
	body, _ := json.Marshal(map[string]any{
		"id": "9f1c0a2e-0000-4000-8000-000000000003", "webhook_id": "1", "event": event, "timestamp": "2026-01-02T03:04:05Z",
		"object_id": ticketID, "ticket": map[string]any{"id": ticketID, "status_id": 9},
	})
	return s.Sign(body), body
}

// Sign makes the headers of a webhook. Halo signs nothing; it sends a password.
func (s *HaloPSA) Sign([]byte) http.Header {
	return http.Header{
		"Content-Type":  {"application/json"},
		"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("baton:"+haloWebhook))},
	}
}

// ServeHTTP answers as HaloPSA.
func (s *HaloPSA) ServeHTTP(w http.ResponseWriter, r *http.Request) { serve(w, r, s.desk, s) }

var haloTicket = regexp.MustCompile(`^/Tickets/(\d+)$`)

func (s *HaloPSA) route(r *http.Request) (Op, string, string) {
	if r.URL.Path == "/auth/token" {
		return OpSignIn, "", r.URL.Path
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/api")
	if !ok {
		return OpUnknown, "", r.URL.Path
	}
	op := OpUnknown
	switch {
	case haloTicket.MatchString(path):
		op = OpTicket
	case path == "/Tickets" && r.Method == http.MethodPost:
		op = OpUpdate
	case path == "/Actions" && r.Method == http.MethodPost:
		op = OpAddNote
	case path == "/Actions":
		op = OpNotes
	case path == "/Status", path == "/Agent":
		op = OpNames
	}
	return op, "", path
}

// error says something in one of Halo's shapes, each in turn.
func (s *HaloPSA) error(status int, message string) reply {
	s.mu.Lock()
	s.shape++
	shape := s.shape % 5
	s.mu.Unlock()
	res := reply{status: status}
	switch shape {
	case 0:
		res.body = map[string]any{"resultCode": "X", "errorMessage": message}
	case 1:
		res.body = map[string]any{"ClassName": "System.Exception", "Message": message}
	case 2:
		res.body = map[string]any{"Message": message}
	case 3:
		res.body = message // a JSON string
	default:
		res.header = http.Header{"Content-Type": {"text/plain"}}
		res.body = raw(message)
	}
	return res
}

func (s *HaloPSA) failure(status int) reply {
	return s.error(status, "Object reference not set to an instance of an object.")
}

func (s *HaloPSA) credentials() reply {
	return reply{status: http.StatusUnauthorized, body: map[string]any{"error": "invalid_token"}}
}

func (s *HaloPSA) permission() reply {
	return s.error(http.StatusForbidden, "You do not have permission to do this.")
}

func (s *HaloPSA) limited(retryAfter string) reply {
	res := s.error(http.StatusTooManyRequests, "Too many requests")
	if retryAfter != "" {
		if res.header == nil {
			res.header = http.Header{}
		}
		res.header.Set("Retry-After", retryAfter)
	}
	return res
}

func (s *HaloPSA) crowded(string, int) (reply, bool) { return reply{}, false }

func (s *HaloPSA) signIn(c call) reply {
	form, err := parseForm(c.body)
	if c.r.Method != http.MethodPost || err != nil || !strings.HasPrefix(c.r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return reply{status: http.StatusBadRequest, body: map[string]any{"error": "invalid_request"}}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case form.Get("grant_type") != "client_credentials":
		return reply{status: http.StatusBadRequest, body: map[string]any{"error": "unsupported_grant_type"}}
	case form.Get("client_id") != haloClient, form.Get("client_secret") != s.secret, c.r.URL.Query().Get("tenant") != haloTenant:
		return reply{status: http.StatusBadRequest, body: map[string]any{"error": "invalid_client", "error_description": "The specified client credentials are invalid."}}
	case form.Get("scope") == "":
		return reply{status: http.StatusBadRequest, body: map[string]any{"error": "invalid_scope"}}
	}
	s.tokens++
	return ok(map[string]any{
		"scope": "all", "token_type": "Bearer", "access_token": haloToken + strconv.Itoa(s.tokens), "expires_in": 3600, "refresh_token": "refresh", "id_token": "id",
	})
}

// accepts reports whether a token is good. One does not end with the next:
// several processes, each with its own, work for one connection.
func (s *HaloPSA) accepts(authorization string) bool {
	number, found := strings.CutPrefix(authorization, "Bearer "+haloToken)
	n, err := strconv.Atoi(number)
	return found && err == nil && n > s.withdrawn && n <= s.tokens
}

func (s *HaloPSA) answer(c call) reply {
	if c.op == OpSignIn {
		return s.signIn(c)
	}
	s.mu.Lock()
	good := s.accepts(c.r.Header.Get("Authorization"))
	short := s.short
	s.mu.Unlock()
	if !good {
		return s.credentials()
	}
	want := http.MethodGet
	if c.op == OpAddNote || c.op == OpUpdate {
		want = http.MethodPost
	}
	if c.op == OpUnknown || c.r.Method != want {
		return s.error(http.StatusNotFound, "Not found")
	}
	if want == http.MethodPost && !strings.HasPrefix(c.r.Header.Get("Content-Type"), "application/json") {
		return s.error(http.StatusUnsupportedMediaType, "Unsupported media type")
	}
	d := s.desk
	d.mu.Lock()
	defer d.mu.Unlock()
	switch c.op {
	case OpTicket:
		t := d.tickets[number(haloTicket.FindStringSubmatch(c.path)[1])]
		if t == nil {
			return s.error(http.StatusNotFound, "Ticket not found")
		}
		return ok(s.render(t))
	case OpNames:
		return s.names(c)
	case OpNotes:
		return s.notes(c)
	case OpAddNote:
		return s.addNote(c)
	default:
		return s.update(c, short)
	}
}

func (s *HaloPSA) render(t *Ticket) map[string]any {
	st, _ := s.desk.status(t.BoardID, t.StatusID)
	agent := t.OwnerID
	if agent == 0 {
		agent = 1 // Unassigned
	}
	return map[string]any{
		"id": t.ID, "summary": t.Summary, "details": "", "status_id": t.StatusID, "agent_id": agent, "tickettype_id": t.BoardID,
		"hasbeenclosed": st.Closed, "last_update": t.UpdatedAt.Format("2006-01-02T15:04:05.999"),
	}
}

func (s *HaloPSA) names(c call) reply {
	var all []map[string]any
	if c.path == "/Agent" {
		all = append(all, map[string]any{"id": 1, "name": "Unassigned", "isdisabled": false})
		for _, p := range s.desk.people {
			all = append(all, map[string]any{"id": p.ID, "name": p.Identifier, "email": p.Email, "isdisabled": p.Inactive})
		}
		return ok(all)
	}
	wanted := number(c.r.URL.Query().Get("tickettype_id"))
	for _, b := range s.desk.boards {
		if wanted != 0 && b.ID != wanted {
			continue
		}
		for _, st := range b.Statuses {
			if !st.Inactive {
				all = append(all, map[string]any{"id": st.ID, "name": st.Name, "shortname": st.Name, "type": 0})
			}
		}
	}
	return ok(append([]map[string]any{}, all...))
}

func (s *HaloPSA) renderAction(t *Ticket, n Note, withHTML bool) map[string]any {
	out := map[string]any{
		"id": n.ID, "ticket_id": t.ID, "outcome": "Private Note", "outcome_id": HaloPrivateNote, "who": "API Agent",
		"note": haloText(n.Text), "hiddenfromuser": !n.CustomerVisible, "datetime": n.At.Format(time.RFC3339),
	}
	if withHTML {
		out["note_html"] = n.Text
	}
	return out
}

// haloText is the text of a note's HTML.
func haloText(s string) string {
	var b strings.Builder
	inTag := false
	for _, r := range s {
		switch {
		case r == '<':
			inTag = true
			b.WriteByte(' ')
		case r == '>' && inTag:
			inTag = false
		case !inTag:
			b.WriteRune(r)
		}
	}
	return html.UnescapeString(b.String())
}

func (s *HaloPSA) notes(c call) reply {
	q := c.r.URL.Query()
	t := s.desk.tickets[number(q.Get("ticket_id"))]
	if t == nil {
		return s.error(http.StatusNotFound, "Ticket not found")
	}
	notes := slices.Clone(t.Notes)
	slices.Reverse(notes)
	size, no := number(q.Get("page_size")), max(number(q.Get("page_no")), 1)
	if q.Get("pageinate") != "true" {
		size, no = max(number(q.Get("count")), 50), 1
	}
	if size <= 0 || size > 100 {
		size = 50
	}
	total := int64(len(notes))
	all := []map[string]any{}
	for _, n := range notes[min((no-1)*size, total):min(no*size, total)] {
		all = append(all, s.renderAction(t, n, q.Get("includehtmlnote") == "true"))
	}
	return ok(map[string]any{"record_count": total, "actions": all})
}

// one reads a body that must be an array of one object.
func one(body []byte) (map[string]json.RawMessage, bool) {
	var all []map[string]json.RawMessage
	if json.Unmarshal(body, &all) != nil || len(all) != 1 {
		return nil, false
	}
	return all[0], true
}

const haloNotArray = "Cannot deserialize the current JSON object into type 'List`1' because the type requires a JSON array."

func (s *HaloPSA) addNote(c call) reply {
	o, isArray := one(c.body)
	if !isArray {
		return s.error(http.StatusBadRequest, haloNotArray)
	}
	get := func(name string, v any) { _ = json.Unmarshal(o[name], v) }
	var (
		ticket, outcome int64
		hidden, mail    bool
		text            string
	)
	get("ticket_id", &ticket)
	get("outcome_id", &outcome)
	get("hiddenfromuser", &hidden)
	get("sendemail", &mail)
	get("note_html", &text)
	t := s.desk.tickets[ticket]
	switch {
	case t == nil:
		return s.error(http.StatusNotFound, "Ticket not found")
	case outcome != 0 && outcome != HaloPrivateNote:
		return reply{status: http.StatusBadRequest, body: "You do not have access to this Action at the moment."}
	case strings.TrimSpace(text) == "":
		return s.error(http.StatusBadRequest, "Please enter a note.")
	case mail:
		return s.error(http.StatusBadRequest, "There is no address to send this to.")
	}
	made := s.desk.addNote(t, Note{Text: text, CustomerVisible: !hidden, API: true})
	return reply{status: http.StatusCreated, body: s.renderAction(t, made, true)}
}

func (s *HaloPSA) update(c call, short bool) reply {
	o, isArray := one(c.body)
	if !isArray {
		return s.error(http.StatusBadRequest, haloNotArray)
	}
	var id int64
	_ = json.Unmarshal(o["id"], &id)
	t := s.desk.tickets[id]
	if t == nil {
		return s.error(http.StatusNotFound, "Ticket not found")
	}
	next := *t
	if v, found := o["status_id"]; found {
		status := number(string(v))
		if _, known := s.desk.status(t.BoardID, status); !known {
			return s.error(http.StatusBadRequest, fmt.Sprintf("Status %d is not allowed for this ticket type.", status))
		}
		next.StatusID = status
	}
	if v, found := o["agent_id"]; found {
		p, known := s.desk.person(number(string(v)))
		if !known || p.Inactive {
			return s.error(http.StatusBadRequest, "The agent is not valid.")
		}
		next.OwnerID = p.ID
	}
	if !c.pretend {
		next.UpdatedAt = s.desk.now().UTC()
		*t = next
	}
	if short {
		return ok(map[string]any{"id": strconv.FormatInt(t.ID, 10)})
	}
	return reply{status: http.StatusCreated, body: []any{s.render(t)}}
}
