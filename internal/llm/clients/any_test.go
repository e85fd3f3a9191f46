package clients_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

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

// Services may answer anything: samples of the real ones in which members are
// gone, of another type or out of bounds, and what is no JSON at all. It is a
// property and no fuzz target because instrumented SDKs take minutes to compile;
// what is our own parsing is fuzzed in package wire.
func TestAnyAnswer(t *testing.T) {
	t.Parallel()
	for kind, file := range map[llmtest.Kind]string{llmtest.Anthropic: "anthropic_response.json", llmtest.OpenAI: "openai_response.json"} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile("../llmtest/testdata/" + file)
			require.NoError(t, err)
			fake := llmtest.New(kind)
			config := fake.Config("http://127.0.0.1:8090")
			b := &bench{kind: kind, fake: fake, config: config}
			var client llm.Client
			if kind == llmtest.Anthropic {
				client, err = anthropic.New(config, fake.Key(), outbound.InMemory(inMemory{fake}))
			} else {
				client, err = openai.New(config, fake.Key(), outbound.InMemory(inMemory{fake}))
			}
			require.NoError(t, err)
			good := 0
			rapid.Check(t, func(rt *rapid.T) {
				var sample any
				require.NoError(rt, json.Unmarshal(raw, &sample))
				body, err := json.Marshal(mutate(rt, sample))
				require.NoError(rt, err)
				if rapid.IntRange(0, 9).Draw(rt, "cut") == 0 {
					body = body[:rapid.IntRange(0, len(body)).Draw(rt, "at")]
				}
				header := http.Header{
					"Content-Type": {rapid.SampledFrom([]string{"application/json", "application/json", "application/json", "text/html", "?"}).Draw(rt, "type")},
					"Request-Id":   {rapid.SampledFrom([]string{"req_1", "a b", fake.Key(), ""}).Draw(rt, "id")},
				}
				header["X-Request-Id"] = header["Request-Id"]
				fake.Faults().Set(llmtest.Fault{Kind: llmtest.FaultRaw, Status: 200, Body: body, Header: header})
				answer, err := client.Complete(t.Context(), question())
				require.Equal(rt, answer.Usage, answer.Usage.Bounded())
				if err != nil {
					e := b.shown(t, err)
					require.Less(rt, len(e.Reason)+len(e.Cure), 500)
					named(t, e.Code, e.RequestID)
					return
				}
				good++
				require.NotEmpty(rt, answer.Text)
				require.NotEmpty(rt, answer.Model)
				named(t, answer.Model, answer.RequestID)
				require.NotContains(rt, answer.RequestID+answer.Model, fake.Key())
			})
			require.Positive(t, good)
		})
	}
}

// mutate changes some members of a tree.
func mutate(t *rapid.T, v any) any {
	if rapid.IntRange(0, 24).Draw(t, "change") == 0 {
		return rapid.SampledFrom([]any{
			nil, "", "text", -1, 1e300, 9e18, true, []any{}, []any{nil}, map[string]any{}, "max_tokens", "refusal", "length", strings.Repeat("x", 300),
		}).Draw(t, "to")
	}
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if rapid.IntRange(0, 39).Draw(t, "drop") == 0 {
				delete(v, k)
				continue
			}
			v[k] = mutate(t, v[k])
		}
	case []any:
		for i := range v {
			v[i] = mutate(t, v[i])
		}
	}
	return v
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
