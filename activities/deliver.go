package activities

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/temporal"

	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

const (
	// DeliverTimeout bounds one attempt to tell somebody.
	DeliverTimeout = 45 * time.Second
	// DeliverHeartbeat is how often a running attempt says that it is alive.
	DeliverHeartbeat = 2 * time.Second
	// deliveriesAtOnce is how many attempts of one account a worker runs at once.
	deliveriesAtOnce = 10
	// linkLife is how long a link in a message claims.
	linkLife = 24 * time.Hour
)

// PlanInput names the recipient whose notifications are looked at, and when.
type PlanInput struct {
	AccountID uuid.UUID `json:"account_id"`
	Recipient string    `json:"recipient"`
	Now       time.Time `json:"now"`
}

// Sending is a message to send: a delivery, or a bundle of several.
type Sending struct {
	ID     uuid.UUID `json:"id"`
	Bundle bool      `json:"bundle,omitempty"`
}

// Planned is what a recipient's workflow has to do.
type Planned struct {
	Send []Sending `json:"send,omitempty"`
	// Update are messages to be changed, because their handoff has moved on.
	Update []uuid.UUID `json:"update,omitempty"`
	// Wake is when to look again; zero when nothing is held back.
	Wake time.Time `json:"wake,omitzero"`
}

// PlanDeliveries decides which of a recipient's notifications are sent now,
// which are held back until when, and which go together, and shows it.
func (a *Activities) PlanDeliveries(ctx context.Context, in PlanInput) (Planned, error) {
	ctx = tenant.With(ctx, in.AccountID)
	if a.notifying.Records == nil {
		return Planned{}, nil
	}
	p := &planner{now: in.Now, limits: a.notifying.Limits.withDefaults(), newID: uuid.New}
	rows, settings, outdated, err := a.notifying.Records.RecipientDeliveries(ctx, in.Recipient, in.Now.Add(-p.limits.Window))
	if err != nil {
		return Planned{}, lasting(err)
	}
	p.quiet, _ = settings.QuietUntil(in.Now)
	p.decide(rows)
	if err := a.notifying.Records.PlanDeliveries(ctx, p.plan); err != nil {
		return Planned{}, lasting(err)
	}
	return Planned{Send: p.sendings(rows), Update: outdated, Wake: p.wake}, nil
}

// lasting is an error that is retried whatever its code: nobody else would do
// the work.
func lasting(err error) error {
	return temporal.NewApplicationError(reasonOf(err), string(models.CodeOf(err)))
}

// DeliverInput names what is sent to whom.
type DeliverInput struct {
	AccountID uuid.UUID `json:"account_id"`
	Recipient string    `json:"recipient"`
	Sending
}

// Delivered is how sending ended, when it ended for good. Passing trouble is an
// error.
type Delivered struct {
	State  models.DeliveryState `json:"state"`
	Reason string               `json:"reason,omitempty"`
}

// Deliver tells a recipient of one handoff, or of several at once. It first
// looks whether that is still true. Passing trouble is shown and retried
// without end; trouble that no retry mends is shown with its cure and returned
// as failed.
func (a *Activities) Deliver(ctx context.Context, in DeliverInput) (Delivered, error) {
	ctx = tenant.With(ctx, in.AccountID)
	release, ok := a.telling.acquire(in.AccountID, deliveriesAtOnce)
	if !ok {
		return Delivered{}, busy(ctx, "Other notifications of the account have their turn first.")
	}
	defer release()
	d := &delivering{Activities: a, in: in}
	work, cancel := context.WithTimeout(ctx, DeliverTimeout)
	defer cancel()
	defer keepAlive(ctx, DeliverHeartbeat, func() { d.stopped.Store(true); cancel() })()
	receipt, err := d.attempt(work)
	return d.over(ctx, receipt, err)
}

// delivering is one attempt.
type delivering struct {
	*Activities
	in   DeliverInput
	rows []models.Delivery
	user *models.User
	// begun is set once somebody may be told; maybe says that an attempt before
	// may have told them.
	begun, maybe bool
	attempts     int
	stopped      atomic.Bool
}

func (d *delivering) ids() []uuid.UUID {
	ids := make([]uuid.UUID, len(d.rows))
	for i, r := range d.rows {
		ids[i] = r.ID
	}
	return ids
}

