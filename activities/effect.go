package activities

import (
	"context"
	"errors"
	"math"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

// effect runs one attempt of a side effect. Work records its own success, in
// one transaction with what it made. A failure is recorded here, so that
// people see why it is not done yet and when it is tried again, and returned
// as Temporal needs it.
func (a *Activities) effect(ctx context.Context, kind models.EffectKind, in EffectInput, work func(ctx context.Context) error) error {
	ctx = tenant.With(ctx, in.AccountID)
	err := work(ctx)
	if err == nil || ctx.Err() != nil {
		return err // an attempt that was cut short says nothing about the effect
	}
	info := activity.GetInfo(ctx)
	reason := reasonOf(err)
	state := models.Effect{
		HandoffID: in.HandoffID, Kind: kind, State: models.EffectFailed,
		Reason: &reason, Attempts: int(info.Attempt),
	}
	if !permanent(err) && !in.Last {
		next := time.Now().Add(retryDelay(int(info.Attempt), err))
		state.State, state.NextAttemptAt = models.EffectRetrying, &next
	}
	if recordErr := a.records.RecordEffect(ctx, state); recordErr != nil {
		a.log.WarnContext(ctx, "the state of a side effect could not be recorded", "effect", kind, "handoff_id", in.HandoffID, "error", recordErr)
	}
	a.log.WarnContext(ctx, "a side effect failed", "effect", kind, "handoff_id", in.HandoffID, "state", state.State, "attempt", info.Attempt, "error", err)
	return forTemporal(err)
}

// permanent reports whether a retry cannot mend err.
func permanent(err error) bool {
	switch models.CodeOf(err) {
	case models.CodeInvalid, models.CodeNotFound, models.CodeForbidden, models.CodeUnauthenticated, models.CodeConflict, models.CodeTooLarge:
		return true
	default:
		return false
	}
}

// reasonOf says for people why err happened. The text of unexpected errors
// stays in the log: it may quote anything.
func reasonOf(err error) string {
	var known *models.Error
	if errors.As(err, &known) {
		return known.Message
	}
	return "An unexpected error; its details are in the worker's log."
}

// retryDelay is when to try again after so many attempts, the last of which
// ended in err: when err says, or ever later. Retry policies of workflows say
// the same.
func retryDelay(attempts int, err error) time.Duration {
	if known, ok := errors.AsType[*models.Error](err); ok && known.RetryAfter > 0 {
		return known.RetryAfter
	}
	delay := float64(EffectFirstRetry) * math.Pow(EffectBackoff, float64(max(attempts, 1)-1))
	return time.Duration(min(delay, float64(EffectMaxRetry)))
}

// forTemporal turns an error into Temporal's. Histories are durable, so only
// codes and messages for people go there; the rest is for the log.
func forTemporal(err error) error {
	o := temporal.ApplicationErrorOptions{NonRetryable: permanent(err)}
	var known *models.Error
	if errors.As(err, &known) {
		o.NextRetryDelay = known.RetryAfter
	}
	return temporal.NewApplicationErrorWithOptions(reasonOf(err), string(models.CodeOf(err)), o)
}
