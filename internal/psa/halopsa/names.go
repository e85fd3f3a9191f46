package halopsa

import (
	"context"
	"net/http"
	"net/url"

	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/wire"
)

func (c *Client) status(ctx context.Context, t psa.Ticket, name string) (psa.Status, error) {
	if name == "" {
		return psa.Status{}, nil
	}
	all, err := c.typeStatuses(ctx, t.Board.ID, func(all []psa.Status) bool { _, ok := psa.FindStatus(all, name); return ok })
	if err != nil {
		return psa.Status{}, err
	}
	s, ok := psa.FindStatus(all, name)
	if !ok {
		return psa.Status{}, psa.UnknownStatus(psa.KindHaloPSA, name, t.Board, all)
	}
	return s, nil
}

// typeStatuses reads the statuses that tickets of a type may have; those of all
// for the empty type.
func (c *Client) typeStatuses(ctx context.Context, ticketType string, good func([]psa.Status) bool) ([]psa.Status, error) {
	return c.statuses.Get(ctx, ticketType, good, func(ctx context.Context) ([]psa.Status, error) {
		path := "/Status"
		if ticketType != "" {
			path += "?tickettype_id=" + url.QueryEscape(ticketType)
		}
		var got []struct {
			ID   wire.ID `json:"id"`
			Name string  `json:"name"`
		}
		if _, err := c.do(ctx, wire.Call{Op: "reading the statuses", Method: http.MethodGet, URL: path}, &got); err != nil {
			return nil, err
		}
		all := make([]psa.Status, len(got))
		for i, s := range got {
			all[i] = psa.Status{ID: string(s.ID), Name: s.Name}
		}
		return all, nil
	})
}

func (c *Client) agent(ctx context.Context, p *psa.Person) (psa.Member, error) {
	if p == nil {
		return psa.Member{}, nil
	}
	all, err := c.agents.Get(ctx, "", func(all []psa.Member) bool { _, ok := psa.FindMember(all, *p); return ok }, c.readAgents)
	if err != nil {
		return psa.Member{}, err
	}
	m, ok := psa.FindMember(all, *p)
	if !ok {
		return psa.Member{}, psa.UnknownMember(psa.KindHaloPSA, *p)
	}
	return m, nil
}

// readAgents reads the agents; a person's identifier is an agent's name or id.
func (c *Client) readAgents(ctx context.Context) ([]psa.Member, error) {
	var got []struct {
		ID       wire.ID `json:"id"`
		Name     string  `json:"name"`
		Email    string  `json:"email"`
		Disabled bool    `json:"isdisabled"`
	}
	if _, err := c.do(ctx, wire.Call{Op: "reading the agents", Method: http.MethodGet, URL: "/Agent"}, &got); err != nil {
		return nil, err
	}
	var all []psa.Member
	for _, m := range got {
		if !m.Disabled {
			all = append(all, psa.Member{ID: string(m.ID), Identifier: m.Name, Name: m.Name, Email: m.Email})
		}
	}
	return all, nil
}
