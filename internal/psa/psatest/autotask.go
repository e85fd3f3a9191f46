package psatest

import (
	"crypto/hmac"
	"crypto/sha1"
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

// Autotask fakes Autotask: business errors are 500, notes are a child entity,
// no more than three calls of an endpoint may be under way.
type Autotask struct {
	desk *Desk

	mu        sync.Mutex
	zone      int
	secret    string
	rotations int
	limit     int
	used      int
	internal  string
}

// The parts of the fake's credentials that never change.
const (
	atUser    = "api-user@demo.test"
	atCode    = "TRACKINGCODE0DEMO"
	atWebhook = "webhook-secret-of-demo"
)

// NewAutotask makes a fake with two queues; all tickets have the same statuses.
func NewAutotask() *Autotask {
	statuses := []Status{
		{ID: 1, Name: "New"},
		{ID: 8, Name: "In Progress"},
		{ID: 11, Name: "Escalated"},
		{ID: 5, Name: "Completed", Closed: true},
		{ID: 20, Name: "Retired", Inactive: true},
	}
	return &Autotask{
		desk: newDesk(nil, []Board{
			{ID: 29682833, Name: "Level I Support", Statuses: statuses},
			{ID: 29682969, Name: "Level II Support", Statuses: slices.Clone(statuses)},
		}),
		zone: 1, secret: "autotask-secret-0", limit: 10_000, internal: "Internal Only",
	}
}

// Desk is what is in it.
func (s *Autotask) Desk() *Desk { return s.desk }

// Connection is a connection to it.
func (s *Autotask) Connection(address string) psa.Connection {
	s.mu.Lock()
	defer s.mu.Unlock()
	return psa.Connection{Kind: psa.KindAutotask, Address: address, Credentials: psa.Credentials{
		psa.CredUsername: atUser, psa.CredSecret: secrets.Secret(s.secret), psa.CredIntegrationCode: atCode, psa.CredWebhookSecret: atWebhook,
	}}
}

// RotateCredentials makes the secret bad.
func (s *Autotask) RotateCredentials() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rotations++
	s.secret = "autotask-secret-" + strconv.Itoa(s.rotations)
}

// MoveZone moves the tenant to another zone: the old one answers 401.
func (s *Autotask) MoveZone() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.zone++
}

// SetUsage sets how many calls of the hour are used, out of how many.
func (s *Autotask) SetUsage(used, limit int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used, s.limit = used, limit
}

// RenameInternal renames the value "Internal Only" of a note's publish list.
func (s *Autotask) RenameInternal(label string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.internal = label
}

// Callback makes a signed webhook, or the unsigned notice that it was turned
// off.
func (s *Autotask) Callback(_ string, ticketID int64, action psa.Action) (http.Header, []byte) {
	if action == psa.ActionDisabled {
		return http.Header{"Content-Type": {"application/json"}}, []byte(`{"Action":"Deactivated","Guid":"0c9b0a2e-0000-4000-8000-000000000002","EntityType":"Ticket"}`)
	}
	verb := map[psa.Action]string{psa.ActionCreated: "Create", psa.ActionUpdated: "Update", psa.ActionDeleted: "Delete"}[action]
	body, _ := json.Marshal(map[string]any{
		"Action": verb, "Guid": "0c9b0a2e-0000-4000-8000-000000000002", "EntityType": "Ticket", "Id": ticketID,
		"Fields": map[string]any{"Status": "5"}, "EventTime": "2026-01-02T03:04:05Z", "SequenceNumber": 7, "PersonID": 12,
	})
	return s.Sign(body), body
}

// Sign signs a webhook's body.
func (s *Autotask) Sign(body []byte) http.Header {
	mac := hmac.New(sha1.New, []byte(atWebhook))
	mac.Write(body)
	return http.Header{
		"Content-Type":     {"application/json"},
		"X-Hook-Signature": {"sha1=" + base64.StdEncoding.EncodeToString(mac.Sum(nil))},
	}
}

// ServeHTTP answers as Autotask.
func (s *Autotask) ServeHTTP(w http.ResponseWriter, r *http.Request) { serve(w, r, s.desk, s) }

var (
	atTicket = regexp.MustCompile(`^/Tickets/(\d+)$`)
	atNotes  = regexp.MustCompile(`^/Tickets/(\d+)/Notes$`)
	atFields = regexp.MustCompile(`^/(Tickets|TicketNotes)/entityInformation/fields$`)
)

