package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
)

// envRole makes this program one of the processes that a scenario measures, or
// that measures for it.
const envRole = "BATON_BENCH_ROLE"

// envHeapProfile makes a child note every few allocations for a profile of its
// heap, which makes it slower.
const envHeapProfile = "BATON_BENCH_HEAP_PROFILE"

// The roles. Each is told what to do by lines of JSON on standard input, and
// answers each with one on standard output. It ends with its input.
const (
	roleAPI     = "api"     // an API replica of Baton
	roleBare    = "bare"    // the bare net/http server of streams
	roleReaders = "readers" // the readers of many streams
)

// RunChild is for the beginning of main, and of TestMain: it reports whether
// the process was one of the instrument's, and has done its work.
func RunChild(ctx context.Context) (was bool, err error) {
	role := os.Getenv(envRole)
	if role == "" {
		return false, nil
	}
	if err := raiseFileLimit(); err != nil {
		return true, err
	}
	if os.Getenv(envHeapProfile) != "" {
		runtime.MemProfileRate = 4 << 10
	}
	switch role {
	case roleAPI:
		return true, serveAPI(ctx)
	case roleBare:
		return true, serveBareStreams(ctx)
	case roleReaders:
		return true, readStreams(ctx)
	}
	return true, fmt.Errorf("%s: there is no role %q", envRole, role)
}

// order is what a child is told.
type order struct {
	Do string `json:"do"`
	// For readers: how many streams to open, where, and the bytes of the request.
	Streams int    `json:"streams,omitempty"`
	Address string `json:"address,omitempty"`
	Request []byte `json:"request,omitempty"`
	// File is where a profile goes.
	File string `json:"file,omitempty"`
}

// answer is what a child says.
type answer struct {
	Error   string  `json:"error,omitempty"`
	Address string  `json:"address,omitempty"`
	Memory  *memory `json:"memory,omitempty"`
	// Arrived is when a frame was complete at the readers, at some of them and
	// at the last, in nanoseconds since the epoch.
	Arrived *arrived `json:"arrived,omitempty"`
}

type arrived struct{ First, Median, Last int64 }

// memory is what a process takes, in bytes, after a garbage collection.
type memory struct{ Resident, Heap, Stacks, Goroutines int64 }

// obey answers the orders on standard input until it ends.
func obey(do func(order) (answer, error)) error {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var o order
		if err := in.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading an order: %w", err)
		}
		a, err := do(o)
		if err != nil {
			a.Error = err.Error()
		}
		if err := out.Encode(a); err != nil {
			return fmt.Errorf("answering: %w", err)
		}
	}
}

// serve answers the orders that all servers take.
func serve(address string) error {
	return obey(func(o order) (answer, error) {
		switch o.Do {
		case "address":
			return answer{Address: address}, nil
		case "memory":
			return answer{Memory: measureProcess()}, nil
		case "profile":
			file, err := os.Create(o.File)
			if err != nil {
				return answer{}, err
			}
			return answer{}, pprof.StartCPUProfile(file)
		case "heap":
			file, err := os.Create(o.File)
			if err != nil {
				return answer{}, err
			}
			runtime.GC()
			return answer{}, errors.Join(pprof.WriteHeapProfile(file), file.Close())
		case "profiled":
			pprof.StopCPUProfile()
			return answer{}, nil
		}
		return answer{}, fmt.Errorf("no such order: %q", o.Do)
	})
}

func measureProcess() *memory {
	// Twice: finalizers and pools let go of things only then.
	runtime.GC()
	debug.FreeOSMemory()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	kib, _ := strconv.ParseInt(strings.TrimSuffix(field("/proc/self/status", "VmRSS"), " kB"), 10, 64)
	return &memory{
		Resident: kib * 1024, Heap: int64(stats.HeapInuse), Stacks: int64(stats.StackInuse), Goroutines: int64(runtime.NumGoroutine()),
	}
}

// child is a process of the instrument, from outside.
type child struct {
	process *exec.Cmd
	in      io.WriteCloser
	out     *json.Decoder
}

// startChild runs this program in a role. Its environment is that of this
// process, without Baton's settings, and what is given.
func startChild(ctx context.Context, role string, environ ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	c := &child{process: exec.CommandContext(ctx, self)}
	c.process.Env = append(slices.DeleteFunc(os.Environ(), ours), append(environ, envRole+"="+role)...)
	c.process.Stderr = os.Stderr
	out, err := c.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if c.in, err = c.process.StdinPipe(); err != nil {
		return nil, err
	}
	c.out = json.NewDecoder(out)
	if err := c.process.Start(); err != nil {
		return nil, fmt.Errorf("starting a process: %w", err)
	}
	return c, nil
}

// ours tells the variables that configure Baton or the instrument.
func ours(entry string) bool {
	return strings.HasPrefix(entry, "BATON_") || strings.HasPrefix(entry, "TEMPORAL_") || strings.HasPrefix(entry, "DATABASE_URL=")
}

// ask gives an order and waits for the answer.
func (c *child) ask(o order) (answer, error) {
	var a answer
	if err := json.NewEncoder(c.in).Encode(o); err != nil {
		return a, fmt.Errorf("asking a process to %s: %w", o.Do, err)
	}
	if err := c.out.Decode(&a); err != nil {
		return a, fmt.Errorf("asking a process to %s: %w", o.Do, err)
	}
	if a.Error != "" {
		return a, fmt.Errorf("a process could not %s: %s", o.Do, a.Error)
	}
	return a, nil
}

// stop lets the child end.
func (c *child) stop() {
	_ = c.in.Close()
	_ = c.process.Wait()
}
