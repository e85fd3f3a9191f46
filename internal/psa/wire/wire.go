// Package wire is what the PSA adapters share: one call and its answer, and
// what a broken call means. What a vendor's own errors mean is the adapter's.
package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/baton-handoff/baton/internal/outbound"
	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/secrets"
)

// Caller calls one PSA.
type Caller struct {
	HTTP  *outbound.Client
	Kind  psa.Kind
	Creds psa.Credentials
	Now   func() time.Time
}

// Call is one call.
type Call struct {
	// Op says for people what is done, such as "adding the note".
	Op     string
	Method string
	URL    string
	Header http.Header
	// JSON is marshalled as the body; nil sends none. Form is sent instead,
	// when given.
	JSON any
	Form string
	// Write says that the call changes something, so that its outcome is
	// unclear when the answer is lost.
	Write bool
}

// Answer is what came.
type Answer struct {
	outbound.Response
	Call Call
}

// requestIDs are the headers in which vendors and what stands in front of them
// name a call.
var requestIDs = []string{"x-cw-request-id", "x-request-id", "cf-ray"}

// Do sends a call. Its error is a [*psa.Error] for a call that has no answer,
// one that asks to wait, or one that points elsewhere. All other answers, also
// those of failures, are returned.
func (c *Caller) Do(ctx context.Context, call Call) (Answer, error) {
	var body io.Reader
	switch {
	case call.Form != "":
		body = strings.NewReader(call.Form)
	case call.JSON != nil:
		raw, err := json.Marshal(call.JSON)
		if err != nil {
			return Answer{}, fmt.Errorf("%s: %w", call.Op, err)
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, call.Method, call.URL, body)
	if err != nil {
		return Answer{}, psa.Errorf(psa.ClassMisconfigured, call.Op, "The address of %s is not valid.", c.Kind.Title()).
			WithCure("Correct it in the connection.")
	}
	for k, v := range call.Header {
		req.Header[k] = v
	}
	if call.Form != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	} else if call.JSON != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if req.Header.Get("Accept") == "" {
		req.Header.Set("Accept", "application/json")
	}
	res, err := c.HTTP.Do(req)
	if err != nil {
		return Answer{}, c.broken(call, err)
	}
	a := Answer{res, call}
	switch {
	case res.Status == http.StatusTooManyRequests:
		return a, c.Limited(a)
	case res.Status >= 300 && res.Status < 400:
		return a, c.Errorf(psa.ClassMisconfigured, a, "%s points to another address instead of answering.", c.Kind.Title()).
			WithCure("Check the address in the connection: it must be the one of the API, with https.")
	}
	return a, nil
}

// broken says what a call without an answer means.
func (c *Caller) broken(call Call, err error) error {
	o, ok := errors.AsType[*outbound.Error](err)
	if !ok {
		return psa.Errorf(psa.ClassTemporary, call.Op, "%s could not be called.", c.Kind.Title()).WithCause(err)
	}
	title := c.Kind.Title()
	var e *psa.Error
	switch {
	case o.Problem == outbound.ProblemRefused:
		e = psa.Errorf(psa.ClassMisconfigured, call.Op, "The address of %s is in a network that Baton may not call.", title).
			WithCure("Use its public address, or have the operator of Baton allow the network for this connection.")
	case o.Problem == outbound.ProblemTooLarge:
		e = psa.Errorf(psa.ClassTemporary, call.Op, "%s answered with more than Baton reads.", title).
			WithCure("If it stays so, look at what stands at the connection's address.")
		e.GiveUpAfter = psa.Doubtful
	case o.Certificate:
		e = psa.Errorf(psa.ClassTemporary, call.Op, "The certificate of %s is not trusted.", title).
			WithCure("Have it renewed, or check the address in the connection.")
	case o.Unknown:
		e = psa.Errorf(psa.ClassTemporary, call.Op, "The host name of %s is not known.", title).
			WithCure("Check the address in the connection.")
	case errors.Is(err, context.Canceled):
		e = psa.Errorf(psa.ClassTemporary, call.Op, "The call to %s was cut short.", title)
	case errors.Is(err, context.DeadlineExceeded):
		e = psa.Errorf(psa.ClassTemporary, call.Op, "%s did not answer in time.", title)
	case o.Problem == outbound.ProblemNotSent:
		e = psa.Errorf(psa.ClassTemporary, call.Op, "%s cannot be reached.", title)
	default:
		e = psa.Errorf(psa.ClassTemporary, call.Op, "The connection to %s broke before it answered.", title)
	}
	if call.Write && (o.Problem == outbound.ProblemUnclear || o.Problem == outbound.ProblemTooLarge) {
		e.Class = psa.ClassUnclear
		if errors.Is(err, context.DeadlineExceeded) {
			e.RetryAfter = settle
		}
	}
	return e.WithCause(err)
}

