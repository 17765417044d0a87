package metrics

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestNilCountsNothing(t *testing.T) {
	var r *Registry
	r.PlanCacheHit()
	r.PlanCacheMiss()
	r.Statement("relay", time.Second, true)
	r.Connection("data", 1)
	r.Refused("data", "auth")
	r.Collect("x", "x", nil, nil)
	var d *Digests
	d.Slot("s", []byte("f")).Observe(time.Second, 1, false)
	if d.Rows() != nil {
		t.Fatal("a nil Digests has rows")
	}
}

func TestScrape(t *testing.T) {
	r := New()
	r.PlanCacheHit()
	r.Statement("relay", time.Millisecond, false)
	r.Statement("relay", time.Millisecond, true)
	r.Statement("a new word", time.Millisecond, false)
	r.Connection("data", 1)
	r.Connection("data", 1)
	r.Connection("data", -1)
	r.Refused("data", "auth")
	r.Collect("sluice_pool_open", "Open.", []string{"shard"}, func() []Sample { return []Sample{{[]string{"s0"}, 3}} })
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{
		`sluice_plan_cache_hits_total 1`,
		`sluice_plan_cache_misses_total 0`,
		`sluice_statement_seconds_count{strategy="relay"} 2`,
		`sluice_statement_errors_total{strategy="relay"} 1`,
		`sluice_statement_seconds_count{strategy="other"} 1`,
		`sluice_client_connections{port="data"} 1`,
		`sluice_client_connections_total{port="data"} 2`,
		`sluice_client_refused_total{port="data",why="auth"} 1`,
		`sluice_pool_open{shard="s0"} 3`,
	} {
		if !strings.Contains(w.Body.String(), line+"\n") {
			t.Errorf("no line %q in the scrape", line)
		}
	}
}

func TestDigests(t *testing.T) {
	d := NewDigests(2)
	g := d.Slot("shop", []byte("select ?i"))
	if d.Slot("shop", []byte("select ?i")) != g {
		t.Fatal("the same fingerprint has two digests")
	}
	for i := range 100 {
		g.Observe(time.Duration(i+1)*time.Millisecond, 2, i == 0)
	}
	d.Slot("shop", []byte("b")).Observe(time.Microsecond, 0, false)
	d.Slot("shop", []byte("c")).Observe(time.Microsecond, 0, false) // beyond the bound
	d.Slot("shop", []byte("d")).Observe(time.Microsecond, 0, false)
	rows := d.Rows()
	if len(rows) != 3 {
		t.Fatalf("%d digests, want 2 and the rest", len(rows))
	}
	r := rows[0]
	if r.Count != 100 || r.Errors != 1 || r.Rows != 200 || r.Total != 5050*time.Millisecond || r.Max != 100*time.Millisecond {
		t.Errorf("wrong sums: %+v", r)
	}
	for _, p := range []struct {
		got   time.Duration
		exact time.Duration
	}{{r.P50, 50 * time.Millisecond}, {r.P95, 95 * time.Millisecond}, {r.P99, 99 * time.Millisecond}} {
		if p.got < p.exact || p.got > 2*p.exact {
			t.Errorf("percentile %v, want between %v and twice that", p.got, p.exact)
		}
	}
	for _, r := range rows[1:] {
		if r.Fingerprint == "" && r.Count != 2 {
			t.Errorf("the rest counts %d statements, want 2", r.Count)
		}
	}
}

func TestDigestsConcurrently(t *testing.T) {
	d := NewDigests(10)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 1000 {
				d.Slot("s", fmt.Appendf(nil, "f%d", (i+j)%20)).Observe(time.Duration(j)*time.Microsecond, 1, false)
			}
		})
	}
	wg.Wait()
	var sum uint64
	for _, r := range d.Rows() {
		sum += r.Count
	}
	if sum != 8000 {
		t.Fatalf("%d statements counted, want 8000", sum)
	}
}
