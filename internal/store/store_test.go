package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/store"
	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/internal/testenv"
	"github.com/baton-handoff/baton/models"
	"github.com/baton-handoff/baton/workflows"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// world is a database with two accounts and their people.
type world struct {
	*store.Store
	url           string
	sam, ana, ben models.Principal // engineers of one account
	vic, ada      models.Principal // its viewer and its admin
	eve           models.Principal // an engineer of the other account
}

func newWorld(t *testing.T) *world {
	t.Helper()
	url := testenv.PostgresTemplate(t, "store", func(ctx context.Context, url string) error {
		_, err := store.Migrate(ctx, url)
		return err
	})
	s, err := store.Open(t.Context(), url, store.Options{MaxConns: 20})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	w := &world{Store: s, url: url}
	here, there := w.account(t, "Demo MSP"), w.account(t, "Other MSP")
	w.sam = w.user(t, here, "Sam", models.RoleEngineer)
	w.ana = w.user(t, here, "Ana", models.RoleEngineer)
	w.ben = w.user(t, here, "Ben", models.RoleEngineer)
	w.vic = w.user(t, here, "Vic", models.RoleViewer)
	w.ada = w.user(t, here, "Ada", models.RoleAdmin)
	w.eve = w.user(t, there, "Eve", models.RoleEngineer)
	return w
}

func (w *world) account(t *testing.T, name string) uuid.UUID {
	t.Helper()
	id := uuid.New()
	require.NoError(t, w.EnsureAccount(t.Context(), models.Account{ID: id, Name: name}))
	return id
}

func (w *world) user(t *testing.T, account uuid.UUID, name string, role models.Role) models.Principal {
	t.Helper()
	u, err := w.ProvisionUser(t.Context(), models.User{AccountID: account, Email: name + "@" + account.String() + ".test", Name: name, Role: role})
	require.NoError(t, err)
	return models.Principal{UserID: u.ID, AccountID: account, Role: role, Name: name}
}

func as(t *testing.T, p models.Principal) context.Context {
	t.Helper()
	return tenant.With(t.Context(), p.AccountID)
}

// project is Project for tests that read the result elsewhere.
func (w *world) project(ctx context.Context, s models.Snapshot) error {
	_, err := w.Project(ctx, s)
	return err
}

func (w *world) session(t *testing.T, by models.Principal) models.Session {
	t.Helper()
	s, err := w.CreateSession(as(t, by), by, models.NewSession{Title: "Outlook does not sync", ClientName: "Larch Dental", Problem: "Since Monday no mail arrives."})
	require.NoError(t, err)
	return s
}

// prepared is a handoff whose workflow could be started now.
func (w *world) prepared(t *testing.T, by models.Principal, session uuid.UUID, intent models.Intent, priority models.Priority, target *uuid.UUID) models.Handoff {
	t.Helper()
	h, err := w.PrepareHandoff(as(t, by), by, models.NewHandoff{
		SessionID: session, Intent: intent, Priority: priority, EngineerNotes: "Please look at the connector.", TargetUserID: target,
	})
	require.NoError(t, err)
	return h
}

func snapshot(h models.Handoff) models.Snapshot {
	return workflows.Begin(workflows.HandoffInput{
		AccountID: h.AccountID, SessionID: h.SessionID, HandoffID: h.ID, Intent: h.Intent, Priority: h.Priority,
		SenderID: h.HandedOffBy, TargetUserID: h.TargetUserID, CreatedAt: h.CreatedAt,
	})
}

// queued is a handoff in the queue.
func (w *world) queued(t *testing.T, by models.Principal, priority models.Priority, target *uuid.UUID) models.Snapshot {
	t.Helper()
	snap := snapshot(w.prepared(t, by, w.session(t, by).ID, models.IntentEscalate, priority, target))
	require.NoError(t, w.project(as(t, by), snap))
	return snap
}

func extend(t *testing.T, s models.Snapshot, verb models.Verb, by models.Principal, target *uuid.UUID, requestID string) models.Snapshot {
	t.Helper()
	at := s.Last().At.Add(time.Minute)
	d, err := workflows.Decide(s, verb, workflows.Request{HandoffID: s.HandoffID, ActorID: by.UserID, ActorRole: by.Role, TargetUserID: target}, at)
	require.NoError(t, err)
	next := d.Next
	next.At, next.Door, next.RequestID = at, models.DoorAPI, requestID
	s.Transitions = append(append([]models.Transition{}, s.Transitions...), next)
	return s
}

