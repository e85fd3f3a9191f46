package llm_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/baton-handoff/baton/internal/llm"
	"github.com/baton-handoff/baton/models"
)

func TestParseUSD(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]llm.MicroUSD{
		"3": 3_000_000, "0.15": 150_000, " $15.00 ": 15_000_000, "0.000001": 1, "0": 0, "999999999.999999": 999_999_999_999_999,
	} {
		got, err := llm.ParseUSD(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", ".", "3.", ".5", "-1", "+1", "1e3", "0.0000001", "1,50", "1234567890", "0x1", "1.2.3", "١", "NaN", "1 0"} {
		_, err := llm.ParseUSD(text)
		require.ErrorContains(t, err, "like 3 or 0.15", text)
	}
	require.Equal(t, "$0.00", llm.MicroUSD(0).String())
	require.Equal(t, "$0.0123", llm.MicroUSD(12_300).String())
	require.Equal(t, "-$1.50", llm.MicroUSD(-1_500_000).String())
	require.Equal(t, "-$9223372036854.775808", llm.MicroUSD(math.MinInt64).String())
}

func TestMoneyIsReadAsItIsWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := llm.MicroUSD(rapid.Int64Range(0, 999_999_999_999_999).Draw(t, "m"))
		var back llm.MicroUSD
		require.NoError(t, back.UnmarshalText([]byte(m.String())))
		require.Equal(t, m, back)
	})
}

// The cost is what exact arithmetic says, rounded up, whatever a service
// claims to have counted.
func TestCost(t *testing.T) {
	t.Parallel()
	price := llm.Price{Input: 3_000_000, CachedInput: 300_000, CacheWrite: 3_750_000, Output: 15_000_000}
	require.EqualValues(t, 3*2095+300_000*1800/1_000_000+15*503, price.Cost(llm.Usage{Input: 2095, CachedInput: 1800, Output: 503}))
	require.Equal(t, llm.MicroUSD(1), llm.Price{Input: 150_000}.Cost(llm.Usage{Input: 1}))
	require.Zero(t, llm.Price{}.Cost(llm.Usage{Input: 1000, Output: 1000}))
	require.Equal(t, llm.MicroUSD(2), llm.Price{Input: 1_000_000}.Cost(llm.Usage{CachedInput: 1, CacheWrite: 1}))
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) int64 {
			return rapid.OneOf(rapid.Int64Range(-5, 2_000_000), rapid.Int64()).Draw(t, name)
		}
		p := llm.Price{
			Input: llm.MicroUSD(draw("in")), Output: llm.MicroUSD(draw("out")),
			CachedInput: llm.MicroUSD(draw("cached")), CacheWrite: llm.MicroUSD(draw("write")),
		}
		u := llm.Usage{Input: draw("input"), Output: draw("output"), CachedInput: draw("cachedInput"), CacheWrite: draw("cacheWrite")}
		exact := new(big.Int)
		add := func(tokens int64, price llm.MicroUSD) {
			exact.Add(exact, new(big.Int).Mul(big.NewInt(min(max(tokens, 0), 1_000_000_000)), big.NewInt(max(int64(price), 0))))
		}
		cached, write := p.CachedInput, p.CacheWrite
		if cached == 0 {
			cached = p.Input
		}
		if write == 0 {
			write = p.Input
		}
		add(u.Input, p.Input)
		add(u.CachedInput, cached)
		add(u.CacheWrite, write)
		add(u.Output, p.Output)
		got := p.Cost(u)
		if exact.Cmp(big.NewInt(math.MaxInt64-2_000_000)) > 0 {
			require.Positive(t, got) // as much as can be said, or more exactly
			return
		}
		exact.Add(exact, big.NewInt(999_999)).Div(exact, big.NewInt(1_000_000))
		require.Equal(t, exact.Int64(), int64(got))
	})
}

func TestUsage(t *testing.T) {
	t.Parallel()
	u := llm.Usage{Input: 1, CachedInput: 2, CacheWrite: 3, Output: 4}
	require.EqualValues(t, 6, u.Prompt())
	require.EqualValues(t, 10, u.Total())
	require.EqualValues(t, 20, u.Add(u).Total())
	require.Equal(t, llm.Usage{Output: 1_000_000_000}, llm.Usage{Input: -1, Output: math.MaxInt64}.Bounded())
	require.Zero(t, llm.EstimateTokens(""))
	require.Equal(t, 1, llm.EstimateTokens("ä"))
	require.Equal(t, 334, llm.EstimateTokens(strings.Repeat("x", 1000)))
}

