package workflows

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/baton-handoff/baton/activities"
	rules "github.com/baton-handoff/baton/internal/ladder"
	"github.com/baton-handoff/baton/models"
)

// ladderPlay is a LadderWorkflow in the time-skipping environment, with the
// activity that settles what comes next as it is, and records in memory.
type ladderPlay struct {
	*testsuite.TestWorkflowEnvironment
	t    *testing.T
	zone *time.Location
	view models.LadderView
	rule rules.Rule
	snap models.Snapshot
	// told is what people were told, and stood each change of what readers see.
	told, stood []string
	announced   []activities.Announcement
	announce    func(ctx context.Context, what activities.Announcement, attempt int) error
	attempts    map[string]int
	takenBack   int
}

func newLadderPlay(t *testing.T, zone, start string, intent models.Intent, priority models.Priority) *ladderPlay {
	t.Helper()
	location, err := rules.Zone(zone)
	require.NoError(t, err)
	began, err := time.ParseInLocation("2006-01-02 15:04", start, location)
	require.NoError(t, err)
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	p := &ladderPlay{
		TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment(), t: t, zone: location, attempts: map[string]int{},
		announce: func(context.Context, activities.Announcement, int) error { return nil },
	}
	in := HandoffInput{
		AccountID: uuid.New(), SessionID: uuid.New(), HandoffID: uuid.New(), Intent: intent, Priority: priority, SenderID: uuid.New(), CreatedAt: began,
	}
	p.snap = Begin(in)
	p.view.Handoff = models.Handoff{AccountID: in.AccountID, ID: in.HandoffID, SessionID: in.SessionID, Intent: intent, Priority: priority}
	p.SetStartTime(began)
	p.SetTestTimeout(time.Minute)
	require.NoError(t, p.SetTypedSearchAttributesOnStart(AccountAttributes(in.AccountID)))
	p.RegisterWorkflow(LadderWorkflow)
	acts := activities.New(activities.Options{Log: slog.New(slog.DiscardHandler), Ladders: activities.Ladders{Records: p, Handoffs: p}})
	p.RegisterActivity(acts.LadderStep)
	p.RegisterActivity(acts.TakeBack)
	p.RegisterActivityWithOptions(func(ctx context.Context, what activities.Announcement) (activities.Announced, error) {
		p.attempts[what.Step]++
		if err := p.announce(ctx, what, p.attempts[what.Step]); err != nil {
			return activities.Announced{}, err
		}
		p.announced = append(p.announced, what)
		p.told = append(p.told, fmt.Sprintf("%s %s %s", p.Now().In(p.zone).Format("Mon 15:04 -07"), what.Kind, strings.Join(whom(what), "+")))
		return activities.Announced{Deliveries: 1}, nil
	}, activity.RegisterOptions{Name: "Announce"})
	p.after(0, func() {})
	return p
}

func whom(what activities.Announcement) (names []string) {
	for _, a := range what.To {
		names = append(names, string(a.Who))
	}
	return names
}

// LadderPolicies makes the play its own records.
func (p *ladderPlay) LadderPolicies(context.Context) ([]models.LadderPolicy, error) {
	text, err := json.Marshal(p.rule)
	return []models.LadderPolicy{{Scope: "account", Rule: text}}, err
}

func (p *ladderPlay) Ladder(context.Context, uuid.UUID, uuid.UUID) (models.LadderView, error) {
	return p.view, nil
}

func (p *ladderPlay) RecordLadder(_ context.Context, l models.HandoffLadder) error {
	if p.view.Ladder != nil {
		l.Policy = p.view.Ladder.Policy
	}
	p.view.Ladder = &l
	line := string(l.State)
	if l.NextAt != nil {
		line += fmt.Sprintf(" %s, %s", l.NextAt.In(p.zone).Format("Mon 15:04 -07"), *l.Next)
	}
	if len(p.stood) == 0 || p.stood[len(p.stood)-1] != line {
		p.stood = append(p.stood, line)
	}
	return nil
}

func (p *ladderPlay) BeginTakeBack(_ context.Context, _ uuid.UUID, version int, last time.Time) (bool, error) {
	return p.view.Version == version && p.view.Status == models.StatusClaimed && !p.view.ActiveAt.After(last), nil
}

