package signin_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/auth"
	"github.com/baton-handoff/baton/internal/secrets"
	"github.com/baton-handoff/baton/internal/signin"
	"github.com/baton-handoff/baton/models"
)

var account = uuid.MustParse("0197a3c0-1f00-7a10-8c55-2b9d6e4f1a01")

// people knows ana alone.
type people struct{ asked []auth.Claims }

func (p *people) Recognize(_ context.Context, c auth.Claims) (models.Principal, error) {
	p.asked = append(p.asked, c)
	if c.Subject != "ana" {
		return models.Principal{}, models.Errorf(models.CodeForbidden, "not known to any account")
	}
	return models.Principal{UserID: uuid.MustParse("0197a3c0-6f2b-7c11-9d0e-4b1f5a2c7e02"), AccountID: account, Role: models.RoleEngineer, ExpiresAt: c.ExpiresAt}, nil
}

// issuer is an OpenID Connect provider with one person, who agrees to
// everything. Its fields make it misbehave.
type issuer struct {
	*httptest.Server
	key *rsa.PrivateKey

	mu        sync.Mutex
	subject   string
	change    func(jwt.MapClaims)
	challenge string
	nonce     string
	redirect  string
	refuse    bool
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	i := &issuer{key: key, subject: "ana"}
	mux := http.NewServeMux()
	reply := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]any{
			"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token",
			"jwks_uri": i.URL + "/keys", "id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]any{"keys": []any{map[string]string{
			"kty": "RSA", "kid": "1", "alg": "RS256", "use": "sig",
			"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()), "e": "AQAB",
		}}})
	})
	mux.HandleFunc("GET /authorize", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if q.Get("response_type") != "code" || q.Get("client_id") != "console" || q.Get("code_challenge_method") != "S256" ||
			q.Get("state") == "" || q.Get("nonce") == "" || !strings.Contains(q.Get("scope"), "openid") {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		i.mu.Lock()
		defer i.mu.Unlock()
		i.challenge, i.nonce, i.redirect = q.Get("code_challenge"), q.Get("nonce"), q.Get("redirect_uri")
		back := url.Values{"code": {"the-code"}, "state": {q.Get("state")}}
		if i.refuse {
			back = url.Values{"error": {"access_denied"}, "state": {q.Get("state")}}
		}
		http.Redirect(w, r, i.redirect+"?"+back.Encode(), http.StatusFound)
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
		id, secret, _ := r.BasicAuth()
		if r.FormValue("code") != "the-code" || base64.RawURLEncoding.EncodeToString(sum[:]) != i.challenge ||
			r.FormValue("redirect_uri") != i.redirect || id != "console" || secret != "client-secret" {
			w.WriteHeader(http.StatusBadRequest)
			reply(w, map[string]string{"error": "invalid_grant"})
			return
		}
		claims := jwt.MapClaims{
			"iss": i.URL, "aud": "console", "sub": i.subject, "nonce": i.nonce, "email": "ana@example.com", "email_verified": true,
			"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(), "name": "Ana",
		}
		if i.change != nil {
			i.change(claims)
		}
		token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
		token.Header["kid"] = "1"
		signed, err := token.SignedString(key)
		if err != nil {
			panic(err)
		}
		reply(w, map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": signed, "expires_in": 3600})
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

// console is a server with a sign-in, and a browser that follows redirects.
type console struct {
	*httptest.Server
	t       *testing.T
	signin  *signin.SignIn
	people  *people
	browser *http.Client
	now     time.Time
}

func newConsole(t *testing.T, change func(*signin.Options)) *console {
	t.Helper()
	c := &console{t: t, people: &people{}, now: time.Now()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("page " + r.URL.RequestURI())) })
	c.Server = httptest.NewServer(mux)
	t.Cleanup(c.Close)
	box, err := secrets.Parse(secrets.NewKey())
	require.NoError(t, err)
	o := signin.Options{
		Box: box, People: c.people, PublicURL: c.URL, Session: time.Hour, Header: "X-Baton-Console",
		Scopes: []string{"openid", "email"}, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return c.now },
	}
	if change != nil {
		change(&o)
	}
	c.signin = signin.New(o)
	c.signin.Routes(func(method, path string, h http.Handler) { mux.Handle(method+" "+path, h) })
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	c.browser = &http.Client{Jar: jar}
	return c
}

func withIssuer(i *issuer) func(*signin.Options) {
	return func(o *signin.Options) {
		o.Issuer, o.ClientID, o.ClientSecret = i.URL, "console", "client-secret"
	}
}

