package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/baton-handoff/baton/internal/testenv"
)

func TestMain(m *testing.M) {
	if was, err := RunChild(context.Background()); was {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	testenv.Main(m, testenv.WorkersStop())
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	values := []float64{4, 1, 3, 2}
	for q, want := range map[float64]float64{0: 1, 0.5: 2.5, 1: 4, 1.0 / 3: 2} {
		require.InDelta(t, want, quantile(values, q), 1e-9, q)
	}
	require.Equal(t, []float64{4, 1, 3, 2}, values, "left as they were")
	require.InDelta(t, 7, quantile([]float64{7}, 0.99), 0)
	require.True(t, math.IsNaN(quantile(nil, 0.5)))
}

func TestQuantilesAreOrderedAndWithin(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(0, 1e6), 1, 50).Draw(t, "values")
		low, high := rapid.Float64Range(0, 1).Draw(t, "low"), rapid.Float64Range(0, 1).Draw(t, "high")
		if low > high {
			low, high = high, low
		}
		if a, b := quantile(values, low), quantile(values, high); a > b+1e-6 || a < quantile(values, 0) || b > quantile(values, 1) {
			t.Fatalf("%g-quantile %g, %g-quantile %g of %v", low, a, high, b, values)
		}
	})
}

func TestRatiosAreOfRounds(t *testing.T) {
	t.Parallel()
	// A round in which the machine was ten times slower disturbs both sides, and
	// no ratio.
	baton, floor, ratio := ofRounds([]round{
		{baton: []float64{2}, floor: []float64{1}},
		{baton: []float64{30}, floor: []float64{10}},
		{baton: []float64{4}, floor: []float64{1}},
	}, 0.5, 0.5)
	require.Equal(t, Spread{Median: 3, Min: 2, Max: 4}, ratio)
	require.Equal(t, Spread{Median: 4, Min: 2, Max: 30}, baton)
	require.Equal(t, Spread{Median: 1, Min: 1, Max: 10}, floor)
	require.Equal(t, Spread{}, spread(nil))
}

func sample() Report {
	return Report{Backend: SQLite, Rounds: 3, Rows: []Row{
		{Scenario: "claim", What: "a ÷ b", Unit: "ms", Baton: Spread{12.345, 1, 20}, Floor: &Spread{10, 1, 11}, Ratio: &Spread{1.2345, 1, 1.8}, Target: 1.25, How: "as it should be"},
		{Scenario: "claim", What: "slow ÷ b", Unit: "ms", Baton: Spread{200.4, 1, 2}, Floor: &Spread{0.5, 1, 1}, Ratio: &Spread{4, 3, 5}, Target: 3},
		{Scenario: "cost", What: "events", Baton: Spread{42, 42, 42}, Target: 60},
		{Scenario: "up", What: "start", Unit: "s", Baton: Spread{9, 9, 9}, Target: 8},
		{Scenario: "cost", What: "no target", Unit: "kB", Baton: Spread{1.5, 1, 2}},
	}}
}

func TestTable(t *testing.T) {
	t.Parallel()
	var table bytes.Buffer
	require.NoError(t, sample().Table(&table))
	require.Equal(t, `| what | Baton | floor | ratio (min–max) | target | met |
|---|---:|---:|---:|---:|:-:|
| a ÷ b | 12.3 ms | 10 ms | **1.23** (1.00–1.80) | ≤ 1.25 | yes |
| slow ÷ b | 200 ms | 0.50 ms | **4.00** (3.00–5.00) | ≤ 3 | no |
| events | 42 |  |  | ≤ 60 | yes |
| start | 9 s |  |  | ≤ 8 s | no |
| no target | 1.50 kB |  |  |  |  |
`, table.String())
	require.Len(t, sample().Missed(), 2)
}

func TestWrite(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	require.NoError(t, sample().Write(dir))
	page, err := os.ReadFile(filepath.Join(dir, "sqlite.md"))
	require.NoError(t, err)
	require.Contains(t, string(page), "# Baton on Temporal with SQLite")
	require.Contains(t, string(page), "- **a ÷ b** (`--only claim`): as it should be")
	text, err := os.ReadFile(filepath.Join(dir, "sqlite.json"))
	require.NoError(t, err)
	var report Report
	require.NoError(t, json.Unmarshal(text, &report))
	require.Equal(t, sample(), report)
}

// TestInstrument runs every scenario that needs no other program, as small as
// can be, and looks only at what does not depend on the time of day: races have
// one winner, histories are short, and every row is there.
func TestInstrument(t *testing.T) {
	address, namespace := testenv.Temporal(t)
	report, err := Run(t.Context(), Options{
		Servers: Servers{Backend: SQLite, DatabaseURL: testenv.Postgres(t), TemporalAddress: address, Namespace: namespace},
		Sizes: Sizes{
			Rounds: 2, Claims: 2, Losing: 2, Races: 1, Clients: 10, Creates: 2, Outages: 2, Streams: []int{20}, Events: 2, IdleStreams: 20,
			SmallQueue: 50, OpenQueue: 200, ClosedQueue: 500, Pages: 2, Handoffs: 2, Workers: []int{2}, Batch: 4,
		},
		Profile: t.TempDir(),
		Logf:    t.Logf,
	})
	require.NoError(t, err)
	rows := map[string]Row{}
	for _, row := range report.Rows {
		rows[row.What] = row
		require.False(t, math.IsNaN(row.Baton.Median) || math.IsInf(row.Baton.Median, 0), row.What)
	}
	require.InDelta(t, 1, rows["winners of a race"].Baton.Max, 0)
	require.LessOrEqual(t, rows["history events of a handoff: created, documented, claimed, resolved"].Baton.Max, float64(historyTarget))
	for _, what := range []string{
		"winning claim ÷ bare Update, p50", "winning claim ÷ bare Update, p99", "losing claim ÷ gin with one SELECT, p50",
		"race of 10 clients, p99 of all answers ÷ an uncontended claim, p50", "create → frame at another replica ÷ bare Update, p50",
		"one event to 20 streams ÷ bare net/http, last byte, p99", "resident memory of an idle stream ÷ bare net/http",
		"claim while the PSA refuses ÷ while it is well, p50", "create while the PSA hangs ÷ while it is well, p50",
		"claim while the model stalls ÷ without a model, p50", "create while the model stalls ÷ without a model, p50",
		"queue of 200 ÷ of 50: first page, p50",
	} {
		row, ok := rows[what]
		require.True(t, ok, what)
		require.NotNil(t, row.Ratio, what)
		require.NotZero(t, row.Target, what)
	}
	require.NotEmpty(t, report.Machine.PostgreSQL)
	require.NotEmpty(t, report.Machine.Temporal)
}

func TestAnUnknownScenarioIsRefused(t *testing.T) {
	t.Parallel()
	_, err := Run(t.Context(), Options{Only: []string{"clam"}})
	require.ErrorContains(t, err, `no scenario "clam"`)
	var names []string
	for _, s := range Scenarios() {
		names = append(names, s[0])
	}
	require.Contains(t, strings.Join(names, " "), "claim")
}
