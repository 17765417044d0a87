package integration

import (
	"fmt"
	"strings"
)

// insert makes an INSERT or REPLACE of one row or several.
func (r *generator) insert() {
	switch r.IntN(7) {
	case 6:
		t := pick(r, genTables[1], genTables[3])
		r.add("INSERT " + pick(r, "", "IGNORE ") + "INTO x (id, v) SELECT " + t.key + pick(r, "", "", " + 500") + ", " + pick(r, "1", "NULL", t.key) + " FROM " + t.name)
		if t.name == "o" {
			r.add(" WHERE n = 1")
		} else {
			r.where(&t, "")
		}
	case 0, 1:
		r.insertRows("x", []string{"id", "v", "txt"}, " ON DUPLICATE KEY UPDATE "+pick(r, "v = v + 1", "v = VALUES(v)", "txt = 'dup', v = 7", "id = VALUES(id), v = 3", "id = LAST_INSERT_ID(id), v = v + 1", "v = 4, id = id"))
	case 2:
		r.insertRows("w", []string{"k", "a", "b", "c"}, " ON DUPLICATE KEY UPDATE "+pick(r, "a = 5", "b = VALUES(b)", "k = LAST_INSERT_ID(k), a = 6", "k = VALUES(k), c = 8", "k = 7"))
	case 3:
		r.insertRows("o", []string{"uid", "n", "amount", "code"}, " ON DUPLICATE KEY UPDATE "+pick(r, "amount = amount + 1", "uid = VALUES(uid), n = VALUES(n), amount = 2"))
	case 4:
		r.insertRows("s", []string{"name", "n", "v"}, " ON DUPLICATE KEY UPDATE n = 99")
	default:
		r.insertRows(pick(r, "r", "a", "p", "t"), nil, "")
	}
}

// otherColumns are what is inserted into the tables whose rows need care.
var otherColumns = map[string][]string{"r": {"code", "name", "n"}, "a": {"uid", "name"}, "p": {"i", "name"}, "t": {"id", "i", "d", "ci", "sb"}}

func (r *generator) insertRows(table string, columns []string, onDuplicate string) {
	if columns == nil {
		columns = otherColumns[table]
	}
	verb := pick(r, "INSERT INTO ", "INSERT INTO ", "INSERT INTO ", "INSERT IGNORE INTO ", "REPLACE INTO ")
	if table == "a" || table == "p" || table == "r" {
		verb = "INSERT INTO " // REPLACE of generated ids, and by two unique keys, is not certain
	}
	r.add(verb + table + " (" + strings.Join(columns, ", ") + ") VALUES ")
	n := 1
	if r.oneIn(2) {
		n += r.IntN(5)
	}
	for i := range n {
		values := make([]string, len(columns))
		for j, c := range columns {
			values[j] = r.insertValue(table, c)
		}
		row := "(" + strings.Join(values, ", ") + ")"
		if i == 0 {
			r.add(row)
		} else {
			r.add(", "+row, r.group())
		}
	}
	if onDuplicate != "" && verb == "INSERT INTO " && r.oneIn(3) {
		r.add(onDuplicate, r.group())
	}
}

// insertValue gives a value that mostly fits.
func (r *generator) insertValue(table, column string) string {
	switch {
	case table == "s" && column == "name":
		return r.literal("str", pick(r, "abc", "new", "neu", "Neu", "é", "x  ", "", "日本", "55", fmt.Sprint("n", r.IntN(50))))
	case table == "r" && column == "code":
		return r.literal("str", pick(r, "de", "xx", "y1", "z", fmt.Sprint(r.IntN(90))))
	case table == "r" && column == "n":
		return r.literal("int", fmt.Sprint(r.IntN(300)))
	case column == "id" || column == "uid" || column == "k":
		if r.oneIn(10) {
			return r.integer()
		}
		return r.literal("int", fmt.Sprint(r.IntN(120)))
	case column == "n":
		return r.literal("int", fmt.Sprint(r.IntN(9)))
	case column == "a":
		return r.literal("int", fmt.Sprint(r.IntN(140)))
	case column == "c":
		return pick(r, "NULL", "DEFAULT", r.literal("int", fmt.Sprint(r.IntN(1000))))
	case column == "d" || column == "amount":
		return pick(r, r.literal("decimal", "1.5"), r.literal("double", "2.25"), "NULL", "3")
	case column == "v" || column == "i":
		if table == "s" {
			return r.literal("str", pick(r, "a", "A", "b"))
		}
		return pick(r, "NULL", "DEFAULT", r.literal("int", fmt.Sprint(r.IntN(9))), r.literal("str", fmt.Sprint(r.IntN(9))), "1 + 1")
	default:
		return r.literal("str", pick(r, "one", "TWO", "a'b", `a\b`, "é", "", "x"))
	}
}

