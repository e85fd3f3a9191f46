package chaos

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/psatest"
	"github.com/baton-handoff/baton/models"
)

// desk is the PSA of one account: a strict fake in this process, which Baton
// reaches through a link of its own.
type desk struct {
	name    string
	account uuid.UUID
	fake    psatest.Server
	server  *http.Server
	address string // of the link's near end
	seed    uint64
}

// vendors are dealt out to the accounts in turn.
var vendors = []psa.Kind{psa.KindConnectWise, psa.KindAutotask, psa.KindHaloPSA}

// statuses are those that accounts want their tickets to have. All fakes have
// them, and the last one closes a ticket.
func statuses() map[psa.StepName]string {
	return map[psa.StepName]string{
		psa.StepEscalated: "Escalated", psa.StepClaimed: "In Progress", psa.StepReleased: "New", psa.StepResolved: "Completed",
	}
}

func (s *system) addDesk(ctx context.Context, i int, seed uint64) error {
	d := &desk{name: fmt.Sprintf("psa-%d", i+1), fake: psatest.New(vendors[i%len(vendors)]), seed: seed + uint64(i)}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("opening %s: %w", d.name, err)
	}
	d.server = &http.Server{Handler: s.secrets.watch(d.fake), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = d.server.Serve(listener) }() // ends with stop
	s.desks = append(s.desks, d)
	l, err := s.addLink("baton ⇄ "+d.name, listener.Addr().String())
	if err != nil {
		return err
	}
	d.address = "http://" + l.address
	return nil
}

// admit gives each account a desk, where its people are engineers.
func (s *system) admit(people []Person) {
	for i, p := range people {
		d := s.deskOf(p.Account)
		if d == nil {
			d = s.deskOf(uuid.Nil) // the next one that has none
			d.account = p.Account
		}
		d.fake.Desk().AddPerson(psatest.Person{ID: int64(100 + i), Identifier: p.ID.String(), Name: p.Name, Email: p.email, RoleID: 8})
	}
}

func (s *system) deskOf(account uuid.UUID) *desk {
	for _, d := range s.desks {
		if d.account == account {
			return d
		}
	}
	return nil
}

func (s *system) deskNamed(name string) *desk {
	for _, d := range s.desks {
		if d.name == name {
			return d
		}
	}
	return nil
}

// connect connects each account to its PSA, as its admin would.
func (c *crowd) connect(ctx context.Context) error {
	for _, p := range c.people {
		if p.Role != models.RoleAdmin {
			continue
		}
		d := c.sys.deskOf(p.Account)
		conn := d.fake.Connection(d.address)
		credentials := map[string]any{}
		for name, secret := range conn.Credentials {
			credentials[name] = secret.Reveal()
			c.sys.secrets.keep(fmt.Sprintf("the %s of %s", name, d.name), secret.Reveal())
		}
		options := map[string]any{"status": statuses(), "set_owner": true}
		if conn.Options.OutcomeID != 0 {
			options["outcome_id"] = conn.Options.OutcomeID
		}
		status, answer, err := c.call(ctx, p, 0, http.MethodPut, "/api/v1/psa/connection", "", map[string]any{
			"kind": conn.Kind, "address": conn.Address, "credentials": credentials, "options": options,
		})
		if err != nil {
			return fmt.Errorf("connecting %s: %w", d.name, err)
		}
		if status != http.StatusOK {
			return fmt.Errorf("connecting %s: %d %s", d.name, status, answer)
		}
	}
	return nil
}

// misbehave lets a part of a desk's calls go wrong.
func misbehave(part float64, how psatest.Fault) func(context.Context, *system, string) error {
	return func(_ context.Context, s *system, on string) error {
		d := s.deskNamed(on)
		d.fake.Desk().Faults().Random(d.seed, part, how)
		return nil
	}
}

func behave(_ context.Context, s *system, on string) error {
	s.deskNamed(on).fake.Desk().Faults().Clear()
	return nil
}

// TicketTruth is a ticket in its account's PSA.
type TicketTruth struct {
	Account uuid.UUID `json:"account"`
	ID      string    `json:"id"`
	Status  string    `json:"status"`
	// Owner is the person of Baton's who owns it, as text.
	Owner string       `json:"owner,omitempty"`
	Notes []TicketNote `json:"notes"` // oldest first
}

// TicketNote is a note of a ticket.
type TicketNote struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

func (s *system) gatherTickets() []TicketTruth {
	var all []TicketTruth
	for _, d := range s.desks {
		for _, t := range d.fake.Desk().Tickets() {
			ticket := TicketTruth{
				Account: d.account, ID: strconv.FormatInt(t.ID, 10),
				Status: d.fake.Desk().StatusName(t.ID), Owner: d.fake.Desk().OwnerIdentifier(t.ID),
			}
			for _, n := range t.Notes {
				ticket.Notes = append(ticket.Notes, TicketNote{strconv.FormatInt(n.ID, 10), n.Text})
				s.secrets.search("a ticket of "+d.name, []byte(n.Text))
			}
			all = append(all, ticket)
		}
	}
	return all
}
