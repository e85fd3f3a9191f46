package api

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/models"
)

// The tests of the stream run in bubbles of testing/synctest, where time
// passes only when everybody waits.

// reader is the client's end of a stream.
type reader struct {
	mu       sync.Mutex
	header   http.Header
	status   int
	pending  bytes.Buffer // written and not flushed
	got      bytes.Buffer
	flushes  int
	deadline time.Time
	// broken is returned by the named call.
	broken map[string]error
}

func newReader() *reader { return &reader{header: http.Header{}, broken: map[string]error{}} }

func (r *reader) Header() http.Header { return r.header }

func (r *reader) WriteHeader(status int) { r.status = status }

func (r *reader) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.broken["write"]; err != nil {
		return 0, err
	}
	return r.pending.Write(b)
}

func (r *reader) FlushError() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.broken["flush"]; err != nil {
		return err
	}
	r.flushes++
	_, err := r.pending.WriteTo(&r.got)
	return err
}

func (r *reader) SetWriteDeadline(t time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deadline = t
	return r.broken["deadline"]
}

// text is what has reached the client.
func (r *reader) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got.String()
}

func (r *reader) flushed() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.flushes
}

func (r *reader) breaks(call string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken[call] = err
}

var errDropped = errors.New("the reader of the feed was too slow")

// fakeSubscription gives out what it is sent.
type fakeSubscription struct {
	frames chan [][]byte
	end    error // returned when frames is closed
	closed bool
}

func (s *fakeSubscription) Start() string { return "7-41" }
func (s *fakeSubscription) Close()        { s.closed = true }

func (s *fakeSubscription) Next(ctx context.Context, alarm <-chan time.Time) ([][]byte, error) {
	select {
	case frames, open := <-s.frames:
		if !open {
			return nil, s.end
		}
		return frames, nil
	case <-alarm:
		return nil, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// connection is a stream that is being served.
type connection struct {
	*reader
	w     *world
	sub   *fakeSubscription
	leave context.CancelFunc
	ended chan struct{}
}

func (w *world) connect(change ...func(*http.Request)) *connection {
	ctx, leave := context.WithCancel(context.Background())
	c := &connection{
		reader: newReader(), w: w, leave: leave, ended: make(chan struct{}),
		sub: &fakeSubscription{frames: make(chan [][]byte), end: errDropped},
	}
	w.feed.subscribe = func(ctx context.Context, acct uuid.UUID, _ string) (Subscription, error) {
		inAccount(w.t, ctx)
		require.Equal(w.t, account, acct)
		return c.sub, nil
	}
	req := ask("GET", streamPath, "", change...).WithContext(ctx)
	go func() {
		defer close(c.ended)
		w.server.ServeHTTP(c.reader, req)
	}()
	synctest.Wait()
	return c
}

func (c *connection) over() bool {
	synctest.Wait()
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// after lets time pass.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// inBubble runs a test with a server in a bubble.
func inBubble(t *testing.T, test func(t *testing.T, w *world), change ...func(*Options)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { test(t, newWorld(t, change...)) })
}

var readyFrame = regexp.MustCompile(`^retry: (\d+)\nid: 7-41\nevent: ready\ndata: \{"account_id":"0197a3c0-1f00-7a10-8c55-2b9d6e4f1a01"\}\n\n$`)

func TestStreamBeginsAndFollows(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		c := w.connect()
		defer c.leave()
		require.Equal(t, 200, c.status)
		require.Equal(t, "text/event-stream", c.header.Get("Content-Type"))
		require.Equal(t, "no-cache", c.header.Get("Cache-Control"))
		require.Equal(t, "no", c.header.Get("X-Accel-Buffering"))
		require.Empty(t, c.header.Get("Content-Encoding"))
		m := readyFrame.FindStringSubmatch(c.text())
		require.NotNil(t, m, c.text())
		retry, err := strconv.Atoi(m[1])
		require.NoError(t, err)
		require.True(t, retry >= retryLeast && retry <= retryMost)
		require.Equal(t, 1, c.flushed())

		c.sub.frames <- [][]byte{[]byte("id: 7-42\n\n"), []byte("id: 7-43\n\n"), []byte("id: 7-44\n\n")}
		synctest.Wait()
		require.True(t, strings.HasSuffix(c.text(), "\n\nid: 7-42\n\nid: 7-43\n\nid: 7-44\n\n"))
		require.Equal(t, 2, c.flushed(), "one flush for all of them")
		require.Equal(t, time.Now().Add(10*time.Second), c.deadline)

		c.leave()
		require.True(t, c.over())
		require.True(t, c.sub.closed)
		line := w.logLine(t)
		require.EqualValues(t, 200, line["status"])
		require.NotContains(t, line, "error", "a reader who goes is no trouble")
	})
}

