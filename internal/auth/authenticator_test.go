package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

// people is a table of users in memory.
type people struct {
	t       *testing.T
	users   []models.User
	keys    []models.APIKey
	down    error
	queries int
	// beforeLink runs between the lookup and the linking of a user.
	beforeLink func()
}

var notFound = models.Errorf(models.CodeNotFound, "User not found")

func (p *people) called(ctx context.Context) error {
	require.True(p.t, tenant.From(ctx).System)
	p.queries++
	return p.down
}

func (p *people) UserBySubject(ctx context.Context, subject string) (models.User, error) {
	if err := p.called(ctx); err != nil {
		return models.User{}, err
	}
	for _, u := range p.users {
		if u.Subject != nil && *u.Subject == subject {
			return u, nil
		}
	}
	return models.User{}, notFound
}

func (p *people) UserByAPIKey(ctx context.Context, hash []byte) (models.APIKey, models.User, error) {
	if err := p.called(ctx); err != nil {
		return models.APIKey{}, models.User{}, err
	}
	for _, k := range p.keys {
		if bytes.Equal(k.Hash, hash) {
			for _, u := range p.users {
				if u.ID == k.UserID {
					return k, u, nil
				}
			}
		}
	}
	return models.APIKey{}, models.User{}, notFound
}

func (p *people) LinkUser(ctx context.Context, email, subject string) (models.User, error) {
	if err := p.called(ctx); err != nil {
		return models.User{}, err
	}
	if p.beforeLink != nil {
		p.beforeLink()
	}
	var found []*models.User
	for i := range p.users {
		if p.users[i].Subject == nil && strings.EqualFold(p.users[i].Email, email) {
			found = append(found, &p.users[i])
		}
	}
	switch len(found) {
	case 0:
		return models.User{}, notFound
	case 1:
		found[0].Subject = &subject
		return *found[0], nil
	}
	return models.User{}, models.Errorf(models.CodeConflict, "Several accounts have one")
}

func (p *people) ProvisionUser(ctx context.Context, user models.User) (models.User, error) {
	if err := p.called(ctx); err != nil {
		return models.User{}, err
	}
	for _, u := range p.users {
		if u.AccountID == user.AccountID && u.Email == user.Email {
			return models.User{}, models.Errorf(models.CodeConflict, "There is one")
		}
	}
	user.ID = uuid.New()
	p.users = append(p.users, user)
	return user, nil
}

type refusals []string

func (r *refusals) AuthRefused(reason string) { *r = append(*r, reason) }

// door is an authenticator with its users and a clock.
type door struct {
	*Authenticator
	people   *people
	clock    *clock
	refusals refusals
}

func newDoor(t *testing.T, o Options, users ...models.User) *door {
	d := &door{people: &people{t: t, users: users}, clock: &clock{}}
	v, err := NewVerifier(Config{HS256Secret: secret, Now: d.clock.now, AccountClaim: "account", RoleClaim: "role", NameClaim: "name"})
	require.NoError(t, err)
	o.Now, o.Observer = d.clock.now, &d.refusals
	d.Authenticator = NewAuthenticator(v, d.people, o)
	return d
}

func token(t *testing.T, change jwt.MapClaims) string {
	s, err := jwt.NewWithClaims(jwt.SigningMethodHS256, goodClaims("", change)).SignedString(secret)
	require.NoError(t, err)
	return s
}

var (
	account = uuid.MustParse("00000000-0000-4000-8000-00000000000a")
	team    = uuid.MustParse("00000000-0000-4000-8000-0000000000aa")
	subject = "sam"
	now     = epoch
	sam     = models.User{AccountID: account, ID: uuid.MustParse("00000000-0000-4000-8000-000000000001"), TeamID: &team, Subject: &subject, Email: "sam@acme.test", Name: "Sam Junior", Role: models.RoleEngineer}
)

func with(u models.User, change func(*models.User)) models.User {
	change(&u)
	return u
}

