package models

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// LadderPolicy is one rule of an account: who is called when, for what it is
// for.
type LadderPolicy struct {
	AccountID uuid.UUID `gorm:"primaryKey"`
	// Scope names team and priority.
	Scope    string `gorm:"primaryKey"`
	TeamID   *uuid.UUID
	Priority *Priority
	// Rule is a rule of package ladder.
	Rule      json.RawMessage `gorm:"type:json"`
	UpdatedAt time.Time
	UpdatedBy uuid.UUID
}

// TableName says what it holds.
func (LadderPolicy) TableName() string { return "ladder_policies" }

// LadderState says what a handoff's ladder does.
type LadderState string

// The states of a ladder.
const (
	LadderCalling LadderState = "calling" // somebody is called next
	LadderSpent   LadderState = "spent"   // everybody was called, and it still waits
	LadderPaused  LadderState = "paused"  // it waits for something else than a claim
	LadderHeld    LadderState = "held"    // somebody has claimed it
	LadderEnded   LadderState = "ended"
)

// HandoffLadder is where the ladder of a handoff stands.
type HandoffLadder struct {
	AccountID uuid.UUID `gorm:"primaryKey" json:"account_id"`
	HandoffID uuid.UUID `gorm:"primaryKey" json:"handoff_id"`
	// Policy is the one of package ladder that held when the handoff was created.
	Policy json.RawMessage `gorm:"type:json" json:"policy"`
	State  LadderState     `json:"state"`
	// Reason says why it is paused.
	Reason     *string `json:"reason"`
	Generation int     `json:"generation"`
	// Version is that of the handoff which this is about.
	Version int `json:"version"`
	// Next says in words what comes next, and NextAt when.
	Next   *string    `json:"next"`
	NextAt *time.Time `json:"next_at"`
	// ClaimBy is when somebody should have claimed this generation; nil without a
	// target, and when it does not wait.
	ClaimBy *time.Time `json:"claim_by"`
	// LeaseUntil is when the claim ends without activity, as far as it was
	// reckoned; nil when it does not.
	LeaseUntil *time.Time `json:"lease_until"`
	// SeenAt is when the holder last showed activity other than adding steps.
	SeenAt *time.Time `json:"seen_at"`
	// Taking is the generation that is being taken back from its holder.
	Taking    *int      `json:"taking"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// TableName says whose ladder it is.
func (HandoffLadder) TableName() string { return "handoff_ladders" }

// LadderView is a handoff with where its ladder stands.
type LadderView struct {
	Handoff
	// Ladder is nil before it has begun.
	Ladder *HandoffLadder `gorm:"serializer:json"`
	// ActiveAt is when the holder last showed activity: the claim, a step, a
	// request. It is nil when nobody holds the handoff.
	ActiveAt *time.Time
}

// HandoffWait is one time that a handoff waited in the queue, for reports.
type HandoffWait struct {
	HandoffID uuid.UUID
	TeamID    *uuid.UUID
	TeamName  *string
	Priority  Priority
	Intent    Intent
	QueuedAt  time.Time
	// ClaimedAt is nil while it waits.
	ClaimedAt   *time.Time
	ClaimedBy   *uuid.UUID
	ClaimerName *string
	// ResolvedAt is nil unless this claim led to the resolution.
	ResolvedAt *time.Time
	// Policy is that of its ladder; nil without one.
	Policy json.RawMessage
}

// WaitingNow is how many handoffs of a priority wait.
type WaitingNow struct {
	Priority Priority
	Open     int
	// Oldest is since when the one waits that was put into the queue first.
	Oldest *time.Time
}

// LadderEvent is the part of an event that tells of the ladder.
type LadderEvent struct {
	State  LadderState `json:"state"`
	Reason *string     `json:"reason"`
	Next   *string     `json:"next"`
	NextAt *time.Time  `json:"next_at"`
}
