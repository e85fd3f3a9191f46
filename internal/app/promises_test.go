package app_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	apiclient "github.com/baton-handoff/baton/api/client"
	"github.com/baton-handoff/baton/internal/app"
	"github.com/baton-handoff/baton/internal/remote"
	"github.com/baton-handoff/baton/internal/testenv"
	"github.com/baton-handoff/baton/models"
	"github.com/baton-handoff/baton/workflows"
)

// TestStory is the main job: escalate, document, race, resolve.
func TestStory(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	b.worker()
	base := b.api()
	sam, ana, ben := b.as(b.sam, base), b.as(b.ana, base), b.as(b.ben, base)

	h := b.handOff(base)
	require.Equal(t, apiclient.StatusQueued, h.Status)
	require.Equal(t, 1, h.Generation)
	require.Equal(t, "Sam", *h.HandedOffByName)

	eventually(t, "the ticket note is written", func() bool {
		got, err := ana.Handoff(t.Context(), h.SessionID, h.ID)
		require.NoError(t, err)
		return got.Documentation.State == apiclient.EffectStateDone
	})
	got, err := ana.Handoff(t.Context(), h.SessionID, h.ID)
	require.NoError(t, err)
	require.Contains(t, *got.Documentation.Plain, "Please look at the connector.")
	require.Contains(t, *got.Documentation.Plain, "Larch Dental")

	_, err = sam.Claim(t.Context(), h.SessionID, h.ID)
	requireRefusal(t, err, http.StatusForbidden, models.CodeForbidden)
	won, err := ana.Claim(t.Context(), h.SessionID, h.ID)
	require.NoError(t, err)
	require.Equal(t, "Ana", *won.ClaimedByName)
	again, err := ana.Claim(t.Context(), h.SessionID, h.ID)
	require.NoError(t, err, "the holder may ask again")
	require.Equal(t, won.Version, again.Version)
	_, err = ben.Claim(t.Context(), h.SessionID, h.ID)
	require.Equal(t, "Ana", requireRefusal(t, err, http.StatusConflict, models.CodeAlreadyClaimed).ClaimedBy)

	done, err := ana.Resolve(t.Context(), h.SessionID, h.ID, "Connector restarted.")
	require.NoError(t, err)
	require.Equal(t, "Connector restarted.", *done.Resolution)
	_, err = ben.Claim(t.Context(), h.SessionID, h.ID)
	requireRefusal(t, err, http.StatusConflict, models.CodeClosed)

	run := b.temporal.GetWorkflow(t.Context(), workflows.WorkflowID(h.AccountID, h.SessionID), "")
	var result workflows.HandoffResult
	require.NoError(t, run.Get(t.Context(), &result), "the workflow ends by itself")
	require.Equal(t, models.StatusResolved, result.Status)
	events := b.history(h)
	t.Logf("a handoff that is created, documented, claimed and resolved takes %d history events", len(events))
	require.LessOrEqual(t, len(events), 60)
}

func requireRefusal(t *testing.T, err error, status int, code models.Code) remote.Refusal {
	t.Helper()
	var refusal *remote.Refusal
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, status, refusal.Status, refusal.Message)
	require.Equal(t, code, refusal.Code, refusal.Message)
	return *refusal
}

