package outbound

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		header, value string
		want          time.Duration
	}{
		{"Retry-After", "17", 17 * time.Second},
		{"Retry-After", "0.5", 500 * time.Millisecond},
		{"Retry-After", "", 0},
		{"Retry-After", " 7 ", 7 * time.Second},
		{"Retry-After", "0", 0},
		{"Retry-After", "-3", 0},
		{"Retry-After", "NaN", 0},
		{"Retry-After", "Inf", MaxRetryAfter},
		{"Retry-After", "1e300", MaxRetryAfter},
		{"Retry-After", "99999", MaxRetryAfter},
		{"Retry-After", "soon", 0},
		{"Retry-After", "Fri, 02 Jan 2099 03:00:00 GMT", MaxRetryAfter},
		{"Retry-After", "Fri, 02 Jan 2026 03:05:05 GMT", time.Minute},
		{"Retry-After", "Fri, 02 Jan 2025 03:05:05 GMT", 0},
		{"Retry-After-Ms", "250", 250 * time.Millisecond},
	} {
		require.Equal(t, c.want, RetryAfter(http.Header{c.header: {c.value}}, now), c.value)
	}
	require.Equal(t, 250*time.Millisecond, RetryAfter(http.Header{"Retry-After": {"1"}, "Retry-After-Ms": {"250"}}, now))
	require.Equal(t, time.Second, RetryAfter(http.Header{"Retry-After": {"1"}, "Retry-After-Ms": {"?"}}, now))
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("17", "")
	f.Add("Fri, 02 Jan 2026 03:05:05 GMT", "250")
	f.Fuzz(func(t *testing.T, after, ms string) {
		d := RetryAfter(http.Header{"Retry-After": {after}, "Retry-After-Ms": {ms}}, time.Unix(1_800_000_000, 0))
		require.True(t, d >= 0 && d <= MaxRetryAfter, "%v", d)
	})
}
