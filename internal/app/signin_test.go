package app_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/remote"
	"github.com/baton-handoff/baton/models"
)

// TestWhoIsLetIn shows bad tokens at the front door.
func TestWhoIsLetIn(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	base := b.api()
	good := jwt.MapClaims{
		"sub": *b.ana.Subject, "iss": issuer, "aud": audience,
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	sign := func(method jwt.SigningMethod, key any, change func(jwt.MapClaims)) string {
		t.Helper()
		claims := jwt.MapClaims{}
		for k, v := range good {
			claims[k] = v
		}
		change(claims)
		token, err := jwt.NewWithClaims(method, claims).SignedString(key)
		require.NoError(t, err)
		return token
	}
	same := func(jwt.MapClaims) {}
	hs := func(change func(jwt.MapClaims)) string { return sign(jwt.SigningMethodHS256, []byte(secret), change) }
	valid := hs(same)
	_, rest, _ := strings.Cut(valid, ".")

	for name, c := range map[string]struct {
		token string
		want  int
	}{
		"a good one":        {valid, http.StatusOK},
		"none at all":       {"", http.StatusUnauthorized},
		"garbage":           {"x.y.z", http.StatusUnauthorized},
		"expired":           {hs(func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-time.Hour).Unix() }), http.StatusUnauthorized},
		"without an end":    {hs(func(c jwt.MapClaims) { delete(c, "exp") }), http.StatusUnauthorized},
		"not valid yet":     {hs(func(c jwt.MapClaims) { c["nbf"] = time.Now().Add(time.Hour).Unix() }), http.StatusUnauthorized},
		"for somebody else": {hs(func(c jwt.MapClaims) { c["aud"] = "another" }), http.StatusUnauthorized},
		"by somebody else":  {hs(func(c jwt.MapClaims) { c["iss"] = "another" }), http.StatusUnauthorized},
		"another secret":    {sign(jwt.SigningMethodHS256, []byte(strings.Repeat("x", 40)), same), http.StatusUnauthorized},
		"another algorithm": {sign(jwt.SigningMethodHS512, []byte(secret), same), http.StatusUnauthorized},
		"alg none":          {sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, same), http.StatusUnauthorized},
		"alg none, forged":  {base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + rest, http.StatusUnauthorized},
		"nobody we know":    {hs(func(c jwt.MapClaims) { c["sub"] = "stranger" }), http.StatusForbidden},
		"role in the token": {hs(func(c jwt.MapClaims) { c["sub"], c["role"] = *b.vic.Subject, "owner" }), http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/api/v1/ai-sessions/queue", nil)
			require.NoError(t, err)
			if c.token != "" {
				req.Header.Set("Authorization", "Bearer "+c.token)
			}
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			defer func() { _ = resp.Body.Close() }()
			require.Equal(t, c.want, resp.StatusCode)
			if c.want == http.StatusUnauthorized {
				require.NotEmpty(t, resp.Header.Get("WWW-Authenticate"))
				require.Equal(t, "application/problem+json", resp.Header.Get("Content-Type"))
			}
		})
	}
}

// TestARemovedUserIsLetInNoMore: neither by a request nor by an open stream.
func TestARemovedUserIsLetInNoMore(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	base := b.api()
	open, ended := make(chan struct{}), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		ended <- b.as(b.ana, base).Follow(ctx, "", nil, func(e remote.Event) error {
			if e.Type == remote.Ready {
				close(open)
			}
			return nil
		})
	}()
	<-open
	b.changeUser(b.ana, models.UserChange{Disabled: new(true)})
	eventually(t, "requests are refused", func() bool {
		status, _, err := b.tryCall(b.ana, http.MethodGet, base+"/api/v1/ai-sessions/queue", nil)
		return err == nil && status == http.StatusUnauthorized
	})
	// The stream ends within a minute; the client reconnects and is refused.
	requireRefusal(t, <-ended, http.StatusUnauthorized, models.CodeUnauthenticated)
}