func (w *world) events(t *testing.T, account uuid.UUID) []models.FeedEvent {
	t.Helper()
	events, err := w.FeedEvents(t.Context(), account, 0, 10_000)
	require.NoError(t, err)
	return events
}

func TestMigrateTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	var wg sync.WaitGroup
	applied := make([][]int64, 3)
	for i := range applied {
		wg.Go(func() {
			var err error
			if applied[i], err = store.Migrate(t.Context(), url); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	files, err := os.ReadDir("migrations")
	require.NoError(t, err)
	n := 0
	for _, a := range applied {
		n += len(a)
	}
	require.Equal(t, len(files), n, "each version is applied once, whoever comes first")
}

func TestProjectionIsIdempotentAndOrderFree(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.sam)
	v1 := snapshot(w.prepared(t, w.sam, w.session(t, w.sam).ID, models.IntentEscalate, models.PriorityHigh, nil))
	v2 := extend(t, v1, models.VerbClaim, w.ana, nil, "claim:1")
	v3 := extend(t, v2, models.VerbRelease, w.ana, nil, "release:1")
	v4 := extend(t, v3, models.VerbClaim, w.ben, nil, "claim:2")

	// As the two writers may come: late, twice, skipping, all at once.
	var wg sync.WaitGroup
	for range 4 {
		for _, s := range []models.Snapshot{v3, v1, v4, v2, v4} {
			wg.Go(func() {
				if err := w.project(ctx, s); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()

	h, err := w.Handoff(ctx, v1.SessionID, v1.HandoffID)
	require.NoError(t, err)
	require.Equal(t, models.StatusClaimed, h.Status)
	require.Equal(t, 4, h.Version)
	require.Equal(t, 2, h.Generation)
	require.Equal(t, "Ben", *h.ClaimedByName)

	timeline, err := w.Timeline(ctx, v1.SessionID, v1.HandoffID)
	require.NoError(t, err)
	require.Len(t, timeline, 4)
	events := w.events(t, w.sam.AccountID)
	require.Len(t, events, 4, "one event per transition, whoever projected it")
	for i, e := range events {
		require.Equal(t, int64(i+1), e.Seq)
	}
	require.Equal(t, []models.EventType{models.EventCreated, models.EventClaimed, models.EventReleased, models.EventClaimed},
		[]models.EventType{events[0].Type, events[1].Type, events[2].Type, events[3].Type})
}

func TestSessionFollowsItsHandoff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.sam)
	step := func(s models.Snapshot, status models.SessionStatus, owner models.Principal) {
		t.Helper()
		shown, err := w.Project(ctx, s)
		require.NoError(t, err)
		read, err := w.Handoff(ctx, s.SessionID, s.HandoffID)
		require.NoError(t, err)
		require.Equal(t, read, shown, "a projection returns what readers see")
		require.Equal(t, time.UTC, read.UpdatedAt.Location())
		session, err := w.Session(ctx, s.SessionID)
		require.NoError(t, err)
		require.Equal(t, status, session.Status)
		require.Equal(t, owner.UserID, session.OwnerID)
	}
	s := snapshot(w.prepared(t, w.sam, w.session(t, w.sam).ID, models.IntentPark, models.PriorityLow, nil))
	step(s, models.SessionParked, w.sam)
	s = extend(t, s, models.VerbClaim, w.ana, nil, "")
	step(s, models.SessionActive, w.ana)
	s = extend(t, s, models.VerbReassign, w.ana, &w.ben.UserID, "")
	step(s, models.SessionParked, w.sam)
	s = extend(t, s, models.VerbClaim, w.ben, nil, "")
	s = extend(t, s, models.VerbResolve, w.ben, nil, "")
	step(s, models.SessionResolved, w.ben)

	other := snapshot(w.prepared(t, w.sam, w.session(t, w.sam).ID, models.IntentEscalate, models.PriorityLow, nil))
	step(other, models.SessionEscalated, w.sam)
	other = extend(t, other, models.VerbClaim, w.ana, nil, "")
	step(other, models.SessionActive, w.ana)
	other = extend(t, other, models.VerbReturn, w.ana, nil, "")
	step(other, models.SessionActive, w.sam)
	other = extend(t, other, models.VerbAnswer, w.sam, nil, "")
	step(other, models.SessionEscalated, w.sam)
	other = extend(t, other, models.VerbCancel, w.sam, nil, "")
	step(other, models.SessionActive, w.sam)
}

// TestAReturnedHandoff: what is asked and answered, who sees it where, and that
// one write for all of it leaves what one for each leaves.
func TestAReturnedHandoff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.sam)
	texts := func(s models.Snapshot) {
		for id, text := range map[string]string{"return:1": "Which firmware?", "answer:1": "7.2.4", "return:2": "And the other?"} {
			require.NoError(t, w.SaveTransitionInput(ctx, s.HandoffID, id, models.TransitionRequest{Note: text}))
		}
	}
	listed := func(reader models.Principal, f models.QueueFilter) (ids []uuid.UUID) {
		f.Reader = reader.UserID
		rows, _, err := w.Queue(as(t, reader), f, models.Page{Limit: 10})
		require.NoError(t, err)
		for _, r := range rows {
			ids = append(ids, r.ID)
		}
		return ids
	}
	mine := models.QueueFilter{Mine: true}
	returned := models.QueueFilter{Status: models.StatusReturned}
	myReturned := models.QueueFilter{Status: models.StatusReturned, Mine: true}

	s := w.queued(t, w.sam, models.PriorityHigh, nil)
	texts(s)
	story := []models.Snapshot{s}
	next := func(verb models.Verb, by models.Principal, requestID string) models.HandoffView {
		s = extend(t, s, verb, by, nil, requestID)
		story = append(story, s)
		view, err := w.Project(ctx, s)
		require.NoError(t, err)
		return view
	}
	next(models.VerbClaim, w.ana, "")
	h := next(models.VerbReturn, w.ana, "return:1")
	require.Equal(t, models.StatusReturned, h.Status)
	require.Nil(t, h.ClaimedBy)
	require.Nil(t, h.ClaimedAt)
	require.Equal(t, w.ana.UserID, *h.TargetUserID)
	require.Equal(t, "Ana", *h.TargetUserName)
	require.Equal(t, "Which firmware?", *h.Questions)
	require.Nil(t, h.Answer)
	id := []uuid.UUID{s.HandoffID}
	require.Equal(t, id, listed(w.sam, mine), "the sender sees what waits for their answer")
	require.Equal(t, id, listed(w.ana, mine), "and who asked, what they wait for")
	require.Equal(t, id, listed(w.sam, myReturned))
	require.Empty(t, listed(w.ben, mine))
	require.Empty(t, listed(w.ben, myReturned))
	require.Equal(t, id, listed(w.ben, returned))
	require.Empty(t, listed(w.ben, models.QueueFilter{}), "nobody can claim it")
	_, err := w.PrepareHandoff(ctx, w.sam, models.NewHandoff{SessionID: s.SessionID, Intent: models.IntentPark, Priority: models.PriorityLow, EngineerNotes: "n"})
	require.Equal(t, models.CodeAlreadyHandedOff, models.CodeOf(err), "it is open")
	open, found, err := w.OpenHandoff(ctx, s.SessionID)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, s.HandoffID, open)

	h = next(models.VerbAnswer, w.sam, "answer:1")
	require.Equal(t, "7.2.4", *h.Answer)
	require.Equal(t, s.Last().At.Add(models.ReservedFor), *h.ReservedUntil)
	require.Equal(t, time.UTC, h.ReservedUntil.Location())
	head, _, err := w.HandoffHead(ctx, s.SessionID, s.HandoffID, "")
	require.NoError(t, err)
	require.Equal(t, "Ana", *head.TargetUserName, "a refusal names them")
	require.Equal(t, h.ReservedUntil, head.ReservedUntil)
	require.Equal(t, id, listed(w.ana, mine))
	require.Equal(t, id, listed(w.ben, models.QueueFilter{}), "others see that it is reserved")
	require.Empty(t, listed(w.sam, mine))

	h = next(models.VerbClaim, w.ana, "")
	require.Nil(t, h.ReservedUntil)
	h = next(models.VerbReturn, w.ana, "return:2")
	require.Equal(t, "And the other?", *h.Questions)
	require.Nil(t, h.Answer, "the old answer was to other questions")
	h = next(models.VerbResolve, w.ana, "")
	require.Equal(t, w.ana.UserID, *h.ClaimedBy)
	require.Equal(t, h.ResolvedAt, h.ClaimedAt, "it was hers again with that")

	timeline, err := w.Timeline(ctx, s.SessionID, s.HandoffID)
	require.NoError(t, err)
	require.Equal(t, "Which firmware?", *timeline[2].Note)
	require.True(t, timeline[3].ReservedUntil.Equal(*s.Transitions[3].ReservedUntil))

	var types []models.EventType
	var cards []string
	for _, e := range w.events(t, w.sam.AccountID) {
		types, cards = append(types, e.Type), append(cards, string(e.Data))
	}
	require.Equal(t, []models.EventType{
		models.EventCreated, models.EventClaimed, models.EventReturned, models.EventAnswered, models.EventClaimed, models.EventReturned, models.EventResolved,
	}, types)
	require.Contains(t, cards[3], `"reserved_until"`)
	require.NotContains(t, cards[4], `"reserved_until"`)

	// The same at once, in another account's eyes: a database of its own.
	at := newWorld(t)
	twin := snapshot(at.prepared(t, at.sam, at.session(t, at.sam).ID, models.IntentEscalate, models.PriorityHigh, nil))
	same := map[uuid.UUID]uuid.UUID{w.sam.UserID: at.sam.UserID, w.ana.UserID: at.ana.UserID}
	swap := func(id *uuid.UUID) *uuid.UUID {
		if id == nil {
			return nil
		}
		other := same[*id]
		return &other
	}
	for _, tr := range s.Transitions[1:] {
		tr.ActorID, tr.HolderID, tr.TargetUserID, tr.RequestID = same[tr.ActorID], swap(tr.HolderID), swap(tr.TargetUserID), ""
		twin.Transitions = append(twin.Transitions, tr)
	}
	all, err := at.Project(as(t, at.sam), twin)
	require.NoError(t, err)
	require.Equal(t, h.ClaimedAt, all.ClaimedAt)
	require.Equal(t, h.Status, all.Status)
	for i, e := range at.events(t, at.sam.AccountID) {
		var one, other models.EventData
		require.NoError(t, json.Unmarshal([]byte(cards[i]), &one))
		require.NoError(t, json.Unmarshal(e.Data, &other))
		require.Equal(t, one.ClaimedAt == nil, other.ClaimedAt == nil, types[i])
		require.Equal(t, one.ReservedUntil, other.ReservedUntil)
		if i > 0 && one.ClaimedAt != nil {
			require.True(t, one.ClaimedAt.Equal(*other.ClaimedAt), types[i])
		}
	}
}

