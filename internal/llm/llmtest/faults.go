package llmtest

import (
	"net/http"
	"time"

	"github.com/baton-handoff/baton/internal/fakes"
)

// FaultKind is a way to misbehave.
type FaultKind string

// The faults of the service: no answer of the model comes.
const (
	// FaultCut cuts the connection before anything is answered.
	FaultCut FaultKind = "cut"
	// FaultCutBody cuts it in the middle of the answer. It is billed.
	FaultCutBody FaultKind = "cut_body"
	// FaultStall holds the call until its client goes.
	FaultStall FaultKind = "stall"
	// FaultStatus answers with Status, or 500, in the service's form.
	FaultStatus FaultKind = "status"
	// FaultRateLimit answers 429, with RetryAfter when it is set.
	FaultRateLimit FaultKind = "rate_limit"
	// FaultOverloaded says that there is too much to do: 529, or 503 of OpenAI.
	FaultOverloaded FaultKind = "overloaded"
	// FaultSpendLimit says that the money is used up.
	FaultSpendLimit FaultKind = "spend_limit"
	// FaultOwnSpendLimit is the limit that the customer set: 400 of Anthropic.
	FaultOwnSpendLimit FaultKind = "own_spend_limit"
	// FaultCredentials answers as if the key were wrong.
	FaultCredentials FaultKind = "credentials"
	// FaultPermission answers as if the key might not use the model.
	FaultPermission FaultKind = "permission"
	// FaultModelGone answers as if the model were unknown.
	FaultModelGone FaultKind = "model_gone"
	// FaultSchema answers as if the schema were too complex.
	FaultSchema FaultKind = "schema"
	// FaultTooLong answers as if the prompt were longer than the context.
	FaultTooLong FaultKind = "too_long"
	// FaultGarbage answers 200 with something that is not JSON.
	FaultGarbage FaultKind = "garbage"
	// FaultPage answers with a web page and Status, or 200.
	FaultPage FaultKind = "page"
	// FaultHuge answers 200 with a body that is too large to read.
	FaultHuge FaultKind = "huge"
	// FaultRedirect points to another address.
	FaultRedirect FaultKind = "redirect"
	// FaultRaw answers with Status, Header and Body.
	FaultRaw FaultKind = "raw"
)

// The faults of the model: an answer comes, and is billed.
const (
	// FaultSlow waits for Delay, or until Until is closed, then answers.
	FaultSlow FaultKind = "slow"
	// FaultRefusal declines to answer.
	FaultRefusal FaultKind = "refusal"
	// FaultMaxTokens stops in the middle, as if the tokens were used up.
	FaultMaxTokens FaultKind = "max_tokens"
	// FaultEmpty ends without a text.
	FaultEmpty FaultKind = "empty"
	// FaultAnswer answers with what Answer says, such as [WrongSchema].
	FaultAnswer FaultKind = "answer"
)

// Fault is one misbehaviour.
type Fault struct {
	Kind FaultKind
	// Status, RetryAfter (as the header has it), Delay, Until, Header, Body and
	// Answer are for the kinds that say so.
	Status     int
	RetryAfter string
	Delay      time.Duration
	Until      <-chan struct{}
	Header     http.Header
	Body       []byte
	Answer     func(Request) string
	// Reached, when set, is sent to when the fault happens, unless it is full.
	Reached chan<- struct{}
}

// Faults decide which calls go wrong.
type Faults = fakes.Faults[Fault]

// pick is the fault that is due.
func pick(f *Faults) Fault {
	fault := f.Pick(func(Fault) bool { return true })
	fakes.Tell(fault.Reached)
	return fault
}
