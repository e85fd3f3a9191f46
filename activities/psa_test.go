package activities_test

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/baton-handoff/baton/activities"
	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/psatest"
	"github.com/baton-handoff/baton/internal/psa/vendors"
	"github.com/baton-handoff/baton/models"
)

// story is a handoff with a ticket at a fake ConnectWise, as its records.
type story struct {
	activities.Records
	mu       sync.Mutex
	view     models.HandoffView
	timeline []models.TimelineView
	steps    map[int]models.PSAStep
	holder   models.User

	desk   *psatest.ConnectWise
	ticket int64
	psa    *connection
	told   []activities.EffectInput
}

// connection is an account's connection as the activities see it.
type connection struct {
	client  psa.Client
	options psa.Options
	version string

	mu   sync.Mutex
	last error // reported
}

func (c *connection) Client(context.Context, uuid.UUID) (psa.Client, psa.Options, bool, error) {
	return c.client, c.options, true, nil
}

func (c *connection) Report(_ context.Context, _ uuid.UUID, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = err
}

func (c *connection) Version(context.Context, uuid.UUID) (string, error) {
	return c.version, nil
}

// returnedStory is a story with everything that can happen in it.
func returnedStory(t *testing.T) *story {
	t.Helper()
	s := newStory(t)
	until := time.Date(2026, 11, 4, 10, 22, 40, 0, time.UTC)
	s.timeline = nil
	for i, e := range []models.TimelineEntry{
		{Verb: models.VerbCreate, Generation: 1},
		{Verb: models.VerbClaim, Generation: 1},
		{Verb: models.VerbReturn, Generation: 1, Note: new("Which *firmware*?")},
		{Verb: models.VerbAnswer, Generation: 2, Note: new("7.2.4"), ReservedUntil: &until},
		{Verb: models.VerbClaim, Generation: 2},
		{Verb: models.VerbReturn, Generation: 2},
		{Verb: models.VerbReassign, Generation: 3},
		{Verb: models.VerbClaim, Generation: 3},
		{Verb: models.VerbReturn, Generation: 3},
		{Verb: models.VerbCancel, Generation: 3},
	} {
		e.Version, e.At = i+1, until.Add(-time.Hour)
		s.timeline = append(s.timeline, models.TimelineView{TimelineEntry: e, ActorName: new("Sam"), HolderName: new("Ana"), TargetUserName: new("Ana")})
	}
	return s
}

func newStory(t *testing.T) *story {
	t.Helper()
	s := &story{steps: map[int]models.PSAStep{}, desk: psatest.NewConnectWise()}
	server := httptest.NewServer(s.desk)
	t.Cleanup(server.Close)
	s.ticket = s.desk.Desk().AddTicket("t").ID
	number := strconv.FormatInt(s.ticket, 10)
	s.view = models.HandoffView{Handoff: models.Handoff{AccountID: uuid.New(), ID: uuid.New(), SessionID: uuid.New()}, PSATicket: &number, HandedOffByName: new("Sam")}
	s.view.Documentation = &models.Documentation{Markdown: "**Escalated**", Plain: "Escalated"}
	s.holder = models.User{ID: uuid.New(), Name: "Ana", Email: "ana@demo.test"}
	for i, verb := range []models.Verb{models.VerbCreate, models.VerbClaim, models.VerbRelease, models.VerbCancel} {
		e := models.TimelineEntry{Version: i + 1, Verb: verb, Generation: 1, At: time.Now()}
		if verb == models.VerbClaim {
			e.HolderID = &s.holder.ID
		}
		if i >= 2 {
			e.Generation = 2
		}
		s.timeline = append(s.timeline, models.TimelineView{TimelineEntry: e, ActorName: new("Ana"), HolderName: new("Ana")})
	}
	c := s.desk.Connection(server.URL)
	c.Network.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	c.Options = psa.Options{SetOwner: true, Status: map[psa.StepName]string{psa.StepEscalated: "Escalated", psa.StepClaimed: "In Progress", psa.StepReleased: "New"}}
	client, err := vendors.New(c, vendors.Options{})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	s.psa = &connection{client: client, options: c.Options, version: "1"}
	return s
}

