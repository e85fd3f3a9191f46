// Package openai asks a model through the chat completions API of OpenAI, which
// many others speak as well, each in its own way: see the options of
// [llm.Config].
package openai

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	sdk "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/shared"

	"github.com/baton-handoff/baton/internal/llm"
	"github.com/baton-handoff/baton/internal/llm/wire"
	"github.com/baton-handoff/baton/internal/outbound"
)

// Client asks one model. It implements [llm.Client].
type Client struct {
	config      llm.Config
	key         string
	http        *outbound.Client
	completions sdk.ChatCompletionService
}

var _ llm.Client = (*Client)(nil)

// New makes a client for a valid configuration. It calls nobody. The key may be
// empty for a service that has none.
func New(config llm.Config, key string, http *outbound.Client) (*Client, error) {
	config = config.WithDefaults()
	options := []option.RequestOption{
		option.WithBaseURL(config.Address + "/"),
		option.WithMaxRetries(0),
		option.WithRequestTimeout(config.Timeout),
	}
	if key != "" {
		options = append(options, option.WithAPIKey(key))
	}
	// The service alone reads nothing from the environment, unlike sdk.NewClient.
	return &Client{config: config, key: key, http: http, completions: sdk.NewChatCompletionService(options...)}, nil
}

// Model is the configured id of the model.
func (c *Client) Model() string { return c.config.Model }

// Close lets idle connections go.
func (c *Client) Close() { c.http.Close() }

// Complete asks one question.
func (c *Client) Complete(ctx context.Context, q llm.Question) (llm.Answer, error) {
	if !c.config.Fits(q) {
		return llm.Answer{}, wire.NoFit()
	}
	begin := time.Now()
	x := wire.New(c.http, c.key)
	m, err := c.completions.New(ctx, c.params(q), option.WithHTTPClient(x))
	if failure := x.Failure(ctx, err); failure != nil {
		return llm.Answer{}, failure
	}
	if m == nil { // the SDK reads null so
		return llm.Answer{}, x.Bad("nothing")
	}
	billed := llm.Answer{Usage: usageOf(m.Usage)}
	if len(m.Choices) == 0 {
		return billed, x.About(x.Bad("no text"))
	}
	choice := m.Choices[0]
	switch {
	case choice.Message.Refusal != "" || choice.FinishReason == "content_filter":
		return billed, x.About(wire.Refused())
	case cut(q, billed.Usage.Prompt()):
		return billed, x.About(llm.Errorf(llm.ClassTooLarge, "The model has read only a part of the session: its service cut the rest.").
			WithCure("Give the model a longer context where it runs (for Ollama: OLLAMA_CONTEXT_LENGTH), and say so in Baton's configuration."))
	case choice.FinishReason == "length":
		return billed, x.About(wire.Truncated())
	case choice.Message.Content == "":
		return billed, x.About(x.Bad("no text"))
	}
	text := []byte(choice.Message.Content)
	if c.config.Format != llm.FormatStrict {
		text = llm.Unfence(text)
	}
	return llm.Answer{
		Text: text, Model: x.Model(m.Model, c.config.Model), RequestID: x.RequestID(),
		Usage: billed.Usage, Latency: time.Since(begin),
	}, nil
}

func (c *Client) params(q llm.Question) sdk.ChatCompletionNewParams {
	p := sdk.ChatCompletionNewParams{Model: c.config.Model, ReasoningEffort: shared.ReasoningEffort(c.config.Effort)}
	if c.config.TokenLimit == llm.TokenLimitOld {
		p.MaxTokens = param.NewOpt(int64(q.MaxTokens))
	} else {
		p.MaxCompletionTokens = param.NewOpt(int64(q.MaxTokens))
	}
	system := q.System
	if c.config.Format == llm.FormatObject {
		system += "\n\nAnswer with one JSON object and nothing else. It has to follow this JSON schema:\n" + compact(q.Schema)
		p.ResponseFormat.OfJSONObject = &shared.ResponseFormatJSONObjectParam{}
	} else {
		p.ResponseFormat.OfJSONSchema = &shared.ResponseFormatJSONSchemaParam{
			JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{
				Name: q.SchemaName, Strict: param.NewOpt(c.config.Format == llm.FormatStrict), Schema: q.Schema,
			},
		}
	}
	if system != "" {
		p.Messages = append(p.Messages, sdk.SystemMessage(system))
	}
	p.Messages = append(p.Messages, sdk.UserMessage(q.Prompt))
	return p
}

// compact takes the blanks out of a schema, which would cost tokens.
func compact(schema json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, schema) != nil {
		return string(schema)
	}
	return b.String()
}

// usageOf counts each token once: the API counts cached ones twice.
func usageOf(u sdk.CompletionUsage) llm.Usage {
	usage := llm.Usage{Input: u.PromptTokens, CachedInput: u.PromptTokensDetails.CachedTokens, Output: u.CompletionTokens}.Bounded()
	usage.CachedInput = min(usage.CachedInput, usage.Input)
	usage.Input -= usage.CachedInput
	return usage
}

// A service that counts fewer tokens than one for so many characters has not
// read them all; prose has four or five to a token. Short prompts prove nothing.
const (
	charactersPerToken = 8
	shortPrompt        = 4000
)

// cut reports whether a service that counted so many tokens, zero for none, has
// silently left out a part of the question. Repeated characters, such as the
// blanks of a table, are not counted: tokenizers join them.
func cut(q llm.Question, tokens int64) bool {
	var n int64
	for _, text := range []string{q.System, q.Prompt} {
		var last rune
		for _, r := range text {
			if r != last {
				n++
			}
			last = r
		}
	}
	return tokens > 0 && n >= shortPrompt && tokens < n/charactersPerToken
}
