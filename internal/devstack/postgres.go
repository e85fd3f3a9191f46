package devstack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	postgresDirName = "postgres"
	passwordName    = "postgres.password"
	postgresLogName = "postgres.log"
	versionFile     = "PG_VERSION"
	databaseName    = "baton" // also the name of its owner

	invalidPassword = "28P01" // an SQLSTATE
)

// startPostgres finds or makes a cluster and starts the server on it.
func (s *Stack) startPostgres(ctx context.Context, o Options) error {
	home, err := findPostgresHome(ctx, s.place, o.Logf)
	if err != nil {
		return err
	}
	password, err := s.postgresPassword(home, o.Logf)
	if err != nil {
		return err
	}
	wanted, err := dataVersion(home.data())
	if err != nil {
		return err
	}
	source := programSource{dirs: programDirs, user: home.user, cache: s.programCache(home), logf: o.Logf}
	found, err := source.get(ctx, wanted, home.data())
	if err != nil {
		return err
	}
	if wanted == 0 {
		// Again, because an installation may have brought the user for it.
		if home, err = findPostgresHome(ctx, s.place, o.Logf); err != nil {
			return err
		}
		if err := initCluster(ctx, found, home, password, s.place.persistent, o.Logf); err != nil {
			return err
		}
	}
	logPath := filepath.Join(s.Dir, postgresLogName)
	if err := rotate(logPath); err != nil {
		return err
	}

	var port int
	s.postgres, err = startRetrying(ctx, func() (*Process, error) {
		ports, err := pickPorts(o.PostgresPort)
		if err != nil {
			return nil, err
		}
		port = ports[0]
		return s.newProcess(s.postgresSpec(found, home, logPath, port, password), o.Logf), nil
	}, postgresErrorPasses)
	if err != nil {
		return err
	}
	s.DatabaseURL = databaseURL(port, password, databaseName)
	return createDatabase(ctx, databaseURL(port, password, "postgres"))
}

// programCache is where fetched programs are kept: in Dir, unless that is to be
// removed or the user of the server may not enter it.
func (s *Stack) programCache(home postgresHome) string {
	const name = "postgres-programs"
	if home.user.credential != nil {
		return filepath.Join(elsewhereBase, name)
	}
	if s.place.temporary {
		if dir, err := os.UserCacheDir(); err == nil {
			return filepath.Join(dir, "baton", name)
		}
	}
	return filepath.Join(s.Dir, name)
}

func (s *Stack) postgresSpec(found programs, home postgresHome, logPath string, port int, password string) processSpec {
	settings := []string{
		"port=" + strconv.Itoa(port),
		"listen_addresses=" + loopback,
		// Its path could be longer than a socket's may be, and nobody needs it.
		"unix_socket_directories=",
		// Several replicas with a pool each, and all packages of a test run.
		"max_connections=300",
		"logging_collector=off",
		"log_destination=stderr",
	}
	spec := processSpec{
		name:       "PostgreSQL",
		path:       found.postgres(),
		env:        postgresEnv(),
		dir:        "/",
		credential: home.user.credential,
		logPath:    logPath,
		// Fast: ends sessions and writes a checkpoint.
		stopSignal:   syscall.SIGINT,
		orphanSignal: syscall.SIGINT,
		clear: func(ctx context.Context) error {
			return stopLeftoverPostgres(ctx, home.data())
		},
		ready: func(ctx context.Context) error {
			return ping(ctx, databaseURL(port, password, "postgres"))
		},
	}
	if !s.place.persistent {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off")
		// Immediate: nobody reads these data again.
		spec.stopSignal, spec.orphanSignal = syscall.SIGQUIT, syscall.SIGQUIT
	}
	spec.args = []string{"-D", home.data()}
	for _, setting := range settings {
		spec.args = append(spec.args, "-c", setting)
	}
	return spec
}

// postgresEnv is our environment without what would change the server: PGPORT
// and the like, the locale, and the time zone, which initdb makes the default
// of the cluster.
func postgresEnv() []string {
	env := []string{"LC_ALL=C", "TZ=UTC"}
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "PG") || strings.HasPrefix(name, "LC_") || name == "LANG" || name == "TZ" {
			continue
		}
		env = append(env, entry)
	}
	return env
}

