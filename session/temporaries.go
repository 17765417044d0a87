package session

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"sluice/backend"
	"sluice/query"
	"sluice/router"
	"sluice/wire"
)

// temporaryTables refuses statements that would copy rows of a temporary table of the session by the definition of a
// permanent one, which is all that is looked up: the router knows no temporary tables.
type temporaryTables struct{ *planner }

// check looks at the unsharded tables whose rows a bound statement copies, or computes before they are written.
func (p temporaryTables) check(ctx context.Context, b *router.Bound) error {
	if !p.kept.pins.temporary() {
		return nil
	}
	if g := b.Gathering; g != nil {
		for i := range g.Tables {
			if err := p.alike(ctx, g.Tables[i].Schema, g.Tables[i].Table); err != nil {
				return err
			}
		}
	}
	if s := b.Staging; s != nil {
		return p.alike(ctx, s.Schema, s.Table)
	}
	return nil
}

// filled tells whether a bound statement on Oracle MySQL puts rows of several shards into a temporary table of the session and
// writes nothing else: it is the home shard's alone, and the branch of a distributed transaction would allow neither the table nor copies.
func (p temporaryTables) filled(ctx context.Context, e *entry, b *router.Bound) bool {
	if p.state.mode.MariaDB || !p.kept.pins.temporary() || b.Gathering == nil || b.Strategy != router.Gather || e.stmt.Insert == nil || e.stmt.Opaque {
		return false
	}
	i := slices.IndexFunc(e.stmt.Tables, func(t query.TableRef) bool { return t.Target })
	if i < 0 {
		return false
	}
	schema, table := cmp.Or(e.stmt.Tables[i].Schema, p.state.schema), e.stmt.Tables[i].Name
	own, err := p.definition(ctx, schema, table, false)
	return err == nil && !p.spread(schema, table) && strings.HasPrefix(own, createTemporary)
}

// alike refuses a temporary table with another definition than the permanent one of its name.
func (p temporaryTables) alike(ctx context.Context, schema, table string) error {
	if p.spread(schema, table) {
		return nil
	}
	own, err := p.definition(ctx, schema, table, false)
	if wire.IsCode(err, temporaryInXA) {
		return copiesRows(schema, table)
	}
	if err != nil || !strings.HasPrefix(own, createTemporary) {
		return err
	}
	permanent, err := p.definition(ctx, schema, table, true)
	if err == nil && strings.TrimPrefix(own, createTemporary) != strings.TrimPrefix(permanent, createPermanent) {
		return notBuilt("the temporary table %s.%s, which is defined otherwise than the permanent one, in a statement that copies its rows; give it another name", schema, table)
	}
	return err
}

// note keeps the names of the session's temporary tables where statements make, rename and drop them.
func (p temporaryTables) note(e *entry, b *router.Bound, err error) {
	if !e.stmt.Temporary && !changesTables(e.stmt.Kind) || err != nil && (e.stmt.Kind != query.DropTable || !wire.IsCode(err, 1051)) {
		return
	}
	for _, leg := range b.Legs {
		name := p.args.Map.ShardName(leg.Shard)
		i := slices.IndexFunc(p.kept.pins.list, func(q pin) bool { return q.shard == name })
		if i < 0 {
			continue
		}
		list := &p.kept.pins.list[i].tables
		switch {
		case e.stmt.Kind == query.DropTable:
			*list = slices.DeleteFunc(*list, func(n router.TableName) bool {
				return slices.ContainsFunc(e.stmt.Tables, func(t query.TableRef) bool { return p.nameOf(t) == n })
			})
		case e.stmt.Temporary && len(e.stmt.Tables) > 0:
			*list = append(*list, p.nameOf(e.stmt.Tables[0]))
		case e.stmt.Kind == query.RenameTable || e.stmt.Kind == query.AlterTable:
			for j, t := range e.stmt.Tables {
				from := 0
				if e.stmt.Kind == query.RenameTable {
					from = j &^ 1
				}
				if j != from && t.Target && slices.Contains(*list, p.nameOf(e.stmt.Tables[from])) {
					*list = append(*list, p.nameOf(t)) // the old name stays: not all servers look at temporary tables here
				}
			}
		}
	}
}

func (p temporaryTables) nameOf(t query.TableRef) router.TableName {
	if t.Schema == "" {
		t.Schema = p.state.schema
	}
	return router.TableName{Schema: t.Schema, Table: t.Name}
}

// hidden refuses a statement with the name of a temporary table of the session which is also that of a sharded or reference
// table, made since: on one shard it would mean the one, on the others the other.
func (p temporaryTables) hidden(e *entry) error {
	if e.stmt.Kind == query.DropTable && e.stmt.Temporary {
		return nil
	}
	for _, t := range e.stmt.Tables {
		n := p.nameOf(t)
		if !slices.ContainsFunc(p.kept.pins.list, func(q pin) bool { return slices.Contains(q.tables, n) }) {
			continue
		}
		if d := e.plan.Declares; p.spread(n.Schema, n.Table) || d != nil && d.Name == n.Table {
			return notBuilt("%s.%s, which is a temporary table of this session and, by its rule, a table of several shards; DROP TEMPORARY TABLE %s first, and give it another name", n.Schema, n.Table, n.Table)
		}
	}
	return nil
}

const (
	createTemporary = "CREATE TEMPORARY TABLE "
	createPermanent = "CREATE TABLE "
)

// missing says of a table that was looked up and is not there (1146) when it is a temporary one.
func (p temporaryTables) missing(ctx context.Context, schema, table string, err error) error {
	const noSuchTable = 1146
	if !wire.IsCode(err, noSuchTable) || !p.kept.pins.temporary() || p.spread(schema, table) {
		return err
	}
	if own, e := p.definition(ctx, schema, table, false); !wire.IsCode(e, temporaryInXA) && (e != nil || !strings.HasPrefix(own, createTemporary)) {
		return err
	}
	return copiesRows(schema, table)
}

// temporaryInXA is what Oracle MySQL says of temporary tables in a branch of a distributed transaction.
const temporaryInXA = 4091

func copiesRows(schema, table string) error {
	return notBuilt("the temporary table %s.%s in a statement over several shards that copies its rows, or writes it; "+
		"read its rows first and write them as literals, or use a permanent table (CREATE TEMPORARY TABLE … SELECT fills one)", schema, table)
}

// definition gives a table's, as the session's own connection sees it or (permanent) as all others do.
func (p temporaryTables) definition(ctx context.Context, schema, table string, permanent bool) (text string, err error) {
	name := string(query.QuoteName(nil, schema)) + "." + string(query.QuoteName(nil, table))
	err = p.kept.onShard(ctx, p.shardOf(schema), permanent, func(c *backend.Conn) error {
		_, rows, err := c.Query("SHOW CREATE TABLE " + name)
		if err == nil && len(rows) == 1 && len(rows[0]) > 1 {
			text = nextNumber.ReplaceAllString(string(rows[0][1]), "")
		}
		return err
	})
	return text, err
}
