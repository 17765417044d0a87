package query

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/opcode"
)

// label gives the name of the result's column for an item without alias, as measured on
// MariaDB 10.11 and MySQL 9: an item that is a column or a literal, with or without
// parentheses, has a name of its own; any other has its text.
func (a *blockReader) label(n ast.ExprNode, from, to int) string {
	n = unwrap(n)
	if plus, ok := n.(*ast.UnaryOperationExpr); ok && plus.Op == opcode.Plus {
		if v, ok := unwrap(plus.V).(ast.ValueExpr); ok {
			n = v
		}
	}
	i := a.exprAt(n)
	if i < from || i >= to {
		i = from
	}
	switch n := n.(type) {
	case *ast.ColumnNameExpr:
		return a.ident(n.Name.Name)
	case ast.ValueExpr:
		switch k := a.kind(i); {
		case k == tokString || k == tokVerbatim && strings.ContainsAny(string(a.bytes(i)), `'"`):
			return strings.TrimLeft(a.stringLabel(i), " \t\r\n")
		case a.is(i, "NULL"):
			return "NULL"
		case a.isAny(i, "TRUE", "FALSE") && a.mode.MariaDB:
			return strings.ToUpper(string(a.bytes(i)))
		case k.isLiteral():
			return string(a.bytes(i))
		}
	}
	return a.textLabel(a.span(from, to))
}

// stringLabel gives the value of a string item; MariaDB joins neighbours in the name too.
func (a *blockReader) stringLabel(i int) string {
	s := a.quotedText(i)
	for a.mode.MariaDB && a.kind(i+1) == tokString {
		i++
		s += a.quotedText(i)
	}
	return s
}

// quotedText is the value of 'x' or N'x'.
func (a *blockReader) quotedText(i int) string {
	at := Span{a.toks[i].start, a.toks[i].end}
	if c := a.sql[at.Start]; c == 'N' || c == 'n' {
		at.Start++
	}
	return decodeName(Unquote(nil, a.sql, Literal{Span: at, Kind: String}, a.mode), a.mode.Charset)
}

// textLabel is the text of an expression without the marks of executable comments.
func (a *blockReader) textLabel(at Span) string {
	var b []byte
	for _, m := range a.marks {
		if m.Start >= at.Start && m.End <= at.End {
			b = append(b, a.sql[at.Start:m.Start]...)
			at.Start = m.End
		}
	}
	b = append(b, at.Of(a.sql)...)
	return decodeName(b, a.mode.Charset)
}
