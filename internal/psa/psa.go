// Package psa is what Baton needs of a PSA, the system in which a managed
// service provider keeps its customers' tickets: read a ticket, add a note once,
// set its status and owner, and learn of changes made by hand.
//
// It knows no vendor. The adapters are packages connectwise, autotask and
// halopsa; package vendors picks one for a [Connection].
package psa

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// Client talks to one PSA for one connection. It is safe for concurrent use
// and keeps what it learned (tokens, zones, names of statuses), so keep one per
// connection. Every error is, or wraps, an [*Error].
type Client interface {
	// Kind tells the vendor.
	Kind() Kind
	// Ticket reads the ticket that ref names, as people write it: its number or
	// id, with or without a leading "#". A ticket that is not there is
	// [ClassTicketGone].
	Ticket(ctx context.Context, ref string) (Ticket, error)
	// Tickets reads many tickets by their ids in as few calls as the vendor
	// allows, for a reconcile. Those that are not there are not in the answer.
	Tickets(ctx context.Context, ids []string) (map[string]Ticket, error)
	// FindNote looks on a ticket for the note with the mark.
	FindNote(ctx context.Context, ticketID string, mark Mark) (noteID string, found bool, err error)
	// AddNote adds a note with its mark. [ClassUnclear] says that it may have
	// been added: look for its mark before adding it again.
	AddNote(ctx context.Context, ticketID string, note Note) (noteID string, err error)
	// Update sets what change names, to absolute values, and compares what the
	// PSA answers with what was asked for. What can be set is set, also when
	// the error says that something else could not be. The ticket is as far as
	// is known afterwards.
	Update(ctx context.Context, ticket Ticket, change Change) (Ticket, error)
	// Check tries the connection and tells what works and what does not.
	// It writes nothing.
	Check(ctx context.Context, probe Probe) Report
	// Callback verifies a call of the PSA and says what it is about. What is
	// not genuine is [ClassForged]. Callbacks come more than once and out of
	// order: take one as a hint to read the ticket, not as its state.
	Callback(ctx context.Context, header http.Header, body []byte) (Callback, error)
	// Close lets idle connections go.
	Close()
}

// Kind names a vendor.
type Kind string

// The vendors.
const (
	KindConnectWise Kind = "connectwise"
	KindAutotask    Kind = "autotask"
	KindHaloPSA     Kind = "halopsa"
)

// Title is the vendor's name as people know it.
func (k Kind) Title() string {
	switch k {
	case KindConnectWise:
		return "ConnectWise PSA"
	case KindAutotask:
		return "Autotask"
	case KindHaloPSA:
		return "HaloPSA"
	}
	return "the PSA"
}

// Ticket is what Baton needs to know of a ticket.
type Ticket struct {
	// ID is what the vendor's API calls the ticket, Number what people call it.
	ID      string
	Number  string
	Summary string
	Status  Status
	// Owner is empty when nobody owns the ticket.
	Owner Member
	// Board is the board (ConnectWise), queue (Autotask) or ticket type
	// (HaloPSA), which in ConnectWise and HaloPSA decides about the statuses.
	Board Ref
	// UpdatedAt is zero when the vendor does not say.
	UpdatedAt time.Time
}

// Ref is a named thing of the vendor's.
type Ref struct {
	ID   string
	Name string
}

// Status is a ticket's status. Names differ from board to board.
type Status struct {
	ID     string
	Name   string
	Closed bool
}

// Member is an engineer as the PSA knows them.
type Member struct {
	ID         string
	Identifier string
	Name       string
	Email      string
}

// Person is an engineer as Baton knows them. Identifier, when given, decides;
// otherwise the e-mail address does.
type Person struct {
	Name       string
	Email      string
	Identifier string
}

// String names the person to people.
func (p Person) String() string {
	for _, s := range []string{p.Identifier, p.Email, p.Name} {
		if s != "" {
			return s
		}
	}
	return "nobody"
}

