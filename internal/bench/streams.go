package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/baton-handoff/baton/internal/app"
)

const streamPath = "/api/v1/ai-sessions/escalations/stream"

// serveAPI is an API replica as `baton api` is one, in a process of its own.
func serveAPI(ctx context.Context) error {
	temporal := client.Options{HostPort: os.Getenv("TEMPORAL_ADDRESS")}
	environ := slices.DeleteFunc(os.Environ(), func(entry string) bool { return strings.HasPrefix(entry, "BATON_BENCH_") })
	a, err := startApp(ctx, environ, temporal, app.Options{API: true})
	if err != nil {
		return err
	}
	defer stopApp(ctx, a)
	return serve(a.Addr)
}

// frame is a link of the chain that bare streams follow: once ready is closed,
// data and next are there for everybody.
type frame struct {
	ready chan struct{}
	data  []byte
	next  *frame
}

// serveBareStreams is the floor of a live feed: net/http, one goroutine for
// each stream, one frame shared by all of them, one write and one flush each.
// It wakes all streams by closing one channel, which is the cheapest way there
// is, and has no authentication, no keepalive and no deadlines.
func serveBareStreams(ctx context.Context) error {
	var tail atomic.Pointer[frame]
	tail.Store(&frame{ready: make(chan struct{})})
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+streamPath, func(w http.ResponseWriter, r *http.Request) {
		at := tail.Load()
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "no-cache")
		flusher, ok := w.(http.Flusher)
		if !ok {
			return
		}
		if _, err := io.WriteString(w, "retry: 2000\nid: 1-0\nevent: ready\ndata: {\"account_id\":\"00000000-0000-4000-8000-000000000000\"}\n\n"); err != nil {
			return
		}
		flusher.Flush()
		for {
			select {
			case <-r.Context().Done():
				return
			case <-at.ready:
			}
			if _, err := w.Write(at.data); err != nil {
				return
			}
			flusher.Flush()
			at = at.next
		}
	})
	mux.HandleFunc("POST /publish", func(_ http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		at := tail.Load()
		at.data, at.next = data, &frame{ready: make(chan struct{})}
		tail.Store(at.next)
		close(at.ready)
	})
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	defer func() { _ = server.Close() }()
	go func() { _ = server.Serve(listener) }()
	return serve(listener.Addr().String())
}

// endOfData ends each event that has data, of Baton and of the floor, and no
// comment.
var endOfData = []byte("}\n\n")

// readers hold streams open: sockets and nothing else, because an HTTP client
// costs more than the server that is measured.
type readers struct {
	conns []net.Conn
	ready sync.WaitGroup
	ended atomic.Pointer[string]

	// Of the event that is awaited now.
	mu    sync.Mutex
	times []int64
	all   chan struct{}
}

// readStreams opens streams and tells when they get events.
func readStreams(ctx context.Context) error {
	var r readers
	defer r.close()
	return obey(func(o order) (answer, error) {
		switch o.Do {
		case "open":
			return answer{}, r.open(ctx, o)
		case "expect":
			r.mu.Lock()
			defer r.mu.Unlock()
			r.times, r.all = make([]int64, 0, len(r.conns)), make(chan struct{})
			return answer{}, nil
		case "await":
			return r.await()
		}
		return answer{}, fmt.Errorf("no such order: %q", o.Do)
	})
}

