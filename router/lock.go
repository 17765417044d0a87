package router

import (
	"slices"

	"sluice/query"
)

// lockPlan is LOCK TABLES: each shard locks those of the tables that it has.
type lockPlan struct {
	items []lockItem
	wait  string // MariaDB's WAIT n or NOWAIT
}

type lockItem struct {
	home string // the shard of an unsharded table, "" for one that every shard has
	text string
}

// lock plans LOCK TABLES and UNLOCK TABLES, which has no part on any shard: it is for those
// that the session has locked. The texts are written anew, because a shard must not be told
// of tables that it does not have; all of them is names and one word.
func (p *planner) lock() error {
	p.plan.lock = &lockPlan{}
	p.plan.Write, p.plan.usesText = false, true
	for i := range p.tables {
		t := &p.tables[i]
		if t.system {
			return p.deniedSchema(t.schema)
		}
		text := string(query.QuoteName(nil, t.schema)) + "." + string(query.QuoteName(nil, t.rule.Name))
		if t.ref.Alias != "" {
			text += " AS " + string(query.QuoteName(nil, t.ref.Alias))
		}
		if t.ref.Target {
			text += " WRITE"
		} else {
			text += " READ"
		}
		item := lockItem{text: text}
		if t.unsharded() {
			item.home = t.home
		}
		p.plan.lock.items = append(p.plan.lock.items, item)
	}
	if i := slices.Index(p.words, "nowait"); i == len(p.words)-1 && i > 0 {
		p.plan.lock.wait = " NOWAIT"
	} else if i := slices.Index(p.words, "wait"); i > 0 && i == len(p.words)-2 {
		last := len(p.in.Scan.Literals) - 1
		p.plan.lock.wait = " WAIT " + string(p.in.Scan.Literals[last].Of(p.in.SQL))
	}
	return nil
}

// bind gives each shard its part, in the order of the shards: all sessions lock in the same one.
func (l *lockPlan) bind(a *Args, b *Bound) {
	for shard := range a.Map.Spec.Shards {
		text := ""
		for _, item := range l.items {
			if at, _ := a.Map.ShardIndex(item.home); item.home == "" || at == shard {
				text += ", " + item.text
			}
		}
		if text != "" {
			b.Legs = append(b.Legs, Leg{Shard: shard, SQL: []byte("LOCK TABLES" + text[1:] + l.wait)})
		}
	}
	if len(b.Legs) > 1 {
		b.Strategy = Everywhere
	}
}
