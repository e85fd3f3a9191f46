package app_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	apiclient "github.com/baton-handoff/baton/api/client"
	"github.com/baton-handoff/baton/internal/remote"
	"github.com/baton-handoff/baton/models"
	"github.com/baton-handoff/baton/workflows"
)

// TestReturnToSender: the senior asks, the sender adds what was missing and
// answers, and the senior has it back before anybody else.
func TestReturnToSender(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	b.worker()
	replicas := []string{b.api(), b.api()}
	base := replicas[0]
	sam, ana, ben, ada := b.as(b.sam, replicas[1]), b.as(b.ana, base), b.as(b.ben, base), b.as(b.ada, base)
	h := b.handOff(base)

	_, err := ana.Return(t.Context(), h.SessionID, h.ID, "Which firmware?")
	requireRefusal(t, err, http.StatusConflict, models.CodeConflict)
	_, err = ana.Claim(t.Context(), h.SessionID, h.ID)
	require.NoError(t, err)
	_, err = ben.Return(t.Context(), h.SessionID, h.ID, "Which firmware?")
	requireRefusal(t, err, http.StatusForbidden, models.CodeForbidden)
	_, err = sam.Answer(t.Context(), h.SessionID, h.ID, "To what?")
	requireRefusal(t, err, http.StatusConflict, models.CodeConflict)

	asked, err := ana.Return(t.Context(), h.SessionID, h.ID, "Which firmware did it have?")
	require.NoError(t, err)
	require.Equal(t, apiclient.StatusReturned, asked.Status)
	require.Equal(t, 1, asked.Generation)
	require.Nil(t, asked.ClaimedBy)
	require.Equal(t, "Ana", *asked.TargetUserName)
	require.Equal(t, "Which firmware did it have?", *asked.Questions)
	for _, who := range []*remote.Client{ana, ben} {
		_, err = who.Claim(t.Context(), h.SessionID, h.ID)
		requireRefusal(t, err, http.StatusConflict, models.CodeConflict)
	}
	require.Equal(t, []uuid.UUID{h.ID}, b.mine(sam, apiclient.OpenStatusReturned), "it waits for their answer")
	require.Equal(t, []uuid.UUID{h.ID}, b.mine(ana, apiclient.OpenStatusReturned))
	require.Empty(t, b.mine(ben, apiclient.OpenStatusReturned))
	steps := []apiclient.NewStep{{ID: uuid.New(), At: time.Now(), Actor: "engineer", Kind: "note", Text: "It is 7.2.4."}}
	require.NoError(t, sam.AppendSteps(t.Context(), h.SessionID, steps), "the session is the sender's again")
	_, err = sam.HandOff(t.Context(), uuid.NewString(), h.SessionID, escalation())
	requireRefusal(t, err, http.StatusConflict, models.CodeAlreadyHandedOff)

	_, err = ben.Answer(t.Context(), h.SessionID, h.ID, "42")
	requireRefusal(t, err, http.StatusForbidden, models.CodeForbidden)
	answered, err := sam.Answer(t.Context(), h.SessionID, h.ID, "7.2.4; see my last step.")
	require.NoError(t, err)
	require.Equal(t, apiclient.StatusQueued, answered.Status)
	require.Equal(t, 2, answered.Generation)
	require.Equal(t, "7.2.4; see my last step.", *answered.Answer)
	require.Equal(t, "Ana", *answered.TargetUserName)
	require.Equal(t, answered.UpdatedAt.Add(models.ReservedFor), *answered.ReservedUntil)

	status, body := b.call(b.ben, http.MethodPost, claimURL(replicas[1], h), nil)
	require.Equal(t, http.StatusConflict, status)
	require.Equal(t, "reserved", body["code"])
	detail, ok := body["detail"].(map[string]any)
	require.True(t, ok, "%v", body)
	require.Equal(t, b.ana.ID.String(), detail["reserved_for_id"])
	require.Equal(t, "Ana", detail["reserved_for_name"])
	require.Equal(t, answered.ReservedUntil.Format(time.RFC3339Nano), detail["reserved_until"])
	_, err = ada.Claim(t.Context(), h.SessionID, h.ID)
	require.Equal(t, "Ana", requireRefusal(t, err, http.StatusConflict, models.CodeReserved).ReservedFor)

	won, err := ana.Claim(t.Context(), h.SessionID, h.ID)
	require.NoError(t, err)
	require.Nil(t, won.ReservedUntil)
	require.Equal(t, "7.2.4; see my last step.", *won.Answer, "the claimer reads what was asked and answered")
	_, err = ana.Resolve(t.Context(), h.SessionID, h.ID, "Downgraded.")
	require.NoError(t, err)
	require.NoError(t, b.temporal.GetWorkflow(t.Context(), workflows.WorkflowID(h.AccountID, h.SessionID), "").Get(t.Context(), nil))
	for _, e := range b.history(h) {
		require.NotContains(t, e.String(), "firmware", "no free text travels through Temporal")
		require.NotContains(t, e.String(), "7.2.4")
	}
	require.Equal(t, 1, b.sql(`SELECT count(*) FROM feed_events WHERE handoff_id = $1 AND type = 'handoff_returned'`, h.ID))
	require.Equal(t, 1, b.sql(`SELECT count(*) FROM feed_events WHERE handoff_id = $1 AND type = 'handoff_answered'`, h.ID))
	require.Zero(t, b.sql(`SELECT count(*) FROM transition_inputs WHERE handoff_id = $1 AND request_id NOT IN
		(SELECT request_id FROM handoff_transitions WHERE handoff_id = $1)`, h.ID), "the texts of refused requests are forgotten")
}

