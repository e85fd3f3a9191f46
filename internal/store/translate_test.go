package store

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/models"
)

// TestWhatIsUnavailable: what a database in trouble says is no error of ours.
func TestWhatIsUnavailable(t *testing.T) {
	t.Parallel()
	pg := func(severity, code string) error {
		return fmt.Errorf("reading: %w", &pgconn.PgError{Severity: severity, SeverityUnlocalized: severity, Code: code, Message: "could not write init file"})
	}
	_, refused := pgx.Connect(t.Context(), "postgres://nobody@127.0.0.1:1/none?connect_timeout=1")
	require.Error(t, refused)
	for name, c := range map[string]struct {
		err  error
		want models.Code
	}{
		"nobody listens":                     {refused, models.CodeUnavailable},
		"time is up":                         {context.DeadlineExceeded, models.CodeUnavailable},
		"it is shutting down":                {pg("FATAL", "57P01"), models.CodeUnavailable},
		"it is out of connections":           {pg("FATAL", "53300"), models.CodeUnavailable},
		"its disk is full":                   {pg("ERROR", "53100"), models.CodeUnavailable},
		"its disk is full when we come in":   {pg("FATAL", "XX000"), models.CodeUnavailable},
		"it cannot write its log":            {pg("PANIC", "XX000"), models.CodeUnavailable},
		"its disk does not do as it is told": {pg("ERROR", "58030"), models.CodeUnavailable},
		"it is not set up":                   {pg("ERROR", "42P01"), models.CodeUnavailable},
		"our statement is wrong":             {pg("ERROR", "42601"), models.CodeInternal},
		"something else":                     {errors.New("what"), models.CodeInternal},
	} {
		require.Equal(t, c.want, models.CodeOf(translate("reading", c.err)), name)
	}
}
