package workflows

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/baton-handoff/baton/activities"
	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/models"
)

// recipientPlay is a RecipientWorkflow in the time-skipping environment, with
// the activities as they are, on records in memory and a channel that does what
// a test says.
type recipientPlay struct {
	*testsuite.TestWorkflowEnvironment
	activities.Records
	activities.NotifyRecords
	t        *testing.T
	ana      models.User
	settings models.NotificationSettings

	mu       sync.Mutex
	rows     []models.Delivery
	handoffs map[uuid.UUID]*models.HandoffView
	shown    map[uuid.UUID]int
	// sent are the messages, and when they were.
	sent []playedMessage
	// fail answers attempts, counted from 1.
	fail  func(attempt int) error
	tries int
}

type playedMessage struct {
	at      time.Time
	m       notify.Message
	updated bool
}

func newRecipientPlay(t *testing.T, start time.Time) *recipientPlay {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	p := &recipientPlay{
		TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment(), t: t, handoffs: map[uuid.UUID]*models.HandoffView{}, shown: map[uuid.UUID]int{},
		ana: models.User{AccountID: uuid.New(), ID: uuid.New(), Name: "Ana", Email: "ana@demo.test", Role: models.RoleEngineer},
	}
	p.SetStartTime(start)
	p.SetTestTimeout(time.Minute)
	require.NoError(t, p.SetTypedSearchAttributesOnStart(AccountAttributes(p.ana.AccountID)))
	p.RegisterWorkflow(everyRun)
	p.RegisterActivity(activities.New(activities.Options{
		Records: p, Redaction: noSecrets{}, Log: slog.New(slog.DiscardHandler),
		Notifying: activities.Notifying{Records: p, Channels: p},
	}))
	return p
}

// everyRun is one run after another, as signals with start make them.
func everyRun(ctx workflow.Context, in RecipientInput) error {
	for {
		if err := RecipientWorkflow(ctx, in); err != nil {
			return err
		}
		wakes := workflow.GetSignalChannel(ctx, SignalDeliver)
		if more, err := workflow.AwaitWithTimeout(ctx, 48*time.Hour, func() bool { return wakes.Len() > 0 }); err != nil || !more {
			return err
		}
	}
}

type noSecrets struct{}

func (noSecrets) Texts(_ context.Context, texts []string) ([]string, map[string]int, error) {
	return texts, nil, nil
}

// escalate hands something off to ana after a while, and has her told.
func (p *recipientPlay) escalate(after time.Duration, priority models.Priority, channel notify.ChannelName) *models.HandoffView {
	h := &models.HandoffView{Handoff: models.Handoff{
		AccountID: p.ana.AccountID, ID: uuid.New(), SessionID: uuid.New(), Status: models.StatusQueued, Generation: 1, Version: 1,
		Priority: priority, TargetUserID: &p.ana.ID,
	}}
	tell := func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.handoffs[h.ID] = h
		d := models.Delivery{
			AccountID: h.AccountID, ID: uuid.New(), HandoffID: h.ID, SessionID: h.SessionID, Generation: 1, Version: 1, Step: "target/1",
			Kind: string(notify.KindEscalated), Because: string(activities.WhoTarget), Recipient: p.ana.ID.String(), UserID: &p.ana.ID,
			Channel: string(channel), Priority: priority, State: models.DeliveryPending, CreatedAt: p.Now(),
		}
		if channel == notify.ChannelSlack {
			d.EndpointID = new(uuid.New())
		}
		p.rows = append(p.rows, d)
	}
	if after == 0 {
		tell()
	} else {
		p.RegisterDelayedCallback(func() { tell(); p.SignalWorkflow(SignalDeliver, nil) }, after)
	}
	return h
}

func (p *recipientPlay) run() {
	p.t.Helper()
	p.ExecuteWorkflow(everyRun, RecipientInput{AccountID: p.ana.AccountID, Recipient: p.ana.ID.String()})
	require.True(p.t, p.IsWorkflowCompleted())
	require.NoError(p.t, p.GetWorkflowError())
}

