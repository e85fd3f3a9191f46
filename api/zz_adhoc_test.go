package api

import (
	"os"
	"runtime/pprof"

	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/google/uuid"
)

type idleSub struct{ ch chan struct{} }

func (s idleSub) Start() string { return "1-1" }
func (s idleSub) Close()        {}
func (s idleSub) Next(ctx context.Context) ([][]byte, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.ch:
	}
	return nil, io.EOF
}

func measure(h http.Handler, n int) float64 {
	srv := httptest.NewServer(h)
	var conns []net.Conn
	open := func(k int) {
		for range k {
			c, err := net.Dial("tcp", srv.Listener.Addr().String())
			if err != nil {
				panic(err)
			}
			fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer engineer\r\nAccept: text/event-stream\r\n\r\n", streamPath)
			b := make([]byte, 1)
			c.Read(b)
			conns = append(conns, c)
		}
	}
	var st [2]float64
	i := 0
	usage := func() float64 {
		for range 4 {
			runtime.GC()
			time.Sleep(200 * time.Millisecond)
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		st[i] = float64(m.StackInuse)
		i++
		return float64(m.HeapAlloc + m.StackInuse)
	}
	open(50)
	before := usage()
	open(n)
	after := usage()
	fmt.Println("stack each", (st[1]-st[0])/float64(n), "goroutines", runtime.NumGoroutine())
	if _, bare := h.(http.HandlerFunc); !bare {
		f, _ := os.Create("/tmp/heap.out")
		pprof.WriteHeapProfile(f)
		f.Close()
	} else {
		f, _ := os.Create("/tmp/heapbare.out")
		pprof.WriteHeapProfile(f)
		f.Close()
	}
	for _, c := range conns {
		c.Close()
	}
	srv.Close()
	return (after - before) / float64(n)
}

func TestZZMemory(t *testing.T) {
	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "event: ready\ndata: {}\n\n")
		w.(http.Flusher).Flush()
		tick := time.NewTicker(25 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-r.Context().Done():
				return
			case <-tick.C:
				fmt.Fprint(w, ": keepalive\n\n")
				w.(http.Flusher).Flush()
			}
		}
	})
	fmt.Println("bare", measure(bare, 3000))
	w := newWorld(t, func(o *Options) { o.Logger = slog.New(slog.NewJSONHandler(io.Discard, nil)) })
	ch := make(chan struct{})
	w.feed.subscribe = func(context.Context, uuid.UUID, string) (Subscription, error) { return idleSub{ch}, nil }
	fmt.Println("ours", measure(w.server, 3000))
	fmt.Println("bare", measure(bare, 3000))
}

func BenchmarkZZFilter(b *testing.B) {
	w := newWorld(b)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		req := ask("POST", aHandoffPath+"/claim", "{}", header("Idempotency-Key", "5f1c2b9e-7a44-4f0a-9b57-3b0e1c6d8a21"))
		r, _ := w.find(req)
		b.StartTimer()
		err := openapi3filter.ValidateRequest(context.Background(), &openapi3filter.RequestValidationInput{Request: req, Route: r, PathParams: map[string]string{"id": sessionID.String(), "hid": handoffID.String()}, Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}})
		if err != nil {
			b.Fatal(err)
		}
	}
}
