package integration

import (
	"fmt"
	"strings"
)

// selectKeys compares keys in the ways that frameworks write: rows of columns, long lists, BETWEEN
// of keys, NOT and OR over them, USING and NATURAL joins.
func (r *generator) selectKeys() {
	number := func(n int) string { return r.literal("int", fmt.Sprint(r.IntN(n))) }
	switch r.IntN(8) {
	case 0:
		rows := make([]string, 1+r.IntN(4))
		for i := range rows {
			rows[i] = "(" + number(40) + ", " + number(4) + ")"
		}
		r.add("SELECT uid, n, amount FROM o WHERE (uid, n)" + pick(r, " IN (", " NOT IN (") + strings.Join(rows, ", ") + ")")
		r.g.order = r.group()
		r.add(" ORDER BY uid, n", r.g.order)
	case 1:
		r.add("SELECT uid, n FROM o WHERE (uid, n) " + pick(r, "=", "=", "<=>", ">", "<=") + " (" + number(40) + ", " + number(4) + ")")
		r.add(pick(r, "", " OR uid = "+number(40), " OR (n, uid) = ("+number(4)+", "+number(40)+")"))
	case 2:
		list := make([]string, 20+r.IntN(300))
		for i := range list {
			list[i] = fmt.Sprint(r.IntN(1000) - 3)
		}
		t := pick(r, genTables[0], genTables[1], genTables[2], genTables[3])
		r.add(pick(r, "SELECT COUNT(*), MIN("+t.key+") FROM ", "SELECT "+pk(&t, "")+" FROM ", "SELECT COUNT(DISTINCT "+t.columns[1].name+") FROM ") + t.name + " WHERE " + t.key + pick(r, " IN (", " NOT IN (") + strings.Join(list, ",") + ")")
		r.add(" AND "+r.condition(&t, "", 0), r.group())
	case 3:
		t := pick(r, genTables[0], genTables[1], genTables[3])
		r.add("SELECT " + pk(&t, "") + " FROM " + t.name + " WHERE " + t.key + " >= " + number(40) + " AND " + t.key + " < " + number(40))
		r.g.order = r.group()
		r.add(" ORDER BY "+pk(&t, "")+pick(r, "", " DESC"), r.g.order)
		r.limits()
	case 4:
		r.add("SELECT " + pick(r, "*", "id, n", "COUNT(*)") + " FROM x " + pick(r, "NATURAL JOIN t", "JOIN t USING (id)", "LEFT JOIN t USING (id)", "JOIN (SELECT uid AS id, n FROM o) q USING (id)"))
		r.add(" WHERE id "+pick(r, "= ", "> ", "<> ")+number(20), r.group())
	case 5:
		r.add("SELECT id, v FROM x WHERE " + pick(r, "NOT (id <> ", "(id = ", "(id <=> ") + number(24) + pick(r, " OR v = "+number(4), " AND v IS NOT NULL", "") + ")" + pick(r, "", " OR id IN ("+number(24)+", "+number(24)+")", " XOR v = 1"))
		r.g.order = r.group()
		r.add(" ORDER BY v, id", r.g.order)
	case 6:
		r.add("SELECT name, n FROM s WHERE name " + pick(r, "IN ('abc', 'e', 'nothing', "+r.literal("str", pick(r, "é", "5", "abc "))+")", "LIKE BINARY 'a%'", "= BINARY 'abc'", "BETWEEN 'a' AND 'e'", "REGEXP '^[a-c]'", "= CONCAT('a', 'bc')", ">= 'u'"))
		r.g.order = r.group()
		r.add(" ORDER BY n, name", r.g.order)
	default:
		r.add("SELECT u.id, COUNT(o.n), SUM(o.amount), MAX(o.code) IS NULL FROM x u LEFT JOIN o ON o.uid = u.id" + pick(r, "", " AND o.n > "+number(4)) + pick(r, "", " WHERE u.v "+pick(r, "> ", "= ")+number(4)) + " GROUP BY u.id")
		r.add(pick(r, " HAVING COUNT(o.n) > 1", " HAVING SUM(o.amount) IS NULL"), r.group())
		r.g.order = r.group()
		r.add(" ORDER BY "+pick(r, "COUNT(o.n) DESC, u.id", "u.id"), r.g.order)
		r.limits()
	}
}

// insertForms are ways to write INSERT beside lists of values.
func (r *generator) insertForms() {
	id := r.literal("int", fmt.Sprint(r.IntN(120)))
	small := func() string { return r.literal("int", fmt.Sprint(r.IntN(9))) }
	switch r.IntN(7) {
	case 0:
		r.add(pick(r, "INSERT INTO", "REPLACE INTO", "INSERT IGNORE INTO") + " x SET id = " + id + ", v = " + pick(r, "DEFAULT", small(), "id + 1", "NULL"))
	case 1:
		r.add(pick(r, "INSERT INTO", "REPLACE", "INSERT IGNORE") + " x VALUES (" + id + ", " + small() + ", 'row'), (" + id + " + 1, DEFAULT, NULL)")
	case 2:
		r.add("INSERT INTO w (k, a) VALUES (" + id + ", DEFAULT), (" + r.literal("int", fmt.Sprint(200+r.IntN(99))) + ", DEFAULT(a)) ON DUPLICATE KEY UPDATE a = VALUES(a) + " + small() + ", c = IFNULL(c, 0) + 1")
	case 3:
		r.add("INSERT INTO x (id, v) SELECT " + pick(r, "uid, COUNT(*) FROM o GROUP BY uid", "uid + 700, SUM(n) FROM o GROUP BY uid", "id, v FROM (SELECT id + 60 AS id, v FROM x) q") + " ON DUPLICATE KEY UPDATE " + pick(r, "v = VALUES(v)", "v = x.v + 1", "txt = 'again'"))
	case 4:
		r.add(pick(r, "INSERT", "REPLACE") + " INTO p (i, name) SELECT " + pick(r, "id, txt FROM x", "n, code FROM o", "MAX(v), 'max' FROM x", "n, name FROM r") + pick(r, " WHERE n > "+small(), "", ""))
		if last := &r.g.pieces[len(r.g.pieces)-1]; strings.Contains(last.text, "FROM x WHERE n") {
			last.text = strings.Replace(last.text, "WHERE n", "WHERE v", 1)
		}
	case 5:
		r.add("INSERT INTO x (id, v) VALUES (NULL, 1)" + pick(r, "", ", ("+id+", 2)"))
	default:
		r.add("INSERT INTO o (n, uid, code) VALUES (" + small() + ", " + id + ", UPPER('ab')), (" + small() + ", " + id + ", CONCAT('a', " + small() + "))")
	}
}
