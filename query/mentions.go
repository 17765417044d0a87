package query

// mentions finds the tables of a SELECT that the parser does not know, by its tokens alone:
// the names that stand where only a table can. It gives up where anything is in doubt.
//
// A level is what stands between parentheses:
//
//	query level   SELECT … FROM t, u AS x JOIN ( join level ) ON f( other level ) WHERE …
type mentions struct {
	*text
	st     *Statement
	levels []level
	ctes   map[string]bool
	alias  map[int]bool // tokens that are aliases or tables, not mentions of a name elsewhere
	apart  map[int]bool // tokens that stand where no table can
	kept   map[int]bool // those of sequences
	listed bool         // the outermost select list has been seen
	of     []int        // by mention: the query that it stands in
	count  int          // of queries
}

// level is one pair of parentheses, or the statement itself.
type level struct {
	query  bool // it has a SELECT of its own
	union  bool // and more than one
	number int  // of the query, from 1 on
	from   bool // within FROM
	expect bool // a table must come next
	sure   bool // no table can stand here but in a subquery: select list, WHERE and what follows, arguments
	item   int  // first token of the select item under way, of the outermost query; -1 elsewhere
}

// findMentions fills Mentions and MentionItems of an opaque SELECT, and takes out of Tables what
// stands where no table can; or it leaves them as they are.
func findMentions(t *text, lo int, st *Statement) {
	m := &mentions{text: t, st: st, levels: []level{{item: -1}}, ctes: map[string]bool{}, alias: map[int]bool{}, apart: map[int]bool{}, kept: map[int]bool{}}
	m.findCTEs(lo)
	i, ok := lo, true
	for i < len(t.toks) && ok {
		i, ok = m.step(i)
	}
	if ok && len(m.levels) == 1 {
		m.endItem(i)
		ok = m.noOthers(lo)
	}
	if !ok || len(m.levels) != 1 {
		st.Mentions, st.MentionItems, st.MentionLock, st.MentionCalls, st.MentionPast = nil, nil, Span{}, nil, false
		return
	}
	m.findKeys(lo)
	st.Tables, st.AnyTable = possibleTables(t, lo, func(i int) bool { return m.apart[i] })
}

// findCTEs notes what WITH defines: name [(…)] AS ( query ).
func (m *mentions) findCTEs(lo int) {
	for i := lo + 1; i < len(m.toks); i++ {
		if !m.isName(i) || !m.isAny(i-1, "WITH", "RECURSIVE") && m.kind(i-1) != tokComma {
			continue
		}
		j := i + 1
		if m.kind(j) == tokOpen {
			j = m.next(j)
		}
		if m.is(j, "AS") && m.kind(j+1) == tokOpen {
			m.ctes[lower([]byte(m.name(i)))] = true
			m.alias[i] = true
		}
	}
}

