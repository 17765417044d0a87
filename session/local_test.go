package session_test

import (
	"fmt"
	"strings"
	"testing"

	"sluice/internal/testkit"
)

// TestRefusals lists the statements that a session refuses, by number.
func TestRefusals(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 2})
		f.tables()
		c := on{conn(t, f.open(""))}
		for sql, code := range map[string]uint16{
			"SET GLOBAL max_connections = 10":                1227,
			"SET @@global.sql_mode = ''":                     1227,
			"SET sql_log_bin = 0":                            1227,
			"SET SESSION binlog_format = 'ROW'":              1227,
			"SET GLOBAL TRANSACTION READ ONLY":               1227,
			"SET pseudo_thread_id = 1":                       1235,
			"SET insert_id = 5":                              1235,
			"SET timestamp = 1":                              1235,
			"SET completion_type = 1":                        1235,
			"SET sql_auto_is_null = 1":                       1235,
			"SET auto_increment_increment = 2":               1235,
			"SET autocommit = 5":                             1231,
			"SET autocommit = @x":                            1231,
			"SET nosuch = 1":                                 1193,
			"SET NAMES nosuch":                               1115,
			"SET character_set_client = ucs2":                1231,
			"SET PASSWORD = 'x'":                             1235,
			"SET ROLE NONE":                                  1235,
			"XA START 'x'":                                   1235,
			"USE nosuch":                                     1044,
			"USE mysql":                                      1044,
			"EXECUTE nosuch":                                 1243,
			"DEALLOCATE PREPARE nosuch":                      1243,
			"ROLLBACK TO nosuch":                             1305,
			"":                                               1065,
			"SELECT 'unterminated":                           1064,
			"SELECT 1; SELECT 2":                             1064,
			"SET @x = 1, @@session.sql_log_bin = 0":          1227,
			"LOAD DATA LOCAL INFILE 'x' INTO TABLE plain":    0,
			"/*sluice: nosuch=1*/ SELECT 1":                  1064,
			"SET STATEMENT sql_mode='' FOR SELECT 1":         1235,
			"SHOW DATABASES WHERE `Database` = 'a'":          1235,
			"SET SESSION TRANSACTION ISOLATION LEVEL NOSUCH": 1235,
			"PREPARE p FROM 'PREPARE q FROM ''SELECT 1'''":   1295,
			"PREPARE p FROM 'SELECT 1; SELECT 2'":            1064,
			"PREPARE p FROM 'SELECT * FROM missing'":         1146,
			"SET sql_mode = 'NOSUCH'":                        1231,
			"SET time_zone = 'Nowhere/Nothing'":              1298,
			"SHOW GRANTS FOR 'root'@'localhost'":             1044,
			"SET NAMES utf8mb4 COLLATE latin1_bin":           1253,
			"SET @@transaction_isolation_ = 'X'":             1193,
		} {
			_, err := tryRows(c, sql)
			if sql == "LOAD DATA LOCAL INFILE 'x' INTO TABLE plain" {
				if err == nil { // the driver itself refuses to read the file, or a number comes
					t.Errorf("%s: no error", sql)
				}
				continue
			}
			if codeOf(err) != code {
				t.Errorf("%s: %v, want %d", sql, err, code)
			}
		}
		want(t, rows(t, c, "SELECT 1"), "1")
		// MariaDB counts from none again where the first warning is raised; Oracle MySQL keeps the
		// statement's before.
		const counts = "SELECT 1/0, @@warning_count, @@warning_count + 1/0"
		exec(t, c, "DO CAST('x' AS SIGNED), CAST('y' AS SIGNED)")
		got := rows(t, c, counts)
		one := on{conn(t, openDB(t, fmt.Sprintf("sluice:sluice@tcp(%s)/", f.servers[0].Addr)))}
		exec(t, one, "DO CAST('x' AS SIGNED), CAST('y' AS SIGNED)")
		want(t, got, rows(t, one, counts))
		if flavor == testkit.MariaDBFlavor {
			want(t, got, "NULL|1|NULL")
		} else {
			want(t, got, "NULL|2|NULL")
		}
		if flavor == testkit.MariaDBFlavor {
			_, err := c.Exec("SET sql_mode = 'ORACLE'")
			wantCode(t, err, 1235)
			_, err = c.Exec("SET sql_mode = CONCAT('ORA', 'CLE')")
			wantCode(t, err, 1235)
			if got := rows(t, c, "SELECT @@sql_mode"); strings.Contains(got, "ORACLE") {
				t.Error(got)
			}
		}
		exec(t, c, "SET sql_auto_is_null = 0, SESSION sql_notes = 1")
		exec(t, c, "SET completion_type = NO_CHAIN")
	})
}

