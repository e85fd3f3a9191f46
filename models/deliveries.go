package models

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"
)

// EndpointState says how a channel that an account has set up is doing.
type EndpointState string

// The states of an endpoint.
const (
	EndpointUnknown EndpointState = "unknown" // not used since it was changed
	EndpointOK      EndpointState = "ok"
	EndpointBroken  EndpointState = "broken" // somebody has to mend it
	// EndpointDisabled is one whose receiver wants no more messages. It is not
	// used before somebody changes it.
	EndpointDisabled EndpointState = "disabled"
)

// Endpoint is a means by which an account tells people, as it is stored.
type Endpoint struct {
	AccountID uuid.UUID `gorm:"primaryKey"`
	ID        uuid.UUID `gorm:"primaryKey"`
	// Kind is email, slack, teams or webhook.
	Kind    string
	Name    string
	Options json.RawMessage `gorm:"type:json"`
	// Sealed holds the credentials, and KeyID names the key that opens it.
	Sealed []byte
	KeyID  string
	// CredentialsSet tells which credentials there are, and since when.
	CredentialsSet map[string]time.Time `gorm:"serializer:json"`
	// Workspace is Slack's id of the workspace.
	Workspace *string
	// Version goes up with every change that people make.
	Version int64
	State   EndpointState
	// Reason says in a sentence why it is broken or disabled, and Cure what to do.
	Reason    *string
	Cure      *string
	StateAt   time.Time
	CreatedAt time.Time
	CreatedBy uuid.UUID
	UpdatedAt time.Time
	UpdatedBy uuid.UUID
}

// QuietHours are those of a day in which only what is critical is told.
type QuietHours struct {
	// From and To are minutes since midnight; a To that is not after From is on
	// the next day.
	From int `json:"from"`
	To   int `json:"to"`
}

// NotificationSettings is how a person wants to be told.
type NotificationSettings struct {
	// Channels are those to be told over: nil means as Baton does for everybody,
	// an empty list means nowhere but in Baton itself.
	Channels []string `json:"channels"`
	// Priorities replaces Channels for handoffs of a priority, by its name.
	Priorities map[string][]string `json:"priorities,omitempty"`
	Quiet      *QuietHours         `json:"quiet,omitempty"`
	// Zone is the IANA name of the person's time zone, for quiet hours and for
	// the times that they are shown; empty means UTC.
	Zone string `json:"zone,omitempty"`
}

// For lists the channels for a priority. Chosen is false when the person has
// not said.
func (s NotificationSettings) For(p Priority) (channels []string, chosen bool) {
	if list, ok := s.Priorities[p.String()]; ok {
		return list, true
	}
	return s.Channels, s.Channels != nil
}

// Location is the zone; UTC when it is none or not known.
func (s NotificationSettings) Location() *time.Location {
	if loc, err := time.LoadLocation(s.Zone); err == nil {
		return loc
	}
	return time.UTC
}

// QuietUntil is when the quiet hours end that t is in; quiet is false when t is
// in none. Hours are those of the clock on the wall: a night in which it is
// changed is longer or shorter.
func (s NotificationSettings) QuietUntil(t time.Time) (until time.Time, quiet bool) {
	if s.Quiet == nil || s.Quiet.From == s.Quiet.To {
		return time.Time{}, false
	}
	zone := s.Location()
	local := t.In(zone)
	at := func(day, minutes int) time.Time {
		return time.Date(local.Year(), local.Month(), local.Day()+day, minutes/60, minutes%60, 0, 0, zone)
	}
	for _, day := range []int{-1, 0} {
		end := day
		if s.Quiet.To <= s.Quiet.From {
			end++
		}
		if from, to := at(day, s.Quiet.From), at(end, s.Quiet.To); !t.Before(from) && t.Before(to) {
			return to, true
		}
	}
	return time.Time{}, false
}

// NotificationPreference keeps a person's [NotificationSettings].
type NotificationPreference struct {
	AccountID uuid.UUID            `gorm:"primaryKey"`
	UserID    uuid.UUID            `gorm:"primaryKey"`
	Settings  NotificationSettings `gorm:"serializer:json"`
	UpdatedAt time.Time
}

// TableName says what it holds.
func (NotificationPreference) TableName() string { return "notification_settings" }

// Addressee is a user with how they want to be told.
type Addressee struct {
	User
	Settings *NotificationSettings `gorm:"serializer:json"`
}

