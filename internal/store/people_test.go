package store_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

// audit is the whole audit log of somebody's account, the newest entry first.
func (w *world) audit(t *testing.T, of models.Principal) []models.AuditEntry {
	t.Helper()
	rows, _, err := w.Audit(as(t, of), models.AuditFilter{}, models.Page{Limit: 1000})
	require.NoError(t, err)
	return rows
}

func TestCreateUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.ada)
	desk, err := w.CreateTeam(ctx, w.ada, "Service desk")
	require.NoError(t, err)
	by := w.ada
	by.RequestID = "req-1"
	kim, err := w.CreateUser(ctx, by, models.User{Email: "Kim@Example.com", Name: "Kim", Role: models.RoleEngineer, TeamID: &desk.ID})
	require.NoError(t, err)
	require.Equal(t, "kim@example.com", kim.Email)
	require.Equal(t, "Service desk", *kim.TeamName)
	require.Equal(t, models.UserPerson, kim.Kind)
	again, err := w.UserView(ctx, kim.ID)
	require.NoError(t, err)
	require.Equal(t, kim, again)

	e := w.audit(t, w.ada)[0]
	require.Equal(t, models.AuditUserCreate, e.Action)
	require.Equal(t, models.ByUser, e.ActorKind)
	require.Equal(t, w.ada.UserID, *e.ActorID)
	require.Equal(t, "Ada", *e.ActorName)
	require.Equal(t, kim.ID, *e.ThingID)
	require.Equal(t, "Kim", *e.ThingName)
	require.Equal(t, "req-1", *e.RequestID)
	require.Equal(t, []models.AuditChange{
		{Field: "disabled", After: new("false")},
		{Field: "email", After: new("kim@example.com")},
		{Field: "kind", After: new("person")},
		{Field: "name", After: new("Kim")},
		{Field: "role", After: new("engineer")},
		{Field: "team", After: new("Service desk")},
	}, e.Changes)

	entries := len(w.audit(t, w.ada))
	for name, tc := range map[string]struct {
		by   models.Principal
		user models.User
		code models.Code
	}{
		"the address is taken":     {w.ada, models.User{Email: "KIM@example.com", Name: "Kim", Role: models.RoleViewer}, models.CodeConflict},
		"a team that is not there": {w.ada, models.User{Email: "lee@example.com", Name: "Lee", Role: models.RoleViewer, TeamID: new(uuid.New())}, models.CodeInvalid},
		"an owner":                 {w.ada, models.User{Email: "lee@example.com", Name: "Lee", Role: models.RoleOwner}, models.CodeForbidden},
		"by an engineer":           {w.ben, models.User{Email: "lee@example.com", Name: "Lee", Role: models.RoleViewer}, models.CodeForbidden},
		"by who was an admin":      {models.Principal{UserID: w.ben.UserID, AccountID: w.ben.AccountID, Role: models.RoleAdmin}, models.User{Email: "lee@example.com", Name: "Lee", Role: models.RoleViewer}, models.CodeForbidden},
	} {
		_, err := w.CreateUser(ctx, tc.by, tc.user)
		require.Equal(t, tc.code, models.CodeOf(err), name)
	}
	require.Len(t, w.audit(t, w.ada), entries, "what was not done is not told")

	// Another account may have somebody with the same address, and not a team of this one.
	eve := models.Operator(w.eve.AccountID)
	_, err = w.CreateUser(as(t, w.eve), eve, models.User{Email: "kim@example.com", Name: "Kim", Role: models.RoleViewer})
	require.NoError(t, err)
	_, err = w.CreateUser(as(t, w.eve), eve, models.User{Email: "kay@example.com", Name: "Kay", Role: models.RoleViewer, TeamID: &desk.ID})
	require.Equal(t, models.CodeInvalid, models.CodeOf(err))
}

func TestChangeUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.ada)
	desk, err := w.CreateTeam(ctx, w.ada, "Service desk")
	require.NoError(t, err)
	ben, err := w.ChangeUser(ctx, w.ada, w.ben.UserID, models.UserChange{Name: new("Benjamin"), Role: new(models.RoleAdmin), Team: &models.TeamChoice{ID: &desk.ID}})
	require.NoError(t, err)
	require.Equal(t, "Benjamin", ben.Name)
	require.Equal(t, models.RoleAdmin, ben.Role)
	require.Equal(t, "Service desk", *ben.TeamName)
	e := w.audit(t, w.ada)[0]
	require.Equal(t, models.AuditUserSet, e.Action)
	require.Equal(t, []models.AuditChange{
		{Field: "name", Before: new("Ben"), After: new("Benjamin")}, {Field: "role", Before: new("engineer"), After: new("admin")}, {Field: "team", After: new("Service desk")},
	}, e.Changes)

	entries := len(w.audit(t, w.ada))
	same, err := w.ChangeUser(ctx, w.ada, w.ben.UserID, models.UserChange{Role: new(models.RoleAdmin), Disabled: new(false)})
	require.NoError(t, err)
	require.Equal(t, ben, same)
	require.Len(t, w.audit(t, w.ada), entries, "nothing was changed")

	off, err := w.ChangeUser(ctx, w.ada, w.ben.UserID, models.UserChange{Disabled: new(true)})
	require.NoError(t, err)
	require.NotNil(t, off.DisabledAt)
	require.Equal(t, models.AuditUserDisable, w.audit(t, w.ada)[0].Action)
	_, err = w.ChangeUser(ctx, models.Principal{UserID: w.ben.UserID, AccountID: w.ben.AccountID, Role: models.RoleAdmin}, w.ben.UserID, models.UserChange{Disabled: new(false)})
	require.Equal(t, models.CodeForbidden, models.CodeOf(err), "who was disabled just now")
	on, err := w.ChangeUser(ctx, w.ada, w.ben.UserID, models.UserChange{Disabled: new(false)})
	require.NoError(t, err)
	require.Nil(t, on.DisabledAt)
	require.Equal(t, models.AuditUserEnable, w.audit(t, w.ada)[0].Action)

	// Walls.
	_, err = w.ChangeUser(ctx, w.ada, w.eve.UserID, models.UserChange{Disabled: new(true)})
	require.Equal(t, models.CodeNotFound, models.CodeOf(err))
	_, err = w.UserView(ctx, w.eve.UserID)
	require.Equal(t, models.CodeNotFound, models.CodeOf(err))
	foreign, err := w.CreateTeam(as(t, w.eve), models.Operator(w.eve.AccountID), "Service desk")
	require.NoError(t, err)
	_, err = w.ChangeUser(ctx, w.ada, w.ben.UserID, models.UserChange{Team: &models.TeamChoice{ID: &foreign.ID}})
	require.Equal(t, models.CodeInvalid, models.CodeOf(err))
	_, err = w.RenameTeam(ctx, w.ada, foreign.ID, "Mine")
	require.Equal(t, models.CodeNotFound, models.CodeOf(err))
	users, err := w.Users(ctx)
	require.NoError(t, err)
	require.Len(t, users, 5)
	for _, e := range w.audit(t, w.ada) {
		require.Equal(t, w.ada.AccountID, e.AccountID)
	}
}

// TestOneOwnerIsLeft: whatever owners do to each other at the same time.
func TestOneOwnerIsLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	owners := make([]models.Principal, 4)
	for i := range owners {
		owners[i] = w.user(t, w.ada.AccountID, fmt.Sprintf("Owner %d", i), models.RoleOwner)
	}
	var wg sync.WaitGroup
	codes := make([]models.Code, len(owners))
	for i, by := range owners {
		wg.Go(func() {
			change := models.UserChange{Disabled: new(true)}
			if i%2 == 0 {
				change = models.UserChange{Role: new(models.RoleAdmin)}
			}
			_, err := w.ChangeUser(as(t, by), by, owners[(i+1)%len(owners)].UserID, change)
			codes[i] = models.CodeOf(err)
		})
	}
	wg.Wait()
	users, err := w.Users(as(t, w.ada))
	require.NoError(t, err)
	left := 0
	for _, u := range users {
		if u.Role == models.RoleOwner && u.DisabledAt == nil {
			left++
		}
	}
	require.Positive(t, left, "%v", codes)
	require.Contains(t, codes, models.CodeForbidden, "who is no owner any more may not: %v", codes)
}

