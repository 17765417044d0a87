package integration

import (
	"fmt"
	"strings"
)

// What the other kinds do not make: frames of windows, JSON, aggregates of every type, parts of a UNION with their own order,
// rows of columns, subqueries within subqueries, ROLLUP of several columns.

func (r *generator) number(n int) string { return r.literal("int", fmt.Sprint(r.IntN(n))) }

// ordered adds an ORDER BY that is total, mostly.
func (r *generator) ordered(by string) {
	if r.oneIn(4) {
		return
	}
	r.g.order = r.group()
	r.add(" ORDER BY "+by, r.g.order)
	r.limits()
}

// selectFrames has windows with frames and names, and windows over groups.
func (r *generator) selectFrames() {
	frame := func() string {
		edge := func(preceding bool) string {
			unbounded, n := "UNBOUNDED FOLLOWING", fmt.Sprintf("%d FOLLOWING", r.IntN(4))
			if preceding {
				unbounded, n = "UNBOUNDED PRECEDING", fmt.Sprintf("%d PRECEDING", r.IntN(4))
			}
			return pick(r, unbounded, n, "CURRENT ROW")
		}
		return pick(r, " ROWS ", " RANGE ") + pick(r, "BETWEEN "+edge(true)+" AND "+edge(false), edge(true))
	}
	call := func() string {
		n := pick(r, "v", "id", "v + id")
		return pick(r, "SUM("+n+")", "AVG("+n+")", "COUNT("+n+")", "MIN("+n+")", "MAX("+n+")", "FIRST_VALUE("+n+")", "LAST_VALUE("+n+")", "NTH_VALUE("+n+", 2)", "BIT_OR("+n+")")
	}
	switch r.IntN(5) {
	case 0:
		r.add("SELECT id, " + call() + " OVER (" + pick(r, "", "PARTITION BY v ", "PARTITION BY id % 3 ", "PARTITION BY txt ") + "ORDER BY id" + pick(r, "", " DESC") + frame() + ") AS q FROM x")
		r.where(&genTables[3], "")
		r.ordered(pick(r, "id", "q, id", "q DESC, id"))
	case 1:
		r.add("SELECT uid, n, " + pick(r, "PERCENT_RANK()", "CUME_DIST()", "NTILE(4)", "RANK()", "LAG(amount, 1, 0)", "LEAD(code, 2)", "SUM(amount)") + " OVER w, COUNT(*) OVER w FROM o")
		r.where(&genTables[1], "")
		r.add(" WINDOW w AS (" + pick(r, "PARTITION BY uid ORDER BY n", "ORDER BY uid, n", "PARTITION BY code ORDER BY uid, n", "PARTITION BY uid % 4 ORDER BY n, uid") + ")")
		r.ordered("uid, n")
	case 2:
		r.add("SELECT v, COUNT(*) AS c, " + pick(r, "SUM(COUNT(*)) OVER (ORDER BY v)", "RANK() OVER (ORDER BY COUNT(*) DESC, v)", "SUM(SUM(id)) OVER ()", "MAX(COUNT(*)) OVER (PARTITION BY v % 2)") + " FROM x")
		r.where(&genTables[3], "")
		r.add(" GROUP BY v")
		r.ordered("v")
	case 3:
		r.add("SELECT * FROM (SELECT uid, n, ROW_NUMBER() OVER (PARTITION BY " + pick(r, "uid", "code", "n") + " ORDER BY " + pick(r, "amount DESC, uid, n", "uid, n", "at, uid DESC, n") + ") AS rn FROM o")
		r.where(&genTables[1], "")
		r.add(") q WHERE rn <= " + fmt.Sprint(1+r.IntN(3)))
		r.ordered("uid, n")
	default:
		r.add("SELECT t.id, x.v, " + call() + " OVER (PARTITION BY ti ORDER BY t.id" + frame() + ") FROM t JOIN x ON x.id = " + pick(r, "t.id", "t.i", "t.ti"))
		r.g.pieces[len(r.g.pieces)-1].text = strings.NewReplacer("(id)", "(x.id)", "(v + id)", "(v + x.id)", "(id, 2)", "(x.id, 2)", "(v + id, 2)", "(v + x.id, 2)").Replace(r.g.pieces[len(r.g.pieces)-1].text)
		r.where(&genTables[3], "x.")
		r.ordered("t.id, x.id")
	}
}

