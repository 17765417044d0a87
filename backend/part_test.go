package backend

import (
	"net"
	"sync/atomic"
	"testing"
	"time"

	"sluice/engine"
	"sluice/internal/testkit"
	"sluice/shard"
	"sluice/wire"
)

// part has a lease end with statements whose answers are not waited for.
func part(t *testing.T, c *Conn, statements ...string) (thread uint32) {
	t.Helper()
	if err := c.Part(statements...); err != nil {
		t.Fatal(err)
	}
	c.Put()
	return c.ThreadID()
}

// age has the idle connections be older.
func (p *pool) age(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.idle[0] {
		c.idleSince = c.idleSince.Add(-d)
	}
}

// unread counts the idle connections whose last answers have not been read, come those of which something is there.
func (p *pool) unread() (all, come int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.idle[0] {
		if c.parted {
			all++
			if c.Readable() {
				come++
			}
		}
	}
	return all, come
}

func (p *pool) has(thread uint32) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.all {
		if c.ThreadID() == thread {
			return true
		}
	}
	return false
}

// eachDriven runs f with connections that goroutines wait for, and with such that an engine drives.
func eachDriven(t *testing.T, f func(t *testing.T, e *engine.Engine)) {
	t.Run("goroutines", func(t *testing.T) { f(t, nil) })
	t.Run("engine", func(t *testing.T) {
		e, err := engine.New(1)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(e.Close)
		f(t, e)
	})
}

// TestPart: a connection whose last answers nobody waited for is as good as another, or is nobody's.
func TestPart(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, s *testkit.Server) {
		eachDriven(t, func(t *testing.T, e *engine.Engine) { testPart(t, s, e) })
	})
}

func testPart(t *testing.T, s *testkit.Server, e *engine.Engine) {
	p := open(t, Options{Engine: e}, mapOf(t, shard.Backend{MaxConnections: 8}, s.Addr))
	pl := p.table.Load().byName["s0"]
	begin := func() *Conn {
		t.Helper()
		c := get(t, p, "mysql", nil)
		if c.Driven() != (e != nil) {
			t.Fatalf("driven: %v", c.Driven())
		}
		exec(t, c, "BEGIN")
		if got := value(t, c, "SELECT COUNT(*) > 0 FROM user"); got != "1" {
			t.Fatalf("got %s", got)
		}
		return c
	}
	answered := func(n int) {
		t.Helper()
		eventually(t, "answers", func() bool { _, come := pl.unread(); return come == n })
	}
	swept := func() {
		t.Helper()
		eventually(t, "the sweeper reads them", func() bool {
			pl.sweep()
			all, _ := pl.unread()
			return all == 0
		})
	}
	next := func(what string, thread uint32, same bool) {
		t.Helper()
		c := get(t, p, "mysql", nil)
		if (c.ThreadID() == thread) != same {
			t.Errorf("%s: connection %d after %d", what, c.ThreadID(), thread)
		}
		if got := value(t, c, "SELECT 7"); got != "7" || c.parted || c.Owes() {
			t.Errorf("%s: %s, parted %v", what, got, c.parted)
		}
		c.Put()
	}

	thread := part(t, begin(), "COMMIT")
	answered(1)
	next("one answer", thread, true)
	thread = part(t, begin(), "DO 0", "DO 1", "COMMIT")
	answered(1)
	next("several", thread, true)
	next("an error", part(t, begin(), "DO 0", "ROLLBACK TO nosuch", "COMMIT"), false)

	kept := false
	for i := 0; i < 5 && !kept; i++ { // a machine with much else to do may not read it in time
		thread = part(t, begin(), "COMMIT")
		answered(1)
		pl.age(sweepEvery)
		swept()
		kept = pl.has(thread)
	}
	if !kept {
		t.Error("the sweeper has closed a good connection")
	}
	next("after the sweeper", thread, true)

	thread = part(t, begin(), "ROLLBACK TO nosuch")
	answered(1)
	pl.age(sweepEvery)
	swept()
	if pl.has(thread) {
		t.Errorf("the sweeper has kept a connection with an error")
	}
}

