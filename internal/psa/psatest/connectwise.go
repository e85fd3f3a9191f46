package psatest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
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

// ConnectWise fakes ConnectWise PSA. It is strict where the real one is: the
// members of a note, the statuses of a board, the headers, the codebase.
type ConnectWise struct {
	desk *Desk

	mu         sync.Mutex
	codebase   string
	privateKey string
	rotations  int
}

// The fake's company and the parts of its credentials that never change.
const (
	cwCompany   = "demo"
	cwPublicKey = "pubkey-demo"
	cwClientID  = "5d2f4b1e-0000-4000-8000-000000000001"
	cwKey       = "callback-signing-key-of-demo"
	cwKeyPath   = "/system/callbackkeys/demo"
)

// NewConnectWise makes a fake with two boards whose statuses differ.
func NewConnectWise() *ConnectWise {
	return &ConnectWise{
		desk: newDesk(nil, []Board{
			{ID: 1, Name: "Service Desk", Statuses: []Status{
				{ID: 101, Name: "New"},
				{ID: 102, Name: "In Progress"},
				{ID: 103, Name: "Escalated"},
				{ID: 104, Name: "Completed", Closed: true},
				{ID: 105, Name: "Retired", Inactive: true},
			}},
			{ID: 2, Name: "Network", Statuses: []Status{
				{ID: 201, Name: "New"},
				{ID: 202, Name: "In Progress"},
				{ID: 203, Name: "Escalated"},
				{ID: 204, Name: "Closed", Closed: true},
			}},
		}),
		codebase: "v2025_1", privateKey: "privkey-demo-0",
	}
}

// Desk is what is in it.
func (s *ConnectWise) Desk() *Desk { return s.desk }

// Connection is a connection to it.
func (s *ConnectWise) Connection(address string) psa.Connection {
	s.mu.Lock()
	defer s.mu.Unlock()
	return psa.Connection{Kind: psa.KindConnectWise, Address: address, Credentials: psa.Credentials{
		psa.CredCompanyID: cwCompany, psa.CredPublicKey: cwPublicKey, psa.CredPrivateKey: secrets.Secret(s.privateKey), psa.CredClientID: cwClientID,
	}}
}

// RotateCredentials makes the private key bad.
func (s *ConnectWise) RotateCredentials() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rotations++
	s.privateKey = "privkey-demo-" + strconv.Itoa(s.rotations)
}

// Upgrade changes the codebase, as an upgrade does: the old paths are gone.
func (s *ConnectWise) Upgrade() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codebase += "x"
}

// Callback makes a signed callback.
func (s *ConnectWise) Callback(address string, ticketID int64, action psa.Action) (http.Header, []byte) {
	s.mu.Lock()
	keyURL := address + "/" + s.codebase + "/apis/3.0" + cwKeyPath
	s.mu.Unlock()
	verb := map[psa.Action]string{psa.ActionCreated: "added", psa.ActionUpdated: "updated", psa.ActionDeleted: "deleted"}[action]
	body, _ := json.Marshal(map[string]any{
		"ID": ticketID, "Action": verb, "Type": "ticket", "Entity": `{"id":` + strconv.FormatInt(ticketID, 10) + `}`,
		"MemberId": "sam", "CompanyId": cwCompany, "Metadata": map[string]string{"key_url": keyURL}, "FromUrl": address,
	})
	return s.Sign(body), body
}

// Sign signs a callback's body.
func (s *ConnectWise) Sign(body []byte) http.Header {
	key := sha256.Sum256([]byte(cwKey))
	mac := hmac.New(sha256.New, key[:])
	mac.Write(body)
	return http.Header{
		"Content-Type":        {"application/json"},
		"X-Content-Signature": {base64.StdEncoding.EncodeToString(mac.Sum(nil))},
	}
}

// ServeHTTP answers as ConnectWise PSA.
func (s *ConnectWise) ServeHTTP(w http.ResponseWriter, r *http.Request) { serve(w, r, s.desk, s) }

var (
	cwTicket   = regexp.MustCompile(`^/service/tickets/(\d+)$`)
	cwNotes    = regexp.MustCompile(`^/service/tickets/(\d+)/notes$`)
	cwStatuses = regexp.MustCompile(`^/service/boards/(\d+)/statuses$`)
	cwProject  = regexp.MustCompile(`^/project/tickets/(\d+)$`)
)

