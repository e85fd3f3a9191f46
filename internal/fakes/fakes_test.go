package fakes_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/fakes"
)

func TestFaultsComeInOrder(t *testing.T) {
	t.Parallel()
	is := func(want string) func(string) bool { return func(s string) bool { return s == want } }
	all := func(string) bool { return true }
	var f fakes.Faults[string]
	require.Empty(t, f.Pick(all))
	f.Set("standing", "other")
	f.Next("first", "second", "first")
	require.Equal(t, "second", f.Pick(is("second")), "the next that matches")
	require.Equal(t, "first", f.Pick(all))
	require.Equal(t, "other", f.Pick(is("other")))
	require.Equal(t, "first", f.Pick(all))
	require.Equal(t, "standing", f.Pick(all))
	require.Equal(t, []string{"standing", "other"}, f.Standing())
	f.Set()
	require.Empty(t, f.Pick(all))
	f.Next("late")
	f.Clear()
	require.Empty(t, f.Pick(all))
}

func TestChanceIsTheSameForASeed(t *testing.T) {
	t.Parallel()
	draw := func(seed uint64) (drawn []string) {
		var f fakes.Faults[string]
		f.Random(seed, 0.5, "a", "b")
		for range 200 {
			drawn = append(drawn, f.Pick(func(string) bool { return true }))
		}
		return drawn
	}
	first := draw(1)
	require.Equal(t, first, draw(1), "the same again")
	require.NotEqual(t, first, draw(2))
	require.Subset(t, first, []string{"a", "b", ""})
	var none fakes.Faults[string]
	none.Random(1, 1)
	require.Empty(t, none.Pick(func(string) bool { return true }))
}

func TestWait(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	close(over)
	require.True(t, fakes.Wait(nil, time.Hour, over))
	require.True(t, fakes.Wait(make(chan struct{}), time.Nanosecond, nil))
	require.False(t, fakes.Wait(over, time.Hour, make(chan struct{})))
}

func TestTellWaitsForNobody(t *testing.T) {
	t.Parallel()
	fakes.Tell(nil)
	reached := make(chan struct{}, 1)
	fakes.Tell(reached)
	fakes.Tell(reached)
	require.Len(t, reached, 1)
}

func TestCut(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fakes.Cut(w) }))
	defer s.Close()
	res, err := s.Client().Get(s.URL)
	if err == nil {
		_ = res.Body.Close()
	}
	require.Error(t, err)
}
