package session_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"sluice/internal/testkit"
	"sluice/wire"
)

// direct gives a connection to a server of the flavor, in a schema with the same tables.
func direct(t *testing.T, flavor testkit.Flavor, tables ...string) on {
	t.Helper()
	home := testkit.Shared(t, flavor, 0)
	cfg := home.Config(testkit.Database(t, home))
	c := on{conn(t, openDB(t, cfg.FormatDSN()))}
	for _, sql := range tables {
		exec(t, c, sql)
	}
	return c
}

// TestWideResults: results in a character set without single bytes are refused, and the
// session stays as it was.
func TestWideResults(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 1, conns: 1})
		c := on{conn(t, f.open(""))}
		for _, sql := range []string{
			"SET character_set_results = utf16", "SET character_set_results = ucs2, sql_mode = 'ANSI_QUOTES'",
			"SET SESSION character_set_results = CONCAT('utf', 32)", "SET @@character_set_results = @@character_set_results, character_set_results = 'UTF16LE'",
			"SET NAMES latin1, character_set_results = utf16",
		} {
			_, err := c.Exec(sql)
			wantCode(t, err, 1235)
			want(t, rows(t, c, "SELECT @@character_set_results, @@character_set_client, 'ü', LENGTH(@@sql_mode) > 20"), "utf8mb4|utf8mb4|ü|1")
		}
		exec(t, c, "SET character_set_results = latin1")
		want(t, rows(t, c, "SELECT @@character_set_results, 'ü'"), "latin1|\xfc")
		exec(t, c, "SET character_set_results = NULL")
		want(t, rows(t, c, "SELECT @@character_set_results, 'ü'"), "NULL|ü")
	})
}

// doubleOf is an execution's parameters: one DOUBLE, or one BIGINT.
func doubleOf(v float64) string { return numberOf(wire.TypeDouble, math.Float64bits(v)) }

func bigintOf(v int64) string { return numberOf(wire.TypeLongLong, uint64(v)) }

func numberOf(kind byte, bits uint64) string {
	return "\x00\x01" + string([]byte{kind, 0}) + string(binary.LittleEndian.AppendUint64(nil, bits))
}

// execute runs a prepared statement with the parameters that follow the flags.
func (c *raw) execute(stmt uint32, flags byte, params string) error {
	c.t.Helper()
	c.send(wire.ComStmtExecute, id(stmt)+string([]byte{flags, 1, 0, 0, 0})+params)
	_, _, _, err := c.result()
	return err
}

// TestFloatKeys: a DOUBLE is found under the key that the servers make of it, or refused.
func TestFloatKeys(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 2})
		f.tables()
		c := f.raw(0)
		insert, _ := c.prepare("INSERT INTO users VALUES (?, 'd')")
		for _, v := range []float64{7, 999999999999999, -999999999999999, -3} {
			c.must(c.execute(insert.ID, 0, doubleOf(v)))
			want(t, c.value(fmt.Sprintf("SELECT COUNT(*) FROM users WHERE user_id = %.0f", v)), "1")
		}
		for _, v := range []float64{1e15, -1e15, 1 << 53, 1 << 60} { // their text has an exponent: a server computes the key
			c.must(c.execute(insert.ID, 0, doubleOf(v)))
			want(t, c.value(fmt.Sprintf("SELECT COUNT(*) FROM users WHERE user_id = %.0f", v)), "1")
		}
		if err := c.execute(insert.ID, 0, doubleOf(math.Inf(1))); err == nil {
			t.Error("the key +Inf was taken")
		}
		want(t, c.value("SELECT COUNT(*) FROM users"), "8")
		// A read of such a value asks all shards: 2^53 + 1 equals it as a DOUBLE.
		exec(t, f.open(""), "DELETE FROM users WHERE ABS(user_id) >= 1000000000000000")
		exec(t, f.open(""), "INSERT INTO users VALUES (9007199254740992, 'a'), (9007199254740993, 'b')")
		db := f.open("")
		if got := rows(t, db, "SELECT COUNT(*) FROM users WHERE user_id IN (?, 7)", float64(1<<53)); got != rows(t, db, "SELECT COUNT(*) FROM users WHERE user_id + 0 IN (9007199254740992e0, 7)") {
			t.Errorf("%s rows have the key 2^53", got)
		}
	})
}

