package app_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/baton-handoff/baton/internal/app"
	"github.com/baton-handoff/baton/internal/config"
	"github.com/baton-handoff/baton/internal/engine"
	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/internal/testenv"
	"github.com/baton-handoff/baton/models"
	"github.com/baton-handoff/baton/workflows"
)

// TestEverythingStartsWithoutTemporal: the API serves what it can, and the
// worker begins when Temporal is there.
func TestEverythingStartsWithoutTemporal(t *testing.T) {
	t.Parallel()
	stack := testenv.Stack(t)
	require.NoError(t, migrate(t.Context(), stack.DatabaseURL))
	b := installBaton(t, stack.DatabaseURL, stack.TemporalAddress, "default")
	require.NoError(t, stack.Temporal().Kill())

	cfg, err := config.Load(b.environ())
	require.NoError(t, err)
	a, err := app.New(t.Context(), app.Options{Config: cfg, Temporal: b.temporalOptions(), API: true, Worker: true, Logger: quiet()})
	require.NoError(t, err)
	t.Cleanup(func() { a.Stop(context.WithoutCancel(t.Context())) })
	require.NoError(t, a.Start(t.Context()))
	base := "http://" + a.Addr
	status, _ := b.call(b.ana, http.MethodGet, base+"/api/v1/ai-sessions/queue", nil)
	require.Equal(t, http.StatusOK, status)

	require.NoError(t, stack.Temporal().Restart(t.Context()))
	eventually(t, "the worker works", func() bool {
		select {
		case <-a.Working():
			return true
		default:
			return false
		}
	})
	h := b.handOff(base)
	_, err = b.as(b.ana, base).Claim(t.Context(), h.SessionID, h.ID)
	require.NoError(t, err)
}

// TestAClaimForAGhostCanBeReleased: an operator's signal names somebody whom
// the account does not have. Temporal cannot know; nothing gets stuck.
func TestAClaimForAGhostCanBeReleased(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	b.worker()
	base := b.api()
	h := b.handOff(base)
	require.NoError(t, b.temporal.SignalWorkflow(t.Context(), workflows.WorkflowID(h.AccountID, h.SessionID), "",
		workflows.SignalClaim, workflows.ClaimSignal{HandoffID: h.ID, UserID: b.eve.ID}))
	eventually(t, "the claim is shown", func() bool {
		got, err := b.as(b.ana, base).Handoff(t.Context(), h.SessionID, h.ID)
		return err == nil && got.ClaimedBy != nil && got.ClaimedByName == nil
	})
	status, body := b.call(b.ada, http.MethodPost, handoffURL(base, h)+"/release", map[string]any{})
	require.Equal(t, http.StatusOK, status, "%v", body)
	_, err := b.as(b.ana, base).Claim(t.Context(), h.SessionID, h.ID)
	require.NoError(t, err)
}

// forget puts the database back to a time before a handoff's later decisions,
// as a restore from a backup does.
func (b *baton) forget(handoff uuid.UUID, statements ...string) {
	b.t.Helper()
	conn, err := pgx.Connect(b.t.Context(), b.databaseURL)
	require.NoError(b.t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(b.t.Context())) }()
	for _, s := range statements {
		_, err := conn.Exec(b.t.Context(), s, handoff)
		require.NoError(b.t, err)
	}
}

// TestARestoredDatabaseIsBroughtUpToDate loses decisions that Temporal knows.
func TestARestoredDatabaseIsBroughtUpToDate(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	b.worker()
	base := b.api()
	h := b.handOff(base)
	_, err := b.as(b.ana, base).Claim(t.Context(), h.SessionID, h.ID)
	require.NoError(t, err)
	id := workflows.WorkflowID(h.AccountID, h.SessionID)
	lose := func() {
		t.Helper()
		eventually(t, "the workflow's own projection is over", func() bool {
			d, err := b.temporal.DescribeWorkflowExecution(t.Context(), id, "")
			return err == nil && len(d.GetPendingActivities()) == 0 && b.sql(`SELECT version FROM handoffs WHERE id = $1`, h.ID) == 2
		})
		b.forget(h.ID,
			`DELETE FROM handoff_transitions WHERE handoff_id = $1 AND version > 1`,
			`UPDATE handoffs SET version = 1, status = 'queued', claimed_by = NULL, claimed_at = NULL WHERE id = $1`)
	}

	lose()
	_, err = b.as(b.ben, base).Claim(t.Context(), h.SessionID, h.ID)
	require.Equal(t, "Ana", requireRefusal(t, err, http.StatusConflict, models.CodeAlreadyClaimed).ClaimedBy)
	got, err := b.as(b.ben, base).Handoff(t.Context(), h.SessionID, h.ID)
	require.NoError(t, err)
	require.Equal(t, b.ana.ID, *got.ClaimedBy, "whoever is refused can see why")

	lose()
	shown := 0
	eventually(t, "the handoff is found", func() bool { // visibility is a little behind
		require.NoError(t, engine.New(b.temporal, b.store, quiet(), 0).Reproject(t.Context(), time.Now().Add(-time.Hour), func(_ models.Snapshot, err error) {
			require.NoError(t, err)
			shown++
		}))
		return shown > 0
	})
	require.Equal(t, 2, b.sql(`SELECT version FROM handoffs WHERE id = $1`, h.ID))
}

