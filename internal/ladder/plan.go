package ladder

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/models"
)

// Wait is a handoff that waits in the queue.
type Wait struct {
	Intent   models.Intent
	Priority models.Priority
	// Kind says how it came there: [notify.KindEscalated], [notify.KindParked],
	// [notify.KindReleased], [notify.KindReassigned], [notify.KindAnswered] or
	// [notify.KindTakenBack].
	Kind notify.Kind
	// Since is when, and Pauses are the times since then that do not count.
	Since  time.Time
	Pauses []Span
	// WakeAt is when a parked session is due; zero is never.
	WakeAt time.Time
	// Former held it before; [uuid.Nil] for nobody.
	Former uuid.UUID
	// Reserved is until when an answered handoff is kept for who asked; zero when
	// nothing but the policy says so.
	Reserved time.Time
}

// Call is one time that people are called.
type Call struct {
	// Name is the same whenever the call is looked at, and no other call of the
	// same wait has it.
	Name string
	Kind notify.Kind
	To   []Audience
	At   time.Time
}

// relative is a call whose time is not reckoned yet.
type relative struct {
	Call
	// from is where after counts from; zero is the beginning of the wait.
	from  time.Time
	after time.Duration
	// wall counts on the wall, also at night.
	wall bool
	// repeat says that the same people were called for the same reason before.
	repeat bool
}

// Next is the call of a wait that comes after the first n calls, counting those
// that were passed over; found is false when there is none. Repeats that were
// missed, because the next call is due as well by now, are passed over: after
// an outage people are called once and not once for every repeat. Skip is how
// many were, so that the call after this one is that of n + skip + 1.
func (p Policy) Next(w Wait, n int, now time.Time) (call Call, skip int, found bool) {
	calls := p.calls(w)
	for ; n < len(calls); n++ {
		call := p.at(w, calls[n])
		missed := calls[n].repeat && n+1 < len(calls) && !p.at(w, calls[n+1]).At.After(now)
		if !missed {
			return call, skip, true
		}
		skip++
	}
	return Call{}, skip, false
}

// ClaimBy is when somebody should have claimed what waits; zero without a
// target. A parked session has one from when it calls people.
func (p Policy) ClaimBy(w Wait) time.Time {
	r := relative{after: p.ClaimWithin.Duration()}
	if w.Intent == models.IntentPark {
		if w.WakeAt.IsZero() || p.Park.EscalateAfter == 0 {
			return time.Time{}
		}
		r.from, r.after = w.WakeAt, r.after+p.Park.EscalateAfter.Duration()
	}
	if p.ClaimWithin == 0 {
		return time.Time{}
	}
	return p.at(w, r).At
}

func (p Policy) at(w Wait, r relative) Call {
	from, clock := w.Since, p.Clock(w.Priority)
	if !r.from.IsZero() {
		from = latest(from, r.from)
	}
	if r.wall {
		clock = nil
	}
	call := r.Call
	call.At = clock.Add(from, r.after, w.Pauses)
	return call
}

// Clock is by what a handoff of the priority reckons. Hours that cannot be
// reckoned with any more are open: to be called too early is better than never.
func (p Policy) Clock(priority models.Priority) *Calendar {
	if !Patient(priority) {
		return nil
	}
	c, err := p.Hours.Calendar()
	if err != nil {
		return nil
	}
	return c
}

// calls are those of a wait, in the order of their time.
func (p Policy) calls(w Wait) (calls []relative) {
	if w.Intent == models.IntentPark {
		return p.parked(w)
	}
	switch w.Kind {
	case notify.KindAnswered:
		// First whoever asked, whom it is addressed to, and nobody else for a time.
		calls = append(calls, relative{Call: Call{Name: "answered", Kind: w.Kind, To: []Audience{{Who: WhoTarget}}}, wall: true})
		reserve := p.Reserve.Duration()
		if !w.Reserved.IsZero() {
			reserve = max(w.Reserved.Sub(w.Since), 0)
		}
		return append(calls, p.steps(notify.KindWaiting, time.Time{}, reserve)...)
	case notify.KindTakenBack:
		calls = p.steps(w.Kind, time.Time{}, 0)
		if len(calls) > 0 && calls[0].after == 0 { // one message to those who are both
			calls[0].To = append(p.concerned(w), calls[0].To...)
			return calls
		}
		return append([]relative{{Call: Call{Name: "taken_back", Kind: w.Kind, To: p.concerned(w)}, wall: true}}, calls...)
	default:
		return p.steps(w.Kind, time.Time{}, 0)
	}
}