// TestCursorTypes: the type of a parameter is that of the execution, whatever another client
// has executed the same statement with, with a cursor and without.
func TestCursorTypes(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 1, conns: 1})
		f.tables()
		exec(t, f.open(""), "INSERT INTO plain (v) VALUES ('a')")
		for _, flags := range []byte{wire.CursorNone, wire.CursorReadOnly} {
			for i, kind := range []string{"double", "bigint", "double"} {
				c := f.raw(0)
				stmt, _ := c.prepare("SELECT ? + 1 FROM plain")
				params, wanted := doubleOf(1.5), byte(wire.TypeDouble)
				if kind == "bigint" {
					params, wanted = bigintOf(1), wire.TypeLongLong
				}
				c.send(wire.ComStmtExecute, id(stmt.ID)+string([]byte{flags, 1, 0, 0, 0})+params)
				cols, _, ok, err := c.result()
				c.must(err)
				if cols[0].Type != wanted {
					t.Errorf("flags %d, execution %d: a column of type %d, want %d", flags, i, cols[0].Type, wanted)
				}
				if flags == wire.CursorReadOnly && ok.Status&wire.StatusCursorExists == 0 {
					t.Errorf("execution %d: no cursor", i)
				}
				c.Close()
			}
		}
	})
}

// TestExecutePositions: a number for a "?" of ORDER BY and GROUP BY means what it means to
// the one server.
func TestExecutePositions(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 2})
		f.tables()
		data := []string{
			"INSERT INTO plain VALUES (1, 'd'), (2, 'b'), (3, 'c'), (4, 'a')",
			"INSERT INTO users VALUES (1, 'd'), (2, 'b'), (3, 'c'), (4, 'a')",
		}
		d := direct(t, flavor, append([]string{"CREATE TABLE users (user_id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(50))",
			"CREATE TABLE plain (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, v VARCHAR(50) UNIQUE)"}, data...)...)
		c := on{conn(t, f.open(""))}
		for _, sql := range data {
			exec(t, c, sql)
		}
		for _, c := range []on{c, d} {
			exec(t, c, "SET @two = 2, @text = '2', @nine = 9, @minus = -1, @null = NULL, @two_ = 2.0")
		}
		for _, sql := range []string{
			"SELECT id, v FROM plain ORDER BY ?", "SELECT id, v FROM plain ORDER BY ( ? ) DESC", "SELECT id, v FROM plain ORDER BY 0 + id, ?",
			"SELECT MAX(id), MAX(v) FROM plain GROUP BY ?",
			"SELECT id, ROW_NUMBER() OVER (ORDER BY ?, id) FROM plain", "SELECT user_id, name FROM users ORDER BY 0 * user_id, ?, user_id",
			"SELECT MAX(user_id), MAX(name) FROM users GROUP BY ?",
		} {
			for _, v := range []string{"@two", "@text", "@nine", "@minus", "@null", "@two_"} {
				text := "EXECUTE p USING " + v
				exec(t, d, "PREPARE p FROM '"+sql+"'")
				exec(t, c, "PREPARE p FROM '"+sql+"'")
				wanted, wantedErr := tryRows(d, text)
				got, err := tryRows(c, text)
				if got != wanted || codeOf(err) != codeOf(wantedErr) {
					t.Errorf("%s with %s:\ndirect: %q %v\nsluice: %q %v", sql, v, wanted, wantedErr, got, err)
				}
			}
		}
	})
}

// TestSequenceLastID: LAST_INSERT_ID() after an INSERT that sets it itself, on a table whose
// ids are the cluster's, is the new row's id when the row is new.
func TestSequenceLastID(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		table := "CREATE TABLE orders (order_id BIGINT NOT NULL AUTO_INCREMENT, user_id BIGINT NOT NULL, amount DECIMAL(10,2), PRIMARY KEY (order_id), UNIQUE (user_id))"
		f := newFront(t, frontOptions{flavor: flavor, shards: 2})
		c, d := on{conn(t, f.open("interpolateParams=true"))}, direct(t, flavor, table)
		exec(t, c, table)
		for _, user := range []int{1, 2, 1, 3, 3, 2, 4} {
			exec(t, c, "INSERT INTO orders (user_id, amount) VALUES (?, 1) ON DUPLICATE KEY UPDATE order_id = LAST_INSERT_ID(order_id), amount = amount + 1", user)
			exec(t, d, "INSERT INTO orders (user_id, amount) VALUES (?, 1) ON DUPLICATE KEY UPDATE order_id = LAST_INSERT_ID(order_id), amount = amount + 1", user)
			row := fmt.Sprintf("SELECT LAST_INSERT_ID() = order_id FROM orders WHERE user_id = %d", user)
			want(t, rows(t, c, row), "1")
			want(t, rows(t, d, row), "1")
		}
		before := rows(t, c, "SELECT LAST_INSERT_ID()")
		exec(t, c, "INSERT IGNORE INTO orders (user_id, amount) VALUES (1, LAST_INSERT_ID(77))")
		if got := rows(t, c, "SELECT LAST_INSERT_ID()"); got != "77" && got != before {
			t.Errorf("LAST_INSERT_ID() is %s", got)
		}
	})
}

