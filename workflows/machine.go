package workflows

import (
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/models"
)

// This file is the state machine of a handoff: pure functions of a state and a
// request. Every door, and every answer given without asking the workflow,
// comes through Decide.

// Begin is the state of a handoff that was just created.
func Begin(in HandoffInput) models.Snapshot {
	return models.Snapshot{
		AccountID: in.AccountID, SessionID: in.SessionID, HandoffID: in.HandoffID,
		Intent: in.Intent, SenderID: in.SenderID, ReserveSeconds: in.ReserveSeconds,
		Transitions: []models.Transition{{
			Version: 1, Verb: models.VerbCreate, Door: models.DoorAPI, ActorID: in.SenderID, At: in.CreatedAt.UTC(),
			Generation: 1, Status: models.StatusQueued, TargetUserID: in.TargetUserID,
		}},
	}
}

// StateOf is the state of a handoff as its row tells it. It knows only the
// last transition, which is all that Decide looks at to refuse a request. For how
// long an answer would reserve it, the row does not tell.
func StateOf(row models.Handoff) models.Snapshot {
	at := row.UpdatedAt
	if row.ClaimedAt != nil {
		at = *row.ClaimedAt
	}
	return models.Snapshot{
		AccountID: row.AccountID, SessionID: row.SessionID, HandoffID: row.ID,
		Intent: row.Intent, SenderID: row.HandedOffBy,
		Transitions: []models.Transition{{
			Version: row.Version, At: at, Generation: row.Generation, Status: row.Status,
			HolderID: row.ClaimedBy, TargetUserID: row.TargetUserID, ReservedUntil: row.ReservedUntil,
		}},
	}
}

// Decision is what Decide allows. When Repeated is set the request asks for
// what is already so, and nothing changes.
type Decision struct {
	Next     models.Transition
	Repeated bool
}

