package notify

import (
	"github.com/baton-handoff/baton/internal/upstream"
	"github.com/baton-handoff/baton/models"
)

// Class says what to do about an [Error].
type Class string

// The classes. The first three are worth another attempt, the others are not
// before a person did something.
const (
	// ClassTemporary is an outage: nobody was told.
	ClassTemporary Class = "temporary"
	// ClassRateLimited is a service that asks to wait.
	ClassRateLimited Class = "rate_limited"
	// ClassUnclear is a message that may have been delivered.
	ClassUnclear Class = "unclear"
	// ClassUnauthorized is a password, token or signature that the service does
	// not accept.
	ClassUnauthorized Class = "unauthorized"
	// ClassRecipientUnknown is an address that nobody has.
	ClassRecipientUnknown Class = "recipient_unknown"
	// ClassRejected is a message that the service refuses.
	ClassRejected Class = "rejected"
	// ClassGone is an endpoint that wants no more messages: disable it.
	ClassGone Class = "gone"
	// ClassMisconfigured is an address or setting that cannot work.
	ClassMisconfigured Class = "misconfigured"
	// ClassForged is a request from outside that does not come from the service.
	ClassForged Class = "forged"
)

// System names what the errors are about.
func (Class) System() string { return "notify" }

// Retryable reports whether another attempt can succeed without a person.
func (c Class) Retryable() bool {
	return c == ClassTemporary || c == ClassRateLimited || c == ClassUnclear
}

// Code is the class in the domain's terms.
func (c Class) Code() models.Code {
	switch c {
	case ClassTemporary, ClassRateLimited:
		return models.CodeUnavailable
	case ClassUnclear:
		return models.CodeOutcomeUnknown
	case ClassUnauthorized:
		return models.CodeUnauthenticated
	case ClassRecipientUnknown, ClassGone:
		return models.CodeNotFound
	case ClassRejected, ClassMisconfigured:
		return models.CodeInvalid
	case ClassForged:
		return models.CodeForbidden
	}
	return models.CodeInternal
}

// Error is the one error of this package and the adapters. Of the service's
// answer it holds nothing but its status and the name of its error.
type Error = upstream.Error[Class]

// Errorf makes an error of a class with a reason for people.
func Errorf(class Class, op, format string, args ...any) *Error {
	return upstream.Errorf(class, op, format, args...)
}

// ClassOf returns the class of err, and "" for nil.
func ClassOf(err error) Class {
	if err == nil {
		return ""
	}
	return AsError(err).Class
}

// AsError returns the [*Error] in err. An error that holds none is a mistake of
// ours or a context that ended; it counts as temporary.
func AsError(err error) *Error {
	return upstream.AsError(err, ClassTemporary, "Time was up before the message was sent.")
}

// Doubtful is the [Error.GiveUpAfter] of trouble that looks passing and may be
// lasting.
const Doubtful = 40

// GaveUp returns err as it is, or as [ClassRejected] when it was tried as often
// as is worth it. Attempt counts from 1.
func GaveUp(err error, attempt int) error { return upstream.GaveUp(err, attempt, ClassRejected, "") }
