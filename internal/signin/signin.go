// Package signin signs browsers in: with OpenID Connect or, in a demo, as one
// of its people. A browser keeps its session in a sealed cookie that says who
// it is and until when. What they may do is looked up with each request.
package signin

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/auth"
	"github.com/baton-handoff/baton/internal/secrets"
	"github.com/baton-handoff/baton/models"
)

// The paths that a [SignIn] serves.
const (
	MethodsPath  = "/auth/methods"
	LoginPath    = "/auth/login"
	CallbackPath = "/auth/callback"
	DemoPath     = "/auth/demo"
	LogoutPath   = "/auth/logout"
)

// People knows who verified claims stand for; see [auth.Authenticator].
type People interface {
	Recognize(ctx context.Context, c auth.Claims) (models.Principal, error)
}

// Person is somebody of the demo.
type Person struct {
	Email   string `json:"email"`
	Name    string `json:"name"`
	Role    string `json:"role"`
	Subject string `json:"-"`
}

// Options of a [SignIn].
type Options struct {
	// Box seals the cookies. Without a key nobody can sign in.
	Box    *secrets.Box
	People People
	// PublicURL is the console's address, such as https://baton.example.com.
	// Cookies are limited to https when it is.
	PublicURL string
	// Issuer and ClientID are where and as what to sign in; empty to not offer it.
	Issuer, ClientID, ClientSecret string
	Scopes                         []string
	// Session is how long one stays signed in.
	Session time.Duration
	// Header has to be in requests that change something; see api.ConsoleHeader.
	Header string
	// Demo are the people whom anybody may be. Never set it outside of a demo.
	Demo []Person

	Logger *slog.Logger
	// Client speaks with the issuer; nil is http.DefaultClient.
	Client *http.Client
	// Now is time.Now when nil.
	Now func() time.Time
}

// SignIn signs browsers in and out, and recognizes them. It is safe for
// concurrent use.
type SignIn struct {
	o      Options
	prefix string // of cookies' names
	issuer *issuer
}

// New returns a sign-in. The issuer is asked when somebody first signs in.
func New(o Options) *SignIn {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Client == nil {
		o.Client = &http.Client{Timeout: 10 * time.Second}
	}
	s := &SignIn{o: o}
	if strings.HasPrefix(o.PublicURL, "https://") {
		s.prefix = "__Host-" // browsers hold it to this host, and to https
	}
	if o.ClientID != "" {
		s.issuer = &issuer{o: &s.o}
	}
	return s
}

// Routes are the handlers by method and path.
func (s *SignIn) Routes(handle func(method, path string, h http.Handler)) {
	handle(http.MethodGet, MethodsPath, http.HandlerFunc(s.methods))
	handle(http.MethodPost, LogoutPath, s.own(s.logout))
	if s.issuer != nil {
		handle(http.MethodGet, LoginPath, http.HandlerFunc(s.login))
		handle(http.MethodGet, CallbackPath, http.HandlerFunc(s.callback))
	}
	if len(s.o.Demo) > 0 {
		handle(http.MethodPost, DemoPath, s.own(s.demo))
	}
}

// session is what the cookie says.
type session struct {
	Subject string    `json:"s"`
	Expires time.Time `json:"e"`
}

// The purposes that cookies are sealed for, which are their names as well.
const (
	sessionCookie = "baton_session"
	loginCookie   = "baton_login"
)

// Resume finds out who a request's cookie stands for. A cookie that is not
// ours, no longer good, or of somebody who is not known any more is
// [models.CodeUnauthenticated].
func (s *SignIn) Resume(ctx context.Context, h http.Header) (models.Principal, bool, error) {
	cookie, err := (&http.Request{Header: h}).Cookie(s.prefix + sessionCookie)
	if err != nil || cookie.Value == "" {
		return models.Principal{}, false, nil
	}
	var is session
	if !s.open(sessionCookie, cookie.Value, &is) || !s.o.Now().Before(is.Expires) {
		return models.Principal{}, false, models.Errorf(models.CodeUnauthenticated, "Your session has ended; sign in again.")
	}
	by, err := s.o.People.Recognize(ctx, auth.Claims{Subject: is.Subject, ExpiresAt: is.Expires})
	return by, err == nil, err
}

