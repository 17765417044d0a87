package query

import (
	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/opcode"
)

// maxFilters bounds the conditions of a statement that are kept.
const maxFilters = 256

// filters keeps the conditions of a WHERE, the tokens [lo, hi), that compare columns with
// values and nothing else. Those that a Predicate says completely are left out.
func (a *analysis) filters(n ast.ExprNode, b, lo, hi int) {
	parts := a.conjuncts(lo, hi)
	nodes := flatten(n, nil)
	if len(parts) != len(nodes) {
		return
	}
	r := restriction{analysis: a, b: b, j: a.joins[b]}
	for i, node := range nodes {
		from, to := parts[i][0], parts[i][1]
		if from >= to || !a.within(node, from, to) || len(a.st.Filters) == maxFilters {
			return
		}
		if r.isPredicate(node) {
			continue
		}
		if cols := a.matched(node); cols != nil {
			a.st.Matches = append(a.st.Matches, Filter{Block: b, Span: a.span(from, to), Cols: cols})
			continue
		}
		c := &comparisons{a: a}
		node.Accept(c)
		if !c.other && len(c.cols) > 0 {
			a.st.Filters = append(a.st.Filters, Filter{Block: b, Span: a.span(from, to), Cols: c.cols})
		}
	}
}

// matched gives the columns of a MATCH … AGAINST that says of each row by itself whether it
// has the words. (WITH QUERY EXPANSION looks at other rows for further words.)
func (a *analysis) matched(n ast.ExprNode) (cols []ColumnRef) {
	m, ok := unwrap(n).(*ast.MatchAgainst)
	if !ok || m.Modifier.WithQueryExpansion() {
		return nil
	}
	switch m.Against.(type) {
	case ast.ParamMarkerExpr, ast.ValueExpr:
	default:
		return nil
	}
	for _, c := range m.ColumnNames {
		cols = append(cols, columnRef(a.text, c))
	}
	return cols
}

// isPredicate tells whether all that a condition says is in Predicates.
func (a restriction) isPredicate(n ast.ExprNode) bool {
	switch n := unwrap(n).(type) {
	case *ast.BinaryOperationExpr:
		return (n.Op == opcode.EQ || n.Op == opcode.NullEQ) && len(a.implied(n)) > 0
	case *ast.PatternInExpr:
		return len(a.implied(n)) > 0
	}
	return false
}

// flatten gives the operands of a chain of AND, from left to right.
func flatten(n ast.ExprNode, out []ast.ExprNode) []ast.ExprNode {
	if e, ok := n.(*ast.BinaryOperationExpr); ok && e.Op == opcode.LogicAnd {
		return flatten(e.R, flatten(e.L, out))
	}
	return append(out, n)
}

// conjuncts cuts tokens at the ANDs that are of the outermost level.
func (t *tokens) conjuncts(lo, hi int) (out [][2]int) {
	from, cases, between := lo, 0, false
	for i := lo; i < hi; i = t.next(i) {
		switch {
		case t.is(i, "CASE"):
			cases++
		case t.is(i, "END") && cases > 0:
			cases--
		case cases > 0:
		case t.is(i, "BETWEEN"):
			between = true
		case t.is(i, "AND") && between:
			between = false
		case t.is(i, "AND"), t.isOp(i, "&&"):
			out = append(out, [2]int{from, i})
			from = i + 1
		case t.isAny(i, "OR", "XOR"), t.isOp(i, "||"): // binds weaker: the whole is one condition
			return [][2]int{{lo, hi}}
		}
	}
	return append(out, [2]int{from, hi})
}

// comparisons looks at a condition: which columns it names, and whether there is anything
// but comparisons of them with values. Functions are something else: they may fail for a
// row that another condition leaves out.
type comparisons struct {
	a     *analysis
	cols  []ColumnRef
	other bool
}

func (c *comparisons) Enter(n ast.Node) (ast.Node, bool) {
	switch n := n.(type) {
	case *ast.ColumnNameExpr:
		c.cols = append(c.cols, columnRef(c.a.text, n.Name))
		return n, true
	case *ast.ParenthesesExpr, *ast.BetweenExpr, *ast.IsNullExpr, *ast.IsTruthExpr:
	case *ast.PatternInExpr:
		c.other = c.other || n.Sel != nil
	case *ast.PatternLikeOrIlikeExpr:
		c.other = c.other || !n.IsLike
	case *ast.UnaryOperationExpr:
		c.other = c.other || n.Op != opcode.Not && n.Op != opcode.Not2 && n.Op != opcode.Minus && n.Op != opcode.Plus
	case *ast.BinaryOperationExpr:
		switch n.Op {
		case opcode.LogicAnd, opcode.LogicOr, opcode.EQ, opcode.NE, opcode.LT, opcode.LE, opcode.GT, opcode.GE, opcode.NullEQ:
		default:
			c.other = true
		}
	case ast.ParamMarkerExpr:
	case ast.ValueExpr:
	default:
		c.other = true
	}
	return n, c.other
}

func (c *comparisons) Leave(n ast.Node) (ast.Node, bool) { return n, true }