// TestTwoHundredRaceForOne is promise 1, through two replicas and two workers.
func TestTwoHundredRaceForOne(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	b.worker()
	b.worker()
	replicas := []string{b.api(), b.api()}
	const racers = 200
	people := make([]models.User, racers)
	for i := range people {
		people[i] = b.user(b.sam.AccountID, fmt.Sprintf("Racer %d", i), models.RoleEngineer)
	}
	h := b.handOff(replicas[0])

	type outcome struct {
		status int
		body   map[string]any
		err    error
	}
	outcomes := make([]outcome, racers)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i, u := range people {
		wg.Go(func() {
			<-start
			o := &outcomes[i]
			// On a slow machine an answer can take longer than the API waits.
			// It says then that asking again is safe, and so do its clients.
			for o.status == 0 || o.status >= 500 && o.err == nil {
				o.status, o.body, o.err = b.tryCall(u, http.MethodPost, claimURL(replicas[i%2], h), nil)
			}
		})
	}
	close(start)
	wg.Wait()

	var winner models.User
	winners := 0
	for i, o := range outcomes {
		require.NoError(t, o.err)
		if o.status == http.StatusOK {
			winners++
			winner = people[i]
		}
	}
	require.Equal(t, 1, winners)
	for _, o := range outcomes {
		if o.status == http.StatusOK {
			continue
		}
		require.Equal(t, http.StatusConflict, o.status, "%v", o.body)
		require.Equal(t, "already_claimed", o.body["code"])
		detail, ok := o.body["detail"].(map[string]any)
		require.True(t, ok, "%v", o.body)
		require.Equal(t, winner.ID.String(), detail["claimed_by_id"], "every loser is told who was first")
		require.Equal(t, winner.Name, detail["claimed_by_name"])
		require.NotEmpty(t, detail["claimed_at"])
	}

	require.Equal(t, 1, b.sql(`SELECT count(*) FROM handoff_transitions WHERE handoff_id = $1 AND verb = 'claim'`, h.ID))
	require.Equal(t, 1, b.sql(`SELECT count(*) FROM feed_events WHERE handoff_id = $1 AND type = 'handoff_claimed'`, h.ID))
	events := b.history(h)
	require.Equal(t, 1, count(events, enums.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED), "and the history knows of one")
}

// TestSignalThatCameFirstBeatsTheUpdate lets both wait for a worker together.
func TestSignalThatCameFirstBeatsTheUpdate(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	base := b.api()
	h := b.handOff(base) // no worker yet: a handoff needs none to be durable
	id := workflows.WorkflowID(h.AccountID, h.SessionID)
	require.NoError(t, b.temporal.SignalWorkflow(t.Context(), id, "", workflows.SignalClaim, workflows.ClaimSignal{HandoffID: h.ID, UserID: b.ana.ID}))

	status, body := b.call(b.ben, http.MethodPost, claimURL(base, h), nil, "Idempotency-Key", "ben-1")
	require.Equal(t, http.StatusGatewayTimeout, status, "%v", body)
	b.worker()
	status, body = b.call(b.ben, http.MethodPost, claimURL(base, h), nil, "Idempotency-Key", "ben-1")
	require.Equal(t, http.StatusConflict, status, "%v", body)
	require.Equal(t, b.ana.ID.String(), body["detail"].(map[string]any)["claimed_by_id"])

	eventually(t, "the projector shows what the signal did", func() bool {
		got, err := b.as(b.ana, base).Handoff(t.Context(), h.SessionID, h.ID)
		return err == nil && got.ClaimedBy != nil && *got.ClaimedBy == b.ana.ID
	})
}

// TestClaimWhileNoWorkerRuns is promise 2 with an outcome that nobody knows:
// the same request with the same key finds out.
func TestClaimWhileNoWorkerRuns(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	base := b.api()
	h := b.handOff(base)
	status, body := b.call(b.ana, http.MethodPost, claimURL(base, h), nil, "Idempotency-Key", "k")
	require.Equal(t, http.StatusGatewayTimeout, status, "%v", body)
	require.Equal(t, "outcome_unknown", body["code"])

	b.worker()
	eventually(t, "the claim that nobody waited for is made", func() bool {
		got, err := b.as(b.ben, base).Handoff(t.Context(), h.SessionID, h.ID)
		require.NoError(t, err)
		return got.ClaimedBy != nil
	})
	status, body = b.call(b.ana, http.MethodPost, claimURL(base, h), nil, "Idempotency-Key", "k")
	require.Equal(t, http.StatusOK, status, "%v", body)
	require.Equal(t, b.ana.ID.String(), body["claimed_by"])
	require.Equal(t, 1, count(b.history(h), enums.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED))
}