// selectJSON reads JSON columns, makes JSON of rows, and rows of JSON.
func (r *generator) selectJSON() {
	switch r.IntN(6) {
	case 0:
		r.add("SELECT id, " + pick(r, "JSON_EXTRACT(js, '$.a')", "JSON_UNQUOTE(JSON_EXTRACT(js, '$'))", "JSON_TYPE(js)", "JSON_LENGTH(js)", "JSON_VALUE(js, '$.a')", "JSON_KEYS(js)", "JSON_DEPTH(js)",
			"JSON_CONTAINS(js, '1')", "JSON_SET(js, '$.b', 2)", "JSON_OBJECT('id', id, 'd', d)", "JSON_ARRAY(i, ti, ci)", "JSON_QUOTE(ci)", "JSON_VALID(tx)") + " FROM t")
		r.where(&genTables[0], "")
		r.ordered("id")
	case 1:
		r.add("SELECT id FROM t WHERE " + pick(r, "JSON_EXTRACT(js, '$.a') = 1", "JSON_VALUE(js, '$.a') = '1'", "JSON_CONTAINS(js, '2')", "JSON_TYPE(js) = 'ARRAY'", "JSON_LENGTH(js) > 1", "js IS NULL", "JSON_UNQUOTE(js) = 's'"))
		r.add(" AND "+r.condition(&genTables[0], "", 0), r.group())
		r.ordered("id")
	case 2:
		r.add("SELECT x.id, j.a, j.b FROM x" + pick(r, ", ", " JOIN ", " CROSS JOIN ") + "JSON_TABLE(" + pick(r, `'[{"a": 1, "b": "one"}, {"a": 3}, {"a": 2, "b": "two"}]'`, "CONCAT('[{\"a\": ', x.id, '}, {\"a\": 2}]')") +
			", '$[*]' COLUMNS (a INT PATH '$.a', b VARCHAR(10) PATH '$.b' DEFAULT '" + pick(r, `\"none\"`, "7") + "' ON EMPTY)) AS j WHERE j.a " + pick(r, "= x.v", "> 1", "= x.id", "IS NOT NULL"))
		r.add(" AND "+r.condition(&genTables[3], "x.", 0), r.group())
		r.ordered("x.id, j.a, j.b")
	case 3:
		r.add("SELECT v, " + pick(r, "JSON_LENGTH(JSON_ARRAYAGG(id))", "JSON_LENGTH(JSON_OBJECTAGG(id, txt))", "JSON_CONTAINS(JSON_ARRAYAGG(id), '3')") + ", COUNT(*) FROM x")
		r.where(&genTables[3], "")
		r.add(" GROUP BY v")
		r.ordered("v")
	case 4:
		r.add("SELECT JSON_ARRAYAGG(txt), JSON_OBJECTAGG(id, v) FROM x WHERE id = " + r.number(24))
	default:
		r.add("SELECT " + pick(r, "JSON_TYPE(js)", "JSON_LENGTH(js)", "JSON_VALUE(js, '$.a')") + " AS j, COUNT(*), MIN(id) FROM t")
		r.where(&genTables[0], "")
		r.add(" GROUP BY j")
		r.ordered("j")
	}
}

