package devstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// The variables that tell tests which servers to use.
const (
	EnvDatabaseURL     = "TEST_DATABASE_URL"
	EnvTemporalAddress = "TEST_TEMPORAL_ADDRESS"
	// EnvThrowaway is "1" when the servers end with the tests, so that tests
	// need not remove from them what takes long to remove.
	EnvThrowaway = "TEST_THROWAWAY"
)

// Exec starts a stack, runs a command with the addresses of the stack in
// TEST_DATABASE_URL and TEST_TEMPORAL_ADDRESS (and TEST_THROWAWAY=1 unless the
// data are persistent), stops the stack, and returns the exit code of the
// command: 128 plus the number of the signal that ended it, as shells count. An
// error means that the stack or the command did not start, or
// that the stack did not stop; the code is 1 then, unless the command ran.
//
// Signals that this process gets are passed on to the command. When ctx ends,
// the command gets SIGTERM and, ten seconds later, SIGKILL; a ctx that ends on
// signals as well would deliver them twice.
func Exec(ctx context.Context, o Options, argv []string) (exitCode int, err error) {
	if len(argv) == 0 {
		return 1, errors.New("devstack: no command to run")
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer signal.Stop(signals)

	s, err := startInterruptibly(ctx, o, signals)
	if err != nil {
		return 1, err
	}
	defer func() {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*stopWithin)
		defer cancel()
		err = errors.Join(err, s.Stop(stopCtx))
	}()

	command := exec.CommandContext(ctx, argv[0], argv[1:]...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	command.Env = s.testEnv(o)
	command.WaitDelay = stopWithin
	// At a terminal the command stays in the foreground group, so that it can
	// read from it, and gets Ctrl-C from it directly. Elsewhere it gets a group
	// of its own, so that signals reach its children as well.
	terminal := inForeground()
	target := func() int { return command.Process.Pid }
	if !terminal {
		command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		target = func() int { return -command.Process.Pid }
	}
	command.Cancel = func() error { return syscall.Kill(target(), syscall.SIGTERM) }
	if err := command.Start(); err != nil {
		return 1, fmt.Errorf("devstack: start the command: %w", err)
	}

	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	for {
		select {
		case waitErr := <-ended:
			if !terminal {
				// Grandchildren that outlive their parent would outlive us too.
				_ = syscall.Kill(target(), syscall.SIGKILL)
			}
			return exitCodeOf(command.ProcessState, waitErr)
		case received := <-signals:
			fromTerminal := received == os.Interrupt || received == syscall.SIGQUIT
			if !terminal || !fromTerminal {
				_ = syscall.Kill(target(), received.(syscall.Signal)) // it may just have ended
			}
		}
	}
}

// testEnv is our environment with the addresses of what runs.
func (s *Stack) testEnv(o Options) []string {
	env := os.Environ()
	if s.DatabaseURL != "" {
		env = append(env, EnvDatabaseURL+"="+s.DatabaseURL)
	}
	if s.TemporalAddress != "" {
		env = append(env, EnvTemporalAddress+"="+s.TemporalAddress)
	}
	if !o.Persistent {
		env = append(env, EnvThrowaway+"=1")
	}
	return env
}

// startInterruptibly is Start that gives up at the first signal.
func startInterruptibly(ctx context.Context, o Options, signals <-chan os.Signal) (*Stack, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		select {
		case received := <-signals:
			cancel(fmt.Errorf("stopped by signal %q", received))
		case <-quit:
		}
	}()
	s, err := Start(ctx, o)
	close(quit)
	<-done
	if err == nil && ctx.Err() != nil {
		// The signal came with the last step.
		return nil, errors.Join(context.Cause(ctx), s.Stop(context.WithoutCancel(ctx)))
	}
	return s, err
}

func exitCodeOf(state *os.ProcessState, waitErr error) (int, error) {
	if state == nil {
		return 1, fmt.Errorf("devstack: wait for the command: %w", waitErr)
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return state.ExitCode(), nil
}

// inForeground reports whether the terminal sends its signals to this process.
func inForeground() bool {
	terminal, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer terminal.Close()
	group, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
