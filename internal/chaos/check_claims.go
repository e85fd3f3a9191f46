package chaos

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/google/uuid"

	"github.com/baton-handoff/baton/models"
)

// The model of one handoff, as the design's table of transitions has it. It is
// written anew and not taken from package workflows: a mistake there must not
// excuse itself.

// modelState is where a handoff stands in the model.
type modelState struct {
	exists bool
	State
	// done are the keys of requests that took effect, in order.
	done string
}

// modelInput is a request to the model.
type modelInput struct {
	Op
	admin  bool
	sender uuid.UUID
	// reserved tells of each generation that began with an answer until when it
	// is reserved, and called and returned are the request's in the same time.
	reserved         map[int]int64
	called, returned int64
}

// handoffModel says which answers are possible.
var handoffModel = porcupine.Model{
	Init: func() any { return modelState{} },
	Step: func(state, input, _ any) (bool, any) {
		return step(state.(modelState), input.(modelInput)) //nolint:forcetypeassert // ours
	},
	DescribeOperation: func(input, _ any) string {
		in, _ := input.(modelInput)
		return in.String()
	},
	DescribeState: func(state any) string {
		s, _ := state.(modelState)
		return s.String()
	},
}

// step tells whether a request can have been answered as it was in a state,
// and which state it leads to.
func step(s modelState, in modelInput) (bool, any) {
	if in.Verb == VerbRead {
		return s.exists && in.Seen != nil && s.State == *in.Seen, s
	}
	repeated := in.Key != "" && strings.Contains(s.done, in.Key)
	next, code := s.apply(in)
	switch {
	case in.Unknown():
		// It took effect here, or not at all. That it never did is the same as
		// that it does after all others.
		if repeated || code != "" {
			return true, s
		}
		return true, next
	case in.Accepted():
		if repeated {
			return in.Verb != models.VerbClaim || s.Holder == in.By, s
		}
		return code == "", next
	case in.Code == models.CodeUnavailable:
		return true, s // nothing was done
	case in.Outrun():
		if repeated {
			return s.Holder != in.By, s
		}
		return code == "", next
	case repeated:
		return false, s
	case in.Code == models.CodeAlreadyClaimed:
		return s.Status == models.StatusClaimed && s.Holder == in.Holder && s.Holder != in.By, s
	case in.Code == models.CodeReserved:
		return s.Target == in.ReservedFor && s.Target != in.By && s.Reserved == in.Reserved && in.called <= s.Reserved+about.Microseconds(), s
	case putBack(in.Op):
		return true, s
	default:
		return code == in.Code, s
	}
}

// putBack reports whether a request was refused because the handoff has been
// put back meanwhile. That is about two moments, which one step cannot tell;
// checkRefusals looks at it.
func putBack(in Op) bool {
	return in.Code == models.CodeConflict && strings.Contains(in.Text, "put back into the queue since")
}

