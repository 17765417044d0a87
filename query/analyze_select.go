package query

import (
	"github.com/pingcap/tidb/pkg/parser/ast"
)

// possibleTables of common table expressions that a query sees.
type scope struct {
	outer *scope
	names []string
	first int      // index of names[0] in Statement.CTEs; the others follow
	later []string // of a RECURSIVE clause, defined further down: servers differ about them
}

// isCTE gives the common table expression that an unqualified table name is, -1 when it
// is none; sure is false when servers could see it in two ways.
func (s *scope) isCTE(name string) (cte int, sure bool) {
	for ; s != nil; s = s.outer {
		for i, n := range s.names {
			if n == name {
				return s.first + i, true
			}
			if equalFold(n, name) {
				return s.first + i, false
			}
		}
		for _, n := range s.later {
			if equalFold(n, name) {
				return -1, false
			}
		}
	}
	return -1, true
}

// query analyses a query expression that is exactly the tokens [lo, hi).
func (a *analysis) query(n ast.Node, lo, hi, parent int, sc *scope) {
	if a.why != "" {
		return
	}
	for a.kind(lo) == tokOpen && int(a.pair[lo]) == hi-1 {
		lo, hi = lo+1, hi-1
	}
	switch n := n.(type) {
	case *ast.SelectStmt:
		lo, sc = a.with(n.With, lo, hi, parent, sc)
		for n.With != nil && a.kind(lo) == tokOpen && int(a.pair[lo]) == hi-1 {
			lo, hi = lo+1, hi-1
		}
		a.selectBlock(n, lo, hi, parent, sc)
	case *ast.SetOprStmt:
		lo, sc = a.with(n.With, lo, hi, parent, sc)
		a.union(n.SelectList.Selects, n.OrderBy, n.Limit, lo, hi, parent, sc)
	case *ast.SetOprSelectList:
		lo, sc = a.with(n.With, lo, hi, parent, sc)
		a.union(n.Selects, n.OrderBy, n.Limit, lo, hi, parent, sc)
	default:
		a.fail("query expression of an unknown kind")
	}
}

// union analyses the operands of a set operation, which has a block of its own.
func (a *analysis) union(operands []ast.Node, order *ast.OrderByClause, limit *ast.Limit, lo, hi, parent int, sc *scope) {
	a.st.Union = a.st.Union || len(operands) > 1
	a.st.Subquery = a.st.Subquery || len(operands) == 1 // (SELECT …) LIMIT 1
	b := a.block(parent)
	var parts [][2]int
	from := lo
	for i := lo; i < hi; i = a.next(i) {
		if a.isAny(i, "UNION", "EXCEPT", "INTERSECT", "MINUS") {
			parts = append(parts, [2]int{from, i})
			for a.isAny(i+1, "ALL", "DISTINCT") {
				i++
			}
			from = i + 1
		}
	}
	tail := hi
	if order != nil {
		tail = a.find(from, tail, "ORDER")
	}
	if limit != nil {
		tail = min(tail, a.find(from, hi, "LIMIT"))
	}
	parts = append(parts, [2]int{from, tail})
	if len(parts) != len(operands) || (order != nil || limit != nil) != (tail < hi) {
		a.fail("set operation is not understood")
		return
	}
	for i, n := range operands {
		a.query(n, parts[i][0], parts[i][1], b, sc)
	}
	at := tail
	a.st.Blocks[b].ItemsEnd, a.st.Blocks[b].OrderEnd = a.endOf(at), a.endOf(at)
	if order != nil {
		end := a.find(at, hi, "LIMIT")
		orderReader{a, b, sc}.orderBy(order, at, end)
		at = end
	}
	if limit != nil {
		orderReader{a, b, sc}.limit(limit, at, hi)
	}
}

func (a *analysis) addBlock(parent int) int {
	a.st.Blocks = append(a.st.Blocks, Block{Parent: parent})
	return len(a.st.Blocks) - 1
}

// with analyses a WITH clause at lo and gives where the query itself begins.
func (a *analysis) with(w *ast.WithClause, lo, hi, parent int, sc *scope) (int, *scope) {
	if w == nil {
		return lo, sc
	}
	a.st.CTE = true
	if !a.is(lo, "WITH") {
		a.fail("WITH clause is not where it should be")
		return lo, sc
	}
	i := lo + 1
	if w.IsRecursive {
		i++
	}
	own := &scope{outer: sc, first: len(a.st.CTEs)}
	var names []string
	for _, c := range w.CTEs {
		names = append(names, a.ident(c.Name))
		a.st.CTEs = append(a.st.CTEs, CTE{Name: a.ident(c.Name), Nested: parent > 0 || parent == 0 && a.st.Kind != Insert && a.st.Kind != Replace})
	}
	for k, c := range w.CTEs {
		if a.kind(i) == tokComma && k > 0 {
			i++
		}
		if !a.isName(i) || a.name(i) != names[k] {
			a.fail("common table expression is not where it should be")
			return lo, sc
		}
		at := i
		i++
		if a.kind(i) == tokOpen {
			i = a.next(i)
		}
		if !a.is(i, "AS") || a.kind(i+1) != tokOpen {
			a.fail("common table expression is not where it should be")
			return lo, sc
		}
		a.st.CTEs[own.first+k].Named, a.st.CTEs[own.first+k].Span = a.span(at, at+1), a.span(at, a.next(i+1))
		inner := &scope{outer: sc, names: names[:k], first: own.first}
		if w.IsRecursive {
			inner.names, inner.later = names[:k+1], names[k+1:]
		}
		a.query(c.Query.Query, i+2, int(a.pair[i+1]), a.withParent(parent), inner)
		i = a.next(i + 1)
	}
	own.names = names
	if i > hi {
		a.fail("WITH clause is not understood")
		return lo, sc
	}
	return i, own
}

// withParent: Blocks[0] is the top, and the queries of its WITH come before it in the text.
func (a *analysis) withParent(parent int) int {
	if parent < 0 && len(a.st.Blocks) == 0 {
		a.reserved = true
		a.addBlock(-1)
	}
	return max(parent, 0)
}

// block gives the block of a query: the one that withParent has set aside, or a new one.
func (a *analysis) block(parent int) int {
	if parent < 0 && a.reserved {
		a.reserved = false
		return 0
	}
	return a.addBlock(parent)
}
