package api

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/connections"
	port "github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/secrets"
	"github.com/baton-handoff/baton/models"
)

// oneConnection stores one connection and checks that it keeps the rules.
type oneConnection struct {
	connections.Records
	row *models.PSAConnectionView
}

func (o *oneConnection) PSAConnection(context.Context) (models.PSAConnectionView, error) {
	if o.row == nil {
		return models.PSAConnectionView{}, models.Errorf(models.CodeNotFound, "No PSA is connected.")
	}
	return *o.row, nil
}

func (o *oneConnection) SavePSAConnection(_ context.Context, _ models.Principal, c models.PSAConnection, was int64, _ []models.AuditChange) (models.PSAConnectionView, error) {
	if strings.ContainsAny(c.Address+string(c.Options), "\x00\x1b\u0085") || len(port.Fields(port.Kind(c.Kind))) == 0 {
		panic("a connection that breaks the rules")
	}
	for name := range c.CredentialsSet {
		known := false
		for _, f := range port.Fields(port.Kind(c.Kind)) {
			known = known || f.Name == name
		}
		if !known {
			panic("a credential that no PSA of the kind has: " + name)
		}
	}
	c.Version, c.State, c.CreatedAt, c.UpdatedAt, c.StateAt = was+1, models.ConnectionUnknown, noon, noon, noon
	o.row = &models.PSAConnectionView{PSAConnection: c}
	return *o.row, nil
}

// planted is what the fuzzed credentials hold. Where it is the name of a member
// or stands outside of the credentials it is no secret.
const planted = "hunter2planted"

var plantedName = regexp.MustCompile(`"[^"]*` + planted + `[^"]*"\s*:`)

func plantedElsewhere(body []byte) bool {
	var all map[string]any
	if plantedName.Match(body) {
		return true
	}
	if json.Unmarshal(body, &all) != nil {
		return false
	}
	delete(all, "credentials")
	rest, _ := json.Marshal(all)
	return bytes.Contains(rest, []byte(planted))
}

// FuzzPSAConnection sends any body for a connection, with and without one that
// is stored already. What is stored keeps the rules, the answer is one of those
// described, and neither it nor the log repeats a credential.
func FuzzPSAConnection(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `null`, `{"kind":"spreadsheet"}`, `{"kind":"connectwise","address":"https://api-na.myconnectwise.net"}`,
		`{"kind":"connectwise","address":"https://api-na.myconnectwise.net","credentials":{"company_id":"c","public_key":"p","private_key":"hunter2planted","client_id":"i"},"options":{"status":{"claimed":"In Progress","resolved":null},"set_owner":true,"api_version":"2025.16"}}`,
		`{"kind":"autotask","credentials":{"username":"u@example.com","secret":"hunter2planted","integration_code":"hunter2planted"},"options":{"note_type":"Task Notes","internal_label":"x\u0000","owner_role_id":-1}}`,
		`{"kind":"halopsa","address":"https://acme.halopsa.com/","credentials":{"client_id":"i","client_secret":"hunter2planted","tenant":"","webhook_secret":null},"options":{"outcome_id":7,"notes":"customer","cancel_closed":true}}`,
		`{"kind":"halopsa","address":"https://acme.halopsa.com","credentials":{"client_secret":"hunter2planted\n"}}`,
		`{"kind":"halopsa","address":"http://169.254.169.254","credentials":{"client_id":"hunter2planted"}}`,
		`{"kind":"halopsa","address":"https://a:b@acme.halopsa.com/x?y#z","credentials":{"client_secret":["hunter2planted"]}}`,
		`{"kind":"halopsa","credentials":{"client_secret":"hunter2planted","client_secret":"x"}}`, `{"credentials":{"client_secret":"hunter2planted"`,
		`{"kind":"connectwise","credentials":"hunter2planted","network":{"allow":["127.0.0.0/8"]}}`,
	} {
		f.Add(false, []byte(seed))
		f.Add(true, []byte(seed))
	}
	box, err := secrets.Parse(secrets.NewKey())
	require.NoError(f, err)
	records := &oneConnection{}
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w := newWorld(f, func(o *Options) {
		o.Logger = logger
		o.Connections = connections.New(connections.Options{Records: records, Box: box, Log: logger, PublicURL: "https://baton.example.com"})
	})
	const path = "/api/v1/psa/connection"
	put := func(body []byte) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		w.server.ServeHTTP(rec, ask("PUT", path, string(body), header("Authorization", "Bearer admin"), header("Content-Type", "application/json")))
		return rec
	}
	stored := put([]byte(`{"kind":"halopsa","address":"https://acme.halopsa.com","credentials":{"client_id":"i","client_secret":"hunter2planted"}}`))
	require.Equal(f, 200, stored.Code, stored.Body.String())
	before := *records.row
	f.Fuzz(func(t *testing.T, connected bool, body []byte) {
		records.row = nil
		if connected {
			records.row = &before
		}
		log.Reset()
		rec := put(body)
		(&world{t: t, server: w.server}).conforms(ask("PUT", path, string(body)), rec)
		require.Contains(t, []int{200, 400, 413, 422}, rec.Code, rec.Body.String())
		if !plantedElsewhere(body) {
			require.NotContains(t, rec.Body.String(), planted)
			require.NotContains(t, log.String(), planted)
		}
	})
}