func TestStreamKeepsAlive(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		c := w.connect()
		defer c.leave()
		ready := c.text()
		after(25*time.Second - 1)
		require.Equal(t, ready, c.text())
		after(1)
		require.Equal(t, ready+": keepalive\n\n", c.text())
		after(20 * time.Second)
		c.sub.frames <- [][]byte{[]byte("id: 7-42\n\n")}
		after(20 * time.Second)
		require.Equal(t, ready+": keepalive\n\nid: 7-42\n\n", c.text(), "an event is a sign of life too")
		after(5 * time.Second)
		require.Equal(t, ready+": keepalive\n\nid: 7-42\n\n: keepalive\n\n", c.text())
		c.leave()
		require.True(t, c.over())
	}, func(o *Options) { o.ReauthEvery = 24 * time.Hour })
}

func TestStreamContinuesAfterLastEvent(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, header, query, want string }{
		{"fresh", "", "", ""},
		{"header", "7-40", "", "7-40"},
		{"query", "", "?last_event_id=7-39", "7-39"},
		{"both", "7-40", "?last_event_id=7-39", "7-40"},
		{"bad", "not an id; DROP TABLE", "", "not an id; DROP TABLE"},
		{"long", strings.Repeat("9", 4000), "", strings.Repeat("9", 4000)},
		{"a bad query", "", "?last_event_id=%zz&last_event_id=7-1", "7-1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.feed.subscribe = func(_ context.Context, _ uuid.UUID, last string) (Subscription, error) {
				require.Equal(t, tc.want, last)
				return nil, models.Errorf(models.CodeUnavailable, "Not now.")
			}
			rec := w.do(ask("GET", streamPath+tc.query, "", header("Last-Event-ID", tc.header)))
			require.Equal(t, 200, rec.Code)
		})
	}
}

func TestStreamEndsWhenTheReaderIsTooSlow(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		c := w.connect()
		c.sub.frames <- [][]byte{[]byte("id: 7-99\nevent: resync\ndata: {\"reason\":\"slow\"}\n\n")}
		close(c.sub.frames)
		require.True(t, c.over())
		require.True(t, strings.HasSuffix(c.text(), "event: resync\ndata: {\"reason\":\"slow\"}\n\n"))
		require.Equal(t, errDropped.Error(), w.logLine(t)["error"])
		require.Equal(t, time.Now().Add(10*time.Second), c.deadline, "the end of the body can be written")
	})
}

func TestStreamEndsWhenItCannotBeWritten(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"write", "flush", "deadline"} {
		t.Run(call, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				c := w.connect()
				c.breaks(call, errors.New("i/o timeout"))
				c.sub.frames <- [][]byte{[]byte("id: 7-42\n\n")}
				require.True(t, c.over())
				require.True(t, c.sub.closed)
				require.Contains(t, w.logLine(t)["error"], "i/o timeout")
			})
		})
		t.Run(call+" of a keepalive", func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				c := w.connect()
				c.breaks(call, errors.New("i/o timeout"))
				after(time.Minute)
				require.True(t, c.over())
			})
		})
	}
}

func TestStreamEndsWithItsToken(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.auth.set(func(context.Context, string) (models.Principal, error) {
			p := principal(models.RoleEngineer)
			p.ExpiresAt = time.Date(2000, 1, 1, 0, 0, 40, 0, time.UTC) // 40 s after the bubble's beginning
			return p, nil
		})
		c := w.connect()
		after(40*time.Second - 1)
		require.False(t, c.over())
		after(1)
		require.True(t, c.over())
		require.Contains(t, w.logLine(t)["error"], "expired")
	})
}

