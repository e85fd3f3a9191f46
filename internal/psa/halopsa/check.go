package halopsa

import (
	"context"

	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/wire"
)

// Check tries the connection.
func (c *Client) Check(ctx context.Context, probe psa.Probe) psa.Report {
	var r psa.Report
	if _, err := c.token.Get(ctx); err != nil {
		name := "address"
		if psa.ClassOf(err) == psa.ClassUnauthorized {
			r.Passed(name, "HaloPSA answers.")
			name = "credentials"
		}
		r.Failed(name, wire.Call{}.Ended(err))
		return r
	}
	r.Passed("address", "HaloPSA answers.")
	r.Passed("credentials", "HaloPSA accepts them.")

	board := psa.Ref{Name: "HaloPSA"}
	if probe.Ticket == "" {
		r.Skipped("tickets", "No ticket was named to look at.", "Name a ticket to have it and its notes read.")
	} else if t, err := c.Ticket(ctx, probe.Ticket); err != nil {
		r.Failed("tickets", err)
	} else {
		board = t.Board
		r.Passed("tickets", "Ticket "+t.Number+" can be read.")
		if _, _, err := c.FindNote(ctx, t.ID, psa.Mark{}); err != nil {
			r.Failed("notes", err)
		} else {
			r.Passed("notes", "Notes can be read. Writing one is first tried by a handoff.")
		}
	}
	if all, err := c.typeStatuses(ctx, board.ID, nil); err != nil {
		r.Failed("status", err)
	} else {
		psa.CheckStatuses(&r, psa.KindHaloPSA, c.options, []psa.BoardStatuses{{Board: board, Statuses: all}})
	}
	if c.options.OutcomeID == 0 {
		r.Warned("outcome", "No outcome is chosen for notes, so HaloPSA chooses one.", "Enter the id of the outcome of a private note.")
	}
	if len(probe.People) == 0 && c.options.SetOwner {
		if _, err := c.agents.Get(ctx, "", nil, c.readAgents); err != nil {
			r.Failed("owner", err)
		} else {
			r.Passed("owner", "Agents can be read.")
		}
	}
	for _, p := range probe.People {
		if m, err := c.agent(ctx, &p); err != nil {
			r.Failed("owner", err)
		} else {
			r.Passed("owner", psa.Safe(p.String())+" is "+psa.Safe(m.Name)+".")
		}
	}
	return r
}
