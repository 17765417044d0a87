package shard

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// moving is a cluster of two shards, of which a quarter moves from a to b.
func moving(owner string, frozen bool) Spec {
	s := Spec{
		Shards:  []Shard{{Name: "a", Primary: "h:1"}, {Name: "b", Primary: "h:2"}},
		Ranges:  []Range{{First: 0, Last: 8191, Shard: "a"}, {First: 8192, Last: Slots - 1, Shard: "b"}},
		Schemas: []Schema{{Name: "shop", DefaultShard: "a"}},
		Moves:   []Move{{ID: 7, Slots: []Span{{0, 99}, {200, 299}}, Source: "a", Target: "b", Frozen: frozen, Attempt: 3}},
	}
	if owner == "b" {
		s.Ranges = []Range{{0, 99, "b", ""}, {100, 199, "a", ""}, {200, 299, "b", ""}, {300, 8191, "a", ""}, {8192, Slots - 1, "b", ""}}
	}
	return s
}

func TestMapMoves(t *testing.T) {
	for _, owner := range []string{"a", "b"} {
		m, err := New(1, moving(owner, true))
		if err != nil {
			t.Fatal(err)
		}
		other := 1
		if owner == "b" {
			other = 0
		}
		want := []Span{{0, 99}, {200, 299}}
		if !reflect.DeepEqual(m.Foreign(other), want) || len(m.Foreign(1-other)) != 0 {
			t.Errorf("owner %s: foreign %v and %v", owner, m.Foreign(0), m.Foreign(1))
		}
		if v := m.FrozenMove(250); v == nil || v.ID != 7 || m.FrozenMove(150) != nil || m.MoveOf(299) != v || m.Move(7) != v || m.Move(8) != nil {
			t.Errorf("owner %s: the frozen move of a slot is %v", owner, v)
		}
		if !m.HasMoves() || !m.Frozen() {
			t.Error("the map has a frozen move and does not know it")
		}
	}
	for slot, want := range map[uint16]bool{0: true, 99: true, 100: false, 199: false, 200: true, 299: true, 300: false} {
		if v := moving("a", false).Moves[0]; v.Has(slot) != want {
			t.Errorf("slot %d is part of the move: %v", slot, !want)
		}
	}
	m, err := New(1, moving("a", false))
	if err != nil || m.Frozen() || m.FrozenMove(0) != nil || m.MoveOf(0) == nil {
		t.Errorf("a move that is not frozen: %v", err)
	}
	still := moving("a", false)
	still.Moves = nil
	if m, err = New(1, still); err != nil || m.HasMoves() || m.Foreign(1) != nil || m.MoveOf(0) != nil {
		t.Errorf("a map without moves: %v", err)
	}
}

func TestMovesAreStoredAndCopied(t *testing.T) {
	was := moving("a", true)
	b, err := json.Marshal(was)
	if err != nil {
		t.Fatal(err)
	}
	var is Spec
	if err := json.Unmarshal(b, &is); err != nil || !reflect.DeepEqual(was, is) {
		t.Errorf("%s became %+v: %v", b, is, err)
	}
	c := was.Clone()
	c.Moves[0].Slots[0].Last = 1
	if was.Moves[0].Slots[0].Last != 99 {
		t.Error("a clone shares the slots of its moves")
	}
}

func TestCheckMoves(t *testing.T) {
	for _, c := range []struct {
		change func(*Spec)
		fault  string
	}{
		{func(s *Spec) { s.Moves[0].ID = 0 }, "no number of a migration"},
		{func(s *Spec) { s.Moves = append(s.Moves, s.Moves[0]) }, "migration 7 is there twice"},
		{func(s *Spec) {
			s.Moves = append(s.Moves, Move{ID: 8, Slots: []Span{{99, 99}}, Source: "a", Target: "b"})
		}, "slot 99 is part of the migrations 7 and 8"},
		{func(s *Spec) { s.Moves[0].Target = "c" }, `there is no shard "c"`},
		{func(s *Spec) { s.Moves[0].Target = "a" }, "to itself"},
		{func(s *Spec) { s.Moves[0].Attempt = 0 }, "frozen in no attempt"},
		{func(s *Spec) { s.Moves[0].Slots = nil }, "moves no slot"},
		{func(s *Spec) { s.Moves[0].Slots = []Span{{5, 4}} }, "5-4 is no range"},
		{func(s *Spec) { s.Moves[0].Slots = []Span{{5, 9}, {9, 10}} }, "9-10 is no range"},
		{func(s *Spec) { s.Moves[0].Slots = []Span{{5, Slots}} }, "is no range"},
		{func(s *Spec) { s.Moves[0].Slots = []Span{{8000, 9000}} }, `slot 8192 is owned by "b"`},
		{func(s *Spec) { s.Shards[1].State = Joining }, `the shard "b" is joining and cannot own slots`},
		{func(s *Spec) {
			s.Shards = append(s.Shards, Shard{Name: "c", Primary: "h:3", State: Joining})
			s.Schemas[0].DefaultShard = "c"
		}, "default of no schema"},
	} {
		s := moving("a", true)
		c.change(&s)
		if faults := Check(s); len(faults) == 0 || !strings.Contains(faults.Error(), c.fault) {
			t.Errorf("want %q, got %v", c.fault, faults)
		}
	}
}