func (s *ConnectWise) route(r *http.Request) (Op, string, string) {
	if strings.HasPrefix(r.URL.Path, "/login/companyinfo/") {
		return OpDiscover, "", r.URL.Path
	}
	_, path, ok := strings.Cut(r.URL.Path, "/apis/3.0")
	if !ok {
		return OpUnknown, "", r.URL.Path
	}
	op := OpUnknown
	switch {
	case cwTicket.MatchString(path) && r.Method == http.MethodPatch:
		op = OpUpdate
	case cwTicket.MatchString(path), cwProject.MatchString(path):
		op = OpTicket
	case cwNotes.MatchString(path) && r.Method == http.MethodPost:
		op = OpAddNote
	case cwNotes.MatchString(path):
		op = OpNotes
	case path == "/service/tickets":
		op = OpTickets
	case path == "/system/info":
		op = OpInfo
	case path == cwKeyPath:
		op = OpKey
	case strings.HasPrefix(path, "/service/boards"), path == "/system/info/members":
		op = OpNames
	}
	return op, "", path
}

func cwError(status int, code, message string, details ...map[string]string) reply {
	body := map[string]any{"code": code, "message": message, "errors": nil}
	if len(details) > 0 {
		body["errors"] = details
	}
	return reply{status: status, header: http.Header{"X-Cw-Request-Id": {"7afd5c02-98d1-44e2-96b5-972e3b6182b5"}}, body: body}
}

func (s *ConnectWise) failure(status int) reply {
	return cwError(status, "ConnectWiseApi", "Length cannot be less than zero.\r\nParameter name: length")
}

func (s *ConnectWise) credentials() reply {
	return cwError(http.StatusUnauthorized, "ConnectWiseApi", "UserNotAuthenticated")
}

func (s *ConnectWise) permission() reply {
	return cwError(http.StatusForbidden, "ConnectWiseApi", "UserNotAuthorized")
}

func (s *ConnectWise) limited(retryAfter string) reply {
	res := reply{status: http.StatusTooManyRequests, header: http.Header{}, body: map[string]string{
		"error": "ConnectWiseAPI", "message": "Too many requests. Please try again in 30 seconds.",
	}}
	if retryAfter != "" {
		res.header.Set("Retry-After", retryAfter)
	}
	return res
}

func (s *ConnectWise) crowded(string, int) (reply, bool) { return reply{}, false }

func (s *ConnectWise) answer(c call) reply {
	s.mu.Lock()
	codebase, privateKey := s.codebase, s.privateKey
	s.mu.Unlock()
	if c.op == OpDiscover {
		if c.path != "/login/companyinfo/"+cwCompany {
			return ok(raw("null")) // an unknown company
		}
		return ok(map[string]any{
			"CompanyName": "Demo MSP", "Codebase": codebase + "/", "VersionCode": codebase, "VersionNumber": "v4.6.1", "CompanyID": cwCompany, "IsCloud": false,
		})
	}
	if !strings.HasPrefix(c.r.URL.Path, "/"+codebase+"/apis/3.0") {
		return reply{
			status: http.StatusNotFound, header: http.Header{"Content-Type": {"text/html"}},
			body: raw("<html><body>404 - File or directory not found.</body></html>"),
		}
	}
	if c.op == OpKey {
		key, _ := json.Marshal(map[string]string{"signing_key": cwKey})
		return ok(string(key)) // JSON inside a JSON string
	}
	user, password, _ := c.r.BasicAuth()
	if user != cwCompany+"+"+cwPublicKey || password != privateKey || c.r.Header.Get("clientId") != cwClientID {
		return s.credentials()
	}
	if !strings.HasPrefix(c.r.Header.Get("Accept"), "application/vnd.connectwise.com+json") {
		return cwError(http.StatusBadRequest, "InvalidObject", "No API version was asked for")
	}
	want := http.MethodGet
	switch c.op {
	case OpAddNote:
		want = http.MethodPost
	case OpUpdate:
		want = http.MethodPatch
	case OpUnknown:
		return cwError(http.StatusNotFound, "NotFound", "No such resource")
	default:
	}
	if c.r.Method != want {
		return cwError(http.StatusMethodNotAllowed, "ConnectWiseApi", "The method is not allowed")
	}
	if len(c.body) > 0 && !strings.HasPrefix(c.r.Header.Get("Content-Type"), "application/json") {
		return cwError(http.StatusUnsupportedMediaType, "ConnectWiseApi", "Unsupported media type")
	}
	if len(c.r.URL.String()) > 2000 {
		return cwError(http.StatusRequestURITooLong, "ConnectWiseApi", "The URL is too long")
	}
	d := s.desk
	d.mu.Lock()
	defer d.mu.Unlock()
	switch c.op {
	case OpInfo:
		return ok(map[string]any{"version": "v2025.1", "isCloud": false})
	case OpNames:
		return s.names(c)
	case OpTickets:
		return s.tickets(c)
	default: // about one ticket
	}
	m := regexp.MustCompile(`/tickets/(\d+)`).FindStringSubmatch(c.path)
	id := number(m[1])
	t := d.tickets[id]
	if t == nil || t.Project != strings.HasPrefix(c.path, "/project/") {
		return cwError(http.StatusNotFound, "NotFound", fmt.Sprintf("Ticket %d not found", id))
	}
	switch c.op {
	case OpTicket:
		return ok(s.render(t))
	case OpNotes:
		return s.notes(c, t)
	case OpAddNote:
		return s.addNote(c, t)
	default:
		return s.update(c, t)
	}
}