func TestTextsJoinTheirTransition(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.sam)
	s := w.queued(t, w.sam, models.PriorityHigh, nil)
	s = extend(t, s, models.VerbClaim, w.ana, nil, "claim:x")
	s = extend(t, s, models.VerbResolve, w.ana, nil, "resolve:x")
	req := models.TransitionRequest{Verb: models.VerbResolve, Note: "Connector restarted."}
	require.NoError(t, w.SaveTransitionInput(ctx, s.HandoffID, "resolve:x", req))
	require.NoError(t, w.SaveTransitionInput(ctx, s.HandoffID, "resolve:x", req), "the same again")
	req.Note = "Something else."
	require.Equal(t, models.CodeIdempotencyMismatch, models.CodeOf(w.SaveTransitionInput(ctx, s.HandoffID, "resolve:x", req)))
	require.NoError(t, w.project(ctx, s))

	h, err := w.Handoff(ctx, s.SessionID, s.HandoffID)
	require.NoError(t, err)
	require.Equal(t, "Connector restarted.", *h.Resolution)
	timeline, err := w.Timeline(ctx, s.SessionID, s.HandoffID)
	require.NoError(t, err)
	require.Equal(t, "Connector restarted.", *timeline[2].Note)
	for id, want := range map[string]bool{"resolve:x": true, "resolve:y": false, "": false} {
		head, repeated, err := w.HandoffHead(ctx, s.SessionID, s.HandoffID, id)
		require.NoError(t, err)
		require.Equal(t, want, repeated, id)
		require.Equal(t, 3, head.Version)
	}
}

