package devstack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// postgresHome is the directory that holds the cluster and what belongs to it.
type postgresHome struct {
	dir  string
	user serverUser
}

func (h postgresHome) data() string { return filepath.Join(h.dir, postgresDirName) }

// findPostgresHome decides where the cluster is: where there is one, else in
// the data directory, else, if the user of the server cannot work there, under
// elsewhereBase.
func findPostgresHome(ctx context.Context, p place, logf logfFunc) (postgresHome, error) {
	here := p.data()
	root, elsewhere := p.elsewhere()
	home := postgresHome{dir: here}
	existing := exists(filepath.Join(here, postgresDirName, versionFile))
	if !existing && exists(filepath.Join(elsewhere, postgresDirName, versionFile)) {
		home.dir, existing = elsewhere, true
	}
	var err error
	if home.user, err = findServerUser(home.data(), "postgres", "nobody"); err != nil {
		return home, err
	}
	if existing {
		if !home.user.canUse(ctx, home.data()) {
			return home, fmt.Errorf("user %s, who owns and runs PostgreSQL, cannot reach %s: "+
				"give everybody execute permission on its parent directories, or remove it to start over", home.user.name, home.data())
		}
		return home, nil
	}

	if err := os.MkdirAll(here, 0o755); err != nil {
		return home, err
	}
	if home.user.credential == nil {
		return home, nil
	}
	probe, err := os.MkdirTemp(here, "probe-")
	if err != nil {
		return home, err
	}
	usable := home.user.own(probe) == nil && home.user.canUse(ctx, probe)
	if err := os.Remove(probe); err != nil {
		return home, err
	}
	if usable {
		return home, nil
	}
	if err := ctx.Err(); err != nil {
		return home, err // the probe was cut short, and proves nothing
	}
	home.dir = elsewhere
	if err := errors.Join(
		os.MkdirAll(elsewhere, 0o755),
		os.Chmod(root, 0o755), os.Chmod(elsewhere, 0o755), // whatever the umask is
		// Its name says nothing to a person who wonders what it is.
		os.WriteFile(filepath.Join(elsewhere, "belongs-to"), []byte(p.dir+"\n"), 0o600),
	); err != nil {
		return home, err
	}
	logf("user %s, who runs PostgreSQL for root, cannot work in %s; its data are in %s instead", home.user.name, here, home.data())
	return home, nil
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
func initCluster(ctx context.Context, found programs, home postgresHome, password string, durable bool, logf logfFunc) error {
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
	if !durable {
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
