package activities

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/models"
)

var planNow = time.Date(2026, 11, 4, 12, 0, 0, 0, time.UTC)

func due(channel notify.ChannelName, p models.Priority) models.Delivery {
	return models.Delivery{ID: uuid.New(), Channel: string(channel), Priority: p, State: models.DeliveryPending}
}

func planOf(now time.Time, quiet time.Time, rows ...models.Delivery) *planner {
	p := &planner{now: now, limits: Limits{}.withDefaults(), quiet: quiet, newID: uuid.New}
	p.decide(rows)
	return p
}

// apply does to rows what the store would.
func (p *planner) apply(rows []models.Delivery) {
	for i := range rows {
		d := &rows[i]
		for _, h := range p.plan.Hold {
			if h.ID == d.ID {
				d.State, d.HeldUntil, d.Reason = models.DeliveryHeld, &h.Until, &h.Reason
			}
		}
		release := func(bundle *uuid.UUID) {
			d.State, d.HeldUntil, d.Reason, d.ReleasedAt, d.BundleID = models.DeliveryPending, nil, nil, new(p.now), bundle
		}
		for _, id := range p.plan.Release {
			if id == d.ID {
				release(nil)
			}
		}
		for bundle, members := range p.plan.Bundles {
			for _, id := range members {
				if id == d.ID {
					release(&bundle)
				}
			}
		}
	}
}

func TestACeilingIsKeptAndTheRestGoesTogether(t *testing.T) {
	t.Parallel()
	var rows []models.Delivery
	for range 50 {
		rows = append(rows, due(notify.ChannelEmail, models.PriorityNormal))
	}
	p := planOf(planNow, time.Time{}, rows...)
	require.Len(t, p.plan.Release, 5)
	require.Len(t, p.plan.Hold, 45)
	require.Empty(t, p.plan.Bundles)
	require.Equal(t, planNow.Add(2*time.Minute), p.wake)
	for _, h := range p.plan.Hold {
		require.Equal(t, p.wake, h.Until)
		require.NotEmpty(t, h.Reason)
	}
	require.Len(t, p.sendings(rows), 5)
	p.apply(rows)

	// Looking again changes nothing; what comes later goes with the others.
	rows = append(rows, due(notify.ChannelEmail, models.PriorityNormal))
	p = planOf(planNow.Add(time.Minute), time.Time{}, rows...)
	require.Empty(t, p.plan.Release)
	require.Len(t, p.plan.Hold, 1)
	require.Equal(t, planNow.Add(2*time.Minute), p.plan.Hold[0].Until)
	p.apply(rows)

	p = planOf(planNow.Add(2*time.Minute), time.Time{}, rows...)
	require.Empty(t, p.plan.Bundles, "as long as those before are stuck, more would be, too")
	p.apply(rows)
	for i := range rows[:5] {
		rows[i].State = models.DeliveryDone
	}
	p = planOf(planNow.Add(4*time.Minute), time.Time{}, rows...)
	require.Len(t, p.plan.Bundles, 1)
	for _, members := range p.plan.Bundles {
		require.Len(t, members, 46)
	}
	require.True(t, p.wake.IsZero())
	p.apply(rows)
	sends := p.sendings(rows)
	require.Len(t, sends, 1)
	require.True(t, sends[0].Bundle)

	// While the bundle is under way there is no other.
	rows = append(rows, due(notify.ChannelEmail, models.PriorityNormal))
	p = planOf(planNow.Add(5*time.Minute), time.Time{}, rows...)
	require.Len(t, p.plan.Hold, 1)
	p.apply(rows)
	p = planOf(planNow.Add(8*time.Minute), time.Time{}, rows...)
	require.Empty(t, p.plan.Bundles)
	require.Len(t, p.plan.Hold, 1)
	for i := range rows[:51] {
		rows[i].State = models.DeliveryDone
	}
	p.apply(rows)
	p = planOf(planNow.Add(11*time.Minute), time.Time{}, rows...)
	require.Len(t, p.plan.Release, 1, "one alone needs no bundle")
}

