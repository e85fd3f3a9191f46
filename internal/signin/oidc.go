package signin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/baton-handoff/baton/internal/auth"
	"github.com/baton-handoff/baton/models"
)

// loginWithin is how long one may take at the issuer.
const loginWithin = 10 * time.Minute

// issuer is the OpenID Connect provider, found by discovery when it is first
// needed, so that Baton starts without it.
type issuer struct {
	o  *Options
	mu sync.Mutex
	p  *oidc.Provider
}

func (i *issuer) provider(ctx context.Context) (*oidc.Provider, oauth2.Config, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.p == nil {
		// The provider keeps this context to fetch keys later.
		p, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), i.o.Client), i.o.Issuer)
		if err != nil {
			return nil, oauth2.Config{}, err
		}
		i.p = p
	}
	return i.p, oauth2.Config{
		ClientID: i.o.ClientID, ClientSecret: i.o.ClientSecret, Endpoint: i.p.Endpoint(),
		RedirectURL: strings.TrimSuffix(i.o.PublicURL, "/") + CallbackPath, Scopes: i.o.Scopes,
	}, nil
}

// attempt is what the browser keeps while its person is at the issuer.
type attempt struct {
	State    string    `json:"s"`
	Nonce    string    `json:"n"`
	Verifier string    `json:"v"`
	Next     string    `json:"x"`
	Expires  time.Time `json:"e"`
}

// login sends the browser to the issuer (RFC 6749, section 4.1, with RFC 7636).
func (s *SignIn) login(w http.ResponseWriter, r *http.Request) {
	_, config, err := s.issuer.provider(r.Context())
	if err != nil {
		s.failed(w, r, "unavailable", err)
		return
	}
	a := attempt{
		State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(),
		Next: local(r.URL.Query().Get("next")), Expires: s.o.Now().Add(loginWithin),
	}
	value, err := s.seal(loginCookie, a)
	if err != nil {
		s.failed(w, r, "unavailable", err)
		return
	}
	// Lax, since it has to come along when the issuer sends the browser back.
	s.set(w, loginCookie, value, loginWithin, http.SameSiteLaxMode)
	http.Redirect(w, r, config.AuthCodeURL(a.State, oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)), http.StatusFound)
}

// callback is where the issuer sends the browser back to.
func (s *SignIn) callback(w http.ResponseWriter, r *http.Request) {
	s.set(w, loginCookie, "", 0, http.SameSiteLaxMode) // it is good once
	cookie, err := r.Cookie(s.prefix + loginCookie)
	var a attempt
	if err != nil || !s.open(loginCookie, cookie.Value, &a) || !s.o.Now().Before(a.Expires) ||
		subtle.ConstantTimeCompare([]byte(a.State), []byte(r.URL.Query().Get("state"))) != 1 {
		s.failed(w, r, "expired", err)
		return
	}
	if r.URL.Query().Get("error") != "" {
		s.failed(w, r, "refused", nil)
		return
	}
	claims, err := s.exchange(r, a)
	if err != nil {
		s.failed(w, r, "refused", err)
		return
	}
	switch err := s.begin(w, r, claims); models.CodeOf(err) {
	case "":
		http.Redirect(w, r, a.Next, http.StatusSeeOther)
	case models.CodeForbidden, models.CodeUnauthenticated:
		s.failed(w, r, "unknown", err)
	default:
		s.failed(w, r, "unavailable", err)
	}
}

// exchange fetches the ID token and verifies it (OpenID Connect Core, 3.1.3).
func (s *SignIn) exchange(r *http.Request, a attempt) (auth.Claims, error) {
	ctx := oidc.ClientContext(r.Context(), s.o.Client)
	provider, config, err := s.issuer.provider(ctx)
	if err != nil {
		return auth.Claims{}, err
	}
	token, err := config.Exchange(ctx, r.URL.Query().Get("code"), oauth2.VerifierOption(a.Verifier))
	if err != nil {
		return auth.Claims{}, err
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := provider.VerifierContext(ctx, &oidc.Config{ClientID: s.o.ClientID, Now: s.o.Now}).Verify(ctx, raw)
	if err != nil {
		return auth.Claims{}, err
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(a.Nonce)) != 1 {
		return auth.Claims{}, models.Errorf(models.CodeUnauthenticated, "The nonce of the ID token is another one.")
	}
	var said struct {
		Email    string `json:"email"`
		Verified any    `json:"email_verified"`
		Name     string `json:"name"`
	}
	if err := id.Claims(&said); err != nil {
		return auth.Claims{}, err
	}
	return auth.Claims{
		Subject: id.Subject, Email: said.Email, Name: said.Name,
		EmailVerified: said.Verified == true || said.Verified == "true", // some issuers quote it
	}, nil
}

// failed shows the console's page for signing in, with the reason. What the
// issuer said is logged alone, and without its body.
func (s *SignIn) failed(w http.ResponseWriter, r *http.Request, why string, err error) {
	if refused, ok := err.(*oauth2.RetrieveError); ok { //nolint:errorlint // as the library returns it
		err = models.Errorf(models.CodeUnauthenticated, "The issuer refused the code: %s.", refused.ErrorCode)
	}
	s.o.Logger.Warn("signing in to the console failed", "why", why, "error", err)
	http.Redirect(w, r, "/sign-in?error="+url.QueryEscape(why), http.StatusSeeOther)
}
