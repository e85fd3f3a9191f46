package auth

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/models"
)

var secret = []byte("0123456789abcdef0123456789abcdef")

func TestGoodTokens(t *testing.T) {
	t.Parallel()
	c := &clock{}
	is := newIssuer(t, map[string]string{"1": "rsa", "2": "ec", "3": "ed"})
	v := is.verifier(t, c)
	for kid, key := range map[string]string{"1": "rsa", "2": "ec", "3": "ed"} {
		claims, err := v.Verify(t.Context(), sign(t, key, is.claims(nil), map[string]any{"kid": kid}))
		require.NoError(t, err, key)
		require.Equal(t, Claims{Subject: "sam", Email: "sam@acme.test", EmailVerified: true, ExpiresAt: epoch.Add(time.Hour)}, claims)
	}
	require.Equal(t, int64(1), is.fetches.Load(), "keys are fetched once")
	require.NoError(t, v.Check(t.Context()))
}

func TestClaims(t *testing.T) {
	t.Parallel()
	account := uuid.New()
	v, err := NewVerifier(Config{
		HS256Secret: secret, Now: (&clock{}).now,
		AccountClaim: "https://baton/account", RoleClaim: "role", NameClaim: "name",
	})
	require.NoError(t, err)
	for name, test := range map[string]struct {
		change jwt.MapClaims
		want   Claims
	}{
		"all":                        {jwt.MapClaims{"https://baton/account": account.String(), "role": "admin"}, Claims{Subject: "sam", Email: "sam@acme.test", EmailVerified: true, Name: "Sam", AccountID: account, Role: models.RoleAdmin}},
		"only what is needed":        {jwt.MapClaims{"email": nil, "email_verified": nil, "name": nil, "iss": nil, "aud": nil, "nbf": nil, "iat": nil}, Claims{Subject: "sam"}},
		"quoted email_verified":      {jwt.MapClaims{"email_verified": "true"}, Claims{Subject: "sam", Email: "sam@acme.test", EmailVerified: true, Name: "Sam"}},
		"email not verified":         {jwt.MapClaims{"email_verified": false}, Claims{Subject: "sam", Email: "sam@acme.test", Name: "Sam"}},
		"nonsense in account, role":  {jwt.MapClaims{"https://baton/account": "acme", "role": "root"}, Claims{Subject: "sam", Email: "sam@acme.test", EmailVerified: true, Name: "Sam"}},
		"wrong types where optional": {jwt.MapClaims{"email": 7, "name": []string{"x"}, "role": true, "email_verified": 1}, Claims{Subject: "sam"}},
	} {
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, goodClaims("", test.change)).SignedString(secret)
		require.NoError(t, err)
		got, err := v.Verify(t.Context(), token)
		require.NoError(t, err, name)
		test.want.ExpiresAt = epoch.Add(time.Hour)
		require.Equal(t, test.want, got, name)
	}
}

// unsigned is a token whose author hopes that nobody checks.
func unsigned(t *testing.T, claims jwt.Claims) string {
	token := jwt.NewWithClaims(jwt.SigningMethodNone, claims)
	token.Header["kid"] = "1"
	s, err := token.SignedString(jwt.UnsafeAllowNoneSignatureType)
	require.NoError(t, err)
	return s
}

