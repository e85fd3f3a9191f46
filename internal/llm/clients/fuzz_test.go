package clients_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/llm"
	"github.com/baton-handoff/baton/internal/llm/anthropic"
	"github.com/baton-handoff/baton/internal/llm/llmtest"
	"github.com/baton-handoff/baton/internal/llm/openai"
	"github.com/baton-handoff/baton/internal/outbound"
)

// inMemory calls the fake without a network.
type inMemory struct{ fake *llmtest.Fake }

func (m inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	m.fake.ServeHTTP(w, r)
	return w.Result(), r.Context().Err()
}

// fuzz lets a service answer anything.
func fuzz(f *testing.F, kind llmtest.Kind) {
	seed := func(status int, body string) { f.Add(status, "application/json", "1", "req_1", []byte(body)) }
	files, err := filepath.Glob("../llmtest/testdata/" + map[llmtest.Kind]string{llmtest.Anthropic: "anthropic", llmtest.OpenAI: "openai"}[kind] + "_*.json")
	require.NoError(f, err)
	require.NotEmpty(f, files)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(f, err)
		seed(200, string(raw))
		var failures map[string]json.RawMessage
		require.NoError(f, json.Unmarshal(raw, &failures))
		for _, v := range failures {
			var failure struct {
				Status int
				Body   json.RawMessage
			}
			if json.Unmarshal(v, &failure) == nil && failure.Status != 0 {
				seed(failure.Status, string(failure.Body))
			}
		}
	}
	seed(200, `null`)
	seed(200, `{"type":"message","content":[null,{"type":"text"},{"type":"text","text":7}],"stop_reason":"end_turn"}`)
	seed(200, `{"choices":[null]}`)
	seed(200, `{"choices":[{"message":{"content":"{}"},"finish_reason":"stop"}],"usage":{"prompt_tokens":-1e99,"completion_tokens":"x"}}`)
	seed(400, `{"error":"prompt is too long"}`)
	f.Add(503, "text/html", "soon", "\x00", []byte("<html>"))
	fake := llmtest.New(kind)
	config := fake.Config("http://127.0.0.1:8090")
	b := &bench{kind: kind, fake: fake, config: config}
	f.Fuzz(func(t *testing.T, status int, contentType, retryAfter, id string, body []byte) {
		if status < 200 || status > 599 {
			t.Skip()
		}
		fake.Faults().Set(llmtest.Fault{Kind: llmtest.FaultRaw, Status: status, Body: body, Header: http.Header{
			"Content-Type": {contentType}, "Retry-After": {retryAfter}, "Request-Id": {id}, "X-Request-Id": {id},
		}})
		var client llm.Client
		var err error
		if kind == llmtest.Anthropic {
			client, err = anthropic.New(config, fake.Key(), outbound.InMemory(inMemory{fake}))
		} else {
			client, err = openai.New(config, fake.Key(), outbound.InMemory(inMemory{fake}))
		}
		require.NoError(t, err)
		answer, err := client.Complete(t.Context(), question())
		if err == nil {
			require.Less(t, status, 300)
			require.NotEmpty(t, answer.Text)
			require.Equal(t, answer.Usage, answer.Usage.Bounded())
			named(t, answer.Model, answer.RequestID)
			require.NotEmpty(t, answer.Model)
			return
		}
		e := b.shown(t, err)
		require.Less(t, len(e.Reason)+len(e.Cure), 500)
		require.GreaterOrEqual(t, e.RetryAfter, 0*e.RetryAfter)
		require.LessOrEqual(t, e.RetryAfter, llm.MaxRetryAfter)
		require.Equal(t, e.Usage, e.Usage.Bounded())
		named(t, e.Code, e.RequestID)
	})
}

// named checks that what a service calls something can be put into a log.
func named(t *testing.T, names ...string) {
	t.Helper()
	for _, n := range names {
		require.True(t, utf8.ValidString(n))
		require.Less(t, len(n), 200)
		require.False(t, strings.ContainsAny(n, "\n\r\t\x00<>\""), "%q", n)
		require.NotContains(t, fmt.Sprint(n), canary)
	}
}

func FuzzAnthropic(f *testing.F) { fuzz(f, llmtest.Anthropic) }

func FuzzOpenAI(f *testing.F) { fuzz(f, llmtest.OpenAI) }
