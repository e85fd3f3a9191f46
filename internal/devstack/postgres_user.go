package devstack

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// serverUser is who PostgreSQL runs as. It refuses to run as root, so root lets
// somebody else run it.
type serverUser struct {
	name       string
	credential *syscall.Credential // nil: whoever we are
}

// findServerUser returns who is to run the server: this user, or, for root, the
// owner of the data if there are any, else the first of names that exists.
func findServerUser(dataDir string, names ...string) (serverUser, error) {
	if os.Geteuid() != 0 {
		return serverUser{}, nil
	}
	if info, err := os.Stat(dataDir); err == nil {
		stat, ok := info.Sys().(*syscall.Stat_t)
		if ok && stat.Uid != 0 {
			return userByID(stat.Uid, stat.Gid), nil
		}
	}
	for _, name := range names {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		return asServerUser(found)
	}
	return serverUser{}, fmt.Errorf("PostgreSQL does not run as root, and there is none of the users %q: "+
		"run this as another user, or set DATABASE_URL", names)
}

// userByID also works for an id that has no name, as happens in containers.
func userByID(uid, gid uint32) serverUser {
	if found, err := user.LookupId(strconv.Itoa(int(uid))); err == nil {
		if known, err := asServerUser(found); err == nil {
			return known
		}
	}
	return serverUser{
		name:       strconv.Itoa(int(uid)),
		credential: &syscall.Credential{Uid: uid, Gid: gid, Groups: []uint32{gid}},
	}
}

func asServerUser(u *user.User) (serverUser, error) {
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return serverUser{}, fmt.Errorf("user %s: %w", u.Username, err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return serverUser{}, fmt.Errorf("user %s: %w", u.Username, err)
	}
	credential := &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	// Debian's server reads its TLS key through a group; ours does not need the
	// groups, but a program may be readable to a group only.
	ids, err := u.GroupIds()
	if err != nil {
		ids = []string{u.Gid}
	}
	for _, id := range ids {
		if group, err := strconv.ParseUint(id, 10, 32); err == nil {
			credential.Groups = append(credential.Groups, uint32(group))
		}
	}
	return serverUser{name: u.Username, credential: credential}, nil
}

// own gives a file or directory to the user.
func (u serverUser) own(path string) error {
	if u.credential == nil {
		return nil
	}
	return os.Chown(path, int(u.credential.Uid), int(u.credential.Gid))
}

// canUse reports whether the user can reach and write dir. It tries, because
// mode bits are not all that decides.
func (u serverUser) canUse(ctx context.Context, dir string) bool {
	if u.credential == nil {
		return true
	}
	_, err := runCommand(ctx, u.credential, atRoot, "/bin/sh", "-c", `cd "$0" && test -w .`, dir)
	return err == nil
}

// atRoot runs a command in a directory that everybody can enter.
func atRoot(command *exec.Cmd) { command.Dir = "/" }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