// selectTypes aggregates columns of every type.
func (r *generator) selectTypes() {
	c := pick(r, "d", "dt", "ts", "tm", "e", "bt", "yr", "u", "f", "ti", "st")
	one := func() string {
		switch {
		case r.oneIn(3):
			return pick(r, "COUNT(DISTINCT "+c+")", "COUNT("+c+")", "GROUP_CONCAT(DISTINCT "+c+" + 0 ORDER BY "+c+" + 0)", "GROUP_CONCAT(DISTINCT IFNULL(CAST("+c+" AS CHAR), '-') ORDER BY 1)", "SUM("+c+" IS NULL)", "BIT_XOR(CAST("+c+" AS SIGNED))")
		case c == "f":
			return pick(r, "MIN(", "MAX(", "SUM(") + c + ")"
		case c == "dt" || c == "ts" || c == "tm":
			return pick(r, "MIN(", "MAX(", "MIN(DISTINCT ", "MAX(DISTINCT ") + c + ")"
		}
		return pick(r, "MIN(", "MAX(", "SUM(", "AVG(", "SUM(DISTINCT ", "AVG(DISTINCT ", "MAX(DISTINCT ") + c + ")"
	}
	switch r.IntN(4) {
	case 0:
		r.add("SELECT " + one())
		for range r.IntN(3) {
			r.add(", "+one(), r.group())
		}
		r.add(" FROM t")
		r.where(&genTables[0], "")
	case 1:
		k := pick(r, "e", "bt", "yr", "dt", "ti", "tm", "d", "ts", "st", "u")
		r.add("SELECT " + k + ", " + one())
		r.add(", "+one(), r.group())
		r.add(" FROM t")
		r.where(&genTables[0], "")
		r.add(" GROUP BY " + k)
		r.add(" HAVING "+pick(r, "COUNT(*) > 1", k+" IS NOT NULL", "MIN(id) < 20", "COUNT("+c+") <> 0"), r.group())
		r.ordered(pick(r, k, k+" DESC", "COUNT(*), "+k))
	case 2:
		a, b := pick(r, "ti", "e", "i"), pick(r, "yr", "dt", "i % 2")
		r.add("SELECT " + a + " AS a, " + b + " AS b, " + one() + ", COUNT(*) FROM t")
		r.where(&genTables[0], "")
		r.add(" GROUP BY a, b WITH ROLLUP")
		r.add(" HAVING "+pick(r, "a IS NULL", "COUNT(*) > 2", "a IS NOT NULL AND b IS NULL", "MAX(id) > 10"), r.group())
	default:
		r.add("SELECT " + pick(r, "DISTINCT ", "") + c + pick(r, "", ", ti", ", e") + " FROM t")
		r.where(&genTables[0], "")
		r.ordered(pick(r, c+", ti, id", c+" DESC, id", "id"))
		if strings.HasPrefix(r.g.pieces[0].text, "SELECT DISTINCT") {
			r.g.pieces[0].text = strings.Replace(r.g.pieces[0].text, "DISTINCT ", "", 1)
		}
	}
}

// selectParts is a UNION whose parts have an order and a limit of their own.
func (r *generator) selectParts() {
	part := func() string {
		t := pick(r, genTables[0], genTables[1], genTables[2], genTables[3])
		b := "(SELECT " + t.primary[0] + " AS k, " + pick(r, "1", "NULL", t.key+" * 2", "'p'") + " AS q FROM " + t.name
		if r.oneIn(2) {
			b += " WHERE " + r.condition(&t, "", 0)
		}
		return b + " ORDER BY " + strings.Join(t.primary, pick(r, ", ", " DESC, ")) + " LIMIT " + fmt.Sprint(1+r.IntN(6)) + pick(r, "", " OFFSET 2") + ")"
	}
	in := r.oneIn(4)
	if in {
		r.add("SELECT k, COUNT(*) FROM (")
	}
	r.add(part())
	for range 1 + r.IntN(2) {
		r.add(pick(r, " UNION ALL ", " UNION ", " EXCEPT ", " INTERSECT ") + part())
	}
	if in {
		r.add(") AS u GROUP BY k")
		r.ordered("k")
		return
	}
	r.ordered("k, q")
}

// selectPredicates compares columns, rows of columns and truth values.
func (r *generator) selectPredicates() {
	n := func() string { return r.number(30) }
	predicate := func() string {
		return pick(r, "(id, v) = ("+n()+", 1)", "(id, v) <=> ("+n()+", NULL)", "(v, id) IN ((1, "+n()+"), (2, "+n()+"), (NULL, 3))", "(id, v) > ("+n()+", 2)", "(id, v) NOT IN (("+n()+", 1))", "id = v", "id = id + 0",
			"id IN (v, "+n()+")", "id", "NOT id", "id IS TRUE", "(v > 1) IS UNKNOWN", "(v = 1) IS NOT TRUE", "v <=> NULL", "id <=> v", n()+" IN (id, v)", n()+" BETWEEN v AND id", "id BETWEEN "+n()+" AND "+n(),
			"CASE v WHEN 1 THEN id > 10 WHEN 2 THEN id < 5 ELSE v IS NULL END", "IF(v > 1, id = "+n()+", id <> "+n()+")", "COALESCE(v, id) = "+n(), "INTERVAL(id, 3, 9, 15) = 2", "id DIV 4 = v", "id MOD 5 = 2", "id & 1",
			"id = "+n()+" XOR v = 2", "!(id = "+n()+")", "ISNULL(v) = 1", "txt = 'ONE' COLLATE utf8mb4_bin", "LOWER(txt) LIKE '%o%'", "txt NOT LIKE 't%'", "STRCMP(txt, 'one') = 0", "txt IN (v, 'one', 'TWO')",
			"id = "+n()+" AND id = "+n(), "id > "+n()+" AND id > 3 AND id <= "+n(), "NOT (id > 3 AND v < 2)", "id = '"+fmt.Sprint(r.IntN(24))+"' OR v = '2'", "id IN (SELECT v FROM x)", "LEAST(id, v) = 1", "ELT(v, 'a', 'b') = 'b'")
	}
	r.add("SELECT id, v" + pick(r, "", ", "+predicate()) + " FROM x WHERE " + predicate())
	for range r.IntN(3) {
		r.add(pick(r, " AND ", " OR ", " AND NOT ")+"("+predicate()+")", r.group())
	}
	r.ordered(pick(r, "id", "v IS NULL, v, id", "FIELD(v, 2, 1), id DESC", "CASE WHEN v > 1 THEN 0 ELSE id END, id", "-v, id", "1", "2 DESC, 1", "ABS(id - 7), id"))
}

