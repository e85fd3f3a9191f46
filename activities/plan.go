package activities

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/models"
)

// Limits bound how often one recipient is told over one channel. What is
// critical, and programs, are told everything at once.
type Limits struct {
	// Singles is how many single messages there are within a Window, or under
	// way. Zero means five.
	Singles int
	// Window is ten minutes when it is zero.
	Window time.Duration
	// Hold is how long what is beyond that is held back, to be told of together.
	// Zero means two minutes.
	Hold time.Duration
}

func (l Limits) withDefaults() Limits {
	if l.Singles <= 0 {
		l.Singles = 5
	}
	if l.Window <= 0 {
		l.Window = 10 * time.Minute
	}
	if l.Hold <= 0 {
		l.Hold = 2 * time.Minute
	}
	return l
}

// The reasons for which notifications are held back.
const (
	reasonQuiet   = "Held back: quiet hours."
	reasonCeiling = "Held back: many notifications at once. They are told of together."
)

// planner decides about the deliveries of one recipient: which are sent by
// themselves, which are held back and until when, and which go together. It is
// pure.
type planner struct {
	now    time.Time
	limits Limits
	// quiet is when the quiet hours end; zero outside of them.
	quiet time.Time
	newID func() uuid.UUID
	plan  models.DeliveryPlan
	wake  time.Time
}

// decide goes through rows: those that are open, and those let go lately. Their
// order is the one in which they came.
func (p *planner) decide(rows []models.Delivery) {
	p.plan.Bundles = map[uuid.UUID][]uuid.UUID{}
	for _, channel := range notify.ChannelNames() {
		mine := slices.DeleteFunc(slices.Clone(rows), func(d models.Delivery) bool { return d.Channel != string(channel) })
		p.channel(channel, mine)
	}
}

func (p *planner) channel(name notify.ChannelName, rows []models.Delivery) {
	var fresh, due, waiting []models.Delivery
	recent, stuck := 0, 0
	for _, d := range rows {
		switch {
		case d.ReleasedAt != nil:
			switch {
			case d.Open() && d.BundleID != nil:
				stuck = p.limits.Singles
			case d.Open() && d.Priority != models.PriorityCritical:
				stuck++
			}
			if d.BundleID == nil && d.Priority != models.PriorityCritical && (d.Open() || d.ReleasedAt.After(p.now.Add(-p.limits.Window))) {
				recent++
			}
		case !d.Open():
		case d.Priority == models.PriorityCritical || name == notify.ChannelWebhook:
			p.plan.Release = append(p.plan.Release, d.ID)
		case !p.quiet.IsZero():
			p.hold(d, p.quiet, reasonQuiet)
		case d.State != models.DeliveryHeld || d.HeldUntil == nil:
			fresh = append(fresh, d)
		// What is held for longer than a ceiling holds was so for quiet hours, which
		// are over or were changed.
		case !d.HeldUntil.After(p.now) || d.HeldUntil.After(p.now.Add(p.limits.Hold)):
			due = append(due, d)
		default:
			waiting = append(waiting, d)
		}
	}
	until := p.now.Add(p.limits.Hold)
	switch {
	case stuck >= p.limits.Singles: // what is under way comes first: the next bundle tells of these
		for _, d := range due {
			p.hold(d, until, reasonCeiling)
		}
	case len(due) == 1 && len(fresh)+len(waiting) == 0:
		p.plan.Release = append(p.plan.Release, due[0].ID)
	case len(due) > 0:
		all := slices.Concat(due, waiting, fresh)
		fresh, waiting = nil, nil
		id := p.newID()
		for _, d := range all {
			p.plan.Bundles[id] = append(p.plan.Bundles[id], d.ID)
		}
	}
	for _, d := range waiting {
		until = *d.HeldUntil // so that what comes later goes with it
		p.wakeAt(until)
	}
	for _, d := range fresh {
		if recent < p.limits.Singles {
			recent++
			p.plan.Release = append(p.plan.Release, d.ID)
			continue
		}
		p.hold(d, until, reasonCeiling)
	}
}

func (p *planner) hold(d models.Delivery, until time.Time, reason string) {
	p.wakeAt(until)
	if d.State == models.DeliveryHeld && d.HeldUntil != nil && d.HeldUntil.Equal(until) {
		return
	}
	p.plan.Hold = append(p.plan.Hold, models.Hold{ID: d.ID, Until: until, Reason: reason})
}

func (p *planner) wakeAt(t time.Time) {
	if p.wake.IsZero() || t.Before(p.wake) {
		p.wake = t
	}
}

// sendings lists what is to be sent according to the plan and what was let go
// before, the most urgent first.
func (p *planner) sendings(rows []models.Delivery) []Sending {
	released := map[uuid.UUID]uuid.UUID{} // to its bundle
	for _, id := range p.plan.Release {
		released[id] = uuid.Nil
	}
	for bundle, members := range p.plan.Bundles {
		for _, id := range members {
			released[id] = bundle
		}
	}
	urgent := slices.Clone(rows)
	slices.SortStableFunc(urgent, func(a, b models.Delivery) int { return int(b.Priority) - int(a.Priority) })
	var list []Sending
	for _, d := range urgent {
		bundle, now := released[d.ID]
		if !now && (d.ReleasedAt == nil || !d.Open()) {
			continue
		}
		if !now && d.BundleID != nil {
			bundle = *d.BundleID
		}
		s := Sending{ID: d.ID}
		if bundle != uuid.Nil {
			s = Sending{ID: bundle, Bundle: true}
		}
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}
