package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
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

// stream serves the feed of the caller's account as server-sent events. It is
// one goroutine with no buffer of its own, and ends when the reader is gone,
// may no longer read, or was too slow, and when the server drains.
func (s *Server) stream(c *gin.Context) {
	p, err := s.streams.enter()
	if err != nil {
		requestOf(c.Request.Context()).err = err
		s.streamLater(c, retryAfter(err))
		return
	}
	defer s.streams.leave(p)
	l := &live{server: s, c: c, place: p, by: requestOf(c.Request.Context()).by}
	aside.Do(func() { err = l.subscribe() })
	if models.CodeOf(err) == models.CodeUnavailable {
		requestOf(c.Request.Context()).err = err
		s.streamLater(c, retryJitter())
		return
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	defer l.sub.Close()

	l.out = s.openStream(c)
	defer l.out.close()
	aside.Do(func() { err = l.greet() })
	if err == nil {
		err = l.follow()
	}
	requestOf(c.Request.Context()).err = err
}

// live is an open stream. What it knows is here, and not in variables of its
// goroutine, whose stack is kept small.
type live struct {
	server    *Server
	c         *gin.Context
	place     *place
	by        models.Principal
	sub       Subscription
	out       streamWriter
	keepalive time.Time // when to write something, if there is nothing to say
	reauth    time.Time // when to ask whether the reader may still read
}

func (l *live) subscribe() (err error) {
	l.sub, err = l.server.o.Feed.Subscribe(l.c.Request.Context(), l.by.AccountID, lastEventID(l.c.Request))
	return err
}

func (l *live) greet() error {
	now := time.Now()
	l.keepalive, l.reauth = now.Add(l.server.o.StreamKeepalive), now.Add(l.server.reauthDelay())
	return l.out.write(now, fmt.Appendf(nil, "retry: %d\nid: %s\nevent: ready\ndata: {\"account_id\":\"%s\"}\n\n", retryJitter(), l.sub.Start(), l.by.AccountID))
}

// follow writes what the subscription brings until the stream ends, and
// returns why, when it is not that the reader has gone or the server drains.
func (l *live) follow() error {
	ctx := l.c.Request.Context()
	for woken := true; ; {
		if woken {
			// Not for each event: that the next keepalive is later now is seen
			// when the alarm goes off.
			l.place.alarm.Reset(time.Until(earliest(l.keepalive, l.reauth, l.by.ExpiresAt)))
		}
		if l.place.ended.Load() {
			return nil
		}
		frames, err := l.sub.Next(ctx, l.place.alarm.C)
		if ctx.Err() != nil {
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
	if !l.by.ExpiresAt.IsZero() && !now.Before(l.by.ExpiresAt) {
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
	ctx, cancel := context.WithTimeout(l.c.Request.Context(), authTimeout)
	defer cancel()
	now, err := l.server.authenticate(ctx, l.c.Request)
	switch code := models.CodeOf(err); {
	case code == models.CodeUnauthenticated, code == models.CodeForbidden:
		return fmt.Errorf("the reader lost access: %w", err)
	case err != nil:
		return nil
	case now.UserID != l.by.UserID, now.AccountID != l.by.AccountID, !l.server.operation(l.c).access.admits(now):
		return errors.New("the reader lost access")
	}
	l.by = now
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
	to      gin.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
}

func (s *Server) openStream(c *gin.Context) streamWriter {
	h := c.Writer.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no")
	// Past gin's writer, whose Flush loses the error.
	raw := http.ResponseWriter(c.Writer)
	if w, ok := raw.(interface{ Unwrap() http.ResponseWriter }); ok {
		raw = w.Unwrap()
	}
	c.Writer.WriteHeaderNow()
	return streamWriter{to: c.Writer, control: http.NewResponseController(raw), timeout: s.o.StreamWriteTimeout}
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
	if _, err := w.to.Write(data); err != nil {
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
