package query

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
)

// setReader reads SET.
type setReader struct{ *cursor }

// set is SET …: variables, NAMES, TRANSACTION. PASSWORD, ROLE, STATEMENT … FOR and the like
// stay opaque.
func (c setReader) set() bool {
	c.st.Kind = Set
	scope := c.acceptAny("GLOBAL", "SESSION", "LOCAL")
	if c.accept("TRANSACTION") {
		return c.setTransaction(scope)
	}
	c.i = c.lo + 1
	if c.mode.MariaDB && c.accept("STATEMENT") {
		if c.setStatement() {
			return true
		}
		c.i, c.st.Sets = c.lo+1, nil
	}
	if c.isAny(c.i, "PASSWORD", "ROLE", "STATEMENT", "RESOURCE") && !c.isOp(c.i+1, "=") && !c.isOp(c.i+1, ":=") ||
		c.is(c.i, "PASSWORD") || c.seq(c.i, "DEFAULT", "ROLE") {
		c.st.Kind = Other
		c.st.Verb = "set " + c.word()
		return false
	}
	var exprs [][2]int
	sticky := "session"
	for n := 0; ; n++ {
		r, ok := c.setElement(&sticky)
		if !ok {
			return false
		}
		if r[1] > r[0] {
			exprs = append(exprs, r)
		}
		if !c.acceptKind(tokComma) {
			break
		}
	}
	if len(c.st.Sets) > 0 {
		switch c.st.Sets[0].Name {
		case "names", "character set":
			if c.st.Sets[0].Scope == "session" && (len(c.st.Sets) == 1 || len(c.st.Sets) == 2 && c.st.Sets[1].Name == "collate") {
				c.st.Kind = SetNames
			}
		}
	}
	return c.done() && c.expressions(exprs)
}

// setStatement is MariaDB's STATEMENT name = value, … FOR statement, with literals for values.
func (c setReader) setStatement() bool {
	for {
		s := Assignment{Scope: "session"}
		name, ok := c.ident()
		if !ok || !c.acceptOp("=") && !c.acceptOp(":=") || c.done() {
			return false
		}
		s.Name = strings.ToLower(name)
		s.Text, s.Value = c.span(c.i, c.i+1), c.simple(c.i, c.i+1)
		if c.plain(&s, c.i); !s.IsPlain && !s.Default {
			return false
		}
		c.i++
		c.st.Sets = append(c.st.Sets, s)
		if !c.acceptKind(tokComma) {
			break
		}
	}
	if !c.accept("FOR") || c.done() {
		return false
	}
	c.st.Kind, c.st.Verb, c.st.TextBound = SetStatement, "set statement", true
	c.st.Inner = c.span(c.i, len(c.toks))
	return true
}

// setElement takes one element of SET. The range it gives is its value when that is an
// expression for the parser.
func (c setReader) setElement(sticky *string) (expr [2]int, ok bool) {
	switch {
	case c.is(c.i, "NAMES") && !isAssign(c.tokens, c.i+1):
		c.i++
		return expr, c.charsetElement("names") && (!c.accept("COLLATE") || c.charsetElement("collate"))
	case c.seq(c.i, "CHARACTER", "SET") || c.seq(c.i, "CHAR", "SET"):
		c.i += 2
		return expr, c.charsetElement("character set")
	case c.is(c.i, "CHARSET") && !isAssign(c.tokens, c.i+1):
		c.i++
		return expr, c.charsetElement("character set")
	}
	if c.isAny(c.i, "NAMES", "CHARSET") {
		return expr, false // no variable has such a name
	}
	s := Assignment{}
	if !c.setTarget(&s, sticky) || !c.acceptOp("=") && !c.acceptOp(":=") {
		return expr, false
	}
	from := c.i
	for !c.done() && c.kind(c.i) != tokComma {
		c.i = c.next(c.i)
	}
	if from == c.i {
		return expr, false
	}
	s.Text, s.Value = c.span(from, c.i), c.simple(from, c.i)
	if c.i == from+1 {
		c.plain(&s, from)
	}
	c.st.Sets = append(c.st.Sets, s)
	if !s.IsPlain && !s.Default {
		expr = [2]int{from, c.i}
	}
	return expr, true
}

func isAssign(t *tokens, i int) bool { return t.isOp(i, "=") || t.isOp(i, ":=") }

// setTarget takes what is assigned: @x, @@[scope.]x, [scope] x.
func (c setReader) setTarget(s *Assignment, sticky *string) bool {
	switch c.kind(c.i) {
	case tokUserVar:
		s.Scope = "user"
		s.Name, _ = c.userVar()
		return s.Name != ""
	case tokSysVar:
		c.i++
		s.Scope = "session"
		if scope := scopeOf(c.text, c.i); scope != "" && c.kind(c.i+1) == tokDot {
			s.Scope = scope
			c.i += 2
		}
	default:
		s.Scope = *sticky
		if scope := scopeOf(c.text, c.i); scope != "" && c.isName(c.i+1) {
			s.Scope, *sticky = scope, scope
			c.i++
		}
	}
	name, ok := c.ident()
	if c.acceptKind(tokDot) {
		var part string
		part, ok = c.ident()
		name += "." + part
	}
	s.Name = strings.ToLower(name)
	return ok
}

