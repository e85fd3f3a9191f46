package chaos

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/llm/llmtest"
	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/models"
)

// loadRecord loads a record of a real, calm run:
//
//	bin/chaos --calm --seed 3 --accounts 2 --duration 14s --dir DIR
func loadRecord(t *testing.T) *Record {
	t.Helper()
	r, err := Load("testdata/calm.json.gz")
	require.NoError(t, err)
	return r
}

func TestACleanRecordIsClean(t *testing.T) {
	t.Parallel()
	require.Empty(t, loadRecord(t).Check())
}

// TestChecksCanFail falsifies a clean record in one way at a time.
func TestChecksCanFail(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		falsify func(*testing.T, *Record)
		catch   string
	}{
		{"two people are told that they have it", func(t *testing.T, r *Record) {
			op := someOp(t, r, models.VerbClaim, func(op Op) bool { return op.Accepted() && op.Key != "" })
			other := op
			other.By, other.Key = someoneElse(t, r, op.By), uuid.NewString()
			seen := *op.Seen
			seen.Holder = other.By
			other.Seen = &seen
			r.Ops = append(r.Ops, other)
		}, "one-holder"},
		{"somebody is told that they have it when it was taken", func(t *testing.T, r *Record) {
			op := someOp(t, r, models.VerbClaim, func(op Op) bool { return op.Code == models.CodeAlreadyClaimed })
			change(r, op.ID, func(op *Op) {
				op.HTTP, op.Code, op.Holder = http.StatusOK, "", uuid.Nil
				op.Seen = &State{Version: 2, Generation: 1, Status: models.StatusClaimed, Holder: op.By}
			})
		}, "linearizable"},
		{"a reader sees the past", func(t *testing.T, r *Record) {
			op := someOp(t, r, models.VerbResolve, Op.Accepted)
			r.Ops = append(r.Ops, Op{
				ID: 9999, Verb: VerbRead, By: op.By, Account: op.Account, Session: op.Session, Handoff: op.Handoff,
				Call: op.Return + time.Second, Return: op.Return + 2*time.Second, HTTP: http.StatusOK,
				Seen: &State{Version: 1, Generation: 1, Status: models.StatusQueued, Target: truthOf(r, op.Handoff).Timeline[0].Target},
			})
		}, "linearizable"},
		{"somebody is let past a reservation", func(t *testing.T, r *Record) {
			op := someOp(t, r, models.VerbClaim, func(op Op) bool { return op.Code == models.CodeReserved })
			answer := answerOf(truthOf(r, op.Handoff))
			change(r, op.ID, func(op *Op) {
				op.HTTP, op.Code = http.StatusOK, ""
				op.Seen = &State{Version: answer.Version + 1, Generation: answer.Generation, Status: models.StatusClaimed, Holder: op.By, Target: answer.Target}
			})
		}, "linearizable"},
		{"who asked is kept waiting", func(t *testing.T, r *Record) {
			op := someOp(t, r, models.VerbClaim, func(op Op) bool { return op.Code == models.CodeReserved })
			change(r, op.ID, func(op *Op) { op.By = op.ReservedFor })
		}, "linearizable"},
		{"a 409 names a wrong end of a reservation", func(t *testing.T, r *Record) {
			op := someOp(t, r, models.VerbClaim, func(op Op) bool { return op.Code == models.CodeReserved })
			change(r, op.ID, func(op *Op) { op.Reserved++ })
		}, "true-refusals"},
		{"a reservation is too short", func(t *testing.T, r *Record) {
			h := truthOf(r, someOp(t, r, models.VerbAnswer, Op.Accepted).Handoff)
			for i := range h.Timeline {
				h.Timeline[i].Reserved = max(0, h.Timeline[i].Reserved-1)
			}
		}, "agreement"},
		{"questions go to the wrong engineer", func(t *testing.T, r *Record) {
			op := someOp(t, r, models.VerbReturn, Op.Accepted)
			change(r, op.ID, func(op *Op) { op.Seen.Target = someoneElse(t, r, op.Seen.Target) })
		}, "linearizable"},
		{"the ticket is not told what was asked", func(t *testing.T, r *Record) {
			said := false
			for i := range r.Truth.Tickets {
				for j := range r.Truth.Tickets[i].Notes {
					note := &r.Truth.Tickets[i].Notes[j]
					said = said || strings.Contains(note.Text, "Which firmware?")
					note.Text = strings.ReplaceAll(note.Text, "Which firmware?", "")
				}
			}
			require.True(t, said)
		}, "told-once"},
		{"an accepted request is lost", func(t *testing.T, r *Record) {
			op := someOp(t, r, models.VerbResolve, Op.Accepted)
			h := truthOf(r, op.Handoff)
			h.Timeline = h.Timeline[:len(h.Timeline)-1]
			h.State = h.Timeline[len(h.Timeline)-1].State
		}, "kept"},
		{"a refused request takes effect", func(t *testing.T, r *Record) {
			op := someOp(t, r, models.VerbResolve, Op.Accepted)
			change(r, op.ID, func(op *Op) { op.HTTP, op.Code, op.Seen = http.StatusServiceUnavailable, models.CodeUnavailable, nil })
		}, "kept"},
		{"a request takes effect twice", func(t *testing.T, r *Record) {
			op := someOp(t, r, models.VerbRelease, func(op Op) bool { return op.Accepted() && op.Key != "" })
			h := truthOf(r, op.Handoff)
			h.Timeline = append(h.Timeline, h.Timeline[slices.IndexFunc(h.Timeline, func(e Entry) bool { return e.RequestID == requestID(op) })])
		}, "kept"},
		{"something happens that nobody asked for", func(t *testing.T, r *Record) {
			op := someOp(t, r, models.VerbResolve, Op.Accepted)
			r.Ops = slices.DeleteFunc(r.Ops, func(o Op) bool { return o.Handoff == op.Handoff && o.Verb == models.VerbResolve })
		}, "kept"},
		{"a handoff is made and nobody is told", func(t *testing.T, r *Record) {
			op := someOp(t, r, models.VerbCreate, Op.Accepted)
			r.Ops = slices.DeleteFunc(r.Ops, func(o Op) bool { return o.Key == op.Key })
		}, "kept"},
		{"a 409 names a wrong time", func(t *testing.T, r *Record) {
			op := someOp(t, r, models.VerbClaim, func(op Op) bool { return op.Code == models.CodeAlreadyClaimed })
			change(r, op.ID, func(op *Op) { op.HeldSince = op.HeldSince.Add(time.Second) })
		}, "true-refusals"},
		{"a 409 says that a session is handed off which is not", func(t *testing.T, r *Record) {
			op := someOp(t, r, models.VerbCreate, Op.Accepted)
			op.ID, op.Key, op.Session, op.HTTP, op.Code, op.Seen, op.Handoff = 9999, uuid.NewString(), uuid.New(), http.StatusConflict, models.CodeAlreadyHandedOff, nil, uuid.Nil
			r.Ops = append(r.Ops, op)
		}, "true-refusals"},
		{"somebody is told that their claim is over, and it is not", func(t *testing.T, r *Record) {
			op := someOp(t, r, models.VerbClaim, func(op Op) bool {
				h := truthOf(r, op.Handoff)
				return op.Accepted() && h.State.Generation == 1 && op.Key != "" && h.State.Status == models.StatusClaimed && h.State.Holder == op.By
			})
			change(r, op.ID, func(op *Op) {
				op.HTTP, op.Code, op.Seen, op.Text = http.StatusConflict, models.CodeConflict, nil, "Your claim was accepted, but the handoff has since been taken from you again."
			})
		}, "true-refusals"},
		{"the row is behind", func(t *testing.T, r *Record) {
			h := truthOf(r, someOp(t, r, models.VerbResolve, Op.Accepted).Handoff)
			h.State = h.Timeline[len(h.Timeline)-2].State
		}, "agreement"},
		{"the feed leaves a transition out", func(t *testing.T, r *Record) {
			r.Truth.Feeds[0].Events = slices.Delete(r.Truth.Feeds[0].Events, 0, 1)
		}, "agreement"},
		{"the workflow decided otherwise", func(_ *testing.T, r *Record) {
			r.Truth.Runs[0].Snapshot.Transitions[0].ActorID = uuid.New()
		}, "agreement"},
		{"an answer of the workflow was taken back", func(t *testing.T, r *Record) {
			i := slices.IndexFunc(r.Truth.Runs, func(run WorkflowRun) bool { return len(run.Outcomes) > 0 })
			last := r.Truth.Runs[i].Outcomes[0].Transitions
			last[len(last)-1].ActorID = uuid.New()
		}, "agreement"},
		{"a handoff has two runs", func(_ *testing.T, r *Record) {
			again := r.Truth.Runs[0]
			again.ID = uuid.NewString()
			r.Truth.Runs = append(r.Truth.Runs, again)
		}, "agreement"},
		{"a reader misses an event", func(_ *testing.T, r *Record) {
			r.Streams[0].Frames = slices.Delete(r.Streams[0].Frames, 1, 2)
		}, "feed"},
		{"a reader sees an event twice", func(_ *testing.T, r *Record) {
			r.Streams[0].Frames = slices.Insert(r.Streams[0].Frames, 1, r.Streams[0].Frames[0])
		}, "feed"},
		{"a reader sees events in another order", func(_ *testing.T, r *Record) {
			f := r.Streams[0].Frames
			f[0], f[1] = f[1], f[0]
		}, "feed"},
		{"a reader misses the end", func(_ *testing.T, r *Record) {
			r.Streams[0].Frames = r.Streams[0].Frames[:len(r.Streams[0].Frames)-1]
		}, "feed"},
		{"a reader sees another account's event", func(t *testing.T, r *Record) {
			i := slices.IndexFunc(r.Streams, func(s Stream) bool { return s.Account != r.Streams[0].Account })
			r.Streams[0].Frames = append(r.Streams[0].Frames, r.Streams[i].Frames[0])
		}, "feed"},
		{"a reader is told to resync for nothing", func(_ *testing.T, r *Record) {
			r.Streams[0].Frames[0].Type = models.EventResync
		}, "feed"},
		{"a stream is refused", func(_ *testing.T, r *Record) { r.Streams[0].Ended = "401" }, "feed"},
		{"somebody of another account gets in", func(t *testing.T, r *Record) {
			op := someOp(t, r, VerbRead, Op.Accepted)
			i := slices.IndexFunc(r.People, func(p Person) bool { return p.Account != op.Account })
			op.ID, op.By, op.Account = 9999, r.People[i].ID, r.People[i].Account
			r.Ops = append(r.Ops, op)
		}, "walls"},
		{"an answer is an internal error", func(t *testing.T, r *Record) {
			change(r, r.Ops[0].ID, func(op *Op) { op.HTTP, op.Code = http.StatusInternalServerError, models.CodeInternal })
		}, "answers"},
		{"a handoff cannot be found", func(t *testing.T, r *Record) {
			op := someOp(t, r, VerbRead, Op.Accepted)
			change(r, op.ID, func(op *Op) { op.HTTP, op.Code, op.Seen = http.StatusNotFound, models.CodeNotFound, nil })
		}, "answers"},
		{"an outcome stays unknown", func(t *testing.T, r *Record) {
			op := someOp(t, r, models.VerbResolve, Op.Accepted)
			change(r, op.ID, func(op *Op) { op.HTTP, op.Seen, op.Return = 0, nil, Never })
		}, "answers"},
		{"a workflow task fails", func(_ *testing.T, r *Record) {
			r.Truth.Runs[0].Trouble = []string{"a workflow task is Scheduled, attempt 7"}
		}, "nothing-stuck"},
		{"the workflow of a closed handoff goes on", func(t *testing.T, r *Record) {
			op := someOp(t, r, models.VerbResolve, Op.Accepted)
			for i := range r.Truth.Runs {
				if r.Truth.Runs[i].Handoff == op.Handoff {
					r.Truth.Runs[i].Status = "Running"
				}
			}
		}, "nothing-stuck"},
		{"a side effect never ends", func(_ *testing.T, r *Record) { r.Truth.Outlived = []string{"effect/1"} }, "nothing-stuck"},
		{"a side effect gives up", func(_ *testing.T, r *Record) {
			r.Truth.Handoffs[0].Effects["documentation"] = "failed"
		}, "documented"},
		{"a card of the feed tells of what never was", func(_ *testing.T, r *Record) {
			for i := range r.Truth.Feeds {
				for j, f := range r.Truth.Feeds[i].Events {
					if f.Type == models.EventUpdated {
						r.Truth.Feeds[i].Events[j].State = State{Version: 77, Generation: 9, Status: models.StatusCancelled}
					}
				}
			}
		}, "agreement"},
		{"nobody is told that a handoff is documented", func(_ *testing.T, r *Record) {
			f := &r.Truth.Feeds[0]
			f.Events = slices.DeleteFunc(f.Events, func(e Frame) bool { return e.Type == models.EventUpdated })
		}, "agreement"},
		{"the row has another intent", func(_ *testing.T, r *Record) { r.Truth.Handoffs[0].Intent += "d" }, "agreement"},
		{"a session belongs to somebody else", func(_ *testing.T, r *Record) {
			r.Truth.Handoffs[len(r.Truth.Handoffs)-1].SessionOwner = uuid.New()
		}, "agreement"},
		{"a text is lost", func(t *testing.T, r *Record) {
			truthOf(r, someOp(t, r, models.VerbResolve, Op.Accepted).Handoff).Resolution = ""
		}, "agreement"},
		{"a run of somebody else passes for a late one", func(t *testing.T, r *Record) {
			i := slices.IndexFunc(r.Truth.Runs, func(run WorkflowRun) bool { return !run.Open() })
			other := r.Truth.Runs[i]
			other.ID, other.Began, other.Outcomes = uuid.NewString(), other.Ended.Add(time.Second), nil
			first := other.Snapshot.Transitions[0]
			first.ActorID = uuid.New()
			other.Snapshot.Transitions = []models.Transition{first}
			r.Truth.Runs = append(r.Truth.Runs, other)
		}, "agreement"},
		{"a workflow could not be replayed", func(_ *testing.T, r *Record) {
			r.Truth.Runs[0].Failed = []string{"NonDeterministicError: [TMPRL1100]"}
		}, "nothing-stuck"},
		{"a request is refused when it is repeated", func(t *testing.T, r *Record) {
			op := someOp(t, r, models.VerbCreate, Op.Accepted)
			op.ID, op.Again, op.Call, op.Return = 9999, 1, op.Return+time.Second, op.Return+2*time.Second
			op.HTTP, op.Code, op.Seen = http.StatusNotFound, models.CodeNotFound, nil
			r.Ops = append(r.Ops, op)
		}, "answers"},
		{"a session is said to be resolved that is not", func(t *testing.T, r *Record) {
			op := someOp(t, r, models.VerbCreate, Op.Accepted)
			op.ID, op.Key, op.Session, op.HTTP, op.Code, op.Seen = 9999, uuid.NewString(), uuid.New(), http.StatusConflict, models.CodeClosed, nil
			r.Ops = append(r.Ops, op)
		}, "true-refusals"},
		{"a ticket is not told", func(t *testing.T, r *Record) {
			ticket := someTicket(t, r, 1)
			ticket.Notes = ticket.Notes[1:]
		}, "told-once"},
		{"a ticket is told twice", func(t *testing.T, r *Record) {
			ticket := someTicket(t, r, 1)
			ticket.Notes = append(ticket.Notes, ticket.Notes[0])
		}, "told-once"},
		{"another account's ticket is told", func(t *testing.T, r *Record) {
			ticket := someTicket(t, r, 1)
			i := slices.IndexFunc(r.Truth.Tickets, func(o TicketTruth) bool { return o.Account != ticket.Account })
			r.Truth.Tickets[i].Notes, ticket.Notes = append(r.Truth.Tickets[i].Notes, ticket.Notes...), nil
		}, "told-once"},
		{"a ticket is told of a step that never was", func(t *testing.T, r *Record) {
			ticket := someTicket(t, r, 1)
			ticket.Notes = append(ticket.Notes, TicketNote{ID: "9999", Text: "[baton:" + uuid.NewString() + ":claimed:1]"})
		}, "ticket-story"},
		{"a ticket is told something without a mark", func(t *testing.T, r *Record) {
			ticket := someTicket(t, r, 1)
			ticket.Notes = append(ticket.Notes, TicketNote{ID: "9999", Text: "Claimed by Ana"})
		}, "ticket-story"},
		{"a ticket tells its story in another order", func(t *testing.T, r *Record) {
			notes := someTicket(t, r, 2).Notes
			notes[0], notes[1] = notes[1], notes[0]
		}, "ticket-story"},
		{"steps are handed over in another order", func(t *testing.T, r *Record) {
			ticket := someTicket(t, r, 2)
			ticket.Notes[0], ticket.Notes[1] = ticket.Notes[1], ticket.Notes[0]
			slices.Reverse(r.Truth.TicketRuns)
		}, "ticket-story"},
		{"a note leaves out what solved it", func(t *testing.T, r *Record) {
			op := someOp(t, r, models.VerbResolve, func(op Op) bool { return op.Accepted() && truthOf(r, op.Handoff).Ticket != "" })
			for _, ticket := range r.Truth.Tickets {
				for i := range ticket.Notes {
					ticket.Notes[i].Text = strings.ReplaceAll(ticket.Notes[i].Text, op.Key, "")
				}
			}
		}, "told-once"},
		{"a ticket has a status of its own", func(t *testing.T, r *Record) { someTicket(t, r, 1).Status = "Retired" }, "ticket-story"},
		{"a ticket belongs to somebody else", func(t *testing.T, r *Record) { someTicket(t, r, 2).Owner = uuid.NewString() }, "ticket-story"},
		{"a step is never told", func(t *testing.T, r *Record) { someTicketed(t, r).Steps[0].State = models.EffectSkipped }, "told-once"},
		{"a step is missing", func(t *testing.T, r *Record) {
			h := someTicketed(t, r)
			h.Steps = h.Steps[1:]
		}, "told-once"},
		{"a step names another note", func(t *testing.T, r *Record) { *someTicketed(t, r).Steps[0].NoteID += "0" }, "told-once"},
		{"readers see another sum", func(t *testing.T, r *Record) { someTicketed(t, r).PSA.State = models.EffectRetrying }, "told-once"},
		{"an answer says that a ticket waits", func(t *testing.T, r *Record) {
			h := someTicketed(t, r)
			for i := range r.Ops {
				if r.Ops[i].Handoff == h.ID {
					r.Ops[i].PSA = models.EffectPending
				}
			}
		}, "told-once"},
		{"a session loses its ticket", func(t *testing.T, r *Record) {
			h := someTicketed(t, r)
			h.Ticket, h.Steps, h.PSA = "", nil, nil
		}, "told-once"},
		{"a handoff without a ticket is told", func(t *testing.T, r *Record) {
			i := slices.IndexFunc(r.Truth.Handoffs, func(h HandoffTruth) bool { return h.Ticket == "" })
			require.GreaterOrEqual(t, i, 0)
			r.Truth.Handoffs[i].PSA = &models.Effect{Kind: models.EffectPSA, State: models.EffectDone}
		}, "told-once"},
		{"the workflow of a ticket fails", func(_ *testing.T, r *Record) { r.Truth.TicketRuns[0].Status = "Failed" }, "ticket-story"},
		{"the workflow of a ticket could not be replayed", func(_ *testing.T, r *Record) {
			r.Truth.TicketRuns[0].Failed = []string{"NonDeterministicError: [TMPRL1100]"}
		}, "ticket-story"},
		{"a log holds a secret", func(_ *testing.T, r *Record) { r.Truth.Leaks = []string{"api-1.log holds the secret of psa-1"} }, "secrets"},
		{"a request to the model holds what was planted", func(_ *testing.T, r *Record) {
			r.Truth.Leaks = []string{"a request to the model holds the password that was planted in a step"}
		}, "secrets"},
		{"a handoff is not briefed", func(t *testing.T, r *Record) {
			i := slices.IndexFunc(r.Truth.Handoffs, func(h HandoffTruth) bool { return h.State.Status.Open() })
			require.GreaterOrEqual(t, i, 0)
			r.Truth.Handoffs[i].Briefings, r.Truth.Handoffs[i].Briefing = nil, nil
		}, "briefed"},
		{"a briefing waits for ever", func(t *testing.T, r *Record) { someBriefed(t, r).Briefing.State = models.EffectPending }, "briefed"},
		{"a briefing fails, and nobody knows why", func(t *testing.T, r *Record) {
			h := someBriefed(t, r)
			h.Briefing.State, h.Briefing.Reason = models.EffectFailed, nil
		}, "briefed"},
		{"the rules' briefing stays, and nobody knows why", func(t *testing.T, r *Record) {
			h := someBriefed(t, r)
			h.Briefings = h.Briefings[:1]
			*h.Briefing.Version, *h.Briefing.Source = 1, models.SourceRules
		}, "briefed"},
		{"readers are told of an older briefing", func(t *testing.T, r *Record) { *someBriefed(t, r).Briefing.Version-- }, "briefed"},
		{"it is not known how a briefing stands", func(t *testing.T, r *Record) { someBriefed(t, r).Briefing = nil }, "briefed"},
		{"a briefing lacks a step", func(t *testing.T, r *Record) {
			for i := range r.Truth.Handoffs {
				r.Truth.Handoffs[i].SessionSteps++
			}
		}, "briefed"},
		{"who reads a briefing is shown another one", func(t *testing.T, r *Record) { r.Briefings[someBriefed(t, r).ID][0].Digest = "another" }, "briefed"},
		{"a briefing cannot be read", func(t *testing.T, r *Record) {
			r.Briefings[someBriefed(t, r).ID][1] = BriefingSeen{HTTP: http.StatusNotFound}
		}, "briefed"},
		{"nobody reads the briefings", func(_ *testing.T, r *Record) { r.Briefings = nil }, "briefed"},
		{"a renewal is answered with an internal error", func(_ *testing.T, r *Record) { r.Surprises = []string{"POST …/renew was answered with 500"} }, "briefed"},
		{"the workflow of a briefing fails", func(_ *testing.T, r *Record) { r.Truth.BriefingRuns[0].Status = "Failed" }, "briefed"},
		{"the workflow of a briefing could not be replayed", func(_ *testing.T, r *Record) {
			r.Truth.BriefingRuns[0].Failed = []string{"NonDeterministicError: [TMPRL1100]"}
		}, "briefed"},
		{"the workflow of a briefing goes on", func(_ *testing.T, r *Record) { r.Truth.Outlived = []string{"briefing/1"} }, "nothing-stuck"},
		{"a version of a briefing is lost", func(t *testing.T, r *Record) {
			h := someBriefed(t, r)
			h.Briefings = h.Briefings[1:]
		}, "briefings"},
		{"a briefing knows steps that are not there", func(t *testing.T, r *Record) { someBriefed(t, r).Briefings[0].Steps = 99 }, "briefings"},
		{"a statement cites a step that is not there", func(t *testing.T, r *Record) { rewrite(t, r, `"refs":[1]`, `"refs":[987654]`) }, "briefings"},
		{"a hypothesis cites a step that is not there", func(t *testing.T, r *Record) { rewrite(t, r, `"for":[1]`, `"for":[99]`) }, "briefings"},
		{"an attempt was in a step that is not there", func(t *testing.T, r *Record) { rewrite(t, r, `"step":2`, `"step":99`) }, "briefings"},
		{"a statement rests on nothing", func(t *testing.T, r *Record) { rewrite(t, r, `"by":"model","refs":[1]`, `"by":"model","refs":[]`) }, "briefings"},
		{"an invention is shown as a fact", func(t *testing.T, r *Record) { rewrite(t, r, `"text":"`, `"text":"`+llmtest.InventedQuote) }, "briefings"},
		{"a model changes what the sender wrote", func(t *testing.T, r *Record) { rewrite(t, r, `"notes":"Please`, `"notes":"Do not`) }, "briefings"},
		{"a model changes what happened", func(t *testing.T, r *Record) { rewrite(t, r, `"what":"`, `"what":"It did not: `) }, "briefings"},
		{"a briefing is no JSON", func(t *testing.T, r *Record) { rewrite(t, r, `{`, ``) }, "briefings"},
		{"a call of the model is not on the books", func(_ *testing.T, r *Record) { r.Truth.Model.Booked = r.Truth.Model.Answered - 1 }, "books"},
		{"a call of the model is on the books for less", func(_ *testing.T, r *Record) { r.Truth.Model.Cost = r.Truth.Model.Billed - 1 }, "books"},
		{"a notification is lost", func(t *testing.T, r *Record) {
			_, d := someNotice(t, r, lasting)
			*d = DeliveryTruth{}
		}, "notified"},
		{"a message never came", func(t *testing.T, r *Record) {
			_, d := someNotice(t, r, sent)
			r.Truth.Messages = slices.DeleteFunc(r.Truth.Messages, func(m Message) bool { return m.ID == d.Message })
		}, "notified"},
		{"a notification waits for ever", func(t *testing.T, r *Record) {
			_, d := someNotice(t, r, sent)
			d.State = models.DeliveryRetrying
		}, "notified"},
		{"a notification fails for good", func(t *testing.T, r *Record) {
			_, d := someNotice(t, r, sent)
			d.State, d.Reason = models.DeliveryFailed, "The mail server refuses the recipient."
		}, "notified"},
		{"what is true is not sent", func(t *testing.T, r *Record) {
			_, d := someNotice(t, r, lasting)
			d.State, d.Reason = models.DeliverySkipped, "Not sent: the handoff was claimed before."
		}, "notified"},
		{"what is not sent comes", func(t *testing.T, r *Record) {
			_, d := someNotice(t, r, func(h *HandoffTruth, d DeliveryTruth) bool {
				return sent(h, d) && h.overAt(d.Version, d.Generation) != nil
			})
			d.State, d.Reason, d.UpdatedAt = models.DeliverySkipped, "Not sent: the handoff was claimed before.", d.UpdatedAt.Add(time.Hour)
		}, "notified"},
		{"nobody is told why something is not sent", func(t *testing.T, r *Record) {
			_, d := someNotice(t, r, func(_ *HandoffTruth, d DeliveryTruth) bool { return d.State == models.DeliverySkipped })
			d.Reason = ""
		}, "notified"},
		{"a button stays", func(t *testing.T, r *Record) {
			_, d := someNotice(t, r, func(h *HandoffTruth, d DeliveryTruth) bool {
				return sent(h, d) && d.Channel == notify.ChannelSlack && h.overAt(d.Version, d.Generation) != nil
			})
			messageOf(t, r, d).Claims = true
		}, "notified"},
		{"the sender is not asked", func(t *testing.T, r *Record) {
			h, _ := someNotice(t, r, sent)
			last := &h.Timeline[len(h.Timeline)-1]
			last.Verb, last.By, last.Version = models.VerbReturn, uuid.New(), 99
			for i := range r.People {
				if r.People[i].ID == h.Sender {
					r.People[i].By = []notify.ChannelName{notify.ChannelEmail}
				}
			}
		}, "notified"},
		{"a mail has no form", func(_ *testing.T, r *Record) { r.Truth.Refused = []string{"the date is none"} }, "notified"},
		{"a message comes twice", func(t *testing.T, r *Record) {
			_, d := someNotice(t, r, sent)
			r.Truth.Messages = append(r.Truth.Messages, *messageOf(t, r, d))
		}, "notified-once"},
		{"Slack says it twice, though calls go wrong", func(t *testing.T, r *Record) {
			_, d := someNotice(t, r, func(h *HandoffTruth, d DeliveryTruth) bool { return sent(h, d) && d.Channel == notify.ChannelSlack })
			again := *messageOf(t, r, d)
			again.ID += "1"
			r.Calm, r.Truth.Messages = false, append(r.Truth.Messages, again)
		}, "notified-once"},
		{"a mail comes again with another id, though calls go wrong", func(t *testing.T, r *Record) {
			_, d := someNotice(t, r, func(h *HandoffTruth, d DeliveryTruth) bool { return sent(h, d) && d.Channel == notify.ChannelEmail })
			again := *messageOf(t, r, d)
			again.ID += "1"
			r.Calm, r.Truth.Messages = false, append(r.Truth.Messages, again)
		}, "notified-once"},
		{"a message tells of what nobody announced", func(_ *testing.T, r *Record) { r.Truth.Messages[0].Mark = "another" }, "notified-once"},
		{"a message comes to a colleague", func(t *testing.T, r *Record) {
			m := &r.Truth.Messages[0]
			m.Recipient = someoneElse(t, r, m.Recipient)
		}, "notified-once"},
		{"a message is about nothing", func(_ *testing.T, r *Record) { r.Truth.Messages[0].About = nil }, "notified-once"},
		{"a message is about another handoff", func(_ *testing.T, r *Record) {
			m := &r.Truth.Messages[0]
			i := slices.IndexFunc(r.Truth.Handoffs, func(h HandoffTruth) bool { return h.ID != m.About[0] })
			m.About = []uuid.UUID{r.Truth.Handoffs[i].ID}
		}, "notified-once"},
		{"somebody is told of what is claimed already", func(t *testing.T, r *Record) {
			h, d := someNotice(t, r, obsolete(r))
			for i := range r.Truth.Sent {
				if r.Truth.Sent[i].ID == d.ID {
					r.Truth.Sent[i].Started = newIndex(r).shownBy(h, h.overAt(d.Version, d.Generation).Version).Add(time.Second)
				}
			}
		}, "relevant"},
		{"a message about what is claimed is under way for long", func(t *testing.T, r *Record) {
			_, d := someNotice(t, r, obsolete(r))
			m := messageOf(t, r, d)
			m.At = m.At.Add(time.Minute)
		}, "relevant"},
		{"a rung is passed over", func(t *testing.T, r *Record) {
			h, d := someNotice(t, r, lasting)
			r.Truth.Calls = slices.DeleteFunc(r.Truth.Calls, func(c Call) bool { return c.Handoff == h.ID && c.Step == d.Step })
		}, "ladders"},
		{"a ladder does not begin again", func(t *testing.T, r *Record) {
			h, _ := someNotice(t, r, func(h *HandoffTruth, d DeliveryTruth) bool { return lasting(h, d) && d.Generation > 1 })
			began := h.waits()[len(h.waits())-1].began.Version
			r.Truth.Calls = slices.DeleteFunc(r.Truth.Calls, func(c Call) bool { return c.Handoff == h.ID && c.Version == began })
		}, "ladders"},
		{"a call comes too early", func(t *testing.T, r *Record) {
			c := someCall(t, r, "/2/0")
			c.At = c.At.Add(-time.Minute)
		}, "ladders"},
		{"a call is repeated too often", func(t *testing.T, r *Record) {
			again := *someCall(t, r, "/1/1")
			again.Step = strings.TrimSuffix(again.Step, "1") + "2"
			r.Truth.Calls = append(r.Truth.Calls, again)
		}, "ladders"},
		{"a call is made twice", func(t *testing.T, r *Record) {
			r.Truth.Calls = append(r.Truth.Calls, *someCall(t, r, "/1/0"))
		}, "ladders"},
		{"a call says something else", func(t *testing.T, r *Record) { someCall(t, r, "/1/0").Kind = notify.KindEscalated }, "ladders"},
		{"a ladder goes on after the claim", func(t *testing.T, r *Record) {
			h, d := someNotice(t, r, obsolete(r))
			for i := range r.Truth.Calls {
				if c := &r.Truth.Calls[i]; c.Handoff == h.ID && c.Step == d.Step {
					c.Started = newIndex(r).shownBy(h, h.overAt(d.Version, d.Generation).Version).Add(time.Second)
				}
			}
		}, "ladders"},
		{"a parked session does not wake", func(t *testing.T, r *Record) {
			wakes := len(r.Truth.Calls)
			r.Truth.Calls = slices.DeleteFunc(r.Truth.Calls, func(c Call) bool { return strings.HasSuffix(c.Step, "/woken") })
			require.Less(t, len(r.Truth.Calls), wakes)
		}, "ladders"},
		{"a ladder stands somewhere else", func(t *testing.T, r *Record) {
			h, _ := someNotice(t, r, lasting)
			h.Ladder.State = models.LadderHeld
		}, "ladders"},
		{"a ladder is lost", func(t *testing.T, r *Record) {
			h, _ := someNotice(t, r, lasting)
			h.Ladder = nil
		}, "ladders"},
		{"the end of a ladder is lost", func(t *testing.T, r *Record) {
			truthOf(r, someOp(t, r, models.VerbResolve, Op.Accepted).Handoff).Ladder = nil
		}, "ladders"},
		{"the workflow of a recipient fails", func(_ *testing.T, r *Record) { r.Truth.PeopleRuns[0].Status = "Failed" }, "ladders"},
		{"the workflow of a ladder could not be replayed", func(_ *testing.T, r *Record) {
			r.Truth.PeopleRuns[0].Failed = []string{"NonDeterministicError: [TMPRL1100]"}
		}, "ladders"},
		{"a lease ends too early", func(t *testing.T, r *Record) {
			h, e := someEnd(t, r)
			e.At = h.Timeline[e.Version-2].At.Add(time.Second)
		}, "leases"},
		{"a lease ends though its holder is still there", func(t *testing.T, r *Record) {
			h, e := someEnd(t, r)
			at := e.At.Add(-time.Second).Sub(r.Began)
			r.Signs = append(r.Signs, Sign{By: h.Timeline[e.Version-2].Holder, Session: h.Session, Handoff: h.ID, Call: at, Return: at + time.Millisecond})
		}, "leases"},
		{"a lease ends though its holder goes on", func(t *testing.T, r *Record) {
			h, e := someEnd(t, r)
			i := slices.IndexFunc(r.Truth.Calls, func(c Call) bool { return c.Handoff == h.ID && c.Taken && c.Version == e.Version-1 })
			require.GreaterOrEqual(t, i, 0)
			at := r.Truth.Calls[i].At.Add(-time.Second).Sub(r.Began)
			r.Signs = append(r.Signs, Sign{By: h.Timeline[e.Version-2].Holder, Session: h.Session, Step: true, Call: at, Return: at + time.Millisecond})
		}, "leases"},
		{"a lease ends and nobody was asked", func(t *testing.T, r *Record) {
			h, _ := someEnd(t, r)
			r.Truth.Calls = slices.DeleteFunc(r.Truth.Calls, func(c Call) bool { return c.Handoff == h.ID && strings.Contains(c.Step, "/ask/") })
		}, "leases"},
		{"a holder is reminded too early", func(t *testing.T, r *Record) {
			c := someCall(t, r, "/remind/")
			c.At = c.At.Add(-time.Second)
		}, "leases"},
		{"nobody decides that a lease ends", func(t *testing.T, r *Record) {
			h, _ := someEnd(t, r)
			r.Truth.Calls = slices.DeleteFunc(r.Truth.Calls, func(c Call) bool { return c.Handoff == h.ID && c.Step == "" })
		}, "leases"},
		{"a lease ends where there are none", func(t *testing.T, r *Record) {
			h, _ := someEnd(t, r)
			l := r.Ladders[h.Account]
			l.Lease = Lease{}
			r.Ladders[h.Account] = l
		}, "leases"},
		{"who is silent keeps it", func(t *testing.T, r *Record) {
			h, _ := someEnd(t, r)
			h.State.Status = models.StatusClaimed
		}, "leases"},
		{"nobody is told that a lease has ended", func(t *testing.T, r *Record) {
			gone := 0
			for i := range r.Truth.Handoffs {
				h := &r.Truth.Handoffs[i]
				n := len(h.Deliveries)
				h.Deliveries = slices.DeleteFunc(h.Deliveries, func(d DeliveryTruth) bool { return d.Kind == notify.KindTakenBack && d.Recipient == h.Sender })
				gone += n - len(h.Deliveries)
			}
			require.Positive(t, gone)
		}, "notified"},
		{"a link says that it is theirs, and it is not", func(t *testing.T, r *Record) {
			i := slices.IndexFunc(r.Ops, func(op Op) bool { return op.Yours })
			require.GreaterOrEqual(t, i, 0)
			r.Ops[i].By = someoneElse(t, r, uuid.Nil)
			for j := range r.Truth.Handoffs {
				if h := &r.Truth.Handoffs[j]; h.ID == r.Ops[i].Handoff {
					r.Ops[i].By = h.Account // which is nobody
				}
			}
		}, "kept"},
		{"a door claims that nobody came through", func(t *testing.T, r *Record) {
			came := len(r.Ops)
			r.Ops = slices.DeleteFunc(r.Ops, func(op Op) bool { return op.Door == models.DoorSlack })
			require.Less(t, len(r.Ops), came)
		}, "kept"},
		{"an old link claims", func(t *testing.T, r *Record) {
			for i := range r.Ops {
				r.Ops[i].Generation += len(r.Ops[i].Door)
			}
		}, "kept"},
		{"another account is told", func(_ *testing.T, r *Record) {
			m := &r.Truth.Messages[0]
			i := slices.IndexFunc(r.Truth.Handoffs, func(h HandoffTruth) bool { return h.ID == m.About[0] })
			j := slices.IndexFunc(r.Truth.Handoffs, func(h HandoffTruth) bool { return h.Account != r.Truth.Handoffs[i].Account })
			m.About = append(m.About, r.Truth.Handoffs[j].ID)
		}, "walls"},
		{"a mail holds what was planted", func(_ *testing.T, r *Record) {
			r.Truth.Leaks = []string{"a mail holds the password that was planted in a session"}
		}, "secrets"},
		{"nobody is told by Slack", func(_ *testing.T, r *Record) {
			r.Truth.Messages = slices.DeleteFunc(r.Truth.Messages, func(m Message) bool { return m.Channel == notify.ChannelSlack })
		}, "alive"},
		{"no model is asked", func(_ *testing.T, r *Record) { r.Truth.Model = ModelTruth{} }, "alive"},
		{"nothing happens", func(_ *testing.T, r *Record) { *r = Record{} }, "alive"},
		{"no ticket is told", func(_ *testing.T, r *Record) { r.Truth.Tickets = nil }, "alive"},
		{"a process dies", func(_ *testing.T, r *Record) { r.Deaths = []string{"api-1: panic"} }, "alive"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := loadRecord(t)
			c.falsify(t, r)
			var caught []string
			for _, v := range r.Check() {
				caught = append(caught, v.Check)
				require.NotEmpty(t, v.What)
			}
			require.Contains(t, caught, c.catch)
		})
	}
}

