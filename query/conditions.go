package query

import "slices"

// conditionCounts notes @@warning_count and @@error_count among the calls that are answered by
// the session, in a SELECT that cannot raise a condition by itself: the variables count
// those, too, in the order in which a server comes by them.
//
//	list  = value [[AS] alias] {"," value [[AS] alias]} [FROM DUAL]
//	value = string | IF "(" terms "," value "," value ")" | terms
//	terms = term [operator term]
//	term  = integer | count | LAST_INSERT_ID() and its like
type conditionCounts struct {
	*text
	i     int
	calls []FuncCall
}

// noteConditionCounts leaves Calls as they are where the statement is anything else. Oracle
// MySQL keeps the counts of the statement before for a whole SELECT, whatever it raises; MariaDB
// begins at none where it opens a table.
func (a *analysis) noteConditionCounts() {
	if a.st.Kind != Select || !slices.ContainsFunc(a.st.SysVars, isConditionCount) {
		return
	}
	c := &conditionCounts{text: a.text, i: a.lo + 1}
	if !a.mode.MariaDB {
		c.all(a.hi)
		a.st.Calls = append(a.st.Calls, c.calls...)
		return
	}
	if len(a.st.Tables) > 0 {
		return
	}
	if !a.is(a.lo, "SELECT") || !c.list() {
		return
	}
	if c.seq(c.i, "FROM", "DUAL") {
		c.i += 2
	}
	if c.i == a.hi {
		a.st.Calls = append(a.st.Calls, c.calls...)
	}
}

func isConditionCount(name string) bool { return name == "warning_count" || name == "error_count" }

// all notes every count up to a token.
func (c *conditionCounts) all(hi int) {
	for c.i < hi {
		if n := len(c.calls); c.kind(c.i) != tokSysVar {
			c.i++
		} else if !c.term() && len(c.calls) > n {
			c.calls = c.calls[:n] // of another variable
		}
	}
}

func (c *conditionCounts) list() bool {
	for {
		if !c.value() {
			return false
		}
		as := c.is(c.i, "AS")
		if as {
			c.i++
		}
		if c.isName(c.i) && (as || !c.isAny(c.i, "FROM", "WHERE", "LIMIT", "UNION", "INTO")) || as && c.kind(c.i) == tokString {
			c.i++
		} else if as {
			return false
		}
		if c.kind(c.i) != tokComma {
			return true
		}
		c.i++
	}
}

func (c *conditionCounts) value() bool {
	switch {
	case c.kind(c.i) == tokString:
		c.i++
		return !slices.ContainsFunc(c.bytes(c.i-1), func(b byte) bool { return b >= 0x80 }) // others may be no characters, which is a warning
	case c.is(c.i, "IF") && c.kind(c.i+1) == tokOpen:
		c.i += 2
		return c.terms() && c.take(tokComma) && c.value() && c.take(tokComma) && c.value() && c.take(tokClose)
	}
	return c.terms()
}

func (c *conditionCounts) take(k tokenKind) bool {
	c.i++
	return c.kind(c.i-1) == k
}

func (c *conditionCounts) terms() bool {
	if !c.term() {
		return false
	}
	for _, op := range []string{"=", "<", ">", "<=", ">=", "<>", "!=", "+"} {
		if c.isOp(c.i, op) {
			c.i++
			return c.term()
		}
	}
	return true
}

func (c *conditionCounts) term() bool {
	from := c.i
	switch {
	case c.kind(from) == tokInt:
		c.i++
		return true
	case c.kind(from) == tokSysVar:
		c.i++
		if scopeOf(c.text, c.i) == "session" && c.kind(c.i+1) == tokDot {
			c.i += 2
		}
		if c.kind(c.i) != tokWord {
			return false
		}
		name := lower([]byte(c.name(c.i)))
		c.i++
		c.calls = append(c.calls, FuncCall{Name: "@@" + name, Span: c.span(from, c.i), Item: -1})
		return isConditionCount(name) && c.kind(c.i) != tokDot
	case c.isAny(from, "LAST_INSERT_ID", "ROW_COUNT", "FOUND_ROWS", "CONNECTION_ID") && c.kind(from+1) == tokOpen:
		c.i += 3
		return c.kind(from+2) == tokClose
	}
	return false
}
