package devstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// killTree ends a process and its children with SIGKILL. The parent is frozen
// first: PostgreSQL's would otherwise replace its children, or clean up after
// them, which a crash does not do.
func killTree(pid int) error {
	if err := sendSignal(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	// Twice, because a child may have been born before the parent froze.
	for range 2 {
		if err := signalChildren(pid, syscall.SIGKILL); err != nil {
			break // killing the parent matters more
		}
	}
	return sendSignal(pid, syscall.SIGKILL)
}

func signalChildren(pid int, sig syscall.Signal) error {
	pids, err := children(pid)
	if err != nil {
		return fmt.Errorf("list the children of process %d: %w", pid, err)
	}
	for _, child := range pids {
		if err := sendSignal(child, sig); err != nil {
			return err
		}
	}
	return nil
}

// sendSignal sends sig to a process; one that has ended is no error.
func sendSignal(pid int, sig syscall.Signal) error {
	if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("send %s to process %d: %w", sig, pid, err)
	}
	return nil
}

// readPID returns the process id in the first line of a file, or 0.
func readPID(path string) int {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || pid <= 1 {
		return 0
	}
	return pid
}

// stopLeftover ends process pid, left running by a stack that was killed, if
// its command line contains each of marks; a pid alone may belong to anybody by
// now. It reports whether such a process ran, and returns once it is gone.
func stopLeftover(ctx context.Context, pid int, sig syscall.Signal, marks ...string) (bool, error) {
	ours := func() bool {
		line := commandLine(pid)
		for _, mark := range marks {
			if !strings.Contains(line, mark) {
				return false
			}
		}
		return true
	}
	if pid == 0 || !ours() {
		return false, nil
	}
	if err := sendSignal(pid, sig); err != nil {
		return true, err
	}
	ticker := time.NewTicker(readyEvery)
	defer ticker.Stop()
	for killAt := time.Now().Add(stopWithin); ours(); {
		if time.Now().After(killAt) {
			if err := killTree(pid); err != nil {
				return true, err
			}
			killAt = killAt.Add(stopWithin)
		}
		select {
		case <-ctx.Done():
			return true, fmt.Errorf("stop process %d of an earlier run: %w", pid, context.Cause(ctx))
		case <-ticker.C:
		}
	}
	return true, nil
}
