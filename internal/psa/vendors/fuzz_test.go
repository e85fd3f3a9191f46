package vendors_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/outbound"
	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/autotask"
	"github.com/baton-handoff/baton/internal/psa/connectwise"
	"github.com/baton-handoff/baton/internal/psa/halopsa"
	"github.com/baton-handoff/baton/internal/psa/psatest"
)

// fuzzed is a client of a fake whose answers are not to be trusted. There is no
// network between them, so that a run is quick and always takes the same way.
type fuzzed struct {
	fake    psatest.Server
	address string
	conn    psa.Connection
}

// RoundTrip calls the fake.
func (z fuzzed) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	z.fake.ServeHTTP(w, r)
	return w.Result(), r.Context().Err()
}

func startFuzz(f *testing.F, kind psa.Kind) fuzzed {
	f.Helper()
	fake := psatest.New(kind)
	const address = "http://127.0.0.1:8090"
	conn := fake.Connection(address)
	conn.Options.Status, conn.Options.SetOwner = statuses, true
	return fuzzed{fake, address, conn}
}

func (z fuzzed) client(t *testing.T) psa.Client {
	t.Helper()
	var client psa.Client
	var err error
	switch z.conn.Kind {
	case psa.KindAutotask:
		client, err = autotask.New(z.conn, outbound.InMemory(z), time.Now)
	case psa.KindHaloPSA:
		client, err = halopsa.New(z.conn, outbound.InMemory(z), time.Now)
	default:
		client, err = connectwise.New(z.conn, outbound.InMemory(z), time.Now)
	}
	require.NoError(t, err)
	return client
}

// typed checks that an error is one of ours and can be shown.
func typed(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	e := psa.AsError(err)
	require.NotContains(t, e.Reason, "unexpected error", "%v", err)
	require.True(t, utf8.ValidString(e.Reason))
	require.Less(t, len(e.Reason), 1500)
	require.NotContains(t, e.Model().Message, "\n")
	require.NotEmpty(t, e.Model().Code)
	for _, f := range e.Fields {
		require.Less(t, len(f.Message)+len(f.Field), 2000)
	}
}

// answers lets every call but those in the way be answered with the input.
func (z fuzzed) answers(t *testing.T, status int, contentType string, body []byte, except ...psatest.Op) {
	t.Helper()
	if status < 200 || status > 599 || status == http.StatusNoContent || status == http.StatusNotModified {
		status = http.StatusOK
	}
	for _, r := range contentType {
		if r < ' ' || r > '~' {
			contentType = "text/html"
		}
	}
	spared := map[psatest.Op]bool{}
	for _, op := range except {
		spared[op] = true
	}
	var on []psatest.Op
	for _, op := range []psatest.Op{
		psatest.OpDiscover, psatest.OpSignIn, psatest.OpTicket, psatest.OpTickets, psatest.OpNotes, psatest.OpAddNote, psatest.OpUpdate,
		psatest.OpNames, psatest.OpInfo, psatest.OpKey,
	} {
		if !spared[op] {
			on = append(on, op)
		}
	}
	z.fake.Desk().Faults().Set(psatest.Fault{Kind: psatest.FaultRaw, On: on, Status: status, ContentType: contentType, Body: body})
}

