package backend

import (
	"fmt"
	"net"
	"testing"
	"time"

	"sluice/internal/testkit"
	"sluice/shard"
	"sluice/wire"
)

// TestPart: a connection whose last answers nobody waited for is as good as another, or is nobody's.
func TestPart(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, s *testkit.Server) {
		p := open(t, Options{}, mapOf(t, shard.Backend{MaxConnections: 8}, s.Addr))
		pl := p.table.Load().byName["s0"]
		part := func(statements ...string) (thread uint32) {
			t.Helper()
			c := get(t, p, "mysql", nil)
			exec(t, c, "BEGIN")
			if got := value(t, c, "SELECT COUNT(*) > 0 FROM user"); got != "1" {
				t.Fatalf("got %s", got)
			}
			if err := c.Part(statements...); err != nil {
				t.Fatal(err)
			}
			c.Put()
			return c.ThreadID()
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
		later := func() { // the sweeper's next turn
			pl.mu.Lock()
			for _, c := range pl.idle[0] {
				c.idleSince = c.idleSince.Add(-sweepEvery)
			}
			pl.mu.Unlock()
			pl.sweep()
		}

		next("one answer", part("COMMIT"), true)
		next("several", part("DO 0", "DO 1", "COMMIT"), true)
		next("an error", part("DO 0", "ROLLBACK TO nosuch", "COMMIT"), false)

		thread := part("COMMIT")
		time.Sleep(20 * time.Millisecond) // the answer comes
		later()
		pl.mu.Lock()
		for _, c := range pl.idle[0] {
			if c.parted {
				t.Errorf("the sweeper has left an answer unread")
			}
		}
		pl.mu.Unlock()
		next("after the sweeper", thread, true)

		thread = part("ROLLBACK TO nosuch")
		time.Sleep(20 * time.Millisecond)
		later()
		pl.mu.Lock()
		for c := range pl.all {
			if c.ThreadID() == thread {
				t.Errorf("the sweeper has kept a connection with an error")
			}
		}
		pl.mu.Unlock()

		thread = part("COMMIT")
		other := open(t, Options{}, mapOf(t, shard.Backend{}, s.Addr))
		exec(t, get(t, other, "", nil), fmt.Sprint("KILL ", thread))
		time.Sleep(20 * time.Millisecond)
		next("one that has ended", thread, false)
	})
}

// TestPartUnanswered: an answer that does not come is not waited for longer than a login's, and the server is taken to hang.
func TestPartUnanswered(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	addr := serverOf(t, func(w *wire.Conn, _ net.Conn) {
		_ = welcome(w)
		<-over
	})
	t.Cleanup(func() { close(over) })
	p := open(t, Options{DialTimeout: 300 * time.Millisecond}, mapOf(t, shard.Backend{}, addr))
	c := get(t, p, "", nil)
	if err := c.Part("COMMIT"); err != nil {
		t.Fatal(err)
	}
	c.Put()
	_, err := p.Get(t.Context(), "s0", Class{}, "", nil)
	unavailable(t, err)
	if s := p.Status()[0]; s.State != string(down) {
		t.Errorf("it is %s", s.State)
	}
}
