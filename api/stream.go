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
	ctx, by := caller(c)
	p, err := s.streams.enter()
	if err != nil {
		requestOf(ctx).err = err
		s.streamLater(c, retryAfter(err))
		return
	}
	defer s.streams.leave(p)
	sub, err := s.o.Feed.Subscribe(ctx, by.AccountID, lastEventID(c.Request))
	if models.CodeOf(err) == models.CodeUnavailable {
		requestOf(ctx).err = err
		s.streamLater(c, retryJitter())
		return
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	defer sub.Close()

	out := s.openStream(c)
	defer out.close()
	err = out.write(fmt.Appendf(nil, "retry: %d\nid: %s\nevent: ready\ndata: {\"account_id\":\"%s\"}\n\n", retryJitter(), sub.Start(), by.AccountID))
	if err == nil {
		err = s.follow(c, p, sub, out)
	}
	requestOf(ctx).err = err
}

// follow writes what the subscription brings until the stream ends, and
// returns why, when it is not that the reader has gone or the server drains.
func (s *Server) follow(c *gin.Context, p *place, sub Subscription, out *streamWriter) error {
	ctx, by := caller(c)
	keepalive := time.Now().Add(s.o.StreamKeepalive)
	reauth := time.Now().Add(s.reauthDelay())
	for {
		wait, stop := context.WithDeadline(ctx, earliest(keepalive, reauth, by.ExpiresAt))
		if !p.waits(stop) {
			stop()
			return nil
		}
		frames, err := sub.Next(wait)
		ended := wait.Err()
		stop()
		switch {
		case errors.Is(ended, context.Canceled):
			return nil
		case err != nil && ended == nil:
			return err
		}
		if len(frames) > 0 {
			if err := out.write(frames...); err != nil {
				return err
			}
			keepalive = time.Now().Add(s.o.StreamKeepalive)
		}
		now := time.Now()
		if !by.ExpiresAt.IsZero() && !now.Before(by.ExpiresAt) {
			return errors.New("the token has expired")
		}
		if !now.Before(reauth) {
			if by, err = s.reauthenticate(c, by); err != nil {
				return err
			}
			reauth = time.Now().Add(s.reauthDelay())
		}
		if !now.Before(keepalive) {
			if err := out.write([]byte(": keepalive\n\n")); err != nil {
				return err
			}
			keepalive = time.Now().Add(s.o.StreamKeepalive)
		}
	}
}

// reauthDelay is spread, or the streams of a replica would all ask at once.
func (s *Server) reauthDelay() time.Duration {
	return time.Duration(float64(s.o.ReauthEvery) * (0.75 + rand.Float64()/2))
}

// reauthenticate asks whether the reader may still read. When that cannot be
// told now, they may: their token still has its own end.
func (s *Server) reauthenticate(c *gin.Context, by models.Principal) (models.Principal, error) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), authTimeout)
	defer cancel()
	now, err := s.authenticate(ctx, c.Request)
	switch code := models.CodeOf(err); {
	case code == models.CodeUnauthenticated, code == models.CodeForbidden:
		return by, fmt.Errorf("the reader lost access: %w", err)
	case err != nil:
		return by, nil
	case now.UserID != by.UserID, now.AccountID != by.AccountID, !s.operation(c).access.admits(now):
		return by, errors.New("the reader lost access")
	}
	return now, nil
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
	_ = out.write(fmt.Appendf(nil, "retry: %d\n\n", retry)) // a reader who misses it comes back anyway
}

// streamWriter writes frames, each time with a deadline of its own: the
// server's are made for answers that end.
type streamWriter struct {
	to      gin.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
}

func (s *Server) openStream(c *gin.Context) *streamWriter {
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
	return &streamWriter{to: c.Writer, control: http.NewResponseController(raw), timeout: s.o.StreamWriteTimeout}
}

// write sends frames with one write and one flush.
func (w *streamWriter) write(frames ...[]byte) error {
	if err := w.control.SetWriteDeadline(time.Now().Add(w.timeout)); err != nil {
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
