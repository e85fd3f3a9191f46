package autotask

import (
	"context"
	"fmt"
	"strconv"

	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/wire"
)

// Check tries the connection.
func (c *Client) Check(ctx context.Context, probe psa.Probe) psa.Report {
	var r psa.Report
	if _, err := c.zone.Get(ctx); err != nil {
		r.Failed("address", wire.Call{}.Ended(err))
		return r
	}
	r.Passed("address", "The zone was found.")
	u, err := c.threshold(ctx)
	if err != nil {
		r.Failed("credentials", err)
		return r
	}
	r.Passed("credentials", "Autotask accepts them.")
	used := fmt.Sprintf("%d of %d calls of this hour are used, by all integrations together.", u.Used, u.Limit)
	if u.part() >= 0.75 {
		r.Warned("budget", used, "Find out which integration calls so often; at the limit Autotask stops all of them.")
	} else {
		r.Passed("budget", used)
	}

	c.checkTickets(ctx, &r, probe)
	if _, _, err := c.noteOptions(ctx, c.options.Visible()); err != nil {
		r.Failed("visibility", err)
	} else {
		r.Passed("visibility", "The type of the notes and who sees them are known.")
	}
	if lists, err := c.ticketFields(ctx, nil); err != nil {
		r.Failed("status", err)
	} else {
		psa.CheckStatuses(&r, psa.KindAutotask, c.options, []psa.BoardStatuses{{Board: psa.Ref{Name: "Autotask"}, Statuses: lists.statuses()}})
	}
	for _, p := range probe.People {
		if m, role, err := c.owner(ctx, &p); err != nil {
			r.Failed("owner", err)
		} else {
			r.Passed("owner", psa.Safe(p.String())+" is "+psa.Safe(m.Name)+", with role "+strconv.FormatInt(role, 10)+".")
		}
	}
	return r
}

func (c *Client) checkTickets(ctx context.Context, r *psa.Report, probe psa.Probe) {
	if probe.Ticket == "" {
		r.Skipped("tickets", "No ticket was named to look at.", "Name a ticket to have it and its notes read.")
		return
	}
	t, err := c.Ticket(ctx, probe.Ticket)
	if err != nil {
		r.Failed("tickets", err)
		return
	}
	r.Passed("tickets", "Ticket "+psa.Safe(t.Number)+" can be read.")
	if _, _, err := c.FindNote(ctx, t.ID, psa.Mark{}); err != nil {
		r.Failed("notes", err)
	} else {
		r.Passed("notes", "Notes can be read. Writing one is first tried by a handoff.")
	}
}