// TestTheShortestHistory: what is shown of an impossible history is impossible
// by itself, and says no more than it has to.
func TestTheShortestHistory(t *testing.T) {
	t.Parallel()
	r := loadRecord(t)
	op := someOp(t, r, models.VerbResolve, func(op Op) bool { return op.Accepted() && truthOf(r, op.Handoff).State.Version > 3 })
	r.Ops = append(r.Ops, Op{
		ID: 9999, Verb: VerbRead, By: op.By, Account: op.Account, Session: op.Session, Handoff: op.Handoff,
		Call: op.Return + time.Second, Return: op.Return + 2*time.Second, HTTP: http.StatusOK,
		Seen: &State{Version: 1, Generation: 1, Status: models.StatusQueued, Target: truthOf(r, op.Handoff).Timeline[0].Target},
	})
	for _, v := range r.Check() {
		if v.Check == "linearizable" {
			require.Contains(t, v.Shows[len(v.Shows)-1], "#9999")
			accepted := 0
			for _, o := range r.Ops {
				if o.Handoff == op.Handoff && o.Accepted() && o.Verb != VerbRead {
					accepted++
				}
			}
			require.LessOrEqual(t, len(v.Shows), accepted+1, "what was accepted, and the read: %v", v.Shows)
			return
		}
	}
	t.Fatal("not caught")
}

