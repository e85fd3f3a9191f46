package workflows

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/baton-handoff/baton/activities"
	"github.com/baton-handoff/baton/models"
)

// briefingPlay is a BriefingWorkflow in the time-skipping environment, with a
// model that does what a test says.
type briefingPlay struct {
	*testsuite.TestWorkflowEnvironment
	t *testing.T
	// ruled and asked are when the rules and the model were asked, since the start.
	ruled, asked []time.Duration
	left         int
	noModel      bool
	// ask answers the model's attempts, counted from 1.
	ask func(ctx context.Context, attempt int) (activities.Asked, error)
}

func newBriefingPlay(t *testing.T) *briefingPlay {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	p := &briefingPlay{TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment(), t: t}
	p.ask = func(context.Context, int) (activities.Asked, error) {
		return activities.Asked{State: models.EffectDone}, nil
	}
	p.SetStartTime(testEpoch)
	p.SetTestTimeout(time.Minute)
	require.NoError(t, p.SetTypedSearchAttributesOnStart(AccountAttributes(uuid.New())))
	p.RegisterWorkflow(BriefingWorkflow)
	p.RegisterActivityWithOptions(func(context.Context, activities.BriefingInput) (activities.Ruled, error) {
		p.ruled = append(p.ruled, p.Now().Sub(testEpoch))
		return activities.Ruled{Version: len(p.ruled), AskModel: !p.noModel}, nil
	}, activity.RegisterOptions{Name: "BriefByRules"})
	p.RegisterActivityWithOptions(func(ctx context.Context, in activities.ModelInput) (activities.Asked, error) {
		p.asked = append(p.asked, p.Now().Sub(testEpoch))
		require.Equal(t, len(p.ruled), in.After, "a model follows the newest briefing of the rules")
		return p.ask(ctx, len(p.asked))
	}, activity.RegisterOptions{Name: "BriefByModel"})
	p.RegisterActivityWithOptions(func(context.Context, activities.ModelInput) error {
		p.left++
		return nil
	}, activity.RegisterOptions{Name: "LeaveBriefing"})
	return p
}

func (p *briefingPlay) tell(d time.Duration, why models.BriefingReason) {
	p.RegisterDelayedCallback(func() { p.SignalWorkflow(SignalBrief, BriefingAsk{Reason: why}) }, d)
}

func (p *briefingPlay) run() {
	p.t.Helper()
	p.ExecuteWorkflow(BriefingWorkflow, BriefingInput{AccountID: uuid.New(), SessionID: uuid.New(), HandoffID: uuid.New()})
	require.True(p.t, p.IsWorkflowCompleted())
	require.NoError(p.t, p.GetWorkflowError())
}

// failing fails until the attempt, then succeeds.
func failing(until int, err error) func(context.Context, int) (activities.Asked, error) {
	return func(_ context.Context, attempt int) (activities.Asked, error) {
		if attempt < until {
			return activities.Asked{}, err
		}
		return activities.Asked{State: models.EffectDone}, nil
	}
}

func TestBriefingByRulesAlone(t *testing.T) {
	t.Parallel()
	p := newBriefingPlay(t)
	p.tell(0, models.BriefCreated)
	p.noModel = true
	p.run()
	require.Len(t, p.ruled, 1)
	require.Empty(t, p.asked)
}

func TestBriefingWaitsOutTrouble(t *testing.T) {
	t.Parallel()
	p := newBriefingPlay(t)
	p.tell(0, models.BriefCreated)
	p.ask = failing(8, temporal.NewApplicationErrorWithOptions("The model asks to wait.", "unavailable",
		temporal.ApplicationErrorOptions{NextRetryDelay: 20 * time.Second}))
	p.run()
	require.Len(t, p.ruled, 1)
	require.Len(t, p.asked, 8)
	require.GreaterOrEqual(t, p.asked[7], 7*20*time.Second)
}

// TestBriefingHealsOnceMended holds that what takes a person is tried again
// each hour, for a day.
func TestBriefingHealsOnceMended(t *testing.T) {
	t.Parallel()
	for _, mended := range []int{3, 1000} {
		p := newBriefingPlay(t)
		p.tell(0, models.BriefCreated)
		p.ask = func(_ context.Context, attempt int) (activities.Asked, error) {
			if attempt < mended {
				return activities.Asked{State: models.EffectFailed, Again: true}, nil
			}
			return activities.Asked{State: models.EffectDone}, nil
		}
		p.run()
		require.Len(t, p.asked, min(mended, 1+briefingAgainMost))
		require.InDelta(t, time.Hour, p.asked[1]-p.asked[0], float64(time.Minute))
	}
}

