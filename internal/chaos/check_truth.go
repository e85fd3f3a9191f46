package chaos

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/models"
)

// checkKept holds what clients were told against the timelines.
func checkKept(ix *index) []Violation {
	var found []Violation
	wrong := func(op Op, format string, args ...any) {
		found = append(found, Violation{Handoff: op.Handoff, What: fmt.Sprintf(format, args...), Shows: append([]string{op.String()}, ix.story(op.Handoff)...)})
	}
	for _, ops := range ix.ops {
		undecided := map[string]bool{} // keys with an attempt that may have been accepted
		for _, op := range ops {
			if op.Key == "" || !op.Refused() {
				undecided[op.Key] = true
			}
		}
		for _, op := range ops {
			e, happened := ix.effect(op)
			switch {
			case op.Verb == VerbRead:
				if op.Accepted() && !ix.existed(op.Handoff, *op.Seen) {
					wrong(op, "somebody saw a state that the timeline does not have")
				}
			case op.Yours && !ix.heldOnce(op):
				wrong(op, "a link's page said that it is theirs, and it never was")
			case op.Outrun() && !happened && !ix.heldOnce(op):
				wrong(op, "the claim is said to have been accepted, and is not in the timeline")
			case op.Accepted() && !happened && !ix.asked(op):
				wrong(op, "it was answered with 2xx and is not in the timeline")
			case op.Accepted() && happened && op.Key != "" && op.Seen.Version < e.Version:
				wrong(op, "the answer shows version %d, which is before its own version %d", op.Seen.Version, e.Version)
			case op.Accepted() && !ix.existed(op.Handoff, *op.Seen):
				wrong(op, "the answer shows a state that the timeline does not have")
			case op.Refused() && happened && !undecided[op.Key] && op.Verb != models.VerbCreate:
				wrong(op, "it was refused, and took effect all the same")
			}
		}
	}
	for id, h := range ix.handoffs {
		found = append(found, ix.unasked(id, h)...)
		if h.State.Version > 0 && !slices.ContainsFunc(ix.ops[id], func(op Op) bool { return op.Verb == models.VerbCreate && op.Accepted() }) {
			found = append(found, Violation{Handoff: id, What: "nobody was ever told that it was created", Shows: ix.story(id)})
		}
	}
	return found
}

// heldOnce reports whether somebody who claims had the handoff at some time.
func (ix *index) heldOnce(op Op) bool {
	h := ix.handoffs[op.Handoff]
	return h != nil && slices.ContainsFunc(h.Timeline, func(e Entry) bool { return e.Holder == op.By })
}

// asked reports whether a request asked for what was so already: a claim by
// the holder, a reassignment to whom it waits for.
func (ix *index) asked(op Op) bool {
	switch op.Verb {
	case models.VerbClaim:
		return op.Seen.Holder == op.By
	case models.VerbReassign:
		return op.Seen.Target == op.Target || ix.handoffs[op.Handoff] != nil && slices.ContainsFunc(ix.handoffs[op.Handoff].Timeline, func(e Entry) bool { return e.Target == op.Target })
	default:
		return false
	}
}

// existed reports whether the handoff ever stood like this.
func (ix *index) existed(id uuid.UUID, s State) bool {
	h := ix.handoffs[id]
	return h != nil && slices.ContainsFunc(h.Timeline, func(e Entry) bool { return e.State == s })
}

// unasked finds transitions that nobody asked for, or that happened twice.
func (ix *index) unasked(id uuid.UUID, h *HandoffTruth) []Violation {
	var found []Violation
	seen := map[string]int{}
	for _, e := range h.Timeline {
		if e.Verb == models.VerbCreate {
			continue
		}
		if e.RequestID != "" {
			if seen[e.RequestID]++; seen[e.RequestID] == 2 {
				found = append(found, Violation{Handoff: id, What: "one request took effect twice: " + e.RequestID, Shows: ix.story(id)})
			}
		}
		if !slices.ContainsFunc(ix.ops[id], func(op Op) bool {
			entry, ok := ix.effect(op)
			return ok && (entry.Version == e.Version || op.Key == "" && entry.Verb == e.Verb && entry.By == e.By)
		}) {
			found = append(found, Violation{Handoff: id, What: "nobody asked for this: " + e.String(), Shows: ix.story(id)})
		}
	}
	return found
}

