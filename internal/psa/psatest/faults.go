package psatest

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"
)

// FaultKind is a way to misbehave.
type FaultKind string

// The faults.
const (
	// FaultRefuse cuts the connection before anything is done.
	FaultRefuse FaultKind = "refuse"
	// FaultStatus answers with Status in the vendor's form; nothing is done.
	FaultStatus FaultKind = "status"
	// FaultStall holds the call until its client goes; nothing is done.
	FaultStall FaultKind = "stall"
	// FaultSlow waits for Delay, or until Until is closed, then does the call.
	FaultSlow FaultKind = "slow"
	// FaultRateLimit answers 429, with RetryAfter when it is set.
	FaultRateLimit FaultKind = "rate_limit"
	// FaultGarbage answers 200 with something that is not JSON.
	FaultGarbage FaultKind = "garbage"
	// FaultPage answers with a web page and Status, or 200.
	FaultPage FaultKind = "page"
	// FaultHuge answers 200 with a body that is too large to read.
	FaultHuge FaultKind = "huge"
	// FaultCredentials answers as if the credentials were wrong.
	FaultCredentials FaultKind = "credentials"
	// FaultPermission answers as if the API user had no right to do this.
	FaultPermission FaultKind = "permission"
	// FaultCommitThenDrop does the call and cuts the connection instead of
	// answering.
	FaultCommitThenDrop FaultKind = "commit_then_drop"
	// FaultCommitThenFail does the call and answers with Status, or 502.
	FaultCommitThenFail FaultKind = "commit_then_fail"
	// FaultFalseSuccess answers an update as usual without doing it.
	FaultFalseSuccess FaultKind = "false_success"
	// FaultRaw answers with Status, ContentType and Body; nothing is done.
	FaultRaw FaultKind = "raw"
	// FaultGossip answers with Status, or 200, and repeats the credentials of the
	// call in every member in which vendors say what is wrong; nothing is done.
	FaultGossip FaultKind = "gossip"
	// FaultRedirect points to another address.
	FaultRedirect FaultKind = "redirect"
)

// Fault is one misbehaviour.
type Fault struct {
	Kind FaultKind
	// On limits it to operations; none means all.
	On []Op
	// Status, RetryAfter (as the header has it), Delay and Until are for the
	// kinds that say so.
	Status     int
	RetryAfter string
	Delay      time.Duration
	Until      <-chan struct{}
	// Reached, when set, is sent to when the fault happens, unless nobody waits.
	Reached chan<- struct{}
	// Committed, when set, is called when the call was done and is not answered
	// yet. It may hold the answer back.
	Committed func(*http.Request)
	// ContentType and Body are for FaultRaw.
	ContentType string
	Body        []byte
}

func (f Fault) hits(op Op) bool { return len(f.On) == 0 || slices.Contains(f.On, op) }

// Faults decide which calls go wrong. What was asked for with Next comes first,
// then what stands, then chance. It is safe for concurrent use.
type Faults struct {
	mu       sync.Mutex
	next     []Fault
	standing []Fault
	random   *rand.Rand
	p        float64
	kinds    []Fault
}

func newFaults() *Faults { return &Faults{} }

// Next lets the next matching call go wrong, once for each fault, in order.
func (f *Faults) Next(faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = append(f.next, faults...)
}

// Set lets all matching calls go wrong until it is called again. Without
// faults, all is well.
func (f *Faults) Set(faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.standing = faults
}

// Standing returns what was set.
func (f *Faults) Standing() []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.standing)
}

// Random lets a part p of the calls go wrong by one of the faults, in the same
// way for the same seed and calls.
func (f *Faults) Random(seed uint64, p float64, faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.random, f.p, f.kinds = rand.New(rand.NewPCG(seed, seed)), p, faults
}

// Clear ends all trouble.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next, f.standing, f.random = nil, nil, nil
}

func (f *Faults) pick(op Op) (Fault, bool) {
	fault, found := f.choose(op)
	if fault.Reached != nil {
		select {
		case fault.Reached <- struct{}{}:
		default:
		}
	}
	return fault, found
}

func (f *Faults) choose(op Op) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, n := range f.next {
		if n.hits(op) {
			f.next = slices.Delete(f.next, i, i+1)
			return n, true
		}
	}
	for _, s := range f.standing {
		if s.hits(op) {
			return s, true
		}
	}
	if f.random != nil && f.random.Float64() < f.p {
		if k := f.kinds[f.random.IntN(len(f.kinds))]; k.hits(op) {
			return k, true
		}
	}
	return Fault{}, false
}

// wait waits as a fault says, or until the client has gone.
func (f Fault) wait(r *http.Request) {
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
	}
}