// concerned are those who are told why a handoff was taken back, besides those
// whom the steps call.
func (p Policy) concerned(w Wait) []Audience {
	to := []Audience{{Who: WhoSender}}
	if w.Former != uuid.Nil {
		former := w.Former
		to = append(to, Audience{Who: WhoUser, UserID: &former})
	}
	return to
}

// parked are the calls of a parked session: its sender when it is due, and when
// nobody resumes it, whomever the steps call. That it was parked is told at
// once, so that it is never told after it was due.
func (p Policy) parked(w Wait) (calls []relative) {
	now := func(to ...Audience) relative {
		return relative{Call: Call{Name: "parked", Kind: w.Kind, To: to}, wall: true}
	}
	switch w.Kind {
	case notify.KindReassigned, notify.KindAnswered:
		calls = append(calls, now(Audience{Who: WhoTarget}))
	case notify.KindReleased:
		calls = append(calls, now(Audience{Who: WhoSender}))
	case notify.KindTakenBack:
		calls = append(calls, now(p.concerned(w)...))
	default:
		if p.Park.TellTeam {
			calls = append(calls, now(Audience{Who: WhoTeam}))
		}
	}
	if w.WakeAt.IsZero() {
		return calls
	}
	if w.WakeAt.After(w.Since) { // or its sender was told in an earlier generation
		calls = append(calls, relative{Call: Call{Name: "woken", Kind: notify.KindWoken, To: []Audience{{Who: WhoSender}}}, from: w.WakeAt, wall: true})
	}
	if p.Park.EscalateAfter > 0 {
		calls = append(calls, p.steps(notify.KindWaiting, w.WakeAt, p.Park.EscalateAfter.Duration())...)
	}
	return calls
}

// steps are the calls of the policy's steps, of which the first is of a kind of
// its own.
func (p Policy) steps(first notify.Kind, from time.Time, delay time.Duration) (calls []relative) {
	kind := first
	for i, s := range p.Steps {
		for k := 0; k <= s.Times; k++ {
			after := s.After + Seconds(k)*s.Every
			if k > 0 && i+1 < len(p.Steps) && after >= p.Steps[i+1].After {
				break
			}
			calls = append(calls, relative{
				Call: Call{Name: fmt.Sprintf("%d/%d", i, k), Kind: kind, To: s.To},
				from: from, after: delay + after.Duration(), repeat: k > 0,
			})
			kind = notify.KindWaiting
		}
	}
	return calls
}

// LeaseStage is what becomes of a claim whose holder shows no activity.
type LeaseStage string

// The stages, in their order.
const (
	LeaseRemind   LeaseStage = "remind"
	LeaseAsk      LeaseStage = "ask"
	LeaseTakeBack LeaseStage = "take_back"
)

// Stages lists them.
func Stages() []LeaseStage { return []LeaseStage{LeaseRemind, LeaseAsk, LeaseTakeBack} }

// LeaseAt is when a stage of the lease comes, if there is no activity after the
// last one. Each later stage comes later.
func (p Policy) LeaseAt(priority models.Priority, last time.Time, stage LeaseStage) time.Time {
	after := p.Lease.Remind
	if stage == LeaseAsk || stage == LeaseTakeBack {
		after += p.Lease.Ask
	}
	if stage == LeaseTakeBack {
		after += p.Lease.TakeBack
	}
	return p.Clock(priority).Add(last, after.Duration(), nil)
}

// Told says in words that an audience is told: "the whole team and the admins
// are told".
func Told(to []Audience) string {
	words := map[string]string{
		WhoTarget: "whom it is for", WhoTeam: "the whole team", WhoAdmins: "the admins", WhoSender: "its sender",
		WhoUser: "a colleague", WhoEndpoint: "a channel",
	}
	var parts []string
	said := map[string]bool{}
	for _, a := range to {
		if word := words[a.Who]; word != "" && !said[word] {
			said[word] = true
			parts = append(parts, word)
		}
	}
	switch len(parts) {
	case 0:
		return "nobody is told"
	case 1:
		verb := " is told"
		if parts[0] == "the admins" {
			verb = " are told"
		}
		return parts[0] + verb
	}
	return strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1] + " are told"
}
