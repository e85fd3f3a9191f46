// Package anthropic asks a model through Anthropic's Messages API.
//
// The answer's schema goes into output_config.format. There is no forced tool,
// no prefilled answer and no sampling parameter: current models refuse all
// three. Thinking is the model's own choice, so the answer is picked by the
// type of its block.
package anthropic

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	sdk "github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	"github.com/anthropics/anthropic-sdk-go/packages/param"

	"github.com/baton-handoff/baton/internal/llm"
	"github.com/baton-handoff/baton/internal/llm/wire"
	"github.com/baton-handoff/baton/internal/outbound"
)

// cacheable is the length in tokens from which Anthropic caches a prefix.
const cacheable = 1024

// Client asks one model. It implements [llm.Client].
type Client struct {
	config   llm.Config
	key      string
	http     *outbound.Client
	messages sdk.MessageService
}

var _ llm.Client = (*Client)(nil)

// New makes a client for a valid configuration. It calls nobody.
func New(config llm.Config, key string, http *outbound.Client) (*Client, error) {
	config = config.WithDefaults()
	if key == "" {
		return nil, llm.Errorf(llm.ClassMisconfigured, "Anthropic's API needs a key.").
			WithCure("Set one in Baton's configuration.")
	}
	client := sdk.NewClient(
		option.WithoutEnvironmentDefaults(), // what is in the environment is not ours
		option.WithoutOpenTelemetry(),       // a variable could put the prompts into its spans
		option.WithBaseURL(config.Address+"/"),
		option.WithAPIKey(key),
		option.WithMaxRetries(0),
		option.WithRequestTimeout(config.Timeout),
	)
	return &Client{config: config, key: key, http: http, messages: client.Messages}, nil
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
	m, err := c.messages.New(ctx, c.params(q), option.WithHTTPClient(x))
	if failure := x.Failure(ctx, err); failure != nil {
		return llm.Answer{}, failure
	}
	if m == nil { // the SDK reads null so
		return llm.Answer{}, x.Bad("nothing")
	}
	billed := llm.Answer{Usage: llm.Usage{
		Input: m.Usage.InputTokens, CachedInput: m.Usage.CacheReadInputTokens,
		CacheWrite: m.Usage.CacheCreationInputTokens, Output: m.Usage.OutputTokens,
	}.Bounded()}
	var text strings.Builder
	for _, block := range m.Content {
		if block.Type == "text" {
			text.WriteString(block.Text)
		}
	}
	switch m.StopReason {
	case sdk.StopReasonEndTurn, sdk.StopReasonStopSequence:
	case sdk.StopReasonRefusal:
		return billed, x.About(wire.Refused())
	case sdk.StopReasonMaxTokens:
		return billed, x.About(wire.Truncated())
	case sdk.StopReasonModelContextWindowExceeded:
		return billed, x.About(wire.NoFit())
	default: // nothing that was asked for can end so
		return billed, x.About(x.Bad("something that is not what its API promises"))
	}
	if m.Type != "message" || text.Len() == 0 {
		return billed, x.About(x.Bad("no text"))
	}
	return llm.Answer{
		Text: []byte(text.String()), Model: x.Model(m.Model, c.config.Model), RequestID: x.RequestID(),
		Usage: billed.Usage, Latency: time.Since(begin),
	}, nil
}

func (c *Client) params(q llm.Question) sdk.MessageNewParams {
	p := sdk.MessageNewParams{
		Model:     c.config.Model,
		MaxTokens: int64(q.MaxTokens),
		Messages:  []sdk.MessageParam{sdk.NewUserMessage(sdk.NewTextBlock(q.Prompt))},
	}
	if q.System != "" {
		system := sdk.TextBlockParam{Text: q.System}
		if llm.EstimateTokens(q.System) >= cacheable {
			system.CacheControl = sdk.NewCacheControlEphemeralParam()
		}
		p.System = []sdk.TextBlockParam{system}
	}
	p.OutputConfig.Effort = sdk.OutputConfigEffort(c.config.Effort)
	// As it is: a map would lose the order of the properties.
	p.OutputConfig.Format = param.Override[sdk.JSONOutputFormatParam](struct {
		Type   string          `json:"type"`
		Schema json.RawMessage `json:"schema"`
	}{"json_schema", q.Schema})
	return p
}
