package bench

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/baton-handoff/baton/internal/devstack"
)

// A large provider has 500 engineers who hand off 5,000 sessions a day, a
// fifth of them in the busiest hour.
const (
	engineers        = 500
	handoffsInAnHour = 1_000
)

// measureHour plays the busiest hour of a large provider, as it is and several
// times as busy: everybody's stream is open, handoffs come by chance, and each
// is claimed and resolved a little later.
func measureHour(ctx context.Context, b *bench) ([]Row, error) {
	w, leave, err := b.world(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	stop, err := w.openStreams(ctx, engineers)
	if err != nil {
		return nil, err
	}
	defer stop()
	var rows []Row
	for _, times := range b.Sizes.Busier {
		more, err := w.hour(ctx, times, b.Sizes.Hour)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// hour plays a part of the hour.
func (w *world) hour(ctx context.Context, times int, part time.Duration) ([]Row, error) {
	rng := rand.New(rand.NewPCG(uint64(times), 1)) // the same each time
	before := w.servers.cpu()
	began := time.Now()
	var mu sync.Mutex
	var creates, claims []float64
	group, ctx := errgroup.WithContext(ctx)
	n := 0
	for at := time.Duration(0); ; n++ {
		at += time.Duration(rng.ExpFloat64() * float64(time.Hour) / float64(handoffsInAnHour*times))
		if at > part {
			break
		}
		if err := pause(ctx, time.Until(began.Add(at))); err != nil {
			return nil, group.Wait()
		}
		senior, waits := w.seniors[rng.IntN(len(w.seniors))], time.Duration(500+rng.IntN(2500))*time.Millisecond
		group.Go(func() error {
			created, claimed, err := w.life(ctx, senior, waits)
			mu.Lock()
			defer mu.Unlock()
			creates, claims = append(creates, milliseconds(created)), append(claims, milliseconds(claimed))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	after := w.servers.cpu()
	name := fmt.Sprintf("the busiest hour × %d", times)
	how := fmt.Sprintf("%d handoffs within %s, at times by chance, each created, claimed after 0.5 to 3 s and resolved, with %d streams open; all parts on this machine", n, part, engineers)
	one := func(v float64) Spread { return Spread{v, v, v} }
	rows := []Row{
		{What: name + ": create, p50", Unit: "ms", Baton: one(quantile(creates, 0.5)), How: how},
		{What: name + ": create, p99", Unit: "ms", Baton: one(quantile(creates, 0.99)), How: how},
		{What: name + ": claim, p50", Unit: "ms", Baton: one(quantile(claims, 0.5)), How: how},
		{What: name + ": claim, p99", Unit: "ms", Baton: one(quantile(claims, 0.99)), How: how},
	}
	for i, part := range after {
		rows = append(rows, Row{
			What: name + ": processor time of " + part.of + " per handoff", Unit: "ms",
			Baton: one(milliseconds(part.took-before[i].took) / float64(n)), How: how,
		})
	}
	return rows, nil
}

// life is a handoff from its creation to its resolution.
func (w *world) life(ctx context.Context, senior person, waits time.Duration) (created, claimed time.Duration, err error) {
	session, err := w.session(ctx, w.base)
	if err != nil {
		return 0, 0, err
	}
	h, created, err := w.handOff(ctx, w.base, session)
	if err != nil {
		return 0, 0, err
	}
	if err := pause(ctx, waits); err != nil {
		return 0, 0, err
	}
	_, claimed, err = senior.expect(ctx, http.StatusOK, http.MethodPost, h.url(w.base)+"/claim", "{}")
	if err != nil {
		return 0, 0, err
	}
	_, _, err = senior.expect(ctx, http.StatusOK, http.MethodPost, h.url(w.base)+"/resolve", `{"resolution":"The connector had lost its certificate."}`)
	return created, claimed, err
}

// openStreams opens n streams that read and forget.
func (w *world) openStreams(ctx context.Context, n int) (stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	transport := &http.Transport{}
	var reading sync.WaitGroup
	stop = func() {
		cancel()
		reading.Wait()
		transport.CloseIdleConnections()
	}
	for i := range n {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.base+streamPath, nil)
		if err != nil {
			stop()
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+w.seniors[i%len(w.seniors)].token)
		resp, err := transport.RoundTrip(req)
		if err != nil {
			stop()
			return nil, fmt.Errorf("opening stream %d: %w", i+1, err)
		}
		reading.Go(func() {
			_, _ = io.Copy(io.Discard, resp.Body) // until it is stopped
			_ = resp.Body.Close()
		})
	}
	return stop, nil
}

// cpuTime is the processor time that a part has taken so far.
type cpuTime struct {
	of   string
	took time.Duration
}

// cpu is the processor time of this process, which is Baton and its clients,
// and, on Linux, of the servers that the run has started.
func (s Servers) cpu() []cpuTime {
	var own unix.Rusage
	times := []cpuTime{{of: "Baton and its clients"}}
	if unix.Getrusage(unix.RUSAGE_SELF, &own) == nil {
		times[0].took = time.Duration(own.Utime.Nano() + own.Stime.Nano())
	}
	for _, p := range s.processes {
		if took := treeTime(p.process.PID()); took > 0 {
			times = append(times, cpuTime{p.name, took})
		}
	}
	return times
}

// server is a process that the run has started.
type server struct {
	name    string
	process *devstack.Process
}

// treeTime is the processor time of a process and its children, dead or alive.
func treeTime(pid int) time.Duration {
	total := processTime(pid)
	children, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return total
	}
	for _, file := range children {
		text, _ := os.ReadFile(file) // gone is gone
		for _, child := range strings.Fields(string(text)) {
			if id, err := strconv.Atoi(child); err == nil {
				total += treeTime(id)
			}
		}
	}
	return total
}

// processTime reads the times of a process and of its children that have ended
// (proc(5), fields 14 to 17 of stat, in hundredths of a second).
func processTime(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the name may hold anything
	fields := strings.Fields(rest)
	if len(fields) < 15 {
		return 0
	}
	var ticks int64
	for _, field := range fields[11:15] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
