package query

// placesOf finds the names in the statement that makes a stored program or a view which stand where no table can: a name of its own,
// parameters, columns, aliases, variables, labels. What is not certain is none of them.
//
//	CREATE … PROCEDURE name (parameters) …; SELECT column AS alias … FROM table
type placesOf struct {
	*text
	own        int // the program's name, where no schema qualifies it
	open, shut int // parentheses of the parameters, or of a view's columns
}

// noTables gives the test of placesOf for a text, nil where it makes something else.
func noTables(t *text, lo int) func(int) bool {
	if !t.isAny(lo, "CREATE", "ALTER") {
		return nil
	}
	p := placesOf{text: t, own: -1, open: -1, shut: -1}
	i := lo + 1
	for ; !t.isAny(i, "PROCEDURE", "FUNCTION", "TRIGGER", "EVENT", "VIEW"); i++ {
		if i >= len(t.toks) || t.isAny(i, "TABLE", "AS", "SELECT", "PACKAGE") {
			return nil
		}
	}
	view, program := t.is(i, "VIEW"), t.isAny(i, "PROCEDURE", "FUNCTION")
	i++
	for t.isAny(i, "IF", "NOT", "EXISTS") {
		i++
	}
	if !t.isName(i) {
		return nil
	}
	if t.kind(i+1) == tokDot {
		i += 2
	} else if !view {
		p.own = i
	}
	if (view || program) && t.kind(i+1) == tokOpen {
		p.open, p.shut = i+1, t.next(i+1)-1
	}
	return func(i int) bool { return i == p.own || i > p.open && i < p.shut || p.apart(i) }
}

// apart tells whether the name at i, or the qualified one of which it is a part, stands in an expression or is declared.
func (p placesOf) apart(i int) bool {
	if p.kind(i-1) == tokDot {
		i -= 2
	}
	if p.kind(i-1) == tokDot || !p.isName(i) {
		return false
	}
	if p.kind(i+1) == tokDot && (p.kind(i+3) == tokOpen || p.kind(i+3) == tokDot || !p.isName(i+2) || p.isAny(i+2, "NEXTVAL", "CURRVAL")) {
		return false
	}
	switch {
	case p.isAny(i-1, "AS", "THEN", "ELSE", "DECLARE", "END", "LEAVE", "ITERATE", "OPEN", "CLOSE", "FETCH", "SAVEPOINT"):
		return true
	case p.kind(i-1) == tokOp, p.isOp(i+1, ":") && p.isAny(i+2, "LOOP", "WHILE", "REPEAT", "BEGIN"):
		return true
	}
	return p.inExpression(i - 1)
}

// inExpression looks back from i for the word that says what stands there.
func (p placesOf) inExpression(i int) bool {
	for i >= 0 {
		switch {
		case p.kind(i) == tokClose:
			if i = int(p.pair[i]) - 1; p.isAny(i, "IF", "VALUES") { // a function, perhaps of a join's condition
				i--
			}
			continue
		case p.kind(i) == tokSemi:
			return false
		case p.kind(i) == tokOpen && p.isName(i-1) && p.is(i-2, "INTO"): // the columns of INSERT
			return true
		case p.is(i, "BY") && p.is(i-2, "FOR"): // USE INDEX FOR ORDER BY (…)
			return false
		case p.isAny(i, "SELECT", "SET", "WHERE", "HAVING", "BY", "LIMIT", "RETURN", "IF", "ELSEIF", "WHILE", "CASE", "WHEN", "DECLARE", "VALUES", "CALL"):
			return true
		case p.is(i, "INTO"):
			return !p.isAny(i-1, "INSERT", "REPLACE", "IGNORE", "LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED")
		case p.isAny(i, "FROM", "JOIN", "STRAIGHT_JOIN", "UPDATE", "DELETE", "INSERT", "REPLACE", "TABLE", "TABLES", "REFERENCES", "ON", "USING", "TRUNCATE", "UNION", "EXISTS", "RENAME", "TO", "OF", "FOR",
			"DESC", "DESCRIBE", "EXPLAIN", "SHOW", "HANDLER", "ANALYZE", "NEXTVAL", "LASTVAL", "SETVAL", "THEN", "ELSE", "DO", "BEGIN", "LOOP", "REPEAT"):
			return false
		}
		i--
	}
	return false
}
