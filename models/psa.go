package models

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// ConnectionState says how an account's connection to its PSA is doing.
type ConnectionState string

// The states.
const (
	ConnectionUnknown ConnectionState = "unknown" // not used since it was changed
	ConnectionOK      ConnectionState = "ok"
	ConnectionBroken  ConnectionState = "broken" // somebody has to mend it
)

// PSAConnection is an account's connection to its PSA, as it is stored.
type PSAConnection struct {
	AccountID uuid.UUID `gorm:"primaryKey"`
	Kind      string
	Address   string
	Options   json.RawMessage `gorm:"type:json"`
	// Sealed holds the credentials, and KeyID names the key that opens it.
	Sealed []byte
	KeyID  string
	// CredentialsSet tells which credentials there are, and since when.
	CredentialsSet map[string]time.Time `gorm:"serializer:json"`
	// CallbackHash is the digest of the secret part of the callbacks' address.
	CallbackHash []byte
	// Version goes up with every change that people make. A connection that was
	// removed and made anew begins again at 1.
	Version int64
	State   ConnectionState
	// Reason says in a sentence why it is broken, and Cure what to do.
	Reason    *string
	Cure      *string
	StateAt   time.Time
	CreatedAt time.Time
	CreatedBy uuid.UUID
	UpdatedAt time.Time
	UpdatedBy uuid.UUID
}

// TableName says what it holds.
func (PSAConnection) TableName() string { return "psa_connections" }

// PSAConnectionView is a connection with the name of who changed it last.
type PSAConnectionView struct {
	PSAConnection
	UpdatedByName *string
}

// HandoffTicket is what the PSA last said about the ticket of a handoff. Its
// JSON is that of the row in PostgreSQL.
type HandoffTicket struct {
	AccountID uuid.UUID `gorm:"primaryKey" json:"account_id"`
	HandoffID uuid.UUID `gorm:"primaryKey" json:"handoff_id"`
	// TicketID is what the PSA's API calls the ticket.
	TicketID string `json:"ticket_id"`
	Status   string `json:"status"`
	Closed   bool   `json:"closed"`
	// SeenOpen says that the ticket was seen open at least once during the
	// handoff, so that somebody has closed it since.
	SeenOpen bool `json:"seen_open"`
	// Owner is the name of the ticket's owner; nil when nobody owns it.
	Owner   *string   `json:"owner"`
	NotedAt time.Time `json:"noted_at"`
}

// TableName says whose ticket it is.
func (HandoffTicket) TableName() string { return "handoff_tickets" }

// TicketEvent is the part of an event that tells of the ticket.
type TicketEvent struct {
	Status string  `json:"status"`
	Closed bool    `json:"closed"`
	Owner  *string `json:"owner"`
}

// TicketedHandoff is an open handoff whose session names a ticket.
type TicketedHandoff struct {
	HandoffID  uuid.UUID
	SessionID  uuid.UUID
	Status     Status
	Generation int
	// Reference is the ticket as people wrote it.
	Reference string
	// TicketID is empty, and SeenOpen false, while nothing was noted.
	TicketID string
	SeenOpen bool
}
