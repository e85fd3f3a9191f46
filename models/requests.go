package models

import (
	"time"

	"github.com/google/uuid"
)

// NewSession is what creates a session.
type NewSession struct {
	Title      string
	ClientName string
	Problem    string
	PSATicket  *string
	Steps      []Step
	// Key is the Idempotency-Key, or empty.
	Key string
}

// NewHandoff is what hands a session off.
type NewHandoff struct {
	SessionID     uuid.UUID
	Intent        Intent
	Priority      Priority
	EngineerNotes string
	TargetUserID  *uuid.UUID
	// WakeAt is when a parked session is due. WakeWish is what was asked for,
	// which a repeated request repeats, while the instant moves on.
	WakeAt   *time.Time
	WakeWish string
	// Key is the Idempotency-Key, or empty.
	Key string
}

// TransitionRequest asks for one transition of an existing handoff.
type TransitionRequest struct {
	Verb      Verb
	SessionID uuid.UUID
	HandoffID uuid.UUID
	// TargetUserID is set for reassign alone.
	TargetUserID *uuid.UUID
	// Note is the resolution, the questions of a return, the answer to them, or
	// the reason of a release, reassign or cancel.
	Note string
	// Door is the way it came; empty is [DoorAPI].
	Door Door
	// Generation is the one that is meant; 0 is whichever is shown.
	Generation int
	// Key is the Idempotency-Key, or empty.
	Key string
}

// Page asks for a part of a list.
type Page struct {
	// Cursor is what the page before said comes next; empty for the first page.
	Cursor string
	// Limit is the most rows to return, from 1.
	Limit int
}

// SessionFilter narrows a list of sessions. Zero values filter nothing.
type SessionFilter struct {
	OwnerID *uuid.UUID
	Status  SessionStatus
	Query   string
}

// QueueSort is an order of the queue.
type QueueSort string

// The orders of the queue.
const (
	// SortPriority shows first what is addressed to the reader, then the most
	// urgent, then the oldest.
	SortPriority QueueSort = "priority"
	SortOldest   QueueSort = "created_at"
	SortNewest   QueueSort = "-created_at"
)

// QueueFilter narrows the queue. Zero values filter nothing, except Status.
type QueueFilter struct {
	// Reader is whose queue it is: their own escalations are left out.
	Reader uuid.UUID
	// Status is queued when empty; with Mine, empty means all that are open.
	Status   Status
	Intent   Intent
	Priority Priority
	TeamID   *uuid.UUID
	// Mine keeps what the reader holds, what waits addressed to them, and what
	// was returned to them or by them.
	Mine bool
	// Sent keeps what the reader handed off, their own escalations included; with
	// it, an empty Status means queued and claimed.
	Sent bool
	// Query is matched against title, client, problem and ticket.
	Query string
	Sort  QueueSort
}

// EventData is the data of a feed event: what a card of the queue shows, as it
// stood after the event. Names are those at the time.
type EventData struct {
	AccountID       uuid.UUID    `json:"account_id"`
	HandoffID       uuid.UUID    `json:"handoff_id"`
	SessionID       uuid.UUID    `json:"session_id"`
	TeamID          *uuid.UUID   `json:"team_id"`
	Version         int          `json:"version"`
	Generation      int          `json:"generation"`
	Status          Status       `json:"status"`
	Intent          Intent       `json:"intent"`
	Priority        Priority     `json:"priority"`
	At              time.Time    `json:"at"`
	ActorID         *uuid.UUID   `json:"actor_id"`
	ActorName       *string      `json:"actor_name"`
	Title           string       `json:"title"`
	ClientName      string       `json:"client_name"`
	PSATicket       *string      `json:"psa_ticket"`
	NotesExcerpt    string       `json:"notes_excerpt"`
	HandedOffBy     uuid.UUID    `json:"handed_off_by"`
	HandedOffByName *string      `json:"handed_off_by_name"`
	TargetUserID    *uuid.UUID   `json:"target_user_id"`
	TargetUserName  *string      `json:"target_user_name"`
	ClaimedBy       *uuid.UUID   `json:"claimed_by"`
	ClaimedByName   *string      `json:"claimed_by_name"`
	ClaimedAt       *time.Time   `json:"claimed_at"`
	CreatedAt       time.Time    `json:"created_at"`
	ReservedUntil   *time.Time   `json:"reserved_until,omitempty"`
	QueuedAt        *time.Time   `json:"queued_at,omitempty"`
	ClaimBy         *time.Time   `json:"claim_by,omitempty"`
	Effect          *EffectEvent `json:"effect,omitempty"`
	Ticket          *TicketEvent `json:"ticket,omitempty"`
	Ladder          *LadderEvent `json:"ladder,omitempty"`
	// Notifications counts those of the handoff, when it is them that changed.
	Notifications map[DeliveryState]int `json:"notifications,omitempty"`
}

// EffectEvent is the part of an event that tells of a side effect.
type EffectEvent struct {
	Kind          EffectKind  `json:"kind"`
	State         EffectState `json:"state"`
	Reason        *string     `json:"reason"`
	Attempts      int         `json:"attempts"`
	NextAttemptAt *time.Time  `json:"next_attempt_at"`
}

// NotesExcerpt is how much of the notes an event carries, in characters.
const NotesExcerpt = 280