func (s *Autotask) route(r *http.Request) (Op, string, string) {
	if strings.EqualFold(r.URL.Path, "/atservicesrest/v1.0/zoneInformation") {
		return OpDiscover, "", r.URL.Path
	}
	_, path, ok := strings.Cut(r.URL.Path, "/ATServicesRest/v1.0")
	if !ok {
		return OpUnknown, "", r.URL.Path
	}
	endpoint, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	op := OpUnknown
	switch {
	case atTicket.MatchString(path):
		op = OpTicket
	case atNotes.MatchString(path) && r.Method == http.MethodPost:
		op = OpAddNote
	case atNotes.MatchString(path), path == "/TicketNotes/query":
		op = OpNotes
	case path == "/Tickets" && r.Method == http.MethodPatch:
		op = OpUpdate
	case path == "/Tickets/query":
		op = OpTickets
	case atFields.MatchString(path), path == "/Resources/query", path == "/ResourceServiceDeskRoles/query":
		op = OpNames
	case path == "/ThresholdInformation":
		op = OpInfo
	}
	return op, endpoint, path
}

func atError(status int, messages ...string) reply {
	return reply{status: status, body: map[string]any{"errors": messages}}
}

func (s *Autotask) failure(status int) reply { return atError(status, "An unexpected error occurred.") }

func (s *Autotask) credentials() reply { return reply{status: http.StatusUnauthorized} }

func (s *Autotask) permission() reply {
	return atError(http.StatusInternalServerError, "The logged in Resource does not have the adequate permissions")
}

func (s *Autotask) limited(retryAfter string) reply {
	res := atError(http.StatusTooManyRequests, "The API request threshold was exceeded.")
	if retryAfter != "" {
		res.header = http.Header{"Retry-After": {retryAfter}}
	}
	return res
}

func (s *Autotask) crowded(endpoint string, underway int) (reply, bool) {
	if endpoint == "" || underway <= 3 {
		return reply{}, false
	}
	return atError(http.StatusTooManyRequests, "Itgenatr005: thread threshold of 3 exceeded for this endpoint."), true
}

func (s *Autotask) answer(c call) reply {
	s.mu.Lock()
	zone, secret, internal := s.zone, s.secret, s.internal
	if c.op != OpDiscover {
		s.used++
	}
	used, limit := s.used, s.limit
	s.mu.Unlock()
	if c.op == OpDiscover {
		if c.r.URL.Query().Get("user") != atUser {
			return atError(http.StatusInternalServerError, "The zone could not be found.")
		}
		return ok(map[string]any{
			"zoneName": "Zone " + strconv.Itoa(zone), "url": fmt.Sprintf("http://%s/zone%d/ATServicesRest/", c.r.Host, zone), "webUrl": "http://" + c.r.Host + "/", "ci": 123456,
		})
	}
	h := c.r.Header
	switch {
	case !strings.HasPrefix(c.r.URL.Path, fmt.Sprintf("/zone%d/", zone)):
		return s.credentials()
	case h.Get("UserName") != atUser, h.Get("ApiIntegrationCode") != atCode:
		return atError(http.StatusInternalServerError, "The specified user or integration code is invalid.")
	case h.Get("Secret") != secret:
		return s.credentials()
	case used > limit:
		return s.limited("")
	}
	want := map[Op]string{OpAddNote: http.MethodPost, OpUpdate: http.MethodPatch, OpTickets: http.MethodPost, OpTicket: http.MethodGet, OpInfo: http.MethodGet}[c.op]
	if strings.HasSuffix(c.path, "/query") {
		want = http.MethodPost
	} else if c.op == OpNames {
		want = http.MethodGet
	}
	// POST /TicketNotes is not there: notes are a child entity.
	if c.op == OpUnknown || want != "" && c.r.Method != want {
		return reply{status: http.StatusNotFound}
	}
	if len(c.body) > 0 && !strings.HasPrefix(h.Get("Content-Type"), "application/json") {
		return reply{status: http.StatusUnsupportedMediaType}
	}
	d := s.desk
	d.mu.Lock()
	defer d.mu.Unlock()
	switch c.op {
	case OpInfo:
		return ok(map[string]any{"externalRequestThreshold": limit, "requestThresholdTimeframe": 60, "currentTimeframeRequestCount": used})
	case OpTicket:
		t := d.tickets[number(atTicket.FindStringSubmatch(c.path)[1])]
		if t == nil {
			return ok(map[string]any{"item": nil})
		}
		return ok(map[string]any{"item": s.render(t)})
	case OpAddNote:
		return s.addNote(c)
	case OpUpdate:
		return s.update(c)
	case OpNames:
		if m := atFields.FindStringSubmatch(c.path); m != nil {
			return s.fields(m[1], internal)
		}
	default:
	}
	return s.query(c)
}

func (s *Autotask) render(t *Ticket) map[string]any {
	out := map[string]any{
		"id": t.ID, "ticketNumber": t.Number, "title": t.Summary, "status": t.StatusID, "queueID": t.BoardID,
		"lastActivityDate": t.UpdatedAt.Format("2006-01-02T15:04:05.000Z"), "assignedResourceID": nil, "assignedResourceRoleID": nil,
		// Set although the ticket is open: it was closed once before.
		"completedDate": "2019-09-05T08:23:00.000Z",
	}
	if p, found := s.desk.person(t.OwnerID); found {
		out["assignedResourceID"], out["assignedResourceRoleID"] = p.ID, p.RoleID
	}
	return out
}