func TestRoleAndAccountComeFromTheDatabase(t *testing.T) {
	t.Parallel()
	d := newDoor(t, Options{}, sam)
	p, err := d.Authenticate(t.Context(), token(t, jwt.MapClaims{"account": uuid.NewString(), "role": "owner", "name": "Root", "email": "root@acme.test"}))
	require.NoError(t, err)
	require.Equal(t, models.Principal{
		UserID: sam.ID, AccountID: account, TeamID: &team, Role: models.RoleEngineer,
		Name: "Sam Junior", Email: "sam@acme.test", ExpiresAt: epoch.Add(time.Hour),
	}, p)
	require.Empty(t, d.refusals)
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	invited := with(sam, func(u *models.User) { u.Subject = nil })
	elsewhere := with(invited, func(u *models.User) { u.AccountID, u.ID = uuid.New(), uuid.New() })
	other := "somebody-else"
	taken := with(sam, func(u *models.User) { u.Subject = &other })
	newcomer := jwt.MapClaims{"account": account.String(), "role": "viewer"}
	for name, test := range map[string]struct {
		users     []models.User
		claims    jwt.MapClaims
		provision bool
		want      models.Code
		reason    Reason
		says      string
		role      models.Role
	}{
		"known":                         {users: []models.User{sam}, role: models.RoleEngineer},
		"invited":                       {users: []models.User{invited}, role: models.RoleEngineer},
		"invited, other case":           {users: []models.User{invited}, claims: jwt.MapClaims{"email": "Sam@ACME.test"}, role: models.RoleEngineer},
		"invited, address not verified": {users: []models.User{invited}, claims: jwt.MapClaims{"email_verified": false}, want: models.CodeForbidden, reason: ReasonUnknownUser, says: "vouch"},
		"invited by two accounts":       {users: []models.User{invited, elsewhere}, want: models.CodeForbidden, reason: ReasonUnknownUser, says: "more than one"},
		"address of another subject":    {users: []models.User{taken}, want: models.CodeForbidden, reason: ReasonUnknownUser, says: "sam@acme.test"},
		"unknown":                       {want: models.CodeForbidden, reason: ReasonUnknownUser, says: "sam@acme.test"},
		"disabled":                      {users: []models.User{with(sam, func(u *models.User) { u.DisabledAt = &now })}, want: models.CodeUnauthenticated, reason: ReasonDisabled, says: "disabled"},
		"of no account":                 {users: []models.User{with(sam, func(u *models.User) { u.AccountID = uuid.Nil })}, want: models.CodeForbidden, reason: ReasonUnknownUser, says: "no account"},
		"bad token":                     {users: []models.User{sam}, claims: jwt.MapClaims{"exp": epoch.Add(-time.Hour).Unix()}, want: models.CodeUnauthenticated, reason: ReasonExpired, says: "expired"},

		"provisioned":                                {provision: true, claims: newcomer, role: models.RoleViewer},
		"provisioning is off":                        {claims: newcomer, want: models.CodeForbidden, reason: ReasonUnknownUser},
		"provisioning without an account":            {provision: true, claims: jwt.MapClaims{"role": "viewer"}, want: models.CodeForbidden, reason: ReasonUnknownUser, says: "account"},
		"provisioning without a role":                {provision: true, claims: jwt.MapClaims{"account": account.String()}, want: models.CodeForbidden, reason: ReasonUnknownUser, says: "role"},
		"provisioning does not replace an invite":    {provision: true, users: []models.User{invited}, claims: newcomer, role: models.RoleEngineer},
		"provisioning does not take over an address": {provision: true, users: []models.User{taken}, claims: newcomer, want: models.CodeForbidden, reason: ReasonUnknownUser, says: "more than one"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDoor(t, Options{Provision: test.provision}, test.users...)
			p, err := d.Authenticate(t.Context(), token(t, test.claims))
			require.Equal(t, test.want, models.CodeOf(err), "%v", err)
			require.Equal(t, test.role, p.Role)
			if err == nil {
				require.Equal(t, account, p.AccountID)
				require.Empty(t, d.refusals)
				return
			}
			require.Zero(t, p)
			require.Equal(t, refusals{string(test.reason)}, d.refusals)
			require.Contains(t, err.Error(), test.says)
		})
	}
}

func TestProvisionedUser(t *testing.T) {
	t.Parallel()
	d := newDoor(t, Options{Provision: true})
	_, err := d.Authenticate(t.Context(), token(t, jwt.MapClaims{"account": account.String(), "role": "viewer", "name": nil}))
	require.NoError(t, err)
	require.Len(t, d.people.users, 1)
	got := d.people.users[0]
	got.ID = uuid.Nil
	require.Equal(t, models.User{AccountID: account, Subject: &subject, Email: "sam@acme.test", Name: "sam@acme.test", Role: models.RoleViewer}, got)
}

// Two first requests of one person arrive together.
func TestLinkedMeanwhile(t *testing.T) {
	t.Parallel()
	d := newDoor(t, Options{}, with(sam, func(u *models.User) { u.Subject = nil }))
	d.people.beforeLink = func() { d.people.users[0].Subject = &subject }
	p, err := d.Authenticate(t.Context(), token(t, nil))
	require.NoError(t, err)
	require.Equal(t, sam.ID, p.UserID)
}

func TestDatabaseIsDown(t *testing.T) {
	t.Parallel()
	d := newDoor(t, Options{CacheFor: time.Minute}, sam)
	d.people.down = errors.New("connection refused")
	_, err := d.Authenticate(t.Context(), token(t, nil))
	require.Equal(t, models.CodeUnavailable, models.CodeOf(err))
	require.ErrorIs(t, err, d.people.down)
	require.Equal(t, refusals{"unavailable"}, d.refusals)

	busy := models.Errorf(models.CodeUnavailable, "busy")
	busy.RetryAfter = time.Second
	d.people.down = busy
	_, err = d.Authenticate(t.Context(), token(t, nil))
	require.Same(t, busy, err)

	d.people.down = nil
	_, err = d.Authenticate(t.Context(), token(t, nil))
	require.NoError(t, err, "trouble is not remembered")
}

