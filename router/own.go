package router

import (
	"slices"
	"strconv"
	"strings"

	"sluice/query"
	"sluice/shard"
)

// While slots move, a shard holds rows that it does not own: copies of what comes to it, or
// what has gone and is not cleaned up yet. A statement that reaches such a shard other than by
// the keys of its own slots is given a condition that leaves them out:
//
//	UPDATE users SET n = n+1 WHERE a OR b
//	UPDATE users SET n = n+1 WHERE (MOD(CRC32(`users`.`user_id`), 16384) NOT BETWEEN 0 AND 4095) AND (a OR b)
//
// One table is enough, the one to whose keys those of all others are tied (graph.local): rows
// of the others matter only beside one of its rows, and so are of the same slot. Where no
// such place can be edited, rows are gathered, and each copy's source has the condition.
// Nothing of this happens while the map lists no migration.

// flagNotNull is of the protocol.
const flagNotNull = 0x0001

// slotOf is the slot of a row in SQL, by its quoted key column. It equals shard.SlotOf of the
// key; of a row without a key it is a slot that no shard moves.
func slotOf(k *keyType, column string, flags uint16) string {
	if k.pads || k.fixed && k.charset != "binary" { // sql_mode may print CHAR with its spaces
		column = "RTRIM(" + column + ")"
	}
	slot := "MOD(CRC32(" + column + "), " + strconv.Itoa(shard.Slots) + ")"
	if flags&flagNotNull == 0 {
		slot = "IFNULL(" + slot + ", " + strconv.Itoa(shard.Slots) + ")"
	}
	return slot
}

// appendOwn writes that a slot is none of foreign ones.
func appendOwn(sql []byte, slot string, foreign []shard.Span) []byte {
	for i, f := range foreign {
		if i > 0 {
			sql = append(sql, " AND "...)
		}
		sql = append(append(sql, slot...), " NOT BETWEEN "...)
		sql = strconv.AppendUint(sql, uint64(f.First), 10)
		sql = strconv.AppendUint(append(sql, " AND "...), uint64(f.Last), 10)
	}
	return sql
}

// ownEdits are the edits that leave foreign rows out.
func ownEdits(own []edit, foreign []shard.Span) []edit {
	edits := slices.Clone(own)
	for i := range edits {
		if e := &edits[i]; e.slot != "" {
			e.text = string(appendOwn([]byte(e.before), e.slot, foreign)) + e.text
		}
	}
	return edits
}

// filters tells whether a leg of a bound statement must leave rows out that its shard does not
// own. On one shard that the values of the keys have chosen, they have done so.
func filters(p *Plan, a *Args, b *Bound) bool {
	if !a.Map.HasMoves() || p.own == nil && p.unfiltered == nil || len(b.Legs) < 2 && !p.ownAlone {
		return false
	}
	return slices.ContainsFunc(b.Legs, func(l Leg) bool { return len(a.Map.Foreign(l.Shard)) > 0 })
}

// keeper keeps statements to the rows that their shards own.
type keeper struct{ *planner }

// ownRows plans the condition on one table of the top block. why says that it has no place.
func (p keeper) ownRows(anchor int) (why *Refusal) {
	if !p.in.Map.HasMoves() {
		return nil
	}
	t := &p.tables[anchor]
	where := p.whereOf(t.ref.Block)
	if t.ref.Block != 0 || where < 0 || p.in.Scan.ExecutableComment {
		return foreignRows(p.in.Map, t.name())
	}
	column := &t.info.Columns[t.key]
	quoted := query.QuoteName(nil, t.schema)
	if t.ref.Alias == "" {
		quoted = query.QuoteName(append(quoted, '.'), t.rule.Name)
	} else {
		quoted = query.QuoteName(nil, t.ref.Alias)
	}
	quoted = query.QuoteName(append(quoted, '.'), column.Name)
	if p.in.Mode.Charset != query.Plain && !isASCII(quoted) {
		return foreignRows(p.in.Map, t.name())
	}
	var own []edit
	earlier := p.err
	p.err = nil
	before := " WHERE (" // in parentheses, because what stands beside it may have no blank
	if at := p.stmt.Blocks[0].Where; at.Empty() {
		own = p.appendEdit(own, query.Span{Start: where, End: where}, ")", noLimitEdit)
	} else { // first, so that nothing is evaluated, and warned of, for the rows of others
		own = p.appendEdit(own, query.Span{Start: at.Start, End: at.Start}, ") AND (", noLimitEdit)
		before = "("
		own = p.appendEdit(own, query.Span{Start: at.End, End: at.End}, ")", noLimitEdit)
	}
	failed := p.err // then own may be empty
	if p.err = earlier; failed != nil {
		return foreignRows(p.in.Map, t.name())
	}
	own[0].before = before
	own[0].slot = slotOf(&t.typ, string(quoted), column.Flags)
	p.plan.own = own
	return nil
}