func TestTheSameKeyHandsOffOnce(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	b.worker()
	replicas := []string{b.api(), b.api()}
	session := b.session(replicas[0])
	const repeats = 12
	ids := make([]uuid.UUID, repeats)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			h, err := b.as(b.sam, replicas[i%2]).HandOff(t.Context(), "one-key", session, escalation())
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = h.ID
		})
	}
	wg.Wait()
	for _, id := range ids {
		require.Equal(t, ids[0], id)
	}
	require.Equal(t, 1, b.sql(`SELECT count(*) FROM handoffs`))
	require.Equal(t, 1, b.sql(`SELECT count(*) FROM feed_events WHERE type = 'handoff_created'`))

	other := escalation()
	other.EngineerNotes = "Something else."
	_, err := b.as(b.sam, replicas[0]).HandOff(t.Context(), "one-key", session, other)
	requireRefusal(t, err, http.StatusUnprocessableEntity, models.CodeIdempotencyMismatch)
	_, err = b.as(b.sam, replicas[0]).HandOff(t.Context(), "another-key", session, escalation())
	requireRefusal(t, err, http.StatusConflict, models.CodeAlreadyHandedOff)
	require.Equal(t, 1, b.sql(`SELECT count(*) FROM handoffs`), "refusals leave nothing behind")

	// With other keys at once, too, one is accepted.
	second := b.session(replicas[0])
	accepted := make(chan uuid.UUID, repeats)
	for i := range repeats {
		wg.Go(func() {
			if h, err := b.as(b.sam, replicas[i%2]).HandOff(t.Context(), uuid.NewString(), second, escalation()); err == nil {
				accepted <- h.ID
			}
		})
	}
	wg.Wait()
	require.Len(t, accepted, 1)
	require.Equal(t, 2, b.sql(`SELECT count(*) FROM handoffs`))
}

// TestASessionCanBeHandedOffAgainAtOnce: the workflow of the handoff before
// may not have ended yet.
func TestASessionCanBeHandedOffAgainAtOnce(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	b.worker()
	base := b.api()
	session := b.session(base)
	seen := map[uuid.UUID]bool{}
	for range 5 {
		h, err := b.as(b.sam, base).HandOff(t.Context(), uuid.NewString(), session, escalation())
		require.NoError(t, err)
		require.False(t, seen[h.ID])
		seen[h.ID] = true
		status, body := b.call(b.sam, http.MethodPost, handoffURL(base, h)+"/cancel", map[string]any{"note": "found it"})
		require.Equal(t, http.StatusOK, status, "%v", body)
		require.Equal(t, "cancelled", body["status"])
	}
}

// TestWorkerKilledBetweenClaimAndProjection is promise 2 and 5: PostgreSQL
// stands still while the claim is decided, the worker that decided is killed,
// and the claim still reaches the readers.
func TestWorkerKilledBetweenClaimAndProjection(t *testing.T) {
	t.Parallel()
	stack := testenv.Stack(t)
	require.NoError(t, migrate(t.Context(), stack.DatabaseURL))
	b := installBaton(t, stack.DatabaseURL, stack.TemporalAddress, "default")
	base := b.api()
	kill := b.workerProcess()
	h := b.handOff(base)
	eventually(t, "side effects are done", func() bool {
		got, err := b.as(b.ana, base).Handoff(t.Context(), h.SessionID, h.ID)
		return err == nil && got.Documentation.State == apiclient.EffectStateDone
	})

	require.NoError(t, stack.Postgres().Pause())
	handle, err := b.temporal.UpdateWorkflow(t.Context(), client.UpdateWorkflowOptions{
		WorkflowID: workflows.WorkflowID(h.AccountID, h.SessionID), UpdateID: "claim:by-an-api-that-then-died",
		UpdateName: "claim", WaitForStage: client.WorkflowUpdateStageCompleted,
		Args: []any{workflows.Request{HandoffID: h.ID, ActorID: b.ana.ID, ActorRole: models.RoleEngineer}},
	})
	require.NoError(t, err)
	require.NoError(t, handle.Get(t.Context(), nil), "decided, though the database stands still")
	kill()
	require.NoError(t, stack.Postgres().Resume())
	got, err := b.as(b.ben, base).Handoff(t.Context(), h.SessionID, h.ID)
	require.NoError(t, err)
	require.Nil(t, got.ClaimedBy, "not shown yet: this is the gap that the test is about")

	b.worker()
	eventually(t, "the claim is shown", func() bool {
		got, err := b.as(b.ben, base).Handoff(t.Context(), h.SessionID, h.ID)
		return err == nil && got.ClaimedBy != nil && *got.ClaimedBy == b.ana.ID
	})
	require.Equal(t, 1, b.sql(`SELECT count(*) FROM feed_events WHERE type = 'handoff_claimed'`))
}

