package halopsa

import (
	"encoding/json"
	"net/http"
	"os"
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

func newClient(t *testing.T) *Client {
	t.Helper()
	httpClient, err := outbound.New(outbound.Options{})
	require.NoError(t, err)
	c, err := New(psa.Connection{Kind: psa.KindHaloPSA, Address: "https://acme.halopsa.com/api/", Credentials: psa.Credentials{
		psa.CredClientID: "client", psa.CredClientSecret: "client-secret", psa.CredWebhookSecret: "webhook-secret",
	}}, httpClient, time.Now)
	require.NoError(t, err)
	return c
}

func answer(status int, body string) wire.Answer {
	return wire.Answer{Response: outbound.Response{Status: status, Header: http.Header{}, Body: []byte(body)}}
}

func TestFixtures(t *testing.T) {
	t.Parallel()
	var list struct {
		Actions []action `json:"actions"`
	}
	require.NoError(t, json.Unmarshal(fixture(t, "actions_list_response.json"), &list))
	require.Equal(t, wire.ID("4"), list.Actions[0].ID)
	require.True(t, *list.Actions[0].Hidden)
	var token struct {
		ExpiresIn wire.ID `json:"expires_in"`
	}
	require.NoError(t, json.Unmarshal(fixture(t, "token_response.json"), &token))
	require.Equal(t, wire.ID("3600"), token.ExpiresIn)
	require.Equal(t, "https://acme.halopsa.com", newClient(t).site)

	// Each member that we send is one of the sample's.
	var sample []map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(fixture(t, "action_post_request.json"), &sample))
	raw, err := json.Marshal(newAction{OutcomeID: 7})
	require.NoError(t, err)
	var made map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(raw, &made))
	for name := range made {
		require.Contains(t, sample[0], name)
	}
	require.Contains(t, made, "hiddenfromuser")
}

func TestErrorShapes(t *testing.T) {
	t.Parallel()
	var f struct{ Shapes []json.RawMessage }
	require.NoError(t, json.Unmarshal(fixture(t, "error_shapes.json"), &f))
	require.Len(t, f.Shapes, 5)
	for _, shape := range f.Shapes {
		require.NotEmpty(t, said(answer(400, string(shape))), string(shape))
	}
	require.Equal(t, "plain text", said(answer(400, "plain text")))
	require.Empty(t, said(answer(400, "<html>")))
	require.Empty(t, said(answer(400, "[1,2]")))
	require.Empty(t, said(answer(400, "{}")))

	c := newClient(t)
	refused := c.failure(answer(500, string(f.Shapes[4])))
	require.Equal(t, psa.ClassRejected, refused.Class)
	require.Contains(t, refused.Cure, "outcome")
	trace := c.failure(answer(400, "It broke.\n   at Halo.Secret.Method()\n"))
	require.Contains(t, trace.Reason, "It broke")
	require.NotContains(t, trace.Reason, "Method")
}

func TestCallbackShapes(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for body, want := range map[string]psa.Callback{
		`{"ticket":{"id":5},"object_id":9}`:                      {TicketID: "5", Action: psa.ActionUpdated, Verified: true},
		`{"object_id":"9","event":"Ticket Deleted","id":"e"}`:    {TicketID: "9", Action: psa.ActionDeleted, EventID: "e", Verified: true},
		`{"ticket_id":9,"event":3,"id":7,"timestamp":"rubbish"}`: {TicketID: "9", Action: psa.ActionUpdated, EventID: "7", Verified: true},
		`{"event":"New Ticket Logged","object_id":9}`:            {TicketID: "9", Action: psa.ActionCreated, Verified: true},
		`{"event":"Client Updated"}`:                             {Action: psa.ActionOther, Verified: true},
	} {
		for _, authorization := range []string{"Bearer webhook-secret", "Basic YmF0b246d2ViaG9vay1zZWNyZXQ="} {
			got, err := c.Callback(t.Context(), http.Header{"Authorization": {authorization}}, []byte(body))
			require.NoError(t, err, body)
			require.Equal(t, want, got, body)
		}
	}
	c.webhook = ""
	for _, authorization := range []string{"", "Bearer ", "Basic "} {
		_, err := c.Callback(t.Context(), http.Header{"Authorization": {authorization}}, []byte(`{"ticket_id":9}`))
		require.Equal(t, psa.ClassMisconfigured, psa.ClassOf(err))
	}
}

func TestParagraphs(t *testing.T) {
	t.Parallel()
	require.Equal(t, "<p>a &lt;b&gt; &amp; c<br>d</p><p>e</p>", paragraphs("a <b> & c\nd\n\n\n\ne\n"))
}