// Ended gives an error of waiting for a turn, or for somebody else's call, a
// class.
func (call Call) Ended(err error) error {
	if _, ok := errors.AsType[*psa.Error](err); ok {
		return err
	}
	e := psa.AsError(err)
	e.Op = call.Op
	return e
}

// settle is how long to wait after a write that was not answered in time. The
// PSA may still be at it, and whoever looks for the note too soon does not find
// it and writes it again.
const settle = 15 * time.Second

// Errorf makes an error about an answer.
func (c *Caller) Errorf(class psa.Class, a Answer, format string, args ...any) *psa.Error {
	e := psa.Errorf(class, a.Call.Op, format, args...)
	e.Status = a.Status
	for _, h := range requestIDs {
		if id := psa.Safe(c.redact(a, a.Header.Get(h))); id != "" {
			e.RequestID = id
			break
		}
	}
	return e
}

// Limited is the error of an answer that asks to wait.
func (c *Caller) Limited(a Answer) *psa.Error {
	e := c.Errorf(psa.ClassRateLimited, a, "%s has had too many calls and asks to wait.", c.Kind.Title())
	e.RetryAfter = outbound.RetryAfter(a.Header, c.Now())
	return e
}

// HTML reports whether the answer is a page for browsers: a maintenance page,
// or one of a proxy or firewall in front of the PSA.
func (a Answer) HTML() bool {
	return strings.HasPrefix(strings.ToLower(a.Header.Get("Content-Type")), "text/html") ||
		bytes.HasPrefix(bytes.TrimSpace(a.Body), []byte("<"))
}

// Failure is the error of an answer with a failing status, by the habits that
// vendors share. Message is what the PSA says about it, if that is known.
func (c *Caller) Failure(a Answer, message string) *psa.Error {
	title := c.Kind.Title()
	said := c.Said(a, message)
	switch s := a.Status; {
	case a.HTML() && s < 500 && s != http.StatusUnauthorized:
		e := c.Errorf(psa.ClassTemporary, a, "Something in front of %s, a firewall perhaps, answered with a web page (status %d).", title, s).
			WithCure("If it stays so, have Baton's address allowed there.")
		e.GiveUpAfter = psa.Doubtful
		return e
	case s == http.StatusUnauthorized:
		return c.Unauthorized(a)
	case s == http.StatusForbidden:
		return c.Errorf(psa.ClassRejected, a, "%s does not permit this.%s", title, said).
			WithCure("Give the API user of the connection the right to read and update tickets and to add notes.")
	case s == http.StatusRequestTimeout, s == http.StatusTooEarly:
		return c.Errorf(c.lost(a), a, "%s took too long.", title)
	case s == http.StatusConflict, s == http.StatusLocked:
		return c.Errorf(psa.ClassTemporary, a, "The ticket is being changed by somebody else right now.")
	case s == http.StatusTooManyRequests:
		return c.Limited(a)
	case s >= 500:
		e := c.Errorf(c.lost(a), a, "%s is in trouble (status %d).", title, s)
		e.RetryAfter = outbound.RetryAfter(a.Header, c.Now())
		if s == http.StatusGatewayTimeout && a.Call.Write {
			e.RetryAfter = max(e.RetryAfter, settle)
		}
		return e
	default:
		return c.Errorf(psa.ClassRejected, a, "%s refused the request (status %d).%s", title, s, said).
			WithCure("Correct what it names on the ticket or in the connection, then retry.")
	}
}

// Unauthorized is the error of credentials that are not accepted.
func (c *Caller) Unauthorized(a Answer) *psa.Error {
	return c.Errorf(psa.ClassUnauthorized, a, "%s does not accept the connection's credentials.", c.Kind.Title()).
		WithCure("Enter new ones in the connection; what waits will then go on by itself.")
}

// Gone is the error of a ticket that is not there.
func (c *Caller) Gone(a Answer, ref string) *psa.Error {
	return c.Errorf(psa.ClassTicketGone, a, "There is no ticket %s in %s.", psa.Safe(ref), c.Kind.Title()).
		WithCure("It was deleted or merged, or the session names a wrong one. Correct the session's ticket, then retry.")
}

// lost is the class of an answer that does not tell whether something was done.
func (c *Caller) lost(a Answer) psa.Class {
	if a.Call.Write {
		return psa.ClassUnclear
	}
	return psa.ClassTemporary
}

