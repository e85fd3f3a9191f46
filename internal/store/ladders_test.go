package store_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/models"
)

func TestLadderPoliciesAreReplacedTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.ada)
	rule := models.LadderPolicy{Scope: "account", Rule: json.RawMessage(`{"claim_within_seconds":60}`)}
	high := models.LadderPolicy{Scope: "account/high", Priority: new(models.PriorityHigh), Rule: json.RawMessage(`{}`)}
	require.NoError(t, w.SaveLadderPolicies(ctx, w.ada, []models.LadderPolicy{rule, high}))
	found, err := w.LadderPolicies(ctx)
	require.NoError(t, err)
	require.Len(t, found, 2)
	require.JSONEq(t, string(rule.Rule), string(found[0].Rule))
	require.Equal(t, models.PriorityHigh, *found[1].Priority)

	foreign := models.LadderPolicy{Scope: "team/x", TeamID: new(uuid.New()), Rule: json.RawMessage(`{}`)}
	require.Equal(t, models.CodeInvalid, models.CodeOf(w.SaveLadderPolicies(ctx, w.ada, []models.LadderPolicy{rule, foreign})))
	found, err = w.LadderPolicies(ctx)
	require.NoError(t, err)
	require.Len(t, found, 2, "a refused change changes nothing")
	found, err = w.LadderPolicies(as(t, w.eve))
	require.NoError(t, err)
	require.Empty(t, found)

	require.NoError(t, w.SaveLadderPolicies(ctx, w.ada, nil))
	found, err = w.LadderPolicies(ctx)
	require.NoError(t, err)
	require.Empty(t, found)
}

func ladderOf(s models.Snapshot, state models.LadderState, next string, at *time.Time) models.HandoffLadder {
	last := s.Last()
	return models.HandoffLadder{
		HandoffID: s.HandoffID, Policy: json.RawMessage(`{"claim_within_seconds":60}`), State: state,
		Generation: last.Generation, Version: last.Version, Next: &next, NextAt: at,
	}
}

func TestALadderTellsTheFeedWhatComesNext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.sam)
	snap := w.queued(t, w.sam, models.PriorityHigh, nil)
	view, err := w.Ladder(ctx, snap.SessionID, snap.HandoffID)
	require.NoError(t, err)
	require.Nil(t, view.Ladder)
	require.Equal(t, models.PriorityHigh, view.Priority)

	before := len(w.events(t, w.sam.AccountID))
	at := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	l := ladderOf(snap, models.LadderCalling, "the whole team is told", &at)
	for range 2 { // the second time says nothing new
		require.NoError(t, w.RecordLadder(ctx, l))
		events := w.events(t, w.sam.AccountID)
		require.Len(t, events, before+1)
		var data models.EventData
		require.NoError(t, json.Unmarshal(events[before].Data, &data))
		require.Equal(t, models.EventUpdated, events[before].Type)
		require.Equal(t, "the whole team is told", *data.Ladder.Next)
		require.Equal(t, at, data.Ladder.NextAt.UTC())
	}
	later := l
	later.Policy, later.Next = json.RawMessage(`{"claim_within_seconds":999}`), new("the admins are told")
	require.NoError(t, w.RecordLadder(ctx, later))
	require.Len(t, w.events(t, w.sam.AccountID), before+2)
	view, err = w.Ladder(ctx, snap.SessionID, snap.HandoffID)
	require.NoError(t, err)
	require.JSONEq(t, string(l.Policy), string(view.Ladder.Policy), "an edit does not change running handoffs")
	require.Equal(t, "the admins are told", *view.Ladder.Next)

	held := extend(t, snap, models.VerbClaim, w.ana, nil, "r1")
	require.NoError(t, w.project(ctx, held))
	told := len(w.events(t, w.sam.AccountID))
	require.NoError(t, w.RecordLadder(ctx, models.HandoffLadder{HandoffID: snap.HandoffID, Policy: l.Policy, State: models.LadderHeld, Generation: 1, Version: 2}))
	require.Len(t, w.events(t, w.sam.AccountID), told, "the claim itself has told")
	require.NoError(t, w.RecordLadder(ctx, l), "what is about an older version comes late")
	view, err = w.Ladder(ctx, snap.SessionID, snap.HandoffID)
	require.NoError(t, err)
	require.Equal(t, models.LadderHeld, view.Ladder.State)
	require.Nil(t, view.Ladder.Next)

	_, err = w.Ladder(as(t, w.eve), snap.SessionID, snap.HandoffID)
	require.Equal(t, models.CodeNotFound, models.CodeOf(err))
	require.Equal(t, models.CodeNotFound, models.CodeOf(w.RecordLadder(as(t, w.eve), l)))
}