func TestBriefingGivesUpWhatNoRetryMends(t *testing.T) {
	t.Parallel()
	p := newBriefingPlay(t)
	p.tell(0, models.BriefCreated)
	p.ask = func(context.Context, int) (activities.Asked, error) {
		return activities.Asked{State: models.EffectFailed, Reason: "The model refuses."}, nil
	}
	p.run()
	require.Len(t, p.asked, 1)
}

// TestBriefingSettles holds that steps which keep coming renew a briefing once:
// when none came for a while, and at last when they never stop.
func TestBriefingSettles(t *testing.T) {
	t.Parallel()
	p := newBriefingPlay(t)
	p.noModel = true
	for d := time.Duration(0); d < 2*time.Minute; d += 10 * time.Second {
		p.tell(d, models.BriefSteps)
	}
	p.run()
	require.Len(t, p.ruled, 1)
	require.InDelta(t, 110*time.Second+briefingSettle, p.ruled[0], float64(time.Second))

	p = newBriefingPlay(t)
	p.noModel = true
	for d := time.Duration(0); d < 6*time.Minute; d += 10 * time.Second {
		p.tell(d, models.BriefSteps)
	}
	p.run()
	require.GreaterOrEqual(t, len(p.ruled), 1)
	require.InDelta(t, briefingSettleMost, p.ruled[0], float64(briefingSettle))
}

// TestBriefingRenewedMeanwhile holds that a person who wants another briefing
// does not wait for a model that is being waited for.
func TestBriefingRenewedMeanwhile(t *testing.T) {
	t.Parallel()
	p := newBriefingPlay(t)
	p.tell(0, models.BriefCreated)
	p.ask = failing(3, temporal.NewApplicationErrorWithOptions("Later.", "unavailable", temporal.ApplicationErrorOptions{NextRetryDelay: 2 * time.Hour}))
	p.tell(time.Minute, models.BriefRenewed)
	p.tell(2*time.Minute, models.BriefRenewed)
	p.run()
	require.Len(t, p.ruled, 3)
	require.Less(t, p.asked[2], 3*time.Minute)
}

// TestBriefingHearsOnceThatAHandoffIsNew holds that a projection which is
// repeated costs no second question.
func TestBriefingHearsOnceThatAHandoffIsNew(t *testing.T) {
	t.Parallel()
	p := newBriefingPlay(t)
	p.tell(0, models.BriefCreated)
	p.ask = failing(3, temporal.NewApplicationErrorWithOptions("Later.", "unavailable", temporal.ApplicationErrorOptions{NextRetryDelay: time.Minute}))
	p.tell(30*time.Second, models.BriefCreated)
	p.run()
	require.Len(t, p.ruled, 1)
	require.Len(t, p.asked, 3)
}

// TestBriefingEndsWithTheHandoff holds that nothing is asked for a closed one.
func TestBriefingEndsWithTheHandoff(t *testing.T) {
	t.Parallel()
	p := newBriefingPlay(t)
	p.tell(0, models.BriefCreated)
	p.ask = failing(1000, temporal.NewApplicationErrorWithOptions("Later.", "unavailable", temporal.ApplicationErrorOptions{NextRetryDelay: time.Minute}))
	p.tell(5*time.Minute+time.Second, models.BriefClosed)
	p.run()
	require.Equal(t, 1, p.left)
	require.LessOrEqual(t, len(p.asked), 6)

	p = newBriefingPlay(t)
	p.tell(0, models.BriefCreated)
	p.tell(0, models.BriefClosed)
	p.run()
	require.Empty(t, p.asked)
}

// TestBriefingOfSettledStepsComesFirst holds that steps which were added while a
// model is out of order do not wait for it.
func TestBriefingOfSettledStepsComesFirst(t *testing.T) {
	t.Parallel()
	p := newBriefingPlay(t)
	p.tell(0, models.BriefCreated)
	p.ask = failing(2, temporal.NewApplicationErrorWithOptions("Later.", "unavailable", temporal.ApplicationErrorOptions{NextRetryDelay: 2 * time.Hour}))
	p.tell(time.Minute, models.BriefSteps)
	p.tell(time.Minute+10*time.Second, models.BriefSteps)
	p.run()
	require.Len(t, p.ruled, 2)
	require.InDelta(t, briefingPatience, p.ruled[1], float64(time.Second))

	// They do not cut off a model that is about to answer.
	p = newBriefingPlay(t)
	p.tell(0, models.BriefCreated)
	p.ask = failing(2, temporal.NewApplicationErrorWithOptions("Later.", "unavailable", temporal.ApplicationErrorOptions{NextRetryDelay: 50 * time.Second}))
	p.tell(time.Second, models.BriefSteps)
	p.run()
	require.InDelta(t, 50*time.Second, p.asked[1], float64(time.Second))
	require.Len(t, p.ruled, 2)
}
