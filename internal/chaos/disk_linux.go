package chaos

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// quotaBytes is the size of the disk that PostgreSQL gets.
const quotaBytes = 512 << 20

// quota is a small disk, so that it can be filled without harm to others.
type quota struct{ dir string }

// newQuota makes dir a disk of its own. It returns nil where that is not
// allowed, which takes root.
func newQuota(dir string) (*quota, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0755", quotaBytes))
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return nil, nil //nolint:nilnil // nothing to break, and that is no error
	}
	if err != nil {
		return nil, fmt.Errorf("mounting a small disk: %w", err)
	}
	return &quota{dir}, nil
}

func (q *quota) ballast() string { return filepath.Join(q.dir, "ballast") }

// fill leaves no room.
func (q *quota) fill() (err error) {
	f, err := os.Create(q.ballast())
	if err != nil {
		return fmt.Errorf("filling the disk: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	chunk := make([]byte, 64<<10)
	for {
		if _, err := f.Write(chunk); errors.Is(err, syscall.ENOSPC) {
			return nil
		} else if err != nil {
			return fmt.Errorf("filling the disk: %w", err)
		}
	}
}

// empty gives the room back.
func (q *quota) empty() error {
	if err := os.Remove(q.ballast()); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("emptying the disk: %w", err)
	}
	return nil
}

func (q *quota) close() error { return unix.Unmount(q.dir, unix.MNT_DETACH) }