// keyed adds a WHERE by the shard key, mostly.
func (r *generator) keyed(t *genTable) {
	r.writes = true
	defer func() { r.writes = false }()
	if t.key == "" || r.oneIn(8) {
		r.add(" WHERE " + r.condition(t, "", 0))
		return
	}
	c := t.column(t.key)
	if r.oneIn(6) {
		r.add(" WHERE " + t.key + " IN (" + r.value(c) + ")")
	} else {
		r.add(" WHERE " + t.key + " = " + r.value(c))
	}
	if r.oneIn(3) {
		r.add(" AND "+r.condition(t, "", 0), r.group())
	}
}

func (r *generator) update() {
	t := pick(r, genTables...)
	set := map[string][]string{
		"t": {"i = i + 1", "i = NULL", "ci = 'changed'", "d = d * 2", "dt = '2022-02-02'", "ti = 9", "u = 3"}, "o": {"amount = amount + 1", "code = 'zz'", "amount = NULL"},
		"w": {"a = 1", "b = 'w'", "c = c + 1", "a = a + 100"}, "x": {"v = v + 1", "txt = CONCAT(txt, '!')", "v = NULL", "v = DEFAULT"}, "s": {"n = n + 1", "v = 'u'"}, "b": {"n = 5", "n = n + 1"},
		"r": {"name = CONCAT(name, '.')", "n = n + 1000"}, "p": {"name = 'p'", "i = i + 1"},
	}[t.name]
	if r.oneIn(12) && (t.name == "x" || t.name == "o") { // moves rows from shard to shard
		r.add(fmt.Sprintf("UPDATE %s SET %s = %s", t.name, t.key, pick(r, t.key+" + 100", r.literal("int", fmt.Sprint(r.IntN(60))))))
		r.keyed(&t)
		return
	}
	if r.oneIn(12) && t.primary != nil {
		r.add("UPDATE " + t.name + " SET " + pick(r, set...) + " ORDER BY " + strings.Join(t.primary, ", ") + " LIMIT " + fmt.Sprint(r.IntN(4)))
		return
	}
	r.add("UPDATE " + t.name + " SET " + pick(r, set...))
	if r.oneIn(4) {
		r.add(", "+pick(r, set...), r.group())
	}
	r.keyed(&t)
}

func (r *generator) delete() {
	t := pick(r, genTables...)
	if r.oneIn(8) && t.primary != nil {
		r.add("DELETE FROM " + t.name + " ORDER BY " + strings.Join(t.primary, ", ") + pick(r, " DESC", "") + " LIMIT " + fmt.Sprint(r.IntN(3)))
		return
	}
	r.add("DELETE FROM " + t.name)
	r.keyed(&t)
}

func (r *generator) transaction() {
	r.add(pick(r, "BEGIN", "BEGIN", "START TRANSACTION", "COMMIT", "COMMIT", "ROLLBACK", "SAVEPOINT a", "SAVEPOINT b", "ROLLBACK TO a", "RELEASE SAVEPOINT a",
		"SET autocommit = 0", "SET autocommit = 1", "START TRANSACTION READ ONLY"))
}

func (r *generator) session() {
	if r.oneIn(8) { // (a prepared one is asked after its own preparation, of which MariaDB takes notice)
		r.g.text = true
		r.add("SELECT ROW_COUNT()")
		return
	}
	r.add(pick(r, "SET @a = 5", "SET @a = @a + 1", "SELECT @a IS NULL, @a = 6", "SELECT id FROM x WHERE id = @a",
		"SELECT LAST_INSERT_ID() > 0", "SELECT name FROM a WHERE id = LAST_INSERT_ID()", "SET sql_mode = 'ANSI_QUOTES'", "SET sql_mode = DEFAULT", "SET sql_mode = 'PIPES_AS_CONCAT'",
		"SET sql_mode = 'NO_BACKSLASH_ESCAPES'", "SET NAMES utf8mb4", "SET NAMES latin1", "SET NAMES utf8mb4 COLLATE utf8mb4_bin", "SET time_zone = '+03:00'", "SET time_zone = DEFAULT",
		"SELECT @@sql_mode, @@autocommit", "USE plain", "USE shop", "SELECT DATABASE()", "SHOW TABLES", "SELECT 'a' || 'b'", `SELECT 'a\\b'`, "SELECT nothing", "SELECT 1/0"))
}