func (p *ladderPlay) Transition(_ context.Context, by models.Principal, req models.TransitionRequest) (models.HandoffView, error) {
	require.Equal(p.t, models.VerbRelease, req.Verb)
	require.Equal(p.t, p.snap.Last().Generation, req.Generation)
	require.NotEmpty(p.t, req.Note)
	p.takenBack++
	p.decide(models.VerbRelease, Request{ActorID: by.UserID, ActorRole: by.Role, Generation: req.Generation}, req.Door)
	return models.HandoffView{}, nil
}

// after does something, and then tells the ladder where the handoff stands.
func (p *ladderPlay) after(d time.Duration, do func()) {
	p.RegisterDelayedCallback(func() {
		do()
		p.news()
	}, d)
}

func (p *ladderPlay) news() {
	last := p.snap.Last()
	p.view.Status, p.view.Version, p.view.Generation = last.Status, last.Version, last.Generation
	p.view.ActiveAt = nil
	if last.Status == models.StatusClaimed {
		p.view.ActiveAt = &last.At
	}
	p.SignalWorkflow(SignalNews, activities.NewsOf(p.snap))
}

func (p *ladderPlay) decide(verb models.Verb, r Request, door models.Door) {
	r.HandoffID = p.snap.HandoffID
	d, err := Decide(p.snap, verb, r, p.Now())
	require.NoError(p.t, err)
	accept(&p.snap, d, door, "", p.Now())
	p.news()
}

func (p *ladderPlay) claim(d time.Duration) {
	p.RegisterDelayedCallback(func() {
		p.decide(models.VerbClaim, Request{ActorID: uuid.New(), ActorRole: models.RoleEngineer}, models.DoorAPI)
	}, d)
}

func (p *ladderPlay) do(d time.Duration, verb models.Verb) {
	p.RegisterDelayedCallback(func() {
		p.decide(verb, Request{ActorID: p.snap.SenderID, ActorRole: models.RoleAdmin, TargetUserID: new(uuid.New())}, models.DoorAPI)
	}, d)
}

// become is a transition that another part of Baton knows.
func (p *ladderPlay) become(d time.Duration, verb models.Verb, status models.Status) {
	p.after(d, func() {
		t := p.snap.Last()
		t.Version, t.Verb, t.Status, t.HolderID, t.At = t.Version+1, verb, status, nil, p.Now()
		p.snap.Transitions = append(p.snap.Transitions, t)
	})
}

func (p *ladderPlay) run() {
	p.t.Helper()
	p.ExecuteWorkflow(LadderWorkflow, LadderInput{Of: activities.BriefingInput{AccountID: p.snap.AccountID, SessionID: p.snap.SessionID, HandoffID: p.snap.HandoffID}})
	require.True(p.t, p.IsWorkflowCompleted())
	require.NoError(p.t, p.GetWorkflowError())
	require.Equal(p.t, models.LadderEnded, p.view.Ladder.State)
	steps := map[string]bool{}
	for _, a := range p.announced {
		require.False(p.t, steps[a.Step], "%s is another announcement with the same key", a.Step)
		steps[a.Step] = true
	}
}

func to(who ...string) (list []rules.Audience) {
	for _, w := range who {
		list = append(list, rules.Audience{Who: w})
	}
	return list
}

func climbing() *[]rules.Step {
	return &[]rules.Step{
		{To: to("target", "team")},
		{After: 30 * 60, To: to("team")},
		{After: 2 * 3600, To: to("admins"), Every: 8 * 3600, Times: 1},
	}
}

func officeHours(zone string) *rules.Hours {
	return &rules.Hours{Zone: zone, Week: []rules.Window{{Days: []string{"mon", "tue", "wed", "thu", "fri"}, From: "08:00", To: "18:00"}}}
}