func TestWhatIsNotHeldBack(t *testing.T) {
	t.Parallel()
	tonight := planNow.Add(8 * time.Hour)
	var critical, hooks, low []models.Delivery
	for range 20 {
		critical = append(critical, due(notify.ChannelSlack, models.PriorityCritical))
		hooks = append(hooks, due(notify.ChannelWebhook, models.PriorityLow))
		low = append(low, due(notify.ChannelSlack, models.PriorityLow))
	}
	require.Len(t, planOf(planNow, tonight, critical...).plan.Release, 20, "what is critical pierces quiet hours and ceilings")
	require.Len(t, planOf(planNow, time.Time{}, hooks...).plan.Release, 20, "a program wants each")
	p := planOf(planNow, tonight, low...)
	require.Empty(t, p.plan.Release)
	require.Len(t, p.plan.Hold, 20)
	require.Equal(t, tonight, p.wake)
	p.apply(low)
	require.Len(t, planOf(tonight, time.Time{}, low...).plan.Bundles, 1, "in the morning it is one message")
	require.Len(t, planOf(planNow.Add(time.Minute), time.Time{}, low...).plan.Bundles, 1, "as soon as the quiet hours were changed")
	require.Empty(t, planOf(planNow, tonight, low...).plan.Hold, "nothing is written twice")

	// Trouble with a channel counts like messages: what waits behind it goes together.
	stuck := []models.Delivery{}
	for range 5 {
		d := due(notify.ChannelEmail, models.PriorityNormal)
		d.State, d.ReleasedAt = models.DeliveryRetrying, new(planNow.Add(-3*time.Hour))
		stuck = append(stuck, d)
	}
	stuck = append(stuck, due(notify.ChannelEmail, models.PriorityNormal), due(notify.ChannelSlack, models.PriorityNormal))
	p = planOf(planNow, time.Time{}, stuck...)
	require.Len(t, p.plan.Hold, 1)
	require.Len(t, p.plan.Release, 1, "another channel goes its own way")
	require.Len(t, p.sendings(stuck), 6)
}

// TestPlansLoseNothing holds, for any course of announcements and time, that
// each delivery is let go once, and that none waits without a time to wake.
func TestPlansLoseNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		now := planNow
		settings := models.NotificationSettings{Zone: "Europe/Berlin", Quiet: &models.QuietHours{
			From: rapid.IntRange(0, 1439).Draw(t, "from"), To: rapid.IntRange(0, 1439).Draw(t, "to"),
		}}
		var rows []models.Delivery
		released := map[uuid.UUID]int{}
		look := func() *planner {
			quiet, _ := settings.QuietUntil(now)
			p := planOf(now, quiet, rows...)
			for _, id := range p.plan.Release {
				released[id]++
			}
			for _, members := range p.plan.Bundles {
				require.NotEmpty(t, members)
				for _, id := range members {
					released[id]++
				}
			}
			p.apply(rows)
			for _, s := range p.sendings(rows) { // all that is let go is told at once
				for i := range rows {
					if rows[i].ID == s.ID || rows[i].BundleID != nil && *rows[i].BundleID == s.ID {
						rows[i].State = models.DeliveryDone
					}
				}
			}
			for _, d := range rows {
				require.True(t, !d.Open() || !p.wake.IsZero() && p.wake.After(now), "somebody waits, and nobody wakes")
			}
			return p
		}
		for range rapid.IntRange(1, 30).Draw(t, "rounds") {
			for range rapid.IntRange(0, 8).Draw(t, "more") {
				channel := rapid.SampledFrom(notify.ChannelNames()).Draw(t, "channel")
				rows = append(rows, due(channel, models.Priority(rapid.IntRange(1, 4).Draw(t, "priority"))))
			}
			now = now.Add(time.Duration(rapid.IntRange(0, 7200).Draw(t, "seconds")) * time.Second)
			look()
		}
		for range 10 { // then nothing more comes
			if p := look(); !p.wake.IsZero() {
				now = p.wake
			}
		}
		for _, d := range rows {
			require.Equal(t, models.DeliveryDone, d.State)
			require.Equal(t, 1, released[d.ID])
		}
	})
}

