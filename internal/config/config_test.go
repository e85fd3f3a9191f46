package config

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/llm"
	"github.com/baton-handoff/baton/internal/secrets"
)

const (
	goodSecret = "0123456789abcdef0123456789abcdef"
	goodDSN    = "postgres://baton:hunter2@db:5432/baton?sslmode=require"
)

func TestDefaults(t *testing.T) {
	t.Parallel()
	c, err := Load([]string{"PATH=/bin", "HOME=/root", "TEMPORAL_ADDRESS=temporal:7233", "=C:=C:\\"})
	require.NoError(t, err)
	require.Equal(t, Config{
		DBMaxConns: 20, Listen: "127.0.0.1:8080", RequestTimeout: 10 * time.Second, MaxStreams: 10_000,
		FeedRetention: 7 * 24 * time.Hour, Drain: 10 * time.Second, ShutdownTimeout: 30 * time.Second,
		LogLevel: slog.LevelInfo, LogFormat: "json",
		AuthAlgorithms: []string{"RS256", "ES256", "EdDSA"}, AuthCache: 5 * time.Second,
		AuthAccountClaim: "account_id", AuthRoleClaim: "role", AuthNameClaim: "name",
		LLMTimeout: 3 * time.Minute, LLMTokenLimit: llm.TokenLimitCompletion, LLMFormat: llm.FormatStrict,
		LLMMonthly: 50_000_000, LLMCalls: 8,
		SMTPSecurity: "starttls",
		OIDCScopes:   []string{"openid", "profile", "email"}, OIDCSession: 12 * time.Hour,
		WorkerWorkflowTasks: 100, WorkerActivities: 100,
	}, c)
	require.ErrorContains(t, c.RequireDatabase(), "DATABASE_URL")
	require.ErrorContains(t, c.RequireAuth(), "BATON_AUTH_ISSUER")
}