// TestOutages: what is down is named, nothing is half done, and everything
// heals by itself.
func TestOutages(t *testing.T) {
	t.Parallel()
	stack := testenv.Stack(t)
	require.NoError(t, migrate(t.Context(), stack.DatabaseURL))
	b := installBaton(t, stack.DatabaseURL, stack.TemporalAddress, "default")
	b.worker()
	base := b.api()
	session := b.session(base)
	h := b.handOff(base)
	create := base + "/api/v1/ai-sessions/" + session.String() + "/handoff"
	body := map[string]any{"intent": "escalate", "engineer_notes": "help"}

	require.NoError(t, stack.Temporal().Kill())
	status, answer := b.call(b.sam, http.MethodPost, create, body)
	require.Equal(t, http.StatusServiceUnavailable, status, "%v", answer)
	require.Equal(t, 0, b.sql(`SELECT count(*) FROM handoffs WHERE session_id = $1`, session), "nothing is created")
	status, answer = b.call(b.ana, http.MethodPost, claimURL(base, h), nil)
	require.Equal(t, http.StatusServiceUnavailable, status, "%v", answer)
	status, answer = b.call(b.ana, http.MethodGet, base+"/readyz", nil)
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, fmt.Sprint(answer), "temporal")
	status, _ = b.call(b.ana, http.MethodGet, base+"/api/v1/ai-sessions/queue", nil)
	require.Equal(t, http.StatusOK, status, "reading needs no Temporal")
	require.NoError(t, stack.Temporal().Restart(t.Context()))
	eventually(t, "claims work again", func() bool {
		status, _, err := b.tryCall(b.ana, http.MethodPost, claimURL(base, h), nil)
		return err == nil && status == http.StatusOK
	})

	require.NoError(t, stack.Postgres().Kill())
	status, answer = b.call(b.sam, http.MethodPost, create, body)
	require.Equal(t, http.StatusServiceUnavailable, status, "%v", answer)
	status, answer = b.call(b.ana, http.MethodGet, base+"/readyz", nil)
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, fmt.Sprint(answer), "postgres")
	require.NoError(t, stack.Postgres().Restart(t.Context()))
	eventually(t, "handing off works again", func() bool {
		status, _, err := b.tryCall(b.sam, http.MethodPost, create, body, "Idempotency-Key", "again")
		return err == nil && status == http.StatusCreated
	})
	require.Equal(t, 1, b.sql(`SELECT count(*) FROM handoffs WHERE session_id = $1`, session))
}

// reader follows the feed of one user until it is stopped, and notes the ids.
type reader struct {
	ids    []string
	events []models.EventData
	types  []models.EventType
	seen   chan struct{}
}

// follow reads from one replica after lastID, until n events in all are there.
func (r *reader) follow(ctx context.Context, c *remote.Client, n int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	last := ""
	if len(r.ids) > 0 {
		last = r.ids[len(r.ids)-1]
	}
	return c.Follow(ctx, last, nil, func(e remote.Event) error {
		if e.Type == remote.Ready {
			if len(r.ids) == 0 {
				r.ids = append(r.ids, e.ID)
			}
			if r.seen != nil {
				close(r.seen)
				r.seen = nil
			}
			return nil
		}
		r.ids, r.types, r.events = append(r.ids, e.ID), append(r.types, e.Type), append(r.events, e.Data)
		if len(r.events) == n {
			cancel()
		}
		return nil
	})
}

