package workflows

import (
	"errors"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/temporal"

	"github.com/baton-handoff/baton/models"
)

// A refusal crosses Temporal as an application error whose type is the code
// and whose detail says who holds the handoff, or for whom it is kept. These two functions are the
// one place that knows.

type refusalDetail struct {
	ClaimedBy *uuid.UUID `json:"claimed_by,omitempty"`
	ClaimedAt *time.Time `json:"claimed_at,omitempty"`
	// ReservedFor and ReservedUntil are of [models.CodeReserved].
	ReservedFor   *uuid.UUID `json:"reserved_for,omitempty"`
	ReservedUntil *time.Time `json:"reserved_until,omitempty"`
	// State is what the refusal is about, so that readers can be shown it
	// before anybody is refused because of it.
	State models.Snapshot `json:"state"`
}

// toRefusal turns the state machine's error into Temporal's.
func toRefusal(s models.Snapshot, err error) error {
	var e *models.Error
	if !errors.As(err, &e) {
		return err
	}
	detail := refusalDetail{State: s}
	if e.Claim != nil {
		detail.ClaimedBy, detail.ClaimedAt = &e.Claim.ByID, &e.Claim.At
	}
	if e.Reservation != nil {
		detail.ReservedFor, detail.ReservedUntil = &e.Reservation.ForID, &e.Reservation.Until
	}
	return temporal.NewApplicationErrorWithOptions(e.Message, string(e.Code), temporal.ApplicationErrorOptions{
		NonRetryable: true, Details: []any{detail}, Category: temporal.ApplicationErrorCategoryBenign,
	})
}

// RefusalFrom finds the state machine's error in what an Update returned, and
// the state that it is about; nil when it is no refusal. No name of anybody is
// in it: names do not travel through Temporal.
func RefusalFrom(err error) (*models.Error, models.Snapshot) {
	var app *temporal.ApplicationError
	if !errors.As(err, &app) {
		return nil, models.Snapshot{}
	}
	code := models.Code(app.Type())
	switch code {
	case models.CodeInvalid, models.CodeForbidden, models.CodeNotFound, models.CodeAlreadyClaimed, models.CodeReserved, models.CodeClosed, models.CodeConflict:
	default:
		return nil, models.Snapshot{}
	}
	e := models.Errorf(code, "%s", app.Message())
	var detail refusalDetail
	if !app.HasDetails() || app.Details(&detail) != nil {
		return e, detail.State
	}
	if detail.ClaimedBy != nil && detail.ClaimedAt != nil {
		e.Claim = &models.Claim{ByID: *detail.ClaimedBy, At: *detail.ClaimedAt}
	}
	if detail.ReservedFor != nil && detail.ReservedUntil != nil {
		e.Reservation = &models.Reservation{ForID: *detail.ReservedFor, Until: *detail.ReservedUntil}
	}
	return e, detail.State
}
