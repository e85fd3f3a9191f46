package api

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/telemetry"
	"github.com/baton-handoff/baton/models"
)

// request is what becomes known of a request while it is served: for its log
// line, and for the handlers.
type request struct {
	id        string
	by        models.Principal
	handoffID uuid.UUID // of a handoff that was created; others are in the path
	code      models.Code
	err       error
}

type requestKey struct{}

// requestOf returns what is known of the request that ctx belongs to.
func requestOf(ctx context.Context) *request {
	return ctx.Value(requestKey{}).(*request) //nolint:forcetypeassert // observe is the first middleware
}

// observe gives the request its id and its time, and tells the log and the
// metrics how it ended, also when it panicked.
func (s *Server) observe(c *gin.Context) {
	start := time.Now()
	r := &request{id: requestID(c.GetHeader("X-Request-Id"))}
	c.Header("X-Request-Id", r.id)
	// For the log lines of everybody below.
	ctx := telemetry.WithRequestID(context.WithValue(c.Request.Context(), requestKey{}, r), r.id)
	if op := s.operation(c); op == nil || !op.stream {
		var cancel context.CancelFunc
		timeout := s.o.RequestTimeout
		if op != nil {
			timeout = cmp.Or(op.timeout, timeout)
		}
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	c.Request = c.Request.WithContext(ctx)
	defer func() {
		broken := s.recovered(c, recover())
		s.record(c, r, time.Since(start))
		if broken {
			panic(http.ErrAbortHandler) // The reader must not take half an answer for a whole one.
		}
	}()
	c.Next()
}

// requestID takes over an id that a proxy gave, when it is fit for a log line.
func requestID(given string) string {
	if len(given) == 0 || len(given) > 128 {
		return uuid.NewString()
	}
	for _, r := range given {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		case r == '-', r == '_', r == '.', r == ':':
		default:
			return uuid.NewString()
		}
	}
	return given
}

// recovered answers a panic with a problem. It reports whether the answer had
// begun already, so that it can only be broken off.
func (s *Server) recovered(c *gin.Context, v any) (broken bool) {
	if v == nil {
		return false
	}
	if v == http.ErrAbortHandler { //nolint:errorlint // a sentinel that is thrown as it is
		return true
	}
	begun := c.Writer.Written()
	s.fail(c, fmt.Errorf("panic: %v\n%s", v, debug.Stack()))
	return begun
}

// knownMethod keeps methods that somebody invents out of the metrics.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// record writes the request's log line. It holds ids and no values: no query,
// no header, no body.
func (s *Server) record(c *gin.Context, r *request, took time.Duration) {
	status := c.Writer.Status()
	route := c.FullPath()
	if s.o.Observe != nil {
		s.o.Observe(route, knownMethod(c.Request.Method), status, took)
	}
	level := slog.LevelInfo
	switch {
	case r.code == models.CodeInternal:
		level = slog.LevelError
	case status >= http.StatusInternalServerError:
		level = slog.LevelWarn
	case r.by.UserID == uuid.Nil && status < http.StatusBadRequest:
		level = slog.LevelDebug // probes, scrapes and pages
	}
	ctx := c.Request.Context()
	if !s.o.Logger.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("request_id", r.id),
		slog.String("method", c.Request.Method),
		slog.String("path", loggedPath(c)),
		slog.Int("status", status),
		slog.Int("bytes", max(c.Writer.Size(), 0)),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000),
	}
	if route != "" {
		attrs = append(attrs, slog.String("route", route))
	}
	for _, id := range []struct {
		name string
		id   uuid.UUID
	}{
		{"account_id", r.by.AccountID},
		{"user_id", r.by.UserID},
		{"session_id", pathID(c, "id")},
		{"handoff_id", pathID(c, "hid")},
		{"handoff_id", r.handoffID},
	} {
		if id.id != uuid.Nil {
			attrs = append(attrs, slog.String(id.name, id.id.String()))
		}
	}
	if r.code != "" {
		attrs = append(attrs, slog.String("code", string(r.code)))
	}
	if r.err != nil {
		attrs = append(attrs, slog.String("error", r.err.Error()))
	}
	// Without the request's context, whose ids this line has already.
	s.o.Logger.LogAttrs(context.Background(), level, "request", attrs...)
}

// pathID is a path parameter that is an id, or the zero id.
func pathID(c *gin.Context, name string) uuid.UUID {
	id, _ := uuid.Parse(c.Param(name)) // zero when it is none
	return id
}

// loggedPath leaves out what of a path is secret.
func loggedPath(c *gin.Context) string {
	if c.Param("token") != "" {
		return c.FullPath()
	}
	return clip(c.Request.URL.Path)
}

func clip(path string) string {
	const most = 200
	if len(path) > most {
		return path[:most] + "…"
	}
	return path
}
