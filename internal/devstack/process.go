package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	readyWithin  = 60 * time.Second // from start to ready, without builds and downloads
	readyAttempt = 2 * time.Second
	readyEvery   = 20 * time.Millisecond
	stopWithin   = 10 * time.Second // for a graceful end, then it is killed
)

// Process is one server of a [Stack]. Its methods are there to break it and to
// mend it: tests use them to see what Baton does meanwhile. They wait for each
// other; only one takes effect at a time.
type Process struct {
	spec  processSpec
	logf  logfFunc
	ended func(error) // told when it ends though nobody asked it to

	mu  sync.Mutex
	run *run
}

// processSpec is what stays the same however often a Process is started.
type processSpec struct {
	name       string // for people: "PostgreSQL"
	path       string
	args, env  []string
	dir        string
	credential *syscall.Credential // nil: the user of this process
	logPath    string
	pidPath    string // written by us; empty when the server does that itself

	stopSignal   syscall.Signal // asks it to end; SIGKILL when nothing is lost by it
	orphanSignal syscall.Signal // sent by the kernel when this process is gone

	// clear removes what a killed predecessor left; it may be nil.
	clear func(context.Context) error
	// lingers reports whether an end during a start, by its log, is the doing of
	// a killed predecessor whose children have not all ended. It may be nil.
	lingers func(log string) bool
	// ready returns nil once the server does its work.
	ready func(context.Context) error
}

// run is one life of a Process.
type run struct {
	process   *os.Process
	done      chan struct{} // closed once it has ended and err is set
	err       error         // what it ended with, as exec's Wait gives it
	logOffset int64         // where its part of the log begins
	expected  atomic.Bool   // its end is somebody's doing, or start's to report
}

func (r *run) alive() bool {
	select {
	case <-r.done:
		return false
	default:
		return true
	}
}

// permanentError is an answer of a server that waiting does not change.
type permanentError struct{ error }

func (e permanentError) Unwrap() error { return e.error }

// exitError says that a server ended by itself.
type exitError struct {
	name string
	err  error
	tail string
}

func (e *exitError) Error() string {
	how := "with success"
	if e.err != nil {
		how = e.err.Error()
	}
	return fmt.Sprintf("%s ended by itself: %s%s", e.name, how, e.tail)
}

// PID returns the process id, or 0 while the process does not run.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run == nil || !p.run.alive() {
		return 0
	}
	return p.run.process.Pid
}

// Kill ends the process and its children at once with SIGKILL, as when the
// machine loses its power, and waits until it is gone. It is an error when it
// does not run.
func (p *Process) Kill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, err := p.current()
	if err != nil {
		return err
	}
	r.expected.Store(true)
	return p.kill(r)
}

// Restart starts the process again with the same port and data, after a
// graceful stop if it still runs, and returns once it is ready.
func (p *Process) Restart(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.stop(ctx); err != nil {
		return err
	}
	return p.start(ctx)
}

// Pause freezes the process and its children with SIGSTOP: connections stay
// open, and nobody answers. It is an error when it does not run.
func (p *Process) Pause() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, err := p.current()
	if err != nil {
		return err
	}
	// The parent first, so that it does not start more children meanwhile.
	if err := r.process.Signal(syscall.SIGSTOP); err != nil {
		return fmt.Errorf("pause %s: %w", p.spec.name, err)
	}
	return signalChildren(r.process.Pid, syscall.SIGSTOP)
}

// Resume lets the process go on after [Process.Pause]. It is an error when it
// does not run.
func (p *Process) Resume() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, err := p.current()
	if err != nil {
		return err
	}
	return p.resume(r)
}

func (p *Process) resume(r *run) error {
	if err := signalChildren(r.process.Pid, syscall.SIGCONT); err != nil {
		return err
	}
	if err := r.process.Signal(syscall.SIGCONT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("resume %s: %w", p.spec.name, err)
	}
	return nil
}

// Stop ends the process and waits for it: gracefully at first, and with SIGKILL
// when that takes longer than ten seconds or ctx ends. A process that does not
// run is no error.
func (p *Process) Stop(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stop(ctx)
}

func (p *Process) current() (*run, error) {
	if p.run == nil || !p.run.alive() {
		return nil, fmt.Errorf("%s does not run", p.spec.name)
	}
	return p.run, nil
}

