package clients_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/baton-handoff/baton/internal/llm"
	"github.com/baton-handoff/baton/internal/llm/clients"
	"github.com/baton-handoff/baton/internal/llm/llmtest"
	"github.com/baton-handoff/baton/internal/outbound"
	"github.com/baton-handoff/baton/models"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// schema is in the order in which a model shall think.
const schema = `{"type":"object","additionalProperties":false,"required":["summary","attempts","likely"],"properties":{
	"summary":{"type":"string","description":"What is wrong."},
	"attempts":{"type":"array","items":{"$ref":"#/$defs/attempt"}},
	"likely":{"anyOf":[{"type":"string"},{"type":"null"}]}},
	"$defs":{"attempt":{"type":"object","additionalProperties":false,"required":["what","steps","outcome"],"properties":{
		"what":{"type":"string"},"steps":{"type":"array","items":{"type":"integer"}},"outcome":{"type":"string","enum":["failed","worked"]}}}}}`

// canary is in the prompt, and may be nowhere else.
const canary = "canary-4f1d9b"

func question() llm.Question {
	return llm.Question{
		System: "Write a briefing.", Prompt: "1: the printer is on fire " + canary + " <b>&</b> \u2028 ü",
		SchemaName: "briefing_v1", Schema: json.RawMessage(schema), MaxTokens: 2000,
	}
}

// bench is a fake and a client of it.
type bench struct {
	kind   llmtest.Kind
	fake   *llmtest.Fake
	url    string
	config llm.Config
	client llm.Client
	// billed is what the last call cost that failed.
	billed llm.Usage
}

// onAll runs a test over all services.
func onAll(t *testing.T, f func(t *testing.T, b *bench)) {
	t.Helper()
	for _, kind := range llmtest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			f(t, setup(t, kind))
		})
	}
}

func setup(t *testing.T, kind llmtest.Kind) *bench {
	t.Helper()
	fake := llmtest.New(kind)
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	b := &bench{kind: kind, fake: fake, url: server.URL, config: fake.Config(server.URL)}
	b.config.Allow = outbound.Loopback()
	b.client = b.connect(t, func(*llm.Config) {})
	return b
}

// connect makes a client with the key that is good now.
func (b *bench) connect(t *testing.T, change func(*llm.Config)) llm.Client {
	t.Helper()
	c := b.config
	change(&c)
	client, err := clients.New(c, b.fake.Key(), clients.Options{UserAgent: "baton/test"})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

// fails asks and checks what every error has to be like.
func (b *bench) fails(t *testing.T, client llm.Client, q llm.Question) *llm.Error {
	t.Helper()
	answer, err := client.Complete(t.Context(), q)
	require.Error(t, err)
	require.Equal(t, llm.Answer{Usage: answer.Usage}, answer)
	b.billed = answer.Usage
	return b.shown(t, err)
}

func (b *bench) shown(t *testing.T, err error) *llm.Error {
	t.Helper()
	e, ok := errors.AsType[*llm.Error](err)
	require.True(t, ok, "%T", err)
	m, ok := errors.AsType[*models.Error](err)
	require.True(t, ok)
	require.NotEqual(t, models.CodeInternal, m.Code)
	require.Equal(t, e.Retryable(), m.Code == models.CodeUnavailable)
	require.NotEmpty(t, e.Reason)
	require.NotContains(t, e.Reason, "unexpected")
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Error("failed", "error", err, "model", m, "config", b.config)
	all := log.String() + fmt.Sprintf("%v %+v %#v %s", err, err, e.Model(), e.Code)
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		all += cause.Error()
	}
	require.NotContains(t, all, canary)
	require.NotContains(t, all, "hunter2")
	require.NotContains(t, all, "Bearer")
	if key := b.fake.Key(); key != "" {
		require.NotContains(t, all, key)
	}
	return e
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *bench) {
		b.fake.SetAnswer(func(llmtest.Request) string { return `{"summary":"ä"}` })
		answer, err := b.client.Complete(t.Context(), question())
		require.NoError(t, err)
		require.JSONEq(t, `{"summary":"ä"}`, string(answer.Text))
		require.Equal(t, b.fake.Model(), answer.Model)
		require.Equal(t, b.fake.Model(), b.client.Model())
		require.NotEmpty(t, answer.RequestID)
		require.Positive(t, answer.Usage.Input)
		require.EqualValues(t, 4, answer.Usage.Output)
		require.Positive(t, answer.Latency)

		got := b.fake.Requests()[0]
		require.Empty(t, got.Problem)
		require.Equal(t, "baton/test", got.Header.Get("User-Agent"))
		require.Equal(t, question().Prompt, got.Prompt)
		require.Equal(t, question().System, got.System)
		require.Equal(t, question().MaxTokens, got.MaxTokens)
		require.JSONEq(t, schema, string(got.Schema))
		// Models write in the order of the schema.
		require.Less(t, strings.Index(string(got.Body), `"summary":{`), strings.Index(string(got.Body), `"attempts":{`))
	})
}

