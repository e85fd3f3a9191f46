package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/baton-handoff/baton/internal/aside"
	"github.com/baton-handoff/baton/models"
)

// How long, in milliseconds, a reader is told to wait before it comes back.
const (
	retryLeast  = 2000
	retryMost   = 5000
	retryIfFull = 30_000
)

// authTimeout bounds asking whether a reader may still read, so that a slow
// answer does not hold up its events for long.
const authTimeout = 5 * time.Second

// retryJitter differs for each connection, so that readers who lose their
// streams together do not come back together.
func retryJitter() int { return retryLeast + rand.IntN(retryMost-retryLeast+1) }

const streamRoute = "/api/v1/ai-sessions/escalations/stream"

// liveKey is where the handler of the stream leaves it in the request's
// context, to be followed.
type liveKey struct{}

// serveStream serves the feed of the caller's account as server-sent events.
// It is one goroutine with no buffer of its own, and ends when the reader is
// gone, may no longer read, or was too slow, and when the server drains.
//
// A stream is opened as any request is served, but aside. What is left while
// it is open is a small stack, and nothing of gin.
func (s *Server) serveStream(w http.ResponseWriter, r *http.Request) {
	var l *live
	aside.Do(func() { s.engine.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), liveKey{}, &l))) })
	if l != nil {
		l.run()
	}
}

