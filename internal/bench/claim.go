package bench

import (
	"context"
	"net/http"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/baton-handoff/baton/internal/app"
	"github.com/baton-handoff/baton/models"
	"github.com/baton-handoff/baton/workflows"
)

// calm is how long the machine gets, after everything has settled, to finish
// what nobody can ask about, such as Temporal's writes to its visibility store.
const calm = 10 * time.Millisecond

// world is what most scenarios measure: an API replica and a worker of Baton,
// and beside them the bare SDK.
type world struct {
	*installation
	base string
	bare bare
}

func (b *bench) world(ctx context.Context, environ ...string) (*world, func(), error) {
	own := *b.installed
	own.extra = environ
	base, stop, err := own.start(ctx, app.Options{API: true, Worker: true})
	if err != nil {
		return nil, nil, err
	}
	bare, err := own.startBare(ctx)
	if err != nil {
		stop()
		return nil, nil, err
	}
	w := &world{&own, base, bare}
	leave := func() { bare.stop(); stop() }
	if err := w.warmUp(ctx, min(b.Sizes.Claims, 10)); err != nil {
		leave()
		return nil, nil, err
	}
	return w, leave, nil
}

// warmUp opens connections, prepares statements and lets pollers find their
// number.
func (w *world) warmUp(ctx context.Context, n int) error {
	handoffs, err := w.handoffs(ctx, w.base, n)
	if err != nil {
		return err
	}
	bare, err := w.bare.workflows(ctx, w.installation, n)
	if err != nil {
		return err
	}
	for i := range n {
		if _, err := w.bare.update(ctx, bare[i]); err != nil {
			return err
		}
		if _, err := w.claim(ctx, handoffs[i]); err != nil {
			return err
		}
	}
	return nil
}

// claim claims a handoff over REST, and waits, beyond the time that it
// returns, until the claim has left nothing under way.
func (w *world) claim(ctx context.Context, h handoff) (time.Duration, error) {
	_, took, err := w.seniors[0].expect(ctx, http.StatusOK, http.MethodPost, h.url(w.base)+"/claim", "{}")
	if err != nil {
		return 0, err
	}
	if err := w.settled(ctx, h.workflow()); err != nil {
		return 0, err
	}
	return took, pause(ctx, calm)
}

// decide sends the Update of a claim past the API, and waits as claim does.
func (w *world) decide(ctx context.Context, h handoff) (time.Duration, error) {
	senior := w.seniors[0]
	began := time.Now()
	handle, err := w.bare.client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: h.workflow(), UpdateName: string(models.VerbClaim), WaitForStage: client.WorkflowUpdateStageCompleted,
		Args: []any{workflows.Request{HandoffID: h.ID, Generation: 1, ActorID: senior.ID, ActorRole: senior.Role}},
	})
	var snap models.Snapshot
	if err == nil {
		err = handle.Get(ctx, &snap)
	}
	took := time.Since(began)
	if err != nil {
		return 0, err
	}
	if err := w.settled(ctx, h.workflow()); err != nil {
		return 0, err
	}
	return took, pause(ctx, calm)
}

// measureClaims compares the claim that wins, over REST and down to the row
// that readers see, with the Update that it cannot do without.
func measureClaims(ctx context.Context, b *bench) ([]Row, error) {
	w, leave, err := b.world(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	rounds := make([]round, b.Sizes.Rounds)
	inside := make([]round, b.Sizes.Rounds) // the claim without REST and SQL
	for i := range rounds {
		handoffs, err := w.handoffs(ctx, w.base, 2*b.Sizes.Claims)
		if err != nil {
			return nil, err
		}
		bare, err := w.bare.workflows(ctx, w.installation, b.Sizes.Claims)
		if err != nil {
			return nil, err
		}
		for j := range bare {
			err := alternate(j,
				func() error {
					took, err := w.claim(ctx, handoffs[j])
					rounds[i].baton = append(rounds[i].baton, milliseconds(took))
					return err
				},
				func() error {
					took, err := w.bare.update(ctx, bare[j])
					rounds[i].floor = append(rounds[i].floor, milliseconds(took))
					if err == nil {
						err = pause(ctx, calm)
					}
					return err
				},
				func() error {
					took, err := w.decide(ctx, handoffs[b.Sizes.Claims+j])
					inside[i].baton = append(inside[i].baton, milliseconds(took))
					return err
				})
			if err != nil {
				return nil, err
			}
		}
		inside[i].floor = rounds[i].floor
	}
	const how = "uncontended claims over REST of fresh handoffs whose side effects have settled ÷ SDK Updates (wait for completed) with a no-op validator and handler on fresh, settled workflows; one at a time, alternating"
	return []Row{
		ratioRow("winning claim ÷ bare Update, p50", "ms", rounds, 0.5, 1.25, how),
		ratioRow("winning claim ÷ bare Update, p99", "ms", rounds, 0.99, 1.25, how),
		ratioRow("of it, the Update `claim` alone ÷ bare Update, p50", "ms", inside, 0.5, 0, "the SDK Update that the API sends, sent without the API: no HTTP, no authentication, no SQL; what is left is what the workflow does"),
		{What: "what Baton adds to a bare Update, p50", Unit: "ms", Baton: differences(rounds), How: "the difference of the medians of the row above"},
	}, nil
}

// alternate calls all, each time beginning with another one.
func alternate(n int, calls ...func() error) error {
	for i := range calls {
		if err := calls[(n+i)%len(calls)](); err != nil {
			return err
		}
	}
	return nil
}
