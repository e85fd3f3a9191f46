// Package psatest fakes the three PSAs at the wire: strict about what the real
// ones refuse, and able to misbehave in every way they do. The fakes are plain
// [http.Handler]s, for tests and for the sandbox of `baton up`.
//
// The package does not use the adapters, so that a mistake in one is not
// repeated here; the facts come from the same sources.
package psatest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Board is a board (ConnectWise), queue (Autotask) or ticket type (HaloPSA).
type Board struct {
	ID       int64
	Name     string
	Statuses []Status
}

// Status is a status of a board.
type Status struct {
	ID       int64
	Name     string
	Closed   bool
	Inactive bool
}

// Person is an engineer.
type Person struct {
	ID         int64
	Identifier string
	Name       string
	Email      string
	Inactive   bool
	// RoleID is the person's service desk role (Autotask); zero is none.
	RoleID int64
}

// Ticket is a ticket with its notes, oldest first.
type Ticket struct {
	ID        int64
	Number    string
	Summary   string
	BoardID   int64
	StatusID  int64
	OwnerID   int64
	Project   bool // a project ticket (ConnectWise)
	UpdatedAt time.Time
	Notes     []Note
}

// Note is a note of a ticket.
type Note struct {
	ID    int64
	Title string
	// Text is what was sent: Markdown, plain text or HTML, by vendor.
	Text            string
	CustomerVisible bool
	// API says that the note came by the API, not by hand.
	API bool
	At  time.Time
}

// Request is a request that a fake has seen. Authentication is not in it.
type Request struct {
	At     time.Time
	Op     Op
	Method string
	Path   string
	Status int // zero when the connection was cut
	Fault  FaultKind
}

// Desk is what a fake PSA holds, and what people do there by hand. It is safe
// for concurrent use; what it returns are copies.
type Desk struct {
	faults *Faults

	mu       sync.Mutex
	now      func() time.Time
	boards   []Board
	people   []Person
	tickets  map[int64]*Ticket
	lastNote int64
	last     int64
	requests []Request
	underway map[string]int
	most     map[string]int
}

const keepRequests = 5000

func newDesk(now func() time.Time, boards []Board) *Desk {
	if now == nil {
		now = time.Now
	}
	return &Desk{
		faults: &Faults{}, now: now, boards: boards,
		people: []Person{
			{ID: 11, Identifier: "sam", Name: "Sam Junior", Email: "sam@demo.test", RoleID: 8},
			{ID: 12, Identifier: "ana", Name: "Ana Senior", Email: "ana@demo.test", RoleID: 8},
			{ID: 13, Identifier: "ben", Name: "Ben Senior", Email: "ben@demo.test", RoleID: 9},
			{ID: 14, Identifier: "old", Name: "Old Timer", Email: "old@demo.test", Inactive: true},
		},
		tickets: map[int64]*Ticket{}, lastNote: 1000, last: 100,
		underway: map[string]int{}, most: map[string]int{},
	}
}

// Faults are the fake's switches for trouble.
func (d *Desk) Faults() *Faults { return d.faults }

// Boards returns the boards with their statuses.
func (d *Desk) Boards() []Board {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := slices.Clone(d.boards)
	for i := range out {
		out[i].Statuses = slices.Clone(out[i].Statuses)
	}
	return out
}

// AddTicket opens a ticket on the first board, with its first status.
func (d *Desk) AddTicket(summary string) Ticket {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last++
	t := &Ticket{
		ID: d.last, Number: "T20260102." + strconv.FormatInt(d.last, 10), Summary: summary,
		BoardID: d.boards[0].ID, StatusID: d.boards[0].Statuses[0].ID, UpdatedAt: d.now().UTC(),
	}
	d.tickets[t.ID] = t
	return *t
}

// OpenTicket opens a ticket with an id of the caller's.
func (d *Desk) OpenTicket(id int64, summary string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = max(d.last, id)
	d.tickets[id] = &Ticket{
		ID: id, Number: strconv.FormatInt(id, 10), Summary: summary,
		BoardID: d.boards[0].ID, StatusID: d.boards[0].Statuses[0].ID, UpdatedAt: d.now().UTC(),
	}
}

// Ticket returns a ticket with its notes.
func (d *Desk) Ticket(id int64) (Ticket, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.tickets[id]
	if t == nil {
		return Ticket{}, false
	}
	out := *t
	out.Notes = slices.Clone(t.Notes)
	return out, true
}

// Tickets returns all tickets, oldest first.
func (d *Desk) Tickets() []Ticket {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []Ticket
	for _, t := range d.tickets {
		c := *t
		c.Notes = slices.Clone(t.Notes)
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Ticket) int { return int(a.ID - b.ID) })
	return out
}

// StatusName is the name of a ticket's status.
func (d *Desk) StatusName(id int64) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.tickets[id]
	if t == nil {
		return ""
	}
	s, _ := d.status(t.BoardID, t.StatusID)
	return s.Name
}