// What the fake makes by itself follows the schema.
func TestDefaultAnswer(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *bench) {
		answer, err := b.client.Complete(t.Context(), question())
		require.NoError(t, err)
		require.JSONEq(t, `{"summary":"Not enough evidence.","likely":"Not enough evidence.",
			"attempts":[{"what":"Not enough evidence.","steps":[1],"outcome":"failed"}]}`, string(answer.Text))
	})
}

func TestErrors(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		fault llmtest.Fault
		class llm.Class
		check func(*testing.T, *llm.Error)
	}{
		{"cut", llmtest.Fault{Kind: llmtest.FaultCut}, llm.ClassTemporary, nil},
		{"cut in the middle", llmtest.Fault{Kind: llmtest.FaultCutBody}, llm.ClassTemporary, nil},
		{"500", llmtest.Fault{Kind: llmtest.FaultStatus}, llm.ClassTemporary, nil},
		{"502", llmtest.Fault{Kind: llmtest.FaultStatus, Status: 502}, llm.ClassTemporary, nil},
		{"408", llmtest.Fault{Kind: llmtest.FaultStatus, Status: 408}, llm.ClassTemporary, nil},
		{"409", llmtest.Fault{Kind: llmtest.FaultStatus, Status: 409}, llm.ClassTemporary, nil},
		{"limited", llmtest.Fault{Kind: llmtest.FaultRateLimit}, llm.ClassRateLimited, func(t *testing.T, e *llm.Error) {
			require.Zero(t, e.RetryAfter)
		}},
		{"limited for a while", llmtest.Fault{Kind: llmtest.FaultRateLimit, RetryAfter: "17"}, llm.ClassRateLimited, func(t *testing.T, e *llm.Error) {
			require.Equal(t, 17*time.Second, e.RetryAfter)
			require.Equal(t, 17*time.Second, e.Model().RetryAfter)
		}},
		{"limited for years", llmtest.Fault{Kind: llmtest.FaultRateLimit, RetryAfter: "99999999999999999999"}, llm.ClassRateLimited, func(t *testing.T, e *llm.Error) {
			require.Equal(t, outbound.MaxRetryAfter, e.RetryAfter)
		}},
		{"overloaded", llmtest.Fault{Kind: llmtest.FaultOverloaded, RetryAfter: "3"}, llm.ClassOverloaded, func(t *testing.T, e *llm.Error) {
			require.Equal(t, 3*time.Second, e.RetryAfter)
		}},
		{"spent", llmtest.Fault{Kind: llmtest.FaultSpendLimit}, llm.ClassSpendLimit, nil},
		{"spent by the customer's limit", llmtest.Fault{Kind: llmtest.FaultOwnSpendLimit}, llm.ClassSpendLimit, nil},
		{"credentials", llmtest.Fault{Kind: llmtest.FaultCredentials}, llm.ClassUnauthorized, nil},
		{"permission", llmtest.Fault{Kind: llmtest.FaultPermission}, llm.ClassUnauthorized, nil},
		{"model gone", llmtest.Fault{Kind: llmtest.FaultModelGone}, llm.ClassMisconfigured, func(t *testing.T, e *llm.Error) {
			require.Contains(t, e.Reason, "does not know the configured model")
		}},
		{"schema", llmtest.Fault{Kind: llmtest.FaultSchema}, llm.ClassMisconfigured, func(t *testing.T, e *llm.Error) {
			require.Contains(t, e.Reason, "schema")
		}},
		{"400", llmtest.Fault{Kind: llmtest.FaultStatus, Status: 400}, llm.ClassMisconfigured, nil},
		{"422", llmtest.Fault{Kind: llmtest.FaultStatus, Status: 422}, llm.ClassMisconfigured, nil},
		{"413", llmtest.Fault{Kind: llmtest.FaultStatus, Status: 413}, llm.ClassTooLarge, nil},
		{"too long", llmtest.Fault{Kind: llmtest.FaultTooLong}, llm.ClassTooLarge, nil},
		{"redirect", llmtest.Fault{Kind: llmtest.FaultRedirect}, llm.ClassMisconfigured, nil},
		{"garbage", llmtest.Fault{Kind: llmtest.FaultGarbage}, llm.ClassBadAnswer, nil},
		{"page", llmtest.Fault{Kind: llmtest.FaultPage}, llm.ClassBadAnswer, nil},
		{"page of a firewall", llmtest.Fault{Kind: llmtest.FaultPage, Status: 403}, llm.ClassTemporary, func(t *testing.T, e *llm.Error) {
			require.NotZero(t, e.GiveUpAfter)
			require.False(t, llm.AsError(llm.GaveUp(e, e.GiveUpAfter)).Retryable())
		}},
		{"page that is not there", llmtest.Fault{Kind: llmtest.FaultPage, Status: 404}, llm.ClassMisconfigured, func(t *testing.T, e *llm.Error) {
			require.Contains(t, e.Cure, "address")
		}},
		{"page of an outage", llmtest.Fault{Kind: llmtest.FaultPage, Status: 503}, llm.ClassTemporary, nil},
		{"huge", llmtest.Fault{Kind: llmtest.FaultHuge}, llm.ClassBadAnswer, nil},
		{"empty object", llmtest.Fault{Kind: llmtest.FaultRaw, Body: []byte(`{}`)}, llm.ClassBadAnswer, nil},
		{"empty body", llmtest.Fault{Kind: llmtest.FaultRaw}, llm.ClassBadAnswer, nil},
		{"null", llmtest.Fault{Kind: llmtest.FaultRaw, Body: []byte(`null`)}, llm.ClassBadAnswer, nil},
		{"array", llmtest.Fault{Kind: llmtest.FaultRaw, Body: []byte(`[1,2]`)}, llm.ClassBadAnswer, nil},
		{"204", llmtest.Fault{Kind: llmtest.FaultRaw, Status: 204}, llm.ClassBadAnswer, nil},
		{"empty answer", llmtest.Fault{Kind: llmtest.FaultEmpty}, llm.ClassBadAnswer, nil},
		{"cut answer", llmtest.Fault{Kind: llmtest.FaultMaxTokens}, llm.ClassTruncated, nil},
		{"failure without a body", llmtest.Fault{Kind: llmtest.FaultRaw, Status: 401}, llm.ClassUnauthorized, nil},
		{"failure with a strange body", llmtest.Fault{Kind: llmtest.FaultRaw, Status: 429, Body: []byte(`{"error":[{"code":17}]}`)}, llm.ClassRateLimited, nil},
		{"failure that repeats the prompt", llmtest.Fault{
			Kind: llmtest.FaultRaw, Status: 400,
			Body: []byte(`{"error":{"type":"` + canary + `","code":"` + canary + `","message":"` + canary + `","param":"` + canary + `"}}`),
		}, llm.ClassMisconfigured, nil},
		// The SDKs would obey these headers; a spend limit stays one.
		{"spent, but try again", llmtest.Fault{
			Kind: llmtest.FaultRaw, Status: 429, Header: http.Header{"X-Should-Retry": {"true"}, "Retry-After": {"1"}},
			Body: []byte(`{"error":{"type":"insufficient_quota","code":"insufficient_quota","message":"…"}}`),
		}, llm.ClassSpendLimit, nil},
		{"down, and do not try again", llmtest.Fault{
			Kind: llmtest.FaultRaw, Status: 500, Header: http.Header{"X-Should-Retry": {"false"}},
		}, llm.ClassTemporary, nil},
		{"billing", llmtest.Fault{Kind: llmtest.FaultRaw, Status: 402}, llm.ClassSpendLimit, nil},
		{"credit", llmtest.Fault{
			Kind: llmtest.FaultRaw, Status: 400,
			Body: []byte(`{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the API."}}`),
		}, llm.ClassSpendLimit, nil},
		{"content filter", llmtest.Fault{
			Kind: llmtest.FaultRaw, Status: 400, Body: []byte(`{"error":{"code":"content_filter","message":"…"}}`),
		}, llm.ClassRefused, nil},
	}
	onAll(t, func(t *testing.T, b *bench) {
		for _, c := range cases {
			b.fake.Faults().Set(c.fault)
			before := b.fake.Count()
			e := b.fails(t, b.client, question())
			require.Equal(t, c.class, e.Class, "%s: %v", c.name, e)
			require.Equal(t, 1, b.fake.Count()-before, "%s: the SDK tried again", c.name)
			require.Equal(t, c.class == llm.ClassTruncated, b.billed.Output > 0, c.name)
			if c.check != nil {
				c.check(t, e)
			}
		}
		// Then all is well again, on a connection of any kind.
		b.fake.Faults().Clear()
		_, err := b.client.Complete(t.Context(), question())
		require.NoError(t, err)
	})
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	for _, kind := range []llmtest.Kind{llmtest.Anthropic, llmtest.OpenAI} {
		b := setup(t, kind)
		b.fake.Faults().Next(llmtest.Fault{Kind: llmtest.FaultRefusal})
		e := b.fails(t, b.client, question())
		require.Equal(t, llm.ClassRefused, e.Class)
		require.Positive(t, b.billed.Input)
		require.False(t, e.Class.Lasting())
	}
}