func TestCache(t *testing.T) {
	t.Parallel()
	d := newDoor(t, Options{CacheFor: 5 * time.Second}, sam)
	for range 100 {
		_, err := d.Authenticate(t.Context(), token(t, nil))
		require.NoError(t, err)
	}
	require.Equal(t, 1, d.people.queries, "a burst costs one query")

	d.people.users[0].DisabledAt = &now
	d.clock.advance(5 * time.Second)
	_, err := d.Authenticate(t.Context(), token(t, nil))
	require.Equal(t, models.CodeUnauthenticated, models.CodeOf(err), "soon forgotten")
	_, err = d.Authenticate(t.Context(), token(t, jwt.MapClaims{"exp": epoch.Unix()}))
	require.Equal(t, models.CodeUnauthenticated, models.CodeOf(err))

	off := newDoor(t, Options{}, sam)
	for range 3 {
		_, err := off.Authenticate(t.Context(), token(t, nil))
		require.NoError(t, err)
	}
	require.Equal(t, 3, off.people.queries)
}

// A token that is remembered proves nothing once it has expired, whatever is
// left of the time for which it would be remembered.
func TestCacheEndsWithTheToken(t *testing.T) {
	t.Parallel()
	d := newDoor(t, Options{CacheFor: time.Hour}, sam)
	short := token(t, jwt.MapClaims{"exp": epoch.Add(time.Minute).Unix()})
	_, err := d.Authenticate(t.Context(), short)
	require.NoError(t, err)
	d.clock.advance(time.Minute - time.Second)
	p, err := d.Authenticate(t.Context(), short)
	require.NoError(t, err)
	require.Equal(t, epoch.Add(time.Minute), p.ExpiresAt, "as of the token")
	require.Equal(t, 1, d.people.queries)
	d.clock.advance(time.Second + leeway)
	_, err = d.Authenticate(t.Context(), short)
	require.Equal(t, models.CodeUnauthenticated, models.CodeOf(err))
}

// A disabled user costs no more than another one, and is let in again soon
// after being enabled.
func TestCacheOfADisabledUser(t *testing.T) {
	t.Parallel()
	d := newDoor(t, Options{CacheFor: 5 * time.Second}, with(sam, func(u *models.User) { u.DisabledAt = &now }))
	for range 10 {
		_, err := d.Authenticate(t.Context(), token(t, nil))
		require.Equal(t, models.CodeUnauthenticated, models.CodeOf(err))
	}
	require.Equal(t, 1, d.people.queries)
	d.people.users[0].DisabledAt = nil
	d.clock.advance(5 * time.Second)
	_, err := d.Authenticate(t.Context(), token(t, nil))
	require.NoError(t, err)
}

// A key that the issuer has withdrawn ends the tokens that it signed, also
// those that are in use all the time.
func TestCacheOfARotatedKey(t *testing.T) {
	t.Parallel()
	c := &clock{}
	is := newIssuer(t, map[string]string{"1": "rsa"})
	v := is.verifier(t, c)
	a := NewAuthenticator(v, &people{t: t, users: []models.User{sam}}, Options{CacheFor: 5 * time.Second, Now: c.now})
	old := sign(t, "rsa", is.claims(nil), map[string]any{"kid": "1"})
	fresh := sign(t, "ec", is.claims(nil), map[string]any{"kid": "2"})
	_, err := a.Authenticate(t.Context(), old)
	require.NoError(t, err)

	is.publish(map[string]string{"2": "ec"})
	c.advance(fetchPause)
	_, err = a.Authenticate(t.Context(), fresh) // makes the keys be fetched again
	require.NoError(t, err)
	_, err = a.Authenticate(t.Context(), old)
	require.Equal(t, models.CodeUnauthenticated, models.CodeOf(err), "5 s have passed since it was verified")
}

// What is remembered is of one token: another one of the same person, or one
// that only looks like it, has to prove itself.
func TestCacheIsOfOneToken(t *testing.T) {
	t.Parallel()
	d := newDoor(t, Options{CacheFor: time.Hour}, sam)
	good := token(t, nil)
	_, err := d.Authenticate(t.Context(), good)
	require.NoError(t, err)
	forged, err := jwt.NewWithClaims(jwt.SigningMethodHS256, goodClaims("", nil)).SignedString([]byte(strings.Repeat("x", MinSecret)))
	require.NoError(t, err)
	for _, bad := range []string{forged, good + "x", good[:len(good)-4], "", good + "." + good} {
		_, err = d.Authenticate(t.Context(), bad)
		require.Equal(t, models.CodeUnauthenticated, models.CodeOf(err))
	}
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	c := &cache{ttl: time.Hour, now: (&clock{}).now}
	for i := range 3*maxCached + 5 {
		c.put(fmt.Sprint(i), bearer{user: sam, expires: epoch.Add(time.Hour)})
		require.LessOrEqual(t, len(c.bearers), maxCached)
	}
	_, ok := c.get(fmt.Sprint(3*maxCached + 4))
	require.True(t, ok)
}
