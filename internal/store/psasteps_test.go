package store_test

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/models"
)

func TestPSASteps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.sam)
	snap := w.queued(t, w.sam, models.PriorityNormal, nil)
	snap = extend(t, snap, models.VerbClaim, w.ana, nil, "")
	require.NoError(t, w.project(ctx, snap))
	record := func(steps ...models.PSAStep) {
		t.Helper()
		require.NoError(t, w.RecordPSASteps(ctx, snap.HandoffID, steps))
	}
	effect := func() models.Effect {
		t.Helper()
		view, err := w.Handoff(ctx, snap.SessionID, snap.HandoffID)
		require.NoError(t, err)
		require.Len(t, view.Effects, 1)
		return view.Effects[0]
	}
	told := func() int { return len(w.events(t, w.sam.AccountID)) }

	first, second := models.PSAStep{Version: 1, Step: "escalated", State: models.EffectPending}, models.PSAStep{Version: 2, Step: "claimed", State: models.EffectPending}
	before := told()
	record(first, second)
	require.Equal(t, models.EffectPending, effect().State)
	require.Equal(t, before+1, told(), "one change that readers see, one event")
	record(first, second)
	require.Equal(t, before+1, told())

	reason, next := "503", time.Now().Add(time.Minute).UTC().Truncate(time.Microsecond)
	first.State, first.Reason, first.Attempts, first.NextAttemptAt = models.EffectRetrying, &reason, 2, &next
	record(first)
	got := effect()
	require.Equal(t, models.EffectRetrying, got.State)
	require.True(t, next.Equal(*got.NextAttemptAt))
	record(models.PSAStep{Version: 1, Step: "escalated", State: models.EffectPending})
	require.Equal(t, models.EffectRetrying, effect().State, "handed over again it stays what it is")

	first.State, first.Reason, first.NextAttemptAt, first.TicketID, first.NoteID = models.EffectDone, nil, nil, new("7"), new("1001")
	record(first)
	record(models.PSAStep{Version: 1, Step: "escalated", State: models.EffectFailed, Reason: &reason})
	require.Equal(t, models.EffectPending, effect().State, "done stays done; the second waits")
	second.State, second.NoteID = models.EffectDone, new("1002")
	record(second)
	got = effect()
	require.Equal(t, models.EffectDone, got.State)
	require.Equal(t, "7", *got.TicketID)
	require.Equal(t, "1002", *got.NoteID)

	events := w.events(t, w.sam.AccountID)
	var last models.EventData
	require.NoError(t, json.Unmarshal(events[len(events)-1].Data, &last))
	require.Equal(t, models.EffectDone, last.Effect.State)
	timeline, err := w.Timeline(ctx, snap.SessionID, snap.HandoffID)
	require.NoError(t, err)
	require.Equal(t, "1001", *timeline[0].PSA.NoteID)
	steps, err := w.PSASteps(ctx, snap.HandoffID)
	require.NoError(t, err)
	require.Len(t, steps, 2)

	theirs, err := w.PSASteps(as(t, w.eve), snap.HandoffID)
	require.NoError(t, err)
	require.Empty(t, theirs)
	require.Equal(t, models.CodeNotFound, models.CodeOf(w.RecordPSASteps(as(t, w.eve), snap.HandoffID, []models.PSAStep{second})))
	require.Equal(t, models.CodeNotFound, models.CodeOf(w.RecordPSASteps(ctx, uuid.New(), []models.PSAStep{second})))
}

// TestOnlyWhatWasSeenToFailIsTriedAgain: an attempt that ends before it is shown
// that it began is not undone.
func TestOnlyWhatWasSeenToFailIsTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.sam)
	snap := w.queued(t, w.sam, models.PriorityNormal, nil)
	record := func(state models.EffectState, attempts int) models.PSAStep {
		t.Helper()
		require.NoError(t, w.RecordPSASteps(ctx, snap.HandoffID, []models.PSAStep{{Version: 1, Step: "escalated", State: state, Attempts: attempts, Reason: new("Why.")}}))
		steps, err := w.PSASteps(ctx, snap.HandoffID)
		require.NoError(t, err)
		return steps[0]
	}
	retry := func(seen models.PSAStep) models.Effect {
		t.Helper()
		require.NoError(t, w.RetryPSASteps(ctx, snap.HandoffID, []models.PSAStep{seen}))
		view, err := w.Handoff(ctx, snap.SessionID, snap.HandoffID)
		require.NoError(t, err)
		return view.Effects[0]
	}
	seen := record(models.EffectFailed, 3)
	events := len(w.events(t, w.sam.AccountID))
	got := retry(seen)
	require.Equal(t, models.EffectPending, got.State)
	require.Nil(t, got.Reason)
	require.Equal(t, 3, got.Attempts)
	require.Len(t, w.events(t, w.sam.AccountID), events+1, "the feed tells of it")
	require.Equal(t, models.EffectPending, retry(seen).State)
	require.Len(t, w.events(t, w.sam.AccountID), events+1, "once")

	record(models.EffectFailed, 1)
	require.Equal(t, models.EffectFailed, retry(seen).State, "it has failed again since")
	record(models.EffectDone, 1)
	require.Equal(t, models.EffectDone, retry(seen).State)
	require.Equal(t, models.CodeNotFound, models.CodeOf(w.RetryPSASteps(as(t, w.eve), snap.HandoffID, []models.PSAStep{seen})))
}

// TestTheSumOfStepsIsNeverBehind: the handoff hands steps over while the ticket
// is told of others; what readers are told last is the sum of all.
func TestTheSumOfStepsIsNeverBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.sam)
	for range 10 {
		snap := w.queued(t, w.sam, models.PriorityNormal, nil)
		var wg sync.WaitGroup
		for v := 1; v <= 8; v++ {
			wg.Go(func() {
				for _, state := range []models.EffectState{models.EffectPending, models.EffectRetrying, models.EffectDone} {
					if err := w.RecordPSASteps(ctx, snap.HandoffID, []models.PSAStep{{Version: v, Step: "claimed", State: state, Attempts: 1}}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		events := w.events(t, w.sam.AccountID)
		var last models.EventData
		require.NoError(t, json.Unmarshal(events[len(events)-1].Data, &last))
		require.Equal(t, models.EffectDone, last.Effect.State)
	}
}
