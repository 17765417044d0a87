package mover

import (
	"fmt"
	"strconv"
	"strings"

	"sluice/backend"
	"sluice/binlog"
	"sluice/shard"
)

// column is one column of a moved table, as information_schema has it.
type column struct {
	name      string
	dataType  string // lower case: bigint, varchar …
	fullType  string // with length and attributes, as it was declared
	charset   string // of a string; "" for other types
	collation string
	unsigned  bool
	nullable  bool
	generated bool
	length    int    // of BINARY(n) in bytes
	index     int    // position in the table, from 0
	rest      string // what else its definition says
}

// kind says how a column's values are read and written so that they stay what they are.
type valueKind int

const (
	number  valueKind = iota // digits, as they are
	double                   // FLOAT and DOUBLE: as a DOUBLE with all its digits
	index                    // ENUM, SET, BIT: as an integer
	text                     // the bytes of its character set
	moment                   // dates and times
	spelled                  // UUID, INET: as text
	json                     // Oracle's JSON: as text in utf8mb4 (decimals.go)
)

func (c *column) kind(f flavor) valueKind {
	switch c.dataType {
	case "tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "year":
		return number
	case "float", "double":
		return double
	case "enum", "set", "bit":
		return index
	case "date", "datetime", "timestamp", "time":
		return moment
	case "uuid", "inet4", "inet6":
		return spelled
	case "json":
		if f == mysql {
			return json
		}
	}
	return text
}

// keyKinds are the types that a key column may have: those whose values package binlog reads
// and whose equality the bytes of both sides decide.
var keyTypes = map[string]bool{
	"tinyint": true, "smallint": true, "mediumint": true, "int": true, "bigint": true, "decimal": true, "year": true,
	"char": true, "varchar": true, "binary": true, "varbinary": true, "enum": true, "set": true,
	"date": true, "datetime": true, "timestamp": true,
}

// read is the expression that gives a value over the text protocol without loss.
func (c *column) read(f flavor) string {
	q := quote(c.name)
	switch c.kind(f) {
	case double: // the text of a FLOAT has six digits
		return q + "+0e0"
	case number:
		if strings.Contains(strings.ToLower(c.fullType), "zerofill") {
			return q + "+0" // without the zeros, as the binary log has it
		}
	case index:
		return q + "+0"
	}
	return q
}

// unique is a unique key.
type unique struct {
	name    string
	columns []int // into table.columns
	prefix  []int // characters of each that count; 0 is all
}

// table is a moved table with its definition.
type table struct {
	Table
	id      int
	flavor  flavor
	columns []column
	key     int      // index into uniques of the key by which rows are found
	uniques []unique // the primary key first
	shard   int      // column of the shard key; -1 for a whole table
	slotSQL string   // the slot of a row, in SQL
	rows    int64    // the server's estimate
}

type flavor int

const (
	mariadb flavor = iota
	mysql
)

func flavorOf(c *backend.Conn) flavor {
	if strings.Contains(c.ServerVersion(), "MariaDB") {
		return mariadb
	}
	return mysql
}

func (f flavor) String() string { return [...]string{"MariaDB", "MySQL"}[f] }

// quote makes an identifier.
func quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// literal makes a string literal of a name.
func literal(s string) string {
	return "'" + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), "'", "''") + "'"
}

func (t *table) sqlName() string { return quote(t.Schema) + "." + quote(t.Name) }

// keyColumns gives the columns of the key by which rows are found.
func (t *table) keyColumns() []int { return t.uniques[t.key].columns }

// errNoTable says that a server does not have a table.
type errNoTable struct{ server, table string }

func (e *errNoTable) Error() string {
	return fmt.Sprintf("the shard %s has no table %s", e.server, e.table)
}

// load reads a table's definition.
func load(c *backend.Conn, server string, of Table, id int) (*table, error) {
	t := &table{Table: of, id: id, flavor: flavorOf(c), shard: -1}
	where := " WHERE TABLE_SCHEMA = " + literal(of.Schema) + " AND TABLE_NAME = " + literal(of.Name)
	_, rows, err := c.Query("SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, COALESCE(CHARACTER_SET_NAME, ''), COALESCE(COLLATION_NAME, ''), IS_NULLABLE, " +
		"COALESCE(GENERATION_EXPRESSION, ''), COALESCE(CHARACTER_OCTET_LENGTH, 0), CONCAT_WS(' ', EXTRA, CONCAT('DEFAULT ', COLUMN_DEFAULT), GENERATION_EXPRESSION) FROM information_schema.COLUMNS" + where + " ORDER BY ORDINAL_POSITION")
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, &errNoTable{server, of.String()}
	}
	byName := make(map[string]int, len(rows))
	for i, r := range rows {
		col := column{
			name: string(r[0]), dataType: strings.ToLower(string(r[1])), fullType: string(r[2]), charset: string(r[3]), collation: string(r[4]),
			nullable: string(r[5]) == "YES", generated: len(r[6]) > 0, index: i, rest: string(r[8]),
		}
		col.unsigned = strings.Contains(strings.ToLower(col.fullType), "unsigned")
		col.length, _ = strconv.Atoi(string(r[7])) // no string: 0
		t.columns = append(t.columns, col)
		byName[strings.ToLower(col.name)] = i
		if !of.Whole && strings.EqualFold(col.name, of.Key) {
			t.shard = i
		}
	}
	if err := t.loadKeys(c, where, byName); err != nil {
		return nil, err
	}
	if t.shard >= 0 {
		t.slotSQL = slotOf(&t.columns[t.shard])
	}
	_, rows, err = c.Query("SELECT COALESCE(TABLE_ROWS, 0) FROM information_schema.TABLES" + where)
	if err == nil && len(rows) == 1 {
		t.rows, _ = strconv.ParseInt(string(rows[0][0]), 10, 64) // an estimate in any case
	}
	return t, err
}