// What the model says is not the adapter's to judge.
func TestStrangeAnswersArePassedOn(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *bench) {
		for _, say := range []func(llmtest.Request) string{
			llmtest.InvalidJSON, llmtest.Prose, llmtest.WrongSchema, llmtest.InventedCitations, llmtest.InjectionObeyed, llmtest.PromptRepeated,
		} {
			b.fake.Faults().Next(llmtest.Fault{Kind: llmtest.FaultAnswer, Answer: say})
			answer, err := b.client.Complete(t.Context(), question())
			require.NoError(t, err)
			require.Equal(t, say(b.fake.Requests()[b.fake.Count()-1]), string(answer.Text))
		}
	})
}

func TestStall(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *bench) {
		b.fake.Faults().Set(llmtest.Fault{Kind: llmtest.FaultStall})
		client := b.connect(t, func(c *llm.Config) { c.Timeout = 50 * time.Millisecond })
		e := b.fails(t, client, question())
		require.Equal(t, llm.ClassTemporary, e.Class)
		require.ErrorIs(t, e, context.DeadlineExceeded)
		require.Contains(t, e.Reason, "in time")
	})
}

// A handoff that is closed stops its call, at any time.
func TestCancel(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *bench) {
		reached := make(chan struct{}, 1)
		b.fake.Faults().Set(llmtest.Fault{Kind: llmtest.FaultStall, Reached: reached})
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error, 1)
		go func() {
			_, err := b.client.Complete(ctx, question())
			failed <- err
		}()
		<-reached
		cancel()
		err := <-failed
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, llm.ClassTemporary, b.shown(t, err).Class)

		before := b.fake.Count()
		_, err = b.client.Complete(ctx, question())
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, before, b.fake.Count())
	})
}

