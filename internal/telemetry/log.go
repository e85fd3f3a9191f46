// Package telemetry is what operators see of Baton: its log and its metrics.
package telemetry

import (
	"context"
	"io"
	"log/slog"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/tenant"
)

// NewLogger returns a logger that writes JSON, or, when format is "text", for
// people. Each line that is logged with a context says which request, account
// and handoff it is about, as far as the context knows.
func NewLogger(w io.Writer, level slog.Leveler, format string) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if format == "text" {
		return slog.New(contextHandler{slog.NewTextHandler(w, o)})
	}
	return slog.New(contextHandler{slog.NewJSONHandler(w, o)})
}

type requestKey struct{}

// WithRequestID returns a context for the work of one request.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestKey{}, id)
}

// RequestID returns the id of the request that ctx works for, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

// contextHandler adds what the context knows to each record. The account is
// the one that package tenant has put there.
type contextHandler struct{ slog.Handler }

func (h contextHandler) Handle(ctx context.Context, r slog.Record) error {
	if id := RequestID(ctx); id != "" {
		r.AddAttrs(slog.String("request_id", id))
	}
	if account := tenant.From(ctx).Account; account != uuid.Nil {
		r.AddAttrs(slog.String("account_id", account.String()))
	}
	return h.Handler.Handle(ctx, r)
}

func (h contextHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return contextHandler{h.Handler.WithAttrs(attrs)}
}

func (h contextHandler) WithGroup(name string) slog.Handler {
	return contextHandler{h.Handler.WithGroup(name)}
}
