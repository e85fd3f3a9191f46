package api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
)

// What a script of an allow-listed origin may send and read, and for how many
// seconds the browser may remember that.
const (
	corsMethods = "GET, POST"
	corsHeaders = "Authorization, Content-Type, Cache-Control, Idempotency-Key, Last-Event-ID, X-Request-Id"
	corsExposed = "Location, Retry-After, WWW-Authenticate, X-Request-Id"
	corsMaxAge  = "600"
)

// headers sets what every answer carries, and answers the preflight requests
// of browsers. Handlers of pages replace what does not suit a page.
func (s *Server) headers(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")

	if len(s.o.AllowedOrigins) == 0 {
		return
	}
	h.Add("Vary", "Origin")
	origin := c.GetHeader("Origin")
	if origin == "" || !slices.Contains(s.o.AllowedOrigins, origin) {
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Expose-Headers", corsExposed)
	if c.Request.Method == http.MethodOptions && c.GetHeader("Access-Control-Request-Method") != "" {
		h.Set("Access-Control-Allow-Methods", corsMethods)
		h.Set("Access-Control-Allow-Headers", corsHeaders)
		h.Set("Access-Control-Max-Age", corsMaxAge)
		c.AbortWithStatus(http.StatusNoContent)
	}
}

// originOf checks an entry of the allow list: a scheme and a host, as browsers
// send them, and never a pattern.
func validOrigin(origin string) bool {
	scheme, host, found := strings.Cut(origin, "://")
	return found && (scheme == "https" || scheme == "http") && host != "" &&
		!strings.ContainsAny(host, "*/?# ") && origin == strings.ToLower(origin)
}
