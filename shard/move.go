package shard

import (
	"cmp"
	"fmt"
	"slices"
)

// FenceCode is the error number that the triggers of a migration signal on a server whose
// rows are fenced, with SQLSTATE 45000 and a text that begins with FencePrefix and the
// migration's id. A statement that was refused so has not been carried out.
const (
	FenceCode   = 9101
	FencePrefix = "sluice: migration "
	FenceJoined = " joined " // in the note of a fence row: the shard that follows has got copies of the reference tables
)

// Joining is the state of a shard that has not got the copies of the reference tables yet:
// it owns no slot, and reference tables are neither read nor written there.
const Joining = "joining"

// Span is a run of slots, both ends included.
type Span struct {
	First uint16 `json:"first"`
	Last  uint16 `json:"last"`
}

// Move is a migration as far as routing is concerned. Who owns its slots is said by
// Spec.Ranges alone; until the move is taken out of the map, the one of Source and Target
// that does not own them may hold rows of them all the same.
//
//	owner   Frozen   other side holds      statements on Slots
//	Source  no       some of Target's      run
//	Source  yes      all at Target         wait
//	Target  no       all at Source         run
//	Target  yes      all at Source         wait (the way back)
type Move struct {
	ID      int64  `json:"id"`
	Slots   []Span `json:"slots"` // sorted, disjoint
	Source  string `json:"source"`
	Target  string `json:"target"`
	Frozen  bool   `json:"frozen,omitempty"`
	Attempt int64  `json:"attempt,omitempty"` // of the switch; grows, and is the fence's token
}

// Has tells whether a slot moves.
func (v *Move) Has(slot uint16) bool {
	i, found := slices.BinarySearchFunc(v.Slots, slot, func(s Span, slot uint16) int { return cmp.Compare(s.First, slot) })
	return found || i > 0 && v.Slots[i-1].Last >= slot
}

// HasMoves tells whether any migration is listed.
func (m *Map) HasMoves() bool { return m.moves != nil }

// Frozen tells whether statements on some slots wait.
func (m *Map) Frozen() bool { return m.frozen }

// MoveOf gives the migration that a slot is part of, or nil.
func (m *Map) MoveOf(slot uint16) *Move {
	if m.moves == nil || m.moves[slot] == 0 {
		return nil
	}
	return &m.Spec.Moves[m.moves[slot]-1]
}

// Joins tells whether a migration is listed that brings a shard its reference tables. Whoever
// writes such tables is then waited for like one who touches the slots that move.
func (m *Map) Joins() bool { return m.joins }

// Move gives a migration by its id, or nil.
func (m *Map) Move(id int64) *Move {
	for i := range m.Spec.Moves {
		if m.Spec.Moves[i].ID == id {
			return &m.Spec.Moves[i]
		}
	}
	return nil
}

// FrozenMove gives the migration for which statements on a slot wait, or nil.
func (m *Map) FrozenMove(slot uint16) *Move {
	if !m.frozen {
		return nil
	}
	if v := m.MoveOf(slot); v != nil && v.Frozen {
		return v
	}
	return nil
}

// Foreign gives the slots, sorted and joined, of which the shard with that index may hold
// rows that it does not own. It is read only.
func (m *Map) Foreign(i int) []Span {
	if m.foreign == nil {
		return nil
	}
	return m.foreign[i]
}

// Joining tells whether the shard with that index has no reference tables yet.
func (m *Map) Joining(i int) bool { return m.Spec.Shards[i].State == Joining }

// listMoves prepares what is asked of migrations.
func (m *Map) listMoves() {
	if len(m.Spec.Moves) == 0 {
		return
	}
	m.moves, m.foreign = make([]int16, Slots), make([][]Span, len(m.Spec.Shards))
	for i := range m.Spec.Moves {
		v := &m.Spec.Moves[i]
		m.frozen = m.frozen || v.Frozen
		m.joins = m.joins || m.Joining(m.shards[v.Target])
		for _, s := range v.Slots {
			for slot := int(s.First); slot <= int(s.Last); slot++ {
				m.moves[slot] = int16(i + 1)
			}
		}
	}
	for slot, at := range m.moves {
		if at == 0 {
			continue
		}
		v := &m.Spec.Moves[at-1]
		for _, name := range [2]string{v.Source, v.Target} {
			if i := m.shards[name]; i != int(m.owner[slot]) {
				m.foreign[i] = appendSlot(m.foreign[i], uint16(slot))
			}
		}
	}
}

// appendSlot adds a slot that is above all in spans.
func appendSlot(spans []Span, slot uint16) []Span {
	if n := len(spans); n > 0 && spans[n-1].Last+1 == slot {
		spans[n-1].Last = slot
		return spans
	}
	return append(spans, Span{slot, slot})
}

func (c *checker) checkMoves() {
	owner := c.owners()
	ids, moved := map[int64]bool{}, make([]int64, Slots)
	for i := range c.spec.Moves {
		v := &c.spec.Moves[i]
		at := fmt.Sprintf("moves[%d]", i)
		switch {
		case v.ID <= 0:
			c.add(at+".id", "%d is no number of a migration; they count from 1", v.ID)
		case ids[v.ID]:
			c.add(at+".id", "migration %d is there twice", v.ID)
		}
		ids[v.ID] = true
		for _, s := range [2]string{v.Source, v.Target} {
			if !c.shards[s] {
				c.add(at, "there is no shard %s; %s", clip(s), c.knownShards())
			}
		}
		if v.Source == v.Target {
			c.add(at, "migration %d moves slots from %s to itself", v.ID, clip(v.Source))
		}
		if v.Frozen && v.Attempt <= 0 {
			c.add(at+".attempt", "migration %d is frozen in no attempt; they count from 1", v.ID)
		}
		c.checkMoved(at, v, owner, moved)
	}
}

// checkMoved checks the slots of a migration: all of them are its source's, or all its target's.
func (c *checker) checkMoved(at string, v *Move, owner []string, moved []int64) {
	if len(v.Slots) == 0 {
		c.add(at+".slots", "migration %d moves no slot", v.ID)
	}
	next, of := 0, ""
	for _, s := range v.Slots {
		if s.First > s.Last || s.Last >= Slots || int(s.First) < next {
			c.add(at+".slots", "%d-%d is no range of slots above the one before; write first and last from 0 to %d", s.First, s.Last, Slots-1)
			return
		}
		next = int(s.Last) + 1
		for slot := s.First; slot < Slots && slot <= s.Last; slot++ {
			switch o := owner[slot]; {
			case moved[slot] != 0:
				c.add(at+".slots", "slot %d is part of the migrations %d and %d", slot, moved[slot], v.ID)
				return
			case o == "": // a fault of its own
			case o != v.Source && o != v.Target || of != "" && o != of:
				c.add(at+".slots", "slot %d is owned by %s; all slots of migration %d must be %s's, or all %s's", slot, clip(o), v.ID, clip(v.Source), clip(v.Target))
				return
			default:
				of = o
			}
			moved[slot] = v.ID
		}
	}
}

// owners gives the owner of each slot, as far as the ranges are sound.
func (c *checker) owners() []string {
	owner := make([]string, Slots)
	for _, r := range c.spec.Ranges {
		for slot := int(r.First); slot <= int(r.Last) && slot < Slots; slot++ {
			owner[slot] = r.Shard
		}
	}
	return owner
}
