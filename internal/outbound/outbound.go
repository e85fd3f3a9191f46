// Package outbound is the one way by which Baton calls addresses that an
// account's people typed in: PSAs, and later chat and webhooks.
//
// Such an address may point at anything, so the dialer checks the IP address
// it is about to connect to, after the name was resolved: a name that resolves
// to a private address, or to another one the second time (DNS rebinding), is
// refused like the address itself. Redirects are not followed, a proxy from
// the environment is not used, and bodies and phases are bounded.
package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// Options say what a [Client] may do. The zero value is the strictest.
type Options struct {
	// UserAgent is sent with each request. Empty means "baton".
	UserAgent string
	// Allow lists address ranges that are reachable although they are private
	// or reserved: that of an on-premises PSA, say. An operator of the
	// deployment decides about it, never an account by itself: it opens the
	// deployment's own network. The link-local ranges, where clouds keep their
	// credentials, stay closed whatever is allowed.
	Allow []netip.Prefix
	// Ports are the ports that may be dialed. Empty means 80 and 443.
	Ports []uint16
	// MaxBody bounds a response's body in bytes. Zero means 8 MiB.
	MaxBody int64
	// Timeout bounds a request from the first dial to the last byte of its
	// body. Zero means 30 seconds. The context may end it earlier.
	Timeout time.Duration
	// TLS is used instead of the system's settings. For tests.
	TLS *tls.Config

	resolver *net.Resolver // for tests
}

const (
	defaultMaxBody = 8 << 20
	defaultTimeout = 30 * time.Second
	dialTimeout    = 10 * time.Second
	tlsTimeout     = 10 * time.Second
	maxHeader      = 64 << 10
)

// Client calls addresses that Baton does not trust. It is safe for concurrent
// use and keeps connections; [Client.Close] lets them go.
type Client struct {
	http      *http.Client
	transport *http.Transport
	userAgent string
	maxBody   int64
	timeout   time.Duration
}

// never lists ranges that no option opens: this network, the link-local ones
// with the clouds' metadata services, and multicast.
func never() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"),
		netip.MustParsePrefix("169.254.0.0/16"),
		netip.MustParsePrefix("224.0.0.0/3"),
		netip.MustParsePrefix("::/128"),
		netip.MustParsePrefix("fe80::/10"),
		netip.MustParsePrefix("fd00:ec2::/32"), // AWS's metadata service
		netip.MustParsePrefix("ff00::/8"),
		netip.MustParsePrefix("::ffff:0:0/96"),
	}
}

// Private returns the ranges of private networks (RFC 1918, RFC 4193), for
// [Options.Allow]. It contains no loopback address.
func Private() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"),
		netip.MustParsePrefix("172.16.0.0/12"),
		netip.MustParsePrefix("192.168.0.0/16"),
		netip.MustParsePrefix("fc00::/7"),
	}
}

// Loopback returns this machine's own ranges, for [Options.Allow]. For tests
// and the sandbox.
func Loopback() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}

// NewDialer makes the dialer of a client, for protocols other than HTTP. It
// fails when o allows what may never be allowed. Only Allow and Ports matter.
func NewDialer(o Options) (*net.Dialer, error) {
	var allow4, allow6 []netip.Prefix
	for _, p := range o.Allow {
		if !p.IsValid() {
			return nil, errors.New("an allowed address range is not valid")
		}
		if p.Bits() == 0 {
			return nil, fmt.Errorf("the address range %s may not be allowed: it is all there is", p)
		}
		for _, n := range never() {
			if n.Overlaps(p) && n.Bits() <= p.Bits() {
				return nil, fmt.Errorf("the address range %s may not be allowed: it is within %s", p, n)
			}
		}
		if p.Addr().Is4() {
			allow4 = append(allow4, p)
		} else {
			allow6 = append(allow6, p)
		}
	}
	guards := []ssrf.Option{ssrf.WithAllowedV4Prefixes(allow4...), ssrf.WithAllowedV6Prefixes(allow6...)}
	if len(o.Ports) > 0 {
		guards = append(guards, ssrf.WithPorts(o.Ports...))
	}
	guard, closed := ssrf.New(guards...), never()
	control := func(network, address string, conn syscall.RawConn) error {
		if at, err := netip.ParseAddrPort(address); err == nil {
			for _, n := range closed {
				if n.Contains(at.Addr().WithZone("")) {
					return fmt.Errorf("%w: %s is never a destination", ssrf.ErrProhibitedIP, n)
				}
			}
		}
		return guard.Safe(network, address, conn)
	}
	return &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second, Resolver: o.resolver, Control: control}, nil
}

