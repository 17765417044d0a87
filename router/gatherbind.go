package router

import (
	"errors"
	"hash/crc32"
	"strconv"

	"sluice/query"
	"sluice/shard"
)

// bind computes the legs that rows come from and the one that answers, which is the only
// one of Bound.Legs.
func (g *gatherPlan) bind(p *Plan, a *Args, b *Bound) error {
	if g.denied != nil {
		return g.denied
	}
	b.All, b.Slots, b.Keys = p.sharded, nil, nil // what was placed before this was tried is no more
	s := &b.scratch
	home := g.shard(a)
	out, only, refusal := g.copiesOf(p, a, b, home)
	if refusal != nil {
		return refusal
	}
	b.Legs = append(b.Legs[:0], Leg{Shard: home})
	if only == home && !g.apart {
		if g.base == 0 {
			return nil
		}
		sql, refusal := s.apply(g.edits[:g.base], a, "")
		if refusal != nil {
			return refusal
		}
		b.Legs[0].SQL = sql
		return nil
	}
	sql, refusal := g.text(s, a)
	if refusal != nil {
		return refusal
	}
	b.Legs[0].SQL, b.Legs[0].Params = sql, g.params
	if g.sifted && g.params == nil {
		b.Legs[0].Params = s.kept(a)
	}
	b.Strategy, b.Gathering = Gather, out
	if g.write {
		b.Strategy = GatherWrite
		if out.Check = out.checks(); p.atHome && out.Check >= 0 { // which alone has the functions
			out.Check = home
		}
	}
	return nil
}

// copiesOf computes where the rows of the copies come from. only is the one shard that has
// all of them, the home where there are none, -1 when there are several.
func (g *gatherPlan) copiesOf(p *Plan, a *Args, b *Bound, home int) (out *Gathering, only int, why *Refusal) {
	out = &Gathering{Apart: g.apart, Sifted: g.sifted, Ranks: g.ranks, Ranked: g.ranked, Limits: a.Map.Spec.Gather, Tables: make([]GatherTable, len(g.tables)), Check: -1}
	const none, several = -2, -1
	only = none
	for i := range g.tables {
		c := &g.tables[i]
		if out.Tables[i] = c.to; c.to.CopyOf != "" {
			continue
		}
		c.places(p, a, b, home)
		if len(b.Legs) == 0 && c.parts != "" { // a shard says whether it has such a partition
			b.leg(home)
		}
		if c.write != nil {
			out.Tables[i].Write = c.write.bind(a)
		}
		for _, l := range b.Legs {
			if only == none {
				only = l.Shard
			}
			if only != l.Shard {
				only = several
			}
		}
		if c.to.Foreign {
			only = several
		}
		if len(b.Legs) == 0 {
			continue
		}
		if out.Tables[i].Legs, why = g.sources(c, a, b); why != nil {
			return nil, 0, why
		}
	}
	if only == none {
		only = home
	}
	return out, only, nil
}

// sources are the SELECTs of a copy's rows on the shards of b.Legs.
func (g *gatherPlan) sources(c *copied, a *Args, b *Bound) ([]Leg, *Refusal) {
	legs := make([]Leg, len(b.Legs))
	var plain Leg // where all rows are the shard's own
	for j := range legs {
		at := b.Legs[j].Shard
		foreign := a.Map.Foreign(at)
		if c.slot == "" {
			foreign = nil
		}
		l := plain
		if l.SQL == nil || len(foreign) > 0 {
			sql, params, refusal := c.source(&b.scratch, a, foreign)
			if refusal != nil {
				return nil, refusal
			}
			if !a.Unlocked && c.lock == "" {
				sql = append(sql, g.locks...)
			}
			l = Leg{SQL: sql, Params: params}
		}
		if len(foreign) == 0 {
			plain = l
		}
		l.Shard = at
		legs[j] = l
	}
	return legs, nil
}

