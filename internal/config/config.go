// Package config reads Baton's configuration from environment variables. An
// unknown variable or a bad value is an error of one line that names it, says
// what is wrong and what would be right.
package config

import (
	"log/slog"
	"time"
)

// Config is everything that can be set. The doc tags are the documentation of
// the fields: [Markdown] makes a table of them.
type Config struct {
	DatabaseURL Secret `env:"DATABASE_URL" doc:"PostgreSQL to keep everything in, as postgres://user:password@host:5432/database. Needed by api, worker and migrate."`
	DBMaxConns  int    `env:"BATON_DB_MAX_CONNS" envDefault:"20" doc:"Most connections to PostgreSQL that one process opens, besides three that follow the feed."`

	Listen          string        `env:"BATON_LISTEN" envDefault:"127.0.0.1:8080" doc:"Address that the API is served on, as host:port; :8080 is all interfaces."`
	AllowedOrigins  []string      `env:"BATON_ALLOWED_ORIGINS" doc:"Origins, separated by commas, whose web pages may call the API with credentials, such as https://app.example.com."`
	RequestTimeout  time.Duration `env:"BATON_REQUEST_TIMEOUT" envDefault:"10s" doc:"Longest time to answer a request. Streams are not requests in this sense."`
	MaxStreams      int           `env:"BATON_MAX_STREAMS" envDefault:"10000" doc:"Most live streams that one process serves."`
	FeedRetention   time.Duration `env:"BATON_FEED_RETENTION" envDefault:"168h" doc:"How long feed events are kept; a reader that was away for longer has to load the queue anew."`
	Drain           time.Duration `env:"BATON_DRAIN" envDefault:"10s" doc:"Time over which a process that shuts down spreads the ends of its streams; 0s is all at once."`
	ShutdownTimeout time.Duration `env:"BATON_SHUTDOWN_TIMEOUT" envDefault:"30s" doc:"Longest time for the API to shut down, the drain included; then what is left is cut off. A worker gets 30 more seconds for activities under way."`

	LogLevel  slog.Level `env:"BATON_LOG_LEVEL" envDefault:"info" doc:"Least level to log: debug, info, warn or error."`
	LogFormat string     `env:"BATON_LOG_FORMAT" envDefault:"json" doc:"Form of the log: json or text."`

	AuthHS256Secret  Secret        `env:"BATON_AUTH_HS256_SECRET" doc:"Secret of at least 32 bytes that the issuer of tokens signs them with (HS256). Excludes a JWKS."`
	AuthIssuer       string        `env:"BATON_AUTH_ISSUER" doc:"Issuer (iss) that tokens must have. Without a secret and a JWKS URL, its keys are found by OpenID Connect Discovery."`
	AuthAudience     string        `env:"BATON_AUTH_AUDIENCE" doc:"Audience (aud) that tokens must have."`
	AuthJWKSURL      string        `env:"BATON_AUTH_JWKS_URL" doc:"Where the issuer publishes its keys, when that cannot be discovered."`
	AuthAlgorithms   []string      `env:"BATON_AUTH_ALGORITHMS" envDefault:"RS256,ES256,EdDSA" doc:"Signature algorithms that are accepted with keys of an issuer, separated by commas."`
	AuthCache        time.Duration `env:"BATON_AUTH_CACHE" envDefault:"5s" doc:"How long it is remembered who a token stands for, without checking it or asking the database again, which is how long a change of role may take; 0s is not at all."`
	AuthProvision    bool          `env:"BATON_AUTH_PROVISION" envDefault:"false" doc:"Add users whom nobody has invited, from the claims of their tokens."`
	AuthAccountClaim string        `env:"BATON_AUTH_ACCOUNT_CLAIM" envDefault:"account_id" doc:"Claim with the account (a UUID) of a user to add."`
	AuthRoleClaim    string        `env:"BATON_AUTH_ROLE_CLAIM" envDefault:"role" doc:"Claim with the role of a user to add: viewer, engineer, admin or owner."`
	AuthNameClaim    string        `env:"BATON_AUTH_NAME_CLAIM" envDefault:"name" doc:"Claim with the name of a user to add."`

	TemporalUIURL       string `env:"BATON_TEMPORAL_UI_URL" doc:"Temporal's web UI, such as https://cloud.temporal.io, to link handoffs to their workflows."`
	WorkerWorkflowTasks int    `env:"BATON_WORKER_WORKFLOW_TASKS" envDefault:"100" doc:"Most workflow tasks that one worker process runs at once."`
	WorkerListen        string `env:"BATON_WORKER_LISTEN" doc:"Address that a process which runs only a worker serves /metrics and /healthz on, as host:port. Without it, it serves nothing."`
	WorkerActivities    int    `env:"BATON_WORKER_ACTIVITIES" envDefault:"100" doc:"Most activities that one worker process runs at once, on each task queue."`
}
