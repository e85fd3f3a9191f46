package app_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	apiclient "github.com/baton-handoff/baton/api/client"
	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/psatest"
	"github.com/baton-handoff/baton/internal/secrets"
	"github.com/baton-handoff/baton/models"
	"github.com/baton-handoff/baton/workflows"
)

// telling is what an account may want to happen to its tickets.
func telling() map[string]any {
	return map[string]any{"set_owner": true, "status": map[psa.StepName]string{
		psa.StepEscalated: "Escalated", psa.StepClaimed: "In Progress", psa.StepReleased: "New", psa.StepResolved: "Completed",
	}}
}

// connectPSA gives the account a ConnectWise whose engineers are the account's,
// and returns the address of an API with it. Apps that are started later have
// the key to it.
func (b *baton) connectPSA() (base string, d *office) {
	b.t.Helper()
	b.extra = append(b.extra, "BATON_PSA_ALLOW_PRIVATE=127.0.0.0/8", "BATON_SECRET_KEYS="+secrets.NewKey())
	base, d = b.api(), newOffice(b.t, psa.KindConnectWise)
	d.hire(b.sam, b.ana, b.ben)
	b.connectTo(base, b.ada, d)
	return base, d
}

// connectTo makes an office the PSA of an admin's account.
func (b *baton) connectTo(base string, admin models.User, d *office) {
	b.t.Helper()
	status, answer := b.call(admin, http.MethodPut, base+connectionPath, d.body(telling()))
	require.Equal(b.t, http.StatusOK, status, "%v", answer)
}

// connectionState is what the account's connection says of itself.
func (b *baton) connectionState(base string) any {
	b.t.Helper()
	status, answer := b.call(b.ada, http.MethodGet, base+connectionPath, nil)
	require.Equal(b.t, http.StatusOK, status, "%v", answer)
	return answer["state"]
}

// insist repeats a request with its key until it is answered. It may be called
// on any goroutine.
func (b *baton) insist(u models.User, url string, body any) (answer map[string]any) {
	key := uuid.NewString()
	var status int
	var err error
	ok := waitFor(90*time.Second, func() bool {
		status, answer, err = b.tryCall(u, http.MethodPost, url, body, "Idempotency-Key", key)
		return err == nil && status < 300
	})
	if !ok {
		b.t.Errorf("%s: %d %v %v", url, status, answer, err)
		return nil
	}
	return answer
}

// ticketed hands off a session that has a ticket.
func (b *baton) ticketed(base string, ticket int64) *apiclient.Handoff {
	b.t.Helper()
	h, err := b.as(b.sam, base).HandOff(b.t.Context(), uuid.NewString(), b.ticketedSession(base, ticket), escalation())
	require.NoError(b.t, err)
	return h
}

func (b *baton) ticketedSession(base string, ticket int64) uuid.UUID {
	b.t.Helper()
	number := "#" + strconv.FormatInt(ticket, 10)
	s, err := b.as(b.sam, base).CreateSession(b.t.Context(), uuid.NewString(), apiclient.NewSession{
		Title: "Outlook does not sync", ClientName: "Larch Dental", PSATicket: &number,
	})
	require.NoError(b.t, err)
	return s.ID
}

func (b *baton) ask(base string, u models.User, h *apiclient.Handoff, verb string, body any) {
	b.t.Helper()
	if body == nil && verb != "claim" {
		body = map[string]any{}
	}
	status, answer := b.call(u, http.MethodPost, handoffURL(base, h)+"/"+verb, body)
	require.Less(b.t, status, 300, "%s: %v", verb, answer)
}

// psaOf is the psa block of a handoff.
func (b *baton) psaOf(base string, h *apiclient.Handoff) apiclient.PSA {
	b.t.Helper()
	got, err := b.as(b.ana, base).Handoff(b.t.Context(), h.SessionID, h.ID)
	require.NoError(b.t, err)
	return got.PSA
}

func (b *baton) awaitPSA(base string, h *apiclient.Handoff, what string, done func(apiclient.PSA) bool) apiclient.PSA {
	b.t.Helper()
	var last apiclient.PSA
	if !waitFor(90*time.Second, func() bool { last = b.psaOf(base, h); return done(last) }) {
		text, _ := json.Marshal(last)
		b.t.Fatalf("never: %s; last: %s", what, text)
	}
	return last
}

func waitFor(most time.Duration, done func() bool) bool {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(most); time.Now().Before(end); <-tick.C {
		if done() {
			return true
		}
	}
	return false
}

// told waits until the ticket was told of so many versions.
func (b *baton) told(base string, h *apiclient.Handoff, version int) {
	b.t.Helper()
	b.awaitPSA(base, h, "told", func(p apiclient.PSA) bool {
		return b.sql(`SELECT count(*) FROM psa_steps WHERE handoff_id = $1 AND state = 'done'`, h.ID) == version && p.State == apiclient.EffectStateDone
	})
}

