package outbound

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newClient(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := New(o)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func get(t *testing.T, c *Client, url string) (Response, *Error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	return do(t, c, req)
}

func do(t *testing.T, c *Client, req *http.Request) (Response, *Error) {
	t.Helper()
	res, err := c.Do(req)
	if err == nil {
		return res, nil
	}
	e, ok := errors.AsType[*Error](err)
	require.True(t, ok, "%v", err)
	return res, e
}

// serve starts a server that counts its requests.
func serve(t *testing.T, h http.HandlerFunc) (s *httptest.Server, port uint16, seen *atomic.Int32) {
	t.Helper()
	seen = &atomic.Int32{}
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Add(1)
		h(w, r)
	}))
	t.Cleanup(s.Close)
	return s, netip.MustParseAddrPort(s.Listener.Addr().String()).Port(), seen
}

func TestPrivateAddressesAreRefused(t *testing.T) {
	t.Parallel()
	_, port, seen := serve(t, func(http.ResponseWriter, *http.Request) {})
	strict := newClient(t, Options{Ports: []uint16{80, 443, port}})
	for _, host := range []string{
		"127.0.0.1", "127.8.8.8", "localhost", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "169.254.169.254",
		"[::ffff:169.254.169.254]", "[fd00:ec2::254]", "[fe80::1]", "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "192.0.0.1",
		"198.18.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "[fc00::1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::127.0.0.1]",
		"[2001:db8::1]",
	} {
		for _, at := range []string{"http://" + host + "/", "https://" + host + "/"} {
			_, e := get(t, strict, at)
			require.NotNil(t, e, at)
			require.Equal(t, ProblemRefused, e.Problem, "%s: %v", at, e)
		}
	}
	// What is allowed for one range opens no other.
	lan := newClient(t, Options{Allow: append(Private(), netip.MustParsePrefix("128.0.0.0/1")), Ports: []uint16{port}})
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "169.254.169.254", "[::ffff:127.0.0.1]", "[fd00:ec2::254]", "[fe80::1%25lo]", "224.0.0.1"} {
		_, e := get(t, lan, "http://"+host+":"+portOf(port)+"/")
		require.NotNil(t, e, host)
		require.Equal(t, ProblemRefused, e.Problem, host)
	}
	// Neither does one port.
	other := newClient(t, Options{Allow: Loopback()})
	_, e := get(t, other, "http://127.0.0.1:"+portOf(port)+"/")
	require.Equal(t, ProblemRefused, e.Problem)
	require.Zero(t, seen.Load())

	open := newClient(t, Options{Allow: Loopback(), Ports: []uint16{port}})
	for _, host := range []string{"127.0.0.1", "localhost"} {
		res, e := get(t, open, "http://"+host+":"+portOf(port)+"/")
		require.Nil(t, e)
		require.Equal(t, http.StatusOK, res.Status)
	}
}

func portOf(p uint16) string {
	_, s, _ := net.SplitHostPort(netip.AddrPortFrom(netip.IPv4Unspecified(), p).String())
	return s
}

func TestSomeRangesAreNeverAllowed(t *testing.T) {
	t.Parallel()
	for _, p := range []string{"0.0.0.0/0", "::/0", "169.254.0.0/16", "169.254.169.254/32", "fe80::/64", "0.0.0.0/32", "::/128", "::ffff:10.0.0.0/104", "224.0.0.0/4", "fd00:ec2::254/128"} {
		_, err := New(Options{Allow: []netip.Prefix{netip.MustParsePrefix(p)}})
		require.Error(t, err, p)
	}
	_, err := New(Options{Allow: []netip.Prefix{{}}})
	require.Error(t, err)
}

// rebind answers DNS queries: the first with a public address, and all later
// ones with a loopback address.
func rebind(t *testing.T) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		asked := 0
		buf := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			q := buf[12:n]
			end := strings.IndexByte(string(q), 0) + 5 // name, type, class
			if end < 5 || end > len(q) {
				continue
			}
			isA := binary.BigEndian.Uint16(q[end-4:]) == 1
			out := append([]byte{buf[0], buf[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, q[:end]...)
			if isA {
				out[7] = 1
				ip := net.IPv4(127, 0, 0, 1)
				if asked == 0 {
					ip = net.IPv4(10, 1, 2, 3) // not reachable from here either
				}
				asked++
				out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
				out = append(out, ip.To4()...)
			}
			_, _ = conn.WriteTo(out, from)
		}
	}()
	t.Cleanup(func() { _ = conn.Close(); <-done })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func TestNamesAreCheckedWhenConnecting(t *testing.T) {
	t.Parallel()
	_, port, seen := serve(t, func(http.ResponseWriter, *http.Request) {})
	c := newClient(t, Options{Ports: []uint16{port}, resolver: rebind(t)})
	for range 3 {
		_, e := get(t, c, "http://psa.example.com:"+portOf(port)+"/")
		require.NotNil(t, e)
		require.Equal(t, ProblemRefused, e.Problem, "%v", e)
	}
	require.Zero(t, seen.Load())
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	s, port, seen := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/again", http.StatusFound)
	})
	c := newClient(t, Options{Allow: Loopback(), Ports: []uint16{port}})
	res, e := get(t, c, s.URL)
	require.Nil(t, e)
	require.Equal(t, http.StatusFound, res.Status)
	require.EqualValues(t, 1, seen.Load())
}

