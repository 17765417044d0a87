package query

import (
	"bytes"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
)

// equalFold compares names of columns and aliases, which have no case.
func equalFold(a, b string) bool { return strings.EqualFold(a, b) }

// orderReader reads GROUP BY, ORDER BY and LIMIT of one block.
type orderReader struct {
	*analysis
	b  int
	sc *scope
}

// tail analyses ORDER BY and LIMIT.
func (a orderReader) tail(order *ast.OrderByClause, limit *ast.Limit, c *clauses) {
	a.st.Blocks[a.b].OrderEnd = a.endOf(c.at[clLimit])
	if order != nil {
		a.orderBy(order, c.at[clOrder], c.at[clLimit])
	}
	if limit != nil {
		a.limit(limit, c.at[clLimit], c.at[clTail])
	}
}

func (a orderReader) groupBy(n *ast.GroupByClause, c *clauses) {
	lo, hi := c.body(clGroup, 2)
	if a.seq(hi-2, "WITH", "ROLLUP") {
		a.st.Blocks[a.b].Rollup = true
		hi -= 2
	} else if a.is(lo, "ROLLUP") && a.kind(lo+1) == tokOpen && int(a.pair[lo+1]) == hi-1 && n.Rollup {
		lo, hi = lo+2, hi-1
		a.st.Blocks[a.b].Rollup = true
	}
	if n.Rollup != a.st.Blocks[a.b].Rollup {
		a.fail("GROUP BY is not understood")
	}
	a.st.Blocks[a.b].GroupBy = a.byItems(n.Items, lo, hi, false)
}

// orderBy analyses "ORDER BY …", the tokens [lo, hi).
func (a orderReader) orderBy(n *ast.OrderByClause, lo, hi int) {
	if !a.seq(lo, "ORDER", "BY") {
		a.fail("ORDER BY is not understood")
		return
	}
	items := a.byItems(n.Items, lo+2, hi, true)
	a.st.Blocks[a.b].OrderBy, a.st.Blocks[a.b].OrderEnd = items, a.endOf(hi)
}

func (a orderReader) byItems(nodes []*ast.ByItem, lo, hi int, order bool) []OrderItem {
	parts := a.list(lo, hi)
	if len(parts) != len(nodes) {
		a.fail("ORDER BY or GROUP BY is not understood")
		return nil
	}
	items := make([]OrderItem, 0, len(nodes))
	for i, n := range nodes {
		from, to := parts[i][0], parts[i][1]
		o := OrderItem{Desc: n.Desc, Item: -1}
		if a.isAny(to-1, "ASC", "DESC") {
			if a.is(to-1, "DESC") != n.Desc {
				a.fail("ORDER BY is not understood")
			}
			to--
			o.Directed = true
		} else if n.Desc {
			a.fail("ORDER BY is not understood")
		}
		if from >= to {
			a.fail("ORDER BY or GROUP BY is not understood")
			return nil
		}
		o.Span = a.span(from, to)
		a.byItem(&o, n.Expr, from, to, order)
		items = append(items, o)
	}
	return items
}

func (a orderReader) byItem(o *OrderItem, n ast.ExprNode, from, to int, order bool) {
	blk := &a.st.Blocks[a.b]
	if p, ok := n.(*ast.PositionExpr); ok {
		if to != from+1 {
			a.fail("ORDER BY or GROUP BY is not understood")
			return
		}
		v := a.literal(from)
		o.Literal = &v
		if p.P == nil {
			o.Position = p.N
			a.st.TextBound = true
			o.Item = itemAt(blk.Items, p.N)
		}
		return
	}
	if !a.within(n, from, to) {
		a.fail("ORDER BY or GROUP BY is not understood")
		return
	}
	if order && hasAggregate(n) {
		blk.Aggregate = true
	}
	if v := a.simple(from, to); v.Kind == ValLiteral {
		o.Literal = &v
	}
	if col, ok := n.(*ast.ColumnNameExpr); ok {
		ref := columnRef(a.text, col.Name)
		o.Col = &ref
		o.Item, o.ByAlias = a.itemOfColumn(ref)
	} else {
		o.Item = a.itemOfText(blk.Items, from, to)
	}
	a.expr(n, a.b, a.sc)
}