func TestSlow(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *bench) {
		reached, until := make(chan struct{}, 1), make(chan struct{})
		b.fake.Faults().Next(llmtest.Fault{Kind: llmtest.FaultSlow, Reached: reached, Until: until})
		go func() {
			<-reached
			close(until)
		}()
		_, err := b.client.Complete(t.Context(), question())
		require.NoError(t, err)
	})
}

func TestConcurrency(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *bench) {
		b.fake.SetAnswer(func(q llmtest.Request) string { return `{"echo":` + fmt.Sprintf("%q", q.Prompt) + `}` })
		b.fake.Faults().Random(7, 0.3, llmtest.Fault{Kind: llmtest.FaultCut}, llmtest.Fault{Kind: llmtest.FaultStatus},
			llmtest.Fault{Kind: llmtest.FaultRateLimit}, llmtest.Fault{Kind: llmtest.FaultCutBody})
		var wg sync.WaitGroup
		for i := range 64 {
			wg.Go(func() {
				q := question()
				q.Prompt = fmt.Sprintf("prompt %d", i)
				for {
					answer, err := b.client.Complete(t.Context(), q)
					if err != nil {
						if !llm.AsError(err).Retryable() {
							t.Error(err)
							return
						}
						continue
					}
					if string(answer.Text) != fmt.Sprintf(`{"echo":"prompt %d"}`, i) {
						t.Errorf("%d got %s", i, answer.Text)
					}
					return
				}
			})
		}
		wg.Wait()
		require.LessOrEqual(t, b.fake.Peak(), 16) // connections to one host
		require.Greater(t, b.fake.Count(), 64)
	})
}

