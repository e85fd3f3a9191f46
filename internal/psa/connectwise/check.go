package connectwise

import (
	"context"
	"net/url"

	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/wire"
)

// Check tries the connection.
func (c *Client) Check(ctx context.Context, probe psa.Probe) psa.Report {
	var r psa.Report
	if _, err := c.base.Get(ctx); err != nil {
		r.Failed("address", wire.Call{}.Ended(err))
		return r
	}
	r.Passed("address", "The API was found.")
	if err := c.ping(ctx); err != nil {
		r.Failed("credentials", err)
		return r
	}
	r.Passed("credentials", "ConnectWise PSA accepts them.")

	boards := c.checkTickets(ctx, &r, probe)
	if statuses, err := c.statusesOf(ctx, boards); err != nil {
		r.Failed("status", err)
	} else {
		psa.CheckStatuses(&r, psa.KindConnectWise, c.options, statuses)
	}
	if c.options.SetOwner || len(probe.People) > 0 {
		c.checkOwners(ctx, &r, probe.People)
	}
	return r
}

// checkTickets reads a ticket and its notes, and returns the boards on which
// the statuses have to exist: the ticket's, or all without one.
func (c *Client) checkTickets(ctx context.Context, r *psa.Report, probe psa.Probe) []psa.Ref {
	if probe.Ticket != "" {
		t, err := c.Ticket(ctx, probe.Ticket)
		if err != nil {
			r.Failed("tickets", err)
			return nil
		}
		r.Passed("tickets", "Ticket "+t.Number+" can be read.")
		if _, _, err := c.FindNote(ctx, t.ID, psa.Mark{}); err != nil {
			r.Failed("notes", err)
		} else {
			r.Passed("notes", "Notes can be read. Writing one is first tried by a handoff.")
		}
		return []psa.Ref{t.Board}
	}
	var any []ticket
	if _, err := c.get(ctx, "reading tickets", "/service/tickets?pageSize=1", &any); err != nil {
		r.Failed("tickets", err)
	} else {
		r.Passed("tickets", "Tickets can be read.")
	}
	r.Skipped("notes", "No ticket was named to look at.", "Name a ticket to have its notes read.")
	q := url.Values{"conditions": {"inactiveFlag = False and projectFlag = False"}, "pageSize": {"1000"}}
	var boards []reference
	if _, err := c.get(ctx, "reading the boards", "/service/boards?"+q.Encode(), &boards); err != nil {
		r.Failed("boards", err)
		return nil
	}
	refs := make([]psa.Ref, len(boards))
	for i, b := range boards {
		refs[i] = psa.Ref{ID: string(b.ID), Name: b.Name}
	}
	return refs
}

// statusesOf reads the statuses of at most as many boards as a check has time
// for.
func (c *Client) statusesOf(ctx context.Context, boards []psa.Ref) ([]psa.BoardStatuses, error) {
	const most = 25
	var out []psa.BoardStatuses
	for _, b := range boards[:min(most, len(boards))] {
		all, err := c.boardStatuses(ctx, b.ID, nil)
		if err != nil {
			return nil, err
		}
		out = append(out, psa.BoardStatuses{Board: b, Statuses: all})
	}
	return out, nil
}

func (c *Client) checkOwners(ctx context.Context, r *psa.Report, people []psa.Person) {
	if len(people) == 0 {
		if _, err := c.readMembers(ctx); err != nil {
			r.Failed("owner", err)
		} else {
			r.Passed("owner", "Members can be read.")
		}
		return
	}
	for _, p := range people {
		if m, err := c.member(ctx, &p); err != nil {
			r.Failed("owner", err)
		} else {
			r.Passed("owner", psa.Safe(p.String())+" is "+psa.Safe(m.Name)+".")
		}
	}
}
