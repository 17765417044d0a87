package backend

import (
	"context"
	"fmt"
	"testing"
	"time"

	"sluice/internal/testkit"
	"sluice/shard"
)

// TestOrder: where the total limits, a shard's next is the next of all who wait for it: a user with much to do elsewhere does not
// keep those behind it. What has lasted for long is nothing that a user has of the total.
func TestOrder(t *testing.T) {
	t.Parallel()
	s := testkit.Shared(t, testkit.MariaDBFlavor, 0)
	p := open(t, Options{WaitTimeout: 20 * time.Second, NoLimits: true}, mapOf(t, shard.Backend{MaxConnections: 32}, s.Addr, s.Addr, s.Addr))
	p.total.allows.Store(100)
	lease := func(user, name string, n int) (all []*Conn) {
		for range n {
			all = append(all, leaseAs(t, p, user, name))
		}
		return all
	}
	etl, s2 := p.total.user("etl"), p.table.Load().byName["s2"]
	long := lease("etl", "s2", 10)
	p.total.waiting.Add(1)
	s2.watch(time.Now().Add(2 * ripe))
	p.total.waiting.Add(-1)
	if n := etl.Load(); n != 0 {
		t.Errorf("after a second %d count", n)
	}
	young := lease("etl", "s2", 10)
	s2.mu.Lock()
	for _, c := range young {
		c.took = c.took.Add(time.Hour) // however slow the test's machine is
	}
	s2.mu.Unlock()
	kept := append(lease("app", "s0", assured), lease("app", "s1", assured)...)
	for _, pl := range p.table.Load().order[:2] {
		pl.mu.Lock()
		for c := range pl.all {
			c.took = c.took.Add(time.Hour)
		}
		pl.mu.Unlock()
	}
	p.total.allows.Store(p.total.busy.Load())
	served := make(chan string, 3)
	got := make(chan *Conn, 3)
	for i, ask := range [][2]string{{"etl", "s0"}, {"app", "s0"}, {"app", "s1"}} {
		go func() {
			c, err := p.GetFor(context.Background(), Ask{User: ask[0]}, ask[1], Class{}, "", nil)
			if err != nil {
				served <- err.Error()
				return
			}
			got <- c
			served <- ask[0] + " at " + ask[1]
		}()
		eventually(t, "it waits", func() bool { return p.Status()[0].Waiting+p.Status()[1].Waiting == i+1 })
	}
	if kept[0].Wanted() {
		t.Error("who waits for the total alone wants a connection of the shard")
	}
	for i, want := range []string{"app at s0", "app at s1", "etl at s0"} {
		young[i].Put()
		if who := <-served; who != want {
			t.Errorf("%s is served, want %s", who, want)
		}
	}
	for _, all := range [][]*Conn{long, young[3:], kept, {<-got, <-got, <-got}} {
		for _, c := range all {
			c.Put()
		}
	}
	if n := p.total.busy.Load(); n != 0 || etl.Load() != 0 || p.total.user("app").Load() != 0 {
		t.Errorf("at the end %d work, %d of etl, %d of app", n, etl.Load(), p.total.user("app").Load())
	}
}

// TestNextGone: when a shard's next goes away, or is served though no lease has ended, those have their turn who stood behind it
// at another shard. (Here nobody looks after them every second: the sweeper has ended.)
func TestNextGone(t *testing.T) {
	t.Parallel()
	s := testkit.Shared(t, testkit.MariaDBFlavor, 0)
	for _, goes := range []bool{true, false} {
		p := open(t, Options{WaitTimeout: 5 * time.Second, NoLimits: true}, mapOf(t, shard.Backend{MaxConnections: 32}, s.Addr, s.Addr))
		var kept []*Conn
		for _, name := range []string{"s0", "s1"} {
			for range assured + 2 {
				kept = append(kept, leaseAs(t, p, "app", name))
			}
		}
		for i, c := range kept {
			if i%(assured+2) < 2 {
				c.Put()
			}
		}
		p.end()
		p.total.allows.Store(2 * assured)
		got := make(chan *Conn, 3)
		ask := func(ctx context.Context, user, name string) {
			go func() {
				c, err := p.GetFor(ctx, Ask{User: user}, name, Class{}, "", nil)
				if err != nil && ctx.Err() == nil {
					t.Errorf("goes %v: %s at %s: %v", goes, user, name, err)
				}
				got <- c
			}()
		}
		waits := func(n int) {
			eventually(t, "it waits", func() bool { return p.Status()[0].Waiting+p.Status()[1].Waiting == n })
		}
		ctx, cancel := context.WithCancel(context.Background())
		ask(ctx, "app", "s0")
		waits(1)
		ask(context.Background(), "app", "s1")
		waits(2)
		p.total.allows.Add(3) // and nobody is told
		asked := 2
		if goes {
			cancel()
		} else {
			ask(context.Background(), "app", "s0")
			asked++
		}
		var served []*Conn
		for range asked {
			served = append(served, <-got)
		}
		for i, c := range append(served, kept...) {
			if j := i - asked; c != nil && (j < 0 || j%(assured+2) >= 2) {
				c.Put()
			}
		}
		cancel()
	}
}

// TestLinesEnd: users that have gone take no memory, and those that wait or have connections are not forgotten.
func TestLinesEnd(t *testing.T) {
	t.Parallel()
	s := testkit.Shared(t, testkit.MariaDBFlavor, 0)
	p := open(t, Options{NoLimits: true}, mapOf(t, shard.Backend{MaxConnections: 1}, s.Addr))
	pl := p.table.Load().byName["s0"]
	for i := range keepLines + 10 {
		leaseAs(t, p, fmt.Sprint("user", i), "s0").Put()
	}
	c := leaseAs(t, p, "app", "s0")
	c.Rest()
	got := make(chan *Conn)
	for i, held := range []bool{true, false} {
		go func() {
			c, err := p.GetFor(context.Background(), Ask{User: fmt.Sprint("waits", held), Held: held}, "s0", Class{}, "", nil)
			if err != nil {
				t.Error(err)
			}
			got <- c
		}()
		eventually(t, "it waits", func() bool { return p.Status()[0].Waiting == i+1 })
	}
	if !c.Wanted() {
		t.Error("others wait for the connection, and it is not wanted")
	}
	pl.forgetLines(0)
	lines := func() int {
		pl.mu.Lock()
		defer pl.mu.Unlock()
		p.total.mu.Lock()
		defer p.total.mu.Unlock()
		if len(pl.lines) != len(p.total.users) {
			t.Errorf("%d lines of %d users", len(pl.lines), len(p.total.users))
		}
		return len(pl.lines)
	}
	if n := lines(); n != 3 {
		t.Errorf("%d lines are left, want those of three", n)
	}
	c.Wake()
	c.Put()
	for range 2 {
		(<-got).Put()
	}
	pl.forgetLines(0)
	if n := lines(); n != 0 {
		t.Errorf("%d lines are left at the end", n)
	}
}
