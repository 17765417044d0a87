package query

import (
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
)

// insertParts are the token ranges of an INSERT or REPLACE.
type insertParts struct {
	table    int    // first token of the table's name
	after    int    // first token after the name and PARTITION ( … )
	columns  [2]int // within the parentheses of the column list
	list     bool   // there is a column list
	source   int    // VALUES, SET, SELECT …
	dup      int    // ON DUPLICATE KEY UPDATE; end when there is none
	end      int
	rows     [][2]int // "(" and ")" of each row of VALUES
	rowsOnly bool     // VALUES or VALUE
	ignore   bool
}

// cutInsert finds the parts of an INSERT or REPLACE at lo by its tokens alone.
func cutInsert(t *tokens, lo, end int) (p insertParts, ok bool) {
	i := lo + 1
	for t.isAny(i, "LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE", "INTO") {
		p.ignore = p.ignore || t.is(i, "IGNORE")
		i++
	}
	p.table, p.end, p.dup = i, end, end
	if !t.isName(i) {
		return p, false
	}
	i++
	if t.kind(i) == tokDot {
		i += 2
	}
	if t.is(i, "PARTITION") && t.kind(i+1) == tokOpen {
		i = t.next(i + 1)
	}
	p.after = i
	if t.kind(i) == tokOpen && !t.isAny(i+1, "SELECT", "WITH", "VALUES", "TABLE") && t.kind(i+1) != tokOpen {
		p.list, p.columns = true, [2]int{i + 1, int(t.pair[i])}
		i = t.next(i)
	}
	p.source = i
	for k := i; k < end; k = t.next(k) {
		if t.seq(k, "ON", "DUPLICATE", "KEY", "UPDATE") {
			p.dup = k
			break
		}
	}
	if !t.isAny(i, "VALUES", "VALUE") || t.is(i+1, "ROW") {
		return p, i < p.dup
	}
	p.rowsOnly = true
	for i++; i < p.dup; i++ {
		if t.kind(i) != tokOpen {
			return p, false
		}
		p.rows = append(p.rows, [2]int{i, int(t.pair[i])})
		i = int(t.pair[i]) + 1
		if t.is(i, "AS") { // MySQL's alias of the row
			break
		}
		if i < p.dup && t.kind(i) != tokComma {
			return p, false
		}
	}
	return p, len(p.rows) > 0
}

// simpleRows are the rows after the first, with the commas before them, in which each value is
// one token: the parser need not see them. A dump's INSERT has thousands.
func simpleRows(a *tokens, lo int) (skip [][2]int) {
	if !a.isAny(lo, "INSERT", "REPLACE") {
		return nil
	}
	p, ok := cutInsert(a, lo, len(a.toks))
	if !ok || len(p.rows) < 2 {
		return nil
	}
	width := len(a.list(p.rows[0][0]+1, p.rows[0][1]))
	for _, r := range p.rows[1:] {
		if isSimpleRow(a, r[0]+1, r[1], width) {
			skip = append(skip, [2]int{r[0] - 1, r[1] + 1})
		}
	}
	return skip
}

// isSimpleRow says whether [lo, hi) is width values of one token each, between commas.
func isSimpleRow(t *tokens, lo, hi, width int) bool {
	if width == 0 || hi-lo != 2*width-1 {
		return false
	}
	for i := lo; i < hi; i++ {
		if (i-lo)%2 == 1 {
			if t.kind(i) != tokComma {
				return false
			}
		} else if !t.kind(i).isLiteral() && !t.isAny(i, "NULL", "DEFAULT", "TRUE", "FALSE") {
			return false
		}
	}
	return true
}

// insertReader reads one INSERT or REPLACE.
type insertReader struct {
	*analysis
	n    *ast.InsertStmt
	p    insertParts
	info *InsertInfo
	b    int
}

func (a *analysis) insert(n *ast.InsertStmt) {
	a.st.Kind = Insert
	verb := "INSERT"
	if n.IsReplace {
		a.st.Kind, verb = Replace, "REPLACE"
	}
	p, ok := cutInsert(a.tokens, a.lo, a.hi)
	src, isTable := n.Table.TableRefs.Left.(*ast.TableSource)
	if !ok || !isTable || !a.is(a.lo, verb) {
		a.fail("%s is not understood", verb)
		return
	}
	r := insertReader{analysis: a, n: n, p: p, b: a.block(-1)}
	name, isTable := src.Source.(*ast.TableName)
	if !isTable {
		a.fail("%s is not understood", verb)
		return
	}
	a.tables(r.b, nil).table(name, a.ident(src.AsName), p.table, p.after, false)
	if a.why != "" {
		return
	}
	a.st.Tables[0].Target = true
	r.info = &InsertInfo{Ignore: p.ignore, Returning: a.st.Returning, ColumnsAt: a.endOf(p.after), SetForm: n.Setlist}
	a.st.Insert = r.info
	r.columns()
	switch {
	case n.Select != nil:
		r.info.FromSelect = true
		a.query(n.Select, p.source, p.dup, r.b, nil)
	case n.Setlist:
		r.set()
	default:
		r.rows()
	}
	r.info.TailAt = a.endOf(p.dup)
	if p.rowsOnly {
		r.info.TailAt = r.info.RowsSpan.End
	}
	r.onDuplicate()
	a.st.Blocks[r.b].ItemsEnd, a.st.Blocks[r.b].OrderEnd = a.endOf(p.dup), a.endOf(p.dup)
}

