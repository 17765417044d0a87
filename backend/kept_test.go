package backend

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/internal/testkit"
	"sluice/shard"
	"sluice/wire"
)

// What must not keep others from their places, or from their end.

func leaseAs(t *testing.T, p *Pools, user, name string) *Conn {
	t.Helper()
	c, err := p.GetFor(context.Background(), Ask{User: user}, name, Class{}, "", nil)
	if err != nil {
		t.Fatalf("%s at %s: %v", user, name, err)
	}
	return c
}

// TestReplacedPool: what still runs on a pool that was replaced is not counted for ever.
func TestReplacedPool(t *testing.T) {
	t.Parallel()
	s := testkit.Shared(t, testkit.MariaDBFlavor, 0)
	p := open(t, Options{WaitTimeout: 10 * time.Second}, mapOf(t, shard.Backend{MaxConnections: 32}, s.Addr, s.Addr))
	var all []*Conn
	for range 10 {
		all = append(all, leaseAs(t, p, "app", "s1"))
	}
	_, port, _ := net.SplitHostPort(s.Addr)
	p.SetMap(mapOf(t, shard.Backend{MaxConnections: 32}, s.Addr, "localhost:"+port))
	p.total.allows.Store(10)
	for range few + 2 {
		all = append(all, leaseAs(t, p, "app", "s0"))
	}
	for _, c := range all {
		c.Put()
	}
}

// TestSilentLogins: logins at a server that says nothing take no place from other shards.
func TestSilentLogins(t *testing.T) {
	t.Parallel()
	s := testkit.Shared(t, testkit.MariaDBFlavor, 0)
	over := make(chan struct{})
	silent := serverOf(t, func(*wire.Conn, net.Conn) { <-over })
	p := open(t, Options{WaitTimeout: 5 * time.Second, DialTimeout: 20 * time.Second}, mapOf(t, shard.Backend{MaxConnections: 32}, s.Addr, silent))
	p.total.allows.Store(16)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() { _, _ = p.GetFor(ctx, Ask{User: "other"}, "s1", Class{}, "", nil) })
	}
	eventually(t, "they dial", func() bool {
		pl := p.table.Load().byName["s1"]
		pl.mu.Lock()
		defer pl.mu.Unlock()
		return pl.dials() == maxDials
	})
	var got []*Conn
	for range few + 2 {
		got = append(got, leaseAs(t, p, "app", "s0"))
	}
	for _, c := range got {
		c.Put()
	}
	close(over)
	cancel()
	wg.Wait()
}

// TestOnlyTransactions: a limit of all shards that has become narrow grows again although there is nothing to measure.
func TestOnlyTransactions(t *testing.T) {
	t.Parallel()
	s := testkit.Shared(t, testkit.MariaDBFlavor, 0)
	p := open(t, Options{WaitTimeout: 20 * time.Second}, mapOf(t, shard.Backend{MaxConnections: 32}, s.Addr, s.Addr))
	p.total.mu.Lock()
	p.total.pace.base, p.total.pace.based, p.total.pace.limit = float64(time.Millisecond), time.Now(), 8
	p.total.allows.Store(8)
	p.total.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			for ctx.Err() == nil {
				c, err := p.GetFor(ctx, Ask{User: "app"}, fmt.Sprintf("s%d", i%2), Class{}, "", nil)
				if err != nil {
					return
				}
				time.Sleep(time.Millisecond) // BEGIN; a statement
				c.Rest()
				c.Wake()
				time.Sleep(time.Millisecond) // COMMIT
				c.Put()
			}
		})
	}
	eventually(t, "the limit grows", func() bool { return p.total.allows.Load() > 12 })
	cancel()
	wg.Wait()
}

// TestRestingUser: who keeps resting transactions has as good a claim as others.
func TestRestingUser(t *testing.T) {
	t.Parallel()
	s := testkit.Shared(t, testkit.MariaDBFlavor, 0)
	p := open(t, Options{WaitTimeout: 5 * time.Second}, mapOf(t, shard.Backend{MaxConnections: 64}, s.Addr, s.Addr))
	var kept []*Conn
	for i := range 40 {
		c := leaseAs(t, p, "orm", fmt.Sprintf("s%d", i%2))
		c.Rest() // the application thinks
		kept = append(kept, c)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var others atomic.Int64
	for i := range 60 {
		wg.Go(func() {
			for ctx.Err() == nil {
				p.total.allows.Store(10)
				c, err := p.GetFor(ctx, Ask{User: "batch"}, fmt.Sprintf("s%d", i%2), Class{}, "", nil)
				if err != nil {
					continue
				}
				time.Sleep(2 * time.Millisecond)
				others.Add(1)
				c.Put()
			}
		})
	}
	eventually(t, "the others are at work", func() bool { return others.Load() > 100 })
	for range 3 {
		leaseAs(t, p, "orm", "s0").Put()
	}
	cancel()
	wg.Wait()
	for _, c := range kept {
		c.Wake()
		c.Put()
	}
	eventually(t, "nobody is at work", func() bool { return p.total.user("orm").Load() == 0 && p.total.user("batch").Load() == 0 })
}

// TestHungReplaced: a statement at a server that hangs is given up although its shard has another server by now.
func TestHungReplaced(t *testing.T) {
	t.Parallel()
	s, next := testkit.StartServer(t, testkit.MariaDBFlavor), testkit.Shared(t, testkit.MariaDBFlavor, 0)
	p := open(t, Options{HangTimeout: 2 * time.Second, DialTimeout: time.Second}, mapOf(t, shard.Backend{}, s.Addr))
	works := get(t, p, "", nil)
	ended := make(chan error, 1)
	go func() {
		_, err := works.Exec("DO SLEEP(600)")
		works.Close()
		ended <- err
	}()
	busy := func() bool {
		list, err := get(t, p, "", nil).Processes()
		return err == nil && slices.ContainsFunc(list, func(p Process) bool { return p.ID == uint64(works.ThreadID()) && p.Command == "Query" })
	}
	eventually(t, "it runs", busy)
	s.Pause()
	defer s.Resume()
	p.SetMap(mapOf(t, shard.Backend{}, next.Addr))
	select {
	case err := <-ended:
		if err == nil || !works.Severed() {
			t.Errorf("%v, severed %v", err, works.Severed())
		}
	case <-time.After(time.Minute):
		t.Error("it still waits")
	}
}
