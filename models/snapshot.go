package models

import (
	"time"

	"github.com/google/uuid"
)

// Transition is one accepted decision about a handoff, and where the handoff
// stood after it. Transitions live in Temporal histories: fields are only ever
// added, and none holds free text or personal data.
type Transition struct {
	Version      int        `json:"version"`
	Verb         Verb       `json:"verb"`
	Door         Door       `json:"door"`
	ActorID      uuid.UUID  `json:"actor_id"`
	At           time.Time  `json:"at"`
	Generation   int        `json:"generation"`
	Status       Status     `json:"status"`
	HolderID     *uuid.UUID `json:"holder_id,omitempty"`
	TargetUserID *uuid.UUID `json:"target_user_id,omitempty"`
	// ReservedUntil is set by an answer: until then only the target may claim.
	ReservedUntil *time.Time `json:"reserved_until,omitempty"`
	// RequestID is the id of the Update that asked for it; it finds the free
	// text that came with the request (see [TransitionInput]).
	RequestID string `json:"request_id,omitempty"`
}

// Snapshot is what leaves the workflow: the handoff and every transition so
// far, in order. The last one is where the handoff stands.
type Snapshot struct {
	AccountID uuid.UUID `json:"account_id"`
	SessionID uuid.UUID `json:"session_id"`
	HandoffID uuid.UUID `json:"handoff_id"`
	Intent    Intent    `json:"intent"`
	SenderID  uuid.UUID `json:"sender_id"`
	// ReserveSeconds is for how long an answer reserves the handoff for who asked;
	// nil is [ReservedFor].
	ReserveSeconds *int64       `json:"reserve_seconds,omitempty"`
	Transitions    []Transition `json:"transitions"`
}

// Reserve is for how long an answer reserves the handoff for who asked; zero is
// not at all.
func (s Snapshot) Reserve() time.Duration {
	if s.ReserveSeconds == nil {
		return ReservedFor
	}
	return time.Duration(*s.ReserveSeconds) * time.Second
}

// Last is the newest transition. A snapshot is never without one.
func (s Snapshot) Last() Transition { return s.Transitions[len(s.Transitions)-1] }

// Version is the version of the newest transition.
func (s Snapshot) Version() int { return s.Last().Version }

// Since returns the transitions after version.
func (s Snapshot) Since(version int) []Transition {
	for i, t := range s.Transitions {
		if t.Version > version {
			return s.Transitions[i:]
		}
	}
	return nil
}
