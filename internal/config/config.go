// Package config reads Baton's configuration from environment variables. An
// unknown variable or a bad value is an error of one line that names it, says
// what is wrong and what would be right.
package config

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/baton-handoff/baton/internal/llm"
	"github.com/baton-handoff/baton/internal/notify/email"
	"github.com/baton-handoff/baton/internal/secrets"
)

// Config is everything that can be set. The doc tags are the documentation of
// the fields: [Markdown] makes a table of them.
type Config struct {
	DatabaseURL secrets.Secret `env:"DATABASE_URL" doc:"PostgreSQL to keep everything in, as postgres://user:password@host:5432/database. Needed by api, worker and migrate."`
	DBMaxConns  int            `env:"BATON_DB_MAX_CONNS" envDefault:"20" doc:"Most connections to PostgreSQL that one process opens, besides three that follow the feed."`

	Listen          string        `env:"BATON_LISTEN" envDefault:"127.0.0.1:8080" doc:"Address that the API is served on, as host:port; :8080 is all interfaces."`
	AllowedOrigins  []string      `env:"BATON_ALLOWED_ORIGINS" doc:"Origins, separated by commas, whose web pages may call the API with credentials, such as https://app.example.com."`
	RequestTimeout  time.Duration `env:"BATON_REQUEST_TIMEOUT" envDefault:"10s" doc:"Longest time to answer a request. Streams are not requests in this sense."`
	MaxStreams      int           `env:"BATON_MAX_STREAMS" envDefault:"10000" doc:"Most live streams that one process serves."`
	FeedRetention   time.Duration `env:"BATON_FEED_RETENTION" envDefault:"168h" doc:"How long feed events are kept; a reader that was away for longer has to load the queue anew."`
	Drain           time.Duration `env:"BATON_DRAIN" envDefault:"10s" doc:"Time over which a process that shuts down spreads the ends of its streams; 0s is all at once."`
	ShutdownTimeout time.Duration `env:"BATON_SHUTDOWN_TIMEOUT" envDefault:"30s" doc:"Longest time for the API to shut down, the drain included; then what is left is cut off. A worker gets 30 more seconds for activities under way."`

	LogLevel  slog.Level `env:"BATON_LOG_LEVEL" envDefault:"info" doc:"Least level to log: debug, info, warn or error."`
	LogFormat string     `env:"BATON_LOG_FORMAT" envDefault:"json" doc:"Form of the log: json or text."`

	AuthHS256Secret  secrets.Secret `env:"BATON_AUTH_HS256_SECRET" doc:"Secret of at least 32 bytes that the issuer of tokens signs them with (HS256). Excludes a JWKS."`
	AuthIssuer       string         `env:"BATON_AUTH_ISSUER" doc:"Issuer (iss) that tokens must have. Without a secret and a JWKS URL, its keys are found by OpenID Connect Discovery."`
	AuthAudience     string         `env:"BATON_AUTH_AUDIENCE" doc:"Audience (aud) that tokens must have."`
	AuthJWKSURL      string         `env:"BATON_AUTH_JWKS_URL" doc:"Where the issuer publishes its keys, when that cannot be discovered."`
	AuthAlgorithms   []string       `env:"BATON_AUTH_ALGORITHMS" envDefault:"RS256,ES256,EdDSA" doc:"Signature algorithms that are accepted with keys of an issuer, separated by commas."`
	AuthCache        time.Duration  `env:"BATON_AUTH_CACHE" envDefault:"5s" doc:"How long it is remembered who a token stands for, without checking it or asking the database again, which is how long a change of role may take; 0s is not at all."`
	AuthProvision    bool           `env:"BATON_AUTH_PROVISION" envDefault:"false" doc:"Add users whom nobody has invited, from the claims of their tokens."`
	AuthAccountClaim string         `env:"BATON_AUTH_ACCOUNT_CLAIM" envDefault:"account_id" doc:"Claim with the account (a UUID) of a user to add."`
	AuthRoleClaim    string         `env:"BATON_AUTH_ROLE_CLAIM" envDefault:"role" doc:"Claim with the role of a user to add: viewer, engineer, admin or owner."`
	AuthNameClaim    string         `env:"BATON_AUTH_NAME_CLAIM" envDefault:"name" doc:"Claim with the name of a user to add."`

	OIDCClientID     string         `env:"BATON_OIDC_CLIENT_ID" doc:"Client id under which the console signs people in at BATON_AUTH_ISSUER (OpenID Connect, code flow with PKCE). Its redirect address is BATON_PUBLIC_URL with /auth/callback. It takes BATON_SECRET_KEYS as well."`
	OIDCClientSecret secrets.Secret `env:"BATON_OIDC_CLIENT_SECRET" doc:"Secret of that client; a public client has none."`
	OIDCScopes       []string       `env:"BATON_OIDC_SCOPES" envDefault:"openid,profile,email" doc:"Scopes that the console asks for, separated by commas; openid is one of them."`
	OIDCSession      time.Duration  `env:"BATON_OIDC_SESSION" envDefault:"12h" doc:"How long somebody stays signed in to the console."`

	SecretKeys      secrets.Secret `env:"BATON_SECRET_KEYS" doc:"Keys that seal credentials for other systems, as id:key[,id:key…], each key 32 bytes in base64. The first one seals, all of them open; make one with: baton secrets key. Without it no PSA can be connected."`
	PublicURL       string         `env:"BATON_PUBLIC_URL" doc:"Address that the outside reaches the API at, such as https://baton.example.com, to tell people which address to register in their PSA for callbacks."`
	PSAAllowPrivate []netip.Prefix `env:"BATON_PSA_ALLOW_PRIVATE" doc:"Private networks, separated by commas, such as 10.20.0.0/16, in which PSAs may be. Without it a PSA has to be on the public internet. It holds for every account."`

	LLMKind          llm.Kind       `env:"BATON_LLM" doc:"API of the language model that makes briefings better: anthropic, or openai for OpenAI and everything that speaks its chat completions API. Without it, briefings are written by rules."`
	LLMModel         string         `env:"BATON_LLM_MODEL" doc:"Id of the model, as its service names it, such as claude-sonnet-5-5. The API needs the settings of the model as well, to show them."`
	LLMKey           secrets.Secret `env:"BATON_LLM_KEY" doc:"Key for the model's service; a service of one's own may need none."`
	LLMAddress       string         `env:"BATON_LLM_ADDRESS" doc:"Base of the service's API, such as http://ollama:11434/v1. Without it, the vendor's own."`
	LLMAllowPrivate  []netip.Prefix `env:"BATON_LLM_ALLOW_PRIVATE" doc:"Private networks, separated by commas, in which the model's service may be. Without it, it has to be on the public internet."`
	LLMTimeout       time.Duration  `env:"BATON_LLM_TIMEOUT" envDefault:"3m" doc:"Longest time for one call of the model."`
	LLMEffort        string         `env:"BATON_LLM_EFFORT" doc:"How much the model shall think, in its service's words, such as low or medium. Without it, as the service does."`
	LLMContextTokens int            `env:"BATON_LLM_CONTEXT_TOKENS" envDefault:"0" doc:"How many tokens the model can read and write together, for a service that cuts what is too long without saying so, as Ollama does; 0 is unknown."`
	LLMTokenLimit    llm.TokenLimit `env:"BATON_LLM_TOKEN_LIMIT" envDefault:"max_completion_tokens" doc:"Name of the bound of an answer, with BATON_LLM=openai: max_completion_tokens, or max_tokens for older services and Ollama."`
	LLMFormat        llm.Format     `env:"BATON_LLM_FORMAT" envDefault:"strict" doc:"How the answer's schema is asked for, with BATON_LLM=openai: strict, schema, or json_object for services that know no schemas."`
	LLMPriceInput    llm.MicroUSD   `env:"BATON_LLM_PRICE_INPUT" envDefault:"0" doc:"Price of a million tokens that the model reads, in US dollars, such as 3. Needed unless the model is in a private network."`
	LLMPriceOutput   llm.MicroUSD   `env:"BATON_LLM_PRICE_OUTPUT" envDefault:"0" doc:"Price of a million tokens that the model writes, in US dollars, such as 15. Needed unless the model is in a private network."`
	LLMMonthly       llm.MicroUSD   `env:"BATON_LLM_MONTHLY_BUDGET" envDefault:"50" doc:"What the model may cost one account in a calendar month (UTC), in US dollars, unless the account sets another bound. Past it, briefings are written by rules; 0 is no calls at all."`
	LLMCalls         int            `env:"BATON_LLM_CALLS" envDefault:"8" doc:"Most calls of the model that one worker process makes at once. One account has at most half of them, rounded up."`

	SMTPHost           string         `env:"BATON_SMTP_HOST" doc:"Mail server that people are told by, such as smtp.example.com. Without it, only accounts with a mail server of their own send mail."`
	SMTPPort           uint16         `env:"BATON_SMTP_PORT" envDefault:"0" doc:"Port of the mail server; 0 is 587 with starttls, 465 with tls and 25 with none."`
	SMTPSecurity       email.Security `env:"BATON_SMTP_SECURITY" envDefault:"starttls" doc:"How the connection to the mail server is protected: starttls, tls, or none for a relay in a network of one's own."`
	SMTPUser           string         `env:"BATON_SMTP_USER" doc:"User name at the mail server; without it, nobody signs in."`
	SMTPPassword       secrets.Secret `env:"BATON_SMTP_PASSWORD" doc:"Password at the mail server."`
	SMTPFrom           string         `env:"BATON_SMTP_FROM" doc:"Sender of mail, such as Baton <baton@example.com>. Changing the part after the @ unties mail threads."`
	NotifyAllowPrivate []netip.Prefix `env:"BATON_NOTIFY_ALLOW_PRIVATE" doc:"Private networks, separated by commas, in which the accounts' webhooks and mail servers may be, also without TLS. Without it they have to be on the public internet. It holds for every account."`
	SlackURL           string         `env:"BATON_SLACK_URL" doc:"Something that behaves like Slack, to try things with, such as http://127.0.0.1:9090. Without it, Slack."`

	TemporalUIURL       string `env:"BATON_TEMPORAL_UI_URL" doc:"Temporal's web UI, such as https://cloud.temporal.io, to link handoffs to their workflows."`
	WorkerWorkflowTasks int    `env:"BATON_WORKER_WORKFLOW_TASKS" envDefault:"100" doc:"Most workflow tasks that one worker process runs at once."`
	WorkerListen        string `env:"BATON_WORKER_LISTEN" doc:"Address that a process which runs only a worker serves /metrics and /healthz on, as host:port. Without it, it serves nothing."`
	WorkerActivities    int    `env:"BATON_WORKER_ACTIVITIES" envDefault:"100" doc:"Most activities that one worker process runs at once, on each task queue."`
}
