package router

import (
	"strings"

	"sluice/query"
	"sluice/shard"
)

// staying is an UPDATE that assigns the shard key a value, as programs do that save a whole
// row: as a rule it is the one that the rows have already. Then no row moves, and the statement runs
// on the shard of that value. On the others it finds no row, which is what their legs
// (Leg.Nothing) make sure of, with the locks that it would take there:
//
//	owner of the value ─ UPDATE t SET …, key = 5 WHERE …       its own rows, which stay
//	all others         ─ UPDATE t SET key = key WHERE …        matches nothing, else the statement
//	                                                           is undone and runs over copies
type staying struct {
	key  setKey
	edit edit // of the assignments

	moved *Refusal // why rows cannot move, nil when they can
}

// stays finds out whether an UPDATE can be tried so.
func stays(p writer) *staying {
	var found *staying
	if p.stmt.Kind != query.Update || p.stmt.MultiTable || len(p.tables) != 1 || p.in.Scan.ExecutableComment || p.in.Map.HasMoves() {
		return nil
	}
	t := &p.tables[0]
	for i := range p.stmt.Sets {
		s := &p.stmt.Sets[i]
		if !strings.EqualFold(s.Col.Column, t.rule.ShardKey) {
			continue
		}
		if found != nil || s.Value.Kind != query.ValLiteral {
			return nil
		}
		found = &staying{key: setKey{typ: t.typ, value: s.Value, name: t.name()}}
	}
	if found == nil || !isASCII([]byte(t.rule.ShardKey)) {
		return nil
	}
	first, last := p.stmt.Sets[0].Text, p.stmt.Sets[len(p.stmt.Sets)-1].Text
	at := wordsAt(p.in.SQL[:first.Start], "set")
	if len(at) == 0 {
		return nil
	}
	from, ok1 := placeOf(p.in.SQL, p.in.Scan, at[len(at)-1]+int32(len("set")))
	to, ok2 := placeOf(p.in.SQL, p.in.Scan, last.End)
	if !ok1 || !ok2 || len(from.gap)+len(to.gap) > maxGap {
		return nil
	}
	key := string(query.QuoteName(nil, t.rule.ShardKey))
	found.edit = edit{from: from, to: to, text: " " + key + " = " + key}
	return found
}

// bind computes the legs. ok is false when rows have to move, or may.
func (st *staying) bind(p *Plan, a *Args, b *Bound) (ok bool) {
	if a.Moves || p.Strategy != AddCounts {
		return false
	}
	s := &b.scratch
	value, why := s.stored(&st.key.typ, s.literal(a, literalIndex(a.Scan, st.key.value.Hole, st.key.value.Pos)), p.charset)
	if why != "" {
		return false
	}
	owner := a.Map.Owner(shard.SlotOf(value))
	b.Legs = b.Legs[:0]
	if err := p.place(a, b); err != nil {
		b.Legs = b.Legs[:0]
		return false
	}
	at := -1
	for i := range b.Legs {
		if b.Legs[i].Shard == owner {
			at = i
		}
	}
	if at < 0 {
		b.Legs = b.Legs[:0]
		return false
	}
	if len(b.Legs) == 1 {
		return true
	}
	sql, refusal := s.apply([]edit{st.edit}, a, "")
	if refusal != nil {
		b.Legs = b.Legs[:0]
		return false
	}
	params := s.kept(a)
	for i := range b.Legs {
		if i != at {
			b.Legs[i] = Leg{Shard: b.Legs[i].Shard, SQL: sql, Params: params, Nothing: true}
		}
	}
	b.Strategy = AddCounts
	return true
}