// TestShow: what the session answers itself.
func TestShow(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 2})
		f.tables()
		c := on{conn(t, f.open("interpolateParams=true"))}
		guest := on{conn(t, openDB(t, fmt.Sprintf("guest:guest@tcp(%s)/", f.addr)))}
		if got := rows(t, c, "SHOW DATABASES"); !strings.Contains(got, f.db) || !strings.Contains(got, "information_schema") || strings.Contains(got, "mysql\n") {
			t.Error(got)
		}
		if got := rows(t, guest, "SHOW DATABASES"); strings.Contains(got, f.db+"\n") || strings.HasSuffix(got, f.db) {
			t.Error(got)
		}
		want(t, rows(t, c, "SHOW DATABASES LIKE '"+strings.ReplaceAll(f.db, "_", `\_`)+"'"), f.db)
		want(t, rows(t, c, "SHOW SCHEMAS LIKE 'INFORMATION%'"), "information_schema")
		want(t, rows(t, c, "SHOW DATABASES LIKE 'zz%'"), "")
		want(t, rows(t, c, "SHOW GRANTS")[:33], "GRANT USAGE ON *.* TO `app`@`%`\nG")
		want(t, rows(t, c, "SELECT USER(), CURRENT_USER(), SESSION_USER(), CURRENT_USER"), "app@127.0.0.1|app@%|app@127.0.0.1|app@%")
		_, err := tryRows(c, "SELECT * FROM missing")
		wantCode(t, err, 1146)
		if got := rows(t, c, "SHOW WARNINGS"); !strings.HasPrefix(got, "Error|1146|Table") {
			t.Error(got)
		}
		want(t, rows(t, c, "SHOW COUNT(*) ERRORS"), "1")
		want(t, rows(t, c, "SELECT @@error_count"), "1")
		exec(t, c, "SET sql_mode = ''")
		exec(t, c, "INSERT INTO plain (id, v) VALUES ('1x', REPEAT('y', 100)), ('2x', 'z')")
		all := rows(t, c, "SHOW WARNINGS")
		if strings.Count(all, "\n") != 2 {
			t.Error(all)
		}
		want(t, rows(t, c, "SHOW WARNINGS LIMIT 1, 1"), strings.Split(all, "\n")[1])
		want(t, rows(t, c, "SHOW ERRORS"), "")
		want(t, rows(t, c, "SHOW COUNT(*) WARNINGS"), "3")
		r, err := c.Query("SELECT LAST_INSERT_ID(), last_insert_id( ) + 1, CONNECTION_ID() AS x")
		if err != nil {
			t.Fatal(err)
		}
		names, _ := r.Columns()
		r.Close()
		want(t, strings.Join(names, ","), "LAST_INSERT_ID(),last_insert_id( ) + 1,x")
		want(t, rows(t, c, "EXPLAIN ROUTE SELECT LAST_INSERT_ID()")[:3], "s0|")
		want(t, rows(t, c, "EXPLAIN ROUTE SET sql_notes = 1"), "|SET sql_notes = 1|local")
		want(t, rows(t, c, "EXPLAIN ROUTE CREATE VIEW v AS SELECT 1"), "s0|CREATE VIEW v AS SELECT 1|relay") // not understood
		if got := rows(t, c, "EXPLAIN ROUTE SELECT * FROM users ORDER BY user_id LIMIT 2"); strings.Count(got, "merge-sort") != 2 {
			t.Error(got)
		}
		if got := rows(t, c, "EXPLAIN ROUTE INSERT INTO orders (user_id) VALUES (1), (2), (3), (4), (5)"); strings.Count(got, "split-insert") != 2 {
			t.Error(got)
		}
		want(t, rows(t, c, "SELECT COUNT(*) FROM orders"), "0")
	})
}