// answer is what came of a request, in the end.
type answer struct {
	status  int
	at      *url.URL // after the redirects
	cookies []*http.Cookie
	body    []byte
}

func (c *console) do(method, path, body string, header ...string) answer {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.URL+path, strings.NewReader(body))
	require.NoError(c.t, err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := c.browser.Do(r)
	require.NoError(c.t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(c.t, err)
	return answer{status: resp.StatusCode, at: resp.Request.URL, cookies: resp.Cookies(), body: text}
}

// cookies is what the browser would send now.
func (c *console) cookies() http.Header {
	u, err := url.Parse(c.URL)
	require.NoError(c.t, err)
	r := &http.Request{Header: http.Header{}}
	for _, cookie := range c.browser.Jar.Cookies(u) {
		r.AddCookie(cookie)
	}
	return r.Header
}

func TestCodeFlow(t *testing.T) {
	t.Parallel()
	c := newConsole(t, withIssuer(newIssuer(t)))
	_, found, err := c.signin.Resume(t.Context(), c.cookies())
	require.NoError(t, err)
	require.False(t, found, "nobody yet")

	resp := c.do("GET", "/auth/login?next=%2Fsessions%3Fq%3Da", "")
	require.Equal(t, "/sessions?q=a", resp.at.RequestURI(), "where they wanted to go")
	require.Equal(t, auth.Claims{Subject: "ana", Email: "ana@example.com", EmailVerified: true, Name: "Ana", ExpiresAt: c.people.asked[0].ExpiresAt}, c.people.asked[0])

	by, found, err := c.signin.Resume(t.Context(), c.cookies())
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, account, by.AccountID)
	require.WithinDuration(t, c.now.Add(time.Hour), by.ExpiresAt, time.Second)

	stolen := c.cookies()
	require.Equal(t, 204, c.do("POST", "/auth/logout", "", "X-Baton-Console", "1").status)
	require.Empty(t, c.cookies().Get("Cookie"))

	c.now = c.now.Add(time.Hour)
	_, found, err = c.signin.Resume(t.Context(), stolen)
	require.False(t, found)
	require.Equal(t, models.CodeUnauthenticated, models.CodeOf(err), "a session ends")
}

// TestBadSignIns are attempts that must not sign anybody in.
func TestBadSignIns(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		issuer  func(*issuer)
		path    string
		reached string
	}{
		"the person said no":   {issuer: func(i *issuer) { i.refuse = true }, reached: "/sign-in?error=refused"},
		"another nonce":        {issuer: func(i *issuer) { i.change = func(c jwt.MapClaims) { c["nonce"] = "another" } }, reached: "/sign-in?error=refused"},
		"another audience":     {issuer: func(i *issuer) { i.change = func(c jwt.MapClaims) { c["aud"] = "another" } }, reached: "/sign-in?error=refused"},
		"another issuer":       {issuer: func(i *issuer) { i.change = func(c jwt.MapClaims) { c["iss"] = "https://evil.example" } }, reached: "/sign-in?error=refused"},
		"expired":              {issuer: func(i *issuer) { i.change = func(c jwt.MapClaims) { c["exp"] = 1 } }, reached: "/sign-in?error=refused"},
		"nobody of ours":       {issuer: func(i *issuer) { i.subject = "mallory" }, reached: "/sign-in?error=unknown"},
		"begun nowhere":        {path: "/auth/callback?code=the-code&state=made-up", reached: "/sign-in?error=expired"},
		"to another site":      {path: "/auth/login?next=https://evil.example/", reached: "/"},
		"to another site, too": {path: "/auth/login?next=//evil.example/", reached: "/"},
		"to a backslash":       {path: `/auth/login?next=/\evil.example`, reached: "/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newIssuer(t)
			if tc.issuer != nil {
				tc.issuer(i)
			}
			c := newConsole(t, withIssuer(i))
			path := tc.path
			if path == "" {
				path = "/auth/login"
			}
			resp := c.do("GET", path, "")
			require.Equal(t, c.URL, "http://"+resp.at.Host)
			require.Equal(t, tc.reached, resp.at.RequestURI())
			_, found, _ := c.signin.Resume(t.Context(), c.cookies())
			require.Equal(t, tc.reached == "/", found)
		})
	}
}