// whereOf gives where a block's WHERE ends, or could stand; -1 where there is no such place.
func (p keeper) whereOf(block int) int32 {
	b := &p.stmt.Blocks[block]
	switch {
	case !b.Where.Empty():
		return b.Where.End
	case p.stmt.Kind == query.Values: // TABLE t
		return -1
	case p.stmt.Kind == query.Update && len(p.stmt.Sets) > 0:
		return p.stmt.Sets[len(p.stmt.Sets)-1].Text.End
	case !b.From.Empty():
		return b.From.End
	}
	return -1
}

// ownHinted plans the condition for a shard that a hint chooses.
func (p hinted) ownHinted() error {
	if !p.in.Map.HasMoves() {
		return nil
	}
	t := p.first((*table).sharded)
	switch p.stmt.Kind {
	case query.Select, query.Update, query.Delete, query.Values:
	default:
		return nil
	}
	if t == nil {
		return nil
	}
	if err := p.load(); err != nil {
		return err
	}
	p.plan.ownAlone = true
	anchor, why := newGraph(p.planner).local()
	if why != nil || keeper(p).ownRows(anchor) != nil {
		p.plan.unfiltered = foreignRows(p.in.Map, t.name())
	}
	return nil
}

// ownOpaque refuses what is not understood on a shard that a hint chooses, if it names a
// sharded table and the shard holds rows that are another's.
func (p opaque) ownOpaque() {
	for i := range p.stmt.Tables {
		if r := &p.stmt.Tables[i]; p.isSharded(r) {
			p.plan.sharded, p.plan.ownAlone, p.plan.unfiltered = true, true, foreignRows(p.in.Map, r.Name)
		}
	}
}

// foreignRows refuses what would see rows twice, or change copies of them.
func foreignRows(m *shard.Map, table string) *Refusal {
	return unsupported("while migration %s runs, a shard holds rows of %s that are another's, and this statement has no place to leave them out; "+
		"give the shard key a value, write it in plainer SQL, or wait", moving(m), table)
}

// moving names the migrations that run.
func moving(m *shard.Map) string {
	var ids []string
	for i := range m.Spec.Moves {
		ids = append(ids, strconv.FormatInt(m.Spec.Moves[i].ID, 10))
	}
	return strings.Join(ids[:min(len(ids), 10)], ", ")
}

// hintedDDL refuses DDL that a hint sends to one shard.
func (p hinted) hintedDDL() error {
	if t := p.first(func(t *table) bool { return t.sharded() || t.reference() }); t != nil && p.plan.DDL {
		return whileMoving(p.planner, t.name())
	}
	return nil
}

// whileMoving refuses DDL of tables whose rows move: the mover reads and writes them by the
// definition that it has found.
func whileMoving(p *planner, what string) error {
	if !p.in.Map.HasMoves() {
		return nil
	}
	return unsupported("%s of %s while migration %s moves rows of such tables; wait until it is completed (SHOW MIGRATIONS on the admin port), or CANCEL MIGRATION",
		strings.ToUpper(p.stmt.Verb), what, moving(p.in.Map))
}
