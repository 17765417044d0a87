package query

import "slices"

// literal puts a placeholder for a literal.
func (c *scanner) literal(t *token) {
	c.leaveRows()
	kind := t.kind.literal()
	switch {
	case c.list.state == listValue && (c.list.first == len(c.Literals) || c.list.kind == kind):
		c.list.state, c.list.kind = listNext, kind
	default:
		c.list.state = noList
	}
	if kind == Param {
		c.Params++
	}
	c.separate(t)
	c.lastAt = len(c.Fingerprint)
	c.Fingerprint = append(c.Fingerprint, '?', kindLetters[kind])
	c.Holes = append(c.Holes, Hole{First: int32(len(c.Literals)), Count: 1})
	c.Literals = append(c.Literals, Literal{Span{t.start, t.end}, kind})
}

const kindLetters = "idsxp"

// stringIsValue says whether a string can only be a value where it stands. Elsewhere it may
// be an alias, whose text decides what ORDER BY means.
func (c *scanner) stringIsValue() bool {
	switch c.last.kind {
	case tokOpen, tokComma, tokOp:
		return true
	case tokWord:
		return !c.last.name && takesString(c.src[c.last.start:c.last.end])
	}
	return false
}

// takesString: reserved words, and those of temporal literals, behind which a string is a
// value. A word that is missing here only costs fingerprints.
func takesString(w []byte) bool {
	switch len(w) {
	case 4:
		if wordIs(w, "DATE") || wordIs(w, "TIME") {
			return true
		}
	case 6:
		if wordIs(w, "BINARY") {
			return true
		}
	case 9:
		if wordIs(w, "TIMESTAMP") {
			return true
		}
	}
	return isValueWord(w)
}

// verbatimString keeps a string in the fingerprint. One that follows a string literal makes
// one value with it, so the literal is taken back.
func (c *scanner) verbatimString(t *token) {
	c.list.state = noList
	c.leaveRows()
	if c.last.kind == tokString {
		n := len(c.Literals) - 1
		start := c.Literals[n].Start
		c.Literals, c.Holes = c.Literals[:n], c.Holes[:len(c.Holes)-1]
		c.Fingerprint = append(c.Fingerprint[:c.lastAt], c.src[start:t.end]...)
		c.written = tokVerbatim
	} else {
		c.copyToken(t)
	}
	c.count()
	c.last = *t
	c.last.kind = tokVerbatim
}

// inList follows IN ( literal, literal … ).
type inList struct {
	state listState
	kind  LiteralKind
	first int // its first literal
	at    int // where its first placeholder stands in the fingerprint
}

type listState uint8

const (
	noList     listState = iota
	listWanted           // behind IN
	listValue            // behind "(" or ",": a literal must follow
	listNext             // behind a literal: "," or ")" must follow
)

func (c *scanner) open(t *token) {
	row := c.rows.state == rowsWanted || c.rows.state == rowsNext
	if !row {
		c.leaveRows()
	}
	c.copyToken(t)
	if c.depth++; c.depth > maxDepth {
		c.fail(ErrTooDeep)
	}
	if c.list.state == listWanted && c.rows.state != rowsInside {
		c.list = inList{state: listValue, first: len(c.Literals), at: len(c.Fingerprint)}
	} else {
		c.list.state = noList
	}
	if row {
		c.beginRow(t)
	}
}

func (c *scanner) close(t *token) {
	if c.list.state == listNext {
		c.collapseList()
	}
	c.list.state = noList
	c.leaveRows()
	c.copyToken(t)
	if c.depth > 0 {
		c.depth--
	}
	if c.depth == 0 && c.rows.state == rowsInside {
		c.endRow(t)
	}
}

func (c *scanner) comma(t *token) {
	if c.list.state == listNext {
		c.list.state = listValue
	} else {
		c.list.state = noList
	}
	if c.depth == 0 {
		c.chain = 0
	}
	if c.rows.state == rowsAfter {
		c.rows.state = rowsNext
	} else {
		c.leaveRows()
	}
	c.copyToken(t)
}

func (c *scanner) collapseList() {
	n := len(c.Literals) - c.list.first
	c.Fingerprint = append(c.Fingerprint[:c.list.at], '?', kindLetters[c.list.kind], '+')
	c.Holes = append(c.Holes[:len(c.Holes)-n], Hole{First: int32(c.list.first), Count: int32(n), Stride: 1})
}

