// Package halopsa speaks to HaloPSA by its REST API.
//
// The facts are those of Halo's OpenAPI document (in halopsa-rest) and of
// clients in production: the PowerShell module HaloAPI and CIPP.
package halopsa

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/baton-handoff/baton/internal/outbound"
	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/wire"
	"github.com/baton-handoff/baton/internal/secrets"
)

const (
	namesTTL   = 10 * time.Minute
	namesAgain = 10 * time.Second
	notesPage  = 100
	maxPages   = 200
	// tokenMargin is how long before its end a token counts as old.
	tokenMargin = time.Minute
)

// Client is a [psa.Client] for HaloPSA.
type Client struct {
	caller   wire.Caller
	options  psa.Options
	site     string
	token    *wire.Lazy[string]
	statuses *psa.Cache[[]psa.Status]
	agents   *psa.Cache[[]psa.Member]
	webhook  secrets.Secret
}

var _ psa.Client = (*Client)(nil)

// New makes a client for a valid connection. It calls nobody yet.
func New(c psa.Connection, httpClient *outbound.Client, now func() time.Time) (*Client, error) {
	site := strings.TrimSuffix(strings.TrimRight(c.Address, "/"), "/api")
	if _, err := url.Parse(site); err != nil {
		return nil, psa.Errorf(psa.ClassMisconfigured, "", "The address of HaloPSA is not valid.")
	}
	cl := &Client{
		caller:  wire.Caller{HTTP: httpClient, Kind: psa.KindHaloPSA, Creds: c.Credentials, Now: now},
		options: c.Options, site: site, webhook: c.Credentials[psa.CredWebhookSecret],
		statuses: psa.NewCache[[]psa.Status](now, namesTTL, namesAgain, 200),
		agents:   psa.NewCache[[]psa.Member](now, namesTTL, namesAgain, 1),
	}
	cl.token = wire.NewLazy(now, cl.signIn)
	return cl, nil
}

// Kind is HaloPSA.
func (c *Client) Kind() psa.Kind { return psa.KindHaloPSA }

// Close lets idle connections go.
func (c *Client) Close() { c.caller.HTTP.Close() }

func (c *Client) cred(name string) string {
	return strings.TrimSpace(c.caller.Creds[name].Reveal())
}

// signIn gets a token by OAuth's client credentials (RFC 6749, section 4.4).
func (c *Client) signIn(ctx context.Context) (string, time.Duration, error) {
	form := url.Values{
		"grant_type": {"client_credentials"}, "scope": {"all"},
		"client_id": {c.cred(psa.CredClientID)}, "client_secret": {c.cred(psa.CredClientSecret)},
	}
	address := c.site + "/auth/token"
	if tenant := c.cred(psa.CredTenant); tenant != "" {
		address += "?tenant=" + url.QueryEscape(tenant)
	}
	a, err := c.caller.Do(ctx, wire.Call{Op: "signing in", Method: http.MethodPost, URL: address, Form: form.Encode()})
	if err != nil {
		return "", 0, err
	}
	switch {
	case a.HTML():
	case a.Status == http.StatusBadRequest, a.Status == http.StatusUnauthorized, a.Status == http.StatusForbidden:
		return "", 0, c.caller.Unauthorized(a)
	case a.Status == http.StatusNotFound:
		return "", 0, c.caller.Errorf(psa.ClassMisconfigured, a, "There is no HaloPSA at the connection's address.").
			WithCure("Enter the address at which you sign in, such as https://acme.halopsa.com.")
	}
	if a.Status != http.StatusOK {
		return "", 0, c.caller.Failure(a, "")
	}
	var got struct {
		AccessToken string  `json:"access_token"`
		ExpiresIn   wire.ID `json:"expires_in"`
	}
	if err := c.caller.Decode(a, &got); err != nil {
		return "", 0, err
	}
	if got.AccessToken == "" || strings.ContainsAny(got.AccessToken, " \r\n\x00") {
		return "", 0, c.caller.Garbled(a)
	}
	seconds, _ := got.ExpiresIn.Int()
	return got.AccessToken, max(time.Duration(min(seconds, 24*3600))*time.Second-tokenMargin, 0), nil
}

