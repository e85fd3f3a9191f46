package store_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/models"
)

func byRules(content string) models.Briefing {
	return models.Briefing{Source: models.SourceRules, Content: []byte(content), StepCount: 2}
}

func byModel(content string) models.Briefing {
	return models.Briefing{Source: models.SourceModel, Content: []byte(content), StepCount: 2, Model: new("m"), PromptVersion: new("1")}
}

func TestBriefingVersions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.sam)
	snap := w.queued(t, w.sam, models.PriorityNormal, nil)
	told := func() (n int) {
		for _, e := range w.events(t, w.sam.AccountID) {
			if e.Type == models.EventAssessmentReady {
				n++
			}
		}
		return n
	}
	effect := func(state models.EffectState) models.Effect {
		return models.Effect{HandoffID: snap.HandoffID, State: state}
	}
	save := func(b models.Briefing, after int, state models.EffectState) int {
		t.Helper()
		v, err := w.SaveBriefing(ctx, b, after, effect(state))
		require.NoError(t, err)
		return v
	}
	_, err := w.Briefing(ctx, snap.SessionID, snap.HandoffID, 0)
	require.Equal(t, models.CodeNotFound, models.CodeOf(err))

	require.Equal(t, 1, save(byRules(`{"a":1}`), 0, models.EffectPending))
	require.Equal(t, 1, save(byRules(`{"a":1}`), 0, models.EffectPending), "the same again is no news")
	require.Equal(t, 1, told())
	require.Equal(t, 2, save(byModel(`{"a":2}`), 1, models.EffectDone))
	require.Equal(t, 2, told())
	require.Zero(t, save(byModel(`{"a":3}`), 1, models.EffectDone), "a model's late answer is not wanted any more")
	require.NoError(t, w.RecordBriefing(ctx, 1, effect(models.EffectRetrying)), "nor is how a late attempt ended")
	got, err := w.Briefing(ctx, snap.SessionID, snap.HandoffID, 0)
	require.NoError(t, err)
	require.Equal(t, []any{2, models.SourceModel, models.EffectDone, "m"}, []any{got.Version, got.Source, got.Effect.State, *got.Model})
	require.JSONEq(t, `{"a":2}`, string(got.Content))
	require.Equal(t, 2, *got.Effect.Version)
	require.NoError(t, w.RecordBriefing(ctx, 2, effect(models.EffectPending)))
	require.Equal(t, 3, save(byRules(`{"a":4}`), 2, models.EffectDone))
	older, err := w.Briefing(ctx, snap.SessionID, snap.HandoffID, 2)
	require.NoError(t, err)
	require.JSONEq(t, `{"a":2}`, string(older.Content))

	at, err := w.BriefingVersionAt(ctx, snap.HandoffID, older.CreatedAt)
	require.NoError(t, err)
	require.Equal(t, 2, at)
	at, err = w.BriefingVersionAt(ctx, snap.HandoffID, older.CreatedAt.Add(-time.Hour))
	require.NoError(t, err)
	require.Zero(t, at)

	// Another account sees and changes nothing.
	_, err = w.Briefing(as(t, w.eve), snap.SessionID, snap.HandoffID, 0)
	require.Equal(t, models.CodeNotFound, models.CodeOf(err))
	_, err = w.SaveBriefing(as(t, w.eve), byRules(`{}`), 0, effect(models.EffectDone))
	require.Equal(t, models.CodeNotFound, models.CodeOf(err))
}

// TestBriefingsRace lets many answers come after the same briefing: one counts.
func TestBriefingsRace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.sam)
	snap := w.queued(t, w.sam, models.PriorityNormal, nil)
	effect := models.Effect{HandoffID: snap.HandoffID, State: models.EffectDone}
	_, err := w.SaveBriefing(ctx, byRules(`{}`), 0, effect)
	require.NoError(t, err)
	versions := make([]int, 8)
	var racing sync.WaitGroup
	for i := range versions {
		racing.Go(func() {
			var err error
			if versions[i], err = w.SaveBriefing(ctx, byModel(fmt.Sprintf(`{"n":%d}`, i)), 1, effect); err != nil {
				t.Error(err)
			}
		})
	}
	racing.Wait()
	won := 0
	for _, v := range versions {
		won += v / 2 // 2 for the one that counts, 0 for the others
	}
	require.Equal(t, 1, won)
}

