package router

import (
	"sluice/query"
)

// read plans SELECT, VALUES, TABLE, and SET @x or DO with tables in them.
func (p reader) read() error {
	sharded, reference, unsharded, system := p.count()
	if err := access(p).filterInformationSchema(); err != nil {
		return err
	}
	switch {
	case len(p.tables) == 0:
		// A named lock must be on one server for all clients; the session holds it there.
		p.plan.pinned = p.stmt.NamedLock
		if p.stmt.NamedLock {
			p.plan.home = ""
		}
		return nil
	case sharded == 0 && unsharded == 0 && system == 0 && reference > 0 && !p.plan.Write && p.stmt.Kind == query.Select && len(p.stmt.Routines) == 0:
		p.plan.Target = ToAny
		return nil
	case sharded == 0:
		return p.readDefault()
	case unsharded > 0:
		u := p.first((*table).unsharded)
		return notOverShards("a join of the unsharded table "+u.name()+" with the sharded "+p.plan.Table,
			"make "+u.name()+" a reference table, or ask in two statements")
	case system > 0:
		return notOverShards("a join of information_schema with the sharded "+p.plan.Table, "ask in two statements")
	}
	if err := p.noRoutines(); err != nil {
		return err
	}
	if err := p.load(); err != nil {
		return err
	}
	return p.readSharded()
}

// noRoutines refuses stored functions beside sharded and reference tables: they are on one
// shard, and what they read is what that shard has.
func (p *planner) noRoutines() error {
	if len(p.stmt.Routines) == 0 {
		return nil
	}
	return notOverShards("a call of "+p.stmt.Routines[0]+"(), which is no built-in function, in a statement on "+p.plan.Table,
		"compute the value first and write it as a literal")
}

// readDefault plans a read of unsharded tables, with copies of reference tables beside them.
func (p reader) readDefault() error {
	home, err := p.oneHome()
	if err != nil {
		return err
	}
	p.plan.home, p.plan.pinned = home, true
	return nil
}

// readSharded plans a read of sharded tables.
func (p reader) readSharded() error {
	g := newGraph(p.planner)
	uses, complete := g.locate()
	if complete {
		p.plan.Target, p.plan.keys = ToKey, uses
	} else {
		p.plan.Target = ToAll
	}
	usesText := p.plan.usesText
	refusal := p.scatter(g)
	if r, ok := refusal.(*Refusal); ok {
		p.plan.dropMany(r)
		p.plan.usesText, p.err = usesText, nil
		if p.plan.Target == ToAll && len(p.in.Map.Spec.Shards) > 1 {
			return r
		}
		return nil
	}
	if refusal != nil {
		return refusal
	}
	switch {
	case complete && p.certain(uses): // several shards are never reached
		p.plan.dropMany(nil)
		p.plan.usesText = usesText
	case complete && len(uses) == 1 && single(&uses[0]) && p.plan.Probe != "":
		p.plan.dropMany(unsupported("the value of the shard key of %s is not certain here (a key is a plain integer, or a string in the column's "+
			"character set), and with ORDER BY, DISTINCT or aggregates it is not looked for on all shards; give the value in the column's type", uses[0].table))
		p.plan.usesText = usesText
	}
	return nil
}

// dropMany makes a plan one for a single shard; why is the answer when there are several.
func (p *Plan) dropMany(why *Refusal) {
	p.many, p.edits, p.resolver, p.Probe, p.Strategy, p.oneOnly = nil, nil, nil, "", Relay, why
}

// single tells whether a key has one value.
func single(u *keyUse) bool { return !u.all && len(u.values) == 1 }

// certain tells whether the values are one integer literal in every text of the fingerprint.
func (p reader) certain(uses []keyUse) bool {
	if len(uses) != 1 || !single(&uses[0]) || uses[0].typ.text {
		return false
	}
	v := uses[0].values[0]
	lit, ok := p.in.Scan.Value(v.Hole, v.Pos)
	return v.Kind == query.ValNull || ok && lit.Kind == query.Int
}

// scatter plans how the answers of several shards become one. A *Refusal says that the
// statement may go to one shard only.
func (p reader) scatter(g *graph) error {
	if why := p.notMergeable(); why != nil {
		return why
	}
	anchor, why := g.local()
	if why != nil {
		return why
	}
	m := &merger{planner: p.planner, graph: g, anchor: anchor, block: &p.stmt.Blocks[0]}
	return m.run()
}

// notMergeable refuses what no step of the ladder answers.
func (p reader) notMergeable() *Refusal {
	st := p.stmt
	switch {
	case st.Kind == query.Set || st.Kind == query.Do:
		return notOverShards("a subquery in SET or DO", oneKey)
	case st.Union:
		return notOverShards("UNION, EXCEPT or INTERSECT", "send the parts one by one, or "+oneKey)
	case st.CTE:
		return notOverShards("WITH (a common table expression)", oneKey)
	case st.Window:
		return notOverShards("a window function", oneKey)
	case st.Into:
		return notOverShards("SELECT … INTO", oneKey)
	case st.CalcFoundRows:
		return notOverShards("SQL_CALC_FOUND_ROWS", "ask with SELECT COUNT(*) in a second statement, or "+oneKey)
	case st.UserVarAssign:
		return notOverShards("an assignment to a user variable", oneKey)
	case st.NamedLock:
		return notOverShards("a named lock", "take the lock in a statement of its own")
	case len(st.Blocks) == 0:
		return notOverShards(st.Verb, oneKey)
	}
	return nil
}
