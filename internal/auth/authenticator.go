package auth

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/apikey"
	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

// Users is what the authenticator needs to know about people. Package store
// implements it. The context is of scope tenant.System, because the account is
// not known yet.
type Users interface {
	// UserBySubject fails with [models.CodeNotFound] when nobody has it.
	UserBySubject(ctx context.Context, subject string) (models.User, error)
	// LinkUser gives the one user with this e-mail address who has no subject
	// yet this subject. It fails with [models.CodeNotFound] when there is none
	// and with [models.CodeConflict] when several accounts have one.
	LinkUser(ctx context.Context, email, subject string) (models.User, error)
	// ProvisionUser adds a user. It fails with [models.CodeConflict] when the
	// account has one with this subject or e-mail address, and with
	// [models.CodeNotFound] when there is no such account.
	ProvisionUser(ctx context.Context, user models.User) (models.User, error)
	// UserByAPIKey returns the API key with a SHA-256, revoked or not, and the
	// user it acts as, and notes that it is used. It fails with
	// [models.CodeNotFound] when there is none.
	UserByAPIKey(ctx context.Context, hash []byte) (models.APIKey, models.User, error)
}

// Observer is told who was not let in, for metrics. It must not block.
type Observer interface {
	AuthRefused(reason string)
}

// Options of an [Authenticator].
type Options struct {
	// CacheFor is how long it is remembered who a token stands for, without
	// verifying it or asking the database again; 0 is not at all.
	CacheFor time.Duration
	// Provision adds users that nobody has invited, from the claims of their
	// tokens.
	Provision bool
	// Observer may be nil.
	Observer Observer
	// Now is time.Now when nil.
	Now func() time.Time
}

// Authenticator tells who a bearer token stands for: a JWT or an API key. It implements
// api.Authenticator and may be used by several goroutines.
type Authenticator struct {
	verifier *Verifier
	users    Users
	opt      Options
	cache    *cache
	sessions *cache // of [Authenticator.Recognize], whose keys are no tokens
}

// NewAuthenticator returns an authenticator.
func NewAuthenticator(verifier *Verifier, users Users, o Options) *Authenticator {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Authenticator{verifier: verifier, users: users, opt: o, cache: &cache{ttl: o.CacheFor, now: o.Now}, sessions: &cache{ttl: o.CacheFor, now: o.Now}}
}

// Authenticate returns the principal of a token, given without its scheme. It
// fails with [models.CodeUnauthenticated] when the token proves nobody or the
// user is disabled, [models.CodeForbidden] when it proves somebody without an
// account, and [models.CodeUnavailable] when that cannot be told now.
func (a *Authenticator) Authenticate(ctx context.Context, token string) (models.Principal, error) {
	p, err := a.authenticate(ctx, token)
	if err != nil && a.opt.Observer != nil {
		a.opt.Observer.AuthRefused(string(reasonOf(err)))
	}
	return p, err
}

func (a *Authenticator) authenticate(ctx context.Context, token string) (models.Principal, error) {
	b, cached := a.cache.get(token)
	if cached {
		return b.principal()
	}
	var err error
	if apikey.Is(token) {
		b, err = a.byKey(tenant.System(ctx), token)
	} else {
		b, err = a.byToken(ctx, token)
	}
	if err != nil {
		return models.Principal{}, err
	}
	a.cache.put(token, b)
	return b.principal()
}

// byToken finds who a JWT stands for.
func (a *Authenticator) byToken(ctx context.Context, token string) (bearer, error) {
	claims, err := a.verifier.Verify(ctx, token)
	if err != nil {
		return bearer{}, err
	}
	user, err := a.find(tenant.System(ctx), claims)
	return bearer{user: user, expires: claims.ExpiresAt}, err
}

// byKey finds whom an API key acts as. It never may more than its user.
func (a *Authenticator) byKey(ctx context.Context, token string) (bearer, error) {
	key, err := apikey.Parse(token)
	if err != nil {
		return bearer{}, unauthenticated(ReasonMalformed, "The API key is malformed; it may not have been copied whole.")
	}
	hash := key.Hash()
	stored, user, err := a.users.UserByAPIKey(ctx, hash[:])
	switch {
	case models.CodeOf(err) == models.CodeNotFound:
		return bearer{}, unauthenticated(ReasonUnknownKey, "The API key is not known.")
	case err != nil:
		return bearer{}, lookup(err)
	case stored.RevokedAt != nil:
		return bearer{}, unauthenticated(ReasonRevoked, "The API key is revoked.")
	case stored.ExpiresAt != nil && !a.opt.Now().Before(*stored.ExpiresAt):
		return bearer{}, unauthenticated(ReasonExpired, "The API key has expired.")
	}
	if user.Role.AtLeast(stored.Role) {
		user.Role = stored.Role
	}
	b := bearer{user: user, keyID: stored.ID, keyName: stored.Name}
	if stored.ExpiresAt != nil {
		b.expires = *stored.ExpiresAt
	}
	return b, nil
}

