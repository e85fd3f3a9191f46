package api

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/models"
)

// TestEveryOperationIsGuarded asks every operation of the description without
// a token, with a bad one, and with each role that is too low. None of them
// may reach a port: the fakes have no functions, and would panic.
func TestEveryOperationIsGuarded(t *testing.T) {
	t.Parallel()
	roles := []models.Role{models.RoleViewer, models.RoleEngineer, models.RoleAdmin, models.RoleOwner}
	guarded := 0
	for r, op := range loaded(t).operations {
		if op.access.public {
			continue
		}
		guarded++
		address := strings.NewReplacer(":id", sessionID.String(), ":hid", handoffID.String(), ":did", handoffID.String(), ":cid", handoffID.String(), ":uid", ana.String(), ":tid", team.String(), ":kid", handoffID.String()).Replace(r.path)
		t.Run(op.id, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for _, authorization := range []string{"", "engineer", "Basic ZW5naW5lZXI6eA==", "Bearer", "Bearer ", "Bearer nobody", "Bearer " + strings.Repeat("x", maxBearer+1)} {
				rec := w.do(ask(r.method, address, "", header("Authorization", authorization)))
				require.Equal(t, 401, rec.Code, authorization)
				require.Equal(t, "unauthenticated", readProblem(t, rec).Code)
				want := `Bearer error="invalid_token"`
				if authorization == "" {
					want = "Bearer"
				}
				require.Equal(t, want, rec.Header().Get("WWW-Authenticate"))
			}
			two := ask(r.method, address, "")
			two.Header["Authorization"] = []string{"Bearer engineer", "Bearer owner"}
			require.Equal(t, 401, w.do(two).Code)
			inAddress := ask(r.method, address+"?access_token=owner&token=owner", "", header("Authorization", ""))
			require.Equal(t, 401, w.do(inAddress).Code)

			if op.access.least == "" {
				return
			}
			for _, role := range roles {
				if role.AtLeast(op.access.least) {
					continue
				}
				rec := w.do(ask(r.method, address, "", header("Authorization", "Bearer "+string(role))))
				require.Equal(t, 403, rec.Code, role)
				p := readProblem(t, rec)
				require.Equal(t, "forbidden", p.Code)
				require.Contains(t, p.text(t), "yours is "+string(role))
			}
			w.auth.set(func(context.Context, string) (models.Principal, error) {
				return principal("superuser"), nil
			})
			require.Equal(t, 403, w.do(ask(r.method, address, "")).Code, "an unknown role may nothing")
		})
	}
	require.Equal(t, 64, guarded, "operations that take a token")
}

func TestWhoMayNotBeTold(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		by     models.Principal
		err    error
		status int
		code   models.Code
	}{
		{name: "nobody of ours", err: models.Errorf(models.CodeForbidden, "You are not a user of any account."), status: 403, code: models.CodeForbidden},
		{name: "nobody's principal", by: models.Principal{UserID: ana, Role: models.RoleOwner}, status: 403, code: models.CodeForbidden},
		{name: "the database is down", err: models.Errorf(models.CodeUnavailable, "Not now."), status: 503, code: models.CodeUnavailable},
		{name: "something unknown", err: http.ErrBodyNotAllowed, status: 500, code: models.CodeInternal},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.auth.set(func(context.Context, string) (models.Principal, error) { return tc.by, tc.err })
			rec := w.do(ask("GET", "/api/v1/me", ""))
			require.Equal(t, tc.status, rec.Code)
			require.Equal(t, string(tc.code), readProblem(t, rec).Code)
		})
	}
}

// TestRoutesAndDescriptionAgree holds that a server in which they differ does
// not start.
func TestRoutesAndDescriptionAgree(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.server.Handle("GET", "/api/v1/secret", http.NotFoundHandler())
	require.ErrorContains(t, w.server.checkRoutes(), "GET /api/v1/secret is served and not described")

	w = newWorld(t)
	more := *w.server.spec
	more.operations = maps.Clone(more.operations)
	more.operations[route{"GET", "/api/v1/more"}] = &operation{id: "getMore"}
	w.server.spec = &more
	require.ErrorContains(t, w.server.checkRoutes(), "getMore is described and not served")
}

// TestAccessComesFirst holds that who may not call an operation learns nothing
// about its request.
func TestAccessComesFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	req := ask("POST", sessionsPath+"/42/handoff", "{", header("Authorization", "Bearer viewer"))
	require.Equal(t, 403, w.do(req).Code)
	rest, err := req.Body.Read(make([]byte, 1))
	require.NoError(t, err)
	require.Equal(t, 1, rest, "the body was not read")
}

func TestSignedInIsEnoughForMe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.auth.set(func(_ context.Context, bearer string) (models.Principal, error) {
		require.Equal(t, "the.token", bearer)
		p := principal(models.RoleViewer)
		p.ExpiresAt = noon
		p.TeamID = nil
		return p, nil
	})
	rec := w.do(ask("GET", "/api/v1/me", "", header("Authorization", "bearer  the.token ")))
	require.Equal(t, 200, rec.Code)
	require.JSONEq(t, `{"user_id":"`+ana.String()+`","account_id":"`+account.String()+`","team_id":null,"role":"viewer",
		"name":"Ana Ortiz","email":"ana@demo.test","expires_at":"2026-11-04T12:00:00Z"}`, rec.Body.String())
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	_, err := New(Options{})
	require.ErrorContains(t, err, "have to be set")
	for _, origin := range []string{"*", "https://*.example.com", "example.com", "https://Example.com", "https://example.com/", "null", "ftp://example.com"} {
		w := newWorld(t)
		o := w.server.o
		o.AllowedOrigins = []string{origin}
		_, err := New(o)
		require.ErrorContains(t, err, "allowed origin", origin)
	}
}
