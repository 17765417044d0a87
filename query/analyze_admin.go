package query

// adminReader reads EXPLAIN, CALL, LOAD DATA, locks and maintenance.
type adminReader struct{ *cursor }

// explain is EXPLAIN and DESCRIBE of a table or statement, and EXPLAIN ROUTE.
func (c adminReader) explain() bool {
	c.st.Kind, c.st.Verb = Explain, "explain"
	if c.is(c.i, "ROUTE") && (isStatement(c.tokens, c.i+1) || c.isAny(c.i+1, "BEGIN", "COMMIT", "ROLLBACK")) {
		return c.inner(ExplainRoute, "explain route", c.i+1)
	}
	for {
		switch {
		case c.is(c.i, "FORMAT") && c.isOp(c.i+1, "="):
			c.i += 3
		case c.isAny(c.i, "EXTENDED", "PARTITIONS") && !c.oneLeft():
			c.i++
		case c.is(c.i, "ANALYZE") && !c.oneLeft():
			c.st.InnerRuns = true
			c.i++
		case isStatement(c.tokens, c.i):
			return c.inner(Explain, "explain", c.i)
		case c.is(c.i, "FOR") && c.is(c.i+1, "CONNECTION"):
			c.i = len(c.toks)
			return true
		default:
			c.st.Verb = "describe"
			if !c.tableRef(false) {
				return false
			}
			if k := c.kind(c.i); k == tokString || c.isName(c.i) {
				c.i++
			}
			return c.done()
		}
	}
}

func (c *cursor) oneLeft() bool { return c.i+1 >= len(c.toks) }

// isStatement says whether a statement that can be explained begins at i.
func isStatement(t *tokens, i int) bool {
	if t.kind(i) == tokOpen {
		return true
	}
	if i+1 >= len(t.toks) {
		return false
	}
	return t.isAny(i, "SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE", "WITH", "VALUES", "TABLE", "CALL", "SHOW", "SET", "DO",
		"CREATE", "ALTER", "DROP", "TRUNCATE", "RENAME", "USE", "BEGIN", "START", "ANALYZE", "LOAD", "EXPLAIN", "DESCRIBE", "DESC",
		"OPTIMIZE", "CHECK", "LOCK", "KILL", "HANDLER", "XA", "FLUSH", "GRANT", "REVOKE", "SAVEPOINT")
}

// inner analyses the statement at i, whose fields become those of the whole.
func (c adminReader) inner(kind Kind, verb string, i int) bool {
	runs := c.st.InnerRuns
	st := c.z.statement(c.text, i)
	describes := kind == ExplainRoute && st.Kind == Explain && st.Verb == "describe"
	if st.InnerKind != Other || (st.Kind == Explain || st.Kind == ExplainRoute) && !describes {
		return false // EXPLAIN of an EXPLAIN
	}
	*c.st = *st
	c.st.InnerKind, c.st.Kind, c.st.Verb, c.st.InnerRuns = st.Kind, kind, verb, runs
	c.st.Inner = c.span(i, len(c.toks))
	return true
}

// maintain is ANALYZE, CHECK, CHECKSUM, OPTIMIZE or REPAIR TABLE, and MariaDB's ANALYZE of a
// statement.
func (c adminReader) maintain() bool {
	if c.is(c.lo, "ANALYZE") {
		i := c.i
		if c.is(i, "FORMAT") && c.isOp(i+1, "=") {
			i += 3
		}
		if c.isAny(i, "SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE", "WITH", "VALUES") || c.kind(i) == tokOpen {
			c.st.InnerRuns = true
			return c.inner(Explain, "explain", i)
		}
	}
	c.acceptAny("NO_WRITE_TO_BINLOG", "LOCAL")
	if c.acceptAny("TABLE", "TABLES") == "" || !c.tableList(true) {
		return false
	}
	for ; !c.done(); c.i++ { // QUICK, EXTENDED, PERSISTENT FOR …
		if c.is(c.i, "SELECT") {
			return false
		}
	}
	return true
}

// callProcedure is CALL name [(expr, …)].
func (c adminReader) callProcedure() bool {
	c.st.Kind = Call
	name, ok := c.ident()
	if ok && c.acceptKind(tokDot) {
		c.st.Schema = name
		name, ok = c.ident()
	}
	if !ok {
		return false
	}
	c.st.Routines = []string{lower([]byte(name))}
	if c.done() {
		return true
	}
	if c.kind(c.i) != tokOpen || c.next(c.i) != len(c.toks) {
		return false
	}
	args := c.list(c.i+1, int(c.pair[c.i]))
	return c.expressions(args)
}

// lock is LOCK TABLES, UNLOCK TABLES, FLUSH TABLES … WITH READ LOCK, and the other forms of
// FLUSH, which are no locks.
func (c adminReader) lock() bool {
	c.st.Kind = LockTables
	switch {
	case c.is(c.lo, "UNLOCK"):
		return c.acceptAny("TABLES", "TABLE") != "" && c.done()
	case c.is(c.lo, "FLUSH"):
		return c.flush()
	}
	if c.acceptAny("TABLES", "TABLE") == "" {
		c.st.Kind = Other // LOCK INSTANCE FOR BACKUP
		return false
	}
	for {
		if !c.tableRef(false) {
			return false
		}
		ref := &c.st.Tables[len(c.st.Tables)-1]
		if as := c.accept("AS"); as || !c.isAny(c.i, "READ", "WRITE", "LOW_PRIORITY") {
			alias, ok := c.ident()
			if !ok {
				return false
			}
			ref.Alias = alias
		}
		c.accept("LOW_PRIORITY")
		switch c.acceptAny("READ", "WRITE") {
		case "READ":
			c.accept("LOCAL")
		case "WRITE":
			ref.Target = true
			c.accept("CONCURRENT")
		default:
			return false
		}
		if !c.acceptKind(tokComma) {
			break
		}
	}
	if c.acceptAny("WAIT", "NOWAIT") == "WAIT" {
		c.acceptKind(tokInt)
	}
	return c.done()
}

func (c adminReader) flush() bool {
	c.st.Kind = Other
	c.acceptAny("NO_WRITE_TO_BINLOG", "LOCAL")
	if c.acceptAny("TABLES", "TABLE") == "" {
		c.i = len(c.toks)
		return true
	}
	if c.isName(c.i) && !c.isAny(c.i, "WITH", "FOR") && !c.tableList(false) {
		return false
	}
	if c.accept("WITH", "READ", "LOCK") || c.accept("FOR", "EXPORT") {
		c.st.Kind = LockTables
		c.i = len(c.toks)
	}
	return c.done()
}

// grant is GRANT and REVOKE: what matters is the table after ON.
func (c adminReader) grant() bool {
	c.st.Kind = OtherDDL
	c.i = c.find(c.i, len(c.toks), "ON")
	if c.done() {
		return true // roles
	}
	c.i++
	switch c.acceptAny("TABLE", "FUNCTION", "PROCEDURE", "PACKAGE") {
	case "FUNCTION", "PROCEDURE", "PACKAGE":
		return true
	}
	if c.isOp(c.i, "*") || c.isName(c.i) && c.kind(c.i+1) == tokDot && c.isOp(c.i+2, "*") {
		return true
	}
	return c.tableRef(false)
}
