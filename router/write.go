package router

import (
	"errors"
	"strings"

	"sluice/query"
	"sluice/shard"
)

// write plans INSERT, REPLACE, UPDATE, DELETE and LOAD DATA.
func (p writer) write() error {
	if err := access(p).filterInformationSchema(); err != nil {
		return err
	}
	if p.stmt.Insert == nil {
		return p.inPlace()
	}
	if !p.in.Staged && !p.in.Apart {
		err := p.inPlace()
		if why, refused := err.(*Refusal); err != ErrStage && (!refused || why.Code != 1235) {
			return err
		}
	}
	p.plan.oneOnly, p.plan.keys, p.plan.insert, p.plan.gather, p.err = nil, nil, nil, nil, nil
	return stager{inserter(p)}.staged()
}

// inPlace plans a write that each shard carries out as it is, or its part of the rows.
func (p writer) inPlace() error {
	sharded, reference, unsharded, system := p.targets()
	switch {
	case sharded+reference+unsharded+system == 0:
		return unsupported("%s without a table", strings.ToUpper(p.stmt.Verb))
	case unsharded > 0 && sharded+reference > 0 || sharded > 0 && reference > 0:
		return p.gatherWrite(true) // an UPDATE or DELETE: others write one table
	case unsharded > 0 || system > 0:
		return p.writeDefault()
	}
	if err := p.noRoutines(); err != nil {
		if p.changes() {
			return p.gatherWrite(true)
		}
		return err
	}
	if sharded > 0 {
		return p.writeSharded()
	}
	return p.writeReference()
}

// targets counts the tables that are written: all where none is named.
func (p writer) targets() (sharded, reference, unsharded, system int) {
	isTarget := func(t *table) bool { return t.ref.Target }
	if p.first(isTarget) == nil {
		return p.count()
	}
	return p.countIf(isTarget)
}

func (p writer) targetNames() string {
	var names []string
	for i := range p.tables {
		if t := &p.tables[i]; t.ref.Target {
			names = append(names, t.name())
		}
	}
	return strings.Join(names, ", ")
}

// changes tells whether a statement is an UPDATE or DELETE.
func (p writer) changes() bool { return p.stmt.Kind == query.Update || p.stmt.Kind == query.Delete }

// writeDefault plans a write of unsharded tables; reference tables may be read beside them.
func (p writer) writeDefault() error {
	if p.first((*table).sharded) != nil {
		if p.stmt.Insert != nil {
			return inserter(p).gathered()
		}
		return p.gatherWrite(true)
	}
	home, err := p.oneHome()
	if c := p.plan.Called; err == nil && c != nil && c.sharded != "" {
		err = p.plan.Called.readsSharded(p.plan.Table)
	}
	if err != nil {
		if p.changes() {
			return p.gatherWrite(true)
		}
		return err
	}
	p.plan.home, p.plan.pinned = home, true
	return nil
}

// writeSharded plans a write of sharded tables.
func (p writer) writeSharded() error {
	if p.first(func(t *table) bool { return !t.system && t.unsharded() }) != nil {
		if p.changes() {
			return p.gatherWrite(true)
		}
		return ErrStage
	}
	if t := p.first(func(t *table) bool { return t.system }); t != nil {
		return notOverShards("a write of the sharded table "+p.targetNames()+" that reads "+t.schema, "read the rows first, then write them")
	}
	if p.stmt.Kind == query.LoadData {
		return filer(p).planLoad()
	}
	if err := p.load(); err != nil {
		return err
	}
	if p.stmt.Insert != nil {
		if p.stmt.Insert.FromSelect {
			return inserter(p).insertSelect()
		}
		return inserter(p).insertSharded()
	}
	return p.writeByKey()
}

// writeByKey plans UPDATE and DELETE: on the shard of the key or, where that comes to the
// same, on all that may have rows, each with the rows of its own; else over copies.
func (p writer) writeByKey() error {
	g := newGraph(p.planner)
	uses, complete := g.locate()
	p.plan.Target = ToAll
	if complete {
		p.plan.Target, p.plan.keys = ToKey, uses
	}
	if len(p.in.Map.Spec.Shards) == 1 {
		return nil
	}
	why := p.notByParts(g)
	if why == nil && len(uses) <= 1 {
		p.plan.Strategy = AddCounts
	}
	assigned, open := p.assignsKey()
	if why == nil && len(uses) <= 1 && assigned == "" {
		return nil
	}
	if why == nil && len(uses) <= 1 {
		if p.plan.staying = stays(p); p.plan.staying != nil {
			p.plan.setKeys = nil
		}
	}
	usesText := p.plan.usesText
	err := error(why)
	if p.changes() {
		err = p.gatherWrite(open)
	}
	var refusal *Refusal
	if err == nil || !errors.As(err, &refusal) {
		return err
	}
	p.plan.usesText, p.err = usesText, nil
	if p.plan.staying != nil {
		p.plan.staying.moved = refusal
		return nil
	}
	if open || why != nil && !complete {
		return refusal
	}
	if why != nil {
		p.plan.oneOnly = refusal
	}
	for i := range p.plan.setKeys {
		p.plan.setKeys[i].why = refusal
	}
	return nil
}

