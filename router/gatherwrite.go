package router

import (
	"slices"
	"strings"

	"sluice/query"
	"sluice/shard"
)

// An UPDATE or DELETE that is not the sum of its parts on the shards runs on one shard over
// copies of the rows that it may change and read (GatherWrite). So what it does to each row
// is the database's own. What it has changed is then written to the shards, row by row:
//
//	s0 ─SELECT … FOR UPDATE─▶ ┐                                      ┌─▶ s0
//	s1 ─SELECT … FOR UPDATE─▶ ├─ rows ─▶ copies ─ the statement ─▶ changes ─▶ s1
//	s2 ─SELECT … FOR UPDATE─▶ ┘                                      └─▶ s2
//
// The copies are always on a connection outside of the transaction: they need ALTER TABLE,
// which commits, and temporary tables are not to be had in every transaction.

// WriteBack says how the changes of a copy come to the table.
type WriteBack struct {
	Key      []int // of the copy's Columns: those that identify a row
	OnUpdate []int // those that a server changes by itself with the row
	Before   []string
	After    []string // expressions of the columns' values: of tables called sluice_b and sluice_a
	Deletes  bool     // the statement deletes rows; else it updates them
	Ignore   bool     // it says IGNORE
	Unique   bool     // it assigns columns of unique keys: the order of the changes matters
	Shards   []int    // of a reference table: all have the rows
	Moves    *Mover   // it assigns the shard key; nil when no row can move
	Only     bool     // the statement writes no other table
}

// Mover finds the shard of a row whose shard key was assigned.
type Mover struct {
	Column int // of the shard key, in the copy's Columns
	typ    keyType
	name   string
	m      *shard.Map
}

// Shard gives the shard (map index) of a key, as its decimal text or its bytes.
func (m *Mover) Shard(key []byte) (int, error) {
	var s scratch
	canonical, why := s.stored(&m.typ, literal{text: key, isString: m.typ.text}, m.typ.charset)
	if why != "" {
		return 0, refuse(1235, "42000", "the new value of the shard key %s %s", m.name, why)
	}
	return m.m.Owner(shard.SlotOf(canonical)), nil
}

// Shards is the number of shards that there are.
func (m *Mover) Shards() int { return len(m.m.Spec.Shards) }

// writeBack is a WriteBack before the map is known.
type writeBack struct {
	WriteBack
	everywhere bool
}

func (w *writeBack) bind(a *Args) *WriteBack {
	out := w.WriteBack
	if w.everywhere {
		for i := range a.Map.Spec.Shards {
			if !a.Map.Joining(i) {
				out.Shards = append(out.Shards, i)
			}
		}
	}
	if w.Moves != nil {
		moves := *w.Moves
		moves.m = a.Map
		out.Moves = &moves
	}
	return &out
}

// targets are the tables that a statement writes.
type targets struct {
	of     []target // like planner.tables
	ignore bool
	random bool // its conditions come out otherwise each time that they are asked
}

// target is what a statement does with a mention of a table.
type target struct {
	written bool
	moves   bool // the shard key is assigned: rows may come to another shard
	unique  bool // columns of unique keys are
}

// movesRows tells whether rows of a table may come to another shard.
func (w *targets) movesRows(i int) bool { return w != nil && w.of[i].moves }

// gatherWrite plans an UPDATE or DELETE over copies of its tables. only: there is no other
// way to carry it out. Errors: *Refusal, *NeedTable.
func (p writer) gatherWrite(only bool) error {
	g := &gatherer{planner: p.planner, plan: &gatherPlan{only: only, apart: true, write: true}}
	if why := p.unwritable(); why != nil {
		return why
	}
	g.placeHome()
	if err := g.loadCopied(); err != nil {
		return err
	}
	for i := range p.tables { // sharded ones have been loaded with their keys
		if t := &p.tables[i]; t.sharded() && t.key < 0 {
			if err := p.loadTable(t); err != nil {
				return err
			}
		}
	}
	g.graph = newGraph(p.planner)
	write, err := p.written()
	if err != nil {
		return err
	}
	g.write = write
	for i := range g.tables {
		span, text, err := g.copy(i)
		if err == nil && text != "" {
			g.spans = append(g.spans, span)
			err = g.edit(span, text)
		}
		if err != nil {
			return err
		}
	}
	if err := g.finish(); err != nil {
		return err
	}
	p.plan.gather = g.plan
	if only {
		p.plan.Target = ToAll
	}
	if p.plan.Strategy != AddCounts {
		p.plan.Strategy = GatherWrite
	}
	return nil
}

