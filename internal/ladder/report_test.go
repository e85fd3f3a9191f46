package ladder_test

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/baton-handoff/baton/internal/ladder"
	"github.com/baton-handoff/baton/models"
)

func TestReport(t *testing.T) {
	t.Parallel()
	team, ana := uuid.New(), uuid.New()
	policy := func(p ladder.Policy) json.RawMessage {
		text, err := json.Marshal(p)
		require.NoError(t, err)
		return text
	}
	wait := func(queued string, took time.Duration, p models.Priority, within ladder.Seconds) models.HandoffWait {
		w := models.HandoffWait{TeamID: &team, TeamName: new("Tier 2"), Priority: p, QueuedAt: at(t, queued)}
		w.Policy = policy(ladder.Policy{ClaimWithin: within, Hours: office("Europe/Berlin")})
		if took > 0 {
			w.ClaimedAt, w.ClaimedBy, w.ClaimerName = new(w.QueuedAt.Add(took)), &ana, new("Ana")
		}
		return w
	}
	waits := []models.HandoffWait{
		wait("2026-11-27T17:50:00+01:00", 63*time.Hour, models.PriorityNormal, 3600), // on Monday, at 8:50: 60 minutes of work
		wait("2026-11-27T12:00:00+01:00", 10*time.Minute, models.PriorityHigh, 3600),
		wait("2026-11-27T23:30:00+01:00", 2*time.Hour, models.PriorityHigh, 3600),    // too late
		wait("2026-11-30T12:00:00+01:00", 0, models.PriorityHigh, 3600),              // too late already
		wait("2026-11-30T13:00:00+01:00", 0, models.PriorityCritical, 3600),          // may still be in time
		{Priority: models.PriorityLow, QueuedAt: at(t, "2026-11-30T08:00:00+01:00")}, // without a target
	}
	waits[1].ResolvedAt = new(waits[1].QueuedAt.Add(time.Hour))
	zone, err := ladder.Zone("Europe/Berlin")
	require.NoError(t, err)
	rows := ladder.Report(waits, zone, at(t, "2026-11-30T13:30:00+01:00"))
	var keys []string
	byName := map[string]ladder.Row{}
	for _, r := range rows {
		keys = append(keys, r.Group+" "+r.Name)
		byName[r.Group+" "+r.Name] = r
	}
	require.Equal(t, []string{
		"all All", "team No team", "team Tier 2", "priority critical", "priority high", "priority normal", "priority low",
		"day 2026-11-27", "day 2026-11-30",
		"hour Monday 08:00", "hour Monday 12:00", "hour Monday 13:00", "hour Friday 12:00", "hour Friday 17:00", "hour Friday 23:00", "engineer Ana",
	}, keys)
	all := byName["all All"]
	require.Equal(t, []int{6, 3, 1, 3, 4, 2}, []int{all.Waits, all.Claimed, all.Resolved, all.Open, all.WithTarget, all.WithinTarget})
	require.InDelta(t, 7200, *all.Median, 0)
	require.InDelta(t, 7200+0.8*(63*3600-7200), *all.P90, 0.01)
	require.Equal(t, at(t, "2026-11-30T08:00:00+01:00").UTC(), *all.Oldest)
	require.Equal(t, 3, byName["engineer Ana"].Claimed)
	require.Equal(t, 1, byName["priority normal"].WithinTarget, "a weekend is no working time")
	require.Nil(t, byName["priority low"].Share)
	require.Nil(t, byName["priority critical"].Median)
	require.Len(t, ladder.Report(nil, time.UTC, time.Now()), 1)
}

func TestCSV(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	oldest := at(t, "2026-11-30T08:00:00Z")
	require.NoError(t, ladder.WriteCSV(&text, []ladder.Row{
		{Group: "engineer", Key: "x", Name: "=Ana", Waits: 3, Claimed: 2, Resolved: 1, Median: new(1.5), Open: 1, Oldest: &oldest},
	}))
	lines, err := csv.NewReader(strings.NewReader(text.String())).ReadAll()
	require.NoError(t, err)
	require.Len(t, lines, 2)
	require.Len(t, lines[1], len(lines[0]))
	require.Equal(t, []string{"engineer", "x", "'=Ana", "3", "2", "1", "1.500", "", "0", "0", "", "1", "2026-11-30T08:00:00Z"}, lines[1])
}

func TestQuantilesAreBetweenTheEnds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var waits []models.HandoffWait
		least, most := math.Inf(1), 0.0
		for _, s := range rapid.SliceOfN(rapid.IntRange(0, 100_000), 1, 30).Draw(t, "seconds") {
			queued := time.Unix(0, 0)
			claimed := queued.Add(time.Duration(s) * time.Second)
			waits = append(waits, models.HandoffWait{Priority: models.PriorityLow, QueuedAt: queued, ClaimedAt: &claimed})
			least, most = min(least, float64(s)), max(most, float64(s))
		}
		all := ladder.Report(waits, time.UTC, time.Unix(0, 0))[0]
		require.GreaterOrEqual(t, *all.Median, least)
		require.LessOrEqual(t, *all.Median, *all.P90)
		require.LessOrEqual(t, *all.P90, most)
	})
}
