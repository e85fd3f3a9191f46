package store_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/models"
)

func deliveryTo(snap models.Snapshot, to models.Principal, channel string) models.Delivery {
	last := snap.Last()
	return models.Delivery{
		ID: uuid.New(), HandoffID: snap.HandoffID, SessionID: snap.SessionID, Generation: last.Generation, Version: last.Version,
		Step: "ladder/1/0", Kind: "escalated", Because: "team", Recipient: to.UserID.String(), UserID: &to.UserID, Channel: channel,
		Priority: models.PriorityHigh, State: models.DeliveryPending, Next: "the whole team is told",
	}
}

// counts are those of the newest event that tells of notifications.
func (w *world) counts(t *testing.T, by models.Principal) (n int, last map[models.DeliveryState]int) {
	t.Helper()
	for _, e := range w.events(t, by.AccountID) {
		var data models.EventData
		require.NoError(t, json.Unmarshal(e.Data, &data))
		if data.Notifications != nil {
			n, last = n+1, data.Notifications
		}
	}
	return n, last
}

func TestADeliveryFromAnnouncementToReceipt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, there := as(t, w.sam), as(t, w.eve)
	snap := w.queued(t, w.sam, models.PriorityHigh, nil)
	rows := []models.Delivery{deliveryTo(snap, w.ana, "email"), deliveryTo(snap, w.ben, "slack"), deliveryTo(snap, w.ben, "email")}

	// Announced by several at once, each is kept once, and the feed is told once.
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			open, err := w.Announce(ctx, snap.HandoffID, rows)
			if err != nil || len(open) != 3 {
				t.Errorf("%d are open: %v", len(open), err)
			}
		})
	}
	wg.Wait()
	n, last := w.counts(t, w.sam)
	require.Equal(t, 1, n)
	require.Equal(t, map[models.DeliveryState]int{models.DeliveryPending: 3}, last)
	_, err := w.Announce(there, snap.HandoffID, rows)
	require.Equal(t, models.CodeNotFound, models.CodeOf(err), "another account's")

	ben := w.ben.UserID.String()
	mine, _, outdated, err := w.RecipientDeliveries(ctx, ben, time.Now().Add(-time.Hour))
	require.NoError(t, err)
	require.Len(t, mine, 2)
	require.Empty(t, outdated)
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	bundle := uuid.New()
	require.NoError(t, w.PlanDeliveries(ctx, models.DeliveryPlan{
		Hold: []models.Hold{{ID: rows[2].ID, Until: until, Reason: "Held back."}}, Release: []uuid.UUID{rows[1].ID},
	}))
	held, err := w.Delivery(ctx, rows[2].ID)
	require.NoError(t, err)
	require.Equal(t, models.DeliveryHeld, held.State)
	require.True(t, held.HeldUntil.Equal(until))
	require.NoError(t, w.PlanDeliveries(ctx, models.DeliveryPlan{Bundles: map[uuid.UUID][]uuid.UUID{bundle: {rows[1].ID, rows[2].ID}}}))
	together, err := w.BundledDeliveries(ctx, bundle, ben)
	require.NoError(t, err)
	require.Len(t, together, 1, "what was let go goes its own way")
	require.Nil(t, together[0].HeldUntil)

	// An attempt whose outcome is not known is remembered, one that failed for sure is not.
	slack := []uuid.UUID{rows[1].ID}
	begin := func(wantMaybe bool, wantAttempts int) {
		t.Helper()
		maybe, open, attempts, err := w.BeginDeliveries(ctx, slack)
		require.NoError(t, err)
		require.True(t, open)
		require.Equal(t, wantMaybe, maybe)
		require.Equal(t, wantAttempts, attempts)
	}
	begin(false, 1)
	begin(true, 2) // its worker died
	require.NoError(t, w.EndDeliveries(ctx, slack, models.DeliveryEnd{State: models.DeliveryRetrying, Reason: new("Unclear."), NextAttemptAt: &until, Unclear: true}))
	begin(true, 3)
	require.NoError(t, w.EndDeliveries(ctx, slack, models.DeliveryEnd{State: models.DeliveryRetrying, Reason: new("Away."), NextAttemptAt: &until}))
	begin(false, 4)
	n, _ = w.counts(t, w.sam)
	require.Equal(t, 1, n, "the feed is not told of each attempt")
	require.NoError(t, w.EndDeliveries(ctx, slack, models.DeliveryEnd{State: models.DeliveryDone, ProviderID: new("17.1"), ProviderWhere: new("D1")}))
	require.NoError(t, w.EndDeliveries(ctx, slack, models.DeliveryEnd{State: models.DeliveryFailed, Reason: new("Late.")}))
	done, err := w.Delivery(ctx, rows[1].ID)
	require.NoError(t, err)
	require.Equal(t, models.DeliveryDone, done.State, "what is done stays done")
	require.Equal(t, "17.1", *done.ProviderID)
	_, open, _, err := w.BeginDeliveries(ctx, slack)
	require.NoError(t, err)
	require.False(t, open)

	require.NoError(t, w.EndDeliveries(ctx, []uuid.UUID{rows[2].ID}, models.DeliveryEnd{State: models.DeliveryFailed, Reason: new("No such mailbox.")}))
	_, last = w.counts(t, w.sam)
	require.Equal(t, map[models.DeliveryState]int{models.DeliveryPending: 1, models.DeliveryDone: 1, models.DeliveryFailed: 1}, last)
	require.NoError(t, w.EndDeliveries(ctx, []uuid.UUID{rows[0].ID}, models.DeliveryEnd{State: models.DeliverySkipped, Reason: new("Claimed.")}))
	_, last = w.counts(t, w.sam)
	require.Equal(t, map[models.DeliveryState]int{models.DeliverySkipped: 1, models.DeliveryDone: 1, models.DeliveryFailed: 1}, last)
	view, err := w.Handoff(ctx, snap.SessionID, snap.HandoffID)
	require.NoError(t, err)
	require.Equal(t, last, view.Notifications)

	// By hand.
	_, err = w.ReopenDelivery(ctx, uuid.New(), rows[2].ID)
	require.Equal(t, models.CodeNotFound, models.CodeOf(err), "of another handoff")
	_, err = w.ReopenDelivery(ctx, snap.HandoffID, rows[1].ID)
	require.Equal(t, models.CodeConflict, models.CodeOf(err))
	for range 2 {
		again, err := w.ReopenDelivery(ctx, snap.HandoffID, rows[2].ID)
		require.NoError(t, err)
		require.Equal(t, models.DeliveryPending, again.State)
		require.Nil(t, again.BundleID)
		require.Nil(t, again.ReleasedAt)
	}

	// Once the handoff is claimed, its message in Slack is out of date.
	recipients, err := w.OutdatedRecipients(ctx, snap.HandoffID)
	require.NoError(t, err)
	require.Equal(t, []string{ben}, recipients)
	require.NoError(t, w.project(ctx, extend(t, snap, models.VerbClaim, w.ana, nil, "claim:1")))
	_, _, outdated, err = w.RecipientDeliveries(ctx, ben, time.Now().Add(-time.Hour))
	require.NoError(t, err)
	require.Equal(t, slack, outdated)
	require.NoError(t, w.ShowDelivery(ctx, rows[1].ID, 2))
	_, _, outdated, err = w.RecipientDeliveries(ctx, ben, time.Now().Add(-time.Hour))
	require.NoError(t, err)
	require.Empty(t, outdated)

	list, err := w.Deliveries(ctx, snap.SessionID, snap.HandoffID)
	require.NoError(t, err)
	require.Len(t, list, 3)
	_, err = w.Deliveries(there, snap.SessionID, snap.HandoffID)
	require.Equal(t, models.CodeNotFound, models.CodeOf(err))
	counts, err := w.DeliveryCounts(ctx, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.Len(t, counts, 3)
	none, err := w.DeliveryCounts(there, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.Empty(t, none)
	stale, err := w.StaleRecipients(t.Context(), time.Now().Add(time.Minute), 10)
	require.NoError(t, err)
	require.Len(t, stale, 1)
	require.Equal(t, ben, stale[0].Recipient)
}

func TestPeopleAndHowTheyAreTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := as(t, w.sam)
	_, found, err := w.NotificationSettings(ctx, w.ana.UserID)
	require.NoError(t, err)
	require.False(t, found)
	want := models.NotificationSettings{
		Channels: []string{"slack"}, Priorities: map[string][]string{"low": {}}, Quiet: &models.QuietHours{From: 1320, To: 420}, Zone: "Europe/Berlin",
	}
	for range 2 {
		require.NoError(t, w.SaveNotificationSettings(ctx, w.ana.UserID, want))
	}
	got, found, err := w.NotificationSettings(ctx, w.ana.UserID)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, want, got)
	require.Error(t, w.SaveNotificationSettings(ctx, w.eve.UserID, want), "a person of another account")

	_, err = w.ChangeUser(ctx, models.Operator(w.ana.AccountID), w.ben.UserID, models.UserChange{Disabled: new(true)})
	require.NoError(t, err)
	people, err := w.Addressees(ctx)
	require.NoError(t, err)
	require.Len(t, people, 4, "Ben has left, and Eve is elsewhere")
	for _, p := range people {
		if p.ID == w.ana.UserID {
			require.Equal(t, want, *p.Settings)
		} else {
			require.Nil(t, p.Settings)
		}
	}
}