func scopeOf(t *text, i int) string {
	if t.kind(i) != tokWord {
		return ""
	}
	switch w := lower(t.bytes(i)); w {
	case "global", "session", "persist", "persist_only":
		return w
	case "local":
		return "session"
	}
	return ""
}

// maxPlain is the longest string that is noted; no variable of a server takes a longer one.
const maxPlain = 64 << 10

// plain notes the value of one token.
func (c *cursor) plain(s *Assignment, i int) {
	switch k := c.kind(i); {
	case k == tokString && len(c.bytes(i)) <= maxPlain:
		s.IsPlain, s.Plain = true, c.stringText(i)
		c.st.TextBound = true
	case k == tokInt || k == tokDecimal:
		s.IsPlain, s.Plain = true, string(c.bytes(i))
		c.st.TextBound = true
	case c.is(i, "DEFAULT"):
		s.Default = true
	case k == tokWord || k == tokQuoted:
		s.IsPlain, s.Plain = true, c.name(i)
	}
}

// charsetElement takes the name of a character set or collation, or DEFAULT.
func (c setReader) charsetElement(name string) bool {
	s := Assignment{Scope: "session", Name: name, Text: c.span(c.i, c.i+1), Value: Value{Kind: ValOther}}
	switch c.kind(c.i) {
	case tokWord, tokQuoted, tokString:
		c.plain(&s, c.i)
	default:
		return false
	}
	c.i++
	c.st.Sets = append(c.st.Sets, s)
	return true
}

// setTransaction is SET [scope] TRANSACTION.
func (c setReader) setTransaction(scope string) bool {
	c.st.Kind = SetTx
	c.st.TxScope = lower([]byte(scope))
	if c.st.TxScope == "local" {
		c.st.TxScope = "session"
	}
	for {
		switch {
		case c.accept("READ", "ONLY"):
			c.st.TxReadOnly = true
		case c.accept("READ", "WRITE"):
			c.st.TxReadWrite = true
		case c.accept("ISOLATION", "LEVEL", "READ", "COMMITTED"):
			c.st.Isolation = "READ COMMITTED"
		case c.accept("ISOLATION", "LEVEL", "READ", "UNCOMMITTED"):
			c.st.Isolation = "READ UNCOMMITTED"
		case c.accept("ISOLATION", "LEVEL", "REPEATABLE", "READ"):
			c.st.Isolation = "REPEATABLE READ"
		case c.accept("ISOLATION", "LEVEL", "SERIALIZABLE"):
			c.st.Isolation = "SERIALIZABLE"
		default:
			return false
		}
		if !c.acceptKind(tokComma) {
			return c.done()
		}
	}
}

// expressions analyses token ranges, with a comma or another single token between them, as
// the list of DO: the parser sees "DO" where the statement begins and then these alone.
func (c *cursor) expressions(ranges [][2]int) bool {
	if len(ranges) == 0 {
		return true
	}
	if !c.chooseStandIns(false) {
		return c.refuse("names cannot be analysed in this character set")
	}
	buf, ok := expressionText(c.text, ranges)
	if !ok {
		return c.refuse("statement is too long to be analysed")
	}
	a := &analysis{text: c.text, z: c.z, st: c.st, lo: c.lo, hi: len(c.toks), item: -1}
	reason := c.z.withTree(buf, c.mode, func(n ast.StmtNode) { a.expressionList(n, ranges) })
	if reason == "" {
		reason = a.why
	}
	if reason != "" {
		return c.refuse(reason)
	}
	return true
}

func (a *analysis) expressionList(n ast.StmtNode, ranges [][2]int) {
	do, ok := n.(*ast.DoStmt)
	if !ok || len(do.Exprs) != len(ranges) {
		a.fail("expressions are not understood")
		return
	}
	b := a.block(-1)
	for i, e := range do.Exprs {
		if !a.within(e, ranges[i][0], ranges[i][1]) {
			a.fail("expressions are not understood")
			return
		}
		a.expr(e, b, nil)
	}
}

// expressionText is the masked text of DO and the ranges.
func expressionText(t *text, ranges [][2]int) (string, bool) {
	m := masker{text: t}
	m.word("DO")
	for k, r := range ranges {
		if k > 0 {
			m.word(",")
		}
		for i := r[0]; i < r[1]; i++ {
			if !m.token(i) {
				return "", false
			}
		}
	}
	return m.done(), true
}

// refuse makes the statement opaque, keeping its kind and what is known of it.
func (c *cursor) refuse(reason string) bool {
	makeOpaque(c.text, c.lo, c.st, reason)
	return false
}
