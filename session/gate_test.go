package session

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sluice/router"
	"sluice/server"
	"sluice/shard"
)

func TestHoldIsBounded(t *testing.T) {
	g := &gate{}
	for i := range holdMost {
		if !g.hold(1) {
			t.Fatalf("statement %d has no place", i)
		}
	}
	if g.hold(1) {
		t.Error("there is no bound of statements")
	}
	for range holdMost {
		g.release(1)
	}
	if !g.hold(holdMostBytes) || g.hold(1) {
		t.Error("there is no bound of bytes")
	}
	if g.release(holdMostBytes); g.waiting() != 0 || g.bytes != 0 {
		t.Errorf("%d statements and %d bytes are left", g.waiting(), g.bytes)
	}
}

// slowTopology is read for as long as its channel is open.
type slowTopology struct {
	Topology
	reads   atomic.Int64
	release chan struct{}
}

func (s *slowTopology) Refresh(context.Context) (*shard.Map, error) {
	s.reads.Add(1)
	<-s.release
	return nil, nil
}

func TestMapIsReadOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowTopology{release: make(chan struct{})}
		g := &gate{topo: s}
		for range 500 {
			go g.refresh(t.Context())
		}
		synctest.Wait()
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		g.refresh(gone) // does not wait
		if n := s.reads.Load(); n != 1 {
			t.Errorf("%d reads at once", n)
		}
		close(s.release)
		synctest.Wait()
		if g.refresh(t.Context()); s.reads.Load() != 2 || g.reading != nil {
			t.Errorf("%d reads in all", s.reads.Load())
		}
	})
}

func TestSlotSet(t *testing.T) {
	is := func(slot uint16) func(uint16) bool { return func(s uint16) bool { return s == slot } }
	var tx touch
	m := &shard.Map{}
	for slot := range uint16(200) { // some one by one, the others in the bits
		tx.add(m, &router.Bound{Slots: []uint16{slot * 3}})
		tx.ended()
	}
	for slot := range uint16(700) {
		if got, want := tx.tx.has(is(slot)), slot%3 == 0 && slot < 600; got != want {
			t.Fatalf("slot %d is touched: %v", slot, got)
		}
	}
	move := &shard.Move{Slots: []shard.Span{{First: 598, Last: 599}}}
	if tx.touches(move) {
		t.Error("slots that were not touched are")
	}
	tx.add(m, &router.Bound{All: true})
	if !tx.touches(move) || tx.tx.has(move.Has) {
		t.Error("a statement over all rows touches every slot, the transaction before it does not")
	}
	if tx.clear(); tx.m != nil || tx.touches(move) || tx.tx.has(is(0)) {
		t.Error("what was cleared is touched")
	}
}

