package workflows

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/baton-handoff/baton/activities"
	"github.com/baton-handoff/baton/models"
)

// play is a HandoffWorkflow in the SDK's time-skipping environment, with
// activities that only remember what they were asked.
type play struct {
	*testsuite.TestWorkflowEnvironment
	t         *testing.T
	in        HandoffInput
	projected []models.Snapshot
	project   func() error
	document  func(attempt int) error
	attempts  int
}

func newPlay(t *testing.T, intent models.Intent) *play {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	p := &play{TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment(), t: t, project: func() error { return nil }, document: func(int) error { return nil }}
	p.SetStartTime(testEpoch)
	s := begin(intent)
	p.in = HandoffInput{
		AccountID: s.AccountID, SessionID: s.SessionID, HandoffID: s.HandoffID,
		Intent: intent, Priority: models.PriorityHigh, SenderID: sender, CreatedAt: testEpoch,
	}
	require.NoError(t, p.SetTypedSearchAttributesOnStart(StartAttributes(p.in)))
	p.RegisterWorkflow(HandoffWorkflow)
	p.RegisterActivityWithOptions(func(_ context.Context, s models.Snapshot) error {
		if err := p.project(); err != nil {
			return err
		}
		p.projected = append(p.projected, s)
		return nil
	}, activity.RegisterOptions{Name: "Project"})
	p.RegisterActivityWithOptions(func(context.Context, activities.EffectInput) error {
		p.attempts++
		return p.document(p.attempts)
	}, activity.RegisterOptions{Name: "Document"})
	return p
}

// at lets somebody ask for something after d, and returns where the answer
// will be.
func (p *play) at(d time.Duration, a act) *answer {
	ans := &answer{}
	p.RegisterDelayedCallback(func() {
		p.UpdateWorkflow(string(a.verb), uuid.NewString(), ans, Request{
			HandoffID: p.in.HandoffID, Generation: a.generation, ActorID: a.who, ActorRole: roles[a.who], TargetUserID: a.target,
		})
	}, d)
	return ans
}

type answer struct {
	snap     models.Snapshot
	err      error
	rejected bool
	complete bool
}

func (a *answer) Accept()          {}
func (a *answer) Reject(err error) { a.err, a.rejected = err, true }
func (a *answer) Complete(v any, err error) {
	a.err, a.complete = err, true
	if s, ok := v.(models.Snapshot); ok {
		a.snap = s
	}
}

func (p *play) run() HandoffResult {
	p.t.Helper()
	p.ExecuteWorkflow(HandoffWorkflow, p.in)
	require.True(p.t, p.IsWorkflowCompleted())
	require.NoError(p.t, p.GetWorkflowError())
	var result HandoffResult
	require.NoError(p.t, p.GetWorkflowResult(&result))
	require.Equal(p.t, result.Version, p.projected[len(p.projected)-1].Version(), "it does not end before readers know")
	return result
}

func TestStoryOfAHandoff(t *testing.T) {
	t.Parallel()
	p := newPlay(t, models.IntentEscalate)
	won := p.at(time.Hour, act{verb: models.VerbClaim, who: ana})
	lost := p.at(2*time.Hour, act{verb: models.VerbClaim, who: ben})
	p.at(3*time.Hour, act{verb: models.VerbRelease, who: ana})
	p.at(4*time.Hour, act{verb: models.VerbClaim, who: ben})
	p.at(5*time.Hour, act{verb: models.VerbResolve, who: ben})
	late := p.at(5*time.Hour, act{verb: models.VerbClaim, who: ana})
	result := p.run()

	require.Equal(t, HandoffResult{HandoffID: p.in.HandoffID, Status: models.StatusResolved, Generation: 2, Version: 5}, result)
	require.NoError(t, won.err)
	require.Equal(t, ana, *won.snap.Last().HolderID)
	require.True(t, won.snap.Last().At.Equal(testEpoch.Add(time.Hour)))
	require.True(t, lost.rejected, "a refusal costs no history")
	refusal, state := RefusalFrom(lost.err)
	require.Equal(t, 2, state.Version(), "it comes with the state that it is about")
	require.NotNil(t, refusal)
	require.Equal(t, models.CodeAlreadyClaimed, refusal.Code)
	require.Equal(t, ana, refusal.Claim.ByID)
	require.Error(t, late.err)
	require.Equal(t, 1, p.attempts, "documented once")
}

func TestClaimSignalIsASecondDoor(t *testing.T) {
	t.Parallel()
	p := newPlay(t, models.IntentEscalate)
	p.RegisterDelayedCallback(func() {
		p.SignalWorkflow(SignalClaim, ClaimSignal{HandoffID: p.in.HandoffID, UserID: ana})
	}, time.Hour)
	lost := p.at(2*time.Hour, act{verb: models.VerbClaim, who: ben})
	p.at(3*time.Hour, act{verb: models.VerbResolve, who: ana})
	p.run()
	refusal, _ := RefusalFrom(lost.err)
	require.Equal(t, models.CodeAlreadyClaimed, refusal.Code)
	claim := p.projected[len(p.projected)-1].Transitions[1]
	require.Equal(t, models.DoorOperator, claim.Door)
	require.Equal(t, ana, claim.ActorID)
}