// notByParts says why an UPDATE or DELETE is not the same as its parts, one a shard.
func (p writer) notByParts(g *graph) *Refusal {
	what := strings.ToUpper(p.stmt.Verb) + " of " + p.plan.Table
	for i := range p.stmt.Blocks {
		switch b := &p.stmt.Blocks[i]; {
		case i > 0:
			return notOverShards(what+" with a subquery", oneKey)
		case b.Limit.Has:
			return notOverShards(what+" with LIMIT", "name the rows by their primary key, or "+oneKey)
		case len(b.OrderBy) > 0:
			return notOverShards(what+" with ORDER BY", "leave it out, or "+oneKey)
		}
	}
	switch {
	case p.stmt.Union || p.stmt.CTE:
		return notOverShards(what+" with a common table expression", oneKey)
	case p.stmt.UserVarAssign:
		return notOverShards(what+" that assigns user variables, which live on one shard,", "assign them in a statement of its own, or "+oneKey)
	case p.words.has("returning"):
		return notOverShards(what+" with RETURNING", "SELECT the rows first, or "+oneKey)
	case reader(p).ranksText():
		return notOverShards(what+" by the rank of MATCH … AGAINST (each shard ranks by its own rows)", oneKey)
	}
	anchor, why := g.local()
	if why == nil {
		why = keeper(p).ownRows(anchor)
	}
	return why
}

// assignsKey finds assignments of a shard key in an UPDATE and gives the key's name, ""
// for none. open says that it is not known before the statement runs whether rows move.
func (p writer) assignsKey() (name string, open bool) {
	if p.stmt.Kind != query.Update {
		return "", false
	}
	for i := range p.stmt.Sets {
		s := &p.stmt.Sets[i]
		for _, at := range p.resolve(0, s.Col, false) {
			t := &p.tables[at.table]
			if !t.sharded() || at.column != t.key {
				continue
			}
			name = t.name() + "." + t.rule.ShardKey
			open = open || s.Value.Kind != query.ValLiteral || p.plan.Target != ToKey
			p.plan.setKeys = append(p.plan.setKeys, setKey{typ: t.typ, value: s.Value, name: name})
		}
	}
	if open {
		p.plan.setKeys = nil
	}
	return name, open
}

// insertSelect plans INSERT … SELECT: all on one shard, or each shard its own rows.
func (p inserter) insertSelect() error {
	t := p.first(func(t *table) bool { return t.ref.Target })
	if autoColumn(t) != "" {
		return ErrStage
	}
	if _, why := p.assignsOnDuplicate(t); why != nil {
		return why
	}
	g := newGraph(p.planner)
	at := p.columnPosition(t)
	source, to := p.selectedKey(g, at), node{p.indexOf(t), t.key}
	literal, isLiteral := p.selectedLiteral(at)
	switch {
	case isLiteral:
		g.preds = append(g.preds, nodePredicate{at: to, pred: &query.Predicate{Values: []query.Value{literal}}, stored: true})
	case source.table >= 0:
		g.edges = append(g.edges, edge{source, to}, edge{to, source})
	default:
		return ErrStage
	}
	uses, complete := g.locate()
	parts := p.selectsByParts(g)
	p.plan.Strategy, p.plan.orStage = SplitInsert, true
	if complete {
		p.plan.Target, p.plan.keys = ToKey, uses
		p.plan.oneOrStage = !parts || len(uses) > 1
		return nil
	}
	p.plan.Target = ToAll
	if !parts && len(p.in.Map.Spec.Shards) > 1 {
		return ErrStage
	}
	return nil
}

// selectsByParts tells whether an INSERT … SELECT of rows that stay on their shards is the
// same as its parts, one a shard.
func (p inserter) selectsByParts(g *graph) bool {
	st := p.stmt
	switch {
	case len(st.Blocks) != 2, st.Union, st.CTE, st.Window, st.NamedLock,
		st.Blocks[1].Limit.Has, len(st.Blocks[1].GroupBy) > 0, st.Blocks[1].Aggregate, st.Blocks[1].Having, st.Blocks[1].Distinct,
		st.UserVarAssign, st.Insert.Returning, p.words.has("returning"), reader(p).ranksText(),
		p.in.Map.HasMoves(): // a shard may hold rows that are another's
		return false
	}
	_, why := g.local()
	return why == nil
}

