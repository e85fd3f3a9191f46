package connections

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

const (
	// mostAccounts and mostTickets bound what is waiting to be looked at. Beyond
	// that the PSA is asked to call again.
	mostAccounts = 500
	mostTickets  = 5000
	// lookTime bounds one look at a ticket.
	lookTime = 45 * time.Second
	// mostLooks is how often a ticket is looked at because of one callback while
	// the PSA does not answer. Then it is left to the reconcile.
	mostLooks = 5
	// reconcileAtOnce is how many accounts are compared at once, and
	// reconcileTime bounds each.
	reconcileAtOnce = 8
	reconcileTime   = 2 * time.Minute
)

// TicketRecords is what a [Watcher] needs to know of handoffs.
type TicketRecords interface {
	HandoffsOfTicket(ctx context.Context, names ...string) ([]models.TicketedHandoff, error)
	TicketedHandoffs(ctx context.Context, after uuid.UUID, limit int) ([]models.TicketedHandoff, error)
	ConnectedAccounts(ctx context.Context) ([]uuid.UUID, error)
	NoteTicket(ctx context.Context, t models.HandoffTicket) (changed bool, err error)
}

// Handoffs decides about handoffs.
type Handoffs interface {
	Transition(ctx context.Context, by models.Principal, req models.TransitionRequest) (models.HandoffView, error)
}

// WatcherOptions is what a [Watcher] needs.
type WatcherOptions struct {
	Connections *Connections
	Records     TicketRecords
	Handoffs    Handoffs
	Log         *slog.Logger
	// Wait waits before another look, the attempt-th one; nil waits longer each
	// time, up to half a minute.
	Wait func(ctx context.Context, attempt int) error
}

// Watcher keeps handoffs in step with their tickets: it shows on them what
// people do to the tickets in the PSA, and cancels a queued handoff whose ticket
// they close, where the account wants that. Each account is looked after by a
// goroutine of its own while it has something to look at, so that one PSA's
// outage is no other's.
type Watcher struct {
	o      WatcherOptions
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu sync.Mutex
	// waiting are the tickets to look at, of accounts that are being looked
	// after.
	waiting map[uuid.UUID]map[string]struct{}
}

// NewWatcher makes a watcher, which has to be stopped.
func NewWatcher(o WatcherOptions) *Watcher {
	if o.Wait == nil {
		o.Wait = func(ctx context.Context, attempt int) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(min(time.Second<<min(attempt, 6), 30*time.Second)):
				return nil
			}
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Watcher{o: o, ctx: ctx, cancel: cancel, waiting: map[uuid.UUID]map[string]struct{}{}}
}

// Stop ends what is under way and waits for it. What was not looked at is left
// to the reconcile.
func (w *Watcher) Stop() {
	w.mu.Lock()
	w.cancel()
	w.mu.Unlock()
	w.work.Wait()
}

// TicketChanged has a look taken at a ticket, soon. It returns at once. A ticket
// that waits to be looked at already is looked at once.
func (w *Watcher) TicketChanged(_ context.Context, account uuid.UUID, ticketID string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	tickets, busy := w.waiting[account]
	if w.ctx.Err() != nil || !busy && len(w.waiting) >= mostAccounts || len(tickets) >= mostTickets {
		return models.Errorf(models.CodeUnavailable, "Too much is waiting. Call again.")
	}
	if busy {
		tickets[ticketID] = struct{}{}
		return nil
	}
	w.waiting[account] = map[string]struct{}{ticketID: {}}
	w.work.Go(func() { w.lookAfter(account) })
	return nil
}

// next takes a ticket to look at, and ends the account's turn when there is
// none.
func (w *Watcher) next(account uuid.UUID) (ticketID string, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.waiting[account] {
		delete(w.waiting[account], id)
		return id, true
	}
	delete(w.waiting, account)
	return "", false
}

func (w *Watcher) lookAfter(account uuid.UUID) {
	for {
		id, ok := w.next(account)
		if !ok {
			return
		}
		for attempt := 1; ; attempt++ {
			err := w.look(w.ctx, account, id)
			if err == nil {
				break
			}
			if attempt >= mostLooks || !retryable(err) || w.o.Wait(w.ctx, attempt) != nil {
				w.o.Log.WarnContext(w.ctx, "a ticket that changed could not be looked at", "account_id", account, "attempts", attempt, "error", err)
				break
			}
		}
	}
}

