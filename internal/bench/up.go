package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/baton-handoff/baton/internal/devstack"
)

// measureStart takes the time that `baton up`, which is what `make up` runs,
// needs until it works. The first start makes its data and does not count.
func measureStart(ctx context.Context, b *bench) ([]Row, error) {
	if b.Program == "" {
		return nil, nil
	}
	dir, err := os.MkdirTemp("", "baton-bench-up-")
	if err != nil {
		return nil, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
		defer cancel()
		_ = devstack.Remove(ctx, dir)
		_ = os.RemoveAll(dir)
	}()
	first, err := b.startOnce(ctx, dir)
	if err != nil {
		return nil, err
	}
	var warm []float64
	for range b.Sizes.Starts {
		took, err := b.startOnce(ctx, dir)
		if err != nil {
			return nil, err
		}
		warm = append(warm, took.Seconds())
	}
	once := first.Seconds()
	return []Row{
		{What: "`make up`, warm, until ready", Unit: "s", Baton: spread(warm), Target: 8, How: "from the start of `baton up` on data of an earlier run to its word that it is up, PostgreSQL, the Temporal dev server, API and worker included"},
		{What: "`make up`, the first time", Unit: "s", Baton: Spread{once, once, once}, How: "the same in an empty directory, with everything built"},
	}, nil
}

func (b *bench) startOnce(ctx context.Context, dir string) (time.Duration, error) {
	ports, err := freePorts(ctx, 3)
	if err != nil {
		return 0, err
	}
	up := exec.CommandContext(ctx, b.Program, "up", "--dir", dir,
		"--listen", ports[0], "--temporal-port", portOf(ports[1]), "--ui-port", portOf(ports[2]))
	up.Env = slices.DeleteFunc(os.Environ(), ours)
	// Stopped in order, or its servers would have to be found and ended.
	up.Cancel = func() error { return up.Process.Signal(syscall.SIGINT) }
	up.WaitDelay = stopWithin
	var said strings.Builder
	up.Stderr = &said
	out, err := up.StdoutPipe()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := up.Start(); err != nil {
		return 0, fmt.Errorf("starting %s: %w", b.Program, err)
	}
	var took time.Duration
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "Baton is up after") {
			took = time.Since(began)
			break
		}
	}
	_ = up.Process.Signal(syscall.SIGINT)
	_, _ = io.Copy(io.Discard, out)
	if err := up.Wait(); err != nil || took == 0 {
		return 0, fmt.Errorf("%s up: %w: %s", b.Program, errors.Join(err, lines.Err()), said.String())
	}
	return took, nil
}

// freePorts finds addresses on loopback that nobody listens on.
func freePorts(ctx context.Context, n int) (addresses []string, err error) {
	for range n {
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("finding a free port: %w", err)
		}
		defer func() { _ = l.Close() }() // open until all are chosen
		addresses = append(addresses, l.Addr().String())
	}
	return addresses, nil
}

func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}
