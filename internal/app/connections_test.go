package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/app"
	"github.com/baton-handoff/baton/internal/connections"
	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/psatest"
	"github.com/baton-handoff/baton/internal/secrets"
	"github.com/baton-handoff/baton/models"
)

const connectionPath = "/api/v1/psa/connection"

// office is a PSA of an account.
type office struct {
	psatest.Server
	kind psa.Kind
	url  string
}

func newOffice(t *testing.T, kind psa.Kind) *office {
	t.Helper()
	fake := psatest.New(kind)
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	return &office{fake, kind, server.URL}
}

// body is a connection to the office as people send it.
func (d *office) body(options map[string]any) map[string]any {
	conn := d.Connection(d.url)
	if options == nil {
		options = map[string]any{}
	}
	if conn.Options.OutcomeID != 0 {
		options["outcome_id"] = conn.Options.OutcomeID
	}
	return map[string]any{"kind": d.kind, "address": conn.Address, "credentials": conn.Credentials.Reveal(), "options": options}
}

// secretsOf are the credentials that nobody may ever see. The others, such as
// a company's name, are no secrets and too common as texts.
func (d *office) secretsOf() []string {
	var all []string
	for name, value := range d.Connection(d.url).Credentials {
		if strings.Contains(name, "secret") || strings.Contains(name, "key") || name == psa.CredIntegrationCode {
			all = append(all, value.Reveal())
		}
	}
	return all
}

// hire makes people of the account engineers in the PSA.
func (d *office) hire(people ...models.User) {
	for i, u := range people {
		d.Desk().AddPerson(psatest.Person{ID: int64(50 + i), Identifier: "real-" + strings.ToLower(u.Name), Name: u.Name, Email: u.Email, RoleID: 8})
	}
}

var markText = regexp.MustCompile(`\[(baton:[0-9a-f-]{36}:[a-z]+:\d+)\]`)

// marks are the marks in a ticket's notes, without their brackets, in order.
func (d *office) marks(id int64) (marks []string) {
	t, _ := d.Desk().Ticket(id)
	for _, n := range t.Notes {
		for _, m := range markText.FindAllStringSubmatch(psa.StripHTML(n.Text), -1) {
			marks = append(marks, m[1])
		}
	}
	return marks
}

// connectable is an installation whose accounts may connect to this machine.
func connectable(t *testing.T, keys string) *baton {
	t.Helper()
	b := newBaton(t)
	b.extra = []string{"BATON_PSA_ALLOW_PRIVATE=127.0.0.0/8", "BATON_SECRET_KEYS=" + keys, "BATON_PUBLIC_URL=https://baton.example.com/"}
	return b
}

// journal keeps what is logged and answered.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

func (j *journal) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (j *journal) answer(status int, answer map[string]any) {
	text, _ := json.Marshal(answer)
	_, _ = fmt.Fprintf(j, "%d %s\n", status, text)
}

func items(t *testing.T, answer map[string]any) map[string]map[string]any {
	t.Helper()
	list, ok := answer["items"].([]any)
	require.True(t, ok, "%v", answer)
	all := map[string]map[string]any{}
	for _, entry := range list {
		item, ok := entry.(map[string]any)
		require.True(t, ok)
		name, ok := item["name"].(string)
		require.True(t, ok)
		all[name] = item
	}
	return all
}

// wrongFields are the fields that a problem names.
func wrongFields(answer map[string]any) map[string]string {
	all := map[string]string{}
	list, _ := answer["errors"].([]any)
	for _, entry := range list {
		e, _ := entry.(map[string]any)
		all[fmt.Sprint(e["field"])] = fmt.Sprint(e["message"])
	}
	return all
}