// TestFeedFollowsCommits races many writers of one account and reads along
// with a cursor, as a feed reader does: what it saw once is never followed by
// a lower number, and nothing is missing.
func TestFeedFollowsCommits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const writers, each = 8, 12
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range writers {
		snaps := make([]models.Snapshot, each)
		for i := range snaps {
			snaps[i] = snapshot(w.prepared(t, w.sam, w.session(t, w.sam).ID, models.IntentEscalate, models.PriorityNormal, nil))
		}
		wg.Go(func() {
			for _, s := range snaps {
				if err := w.project(as(t, w.sam), s); err != nil {
					t.Error(err)
				}
			}
		})
	}
	go func() { wg.Wait(); close(done) }()
	var cursor int64
	read := func() {
		events, err := w.FeedEvents(t.Context(), w.sam.AccountID, cursor, 5)
		require.NoError(t, err)
		for _, e := range events {
			require.Equal(t, cursor+1, e.Seq, "no gap, no step back")
			cursor = e.Seq
		}
	}
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		read()
	}
	for before := int64(-1); before != cursor; {
		before = cursor
		read()
	}
	require.Equal(t, int64(writers*each), cursor)
	head, oldest, err := w.FeedHead(t.Context(), w.sam.AccountID)
	require.NoError(t, err)
	require.Equal(t, cursor, head.LastSeq)
	require.Equal(t, int64(1), oldest)
	require.Empty(t, w.events(t, w.eve.AccountID), "another account's feed is another's")
}