// Recognize returns the principal of claims that somebody else has verified: an
// ID token's, when a person signs in, or later those that their session keeps
// of it, of which the subject is enough. It fails as [Authenticator.Authenticate]
// does.
func (a *Authenticator) Recognize(ctx context.Context, c Claims) (models.Principal, error) {
	b, cached := a.sessions.get(c.Subject)
	if !cached {
		user, err := a.find(tenant.System(ctx), c)
		if err != nil {
			return models.Principal{}, err
		}
		b = bearer{user: user, expires: c.ExpiresAt}
		a.sessions.put(c.Subject, b)
	}
	b.expires = c.ExpiresAt // a person may have several sessions
	return b.principal()
}

func (b bearer) principal() (models.Principal, error) {
	user := b.user
	switch {
	case user.DisabledAt != nil:
		return models.Principal{}, unauthenticated(ReasonDisabled, "Your user is disabled; ask an admin of your account.")
	case user.AccountID == uuid.Nil:
		return models.Principal{}, forbidden(ReasonUnknownUser, "Your user belongs to no account.")
	}
	return models.Principal{
		UserID: user.ID, AccountID: user.AccountID, TeamID: user.TeamID,
		Role: user.Role, Name: user.Name, Email: user.Email,
		ExpiresAt: b.expires, APIKeyID: b.keyID, APIKeyName: b.keyName,
	}, nil
}

// find returns the user of a token: known by subject, or invited by e-mail
// address, or, if that is wanted, new.
func (a *Authenticator) find(ctx context.Context, c Claims) (models.User, error) {
	user, err := a.users.UserBySubject(ctx, c.Subject)
	if models.CodeOf(err) != models.CodeNotFound {
		return user, lookup(err)
	}
	// An address that the issuer has not verified may be anybody's.
	if c.Email == "" || !c.EmailVerified {
		return user, forbidden(ReasonUnknownUser, "You are signed in, but not known to any account, and the issuer of your token does not vouch for an e-mail address by which you could have been invited.")
	}
	user, err = a.users.LinkUser(ctx, c.Email, c.Subject)
	if models.CodeOf(err) == models.CodeNotFound && a.opt.Provision {
		user, err = a.provision(ctx, c)
	}
	switch models.CodeOf(err) {
	case "":
		return user, nil
	case models.CodeConflict, models.CodeNotFound:
		// Another request of the same person may have been faster.
		again, errAgain := a.users.UserBySubject(ctx, c.Subject)
		if models.CodeOf(errAgain) != models.CodeNotFound {
			return again, lookup(errAgain)
		}
		if models.CodeOf(err) == models.CodeConflict {
			return user, forbidden(ReasonUnknownUser, "Your e-mail address is in use by more than one user; an operator has to say which of them you are.")
		}
		return user, forbidden(ReasonUnknownUser, fmt.Sprintf("You are signed in, but not known to any account; ask an admin to invite %s.", c.Email))
	case models.CodeForbidden:
		return user, err
	default:
		return user, lookup(err)
	}
}

func (a *Authenticator) provision(ctx context.Context, c Claims) (models.User, error) {
	if c.AccountID == uuid.Nil || c.Role == "" {
		return models.User{}, forbidden(ReasonUnknownUser, "You are signed in, but your token does not say to which account, and in which role, you belong.")
	}
	name := c.Name
	if name == "" {
		name = c.Email
	}
	return a.users.ProvisionUser(ctx, models.User{
		AccountID: c.AccountID, Subject: &c.Subject, Email: c.Email, Name: name, Role: c.Role,
	})
}

// lookup is the error of a query that did not answer.
func lookup(err error) error {
	if err == nil || models.CodeOf(err) == models.CodeUnavailable {
		return err
	}
	return models.Errorf(models.CodeUnavailable, "It cannot be checked at the moment who you are.").WithCause(err)
}
