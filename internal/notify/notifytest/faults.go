// Package notifytest has the other ends of the channels: a mail server, Slack,
// Teams and a webhook's receiver, at the wire. They are as strict as the real
// ones, or stricter where those fail silently, share no code with the channels,
// and misbehave when they are told to ([Faults]). The sandbox uses them as well.
package notifytest

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/baton-handoff/baton/internal/fakes"
)

// Op is what is asked of a service.
type Op string

// The operations, of all services. Those of mail are SMTP's commands, those of
// Slack its methods.
const (
	OpMailConnect Op = "CONNECT"
	OpMailAuth    Op = "AUTH"
	OpMailFrom    Op = "MAIL"
	OpMailRcpt    Op = "RCPT"
	// OpMailData is the mail itself, when all of it has been read.
	OpMailData Op = "DATA"

	OpSlackPost    Op = "chat.postMessage"
	OpSlackUpdate  Op = "chat.update"
	OpSlackHistory Op = "conversations.history"
	OpSlackOpen    Op = "conversations.open"
	OpSlackByEmail Op = "users.lookupByEmail"
	OpSlackUser    Op = "users.info"
	OpSlackAuth    Op = "auth.test"
	OpSlackRespond Op = "response_url"

	OpTeamsPost   Op = "teams.post"
	OpWebhookPost Op = "webhook.post"
)

// FaultKind is a way to misbehave.
type FaultKind string

// The faults. All services know the first group.
const (
	// FaultDrop cuts the connection before anything is done.
	FaultDrop FaultKind = "drop"
	// FaultCommitThenDrop takes the message and cuts the connection instead of
	// answering.
	FaultCommitThenDrop FaultKind = "commit_then_drop"
	// FaultStatus answers with Status; nothing is done. For mail it is the code
	// of SMTP, with Enhanced.
	FaultStatus FaultKind = "status"
	// FaultSlow waits for Delay, or until Until is closed, then does the call.
	FaultSlow FaultKind = "slow"
	// FaultStall holds the call until its client goes; nothing is done.
	FaultStall FaultKind = "stall"

	// FaultRateLimit answers 429, with RetryAfter when it is set. HTTP only.
	FaultRateLimit FaultKind = "rate_limit"
	// FaultCommitThenFail takes the message and answers with Status, or 502.
	// HTTP only.
	FaultCommitThenFail FaultKind = "commit_then_fail"
	// FaultGarbage answers 200 with a web page. HTTP only.
	FaultGarbage FaultKind = "garbage"
	// FaultRedirect points to another address. HTTP only.
	FaultRedirect FaultKind = "redirect"
	// FaultError answers 200 and ok:false with Error. Slack only.
	FaultError FaultKind = "error"
)

// Fault is one misbehaviour.
type Fault struct {
	Kind FaultKind
	// On limits it to operations; none means all.
	On []Op
	// Status, Enhanced (such as "5.1.1"), Error, RetryAfter (as the header has
	// it), Delay and Until are for the kinds that say so.
	Status     int
	Enhanced   string
	Error      string
	RetryAfter string
	Delay      time.Duration
	Until      <-chan struct{}
	// Reached, when set, is sent to when the fault happens, unless nobody waits.
	Reached chan<- struct{}
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

// reply is an answer over HTTP.
type reply struct {
	status      int
	contentType string
	header      http.Header
	body        string
}

// serve answers a request with whatever fault is due. Do does the call. Fail,
// when it is not nil, writes Slack's own form of an error.
func serve(f *Faults, w http.ResponseWriter, r *http.Request, op Op, do func() reply, fail func(code string) reply) {
	fault := pick(f, op)
	switch fault.Kind {
	case FaultDrop:
		fakes.Cut(w)
		return
	case FaultStall:
		<-r.Context().Done()
		return
	case FaultSlow:
		fakes.Wait(r.Context().Done(), fault.Delay, fault.Until)
	case FaultStatus:
		write(w, reply{status: fault.Status, contentType: "text/html", body: trouble})
		return
	case FaultRateLimit:
		res := reply{status: http.StatusTooManyRequests, header: http.Header{}}
		if fault.RetryAfter != "" {
			res.header.Set("Retry-After", fault.RetryAfter)
		}
		write(w, res)
		return
	case FaultGarbage:
		write(w, reply{status: http.StatusOK, contentType: "text/html", body: trouble})
		return
	case FaultRedirect:
		write(w, reply{status: http.StatusFound, header: http.Header{"Location": {"http://127.0.0.1:1/elsewhere"}}})
		return
	case FaultError:
		if fail != nil {
			write(w, fail(fault.Error))
			return
		}
	default:
	}
	res := do()
	switch fault.Kind {
	case FaultCommitThenDrop:
		fakes.Cut(w)
		return
	case FaultCommitThenFail:
		status := fault.Status
		if status == 0 {
			status = http.StatusBadGateway
		}
		res = reply{status: status, contentType: "text/html", body: trouble}
	default:
	}
	write(w, res)
}

// trouble is what must not come back in an error.
const trouble = "<!DOCTYPE html><html><body><h1>Trouble</h1><p>secret-looking=hunter2hunter2</p></body></html>"

func write(w http.ResponseWriter, res reply) {
	for k, v := range res.header {
		w.Header()[k] = v
	}
	if res.contentType != "" {
		w.Header().Set("Content-Type", res.contentType)
	}
	w.WriteHeader(res.status)
	_, _ = w.Write([]byte(res.body))
}

// jsonType reports whether a request says that its body is JSON.
func jsonType(r *http.Request) bool {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return strings.TrimSpace(kind) == "application/json"
}
