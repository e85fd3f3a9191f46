// Package autotask speaks to Autotask PSA by its REST API 1.0.
//
// The facts are those of Autotask's developer help (zones, threads, thresholds,
// notes, webhooks) and of clients in production: go-autotask, django-autotask
// and n8n-nodes-autotask.
package autotask

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/baton-handoff/baton/internal/outbound"
	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/wire"
	"github.com/baton-handoff/baton/internal/secrets"
)

const (
	// directory is where the zone of a user is asked for. It takes no
	// credentials and has no rate limit.
	directory = "https://webservices2.autotask.net"
	zoneTTL   = 12 * time.Hour
	zoneAgain = time.Minute
	// threads is how many calls may be under way: three per endpoint and
	// tracking id, by the developer help on thread limiting. Which endpoint a
	// child path such as Tickets/1/Notes counts for is not documented, so three
	// in all it is. At a third of a second each that is still as much as the
	// hourly threshold allows.
	threads    = 3
	threadWait = 5 * time.Second
	// budgetWait is how long to wait when the hour's calls are used up and the
	// answer does not say. They are counted over a rolling hour.
	budgetWait = 5 * time.Minute
	// frugal is the part of the hour's calls after which a reconcile waits: the
	// threshold is shared by every integration of the tenant.
	frugal     = 0.9
	namesTTL   = 10 * time.Minute
	namesAgain = 10 * time.Second
	pageSize   = 500
	maxPages   = 200
	// complete is the status of a finished ticket, which every tenant has.
	complete = "5"
)

// Client is a [psa.Client] for Autotask.
type Client struct {
	caller    wire.Caller
	options   psa.Options
	directory *url.URL
	user      string
	headers   http.Header
	webhook   secrets.Secret
	zone      *wire.Lazy[string]
	slots     chan struct{}
	fields    *psa.Cache[picklists]
	resources *psa.Cache[[]resource]
	roles     *psa.Cache[int64]
	usage     *psa.Cache[threshold]
}

var _ psa.Client = (*Client)(nil)

// New makes a client for a valid connection. It calls nobody yet.
func New(c psa.Connection, httpClient *outbound.Client, now func() time.Time) (*Client, error) {
	address := strings.TrimRight(c.Address, "/")
	if address == "" {
		address = directory
	}
	dir, err := url.Parse(address)
	if err != nil {
		return nil, psa.Errorf(psa.ClassMisconfigured, "", "The address of Autotask is not valid.")
	}
	cred := func(name string) string { return strings.TrimSpace(c.Credentials[name].Reveal()) }
	headers := http.Header{}
	// The names of the headers have this case in the help; HTTP ignores it.
	headers.Set("UserName", cred(psa.CredUsername))
	headers.Set("Secret", cred(psa.CredSecret))
	headers.Set("ApiIntegrationCode", cred(psa.CredIntegrationCode))
	cl := &Client{
		caller:  wire.Caller{HTTP: httpClient, Kind: psa.KindAutotask, Creds: c.Credentials, Now: now},
		options: c.Options, directory: dir, user: cred(psa.CredUsername), headers: headers,
		webhook:   secrets.Secret(cred(psa.CredWebhookSecret)),
		slots:     make(chan struct{}, threads),
		fields:    psa.NewCache[picklists](now, namesTTL, namesAgain, 4),
		resources: psa.NewCache[[]resource](now, namesTTL, namesAgain, 500),
		roles:     psa.NewCache[int64](now, namesTTL, namesAgain, 500),
		usage:     psa.NewCache[threshold](now, time.Minute, time.Minute, 1),
	}
	cl.zone = wire.NewLazy(now, cl.discover)
	return cl, nil
}

// Kind is Autotask.
func (c *Client) Kind() psa.Kind { return psa.KindAutotask }

// Close lets idle connections go.
func (c *Client) Close() { c.caller.HTTP.Close() }

