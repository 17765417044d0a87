package integration

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// piece is a part of a generated statement. It is left out when any of its groups is
// dropped; one without groups stays.
type piece struct {
	text   string // with a \x00 for each literal
	args   []literal
	groups []int
}

// literal is a value in a statement: written into the text, or a parameter.
type literal struct {
	param
	inline bool
}

// generated is a statement in pieces, so that it can be reduced.
type generated struct {
	pieces []piece
	groups int  // 1…groups can be dropped
	order  int  // group of a total ORDER BY; 0: none
	limit  int  // group of LIMIT; 0: none
	fold   bool // see comparison
	text   bool // not in the binary protocol
	second bool // of the scenario's second session, which neither writes nor locks
}

// statement renders what is left of it.
func (g *generated) statement(dropped map[int]bool) diffStatement {
	var b strings.Builder
	s := diffStatement{how: comparison{fold: g.fold, quiet: true}, textOnly: g.text, second: g.second}
	for _, p := range g.pieces {
		if slices.ContainsFunc(p.groups, func(n int) bool { return dropped[n] }) {
			continue
		}
		args := p.args
		for i, text := range strings.Split(p.text, "\x00") {
			switch {
			case i == 0:
			case args[i-1].inline || g.text:
				b.WriteString(args[i-1].literal())
			default:
				b.WriteByte('?')
				s.args = append(s.args, args[i-1].param)
			}
			b.WriteString(text)
		}
	}
	s.sql = b.String()
	switch {
	case g.order != 0 && !dropped[g.order]:
		s.how.order = ordered
	case g.limit != 0 && !dropped[g.limit]:
		s.how.order = onlySize
	}
	return s
}

// class is what a generator must know of a column's type.
type class int

const (
	integer class = iota
	unsigned
	binString // _bin or VARBINARY
	ciString
	decimal
	double
	float
	date
	datetime
	timeOfDay
	enumeration
	bits
	blob
	other // not compared or ordered: JSON, SET
)

type genColumn struct {
	name string
	class
	null bool
}

type genTable struct {
	name    string
	key     string // shard key; "": none
	primary []string
	columns []genColumn
}

var genTables = []genTable{
	{"t", "id", []string{"id"}, []genColumn{{"id", integer, false}, {"i", integer, true}, {"u", unsigned, true}, {"sb", binString, true}, {"ci", ciString, true},
		{"nm", ciString, true}, {"d", decimal, true}, {"f", double, true}, {"g", float, true}, {"dt", date, true}, {"ts", datetime, true}, {"tm", timeOfDay, true},
		{"e", enumeration, true}, {"st", other, true}, {"bt", bits, true}, {"bl", blob, true}, {"tx", ciString, true}, {"js", other, true}, {"yr", unsigned, true}, {"ti", integer, false}}},
	{"o", "uid", []string{"uid", "n"}, []genColumn{{"uid", integer, false}, {"n", integer, false}, {"amount", decimal, true}, {"code", ciString, true}, {"at", datetime, true}}},
	{"w", "k", []string{"k"}, []genColumn{{"k", unsigned, false}, {"a", integer, false}, {"b", ciString, false}, {"c", unsigned, true}, {"z", unsigned, true}}},
	{"x", "id", []string{"id"}, []genColumn{{"id", integer, false}, {"v", integer, true}, {"txt", ciString, true}}},
	{"s", "name", []string{"name"}, []genColumn{{"name", binString, false}, {"n", integer, true}, {"v", ciString, true}}},
	{"b", "k", []string{"k"}, []genColumn{{"k", binString, false}, {"n", integer, true}}},
	{"r", "", []string{"code"}, []genColumn{{"code", ciString, false}, {"name", ciString, false}, {"n", integer, true}}},
	{"p", "", nil, []genColumn{{"i", integer, true}, {"name", ciString, true}}},
}

func (t *genTable) column(name string) *genColumn {
	for i := range t.columns {
		if t.columns[i].name == name {
			return &t.columns[i]
		}
	}
	return nil
}