// step takes the token at i and gives the next one.
func (m *mentions) step(i int) (next int, ok bool) {
	top := &m.levels[len(m.levels)-1]
	m.apart[i] = m.apart[i] || top.sure && !m.kept[i]
	switch {
	case m.kind(i) == tokOpen:
		inner := level{item: -1, number: top.number}
		first := i + 1
		for m.kind(first) == tokOpen {
			first++
		}
		switch {
		case top.expect && !m.isAny(first, "SELECT", "WITH", "VALUES", "TABLE"):
			inner.from, inner.expect = true, true
		case top.expect && first > i+1: // a query in parentheses, or a join that begins with one
		default:
			inner.sure = true
		}
		top.expect = false
		m.levels = append(m.levels, inner)
		return i + 1, len(m.levels) < maxDepth
	case m.kind(i) == tokClose:
		if len(m.levels) == 1 || top.expect {
			return i, false
		}
		m.levels = m.levels[:len(m.levels)-1]
		if j := i + 1; m.levels[len(m.levels)-1].from {
			if m.is(j, "AS") {
				j++
			}
			if m.isAlias(j) { // of a derived table
				m.alias[j], m.apart[j] = true, true
			}
		}
		return i + 1, true
	case m.kind(i) == tokComma:
		if top.expect {
			return i, false
		}
		top.expect = top.from && !isIndexHint(m.tokens, i)
		if top.item >= 0 {
			m.endItem(i)
			top.item = i + 1
		}
		return i + 1, true
	case top.expect && m.is(i, "LATERAL"), top.expect && m.isOp(i, "{") && m.is(i+1, "OJ"):
		return i + 1, true
	case top.expect && m.is(i, "OJ") && m.isOp(i-1, "{"):
		return i + 1, true
	case m.isAny(i, "NEXTVAL", "LASTVAL", "SETVAL") && m.kind(i+1) == tokOpen && m.isName(i+2) && m.mode.MariaDB && !top.expect:
		end, ok := m.table(i + 2) // a sequence
		for k := i + 2; k < end; k++ {
			m.kept[k] = true
		}
		return i + 1, ok
	case m.is(i, "TABLE") && m.beginsQuery(i) && m.isName(i+1): // as SELECT * FROM
		m.endItem(i)
		m.begin(top)
		top.from, m.st.TableForm = true, true
		next, ok := m.table(i + 1)
		top.from = false
		return next, ok
	case top.expect && m.isName(i) && !m.isAny(i, "SELECT", "FROM", "JOIN", "WHERE", "TABLE", "VALUES"):
		top.expect = false
		return m.table(i)
	case top.expect:
		return i, false
	}
	return i + 1, m.word(i, top)
}

// word looks at a keyword outside of a table's place.
func (m *mentions) word(i int, top *level) bool {
	switch {
	case m.is(i, "SELECT"):
		if top.item >= 0 {
			m.endItem(i)
		}
		m.begin(top)
		if len(m.levels) == 1 && !m.listed {
			top.item, m.listed = skipOptions(m.tokens, i+1), true
		}
	case m.is(i, "FROM") && top.query:
		m.endItem(i)
		top.item = -1
		top.from, top.expect, top.sure = true, true, false
	case m.is(i, "VALUES") && m.startsQuery(i):
		m.begin(top)
	case top.from && m.isAny(i, "JOIN", "STRAIGHT_JOIN") && !m.is(i-1, "FOR"):
		top.expect = true
	case m.isAny(i, "TABLE", "VALUES", "HANDLER", "PREPARE", "IMMEDIATE") && m.kind(i-1) != tokDot:
		return false // TABLE t: not looked for
	case m.is(i, "FOR") && !m.isAny(i-1, "INDEX", "KEY") && !m.is(i+1, "ORDINALITY"), m.is(i, "LOCK") && m.is(i+1, "IN"):
		return m.lock(i, top)
	case top.from && m.isAny(i, "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "UNION", "EXCEPT", "INTERSECT", "MINUS", "WINDOW",
		"PROCEDURE", "INTO", "FETCH", "OFFSET") && !isIndexHint(m.tokens, i) && m.kind(i-1) != tokDot:
		top.from = false
		top.sure = m.isAny(i, "WHERE", "HAVING", "LIMIT") || m.isAny(i, "GROUP", "ORDER") && m.is(i+1, "BY")
	case m.kind(i+1) == tokOpen && m.isName(i) && !m.mayStandBefore(i):
		if !top.sure || m.kind(i-1) == tokDot {
			return false
		}
		m.st.MentionCalls = addWord(m.st.MentionCalls, lower([]byte(m.name(i))))
	}
	return true
}

// begin takes the first word of a query.
func (m *mentions) begin(top *level) {
	m.count++
	*top = level{query: true, union: top.query, sure: true, item: -1, number: m.count}
}