func TestLLM(t *testing.T) {
	t.Parallel()
	c, err := Load([]string{
		"BATON_LLM=openai", "BATON_LLM_MODEL=llama:8b", "BATON_LLM_ADDRESS=http://ollama:11434/v1", "BATON_LLM_ALLOW_PRIVATE=10.0.0.0/8",
		"BATON_LLM_PRICE_INPUT=0.15", "BATON_LLM_MONTHLY_BUDGET=12.5",
	})
	require.NoError(t, err)
	require.NoError(t, c.LLM().Validate())
	require.Equal(t, []llm.MicroUSD{150_000, 12_500_000}, []llm.MicroUSD{c.LLMPriceInput, c.LLMMonthly})
	for _, tc := range []struct {
		environ []string
		want    string
	}{
		{[]string{"BATON_LLM_MODEL=x"}, "BATON_LLM: it is not set"},
		{[]string{"BATON_LLM=anthropic"}, "BATON_LLM_MODEL: "},
		{[]string{"BATON_LLM=anthropic", "BATON_LLM_MODEL=claude-sonnet-5-5"}, "BATON_LLM_KEY: "},
		{[]string{"BATON_LLM=gemini", "BATON_LLM_MODEL=x", "BATON_LLM_ALLOW_PRIVATE=10.0.0.0/8"}, "anthropic or openai"},
		{[]string{"BATON_LLM=openai", "BATON_LLM_MODEL=x", "BATON_LLM_ADDRESS=http://ollama/v1", "BATON_LLM_PRICE_INPUT=1", "BATON_LLM_PRICE_OUTPUT=1"}, "BATON_LLM_ADDRESS: "},
		{[]string{"BATON_LLM=openai", "BATON_LLM_MODEL=x"}, "BATON_LLM_PRICE_INPUT: "},
		{[]string{"BATON_LLM=openai", "BATON_LLM_MODEL=x", "BATON_LLM_ALLOW_PRIVATE=10.0.0.0/8", "BATON_LLM_TIMEOUT=1h"}, "BATON_LLM_TIMEOUT: "},
		{[]string{"BATON_LLM=openai", "BATON_LLM_MODEL=x", "BATON_LLM_ALLOW_PRIVATE=0.0.0.0/0"}, "every network"},
		{[]string{"BATON_LLM_PRICE_INPUT=cheap"}, "an amount in US dollars, such as 3 or 0.15"},
		{[]string{"BATON_LLM_CALLS=0"}, "too few"},
	} {
		_, err := Load(tc.environ)
		require.ErrorContains(t, err, tc.want)
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	c, err := Load([]string{
		"DATABASE_URL=" + goodDSN,
		"BATON_LOG_LEVEL=warn",
		"BATON_LOG_FORMAT=text",
		"BATON_ALLOWED_ORIGINS= https://app.example.com, http://localhost:5173,",
		"BATON_AUTH_HS256_SECRET=" + goodSecret,
		"BATON_AUTH_ISSUER=baton-dev",
		"BATON_AUTH_AUDIENCE=baton",
		"BATON_AUTH_PROVISION=true",
		"BATON_DRAIN=0s",
		"BATON_MAX_STREAMS=", // empty is not set
		"BATON_LISTEN=:1",
		"BATON_LISTEN=[::1]:0", // the later one counts
	})
	require.NoError(t, err)
	require.Equal(t, goodDSN, c.DatabaseURL.Reveal())
	require.Equal(t, slog.LevelWarn, c.LogLevel)
	require.Equal(t, []string{"https://app.example.com", "http://localhost:5173"}, c.AllowedOrigins)
	require.True(t, c.AuthProvision)
	require.Zero(t, c.Drain)
	require.Equal(t, 10_000, c.MaxStreams)
	require.Equal(t, "[::1]:0", c.Listen)
	require.NoError(t, c.RequireDatabase())
	require.NoError(t, c.RequireAuth())
}

func TestBadValues(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		environ string // entries, separated by spaces
		says    []string
	}{
		// Names.
		{"BATON_LITSEN=:80", []string{"BATON_LITSEN: ", "did you mean BATON_LISTEN?"}},
		{"BATON_DATABASE_URL=x", []string{"BATON_DATABASE_URL: ", "did you mean DATABASE_URL?"}},
		{"BATON_AUTH_SECRET_FILE=x", []string{"BATON_AUTH_SECRET_FILE: ", "docs/configuration.md"}},
		{"BATON_HS256_SECRET=x", []string{"did you mean BATON_AUTH_HS256_SECRET?"}},
		{"BATON_ISSUER=x", []string{"did you mean BATON_AUTH_ISSUER?"}},
		{"BATON_DEBUG=1", []string{"docs/configuration.md"}},
		{"BATON_AUTH_HS256_SECRETS=x", []string{"did you mean BATON_AUTH_HS256_SECRET?"}},
		{"BATON_FLUX_CAPACITOR=on", []string{"BATON_FLUX_CAPACITOR: there is no such variable; docs/configuration.md"}},
		{"BATON_LISTEN_FILE=/x", []string{"BATON_LISTEN_FILE: there is no such variable"}},
		{"BATON_PORT=8080", []string{"BATON_PORT: there is no such variable"}},

		// Types.
		{"BATON_DRAIN=10", []string{`BATON_DRAIN: "10" cannot be read; write a number with a unit, such as 10s`}},
		{"BATON_MAX_STREAMS=many", []string{`BATON_MAX_STREAMS: "many"`, "a whole number, such as 10000"}},
		{"BATON_AUTH_PROVISION=perhaps", []string{`BATON_AUTH_PROVISION: "perhaps"`, "true or false"}},
		{"BATON_LOG_LEVEL=loud", []string{`BATON_LOG_LEVEL: "loud"`, "debug, info, warn or error"}},

		// Values.
		{"DATABASE_URL=mysql://baton:hunter2@db/baton", []string{"DATABASE_URL: ", "postgres://"}},
		{"DATABASE_URL=postgres://baton:hunter2%zz@db/baton", []string{"DATABASE_URL: ", "percent-encoded"}},
		{"DATABASE_URL=hunter2", []string{"DATABASE_URL: "}},
		{"BATON_LISTEN=8080", []string{`BATON_LISTEN: "8080"`, ":8080"}},
		{"BATON_LISTEN=host:http", []string{"BATON_LISTEN: "}},
		{"BATON_LISTEN=host:70000", []string{"BATON_LISTEN: "}},
		{"BATON_LOG_FORMAT=xml", []string{"BATON_LOG_FORMAT: ", "json or text"}},
		{"BATON_ALLOWED_ORIGINS=*", []string{"BATON_ALLOWED_ORIGINS: ", "every web page"}},
		{"BATON_ALLOWED_ORIGINS=https://a.example.com/", []string{"BATON_ALLOWED_ORIGINS: ", "alone"}},
		{"BATON_ALLOWED_ORIGINS=https://ok.example.com,app.example.com", []string{`BATON_ALLOWED_ORIGINS: "app.example.com"`}},
		{"BATON_ALLOWED_ORIGINS=https://App.example.com", []string{"small letters"}},
		{"BATON_ALLOWED_ORIGINS=https://u:p@app.example.com", []string{"BATON_ALLOWED_ORIGINS: "}},
		{"BATON_ALLOWED_ORIGINS=ftp://app.example.com", []string{"BATON_ALLOWED_ORIGINS: "}},
		{"BATON_REQUEST_TIMEOUT=0s", []string{"BATON_REQUEST_TIMEOUT: 0s", "above 0s"}},
		{"BATON_FEED_RETENTION=-1h", []string{"BATON_FEED_RETENTION: "}},
		{"BATON_SHUTDOWN_TIMEOUT=-1s BATON_DRAIN=-2s", []string{"BATON_SHUTDOWN_TIMEOUT: "}},
		{"BATON_DRAIN=30s", []string{"BATON_DRAIN: ", "BATON_SHUTDOWN_TIMEOUT"}},
		{"BATON_DRAIN=-1s", []string{"BATON_DRAIN: "}},
		{"BATON_AUTH_CACHE=5m", []string{"BATON_AUTH_CACHE: 5m0s", "1m0s"}},
		{"BATON_DB_MAX_CONNS=1", []string{"BATON_DB_MAX_CONNS: 1 is too few; write at least 2"}},
		{"BATON_MAX_STREAMS=0", []string{"BATON_MAX_STREAMS: "}},
		{"BATON_WORKER_WORKFLOW_TASKS=1", []string{"BATON_WORKER_WORKFLOW_TASKS: "}},
		{"BATON_WORKER_ACTIVITIES=-5", []string{"BATON_WORKER_ACTIVITIES: "}},
		{"BATON_AUTH_HS256_SECRET=hunter2", []string{"BATON_AUTH_HS256_SECRET: it has 7 bytes", "32"}},
		{"BATON_AUTH_HS256_SECRET=" + goodSecret + " BATON_AUTH_JWKS_URL=https://id.example.com/keys", []string{"BATON_AUTH_JWKS_URL: ", "BATON_AUTH_HS256_SECRET"}},
		{"BATON_AUTH_ALGORITHMS=RS256,none", []string{`BATON_AUTH_ALGORITHMS: "none"`}},
		{"BATON_AUTH_ALGORITHMS=HS256", []string{`BATON_AUTH_ALGORITHMS: "HS256"`}},
		{"BATON_AUTH_ALGORITHMS=,", []string{"BATON_AUTH_ALGORITHMS: "}},
		{"BATON_AUTH_JWKS_URL=id.example.com/keys", []string{"BATON_AUTH_JWKS_URL: "}},
		{"BATON_AUTH_JWKS_URL=http://id.example.com/keys", []string{"BATON_AUTH_JWKS_URL: ", "unprotected"}},
		{"BATON_AUTH_ISSUER=http://203.0.113.7", []string{"BATON_AUTH_ISSUER: ", "unprotected"}},
		{"BATON_AUTH_ISSUER=acme", []string{"BATON_AUTH_ISSUER: ", "https://id.example.com"}},
		{"BATON_TEMPORAL_UI_URL=localhost:8233", []string{"BATON_TEMPORAL_UI_URL: ", "http://127.0.0.1:8233"}},
	} {
		_, err := Load(strings.Fields(test.environ))
		require.Error(t, err, test.environ)
		for _, s := range test.says {
			require.ErrorContains(t, err, s, test.environ)
		}
		require.NotContains(t, err.Error(), "\n", test.environ)
		require.NotContains(t, err.Error(), "hunter2", test.environ)
		require.NotContains(t, err.Error(), goodSecret, test.environ)
	}
}

