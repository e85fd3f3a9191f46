package app_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	apiclient "github.com/baton-handoff/baton/api/client"
	"github.com/baton-handoff/baton/internal/app"
	"github.com/baton-handoff/baton/internal/connections"
	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/psatest"
	"github.com/baton-handoff/baton/internal/secrets"
	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

// connected is an account with a PSA, and a handoff of a ticket in it.
type connected struct {
	*baton
	*office
	app     *app.App
	log     *journal
	base    string
	path    string // of callbacks
	ticket  psatest.Ticket
	handoff *apiclient.Handoff
}

func connect(t *testing.T, kind psa.Kind, options map[string]any) *connected {
	t.Helper()
	c := &connected{baton: connectable(t, secrets.NewKey()), office: newOffice(t, kind), log: &journal{}}
	c.worker()
	c.app, _ = c.start(app.Options{API: true, Logger: c.log.logger()})
	c.base = "http://" + c.app.Addr
	status, answer := c.call(c.ada, "PUT", c.base+connectionPath, c.body(options))
	require.Equal(t, http.StatusOK, status, "%v", answer)
	c.path = fmt.Sprint(answer["callback_path"])
	c.ticket = c.Desk().AddTicket("Printer on fire")
	c.handoff = c.handOffTicket("#" + c.ref())
	return c
}

// ref is what people call the ticket.
func (c *connected) ref() string {
	if c.kind == psa.KindAutotask {
		return c.ticket.Number
	}
	return strconv.FormatInt(c.ticket.ID, 10)
}

func (c *connected) handOffTicket(reference string) *apiclient.Handoff {
	c.t.Helper()
	sam := c.as(c.sam, c.base)
	s, err := sam.CreateSession(c.t.Context(), uuid.NewString(), apiclient.NewSession{Title: "Printer", ClientName: "Larch Dental", PSATicket: &reference})
	require.NoError(c.t, err)
	h, err := sam.HandOff(c.t.Context(), uuid.NewString(), s.ID, escalation())
	require.NoError(c.t, err)
	return h
}

// post sends a callback as it is.
func (c *connected) post(path string, header http.Header, body []byte) (int, string) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.base+path, bytes.NewReader(body))
	require.NoError(c.t, err)
	req.Header = header
	resp, err := http.DefaultClient.Do(req)
	require.NoError(c.t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(c.t, err)
	return resp.StatusCode, string(text)
}

// tells lets the PSA tell of the ticket.
func (c *connected) tells() {
	c.t.Helper()
	header, body := c.Callback(c.url, c.ticket.ID, psa.ActionUpdated)
	status, text := c.post(c.path, header, body)
	require.Equal(c.t, http.StatusNoContent, status, text)
}

func (c *connected) read() *apiclient.Handoff {
	c.t.Helper()
	h, err := c.as(c.ana, c.base).Handoff(c.t.Context(), c.handoff.SessionID, c.handoff.ID)
	require.NoError(c.t, err)
	return h
}

func (c *connected) closed() string {
	for _, b := range c.Desk().Boards() {
		if b.ID == c.ticket.BoardID {
			for _, s := range b.Statuses {
				if s.Closed {
					return s.Name
				}
			}
		}
	}
	c.t.Fatal("the board has no closed status")
	return ""
}

func (c *connected) shows(what string, done func(*apiclient.Handoff) bool) {
	c.t.Helper()
	eventually(c.t, what, func() bool { return done(c.read()) })
}

func onEachKind(t *testing.T, f func(t *testing.T, kind psa.Kind)) {
	t.Helper()
	for _, kind := range connections.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			f(t, kind)
		})
	}
}

