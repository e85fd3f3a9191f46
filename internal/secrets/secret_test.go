package secrets_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/secrets"
)

func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	s := secrets.Secret("hunter2")
	raw, err := json.Marshal(map[string]any{"s": s})
	require.NoError(t, err)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "s", s)
	for _, shown := range []string{fmt.Sprintf("%s %v %+v %#v %q %x %d", s, s, s, s, s, s, s), string(raw), log.String(), fmt.Sprint(struct{ S secrets.Secret }{s})} {
		require.NotContains(t, shown, "hunter2")
		require.NotContains(t, shown, "68756e74657232")
	}
	require.JSONEq(t, `{"s":"[redacted]"}`, string(raw))
	require.Equal(t, "hunter2", s.Reveal())
	require.Empty(t, secrets.Secret("").String(), "that there is none may be seen")
}