// discover asks in which zone the user's tenant lives. A user that is not known
// is answered with 500, so that an outage looks the same.
func (c *Client) discover(ctx context.Context) (string, time.Duration, error) {
	a, err := c.caller.Do(ctx, wire.Call{
		Op: "finding the zone", Method: http.MethodGet,
		URL: c.directory.String() + "/atservicesrest/v1.0/zoneInformation?user=" + url.QueryEscape(c.user),
	})
	if err != nil {
		return "", 0, err
	}
	if a.Status == http.StatusInternalServerError && !a.HTML() {
		e := c.caller.Errorf(psa.ClassTemporary, a, "Autotask does not know the API user, or is in trouble.").
			WithCure("Check the user name (key) in the connection.")
		e.GiveUpAfter = psa.Doubtful
		return "", 0, e
	}
	if a.Status != http.StatusOK {
		return "", 0, c.caller.Failure(a, "")
	}
	var info struct {
		URL string `json:"url"`
	}
	if err := c.caller.Decode(a, &info); err != nil {
		return "", 0, err
	}
	zone, err := url.Parse(strings.TrimRight(info.URL, "/"))
	if err != nil || zone.Host == "" {
		return "", 0, c.caller.Garbled(a)
	}
	if !c.trusts(zone) {
		return "", 0, c.caller.Errorf(psa.ClassMisconfigured, a, "Autotask's directory names a zone outside of Autotask.").
			WithCure("Check the address in the connection; it is usually left empty.")
	}
	return zone.String() + "/v1.0", zoneTTL, nil
}

// trusts reports whether the credentials may be sent to a zone.
func (c *Client) trusts(zone *url.URL) bool {
	if zone.Scheme != c.directory.Scheme || zone.User != nil || zone.RawQuery != "" {
		return false
	}
	const vendor = ".autotask.net"
	return zone.Host == c.directory.Host ||
		strings.HasSuffix(zone.Hostname(), vendor) && strings.HasSuffix(c.directory.Hostname(), vendor) && zone.Port() == ""
}

// call calls the API with at most [threads] calls under way. On a 401 the
// tenant may have moved to another zone, so that is asked for again, and the
// call repeated if it did.
func (c *Client) call(ctx context.Context, call wire.Call) (wire.Answer, error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return wire.Answer{}, call.Ended(context.Cause(ctx))
	}
	zone, err := c.zone.Get(ctx)
	if err != nil {
		return wire.Answer{}, call.Ended(err)
	}
	path := call.URL
	call.Header = c.headers.Clone()
	for {
		call.URL = zone + path
		a, err := c.caller.Do(ctx, call)
		if e, ok := errors.AsType[*psa.Error](err); ok && e.Class == psa.ClassRateLimited && e.RetryAfter == 0 {
			if e.RetryAfter = budgetWait; threadLimit(messages(a)) {
				e.RetryAfter = threadWait
			}
		}
		if err != nil {
			return a, err
		}
		if a.Status != http.StatusUnauthorized {
			return a, nil
		}
		now, err := c.zone.RenewAfter(ctx, zone, zoneAgain)
		if err != nil {
			return a, call.Ended(err)
		}
		if now == zone {
			return a, nil
		}
		zone = now
	}
}

// do calls and reads the JSON of a success.
func (c *Client) do(ctx context.Context, call wire.Call, v any) (wire.Answer, error) {
	a, err := c.call(ctx, call)
	if err != nil {
		return a, err
	}
	return a, c.caller.Read(a, v, c.failure)
}

type filter struct {
	Op    string   `json:"op"`
	Field string   `json:"field,omitempty"`
	Value any      `json:"value,omitempty"`
	Items []filter `json:"items,omitempty"`
}

type query struct {
	Filter        []filter `json:"filter"`
	IncludeFields []string `json:"IncludeFields,omitempty"`
	MaxRecords    int      `json:"MaxRecords"`
}

// find queries an entity, page by page until each says stop. Answers come in
// the order of their ids, so the next page begins after the last id: an address
// that an answer names is never followed, for the credentials would go there.
func find[T any](ctx context.Context, c *Client, op, entity string, q query, id func(T) wire.ID, each func(T) (stop bool)) error {
	q.MaxRecords = pageSize
	var after int64
	for range maxPages {
		page := q
		page.Filter = slices.Clone(q.Filter)
		if after > 0 {
			page.Filter = append(page.Filter, filter{Op: "gt", Field: "id", Value: after})
		}
		var got struct {
			Items []T `json:"items"`
		}
		a, err := c.do(ctx, wire.Call{Op: op, Method: http.MethodPost, URL: "/" + entity + "/query", JSON: page}, &got)
		if err != nil {
			return err
		}
		for _, item := range got.Items {
			if each(item) {
				return nil
			}
			n, _ := id(item).Int()
			after = max(after, n)
		}
		if len(got.Items) < pageSize {
			return nil
		}
		if after == 0 {
			return c.caller.Garbled(a)
		}
	}
	return psa.Errorf(psa.ClassRejected, op, "Autotask has more %s than Baton looks through.", entity)
}

type ticket struct {
	ID       wire.ID   `json:"id"`
	Number   string    `json:"ticketNumber"`
	Title    string    `json:"title"`
	Status   wire.ID   `json:"status"`
	Queue    wire.ID   `json:"queueID"`
	Resource wire.ID   `json:"assignedResourceID"`
	Role     wire.ID   `json:"assignedResourceRoleID"`
	Activity wire.Time `json:"lastActivityDate"`
}