// render writes a ticket. References are expanded, and nulls are left out.
func (s *ConnectWise) render(t *Ticket) map[string]any {
	b := s.desk.board(t.BoardID)
	st, _ := s.desk.status(t.BoardID, t.StatusID)
	out := map[string]any{
		"id": t.ID, "summary": t.Summary, "recordType": "ServiceTicket",
		"board":      map[string]any{"id": b.ID, "name": b.Name},
		"status":     map[string]any{"id": st.ID, "name": st.Name},
		"closedFlag": st.Closed, "processNotifications": true,
		"_info": map[string]any{"lastUpdated": t.UpdatedAt.Format(time.RFC3339), "updatedBy": "API"},
	}
	if p, found := s.desk.person(t.OwnerID); found {
		out["owner"] = map[string]any{"id": p.ID, "identifier": p.Identifier, "name": p.Name}
	}
	return out
}

// page cuts one page out of all, and says so in Link.
func page[T any](c call, all []T) reply {
	size, no := number(c.r.URL.Query().Get("pageSize")), number(c.r.URL.Query().Get("page"))
	if size == 0 {
		size = 25
	}
	if size > 1000 {
		return cwError(http.StatusBadRequest, "OutOfRange", "pageSize must be at most 1000")
	}
	no = max(no, 1)
	from, to := min((no-1)*size, int64(len(all))), min(no*size, int64(len(all)))
	res := ok(append([]T{}, all[from:to]...))
	if to < int64(len(all)) {
		q := c.r.URL.Query()
		q.Set("page", strconv.FormatInt(no+1, 10))
		res.header = http.Header{"Link": {fmt.Sprintf(`<http://%s%s?%s>; rel="next"`, c.r.Host, c.r.URL.Path, q.Encode())}}
	}
	return res
}

func (s *ConnectWise) names(c call) reply {
	switch {
	case c.path == "/system/info/members":
		var all []map[string]any
		for _, p := range s.desk.people {
			all = append(all, map[string]any{
				"id": p.ID, "identifier": p.Identifier, "fullName": p.Name, "defaultEmail": p.Email, "licenseClass": "F", "inactiveFlag": p.Inactive,
			})
		}
		return page(c, all)
	case cwStatuses.MatchString(c.path):
		b := s.desk.board(number(cwStatuses.FindStringSubmatch(c.path)[1]))
		if b.ID == 0 {
			return cwError(http.StatusNotFound, "NotFound", "Board not found")
		}
		var all []map[string]any
		for _, st := range b.Statuses {
			all = append(all, map[string]any{
				"id": st.ID, "name": st.Name, "board": map[string]any{"id": b.ID, "name": b.Name}, "inactive": st.Inactive, "closedStatus": st.Closed,
			})
		}
		return page(c, all)
	case c.path == "/service/boards":
		var all []map[string]any
		for _, b := range s.desk.boards {
			all = append(all, map[string]any{"id": b.ID, "name": b.Name, "inactiveFlag": false, "projectFlag": false})
		}
		return page(c, all)
	}
	return cwError(http.StatusNotFound, "NotFound", "No such resource")
}

var cwIn = regexp.MustCompile(`^id in \(([0-9,]+)\)$`)

func (s *ConnectWise) tickets(c call) reply {
	var ids []string
	if conditions := c.r.URL.Query().Get("conditions"); conditions != "" {
		m := cwIn.FindStringSubmatch(conditions)
		if m == nil {
			return cwError(http.StatusBadRequest, "InvalidObject", "The conditions are not valid")
		}
		ids = strings.Split(m[1], ",")
	}
	var all []map[string]any
	for _, t := range s.desk.tickets {
		if !t.Project && (ids == nil || slices.Contains(ids, strconv.FormatInt(t.ID, 10))) {
			all = append(all, s.render(t))
		}
	}
	return page(c, all)
}