// gathered plans an INSERT into an unsharded table of rows of sharded ones, which are copied
// to its shard: there the client's statement runs.
func (p inserter) gathered() error {
	switch {
	case p.stmt.Insert.Returning || p.words.has("returning"):
		return ErrStage
	case len(p.stmt.Routines) > 0:
		return p.noRoutines()
	}
	if err := p.load(); err != nil {
		return err
	}
	g := &gatherer{planner: p.planner, plan: &gatherPlan{only: true, sifted: p.in.Sift, edits: p.plan.edits, base: len(p.plan.edits), locks: sharedLock}}
	if err := (copier{g}).run(); err != nil {
		return err
	}
	p.plan.gather, p.plan.Strategy, p.plan.Target = g.plan, Gather, ToAll
	return nil
}

func (p inserter) indexOf(t *table) int {
	for i := range p.tables {
		if &p.tables[i] == t {
			return i
		}
	}
	return -1
}

// columnPosition gives where the shard key stands among the inserted columns, -1 for none.
func (p inserter) columnPosition(t *table) int {
	if p.stmt.Insert.Columns == nil {
		if p.emptyRows() {
			return -1
		}
		return t.key
	}
	for i, c := range p.stmt.Insert.Columns {
		if strings.EqualFold(c, t.rule.ShardKey) {
			return i
		}
	}
	return -1
}

// selectedKey gives the column that an INSERT … SELECT puts into the shard key.
func (p inserter) selectedKey(g *graph, at int) node {
	none := node{-1, -1}
	if at < 0 || p.stmt.Union || p.stmt.CTE || len(p.stmt.Blocks) < 2 {
		return none
	}
	items := p.stmt.Blocks[1].Items
	for i := range items {
		if items[i].Star {
			if len(items) != 1 {
				return none
			}
			return p.starColumn(at)
		}
	}
	if at >= len(items) || items[at].Col == nil {
		return none
	}
	return p.insertable(g.coalesced(p.resolve(1, *items[at].Col, false)))
}

// selectedLiteral gives the literal that an INSERT … SELECT puts into the shard key.
func (p inserter) selectedLiteral(at int) (query.Value, bool) {
	if at < 0 || p.stmt.Union || p.stmt.CTE || len(p.stmt.Blocks) < 2 {
		return query.Value{}, false
	}
	items := p.stmt.Blocks[1].Items
	for i := range items {
		if items[i].Star {
			return query.Value{}, false
		}
	}
	if at >= len(items) {
		return query.Value{}, false
	}
	i, ok := p.in.Scan.LiteralAt(items[at].Span.Start)
	if !ok || p.in.Scan.Literals[i].End != items[at].Span.End {
		return query.Value{}, false
	}
	hole, pos := p.in.Scan.HoleOf(i)
	return query.Value{Kind: query.ValLiteral, Hole: hole, Pos: pos}, hole >= 0
}

// starColumn gives column at of SELECT * of one table.
func (p inserter) starColumn(at int) node {
	found := node{-1, -1}
	for i := range p.tables {
		if p.tables[i].ref.Block != 1 {
			continue
		}
		if found.table >= 0 || len(p.stmt.Blocks) != 2 {
			return node{-1, -1}
		}
		found = node{i, at}
	}
	if found.table < 0 || p.tables[found.table].info == nil || at >= len(p.tables[found.table].info.Columns) {
		return node{-1, -1}
	}
	return p.insertable(found)
}

// insertable holds the column's type against the key's.
func (p inserter) insertable(n node) node {
	t := p.first(func(t *table) bool { return t.ref.Target })
	if n.table < 0 || p.tables[n.table].ref.Nullable || !(&graph{p: p.planner}).comparable(n, node{p.indexOf(t), t.key}) {
		return node{-1, -1}
	}
	from, _ := keyTypeOf(&p.tables[n.table].info.Columns[n.column])
	if !t.typ.takes(&from) {
		return node{-1, -1}
	}
	return n
}

// autoColumn gives the column that a sequence counts for a table, "" for none.
func autoColumn(t *table) string {
	if t.rule.Sequence != "" {
		return t.rule.Sequence
	}
	for i := range t.info.Columns {
		if t.info.Columns[i].Flags&flagAutoIncrement != 0 && t.rule.Kind != shard.Unsharded {
			return t.info.Columns[i].Name
		}
	}
	return ""
}