// begin makes the browser signed in as somebody whom People know.
func (s *SignIn) begin(w http.ResponseWriter, r *http.Request, c auth.Claims) error {
	c.ExpiresAt = s.o.Now().Add(s.o.Session).UTC().Truncate(time.Second)
	by, err := s.o.People.Recognize(r.Context(), c)
	if err != nil {
		return err
	}
	value, err := s.seal(sessionCookie, session{Subject: c.Subject, Expires: c.ExpiresAt})
	if err != nil {
		return err
	}
	s.set(w, sessionCookie, value, s.o.Session, http.SameSiteStrictMode)
	s.o.Logger.Info("signed in to the console", "user_id", by.UserID, "account_id", by.AccountID)
	return nil
}

func (s *SignIn) seal(purpose string, value any) (string, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	sealed, err := s.o.Box.Seal(uuid.Nil, "console:"+purpose, text)
	if err != nil {
		return "", models.Errorf(models.CodeUnavailable, "Signing in takes a key: set BATON_SECRET_KEYS.").WithCause(err)
	}
	return sealed.KeyID + "." + base64.RawURLEncoding.EncodeToString(sealed.Data), nil
}

func (s *SignIn) open(purpose, value string, into any) bool {
	// A key's id may have dots, base64 has none.
	at := strings.LastIndexByte(value, '.')
	if at < 0 || len(value) > 4096 {
		return false
	}
	data, err := base64.RawURLEncoding.DecodeString(value[at+1:])
	if err != nil {
		return false
	}
	text, err := s.o.Box.Open(uuid.Nil, "console:"+purpose, secrets.Sealed{KeyID: value[:at], Data: data})
	return err == nil && json.Unmarshal(text, into) == nil
}

// set sets a cookie, or with an empty value removes it.
func (s *SignIn) set(w http.ResponseWriter, name, value string, lifetime time.Duration, site http.SameSite) {
	c := &http.Cookie{
		Name: s.prefix + name, Value: value, Path: "/", MaxAge: int(lifetime / time.Second),
		HttpOnly: true, Secure: s.prefix != "", SameSite: site,
	}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// own lets only our own pages call h.
func (s *SignIn) own(h http.HandlerFunc) http.Handler {
	return http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(s.o.Header) == "" {
			answer(w, http.StatusForbidden, map[string]string{"detail": "Only the console may ask for this."})
			return
		}
		h(w, r)
	}))
}

// methods says how one can sign in.
func (s *SignIn) methods(w http.ResponseWriter, _ *http.Request) {
	demo := s.o.Demo
	if demo == nil {
		demo = []Person{}
	}
	answer(w, http.StatusOK, map[string]any{"oidc": s.issuer != nil, "demo": demo})
}

func (s *SignIn) logout(w http.ResponseWriter, _ *http.Request) {
	s.set(w, sessionCookie, "", 0, http.SameSiteStrictMode)
	w.WriteHeader(http.StatusNoContent)
}

func (s *SignIn) demo(w http.ResponseWriter, r *http.Request) {
	var who struct {
		Email string `json:"email"`
	}
	_ = json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10)).Decode(&who)
	for _, p := range s.o.Demo {
		if p.Email != who.Email {
			continue
		}
		if err := s.begin(w, r, auth.Claims{Subject: p.Subject}); err != nil {
			s.o.Logger.Warn("signing in to the demo failed", "error", err)
			answer(w, http.StatusServiceUnavailable, map[string]string{"detail": "It did not work just now; try again."})
			return
		}
		w.WriteHeader(http.StatusNoContent)
		return
	}
	answer(w, http.StatusNotFound, map[string]string{"detail": "Nobody of the demo has this address."})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// local is a path of ours to go to after signing in: never another site's.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return u.RequestURI()
}