// TestTheLastAnswersOfAChannel: of each notification the last one, also after an
// attempt that got none, and nothing of another channel or account.
func TestTheLastAnswersOfAChannel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, there := as(t, w.ada), as(t, w.eve)
	hook := models.Endpoint{ID: uuid.New(), Kind: "webhook", Name: "Board", Options: json.RawMessage(`{}`), Sealed: []byte("s"), KeyID: "k", CredentialsSet: map[string]time.Time{}, UpdatedBy: w.ada.UserID}
	_, err := w.SaveEndpoint(ctx, w.ada, hook, 0, nil)
	require.NoError(t, err)
	snap := w.queued(t, w.sam, models.PriorityHigh, nil)
	var ids []uuid.UUID
	for i := range 3 {
		d := deliveryTo(snap, w.ana, "webhook")
		d.UserID, d.EndpointID, d.Recipient, d.Step = nil, &hook.ID, hook.ID.String(), fmt.Sprint("ladder/1/", i)
		_, err := w.Announce(ctx, snap.HandoffID, []models.Delivery{d, deliveryTo(snap, w.ben, "email")})
		require.NoError(t, err)
		ids = append(ids, d.ID)
	}
	end := func(id uuid.UUID, end models.DeliveryEnd) {
		t.Helper()
		_, open, _, err := w.BeginDeliveries(ctx, []uuid.UUID{id})
		require.NoError(t, err)
		require.True(t, open)
		require.NoError(t, w.EndDeliveries(ctx, []uuid.UUID{id}, end))
	}
	end(ids[0], models.DeliveryEnd{State: models.DeliveryRetrying, Reason: new("In trouble."), Answer: 503})
	end(ids[0], models.DeliveryEnd{State: models.DeliveryRetrying, Reason: new("No answer.")})
	end(ids[1], models.DeliveryEnd{State: models.DeliveryRetrying, Reason: new("In trouble."), Answer: 500})
	end(ids[1], models.DeliveryEnd{State: models.DeliveryDone, Answer: 204, ProviderID: new("msg_1")})

	last, err := w.ChannelDeliveries(ctx, hook.ID, 10)
	require.NoError(t, err)
	require.Len(t, last, 3)
	require.Equal(t, ids[2], last[0].ID, "the newest first")
	require.Nil(t, last[0].Answer)
	require.Equal(t, 204, *last[1].Answer)
	require.Equal(t, 503, *last[2].Answer, "an attempt without an answer changes nothing")
	require.True(t, last[2].AnsweredAt.Before(last[2].UpdatedAt))
	last, err = w.ChannelDeliveries(ctx, hook.ID, 2)
	require.NoError(t, err)
	require.Len(t, last, 2)
	last, err = w.ChannelDeliveries(there, hook.ID, 10)
	require.NoError(t, err)
	require.Empty(t, last)
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, there := as(t, w.ada), as(t, w.eve)
	e := models.Endpoint{
		ID: uuid.New(), Kind: "slack", Name: "Slack", Options: json.RawMessage(`{"direct":true}`), Sealed: []byte("sealed"), KeyID: "k1",
		CredentialsSet: map[string]time.Time{"token": time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}, Workspace: new("T1"), UpdatedBy: w.ada.UserID,
	}
	stored, err := w.SaveEndpoint(ctx, w.sam, e, 0, nil)
	require.NoError(t, err)
	require.EqualValues(t, 1, stored.Version)
	require.Equal(t, e.CredentialsSet, stored.CredentialsSet)
	twin := e
	twin.ID, twin.Name = uuid.New(), "SLACK"
	_, err = w.SaveEndpoint(ctx, w.sam, twin, 0, nil)
	require.Equal(t, models.CodeConflict, models.CodeOf(err), "a name twice")
	require.ErrorContains(t, err, "name")
	mine := e
	mine.UpdatedBy = w.eve.UserID
	mine.ID = uuid.New()
	_, err = w.SaveEndpoint(there, w.eve, mine, 0, nil)
	require.NoError(t, err, "another account may have the same workspace")
	both, err := w.WorkspaceEndpoints(t.Context(), "T1")
	require.NoError(t, err)
	require.Len(t, both, 2)

	changed, err := w.NoteEndpoint(ctx, e.ID, models.EndpointDisabled, "It is gone.", "")
	require.NoError(t, err)
	require.True(t, changed)
	changed, err = w.NoteEndpoint(ctx, e.ID, models.EndpointOK, "", "")
	require.NoError(t, err)
	require.False(t, changed, "what is disabled stays so")
	stored, err = w.SaveEndpoint(ctx, w.sam, e, 1, nil)
	require.NoError(t, err)
	require.Equal(t, models.EndpointUnknown, stored.State)
	_, err = w.SaveEndpoint(ctx, w.sam, e, 1, nil)
	require.Equal(t, models.CodeConflict, models.CodeOf(err), "somebody was faster")

	old, err := w.EndpointsNotSealedWith(t.Context(), "k2", uuid.Nil, 10)
	require.NoError(t, err)
	require.Len(t, old, 2)
	done, err := w.ResealEndpoint(t.Context(), stored, "k2", []byte("anew"))
	require.NoError(t, err)
	require.True(t, done)
	done, err = w.ResealEndpoint(t.Context(), stored, "k3", []byte("late"))
	require.NoError(t, err)
	require.False(t, done)

	list, err := w.Endpoints(ctx)
	require.NoError(t, err)
	require.Len(t, list, 1)
	_, err = w.Endpoint(there, e.ID)
	require.Equal(t, models.CodeNotFound, models.CodeOf(err))
	require.Equal(t, models.CodeNotFound, models.CodeOf(w.DeleteEndpoint(there, w.eve, e.ID)))
	require.NoError(t, w.DeleteEndpoint(ctx, w.sam, e.ID))
	session, err := w.SessionOf(ctx, uuid.New())
	require.Equal(t, models.CodeNotFound, models.CodeOf(err))
	require.Zero(t, session)
}