func TestWhoMayConnectAPSA(t *testing.T) {
	t.Parallel()
	b := connectable(t, secrets.NewKey())
	base := b.api()
	here := b.sam.AccountID
	olga := b.user(here, "Olga", models.RoleOwner)
	d := newOffice(t, psa.KindHaloPSA)
	for _, u := range []models.User{b.vic, b.sam} {
		for _, call := range []struct{ method, path string }{
			{"GET", connectionPath}, {"PUT", connectionPath}, {"DELETE", connectionPath}, {"POST", connectionPath + "/test"}, {"GET", "/api/v1/psa/kinds"},
		} {
			var body any
			if call.method == "PUT" {
				body = d.body(nil)
			}
			status, answer := b.call(u, call.method, base+call.path, body)
			require.Equal(t, http.StatusForbidden, status, "%s %s as %s: %v", call.method, call.path, u.Role, answer)
		}
	}
	status, answer := b.call(b.ada, "GET", base+connectionPath, nil)
	require.Equal(t, http.StatusNotFound, status, "%v", answer)
	status, answer = b.call(b.ada, "PUT", base+connectionPath, d.body(nil))
	require.Equal(t, http.StatusOK, status, "%v", answer)
	require.Equal(t, "Ada", answer["updated_by_name"])
	status, answer = b.call(olga, "PUT", base+connectionPath, d.body(nil))
	require.Equal(t, http.StatusOK, status, "%v", answer)
	require.Equal(t, "Olga", answer["updated_by_name"])
	require.InDelta(t, 2, answer["version"], 0)

	// Another account has its own, and sees nothing of this one.
	mallory := b.user(b.eve.AccountID, "Mallory", models.RoleOwner)
	for _, call := range []struct{ method, path string }{
		{"GET", connectionPath}, {"DELETE", connectionPath}, {"POST", connectionPath + "/test"},
	} {
		status, answer = b.call(mallory, call.method, base+call.path, nil)
		require.Equal(t, http.StatusNotFound, status, "%v", answer)
	}
	status, _ = b.call(olga, "DELETE", base+connectionPath, nil)
	require.Equal(t, http.StatusNoContent, status)
	status, _ = b.call(olga, "GET", base+connectionPath, nil)
	require.Equal(t, http.StatusNotFound, status)

	status, answer = b.call(b.ada, "GET", base+"/api/v1/psa/kinds", nil)
	require.Equal(t, http.StatusOK, status)
	require.Len(t, answer["items"], 3)
}

