// Package sandbox is the PSA of `baton up`: a ConnectWise that exists in this
// process alone, with a page that shows its tickets and has switches for
// trouble. It keeps nothing: a restart begins with the tickets as they were.
package sandbox

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/psatest"
)

// Path is where the page is served.
const Path = "/sandbox/psa"

// trouble is a switch of the page.
type trouble struct {
	Name, Title, Help string
	faults            []psatest.Fault
}

func troubles() []trouble {
	return []trouble{
		{"none", "All is well", "Every call is answered as it should be.", nil},
		{"outage", "Outage", "Connections are cut before anything is done.", []psatest.Fault{{Kind: psatest.FaultRefuse}}},
		{"slow", "Slow", "Every call takes three seconds.", []psatest.Fault{{Kind: psatest.FaultSlow, Delay: 3 * time.Second}}},
		{"429", "429 Too Many Requests", "It asks to wait for 20 seconds.", []psatest.Fault{{Kind: psatest.FaultRateLimit, RetryAfter: "20"}}},
		{"500", "500 Internal Server Error", "Nothing is done.", []psatest.Fault{{Kind: psatest.FaultStatus, Status: http.StatusInternalServerError}}},
		{"credentials", "Bad credentials", "No retry mends this: a person has to. Then POST …/psa/retry, or wait.", []psatest.Fault{{Kind: psatest.FaultCredentials}}},
		{"drop", "Commit, then drop", "Notes are added, and the connection is cut instead of an answer.", []psatest.Fault{{Kind: psatest.FaultCommitThenDrop, On: []psatest.Op{psatest.OpAddNote}}}},
	}
}

// Ticket is one that exists from the start.
type Ticket struct {
	ID      int64
	Summary string
}

// Sandbox is a running sandbox.
type Sandbox struct {
	fake    *psatest.ConnectWise
	address string
	server  *http.Server
}

// Start serves a ConnectWise with these tickets on a free port of this machine.
// The people are engineers there, besides those that it has anyway.
func Start(ctx context.Context, tickets []Ticket, people []psa.Person, log *slog.Logger) (*Sandbox, error) {
	s := &Sandbox{fake: psatest.NewConnectWise()}
	for i, p := range people {
		s.fake.Desk().AddPerson(psatest.Person{ID: int64(50 + i), Identifier: p.Identifier, Name: p.Name, Email: p.Email})
	}
	for _, t := range tickets {
		s.fake.Desk().OpenTicket(t.ID, t.Summary)
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the PSA sandbox: %w", err)
	}
	s.address = "http://" + listener.Addr().String()
	s.server = &http.Server{Handler: s.site(), ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	go func() { _ = s.server.Serve(listener) }() // ends with Stop
	return s, nil
}

// site is the API, and where the vendor's application would be, the page.
func (s *Sandbox) site() http.Handler {
	site := http.NewServeMux()
	site.Handle("/", s.fake)
	site.Handle("GET "+Path, s)
	site.Handle("POST "+Path, s)
	site.HandleFunc("GET /v4_6_release/services/system_io/Service/fv_sr100_request.rails", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, Path+"#ticket-"+url.QueryEscape(r.FormValue("service_recid")), http.StatusSeeOther)
	})
	return site
}

// Stop ends it, and whatever calls are under way.
func (s *Sandbox) Stop() { _ = s.server.Close() }

// Connection is a connection to it, with a status for each step.
func (s *Sandbox) Connection() psa.Connection {
	c := s.fake.Connection(s.address)
	c.Network.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	c.Options = psa.Options{SetOwner: true, Status: map[psa.StepName]string{
		psa.StepEscalated: "Escalated", psa.StepClaimed: "In Progress", psa.StepReleased: "New", psa.StepResolved: "Completed",
	}}
	return c
}

type ticketView struct {
	psatest.Ticket
	Status, Owner string
}

// ServeHTTP serves the page, and turns its switches.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		s.turn(w, r)
		return
	}
	desk := s.fake.Desk()
	var tickets []ticketView
	for _, t := range desk.Tickets() {
		tickets = append(tickets, ticketView{t, desk.StatusName(t.ID), desk.OwnerIdentifier(t.ID)})
	}
	slices.SortStableFunc(tickets, func(a, b ticketView) int { return b.UpdatedAt.Compare(a.UpdatedAt) })
	requests := desk.Requests()
	slices.Reverse(requests)
	show(w, "psa.html", map[string]any{
		"Path": Path, "Troubles": troubles(), "Now": s.trouble(), "Tickets": tickets, "Requests": requests[:min(12, len(requests))],
	})
}

// turn turns a switch. Other sites must not, even on a developer's machine.
func (s *Sandbox) turn(w http.ResponseWriter, r *http.Request) {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		http.Error(w, "This comes from another site.", http.StatusForbidden)
		return
	}
	name := strings.TrimSpace(r.PostFormValue("trouble"))
	for _, t := range troubles() {
		if t.Name == name {
			s.fake.Desk().Faults().Set(t.faults...)
			http.Redirect(w, r, Path, http.StatusSeeOther)
			return
		}
	}
	http.Error(w, "There is no such switch.", http.StatusBadRequest)
}

// trouble names the switch that is on.
func (s *Sandbox) trouble() string {
	standing := s.fake.Desk().Faults().Standing()
	for _, t := range troubles() {
		if len(t.faults) > 0 && len(standing) > 0 && t.faults[0].Kind == standing[0].Kind {
			return t.Name
		}
	}
	return "none"
}
