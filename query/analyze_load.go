package query

import "strconv"

// load is LOAD DATA [LOCAL] INFILE … INTO TABLE t …. Clauses behind the table that are not
// known leave Load nil: a server may know them.
func (c adminReader) load() bool {
	c.st.Kind = LoadData
	xml := c.accept("XML")
	if !xml && !c.accept("DATA") {
		c.st.Kind = Other
		return false
	}
	c.acceptAny("LOW_PRIORITY", "CONCURRENT")
	c.st.LocalFile = c.accept("LOCAL")
	if !c.accept("INFILE") || c.kind(c.i) != tokString {
		return false
	}
	c.i++
	c.acceptAny("REPLACE", "IGNORE")
	if !c.accept("INTO", "TABLE") || !c.tableRef(true) {
		return false
	}
	for i := c.i; i < len(c.toks); i++ {
		if c.is(i, "SELECT") {
			return false
		}
		c.st.UserVarAssign = c.st.UserVarAssign || c.kind(i) == tokUserVar
	}
	if !xml {
		c.st.TextBound = true
		before := *c.st
		if c.st.Load = loadReader(c).read(); c.st.Load == nil {
			*c.st = before
		}
	}
	c.i = len(c.toks)
	return true
}

// loadReader reads the clauses of LOAD DATA behind the table.
type loadReader struct{ *cursor }

func (c loadReader) read() *LoadInfo {
	in := &LoadInfo{FieldEnd: "\t", LineEnd: "\n", Escaped: "\\"}
	if c.mode.NoBackslashEscapes {
		in.Escaped = ""
	}
	if c.accept("PARTITION") {
		if c.kind(c.i) != tokOpen {
			return nil
		}
		c.i = c.next(c.i)
	}
	if c.accept("CHARACTER", "SET") || c.accept("CHAR", "SET") || c.accept("CHARSET") {
		switch {
		case c.kind(c.i) == tokString:
			in.Charset = lower([]byte(rawString(c.tokens, c.i)))
		case c.isName(c.i) || c.kind(c.i) == tokWord:
			in.Charset = lower([]byte(c.name(c.i)))
		default:
			return nil
		}
		c.i++
	}
	if c.acceptAny("FIELDS", "COLUMNS") != "" && !c.fields(in) || c.accept("LINES") && !c.lines(in) || !c.ignored(in) {
		return nil
	}
	in.FieldsAt = c.endOf(c.i)
	if c.kind(c.i) == tokOpen && !c.list(in) || c.accept("SET") && !c.sets(in) || !c.done() {
		return nil
	}
	return in
}

// text takes a string.
func (c loadReader) text(to *string) bool {
	if c.kind(c.i) != tokString || c.kind(c.i+1) == tokString {
		return false // X'…' is not told from names here; 'a' 'b' is one string to MySQL
	}
	*to = rawString(c.tokens, c.i)
	c.i++
	return true
}

func (c loadReader) fields(in *LoadInfo) bool {
	for n := 0; ; n++ {
		ok := true
		switch {
		case c.accept("TERMINATED", "BY"):
			ok = c.text(&in.FieldEnd)
		case c.accept("OPTIONALLY", "ENCLOSED", "BY"), c.accept("ENCLOSED", "BY"):
			ok = c.text(&in.Enclosed)
		case c.accept("ESCAPED", "BY"):
			ok = c.text(&in.Escaped)
		default:
			return n > 0
		}
		if !ok {
			return false
		}
	}
}

func (c loadReader) lines(in *LoadInfo) bool {
	for n := 0; ; n++ {
		ok := true
		switch {
		case c.accept("STARTING", "BY"):
			ok = c.text(&in.LineStart)
		case c.accept("TERMINATED", "BY"):
			ok = c.text(&in.LineEnd)
		default:
			return n > 0
		}
		if !ok {
			return false
		}
	}
}

// ignored is IGNORE n LINES.
func (c loadReader) ignored(in *LoadInfo) bool {
	from := c.i
	if !c.accept("IGNORE") {
		return true
	}
	if c.kind(c.i) != tokInt {
		return false
	}
	n, err := strconv.ParseUint(string(c.bytes(c.i)), 10, 64)
	c.i++
	if err != nil || c.acceptAny("LINES", "ROWS") == "" {
		return false
	}
	in.IgnoreLines, in.IgnoreSpan = n, c.span(from, c.i)
	return true
}

// list is ( column | @variable, … ).
func (c loadReader) list(in *LoadInfo) bool {
	from, end := c.i, int(c.pair[c.i])
	in.FieldsSpan = c.span(from, end+1)
	in.Fields = []LoadField{}
	for c.i++; c.i < end; {
		f := LoadField{Var: c.kind(c.i) == tokUserVar}
		ok := false
		if f.Var {
			f.Name, ok = c.userVar()
		} else {
			f.Name, ok = c.columnName()
		}
		if !ok || !c.acceptKind(tokComma) && c.i != end {
			return false
		}
		in.Fields = append(in.Fields, f)
	}
	c.i = end + 1
	return len(in.Fields) > 0 // MySQL takes () for all columns; MariaDB does, too
}

// columnName is [[schema.]table.]column.
func (c loadReader) columnName() (name string, ok bool) {
	for {
		if name, ok = c.ident(); !ok || !c.acceptKind(tokDot) {
			return name, ok
		}
	}
}

// sets is column = expression, ….
func (c loadReader) sets(in *LoadInfo) bool {
	var exprs [][2]int
	for {
		name, ok := c.columnName()
		if !ok || !c.acceptOp("=") && !c.acceptOp(":=") {
			return false
		}
		in.Sets = append(in.Sets, name)
		from := c.i
		for !c.done() && c.kind(c.i) != tokComma {
			c.i = c.next(c.i)
		}
		if c.i == from {
			return false
		}
		exprs = append(exprs, [2]int{from, c.i})
		for i := from; i < c.i; i++ {
			in.Assigns = in.Assigns || c.isOp(i, ":=")
			if c.kind(i) == tokUserVar {
				in.Reads = addWord(in.Reads, userVarName(c.tokens, i))
			}
		}
		if !c.acceptKind(tokComma) {
			return c.done() && c.expressions(exprs)
		}
	}
}