// confused is signed with HS256, with a public key as the secret.
func confused(t *testing.T, claims jwt.Claims) string {
	der, err := x509.MarshalPKIXPublicKey(keys()["rsa"].(*rsa.PrivateKey).Public())
	require.NoError(t, err)
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
	token.Header["kid"] = "1"
	s, err := token.SignedString(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	require.NoError(t, err)
	return s
}

func TestBadTokens(t *testing.T) {
	t.Parallel()
	is := newIssuer(t, map[string]string{"1": "rsa", "2": "ec", "3": "ed", "weak": "weak", "p384": "p384"})
	v := is.verifier(t, &clock{})
	kid := map[string]any{"kid": "1"}
	signed := func(change jwt.MapClaims) string { return sign(t, "rsa", is.claims(change), kid) }
	good := signed(nil)
	parts := strings.Split(good, ".")
	b64 := base64.RawURLEncoding.EncodeToString

	for name, test := range map[string]struct {
		token string
		want  Reason
	}{
		"empty":                        {"", ReasonMalformed},
		"garbage":                      {"garbage", ReasonMalformed},
		"two parts":                    {parts[0] + "." + parts[1], ReasonMalformed},
		"four parts":                   {good + ".x", ReasonMalformed},
		"not base64":                   {parts[0] + ".%%%." + parts[2], ReasonMalformed},
		"not JSON":                     {parts[0] + "." + b64([]byte("{")) + "." + parts[2], ReasonMalformed},
		"with its scheme":              {"Bearer " + good, ReasonMalformed},
		"huge":                         {strings.Repeat("a", 10<<20), ReasonMalformed},
		"huge, of a good form":         {parts[0] + "." + strings.Repeat("a", maxToken) + "." + parts[2], ReasonMalformed},
		"unknown critical extension":   {sign(t, "rsa", is.claims(nil), map[string]any{"kid": "1", "crit": []string{"b64"}, "b64": false}), ReasonMalformed},
		"alg none":                     {unsigned(t, is.claims(nil)), ReasonSignature},
		"public key as HS256 secret":   {confused(t, is.claims(nil)), ReasonSignature},
		"alg that does not exist":      {b64([]byte(`{"alg":"XS256","kid":"1"}`)) + "." + parts[1] + "." + parts[2], ReasonAlgorithm},
		"no alg":                       {b64([]byte(`{"kid":"1"}`)) + "." + parts[1] + "." + parts[2], ReasonAlgorithm},
		"alg of another type":          {b64([]byte(`{"alg":["RS256"],"kid":"1"}`)) + "." + parts[1] + "." + parts[2], ReasonAlgorithm},
		"null header":                  {b64([]byte(`null`)) + "." + parts[1] + "." + parts[2], ReasonAlgorithm},
		"key of another algorithm":     {sign(t, "ed", is.claims(nil), kid), ReasonAlgorithm},
		"key of another type":          {sign(t, "ed", is.claims(nil), map[string]any{"kid": "2"}), ReasonSignature},
		"no kid":                       {sign(t, "rsa", is.claims(nil), nil), ReasonUnknownKey},
		"kid of another type":          {sign(t, "rsa", is.claims(nil), map[string]any{"kid": 1}), ReasonUnknownKey},
		"unknown kid":                  {sign(t, "rsa", is.claims(nil), map[string]any{"kid": "9"}), ReasonUnknownKey},
		"key for encryption":           {sign(t, "rsa", is.claims(nil), map[string]any{"kid": "enc"}), ReasonUnknownKey},
		"key that is too short":        {sign(t, "weak", is.claims(nil), map[string]any{"kid": "weak"}), ReasonUnknownKey},
		"curve that is not accepted":   {sign(t, "p384", is.claims(nil), map[string]any{"kid": "p384"}), ReasonSignature},
		"own key in the header":        {sign(t, "foreign", is.claims(nil), map[string]any{"kid": "3", "jwk": jwk("3", keys()["foreign"].Public()), "jku": "https://evil.example/keys"}), ReasonSignature},
		"forged":                       {sign(t, "foreign", is.claims(nil), map[string]any{"kid": "3"}), ReasonSignature},
		"claims of another token":      {parts[0] + "." + strings.Split(signed(jwt.MapClaims{"sub": "ada"}), ".")[1] + "." + parts[2], ReasonSignature},
		"no signature":                 {parts[0] + "." + parts[1] + ".", ReasonSignature},
		"expired":                      {signed(jwt.MapClaims{"exp": epoch.Add(-31 * time.Second).Unix()}), ReasonExpired},
		"expired and for somebody":     {signed(jwt.MapClaims{"exp": epoch.Add(-time.Hour).Unix(), "aud": "other"}), ReasonAudience},
		"never expires":                {signed(jwt.MapClaims{"exp": nil}), ReasonClaims},
		"expiry of another type":       {signed(jwt.MapClaims{"exp": "tomorrow"}), ReasonClaims},
		"from the future, nbf":         {signed(jwt.MapClaims{"nbf": epoch.Add(31 * time.Second).Unix()}), ReasonNotYetValid},
		"from the future, iat":         {signed(jwt.MapClaims{"iat": epoch.Add(31 * time.Second).Unix()}), ReasonNotYetValid},
		"another issuer":               {signed(jwt.MapClaims{"iss": "https://evil.example"}), ReasonIssuer},
		"no issuer":                    {signed(jwt.MapClaims{"iss": nil}), ReasonClaims},
		"another audience":             {signed(jwt.MapClaims{"aud": []string{"other", "another"}}), ReasonAudience},
		"no audience":                  {signed(jwt.MapClaims{"aud": nil}), ReasonClaims},
		"no subject":                   {signed(jwt.MapClaims{"sub": nil}), ReasonClaims},
		"empty subject":                {signed(jwt.MapClaims{"sub": ""}), ReasonClaims},
		"subject that is far too long": {signed(jwt.MapClaims{"sub": strings.Repeat("x", 256)}), ReasonClaims},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			claims, err := v.Verify(t.Context(), test.token)
			require.Equal(t, models.CodeUnauthenticated, models.CodeOf(err), "%v", err)
			require.Equal(t, test.want, reasonOf(err), "%v", err)
			require.Zero(t, claims)
			for _, part := range strings.Split(test.token, ".") {
				if len(part) > 8 {
					require.NotContains(t, err.Error(), part)
				}
			}
		})
	}
}