// TestATicketClosedByHandCancels lets people work in the PSA, and the PSA tell.
func TestATicketClosedByHandCancels(t *testing.T) {
	t.Parallel()
	onEachKind(t, func(t *testing.T, kind psa.Kind) {
		c := connect(t, kind, map[string]any{"cancel_closed": true})
		require.Nil(t, c.read().PSA.TicketStatus)
		c.tells()
		c.shows("the ticket is seen open", func(h *apiclient.Handoff) bool { return h.PSA.TicketClosed != nil })
		h := c.read()
		require.False(t, *h.PSA.TicketClosed)
		require.NotNil(t, h.PSA.TicketStatus)
		require.Equal(t, strconv.FormatInt(c.ticket.ID, 10), *h.PSA.TicketID)

		require.True(t, c.Desk().SetOwner(c.ticket.ID, "ana"))
		c.tells()
		c.shows("the owner", func(h *apiclient.Handoff) bool { return h.PSA.TicketOwner != nil })
		require.Contains(t, strings.ToLower(*c.read().PSA.TicketOwner), "ana")

		require.True(t, c.Desk().SetStatus(c.ticket.ID, c.closed()))
		for range 5 { // at least once
			c.tells()
		}
		c.shows("cancelled, and why", func(h *apiclient.Handoff) bool { return h.Status == apiclient.StatusCancelled && *h.PSA.TicketClosed })
		line, err := c.store.Timeline(tenantOf(t, c.sam), c.handoff.SessionID, c.handoff.ID)
		require.NoError(t, err)
		require.Len(t, line, 2)
		require.Equal(t, uuid.Nil, line[1].ActorID)
		require.Equal(t, "The ticket was closed in the PSA.", *line[1].Note)

		// Late and repeated callbacks change nothing more.
		version, events := c.read().Version, c.sql(`SELECT count(*) FROM feed_events WHERE data -> 'ticket' IS NOT NULL`)
		c.tells()
		_, err = c.app.Watcher.ReconcileAccount(t.Context(), c.sam.AccountID)
		require.NoError(t, err)
		require.Equal(t, version, c.read().Version)
		require.Equal(t, events, c.sql(`SELECT count(*) FROM feed_events WHERE data -> 'ticket' IS NOT NULL`))
	})
}

func TestAClosedTicketCancelsOnlyWhatWaitsAndIsMeantTo(t *testing.T) {
	t.Parallel()
	t.Run("the account does not want it", func(t *testing.T) {
		t.Parallel()
		c := connect(t, psa.KindHaloPSA, nil)
		c.tells()
		c.shows("open", func(h *apiclient.Handoff) bool { return h.PSA.TicketClosed != nil })
		require.True(t, c.Desk().SetStatus(c.ticket.ID, c.closed()))
		c.tells()
		c.shows("closed", func(h *apiclient.Handoff) bool { return *h.PSA.TicketClosed })
		require.Equal(t, apiclient.StatusQueued, c.read().Status)
	})
	t.Run("somebody works on it", func(t *testing.T) {
		t.Parallel()
		c := connect(t, psa.KindConnectWise, map[string]any{"cancel_closed": true})
		c.tells()
		c.shows("open", func(h *apiclient.Handoff) bool { return h.PSA.TicketClosed != nil })
		_, err := c.as(c.ana, c.base).Claim(t.Context(), c.handoff.SessionID, c.handoff.ID)
		require.NoError(t, err)
		require.True(t, c.Desk().SetStatus(c.ticket.ID, c.closed()))
		c.tells()
		c.shows("closed", func(h *apiclient.Handoff) bool { return *h.PSA.TicketClosed })
		require.Equal(t, apiclient.StatusClaimed, c.read().Status)
		// Until they give it back. Telling the ticket so is the next look at it.
		c.ask(c.base, c.ana, c.handoff, "release", nil)
		c.shows("cancelled", func(h *apiclient.Handoff) bool { return h.Status == apiclient.StatusCancelled })
	})
	t.Run("somebody else shall work on it", func(t *testing.T) {
		t.Parallel()
		c := connect(t, psa.KindHaloPSA, map[string]any{"cancel_closed": true})
		c.tells()
		c.shows("open", func(h *apiclient.Handoff) bool { return h.PSA.TicketClosed != nil })
		c.ask(c.base, c.ana, c.handoff, "claim", nil)
		c.told(c.base, c.handoff, 2)
		require.True(t, c.Desk().SetStatus(c.ticket.ID, c.closed()))
		_, err := c.app.Watcher.ReconcileAccount(t.Context(), c.sam.AccountID)
		require.NoError(t, err)
		require.True(t, *c.read().PSA.TicketClosed)
		c.Desk().Faults().Set(psatest.Fault{Kind: psatest.FaultStatus, Status: http.StatusServiceUnavailable})
		c.ask(c.base, c.ada, c.handoff, "reassign", map[string]any{"target_user_id": c.ben.ID})
		require.Equal(t, apiclient.StatusQueued, c.read().Status)
		c.Desk().Faults().Clear()
		_, err = c.app.Watcher.ReconcileAccount(t.Context(), c.sam.AccountID)
		require.NoError(t, err)
		require.Equal(t, apiclient.StatusCancelled, c.read().Status, "the reconcile sees it as well")
	})
	t.Run("it was closed before", func(t *testing.T) {
		t.Parallel()
		c := connect(t, psa.KindAutotask, map[string]any{"cancel_closed": true})
		require.True(t, c.Desk().SetStatus(c.ticket.ID, c.closed()))
		c.tells()
		c.shows("closed", func(h *apiclient.Handoff) bool { return h.PSA.TicketClosed != nil && *h.PSA.TicketClosed })
		require.Equal(t, apiclient.StatusQueued, c.read().Status, "somebody asks for help all the same")
		c.ask(c.base, c.ana, c.handoff, "claim", nil)
		c.ask(c.base, c.ana, c.handoff, "release", nil)
		c.told(c.base, c.handoff, 3)
		_, err := c.app.Watcher.ReconcileAccount(t.Context(), c.sam.AccountID)
		require.NoError(t, err)
		require.Equal(t, apiclient.StatusQueued, c.read().Status, "and still does")
	})
}

