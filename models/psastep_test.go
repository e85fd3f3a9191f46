package models_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/models"
)

func TestSumPSAIsTheWorst(t *testing.T) {
	t.Parallel()
	step := func(v int, s models.EffectState) models.PSAStep {
		why := string(s)
		return models.PSAStep{Version: v, State: s, Reason: &why, Attempts: v, NoteID: &why}
	}
	const (
		pending, retrying, done, failed, skipped = models.EffectPending, models.EffectRetrying, models.EffectDone, models.EffectFailed, models.EffectSkipped
	)
	for _, c := range []struct {
		states   []models.EffectState
		want     models.EffectState
		attempts int
	}{
		{[]models.EffectState{skipped}, skipped, 1},
		{[]models.EffectState{skipped, done}, done, 2},
		{[]models.EffectState{done, skipped}, done, 1},
		{[]models.EffectState{done, done}, done, 2},
		{[]models.EffectState{done, pending, pending}, pending, 2},
		{[]models.EffectState{retrying, pending}, retrying, 1},
		{[]models.EffectState{done, failed, pending}, failed, 2},
		{[]models.EffectState{retrying, failed, done}, failed, 2},
	} {
		var steps []models.PSAStep
		for i, s := range c.states {
			steps = append(steps, step(i+1, s))
		}
		sum := models.SumPSA(steps)
		require.Equal(t, c.want, sum.State, c.states)
		require.Equal(t, c.attempts, sum.Attempts, c.states)
		require.Equal(t, string(c.want), *sum.Reason)
		require.Equal(t, string(c.states[len(c.states)-1]), *sum.NoteID, "the newest note")
	}
	require.Equal(t, pending, models.SumPSA(nil).State)
}
