// Package auth finds out who a bearer token stands for: it verifies the token
// ([Verifier]) and looks its subject up ([Authenticator]). What a person may do
// comes from the database, never from the token.
package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/baton-handoff/baton/models"
)

const (
	// leeway is how far the clocks of an issuer and ours may be apart.
	leeway = 30 * time.Second
	// maxToken bounds a token in bytes before anything is decoded.
	maxToken = 16 << 10
	// maxSubject bounds the `sub` claim in bytes (OpenID Connect Core, section
	// 2, allows 255 ASCII characters).
	maxSubject = 255
	// MinSecret is the least length of an HS256 secret in bytes, which is that
	// of the hash (RFC 7518, section 3.2).
	MinSecret = 32
)

// Algorithms are the signature algorithms that can be configured for keys from
// a JWKS. With an HS256 secret there is no choice.
var Algorithms = []string{"RS256", "ES256", "EdDSA"}

// Config says which tokens are good.
type Config struct {
	// HS256Secret is a key shared with the issuer. It excludes JWKSURL.
	HS256Secret []byte
	// JWKSURL is where the issuer publishes its keys. When it and HS256Secret
	// are empty, it is discovered from Issuer (OpenID Connect Discovery).
	JWKSURL string
	// Algorithms are those of [Algorithms] that are accepted; all when empty.
	Algorithms []string
	// Issuer and Audience have to be in the token, unless they are empty.
	Issuer, Audience string
	// Names of the claims that provisioning reads.
	AccountClaim, RoleClaim, NameClaim string

	// Client fetches keys; nil is http.DefaultClient.
	Client *http.Client
	// Logger is slog.Default when nil.
	Logger *slog.Logger
	// Now is time.Now when nil.
	Now func() time.Time
}

// Claims are what a verified token says about its bearer. AccountID and Role
// are the zero value when the token does not say, or says nonsense.
type Claims struct {
	Subject       string
	Email         string
	EmailVerified bool
	Name          string
	AccountID     uuid.UUID
	Role          models.Role
	ExpiresAt     time.Time
}

// Verifier verifies tokens. It may be used by several goroutines.
type Verifier struct {
	cfg    Config
	parser *jwt.Parser
	keys   *keySet // nil with a secret
}

// NewVerifier returns a verifier, or an error that says what is wrong with
// cfg. Keys are fetched when they are first needed.
func NewVerifier(cfg Config) (*Verifier, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Client == nil {
		cfg.Client = http.DefaultClient
	}
	v := &Verifier{cfg: cfg}
	accepted := cfg.Algorithms
	switch {
	case len(cfg.HS256Secret) > 0 && cfg.JWKSURL != "":
		return nil, errors.New("auth: a secret and a JWKS URL exclude each other")
	case len(cfg.HS256Secret) > 0:
		if len(cfg.HS256Secret) < MinSecret {
			return nil, fmt.Errorf("auth: the secret has %d bytes, at least %d are needed", len(cfg.HS256Secret), MinSecret)
		}
		accepted = []string{jwt.SigningMethodHS256.Alg()}
	case cfg.JWKSURL != "" || cfg.Issuer != "":
		if len(accepted) == 0 {
			accepted = Algorithms
		}
		for _, a := range accepted {
			if !slices.Contains(Algorithms, a) {
				return nil, fmt.Errorf("auth: algorithm %q is not one of %v", a, Algorithms)
			}
		}
		v.keys = &keySet{url: cfg.JWKSURL, issuer: cfg.Issuer, client: cfg.Client, now: cfg.Now, log: cfg.Logger}
	default:
		return nil, errors.New("auth: a secret, a JWKS URL or an issuer is needed")
	}
	options := []jwt.ParserOption{
		jwt.WithValidMethods(accepted), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
		jwt.WithLeeway(leeway), jwt.WithTimeFunc(cfg.Now), jwt.WithStrictDecoding(),
	}
	if cfg.Issuer != "" {
		options = append(options, jwt.WithIssuer(cfg.Issuer))
	}
	if cfg.Audience != "" {
		options = append(options, jwt.WithAudience(cfg.Audience))
	}
	v.parser = jwt.NewParser(options...)
	return v, nil
}

// Check reports whether tokens can be verified now, fetching keys when none
// is known.
func (v *Verifier) Check(ctx context.Context) error {
	if v.keys == nil {
		return nil
	}
	return v.keys.ready(ctx)
}