func atPick(value int64, label string, active, byDefault bool) map[string]any {
	return map[string]any{
		"value": strconv.FormatInt(value, 10), "label": label, "isActive": active, "isDefaultValue": byDefault, "parentValue": "", "isSystem": false, "sortOrder": 1,
	}
}

func (s *Autotask) fields(entity, internal string) reply {
	field := func(name string, picks ...map[string]any) map[string]any {
		return map[string]any{"name": name, "dataType": "integer", "isPickList": true, "picklistValues": picks}
	}
	if entity == "TicketNotes" {
		return ok(map[string]any{"fields": []any{
			field("noteType", atPick(13, "Workflow Rule Note", true, false), atPick(1, "Task Summary", true, false), atPick(3, "Task Notes", true, true)),
			field("publish", atPick(1, "All Autotask Users", true, true), atPick(2, internal, true, false)),
			map[string]any{"name": "description", "dataType": "string", "isPickList": false, "picklistValues": nil},
		}})
	}
	var statuses, queues []map[string]any
	for _, st := range s.desk.boards[0].Statuses {
		statuses = append(statuses, atPick(st.ID, st.Name, !st.Inactive, false))
	}
	for _, b := range s.desk.boards {
		queues = append(queues, atPick(b.ID, b.Name, true, false))
	}
	return ok(map[string]any{"fields": []any{field("status", statuses...), field("queueID", queues...)}})
}