func TestLeeway(t *testing.T) {
	t.Parallel()
	is := newIssuer(t, map[string]string{"3": "ed"})
	v := is.verifier(t, &clock{})
	for _, change := range []jwt.MapClaims{
		{"exp": epoch.Add(-29 * time.Second).Unix()},
		{"nbf": epoch.Add(30 * time.Second).Unix()},
		{"iat": epoch.Add(30 * time.Second).Unix()},
	} {
		_, err := v.Verify(t.Context(), sign(t, "ed", is.claims(change), map[string]any{"kid": "3"}))
		require.NoError(t, err, "%v", change)
	}
}

func TestTokensForAnotherKindOfVerifier(t *testing.T) {
	t.Parallel()
	is := newIssuer(t, map[string]string{"1": "rsa", "3": "ed"})
	withSecret, err := NewVerifier(Config{HS256Secret: secret, Issuer: is.URL, Now: (&clock{}).now})
	require.NoError(t, err)
	_, err = withSecret.Verify(t.Context(), sign(t, "rsa", is.claims(nil), map[string]any{"kid": "1"}))
	require.Equal(t, ReasonSignature, reasonOf(err))
	require.NoError(t, withSecret.Check(t.Context()))

	onlyRSA, err := NewVerifier(Config{JWKSURL: is.URL + "/keys", Algorithms: []string{"RS256"}, Client: is.Client(), Logger: quiet, Now: (&clock{}).now})
	require.NoError(t, err)
	_, err = onlyRSA.Verify(t.Context(), sign(t, "rsa", is.claims(nil), map[string]any{"kid": "1"}))
	require.NoError(t, err)
	_, err = onlyRSA.Verify(t.Context(), sign(t, "ed", is.claims(nil), map[string]any{"kid": "3"}))
	require.Equal(t, ReasonSignature, reasonOf(err))
}

func TestDevSigner(t *testing.T) {
	t.Parallel()
	v, err := NewVerifier(Config{HS256Secret: secret, Issuer: "baton-dev", Audience: audience, NameClaim: "name"})
	require.NoError(t, err)
	token, err := NewDevSigner(secret, "baton-dev", audience).Sign("sam", "sam@demo.test", "Sam", time.Hour)
	require.NoError(t, err)
	claims, err := v.Verify(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, "Sam", claims.Name)
	require.True(t, claims.EmailVerified)
	token, err = NewDevSigner([]byte(strings.Repeat("x", MinSecret)), "baton-dev", audience).Sign("sam", "sam@demo.test", "Sam", time.Hour)
	require.NoError(t, err)
	_, err = v.Verify(t.Context(), token)
	require.Equal(t, ReasonSignature, reasonOf(err))
}