// apply is the table of transitions: the next state, or the code of the refusal.
func (s modelState) apply(in modelInput) (modelState, models.Code) {
	if !s.exists {
		if in.Verb != models.VerbCreate {
			return s, models.CodeNotFound
		}
		s.exists = true
		s.State = State{Version: 1, Generation: 1, Status: models.StatusQueued, Target: in.Target}
		s.done += in.Key + " "
		return s, ""
	}
	if s.Status.Closed() {
		return s, models.CodeClosed
	}
	holds := s.Holder == in.By
	next := s
	next.Version++
	next.done += in.Key + " "
	next.Reserved = 0
	asked := s.Status == models.StatusReturned && s.Target == in.By
	requeue := func(target uuid.UUID) (modelState, models.Code) {
		next.Status, next.Generation, next.Holder, next.Target = models.StatusQueued, s.Generation+1, uuid.Nil, target
		return next, ""
	}
	switch in.Verb {
	case models.VerbClaim:
		switch {
		case s.Status == models.StatusClaimed && !holds:
			return s, models.CodeAlreadyClaimed
		case in.Intent == models.IntentEscalate && in.By == in.sender:
			return s, models.CodeForbidden
		case holds:
			return s, ""
		case s.Status == models.StatusReturned:
			return s, models.CodeConflict
		case s.Reserved != 0 && s.Target != in.By && in.returned < s.Reserved-about.Microseconds():
			return s, models.CodeReserved
		}
		next.Status, next.Holder = models.StatusClaimed, in.By
		return next, ""
	case models.VerbRelease:
		switch {
		case s.Status == models.StatusQueued:
			return s, models.CodeConflict
		case !holds && !asked && !in.admin:
			return s, models.CodeForbidden
		}
		return requeue(uuid.Nil)
	case models.VerbReassign:
		switch {
		case !holds && !asked && !in.admin:
			return s, models.CodeForbidden
		case s.Status == models.StatusQueued && s.Target == in.Target:
			return s, ""
		}
		return requeue(in.Target)
	case models.VerbResolve:
		switch {
		case s.Status == models.StatusQueued:
			return s, models.CodeConflict
		case !holds && !asked && !in.admin:
			return s, models.CodeForbidden
		}
		next.Status = models.StatusResolved
		if s.Status == models.StatusReturned {
			next.Holder = s.Target
		}
		return next, ""
	case models.VerbReturn:
		switch {
		case s.Status != models.StatusClaimed:
			return s, models.CodeConflict
		case !holds && !in.admin:
			return s, models.CodeForbidden
		case s.Holder == in.sender:
			return s, models.CodeConflict
		}
		next.Status, next.Holder, next.Target = models.StatusReturned, uuid.Nil, s.Holder
		return next, ""
	case models.VerbAnswer:
		switch {
		case s.Status != models.StatusReturned:
			return s, models.CodeConflict
		case in.By != in.sender && !in.admin:
			return s, models.CodeForbidden
		}
		next.Reserved = in.reserved[s.Generation+1]
		return requeue(s.Target)
	case models.VerbCancel:
		switch {
		case s.Status == models.StatusClaimed:
			return s, models.CodeConflict
		case in.By != in.sender && !in.admin:
			return s, models.CodeForbidden
		}
		next.Status = models.StatusCancelled
		return next, ""
	default:
		return s, models.CodeInvalid
	}
}

const linearizableWithin = 20 * time.Second // for one handoff

func checkLinearizable(ix *index) []Violation {
	var found []Violation
	for id, ops := range ix.ops {
		sender := uuid.Nil
		if h := ix.handoffs[id]; h != nil {
			sender = h.Sender
		}
		history := ix.operations(ops, sender)
		switch result, _ := porcupine.CheckOperationsVerbose(handoffModel, history, linearizableWithin); result {
		case porcupine.Ok:
		case porcupine.Illegal:
			shortest := shrink(history)
			lines := make([]string, len(shortest))
			for i, o := range shortest {
				in, _ := o.Input.(modelInput)
				lines[i] = in.String()
			}
			found = append(found, Violation{Handoff: id, What: "no order of the requests explains the answers", Shows: lines})
		case porcupine.Unknown:
			found = append(found, Violation{Handoff: id, What: fmt.Sprintf("%d requests are too many to find an order within %s", len(history), linearizableWithin)})
		}
	}
	return found
}

// operations makes a history for porcupine. An accepted request both changes
// the handoff and shows it, maybe later than its own change: two operations.
//
// Of requests that nobody was answered, those that the timeline does not know
// are left out, and those that were repeated until they were accepted are one
// with that: a request takes effect once. If the timeline were wrong there, the
// other answers would have no explanation.
func (ix *index) operations(ops []Op, sender uuid.UUID) []porcupine.Operation {
	var history []porcupine.Operation
	kept := map[int]int64{}
	add := func(op Op) {
		in := modelInput{Op: op, admin: op.Door == models.DoorLease || ix.people[op.By].Role.AtLeast(models.RoleAdmin), sender: sender, reserved: kept}
		in.called, in.returned = ix.Began.Add(op.Call).UnixMicro(), math.MaxInt64
		if op.Return != Never {
			in.returned = ix.Began.Add(op.Return).UnixMicro()
		}
		history = append(history, porcupine.Operation{ClientId: len(history), Input: in, Call: int64(op.Call), Return: int64(op.Return)})
	}
	if len(ops) > 0 && ix.handoffs[ops[0].Handoff] != nil {
		for _, e := range ix.handoffs[ops[0].Handoff].Timeline {
			if e.Verb == models.VerbAnswer {
				kept[e.Generation] = e.Reserved
			}
		}
	}
	asked := map[string]time.Duration{} // when a key that was accepted was first used
	for _, op := range ops {
		if first, ok := asked[op.Key]; op.Key != "" && (!ok || op.Call < first) {
			asked[op.Key] = op.Call
		}
	}
	accepted := map[string]bool{}
	for _, op := range ops {
		accepted[op.Key] = accepted[op.Key] || op.Accepted() || op.Outrun()
	}
	merged := map[string]bool{}
	for _, op := range ops {
		switch {
		case op.Verb == models.VerbCreate && op.Refused():
			continue // not about this handoff, but about the one that was open
		case op.Code == models.CodeUnavailable:
			continue // nothing was done; that is checked elsewhere
		case op.Verb == VerbRead:
			if op.Accepted() {
				add(op)
			}
			continue
		case op.Unknown():
			if _, happened := ix.effect(op); !happened || op.Key != "" && (accepted[op.Key] || merged[op.Key]) {
				continue
			}
			merged[op.Key] = true
		case (op.Accepted() || op.Outrun()) && op.Key != "" && !merged[op.Key]:
			merged[op.Key] = true
			whole := op
			whole.Call = asked[op.Key]
			add(whole)
			if op.Accepted() {
				op.Verb = VerbRead
				add(op)
			}
			continue
		}
		add(op)
		if op.Accepted() {
			op.Verb = VerbRead
			add(op)
		}
	}
	return history
}

