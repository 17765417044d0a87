package query

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
)

// blockReader reads one SELECT, VALUES or TABLE without set operations.
type blockReader struct {
	*analysis
	b  int
	sc *scope
	c  clauses
}

// selectBlock analyses the tokens [lo, hi).
func (a *analysis) selectBlock(n *ast.SelectStmt, lo, hi, parent int, sc *scope) {
	r := blockReader{analysis: a, b: a.block(parent), sc: sc}
	ok := false
	r.c, ok = cutClauses(a.tokens, lo, hi, len(n.WindowSpecs) > 0)
	switch {
	case ok && n.Kind == ast.SelectStmtKindSelect && a.is(lo, "SELECT") && r.agrees(n):
		r.selects(n, lo)
	case ok && n.Kind == ast.SelectStmtKindTable && a.is(lo, "TABLE") && n.From != nil && r.hasTailOnly(n):
		a.st.TableForm = true
		a.st.Blocks[r.b].Items = []Item{{Span: a.span(lo+1, r.c.at[clFrom]), Star: true}}
		a.from(n.From.TableRefs, r.b, lo+1, r.c.at[clFrom], sc)
	case ok && n.Kind == ast.SelectStmtKindValues && r.hasTailOnly(n):
		for _, row := range n.Lists {
			for _, v := range row.Values {
				a.expr(v, r.b, sc)
			}
		}
	default:
		a.fail("clauses of the query are not understood")
		return
	}
	a.st.Blocks[r.b].ItemsEnd = a.endOf(r.c.at[clFrom])
	orderReader{a, r.b, sc}.tail(n.OrderBy, n.Limit, &r.c)
}

// lockText gives the locking clause among the tokens of a query's end, without what is
// locked, "" for none that is understood.
func (a *blockReader) lockText(lo, hi int) string {
	for i := lo; i < hi; i++ {
		text := ""
		switch {
		case a.seq(i, "FOR", "UPDATE"):
			text = "FOR UPDATE"
		case a.seq(i, "FOR", "SHARE"):
			text = "FOR SHARE"
		case a.seq(i, "LOCK", "IN", "SHARE", "MODE"):
			return string(a.span(i, locks{a.tokens}.waitEnd(i+4)).Of(a.sql))
		default:
			continue
		}
		for j := i + 2; j < hi; j++ {
			switch {
			case a.is(j, "NOWAIT"):
				return text + " NOWAIT"
			case a.seq(j, "SKIP", "LOCKED"):
				return text + " SKIP LOCKED"
			}
		}
		return text
	}
	return ""
}

// moreLocks gives the locking clauses behind the first FOR UPDATE or FOR SHARE.
func (a *blockReader) moreLocks(lo, hi int) (more []Lock) {
	l := locks{a.tokens}
	for i, first := lo, true; i < hi; {
		if !l.isLock(i) {
			i++
			continue
		}
		end := l.lockEnd(i)
		if c := (Lock{Text: string(a.span(i, i+2).Of(a.sql))}); !first {
			for j := i + 2; j < end; j++ {
				switch {
				case a.isAny(j, "NOWAIT", "SKIP"):
					c.Text += " " + string(a.span(j, end).Of(a.sql))
					j = end
				case !a.is(j, "OF") && a.isName(j) && a.kind(j+1) != tokDot:
					c.Of = append(c.Of, a.name(j))
				}
			}
			more = append(more, c)
		}
		i, first = end, false
	}
	return more
}

