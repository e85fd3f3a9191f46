package workflows

import (
	"context"
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

	"github.com/baton-handoff/baton/activities"
	"github.com/baton-handoff/baton/models"
)

// ticketPlay is a TicketWorkflow in the time-skipping environment, with a PSA
// that does what a test says.
type ticketPlay struct {
	*testsuite.TestWorkflowEnvironment
	t       *testing.T
	account uuid.UUID
	handoff uuid.UUID
	pushed  []int // versions, in order, of every attempt
	// push answers an attempt; attempts counts from 1 over all steps.
	push    func(attempt, version int) (activities.Pushed, error)
	changed func(poll int) bool
	polls   int
	// superseded says whether the last attempt was for the note alone.
	superseded bool
}

func newTicketPlay(t *testing.T) *ticketPlay {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	p := &ticketPlay{TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment(), t: t, account: uuid.New(), handoff: uuid.New()}
	p.push = func(int, int) (activities.Pushed, error) { return activities.Pushed{State: models.EffectDone}, nil }
	p.changed = func(int) bool { return false }
	p.SetStartTime(testEpoch)
	p.SetTestTimeout(time.Minute)
	require.NoError(t, p.SetTypedSearchAttributesOnStart(AccountAttributes(p.account)))
	p.RegisterWorkflow(TicketWorkflow)
	p.RegisterActivityWithOptions(func(_ context.Context, in activities.EffectInput) (activities.Pushed, error) {
		p.pushed, p.superseded = append(p.pushed, in.Version), in.Superseded
		return p.push(len(p.pushed), in.Version)
	}, activity.RegisterOptions{Name: "PushStep"})
	p.RegisterActivityWithOptions(func(context.Context, uuid.UUID, string) error {
		if p.polls++; p.changed(p.polls) {
			return nil
		}
		return temporal.NewApplicationErrorWithOptions("unchanged", "unchanged", temporal.ApplicationErrorOptions{NextRetryDelay: 7 * time.Minute})
	}, activity.RegisterOptions{Name: "ConnectionChanged"})
	return p
}

// tell hands steps over after d.
func (p *ticketPlay) tell(d time.Duration, versions ...int) {
	var steps TicketSteps
	for _, v := range versions {
		steps.Steps = append(steps.Steps, activities.EffectInput{AccountID: p.account, HandoffID: p.handoff, Version: v, Verb: models.VerbClaim})
	}
	p.RegisterDelayedCallback(func() { p.SignalWorkflow(SignalSteps, steps) }, d)
}

func (p *ticketPlay) run() {
	p.t.Helper()
	p.ExecuteWorkflow(TicketWorkflow, TicketInput{AccountID: p.account})
	require.True(p.t, p.IsWorkflowCompleted())
	require.NoError(p.t, p.GetWorkflowError())
}

func (p *ticketPlay) details() string {
	v, err := p.QueryWorkflow("__temporal_workflow_metadata")
	require.NoError(p.t, err)
	var metadata sdkpb.WorkflowMetadata
	require.NoError(p.t, v.Get(&metadata))
	return metadata.GetCurrentDetails()
}

func failed() activities.Pushed {
	return activities.Pushed{State: models.EffectFailed, Reason: "The credentials are not accepted. Enter new ones.", Connection: "1"}
}

// TestATicketIsToldInOrder: during an outage steps pile up, some handed over
// twice, and each is told once it can be, in order.
func TestATicketIsToldInOrder(t *testing.T) {
	t.Parallel()
	p := newTicketPlay(t)
	p.push = func(attempt, _ int) (activities.Pushed, error) {
		if attempt <= 5 {
			return activities.Pushed{}, temporal.NewApplicationErrorWithOptions("503", "unavailable", temporal.ApplicationErrorOptions{NextRetryDelay: time.Minute})
		}
		return activities.Pushed{State: models.EffectDone}, nil
	}
	p.tell(0, 1)
	p.tell(time.Minute, 1, 2)
	p.tell(2*time.Minute, 2, 3)
	p.run()
	require.Equal(t, []int{1, 1, 1, 1, 1, 1, 2, 3}, p.pushed)
}

func TestAStepWaitsForTheDocumentation(t *testing.T) {
	t.Parallel()
	p := newTicketPlay(t)
	p.push = func(attempt, version int) (activities.Pushed, error) {
		if version == 1 && attempt < 10 {
			return activities.Pushed{State: models.EffectPending}, nil
		}
		return activities.Pushed{State: models.EffectDone}, nil
	}
	p.tell(0, 1, 2)
	p.run()
	require.Equal(t, []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2}, p.pushed)
	require.Zero(t, p.polls)
}

// TestAFailedStepGoesOn by each of its three ways, and is shown meanwhile.
func TestAFailedStepGoesOn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		arrange func(p *ticketPlay)
		after   time.Duration
	}{
		"when somebody asks": {func(p *ticketPlay) {
			p.RegisterDelayedCallback(func() { p.SignalWorkflow(SignalRetry, nil) }, 5*time.Minute)
		}, 5 * time.Minute},
		"when the connection is changed": {func(p *ticketPlay) {
			p.changed = func(poll int) bool { return poll == 3 }
		}, 14 * time.Minute},
		"after an hour": {func(*ticketPlay) {}, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newTicketPlay(t)
			p.push = func(attempt, _ int) (activities.Pushed, error) {
				if attempt == 1 {
					return failed(), nil
				}
				return activities.Pushed{State: models.EffectDone}, nil
			}
			p.tell(0, 1)
			p.tell(3*time.Minute, 2)
			var details string
			p.RegisterDelayedCallback(func() { details = p.details() }, 4*time.Minute)
			c.arrange(p)
			p.run()
			require.Equal(t, []int{1, 1, 2}, p.pushed, "later steps wait for it")
			require.Contains(t, details, "FAILED")
			require.Contains(t, details, "Enter new ones")
			require.WithinDuration(t, testEpoch.Add(c.after), p.Now(), 7*time.Minute)
			require.Contains(t, p.details(), "DONE")
		})
	}
}

// TestAStatusThatIsRefusedHoldsNoNoteUp: what has its note lets later steps
// go first, and is settled by them.
func TestAStatusThatIsRefusedHoldsNoNoteUp(t *testing.T) {
	t.Parallel()
	p := newTicketPlay(t)
	p.push = func(_, version int) (activities.Pushed, error) {
		if version == 2 && !p.superseded || version == 3 {
			f := failed()
			f.Noted = true
			return f, nil
		}
		return activities.Pushed{State: models.EffectDone}, nil
	}
	p.tell(0, 1, 2)
	p.tell(10*time.Minute, 3)
	p.tell(20*time.Minute, 2, 4)
	p.run()
	require.Equal(t, []int{1, 2, 2, 3, 3, 4, 2, 3}, p.pushed)
	require.True(t, p.superseded)
	require.WithinDuration(t, testEpoch.Add(20*time.Minute), p.Now(), time.Minute)
}

func TestTicketWorkflowID(t *testing.T) {
	t.Parallel()
	account := uuid.New()
	require.Equal(t, TicketWorkflowID(account, "4711"), TicketWorkflowID(account, " # 4711 "))
	require.Equal(t, TicketWorkflowID(account, "T1.a"), TicketWorkflowID(account, "t1.A"))
	require.NotEqual(t, TicketWorkflowID(account, "4711"), TicketWorkflowID(uuid.New(), "4711"))
}