// loadKeys reads the unique keys and chooses the one by which rows are found: the primary
// key, else the first that has no NULL, no prefix and no expression.
func (t *table) loadKeys(c *backend.Conn, where string, byName map[string]int) error {
	_, rows, err := c.Query("SELECT INDEX_NAME, COALESCE(COLUMN_NAME, ''), COALESCE(SUB_PART, 0) FROM information_schema.STATISTICS" + where +
		" AND NON_UNIQUE = 0 ORDER BY INDEX_NAME <> 'PRIMARY', INDEX_NAME, SEQ_IN_INDEX")
	if err != nil {
		return err
	}
	for _, r := range rows {
		name := string(r[0])
		if n := len(t.uniques); n == 0 || t.uniques[n-1].name != name {
			t.uniques = append(t.uniques, unique{name: name})
		}
		u := &t.uniques[len(t.uniques)-1]
		i, ok := byName[strings.ToLower(string(r[1]))]
		if !ok {
			i = -1 // an expression
		}
		n, _ := strconv.Atoi(string(r[2]))
		u.columns, u.prefix = append(u.columns, i), append(u.prefix, n)
	}
	t.key = -1
	for i := range t.uniques {
		if t.key < 0 && t.usable(&t.uniques[i]) {
			t.key = i
		}
	}
	return nil
}

// usable tells whether rows can be found by a key.
func (t *table) usable(u *unique) bool {
	for i, c := range u.columns {
		if c < 0 || u.prefix[i] != 0 {
			return false
		}
		if col := &t.columns[c]; col.nullable || col.generated || !keyTypes[col.dataType] {
			return false
		}
	}
	return true
}

// SlotSQL is the slot of a row in SQL, as shard.SlotOf computes it of the canonical form of
// its key: without trailing spaces where the collation does not count them.
func SlotSQL(key, dataType, charset, collation string) string {
	return slotOf(&column{name: key, dataType: dataType, charset: charset, collation: collation})
}

func slotOf(c *column) string {
	k := quote(c.name)
	if c.pads() {
		k = "TRIM(TRAILING ' ' FROM " + k + ")"
	}
	return "MOD(CRC32(" + k + ")," + strconv.Itoa(shard.Slots) + ")"
}

// pads tells whether trailing spaces of a string do not count.
func (c *column) pads() bool {
	return c.charset != "" && c.charset != "binary" && !strings.Contains(c.collation, "nopad") && !strings.Contains(c.collation, "_0900_")
}

// within is the condition that a row's slot is in the given ones; "TRUE" for a whole table.
func (t *table) within(slots []shard.Span) string {
	if t.shard < 0 {
		return "TRUE"
	}
	return Within(t.slotSQL, slots)
}

// Within is the condition that an expression is in the given slots.
func Within(slot string, slots []shard.Span) string {
	if len(slots) == 0 {
		return "FALSE"
	}
	var one, runs []string
	for _, s := range slots {
		if s.First == s.Last {
			one = append(one, strconv.Itoa(int(s.First)))
		} else {
			runs = append(runs, fmt.Sprintf("%s BETWEEN %d AND %d", slot, s.First, s.Last))
		}
	}
	if len(one) > 0 {
		runs = append(runs, slot+" IN ("+strings.Join(one, ",")+")")
	}
	return "(" + strings.Join(runs, " OR ") + ")"
}

// wanted are the columns that the stream is asked for: the key, then the shard key.
func (t *table) wanted() *binlog.Table {
	w := &binlog.Table{ID: t.id, Width: len(t.columns)}
	add := func(i int) {
		c := &t.columns[i]
		b := binlog.Column{Index: c.index, Unsigned: c.unsigned}
		if c.dataType == "binary" {
			b.Fill = c.length
		}
		w.Columns = append(w.Columns, b)
	}
	for _, i := range t.keyColumns() {
		add(i)
	}
	if t.shard >= 0 {
		add(t.shard)
	}
	return w
}
