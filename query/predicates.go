package query

import (
	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/opcode"
)

// outerSide is the inner side of an outer join, the leaves [lo, hi): its ON restricts
// those tables only. A nil one is WHERE or the ON of an inner join.
type outerSide struct{ lo, hi int }

// restriction reads one condition: WHERE or ON.
type restriction struct {
	*analysis
	b    int
	j    *join
	side *outerSide // of ON of an outer join
}

// maxRestrictions bounds the predicates and the equalities of a statement: what is left out
// only costs shards that need not have been asked.
const maxRestrictions = 1024

// restrict collects the predicates and equalities that a condition implies.
func (a *analysis) restrict(n ast.ExprNode, b int, side *outerSide) {
	r := restriction{a, b, a.joins[b], side}
	for _, p := range r.implied(n) {
		if len(a.st.Predicates) < maxRestrictions && r.j.mayOwn(p.Col) && (side == nil || side.has(r.j, p.Col)) {
			a.st.Predicates = append(a.st.Predicates, p)
		}
	}
	r.equalities(n)
}

// equalities collects column = column from an AND chain.
func (a restriction) equalities(n ast.ExprNode) {
	e, ok := unwrap(n).(*ast.BinaryOperationExpr)
	if !ok {
		return
	}
	switch e.Op {
	case opcode.LogicAnd:
		a.equalities(e.L)
		a.equalities(e.R)
	case opcode.EQ:
		a.equal(e.L, e.R)
	}
}

// equal is L = R of two columns, or of rows of them.
func (a restriction) equal(l, r ast.ExprNode) {
	lrow, lok := unwrap(l).(*ast.RowExpr)
	rrow, rok := unwrap(r).(*ast.RowExpr)
	if lok && rok && len(lrow.Values) == len(rrow.Values) {
		for i := range lrow.Values {
			a.equal(lrow.Values[i], rrow.Values[i])
		}
		return
	}
	x, okx := columnOf(a.text, l)
	y, oky := columnOf(a.text, r)
	if okx && oky {
		a.addEquality(x, y)
	}
}

func unwrap(n ast.ExprNode) ast.ExprNode {
	for {
		p, ok := n.(*ast.ParenthesesExpr)
		if !ok {
			return n
		}
		n = p.Expr
	}
}

// comparison gives the predicate of column = value, either way round.
func (a restriction) comparison(l, r ast.ExprNode) (Predicate, bool) {
	col, ok := columnOf(a.text, l)
	if !ok {
		l, r = r, l
		if col, ok = columnOf(a.text, l); !ok {
			return Predicate{}, false
		}
	}
	v := a.value(r)
	if v.Kind != ValLiteral && v.Kind != ValNull {
		return Predicate{}, false
	}
	return Predicate{Block: a.b, Col: col, Values: []Value{v}}, true
}

// inList gives the predicates of col IN (…) and of (a, b) IN ((…), (…)).
func (a restriction) inList(n *ast.PatternInExpr) []Predicate {
	if n.Not || n.Sel != nil || len(n.List) == 0 {
		return nil
	}
	if row, ok := unwrap(n.Expr).(*ast.RowExpr); ok {
		return a.inRows(row, n.List)
	}
	col, ok := columnOf(a.text, n.Expr)
	if !ok {
		return nil
	}
	p := Predicate{Block: a.b, Col: col}
	for _, e := range n.List {
		v := a.value(e)
		if v.Kind != ValLiteral && v.Kind != ValNull {
			return nil
		}
		p.Values = append(p.Values, v)
	}
	if !a.collapse(&p) {
		return nil
	}
	return []Predicate{p}
}

// collapse makes a list that is one hole All of it. ok is false when a hole of the list
// varies in number but is not the whole list.
func (a restriction) collapse(p *Predicate) bool {
	first := p.Values[0]
	if first.Kind == ValLiteral && a.isList(first.Hole) {
		if int(a.scan.Holes[first.Hole].Count) < len(p.Values) {
			return false
		}
		for _, v := range p.Values {
			if v.Kind != ValLiteral || v.Hole != first.Hole {
				return false
			}
		}
		p.Values, p.All = []Value{{Kind: ValLiteral, Hole: first.Hole}}, true
		return true
	}
	for _, v := range p.Values {
		if v.Kind == ValLiteral && a.isList(v.Hole) {
			return false
		}
	}
	return true
}

