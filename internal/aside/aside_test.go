package aside

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDoWaits(t *testing.T) {
	t.Parallel()
	called := false
	Do(func() { called = true })
	require.True(t, called)
}

func TestDoWaitsForOneThatExits(t *testing.T) {
	t.Parallel()
	Do(runtime.Goexit)
}

func TestPanicPassesOn(t *testing.T) {
	t.Parallel()
	defer func() {
		told, _ := recover().(string)
		require.Contains(t, told, "a fault")
		require.Contains(t, told, "failDeep", "with the stack of where it happened")
	}()
	Do(failDeep)
}

func failDeep() { panic("a fault") }