func TestWhoIsTold(t *testing.T) {
	t.Parallel()
	team, other := uuid.New(), uuid.New()
	person := func(name string, role models.Role, team *uuid.UUID) models.Addressee {
		return models.Addressee{User: models.User{ID: uuid.New(), Name: name, Email: name + "@demo.test", Role: role, TeamID: team}}
	}
	sam, ana, ben := person("sam", models.RoleEngineer, &team), person("ana", models.RoleEngineer, &team), person("ben", models.RoleEngineer, &other)
	vic, ada := person("vic", models.RoleViewer, &team), person("ada", models.RoleAdmin, nil)
	people := []models.Addressee{sam, ana, ben, vic, ada}
	h := models.Handoff{ID: uuid.New(), Intent: models.IntentEscalate, HandedOffBy: sam.ID, TeamID: &team, TargetUserID: &ben.ID, Priority: models.PriorityHigh}
	room, direct := uuid.New(), uuid.New()
	means := models.Means{Mail: true, Endpoints: []models.MeansEndpoint{
		{ID: room, Kind: "slack", Itself: true}, {ID: direct, Kind: "slack", Direct: true},
	}}
	told := func(h models.Handoff, actor uuid.UUID, means models.Means, to ...Audience) (names []string) {
		byID := map[string]string{room.String(): "room"}
		for _, p := range people {
			byID[p.ID.String()] = p.Name
		}
		in := Announcement{HandoffID: h.ID, Generation: 1, Version: 1, Step: "s", Kind: notify.KindEscalated, To: to}
		for _, d := range resolve(in, h, actor, people, means) {
			names = append(names, byID[d.Recipient]+":"+d.Channel)
		}
		return names
	}
	to := func(w Who) Audience { return Audience{Who: w} }
	require.Equal(t, []string{"ben:email"}, told(h, sam.ID, means, to(WhoTarget)))
	require.Equal(t, []string{"ana:email"}, told(h, sam.ID, means, to(WhoTeam)), "no viewer, no other team, not who escalated")
	require.Equal(t, []string{"ada:email"}, told(h, sam.ID, means, to(WhoAdmins)))
	require.Equal(t, []string{"sam:email"}, told(h, uuid.Nil, means, to(WhoSender)))
	require.Empty(t, told(h, sam.ID, means, to(WhoSender)), "nobody is told of their own act")
	require.Empty(t, told(h, uuid.Nil, means, to(WhoHolder)))
	require.Equal(t, []string{"ana:email"}, told(h, sam.ID, means, Audience{Who: WhoUser, UserID: ana.ID}))
	require.Empty(t, told(h, sam.ID, means, Audience{Who: WhoUser, UserID: uuid.New()}))
	require.Equal(t, []string{"room:slack"}, told(h, uuid.Nil, means, Audience{Who: WhoEndpoint, Endpoint: room}))
	require.Empty(t, told(h, uuid.Nil, means, Audience{Who: WhoEndpoint, Endpoint: direct}), "it has no conversation of its own")
	require.Empty(t, told(h, uuid.Nil, means, Audience{Who: WhoEndpoint, Endpoint: uuid.New()}))
	require.Equal(t, []string{"ana:email", "ben:email"}, told(h, sam.ID, means, to(WhoTeam), to(WhoTarget), to(WhoTarget)), "each once")
	require.Equal(t, []string{"ben:slack"}, told(h, sam.ID, means, Audience{Who: WhoTarget, Channels: []notify.ChannelName{notify.ChannelSlack}}))
	require.Equal(t, []string{"ben:slack"}, told(h, sam.ID, models.Means{Endpoints: means.Endpoints}, to(WhoTarget)), "without mail, by what there is")
	h.TeamID = nil
	require.Equal(t, []string{"ana:email", "ben:email", "ada:email"}, told(h, sam.ID, means, to(WhoTeam)), "without a team, all engineers")

	people[2].Settings = &models.NotificationSettings{Channels: []string{"slack", "email"}, Priorities: map[string][]string{"low": {}}}
	require.Equal(t, []string{"ben:slack", "ben:email"}, told(h, sam.ID, means, to(WhoTarget)))
	h.Priority = models.PriorityLow
	require.Empty(t, told(h, sam.ID, means, to(WhoTarget)), "in Baton alone")
	h.Priority = models.PriorityNormal
	require.Equal(t, []string{"ben:email"}, told(h, sam.ID, models.Means{Mail: true}, to(WhoTarget)))
}

func TestWhatIsStillTrue(t *testing.T) {
	t.Parallel()
	d := models.Delivery{Generation: 2, Version: 3}
	for _, tc := range []struct {
		h  models.Handoff
		ok bool
	}{
		{models.Handoff{Status: models.StatusQueued, Generation: 2, Version: 3}, true},
		{models.Handoff{Status: models.StatusClaimed, Generation: 2, Version: 3}, true}, // about its holder
		{models.Handoff{Status: models.StatusClaimed, Generation: 2, Version: 4}, false},
		{models.Handoff{Status: models.StatusQueued, Generation: 3, Version: 5}, false},
		{models.Handoff{Status: models.StatusResolved, Generation: 2, Version: 5}, false},
		{models.Handoff{Status: models.StatusCancelled, Generation: 2, Version: 4}, false},
	} {
		require.Equal(t, tc.ok, moved(d, tc.h) == "", "%+v", tc.h)
	}
}
