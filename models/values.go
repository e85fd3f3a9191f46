package models

import (
	"fmt"
	"time"
)

// Role is what a user may do inside their account. Roles are ordered: each one
// may do everything that the one before it may.
type Role string

// The roles, from the least to the most powerful.
const (
	RoleViewer   Role = "viewer"
	RoleEngineer Role = "engineer"
	RoleAdmin    Role = "admin"
	RoleOwner    Role = "owner"
)

var roleRank = map[Role]int{RoleViewer: 1, RoleEngineer: 2, RoleAdmin: 3, RoleOwner: 4}

// Valid reports whether r is one of the roles above.
func (r Role) Valid() bool { return roleRank[r] > 0 }

// AtLeast reports whether r may do what least may. An unknown role may nothing.
func (r Role) AtLeast(least Role) bool { return r.Valid() && roleRank[r] >= roleRank[least] }

// Intent says why a session is handed off.
type Intent string

// The two intents of a handoff.
const (
	// IntentPark puts the session down: anyone may pick it up, its sender too.
	IntentPark Intent = "park"
	// IntentEscalate asks for somebody else: the sender may not claim it.
	IntentEscalate Intent = "escalate"
)

// Valid reports whether i is a known intent.
func (i Intent) Valid() bool { return i == IntentPark || i == IntentEscalate }

// Priority orders the queue. It is stored as a number so that an index can
// sort by it; a higher number is more urgent.
type Priority int16

// The priorities, from patient to urgent.
const (
	PriorityLow Priority = iota + 1
	PriorityNormal
	PriorityHigh
	PriorityCritical
)

var priorityNames = map[Priority]string{
	PriorityLow: "low", PriorityNormal: "normal", PriorityHigh: "high", PriorityCritical: "critical",
}

// String is the name that the API and the workflow use.
func (p Priority) String() string {
	if name, ok := priorityNames[p]; ok {
		return name
	}
	return fmt.Sprintf("priority(%d)", int16(p))
}

// MarshalText writes the name, so that messages and histories can be read.
func (p Priority) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads a name.
func (p *Priority) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePriority(string(text))
	return err
}

// ParsePriority is the inverse of [Priority.String]. It fails with
// [CodeInvalid].
func ParsePriority(name string) (Priority, error) {
	for p, n := range priorityNames {
		if n == name {
			return p, nil
		}
	}
	return 0, Errorf(CodeInvalid, "priority %q is unknown; use low, normal, high or critical", name)
}

// Status is where a handoff stands.
type Status string

// The states of a handoff. See the state machine in package workflows.
const (
	// StatusStarting is a row whose workflow has not been seen to start. It is
	// invisible to everybody and holds the free text until the start is durable.
	StatusStarting Status = "starting"
	StatusQueued   Status = "queued"
	StatusClaimed  Status = "claimed"
	// StatusReturned waits for its sender, who was asked something by the
	// engineer that the handoff is addressed to meanwhile.
	StatusReturned  Status = "returned"
	StatusResolved  Status = "resolved"
	StatusCancelled Status = "cancelled"
)

// Open reports whether the handoff still waits for somebody or is being worked on.
func (s Status) Open() bool {
	return s == StatusQueued || s == StatusClaimed || s == StatusReturned
}

// Closed reports whether the handoff has come to its end.
func (s Status) Closed() bool { return s == StatusResolved || s == StatusCancelled }

// SessionStatus is where a troubleshooting session stands.
type SessionStatus string

// The states of a session. Only an active session can be handed off.
const (
	SessionActive    SessionStatus = "active"
	SessionParked    SessionStatus = "parked"
	SessionEscalated SessionStatus = "escalated"
	SessionResolved  SessionStatus = "resolved"
)

// Verb names a transition of a handoff.
type Verb string

// The transitions.
const (
	VerbCreate   Verb = "create"
	VerbClaim    Verb = "claim"
	VerbRelease  Verb = "release"
	VerbReassign Verb = "reassign"
	VerbResolve  Verb = "resolve"
	VerbCancel   Verb = "cancel"
	VerbReturn   Verb = "return" // to its sender, with questions
	VerbAnswer   Verb = "answer" // back to who asked
)

