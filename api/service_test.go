package api

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) {
		o.Checks = []Check{{"postgres", func(context.Context) error { return errSecret }}}
	})
	rec := w.do(ask("GET", "/healthz", "", header("Authorization", "")))
	require.Equal(t, 200, rec.Code)
	require.JSONEq(t, `{"status":"ok","version":"1.2.3"}`, rec.Body.String())
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	works := func(context.Context) error { return nil }
	fails := func(context.Context) error { return errSecret }
	hangs := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for _, tc := range []struct {
		name   string
		checks []Check
		status int
		want   string
	}{
		{"nothing to ask", nil, 200, `{"status":"ok","parts":{}}`},
		{"all work", []Check{{"postgres", works}, {"temporal", works}}, 200, `{"status":"ok","parts":{"postgres":"ok","temporal":"ok"}}`},
		{"one fails", []Check{{"postgres", works}, {"temporal", fails}}, 503, `{"status":"down","parts":{"postgres":"ok","temporal":"down"}}`},
		{"one hangs", []Check{{"postgres", hangs}, {"temporal", works}}, 503, `{"status":"down","parts":{"postgres":"down","temporal":"ok"}}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(o *Options) { o.Checks = tc.checks })
				start := time.Now()
				rec := w.do(ask("GET", "/readyz", "", header("Authorization", "")))
				require.LessOrEqual(t, time.Since(start), probeTimeout)
				require.Equal(t, tc.status, rec.Code)
				require.JSONEq(t, tc.want, rec.Body.String())
				require.Equal(t, tc.name == "one fails", strings.Contains(w.log.String(), "pq: relation"), "what is wrong is for the log")
			})
		})
	}
}

// TestReadinessAsksAllAtOnce holds that the slowest part decides how long it
// takes.
func TestReadinessAsksAllAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := func(ctx context.Context) error {
			select {
			case <-time.After(time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		w := newWorld(t, func(o *Options) { o.Checks = []Check{{"a", slow}, {"b", slow}, {"c", slow}} })
		start := time.Now()
		require.Equal(t, 200, w.do(ask("GET", "/readyz", "")).Code)
		require.Equal(t, time.Second, time.Since(start))
	})
}

func TestReadinessWhileDraining(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.NoError(t, w.server.Drain(context.Background(), time.Hour))
	rec := w.do(ask("GET", "/readyz", ""))
	require.Equal(t, 503, rec.Code)
	require.JSONEq(t, `{"status":"draining","parts":{}}`, rec.Body.String())
	require.Equal(t, 200, w.do(ask("GET", "/healthz", "")).Code)
	require.Equal(t, 200, w.do(ask("GET", "/api/v1/me", "")).Code, "nobody else is refused")
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) {
		o.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
			_, _ = w.Write([]byte("up 1\n"))
		})
	})
	rec := w.do(ask("GET", "/metrics", "", header("Authorization", "")))
	require.Equal(t, 200, rec.Code)
	require.Equal(t, "up 1\n", rec.Body.String())
	require.Equal(t, 404, newWorld(t).do(ask("GET", "/metrics", "")).Code)
}

// TestDocs holds that the reference is served, and asks nobody else for
// anything.
func TestDocs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for address, contentType := range map[string]string{
		"/docs":          "text/html; charset=utf-8",
		"/docs/docs.css": "text/css; charset=utf-8",
		"/docs/docs.js":  "text/javascript; charset=utf-8",
	} {
		rec := w.do(ask("GET", address, "", header("Authorization", "")))
		require.Equal(t, 200, rec.Code, address)
		require.Equal(t, contentType, rec.Header().Get("Content-Type"))
		require.Contains(t, rec.Header().Get("Content-Security-Policy"), "default-src 'self'")
		require.NotContains(t, rec.Header().Get("Content-Security-Policy"), "unsafe")
		body := rec.Body.String()
		require.Greater(t, len(body), 1000, address)
		for _, outside := range []string{"src=\"http", "href=\"http", "url(", "@import", "//cdn", "style=\"", "<style", "onclick"} {
			require.NotContains(t, body, outside, address)
		}
	}
}
