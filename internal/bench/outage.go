package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/api/serviceerror"

	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/psatest"
	"github.com/baton-handoff/baton/internal/store"
	"github.com/baton-handoff/baton/models"
	"github.com/baton-handoff/baton/workflows"
)

// outageTarget allows for the noise of a machine: nobody waits for a PSA.
const outageTarget = 1.25

// desk is an account with a PSA of its own.
type desk struct {
	*world
	*psatest.ConnectWise
	close func()
	// tickets are those of the round.
	tickets []string
}

// openAccount makes an account of its own in the same installation, with
// somebody who hands off, somebody who claims, and an admin.
func (w *world) openAccount(ctx context.Context, name string) (_ *world, admin person, err error) {
	own := *w.installation
	db, err := store.Open(ctx, own.databaseURL, store.Options{MaxConns: 2})
	if err != nil {
		return nil, admin, err
	}
	defer db.Close()
	own.account = uuid.New()
	if err := db.EnsureAccount(ctx, models.Account{ID: own.account, Name: name}); err != nil {
		return nil, admin, err
	}
	var people []person
	for _, role := range []models.Role{models.RoleEngineer, models.RoleEngineer, models.RoleAdmin} {
		p, err := own.user(ctx, db, string(role), role)
		if err != nil {
			return nil, admin, err
		}
		people = append(people, p)
	}
	own.sam, own.seniors = people[0], people[1:2]
	return &world{&own, w.base, w.bare}, people[2], nil
}

// openDesk makes an account, and connects it to a PSA as its admin would. From
// then on the PSA has the faults.
func (w *world) openDesk(ctx context.Context, faults ...psatest.Fault) (_ *desk, err error) {
	own, admin, err := w.openAccount(ctx, "Bench MSP with a PSA")
	if err != nil {
		return nil, err
	}
	d := &desk{world: own, ConnectWise: psatest.NewConnectWise()}
	server := httptest.NewServer(d.ConnectWise)
	over := make(chan struct{})
	d.close = func() { close(over); server.Close() }
	conn := d.Connection(server.URL)
	body, err := json.Marshal(map[string]any{
		"kind": conn.Kind, "address": conn.Address, "credentials": conn.Credentials.Reveal(), "options": psa.Options{
			Status: map[psa.StepName]string{psa.StepEscalated: "Escalated", psa.StepClaimed: "In Progress"},
		},
	})
	if err == nil {
		_, _, err = admin.expect(ctx, http.StatusOK, http.MethodPut, w.base+"/api/v1/psa/connection", string(body))
	}
	if err != nil {
		d.close()
		return nil, err
	}
	for i := range faults {
		faults[i].Until = over
	}
	d.Desk().Faults().Set(faults...)
	return d, nil
}

// create hands off a session with a ticket of its own, and waits, beyond the
// time that it returns, until that has left nothing of the handoff under way.
func (d *desk) create(ctx context.Context) (handoff, time.Duration, error) {
	ticket := strconv.FormatInt(d.Desk().AddTicket("Outlook does not sync").ID, 10)
	session, err := d.sessionOf(ctx, d.base, ticket)
	if err != nil {
		return handoff{}, 0, err
	}
	h, took, err := d.handOff(ctx, d.base, session)
	if err != nil {
		return h, 0, err
	}
	d.tickets = append(d.tickets, ticket)
	return h, took, errors.Join(d.settled(ctx, h.workflow()), pause(ctx, calm))
}

// forget ends what still wants to tell the round's tickets something, so that
// the retries of one round are none of the next.
func (d *desk) forget(ctx context.Context) error {
	for _, ticket := range d.tickets {
		err := d.temporal.TerminateWorkflow(ctx, workflows.TicketWorkflowID(d.account, ticket), "", "the round is over")
		if told := (*serviceerror.NotFound)(nil); err != nil && !errors.As(err, &told) {
			return fmt.Errorf("ending the round's retries: %w", err)
		}
	}
	d.tickets = nil
	return nil
}

// measureOutage compares creates and claims of handoffs with tickets whose PSA
// is down with those of an account whose PSA is well.
func measureOutage(ctx context.Context, b *bench) ([]Row, error) {
	w, leave, err := b.world(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	states := []struct {
		name, how string
		faults    []psatest.Fault
	}{
		{}, // well
		{"refuses", "cuts every connection", []psatest.Fault{{Kind: psatest.FaultRefuse}}},
		{"hangs", "takes every call and answers none", []psatest.Fault{{Kind: psatest.FaultSlow}}},
	}
	desks := make([]*desk, len(states))
	for i, s := range states {
		if desks[i], err = w.openDesk(ctx, s.faults...); err != nil {
			return nil, err
		}
		defer desks[i].close()
	}
	creates, claims := make([][]round, len(states)), make([][]round, len(states))
	for i := range states {
		creates[i], claims[i] = make([]round, b.Sizes.Rounds), make([]round, b.Sizes.Rounds)
	}
	for r := range b.Sizes.Rounds {
		// First all creates, so that the claims find an outage that has lasted.
		handoffs := make([][]handoff, len(states))
		err := inTurn(b.Sizes.Outages, desks, func(i int, d *desk) error {
			h, took, err := d.create(ctx)
			handoffs[i] = append(handoffs[i], h)
			creates[i][r].baton = append(creates[i][r].baton, milliseconds(took))
			return err
		})
		if err != nil {
			return nil, err
		}
		err = inTurn(b.Sizes.Outages, desks, func(i int, d *desk) error {
			took, err := d.claim(ctx, handoffs[i][len(claims[i][r].baton)])
			claims[i][r].baton = append(claims[i][r].baton, milliseconds(took))
			return err
		})
		if err != nil {
			return nil, err
		}
		for i, d := range desks {
			creates[i][r].floor, claims[i][r].floor = creates[0][r].baton, claims[0][r].baton
			if err := d.forget(ctx); err != nil {
				return nil, err
			}
		}
	}
	var rows []Row
	for i, s := range states[1:] {
		how := "requests over REST, each about a ticket of its own, of an account whose PSA " + s.how +
			" ÷ of one whose PSA is well; one at a time, alternating, so both pay for the retries of what the outage leaves untold"
		rows = append(rows,
			ratioRow("claim while the PSA "+s.name+" ÷ while it is well, p50", "ms", claims[i+1], 0.5, outageTarget, how),
			ratioRow("claim while the PSA "+s.name+" ÷ while it is well, p99", "ms", claims[i+1], 0.99, 0, how),
			ratioRow("create while the PSA "+s.name+" ÷ while it is well, p50", "ms", creates[i+1], 0.5, outageTarget, how),
			ratioRow("create while the PSA "+s.name+" ÷ while it is well, p99", "ms", creates[i+1], 0.99, 0, how),
		)
	}
	return rows, nil
}

// inTurn does something for each of a list, and again, each time beginning with
// another one.
func inTurn[T any](times int, list []T, do func(i int, one T) error) error {
	calls := make([]func() error, len(list))
	for i, one := range list {
		calls[i] = func() error { return do(i, one) }
	}
	for n := range times {
		if err := alternate(n, calls...); err != nil {
			return err
		}
	}
	return nil
}