// TestThePolicySaysForHowLongItIsReserved: the account's of the day on which it
// was handed off, and whoever asked is called alone for as long.
func TestThePolicySaysForHowLongItIsReserved(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	b.worker()
	base := b.api()
	b.rules(base, map[string]any{"steps": quickSteps(), "reserve_seconds": 7200})
	h := b.handOff(base)
	b.rules(base, map[string]any{"steps": quickSteps(), "reserve_seconds": 0})
	open := b.handOff(base)
	for _, h := range []*apiclient.Handoff{h, open} {
		b.ask(base, b.ana, h, "claim", nil)
		b.ask(base, b.ana, h, "return", map[string]any{"questions": "Which firmware?"})
		b.ask(base, b.sam, h, "answer", map[string]any{"answer": "7.2.4"})
	}
	answered, err := b.as(b.ana, base).Handoff(t.Context(), h.SessionID, h.ID)
	require.NoError(t, err)
	require.Equal(t, answered.UpdatedAt.Add(2*time.Hour), *answered.ReservedUntil)
	_, err = b.as(b.ben, base).Claim(t.Context(), h.SessionID, h.ID)
	requireRefusal(t, err, http.StatusConflict, models.CodeReserved)
	b.awaitLadder(base, h, "kept for who asked, then the others are called", func(doc map[string]any) bool {
		return doc["state"] == "calling" && doc["next_at"] == answered.ReservedUntil.UTC().Format(time.RFC3339Nano)
	})
	require.Equal(t, "ladder/4/answered answered", b.announced(h)[len(b.announced(h))-1])

	// Without a reservation it still goes to who asked first, but locks nobody out.
	_, err = b.as(b.ben, base).Claim(t.Context(), open.SessionID, open.ID)
	require.NoError(t, err)
}

// mine lists what a user's own queue shows in a state.
func (b *baton) mine(c *remote.Client, status apiclient.OpenStatus) (ids []uuid.UUID) {
	b.t.Helper()
	yes := true
	require.NoError(b.t, c.Queue(b.t.Context(), apiclient.ListQueueParams{Mine: &yes, Status: &status}, func(h apiclient.Handoff) bool {
		ids = append(ids, h.ID)
		return true
	}))
	return ids
}

