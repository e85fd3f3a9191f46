package activities

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/internal/notify/link"
	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
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

// Channels are the means by which accounts tell people.
type Channels interface {
	// Means is what ctx's account has.
	Means(ctx context.Context) (models.Means, error)
	// Open returns the channel of a delivery, and the recipient's address there;
	// user is nil for an endpoint that is told itself. Its errors are as those of
	// the channels.
	Open(ctx context.Context, d models.Delivery, user *models.User) (notify.Channel, string, error)
	// Report hears how each use of an endpoint went; err is nil for success.
	Report(ctx context.Context, endpoint uuid.UUID, err error)
}

// Recipients wakes the workflow that tells a recipient. The wish is durable
// when it returns.
type Recipients interface {
	TellRecipient(ctx context.Context, account uuid.UUID, recipient string) error
}

// NotifyRecords is what notifications are kept in. The account comes from the
// context.
type NotifyRecords interface {
	HandoffHead(ctx context.Context, sessionID, handoffID uuid.UUID, requestID string) (head models.HandoffView, repeated bool, err error)
	Addressees(ctx context.Context) ([]models.Addressee, error)
	Announce(ctx context.Context, handoffID uuid.UUID, rows []models.Delivery) (open []models.Delivery, err error)
	RecipientDeliveries(ctx context.Context, recipient string, since time.Time) (rows []models.Delivery, settings models.NotificationSettings, outdated []uuid.UUID, err error)
	PlanDeliveries(ctx context.Context, plan models.DeliveryPlan) error
	Delivery(ctx context.Context, id uuid.UUID) (models.Delivery, error)
	BundledDeliveries(ctx context.Context, bundle uuid.UUID, recipient string) ([]models.Delivery, error)
	BeginDeliveries(ctx context.Context, ids []uuid.UUID) (maybe, open bool, attempts int, err error)
	EndDeliveries(ctx context.Context, ids []uuid.UUID, end models.DeliveryEnd) error
	ShowDelivery(ctx context.Context, id uuid.UUID, version int) error
	OutdatedRecipients(ctx context.Context, handoffID uuid.UUID) ([]string, error)
	NotificationSettings(ctx context.Context, user uuid.UUID) (settings models.NotificationSettings, found bool, err error)
	Team(ctx context.Context, id uuid.UUID) (models.Team, error)
	StaleRecipients(ctx context.Context, before time.Time, limit int) ([]models.Delivery, error)
}

// Notifying is what telling people needs. Without records, nobody is told.
type Notifying struct {
	Records    NotifyRecords
	Channels   Channels
	Recipients Recipients
	// Links signs links that claim; without it messages have none.
	Links *link.Signer
	// PublicURL is the address that the outside reaches Baton at.
	PublicURL string
	Limits    Limits
}

// Announce resolves who is to be told, keeps a delivery for each of them and
// channel, and hands these over to the recipients' workflows.
func (a *Activities) Announce(ctx context.Context, in Announcement) (Announced, error) {
	ctx = tenant.With(ctx, in.AccountID)
	n, err := a.announce(ctx, in)
	if err != nil {
		return Announced{}, forTemporal(err)
	}
	return Announced{Deliveries: n}, nil
}

func (a *Activities) announce(ctx context.Context, in Announcement) (int, error) {
	n := a.notifying
	if n.Records == nil {
		return 0, nil
	}
	means, err := n.Channels.Means(ctx)
	if err != nil || !means.Mail && len(means.Endpoints) == 0 {
		return 0, err
	}
	h, err := a.records.Handoff(ctx, in.SessionID, in.HandoffID)
	if err != nil {
		return 0, err
	}
	if moved(models.Delivery{Generation: in.Generation, Version: in.Version}, h.Handoff) != "" {
		return 0, nil
	}
	people, err := n.Records.Addressees(ctx)
	if err != nil {
		return 0, err
	}
	actor, err := a.actor(ctx, in)
	if err != nil {
		return 0, err
	}
	rows := resolve(in, h.Handoff, actor, people, means)
	open, err := n.Records.Announce(ctx, in.HandoffID, rows)
	if err != nil {
		return 0, err
	}
	told := map[string]bool{}
	for _, d := range open {
		if !told[d.Recipient] {
			told[d.Recipient] = true
			if err := n.Recipients.TellRecipient(ctx, in.AccountID, d.Recipient); err != nil {
				return 0, err
			}
		}
	}
	return len(rows), nil
}

// actor is who did what is announced, for kinds that tell of an act: nobody has
// to be told of their own.
func (a *Activities) actor(ctx context.Context, in Announcement) (uuid.UUID, error) {
	switch in.Kind {
	case notify.KindEscalated, notify.KindParked, notify.KindReleased, notify.KindReassigned, notify.KindReturned, notify.KindAnswered:
	default:
		return uuid.Nil, nil
	}
	timeline, err := a.records.Timeline(ctx, in.SessionID, in.HandoffID)
	for _, t := range timeline {
		if t.Version == in.Version {
			return t.ActorID, nil
		}
	}
	return uuid.Nil, err
}

// belongs reports whether somebody is in an audience of a handoff.
func belongs(who Who, u models.User, h models.Handoff) bool {
	is := func(id *uuid.UUID) bool { return id != nil && *id == u.ID }
	// Who escalated cannot claim: that it still waits is not for them.
	other := h.Intent != models.IntentEscalate || h.HandedOffBy != u.ID
	switch who {
	case WhoTarget:
		return is(h.TargetUserID)
	case WhoTeam:
		return u.Role.AtLeast(models.RoleEngineer) && other && (h.TeamID == nil || u.TeamID != nil && *u.TeamID == *h.TeamID)
	case WhoAdmins:
		return u.Role.AtLeast(models.RoleAdmin) && other
	case WhoSender:
		return h.HandedOffBy == u.ID
	case WhoHolder:
		return is(h.ClaimedBy)
	case WhoUser:
		return true
	case WhoEndpoint:
	}
	return false
}

