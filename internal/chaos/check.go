package chaos

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/models"
)

// Check holds a record against one promise.
type Check struct {
	// Promise is what has to be so, as a sentence.
	Promise string
	// Name is short, for tables and tests.
	Name string
	run  func(*index) []Violation
}

// Violation is a promise that was not kept.
type Violation struct {
	Check   string
	Handoff uuid.UUID // nil when it is not about one
	What    string
	// Shows is the shortest history that shows it.
	Shows []string
}

// Checks are all promises. A side effect that comes later adds its own.
func Checks() []Check {
	return []Check{
		{Name: "linearizable", Promise: "each handoff behaves as one thing that is changed by one request at a time", run: checkLinearizable},
		{Name: "one-holder", Promise: "each generation has at most one holder, whoever is asked", run: checkOneHolder},
		{Name: "kept", Promise: "what was answered with 2xx is there, once, and what was refused is not", run: checkKept},
		{Name: "true-refusals", Promise: "every 409 was true", run: checkRefusals},
		{Name: "agreement", Promise: "read model, Temporal history and feed agree about every handoff", run: checkAgreement},
		{Name: "feed", Promise: "each reader saw every event of its account once and in order, and none of another's", run: checkFeed},
		{Name: "browser", Promise: "what a browser shows of the queue is what the queue is, without loading the page again", run: checkBrowser},
		{Name: "walls", Promise: "nobody sees, changes or is told of a handoff of another account", run: checkWalls},
		{Name: "answers", Promise: "every answer is one that the contract has, and in the end every outcome is known", run: checkAnswers},
		{Name: "nothing-stuck", Promise: "nothing is stuck: no failing task, no waiting activity, no workflow of a closed handoff", run: checkStuck},
		{Name: "documented", Promise: "each handoff has its documentation", run: checkDocumented},
		{Name: "told-once", Promise: "the ticket of a handoff is told of each transition once, and readers see that", run: checkTold},
		{Name: "ticket-story", Promise: "each ticket tells its story in order and nothing else, and stands where that ends", run: checkTickets},
		{Name: "briefed", Promise: "each handoff has a briefing, and its making ends with what readers are told", run: checkBriefed},
		{Name: "briefings", Promise: "no briefing is lost, the rules' comes first, and none shows as fact what rests on nothing", run: checkBriefings},
		{Name: "books", Promise: "what the model bills is on the books", run: checkBooks},
		{Name: "notified", Promise: "none of the notifications that are due is lost, and each ends as readers are told", run: checkNotified},
		{Name: "notified-once", Promise: "nobody is told twice where a channel can tell, and what comes again has the same id", run: checkNotifiedOnce},
		{Name: "relevant", Promise: "nobody is told of what was over already when its turn came", run: checkRelevant},
		{Name: "ladders", Promise: "each ladder calls whom it should, not before it should, and stops with the wait", run: checkLadders},
		{Name: "leases", Promise: "who falls silent is asked and loses the handoff, and nobody else does", run: checkLeases},
		{Name: "secrets", Promise: "no credential is where it does not belong: logs, histories, the model, tickets, messages, briefings, the database, answers", run: checkSecrets},
		{Name: "alive", Promise: "no process of Baton ended by itself, and people got their work done", run: checkAlive},
	}
}

// Check holds the record against all promises.
func (r *Record) Check() []Violation {
	ix := newIndex(r)
	var all []Violation
	for _, c := range Checks() {
		found := c.run(ix)
		for i := range found {
			found[i].Check = c.Name
		}
		all = append(all, found...)
	}
	return all
}

// index is a record, sorted for the checks.
type index struct {
	*Record
	all      []Op // with the handoff of each create that is known by now
	handoffs map[uuid.UUID]*HandoffTruth
	ops      map[uuid.UUID][]Op // by handoff
	sessions map[uuid.UUID][]*HandoffTruth
	runs     map[uuid.UUID][]WorkflowRun
	feeds    map[uuid.UUID]*FeedTruth // by account
	people   map[uuid.UUID]Person
}

func newIndex(r *Record) *index {
	ix := &index{
		Record: r, handoffs: map[uuid.UUID]*HandoffTruth{}, ops: map[uuid.UUID][]Op{}, sessions: map[uuid.UUID][]*HandoffTruth{},
		runs: map[uuid.UUID][]WorkflowRun{}, feeds: map[uuid.UUID]*FeedTruth{}, people: map[uuid.UUID]Person{},
	}
	for i := range r.Truth.Handoffs {
		h := &r.Truth.Handoffs[i]
		ix.handoffs[h.ID] = h
		ix.sessions[h.Session] = append(ix.sessions[h.Session], h)
	}
	// Which handoff a create made is in the answer to any request of its key.
	made := map[string]uuid.UUID{}
	for _, op := range r.Ops {
		if op.Verb == models.VerbCreate && op.Accepted() {
			made[op.Key] = op.Handoff
		}
	}
	ix.all = slices.Clone(r.Ops)
	for i := range ix.all {
		op := &ix.all[i]
		if op.Verb == models.VerbCreate {
			op.Handoff = made[op.Key]
		}
		if op.Handoff != uuid.Nil && !ix.foreign(*op) {
			ix.ops[op.Handoff] = append(ix.ops[op.Handoff], *op)
		}
	}
	for id, h := range ix.handoffs {
		for _, e := range h.Timeline {
			if e.Door == models.DoorLease && e.Verb == models.VerbRelease {
				ix.ops[id] = append(ix.ops[id], ix.ended(h, e))
			}
		}
	}
	for _, run := range r.Truth.Runs {
		ix.runs[run.Handoff] = append(ix.runs[run.Handoff], run)
	}
	for i := range r.Truth.Feeds {
		ix.feeds[r.Truth.Feeds[i].Account] = &r.Truth.Feeds[i]
	}
	for _, p := range r.People {
		ix.people[p.ID] = p
	}
	return ix
}