// TestPlanSettings: a plan that was made under one client's settings is not another's when
// the shards describe the result otherwise.
func TestPlanSettings(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 2})
		f.tables()
		narrow, wide := on{conn(t, f.open(""))}, on{conn(t, f.open(""))}
		exec(t, narrow, "SET group_concat_max_len = 4")
		exec(t, wide, "INSERT INTO users VALUES (1, 'aaaaaaaaaa4'), (2, 'aaaaaaaaaa3'), (3, 'aaaaaaaaaa2'), (4, 'aaaaaaaaaa1'), (5, 'aaaaaaaaaa0')")
		const sql = "SELECT user_id, GROUP_CONCAT(name) AS g FROM users GROUP BY user_id ORDER BY g"
		if _, err := tryRows(narrow, sql); err != nil {
			t.Fatal(err)
		}
		want(t, rows(t, wide, sql), "5|aaaaaaaaaa0\n4|aaaaaaaaaa1\n3|aaaaaaaaaa2\n2|aaaaaaaaaa3\n1|aaaaaaaaaa4")
		german := on{conn(t, f.open(""))}
		exec(t, german, "SET lc_time_names = 'de_DE'")
		const day = "SELECT DISTINCT DAYNAME(DATE_ADD('2024-01-01', INTERVAL user_id DAY)) AS d FROM users ORDER BY d"
		want(t, rows(t, wide, day), "Friday\nSaturday\nThursday\nTuesday\nWednesday")
		want(t, rows(t, german, day), "Dienstag\nDonnerstag\nFreitag\nMittwoch\nSamstag")
	})
}

// TestFoundRowsGathered: SQL_CALC_FOUND_ROWS counts rows of all shards.
func TestFoundRowsGathered(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 2})
		f.tables()
		c := on{conn(t, f.open(""))}
		exec(t, c, "INSERT INTO users VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd'), (5, 'e'), (6, 'f'), (7, 'g')")
		for range 2 {
			want(t, rows(t, c, "SELECT SQL_CALC_FOUND_ROWS user_id FROM users ORDER BY user_id LIMIT 2"), "1\n2")
			want(t, rows(t, c, "SELECT FOUND_ROWS()"), "7")
			want(t, rows(t, c, "SELECT SQL_CALC_FOUND_ROWS user_id FROM users WHERE user_id < ? ORDER BY user_id LIMIT 2, 1", 6), "3")
			want(t, rows(t, c, "SELECT FOUND_ROWS()"), "5")
			want(t, rows(t, c, "SELECT SQL_CALC_FOUND_ROWS user_id FROM users WHERE user_id = 3 LIMIT 1"), "3")
			want(t, rows(t, c, "SELECT FOUND_ROWS()"), "1")
			exec(t, c, "BEGIN") // the second time within a transaction
		}
	})
}

// TestNamedLockGathered: a lock that a statement over several shards takes is the session's
// until it gives it back, and is never lost in silence.
func TestNamedLockGathered(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 2})
		f.tables()
		a, b := on{conn(t, f.open(""))}, on{conn(t, f.open(""))}
		exec(t, a, "INSERT INTO users VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd')")
		zero, one := f.keysOn(a)
		name := f.db // a lock is the server's, and tests share servers
		take := fmt.Sprintf("SELECT MAX(GET_LOCK('%s', 0)) FROM users", name)
		write := func(key int) string {
			return fmt.Sprintf("UPDATE users SET name = CONCAT(name, 'x') WHERE user_id = %d", key)
		}
		for _, before := range [][]string{
			{}, {"BEGIN"}, {"BEGIN", write(zero), write(one)},
			{"BEGIN", write(one), write(zero)}, {"START TRANSACTION READ ONLY"}, // here the rows may come together outside of the transaction
		} {
			for _, sql := range before {
				exec(t, a, sql)
			}
			got, err := tryRows(a, take)
			if err != nil {
				wantCode(t, err, 1235)
				if len(before) < 1 {
					t.Error(err)
				}
				want(t, rows(t, b, "SELECT IS_FREE_LOCK('"+name+"')"), "1")
				exec(t, a, "ROLLBACK")
				continue
			}
			want(t, got, "1")
			want(t, rows(t, a, "SELECT COUNT(*) FROM users"), "4")
			want(t, rows(t, b, "SELECT GET_LOCK('"+name+"', 0)"), "0")
			exec(t, a, "ROLLBACK")
			want(t, rows(t, b, "SELECT GET_LOCK('"+name+"', 0)"), "0")
			want(t, rows(t, a, "SELECT RELEASE_ALL_LOCKS() > 0"), "1") // one for each row
			want(t, rows(t, b, "SELECT IS_FREE_LOCK('"+name+"')"), "1")
		}
	})
}
