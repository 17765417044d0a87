package router

import (
	"slices"
	"strings"

	"sluice/query"
	"sluice/shard"
)

// planner makes one Plan.
type planner struct {
	in     *Input
	stmt   *query.Statement
	plan   *Plan
	tables []table // like Statement.Tables
	words  words
	behind *viewed // what the programs do that its views call; nil when that is nothing
	err    error   // of an edit
}

func (p *planner) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

// table is a mention of a table with its rule.
type table struct {
	ref    *query.TableRef
	schema string
	home   string // default shard of the schema
	rule   shard.Table
	system bool // of information_schema or performance_schema
	info   *shard.TableInfo
	key    int // of a sharded table: index of the key in info
	typ    keyType
}

func (t *table) name() string { return t.schema + "." + t.rule.Name }

func (t *table) sharded() bool { return !t.system && t.rule.Kind == shard.Sharded }

func (t *table) reference() bool { return !t.system && t.rule.Kind == shard.Reference }

func (t *table) unsharded() bool { return !t.system && t.rule.Kind == shard.Unsharded }

// classify gives every table its rule; the user must have been given its schema.
func (p *planner) classify() error {
	p.tables = make([]table, 0, len(p.stmt.Tables))
	for i := range p.stmt.Tables {
		t, err := p.tableOf(&p.stmt.Tables[i])
		if err != nil {
			return err
		}
		p.tables = append(p.tables, t)
	}
	return nil
}

func (p *planner) tableOf(ref *query.TableRef) (table, error) {
	t := table{ref: ref, schema: ref.Schema, key: -1}
	if t.schema == "" {
		t.schema = p.in.Schema
	}
	if t.schema == "" {
		return t, noSchema()
	}
	if isSystemSchema(t.schema) {
		t.system = true
		t.rule.Name = ref.Name
		return t, access{p}.systemTable(&t)
	}
	if !p.in.User.May(t.schema) {
		return t, access{p}.deniedTable(t.schema, ref)
	}
	s, err := p.schema(t.schema)
	if err != nil {
		return t, err
	}
	t.home = s.DefaultShard
	t.rule = s.Rule(ref.Name)
	if t.rule.Kind == shard.Unsharded {
		return t, misspelt(s, ref.Name)
	}
	return t, nil
}

// misspelt refuses a name that differs from a sharded or reference table's in its case
// only: a server that ignores case would take it for that table.
func misspelt(s *shard.Schema, name string) error {
	for _, r := range s.Tables {
		same := strings.EqualFold(r.Name, name)
		if shard.IsGlob(r.Name) {
			same = shard.Match(strings.ToLower(r.Name), strings.ToLower(name))
		}
		if same && r.Kind != shard.Unsharded && !hasRule(s, name) {
			return refuse(1146, "42S02", "Table '%s.%s' doesn't exist; names of tables are case sensitive, and there is a rule for %s", s.Name, name, r.Name)
		}
	}
	return nil
}

// hasRule tells whether a rule names the table, by itself or by a glob.
func hasRule(s *shard.Schema, name string) bool {
	return slices.ContainsFunc(s.Tables, func(t shard.Table) bool {
		return t.Name == name || shard.IsGlob(t.Name) && shard.Match(t.Name, name)
	})
}

// count gives how many tables there are of each kind.
func (p *planner) count() (sharded, reference, unsharded, system int) {
	return p.countIf(func(*table) bool { return true })
}

// countIf is count of the tables of which f holds.
func (p *planner) countIf(f func(*table) bool) (sharded, reference, unsharded, system int) {
	for i := range p.tables {
		switch t := &p.tables[i]; {
		case !f(t):
		case t.system:
			system++
		case t.sharded():
			sharded++
		case t.reference():
			reference++
		default:
			unsharded++
		}
	}
	return
}

// first gives the first table of which f holds.
func (p *planner) first(f func(*table) bool) *table {
	for i := range p.tables {
		if f(&p.tables[i]) {
			return &p.tables[i]
		}
	}
	return nil
}

