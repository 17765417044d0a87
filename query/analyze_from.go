package query

import (
	"github.com/pingcap/tidb/pkg/parser/ast"
)

// leaf is a table or derived table of a FROM clause, by the name that columns call it.
type leaf struct {
	schema, name string
	ref          int // index into Statement.Tables; -1 for a derived table or a common table expression
	nullable     bool
}

// join is what is known of the tables of a block.
type join struct {
	leaves    []leaf
	coalesces bool // USING or NATURAL
	conds     []cond
}

// cond is an ON or USING of a join: the leaves [l, m) are its left side, [m, r) the right.
type cond struct {
	n       *ast.Join
	l, m, r int
	using   []string
}

// tableReader reads the table references of one block.
type tableReader struct {
	*analysis
	b  int
	sc *scope
	j  *join
}

// from analyses table references, the tokens [lo, hi).
func (a *analysis) from(n *ast.Join, b, lo, hi int, sc *scope) {
	a.st.Blocks[b].From = Span{a.span(lo, hi).Start, a.endOf(hi)}
	t := a.tables(b, sc)
	t.joinTree(n, lo, hi, false)
	if a.why != "" {
		return
	}
	for _, c := range t.j.conds {
		t.joinCondition(c)
	}
}

// tables begins the table references of a block.
func (a *analysis) tables(b int, sc *scope) tableReader {
	if a.joins == nil {
		a.joins = map[int]*join{}
	}
	a.joins[b] = &join{}
	return tableReader{a, b, sc, a.joins[b]}
}

// joinTree walks a tree of joins that is exactly the tokens [lo, hi), without the
// parentheses around it.
func (a tableReader) joinTree(n *ast.Join, lo, hi int, nullable bool) {
	parts := factors(a.tokens, lo, hi)
	a.joinNode(n, &parts, nullable)
	if len(parts) != 0 {
		a.fail("table references are not understood")
	}
}

// factors cuts table references at their joins: each part begins with a table, a derived
// table or a parenthesis, and may end with ON and USING of the join before it.
func factors(a *tokens, lo, hi int) [][2]int {
	var out [][2]int
	from := lo
	for i := lo; i < hi; i = a.next(i) {
		if a.kind(i) != tokComma && !a.isAny(i, "JOIN", "STRAIGHT_JOIN") || isIndexHint(a, i) || a.is(i-1, "FOR") {
			continue
		}
		end := i
		for end > from && a.isAny(end-1, "INNER", "CROSS", "LEFT", "RIGHT", "OUTER", "NATURAL") {
			end--
		}
		out = append(out, [2]int{from, end})
		from = i + 1
	}
	return append(out, [2]int{from, hi})
}

// joinNode takes the factors of a node off parts, from left to right.
func (a tableReader) joinNode(n ast.ResultSetNode, parts *[][2]int, nullable bool) {
	if a.why != "" {
		return
	}
	if n, ok := n.(*ast.Join); ok && (!n.ExplicitParens || n.Right == nil && !n.ExplicitParens) {
		if n.Right == nil {
			a.joinNode(n.Left, parts, nullable)
			return
		}
		l := len(a.j.leaves)
		a.joinNode(n.Left, parts, nullable || n.Tp == ast.RightJoin)
		m := len(a.j.leaves)
		a.joinNode(n.Right, parts, nullable || n.Tp == ast.LeftJoin)
		a.j.conds = append(a.j.conds, cond{n, l, m, len(a.j.leaves), a.idents(n.Using)})
		a.j.coalesces = a.j.coalesces || n.NaturalJoin || len(n.Using) > 0
		return
	}
	if len(*parts) == 0 {
		a.fail("table references are not understood")
		return
	}
	p := (*parts)[0]
	*parts = (*parts)[1:]
	a.factor(n, p[0], p[1], nullable)
}

// factor is one table, derived table or join in parentheses at lo.
func (a tableReader) factor(n ast.ResultSetNode, lo, hi int, nullable bool) {
	switch n := n.(type) {
	case *ast.Join:
		if a.kind(lo) != tokOpen {
			a.fail("table references are not understood")
			return
		}
		inner := *n
		inner.ExplicitParens = false
		a.joinTree(&inner, lo+1, int(a.pair[lo]), nullable)
	case *ast.TableSource:
		switch src := n.Source.(type) {
		case *ast.TableName:
			a.table(src, a.ident(n.AsName), lo, hi, nullable)
		case *ast.Join:
			a.factor(src, lo, hi, nullable)
		default:
			a.derived(n, lo, nullable)
		}
	case *ast.TableName:
		a.table(n, "", lo, hi, nullable)
	default:
		a.fail("table reference of an unknown kind")
	}
}

func (a tableReader) derived(n *ast.TableSource, lo int, nullable bool) {
	if a.is(lo, "LATERAL") {
		lo++
	}
	if a.kind(lo) != tokOpen {
		a.fail("derived table is not where it should be")
		return
	}
	a.st.Subquery = true
	a.query(n.Source, lo+1, int(a.pair[lo]), a.b, a.sc)
	a.j.leaves = append(a.j.leaves, leaf{name: a.ident(n.AsName), ref: -1, nullable: nullable})
}