// TestAReconnectingReaderMissesNothing is promise 6 over two replicas.
func TestAReconnectingReaderMissesNothing(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	b.worker()
	replicas := []string{b.api(), b.api()}
	clients := []*remote.Client{b.as(b.ana, replicas[0]), b.as(b.ana, replicas[1])}

	r := &reader{seen: make(chan struct{})}
	open := r.seen
	const handoffs = 8
	const total = handoffs * 4 // created, documented, briefed, cancelled
	done := make(chan error, 1)
	go func() {
		// Another replica every few events, like a phone on the move.
		var err error
		for i, n := 0, 0; err == nil && n < total; i++ {
			n = min(n+5, total)
			err = r.follow(t.Context(), clients[i%2], n)
		}
		done <- err
	}()
	select {
	case <-open:
	case err := <-done:
		t.Fatal(err)
	}
	stranger := &reader{}
	strangerDone := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { strangerDone <- stranger.follow(ctx, b.as(b.eve, replicas[0]), 1) }()

	for i := range handoffs {
		h := b.handOff(replicas[i%2])
		eventually(t, "documented", func() bool {
			return b.sql(`SELECT count(*) FROM handoff_effects WHERE handoff_id = $1 AND kind = 'documentation'`, h.ID) == 1
		})
		status, _ := b.call(b.sam, http.MethodPost, handoffURL(replicas[(i+1)%2], h)+"/cancel", map[string]any{})
		require.Equal(t, http.StatusOK, status)
	}
	select {
	case err := <-done:
		require.NoError(t, err)
	case <-time.After(time.Minute):
		t.Fatalf("only %d of %d events arrived", len(r.events), total)
	}
	cancel()
	require.NoError(t, <-strangerDone)
	require.Empty(t, stranger.events, "another account hears nothing")

	require.GreaterOrEqual(t, len(r.events), total)
	for i, id := range r.ids[1:] {
		var epoch, seq, firstEpoch, first int64
		_, err := fmt.Sscanf(id, "%d-%d", &epoch, &seq)
		require.NoError(t, err)
		_, err = fmt.Sscanf(r.ids[0], "%d-%d", &firstEpoch, &first)
		require.NoError(t, err)
		require.Equal(t, firstEpoch, epoch)
		require.Equal(t, first+int64(i)+1, seq, "every event once, in order, without a gap")
	}
}

// TestTenantsAreWalls is promise 7 at the front door.
func TestTenantsAreWalls(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	b.worker()
	base := b.api()
	h := b.handOff(base)
	for _, c := range []struct{ method, path string }{
		{http.MethodGet, handoffURL(base, h)},
		{http.MethodGet, handoffURL(base, h) + "/timeline"},
		{http.MethodPost, claimURL(base, h)},
		{http.MethodPost, handoffURL(base, h) + "/release"},
		{http.MethodPost, handoffURL(base, h) + "/resolve"},
		{http.MethodPost, handoffURL(base, h) + "/cancel"},
		{http.MethodGet, base + "/api/v1/ai-sessions/" + h.SessionID.String()},
		{http.MethodGet, base + "/api/v1/ai-sessions/" + h.SessionID.String() + "/handoffs"},
	} {
		status, body := b.call(b.eve, c.method, c.path, nil)
		require.Equal(t, http.StatusNotFound, status, "%s %s: %v", c.method, c.path, body)
	}
	status, body := b.call(b.eve, http.MethodGet, base+"/api/v1/ai-sessions/queue", nil)
	require.Equal(t, http.StatusOK, status)
	require.Empty(t, body["items"])
	// A handoff of one session under the path of another.
	other := b.handOff(base)
	mixed := *h
	mixed.SessionID = other.SessionID
	status, _ = b.call(b.ana, http.MethodPost, claimURL(base, &mixed), nil)
	require.Equal(t, http.StatusNotFound, status)
	status, _ = b.call(b.vic, http.MethodPost, claimURL(base, h), nil)
	require.Equal(t, http.StatusForbidden, status)
}

