package backend

import (
	"context"
	"testing"
	"time"

	"sluice/internal/testkit"
	"sluice/shard"
)

// TestApart: transactions that last and have much to do take neither the fewest places from newcomers, nor what is
// measured while newcomers are few.
func TestApart(t *testing.T) {
	t.Parallel()
	s := testkit.Shared(t, testkit.MariaDBFlavor, 0)
	p := open(t, Options{WaitTimeout: 3 * time.Second}, mapOf(t, shard.Backend{MaxConnections: 32}, s.Addr, s.Addr))
	pl := p.table.Load().byName["s0"]
	lease := func(ask Ask) *Conn {
		t.Helper()
		c, err := p.GetFor(context.Background(), ask, "s0", Class{}, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	var long, fresh []*Conn
	for i := range 6 {
		c := lease(Ask{User: "etl", Held: i < 2})
		c.Rest()
		c.Wake()
		long = append(long, c)
	}
	pl.watch(time.Now().Add(2 * ripe))
	pl.mu.Lock()
	pl.pace.limit, pl.pace.base, pl.pace.based = few, 1, time.Now().Add(time.Hour)
	pl.mu.Unlock()
	for range few {
		fresh = append(fresh, lease(Ask{User: "app"}))
	}
	_, err := p.GetFor(context.Background(), Ask{User: "app", Wait: 20 * time.Millisecond}, "s0", Class{}, "", nil)
	if u := unavailable(t, err); !u.Full {
		t.Errorf("one more: %v", err)
	}
	eventually(t, "it is known what statements take", func() bool {
		for i := range fresh {
			fresh[i].Put()
			fresh[i] = lease(Ask{User: "app"})
		}
		long[5].Rest()
		long[5].Wake()
		pl.mu.Lock()
		defer pl.mu.Unlock()
		return pl.pace.base > 100
	})
	if st := p.Status()[0]; st.Busy != len(long)+few || pl.apart.Load() != int32(len(long)) || st.AllBusy != few {
		t.Errorf("%d apart, %+v", pl.apart.Load(), st)
	}
	for i, c := range append(long, fresh...) {
		if i%2 == 0 {
			c.Rest()
		}
		c.Put()
	}
	if st := p.Status()[0]; st.Busy != 0 || pl.apart.Load() != 0 || st.AllBusy != 0 {
		t.Errorf("at the end: %d apart, %+v", pl.apart.Load(), st)
	}
}

// TestTotalProbe: what all shards take is measured anew when the many have ended that were at work before.
func TestTotalProbe(t *testing.T) {
	now := time.Unix(1000, 0)
	all := total{pace: pace{few: 4 * few, max: 256, limit: 100, base: float64(time.Millisecond), based: now.Add(-baseAge)}}
	all.busy.Store(99)
	all.lease()
	all.pressed.Store(true)
	end := func(n int, took time.Duration) {
		for range n {
			now = now.Add(window / samples)
			all.sample(took, now)
			all.busy.Add(-1)
			if all.busy.Load() < all.allows.Load() || all.allows.Load() == 0 {
				all.lease()
			}
		}
	}
	end(samples+2, time.Millisecond)
	if !all.pace.probing || all.allows.Load() != 4*few {
		t.Fatalf("nothing is measured; %d are allowed", all.allows.Load())
	}
	end(84, 50*window) // those before
	end(samples+2, 5*time.Millisecond)
	if base := time.Duration(all.pace.base); all.pace.probing || base < 4*time.Millisecond {
		t.Errorf("base is %v, for statements of 5 ms", base)
	}
}
