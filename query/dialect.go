package query

import "slices"

// dialect takes out of a text what the parser does not know.
type dialect struct{ *analysis }

// cut takes out of the text what the parser does not know and what changes nothing
// of the rest's meaning: RETURNING of MariaDB, the INTO @x of SELECT, MySQL's name for the new
// row of an INSERT. What it takes is noted in the Statement.
func (a dialect) cut() {
	a.cutReturning()
	a.cutInto()
	a.cutRowAlias()
	a.cutValue()
	a.cutOuterJoin()
	a.hi = len(a.toks)
}

// cutReturning: its items are no part of the analysis but for the tables in its subqueries,
// so one with a subquery stays, and makes the statement opaque.
func (a dialect) cutReturning() {
	if !a.mode.MariaDB || !a.isAny(a.lo, "INSERT", "REPLACE", "DELETE", "WITH") {
		return
	}
	end := len(a.toks)
	at := a.find(a.lo, end, "RETURNING")
	if at == end || at == a.lo {
		return
	}
	for i := at; i < end; i++ {
		if a.isAny(i, "SELECT", "VALUES", "TABLE") || a.kind(i) == tokUserVar {
			return
		}
	}
	a.st.Returning = true
	for i := at; i < end; i++ {
		if a.isName(i) && a.kind(i+1) == tokOpen {
			if name := lower([]byte(a.name(i))); isBuiltin(name, a.mode) {
				a.st.function(name)
			} else {
				a.routine(name)
			}
		}
	}
	a.tokens = a.without(at, end)
}

// cutInto takes INTO @a, @b out of a SELECT.
func (a dialect) cutInto() {
	if !a.isAny(a.lo, "SELECT", "WITH") && a.kind(a.lo) != tokOpen {
		return
	}
	at := a.find(a.lo, len(a.toks), "INTO")
	if a.kind(at+1) != tokUserVar {
		return
	}
	end := at + 2
	for a.kind(end) == tokComma && a.kind(end+1) == tokUserVar {
		end += 2
	}
	a.st.Into, a.st.UserVarAssign = true, true
	a.tokens = a.without(at, end)
}

// cutRowAlias takes "AS new [(a, b)]" out of an INSERT: what ON DUPLICATE KEY UPDATE names
// with it are columns of the row to be inserted.
func (a dialect) cutRowAlias() {
	if a.mode.MariaDB || !a.is(a.lo, "INSERT") {
		return
	}
	end := len(a.toks)
	p, ok := cutInsert(a.tokens, a.lo, end)
	if !ok || !p.rowsOnly && !a.is(p.source, "SET") {
		return
	}
	at := a.find(p.source, p.dup, "AS")
	if at == p.dup || !a.isName(at+1) {
		return
	}
	to := at + 2
	alias := rowAlias{name: a.name(at + 1)}
	if a.kind(to) == tokOpen {
		for i := to + 1; i < int(a.pair[to]); i++ {
			if a.isName(i) {
				alias.columns = append(alias.columns, a.name(i))
			}
		}
		to = a.next(to)
	}
	if to == p.dup {
		a.newRow, a.tokens = alias, a.without(at, to)
	}
}

// rowAlias is MySQL's name for the new row of an INSERT, and for its columns.
type rowAlias struct {
	name    string
	columns []string // nil: the table's own names
}

// cutValue takes VALUE off VALUE(col) behind ON DUPLICATE KEY UPDATE, which MariaDB has
// besides VALUES(col): the column stays.
func (a dialect) cutValue() {
	if !a.mode.MariaDB || !a.is(a.lo, "INSERT") {
		return
	}
	p, ok := cutInsert(a.tokens, a.lo, len(a.toks))
	if !ok {
		return
	}
	for i := p.dup; i < len(a.toks); i++ {
		if a.is(i, "VALUE") && a.kind(i+1) == tokOpen {
			a.tokens = a.without(i, i+1)
		}
	}
}

// cutOuterJoin takes the braces off { OJ a LEFT JOIN b … }, as ODBC writes joins.
func (a dialect) cutOuterJoin() {
	for i := a.lo; i < len(a.toks); i++ {
		if !a.isOp(i, "{") || !a.is(i+1, "OJ") {
			continue
		}
		end := i + 2
		for depth := 1; end < len(a.toks); end++ {
			if a.isOp(end, "{") {
				depth++
			} else if a.isOp(end, "}") {
				if depth--; depth == 0 {
					break
				}
			}
		}
		if end < len(a.toks) {
			closed := append(a.closed, a.toks[end].end)
			a.tokens = a.without(end, end+1)
			a.tokens = a.without(i, i+2)
			a.closed = closed
		}
	}
}

// lockEnds are the tokens of locking clauses that the parser does not know: how long LOCK IN SHARE
// MODE waits, and all clauses behind the first. The query keeps them.
func lockEnds(a locks, lo int) (skip [][2]int) {
	for i := lo; i < len(a.toks); i++ {
		switch {
		case a.seq(i, "LOCK", "IN", "SHARE", "MODE"):
			if end := a.waitEnd(i + 4); end > i+4 {
				skip = append(skip, [2]int{i + 4, end})
			}
		case a.isLock(i):
			first := a.lockEnd(i)
			end := first
			for a.isLock(end) {
				end = a.lockEnd(end)
			}
			if end > first {
				skip = append(skip, [2]int{first, end})
			}
			i = end - 1
		}
	}
	return skip
}

// locks reads locking clauses.
type locks struct{ *tokens }

// isLock: FOR UPDATE or FOR SHARE begins at token i.
func (t locks) isLock(i int) bool { return t.is(i, "FOR") && t.isAny(i+1, "UPDATE", "SHARE") }

// lockEnd is where the FOR UPDATE or FOR SHARE at i ends.
func (t locks) lockEnd(i int) int {
	i += 2
	if t.is(i, "OF") {
		for i++; t.isName(i); i++ {
			if k := t.kind(i + 1); k != tokComma && k != tokDot {
				i++
				break
			}
			i++
		}
	}
	return t.waitEnd(i)
}

// waitEnd is where NOWAIT, SKIP LOCKED or WAIT n at i ends.
func (t locks) waitEnd(i int) int {
	switch {
	case t.is(i, "NOWAIT"):
		return i + 1
	case t.seq(i, "SKIP", "LOCKED"), t.is(i, "WAIT") && t.kind(i+1) == tokInt:
		return i + 2
	}
	return i
}

// manyLiterals: a list of fewer is not worth leaving out.
const manyLiterals = 8

// repetition are the tokens that the parser need not see, as they only repeat what stands
// before them: rows of VALUES and literals of IN lists. A dump's INSERT has thousands.
func repetition(a *text, lo int) [][2]int {
	skip := append(simpleRows(a.tokens, lo), lockEnds(locks{a.tokens}, lo)...)
	for _, h := range a.scan.Holes {
		if h.Count < manyLiterals || h.Stride != 1 {
			continue
		}
		first, last := a.at(int(a.scan.Literals[h.First].Start)), a.at(int(a.scan.Literals[h.First+h.Count-1].Start))
		if first < 1 || last != first+2*int(h.Count-1) || a.kind(first-1) != tokOpen || a.kind(last+1) != tokClose || !a.is(first-2, "IN") {
			continue
		}
		skip = append(skip, [2]int{first + 1, last + 1})
	}
	slices.SortFunc(skip, func(x, y [2]int) int { return x[0] - y[0] })
	return skip
}
