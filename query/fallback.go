package query

// maxNames of an opaque statement; one with more is taken to name any table.
const maxNames = 1 << 14

// fallback is the Statement of a text that the parser does not know: the kind where the
// first word is certain of it, and every name that could be a table.
func fallback(t *text, lo int, reason string) *Statement {
	st := &Statement{Verb: verbOf(t.tokens, lo)}
	i := lo
	for t.kind(i) == tokOpen {
		i++
	}
	if t.is(i, "WITH") {
		i = mainVerb(t.tokens, i)
	}
	switch {
	case t.isAny(i, "SELECT"):
		st.Kind = Select
	case t.is(i, "INSERT"):
		st.Kind = Insert
	case t.is(i, "REPLACE"):
		st.Kind = Replace
	case t.is(i, "UPDATE"):
		st.Kind = Update
	case t.is(i, "DELETE"):
		st.Kind = Delete
	case t.isAny(i, "VALUES", "TABLE"):
		st.Kind = Values
	case t.is(i, "DO"):
		st.Kind = Do
	}
	makeOpaque(t, lo, st, reason)
	return st
}

// mainVerb finds the statement behind a WITH clause.
func mainVerb(t *tokens, i int) int {
	for ; i < len(t.toks); i = t.next(i) {
		if t.isAny(i, "SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE", "VALUES", "TABLE") {
			return i
		}
	}
	return i
}

// opaque makes st opaque, whatever was found of it before.
func makeOpaque(t *text, lo int, st *Statement, reason string) *Statement {
	st.Opaque, st.Reason = true, reason
	if st.Verb == "" {
		st.Verb = verbOf(t.tokens, lo)
	}
	st.Blocks, st.Predicates, st.Equalities, st.Insert, st.Sets, st.Calls = nil, nil, nil, nil, nil, nil
	st.ColumnDefs, st.ForeignKeys, st.CreateLike = nil, nil, nil
	apart := noTables(t, lo)
	if apart == nil {
		apart = func(int) bool { return false }
	}
	names, any := possibleTables(t, lo, apart)
	st.Tables, st.AnyTable = names, any || st.AnyTable
	noteFeatures(t, lo, st)
	if (st.Kind == Select || st.Kind == Values) && !st.AnyTable {
		findMentions(t, lo, st)
	}
	return st
}

// possibleTables gives every name that could be a table: a.b is table b of schema a, table a
// and table b; a.b.c also the column c of it, but not table c of a schema b.
// any: there are too many, or a text within the text can name further ones.
// Tokens that are apart are none.
func possibleTables(t *text, lo int, apart func(int) bool) (out []TableRef, any bool) {
	seen := map[[2]string]bool{}
	add := func(schema, name string, at Span) {
		key := [2]string{schema, name}
		if seen[key] {
			return
		}
		if any = any || name == "" || len(out) >= maxNames; !any {
			seen[key] = true
			out = append(out, TableRef{Schema: schema, Name: name, Span: at})
		}
	}
	for i := lo; i < len(t.toks); i++ {
		if !t.isName(i) {
			continue
		}
		if t.isAny(i, "IMMEDIATE", "PREPARE") {
			any = true
		}
		if apart(i) {
			continue
		}
		name := t.name(i)
		add("", name, t.span(i, i+1))
		if column := i >= lo+2 && t.kind(i-1) == tokDot && t.isName(i-2); !column && t.kind(i+1) == tokDot && t.isName(i+2) {
			add(name, t.name(i+2), t.span(i, i+3))
		}
	}
	return out, any
}

// noteFeatures finds what the tokens alone show, on the safe side: a name can be a function
// only before "(".
func noteFeatures(t *text, lo int, st *Statement) {
	st.Subquery, st.Into = false, false
	for i := lo; i < len(t.toks); i++ {
		st.Clock = st.Clock || t.isName(i) && isClock(lower([]byte(t.name(i)))) // some need no "("
		switch {
		case t.kind(i) == tokUserVar && t.isOp(i+1, ":="):
			st.UserVarAssign = true
		case t.kind(i) == tokSysVar:
			st.sysVar(t, i+1)
		case t.is(i, "SELECT") && i > lo:
			st.Subquery = true
		case t.is(i, "INTO") && st.Kind == Select:
			st.Into = true
			st.UserVarAssign = st.UserVarAssign || t.kind(i+1) == tokUserVar
		case t.is(i, "SQL_CALC_FOUND_ROWS"):
			st.CalcFoundRows = true
		case t.is(i, "UNION") || t.is(i, "INTERSECT") || t.is(i, "EXCEPT"):
			st.Union = true
		case t.isName(i) && t.kind(i+1) == tokOpen:
			st.function(lower([]byte(t.name(i))))
		}
	}
	st.CTE = t.is(lo, "WITH")
}

func (st *Statement) sysVar(t *text, i int) {
	if scopeOf(t, i) != "" && t.kind(i+1) == tokDot {
		i += 2
	}
	if i < len(t.toks) && t.isName(i) {
		st.SysVars = addWord(st.SysVars, lower([]byte(t.name(i))))
	}
}

func (st *Statement) function(name string) {
	switch {
	case isLockFunction(name):
		st.NamedLock = true
	case name == "sleep" || name == "benchmark":
		st.Sleep = true
	case isNondeterministic(name):
		st.Nondeterministic = true
	}
}

func addWord(list []string, w string) []string {
	for _, have := range list {
		if have == w {
			return list
		}
	}
	return append(list, w)
}