// TestChangingAUserChangesOnlyThat: a new role does not let anybody back in.
func TestChangingAUserChangesOnlyThat(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	ctx := tenant.With(t.Context(), b.ana.AccountID)
	b.changeUser(b.ana, models.UserChange{Disabled: new(true)})
	b.changeUser(b.ana, models.UserChange{Role: new(models.RoleAdmin)})
	u, err := b.store.UserBySubject(ctx, *b.ana.Subject)
	require.NoError(t, err)
	require.NotNil(t, u.DisabledAt)
	require.Equal(t, models.RoleAdmin, u.Role)
	b.changeUser(b.ana, models.UserChange{Disabled: new(false)})
	u, err = b.store.UserBySubject(ctx, *b.ana.Subject)
	require.NoError(t, err)
	require.Nil(t, u.DisabledAt)
}

// TestAMissingNamespaceIsUnavailable: what cannot have happened is not said to
// be unknown.
func TestAMissingNamespaceIsUnavailable(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	b.namespace = "there-is-no-such-namespace"
	base := b.api()
	session := b.session(base)
	status, body := b.call(b.sam, http.MethodPost, base+"/api/v1/ai-sessions/"+session.String()+"/handoff",
		map[string]any{"intent": "escalate", "engineer_notes": "help"})
	require.Equal(t, http.StatusServiceUnavailable, status, "%v", body)
	require.Equal(t, 0, b.sql(`SELECT count(*) FROM handoffs`))
}

// TestALateTwinOfAFinishedHandoffEndsByItself: an API stands still between
// preparing a handoff and starting its workflow, while the same request goes
// through another replica and the handoff comes to its end. What the first one
// then starts must not stay, or the session could never be handed off again.
func TestALateTwinOfAFinishedHandoffEndsByItself(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	b.worker()
	base := b.api()
	h := b.handOff(base)
	id := workflows.WorkflowID(h.AccountID, h.SessionID)
	status, body := b.call(b.sam, http.MethodPost, handoffURL(base, h)+"/cancel", map[string]any{"note": "found it"})
	require.Equal(t, http.StatusOK, status, "%v", body)
	require.NoError(t, b.temporal.GetWorkflow(t.Context(), id, "").Get(t.Context(), nil))
	told := b.sql(`SELECT count(*) FROM feed_events WHERE handoff_id = $1 AND type <> 'handoff_updated'`, h.ID)

	late, err := b.temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: workflows.TaskQueue}, workflows.HandoffWorkflow, workflows.HandoffInput{
		AccountID: h.AccountID, SessionID: h.SessionID, HandoffID: h.ID, Intent: models.IntentEscalate,
		Priority: models.PriorityNormal, SenderID: b.sam.ID, CreatedAt: h.CreatedAt,
	})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var result workflows.HandoffResult
	require.NoError(t, late.Get(ctx, &result), "it ends by itself")
	require.Equal(t, models.StatusCancelled, result.Status, "as what the handoff is")

	require.Equal(t, told, b.sql(`SELECT count(*) FROM feed_events WHERE handoff_id = $1 AND type <> 'handoff_updated'`, h.ID), "nobody is told anything new")
	got, err := b.as(b.ana, base).Handoff(t.Context(), h.SessionID, h.ID)
	require.NoError(t, err)
	require.EqualValues(t, models.StatusCancelled, got.Status)
	_, err = b.as(b.sam, base).HandOff(t.Context(), uuid.NewString(), h.SessionID, escalation())
	require.NoError(t, err, "the session can be handed off again")
}

// TestASideEffectOutlivesItsHandoff: what is left to do for a closed handoff is
// done when it can be, however long that takes, and meanwhile the session can
// be handed off again.
func TestASideEffectOutlivesItsHandoff(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	b.worker()
	base := b.api()
	b.exec(`ALTER TABLE handoff_documentation ADD CONSTRAINT broken CHECK (markdown IS NULL) NOT VALID`)
	h := b.handOff(base)
	status, body := b.call(b.sam, http.MethodPost, handoffURL(base, h)+"/cancel", map[string]any{"note": "found it"})
	require.Equal(t, http.StatusOK, status, "%v", body)
	require.NoError(t, b.temporal.GetWorkflow(t.Context(), workflows.WorkflowID(h.AccountID, h.SessionID), "").Get(t.Context(), nil), "the handoff ends")
	b.exec(`ALTER TABLE handoff_documentation DROP CONSTRAINT broken`)

	effect := b.temporal.GetWorkflow(t.Context(), workflows.EffectWorkflowID(h.AccountID, h.ID, models.EffectDocumentation), "")
	require.NoError(t, effect.Get(t.Context(), nil))
	got, err := b.as(b.ana, base).Handoff(t.Context(), h.SessionID, h.ID)
	require.NoError(t, err)
	require.EqualValues(t, models.EffectDone, got.Documentation.State)
	require.Contains(t, *got.Documentation.Plain, "Please look at the connector.")
}