// Door is the way by which a transition was asked for.
type Door string

// The doors. All of them lead to the same transition.
const (
	DoorAPI      Door = "api"
	DoorOperator Door = "operator" // a signal from the Temporal UI or CLI
	DoorLease    Door = "lease"    // its holder showed no activity
	DoorSlack    Door = "slack"    // the button of a message in Slack
	DoorLink     Door = "link"     // a signed link in a mail or card
)

// Valid reports whether d is one of the doors above.
func (d Door) Valid() bool {
	return d == DoorAPI || d == DoorOperator || d == DoorSlack || d == DoorLink || d == DoorLease
}

// EffectKind names a side effect of a handoff.
type EffectKind string

// The side effects.
const (
	EffectDocumentation EffectKind = "documentation"
	EffectPSA           EffectKind = "psa"
	EffectBriefing      EffectKind = "briefing"
)

// EffectState is where a side effect stands.
type EffectState string

// The states of a side effect.
const (
	EffectPending  EffectState = "pending"
	EffectRetrying EffectState = "retrying"
	EffectDone     EffectState = "done"
	EffectFailed   EffectState = "failed"
	EffectSkipped  EffectState = "skipped"
)

// Actor is who did a step of a session.
type Actor string

// The actors of a session's steps.
const (
	ActorEngineer  Actor = "engineer"
	ActorAssistant Actor = "assistant"
	ActorUser      Actor = "user" // the customer's end user
	ActorSystem    Actor = "system"
)

// StepKind is what a step of a session is.
type StepKind string

// The kinds of steps.
const (
	StepMessage     StepKind = "message"
	StepCommand     StepKind = "command"
	StepObservation StepKind = "observation"
	StepNote        StepKind = "note"
)

// Outcome is what a step did to the problem. The empty outcome is unknown.
type Outcome string

// The outcomes of a step.
const (
	OutcomeWorked       Outcome = "worked"
	OutcomeNoChange     Outcome = "no_change"
	OutcomeWorse        Outcome = "worse"
	OutcomeInconclusive Outcome = "inconclusive"
)

// EventType is the type of a feed event, as the SSE stream names it.
type EventType string

// The types of feed events. [EventResync] is never stored: it is what a reader
// is told when events are missing for it.
const (
	EventCreated         EventType = "handoff_created"
	EventClaimed         EventType = "handoff_claimed"
	EventReleased        EventType = "handoff_released"
	EventReassigned      EventType = "handoff_reassigned"
	EventResolved        EventType = "handoff_resolved"
	EventCancelled       EventType = "handoff_cancelled"
	EventReturned        EventType = "handoff_returned"
	EventAnswered        EventType = "handoff_answered"
	EventUpdated         EventType = "handoff_updated"
	EventAssessmentReady EventType = "handoff_assessment_ready"
	EventResync          EventType = "resync"
)

// Event is the feed event that tells of a transition by this verb.
func (v Verb) Event() EventType {
	switch v {
	case VerbCreate:
		return EventCreated
	case VerbClaim:
		return EventClaimed
	case VerbRelease:
		return EventReleased
	case VerbReassign:
		return EventReassigned
	case VerbResolve:
		return EventResolved
	case VerbCancel:
		return EventCancelled
	case VerbReturn:
		return EventReturned
	case VerbAnswer:
		return EventAnswered
	}
	return EventUpdated
}

// ReservedFor is how long an answered handoff is reserved for who asked, before
// anybody may claim it.
const ReservedFor = 30 * time.Minute

// The bounds of what people and programs may send. All counts of text are in
// characters unless the name says bytes.
const (
	MaxTitle          = 200
	MaxClientName     = 200
	MaxProblem        = 4_000
	MaxTicket         = 64
	MaxNotes          = 10_000
	MaxStepText       = 20_000
	MaxStepBatch      = 500
	MaxSteps          = 2_000
	MaxSessionBytes   = 1 << 20 // all step texts of one session
	MaxIdempotencyKey = 255
	// MaxGenerations bounds how often one handoff can go back into the queue,
	// which bounds its history.
	MaxGenerations = 50
)