// generator makes statements from a seed.
type generator struct {
	*rand.Rand
	binary bool
	g      *generated
	made   []*generated
	queue  []func(*generator) // what has to come next
	repeat int                // how often the last statement comes again
	writes bool               // strings of a write's conditions are compared with strings: a strict server fails at the first row of those that it happens to look at
}

func (r *generator) oneIn(n int) bool { return r.IntN(n) == 0 }

func pick[T any](r *generator, values ...T) T { return values[r.IntN(len(values))] }

// add appends a piece; literal has left markers in its text.
func (r *generator) add(text string, groups ...int) {
	p := piece{groups: groups}
	for {
		before, rest, found := strings.Cut(text, "\x01")
		p.text += before
		if !found {
			break
		}
		var kind, value, inline string
		kind, rest, _ = strings.Cut(rest, "\x02")
		value, rest, _ = strings.Cut(rest, "\x02")
		inline, text, _ = strings.Cut(rest, "\x03")
		p.text += "\x00"
		p.args = append(p.args, literal{param{kind, value}, inline == "true"})
	}
	r.g.pieces = append(r.g.pieces, p)
}

// group gives the number of a new group.
func (r *generator) group() int {
	r.g.groups++
	return r.g.groups
}

// literal gives a marker for a value, which in prepared statements mostly is a parameter.
func (r *generator) literal(kind, value string) string {
	return fmt.Sprintf("\x01%s\x02%s\x02%v\x03", kind, value, !r.binary || r.oneIn(3))
}

// again gives a statement with other values: the same fingerprint and, prepared, the same statement.
func (r *generator) again(g *generated) *generated {
	other := *g
	other.pieces = slices.Clone(g.pieces)
	for i := range other.pieces {
		p := &other.pieces[i]
		p.args = slices.Clone(p.args)
		for j := range p.args {
			if a := &p.args[j]; !a.inline || !r.binary {
				a.value = r.otherValue(a.param)
			}
		}
	}
	return &other
}

func (r *generator) otherValue(p param) string {
	switch p.kind {
	case "int":
		if strings.HasPrefix(p.value, "-") {
			return fmt.Sprint(-1 - r.IntN(6))
		}
		return fmt.Sprint(r.IntN(50)) // a literal's sign is part of the statement's text
	case "uint":
		return pick(r, "0", "7", "18446744073709551615", fmt.Sprint(r.IntN(60)))
	case "double":
		return pick(r, "0.25", "4", "1e3")
	case "decimal":
		return pick(r, "1.005", "7", "0.001", "123456789.125")
	case "str":
		if len(p.value) > 7 { // a date or time
			return pick(r, p.value, "2020-01-01", "2021-06-15 12:34:56")
		}
		return pick(r, p.value, "abc", "e", "5", "a'b", "TWO", "10")
	}
	return p.value
}

// value gives a literal for a column: mostly of its type, sometimes of another.
func (r *generator) value(c *genColumn) string {
	if c.null && r.oneIn(15) {
		return r.literal("null", "")
	}
	cl := c.class
	// (A prepared statement of Oracle MySQL compares a date with what is none as it was first
	// executed: its answer depends on the values of earlier executions.)
	temporal := cl == date || cl == datetime || cl == timeOfDay
	strict := r.writes && (cl == binString || cl == ciString)
	if r.oneIn(12) && !(temporal && r.binary) && !strict {
		cl = class(r.IntN(int(other)))
	}
	switch cl {
	case integer:
		return r.integer()
	case unsigned:
		return r.literal("uint", pick(r, "0", "5", "9223372036854775808", "18446744073709551615", fmt.Sprint(r.IntN(60)), "8000", "27000"))
	case binString, ciString:
		return r.literal("str", pick(r, "abc", "ABC", "abc ", "", "e", "é", "Zoë", "5", "zz", "one", "TWO", "a'b", `a\b`, "two", "x", "y", "aa", "bb", "a"))
	case decimal:
		if c.class != decimal { // MariaDB rounds a fraction to the column's type, or does not, as it joins
			return r.literal("decimal", pick(r, "3", "5.0", "0"))
		}
		return r.literal("decimal", pick(r, "1.005", "-2.5", "0", "99.99", "2.500", "123456789.125"))
	case double, float:
		if c.class == integer || c.class == unsigned { // see integer
			return r.literal("double", pick(r, "3", "1e10"))
		}
		return r.literal("double", pick(r, "0.5", "-0.25", "3", "1e10", "2.5"))
	case date:
		return r.literal(pick(r, "str", "date"), pick(r, "2020-01-01", "1999-12-31", "2024-02-29"))
	case datetime:
		if r.oneIn(3) {
			return r.literal("datetime", pick(r, "2020-01-01 00:00:00", "2021-06-15 12:34:56.789000"))
		}
		return r.literal("str", pick(r, "2020-01-01 00:00:00", "2021-06-15 12:34:56.789", "2020-01-01"))
	case timeOfDay:
		return r.literal(pick(r, "str", "time"), pick(r, "00:00:00", "-12:30:00", "100:00:00"))
	case enumeration:
		return r.literal("str", pick(r, "small", "MEDIUM", "Big", "none"))
	default:
		return r.literal("blob", pick(r, "blob", "", "abc"))
	}
}

