package email

import (
	"net"
	"sync"
)

// tracked knows the connections of one conversation, to end it when its context
// ends and to leave none behind: go-mail does not close one that failed early.
type tracked struct {
	mu     sync.Mutex
	conns  []net.Conn
	closed bool
}

func (t *tracked) add(c net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		_ = c.Close()
		return
	}
	t.conns = append(t.conns, c)
}

func (t *tracked) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for _, c := range t.conns {
		_ = c.Close()
	}
	t.conns = nil
}