func (p *recipientPlay) RecipientDeliveries(_ context.Context, _ string, since time.Time) (rows []models.Delivery, s models.NotificationSettings, outdated []uuid.UUID, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.rows {
		if d.Open() || d.ReleasedAt != nil && d.ReleasedAt.After(since) {
			rows = append(rows, d)
		}
		if d.State == models.DeliveryDone && d.Channel == "slack" && d.ShownVersion == nil && p.handoffs[d.HandoffID].Status != models.StatusQueued {
			outdated = append(outdated, d.ID)
		}
	}
	return rows, p.settings, outdated, nil
}

func (p *recipientPlay) PlanDeliveries(_ context.Context, plan models.DeliveryPlan) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.Now()
	release := func(ids []uuid.UUID, bundle *uuid.UUID) {
		for i := range p.rows {
			if d := &p.rows[i]; slices.Contains(ids, d.ID) {
				d.State, d.ReleasedAt, d.HeldUntil, d.BundleID = models.DeliveryPending, &now, nil, bundle
			}
		}
	}
	release(plan.Release, nil)
	for id, members := range plan.Bundles {
		release(members, &id)
	}
	for i := range p.rows {
		for _, h := range plan.Hold {
			if d := &p.rows[i]; h.ID == d.ID {
				d.State, d.HeldUntil, d.Reason = models.DeliveryHeld, &h.Until, &h.Reason
			}
		}
	}
	return nil
}

func (p *recipientPlay) Delivery(_ context.Context, id uuid.UUID) (models.Delivery, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.rows {
		if d.ID == id {
			return d, nil
		}
	}
	return models.Delivery{}, errors.New("no such delivery")
}

func (p *recipientPlay) BundledDeliveries(_ context.Context, bundle uuid.UUID, _ string) (rows []models.Delivery, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.rows {
		if d.BundleID != nil && *d.BundleID == bundle && d.Open() {
			rows = append(rows, d)
		}
	}
	return rows, nil
}

func (p *recipientPlay) BeginDeliveries(_ context.Context, ids []uuid.UUID) (maybe, open bool, attempts int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.rows {
		if d := &p.rows[i]; slices.Contains(ids, d.ID) && d.Open() {
			maybe, open = maybe || d.BeganAt != nil, true
			d.BeganAt, d.Attempts = new(p.Now()), d.Attempts+1
			attempts = max(attempts, d.Attempts)
		}
	}
	return maybe, open, attempts, nil
}

func (p *recipientPlay) EndDeliveries(_ context.Context, ids []uuid.UUID, end models.DeliveryEnd) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.rows {
		if d := &p.rows[i]; slices.Contains(ids, d.ID) && d.Open() {
			d.State, d.Reason, d.ProviderID, d.ProviderWhere = end.State, end.Reason, end.ProviderID, end.ProviderWhere
			if !end.Unclear {
				d.BeganAt = nil
			}
		}
	}
	return nil
}

func (p *recipientPlay) ShowDelivery(_ context.Context, id uuid.UUID, version int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.rows {
		if d := &p.rows[i]; d.ID == id {
			d.ShownVersion = &version
		}
	}
	return nil
}

func (p *recipientPlay) NotificationSettings(context.Context, uuid.UUID) (models.NotificationSettings, bool, error) {
	return p.settings, true, nil
}

func (p *recipientPlay) Handoff(_ context.Context, _, id uuid.UUID) (models.HandoffView, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return *p.handoffs[id], nil
}

func (p *recipientPlay) Timeline(_ context.Context, _, id uuid.UUID) ([]models.TimelineView, error) {
	h, err := p.Handoff(p.t.Context(), uuid.Nil, id)
	entry := models.TimelineEntry{Version: h.Version, Verb: models.VerbClaim, Generation: 1, At: p.Now(), Status: h.Status}
	return []models.TimelineView{{TimelineEntry: entry, ActorName: new("Ben")}}, err
}

