package devstack

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// spawn starts a server and calls ended once it has ended, with the error of
// its exit. Its output goes to log.
func spawn(spec processSpec, log *os.File, ended func(error)) (*os.Process, error) {
	command := exec.Command(spec.path, spec.args...)
	command.Dir, command.Env = spec.dir, spec.env
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = childAttr(spec.credential, spec.orphanSignal)

	started := make(chan error)
	go func() {
		// The orphan signal fires when the starting thread ends, which the Go
		// runtime would let happen at any time: this one stays until the end.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := command.Start()
		started <- err
		if err == nil {
			ended(command.Wait())
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return command.Process, nil
}

// childAttr puts a child in a process group of its own, so that the Ctrl-C of a
// terminal reaches this process only, which then stops the child in order.
func childAttr(credential *syscall.Credential, orphanSignal syscall.Signal) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true, Credential: credential}
	setOrphanSignal(attr, orphanSignal)
	return attr
}

// runCommand runs a helper program to its end and returns what it wrote. When
// ctx ends, it and its children are killed. The error of a failed program
// contains its last lines.
func runCommand(ctx context.Context, credential *syscall.Credential, prepare func(*exec.Cmd), name string, args ...string) (string, error) {
	// See spawn.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	command := exec.CommandContext(ctx, name, args...)
	command.SysProcAttr = childAttr(credential, syscall.SIGKILL)
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	command.WaitDelay = time.Second
	if prepare != nil {
		prepare(command)
	}
	output, err := command.CombinedOutput()
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w%s", name, err, indentTail(string(output)))
	}
	return strings.TrimSpace(string(output)), nil
}
