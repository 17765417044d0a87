package topo

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

func TestIDsAreUniqueOverAllProxies(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		const proxies, callers, calls, used = 3, 8, 250, 1000
		var floors atomic.Int32
		floor := func(context.Context) (uint64, error) { floors.Add(1); return used, nil }
		var mu sync.Mutex
		owner := map[uint64]int{}
		var wg sync.WaitGroup
		for p := range proxies {
			s := must(t, w, Options{Node: fmt.Sprintf("px%d", p), Initial: spec(1)})
			for range callers {
				wg.Go(func() {
					last := uint64(0)
					for range calls {
						n := 1 + rand.IntN(20)
						if rand.IntN(50) == 0 {
							n = 1000
						}
						first, err := s.NextIDs(context.Background(), "shop/orders", n, user(floor))
						if err != nil {
							t.Error(err)
							return
						}
						if first <= last || first <= used {
							t.Errorf("id %d after %d", first, last)
						}
						last = first + uint64(n) - 1
						mu.Lock()
						for id := first; id <= last; id++ {
							if by, ok := owner[id]; ok {
								t.Errorf("id %d was handed out by %d and by %d", id, by, p)
							}
							owner[id] = p
						}
						mu.Unlock()
					}
				})
			}
		}
		wg.Wait()
		if n := floors.Load(); n < 1 || n > proxies {
			t.Errorf("the floor was asked for %d times", n)
		}
	})
}

func TestFirstID(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		s := must(t, w, Options{Initial: spec(1)})
		ctx := context.Background()
		take := func(seq string, n int, used uint64) uint64 {
			t.Helper()
			first, err := s.NextIDs(ctx, seq, n, floor(used))
			if err != nil {
				t.Fatal(err)
			}
			return first
		}
		if a, b, c := take("empty", 1, 0), take("empty", 5, 0), take("empty", 1, 0); a != 1 || b != 2 || c != 7 {
			t.Errorf("an empty table gets %d, %d, %d", a, b, c)
		}
		if a, b := take("used", 1, 41), take("used", 1, 41); a != 42 || b != 43 {
			t.Errorf("a table with 41 gets %d, %d", a, b)
		}
		if a, b := take("large", 1_000_000, 0), take("large", 1, 0); a != 1 || b != 1_000_001 {
			t.Errorf("a large block gets %d, then %d", a, b)
		}
		boom := errors.New("boom")
		calls := 0
		_, err := s.NextIDs(ctx, "failing", 1, user(func(context.Context) (uint64, error) { calls++; return 0, boom }))
		if !errors.Is(err, boom) || calls != 1 {
			t.Errorf("a failing floor gives %v after %d calls", err, calls)
		}
		if a := take("failing", 1, 9); a != 10 {
			t.Errorf("after a failing floor: %d", a)
		}
		for name, n := range map[string]int{"": 1, "none": 0, "negative": -1, "much": maxIDs + 1} {
			if _, err := s.NextIDs(ctx, name, n, floor(0)); err == nil {
				t.Errorf("%d ids of %q are handed out", n, name)
			}
		}
	})
}

func TestIDsNeverOverflow(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		s := must(t, w, Options{Initial: spec(1)})
		ctx := context.Background()
		const top = math.MaxUint64
		last := uint64(0)
		for i := range 11 {
			id, err := s.NextIDs(ctx, "t", 1, floor(top-11))
			if i == 10 {
				if err == nil {
					t.Errorf("after %d comes %d", last, id)
				}
				break
			}
			if err != nil || id <= last || id < top-10 {
				t.Fatalf("id %d after %d, %v", id, last, err)
			}
			last = id
		}
		if last != top-1 {
			t.Errorf("the last id is %d", last)
		}
		if id, err := s.NextIDs(ctx, "full", 1, floor(top)); err == nil {
			t.Errorf("a full table gets %d", id)
		}
		if _, err := s.NextIDs(ctx, "raised", 1, floor(0)); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := s.RaiseRange(ctx, "raised", top, top, floor(0)); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.RaiseRange(ctx, "raised", 5, 5, floor(0)); err != nil {
			t.Fatal(err)
		}
		if id, err := s.NextIDs(ctx, "raised", 1, floor(0)); err == nil {
			t.Errorf("after the largest explicit id comes %d", id)
		}
	})
}

