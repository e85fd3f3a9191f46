// Package connectwise speaks to ConnectWise PSA (Manage) by its REST API 3.0.
//
// The facts are those of the ConnectWise Developer Guide (2025), of the types
// that npm's connectwise-rest 1.3.0 generated from the OpenAPI document, and of
// django-connectwise and ConnectWiseManageAPI, which are used in production.
package connectwise

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/baton-handoff/baton/internal/outbound"
	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/wire"
)

const (
	// defaultVersion is the API version that this code was written against. The
	// guide asks to pin one; old models live for 12 months.
	defaultVersion = "2025.16"
	// codebaseTTL is how long companyinfo is believed. It changes at upgrades,
	// which a 404 reveals sooner.
	codebaseTTL = 12 * time.Hour
	// codebaseAgain bounds how often a 404 makes it be read anew.
	codebaseAgain = time.Minute
	namesTTL      = 10 * time.Minute
	namesAgain    = 10 * time.Second
	notesPage     = 100
	maxPages      = 200
	bulk          = 100 // ids per call: the guide asks for URLs under 2,000 characters
)

// Client is a [psa.Client] for ConnectWise PSA.
type Client struct {
	caller   wire.Caller
	options  psa.Options
	site     *url.URL
	company  string
	headers  http.Header
	base     *wire.Lazy[string]
	statuses *psa.Cache[[]psa.Status]
	members  *psa.Cache[[]psa.Member]
	keys     *psa.Cache[string]
}

var _ psa.Client = (*Client)(nil)

// New makes a client for a valid connection. It calls nobody yet.
func New(c psa.Connection, httpClient *outbound.Client, now func() time.Time) (*Client, error) {
	site, err := url.Parse(strings.TrimRight(c.Address, "/"))
	if err != nil {
		return nil, psa.Errorf(psa.ClassMisconfigured, "", "The address of ConnectWise PSA is not valid.")
	}
	if strings.Contains(site.Path, "/apis/") {
		site.Path = "" // the whole address of the API was pasted
	}
	cred := func(name string) string { return strings.TrimSpace(c.Credentials[name].Reveal()) }
	version := c.Options.APIVersion
	if version == "" {
		version = defaultVersion
	}
	auth := cred(psa.CredCompanyID) + "+" + cred(psa.CredPublicKey) + ":" + cred(psa.CredPrivateKey)
	headers := http.Header{}
	headers.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(auth)))
	headers.Set("clientId", cred(psa.CredClientID))
	headers.Set("Accept", "application/vnd.connectwise.com+json; version="+version)
	cl := &Client{
		caller:  wire.Caller{HTTP: httpClient, Kind: psa.KindConnectWise, Creds: c.Credentials, Now: now},
		options: c.Options, site: site, company: cred(psa.CredCompanyID), headers: headers,
		statuses: psa.NewCache[[]psa.Status](now, namesTTL, namesAgain, 200),
		members:  psa.NewCache[[]psa.Member](now, namesTTL, namesAgain, 1),
		keys:     psa.NewCache[string](now, time.Hour, time.Minute, 16),
	}
	cl.base = wire.NewLazy(now, cl.discover)
	return cl, nil
}

// Kind is ConnectWise.
func (c *Client) Kind() psa.Kind { return psa.KindConnectWise }

// Close lets idle connections go.
func (c *Client) Close() { c.caller.HTTP.Close() }

// cloud reports whether a host is one of ConnectWise's own, whose API is on a
// host with the prefix "api-" while companyinfo is on the one without.
func cloud(host string) bool {
	return strings.HasSuffix(host, ".myconnectwise.net") || strings.HasSuffix(host, ".connectwisedev.com")
}

