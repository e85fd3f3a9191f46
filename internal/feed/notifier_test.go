package feed

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNotifier(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const debounce = 10 * time.Millisecond
		var log strings.Builder
		var sent []time.Duration
		var fails error
		start := time.Now()
		n := NewNotifier(func(context.Context) error {
			sent = append(sent, time.Since(start))
			return fails
		}, debounce, slog.New(slog.NewTextHandler(&log, nil)))
		n.Wake()
		n.Start()
		defer n.Stop()
		synctest.Wait()
		require.Equal(t, []time.Duration{0}, sent, "the first goes out at once")

		for range 1000 {
			n.Wake()
		}
		<-time.After(time.Second)
		require.Equal(t, []time.Duration{0, debounce}, sent, "many become one")

		fails = errors.New("no connection")
		n.Wake()
		<-time.After(time.Second)
		require.Len(t, sent, 3)
		require.Contains(t, log.String(), "no connection")
		fails = nil
		n.Wake()
		<-time.After(time.Second)
		require.Len(t, sent, 4, "a failure ends nothing")
	})
}

func TestNotifierStopsInTheMiddle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := NewNotifier(func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}, time.Millisecond, quiet)
		n.Start()
		n.Wake()
		n.Wake()
		synctest.Wait()
		n.Stop()
		n.Wake()
	})
}