func TestErrors(t *testing.T) {
	t.Parallel()
	cause := errors.New("dial tcp: refused")
	e := llm.Errorf(llm.ClassRateLimited, "Too many calls.").WithCure("Wait.").WithCause(cause)
	e.Status, e.Code, e.RequestID, e.RetryAfter = 429, "rate_limit_error", "req_1", time.Minute
	require.Equal(t, "llm: rate_limited: Too many calls. (status 429, rate_limit_error, request req_1)", e.Error())
	wrapped := fmt.Errorf("asking: %w", e)
	require.ErrorIs(t, wrapped, cause)
	require.Equal(t, llm.ClassRateLimited, llm.ClassOf(wrapped))
	require.Equal(t, models.CodeUnavailable, models.CodeOf(wrapped))
	m, ok := errors.AsType[*models.Error](wrapped)
	require.True(t, ok)
	require.Equal(t, "Too many calls. Wait.", m.Message)
	require.Equal(t, time.Minute, m.RetryAfter)
	require.Empty(t, llm.ClassOf(nil))
	require.Equal(t, llm.ClassTemporary, llm.ClassOf(context.DeadlineExceeded))
	require.Equal(t, llm.ClassTemporary, llm.ClassOf(cause))

	// What cannot succeed is permanent for package activities, and the rest is not.
	for class, want := range map[llm.Class]models.Code{
		llm.ClassTemporary: models.CodeUnavailable, llm.ClassRateLimited: models.CodeUnavailable,
		llm.ClassOverloaded: models.CodeUnavailable, llm.ClassBadAnswer: models.CodeUnavailable,
		llm.ClassTruncated: models.CodeTooLarge, llm.ClassTooLarge: models.CodeTooLarge,
		llm.ClassRefused: models.CodeInvalid, llm.ClassMisconfigured: models.CodeInvalid,
		llm.ClassSpendLimit: models.CodeForbidden, llm.ClassUnauthorized: models.CodeUnauthenticated,
	} {
		e := llm.Errorf(class, "x")
		require.Equal(t, want, models.CodeOf(e), class)
		require.Equal(t, want == models.CodeUnavailable, e.Retryable(), class)
		require.False(t, e.Retryable() && e.Class.Lasting(), class)
	}

	doubtful := llm.Errorf(llm.ClassBadAnswer, "x")
	doubtful.GiveUpAfter, doubtful.RetryAfter = 3, time.Second
	require.Same(t, doubtful, llm.GaveUp(doubtful, 2))
	final := llm.AsError(llm.GaveUp(doubtful, 3))
	require.False(t, final.Retryable())
	require.Zero(t, final.RetryAfter)
	require.Equal(t, "x", final.Reason)
	require.NoError(t, llm.GaveUp(nil, 3))
}

func TestConfig(t *testing.T) {
	t.Parallel()
	good := llm.Config{Kind: llm.KindOpenAI, Model: "gpt-x"}
	require.NoError(t, good.Validate())
	require.NoError(t, llm.Config{Kind: llm.KindAnthropic, Model: "claude-sonnet-5-5"}.Validate())
	private := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	require.NoError(t, llm.Config{Kind: llm.KindOpenAI, Model: "llama3.1:8b", Address: "http://ollama:11434/v1/", Allow: private}.Validate())
	for want, change := range map[string]func(*llm.Config){
		"kind":         func(c *llm.Config) { c.Kind = "gemini" },
		"its id":       func(c *llm.Config) { c.Model = "" },
		"as its":       func(c *llm.Config) { c.Model = "a\nb" },
		"a URL":        func(c *llm.Config) { c.Address = "api.openai.com" },
		"such as http": func(c *llm.Config) { c.Address = "ftp://x/v1" },
		"a user":       func(c *llm.Config) { c.Address = "https://sk:secret@x/v1" },
		"a query":      func(c *llm.Config) { c.Address = "https://x/v1?key=secret" },
		"with https":   func(c *llm.Config) { c.Address = "http://ollama:11434/v1" },
		"before /v1":   func(c *llm.Config) { c.Kind, c.Address = llm.KindAnthropic, "https://proxy.example/v1" },
		"port":         func(c *llm.Config) { c.Address = "https://x:99999/v1" },
		"negative":     func(c *llm.Config) { c.Timeout = -1 },
		"named":        func(c *llm.Config) { c.TokenLimit = "tokens" },
		"format":       func(c *llm.Config) { c.Format = "xml" },
	} {
		c := good
		change(&c)
		err := c.Validate()
		require.ErrorContains(t, err, want)
		require.Equal(t, models.CodeInvalid, models.CodeOf(err))
		require.NotContains(t, err.Error(), "secret")
	}
	for address, want := range map[string]uint16{"": 443, "http://x/v1": 80, "https://x:8443/v1": 8443, "http://[::1]:11434/v1": 11434} {
		c := good
		c.Address = address
		port, err := c.Port()
		require.NoError(t, err)
		require.Equal(t, want, port)
	}
	q := llm.Question{System: strings.Repeat("x", 300), Prompt: strings.Repeat("x", 300), MaxTokens: 100}
	require.True(t, good.Fits(q))
	good.ContextTokens = 300
	require.True(t, good.Fits(q))
	good.ContextTokens = 299
	require.False(t, good.Fits(q))
}