// call calls the API. A 401 may be a token that was withdrawn, so the call is
// repeated once with a new one; nothing was done by it.
func (c *Client) call(ctx context.Context, call wire.Call) (wire.Answer, error) {
	token, err := c.token.Get(ctx)
	if err != nil {
		return wire.Answer{}, call.Ended(err)
	}
	call.URL = c.site + "/api" + call.URL
	for attempt := 1; ; attempt++ {
		call.Header = http.Header{"Authorization": {"Bearer " + token}}
		a, err := c.caller.Do(ctx, call)
		if err != nil || a.Status != http.StatusUnauthorized || attempt == 2 {
			return a, err
		}
		if token, err = c.token.Renew(ctx, token); err != nil {
			return a, call.Ended(err)
		}
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

type ticket struct {
	ID      wire.ID   `json:"id"`
	Summary string    `json:"summary"`
	Status  wire.ID   `json:"status_id"`
	Agent   wire.ID   `json:"agent_id"`
	Type    wire.ID   `json:"tickettype_id"`
	Closed  bool      `json:"hasbeenclosed"`
	Updated wire.Time `json:"last_update"`
}

// Ticket reads a ticket. Its number is its id.
func (c *Client) Ticket(ctx context.Context, ref string) (psa.Ticket, error) {
	const op = "reading the ticket"
	id, ok := wire.Number(ref)
	if !ok {
		return psa.Ticket{}, psa.Errorf(psa.ClassTicketGone, op, "%q is not the number of a ticket of HaloPSA.", psa.Safe(ref)).
			WithCure("Correct the session's ticket, then retry.")
	}
	t, err := c.read(ctx, op, id)
	if err != nil {
		return psa.Ticket{}, err
	}
	return c.describe(ctx, t)
}

func (c *Client) read(ctx context.Context, op string, id int64) (ticket, error) {
	ref := strconv.FormatInt(id, 10)
	var t *ticket
	a, err := c.do(ctx, wire.Call{Op: op, Method: http.MethodGet, URL: "/Tickets/" + ref + "?includedetails=true"}, &t)
	if a.Status == http.StatusNotFound && !a.HTML() || err == nil && (t == nil || t.ID == "0" || t.ID == "") {
		return ticket{}, c.caller.Gone(a, ref)
	}
	if err != nil {
		return ticket{}, err
	}
	if n, _ := t.ID.Int(); n != id {
		return ticket{}, c.caller.Garbled(a)
	}
	return *t, nil
}

// describe adds the names to a ticket's ids.
func (c *Client) describe(ctx context.Context, t ticket) (psa.Ticket, error) {
	has := func(all []psa.Status) bool { _, ok := byID(all, t.Status); return ok }
	all, err := c.typeStatuses(ctx, string(t.Type), has)
	if err != nil {
		return psa.Ticket{}, err
	}
	status, _ := byID(all, t.Status)
	out := psa.Ticket{
		ID: string(t.ID), Number: string(t.ID), Summary: t.Summary,
		Status:    psa.Status{ID: string(t.Status), Name: status.Name, Closed: t.Closed},
		Board:     psa.Ref{ID: string(t.Type), Name: "ticket type " + string(t.Type)},
		UpdatedAt: t.Updated.Time,
	}
	if _, ok := t.Agent.Int(); !ok {
		return out, nil
	}
	// A ticket can be read without knowing its agent's name.
	out.Owner.ID = string(t.Agent)
	if agents, err := c.agents.Get(ctx, "", nil, c.readAgents); err == nil {
		for _, m := range agents {
			if m.ID == string(t.Agent) {
				out.Owner = m
			}
		}
	}
	if strings.EqualFold(out.Owner.Name, "unassigned") {
		out.Owner = psa.Member{}
	}
	return out, nil
}

func byID(all []psa.Status, id wire.ID) (psa.Status, bool) {
	for _, s := range all {
		if s.ID == string(id) {
			return s, true
		}
	}
	return psa.Status{}, false
}

// Tickets reads many tickets, one with each call: a filter by ids is not in the
// public documentation.
func (c *Client) Tickets(ctx context.Context, ids []string) (map[string]psa.Ticket, error) {
	out := make(map[string]psa.Ticket, len(ids))
	for _, ref := range ids {
		id, ok := wire.Number(ref)
		if !ok {
			continue
		}
		t, err := c.read(ctx, "reading tickets", id)
		if psa.ClassOf(err) == psa.ClassTicketGone {
			continue
		}
		if err != nil {
			return out, err
		}
		d, err := c.describe(ctx, t)
		if err != nil {
			return out, err
		}
		out[d.ID] = d
	}
	return out, nil
}

type action struct {
	ID     wire.ID `json:"id"`
	Note   string  `json:"note"`
	HTML   string  `json:"note_html"`
	Hidden *bool   `json:"hiddenfromuser"`
}

// FindNote reads the ticket's actions until the mark is found. "pageinate" is
// how Halo spells it.
func (c *Client) FindNote(ctx context.Context, ticketID string, mark psa.Mark) (string, bool, error) {
	const op = "looking for the note"
	id, err := wire.TicketID(op, ticketID)
	if err != nil {
		return "", false, err
	}
	seen := map[wire.ID]bool{}
	for page := 1; page <= maxPages; page++ {
		var got struct {
			Count   int      `json:"record_count"`
			Actions []action `json:"actions"`
		}
		path := fmt.Sprintf("/Actions?ticket_id=%d&excludesys=true&includehtmlnote=true&pageinate=true&page_size=%d&page_no=%d", id, notesPage, page)
		a, err := c.do(ctx, wire.Call{Op: op, Method: http.MethodGet, URL: path}, &got)
		if a.Status == http.StatusNotFound && !a.HTML() {
			return "", false, c.caller.Gone(a, ticketID)
		}
		if err != nil {
			return "", false, err
		}
		fresh := false
		for _, n := range got.Actions {
			if mark.In(n.Note) || mark.In(n.HTML) {
				return string(n.ID), true, nil
			}
			fresh = fresh || !seen[n.ID]
			seen[n.ID] = true
		}
		// Without anything new the server does not page, or is at its end.
		if !fresh || got.Count > 0 && len(seen) >= got.Count {
			return "", false, nil
		}
	}
	return "", false, wire.TooManyNotes(op, ticketID)
}

// newAction always says whether it is hidden: no default shows an internal note
// to the customer. It sends no mail and starts no rule.
type newAction struct {
	TicketID       int64  `json:"ticket_id"`
	OutcomeID      int    `json:"outcome_id,omitempty"`
	HiddenFromUser bool   `json:"hiddenfromuser"`
	NoteHTML       string `json:"note_html"`
	SendEmail      bool   `json:"sendemail"`
	DontDoRules    bool   `json:"dont_do_rules"`
}

// AddNote adds an action. Every body is an array, also for one.
func (c *Client) AddNote(ctx context.Context, ticketID string, n psa.Note) (string, error) {
	const op = "adding the note"
	id, err := wire.TicketID(op, ticketID)
	if err != nil {
		return "", err
	}
	var made wire.List[action]
	a, err := c.do(ctx, wire.Call{
		Op: op, Method: http.MethodPost, URL: "/Actions", Write: true,
		JSON: []newAction{{
			TicketID: id, OutcomeID: c.options.OutcomeID, HiddenFromUser: !n.CustomerVisible, DontDoRules: true,
			NoteHTML: paragraphs(psa.WithMark(n.Plain, n.Mark)),
		}},
	}, &made)
	if a.Status == http.StatusNotFound && !a.HTML() {
		return "", c.caller.Gone(a, ticketID)
	}
	if err != nil {
		return "", err
	}
	if len(made) != 1 || made[0].ID == "" {
		return "", c.caller.Garbled(a)
	}
	if hidden := made[0].Hidden; !n.CustomerVisible && hidden != nil && !*hidden {
		return string(made[0].ID), c.caller.Errorf(psa.ClassRejected, a, "HaloPSA shows the internal note to the customer.").
			WithCure("Hide it on the ticket, and choose an outcome for private notes in the connection.")
	}
	return string(made[0].ID), nil
}

// paragraphs writes plain text as HTML.
func paragraphs(text string) string {
	var b strings.Builder
	for p := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n") {
		if p = strings.Trim(p, "\n"); p != "" {
			b.WriteString("<p>" + strings.ReplaceAll(html.EscapeString(p), "\n", "<br>") + "</p>")
		}
	}
	return b.String()
}

// Update sets status and agent with one POST, which updates because it names an
// id, and compares what comes back.
func (c *Client) Update(ctx context.Context, t psa.Ticket, change psa.Change) (psa.Ticket, error) {
	const op = "updating the ticket"
	id, err := wire.TicketID(op, t.ID)
	if err != nil {
		return t, err
	}
	status, statusErr := c.status(ctx, t, change.Status)
	agent, agentErr := c.agent(ctx, change.Owner)
	problem := psa.Worst(statusErr, agentErr)
	if status.ID == "" && agent.ID == "" {
		return t, problem
	}
	body := map[string]int64{"id": id}
	if n, ok := wire.ID(status.ID).Int(); ok {
		body["status_id"] = n
	}
	if n, ok := wire.ID(agent.ID).Int(); ok {
		body["agent_id"] = n
	}
	var got wire.List[ticket]
	a, err := c.do(ctx, wire.Call{Op: op, Method: http.MethodPost, URL: "/Tickets", JSON: []map[string]int64{body}, Write: true}, &got)
	if a.Status == http.StatusNotFound && !a.HTML() {
		return t, c.caller.Gone(a, t.ID)
	}
	if err != nil {
		if psa.ClassOf(err) == psa.ClassRejected {
			c.statuses.Drop() // the ticket's type may have changed
		}
		return t, psa.Worst(err, problem)
	}
	if len(got) != 1 || string(got[0].ID) != t.ID {
		return t, psa.Worst(c.caller.Garbled(a), problem)
	}
	after := got[0]
	if after.Status == "" || after.Type == "" || agent.ID != "" && after.Agent == "" { // a short answer
		if after, err = c.read(ctx, op, id); err != nil {
			return t, psa.Worst(err, problem)
		}
	}
	updated, err := c.describe(ctx, after)
	if err != nil {
		return t, psa.Worst(err, problem)
	}
	return updated, psa.Worst(psa.Changed(psa.KindHaloPSA, updated, status, agent), problem)
}
