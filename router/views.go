package router

import (
	"slices"
	"strings"

	"sluice/query"
	"sluice/shard"
)

// A view of sharded tables can be on their schema's default shard: one of an imported database, or
// one that was made there. It would show that shard's rows.

// NeedViews is returned by New when the plan depends on the definitions of a schema's views: put
// them into the Catalog, and plan again.
type NeedViews struct{ Schema string }

func (e *NeedViews) Error() string { return "the views of " + e.Schema + " are not known" }

// views looks at the views that a statement names, and at the stored programs that they call.
type views struct{ *planner }

// asked tells whether views are looked at.
func (p views) asked() bool {
	return p.in.Catalog != nil && p.in.Catalog.Views != nil && p.in.Hints.Shard == ""
}

// beside tells whether there can be views of sharded or reference tables.
func (p views) beside() bool { return slices.ContainsFunc(p.in.Map.Spec.Schemas, isSpread) }

// examine refuses views of sharded tables, those that call programs that name such, and writes by way
// of those of reference tables.
func (p views) examine() error {
	switch p.stmt.Kind {
	case query.Select, query.Values, query.Set, query.Do, query.Insert, query.Replace, query.Update, query.Delete, query.CreateTable, query.LoadData, query.Call:
	case query.Explain:
		if !p.stmt.InnerRuns {
			return nil
		}
	default:
		return nil
	}
	if !p.asked() {
		return nil
	}
	read, written := map[[2]string]bool{}, map[[2]string]bool{}
	for i := range p.tables {
		t, seen := &p.tables[i], read
		if t.ref.Target {
			seen = written
		}
		if !t.unsharded() {
			continue
		}
		if err := p.look(t.schema, t.rule.Name, t.ref.Target, seen); err != nil {
			return err
		}
	}
	return nil
}

// names is examine of a statement that is not understood, which may read what its words name. One
// that defines something runs nothing; what is defined is looked at when it is used.
func (p views) names() error {
	if !p.asked() || p.words.defines() {
		return nil
	}
	seen := map[[2]string]bool{}
	for _, list := range [][]query.TableRef{p.stmt.Tables, p.stmt.Mentions} {
		for _, r := range list {
			schema := r.Schema
			if schema == "" {
				schema = p.in.Schema
			}
			if !p.in.User.May(schema) { // which is said elsewhere
				continue
			}
			if err := p.look(schema, r.Name, p.plan.Write, seen); err != nil {
				return err
			}
		}
	}
	if len(p.stmt.Mentions) > 0 { // its calls are known
		return nil
	}
	return p.text("this statement", seen)
}

// text refuses what the statement calls by its words.
func (p views) text(what string, seen map[[2]string]bool) error {
	list, _ := query.Words(p.in.SQL[:p.in.Scan.End], p.in.Mode)
	return p.calls(what, p.in.Schema, list, seen)
}

func hasSharded(s shard.Schema) bool {
	return len(s.AutoShardKey) > 0 || slices.ContainsFunc(s.Tables, func(t shard.Table) bool { return t.Kind == shard.Sharded })
}

// look reads a view's definition, if the name is one's, in which servers qualify all names, and write as
// without a sql_mode. It refuses
// one that shows a shard's part of a table, that asks for what is the connection's, or, when it is written, a reference
// table's copy. seen has what was looked at before, views and programs.
// Errors: *Refusal, *NeedViews, *NeedRoutines.
func (p views) look(schema, name string, written bool, seen map[[2]string]bool) error {
	s := p.in.Map.Schema(schema)
	at := [2]string{schema, "\x00" + name} // not a program's
	if s == nil || seen[at] {
		return nil
	}
	seen[at] = true
	list, definer, is, err := definitionOf(p.in, schema, name)
	if err != nil || !is {
		return err
	}
	what := "the view " + schema + "." + name
	if len(list) == 0 && p.beside() {
		return notOverShards(what+", which cannot be read,", "give the shards' account the privilege SHOW VIEW on it, or write its SELECT into the statement")
	}
	for i := range list {
		if asks := asksSession(list, i, definer); asks != "" {
			return notOverShards(what+", which asks for "+asks+",", "write its SELECT into the statement")
		}
		if list[i].Called && slices.Contains(lockFunctions, strings.ToLower(list[i].Text)) {
			return notOverShards(what+", which uses named locks,", "write its SELECT into the statement")
		}
		if i < 2 || list[i-1].Text != "." || i+1 < len(list) && list[i+1].Text == "." { // else schema.table.column
			continue
		}
		of := p.in.Map.Schema(list[i-2].Text)
		switch {
		case of == nil:
		case of.Rule(list[i].Text).Kind == shard.Sharded:
			return notOverShards(what+" of the sharded table "+of.Name+"."+list[i].Text, "write its SELECT into the statement")
		case written && of.Rule(list[i].Text).Kind == shard.Reference:
			return notOverShards("a write of "+what+" of the reference table "+of.Name+"."+list[i].Text, "write to the table itself")
		default:
			if err := p.look(of.Name, list[i].Text, written, seen); err != nil {
				return err
			}
		}
	}
	return p.calls(what, schema, list, seen)
}