// TestStreamEndsWhenAccessIsLost holds that it happens within a minute, and
// that not knowing is no reason.
func TestStreamEndsWhenAccessIsLost(t *testing.T) {
	t.Parallel()
	other := principal(models.RoleEngineer)
	other.AccountID = team
	somebody := principal(models.RoleEngineer)
	somebody.UserID = sam
	for _, tc := range []struct {
		name string
		by   models.Principal
		err  error
		over bool
	}{
		{name: "removed", err: models.Errorf(models.CodeUnauthenticated, "No such user."), over: true},
		{name: "without account", err: models.Errorf(models.CodeForbidden, "No account."), over: true},
		{name: "demoted", by: principal(models.RoleViewer), over: true},
		{name: "promoted", by: principal(models.RoleAdmin), over: false},
		{name: "moved to another account", by: other, over: true},
		{name: "somebody else", by: somebody, over: true},
		{name: "database down", err: models.Errorf(models.CodeUnavailable, "Not now."), over: false},
		{name: "fault", err: errSecret, over: false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				c := w.connect()
				defer c.leave()
				require.False(t, c.over())
				w.auth.set(func(ctx context.Context, bearer string) (models.Principal, error) {
					require.Equal(t, "engineer", bearer)
					_, limited := ctx.Deadline()
					require.True(t, limited, "a slow answer must not hold events up for long")
					return tc.by, tc.err
				})
				after(time.Minute)
				require.Equal(t, tc.over, c.over())
				after(10 * time.Minute)
				require.Equal(t, tc.over, c.over())
				c.leave()
				require.True(t, c.over())
			})
		})
	}
}

// TestStreamAsksAgainInASpread holds that streams that began together do not
// ask together.
func TestStreamAsksAgainInASpread(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		start := time.Now()
		var mu sync.Mutex
		asked := map[time.Duration]bool{}
		var all []*connection
		for range 50 {
			all = append(all, w.connect())
		}
		w.auth.set(func(ctx context.Context, bearer string) (models.Principal, error) {
			mu.Lock()
			defer mu.Unlock()
			asked[time.Since(start)] = true
			return authenticateByRole(ctx, bearer)
		})
		after(40 * time.Second)
		mu.Lock()
		require.Greater(t, len(asked), 40)
		for when := range asked {
			require.Greater(t, when, 20*time.Second)
		}
		mu.Unlock()
		for _, c := range all {
			c.leave()
			require.True(t, c.over())
		}
	})
}

var laterFrame = regexp.MustCompile(`^retry: \d+\n\n$`)

// TestStreamLater holds that a stream that cannot be served now does not end a
// browser's event source for good.
func TestStreamLater(t *testing.T) {
	t.Parallel()
	unavailable := models.Errorf(models.CodeUnavailable, "Not now.").WithCause(errSecret)
	for _, tc := range []struct {
		name  string
		spoil func(*world)
		retry string
	}{
		{"users cannot be read", func(w *world) {
			w.auth.set(func(context.Context, string) (models.Principal, error) { return models.Principal{}, unavailable })
		}, ""},
		{"the feed cannot be read", func(w *world) {
			w.feed.subscribe = func(context.Context, uuid.UUID, string) (Subscription, error) { return nil, unavailable }
		}, ""},
		{"draining", func(w *world) { _ = w.server.Drain(context.Background(), 0) }, ""},
		{"full", func(w *world) { w.server.streams.most = 1; _, _ = w.server.streams.enter() }, "retry: 30000\n\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				tc.spoil(w)
				r := newReader()
				w.server.ServeHTTP(r, ask("GET", streamPath, ""))
				require.Equal(t, 200, r.status)
				require.Equal(t, "text/event-stream", r.header.Get("Content-Type"))
				require.Equal(t, "no-cache", r.header.Get("Cache-Control"))
				require.Regexp(t, laterFrame, r.text())
				if tc.retry != "" {
					require.Equal(t, tc.retry, r.text())
				}
				require.NotEmpty(t, w.logLine(t)["error"])
			})
		})
	}
}

func TestStreamThatFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.feed.subscribe = func(context.Context, uuid.UUID, string) (Subscription, error) { return nil, errSecret }
	rec := w.do(ask("GET", streamPath, ""))
	require.Equal(t, 500, rec.Code)
	require.Equal(t, "internal", readProblem(t, rec).Code)
}

func TestStreamsAreCounted(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		first, second := w.connect(), w.connect()
		third := w.connect()
		require.True(t, third.over())
		require.Equal(t, "retry: 30000\n\n", third.text())
		first.leave()
		require.True(t, first.over())
		fourth := w.connect()
		require.False(t, fourth.over(), "there is a place again")
		second.leave()
		fourth.leave()
		require.True(t, second.over() && fourth.over())
	}, func(o *Options) { o.MaxStreams = 2 })
}

// TestStreamOverTheWire holds that frames reach a client as they come, through
// every layer of a real server, and that a drained stream ends as it should.
func TestStreamOverTheWire(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sub := &fakeSubscription{frames: make(chan [][]byte)}
	w.feed.subscribe = func(context.Context, uuid.UUID, string) (Subscription, error) { return sub, nil }
	server := httptest.NewServer(w.server)
	defer server.Close()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, server.URL+streamPath, nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer owner")
	res, err := server.Client().Do(req)
	require.NoError(t, err)
	defer func() { require.NoError(t, res.Body.Close()) }()
	require.Equal(t, 200, res.StatusCode)
	require.Equal(t, "text/event-stream", res.Header.Get("Content-Type"))
	body := bufio.NewReader(res.Body)
	block := func() string {
		var lines []string
		for {
			line, err := body.ReadString('\n')
			require.NoError(t, err)
			if line == "\n" {
				return strings.Join(lines, "")
			}
			lines = append(lines, line)
		}
	}
	require.Contains(t, block(), "event: ready\n")
	for _, frame := range []string{"id: 7-42\n", "id: 7-43\n"} {
		sub.frames <- [][]byte{[]byte(frame + "\n")}
		require.Equal(t, frame, block())
	}
	require.NoError(t, w.server.Drain(context.Background(), time.Millisecond))
	_, err = body.ReadByte()
	require.ErrorIs(t, err, io.EOF)
}

// TestStreamStaysSmall holds that what opening a stream and asking again for
// its reader need of the stack is not kept while it is open.
func TestStreamStaysSmall(t *testing.T) {
	const streams, depth = 100, 256 << 10
	w := newWorld(t, func(o *Options) { o.Logger = slog.New(slog.DiscardHandler) })
	w.auth.set(func(ctx context.Context, bearer string) (models.Principal, error) {
		dive(depth)
		return authenticateByRole(ctx, bearer)
	})
	w.feed.subscribe = func(context.Context, uuid.UUID, string) (Subscription, error) {
		dive(depth)
		return &fakeSubscription{frames: make(chan [][]byte)}, nil
	}
	server := httptest.NewServer(w.server)
	defer server.Close()
	stacks := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.StackInuse
	}
	before := stacks()
	for range streams {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		require.NoError(t, err)
		defer func() { require.NoError(t, conn.Close()) }()
		_, err = io.WriteString(conn, "GET "+streamPath+" HTTP/1.1\r\nHost: baton\r\nAuthorization: Bearer owner\r\n\r\n")
		require.NoError(t, err)
		greeting := bufio.NewReader(conn)
		for line := ""; !strings.HasPrefix(line, "event: ready"); {
			line, err = greeting.ReadString('\n')
			require.NoError(t, err)
		}
	}
	require.Less(t, int64(stacks()-before)/streams, int64(depth/4))
}

// dive needs about so many bytes of the stack.
//
//go:noinline
func dive(bytes int) byte {
	var frame [1 << 10]byte
	if bytes > len(frame) {
		frame[0] = dive(bytes - len(frame))
	}
	return frame[0]
}

