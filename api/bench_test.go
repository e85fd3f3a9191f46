package api

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/baton-handoff/baton/models"
)

// nowhere is a response that nobody reads.
type nowhere struct{ header http.Header }

func (w nowhere) Header() http.Header         { return w.header }
func (w nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (w nowhere) WriteHeader(int)             {}

// BenchmarkLosingClaim is what this package adds to a claim that somebody else
// has won, the request that bursts are made of.
func BenchmarkLosingClaim(b *testing.B) {
	w := newWorld(b, func(o *Options) { o.Logger = slog.New(slog.NewJSONHandler(nowhere{}, nil)) })
	lost := &models.Error{Code: models.CodeAlreadyClaimed, Message: "Sam was first.", Claim: &models.Claim{ByID: sam, ByName: "Sam", At: noon}}
	w.handoffs.transition = func(context.Context, models.Principal, models.TransitionRequest) (models.HandoffView, error) {
		return models.HandoffView{}, lost
	}
	benchmark(b, w.server, ask("POST", aHandoffPath+"/claim", "{}", header("Idempotency-Key", "5f1c2b9e-7a44-4f0a-9b57-3b0e1c6d8a21")))
}

// BenchmarkBareGin is a handler that does nothing, for comparison.
func BenchmarkBareGin(b *testing.B) {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.POST("/api/v1/ai-sessions/:id/handoffs/:hid/claim", func(c *gin.Context) { c.JSON(409, gin.H{"error": "already_claimed"}) })
	benchmark(b, e, ask("POST", aHandoffPath+"/claim", "{}"))
}

// benchmark serves one request again and again. Stopping the timer around the
// making of a new one would cost more than serving it.
func benchmark(b *testing.B, h http.Handler, req *http.Request) {
	b.ReportAllocs()
	for b.Loop() {
		again := *req
		again.Body = io.NopCloser(strings.NewReader("{}"))
		h.ServeHTTP(nowhere{http.Header{}}, &again)
	}
}