var lockFunctions = []string{"get_lock", "release_lock", "release_all_locks", "is_free_lock"}

// asksSession names the function of the session that word i of a view's definition is, in which names are quoted
// and functions have parentheses. definer: the view runs as its DEFINER.
func asksSession(list []query.Word, i int, definer bool) string {
	switch name := strings.ToLower(list[i].Text); name {
	case "user", "session_user", "system_user", "connection_id", "row_count", "found_rows", "last_insert_id", "is_used_lock", "lastval":
		if list[i].Called {
			return strings.ToUpper(name) + "()"
		}
	case "current_user":
		if list[i].Called && !definer {
			return "CURRENT_USER()"
		}
	case "processlist":
		if i > 1 && list[i-1].Text == "." && isSystemSchema(list[i-2].Text) {
			return "the process list"
		}
	}
	return ""
}

const computeFirst = "compute the value in a statement of its own first"

// calls refuses the text of what, when it calls programs that find a shard's part of a table, or
// write one copy of a reference table, and notes what else they do.
func (p views) calls(what, schema string, list []query.Word, seen map[[2]string]bool) error {
	c := &Called{}
	for i := range list {
		if !list[i].Called {
			continue
		}
		if err := (programs(p)).viewCalls(c, schema, list, i, seen); err != nil {
			return err
		}
	}
	switch {
	case c.sharded != "":
		return notOverShards(what+", which calls what names "+c.sharded+", of which a shard has a part,", computeFirst)
	case c.unfit != "" && (!c.blind || p.beside()):
		return notOverShards(what+", which calls "+c.unfit+",", computeFirst)
	case c.namedLock:
		return notOverShards(what+", which calls what uses named locks,", computeFirst)
	case c.Writes && c.reference != "":
		return notOverShards(what+", which calls what writes, and names a reference table, of which every shard has a copy,", computeFirst)
	}
	p.add(what+", which calls what", c)
	if p.in.Catalog.Triggers == nil {
		return nil
	}
	own := p.plan.Called
	p.plan.Called = nil
	err := (triggers(p)).written(c, map[[2]string]changes{})
	if kept := p.plan.Called; kept != nil {
		p.add(what+", which calls what fires triggers that", kept)
	}
	p.plan.Called = own
	return err
}

// viewed is what programs do to the session that views call.
type viewed struct {
	Called
	what string // the first view, in words
}

// add notes what programs do that what calls.
func (p views) add(what string, c *Called) {
	if !c.Writes && !c.locks && !c.marks() {
		return
	}
	if p.behind == nil {
		p.behind = &viewed{what: what}
	}
	v := p.behind
	v.Variables = append(v.Variables, c.Variables...)
	v.Sets = append(v.Sets, c.Sets...)
	v.InsertID, v.Settings, v.Writes = v.InsertID || c.InsertID, v.Settings || c.Settings, v.Writes || c.Writes || c.locks
}

// keep makes it the plan's, where the view is read by a statement that goes to its shard as it is.
func (p views) keep() error {
	v := p.behind
	if v == nil {
		return nil
	}
	switch asIs := p.plan.Strategy == Relay && p.plan.Target == ToDefault && p.plan.gather == nil && p.plan.stage == nil && p.plan.creation == nil; {
	case asIs:
	case v.marks():
		return notOverShards(v.what+" uses the session's variables or LAST_INSERT_ID(),", computeFirst)
	case v.Writes && p.in.Apart:
		return notOverShards(v.what+" writes or locks rows, in a transaction that allows no temporary tables,", computeFirst)
	}
	adopt(p.plan, &v.Called)
	return nil
}

// definitionOf gives the words of a view's definition, none where it cannot be read, and whether it runs as its DEFINER. is
// tells whether there is such a view.
func definitionOf(in *Input, schema, name string) (list []query.Word, definer, is bool, err error) {
	all, known := in.Catalog.Views[schema]
	if !known {
		return nil, false, false, &NeedViews{schema}
	}
	view, is := all[strings.ToLower(name)]
	if !is {
		return nil, false, false, nil
	}
	list, readable := query.Words([]byte(view.Text), in.Mode.Stored(""))
	if !readable {
		list = nil
	}
	return list, view.Definer, true, nil
}
