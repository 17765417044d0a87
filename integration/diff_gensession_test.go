package integration

import (
	"fmt"
	"strings"
)

// block is a transaction with savepoints.
func (r *generator) block() {
	r.add(pick(r, "BEGIN", "START TRANSACTION", "BEGIN WORK"))
	write := func(r *generator) {
		pick(r, (*generator).insert, (*generator).update, (*generator).delete, (*generator).selectRows, (*generator).selectGroups)(r)
	}
	for range 1 + r.IntN(3) {
		r.then(write)
	}
	if r.oneIn(2) {
		r.then(fixed("SAVEPOINT a", "SAVEPOINT b"))
		for range 1 + r.IntN(3) {
			r.then(write)
		}
		r.then(fixed("ROLLBACK TO a", "ROLLBACK TO SAVEPOINT b", "RELEASE SAVEPOINT a"), write)
	}
	r.then(fixed("COMMIT", "COMMIT", "ROLLBACK", "COMMIT AND CHAIN"))
}

// temporary has a temporary table of the session.
func (r *generator) temporary() {
	r.add("CREATE TEMPORARY TABLE tt (id INT NOT NULL PRIMARY KEY, v INT, c VARCHAR(10))")
	r.then(func(r *generator) {
		rows := make([]string, 1+r.IntN(5))
		for i := range rows {
			rows[i] = fmt.Sprintf("(%d, %s, %s)", i*3, r.literal("int", fmt.Sprint(r.IntN(9))), r.literal("str", pick(r, "a", "B", "é")))
		}
		r.add("INSERT INTO tt VALUES " + strings.Join(rows, ", "))
	})
	for range 1 + r.IntN(4) {
		r.then(fixed("SELECT * FROM tt ORDER BY id", "SELECT COUNT(*), SUM(v) FROM tt", "UPDATE tt SET v = v + 1", "DELETE FROM tt WHERE v > 5", "SELECT v, COUNT(*) FROM tt GROUP BY v",
			"SELECT tt.id, r.name FROM tt LEFT JOIN r ON r.n = tt.v ORDER BY tt.id", "SELECT tt.id, x.v FROM tt JOIN x ON x.id = tt.id WHERE x.id = 3"))
	}
	r.then(fixed("DROP TEMPORARY TABLE tt"))
}

// variables sets and reads user variables.
func (r *generator) variables() {
	r.add("SET @n = " + r.integer() + ", @s = " + r.literal("str", pick(r, "abc", "é", "ABC", "5")))
	for range 2 + r.IntN(4) {
		r.then(fixed("SELECT id, v FROM x WHERE id = @n", "SELECT id FROM x WHERE v = @n ORDER BY id", "SELECT name, n FROM s WHERE name = @s", "SELECT COUNT(*) INTO @n FROM x", "SELECT @n, @s",
			"SET @n = @n + 1", "SELECT id FROM t WHERE id IN (@n, 3) ORDER BY id", "SELECT COUNT(*), @n FROM x", "UPDATE x SET v = @n WHERE id = 3", "SET @n = (SELECT MAX(v) FROM x)",
			"SELECT v FROM x WHERE id = 4 INTO @n",
			"UPDATE x SET v = @n WHERE v > 3", "UPDATE x SET txt = @s WHERE id = 7", "DELETE FROM x WHERE v = @n", "UPDATE x SET txt = @s, v = @n ORDER BY id LIMIT 2", "UPDATE r SET name = @s WHERE n > 2",
			"INSERT INTO x (id, v, txt) VALUES (300, @n, @s), (301, @n, @s), (302, 1, @s) ON DUPLICATE KEY UPDATE v = @n", "SELECT id, @s FROM x WHERE id = 9 FOR UPDATE", "UPDATE o SET code = @s WHERE uid IN (SELECT v FROM x WHERE v > @n)",
			"BEGIN", "START TRANSACTION READ ONLY", "COMMIT", "ROLLBACK", "SELECT l.id FROM x l JOIN x m ON l.v = m.id WHERE m.id = @n ORDER BY l.id", "SET @s = CONCAT(@s, 'x')"))
	}
}