func TestProxiesAreNotUsed(t *testing.T) {
	s, port, seen := serve(t, func(http.ResponseWriter, *http.Request) {})
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, s.URL)
	}
	c := newClient(t, Options{Ports: []uint16{80, port}})
	_, e := get(t, c, "http://10.0.0.1/")
	require.Equal(t, ProblemRefused, e.Problem)
	require.Zero(t, seen.Load())
}

func TestWhatMayHaveBeenDone(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	var gzipped atomic.Bool
	s, port, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		gzipped.Store(r.Header.Get("Accept-Encoding") == "gzip")
		switch r.URL.Path {
		case "/drop":
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = conn.Close()
			}
		case "/stall":
			select {
			case <-release:
			case <-r.Context().Done():
			}
		case "/large":
			_, _ = w.Write([]byte(strings.Repeat("x", 1001)))
		case "/fits":
			_, _ = w.Write([]byte(strings.Repeat("x", 1000)))
		case "/half":
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("half"))
		case "/agent":
			_, _ = w.Write([]byte(r.UserAgent()))
		}
	})
	defer close(release)
	c := newClient(t, Options{Allow: Loopback(), Ports: []uint16{port, 1}, MaxBody: 1000, UserAgent: "baton/1.2"})
	for path, want := range map[string]Problem{"/drop": ProblemUnclear, "/large": ProblemTooLarge, "/half": ProblemUnclear} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path+"?token=hunter2", strings.NewReader("{}"))
		require.NoError(t, err)
		_, e := do(t, c, req)
		require.NotNil(t, e, path)
		require.Equal(t, want, e.Problem, "%s: %v", path, e)
		require.NotContains(t, e.Error(), "hunter2")
	}
	res, e := get(t, c, s.URL+"/fits")
	require.Nil(t, e)
	require.Len(t, res.Body, 1000)
	require.True(t, gzipped.Load())
	res, e = get(t, c, s.URL+"/agent")
	require.Nil(t, e)
	require.Equal(t, "baton/1.2", string(res.Body))

	_, e = get(t, c, "http://127.0.0.1:1/")
	require.Equal(t, ProblemNotSent, e.Problem)
	_, e = get(t, c, "http://does-not-exist.invalid/")
	require.Equal(t, ProblemNotSent, e.Problem)

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/stall", strings.NewReader("{}"))
	require.NoError(t, err)
	_, e = do(t, c, req)
	require.Equal(t, ProblemUnclear, e.Problem)
	require.ErrorIs(t, e, context.DeadlineExceeded)
	_, e = do(t, c, req) // already over: nothing is sent
	require.Equal(t, ProblemNotSent, e.Problem)

	quick := newClient(t, Options{Allow: Loopback(), Ports: []uint16{port}, Timeout: 50 * time.Millisecond})
	_, e = get(t, quick, s.URL+"/stall")
	require.Equal(t, ProblemUnclear, e.Problem)
}

func TestCertificatesAreChecked(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ErrorLog = nil
	defer s.Close()
	port := netip.MustParseAddrPort(s.Listener.Addr().String()).Port()
	c := newClient(t, Options{Allow: Loopback(), Ports: []uint16{port}})
	_, e := get(t, c, s.URL)
	require.Equal(t, ProblemNotSent, e.Problem)
	require.True(t, e.Certificate)
	trusting := newClient(t, Options{Allow: Loopback(), Ports: []uint16{port}, TLS: s.Client().Transport.(*http.Transport).TLSClientConfig})
	res, e := get(t, trusting, s.URL)
	require.Nil(t, e)
	require.Equal(t, http.StatusOK, res.Status)
}

func TestTheDialerIsGuardedToo(t *testing.T) {
	t.Parallel()
	_, port, seen := serve(t, func(http.ResponseWriter, *http.Request) {})
	at := net.JoinHostPort("localhost", portOf(port))
	for _, o := range []Options{{}, {Ports: []uint16{port}}, {Allow: Loopback()}} {
		d, err := NewDialer(o)
		require.NoError(t, err)
		_, err = d.DialContext(t.Context(), "tcp", at)
		require.Error(t, err)
		require.Equal(t, ProblemRefused, ErrorOf(err, false).Problem)
	}
	open, err := NewDialer(Options{Allow: Loopback(), Ports: []uint16{port}})
	require.NoError(t, err)
	conn, err := open.DialContext(t.Context(), "tcp", at)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	require.Zero(t, seen.Load())
	_, err = NewDialer(Options{Allow: []netip.Prefix{netip.MustParsePrefix("169.254.0.0/16")}})
	require.Error(t, err)
}