// Said quotes the first line of a message of the PSA, made safe, as a sentence
// to append.
func (c *Caller) Said(a Answer, message string) string {
	message, _, _ = strings.Cut(strings.TrimSpace(message), "\n")
	message = psa.Safe(c.redact(a, message))
	if message == "" {
		return ""
	}
	return " It says: " + strings.TrimRight(message, ".") + "."
}

// redact removes the credentials from what a PSA says, and what was made of them
// for this call: a token, or their base64.
func (c *Caller) redact(a Answer, text string) string {
	_, made, _ := strings.Cut(a.Call.Header.Get("Authorization"), " ")
	return psa.Credentials{"": secrets.Secret(made)}.Redact(c.Creds.Redact(text))
}

// Decode reads the answer's JSON into v. Members that v does not have are
// ignored; what is not JSON, or of another shape, is an error.
func (c *Caller) Decode(a Answer, v any) error {
	if err := json.Unmarshal(a.Body, v); err != nil {
		return c.Garbled(a).WithCause(errNotJSON)
	}
	return nil
}

// Read reads the JSON of a success into v. Failed says what another answer
// means.
func (c *Caller) Read(a Answer, v any, failed func(Answer) *psa.Error) error {
	if a.Status != http.StatusOK && a.Status != http.StatusCreated {
		return failed(a)
	}
	return c.Decode(a, v)
}

// errNotJSON stands for a decoder's error, which would quote the answer.
var errNotJSON = errors.New("not the JSON that the API promises")

// Garbled is the error of an answer that cannot be what the API promises.
func (c *Caller) Garbled(a Answer) *psa.Error {
	what := "something that is not what its API promises"
	if a.HTML() {
		what = "a web page"
	}
	e := c.Errorf(c.lost(a), a, "%s answered with %s (status %d).", c.Kind.Title(), what, a.Status).
		WithCure("It may be under maintenance. If it stays so, check the address in the connection.")
	e.GiveUpAfter = psa.Doubtful
	return e
}

// ID is an id that vendors send as a number or as a string. It is empty for
// null.
type ID string

var errNotID = errors.New("neither a number nor a string")

// UnmarshalJSON reads a whole number, a string or null.
func (id *ID) UnmarshalJSON(raw []byte) error {
	switch {
	case string(raw) == "null":
		*id = ""
		return nil
	case len(raw) > 0 && raw[0] == '"':
		return json.Unmarshal(raw, (*string)(id))
	}
	n, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || n != float64(int64(n)) {
		return errNotID
	}
	*id = ID(strconv.FormatInt(int64(n), 10))
	return nil
}

// Int is the id as a number, which is what vendors take.
func (id ID) Int() (int64, bool) {
	n, err := strconv.ParseInt(string(id), 10, 64)
	return n, err == nil && n > 0
}

// Number reads the reference of a ticket that vendors know by a number: "123"
// or "#123".
func Number(ref string) (int64, bool) {
	return ID(strings.TrimPrefix(strings.TrimSpace(ref), "#")).Int()
}

// TicketID reads the id of a ticket of a vendor whose ids are numbers.
func TicketID(op, id string) (int64, error) {
	n, ok := Number(id)
	if !ok {
		return 0, psa.Errorf(psa.ClassTicketGone, op, "%q is not the id of a ticket.", psa.Safe(id))
	}
	return n, nil
}

// TooManyNotes is the error of a ticket whose notes have no end.
func TooManyNotes(op, ticketID string) *psa.Error {
	return psa.Errorf(psa.ClassRejected, op, "Ticket %s has more notes than Baton looks through.", ticketID).
		WithCure("Go on in a new ticket.")
}

// List is a JSON array, or one object that stands for an array of one.
type List[T any] []T

// UnmarshalJSON reads both.
func (l *List[T]) UnmarshalJSON(raw []byte) error {
	if raw = bytes.TrimSpace(raw); len(raw) > 0 && raw[0] == '{' {
		var one T
		if err := json.Unmarshal(raw, &one); err != nil {
			return err
		}
		*l = List[T]{one}
		return nil
	}
	return json.Unmarshal(raw, (*[]T)(l))
}

// Time is a time in any of the forms that vendors use, in UTC when it names no
// zone. It is zero for null, for the empty string and for what is no time:
// nothing depends on it.
type Time struct{ time.Time }

// UnmarshalJSON never fails on a string.
func (t *Time) UnmarshalJSON(raw []byte) error {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02"} {
		if at, err := time.Parse(layout, s); err == nil {
			t.Time = at.UTC()
			return nil
		}
	}
	return nil
}