func TestAcceptedValues(t *testing.T) {
	t.Parallel()
	for _, environ := range []string{
		"DATABASE_URL=postgresql:///baton?host=/var/run/postgresql",
		"DATABASE_URL=host=db;dbname=baton",
		"BATON_AUTH_ISSUER=https://id.example.com/",
		"BATON_AUTH_ISSUER=http://localhost:8081",
		"BATON_AUTH_ISSUER=http://keycloak:8080/realms/acme",
		"BATON_AUTH_JWKS_URL=http://[::1]:9/keys BATON_AUTH_ISSUER=acme",
		"BATON_AUTH_CACHE=0s",
		"BATON_TEMPORAL_UI_URL=https://cloud.temporal.io",
		// What Kubernetes sets for services named baton and baton-api.
		"BATON_SERVICE_HOST=10.0.0.1 BATON_SERVICE_PORT=8080 BATON_SERVICE_PORT_HTTP=8080 BATON_PORT=tcp://10.0.0.1:8080 BATON_PORT_8080_TCP=tcp://10.0.0.1:8080 BATON_PORT_8080_TCP_PROTO=tcp BATON_PORT_8080_TCP_PORT=8080 BATON_PORT_8080_TCP_ADDR=10.0.0.1",
		"BATON_API_SERVICE_HOST=10.0.0.1 BATON_API_PORT=tcp://10.0.0.1:8080 BATON_API_PORT_8080_TCP_ADDR=10.0.0.1",
	} {
		_, err := Load(strings.Fields(environ))
		require.NoError(t, err, environ)
	}
}

