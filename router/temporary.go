package router

import "slices"

// temporaryTable plans CREATE TEMPORARY TABLE. The table lives on one connection of the default shard, where reference
// tables are whole and every definition is; rows of sharded tables are copied there first (Gather).
func (p creator) temporaryTable() error {
	target := p.tables[0]
	if !p.stmt.CreateSelect && p.stmt.CreateLike != nil { // a definition, no rows
		p.tables = slices.DeleteFunc(p.tables, func(t table) bool { return !t.ref.Target && !t.unsharded() && !t.system })
	}
	reads := slices.ContainsFunc(p.tables[1:], func(t table) bool { return t.sharded() })
	if !reads {
		p.tables = slices.DeleteFunc(p.tables, func(t table) bool { return !t.ref.Target && t.reference() })
	}
	if !reads || !target.unsharded() {
		return p.temporary()
	}
	const what = "CREATE TEMPORARY TABLE … SELECT of sharded tables"
	switch {
	case p.in.Apart:
		return notOverShards(what+" in a transaction that allows no temporary tables (READ ONLY, or over several shards on MySQL)", "create it before the transaction")
	case p.in.Scan.UserVariable:
		return notOverShards(what+" with user variables", "write the value as a literal")
	case slices.ContainsFunc(p.tables, func(t table) bool { return t.system }):
		return notOverShards(what+" beside tables of information_schema or their like", "create the table, then INSERT … SELECT the rows")
	case len(wordsAt(p.in.SQL[:p.in.Scan.End], "match")) > 0:
		return notOverShards(what+" with MATCH … AGAINST", "create the table, then INSERT … SELECT the rows")
	case p.plan.Called != nil || len(p.stmt.Routines) > 0:
		return p.noRoutines()
	}
	home, err := p.oneHome()
	if err != nil {
		return err
	}
	p.tables = p.tables[1:]
	// As a SELECT that locks: the rows are those of now, not of the transaction's snapshot, and stay until it ends.
	p.plan.DDL, p.plan.Locking, p.plan.usesText = false, true, true
	p.plan.Table = p.first(func(t *table) bool { return t.sharded() }).name()
	g := &gatherer{planner: p.planner, plan: &gatherPlan{only: true, edits: p.plan.edits, base: len(p.plan.edits), locks: sharedLock, home: home, fixed: true}}
	if err := (copier{g}).run(); err != nil {
		return err
	}
	p.plan.gather, p.plan.Strategy, p.plan.Target = g.plan, Gather, ToAll
	return nil
}