// lock takes a locking clause of the whole query, or of a subquery: it ends it, and names no tables.
func (m *mentions) lock(i int, top *level) bool {
	end := i
	switch l := (locks{m.tokens}); {
	case l.isLock(i) && !m.is(i+2, "OF"):
		end = l.lockEnd(i)
	case m.seq(i, "LOCK", "IN", "SHARE", "MODE"):
		end = l.waitEnd(i + 4)
	}
	if inner := len(m.levels) > 1; inner && !top.union && m.kind(end) == tokClose {
		for k := range m.st.Mentions {
			if m.of[k] == top.number {
				m.st.Mentions[k].Lock = m.span(i, end)
			}
		}
		top.from, top.sure = false, true
		return true
	} else if inner || end != len(m.toks) || m.st.Union || m.st.Kind != Select {
		return false
	}
	m.endItem(i)
	m.st.MentionLock = m.span(i, end)
	top.item, top.from, top.sure = -1, false, true
	return true
}

// startsQuery tells whether a query begins with token i, which is VALUES: MariaDB has no ROW before
// its rows, and other places are those of the function.
func (m *mentions) startsQuery(i int) bool {
	return (m.kind(i+1) == tokOpen || m.is(i+1, "ROW")) && m.beginsQuery(i)
}

// beginsQuery tells whether a query can begin at token i.
func (m *mentions) beginsQuery(i int) bool {
	return i == 0 || m.kind(i-1) == tokOpen || m.isAny(i-1, "UNION", "EXCEPT", "INTERSECT", "MINUS", "ALL", "DISTINCT")
}

// mayStandBefore tells whether a name before "(" is a built-in function, or a word that can
// stand there; any other may be a stored function, which reads tables by itself.
func (m *mentions) mayStandBefore(i int) bool {
	if m.alias[i] || m.kind(i-1) == tokDot && m.kind(i) != tokQuoted {
		return m.alias[i]
	}
	name := lower([]byte(m.name(i)))
	if top := m.levels[len(m.levels)-1]; top.from && m.kind(i-1) == tokClose || m.is(i-1, "AS") && m.kind(i-2) == tokClose {
		if !m.isAny(i, "IN", "ON", "USING", "AND", "OR") {
			return true // a derived table's alias before the names of its columns, or no function at all
		}
	}
	if m.kind(i) == tokQuoted {
		return false
	}
	if !m.mode.MariaDB && m.isAny(i, "SYSTEM", "BERNOULLI") && m.is(i-1, "TABLESAMPLE") {
		return true
	}
	if m.mode.MariaDB && m.isAny(i, "COLUMN_CREATE", "COLUMN_ADD", "COLUMN_GET", "COLUMN_DELETE", "ANALYSE") {
		return true
	}
	return isBuiltin(name, m.mode) || m.isAny(i, "IN", "AND", "OR", "XOR", "NOT", "ON", "USING", "AS", "ANY", "ALL", "SOME", "OVER", "BY", "WITHIN", "FROM", "JOIN",
		"SELECT", "WHERE", "HAVING", "WHEN", "THEN", "ELSE", "CASE", "BETWEEN", "LIKE", "RLIKE", "REGEXP", "UNION", "EXCEPT", "INTERSECT", "INDEX", "KEY",
		"DISTINCT", "GROUP", "COLUMNS", "PATH", "DIV", "MOD", "IS", "OF", "AGAINST", "LIMIT", "SEPARATOR", "BINARY", "CHAR", "VARCHAR", "DECIMAL",
		"NUMERIC", "INT", "BIGINT", "FLOAT", "DOUBLE", "DATETIME", "TIME", "TIMESTAMP", "VARBINARY", "BIT", "ORDER", "MINUS", "INTERVAL", "LATERAL",
		"ROLLUP", "CUBE", "MEMBER", "FILTER")
}