// postgresPassword returns the password of the cluster, or makes one for a
// cluster that is yet to be made.
func (s *Stack) postgresPassword(home postgresHome, logf logfFunc) (string, error) {
	path := filepath.Join(s.place.data(), passwordName)
	text, err := os.ReadFile(path)
	if err == nil && len(text) > 0 {
		return strings.TrimSpace(string(text)), nil
	}
	if err != nil && !os.IsNotExist(err) {
		return "", fmt.Errorf("read the database password: %w", err)
	}
	if exists(filepath.Join(home.data(), versionFile)) {
		if home.dir == s.place.data() {
			return "", fmt.Errorf("%s is missing, and the database in %s cannot be opened without it: "+
				"remove that directory to start over", path, home.data())
		}
		// Somebody deleted the directory, to start over, without knowing that
		// its database is somewhere else.
		old := home.data() + ".old"
		logf("%s belongs to a deleted %s; moving it to %s", home.data(), s.Dir, old)
		if err := errors.Join(os.RemoveAll(old), os.Rename(home.data(), old)); err != nil {
			return "", err
		}
	}
	password := strings.ToLower(rand.Text())
	if err := os.WriteFile(path, []byte(password+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keep the database password: %w", err)
	}
	return password, nil
}

// dataVersion returns the major version that wrote a cluster, or 0 when there
// is none.
func dataVersion(dataDir string) (int, error) {
	path := filepath.Join(dataDir, versionFile)
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the version of the database: %w", err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("%s does not contain a version: remove %s to start over", path, dataDir)
	}
	return major, nil
}

// initCluster makes a cluster under another name and renames it when it is
// complete, so that an interrupted one is never taken for one.
func initCluster(ctx context.Context, found programs, home postgresHome, password string, persistent bool, logf logfFunc) error {
	defer progress(logf, "creating a PostgreSQL database")()
	fresh := home.data() + ".new"
	passwordFile := home.data() + ".init"
	if err := errors.Join(os.RemoveAll(fresh), os.RemoveAll(home.data()), os.RemoveAll(passwordFile)); err != nil {
		return err
	}
	if err := errors.Join(os.Mkdir(fresh, 0o700), home.user.own(fresh)); err != nil {
		return err
	}
	defer os.Remove(passwordFile)
	if err := errors.Join(os.WriteFile(passwordFile, []byte(password), 0o600), home.user.own(passwordFile)); err != nil {
		return err
	}

	args := []string{
		"-D", fresh, "--username", databaseName, "--pwfile", passwordFile,
		"--auth=scram-sha-256", "--encoding=UTF8", "--no-instructions",
	}
	if !persistent {
		args = append(args, "--no-sync")
	}
	// Byte order, on every machine the same, and the case of all of Unicode. A
	// system without that locale gets plain C, which knows the case of ASCII.
	locales := []string{"C.UTF-8", "C"}
	var err error
	for _, locale := range locales {
		_, err = runCommand(ctx, home.user.credential, func(command *exec.Cmd) {
			command.Dir, command.Env = "/", postgresEnv()
		}, found.initdb(), append(args, "--locale="+locale, "--lc-messages=C")...)
		if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "invalid locale") {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("create a PostgreSQL database: %w", errors.Join(err, os.RemoveAll(fresh)))
	}
	return os.Rename(fresh, home.data())
}

// stopLeftoverPostgres ends a server that still runs on dataDir, as after the
// death of the process that started it, and removes the pid file of one that
// does not: its number may belong to another process by now, which PostgreSQL
// would take for a server.
func stopLeftoverPostgres(ctx context.Context, dataDir string) error {
	pidFile := filepath.Join(dataDir, "postmaster.pid")
	pid := readPID(pidFile)
	ran, err := stopLeftover(ctx, pid, syscall.SIGINT, "postgres", "-D "+dataDir)
	if err != nil || ran {
		return err
	}
	// Not one that was started by hand, though: with an option of another form.
	if pid != 0 && strings.Contains(commandLine(pid), "postgres") {
		return nil
	}
	if err := os.Remove(pidFile); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("remove a stale pid file: %w", err)
	}
	return nil
}

func databaseURL(port int, password, database string) string {
	address := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(databaseName, password),
		Host:     hostPort(port),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return address.String()
}

// ping does what a client does first.
func ping(ctx context.Context, databaseURL string) error {
	conn, err := pgx.Connect(ctx, databaseURL)
	var answer *pgconn.PgError
	if errors.As(err, &answer) && answer.Code == invalidPassword {
		return permanentError{fmt.Errorf("PostgreSQL refuses the password in %s: %w", passwordName, err)}
	}
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

func createDatabase(ctx context.Context, adminURL string) error {
	conn, err := pgx.Connect(ctx, adminURL)
	if err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var there bool
	err = conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, databaseName).Scan(&there)
	if err == nil && !there {
		_, err = conn.Exec(ctx, `CREATE DATABASE `+pgx.Identifier{databaseName}.Sanitize())
	}
	if err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	return nil
}

// postgresErrorPasses reports whether a failed start is worth another try: the
// port was taken after it was chosen, or the children of a killed server have
// not ended yet.
func postgresErrorPasses(log string) bool {
	return strings.Contains(log, "Address already in use") ||
		strings.Contains(log, "pre-existing shared memory block")
}