func (s *story) Project(context.Context, models.Snapshot) (models.HandoffView, error) {
	return s.view, nil
}

func (s *story) Handoff(context.Context, uuid.UUID, uuid.UUID) (models.HandoffView, error) {
	return s.view, nil
}

func (s *story) Session(context.Context, uuid.UUID) (models.Session, error) {
	return models.Session{PSATicket: s.view.PSATicket}, nil
}

func (s *story) Steps(context.Context, uuid.UUID) ([]models.Step, error) { return nil, nil }

func (s *story) Timeline(context.Context, uuid.UUID, uuid.UUID) ([]models.TimelineView, error) {
	return s.timeline, nil
}

func (s *story) User(context.Context, uuid.UUID) (models.User, error) { return s.holder, nil }

func (s *story) PSASteps(context.Context, uuid.UUID) (rows []models.PSAStep, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for v := 1; v <= len(s.timeline); v++ {
		if row, found := s.steps[v]; found {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

func (s *story) RecordPSASteps(_ context.Context, _ uuid.UUID, rows []models.PSAStep) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range rows {
		s.steps[r.Version] = r
	}
	return nil
}

func (s *story) TellTicket(_ context.Context, _ uuid.UUID, _ string, steps []activities.EffectInput) error {
	s.told = append(s.told, steps...)
	return nil
}

func (s *story) environment(connected bool) *testsuite.TestActivityEnvironment {
	return environmentOf(s.activities(connected))
}

func environmentOf(a *activities.Activities) *testsuite.TestActivityEnvironment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(a)
	return env
}

func (s *story) activities(connected bool) *activities.Activities {
	ticketing := activities.Ticketing{Tickets: s}
	if connected {
		ticketing.PSA = s.psa
	}
	return activities.New(activities.Options{Records: s, Ticketing: ticketing, Redaction: nothing{}, Log: slog.New(slog.DiscardHandler)})
}

func (s *story) push(env *testsuite.TestActivityEnvironment, version int) (pushed activities.Pushed, err error) {
	t := s.timeline[version-1]
	value, err := env.ExecuteActivity(acts.PushStep, activities.EffectInput{
		AccountID: s.view.AccountID, SessionID: s.view.SessionID, HandoffID: s.view.ID, Verb: t.Verb, Generation: t.Generation, Version: version,
	})
	if err == nil {
		err = value.Get(&pushed)
	}
	return pushed, err
}

func (s *story) notes() []psatest.Note {
	t, _ := s.desk.Desk().Ticket(s.ticket)
	return t.Notes
}

func TestPushStep(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	env := s.environment(true)
	for v := range s.timeline {
		pushed, err := s.push(env, v+1)
		require.NoError(t, err)
		require.Equal(t, models.EffectDone, pushed.State)
		require.Equal(t, strconv.FormatInt(s.notes()[v].ID, 10), *s.steps[v+1].NoteID)
	}
	require.Len(t, s.notes(), 4, "a release and a cancel after it are two notes")
	require.Equal(t, "ana", s.desk.Desk().OwnerIdentifier(s.ticket))
	require.Contains(t, s.notes()[3].Text, "taken back")

	calls := len(s.desk.Desk().Requests())
	_, err := s.push(env, 2)
	require.NoError(t, err)
	require.Len(t, s.desk.Desk().Requests(), calls, "what is done is not told again")

	// A restored database has forgotten it: the note is found, and the status
	// of a later step stays.
	delete(s.steps, 2)
	pushed, err := s.push(env, 2)
	require.NoError(t, err)
	require.Equal(t, models.EffectDone, pushed.State)
	require.Len(t, s.notes(), 4)
	require.Equal(t, "New", s.desk.Desk().StatusName(s.ticket))
}

// TestPushStepOfQuestions: each of them and each answer is a note of its own,
// and the status is that of a handoff which nobody works on.
func TestPushStepOfQuestions(t *testing.T) {
	t.Parallel()
	s := returnedStory(t)
	env := s.environment(true)
	status := map[models.Verb]string{models.VerbClaim: "In Progress", models.VerbCreate: "Escalated"}
	for v, e := range s.timeline {
		pushed, err := s.push(env, v+1)
		require.NoError(t, err)
		require.Equal(t, models.EffectDone, pushed.State)
		require.Len(t, s.notes(), v+1)
		require.Equal(t, cmp.Or(status[e.Verb], "New"), s.desk.Desk().StatusName(s.ticket), e.Verb)
	}
	text := func(version int) string { return psa.StripHTML(s.notes()[version-1].Text) }
	require.Contains(t, text(3), "Returned by Sam with questions")
	require.Contains(t, text(3), "It waits for the answer of Sam, and goes back to Ana then.")
	require.Contains(t, text(3), "Questions:")
	require.Contains(t, text(3), `firmware`)
	require.Equal(t, "returned", s.steps[3].Step)
	require.Contains(t, text(4), "Answered by Sam")
	require.Contains(t, text(4), "reserved for Ana until 10:22 UTC")
	require.Contains(t, text(4), "7.2.4")
	require.Equal(t, "answered", s.steps[4].Step)

	for version, mark := range map[int]psa.Mark{
		3: {Step: psa.StepReturned, Generation: 1}, 4: {Step: psa.StepAnswered, Generation: 1},
		6: {Step: psa.StepReturned, Generation: 2}, 7: {Step: psa.StepReleased, Generation: 2},
		9: {Step: psa.StepReturned, Generation: 3}, 10: {Step: psa.StepReleased, Generation: 3},
	} {
		mark.Handoff = s.view.ID
		require.True(t, mark.In(s.notes()[version-1].Text), "version %d has the mark %s", version, mark)
	}
}

func TestPushStepShowsTrouble(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	env := s.environment(true)
	faults := s.desk.Desk().Faults()
	faults.Set(psatest.Fault{Kind: psatest.FaultRateLimit, RetryAfter: "77"})
	_, err := s.push(env, 1)
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	require.False(t, app.NonRetryable())
	require.Equal(t, 77*time.Second, app.NextRetryDelay(), "as the PSA asks")
	require.Equal(t, models.EffectRetrying, s.steps[1].State)
	require.WithinDuration(t, time.Now().Add(77*time.Second), *s.steps[1].NextAttemptAt, 30*time.Second)

	faults.Set(psatest.Fault{Kind: psatest.FaultStatus, Status: http.StatusServiceUnavailable})
	_, err = s.push(env, 1)
	require.ErrorAs(t, err, &app)
	require.Equal(t, 2, s.steps[1].Attempts)
	require.Error(t, s.psa.last)

	faults.Set(psatest.Fault{Kind: psatest.FaultCredentials})
	pushed, err := s.push(env, 1)
	require.NoError(t, err)
	require.Equal(t, models.EffectFailed, pushed.State)
	require.NotEmpty(t, pushed.Connection)
	require.Equal(t, pushed.Reason, *s.steps[1].Reason)
	require.Equal(t, 3, s.steps[1].Attempts)
	require.Nil(t, s.steps[1].NextAttemptAt)

	_, err = env.ExecuteActivity(acts.ConnectionChanged, s.view.AccountID, pushed.Connection)
	require.Error(t, err, "it is as it was")
	s.psa.version = "2"
	_, err = env.ExecuteActivity(acts.ConnectionChanged, s.view.AccountID, pushed.Connection)
	require.NoError(t, err)
}

func TestPushStepStartsAnewAfterAFailure(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.steps[1] = models.PSAStep{Version: 1, Step: "escalated", State: models.EffectFailed, Attempts: 40}
	_, err := s.push(s.environment(true), 1)
	require.NoError(t, err)
	require.Equal(t, 1, s.steps[1].Attempts)
}

func TestPushStepWaitsForTheDocumentation(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.view.Documentation = nil
	env := s.environment(true)
	pushed, err := s.push(env, 1)
	require.NoError(t, err)
	require.Equal(t, models.EffectPending, pushed.State)
	require.Empty(t, s.desk.Desk().Requests())

	s.view.Effects = []models.Effect{{Kind: models.EffectDocumentation, State: models.EffectFailed, Reason: new("Why.")}}
	pushed, err = s.push(env, 1)
	require.NoError(t, err)
	require.Equal(t, models.EffectFailed, pushed.State)
	require.Contains(t, pushed.Reason, "Why.")
}

func TestAStepIsSkippedWhenTheConnectionIsGone(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	pushed, err := s.push(s.environment(false), 1)
	require.NoError(t, err)
	require.Equal(t, models.EffectSkipped, pushed.State)
	require.Equal(t, "No PSA is connected.", *s.steps[1].Reason)
}

// TestAnAccountHasAFewTurns: what stalls takes no more than its share, and
// whoever has to wait does not wait in a slot.
func TestAnAccountHasAFewTurns(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	shared := s.activities(true)
	env := environmentOf(shared)
	_, err := s.push(env, 1) // it knows the PSA then
	require.NoError(t, err)
	free, reached := make(chan struct{}), make(chan struct{}, 3)
	s.desk.Desk().Faults().Set(psatest.Fault{Kind: psatest.FaultSlow, Until: free, Reached: reached, On: []psatest.Op{psatest.OpNotes}})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { _, _ = s.push(environmentOf(shared), 2) })
		<-reached
	}
	_, err = s.push(env, 3)
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	require.Equal(t, "busy", app.Type())
	require.Positive(t, app.NextRetryDelay())
	require.NotContains(t, s.steps, 3, "it was no attempt")
	close(free)
	wg.Wait()
	s.desk.Desk().Faults().Clear()
	_, err = s.push(env, 3)
	require.NoError(t, err)
}

