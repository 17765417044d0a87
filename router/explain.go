package router

import "sluice/query"

// ExplainRow is one line of EXPLAIN ROUTE.
type ExplainRow struct{ Shard, SQL, Strategy string }

// Explain renders a bound plan: one row a leg, those that a Gather takes rows from first.
func (b *Bound) Explain(a *Args) []ExplainRow {
	rows := make([]ExplainRow, 0, len(b.Legs))
	if b.Gathering != nil {
		rows = b.Gathering.explain(rows, a, b.Legs[0].Shard)
	}
	for i := range b.Legs {
		l := &b.Legs[i]
		sql := l.SQL
		if sql == nil {
			sql = a.SQL
		}
		rows = append(rows, ExplainRow{a.Map.ShardName(l.Shard), string(sql), b.Strategy.String()})
	}
	if b.Staging != nil {
		rows = b.Staging.explain(rows)
	}
	return rows
}

// explain plans EXPLAIN and DESCRIBE: one shard tells, the one of the key if there is one.
func (p shower) explain() error {
	if err := access(p).filterInformationSchema(); err != nil {
		return err
	}
	if c := p.plan.Called; c != nil && c.sharded != "" && p.stmt.InnerRuns {
		return c.readsSharded(p.plan.Table)
	}
	sharded, _, unsharded, _ := p.count()
	if sharded == 0 || unsharded > 0 && !p.plan.Write {
		home, err := p.oneHome()
		if err != nil {
			return err
		}
		p.plan.home, p.plan.pinned = home, true
		if p.plan.Write && p.first((*table).reference) != nil {
			return unsupported("%s of a write on a reference table would write one copy only", p.stmt.Verb)
		}
		if t := p.first((*table).sharded); t != nil {
			p.plan.home = t.home
		}
		return nil
	}
	p.plan.home, p.plan.pinned = p.first((*table).sharded).home, true
	if p.stmt.InnerKind != query.Select && !p.plan.Write && p.stmt.Insert != nil || len(p.stmt.Blocks) == 0 {
		return nil
	}
	if err := p.load(); err != nil {
		return err
	}
	if p.plan.Write {
		if p.stmt.Insert != nil {
			return unsupported("%s of an INSERT into the sharded table %s would run it; use EXPLAIN ROUTE", p.stmt.Verb, p.plan.Table)
		}
		return writer(p).writeByKey()
	}
	if uses, complete := newGraph(p.planner).locate(); complete && reader(p).certain(uses) {
		p.plan.Target, p.plan.keys = ToKey, uses
	}
	return nil
}