func (s *ConnectWise) renderNote(t *Ticket, n Note) map[string]any {
	return map[string]any{
		"id": n.ID, "ticketId": t.ID, "text": n.Text, "detailDescriptionFlag": n.CustomerVisible, "internalAnalysisFlag": !n.CustomerVisible,
		"resolutionFlag": false, "createdBy": "API", "dateCreated": n.At.Format(time.RFC3339),
		"_info": map[string]any{"lastUpdated": n.At.Format(time.RFC3339)},
	}
}

func (s *ConnectWise) notes(c call, t *Ticket) reply {
	var all []map[string]any
	for _, n := range t.Notes {
		all = append(all, s.renderNote(t, n))
	}
	switch c.r.URL.Query().Get("orderBy") {
	case "id desc":
		slices.Reverse(all)
	case "", "id", "id asc":
	default:
		return cwError(http.StatusBadRequest, "InvalidObject", "orderBy is not valid")
	}
	return page(c, all)
}

// cwNoteMembers are the members of ServiceNote; any other is refused.
const cwNoteMembers = "id ticketId text detailDescriptionFlag internalAnalysisFlag resolutionFlag issueFlag member contact customerUpdatedFlag processNotifications dateCreated createdBy internalFlag externalFlag _info"

func (s *ConnectWise) addNote(c call, t *Ticket) reply {
	var members map[string]json.RawMessage
	if json.Unmarshal(c.body, &members) != nil {
		return cwError(http.StatusBadRequest, "InvalidObject", "The body is not an object")
	}
	if name := unknownMember(members, cwNoteMembers); name != "" {
		return cwError(http.StatusBadRequest, "InvalidObject", "Could not find member '"+name+"' on object of type 'ServiceNote'.")
	}
	var n struct {
		Text                 string `json:"text"`
		Detail               bool   `json:"detailDescriptionFlag"`
		Internal             bool   `json:"internalAnalysisFlag"`
		Resolution           bool   `json:"resolutionFlag"`
		ProcessNotifications *bool  `json:"processNotifications"`
	}
	if json.Unmarshal(c.body, &n) != nil || strings.TrimSpace(n.Text) == "" {
		return cwError(http.StatusBadRequest, "InvalidObject", "serviceNote object is invalid",
			map[string]string{"code": "MissingRequiredField", "message": "text is required.", "resource": "serviceNote", "field": "text"})
	}
	if !n.Detail && !n.Internal && !n.Resolution {
		return cwError(http.StatusBadRequest, "InvalidObject", "serviceNote object is invalid",
			map[string]string{"code": "MissingRequiredField", "message": "At least one flag must be set.", "resource": "serviceNote", "field": "internalAnalysisFlag"})
	}
	made := s.desk.addNote(t, Note{Text: n.Text, CustomerVisible: n.Detail || n.Resolution, API: true})
	return reply{status: http.StatusCreated, body: s.renderNote(t, made)}
}

func (s *ConnectWise) update(c call, t *Ticket) reply {
	var ops []struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value struct {
			ID         int64  `json:"id"`
			Name       string `json:"name"`
			Identifier string `json:"identifier"`
		} `json:"value"`
	}
	if json.Unmarshal(c.body, &ops) != nil {
		return cwError(http.StatusBadRequest, "InvalidObject", "The body is not a list of operations")
	}
	next := *t
	for _, op := range ops {
		if op.Op != "replace" && op.Op != "add" && op.Op != "remove" {
			return cwError(http.StatusBadRequest, "InvalidObject", "The operation is not valid")
		}
		switch op.Path {
		case "status":
			if _, found := s.desk.status(t.BoardID, op.Value.ID); !found {
				return cwError(http.StatusBadRequest, "InvalidObject", "ticket object is invalid", map[string]string{
					"code": "NotFound", "resource": "ticket", "field": "status/name",
					"message": fmt.Sprintf("Service Status %d not found for Service Board %d", op.Value.ID, t.BoardID),
				})
			}
			next.StatusID = op.Value.ID
		case "owner":
			p, found := s.desk.person(op.Value.ID)
			if !found || p.Inactive {
				return cwError(http.StatusBadRequest, "InvalidObject", "ticket object is invalid",
					map[string]string{"code": "NotFound", "message": "Member not found", "resource": "ticket", "field": "owner"})
			}
			next.OwnerID = op.Value.ID
		default:
			// A wrong path is answered with a false 200, as the guide warns.
		}
	}
	if !c.pretend {
		next.UpdatedAt = s.desk.now().UTC()
		*t = next
	}
	return ok(s.render(t))
}
