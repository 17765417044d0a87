package router

import (
	"slices"
	"strings"
)

// words are the unquoted words of a statement, in lower case, and the marks between them. They
// are taken from the fingerprint, which has neither literals nor comments.
type words []string

// wordsOf cuts a fingerprint. Quoted names keep their quotes, so that they are no keyword.
func wordsOf(fingerprint []byte) words {
	out := spelledWords(fingerprint)
	for i, w := range out {
		if isWordByte(w[0]) {
			out[i] = strings.ToLower(w)
		}
	}
	return out
}

// spelledWords is wordsOf with every word in its own case.
func spelledWords(fingerprint []byte) words {
	var out words
	for i := 0; i < len(fingerprint); {
		c := fingerprint[i]
		n := 1
		switch {
		case c <= ' ':
			i++
			continue
		case isWordByte(c):
			for i+n < len(fingerprint) && isWordByte(fingerprint[i+n]) {
				n++
			}
		case c == '`' || c == '"' || c == '\'':
			n = quotedName(fingerprint[i:])
			out = append(out, string(fingerprint[i:i+n]))
			i += n
			continue
		}
		word := string(fingerprint[i : i+n])
		i += n
		if len(out) < maxWords || isFileWord(strings.ToLower(word)) {
			out = append(out, word)
		} else if word == "(" && isFileWord(strings.ToLower(out[len(out)-1])) {
			out = append(out, word)
		}
	}
	return out
}

// maxWords bounds what is kept of a statement: beyond it only the words that reach for the
// server's files, and what stands before a parenthesis.
const maxWords = 1 << 16

func isFileWord(word string) bool {
	return word == "outfile" || word == "dumpfile" || word == "load_file"
}

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c >= 0x80
}

func (w words) at(i int) string {
	if i < 0 || i >= len(w) {
		return ""
	}
	return w[i]
}

// index finds a word that is not a part of a qualified name.
func (w words) index(word string) int {
	for i, s := range w {
		if s == word && w.at(i-1) != "." && w.at(i-1) != "@" && w.at(i+1) != "." {
			return i
		}
	}
	return -1
}

// nameless tells whether an ALTER TABLE adds a key or a constraint without a name. (A second PRIMARY KEY, and a
// column that is there, are errors.)
func nameless(w words) bool {
	for i, s := range w {
		switch s {
		case "add":
		case "modify", "change":
			if c := w.clause(i); c.has("unique") || c.has("key") && !c.has("primary") || c.has("check") || c.has("references") {
				return true
			}
			continue
		default:
			continue
		}
		j := i + 1
		if w.at(j) == "constraint" {
			if j+1 < len(w) && isName(w[j+1]) && !slices.Contains(kindsOfKeys, w.at(j+1)) {
				continue
			}
			j++
		}
		from := j
		for slices.Contains(kindsOfKeys, w.at(j)) {
			j++
		}
		if w.at(j) == "using" {
			j += 2
		}
		if j > from && w.at(from) != "primary" && w.at(j) == "(" {
			return true
		}
	}
	return false
}

// kindsOfKeys are the words before the name of what ADD adds, where it is no column.
var kindsOfKeys = []string{"unique", "fulltext", "spatial", "foreign", "check", "index", "key", "primary"}

// clause gives what stands from i on, up to the comma that ends it.
func (w words) clause(i int) words {
	depth := 0
	for j := i; j < len(w); j++ {
		switch w[j] {
		case "(":
			depth++
		case ")":
			depth--
		case ",":
			if depth == 0 {
				return w[i:j]
			}
		}
	}
	return w[min(i, len(w)):]
}

func (w words) has(word string) bool { return w.index(word) >= 0 }

// defines tells whether a statement defines or drops what is no table, or gives privileges: it runs
// nothing of what it names.
func (w words) defines() bool {
	switch verbOf(w) {
	case "drop", "grant", "revoke", "rename":
		return true
	case "create", "alter":
		return definedBy(w) != ""
	}
	return false
}

// verbOf is the first word, also within an executable comment.
func verbOf(w words) string {
	for i, s := range w {
		if s[0] >= 'a' && s[0] <= 'z' && w.at(i+1) != "!" {
			return s
		}
	}
	return ""
}

// definedBy names the kind of what CREATE or ALTER defines, "" where it is a table, or has rows.
func definedBy(w words) string {
	for _, s := range w {
		switch s {
		case "table", "as", "select":
			return ""
		case "view", "procedure", "function", "trigger", "event", "package":
			return s
		}
	}
	return ""
}

// calls tells whether the word stands before a parenthesis.
func (w words) calls(word string) bool {
	for i, s := range w {
		if s == word && w.at(i+1) == "(" {
			return true
		}
	}
	return false
}

// follows tells whether a word stands right behind another one.
func (w words) follows(before, word string) bool {
	for i, s := range w {
		if s == word && w.at(i-1) == before {
			return true
		}
	}
	return false
}

// aggregates tells whether a text calls an aggregate function.
func aggregates(text []byte) bool {
	w := wordsOf(text)
	for i, s := range w {
		if w.at(i+1) == "(" && isAggregate(s) {
			return true
		}
	}
	return false
}

func isAggregate(name string) bool {
	switch name {
	case "count", "sum", "avg", "min", "max", "group_concat", "bit_and", "bit_or", "bit_xor", "std", "stddev", "stddev_pop",
		"stddev_samp", "var_pop", "var_samp", "variance", "json_arrayagg", "json_objectagg", "any_value", "grouping", "approx_count_distinct", "st_collect":
		return true
	}
	return false
}