// itemAt gives the item of ORDER BY n, unless a star before it hides the count.
func itemAt(items []Item, n int) int {
	if n < 1 || n > len(items) {
		return -1
	}
	for _, it := range items[:n] {
		if it.Star {
			return -1
		}
	}
	return n - 1
}

// itemOfColumn finds the select item that a plain column names: by alias, else an item
// that is the same column. Two candidates are none.
func (a orderReader) itemOfColumn(ref ColumnRef) (item int, byAlias bool) {
	items := a.st.Blocks[a.b].Items
	if ref.Table == "" {
		found := -1
		for i, it := range items {
			if it.Alias != "" && equalFold(it.Alias, ref.Column) {
				if found >= 0 {
					return -1, false
				}
				found = i
			}
		}
		if found >= 0 {
			return found, true
		}
	}
	found := -1
	for i, it := range items {
		if it.Col == nil || !equalFold(it.Col.Column, ref.Column) || !a.sameTable(ref, *it.Col) {
			continue
		}
		if found >= 0 {
			return -1, false
		}
		found = i
	}
	return found, false
}

// sameTable says whether two mentions of a column name, perhaps one without its table, are
// one column. With USING or NATURAL the name alone is another column than those of the
// tables.
func (a orderReader) sameTable(x, y ColumnRef) bool {
	if x.Table == y.Table && x.Schema == y.Schema {
		return true
	}
	if x.Table != "" && y.Table != "" {
		return x.Table == y.Table && (x.Schema == "" || y.Schema == "")
	}
	j := a.joins[a.b]
	return j != nil && !j.coalesces
}

// itemOfText finds the item with the same text. Texts with literals can be unequal in
// another statement of the fingerprint, those with variables in themselves.
func (a orderReader) itemOfText(items []Item, from, to int) int {
	for i := from; i < to; i++ {
		if k := a.toks[i].kind; k.isLiteral() || k == tokUserVar || k == tokSysVar || k == tokVerbatim {
			return -1
		}
	}
	found := -1
	for n, it := range items {
		if it.Star || !a.sameTokens(from, to, a.at(int(it.Span.Start)), it.Span.End) {
			continue
		}
		if found >= 0 {
			return -1
		}
		found = n
	}
	return found
}

func (a orderReader) sameTokens(from, to, i int, end int32) bool {
	if i < 0 || i+to-from > len(a.toks) || a.toks[i+to-from-1].end != end {
		return false
	}
	for ; from < to; from, i = from+1, i+1 {
		x, y := a.bytes(from), a.bytes(i)
		if a.toks[from].kind != a.toks[i].kind {
			return false
		}
		if a.toks[from].kind == tokWord && !a.toks[from].name && !a.toks[i].name {
			if !bytes.EqualFold(x, y) {
				return false
			}
		} else if !bytes.Equal(x, y) {
			return false
		}
	}
	return true
}

// limit analyses "LIMIT …", the tokens [lo, hi).
func (a orderReader) limit(n *ast.Limit, lo, hi int) {
	l := Limit{Has: true, Span: a.span(lo, hi), Offset: Value{Kind: ValOther}}
	switch {
	case !a.is(lo, "LIMIT"):
		a.fail("LIMIT is not understood")
	case hi == lo+2:
		l.Count = a.limitValue(lo + 1)
	case hi == lo+4 && a.kind(lo+2) == tokComma:
		l.HasOffset, l.Offset, l.Count = true, a.limitValue(lo+1), a.limitValue(lo+3)
	case hi == lo+4 && a.is(lo+2, "OFFSET"):
		l.HasOffset, l.Count, l.Offset = true, a.limitValue(lo+1), a.limitValue(lo+3)
	default:
		a.fail("LIMIT is not understood")
	}
	if l.HasOffset != (n.Offset != nil) || n.Count == nil {
		a.fail("LIMIT is not understood")
	}
	a.st.Blocks[a.b].Limit = l
}

func (a orderReader) limitValue(i int) Value {
	if k := a.kind(i); k != tokInt && k != tokParam {
		a.fail("LIMIT is not understood")
	}
	return a.literal(i)
}