// integer gives a number in one of the ways in which clients write it. None is a fraction: by a key
// MariaDB finds 5 for key = 5.5, with IGNORE INDEX it does not.
func (r *generator) integer() string {
	n := r.IntN(56) - 6
	if r.oneIn(2) {
		n = r.IntN(12) - 2
	}
	switch r.IntN(24) {
	case 0:
		return r.literal("str", fmt.Sprint(n))
	case 1:
		return pick(r, "'5abc'", "' 5'", "'05'", "'5 '", "''", "'-0'", "0x05", "b'101'", "5e0", "5.0", "05", "-0", "+5", "- 5", "1+4", "(5)", "TRUE",
			"CAST(5 AS SIGNED)", "@nothing", "99999999999999999999", "-1", "'1e1'", "NULL", "_utf8mb4'5'", "(SELECT 5)")
	case 2:
		return r.literal("double", pick(r, "5", "-1"))
	default:
		return r.literal("int", fmt.Sprint(n))
	}
}

// condition gives a predicate on the columns of a table; prefix is empty or "alias.".
func (r *generator) condition(t *genTable, prefix string, depth int) string {
	c := pick(r, t.columns...)
	if t.key != "" && r.oneIn(2) {
		c = *t.column(t.key)
	}
	name := prefix + c.name
	n := r.IntN(16)
	if n < 6 && c.name != t.key && r.oneIn(2) {
		n = 9 + r.IntN(4)
	}
	switch {
	case n < 6:
		return name + " = " + r.value(&c)
	case n < 8:
		list := make([]string, 1+r.IntN(5))
		for i := range list {
			list[i] = r.value(&c)
		}
		return name + pick(r, " IN (", " IN (", " IN (", " NOT IN (") + strings.Join(list, ", ") + ")"
	case n == 8:
		return name + " BETWEEN " + r.bounds(&c)
	case n == 9:
		return name + pick(r, " IS NULL", " IS NOT NULL")
	case n == 10:
		return name + " <=> " + r.value(&c)
	case n < 13:
		return name + pick(r, " > ", " < ", " >= ", " <= ", " <> ") + r.value(&c)
	case n == 13 && depth > 0:
		return "(" + r.condition(t, prefix, depth-1) + pick(r, " OR ", " OR ", " AND ") + r.condition(t, prefix, depth-1) + ")"
	case n == 14 && depth > 0:
		return "NOT (" + r.condition(t, prefix, depth-1) + ")"
	default:
		return name + " LIKE " + r.literal("str", pick(r, "a%", "%c", "5", "_", "%"))
	}
}

// bounds gives those of BETWEEN. Of a string's none is a number when the other is a string: with
// a key MariaDB compares as strings what it compares as numbers without (MAX(k), MAX(n) of other
// rows with IGNORE INDEX than without).
func (r *generator) bounds(c *genColumn) string {
	mixed := r.writes
	r.writes = mixed || c.class == binString || c.class == ciString
	defer func() { r.writes = mixed }()
	return r.value(c) + " AND " + r.value(c)
}

