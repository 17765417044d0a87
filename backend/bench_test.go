package backend

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"sluice/internal/testkit"
	"sluice/shard"
)

// TestLeaseAllocates: the hot path of a statement neither allocates nor prepares again.
func TestLeaseAllocates(t *testing.T) {
	s := testkit.Shared(t, testkit.MariaDBFlavor, 0)
	p := open(t, Options{}, mapOf(t, shard.Backend{}, s.Addr))
	st := settingsOf("SET @a=1")
	ctx := context.Background()
	sql := []byte("SELECT 1")
	if n := testing.AllocsPerRun(1000, func() {
		c, err := p.Get(ctx, "s0", Class{}, "mysql", st)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.CheckIdle(); err != nil {
			t.Fatal(err)
		}
		if err := c.Sync("mysql", st); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Prepare(sql); err != nil {
			t.Fatal(err)
		}
		c.Put()
	}); n != 0 {
		t.Errorf("%v allocations a lease", n)
	}
}

func BenchmarkGetPut(b *testing.B) {
	s := testkit.Shared(b, testkit.MariaDBFlavor, 0)
	for _, idle := range []int{1, 64} {
		b.Run(fmt.Sprintf("idle=%d", idle), func(b *testing.B) {
			p := open(b, Options{}, mapOf(b, shard.Backend{}, s.Addr))
			st := settingsOf("SET @a=1")
			var conns []*Conn
			for range idle {
				conns = append(conns, get(b, p, "mysql", st))
			}
			for _, c := range conns {
				c.Put()
			}
			ctx := context.Background()
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				c, err := p.Get(ctx, "s0", Class{}, "mysql", st)
				if err != nil {
					b.Fatal(err)
				}
				c.Put()
			}
		})
	}
}

func BenchmarkGetPutContended(b *testing.B) {
	s := testkit.Shared(b, testkit.MariaDBFlavor, 0)
	p := open(b, Options{}, mapOf(b, shard.Backend{MaxConnections: 64}, s.Addr))
	ctx := context.Background()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c, err := p.Get(ctx, "s0", Class{}, "", nil)
			if err != nil {
				b.Error(err)
				return
			}
			c.Put()
		}
	})
}

// BenchmarkGetPutWaiting is the price of a newcomer's lease that waits behind others: four want each place.
func BenchmarkGetPutWaiting(b *testing.B) {
	s := testkit.Shared(b, testkit.MariaDBFlavor, 0)
	places := 2 * runtime.GOMAXPROCS(0)
	p := open(b, Options{NoLimits: true}, mapOf(b, shard.Backend{MaxConnections: places}, s.Addr))
	ctx := context.Background()
	b.ReportAllocs()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c, err := p.GetFor(ctx, Ask{User: "app"}, "s0", Class{}, "", nil)
			if err != nil {
				b.Error(err)
				return
			}
			runtime.Gosched() // others come meanwhile
			c.Put()
		}
	})
	pl := p.table.Load().byName["s0"]
	pl.mu.Lock()
	defer pl.mu.Unlock()
	b.ReportMetric(float64(pl.queue.next)/float64(b.N), "waits/op")
}

// BenchmarkSwitch is the price of a lease in another state than the connection's.
func BenchmarkSwitch(b *testing.B) {
	for _, flavor := range testkit.Flavors() {
		s := testkit.Shared(b, flavor, 0)
		p := open(b, Options{}, mapOf(b, shard.Backend{MaxConnections: 1}, s.Addr))
		states := []*Settings{settingsOf("SET SESSION sql_mode='ANSI'"), settingsOf("SET SESSION sql_mode=''")}
		schemas := []string{"mysql", "information_schema"}
		for _, what := range []string{"nothing", "schema", "settings", "both"} {
			b.Run(flavor.String()+"/"+what, func(b *testing.B) {
				for i := range b.N {
					schema, st := schemas[0], states[0]
					if what == "schema" || what == "both" {
						schema = schemas[i%2]
					}
					if what == "settings" || what == "both" {
						st = states[i%2]
					}
					c := get(b, p, schema, st)
					if what == "nothing" {
						if _, err := c.Exec("DO 1"); err != nil {
							b.Fatal(err)
						}
					}
					c.Put()
				}
			})
		}
	}
}
