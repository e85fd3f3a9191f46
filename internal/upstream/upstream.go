// Package upstream is what the errors of calls to other systems share, whatever
// they are: a PSA, a model's service, a mail server. Each kind of system has its
// own classes of trouble; package activities decides by them whether to try
// again, and when.
package upstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/baton-handoff/baton/models"
)

// Class says what to do about an [Error]. The classes of each kind of system
// are a type of their own.
type Class interface {
	~string
	// System is the kind of system, for logs, such as "psa".
	System() string
	// Code is the class in the domain's terms.
	Code() models.Code
	// Retryable reports whether another attempt can succeed without a person.
	Retryable() bool
}

// Error is what went wrong with a call. [errors.As] also finds a [*models.Error]
// in it.
type Error[C Class] struct {
	Class C
	// Op is what was being done, such as "adding the note"; it may be empty.
	Op string
	// Reason and Cure are sentences for people. They hold no credential and no
	// more of the answer than what its adapter promises.
	Reason string
	Cure   string
	Fields []models.FieldError
	// RetryAfter is when the system asks to be called again; zero leaves it to
	// the retry policy.
	RetryAfter time.Duration
	// GiveUpAfter is the number of attempts after which a retry is not worth
	// it, where lasting trouble is answered like passing trouble. Zero means
	// never.
	GiveUpAfter int
	// Status is that of the answer, zero without one: of HTTP, or of SMTP.
	Status int
	// Code is the system's name for the error, if it is known.
	Code string
	// RequestID is the system's name for the call, for its support.
	RequestID string

	cause error
}

// Errorf makes an error of a class with a reason for people.
func Errorf[C Class](class C, op, format string, args ...any) *Error[C] {
	return &Error[C]{Class: class, Op: op, Reason: fmt.Sprintf(format, args...)}
}

// WithCure returns a copy that says what to do.
func (e *Error[C]) WithCure(format string, args ...any) *Error[C] {
	c := *e
	c.Cure = fmt.Sprintf(format, args...)
	return &c
}

// WithCause returns a copy that wraps cause, for [errors.Is].
func (e *Error[C]) WithCause(cause error) *Error[C] {
	c := *e
	c.cause = cause
	return &c
}

// Error is for logs. It holds nothing of the cause, which may quote an answer,
// or an address that is a secret.
func (e *Error[C]) Error() string {
	var b strings.Builder
	b.WriteString(e.Class.System() + ": ")
	if e.Op != "" {
		b.WriteString(e.Op + ": ")
	}
	b.WriteString(string(e.Class) + ": " + e.Reason)
	if e.Status != 0 {
		fmt.Fprintf(&b, " (status %d", e.Status)
		if e.Code != "" {
			b.WriteString(", " + e.Code)
		}
		if e.RequestID != "" {
			b.WriteString(", request " + e.RequestID)
		}
		b.WriteString(")")
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error[C]) Unwrap() error { return e.cause }

// Retryable reports whether another attempt can succeed without a person.
func (e *Error[C]) Retryable() bool { return e.Class.Retryable() }

// Model is the error in the domain's terms: what people are told, and whether
// and when to try again.
func (e *Error[C]) Model() *models.Error {
	m := &models.Error{Code: e.Class.Code(), Message: e.Reason, Fields: e.Fields, RetryAfter: e.RetryAfter}
	if e.Cure != "" {
		m.Message += " " + e.Cure
	}
	return m.WithCause(e)
}

// As lets [errors.As] find a [*models.Error].
func (e *Error[C]) As(target any) bool {
	t, ok := target.(**models.Error)
	if ok {
		*t = e.Model()
	}
	return ok
}

// AsError returns the [*Error] in err. One that holds none is a mistake of ours
// or a context that ended, of which late tells; it gets the class temporary.
func AsError[C Class](err error, temporary C, late string) *Error[C] {
	if e, ok := errors.AsType[*Error[C]](err); ok {
		return e
	}
	reason := "An unexpected error; its details are in the worker's log."
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		reason = late
	}
	return Errorf(temporary, "", "%s", reason).WithCause(err)
}

// GaveUp returns err as it is, or of the class final when it was tried as often
// as is worth it; then with a cure, when it has none. Attempt counts from 1.
func GaveUp[C Class](err error, attempt int, final C, cure string) error {
	e, ok := errors.AsType[*Error[C]](err)
	if !ok || e.GiveUpAfter == 0 || attempt < e.GiveUpAfter || !e.Retryable() {
		return err
	}
	last := e.WithCause(err)
	last.Class, last.RetryAfter, last.Cure = final, 0, cmp.Or(last.Cure, cure)
	return last
}
