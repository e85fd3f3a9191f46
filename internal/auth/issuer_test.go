package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
)

const audience = "baton"

var (
	quiet = slog.New(slog.DiscardHandler)
	epoch = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
)

// clock is a time that a test sets.
type clock struct{ atomic.Int64 }

func (c *clock) now() time.Time          { return epoch.Add(time.Duration(c.Load())) }
func (c *clock) advance(d time.Duration) { c.Add(int64(d)) }

// The keys of all tests; an RSA key takes long to make.
var keys = sync.OnceValue(func() map[string]crypto.Signer {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		panic(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	bigEC, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		panic(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	_, foreign, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return map[string]crypto.Signer{"rsa": rsaKey, "weak": weak, "ec": ecKey, "p384": bigEC, "ed": edKey, "foreign": foreign}
})

// issuer is a server that publishes keys, and can be told to misbehave.
type issuer struct {
	*httptest.Server
	mu      sync.Mutex
	kids    map[string]string // key id to the name of a key
	answer  func(w http.ResponseWriter) (done bool)
	fetches atomic.Int64
}

func newIssuer(t *testing.T, kids map[string]string) *issuer {
	is := &issuer{kids: kids}
	is.Server = httptest.NewServer(is)
	t.Cleanup(is.Close)
	return is
}

func (is *issuer) publish(kids map[string]string) {
	is.mu.Lock()
	defer is.mu.Unlock()
	is.kids = kids
}

func (is *issuer) misbehave(answer func(w http.ResponseWriter) (done bool)) {
	is.mu.Lock()
	defer is.mu.Unlock()
	is.answer = answer
}

func (is *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	is.mu.Lock()
	defer is.mu.Unlock()
	if is.answer != nil && is.answer(w) {
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": is.URL, "jwks_uri": is.URL + "/keys"})
	case "/keys":
		is.fetches.Add(1)
		list := []any{map[string]string{"kty": "oct", "kid": "secret", "k": "AAAA"}, map[string]string{"kty": "RSA", "kid": "enc", "use": "enc"}}
		for kid, name := range is.kids {
			list = append(list, jwk(kid, keys()[name].Public()))
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": list})
	default:
		http.NotFound(w, r)
	}
}

func jwk(kid string, public crypto.PublicKey) map[string]string {
	b64 := base64.RawURLEncoding.EncodeToString
	switch key := public.(type) {
	case *rsa.PublicKey:
		return map[string]string{
			"kty": "RSA", "kid": kid, "alg": "RS256", "use": "sig",
			"n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes()),
			"x5u": "https://example.invalid/not-fetched",
		}
	case *ecdsa.PublicKey:
		point, err := key.Bytes()
		if err != nil {
			panic(err)
		}
		half := len(point) / 2
		return map[string]string{"kty": "EC", "kid": kid, "crv": key.Params().Name, "x": b64(point[1 : 1+half]), "y": b64(point[1+half:])}
	case ed25519.PublicKey:
		return map[string]string{"kty": "OKP", "kid": kid, "crv": "Ed25519", "x": b64(key)}
	}
	panic("unknown type of key")
}

// verifier returns one that trusts the issuer by discovery.
func (is *issuer) verifier(t *testing.T, c *clock) *Verifier {
	v, err := NewVerifier(Config{Issuer: is.URL, Audience: audience, Client: is.Client(), Logger: quiet, Now: c.now})
	require.NoError(t, err)
	return v
}

// claims are those of a good token, changed; nil deletes one.
func (is *issuer) claims(change jwt.MapClaims) jwt.MapClaims {
	return goodClaims(is.URL, change)
}

func goodClaims(iss string, change jwt.MapClaims) jwt.MapClaims {
	c := jwt.MapClaims{
		"iss": iss, "aud": audience, "sub": "sam", "email": "sam@acme.test", "email_verified": true, "name": "Sam",
		"iat": epoch.Unix(), "nbf": epoch.Unix(), "exp": epoch.Add(time.Hour).Unix(),
	}
	for name, value := range change {
		if c[name] = value; value == nil {
			delete(c, name)
		}
	}
	return c
}

var methods = map[string]jwt.SigningMethod{
	"rsa": jwt.SigningMethodRS256, "weak": jwt.SigningMethodRS256, "ec": jwt.SigningMethodES256, "p384": jwt.SigningMethodES384,
	"ed": jwt.SigningMethodEdDSA, "foreign": jwt.SigningMethodEdDSA,
}

// sign makes a token with a key of [keys]; header members replace the usual.
func sign(t testing.TB, key string, claims jwt.Claims, header map[string]any) string {
	token := jwt.NewWithClaims(methods[key], claims)
	for name, value := range header {
		if token.Header[name] = value; value == nil {
			delete(token.Header, name)
		}
	}
	signed, err := token.SignedString(keys()[key])
	require.NoError(t, err)
	return signed
}
