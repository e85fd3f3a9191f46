package sandbox_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/vendors"
	"github.com/baton-handoff/baton/internal/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestThePageShowsTheTicketAndMakesTrouble(t *testing.T) {
	t.Parallel()
	s, err := sandbox.Start(t.Context(), []sandbox.Ticket{{ID: 48211, Summary: "Outlook <stuck>"}}, nil, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer s.Stop()
	client, err := vendors.New(s.Connection(), vendors.Options{})
	require.NoError(t, err)
	defer client.Close()
	step := s.Connection().Options.Apply(psa.Step{
		Ticket: "#48211", Plain: "Escalated by <b>Sam</b>", Mark: psa.Mark{Handoff: uuid.New(), Step: psa.StepEscalated, Generation: 1},
	}, psa.Person{Email: "ana@demo.test"})
	show := func() string {
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, sandbox.Path, nil))
		require.Equal(t, http.StatusOK, rec.Code)
		return rec.Body.String()
	}
	turn := func(name string, header ...string) int {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, sandbox.Path, strings.NewReader(url.Values{"trouble": {name}}.Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, req)
		return rec.Code
	}
	require.Contains(t, show(), "Outlook &lt;stuck&gt;")
	for name, class := range map[string]psa.Class{
		"outage": psa.ClassTemporary, "429": psa.ClassRateLimited, "500": psa.ClassTemporary,
		"credentials": psa.ClassUnauthorized,
	} {
		require.Equal(t, http.StatusSeeOther, turn(name))
		require.Contains(t, show(), `value="`+name+`" `)
		_, err := psa.Push(t.Context(), client, step)
		require.Equal(t, class, psa.ClassOf(err), "%s: %v", name, err)
	}
	require.Equal(t, http.StatusSeeOther, turn("drop"))
	_, err = psa.Push(t.Context(), client, step)
	require.Equal(t, psa.ClassUnclear, psa.ClassOf(err))
	require.Equal(t, http.StatusSeeOther, turn("none"))
	r, err := psa.Push(t.Context(), client, step)
	require.NoError(t, err)
	require.True(t, r.Found)
	text := show()
	require.Equal(t, 1, strings.Count(text, step.Mark.String()))
	require.Contains(t, text, "Escalated by &lt;b&gt;Sam")
	require.Contains(t, text, "Owner <b>ana</b>")
	require.Equal(t, http.StatusBadRequest, turn("flood"))
	require.Equal(t, http.StatusForbidden, turn("outage", "Sec-Fetch-Site", "cross-site"), "other sites may not")
}

// TestTheTicketsLinkLeadsToThePage: what Baton links to as the ticket in the
// PSA's application is there.
func TestTheTicketsLinkLeadsToThePage(t *testing.T) {
	t.Parallel()
	s, err := sandbox.Start(t.Context(), []sandbox.Ticket{{ID: 48211, Summary: "Outlook is stuck"}}, nil, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer s.Stop()
	c := s.Connection()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, psa.TicketURL(c.Kind, c.Address, "48211"), nil)
	require.NoError(t, err)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, 200, resp.StatusCode)
	require.Equal(t, sandbox.Path, resp.Request.URL.Path)
	require.Contains(t, string(text), `id="`+resp.Request.URL.Fragment+`"`)
}