func TestRaiseRange(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		s := must(t, w, Options{Initial: spec(1)})
		ctx := context.Background()
		next := func(seq string, used uint64) uint64 {
			t.Helper()
			id, err := s.NextIDs(ctx, seq, 1, floor(used))
			if err != nil {
				t.Fatal(err)
			}
			return id
		}
		raise := func(seq string, id uint64) {
			t.Helper()
			if err := s.RaiseRange(ctx, seq, id, id, floor(0)); err != nil {
				t.Fatal(err)
			}
		}
		// As MySQL counts on from the largest explicit id.
		next("t", 0)
		raise("t", 10)
		if id := next("t", 0); id != 11 {
			t.Errorf("after 10 comes %d", id)
		}
		raise("t", 1_000_000)
		if id := next("t", 0); id != 1_000_001 {
			t.Errorf("after 1000000 comes %d", id)
		}
		raise("t", 7)
		if id := next("t", 0); id != 1_000_002 {
			t.Errorf("after a small explicit id comes %d", id)
		}
		// A dump is loaded: explicit ids before anything was ever counted.
		for id := uint64(1); id <= 3000; id++ {
			raise("dump", id)
		}
		if id := next("dump", 2000); id != 3001 {
			t.Errorf("after a dump with 3000 comes %d", id)
		}
		raise("old", 5)
		if id := next("old", 900); id != 901 {
			t.Errorf("a table with 900 gets %d", id)
		}
	})
}

// An explicit id in the block of another proxy is never handed out by it.
func TestExplicitIDInTheBlockOfAnother(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		ctx := context.Background()
		a := must(t, w, Options{Node: "a", Initial: spec(1)})
		b := must(t, w, Options{Node: "b"})
		for round := range 20 {
			seq := fmt.Sprintf("t%d", round)
			got, err := b.NextIDs(ctx, seq, 1, floor(0)) // and holds a block of more
			if err != nil {
				t.Fatal(err)
			}
			explicit := got + 1 + uint64(rand.IntN(smallestBlock-2))
			var wg sync.WaitGroup
			var raised atomic.Bool
			wg.Go(func() {
				if err := a.RaiseRange(ctx, seq, explicit, explicit, floor(0)); err != nil {
					t.Error(err)
				}
				raised.Store(true)
			})
			for range 30 {
				after := raised.Load()
				id, err := b.NextIDs(ctx, seq, 1, floor(0))
				if err != nil {
					t.Fatal(err)
				}
				if after && id == explicit {
					t.Fatalf("round %d: %d was handed out after RaiseRange", round, id)
				}
			}
			wg.Wait()
			if id, err := a.NextIDs(ctx, seq, 1, floor(0)); err != nil || id <= explicit {
				t.Fatalf("round %d: after %d the proxy itself hands out %d, %v", round, explicit, id, err)
			}
		}
	})
}

// Rows with explicit ids and rows without are written through three proxies at once.
func TestMixedIDsNeverMeet(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		ctx := context.Background()
		var mu sync.Mutex
		var clock atomic.Int64
		taken := map[uint64]int64{} // when NextIDs or RaiseRange had returned
		var wg sync.WaitGroup
		for p := range 3 {
			s := must(t, w, Options{Node: fmt.Sprintf("px%d", p), Initial: spec(1)})
			for range 4 {
				wg.Go(func() {
					for range 60 {
						began := clock.Add(1)
						id, err := s.NextIDs(ctx, "t", 1, floor(0))
						if err != nil {
							t.Error(err)
							return
						}
						mu.Lock()
						if at, ok := taken[id]; ok && at < began {
							t.Errorf("%d was handed out though it was taken", id)
						}
						taken[id] = clock.Add(1)
						mu.Unlock()
						if rand.IntN(4) > 0 {
							continue
						}
						low, high := id+uint64(rand.IntN(100)), id+uint64(100+rand.IntN(200))
						if err := s.RaiseRange(ctx, "t", low, high, floor(0)); err != nil {
							t.Error(err)
							return
						}
						mu.Lock()
						for id := low; id <= high; id++ { // it may have been handed out before, but not from now on
							taken[id] = clock.Add(1)
						}
						mu.Unlock()
					}
				})
			}
		}
		wg.Wait()
	})
}

