package psa

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/baton-handoff/baton/internal/upstream"
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

// System names what the errors are about.
func (Class) System() string { return "psa" }

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
	case ClassTicketGone:
		return models.CodeNotFound
	case ClassRejected, ClassMisconfigured:
		return models.CodeInvalid
	case ClassForged:
		return models.CodeForbidden
	}
	return models.CodeInternal
}

// Error is the one error of this package and the adapters. Of the PSA's answer
// it holds no more than the PSA's own message about a field.
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
	if _, ok := errors.AsType[*Error](err); !ok {
		if m, ok := errors.AsType[*models.Error](err); ok && m.Code == models.CodeInvalid {
			return Errorf(ClassMisconfigured, "", "%s", m.Message).WithCause(err) // of Connection.Validate
		}
	}
	return upstream.AsError(err, ClassTemporary, "Time was up before the PSA answered.")
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
	return upstream.GaveUp(err, attempt, ClassRejected, "Look at the ticket and the connection, then retry.")
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
