package api

import (
	"embed"
	"net/http"

	"github.com/gin-gonic/gin"
)

// docsFiles render /openapi.json for people. They ask nobody else for
// anything.
//
//go:embed docs
var docsFiles embed.FS

// docs serves the reference page.
func (s *Server) docs(e *gin.Engine) {
	for _, f := range []struct{ address, name, contentType string }{
		{"/docs", "docs/index.html", "text/html; charset=utf-8"},
		{"/docs/docs.css", "docs/docs.css", "text/css; charset=utf-8"},
		{"/docs/docs.js", "docs/docs.js", "text/javascript; charset=utf-8"},
		{"/docs/icon.svg", "docs/icon.svg", "image/svg+xml"},
	} {
		content, err := docsFiles.ReadFile(f.name)
		if err != nil {
			panic(err) // embedded above
		}
		e.GET(f.address, func(c *gin.Context) {
			c.Header("Referrer-Policy", "no-referrer")
			c.Header("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
			c.Header("Cache-Control", "no-cache")
			c.Data(http.StatusOK, f.contentType, content)
		})
	}
}
