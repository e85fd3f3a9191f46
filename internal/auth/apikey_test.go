package auth

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/apikey"
	"github.com/baton-handoff/baton/models"
)

// keyOf gives a user an API key.
func (d *door) keyOf(u models.User, change func(*models.APIKey)) string {
	key := apikey.New()
	hash := key.Hash()
	k := models.APIKey{AccountID: u.AccountID, ID: uuid.New(), UserID: u.ID, Name: "RMM", Prefix: key.Shown(), Hash: hash[:], Role: models.RoleAdmin}
	if change != nil {
		change(&k)
	}
	d.people.keys = append(d.people.keys, k)
	return key.Reveal()
}

// TestAKeyMayNoMoreThanItsUser, nor more than it says.
func TestAKeyMayNoMoreThanItsUser(t *testing.T) {
	t.Parallel()
	roles := []models.Role{models.RoleViewer, models.RoleEngineer, models.RoleAdmin, models.RoleOwner}
	for i, has := range roles {
		for j, says := range roles[:3] {
			d := newDoor(t, Options{}, with(sam, func(u *models.User) { u.Role = has }))
			p, err := d.Authenticate(t.Context(), d.keyOf(sam, func(k *models.APIKey) { k.Role = says }))
			require.NoError(t, err)
			require.Equal(t, roles[min(i, j)], p.Role, "%s of %s", says, has)
			require.Equal(t, sam.ID, p.UserID)
			require.Equal(t, sam.AccountID, p.AccountID)
			require.Equal(t, d.people.keys[0].ID, p.APIKeyID)
			require.Equal(t, "RMM", p.APIKeyName)
			require.True(t, p.ExpiresAt.IsZero())
		}
	}
}

func TestKeysThatAreRefused(t *testing.T) {
	t.Parallel()
	past := now.Add(-time.Second)
	for name, tc := range map[string]struct {
		user   models.User
		change func(*models.APIKey)
		token  func(string) string
		reason Reason
	}{
		"revoked":             {user: sam, change: func(k *models.APIKey) { k.RevokedAt = &past }, reason: ReasonRevoked},
		"expired":             {user: sam, change: func(k *models.APIKey) { k.ExpiresAt = &now }, reason: ReasonExpired},
		"of a disabled user":  {user: with(sam, func(u *models.User) { u.DisabledAt = &past }), reason: ReasonDisabled},
		"not known":           {user: sam, token: func(string) string { return apikey.New().Reveal() }, reason: ReasonUnknownKey},
		"not copied whole":    {user: sam, token: func(k string) string { return k[:len(k)-1] }, reason: ReasonMalformed},
		"in another case":     {user: sam, token: strings.ToLower, reason: ReasonMalformed},
		"the prefix and more": {user: sam, token: func(k string) string { return apikey.Prefix + k }, reason: ReasonMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDoor(t, Options{CacheFor: time.Minute}, tc.user)
			key := d.keyOf(tc.user, tc.change)
			if tc.token != nil {
				key = tc.token(key)
			}
			_, err := d.Authenticate(t.Context(), key)
			require.Equal(t, models.CodeUnauthenticated, models.CodeOf(err))
			require.Equal(t, refusals{string(tc.reason)}, d.refusals)
			require.NotContains(t, err.Error(), key)
		})
	}
}

// TestARevokedKeyIsSoonRefused: within the time for which it is remembered.
func TestARevokedKeyIsSoonRefused(t *testing.T) {
	t.Parallel()
	d := newDoor(t, Options{CacheFor: 5 * time.Second}, sam)
	key := d.keyOf(sam, nil)
	for range 100 {
		_, err := d.Authenticate(t.Context(), key)
		require.NoError(t, err)
	}
	require.Equal(t, 1, d.people.queries, "a key without an end is remembered too")
	d.people.keys[0].RevokedAt = &now
	d.clock.advance(5 * time.Second)
	_, err := d.Authenticate(t.Context(), key)
	require.Equal(t, models.CodeUnauthenticated, models.CodeOf(err))
}

func TestAKeyEndsByItself(t *testing.T) {
	t.Parallel()
	d := newDoor(t, Options{CacheFor: time.Hour}, sam)
	ends := epoch.Add(time.Minute)
	key := d.keyOf(sam, func(k *models.APIKey) { k.ExpiresAt = &ends })
	p, err := d.Authenticate(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, ends, p.ExpiresAt, "when its streams end")
	d.clock.advance(time.Minute)
	_, err = d.Authenticate(t.Context(), key)
	require.Equal(t, models.CodeUnauthenticated, models.CodeOf(err))
}
