package app_test

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	historypb "go.temporal.io/api/history/v1"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/proto"

	apiclient "github.com/baton-handoff/baton/api/client"
	"github.com/baton-handoff/baton/internal/app"
	"github.com/baton-handoff/baton/internal/connections"
	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/psatest"
	"github.com/baton-handoff/baton/internal/secrets"
)

// plantedIn are a connection's secrets, and what is made of them on the wire.
func plantedIn(d *office) []string {
	all := append(d.secretsOf(), "token-of-halo-")
	c := d.Connection(d.url).Credentials
	login := c[psa.CredCompanyID].Reveal() + "+" + c[psa.CredPublicKey].Reveal() + ":" + c[psa.CredPrivateKey].Reveal()
	return append(all, base64.StdEncoding.EncodeToString([]byte(login)))
}

// remembered is everything that Temporal knows of the namespace: the histories
// of all workflows, what is pending, and what each says of itself.
func (b *baton) remembered() (all []byte) {
	b.t.Helper()
	keep := func(m proto.Message) {
		text, err := proto.Marshal(m) // in which payloads stand as they are
		require.NoError(b.t, err)
		all = append(all, text...)
	}
	list, err := b.temporal.ListWorkflow(b.t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Namespace: b.namespace, PageSize: 1000})
	require.NoError(b.t, err)
	for _, w := range list.GetExecutions() {
		id, run := w.GetExecution().GetWorkflowId(), w.GetExecution().GetRunId()
		keep(w)
		keep(&historypb.History{Events: b.historyOf(id, run)})
		state, err := b.temporal.DescribeWorkflowExecution(b.t.Context(), id, run)
		require.NoError(b.t, err)
		keep(state)
		if details, err := b.temporal.QueryWorkflow(b.t.Context(), id, run, "__temporal_workflow_metadata"); err == nil {
			said := &sdkpb.WorkflowMetadata{}
			require.NoError(b.t, details.Get(said))
			keep(said)
		}
	}
	return all
}

// TestCredentialsAreNowhere is promise 8 for all that a connection is used for:
// steps that are told, retried, refused and mended, by a PSA that repeats the
// credentials in every error. They are in no log, no answer, no event, no table
// and nothing that Temporal knows.
func TestCredentialsAreNowhere(t *testing.T) {
	t.Parallel()
	onEachKind(t, func(t *testing.T, kind psa.Kind) {
		key := secrets.NewKey()
		b := connectable(t, key)
		logs, answers := &journal{}, &journal{}
		a, _ := b.start(app.Options{API: true, Logger: logs.logger()})
		b.start(app.Options{Worker: true, Logger: logs.logger()})
		base := "http://" + a.Addr
		d := newOffice(t, kind)
		d.hire(b.sam, b.ana)
		planted := plantedIn(d)
		// The address of callbacks is shown to admins and is a secret elsewhere.
		b.connectTo(base, b.ada, d)
		_, connection := b.call(b.ada, http.MethodGet, base+connectionPath, nil)
		token := strings.TrimPrefix(connection["callback_path"].(string), connections.CallbackPath)

		ask := func(method, path string, body any) (int, map[string]any) {
			t.Helper()
			status, answer := b.call(b.ada, method, base+path, body)
			answers.answer(status, answer)
			return status, answer
		}
		gossip := func(status int) psatest.Fault { return psatest.Fault{Kind: psatest.FaultGossip, Status: status} }
		var known []byte
		ticket := d.Desk().AddTicket("t").ID
		h := b.ticketed(base, ticket)
		at := strings.TrimPrefix(handoffURL(base, h), base)
		b.told(base, h, 1)
		version := 1
		for _, try := range []struct {
			fault psatest.Fault
			state apiclient.EffectState
		}{
			{gossip(http.StatusInternalServerError), apiclient.EffectStateRetrying},
			{gossip(http.StatusUnauthorized), apiclient.EffectStateFailed},
			{gossip(http.StatusForbidden), ""},
			{gossip(http.StatusBadRequest), ""},
			{gossip(http.StatusOK), ""},
			{psatest.Fault{Kind: psatest.FaultCommitThenDrop, On: []psatest.Op{psatest.OpAddNote}}, apiclient.EffectStateRetrying},
		} {
			d.Desk().Faults().Set(try.fault)
			verb := "claim"
			if version%2 == 0 {
				verb = "release"
			}
			b.ask(base, b.ana, h, verb, nil)
			version++
			p := b.awaitPSA(base, h, "in trouble", func(p apiclient.PSA) bool {
				return p.State == try.state || try.state == "" && (p.State == apiclient.EffectStateFailed || p.State == apiclient.EffectStateRetrying)
			})
			ask(http.MethodPost, connectionPath+"/test", nil)
			ask(http.MethodPost, connectionPath+"/test", map[string]any{"connection": d.body(telling())})
			bad := d.body(telling())
			bad["address"] = "ftp://psa.example.com"
			ask(http.MethodPut, connectionPath, bad)
			ask(http.MethodGet, connectionPath, nil)
			ask(http.MethodGet, at, nil)
			ask(http.MethodGet, at+"/timeline", nil)
			ask(http.MethodGet, "/api/v1/ai-sessions/queue", nil)
			known = append(known, b.remembered()...)
			d.Desk().Faults().Clear()
			b.connectTo(base, b.ada, d)
			if p.State == apiclient.EffectStateFailed {
				ask(http.MethodPost, at+"/psa/retry", nil)
			}
			b.told(base, h, version)
		}
		known = append(known, b.remembered()...)
		require.Contains(t, string(known), h.ID.String(), "it was read")
		require.Contains(t, logs.String(), "a ticket could not be told of a handoff")
		require.Contains(t, answers.String(), `"state":"failed"`)
		_, sealing, found := strings.Cut(key, ":")
		require.True(t, found)
		tables := []string{
			"psa_connections", "psa_steps", "handoff_effects", "handoff_tickets", "handoffs", "handoff_transitions", "handoff_documentation", "feed_events", "ai_sessions",
		}
		for _, s := range append(planted, token, sealing) {
			require.False(t, bytes.Contains(known, []byte(s)), "Temporal knows %q", s)
			if strings.Contains(logs.String(), s) { // too long to be shown
				t.Errorf("the log holds %q", s)
			}
			for _, table := range tables {
				require.Zero(t, b.sql(`SELECT count(*) FROM `+table+` r WHERE position($1 IN r::text) > 0`, s), "%s holds %q", table, s)
			}
			if s != token {
				require.NotContains(t, answers.String(), s)
			}
		}
	})
}