// resolve makes the deliveries of an announcement: one for each recipient and
// channel, however many audiences the recipient is in.
func resolve(in Announcement, h models.Handoff, actor uuid.UUID, people []models.Addressee, means models.Means) []models.Delivery {
	var rows []models.Delivery
	seen := map[uuid.UUID]bool{}
	add := func(because Who, recipient string, channel notify.ChannelName, user, endpoint *uuid.UUID) {
		key := notify.Key{
			Account: in.AccountID, Handoff: in.HandoffID, Generation: in.Generation, Step: in.Step, Recipient: recipient, Channel: channel,
		}
		d := models.Delivery{
			AccountID: in.AccountID, ID: DeliveryID(key), HandoffID: in.HandoffID, SessionID: in.SessionID,
			Generation: in.Generation, Version: in.Version, Step: in.Step, Kind: string(in.Kind), Because: string(because),
			Recipient: recipient, UserID: user, EndpointID: endpoint, Channel: string(channel), Priority: h.Priority,
			State: models.DeliveryPending, Next: in.Next,
		}
		if !in.Due.IsZero() {
			d.Due = &in.Due
		}
		if !seen[d.ID] {
			seen[d.ID] = true
			rows = append(rows, d)
		}
	}
	for _, to := range in.To {
		if to.Who == WhoEndpoint {
			for _, e := range means.Endpoints {
				if e.ID == to.Endpoint && e.Itself {
					add(to.Who, e.ID.String(), notify.ChannelName(e.Kind), nil, &e.ID)
				}
			}
			continue
		}
		for _, p := range people {
			if p.ID == actor || p.DisabledAt != nil || to.Who == WhoUser && p.ID != to.UserID || !belongs(to.Who, p.User, h) {
				continue
			}
			for _, route := range routes(to.Channels, p, h.Priority, means) {
				add(to.Who, p.ID.String(), route.channel, &p.ID, route.endpoint)
			}
		}
	}
	return rows
}

// route is a channel by which somebody can be told; mail may need no endpoint.
type route struct {
	channel  notify.ChannelName
	endpoint *uuid.UUID
}

// routes are those by which a person is told: what the announcement demands, or
// else what they want, or else by mail. Where nothing of that is to be had,
// whatever the account has: somebody who wants to be told is told.
func routes(demanded []notify.ChannelName, p models.Addressee, priority models.Priority, means models.Means) []route {
	wanted := demanded
	if len(wanted) == 0 {
		wanted = []notify.ChannelName{notify.ChannelEmail}
		if p.Settings != nil {
			if chosen, ok := p.Settings.For(priority); ok {
				if len(chosen) == 0 {
					return nil // in Baton itself, and nowhere else
				}
				wanted = nil
				for _, c := range chosen {
					wanted = append(wanted, notify.ChannelName(c))
				}
			}
		}
	}
	var list []route
	for _, c := range wanted {
		if r, ok := routeTo(c, p, means); ok {
			list = append(list, r)
		}
	}
	for _, c := range notify.ChannelNames() {
		if r, ok := routeTo(c, p, means); ok && len(list) == 0 {
			list = append(list, r)
		}
	}
	return list
}

func routeTo(c notify.ChannelName, p models.Addressee, means models.Means) (route, bool) {
	for _, e := range means.Endpoints {
		if e.Kind == string(c) && (e.Direct || e.PersonID == p.ID) {
			return route{c, &e.ID}, c != notify.ChannelEmail || p.Email != ""
		}
	}
	return route{c, nil}, c == notify.ChannelEmail && means.Mail && p.Email != ""
}

// DeliveryID is the id of a notification: that of its business key.
func DeliveryID(k notify.Key) uuid.UUID {
	return uuid.NewSHA1(uuid.MustParse("7d0b1d2e-4c55-5f0e-9a65-6f2c0e1b7a11"), []byte(k.String()))
}

// moved says why an announcement about a state of a handoff is no longer true,
// and nothing while it is.
func moved(d models.Delivery, h models.Handoff) string {
	switch {
	case h.Status.Closed():
		return "Not sent: the handoff was " + string(h.Status) + " before."
	case h.Version == d.Version || h.Status == models.StatusQueued && h.Generation == d.Generation:
		return ""
	case h.Status == models.StatusClaimed:
		return "Not sent: the handoff was claimed before."
	}
	return "Not sent: the handoff has moved on since."
}

// handToPeople tells the sender of a handoff that came back with questions, and
// has messages changed whose handoff does not wait any more. It runs with the
// projection. Who is told while a handoff waits is the ladder's.
func (a *Activities) handToPeople(ctx context.Context, snap models.Snapshot, row models.HandoffView) error {
	if a.notifying.Records == nil {
		return nil
	}
	last := snap.Last()
	if row.Version == last.Version && last.Status == models.StatusReturned && last.Verb == models.VerbReturn {
		_, err := a.announce(ctx, Announcement{
			AccountID: snap.AccountID, SessionID: snap.SessionID, HandoffID: snap.HandoffID, Generation: last.Generation, Version: last.Version,
			Step: "returned/" + strconv.Itoa(last.Version), Kind: notify.KindReturned, To: []Audience{{Who: WhoSender}},
		})
		if err != nil {
			return err
		}
	}
	if last.Verb == models.VerbCreate {
		return nil
	}
	recipients, err := a.notifying.Records.OutdatedRecipients(ctx, snap.HandoffID)
	for _, r := range recipients {
		err = errors.Join(err, a.notifying.Recipients.TellRecipient(ctx, snap.AccountID, r))
	}
	return err
}
