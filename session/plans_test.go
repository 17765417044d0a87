package session

import (
	"fmt"
	"strings"
	"testing"
)

// TestPlanCacheBound: the cache forgets by number and by size, and counts right.
func TestPlanCacheBound(t *testing.T) {
	p := newPlans()
	for i := range 20000 {
		key := []byte(fmt.Sprintf("%d %s", i%15000, strings.Repeat("x", i%7*2000)))
		p.put(key, &entry{text: strings.Repeat("y", i%3*500)})
		if p.get(key, 0, 0) == nil {
			t.Fatalf("entry %d is not there", i)
		}
	}
	entries := 0
	for i := range p.shards {
		s, size := &p.shards[i], 0
		for k, e := range s.m {
			size += planSize(k, e)
		}
		if size != s.size || size > plansSize || len(s.m) > plansPerShard {
			t.Errorf("shard %d: %d entries of %d bytes, counted %d", i, len(s.m), size, s.size)
		}
		entries += len(s.m)
	}
	if entries < 1000 {
		t.Errorf("%d entries are left", entries)
	}
}

// BenchmarkPlanLookup finds a plan among so many as fit.
func BenchmarkPlanLookup(b *testing.B) {
	p := newPlans()
	keys := make([][]byte, 20_000)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "app\x00shop\x00\x00 SELECT c%d FROM sbtest WHERE id = ?i", i)
		p.put(keys[i], &entry{})
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		p.get(keys[i%len(keys)], 0, 0)
	}
}
