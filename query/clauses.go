package query

// clauses are the token indexes of the clauses of a SELECT, UPDATE or DELETE, found by their
// reserved words at depth 0. An absent clause stands where the next one begins, so clause k
// is the tokens [at[k], at[k+1]).
type clauses struct {
	at  [numClauses + 1]int
	has [numClauses]bool
}

// The clauses in the only order in which they may be written.
const (
	clItems = iota
	clFrom
	clWhere
	clGroup
	clHaving
	clWindow
	clOrder
	clLimit
	clTail // PROCEDURE, INTO, FOR UPDATE, LOCK IN SHARE MODE
	numClauses
)

// cutClauses finds the clauses of [lo, hi). ok is false when they stand in another order
// than the grammar's.
func cutClauses(t *tokens, lo, hi int, window bool) (c clauses, ok bool) {
	c.has[clItems], c.at[clItems] = true, lo
	last := clItems
	mark := func(k, i int) bool {
		if k <= last {
			return k == clTail && last == clTail
		}
		for j := last + 1; j <= k; j++ {
			c.at[j] = i
		}
		c.has[k], last = true, k
		return true
	}
	for i := lo; i < hi; i = t.next(i) {
		if t.toks[i].kind != tokWord {
			continue
		}
		k := clauseWord(t, i, last, window)
		if k < 0 {
			continue
		}
		if !mark(k, i) {
			return c, false
		}
		if k == clGroup || k == clOrder {
			i++
		}
	}
	for j := last + 1; j <= numClauses; j++ {
		c.at[j] = hi
	}
	return c, true
}

// clauseWord says which clause the word begins; -1 when none. last is the clause it is in.
func clauseWord(t *tokens, i, last int, window bool) int {
	switch b := t.bytes(i); len(b) {
	case 3:
		if t.is(i, "FOR") && !t.isAny(i-1, "INDEX", "KEY") {
			return clTail
		}
	case 4:
		if t.is(i, "FROM") {
			return clFrom
		}
		if t.is(i, "INTO") || t.is(i, "LOCK") {
			return clTail
		}
	case 5:
		switch {
		case t.is(i, "WHERE"):
			return clWhere
		case t.is(i, "GROUP") && t.is(i+1, "BY") && !isIndexHint(t, i):
			return clGroup
		case t.is(i, "ORDER") && t.is(i+1, "BY") && !isIndexHint(t, i):
			return clOrder
		case t.is(i, "LIMIT"):
			return clLimit
		}
	case 6:
		if t.is(i, "HAVING") {
			return clHaving
		}
		if window && last < clWindow && t.is(i, "WINDOW") {
			return clWindow
		}
	case 9:
		if t.is(i, "PROCEDURE") {
			return clTail
		}
	}
	return -1
}

// isIndexHint: the word stands in USE INDEX FOR ORDER BY (…).
func isIndexHint(t *tokens, i int) bool {
	return t.is(i-1, "FOR") && t.isAny(i-2, "INDEX", "KEY")
}

// body is the token range of a clause without its n keywords.
func (c *clauses) body(k, n int) (lo, hi int) {
	if !c.has[k] {
		return c.at[k+1], c.at[k+1]
	}
	return c.at[k] + n, c.at[k+1]
}
