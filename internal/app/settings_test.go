package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/remote"
	"github.com/baton-handoff/baton/internal/secrets"
	"github.com/baton-handoff/baton/models"
)

// send makes one request with a bearer token of any kind.
func (b *baton) send(token, method, url string, body any) (int, map[string]any) {
	b.t.Helper()
	text, err := json.Marshal(body)
	require.NoError(b.t, err)
	req, err := http.NewRequestWithContext(b.t.Context(), method, url, bytes.NewReader(text))
	require.NoError(b.t, err)
	if body == nil {
		req.Body = http.NoBody
	} else {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(b.t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err = io.ReadAll(resp.Body)
	require.NoError(b.t, err)
	var answer map[string]any
	if len(text) > 0 {
		require.NoError(b.t, json.Unmarshal(text, &answer))
	}
	return resp.StatusCode, answer
}

func text(t *testing.T, answer map[string]any, member string) string {
	t.Helper()
	s, ok := answer[member].(string)
	require.True(t, ok, "%s of %v", member, answer)
	return s
}

// auditLog are the entries of somebody's account, the newest first.
func (b *baton) auditLog(u models.User, base string) (entries []map[string]any) {
	b.t.Helper()
	status, answer := b.call(u, http.MethodGet, base+"/api/v1/audit?limit=200", nil)
	require.Equal(b.t, http.StatusOK, status, answer)
	list, ok := answer["items"].([]any)
	require.True(b.t, ok)
	for _, e := range list {
		entry, ok := e.(map[string]any)
		require.True(b.t, ok)
		entries = append(entries, entry)
	}
	return entries
}

// auditedOperations are those of the description that the audit log tells of,
// by their id, with the action.
func (b *baton) auditedOperations(base string) map[string]string {
	b.t.Helper()
	resp, err := http.Get(base + "/openapi.json")
	require.NoError(b.t, err)
	defer func() { _ = resp.Body.Close() }()
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	require.NoError(b.t, json.NewDecoder(resp.Body).Decode(&doc))
	found := map[string]string{}
	for _, item := range doc.Paths {
		for method, raw := range item {
			if method == "parameters" {
				continue
			}
			var op struct {
				ID    string `json:"operationId"`
				Audit string `json:"x-baton-audit"`
			}
			require.NoError(b.t, json.Unmarshal(raw, &op))
			if op.Audit != "" && op.Audit != "none" {
				found[op.ID] = op.Audit
			}
		}
	}
	return found
}

// TestEveryChangeOfSettingsIsAudited makes each change that the API's
// description says is audited, and looks for its entry: exactly one, by who it
// was, with the id of the request, and without a secret. A change that this test
// does not know makes it fail.
func TestEveryChangeOfSettingsIsAudited(t *testing.T) {
	t.Parallel()
	b := connectable(t, secrets.NewKey())
	base := b.api()
	d := newOffice(t, psa.KindHaloPSA)
	hidden := d.secretsOf()
	var made string // the id of what the last request made
	api := base + "/api/v1"
	webhook := func(name string) map[string]any {
		return map[string]any{"kind": "webhook", "name": name, "credentials": map[string]any{"url": "https://hook.example.com/s3cr3t-path"}}
	}
	hidden = append(hidden, "s3cr3t-path")
	todo := b.auditedOperations(base)
	require.Len(t, todo, 15)
	for _, step := range []struct {
		operation, method, path string
		body                    any
	}{
		{"createTeam", "POST", "/teams", map[string]any{"name": "Network"}},
		{"setTeam", "PUT", "/teams/{made}", map[string]any{"name": "Network and telephony"}},
		{"createUser", "POST", "/users", map[string]any{"email": "kim@example.com", "name": "Kim", "role": "viewer"}},
		{"setUser", "PUT", "/users/{made}", map[string]any{"name": "Kim", "role": "engineer", "team_id": nil}},
		{"disableUser", "POST", "/users/{made}/disable", nil},
		{"enableUser", "POST", "/users/{made}/enable", nil},
		{"createAPIKey", "POST", "/api-keys", map[string]any{"name": "mine", "role": "viewer"}},
		{"revokeAPIKey", "DELETE", "/api-keys/{made}", nil},
		{"setLadder", "PUT", "/ladder", map[string]any{"rules": []any{map[string]any{"team_id": nil, "priority": "critical", "claim_within_seconds": 600}}}},
		{"setBriefingSettings", "PUT", "/briefings/settings", map[string]any{"use_model": true, "monthly_budget_usd": 25}},
		{"setPSAConnection", "PUT", "/psa/connection", d.body(nil)},
		{"deletePSAConnection", "DELETE", "/psa/connection", nil},
		{"createChannel", "POST", "/notifications/channels", webhook("Dispatch")},
		{"setChannel", "PUT", "/notifications/channels/{made}", webhook("Dispatch board")},
		{"deleteChannel", "DELETE", "/notifications/channels/{made}", nil},
	} {
		before := b.auditLog(b.ada, base)
		id := "settings-" + step.operation
		status, answer := b.call(b.ada, step.method, api+strings.ReplaceAll(step.path, "{made}", made), step.body, "X-Request-Id", id)
		require.Less(t, status, 300, "%s: %v", step.operation, answer)
		if s, ok := answer["id"].(string); ok {
			made = s
		}
		for _, member := range []string{"key", "secret"} {
			if s, ok := answer[member].(string); ok {
				hidden = append(hidden, s)
			}
		}
		after := b.auditLog(b.ada, base)
		require.Len(t, after, len(before)+1, step.operation)
		require.Equal(t, before, after[1:], "nothing else was changed")
		e := after[0]
		require.Equal(t, todo[step.operation], e["action"], step.operation)
		require.Equal(t, id, e["request_id"])
		require.Equal(t, "user", e["actor_kind"])
		require.Equal(t, b.ada.ID.String(), e["actor_id"])
		require.NotEmpty(t, e["changes"], step.operation)
		delete(todo, step.operation)
	}
	require.Empty(t, todo, "operations that this test has forgotten")
	all, err := json.Marshal(b.auditLog(b.ada, base))
	require.NoError(t, err)
	require.Contains(t, string(all), `"field":"credentials.client_secret","secret":true`, "that it was entered")
	for _, secret := range hidden {
		require.NotContains(t, string(all), secret)
	}

	// Behind the wall there is nothing of it.
	b.changeUser(b.eve, models.UserChange{Role: new(models.RoleAdmin)})
	for _, e := range b.auditLog(b.eve, base) {
		require.NotEqual(t, b.ada.ID.String(), e["actor_id"])
	}
	status, _ := b.call(b.vic, http.MethodGet, api+"/audit", nil)
	require.Equal(t, http.StatusForbidden, status)
}

// TestWhatIsRefusedIsNotAudited, and another account's things are not there.
func TestWhatIsRefusedIsNotAudited(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	base := b.api()
	api := base + "/api/v1"
	b.changeUser(b.eve, models.UserChange{Role: new(models.RoleAdmin)})
	_, team := b.call(b.eve, http.MethodPost, api+"/teams", map[string]any{"name": "Theirs"})
	_, key := b.call(b.eve, http.MethodPost, api+"/api-keys", map[string]any{"name": "Theirs", "role": "viewer"})
	before := b.auditLog(b.ada, base)
	owner := b.user(b.ada.AccountID, "Olga", models.RoleOwner)
	for _, step := range []struct {
		method, path string
		body         any
		status       int
	}{
		{"GET", "/users/" + b.eve.ID.String(), nil, 404},
		{"PUT", "/users/" + b.eve.ID.String(), map[string]any{"name": "Eve", "role": "viewer", "team_id": nil}, 404},
		{"POST", "/users/" + b.eve.ID.String() + "/disable", nil, 404},
		{"POST", "/users/" + b.eve.ID.String() + "/enable", nil, 404},
		{"PUT", "/teams/" + text(t, team, "id"), map[string]any{"name": "Mine"}, 404},
		{"DELETE", "/api-keys/" + text(t, key, "id"), nil, 404},
		{"DELETE", "/api-keys/" + uuid.NewString(), nil, 404},
		{"POST", "/users", map[string]any{"email": "a@example.com", "name": "A", "role": "viewer", "team_id": team["id"]}, 400},
		{"PUT", "/users/" + b.sam.ID.String(), map[string]any{"name": "Sam", "role": "viewer", "team_id": team["id"]}, 400},
		{"POST", "/api-keys", map[string]any{"name": "x", "role": "viewer", "user_id": b.eve.ID}, 400},
		{"POST", "/api-keys", map[string]any{"name": "x", "role": "viewer", "user_id": b.sam.ID}, 403},
		{"POST", "/users", map[string]any{"email": strings.ToUpper(b.sam.Email), "name": "A", "role": "viewer"}, 409},
		{"POST", "/users", map[string]any{"email": "a@example.com", "name": "A", "role": "owner"}, 403},
		{"POST", "/users", map[string]any{"email": "a@example.com", "name": "A", "role": "owner", "kind": "service"}, 400},
		{"PUT", "/users/" + owner.ID.String(), map[string]any{"name": "Olga", "role": "admin", "team_id": nil}, 403},
		{"POST", "/users/" + owner.ID.String() + "/disable", nil, 403},
		{"PUT", "/users/" + b.ada.ID.String(), map[string]any{"name": "Ada", "role": "owner", "team_id": nil}, 403},
		{"PUT", "/users/" + b.ada.ID.String(), map[string]any{"name": "Ada", "role": "viewer", "team_id": nil}, 403},
		{"POST", "/users/" + b.ada.ID.String() + "/disable", nil, 403},
	} {
		status, answer := b.call(b.ada, step.method, api+step.path, step.body)
		require.Equal(t, step.status, status, "%s %s: %v", step.method, step.path, answer)
	}
	after := b.auditLog(b.ada, base)
	require.Equal(t, before, after[1:], "but for Olga, who was added")
}

// TestAnAPIKeyActsAsItsUser: over every door that takes a token, as far as its
// role goes, and no longer than it is wanted.
func TestAnAPIKeyActsAsItsUser(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	b.worker()
	base := b.api()
	api := base + "/api/v1"
	_, rmm := b.call(b.ada, http.MethodPost, api+"/users", map[string]any{"email": "rmm@example.com", "name": "RMM", "role": "admin", "kind": "service"})
	newKey := func(name, role string) (id, key string) {
		status, answer := b.call(b.ada, http.MethodPost, api+"/api-keys", map[string]any{"name": name, "role": role, "user_id": rmm["id"]})
		require.Equal(t, http.StatusCreated, status, answer)
		return text(t, answer, "id"), text(t, answer, "key")
	}
	alertsID, alerts := newKey("alerts", "engineer")
	_, chief := newKey("onboarding", "admin")

	status, me := b.send(alerts, http.MethodGet, api+"/me", nil)
	require.Equal(t, http.StatusOK, status, me)
	require.Equal(t, rmm["id"], me["user_id"])
	require.Equal(t, "engineer", me["role"], "and not admin, as its user")
	require.Nil(t, me["expires_at"])

	// It hands off, and the timeline names it.
	_, session := b.send(alerts, http.MethodPost, api+"/ai-sessions", map[string]any{"title": "Disk full", "client_name": "Larch Dental", "problem": "C: has 1 % left.", "steps": []any{}})
	status, handoff := b.send(alerts, http.MethodPost, api+"/ai-sessions/"+text(t, session, "id")+"/handoff", map[string]any{"intent": "escalate", "engineer_notes": "Please clean up."})
	require.Equal(t, http.StatusCreated, status, handoff)
	status, claimed := b.call(b.ana, http.MethodPost, api+"/ai-sessions/"+text(t, session, "id")+"/handoffs/"+text(t, handoff, "id")+"/claim", map[string]any{})
	require.Equal(t, http.StatusOK, status, claimed)
	require.Equal(t, "RMM", claimed["handed_off_by_name"])

	// What takes an admin, an engineer's key may not; an admin's may, and is told.
	for _, path := range []string{"/users", "/api-keys", "/teams"} {
		status, _ := b.send(alerts, http.MethodPost, api+path, map[string]any{"name": "x", "role": "viewer", "email": "x@example.com"})
		require.Equal(t, http.StatusForbidden, status, path)
	}
	status, _ = b.send(chief, http.MethodPost, api+"/users", map[string]any{"email": "new@example.com", "name": "New", "role": "engineer"})
	require.Equal(t, http.StatusCreated, status)
	e := b.auditLog(b.ada, base)[0]
	require.Equal(t, "api_key", e["actor_kind"])
	require.Equal(t, "onboarding", e["api_key_name"])
	require.Equal(t, "RMM", e["actor_name"])

	// Used keys say so; neither list nor log has one.
	status, list := b.call(b.ada, http.MethodGet, api+"/api-keys", nil)
	require.Equal(t, http.StatusOK, status)
	for name, item := range items(t, list) {
		require.NotNil(t, item["last_used_at"], name)
		require.Nil(t, item["key"])
		require.True(t, strings.HasPrefix(map[string]string{"alerts": alerts, "onboarding": chief}[name], text(t, item, "prefix")))
	}
	require.Zero(t, b.sql(`SELECT count(*) FROM api_keys k WHERE k::text LIKE '%' || $1 || '%'`, alerts[10:]))

	// Revoked, it ends: its requests, and its stream.
	reader, err := remote.New(base, alerts)
	require.NoError(t, err)
	open, ended := make(chan struct{}), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		ended <- reader.Follow(ctx, "", nil, func(e remote.Event) error {
			if e.Type == remote.Ready {
				close(open)
			}
			return nil
		})
	}()
	<-open
	status, _ = b.send(chief, http.MethodDelete, api+"/api-keys/"+alertsID, nil)
	require.Equal(t, http.StatusNoContent, status)
	eventually(t, "requests are refused", func() bool {
		status, _ := b.send(alerts, http.MethodGet, api+"/me", nil)
		return status == http.StatusUnauthorized
	})
	requireRefusal(t, <-ended, http.StatusUnauthorized, models.CodeUnauthenticated)

	// A user who may less, may less by each key at once; one who is disabled, nothing.
	b.changeUser(models.User{ID: uuid.MustParse(text(t, rmm, "id")), AccountID: b.ada.AccountID}, models.UserChange{Role: new(models.RoleViewer)})
	eventually(t, "the key follows its user", func() bool {
		_, me := b.send(chief, http.MethodGet, api+"/me", nil)
		return me["role"] == "viewer"
	})
	status, _ = b.call(b.ada, http.MethodPost, api+"/users/"+text(t, rmm, "id")+"/disable", nil)
	require.Equal(t, http.StatusOK, status)
	eventually(t, "nobody is let in by it", func() bool {
		status, _ := b.send(chief, http.MethodGet, api+"/me", nil)
		return status == http.StatusUnauthorized
	})
	actions := make([]string, 0)
	for _, e := range b.auditLog(b.ada, base) {
		actions = append(actions, text(t, e, "action"))
	}
	slices.Reverse(actions)
	require.Equal(t, []string{"user.create", "api_key.create", "api_key.create", "user.create", "api_key.revoke", "user.set", "user.disable"}, actions[len(actions)-7:])
}
