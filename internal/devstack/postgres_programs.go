package devstack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// oldestPostgres is the oldest major version that Baton works with.
const oldestPostgres = 15

// programDirs are where packages put PostgreSQL's programs: Debian, Red Hat,
// Homebrew (two of them) and Postgres.app.
var programDirs = []string{
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/opt/homebrew/opt/postgresql@*/bin",
	"/usr/local/opt/postgresql@*/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
}

// programs are the programs of one PostgreSQL.
type programs struct {
	bin   string
	major int
}

func (p programs) initdb() string   { return filepath.Join(p.bin, "initdb") }
func (p programs) postgres() string { return filepath.Join(p.bin, "postgres") }

// programSource finds or gets PostgreSQL's programs.
type programSource struct {
	dirs  []string // patterns, besides the PATH and pg_config
	user  serverUser
	cache string // where fetched programs are kept
	// repository is where they are fetched from; empty is the library's choice.
	repository string
	logf       logfFunc
}

// get returns the programs to use: those that match the major version wanted,
// which is what the data were written by, or for 0 the newest. Where there are
// none it installs or fetches them.
func (s programSource) get(ctx context.Context, wanted int, dataDir string) (programs, error) {
	found := s.find(ctx)
	if ctx.Err() != nil {
		return programs{}, context.Cause(ctx) // and not a reason to install anything
	}
	if chosen, ok := choose(found, wanted); ok {
		return chosen, nil
	}
	if len(found) > 0 {
		return programs{}, fmt.Errorf("the data in %s are PostgreSQL %d's, but only %d is installed: "+
			"install PostgreSQL %d, or remove %s to start over", dataDir, wanted, found[0].major, wanted, dataDir)
	}
	found, err := s.obtain(ctx)
	if err != nil {
		return programs{}, fmt.Errorf("there is no PostgreSQL %d or newer, and getting one failed: "+
			"install it, or set DATABASE_URL (%w)", oldestPostgres, err)
	}
	if chosen, ok := choose(found, wanted); ok {
		return chosen, nil
	}
	if len(found) == 0 {
		return programs{}, fmt.Errorf("there is no PostgreSQL %d or newer, and what was installed is not: "+
			"install one, or set DATABASE_URL", oldestPostgres)
	}
	return programs{}, fmt.Errorf("the data in %s are PostgreSQL %d's, but only %d is to be had: remove %s to start over",
		dataDir, wanted, found[0].major, dataDir)
}

// choose returns the first of found with the wanted major version; any for 0.
func choose(found []programs, wanted int) (programs, bool) {
	i := slices.IndexFunc(found, func(p programs) bool { return wanted == 0 || p.major == wanted })
	if i < 0 {
		return programs{}, false
	}
	return found[i], true
}

// find returns every usable PostgreSQL: the one on the PATH first, then the
// others, the newest first.
func (s programSource) find(ctx context.Context) []programs {
	var found []programs
	add := func(bin string) {
		known := slices.ContainsFunc(found, func(p programs) bool { return p.bin == bin })
		if known || !exists(filepath.Join(bin, "initdb")) {
			return
		}
		if major := s.major(ctx, filepath.Join(bin, "postgres")); major >= oldestPostgres {
			found = append(found, programs{bin: bin, major: major})
		}
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		// Often a link into the directory that also has the other programs.
		if path, err = filepath.EvalSymlinks(path); err == nil {
			add(filepath.Dir(path))
		}
	}
	onPath := len(found)
	for _, pattern := range append(slices.Clone(s.dirs), filepath.Join(s.cache, "bin")) {
		dirs, err := filepath.Glob(pattern)
		if err != nil {
			continue
		}
		for _, bin := range dirs {
			add(bin)
		}
	}
	if bin, err := runCommand(ctx, nil, nil, "pg_config", "--bindir"); err == nil {
		add(bin)
	}
	slices.SortStableFunc(found[onPath:], func(a, b programs) int { return cmp.Compare(b.major, a.major) })
	return found
}