// selectDeep has subqueries within subqueries, and of several tables at once.
func (r *generator) selectDeep() {
	n := func() string { return r.number(24) }
	switch r.IntN(8) {
	case 0:
		r.add("SELECT a.id, (SELECT COUNT(*) FROM o WHERE o.uid = a.id AND o.n > (SELECT MIN(m.n) FROM o m WHERE m.uid = " + pick(r, "o.uid", "a.id", "a.v") + ")) AS c FROM x a")
		r.where(&genTables[3], "a.")
		r.ordered(pick(r, "a.id", "c DESC, a.id"))
	case 1:
		r.add("SELECT a.id FROM x a WHERE a.v " + pick(r, "IN", "NOT IN", "= ANY", "<> ALL") + " (SELECT o.n FROM o WHERE o.uid = a.id" + pick(r, "", " UNION SELECT 2", " AND o.amount > "+n()) + ")")
		r.ordered("a.id")
	case 2:
		r.add("SELECT a.id, a.v FROM x a")
		r.where(&genTables[3], "a.")
		r.g.order = r.group()
		r.add(" ORDER BY (SELECT "+pick(r, "MAX(o.amount)", "SUM(o.n)", "COUNT(o.code)", "MIN(o.code)")+" FROM o WHERE o.uid = "+pick(r, "a.id", "a.v")+"), a.id", r.g.order)
		r.limits()
	case 3:
		r.add("SELECT q.uid, q.c, x.txt FROM (SELECT uid, COUNT(*) AS c, MAX(amount) AS m FROM o")
		r.where(&genTables[1], "")
		r.add(" GROUP BY uid" + pick(r, "", " HAVING c > 1", " ORDER BY c DESC, uid LIMIT 5") + ") AS q " + pick(r, "JOIN", "LEFT JOIN") + " x ON x.id = q.uid" + pick(r, "", " AND x.v > 0"))
		r.ordered("q.uid")
	case 4:
		r.add("SELECT a.id, b.n, c.name FROM x a LEFT JOIN o b ON b.uid = a.id AND b.n " + pick(r, "= 1", "> 1", "= a.v") + " " + pick(r, "LEFT JOIN", "JOIN") + " r c ON c.n = " + pick(r, "a.v", "b.n") + pick(r, "", " AND c.code <> 'de'"))
		r.where(&genTables[3], "a.")
		r.ordered("a.id, b.n, c.code")
	case 5:
		r.add("SELECT COUNT(*), SUM(a.v) FROM x a, t b, o c WHERE a.id = b.id AND c.uid = " + pick(r, "b.id", "a.id") + " AND " + r.condition(&genTables[1], "c.", 1))
	case 6:
		r.add("SELECT v, COUNT(*) FROM x GROUP BY v HAVING COUNT(*) > (SELECT COUNT(*) FROM o WHERE o.n = x.v)")
		r.ordered("v")
	default:
		r.add("SELECT a.uid, a.n FROM o a WHERE a.amount = (SELECT " + pick(r, "MAX", "MIN") + "(b.amount) FROM o b WHERE b." + pick(r, "uid = a.uid", "n = a.n", "code = a.code") + ")")
		r.ordered("a.uid, a.n")
	}
}