// TestReleaseReassignAndRepeat walks the other transitions through the door.
func TestReleaseReassignAndRepeat(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	b.worker()
	base := b.api()
	h := b.handOff(base)
	url := handoffURL(base, h)
	ask := func(u models.User, verb string, body any, want int, header ...string) map[string]any {
		t.Helper()
		status, answer := b.call(u, http.MethodPost, url+"/"+verb, body, header...)
		require.Equal(t, want, status, "%s: %v", verb, answer)
		return answer
	}
	ask(b.ana, "claim", nil, http.StatusOK, "Idempotency-Key", "first")
	ask(b.ben, "release", map[string]any{}, http.StatusForbidden)
	released := ask(b.ana, "release", map[string]any{"note": "Not mine."}, http.StatusOK, "Idempotency-Key", "r")
	require.EqualValues(t, 2, released["generation"])
	require.Equal(t, "queued", released["status"])
	again := ask(b.ana, "release", map[string]any{"note": "Not mine."}, http.StatusOK, "Idempotency-Key", "r")
	require.EqualValues(t, 2, again["generation"], "the same request with the same key")
	ask(b.ana, "release", map[string]any{"note": "Other words."}, http.StatusUnprocessableEntity, "Idempotency-Key", "r")
	ask(b.ana, "claim", nil, http.StatusConflict, "Idempotency-Key", "first")

	ask(b.ada, "reassign", map[string]any{"target_user_id": b.eve.ID}, http.StatusBadRequest)
	ask(b.ada, "reassign", map[string]any{"target_user_id": b.vic.ID}, http.StatusBadRequest)
	ask(b.ada, "reassign", map[string]any{"target_user_id": b.sam.ID}, http.StatusBadRequest)
	reassigned := ask(b.ada, "reassign", map[string]any{"target_user_id": b.ben.ID, "note": "Ben knows it."}, http.StatusOK)
	require.Equal(t, "Ben", reassigned["target_user_name"])
	require.EqualValues(t, 3, reassigned["generation"])
	ask(b.ben, "claim", nil, http.StatusOK)
	ask(b.sam, "cancel", map[string]any{}, http.StatusConflict)
	resolved := ask(b.ben, "resolve", map[string]any{"resolution": "Fixed."}, http.StatusOK, "Idempotency-Key", "done")
	require.Equal(t, "Fixed.", resolved["resolution"])
	ask(b.ben, "resolve", map[string]any{"resolution": "Fixed."}, http.StatusOK, "Idempotency-Key", "done")
	ask(b.ben, "resolve", map[string]any{"resolution": "Fixed."}, http.StatusConflict)

	status, timeline := b.call(b.sam, http.MethodGet, url+"/timeline", nil)
	require.Equal(t, http.StatusOK, status)
	items := timeline["items"].([]any)
	require.Len(t, items, 6)
	var verbs []any
	for _, item := range items {
		verbs = append(verbs, item.(map[string]any)["verb"])
	}
	require.Equal(t, []any{"create", "claim", "release", "reassign", "claim", "resolve"}, verbs)
	require.Equal(t, 0, b.sql(`SELECT count(*) FROM transition_inputs i WHERE NOT EXISTS (
		SELECT FROM handoff_transitions t WHERE t.request_id = i.request_id AND t.handoff_id = i.handoff_id)`), "refusals leave no text behind")
}

// TestBothInOneProcess is how `baton up` and small installations run.
func TestBothInOneProcess(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	a, stop := b.start(app.Options{API: true, Worker: true})
	base := "http://" + a.Addr
	h := b.handOff(base)
	_, err := b.as(b.ana, base).Claim(t.Context(), h.SessionID, h.ID)
	require.NoError(t, err)
	stop()
	_, _, err = b.tryCall(b.ana, http.MethodGet, base+"/healthz", nil)
	require.Error(t, err, "it is gone")
}

// TestALoneWorkerCanBeWatched: its metrics are Temporal's for the most part.
func TestALoneWorkerCanBeWatched(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	b.extra = []string{"BATON_WORKER_LISTEN=127.0.0.1:0"}
	a, _ := b.start(app.Options{Worker: true})
	resp, err := http.Get("http://" + a.Addr + "/metrics")
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Contains(t, string(text), "temporal_")
}