// answerOf is the last answer in a handoff's timeline.
func answerOf(h *HandoffTruth) (last Entry) {
	for _, e := range h.Timeline {
		if e.Verb == models.VerbAnswer {
			last = e
		}
	}
	return last
}

// someTicket is a ticket with as many notes, of a single handoff.
func someTicket(t *testing.T, r *Record, notes int) *TicketTruth {
	t.Helper()
	for i := range r.Truth.Tickets {
		ticket, handoffs := &r.Truth.Tickets[i], 0
		for _, h := range r.Truth.Handoffs {
			if h.ticket() == (ticketKey{ticket.Account, ticket.ID}) {
				handoffs++
			}
		}
		if len(ticket.Notes) >= notes && handoffs == 1 {
			return ticket
		}
	}
	t.Fatalf("the record has no ticket with %d notes", notes)
	return nil
}

// someTicketed is a handoff whose ticket was told of more than its creation.
func someTicketed(t *testing.T, r *Record) *HandoffTruth {
	t.Helper()
	for i := range r.Truth.Handoffs {
		if h := &r.Truth.Handoffs[i]; h.Ticket != "" && len(h.Steps) > 1 {
			return h
		}
	}
	t.Fatal("the record has no handoff with a ticket")
	return nil
}

// someBriefed is a handoff whose newest briefing is a model's.
func someBriefed(t *testing.T, r *Record) *HandoffTruth {
	t.Helper()
	for i := range r.Truth.Handoffs {
		h := &r.Truth.Handoffs[i]
		if n := len(h.Briefings); n == 2 && h.Briefings[1].Source == models.SourceModel && len(r.Briefings[h.ID]) == replicas &&
			strings.Contains(string(h.Briefings[1].Content), `"by":"model","refs":[1]`) {
			return h
		}
	}
	t.Fatal("the record has no handoff that a model briefed")
	return nil
}

