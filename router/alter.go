package router

import (
	"slices"
	"strings"

	"sluice/shard"
)

// alterRows refuses changes of a table that would give the rows that are there other values
// on each shard.
func (p changer) alterRows(t *table) error {
	clause := ""
	for i, w := range p.words {
		switch w {
		case "add", "modify", "change":
			clause = w
		case "auto_increment":
			if next := p.words.at(i + 1); next == "=" || next == "?" { // the table's option
				p.plan.drops = append(p.plan.drops, t.name()) // the sequence starts again from what the shards say
			} else if clause == "add" {
				return unsupported("ADD of the AUTO_INCREMENT column of %s would number the rows on every shard from 1 on; add the column without it, fill it, then MODIFY it", t.name())
			}
		case "default":
			if t.reference() && clause == "add" && p.words.computes(i+1) {
				return unsupported("ADD of a column to the reference table %s whose DEFAULT each shard computes for the rows that are there "+
					"(the time, a UUID …); add it without DEFAULT, fill it, then set the DEFAULT", t.name())
			}
		case "convert":
			if p.words.at(i+1) == "to" && t.sharded() && t.typ.text {
				return unsupported("CONVERT TO of %s would change the bytes of its shard key %s, and leave rows on the wrong shards; MODIFY the other columns one by one", t.name(), t.rule.ShardKey)
			}
		}
	}
	return nil
}

// computes tells whether what stands at i, behind DEFAULT, is not a literal.
func (w words) computes(i int) bool {
	switch w.at(i) {
	case "(", "now", "current_timestamp", "localtime", "localtimestamp", "current_date", "current_time", "curdate", "curtime":
		return true
	}
	return w.at(i+1) == "(" && isName(w.at(i))
}

// foreignActions refuses a foreign key of a sharded table by which a change of the table
// that it refers to would change the shard key.
func (p changer) foreignActions(rule shard.Table) error {
	if rule.Kind != shard.Sharded {
		return nil
	}
	for i, w := range p.words {
		if w != "references" {
			continue
		}
		end := slices.IndexFunc(p.words[i+1:], func(w string) bool { return w == "references" })
		if end < 0 {
			end = len(p.words) - i - 1
		}
		if clause := p.words[i+1 : i+1+end]; clause.changesChild() && p.mayBeKey(i, rule.ShardKey) && !p.refersToKey(clause) {
			return unsupported("a foreign key of the shard key %s with ON UPDATE CASCADE or SET NULL would leave rows on the wrong shards; use RESTRICT", rule.ShardKey)
		}
	}
	return nil
}

// changesChild tells whether the clause behind REFERENCES lets the parent's change be made
// in the child's columns.
func (w words) changesChild() bool {
	for i, s := range w {
		if s != "on" {
			continue
		}
		action := w.at(i + 2)
		if action == "set" || w.at(i+1) == "update" && action == "cascade" {
			return true
		}
	}
	return false
}

// mayBeKey tells whether the columns before REFERENCES at i may have the shard key among
// them. A column's own REFERENCES does not name it there.
func (p changer) mayBeKey(i int, key string) bool {
	if p.words.at(i-1) != ")" {
		return true
	}
	for j := i - 2; j >= 0 && p.words[j] != "("; j-- {
		if strings.EqualFold(unquoted(p.words[j]), key) {
			return true
		}
	}
	return false
}

// refersToKey tells whether the clause behind REFERENCES names the shard key of a sharded
// table, which no statement changes.
func (p changer) refersToKey(clause words) bool {
	for i := range p.stmt.ForeignKeys {
		f := &p.stmt.ForeignKeys[i]
		at := slices.IndexFunc(clause, func(w string) bool { return w == "(" })
		if at < 1 || !strings.EqualFold(unquoted(clause[at-1]), f.Name) {
			continue
		}
		t, err := p.tableOf(f)
		return err == nil && t.sharded() && containsFold(clause.inside(at), t.rule.ShardKey)
	}
	return false
}
