package config

import (
	"errors"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/baton-handoff/baton/internal/auth"
	"github.com/baton-handoff/baton/internal/llm"
	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/internal/notify/email"
	"github.com/baton-handoff/baton/internal/outbound"
	"github.com/baton-handoff/baton/internal/secrets"
	"github.com/baton-handoff/baton/models"
)

// maxAuthCache keeps what is promised about people whose role was taken away:
// their streams end within a minute.
const maxAuthCache = time.Minute

// validate checks each value by itself, and those that bind each other.
func (c Config) validate() error {
	for _, check := range []func() error{
		c.checkDatabase, c.checkServer, c.checkOrigins, c.checkTimes, c.checkCounts, c.checkAuth, c.checkOIDC, c.checkTemporal, c.checkPSA, c.checkLLM,
		c.checkNotify,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// RequireDatabase fails unless there is a database to use.
func (c Config) RequireDatabase() error {
	if c.DatabaseURL == "" {
		return problem("DATABASE_URL", "it is not set; write postgres://user:password@host:5432/database")
	}
	return nil
}

// RequireAuth fails unless it is clear which tokens are good.
func (c Config) RequireAuth() error {
	switch {
	case c.AuthHS256Secret == "" && c.AuthJWKSURL == "" && c.AuthIssuer == "":
		return problem("BATON_AUTH_ISSUER", "it is not set, so no token could be verified; set it to your OpenID Connect issuer, or set BATON_AUTH_HS256_SECRET")
	case c.AuthIssuer == "":
		return problem("BATON_AUTH_ISSUER", "it is not set, so tokens of anybody with the same keys would be good; set it to what the tokens have as iss")
	case c.AuthAudience == "":
		return problem("BATON_AUTH_AUDIENCE", "it is not set, so tokens for other services would be good; set it to what the tokens have as aud")
	}
	return nil
}

func (c Config) checkDatabase() error {
	// No part of the value is repeated: there is a password in it.
	dsn := c.DatabaseURL.Reveal()
	u, err := url.Parse(dsn)
	isURL := err == nil && (u.Scheme == "postgres" || u.Scheme == "postgresql")
	isWords := !strings.Contains(dsn, "://") && strings.Contains(dsn, "=")
	if dsn != "" && !isURL && !isWords {
		return problem("DATABASE_URL", "it is not the address of a PostgreSQL database; write postgres://user:password@host:5432/database, with special characters of the password percent-encoded")
	}
	return nil
}

func checkListen(name, address string) error {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return problem(name, "%q is not an address to listen on; write host:port, such as 127.0.0.1:8080 or :8080", address)
	}
	return nil
}

func (c Config) checkServer() error {
	if err := checkListen("BATON_LISTEN", c.Listen); err != nil {
		return err
	}
	if c.WorkerListen != "" {
		if err := checkListen("BATON_WORKER_LISTEN", c.WorkerListen); err != nil {
			return err
		}
	}
	if c.LogFormat != "json" && c.LogFormat != "text" {
		return problem("BATON_LOG_FORMAT", "%q is not a form of log; write json or text", c.LogFormat)
	}
	return nil
}

func (c Config) checkOrigins() error {
	for _, o := range c.AllowedOrigins {
		if o == "*" {
			return problem("BATON_ALLOWED_ORIGINS", "* would let every web page act for your users; list the origins, such as https://app.example.com")
		}
		u, err := url.Parse(o)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.Scheme+"://"+u.Host != o || o != strings.ToLower(o) {
			return problem("BATON_ALLOWED_ORIGINS", "%q is not an origin; write scheme, host and port alone, in small letters, such as https://app.example.com", o)
		}
	}
	return nil
}

func (c Config) checkTimes() error {
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"BATON_REQUEST_TIMEOUT", c.RequestTimeout},
		{"BATON_FEED_RETENTION", c.FeedRetention},
		{"BATON_SHUTDOWN_TIMEOUT", c.ShutdownTimeout},
	} {
		if d.value <= 0 {
			return problem(d.name, "%v is not a time to wait; write one above 0s", d.value)
		}
	}
	if c.Drain < 0 || c.Drain >= c.ShutdownTimeout {
		return problem("BATON_DRAIN", "%v does not fit into a shutdown of %v; write a time from 0s to less than BATON_SHUTDOWN_TIMEOUT", c.Drain, c.ShutdownTimeout)
	}
	if c.AuthCache < 0 || c.AuthCache > maxAuthCache {
		return problem("BATON_AUTH_CACHE", "%v is not acceptable, because it delays the loss of a role; write a time from 0s to %v", c.AuthCache, maxAuthCache)
	}
	return nil
}