// TestNobodyHasToAnswer: what was returned does not depend on a sender who is
// away, and a reservation not on a senior who is.
func TestNobodyHasToAnswer(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	b.worker()
	base := b.api()
	returned := func() *apiclient.Handoff {
		h := b.handOff(base)
		b.ask(base, b.ana, h, "claim", nil)
		b.ask(base, b.ana, h, "return", map[string]any{"questions": "Which firmware?"})
		return h
	}
	read := func(h *apiclient.Handoff) *apiclient.Handoff {
		got, err := b.as(b.ben, base).Handoff(t.Context(), h.SessionID, h.ID)
		require.NoError(t, err)
		return got
	}
	h := returned()
	b.ask(base, b.ana, h, "release", nil)
	require.Equal(t, apiclient.StatusQueued, read(h).Status)
	require.Nil(t, read(h).ReservedUntil)
	b.ask(base, b.ben, h, "claim", nil)

	h = returned()
	b.ask(base, b.ada, h, "reassign", map[string]any{"target_user_id": b.ben.ID})
	require.Equal(t, "Ben", *read(h).TargetUserName)

	h = returned()
	b.ask(base, b.ana, h, "resolve", map[string]any{"resolution": "It went away."})
	require.Equal(t, "Ana", *read(h).ClaimedByName)

	h = returned()
	b.ask(base, b.sam, h, "cancel", nil)
	require.Equal(t, apiclient.StatusCancelled, read(h).Status)

	h = returned()
	b.ask(base, b.ada, h, "answer", map[string]any{"answer": "7.2.4, says Sam."})
	b.ask(base, b.ada, h, "reassign", map[string]any{"target_user_id": b.ben.ID})
	require.Nil(t, read(h).ReservedUntil, "an admin who cannot wait passes it on")
	b.ask(base, b.ben, h, "claim", nil)
}

// TestAReturnIsAskedOnce: a repeated request is answered alike, one with
// another text is not.
func TestAReturnIsAskedOnce(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	b.worker()
	base := b.api()
	h := b.handOff(base)
	b.ask(base, b.ana, h, "claim", nil)
	ask := func(text string) (int, map[string]any) {
		return b.call(b.ana, http.MethodPost, handoffURL(base, h)+"/return", map[string]any{"questions": text}, "Idempotency-Key", "k")
	}
	for range 3 {
		status, body := ask("Which firmware?")
		require.Equal(t, http.StatusOK, status, "%v", body)
		require.EqualValues(t, 3, body["version"])
	}
	status, body := ask("Which cable?")
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Equal(t, "idempotency_mismatch", body["code"])
	b.ask(base, b.sam, h, "answer", map[string]any{"answer": "7.2.4"})
	status, body = ask("Which firmware?")
	require.Equal(t, http.StatusOK, status, "%v", body)
	require.EqualValues(t, 4, body["version"], "it was done, and this is where it stands by now")
}

// TestTheTicketIsToldOfQuestions: once each, in their order, without what
// nobody should read.
func TestTheTicketIsToldOfQuestions(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	base, d := b.connectPSA()
	b.worker()
	ticket := d.Desk().AddTicket("t").ID
	h := b.ticketed(base, ticket)
	b.ask(base, b.ana, h, "claim", nil)
	b.ask(base, b.ana, h, "return", map[string]any{"questions": "Which firmware? I tried password: Sommer-2026!x"})
	b.ask(base, b.sam, h, "answer", map[string]any{"answer": "7.2.4"})
	b.ask(base, b.ana, h, "claim", nil)
	b.ask(base, b.ana, h, "resolve", nil)
	b.told(base, h, 6)
	seen, _ := d.Desk().Ticket(ticket)
	require.Len(t, seen.Notes, 6)
	for i, says := range []string{"Escalated", "Claimed by Ana", "Which firmware?", "7.2.4", "Claimed by Ana", "Resolved by Ana"} {
		require.Contains(t, seen.Notes[i].Text, says)
	}
	require.Contains(t, seen.Notes[2].Text, "Returned by Ana with questions")
	require.Contains(t, seen.Notes[3].Text, "reserved for Ana until")
	for _, n := range seen.Notes {
		require.NotContains(t, n.Text, "Sommer-2026", "a credential is in the ticket")
	}
}
