package api

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/ladder"
	"github.com/baton-handoff/baton/models"
)

type fakeReports struct {
	BriefingRecords
	NotificationRecords

	since, until time.Time
}

func (f *fakeReports) BriefingReports(_ context.Context, since, until time.Time) ([]models.BriefingReport, error) {
	f.since, f.until = since, until
	return []models.BriefingReport{
		{Source: models.SourceModel, Model: new("=m"), PromptVersion: new("1"), Briefings: 3, Graded: 2, Useful: 1, CostMicroUSD: 7, LatencyMS: new(40.0)},
		{Source: models.SourceRules, Briefings: 1},
	}, nil
}

func (f *fakeReports) DeliveryCounts(_ context.Context, since, until time.Time) ([]models.DeliveryCount, error) {
	f.since, f.until = since, until
	return []models.DeliveryCount{{Channel: "slack", State: models.DeliveryDone, Count: 4, Seconds: new(1.5)}, {Channel: "email", State: models.DeliveryFailed, Count: 1}}, nil
}

// TestReportsAsTables reads what is told of briefings and notifications as JSON
// and as CSV.
func TestReportsAsTables(t *testing.T) {
	t.Parallel()
	w, f := newWorld(t), &fakeReports{}
	w.records.BriefingRecords, w.records.NotificationRecords = f, f
	for path, want := range map[string]string{
		"/api/v1/reports/briefings": "source,model,prompt_version,briefings,graded,useful,causes,cause_score,calls,unusable,failed," +
			"input_tokens,output_tokens,cost_usd,latency_ms\r\n" +
			"model,'=m,1,3,2,1,0,,0,0,0,0,0,0.000007,40.000\r\nrules,,,1,0,0,0,,0,0,0,0,0,0,\r\n",
		"/api/v1/reports/deliveries": "channel,state,count,median_seconds\r\nslack,done,4,1.500\r\nemail,failed,1,\r\n",
	} {
		rec := w.do(ask("GET", path+"?format=csv&since=2026-11-01T00:00:00Z&until=2026-12-01T00:00:00%2B01:00", "", admin))
		require.Equal(t, 200, rec.Code, rec.Body.String())
		require.Equal(t, "text/csv", rec.Header().Get("Content-Type"))
		require.Equal(t, want, rec.Body.String())
		require.Equal(t, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), f.since)
		require.Equal(t, time.Date(2026, 11, 30, 23, 0, 0, 0, time.UTC), f.until)
		rec = w.do(ask("GET", path, "", admin))
		var report struct{ Items []json.RawMessage }
		require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &report))
		require.Len(t, report.Items, 2)
		require.Equal(t, 30*24*time.Hour, f.until.Sub(f.since).Truncate(time.Hour))
		require.Equal(t, 400, w.do(ask("GET", path+"?since=2026-12-01T00:00:00Z&until=2026-11-01T00:00:00Z", "", admin)).Code)
	}
}

func TestReportHandoffs(t *testing.T) {
	t.Parallel()
	w, f := newLadderWorld(t)
	claimed := noon.Add(time.Minute)
	f.waits = []models.HandoffWait{{
		HandoffID: handoffID, Priority: models.PriorityHigh, QueuedAt: noon, ClaimedAt: &claimed, ClaimedBy: &ana,
		ClaimerName: new(`=HYPERLINK("http://evil.example")`), Policy: json.RawMessage(`{"claim_within_seconds":90}`),
	}}
	path := "/api/v1/reports/handoffs"
	rec := w.do(ask("GET", path+"?since=2026-11-01T00:00:00Z&until=2026-12-01T00:00:00Z&zone=Europe/Berlin", "", admin))
	require.Equal(t, 200, rec.Code, rec.Body.String())
	var report struct {
		Items   []ladder.Row
		Waiting []struct {
			Priority string
			Open     int
			Oldest   time.Time `json:"oldest_open_at"`
		}
	}
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &report))
	require.Len(t, report.Items, 6)
	require.InDelta(t, 60, *report.Items[0].Median, 0)
	require.InDelta(t, 1, *report.Items[0].Share, 0)
	require.Equal(t, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), f.since)
	require.Len(t, report.Waiting, 1)
	require.Equal(t, "critical", report.Waiting[0].Priority)
	require.Equal(t, 2, report.Waiting[0].Open)
	require.Equal(t, noon, report.Waiting[0].Oldest)

	for _, change := range []func(*http.Request){
		func(r *http.Request) { r.URL.RawQuery = "format=csv" },
		func(r *http.Request) { r.Header.Set("Accept", "text/csv;q=0.9, */*") },
	} {
		rec := w.do(ask("GET", path, "", admin, change))
		require.Equal(t, 200, rec.Code, rec.Body.String())
		require.Equal(t, "text/csv", rec.Header().Get("Content-Type"))
		lines, err := csv.NewReader(strings.NewReader(rec.Body.String())).ReadAll()
		require.NoError(t, err)
		require.Len(t, lines, 7)
		require.Equal(t, `'=HYPERLINK("http://evil.example")`, lines[6][2], "no spreadsheet computes a name")
	}
	rec = w.do(ask("GET", path+"?format=csv&group=hour&zone=Europe/Berlin", "", admin))
	require.Equal(t, 2, strings.Count(rec.Body.String(), "\n"), rec.Body.String())
	require.Contains(t, rec.Body.String(), "hour,3T13,Wednesday 13:00,1,")
	require.Equal(t, 422, w.do(ask("GET", path+"?group=moon", "", admin)).Code)
	rec = w.do(ask("GET", path+"?format=json", "", admin, header("Accept", "text/csv")))
	require.Equal(t, "application/json", rec.Header().Get("Content-Type"))
	require.Equal(t, 400, w.do(ask("GET", path+"?zone=Mars", "", admin)).Code)
	require.Equal(t, 400, w.do(ask("GET", path+"?since=2026-12-01T00:00:00Z&until=2026-11-01T00:00:00Z", "", admin)).Code)
	f.waits = make([]models.HandoffWait, maxReported+1)
	require.Equal(t, 400, w.do(ask("GET", path, "", admin)).Code, "a part is not told as if it were all")
}