func TestNotingAllocatesNothing(t *testing.T) {
	var tx touch
	m, b := &shard.Map{}, &router.Bound{Slots: []uint16{1, 2, 3}}
	tx.add(m, b)
	tx.clear()
	if n := testing.AllocsPerRun(100, func() {
		tx.add(m, b)
		tx.ended()
		tx.clear()
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestParseSpans(t *testing.T) {
	got, err := parseSpans("0-4095,8192-8200, 9")
	if want := []shard.Span{{First: 0, Last: 4095}, {First: 8192, Last: 8200}, {First: 9, Last: 9}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"", "x", "1-", "-1", "0-16384", "1,,2"} {
		if got, err := parseSpans(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

// Of two switches, a transaction goes on with what the one waits for, and not with the other's.
func TestOneOfTwoSwitches(t *testing.T) {
	m, err := shard.New(1, shard.Spec{
		Shards: []shard.Shard{{Name: "a", Primary: "a:1"}, {Name: "b", Primary: "b:1"}, {Name: "c", Primary: "c:1"}},
		Ranges: []shard.Range{{First: 0, Last: 8191, Shard: "a"}, {First: 8192, Last: shard.Slots - 1, Shard: "b"}},
		Moves: []shard.Move{
			{ID: 1, Slots: []shard.Span{{First: 0, Last: 9}}, Source: "a", Target: "c", Frozen: true, Attempt: 1},
			{ID: 2, Slots: []shard.Span{{First: 9000, Last: 9009}}, Source: "b", Target: "c", Frozen: true, Attempt: 1},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := running{core: &core{shared: &shared{}, kept: &kept{}}}
	a := admission{&r}
	r.kept.pins.list = []pin{{locked: true}}
	r.shared.touch.tx.add(false, []uint16{5})
	r.bound = router.Bound{Slots: []uint16{5}}
	if v := a.frozen(m); v != nil {
		t.Errorf("a transaction waits for migration %d, which waits for it", v.ID)
	}
	for _, b := range []router.Bound{{All: true}, {Slots: []uint16{5, 9005}}} {
		if r.bound = b; a.frozen(m) == nil || a.frozen(m).ID != 2 {
			t.Errorf("%+v waits for %+v", b, a.frozen(m))
		}
	}
	r.kept.pins.list = nil
	if v := a.frozen(m); v == nil || v.ID != 1 {
		t.Errorf("outside of a transaction it waits for %+v", v)
	}
}

// A session that ends gives its connections away: the drainer does not reach for them any more.
func TestWhoEndsIsNotCut(t *testing.T) {
	s, v := &Session{}, &shard.Move{ID: 1, Slots: []shard.Span{{First: 5, Last: 5}}, Frozen: true, Attempt: 1}
	s.shared.touch.add(&shard.Map{}, &router.Bound{Slots: []uint16{5}})
	takeUp(&s.shared, &s.kept)
	if s.shared.quiet(v, 0) || s.shared.touch.doomed != 0 {
		t.Error("a session that works was cut")
	}
	if s.shared.running = false; !s.shared.quiet(v, 0) || s.shared.touch.doomed != 1 {
		t.Error("an idle one was not")
	}
}

// TestLongStatements: what has been running for long and touches slots of a migration is said
// of, the oldest of each; what waits, is young or touches others is not.
func TestLongStatements(t *testing.T) {
	m, err := shard.New(1, shard.Spec{
		Shards: []shard.Shard{{Name: "a", Primary: "a:1"}, {Name: "b", Primary: "b:1"}},
		Ranges: []shard.Range{{First: 0, Last: 8191, Shard: "a"}, {First: 8192, Last: shard.Slots - 1, Shard: "b"}},
		Moves: []shard.Move{
			{ID: 1, Slots: []shard.Span{{First: 0, Last: 9}}, Source: "a", Target: "b"},
			{ID: 2, Slots: []shard.Span{{First: 9000, Last: 9009}}, Source: "b", Target: "a"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{topo: fixedMap{m: m}, sessions: map[*shared]struct{}{}}
	now := time.Now()
	add := func(id uint32, age time.Duration, b router.Bound) *shared {
		sh := &shared{c: &server.Client{ID: id}, running: true}
		sh.touch.add(m, &b)
		sh.since = now.Add(-age)
		g.enter(sh)
		return sh
	}
	add(1, 5*time.Second, router.Bound{Slots: []uint16{5}})
	all := add(2, 9*time.Second, router.Bound{All: true})
	add(3, time.Second, router.Bound{Slots: []uint16{9001}})
	add(4, time.Hour, router.Bound{Slots: []uint16{77}})
	add(5, time.Hour, router.Bound{All: true}).touch.waiting = true
	add(6, time.Hour, router.Bound{All: true}).running = false
	got := func() (list []string) {
		for _, l := range g.long(now) {
			list = append(list, fmt.Sprintf("%d:%d:%v", l.Move, l.Session, now.Round(0).Sub(l.Since).Round(time.Second)))
		}
		return list
	}
	if list := got(); !slices.Equal(list, []string{"1:2:9s", "2:2:9s"}) {
		t.Errorf("%q", list)
	}
	if g.leave(all); !slices.Equal(got(), []string{"1:1:5s"}) {
		t.Errorf("%q", got())
	}
}

type fixedMap struct {
	Topology
	m *shard.Map
}

func (f fixedMap) Map() *shard.Map { return f.m }
