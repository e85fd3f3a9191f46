package psatest_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/psatest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wired is a fake at the wire, called without any client of ours.
type wired struct {
	t       *testing.T
	address string
	header  http.Header
	desk    *psatest.Desk
	ticket  string
	creds   psa.Credentials
}

func start(t *testing.T, fake psatest.Server) *wired {
	t.Helper()
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	return &wired{
		t: t, address: server.URL, header: http.Header{"Content-Type": {"application/json"}}, desk: fake.Desk(),
		ticket: strconv.FormatInt(fake.Desk().AddTicket("t").ID, 10), creds: fake.Connection(server.URL).Credentials,
	}
}

func (w *wired) call(method, path, body string) (int, string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.address+path, strings.NewReader(body))
	require.NoError(w.t, err)
	req.Header = w.header.Clone()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	require.NoError(w.t, err)
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	return res.StatusCode, string(raw)
}

// answers checks a status and a part of the body.
func (w *wired) answers(method, path, body string, status int, part string) {
	w.t.Helper()
	got, text := w.call(method, path, body)
	require.Equal(w.t, status, got, "%s %s: %s", method, path, text)
	require.Contains(w.t, text, part, "%s %s", method, path)
}

func TestConnectWiseIsStrict(t *testing.T) {
	t.Parallel()
	fake := psatest.NewConnectWise()
	w := start(t, fake)
	secret := func(name string) string { return w.creds[name].Reveal() }
	w.answers("GET", "/login/companyinfo/nobody", "", 200, "null")
	w.answers("GET", "/login/companyinfo/"+secret(psa.CredCompanyID), "", 200, `"Codebase":"v2025_1/"`)
	const base = "/v2025_1/apis/3.0"
	at := base + "/service/tickets/" + w.ticket
	w.answers("GET", at, "", 401, "UserNotAuthenticated")
	w.header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(secret(psa.CredCompanyID)+"+"+secret(psa.CredPublicKey)+":"+secret(psa.CredPrivateKey))))
	w.header.Set("Accept", "application/vnd.connectwise.com+json; version=2025.16")
	w.answers("GET", at, "", 401, "UserNotAuthenticated") // no clientId
	w.header.Set("clientId", secret(psa.CredClientID))
	w.answers("GET", at, "", 200, `"status":{"id":101,"name":"New"}`)
	_, text := w.call("GET", at, "")
	require.NotContains(t, text, "null")
	require.NotContains(t, text, "owner") // left out
	w.answers("GET", "/v4_6_release/apis/3.0/service/tickets/"+w.ticket, "", 404, "<html>")
	w.answers("GET", base+"/service/tickets/999", "", 404, "Ticket 999 not found")
	w.answers("GET", base+"/service/tickets?conditions="+strings.Repeat("x", 2000), "", 414, "too long")
	w.answers("GET", base+"/service/tickets?conditions=summary+contains+%22x%22", "", 400, "not valid")
	w.answers("DELETE", at, "", 405, "not allowed")

	notes := at + "/notes"
	w.answers("POST", notes, `{"text":"x","internalAnalysisFlag":true,"emailContactFlag":true}`, 400, "Could not find member 'emailContactFlag' on object of type 'ServiceNote'.")
	w.answers("POST", notes, `{"internalAnalysisFlag":true}`, 400, "text is required")
	w.answers("POST", notes, `{"text":"x"}`, 400, "flag")
	w.answers("POST", notes, `[{"text":"x"}]`, 400, "not an object")
	w.answers("POST", notes, `{"text":"x","detailDescriptionFlag":true}`, 201, `"detailDescriptionFlag":true`)
	w.answers("GET", notes+"?pageSize=1001", "", 400, "OutOfRange")

	w.answers("PATCH", at, `[{"op":"replace","path":"status","value":{"id":203}}]`, 400, "Service Status 203 not found for Service Board 1")
	w.answers("PATCH", at, `[{"op":"replace","path":"owner","value":{"id":14}}]`, 400, "Member not found") // inactive
	w.answers("PATCH", at, `{"status":{"id":102}}`, 400, "list of operations")
	w.answers("PATCH", at, `[{"op":"replace","path":"status/id","value":{"id":102}}]`, 200, `"name":"New"`) // a false 200
	w.answers("PATCH", at, `[{"op":"replace","path":"status","value":{"id":102}}]`, 200, `"name":"In Progress"`)
	fake.Upgrade()
	w.answers("GET", at, "", 404, "<html>")
}