// checkRefusals looks at what 409s say.
func checkRefusals(ix *index) []Violation {
	var found []Violation
	for _, op := range ix.all {
		if op.HTTP != http.StatusConflict {
			continue
		}
		reason := ""
		switch op.Code {
		case models.CodeAlreadyClaimed:
			if !ix.held(op) {
				reason = "nobody held it like that"
			}
		case models.CodeAlreadyHandedOff:
			if !ix.hadOpen(op) {
				reason = "the session had no open handoff"
			}
		case models.CodeConflict:
			switch {
			case putBack(op) && !ix.putBackDuring(op):
				reason = "it was not put back into the queue meanwhile"
			case op.Outrun() && !ix.takenAway(op):
				reason = "nobody had taken it from them"
			}
		case models.CodeReserved:
			if !ix.keptFor(op) {
				reason = "it was not kept for them"
			}
		case models.CodeClosed: // of a handoff, the model knows
			if op.Verb == models.VerbCreate && !ix.resolvedOnce(op) {
				reason = "the session was never resolved"
			}
		default:
			reason = "the contract has no such conflict"
		}
		if reason != "" {
			found = append(found, Violation{Handoff: op.Handoff, What: "a 409 that was not true: " + reason, Shows: append([]string{op.String()}, ix.story(op.Handoff)...)})
		}
	}
	return found
}

func (ix *index) held(op Op) bool {
	h := ix.handoffs[op.Handoff]
	return h != nil && slices.ContainsFunc(h.Timeline, func(e Entry) bool {
		return e.Verb == models.VerbClaim && e.By == op.Holder && e.At.Equal(op.HeldSince)
	})
}

// keptFor reports whether a handoff was ever reserved as a refusal says.
func (ix *index) keptFor(op Op) bool {
	h := ix.handoffs[op.Handoff]
	return h != nil && slices.ContainsFunc(h.Timeline, func(e Entry) bool {
		return e.Verb == models.VerbAnswer && e.Target == op.ReservedFor && e.Reserved == op.Reserved
	})
}

// about is how far the clock of a decision may be from that of its request:
// one machine, but the time of a workflow is that of its task.
const about = 15 * time.Second

func (ix *index) when(e Entry) time.Duration { return e.At.Sub(ix.Began) }

// hadOpen reports whether the session had another open handoff, than that of
// the same key, at some moment of the request.
func (ix *index) hadOpen(op Op) bool {
	for _, h := range ix.sessions[op.Session] {
		if len(h.Timeline) == 0 || h.ID == op.Handoff {
			continue
		}
		opened, closed := ix.when(h.Timeline[0]), Never
		if last := h.Timeline[len(h.Timeline)-1]; last.Status.Closed() {
			closed = ix.when(last) + about
		}
		if opened <= op.Return && closed >= op.Call {
			return true
		}
	}
	return false
}

// resolvedOnce reports whether the session was resolved by the end of a request.
func (ix *index) resolvedOnce(op Op) bool {
	return slices.ContainsFunc(ix.sessions[op.Session], func(h *HandoffTruth) bool {
		return h.State.Status == models.StatusResolved && ix.when(h.Timeline[len(h.Timeline)-1]) <= op.Return
	})
}

// takenAway reports whether an accepted claim was over by the time of its
// answer.
func (ix *index) takenAway(op Op) bool {
	claim, ok := ix.effect(op)
	if !ok {
		return true // that it is not in the timeline is for checkKept
	}
	later := ix.handoffs[op.Handoff].Timeline[claim.Version:]
	return len(later) > 0 && ix.when(later[0]) <= op.Return
}

