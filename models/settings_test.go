package models

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestNobodyGetsAboveTheirRole plays a company: people change each other as
// they like, and the rules keep what they promise.
func TestNobodyGetsAboveTheirRole(t *testing.T) {
	t.Parallel()
	roles := []Role{RoleViewer, RoleEngineer, RoleAdmin, RoleOwner}
	at := time.Date(2026, 11, 4, 9, 0, 0, 0, time.UTC)
	account := uuid.New()
	rapid.Check(t, func(t *rapid.T) {
		users := []User{{AccountID: account, ID: uuid.New(), Kind: UserPerson, Role: RoleOwner}}
		for range rapid.IntRange(0, 5).Draw(t, "more users") {
			u := User{
				AccountID: account, ID: uuid.New(), Kind: rapid.SampledFrom([]UserKind{UserPerson, UserPerson, UserService}).Draw(t, "kind"),
				Role: rapid.SampledFrom(roles).Draw(t, "role"),
			}
			if MayAddUser(Operator(account), u) == nil {
				users = append(users, u)
			}
		}
		owners := func(besides int) (n int) {
			for i, u := range users {
				if i != besides && u.Role == RoleOwner && u.DisabledAt == nil {
					n++
				}
			}
			return n
		}
		for range rapid.IntRange(1, 30).Draw(t, "changes") {
			by := Operator(account)
			actor := rapid.IntRange(-1, len(users)-1).Draw(t, "actor") // -1: the operator
			if actor >= 0 {
				if users[actor].DisabledAt != nil {
					continue // is not let in
				}
				by = Principal{AccountID: account, UserID: users[actor].ID, Role: users[actor].Role}
				if rapid.IntRange(0, 4).Draw(t, "by a key") == 0 {
					by.APIKeyID = uuid.New()
					if role := rapid.SampledFrom(roles[:3]).Draw(t, "role of the key"); by.Role.AtLeast(role) {
						by.Role = role
					}
				}
			}
			i := rapid.IntRange(0, len(users)-1).Draw(t, "whom")
			var c UserChange
			if rapid.Bool().Draw(t, "changes the role") {
				c.Role = new(rapid.SampledFrom(roles).Draw(t, "new role"))
			} else {
				c.Disabled = new(rapid.Bool().Draw(t, "disable"))
			}
			was, becomes := users[i], c.Apply(users[i], at)
			err := MayChangeUser(by, was, becomes, owners(i))
			what := fmt.Sprintf("%s changes %s (%s) to %s, disabled %v: %v", by.Role, was.Role, was.Kind, becomes.Role, becomes.DisabledAt != nil, err)
			if err == nil {
				users[i] = becomes
				touchesOwners := was.Role == RoleOwner || becomes.Role == RoleOwner
				switch {
				case owners(-1) == 0:
					t.Fatal("no owner is left: ", what)
				case touchesOwners && by.Role != RoleOwner:
					t.Fatal("only owners make and change owners: ", what)
				case actor >= 0 && actor == i && (becomes.DisabledAt != nil || !becomes.Role.AtLeast(was.Role)):
					t.Fatal("somebody harmed themselves: ", what)
				case actor == i && becomes.Role != was.Role && becomes.Role.AtLeast(was.Role):
					t.Fatal("somebody promoted themselves: ", what)
				case !by.Role.AtLeast(RoleAdmin):
					t.Fatal("somebody below an admin changed a user: ", what)
				case becomes.Kind == UserService && becomes.Role == RoleOwner:
					t.Fatal("an integration is an owner: ", what)
				}
				continue
			}
			// What is refused, is refused for a reason: an owner may do it to somebody
			// else, as long as there is another owner.
			owner := Principal{AccountID: account, UserID: uuid.New(), Role: RoleOwner}
			if again := MayChangeUser(owner, was, becomes, 1); again != nil && CodeOf(again) != CodeInvalid {
				t.Fatal("even an owner may not: ", again, what)
			}
		}
	})
}

func TestMayAddUser(t *testing.T) {
	t.Parallel()
	by := func(r Role) Principal { return Principal{UserID: uuid.New(), Role: r} }
	for _, tc := range []struct {
		by   Principal
		user User
		code Code
	}{
		{by(RoleEngineer), User{Role: RoleViewer}, CodeForbidden},
		{by(RoleAdmin), User{Role: RoleAdmin}, ""},
		{by(RoleAdmin), User{Role: RoleOwner}, CodeForbidden},
		{by(RoleOwner), User{Role: RoleOwner}, ""},
		{by(RoleOwner), User{Kind: UserService, Role: RoleOwner}, CodeInvalid},
		{by(RoleAdmin), User{Kind: UserService, Role: RoleAdmin}, ""},
		{Operator(uuid.New()), User{Role: RoleOwner}, ""},
	} {
		require.Equal(t, tc.code, CodeOf(MayAddUser(tc.by, tc.user)), "%+v", tc)
	}
}

func TestMayMakeAPIKey(t *testing.T) {
	t.Parallel()
	me := uuid.New()
	by := func(r Role) Principal { return Principal{UserID: me, Role: r} }
	service := User{ID: uuid.New(), Kind: UserService, Role: RoleEngineer}
	now := time.Now()
	for name, tc := range map[string]struct {
		by   Principal
		user User
		role Role
		code Code
	}{
		"for an integration":            {by(RoleAdmin), service, RoleEngineer, ""},
		"for oneself":                   {by(RoleAdmin), User{ID: me, Role: RoleAdmin}, RoleAdmin, ""},
		"for an owner themselves":       {by(RoleOwner), User{ID: me, Role: RoleOwner}, RoleAdmin, ""},
		"in a colleague's name":         {by(RoleOwner), User{ID: uuid.New(), Role: RoleViewer}, RoleViewer, CodeForbidden},
		"by an engineer":                {by(RoleEngineer), User{ID: me, Role: RoleEngineer}, RoleViewer, CodeForbidden},
		"more than the user":            {by(RoleAdmin), service, RoleAdmin, CodeInvalid},
		"an owner's key":                {by(RoleOwner), User{ID: me, Role: RoleOwner}, RoleOwner, CodeInvalid},
		"for a disabled integration":    {by(RoleAdmin), User{Kind: UserService, Role: RoleAdmin, DisabledAt: &now}, RoleViewer, CodeConflict},
		"a role that there is not":      {by(RoleAdmin), service, "superuser", CodeInvalid},
		"by nobody in particular":       {Principal{UserID: me}, User{ID: me, Role: RoleAdmin}, RoleViewer, CodeForbidden},
		"of a user with an unknown one": {by(RoleAdmin), User{Kind: UserService, Role: "superuser"}, RoleViewer, CodeInvalid},
	} {
		require.Equal(t, tc.code, CodeOf(MayMakeAPIKey(tc.by, tc.user, tc.role)), name)
	}
}
