package llm

import (
	"github.com/baton-handoff/baton/internal/upstream"
	"github.com/baton-handoff/baton/models"
)

// Class says what to do about an [Error].
type Class string

// The classes. The first four are worth another attempt of the same question.
const (
	// ClassTemporary is an outage, a connection that broke, or time that was up.
	// The call may have been billed.
	ClassTemporary Class = "temporary"
	// ClassRateLimited is a service that asks to wait.
	ClassRateLimited Class = "rate_limited"
	// ClassOverloaded is a service that has too much to do, for everybody.
	ClassOverloaded Class = "overloaded"
	// ClassBadAnswer is a success that is not an answer of the API.
	ClassBadAnswer Class = "bad_answer"

	// ClassTruncated is an answer that was cut at its bound. The same question
	// with more tokens may succeed.
	ClassTruncated Class = "truncated"
	// ClassTooLarge is a question that the model cannot read as a whole. A
	// shorter one may succeed.
	ClassTooLarge Class = "too_large"
	// ClassRefused is a model that does not want to answer this question.
	ClassRefused Class = "refused"

	// ClassSpendLimit is money that is used up. It takes a person, or the next
	// month.
	ClassSpendLimit Class = "spend_limit"
	// ClassUnauthorized is a key that is not accepted, or not for this model.
	ClassUnauthorized Class = "unauthorized"
	// ClassMisconfigured is an address, model or option that cannot work.
	ClassMisconfigured Class = "misconfigured"
)

// System names what the errors are about.
func (Class) System() string { return "llm" }

// Retryable reports whether another attempt of the same question can succeed
// without a person.
func (c Class) Retryable() bool {
	switch c {
	case ClassTemporary, ClassRateLimited, ClassOverloaded, ClassBadAnswer:
		return true
	default:
		return false
	}
}

// Lasting reports whether other questions would fail in the same way, until a
// person does something.
func (c Class) Lasting() bool {
	switch c {
	case ClassSpendLimit, ClassUnauthorized, ClassMisconfigured:
		return true
	default:
		return false
	}
}

// Code is the class in the domain's terms.
func (c Class) Code() models.Code {
	switch c {
	case ClassTemporary, ClassRateLimited, ClassOverloaded, ClassBadAnswer:
		return models.CodeUnavailable
	case ClassTruncated, ClassTooLarge:
		return models.CodeTooLarge
	case ClassSpendLimit:
		return models.CodeForbidden
	case ClassUnauthorized:
		return models.CodeUnauthenticated
	case ClassRefused, ClassMisconfigured:
		return models.CodeInvalid
	}
	return models.CodeInternal
}

// Error is the one error of this package and the adapters. It holds nothing of
// the question, the answer, the key or the service's own words.
type Error = upstream.Error[Class]

// Errorf makes an error of a class with a reason for people.
func Errorf(class Class, format string, args ...any) *Error {
	return upstream.Errorf(class, "", format, args...)
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
	return upstream.AsError(err, ClassTemporary, "Time was up before the model answered.")
}

// Doubtful is the [Error.GiveUpAfter] of trouble that looks passing and may be
// lasting.
const Doubtful = 5

// GaveUp returns err as it is, or as [ClassMisconfigured] when it was tried as
// often as is worth it. Attempt counts from 1.
func GaveUp(err error, attempt int) error {
	return upstream.GaveUp(err, attempt, ClassMisconfigured, "")
}
