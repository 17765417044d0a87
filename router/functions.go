package router

import (
	"fmt"
	"slices"
	"strings"

	"sluice/query"
	"sluice/shard"
)

// A statement over several shards that calls stored functions runs on the default shard of their
// schema. A sharded table that they name is copied there whole, under its own name, which hides the
// shard's own part from them; where the statement runs outside of the client's transaction, so is
// every other table that they name.

// noRoutines refuses stored functions where they cannot be called: they are on one shard, and what
// they read is what that shard has.
func (p *planner) noRoutines() error {
	if len(p.stmt.Routines) == 0 {
		return nil
	}
	return cannotCall(p.plan.Table, p.stmt.Routines[0]+"(), which is no built-in function,")
}

func cannotCall(on, what string) *Refusal {
	if on == "" {
		return notOverShards("a call of "+what, "write its text into the statement")
	}
	return notOverShards(fmt.Sprintf("a call of %s in a statement on %s", what, on), "compute the value first and write it as a literal")
}

// readsSharded refuses a program that would find a shard's part of a table.
func (c *Called) readsSharded(on string) *Refusal {
	return cannotCall(on, c.names[0]+"(), which names "+c.sharded+", of which a shard has a part,")
}

// functions tells whether the statement calls stored functions, and refuses those that would not
// give on their schema's default shard what they give on one server. apart: the statement runs
// outside of the client's transaction.
func (p programs) functions(apart bool) (stored bool, err error) {
	c := p.plan.Called
	switch {
	case c == nil:
		return false, nil
	case c.unfit != "":
		return true, cannotCall(p.plan.Table, c.unfit+",")
	case c.namedLock:
		return true, cannotCall(p.plan.Table, c.names[0]+"(), which uses named locks,")
	case len(c.homes) > 1 || c.homes[0] != p.currentHome():
		return true, p.noRoutines()
	}
	first := c.names[0] + "(), which "
	switch shadows := p.shadowed(apart); {
	case apart && c.Writes:
		return true, notOverShards("a call of "+first+"writes, in a transaction that is read only or has written on several shards, or in an UPDATE or DELETE of a sharded or reference table,",
			"compute the value first")
	case apart && c.Settings:
		return true, cannotCall(p.plan.Table, first+"sets variables of the session,")
	case len(shadows) > 0 && (c.Writes || c.locks):
		return true, cannotCall(p.plan.Table, first+"writes or locks rows, and names "+shadows[0].Schema+"."+shadows[0].Name+", of which a shard has a part,")
	case c.Writes && c.reference != "":
		return true, cannotCall(p.plan.Table, first+"writes, and names the reference table "+c.reference+", of which every shard has a copy,")
	}
	if t := p.first(func(t *table) bool { return t.ref.Target }); t != nil && (c.views || slices.ContainsFunc(c.tables, func(r query.TableRef) bool {
		return r.Schema == t.schema && r.Name == t.rule.Name
	})) { // of which it may see the statement's own rows
		return true, cannotCall(p.plan.Table, first+"may read "+t.name()+", which is written,")
	}
	p.plan.atHome = true
	return true, nil
}

// shadowed gives the tables that functions find copies of.
func (p programs) shadowed(apart bool) (list []query.TableRef) {
	for _, r := range p.plan.Called.tables {
		if apart || p.in.Map.Schema(r.Schema).Rule(r.Name).Kind == shard.Sharded {
			list = append(list, r)
		}
	}
	return list
}

// gatherFunctions plans a SELECT of sharded tables, or of tables of several shards, that calls
// stored functions, or one whose functions name sharded tables.
func (p reader) gatherFunctions() error {
	stored, err := programs(p).functions(p.in.Apart)
	if err != nil {
		return err
	}
	if u := p.first((*table).unsharded); stored && u != nil && u.home != p.currentHome() {
		return p.noRoutines()
	}
	if err := p.load(); err != nil {
		return err
	}
	p.plan.Target = ToAll
	return p.gather(true, p.plan.edits)
}

// shadower plans what a statement with stored functions needs of its copies.
type shadower struct{ *gatherer }

// add adds the copies that functions read.
func (g shadower) add() error {
	if !g.planner.plan.atHome {
		return nil
	}
	known := &query.Statement{Kind: query.Select, Opaque: true, Tables: programs{g.planner}.shadowed(g.plan.apart)}
	inner := &gatherer{planner: &planner{in: g.in, stmt: known, plan: &Plan{}}, plan: g.plan}
	if err := inner.classify(); err != nil {
		return err
	}
	for i := range inner.tables {
		t := &inner.tables[i]
		if err := inner.loadTable(t); err != nil {
			return err
		}
		c, err := copier{inner}.whole(i)
		if err != nil {
			return err
		}
		c.to.Name, c.to.Shadow, c.to.Scratch = t.rule.Name, true, false
		if g.write != nil {
			c.lock = " LOCK IN SHARE MODE"
		}
		g.plan.tables = append(g.plan.tables, c)
	}
	return nil
}

// counted tells whether functions are called in conditions that do more than to give a value: how
// often they are called is seen then, so that no row may be left out before.
func (g shadower) counted() bool {
	c := g.planner.plan.Called
	if c == nil || c.pure() {
		return false
	}
	for _, name := range c.names {
		for _, at := range wordsAt(g.in.SQL[:g.in.Scan.End], name) {
			if slices.ContainsFunc(g.stmt.Blocks, func(b query.Block) bool { return at >= b.Where.Start && at < b.Where.End }) {
				return true
			}
		}
	}
	return false
}

// callsLate tells whether ON DUPLICATE KEY UPDATE calls functions.
func (p stager) callsLate() bool {
	tail := wordsOf(p.in.SQL[p.stmt.Insert.TailAt:p.in.Scan.End])
	return slices.ContainsFunc(p.stmt.Routines, func(name string) bool {
		return slices.ContainsFunc(tail, func(w string) bool { return strings.EqualFold(unquoted(w), name) })
	})
}
