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

// views looks at the views that a statement names.
type views struct{ *planner }

// examine refuses views of sharded tables, and reads the stored functions that views call.
func (p views) examine() error {
	switch p.stmt.Kind {
	case query.Select, query.Values, query.Set, query.Do, query.Insert, query.Replace, query.Update, query.Delete:
	default:
		return nil
	}
	if p.in.Catalog == nil || p.in.Catalog.Views == nil || !slices.ContainsFunc(p.in.Map.Spec.Schemas, hasSharded) || p.in.Hints.Shard != "" {
		return nil
	}
	seen := map[[2]string]bool{}
	for i := range p.tables {
		if t := &p.tables[i]; t.unsharded() {
			if err := p.look(t.schema, t.rule.Name, seen); err != nil {
				return err
			}
		}
	}
	return nil
}

func hasSharded(s shard.Schema) bool {
	return len(s.AutoShardKey) > 0 || slices.ContainsFunc(s.Tables, func(t shard.Table) bool { return t.Kind == shard.Sharded })
}

// look reads a view's definition, if the name is one's, in which servers qualify all names.
func (p views) look(schema, name string, seen map[[2]string]bool) error {
	s := p.in.Map.Schema(schema)
	if s == nil || seen[[2]string{schema, name}] {
		return nil
	}
	seen[[2]string{schema, name}] = true
	all, known := p.in.Catalog.Views[schema]
	if !known {
		return &NeedViews{schema}
	}
	text, ok := all[strings.ToLower(name)]
	if !ok {
		return nil
	}
	list, _ := query.Words([]byte(text), p.in.Mode)
	for i := range list {
		if i < 2 || list[i-1].Text != "." || i+1 < len(list) && list[i+1].Text == "." { // else schema.table.column
			continue
		}
		of := p.in.Map.Schema(list[i-2].Text)
		switch {
		case of == nil:
		case of.Rule(list[i].Text).Kind == shard.Sharded:
			return notOverShards("the view "+schema+"."+name+" of the sharded table "+of.Name+"."+list[i].Text, "write its SELECT into the statement")
		default:
			if err := p.look(of.Name, list[i].Text, seen); err != nil {
				return err
			}
		}
	}
	return nil
}