var versionPattern = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// major returns the major version of a postgres program, or 0 when the user of
// the server cannot run it.
func (s programSource) major(ctx context.Context, postgres string) int {
	output, err := runCommand(ctx, s.user.credential, atRoot, postgres, "--version")
	if err != nil {
		return 0
	}
	match := versionPattern.FindStringSubmatch(output)
	if match == nil {
		return 0
	}
	major, err := strconv.Atoi(match[1])
	if err != nil {
		return 0
	}
	return major
}

// obtain installs PostgreSQL with apt where it can, and fetches it otherwise,
// and returns what is there then.
func (s programSource) obtain(ctx context.Context) ([]programs, error) {
	if err := os.MkdirAll(s.cache, 0o755); err != nil {
		return nil, err
	}
	// One process does it, those that start at the same time wait for it.
	lock, err := lockWaiting(ctx, filepath.Join(s.cache, lockName))
	if err != nil {
		return nil, err
	}
	defer func() { _ = lock.release() }()
	if found := s.find(ctx); len(found) > 0 {
		return found, nil
	}
	apt, err := exec.LookPath("apt-get")
	if os.Geteuid() == 0 && err == nil {
		err = s.install(ctx, apt)
	} else {
		err = s.fetch(ctx)
	}
	if err != nil {
		return nil, err
	}
	return s.find(ctx), nil
}

func (s programSource) install(ctx context.Context, apt string) error {
	s.logf("there is no PostgreSQL: installing the package postgresql with apt-get")
	defer progress(s.logf, "installing PostgreSQL")()
	unattended := func(command *exec.Cmd) {
		command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	}
	// Waits for another apt instead of failing.
	options := []string{"-o", "DPkg::Lock::Timeout=120"}
	install := append(slices.Clone(options), "install", "-y", "--no-install-recommends", "postgresql")
	_, err := runCommand(ctx, nil, unattended, apt, install...)
	if err == nil || ctx.Err() != nil {
		return err
	}
	// A fresh image has no package lists.
	if _, err := runCommand(ctx, nil, unattended, apt, append(slices.Clone(options), "update")...); err != nil {
		return err
	}
	_, err = runCommand(ctx, nil, unattended, apt, install...)
	return err
}

// fetch downloads PostgreSQL's programs into s.cache with embedded-postgres.
// That library can only fetch and start in one go, and it starts only as the
// current user; so it gets a data directory that it takes for initialized and
// that no server can start on, and its failure to do so is expected.
func (s programSource) fetch(ctx context.Context) error {
	s.logf("there is no PostgreSQL: fetching it into %s", s.cache)
	defer progress(s.logf, "fetching PostgreSQL")()
	ports, err := pickPorts(0)
	if err != nil {
		return err
	}
	decoy, err := os.MkdirTemp(s.cache, "decoy-")
	if err != nil {
		return err
	}
	version := embeddedpostgres.V18
	major, _, _ := strings.Cut(string(version), ".")
	if err := os.WriteFile(filepath.Join(decoy, versionFile), []byte(major+"\n"), 0o600); err != nil {
		return errors.Join(err, os.RemoveAll(decoy))
	}

	config := embeddedpostgres.DefaultConfig().
		Version(version).
		Port(uint32(ports[0])).
		CachePath(filepath.Join(s.cache, "archive")).
		BinariesPath(s.cache).
		RuntimePath(filepath.Join(decoy, "runtime")).
		DataPath(decoy).
		Logger(nil)
	if s.repository != "" {
		config = config.BinaryRepositoryURL(s.repository)
	}
	result := make(chan error, 1)
	go func() {
		result <- errors.Join(embeddedpostgres.NewDatabase(config).Start(), os.RemoveAll(decoy))
	}()
	select {
	case <-ctx.Done():
		return context.Cause(ctx) // the library cannot be interrupted
	case err = <-result:
	}
	if exists(filepath.Join(s.cache, "bin", "postgres")) {
		return nil
	}
	return err
}