func TestTeams(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.ada)
	desk, err := w.CreateTeam(ctx, w.ada, "Service desk")
	require.NoError(t, err)
	network, err := w.CreateTeam(ctx, w.ada, "network")
	require.NoError(t, err)
	_, err = w.CreateTeam(ctx, w.ada, "SERVICE DESK")
	require.Equal(t, models.CodeConflict, models.CodeOf(err))
	_, err = w.RenameTeam(ctx, w.ada, network.ID, "Service Desk")
	require.Equal(t, models.CodeConflict, models.CodeOf(err))
	renamed, err := w.RenameTeam(ctx, w.ada, network.ID, "Network")
	require.NoError(t, err, "its own name in another case")
	require.Equal(t, "Network", renamed.Name)
	require.Equal(t, []models.AuditChange{{Field: "name", Before: new("network"), After: new("Network")}}, w.audit(t, w.ada)[0].Changes)
	_, err = w.ChangeUser(ctx, w.ada, w.ana.UserID, models.UserChange{Team: &models.TeamChoice{ID: &desk.ID}})
	require.NoError(t, err)
	_, err = w.ChangeUser(ctx, w.ada, w.ben.UserID, models.UserChange{Team: &models.TeamChoice{ID: &desk.ID}, Disabled: new(true)})
	require.NoError(t, err)
	teams, err := w.Teams(ctx)
	require.NoError(t, err)
	require.Len(t, teams, 2)
	require.Equal(t, "Network", teams[0].Name)
	require.Equal(t, 1, teams[1].Members, "who is disabled does not count")
	teams, err = w.Teams(as(t, w.eve))
	require.NoError(t, err)
	require.Empty(t, teams)
}

// TestAServiceIsNobody: it neither signs in, nor is told or handed anything.
func TestAServiceIsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.ada)
	rmm, err := w.CreateUser(ctx, w.ada, models.User{Kind: models.UserService, Email: "rmm@example.com", Name: "RMM", Role: models.RoleEngineer})
	require.NoError(t, err)
	_, err = w.LinkUser(t.Context(), "rmm@example.com", "subject of somebody")
	require.Equal(t, models.CodeNotFound, models.CodeOf(err))
	colleagues, err := w.Colleagues(ctx)
	require.NoError(t, err)
	for _, c := range colleagues {
		require.NotEqual(t, rmm.ID, c.ID)
	}
	addressees, err := w.Addressees(ctx)
	require.NoError(t, err)
	for _, a := range addressees {
		require.NotEqual(t, rmm.ID, a.ID)
	}
	_, err = w.PrepareHandoff(as(t, w.sam), w.sam, models.NewHandoff{
		SessionID: w.session(t, w.sam).ID, Intent: models.IntentEscalate, Priority: models.PriorityHigh, EngineerNotes: "Please look.", TargetUserID: &rmm.ID,
	})
	require.ErrorContains(t, err, "integration")
	_, err = w.ChangeUser(ctx, models.Operator(w.ada.AccountID), rmm.ID, models.UserChange{Role: new(models.RoleOwner)})
	require.Equal(t, models.CodeInvalid, models.CodeOf(err))
}

func aKey(name string, user uuid.UUID, role models.Role) models.APIKey {
	hash := sha256.Sum256([]byte(name + uuid.NewString()))
	return models.APIKey{UserID: user, Name: name, Prefix: "baton_4fKq", Hash: hash[:], Role: role}
}

func TestAPIKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.ada)
	rmm, err := w.CreateUser(ctx, w.ada, models.User{Kind: models.UserService, Email: "rmm@example.com", Name: "RMM", Role: models.RoleEngineer})
	require.NoError(t, err)
	key := aKey("RMM alerts", rmm.ID, models.RoleEngineer)
	made, err := w.CreateAPIKey(ctx, w.ada, key)
	require.NoError(t, err)
	require.Equal(t, "RMM", made.UserName)
	require.Equal(t, "Ada", *made.CreatedByName)
	own, err := w.CreateAPIKey(ctx, w.ada, aKey("mine", uuid.Nil, models.RoleAdmin))
	require.NoError(t, err)
	require.Equal(t, w.ada.UserID, own.UserID)
	for name, tc := range map[string]struct {
		key  models.APIKey
		code models.Code
	}{
		"a colleague's":   {aKey("a", w.ana.UserID, models.RoleViewer), models.CodeForbidden},
		"a stranger's":    {aKey("b", w.eve.UserID, models.RoleViewer), models.CodeInvalid},
		"a name is taken": {aKey("rmm ALERTS", rmm.ID, models.RoleViewer), models.CodeConflict},
		"too much":        {aKey("c", rmm.ID, models.RoleAdmin), models.CodeInvalid},
	} {
		_, err := w.CreateAPIKey(ctx, w.ada, tc.key)
		require.Equal(t, tc.code, models.CodeOf(err), name)
	}
	told, err := json.Marshal(w.audit(t, w.ada))
	require.NoError(t, err)
	require.Contains(t, string(told), key.Prefix)
	require.NotContains(t, string(told), hex.EncodeToString(key.Hash))
	require.NotContains(t, string(told), base64.StdEncoding.EncodeToString(key.Hash))

	// Looking it up notes its use, to the minute.
	found, user, err := w.UserByAPIKey(t.Context(), key.Hash)
	require.NoError(t, err)
	require.Equal(t, made.ID, found.ID)
	require.Equal(t, rmm.ID, user.ID)
	require.Nil(t, found.LastUsedAt)
	used := func() *time.Time {
		k, _, err := w.UserByAPIKey(t.Context(), key.Hash)
		require.NoError(t, err)
		return k.LastUsedAt
	}
	first := used()
	require.NotNil(t, first)
	require.Equal(t, first, used())
	w.exec(t, `UPDATE api_keys SET last_used_at = last_used_at - interval '61 seconds'`)
	_ = used()
	require.True(t, used().After(first.Add(-time.Second)))

	require.Equal(t, models.CodeNotFound, models.CodeOf(w.RevokeAPIKey(as(t, w.eve), models.Operator(w.eve.AccountID), made.ID)), "another account's")
	require.NoError(t, w.RevokeAPIKey(ctx, w.ada, made.ID))
	require.Equal(t, models.CodeNotFound, models.CodeOf(w.RevokeAPIKey(ctx, w.ada, made.ID)), "twice")
	found, _, err = w.UserByAPIKey(t.Context(), key.Hash)
	require.NoError(t, err)
	require.NotNil(t, found.RevokedAt)
	keys, err := w.APIKeys(ctx)
	require.NoError(t, err)
	require.Len(t, keys, 1)
	_, err = w.CreateAPIKey(ctx, w.ada, aKey("RMM alerts", rmm.ID, models.RoleEngineer))
	require.NoError(t, err, "the name is free again")

	// A key that was revoked, or acts beyond what its user may now, changes nothing more.
	by := w.ada
	by.APIKeyID, by.APIKeyName = own.ID, "mine"
	team, err := w.CreateTeam(ctx, by, "By a key")
	require.NoError(t, err)
	e := w.audit(t, w.ada)[0]
	require.Equal(t, models.ByAPIKey, e.ActorKind)
	require.Equal(t, own.ID, *e.APIKeyID)
	require.Equal(t, "mine", *e.APIKeyName)
	require.Equal(t, w.ada.UserID, *e.ActorID)
	require.NoError(t, w.RevokeAPIKey(ctx, by, own.ID), "also itself")
	_, err = w.RenameTeam(ctx, by, team.ID, "By a revoked key")
	require.Equal(t, models.CodeForbidden, models.CodeOf(err))
}

func TestAnAccountHasSoManyKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.ada)
	var last models.APIKeyView
	for i := range models.MaxAPIKeys - 2 {
		var err error
		last, err = w.CreateAPIKey(ctx, w.ada, aKey(fmt.Sprint("key ", i), uuid.Nil, models.RoleViewer))
		require.NoError(t, err)
	}
	var wg sync.WaitGroup
	codes := make([]models.Code, 6)
	for i := range codes {
		wg.Go(func() {
			_, err := w.CreateAPIKey(ctx, w.ada, aKey(fmt.Sprint("late ", i), uuid.Nil, models.RoleViewer))
			codes[i] = models.CodeOf(err)
		})
	}
	wg.Wait()
	refused := 0
	for _, c := range codes {
		if c == models.CodeConflict {
			refused++
		}
	}
	require.Equal(t, 4, refused, "%v", codes)
	require.NoError(t, w.RevokeAPIKey(ctx, w.ada, last.ID))
	_, err := w.CreateAPIKey(ctx, w.ada, aKey("one more", uuid.Nil, models.RoleViewer))
	require.NoError(t, err)
}

// TestTheAuditLogIsFinal: for the app's role, for the table's owner, and for a
// superuser who does not take the trigger away first.
func TestTheAuditLogIsFinal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.audit(t, w.ada)
	require.NotEmpty(t, before)
	conn, err := pgx.Connect(t.Context(), w.url)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	for _, role := range []string{"", "SET ROLE baton_app"} {
		_, err := conn.Exec(t.Context(), role)
		require.NoError(t, err)
		_, err = conn.Exec(t.Context(), `SET baton.account_id = '*'`)
		require.NoError(t, err)
		for _, statement := range []string{`UPDATE audit_log SET actor_name = 'nobody'`, `DELETE FROM audit_log`, `TRUNCATE audit_log`, `DELETE FROM audit_log WHERE false`} {
			_, err := conn.Exec(t.Context(), statement)
			require.Error(t, err, "%s: %s", role, statement)
			require.True(t, strings.Contains(err.Error(), "only added to") || strings.Contains(err.Error(), "permission denied"), err)
		}
	}
	_, err = conn.Exec(t.Context(), `DELETE FROM api_keys`)
	require.ErrorContains(t, err, "permission denied", "keys are revoked, not deleted")
	require.Equal(t, before, w.audit(t, w.ada))
}

func TestAuditPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.ada)
	var teams []uuid.UUID
	for i := range 7 {
		by := w.ada
		if i%2 == 1 {
			by = models.Operator(w.ada.AccountID)
		}
		team, err := w.CreateTeam(ctx, by, fmt.Sprint("Team ", i))
		require.NoError(t, err)
		teams = append(teams, team.ID)
	}
	f := models.AuditFilter{Action: models.AuditTeamCreate}
	var seen []uuid.UUID
	for cursor := ""; ; {
		rows, next, err := w.Audit(ctx, f, models.Page{Cursor: cursor, Limit: 2})
		require.NoError(t, err)
		for _, r := range rows {
			seen = append([]uuid.UUID{*r.ThingID}, seen...)
		}
		if cursor = next; next == "" {
			break
		}
	}
	require.Equal(t, teams, seen, "the newest first, none twice and none left out")
	all := w.audit(t, w.ada)
	count := func(f models.AuditFilter) int {
		rows, _, err := w.Audit(ctx, f, models.Page{Limit: 100})
		require.NoError(t, err)
		return len(rows)
	}
	require.Equal(t, 4, count(models.AuditFilter{ActorID: &w.ada.UserID}))
	require.Equal(t, 0, count(models.AuditFilter{ActorID: &w.eve.UserID}))
	require.Equal(t, 3, count(models.AuditFilter{Since: &all[2].At}))
	require.Equal(t, len(all)-1, count(models.AuditFilter{Until: &all[0].At}))
	_, _, err := w.Audit(ctx, f, models.Page{Cursor: "nonsense", Limit: 2})
	require.Equal(t, models.CodeInvalid, models.CodeOf(err))
	rows, _, err := w.Audit(as(t, w.eve), models.AuditFilter{}, models.Page{Limit: 100})
	require.NoError(t, err)
	require.Len(t, rows, 1, "Eve's account has had one change: she was added")
}