// someNotice is a notification that fits.
func someNotice(t *testing.T, r *Record, fits func(*HandoffTruth, DeliveryTruth) bool) (*HandoffTruth, *DeliveryTruth) {
	t.Helper()
	for i := range r.Truth.Handoffs {
		h := &r.Truth.Handoffs[i]
		for j := range h.Deliveries {
			if fits(h, h.Deliveries[j]) {
				return h, &h.Deliveries[j]
			}
		}
	}
	t.Fatal("the record has no such notification")
	return nil, nil
}

// sent fits those that were sent by themselves.
func sent(_ *HandoffTruth, d DeliveryTruth) bool {
	return d.State == models.DeliveryDone && d.Bundle == uuid.Nil
}

// lasting fits those of a first rung that are true in the end.
func lasting(h *HandoffTruth, d DeliveryTruth) bool {
	return sent(h, d) && strings.HasSuffix(d.Step, "/0/0") && h.overAt(d.Version, d.Generation) == nil
}

// obsolete fits those of a ladder that were sent, and are over since somebody
// was answered so.
func obsolete(r *Record) func(*HandoffTruth, DeliveryTruth) bool {
	ix := newIndex(r)
	return func(h *HandoffTruth, d DeliveryTruth) bool {
		over := h.overAt(d.Version, d.Generation)
		return sent(h, d) && strings.HasPrefix(d.Step, "ladder/") && over != nil && !ix.shownBy(h, over.Version).IsZero()
	}
}