// rowSet follows VALUES ( … ), ( … ). As long as all rows look like the first one, only that
// one is in the fingerprint.
//
//	rowsNone ─VALUES→ rowsWanted ─(→ rowsInside ─)→ rowsAfter ─,→ rowsNext ─(→ rowsInside
//	    └──ON, SET, SELECT, a comment that runs, anything else──→ rowsOver
type rowSet struct {
	state   rowsState
	literal int // the first literal of the first row
	hole    int // and its hole
	perRow  int // literals in the first row
	start   int // the first row in the fingerprint
	end     int
	current int   // the current row in the fingerprint
	text    int32 // the current row in the text
}

type rowsState uint8

const (
	rowsNone rowsState = iota
	rowsWanted
	rowsInside
	rowsAfter
	rowsNext
	rowsOver
)

// beginRow is called when the row's "(" is in the fingerprint.
func (c *scanner) beginRow(t *token) {
	r := &c.rows
	r.state, r.text = rowsInside, t.start
	r.current = len(c.Fingerprint) - 1
	if len(c.Rows) == 0 {
		r.start, r.literal, r.hole = r.current, len(c.Literals), len(c.Holes)
	}
}

// endRow is called when the row's ")" is in the fingerprint.
func (c *scanner) endRow(t *token) {
	r := &c.rows
	r.state = rowsAfter
	c.Rows = append(c.Rows, Span{r.text, t.end})
	switch {
	case len(c.Rows) == 1:
		r.end, r.perRow = len(c.Fingerprint), len(c.Literals)-r.literal
		c.RowsCollapsed = r.perRow > 0
	case !c.RowsCollapsed:
	case r.current == r.end+len(", ") && string(c.Fingerprint[r.start:r.end]) == string(c.Fingerprint[r.current:]):
		c.Fingerprint = c.Fingerprint[:r.end]
		c.Holes = c.Holes[:r.hole+r.perRow]
	default:
		c.expandRows(len(c.Rows) - 1)
	}
}

// leaveRows is called for every token that does not continue a set of rows.
func (c *scanner) leaveRows() {
	switch c.rows.state {
	case rowsAfter:
		if c.RowsCollapsed {
			c.sealRows()
		}
	case rowsNext:
		c.expandRows(len(c.Rows))
	case rowsWanted:
	default:
		return
	}
	c.rows.state = rowsOver
}

// endRows is called at the end of the statement.
func (c *scanner) endRows() {
	if c.rows.state == rowsInside {
		c.expandRows(len(c.Rows))
	}
	c.leaveRows()
}

// dropRows gives up on rows before or among which a comment stands that the server runs:
// the texts of the rows would not be texts of their own.
func (c *scanner) dropRows() {
	switch c.rows.state {
	case rowsOver:
		return
	case rowsInside, rowsAfter, rowsNext:
		c.expandRows(len(c.Rows))
		c.Rows = c.Rows[:0]
	}
	c.rows.state = rowsOver
}

func (c *scanner) sealRows() {
	r := &c.rows
	c.Fingerprint = append(c.Fingerprint, '+')
	for i := range c.Holes[r.hole:] {
		c.Holes[r.hole+i].Count = int32(len(c.Rows))
		c.Holes[r.hole+i].Stride = int32(r.perRow)
	}
}

// expandRows undoes the collapse of n rows, behind whose one shape other tokens may stand.
func (c *scanner) expandRows(n int) {
	if !c.RowsCollapsed {
		return
	}
	c.RowsCollapsed = false
	r := &c.rows
	row := r.end - r.start
	extra := (n - 1) * (row + 2)
	if extra > 0 {
		tail := len(c.Fingerprint) - r.end
		c.Fingerprint = slices.Grow(c.Fingerprint, extra)[:len(c.Fingerprint)+extra]
		copy(c.Fingerprint[r.end+extra:], c.Fingerprint[r.end:r.end+tail])
		for at := r.end; at < r.end+extra; at += row + 2 {
			at := copy(c.Fingerprint[at:], ", ") + at
			copy(c.Fingerprint[at:], c.Fingerprint[r.start:r.end])
		}
		c.lastAt += extra
	}
	c.Holes = c.Holes[:r.hole]
	for i := r.literal; i < len(c.Literals); i++ {
		c.Holes = append(c.Holes, Hole{First: int32(i), Count: 1})
	}
}