// unwritable refuses what cannot run apart from the session.
func (p writer) unwritable() *Refusal {
	what := strings.ToUpper(p.stmt.Verb) + " of " + p.plan.Table
	switch {
	case p.in.Scan.ExecutableComment:
		return unsupported("a statement with executable comments (/*! … */) cannot be changed for several shards; write it without them")
	case p.stmt.UserVarAssign:
		return notOverShards(what+" that assigns user variables, which live on one shard,", "assign them in a statement of its own, or "+oneKey)
	case p.stmt.NamedLock:
		return notOverShards(what+" with a function of named locks", "ask for the lock in a statement of its own")
	case p.plan.Called == nil && len(p.stmt.Routines) > 0:
		return p.noRoutines().(*Refusal)
	case p.plan.Called != nil && (p.plan.Called.InsertID || len(p.plan.Called.Variables) > 0):
		return cannotCall(p.plan.Table, p.plan.Called.names[0]+"(), which uses variables of the session,")
	}
	if _, err := (programs(p)).functions(true); err != nil {
		return err.(*Refusal)
	}
	if t := p.first(func(t *table) bool { return t.system }); t != nil {
		return notOverShards(what+" that reads "+t.schema, "read the rows first, then write them")
	}
	return nil
}

// written finds what the statement writes.
func (p writer) written() (*targets, error) {
	w := &targets{of: make([]target, len(p.tables))}
	w.ignore = p.words.follows(p.stmt.Verb, "ignore") || p.words.follows("low_priority", "ignore") || p.words.follows("quick", "ignore")
	w.random = p.words.calls("rand") || p.words.calls("uuid") || p.words.calls("uuid_short") || p.words.calls("random_bytes") || p.words.calls("sleep")
	if p.stmt.Kind == query.Delete {
		for i := range p.tables {
			w.of[i].written = p.tables[i].ref.Target
		}
	}
	for i := range p.stmt.Sets {
		found := p.resolve(0, p.stmt.Sets[i].Col, false)
		if len(found) != 1 {
			for j := range p.tables { // the server will say what is wrong with the name
				w.of[j].written = w.of[j].written || p.tables[j].ref.Target
			}
			continue
		}
		w.assign(p.planner, found[0])
	}
	for i := range p.tables {
		t := &p.tables[i]
		if !w.of[i].written {
			continue
		}
		for j := range i {
			if o := &p.tables[j]; w.of[j].written && o.schema == t.schema && o.rule.Name == t.rule.Name {
				return nil, notOverShards("a statement that writes "+t.name()+" twice", "write it once, or "+oneKey)
			}
		}
	}
	return w, nil
}

// assign notes an assigned column.
func (w *targets) assign(p *planner, at node) {
	t, to := &p.tables[at.table], &w.of[at.table]
	to.written = true
	to.moves = to.moves || t.sharded() && at.column == t.key
	// A generated column may be in a key.
	to.unique = to.unique || t.info.Tied || t.info.Columns[at.column].Flags&(flagPrimary|flagUnique|flagPartOfKey) != 0
}

// locker plans the copies of a statement that writes.
type locker struct{ *gatherer }

// copyLocked plans the copy of one mention of a table, whose rows are locked. A table that
// is written keeps its name, so that the statement and what it says of rows need no change.
func (g locker) copyLocked(i int, c *copied) (at query.Span, text string, err error) {
	t := &g.tables[i]
	c.lock = " LOCK IN SHARE MODE"
	written := g.write.of[i].written
	if written {
		c.lock = " FOR UPDATE"
		if c.write, err = g.writeBack(i, c); err != nil {
			return at, "", err
		}
	}
	switch {
	case written && g.write.ignore && c.write.Unique: // a duplicate is skipped, also that of another row
		c.key = nil
	case c.to.Scratch: // the rank is that of all rows
	case !written || !g.onlyTable(i):
		sifter(g).addFilters(i, c)
	case g.write.random || g.planner.plan.atHome || !g.wholeWhere(i, c): // functions are on one shard
		c.where, c.order, c.limit = nil, nil, query.Limit{}
		sifter(g).addFilters(i, c)
	}
	g.plan.tables = append(g.plan.tables, *c)
	at, text, err = g.renamed(t, c.to.Name)
	if written {
		text = ""
	}
	return at, text, err
}

// onlyTable tells whether the statement names nothing but this one table.
func (g locker) onlyTable(i int) bool {
	return len(g.tables) == 1 && len(g.stmt.Blocks) == 1 && !g.stmt.Union && !g.stmt.CTE && !g.tables[i].ref.Nullable
}

