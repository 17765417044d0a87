package router

import (
	"errors"
	"slices"
	"strings"

	"sluice/query"
	"sluice/shard"
)

// ErrStage says that a server must compute the statement's rows before it is known where
// they go. The caller plans again, the values of parameters written into the text, with
// Input.Staged. Nothing has been sent.
var ErrStage = errors.New("the rows of the statement must be computed first")

// Staging says how the rows of an INSERT come to their shards when only a server can tell
// which rows there are. The statement runs on one shard, its home, over a temporary table
// that is like the one it inserts into, without its keys: so conversions, defaults and the
// errors of strict mode are the server's own. From there the rows go where they belong,
// exactly as they are. Sources of other shards are gathered first (Bound.Gathering).
//
//	sources ─▶ home: TEMPORARY sluice_i1 ◀─ INSERT … SELECT │ rows ─INSERT─▶ s0, s1, s2 …
type Staging struct {
	Name          string // of the temporary table, in Schema
	Schema, Table string // the original
	Foreign       bool   // the home shard does not have the original; Targets[0] does
	Replace       bool
	Ignore        bool
	FromSelect    bool
	Columns       []GatherColumn // all to which a value can be given
	Select        string         // the select list that reads them
	Tail          []byte         // ON DUPLICATE KEY UPDATE …, in the client's words; nil for none
	Targets       []int          // shards (map index) that may get rows, in ascending order
	All           bool           // each of them gets all rows
	HomeFirst     bool           // the session holds the home's connection already
	Key           int            // of Columns, the shard key; -1 for none
	ShardKey      string
	// Auto is the column whose NULL and, but for ZeroIsID, 0 stand for an id: of the cluster's
	// sequence (Plan.Sequence), else of the target's server. -1 for none.
	Auto     int
	ZeroIsID bool

	typ keyType
	m   *shard.Map
}

// Owner gives the shard of a row by the bytes of its stored key: the digits of an integer,
// or a string.
func (s *Staging) Owner(key []byte) int {
	if s.typ.text {
		key = s.typ.trim(key)
	}
	return s.m.Owner(shard.SlotOf(key))
}

// OwnerOfID gives the shard of a row whose key is an id.
func (s *Staging) OwnerOfID(id uint64) int { return s.m.Owner(shard.SlotOfUint(id)) }

// stagedTable is the temporary table's name. No application has one of it.
const stagedTable = "sluice_i1"

// stagePlan is a Staging before values are known.
type stagePlan struct {
	to     Staging // without Tail, Targets and what depends on the map
	gather *gatherPlan
	tail   place
	home   string // of an unsharded target; "" otherwise
}

// staged plans an INSERT whose rows are computed first. Errors: *Refusal, *NeedTable.
func (p stager) staged() error {
	t := p.first(func(t *table) bool { return t.ref.Target })
	if err := p.functions(); err != nil {
		return err
	}
	if why := p.notStaged(t); why != nil {
		return why
	}
	if err := p.loadTable(t); err != nil {
		return err
	}
	if err := p.load(); err != nil {
		return err
	}
	st := &stagePlan{to: Staging{
		Name: stagedTable, Schema: t.schema, Table: t.rule.Name, Replace: p.stmt.Kind == query.Replace, Ignore: p.stmt.Insert.Ignore,
		FromSelect: p.stmt.Insert.FromSelect, Key: -1, Auto: -1, ZeroIsID: p.in.NoAutoValueOnZero, All: t.reference(), typ: t.typ,
	}}
	if t.unsharded() {
		st.home, st.to.Foreign = t.home, true
	}
	if err := p.stagedColumns(t, st); err != nil {
		return err
	}
	if err := p.onDuplicateAlone(t); err != nil {
		return err
	}
	return p.stagedSources(t, st)
}

// functions lets stored functions compute values of the rows, where they are: on the default shard.
// ON DUPLICATE KEY UPDATE is computed where the rows go.
func (p stager) functions() error {
	if len(p.stmt.Routines) == 0 {
		return nil
	}
	p.plan.Table = p.decider()
	stored, err := (programs{p.planner}).functions(p.in.Apart)
	if err != nil {
		return err
	}
	if u := p.first((*table).unsharded); !stored || p.callsLate() || u != nil && u.home != p.currentHome() {
		return p.noRoutines()
	}
	return nil
}

// notStaged refuses what rows that are written later cannot stand for.
func (p stager) notStaged(t *table) *Refusal {
	in := p.stmt.Insert
	what := strings.ToUpper(p.stmt.Verb) + " into " + t.name()
	switch {
	case in.Returning || p.words.has("returning"):
		return notOverShards(what+" with RETURNING, of rows that must be computed first,", "SELECT the rows afterwards")
	case strings.EqualFold(nextWord(p.in.SQL[t.ref.Span.End:]), "partition"):
		return notOverShards("PARTITION (…) of "+t.name(), "leave it out")
	case t.sharded():
		_, why := p.assignsOnDuplicate(t)
		return why
	}
	return nil
}

