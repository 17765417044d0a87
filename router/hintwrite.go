package router

import (
	"strings"

	"sluice/query"
	"sluice/shard"
)

// guardWrite refuses a write that a hint would send past the rules: a row to a shard that
// is not its own, where nobody would find it by its key, or to one copy of a reference table.
func (p hinted) guardWrite() error {
	for i := range p.tables {
		t := &p.tables[i]
		if !t.ref.Target || t.system || t.unsharded() || !p.plan.Write {
			continue
		}
		switch p.stmt.Kind {
		case query.Insert, query.Replace, query.LoadData:
		case query.Update:
			if t.sharded() && !p.assigns(t.rule.ShardKey) {
				continue
			}
		case query.Delete, query.TruncateTable, query.Explain:
			if t.sharded() {
				continue
			}
		default:
			continue
		}
		return misplaced(t.rule.Kind, t.name())
	}
	return nil
}

func (p hinted) assigns(column string) bool {
	for _, s := range p.stmt.Sets {
		if strings.EqualFold(s.Col.Column, column) {
			return true
		}
	}
	return false
}

// guardOpaque is guardWrite for what is not understood.
func (p hinted) guardOpaque() error {
	first := p.words.at(0)
	if first == "select" || !isDataVerb(first) && !p.words.has("insert") && !p.words.has("replace") && !p.words.has("update") && !p.words.has("load") {
		return nil
	}
	for i := range p.stmt.Tables {
		r := &p.stmt.Tables[i]
		name := r.Schema
		if name == "" {
			name = p.in.Schema
		}
		s := p.in.Map.Schema(name)
		if s == nil {
			continue
		}
		rule := s.Rule(r.Name)
		if rule.Kind == shard.Reference || rule.Kind == shard.Sharded && first != "delete" {
			return misplaced(rule.Kind, name+"."+r.Name)
		}
	}
	return nil
}

func isDataVerb(word string) bool {
	switch word {
	case "insert", "replace", "update", "delete", "load", "with":
		return true
	}
	return false
}

func misplaced(k shard.Kind, table string) *Refusal {
	if k == shard.Reference {
		return unsupported("a hint would make this write on one copy of the reference table %s only; leave the hint out", table)
	}
	return unsupported("a hint could put rows of the sharded table %s on a shard that is not theirs; leave the hint out: the shard key of each row says where it goes", table)
}
