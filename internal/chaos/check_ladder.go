package chaos

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/models"
)

// Who is to be called when is written anew here, like the model of a handoff: a
// mistake in package ladder must not excuse itself.

// slip is how far two clocks of one machine may be from each other.
const slip = 100 * time.Millisecond

// waiting is one time that a handoff waits in the queue.
type waiting struct {
	h     *HandoffTruth
	began Entry
	// until is what ended it; nil while it waits.
	until *Entry
	kind  notify.Kind
	// former held it before; nil for nobody.
	former uuid.UUID
}

// kinds are those of transitions into the queue.
var kinds = map[models.Verb]notify.Kind{
	models.VerbCreate: notify.KindEscalated, models.VerbRelease: notify.KindReleased, models.VerbReassign: notify.KindReassigned, models.VerbAnswer: notify.KindAnswered,
}

// waits are all times that a handoff waited.
func (h *HandoffTruth) waits() []waiting {
	var all []waiting
	var holder uuid.UUID
	for i, e := range h.Timeline {
		if n := len(all); n > 0 && all[n-1].until == nil {
			all[n-1].until = &h.Timeline[i]
		}
		if e.Status == models.StatusQueued {
			w := waiting{h: h, began: e, kind: kinds[e.Verb], former: holder}
			switch {
			case e.Verb == models.VerbCreate && h.Intent == models.IntentPark:
				w.kind = notify.KindParked
			case e.Door == models.DoorLease:
				w.kind = notify.KindTakenBack
			}
			all = append(all, w)
		}
		if e.Holder != uuid.Nil {
			holder = e.Holder
		}
	}
	return all
}

