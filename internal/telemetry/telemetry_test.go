package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/auth"
	"github.com/baton-handoff/baton/internal/feed"
	"github.com/baton-handoff/baton/internal/tenant"
)

var (
	_ feed.Observer = (*Metrics)(nil)
	_ auth.Observer = (*Metrics)(nil)
)

// line returns the last line of a JSON log.
func line(t *testing.T, out *bytes.Buffer) map[string]any {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	got := map[string]any{}
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &got))
	delete(got, "time")
	return got
}

func TestLogSaysWhatItIsAbout(t *testing.T) {
	t.Parallel()
	account := uuid.New()
	var out bytes.Buffer
	log := NewLogger(&out, slog.LevelInfo, "json")

	log.Info("started", "port", 8080)
	require.Equal(t, map[string]any{"level": "INFO", "msg": "started", "port": 8080.}, line(t, &out))

	ctx := tenant.With(WithRequestID(t.Context(), "r-1"), account)
	require.Equal(t, "r-1", RequestID(ctx))
	want := map[string]any{"level": "INFO", "msg": "claimed", "request_id": "r-1", "account_id": account.String()}
	log.InfoContext(ctx, "claimed")
	require.Equal(t, want, line(t, &out))

	want["component"] = "api"
	log.With("component", "api").InfoContext(ctx, "claimed")
	require.Equal(t, want, line(t, &out), "also from a logger that was derived")

	log.InfoContext(tenant.System(context.Background()), "swept")
	require.Equal(t, map[string]any{"level": "INFO", "msg": "swept"}, line(t, &out))
	require.Empty(t, RequestID(context.Background()))
}

func TestLogLevelAndFormat(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := NewLogger(&out, slog.LevelWarn, "text")
	log.Info("not this")
	log.WithGroup("psa").WarnContext(WithRequestID(t.Context(), "r-1"), "slow", "seconds", 3)
	require.NotContains(t, out.String(), "not this")
	require.Contains(t, out.String(), "level=WARN msg=slow psa.seconds=3 psa.request_id=r-1")
}

func TestTemporalLogger(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	TemporalLogger(NewLogger(&out, slog.LevelInfo, "json")).Warn("Task failed", "WorkflowID", "handoff/1")
	require.Equal(t, map[string]any{"level": "WARN", "msg": "Task failed", "WorkflowID": "handoff/1"}, line(t, &out))
}

func newMetrics(t *testing.T) *Metrics {
	t.Helper()
	m, err := NewMetrics("v1.2.3", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return m
}

func expose(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	require.Equal(t, http.StatusOK, w.Code)
	body, err := io.ReadAll(w.Body)
	require.NoError(t, err)
	return string(body)
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	m := newMetrics(t)
	m.HTTPRequest("/api/v1/ai-sessions/{id}/handoff", "POST", 201, 20*time.Millisecond)
	m.HTTPRequest("/api/v1/ai-sessions/{id}/handoff", "POST", 409, 3*time.Second)
	m.FeedSubscribers(1)
	m.FeedSubscribers(1)
	m.FeedSubscribers(-1)
	m.FeedEvents(3)
	m.FeedResync(string(feed.ReasonSlow))
	m.AuthRefused(string(auth.ReasonExpired))
	got := expose(t, m)
	for _, want := range []string{
		`baton_build_info{version="v1.2.3"} 1`,
		`baton_http_requests_total{method="POST",route="/api/v1/ai-sessions/{id}/handoff",status="201"} 1`,
		`baton_http_requests_total{method="POST",route="/api/v1/ai-sessions/{id}/handoff",status="409"} 1`,
		`baton_http_request_duration_seconds_bucket{method="POST",route="/api/v1/ai-sessions/{id}/handoff",le="0.025"} 1`,
		`baton_http_request_duration_seconds_count{method="POST",route="/api/v1/ai-sessions/{id}/handoff"} 2`,
		`baton_feed_subscribers 1`,
		`baton_feed_events_total 3`,
		`baton_feed_resyncs_total{reason="slow"} 1`,
		`baton_auth_refusals_total{reason="expired"} 1`,
		`go_goroutines `,
		`process_start_time_seconds `,
	} {
		require.Contains(t, got, "\n"+want)
	}
}

func TestTemporalMetrics(t *testing.T) {
	t.Parallel()
	m := newMetrics(t)
	handler := m.TemporalHandler().WithTags(map[string]string{"namespace": "default", "task_queue": "baton"})
	handler.Counter("temporal_request").Inc(2)
	handler.Gauge("temporal_worker_task_slots_available").Update(7)
	handler.Timer("temporal_request_latency").Record(20 * time.Millisecond)
	got := expose(t, m)
	for _, want := range []string{
		`temporal_request_total{namespace="default",task_queue="baton"} 2`,
		`temporal_worker_task_slots_available{namespace="default",task_queue="baton"} 7`,
		`temporal_request_latency_seconds_bucket{namespace="default",task_queue="baton",le="0.025"} 1`,
		`temporal_request_latency_seconds_bucket{namespace="default",task_queue="baton",le="0.01"} 0`,
	} {
		require.Contains(t, got, "\n"+want)
	}
	require.NotContains(t, got, "otel_scope_info")
	require.NotContains(t, got, "target_info")

	handler.Counter("not a name").Inc(1) // must not panic
}