// writeJoined writes by joins with aliases: of each row one other is met.
func (r *generator) writeJoined() {
	n := func() string { return r.number(24) }
	r.writes = true
	defer func() { r.writes = false }()
	r.add(pick(r,
		"UPDATE x a JOIN o b ON b.uid = a.id AND b.n = 1 SET a.v = b.n + "+n()+", b.code = 'j'",
		"UPDATE x AS a, o AS b SET a.txt = CONCAT(b.n, '!'), b.amount = 9 WHERE a.id = b.uid AND b.n = 2 AND a.id < "+n(),
		"UPDATE x a LEFT JOIN o b ON b.uid = a.id AND b.n = 1 SET a.txt = IFNULL(b.code, 'none')",
		"UPDATE x a JOIN (SELECT uid, COUNT(*) AS c FROM o GROUP BY uid) q ON q.uid = a.id SET a.v = q.c WHERE a.id > "+n(),
		"UPDATE x a JOIN r b ON b.n = a.v SET a.txt = b.name WHERE a.id <> "+n(),
		"UPDATE IGNORE x a JOIN t b USING (id) SET a.v = b.i WHERE b.i > 0",
		"UPDATE x SET v = (SELECT MAX(o.n) FROM o WHERE o.uid = x.id), txt = 's' WHERE id > "+n(),
		"UPDATE o SET amount = CASE n WHEN 1 THEN 10 WHEN 2 THEN amount ELSE 0 END WHERE uid IN ("+n()+", "+n()+", "+n()+")",
		"UPDATE t SET e = e + 0, st = CONCAT_WS(',', 'a', 'd'), bt = bt | 1, yr = 2001 WHERE ti = 2",
		"UPDATE t SET dt = DATE_ADD(dt, INTERVAL 1 MONTH), ts = ts + INTERVAL 1 DAY, tm = '01:02:03' WHERE id > "+n()+" AND dt > '1990-01-01'",
		"DELETE a FROM x a LEFT JOIN o b ON b.uid = a.id WHERE b.uid IS NULL AND a.id > "+n(),
		"DELETE a, b FROM x a JOIN o b ON b.uid = a.id WHERE b.n = "+n(),
		"DELETE FROM a USING x AS a JOIN t b ON b.id = a.id WHERE b.ti = 1",
		"DELETE o FROM o JOIN x ON x.id = o.uid AND x.v = 1",
		"DELETE FROM x WHERE (id, v) IN (("+n()+", 1), ("+n()+", 2), ("+n()+", 0))",
		"DELETE FROM o WHERE uid IN (SELECT id FROM x WHERE v = 2) AND n > 1",
		"DELETE FROM x WHERE EXISTS (SELECT 1 FROM o WHERE o.uid = x.id AND o.n = 3)",
	))
}

// insertComputed inserts what queries of every kind give.
func (r *generator) insertComputed() {
	n := func() string { return r.number(24) }
	from := pick(r, "SELECT a.id + 900, b.n FROM x a JOIN o b ON b.uid = a.id AND b.n = 1", "SELECT uid + 900, COUNT(*) FROM o GROUP BY uid HAVING COUNT(*) > 1", "SELECT DISTINCT v + 950, 5 FROM x WHERE v IS NOT NULL",
		"SELECT id, v FROM x WHERE id > "+n(), "SELECT id + 800, MAX(v) OVER () FROM x", "SELECT k + 700, 1 FROM (SELECT 1 AS k UNION SELECT 2 UNION SELECT "+n()+") q", "SELECT id + 20, v FROM x ORDER BY id DESC LIMIT 6",
		"SELECT uid, SUM(n) FROM o GROUP BY uid", "SELECT id, i FROM t WHERE id BETWEEN "+n()+" AND "+n())
	r.add(pick(r, "INSERT INTO", "INSERT INTO", "INSERT IGNORE INTO", "REPLACE INTO") + " x (id, v) " + from)
	if strings.HasPrefix(r.g.pieces[0].text, "INSERT INTO") && r.oneIn(2) {
		r.add(" ON DUPLICATE KEY UPDATE "+pick(r, "v = VALUES(v)", "v = VALUES(v) + 1, txt = 'both'", "txt = CONCAT('was ', x.v)", "v = IFNULL(x.v, 0) + VALUES(v)", "v = IF(VALUES(v) > x.v, VALUES(v), x.v)"), r.group())
	}
}
