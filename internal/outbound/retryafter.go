package outbound

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// MaxRetryAfter bounds what an answer may ask for: a wrong clock or a bad day
// must not silence a system for good.
const MaxRetryAfter = time.Hour

// RetryAfter reads for how long an answer asks to wait, of the headers
// Retry-After-Ms, which some services send, and Retry-After (RFC 9110, section
// 10.2.3), a number of seconds or a date. It is zero when there is none.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	for _, header := range []struct {
		name string
		unit time.Duration
	}{{"Retry-After-Ms", time.Millisecond}, {"Retry-After", time.Second}} {
		v := strings.TrimSpace(h.Get(header.name))
		if n, err := strconv.ParseFloat(v, 64); err == nil && n >= 0 { // not NaN
			return time.Duration(min(n*float64(header.unit), float64(MaxRetryAfter)))
		}
		if at, err := http.ParseTime(v); err == nil {
			return min(max(at.Sub(now), 0), MaxRetryAfter)
		}
	}
	return 0
}