// text is the client's statement over the copies.
func (g *gatherPlan) text(s *scratch, a *Args) ([]byte, *Refusal) {
	if _, refusal := s.apply(g.edits, a, ""); refusal != nil { // it notes where they are
		return nil, refusal
	}
	for i := range g.names {
		from, ok1 := g.names[i].from.find(a.SQL, a.Scan)
		to, ok2 := g.names[i].to.find(a.SQL, a.Scan)
		if !ok1 || !ok2 || from > to {
			return nil, notFound()
		}
		if a.Mode.Charset != query.Plain && !isASCII(a.SQL[from:to]) {
			return nil, notOverShards("a select item with letters beyond ASCII and a subquery, in this connection's character set,",
				"give it an alias, or SET NAMES utf8mb4")
		}
		name := query.QuoteName([]byte(" AS "), string(a.SQL[from:to]))
		s.edits = append(s.edits, query.Edit{Span: query.Span{Start: to, End: to}, Text: string(name)})
	}
	out, err := query.Apply(nil, a.SQL, s.edits)
	if err != nil {
		return nil, refuse(1105, "HY000", "the statement could not be changed: %v", err)
	}
	return out, nil
}

// shard is the one that answers. Where all shards are alike, one that the session holds a
// connection of spares another; else the statement's text decides, so that not all come
// to one shard.
func (g *gatherPlan) shard(a *Args) int {
	shards := len(a.Map.Spec.Shards)
	if g.fixed {
		at, _ := a.Map.ShardIndex(g.home) // the first one when it was removed
		return at
	}
	if a.Held >= 0 && a.Held < shards && !a.Map.Joining(a.Held) {
		return a.Held
	}
	if g.locks != "" && !a.Mode.MariaDB { // MySQL allows temporary tables on the first shard of a transaction only
		for i := range shards {
			if a.Map.SlotCount(i) > 0 {
				return i
			}
		}
	}
	first := int(crc32.ChecksumIEEE(a.Scan.Fingerprint) % uint32(shards))
	for i := range shards {
		if at := (first + i) % shards; a.Map.SlotCount(at) > 0 {
			return at
		}
	}
	return first
}

// places puts the shards that a copy's rows come from into b.Legs.
func (c *copied) places(p *Plan, a *Args, b *Bound, home int) {
	b.Legs = b.Legs[:0]
	switch {
	case c.on != "":
		at, _ := a.Map.ShardIndex(c.on)
		b.leg(at)
	case c.anyOne && c.lock != "": // all lock the same copy first
		b.leg(0)
	case c.anyOne:
		b.leg(home)
	case c.key == nil:
		b.owners(a.Map)
	default:
		s := &b.scratch
		s.clearSeen(len(a.Map.Spec.Shards))
		if r, absent := s.mark(c.key, a, p.charset); absent || r == reachedAll {
			b.owners(a.Map)
			return
		}
		for i, on := range s.seen {
			if on {
				b.leg(i)
			}
		}
	}
}

// source is the SELECT of a copy's rows: at most one more than a statement may gather.
// Those of foreign slots are left out. params are those of the client's that its placeholders
// stand for.
func (c *copied) source(s *scratch, a *Args, foreign []shard.Span) (sql []byte, params []int, why *Refusal) {
	params = []int{}
	sql = append(append(append(sql, "SELECT "...), c.columns...), " FROM "...)
	sql = query.QuoteName(append(query.QuoteName(sql, c.to.Schema), '.'), c.to.Table)
	sql = append(sql, c.parts...)
	if (len(c.where) > 0 || c.order != nil) && c.alias != "" {
		sql = query.QuoteName(append(sql, " AS "...), c.alias)
	}
	word := " WHERE "
	if len(foreign) > 0 {
		sql, word = appendOwn(append(sql, word...), c.slot, foreign), " AND "
	}
	for i := range c.filters {
		text, used, ok := c.filters[i].text(s, a)
		if !ok {
			continue
		}
		sql = append(append(sql, word...), text...)
		params = append(params, used...)
		word = " AND "
	}
	for i := range c.where {
		text, used, ok := c.where[i].text(s, a)
		if !ok {
			if c.limit.Has || c.where[i].must { // without the condition the first rows are others
				return nil, nil, notFound()
			}
			continue
		}
		sql = append(append(append(append(sql, word...), '('), text...), ')')
		params = append(params, used...)
		word = " AND "
	}
	if c.order != nil {
		text, used, ok := c.order.text(s, a)
		if !ok {
			return nil, nil, notFound()
		}
		sql = append(append(sql, " ORDER BY "...), text...)
		params = append(params, used...)
	}
	rows := uint64(a.Map.Spec.Gather.Rows()) + 1
	if c.limit.Has {
		n, _, err := s.limits(&c.limit, a)
		if err != nil {
			return nil, nil, limitRefused()
		}
		rows = min(rows, n)
	}
	sql = strconv.AppendUint(append(sql, " LIMIT "...), rows, 10)
	return append(sql, c.lock...), params, nil
}