// OwnerIdentifier is the identifier of a ticket's owner.
func (d *Desk) OwnerIdentifier(id int64) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.tickets[id]
	if t == nil {
		return ""
	}
	p, _ := d.person(t.OwnerID)
	return p.Identifier
}

// change changes a ticket by hand. It reports whether there is one.
func (d *Desk) change(id int64, f func(*Ticket)) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.tickets[id]
	if t == nil {
		return false
	}
	f(t)
	t.UpdatedAt = d.now().UTC()
	return true
}

// SetStatus sets a ticket's status by hand. It reports whether the ticket's
// board has one of that name.
func (d *Desk) SetStatus(id int64, name string) (ok bool) {
	d.change(id, func(t *Ticket) {
		for _, s := range d.board(t.BoardID).Statuses {
			if strings.EqualFold(s.Name, name) {
				t.StatusID, ok = s.ID, true
			}
		}
	})
	return ok
}

// SetOwner sets a ticket's owner by hand.
func (d *Desk) SetOwner(id int64, identifier string) (ok bool) {
	d.change(id, func(t *Ticket) {
		for _, p := range d.people {
			if p.Identifier == identifier {
				t.OwnerID, ok = p.ID, true
			}
		}
	})
	return ok
}

// Move moves a ticket to another board, with the first status there.
func (d *Desk) Move(id, board int64) bool {
	return d.change(id, func(t *Ticket) { t.BoardID, t.StatusID = board, d.board(board).Statuses[0].ID })
}

// MakeProject turns a ticket into a project ticket.
func (d *Desk) MakeProject(id int64) bool { return d.change(id, func(t *Ticket) { t.Project = true }) }

// Delete deletes a ticket.
func (d *Desk) Delete(id int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.tickets, id)
}

// AddNote adds a note by hand.
func (d *Desk) AddNote(id int64, text string) bool {
	return d.change(id, func(t *Ticket) { d.addNote(t, Note{Text: text}) })
}

// AddStatus adds a status to a board.
func (d *Desk) AddStatus(board int64, s Status) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.boards {
		if d.boards[i].ID == board {
			d.boards[i].Statuses = append(d.boards[i].Statuses, s)
		}
	}
}

// AddPerson adds an engineer.
func (d *Desk) AddPerson(p Person) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.people = append(d.people, p)
}

// Requests returns the requests seen, oldest first; only the last few thousand
// are kept.
func (d *Desk) Requests() []Request {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.requests)
}

// Count is how many requests of an operation were seen.
func (d *Desk) Count(op Op) int {
	n := 0
	for _, r := range d.Requests() {
		if r.Op == op {
			n++
		}
	}
	return n
}

// MostAtOnce is the greatest number of calls of one endpoint that were under
// way at the same time.
func (d *Desk) MostAtOnce() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	most := 0
	for _, n := range d.most {
		most = max(most, n)
	}
	return most
}

func (d *Desk) record(r Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.requests) >= keepRequests {
		d.requests = slices.Delete(d.requests, 0, keepRequests/10)
	}
	d.requests = append(d.requests, r)
}

// enter counts a call of an endpoint as under way, and returns how many are.
func (d *Desk) enter(endpoint string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.underway[endpoint]++
	d.most[endpoint] = max(d.most[endpoint], d.underway[endpoint])
	return d.underway[endpoint]
}

func (d *Desk) leave(endpoint string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.underway[endpoint]--
}

// The rest is for the fakes, which hold the lock.

func (d *Desk) board(id int64) Board {
	for _, b := range d.boards {
		if b.ID == id {
			return b
		}
	}
	return Board{}
}

func (d *Desk) status(board, id int64) (Status, bool) {
	for _, s := range d.board(board).Statuses {
		if s.ID == id {
			return s, true
		}
	}
	return Status{}, false
}

func (d *Desk) person(id int64) (Person, bool) {
	for _, p := range d.people {
		if p.ID == id {
			return p, true
		}
	}
	return Person{}, false
}

func (d *Desk) addNote(t *Ticket, n Note) Note {
	d.lastNote++
	n.ID, n.At = d.lastNote, d.now().UTC()
	t.Notes = append(t.Notes, n)
	return n
}

// Op is what a request asks for, whatever the vendor calls it.
type Op string

// The operations.
const (
	OpDiscover Op = "discover" // codebase, zone
	OpSignIn   Op = "sign_in"  // token
	OpTicket   Op = "ticket"
	OpTickets  Op = "tickets"
	OpNotes    Op = "notes"
	OpAddNote  Op = "add_note"
	OpUpdate   Op = "update"
	OpNames    Op = "names" // statuses, members, picklists
	OpInfo     Op = "info"
	OpKey      Op = "key" // of callbacks
	OpUnknown  Op = "unknown"
)

// reply is an answer before it is written.
type reply struct {
	status int
	header http.Header
	body   any // marshalled as JSON, unless it is raw
}

// raw is a body that is sent as it stands.
type raw string