func TestCheckSchema(t *testing.T) {
	t.Parallel()
	object := func(properties string) string {
		return `{"type":"object","additionalProperties":false,"required":["a"],"properties":{"a":` + properties + `}}`
	}
	for _, s := range []string{
		`{"type":"object","additionalProperties":false,"properties":{},"required":[]}`,
		object(`{"type":"string","enum":["x"],"description":"d","title":"t"}`),
		object(`{"type":["string","null"]}`),
		object(`{"anyOf":[{"type":"integer"},{"type":"null"}]}`),
		object(`{"type":"array","items":{"type":"object","additionalProperties":false,"required":[],"properties":{}}}`),
		`{"type":"object","additionalProperties":false,"required":["a","b"],"properties":{"a":{"$ref":"#/$defs/d"},"b":{"$ref":"#/$defs/d"}},"$defs":{"d":{"const":1}}}`,
	} {
		require.NoError(t, llm.CheckSchema(json.RawMessage(s)), s)
	}
	for s, want := range map[string]string{
		`[]`:                                            "not a JSON object",
		`{"type":"array"}`:                              "root",
		object(`{"type":"string"`):                      "not a JSON object",
		object(`"string"`):                              "/properties/a: a schema has to be an object",
		object(`{}`):                                    "needs a type",
		object(`{"type":"array"}`):                      "/properties/a/items",
		object(`{"type":"object"}`):                     "additionalProperties",
		object(`{"type":["object","null"]}`):            "additionalProperties",
		object(`{"type":"string","maxLength":3}`):       `"maxLength"`,
		object(`{"$ref":"#/$defs/x"}`):                  "there is no #/$defs/x",
		object(`{"$ref":"https://x/y"}`):                "there is no",
		object(`{"type":"string","$defs":{}}`):          "root",
		object(`{"anyOf":[{"type":"string","not":1}]}`): "/properties/a/anyOf/0",
		`{"type":"object","additionalProperties":false,"required":[],"properties":{"a":{"type":"string"}}}`:                                                                   "require all",
		`{"type":"object","additionalProperties":false,"required":["b"],"properties":{"a":{"type":"string"}}}`:                                                                "the required b is no property",
		`{"type":"object","additionalProperties":false,"required":["a"],"properties":{"a":{"$ref":"#/$defs/d"}},"$defs":{"d":{"type":"array","items":{"$ref":"#/$defs/d"}}}}`: "contains itself",
		object(strings.Repeat(`{"type":"array","items":`, 30) + `{"type":"string"}` + strings.Repeat("}", 30)):                                                                "too deep",
		object(`{"anyOf":[` + strings.Repeat(`{"type":["string","null"]},`, 16) + `{"type":"null"}]}`):                                                                        "too complex",
		`{"type":"object","additionalProperties":false,"required":[],"properties":{},"$defs":{"unused":{"type":"string","minLength":1}}}`:                                     `"minLength"`,
	} {
		require.ErrorContains(t, llm.CheckSchema(json.RawMessage(s)), want, s)
	}
}

func TestUnfence(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{}": "{}", " {}\n": " {}\n", "```json\n{\"a\":1}\n```": `{"a":1}`, "\n```\n{}\n```\n\n": "{}",
		"```": "```", "``````": "``````", "```json\n{}": "```json\n{}", "Sure:\n```json\n{}\n```": "Sure:\n```json\n{}\n```",
	} {
		require.Equal(t, want, string(llm.Unfence([]byte(text))), "%q", text)
	}
}