func TestRequireAuth(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ environ, misses string }{
		{"", "BATON_AUTH_ISSUER"},
		{"BATON_AUTH_HS256_SECRET=" + goodSecret, "BATON_AUTH_ISSUER"},
		{"BATON_AUTH_JWKS_URL=https://id.example.com/keys BATON_AUTH_AUDIENCE=baton", "BATON_AUTH_ISSUER"},
		{"BATON_AUTH_HS256_SECRET=" + goodSecret + " BATON_AUTH_ISSUER=dev", "BATON_AUTH_AUDIENCE"},
		{"BATON_AUTH_ISSUER=https://id.example.com", "BATON_AUTH_AUDIENCE"},
		{"BATON_AUTH_ISSUER=https://id.example.com BATON_AUTH_AUDIENCE=baton", ""},
		{"BATON_AUTH_ISSUER=x BATON_AUTH_JWKS_URL=https://id.example.com/keys BATON_AUTH_AUDIENCE=baton", ""},
		{"BATON_AUTH_HS256_SECRET=" + goodSecret + " BATON_AUTH_ISSUER=dev BATON_AUTH_AUDIENCE=baton", ""},
	} {
		c, err := Load(strings.Fields(test.environ))
		require.NoError(t, err, test.environ)
		err = c.RequireAuth()
		if test.misses == "" {
			require.NoError(t, err, test.environ)
			continue
		}
		require.ErrorContains(t, err, test.misses+": ", test.environ)
	}
}

func TestSecretsFromFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	for content, want := range map[string]string{
		goodSecret:          goodSecret,
		goodSecret + "\n":   goodSecret,
		goodSecret + "\r\n": goodSecret,
		goodSecret + " \n":  goodSecret + " ", // a space may be meant
	} {
		c, err := Load([]string{"BATON_AUTH_HS256_SECRET_FILE=" + write("secret", content)})
		require.NoError(t, err)
		require.Equal(t, want, c.AuthHS256Secret.Reveal())
	}
	c, err := Load([]string{"DATABASE_URL_FILE=" + write("dsn", goodDSN+"\n"), "DATABASE_URL="})
	require.NoError(t, err)
	require.Equal(t, goodDSN, c.DatabaseURL.Reveal())

	for name, environ := range map[string][]string{
		"missing": {"DATABASE_URL_FILE=" + filepath.Join(dir, "none")},
		"empty":   {"DATABASE_URL_FILE=" + write("empty", "\n")},
		"both":    {"DATABASE_URL_FILE=" + write("dsn", goodDSN), "DATABASE_URL=" + goodDSN},
	} {
		_, err := Load(environ)
		require.ErrorContains(t, err, "DATABASE_URL_FILE: ", name)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	c, err := Load([]string{"DATABASE_URL=" + goodDSN, "BATON_AUTH_HS256_SECRET=" + goodSecret})
	require.NoError(t, err)
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%10s", "%!"} {
		for _, v := range []any{c, &c, c.DatabaseURL, &c.DatabaseURL, []secrets.Secret{c.DatabaseURL}, map[string]secrets.Secret{"x": c.DatabaseURL}} {
			fmt.Fprintf(&out, verb, v)
		}
	}
	require.NoError(t, json.NewEncoder(&out).Encode(c))
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("start", "config", c, "secret", c.DatabaseURL, "redacted", c.Redacted())
	}
	require.NotContains(t, out.String(), "hunter2")
	require.NotContains(t, out.String(), goodSecret)
	require.NotContains(t, strings.ToLower(out.String()), fmt.Sprintf("%x", "hunter2"))
	require.Contains(t, out.String(), secrets.Redacted)

	require.Equal(t, secrets.Redacted, c.DatabaseURL.String())
}