// limitRefused is for a LIMIT that is no number.
func limitRefused() *Refusal { return refuse(1210, "HY000", "LIMIT must be an integer from 0 on") }

// text gives a condition as a bind's statement has it, with its parameters.
func (c *condition) text(s *scratch, a *Args) (text []byte, params []int, ok bool) {
	from, ok1 := c.from.find(a.SQL, a.Scan)
	to, ok2 := c.to.find(a.SQL, a.Scan)
	if !ok1 || !ok2 || from > to {
		return nil, nil, false
	}
	for j, lit := range a.Scan.Literals {
		if lit.Kind == query.Param && lit.Start >= from && lit.End <= to {
			params = append(params, s.paramOf(a.Scan, j))
		}
	}
	return a.SQL[from:to], params, true
}

// text writes a predicate with the statement's values. A parameter may be NULL, which <=>
// finds as well. ok is false when the predicate says nothing of single rows.
func (f *filter) text(s *scratch, a *Args) (text []byte, params []int, ok bool) {
	var list []byte
	n := len(f.values)
	if f.all {
		n = int(a.Scan.Holes[f.values[0].Hole].Count)
	}
	for i := range n {
		v := f.values[0]
		if f.all {
			v.Pos = i
		} else {
			v = f.values[i]
		}
		if v.Kind == query.ValNull {
			list = append(list, ", NULL"...)
			continue
		}
		at := literalIndex(a.Scan, v.Hole, v.Pos)
		if at < 0 {
			return nil, nil, false
		}
		lit := a.Scan.Literals[at]
		if lit.Kind != query.Param {
			list = append(append(list, ", "...), lit.Of(a.SQL)...)
			continue
		}
		param := s.paramOf(a.Scan, at)
		if a.Params == nil || f.nullable && a.Params.Null(param) || n > 1 && (f.whole || a.Params.Temporal(param)) {
			return nil, nil, false
		}
		text = append(append(append(text, " OR "...), f.column...), " <=> ?"...)
		params = append(params, param)
	}
	if len(list) > 0 {
		text = append(append(append(append(text, " OR "...), f.column...), " IN ("...), list[len(", "):]...)
		text = append(text, ')')
	}
	if len(text) == 0 {
		return nil, nil, false
	}
	return append(append([]byte{'('}, text[len(" OR "):]...), ')'), params, true
}

// gathers tells whether a statement that cannot go where its keys are can be gathered.
func (p *Plan) gathers(why error) bool {
	var refusal *Refusal
	return p.gather != nil && errors.As(why, &refusal)
}

// explain renders where the copies come from.
func (g *Gathering) explain(rows []ExplainRow, a *Args, home int) []ExplainRow {
	for i := range g.Tables {
		t := &g.Tables[i]
		if t.CopyOf != "" {
			rows = append(rows, ExplainRow{a.Map.ShardName(home), "SELECT * FROM " + string(query.QuoteName(nil, t.CopyOf)), "gather " + t.Name})
		}
		for j := range t.Legs {
			rows = append(rows, ExplainRow{a.Map.ShardName(t.Legs[j].Shard), string(t.Legs[j].SQL), "gather " + t.Name})
		}
	}
	return rows
}