// selects reads the clauses of a SELECT.
func (a *blockReader) selects(n *ast.SelectStmt, lo int) {
	blk := &a.st.Blocks[a.b]
	blk.Distinct = n.Distinct
	blk.Locking = n.LockInfo != nil && n.LockInfo.LockType != ast.SelectLockNone
	if lo, hi := a.c.body(clTail, 0); blk.Locking && len(n.LockInfo.Tables) == 0 && n.SelectIntoOpt == nil && a.isAny(lo, "FOR", "LOCK") && len(a.moreLocks(lo, hi)) == 0 {
		blk.Lock = a.span(lo, hi)
	} else if blk.Locking {
		blk.LockText, blk.LockMore = a.lockText(lo, hi), a.moreLocks(lo, hi)
		for _, t := range n.LockInfo.Tables {
			blk.LockOf = append(blk.LockOf, t.Name.O)
		}
	}
	a.st.Into = a.st.Into || n.SelectIntoOpt != nil
	if n.SelectStmtOpts != nil && n.SelectStmtOpts.CalcFoundRows {
		a.st.CalcFoundRows = true
	}
	if n.From != nil {
		from, end := a.c.body(clFrom, 1)
		a.from(n.From.TableRefs, a.b, from, end, a.sc)
	}
	a.items(n.Fields.Fields, skipOptions(a.tokens, lo+1), a.c.at[clFrom])
	a.where(n.Where, a.b, &a.c, a.sc)
	if n.GroupBy != nil {
		orderReader{a.analysis, a.b, a.sc}.groupBy(n.GroupBy, &a.c)
	}
	if n.Having != nil {
		from, end := a.c.body(clHaving, 1)
		a.expr(n.Having.Expr, a.b, a.sc)
		blk := &a.st.Blocks[a.b]
		blk.Having, blk.HavingSpan = true, a.span(from, end)
		blk.Aggregate = blk.Aggregate || hasAggregate(n.Having.Expr)
	}
	for i := range n.WindowSpecs {
		a.st.Window = true
		a.nodes(&n.WindowSpecs[i], a.b, a.sc)
	}
}

// hasTailOnly: VALUES and TABLE have ORDER BY, LIMIT and INTO.
func (a *blockReader) hasTailOnly(n *ast.SelectStmt) bool {
	c := &a.c
	a.st.Into = a.st.Into || c.has[clTail]
	return !c.has[clFrom] && !c.has[clWhere] && !c.has[clGroup] && !c.has[clHaving] &&
		c.has[clOrder] == (n.OrderBy != nil) && c.has[clLimit] == (n.Limit != nil)
}

// agrees holds what the tokens show against the tree.
func (a *blockReader) agrees(n *ast.SelectStmt) bool {
	c := &a.c
	dual := c.has[clFrom] && a.is(c.at[clFrom]+1, "DUAL") && c.at[clFrom]+2 == c.at[clWhere]
	return (c.has[clFrom] && !dual) == (n.From != nil) &&
		c.has[clWhere] == (n.Where != nil) &&
		c.has[clGroup] == (n.GroupBy != nil) &&
		c.has[clHaving] == (n.Having != nil) &&
		c.has[clWindow] == (len(n.WindowSpecs) > 0) &&
		c.has[clOrder] == (n.OrderBy != nil) &&
		c.has[clLimit] == (n.Limit != nil)
}

// where analyses WHERE, also of UPDATE and DELETE.
func (a *analysis) where(n ast.ExprNode, b int, c *clauses, sc *scope) {
	if n == nil {
		return
	}
	from, end := c.body(clWhere, 1)
	if from >= end || !a.within(n, from, end) {
		a.fail("WHERE is not understood")
		return
	}
	a.st.Blocks[b].Where = a.span(from, end)
	a.expr(n, b, sc)
	a.restrict(n, b, nil)
	a.filters(n, b, from, end)
}

// skipOptions gives the first token after SELECT that is no option of it.
func skipOptions(a *tokens, i int) int {
	for a.isAny(i, "ALL", "DISTINCT", "DISTINCTROW", "HIGH_PRIORITY", "STRAIGHT_JOIN", "SQL_SMALL_RESULT",
		"SQL_BIG_RESULT", "SQL_BUFFER_RESULT", "SQL_CACHE", "SQL_NO_CACHE", "SQL_CALC_FOUND_ROWS") {
		i++
	}
	return i
}