// TestPartUnanswered: a connection whose answer does not come is closed after a short while, and that says nothing about its
// server. Who finds another one does not wait.
func TestPartUnanswered(t *testing.T) {
	t.Parallel()
	eachDriven(t, testPartUnanswered)
}

func testPartUnanswered(t *testing.T, e *engine.Engine) {
	const answers, mute, ends = 0, 1, 2 // what the server does when it is asked: it answers, says nothing, or ends the connection
	var does atomic.Int32
	heard, over := make(chan struct{}, 1), make(chan struct{})
	addr := serverOf(t, func(w *wire.Conn, _ net.Conn) {
		_ = welcome(w)
		for {
			w.ResetSequence()
			if _, err := w.ReadPacket(); err != nil {
				return
			}
			switch does.Load() {
			case ends:
				return
			case mute:
				heard <- struct{}{}
				<-over
				return
			}
			if send(w, okPacket) != nil {
				return
			}
		}
	})
	t.Cleanup(func() { close(over) })
	p := open(t, Options{Engine: e}, mapOf(t, shard.Backend{}, addr))
	pl := p.table.Load().byName["s0"]
	silent := func() *Conn {
		c := get(t, p, "", nil)
		exec(t, c, "BEGIN")
		does.Store(mute)
		part(t, c, "COMMIT")
		<-heard
		does.Store(answers)
		return c
	}
	healthy := func(c *Conn) {
		t.Helper()
		exec(t, c, "DO 0")
		if s := p.Status()[0]; s.State != string(up) {
			t.Errorf("the server is %s: %s", s.State, s.LastError)
		}
	}
	here := func(c *Conn) bool {
		pl.mu.Lock()
		defer pl.mu.Unlock()
		_, yes := pl.all[c]
		return yes
	}

	lost := silent() // there is no other
	c := get(t, p, "", nil)
	healthy(c)
	if c == lost || here(lost) {
		t.Error("a connection that is not answered was kept")
	}

	lost = silent() // the last one that was used; the other is as good for who asks
	c.Put()
	pl.mu.Lock()
	pl.idle[0][0], pl.idle[0][1] = pl.idle[0][1], pl.idle[0][0]
	pl.mu.Unlock()
	pl.age(2 * checkAfter)
	if got := get(t, p, "", nil); got != c || !here(lost) {
		t.Error("a connection that is not answered was taken before another")
	}
	pl.mu.Lock()
	if i := pl.usable(0, false, time.Now()); i != 0 {
		t.Errorf("who waits is not given the only one, but %d", i)
	}
	pl.mu.Unlock()

	d := get(t, p, "", nil) // closes lost
	lost = silent()
	for _, c := range []*Conn{c, d} {
		exec(t, c, "BEGIN")
		part(t, c, "COMMIT")
	}
	eventually(t, "answers", func() bool { _, come := pl.unread(); return come == 2 })
	pl.age(sweepEvery)
	eventually(t, "the sweeper reads what has come", func() bool {
		pl.sweep()
		_, come := pl.unread()
		return come == 0
	})
	if all, _ := pl.unread(); all != 1 || !here(lost) {
		t.Errorf("the sweeper has left %d answers unread; the connection whose answer has not come is kept: %v", all, here(lost))
	}
	pl.age(unanswered)
	pl.sweep()
	if here(lost) {
		t.Error("the sweeper has kept a connection that is not answered")
	}

	var many []*Conn
	for range 2 * tries {
		many = append(many, get(t, p, "", nil))
	}
	does.Store(ends)
	for _, c := range many {
		part(t, c, "COMMIT")
	}
	eventually(t, "they end", func() bool { _, come := pl.unread(); return come == 2*tries })
	does.Store(answers)
	c = get(t, p, "", nil)
	healthy(c)
	c.Put()
}
