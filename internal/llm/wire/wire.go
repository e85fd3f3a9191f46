// Package wire is what the adapters share: a call's way to the network, and
// what a call without an answer means.
//
// The SDKs build requests and read answers. What went wrong is judged by what
// came over the wire and not by the errors of the SDKs, which retry, quote
// bodies and differ.
package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/baton-handoff/baton/internal/llm"
	"github.com/baton-handoff/baton/internal/outbound"
)

// MaxBody bounds an answer. It is far over what a model writes in one call.
const MaxBody = 4 << 20

// Exchange is one call. It is the HTTP client that an SDK gets for it, and
// remembers what came.
type Exchange struct {
	client *outbound.Client
	key    string
	res    outbound.Response
	err    error
	called bool
}

// New makes the exchange of one call. The key is only compared with: nothing
// that holds it is repeated.
func New(client *outbound.Client, key string) *Exchange { return &Exchange{client: client, key: key} }

var errTwice = errors.New("an SDK called twice; retries are Temporal's")

// Do sends the request, once.
func (x *Exchange) Do(req *http.Request) (*http.Response, error) {
	if x.called {
		return nil, errTwice
	}
	x.called = true
	if x.res, x.err = x.client.Do(req); x.err != nil {
		return nil, x.err
	}
	return &http.Response{
		StatusCode: x.res.Status, Status: http.StatusText(x.res.Status), Header: x.res.Header, Request: req,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(bytes.NewReader(x.res.Body)), ContentLength: int64(len(x.res.Body)),
	}, nil
}

// Failure is the error of a call that has no successful answer, and nil for
// one that has. It needs the error of the SDK only to see that there was one:
// a success that the SDK could not read is no answer either.
func (x *Exchange) Failure(ctx context.Context, sdk error) *llm.Error {
	switch {
	case ctx.Err() != nil && (x.err != nil || sdk != nil):
		return llm.Errorf(llm.ClassTemporary, "The call to the model was cut short.").WithCause(ctx.Err())
	case !x.called:
		return llm.Errorf(llm.ClassMisconfigured, "The call to the model could not be made.").
			WithCure("Check the address, the model and the key in Baton's configuration.")
	case x.err != nil:
		return broken(x.err)
	case x.res.Status < 200 || x.res.Status > 299:
		return x.failed()
	case sdk != nil:
		return x.Bad("something that is not what its API promises")
	}
	return nil
}

// broken says what a call without an answer means.
func broken(err error) *llm.Error {
	temporary := func(reason string) *llm.Error { return llm.Errorf(llm.ClassTemporary, "%s", reason).WithCause(err) }
	o, ok := errors.AsType[*outbound.Error](err)
	switch {
	case !ok:
		return temporary("The model's service could not be called.")
	case o.Problem == outbound.ProblemRefused:
		return llm.Errorf(llm.ClassMisconfigured, "The address of the model's service is in a network that Baton may not call.").
			WithCure("Use its public address, or allow its network in Baton's configuration.").WithCause(err)
	case o.Problem == outbound.ProblemTooLarge:
		return doubtful(llm.Errorf(llm.ClassBadAnswer, "The model's service answered with more than Baton reads.").WithCause(err))
	case o.Certificate:
		return temporary("The certificate of the model's service is not trusted.").
			WithCure("Have it renewed, or check the address in Baton's configuration.")
	case o.Unknown:
		return temporary("The host name of the model's service is not known.").
			WithCure("If it stays so, check the address in Baton's configuration.")
	case errors.Is(err, context.DeadlineExceeded):
		return temporary("The model did not answer in time.")
	case o.Problem == outbound.ProblemNotSent:
		return temporary("The model's service cannot be reached.")
	default:
		return temporary("The connection to the model's service broke before it answered.")
	}
}

// said is what a failing answer says of itself. Both APIs use an object
// "error"; what is not there is empty.
type said struct {
	Type, Code, Param, Message string
}