// attempt sends the message, unless nothing of it is true any more; then rows
// is empty.
func (d *delivering) attempt(ctx context.Context) (r notify.Receipt, err error) {
	if err := d.read(ctx); err != nil || len(d.rows) == 0 {
		return r, err
	}
	if err := d.leaveOut(ctx); err != nil || len(d.rows) == 0 {
		return r, err
	}
	channel, address, err := d.notifying.Channels.Open(ctx, d.rows[0], d.user)
	if err != nil {
		return r, err
	}
	m, err := d.message(ctx)
	if err != nil {
		return r, err
	}
	m.To.Address = address
	open := false
	if d.maybe, open, d.attempts, err = d.notifying.Records.BeginDeliveries(ctx, d.ids()); err != nil {
		return r, err
	}
	if !open {
		d.rows = nil
		return r, nil
	}
	d.begun = true
	// Once more, because all of this took a while.
	if err := d.leaveOut(ctx); err != nil || len(d.rows) == 0 {
		d.begun = false
		return r, err
	}
	m.MaybeSent = d.maybe
	return channel.Send(ctx, m)
}

func (d *delivering) read(ctx context.Context) (err error) {
	if d.in.Bundle {
		d.rows, err = d.notifying.Records.BundledDeliveries(ctx, d.in.ID, d.in.Recipient)
	} else {
		row, found := d.notifying.Records.Delivery(ctx, d.in.ID)
		if found != nil {
			return found
		}
		if row.Open() {
			d.rows = []models.Delivery{row}
		}
	}
	if err != nil || len(d.rows) == 0 {
		return err
	}
	for _, r := range d.rows {
		d.attempts = max(d.attempts, r.Attempts)
		d.maybe = d.maybe || r.BeganAt != nil
	}
	if id := d.rows[0].UserID; id != nil {
		u, err := d.records.User(ctx, *id)
		if err != nil {
			return err
		}
		d.user = &u
	}
	return nil
}

// leaveOut takes out what is not true any more, or not for this recipient.
func (d *delivering) leaveOut(ctx context.Context) error {
	var keep []models.Delivery
	gone := map[string][]uuid.UUID{}
	for _, r := range d.rows {
		why, err := d.notTrue(ctx, r)
		if err != nil {
			return err
		}
		if why == "" {
			keep = append(keep, r)
			continue
		}
		gone[why] = append(gone[why], r.ID)
	}
	for why, ids := range gone {
		if d.maybe {
			why = "Not sent again, though it is not known whether it was sent: " + strings.TrimPrefix(why, "Not sent: ")
		}
		if err := d.notifying.Records.EndDeliveries(ctx, ids, models.DeliveryEnd{State: models.DeliverySkipped, Reason: &why, Unclear: d.maybe}); err != nil {
			return err
		}
	}
	d.rows = keep
	return nil
}

func (d *delivering) notTrue(ctx context.Context, r models.Delivery) (why string, err error) {
	if d.user != nil && d.user.DisabledAt != nil {
		return "Not sent: the recipient has left.", nil
	}
	h, err := d.records.Handoff(ctx, r.SessionID, r.HandoffID)
	if err != nil {
		return "", err
	}
	if why := moved(r, h.Handoff); why != "" {
		return why, nil
	}
	if d.user != nil && !belongs(Who(r.Because), *d.user, h.Handoff) {
		return "Not sent: it does not concern the recipient any more.", nil
	}
	return "", nil
}

// over records how the attempt ended.
func (d *delivering) over(ctx context.Context, r notify.Receipt, err error) (Delivered, error) {
	if err == nil && len(d.rows) == 0 {
		return Delivered{State: models.DeliverySkipped}, nil
	}
	if ctx.Err() != nil && err != nil {
		return Delivered{}, ctx.Err() // cut short: what was begun stays so
	}
	if err != nil && d.stopped.Load() {
		return Delivered{}, temporal.NewApplicationErrorWithOptions("The worker was stopped.", "stopped", temporal.ApplicationErrorOptions{NextRetryDelay: time.Second})
	}
	endpoint := d.endpoint()
	if err == nil {
		d.report(ctx, endpoint, nil)
		return Delivered{State: models.DeliveryDone}, d.end(ctx, models.DeliveryEnd{State: models.DeliveryDone, Answer: r.Status, ProviderID: &r.ID, ProviderWhere: notEmpty(r.Where)})
	}
	if len(d.rows) == 0 { // it could not even be read
		return Delivered{}, lasting(err)
	}
	if !d.begun {
		d.attempts++
	}
	err = notify.GaveUp(err, d.attempts)
	known, its := errors.AsType[*notify.Error](err)
	if its {
		d.report(ctx, endpoint, err)
	}
	reason := reasonOf(err)
	end := models.DeliveryEnd{State: models.DeliveryFailed, Reason: &reason, Unclear: d.maybe || its && known.Class == notify.ClassUnclear}
	if its {
		end.Answer = known.Status
	}
	log := []any{"account_id", d.in.AccountID, "recipient", d.in.Recipient, "delivery", d.in.ID, "channel", d.rows[0].Channel, "attempt", d.attempts, "error", err}
	if its && !known.Retryable() {
		d.log.ErrorContext(ctx, "somebody could not be told; a person has to mend it", log...)
		return Delivered{State: models.DeliveryFailed, Reason: reason}, d.end(ctx, end)
	}
	delay := retryDelay(d.attempts, err)
	next := time.Now().Add(delay)
	end.State, end.NextAttemptAt = models.DeliveryRetrying, &next
	d.log.WarnContext(ctx, "somebody could not be told yet", log...)
	_ = d.end(ctx, end) // logged; the trouble with the channel is what matters
	return Delivered{}, temporal.NewApplicationErrorWithOptions(reason, string(models.CodeOf(err)), temporal.ApplicationErrorOptions{NextRetryDelay: delay})
}

