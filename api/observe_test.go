package api

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/models"
)

func TestRequestID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, given := range []string{"abc-1", "0af7651916cd43dd8448eb211c80319c", "A.b_c:9", strings.Repeat("x", 128)} {
		rec := w.do(ask("GET", "/healthz", "", header("X-Request-Id", given)))
		require.Equal(t, given, rec.Header().Get("X-Request-Id"))
	}
	for _, given := range []string{"", "a b", "a\"b", "a\tb", "é", strings.Repeat("x", 129), "<script>"} {
		rec := w.do(ask("GET", "/healthz", "", header("X-Request-Id", given)))
		_, err := uuid.Parse(rec.Header().Get("X-Request-Id"))
		require.NoError(t, err, given)
	}
}

func TestLogLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.handoffs.transition = func(context.Context, models.Principal, models.TransitionRequest) (models.HandoffView, error) {
		return aHandoff(), nil
	}
	w.do(ask("POST", aHandoffPath+"/release?token=hunter2", `{"note":"hunter2"}`, header("X-Request-Id", "r-1"), header("Idempotency-Key", "hunter2")))
	require.NotContains(t, w.log.String(), "hunter2", "no value of a request is logged")
	require.NotContains(t, w.log.String(), "Bearer")
	line := w.logLine(t)
	require.Equal(t, "INFO", line["level"])
	require.Equal(t, "r-1", line["request_id"])
	require.Equal(t, "POST", line["method"])
	require.Equal(t, aHandoffPath+"/release", line["path"])
	require.Equal(t, "/api/v1/ai-sessions/:id/handoffs/:hid/release", line["route"])
	require.EqualValues(t, 200, line["status"])
	require.Equal(t, account.String(), line["account_id"])
	require.Equal(t, ana.String(), line["user_id"])
	require.Equal(t, sessionID.String(), line["session_id"])
	require.Equal(t, handoffID.String(), line["handoff_id"])
	require.Positive(t, line["bytes"])
	require.Contains(t, line, "duration_ms")
	require.NotContains(t, line, "error")
}

func TestLogLevels(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var err error
	w.records.handoff = func(context.Context, uuid.UUID, uuid.UUID) (models.HandoffView, error) {
		return models.HandoffView{}, err
	}
	for _, tc := range []struct {
		path  string
		err   error
		level string
	}{
		{"/healthz", nil, "DEBUG"},
		{aHandoffPath, models.Errorf(models.CodeNotFound, "Not there."), "INFO"},
		{aHandoffPath, models.Errorf(models.CodeUnavailable, "Not now.").WithCause(errSecret), "WARN"},
		{aHandoffPath, errSecret, "ERROR"},
		{"/" + strings.Repeat("x", 300), nil, "INFO"},
	} {
		err = tc.err
		w.do(ask("GET", tc.path, ""))
		line := w.logLine(t)
		require.Equal(t, tc.level, line["level"], tc)
		if tc.err != nil {
			require.Equal(t, tc.err.Error(), line["error"], "the cause is for the log")
		}
		require.LessOrEqual(t, len(line["path"].(string)), 210)
	}
}

func TestObserve(t *testing.T) {
	t.Parallel()
	type seen struct {
		route, method string
		status        int
	}
	var got []seen
	w := newWorld(t, func(o *Options) {
		o.Observe = func(route, method string, status int, took time.Duration) {
			require.GreaterOrEqual(t, took, time.Duration(0))
			got = append(got, seen{route, method, status})
		}
	})
	w.do(ask("GET", "/healthz", ""))
	w.do(ask("GET", "/nothing", ""))
	w.do(ask("GET", sessionsPath+"/42", ""))
	require.Equal(t, []seen{{"/healthz", "GET", 200}, {"", "GET", 404}, {"/api/v1/ai-sessions/:id", "GET", 422}}, got)
}

func TestPanics(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) {
		o.Metrics = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.RawQuery == "late" {
				_, _ = w.Write([]byte("half"))
			}
			panic(errSecret)
		})
		o.Checks = []Check{}
	})
	rec := w.do(ask("GET", "/metrics", ""))
	require.Equal(t, 500, rec.Code)
	p := readProblem(t, rec)
	require.Equal(t, "internal", p.Code)
	require.NotContains(t, rec.Body.String(), "pq:")
	line := w.logLine(t)
	require.Contains(t, line["error"], errSecret.Error())
	require.Contains(t, line["error"], "observe_test.go", "the stack is logged")

	require.PanicsWithError(t, http.ErrAbortHandler.Error(), func() {
		w.server.ServeHTTP(httptest.NewRecorder(), ask("GET", "/metrics?late", ""))
	}, "half an answer is broken off")
	require.Equal(t, "ERROR", w.logLine(t)["level"])
}

func TestAbortedHandlers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) {
		o.Metrics = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	})
	require.PanicsWithError(t, http.ErrAbortHandler.Error(), func() {
		w.server.ServeHTTP(httptest.NewRecorder(), ask("GET", "/metrics", ""))
	})
}

// TestDeadline holds that ports see the request's deadline.
func TestDeadline(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) { o.RequestTimeout = time.Nanosecond })
	w.records.handoff = func(ctx context.Context, _, _ uuid.UUID) (models.HandoffView, error) {
		<-ctx.Done()
		return models.HandoffView{}, ctx.Err()
	}
	rec := w.do(ask("GET", aHandoffPath, ""))
	require.Equal(t, 503, rec.Code)
	require.Equal(t, "2", rec.Header().Get("Retry-After"))
}

func TestBodyThatBreaksOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	req := ask("POST", aHandoffPath+"/claim", "x")
	req.Body = http.MaxBytesReader(nil, brokenBody{}, 1<<20)
	rec := w.do(req)
	require.Equal(t, 400, rec.Code)
	require.Equal(t, "The body did not arrive completely.", readProblem(t, rec).text(t))
}

type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, errors.New("connection reset by peer") }
func (brokenBody) Close() error             { return nil }