// messageOf is the message that told of a notification.
func messageOf(t *testing.T, r *Record, d *DeliveryTruth) *Message {
	t.Helper()
	for i := range r.Truth.Messages {
		if r.Truth.Messages[i].ID == d.Message {
			return &r.Truth.Messages[i]
		}
	}
	t.Fatal("the record has no such message")
	return nil
}

// someCall is a call of a rung, or of a stage of a lease.
func someCall(t *testing.T, r *Record, step string) *Call {
	t.Helper()
	for i := range r.Truth.Calls {
		if c := &r.Truth.Calls[i]; c.Done && (strings.HasSuffix(c.Step, step) || strings.HasPrefix(c.Step, "lease/") && strings.Contains(c.Step, step)) {
			return c
		}
	}
	t.Fatalf("the record has no call of %s", step)
	return nil
}

// someEnd is the end of a lease.
func someEnd(t *testing.T, r *Record) (*HandoffTruth, *Entry) {
	t.Helper()
	for i := range r.Truth.Handoffs {
		for j := range r.Truth.Handoffs[i].Timeline {
			if e := &r.Truth.Handoffs[i].Timeline[j]; e.Door == models.DoorLease {
				return &r.Truth.Handoffs[i], e
			}
		}
	}
	t.Fatal("the record has no lease that ended")
	return nil, nil
}