// DeliveryState is where a notification stands.
type DeliveryState string

// The states of a delivery.
const (
	DeliveryPending  DeliveryState = "pending"
	DeliveryHeld     DeliveryState = "held" // until a time that is shown
	DeliveryRetrying DeliveryState = "retrying"
	DeliveryDone     DeliveryState = "done"
	DeliveryFailed   DeliveryState = "failed"
	DeliverySkipped  DeliveryState = "skipped" // it was no longer true
)

// Delivery is one notification to one recipient over one channel.
type Delivery struct {
	AccountID  uuid.UUID `gorm:"primaryKey"`
	ID         uuid.UUID `gorm:"primaryKey"`
	HandoffID  uuid.UUID
	SessionID  uuid.UUID
	Generation int
	// Version is that of the handoff which the notification is about.
	Version int
	// Step and Kind say what it is for, and what about.
	Step string
	Kind string
	// Because names the audience that the recipient belongs to.
	Because string
	// Recipient is the id of the user, or of the endpoint that is told itself.
	Recipient  string
	UserID     *uuid.UUID
	EndpointID *uuid.UUID
	Channel    string
	Priority   Priority
	State      DeliveryState
	Reason     *string
	Attempts   int
	// NextAttemptAt is set while it is retried, HeldUntil while it is held.
	NextAttemptAt *time.Time
	HeldUntil     *time.Time
	// ReleasedAt is when it was let go to be sent.
	ReleasedAt *time.Time
	// BeganAt is when an attempt began whose outcome is not known.
	BeganAt *time.Time
	// BundleID names the message that tells of several handoffs at once.
	BundleID *uuid.UUID
	// ProviderID and ProviderWhere are the receipt.
	ProviderID    *string
	ProviderWhere *string
	// Answer is what the service answered last: a status of HTTP or SMTP.
	Answer     *int
	AnsweredAt *time.Time
	// ShownVersion is that of the handoff when what was sent was changed to say
	// what became of it.
	ShownVersion *int
	Due          *time.Time
	Next         string
	CreatedAt    time.Time
	UpdatedAt    time.Time
	DoneAt       *time.Time
}

// TableName says what it holds.
func (Delivery) TableName() string { return "deliveries" }

// Open reports whether it is still to be sent.
func (d Delivery) Open() bool {
	return d.State == DeliveryPending || d.State == DeliveryHeld || d.State == DeliveryRetrying
}

// DeliveryView is a delivery with names.
type DeliveryView struct {
	Delivery
	UserName     *string
	EndpointName *string
}

// DeliveryCount is how many deliveries over a channel stand how.
type DeliveryCount struct {
	Channel string
	State   DeliveryState
	Count   int
	// Seconds is the median from the announcement until it was sent; nil unless
	// done.
	Seconds *float64
}

// Hold is what a recipient's deliveries wait for.
type Hold struct {
	ID     uuid.UUID
	Until  time.Time
	Reason string
}

// DeliveryPlan is what a recipient's deliveries are to do.
type DeliveryPlan struct {
	Hold    []Hold
	Release []uuid.UUID
	// Bundles are deliveries to tell of at once, by the id of their message.
	Bundles map[uuid.UUID][]uuid.UUID
}

// DeliveryEnd is how an attempt to tell somebody ended.
type DeliveryEnd struct {
	State         DeliveryState
	Reason        *string
	NextAttemptAt *time.Time
	// Unclear says that it may have been delivered all the same.
	Unclear bool
	// Answer is the status of the service's answer; zero without one.
	Answer int
	// Receipt of what was sent.
	ProviderID    *string
	ProviderWhere *string
}

// ValidChannels reports whether every name is that of a channel, once.
func ValidChannels(names []string) bool {
	for i, n := range names {
		if n != "email" && n != "slack" && n != "teams" && n != "webhook" || slices.Contains(names[:i], n) {
			return false
		}
	}
	return true
}

// Means is what an account can tell people over.
type Means struct {
	// Mail says that e-mail can be sent.
	Mail      bool
	Endpoints []MeansEndpoint
}

// MeansEndpoint is a channel that is in use.
type MeansEndpoint struct {
	ID   uuid.UUID
	Kind string
	// Direct says that it also reaches each person by themselves; PersonID is the
	// one whom it reaches, when that is a single one.
	Direct   bool
	PersonID uuid.UUID
	// Itself says that it can be told by itself: it has a conversation, an
	// address or a mailbox of its own.
	Itself bool
}
