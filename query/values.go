package query

import (
	"strconv"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/opcode"
)

// literal gives token i as a Value: a hole when the scan has it, else any expression.
func (t *text) literal(i int) Value {
	if i < 0 || i >= len(t.toks) || !t.toks[i].kind.isLiteral() {
		return Value{Kind: ValOther}
	}
	lit, ok := t.scan.LiteralAt(t.toks[i].start)
	if !ok || t.scan.Literals[lit].End != t.toks[i].end {
		return Value{Kind: ValOther}
	}
	hole, pos := t.scan.HoleOf(lit)
	if hole < 0 {
		return Value{Kind: ValOther}
	}
	return Value{Kind: ValLiteral, Hole: hole, Pos: pos}
}

// simple gives the value of the tokens [i, j) when they are one literal, NULL or DEFAULT.
func (t *text) simple(i, j int) Value {
	if j == i+1 {
		switch {
		case t.is(i, "NULL"):
			return Value{Kind: ValNull}
		case t.is(i, "DEFAULT"):
			return Value{Kind: ValDefault}
		}
		return t.literal(i)
	}
	return Value{Kind: ValOther}
}

// value says what an expression of the tree is, by the token that stands where it begins.
func (t *text) value(n ast.ExprNode) Value {
	switch n := n.(type) {
	case *ast.ParenthesesExpr:
		return t.value(n.Expr)
	case ast.ValueExpr:
		i := t.exprAt(n)
		if i < 0 {
			break
		}
		if t.is(i, "NULL") {
			return Value{Kind: ValNull}
		}
		if t.kind(i+1) == tokString || !t.sameInt(n, i) { // 'a' 'b' is one value
			break
		}
		return t.literal(i)
	case *ast.UnaryOperationExpr:
		if _, ok := n.V.(ast.ValueExpr); ok && n.Op == opcode.Minus {
			// -5 is one token, whose value the sign is part of; - 5 are two.
			return t.literal(t.exprAt(n))
		}
	case *ast.DefaultExpr:
		if n.Name == nil {
			return Value{Kind: ValDefault}
		}
	}
	return Value{Kind: ValOther}
}

// exprAt finds the token where an expression begins.
func (t *text) exprAt(n ast.ExprNode) int { return t.at(t.place(n)) }

// sameInt says that a number of the tree is the one of token i. It cannot differ, as far
// as is known; the shard of a row is not left to that.
func (t *text) sameInt(n ast.ValueExpr, i int) bool {
	if t.kind(i) != tokInt {
		return true
	}
	switch v := n.GetValue().(type) {
	case int64:
		return strings.TrimLeft(string(t.bytes(i)), "0") == strings.TrimLeft(strconv.FormatInt(v, 10), "0")
	case uint64:
		return strings.TrimLeft(string(t.bytes(i)), "0") == strconv.FormatUint(v, 10)
	}
	return true
}

// columnOf gives a plain column, with or without parentheses around it.
func columnOf(a *text, n ast.ExprNode) (ColumnRef, bool) {
	for {
		p, ok := n.(*ast.ParenthesesExpr)
		if !ok {
			break
		}
		n = p.Expr
	}
	c, ok := n.(*ast.ColumnNameExpr)
	if !ok {
		return ColumnRef{}, false
	}
	return columnRef(a, c.Name), true
}

func columnRef(a *text, c *ast.ColumnName) ColumnRef {
	return ColumnRef{Schema: a.ident(c.Schema), Table: a.ident(c.Table), Column: a.ident(c.Name)}
}