// TestSignalThatCameFirstWins sends a signal and an update into one workflow
// task: the SDK runs the update first, and the signal still wins.
func TestSignalThatCameFirstWins(t *testing.T) {
	t.Parallel()
	p := newPlay(t, models.IntentEscalate)
	late := &answer{}
	p.RegisterDelayedCallback(func() {
		p.SignalWorkflowSkippingWorkflowTask(SignalClaim, ClaimSignal{HandoffID: p.in.HandoffID, UserID: ana})
		p.UpdateWorkflow(string(models.VerbClaim), "late", late, Request{HandoffID: p.in.HandoffID, ActorID: ben, ActorRole: models.RoleEngineer})
	}, time.Hour)
	p.at(2*time.Hour, act{verb: models.VerbResolve, who: ana})
	p.run()
	require.Error(t, late.err)
	refusal, _ := RefusalFrom(late.err)
	require.Equal(t, models.CodeAlreadyClaimed, refusal.Code)
}

func TestRefusedSignalsAreShownToOperators(t *testing.T) {
	t.Parallel()
	p := newPlay(t, models.IntentEscalate)
	var details string
	p.RegisterDelayedCallback(func() {
		p.SignalWorkflow(SignalClaim, ClaimSignal{HandoffID: p.in.HandoffID, UserID: sender})
		p.SignalWorkflow(SignalClaim, ClaimSignal{HandoffID: uuid.New(), UserID: ana})
		p.SignalWorkflow(SignalClaim, ClaimSignal{HandoffID: p.in.HandoffID})
		p.SignalWorkflow(SignalClaim, "ana")
		p.SignalWorkflow(SignalClaim, map[string]any{"handoff_id": 7})
	}, time.Hour)
	p.RegisterDelayedCallback(func() {
		details = p.details()
	}, 2*time.Hour)
	p.at(3*time.Hour, act{verb: models.VerbCancel, who: sender})
	require.Equal(t, models.StatusCancelled, p.run().Status)
	require.Contains(t, details, "escalated this session yourself")
	require.Contains(t, details, "Handoff not found")
	require.Contains(t, details, "user_id is missing")
	require.Contains(t, details, "the payload is not", "also what cannot be read")
	require.Contains(t, details, "QUEUED")
}

// TestAReservationEndsByItself: nobody has to be there for it, and no timer
// runs.
func TestAReservationEndsByItself(t *testing.T) {
	t.Parallel()
	p := newPlay(t, models.IntentEscalate)
	p.at(time.Hour, act{verb: models.VerbClaim, who: ana})
	p.at(2*time.Hour, act{verb: models.VerbReturn, who: ana})
	waiting := p.at(3*time.Hour, act{verb: models.VerbClaim, who: ben})
	p.at(4*time.Hour, act{verb: models.VerbAnswer, who: sender})
	early := p.at(4*time.Hour+models.ReservedFor-time.Second, act{verb: models.VerbClaim, who: ben})
	var details string
	p.RegisterDelayedCallback(func() {
		p.SignalWorkflow(SignalClaim, ClaimSignal{HandoffID: p.in.HandoffID, UserID: ben})
	}, 4*time.Hour+time.Minute)
	p.RegisterDelayedCallback(func() { details = p.details() }, 4*time.Hour+2*time.Minute)
	late := p.at(4*time.Hour+models.ReservedFor, act{verb: models.VerbClaim, who: ben})
	p.at(5*time.Hour, act{verb: models.VerbResolve, who: ben})
	require.Equal(t, models.StatusResolved, p.run().Status)
	refusal, _ := RefusalFrom(waiting.err)
	require.Equal(t, models.CodeConflict, refusal.Code)
	refusal, _ = RefusalFrom(early.err)
	require.Equal(t, models.CodeReserved, refusal.Code)
	require.Equal(t, &models.Reservation{ForID: ana, Until: testEpoch.Add(4*time.Hour + models.ReservedFor)}, refusal.Reservation)
	require.NoError(t, late.err)
	require.Contains(t, details, "reserved for them until: "+testEpoch.Add(4*time.Hour+models.ReservedFor).Format(time.RFC3339))
	require.Contains(t, details, "is reserved for who asked", "an operator's signal is refused like everybody else")
}

func TestCancellingTheWorkflowCancelsAQueuedHandoff(t *testing.T) {
	t.Parallel()
	p := newPlay(t, models.IntentEscalate)
	p.RegisterDelayedCallback(p.CancelWorkflow, time.Hour)
	require.Equal(t, models.StatusCancelled, p.run().Status)
	last := p.projected[len(p.projected)-1].Last()
	require.Equal(t, models.DoorOperator, last.Door)
}

