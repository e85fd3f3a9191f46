package auth

import (
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// DevSigner makes tokens of the kind that a [Verifier] with the same secret,
// issuer and audience accepts. It is for the demo account and for tests.
type DevSigner struct {
	secret           []byte
	issuer, audience string
}

// NewDevSigner returns a signer. The secret has at least [MinSecret] bytes.
func NewDevSigner(secret []byte, issuer, audience string) DevSigner {
	return DevSigner{secret: secret, issuer: issuer, audience: audience}
}

// Sign returns a token for a person whose e-mail address counts as verified.
func (s DevSigner) Sign(subject, email, name string, lifetime time.Duration) (string, error) {
	now := time.Now()
	return jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"iss": s.issuer, "aud": s.audience, "sub": subject,
		"iat": now.Unix(), "exp": now.Add(lifetime).Unix(),
		"email": email, "email_verified": true, "name": name,
	}).SignedString(s.secret)
}
