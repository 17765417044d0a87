package testkit

import (
	"fmt"
	"net"
	"sync"
	"time"
)

// Link is a TCP path to a server that can be cut, stalled or delayed. It listens on a port of
// its own, which stays the same, and ends with the test. Its methods are safe for concurrent
// use.
type Link struct {
	Addr string // 127.0.0.1:port

	target string
	listen net.Listener
	wg     sync.WaitGroup

	mu      sync.Mutex
	change  *sync.Cond // stalled, muted, closed or refuse has changed
	closed  bool
	stalled bool
	muted   bool
	refuse  bool
	delay   time.Duration
	budget  int64 // bytes that the server may still send before the cut; -1: no bound
	pairs   map[*pair]struct{}
}

// pair is one connection through the link.
type pair struct{ client, server net.Conn }

func (p *pair) close() {
	for _, c := range []net.Conn{p.client, p.server} {
		if tc, ok := c.(*net.TCPConn); ok {
			tc.SetLinger(0) // a reset, as a broken path gives
		}
		c.Close()
	}
}

// NewLink starts a link to addr.
func NewLink(t TB, addr string) *Link {
	t.Helper()
	listen, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", Port(t)))
	if err != nil {
		t.Fatalf("testkit: link: %v", err)
	}
	l := &Link{Addr: listen.Addr().String(), target: addr, listen: listen, budget: -1, pairs: make(map[*pair]struct{})}
	l.change = sync.NewCond(&l.mu)
	l.wg.Go(l.accept)
	t.Cleanup(l.close)
	return l
}

func (l *Link) close() {
	l.mu.Lock()
	l.closed = true
	l.change.Broadcast()
	l.mu.Unlock()
	l.listen.Close()
	l.Cut()
	l.wg.Wait()
}

func (l *Link) accept() {
	for {
		client, err := l.listen.Accept()
		if err != nil {
			return
		}
		l.wg.Go(func() { l.serve(client) })
	}
}

func (l *Link) serve(client net.Conn) {
	l.mu.Lock()
	refuse := l.refuse || l.closed
	l.mu.Unlock()
	p := &pair{client: client}
	if refuse {
		client.(*net.TCPConn).SetLinger(0)
		client.Close()
		return
	}
	server, err := net.DialTimeout("tcp", l.target, 10*time.Second)
	if err != nil {
		client.Close()
		return
	}
	p.server = server
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		p.close()
		return
	}
	l.pairs[p] = struct{}{}
	l.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { l.copy(p, server, client, false) })
	l.copy(p, client, server, true)
	both.Wait()
	l.mu.Lock()
	delete(l.pairs, p)
	l.mu.Unlock()
}

// copy passes bytes on until one side ends, and then ends the other.
func (l *Link) copy(p *pair, dst, src net.Conn, fromServer bool) {
	buf := make([]byte, 16<<10)
	for {
		n, err := src.Read(buf)
		n, open := l.pass(p, n, fromServer)
		if n > 0 {
			if _, werr := dst.Write(buf[:n]); werr != nil {
				err = werr
			}
		}
		if !open {
			p.close()
			return
		}
		if err != nil {
			p.client.Close()
			p.server.Close()
			return
		}
	}
}

// pass waits as the link's state demands, and tells how many of n bytes may go on and
// whether the connection lives.
func (l *Link) pass(p *pair, n int, fromServer bool) (int, bool) {
	l.mu.Lock()
	delay := l.delay
	l.mu.Unlock()
	if delay > 0 && n > 0 {
		time.Sleep(delay)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for (l.stalled || l.muted && fromServer) && !l.closed && n > 0 {
		if _, alive := l.pairs[p]; !alive {
			return 0, false
		}
		l.change.Wait()
	}
	if _, alive := l.pairs[p]; l.closed || !alive {
		return 0, false
	}
	if fromServer && l.budget >= 0 {
		if int64(n) >= l.budget {
			n, l.budget = int(l.budget), 0
			return n, false
		}
		l.budget -= int64(n)
	}
	return n, true
}

// Cut resets every connection. New ones are let through (see Refuse).
func (l *Link) Cut() {
	l.mu.Lock()
	cut := l.pairs
	l.pairs = make(map[*pair]struct{})
	l.change.Broadcast()
	l.mu.Unlock()
	for p := range cut {
		p.close()
	}
}

// Connections tells how many connections pass through the link.
func (l *Link) Connections() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.pairs)
}

// Stall holds back all bytes, in both directions, until Resume: nothing is lost or closed.
func (l *Link) Stall() { l.set(func() { l.stalled = true }) }

// Mute holds back what the server sends until Resume: it does what it is asked for, and
// nobody hears of it. A Cut before makes that so for good.
func (l *Link) Mute() { l.set(func() { l.muted = true }) }

// Resume ends a Stall and a Mute.
func (l *Link) Resume() { l.set(func() { l.stalled, l.muted = false, false }) }

// Refuse resets new connections at once, or lets them through again.
func (l *Link) Refuse(on bool) { l.set(func() { l.refuse = on }) }

// Delay lets each piece of data in either direction arrive later. 0 ends it.
func (l *Link) Delay(d time.Duration) { l.set(func() { l.delay = d }) }

// CutAfter resets the connection over which the server's n-th byte from now goes, after that
// byte, and every connection over which the server sends later. -1 ends it.
func (l *Link) CutAfter(n int64) { l.set(func() { l.budget = n }) }

func (l *Link) set(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	l.change.Broadcast()
}