// TestAHolderIsNotTakenUnawares: whoever says that they are still here keeps
// the handoff, and is not told that they do when it is too late.
func TestAHolderIsNotTakenUnawares(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.ana)
	snap := w.queued(t, w.sam, models.PriorityHigh, nil)
	require.Equal(t, models.CodeConflict, models.CodeOf(w.StillHere(ctx, snap.SessionID, snap.HandoffID, w.ana.UserID)))
	held := extend(t, snap, models.VerbClaim, w.ana, nil, "r1")
	require.NoError(t, w.project(ctx, held))
	require.Equal(t, models.CodeUnavailable, models.CodeOf(w.StillHere(ctx, snap.SessionID, snap.HandoffID, w.ana.UserID)), "before its ladder has begun there is nowhere to note it")
	require.Equal(t, models.CodeForbidden, models.CodeOf(w.StillHere(ctx, snap.SessionID, snap.HandoffID, w.ben.UserID)))

	until := time.Now().Add(time.Hour)
	lease := ladderOf(held, models.LadderHeld, "the holder is reminded", &until)
	lease.LeaseUntil = &until
	require.NoError(t, w.RecordLadder(ctx, lease))
	active := func() time.Time {
		t.Helper()
		view, err := w.Ladder(ctx, snap.SessionID, snap.HandoffID)
		require.NoError(t, err)
		return *view.ActiveAt
	}
	claimed := active()
	require.NoError(t, w.HolderSeen(ctx, snap.HandoffID, w.ben.UserID))
	require.Equal(t, claimed, active(), "others do not count")
	require.NoError(t, w.HolderSeen(ctx, snap.HandoffID, w.ana.UserID))
	if seen := active(); !seen.Equal(claimed) {
		require.True(t, seen.After(claimed))
	}
	_, err := w.AppendSteps(ctx, w.ana, snap.SessionID, []models.Step{{ID: uuid.New(), At: time.Now(), Actor: models.ActorEngineer, Kind: models.StepNote, Text: "Still at it."}})
	require.NoError(t, err)
	last := active()
	require.NoError(t, w.StillHere(ctx, snap.SessionID, snap.HandoffID, w.ana.UserID))
	taken, err := w.BeginTakeBack(ctx, snap.HandoffID, held.Version(), claimed.Add(-time.Minute))
	require.NoError(t, err)
	require.False(t, taken, "there was activity since")
	last = latestOf(last, active())
	taken, err = w.BeginTakeBack(ctx, snap.HandoffID, held.Version()-1, last)
	require.NoError(t, err)
	require.False(t, taken, "it is not the claim that was meant")
	for range 2 {
		taken, err = w.BeginTakeBack(ctx, snap.HandoffID, held.Version(), last)
		require.NoError(t, err)
		require.True(t, taken)
		require.Equal(t, models.CodeConflict, models.CodeOf(w.StillHere(ctx, snap.SessionID, snap.HandoffID, w.ana.UserID)), "too late")
	}
	back := extend(t, held, models.VerbRelease, w.ada, nil, "r2")
	require.NoError(t, w.project(ctx, back))
	again := extend(t, back, models.VerbClaim, w.ana, nil, "r3")
	require.NoError(t, w.project(ctx, again))
	require.NoError(t, w.StillHere(ctx, snap.SessionID, snap.HandoffID, w.ana.UserID), "another claim is another lease")
}

// TestAHolderIsHeardAtOnce: what a holder says counts also when the ladder has
// not heard of their claim yet.
func TestAHolderIsHeardAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.ana)
	snap := w.queued(t, w.sam, models.PriorityHigh, nil)
	at := time.Now().Add(time.Hour)
	require.NoError(t, w.RecordLadder(ctx, ladderOf(snap, models.LadderCalling, "the whole team is told", &at)))
	held := extend(t, snap, models.VerbClaim, w.ana, nil, "r1")
	held.Transitions[1].At = time.Now().Add(-time.Minute).UTC().Truncate(time.Microsecond)
	require.NoError(t, w.project(ctx, held))
	require.NoError(t, w.StillHere(ctx, snap.SessionID, snap.HandoffID, w.ana.UserID))
	said := time.Now()
	require.NoError(t, w.RecordLadder(ctx, ladderOf(held, models.LadderHeld, "the holder is reminded", &at)))
	view, err := w.Ladder(ctx, snap.SessionID, snap.HandoffID)
	require.NoError(t, err)
	require.True(t, view.ActiveAt.After(*view.ClaimedAt))
	require.False(t, view.ActiveAt.After(said))
	taken, err := w.BeginTakeBack(ctx, snap.HandoffID, held.Version(), *view.ClaimedAt)
	require.NoError(t, err)
	require.False(t, taken, "they said that they are still here")
}

func latestOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func TestHandoffWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.sam)
	open := w.queued(t, w.sam, models.PriorityLow, nil)
	twice := w.queued(t, w.sam, models.PriorityHigh, nil)
	gone := w.queued(t, w.sam, models.PriorityHigh, nil)
	at := time.Now().Add(time.Hour)
	require.NoError(t, w.RecordLadder(ctx, ladderOf(twice, models.LadderCalling, "x", &at)))
	twice = extend(t, twice, models.VerbClaim, w.ana, nil, "r1")
	twice = extend(t, twice, models.VerbRelease, w.ana, nil, "r2")
	twice = extend(t, twice, models.VerbClaim, w.ben, nil, "r3")
	require.NoError(t, w.project(ctx, extend(t, twice, models.VerbResolve, w.ben, nil, "r4")))
	require.NoError(t, w.project(ctx, extend(t, gone, models.VerbCancel, w.sam, nil, "r5")))
	waits, err := w.HandoffWaits(ctx, time.Now().Add(-time.Hour), time.Now().Add(time.Hour), 100)
	require.NoError(t, err)
	require.Len(t, waits, 3, "what was cancelled counts for nobody")
	byClaimer := map[string]models.HandoffWait{}
	for _, wait := range waits {
		if wait.ClaimedAt == nil {
			require.Equal(t, open.HandoffID, wait.HandoffID)
			continue
		}
		byClaimer[*wait.ClaimerName] = wait
		require.Equal(t, twice.HandoffID, wait.HandoffID)
		require.JSONEq(t, `{"claim_within_seconds":60}`, string(wait.Policy))
		require.Equal(t, time.Minute, wait.ClaimedAt.Sub(wait.QueuedAt))
	}
	require.Nil(t, byClaimer["Ana"].ResolvedAt)
	require.NotNil(t, byClaimer["Ben"].ResolvedAt)
	waits, err = w.HandoffWaits(as(t, w.eve), time.Time{}, time.Now().Add(time.Hour), 100)
	require.NoError(t, err)
	require.Empty(t, waits)

	again := w.queued(t, w.sam, models.PriorityLow, nil)
	again = extend(t, again, models.VerbClaim, w.ana, nil, "r6")
	again = extend(t, again, models.VerbRelease, w.ana, nil, "r7")
	require.NoError(t, w.project(ctx, again))
	now, err := w.WaitingNow(ctx)
	require.NoError(t, err)
	require.Len(t, now, 1)
	require.Equal(t, models.PriorityLow, now[0].Priority)
	require.Equal(t, 2, now[0].Open)
	first, err := w.Timeline(ctx, open.SessionID, open.HandoffID)
	require.NoError(t, err)
	require.Equal(t, first[0].At, *now[0].Oldest)
	now, err = w.WaitingNow(as(t, w.eve))
	require.NoError(t, err)
	require.Empty(t, now)
}

func TestAWakingIsPartOfTheRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.sam)
	at := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	in := models.NewHandoff{SessionID: w.session(t, w.sam).ID, Intent: models.IntentPark, Priority: models.PriorityLow, EngineerNotes: "Waits for parts.", WakeAt: &at, WakeWish: "after 60", Key: "k"}
	row, err := w.PrepareHandoff(ctx, w.sam, in)
	require.NoError(t, err)
	require.Equal(t, at, *row.WakeAt)
	require.NoError(t, w.project(ctx, snapshot(row)))
	in.WakeAt = new(at.Add(time.Minute)) // the same wish, a minute later
	again, err := w.PrepareHandoff(ctx, w.sam, in)
	require.NoError(t, err)
	require.Equal(t, at, *again.WakeAt, "the first request has settled it")
	view, err := w.Handoff(ctx, row.SessionID, row.ID)
	require.NoError(t, err)
	require.Equal(t, at, view.WakeAt.UTC())
	in.WakeWish = "after 61"
	_, err = w.PrepareHandoff(ctx, w.sam, in)
	require.Equal(t, models.CodeIdempotencyMismatch, models.CodeOf(err))
}