// Decide says what a request leads to in a state, or refuses it with a
// [*models.Error]. The time at which it is decided matters to reservations
// alone. The caller stamps time, door and request id on the result.
func Decide(s models.Snapshot, verb models.Verb, r Request, at time.Time) (Decision, error) {
	now := s.Last()
	if r.HandoffID != s.HandoffID {
		return refuse(models.CodeNotFound, "Handoff not found")
	}
	if now.Status.Closed() {
		if verb == models.VerbClaim {
			return refuse(models.CodeClosed, "The handoff is %s; it can no longer be taken.", now.Status)
		}
		return refuse(models.CodeClosed, "The handoff is already %s.", now.Status)
	}
	holds := now.HolderID != nil && *now.HolderID == r.ActorID
	// A claim says its generation too, but that somebody else has it is the
	// better answer.
	if verb == models.VerbClaim && now.Status == models.StatusClaimed && !holds {
		e := models.Errorf(models.CodeAlreadyClaimed, "The handoff is already claimed.")
		e.Claim = &models.Claim{ByID: *now.HolderID, At: now.At}
		return Decision{}, e
	}
	if r.Generation != 0 && r.Generation != now.Generation {
		return refuse(models.CodeConflict, "The handoff has been put back into the queue since. Look at it again before you decide.")
	}
	admin := r.ActorRole.AtLeast(models.RoleAdmin)
	// Who has returned it is who it is addressed to meanwhile. They need not wait
	// for the answer: what they could do while they held it, they still can.
	asked := now.Status == models.StatusReturned && *now.TargetUserID == r.ActorID
	next := models.Transition{
		Version: now.Version + 1, Verb: verb, ActorID: r.ActorID,
		Generation: now.Generation, TargetUserID: now.TargetUserID,
	}
	worn := now.Generation >= models.MaxGenerations
	refuseWorn := func() (Decision, error) {
		return refuse(models.CodeConflict, "The handoff has been in the queue %d times, which is the most there can be. Resolve it, or cancel it and hand off again.", now.Generation)
	}
	requeue := func(target *uuid.UUID) (Decision, error) {
		if worn {
			return refuseWorn()
		}
		next.Status, next.Generation, next.TargetUserID = models.StatusQueued, now.Generation+1, target
		return Decision{Next: next}, nil
	}

	switch verb {
	case models.VerbClaim:
		if !r.ActorRole.AtLeast(models.RoleEngineer) {
			return refuse(models.CodeForbidden, "Viewers cannot claim. Ask an admin for the engineer role.")
		}
		if s.Intent == models.IntentEscalate && r.ActorID == s.SenderID {
			return refuse(models.CodeForbidden, "You escalated this session yourself; somebody else has to claim it. Cancel the handoff to take the session back.")
		}
		if holds {
			return Decision{Repeated: true}, nil
		}
		if now.Status == models.StatusReturned {
			return refuse(models.CodeConflict, "The handoff was returned to its sender with questions. It can be claimed once they are answered.")
		}
		if until := now.ReservedUntil; until != nil && at.Before(*until) && *now.TargetUserID != r.ActorID {
			e := models.Errorf(models.CodeReserved, "The handoff is reserved for who asked its sender.")
			e.Reservation = &models.Reservation{ForID: *now.TargetUserID, Until: *until}
			return Decision{}, e
		}
		holder := r.ActorID
		next.Status, next.HolderID = models.StatusClaimed, &holder
		return Decision{Next: next}, nil

	case models.VerbRelease:
		if now.Status == models.StatusQueued {
			return refuse(models.CodeConflict, "The handoff is in the queue; there is no claim to release.")
		}
		if !holds && !asked && !admin {
			return refuse(models.CodeForbidden, "Only who holds the handoff, or an admin, can release it.")
		}
		return requeue(nil)

	case models.VerbReassign:
		if !holds && !asked && !admin {
			return refuse(models.CodeForbidden, "Only who holds the handoff, or an admin, can reassign it.")
		}
		if r.TargetUserID == nil {
			return refuse(models.CodeInvalid, "Say who the handoff goes to: target_user_id is missing.")
		}
		if s.Intent == models.IntentEscalate && *r.TargetUserID == s.SenderID {
			return refuse(models.CodeInvalid, "The target user escalated this session; an escalation needs somebody else.")
		}
		if now.Status == models.StatusQueued && now.TargetUserID != nil && *now.TargetUserID == *r.TargetUserID {
			return Decision{Repeated: true}, nil // it waits for them already
		}
		return requeue(r.TargetUserID)

	case models.VerbResolve:
		if now.Status == models.StatusQueued {
			return refuse(models.CodeConflict, "Nobody has claimed the handoff yet; claim it before you resolve it.")
		}
		if !holds && !asked && !admin {
			return refuse(models.CodeForbidden, "Only who holds the handoff, or an admin, can resolve it.")
		}
		next.Status, next.HolderID = models.StatusResolved, now.HolderID
		if now.Status == models.StatusReturned {
			next.HolderID = now.TargetUserID // who held this generation
		}
		return Decision{Next: next}, nil

	case models.VerbReturn:
		switch {
		case now.Status == models.StatusReturned:
			return refuse(models.CodeConflict, "The handoff is already returned to its sender.")
		case now.Status != models.StatusClaimed:
			return refuse(models.CodeConflict, "Nobody has claimed the handoff yet; claim it before you return it.")
		case !holds && !admin:
			return refuse(models.CodeForbidden, "Only who holds the handoff, or an admin, can return it to its sender.")
		case *now.HolderID == s.SenderID:
			return refuse(models.CodeConflict, "The holder handed the session off themselves; there is nobody else to ask. Release it instead.")
		case worn: // it could not go back into the queue when it is answered
			return refuseWorn()
		}
		next.Status, next.TargetUserID = models.StatusReturned, now.HolderID
		return Decision{Next: next}, nil

	case models.VerbAnswer:
		if now.Status != models.StatusReturned {
			return refuse(models.CodeConflict, "The handoff was not returned; there is no question to answer.")
		}
		if r.ActorID != s.SenderID && !admin {
			return refuse(models.CodeForbidden, "Only who handed the session off, or an admin, can answer.")
		}
		if reserve := s.Reserve(); reserve > 0 {
			until := stamp(at).Add(reserve)
			next.ReservedUntil = &until
		}
		return requeue(now.TargetUserID)

	case models.VerbCancel:
		if now.Status == models.StatusClaimed {
			return refuse(models.CodeConflict, "The handoff is claimed; only one that nobody works on can be cancelled.")
		}
		if r.ActorID != s.SenderID && !admin {
			return refuse(models.CodeForbidden, "Only who handed the session off, or an admin, can cancel it.")
		}
		next.Status = models.StatusCancelled
		return Decision{Next: next}, nil

	case models.VerbCreate:
	}
	return refuse(models.CodeInvalid, "There is no transition %q.", verb)
}

// accept adds a decision to the state.
func accept(s *models.Snapshot, d Decision, door models.Door, requestID string, at time.Time) {
	next := d.Next
	next.Door, next.RequestID, next.At = door, requestID, stamp(at)
	s.Transitions = append(s.Transitions, next)
}

// stamp is a time in microseconds, as PostgreSQL keeps it: every reader is told
// the same.
func stamp(at time.Time) time.Time { return at.UTC().Truncate(time.Microsecond) }

func refuse(code models.Code, format string, args ...any) (Decision, error) {
	return Decision{}, models.Errorf(code, format, args...)
}
