package auth

import (
	"errors"

	"github.com/baton-handoff/baton/models"
)

// Reason classifies why somebody was not let in, for logs and metrics. What
// the person is told is no more precise than it may be.
type Reason string

// The reasons.
const (
	ReasonMalformed   Reason = "malformed"
	ReasonAlgorithm   Reason = "algorithm"
	ReasonUnknownKey  Reason = "unknown_key"
	ReasonSignature   Reason = "signature"
	ReasonClaims      Reason = "claims"
	ReasonIssuer      Reason = "issuer"
	ReasonAudience    Reason = "audience"
	ReasonExpired     Reason = "expired"
	ReasonNotYetValid Reason = "not_yet_valid"
	ReasonUnknownUser Reason = "unknown_user"
	ReasonDisabled    Reason = "disabled"
	ReasonRevoked     Reason = "revoked"
	ReasonUnavailable Reason = "unavailable"
)

// Error makes a reason the cause of a [models.Error].
func (r Reason) Error() string { return string(r) }

// reasonOf returns the reason in err's chain; what has none is trouble of our
// own.
func reasonOf(err error) Reason {
	var r Reason
	if errors.As(err, &r) {
		return r
	}
	return ReasonUnavailable
}

func unauthenticated(why Reason, message string) error {
	return models.Errorf(models.CodeUnauthenticated, "%s", message).WithCause(why)
}

func forbidden(why Reason, message string) error {
	return models.Errorf(models.CodeForbidden, "%s", message).WithCause(why)
}