// rewrite changes what a model's briefing says.
func rewrite(t *testing.T, r *Record, from, to string) {
	t.Helper()
	b := &someBriefed(t, r).Briefings[1]
	text := string(b.Content)
	require.Contains(t, text, from)
	b.Content = json.RawMessage(strings.ReplaceAll(text, from, to))
}

func someOp(t *testing.T, r *Record, verb models.Verb, fits func(Op) bool) Op {
	t.Helper()
	for _, op := range r.Ops {
		if op.Verb == verb && !op.Signal && fits(op) {
			return op
		}
	}
	t.Fatalf("the record has no such %s", verb)
	return Op{}
}

func change(r *Record, id int, how func(*Op)) {
	for i := range r.Ops {
		if r.Ops[i].ID == id {
			how(&r.Ops[i])
		}
	}
}

func truthOf(r *Record, id uuid.UUID) *HandoffTruth {
	for i := range r.Truth.Handoffs {
		if r.Truth.Handoffs[i].ID == id {
			return &r.Truth.Handoffs[i]
		}
	}
	return &HandoffTruth{}
}

func someoneElse(t *testing.T, r *Record, who uuid.UUID) uuid.UUID {
	t.Helper()
	for _, p := range r.People {
		if p.ID != who {
			return p.ID
		}
	}
	t.Fatal("nobody else is there")
	return uuid.Nil
}