// start runs the process and waits until it is ready. When it does not get
// ready, it does not run afterwards. The caller holds p.mu.
func (p *Process) start(ctx context.Context) error {
	defer progress(p.logf, "starting "+p.spec.name)()
	for try := 1; ; try++ {
		err := p.startOnce(ctx)
		var exit *exitError
		if err == nil || try == startTries || p.spec.lingers == nil || !errors.As(err, &exit) || !p.spec.lingers(exit.tail) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Duration(try) * 200 * time.Millisecond):
		}
	}
}

func (p *Process) startOnce(ctx context.Context) error {
	if p.spec.clear != nil {
		if err := p.spec.clear(ctx); err != nil {
			return err
		}
	}
	r, err := p.launch()
	if err != nil {
		return err
	}
	p.run = r
	if err := p.awaitReady(ctx, r); err != nil {
		return errors.Join(err, p.kill(r))
	}
	r.expected.Store(false)
	return nil
}

// launch starts the process, without waiting for more than its pid.
func (p *Process) launch() (*run, error) {
	log, err := os.OpenFile(p.spec.logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", p.spec.name, err)
	}
	defer log.Close() // the child has its own
	offset, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", p.spec.name, err)
	}

	r := &run{done: make(chan struct{}), logOffset: offset}
	r.expected.Store(true)
	if r.process, err = spawn(p.spec, log, func(waitErr error) {
		r.err = waitErr
		close(r.done)
		if !r.expected.Load() {
			p.ended(p.exitError(r))
		}
	}); err != nil {
		return nil, fmt.Errorf("start %s (%s): %w", p.spec.name, p.spec.path, err)
	}
	if p.spec.pidPath != "" {
		if err := os.WriteFile(p.spec.pidPath, []byte(strconv.Itoa(r.process.Pid)+"\n"), 0o600); err != nil {
			return nil, errors.Join(fmt.Errorf("write the pid of %s: %w", p.spec.name, err), p.kill(r))
		}
	}
	return r, nil
}

func (p *Process) exitError(r *run) error {
	return &exitError{name: p.spec.name, err: r.err, tail: logTail(p.spec.logPath, r.logOffset)}
}

func (p *Process) awaitReady(ctx context.Context, r *run) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	// An attempt must not outlive the process that it waits for.
	go func() {
		select {
		case <-r.done:
			cancel()
		case <-ctx.Done():
		}
	}()

	ticker := time.NewTicker(readyEvery)
	defer ticker.Stop()
	for {
		attempt, cancelAttempt := context.WithTimeout(ctx, readyAttempt)
		err := p.spec.ready(attempt)
		cancelAttempt()
		// Asked after the attempt: somebody else's server may have answered.
		if !r.alive() {
			return p.exitError(r)
		}
		if err == nil || errors.As(err, new(permanentError)) {
			return err
		}
		select {
		case <-ctx.Done():
			if !r.alive() {
				return p.exitError(r)
			}
			return fmt.Errorf("%s did not get ready (%w): %w%s", p.spec.name, context.Cause(ctx), err,
				logTail(p.spec.logPath, r.logOffset))
		case <-ticker.C:
		}
	}
}

// stop is Stop for a caller that holds p.mu.
func (p *Process) stop(ctx context.Context) error {
	r := p.run
	if r == nil || !r.alive() {
		return nil
	}
	r.expected.Store(true)
	if p.spec.stopSignal == syscall.SIGKILL {
		return p.kill(r)
	}
	defer progress(p.logf, "stopping "+p.spec.name)()
	if err := r.process.Signal(p.spec.stopSignal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.spec.name, err)
	}
	// A paused process does not see any signal but SIGKILL.
	if err := p.resume(r); err != nil {
		return err
	}
	grace, cancel := context.WithTimeout(ctx, stopWithin)
	defer cancel()
	select {
	case <-r.done:
		p.forget()
		return nil
	case <-grace.Done():
		return p.kill(r)
	}
}

// kill ends the process and its children and waits until it has ended.
func (p *Process) kill(r *run) error {
	if r.alive() {
		if err := killTree(r.process.Pid); err != nil {
			return fmt.Errorf("kill %s: %w", p.spec.name, err)
		}
	}
	<-r.done
	p.forget()
	return nil
}

func (p *Process) forget() {
	if p.spec.pidPath != "" {
		_ = os.Remove(p.spec.pidPath) // at worst the next start finds it stale
	}
}
