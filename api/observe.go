package api

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/connections"
	"github.com/baton-handoff/baton/internal/telemetry"
	"github.com/baton-handoff/baton/models"
)

// request is what becomes known of a request while it is served: for its log
// line, and for the handlers.
type request struct {
	id        string
	start     time.Time
	method    string
	path      string
	route     string // the pattern; empty when none fits
	by        models.Principal
	sessionID uuid.UUID // of the path
	handoffID uuid.UUID // of the path, or of one that was created
	code      models.Code
	err       error
	status    int
	bytes     int
	// live is set when the request goes on as a stream.
	live *live
}

type requestKey struct{}

// requestOf returns what is known of the request that ctx belongs to.
func requestOf(ctx context.Context) *request {
	return ctx.Value(requestKey{}).(*request) //nolint:forcetypeassert // observe is the first middleware
}

// observe gives the request its id and its time, and tells the log and the
// metrics how it ended, also when it panicked.
func (s *Server) observe(c *gin.Context) {
	r := &request{
		id: requestID(c.GetHeader("X-Request-Id")), start: time.Now(),
		method: c.Request.Method, path: c.Request.URL.Path, route: c.FullPath(),
		sessionID: pathID(c, "id"), handoffID: pathID(c, "hid"),
	}
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
		if r.live != nil {
			return // It is told of when the stream ends.
		}
		r.status, r.bytes = c.Writer.Status(), r.bytes+max(c.Writer.Size(), 0)
		s.record(r)
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
func (s *Server) record(r *request) {
	took := time.Since(r.start)
	if s.o.Observe != nil {
		s.o.Observe(r.route, knownMethod(r.method), r.status, took)
	}
	level := slog.LevelInfo
	switch {
	case r.code == models.CodeInternal:
		level = slog.LevelError
	case r.status >= http.StatusInternalServerError:
		level = slog.LevelWarn
	case r.by.UserID == uuid.Nil && r.status < http.StatusBadRequest:
		level = slog.LevelDebug // probes, scrapes and pages
	}
	// Without the request's context, whose ids this line has already.
	ctx := context.Background()
	if !s.o.Logger.Enabled(ctx, level) {
		return
	}
	const most = 15 // so that they are allocated once
	attrs := append(make([]slog.Attr, 0, most),
		slog.String("request_id", r.id),
		slog.String("method", r.method),
		slog.String("path", loggedPath(r.path)),
		slog.Int("status", r.status),
		slog.Int("bytes", r.bytes),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000),
	)
	if r.route != "" {
		attrs = append(attrs, slog.String("route", r.route))
	}
	for _, id := range []struct {
		name string
		id   uuid.UUID
	}{
		{"account_id", r.by.AccountID},
		{"user_id", r.by.UserID},
		{"api_key_id", r.by.APIKeyID},
		{"session_id", r.sessionID},
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
	s.o.Logger.LogAttrs(ctx, level, "request", attrs...)
}

// pathID is a path parameter that is an id, or the zero id.
func pathID(c *gin.Context, name string) uuid.UUID {
	id, _ := uuid.Parse(c.Param(name)) // zero when it is none
	return id
}

// loggedPath leaves out what of a path is secret, also where no route fits.
func loggedPath(path string) string {
	if strings.HasPrefix(path, connections.CallbackPath) {
		return connections.CallbackPath + "…"
	}
	return clip(path)
}

func clip(path string) string {
	const most = 200
	if len(path) > most {
		return path[:most] + "…"
	}
	return path
}
