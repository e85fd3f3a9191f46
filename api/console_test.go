package api

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/models"
)

// cookieSessions take the name of a role for a cookie.
type cookieSessions struct{}

func (cookieSessions) Resume(_ context.Context, h http.Header) (models.Principal, bool, error) {
	role, found := strings.CutPrefix(h.Get("Cookie"), "baton_session=")
	switch {
	case !found:
		return models.Principal{}, false, nil
	case !models.Role(role).Valid():
		return models.Principal{}, false, models.Errorf(models.CodeUnauthenticated, "Your session has ended; sign in again.")
	}
	return principal(models.Role(role)), true, nil
}

// TestCookie holds that a browser's session reads as a token does, and changes
// things only from our own pages, which say so.
func TestCookie(t *testing.T) {
	t.Parallel()
	const console = ConsoleHeader
	for name, tc := range map[string]struct {
		method string
		header []string
		status int
	}{
		"reads":                               {"GET", []string{"Cookie", "baton_session=engineer"}, 200},
		"ended":                               {"GET", []string{"Cookie", "baton_session=x"}, 401},
		"no cookie":                           {"GET", nil, 401},
		"a role too low":                      {"POST", []string{"Cookie", "baton_session=viewer", console, "1", "Sec-Fetch-Site", "same-origin"}, 403},
		"changes":                             {"POST", []string{"Cookie", "baton_session=engineer", console, "1", "Sec-Fetch-Site", "same-origin"}, 200},
		"changes, by an old browser":          {"POST", []string{"Cookie", "baton_session=engineer", console, "1", "Origin", "http://example.com"}, 200},
		"a form of another site":              {"POST", []string{"Cookie", "baton_session=engineer", "Sec-Fetch-Site", "cross-site"}, 403},
		"a form of ours, without the header":  {"POST", []string{"Cookie", "baton_session=engineer", "Sec-Fetch-Site", "same-origin"}, 403},
		"a sister site, with the header":      {"POST", []string{"Cookie", "baton_session=engineer", console, "1", "Sec-Fetch-Site", "same-site"}, 403},
		"another origin, with the header":     {"POST", []string{"Cookie", "baton_session=engineer", console, "1", "Origin", "https://evil.example"}, 403},
		"a bearer token goes first":           {"GET", []string{"Cookie", "baton_session=engineer", "Authorization", "Bearer nobody"}, 401},
		"a bearer token needs no header":      {"POST", []string{"Cookie", "baton_session=x", "Authorization", "Bearer engineer", "Sec-Fetch-Site", "cross-site"}, 200},
		"an empty bearer token is no session": {"GET", []string{"Cookie", "baton_session=engineer", "Authorization", ""}, 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(o *Options) { o.Sessions = cookieSessions{} })
			w.records.queue = func(context.Context, models.QueueFilter, models.Page) ([]models.HandoffView, string, error) {
				return nil, "", nil
			}
			w.handoffs.transition = func(context.Context, models.Principal, models.TransitionRequest) (models.HandoffView, error) {
				return aHandoff(), nil
			}
			path := sessionsPath + "/queue"
			if tc.method == "POST" {
				path = aHandoffPath + "/claim"
			}
			r := ask(tc.method, path, "")
			r.Header = http.Header{}
			for i := 0; i < len(tc.header); i += 2 {
				r.Header.Set(tc.header[i], tc.header[i+1])
			}
			require.Equal(t, tc.status, w.do(r).Code)
		})
	}
}

// TestCORSDoesNotAllowTheConsoleHeader: or an allowed origin could change
// things with somebody's cookie.
func TestCORSDoesNotAllowTheConsoleHeader(t *testing.T) {
	t.Parallel()
	require.NotContains(t, strings.ToLower(corsHeaders), strings.ToLower(ConsoleHeader))
}

func TestUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := "Service desk"
	w.records.colleagues = func(context.Context) ([]models.Colleague, error) {
		return []models.Colleague{{ID: ana, Name: "Ana Ortiz", Role: models.RoleEngineer, TeamID: &team, TeamName: &name}, {ID: uuid.Nil, Name: "Ben", Role: models.RoleOwner}}, nil
	}
	rec := w.do(ask("GET", "/api/v1/users", ""))
	require.Equal(t, 200, rec.Code)
	require.JSONEq(t, `{"next_cursor": null, "items": [
		{"id": "`+ana.String()+`", "name": "Ana Ortiz", "kind": "person", "role": "engineer", "team_id": "`+team.String()+`", "team_name": "Service desk", "email": null, "signed_in": null, "disabled_at": null},
		{"id": "`+uuid.Nil.String()+`", "name": "Ben", "kind": "person", "role": "owner", "team_id": null, "team_name": null, "email": null, "signed_in": null, "disabled_at": null}]}`, rec.Body.String())
	require.Equal(t, 403, w.do(ask("GET", "/api/v1/users", "", header("Authorization", "Bearer viewer"))).Code)
}