// retryable reports whether another look can do better.
func retryable(err error) bool {
	if e, ok := errors.AsType[*psa.Error](err); ok {
		return e.Retryable()
	}
	code := models.CodeOf(err)
	return code == models.CodeUnavailable || code == models.CodeOutcomeUnknown
}

// look brings the handoffs of one ticket in step with it.
func (w *Watcher) look(ctx context.Context, account uuid.UUID, ticketID string) error {
	ctx, cancel := context.WithTimeout(tenant.With(ctx, account), lookTime)
	defer cancel()
	conn, found, err := w.connection(ctx, account)
	if err != nil || !found {
		return err
	}
	// Most tickets have no handoff; the PSA is not asked about those. What people
	// call an Autotask ticket is not in the callback, though.
	var known []models.TicketedHandoff
	if conn.client.Kind() == psa.KindAutotask {
		known, err = w.o.Records.TicketedHandoffs(ctx, uuid.Nil, 1)
	} else {
		known, err = w.o.Records.HandoffsOfTicket(ctx, ticketID)
	}
	if err != nil || len(known) == 0 {
		return err
	}
	at := time.Now()
	ticket, err := conn.client.Ticket(ctx, ticketID)
	w.o.Connections.Report(ctx, account, err)
	if psa.ClassOf(err) == psa.ClassTicketGone {
		return nil // the handoff's next step will say so
	}
	if err != nil {
		return err
	}
	handoffs, err := w.o.Records.HandoffsOfTicket(ctx, ticket.ID, ticket.Number)
	if err != nil {
		return err
	}
	var failed error
	for _, h := range handoffs {
		_, err := w.follow(ctx, account, conn.settings, h, ticket, at)
		failed = errors.Join(failed, err)
	}
	return failed
}

// connected is an account's PSA.
type connected struct {
	client   psa.Client
	settings Settings
}

func (w *Watcher) connection(ctx context.Context, account uuid.UUID) (conn connected, found bool, err error) {
	row, err := w.o.Connections.o.Records.PSAConnection(ctx)
	if models.CodeOf(err) == models.CodeNotFound {
		return conn, false, nil
	}
	if err != nil {
		return conn, false, err
	}
	conn.client, conn.settings, err = w.o.Connections.client(row.PSAConnection)
	if err != nil {
		w.o.Connections.Report(ctx, account, err)
	}
	return conn, true, err
}

// Saw notes what a ticket looked like at a time, for a handoff. It is for those
// who had the ticket read anyway, such as the push of a step: a ticket that was
// seen open during the handoff can be seen to be closed. A closed one gets a look
// of its own, soon: it may have been closed while somebody worked on the
// handoff, which is back in the queue now.
func (w *Watcher) Saw(ctx context.Context, account, handoff uuid.UUID, ticket psa.Ticket, at time.Time) error {
	if ticket.ID == "" {
		return nil
	}
	_, err := w.o.Records.NoteTicket(tenant.With(ctx, account), noteOf(handoff, ticket, at))
	if err == nil && ticket.Status.Closed {
		_ = w.TicketChanged(ctx, account, ticket.ID) // or it is left to the reconcile
	}
	return err
}

func noteOf(handoff uuid.UUID, ticket psa.Ticket, at time.Time) models.HandoffTicket {
	note := models.HandoffTicket{
		HandoffID: handoff, TicketID: ticket.ID, Status: ticket.Status.Name, Closed: ticket.Status.Closed, NotedAt: at,
	}
	for _, name := range []string{ticket.Owner.Name, ticket.Owner.Identifier, ticket.Owner.Email} {
		if name = strings.TrimSpace(name); name != "" {
			note.Owner = &name
			break
		}
	}
	return note
}

// follow brings one handoff in step with its ticket as it was at a time.
//
// It is cancelled only when the ticket was ever seen open during this handoff:
// who hands off a session whose ticket is closed already wants help all the
// same, and the note of that very handoff makes the PSA call. While somebody
// works on the handoff it is theirs to end; should they give it back, the next
// look cancels it.
func (w *Watcher) follow(ctx context.Context, account uuid.UUID, s Settings, h models.TicketedHandoff, ticket psa.Ticket, at time.Time) (changed bool, err error) {
	if ticket.Status.Closed && h.SeenOpen && s.CancelClosed && h.Status != models.StatusClaimed {
		if err := w.cancelHandoff(ctx, account, h); err != nil {
			return false, err
		}
	}
	return w.o.Records.NoteTicket(ctx, noteOf(h.HandoffID, ticket, at))
}

