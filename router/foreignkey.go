package router

import (
	"slices"
	"strings"

	"sluice/shard"
)

// referring is a statement that may declare foreign keys.
type referring struct{ changer }

// foreignKeys holds the foreign keys of a table that every shard has against what a shard can
// check alone: a reference table has all rows everywhere; of a sharded one only those of equal
// shard keys are on the same shard.
func (p referring) foreignKeys(schema string, rule shard.Table) error {
	clauses := p.references()
	for i, f := range p.stmt.ForeignKeys {
		t, err := p.tableOf(&f)
		switch {
		case err != nil:
			return err
		case t.unsharded() || rule.Kind == shard.Reference && t.sharded():
			return foreignKey(schema+"."+rule.Name, t.name())
		case t.sharded() && (len(clauses) != len(p.stmt.ForeignKeys) || !p.aligned(clauses[i], rule.ShardKey, t.rule.ShardKey)):
			return unsupported("a foreign key from %s.%s to %s cannot be checked, because their rows are on different shards where it does not have the shard keys "+
				"in the same place of both lists (FOREIGN KEY (%s, …) REFERENCES … (%s, …)); put them in, or leave the constraint out",
				schema, rule.Name, t.name(), rule.ShardKey, t.rule.ShardKey)
		}
	}
	return p.foreignActions(rule)
}

func foreignKey(from, to string) *Refusal {
	return unsupported("a foreign key from %s to %s cannot be checked, because their rows are on different shards; leave the constraint out", from, to)
}

// references gives where the words REFERENCES of foreign keys stand.
func (p referring) references() (at []int) {
	for i, w := range p.words {
		if w == "references" && p.words.at(i-1) != "." {
			at = append(at, i)
		}
	}
	return at
}

// aligned tells whether the foreign key whose REFERENCES stands at i refers from the shard key
// of its table to that of the other, so that equal keys put both rows on one shard.
func (p referring) aligned(i int, key, parentKey string) bool {
	open := i + 1
	for open < len(p.words) && p.words[open] != "(" && p.words[open] != "," && p.words[open] != ")" {
		open++
	}
	if p.words.at(open) != "(" {
		return false
	}
	to := slices.IndexFunc(p.words.list(open), func(name string) bool { return strings.EqualFold(name, parentKey) })
	from := slices.IndexFunc(p.columns(i), func(name string) bool { return strings.EqualFold(name, key) })
	return to >= 0 && to == from
}

// columns gives the columns that refer: the list before REFERENCES, or the column in whose
// definition it stands.
func (p referring) columns(i int) []string {
	start, depth := i-1, 0
	for ; start >= 0; start-- {
		switch w := p.words[start]; {
		case w == ")":
			depth++
		case w == "(" && depth == 0, w == "," && depth == 0:
			return []string{unquoted(p.words.at(start + 1))}
		case w == "(":
			if depth--; depth == 0 && p.words.at(i-1) == ")" && p.words.follows("foreign", "key") && p.isKeyList(start) {
				return p.words.list(start)
			}
		}
	}
	return nil // ALTER TABLE … ADD column … REFERENCES: a new column is no shard key
}

// isKeyList tells whether the parenthesis follows FOREIGN KEY [IF NOT EXISTS] [name].
func (p referring) isKeyList(open int) bool {
	for j := open - 1; j >= max(0, open-6); j-- {
		if p.words[j] == "key" && p.words.at(j-1) == "foreign" {
			return true
		}
	}
	return false
}

// list gives the names in a parenthesis.
func (w words) list(open int) (names []string) {
	for i := open + 1; i < len(w) && w[i] != ")"; i++ {
		if w.at(i-1) == "(" || w.at(i-1) == "," {
			names = append(names, unquoted(w[i]))
		}
	}
	return names
}
