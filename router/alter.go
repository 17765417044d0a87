package router

import (
	"slices"
	"strings"

	"sluice/shard"
)

// alterRows refuses changes of a table that would give the rows that are there other values
// on each shard.
func (p changer) alterRows(t *table) error {
	p.plan.Clock = true // a column that is added may have the time in all rows
	clause, at := "", 0
	for i, w := range p.words {
		switch w {
		case "add", "modify", "change":
			clause, at = w, i
		case "auto_increment", "serial":
			next := p.words.at(i + 1)
			switch {
			case w == "serial" && !isSerial(p.words, i, clause):
			case w == "auto_increment" && (next == "=" || next == "?"): // the table's option
				p.plan.drops = append(p.plan.drops, t.name()) // the sequence starts again from what the shards say
			case clause == "add":
				return unsupported("ADD of the AUTO_INCREMENT column of %s would number the rows on every shard from 1 on; add it NOT NULL without AUTO_INCREMENT, "+
					"fill it, then MODIFY it under sql_mode NO_AUTO_VALUE_ON_ZERO", t.name())
			case clause != "":
				if err := numbers(p, t, p.words[at:].clause(1)); err != nil {
					return err
				}
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

// isSerial tells whether the word SERIAL at i is BIGINT UNSIGNED NOT NULL AUTO_INCREMENT UNIQUE, or with DEFAULT VALUE
// what follows of it, and no column's name. clause is that of ALTER TABLE in which it stands.
func isSerial(w words, i int, clause string) bool {
	before := w.at(i - 1)
	switch before {
	case "", "add", "modify", "change", "column", "exists", "after", "drop", "alter", "rename", "to", "key", "index", "unique", "fulltext", "spatial", "constraint",
		"by", "and", "or", "not", "xor", "between", "like", "in", "is", "div", "mod", "case", "when", "then", "else":
		return false
	}
	if clause == "change" && slices.Contains([]string{"change", "column", "exists"}, w.at(i-2)) {
		return false // the column's new name
	}
	return before == ")" || isName(before)
}

// numbers refuses to make a column that is there, of the clause behind MODIFY or CHANGE, the AUTO_INCREMENT one, where each shard
// would number the rows that have 0 or NULL. A look at the rows would not see those that are written meanwhile.
func numbers(p changer, t *table, clause words) error {
	i := 0
	for slices.Contains([]string{"column", "if", "exists"}, clause.at(i)) {
		i++
	}
	name := unquoted(clause.at(i))
	info := p.in.Catalog.Table(t.schema, t.rule.Name)
	if info == nil {
		return &NeedTable{t.schema, t.rule.Name}
	}
	var flags uint16
	if at := info.Index(name); at >= 0 {
		flags = info.Columns[at].Flags
	}
	switch {
	case flags&flagAutoIncrement != 0:
		return nil
	case flags&flagNotNull == 0:
		return unsupported("MODIFY of %s.%s, which can be NULL, to AUTO_INCREMENT would number the rows of NULL on every shard from 1 on; fill them, MODIFY it to NOT NULL, then to AUTO_INCREMENT", t.name(), name)
	case !p.in.NoAutoValueOnZero:
		return unsupported("MODIFY of %s.%s to AUTO_INCREMENT would number the rows of 0 on every shard from 1 on; give them values, then SET sql_mode = CONCAT(@@sql_mode, ',NO_AUTO_VALUE_ON_ZERO') before it",
			t.name(), name)
	}
	p.plan.drops = append(p.plan.drops, t.name()) // a sequence begins
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