func (a insertReader) columns() {
	n, info, p := a.n, a.info, &a.p
	if n.Setlist {
		return
	}
	if !p.list {
		if len(n.Columns) > 0 {
			a.fail("column list is not understood")
		}
		return
	}
	parts := a.list(p.columns[0], p.columns[1])
	info.ColumnsSpan = a.span(p.columns[0]-1, p.columns[1]+1)
	info.Columns = make([]string, 0, len(parts))
	if len(parts) != len(n.Columns) {
		a.fail("column list is not understood")
		return
	}
	for i, c := range n.Columns {
		last := parts[i][1] - 1
		if !a.isName(last) || a.name(last) != a.ident(c.Name) {
			a.fail("column list is not understood")
			return
		}
		info.Columns = append(info.Columns, a.ident(c.Name))
	}
}

func (a insertReader) set() {
	n, info, p := a.n, a.info, &a.p
	if !a.is(p.source, "SET") || len(n.Lists) != 1 || len(n.Lists[0]) != len(n.Columns) {
		a.fail("INSERT … SET is not understood")
		return
	}
	list := make([]*ast.Assignment, len(n.Columns))
	for i, c := range n.Columns {
		list[i] = &ast.Assignment{Column: c, Expr: n.Lists[0][i]}
	}
	sets := a.assignments(list, p.source+1, p.dup, a.b, nil)
	info.Rows, info.ValueSpans = make([][]Value, 1), make([][]Span, 1)
	for _, s := range sets {
		info.Columns = append(info.Columns, s.Name)
		info.Rows[0] = append(info.Rows[0], s.Value)
		info.ValueSpans[0] = append(info.ValueSpans[0], s.Text)
	}
}

func (a insertReader) rows() {
	n, info, p := a.n, a.info, &a.p
	if !p.rowsOnly {
		a.fail("VALUES is not where it should be")
		return
	}
	rows := p.rows
	info.RowsSpan = a.span(rows[0][0], rows[len(rows)-1][1]+1)
	info.Collapsed = a.scan.RowsCollapsed && len(a.scan.Rows) == len(rows)
	if info.Collapsed {
		rows = rows[:1]
	}
	for _, r := range rows {
		parts := a.list(r[0]+1, r[1])
		vals, spans := make([]Value, len(parts)), make([]Span, len(parts))
		for i, at := range parts {
			vals[i], spans[i] = a.simple(at[0], at[1]), a.span(at[0], at[1])
		}
		info.Rows, info.ValueSpans = append(info.Rows, vals), append(info.ValueSpans, spans)
	}
	for _, row := range n.Lists {
		for _, e := range row {
			a.expr(e, a.b, nil)
		}
	}
}

func (a insertReader) onDuplicate() {
	n, info, p := a.n, a.info, &a.p
	if (p.dup < p.end) != (len(n.OnDuplicate) > 0) {
		a.fail("ON DUPLICATE KEY UPDATE is not understood")
		return
	}
	if p.dup == p.end {
		return
	}
	info.OnDuplicate = true
	for i, s := range a.assignments(n.OnDuplicate, p.dup+4, p.end, a.b, nil) {
		info.OnDuplicateCols = append(info.OnDuplicateCols, s.Name)
		info.OnDuplicateSets = append(info.OnDuplicateSets, OnDuplicate{Keeps: a.keeps(s.Name, n.OnDuplicate[i].Expr), Value: s.Value})
	}
	refs := refsReader{a.text, info}
	for _, s := range n.OnDuplicate {
		s.Expr.Accept(refs)
	}
}

// keeps finds out whether a column is assigned a value of its own.
func (a insertReader) keeps(column string, e ast.ExprNode) Keeps {
	for {
		within, ok := e.(*ast.ParenthesesExpr)
		if !ok {
			break
		}
		e = within.Expr
	}
	switch e := e.(type) {
	case *ast.ValuesExpr:
		if strings.EqualFold(a.ident(e.Column.Name.Name), column) {
			return KeepsNew
		}
	case *ast.FuncCallExpr:
		if e.FnName.L == "last_insert_id" && len(e.Args) == 1 && a.keeps(column, e.Args[0]) == KeepsOwn {
			return KeepsAsked
		}
	case *ast.ColumnNameExpr:
		switch ref := columnRef(a.text, e.Name); {
		case a.n.Select != nil || ref.Schema != "" || !strings.EqualFold(ref.Column, column): // after a SELECT the name could be a column of its tables
		case ref.Table == "" && !slices.ContainsFunc(a.newRow.columns, func(c string) bool { return strings.EqualFold(c, column) }),
			ref.Table == a.st.Tables[0].Name:
			return KeepsOwn
		case ref.Table != "" && strings.EqualFold(ref.Table, a.newRow.name) && a.newRow.columns == nil:
			return KeepsNew
		}
	}
	return KeepsNothing
}

// refsReader notes the columns of ON DUPLICATE KEY UPDATE's expressions.
type refsReader struct {
	*text
	info *InsertInfo
}

func (r refsReader) Leave(n ast.Node) (ast.Node, bool) { return n, true }

func (r refsReader) Enter(n ast.Node) (ast.Node, bool) {
	switch n := n.(type) {
	case *ast.ValuesExpr:
		return n, true
	case *ast.SubqueryExpr:
		r.info.OnDuplicateQuery = true
		return n, true
	case *ast.ColumnName:
		r.info.OnDuplicateRefs = append(r.info.OnDuplicateRefs, columnRef(r.text, n))
	}
	return n, false
}
