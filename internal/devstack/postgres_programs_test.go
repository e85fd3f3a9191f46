package devstack

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fakePrograms makes a directory of programs that say they are a version.
func fakePrograms(t *testing.T, dir string, major int) string {
	t.Helper()
	bin := filepath.Join(dir, fmt.Sprint(major), "bin")
	require.NoError(t, os.MkdirAll(bin, 0o755))
	for _, name := range []string{"postgres", "initdb"} {
		writeScript(t, filepath.Join(bin, name), fmt.Sprintf(`echo "postgres (PostgreSQL) %d.1 (Test)"`, major))
	}
	return bin
}

func writeScript(t *testing.T, path, script string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755))
}

// The PATH is the whole process's, so tests that change it are not parallel.

func TestFindPostgres(t *testing.T) {
	dir := serverDir(t)
	t.Setenv("PATH", dir)
	for _, major := range []int{14, 15, 17, 16} {
		fakePrograms(t, dir, major)
	}
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "99", "bin"), 0o755))
	source := programSource{dirs: []string{filepath.Join(dir, "*", "bin")}, cache: filepath.Join(dir, "cache"), logf: t.Logf}

	newest, err := source.get(t.Context(), 0, dir)
	require.NoError(t, err)
	require.Equal(t, programs{bin: filepath.Join(dir, "17", "bin"), major: 17}, newest)

	fitting, err := source.get(t.Context(), 15, dir)
	require.NoError(t, err)
	require.Equal(t, 15, fitting.major)

	_, err = source.get(t.Context(), 18, "/data")
	require.EqualError(t, err, "the data in /data are PostgreSQL 18's, but only 17 is installed: "+
		"install PostgreSQL 18, or remove /data to start over")

	// The one on the PATH goes before newer ones, and may be a link.
	require.NoError(t, os.Symlink(filepath.Join(dir, "16", "bin", "postgres"), filepath.Join(dir, "postgres")))
	onPath, err := source.get(t.Context(), 0, dir)
	require.NoError(t, err)
	require.Equal(t, 16, onPath.major)
}

func TestFindPostgresWithPGConfig(t *testing.T) {
	dir := serverDir(t)
	bin := fakePrograms(t, dir, 15)
	writeScript(t, filepath.Join(dir, "pg_config"), "echo "+bin)
	t.Setenv("PATH", dir)
	found := programSource{cache: dir, logf: t.Logf}.find(t.Context())
	require.Equal(t, []programs{{bin: bin, major: 15}}, found)
}

func TestInstallPostgres(t *testing.T) {
	requireRoot(t)
	dir := serverDir(t)
	installed := filepath.Join(dir, "installed")
	// Like a fresh image: the package is known only after an update.
	writeScript(t, filepath.Join(dir, "apt-get"), `
		echo "$DEBIAN_FRONTEND: $*" >> `+dir+`/calls
		case "$*" in
		*update) : > `+dir+`/updated ;;
		*) test -e `+dir+`/updated || { echo "E: Unable to locate package postgresql"; exit 100; }
		   PATH=/usr/bin:/bin mv `+fakePrograms(t, dir, 15)+` `+installed+` ;;
		esac`)
	t.Setenv("PATH", dir)
	var said messages
	source := programSource{dirs: []string{installed}, cache: filepath.Join(dir, "cache"), logf: said.logf}

	found, err := source.get(t.Context(), 0, dir)
	require.NoError(t, err)
	require.Equal(t, installed, found.bin)
	require.Contains(t, said.String(), "installing the package postgresql with apt-get")
	calls, err := os.ReadFile(filepath.Join(dir, "calls"))
	require.NoError(t, err)
	const install = "noninteractive: -o DPkg::Lock::Timeout=120 install -y --no-install-recommends postgresql\n"
	require.Equal(t, install+"noninteractive: -o DPkg::Lock::Timeout=120 update\n"+install, string(calls))
}

func TestInstallPostgresFails(t *testing.T) {
	requireRoot(t)
	dir := serverDir(t)
	writeScript(t, filepath.Join(dir, "apt-get"), `echo "E: no network"; exit 100`)
	t.Setenv("PATH", dir)
	_, err := programSource{cache: filepath.Join(dir, "cache"), logf: t.Logf}.get(t.Context(), 0, dir)
	require.ErrorContains(t, err, "install it, or set DATABASE_URL")
	require.ErrorContains(t, err, "E: no network")
}

// repository serves testdata/postgres-18.txz, which holds shell scripts, the
// way that Maven serves PostgreSQL's programs.
func repository(t *testing.T) string {
	t.Helper()
	archive, err := os.ReadFile(filepath.Join("testdata", "postgres-18.txz"))
	require.NoError(t, err)
	var jar bytes.Buffer
	writer := zip.NewWriter(&jar)
	entry, err := writer.Create("postgres.txz")
	require.NoError(t, err)
	_, err = entry.Write(archive)
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	sum := sha256.Sum256(jar.Bytes())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close") // the library keeps its connections
		switch {
		case strings.HasSuffix(r.URL.Path, ".jar"):
			_, _ = w.Write(jar.Bytes())
		case strings.HasSuffix(r.URL.Path, ".jar.sha256"):
			_, _ = w.Write([]byte(hex.EncodeToString(sum[:])))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestFetchPostgres(t *testing.T) {
	dir := serverDir(t)
	t.Setenv("PATH", dir) // without apt-get
	var said messages
	source := programSource{cache: filepath.Join(dir, "cache"), repository: repository(t), logf: said.logf}

	found, err := source.get(t.Context(), 0, dir)
	require.NoError(t, err)
	require.Equal(t, programs{bin: filepath.Join(source.cache, "bin"), major: 18}, found)
	require.Contains(t, said.String(), "fetching it into "+source.cache)
	decoys, err := filepath.Glob(filepath.Join(source.cache, "decoy-*"))
	require.NoError(t, err)
	require.Empty(t, decoys)

	_, err = source.get(t.Context(), 15, "/data")
	require.ErrorContains(t, err, "the data in /data are PostgreSQL 15's")
}

func TestFetchPostgresFails(t *testing.T) {
	dir := serverDir(t)
	t.Setenv("PATH", dir)
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	source := programSource{cache: filepath.Join(dir, "cache"), repository: server.URL, logf: t.Logf}
	_, err := source.get(t.Context(), 0, dir)
	require.ErrorContains(t, err, "there is no PostgreSQL 15 or newer, and getting one failed")
	http.DefaultClient.CloseIdleConnections()
}
