package notify

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

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

// Error is the one error of this package and the adapters. [errors.As] also
// finds a [*models.Error] in it, by which activities decide whether to try
// again, and when.
type Error struct {
	Class Class
	// Op is what was being done, such as "sending the message".
	Op string
	// Reason and Cure are sentences for people. They hold no secret and nothing
	// of the service's answer but its status and the name of its error.
	Reason string
	Cure   string
	// RetryAfter is when the service asks to be called again; zero leaves it to
	// the retry policy.
	RetryAfter time.Duration
	// GiveUpAfter is the number of attempts after which a retry is not worth
	// it, where a service answers a lasting trouble like a passing one. Zero
	// means never.
	GiveUpAfter int
	// Status is the HTTP or SMTP status, zero without an answer.
	Status int

	cause error
}

// Errorf makes an error of a class with a reason for people.
func Errorf(class Class, op, format string, args ...any) *Error {
	return &Error{Class: class, Op: op, Reason: fmt.Sprintf(format, args...)}
}

// WithCure returns a copy that says what to do.
func (e *Error) WithCure(format string, args ...any) *Error {
	c := *e
	c.Cure = fmt.Sprintf(format, args...)
	return &c
}

// WithCause returns a copy that wraps cause, for [errors.Is].
func (e *Error) WithCause(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// Error is for logs. It holds nothing of the cause, which may quote an address
// that is a secret.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("notify: ")
	if e.Op != "" {
		b.WriteString(e.Op + ": ")
	}
	b.WriteString(string(e.Class) + ": " + e.Reason)
	if e.Status != 0 {
		fmt.Fprintf(&b, " (status %d)", e.Status)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Retryable reports whether another attempt can succeed without a person.
func (e *Error) Retryable() bool {
	return e.Class == ClassTemporary || e.Class == ClassRateLimited || e.Class == ClassUnclear
}

// Model is the error in the domain's terms: what people are told, and whether
// and when to try again.
func (e *Error) Model() *models.Error {
	m := &models.Error{Code: models.CodeInternal, Message: e.Reason, RetryAfter: e.RetryAfter}
	if e.Cure != "" {
		m.Message += " " + e.Cure
	}
	switch e.Class {
	case ClassTemporary, ClassRateLimited:
		m.Code = models.CodeUnavailable
	case ClassUnclear:
		m.Code = models.CodeOutcomeUnknown
	case ClassUnauthorized:
		m.Code = models.CodeUnauthenticated
	case ClassRecipientUnknown, ClassGone:
		m.Code = models.CodeNotFound
	case ClassRejected, ClassMisconfigured:
		m.Code = models.CodeInvalid
	case ClassForged:
		m.Code = models.CodeForbidden
	}
	return m.WithCause(e)
}

// As lets [errors.As] find a [*models.Error].
func (e *Error) As(target any) bool {
	t, ok := target.(**models.Error)
	if ok {
		*t = e.Model()
	}
	return ok
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
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return Errorf(ClassTemporary, "", "Time was up before the message was sent.").WithCause(err)
	}
	return Errorf(ClassTemporary, "", "An unexpected error; its details are in the worker's log.").WithCause(err)
}

// Doubtful is the [Error.GiveUpAfter] of trouble that looks passing and may be
// lasting.
const Doubtful = 40

// GaveUp returns err as it is, or as [ClassRejected] when it was tried as often
// as is worth it. Attempt counts from 1.
func GaveUp(err error, attempt int) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.GiveUpAfter == 0 || attempt < e.GiveUpAfter || !e.Retryable() {
		return err
	}
	final := e.WithCause(err)
	final.Class, final.RetryAfter = ClassRejected, 0
	return final
}
