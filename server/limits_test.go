package server

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/wire"
)

// TestMaxConnections: one more is answered 1040, in the form that MySQL and MariaDB use
// before the greeting, and a place that becomes free is given again.
func TestMaxConnections(t *testing.T) {
	f := start(t, Options{MaxConnections: 3})
	a, _, half := f.greeted(t).login("app"), f.greeted(t).login("app"), f.greeted(t)
	for range 3 {
		p := f.dial(t)
		if b := p.read(); string(b) != "\xff\x10\x04Too many connections" || p.seq != 1 {
			t.Fatalf("got %q", b)
		}
		p.wantClosed()
	}
	half.Close()
	eventually(t, "the half open connection is gone", func() bool { return f.open() == 2 })
	f.greeted(t).login("app")
	a.Close()
	eventually(t, "the client is gone", func() bool { return f.open() == 2 })
	f.greeted(t).login("app").wantWho("user=app")
}

func TestMaxPerUser(t *testing.T) {
	f := start(t, Options{MaxPerUser: 2})
	a := f.greeted(t).login("app")
	f.greeted(t).login("app")
	p := f.greeted(t)
	p.wantErrorIn(p.authenticate("app", everybody["app"], nativePassword, false), 1203, "User app already has more than 'max_user_connections'")
	p.wantClosed()
	p = f.greeted(t)
	p.wantErrorIn(p.authenticate("app", "wrong", nativePassword, false), 1045, "Access denied")
	f.greeted(t).login("other")
	a.Close()
	eventually(t, "the client is gone", func() bool { return f.Find(a.id) == nil })
	f.greeted(t).login("app")
}

// TestHerd: all clients at once, more than may log in at the same time, are all served.
func TestHerd(t *testing.T) {
	f := start(t, Options{})
	const n = 3 * maxLoginsSource
	var wg sync.WaitGroup
	ids := make(chan uint32, n)
	for range n {
		wg.Go(func() {
			nc, err := net.Dial("tcp", f.addr)
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { nc.Close() })
			p := &peer{t: quiet{t}, Conn: nc}
			p.readGreeting()
			p.login("app")
			ids <- p.id
		})
	}
	wg.Wait()
	close(ids)
	seen := map[uint32]bool{}
	for id := range ids {
		seen[id] = true
	}
	if len(seen) != n || len(f.Clients()) != n {
		t.Errorf("%d different ids, %d clients", len(seen), len(f.Clients()))
	}
	for i, c := range f.Clients() {
		if f.Find(c.ID) != c || i > 0 && f.Clients()[i-1].ID >= c.ID {
			t.Fatalf("client %d is not found, or out of order", c.ID)
		}
		if i > 20 {
			break
		}
	}
}

// TestSilentAddresses: so many addresses that open connections and say nothing that they have all places, and each more of
// them waiting, do not keep out another's logins for long; those that they have do not end where nobody else waits.
func TestSilentAddresses(t *testing.T) {
	f := start(t, Options{HandshakeTimeout: time.Minute, MaxConnections: 4000})
	var crowd []net.Conn
	for last := range byte(maxLogins / maxLoginsSource) {
		from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, 1+last)}}
		for range 2 * maxLoginsSource {
			nc, err := from.Dial("tcp", f.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			crowd = append(crowd, nc)
		}
	}
	all := func() bool {
		f.gate.mu.Lock()
		defer f.gate.mu.Unlock()
		return f.gate.under == maxLogins
	}
	eventually(t, "all places are taken", func() bool { return f.open() == len(crowd) && all() })
	for range 20 {
		f.greeted(t).login("app").wantWho("user=app")
	}
	if n := f.open(); n < len(crowd)-40 {
		t.Errorf("for 20 logins %d were ended", len(crowd)+20-n)
	}
	for _, nc := range crowd {
		nc.Close()
	}
	eventually(t, "the gate has forgotten them", func() bool {
		f.gate.mu.Lock()
		defer f.gate.mu.Unlock()
		return len(f.gate.sources) == 0 && len(f.gate.lines) == 0 && f.gate.under == 0 && f.gate.ending == 0
	})
}

// TestGateSpares: a client that has spoken keeps its place for as long as its login takes, and a silent one for a while.
func TestGateSpares(t *testing.T) {
	g := newGate(0)
	addr := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}) }
	var seats []*seat
	ended := make(chan int, maxLogins)
	for i := range maxLogins {
		s, err := g.enter(addr(i), time.Minute, nil, func() { ended <- i })
		if err != nil {
			t.Fatal(err)
		}
		seats = append(seats, s)
		if i != 7 && !s.spoken() {
			t.Fatal(i)
		}
	}
	stop := make(chan struct{})
	close(stop)
	if _, err := g.enter(addr(9999), time.Minute, stop, nil); err != errStopped {
		t.Errorf("a place was had: %v", err)
	}
	g.mu.Lock()
	for _, s := range seats {
		s.since = s.since.Add(-patient)
	}
	g.timed = false // what it waits for has come
	g.mu.Unlock()
	late := make(chan error)
	go func() {
		s, err := g.enter(addr(9999), time.Minute, nil, nil)
		if err == nil {
			s.leave()
		}
		late <- err
	}()
	if i := <-ended; i != 7 {
		t.Errorf("client %d was ended", i)
	}
	if seats[7].spoken() {
		t.Error("it does not know")
	}
	seats[7].leave()
	if err := <-late; err != nil {
		t.Error(err)
	}
	for i, s := range seats {
		if i != 7 {
			s.leave()
		}
	}
	if len(ended) > 0 || len(g.sources) > 0 || g.under != 0 {
		t.Errorf("%d more were ended; %d, %d", len(ended), len(g.sources), g.under)
	}
}