// TestLadderOverAWeekendWithAClockChange is a patient handoff on the Friday
// before the clocks are changed, and an urgent one.
func TestLadderOverAWeekendWithAClockChange(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, zone, start string
		priority          models.Priority
		want              []string
	}{
		{"Berlin in spring", "Europe/Berlin", "2026-03-27 17:50", models.PriorityNormal, []string{
			"Fri 17:50 +01 escalated target+team", "Mon 08:20 +02 waiting team", "Mon 09:50 +02 waiting admins", "Mon 17:50 +02 waiting admins",
		}},
		{"New York in autumn", "America/New_York", "2026-10-30 17:50", models.PriorityLow, []string{
			"Fri 17:50 -04 escalated target+team", "Mon 08:20 -05 waiting team", "Mon 09:50 -05 waiting admins", "Mon 17:50 -05 waiting admins",
		}},
		{"a night, from before dawn", "Europe/Berlin", "2026-11-25 04:00", models.PriorityNormal, []string{
			"Wed 08:00 +01 escalated target+team", "Wed 08:30 +01 waiting team", "Wed 10:00 +01 waiting admins", "Thu 08:00 +01 waiting admins",
		}},
		{"urgent, over the hour that comes twice", "Europe/Berlin", "2026-10-25 01:30", models.PriorityHigh, []string{
			"Sun 01:30 +02 escalated target+team", "Sun 02:00 +02 waiting team", "Sun 02:30 +01 waiting admins", "Sun 10:30 +01 waiting admins",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newLadderPlay(t, c.zone, c.start, models.IntentEscalate, c.priority)
			p.rule = rules.Rule{Steps: climbing(), Hours: officeHours(c.zone)}
			p.do(14*24*time.Hour, models.VerbCancel)
			p.run()
			require.Equal(t, c.want, p.told)
			require.Equal(t, []string{"spent", "ended"}, p.stood[len(p.stood)-2:])
			require.Equal(t, "the whole team is told", p.announced[0].Next, "and it is said what comes next")
			require.Equal(t, p.told[1][:len("Mon 08:20 +02")], p.announced[0].Due.In(p.zone).Format("Mon 15:04 -07"))
		})
	}
}

func TestLadderStopsAtAClaimAndRestarts(t *testing.T) {
	t.Parallel()
	p := newLadderPlay(t, "UTC", "2026-11-25 12:00", models.IntentEscalate, models.PriorityHigh)
	p.rule = rules.Rule{Steps: climbing()}
	p.claim(10 * time.Minute)
	p.do(5*time.Hour, models.VerbRelease)
	p.do(5*time.Hour+10*time.Minute, models.VerbReassign)
	p.claim(6 * time.Hour)
	p.do(20*time.Hour, models.VerbResolve)
	p.run()
	require.Equal(t, []string{
		"Wed 12:00 +00 escalated target+team", "Wed 17:00 +00 released target+team", "Wed 17:10 +00 reassigned target+team", "Wed 17:40 +00 waiting team",
	}, p.told)
	require.Equal(t, []int{1, 2, 3, 3}, []int{p.announced[0].Generation, p.announced[1].Generation, p.announced[2].Generation, p.announced[3].Generation})
	require.Equal(t, []string{
		"calling Wed 12:00 +00, whom it is for and the whole team are told", "calling Wed 12:30 +00, the whole team is told", "held",
		"calling Wed 17:00 +00, whom it is for and the whole team are told", "calling Wed 17:30 +00, the whole team is told",
		"calling Wed 17:10 +00, whom it is for and the whole team are told", "calling Wed 17:40 +00, the whole team is told",
		"calling Wed 19:10 +00, the admins are told", "held", "ended",
	}, p.stood)
}

// TestAnEditDoesNotChangeARunningLadder: the policy is settled when a handoff
// is created, also for its later generations.
func TestAnEditDoesNotChangeARunningLadder(t *testing.T) {
	t.Parallel()
	p := newLadderPlay(t, "UTC", "2026-11-25 12:00", models.IntentEscalate, models.PriorityHigh)
	p.rule = rules.Rule{Steps: climbing()}
	p.RegisterDelayedCallback(func() { p.rule = rules.Rule{Steps: &[]rules.Step{{To: to("admins")}}} }, time.Minute)
	p.claim(time.Hour)
	p.do(2*time.Hour, models.VerbRelease)
	p.do(3*time.Hour, models.VerbCancel)
	p.run()
	require.Equal(t, []string{
		"Wed 12:00 +00 escalated target+team", "Wed 12:30 +00 waiting team", "Wed 14:00 +00 released target+team", "Wed 14:30 +00 waiting team",
	}, p.told)
}

