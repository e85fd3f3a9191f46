package vendors_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/psatest"
	"github.com/baton-handoff/baton/internal/psa/vendors"
)

func TestPool(t *testing.T) {
	t.Parallel()
	fake := psatest.NewConnectWise()
	now := time.Unix(1_700_000_000, 0)
	pool := vendors.NewPool(vendors.Options{Now: func() time.Time { now = now.Add(time.Second); return now }}, 2)
	defer pool.Close()
	read := 0
	get := func(key, version string) psa.Client {
		c, err := pool.Get(key, version, func() (psa.Connection, error) {
			read++
			return fake.Connection("https://psa.example.com"), nil
		})
		require.NoError(t, err)
		return c
	}
	a := get("a", "1")
	require.Same(t, a, get("a", "1"))
	require.Equal(t, 1, read)
	a2 := get("a", "2") // the connection was changed
	require.NotSame(t, a, a2)
	b := get("b", "1")
	require.Same(t, a2, get("a", "2"))
	get("c", "1") // makes b, used longest ago, go
	require.Same(t, a2, get("a", "2"))
	require.NotSame(t, b, get("b", "1"))
	pool.Drop("b")
	broken := errors.New("cannot be decrypted")
	_, err := pool.Get("b", "1", func() (psa.Connection, error) { return psa.Connection{}, broken })
	require.ErrorIs(t, err, broken)
	_, err = pool.Get("b", "1", func() (psa.Connection, error) { return psa.Connection{}, nil })
	require.Equal(t, psa.ClassMisconfigured, psa.ClassOf(err))
}

func TestConnectWiseProjectTickets(t *testing.T) {
	t.Parallel()
	b := setup(t, psa.KindConnectWise)
	require.True(t, b.desk.MakeProject(b.ticket.ID))
	_, err := b.client.Ticket(t.Context(), b.ref)
	require.Equal(t, psa.ClassRejected, psa.ClassOf(err))
	require.Contains(t, psa.AsError(err).Reason, "project ticket")
}

func TestConnectWiseUnknownCompany(t *testing.T) {
	t.Parallel()
	b := setup(t, psa.KindConnectWise)
	b.conn.Credentials[psa.CredCompanyID] = "nobody"
	_, err := b.newClient(t).Ticket(t.Context(), b.ref)
	require.Equal(t, psa.ClassMisconfigured, psa.ClassOf(err))
	require.Contains(t, psa.AsError(err).Reason, "company id")
}

// A cloud 404 can also mean credentials that are not accepted.
func TestConnectWise404ForBadCredentials(t *testing.T) {
	t.Parallel()
	b := setup(t, psa.KindConnectWise)
	b.faults.Set(psatest.Fault{
		Kind: psatest.FaultPage, Status: http.StatusNotFound,
		On: []psatest.Op{psatest.OpTicket, psatest.OpInfo},
	})
	_, err := b.client.Ticket(t.Context(), b.ref)
	require.Equal(t, psa.ClassUnauthorized, psa.ClassOf(err), "%v", err)
}

func TestConnectWiseCallbackKey(t *testing.T) {
	t.Parallel()
	b := setup(t, psa.KindConnectWise)
	h, body := b.fake.Callback(b.address, b.ticket.ID, psa.ActionUpdated)
	for range 20 {
		_, err := b.client.Callback(t.Context(), h, body)
		require.NoError(t, err)
	}
	require.Equal(t, 1, b.desk.Count(psatest.OpKey))
	// When the key cannot be had, nothing is forged: the PSA shall call again.
	b.client = b.newClient(t)
	b.faults.Set(psatest.Fault{Kind: psatest.FaultStatus, Status: 503})
	_, err := b.client.Callback(t.Context(), h, body)
	require.Equal(t, psa.ClassTemporary, psa.ClassOf(err))
	// A key elsewhere is not read.
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("called") }))
	defer elsewhere.Close()
	b.faults.Clear()
	_, err = b.client.Callback(t.Context(), h, []byte(strings.ReplaceAll(string(body), b.address, elsewhere.URL)))
	require.Equal(t, psa.ClassForged, psa.ClassOf(err))
}

func TestAutotaskTicketNumbers(t *testing.T) {
	t.Parallel()
	b := setup(t, psa.KindAutotask)
	ticket, err := b.client.Ticket(t.Context(), " #"+b.ticket.Number+" ")
	require.NoError(t, err)
	require.Equal(t, b.ref, ticket.ID)
	require.Equal(t, b.ticket.Number, ticket.Number)
	require.Equal(t, "Level I Support", ticket.Board.Name)
	require.False(t, ticket.Status.Closed) // although completedDate is set
	_, err = b.client.Ticket(t.Context(), "T20991231.0001")
	require.Equal(t, psa.ClassTicketGone, psa.ClassOf(err))
}

func TestAutotaskPages(t *testing.T) {
	t.Parallel()
	b := setup(t, psa.KindAutotask)
	var ids []string
	for range 1100 {
		ids = append(ids, strconv.FormatInt(b.desk.AddTicket("t").ID, 10))
	}
	before := b.desk.Count(psatest.OpTickets)
	got, err := b.client.Tickets(t.Context(), ids)
	require.NoError(t, err)
	require.Len(t, got, 1100)
	require.LessOrEqual(t, b.desk.Count(psatest.OpTickets)-before, 5)
}