func TestRedacted(t *testing.T) {
	t.Parallel()
	c, err := Load([]string{"DATABASE_URL=" + goodDSN, "BATON_ALLOWED_ORIGINS=https://a.example.com,https://b.example.com"})
	require.NoError(t, err)
	got := map[string]string{}
	for _, a := range c.Redacted().Group() {
		got[a.Key] = a.Value.String()
	}
	require.Len(t, got, len(variables()))
	require.Equal(t, secrets.Redacted, got["DATABASE_URL"])
	require.Empty(t, got["BATON_AUTH_HS256_SECRET"])
	require.Equal(t, "10s", got["BATON_DRAIN"])
	require.Equal(t, "INFO", got["BATON_LOG_LEVEL"])
	require.Equal(t, "[https://a.example.com https://b.example.com]", got["BATON_ALLOWED_ORIGINS"])
}

func TestEveryVariableIsDocumented(t *testing.T) {
	t.Parallel()
	page := Markdown()
	seen := map[string]bool{}
	for _, v := range variables() {
		require.False(t, seen[v.name], v.name)
		seen[v.name] = true
		require.Regexp(t, `^(BATON_[A-Z0-9_]+|DATABASE_URL)$`, v.name)
		require.Regexp(t, `\.$`, v.doc, v.name)
		require.Contains(t, page, "| `"+v.name+"` |")
		require.Equal(t, v.secret(), strings.Contains(page, "`"+v.name+"_FILE`"), v.name)
	}
	for _, v := range temporalVariables {
		require.Contains(t, page, "| `"+v[0]+"` |")
	}
	require.Contains(t, page, "| `127.0.0.1:8080` |")
	require.NotContains(t, page, "\n\n\n")
}

func TestDistance(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "abd", 1}, {"abc", "bc", 1}, {"kitten", "sitting", 3}} {
		require.Equal(t, test.want, distance(test.a, test.b), "%s %s", test.a, test.b)
	}
}

func TestTemporalOptions(t *testing.T) {
	t.Parallel()
	none := "TEMPORAL_CONFIG_FILE=" + filepath.Join(t.TempDir(), "none.toml")
	o, err := TemporalOptions([]string{none})
	require.NoError(t, err)
	require.Empty(t, o.HostPort, "the SDK's default")

	o, err = TemporalOptions([]string{none, "TEMPORAL_ADDRESS=a:1", "TEMPORAL_ADDRESS=b:2", "TEMPORAL_NAMESPACE=acme", "TEMPORAL_API_KEY=hunter2"})
	require.NoError(t, err)
	require.Equal(t, "b:2", o.HostPort)
	require.Equal(t, "acme", o.Namespace)
	require.NotNil(t, o.ConnectionOptions.TLS, "an API key turns TLS on")

	_, err = TemporalOptions([]string{none, "TEMPORAL_TLS_CLIENT_CERT_PATH=/none"})
	require.ErrorContains(t, err, "TEMPORAL_")
	require.NotContains(t, err.Error(), "\n")
}

