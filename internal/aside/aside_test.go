package aside

import (
	"net/http"
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

// A handler that breaks its answer off is no fault that needs a stack.
func TestAbortPassesOnAsItIs(t *testing.T) {
	t.Parallel()
	require.PanicsWithError(t, http.ErrAbortHandler.Error(), func() { Do(func() { panic(http.ErrAbortHandler) }) })
}

func failDeep() { panic("a fault") }
