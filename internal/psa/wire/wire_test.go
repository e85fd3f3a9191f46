package wire_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/outbound"
	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/wire"
)

func TestIDs(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]wire.ID{`7`: "7", `"7"`: "7", `7.0`: "7", `null`: "", `"x"`: "x", `-1`: "-1", `29682833`: "29682833"} {
		var id wire.ID
		require.NoError(t, json.Unmarshal([]byte(raw), &id), raw)
		require.Equal(t, want, id)
	}
	for _, raw := range []string{`1.5`, `{}`, `[]`, `true`, `1e99`} {
		var id wire.ID
		require.Error(t, json.Unmarshal([]byte(raw), &id), raw)
	}
	for ref, want := range map[string]int64{"12": 12, " #12 ": 12, "0": 0, "-1": 0, "": 0, "1/../2": 0, "T2026.1": 0, "12a": 0} {
		n, ok := wire.Number(ref)
		require.Equal(t, want > 0, ok, ref)
		if ok {
			require.Equal(t, want, n)
		}
	}
}

// TestWhatIsSaidHoldsNoCredentials: neither the stored ones nor what is made of
// them for a call.
func TestWhatIsSaidHoldsNoCredentials(t *testing.T) {
	t.Parallel()
	c := wire.Caller{Kind: psa.KindHaloPSA, Creds: psa.Credentials{psa.CredClientSecret: "hunter2hunter2"}}
	a := wire.Answer{
		Response: outbound.Response{Status: 400, Header: http.Header{"X-Request-Id": {"for token-1234"}}},
		Call:     wire.Call{Header: http.Header{"Authorization": {"Bearer token-1234"}}},
	}
	e := c.Failure(a, "hunter2hunter2 with token-1234 is wrong.\nAnd more.")
	require.Contains(t, e.Reason, "It says: [redacted] with [redacted] is wrong.")
	require.Equal(t, "for [redacted]", e.RequestID)
	require.Equal(t, " It says: All is well.", c.Said(wire.Answer{}, "All is well"))
}

func TestLists(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]wire.List[wire.ID]{`["1",2]`: {"1", "2"}, `[]`: {}, `null`: nil} {
		var got wire.List[wire.ID]
		require.NoError(t, json.Unmarshal([]byte(raw), &got))
		require.Equal(t, want, got)
	}
	var one wire.List[struct{ A int }]
	require.NoError(t, json.Unmarshal([]byte(` {"A":1}`), &one))
	require.Equal(t, wire.List[struct{ A int }]{{1}}, one)
	require.Error(t, json.Unmarshal([]byte(`"x"`), &one))
}

func TestTimes(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for raw, want := range map[string]time.Time{
		`"2026-01-02T03:04:05Z"`: at, `"2026-01-02T03:04:05.000Z"`: at, `"2026-01-02T04:04:05+01:00"`: at, `"2026-01-02T03:04:05"`: at,
		`"2026-01-02"`: at.Truncate(24 * time.Hour), `""`: {}, `"soon"`: {}, `null`: {}, `7`: {},
	} {
		var got wire.Time
		require.NoError(t, json.Unmarshal([]byte(raw), &got), raw)
		require.Equal(t, want, got.Time, raw)
	}
}

func TestLazy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var fetches atomic.Int64
		var broken atomic.Bool
		l := wire.NewLazy(time.Now, func(ctx context.Context) (int64, time.Duration, error) {
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				return 0, 0, ctx.Err()
			}
			if broken.Load() {
				return 0, 0, errors.New("broken")
			}
			return fetches.Add(1), time.Minute, nil
		})
		all := func(f func() (int64, error), want int64) {
			var wg sync.WaitGroup
			for range 10 {
				wg.Go(func() {
					v, err := f()
					require.NoError(t, err)
					require.Equal(t, want, v)
				})
			}
			wg.Wait()
		}
		all(func() (int64, error) { return l.Get(t.Context()) }, 1)                        // one fetch for all
		all(func() (int64, error) { return l.Renew(t.Context(), 1) }, 2)                   // useless for all, fetched once
		all(func() (int64, error) { return l.RenewAfter(t.Context(), 2, time.Minute) }, 2) // too young
		time.Sleep(2 * time.Minute)                                                        //nolint:forbidigo // in a bubble
		all(func() (int64, error) { return l.Get(t.Context()) }, 3)                        // too old
		time.Sleep(2 * time.Minute)                                                        //nolint:forbidigo // in a bubble

		// Who waits for another's fetch waits no longer than they want to.
		impatient, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		var patient int64
		done := make(chan error, 1)
		go func() {
			v, err := l.Get(t.Context())
			patient = v
			done <- err
		}()
		synctest.Wait()
		_, err := l.Get(impatient)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, <-done)
		require.EqualValues(t, 4, patient)
		broken.Store(true)
		_, err = l.Renew(t.Context(), 4)
		require.Error(t, err)
		v, err := l.Get(t.Context()) // the old one is still good
		require.NoError(t, err)
		require.EqualValues(t, 4, v)
	})
}
