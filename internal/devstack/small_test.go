package devstack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestProgressSpeaksOnlyOfWhatTakesLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var said messages
		stop := progress(said.logf, "doing it")
		pass(progressAfter - time.Millisecond)
		stop()
		require.Empty(t, said.String())

		stop = progress(said.logf, "doing it")
		pass(75 * time.Second)
		stop()
		lines := strings.Split(strings.TrimSpace(said.String()), "\n")
		require.Equal(t, "doing it: 2s …", lines[0])
		require.Equal(t, "doing it: 1m14s …", lines[len(lines)-1])
		pass(time.Minute)
		require.Len(t, strings.Split(strings.TrimSpace(said.String()), "\n"), len(lines))
	})
}

// pass lets time pass in the bubble of a synctest, which takes none.
func pass(d time.Duration) { <-time.After(d) }

func TestLockWaiting(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	first, err := lockWaiting(t.Context(), path)
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = lockWaiting(ctx, path)
	require.ErrorIs(t, err, context.Canceled)

	second := make(chan error, 1)
	go func() {
		lock, err := lockWaiting(t.Context(), path)
		if err == nil {
			err = lock.release()
		}
		second <- err
	}()
	require.NoError(t, first.release())
	require.NoError(t, <-second)
}

func TestLogTail(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	require.Empty(t, logTail(path, 0))
	require.NoError(t, os.WriteFile(path, []byte("of the run before\n"), 0o600))
	offset := int64(len("of the run before\n"))
	require.Empty(t, logTail(path, offset))

	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	for i := range 10_000 {
		fmt.Fprintf(file, "line %d\n", i)
	}
	require.NoError(t, file.Close())
	tail := logTail(path, offset)
	require.Equal(t, headLines+1+tailLines, strings.Count(tail, "\n\t"))
	require.Contains(t, tail, "\n\t…\n\tline 9985\n")
	require.True(t, strings.HasSuffix(tail, "\n\tline 9999"), tail)
	require.Equal(t, "\n\tone\n\ttwo", indentTail("one\ntwo\n"))

	require.NoError(t, rotate(path))
	require.NoFileExists(t, path)
	require.FileExists(t, path+".1")
	require.NoError(t, rotate(path), "there is none")
}

func TestFreePortsDiffer(t *testing.T) {
	t.Parallel()
	ports, err := pickPorts(0, 0, 0)
	require.NoError(t, err)
	require.NotContains(t, ports, 0)
	require.NotEqual(t, ports[0], ports[1])
	require.NotEqual(t, ports[1], ports[2])
	require.NotEqual(t, ports[0], ports[2])
}

func TestReadPID(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pid")
	require.Zero(t, readPID(path))
	for text, want := range map[string]int{"": 0, "x\n": 0, "-5\n": 0, "0": 0, "1": 0, "123\n/data\n": 123} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		require.Equal(t, want, readPID(path), text)
	}
}