func TestCallbacksThatAreNotThePSAs(t *testing.T) {
	t.Parallel()
	onEachKind(t, func(t *testing.T, kind psa.Kind) {
		c := connect(t, kind, nil)
		header, body := c.Callback(c.url, c.ticket.ID, psa.ActionUpdated)
		asked := c.Desk().Count(psatest.OpTicket) + c.Desk().Count(psatest.OpTickets)
		with := func(name, value string) http.Header {
			h := header.Clone()
			h.Set(name, value)
			return h
		}
		// Another account's PSA, with its own credentials, on our path.
		for name, h := range map[string]http.Header{
			"unsigned":    {"Content-Type": {"application/json"}},
			"connectwise": with("X-Content-Signature", "bm90aGluZw=="),
			"autotask":    with("X-Hook-Signature", "sha1=bm90aGluZw=="),
			"halopsa":     with("Authorization", "Basic YmF0b246d3Jvbmc="),
		} {
			if name != "unsigned" && name != string(kind) {
				continue
			}
			status, text := c.post(c.path, h, body)
			require.Equal(t, http.StatusForbidden, status, name)
			require.Contains(t, text, `"code":"forbidden"`)
			require.NotContains(t, text, "signature", "no help for whoever tries")
		}
		for _, path := range []string{
			connections.CallbackPath + strings.Repeat("A", 26), connections.CallbackPath + "x", c.path + "A", strings.ToLower(c.path),
			connections.CallbackPath + strings.Repeat("A", 65),
		} {
			status, _ := c.post(path, header, body)
			require.Contains(t, []int{http.StatusNotFound, http.StatusUnprocessableEntity}, status, path)
		}
		status, _ := c.post(c.path, header, append(body, bytes.Repeat([]byte(" "), 64<<10)...))
		require.Equal(t, http.StatusRequestEntityTooLarge, status)
		require.Equal(t, asked, c.Desk().Count(psatest.OpTicket)+c.Desk().Count(psatest.OpTickets), "nothing was looked at")
		require.Nil(t, c.read().PSA.TicketStatus)

		for _, path := range []string{c.path, c.path + "/more"} { // what some PSAs try first
			resp, err := http.Get(c.base + path)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Contains(t, []int{http.StatusNotFound, http.StatusMethodNotAllowed}, resp.StatusCode)
		}

		// The log says so, without what was sent and without the path.
		log := c.log.String()
		require.Contains(t, log, "a callback was refused")
		require.NotContains(t, log, strings.TrimPrefix(c.path, connections.CallbackPath))
		require.NotContains(t, log, "YmF0b246d3Jvbmc=")
		require.NotContains(t, log, "bm90aGluZw==")

		// A connection that is gone has no callbacks.
		status, _ = c.call(c.ada, "DELETE", c.base+connectionPath, nil)
		require.Equal(t, http.StatusNoContent, status)
		status, _ = c.post(c.path, header, body)
		require.Equal(t, http.StatusNotFound, status)
	})
}