// stagedColumns finds the columns of the target, its shard key and its ids among them.
func (p stager) stagedColumns(t *table, st *stagePlan) error {
	auto := ""
	if t.unsharded() {
		for i := range t.info.Columns {
			if t.info.Columns[i].Flags&flagAutoIncrement != 0 {
				auto = t.info.Columns[i].Name
			}
		}
	} else {
		auto = autoColumn(t)
	}
	g := &gatherer{planner: p.planner}
	var c copied
	for _, list := range [][]shard.Column{t.info.Columns, t.info.Hidden} {
		if err := g.addColumns(&c, t, list, true); err != nil {
			return err
		}
	}
	st.to.Columns, st.to.Select = c.to.Columns, c.columns
	for i := range c.to.Columns {
		name := c.to.Columns[i].Name
		if strings.EqualFold(name, auto) {
			st.to.Auto = i
		}
		if t.sharded() && strings.EqualFold(name, t.rule.ShardKey) {
			st.to.Key, st.to.ShardKey = i, t.rule.ShardKey
		}
	}
	if t.sharded() && st.to.Key < 0 {
		return badKey(t.schema, t.rule.Name, t.rule.ShardKey, isGenerated)
	}
	if auto != "" && !t.unsharded() {
		p.plan.sequence = t.name()
	}
	return nil
}

// onDuplicateAlone refuses ON DUPLICATE KEY UPDATE that needs more than the row to be
// inserted and the one that is there.
func (p stager) onDuplicateAlone(t *table) error {
	in := p.stmt.Insert
	if !in.OnDuplicate {
		return nil
	}
	what := "ON DUPLICATE KEY UPDATE of " + t.name()
	tail := p.in.SQL[in.TailAt:p.in.Scan.End]
	words := wordsOf(tail)
	switch {
	case in.OnDuplicateQuery:
		return notOverShards(what+" with a subquery, after rows that must be computed first,", "write the value as a literal")
	case words.calls("last_insert_id"):
		return notOverShards(what+" with LAST_INSERT_ID(…), after rows that must be computed first,", "insert the rows one by one")
	case words.at(0) == "as" && words.at(2) == "(":
		return notOverShards(what+" with names for the new row's columns, after rows that must be computed first,", "call them by the table's own names")
	case words.has("@") || p.in.Scan.UserVariable && strings.Contains(string(tail), "@"):
		return notOverShards(what+" with variables, after rows that must be computed first,", "write the value as a literal")
	case t.reference() && (p.stmt.Nondeterministic || p.updatesItself(t) || words.has("default") && hasComputed(t)):
		return unsupported("ON DUPLICATE KEY UPDATE of %s could store different values in the copies on the shards; write the value as a literal", t.name())
	case !in.FromSelect:
		return nil
	}
	for _, c := range in.OnDuplicateRefs {
		if c.Table != "" && !t.isCalled(c) || t.info.Index(c.Column) < 0 && !isHidden(t, c.Column) {
			return notOverShards(what+" with "+c.Column+" of the SELECT, after rows that must be computed first,",
				"put the value into a column of the row and write VALUES(column)")
		}
	}
	return nil
}

func isHidden(t *table, column string) bool {
	for i := range t.info.Hidden {
		if strings.EqualFold(t.info.Hidden[i].Name, column) {
			return true
		}
	}
	return false
}

// updatesItself tells whether ON DUPLICATE KEY UPDATE leaves a column to the servers' clocks.
func (p stager) updatesItself(t *table) bool {
	for _, list := range [][]shard.Column{t.info.Columns, t.info.Hidden} {
		for i := range list {
			if list[i].OnUpdate && !containsFold(p.stmt.Insert.OnDuplicateCols, list[i].Name) {
				return true
			}
		}
	}
	return false
}

// hasComputed tells whether DEFAULT may be a value of each server's own.
func hasComputed(t *table) bool {
	computed := func(c shard.Column) bool { return c.Computed }
	return slices.ContainsFunc(t.info.Columns, computed) || slices.ContainsFunc(t.info.Hidden, computed)
}

