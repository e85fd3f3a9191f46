package activities

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/internal/notify/link"
	"github.com/baton-handoff/baton/models"
)

// message puts together what the recipient is told, free of credentials.
func (d *delivering) message(ctx context.Context) (m notify.Message, err error) {
	row := d.rows[0]
	m = notify.Message{At: row.CreatedAt, Kind: notify.Kind(row.Kind), Key: keyOf(row)}
	if d.user != nil {
		m.To.Name = d.user.Name
		settings, _, err := d.notifying.Records.NotificationSettings(ctx, d.user.ID)
		if err != nil {
			return m, err
		}
		m.Zone = settings.Location()
	}
	if d.in.Bundle {
		m.Kind = notify.KindBundle
		m.Key.Handoff, m.Key.Generation, m.Key.Step = uuid.Nil, 0, "bundle/"+d.in.ID.String()
		m.Links.Open = d.page(uuid.Nil, uuid.Nil)
		m.Facts.Count = len(d.rows)
		m.Facts.Why = "many handoffs came at once, or during your quiet hours"
		for _, r := range d.rows[:min(len(d.rows), notify.MaxItems)] {
			item, err := d.item(ctx, r)
			if err != nil {
				return m, err
			}
			m.Facts.Items = append(m.Facts.Items, item)
		}
		return m, nil
	}
	m.Facts, err = d.facts(ctx, row)
	if err != nil {
		return m, err
	}
	m.Links.Open = d.page(row.SessionID, row.HandoffID)
	m.Links.Claim, err = d.claimLink(row)
	return m, err
}

func keyOf(d models.Delivery) notify.Key {
	return notify.Key{
		Account: d.AccountID, Handoff: d.HandoffID, Generation: d.Generation, Step: d.Step, Recipient: d.Recipient, Channel: notify.ChannelName(d.Channel),
	}
}

func (d *delivering) item(ctx context.Context, r models.Delivery) (notify.Item, error) {
	s, err := d.tell(ctx, BriefingInput{AccountID: r.AccountID, SessionID: r.SessionID, HandoffID: r.HandoffID})
	if err != nil {
		return notify.Item{}, err
	}
	return notify.Item{
		Client: s.session.ClientName, Problem: s.session.Title, Priority: s.handoff.Priority, Ticket: deref(s.session.PSATicket), URL: d.page(r.SessionID, r.HandoffID),
	}, nil
}

// facts are those of one handoff.
func (d *delivering) facts(ctx context.Context, r models.Delivery) (f notify.Facts, err error) {
	timeline, err := d.records.Timeline(ctx, r.SessionID, r.HandoffID)
	if err != nil {
		return f, err
	}
	var note, actor string
	var since time.Time
	for _, t := range timeline {
		if t.Version == r.Version {
			note, actor = deref(t.Note), deref(t.ActorName)
		}
		if t.Generation == r.Generation && t.Status == models.StatusQueued && since.IsZero() {
			since = t.At
		}
	}
	s, err := d.tell(ctx, BriefingInput{AccountID: r.AccountID, SessionID: r.SessionID, HandoffID: r.HandoffID}, &note)
	if err != nil {
		return f, err
	}
	h := s.handoff
	f = notify.Facts{
		Client: s.session.ClientName, Problem: s.session.Title, Priority: h.Priority, Ticket: deref(s.session.PSATicket),
		From: deref(h.HandedOffByName), Holder: deref(h.ClaimedByName), Ask: h.EngineerNotes,
		WaitingSince: since, Next: r.Next, Why: because(Who(r.Because)),
	}
	if r.Due != nil {
		f.Due = *r.Due
	}
	if h.TeamID != nil {
		team, err := d.notifying.Records.Team(ctx, *h.TeamID)
		if err != nil {
			return f, err
		}
		f.Team = team.Name
	}
	switch notify.Kind(r.Kind) {
	case notify.KindReleased, notify.KindReassigned, notify.KindTakenBack:
		f.Reason, f.From = note, actor
	case notify.KindReturned:
		f.Questions, f.From = strings.Split(note, "\n"), actor
	case notify.KindAnswered:
		f.Answer, f.From = note, actor
	default:
	}
	return f, nil
}

func because(who Who) string {
	switch who {
	case WhoTarget:
		return "it is addressed to you"
	case WhoTeam:
		return "you are an engineer of the team that it waits for"
	case WhoAdmins:
		return "you are an admin"
	case WhoSender:
		return "you handed the session off"
	case WhoHolder:
		return "you hold the handoff"
	case WhoUser:
		return "the account's policy names you"
	case WhoEndpoint:
		return "the account's policy names this channel"
	}
	return ""
}

// page is the address of a handoff in Baton, or of the queue.
func (d *delivering) page(session, handoff uuid.UUID) string {
	if d.notifying.PublicURL == "" {
		return ""
	}
	address := strings.TrimRight(d.notifying.PublicURL, "/") + "/"
	if handoff != uuid.Nil {
		address += "sessions/" + session.String() + "/handoffs/" + handoff.String()
	}
	return address
}

// claimLink is a link by which the recipient can claim, on channels that have
// no button for it. Its life begins when the notification came to be, so that
// each attempt has the same.
func (d *delivering) claimLink(r models.Delivery) (string, error) {
	if d.notifying.Links == nil || d.notifying.PublicURL == "" || d.user == nil || r.Channel == string(notify.ChannelSlack) {
		return "", nil
	}
	token, err := d.notifying.Links.Sign(link.Token{
		Purpose: link.PurposeClaim, Account: r.AccountID, User: d.user.ID, Handoff: r.HandoffID, Generation: r.Generation,
		Expires: r.CreatedAt.Add(linkLife).Truncate(time.Second),
	})
	if err != nil {
		return "", err
	}
	return strings.TrimRight(d.notifying.PublicURL, "/") + "/claim/" + token, nil
}
