package llmtest

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"
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

// Faults decide which calls go wrong. What was asked for with Next comes first,
// then what stands, then chance. It is safe for concurrent use.
type Faults struct {
	mu       sync.Mutex
	next     []Fault
	standing *Fault
	random   *rand.Rand
	p        float64
	kinds    []Fault
}

// Next lets the next calls go wrong, one for each fault, in order.
func (f *Faults) Next(faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = append(f.next, faults...)
}

// Set lets all calls go wrong until Clear.
func (f *Faults) Set(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.standing = &fault
}

// Random lets a part p of the calls go wrong by one of the faults, in the same
// way for the same seed and order of calls.
func (f *Faults) Random(seed uint64, p float64, faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.random, f.p, f.kinds = rand.New(rand.NewPCG(seed, seed)), p, slices.Clone(faults)
}

// Clear ends all trouble.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next, f.standing, f.random = nil, nil, nil
}

func (f *Faults) pick() Fault {
	fault := f.choose()
	if fault.Reached != nil {
		select {
		case fault.Reached <- struct{}{}:
		default:
		}
	}
	return fault
}

func (f *Faults) choose() Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case len(f.next) > 0:
		next := f.next[0]
		f.next = f.next[1:]
		return next
	case f.standing != nil:
		return *f.standing
	case f.random != nil && len(f.kinds) > 0 && f.random.Float64() < f.p:
		return f.kinds[f.random.IntN(len(f.kinds))]
	}
	return Fault{}
}

// wait waits as a fault says. It is false when the client has gone meanwhile.
func (f Fault) wait(r *http.Request) bool {
	var timer <-chan time.Time
	if f.Until == nil {
		t := time.NewTimer(f.Delay)
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-timer:
	case <-f.Until:
	case <-r.Context().Done():
		return false
	}
	return true
}
