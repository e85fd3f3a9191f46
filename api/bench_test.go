package api

import (
	"context"
	"log/slog"
	"net/http"
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
	benchmark(b, w.server, func() *http.Request {
		return ask("POST", aHandoffPath+"/claim", "{}", header("Idempotency-Key", "5f1c2b9e-7a44-4f0a-9b57-3b0e1c6d8a21"))
	})
}

// BenchmarkBareGin is a handler that does nothing, for comparison.
func BenchmarkBareGin(b *testing.B) {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.POST("/api/v1/ai-sessions/:id/handoffs/:hid/claim", func(c *gin.Context) { c.JSON(409, gin.H{"error": "already_claimed"}) })
	benchmark(b, e, func() *http.Request { return ask("POST", aHandoffPath+"/claim", "{}") })
}

func benchmark(b *testing.B, h http.Handler, request func() *http.Request) {
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		req := request()
		b.StartTimer()
		h.ServeHTTP(nowhere{http.Header{}}, req)
	}
}
