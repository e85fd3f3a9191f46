package autotask

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/outbound"
	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/wire"
)

func fixture(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	return raw
}

func newClient(t *testing.T, o psa.Options) *Client {
	t.Helper()
	httpClient, err := outbound.New(outbound.Options{})
	require.NoError(t, err)
	c, err := New(psa.Connection{Kind: psa.KindAutotask, Options: o, Credentials: psa.Credentials{
		psa.CredUsername: "user", psa.CredSecret: "secret", psa.CredIntegrationCode: "code", psa.CredWebhookSecret: "webhook-secret",
	}}, httpClient, time.Now)
	require.NoError(t, err)
	return c
}

func TestFixtures(t *testing.T) {
	t.Parallel()
	var one struct {
		Item *ticket `json:"item"`
	}
	require.NoError(t, json.Unmarshal(fixture(t, "ticket_get.json"), &one))
	require.Equal(t, ticket{
		ID: "100", Number: "T20120604.0002.005", Title: "Monthy Services Checkup*", Status: "10", Queue: "29682833", Resource: "10", Role: "8",
		Activity: wire.Time{Time: time.Date(2019, 9, 23, 11, 0, 0, 0, time.UTC)},
	}, *one.Item)
	var notes struct {
		Items []ticketNote `json:"items"`
	}
	require.NoError(t, json.Unmarshal(fixture(t, "ticketnotes_query.json"), &notes))
	require.Equal(t, []ticketNote{{"45", "Note description"}}, notes.Items)
	var resources struct {
		Items []resource `json:"items"`
	}
	require.NoError(t, json.Unmarshal(fixture(t, "resources_query.json"), &resources))
	require.Equal(t, psa.Member{ID: "10", Identifier: "administrator", Name: "Autotask Administrator"}, resources.Items[0].psa())
	var fields struct {
		Fields []struct {
			Name   string `json:"name"`
			Values []pick `json:"picklistValues"`
		} `json:"fields"`
	}
	require.NoError(t, json.Unmarshal(fixture(t, "status_entityinformation_fields.json"), &fields))
	lists := picklists{fields.Fields[0].Name: fields.Fields[0].Values}
	require.Equal(t, "Scheduled", lists.label("status", one.Item.Status))
	s, ok := psa.FindStatus(lists.statuses(), " escalate ")
	require.True(t, ok)
	require.Equal(t, "11", s.ID)
	var u threshold
	require.NoError(t, json.Unmarshal(fixture(t, "thresholdinformation.json"), &u))
	require.InDelta(t, 0.0124, u.part(), 1e-9)
}

func TestRequestsAreLikeTheSamples(t *testing.T) {
	t.Parallel()
	members := func(raw []byte) (names []string) {
		var o map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(raw, &o))
		for k := range o {
			names = append(names, k)
		}
		return names
	}
	made, err := json.Marshal(newNote{})
	require.NoError(t, err)
	require.ElementsMatch(t, members(fixture(t, "note_post_request.json")), members(made))
	made, err = json.Marshal(query{Filter: []filter{{Op: "eq"}}, IncludeFields: []string{"id"}})
	require.NoError(t, err)
	require.ElementsMatch(t, members(fixture(t, "note_query_request.json")), members(made))
}

func TestErrorsOfTheFixtures(t *testing.T) {
	t.Parallel()
	var all map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(fixture(t, "errors.json"), &all))
	c := newClient(t, psa.Options{})
	for name, want := range map[string]psa.Class{
		"bad_username_or_bad_integration_code": psa.ClassUnauthorized, "bad_secret": psa.ClassUnauthorized, "validation_is_500": psa.ClassRejected,
		"permission_is_500": psa.ClassRejected, "delete_missing_is_500": psa.ClassRejected, "thread_limit": psa.ClassRateLimited,
	} {
		var e struct {
			Status int
			Body   json.RawMessage
		}
		require.NoError(t, json.Unmarshal(all[name], &e), name)
		for _, write := range []bool{true, false} {
			got := c.failure(wire.Answer{
				Response: outbound.Response{Status: e.Status, Header: http.Header{}, Body: e.Body}, Call: wire.Call{Write: write},
			})
			require.Equal(t, want, got.Class, name)
			if want == psa.ClassRateLimited {
				require.Equal(t, threadWait, got.RetryAfter)
			}
		}
	}
	// A 500 of unknown meaning is tried again, but not for ever.
	unknown := wire.Answer{Response: outbound.Response{Status: 500, Header: http.Header{}, Body: []byte(`{"errors":["Oops 0x80."]}`)}, Call: wire.Call{Write: true}}
	got := c.failure(unknown)
	require.Equal(t, psa.ClassUnclear, got.Class)
	require.Equal(t, psa.Doubtful, got.GiveUpAfter)
	require.Equal(t, psa.ClassUnclear, psa.ClassOf(psa.GaveUp(got, psa.Doubtful-1)))
	require.Equal(t, psa.ClassRejected, psa.ClassOf(psa.GaveUp(got, psa.Doubtful)))
}