func (ix *index) putBackDuring(op Op) bool {
	h := ix.handoffs[op.Handoff]
	return h != nil && slices.ContainsFunc(h.Timeline, func(e Entry) bool {
		return e.Generation > 1 && ix.when(e) >= op.Call-about && ix.when(e) <= op.Return
	})
}

// reservedFor is how long who asked is first where the ladder does not say, or a
// build decides that does not know that it could.
const reservedFor = 30 * time.Minute

// checkAgreement compares the three that tell of a handoff.
func checkAgreement(ix *index) []Violation {
	var found []Violation
	for id, h := range ix.handoffs {
		wrong := func(format string, args ...any) {
			found = append(found, Violation{Handoff: id, What: fmt.Sprintf(format, args...), Shows: ix.story(id)})
		}
		if h.State.Status == models.StatusStarting {
			if len(ix.runs[id]) > 0 {
				wrong("its workflow runs, and nobody can see it")
			}
			continue // nothing happened; maintenance removes it
		}
		if last := len(h.Timeline); last == 0 || h.Timeline[last-1].State != h.State || h.State.Version != last {
			wrong("the row is not where the timeline ends")
		}
		for i, e := range h.Timeline {
			if e.Version != i+1 {
				wrong("the timeline has a gap at version %d", i+1)
				break
			}
			kept := time.UnixMicro(e.Reserved).Sub(e.At.Truncate(time.Microsecond))
			if e.Verb == models.VerbAnswer && kept != reservedFor && kept != seconds(ix.Ladders[h.Account].Reserve) {
				wrong("version %d is reserved for %s", e.Version, kept)
			}
		}
		if told := ix.toldOf(h); !slices.EqualFunc(told, h.Timeline, func(f Frame, e Entry) bool { return f.Type == e.Verb.Event() && f.State == e.State }) {
			wrong("the feed tells another story than the timeline")
		}
		runs := slices.DeleteFunc(slices.Clone(ix.runs[id]), func(run WorkflowRun) bool { return run.late(h, ix.runs[id]) })
		if len(runs) != 1 {
			wrong("it has %d workflow runs instead of one", len(runs))
			continue
		}
		if said := entries(runs[0].Snapshot.Transitions); !equalEntries(said, h.Timeline) {
			wrong("the workflow tells another story than the timeline")
		}
		for _, what := range []string{ix.followed(h, runs[0]), ix.updatesOf(h)} {
			if what != "" {
				wrong("%s", what)
			}
		}
		for _, outcome := range runs[0].Outcomes {
			if said := entries(outcome.Transitions); len(said) > len(h.Timeline) || !equalEntries(said, h.Timeline[:len(said)]) {
				wrong("an answer of the workflow was not the beginning of its story")
			}
		}
	}
	for id, runs := range ix.runs {
		if ix.handoffs[id] == nil {
			found = append(found, Violation{Handoff: id, What: fmt.Sprintf("%d workflow runs have no row", len(runs))})
		}
	}
	return found
}

// late reports whether a run was started by a request that had stood still
// while the handoff came to its end in another one. It began when that was over
// and has decided nothing.
func (r WorkflowRun) late(h *HandoffTruth, all []WorkflowRun) bool {
	return !r.Open() && len(r.Outcomes) == 0 && h.State.Version > 1 && h.State.Status.Closed() &&
		equalEntries(entries(r.Snapshot.Transitions), h.Timeline[:1]) &&
		slices.ContainsFunc(all, func(o WorkflowRun) bool { return !o.Open() && !o.Ended.After(r.Began) })
}