func (d *delivering) endpoint() *uuid.UUID {
	if len(d.rows) == 0 {
		return nil
	}
	return d.rows[0].EndpointID
}

func (d *delivering) report(ctx context.Context, endpoint *uuid.UUID, err error) {
	if endpoint != nil {
		d.notifying.Channels.Report(ctx, *endpoint, err)
	}
}

// end stores an outcome. It tries hard: an attempt that is repeated because
// nobody knows how it went may tell somebody twice.
func (d *delivering) end(ctx context.Context, e models.DeliveryEnd) (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	for pause := 100 * time.Millisecond; ; pause *= 2 {
		if err = d.notifying.Records.EndDeliveries(ctx, d.ids(), e); err == nil {
			return nil
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			d.log.WarnContext(ctx, "how a notification went could not be recorded", "delivery", d.in.ID, "error", err)
			return lasting(err)
		}
	}
}

// UpdateSent changes a message that was sent, so that it says what became of
// its handoff. What cannot be changed any more stays as it is.
func (a *Activities) UpdateSent(ctx context.Context, in DeliverInput) error {
	ctx, cancel := context.WithTimeout(tenant.With(ctx, in.AccountID), DeliverTimeout)
	defer cancel()
	d := &delivering{Activities: a, in: in}
	row, err := a.notifying.Records.Delivery(ctx, in.ID)
	if err != nil {
		return lasting(err)
	}
	if row.ShownVersion != nil || row.ProviderID == nil {
		return nil
	}
	d.rows = []models.Delivery{row}
	version, err := d.update(ctx)
	if known, ok := errors.AsType[*notify.Error](err); ok && !known.Retryable() {
		a.log.WarnContext(ctx, "a message stays as it was sent", "account_id", in.AccountID, "delivery", in.ID, "error", err)
		err = nil
	}
	if err == nil {
		err = a.notifying.Records.ShowDelivery(ctx, in.ID, version)
	}
	if err != nil {
		return temporal.NewApplicationErrorWithOptions(reasonOf(err), string(models.CodeOf(err)),
			temporal.ApplicationErrorOptions{NextRetryDelay: retryDelay(attempt(ctx), err)})
	}
	return nil
}

func (d *delivering) update(ctx context.Context) (version int, err error) {
	row := d.rows[0]
	if row.UserID != nil {
		u, err := d.records.User(ctx, *row.UserID)
		if err != nil {
			return 0, err
		}
		d.user = &u
	}
	h, err := d.records.Handoff(ctx, row.SessionID, row.HandoffID)
	if err != nil {
		return 0, err
	}
	channel, _, err := d.notifying.Channels.Open(ctx, row, d.user)
	if err != nil {
		return h.Version, err
	}
	updater, ok := channel.(notify.Updater)
	if !ok {
		return h.Version, nil
	}
	m, err := d.message(ctx)
	if err != nil {
		return h.Version, err
	}
	timeline, err := d.records.Timeline(ctx, row.SessionID, row.HandoffID)
	if err != nil || len(timeline) == 0 {
		return h.Version, err
	}
	last := timeline[len(timeline)-1]
	m.Facts.Outcome = notify.Outcome{Verb: last.Verb, By: deref(last.ActorName), At: last.At}
	_, err = updater.Update(ctx, notify.Receipt{ID: *row.ProviderID, Where: deref(row.ProviderWhere)}, m)
	return last.Version, err
}

func notEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