// TestCredentialsStayHome is promise 8 for the credentials of a PSA: they go in
// and nowhere out.
func TestCredentialsStayHome(t *testing.T) {
	t.Parallel()
	for _, kind := range connections.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			b := connectable(t, secrets.NewKey())
			seen := &journal{}
			a, _ := b.start(app.Options{API: true, Logger: seen.logger()})
			base := "http://" + a.Addr
			call := func(method, path string, body any) (int, map[string]any) {
				status, answer := b.call(b.ada, method, base+path, body)
				seen.answer(status, answer)
				return status, answer
			}
			d := newOffice(t, kind)
			hidden := d.secretsOf()
			require.NotEmpty(t, hidden)

			body := d.body(nil)
			status, answer := call("PUT", connectionPath, body)
			require.Equal(t, http.StatusOK, status, "%v", answer)
			status, answer = call("GET", connectionPath, nil)
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, "unknown", answer["state"])
			set := 0
			for _, entry := range answer["credentials"].([]any) {
				if entry.(map[string]any)["set"] == true {
					require.NotNil(t, entry.(map[string]any)["set_at"])
					set++
				}
			}
			require.Len(t, d.Connection(d.url).Credentials, set)
			require.Equal(t, fmt.Sprint("https://baton.example.com", answer["callback_path"]), answer["callback_url"])
			status, answer = call("POST", connectionPath+"/test", map[string]any{})
			require.Equal(t, http.StatusOK, status, "%v", answer)
			require.Equal(t, true, answer["ok"], "%v", answer)
			_, answer = call("GET", connectionPath, nil)
			require.Equal(t, "ok", answer["state"])
			callback := answer["callback_path"]

			// Without credentials, they are kept; and so is the callbacks' address.
			delete(body, "credentials")
			body["options"] = map[string]any{"set_owner": true, "notes": "customer", "cancel_closed": true}
			status, answer = call("PUT", connectionPath, body)
			require.Equal(t, http.StatusOK, status, "%v", answer)
			require.Equal(t, callback, answer["callback_path"])
			require.Equal(t, true, answer["options"].(map[string]any)["cancel_closed"])
			status, answer = call("POST", connectionPath+"/test", nil)
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, "ok", items(t, answer)["credentials"]["state"], "%v", answer)

			// They go to no other address than the one they were meant for.
			elsewhere := newOffice(t, kind)
			body["address"] = elsewhere.url
			for _, try := range []struct {
				method, path, place string
				body                any
			}{
				{"PUT", connectionPath, "", body},
				{"POST", connectionPath + "/test", "/connection", map[string]any{"connection": body}},
			} {
				status, answer = call(try.method, try.path, try.body)
				require.Equal(t, http.StatusBadRequest, status, "%v", answer)
				fields := wrongFields(answer)
				for _, f := range psa.Fields(kind) {
					if f.Required {
						require.Contains(t, fields[try.place+"/credentials/"+f.Name], "again", "%v", answer)
					}
				}
			}
			require.Empty(t, elsewhere.Desk().Requests())
			status, answer = call("PUT", connectionPath, elsewhere.body(nil))
			require.Equal(t, http.StatusOK, status, "%v", answer)

			// What is broken is shown without a credential, too.
			elsewhere.RotateCredentials()
			status, answer = call("POST", connectionPath+"/test", nil)
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, false, answer["ok"])
			item := items(t, answer)["credentials"]
			require.Equal(t, "failed", item["state"], "%v", answer)
			require.NotEmpty(t, item["cure"])
			_, answer = call("GET", connectionPath, nil)
			require.Equal(t, "broken", answer["state"])
			require.Equal(t, item["detail"], answer["reason"])
			// Mended by what changed alone.
			status, answer = call("PUT", connectionPath, elsewhere.body(nil))
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, "unknown", answer["state"])
			status, answer = call("POST", connectionPath+"/test", nil)
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, true, answer["ok"], "%v", answer)

			// What cannot be parsed or does not fit is not repeated either.
			bad := elsewhere.body(nil)
			bad["kind"] = "spreadsheet"
			status, _ = call("PUT", connectionPath, bad)
			require.Equal(t, http.StatusUnprocessableEntity, status)
			bad = elsewhere.body(map[string]any{"api_version": "v<script>"})
			status, answer = call("PUT", connectionPath, bad)
			require.Equal(t, http.StatusBadRequest, status)
			require.Contains(t, wrongFields(answer), "/options/api_version")

			all := seen.String()
			require.Contains(t, all, "the PSA connection was set")
			for _, secret := range append(hidden, elsewhere.secretsOf()...) {
				require.NotContains(t, all, secret)
				require.Zero(t, b.sql(`SELECT count(*) FROM psa_connections c
					WHERE position(convert_to($1, 'UTF8') IN c.sealed) > 0 OR position($1 IN c::text) > 0`, secret), "the database holds it")
			}
			require.Equal(t, 1, b.sql(`SELECT count(*) FROM psa_connections WHERE length(sealed) > 50`))
			token := strings.TrimPrefix(fmt.Sprint(callback), connections.CallbackPath)
			require.Zero(t, b.sql(`SELECT count(*) FROM psa_connections c WHERE position(convert_to($1, 'UTF8') IN c.sealed) > 0 OR position($1 IN c::text) > 0`, token))
		})
	}
}

func TestAConnectionIsTriedBeforeItIsStored(t *testing.T) {
	t.Parallel()
	b := connectable(t, secrets.NewKey())
	base := b.api()
	d := newOffice(t, psa.KindConnectWise)
	ticket := d.Desk().AddTicket("Printer on fire")
	statuses := map[string]any{"status": map[string]any{"escalated": "Escalated", "claimed": "Working On It"}}
	status, answer := b.call(b.ada, "POST", base+connectionPath+"/test", map[string]any{
		"connection": d.body(statuses), "ticket": strconv.FormatInt(ticket.ID, 10),
	})
	require.Equal(t, http.StatusOK, status, "%v", answer)
	require.Equal(t, false, answer["ok"])
	found := items(t, answer)
	for name, state := range map[string]string{
		"address": "ok", "credentials": "ok", "tickets": "ok", "notes": "ok", "status.escalated": "ok", "status.claimed": "failed",
	} {
		require.Equal(t, state, found[name]["state"], "%s: %v", name, answer)
	}
	require.Contains(t, found["status.claimed"]["cure"], "In Progress", "the cure names those there are")
	status, _ = b.call(b.ada, "GET", base+connectionPath, nil)
	require.Equal(t, http.StatusNotFound, status, "nothing was stored")

	// Nothing to reach, and nothing that answers in time's end.
	body := d.body(nil)
	body["address"] = "http://127.0.0.1:9"
	status, answer = b.call(b.ada, "POST", base+connectionPath+"/test", map[string]any{"connection": body})
	require.Equal(t, http.StatusOK, status, "%v", answer)
	require.Equal(t, "failed", items(t, answer)["address"]["state"])
}

