package topo

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"sluice/shard"
)

func TestFirstWriterWins(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		const n = 5
		stores := make([]*Store, n)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				s, err := w.open(t, Options{Node: fmt.Sprintf("px%d", i), Initial: spec(i + 1)})
				if err != nil {
					t.Error(err)
					return
				}
				stores[i] = s
			})
		}
		wg.Wait()
		for _, s := range stores {
			if s == nil {
				t.FailNow()
			}
			defer s.Close()
		}
		first := stores[0].Map()
		for i, s := range stores {
			if m := s.Map(); m.Version != first.Version || len(m.Spec.Shards) != len(first.Spec.Shards) {
				t.Errorf("store %d serves version %d with %d shards, store 0 version %d with %d", i, m.Version, len(m.Spec.Shards), first.Version, len(first.Spec.Shards))
			}
			if !s.Healthy() {
				t.Errorf("store %d is not healthy", i)
			}
		}
		// What is stored is the truth for those who come later, whatever they bring.
		late := must(t, w, Options{Node: "late"})
		if late.Map().Version != first.Version {
			t.Errorf("a late store serves version %d, want %d", late.Map().Version, first.Version)
		}
		eventually(t, "all proxies announce the map that they serve", func() bool {
			list, err := late.Proxies(context.Background())
			if err != nil || len(list) != n+1 {
				return false
			}
			for _, p := range list {
				if p.MapVersion != first.Version {
					return false
				}
			}
			return true
		})
	})
}

func TestUpdateIsSeenByAllInOrder(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		a := must(t, w, Options{Node: "a", Initial: spec(1)})
		b := must(t, w, Options{Node: "b"})
		var mu sync.Mutex
		var seen []int64
		running := false
		b.OnChange(func(m *shard.Map) {
			mu.Lock()
			if running {
				t.Error("two calls at once")
			}
			running = true
			mu.Unlock()
			mu.Lock()
			defer mu.Unlock()
			running = false
			seen = append(seen, m.Version)
		})
		told := false
		a.OnChange(func(m *shard.Map) { told = len(m.Spec.Shards) == 21 })
		for i := range 20 {
			m, err := a.Update(context.Background(), addShard(fmt.Sprintf("x%d", i)))
			if err != nil {
				t.Fatal(err)
			}
			if a.Map().Version < m.Version {
				t.Fatalf("Update gives version %d and version %d is served", m.Version, a.Map().Version)
			}
		}
		if !told {
			t.Error("Update returned before the functions of OnChange knew the map")
		}
		newest := a.Map().Version
		eventually(t, "the other store is told of the newest map", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(seen) > 0 && seen[len(seen)-1] == newest
		})
		mu.Lock()
		defer mu.Unlock()
		for i := 1; i < len(seen); i++ {
			if seen[i] <= seen[i-1] {
				t.Errorf("versions were told in the order %v", seen)
			}
		}
		eventually(t, "the new version is announced", func() bool {
			list, err := a.Proxies(context.Background())
			return err == nil && len(list) == 2 && list[0].MapVersion == newest && list[1].MapVersion == newest
		})
	})
}

func TestUpdatesOfManyWritersAreAllKept(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		const writers, each = 4, 5
		var stores []*Store
		for i := range writers {
			stores = append(stores, must(t, w, Options{Node: fmt.Sprintf("px%d", i), Initial: spec(1)}))
		}
		var wg sync.WaitGroup
		for i, s := range stores {
			for j := range each {
				wg.Go(func() {
					if _, err := s.Update(context.Background(), addShard(fmt.Sprintf("w%d-%d", i, j))); err != nil {
						t.Error(err)
					}
				})
			}
		}
		wg.Wait()
		for _, s := range stores {
			eventually(t, "all changes are served", func() bool { return len(s.Map().Spec.Shards) == 1+writers*each })
		}
	})
}

func TestUpdateRefuses(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		s := must(t, w, Options{Initial: spec(2)})
		before := s.Map()
		mine := fmt.Errorf("mine")
		if _, err := s.Update(context.Background(), func(*shard.Spec) error { return mine }); err != mine {
			t.Errorf("the error of change comes back as %v", err)
		}
		_, err := s.Update(context.Background(), func(s *shard.Spec) error { s.Ranges = nil; s.Shards[0].Name = "a/b"; return nil })
		if faults, ok := err.(shard.Faults); !ok || len(faults) < 2 {
			t.Errorf("an unsound spec gives %v", err)
		}
		if s.Map() != before {
			t.Errorf("another map is served")
		}
		m, err := s.Update(context.Background(), func(*shard.Spec) error { return nil })
		if err != nil || m.Version <= before.Version {
			t.Errorf("no change gives version %v, %v; want one after %d", m, err, before.Version)
		}
	})
}

// A map that somebody wrote into etcd by hand and that is unsound is not served.
func TestUnsoundMapIsRefused(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		s := must(t, w, Options{Initial: spec(2)})
		before := s.Map()
		for _, value := range []string{"{", `{"shards":[]}`, ""} {
			if _, err := s.c.Put(context.Background(), "/sluice/map", value); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.c.Delete(context.Background(), "/sluice/map"); err != nil {
			t.Fatal(err)
		}
		good, err := encodeSpec(*spec(3))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.c.Put(context.Background(), "/sluice/map", good); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the next sound map is served", func() bool { return s.Map() != before })
		if n := len(s.Map().Spec.Shards); n != 3 {
			t.Errorf("a map of %d shards is served", n)
		}
	})
}

// After a compaction the watch cannot go on from where it was.
func TestCompaction(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		a := must(t, w, Options{Node: "a", Initial: spec(1)})
		b := must(t, w, Options{Node: "b"})
		for i := range 10 {
			m, err := a.Update(context.Background(), addShard(fmt.Sprintf("x%d", i)))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := a.c.Compact(context.Background(), m.Version); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, "the newest map is served", func() bool { return b.Map().Version == a.Map().Version })
	})
}

func TestNothingToStartWith(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		for name, opts := range map[string]Options{
			"no cluster section": {},
			"unsound section":    {Initial: &shard.Spec{}},
			"node":               {Node: "a/b", Initial: spec(1)},
			"prefix":             {Prefix: "sluice", Initial: spec(1)},
		} {
			if s, err := w.open(t, opts); err == nil {
				s.Close()
				t.Errorf("%s: opened", name)
			} else {
				t.Logf("%s: %v", name, err)
			}
		}
	})
}
