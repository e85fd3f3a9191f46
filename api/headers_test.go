package api

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/healthz", "/nothing", "/api/v1/me", sessionsPath + "/42"} {
		h := w.do(ask("GET", path, "")).Header()
		require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"), path)
		require.Equal(t, "no-store", h.Get("Cache-Control"), path)
		require.Equal(t, "default-src 'none'; frame-ancestors 'none'", h.Get("Content-Security-Policy"), path)
		require.Empty(t, h.Get("Vary"), "no answer depends on the origin")
	}
}

func TestCORS(t *testing.T) {
	t.Parallel()
	const origin = "https://app.example.com"
	w := newWorld(t, func(o *Options) { o.AllowedOrigins = []string{"https://other.example.com:8443", origin} })

	preflight := func(origin string) *httptest.ResponseRecorder {
		return w.do(ask("OPTIONS", aHandoffPath+"/claim", "", header("Authorization", ""), header("Origin", origin),
			header("Access-Control-Request-Method", "POST"), header("Access-Control-Request-Headers", "authorization,idempotency-key")))
	}
	rec := preflight(origin)
	require.Equal(t, 204, rec.Code)
	require.Equal(t, origin, rec.Header().Get("Access-Control-Allow-Origin"))
	require.Equal(t, "true", rec.Header().Get("Access-Control-Allow-Credentials"))
	require.Contains(t, rec.Header().Get("Access-Control-Allow-Methods"), "POST")
	for _, name := range []string{"Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID"} {
		require.Contains(t, rec.Header().Get("Access-Control-Allow-Headers"), name)
	}

	for _, foreign := range []string{"https://evil.example.com", "https://app.example.com.evil.org", "http://app.example.com", "null", "https://APP.example.com"} {
		rec := preflight(foreign)
		require.Equal(t, 405, rec.Code, foreign)
		for name := range rec.Header() {
			require.NotContains(t, name, "Access-Control", foreign)
		}
		require.Equal(t, "Origin", rec.Header().Get("Vary"))
	}

	// Errors can be read by the script too.
	rec = w.do(ask("GET", "/api/v1/me", "", header("Authorization", ""), header("Origin", origin)))
	require.Equal(t, 401, rec.Code)
	require.Equal(t, origin, rec.Header().Get("Access-Control-Allow-Origin"))
	require.Contains(t, rec.Header().Get("Access-Control-Expose-Headers"), "Retry-After")
	require.Equal(t, "Origin", rec.Header().Get("Vary"))

	rec = w.do(ask("GET", "/api/v1/me", ""))
	require.Empty(t, rec.Header().Get("Access-Control-Allow-Origin"), "a request of no origin")
}

func TestNoOriginIsAllowedByDefault(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec := w.do(ask("GET", "/api/v1/me", "", header("Origin", "https://app.example.com")))
	require.Equal(t, 200, rec.Code)
	require.Empty(t, rec.Header().Get("Access-Control-Allow-Origin"))
}

func TestFallback(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) {
		o.Fallback = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-cache")
			_, _ = w.Write([]byte("console " + r.URL.Path))
		})
	})
	rec := w.do(ask("GET", "/queue/42", ""))
	require.Equal(t, 200, rec.Code)
	require.Equal(t, "console /queue/42", rec.Body.String())
	require.Equal(t, "no-cache", rec.Header().Get("Cache-Control"))
	require.Equal(t, 200, w.do(ask("HEAD", "/", "")).Code)
	for _, r := range []struct{ method, path string }{{"GET", "/api/v1/nothing"}, {"POST", "/queue/42"}} {
		rec := w.do(ask(r.method, r.path, ""))
		require.Equal(t, 404, rec.Code, r)
		readProblem(t, rec)
	}
}

func TestHandle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.server.Handle("POST", "/api/v1/dev/token", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
	}))
	rec := w.do(ask("POST", "/api/v1/dev/token", "{}", header("Authorization", "")))
	require.Equal(t, http.StatusTeapot, rec.Code)
	require.NotEmpty(t, rec.Header().Get("X-Request-Id"))
	require.EqualValues(t, http.StatusTeapot, w.logLine(t)["status"])
}