// where adds a WHERE clause whose parts can be dropped.
func (r *generator) where(t *genTable, prefix string) {
	if r.oneIn(4) {
		return
	}
	all := r.group()
	r.add(" WHERE "+r.condition(t, prefix, 2), all)
	for range r.IntN(3) {
		r.add(" AND "+r.condition(t, prefix, 1), all, r.group())
	}
}

// expression gives a select item of a column.
func (r *generator) expression(c *genColumn, prefix string) string {
	name := prefix + c.name
	if !r.oneIn(4) {
		return name
	}
	switch c.class {
	case integer, decimal:
		if r.oneIn(2) {
			return pick(r, "ROUND("+name+" / 3, 2)", "GREATEST("+name+", 2)", "NULLIF("+name+", 3)", name+" DIV 2", "CAST("+name+" AS CHAR)", "COALESCE("+name+", 'none')", "IF("+name+" > 1, "+name+", 'n')",
				"ABS("+name+")", "SIGN("+name+")", name+" * 1.5", "FORMAT("+name+", 1)", name+" BETWEEN 1 AND 5", "HEX("+name+")", name+" / 0", "CAST("+name+" AS DECIMAL(10,1))", name+" IN (1, 2)")
		}
		return pick(r, name+" + 1", "-"+name, name+" * 2", "IFNULL("+name+", 0)", name+" IS NULL", "CASE WHEN "+name+" > 2 THEN 'a' ELSE 'b' END", name+" % 3", name+" / 4")
	case binString, ciString:
		if r.oneIn(2) {
			return pick(r, "CONCAT_WS('-', "+name+", 'x')", "REPLACE("+name+", 'a', 'bb')", "SUBSTRING("+name+", 2)", "LPAD("+name+", 6, '*')", "TRIM("+name+")", "REVERSE("+name+")", "INSTR("+name+", 'b')",
				"CHAR_LENGTH("+name+")", name+" LIKE 'a%'", name+" IN ('abc', 'e')", "IFNULL("+name+", 0)", name+" < 'b'", "MD5("+name+")", "ASCII("+name+")", "CAST("+name+" AS BINARY)")
		}
		return pick(r, "UPPER("+name+")", "LENGTH("+name+")", "CONCAT("+name+", '!')", "LEFT("+name+", 1)", name+" = 'abc'", "COALESCE("+name+", 'none')", "HEX("+name+")")
	case date, datetime:
		return pick(r, "YEAR("+name+")", "DATE("+name+")", name+" IS NULL", "DATE_FORMAT("+name+", '%m/%Y')", "DATE_ADD("+name+", INTERVAL 1 DAY)", "DATEDIFF("+name+", '2020-01-01')", "LAST_DAY("+name+")",
			"CAST("+name+" AS CHAR)", name+" + INTERVAL 1 MONTH", "EXTRACT(YEAR_MONTH FROM "+name+")", "TIMESTAMPDIFF(DAY, '2000-01-01', "+name+")", name+" + 0", "COALESCE("+name+", '2000-01-01')")
	case timeOfDay:
		return pick(r, "TIME_TO_SEC("+name+")", "HOUR("+name+")", "CAST("+name+" AS CHAR)", name+" + 0", "ADDTIME("+name+", '01:00:00')")
	case enumeration:
		return pick(r, name+" + 0", "UPPER("+name+")", name+" = 'small'", "CONCAT("+name+", '')")
	case bits:
		return pick(r, name+" + 0", "HEX("+name+")", "BIN("+name+")", name+" | 1")
	}
	return pick(r, name+" IS NULL", "IFNULL("+name+", 'x')")
}

// items adds select items, each but the first can be dropped.
func (r *generator) items(t *genTable, prefix string) {
	if r.oneIn(5) {
		r.add(prefix + "*")
		return
	}
	for i := range 1 + r.IntN(4) {
		c := pick(r, t.columns...)
		text := r.expression(&c, prefix)
		if r.oneIn(6) {
			text += pick(r, " AS ", " ") + pick(r, "q", "`a b`", "total", "id2")
		}
		if i == 0 {
			r.add(text)
		} else {
			r.add(", "+text, r.group())
		}
	}
}