// shrink finds a shorter history that is just as impossible: the shortest
// beginning of it, without what changed nothing.
func shrink(history []porcupine.Operation) []porcupine.Operation {
	illegal := func(h []porcupine.Operation) bool {
		return porcupine.CheckOperationsTimeout(handoffModel, h, linearizableWithin) == porcupine.Illegal
	}
	byReturn := slices.Clone(history)
	slices.SortStableFunc(byReturn, func(a, b porcupine.Operation) int {
		return int(min(max(a.Return-b.Return, -1), 1))
	})
	// What has not returned may have had its effect before, so it stays.
	returned := 0
	for returned < len(byReturn) && byReturn[returned].Return != int64(Never) {
		returned++
	}
	pending := byReturn[returned:]
	with := func(n int) []porcupine.Operation { return append(slices.Clone(byReturn[:n]), pending...) }
	n := 0
	for n < returned && !illegal(with(n)) {
		n++
	}
	short := with(n)
	for i := len(short) - 1; i >= 0; i-- {
		in, _ := short[i].Input.(modelInput)
		if in.Verb != VerbRead && !in.Refused() && !in.Unknown() {
			continue // without it, others could seem wrong that are not
		}
		if in.Unknown() && in.Verb != VerbRead && i < n {
			continue
		}
		if without := slices.Delete(slices.Clone(short), i, i+1); illegal(without) && !in.Unknown() {
			short = without
		}
	}
	slices.SortStableFunc(short, func(a, b porcupine.Operation) int {
		return int(min(max(a.Call-b.Call, -1), 1))
	})
	return short
}

// checkOneHolder collects everybody who was ever said to hold a generation.
func checkOneHolder(ix *index) []Violation {
	type turn struct {
		handoff    uuid.UUID
		generation int
	}
	holders := map[turn]map[uuid.UUID]string{}
	say := func(handoff uuid.UUID, s State, who string) {
		if handoff == uuid.Nil || s.Holder == uuid.Nil {
			return
		}
		t := turn{handoff, s.Generation}
		if holders[t] == nil {
			holders[t] = map[uuid.UUID]string{}
		}
		if holders[t][s.Holder] == "" {
			holders[t][s.Holder] = who
		}
	}
	for _, op := range ix.all {
		if op.Seen != nil {
			say(op.Handoff, *op.Seen, op.String())
		}
	}
	for _, s := range ix.Streams {
		for _, f := range s.Frames {
			say(f.Handoff, f.State, fmt.Sprintf("%s was told by %s %s: %s", s.Name, f.Type, f.ID, f.State))
		}
	}
	for id, h := range ix.handoffs {
		say(id, h.State, "row "+h.State.String())
		for _, e := range h.Timeline {
			say(id, e.State, "timeline "+e.String())
		}
	}
	for id, runs := range ix.runs {
		for _, run := range runs {
			for _, snap := range append(slices.Clone(run.Outcomes), run.Snapshot) {
				for _, t := range snap.Transitions {
					say(id, entryOf(t).State, "workflow "+run.ID+" "+entryOf(t).String())
				}
			}
		}
	}
	var found []Violation
	for t, who := range holders {
		if len(who) < 2 {
			continue
		}
		v := Violation{Handoff: t.handoff, What: fmt.Sprintf("generation %d has %d holders", t.generation, len(who))}
		for _, said := range who {
			v.Shows = append(v.Shows, said)
		}
		slices.Sort(v.Shows)
		found = append(found, v)
	}
	return found
}