// followed says what is wrong with what goes along with a handoff: its intent
// and sender, its session, the text of its resolution.
func (ix *index) followed(h *HandoffTruth, run WorkflowRun) string {
	if run.Snapshot.Intent != h.Intent || run.Snapshot.SenderID != h.Sender {
		return "row and workflow disagree about its intent or its sender"
	}
	if all := ix.sessions[h.Session]; all[len(all)-1] == h {
		status, owner := models.SessionActive, h.Sender
		switch h.State.Status {
		case models.StatusQueued:
			status = models.SessionEscalated
			if h.Intent == models.IntentPark {
				status = models.SessionParked
			}
		case models.StatusClaimed:
			owner = h.State.Holder
		case models.StatusResolved:
			status, owner = models.SessionResolved, h.State.Holder
		default:
		}
		if h.SessionStatus != status || h.SessionOwner != owner {
			return fmt.Sprintf("its session is %s and belongs to %s", h.SessionStatus, short(h.SessionOwner))
		}
	}
	last := h.Timeline[len(h.Timeline)-1]
	for _, op := range ix.ops[h.ID] {
		if op.Verb == models.VerbResolve && last.RequestID == requestID(op) && !strings.HasPrefix(h.Resolution, resolutionOf(op)) {
			return fmt.Sprintf("its resolution is %q", h.Resolution)
		}
	}
	return ""
}

// updatesOf says what is wrong with the events about its side effects.
func (ix *index) updatesOf(h *HandoffTruth) string {
	version, updates := 0, 0
	for _, f := range ix.told(h) {
		if f.State.Version < version {
			return fmt.Sprintf("event %s tells of version %d after version %d", f.ID, f.State.Version, version)
		}
		version = f.State.Version
		if f.Type == models.EventUpdated {
			updates++
			if !ix.existed(h.ID, f.State) {
				return fmt.Sprintf("event %s tells of a state that never was", f.ID)
			}
		}
	}
	if updates == 0 && h.Effects[string(models.EffectDocumentation)] == string(models.EffectDone) {
		return "no event tells that it is documented"
	}
	return ""
}

func entries(ts []models.Transition) []Entry {
	all := make([]Entry, len(ts))
	for i, t := range ts {
		all[i] = entryOf(t)
	}
	return all
}

// toldOf are the events of a handoff that tell of transitions.
func (ix *index) toldOf(h *HandoffTruth) []Frame {
	return slices.DeleteFunc(ix.told(h), func(f Frame) bool {
		return f.Type == models.EventUpdated || f.Type == models.EventAssessmentReady
	})
}

// checkStuck looks for what will never go on.
func checkStuck(ix *index) []Violation {
	found := ix.outlived()
	for id, runs := range ix.runs {
		h := ix.handoffs[id]
		for _, run := range runs {
			wrong := func(format string, args ...any) {
				found = append(found, Violation{Handoff: id, What: fmt.Sprintf(format, args...), Shows: append(run.Trouble, ix.story(id)...)})
			}
			for _, cause := range run.Failed {
				// Between two builds it may happen, and heals.
				if ix.Builds < 2 && strings.Contains(cause, "NonDeterministic") {
					wrong("run %s could not be replayed: %s", run.ID, cause)
				}
			}
			switch {
			case len(run.Trouble) > 0:
				wrong("run %s has not come to rest", run.ID)
			case h != nil && run.Open() && h.State.Status.Closed():
				wrong("run %s is open, and the handoff is %s", run.ID, h.State.Status)
			case h != nil && !run.Open() && h.State.Status.Open():
				wrong("run %s is %s, and the handoff is %s", run.ID, run.Status, h.State.Status)
			case !run.Open() && run.Status != "Completed":
				wrong("run %s has %s", run.ID, run.Status)
			}
		}
	}
	return found
}

// outlived are side effects of closed handoffs that have not come to an end.
func (ix *index) outlived() []Violation {
	var found []Violation
	for _, id := range ix.Truth.Outlived {
		found = append(found, Violation{What: "a side effect goes on and on: " + id})
	}
	return found
}