func TestAutotaskIsStrict(t *testing.T) {
	t.Parallel()
	fake := psatest.NewAutotask()
	w := start(t, fake)
	secret := func(name string) string { return w.creds[name].Reveal() }
	w.answers("GET", "/atservicesrest/v1.0/zoneInformation?user=nobody", "", 500, "errors")
	w.answers("GET", "/atservicesrest/v1.0/zoneInformation?user="+url.QueryEscape(secret(psa.CredUsername)), "", 200, "/zone1/ATServicesRest/")
	const base = "/zone1/ATServicesRest/v1.0"
	w.header.Set("UserName", secret(psa.CredUsername))
	w.header.Set("Secret", "wrong")
	w.answers("GET", base+"/Tickets/"+w.ticket, "", 500, "integration code") // not 401
	w.header.Set("ApiIntegrationCode", secret(psa.CredIntegrationCode))
	w.answers("GET", base+"/Tickets/"+w.ticket, "", 401, "")
	w.header.Set("Secret", secret(psa.CredSecret))
	w.answers("GET", base+"/Tickets/"+w.ticket, "", 200, `"item":{`)
	w.answers("GET", base+"/Tickets/999", "", 200, `{"item":null}`)
	note := func(ticket, rest string) string {
		return `{"ticketID":` + ticket + `,"description":"d","noteType":3,"publish":2` + rest + `}`
	}
	w.answers("POST", base+"/TicketNotes", note(w.ticket, `,"title":"t"`), 404, "")
	notes := base + "/Tickets/" + w.ticket + "/Notes"
	w.answers("POST", notes, note(w.ticket, ""), 500, "required field")
	w.answers("POST", notes, note("7", `,"title":"t"`), 500, "ticketID")
	w.answers("POST", notes, note(w.ticket, `,"title":"t","hidden":true`), 500, "hidden")
	w.answers("POST", notes, strings.Replace(note(w.ticket, `,"title":"t"`), `"noteType":3`, `"noteType":13`, 1), 500, "noteType")
	w.answers("POST", notes, note(w.ticket, `,"title":"t"`), 200, "itemId")
	w.answers("PATCH", base+"/Tickets/"+w.ticket, `{"status":8}`, 404, "")
	w.answers("PATCH", base+"/Tickets", `{"id":`+w.ticket+`,"assignedResourceID":12}`, 500, "must assign both")
	w.answers("PATCH", base+"/Tickets", `{"id":`+w.ticket+`,"status":77}`, 500, "picklist")
	w.answers("POST", base+"/Tickets/query", `{"filter":[{"op":"eq","field":"nope","value":1}]}`, 500, "nope")
	w.answers("POST", base+"/Tickets/query", `{"filter":[]}`, 500, "filter")
	// Brackets mean something to LIKE.
	w.answers("POST", base+"/TicketNotes/query", `{"filter":[{"op":"contains","field":"description","value":"[xyzd]"}]}`, 200, `"count":1`)

	// Three calls of an endpoint may be under way, not four.
	release, reached := make(chan struct{}), make(chan struct{}, 8)
	w.desk.Faults().Set(psatest.Fault{Kind: psatest.FaultSlow, On: []psatest.Op{psatest.OpTicket}, Until: release, Reached: reached})
	var all sync.WaitGroup
	got := make([]int, 3)
	for i := range got {
		all.Go(func() { got[i], _ = w.call("GET", base+"/Tickets/"+w.ticket, "") })
		<-reached
	}
	w.answers("PATCH", base+"/Tickets", `{"id":`+w.ticket+`}`, 429, "thread threshold")
	w.answers("GET", base+"/ThresholdInformation", "", 200, "externalRequestThreshold") // another endpoint
	close(release)
	all.Wait()
	require.Equal(t, []int{200, 200, 200}, got)

	fake.MoveZone()
	w.answers("GET", base+"/Tickets/"+w.ticket, "", 401, "")
}

