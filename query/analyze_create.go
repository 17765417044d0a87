package query

import "strings"

// create is CREATE …. Stored programs and views stay opaque: their bodies name tables, and
// run where they are called.
func (c schemaReader) create() bool {
	replace := c.accept("OR", "REPLACE")
	switch {
	case c.acceptAny("DATABASE", "SCHEMA") != "":
		return c.database()
	case c.acceptAny("USER", "ROLE", "SERVER") != "":
		c.st.IfExists = c.accept("IF", "NOT", "EXISTS")
		c.i = len(c.toks)
		return true
	}
	if c.isIndex() {
		return c.createIndex()
	}
	c.st.Temporary = c.accept("TEMPORARY")
	if c.accept("SEQUENCE") {
		c.st.IfExists = c.accept("IF", "NOT", "EXISTS")
		return c.tableRef(true) && c.options()
	}
	if !c.accept("TABLE") {
		return false
	}
	c.st.Kind = CreateTable
	c.st.OrReplace = replace
	c.st.IfExists = c.accept("IF", "NOT", "EXISTS")
	return c.tableRef(true) && tableDefinition(c).tableBody()
}

// isIndex takes the words before INDEX.
func (c schemaReader) isIndex() bool {
	i := c.i
	for c.isAny(i, "ONLINE", "OFFLINE", "UNIQUE", "FULLTEXT", "SPATIAL") {
		i++
	}
	if !c.is(i, "INDEX") {
		return false
	}
	c.i = i + 1
	return true
}

func (c schemaReader) createIndex() bool {
	c.st.Kind = CreateIndex
	c.st.IfExists = c.accept("IF", "NOT", "EXISTS")
	if _, ok := c.ident(); !ok {
		return false
	}
	if c.accept("USING") {
		c.i++
	}
	return c.accept("ON") && c.tableRef(true) && c.kind(c.i) == tokOpen && c.options()
}

// tableDefinition reads what follows the name in CREATE TABLE.
type tableDefinition struct{ *cursor }

// tableBody is what follows the name in CREATE TABLE.
func (c tableDefinition) tableBody() bool {
	if c.accept("LIKE") {
		return c.like() && c.done()
	}
	if c.kind(c.i) == tokOpen && c.is(c.i+1, "LIKE") {
		c.i += 2
		return c.like() && c.acceptKind(tokClose) && c.done()
	}
	if c.kind(c.i) == tokOpen && !startsQuery(c.tokens, c.i+1) {
		end := int(c.pair[c.i])
		if !c.definitions(c.i+1, end) {
			return false
		}
		c.i = end + 1
	}
	for !c.done() {
		switch {
		case startsQuery(c.tokens, c.i) || c.kind(c.i) == tokOpen && startsQuery(c.tokens, c.i+1):
			c.st.CreateSelect = true
			return c.selectPart()
		case c.is(c.i, "UNION"): // MERGE tables
			return false
		case c.is(c.i, "COLLATE"):
			c.st.TableCollate = c.optionName(c.i + 1)
			c.i++
		case c.is(c.i, "CHARSET"):
			c.st.TableCharset = c.optionName(c.i + 1)
			c.i++
		case c.is(c.i-1, "CHARACTER") && c.is(c.i, "SET"):
			c.st.TableCharset = c.optionName(c.i + 1)
			c.i++
		default:
			c.i = c.next(c.i)
		}
	}
	return true
}

func (c tableDefinition) like() bool {
	if !c.tableRef(false) {
		return false
	}
	ref := c.st.Tables[len(c.st.Tables)-1]
	c.st.CreateLike = &ref
	return true
}

func startsQuery(t *tokens, i int) bool {
	for t.kind(i) == tokOpen {
		i++
	}
	return t.isAny(i, "SELECT", "VALUES", "TABLE") || t.is(i, "WITH") && !t.isAny(i+1, "SYSTEM")
}

// selectPart analyses the query that fills a new table.
func (c tableDefinition) selectPart() bool {
	before := c.i - 1
	if c.is(before, "AS") {
		before--
	}
	rows := CreateRows{At: int(c.toks[c.i].start), Ignore: c.is(before, "IGNORE"), Replace: c.is(before, "REPLACE")}
	sub := c.z.statement(c.text, c.i)
	if sub.Opaque || sub.Kind != Select && sub.Kind != Values {
		return c.refuse(sub.Reason)
	}
	target, st := c.st.Tables, c.st
	own := *sub
	own.Kind, own.Verb, own.Tables = st.Kind, st.Verb, append(target, sub.Tables...)
	own.Temporary, own.IfExists, own.OrReplace = st.Temporary, st.IfExists, st.OrReplace
	own.ColumnDefs, own.CreateSelect, own.CreateRows, own.ForeignKeys = st.ColumnDefs, true, rows, st.ForeignKeys
	own.TableCharset, own.TableCollate = st.TableCharset, st.TableCollate
	*st = own
	return true
}

