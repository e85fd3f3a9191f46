package models

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Code classifies an [Error]. The set is closed; package api maps it to HTTP
// in one place and package engine to and from Temporal in one place.
type Code string

// The codes.
const (
	CodeInvalid             Code = "invalid"              // breaks a rule of the domain
	CodeSchema              Code = "schema"               // breaks the schema of the API
	CodeUnauthenticated     Code = "unauthenticated"      // no, or no valid, token
	CodeForbidden           Code = "forbidden"            // known, but may not
	CodeNotFound            Code = "not_found"            // is not there, or not for this account
	CodeAlreadyClaimed      Code = "already_claimed"      // somebody holds it
	CodeReserved            Code = "reserved"             // for somebody else, for a while
	CodeAlreadyHandedOff    Code = "already_handed_off"   // the session has an open handoff
	CodeClosed              Code = "closed"               // resolved or cancelled
	CodeConflict            Code = "conflict"             // not possible in this state
	CodeIdempotencyMismatch Code = "idempotency_mismatch" // same key, other request
	CodeTooLarge            Code = "too_large"
	CodeUnsupportedMedia    Code = "unsupported_media_type"
	CodeUnavailable         Code = "unavailable"     // a part is down, nothing was done
	CodeOutcomeUnknown      Code = "outcome_unknown" // it may have been done; ask again with the same key
	CodeInternal            Code = "internal"
)

// FieldError says what is wrong with one field of a request.
type FieldError struct {
	// Field is a JSON pointer into the body, or the name of a parameter.
	Field   string
	Message string
}

// Error is the one error type that crosses package borders. Message is for
// the person who asked; the wrapped cause is for the log and is never shown.
type Error struct {
	Code    Code
	Message string
	Fields  []FieldError
	// Claim is set for [CodeAlreadyClaimed].
	Claim *Claim
	// Reservation is set for [CodeReserved].
	Reservation *Reservation
	// RetryAfter is set for [CodeUnavailable] and [CodeOutcomeUnknown].
	RetryAfter time.Duration
	cause      error
}

// Claim says who holds a handoff.
type Claim struct {
	ByID   uuid.UUID
	ByName string
	At     time.Time
}

// Reservation says for whom a handoff is kept, and how long.
type Reservation struct {
	ForID   uuid.UUID
	ForName string
	Until   time.Time
}

// Errorf returns an [Error] with a formatted message for the person who asked.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// AlreadyHandedOff is the refusal of a second open handoff of a session.
func AlreadyHandedOff() *Error {
	return Errorf(CodeAlreadyHandedOff, "The session already has an open handoff. Resolve or cancel that one first.")
}

// WithCause returns a copy that wraps cause for the log.
func (e *Error) WithCause(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// Error is the message with its cause, for logs.
func (e *Error) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.cause)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// CodeOf returns the code of the first [Error] in err's chain,
// [CodeInternal] when there is none, and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}