// items analyses the select list, which is the tokens [lo, hi).
func (a *blockReader) items(fields []*ast.SelectField, lo, hi int) {
	parts := a.list(lo, hi)
	if len(parts) != len(fields) {
		a.fail("select list is not understood")
		return
	}
	items := make([]Item, len(fields))
	for i, f := range fields {
		from, to := parts[i][0], parts[i][1]
		if from >= to {
			a.fail("select list is not understood")
			return
		}
		items[i] = a.selectItem(f, from, to)
		if a.why != "" {
			return
		}
		if f.Expr == nil {
			continue
		}
		a.st.Blocks[a.b].Aggregate = a.st.Blocks[a.b].Aggregate || items[i].Agg != NoAgg
		if a.b == 0 && items[i].Alias == "" {
			a.item, a.itemSpan = i, items[i].Span
		}
		a.expr(f.Expr, a.b, a.sc)
		a.item = -1
	}
	a.st.Blocks[a.b].Items = items
}

func (a *blockReader) selectItem(f *ast.SelectField, from, to int) Item {
	if f.WildCard != nil {
		if !a.isOp(to-1, "*") {
			a.fail("select list is not understood")
		}
		return Item{Span: a.span(from, to), Star: true}
	}
	var it Item
	if f.AsName.O != "" || a.is(to-2, "AS") {
		alias, ok := aliasAt(a.text, to-1, a.ident(f.AsName))
		if !ok {
			a.fail("alias in the select list is not understood")
		}
		it.Alias = alias
		to--
		if a.is(to-1, "AS") {
			to--
		}
	}
	if from >= to || !a.within(f.Expr, from, to) {
		a.fail("select list is not understood")
		return it
	}
	it.Span = a.span(from, to)
	if col, ok := f.Expr.(*ast.ColumnNameExpr); ok {
		ref := columnRef(a.text, col.Name)
		it.Col = &ref
	}
	a.aggregate(&it, f.Expr, from, to)
	it.Label = it.Alias
	if it.Label == "" {
		it.Label = a.label(f.Expr, from, to)
	}
	return it
}

// within says that an expression of the tree begins in [from, to). The parser's position of
// NOT EXISTS is now that of the one word, now of the other.
func (a *analysis) within(n ast.ExprNode, from, to int) bool {
	p := int32(a.place(n))
	return p >= a.toks[from].start && p < a.toks[to-1].end
}

// aliasAt reads an alias, a name or a string, and holds it against the tree's.
func aliasAt(a *text, i int, tree string) (string, bool) {
	switch a.kind(i) {
	case tokWord, tokQuoted:
		s := a.name(i)
		return s, s == tree
	case tokString:
		s := a.stringText(i)
		return s, !a.isPlain(i) || s == tree
	}
	return "", false
}

// stringText gives the value of a string token.
func (a *tokens) stringText(i int) string {
	tok := a.toks[i]
	return decodeName(Unquote(nil, a.sql, Literal{Span: Span{tok.start, tok.end}, Kind: String}, a.mode), a.mode.Charset)
}

// aggregate classifies an item over groups.
func (a *blockReader) aggregate(it *Item, n ast.ExprNode, from, to int) {
	agg, ok := n.(*ast.AggregateFuncExpr)
	if !ok {
		if hasAggregate(n) {
			it.Agg = OtherAgg
		}
		return
	}
	it.Agg = OtherAgg
	if a.kind(from+1) != tokOpen || int(a.pair[from+1]) != to-1 {
		return
	}
	it.Arg = a.span(from+2, to-1)
	if agg.Distinct || len(agg.Args) != 1 || hasAggregate(agg.Args[0]) {
		return
	}
	switch strings.ToLower(agg.F) {
	case "count":
		it.Agg = Count
	case "sum":
		it.Agg = Sum
	case "avg":
		it.Agg = Avg
	case "min":
		it.Agg = Min
	case "max":
		it.Agg = Max
	}
	if a.isAny(from+2, "ALL") {
		it.Arg = a.span(from+3, to-1)
	}
}