func TestPrivateNetworksAreTheOperatorsToOpen(t *testing.T) {
	t.Parallel()
	b := connectable(t, secrets.NewKey())
	b.extra = b.extra[1:]
	base := b.api()
	d := newOffice(t, psa.KindConnectWise)
	status, answer := b.call(b.ada, "PUT", base+connectionPath, d.body(nil))
	require.Equal(t, http.StatusBadRequest, status, "%v", answer)
	require.Contains(t, wrongFields(answer), "/address")
	body := d.body(nil)
	for _, address := range []string{"https://10.1.2.3", "https://169.254.169.254", "https://localhost", "https://[::1]"} {
		body["address"] = address
		status, answer = b.call(b.ada, "POST", base+connectionPath+"/test", map[string]any{"connection": body})
		require.Equal(t, http.StatusOK, status, "%v", answer)
		require.Equal(t, "failed", items(t, answer)["address"]["state"], "%s: %v", address, answer)
	}
	body["network"] = map[string]any{"allow": []string{"127.0.0.0/8"}}
	status, _ = b.call(b.ada, "PUT", base+connectionPath, body)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Empty(t, d.Desk().Requests())
}

func TestWithoutKeysNothingIsStored(t *testing.T) {
	t.Parallel()
	b := connectable(t, "")
	base := b.api()
	d := newOffice(t, psa.KindHaloPSA)
	status, answer := b.call(b.ada, "PUT", base+connectionPath, d.body(nil))
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, answer["detail"], "BATON_SECRET_KEYS")
	require.Zero(t, b.sql(`SELECT count(*) FROM psa_connections`))
	// To try one takes no key.
	status, answer = b.call(b.ada, "POST", base+connectionPath+"/test", map[string]any{"connection": d.body(nil)})
	require.Equal(t, http.StatusOK, status, "%v", answer)
	require.Equal(t, true, answer["ok"], "%v", answer)
}

func TestKeysAreRotated(t *testing.T) {
	t.Parallel()
	old, fresh := secrets.NewKey(), secrets.NewKey()
	b := connectable(t, old)
	base := b.api()
	d := newOffice(t, psa.KindAutotask)
	status, answer := b.call(b.ada, "PUT", base+connectionPath, d.body(nil))
	require.Equal(t, http.StatusOK, status, "%v", answer)

	with := func(keys string) string {
		b.extra[1] = "BATON_SECRET_KEYS=" + keys
		return b.api()
	}
	works := func(base string) (int, map[string]any) {
		return b.call(b.ada, "POST", base+connectionPath+"/test", nil)
	}
	status, answer = works(with(fresh))
	require.Equal(t, http.StatusServiceUnavailable, status, "%v", answer)
	require.Contains(t, answer["detail"], "BATON_SECRET_KEYS")
	both := with(fresh + "," + old)
	status, _ = works(both)
	require.Equal(t, http.StatusOK, status)

	rotate := func(keys string) (done, failed int) {
		box, err := secrets.Parse(keys)
		require.NoError(t, err)
		done, err = connections.Rotate(t.Context(), b.store, box, func(uuid.UUID, error) { failed++ })
		require.NoError(t, err)
		return done, failed
	}
	done, failed := rotate(fresh)
	require.Zero(t, done)
	require.Equal(t, 1, failed)
	done, failed = rotate(fresh + "," + old)
	require.Equal(t, 1, done)
	require.Zero(t, failed)
	done, _ = rotate(fresh + "," + old)
	require.Zero(t, done)
	id, _, _ := strings.Cut(fresh, ":")
	require.Equal(t, 1, b.sql(`SELECT count(*) FROM psa_connections WHERE key_id = $1 AND version = 1`, id), "sealed anew is no change")
	for _, base := range []string{both, with(fresh)} {
		status, answer = works(base)
		require.Equal(t, http.StatusOK, status, "%v", answer)
		require.Equal(t, true, answer["ok"], "%v", answer)
	}
	// Whoever has lost the keys can still enter the credentials again.
	status, answer = b.call(b.ada, "PUT", with(secrets.NewKey())+connectionPath, d.body(nil))
	require.Equal(t, http.StatusOK, status, "%v", answer)
	require.NotNil(t, answer["callback_path"])
}