func TestKeys(t *testing.T) {
	t.Parallel()
	for _, kind := range []llmtest.Kind{llmtest.Anthropic, llmtest.OpenAI} {
		b := setup(t, kind)
		old := b.fake.Key()
		b.fake.RotateKey()
		e := b.fails(t, b.client, question())
		require.Equal(t, llm.ClassUnauthorized, e.Class)
		require.True(t, e.Class.Lasting())
		require.NotContains(t, fmt.Sprintf("%v %+v", e, e), old)
		_, err := b.connect(t, func(*llm.Config) {}).Complete(t.Context(), question())
		require.NoError(t, err)
	}
	// Ollama has none, and is sent none.
	b := setup(t, llmtest.Ollama)
	_, err := b.client.Complete(t.Context(), question())
	require.NoError(t, err)
	require.Empty(t, b.fake.Requests()[0].Header.Get("Authorization"))

	_, err = clients.New(llm.Config{Kind: llm.KindAnthropic, Model: "m"}, "", clients.Options{})
	require.Equal(t, llm.ClassMisconfigured, llm.ClassOf(err))
	_, err = clients.New(llm.Config{Kind: llm.KindOpenAI, Model: "m"}, "sk-\nx", clients.Options{})
	require.Equal(t, llm.ClassMisconfigured, llm.ClassOf(err))
	require.NotContains(t, err.Error(), "sk-")
}