// table takes [schema.]table at i, with its alias.
func (m *mentions) table(i int) (next int, ok bool) {
	ref := TableRef{Name: m.name(i)}
	from := i
	if i++; m.kind(i) == tokDot {
		if !m.isName(i + 1) {
			return i, false
		}
		ref.Schema, ref.Name = ref.Name, m.name(i+1)
		i += 2
	}
	if m.kind(i) == tokOpen { // JSON_TABLE( … )
		return from + 1, m.is(from, "JSON_TABLE")
	}
	ref.Span = m.span(from, i)
	m.alias[i-1] = true
	if m.is(i, "PARTITION") && m.kind(i+1) == tokOpen {
		i = m.next(i + 1)
	}
	past := m.mode.MariaDB && m.is(i, "FOR") && m.is(i+1, "SYSTEM_TIME")
	if m.is(i, "PARTITION") || m.is(i, "FOR") && !past && !(locks{m.tokens}).isLock(i) || ref.Name == "" {
		return i, false
	}
	switch {
	case past: // the time follows, and an alias that is not looked for
		m.st.MentionPast = true
		i += 2
	case m.is(i, "AS") && m.isName(i+1):
		ref.Alias = m.name(i + 1)
		m.alias[i+1], m.apart[i+1] = true, true
		i += 2
	case m.isAlias(i):
		ref.Alias = m.name(i)
		m.alias[i], m.apart[i] = true, true
		i++
	}
	if ref.Schema == "" && m.ctes[lower([]byte(ref.Name))] {
		return i, true
	}
	m.st.Mentions = append(m.st.Mentions, ref)
	m.of = append(m.of, m.levels[len(m.levels)-1].number)
	return i, true
}

// isAlias tells whether token i, behind a table or derived table, is its alias.
func (m *mentions) isAlias(i int) bool {
	return m.isName(i) && !m.isAny(i, "ON", "USING", "JOIN", "INNER", "LEFT", "RIGHT", "CROSS", "NATURAL", "STRAIGHT_JOIN", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT",
		"UNION", "EXCEPT", "INTERSECT", "MINUS", "WINDOW", "USE", "IGNORE", "FORCE", "PROCEDURE", "INTO", "LOCK", "FETCH", "OFFSET", "FULL", "OUTER", "END", "TABLESAMPLE", "FOR")
}

// endItem notes a select item of the outermost query that ends before token i, unless it
// has an alias, or may have.
func (m *mentions) endItem(i int) {
	from := m.levels[0].item
	if len(m.levels) != 1 || from < 0 || from >= i {
		return
	}
	if m.is(i-2, "AS") || m.isName(i-1) && (m.kind(i-2) == tokClose || i-2 >= from && m.isName(i-2)) {
		return
	}
	m.st.MentionItems = append(m.st.MentionItems, m.span(from, i))
}

// noOthers sees that the names of the tables stand nowhere else but before and behind dots:
// a mention that was overlooked would be read on one shard only.
func (m *mentions) noOthers(lo int) bool {
	names := map[string]bool{}
	for _, r := range m.st.Mentions {
		names[lower([]byte(r.Name))] = true
		if m.ctes[lower([]byte(r.Name))] {
			return false
		}
	}
	qualifiers := map[string]bool{}
	for _, r := range m.st.Mentions {
		q := r.Alias
		if q == "" {
			q = r.Name
		}
		qualifiers[lower([]byte(q))] = true
	}
	for i := range m.alias {
		qualifiers[lower([]byte(m.name(i)))] = true
	}
	for i := lo; i < len(m.toks); i++ { // qualifier.column, of tables that are known
		if m.isName(i) && !m.alias[i] && m.kind(i+1) == tokDot && m.isName(i+2) && !m.alias[i+2] && m.kind(i-1) != tokDot && qualifiers[lower([]byte(m.name(i)))] {
			m.apart[i], m.apart[i+2] = true, true
		}
	}
	for i := lo; i < len(m.toks); i++ {
		if !m.isName(i) || m.alias[i] || m.apart[i] || !names[lower([]byte(m.name(i)))] || m.kind(i+1) == tokDot {
			continue
		}
		if m.kind(i-1) == tokDot && m.isName(i-2) && qualifiers[lower([]byte(m.name(i-2)))] {
			continue // a column of that name
		}
		return false
	}
	return true
}