// oneHome gives the shard of all tables that are not sharded, which must be one.
func (p *planner) oneHome() (string, error) {
	var home *table
	for i := range p.tables {
		t := &p.tables[i]
		if t.system || t.sharded() || t.reference() {
			continue
		}
		if home != nil && home.home != t.home {
			return "", unsupported("%s is on shard %s and %s on shard %s, and tables of two shards are not joined yet; move one schema's default_shard",
				home.name(), home.home, t.name(), t.home)
		}
		home = t
	}
	if home == nil {
		return p.currentHome(), nil
	}
	return home.home, nil
}

// currentHome is the default shard of the current schema; "" is the first shard.
func (p *planner) currentHome() string {
	if s := p.in.Map.Schema(p.in.Schema); s != nil {
		return s.DefaultShard
	}
	return ""
}

// load finds the columns of all sharded and reference tables in the catalog, and the type
// of each shard key.
func (p *planner) load() error {
	for i := range p.tables {
		t := &p.tables[i]
		if !t.sharded() && !t.reference() {
			continue
		}
		if err := p.loadTable(t); err != nil {
			return err
		}
	}
	return nil
}

func (p *planner) loadTable(t *table) error {
	t.info = p.in.Catalog.Table(t.schema, t.rule.Name)
	if t.info == nil {
		return &NeedTable{t.schema, t.rule.Name}
	}
	if !t.sharded() {
		return nil
	}
	t.key = t.info.Index(t.rule.ShardKey)
	if t.key < 0 {
		return refuse(1105, "HY000", "%s has no column %s, which is to be its shard key; add the column with ALTER TABLE on every shard, or change the rule",
			t.name(), t.rule.ShardKey)
	}
	typ, why := keyTypeOf(&t.info.Columns[t.key])
	if why != "" {
		return badKey(t.schema, t.rule.Name, t.rule.ShardKey, why)
	}
	t.typ = typ
	return nil
}

// node is a column of a table of the statement: index into planner.tables and into the
// table's columns.
type node struct{ table, column int }

// resolve finds the column that a reference in a block names, in the block itself only or,
// with outer, also in those around it. Names that could be two columns are none, nor is a
// name without its table that could be of a derived table, whose columns are not known.
func (p *planner) resolve(block int, c query.ColumnRef, outer bool) []node {
	for b := block; b >= 0; b = p.stmt.Blocks[b].Parent {
		var found []node
		named := false
		for i := range p.tables {
			t := &p.tables[i]
			if t.ref.Block != b || c.Table != "" && !t.isNamed(c.Table) {
				continue
			}
			named = named || c.Table != ""
			if named && !t.isCalled(c) {
				continue // some servers tell names apart by their case, others do not
			}
			if t.info == nil {
				continue
			}
			if j := t.info.Index(c.Column); j >= 0 {
				found = append(found, node{i, j})
			}
		}
		if len(found) > 0 || named || !outer {
			return found
		}
		if c.Table == "" && mayHaveDerived(p.stmt, b) {
			return nil
		}
	}
	return nil
}

// mayHaveDerived tells whether a block's FROM may have tables that the statement makes itself.
func mayHaveDerived(st *query.Statement, block int) bool {
	return st.CTE || slices.ContainsFunc(st.Blocks, func(b query.Block) bool { return b.Parent == block })
}

// isNamed tells whether columns of the table are called by a name, in any case of letters.
func (t *table) isNamed(name string) bool {
	if t.ref.Alias != "" {
		return strings.EqualFold(t.ref.Alias, name)
	}
	return strings.EqualFold(t.ref.Name, name)
}

// isCalled tells whether a qualified column means this table.
func (t *table) isCalled(c query.ColumnRef) bool {
	if t.ref.Alias != "" {
		return c.Schema == "" && t.ref.Alias == c.Table
	}
	return t.ref.Name == c.Table && (c.Schema == "" || c.Schema == t.schema)
}

// column gives the only column that a reference names, or -1.
func (p *planner) column(block int, c query.ColumnRef) node {
	found := p.resolve(block, c, false)
	if len(found) != 1 {
		return node{-1, -1}
	}
	return found[0]
}