func ticketID(t ticket) wire.ID { return t.ID }

// Ticket reads a ticket by its number, such as T20240101.0001, or its id.
func (c *Client) Ticket(ctx context.Context, ref string) (psa.Ticket, error) {
	t, err := c.read(ctx, ref)
	if err != nil {
		return psa.Ticket{}, err
	}
	return c.describe(ctx, t, true)
}

func (c *Client) read(ctx context.Context, ref string) (ticket, error) {
	const op = "reading the ticket"
	if id, ok := wire.Number(ref); ok {
		var got struct {
			Item *ticket `json:"item"`
		}
		// A ticket that is not there is 200 with a null item (django-autotask).
		a, err := c.do(ctx, wire.Call{Op: op, Method: http.MethodGet, URL: "/Tickets/" + strconv.FormatInt(id, 10)}, &got)
		if a.Status == http.StatusNotFound || err == nil && got.Item == nil {
			return ticket{}, c.caller.Gone(a, ref)
		}
		if err != nil {
			return ticket{}, err
		}
		if n, ok := got.Item.ID.Int(); !ok || n != id {
			return ticket{}, c.caller.Garbled(a)
		}
		return *got.Item, nil
	}
	var found *ticket
	number := strings.TrimPrefix(strings.TrimSpace(ref), "#")
	q := query{Filter: []filter{{Op: "eq", Field: "ticketNumber", Value: number}}}
	err := find(ctx, c, op, "Tickets", q, ticketID, func(t ticket) bool { found = &t; return true })
	if err != nil {
		return ticket{}, err
	}
	if found == nil {
		return ticket{}, c.caller.Gone(wire.Answer{Call: wire.Call{Op: op}}, ref)
	}
	return *found, nil
}

// describe adds the names to a ticket's ids. The owner's cost a call of their
// own, and are left out when they are not wanted or cannot be had.
func (c *Client) describe(ctx context.Context, t ticket, owner bool) (psa.Ticket, error) {
	lists, err := c.ticketFields(ctx, nil)
	if err != nil {
		return psa.Ticket{}, err
	}
	out := psa.Ticket{
		ID: string(t.ID), Number: t.Number, Summary: t.Title,
		Status:    psa.Status{ID: string(t.Status), Name: lists.label("status", t.Status), Closed: t.Status == complete},
		Owner:     psa.Member{ID: string(t.Resource)},
		Board:     psa.Ref{ID: string(t.Queue), Name: lists.label("queueID", t.Queue)},
		UpdatedAt: t.Activity.Time,
	}
	if id, ok := t.Resource.Int(); owner && ok {
		if all, err := c.findResources(ctx, filter{Op: "eq", Field: "id", Value: id}); err == nil && len(all) == 1 {
			out.Owner = all[0].psa()
		}
	}
	return out, nil
}

// Tickets reads many tickets, five hundred with a call. It waits when most of
// the tenant's calls of this hour are used up: people's work comes first.
func (c *Client) Tickets(ctx context.Context, ids []string) (map[string]psa.Ticket, error) {
	const op = "reading tickets"
	if u, err := c.threshold(ctx); err == nil && u.part() >= frugal {
		e := psa.Errorf(psa.ClassRateLimited, op, "Most of Autotask's calls of this hour are used up, by all integrations together.").
			WithCure("Nothing, unless it stays so: then find out which integration calls so often.")
		e.RetryAfter = budgetWait
		return nil, e
	}
	out := make(map[string]psa.Ticket, len(ids))
	for chunk := range slices.Chunk(ids, pageSize) {
		var numbers []int64
		for _, id := range chunk {
			if n, ok := wire.Number(id); ok {
				numbers = append(numbers, n)
			}
		}
		if len(numbers) == 0 {
			continue
		}
		q := query{
			Filter:        []filter{{Op: "in", Field: "id", Value: numbers}},
			IncludeFields: []string{"id", "ticketNumber", "title", "status", "queueID", "assignedResourceID", "assignedResourceRoleID", "lastActivityDate"},
		}
		var page []ticket
		err := find(ctx, c, op, "Tickets", q, ticketID, func(t ticket) bool { page = append(page, t); return false })
		if err != nil {
			return out, err
		}
		for _, t := range page {
			d, err := c.describe(ctx, t, false)
			if err != nil {
				return out, err
			}
			out[d.ID] = d
		}
	}
	return out, nil
}

