package devstack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	tempPattern   = "baton-devstack-*"
	throwawayName = "throwaway"
	// elsewhereBase holds data that cannot be in the chosen directory: that of a
	// PostgreSQL that runs as another user, who may not enter it.
	elsewhereBase = "/var/lib/baton"
)

// place is where a stack keeps its things.
type place struct {
	dir        string // logs, lock, passwords; absolute, without symbolic links
	persistent bool
	temporary  bool // dir was made for this run
}

// data is the directory of the data: a directory of their own for data that are
// thrown away, so that they are never mistaken for the ones to keep.
func (p place) data() string {
	if p.persistent {
		return p.dir
	}
	return filepath.Join(p.dir, throwawayName)
}

// durable reports whether the data are to outlive the machine's power. Those in
// a temporary directory need only outlive the servers, as after a SIGKILL.
func (p place) durable() bool { return p.persistent && !p.temporary }

// elsewhere is the directory outside of dir that belongs to it, and its part
// for the data.
func (p place) elsewhere() (root, data string) {
	sum := sha256.Sum256([]byte(p.dir))
	root = filepath.Join(elsewhereBase, hex.EncodeToString(sum[:6]))
	if p.persistent {
		return root, root
	}
	return root, filepath.Join(root, throwawayName)
}

// openPlace makes and locks the directory. Data to throw away that a killed run
// left are removed.
func openPlace(ctx context.Context, dir string, persistent bool) (place, *dirLock, error) {
	if dir == "" {
		sweep(ctx)
		return openTemporary(persistent)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return place{}, nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return place{}, nil, err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return place{}, nil, err
	}
	lock, err := lockDir(dir)
	if err != nil {
		return place{}, nil, err
	}
	p := place{dir: dir, persistent: persistent}
	if err := p.stopLeftovers(ctx); err != nil {
		return place{}, nil, errors.Join(err, lock.release())
	}
	if err := p.discard(); err != nil {
		return place{}, nil, errors.Join(err, lock.release())
	}
	return p, lock, nil
}

// openTemporary makes a directory that Stop removes, or, should this process be
// killed, the sweep of a later one.
func openTemporary(persistent bool) (place, *dirLock, error) {
	dir, err := os.MkdirTemp("", tempPattern)
	if err != nil {
		return place{}, nil, err
	}
	p := place{dir: dir, persistent: persistent, temporary: true}
	fail := func(err error) (place, *dirLock, error) {
		return place{}, nil, errors.Join(err, os.RemoveAll(dir))
	}
	if p.dir, err = filepath.EvalSymlinks(dir); err != nil {
		return fail(err)
	}
	// The user that PostgreSQL runs as has to pass through.
	if err := os.Chmod(p.dir, 0o711); err != nil {
		return fail(err)
	}
	// Locked before it gets its name: a sweep takes a directory whose lock
	// nobody holds for abandoned.
	early := filepath.Join(p.dir, lockName+".new")
	lock, err := lockFile(p.dir, early, os.O_CREATE)
	if err != nil {
		return fail(err)
	}
	if err := os.Rename(early, filepath.Join(p.dir, lockName)); err != nil {
		return fail(errors.Join(err, lock.release()))
	}
	return p, lock, nil
}

// sweep removes the temporary directories of killed runs of this user, and ends
// what runs in them. It does what it can; a failure is the next one's to mend.
func sweep(ctx context.Context) {
	dirs, err := filepath.Glob(filepath.Join(os.TempDir(), tempPattern))
	if err != nil {
		return
	}
	for _, dir := range dirs {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || !ownedByUs(info) {
			continue
		}
		if dir, err = filepath.EvalSymlinks(dir); err != nil {
			continue
		}
		lock, err := lockFile(dir, filepath.Join(dir, lockName), 0)
		if errors.Is(err, fs.ErrNotExist) {
			// Either being made right now, or killed while it was.
			if time.Since(info.ModTime()) > time.Hour {
				_ = os.RemoveAll(dir)
			}
			continue
		}
		if err != nil {
			continue
		}
		_ = place{dir: dir}.removeAll(ctx)
		_ = lock.release()
	}
}

func ownedByUs(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}

// stopLeftovers ends the servers of an earlier run of this directory, whether
// its data were to be kept or not.
func (p place) stopLeftovers(ctx context.Context) error {
	if err := p.stopLeftoverTemporal(ctx); err != nil {
		return err
	}
	for _, persistent := range []bool{true, false} {
		q := place{dir: p.dir, persistent: persistent}
		_, elsewhere := q.elsewhere()
		for _, data := range []string{q.data(), elsewhere} {
			if err := stopLeftoverPostgres(ctx, filepath.Join(data, postgresDirName)); err != nil {
				return err
			}
		}
	}
	return nil
}

// discard removes what is not to be kept after a run. No server may run.
func (p place) discard() error {
	var errs []error
	root, elsewhere := p.elsewhere()
	switch {
	case p.temporary:
		errs = append(errs, os.RemoveAll(root), os.RemoveAll(p.dir))
	case !p.persistent:
		errs = append(errs, os.RemoveAll(elsewhere), os.RemoveAll(p.data()))
	}
	// Only succeeds when they are empty, which is when nobody needs them.
	_ = os.Remove(root)
	_ = os.Remove(elsewhereBase)
	return errors.Join(errs...)
}

// removeAll ends what runs in the directory and deletes everything.
func (p place) removeAll(ctx context.Context) error {
	if err := p.stopLeftovers(ctx); err != nil {
		return err
	}
	p.temporary = true
	return p.discard()
}
