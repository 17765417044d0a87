package query

// cursor reads the tokens of a statement whose grammar is simple enough to be read without
// the parser, which knows the session and schema statements of one server's dialect only.
type cursor struct {
	*text
	z  *Analyzer
	lo int // where the statement begins
	i  int
	st *Statement
}

// accept takes the words if they are the next tokens.
func (c *cursor) accept(words ...string) bool {
	if c.seq(c.i, words...) {
		c.i += len(words)
		return true
	}
	return false
}

// acceptAny takes one of the words and gives it, "" when none is next.
func (c *cursor) acceptAny(words ...string) string {
	for _, w := range words {
		if c.accept(w) {
			return w
		}
	}
	return ""
}

func (c *cursor) acceptOp(op string) bool {
	if c.isOp(c.i, op) {
		c.i++
		return true
	}
	return false
}

func (c *cursor) acceptKind(k tokenKind) bool {
	if c.kind(c.i) == k {
		c.i++
		return true
	}
	return false
}

func (c *cursor) done() bool { return c.i >= len(c.toks) }

// ident takes a name.
func (c *cursor) ident() (string, bool) {
	if !c.isName(c.i) {
		return "", false
	}
	c.i++
	return c.name(c.i - 1), true
}

// tableRef takes [schema.]table and adds it to the statement's tables.
func (c *cursor) tableRef(target bool) bool {
	from := c.i
	ref := TableRef{Target: target}
	if !c.isName(c.i) {
		return false
	}
	ref.Name = c.name(c.i)
	c.i++
	if c.kind(c.i) == tokDot {
		if !c.isName(c.i + 1) {
			return false
		}
		ref.Schema, ref.Name = ref.Name, c.name(c.i+1)
		c.i += 2
	}
	ref.Span = c.span(from, c.i)
	c.st.Tables = append(c.st.Tables, ref)
	return true
}

// tableList takes tables with commas between them.
func (c *cursor) tableList(target bool) bool {
	for {
		if !c.tableRef(target) {
			return false
		}
		if !c.acceptKind(tokComma) {
			return true
		}
	}
}

// word gives the next token as a lower-case word, "" when it is none.
func (c *cursor) word() string {
	if c.kind(c.i) != tokWord || c.toks[c.i].name {
		return ""
	}
	return lower(c.bytes(c.i))
}

// lower brings a keyword to lower case.
func lower(b []byte) string {
	out := make([]byte, len(b))
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		out[i] = c
	}
	return string(out)
}