type ticketNote struct {
	ID          wire.ID `json:"id"`
	Description string  `json:"description"`
}

// FindNote has Autotask look for the mark. What it finds is compared here: how
// "contains" treats the characters that mean something to SQL's LIKE, as
// brackets do, is not documented, so they are left out of the question.
func (c *Client) FindNote(ctx context.Context, ticketID string, mark psa.Mark) (id string, found bool, err error) {
	n, err := wire.TicketID("looking for the note", ticketID)
	if err != nil {
		return "", false, err
	}
	q := query{
		Filter: []filter{
			{Op: "eq", Field: "ticketID", Value: n},
			{Op: "contains", Field: "description", Value: mark.Inner()},
		},
		IncludeFields: []string{"id", "description"},
	}
	err = find(ctx, c, "looking for the note", "TicketNotes", q, func(t ticketNote) wire.ID { return t.ID }, func(t ticketNote) bool {
		if mark.In(t.Description) {
			id, found = string(t.ID), true
		}
		return found
	})
	return id, found, err
}

type newNote struct {
	TicketID    int64  `json:"ticketID"`
	Title       string `json:"title"`
	Description string `json:"description"`
	NoteType    int64  `json:"noteType"`
	Publish     int64  `json:"publish"`
}

// AddNote adds a note by the path of its ticket: POST /TicketNotes is 404,
// because notes are a child entity. The API takes plain text.
func (c *Client) AddNote(ctx context.Context, ticketID string, n psa.Note) (string, error) {
	const op = "adding the note"
	id, err := wire.TicketID(op, ticketID)
	if err != nil {
		return "", err
	}
	noteType, publish, err := c.noteOptions(ctx, n.CustomerVisible)
	if err != nil {
		return "", err
	}
	var made struct {
		ItemID wire.ID `json:"itemId"`
	}
	title := n.Title
	if title == "" {
		title = "Baton"
	}
	a, err := c.do(ctx, wire.Call{
		Op: op, Method: http.MethodPost, URL: "/Tickets/" + strconv.FormatInt(id, 10) + "/Notes", Write: true,
		JSON: newNote{
			TicketID: id, Title: cut(title, maxTitle), NoteType: noteType, Publish: publish,
			Description: psa.WithMark(cut(n.Plain, maxDescription-len(n.Mark.String())-2), n.Mark),
		},
	}, &made)
	if a.Status == http.StatusNotFound {
		return "", c.caller.Gone(a, ticketID)
	}
	if err != nil {
		return "", err
	}
	if made.ItemID == "" {
		return "", c.caller.Garbled(a)
	}
	return string(made.ItemID), nil
}

// The lengths that Autotask takes, in UTF-16 units.
const (
	maxTitle       = 250
	maxDescription = 32_000
)

// cut shortens s to at most n UTF-16 units.
func cut(s string, n int) string {
	units := 0
	for i, r := range s {
		units++
		if r > 0xFFFF {
			units++
		}
		if units > n-1 && len(s)-i > 1 {
			return s[:i] + "…"
		}
	}
	return s
}

// Update sets status and owner with one PATCH. Its answer names only the
// ticket, so the ticket is read back and compared.
func (c *Client) Update(ctx context.Context, t psa.Ticket, change psa.Change) (psa.Ticket, error) {
	const op = "updating the ticket"
	id, err := wire.TicketID(op, t.ID)
	if err != nil {
		return t, err
	}
	status, statusErr := c.status(ctx, change.Status)
	owner, role, ownerErr := c.owner(ctx, change.Owner)
	problem := psa.Worst(statusErr, ownerErr)
	if status.ID == "" && owner.ID == "" {
		return t, problem
	}
	body := map[string]int64{"id": id}
	if n, ok := wire.ID(status.ID).Int(); ok {
		body["status"] = n
	}
	if n, ok := wire.ID(owner.ID).Int(); ok {
		// One without the other is refused.
		body["assignedResourceID"], body["assignedResourceRoleID"] = n, role
	}
	var done struct {
		ItemID wire.ID `json:"itemId"`
	}
	a, err := c.do(ctx, wire.Call{Op: op, Method: http.MethodPatch, URL: "/Tickets", JSON: body, Write: true}, &done)
	if a.Status == http.StatusNotFound {
		return t, c.caller.Gone(a, t.ID)
	}
	if err != nil {
		return t, psa.Worst(err, problem)
	}
	updated, err := c.Ticket(ctx, t.ID)
	if err != nil {
		return t, psa.Worst(err, problem)
	}
	return updated, psa.Worst(psa.Changed(psa.KindAutotask, updated, status, owner), problem)
}
