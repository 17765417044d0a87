package query

// schemaReader reads statements about what a schema holds.
type schemaReader struct{ *cursor }

// schema is CREATE, ALTER, DROP, TRUNCATE, RENAME. They are read by their tokens: each server
// has its own dialect of them, and few words of it matter here.
func (c schemaReader) schema() bool {
	c.st.Kind = OtherDDL
	switch {
	case c.is(c.lo, "TRUNCATE"):
		c.st.Kind = TruncateTable
		c.accept("TABLE")
		return c.tableRef(true) && c.tail()
	case c.is(c.lo, "RENAME"):
		return c.rename()
	case c.is(c.lo, "DROP"):
		return c.drop()
	case c.is(c.lo, "ALTER"):
		return c.alter()
	}
	return c.create()
}

// tail takes WAIT n and NOWAIT, MariaDB's lock waits of DDL.
func (c schemaReader) tail() bool {
	c.lockWait()
	return c.done()
}

func (c *cursor) lockWait() {
	if c.acceptAny("WAIT", "NOWAIT") == "WAIT" {
		c.acceptKind(tokInt)
	}
}

func (c schemaReader) rename() bool {
	if c.acceptAny("TABLE", "TABLES") == "" {
		return c.accept("USER") // accounts: no table
	}
	c.st.Kind = RenameTable
	c.st.IfExists = c.accept("IF", "EXISTS")
	for {
		if !c.tableRef(true) {
			return false
		}
		c.lockWait()
		if !c.accept("TO") || !c.tableRef(true) {
			return false
		}
		if !c.acceptKind(tokComma) {
			return c.done()
		}
	}
}

func (c schemaReader) drop() bool {
	switch {
	case c.accept("PREPARE"):
		c.st.Kind, c.st.PrepareOp = PrepareText, "deallocate"
		return sessionReader(c).preparedName()
	case c.acceptAny("DATABASE", "SCHEMA") != "":
		return c.database()
	case c.accept("INDEX"):
		c.st.Kind = DropIndex
		c.st.IfExists = c.accept("IF", "EXISTS")
		if _, ok := c.ident(); !ok || !c.accept("ON") || !c.tableRef(true) {
			return false
		}
		return c.options()
	case c.acceptAny("VIEW", "SEQUENCE") != "":
		c.st.IfExists = c.accept("IF", "EXISTS")
		return c.tableList(true) && c.options()
	}
	c.st.Temporary = c.accept("TEMPORARY")
	if c.acceptAny("TABLE", "TABLES") != "" {
		c.st.Kind = DropTable
		c.st.IfExists = c.accept("IF", "EXISTS")
		if !c.tableList(true) {
			return false
		}
		c.lockWait()
		c.acceptAny("RESTRICT", "CASCADE")
		return c.done()
	}
	return c.noTable()
}

// noTable are statements about things that are no tables and hold none: accounts, roles,
// routines, triggers and events that are dropped.
func (c schemaReader) noTable() bool {
	kind := c.acceptAny("USER", "ROLE", "FUNCTION", "PROCEDURE", "TRIGGER", "EVENT", "PACKAGE", "SERVER")
	if kind == "" {
		return false
	}
	if kind == "PACKAGE" {
		c.accept("BODY")
	}
	c.st.IfExists = c.accept("IF", "EXISTS") || c.accept("IF", "NOT", "EXISTS")
	switch kind {
	case "FUNCTION", "PROCEDURE", "TRIGGER", "EVENT", "PACKAGE":
		if c.isName(c.i) && c.kind(c.i+1) == tokDot {
			c.st.Schema = c.name(c.i)
		}
	}
	c.i = len(c.toks)
	return true
}

// database is the name of CREATE, DROP and ALTER DATABASE with options.
func (c schemaReader) database() bool {
	c.st.IfExists = c.accept("IF", "EXISTS") || c.accept("IF", "NOT", "EXISTS")
	name, ok := c.ident()
	c.st.Schema = name
	return ok && c.options()
}

// options skips options in which no table can stand.
func (c schemaReader) options() bool {
	for ; !c.done(); c.i++ {
		if c.isAny(c.i, "SELECT", "REFERENCES", "UNION") {
			return false
		}
	}
	return true
}

func (c schemaReader) alter() bool {
	c.acceptAny("ONLINE", "OFFLINE")
	c.accept("IGNORE")
	switch {
	case c.acceptAny("DATABASE", "SCHEMA") != "":
		return c.database()
	case c.accept("SEQUENCE"):
		c.st.IfExists = c.accept("IF", "EXISTS")
		return c.tableRef(true) && c.options()
	case !c.accept("TABLE"):
		return c.acceptAny("USER", "SERVER") != "" && c.options()
	}
	c.st.Kind = AlterTable
	c.st.IfExists = c.accept("IF", "EXISTS")
	if !c.tableRef(true) {
		return false
	}
	c.lockWait()
	return c.alterations()
}

// alterations looks for the other tables that ALTER TABLE can name. One that does nothing but to rename is a
// RENAME TABLE.
func (c schemaReader) alterations() bool {
	begin := c.i
	for start := true; !c.done(); {
		switch {
		case c.isAny(c.i, "SELECT", "UNION"):
			return false
		case c.is(c.i, "REFERENCES"):
			if !c.reference() {
				return false
			}
		case c.seq(c.i, "WITH", "TABLE"): // EXCHANGE PARTITION p WITH TABLE t
			c.i += 2
			if !c.tableRef(true) {
				return false
			}
		case c.is(c.i, "TABLE"): // CONVERT PARTITION p TO TABLE t, CONVERT TABLE t TO PARTITION p
			return false
		case start && c.is(c.i, "RENAME") && !c.isAny(c.i+1, "COLUMN", "INDEX", "KEY", "CONSTRAINT"):
			alone := c.i == begin
			c.i++
			if c.acceptAny("TO", "AS") == "" {
				c.acceptOp("=")
			}
			if !c.tableRef(true) {
				return false
			}
			if alone && c.done() {
				c.st.Kind = RenameTable
			}
		case c.kind(c.i) == tokOpen:
			if !c.group() {
				return false
			}
		default:
			start = c.kind(c.i) == tokComma
			c.i++
			continue
		}
		start = false
	}
	return true
}

// group takes ( … ) and the references in it.
func (c schemaReader) group() bool {
	end := c.next(c.i)
	for c.i < end {
		switch {
		case c.is(c.i, "SELECT"):
			return false
		case c.is(c.i, "REFERENCES"):
			if !c.reference() {
				return false
			}
		default:
			c.i++
		}
	}
	return true
}

// reference is REFERENCES table of a foreign key.
func (c *cursor) reference() bool {
	c.i++
	if !c.tableRef(false) {
		return false
	}
	c.st.ForeignKeys = append(c.st.ForeignKeys, c.st.Tables[len(c.st.Tables)-1])
	return true
}
