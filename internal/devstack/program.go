package devstack

import (
	"context"
	"syscall"
)

// Program is a server of the caller's own that is run like the stack's.
type Program struct {
	// Name is what people call it.
	Name string
	// Path, Args and Env say how it is run. Env is the whole environment.
	Path      string
	Args, Env []string
	// Log is the file that gets its output, which is added to.
	Log string
	// Ready returns nil once the server does its work.
	Ready func(context.Context) error
	// Ended is told when it ends though nobody asked it to. It may be nil.
	Ended func(error)
	// Logf gets lines for a person; nil discards.
	Logf func(format string, args ...any)
}

// NewProcess returns a process that does not run yet; [Process.Restart] starts
// it. On Linux it dies with this process.
func NewProcess(p Program) *Process {
	ended := p.Ended
	if ended == nil {
		ended = func(error) {}
	}
	return &Process{
		spec: processSpec{
			name: p.Name, path: p.Path, args: p.Args, env: p.Env, dir: "/", logPath: p.Log,
			stopSignal: syscall.SIGTERM, orphanSignal: syscall.SIGKILL,
			ready: p.Ready,
		},
		logf: serialized(p.Logf), ended: ended,
	}
}

// FreePorts returns n ports of 127.0.0.1 that nothing listens on.
func FreePorts(n int) ([]int, error) { return pickPorts(make([]int, n)...) }
