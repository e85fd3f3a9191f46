package api

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/api/gen"
	"github.com/baton-handoff/baton/internal/apikey"
	"github.com/baton-handoff/baton/models"
)

// TestEveryChangeOfSettingsSaysWhatIsAudited holds that no operation by which
// admins change something is forgotten: it names the action that the audit log
// tells, or says that it changes nothing. Package app's tests hold that each
// does what it says.
func TestEveryChangeOfSettingsSaysWhatIsAudited(t *testing.T) {
	t.Parallel()
	harmless := map[string]bool{"testPSAConnection": true, "testChannel": true}
	audited := map[string]string{}
	for r, op := range loaded(t).operations {
		changes := r.method != http.MethodGet && op.access.least.AtLeast(models.RoleAdmin)
		require.Equal(t, changes, op.audit != "", "%s: %s is %q", op.id, auditExtension, op.audit)
		if !changes {
			continue
		}
		require.Equal(t, harmless[op.id], op.audit == "none", op.id)
		if op.audit != "none" {
			require.True(t, gen.AuditAction(op.audit).Valid(), "%s: %s", op.id, op.audit)
			require.Empty(t, audited[op.audit], "%s and %s are the same action", op.id, audited[op.audit])
			audited[op.audit] = op.id
		}
	}
	actions := loaded(t).doc.Components.Schemas["AuditAction"].Value.Enum
	require.Len(t, audited, len(actions)-1, "all but account.create, which is an operator's")
}

// fakeSettings remembers what it was asked for.
type fakeSettings struct {
	SettingsRecords // what a test does not set must not be called
	by              models.Principal
	user            models.User
	change          models.UserChange
	id              uuid.UUID
	name            string
	key             models.APIKey
	filter          models.AuditFilter
	page            models.Page
	entries         []models.AuditEntry
	next            string
}

func (f *fakeSettings) view() models.UserView {
	desk := "Service desk"
	return models.UserView{User: models.User{
		AccountID: account, ID: ana, Kind: models.UserPerson, TeamID: &team, Subject: new("s"), Email: "ana@demo.test", Name: "Ana Ortiz",
		Role: models.RoleEngineer, DisabledAt: &noon,
	}, TeamName: &desk}
}

func (f *fakeSettings) Users(context.Context) ([]models.UserView, error) {
	return []models.UserView{f.view()}, nil
}

func (f *fakeSettings) UserView(_ context.Context, id uuid.UUID) (models.UserView, error) {
	f.id = id
	return f.view(), nil
}

func (f *fakeSettings) CreateUser(_ context.Context, by models.Principal, u models.User) (models.UserView, error) {
	f.by, f.user = by, u
	return f.view(), nil
}

func (f *fakeSettings) ChangeUser(_ context.Context, by models.Principal, id uuid.UUID, c models.UserChange) (models.UserView, error) {
	f.by, f.id, f.change = by, id, c
	return f.view(), nil
}

func (f *fakeSettings) Teams(context.Context) ([]models.TeamView, error) {
	return []models.TeamView{{Team: models.Team{AccountID: account, ID: team, Name: "Service desk", CreatedAt: noon}, Members: 3}}, nil
}

func (f *fakeSettings) CreateTeam(_ context.Context, by models.Principal, name string) (models.TeamView, error) {
	f.by, f.name = by, name
	return models.TeamView{Team: models.Team{ID: team, Name: name, CreatedAt: noon}}, nil
}

func (f *fakeSettings) RenameTeam(_ context.Context, by models.Principal, id uuid.UUID, name string) (models.TeamView, error) {
	f.by, f.id, f.name = by, id, name
	return models.TeamView{Team: models.Team{ID: id, Name: name, CreatedAt: noon}}, nil
}

func (f *fakeSettings) APIKeys(context.Context) ([]models.APIKeyView, error) {
	return []models.APIKeyView{{APIKey: models.APIKey{ID: handoffID, UserID: ana, Name: "RMM", Prefix: "baton_4fKq", Hash: []byte("digest"), Role: models.RoleEngineer, CreatedAt: noon, CreatedBy: ana}, UserName: "RMM"}}, nil
}

func (f *fakeSettings) CreateAPIKey(_ context.Context, by models.Principal, k models.APIKey) (models.APIKeyView, error) {
	f.by, f.key = by, k
	return models.APIKeyView{APIKey: k, UserName: "RMM"}, nil
}

func (f *fakeSettings) RevokeAPIKey(_ context.Context, by models.Principal, id uuid.UUID) error {
	f.by, f.id = by, id
	return nil
}

func (f *fakeSettings) Audit(_ context.Context, filter models.AuditFilter, p models.Page) ([]models.AuditEntry, string, error) {
	f.filter, f.page = filter, p
	return f.entries, f.next, nil
}

func newSettingsWorld(t *testing.T) (*world, *fakeSettings) {
	t.Helper()
	w, f := newWorld(t), &fakeSettings{}
	w.records.SettingsRecords = f
	return w, f
}