// open opens streams and returns when each has had its first event, ready.
func (r *readers) open(ctx context.Context, o order) error {
	const within = 60 * time.Second
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	conns := make([]net.Conn, o.Streams)
	r.ready.Add(o.Streams)
	group, dialing := errgroup.WithContext(ctx)
	group.SetLimit(64)
	for i := range conns {
		group.Go(func() error {
			var d net.Dialer
			conn, err := d.DialContext(dialing, "tcp", o.Address)
			if err != nil {
				return fmt.Errorf("opening stream %d: %w", i, err)
			}
			conns[i] = conn
			go r.read(conn)
			_, err = conn.Write(o.Request)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	r.conns = append(r.conns, conns...)
	opened := make(chan struct{})
	go func() { r.ready.Wait(); close(opened) }()
	select {
	case <-opened:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("not every stream was opened within %s", within)
	}
}

// read counts the events of one stream. An event may come in pieces.
func (r *readers) read(conn net.Conn) {
	var buffer [2 << 10]byte
	kept, greeted := 0, false
	for {
		n, err := conn.Read(buffer[kept:])
		if err != nil {
			reason := err.Error()
			r.ended.CompareAndSwap(nil, &reason)
			return
		}
		at := time.Now().UnixNano()
		data := buffer[:kept+n]
		for {
			i := bytes.Index(data, endOfData)
			if i < 0 {
				break
			}
			data = data[i+len(endOfData):]
			if greeted {
				r.arrived(at)
				continue
			}
			greeted = true
			r.ready.Done()
		}
		kept = copy(buffer[:], data[max(0, len(data)-len(endOfData)+1):])
	}
}

func (r *readers) arrived(at int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		return
	}
	r.times = append(r.times, at)
	if len(r.times) == len(r.conns) {
		close(r.all)
	}
}

// await waits until each stream has had the expected event.
func (r *readers) await() (answer, error) {
	const within = 30 * time.Second
	timer := time.NewTimer(within)
	defer timer.Stop()
	r.mu.Lock()
	all := r.all
	r.mu.Unlock()
	select {
	case <-all:
	case <-timer.C:
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = nil
	if len(r.times) != len(r.conns) {
		reason := "the streams are open"
		if ended := r.ended.Load(); ended != nil {
			reason = "a stream ended: " + *ended
		}
		return answer{}, fmt.Errorf("%d of %d streams had the event within %s (%s)", len(r.times), len(r.conns), within, reason)
	}
	slices.Sort(r.times)
	return answer{Arrived: &arrived{First: r.times[0], Median: r.times[len(r.times)/2], Last: r.times[len(r.times)-1]}}, nil
}

func (r *readers) close() {
	for _, conn := range r.conns {
		_ = conn.Close()
	}
}

// side is a server of streams with its readers, of Baton or of the floor.
type side struct {
	name            string
	server, readers *child
	address         string
	request         []byte
}

// startSide starts a server and a process for its readers.
func startSide(ctx context.Context, name, role, token string, environ ...string) (*side, error) {
	s := &side{name: name}
	var err error
	if s.server, err = startChild(ctx, role, environ...); err != nil {
		return nil, err
	}
	if s.readers, err = startChild(ctx, roleReaders); err != nil {
		s.stop()
		return nil, err
	}
	a, err := s.server.ask(order{Do: "address"})
	if err != nil {
		s.stop()
		return nil, err
	}
	s.address = a.Address
	s.request = fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nAccept: text/event-stream\r\n\r\n", streamPath, s.address, token)
	return s, nil
}

// startSides starts an API replica of Baton and the bare server, both so that
// their heap can be looked at closely, or not.
func (in *installation) startSides(ctx context.Context, heapProfile bool) (baton, floor *side, stop func(), err error) {
	token := in.seniors[0].token
	var environ []string
	if heapProfile {
		environ = []string{envHeapProfile + "=1"}
	}
	if baton, err = startSide(ctx, "baton", roleAPI, token, slices.Concat(environ, in.environ(), []string{"TEMPORAL_ADDRESS=" + in.servers.TemporalAddress})...); err != nil {
		return nil, nil, nil, err
	}
	if floor, err = startSide(ctx, "bare", roleBare, token, environ...); err != nil {
		baton.stop()
		return nil, nil, nil, err
	}
	return baton, floor, func() { baton.stop(); floor.stop() }, nil
}

func (s *side) open(n int) error {
	_, err := s.readers.ask(order{Do: "open", Streams: n, Address: s.address, Request: s.request})
	return err
}

// deliver publishes one event and says how long it took until the last stream
// had its last byte, counted from began.
func (s *side) deliver(publish func() (began time.Time, err error)) (last time.Duration, err error) {
	if _, err := s.readers.ask(order{Do: "expect"}); err != nil {
		return 0, err
	}
	began, err := publish()
	if err != nil {
		return 0, err
	}
	a, err := s.readers.ask(order{Do: "await"})
	if err != nil {
		return 0, fmt.Errorf("%s: %w", s.name, err)
	}
	if a.Arrived == nil {
		return 0, errors.New("no times")
	}
	return time.Duration(a.Arrived.Last - began.UnixNano()), nil
}

func (s *side) memory() (memory, error) {
	a, err := s.server.ask(order{Do: "memory"})
	if err != nil || a.Memory == nil {
		return memory{}, err
	}
	return *a.Memory, nil
}

func (s *side) stop() {
	if s.readers != nil {
		s.readers.stop()
	}
	s.server.stop()
}
