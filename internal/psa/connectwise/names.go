package connectwise

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/wire"
)

// status resolves a name on the ticket's board.
func (c *Client) status(ctx context.Context, t psa.Ticket, name string) (psa.Status, error) {
	if name == "" {
		return psa.Status{}, nil
	}
	all, err := c.boardStatuses(ctx, t.Board.ID, func(all []psa.Status) bool { _, ok := psa.FindStatus(all, name); return ok })
	if err != nil {
		return psa.Status{}, err
	}
	s, ok := psa.FindStatus(all, name)
	if !ok {
		return psa.Status{}, psa.UnknownStatus(psa.KindConnectWise, name, t.Board, all)
	}
	return s, nil
}

func (c *Client) boardStatuses(ctx context.Context, board string, good func([]psa.Status) bool) ([]psa.Status, error) {
	return c.statuses.Get(ctx, board, good, func(ctx context.Context) ([]psa.Status, error) {
		var page []struct {
			ID           wire.ID `json:"id"`
			Name         string  `json:"name"`
			Inactive     bool    `json:"inactive"`
			ClosedStatus bool    `json:"closedStatus"`
		}
		path := "/service/boards/" + url.PathEscape(board) + "/statuses?pageSize=1000"
		if _, err := c.get(ctx, "reading the statuses", path, &page); err != nil {
			return nil, err
		}
		var all []psa.Status
		for _, s := range page {
			if !s.Inactive {
				all = append(all, psa.Status{ID: string(s.ID), Name: s.Name, Closed: s.ClosedStatus})
			}
		}
		return all, nil
	})
}

// member resolves a person.
func (c *Client) member(ctx context.Context, p *psa.Person) (psa.Member, error) {
	if p == nil {
		return psa.Member{}, nil
	}
	all, err := c.members.Get(ctx, "", func(all []psa.Member) bool { _, ok := psa.FindMember(all, *p); return ok }, c.readMembers)
	if err != nil {
		return psa.Member{}, err
	}
	m, ok := psa.FindMember(all, *p)
	if !ok {
		return psa.Member{}, psa.UnknownMember(psa.KindConnectWise, *p)
	}
	return m, nil
}

// readMembers reads /system/info/members, which takes no administrator.
func (c *Client) readMembers(ctx context.Context) ([]psa.Member, error) {
	const size = 1000
	var all []psa.Member
	for page := 1; page <= maxPages; page++ {
		var members []struct {
			ID           wire.ID `json:"id"`
			Identifier   string  `json:"identifier"`
			FullName     string  `json:"fullName"`
			DefaultEmail string  `json:"defaultEmail"`
			OfficeEmail  string  `json:"officeEmail"`
			InactiveFlag bool    `json:"inactiveFlag"`
		}
		path := fmt.Sprintf("/system/info/members?pageSize=%d&page=%d", size, page)
		if _, err := c.get(ctx, "reading the members", path, &members); err != nil {
			return nil, err
		}
		for _, m := range members {
			if m.InactiveFlag {
				continue
			}
			email := m.DefaultEmail
			if !strings.Contains(email, "@") { // /system/members names a kind of address here
				email = m.OfficeEmail
			}
			all = append(all, psa.Member{ID: string(m.ID), Identifier: m.Identifier, Name: m.FullName, Email: email})
		}
		if len(members) < size {
			break
		}
	}
	return all, nil
}
