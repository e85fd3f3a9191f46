package api

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/models"
)

type fakeRedaction struct{ err error }

func (f fakeRedaction) Texts(_ context.Context, texts []string) ([]string, map[string]int, error) {
	redacted := strings.ReplaceAll(texts[0], "hunter2", "«password:3f9a1c07b2»")
	return []string{redacted}, map[string]int{"label": strings.Count(texts[0], "hunter2")}, f.err
}

func TestCheckCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const path = "/api/v1/credentials/check"
	require.Equal(t, 503, w.do(ask("POST", path, `{"text":"x"}`)).Code, "without rules")
	w.server.o.Redaction = fakeRedaction{}
	rec := w.do(ask("POST", path, `{"text":"pw: hunter2, again hunter2"}`))
	require.Equal(t, 200, rec.Code, rec.Body.String())
	require.JSONEq(t, `{"found":2,"redacted":"pw: «password:3f9a1c07b2», again «password:3f9a1c07b2»"}`, rec.Body.String())
	rec = w.do(ask("POST", path, `{"text":""}`))
	require.JSONEq(t, `{"found":0,"redacted":""}`, rec.Body.String())
	require.Equal(t, 422, w.do(ask("POST", path, `{"text":"x","keep":true}`)).Code)
	require.Equal(t, 422, w.do(ask("POST", path, `{"text":"`+strings.Repeat("x", 10_001)+`"}`)).Code)
	w.server.o.Redaction = fakeRedaction{models.Errorf(models.CodeUnavailable, "Not now.")}
	require.Equal(t, 503, w.do(ask("POST", path, `{"text":"x"}`)).Code)
}
