package connectwise

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

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

func newClient(t *testing.T, address string) *Client {
	t.Helper()
	httpClient, err := outbound.New(outbound.Options{})
	require.NoError(t, err)
	c, err := New(psa.Connection{Kind: psa.KindConnectWise, Address: address, Credentials: psa.Credentials{
		psa.CredCompanyID: "acme", psa.CredPublicKey: "public-key", psa.CredPrivateKey: "private-key", psa.CredClientID: "client-id",
	}}, httpClient, time.Now)
	require.NoError(t, err)
	return c
}

func TestFixtures(t *testing.T) {
	t.Parallel()
	var tk ticket
	require.NoError(t, json.Unmarshal(fixture(t, "ticket.json"), &tk))
	require.Equal(t, psa.Ticket{
		ID: "69", Number: "69", Summary: "Schedule and Execute Conversion",
		Status: psa.Status{ID: "1", Name: "New"}, Owner: psa.Member{ID: "176", Identifier: "User1", Name: "Training User1"},
		Board: psa.Ref{ID: "1", Name: "Service A"}, UpdatedAt: time.Date(2016, 3, 8, 21, 59, 20, 0, time.UTC),
	}, tk.psa())
	var notes []note
	require.NoError(t, json.Unmarshal(fixture(t, "ticket_notes.json"), &notes))
	require.Equal(t, []note{{"3", "Some Text On This Note"}}, notes)
}

// The requests have the members of the samples, and no other.
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
	made, err := json.Marshal(newNote{Text: "x", InternalAnalysisFlag: true})
	require.NoError(t, err)
	require.ElementsMatch(t, members(fixture(t, "note_post_request.json")), members(made))
	require.Contains(t, string(made), `"detailDescriptionFlag":false`)

	var sample []operation
	require.NoError(t, json.Unmarshal(fixture(t, "ticket_patch_request.json"), &sample))
	require.Equal(t, operation{"replace", "status", map[string]any{"id": 42.0}}, sample[0])
}

func TestErrorsOfTheFixtures(t *testing.T) {
	t.Parallel()
	var all map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(fixture(t, "errors.json"), &all))
	c := newClient(t, "https://na.myconnectwise.net")
	for name, want := range map[string]psa.Class{
		"note_unknown_member": psa.ClassRejected, "validation": psa.ClassRejected, "status_not_on_board": psa.ClassRejected,
		"patch_revalidates_untouched_fields": psa.ClassRejected, "unauthenticated": psa.ClassUnauthorized, "unauthorized_alt": psa.ClassUnauthorized,
		"ssl_or_wrong_cloud_host": psa.ClassMisconfigured, "rate_limited": psa.ClassRateLimited, "server_error": psa.ClassTemporary,
	} {
		var e struct {
			Status  int
			Headers map[string]string
			Body    json.RawMessage
		}
		require.NoError(t, json.Unmarshal(all[name], &e), name)
		h := http.Header{}
		for k, v := range e.Headers {
			h.Set(k, v)
		}
		got := c.failure(wire.Answer{Response: outbound.Response{Status: e.Status, Header: h, Body: e.Body}})
		require.Equal(t, want, got.Class, name)
		if want == psa.ClassRejected && name != "note_unknown_member" {
			require.Len(t, got.Fields, 1, name)
			require.Contains(t, got.Reason, strings.TrimSuffix(got.Fields[0].Message, "."), name)
		}
		if want == psa.ClassRateLimited {
			require.Equal(t, 30*time.Second, got.RetryAfter)
		}
	}
}

func TestCallbackVector(t *testing.T) {
	t.Parallel()
	var v struct {
		SigningKey string `json:"signing_key"`
		Body       string `json:"body"`
		Signature  string `json:"x-content-signature"`
	}
	require.NoError(t, json.Unmarshal(fixture(t, "callback_vector.json"), &v))
	require.True(t, signed(v.SigningKey, v.Signature, []byte(v.Body)))
	require.False(t, signed(v.SigningKey, v.Signature, []byte(v.Body+" ")))
	require.False(t, signed("", v.Signature, []byte(v.Body)))

	// The key is known already, so nobody is called.
	c := newClient(t, "https://na.myconnectwise.net")
	const keyURL = "https://api-na.myconnectwise.net/v4_6_release/apis/3.0/system/members/callbackkeys/abc"
	known := func(string) bool { return true }
	_, err := c.keys.Get(t.Context(), keyURL, known, readKey(v.SigningKey))
	require.NoError(t, err)
	h := http.Header{"X-Content-Signature": {v.Signature}}
	cb, err := c.Callback(t.Context(), h, []byte(v.Body))
	require.NoError(t, err)
	require.Equal(t, psa.Callback{TicketID: "69", Action: psa.ActionUpdated, Verified: true}, cb)

	other := newClient(t, "https://au.myconnectwise.net")
	_, err = other.Callback(t.Context(), h, []byte(v.Body))
	require.Equal(t, psa.ClassForged, psa.ClassOf(err))
}

func TestKeysAreReadFromTheTenantOnly(t *testing.T) {
	t.Parallel()
	c := newClient(t, "https://api-na.myconnectwise.net")
	for address, want := range map[string]bool{
		"https://api-na.myconnectwise.net/v4_6_release/apis/3.0/system/x":                    true,
		"https://na.myconnectwise.net/v4_6_release/apis/3.0/system/x":                        true,
		"https://NA.myconnectwise.net/v4_6_release/apis/3.0/system/x":                        true,
		"http://na.myconnectwise.net/v4_6_release/apis/3.0/system/x":                         false,
		"https://eu.myconnectwise.net/v4_6_release/apis/3.0/system/x":                        false,
		"https://na.myconnectwise.net.evil.example/v4_6_release/apis/3.0/system/x":           false,
		"https://na.myconnectwise.net@evil.example/v4_6_release/apis/3.0/system/x":           false,
		"https://na.myconnectwise.net:8443/v4_6_release/apis/3.0/system/x":                   false,
		"https://evil.example/apis/3.0/":                                                     false,
		"https://na.myconnectwise.net/portal/upload/key.json":                                false,
		"https://na.myconnectwise.net/v4_6_release/apis/3.0/system/documents/267/download":   false,
		"https://na.myconnectwise.net/v4_6_release/apis/3.0/../../portal/upload/key.json":    false,
		"https://na.myconnectwise.net/v4_6_release/apis/3.0/%2e%2e/%2e%2e/portal/upload.key": false,
		"":            false,
		"//x":         false,
		"file:///etc": false,
	} {
		require.Equal(t, want, c.keyAddress(address), address)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://na.myconnectwise.net":                           "https://na.myconnectwise.net",
		"https://api-na.myconnectwise.net/v4_6_release/apis/3.0": "https://api-na.myconnectwise.net",
		"https://psa.acme.example/":                              "https://psa.acme.example",
	} {
		require.Equal(t, want, newClient(t, address).site.String())
	}
	require.True(t, cloud("api-na.myconnectwise.net"))
	require.False(t, cloud("myconnectwise.net.evil.example"))
}

func readKey(key string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return key, nil }
}
