package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/upstream"
	"github.com/baton-handoff/baton/models"
)

// class is one that passes, or one that lasts.
type class string

const (
	passing class = "passing"
	lasting class = "lasting"
)

func (class) System() string    { return "test" }
func (c class) Retryable() bool { return c == passing }
func (c class) Code() models.Code {
	if c == passing {
		return models.CodeUnavailable
	}
	return models.CodeInvalid
}

func TestError(t *testing.T) {
	t.Parallel()
	cause := errors.New("https://hooks.example/secret")
	e := upstream.Errorf(passing, "telling", "It is %s.", "busy").WithCure("Wait.").WithCause(cause)
	require.Equal(t, "test: telling: passing: It is busy.", e.Error())
	e.Status = 503
	require.Equal(t, "test: telling: passing: It is busy. (status 503)", e.Error())
	e.Code, e.RequestID, e.RetryAfter = "busy", "r1", time.Minute
	e.Fields = []models.FieldError{{Field: "/to", Message: "is full"}}
	require.Equal(t, "test: telling: passing: It is busy. (status 503, busy, request r1)", e.Error())

	wrapped := fmt.Errorf("outer: %w", e)
	require.ErrorIs(t, wrapped, cause)
	m, ok := errors.AsType[*models.Error](wrapped)
	require.True(t, ok)
	require.Equal(t, models.CodeUnavailable, m.Code)
	require.Equal(t, "It is busy. Wait.", m.Message)
	require.Equal(t, time.Minute, m.RetryAfter)
	require.Equal(t, e.Fields, m.Fields)
	require.NotContains(t, m.Error(), "secret")
}

func TestAsError(t *testing.T) {
	t.Parallel()
	e := upstream.Errorf(lasting, "", "No.")
	require.Same(t, e, upstream.AsError(fmt.Errorf("outer: %w", e), passing, "Late."))
	require.Equal(t, "Late.", upstream.AsError(context.DeadlineExceeded, passing, "Late.").Reason)
	odd := errors.New("index out of range")
	unexpected := upstream.AsError(odd, passing, "Late.")
	require.Equal(t, passing, unexpected.Class)
	require.ErrorIs(t, unexpected, odd)
	require.NotContains(t, unexpected.Error(), odd.Error())
}

func TestGaveUp(t *testing.T) {
	t.Parallel()
	e := upstream.Errorf(passing, "", "Odd.")
	e.RetryAfter = time.Minute
	require.Same(t, e, upstream.GaveUp(error(e), 1000, lasting, "Look.")) // never
	e.GiveUpAfter = 3
	require.Same(t, e, upstream.GaveUp(error(e), 2, lasting, "Look."))
	last := upstream.AsError(upstream.GaveUp(error(e), 3, lasting, "Look."), passing, "")
	require.Equal(t, lasting, last.Class)
	require.Zero(t, last.RetryAfter)
	require.Equal(t, "Odd. Look.", last.Model().Message)
	require.ErrorIs(t, last, e)
	last = upstream.AsError(upstream.GaveUp(error(e.WithCure("Mend.")), 3, lasting, "Look."), passing, "")
	require.Equal(t, "Mend.", last.Cure)
	require.NoError(t, upstream.GaveUp(nil, 3, lasting, ""))
}