// TestProjectHandsOver: each transition, in order, until it is settled; also
// what had no connection once one is there.
func TestProjectHandsOver(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	snap := models.Snapshot{AccountID: s.view.AccountID, SessionID: s.view.SessionID, HandoffID: s.view.ID}
	for _, e := range s.timeline {
		snap.Transitions = append(snap.Transitions, models.Transition{Version: e.Version, Verb: e.Verb, Generation: e.Generation})
	}
	versions := func() (all []int) {
		for _, step := range s.told {
			all = append(all, step.Version)
		}
		s.told = nil
		return all
	}
	_, err := s.environment(false).ExecuteActivity(acts.Project, snap)
	require.NoError(t, err)
	require.Empty(t, versions())
	require.Equal(t, models.EffectSkipped, s.steps[4].State)
	delete(s.steps, 4)
	_, err = s.environment(false).ExecuteActivity(acts.Project, snap)
	require.NoError(t, err)
	require.NotContains(t, s.steps, 4, "said once is enough")

	env := s.environment(true)
	_, err = env.ExecuteActivity(acts.Project, snap)
	require.NoError(t, err)
	require.Equal(t, []int{1, 2, 3, 4}, versions())
	require.Equal(t, models.EffectPending, s.steps[4].State)

	s.steps[1] = models.PSAStep{Version: 1, State: models.EffectDone}
	_, err = env.ExecuteActivity(acts.Project, snap)
	require.NoError(t, err)
	require.Equal(t, []int{2, 3, 4}, versions(), "until it is settled")

	s.view.PSATicket = nil
	_, err = env.ExecuteActivity(acts.Project, snap)
	require.NoError(t, err)
	require.Empty(t, versions())
}