func (c Config) checkCounts() error {
	for _, n := range []struct {
		name         string
		value, least int
	}{
		{"BATON_DB_MAX_CONNS", c.DBMaxConns, 2},
		{"BATON_MAX_STREAMS", c.MaxStreams, 1},
		{"BATON_WORKER_WORKFLOW_TASKS", c.WorkerWorkflowTasks, 2}, // Temporal's SDK refuses 1
		{"BATON_WORKER_ACTIVITIES", c.WorkerActivities, 1},
		{"BATON_LLM_CALLS", c.LLMCalls, 1},
	} {
		if n.value < n.least {
			return problem(n.name, "%d is too few; write at least %d", n.value, n.least)
		}
	}
	return nil
}

func (c Config) checkAuth() error {
	if n := len(c.AuthHS256Secret.Reveal()); n > 0 && n < auth.MinSecret {
		return problem("BATON_AUTH_HS256_SECRET", "it has %d bytes; use at least %d random ones, as from: openssl rand -base64 48", n, auth.MinSecret)
	}
	if c.AuthHS256Secret != "" && c.AuthJWKSURL != "" {
		return problem("BATON_AUTH_JWKS_URL", "BATON_AUTH_HS256_SECRET is set as well; set one of them")
	}
	if len(c.AuthAlgorithms) == 0 {
		return problem("BATON_AUTH_ALGORITHMS", "it names no algorithm; choose from %s", strings.Join(auth.Algorithms, ","))
	}
	for _, a := range c.AuthAlgorithms {
		if !slices.Contains(auth.Algorithms, a) {
			return problem("BATON_AUTH_ALGORITHMS", "%q is not accepted; choose from %s", a, strings.Join(auth.Algorithms, ","))
		}
	}
	if c.AuthJWKSURL != "" {
		return checkKeySource("BATON_AUTH_JWKS_URL", c.AuthJWKSURL)
	}
	if c.AuthIssuer != "" && c.AuthHS256Secret == "" {
		return checkKeySource("BATON_AUTH_ISSUER", c.AuthIssuer)
	}
	return nil
}

func (c Config) checkOIDC() error {
	switch {
	case c.OIDCSession < time.Minute || c.OIDCSession > maxConsoleSession:
		return problem("BATON_OIDC_SESSION", "%v is out of range; write 1m to %v", c.OIDCSession, maxConsoleSession)
	case c.OIDCClientID == "" && c.OIDCClientSecret != "":
		return problem("BATON_OIDC_CLIENT_ID", "it is not set, though its secret is; write the client's id at the issuer")
	case c.OIDCClientID == "":
		return nil
	case c.AuthIssuer == "" || c.AuthHS256Secret != "":
		return problem("BATON_AUTH_ISSUER", "the console signs people in there, so set it to your OpenID Connect issuer, without BATON_AUTH_HS256_SECRET")
	case c.PublicURL == "":
		return problem("BATON_PUBLIC_URL", "it is not set, so the issuer could not send people back; write the address of the console, such as https://baton.example.com")
	case c.SecretKeys == "":
		return problem("BATON_SECRET_KEYS", "it is not set, so no session could be sealed; make one with: baton secrets key")
	case !slices.Contains(c.OIDCScopes, "openid"):
		return problem("BATON_OIDC_SCOPES", "openid is not among them; write openid,profile,email")
	}
	return nil
}

// maxConsoleSession bounds what a stolen cookie is good for.
const maxConsoleSession = 7 * 24 * time.Hour

// checkKeySource refuses to fetch keys over a connection on which anybody
// could put in their own. A host without a dot is on this machine or inside
// one private network.
func checkKeySource(name, value string) error {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return problem(name, "%q is not a URL to fetch keys from; write one such as https://id.example.com", value)
	}
	host := u.Hostname()
	local := net.ParseIP(host).IsLoopback() || !strings.ContainsAny(host, ".:")
	if u.Scheme == "http" && !local {
		return problem(name, "%q would fetch keys unprotected; write https:// (http:// is for loopback, and for hosts without a dot)", value)
	}
	return nil
}

func (c Config) checkTemporal() error {
	u, err := url.Parse(c.TemporalUIURL)
	if c.TemporalUIURL != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		return problem("BATON_TEMPORAL_UI_URL", "%q is not a URL; write one such as http://127.0.0.1:8233", c.TemporalUIURL)
	}
	return nil
}

func (c Config) checkPSA() error {
	if _, err := secrets.Parse(c.SecretKeys.Reveal()); err != nil {
		return problem("BATON_SECRET_KEYS", "%v; make an entry with: baton secrets key", err)
	}
	u, err := url.Parse(c.PublicURL)
	if c.PublicURL != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.Fragment != "") {
		return problem("BATON_PUBLIC_URL", "%q is not an address to call back; write one such as https://baton.example.com", c.PublicURL)
	}
	for _, p := range c.PSAAllowPrivate {
		if p.Bits() == 0 {
			return problem("BATON_PSA_ALLOW_PRIVATE", "%v is every network; list the private ones in which PSAs are, such as 10.20.0.0/16", p)
		}
	}
	return nil
}