// isList says whether a hole is an IN list whose number of literals varies with the text:
// also one literal alone can be, and then it stands alone in IN ( … ).
func (a restriction) isList(hole int) bool {
	h := a.scan.Holes[hole]
	if h.Count != 1 {
		return true
	}
	i := a.at(int(a.scan.Literals[h.First].Start))
	return i > 1 && a.kind(i-1) == tokOpen && a.kind(i+1) == tokClose && a.is(i-2, "IN")
}

// inRows gives a predicate for each column of (a, b) IN ((1, 2), (3, 4)).
func (a restriction) inRows(row *ast.RowExpr, list []ast.ExprNode) []Predicate {
	var out []Predicate
column:
	for i, e := range row.Values {
		col, ok := columnOf(a.text, e)
		if !ok {
			continue
		}
		p := Predicate{Block: a.b, Col: col}
		for _, r := range list {
			vals, ok := unwrap(r).(*ast.RowExpr)
			if !ok || len(vals.Values) != len(row.Values) {
				return nil
			}
			v := a.value(vals.Values[i])
			if v.Kind != ValLiteral && v.Kind != ValNull || v.Kind == ValLiteral && a.isList(v.Hole) {
				continue column
			}
			p.Values = append(p.Values, v)
		}
		out = append(out, p)
	}
	return out
}

// implied gives what an expression says of columns: of an AND each part, of an OR the columns
// that both arms restrict, with the values of both.
func (a restriction) implied(n ast.ExprNode) []Predicate {
	switch n := unwrap(n).(type) {
	case *ast.BinaryOperationExpr:
		switch n.Op {
		case opcode.LogicAnd:
			return append(a.implied(n.L), a.implied(n.R)...)
		case opcode.LogicOr:
			return either(a.implied(n.L), a.implied(n.R))
		case opcode.EQ:
			return a.compared(n.L, n.R)
		case opcode.NullEQ:
			// Without NULL, which the rows that an outer join adds would have too.
			if p, ok := a.comparison(n.L, n.R); ok && p.Values[0].Kind != ValNull {
				return []Predicate{p}
			}
		}
	case *ast.PatternInExpr:
		return a.inList(n)
	}
	return nil
}

// compared gives the predicates of L = R, also of rows.
func (a restriction) compared(l, r ast.ExprNode) (out []Predicate) {
	if p, ok := a.comparison(l, r); ok {
		return []Predicate{p}
	}
	lrow, lok := unwrap(l).(*ast.RowExpr)
	rrow, rok := unwrap(r).(*ast.RowExpr)
	if lok && rok && len(lrow.Values) == len(rrow.Values) {
		for i := range lrow.Values {
			out = append(out, a.compared(lrow.Values[i], rrow.Values[i])...)
		}
	}
	return out
}

// maxEither bounds the columns of one arm of an OR that are looked at.
const maxEither = 64

func either(x, y []Predicate) (out []Predicate) {
	x, y = x[:min(len(x), maxEither)], y[:min(len(y), maxEither)]
	for _, p := range x {
		for _, q := range y {
			if p.Col == q.Col && !p.All && !q.All {
				p.Values = append(p.Values, q.Values...)
				out = append(out, p)
				break
			}
		}
	}
	return out
}

// has says for certain that a column belongs to the side.
func (s *outerSide) has(j *join, c ColumnRef) bool {
	if c.Table == "" {
		return false
	}
	i := j.leafOf(c)
	return i >= s.lo && i < s.hi
}

// addEquality keeps x = y in the directions in which it filters.
func (a restriction) addEquality(x, y ColumnRef) {
	j, side := a.j, a.side
	if x == y || j.isDerived(x) || j.isDerived(y) {
		return
	}
	if side != nil {
		inX, inY := side.has(j, x), side.has(j, y)
		switch {
		case inX && inY:
			a.equality(x, y, false)
		case inY && x.Table != "":
			a.equality(x, y, true)
		case inX && y.Table != "":
			a.equality(y, x, true)
		}
		return
	}
	ownX, ownY := x.Table != "" && j.leafOf(x) >= 0, y.Table != "" && j.leafOf(y) >= 0
	if ownX && ownY || a.st.Blocks[a.b].Parent < 0 {
		a.equality(x, y, false)
		return
	}
	// One of them may be a column of an outer query, which is not filtered. Each direction
	// holds if its second column is the block's own.
	if ownY || y.Table == "" {
		a.equality(x, y, true)
	}
	if ownX || x.Table == "" {
		a.equality(y, x, true)
	}
}

func (a restriction) equality(x, y ColumnRef, directed bool) {
	if len(a.st.Equalities) < maxRestrictions {
		a.st.Equalities = append(a.st.Equalities, Equality{Block: a.b, A: x, B: y, Directed: directed})
	}
}