// read reads the body of a failing answer. Services that only resemble the
// APIs put anything there.
func read(body []byte) (s said, ok bool) {
	var outer struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(body, &outer) != nil || len(outer.Error) == 0 {
		return said{}, false
	}
	if json.Unmarshal(outer.Error, &s.Message) == nil { // Ollama's own API: {"error":"…"}
		return s, true
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(outer.Error, &members) != nil {
		return said{}, false
	}
	text := func(m map[string]json.RawMessage, name string) (t string) {
		_ = json.Unmarshal(m[name], &t)
		return t
	}
	s = said{text(members, "type"), text(members, "code"), text(members, "param"), text(members, "message")}
	var details map[string]json.RawMessage
	if json.Unmarshal(members["details"], &details) == nil {
		if code := text(details, "error_code"); code != "" {
			s.Code = code
		}
	}
	return s, true
}

// is reports whether the type or code is one of names.
func (s said) is(names ...string) bool {
	return slices.Contains(names, s.Type) || slices.Contains(names, s.Code)
}

// mentions reports whether the message holds one of phrases.
func (s said) mentions(phrases ...string) bool {
	message := strings.ToLower(s.Message)
	return slices.ContainsFunc(phrases, func(p string) bool { return strings.Contains(message, p) })
}

// failed is the error of an answer with a failing status. Headers such as
// x-should-retry, which steer the SDKs, do not decide here: a spend limit stays
// one, and an outage is worth another attempt.
func (x *Exchange) failed() *llm.Error {
	s, isJSON := read(x.res.Body)
	e := x.classify(s, isJSON)
	e.Status, e.RequestID = x.res.Status, x.RequestID()
	e.Code = x.safe(s.Code, code)
	if e.Code == "" {
		e.Code = x.safe(s.Type, code)
	}
	if param := x.safe(s.Param, path); param != "" {
		e.Code = strings.TrimSpace(e.Code + " " + param)
	}
	return e
}

func (x *Exchange) classify(s said, isJSON bool) *llm.Error {
	status := x.res.Status
	retryAfter := outbound.RetryAfter(x.res.Header, time.Now())
	retry := func(class llm.Class, reason string) *llm.Error {
		e := llm.Errorf(class, "%s", reason)
		e.RetryAfter = retryAfter
		return e
	}
	switch {
	case status >= 500 && (status == statusOverloaded || s.is("overloaded_error") || s.mentions("overloaded")):
		return retry(llm.ClassOverloaded, "The model's service has too much to do and asks to come back later.")
	case status >= 500:
		return retry(llm.ClassTemporary, "The model's service is in trouble.")
	case status < 400:
		return llm.Errorf(llm.ClassMisconfigured, "The model's service points to another address instead of answering.").
			WithCure("Check the address in Baton's configuration: it must be the one of the API, with https.")
	case spent(status, s):
		return llm.Errorf(llm.ClassSpendLimit, "The limit of what may be spent on the model is reached, or its balance is used up.").
			WithCure("Raise the limit or top up the balance at the model's service, or wait for its next month.")
	case status == http.StatusTooManyRequests:
		return retry(llm.ClassRateLimited, "The model's service has had too many calls and asks to wait.")
	case status == http.StatusUnauthorized:
		return llm.Errorf(llm.ClassUnauthorized, "The model's service does not accept the key.").
			WithCure("Set a valid key in Baton's configuration.")
	case !isJSON && x.page() && status != http.StatusNotFound && status != http.StatusMethodNotAllowed:
		return doubtful(llm.Errorf(llm.ClassTemporary, "Something in front of the model's service, a firewall perhaps, answered with a web page.").
			WithCure("If it stays so, have Baton's address allowed there."))
	case status == http.StatusForbidden:
		return llm.Errorf(llm.ClassUnauthorized, "The model's service does not permit this key to use the model.").
			WithCure("Give the key the right to use it, or choose another model in Baton's configuration.")
	case status == http.StatusRequestTimeout, status == http.StatusConflict, status == http.StatusTooEarly:
		return retry(llm.ClassTemporary, "The model's service could not take the call now.")
	case status == http.StatusRequestEntityTooLarge, s.is("request_too_large", "context_length_exceeded", "string_above_max_length"),
		s.mentions("prompt is too long", "maximum context length", "exceeds the context", "context window", "exceed context limit"):
		return llm.Errorf(llm.ClassTooLarge, "The session is too long for the model.").
			WithCure("Choose a model with a longer context in Baton's configuration, or let less of a session be sent.")
	case s.is("content_filter", "content_policy_violation", "invalid_prompt"):
		return Refused()
	case status == http.StatusNotFound && isJSON, s.is("model_not_found"):
		return llm.Errorf(llm.ClassMisconfigured, "The model's service does not know the configured model.").
			WithCure("Correct the model's id in Baton's configuration; models are retired from time to time.")
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed:
		return llm.Errorf(llm.ClassMisconfigured, "There is no model's API at the configured address.").
			WithCure("Correct the address in Baton's configuration, and whether it ends with /v1.")
	case s.mentions("max_tokens", "max_completion_tokens") && s.is("unsupported_parameter"):
		return llm.Errorf(llm.ClassMisconfigured, "The model's service calls the limit of tokens by another name.").
			WithCure("Switch between max_tokens and max_completion_tokens in Baton's configuration.")
	case s.mentions("schema", "response_format", "output_config", "json_schema") || s.Param == "response_format":
		return llm.Errorf(llm.ClassMisconfigured, "The model's service does not take the schema of the answer.").
			WithCure("Choose a model with structured outputs, or another format in Baton's configuration.")
	default:
		return llm.Errorf(llm.ClassMisconfigured, "The model's service refused the call as invalid.").
			WithCure("Check the model and its options in Baton's configuration against the service's documentation.")
	}
}

const statusOverloaded = 529

// spent reports whether an answer says that money is used up. Anthropic says so
// with 429 and a code, with 402, or with 400 and a sentence; OpenAI with 429
// and a code.
func spent(status int, s said) bool {
	return status == http.StatusPaymentRequired ||
		s.is("enforced_spend_limit_reached", "billing_error", "insufficient_quota", "credit_balance_exhausted",
			"billing_hard_limit_reached", "billing_not_active") ||
		status == http.StatusBadRequest && s.mentions("reached your specified api usage limits", "credit balance is too low")
}

// page reports whether the answer is a page for browsers.
func (x *Exchange) page() bool {
	return strings.HasPrefix(strings.ToLower(x.res.Header.Get("Content-Type")), "text/html") ||
		bytes.HasPrefix(bytes.TrimSpace(x.res.Body), []byte("<"))
}

// Bad is the error of a success that is not an answer of the API.
func (x *Exchange) Bad(what string) *llm.Error {
	if x.page() {
		what = "a web page"
	}
	e := llm.Errorf(llm.ClassBadAnswer, "The model's service answered with %s.", what).
		WithCure("If it stays so, check the address in Baton's configuration.")
	e.Status, e.RequestID = x.res.Status, x.RequestID()
	return doubtful(e)
}

// Refused is the error of a question that the model does not want to answer.
func Refused() *llm.Error {
	return llm.Errorf(llm.ClassRefused, "The model declined to answer for this session.")
}

// Truncated is the error of an answer that was cut at its bound.
func Truncated() *llm.Error {
	return llm.Errorf(llm.ClassTruncated, "The model's answer was cut: it needs more tokens than it was given.")
}

// NoFit is the error of a question that is too long for the model.
func NoFit() *llm.Error {
	return llm.Errorf(llm.ClassTooLarge, "The session is too long for the model's context.").
		WithCure("Choose a model with a longer context in Baton's configuration, or let less of a session be sent.")
}

// About adds what is known of the call to an error about its answer.
func (x *Exchange) About(e *llm.Error) *llm.Error {
	c := *e
	c.Status, c.RequestID = x.res.Status, x.RequestID()
	return &c
}

func doubtful(e *llm.Error) *llm.Error {
	e.GiveUpAfter = llm.Doubtful
	return e
}

var (
	// code and path are how services name errors and parameters. A key or a
	// sentence does not look like that.
	code = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
	path = regexp.MustCompile(`^[a-z][a-z0-9_.\[\]]{0,63}$`)
	// name is how they name calls and models.
	name = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:/@+-]{0,127}$`)
)

func (x *Exchange) safe(s string, shape *regexp.Regexp) string {
	if !shape.MatchString(s) || x.key != "" && strings.Contains(s, x.key) {
		return ""
	}
	return s
}

// RequestID is the service's name for the call, if it gave one.
func (x *Exchange) RequestID() string {
	for _, header := range []string{"request-id", "x-request-id", "cf-ray"} {
		if id := x.safe(x.res.Header.Get(header), name); id != "" {
			return id
		}
	}
	return ""
}

// Model is the id by which the service calls the model that answered, or else
// the configured one.
func (x *Exchange) Model(answered, configured string) string {
	if m := x.safe(answered, name); m != "" {
		return m
	}
	return configured
}