// discover asks for the codebase, which is a part of every path. The call takes
// no credentials. An unknown company is answered with null.
func (c *Client) discover(ctx context.Context) (string, time.Duration, error) {
	site := *c.site
	if cloud(site.Hostname()) {
		site.Host = strings.TrimPrefix(site.Host, "api-")
	}
	a, err := c.caller.Do(ctx, wire.Call{
		Op: "finding the API", Method: http.MethodGet, URL: site.String() + "/login/companyinfo/" + url.PathEscape(c.company),
	})
	if err != nil {
		return "", 0, err
	}
	if a.Status == http.StatusNotFound {
		return "", 0, c.caller.Errorf(psa.ClassMisconfigured, a, "There is no ConnectWise PSA at the connection's address.").
			WithCure("Enter the address at which you sign in, such as https://na.myconnectwise.net.")
	}
	if a.Status != http.StatusOK {
		return "", 0, c.failure(a)
	}
	var info *struct {
		Codebase string
	}
	if err := c.caller.Decode(a, &info); err != nil {
		return "", 0, err
	}
	if info == nil {
		return "", 0, c.caller.Errorf(psa.ClassMisconfigured, a, "ConnectWise PSA does not know the connection's company id.").
			WithCure("Enter the company id that you type when you sign in.")
	}
	codebase := strings.Trim(info.Codebase, "/")
	if codebase == "" || strings.ContainsAny(codebase, "/\\?#%. ") {
		return "", 0, c.caller.Garbled(a)
	}
	if cloud(site.Hostname()) {
		site.Host = "api-" + site.Host
	}
	return site.String() + "/" + codebase + "/apis/3.0", codebaseTTL, nil
}

// call calls the API. On a 404 the codebase may have changed, so it is asked
// for again, and the call repeated if it did.
func (c *Client) call(ctx context.Context, call wire.Call) (wire.Answer, error) {
	base, err := c.base.Get(ctx)
	if err != nil {
		return wire.Answer{}, call.Ended(err)
	}
	path := call.URL
	call.Header = c.headers
	for {
		call.URL = base + path
		a, err := c.caller.Do(ctx, call)
		if err != nil {
			return a, err
		}
		if a.Status != http.StatusNotFound {
			return a, nil
		}
		now, err := c.base.RenewAfter(ctx, base, codebaseAgain)
		if err != nil {
			return a, call.Ended(err)
		}
		if now == base {
			return a, nil
		}
		base = now
	}
}

// get reads JSON.
func (c *Client) get(ctx context.Context, op, path string, v any) (wire.Answer, error) {
	a, err := c.call(ctx, wire.Call{Op: op, Method: http.MethodGet, URL: path})
	if err != nil {
		return a, err
	}
	return a, c.caller.Read(a, v, c.failure)
}

type reference struct {
	ID         wire.ID `json:"id"`
	Name       string  `json:"name"`
	Identifier string  `json:"identifier"`
}

type ticket struct {
	ID         wire.ID   `json:"id"`
	Summary    string    `json:"summary"`
	Board      reference `json:"board"`
	Status     reference `json:"status"`
	Owner      reference `json:"owner"`
	ClosedFlag bool      `json:"closedFlag"`
	Info       struct {
		LastUpdated wire.Time `json:"lastUpdated"`
	} `json:"_info"`
}

func (t ticket) psa() psa.Ticket {
	return psa.Ticket{
		ID: string(t.ID), Number: string(t.ID), Summary: t.Summary,
		Status:    psa.Status{ID: string(t.Status.ID), Name: t.Status.Name, Closed: t.ClosedFlag},
		Owner:     psa.Member{ID: string(t.Owner.ID), Identifier: t.Owner.Identifier, Name: t.Owner.Name},
		Board:     psa.Ref{ID: string(t.Board.ID), Name: t.Board.Name},
		UpdatedAt: t.Info.LastUpdated.Time,
	}
}

// Ticket reads a service ticket. Its number is its id.
func (c *Client) Ticket(ctx context.Context, ref string) (psa.Ticket, error) {
	const op = "reading the ticket"
	id, ok := wire.Number(ref)
	if !ok {
		return psa.Ticket{}, psa.Errorf(psa.ClassTicketGone, op, "%q is not the number of a ticket of ConnectWise PSA.", psa.Safe(ref)).
			WithCure("Correct the session's ticket, then retry.")
	}
	a, err := c.call(ctx, wire.Call{Op: op, Method: http.MethodGet, URL: fmt.Sprintf("/service/tickets/%d", id)})
	if err != nil {
		return psa.Ticket{}, err
	}
	if a.Status == http.StatusNotFound {
		return psa.Ticket{}, c.missing(ctx, a, id)
	}
	return c.ticket(a, id)
}