// TestCallbackIsGoodOnce holds that what another site makes a browser open
// signs nobody in: the state has to be the one in the cookie.
func TestCallbackIsGoodOnce(t *testing.T) {
	t.Parallel()
	c := newConsole(t, withIssuer(newIssuer(t)))
	var callback string
	c.browser.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == signin.CallbackPath {
			callback = r.URL.RequestURI()
			return http.ErrUseLastResponse
		}
		return nil
	}
	c.do("GET", "/auth/login", "")
	c.browser.CheckRedirect = nil
	forged, err := url.Parse(callback)
	require.NoError(t, err)
	forged.RawQuery = url.Values{"code": {"the-code"}, "state": {"another"}}.Encode()
	require.Equal(t, "/sign-in?error=expired", c.do("GET", forged.RequestURI(), "").at.RequestURI())
	require.Equal(t, "/sign-in?error=expired", c.do("GET", callback, "").at.RequestURI(), "the attempt is used up")
}

func TestTheIssuerIsDown(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	i.Close()
	c := newConsole(t, withIssuer(i))
	require.Equal(t, "/sign-in?error=unavailable", c.do("GET", "/auth/login", "").at.RequestURI())
}

// TestCookies holds what browsers are told about them.
func TestCookies(t *testing.T) {
	t.Parallel()
	demo := []signin.Person{{Email: "ana@demo.test", Name: "Ana", Role: "engineer", Subject: "ana"}}
	for public, prefix := range map[string]string{"http://127.0.0.1:8080": "", "https://baton.example.com": "__Host-"} {
		c := newConsole(t, func(o *signin.Options) { o.Demo, o.PublicURL = demo, public })
		resp := c.do("POST", "/auth/demo", `{"email":"ana@demo.test"}`, "X-Baton-Console", "1")
		require.Equal(t, 204, resp.status)
		cookie := resp.cookies[0]
		require.Equal(t, prefix+"baton_session", cookie.Name)
		require.True(t, cookie.HttpOnly)
		require.Equal(t, prefix != "", cookie.Secure)
		require.Equal(t, http.SameSiteStrictMode, cookie.SameSite)
		require.Equal(t, "/", cookie.Path)
		require.Empty(t, cookie.Domain)
		require.NotContains(t, cookie.Value, "ana")

		with := func(value string) http.Header {
			return http.Header{"Cookie": {cookie.Name + "=" + value}}
		}
		_, found, err := c.signin.Resume(t.Context(), with(cookie.Value))
		require.NoError(t, err)
		require.True(t, found)
		half := len(cookie.Value) / 2
		changed := cookie.Value[:half] + string('A'+(cookie.Value[half]-'A'+1)%26) + cookie.Value[half+1:]
		for _, bad := range []string{changed, cookie.Value + "A", "x", "k.", ".", strings.Repeat("a.", 4000)} {
			_, found, err := c.signin.Resume(t.Context(), with(bad))
			require.False(t, found, bad)
			require.Equal(t, models.CodeUnauthenticated, models.CodeOf(err), bad)
		}
	}
}

// TestOnlyOurPagesSignIn: signing somebody in or out from another site is an
// attack as well.
func TestOnlyOurPagesSignIn(t *testing.T) {
	t.Parallel()
	c := newConsole(t, func(o *signin.Options) {
		o.Demo = []signin.Person{{Email: "ana@demo.test", Subject: "ana"}}
	})
	for _, header := range [][]string{
		{},
		{"X-Baton-Console", "1", "Sec-Fetch-Site", "cross-site"},
		{"X-Baton-Console", "1", "Sec-Fetch-Site", "same-site"},
		{"X-Baton-Console", "1", "Origin", "https://evil.example"},
	} {
		for _, path := range []string{"/auth/demo", "/auth/logout"} {
			require.Equal(t, 403, c.do("POST", path, `{"email":"ana@demo.test"}`, header...).status, header)
		}
	}
	require.Equal(t, 404, c.do("POST", "/auth/demo", `{"email":"olga@demo.test"}`, "X-Baton-Console", "1").status)
}

// TestNoDemoByDefault: who is not asked to offer people offers none.
func TestNoDemoByDefault(t *testing.T) {
	t.Parallel()
	c := newConsole(t, nil)
	require.NotEqual(t, 204, c.do("POST", "/auth/demo", `{"email":"ana@demo.test"}`, "X-Baton-Console", "1").status)
	var methods struct {
		OIDC bool
		Demo []any
	}
	require.NoError(t, json.Unmarshal(c.do("GET", "/auth/methods", "").body, &methods))
	require.False(t, methods.OIDC)
	require.Empty(t, methods.Demo)
}