// lenient stores what does not fit, with warnings.
func (r *generator) lenient() {
	r.add(pick(r, "SET sql_mode = ''", "SET sql_mode = 'ALLOW_INVALID_DATES'", "SET sql_mode = 'NO_ZERO_DATE'", "SET SESSION sql_mode = ''"))
	for range 1 + r.IntN(4) {
		r.then(func(r *generator) {
			id := r.literal("int", fmt.Sprint(r.IntN(150)))
			r.add(pick(r, "INSERT INTO t (id, ci, d, dt) VALUES ("+id+", 'longer than twenty characters are', 99999999999, '2020-02-30')", "INSERT INTO w (k, a, b) VALUES ("+id+", 200, 'longer than ten')",
				"UPDATE t SET ti = 1000 WHERE id = "+id, "UPDATE t SET ti = ti + 126", "UPDATE x SET v = 'abc' WHERE id = "+id, "UPDATE w SET a = 300 WHERE k < 5000", "UPDATE t SET e = 'nothing' WHERE id = "+id,
				"INSERT INTO x (id, v) VALUES ("+id+", '5abc')", "UPDATE o SET amount = amount * 100000 WHERE uid = "+id, "UPDATE t SET dt = '0000-00-00' WHERE id = "+id, "UPDATE t SET d = d / 7",
				"UPDATE o SET at = '2020-13-01' WHERE n = 1"))
		}, textOnly("SHOW WARNINGS", "SHOW COUNT(*) WARNINGS", "SELECT @@warning_count"))
	}
	r.then(fixed("SET sql_mode = DEFAULT"))
}

// textPrepared has PREPARE and EXECUTE as statements.
func (r *generator) textPrepared() {
	r.add("COMMIT") // Oracle MySQL prepares no write in a READ ONLY transaction
	statement := pick(r, "SELECT id, v FROM x WHERE id = ?", "SELECT id FROM t WHERE i = ? ORDER BY id", "UPDATE x SET v = v + 1 WHERE id = ?", "SELECT COUNT(*) FROM o WHERE uid = ?",
		"SELECT id FROM x WHERE v = ? AND id IN (SELECT uid FROM o) ORDER BY id", "INSERT INTO x (id, v) VALUES (?, 5)", "DELETE FROM x WHERE id = ?")
	r.then(textOnly("PREPARE pp FROM '" + statement + "'"))
	for range 1 + r.IntN(4) {
		r.then(func(r *generator) { r.add("SET @k = " + r.literal("int", fmt.Sprint(r.IntN(60)))) }, textOnly("EXECUTE pp USING @k"))
	}
	r.then(textOnly("DEALLOCATE PREPARE pp", "DROP PREPARE pp"))
}

// diagnostics asks after a write. (How many warnings there were is not certain: each shard warns of a constant that it converts.)
func (r *generator) diagnostics() {
	pick(r, (*generator).insert, (*generator).update, (*generator).delete)(r)
	for range 1 + r.IntN(2) {
		r.then(textOnly("SELECT ROW_COUNT()", "SHOW WARNINGS", "SHOW ERRORS", "SELECT @@error_count", "SHOW COUNT(*) ERRORS"))
	}
}

// foundRows asks for what LIMIT has left out.
func (r *generator) foundRows() {
	t := r.withPrimary()
	r.g.text = true
	r.add("SELECT " + pick(r, "SQL_CALC_FOUND_ROWS ", "SQL_CALC_FOUND_ROWS ", "") + pk(t, "") + " FROM " + t.name)
	r.where(t, "")
	r.add(" ORDER BY " + pk(t, "") + pick(r, " LIMIT 3", " LIMIT 0", " LIMIT 3 OFFSET 2", " LIMIT 2, 2", ""))
	r.g.order = r.group()
	r.then(textOnly("SELECT FOUND_ROWS()"))
}
