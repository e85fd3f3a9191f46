package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// ErrInUse says that another stack, of this process or another one, uses the
// directory.
var ErrInUse = errors.New("in use")

const lockName = "lock"

// dirLock is held by at most one stack per directory. The kernel releases it
// when the process dies, whatever it dies of, and children do not inherit it.
type dirLock struct{ file *os.File }

// lockDir locks dir, which must exist. The error is an ErrInUse when somebody
// else holds the lock.
func lockDir(dir string) (*dirLock, error) {
	return lockFile(dir, filepath.Join(dir, lockName), os.O_CREATE)
}

func lockFile(dir, path string, flags int) (*dirLock, error) {
	file, err := os.OpenFile(path, os.O_RDWR|flags, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	if err := flock(file, syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := io.ReadAll(io.LimitReader(file, 32))
		file.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", dir, err)
		}
		return nil, fmt.Errorf("%s is %w by process %s: stop it, or use another directory",
			dir, ErrInUse, strings.TrimSpace(string(holder)))
	}
	// For the message above; the lock itself does not depend on it.
	if err := file.Truncate(0); err == nil {
		fmt.Fprintf(file, "%d\n", os.Getpid())
	}
	return &dirLock{file: file}, nil
}

// lockWaiting locks the file path, for work that only one process is to do, and
// waits while another one does it.
func lockWaiting(ctx context.Context, path string) (*dirLock, error) {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		lock, err := lockFile(path, path, os.O_CREATE)
		if !errors.Is(err, ErrInUse) {
			return lock, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// release gives the directory free. The file stays: removing it would let two
// processes hold locks on two files of the same name.
func (l *dirLock) release() error { return l.file.Close() }

func flock(file *os.File, how int) error {
	for {
		if err := syscall.Flock(int(file.Fd()), how); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
