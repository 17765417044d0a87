package session

import (
	"slices"
	"time"

	"sluice/backend"
	"sluice/router"
	"sluice/shard"
)

// touch is what a session's running statement, open transaction or locked tables touch, for
// the drainer to look at. It lies under shared.mu; while a command runs, only the session's
// goroutine changes it.
type touch struct {
	m    *shard.Map // the oldest map that something of it was bound on; nil: nothing is touched
	tx   slotSet    // by earlier statements of the transaction
	stmt slotSet    // by the running one

	waiting bool            // the statement is held: it does not run, whatever it touches
	since   time.Time       // when the session began to be idle
	conns   []*backend.Conn // of the open transaction while the session is idle, and of locked tables
	doomed  int64           // the migration for which the transaction was rolled back meanwhile
}

// add notes what a bound statement touches.
func (t *touch) add(m *shard.Map, b *router.Bound) {
	if t.m == nil {
		t.m = m
	}
	t.stmt.add(b.All, b.Slots)
	t.stmt.copies = t.stmt.copies || copies(b)
}

// ended makes the statement one of the transaction's.
func (t *touch) ended() {
	t.tx.add(t.stmt.all, t.stmt.slots)
	t.tx.join(t.stmt.many)
	t.tx.copies = t.tx.copies || t.stmt.copies
	t.stmt.clear()
}

// clear forgets it all.
func (t *touch) clear() {
	t.m = nil
	t.tx.clear()
	t.stmt.clear()
}

// touches tells whether slots of a migration, which has some, are touched.
func (t *touch) touches(v *shard.Move) bool {
	return t.m != nil && (t.tx.all || t.stmt.all || t.tx.has(v.Has) || t.stmt.has(v.Has))
}

// slotSet are slots, or all of them.
type slotSet struct {
	all   bool
	slots []uint16 // at most fewSlots; its memory is kept
	many  *[shard.Slots / 64]uint64

	copies bool // of reference tables were written; they have no slots
}

// fewSlots is what is noted one by one.
const fewSlots = 64

func (t *slotSet) add(all bool, slots []uint16) {
	t.all = t.all || all
	if t.many == nil && len(t.slots)+len(slots) <= fewSlots {
		t.slots = append(t.slots, slots...)
		return
	}
	if t.many == nil {
		t.many = new([shard.Slots / 64]uint64)
	}
	for _, s := range slots {
		t.many[s/64] |= 1 << (s % 64)
	}
}

func (t *slotSet) join(many *[shard.Slots / 64]uint64) {
	if many == nil {
		return
	}
	if t.many == nil {
		t.many = new([shard.Slots / 64]uint64)
	}
	for i, word := range many {
		t.many[i] |= word
	}
}

func (t *slotSet) clear() { t.all, t.slots, t.many, t.copies = false, t.slots[:0], nil, false }

// has tells whether there is a slot of which f holds.
func (t *slotSet) has(f func(slot uint16) bool) bool {
	if slices.ContainsFunc(t.slots, f) {
		return true
	}
	if !t.all && t.many == nil {
		return false
	}
	for slot := range uint16(shard.Slots) {
		if (t.all || t.many[slot/64]&(1<<(slot%64)) != 0) && f(slot) {
			return true
		}
	}
	return false
}

// boundHas tells whether a bound statement touches a slot of which f holds.
func boundHas(b *router.Bound, f func(slot uint16) bool) bool {
	t := slotSet{all: b.All, slots: b.Slots}
	return t.has(f)
}

// moves tells whether slots that move matter to a bound statement.
func moves(b *router.Bound) bool { return b.All || len(b.Slots) > 0 || copies(b) }

// copies tells whether a bound statement writes each shard's copy of a table, or defines tables
// on all: a shard that its map does not know may have them by now.
func copies(b *router.Bound) bool {
	switch {
	case b.Strategy == router.Everywhere, b.Staging != nil && b.Staging.All, b.Load != nil && b.Load.Everywhere:
		return true
	case b.Gathering == nil:
		return false
	}
	return slices.ContainsFunc(b.Gathering.Tables, func(t router.GatherTable) bool { return t.Write != nil && len(t.Write.Shards) > 0 })
}