func TestNewVerifierRefuses(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]Config{
		"nothing":           {Audience: audience},
		"both kinds of key": {HS256Secret: secret, JWKSURL: "https://id.example/keys"},
		"short secret":      {HS256Secret: secret[:31]},
		"alg none":          {Issuer: "https://id.example", Algorithms: []string{"RS256", "none"}},
		"HS256 with a JWKS": {JWKSURL: "https://id.example/keys", Algorithms: []string{"HS256"}},
	} {
		_, err := NewVerifier(cfg)
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), "0123456789abcdef")
	}
}

func TestKeyRotation(t *testing.T) {
	t.Parallel()
	c := &clock{}
	is := newIssuer(t, map[string]string{"old": "ed"})
	v := is.verifier(t, c)
	token := func(kid, key string) string {
		return sign(t, key, is.claims(jwt.MapClaims{"exp": epoch.Add(100 * time.Hour).Unix()}), map[string]any{"kid": kid})
	}
	verify := func(token string) Reason {
		_, err := v.Verify(t.Context(), token)
		if err == nil {
			return ""
		}
		return reasonOf(err)
	}
	require.Empty(t, verify(token("old", "ed")))

	is.publish(map[string]string{"old": "ed", "new": "ec"})
	require.Equal(t, ReasonUnknownKey, verify(token("new", "ec")), "the issuer was asked a moment ago")
	for range 100 {
		require.Equal(t, ReasonUnknownKey, verify(token(uuid.NewString(), "ec")))
	}
	require.Equal(t, int64(1), is.fetches.Load(), "unknown key ids do not reach the issuer")
	c.advance(fetchPause)
	require.Empty(t, verify(token("new", "ec")))
	require.Equal(t, int64(2), is.fetches.Load())

	is.publish(map[string]string{"new": "ec"})
	c.advance(refreshAfter)
	require.Empty(t, verify(token("new", "ec")), "nobody waits for a refresh")
	v.keys.mu.Lock()
	refresh := v.keys.fetching
	v.keys.mu.Unlock()
	if refresh != nil {
		<-refresh
	}
	require.Equal(t, ReasonUnknownKey, verify(token("old", "ed")), "a withdrawn key")
}

func TestIssuerIsDown(t *testing.T) {
	t.Parallel()
	c := &clock{}
	is := newIssuer(t, map[string]string{"3": "ed"})
	token := sign(t, "ed", is.claims(jwt.MapClaims{"exp": epoch.Add(100 * time.Hour).Unix()}), map[string]any{"kid": "3"})
	v := is.verifier(t, c)
	down := func(w http.ResponseWriter) bool {
		w.WriteHeader(http.StatusBadGateway)
		return true
	}

	is.misbehave(down)
	_, err := v.Verify(t.Context(), token)
	require.Equal(t, models.CodeUnavailable, models.CodeOf(err))
	var e *models.Error
	require.ErrorAs(t, err, &e)
	require.Positive(t, e.RetryAfter)
	require.Error(t, v.Check(t.Context()))

	is.misbehave(nil)
	_, err = v.Verify(t.Context(), token)
	require.Equal(t, models.CodeUnavailable, models.CodeOf(err), "not asked again at once")
	c.advance(fetchPause)
	_, err = v.Verify(t.Context(), token)
	require.NoError(t, err)

	is.misbehave(down)
	c.advance(23 * time.Hour)
	for range 3 {
		c.advance(fetchPause)
		_, err = v.Verify(t.Context(), token)
		require.NoError(t, err, "known keys stay good for a while")
	}
	c.advance(time.Hour)
	_, err = v.Verify(t.Context(), token)
	require.Equal(t, models.CodeUnavailable, models.CodeOf(err), "but not for ever")
}