// LLM is the language model that is to be asked. Its Kind is empty without one.
func (c Config) LLM() llm.Config {
	return llm.Config{
		Kind: c.LLMKind, Address: c.LLMAddress, Model: c.LLMModel, Timeout: c.LLMTimeout, Effort: c.LLMEffort,
		ContextTokens: c.LLMContextTokens, TokenLimit: c.LLMTokenLimit, Format: c.LLMFormat, Allow: c.LLMAllowPrivate,
	}
}

func (c Config) checkLLM() error {
	switch {
	case c.LLMKind == "" && (c.LLMModel != "" || c.LLMKey != "" || c.LLMAddress != ""):
		return problem("BATON_LLM", "it is not set, though other settings of a language model are; write anthropic or openai")
	case c.LLMKind == "":
		return nil
	case c.LLMModel == "":
		return problem("BATON_LLM_MODEL", "it is not set; write the model's id, such as claude-sonnet-5-5")
	case c.LLMKind == llm.KindAnthropic && c.LLMKey == "":
		return problem("BATON_LLM_KEY", "it is not set; write the key of your Anthropic account")
	}
	for _, p := range c.LLMAllowPrivate {
		if p.Bits() == 0 {
			return problem("BATON_LLM_ALLOW_PRIVATE", "%v is every network; list the private ones in which the model's service is, such as 10.20.0.0/16", p)
		}
	}
	if c.LLMTimeout > maxLLMTimeout {
		return problem("BATON_LLM_TIMEOUT", "%v is too long; write at most %v", c.LLMTimeout, maxLLMTimeout)
	}
	if len(c.LLMAllowPrivate) == 0 && (c.LLMPriceInput == 0 || c.LLMPriceOutput == 0) {
		return problem("BATON_LLM_PRICE_INPUT", "it or BATON_LLM_PRICE_OUTPUT is not set, so no budget could hold; write what a million tokens cost in US dollars, such as 3 and 15")
	}
	return c.checkLLMParts()
}

// checkLLMParts adds one setting after the other, so that the one which is
// wrong is named.
func (c Config) checkLLMParts() error {
	all := c.LLM()
	part := llm.Config{Kind: all.Kind, Model: "any", Allow: all.Allow}
	for _, add := range []struct {
		name string
		set  func()
	}{
		{"BATON_LLM", func() {}},
		{"BATON_LLM_MODEL", func() { part.Model = all.Model }},
		{"BATON_LLM_ADDRESS", func() { part.Address = all.Address }},
		{"BATON_LLM_TIMEOUT", func() { part.Timeout = all.Timeout }},
		{"BATON_LLM_CONTEXT_TOKENS", func() { part.ContextTokens = all.ContextTokens }},
		{"BATON_LLM_TOKEN_LIMIT", func() { part.TokenLimit = all.TokenLimit }},
		{"BATON_LLM_FORMAT", func() { part.Format = all.Format }},
	} {
		add.set()
		if invalid, ok := errors.AsType[*models.Error](part.Validate()); ok {
			return problem(add.name, "%s", invalid.Message)
		}
	}
	return nil
}

// maxLLMTimeout leaves room for all questions of one attempt of the activity.
const maxLLMTimeout = 4 * time.Minute

// Mail is the installation's mail server. Its Host is empty without one. The
// operator wrote its address, so it may be in any private network.
func (c Config) Mail() email.Config {
	return email.Config{
		Host: c.SMTPHost, Port: c.SMTPPort, Security: c.SMTPSecurity, Username: c.SMTPUser, Password: c.SMTPPassword,
		From: c.SMTPFrom, Network: notify.Network{Allow: append(outbound.Private(), outbound.Loopback()...)},
	}
}

func (c Config) checkNotify() error {
	for _, p := range c.NotifyAllowPrivate {
		if p.Bits() == 0 {
			return problem("BATON_NOTIFY_ALLOW_PRIVATE", "%v is every network; list the private ones in which channels are, such as 10.20.0.0/16", p)
		}
	}
	u, err := url.Parse(c.SlackURL)
	if c.SlackURL != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		return problem("BATON_SLACK_URL", "%q is not an address; write one such as http://127.0.0.1:9090", c.SlackURL)
	}
	if c.SMTPHost == "" {
		if c.SMTPUser != "" || c.SMTPPassword != "" || c.SMTPFrom != "" {
			return problem("BATON_SMTP_HOST", "it is not set, though other settings of a mail server are; write one such as smtp.example.com")
		}
		return nil
	}
	if c.SMTPFrom == "" {
		return problem("BATON_SMTP_FROM", "it is not set; write the sender of mail, such as Baton <baton@example.com>")
	}
	if _, err := email.New(c.Mail()); err != nil {
		return problem("BATON_SMTP_HOST", "%s", notify.AsError(err).Reason)
	}
	return nil
}