func (p *recipientPlay) Session(context.Context, uuid.UUID) (models.Session, error) {
	return models.Session{Title: "Outlook does not sync"}, nil
}
func (p *recipientPlay) Steps(context.Context, uuid.UUID) ([]models.Step, error) { return nil, nil }
func (p *recipientPlay) User(context.Context, uuid.UUID) (models.User, error)    { return p.ana, nil }

func (p *recipientPlay) Means(context.Context) (models.Means, error) {
	return models.Means{Mail: true}, nil
}
func (p *recipientPlay) Report(context.Context, uuid.UUID, error) {}
func (p *recipientPlay) Name() notify.ChannelName                 { return notify.ChannelSlack }
func (p *recipientPlay) Open(context.Context, models.Delivery, *models.User) (notify.Channel, string, error) {
	return p, "ana", nil
}

func (p *recipientPlay) Send(_ context.Context, m notify.Message) (notify.Receipt, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tries++
	if p.fail != nil {
		if err := p.fail(p.tries); err != nil {
			return notify.Receipt{}, err
		}
	}
	p.sent = append(p.sent, playedMessage{at: p.Now(), m: m})
	return notify.Receipt{ID: m.Key.ID()}, nil
}

func (p *recipientPlay) Update(_ context.Context, r notify.Receipt, m notify.Message) (notify.Receipt, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, playedMessage{at: p.Now(), m: m, updated: true})
	return r, nil
}

// states counts how the deliveries stand.
func (p *recipientPlay) states() map[models.DeliveryState]int {
	counts := map[models.DeliveryState]int{}
	for _, d := range p.rows {
		counts[d.State]++
	}
	return counts
}

// TestAStormIsOneMessageThatCounts: fifty handoffs within a minute.
func TestAStormIsOneMessageThatCounts(t *testing.T) {
	t.Parallel()
	p := newRecipientPlay(t, testEpoch)
	for i := range 50 {
		p.escalate(time.Duration(i)*time.Second+time.Millisecond, models.PriorityNormal, notify.ChannelEmail)
	}
	p.escalate(0, models.PriorityNormal, notify.ChannelEmail)
	p.run()
	require.Equal(t, map[models.DeliveryState]int{models.DeliveryDone: 51}, p.states())
	require.Len(t, p.sent, 6)
	bundle := p.sent[5].m
	require.Equal(t, notify.KindBundle, bundle.Kind)
	require.Equal(t, 46, bundle.Facts.Count)
	require.Len(t, bundle.Facts.Items, notify.MaxItems)
	require.Equal(t, uuid.Nil, bundle.Key.Handoff)
}

// TestTheNightIsQuiet goes over midnight and over both changes of the clock.
func TestTheNightIsQuiet(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	for _, evening := range []time.Time{
		time.Date(2026, 6, 10, 21, 0, 0, 0, berlin), time.Date(2026, 3, 28, 21, 0, 0, 0, berlin), time.Date(2026, 10, 24, 21, 0, 0, 0, berlin),
	} {
		p := newRecipientPlay(t, evening)
		p.settings = models.NotificationSettings{Zone: "Europe/Berlin", Quiet: &models.QuietHours{From: 22 * 60, To: 7 * 60}}
		p.escalate(0, models.PriorityNormal, notify.ChannelEmail)
		p.escalate(2*time.Hour, models.PriorityHigh, notify.ChannelEmail)
		p.escalate(3*time.Hour+time.Minute, models.PriorityCritical, notify.ChannelEmail)
		p.escalate(5*time.Hour, models.PriorityLow, notify.ChannelEmail)
		claimed := p.escalate(4*time.Hour, models.PriorityLow, notify.ChannelEmail)
		p.RegisterDelayedCallback(func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			claimed.Status, claimed.Version = models.StatusClaimed, 2
		}, 6*time.Hour)
		p.run()
		require.Len(t, p.sent, 3)
		require.WithinDuration(t, evening, p.sent[0].at, time.Minute)
		require.WithinDuration(t, evening.Add(3*time.Hour+time.Minute), p.sent[1].at, time.Minute, "what is critical pierces")
		morning := time.Date(evening.Year(), evening.Month(), evening.Day()+1, 7, 0, 0, 0, berlin)
		require.WithinDuration(t, morning, p.sent[2].at, time.Minute)
		require.Equal(t, 2, p.sent[2].m.Facts.Count, "what was claimed meanwhile is left out")
		require.Equal(t, map[models.DeliveryState]int{models.DeliveryDone: 4, models.DeliverySkipped: 1}, p.states())
	}
}

