package devstack

import (
	"fmt"
	"net"
	"strconv"
)

const loopback = "127.0.0.1"

// hostPort is port on 127.0.0.1.
func hostPort(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }

// pickPorts replaces each 0 by a free port, each different. Nothing reserves
// them afterwards, so what is started on them must be prepared to find them
// taken. A port that was asked for must be free now: then the error can say
// which one is not.
func pickPorts(wanted ...int) ([]int, error) {
	ports := make([]int, len(wanted))
	for i, port := range wanted {
		listener, err := net.Listen("tcp4", hostPort(port))
		if err != nil {
			if port == 0 {
				return nil, fmt.Errorf("find a free port: %w", err)
			}
			return nil, fmt.Errorf("port %d is not free: stop what uses it, or choose another one (%w)", port, err)
		}
		// Open until all are chosen, or one port could be given out twice.
		defer listener.Close()
		ports[i] = listener.Addr().(*net.TCPAddr).Port
		if port == 0 {
			keepAway(listener)
		}
	}
	return ports, nil
}

// keepAway makes the system choose other ports for a minute: one that has just
// had a connection, closed from this side, is not given to those who ask for
// any, while a server that asks for it by number gets it. When it fails, the
// port is as likely to be taken as before.
func keepAway(listener net.Listener) {
	client, err := net.Dial("tcp4", listener.Addr().String())
	if err != nil {
		return
	}
	defer client.Close()
	if server, err := listener.Accept(); err == nil {
		server.Close()
	}
}
