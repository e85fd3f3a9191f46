package autotask

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/wire"
)

type pick struct {
	Value   wire.ID `json:"value"`
	Label   string  `json:"label"`
	Active  bool    `json:"isActive"`
	Default bool    `json:"isDefaultValue"`
}

// picklists are the values of an entity's fields, which differ per tenant.
type picklists map[string][]pick

func (p picklists) label(field string, id wire.ID) string {
	for _, v := range p[field] {
		if v.Value == id {
			return v.Label
		}
	}
	return ""
}

func (p picklists) statuses() []psa.Status {
	var all []psa.Status
	for _, v := range p["status"] {
		if v.Active {
			all = append(all, psa.Status{ID: string(v.Value), Name: v.Label, Closed: v.Value == complete})
		}
	}
	return all
}

func (p picklists) labels(field string) string {
	var all []string
	for _, v := range p[field] {
		if v.Active {
			all = append(all, psa.Safe(v.Label))
		}
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all[:min(12, len(all))], ", ")
}

func (c *Client) entityFields(ctx context.Context, entity string, good func(picklists) bool) (picklists, error) {
	return c.fields.Get(ctx, entity, good, func(ctx context.Context) (picklists, error) {
		var got struct {
			Fields []struct {
				Name   string `json:"name"`
				Values []pick `json:"picklistValues"`
			} `json:"fields"`
		}
		_, err := c.do(ctx, wire.Call{
			Op: "reading the picklists", Method: http.MethodGet, URL: "/" + entity + "/entityInformation/fields",
		}, &got)
		if err != nil {
			return nil, err
		}
		lists := picklists{}
		for _, f := range got.Fields {
			if len(f.Values) > 0 {
				lists[f.Name] = f.Values
			}
		}
		return lists, nil
	})
}

func (c *Client) ticketFields(ctx context.Context, good func(picklists) bool) (picklists, error) {
	return c.entityFields(ctx, "Tickets", good)
}

// status resolves a name. Autotask's statuses are those of the tenant.
func (c *Client) status(ctx context.Context, name string) (psa.Status, error) {
	if name == "" {
		return psa.Status{}, nil
	}
	lists, err := c.ticketFields(ctx, func(p picklists) bool { _, ok := psa.FindStatus(p.statuses(), name); return ok })
	if err != nil {
		return psa.Status{}, err
	}
	s, ok := psa.FindStatus(lists.statuses(), name)
	if !ok {
		return psa.Status{}, psa.UnknownStatus(psa.KindAutotask, name, psa.Ref{}, lists.statuses())
	}
	return s, nil
}

const (
	internalOnly = "Internal Only"
	allUsers     = "All Autotask Users"
	// workflowNote is the type of notes that workflow rules write; the API
	// refuses it.
	workflowNote = "13"
)

// noteOptions picks the type of a note and who sees it, by their labels. There
// is no falling back on a number: 1, which is often the first, shows a note to
// the customer.
func (c *Client) noteOptions(ctx context.Context, visible bool) (noteType, publish int64, err error) {
	const op = "choosing who sees the note"
	wanted := c.options.InternalLabel
	if wanted == "" {
		wanted = internalOnly
	}
	if visible {
		if wanted = c.options.CustomerLabel; wanted == "" {
			wanted = allUsers
		}
	}
	lists, err := c.entityFields(ctx, "TicketNotes", func(p picklists) bool {
		_, one := choose(p["publish"], wanted)
		_, two := c.noteType(p["noteType"])
		return one && two
	})
	if err != nil {
		return 0, 0, err
	}
	publish, ok := choose(lists["publish"], wanted)
	if !ok {
		return 0, 0, psa.Errorf(psa.ClassMisconfigured, op, "Autotask has no value %q for who sees a note, so none was written.", psa.Safe(wanted)).
			WithCure("Enter in the connection what your Autotask calls it; it has %s.", lists.labels("publish"))
	}
	if noteType, ok = c.noteType(lists["noteType"]); !ok {
		return 0, 0, psa.Errorf(psa.ClassMisconfigured, op, "Autotask has no note type %q.", psa.Safe(c.options.NoteType)).
			WithCure("Choose another one in the connection; it has %s.", lists.labels("noteType"))
	}
	return noteType, publish, nil
}

func choose(values []pick, label string) (int64, bool) {
	for _, v := range values {
		if v.Active && strings.EqualFold(strings.TrimSpace(v.Label), strings.TrimSpace(label)) {
			return v.Value.Int()
		}
	}
	return 0, false
}