// TestQuietHoursThatAreChanged: who ends their quiet hours is told at once.
func TestQuietHoursThatAreChanged(t *testing.T) {
	t.Parallel()
	p := newRecipientPlay(t, time.Date(2026, 6, 10, 23, 0, 0, 0, time.UTC))
	p.settings.Quiet = &models.QuietHours{From: 22 * 60, To: 7 * 60}
	p.escalate(0, models.PriorityNormal, notify.ChannelEmail)
	p.RegisterDelayedCallback(func() {
		p.settings.Quiet = nil
		p.SignalWorkflow(SignalDeliver, nil)
	}, time.Hour)
	p.run()
	require.Len(t, p.sent, 1)
	require.WithinDuration(t, time.Date(2026, 6, 11, 0, 0, 0, 0, time.UTC), p.sent[0].at, time.Minute)
}

// TestTroubleIsWaitedOut holds that an outage loses nothing, and that what comes
// meanwhile does not pile up.
func TestTroubleIsWaitedOut(t *testing.T) {
	t.Parallel()
	p := newRecipientPlay(t, testEpoch)
	for i := range 30 {
		p.escalate(time.Duration(i)*5*time.Minute+time.Millisecond, models.PriorityNormal, notify.ChannelEmail)
	}
	p.escalate(0, models.PriorityNormal, notify.ChannelEmail)
	p.fail = func(attempt int) error {
		if p.Now().Sub(testEpoch) > 2*time.Hour {
			return nil
		}
		class := notify.ClassTemporary
		if attempt%7 == 0 {
			class = notify.ClassUnclear
		}
		return notify.Errorf(class, "sending", "The server is away.")
	}
	p.run()
	require.Equal(t, map[models.DeliveryState]int{models.DeliveryDone: 31}, p.states())
	told := 0
	for _, s := range p.sent {
		told += max(s.m.Facts.Count, 1)
	}
	require.Equal(t, 31, told)
	require.Less(t, len(p.sent), 15)
}

func TestWhatNobodyCanMendIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	p := newRecipientPlay(t, testEpoch)
	p.escalate(0, models.PriorityNormal, notify.ChannelEmail)
	p.fail = func(int) error {
		return notify.Errorf(notify.ClassRecipientUnknown, "sending", "There is no such mailbox.")
	}
	p.run()
	require.Equal(t, 1, p.tries)
	require.Equal(t, map[models.DeliveryState]int{models.DeliveryFailed: 1}, p.states())
	require.Equal(t, "There is no such mailbox.", *p.rows[0].Reason)
}

// TestMessagesSayWhatBecame: a message in Slack is changed once its handoff does
// not wait any more.
func TestMessagesSayWhatBecame(t *testing.T) {
	t.Parallel()
	p := newRecipientPlay(t, testEpoch)
	h := p.escalate(0, models.PriorityNormal, notify.ChannelSlack)
	p.RegisterDelayedCallback(func() {
		p.mu.Lock()
		h.Status, h.Version, h.ClaimedBy = models.StatusClaimed, 2, new(uuid.New())
		p.mu.Unlock()
		p.SignalWorkflow(SignalDeliver, nil)
	}, 2*time.Hour)
	p.RegisterDelayedCallback(func() { p.SignalWorkflow(SignalDeliver, nil) }, 3*time.Hour) // which changes nothing
	p.run()
	require.Len(t, p.sent, 2)
	require.True(t, p.sent[1].updated)
	require.Equal(t, "Ben", p.sent[1].m.Facts.Outcome.By)
	require.Equal(t, 2, *p.rows[0].ShownVersion)
}