func TestIssuerAnswersNonsense(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"not JSON":          "<html>",
		"no keys":           `{"keys":[],"issuer":"ISSUER","jwks_uri":"ISSUER/keys"}`,
		"endless":           `{"issuer":"` + strings.Repeat("x", maxDocument+10) + `"}`,
		"other issuer":      `{"issuer":"https://evil.example","jwks_uri":"ISSUER/keys"}`,
		"no jwks_uri":       `{"issuer":"ISSUER"}`,
		"odd jwks_uri":      `{"issuer":"ISSUER","jwks_uri":"file:///etc/passwd"}`,
		"relative jwks_uri": `{"issuer":"ISSUER","jwks_uri":"/keys"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			is := newIssuer(t, map[string]string{"3": "ed"})
			is.misbehave(func(w http.ResponseWriter) bool {
				_, _ = w.Write([]byte(strings.ReplaceAll(answer, "ISSUER", is.URL)))
				return true
			})
			_, err := is.verifier(t, &clock{}).Verify(t.Context(), sign(t, "ed", is.claims(nil), map[string]any{"kid": "3"}))
			require.Equal(t, models.CodeUnavailable, models.CodeOf(err))
		})
	}
}

func TestManyWaitForOneFetch(t *testing.T) {
	t.Parallel()
	is := newIssuer(t, map[string]string{"3": "ed"})
	v := is.verifier(t, &clock{})
	token := sign(t, "ed", is.claims(nil), map[string]any{"kid": "3"})
	var all sync.WaitGroup
	failures := make(chan error, 50)
	for range cap(failures) {
		all.Go(func() {
			_, err := v.Verify(context.Background(), token)
			failures <- err
		})
	}
	all.Wait()
	close(failures)
	for err := range failures {
		require.NoError(t, err)
	}
	require.Equal(t, int64(1), is.fetches.Load())
}

// Who gives up waiting does not end the attempt for the others.
func TestWaitingEndsWithTheRequest(t *testing.T) {
	t.Parallel()
	is := newIssuer(t, map[string]string{"3": "ed"})
	v := is.verifier(t, &clock{})
	release := make(chan struct{})
	is.misbehave(func(http.ResponseWriter) bool { <-release; return false })
	token := sign(t, "ed", is.claims(nil), map[string]any{"kid": "3"})
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() {
		_, err := v.Verify(ctx, token)
		first <- err
	}()
	cancel()
	err := <-first
	require.Equal(t, models.CodeUnavailable, models.CodeOf(err))
	require.ErrorIs(t, err, context.Canceled)
	close(release)
	_, err = v.Verify(t.Context(), token)
	require.NoError(t, err)
}

func FuzzVerify(f *testing.F) {
	v, err := NewVerifier(Config{HS256Secret: secret, Issuer: "iss", Audience: audience, Now: (&clock{}).now})
	require.NoError(f, err)
	keyed, err := NewVerifier(Config{JWKSURL: "http://127.0.0.1:1/keys", Logger: quiet, Now: (&clock{}).now})
	require.NoError(f, err)
	keyed.keys.keys = map[string]publicKey{"1": {public: keys()["rsa"].Public()}, "2": {public: keys()["ec"].Public()}, "3": {public: keys()["ed"].Public()}}
	keyed.keys.fetched, keyed.keys.tried = epoch, epoch

	good := map[string]bool{}
	for _, change := range []jwt.MapClaims{nil, {"exp": 1e300}, {"aud": []string{"x", audience}}, {"sub": nil}, {"iat": -1e300}} {
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, goodClaims("iss", change)).SignedString(secret)
		require.NoError(f, err)
		good[token] = true
		f.Add(token)
	}
	for kid, key := range map[string]string{"1": "rsa", "2": "ec", "3": "ed"} {
		token := sign(f, key, goodClaims("iss", nil), map[string]any{"kid": kid})
		good[token] = true
		f.Add(token)
	}
	f.Add("..")
	f.Add("bnVsbA.bnVsbA.")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, token string) {
		for _, v := range []*Verifier{v, keyed} {
			claims, err := v.Verify(t.Context(), token)
			if err == nil {
				require.True(t, good[token], "accepted %q", token)
				require.NotEmpty(t, claims.Subject)
				continue
			}
			require.Equal(t, models.CodeUnauthenticated, models.CodeOf(err))
			require.Zero(t, claims)
		}
	})
}
