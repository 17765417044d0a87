package query

import (
	"strconv"
)

// special analyses the statements that are read without the parser. nil: it is none of
// them. One of them that is not understood is opaque with its Kind.
func (z *Analyzer) special(t *text, lo int) *Statement {
	if t.kind(lo) != tokWord {
		return nil
	}
	c := &cursor{text: t, z: z, lo: lo, i: lo + 1, st: &Statement{}}
	ok, known := c.byVerb()
	if !known {
		return nil
	}
	if c.st.Verb == "" {
		c.st.Verb = verbOf(t.tokens, lo)
	}
	if !ok && !c.st.Opaque {
		return makeOpaque(t, lo, c.st, "statement is not understood")
	}
	return c.st
}

// byVerb reads the statement behind its first word. known: that word decides.
func (c *cursor) byVerb() (ok, known bool) {
	switch lower(c.bytes(c.lo)) {
	case "use":
		return sessionReader{c}.use(), true
	case "begin":
		return sessionReader{c}.begin(), true
	case "start":
		return sessionReader{c}.start()
	case "commit", "rollback":
		return sessionReader{c}.endTransaction(), true
	case "savepoint":
		return sessionReader{c}.savepoint("savepoint"), true
	case "release":
		return c.accept("SAVEPOINT") && sessionReader{c}.savepoint("release"), true
	case "kill":
		return sessionReader{c}.kill(), true
	case "prepare", "execute", "deallocate":
		return sessionReader{c}.prepared(), true
	case "xa":
		c.st.Kind = XA
		return true, true
	case "set":
		return setReader{c}.set(), true
	case "show":
		return showReader{c}.show(), true
	case "explain", "describe", "desc":
		return adminReader{c}.explain(), true
	case "analyze", "optimize", "check", "checksum", "repair":
		return adminReader{c}.maintain(), true
	case "call":
		return adminReader{c}.callProcedure(), true
	case "load":
		return adminReader{c}.load(), true
	case "lock", "unlock", "flush":
		return adminReader{c}.lock(), true
	case "handler":
		c.st.Kind = Handler
		return c.tableRef(false), true
	case "create", "alter", "drop", "truncate", "rename":
		return schemaReader{c}.schema(), true
	case "grant", "revoke":
		return adminReader{c}.grant(), true
	case "binlog":
		c.st.AnyTable = true // rows of any table, in base64
		return false, true
	}
	return false, false
}

// sessionReader reads statements about transactions, the schema in use, connections and
// prepared statements.
type sessionReader struct{ *cursor }

func (c sessionReader) use() bool {
	c.st.Kind = Use
	name, ok := c.ident()
	c.st.Schema = name
	return ok && c.done()
}

func (c sessionReader) begin() bool {
	c.st.Kind = Begin
	c.accept("WORK")
	if !c.done() {
		c.st.Kind = Other // BEGIN NOT ATOMIC: a compound statement
	}
	return c.done()
}

// start is START TRANSACTION; START SLAVE and the like are not analysed.
func (c sessionReader) start() (ok, known bool) {
	if !c.accept("TRANSACTION") {
		return false, false
	}
	c.st.Kind = Begin
	from := c.i
	for !c.done() {
		switch {
		case c.accept("READ", "ONLY"):
			c.st.TxReadOnly = true
		case c.accept("READ", "WRITE"):
			c.st.TxReadWrite = true
		case c.accept("WITH", "CONSISTENT", "SNAPSHOT"):
			c.st.TxSnapshot = true
		default:
			return false, true
		}
		if !c.acceptKind(tokComma) {
			break
		}
	}
	c.st.TxText = string(c.span(from, c.i).Of(c.sql))
	return c.done() && c.kind(c.i-1) != tokComma && !(c.st.TxReadOnly && c.st.TxReadWrite), true
}