func TestAutotaskBudget(t *testing.T) {
	t.Parallel()
	b := setup(t, psa.KindAutotask)
	fake := b.fake.(*psatest.Autotask)
	fake.SetUsage(9500, 10_000)
	_, err := b.client.Tickets(t.Context(), []string{b.ref})
	require.Equal(t, psa.ClassRateLimited, psa.ClassOf(err)) // a reconcile waits
	require.NotZero(t, psa.AsError(err).RetryAfter)
	_, err = psa.Push(t.Context(), b.client, b.step(psa.StepEscalated, 1)) // people do not
	require.NoError(t, err)
	item, _ := b.client.Check(t.Context(), psa.Probe{}).Item("budget")
	require.Equal(t, psa.CheckWarning, item.State)
	fake.SetUsage(10_000, 10_000)
	_, err = psa.Push(t.Context(), b.client, b.step(psa.StepClaimed, 1))
	require.Equal(t, psa.ClassRateLimited, psa.ClassOf(err))
}

func TestAutotaskWritesNothingWithoutItsInternalLabel(t *testing.T) {
	t.Parallel()
	b := setup(t, psa.KindAutotask)
	b.fake.(*psatest.Autotask).RenameInternal("Nur intern")
	_, err := psa.Push(t.Context(), b.client, b.step(psa.StepEscalated, 1))
	require.Equal(t, psa.ClassMisconfigured, psa.ClassOf(err))
	require.Contains(t, psa.AsError(err).Cure, "Nur intern")
	require.Empty(t, b.notes(t))
	b.conn.Options.InternalLabel = "Nur intern"
	b.client = b.newClient(t)
	_, err = psa.Push(t.Context(), b.client, b.step(psa.StepEscalated, 1))
	require.NoError(t, err)
	require.False(t, b.notes(t)[0].CustomerVisible)
}

func TestAutotaskTakesLongNotes(t *testing.T) {
	t.Parallel()
	b := setup(t, psa.KindAutotask)
	step := b.step(psa.StepEscalated, 1)
	step.Plain, step.Title = strings.Repeat("😀", 40_000), strings.Repeat("t", 500)
	_, err := psa.Push(t.Context(), b.client, step)
	require.NoError(t, err)
	require.True(t, step.Mark.In(b.notes(t)[0].Text))
	r, err := psa.Push(t.Context(), b.client, step)
	require.NoError(t, err)
	require.True(t, r.Found)
}

func TestHaloShortAnswersAreReadBack(t *testing.T) {
	t.Parallel()
	b := setup(t, psa.KindHaloPSA)
	b.fake.(*psatest.HaloPSA).AnswerShort()
	r, err := psa.Push(t.Context(), b.client, b.step(psa.StepClaimed, 1))
	require.NoError(t, err)
	require.Equal(t, "In Progress", r.Ticket.Status.Name)
	require.Equal(t, "ana@demo.test", r.Ticket.Owner.Email)
}

func TestHaloOutcome(t *testing.T) {
	t.Parallel()
	b := setup(t, psa.KindHaloPSA)
	b.conn.Options.OutcomeID = 99
	b.client = b.newClient(t)
	_, err := psa.Push(t.Context(), b.client, b.step(psa.StepEscalated, 1))
	require.Equal(t, psa.ClassRejected, psa.ClassOf(err))
	require.Contains(t, psa.AsError(err).Cure, "outcome")
	b.conn.Options.OutcomeID = 0 // the workflow's own
	b.client = b.newClient(t)
	_, err = psa.Push(t.Context(), b.client, b.step(psa.StepEscalated, 1))
	require.NoError(t, err)
}

func TestSendCallback(t *testing.T) {
	t.Parallel()
	b := setup(t, psa.KindAutotask)
	var got psa.Callback
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, r.ContentLength)
		_, _ = r.Body.Read(body)
		var err error
		if got, err = b.client.Callback(r.Context(), r.Header, body); err != nil {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer endpoint.Close()
	client := endpoint.Client()
	require.NoError(t, psatest.SendCallback(t.Context(), client, b.fake, b.address, endpoint.URL, b.ticket.ID, psa.ActionUpdated))
	require.Equal(t, b.ref, got.TicketID)
	require.Equal(t, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), got.At)
	require.NoError(t, psatest.SendCallback(t.Context(), client, b.fake, b.address, endpoint.URL, b.ticket.ID, psa.ActionDisabled))
	require.Equal(t, psa.ActionDisabled, got.Action)
	require.False(t, got.Verified)
}

// The sandbox serves a fake below a path of its own.
func TestConnectWiseBelowAPath(t *testing.T) {
	t.Parallel()
	b := setup(t, psa.KindConnectWise)
	server := httptest.NewServer(http.StripPrefix("/sandbox/psa", b.fake))
	defer server.Close()
	b.address = server.URL + "/sandbox/psa"
	b.connect(t)
	_, err := psa.Push(t.Context(), b.client, b.step(psa.StepClaimed, 1))
	require.NoError(t, err)
	require.Equal(t, "In Progress", b.desk.StatusName(b.ticket.ID))
	h, body := b.fake.Callback(b.address, b.ticket.ID, psa.ActionDeleted)
	cb, err := b.client.Callback(t.Context(), h, body)
	require.NoError(t, err)
	require.Equal(t, psa.ActionDeleted, cb.Action)
}