// TestHealthChecks: one that connects and ends, with a reset or not, is worth no line in the log.
func TestHealthChecks(t *testing.T) {
	f := start(t, Options{})
	for _, reset := range []bool{false, true} {
		p := f.greeted(t)
		if reset {
			p.Conn.(*net.TCPConn).SetLinger(0)
		}
		p.Close()
		eventually(t, "the check is gone", func() bool { return f.open() == 0 })
	}
	if n := strings.Count(f.log.String(), "level=WARN"); n != 0 {
		t.Errorf("%d lines", n)
	}
}

// quiet is a test whose failures do not end a goroutine that is not its own.
type quiet struct{ testing.TB }

func (q quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (q quiet) Fatal(args ...any)                 { panic(fmt.Sprint(args...)) }

// TestSilentCrowd: an address that opens connections and says nothing fills its own places
// and leaves the others theirs.
func TestSilentCrowd(t *testing.T) {
	f := start(t, Options{HandshakeTimeout: 20 * time.Second, MaxConnections: 600})
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	var crowd []net.Conn
	for range 400 { // of which 300 may wait
		nc, err := from.Dial("tcp", f.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		crowd = append(crowd, nc)
	}
	greeted, refused := 0, 0
	heard := map[net.Conn]bool{}
	eventually(t, "all places are taken and the rest is refused", func() bool {
		for _, nc := range crowd {
			b := make([]byte, 5)
			if heard[nc] || !unread(nc.(*net.TCPConn)) {
				continue
			}
			heard[nc] = true
			if _, err := io.ReadFull(nc, b); err != nil {
				t.Fatal(err)
			}
			if b[4] == 10 {
				greeted++
			} else {
				refused++
			}
		}
		return greeted == maxLoginsSource && refused == 100 && f.open() == 300
	})
	f.greeted(t).login("app").wantWho("user=app")
	for _, nc := range crowd {
		nc.Close()
	}
	eventually(t, "the crowd is gone", func() bool { return f.open() == 1 })
	eventually(t, "the gate has forgotten it", func() bool {
		f.gate.mu.Lock()
		defer f.gate.mu.Unlock()
		return len(f.gate.sources) == 0
	})
}

// TestSlowReader: a client that asks for much and reads nothing is cut off.
func TestSlowReader(t *testing.T) {
	f := start(t, Options{StallTimeout: 300 * time.Millisecond})
	p := f.greeted(t).login("app")
	p.seq = 0
	p.send([]byte("\x03BIG"))
	eventually(t, "the client is cut off", func() bool { return f.open() == 0 })
	slow := f.greeted(t).login("app") // takes a little, again and again: that is no reason
	slow.seq = 0
	slow.send([]byte("\x03BIG"))
	b := make([]byte, 4<<20)
	for range 10 {
		time.Sleep(100 * time.Millisecond)
		if _, err := io.ReadFull(slow, b); err != nil {
			t.Fatalf("a slow reader was cut off: %v", err)
		}
	}
}

// TestPortInUse: the error says which port it is.
func TestPortInUse(t *testing.T) {
	f := start(t, Options{})
	err := New(Options{Name: "admin"}, everybody, f).Listen(f.addr)
	if err == nil || !strings.Contains(err.Error(), "admin port cannot listen on "+f.addr) || !strings.Contains(err.Error(), "in use") {
		t.Errorf("%v", err)
	}
}

// TestIDs: ids come round again, and are not given to two.
func TestIDs(t *testing.T) {
	next := []uint32{7, 7, 7, 0, 8}
	f := start(t, Options{IDs: func() uint32 { id := next[0]; next = next[1:]; return id }})
	a := f.greeted(t).login("app")
	b := f.greeted(t).login("app")
	if a.id != 7 || b.id != 8 {
		t.Errorf("%d and %d", a.id, b.id)
	}
}

// TestPacketLimit: MaxHandshake ends with the login.
func TestPacketLimit(t *testing.T) {
	f := start(t, Options{MaxHandshake: 1000, MaxPacket: 100000})
	p := f.greeted(t).login("app")
	if b := p.command(wire.ComPing, strings.Repeat("x", 99000)); !wire.IsOK(b) {
		t.Errorf("%q", b)
	}
	p.seq = 0
	p.send(bytes.Repeat([]byte("x"), 100001))
	p.wantError(1153, "")
}