func TestHaloPSAIsStrict(t *testing.T) {
	t.Parallel()
	fake := psatest.NewHaloPSA()
	w := start(t, fake)
	secret := func(name string) string { return w.creds[name].Reveal() }
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {secret(psa.CredClientID)}, "client_secret": {secret(psa.CredClientSecret)}, "scope": {"all"}}
	w.answers("POST", "/auth/token?tenant=demo", `{"grant_type":"client_credentials"}`, 400, "invalid_request") // not a form
	w.header.Set("Content-Type", "application/x-www-form-urlencoded")
	w.answers("POST", "/auth/token", form.Encode(), 400, "invalid_client") // no tenant
	_, text := w.call("POST", "/auth/token?tenant=demo", form.Encode())
	var token struct {
		AccessToken string `json:"access_token"`
	}
	require.NoError(t, json.Unmarshal([]byte(text), &token))
	w.header.Set("Content-Type", "application/json")
	w.answers("GET", "/api/Tickets/"+w.ticket, "", 401, "invalid_token")
	w.header.Set("Authorization", "Bearer "+token.AccessToken)
	w.answers("GET", "/api/Tickets/"+w.ticket, "", 200, `"agent_id":1`)
	w.answers("GET", "/api/Action?ticket_id="+w.ticket, "", 404, "") // it is Actions
	w.answers("POST", "/api/Actions", `{"ticket_id":`+w.ticket+`,"note_html":"x"}`, 400, "JSON array")
	w.answers("POST", "/api/Tickets", `{"id":`+w.ticket+`,"status_id":2}`, 400, "JSON array")
	w.answers("POST", "/api/Actions", `[{"ticket_id":`+w.ticket+`,"note_html":"x","outcome_id":99}]`, 400, "You do not have access to this Action at the moment.")
	w.answers("POST", "/api/Actions", `[{"ticket_id":`+w.ticket+`}]`, 400, "note")
	w.answers("POST", "/api/Actions", `[{"ticket_id":`+w.ticket+`,"note_html":"x"}]`, 201, `"hiddenfromuser":false`) // by default
	w.answers("POST", "/api/Tickets", `[{"id":`+w.ticket+`,"status_id":33}]`, 400, "not allowed for this ticket type")
	w.answers("POST", "/api/Tickets", `[{"id":999,"status_id":2}]`, 404, "")
	w.answers("PATCH", "/api/Tickets/"+w.ticket, `[]`, 404, "")

	w.header.Set("Content-Type", "application/x-www-form-urlencoded")
	_, text = w.call("POST", "/auth/token?tenant=demo", form.Encode())
	require.NotContains(t, text, token.AccessToken)
	w.answers("GET", "/api/Tickets/"+w.ticket, "", 200, `"agent_id":1`) // the first one is still good
	fake.ExpireTokens()
	w.answers("GET", "/api/Tickets/"+w.ticket, "", 401, "invalid_token")
}

// TestCommittedIsCalledInBetween: what a call did is there, and its answer is
// not.
func TestCommittedIsCalledInBetween(t *testing.T) {
	t.Parallel()
	fake := psatest.NewHaloPSA()
	w := start(t, fake)
	called := 0
	w.desk.Faults().Set(psatest.Fault{Kind: psatest.FaultSlow, Committed: func(*http.Request) { called++ }})
	w.answers("GET", "/api/Tickets/"+w.ticket, "", 401, "invalid_token")
	require.Zero(t, called, "nothing was done")
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {w.creds[psa.CredClientID].Reveal()}, "client_secret": {w.creds[psa.CredClientSecret].Reveal()}, "scope": {"all"},
	}
	w.header.Set("Content-Type", "application/x-www-form-urlencoded")
	w.answers("POST", "/auth/token?tenant=demo", form.Encode(), 200, "access_token")
	require.Equal(t, 1, called)
}

func TestFaultsAreDeterministic(t *testing.T) {
	t.Parallel()
	run := func() (out []int) {
		w := start(t, psatest.NewConnectWise())
		w.desk.Faults().Random(7, 0.5, psatest.Fault{Kind: psatest.FaultStatus, Status: 503}, psatest.Fault{Kind: psatest.FaultPage, Status: 502})
		for range 50 {
			status, _ := w.call("GET", "/login/companyinfo/demo", "")
			out = append(out, status)
		}
		return out
	}
	first := run()
	require.Equal(t, first, run())
	require.Contains(t, first, 200)
	require.Contains(t, first, 502)
	require.Contains(t, first, 503)

	w := start(t, psatest.NewConnectWise())
	only := []psatest.Op{psatest.OpDiscover}
	w.desk.Faults().Set(psatest.Fault{Kind: psatest.FaultStatus, Status: 500, On: only})
	w.desk.Faults().Next(psatest.Fault{Kind: psatest.FaultStatus, Status: 501, On: only}, psatest.Fault{Kind: psatest.FaultStatus, Status: 502, On: only})
	var got []int
	for range 3 {
		status, _ := w.call("GET", "/login/companyinfo/demo", "")
		got = append(got, status)
	}
	w.desk.Faults().Clear()
	status, _ := w.call("GET", "/login/companyinfo/demo", "")
	require.Equal(t, []int{501, 502, 500, 200}, append(got, status))

	seen := w.desk.Requests()
	require.Len(t, seen, 4)
	require.Equal(t, psatest.FaultStatus, seen[0].Fault)
	require.Equal(t, 501, seen[0].Status)
	require.Equal(t, psatest.OpDiscover, seen[3].Op)
}
