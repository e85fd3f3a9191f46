package activities_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.uber.org/goleak"

	"github.com/baton-handoff/baton/activities"
	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// records is a Records of funcs. What a test does not set must not be called.
type records struct {
	activities.Records
	project func(models.Snapshot) error
	handoff func() (models.HandoffView, error)
	steps   []models.Step
	effects []models.Effect
	docs    []models.Documentation
	tenant  uuid.UUID
}

func (r *records) Project(ctx context.Context, s models.Snapshot) (models.HandoffView, error) {
	r.tenant = tenant.From(ctx).Account
	return models.HandoffView{}, r.project(s)
}

func (r *records) Handoff(ctx context.Context, _, _ uuid.UUID) (models.HandoffView, error) {
	r.tenant = tenant.From(ctx).Account
	return r.handoff()
}

func (r *records) Session(context.Context, uuid.UUID) (models.Session, error) {
	return models.Session{Title: "Outlook does not sync", ClientName: "Larch Dental"}, nil
}

func (r *records) Steps(context.Context, uuid.UUID) ([]models.Step, error) { return r.steps, nil }

func (r *records) RecordEffect(_ context.Context, e models.Effect) error {
	r.effects = append(r.effects, e)
	return nil
}

func (r *records) SaveDocumentation(_ context.Context, d models.Documentation, e models.Effect) error {
	r.docs, r.effects = append(r.docs, d), append(r.effects, e)
	return nil
}

func environment(t *testing.T, r *records, m activities.Maintenance) *testsuite.TestActivityEnvironment {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(activities.New(activities.Options{Records: r, Maintenance: m, Redaction: nothing{}, Log: slog.New(slog.DiscardHandler)}))
	return env
}

var acts *activities.Activities

// nothing takes nothing out.
type nothing struct{}

func (nothing) Texts(_ context.Context, texts []string) ([]string, map[string]int, error) {
	return texts, nil, nil
}

func TestDocumentRecordsItsOutcome(t *testing.T) {
	t.Parallel()
	in := activities.EffectInput{AccountID: uuid.New(), SessionID: uuid.New(), HandoffID: uuid.New()}
	away := models.Errorf(models.CodeUnavailable, "The database is not available now.")
	away.RetryAfter = 7 * time.Second
	for name, c := range map[string]struct {
		err          error
		state        models.EffectState
		reason       string
		nonRetryable bool
	}{
		"done":      {state: models.EffectDone},
		"temporary": {err: away, state: models.EffectRetrying, reason: away.Message},
		"permanent": {err: models.Errorf(models.CodeNotFound, "Handoff not found"), state: models.EffectFailed, reason: "Handoff not found", nonRetryable: true},
		"unknown":   {err: errors.New("dial tcp 10.0.0.1: secret detail"), state: models.EffectRetrying, reason: "An unexpected error; its details are in the worker's log."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &records{handoff: func() (models.HandoffView, error) {
				return models.HandoffView{Handoff: models.Handoff{Intent: models.IntentEscalate, EngineerNotes: "Please look."}}, c.err
			}}
			_, err := environment(t, r, activities.Maintenance{}).ExecuteActivity(acts.Document, in)
			require.Equal(t, in.AccountID, r.tenant, "it works for the account of its input")
			require.Len(t, r.effects, 1)
			effect := r.effects[0]
			require.Equal(t, c.state, effect.State)
			require.Equal(t, in.HandoffID, effect.HandoffID)
			require.Equal(t, 1, effect.Attempts)
			if c.err == nil {
				require.NoError(t, err)
				require.Contains(t, r.docs[0].Markdown, "Please look")
				return
			}
			require.Equal(t, c.reason, *effect.Reason)
			require.Equal(t, c.nonRetryable, effect.NextAttemptAt == nil, "people see when it is tried again")
			var app *temporal.ApplicationError
			require.ErrorAs(t, err, &app)
			require.Equal(t, c.nonRetryable, app.NonRetryable())
			require.NotContains(t, err.Error(), "10.0.0.1", "histories are durable: no details there")
			if errors.Is(c.err, away) {
				require.Equal(t, away.RetryAfter, app.NextRetryDelay())
			}
		})
	}
}

func TestProjectKeepsDetailsOutOfHistories(t *testing.T) {
	t.Parallel()
	snap := models.Snapshot{AccountID: uuid.New(), Transitions: []models.Transition{{Version: 1}}}
	r := &records{project: func(models.Snapshot) error { return errors.New("password=hunter2") }}
	_, err := environment(t, r, activities.Maintenance{}).ExecuteActivity(acts.Project, snap)
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	require.False(t, app.NonRetryable(), "projecting never gives up")
	require.NotContains(t, err.Error(), "hunter2")
	require.Equal(t, snap.AccountID, r.tenant)
}

// housekeeping is a MaintenanceRecords and Workflows that remembers.
type housekeeping struct {
	found     []models.Handoff
	running   map[uuid.UUID]bool
	discarded []uuid.UUID
	trouble   error
	pruned    bool
	forgot    bool
}

func (h *housekeeping) AbandonedStarts(context.Context, time.Duration, int) ([]models.Handoff, error) {
	return h.found, nil
}

func (h *housekeeping) DiscardAbandonedStart(_ context.Context, row models.Handoff) error {
	h.discarded = append(h.discarded, row.ID)
	return nil
}

func (h *housekeeping) StaleBriefings(context.Context, time.Duration, int) ([]models.Handoff, error) {
	return nil, nil
}

func (h *housekeeping) PrunePresence(context.Context, time.Duration) (int64, error) {
	h.forgot = true
	return 1, nil
}

func (h *housekeeping) PruneFeed(context.Context, time.Duration) (int64, error) {
	h.pruned = true
	return 3, nil
}

func (h *housekeeping) Running(_ context.Context, _, _, handoff uuid.UUID) (bool, error) {
	return h.running[handoff], h.trouble
}

func TestMaintainSparesWhatRuns(t *testing.T) {
	t.Parallel()
	alive, dead := models.Handoff{ID: uuid.New()}, models.Handoff{ID: uuid.New()}
	h := &housekeeping{found: []models.Handoff{alive, dead}, running: map[uuid.UUID]bool{alive.ID: true}}
	value, err := environment(t, &records{}, activities.Maintenance{Records: h, Workflows: h}).ExecuteActivity(acts.Maintain)
	require.NoError(t, err)
	var report activities.MaintenanceReport
	require.NoError(t, value.Get(&report))
	require.Equal(t, activities.MaintenanceReport{Starts: 1, Events: 3}, report)
	require.Equal(t, []uuid.UUID{dead.ID}, h.discarded)

	h.trouble, h.discarded, h.pruned = errors.New("Temporal is down at 10.0.0.1"), nil, false
	_, err = environment(t, &records{}, activities.Maintenance{Records: h, Workflows: h}).ExecuteActivity(acts.Maintain)
	require.Error(t, err)
	require.Empty(t, h.discarded, "what cannot be told to be dead is left alone")
	require.True(t, h.pruned, "and keeps nothing else from being done")
	require.True(t, h.forgot)
	require.NotContains(t, err.Error(), "10.0.0.1")
}