func (c sessionReader) endTransaction() bool {
	c.st.Kind = Commit
	rollback := c.is(c.lo, "ROLLBACK")
	if rollback {
		c.st.Kind = Rollback
	}
	c.accept("WORK")
	if rollback && c.accept("TO") {
		c.accept("SAVEPOINT")
		return c.savepoint("rollback")
	}
	switch {
	case c.accept("AND", "CHAIN"):
		c.st.Chain = true
	case c.accept("AND", "NO", "CHAIN"):
	}
	switch {
	case c.accept("RELEASE"):
		c.st.Release = true
	case c.accept("NO", "RELEASE"):
		c.st.NoRelease = true
	}
	return c.done() && !(c.st.Chain && c.st.Release)
}

func (c sessionReader) savepoint(op string) bool {
	c.st.Kind, c.st.SavepointOp = Savepoint, op
	name, ok := c.ident()
	c.st.Savepoint = name
	return ok && c.done()
}

// kill is KILL [HARD | SOFT] [CONNECTION | QUERY] id; MariaDB's KILL QUERY ID and KILL USER
// name something that only a server knows.
func (c sessionReader) kill() bool {
	c.st.Kind, c.st.TextBound = Kill, true
	c.acceptAny("HARD", "SOFT")
	c.st.KillQuery = c.acceptAny("CONNECTION", "QUERY") == "QUERY"
	id, ok := c.number()
	c.st.KillID = id
	return ok && c.done()
}

// number takes an integer.
func (c *cursor) number() (uint64, bool) {
	if c.kind(c.i) != tokInt {
		return 0, false
	}
	n, err := strconv.ParseUint(string(c.bytes(c.i)), 10, 64)
	c.i++
	return n, err == nil
}

func (c sessionReader) prepared() bool {
	c.st.Kind, c.st.PrepareOp, c.st.PrepareFrom.Kind = PrepareText, lower(c.bytes(c.lo)), ValOther
	if c.st.PrepareOp == "execute" && c.accept("IMMEDIATE") {
		c.st.PrepareOp = "execute immediate"
		return c.mode.MariaDB && c.prepareFrom() && c.prepareUsing() && c.done()
	}
	if c.st.PrepareOp == "deallocate" && !c.accept("PREPARE") {
		return false
	}
	return c.preparedName()
}

func (c sessionReader) preparedName() bool {
	name, ok := c.ident()
	c.st.PrepareName = name
	if !ok {
		return false
	}
	switch c.st.PrepareOp {
	case "prepare":
		return c.accept("FROM") && c.prepareFrom() && c.done()
	case "execute":
		return c.prepareUsing() && c.done()
	}
	return c.done()
}

func (c sessionReader) prepareUsing() bool {
	for c.accept("USING") || len(c.st.PrepareUsing) > 0 && c.acceptKind(tokComma) {
		v, ok := c.userVar()
		if !ok {
			return false // MariaDB takes any expression here
		}
		c.st.PrepareUsing = append(c.st.PrepareUsing, v)
	}
	return true
}

func (c sessionReader) prepareFrom() bool {
	switch c.kind(c.i) {
	case tokString:
		c.st.PrepareFrom = c.literal(c.i)
		c.st.PrepareSQL = rawString(c.tokens, c.i)
		c.st.TextBound = true
		c.i++
		return c.kind(c.i) != tokString
	case tokUserVar:
		v, ok := c.userVar()
		c.st.PrepareFromVar = v
		return ok
	}
	return false
}

// userVar takes @name and gives the name.
func (c *cursor) userVar() (string, bool) {
	if c.kind(c.i) != tokUserVar {
		return "", false
	}
	name := userVarName(c.tokens, c.i)
	c.i++
	return name, name != ""
}

// userVarName gives the name of an @variable, in lower case: it has none.
func userVarName(t *tokens, i int) string {
	b := t.bytes(i)[1:]
	if len(b) == 0 {
		return ""
	}
	switch b[0] {
	case '\'', '"':
		at := t.toks[i]
		b = Unquote(nil, t.sql, Literal{Span: Span{at.start + 1, at.end}, Kind: String}, t.mode)
	case '`':
		b = unquoteName(b)
	}
	return lower([]byte(decodeName(b, t.mode.Charset)))
}

// rawString gives the value of a string token in the client's character set.
func rawString(t *tokens, i int) string {
	at := t.toks[i]
	return string(Unquote(nil, t.sql, Literal{Span: Span{at.start, at.end}, Kind: String}, t.mode))
}