func TestSettingsAreAudited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.ada)
	last := func() models.AuditEntry { return w.audit(t, w.ada)[0] }

	require.NoError(t, w.SaveBriefingSettings(ctx, w.ada, models.BriefingSettings{UseModel: true, MonthlyMicroUSD: new(int64(25_000_000))}))
	require.Equal(t, []models.AuditChange{{Field: "monthly_budget_usd", After: new("25")}, {Field: "use_model", After: new("true")}}, last().Changes)
	require.NoError(t, w.SaveBriefingSettings(ctx, w.ada, models.BriefingSettings{UseModel: true}))
	require.Equal(t, []models.AuditChange{{Field: "monthly_budget_usd", Before: new("25")}}, last().Changes)
	entries := len(w.audit(t, w.ada))
	require.NoError(t, w.SaveBriefingSettings(ctx, w.ada, models.BriefingSettings{UseModel: true}))
	require.Len(t, w.audit(t, w.ada), entries)
	settings, found, err := w.BriefingSettings(ctx)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, w.ada.UserID, settings.UpdatedBy)

	rule := models.LadderPolicy{Scope: "all", Rule: []byte(`{"team_id":null,"claim_within_seconds":600}`)}
	require.NoError(t, w.SaveLadderPolicies(ctx, w.ada, []models.LadderPolicy{rule}))
	require.Equal(t, []models.AuditChange{{Field: "rules.all.claim_within_seconds", After: new("600")}}, last().Changes)
	rule.Rule = []byte(`{"team_id":null,"claim_within_seconds":300}`)
	require.NoError(t, w.SaveLadderPolicies(ctx, w.ada, []models.LadderPolicy{rule}))
	require.Equal(t, []models.AuditChange{{Field: "rules.all.claim_within_seconds", Before: new("600"), After: new("300")}}, last().Changes)
	entries = len(w.audit(t, w.ada))
	foreign := rule
	foreign.Scope, foreign.TeamID = "team", new(uuid.New())
	require.Equal(t, models.CodeInvalid, models.CodeOf(w.SaveLadderPolicies(ctx, w.ada, []models.LadderPolicy{foreign})))
	require.Len(t, w.audit(t, w.ada), entries)
	kept, err := w.LadderPolicies(ctx)
	require.NoError(t, err)
	require.Len(t, kept, 1)

	c := aConnection(w.ada)
	_, err = w.SavePSAConnection(ctx, w.ada, c, 0, []models.AuditChange{{Field: "kind", After: new("halopsa")}, {Field: "credentials.client_secret", Secret: true}})
	require.NoError(t, err)
	require.Equal(t, models.AuditPSAConnectionSet, last().Action)
	require.True(t, last().Changes[1].Secret)
	require.NoError(t, w.DeletePSAConnection(ctx, w.ada))
	require.Equal(t, models.AuditPSAConnectionDelete, last().Action)
	require.Equal(t, []models.AuditChange{
		{Field: "address", Before: new("https://acme.example")}, {Field: "kind", Before: new("halopsa")}, {Field: "options.set_owner", Before: new("true")},
	}, last().Changes)

	account := models.Account{ID: uuid.New(), Name: "New MSP"}
	require.NoError(t, w.CreateAccount(t.Context(), models.Operator(account.ID), account))
	rows, _, err := w.Audit(tenant.With(t.Context(), account.ID), models.AuditFilter{}, models.Page{Limit: 10})
	require.NoError(t, err)
	require.Len(t, rows, 1)
	require.Equal(t, models.ByOperator, rows[0].ActorKind)
	require.Nil(t, rows[0].ActorID)
	require.Equal(t, models.CodeInternal, models.CodeOf(w.CreateAccount(t.Context(), models.Operator(account.ID), account)), "it is there")
}