// definitions reads the columns and keys of CREATE TABLE, the tokens [c.lo, hi).
func (c tableDefinition) definitions(lo, hi int) bool {
	unique := map[string]bool{}
	for _, p := range c.list(lo, hi) {
		from, to := p[0], p[1]
		if from >= to {
			return false
		}
		if !c.references(from, to) {
			return false
		}
		if c.isKey(from) {
			c.keyColumns(from, to, unique)
			continue
		}
		if c.isAny(from, "CHECK", "LIKE") || c.seq(from, "PERIOD", "FOR") {
			continue
		}
		col, ok := c.columnDef(from, to)
		if !ok {
			return false
		}
		c.st.ColumnDefs = append(c.st.ColumnDefs, col)
	}
	for i := range c.st.ColumnDefs {
		d := &c.st.ColumnDefs[i]
		d.InPrimaryOrUnique = d.InPrimaryOrUnique || unique[strings.ToLower(d.Name)]
	}
	return len(c.st.ColumnDefs) > 0 || c.next(lo-1) < len(c.toks)
}

// references notes the tables of foreign keys.
func (c tableDefinition) references(from, to int) bool {
	at := c.i
	defer func() { c.i = at }()
	for c.i = from; c.i < to; {
		switch {
		case c.is(c.i, "SELECT"):
			return false
		case c.is(c.i, "REFERENCES"):
			if !c.reference() {
				return false
			}
		default:
			c.i = c.next(c.i)
		}
	}
	return true
}

func (c tableDefinition) isKey(i int) bool {
	return c.isAny(i, "CONSTRAINT", "PRIMARY", "UNIQUE", "KEY", "INDEX", "FULLTEXT", "SPATIAL", "FOREIGN")
}

// keyColumns notes the columns of PRIMARY KEY and UNIQUE.
func (c tableDefinition) keyColumns(from, to int, unique map[string]bool) {
	is := false
	for i := from; i < to; i = c.next(i) {
		if c.isAny(i, "FOREIGN", "CHECK") {
			return
		}
		is = is || c.isAny(i, "PRIMARY", "UNIQUE")
		if is && c.kind(i) == tokOpen {
			for _, k := range c.list(i+1, int(c.pair[i])) {
				if k[0] < k[1] && c.isName(k[0]) {
					unique[strings.ToLower(c.name(k[0]))] = true
				}
			}
			return
		}
	}
}

// columnDef reads one column: name, type, attributes.
func (c tableDefinition) columnDef(from, to int) (ColumnDef, bool) {
	var d ColumnDef
	if !c.isName(from) || from+1 >= to || c.kind(from+1) != tokWord && c.kind(from+1) != tokQuoted {
		return d, false
	}
	d.Name, d.Type = c.name(from), lower(c.bytes(from+1))
	i := from + 2
	switch {
	case d.Type == "serial":
		d.Type, d.Unsigned, d.AutoIncrement, d.InPrimaryOrUnique = "bigint", true, true, true
	case d.Type == "national":
		d.Charset = "utf8"
		if i < to {
			d.Type = lower(c.bytes(i))
			i++
		}
	case d.Type == "nchar" || d.Type == "nvarchar":
		d.Charset, d.Type = "utf8", d.Type[1:]
	}
	if d.Type == "char" || d.Type == "character" {
		d.Type = "char"
		if c.isAny(i, "VARYING") {
			d.Type = "varchar"
			i++
		}
	}
	for ; i < to; i = c.next(i) {
		c.columnAttribute(&d, i, to)
	}
	return d, true
}

func (c tableDefinition) columnAttribute(d *ColumnDef, i, to int) {
	switch {
	case c.isAny(i, "UNSIGNED", "ZEROFILL"):
		d.Unsigned = true
	case c.is(i, "BINARY"):
		d.Binary = true
	case c.is(i, "AUTO_INCREMENT"):
		d.AutoIncrement = true
	case c.is(i, "PRIMARY") || c.is(i, "UNIQUE") || c.is(i, "KEY") && !c.isAny(i-1, "PRIMARY", "UNIQUE", "FOREIGN"):
		d.InPrimaryOrUnique = true
	case c.is(i, "COLLATE") && i+1 < to:
		d.Collate = c.optionName(i + 1)
	case c.is(i, "CHARSET") && i+1 < to:
		d.setCharset(c.optionName(i + 1))
	case (c.seq(i, "CHARACTER", "SET") || c.seq(i, "CHAR", "SET")) && i+2 < to:
		d.setCharset(c.optionName(i + 2))
	case c.is(i, "ASCII"):
		d.Charset = "latin1"
	case c.is(i, "BYTE"):
		d.setCharset("binary")
	}
}

func (d *ColumnDef) setCharset(name string) {
	d.Charset = name
	d.Binary = d.Binary || name == "binary"
}

// optionName is the name of a character set or collation, which may be a string.
func (c *cursor) optionName(i int) string {
	if c.isOp(i, "=") {
		i++
	}
	switch c.kind(i) {
	case tokString:
		return strings.ToLower(c.stringText(i))
	case tokWord, tokQuoted:
		return strings.ToLower(c.name(i))
	}
	return ""
}