func TestDropIDs(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		ctx := context.Background()
		a := must(t, w, Options{Node: "a", Initial: spec(1)})
		b := must(t, w, Options{Node: "b"})
		for _, s := range []*Store{a, b} {
			for range 3 {
				if _, err := s.NextIDs(ctx, "t", 10, floor(500)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := a.DropIDs(ctx, "t"); err != nil {
			t.Fatal(err)
		}
		owner := map[uint64]string{}
		for range 100 {
			for name, s := range map[string]*Store{"a": a, "b": b} {
				id, err := s.NextIDs(ctx, "t", 1, floor(0))
				if err != nil {
					t.Fatal(err)
				}
				if owner[id] != "" || id > 500 {
					t.Fatalf("%s hands out %d, which %q had; the truncated table begins at 1", name, id, owner[id])
				}
				owner[id] = name
			}
		}
		if owner[1] == "" {
			t.Error("the truncated table does not begin at 1")
		}
		if err := b.DropIDs(ctx, "never seen"); err != nil {
			t.Error(err)
		}
	})
}

// TestPassIDs: a table that was renamed goes on behind the ids of all proxies.
func TestPassIDs(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		ctx := context.Background()
		a := must(t, w, Options{Node: "a", Initial: spec(1)})
		b := must(t, w, Options{Node: "b"})
		last := uint64(0)
		for range 50 {
			for _, s := range []*Store{a, b} {
				for seq, from := range map[string]uint64{"old": 700, "new": 10} {
					id, err := s.NextIDs(ctx, seq, 1, floor(from))
					if err != nil {
						t.Fatal(err)
					}
					last = max(last, id)
				}
			}
		}
		if err := a.PassIDs(ctx, "old", "new", floor(0)); err != nil {
			t.Fatal(err)
		}
		if err := a.PassIDs(ctx, "never used", "new", floor(last+5000)); err != nil {
			t.Fatal(err)
		}
		if err := a.PassIDs(ctx, "never used", "neither", nil); err != nil {
			t.Fatal(err)
		}
		for seq, least := range map[string]uint64{"new": last + 5001, "neither": 3} {
			for _, s := range []*Store{a, b} {
				if id, err := s.NextIDs(ctx, seq, 1, floor(2)); err != nil || id < least {
					t.Errorf("%s: %d, %v, want at least %d", seq, id, err, least)
				}
			}
		}
	})
}

// waiting is an IDUser that counts how often it had to wait.
type waiting struct{ left int }

func (w *waiting) Floor(context.Context) (uint64, error) { return 0, nil }

func (w *waiting) Leave() { w.left++ }

// Most calls do no I/O, and wait for nothing.
func TestIDsAreFetchedAhead(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		ctx := context.Background()
		s := must(t, w, Options{Initial: spec(1)})
		const calls = 20000
		before := revision(t, s)
		var user waiting
		for range calls {
			if _, err := s.NextIDs(ctx, "t", 1, &user); err != nil {
				t.Fatal(err)
			}
		}
		writes := revision(t, s) - before
		if writes > 40 {
			t.Errorf("%d calls wrote %d times", calls, writes)
		}
		if n := int64(user.left); n < 1 || n > writes {
			t.Errorf("%d calls waited %d times, and wrote %d times", calls, n, writes)
		}
		before, user.left = revision(t, s), 0
		for range calls {
			if err := s.RaiseRange(ctx, "t", 3, 3, &user); err != nil {
				t.Fatal(err)
			}
		}
		if writes := revision(t, s) - before; writes > 3 || user.left > 1 {
			t.Errorf("%d calls for a small id wrote %d times and waited %d times", calls, writes, user.left)
		}
	})
}

func revision(t *testing.T, s *Store) int64 {
	t.Helper()
	resp, err := s.c.get(context.Background(), "x")
	if err != nil {
		t.Fatal(err)
	}
	return resp.Header.Revision
}

func TestClosed(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		s := must(t, w, Options{Initial: spec(1)})
		if _, err := s.NextIDs(context.Background(), "t", 1, floor(0)); err != nil {
			t.Fatal(err)
		}
		s.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if id, err := s.NextIDs(context.Background(), "t", 1, floor(0)); err == nil {
			t.Errorf("a closed store hands out %d", id)
		}
	})
}
