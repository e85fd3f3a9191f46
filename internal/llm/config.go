package llm

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/baton-handoff/baton/models"
)

// Kind is the API that a service speaks.
type Kind string

// The kinds.
const (
	// KindAnthropic is Anthropic's Messages API.
	KindAnthropic Kind = "anthropic"
	// KindOpenAI is the chat completions API of OpenAI, which many others speak
	// as well: Azure OpenAI, vLLM, LiteLLM, Ollama and more.
	KindOpenAI Kind = "openai"
)

// TokenLimit is how a service of [KindOpenAI] calls the bound of an answer.
type TokenLimit string

// The names. OpenAI's own reasoning models refuse the old one, and Ollama
// ignores the new one without saying so.
const (
	TokenLimitCompletion TokenLimit = "max_completion_tokens"
	TokenLimitOld        TokenLimit = "max_tokens"
)

// Format is how a service of [KindOpenAI] is told the schema of its answer.
type Format string

// The formats.
const (
	// FormatStrict promises that the answer follows the schema.
	FormatStrict Format = "strict"
	// FormatSchema sends the schema, and the service does what it can.
	FormatSchema Format = "schema"
	// FormatObject promises JSON only; the schema goes into the task's text. For
	// services that do not know json_schema.
	FormatObject Format = "json_object"
)

// Config says which model to ask, and how. It holds no secret.
type Config struct {
	Kind Kind
	// Address is the base of the API: empty for the vendor's own, such as
	// https://api.openai.com/v1, or http://ollama:11434/v1.
	Address string
	// Model is the id of the model. There is no default: models come and go.
	Model string
	// Timeout bounds one call. Zero means [DefaultTimeout].
	Timeout time.Duration
	// Effort is how much the model shall think, in the service's words, such as
	// low, medium or high. Empty leaves it to the service.
	Effort string
	// ContextTokens is how many tokens the model can read and write together,
	// where that is known. A question that may not fit is then refused instead
	// of asked, because some services cut it without saying so: see
	// [Config.Fits]. Zero means unknown.
	ContextTokens int
	// TokenLimit and Format are for [KindOpenAI]. Empty means
	// [TokenLimitCompletion] and [FormatStrict].
	TokenLimit TokenLimit
	Format     Format
	// Allow lists private ranges that may be called, for a model on the
	// premises. The operator of the deployment decides about it.
	Allow []netip.Prefix
}

// DefaultTimeout is enough for a few thousand tokens with thinking.
const DefaultTimeout = 3 * time.Minute

// The vendors' own addresses.
const (
	AnthropicAddress = "https://api.anthropic.com"
	OpenAIAddress    = "https://api.openai.com/v1"
)

// WithDefaults fills in what is empty.
func (c Config) WithDefaults() Config {
	if c.Address == "" && c.Kind == KindAnthropic {
		c.Address = AnthropicAddress
	}
	if c.Address == "" && c.Kind == KindOpenAI {
		c.Address = OpenAIAddress
	}
	c.Address = strings.TrimRight(c.Address, "/")
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.TokenLimit == "" {
		c.TokenLimit = TokenLimitCompletion
	}
	if c.Format == "" {
		c.Format = FormatStrict
	}
	return c
}

// Validate says what is wrong with a configuration, as a [*models.Error]. It
// calls nobody.
func (c Config) Validate() error {
	c = c.WithDefaults()
	invalid := func(format string, args ...any) error { return models.Errorf(models.CodeInvalid, format, args...) }
	if c.Kind != KindAnthropic && c.Kind != KindOpenAI {
		return invalid("The kind of the model's API has to be %s or %s.", KindAnthropic, KindOpenAI)
	}
	if c.Model == "" || strings.ContainsFunc(c.Model, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return invalid("The model needs its id, as its service names it, such as claude-sonnet-5-5.")
	}
	u, err := url.Parse(c.Address)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return invalid("The address of the model has to be a URL such as %s.", OpenAIAddress)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return invalid("The address of the model may not have a user, a query or a fragment.")
	case u.Scheme == "http" && len(c.Allow) == 0:
		return invalid("The address of the model has to begin with https. Only a model in an allowed private network may do without.")
	case c.Kind == KindAnthropic && strings.HasSuffix(u.Path, "/v1"):
		return invalid("The address of an Anthropic API ends before /v1, such as %s.", AnthropicAddress)
	}
	if _, err := c.Port(); err != nil {
		return invalid("The port in the address of the model is not valid.")
	}
	if c.Timeout < 0 || c.ContextTokens < 0 {
		return invalid("The time limit and the context length of the model cannot be negative.")
	}
	if c.TokenLimit != TokenLimitCompletion && c.TokenLimit != TokenLimitOld {
		return invalid("The token limit of the model has to be named %s or %s.", TokenLimitCompletion, TokenLimitOld)
	}
	if c.Format != FormatStrict && c.Format != FormatSchema && c.Format != FormatObject {
		return invalid("The format of the model's answer has to be %s, %s or %s.", FormatStrict, FormatSchema, FormatObject)
	}
	return nil
}

// Port is the port of the address.
func (c Config) Port() (uint16, error) {
	u, err := url.Parse(c.WithDefaults().Address)
	if err != nil {
		return 0, err
	}
	port := u.Port()
	if port == "" {
		port = u.Scheme
	}
	n, err := net.LookupPort("tcp", port)
	return uint16(n), err
}

// Fits reports whether the question and its answer fit into the model's
// context, by [EstimateTokens]. Everything fits into an unknown one.
func (c Config) Fits(q Question) bool {
	return c.ContextTokens == 0 ||
		EstimateTokens(q.System)+EstimateTokens(q.Prompt)+EstimateTokens(string(q.Schema))+q.MaxTokens <= c.ContextTokens
}