// due is a call that a ladder has to make.
type due struct {
	name   string
	kind   notify.Kind
	to     []Audience
	at     time.Time
	repeat bool
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// climb are the calls of a ladder's rungs from a time on, of which the first is
// of a kind of its own.
func (l Ladder) climb(from time.Time, first notify.Kind) []due {
	var calls []due
	for i, r := range l.Steps {
		for k := range r.Times + 1 {
			after := r.After + k*r.Every
			if k > 0 && i+1 < len(l.Steps) && after >= l.Steps[i+1].After {
				continue // the next rung is as early
			}
			calls = append(calls, due{name: fmt.Sprintf("%d/%d", i, k), kind: first, to: r.To, at: from.Add(seconds(after)), repeat: k > 0})
			first = notify.KindWaiting
		}
	}
	return calls
}

// calls are those of a wait.
func (l Ladder) calls(w waiting) []due {
	since := w.began.At
	sender, target := Audience{Who: "sender"}, Audience{Who: "target"}
	concerned := []Audience{sender, {Who: "user", User: w.former}}
	if w.h.Intent != models.IntentPark {
		switch w.kind {
		case notify.KindAnswered:
			return append([]due{{name: "answered", kind: w.kind, to: []Audience{target}, at: since}}, l.climb(time.UnixMicro(w.began.Reserved), notify.KindWaiting)...)
		case notify.KindTakenBack:
			calls := l.climb(since, w.kind)
			calls[0].to = append(concerned, calls[0].to...) // the first rung calls at once
			return calls
		default:
			return l.climb(since, w.kind)
		}
	}
	var calls []due
	to := map[notify.Kind][]Audience{
		notify.KindReassigned: {target}, notify.KindAnswered: {target}, notify.KindReleased: {sender}, notify.KindTakenBack: concerned,
	}[w.kind]
	if w.kind == notify.KindParked && l.Park.TellTeam {
		to = []Audience{{Who: "team"}}
	}
	if len(to) > 0 {
		calls = append(calls, due{name: "parked", kind: w.kind, to: to, at: since})
	}
	if w.h.WakeAt.IsZero() {
		return calls
	}
	wake := w.h.WakeAt
	if wake.After(since) {
		calls = append(calls, due{name: "woken", kind: notify.KindWoken, to: []Audience{sender}, at: wake})
	} else {
		wake = since
	}
	if l.Park.EscalateAfter > 0 {
		calls = append(calls, l.climb(wake.Add(seconds(l.Park.EscalateAfter)), notify.KindWaiting)...)
	}
	return calls
}

// box is where a person or an endpoint is told.
type box struct {
	recipient uuid.UUID
	channel   notify.ChannelName
}

// acts are kinds that tell of what somebody did, who need not be told of it.
var acts = []notify.Kind{
	notify.KindEscalated, notify.KindParked, notify.KindReleased, notify.KindReassigned, notify.KindReturned, notify.KindAnswered,
}

// boxes are where a call is to be heard.
func (ix *index) boxes(w waiting, c due) []box {
	var all []box
	for _, a := range c.to {
		for _, e := range ix.Endpoints {
			if a.Endpoint != nil && e.ID == *a.Endpoint {
				all = append(all, box{e.ID, e.Channel})
			}
		}
		for _, p := range ix.People {
			if p.Account != w.h.Account || slices.Contains(acts, c.kind) && p.ID == w.began.By {
				continue
			}
			others := w.h.Intent != models.IntentEscalate || p.ID != w.h.Sender // who escalated cannot claim
			if a.Who == "target" && p.ID == w.began.Target || a.Who == "sender" && p.ID == w.h.Sender || a.Who == "user" && p.ID == a.User ||
				a.Who == "team" && others || a.Who == "admins" && others && p.Role.AtLeast(models.RoleAdmin) {
				for _, channel := range p.By {
					all = append(all, box{p.ID, channel})
				}
			}
		}
	}
	return all
}

// step is the name of a call in what is announced.
func (w waiting) step(c due) string { return fmt.Sprintf("ladder/%d/%s", w.began.Version, c.name) }

// heldUp is how long a call may be late. Faults come in a row, and what fails
// is tried again after up to a minute.
func (ix *index) heldUp() time.Duration {
	if ix.Calm {
		return 10 * time.Second
	}
	return 2 * time.Minute
}

// must reports whether a call has to have been made: it waits still, or it did
// for long enough after that. Repeats are passed over when the next rung is due.
func (ix *index) must(w waiting, c due) bool {
	return !c.repeat && (w.until == nil || w.until.At.Sub(c.at) > ix.heldUp())
}

// shownBy is when readers could see a version of a handoff for sure: when
// somebody was answered with it. It is zero when nobody was.
func (ix *index) shownBy(h *HandoffTruth, version int) time.Time {
	first := Never
	for _, op := range ix.ops[h.ID] {
		if op.Seen != nil && op.Seen.Version >= version {
			first = min(first, op.Return)
		}
	}
	if first == Never {
		return time.Time{}
	}
	return ix.Began.Add(first)
}

// overAt is the first entry after which something said of a version, in a
// generation, is not true any more; nil when it is true still.
func (h *HandoffTruth) overAt(version, generation int) *Entry {
	for i, e := range h.Timeline {
		if e.Version > version && (e.Status != models.StatusQueued || e.Generation != generation) {
			return &h.Timeline[i]
		}
	}
	return nil
}

// checkLadders follows each ladder.
func checkLadders(ix *index) []Violation {
	var found []Violation
	calls := map[uuid.UUID][]Call{}
	for _, c := range ix.Truth.Calls {
		calls[c.Handoff] = append(calls[c.Handoff], c)
	}
	for id, h := range ix.handoffs {
		wrong := func(format string, args ...any) {
			found = append(found, Violation{Handoff: id, What: fmt.Sprintf(format, args...), Shows: ix.storyOfCalls(h)})
		}
		if len(h.Timeline) == 0 {
			continue // nothing happened
		}
		ladder := ix.Ladders[h.Account]
		made := map[string]Call{}
		for _, c := range calls[id] {
			if !strings.HasPrefix(c.Step, "ladder/") {
				continue
			}
			if made[c.Step].Done && c.Done {
				wrong("%s was called twice", c.Step)
			}
			if !made[c.Step].Done {
				made[c.Step] = c
			}
		}
		asked := map[string]bool{}
		for _, w := range h.waits() {
			for _, c := range ladder.calls(w) {
				step := w.step(c)
				asked[step] = true
				call, ok := made[step]
				switch {
				case !ok || !call.Done:
					if ix.must(w, c) {
						wrong("%s was due at %s and never called", step, c.at.Format(time.TimeOnly))
					}
				case call.At.Before(c.at.Add(-slip)):
					wrong("%s was called %s before it was due", step, c.at.Sub(call.At))
				case call.Kind != c.kind || call.Version != w.began.Version:
					wrong("%s was called as %s of version %d", step, call.Kind, call.Version)
				case ix.lateRows(w, call) > 0:
					wrong("%s was called when it did not wait any more", step)
				}
			}
		}
		for step := range made {
			if !asked[step] {
				wrong("%s was called, which its ladder does not have", step)
			}
		}
		if what := ix.misplaced(h); what != "" {
			wrong("%s", what)
		}
	}
	for _, run := range ix.Truth.PeopleRuns {
		if run.Status != "Completed" && run.Status != "ContinuedAsNew" && run.Status != "Running" {
			found = append(found, Violation{What: fmt.Sprintf("%s: run %s has %s", run.Workflow, run.ID, run.Status)})
		}
		for _, cause := range run.Failed {
			if ix.Builds < 2 && strings.Contains(cause, "NonDeterministic") {
				found = append(found, Violation{What: fmt.Sprintf("%s: run %s could not be replayed: %s", run.Workflow, run.ID, cause)})
			}
		}
	}
	return found
}

// lateRows counts what a call led to that began when somebody had been told
// already that the wait is over. An attempt that was made again may have left
// some before.
func (ix *index) lateRows(w waiting, c Call) int {
	if w.until == nil || c.Attempt != 1 {
		return 0
	}
	over := ix.shownBy(w.h, w.until.Version)
	if over.IsZero() || !c.Started.After(over.Add(slip)) {
		return 0
	}
	n := 0
	for _, d := range w.h.Deliveries {
		if d.Step == c.Step {
			n++
		}
	}
	return n
}

// misplaced says what is wrong with where a ladder stands, now that all has
// come to rest. One that was closed before its ladder began has none.
func (ix *index) misplaced(h *HandoffTruth) string {
	want := map[models.Status]models.LadderState{
		models.StatusQueued: models.LadderSpent, models.StatusClaimed: models.LadderHeld, models.StatusReturned: models.LadderPaused,
		models.StatusResolved: models.LadderEnded, models.StatusCancelled: models.LadderEnded,
	}[h.State.Status]
	switch l := h.Ladder; {
	case l == nil && h.State.Status.Closed() && !ix.followedByLadder(h):
	case l == nil:
		return "it has no ladder"
	case l.State != want || l.Version != h.State.Version || l.Generation != h.State.Generation:
		return fmt.Sprintf("it is %s, and its ladder is %s at version %d", h.State, l.State, l.Version)
	case l.NextAt != nil:
		return "its ladder has not come to rest"
	}
	return ""
}

// followedByLadder reports whether a workflow ever followed the handoff.
func (ix *index) followedByLadder(h *HandoffTruth) bool {
	id := fmt.Sprintf("ladder/%s/%s", h.Account, h.ID)
	return slices.ContainsFunc(ix.Truth.PeopleRuns, func(run LadderRun) bool { return run.Workflow == id })
}

// checkLeases looks at what was taken back, and at what was not.
func checkLeases(ix *index) []Violation {
	var found []Violation
	ends := map[uuid.UUID][]Call{}
	for _, c := range ix.Truth.Calls {
		if c.Step == "" || strings.HasPrefix(c.Step, "lease/") {
			ends[c.Handoff] = append(ends[c.Handoff], c)
		}
	}
	for id, h := range ix.handoffs {
		lease := ix.Ladders[h.Account].Lease
		wrong := func(format string, args ...any) {
			found = append(found, Violation{Handoff: id, What: fmt.Sprintf(format, args...), Shows: ix.storyOfCalls(h)})
		}
		if lease == (Lease{}) {
			if len(ends[id]) > 0 {
				wrong("its account has no leases, and one was ended or reminded of")
			}
			continue
		}
		if h.State.Status == models.StatusClaimed {
			wrong("its holder has fallen silent, and holds it still")
		}
		for i, e := range h.Timeline {
			if e.Door != models.DoorLease {
				continue
			}
			if i == 0 || e.Verb != models.VerbRelease || h.Timeline[i-1].Status != models.StatusClaimed {
				wrong("version %d was taken back from nobody", e.Version)
				continue
			}
			if what := ix.hasty(h, h.Timeline[i-1], e, lease, ends[id]); what != "" {
				wrong("version %d: %s", e.Version, what)
			}
		}
		for _, c := range ends[id] {
			if what := h.early(c, lease); what != "" {
				wrong("%s", what)
			}
		}
	}
	return found
}

// hasty says why a claim should not have been taken back.
func (ix *index) hasty(h *HandoffTruth, claim, end Entry, lease Lease, calls []Call) string {
	if held := end.At.Sub(claim.At); held < lease.silence()-slip {
		return fmt.Sprintf("it was taken back after %s", held)
	}
	var decided Call
	var reminded, asked bool
	for _, c := range calls {
		// An attempt that is made again finds that it has been taken back already.
		if c.Step == "" && c.Version == claim.Version && (c.Taken || c.Attempt > 1) && c.At.Before(end.At.Add(slip)) {
			decided = c
		}
		reminded = reminded || strings.HasPrefix(c.Step, fmt.Sprintf("lease/%d/remind/", claim.Version))
		asked = asked || strings.HasPrefix(c.Step, fmt.Sprintf("lease/%d/ask/", claim.Version))
	}
	switch {
	case decided.At.IsZero():
		return "nobody decided that it is taken back"
	case !reminded || !asked:
		return "its holder was not reminded and asked before"
	}
	for _, s := range ix.Signs {
		if s.By != claim.Holder || s.Session != h.Session || !s.Step && s.Handoff != h.ID {
			continue
		}
		call, answered := ix.Began.Add(s.Call), ix.Began.Add(s.Return)
		switch {
		case s.Step && call.After(decided.Last.Add(slip)) && answered.Before(decided.At):
			return fmt.Sprintf("its holder added a step at %s", call.Format(time.TimeOnly))
		case !s.Step && call.After(end.At.Add(slip-lease.silence())) && call.Before(end.At):
			return fmt.Sprintf("its holder said at %s that they are still at it, and was told that it counts", call.Format(time.TimeOnly))
		}
	}
	return ""
}

// early says what is wrong with a stage of a lease.
func (h *HandoffTruth) early(c Call, lease Lease) string {
	if c.Version < 1 || c.Version > len(h.Timeline) || h.Timeline[c.Version-1].Status != models.StatusClaimed {
		return fmt.Sprintf("%s is about version %d, which nobody held", cmp.Or(c.Step, "the end of a lease"), c.Version)
	}
	last, stage, after := c.Last, "the end of a lease", lease.silence()
	if c.Step != "" {
		var version int
		var micros int64
		if _, err := fmt.Sscanf(strings.NewReplacer("/remind/", " ", "/ask/", " ").Replace(c.Step), "lease/%d %d", &version, &micros); err != nil || version != c.Version {
			return c.Step + " is none of a lease's stages"
		}
		last, stage, after = time.UnixMicro(micros), c.Step, seconds(lease.Remind)
		if strings.Contains(c.Step, "/ask/") {
			after += seconds(lease.Ask)
		}
	}
	if c.At.Before(last.Add(after - slip)) {
		return fmt.Sprintf("%s came %s after the holder's last activity", stage, c.At.Sub(last))
	}
	return ""
}

// storyOfCalls is what is known of a handoff and of who was called.
func (ix *index) storyOfCalls(h *HandoffTruth) []string {
	lines := ix.story(h.ID)
	if l := h.Ladder; l != nil {
		lines = append(lines, fmt.Sprintf("ladder    %s at v%d g%d", l.State, l.Version, l.Generation))
	}
	for _, c := range ix.Truth.Calls {
		if c.Handoff == h.ID {
			lines = append(lines, fmt.Sprintf("call      %s %s of v%d decided %s, attempt %d at %s, done %v", cmp.Or(c.Step, "taken back"), c.Kind, c.Version,
				c.At.Format("15:04:05.000"), c.Attempt, c.Started.Format("15:04:05.000"), c.Done))
		}
	}
	for _, s := range ix.Signs {
		if s.Handoff == h.ID || s.Step && s.Session == h.Session {
			lines = append(lines, fmt.Sprintf("sign      by %s, step %v, from %s to %s", short(s.By), s.Step,
				ix.Began.Add(s.Call).Format("15:04:05.000"), ix.Began.Add(s.Return).Format("15:04:05.000")))
		}
	}
	for _, d := range h.Deliveries {
		lines = append(lines, fmt.Sprintf("delivery  %s %s of v%d to %s by %s is %s, from %s to %s %s", d.Step, d.Kind, d.Version, short(d.Recipient), d.Channel, d.State,
			d.CreatedAt.Format("15:04:05.000"), d.UpdatedAt.Format("15:04:05.000"), d.Reason))
	}
	return lines
}