func TestAllUsersAreForAdmins(t *testing.T) {
	t.Parallel()
	w, _ := newSettingsWorld(t)
	require.Equal(t, 403, w.do(ask("GET", "/api/v1/users?all=true", "")).Code)
	rec := w.do(ask("GET", "/api/v1/users?all=true", "", admin))
	require.Equal(t, 200, rec.Code)
	require.JSONEq(t, `{"next_cursor": null, "items": [{"id": "`+ana.String()+`", "kind": "person", "name": "Ana Ortiz", "role": "engineer",
		"team_id": "`+team.String()+`", "team_name": "Service desk", "email": "ana@demo.test", "signed_in": true, "disabled_at": "2026-11-04T12:00:00Z"}]}`, rec.Body.String())
	require.Equal(t, 422, w.do(ask("GET", "/api/v1/users?all=yes", "", admin)).Code)
	require.Equal(t, 200, w.do(ask("GET", "/api/v1/users/"+ana.String(), "", admin)).Code)
}

func TestCreateUser(t *testing.T) {
	t.Parallel()
	w, f := newSettingsWorld(t)
	rec := w.do(ask("POST", "/api/v1/users", `{"email": "Kim@Example.com", "name": " Kim Park ", "role": "owner", "team_id": "`+team.String()+`", "kind": "service"}`,
		admin, header("X-Request-Id", "req-1")))
	require.Equal(t, 201, rec.Code, rec.Body.String())
	require.Equal(t, "/api/v1/users/"+ana.String(), rec.Header().Get("Location"))
	require.Equal(t, models.User{Kind: models.UserService, Email: "kim@example.com", Name: "Kim Park", Role: models.RoleOwner, TeamID: &team}, f.user)
	require.Equal(t, "req-1", f.by.RequestID, "which the audit log tells")
	for _, body := range []string{
		`{"email": "kim", "name": "Kim", "role": "viewer"}`,
		`{"email": "Kim <kim@example.com>", "name": "Kim", "role": "viewer"}`,
		`{"email": "kim@example.com\n", "name": "Kim", "role": "viewer"}`,
		`{"email": "kim@example.com", "name": " ", "role": "viewer"}`,
		`{"email": "kim@example.com", "name": "Kim\nPark", "role": "viewer"}`,
	} {
		require.Equal(t, 400, w.do(ask("POST", "/api/v1/users", body, admin)).Code, body)
	}
	for _, body := range []string{`{"email": "kim@example.com", "name": "Kim", "role": "superuser"}`, `{"email": "kim@example.com", "name": "Kim", "role": "viewer", "subject": "x"}`} {
		require.Equal(t, 422, w.do(ask("POST", "/api/v1/users", body, admin)).Code, body)
	}
}

func TestChangeUser(t *testing.T) {
	t.Parallel()
	w, f := newSettingsWorld(t)
	path := "/api/v1/users/" + sam.String()
	require.Equal(t, 200, w.do(ask("PUT", path, `{"name": "Sam Lee", "role": "admin", "team_id": null}`, admin)).Code)
	require.Equal(t, sam, f.id)
	require.Equal(t, models.UserChange{Name: new("Sam Lee"), Role: new(models.RoleAdmin), Team: &models.TeamChoice{}}, f.change)
	require.Equal(t, 200, w.do(ask("POST", path+"/disable", "", admin)).Code)
	require.Equal(t, models.UserChange{Disabled: new(true)}, f.change)
	require.Equal(t, 200, w.do(ask("POST", path+"/enable", "", admin)).Code)
	require.Equal(t, models.UserChange{Disabled: new(false)}, f.change)
	require.Equal(t, 422, w.do(ask("PUT", path, `{"name": "Sam Lee", "role": "admin"}`, admin)).Code, "no team is not the same as not saying")
	require.Equal(t, 400, w.do(ask("PUT", path, `{"name": " ", "role": "admin", "team_id": null}`, admin)).Code)
	require.Equal(t, 422, w.do(ask("POST", "/api/v1/users/42/disable", "", admin)).Code)
}

func TestTeams(t *testing.T) {
	t.Parallel()
	w, f := newSettingsWorld(t)
	rec := w.do(ask("GET", "/api/v1/teams", ""))
	require.Equal(t, 200, rec.Code)
	require.JSONEq(t, `{"next_cursor": null, "items": [{"id": "`+team.String()+`", "name": "Service desk", "members": 3, "created_at": "2026-11-04T12:00:00Z"}]}`, rec.Body.String())
	require.Equal(t, 201, w.do(ask("POST", "/api/v1/teams", `{"name": " Network "}`, admin)).Code)
	require.Equal(t, "Network", f.name)
	require.Equal(t, 200, w.do(ask("PUT", "/api/v1/teams/"+team.String(), `{"name": "Desk"}`, admin)).Code)
	require.Equal(t, team, f.id)
	require.Equal(t, 400, w.do(ask("POST", "/api/v1/teams", `{"name": "\t"}`, admin)).Code)
}