// What the environment of the process holds is for other programs.
func TestEnvironmentIsIgnored(t *testing.T) {
	for name, value := range map[string]string{
		"ANTHROPIC_API_KEY": "sk-environment", "ANTHROPIC_AUTH_TOKEN": "sk-environment", "ANTHROPIC_BASE_URL": "http://127.0.0.1:1",
		"ANTHROPIC_CUSTOM_HEADERS": "X-Environment: sk-environment", "ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE": "content",
		"OPENAI_API_KEY": "sk-environment", "OPENAI_BASE_URL": "http://127.0.0.1:1", "OPENAI_ORG_ID": "sk-environment",
		"OPENAI_PROJECT_ID": "sk-environment", "OPENAI_CUSTOM_HEADERS": "X-Environment: sk-environment", "OPENAI_ADMIN_KEY": "sk-environment",
		"HTTP_PROXY": "http://127.0.0.1:1", "HTTPS_PROXY": "http://127.0.0.1:1",
	} {
		t.Setenv(name, value)
	}
	for _, kind := range llmtest.Kinds() {
		b := setup(t, kind)
		_, err := b.client.Complete(t.Context(), question())
		require.NoError(t, err)
		require.NotContains(t, fmt.Sprint(b.fake.Requests()[0].Header), "sk-environment")
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *bench) {
		private := b.connect(t, func(c *llm.Config) { c.Allow = outbound.Private() })
		require.Equal(t, llm.ClassMisconfigured, b.fails(t, private, question()).Class)
		require.Zero(t, b.fake.Count())

		server := httptest.NewServer(http.NotFoundHandler())
		elsewhere := func(c *llm.Config) { c.Address = strings.Replace(c.Address, b.url, server.URL, 1) }
		require.Equal(t, llm.ClassMisconfigured, b.fails(t, b.connect(t, elsewhere), question()).Class)
		server.Close()
		e := b.fails(t, b.connect(t, elsewhere), question())
		require.Equal(t, llm.ClassTemporary, e.Class)
		require.Contains(t, e.Reason, "cannot be reached")

		tls := httptest.NewUnstartedServer(b.fake)
		tls.Config.ErrorLog = log.New(io.Discard, "", 0)
		tls.StartTLS()
		defer tls.Close()
		untrusted := b.connect(t, func(c *llm.Config) { c.Address = strings.Replace(c.Address, b.url, tls.URL, 1) })
		require.Contains(t, b.fails(t, untrusted, question()).Reason, "certificate")
	})
}

func TestLimitOfTokens(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *bench) {
		b.fake.SetAnswer(func(llmtest.Request) string { return `{"summary":"` + strings.Repeat("word ", 500) + `"}` })
		q := question()
		q.MaxTokens = 100
		e := b.fails(t, b.client, q)
		require.Equal(t, llm.ClassTruncated, e.Class)
		require.EqualValues(t, 99, b.billed.Output)
		q.MaxTokens = 1000
		_, err := b.client.Complete(t.Context(), q)
		require.NoError(t, err)
	})
}

func TestLongPrompts(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *bench) {
		q := question()
		q.Prompt += strings.Repeat(" the printer is on fire, and so is the switch", 30_000)
		// A model that cannot read all of it: refused, or cut without a word.
		e := b.fails(t, b.client, q)
		require.Equal(t, llm.ClassTooLarge, e.Class)
		require.Equal(t, b.kind == llmtest.Ollama, b.billed.Input > 0)
		// With the context known it is not even asked.
		before := b.fake.Count()
		known := b.connect(t, func(c *llm.Config) { c.ContextTokens = 100_000 })
		require.Equal(t, llm.ClassTooLarge, b.fails(t, known, q).Class)
		require.Equal(t, before, b.fake.Count())
		b.fake.SetContext(1_000_000)
		_, err := b.client.Complete(t.Context(), q)
		require.NoError(t, err)
	})
}

// A table with its blanks has few tokens, and is not taken for a cut prompt.
func TestBlanksAreNoCutPrompt(t *testing.T) {
	t.Parallel()
	b := setup(t, llmtest.Ollama)
	q := question()
	q.Prompt = strings.Repeat("C:"+strings.Repeat(" ", 200)+"\n", 100)
	b.fake.Faults().Next(llmtest.Fault{
		Kind: llmtest.FaultRaw,
		Body: []byte(`{"choices":[{"message":{"content":"{}"},"finish_reason":"stop"}],"usage":{"prompt_tokens":300,"completion_tokens":1}}`),
	})
	_, err := b.client.Complete(t.Context(), q)
	require.NoError(t, err)
}

