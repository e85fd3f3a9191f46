package psatest

import (
	"net/http"
	"slices"
	"time"

	"github.com/baton-handoff/baton/internal/fakes"
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

// Faults decide which calls go wrong.
type Faults = fakes.Faults[Fault]

// pick is the fault that is due for an operation.
func pick(f *Faults, op Op) Fault {
	fault := f.Pick(func(f Fault) bool { return f.hits(op) })
	fakes.Tell(fault.Reached)
	return fault
}
