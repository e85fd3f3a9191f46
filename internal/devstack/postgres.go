package devstack

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
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
		if err := initCluster(ctx, found, home, password, s.place.durable(), o.Logf); err != nil {
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
		lingers: postgresLingers,
		ready: func(ctx context.Context) error {
			return ping(ctx, databaseURL(port, password, "postgres"))
		},
	}
	if !s.place.durable() {
		settings = append(settings, "fsync=off", "full_page_writes=off")
	}
	if !s.place.persistent {
		// Loses the last transactions of a killed server, which fsync=off alone
		// does not.
		settings = append(settings, "synchronous_commit=off")
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

// databaseExists reports whether the server of a URL has a database.
func databaseExists(ctx context.Context, server *url.URL, name string) (there bool, err error) {
	conn, err := pgx.Connect(ctx, server.String())
	if err != nil {
		return false, fmt.Errorf("look for the database %s: %w", name, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name).Scan(&there); err != nil {
		return false, fmt.Errorf("look for the database %s: %w", name, err)
	}
	return there, nil
}

// postgresErrorPasses reports whether a failed start is worth another try: the
// port was taken after it was chosen, or the children of a killed server have
// not ended yet.
func postgresErrorPasses(log string) bool {
	return strings.Contains(log, "Address already in use") || postgresLingers(log)
}

func postgresLingers(log string) bool {
	return strings.Contains(log, "pre-existing shared memory block")
}