// TestModelsMoney holds that calls together cannot spend more than there is.
func TestModelsMoney(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.sam)
	snap := w.queued(t, w.sam, models.PriorityNormal, nil)
	call := func() models.ModelCall {
		return models.ModelCall{ID: uuid.New(), HandoffID: snap.HandoffID, Model: "m", PromptVersion: "1", CostMicroUSD: 300}
	}
	allowed := make([]bool, 10)
	calls := make([]models.ModelCall, 10)
	var calling sync.WaitGroup
	for i := range allowed {
		calls[i] = call()
		calling.Go(func() {
			var err error
			if allowed[i], _, err = w.BeginModelCall(ctx, calls[i], 1000); err != nil {
				t.Error(err)
			}
		})
	}
	calling.Wait()
	made := 0
	for i, yes := range allowed {
		if yes {
			made++
			calls[i].State, calls[i].CostMicroUSD, calls[i].InputTokens, calls[i].LatencyMS = models.CallUsed, 100, 50, 20
			require.NoError(t, w.EndModelCall(ctx, calls[i]))
		}
	}
	require.Equal(t, 3, made)
	spent, err := w.SpentOnModels(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 300, spent, "what they cost takes the place of what they might have cost")
	for _, most := range []int64{0, 599} {
		yes, was, err := w.BeginModelCall(ctx, call(), most)
		require.NoError(t, err)
		require.False(t, yes)
		require.EqualValues(t, 300, was)
	}
	yes, _, err := w.BeginModelCall(ctx, models.ModelCall{ID: uuid.New(), HandoffID: snap.HandoffID, Model: "m", PromptVersion: "1"}, 0)
	require.NoError(t, err)
	require.False(t, yes, "no money is no call, also of a model without a price")
	spent, err = w.SpentOnModels(as(t, w.eve))
	require.NoError(t, err)
	require.Zero(t, spent)
}

// TestBriefingReport counts a handoff with its newest briefing, a grade with the
// one that it is of, and calls with their model.
func TestBriefingReport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.sam)
	snap := w.queued(t, w.sam, models.PriorityNormal, nil)
	done := models.Effect{HandoffID: snap.HandoffID, State: models.EffectDone}
	for i, b := range []models.Briefing{byRules(`{}`), byModel(`{"a":1}`), byRules(`{"a":2}`)} {
		_, err := w.SaveBriefing(ctx, b, i, done)
		require.NoError(t, err)
	}
	grade := func(version int, by models.Principal, useful *bool, cause *models.Cause) {
		t.Helper()
		require.NoError(t, w.SaveBriefingGrade(ctx, models.BriefingGrade{HandoffID: snap.HandoffID, Version: version, UserID: by.UserID, Useful: useful, Cause: cause}))
	}
	grade(2, w.ana, new(true), nil)
	grade(2, w.ana, nil, new(models.CauseRight)) // adds, and takes nothing away
	grade(2, w.ben, new(false), new(models.CauseRightArea))
	c := models.ModelCall{ID: uuid.New(), HandoffID: snap.HandoffID, Model: "m", PromptVersion: "1", CostMicroUSD: 7}
	yes, _, err := w.BeginModelCall(ctx, c, 100)
	require.NoError(t, err)
	require.True(t, yes)
	c.State, c.LatencyMS, c.OutputTokens = models.CallUnusable, 40, 9
	require.NoError(t, w.EndModelCall(ctx, c))

	rows, err := w.BriefingReports(ctx, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.Len(t, rows, 2)
	require.Equal(t, models.BriefingReport{
		Source: models.SourceModel, Model: new("m"), PromptVersion: new("1"), Graded: 2, Useful: 1, Causes: 2, CauseScore: new(67.5),
		Calls: 1, Unusable: 1, OutputTokens: 9, CostMicroUSD: 7, LatencyMS: new(40.0),
	}, rows[0])
	require.Equal(t, models.BriefingReport{Source: models.SourceRules, Briefings: 1}, rows[1])
	rows, err = w.BriefingReports(as(t, w.eve), time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.Empty(t, rows)
}

func TestStaleBriefings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.sam)
	stale := func() (ids []uuid.UUID) {
		t.Helper()
		rows, err := w.StaleBriefings(t.Context(), 0, 10)
		require.NoError(t, err)
		for _, r := range rows {
			ids = append(ids, r.ID)
		}
		return ids
	}
	snap := w.queued(t, w.sam, models.PriorityNormal, nil)
	require.Equal(t, []uuid.UUID{snap.HandoffID}, stale(), "never briefed")
	b := byRules(`{}`)
	b.StepCount = 0
	_, err := w.SaveBriefing(ctx, b, 0, models.Effect{HandoffID: snap.HandoffID, State: models.EffectDone})
	require.NoError(t, err)
	require.Empty(t, stale())
	_, err = w.AppendSteps(ctx, w.sam, snap.SessionID, []models.Step{{ID: uuid.New(), At: time.Now(), Actor: models.ActorEngineer, Kind: models.StepNote, Text: "More."}})
	require.NoError(t, err)
	require.Equal(t, []uuid.UUID{snap.HandoffID}, stale(), "it lacks a step")
	require.NoError(t, w.RecordBriefing(ctx, 1, models.Effect{HandoffID: snap.HandoffID, State: models.EffectPending}))
	require.Empty(t, stale(), "it is being written")
	w.exec(t, `UPDATE handoff_effects SET updated_at = updated_at - interval '1 hour'`)
	require.Equal(t, []uuid.UUID{snap.HandoffID}, stale(), "nobody seems to write it")
	require.NoError(t, w.project(ctx, extend(t, snap, models.VerbCancel, w.sam, nil, "")))
	require.Empty(t, stale(), "nobody needs it")
}

// exec changes the database, past every door.
func (w *world) exec(t *testing.T, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), w.url)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	_, err = conn.Exec(t.Context(), statement)
	require.NoError(t, err)
}