func (w *Watcher) cancelHandoff(ctx context.Context, account uuid.UUID, h models.TicketedHandoff) error {
	// Baton itself, with an admin's right to cancel what others have sent.
	self := models.Principal{AccountID: account, Role: models.RoleAdmin, Name: "Baton"}
	_, err := w.o.Handoffs.Transition(ctx, self, models.TransitionRequest{
		Verb: models.VerbCancel, SessionID: h.SessionID, HandoffID: h.HandoffID, Note: "The ticket was closed in the PSA.",
	})
	if code := models.CodeOf(err); code == models.CodeClosed || code == models.CodeConflict || code == models.CodeNotFound {
		return nil // somebody was faster, and has decided otherwise
	}
	if err == nil {
		w.o.Log.InfoContext(ctx, "a handoff was cancelled because its ticket was closed", "account_id", account, "handoff_id", h.HandoffID)
	}
	return err
}

// Reconcile compares the open handoffs of every account with their tickets,
// because callbacks get lost and turned off. A few accounts at a time, each
// within a time, so that PSAs which do not answer keep nobody else waiting for
// long. It returns how many handoffs were out of step.
func (w *Watcher) Reconcile(ctx context.Context) (int, error) {
	accounts, err := w.o.Records.ConnectedAccounts(ctx)
	if err != nil {
		return 0, err
	}
	var changed atomic.Int64
	var all errgroup.Group
	all.SetLimit(reconcileAtOnce)
	for _, account := range accounts {
		all.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, reconcileTime)
			defer cancel()
			n, err := w.ReconcileAccount(ctx, account)
			changed.Add(int64(n))
			if err != nil {
				w.o.Log.WarnContext(ctx, "an account's handoffs could not all be compared with their tickets", "account_id", account, "error", err)
			}
			return nil // the others' are compared all the same
		})
	}
	_ = all.Wait() // see above
	return int(changed.Load()), ctx.Err()
}

// ReconcileAccount does so for one account. It stops when the PSA is in trouble.
func (w *Watcher) ReconcileAccount(ctx context.Context, account uuid.UUID) (changed int, err error) {
	const page = 200
	ctx = tenant.With(ctx, account)
	conn, found, err := w.connection(ctx, account)
	if err != nil || !found {
		return 0, err
	}
	after := uuid.Nil
	for {
		handoffs, err := w.o.Records.TicketedHandoffs(ctx, after, page)
		if err != nil || len(handoffs) == 0 {
			return changed, err
		}
		after = handoffs[len(handoffs)-1].HandoffID
		n, err := w.reconcilePage(ctx, account, conn, handoffs)
		changed += n
		if err != nil {
			return changed, err
		}
	}
}

func (w *Watcher) reconcilePage(ctx context.Context, account uuid.UUID, conn connected, handoffs []models.TicketedHandoff) (changed int, err error) {
	at := time.Now()
	var ids []string
	for _, h := range handoffs {
		if h.TicketID != "" {
			ids = append(ids, h.TicketID)
		}
	}
	tickets := map[string]psa.Ticket{}
	if len(ids) > 0 {
		tickets, err = conn.client.Tickets(ctx, ids)
		w.o.Connections.Report(ctx, account, err)
		if err != nil {
			return 0, err
		}
	}
	var failed error
	for _, h := range handoffs {
		ticket, known := tickets[h.TicketID]
		seen := at
		if h.TicketID == "" {
			// Its id is not known yet; what people wrote finds it.
			seen = time.Now()
			ticket, err = conn.client.Ticket(ctx, h.Reference)
			if e := psa.AsError(err); err != nil && (e.Retryable() || e.Class == psa.ClassUnauthorized || e.Class == psa.ClassMisconfigured) {
				w.o.Connections.Report(ctx, account, err)
				return changed, errors.Join(failed, err)
			}
			known = err == nil
		}
		if !known {
			continue // gone, or unfit to be read: the handoff's next step says so
		}
		did, err := w.follow(ctx, account, conn.settings, h, ticket, seen)
		if did {
			changed++
		}
		failed = errors.Join(failed, err)
	}
	return changed, failed
}