func TestWhoSeesANote(t *testing.T) {
	t.Parallel()
	values := []pick{{"1", "All Autotask Users", true, true}, {"2", "Internal Only", true, false}, {"3", "Internal & Co-Managed", true, false}, {"9", "Gone", false, false}}
	n, ok := choose(values, "internal only ")
	require.True(t, ok)
	require.EqualValues(t, 2, n)
	for _, label := range []string{"Internal", "", "Gone", "2"} {
		_, ok = choose(values, label)
		require.False(t, ok, label)
	}
	types := []pick{{"13", "Workflow Rule Note", true, true}, {"7", "Old", false, true}, {"2", "Task Detail", true, false}, {"3", "Task Notes", true, false}}
	n, ok = newClient(t, psa.Options{}).noteType(types)
	require.True(t, ok)
	require.EqualValues(t, 2, n)
	n, ok = newClient(t, psa.Options{NoteType: "task notes"}).noteType(types)
	require.True(t, ok)
	require.EqualValues(t, 3, n)
	_, ok = newClient(t, psa.Options{NoteType: "Old"}).noteType(types)
	require.False(t, ok)
}

func TestZonesOutsideOfAutotaskGetNoCredentials(t *testing.T) {
	t.Parallel()
	c := newClient(t, psa.Options{})
	for address, want := range map[string]bool{
		"https://webservices15.autotask.net/ATServicesRest":  true,
		"http://webservices15.autotask.net/ATServicesRest":   false,
		"https://autotask.net.evil.example/ATServicesRest":   false,
		"https://evil-autotask.net/":                         false,
		"https://u@webservices15.autotask.net/":              false,
		"https://webservices15.autotask.net:8443/":           false,
		"https://169.254.169.254/":                           false,
		"https://webservices2.autotask.net/ATServicesRest/x": true,
	} {
		u, err := url.Parse(address)
		require.NoError(t, err)
		require.Equal(t, want, c.trusts(u), address)
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "abc", strings.Repeat("x", 99), strings.Repeat("é", 100), strings.Repeat("😀", 100), "a" + strings.Repeat("😀", 60)} {
		for _, n := range []int{5, 50, 99, 100, 101} {
			got := cut(s, n)
			require.LessOrEqual(t, len(utf16.Encode([]rune(got))), n)
			if len(utf16.Encode([]rune(s))) < n {
				require.Equal(t, s, got)
			}
		}
	}
}

func TestSignaturesOfWhatWasEscaped(t *testing.T) {
	t.Parallel()
	sign := func(body string) http.Header {
		mac := hmac.New(sha1.New, []byte("webhook-secret"))
		mac.Write([]byte(body))
		return http.Header{"X-Hook-Signature": {"sha1=" + base64.StdEncoding.EncodeToString(mac.Sum(nil))}}
	}
	c := newClient(t, psa.Options{})
	const sent = `{"Action":"Update","EntityType":"Ticket","Id":100,"Fields":{"Title":"a \"b\" <c> & 'd' + ` + "`e`" + ` é 😀 \\ \n"}}`
	const escapedForm = `{"Action":"Update","EntityType":"Ticket","Id":100,"Fields":{"Title":"a \u0022b\u0022 \u003Cc\u003E \u0026 \u0027d\u0027 \u002B \u0060e\u0060 \u00E9 \uD83D\uDE00 \\ \n"}}`
	for _, form := range []string{sent, escapedForm, strings.NewReplacer("003C", "003c", "003E", "003e", "002B", "002b", "00E9", "00e9", `\uD83D\uDE00`, `\ud83d\ude00`).Replace(escapedForm)} {
		cb, err := c.Callback(t.Context(), sign(form), []byte(sent))
		require.NoError(t, err)
		require.Equal(t, "100", cb.TicketID)
	}
	_, err := c.Callback(t.Context(), sign(sent+" "), []byte(sent))
	require.Equal(t, psa.ClassForged, psa.ClassOf(err))

	// What is not signed may say that the webhook is off, and nothing else.
	cb, err := c.Callback(t.Context(), http.Header{}, []byte(`{"Action":"Deactivated","Id":100,"EntityType":"Ticket"}`))
	require.NoError(t, err)
	require.Equal(t, psa.Callback{Action: psa.ActionDisabled}, cb)

	c.webhook = ""
	_, err = c.Callback(t.Context(), sign(sent), []byte(sent))
	require.Equal(t, psa.ClassMisconfigured, psa.ClassOf(err))
}
