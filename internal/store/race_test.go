package store_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/models"
)

// TestWritersRaceForOneHandoff lets both writers of a projection and a side
// effect meet: any prefix of the decisions, in any order, from everywhere at
// once, while several handoffs of the account share a feed.
func TestWritersRaceForOneHandoff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.sam)
	const handoffs, copies, effects = 3, 3, 12

	var wg sync.WaitGroup
	final := map[uuid.UUID]models.Snapshot{}
	for range handoffs {
		s := snapshot(w.prepared(t, w.sam, w.session(t, w.sam).ID, models.IntentEscalate, models.PriorityHigh, nil))
		prefixes := []models.Snapshot{s}
		next := func(verb models.Verb, by models.Principal, target *uuid.UUID) {
			requestID := string(verb) + ":" + uuid.NewString()
			if verb != models.VerbClaim {
				require.NoError(t, w.SaveTransitionInput(ctx, s.HandoffID, requestID, models.TransitionRequest{Verb: verb, Note: requestID}))
			}
			s = extend(t, s, verb, by, target, requestID)
			prefixes = append(prefixes, s)
		}
		next(models.VerbClaim, w.ana, nil)
		next(models.VerbRelease, w.ana, nil)
		next(models.VerbClaim, w.ben, nil)
		next(models.VerbReassign, w.ben, &w.ana.UserID)
		next(models.VerbClaim, w.ana, nil)
		next(models.VerbResolve, w.ana, nil)
		final[s.HandoffID] = s
		require.NoError(t, w.SaveTransitionInput(ctx, s.HandoffID, "refused", models.TransitionRequest{Verb: models.VerbCancel, Note: "never accepted"}))
		require.NoError(t, w.project(ctx, prefixes[0]), "an effect needs a row that is visible")

		var work []func() error
		for range copies {
			for _, p := range prefixes {
				work = append(work, func() error { return w.project(ctx, p) })
			}
		}
		for i := range effects {
			work = append(work, func() error {
				effect := models.Effect{HandoffID: s.HandoffID, Kind: models.EffectDocumentation, State: models.EffectDone, Attempts: i + 1}
				if i%2 == 0 {
					return w.RecordEffect(ctx, effect)
				}
				return w.SaveDocumentation(ctx, models.Documentation{AccountID: s.AccountID, HandoffID: s.HandoffID, Markdown: "m", Plain: "p", StepCount: i}, effect)
			})
		}
		rand.Shuffle(len(work), func(i, j int) { work[i], work[j] = work[j], work[i] })
		for _, do := range work {
			wg.Go(func() {
				if err := do(); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()

	told, updates, newest := map[uuid.UUID]int{}, map[uuid.UUID]int{}, map[uuid.UUID]int{}
	for i, e := range w.events(t, w.sam.AccountID) {
		require.Equal(t, int64(i+1), e.Seq, "numbers have no gaps")
		var card models.EventData
		require.NoError(t, json.Unmarshal(e.Data, &card))
		require.GreaterOrEqual(t, card.Version, newest[e.HandoffID], "no card tells of an older version after a newer one")
		newest[e.HandoffID] = card.Version
		want := final[e.HandoffID].Transitions[card.Version-1]
		require.Equal(t, want.Status, card.Status)
		require.Equal(t, want.HolderID, card.ClaimedBy)
		require.Equal(t, want.HolderID == nil, card.ClaimedByName == nil)
		require.Equal(t, want.HolderID == nil, card.ClaimedAt == nil)
		if e.Type == models.EventUpdated {
			updates[e.HandoffID]++
			continue
		}
		told[e.HandoffID]++
		require.Equal(t, told[e.HandoffID], card.Version, "each transition is told once, in order")
		require.Equal(t, want.Verb.Event(), e.Type)
	}
	for id, s := range final {
		require.Equal(t, s.Version(), told[id])
		require.Equal(t, effects, updates[id])
		h, err := w.Handoff(ctx, s.SessionID, id)
		require.NoError(t, err)
		require.Equal(t, s.Version(), h.Version)
		require.Equal(t, models.StatusResolved, h.Status)
		require.Equal(t, s.Last().RequestID, *h.Resolution, "the text of the request is joined, whoever came first")
		require.Equal(t, "m", h.Documentation.Markdown)
		require.Len(t, h.Effects, 1)
		listed, _, err := w.SessionHandoffs(ctx, s.SessionID, models.Page{Limit: 5})
		require.NoError(t, err)
		h.Documentation.Markdown, h.Documentation.Plain = "", ""
		require.Equal(t, []models.HandoffView{h}, listed, "lists tell the same, without the texts")
		session, err := w.Session(ctx, s.SessionID)
		require.NoError(t, err)
		require.Equal(t, models.SessionResolved, session.Status)
		require.Equal(t, w.ana.UserID, session.OwnerID)
		timeline, err := w.Timeline(ctx, s.SessionID, id)
		require.NoError(t, err)
		require.Len(t, timeline, s.Version())
		for i, entry := range timeline {
			require.Equal(t, s.Transitions[i].RequestID, entry.RequestID)
			require.Equal(t, entry.Verb == models.VerbCreate || entry.Verb == models.VerbClaim, entry.Note == nil)
		}
	}
	require.Equal(t, handoffs*3, w.count(t, `SELECT count(*) FROM transition_inputs`), "what was never accepted is forgotten")
}

// count asks the database, past the Store.
func (w *world) count(t *testing.T, query string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), w.url)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	require.NoError(t, conn.QueryRow(t.Context(), query).Scan(&n))
	return n
}

// TestWhatIsDoneStaysDone: an attempt that was given up fails after another one
// has done its work, and nobody would ever retry it.
func TestWhatIsDoneStaysDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.sam)
	s := snapshot(w.prepared(t, w.sam, w.session(t, w.sam).ID, models.IntentEscalate, models.PriorityHigh, nil))
	require.NoError(t, w.project(ctx, s))
	effect := func(state models.EffectState) models.Effect {
		return models.Effect{HandoffID: s.HandoffID, Kind: models.EffectDocumentation, State: state, Attempts: 1}
	}
	require.NoError(t, w.RecordEffect(ctx, effect(models.EffectRetrying)))
	require.NoError(t, w.SaveDocumentation(ctx, models.Documentation{AccountID: s.AccountID, HandoffID: s.HandoffID, Markdown: "m", Plain: "p"}, effect(models.EffectDone)))
	require.NoError(t, w.RecordEffect(ctx, effect(models.EffectRetrying)))
	require.NoError(t, w.RecordEffect(ctx, effect(models.EffectFailed)))
	got, err := w.Handoff(ctx, s.SessionID, s.HandoffID)
	require.NoError(t, err)
	require.Equal(t, models.EffectDone, got.Effects[0].State)
}