func (s *Autotask) addNote(c call) reply {
	const invalid = http.StatusInternalServerError
	t := s.desk.tickets[number(atNotes.FindStringSubmatch(c.path)[1])]
	if t == nil {
		return atError(invalid, "The ticket does not exist: ticketID.")
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(c.body, &members) != nil {
		return atError(invalid, "The body is not valid.")
	}
	if name := unknownMember(members, "id ticketID title description noteType publish createDateTime creatorResourceID"); name != "" {
		return atError(invalid, "The field "+name+" is not valid on this entity.")
	}
	var n struct {
		TicketID    int64  `json:"ticketID"`
		Title       string `json:"title"`
		Description string `json:"description"`
		NoteType    int64  `json:"noteType"`
		Publish     int64  `json:"publish"`
	}
	if json.Unmarshal(c.body, &n) != nil {
		return atError(invalid, "A field has a value that is not valid.")
	}
	switch {
	case n.TicketID != t.ID:
		return atError(invalid, "ticketID must be the one of the path.")
	case n.Title == "", n.Description == "":
		return atError(invalid, "title and description: a required field is missing.")
	case len([]rune(n.Title)) > 250, len(n.Description) > 4*32_000, len([]rune(n.Description)) > 32_000:
		return atError(invalid, "A field exceeds the maximum length.")
	case n.NoteType != 1 && n.NoteType != 3:
		return atError(invalid, "noteType: the picklist has no such value.")
	case n.Publish != 1 && n.Publish != 2:
		return atError(invalid, "publish: the picklist has no such value.")
	}
	made := s.desk.addNote(t, Note{Title: n.Title, Text: n.Description, CustomerVisible: n.Publish == 1, API: true})
	return ok(map[string]any{"itemId": made.ID})
}

func (s *Autotask) update(c call) reply {
	const invalid = http.StatusInternalServerError
	var members map[string]json.RawMessage
	if json.Unmarshal(c.body, &members) != nil {
		return atError(invalid, "The body is not valid.")
	}
	if name := unknownMember(members, "id status queueID priority assignedResourceID assignedResourceRoleID"); name != "" {
		return atError(invalid, "The field "+name+" is not valid on this entity.")
	}
	var u struct {
		ID       int64  `json:"id"`
		Status   *int64 `json:"status"`
		Resource *int64 `json:"assignedResourceID"`
		Role     *int64 `json:"assignedResourceRoleID"`
	}
	if json.Unmarshal(c.body, &u) != nil {
		return atError(invalid, "A field has a value that is not valid.")
	}
	t := s.desk.tickets[u.ID]
	if t == nil {
		return atError(invalid, "No matching records found: the ticket does not exist.")
	}
	next := *t
	if u.Status != nil {
		if st, found := s.desk.status(t.BoardID, *u.Status); !found || st.Inactive {
			return atError(invalid, "status: the picklist has no such value.")
		}
		next.StatusID = *u.Status
	}
	if (u.Resource == nil) != (u.Role == nil) {
		return atError(invalid, "When assigning a Resource, you must assign both a assignedResourceID and assignedResourceRoleID.")
	}
	if u.Resource != nil {
		p, found := s.desk.person(*u.Resource)
		if !found || p.Inactive || p.RoleID != *u.Role {
			return atError(invalid, "assignedResourceID: the Resource and Role are not a valid combination.")
		}
		next.OwnerID = p.ID
	}
	if !c.pretend {
		next.UpdatedAt = s.desk.now().UTC()
		*t = next
	}
	return ok(map[string]any{"itemId": t.ID})
}

// query evaluates a filter over an entity's rows, in the order of their ids.
func (s *Autotask) query(c call) reply {
	var q struct {
		Filter        []atFilter
		IncludeFields []string
		MaxRecords    int
	}
	if json.Unmarshal(c.body, &q) != nil || len(q.Filter) == 0 {
		return atError(http.StatusInternalServerError, "The filter is not valid.")
	}
	if q.MaxRecords <= 0 || q.MaxRecords > 500 {
		q.MaxRecords = 500
	}
	var rows []map[string]any
	switch c.path {
	case "/Tickets/query":
		for _, t := range s.desk.tickets {
			rows = append(rows, s.render(t))
		}
	case "/TicketNotes/query":
		for _, t := range s.desk.tickets {
			for _, n := range t.Notes {
				rows = append(rows, map[string]any{
					"id": n.ID, "ticketID": t.ID, "title": n.Title, "description": n.Text, "noteType": int64(3), "createDateTime": n.At.Format(time.RFC3339),
				})
			}
		}
	case "/Resources/query":
		for _, p := range s.desk.people {
			first, last, _ := strings.Cut(p.Name, " ")
			rows = append(rows, map[string]any{
				"id": p.ID, "userName": p.Identifier, "email": p.Email, "firstName": first, "lastName": last, "isActive": !p.Inactive,
			})
		}
	case "/ResourceServiceDeskRoles/query":
		for _, p := range s.desk.people {
			if p.RoleID != 0 {
				rows = append(rows,
					map[string]any{"id": p.ID * 10, "resourceID": p.ID, "roleID": int64(99), "isActive": false, "isDefault": false},
					map[string]any{"id": p.ID*10 + 1, "resourceID": p.ID, "roleID": p.RoleID, "isActive": true, "isDefault": true})
			}
		}
	default:
		return reply{status: http.StatusNotFound}
	}
	slices.SortFunc(rows, func(a, b map[string]any) int { return int(a["id"].(int64) - b["id"].(int64)) })
	var items []map[string]any
	more := false
	for i, f := range q.Filter {
		if f.Op == "in" && json.Unmarshal(f.Value, &q.Filter[i].in) != nil {
			return atError(http.StatusInternalServerError, "The filter's value must be a list.")
		}
	}
	for _, row := range rows {
		good := true
		for _, f := range q.Filter {
			match, err := f.match(row)
			if err != "" {
				return atError(http.StatusInternalServerError, err)
			}
			good = good && match
		}
		if !good {
			continue
		}
		if len(items) == q.MaxRecords {
			more = true
			break
		}
		items = append(items, row)
	}
	var next any
	if more {
		next = "http://attacker.invalid/" + c.path // must never be followed with credentials
	}
	return ok(map[string]any{
		"items":       append([]map[string]any{}, items...),
		"pageDetails": map[string]any{"count": len(items), "requestCount": q.MaxRecords, "prevPageUrl": nil, "nextPageUrl": next},
	})
}

type atFilter struct {
	Op    string          `json:"op"`
	Field string          `json:"field"`
	Value json.RawMessage `json:"value"`
	in    []json.Number
}

func (f atFilter) match(row map[string]any) (bool, string) {
	have, known := row[f.Field]
	if !known {
		return false, "Unable to find " + f.Field + " in the entity: the field is not valid."
	}
	plain := func(v any) string { return strings.ToLower(fmt.Sprint(v)) }
	text := strings.ToLower(strings.Trim(string(f.Value), `"`))
	switch f.Op {
	case "eq":
		return plain(have) == text, ""
	case "gt":
		n, isNumber := have.(int64)
		return isNumber && n > number(text), ""
	case "in":
		return slices.Contains(f.in, json.Number(plain(have))), ""
	case "contains":
		return like(plain(have), text), ""
	}
	return false, "The operator " + f.Op + " is not valid."
}

// like is SQL's LIKE '%pattern%', in which brackets are a set of characters.
// Whether Autotask escapes them is not known; this is the worse case.
func like(text, pattern string) bool {
	expr := regexp.QuoteMeta(pattern)
	expr = regexp.MustCompile(`\\\[(.*?)\\\]`).ReplaceAllString(expr, "[$1]")
	expr = strings.NewReplacer("%", ".*", "_", ".").Replace(expr)
	re, err := regexp.Compile(expr)
	return err == nil && re.MatchString(text)
}