func TestCancellingTheWorkflowCannotTakeAClaimAway(t *testing.T) {
	t.Parallel()
	p := newPlay(t, models.IntentEscalate)
	p.at(time.Hour, act{verb: models.VerbClaim, who: ana})
	p.RegisterDelayedCallback(p.CancelWorkflow, 2*time.Hour)
	p.at(3*time.Hour, act{verb: models.VerbResolve, who: ana})
	require.Equal(t, models.StatusResolved, p.run().Status)
}

// TestAStuckSideEffectHoldsNothingUp is promise 3, inside the workflow.
func TestAStuckSideEffectHoldsNothingUp(t *testing.T) {
	t.Parallel()
	p := newPlay(t, models.IntentEscalate)
	p.document = func(attempt int) error {
		if attempt < 8 { // minutes of retries; the environment allows ten
			return temporal.NewApplicationError("The database is not available now.", string(models.CodeUnavailable))
		}
		return nil
	}
	claimed := p.at(time.Minute, act{verb: models.VerbClaim, who: ana})
	var before int
	p.RegisterDelayedCallback(func() { before = p.attempts }, 2*time.Minute)
	p.at(3*time.Minute, act{verb: models.VerbResolve, who: ana})
	require.Equal(t, models.StatusResolved, p.run().Status)
	require.NoError(t, claimed.err)
	require.Positive(t, before)
	require.Equal(t, 8, p.attempts, "it was tried until it worked, with nobody's help")
}

func TestAnEffectThatNoRetryMendsIsShown(t *testing.T) {
	t.Parallel()
	p := newPlay(t, models.IntentEscalate)
	p.document = func(int) error {
		return temporal.NewNonRetryableApplicationError("Handoff not found", string(models.CodeNotFound), nil)
	}
	var details string
	p.RegisterDelayedCallback(func() { details = p.details() }, time.Hour)
	p.at(2*time.Hour, act{verb: models.VerbCancel, who: sender})
	p.run()
	require.Contains(t, details, "documentation: **failed** (Handoff not found)")
	require.Equal(t, 1, p.attempts)
}

func TestProjectionIsRetriedUntilItWorks(t *testing.T) {
	t.Parallel()
	p := newPlay(t, models.IntentEscalate)
	failures := 0
	p.project = func() error {
		if failures++; failures < 9 {
			return errors.New("PostgreSQL is down")
		}
		return nil
	}
	claimed := p.at(time.Second, act{verb: models.VerbClaim, who: ana})
	p.at(2*time.Second, act{verb: models.VerbRelease, who: ana})
	p.at(3*time.Second, act{verb: models.VerbClaim, who: ben})
	p.at(time.Hour, act{verb: models.VerbResolve, who: ben})
	p.run()
	require.NoError(t, claimed.err, "a claim does not wait for the projection")
	require.Equal(t, 1, p.projected[0].Version())
	require.Equal(t, 4, p.projected[1].Version(), "what was decided meanwhile goes together")
}

// TestASideEffectOutlivesItsHandoff: the session can be handed off again soon,
// and what is left to do is done all the same.
func TestASideEffectOutlivesItsHandoff(t *testing.T) {
	t.Parallel()
	p := newPlay(t, models.IntentEscalate)
	p.document = func(int) error { return errors.New("PostgreSQL is down") }
	var handed EffectInput
	p.RegisterWorkflowWithOptions(func(_ workflow.Context, in EffectInput) error {
		handed = in
		return nil
	}, workflow.RegisterOptions{Name: "EffectWorkflow"})
	p.at(time.Minute, act{verb: models.VerbCancel, who: sender})
	p.run()
	require.WithinDuration(t, testEpoch.Add(time.Minute+closingGrace), p.Now(), time.Second)
	require.Equal(t, models.EffectDocumentation, handed.Kind)
	require.Len(t, handed.Steps, 1)
	require.Equal(t, models.VerbCreate, handed.Steps[0].Verb)
	require.False(t, handed.Steps[0].Last)

	later := newPlay(t, models.IntentEscalate)
	later.document = func(attempt int) error {
		if attempt < 8 {
			return errors.New("PostgreSQL is down")
		}
		return nil
	}
	later.RegisterWorkflow(EffectWorkflow)
	later.ExecuteWorkflow(EffectWorkflow, handed)
	require.NoError(t, later.GetWorkflowError())
	require.Equal(t, 8, later.attempts)
}

// details is what the Temporal UI shows as the current details now.
func (p *play) details() string {
	v, err := p.QueryWorkflow("__temporal_workflow_metadata")
	require.NoError(p.t, err)
	var metadata sdkpb.WorkflowMetadata
	require.NoError(p.t, v.Get(&metadata))
	return metadata.GetCurrentDetails()
}