func mark(h *apiclient.Handoff, step psa.StepName, generation int) string {
	return psa.Mark{Handoff: h.ID, Step: step, Generation: generation}.Inner()
}

// TestTheTicketTellsTheStory: one note for each step, in order, with status and
// owner, and with words for people.
func TestTheTicketTellsTheStory(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	base, d := b.connectPSA()
	b.worker()
	ticket := d.Desk().AddTicket("Outlook does not sync").ID
	h := b.ticketed(base, ticket)
	require.EqualValues(t, models.EffectPending, h.PSA.State)
	b.told(base, h, 1)
	require.Equal(t, "Escalated", d.Desk().StatusName(ticket))
	b.ask(base, b.ana, h, "claim", nil)
	b.told(base, h, 2)
	require.Equal(t, "In Progress", d.Desk().StatusName(ticket))
	require.Equal(t, "real-ana", d.Desk().OwnerIdentifier(ticket))
	b.ask(base, b.ana, h, "release", map[string]any{"note": "Not my *field*, [baton:x] sorry"})
	b.ask(base, b.ada, h, "reassign", map[string]any{"target_user_id": b.ben.ID})
	b.told(base, h, 4)
	require.Equal(t, "New", d.Desk().StatusName(ticket))
	b.ask(base, b.ben, h, "claim", nil)
	b.ask(base, b.ben, h, "resolve", map[string]any{"resolution": "Cleared the cached credentials."})
	b.told(base, h, 6)
	require.Equal(t, "Completed", d.Desk().StatusName(ticket))

	require.Equal(t, []string{
		mark(h, psa.StepEscalated, 1), mark(h, psa.StepClaimed, 1), mark(h, psa.StepReleased, 1),
		mark(h, psa.StepReleased, 2), mark(h, psa.StepClaimed, 3), mark(h, psa.StepResolved, 3),
	}, d.marks(ticket))
	got, _ := d.Desk().Ticket(ticket)
	for i, words := range []string{"Please look at the connector", "Claimed by Ana", `Not my \*field\*, `, "Reassigned by Ada to Ben", "Claimed by Ben", "Cleared the cached credentials"} {
		require.Contains(t, got.Notes[i].Text, words)
		require.False(t, got.Notes[i].CustomerVisible)
	}
	status, timeline := b.call(b.ana, http.MethodGet, handoffURL(base, h)+"/timeline", nil)
	require.Equal(t, http.StatusOK, status)
	for i, item := range timeline["items"].([]any) {
		step := item.(map[string]any)["psa"].(map[string]any)
		require.Equal(t, "done", step["state"])
		require.Equal(t, strconv.FormatInt(got.Notes[i].ID, 10), step["note_id"])
	}
	p := b.psaOf(base, h)
	require.Equal(t, strconv.FormatInt(ticket, 10), *p.TicketID)
	require.Equal(t, strconv.FormatInt(got.Notes[5].ID, 10), *p.NoteID)
	require.Equal(t, "ok", b.connectionState(base))
	require.NoError(t, b.temporal.GetWorkflow(t.Context(), workflows.TicketWorkflowID(h.AccountID, strconv.FormatInt(ticket, 10)), "").Get(t.Context(), nil), "it ends when nothing is left to tell")
	require.LessOrEqual(t, len(b.history(h)), 100)
}

// TestWithoutATicketOrConnectionNobodyIsCalled.
func TestWithoutATicketOrConnectionNobodyIsCalled(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	b.worker()
	base := b.api()
	h := b.handOff(base)
	require.EqualValues(t, models.EffectSkipped, h.PSA.State)
	require.Equal(t, "The session names no ticket.", *h.PSA.Reason)
	h = b.ticketed(base, 4711)
	p := b.awaitPSA(base, h, "skipped", func(p apiclient.PSA) bool { return p.State == apiclient.EffectStateSkipped })
	require.Equal(t, "No PSA is connected.", *p.Reason)
	b.ask(base, b.sam, h, "cancel", nil)
	require.NoError(t, b.temporal.GetWorkflow(t.Context(), workflows.WorkflowID(h.AccountID, h.SessionID), "").Get(t.Context(), nil))
	_, err := b.temporal.DescribeWorkflowExecution(t.Context(), workflows.TicketWorkflowID(h.AccountID, "4711"), "")
	require.Error(t, err, "there is no workflow for nothing")
}