// New makes a client. It fails when o allows what may never be allowed.
func New(o Options) (*Client, error) {
	dialer, err := NewDialer(o)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy:                  nil, // a proxy would connect for us, past the guard
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    tlsTimeout,
		TLSClientConfig:        o.TLS.Clone(),
		MaxResponseHeaderBytes: maxHeader,
		MaxIdleConnsPerHost:    4,
		MaxConnsPerHost:        16,
		IdleConnTimeout:        60 * time.Second,
		ExpectContinueTimeout:  time.Second,
	}
	c := &Client{transport: transport, userAgent: o.UserAgent, maxBody: o.MaxBody, timeout: o.Timeout}
	if c.userAgent == "" {
		c.userAgent = "baton"
	}
	if c.maxBody <= 0 {
		c.maxBody = defaultMaxBody
	}
	if c.timeout <= 0 {
		c.timeout = defaultTimeout
	}
	transport.ResponseHeaderTimeout = c.timeout
	c.http = &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// InMemory makes a client that calls a transport instead of the network, and
// has no guard. It is for fuzzing, which needs many calls a second.
func InMemory(transport http.RoundTripper) *Client {
	return &Client{
		http: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		transport: &http.Transport{}, userAgent: "baton", maxBody: defaultMaxBody, timeout: defaultTimeout,
	}
}

// Close closes the connections that are not in use.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Response is an answer whose body was read.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Problem says why there is no [Response].
type Problem int

// The problems.
const (
	// ProblemNotSent is a request that did not reach the server: the name is
	// unknown, nobody listens, the handshake failed.
	ProblemNotSent Problem = iota + 1
	// ProblemRefused is a request that the guard refused.
	ProblemRefused
	// ProblemUnclear is a request that the server may have acted upon: the
	// connection broke, or time was up, after something was sent.
	ProblemUnclear
	// ProblemTooLarge is an answer over the bound. The server acted.
	ProblemTooLarge
)

// Error is the error of [Client.Do].
type Error struct {
	Problem Problem
	// Certificate is set when the server's certificate is not trusted.
	Certificate bool
	// Unknown is set when the name of the host does not exist.
	Unknown bool
	cause   error
}

// Error says what happened, without the URL, which may hold a secret.
func (e *Error) Error() string {
	switch e.Problem {
	case ProblemRefused:
		return "the address is not allowed: " + e.cause.Error()
	case ProblemTooLarge:
		return "the answer is too large"
	case ProblemUnclear:
		return "no answer: " + e.cause.Error()
	default:
		return "not reached: " + e.cause.Error()
	}
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

var errTooLarge = errors.New("body over the bound")

// ErrorOf says what the error of a connection made with [NewDialer] means.
func ErrorOf(err error, sent bool) *Error { return problem(err, sent) }

// Do sends req and reads the whole answer, whatever its status. It follows no
// redirect. Its error is an [*Error] that tells whether the server may have
// acted.
func (c *Client) Do(req *http.Request) (Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), c.timeout)
	defer cancel()
	var sent atomic.Bool
	// From the first byte of the header on, the server may have acted.
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaders: func() { sent.Store(true) },
	})
	req = req.Clone(ctx)
	req.Header.Set("User-Agent", c.userAgent)
	res, err := c.http.Do(req)
	if err != nil {
		return Response{}, problem(err, sent.Load())
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, c.maxBody+1))
	if err != nil {
		return Response{}, problem(err, true)
	}
	if int64(len(body)) > c.maxBody {
		return Response{}, &Error{Problem: ProblemTooLarge, cause: errTooLarge}
	}
	return Response{Status: res.StatusCode, Header: res.Header, Body: body}, nil
}

func problem(err error, sent bool) *Error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // its text would quote the URL
	}
	e := &Error{Problem: ProblemNotSent, cause: err}
	for _, refused := range []error{ssrf.ErrProhibitedIP, ssrf.ErrProhibitedPort, ssrf.ErrProhibitedNetwork, ssrf.ErrInvalidHostPort} {
		if errors.Is(err, refused) {
			e.Problem = ProblemRefused
		}
	}
	if sent && e.Problem != ProblemRefused {
		e.Problem = ProblemUnclear
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		e.Certificate = true
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		e.Unknown = dns.IsNotFound
	}
	return e
}
