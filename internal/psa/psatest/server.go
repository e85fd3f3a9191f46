package psatest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/baton-handoff/baton/internal/fakes"
	"github.com/baton-handoff/baton/internal/psa"
)

// Server is a fake of one vendor.
type Server interface {
	http.Handler
	// Desk is what is in it.
	Desk() *Desk
	// Connection is a connection to it, for an address like
	// http://127.0.0.1:8090, with the credentials that are good now.
	Connection(address string) psa.Connection
	// RotateCredentials makes the credentials so far bad.
	RotateCredentials()
	// Callback makes the vendor's signed call about a ticket: its headers and
	// body.
	Callback(address string, ticketID int64, action psa.Action) (http.Header, []byte)
}

// Signer signs any body as a fake's vendor does.
type Signer interface {
	Sign(body []byte) http.Header
}

// New makes the fake of a vendor; nil for an unknown one.
func New(k psa.Kind) Server {
	switch k {
	case psa.KindConnectWise:
		return NewConnectWise()
	case psa.KindAutotask:
		return NewAutotask()
	case psa.KindHaloPSA:
		return NewHaloPSA()
	}
	return nil
}

// SendCallback sends a vendor's signed call about a ticket to url, as the
// vendor does. An answer other than 2xx is an error.
func SendCallback(ctx context.Context, client *http.Client, s Server, address, url string, ticketID int64, action psa.Action) error {
	header, body := s.Callback(address, ticketID, action)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header = header
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20))
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("the callback was answered with %d", res.StatusCode)
	}
	return nil
}

// call is a request while it is answered.
type call struct {
	op       Op
	endpoint string
	path     string // without the prefix of the API
	r        *http.Request
	body     []byte
	// pretend says to answer an update without doing it.
	pretend bool
}

// vendor is what differs between the fakes.
type vendor interface {
	// route says what a request asks for. It does not check it.
	route(r *http.Request) (op Op, endpoint, path string)
	// answer does the call. It holds the desk's lock while it looks at it.
	answer(c call) reply
	failure(status int) reply
	credentials() reply
	permission() reply
	limited(retryAfter string) reply
	// crowded answers a call beyond those that may be under way at once; ok is
	// false where there is no such limit.
	crowded(endpoint string, underway int) (reply, bool)
}

const maxRequest = 1 << 20

// serve answers a request with whatever fault is due.
func serve(w http.ResponseWriter, r *http.Request, d *Desk, v vendor) {
	op, endpoint, path := v.route(r)
	seen := Request{At: d.now().UTC(), Op: op, Method: r.Method, Path: r.URL.Path}
	underway := d.enter(endpoint)
	defer d.leave(endpoint)
	defer func() { d.record(seen) }()

	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest+1))
	if err != nil || len(body) > maxRequest {
		seen.Status = write(w, v.failure(http.StatusRequestEntityTooLarge))
		return
	}
	fault := pick(d.faults, op)
	seen.Fault = fault.Kind
	switch fault.Kind {
	case FaultRefuse:
		fakes.Cut(w)
		return
	case FaultStall:
		<-r.Context().Done()
		return
	case FaultSlow:
		fakes.Wait(r.Context().Done(), fault.Delay, fault.Until)
	case FaultStatus:
		seen.Status = write(w, v.failure(fault.Status))
		return
	case FaultRateLimit:
		seen.Status = write(w, v.limited(fault.RetryAfter))
		return
	case FaultGarbage:
		seen.Status = write(w, reply{status: http.StatusOK, body: raw("\x00\x01{\"id\":")})
		return
	case FaultPage:
		status := fault.Status
		if status == 0 {
			status = http.StatusOK
		}
		seen.Status = write(w, reply{
			status: status, header: http.Header{"Content-Type": {"text/html; charset=utf-8"}},
			body: raw("<!DOCTYPE html><html><body><h1>Attention Required!</h1><p>secret-looking=hunter2hunter2</p></body></html>"),
		})
		return
	case FaultHuge:
		seen.Status = http.StatusOK
		fakes.Flood(w, r)
		return
	case FaultRaw:
		seen.Status = write(w, reply{status: fault.Status, header: http.Header{"Content-Type": {fault.ContentType}}, body: raw(fault.Body)})
		return
	case FaultGossip:
		status := fault.Status
		if status == 0 {
			status = http.StatusOK
		}
		seen.Status = write(w, reply{status: status, header: http.Header{"X-Request-Id": {told(r, body)}}, body: gossip(told(r, body))})
		return
	case FaultCredentials:
		seen.Status = write(w, v.credentials())
		return
	case FaultPermission:
		seen.Status = write(w, v.permission())
		return
	case FaultRedirect:
		seen.Status = write(w, reply{status: http.StatusFound, header: http.Header{"Location": {"http://127.0.0.1:1/elsewhere"}}})
		return
	default: // the rest happens to the answer
	}
	if crowd, ok := v.crowded(endpoint, underway); ok {
		seen.Status = write(w, crowd)
		return
	}
	res := v.answer(call{op: op, endpoint: endpoint, path: path, r: r, body: body, pretend: fault.Kind == FaultFalseSuccess})
	if fault.Committed != nil && res.status/100 == 2 {
		fault.Committed(r)
	}
	switch fault.Kind {
	case FaultCommitThenDrop:
		fakes.Cut(w)
		return
	case FaultCommitThenFail:
		status := fault.Status
		if status == 0 {
			status = http.StatusBadGateway
		}
		res = v.failure(status)
	default:
	}
	seen.Status = write(w, res)
}

// told is what a call says to be let in.
func told(r *http.Request, body []byte) string {
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	all := []string{token, r.Header.Get("Secret"), r.Header.Get("ApiIntegrationCode"), r.Header.Get("clientId")}
	if form, err := parseForm(body); err == nil {
		all = append(all, form.Get("client_secret"))
	}
	return strings.Join(strings.Fields(strings.Join(all, " ")), " ")
}

// gossip says something in every shape at once.
func gossip(said string) any {
	return map[string]any{
		"code": said, "message": said, "Message": said, "errorMessage": said, "error": said, "error_description": said,
		"errors": []any{said, map[string]any{"code": said, "message": said, "resource": said, "field": said}},
	}
}

func write(w http.ResponseWriter, res reply) int {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	for k, v := range res.header {
		h[k] = v
	}
	var body []byte
	switch b := res.body.(type) {
	case nil:
	case raw:
		body = []byte(b)
	default:
		body, _ = json.Marshal(b)
	}
	w.WriteHeader(res.status)
	_, _ = w.Write(body)
	return res.status
}

func ok(body any) reply { return reply{status: http.StatusOK, body: body} }

// number reads an id from a path or query.
func number(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

// unknownMember names a member of a JSON object that is not in the list.
func unknownMember(object map[string]json.RawMessage, known string) string {
	for name := range object {
		if !strings.Contains(" "+known+" ", " "+name+" ") {
			return name
		}
	}
	return ""
}

func parseForm(body []byte) (url.Values, error) { return url.ParseQuery(string(body)) }