func (c *Client) ticket(a wire.Answer, id int64) (psa.Ticket, error) {
	var t ticket
	if err := c.caller.Read(a, &t, c.failure); err != nil {
		return psa.Ticket{}, err
	}
	if n, ok := t.ID.Int(); !ok || n != id {
		return psa.Ticket{}, c.caller.Garbled(a)
	}
	return t.psa(), nil
}

// missing says why there is no ticket. Project tickets have an API of their own
// since 2019.3, and the cloud also answers 404 to credentials that it does not
// accept, so both are looked at before the ticket is called gone.
func (c *Client) missing(ctx context.Context, a wire.Answer, id int64) error {
	if parse(a).code() != "NotFound" {
		if err := c.ping(ctx); err != nil {
			if psa.AsError(err).Retryable() {
				return err
			}
			return c.caller.Unauthorized(a)
		}
	}
	p, err := c.call(ctx, wire.Call{Op: a.Call.Op, Method: http.MethodGet, URL: fmt.Sprintf("/project/tickets/%d", id)})
	if err == nil && p.Status == http.StatusOK {
		return c.caller.Errorf(psa.ClassRejected, a, "Ticket %d is a project ticket; Baton writes to service tickets only.", id).
			WithCure("Name a service ticket in the session.")
	}
	return c.caller.Gone(a, strconv.FormatInt(id, 10))
}

// ping is the check of credentials that other clients use as well.
func (c *Client) ping(ctx context.Context) error {
	a, err := c.call(ctx, wire.Call{Op: "signing in", Method: http.MethodGet, URL: "/system/info"})
	if err != nil {
		return err
	}
	if a.Status == http.StatusNotFound {
		return c.caller.Unauthorized(a)
	}
	var any struct{}
	return c.caller.Read(a, &any, c.failure)
}

// Tickets reads many tickets, a hundred with a call.
func (c *Client) Tickets(ctx context.Context, ids []string) (map[string]psa.Ticket, error) {
	out := make(map[string]psa.Ticket, len(ids))
	for len(ids) > 0 {
		n := min(bulk, len(ids))
		var numbers []string
		for _, id := range ids[:n] {
			if v, ok := wire.Number(id); ok {
				numbers = append(numbers, strconv.FormatInt(v, 10))
			}
		}
		ids = ids[n:]
		if len(numbers) == 0 {
			continue
		}
		q := url.Values{
			"conditions": {"id in (" + strings.Join(numbers, ",") + ")"},
			"fields":     {"id,summary,board,status,owner,closedFlag,_info"},
			"pageSize":   {"1000"},
		}
		var page []ticket
		if _, err := c.get(ctx, "reading tickets", "/service/tickets?"+q.Encode(), &page); err != nil {
			return out, err
		}
		for _, t := range page {
			out[string(t.ID)] = t.psa()
		}
	}
	return out, nil
}

type note struct {
	ID   wire.ID `json:"id"`
	Text string  `json:"text"`
}

// FindNote reads the ticket's notes, newest first, until the mark is found.
// Whether conditions on a note's text work is not documented, so the text is
// compared here.
func (c *Client) FindNote(ctx context.Context, ticketID string, mark psa.Mark) (string, bool, error) {
	const op = "looking for the note"
	for page := 1; page <= maxPages; page++ {
		path := fmt.Sprintf("/service/tickets/%s/notes?orderBy=%s&pageSize=%d&page=%d",
			url.PathEscape(ticketID), url.QueryEscape("id desc"), notesPage, page)
		a, err := c.call(ctx, wire.Call{Op: op, Method: http.MethodGet, URL: path})
		if err != nil {
			return "", false, err
		}
		if a.Status == http.StatusNotFound {
			return "", false, c.caller.Gone(a, ticketID)
		}
		var notes []note
		if err := c.caller.Read(a, &notes, c.failure); err != nil {
			return "", false, err
		}
		for _, n := range notes {
			if mark.In(n.Text) {
				return string(n.ID), true, nil
			}
		}
		if len(notes) == 0 || len(notes) < notesPage && !strings.Contains(a.Header.Get("Link"), `rel="next"`) {
			return "", false, nil
		}
	}
	return "", false, wire.TooManyNotes(op, ticketID)
}

