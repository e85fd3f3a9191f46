package models

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// Account is the tenant: one managed service provider.
type Account struct {
	ID        uuid.UUID `gorm:"column:account_id;primaryKey"`
	Name      string
	CreatedAt time.Time
	// RedactionKey makes the placeholders of credentials the account's own. The
	// database makes it.
	RedactionKey []byte `gorm:"->"`
}

// Team is the audience of a queue inside an account.
type Team struct {
	AccountID uuid.UUID `gorm:"primaryKey"`
	ID        uuid.UUID `gorm:"primaryKey"`
	Name      string
	CreatedAt time.Time
}

// User is a person of an account, or an integration. Subject is the `sub` claim
// of a person's tokens; it is empty until they sign in for the first time.
type User struct {
	AccountID uuid.UUID `gorm:"primaryKey"`
	ID        uuid.UUID `gorm:"primaryKey"`
	// Kind is [UserPerson] when it is empty.
	Kind       UserKind `gorm:"default:person"`
	TeamID     *uuid.UUID
	Subject    *string
	Email      string
	Name       string
	Role       Role
	DisabledAt *time.Time
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// Colleague is a user as the others of the account see them.
type Colleague struct {
	ID       uuid.UUID
	Name     string
	Role     Role
	TeamID   *uuid.UUID
	TeamName *string
}

// Principal is who a request acts for, as the database knows them.
type Principal struct {
	UserID    uuid.UUID
	AccountID uuid.UUID
	TeamID    *uuid.UUID
	Role      Role
	Name      string
	Email     string
	// ExpiresAt is when the token that proved this ends; zero for never.
	ExpiresAt time.Time
	// APIKeyID and APIKeyName are of the key that the user acts by, if it is one.
	APIKeyID   uuid.UUID
	APIKeyName string
	// RequestID is that of the request, for the audit log.
	RequestID string
	// Actor is who acts when it is no user.
	Actor ActorKind
}

// Operator is who works on the command line of the server.
func Operator(account uuid.UUID) Principal {
	return Principal{AccountID: account, Role: RoleOwner, Name: "operator", Actor: ByOperator}
}

// Session is an AI-assisted troubleshooting session (ai_session).
type Session struct {
	AccountID uuid.UUID `gorm:"primaryKey"`
	ID        uuid.UUID `gorm:"primaryKey"`
	TeamID    *uuid.UUID
	// OwnerID is the engineer who works on it now; a claim moves it.
	OwnerID    uuid.UUID
	Title      string
	ClientName string
	Problem    string
	PSATicket  *string `gorm:"column:psa_ticket"`
	Status     SessionStatus
	StepCount  int
	StepBytes  int
	// RequestHash is a digest of the request that created it.
	RequestHash []byte
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// TableName is the table that the API's paths are named after.
func (Session) TableName() string { return "ai_sessions" }

// Step is one thing that was said or done in a session. ID comes from the
// client and makes appending idempotent.
type Step struct {
	AccountID uuid.UUID `gorm:"primaryKey"`
	SessionID uuid.UUID `gorm:"primaryKey"`
	ID        uuid.UUID `gorm:"primaryKey"`
	// Seq is the step's place in its session, from 1, without gaps.
	Seq     int
	At      time.Time
	Actor   Actor
	Kind    StepKind
	Text    string
	Outcome *Outcome
}

// TableName says whose steps these are.
func (Step) TableName() string { return "session_steps" }

// Handoff is one act of passing a session on, as readers see it. The row is a
// projection of the workflow's decisions; once it is visible, one function of
// package store alone writes it.
type Handoff struct {
	AccountID uuid.UUID `gorm:"primaryKey"`
	ID        uuid.UUID `gorm:"primaryKey"`
	SessionID uuid.UUID
	TeamID    *uuid.UUID
	Intent    Intent
	Priority  Priority
	Status    Status
	// Generation counts how often the handoff was put into the queue, from 1.
	Generation int
	// Version counts accepted transitions, from 1 (0 while starting).
	Version       int
	EngineerNotes string
	TargetUserID  *uuid.UUID
	HandedOffBy   uuid.UUID
	ClaimedBy     *uuid.UUID
	ClaimedAt     *time.Time
	ResolvedAt    *time.Time
	Resolution    *string
	// Questions are those that it was last returned with, and Answer what its
	// sender answered them; nil before.
	Questions *string
	Answer    *string
	// ReservedUntil is set between an answer and the next claim: until then only
	// the target may claim.
	ReservedUntil *time.Time
	// WakeAt is when a parked session is due; nil for never.
	WakeAt *time.Time
	// RequestHash is a digest of the create request, which tells a repeated
	// Idempotency-Key with the same body from one with another.
	RequestHash []byte
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// HandoffView is a handoff with what readers want to see beside it: names
// instead of ids, the session's head line, the state of its side effects.
type HandoffView struct {
	Handoff
	TargetUserName  *string
	HandedOffByName *string
	ClaimedByName   *string
	SessionTitle    string
	ClientName      string
	PSATicket       *string `gorm:"column:psa_ticket"`
	// SessionSteps is how many steps the session has by now.
	SessionSteps int
	Effects      []Effect `gorm:"serializer:json"`
	// Ticket is what the PSA said of the ticket, once it was asked.
	Ticket *HandoffTicket `gorm:"serializer:json"`
	// Documentation is set once it has been written; in lists without its text.
	Documentation *Documentation `gorm:"serializer:json"`
	// Notifications counts what was, or is to be, told to people of it.
	Notifications map[DeliveryState]int `gorm:"serializer:json"`
	// ClaimBy is when somebody should have claimed it, while it waits; nil
	// without a target, and before its ladder has begun.
	ClaimBy *time.Time
	// PSAKind and PSAAddress are those of the account's connection to its PSA;
	// nil without one.
	PSAKind    *string `gorm:"column:psa_kind"`
	PSAAddress *string `gorm:"column:psa_address"`
}

// QueuedAt is since when the handoff waits in the queue; nil while it does not.
func (h Handoff) QueuedAt() *time.Time {
	if h.Status != StatusQueued {
		return nil
	}
	return &h.UpdatedAt // by the decision that put it there
}

// Effect is the state of one side effect of a handoff. Its JSON is that of the
// row in PostgreSQL, as it is for the rows below.
type Effect struct {
	AccountID uuid.UUID   `gorm:"primaryKey" json:"account_id"`
	HandoffID uuid.UUID   `gorm:"primaryKey" json:"handoff_id"`
	Kind      EffectKind  `gorm:"primaryKey" json:"kind"`
	State     EffectState `json:"state"`
	// Reason says in one sentence why the effect is retrying, failed or skipped.
	Reason        *string    `json:"reason"`
	Attempts      int        `json:"attempts"`
	NextAttemptAt *time.Time `json:"next_attempt_at"`
	UpdatedAt     time.Time  `json:"updated_at"`
	// TicketID and NoteID are of [EffectPSA] alone: the ticket as the PSA's API
	// calls it, and the newest note in it.
	TicketID *string `json:"ticket_id"`
	NoteID   *string `json:"note_id"`
	// Version, Source and StepCount are of [EffectBriefing] alone: those of the
	// newest briefing.
	Version   *int            `json:"version"`
	Source    *BriefingSource `json:"source"`
	StepCount *int            `json:"step_count"`
}

// TableName says whose effects these are.
func (Effect) TableName() string { return "handoff_effects" }

// PSAStep is how the customer's ticket is told of one transition of a handoff.
type PSAStep struct {
	AccountID uuid.UUID   `gorm:"primaryKey" json:"account_id"`
	HandoffID uuid.UUID   `gorm:"primaryKey" json:"handoff_id"`
	Version   int         `gorm:"primaryKey" json:"version"`
	Step      string      `json:"step"`
	State     EffectState `json:"state"`
	TicketID  *string     `json:"ticket_id"`
	NoteID    *string     `json:"note_id"`
	// Attempts counts those since the step was last failed.
	Attempts      int        `json:"attempts"`
	Reason        *string    `json:"reason"`
	NextAttemptAt *time.Time `json:"next_attempt_at"`
	UpdatedAt     time.Time  `json:"updated_at"`
}

// TableName says where the steps are told.
func (PSAStep) TableName() string { return "psa_steps" }

// Open reports whether the step is still to be told.
func (s PSAStep) Open() bool { return s.State != EffectDone && s.State != EffectSkipped }

// SumPSA is the effect that the steps of one handoff, in their order, amount
// to: the worst of their states, with the reason of the first that has it.
func SumPSA(steps []PSAStep) Effect {
	rank := map[EffectState]int{EffectSkipped: 0, EffectDone: 1, EffectPending: 2, EffectRetrying: 3, EffectFailed: 4}
	sum := Effect{Kind: EffectPSA, State: EffectPending}
	for i, s := range steps {
		worse := i == 0 || rank[s.State] > rank[sum.State]
		if worse || s.State == sum.State && s.State == EffectDone {
			sum.State, sum.Reason, sum.Attempts, sum.NextAttemptAt = s.State, s.Reason, s.Attempts, s.NextAttemptAt
		}
		if s.TicketID != nil {
			sum.TicketID = s.TicketID
		}
		if s.NoteID != nil {
			sum.NoteID = s.NoteID
		}
	}
	return sum
}

// Documentation is the note that people read in a ticket.
type Documentation struct {
	AccountID uuid.UUID `gorm:"primaryKey" json:"account_id"`
	HandoffID uuid.UUID `gorm:"primaryKey" json:"handoff_id"`
	Markdown  string    `json:"markdown"`
	Plain     string    `json:"plain"`
	// Truncated is set when something was left out to keep within the length
	// that a PSA accepts; the text says what.
	Truncated bool `json:"truncated"`
	// StepCount is how many steps of the session it was written from.
	StepCount int       `json:"step_count"`
	CreatedAt time.Time `json:"created_at"`
}

// TableName says whose documentation this is.
func (Documentation) TableName() string { return "handoff_documentation" }

// TimelineEntry is one accepted transition of a handoff.
type TimelineEntry struct {
	AccountID    uuid.UUID  `gorm:"primaryKey" json:"account_id"`
	HandoffID    uuid.UUID  `gorm:"primaryKey" json:"handoff_id"`
	Version      int        `gorm:"primaryKey" json:"version"`
	Verb         Verb       `json:"verb"`
	Door         Door       `json:"door"`
	ActorID      uuid.UUID  `json:"actor_id"`
	At           time.Time  `json:"at"`
	Generation   int        `json:"generation"`
	Status       Status     `json:"status"`
	HolderID     *uuid.UUID `json:"holder_id"`
	TargetUserID *uuid.UUID `json:"target_user_id"`
	// ReservedUntil is of an answer alone.
	ReservedUntil *time.Time `json:"reserved_until"`
	// RequestID is empty for what no Update asked for.
	RequestID string  `json:"request_id"`
	Note      *string `json:"note"`
}

// TableName is named after what it holds.
func (TimelineEntry) TableName() string { return "handoff_transitions" }

// TimelineView is a timeline entry with names.
type TimelineView struct {
	TimelineEntry
	ActorName      *string
	HolderName     *string
	TargetUserName *string
	// PSA is how the ticket is told of it; nil when it is not.
	PSA *PSAStep `gorm:"serializer:json"`
}

// TransitionInput keeps the free text of a requested transition, because no
// free text travels through Temporal. The request's Update id joins the two.
type TransitionInput struct {
	AccountID   uuid.UUID `gorm:"primaryKey"`
	HandoffID   uuid.UUID `gorm:"primaryKey"`
	RequestID   string    `gorm:"primaryKey"`
	RequestHash []byte
	Note        *string
	CreatedAt   time.Time
}

// FeedEvent is one event of an account's feed. Seq has no gaps and follows the
// order of commits.
type FeedEvent struct {
	AccountID uuid.UUID `gorm:"primaryKey"`
	Seq       int64     `gorm:"primaryKey"`
	Type      EventType
	HandoffID uuid.UUID
	// Data is one line of JSON, as it goes over the wire.
	Data      json.RawMessage `gorm:"type:json"`
	CreatedAt time.Time
}

// FeedHead is the end of an account's feed. A new Epoch says that earlier
// numbers mean nothing any more (a restore, a truncate).
type FeedHead struct {
	AccountID uuid.UUID `gorm:"primaryKey"`
	Epoch     int64
	LastSeq   int64
}

// TableName is the table whose row is locked to take the next number.
func (FeedHead) TableName() string { return "feed_heads" }