func fuzzResponses(f *testing.F, kind psa.Kind, fixtures string) {
	z := startFuzz(f, kind)
	ticket := z.fake.Desk().AddTicket("fuzz")
	files, err := filepath.Glob(filepath.Join("..", fixtures, "testdata", "*.json"))
	require.NoError(f, err)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(uint16(200), "application/json", raw)
		f.Add(uint16(500), "application/json", raw)
	}
	f.Add(uint16(200), "application/json", []byte(`{"id":101,"items":[{"id":1e99}],"actions":[{"id":"x"}],"record_count":-1}`))
	f.Add(uint16(400), "text/plain", []byte("no"))
	f.Add(uint16(503), "text/html", []byte("<html>"))
	f.Fuzz(func(t *testing.T, status uint16, contentType string, body []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		ref := strconv.FormatInt(ticket.ID, 10)
		step := psa.Step{
			Ticket: ref, Mark: psa.Mark{Step: psa.StepClaimed, Generation: 1}, Plain: "x", Status: "Escalated", Owner: &psa.Person{Email: "ana@demo.test"},
		}
		for _, spared := range [][]psatest.Op{
			nil,
			{psatest.OpDiscover, psatest.OpSignIn},
			{psatest.OpDiscover, psatest.OpSignIn, psatest.OpTicket, psatest.OpTickets, psatest.OpNotes},
		} {
			client := z.client(t)
			z.answers(t, int(status), contentType, body, spared...)
			known, err := client.Ticket(ctx, ref)
			typed(t, err)
			_, err = client.Tickets(ctx, []string{ref})
			typed(t, err)
			_, err = psa.Push(ctx, client, step)
			typed(t, err)
			_, _, err = client.FindNote(ctx, ref, step.Mark)
			typed(t, err)
			_, err = client.AddNote(ctx, ref, psa.Note{Mark: step.Mark, Plain: "x"})
			typed(t, err)
			known.ID = ref
			_, err = client.Update(ctx, known, psa.Change{Status: "Escalated", Owner: step.Owner})
			typed(t, err)
			for _, item := range client.Check(ctx, psa.Probe{Ticket: ref, People: []psa.Person{*step.Owner}}).Items {
				require.True(t, utf8.ValidString(item.Detail))
			}
		}
	})
}

func FuzzConnectWiseResponses(f *testing.F) { fuzzResponses(f, psa.KindConnectWise, "connectwise") }

func FuzzAutotaskResponses(f *testing.F) { fuzzResponses(f, psa.KindAutotask, "autotask") }

func FuzzHaloPSAResponses(f *testing.F) { fuzzResponses(f, psa.KindHaloPSA, "halopsa") }

// fuzzCallback tries bodies that are signed as they are, by a signer that is
// told to sign anything, so that what is read after the check is reached.
func fuzzCallback(f *testing.F, kind psa.Kind) {
	z := startFuzz(f, kind)
	good, body := z.fake.Callback(z.address, 101, psa.ActionUpdated)
	name := map[psa.Kind]string{
		psa.KindConnectWise: "X-Content-Signature", psa.KindAutotask: "X-Hook-Signature", psa.KindHaloPSA: "Authorization",
	}[kind]
	f.Add(good.Get(name), body, false)
	f.Add(good.Get(name), body, true)
	f.Add("sha1=", []byte(`{"Action":"Deactivated"}`), true)
	f.Add("Basic Og==", []byte(`{"ticket":null,"object_id":{}}`), true)
	f.Add("", []byte(`{"ID":1,"Metadata":{"key_url":"http://127.0.0.1:1/apis/3.0/"}}`), false)
	f.Add("", []byte(`{"Id":"\ud800","EntityType":"\u0000"}`), true)
	signer := z.fake.(psatest.Signer)
	f.Fuzz(func(t *testing.T, signature string, body []byte, sign bool) {
		client := z.client(t)
		h := http.Header{}
		h[name] = []string{signature}
		if sign {
			h = signer.Sign(body)
		}
		cb, err := client.Callback(t.Context(), h, body)
		if err != nil {
			typed(t, err)
			require.Zero(t, cb)
			return
		}
		require.NotEmpty(t, cb.Action)
		if cb.TicketID != "" {
			id, err := strconv.ParseInt(cb.TicketID, 10, 64)
			require.NoError(t, err)
			require.Positive(t, id)
		}
		if !sign && cb.Verified && kind != psa.KindHaloPSA { // the one signature that the input may hold is of this
			require.Equal(t, "101", cb.TicketID)
		}
	})
}

func FuzzConnectWiseCallback(f *testing.F) { fuzzCallback(f, psa.KindConnectWise) }

func FuzzAutotaskCallback(f *testing.F) { fuzzCallback(f, psa.KindAutotask) }

func FuzzHaloPSACallback(f *testing.F) { fuzzCallback(f, psa.KindHaloPSA) }