// noteType is the type that the options name, or the tenant's default, or the
// first that people may use.
func (c *Client) noteType(values []pick) (int64, bool) {
	if c.options.NoteType != "" {
		return choose(values, c.options.NoteType)
	}
	var first int64
	for _, v := range values {
		n, ok := v.Value.Int()
		if !ok || !v.Active || v.Value == workflowNote {
			continue
		}
		if v.Default {
			return n, true
		}
		if first == 0 {
			first = n
		}
	}
	return first, first != 0
}

type resource struct {
	ID        wire.ID `json:"id"`
	UserName  string  `json:"userName"`
	Email     string  `json:"email"`
	FirstName string  `json:"firstName"`
	LastName  string  `json:"lastName"`
	Active    bool    `json:"isActive"`
}

func (r resource) psa() psa.Member {
	return psa.Member{
		ID: string(r.ID), Identifier: r.UserName, Email: r.Email, Name: strings.TrimSpace(r.FirstName + " " + r.LastName),
	}
}

func (c *Client) findResources(ctx context.Context, f filter) ([]resource, error) {
	key := f.Field + "\x00" + strings.ToLower(fmt.Sprint(f.Value))
	some := func(all []resource) bool { return len(all) > 0 }
	return c.resources.Get(ctx, key, some, func(ctx context.Context) ([]resource, error) {
		q := query{
			Filter:        []filter{f},
			IncludeFields: []string{"id", "userName", "email", "firstName", "lastName", "isActive"},
		}
		var all []resource
		err := find(ctx, c, "reading the resources", "Resources", q,
			func(r resource) wire.ID { return r.ID }, func(r resource) bool { all = append(all, r); return false })
		return all, err
	})
}

// owner resolves a person, and the role that they are assigned with.
func (c *Client) owner(ctx context.Context, p *psa.Person) (psa.Member, int64, error) {
	if p == nil {
		return psa.Member{}, 0, nil
	}
	by := filter{Op: "eq", Field: "email", Value: p.Email}
	if p.Identifier != "" {
		by = filter{Op: "eq", Field: "userName", Value: p.Identifier}
		if n, ok := wire.ID(p.Identifier).Int(); ok {
			by = filter{Op: "eq", Field: "id", Value: n}
		}
	} else if p.Email == "" {
		return psa.Member{}, 0, psa.UnknownMember(psa.KindAutotask, *p)
	}
	all, err := c.findResources(ctx, by)
	if err != nil {
		return psa.Member{}, 0, err
	}
	for _, r := range all {
		if m := r.psa(); r.Active && p.Matches(m) {
			role, err := c.role(ctx, m)
			if err != nil {
				return psa.Member{}, 0, err
			}
			return m, role, nil
		}
	}
	return psa.Member{}, 0, psa.UnknownMember(psa.KindAutotask, *p)
}

// role is the service desk role that a resource is assigned with: the one of
// the options, their default, or their first.
func (c *Client) role(ctx context.Context, m psa.Member) (int64, error) {
	if c.options.OwnerRoleID > 0 {
		return int64(c.options.OwnerRoleID), nil
	}
	id, _ := wire.ID(m.ID).Int()
	role, err := c.roles.Get(ctx, m.ID, func(r int64) bool { return r > 0 }, func(ctx context.Context) (int64, error) {
		type row struct {
			ID      wire.ID `json:"id"`
			Role    wire.ID `json:"roleID"`
			Active  bool    `json:"isActive"`
			Default bool    `json:"isDefault"`
		}
		var chosen int64
		q := query{Filter: []filter{{Op: "eq", Field: "resourceID", Value: id}}}
		err := find(ctx, c, "reading the roles", "ResourceServiceDeskRoles", q,
			func(r row) wire.ID { return r.ID },
			func(r row) bool {
				n, ok := r.Role.Int()
				if ok && r.Active && (chosen == 0 || r.Default) {
					chosen = n
				}
				return ok && r.Active && r.Default
			})
		return chosen, err
	})
	if err != nil {
		return 0, err
	}
	if role == 0 {
		return 0, psa.Errorf(psa.ClassRejected, "setting the owner", "%s has no active service desk role in Autotask.", psa.Safe(m.Name)).
			WithCure("Give them one, or choose a role for all in the connection.")
	}
	return role, nil
}

// threshold is how many calls the tenant made in the current hour.
type threshold struct {
	Limit int `json:"externalRequestThreshold"`
	Used  int `json:"currentTimeframeRequestCount"`
}

func (t threshold) part() float64 {
	if t.Limit <= 0 {
		return 0
	}
	return float64(t.Used) / float64(t.Limit)
}

func (c *Client) threshold(ctx context.Context) (threshold, error) {
	return c.usage.Get(ctx, "", nil, func(ctx context.Context) (threshold, error) {
		var t threshold
		_, err := c.do(ctx, wire.Call{Op: "reading the threshold", Method: http.MethodGet, URL: "/ThresholdInformation"}, &t)
		return t, err
	})
}