// TestTextPrepare: PREPARE, EXECUTE and DEALLOCATE.
func TestTextPrepare(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 2})
		f.tables()
		c := on{conn(t, f.open(""))}
		exec(t, c, "PREPARE ins FROM 'INSERT INTO users VALUES (?, ?)'")
		for i := range 10 {
			exec(t, c, fmt.Sprintf("SET @id = %d, @name = 'it''s \\\\ %d'", i, i))
			exec(t, c, "EXECUTE ins USING @id, @name")
		}
		exec(t, c, "PREPARE sel FROM 'SELECT name, ? FROM users WHERE user_id = ? LIMIT ?'")
		exec(t, c, "SET @one = 1, @f = -1.5e3, @d = -2.50, @null = NULL, @b = x'00ff27', @seven = 7")
		want(t, rows(t, c, "EXECUTE sel USING @f, @seven, @one"), `it's \ 7|-1500`)
		want(t, rows(t, c, "EXECUTE sel USING @d, @id, @one"), `it's \ 9|-2.50`)
		want(t, rows(t, c, "EXECUTE sel USING @null, @id, @one"), `it's \ 9|NULL`)
		want(t, rows(t, c, "EXECUTE sel USING @b, @id, @one"), "it's \\ 9|\x00\xff'")
		r, err := c.Query("EXECUTE sel USING @b, @id, @one")
		if err != nil {
			t.Fatal(err)
		}
		names, _ := r.Columns()
		r.Close()
		want(t, strings.Join(names, ","), "name,?")
		_, err = c.Exec("EXECUTE sel USING @b")
		wantCode(t, err, 1210)
		exec(t, c, "SET @text = 'SELECT COUNT(*) FROM users'")
		exec(t, c, "PREPARE sel FROM @text")
		want(t, rows(t, c, "EXECUTE SEL"), "10")
		exec(t, c, "DEALLOCATE PREPARE sel")
		_, err = c.Exec("EXECUTE sel")
		wantCode(t, err, 1243)
		if flavor != testkit.MariaDBFlavor {
			return
		}
		want(t, rows(t, c, "EXECUTE IMMEDIATE 'SELECT name, ? FROM users WHERE user_id = ?' USING @one, @seven"), `it's \ 7|1`)
		want(t, rows(t, c, "EXECUTE IMMEDIATE @text"), "10")
		exec(t, c, "EXECUTE IMMEDIATE 'DELETE FROM users WHERE user_id = ?' USING @seven")
		want(t, rows(t, c, "SELECT ROW_COUNT()"), "1")
		want(t, rows(t, c, "EXECUTE IMMEDIATE @text"), "9")
		for sql, code := range map[string]uint16{
			"EXECUTE IMMEDIATE 'SELECT ?'": 1210, "EXECUTE IMMEDIATE 'SELECT 1' USING @one": 1210, "EXECUTE IMMEDIATE ''": 1065, "EXECUTE IMMEDIATE 'SELEC 1'": 1064, "EXECUTE IMMEDIATE @null": 1064,
			"EXECUTE IMMEDIATE 'SELECT nothing FROM users'": 1054, "EXECUTE IMMEDIATE CONCAT('SELECT', ' 1')": 1235, "EXECUTE IMMEDIATE 'SELECT ?' USING 1": 1235,
			"EXECUTE IMMEDIATE 'PREPARE a FROM \"SELECT 1\"'": 1295,
		} {
			_, err := c.Exec(sql)
			if wantCode(t, err, code); codeOf(err) != code {
				t.Log(sql)
			}
		}
	})
}

// TestGBK: 0xBF 0x5C is one character in GBK; read as two bytes its backslash would hide the quote
// that follows. Both sides must agree on it.
func TestGBK(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 2})
		f.tables()
		c := f.raw(0)
		_, _, _, err := c.query("SET NAMES gbk")
		c.must(err)
		want(t, c.value("SELECT HEX('\xbf\x5c')"), "BF5C")
		want(t, c.value("SELECT '\xbf\x5c'"), "\xbf\x5c")
		// 0xBF27 is no character: the quote ends the string, and what follows opens all shards.
		if _, legs, _, err := c.query("EXPLAIN ROUTE SELECT * FROM users WHERE user_id = 1 AND name = '\xbf\x27 OR 1=1 -- '"); err != nil || len(legs) != 2 {
			t.Errorf("%d legs, %v", len(legs), err)
		}
		_, _, _, err = c.query("INSERT INTO users VALUES (1, '\xbf\x5c'), (2, 'x')")
		c.must(err)
		want(t, c.value("SELECT COUNT(*) FROM users WHERE name = '\xbf\x5c'"), "1")
		_, _, _, err = c.query("SET NAMES utf8mb4")
		c.must(err)
		if got := c.value("SELECT name FROM users WHERE user_id = 1"); got != "縗" {
			t.Errorf("%q", got)
		}
	})
}
