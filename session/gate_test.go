package session

import (
	"reflect"
	"testing"

	"sluice/router"
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