func TestFeedKeepsItsNumbersWhenPruned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.queued(t, w.sam, models.PriorityHigh, nil)
	n, err := w.PruneFeed(t.Context(), -time.Hour)
	require.NoError(t, err)
	require.Equal(t, int64(1), n)
	head, oldest, err := w.FeedHead(t.Context(), w.sam.AccountID)
	require.NoError(t, err)
	require.Equal(t, int64(1), head.LastSeq)
	require.Equal(t, int64(2), oldest)

	require.NoError(t, w.NewFeedEpoch(t.Context()))
	after, _, err := w.FeedHead(t.Context(), w.sam.AccountID)
	require.NoError(t, err)
	require.Greater(t, after.Epoch, head.Epoch)
}

func TestOneOpenHandoffIsAConstraint(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	session := w.session(t, w.sam)
	one := w.prepared(t, w.sam, session.ID, models.IntentEscalate, models.PriorityHigh, nil)
	two := w.prepared(t, w.sam, session.ID, models.IntentEscalate, models.PriorityHigh, nil)
	require.NoError(t, w.project(as(t, w.sam), snapshot(one)))
	require.Error(t, w.project(as(t, w.sam), snapshot(two)), "the database refuses what Temporal should have")
	_, err := w.PrepareHandoff(as(t, w.sam), w.sam, models.NewHandoff{SessionID: session.ID, Intent: models.IntentPark, Priority: models.PriorityLow, EngineerNotes: "again"})
	require.Equal(t, models.CodeAlreadyHandedOff, models.CodeOf(err))
	require.Len(t, w.events(t, w.sam.AccountID), 1)
}