// wholeWhere makes the source of a statement's only table give just the rows that the
// statement may pick: by its whole WHERE, and the first of each shard's if it has a LIMIT.
func (g locker) wholeWhere(i int, c *copied) bool {
	b, t := &g.stmt.Blocks[0], &g.tables[i]
	if !g.nameable(t.ref.Alias) {
		return false
	}
	c.alias = t.ref.Alias
	if !b.Where.Empty() {
		where, ok := g.condition(b.Where)
		if !ok {
			return false
		}
		c.where = []condition{where}
	}
	if !b.Limit.Has {
		return true
	}
	c.limit = b.Limit
	if len(b.OrderBy) == 0 {
		return true
	}
	for j := range b.OrderBy {
		if b.OrderBy[j].Literal != nil {
			return false // a number is a column of the SELECT there
		}
	}
	order, ok := g.condition(query.Span{Start: b.OrderBy[0].Span.Start, End: b.OrderEnd})
	c.order = &order
	return ok
}

// condition notes a part of the text.
func (g locker) condition(s query.Span) (condition, bool) {
	from, ok1 := placeOf(g.in.SQL, g.in.Scan, s.Start)
	to, ok2 := placeOf(g.in.SQL, g.in.Scan, s.End)
	return condition{from: from, to: to}, ok1 && ok2 && len(from.gap)+len(to.gap) <= maxGap
}

// writeBack plans how a copy's changes come to its table.
func (g locker) writeBack(i int, c *copied) (*writeBack, error) {
	t := &g.tables[i]
	w := &writeBack{everywhere: t.reference()}
	w.Deletes = g.stmt.Kind == query.Delete
	w.Only = true
	for j := range g.write.of {
		w.Only = w.Only && (j == i || !g.write.of[j].written)
	}
	w.Unique, w.Ignore = g.write.of[i].unique, g.write.ignore
	for _, list := range [][]shard.Column{t.info.Columns, t.info.Hidden} {
		for j := range list {
			col := &list[j]
			at := slices.IndexFunc(c.to.Columns, func(gc GatherColumn) bool { return gc.Name == col.Name })
			primary := col.Flags&flagPrimary != 0
			switch {
			case primary && (at < 0 || col.Type == typeBit || col.Type == typeGeometry):
				return nil, notOverShards("a write of "+t.name()+", whose primary key has the column "+col.Name+", a BIT or GEOMETRY,", oneKey)
			case primary:
				w.Key = append(w.Key, at)
			}
			if at >= 0 && col.OnUpdate {
				w.OnUpdate = append(w.OnUpdate, at)
			}
			if g.write.movesRows(i) && len(t.info.Columns) > 0 && &list[j] == &t.info.Columns[t.key] {
				w.Moves = &Mover{Column: at, typ: t.typ, name: t.name() + "." + col.Name}
			}
		}
	}
	if len(w.Key) == 0 {
		return nil, notOverShards("a write of "+t.name()+", which has no primary key,", "add one: ALTER TABLE … ADD PRIMARY KEY (…)")
	}
	for _, gc := range c.to.Columns {
		col := columnNamed(t.info, gc.Name)
		quoted := string(query.QuoteName(nil, gc.Name))
		before, _, _ := sourceOf(col, "sluice_b."+quoted)
		after, _, _ := sourceOf(col, "sluice_a."+quoted)
		w.Before, w.After = append(w.Before, before), append(w.After, after)
	}
	return w, nil
}

// columnNamed finds a column of a table, visible or not.
func columnNamed(info *shard.TableInfo, name string) *shard.Column {
	for _, list := range [][]shard.Column{info.Columns, info.Hidden} {
		for j := range list {
			if list[j].Name == name {
				return &list[j]
			}
		}
	}
	return nil
}

// checks gives the shard that has all tables, -1 when none has or none is asked.
func (g *Gathering) checks() int {
	at := -1
	for i := range g.Tables {
		t := &g.Tables[i]
		if len(t.Legs) == 0 {
			continue
		}
		switch {
		case t.Foreign && at >= 0 && at != t.Legs[0].Shard && g.foreignBefore(i):
			return -1
		case t.Foreign || at < 0:
			at = t.Legs[0].Shard
		}
	}
	return at
}

// foreignBefore tells whether a table before is on one shard only.
func (g *Gathering) foreignBefore(i int) bool {
	return slices.ContainsFunc(g.Tables[:i], func(t GatherTable) bool { return t.Foreign })
}
