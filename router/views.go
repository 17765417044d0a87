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

// asked tells whether there can be views of sharded or reference tables, and whether it matters.
func (p views) asked() bool {
	return p.in.Catalog != nil && p.in.Catalog.Views != nil && p.in.Hints.Shard == "" && slices.ContainsFunc(p.in.Map.Spec.Schemas, func(s shard.Schema) bool {
		return hasSharded(s) || slices.ContainsFunc(s.Tables, func(t shard.Table) bool { return t.Kind == shard.Reference })
	})
}

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
// one that shows a shard's part of a table, or, when it is written, a reference table's copy. seen has
// what was looked at before, views and programs.
// Errors: *Refusal, *NeedViews, *NeedRoutines.
func (p views) look(schema, name string, written bool, seen map[[2]string]bool) error {
	s := p.in.Map.Schema(schema)
	at := [2]string{schema, "\x00" + name} // not a program's
	if s == nil || seen[at] {
		return nil
	}
	seen[at] = true
	list, is, err := definitionOf(p.in, schema, name)
	if err != nil || !is {
		return err
	}
	what := "the view " + schema + "." + name
	if len(list) == 0 {
		return notOverShards(what+", which cannot be read,", "give the shards' account the privilege SHOW VIEW on it, or write its SELECT into the statement")
	}
	for i := range list {
		if asks := asksSession(list[i]); asks != "" {
			return notOverShards(what+", which asks for "+asks+",", "write its SELECT into the statement")
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

// asksSession names the function of the session that a word of a view's definition is, in which names are quoted
// and functions have parentheses.
func asksSession(w query.Word) string {
	switch name := strings.ToLower(w.Text); name {
	case "user", "session_user", "system_user", "current_user", "connection_id", "row_count", "found_rows", "last_insert_id":
		if w.Called {
			return strings.ToUpper(name) + "()"
		}
	}
	return ""
}

// calls refuses the text of what, when it calls programs that find a shard's part of a table, or
// write one copy of a reference table.
func (p views) calls(what, schema string, list []query.Word, seen map[[2]string]bool) error {
	const instead = "compute the value in a statement of its own first"
	c := &Called{}
	for i := range list {
		if !list[i].Called {
			continue
		}
		if err := (programs(p)).called(c, schema, list, i, seen); err != nil {
			return err
		}
	}
	switch {
	case c.sharded != "":
		return notOverShards(what+", which calls what names "+c.sharded+", of which a shard has a part,", instead)
	case c.unfit != "":
		return notOverShards(what+", which calls "+c.unfit+",", instead)
	case c.namedLock, c.Settings, c.InsertID, len(c.Variables) > 0:
		return notOverShards(what+", which calls what uses the session's variables, LAST_INSERT_ID() or named locks,", instead)
	case c.Writes && c.reference != "":
		return notOverShards(what+", which calls what writes, and names a reference table, of which every shard has a copy,", instead)
	}
	if p.in.Catalog.Triggers == nil {
		return nil
	}
	own := p.plan.Called
	p.plan.Called = nil
	err := (triggers(p)).written(c, map[[2]string]changes{})
	kept := p.plan.Called
	p.plan.Called = own
	if err == nil && kept != nil {
		return notOverShards(what+", which calls what fires triggers that use the session's variables or LAST_INSERT_ID(),", instead)
	}
	return err
}

// definitionOf gives the words of a view's definition, none where it cannot be read. is tells whether there is such a view.
func definitionOf(in *Input, schema, name string) (list []query.Word, is bool, err error) {
	all, known := in.Catalog.Views[schema]
	if !known {
		return nil, false, &NeedViews{schema}
	}
	text, is := all[strings.ToLower(name)]
	if !is {
		return nil, false, nil
	}
	list, readable := query.Words([]byte(text), in.Mode.Stored(""))
	if !readable {
		list = nil
	}
	return list, true, nil
}
