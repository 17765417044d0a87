package query

import "strings"

// showReader reads SHOW.
type showReader struct{ *cursor }

// show is SHOW …, of which any form is known by its words: ShowWhat.
func (c showReader) show() bool {
	c.st.Kind = Show
	for {
		switch w := c.acceptAny("FULL", "EXTENDED", "GLOBAL", "SESSION", "LOCAL"); w {
		case "":
			return c.showWhat() && c.showFilter() && c.done()
		case "FULL":
			c.st.ShowFull = true
		case "LOCAL":
			c.st.ShowScope = "session"
		case "GLOBAL", "SESSION":
			c.st.ShowScope = strings.ToLower(w)
		}
	}
}

func (c showReader) showWhat() bool {
	switch w := c.acceptAny("DATABASES", "SCHEMAS", "TABLES", "TRIGGERS", "EVENTS", "COLUMNS", "FIELDS", "INDEX",
		"INDEXES", "KEYS", "CREATE", "COUNT", "CHARSET"); w {
	case "DATABASES", "SCHEMAS":
		c.st.ShowWhat = "databases"
	case "TABLES", "TRIGGERS", "EVENTS":
		c.st.ShowWhat = strings.ToLower(w)
		return c.showSchema()
	case "COLUMNS", "FIELDS":
		c.st.ShowWhat = "columns"
		return c.showTable()
	case "INDEX", "INDEXES", "KEYS":
		c.st.ShowWhat = "index"
		return c.showTable()
	case "CREATE":
		return c.showCreate()
	case "COUNT":
		if c.kind(c.i) != tokOpen || !c.isOp(c.i+1, "*") || c.kind(c.i+2) != tokClose {
			return false
		}
		c.i += 3
		what := c.acceptAny("WARNINGS", "ERRORS")
		c.st.ShowWhat = "count " + strings.ToLower(what)
		return what != ""
	case "CHARSET":
		c.st.ShowWhat = "character set"
	default:
		return c.showWords()
	}
	return true
}

// showWords takes any other form: its words up to what follows them.
func (c showReader) showWords() bool {
	var words []string
	for w := c.word(); w != "" && w != "like" && w != "where" && w != "limit" && w != "from" && w != "in" && w != "for"; w = c.word() {
		words = append(words, w)
		c.i++
	}
	c.st.ShowWhat = strings.Join(words, " ")
	switch c.st.ShowWhat {
	case "table status", "open tables":
		return c.showSchema()
	case "":
		return false
	}
	switch words[0] {
	case "grants", "engine", "binlog", "relaylog", "profile", "explain", "analyze", "procedure", "function", "package",
		"master", "slave", "replica", "binary", "all":
		for !c.done() && !c.isAny(c.i, "LIKE", "WHERE") {
			c.i = c.next(c.i)
		}
		if words[0] == "engine" || words[0] == "profile" {
			c.st.ShowWhat = words[0]
		}
	}
	return true
}

// showSchema takes [FROM schema].
func (c showReader) showSchema() bool {
	if c.acceptAny("FROM", "IN") == "" {
		return true
	}
	name, ok := c.ident()
	c.st.Schema = name
	return ok
}

// showTable takes FROM table [FROM schema].
func (c showReader) showTable() bool {
	if c.acceptAny("FROM", "IN") == "" || !c.tableRef(false) || !c.showSchema() {
		return false
	}
	if c.st.Schema != "" {
		c.st.Tables[0].Schema = c.st.Schema
	} else {
		c.st.Schema = c.st.Tables[0].Schema
	}
	return true
}

func (c showReader) showCreate() bool {
	what := c.word()
	c.i++
	c.st.ShowWhat = "create " + what
	if c.accept("BODY") {
		c.st.ShowWhat += " body"
	}
	switch what {
	case "table", "view", "sequence":
		return c.tableRef(false)
	case "database", "schema":
		c.st.ShowWhat = "create database"
		c.st.IfExists = c.accept("IF", "NOT", "EXISTS")
		name, ok := c.ident()
		c.st.Schema = name
		return ok
	case "procedure", "function", "trigger", "event", "package":
		name, ok := c.ident()
		if ok && c.acceptKind(tokDot) {
			c.st.Schema = name
			_, ok = c.ident()
		}
		return ok
	case "user":
		c.i = len(c.toks)
		return true
	}
	return false
}

// showFilter takes LIKE, WHERE or LIMIT.
func (c showReader) showFilter() bool {
	switch {
	case c.accept("LIKE"):
		if c.kind(c.i) != tokString || c.kind(c.i+1) == tokString {
			return false
		}
		c.st.ShowHasLike, c.st.TextBound = true, true
		c.st.ShowLike = c.stringText(c.i)
		c.i++
	case c.accept("WHERE"):
		c.st.ShowWhere = true
		for ; !c.done(); c.i++ {
			if c.is(c.i, "SELECT") {
				return false
			}
		}
	case c.is(c.i, "LIMIT"):
		return c.showLimit()
	}
	return true
}

// showLimit notes LIMIT in a block of its own, with its values: SHOW WARNINGS is answered
// by Sluice.
func (c showReader) showLimit() bool {
	l := Limit{Has: true, Span: c.span(c.i, len(c.toks)), Offset: Value{Kind: ValOther}}
	switch n := len(c.toks) - c.i; {
	case n == 2:
		l.Count = c.literal(c.i + 1)
	case n == 4 && c.kind(c.i+2) == tokComma:
		l.HasOffset, l.Offset, l.Count = true, c.literal(c.i+1), c.literal(c.i+3)
	case n == 4 && c.is(c.i+2, "OFFSET"):
		l.HasOffset, l.Count, l.Offset = true, c.literal(c.i+1), c.literal(c.i+3)
	default:
		return false
	}
	c.i = len(c.toks)
	c.st.Blocks = []Block{{Parent: -1, Limit: l}}
	return true
}