// ended is the end of a lease as a request of Baton's own, that nobody was
// answered. That it was due, checkLeases sees.
func (ix *index) ended(h *HandoffTruth, e Entry) Op {
	return Op{
		Verb: e.Verb, By: e.By, Account: h.Account, Session: h.Session, Handoff: h.ID, Door: e.Door, Generation: e.Generation,
		Key: fmt.Sprintf("lease/%d", e.Version), Call: max(0, ix.when(e)-about), Return: Never, Text: "the lease was over",
	}
}

// foreign reports whether somebody asks for a handoff of another account.
func (ix *index) foreign(op Op) bool {
	h := ix.handoffs[op.Handoff]
	return h != nil && h.Account != op.Account
}

// requestID is the id that Baton gives a request, by which the timeline knows it.
func requestID(op Op) string {
	key := op.Key
	if op.Door != "" { // the same for all doors and repetitions
		key = fmt.Sprintf("door/%d", op.Generation)
	}
	return fmt.Sprintf("%s:%s:%s", op.Verb, op.By, uuid.NewSHA1(op.Handoff, []byte(key)))
}

// effect finds the transition that a request led to, if it did.
func (ix *index) effect(op Op) (Entry, bool) {
	h := ix.handoffs[op.Handoff]
	if h == nil {
		return Entry{}, false
	}
	for _, e := range h.Timeline {
		switch {
		case op.Verb != e.Verb || op.By != e.By || op.Door != "" && op.Generation != e.Generation:
		case op.Door == models.DoorLease:
			if e.Door == op.Door {
				return e, true
			}
		case op.Verb == models.VerbCreate,
			op.Signal && e.Door == models.DoorOperator,
			!op.Signal && op.Key != "" && e.RequestID == requestID(op),
			!op.Signal && op.Key == "" && strings.HasPrefix(e.RequestID, fmt.Sprintf("%s:%s:g", op.Verb, op.By)):
			return e, true
		}
	}
	return Entry{}, false
}

// told are the handoff's events in its account's feed.
func (ix *index) told(h *HandoffTruth) []Frame {
	feed := ix.feeds[h.Account]
	if feed == nil {
		return nil
	}
	var told []Frame
	for _, e := range feed.Events {
		if e.Handoff == h.ID {
			told = append(told, e)
		}
	}
	return told
}

// story is all that is known of a handoff, for a person who looks for a bug.
func (ix *index) story(id uuid.UUID) []string {
	var lines []string
	for _, op := range ix.ops[id] {
		if op.Verb != VerbRead {
			lines = append(lines, op.String())
		}
	}
	if h := ix.handoffs[id]; h != nil {
		lines = append(lines, "row       "+h.State.String())
		for _, e := range h.Timeline {
			lines = append(lines, "timeline  "+e.String())
		}
		for _, e := range ix.told(h) {
			lines = append(lines, fmt.Sprintf("feed      %s %s %s", e.ID, e.Type, e.State))
		}
	}
	for _, run := range ix.runs[id] {
		lines = append(lines, fmt.Sprintf("workflow  run %s is %s", run.ID, run.Status))
		for _, t := range run.Snapshot.Transitions {
			lines = append(lines, "workflow  "+entryOf(t).String())
		}
	}
	return lines
}

// String is the entry in one line.
func (e Entry) String() string {
	return fmt.Sprintf("%s %-8s by %s through %s at %s (%s)", e.State, e.Verb, short(e.By), e.Door, e.At.Format("15:04:05.000000"), e.RequestID)
}

func entryOf(t models.Transition) Entry {
	return Entry{
		State: State{Version: t.Version, Generation: t.Generation, Status: t.Status, Holder: idOf(t.HolderID), Target: idOf(t.TargetUserID), Reserved: reserved(t.ReservedUntil)},
		Verb:  t.Verb, Door: t.Door, By: t.ActorID, At: t.At, RequestID: t.RequestID,
	}
}

func (e Entry) equal(o Entry) bool {
	if !e.At.Equal(o.At) {
		return false
	}
	e.At = o.At // two spellings of one moment
	return e == o
}

func equalEntries(a, b []Entry) bool {
	return slices.EqualFunc(a, b, Entry.equal)
}