// TestReconcile finds what no callback told.
func TestReconcile(t *testing.T) {
	t.Parallel()
	onEachKind(t, func(t *testing.T, kind psa.Kind) {
		c := connect(t, kind, map[string]any{"cancel_closed": true})
		here := c.sam.AccountID
		gone := c.handOffTicket("4242424")
		changed, err := c.app.Watcher.Reconcile(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, changed)
		changed, err = c.app.Watcher.Reconcile(t.Context())
		require.NoError(t, err)
		require.Zero(t, changed)
		require.False(t, *c.read().PSA.TicketClosed)

		// In an outage nothing is changed, and nothing is broken.
		require.True(t, c.Desk().SetStatus(c.ticket.ID, c.closed()))
		c.Desk().Faults().Set(psatest.Fault{Kind: psatest.FaultStatus, Status: http.StatusServiceUnavailable})
		_, err = c.app.Watcher.ReconcileAccount(t.Context(), here)
		require.True(t, psa.AsError(err).Retryable(), "%v", err)
		require.Equal(t, apiclient.StatusQueued, c.read().Status)
		c.Desk().Faults().Clear()
		changed, err = c.app.Watcher.ReconcileAccount(t.Context(), here)
		require.NoError(t, err)
		require.Equal(t, 1, changed)
		require.Equal(t, apiclient.StatusCancelled, c.read().Status)
		other, err := c.as(c.ana, c.base).Handoff(t.Context(), gone.SessionID, gone.ID)
		require.NoError(t, err)
		require.Equal(t, apiclient.StatusQueued, other.Status)

		// The PSA of an account that changed its credentials there.
		c.RotateCredentials()
		c.handOffTicket(c.ref())
		_, err = c.app.Watcher.ReconcileAccount(t.Context(), here)
		require.Equal(t, psa.ClassUnauthorized, psa.ClassOf(err), "%v", err)
		_, answer := c.call(c.ada, "GET", c.base+connectionPath, nil)
		require.Equal(t, "broken", answer["state"])
	})
}

// TestSaw is what the push of a step knows of its ticket.
func TestSaw(t *testing.T) {
	t.Parallel()
	c := connect(t, psa.KindHaloPSA, map[string]any{"cancel_closed": true})
	office, _, _, err := c.app.Connections.Client(t.Context(), c.sam.AccountID)
	require.NoError(t, err)
	at := c.handoff.CreatedAt
	ticket, err := office.Ticket(t.Context(), c.ref())
	require.NoError(t, err)
	require.NoError(t, c.app.Watcher.Saw(t.Context(), c.sam.AccountID, c.handoff.ID, ticket, at))
	require.False(t, *c.read().PSA.TicketClosed)
	require.True(t, c.Desk().SetStatus(c.ticket.ID, c.closed()))
	c.tells()
	c.shows("cancelled by the first callback", func(h *apiclient.Handoff) bool {
		return h.Status == apiclient.StatusCancelled && *h.PSA.TicketClosed
	})

	// What was seen earlier and comes later says nothing new.
	require.NoError(t, c.app.Watcher.Saw(t.Context(), c.sam.AccountID, c.handoff.ID, ticket, at))
	require.True(t, *c.read().PSA.TicketClosed)
	// Another account's handoff is none of ours.
	err = c.app.Watcher.Saw(t.Context(), c.eve.AccountID, c.handoff.ID, ticket, at)
	require.Equal(t, models.CodeNotFound, models.CodeOf(err))
	require.NoError(t, c.app.Watcher.Saw(t.Context(), c.sam.AccountID, c.handoff.ID, psa.Ticket{}, at))
}

func tenantOf(t *testing.T, u models.User) context.Context {
	t.Helper()
	return tenant.With(t.Context(), u.AccountID)
}

// TestReconcileIsScheduled triggers the schedule that a worker makes.
func TestReconcileIsScheduled(t *testing.T) {
	t.Parallel()
	c := connect(t, psa.KindConnectWise, nil)
	schedule := c.temporal.ScheduleClient().GetHandle(t.Context(), "baton-reconcile")
	eventually(t, "the schedule is there", func() bool {
		return schedule.Trigger(t.Context(), client.ScheduleTriggerOptions{}) == nil
	})
	c.shows("what no callback told", func(h *apiclient.Handoff) bool { return h.PSA.TicketStatus != nil })
}