// table maps a table name of the tree to its tokens, with the alias that may follow.
func (a tableReader) table(n *ast.TableName, alias string, lo, hi int, nullable bool) {
	at, ok := tableName(a.text, n, lo, hi)
	if !ok {
		a.fail("table %s is not where it should be", a.ident(n.Name))
		return
	}
	if n.AsOf != nil || n.TableSample != nil {
		a.fail("table reference of an unknown kind")
		return
	}
	ref := TableRef{Schema: a.ident(n.Schema), Name: a.ident(n.Name), Alias: alias, Block: a.b, Span: a.span(lo, at), Nullable: nullable}
	if a.is(at, "PARTITION") && a.kind(at+1) == tokOpen {
		at = a.next(at + 1)
	}
	if alias != "" {
		if a.is(at, "AS") {
			at++
		}
		if got, ok := aliasAt(a.text, at, alias); !ok || at >= hi {
			a.fail("alias of table %s is not where it should be", a.ident(n.Name))
			return
		} else {
			ref.Alias = got
		}
	}
	l := leaf{schema: ref.Schema, name: ref.Name, ref: len(a.st.Tables), nullable: nullable}
	if ref.Alias != "" {
		l.schema, l.name = "", ref.Alias
	}
	if ref.Schema == "" {
		cte, sure := a.sc.isCTE(ref.Name)
		if !sure {
			a.fail("%s may be a common table expression or a table", ref.Name)
			return
		}
		if cte >= 0 {
			l.ref = -1
			a.st.CTERefs = append(a.st.CTERefs, CTERef{CTE: cte, Span: ref.Span, Alias: ref.Alias})
			a.j.leaves = append(a.j.leaves, l)
			return
		}
	}
	a.j.leaves = append(a.j.leaves, l)
	a.st.Tables = append(a.st.Tables, ref)
}

// tableName holds [schema.]name at lo against the tree and gives the token after it, hi at
// most.
func tableName(a *text, n *ast.TableName, lo, hi int) (next int, ok bool) {
	if n.Schema.O != "" {
		if !a.isName(lo) || a.name(lo) != a.ident(n.Schema) || a.kind(lo+1) != tokDot {
			return lo, false
		}
		lo += 2
	}
	if !a.isName(lo) || a.name(lo) != a.ident(n.Name) || n.Name.O == "" || lo >= hi || lo+1 < hi && a.kind(lo+1) == tokDot {
		return lo, false
	}
	return lo + 1, true
}

// leafOf finds the table that a qualified column names, -1 when it is none of the block.
// Names of tables have case on some servers: the same letters come first, and two that
// differ in case alone are none.
func (j *join) leafOf(c ColumnRef) int {
	if j == nil {
		return -1
	}
	found := -1
	for i, l := range j.leaves {
		if c.Schema != "" && l.schema != "" && l.schema != c.Schema || !equalFold(l.name, c.Table) {
			continue
		}
		if l.name == c.Table {
			return i
		}
		if found >= 0 {
			return -1
		}
		found = i
	}
	return found
}

// mayOwn says whether a column can be one of a table of the block. Without its table
// it can.
func (j *join) mayOwn(c ColumnRef) bool {
	if c.Table == "" {
		return true
	}
	i := j.leafOf(c)
	return i >= 0 && j.leaves[i].ref >= 0
}

// isDerived says whether a column belongs to a derived table or common table expression.
func (j *join) isDerived(c ColumnRef) bool {
	if c.Table == "" {
		return false
	}
	i := j.leafOf(c)
	return i >= 0 && j.leaves[i].ref < 0
}

// joinCondition analyses ON and USING.
func (a tableReader) joinCondition(c cond) {
	if c.n.On != nil {
		a.expr(c.n.On.Expr, a.b, a.sc)
		side := &outerSide{}
		switch c.n.Tp {
		case ast.LeftJoin:
			side.lo, side.hi = c.m, c.r
		case ast.RightJoin:
			side.lo, side.hi = c.l, c.m
		default:
			side = nil
		}
		a.restrict(c.n.On.Expr, a.b, side)
	}
	for _, u := range c.using {
		x, okx := a.j.coalesced(c.l, c.m, u, len(a.j.conds))
		y, oky := a.j.coalesced(c.m, c.r, u, len(a.j.conds))
		if !okx || !oky {
			continue
		}
		if a.j.isDerived(x) || a.j.isDerived(y) {
			continue
		}
		e := Equality{Block: a.b, A: x, B: y}
		switch c.n.Tp {
		case ast.LeftJoin:
			e.Directed = true
		case ast.RightJoin:
			e.A, e.B, e.Directed = y, x, true
		}
		a.st.Equalities = append(a.st.Equalities, e)
	}
}

// coalesced gives the column that a name of USING means among the leaves [lo, hi): the
// only one's, or what an earlier USING of the same name has made of them.
func (j *join) coalesced(lo, hi int, name string, depth int) (ColumnRef, bool) {
	if hi == lo+1 {
		l := j.leaves[lo]
		return ColumnRef{Schema: l.schema, Table: l.name, Column: name}, l.name != ""
	}
	if depth == 0 {
		return ColumnRef{}, false
	}
	for _, c := range j.conds {
		if c.l != lo || c.r != hi {
			continue
		}
		for _, u := range c.using {
			if !equalFold(u, name) {
				continue
			}
			if c.n.Tp == ast.RightJoin {
				return j.coalesced(c.m, c.r, name, depth-1)
			}
			return j.coalesced(c.l, c.m, name, depth-1)
		}
	}
	return ColumnRef{}, false
}