// TestAnOutageHealsWithNobodysHelp: what is decided during an outage is told
// after it, in order, also of a handoff that was closed meanwhile and of the
// next one of the same ticket.
func TestAnOutageHealsWithNobodysHelp(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	base, d := b.connectPSA()
	b.worker()
	ticket := d.Desk().AddTicket("Outlook does not sync").ID
	d.Desk().Faults().Set(psatest.Fault{Kind: psatest.FaultStatus, Status: http.StatusServiceUnavailable})
	first := b.ticketed(base, ticket)
	b.ask(base, b.ana, first, "claim", nil)
	p := b.awaitPSA(base, first, "retrying", func(p apiclient.PSA) bool { return p.State == apiclient.EffectStateRetrying })
	require.NotEmpty(t, *p.Reason)
	require.NotNil(t, p.NextAttemptAt)
	require.Positive(t, p.Attempts)
	b.ask(base, b.ana, first, "resolve", nil)
	second := b.ticketed(base, ticket)
	b.ask(base, b.sam, second, "cancel", nil)
	require.NoError(t, b.temporal.GetWorkflow(t.Context(), workflows.WorkflowID(second.AccountID, second.SessionID), "").Get(t.Context(), nil), "a handoff does not wait")
	d.Desk().Faults().Clear()
	b.told(base, second, 2)
	b.told(base, first, 3)
	require.Equal(t, []string{
		mark(first, psa.StepEscalated, 1), mark(first, psa.StepClaimed, 1), mark(first, psa.StepResolved, 1),
		mark(second, psa.StepEscalated, 1), mark(second, psa.StepReleased, 1),
	}, d.marks(ticket))
	got, _ := d.Desk().Ticket(ticket)
	require.Contains(t, got.Notes[4].Text, "taken back")
}

// TestBadCredentialsAreShownAndMended: what no retry mends is failed with its
// cure, and goes on once it is mended and somebody asks for it.
func TestBadCredentialsAreShownAndMended(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	base, d := b.connectPSA()
	b.worker()
	ticket := d.Desk().AddTicket("Outlook does not sync").ID
	d.RotateCredentials()
	h := b.ticketed(base, ticket)
	p := b.awaitPSA(base, h, "failed", func(p apiclient.PSA) bool { return p.State == apiclient.EffectStateFailed })
	require.Contains(t, *p.LastError, "credentials")
	require.Nil(t, p.NextAttemptAt)
	require.Equal(t, "broken", b.connectionState(base))
	eventually(t, "operators find it", func() bool {
		desc, err := b.temporal.DescribeWorkflowExecution(t.Context(), workflows.TicketWorkflowID(h.AccountID, strconv.FormatInt(ticket, 10)), "")
		return err == nil && strings.Contains(desc.GetWorkflowExecutionInfo().GetSearchAttributes().String(), "failed")
	})
	b.ask(base, b.ana, h, "claim", nil)
	retry := handoffURL(base, h) + "/psa/retry"
	status, _ := b.call(b.ben, http.MethodPost, retry, nil)
	require.Equal(t, http.StatusForbidden, status, "neither holder nor sender")
	status, _ = b.call(b.eve, http.MethodPost, retry, nil)
	require.Equal(t, http.StatusNotFound, status)

	b.connectTo(base, b.ada, d)
	status, body := b.call(b.ana, http.MethodPost, retry, nil)
	require.Equal(t, http.StatusAccepted, status, "%v", body)
	b.told(base, h, 2)
	require.Equal(t, []string{mark(h, psa.StepEscalated, 1), mark(h, psa.StepClaimed, 1)}, d.marks(ticket))
	require.Equal(t, "ok", b.connectionState(base))
	status, _ = b.call(b.ada, http.MethodPost, retry, nil)
	require.Equal(t, http.StatusConflict, status, "nothing has failed")
}

