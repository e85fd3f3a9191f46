package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/baton-handoff/baton/api/gen"
	"github.com/baton-handoff/baton/models"
)

// codeMethodNotAllowed is the one code that means nothing outside HTTP.
const codeMethodNotAllowed models.Code = "method_not_allowed"

// kind is how a code looks over HTTP.
type kind struct {
	status int
	title  string
}

// kinds is the one mapping of error codes to HTTP.
var kinds = map[models.Code]kind{
	models.CodeInvalid:             {http.StatusBadRequest, "The request is not acceptable"},
	models.CodeSchema:              {http.StatusUnprocessableEntity, "The request does not fit the API"},
	models.CodeUnauthenticated:     {http.StatusUnauthorized, "Sign in"},
	models.CodeForbidden:           {http.StatusForbidden, "Not allowed"},
	models.CodeNotFound:            {http.StatusNotFound, "Not found"},
	codeMethodNotAllowed:           {http.StatusMethodNotAllowed, "No such method"},
	models.CodeAlreadyClaimed:      {http.StatusConflict, "Somebody else was first"},
	models.CodeReserved:            {http.StatusConflict, "Kept for somebody else"},
	models.CodeAlreadyHandedOff:    {http.StatusConflict, "Already handed off"},
	models.CodeClosed:              {http.StatusConflict, "Closed"},
	models.CodeConflict:            {http.StatusConflict, "Not possible now"},
	models.CodeIdempotencyMismatch: {http.StatusUnprocessableEntity, "The key was used for another request"},
	models.CodeTooLarge:            {http.StatusRequestEntityTooLarge, "Too large"},
	models.CodeUnsupportedMedia:    {http.StatusUnsupportedMediaType, "Not JSON"},
	models.CodeUnavailable:         {http.StatusServiceUnavailable, "Not available now"},
	models.CodeOutcomeUnknown:      {http.StatusGatewayTimeout, "The outcome is not known yet"},
	models.CodeInternal:            {http.StatusInternalServerError, "A fault of ours"},
}

// defaultRetryAfter is told when the error does not say when to come back.
const defaultRetryAfter = 2 * time.Second

// fail answers with the problem that err is, and ends the request.
func (s *Server) fail(c *gin.Context, err error) {
	c.Abort()
	e := classify(c.Request, err)
	r := requestOf(c.Request.Context())
	r.code, r.err = e.Code, err
	if c.Writer.Written() {
		return // The answer has begun; the log is all that is left to tell.
	}
	body, encodingErr := json.Marshal(problem(e, c.Request.URL.Path, r.id))
	if encodingErr != nil {
		panic(encodingErr) // a plain struct of ours
	}
	h := c.Writer.Header()
	h.Set("Content-Type", "application/problem+json")
	if e.Code == models.CodeUnauthenticated {
		h.Set("WWW-Authenticate", challenge(c.Request))
	}
	if e.Code == models.CodeUnavailable || e.Code == models.CodeOutcomeUnknown {
		wait := cmp.Or(e.RetryAfter, defaultRetryAfter)
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
	c.Status(kinds[e.Code].status)
	_, _ = c.Writer.Write(body) // the reader is gone; nobody is left to tell
}

// challenge is what RFC 6750 has a server say to who sent no token, and to who
// sent one that does not do.
func challenge(r *http.Request) string {
	if r.Header.Get("Authorization") == "" {
		return "Bearer"
	}
	return `Bearer error="invalid_token"`
}

// classify finds the error to answer with. What nobody has classified is a
// fault of ours, except that a request that ran out of time may have been
// carried out when it was one that changes something.
func classify(r *http.Request, err error) *models.Error {
	var e *models.Error
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &e):
		if _, known := kinds[e.Code]; known && e.Code != models.CodeInternal {
			return e
		}
	case errors.As(err, &tooLarge):
		return models.Errorf(models.CodeTooLarge, "The body is larger than %d bytes.", tooLarge.Limit)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		if r.Method == http.MethodGet {
			return models.Errorf(models.CodeUnavailable, "This took too long. Try again.")
		}
		return models.Errorf(models.CodeOutcomeUnknown, "This took too long, and may have been carried out. Repeat it with the same Idempotency-Key.")
	}
	return models.Errorf(models.CodeInternal, "Something went wrong on our side. Quote the request id when you ask for help.")
}

func problem(e *models.Error, instance, requestID string) gen.Problem {
	k := kinds[e.Code]
	p := gen.Problem{
		Type: "/docs#error-" + string(e.Code), Title: k.title, Status: k.status,
		Detail: detail(e), Instance: instance, Code: gen.ProblemCode(e.Code), RequestID: requestID, Errors: nil,
	}
	if len(e.Fields) > 0 {
		errs := make([]gen.FieldProblem, len(e.Fields))
		for i, f := range e.Fields {
			errs[i] = gen.FieldProblem{Field: f.Field, Message: f.Message}
		}
		p.Errors = &errs
	}
	return p
}

// detail is the message; for a lost claim the object that today's web app reads
// there, and for one that came too early its like.
func detail(e *models.Error) gen.Problem_Detail {
	var d gen.Problem_Detail
	var err error
	switch {
	case e.Code == models.CodeAlreadyClaimed && e.Claim != nil:
		err = d.FromAlreadyClaimed(gen.AlreadyClaimed{
			Error: string(e.Code), ClaimedByID: e.Claim.ByID, ClaimedByName: e.Claim.ByName, ClaimedAt: e.Claim.At.UTC(),
		})
	case e.Code == models.CodeReserved && e.Reservation != nil:
		err = d.FromReserved(gen.Reserved{
			Error: string(e.Code), ReservedForID: e.Reservation.ForID, ReservedForName: e.Reservation.ForName,
			ReservedUntil: e.Reservation.Until.UTC(),
		})
	default:
		err = d.FromProblemDetail0(e.Message)
	}
	if err != nil {
		panic(err) // plain values of ours
	}
	return d
}
