package router

import (
	"strconv"
	"strings"

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
func (p changer) lock() error {
	p.plan.lock = &lockPlan{}
	p.plan.Write, p.plan.usesText = false, true
	for i := range p.tables {
		t := &p.tables[i]
		if t.system {
			return p.deniedSchema(t.schema)
		}
		if t.ref.Alias != "" && !t.unsharded() && !p.locksPlainly(i) {
			// By its own name, too: what Sluice asks of the table, and what it gathers, has no alias.
			p.plan.lock.items = append(p.plan.lock.items, lockItem{text: lockText(t, "")})
		}
		item := lockItem{text: lockText(t, t.ref.Alias)}
		if t.unsharded() {
			item.home = t.home
		}
		p.plan.lock.items = append(p.plan.lock.items, item)
	}
	if n := len(p.tables); n > 0 {
		p.plan.lock.wait = lockWait(p.in.SQL[p.tables[n-1].ref.Span.End:p.in.Scan.End])
	}
	return nil
}

// lockWait finds WAIT n or NOWAIT at the end of the statement.
func lockWait(tail []byte) string {
	words := strings.Fields(strings.ToUpper(string(tail)))
	switch n := len(words); {
	case n > 0 && words[n-1] == "NOWAIT":
		return " NOWAIT"
	case n > 1 && words[n-2] == "WAIT":
		if seconds, err := strconv.Atoi(words[n-1]); err == nil {
			return " WAIT " + strconv.Itoa(seconds)
		}
	}
	return ""
}

// locksPlainly tells whether the i-th table is locked by its own name anyway.
func (p changer) locksPlainly(i int) bool {
	for j := range p.tables {
		if o := &p.tables[j]; o.name() == p.tables[i].name() && (o.ref.Alias == "" || j < i) {
			return true
		}
	}
	return false
}

func lockText(t *table, alias string) string {
	text := string(query.QuoteName(nil, t.schema)) + "." + string(query.QuoteName(nil, t.rule.Name))
	if alias != "" {
		text += " AS " + string(query.QuoteName(nil, alias))
	}
	if t.ref.Target {
		return text + " WRITE"
	}
	return text + " READ"
}

// bind gives each shard its part, in the order of the shards: all sessions lock in the same one.
func (l *lockPlan) bind(a *Args, b *Bound) {
	for shard := range a.Map.Spec.Shards {
		text := ""
		for _, item := range l.items {
			if at, _ := a.Map.ShardIndex(item.home); item.home == "" && !a.Map.Joining(shard) || item.home != "" && at == shard {
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
