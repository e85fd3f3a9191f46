package psa

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/baton-handoff/baton/models"
)

// Class says what to do about an [Error].
type Class string

// The classes. The first three are worth another attempt, the others are not
// before a person did something.
const (
	// ClassTemporary is an outage: nothing was done.
	ClassTemporary Class = "temporary"
	// ClassRateLimited is a PSA that asks to wait.
	ClassRateLimited Class = "rate_limited"
	// ClassUnclear is a write that may have been done. Look before trying again.
	ClassUnclear Class = "unclear"
	// ClassUnauthorized is credentials that the PSA does not accept.
	ClassUnauthorized Class = "unauthorized"
	// ClassTicketGone is a ticket that was deleted, merged or never there.
	ClassTicketGone Class = "ticket_gone"
	// ClassRejected is a request that the PSA refuses: a field, a status that
	// the board does not have, a permission.
	ClassRejected Class = "rejected"
	// ClassMisconfigured is an address or option that cannot work.
	ClassMisconfigured Class = "misconfigured"
	// ClassForged is a callback that does not come from the PSA.
	ClassForged Class = "forged"
)

// Error is the one error of this package and the adapters. [errors.As] also
// finds a [*models.Error] in it, with which package activities decides whether
// to try again, and when.
type Error struct {
	Class Class
	// Op is what was being done, such as "adding the note".
	Op string
	// Reason and Cure are sentences for people. They hold no credential and no
	// more of the PSA's answer than its own message about a field.
	Reason string
	Cure   string
	Fields []models.FieldError
	// RetryAfter is when the PSA asks to be called again; zero leaves it to the
	// retry policy.
	RetryAfter time.Duration
	// GiveUpAfter is the number of attempts after which a retry is not worth
	// it, where a vendor answers a lasting trouble like a passing one. Zero
	// means never.
	GiveUpAfter int
	// Status is the HTTP status, zero without an answer.
	Status int
	// RequestID is the vendor's name for the call, for its support.
	RequestID string

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

// WithCause returns a copy that wraps cause, for [errors.Is] and the log.
func (e *Error) WithCause(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// Error is for logs. It holds no upstream body.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("psa: ")
	if e.Op != "" {
		b.WriteString(e.Op + ": ")
	}
	b.WriteString(string(e.Class) + ": " + e.Reason)
	if e.Status != 0 {
		fmt.Fprintf(&b, " (status %d", e.Status)
		if e.RequestID != "" {
			b.WriteString(", request " + e.RequestID)
		}
		b.WriteString(")")
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
	m := &models.Error{Code: models.CodeInternal, Message: e.Reason, Fields: e.Fields, RetryAfter: e.RetryAfter}
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
	case ClassTicketGone:
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
		return Errorf(ClassTemporary, "", "Time was up before the PSA answered.").WithCause(err)
	}
	if m, ok := errors.AsType[*models.Error](err); ok && m.Code == models.CodeInvalid {
		return Errorf(ClassMisconfigured, "", "%s", m.Message).WithCause(err) // of Connection.Validate
	}
	return Errorf(ClassTemporary, "", "An unexpected error; its details are in the worker's log.").WithCause(err)
}

// Worst joins what went wrong with parts of one call. It returns the error that
// decides about another attempt: one that a retry can mend comes first, because
// that attempt will meet the others again.
func Worst(errs ...error) error {
	var worst error
	for _, err := range errs {
		if err == nil {
			continue
		}
		if worst == nil || AsError(err).Retryable() && !AsError(worst).Retryable() {
			worst = err
		}
	}
	return worst
}

// Doubtful is the [Error.GiveUpAfter] of trouble that looks passing and may be
// lasting. With the side effects' backoff that is some three hours, longer than
// most outages.
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
	if final.Cure == "" {
		final.Cure = "Look at the ticket and the connection, then retry."
	}
	return final
}

const maxSafe = 200

// Safe makes a text that came from outside fit to be shown in a sentence: one
// line, no markup, no control characters, and short.
func Safe(s string) string {
	if len(s) > 16*maxSafe {
		s = s[:16*maxSafe]
	}
	if strings.ContainsAny(s, "<&") {
		s = StripHTML(s)
	}
	s = strings.ToValidUTF8(s, "")
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) > maxSafe {
		s = string([]rune(s)[:maxSafe-1]) + "…"
	}
	return s
}

// MaxRetryAfter bounds what a PSA may ask for: a wrong clock or a bad day must
// not silence a ticket.
const MaxRetryAfter = time.Hour

// RetryAfter reads the header Retry-After (RFC 9110, section 10.2.3), which is
// a number of seconds or a date. It is zero when there is none.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0
	}
	var d time.Duration
	if s, err := strconv.ParseUint(v, 10, 32); err == nil {
		d = time.Duration(s) * time.Second
	} else if at, err := http.ParseTime(v); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), MaxRetryAfter)
}