// newNote has exactly members of ServiceNote: any other is refused. The flags
// are all sent, so that no default shows an internal note to the customer: what
// has detailDescriptionFlag, they see.
type newNote struct {
	Text                  string `json:"text"`
	DetailDescriptionFlag bool   `json:"detailDescriptionFlag"`
	InternalAnalysisFlag  bool   `json:"internalAnalysisFlag"`
	ResolutionFlag        bool   `json:"resolutionFlag"`
	ProcessNotifications  bool   `json:"processNotifications"`
}

// AddNote adds a note to a service ticket, without mails about it.
func (c *Client) AddNote(ctx context.Context, ticketID string, n psa.Note) (string, error) {
	a, err := c.call(ctx, wire.Call{
		Op: "adding the note", Method: http.MethodPost, URL: "/service/tickets/" + url.PathEscape(ticketID) + "/notes", Write: true,
		JSON: newNote{
			Text:                  psa.WithMark(n.Markdown, n.Mark),
			DetailDescriptionFlag: n.CustomerVisible, InternalAnalysisFlag: !n.CustomerVisible,
		},
	})
	if err != nil {
		return "", err
	}
	if a.Status == http.StatusNotFound {
		return "", c.caller.Gone(a, ticketID)
	}
	var made struct {
		note
		Detail bool `json:"detailDescriptionFlag"`
	}
	if err := c.caller.Read(a, &made, c.failure); err != nil {
		return "", err
	}
	if made.ID == "" || made.Text != "" && !n.Mark.In(made.Text) {
		return "", c.caller.Garbled(a)
	}
	if made.Detail && !n.CustomerVisible {
		return string(made.ID), c.caller.Errorf(psa.ClassRejected, a, "ConnectWise PSA shows the internal note to the customer.").
			WithCure("Move it to the internal notes of the ticket, and look for a workflow rule that did this.")
	}
	return string(made.ID), nil
}

type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// Update sets status and owner with one PATCH. The guide warns of a false 200
// for a wrong path, and workflow rules may undo a change, so what comes back is
// compared.
func (c *Client) Update(ctx context.Context, t psa.Ticket, change psa.Change) (psa.Ticket, error) {
	status, statusErr := c.status(ctx, t, change.Status)
	owner, ownerErr := c.member(ctx, change.Owner)
	problem := psa.Worst(statusErr, ownerErr)
	if status.ID == "" && owner.ID == "" {
		return t, problem
	}
	updated, err := c.patch(ctx, t, status, owner)
	if psa.ClassOf(err) == psa.ClassRejected {
		c.statuses.Drop() // the board may have changed
	}
	return updated, psa.Worst(err, problem)
}

func (c *Client) patch(ctx context.Context, t psa.Ticket, status psa.Status, owner psa.Member) (psa.Ticket, error) {
	id, err := wire.TicketID("updating the ticket", t.ID)
	if err != nil {
		return t, err
	}
	var ops []operation
	ref := func(id string) map[string]int64 { n, _ := wire.ID(id).Int(); return map[string]int64{"id": n} }
	if status.ID != "" {
		ops = append(ops, operation{"replace", "status", ref(status.ID)})
	}
	if owner.ID != "" {
		ops = append(ops, operation{"replace", "owner", ref(owner.ID)})
	}
	a, err := c.call(ctx, wire.Call{
		Op: "updating the ticket", Method: http.MethodPatch, URL: fmt.Sprintf("/service/tickets/%d", id), JSON: ops, Write: true,
	})
	if err != nil {
		return t, err
	}
	if a.Status == http.StatusNotFound {
		return t, c.caller.Gone(a, t.ID)
	}
	updated, err := c.ticket(a, id)
	if err != nil {
		return t, err
	}
	return updated, psa.Changed(psa.KindConnectWise, updated, status, owner)
}