func TestPrepareHandoff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	session := w.session(t, w.sam)
	in := models.NewHandoff{SessionID: session.ID, Intent: models.IntentEscalate, Priority: models.PriorityHigh, EngineerNotes: "help", Key: "k1"}
	refused := func(by models.Principal, code models.Code, change func(*models.NewHandoff)) {
		t.Helper()
		in := in
		in.Key = ""
		change(&in)
		_, err := w.PrepareHandoff(as(t, by), by, in)
		require.Equal(t, code, models.CodeOf(err), "%v", err)
	}
	unknown := uuid.New()
	refused(w.ana, models.CodeNotFound, func(*models.NewHandoff) {})
	refused(w.eve, models.CodeNotFound, func(*models.NewHandoff) {})
	refused(w.sam, models.CodeNotFound, func(in *models.NewHandoff) { in.SessionID = unknown })
	refused(w.sam, models.CodeInvalid, func(in *models.NewHandoff) { in.TargetUserID = &unknown })
	refused(w.sam, models.CodeInvalid, func(in *models.NewHandoff) { in.TargetUserID = &w.eve.UserID })
	refused(w.sam, models.CodeInvalid, func(in *models.NewHandoff) { in.TargetUserID = &w.vic.UserID })
	refused(w.sam, models.CodeInvalid, func(in *models.NewHandoff) { in.TargetUserID = &w.sam.UserID })

	first, err := w.PrepareHandoff(as(t, w.sam), w.sam, in)
	require.NoError(t, err)
	require.Equal(t, models.StatusStarting, first.Status)
	again, err := w.PrepareHandoff(as(t, w.sam), w.sam, in)
	require.NoError(t, err)
	require.Equal(t, first.ID, again.ID)
	require.True(t, first.CreatedAt.Equal(again.CreatedAt), "both writers project the same version 1")
	_, err = w.Handoff(as(t, w.sam), session.ID, first.ID)
	require.Equal(t, models.CodeNotFound, models.CodeOf(err), "starting is invisible")

	require.NoError(t, w.DiscardHandoff(as(t, w.sam), first.ID))
	rows, err := w.AbandonedStarts(t.Context(), -time.Hour, 10)
	require.NoError(t, err)
	require.Len(t, rows, 1, "one of two requests with the same key cannot take the row from the other")

	other := in
	other.EngineerNotes = "something else"
	_, err = w.PrepareHandoff(as(t, w.sam), w.sam, other)
	require.Equal(t, models.CodeIdempotencyMismatch, models.CodeOf(err))

	require.NoError(t, w.project(as(t, w.sam), extend(t, snapshot(first), models.VerbClaim, w.ana, nil, "")))
	later, err := w.PrepareHandoff(as(t, w.sam), w.sam, in)
	require.NoError(t, err, "the same key is answered though the session is somebody else's by now")
	require.Equal(t, models.StatusClaimed, later.Status)
}

func TestADiscardedHandoffLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.prepared(t, w.sam, w.session(t, w.sam).ID, models.IntentEscalate, models.PriorityHigh, nil)
	require.NoError(t, w.DiscardHandoff(as(t, w.sam), h.ID))
	rows, err := w.AbandonedStarts(t.Context(), -time.Hour, 10)
	require.NoError(t, err)
	require.Empty(t, rows)
}

func TestAbandonedStartsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.prepared(t, w.sam, w.session(t, w.sam).ID, models.IntentEscalate, models.PriorityHigh, nil)
	rows, err := w.AbandonedStarts(t.Context(), time.Hour, 10)
	require.NoError(t, err)
	require.Empty(t, rows, "not yet")
	rows, err = w.AbandonedStarts(t.Context(), -time.Hour, 10)
	require.NoError(t, err)
	require.Len(t, rows, 1)
	stale := rows[0]
	stale.UpdatedAt = stale.UpdatedAt.Add(-time.Minute)
	require.NoError(t, w.DiscardAbandonedStart(t.Context(), stale))
	rows, err = w.AbandonedStarts(t.Context(), -time.Hour, 10)
	require.NoError(t, err)
	require.Len(t, rows, 1, "somebody took it over since")
	require.NoError(t, w.DiscardAbandonedStart(t.Context(), rows[0]))
	require.NoError(t, w.project(as(t, w.sam), w.queued(t, w.sam, models.PriorityLow, nil)))
	require.Equal(t, models.CodeNotFound, models.CodeOf(w.project(as(t, w.sam), snapshot(h))))
}

func TestQueueOrderAndPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var all []models.Snapshot
	for i, p := range []models.Priority{models.PriorityLow, models.PriorityCritical, models.PriorityNormal, models.PriorityHigh, models.PriorityCritical, models.PriorityLow, models.PriorityHigh} {
		var target *uuid.UUID
		if i == 2 || i == 5 {
			target = &w.ana.UserID
		}
		all = append(all, w.queued(t, w.sam, p, target))
	}
	pages := func(reader models.Principal, f models.QueueFilter, limit int) (ids []uuid.UUID) {
		t.Helper()
		f.Reader = reader.UserID
		cursor := ""
		for {
			rows, next, err := w.Queue(as(t, reader), f, models.Page{Cursor: cursor, Limit: limit})
			require.NoError(t, err)
			require.LessOrEqual(t, len(rows), limit)
			for _, r := range rows {
				ids = append(ids, r.ID)
			}
			if next == "" {
				return ids
			}
			cursor = next
		}
	}
	pick := func(order ...int) (ids []uuid.UUID) {
		for _, i := range order {
			ids = append(ids, all[i].HandoffID)
		}
		return ids
	}
	for limit := 1; limit <= 8; limit++ {
		require.Equal(t, pick(2, 5, 1, 4, 3, 6, 0), pages(w.ana, models.QueueFilter{}, limit), "addressed to Ana first, limit %d", limit)
		require.Equal(t, pick(1, 4, 3, 6, 2, 0, 5), pages(w.ben, models.QueueFilter{}, limit), "limit %d", limit)
		require.Equal(t, pick(0, 1, 2, 3, 4, 5, 6), pages(w.ben, models.QueueFilter{Sort: models.SortOldest}, limit))
		require.Equal(t, pick(6, 5, 4, 3, 2, 1, 0), pages(w.ben, models.QueueFilter{Sort: models.SortNewest}, limit))
		require.Equal(t, pick(2, 5), pages(w.ana, models.QueueFilter{Mine: true}, limit))
	}
	require.Empty(t, pages(w.sam, models.QueueFilter{}, 10), "nobody is offered their own escalation")
	require.Equal(t, pick(6, 5, 4, 3, 2, 1, 0), pages(w.sam, models.QueueFilter{Sent: true, Sort: models.SortNewest}, 3), "but they may look after them")
	require.Empty(t, pages(w.ben, models.QueueFilter{Sent: true}, 10))
	require.Empty(t, pages(w.eve, models.QueueFilter{}, 10), "nor another account's")
	require.Equal(t, pick(1, 4), pages(w.ben, models.QueueFilter{Priority: models.PriorityCritical}, 10))
	require.Len(t, pages(w.ben, models.QueueFilter{Query: "larch"}, 10), 7)
	require.Empty(t, pages(w.ben, models.QueueFilter{Query: "100%"}, 10), "LIKE's signs are plain text")
	require.Empty(t, pages(w.ben, models.QueueFilter{Intent: models.IntentPark}, 10))

	require.NoError(t, w.project(as(t, w.ben), extend(t, all[4], models.VerbClaim, w.ben, nil, "")))
	require.Equal(t, pick(1, 3, 6, 2, 0, 5), pages(w.ben, models.QueueFilter{}, 3))
	require.Equal(t, pick(4), pages(w.ben, models.QueueFilter{Status: models.StatusClaimed}, 3))
	require.Equal(t, pick(4), pages(w.ben, models.QueueFilter{Mine: true}, 3))
	require.Len(t, pages(w.sam, models.QueueFilter{Sent: true}, 2), 7, "claimed ones as well")
	require.Equal(t, pick(4), pages(w.sam, models.QueueFilter{Sent: true, Status: models.StatusClaimed}, 3))

	for _, cursor := range []string{"x", "e30", "bm9wZQ", "eyJrIjoic2Vzc2lvbnMiLCJhIjp7fX0"} {
		_, _, err := w.Queue(as(t, w.ben), models.QueueFilter{Reader: w.ben.UserID}, models.Page{Cursor: cursor, Limit: 5})
		require.Equal(t, models.CodeInvalid, models.CodeOf(err), cursor)
	}
}

func TestStepsAreIdempotentAndBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.sam)
	session := w.session(t, w.sam)
	step := func(text string) models.Step {
		return models.Step{ID: uuid.New(), At: time.Now(), Actor: models.ActorEngineer, Kind: models.StepCommand, Text: text}
	}
	batch := []models.Step{step("ipconfig"), step("ping")}
	for range 2 {
		got, err := w.AppendSteps(ctx, w.sam, session.ID, batch)
		require.NoError(t, err)
		require.Equal(t, 2, got.StepCount)
	}
	changed := batch[0]
	changed.Text = "ipconfig /all"
	_, err := w.AppendSteps(ctx, w.sam, session.ID, []models.Step{step("new"), changed})
	require.Equal(t, models.CodeConflict, models.CodeOf(err))
	_, err = w.AppendSteps(ctx, w.ana, session.ID, batch)
	require.Equal(t, models.CodeForbidden, models.CodeOf(err))
	_, err = w.AppendSteps(as(t, w.eve), w.eve, session.ID, batch)
	require.Equal(t, models.CodeNotFound, models.CodeOf(err))

	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if _, err := w.AppendSteps(ctx, w.sam, session.ID, []models.Step{step("a"), step("b"), step("c")}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	steps, err := w.Steps(ctx, session.ID)
	require.NoError(t, err)
	require.Len(t, steps, 20)
	for i, st := range steps {
		require.Equal(t, i+1, st.Seq)
	}
	big := make([]models.Step, 60)
	for i := range big {
		big[i] = step(fmt.Sprintf("%020000d", i))
	}
	_, err = w.AppendSteps(ctx, w.sam, session.ID, big)
	require.Equal(t, models.CodeInvalid, models.CodeOf(err))
	steps, err = w.Steps(ctx, session.ID)
	require.NoError(t, err)
	require.Len(t, steps, 20, "nothing of it is left behind")
}

func TestSignInLooksUpUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	_, err := w.UserBySubject(ctx, "idp|ana")
	require.Equal(t, models.CodeNotFound, models.CodeOf(err))
	email := "Ana@" + w.ana.AccountID.String() + ".test"
	u, err := w.LinkUser(ctx, email, "idp|ana")
	require.NoError(t, err)
	require.Equal(t, w.ana.UserID, u.ID)
	_, err = w.LinkUser(ctx, email, "idp|mallory")
	require.Equal(t, models.CodeNotFound, models.CodeOf(err), "a linked user is not linked again")
	u, err = w.UserBySubject(ctx, "idp|ana")
	require.NoError(t, err)
	require.Equal(t, w.ana.UserID, u.ID)
	for _, p := range []models.Principal{w.ana, w.eve} {
		_, err = w.ProvisionUser(ctx, models.User{AccountID: p.AccountID, Email: "twin@example.test", Name: "Twin", Role: models.RoleViewer})
		require.NoError(t, err)
	}
	_, err = w.LinkUser(ctx, "twin@example.test", "idp|twin")
	require.Equal(t, models.CodeConflict, models.CodeOf(err))
	_, err = w.ProvisionUser(ctx, models.User{AccountID: w.ana.AccountID, Email: "TWIN@example.test", Name: "Twin", Role: models.RoleViewer})
	require.Equal(t, models.CodeConflict, models.CodeOf(err))
	_, err = w.ProvisionUser(ctx, models.User{AccountID: uuid.New(), Email: "x@example.test", Name: "X", Role: models.RoleViewer})
	require.Equal(t, models.CodeNotFound, models.CodeOf(err))
}

// TestTwinsWithOneKeyPrepareOneHandoff lets requests with the same key meet a
// twin that goes all the way in between.
func TestTwinsWithOneKeyPrepareOneHandoff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 30 {
		in := models.NewHandoff{SessionID: w.session(t, w.sam).ID, Intent: models.IntentEscalate, Priority: models.PriorityHigh, EngineerNotes: "help", Key: uuid.NewString()}
		var wg sync.WaitGroup
		ids := make([]uuid.UUID, 6)
		for i := range ids {
			wg.Go(func() {
				h, err := w.PrepareHandoff(as(t, w.sam), w.sam, in)
				if err == nil && h.Status == models.StatusStarting {
					err = w.project(as(t, w.sam), snapshot(h))
				}
				if err != nil {
					t.Error(err)
				}
				ids[i] = h.ID
			})
		}
		wg.Wait()
		for _, id := range ids {
			require.Equal(t, ids[0], id)
		}
	}
}