// stagedSources plans the statement's run over the temporary table, and the copies of what
// it reads.
func (p stager) stagedSources(t *table, st *stagePlan) error {
	g := &gatherer{planner: p.planner, plan: &gatherPlan{only: true, apart: p.in.Apart, sifted: p.in.Sift, ranks: p.in.Scratch != "", edits: p.plan.edits, locks: sharedLock}}
	in := p.stmt.Insert
	name := string(query.QuoteName(nil, stagedTable))
	if schema, _ := cutName(t.ref.Span.Of(p.in.SQL)); schema != "" {
		name = schema + "." + name
	}
	if err := g.edit(t.ref.Span, name); err != nil {
		return err
	}
	if in.Columns == nil && !p.emptyRows() {
		var names []string
		for i := range t.info.Columns {
			if !g.nameable(t.info.Columns[i].Name) {
				return notOverShards("a name with letters beyond ASCII ("+t.name()+"."+t.info.Columns[i].Name+") in this connection's character set", "SET NAMES utf8mb4 first")
			}
			names = append(names, string(query.QuoteName(nil, t.info.Columns[i].Name)))
		}
		if err := g.edit(query.Span{Start: in.ColumnsAt, End: in.ColumnsAt}, " ("+strings.Join(names, ", ")+")"); err != nil {
			return err
		}
	}
	if in.OnDuplicate {
		if err := g.edit(query.Span{Start: in.TailAt, End: p.in.Scan.End}, ""); err != nil {
			return err
		}
	}
	g.plan.base = len(g.plan.edits)
	if err := (copier{g}).run(); err != nil {
		return err
	}
	st.gather = g.plan
	if in.OnDuplicate {
		at, ok := placeOf(p.in.SQL, p.in.Scan, in.TailAt)
		if !ok {
			return notFound()
		}
		st.tail = at
		st.to.Tail = []byte{} // there is one
	}
	p.plan.stage, p.plan.Strategy, p.plan.Target, p.plan.Table = st, InsertSelect, ToAll, t.name()
	p.plan.usesText = p.plan.usesText || p.in.Staged
	return p.err
}

// sharedLock is what a source's SELECT ends with that says nothing itself: rows that an INSERT …
// SELECT reads are locked, so that what is written follows from what stays (the manual, "Locks Set
// by Different SQL Statements in InnoDB").
const sharedLock = " LOCK IN SHARE MODE"

// bind places the sources, the home and the targets.
func (st *stagePlan) bind(p *Plan, a *Args, b *Bound) error {
	if a.Scan.Params > 0 {
		return ErrStage // values come into the text first
	}
	g := st.gather
	home := g.shard(a)
	out, only, refusal := g.copiesOf(p, a, b, home)
	if refusal != nil {
		return refusal
	}
	if only >= 0 && !g.apart && (!g.fixed || only == home) && (!a.Pinned || only == a.Held) {
		home, out.Tables = only, nil
	}
	var sql []byte
	if len(out.Tables) == 0 {
		sql, refusal = b.scratch.apply(g.edits[:g.base], a, "")
	} else {
		sql, refusal = g.text(&b.scratch, a)
	}
	if refusal != nil {
		return refusal
	}
	to := st.to
	to.m = a.Map
	if to.Tail != nil {
		at, ok := st.tail.find(a.SQL, a.Scan)
		if !ok {
			return notFound()
		}
		to.Tail = a.SQL[at:a.Scan.End]
	}
	b.Legs = b.Legs[:0]
	switch {
	case st.home != "":
		at, _ := a.Map.ShardIndex(st.home)
		b.leg(at)
	default:
		if to.All {
			b.every(a.Map, false)
		} else {
			b.owners(a.Map)
		}
	}
	to.Targets = make([]int, len(b.Legs))
	for i := range b.Legs {
		to.Targets[i] = b.Legs[i].Shard
	}
	if to.Foreign {
		to.Foreign = to.Targets[0] != home
	}
	if g.denied != nil && (len(out.Tables) > 0 || len(to.Targets) > 1 || to.Targets[0] != home) {
		return g.denied
	}
	b.Legs = append(b.Legs[:0], Leg{Shard: home, SQL: sql})
	to.HomeFirst = home == a.Held
	b.Strategy, b.Gathering, b.Staging = InsertSelect, out, &to
	return nil
}

// explain renders where the rows go.
func (s *Staging) explain(rows []ExplainRow) []ExplainRow {
	for _, at := range s.Targets {
		rows = append(rows, ExplainRow{s.m.ShardName(at), string(s.AppendHead(nil)) + "…" + string(s.Tail), InsertSelect.String()})
	}
	return rows
}

// AppendHead writes the INSERT of the staged rows up to their values.
func (s *Staging) AppendHead(sql []byte) []byte {
	if s.Replace {
		sql = append(sql, "REPLACE"...)
	} else {
		sql = append(sql, "INSERT"...)
	}
	if s.Ignore {
		sql = append(sql, " IGNORE"...)
	}
	sql = append(sql, " INTO "...)
	sql = query.QuoteName(append(query.QuoteName(sql, s.Schema), '.'), s.Table)
	for i := range s.Columns {
		sep := ", "
		if i == 0 {
			sep = " ("
		}
		sql = query.QuoteName(append(sql, sep...), s.Columns[i].Name)
	}
	return append(sql, ") VALUES "...)
}