// TestLadderWaitsWhileItIsElsewhere: the clock stands still while the handoff is
// with its sender, visibly; whoever asked is told of the answer first.
func TestLadderWaitsWhileItIsElsewhere(t *testing.T) {
	t.Parallel()
	p := newLadderPlay(t, "UTC", "2026-11-25 12:00", models.IntentEscalate, models.PriorityHigh)
	p.rule = rules.Rule{Steps: climbing(), Reserve: new(rules.Seconds(900))}
	p.become(10*time.Minute, "return", "returned")
	p.become(3*time.Hour+10*time.Minute, "other", models.StatusQueued)
	p.become(4*time.Hour, "return", "returned")
	p.become(5*time.Hour, models.VerbAnswer, models.StatusQueued)
	p.do(6*time.Hour, models.VerbCancel)
	p.run()
	require.Equal(t, []string{
		"Wed 12:00 +00 escalated target+team", "Wed 15:30 +00 waiting team",
		"Wed 17:00 +00 answered target", "Wed 17:15 +00 waiting target+team", "Wed 17:45 +00 waiting team",
	}, p.told)
	require.Equal(t, "paused", p.stood[2])
}

func TestAParkedSessionIsWoken(t *testing.T) {
	t.Parallel()
	p := newLadderPlay(t, "Europe/Berlin", "2026-03-28 22:00", models.IntentPark, models.PriorityNormal)
	p.rule = rules.Rule{Steps: climbing(), Hours: officeHours("Europe/Berlin"), Park: &rules.Park{EscalateAfter: 3600}}
	wake, err := rules.NextLocal(p.Now(), p.zone, "08:00")
	require.NoError(t, err)
	p.view.WakeAt = &wake
	p.do(3*24*time.Hour, models.VerbCancel)
	p.run()
	require.Equal(t, []string{
		"Sun 08:00 +02 woken sender", "Mon 09:00 +02 waiting target+team", "Mon 09:30 +02 waiting team", "Mon 11:00 +02 waiting admins", "Tue 09:00 +02 waiting admins",
	}, p.told, "its sender when they asked for it, the team when it is there")

	p = newLadderPlay(t, "Europe/Berlin", "2026-03-28 22:00", models.IntentPark, models.PriorityNormal)
	p.rule = rules.Rule{Park: &rules.Park{EscalateAfter: 3600}}
	p.view.WakeAt = &wake
	p.claim(9*time.Hour + 30*time.Minute) // half an hour after it was due
	p.do(20*time.Hour, models.VerbResolve)
	p.run()
	require.Equal(t, []string{"Sun 08:00 +02 woken sender"}, p.told, "somebody resumed it")
}

func leased(p *ladderPlay) {
	p.rule = rules.Rule{Steps: climbing(), Lease: &rules.Lease{Remind: 3600, Ask: 1800, TakeBack: 600}}
}

func TestAnIdleClaimIsTakenBack(t *testing.T) {
	t.Parallel()
	p := newLadderPlay(t, "UTC", "2026-11-25 12:00", models.IntentEscalate, models.PriorityHigh)
	leased(p)
	p.claim(time.Minute)
	p.do(6*time.Hour, models.VerbCancel)
	p.run()
	require.Equal(t, 1, p.takenBack)
	require.Equal(t, []string{
		"Wed 12:00 +00 escalated target+team", "Wed 13:01 +00 lease_reminder holder", "Wed 13:31 +00 lease_asked holder",
		"Wed 13:41 +00 taken_back sender+user+target+team", "Wed 14:11 +00 waiting team", "Wed 15:41 +00 waiting admins",
	}, p.told)
	require.Equal(t, models.DoorLease, p.snap.Transitions[2].Door)
	require.Equal(t, *p.snap.Transitions[1].HolderID, p.announced[3].To[1].UserID, "who held it is told as well")
	require.Equal(t, "Wed 13:41", p.announced[2].Due.Format("Mon 15:04"), "who is asked knows until when")
}

