package web_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/web"
)

func get(t *testing.T, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	h, err := web.Handler()
	require.NoError(t, err)
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

// TestPages holds that every address of a page answers with the page, which
// must not be kept, and asks for nothing from elsewhere.
func TestPages(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/", "/sign-in", "/sessions/1/handoffs/2", "/index.html", "/a/../b"} {
		rec := get(t, path)
		require.Equal(t, 200, rec.Code, path)
		require.Equal(t, "text/html; charset=utf-8", rec.Header().Get("Content-Type"))
		require.Equal(t, "no-cache", rec.Header().Get("Cache-Control"))
		policy := rec.Header().Get("Content-Security-Policy")
		require.Contains(t, policy, "default-src 'none'")
		require.Contains(t, policy, "frame-ancestors 'none'")
		require.NotContains(t, policy, "unsafe")
		require.NotContains(t, policy, "http")
		require.Contains(t, rec.Body.String(), `<div id="app">`)
	}
	again := get(t, "/", "If-None-Match", get(t, "/").Header().Get("ETag"))
	require.Equal(t, http.StatusNotModified, again.Code)
	require.Empty(t, again.Body.String())
}

// TestAssets follows the page to its files: they are there, may be kept for
// good, and come compressed to who can read that.
func TestAssets(t *testing.T) {
	t.Parallel()
	found := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(get(t, "/").Body.String(), -1)
	require.GreaterOrEqual(t, len(found), 3)
	for _, m := range found {
		path := m[1]
		plain := get(t, path)
		require.Equal(t, 200, plain.Code, path)
		require.Empty(t, plain.Header().Get("Content-Encoding"))
		if !strings.HasPrefix(path, "/assets/") {
			continue
		}
		require.Contains(t, plain.Header().Get("Cache-Control"), "immutable")
		zipped := get(t, path, "Accept-Encoding", "br, gzip;q=0.8")
		require.Equal(t, "gzip", zipped.Header().Get("Content-Encoding"))
		require.NotEqual(t, plain.Header().Get("ETag"), zipped.Header().Get("ETag"))
		z, err := gzip.NewReader(zipped.Body)
		require.NoError(t, err)
		content, err := io.ReadAll(z)
		require.NoError(t, err)
		require.Equal(t, plain.Body.String(), string(content))
		require.Empty(t, get(t, path, "Accept-Encoding", "gzip; q=0").Header().Get("Content-Encoding"))
	}
	for _, path := range []string{"/assets/nothing.js", "/favicon.ico", "/dist/index.html", "/assets/../web.go"} {
		require.Equal(t, 404, get(t, path).Code, path)
	}
}