// TestARetryIsShownAtOnce: what is asked for is under way, whoever looks, until
// the attempt ends; and asking again is no mistake.
func TestARetryIsShownAtOnce(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	base, d := b.connectPSA()
	stop := b.worker()
	d.RotateCredentials()
	ticket := d.Desk().AddTicket("t").ID
	h := b.ticketed(base, ticket)
	failed := func(p apiclient.PSA) bool { return p.State == apiclient.EffectStateFailed }
	b.awaitPSA(base, h, "failed", failed)

	stop() // so that the attempt cannot end
	pending := `SELECT count(*) FROM feed_events WHERE handoff_id = $1 AND type = 'handoff_updated'
		AND data -> 'effect' ->> 'kind' = 'psa' AND data -> 'effect' ->> 'state' = 'pending'`
	before := b.sql(pending, h.ID)
	retry := func() {
		t.Helper()
		status, answer := b.call(b.sam, http.MethodPost, handoffURL(base, h)+"/psa/retry", nil)
		require.Equal(t, http.StatusAccepted, status, "%v", answer)
		require.Equal(t, "pending", answer["psa"].(map[string]any)["state"], "%v", answer)
		p := b.psaOf(base, h)
		require.Equal(t, apiclient.EffectStatePending, p.State)
		require.Nil(t, p.Reason)
	}
	retry()
	require.Equal(t, before+1, b.sql(pending, h.ID), "the feed tells of it")
	retry()
	require.Equal(t, before+1, b.sql(pending, h.ID), "once")
	stop = b.worker()
	b.awaitPSA(base, h, "failed again", failed)

	// An operator ends what was to make the attempt: it can be asked for anew.
	stop()
	retry()
	require.NoError(t, b.temporal.TerminateWorkflow(t.Context(), workflows.TicketWorkflowID(h.AccountID, strconv.FormatInt(ticket, 10)), "", "a test"))
	require.Equal(t, apiclient.EffectStatePending, b.psaOf(base, h).State)
	b.worker()
	b.connectTo(base, b.ada, d)
	retry()
	b.told(base, h, 1)
}

// TestAnEngineerWhomThePSADoesNotKnow: the note is there, the owner is not, and
// the next step is told all the same.
func TestAnEngineerWhomThePSADoesNotKnow(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	base, d := b.connectPSA()
	b.worker()
	ticket := d.Desk().AddTicket("t").ID
	h := b.ticketed(base, ticket)
	b.ask(base, b.ada, h, "claim", nil)
	p := b.awaitPSA(base, h, "failed", func(p apiclient.PSA) bool { return p.State == apiclient.EffectStateFailed })
	require.Contains(t, *p.Reason, "knows no active engineer")
	require.Contains(t, *p.Reason, "Give both the same e-mail address", "with its cure")
	b.ask(base, b.ada, h, "resolve", nil)
	b.told(base, h, 3)
	require.Equal(t, []string{mark(h, psa.StepEscalated, 1), mark(h, psa.StepClaimed, 1), mark(h, psa.StepResolved, 1)}, d.marks(ticket))
	require.Equal(t, "Completed", d.Desk().StatusName(ticket))
}

// TestAStalledPSAHoldsNobodyUp: with more tickets of one account stalled than
// may be told at once, decisions go on, and so do other accounts' tickets.
func TestAStalledPSAHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	b.extra = []string{"BATON_WORKER_ACTIVITIES=6"}
	base, d := b.connectPSA()
	other := newOffice(t, psa.KindConnectWise)
	b.connectTo(base, b.user(b.eve.AccountID, "Mallory", models.RoleOwner), other)
	b.worker()
	d.Desk().Faults().Set(psatest.Fault{Kind: psatest.FaultStall})
	var stalled []*apiclient.Handoff
	for range 8 {
		stalled = append(stalled, b.ticketed(base, d.Desk().AddTicket("t").ID))
	}
	for _, h := range stalled {
		b.ask(base, b.ana, h, "claim", nil)
	}
	theirs := other.Desk().AddTicket("t").ID
	number := strconv.FormatInt(theirs, 10)
	s, err := b.as(b.eve, base).CreateSession(t.Context(), uuid.NewString(), apiclient.NewSession{Title: "t", ClientName: "c", PSATicket: &number})
	require.NoError(t, err)
	h, err := b.as(b.eve, base).HandOff(t.Context(), uuid.NewString(), s.ID, escalation())
	require.NoError(t, err)
	eventually(t, "the other account's ticket is told", func() bool { return len(other.marks(theirs)) == 1 })
	require.Equal(t, []string{mark(h, psa.StepEscalated, 1)}, other.marks(theirs))
	require.LessOrEqual(t, d.Desk().MostAtOnce(), 3)
	d.Desk().Faults().Clear()
}

// TestUnclearOutcomesAreToldOnce: the PSA commits and nobody hears of it.
func TestUnclearOutcomesAreToldOnce(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	base, d := b.connectPSA()
	b.worker()
	ticket := d.Desk().AddTicket("t").ID
	d.Desk().Faults().Next(
		psatest.Fault{Kind: psatest.FaultCommitThenDrop, On: []psatest.Op{psatest.OpAddNote}},
		psatest.Fault{Kind: psatest.FaultCommitThenDrop, On: []psatest.Op{psatest.OpUpdate}},
		psatest.Fault{Kind: psatest.FaultCommitThenFail, On: []psatest.Op{psatest.OpAddNote}},
	)
	h := b.ticketed(base, ticket)
	b.ask(base, b.sam, h, "cancel", nil)
	b.told(base, h, 2)
	require.Equal(t, []string{mark(h, psa.StepEscalated, 1), mark(h, psa.StepReleased, 1)}, d.marks(ticket))
}