func TestAnActiveHolderKeepsTheClaim(t *testing.T) {
	t.Parallel()
	p := newLadderPlay(t, "UTC", "2026-11-25 12:00", models.IntentEscalate, models.PriorityHigh)
	leased(p)
	p.claim(0)
	active := func(d time.Duration) {
		p.RegisterDelayedCallback(func() { p.view.ActiveAt = new(p.Now()) }, d)
	}
	active(50 * time.Minute)                                  // before anybody asks
	active(110*time.Minute + 15*time.Minute)                  // after the reminder, which came at 13:50
	active(125*time.Minute + 99*time.Minute + 59*time.Second) // a second before the end
	p.do(5*time.Hour, models.VerbResolve)
	p.run()
	require.Zero(t, p.takenBack)
	require.Equal(t, []string{
		"Wed 13:50 +00 lease_reminder holder", "Wed 15:05 +00 lease_reminder holder", "Wed 15:35 +00 lease_asked holder",
		"Wed 16:44 +00 lease_reminder holder",
	}, p.told)
}

// TestActivityAtTheLastMoment comes between the decision to take it back and
// the moment that it is made.
func TestActivityAtTheLastMoment(t *testing.T) {
	t.Parallel()
	p := newLadderPlay(t, "UTC", "2026-11-25 12:00", models.IntentEscalate, models.PriorityHigh)
	leased(p)
	p.claim(0)
	p.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
		if info.ActivityType.Name == "TakeBack" && p.takenBack == 0 {
			p.view.ActiveAt = new(p.Now())
		}
	})
	p.do(3*time.Hour, models.VerbResolve)
	p.run()
	require.Zero(t, p.takenBack)
}

func TestALadderOutlivesTrouble(t *testing.T) {
	t.Parallel()
	p := newLadderPlay(t, "UTC", "2026-11-25 12:00", models.IntentEscalate, models.PriorityHigh)
	p.rule = rules.Rule{Steps: &[]rules.Step{
		{To: to("team")}, {After: 600, To: to("admins")}, {After: 1200, To: to("team")}, {After: 1800, To: to("sender")}, {After: 7200, To: to("team")},
	}}
	p.announce = func(_ context.Context, what activities.Announcement, attempt int) error {
		switch {
		case strings.HasSuffix(what.Step, "/0/0") && attempt < 6:
			return errors.New("down") // and up again after half a minute
		case strings.HasSuffix(what.Step, "/1/0"):
			return temporal.NewNonRetryableApplicationError("Nobody is there.", string(models.CodeInvalid), nil)
		case strings.HasSuffix(what.Step, "/3/0"):
			return errors.New("down until it is claimed")
		}
		return nil
	}
	p.claim(time.Hour)
	p.do(2*time.Hour, models.VerbResolve)
	p.run()
	require.Len(t, p.told, 2)
	require.Equal(t, "Wed 12:20 +00 waiting team", p.told[1], "what cannot be told does not keep others from being told")
	require.GreaterOrEqual(t, p.attempts["ladder/1/3/0"], 10)
}

// TestALadderIsBounded: it begins a new run, and goes on where it was.
func TestALadderIsBounded(t *testing.T) {
	t.Parallel()
	p := newLadderPlay(t, "UTC", "2026-11-25 12:00", models.IntentEscalate, models.PriorityHigh)
	steps := []rules.Step{}
	for i := range 10 {
		steps = append(steps, rules.Step{After: rules.Seconds(i * 6000), To: to("team"), Every: 60, Times: 99})
	}
	p.rule = rules.Rule{Steps: &steps}
	p.ExecuteWorkflow(LadderWorkflow, LadderInput{Of: activities.BriefingInput{AccountID: p.snap.AccountID, SessionID: p.snap.SessionID, HandoffID: p.snap.HandoffID}})
	var again *workflow.ContinueAsNewError
	require.ErrorAs(t, p.GetWorkflowError(), &again)
	var in LadderInput
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(again.Input, &in))
	require.Equal(t, ladderSteps, in.Calls)
	require.Len(t, p.told, ladderSteps)
	require.Equal(t, 1, in.News.Version)

	next := newLadderPlay(t, "UTC", "2026-11-25 14:29", models.IntentEscalate, models.PriorityHigh)
	next.snap, next.view, next.rule = p.snap, p.view, p.rule
	next.do(10*time.Minute, models.VerbCancel)
	next.ExecuteWorkflow(LadderWorkflow, in)
	require.NoError(t, next.GetWorkflowError())
	require.Equal(t, "Wed 14:30 +00 waiting team", next.told[0], "the next repeat, and none twice")
	require.Len(t, next.told, 9)
}