func TestPSASettings(t *testing.T) {
	t.Parallel()
	const key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	c, err := Load([]string{"BATON_SECRET_KEYS=k2:" + key + ",k1:" + key, "BATON_PUBLIC_URL=https://baton.example.com", "BATON_PSA_ALLOW_PRIVATE=10.20.0.0/16,fd12::/16"})
	require.NoError(t, err)
	require.Len(t, c.PSAAllowPrivate, 2)
	require.NotContains(t, fmt.Sprintf("%+v %#v %v", c, c, c.Redacted()), key)
	for environ, says := range map[string]string{
		"BATON_SECRET_KEYS=" + key:                "BATON_SECRET_KEYS: entry 1",
		"BATON_SECRET_KEYS=k1:" + key + ",k2:abc": "BATON_SECRET_KEYS: entry 2",
		"BATON_PUBLIC_URL=baton.example.com":      "BATON_PUBLIC_URL: ",
		"BATON_PSA_ALLOW_PRIVATE=10.0.0.0":        "BATON_PSA_ALLOW_PRIVATE: ",
		"BATON_PSA_ALLOW_PRIVATE=0.0.0.0/0":       "BATON_PSA_ALLOW_PRIVATE: ",
	} {
		_, err := Load([]string{environ})
		require.ErrorContains(t, err, says)
		require.NotContains(t, err.Error(), key)
		require.NotContains(t, err.Error(), "\n")
	}
}

func TestMailServer(t *testing.T) {
	t.Parallel()
	c, err := Load([]string{"BATON_SMTP_HOST=smtp.example.com", "BATON_SMTP_FROM=Baton <baton@example.com>", "BATON_SMTP_USER=baton", "BATON_SMTP_PASSWORD=hunter2"})
	require.NoError(t, err)
	require.Equal(t, "smtp.example.com", c.Mail().Host)
	require.NotContains(t, fmt.Sprint(c), "hunter2")
	for setting, environ := range map[string][]string{
		"BATON_SMTP_HOST":            {"BATON_SMTP_FROM=baton@example.com"},
		"BATON_SMTP_FROM":            {"BATON_SMTP_HOST=smtp.example.com"},
		"BATON_NOTIFY_ALLOW_PRIVATE": {"BATON_NOTIFY_ALLOW_PRIVATE=0.0.0.0/0"},
		"BATON_SLACK_URL":            {"BATON_SLACK_URL=slack"},
	} {
		_, err := Load(environ)
		require.ErrorContains(t, err, setting)
	}
	for _, wrong := range []string{"BATON_SMTP_FROM=Baton", "BATON_SMTP_SECURITY=ssl", "BATON_SMTP_USER=baton"} {
		_, err := Load([]string{"BATON_SMTP_HOST=smtp.example.com", "BATON_SMTP_FROM=baton@example.com", wrong})
		require.ErrorContains(t, err, "BATON_SMTP_HOST", wrong)
	}
}

func TestConsoleSignIn(t *testing.T) {
	t.Parallel()
	key := "BATON_SECRET_KEYS=k:" + base64.StdEncoding.EncodeToString(make([]byte, 32))
	const issuer, client, public = "BATON_AUTH_ISSUER=https://id.example.com", "BATON_OIDC_CLIENT_ID=console", "BATON_PUBLIC_URL=https://baton.example.com"
	c, err := Load([]string{issuer, client, public, key, "BATON_OIDC_CLIENT_SECRET=hush", "BATON_OIDC_SCOPES=openid, email"})
	require.NoError(t, err)
	require.Equal(t, []string{"openid", "email"}, c.OIDCScopes)
	require.NotContains(t, fmt.Sprintf("%+v %v", c, c.Redacted()), "hush")
	for name, tc := range map[string]struct {
		environ []string
		want    string
	}{
		"a secret without a client": {[]string{issuer, public, key, "BATON_OIDC_CLIENT_SECRET=hush"}, "BATON_OIDC_CLIENT_ID: "},
		"no issuer":                 {[]string{client, public, key}, "BATON_AUTH_ISSUER: "},
		"tokens by a secret":        {[]string{issuer, client, public, key, "BATON_AUTH_HS256_SECRET=" + strings.Repeat("x", 32)}, "BATON_AUTH_ISSUER: "},
		"nowhere to come back to":   {[]string{issuer, client, key}, "BATON_PUBLIC_URL: "},
		"nothing to seal with":      {[]string{issuer, client, public}, "BATON_SECRET_KEYS: "},
		"not OpenID":                {[]string{issuer, client, public, key, "BATON_OIDC_SCOPES=email"}, "BATON_OIDC_SCOPES: "},
		"a session without end":     {[]string{"BATON_OIDC_SESSION=9000h"}, "BATON_OIDC_SESSION: "},
		"no session at all":         {[]string{"BATON_OIDC_SESSION=0s"}, "BATON_OIDC_SESSION: "},
	} {
		_, err := Load(tc.environ)
		require.ErrorContains(t, err, tc.want, name)
	}
}