func TestAnAPIKeyIsToldOnce(t *testing.T) {
	t.Parallel()
	w, f := newSettingsWorld(t)
	rec := w.do(ask("POST", "/api/v1/api-keys", `{"name": "RMM alerts", "user_id": "`+sam.String()+`", "role": "engineer", "expires_at": "2999-01-01T00:00:00Z"}`, admin))
	require.Equal(t, 201, rec.Code, rec.Body.String())
	var made struct{ Key, Prefix string }
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &made))
	key, err := apikey.Parse(made.Key)
	require.NoError(t, err)
	require.Equal(t, key.Shown(), made.Prefix)
	hash := key.Hash()
	require.Equal(t, hash[:], f.key.Hash)
	require.Equal(t, sam, f.key.UserID)
	require.Equal(t, time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC), f.key.ExpiresAt.UTC())
	require.NotContains(t, w.log.String(), made.Key)
	list := w.do(ask("GET", "/api/v1/api-keys", "", admin))
	require.Equal(t, 200, list.Code)
	require.Contains(t, list.Body.String(), `"key":null`)
	require.NotContains(t, list.Body.String(), "digest")

	require.Equal(t, 201, w.do(ask("POST", "/api/v1/api-keys", `{"name": "mine", "role": "admin"}`, admin)).Code)
	require.Equal(t, uuid.Nil, f.key.UserID, "that is who asks")
	require.Nil(t, f.key.ExpiresAt)
	require.Equal(t, 400, w.do(ask("POST", "/api/v1/api-keys", `{"name": "x", "role": "admin", "expires_at": "2020-01-01T00:00:00Z"}`, admin)).Code)
	require.Equal(t, 422, w.do(ask("POST", "/api/v1/api-keys", `{"name": "x", "role": "owner"}`, admin)).Code)
	require.Equal(t, 204, w.do(ask("DELETE", "/api/v1/api-keys/"+handoffID.String(), "", admin)).Code)
	require.Equal(t, handoffID, f.id)
}

// TestTheLogNamesTheKey: or nobody could tell what a leaked key did.
func TestTheLogNamesTheKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.auth.set(func(context.Context, string) (models.Principal, error) {
		p := principal(models.RoleEngineer)
		p.APIKeyID, p.APIKeyName = handoffID, "RMM"
		return p, nil
	})
	rec := w.do(ask("GET", "/api/v1/me", "", header("Authorization", "Bearer baton_x")))
	require.Equal(t, 200, rec.Code)
	require.Contains(t, rec.Body.String(), `"expires_at":null`)
	require.Contains(t, w.log.String(), `"api_key_id":"`+handoffID.String()+`"`)
}

func TestListAudit(t *testing.T) {
	t.Parallel()
	w, f := newSettingsWorld(t)
	f.next = "more"
	f.entries = []models.AuditEntry{{
		AccountID: account, ID: handoffID, At: noon, Action: models.AuditUserSet, ActorKind: models.ByAPIKey, ActorID: &ana, ActorName: new("Ana Ortiz"),
		APIKeyID: &sessionID, APIKeyName: new("=RMM"), ThingID: &sam, ThingName: new("Sam"), RequestID: new("req-1"),
		Changes: []models.AuditChange{{Field: "role", Before: new("viewer"), After: new("admin")}},
	}}
	rec := w.do(ask("GET", "/api/v1/audit?actor="+ana.String()+"&action=user.set&since=2026-11-01T01:00:00%2B01:00&cursor=x&limit=7", "", admin))
	require.Equal(t, 200, rec.Code, rec.Body.String())
	require.JSONEq(t, `{"next_cursor": "more", "items": [{"id": "`+handoffID.String()+`", "at": "2026-11-04T12:00:00Z", "action": "user.set", "actor_kind": "api_key",
		"actor_id": "`+ana.String()+`", "actor_name": "Ana Ortiz", "api_key_id": "`+sessionID.String()+`", "api_key_name": "=RMM", "thing_id": "`+sam.String()+`",
		"thing_name": "Sam", "changes": [{"field": "role", "secret": false, "before": "viewer", "after": "admin"}], "request_id": "req-1"}]}`, rec.Body.String())
	require.Equal(t, models.Page{Cursor: "x", Limit: 7}, f.page)
	require.Equal(t, models.AuditUserSet, f.filter.Action)
	require.Equal(t, ana, *f.filter.ActorID)
	require.Equal(t, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), *f.filter.Since)
	require.Nil(t, f.filter.Until)
	require.Equal(t, 422, w.do(ask("GET", "/api/v1/audit?action=user.delete", "", admin)).Code)

	require.Equal(t, 400, w.do(ask("GET", "/api/v1/audit?format=csv", "", admin)).Code, "a part is not told as if it were all")
	f.next = ""
	rec = w.do(ask("GET", "/api/v1/audit", "", admin, header("Accept", "text/csv")))
	require.Equal(t, 200, rec.Code, rec.Body.String())
	require.Equal(t, "text/csv", rec.Header().Get("Content-Type"))
	require.Equal(t, models.Page{Limit: maxAudited}, f.page)
	lines, err := csv.NewReader(strings.NewReader(rec.Body.String())).ReadAll()
	require.NoError(t, err)
	require.Len(t, lines, 2)
	require.Contains(t, lines[1], "'=RMM")
}
