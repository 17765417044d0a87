package query

import (
	"github.com/pingcap/tidb/pkg/parser/ast"
)

// dmlReader reads UPDATE and DELETE.
type dmlReader struct{ *analysis }

// lead skips WITH and the statement's verb with its modifiers, and gives the next token.
func (a dmlReader) lead(w *ast.WithClause, verb string, modifiers ...string) (int, *scope) {
	lo, sc := a.with(w, a.lo, a.hi, -1, nil)
	if !a.is(lo, verb) {
		a.fail("%s does not begin where it should", verb)
		return lo, sc
	}
	lo++
	for a.isAny(lo, modifiers...) {
		lo++
	}
	return lo, sc
}

func (a dmlReader) update(n *ast.UpdateStmt) {
	a.st.Kind = Update
	lo, sc := a.lead(n.With, "UPDATE", "LOW_PRIORITY", "IGNORE")
	b := a.block(-1)
	set := a.find(lo, a.hi, "SET")
	if set == a.hi {
		a.fail("UPDATE is not understood")
		return
	}
	c, ok := cutClauses(a.tokens, set, a.hi, false)
	if !ok || c.has[clFrom] || c.has[clGroup] || c.has[clHaving] || c.has[clTail] ||
		c.has[clWhere] != (n.Where != nil) || c.has[clOrder] != (n.Order != nil) || c.has[clLimit] != (n.Limit != nil) {
		a.fail("clauses of UPDATE are not understood")
		return
	}
	a.from(n.TableRefs.TableRefs, b, lo, set, sc)
	a.st.Blocks[b].ItemsEnd = a.endOf(c.at[clFrom])
	a.st.Sets = a.assignments(n.List, set+1, c.at[clFrom], b, sc)
	a.where(n.Where, b, &c, sc)
	orderReader{a.analysis, b, sc}.tail(n.Order, n.Limit, &c)
	if a.why != "" {
		return
	}
	a.st.MultiTable = len(a.joins[b].leaves) > 1
	a.updateTargets(b)
}

// updateTargets marks the tables that SET can write: the named ones; every table of the
// block when a column without qualifier leaves it open.
func (a dmlReader) updateTargets(b int) {
	j := a.joins[b]
	for _, s := range a.st.Sets {
		k := -1
		if s.Col.Table != "" {
			if k = j.leafOf(s.Col); k < 0 {
				a.fail("table of an assigned column is not in the statement")
				return
			}
		}
		for i, l := range j.leaves {
			if l.ref >= 0 && (k < 0 || i == k) {
				a.st.Tables[l.ref].Target = true
			}
		}
	}
}

// assignments maps "col = expr, …", the tokens [lo, hi).
func (a *analysis) assignments(list []*ast.Assignment, lo, hi, b int, sc *scope) []Assignment {
	parts := a.list(lo, hi)
	if len(parts) != len(list) {
		a.fail("assignments are not understood")
		return nil
	}
	out := make([]Assignment, 0, len(list))
	for i, n := range list {
		from, to := parts[i][0], parts[i][1]
		eq := from
		for eq < to && isNamePart(a.tokens, eq) {
			eq++
		}
		if !a.isOp(eq, "=") && !a.isOp(eq, ":=") || eq+1 >= to || eq == from ||
			a.name(eq-1) != a.ident(n.Column.Name) || !a.within(n.Expr, eq+1, to) {
			a.fail("assignment is not understood")
			return nil
		}
		s := Assignment{Name: a.ident(n.Column.Name), Col: columnRef(a.text, n.Column), Value: a.value(n.Expr), Text: a.span(eq+1, to)}
		s.Default = s.Value.Kind == ValDefault
		out = append(out, s)
		a.expr(n.Expr, b, sc)
	}
	return out
}

func isNamePart(t *tokens, i int) bool { return t.isName(i) || t.kind(i) == tokDot }

func (a dmlReader) delete(n *ast.DeleteStmt) {
	a.st.Kind = Delete
	lo, sc := a.lead(n.With, "DELETE", "LOW_PRIORITY", "QUICK", "IGNORE")
	if a.is(lo, "HISTORY") && a.is(lo+1, "FROM") {
		a.fail("DELETE HISTORY")
		return
	}
	b := a.block(-1)
	from, end, targets := a.deleteParts(n, lo)
	if a.why != "" {
		return
	}
	c, ok := cutClauses(a.tokens, end, a.hi, false)
	if !ok || c.has[clFrom] || c.has[clGroup] || c.has[clHaving] || c.has[clTail] ||
		c.has[clWhere] != (n.Where != nil) || c.has[clOrder] != (n.Order != nil) || c.has[clLimit] != (n.Limit != nil) {
		a.fail("clauses of DELETE are not understood")
		return
	}
	a.from(n.TableRefs.TableRefs, b, from, end, sc)
	a.st.Blocks[b].ItemsEnd = a.endOf(end)
	a.where(n.Where, b, &c, sc)
	orderReader{a.analysis, b, sc}.tail(n.Order, n.Limit, &c)
	if a.why != "" {
		return
	}
	a.st.MultiTable = n.IsMultiTable
	a.deleteTargets(n, b, targets)
}

// deleteParts finds the table references [from, end) and the list of tables to delete from.
func (a dmlReader) deleteParts(n *ast.DeleteStmt, lo int) (from, end int, targets [2]int) {
	stop := a.find(lo, a.hi, "WHERE", "ORDER", "LIMIT")
	for stop < a.hi && isIndexHint(a.tokens, stop) {
		stop = a.find(stop+1, a.hi, "WHERE", "ORDER", "LIMIT")
	}
	fromAt := a.find(lo, stop, "FROM")
	using := a.find(lo, stop, "USING")
	switch {
	case fromAt == stop:
	case !n.IsMultiTable && fromAt == lo:
		return lo + 1, stop, targets
	case n.IsMultiTable && n.BeforeFrom && fromAt > lo:
		return fromAt + 1, stop, [2]int{lo, fromAt}
	case n.IsMultiTable && !n.BeforeFrom && fromAt == lo && using < stop:
		return using + 1, stop, [2]int{lo + 1, using}
	}
	a.fail("DELETE is not understood")
	return lo, lo, targets
}

func (a dmlReader) deleteTargets(n *ast.DeleteStmt, b int, at [2]int) {
	j := a.joins[b]
	if !n.IsMultiTable {
		if len(j.leaves) != 1 || j.leaves[0].ref < 0 {
			a.fail("DELETE is not understood")
			return
		}
		a.st.Tables[j.leaves[0].ref].Target = true
		return
	}
	parts := a.list(at[0], at[1])
	if len(parts) != len(n.Tables.Tables) {
		a.fail("DELETE is not understood")
		return
	}
	for i, t := range n.Tables.Tables {
		end := parts[i][1]
		if end-parts[i][0] > 2 && a.kind(end-2) == tokDot && a.isOp(end-1, "*") {
			end -= 2 // t.*
		}
		next, ok := tableName(a.text, t, parts[i][0], end)
		k := j.leafOf(ColumnRef{Schema: a.ident(t.Schema), Table: a.ident(t.Name)})
		if !ok || next != end || k < 0 || j.leaves[k].ref < 0 {
			a.fail("table to delete from is not found in the statement")
			return
		}
		a.st.Tables[j.leaves[k].ref].Target = true
	}
}
