package wire_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/llm"
	"github.com/baton-handoff/baton/internal/llm/wire"
	"github.com/baton-handoff/baton/internal/outbound"
)

const key = "sk_secret_key"

type answers http.Response

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	res := http.Response(*a)
	res.Request = r
	return &res, nil
}

// exchange is a call that was answered so.
func exchange(t *testing.T, status int, header http.Header, body []byte) *wire.Exchange {
	t.Helper()
	x := wire.New(outbound.InMemory(&answers{StatusCode: status, Header: header, Body: io.NopCloser(bytes.NewReader(body))}), key)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1/", nil)
	require.NoError(t, err)
	res, err := x.Do(r)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	_, err = x.Do(r)      //nolint:bodyclose // there is none
	require.Error(t, err) // never twice
	return x
}

func TestNoKeyInNames(t *testing.T) {
	t.Parallel()
	x := exchange(t, 400, http.Header{"Request-Id": {"req-" + key}, "X-Request-Id": {"req_2"}},
		[]byte(`{"error":{"type":"`+key+`","code":"a_`+key+`","param":"x.`+key+`","message":"`+key+`"}}`))
	e := x.Failure(t.Context(), nil)
	require.Equal(t, "req_2", e.RequestID)
	require.NotContains(t, e.Error()+e.Cure, key)
	require.Equal(t, "configured", x.Model(key, "configured"))
	require.Equal(t, "configured", x.Model("a model\nwith lines", "configured"))
	require.Equal(t, "org/model:8b", x.Model("org/model:8b", "configured"))
}

// A service says anything, and what people and logs see of it stays a sentence
// of ours.
func FuzzFailure(f *testing.F) {
	files, err := filepath.Glob("../llmtest/testdata/*_errors.json")
	require.NoError(f, err)
	require.NotEmpty(f, files)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(f, err)
		var all map[string]json.RawMessage
		require.NoError(f, json.Unmarshal(raw, &all))
		for _, v := range all {
			var one struct {
				Status int
				Body   json.RawMessage
			}
			if json.Unmarshal(v, &one) == nil && one.Status != 0 {
				f.Add(one.Status, []byte(one.Body))
			}
		}
	}
	for _, body := range []string{
		``, `null`, `[]`, `{"error":null}`, `{"error":"model is overloaded"}`, `{"error":{"message":{}}}`, `{"error":{"details":[]}}`,
		`{"error":{"code":404,"param":"messages[0].content"}}`, `<html>`, `{"error":{"code":"` + key + `"}}`,
	} {
		f.Add(400, []byte(body))
		f.Add(503, []byte(body))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 300 || status > 599 {
			t.Skip()
		}
		e := exchange(t, status, http.Header{}, body).Failure(t.Context(), nil)
		require.NotNil(t, e)
		require.Equal(t, status, e.Status)
		require.NotEmpty(t, e.Reason)
		require.NotContains(t, e.Error(), key)
		require.LessOrEqual(t, len(e.Code), 129)
		require.False(t, strings.ContainsAny(e.Error(), "\n\r\x00<"))
		require.NotEmpty(t, e.Model().Code)
		if status >= 500 {
			require.True(t, e.Retryable())
		}
		if e.Class == llm.ClassRateLimited {
			require.Equal(t, http.StatusTooManyRequests, status)
		}
	})
}
