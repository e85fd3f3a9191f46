package devstack

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func requireRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

// uidOf returns the user that a process runs as.
func uidOf(t *testing.T, pid int) int {
	t.Helper()
	info, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid)))
	require.NoError(t, err)
	return int(info.Sys().(*syscall.Stat_t).Uid)
}

func TestRootLetsAnotherUserRunPostgres(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	s := start(t, Options{Dir: serverDir(t), SkipTemporal: true})
	require.NotZero(t, uidOf(t, s.Postgres().PID()))
	require.Equal(t, filepath.Join(s.Dir, throwawayName, postgresDirName),
		query[string](t, connect(t, s.DatabaseURL), `SHOW data_directory`))
}

func TestServerUser(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	dir := serverDir(t)

	found, err := findServerUser(dir, "no-such-user", "nobody")
	require.NoError(t, err)
	require.Equal(t, "nobody", found.name)
	require.NotZero(t, found.credential.Uid)
	require.NotEmpty(t, found.credential.Groups)

	_, err = findServerUser(dir, "no-such-user")
	require.ErrorContains(t, err, "run this as another user")

	// Data keep their owner, also one without a name.
	require.NoError(t, os.Chown(dir, 54321, 54322))
	found, err = findServerUser(dir, "nobody")
	require.NoError(t, err)
	require.Equal(t, serverUser{
		name:       "54321",
		credential: &syscall.Credential{Uid: 54321, Gid: 54322, Groups: []uint32{54322}},
	}, found)
	require.True(t, found.canUse(t.Context(), dir))
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o700))
	require.False(t, found.canUse(t.Context(), dir))
}

// messages collects what Logf gets.
type messages struct {
	mu   sync.Mutex
	text strings.Builder
}

func (m *messages) logf(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	fmt.Fprintf(&m.text, format+"\n", args...)
}

func (m *messages) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.text.String()
}

// TestDirectoryThatOnlyRootCanEnter is a checkout under /root.
func TestDirectoryThatOnlyRootCanEnter(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	dir := serverDir(t)
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o700))
	var said messages
	options := Options{Dir: dir, Persistent: true, SkipTemporal: true, Logf: said.logf}

	first, err := Start(t.Context(), options)
	require.NoError(t, err)
	require.Contains(t, said.String(), "cannot work in "+dir)
	conn := connect(t, first.DatabaseURL)
	execute(t, conn, `CREATE TABLE kept ()`)
	elsewhere := query[string](t, conn, `SHOW data_directory`)
	require.True(t, strings.HasPrefix(elsewhere, elsewhereBase), elsewhere)
	belongsTo, err := os.ReadFile(filepath.Join(filepath.Dir(elsewhere), "belongs-to"))
	require.NoError(t, err)
	require.Equal(t, dir+"\n", string(belongsTo))
	require.NoError(t, first.Stop(t.Context()))

	second, err := Start(t.Context(), options)
	require.NoError(t, err)
	require.Equal(t, 1, query[int](t, connect(t, second.DatabaseURL), `SELECT count(*) FROM pg_class WHERE relname = 'kept'`))
	require.NoError(t, second.Stop(t.Context()))

	// Somebody who deletes the directory wants to start over.
	require.NoError(t, os.RemoveAll(dir))
	third, err := Start(t.Context(), options)
	require.NoError(t, err)
	require.Contains(t, said.String(), "belongs to a deleted "+dir)
	require.Zero(t, query[int](t, connect(t, third.DatabaseURL), `SELECT count(*) FROM pg_class WHERE relname = 'kept'`))
	require.DirExists(t, elsewhere+".old")
	require.NoError(t, third.Stop(t.Context()))

	require.NoError(t, Remove(t.Context(), dir))
	require.NoDirExists(t, filepath.Dir(elsewhere))

	options.Persistent = false
	thrown, err := Start(t.Context(), options)
	require.NoError(t, err)
	require.NoError(t, thrown.Stop(t.Context()))
	require.NoDirExists(t, filepath.Dir(elsewhere))
}

// TestWithoutRoot runs everything as a user without rights.
func TestWithoutRoot(t *testing.T) {
	t.Parallel()
	requireRoot(t)
	nobody, err := user.Lookup("nobody")
	require.NoError(t, err)
	found, err := asServerUser(nobody)
	require.NoError(t, err)
	dir := serverDir(t)
	require.NoError(t, found.own(dir))
	// Where go test puts the test program only its user can go.
	program := filepath.Join(dir, "program")
	copyFile(t, os.Args[0], program)

	output, err := runCommand(t.Context(), found.credential, func(command *exec.Cmd) {
		command.Dir = dir
		command.Env = append(os.Environ(), envHelper+"=exec", "TMPDIR="+dir)
	}, program, "sh", "-c", "id -u; echo $TEST_DATABASE_URL; ls -dn "+dir+"/baton-devstack-*")
	require.NoError(t, err)
	lines := strings.Split(output, "\n")
	require.Len(t, lines, 3, output)
	require.Equal(t, nobody.Uid, lines[0])
	require.True(t, strings.HasPrefix(lines[1], "postgres://baton:"), output)
	require.Contains(t, lines[2], " "+nobody.Uid+" ")
	left, err := filepath.Glob(filepath.Join(dir, tempPattern))
	require.NoError(t, err)
	require.Empty(t, left)
	require.Error(t, ping(context.Background(), lines[1]))
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	source, err := os.Open(from)
	require.NoError(t, err)
	defer source.Close()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	require.NoError(t, err)
	_, err = io.Copy(target, source)
	require.NoError(t, err)
	require.NoError(t, target.Close())
}
