package llm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

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

// Error is the one error of this package and the adapters. [errors.As] also
// finds a [*models.Error] in it, with which package activities decides whether
// to try again, and when.
type Error struct {
	Class Class
	// Reason and Cure are sentences for people. They hold nothing of the
	// question, the answer, the key or the service's own words.
	Reason string
	Cure   string
	// RetryAfter is when the service asks to be called again; zero leaves it to
	// the retry policy.
	RetryAfter time.Duration
	// GiveUpAfter is the number of attempts after which a retry is not worth
	// it, where lasting trouble looks like passing trouble. Zero means never.
	GiveUpAfter int
	// Status is the HTTP status, zero without an answer.
	Status int
	// Code is the service's name for the error, such as overloaded_error, and
	// for some the parameter that it is about.
	Code string
	// RequestID is the service's name for the call, for its support.
	RequestID string
	// Usage is what was billed all the same: for an answer that was cut or
	// refused, say.
	Usage Usage

	cause error
}

// Doubtful is the [Error.GiveUpAfter] of trouble that looks passing and may be
// lasting.
const Doubtful = 5

// Errorf makes an error of a class with a reason for people.
func Errorf(class Class, format string, args ...any) *Error {
	return &Error{Class: class, Reason: fmt.Sprintf(format, args...)}
}

// WithCure returns a copy that says what to do.
func (e *Error) WithCure(format string, args ...any) *Error {
	c := *e
	c.Cure = fmt.Sprintf(format, args...)
	return &c
}

// WithCause returns a copy that wraps cause, for [errors.Is] and the log.
func (e *Error) WithCause(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// Error is for logs. It holds nothing of the question or the answer.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("llm: " + string(e.Class) + ": " + e.Reason)
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
func (e *Error) Unwrap() error { return e.cause }

// Retryable reports whether another attempt of the same question can succeed
// without a person.
func (e *Error) Retryable() bool {
	switch e.Class {
	case ClassTemporary, ClassRateLimited, ClassOverloaded, ClassBadAnswer:
		return true
	default:
		return false
	}
}

// Lasting reports whether other questions would fail in the same way, until a
// person does something.
func (e *Error) Lasting() bool {
	switch e.Class {
	case ClassSpendLimit, ClassUnauthorized, ClassMisconfigured:
		return true
	default:
		return false
	}
}

// Model is the error in the domain's terms: what people are told, and whether
// and when to try again.
func (e *Error) Model() *models.Error {
	m := &models.Error{Code: models.CodeInternal, Message: e.Reason, RetryAfter: e.RetryAfter}
	if e.Cure != "" {
		m.Message += " " + e.Cure
	}
	switch e.Class {
	case ClassTemporary, ClassRateLimited, ClassOverloaded, ClassBadAnswer:
		m.Code = models.CodeUnavailable
	case ClassTruncated, ClassTooLarge:
		m.Code = models.CodeTooLarge
	case ClassSpendLimit:
		m.Code = models.CodeForbidden
	case ClassUnauthorized:
		m.Code = models.CodeUnauthenticated
	case ClassRefused, ClassMisconfigured:
		m.Code = models.CodeInvalid
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
		return Errorf(ClassTemporary, "Time was up before the model answered.").WithCause(err)
	}
	return Errorf(ClassTemporary, "An unexpected error; its details are in the worker's log.").WithCause(err)
}

// Final is err after so many attempts: it is permanent once those that it may
// have are used up.
func Final(err error, attempt int) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.GiveUpAfter == 0 || attempt < e.GiveUpAfter || !e.Retryable() {
		return err
	}
	final := e.WithCause(err)
	final.Class, final.RetryAfter = ClassMisconfigured, 0
	return final
}

// MaxRetryAfter bounds what a service may ask for: a wrong clock or a bad day
// must not silence it for good.
const MaxRetryAfter = time.Hour

// RetryAfter reads the headers Retry-After-Ms, which some services send, and
// Retry-After (RFC 9110, section 10.2.3), a number of seconds or a date. It is
// zero when there is none.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	for _, header := range []struct {
		name string
		unit time.Duration
	}{{"Retry-After-Ms", time.Millisecond}, {"Retry-After", time.Second}} {
		v := strings.TrimSpace(h.Get(header.name))
		if n, err := strconv.ParseFloat(v, 64); err == nil && n >= 0 { // not NaN
			return time.Duration(min(n*float64(header.unit), float64(MaxRetryAfter)))
		}
		if at, err := http.ParseTime(v); err == nil {
			return min(max(at.Sub(now), 0), MaxRetryAfter)
		}
	}
	return 0
}
