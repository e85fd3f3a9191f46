package connections

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

const (
	// callbackRate and callbackBurst are how many callbacks one account's PSA may
	// make: more than the busiest desk changes tickets, less than what hurts.
	callbackRate  = rate.Limit(20)
	callbackBurst = 200
	// mostLimits bounds the accounts whose rate is remembered.
	mostLimits = 10_000
	// callbackLength is that of the secret part of the address, which [rand.Text]
	// makes.
	callbackLength = 26
	// callbackTime bounds the check of a callback, for which a key may have to be
	// read from the PSA.
	callbackTime = 8 * time.Second
)

// Tickets hears of tickets that a PSA says have changed. It looks at the ticket
// itself: a callback is a hint, may come late, twice or in any order. It must
// return soon.
type Tickets interface {
	TicketChanged(ctx context.Context, account uuid.UUID, ticketID string) error
}

var errNoCallback = models.Errorf(models.CodeNotFound, "There is nothing at this address.")

// Callback takes what a PSA calls with. The secret part of the address finds
// the account. A callback that does not come from its PSA is refused, and told
// no more than that.
func (c *Connections) Callback(ctx context.Context, secret string, header http.Header, body []byte) error {
	if len(secret) != callbackLength {
		return errNoCallback
	}
	row, err := c.o.Records.PSAConnectionByCallback(ctx, hashOf(secret))
	if models.CodeOf(err) == models.CodeNotFound {
		return errNoCallback
	}
	if err != nil {
		return err
	}
	account := row.AccountID
	if !c.limits.allow(account) {
		e := models.Errorf(models.CodeUnavailable, "Too many callbacks at once.")
		e.RetryAfter = time.Second
		return e
	}
	ctx, cancel := context.WithTimeout(tenant.With(ctx, account), callbackTime)
	defer cancel()
	client, _, err := c.client(row.PSAConnection)
	if err != nil {
		c.o.Log.WarnContext(ctx, "a callback cannot be checked", "account_id", account, "error", err)
		return models.Errorf(models.CodeUnavailable, "The callback cannot be checked now.").WithCause(err)
	}
	called, err := client.Callback(ctx, header, body)
	if err != nil {
		e := psa.AsError(err)
		// The adapter's reason is words of ours; nothing that was sent is logged.
		c.o.Log.WarnContext(ctx, "a callback was refused", "account_id", account, "kind", row.Kind, "class", e.Class, "reason", e.Reason)
		if e.Retryable() {
			return models.Errorf(models.CodeUnavailable, "The callback cannot be checked now.").WithCause(err)
		}
		return models.Errorf(models.CodeForbidden, "The callback does not come from the PSA of this connection.")
	}
	switch called.Action {
	case psa.ActionCreated, psa.ActionUpdated, psa.ActionDeleted:
		if !called.Verified || called.TicketID == "" || c.o.Tickets == nil {
			return nil
		}
		return c.o.Tickets.TicketChanged(ctx, account, called.TicketID)
	case psa.ActionDisabled:
		c.o.Log.WarnContext(ctx, "the PSA says that it has turned its callbacks off", "account_id", account, "kind", row.Kind, "verified", called.Verified)
	case psa.ActionOther:
	}
	return nil
}

// limits keeps a rate per account.
type limits struct {
	mu  sync.Mutex
	all map[uuid.UUID]*rate.Limiter
}

func newLimits() *limits { return &limits{all: map[uuid.UUID]*rate.Limiter{}} }

func (l *limits) allow(account uuid.UUID) bool {
	l.mu.Lock()
	limiter := l.all[account]
	if limiter == nil {
		if len(l.all) >= mostLimits {
			clear(l.all)
		}
		limiter = rate.NewLimiter(callbackRate, callbackBurst)
		l.all[account] = limiter
	}
	l.mu.Unlock()
	return limiter.Allow()
}
