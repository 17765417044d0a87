package router

import (
	"sluice/query"
	"sluice/shard"
)

// graph is what the statement says of columns: which are equal, and which of them are
// compared with values. An edge a→b says: rows of b's table matter only if their b is some
// a of a row that matters.
type graph struct {
	p     *planner
	edges []edge
	preds []nodePredicate
}

type edge struct {
	from, to node
}

type nodePredicate struct {
	at     node
	pred   *query.Predicate
	stored bool // the value is put into the column, not compared with it
}

// newGraph resolves the names of the statement's equalities and predicates.
func newGraph(p *planner) *graph {
	g := &graph{p: p}
	for i := range p.stmt.Equalities {
		e := &p.stmt.Equalities[i]
		as, bs := p.resolve(e.Block, e.A, true), p.resolve(e.Block, e.B, false)
		if !e.Directed {
			as = p.resolve(e.Block, e.A, false)
		}
		if len(as) != 1 || len(bs) != 1 || !g.comparable(as[0], bs[0]) {
			continue
		}
		g.edges = append(g.edges, edge{as[0], bs[0]})
		if !e.Directed {
			g.edges = append(g.edges, edge{bs[0], as[0]})
		}
	}
	for i := range p.stmt.Predicates {
		pred := &p.stmt.Predicates[i]
		if at := g.coalesced(p.resolve(pred.Block, pred.Col, false)); at.table >= 0 {
			g.preds = append(g.preds, nodePredicate{at: at, pred: pred})
		}
	}
	return g
}

// coalesced picks the column that a name in several tables means: with USING the one that
// filters all others. A server refuses other such names as ambiguous.
func (g *graph) coalesced(found []node) node {
	for _, c := range found {
		reach := g.reach(c, true)
		all := true
		for _, o := range found {
			all = all && reach[o]
		}
		if all {
			return c
		}
	}
	return node{-1, -1}
}

// comparable tells whether equality of two columns means equality of their keys: the same
// type of key. Otherwise '05' = 5 would be true of two slots.
func (g *graph) comparable(a, b node) bool {
	x, why := keyTypeOf(&g.p.tables[a.table].info.Columns[a.column])
	if why != "" {
		return false
	}
	y, why := keyTypeOf(&g.p.tables[b.table].info.Columns[b.column])
	return why == "" && x.sameSlots(&y)
}

// reach gives the columns that filtering start filters too; backwards, those whose
// filtering filters start.
func (g *graph) reach(start node, forward bool) map[node]bool {
	seen := map[node]bool{start: true}
	for todo := []node{start}; len(todo) > 0; {
		at := todo[0]
		todo = todo[1:]
		for _, e := range g.edges {
			from, to := e.from, e.to
			if !forward {
				from, to = to, from
			}
			if from == at && !seen[to] {
				seen[to] = true
				todo = append(todo, to)
			}
		}
	}
	return seen
}

// key is the node of a sharded table's key.
func (g *graph) key(i int) node { return node{i, g.p.tables[i].key} }

// use finds the values of a table's key: of the predicates that filter it, directly or by
// equalities, the one that leads to the fewest shards.
func (g *graph) use(i int) *nodePredicate {
	sources := g.reach(g.key(i), false)
	var best *nodePredicate
	for j := range g.preds {
		np := &g.preds[j]
		if !sources[np.at] || !g.usable(np) {
			continue
		}
		if best == nil || g.rank(np) < g.rank(best) {
			best = np
		}
	}
	return best
}

// usable tells whether the values can be certain. NULL of the optional side of an outer
// join is also the absence of a row, which any shard has.
func (g *graph) usable(np *nodePredicate) bool {
	for _, v := range np.pred.Values {
		if v.Kind == query.ValNull && g.p.tables[np.at.table].ref.Nullable {
			return false
		}
		if v.Kind != query.ValLiteral {
			continue
		}
		lit, ok := g.p.in.Scan.Value(v.Hole, v.Pos)
		if !ok || lit.Kind == query.Decimal || lit.Kind == query.Hex {
			return false
		}
		if lit.Kind == query.Int && g.type_(np).text {
			return false
		}
	}
	return len(np.pred.Values) > 0
}

func (g *graph) type_(np *nodePredicate) *keyType {
	t := &g.p.tables[np.at.table]
	typ, _ := keyTypeOf(&t.info.Columns[np.at.column]) // comparable has seen the column, or it is the key
	return &typ
}

// rank orders predicates: one value before several; on the key itself before elsewhere.
func (g *graph) rank(np *nodePredicate) int {
	n := len(np.pred.Values)
	if np.pred.All {
		n = 1 << 20
	}
	if g.p.tables[np.at.table].key != np.at.column {
		return 2*n + 1
	}
	return 2 * n
}

// locate finds the key values of the statement's sharded tables. complete says that each
// of them has some; then the statement is right on the shard of these values, if that is
// one shard.
func (g *graph) locate() (uses []keyUse, complete bool) {
	complete = true
	known := map[*query.Predicate]bool{}
	for i := range g.p.tables {
		if !g.p.tables[i].sharded() {
			continue
		}
		np := g.use(i)
		if np == nil {
			complete = false
			continue
		}
		if known[np.pred] {
			continue
		}
		known[np.pred] = true
		uses = append(uses, keyUse{
			typ: *g.type_(np), table: g.p.tables[np.at.table].name(), values: np.pred.Values, all: np.pred.All,
			nullable: g.p.tables[np.at.table].ref.Nullable, stored: np.stored,
		})
	}
	return uses, complete
}

// local tells whether each shard's answer about its own rows is a part of the whole answer:
// every sharded table of the statement is tied to one table of the top block, whose rows
// each are on one shard, by equality of the keys. why says what is not.
func (g *graph) local() (anchor int, why *Refusal) {
	anchor = -1
	for i := range g.p.tables {
		t := &g.p.tables[i]
		if t.sharded() && t.ref.Block == 0 && !t.ref.Nullable {
			anchor = i
			break
		}
	}
	if anchor < 0 {
		t := g.p.first((*table).sharded)
		return -1, notOverShards("a statement whose sharded table "+t.name()+" is in a subquery or on the optional side of an outer join only", oneKey)
	}
	reach := g.reach(g.key(anchor), true)
	for i := range g.p.tables {
		t := &g.p.tables[i]
		if t.sharded() && !reach[g.key(i)] {
			return anchor, notOverShards("a join of "+g.p.tables[anchor].name()+" and "+t.name()+" that is not on their shard keys",
				"join them on "+g.p.tables[anchor].rule.ShardKey+" = "+t.rule.ShardKey+" or give the shard key a value")
		}
	}
	return anchor, nil
}

// isKeyOf tells whether a plain column of the top block is the key of the anchor or is
// equal to it in every row.
func (g *graph) isKeyOf(anchor int, c *query.ColumnRef) bool {
	if c == nil {
		return false
	}
	at := g.coalesced(g.p.resolve(0, *c, false))
	if at.table < 0 || g.p.tables[at.table].ref.Nullable {
		return false
	}
	return at == g.key(anchor) || g.reach(at, true)[g.key(anchor)] && g.reach(g.key(anchor), true)[at]
}

// shardKeys gives the schema.table of the sharded table that decides.
func (p *planner) decider() string {
	if t := p.first(func(t *table) bool { return t.sharded() && t.ref.Target }); t != nil {
		return t.name()
	}
	if t := p.first((*table).sharded); t != nil {
		return t.name()
	}
	if t := p.first(func(t *table) bool { return t.rule.Kind == shard.Reference }); t != nil {
		return t.name()
	}
	return ""
}