func TestCachedTokensCountOnce(t *testing.T) {
	t.Parallel()
	for _, kind := range []llmtest.Kind{llmtest.Anthropic, llmtest.OpenAI} {
		b := setup(t, kind)
		q := question()
		q.System = strings.Repeat("These are the rules of a briefing. ", 200)
		first, err := b.client.Complete(t.Context(), q)
		require.NoError(t, err)
		second, err := b.client.Complete(t.Context(), q)
		require.NoError(t, err)
		require.Equal(t, first.Usage.Prompt(), second.Usage.Prompt())
		require.Zero(t, first.Usage.CachedInput)
		require.Greater(t, second.Usage.CachedInput, int64(1024))
		require.Zero(t, second.Usage.CacheWrite)
		require.Equal(t, kind == llmtest.Anthropic, first.Usage.CacheWrite > 1024)
		price := llm.Price{Input: 3_000_000, CachedInput: 300_000, CacheWrite: 3_750_000, Output: 15_000_000}
		require.Less(t, price.Cost(second.Usage), price.Cost(first.Usage))
	}
}

func TestEffort(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *bench) {
		client := b.connect(t, func(c *llm.Config) { c.Effort = "low" })
		_, err := client.Complete(t.Context(), question())
		require.NoError(t, err)
		require.Contains(t, string(b.fake.Requests()[0].Body), `effort":"low"`)
	})
}

// Services that resemble OpenAI differ in what they take.
func TestFormats(t *testing.T) {
	t.Parallel()
	for _, kind := range []llmtest.Kind{llmtest.OpenAI, llmtest.Ollama} {
		b := setup(t, kind)
		for _, format := range []llm.Format{llm.FormatStrict, llm.FormatSchema, llm.FormatObject} {
			client := b.connect(t, func(c *llm.Config) { c.Format = format })
			answer, err := client.Complete(t.Context(), question())
			require.NoError(t, err)
			require.Contains(t, string(answer.Text), `"attempts"`)
			require.True(t, json.Valid(answer.Text))
		}
		fenced := b.connect(t, func(c *llm.Config) { c.Format = llm.FormatObject })
		b.fake.SetAnswer(func(llmtest.Request) string { return "```json\n{\"a\":1}\n```\n" })
		answer, err := fenced.Complete(t.Context(), question())
		require.NoError(t, err)
		require.Equal(t, `{"a":1}`, string(answer.Text))
	}
	// A limit by the wrong name is refused by one and ignored by the other.
	b := setup(t, llmtest.OpenAI)
	e := b.fails(t, b.connect(t, func(c *llm.Config) { c.TokenLimit = llm.TokenLimitOld }), question())
	require.Equal(t, llm.ClassMisconfigured, e.Class)
	require.Contains(t, e.Cure, "max_completion_tokens")
	require.Equal(t, "unsupported_parameter max_tokens", e.Code)
	b = setup(t, llmtest.Ollama)
	_, err := b.connect(t, func(c *llm.Config) { c.TokenLimit = llm.TokenLimitCompletion }).Complete(t.Context(), question())
	require.NoError(t, err)
	require.NotEqual(t, question().MaxTokens, b.fake.Requests()[0].MaxTokens)
}

// A schema that a service does not take is our mistake, and said so.
func TestWrongSchemas(t *testing.T) {
	t.Parallel()
	for _, kind := range []llmtest.Kind{llmtest.Anthropic, llmtest.OpenAI} {
		b := setup(t, kind)
		for _, s := range []string{
			`{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}`,
			`{"type":"object","additionalProperties":false,"required":["a"],"properties":{"a":{"type":"string","maxLength":9}}}`,
			`{"type":"array","items":{"type":"string"}}`,
		} {
			q := question()
			q.Schema = json.RawMessage(s)
			require.Error(t, llm.CheckSchema(q.Schema))
			e := b.fails(t, b.client, q)
			require.Equal(t, llm.ClassMisconfigured, e.Class)
			require.Contains(t, e.Reason, "schema")
		}
	}
	require.NoError(t, llm.CheckSchema([]byte(schema)))
}
