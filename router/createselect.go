package router

import (
	"slices"
	"strings"

	"sluice/query"
	"sluice/shard"
)

// Creation is CREATE TABLE … SELECT, or … LIKE, where no shard can carry out the whole
// statement: one makes the definition, as one server would, as that of a temporary table.
// It then is the text of an ordinary CREATE TABLE, and an ordinary INSERT … SELECT brings
// the rows. The last columns of the table are those of the SELECT, in its order (the manual,
// "CREATE TABLE ... SELECT Statement").
type Creation struct {
	Define      []byte // CREATE TEMPORARY TABLE …, which takes no rows
	Temporary   string // its name, quoted
	Schema      string
	Table       string
	Name        string // of the new table, in the client's words
	Insert      string // INSERT INTO, with IGNORE, or REPLACE INTO
	Rows        string // the client's SELECT; "" for LIKE
	IfNotExists bool
}

// definingTable is the temporary table's name. No application has one of it.
const definingTable = "sluice_c1"

// inSteps plans CREATE TABLE … SELECT and … LIKE that are carried out in several
// statements; false when they are not.
func (p creator) inSteps(t *table, rule shard.Table) (bool, error) {
	switch {
	case p.stmt.CreateSelect:
		overShards := rule.Kind != shard.Unsharded
		for i := range p.tables {
			overShards = overShards || i > 0 && p.tables[i].sharded()
		}
		if !overShards {
			if c := p.plan.Called; c != nil && c.sharded != "" {
				return false, c.readsSharded(t.name())
			}
			return false, nil
		}
	case p.stmt.CreateLike != nil && rule.Kind != shard.Unsharded:
		like, err := p.tableOf(p.stmt.CreateLike)
		if err != nil || !like.unsharded() && !like.system {
			return false, err
		}
	default:
		return false, nil
	}
	if err := p.notInSteps(t); err != nil {
		return false, err
	}
	home, err := p.oneHome()
	if err != nil {
		return false, err
	}
	p.plan.home, p.plan.pinned, p.plan.usesText = home, true, true
	p.plan.Table, p.plan.Strategy = t.name(), CreateSelect
	p.plan.creation = p.creation(t)
	return true, nil
}

// notInSteps refuses what a definition made elsewhere, or rows that come later, cannot be.
func (p creator) notInSteps(t *table) error {
	what := "CREATE TABLE " + t.name() + " AS SELECT"
	from := int(p.in.Scan.End)
	if p.stmt.CreateSelect {
		from = p.stmt.CreateRows.At
	} else {
		what = "CREATE TABLE " + t.name() + " LIKE " + p.stmt.CreateLike.Name
	}
	definition := wordsOf(p.in.SQL[t.ref.Span.End:from])
	for _, w := range []string{"partition", "fulltext", "spatial", "references", "versioning"} {
		if definition.has(w) {
			return notOverShards(what+" with "+strings.ToUpper(w), "create the table, then INSERT … SELECT the rows")
		}
	}
	locks := func(b query.Block) bool { return b.Locking }
	switch {
	case p.stmt.OrReplace:
		return notOverShards(what+" with OR REPLACE", "DROP the table first")
	case len(p.stmt.Routines) > 0:
		p.plan.Table = t.name()
		return p.noRoutines()
	case slices.ContainsFunc(p.stmt.Blocks, locks):
		return notOverShards(what+" with a SELECT that locks", "leave the lock out")
	case p.in.Scan.UserVariable:
		return notOverShards(what+" with user variables", "write the value as a literal")
	}
	for _, lit := range p.in.Scan.Literals {
		if lit.Kind != query.Param {
			continue
		}
		for i := range p.stmt.Blocks {
			if slices.ContainsFunc(p.stmt.Blocks[i].Items, func(it query.Item) bool { return it.Span.Start <= lit.Start && lit.End <= it.Span.End }) {
				return notOverShards(what+" with a parameter in the select list, whose type would be another,", "write the value as a literal")
			}
		}
	}
	return nil
}

func (p creator) creation(t *table) *Creation {
	name := string(t.ref.Span.Of(p.in.SQL))
	c := &Creation{
		Temporary: string(query.QuoteName(nil, definingTable)), Schema: t.schema, Table: t.rule.Name, Name: name,
		Insert: "INSERT INTO ", IfNotExists: p.stmt.IfExists,
	}
	if schema, _ := cutName(t.ref.Span.Of(p.in.SQL)); schema != "" {
		c.Temporary = schema + "." + c.Temporary
	}
	end := int(p.in.Scan.End)
	text := append([]byte("CREATE TEMPORARY TABLE "), c.Temporary...)
	if !p.stmt.CreateSelect {
		c.Define = append(text, p.in.SQL[t.ref.Span.End:end]...)
		return c
	}
	c.Rows = string(p.in.SQL[p.stmt.CreateRows.At:end])
	switch {
	case p.stmt.CreateRows.Ignore:
		c.Insert = "INSERT IGNORE INTO "
	case p.stmt.CreateRows.Replace:
		c.Insert = "REPLACE INTO "
	}
	from, to := end, end
	if len(p.stmt.Blocks) > 0 {
		from, to = int(p.stmt.Blocks[0].OrderEnd), int(p.stmt.Blocks[0].OrderEnd)
		if l := p.stmt.Blocks[0].Limit; l.Has {
			from, to = int(l.Span.Start), int(l.Span.End)
		}
	}
	text = append(text, p.in.SQL[t.ref.Span.End:from]...)
	if len(p.stmt.Blocks) > 0 {
		text = append(text, " LIMIT 0"...)
	}
	c.Define = append(text, p.in.SQL[to:end]...)
	return c
}
