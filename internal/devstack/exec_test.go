package devstack

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// execHelper is a process that calls Exec with argv, without a terminal.
func execHelper(t *testing.T, argv ...string) *exec.Cmd {
	t.Helper()
	helper := exec.Command(os.Args[0], argv...)
	helper.Env = append(os.Environ(), envHelper+"=exec")
	helper.Stderr = os.Stderr
	helper.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return helper
}

func TestExecRunsTheCommandWithTheStack(t *testing.T) {
	t.Parallel()
	output, err := execHelper(t, "sh", "-c", "echo $TEST_DATABASE_URL; exit 7").Output()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 7, exit.ExitCode())
	url := strings.TrimSpace(string(output))
	require.True(t, strings.HasPrefix(url, "postgres://baton:"), url)
	require.Error(t, ping(t.Context(), url), "it has been stopped")
}

func TestExecForwardsSignals(t *testing.T) {
	t.Parallel()
	for _, sent := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sent.String(), func(t *testing.T) {
			t.Parallel()
			helper := execHelper(t, "env", envHelper+"=wait", os.Args[0])
			stdout, err := helper.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, helper.Start())
			line, err := bufio.NewReader(stdout).ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, "waiting\n", line)

			require.NoError(t, helper.Process.Signal(sent))
			require.Error(t, helper.Wait())
			require.Equal(t, 40+int(sent), helper.ProcessState.ExitCode())
		})
	}
}

func TestExecOfACommandThatIsKilled(t *testing.T) {
	t.Parallel()
	code, err := Exec(t.Context(), Options{SkipPostgres: true, SkipTemporal: true}, []string{"sh", "-c", "kill -9 $$"})
	require.NoError(t, err)
	require.Equal(t, 128+9, code)
}

func TestExecEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	marker := t.TempDir() + "/started"
	type result struct {
		code int
		err  error
	}
	ended := make(chan result)
	go func() {
		code, err := Exec(ctx, Options{SkipPostgres: true, SkipTemporal: true},
			[]string{"sh", "-c", "touch " + marker + "; exec tail -f /dev/null"})
		ended <- result{code, err}
	}()
	require.Eventually(t, func() bool { return exists(marker) }, within, every)
	cancel()
	require.Equal(t, result{code: 128 + int(syscall.SIGTERM)}, <-ended)
}

func TestExecWithoutACommand(t *testing.T) {
	t.Parallel()
	o := Options{SkipPostgres: true, SkipTemporal: true}
	code, err := Exec(t.Context(), o, nil)
	require.Error(t, err)
	require.Equal(t, 1, code)
	code, err = Exec(t.Context(), o, []string{"/no/such/command"})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Equal(t, 1, code)
}
