package chaos

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPlantedSecretsAreFound also when they are cut, and never where people are
// shown their own words; and a record holds none.
func TestPlantedSecretsAreFound(t *testing.T) {
	t.Parallel()
	s := newSecrets()
	for i := range 100 {
		sentence, secret := s.planted(strconv.Itoa(i), "a step")
		require.Contains(t, sentence, secret)
		again, _ := s.planted(strconv.Itoa(i), "a step")
		require.Equal(t, sentence, again)
		require.NotRegexp(t, plantedCore, masked(sentence))
		s.searchShown("an answer", []byte(sentence))
		require.Empty(t, s.leaks())
	}
	_, secret := s.planted("7", "a step")
	s.search("a log", []byte(secret[:len(secret)-1]+"…"))
	s.search("a log", []byte("Zx7AAAAAAAA was not planted"))
	require.Len(t, s.leaks(), 1)
	require.NotContains(t, s.leaks()[0], "Zx7")
}

// TestSecretsAreFound in logs wherever they are, also in the form in which they
// are sent, and what is said of them does not hold them.
func TestSecretsAreFound(t *testing.T) {
	t.Parallel()
	s := &system{dir: t.TempDir(), secrets: newSecrets()}
	s.secrets.keep("the secret of psa-1", "hunter2hunter2")
	s.secrets.keep("the tenant of psa-1", "demo") // in any text
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.SetBasicAuth("sam", "hunter2hunter2")
	s.secrets.watch(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), r)
	write := func(name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(s.dir, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600))
	}
	write("api-1.log", "a demo")
	require.NoError(t, s.searchLogs())
	require.Empty(t, s.secrets.leaks())
	write("below/worker-1.log", `{"password":"hunter2hunter2"}`)
	write("api-2.log", "Authorization: "+r.Header.Get("Authorization"))
	require.NoError(t, s.searchLogs())
	require.Equal(t, []string{
		"api-2.log holds what a PSA is shown to be let in", "worker-1.log holds the secret of psa-1",
	}, s.secrets.leaks())
}