// Matches reports whether m is this person. Case does not matter.
func (p Person) Matches(m Member) bool {
	if p.Identifier != "" {
		return strings.EqualFold(p.Identifier, m.Identifier) || p.Identifier == m.ID
	}
	return p.Email != "" && strings.EqualFold(p.Email, m.Email)
}

// Note is a note to be added.
type Note struct {
	Mark Mark
	// Title is shown by vendors that have titles.
	Title string
	// Markdown and Plain say the same, without the mark. The adapter takes the
	// one that its vendor shows well and puts the mark below it.
	Markdown string
	Plain    string
	// CustomerVisible shows the note to the customer. False keeps it inside.
	CustomerVisible bool
}

// Change is what to set on a ticket. Empty members are left alone.
type Change struct {
	// Status is the name of a status; case does not matter.
	Status string
	// Owner is who shall own the ticket.
	Owner *Person
}

// Empty reports whether there is nothing to set.
func (c Change) Empty() bool { return c.Status == "" && c.Owner == nil }

// Action is what happened to a ticket.
type Action string

// The actions.
const (
	ActionCreated Action = "created"
	ActionUpdated Action = "updated"
	ActionDeleted Action = "deleted"
	// ActionDisabled says that the vendor calls no more: only a reconcile will
	// find changes until callbacks are turned on again.
	ActionDisabled Action = "disabled"
	// ActionOther is a call that concerns no ticket's state. Answer 2xx and
	// forget it.
	ActionOther Action = "other"
)

// Callback is what a PSA called about.
type Callback struct {
	// TicketID is the [Ticket.ID]; empty for [ActionDisabled] and [ActionOther].
	TicketID string
	Action   Action
	// EventID is the same when the same event comes again; may be empty.
	EventID string
	// At is when it happened; zero when the vendor does not say.
	At time.Time
	// Verified is false where the vendor signs nothing, which is so for
	// Autotask's notice that a webhook was turned off: have a person told, and
	// change nothing else because of it.
	Verified bool
}

// Probe is what [Client.Check] shall try, besides what the connection's
// options name.
type Probe struct {
	// Ticket is a ticket to read; empty to read none.
	Ticket string
	// People are engineers to look up.
	People []Person
}

// CheckState is how a part of a check went.
type CheckState string

// The states.
const (
	CheckOK      CheckState = "ok"
	CheckWarning CheckState = "warning" // works, but look at it
	CheckFailed  CheckState = "failed"
	CheckSkipped CheckState = "skipped" // could not be tried
)

// CheckItem is one part of a check.
type CheckItem struct {
	// Name is a stable short name: address, credentials, tickets, notes,
	// status.<step>, owner, budget.
	Name   string
	State  CheckState
	Detail string
	// Cure says what to do, unless the state is [CheckOK].
	Cure string
	// Class is that of the error, where there was one.
	Class Class
}

// Report is what a check found.
type Report struct{ Items []CheckItem }

// OK reports whether nothing failed.
func (r Report) OK() bool {
	for _, i := range r.Items {
		if i.State == CheckFailed {
			return false
		}
	}
	return true
}

// Item returns the item of that name.
func (r Report) Item(name string) (CheckItem, bool) {
	for _, i := range r.Items {
		if i.Name == name {
			return i, true
		}
	}
	return CheckItem{}, false
}

// Passed adds an item that works.
func (r *Report) Passed(name, detail string) {
	r.Items = append(r.Items, CheckItem{Name: name, State: CheckOK, Detail: detail})
}

// Warned adds an item that a person should look at.
func (r *Report) Warned(name, detail, cure string) {
	r.Items = append(r.Items, CheckItem{Name: name, State: CheckWarning, Detail: detail, Cure: cure})
}

// Skipped adds an item that could not be tried.
func (r *Report) Skipped(name, detail, cure string) {
	r.Items = append(r.Items, CheckItem{Name: name, State: CheckSkipped, Detail: detail, Cure: cure})
}

// Failed adds an item that does not work, because of err.
func (r *Report) Failed(name string, err error) {
	e := AsError(err)
	r.Items = append(r.Items, CheckItem{Name: name, State: CheckFailed, Detail: e.Reason, Cure: e.Cure, Class: e.Class})
}
