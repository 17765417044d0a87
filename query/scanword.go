package query

// word puts a word into the fingerprint and follows the keywords that lists, rows and
// compound statements begin with.
func (c *scanner) word(t *token) {
	c.other(t)
	if t.name {
		return
	}
	w := c.src[t.start:t.end]
	if c.compound != compoundNever {
		c.followCompound(w)
	}
	switch len(w) {
	case 2:
		switch {
		case wordIs(w, "IN"):
			c.list.state = listWanted
		case wordIs(w, "ON"):
			c.noRows()
		}
	case 3:
		if wordIs(w, "SET") {
			c.noRows()
		}
	case 5:
		if wordIs(w, "VALUE") {
			c.wantRows()
		}
	case 6:
		switch {
		case wordIs(w, "VALUES"):
			c.wantRows()
		case wordIs(w, "SELECT"):
			c.noRows()
		}
	}
}

// noRows: from here on VALUES is the function of ON DUPLICATE KEY UPDATE, or part of a query.
func (c *scanner) noRows() {
	if c.depth == 0 && c.rows.state == rowsNone {
		c.rows.state = rowsOver
	}
}

func (c *scanner) wantRows() {
	if c.depth != 0 || c.rows.state != rowsNone {
		return
	}
	switch c.last.kind {
	case tokEnd, tokWord, tokQuoted, tokClose:
		c.rows.state = rowsWanted
	}
}

// compoundState finds the statements that hold other statements, with their semicolons.
type compoundState uint8

const (
	compoundStart      compoundState = iota // no word yet
	compoundNever                           // an ordinary statement
	compoundBegin                           // BEGIN; MariaDB has BEGIN NOT ATOMIC
	compoundDefinition                      // CREATE or ALTER of what is not known yet
	compoundRoutine                         // of something that has a body
	compoundBody                            // with statements in it
)

// holdsStatements says that a semicolon does not end the statement, or that only the server
// can tell whether it does.
func (c *scanner) holdsStatements() bool { return c.compound == compoundBody }

func (c *scanner) followCompound(w []byte) {
	switch c.compound {
	case compoundStart:
		c.compound = compoundNever
		switch {
		case wordIs(w, "CREATE"), wordIs(w, "ALTER"):
			c.compound = compoundDefinition
		case wordIs(w, "BEGIN"):
			c.compound = compoundBegin
		case isCompoundWord(w), wordIs(w, "FOR"):
			c.compound = compoundBody
		}
	case compoundBegin:
		c.compound = compoundNever
		if wordIs(w, "NOT") {
			c.compound = compoundBody
		}
	case compoundDefinition:
		switch {
		case wordIs(w, "PROCEDURE"), wordIs(w, "FUNCTION"), wordIs(w, "TRIGGER"), wordIs(w, "EVENT"), wordIs(w, "PACKAGE"):
			c.compound = compoundRoutine
		case wordIs(w, "TABLE"), wordIs(w, "VIEW"), wordIs(w, "INDEX"), wordIs(w, "DATABASE"), wordIs(w, "SCHEMA"):
			c.compound = compoundNever
		}
	case compoundRoutine:
		if isCompoundWord(w) || wordIs(w, "BEGIN") {
			c.compound = compoundBody
		}
	}
}

func isCompoundWord(w []byte) bool {
	for _, k := range [...]string{"IF", "CASE", "LOOP", "WHILE", "REPEAT"} {
		if wordIs(w, k) {
			return true
		}
	}
	return false
}