// checkDocumented is the side effect that the handoff's own workflow has.
func checkDocumented(ix *index) []Violation {
	var found []Violation
	for id, h := range ix.handoffs {
		if h.State.Version > 0 && h.Effects[string(models.EffectDocumentation)] != string(models.EffectDone) {
			found = append(found, Violation{Handoff: id, What: fmt.Sprintf("its documentation is %q", h.Effects[string(models.EffectDocumentation)]), Shows: ix.story(id)})
		}
	}
	return found
}

// checkWalls looks at what strangers were told.
func checkWalls(ix *index) []Violation {
	var found []Violation
	for _, op := range ix.all {
		if ix.foreign(op) && !op.Unknown() && op.HTTP != http.StatusNotFound && op.Code != models.CodeUnavailable {
			found = append(found, Violation{Handoff: op.Handoff, What: "somebody of another account was told that there is such a handoff", Shows: []string{op.String()}})
		}
	}
	return append(found, ix.wallsOfMessages()...)
}

// checkAnswers looks for answers that no client should ever get.
func checkAnswers(ix *index) []Violation {
	var found []Violation
	type request struct {
		key string
		by  uuid.UUID
	}
	last, accepted := map[request]Op{}, map[request]time.Duration{}
	known, unknown := map[request]bool{}, map[request]bool{}
	for _, op := range ix.all {
		expected := op.Accepted()
		switch op.HTTP {
		case 0, http.StatusConflict, http.StatusForbidden, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			expected = true
		case http.StatusNotFound: // a session that belongs to its claimer by now
			expected = op.Verb == models.VerbCreate || ix.foreign(op)
		}
		if !expected {
			found = append(found, Violation{Handoff: op.Handoff, What: "an answer that should not be", Shows: []string{op.String()}})
		}
		if op.Key != "" && op.Door == "" {
			r := request{op.Key, op.By}
			if before, ok := accepted[r]; ok && op.Call > before && op.Refused() && op.Code != models.CodeUnavailable {
				found = append(found, Violation{Handoff: op.Handoff, What: "a request was accepted, and refused when it was repeated", Shows: []string{op.String()}})
			}
			if op.Accepted() {
				accepted[r] = max(accepted[r], op.Return)
			}
			last[r] = op
			known[r] = known[r] || op.Tells()
			unknown[r] = unknown[r] || op.Unknown()
		}
	}
	for r, op := range last {
		if unknown[r] && !known[r] {
			found = append(found, Violation{Handoff: op.Handoff, What: "nobody could find out what became of it", Shows: []string{op.String()}})
		}
	}
	return found
}

// checkAlive also wants something to have happened: a run in which nothing was
// accepted keeps every other promise.
func checkAlive(ix *index) []Violation {
	var found []Violation
	accepted := map[models.Verb]int{}
	for _, op := range ix.all {
		if op.Accepted() {
			accepted[op.Verb]++
		}
		if ix.Calm && op.HTTP >= http.StatusInternalServerError {
			found = append(found, Violation{What: "nothing went wrong, and a request failed", Shows: []string{op.String()}})
		}
	}
	for _, verb := range []models.Verb{models.VerbCreate, models.VerbClaim, VerbRead} { // the others are rare
		if accepted[verb] == 0 {
			found = append(found, Violation{What: fmt.Sprintf("no %s was ever accepted", verb)})
		}
	}
	if len(ix.Streams) == 0 {
		found = append(found, Violation{What: "nobody followed the feed"})
	}
	if len(ix.marks()) == 0 {
		found = append(found, Violation{What: "no ticket was ever told"})
	}
	for _, channel := range []notify.ChannelName{notify.ChannelEmail, notify.ChannelSlack, notify.ChannelWebhook} {
		if !slices.ContainsFunc(ix.Truth.Messages, func(m Message) bool { return m.Channel == channel }) {
			found = append(found, Violation{What: fmt.Sprintf("nobody was ever told by %s", channel)})
		}
	}
	if ix.Truth.Model.Answered == 0 {
		found = append(found, Violation{What: "no model ever answered"})
	}
	for _, d := range ix.Deaths {
		found = append(found, Violation{What: d})
	}
	return found
}