// Verify returns what a token says when it is good. It fails with
// [models.CodeUnauthenticated] when it is not, and with
// [models.CodeUnavailable] when the key to tell that cannot be had now. No
// error repeats any part of the token.
func (v *Verifier) Verify(ctx context.Context, token string) (Claims, error) {
	if len(token) > maxToken {
		return Claims{}, unauthenticated(ReasonMalformed, "The token is too long.")
	}
	claims := jwt.MapClaims{}
	_, err := v.parser.ParseWithClaims(token, claims, func(t *jwt.Token) (any, error) { return v.key(ctx, t) })
	if err != nil {
		return Claims{}, refusal(err)
	}
	return v.read(claims)
}

// key finds the key that has to have signed a token. The parser has already
// refused algorithms that are not accepted, so that no public key is ever
// taken for a secret.
func (v *Verifier) key(ctx context.Context, t *jwt.Token) (any, error) {
	if _, critical := t.Header["crit"]; critical {
		// An extension that has to be understood, and is not (RFC 7515, 4.1.11).
		return nil, ReasonMalformed
	}
	if v.keys == nil {
		return v.cfg.HS256Secret, nil
	}
	kid, ok := t.Header["kid"].(string)
	if !ok || kid == "" {
		return nil, ReasonUnknownKey
	}
	key, err := v.keys.find(ctx, kid)
	if err != nil {
		return nil, err
	}
	if key.algorithm != "" && key.algorithm != t.Method.Alg() {
		return nil, ReasonAlgorithm
	}
	return key.public, nil
}

// refusal turns the parser's error into ours. Claims are looked at only after
// the signature, so what is said about them is said to somebody who has a
// token of the issuer.
func refusal(err error) error {
	var ours *models.Error
	var why Reason
	switch {
	case errors.As(err, &ours):
		return ours
	case errors.As(err, &why) && why != ReasonMalformed:
		return unauthenticated(why, "The token is not signed by a key that is accepted here.")
	case why == ReasonMalformed, errors.Is(err, jwt.ErrTokenMalformed):
		return unauthenticated(ReasonMalformed, "The token is malformed.")
	case errors.Is(err, jwt.ErrTokenUnverifiable):
		return unauthenticated(ReasonAlgorithm, "The token is not signed by a key that is accepted here.")
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return unauthenticated(ReasonSignature, "The token is not signed by a key that is accepted here.")
	case errors.Is(err, jwt.ErrTokenInvalidIssuer):
		return unauthenticated(ReasonIssuer, "The token comes from an issuer that is not trusted here.")
	case errors.Is(err, jwt.ErrTokenInvalidAudience):
		return unauthenticated(ReasonAudience, "The token is meant for another service.")
	case errors.Is(err, jwt.ErrTokenExpired):
		return unauthenticated(ReasonExpired, "The token has expired; sign in again.")
	case errors.Is(err, jwt.ErrTokenNotValidYet), errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return unauthenticated(ReasonNotYetValid, "The token is not valid yet; a clock may be wrong.")
	}
	return unauthenticated(ReasonClaims, "The token lacks a claim that is needed, or has one of the wrong type.")
}

// read takes the claims of a verified token.
func (v *Verifier) read(claims jwt.MapClaims) (Claims, error) {
	text := func(name string) string {
		s, _ := claims[name].(string)
		return s
	}
	c := Claims{
		Subject:       text("sub"),
		Email:         text("email"),
		EmailVerified: claims["email_verified"] == true || claims["email_verified"] == "true", // some issuers quote it
		Name:          text(v.cfg.NameClaim),
	}
	if c.Subject == "" || len(c.Subject) > maxSubject {
		return Claims{}, unauthenticated(ReasonClaims, "The token has no usable subject.")
	}
	if id, err := uuid.Parse(text(v.cfg.AccountClaim)); err == nil {
		c.AccountID = id
	}
	if role := models.Role(text(v.cfg.RoleClaim)); role.Valid() {
		c.Role = role
	}
	expires, err := claims.GetExpirationTime()
	if err != nil || expires == nil {
		return Claims{}, unauthenticated(ReasonClaims, "The token has no usable expiry.")
	}
	c.ExpiresAt = expires.UTC()
	return c, nil
}