// isRandomOrder tells whether a text is RAND().
func isRandomOrder(text []byte) bool {
	w := wordsOf(text)
	return len(w) == 3 && w[0] == "rand" && w[1] == "(" && w[2] == ")"
}

// random tells whether a text calls a function that answers otherwise each time.
func random(text string) bool {
	w := wordsOf([]byte(text))
	for _, f := range [...]string{"rand", "uuid", "uuid_short", "random_bytes", "sys_guid", "nextval"} {
		if w.calls(f) {
			return true
		}
	}
	return false
}

// mentions tells whether a text has one of the names as a word of its own.
func mentions(text []byte, name string) bool {
	for _, s := range wordsOf(text) {
		if strings.EqualFold(strings.Trim(s, "`\""), name) {
			return true
		}
	}
	return false
}

// aliases gives the names, in lower case, that only ever qualify columns: they stand
// somewhere without being qualified or qualifying, and nowhere before a dot where a table is named.
func (w words) aliases() map[string]bool {
	out := map[string]bool{}
	tables := map[string]bool{}
	context := ""
	trigger, joined := w.has("trigger"), false
	for i, s := range w {
		switch s {
		case "from", "join", "straight_join", "update", "into", "table", "tables", "references", "delete", "insert", "call", "handler", "on",
			"select", "where", "set", "values", "group", "order", "having", "limit", "using", "returning":
			context = s
			if joined = joined || s == "join" || s == "straight_join"; joined && s == "on" {
				context = "using" // a condition, as behind it
			}
			continue
		}
		if !isWordByte(s[0]) && s[0] != '`' && s[0] != '"' || w.at(i-1) == "." {
			continue
		}
		name := strings.ToLower(strings.Trim(s, "`\""))
		switch {
		case w.at(i+1) != ".":
			out[name] = true
		case w.at(i+3) == "(" || w.namesTables(context, i):
			tables[name] = true
		case trigger && (name == "new" || name == "old"): // its rows
			out[name] = true
		}
	}
	for name := range tables {
		delete(out, name)
	}
	return out
}

// namesTables tells whether a table may be named at i: behind FROM and its like, or after
// a comma behind a join condition.
func (w words) namesTables(context string, i int) bool {
	switch context {
	case "select", "where", "set", "values", "group", "order", "having", "limit", "returning", "":
		return false
	case "on":
		return w.at(i-1) == "," || w.at(i-1) == "on"
	case "using":
		return w.at(i-1) == ","
	}
	return true
}

// schemasOfFunctions gives the names that qualify a function or a sequence.
func (w words) schemasOfFunctions() (out []string) {
	for _, i := range w.qualifiedFunctions() {
		out = append(out, unquoted(w[i]))
	}
	return out
}

// mayCall gives the names of functions and procedures that may be called, in lower case, and those that
// qualify procedures without arguments.
func (w words) mayCall() (names, schemas []string) {
	add := func(i int) {
		if name := strings.ToLower(unquoted(w.at(i))); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for i := range w {
		switch {
		case w.at(i+1) == "(":
			add(i)
		case w.at(i) == "call" && w.at(i+2) == ".":
			schemas = append(schemas, unquoted(w.at(i+1)))
			add(i + 3)
		case w.at(i) == "call":
			add(i + 1)
		}
	}
	return names, schemas
}

// qualifiedFunctions finds these names.
func (w words) qualifiedFunctions() (at []int) {
	for i, s := range w {
		if w.at(i+1) != "." || w.at(i-1) == "." || s == "." {
			continue
		}
		sequence := w.at(i-1) == "for" && w.at(i-2) == "value" ||
			w.at(i-1) == "(" && (w.at(i-2) == "nextval" || w.at(i-2) == "lastval" || w.at(i-2) == "setval") ||
			w.at(i+3) == "." && (w.at(i+4) == "nextval" || w.at(i+4) == "currval")
		if w.at(i+3) == "(" || sequence {
			at = append(at, i)
		}
	}
	return at
}

// ranks tells whether the value of MATCH (…) AGAINST (…) is used, and not only whether it is true.
func (w words) ranks() bool {
	for i := range w {
		if w.at(i) != "match" || w.at(i+1) != "(" {
			continue
		}
		before, after := i-1, w.close(i+1)+1
		if w.at(after) == "against" {
			after = w.close(after+1) + 1
		}
		for w.at(before) == "(" && w.at(after) == ")" {
			before, after = before-1, after+1
		}
		for w.at(before) == "(" {
			before--
		}
		for w.at(after) == ")" {
			after++
		}
		switch w.at(before) {
		case "where", "or", "not", "xor", "on":
		case "and":
			if w.bounds(before) {
				return true
			}
		default:
			return true
		}
		switch w.at(after) {
		case "", "and", "or", "xor", "group", "having", "order", "limit", "for", "lock", "union", "window", "returning", "into":
		default:
			return true
		}
	}
	return false
}

// bounds tells whether the AND at i may be that of BETWEEN.
func (w words) bounds(i int) bool {
	depth := 0
	for i--; i >= 0 && depth >= 0; i-- {
		switch word := w.at(i); {
		case word == ")":
			depth++
		case word == "(":
			depth--
		case depth > 0:
		case word == "between", word == "end": // CASE may have an AND of its own
			return true
		case word == "and", word == "where", word == "on", word == "having":
			return false
		}
	}
	return false
}

// close gives the end of the parentheses that open at i.
func (w words) close(i int) int {
	for depth := 0; i < len(w); i++ {
		switch w[i] {
		case "(":
			depth++
		case ")":
			if depth--; depth <= 0 {
				return i
			}
		}
	}
	return i
}