// TestStreamPanics holds that a fault while a stream is open is logged with
// where it was, and that its reader does not take it for an end.
func TestStreamPanics(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		sub := &fakeSubscription{frames: make(chan [][]byte)}
		w.feed.subscribe = func(context.Context, uuid.UUID, string) (Subscription, error) { return sub, nil }
		w.auth.set(func(ctx context.Context, bearer string) (models.Principal, error) {
			w.auth.set(func(context.Context, string) (models.Principal, error) { panic("a fault of ours") })
			return authenticateByRole(ctx, bearer)
		})
		require.PanicsWithError(t, http.ErrAbortHandler.Error(), func() {
			w.server.ServeHTTP(newReader(), ask("GET", streamPath, ""))
		})
		line := w.logLine(t)
		require.Equal(t, "internal", line["code"])
		require.Contains(t, line["error"], "a fault of ours")
		require.Contains(t, line["error"], "TestStreamPanics", "the stack")
		require.True(t, sub.closed)
		require.Empty(t, w.server.streams.open)
	})
}

// TestStreamOutlivesTheServersTimeouts holds that the deadlines a server sets
// for answers that end do not end a stream.
func TestStreamOutlivesTheServersTimeouts(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.feed.subscribe = func(context.Context, uuid.UUID, string) (Subscription, error) {
			return &fakeSubscription{frames: make(chan [][]byte)}, nil
		}
		client, server := net.Pipe()
		connections := make(onePipe, 1)
		connections <- server
		s := &http.Server{Handler: w.server, ReadTimeout: time.Second, WriteTimeout: time.Second}
		served := make(chan error, 1)
		go func() { served <- s.Serve(connections) }()
		var got bytes.Buffer
		read := make(chan struct{})
		go func() {
			defer close(read)
			_, _ = got.ReadFrom(client)
		}()
		_, err := io.WriteString(client, "GET "+streamPath+" HTTP/1.1\r\nHost: baton\r\nAuthorization: Bearer owner\r\n\r\n")
		require.NoError(t, err)
		after(55 * time.Second)
		require.NoError(t, client.Close())
		<-read
		require.Equal(t, 2, strings.Count(got.String(), ": keepalive\n\n"), got.String())
		require.NoError(t, s.Close())
		require.ErrorIs(t, <-served, http.ErrServerClosed)
	})
}

// onePipe is a listener for the connections that are put into it.
type onePipe chan net.Conn

func (l onePipe) Accept() (net.Conn, error) {
	c, open := <-l
	if !open {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (l onePipe) Close() error   { close(l); return nil }
func (l onePipe) Addr() net.Addr { return &net.TCPAddr{} }

// TestDrainSpreads holds that draining ends every stream within the time, and
// not all at once.
func TestDrainSpreads(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		var all []*connection
		for range 100 {
			all = append(all, w.connect())
		}
		drained := make(chan error, 1)
		start := time.Now()
		go func() { drained <- w.server.Drain(context.Background(), 10*time.Second) }()
		count := func() (n int) {
			synctest.Wait()
			for _, c := range all {
				if c.over() {
					n++
				}
			}
			return n
		}
		require.Less(t, count(), 20)
		after(5 * time.Second)
		half := count()
		require.True(t, half > 20 && half < 80, "%d of 100 after half of the time", half)
		require.NoError(t, <-drained)
		require.LessOrEqual(t, time.Since(start), 10*time.Second)
		require.Equal(t, 100, count())
	})
}

func TestDrainThatRunsOutOfTime(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		var all []*connection
		for range 20 {
			all = append(all, w.connect())
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		require.ErrorIs(t, w.server.Drain(ctx, time.Hour), context.DeadlineExceeded)
		for _, c := range all {
			require.True(t, c.over(), "the rest ends together")
		}
		require.NoError(t, w.server.Drain(context.Background(), time.Hour), "draining twice is draining once")
	})
}

// TestDrainEndsWithTheLastStream holds that nobody waits for streams that went
// by themselves.
func TestDrainEndsWithTheLastStream(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		c := w.connect()
		drained := make(chan error, 1)
		go func() { drained <- w.server.Drain(context.Background(), 1000*time.Hour) }()
		synctest.Wait()
		start := time.Now()
		c.leave()
		require.NoError(t, <-drained)
		require.Equal(t, start, time.Now())
	})
}