// TestAChangeHoldsAtOnceEverywhere looks at the connection as activities do, in
// a process that nobody told of the change.
func TestAChangeHoldsAtOnceEverywhere(t *testing.T) {
	t.Parallel()
	b := connectable(t, secrets.NewKey())
	base := b.api()
	elsewhere, _ := b.start(app.Options{API: true})
	ctx, here := t.Context(), b.sam.AccountID
	client := func() (psa.Client, psa.Options, bool) {
		c, o, found, err := elsewhere.Connections.Client(ctx, here)
		require.NoError(t, err)
		return c, o, found
	}
	_, _, found := client()
	require.False(t, found)

	d := newOffice(t, psa.KindHaloPSA)
	ticket := strconv.FormatInt(d.Desk().AddTicket("Printer on fire").ID, 10)
	set := func(options map[string]any) {
		status, answer := b.call(b.ada, "PUT", base+connectionPath, d.body(options))
		require.Equal(t, http.StatusOK, status, "%v", answer)
	}
	set(map[string]any{"status": map[string]any{"claimed": "In Progress"}})
	first, options, found := client()
	require.True(t, found)
	require.Equal(t, "In Progress", options.StatusFor(psa.StepClaimed))
	require.Empty(t, options.StatusFor(psa.StepResolved))
	_, err := first.Ticket(ctx, ticket)
	require.NoError(t, err)
	again, _, _ := client()
	require.Same(t, first, again, "one client per connection, so that its limits hold")

	d.RotateCredentials()
	_, err = first.Ticket(ctx, ticket)
	require.Equal(t, psa.ClassUnauthorized, psa.ClassOf(err))
	elsewhere.Connections.Report(ctx, here, err)
	_, answer := b.call(b.ada, "GET", base+connectionPath, nil)
	require.Equal(t, "broken", answer["state"])
	require.NotEmpty(t, answer["reason"])
	require.NotEmpty(t, answer["cure"])
	since := answer["state_at"]
	elsewhere.Connections.Report(ctx, here, err)
	elsewhere.Connections.Report(ctx, here, context.DeadlineExceeded)
	elsewhere.Connections.Report(ctx, here, psa.Errorf(psa.ClassTicketGone, "", "The ticket is gone."))
	_, answer = b.call(b.ada, "GET", base+connectionPath, nil)
	require.Equal(t, "broken", answer["state"])
	require.Equal(t, since, answer["state_at"], "the same is no news")

	set(nil)
	mended, options, found := client()
	require.True(t, found)
	require.Empty(t, options.StatusFor(psa.StepClaimed))
	_, err = mended.Ticket(ctx, ticket)
	require.NoError(t, err)
	elsewhere.Connections.Report(ctx, here, nil)
	_, answer = b.call(b.ada, "GET", base+connectionPath, nil)
	require.Equal(t, "ok", answer["state"])
	require.Nil(t, answer["reason"])

	// Removed, and made anew: its version begins again, its client does not.
	status, _ := b.call(b.ada, "DELETE", base+connectionPath, nil)
	require.Equal(t, http.StatusNoContent, status)
	set(map[string]any{"set_owner": true})
	anew, options, found := client()
	require.True(t, found)
	require.True(t, options.SetOwner)
	require.NotSame(t, mended, anew)
	status, _ = b.call(b.ada, "DELETE", base+connectionPath, nil)
	require.Equal(t, http.StatusNoContent, status)
	_, _, found = client()
	require.False(t, found)
	_, _, found, err = elsewhere.Connections.Client(ctx, b.eve.AccountID)
	require.NoError(t, err)
	require.False(t, found)
}
