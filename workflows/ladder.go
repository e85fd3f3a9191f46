package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/baton-handoff/baton/activities"
	"github.com/baton-handoff/baton/models"
)

const (
	// ladderSteps bounds what one run does, and with that its history: about ten
	// events for each.
	ladderSteps = 150
	// takenPatience is how long news of what was taken back are waited for.
	takenPatience = 5 * time.Minute
)

// ladder is the state of a running [LadderWorkflow].
type ladder struct {
	in    LadderInput
	inbox workflow.ReceiveChannel
	state models.LadderState
	// failure is the last announcement that no retry could mend.
	failure string
}

// LadderWorkflow calls people, as the policy of the handoff says, while it
// waits in the queue, and minds the lease while it is held. It goes by the news
// that the projection of each transition sends, of which only the newest
// counts, and ends with the handoff.
//
// It never reckons with time zones or working hours: the rules of zones change
// with the data that a worker has, and a replay would reckon otherwise. It is
// told instants by the activity LadderStep, and waits for them.
func LadderWorkflow(ctx workflow.Context, in LadderInput) error {
	l := &ladder{in: in, inbox: workflow.GetSignalChannelWithOptions(ctx, SignalNews, workflow.SignalChannelOptions{
		Description: "Says where the handoff stands. Baton sends this.",
	})}
	if in.News.Version == 0 {
		if err := workflow.Await(ctx, l.hasNews); err != nil {
			return err
		}
	}
	for steps := 0; ; steps++ {
		l.hear()
		if steps >= ladderSteps || workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			return workflow.NewContinueAsNewError(ctx, LadderWorkflow, l.in)
		}
		next, err := l.settle(ctx)
		if err != nil {
			return err
		}
		if next.State == models.LadderEnded && l.inbox.Len() == 0 {
			return nil
		}
		if err := l.follow(ctx, next); err != nil {
			return err
		}
	}
}

func (l *ladder) hasNews() bool { return l.inbox.Len() > 0 }

// hear takes in what was sent, of which the newest version counts.
func (l *ladder) hear() {
	var news activities.LadderNews
	for l.inbox.ReceiveAsync(&news) {
		if news.Version > l.in.News.Version {
			if news.Began != l.in.News.Began {
				l.in.Calls = 0
			}
			l.in.News, l.in.Lease = news, activities.LeaseState{}
		}
		news = activities.LadderNews{}
	}
}

// settle has it settled what comes next.
func (l *ladder) settle(ctx workflow.Context) (next activities.LadderNext, err error) {
	var a *activities.Activities
	options := l.options(fmt.Sprintf("what comes next (version %d, %d calls)", l.in.News.Version, l.in.Calls))
	err = workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), a.LadderStep, activities.LadderAsk{
		BriefingInput: l.in.Of, News: l.in.News, Calls: l.in.Calls, Lease: l.in.Lease, Now: workflow.Now(ctx),
	}).Get(ctx, &next)
	if err != nil {
		return next, err
	}
	return next, l.show(ctx, next)
}

// follow does what comes next, when its time has come, unless there is news.
func (l *ladder) follow(ctx workflow.Context, next activities.LadderNext) error {
	if next.At.IsZero() {
		return workflow.Await(ctx, l.hasNews)
	}
	if wait := next.At.Sub(workflow.Now(ctx)); wait > 0 {
		news, err := workflow.AwaitWithOptions(ctx, workflow.AwaitOptions{
			Timeout: wait, TimerOptions: workflow.TimerOptions{Summary: next.Words},
		}, l.hasNews)
		if err != nil || news {
			return err
		}
		if next.State == models.LadderHeld {
			return nil // there may have been activity since: it is settled anew
		}
	}
	if l.hasNews() {
		return nil
	}
	if next.Announce == nil {
		return l.takeBack(ctx, next)
	}
	done, err := l.announce(ctx, *next.Announce)
	if err != nil || !done {
		return err
	}
	if next.State == models.LadderHeld {
		l.in.Lease = activities.LeaseState{Last: next.Lease.Last, Stages: next.Lease.Stages + 1}
		return nil
	}
	l.in.Calls += next.Skip + 1
	return nil
}

// announce tells people, with all the retries it takes, until there is news:
// then what it would tell is no longer true.
func (l *ladder) announce(ctx workflow.Context, what activities.Announcement) (done bool, err error) {
	var a *activities.Activities
	options := l.options("tell people: " + what.Step)
	options.WaitForCancellation = true
	telling, cancel := workflow.WithCancel(ctx)
	defer cancel()
	result := workflow.ExecuteActivity(workflow.WithActivityOptions(telling, options), a.Announce, what)
	if err := workflow.Await(ctx, func() bool { return result.IsReady() || l.hasNews() }); err != nil {
		return false, err
	}
	if !result.IsReady() {
		cancel()
	}
	err = result.Get(ctx, nil)
	if temporal.IsCanceledError(err) && ctx.Err() == nil {
		return false, nil
	}
	if err != nil {
		// No retry mends it. The next call may reach somebody all the same.
		workflow.GetLogger(ctx).Error("people could not be told", "step", what.Step, "error", err)
		l.failure = what.Step
	}
	return true, ctx.Err()
}

// takeBack puts the handoff back into the queue, unless its holder shows
// activity at the last moment.
func (l *ladder) takeBack(ctx workflow.Context, next activities.LadderNext) error {
	var a *activities.Activities
	var taken bool
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, l.options("take it back from its holder")), a.TakeBack, activities.TakeBackInput{
		BriefingInput: l.in.Of, Version: l.in.News.Version, Generation: l.in.News.Generation, Last: next.Lease.Last,
	}).Get(ctx, &taken)
	if err != nil {
		workflow.GetLogger(ctx).Error("a handoff could not be taken back", "error", err)
	}
	if err == nil && !taken {
		return nil // there was activity, from which it is reckoned anew
	}
	// News of the decision are on their way. Should they not come, it could not
	// be taken back, and is tried again after a while.
	_, err = workflow.AwaitWithTimeout(ctx, takenPatience, l.hasNews)
	return err
}

func (l *ladder) options(summary string) workflow.ActivityOptions {
	return workflow.ActivityOptions{
		TaskQueue: TaskQueueNotify, StartToCloseTimeout: 30 * time.Second,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: activities.EffectFirstRetry, BackoffCoefficient: activities.EffectBackoff, MaximumInterval: time.Minute,
		},
		// Where the server deals tasks out fairly, no account waits for another's.
		Priority: temporal.Priority{FairnessKey: l.in.Of.AccountID.String()},
		Summary:  summary,
	}
}

// show tells operators what comes next, and lets them find the ladder by its
// state.
func (l *ladder) show(ctx workflow.Context, next activities.LadderNext) error {
	state := next.State
	if state == "" {
		state = l.state // news are on their way
	}
	text := fmt.Sprintf("### %s · generation %d · version %d\n\n", strings.ToUpper(string(state)), l.in.News.Generation, l.in.News.Version)
	if next.At.IsZero() {
		text += "- " + next.Words + "\n"
	} else {
		text += fmt.Sprintf("- next: **%s**, at %s\n", next.Words, next.At.Format(time.RFC3339))
	}
	text += fmt.Sprintf("- calls made: %d\n", l.in.Calls)
	if l.failure != "" {
		text += fmt.Sprintf("- failed for good: `%s`; see its activity\n", l.failure)
	}
	workflow.SetCurrentDetails(ctx, text)
	if state == l.state || state == "" {
		return nil
	}
	l.state = state
	return workflow.UpsertTypedSearchAttributes(ctx, AttrStatus.ValueSet(string(state)))
}