// stream opens a stream: the handler, after which serveStream goes on.
func (s *Server) stream(c *gin.Context) {
	ctx, by := caller(c)
	r := requestOf(ctx)
	l := &live{server: s, ctx: ctx, header: c.Request.Header, request: r}
	defer func() {
		if r.live == nil {
			l.close()
		}
	}()
	if l.place, r.err = s.streams.enter(); r.err != nil {
		s.streamLater(c, retryAfter(r.err))
		return
	}
	var err error
	l.sub, err = s.o.Feed.Subscribe(ctx, by.AccountID, lastEventID(c.Request))
	if models.CodeOf(err) == models.CodeUnavailable {
		r.err = err
		s.streamLater(c, retryJitter())
		return
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	l.out = s.openStream(c)
	now := time.Now()
	l.keepalive, l.reauth = now.Add(s.o.StreamKeepalive), now.Add(s.reauthDelay())
	r.err = l.out.write(now, fmt.Appendf(nil, "retry: %d\nid: %s\nevent: ready\ndata: {\"account_id\":\"%s\"}\n\n", retryJitter(), l.sub.Start(), by.AccountID))
	if r.err == nil {
		r.live, r.status = l, c.Writer.Status()
		*ctx.Value(liveKey{}).(**live) = l //nolint:forcetypeassert // see serveStream
	}
}

// live is an open stream. What it knows is here, and not in variables of its
// goroutine, whose stack is kept small.
type live struct {
	server    *Server
	ctx       context.Context
	header    http.Header
	request   *request
	place     *place
	sub       Subscription
	out       streamWriter
	keepalive time.Time // when to write something, if there is nothing to say
	reauth    time.Time // when to ask whether the reader may still read
}

// run follows the feed to the end of the stream, and tells of it.
func (l *live) run() {
	defer func() {
		v := recover()
		if v != nil {
			l.request.code, l.request.err = models.CodeInternal, fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
		l.close()
		l.server.record(l.request)
		if v != nil {
			panic(http.ErrAbortHandler) // The reader must not take it for an end.
		}
	}()
	l.request.err = l.follow()
}

// close gives up what the stream has, which may not be everything.
func (l *live) close() {
	if l.out.control != nil {
		l.out.close()
	}
	if l.sub != nil {
		l.sub.Close()
	}
	if l.place != nil {
		l.server.streams.leave(l.place)
	}
}

// follow writes what the subscription brings until the stream ends, and
// returns why, when it is not that the reader has gone or the server drains.
func (l *live) follow() error {
	for woken := true; ; {
		if woken {
			// Not for each event: that the next keepalive is later now is seen
			// when the alarm goes off.
			l.place.alarm.Reset(time.Until(earliest(l.keepalive, l.reauth, l.request.by.ExpiresAt)))
		}
		if l.place.ended.Load() {
			return nil
		}
		frames, err := l.sub.Next(l.ctx, l.place.alarm.C)
		if l.ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		woken = len(frames) == 0
		now := time.Now()
		if !woken {
			if err := l.out.write(now, frames...); err != nil {
				return err
			}
			l.keepalive = now.Add(l.server.o.StreamKeepalive)
		}
		if err := l.attend(now); err != nil {
			return err
		}
	}
}

// attend does what is due, and returns why the stream has to end, if it has.
func (l *live) attend(now time.Time) error {
	if expires := l.request.by.ExpiresAt; !expires.IsZero() && !now.Before(expires) {
		return errors.New("the token has expired")
	}
	if !now.Before(l.reauth) {
		var err error
		aside.Do(func() { err = l.reauthenticate() })
		if err != nil {
			return err
		}
		now = time.Now()
		l.reauth = now.Add(l.server.reauthDelay())
	}
	if !now.Before(l.keepalive) {
		if err := l.out.write(now, keepaliveFrame); err != nil {
			return err
		}
		l.keepalive = now.Add(l.server.o.StreamKeepalive)
	}
	return nil
}

var keepaliveFrame = []byte(": keepalive\n\n")

// reauthDelay is spread, or the streams of a replica would all ask at once.
func (s *Server) reauthDelay() time.Duration {
	return time.Duration(float64(s.o.ReauthEvery) * (0.75 + rand.Float64()/2))
}

// reauthenticate asks whether the reader may still read. When that cannot be
// told now, they may: their token still has its own end.
func (l *live) reauthenticate() error {
	ctx, cancel := context.WithTimeout(l.ctx, authTimeout)
	defer cancel()
	was := l.request.by
	now, err := l.server.authenticate(ctx, l.header)
	switch code := models.CodeOf(err); {
	case code == models.CodeUnauthenticated, code == models.CodeForbidden:
		return fmt.Errorf("the reader lost access: %w", err)
	case err != nil:
		return nil
	case now.UserID != was.UserID, now.AccountID != was.AccountID, !l.server.spec.operations[route{http.MethodGet, streamRoute}].access.admits(now):
		return errors.New("the reader lost access")
	}
	l.request.by = now
	return nil
}

// lastEventID is where the reader goes on. The header is the newer one: a
// browser sends it on reconnecting to an address that has not changed.
func lastEventID(r *http.Request) string {
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		return id
	}
	return r.URL.Query().Get("last_event_id")
}

// streamLater answers with a stream that only says when to come back. Any
// status but 200 would end a browser's event source for good.
func (s *Server) streamLater(c *gin.Context, retry int) {
	c.Abort()
	out := s.openStream(c)
	defer out.close()
	_ = out.write(time.Now(), fmt.Appendf(nil, "retry: %d\n\n", retry)) // a reader who misses it comes back anyway
}

// streamWriter writes frames, each time with a deadline of its own: the
// server's are made for answers that end.
type streamWriter struct {
	to      http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
	request *request // which counts the bytes
}

func (s *Server) openStream(c *gin.Context) streamWriter {
	h := c.Writer.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no")
	c.Writer.WriteHeaderNow()
	// Past gin's writer, whose Flush loses the error, and which gin uses again
	// while the stream is open.
	raw := http.ResponseWriter(c.Writer)
	if w, ok := raw.(interface{ Unwrap() http.ResponseWriter }); ok {
		raw = w.Unwrap()
	}
	return streamWriter{to: raw, control: http.NewResponseController(raw), timeout: s.o.StreamWriteTimeout, request: requestOf(c.Request.Context())}
}

// write sends frames with one write and one flush.
func (w *streamWriter) write(now time.Time, frames ...[]byte) error {
	if err := w.control.SetWriteDeadline(now.Add(w.timeout)); err != nil {
		return fmt.Errorf("setting the deadline of a write to a stream: %w", err)
	}
	data := frames[0]
	if len(frames) > 1 {
		data = bytes.Join(frames, nil)
	}
	n, err := w.to.Write(data)
	w.request.bytes += n
	if err != nil {
		return fmt.Errorf("writing to a stream: %w", err)
	}
	if err := w.control.Flush(); err != nil {
		return fmt.Errorf("flushing a stream: %w", err)
	}
	return nil
}

// close leaves time for the end of the body, which the server writes.
func (w *streamWriter) close() {
	_ = w.control.SetWriteDeadline(time.Now().Add(w.timeout)) // without it, the reader sees a broken end
}

// earliest is the first of the times that are set.
func earliest(times ...time.Time) time.Time {
	var first time.Time
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}
