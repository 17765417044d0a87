package session_test

import (
	"fmt"
	"strings"
	"testing"

	"sluice/internal/testkit"
)

// settingScripts are statements of one client each, separated by lines.
var settingScripts = []string{`
SET sql_mode = ''
INSERT INTO t (id, v) VALUES (1, 'a')
INSERT IGNORE INTO t (id, v) VALUES (1, 'a'), (1, 'b')
SHOW WARNINGS
SET sql_mode = 'NO_ZERO_DATE'
SHOW WARNINGS
PREPARE st FROM "SELECT CAST('0000-00-00' AS DATE)"
SHOW WARNINGS
SET sql_mode = ''
SHOW WARNINGS
EXECUTE st
SHOW WARNINGS
INSERT IGNORE INTO t (id, v) VALUES (1, 'a'), (1, 'b')
SET sql_mode = 'NO_ZERO_DATE'
PREPARE st FROM "SELECT CAST('0000-00-00' AS DATE)"
SET sql_mode = ''
EXECUTE st
SHOW WARNINGS
INSERT IGNORE INTO t (id, v) VALUES (1, 'a'), (1, 'b')
PREPARE st FROM "SELECT CAST('0000-00-00' AS DATE)"
EXECUTE st
SHOW WARNINGS
INSERT IGNORE INTO t (id, v) VALUES (1, 'a'), (1, 'b')
SELECT 1
SHOW WARNINGS
INSERT IGNORE INTO t (id, v) VALUES (1, 'a'), (1, 'b')
SET @a = 5
SHOW WARNINGS
PREPARE st FROM "SELECT CAST('0000-00-00' AS DATE)"
SHOW WARNINGS
DO 1
SHOW WARNINGS
DELETE FROM t
`, `
SET autocommit = LAST_INSERT_ID(1)
SELECT LAST_INSERT_ID(), @@autocommit
SET autocommit = LAST_INSERT_ID(0)
SELECT LAST_INSERT_ID(), @@autocommit
SET autocommit = LAST_INSERT_ID(7)
SELECT LAST_INSERT_ID(), @@autocommit
`, `
SET last_insert_id = 1
SET autocommit = @@last_insert_id, @a = 5
SELECT @@autocommit, @a
SET autocommit = LAST_INSERT_ID()
SELECT @@autocommit
SET autocommit = LAST_INSERT_ID() - 1
SELECT @@autocommit
`, `
SET autocommit = (@a := 0)
SELECT @@autocommit, @a
SET autocommit = @a + 1
SELECT @@autocommit
SET @s = 'OFF'
SET autocommit = @s
SELECT @@autocommit
SET @s = 'on'
SET autocommit = @s
SELECT @@autocommit
SET @s = '0'
SET autocommit = @s
SELECT @@autocommit
SET autocommit = 1
SET @s = 0.0
SET autocommit = @s
SELECT @@autocommit
SET @s = 2
SET autocommit = @s
SELECT @@autocommit
SET @s = -1
SET autocommit = @s
SET @s = NULL
SET autocommit = @s
SET autocommit = nosuch
SET autocommit = 1.0
SET autocommit = 0e0
SET autocommit = 'off'
SELECT @@autocommit
SET autocommit = '1'
SET autocommit = ''
SET autocommit = 2
SET autocommit = NULL
SET autocommit = on
SET autocommit = off
SET autocommit = TRUE
SET autocommit = FALSE
SET autocommit = DEFAULT
SELECT @@autocommit
SET autocommit = 1 = 1
SELECT @@autocommit
SET autocommit = @@foreign_key_checks
SET autocommit = NOT @@autocommit
SELECT @@autocommit
`, `
SET group_concat_max_len = LAST_INSERT_ID(1000)
SELECT LAST_INSERT_ID(), @@group_concat_max_len
SET group_concat_max_len = (@b := 2000)
SELECT @b, @@group_concat_max_len
SET @a = LAST_INSERT_ID(9), group_concat_max_len = 3000
SELECT LAST_INSERT_ID(), @a, @@group_concat_max_len
SET group_concat_max_len = LAST_INSERT_ID(5000), max_sort_length = nosuch
SELECT LAST_INSERT_ID(), @@group_concat_max_len
SET @q = 5, group_concat_max_len = LAST_INSERT_ID(6000), sql_mode = 'NOSUCH'
SELECT LAST_INSERT_ID(), @q, @@group_concat_max_len
`, `
SET last_insert_id = LAST_INSERT_ID(12)
SELECT LAST_INSERT_ID()
SET last_insert_id = 3 + 4
SELECT LAST_INSERT_ID()
SET @x = 17
SET last_insert_id = @x
SELECT LAST_INSERT_ID(), @@identity
SET identity = @x + 1
SELECT LAST_INSERT_ID(), @@identity
SET last_insert_id = -1
SELECT LAST_INSERT_ID()
SET last_insert_id = 'a'
SET last_insert_id = NULL
SET last_insert_id = DEFAULT
SELECT LAST_INSERT_ID()
SET last_insert_id = 0x10
SELECT LAST_INSERT_ID()
SET last_insert_id = 1.5
SELECT LAST_INSERT_ID()
`, `
SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED
SET @v = 'SERIALIZABLE'
SET SESSION transaction_isolation = @v
SELECT @@transaction_isolation
SET @@transaction_isolation = 'READ-COMMITTED'
SELECT @@transaction_isolation
SET transaction_isolation = 2
SELECT @@transaction_isolation
SET transaction_isolation = CONCAT('REPEATABLE', '-READ')
SELECT @@transaction_isolation
SET SESSION transaction_read_only = 1
INSERT INTO t (v) VALUES ('x')
SET SESSION transaction_read_only = 0
`, `
SET @m = @@sql_mode, sql_mode = 'ANSI_QUOTES'
SELECT "v" FROM t
SET sql_mode = @m
SELECT "v" FROM t LIMIT 0
SET sql_mode = (@k := 'PIPES_AS_CONCAT')
SELECT 1 || 0, @k
SET sql_mode = REPLACE(@@sql_mode, 'PIPES_AS_CONCAT', '')
SELECT 1 || 0, @@sql_mode
SET sql_mode = 4
SELECT @@sql_mode
SET sql_mode = 0
SELECT @@sql_mode
SET sql_mode = NULL
SET @@session.sql_mode := CONCAT_WS(',', 'ANSI', 'NO_ZERO_DATE')
SELECT @@sql_mode
SELECT "v", 1 || 2 FROM t
SET sql_mode = ''
SET NAMES latin1, @a = 5, sql_mode = 'NO_ZERO_DATE'
SELECT @@character_set_client, @a, @@sql_mode
SET @old = @@character_set_client, NAMES utf8mb4
SELECT @old, @@character_set_client
SET character_set_client = @old
SELECT @@character_set_client, @@character_set_results
SET time_zone = @nosuch
SET @tz = '+03:00'
SET time_zone = @tz
SELECT @@time_zone, FROM_UNIXTIME(0)
SET time_zone = (SELECT '+04:00')
SELECT @@time_zone
SET @a = 1, @b = @a, @c = @b
SELECT @a, @b, @c
SET @d = (SELECT MAX(id) FROM t)
SELECT @d
SET @e = (@f := 3) + 1, @g = @f
SELECT @e, @f, @g
SET @a = LAST_INSERT_ID(4), @b = LAST_INSERT_ID()
SELECT @a, @b, LAST_INSERT_ID()
SET @a = ROW_COUNT(), @b = FOUND_ROWS()
SELECT @a
DO LAST_INSERT_ID(33)
SELECT LAST_INSERT_ID()
SET @x := LAST_INSERT_ID(44) + LAST_INSERT_ID()
SELECT @x, LAST_INSERT_ID()
SELECT LAST_INSERT_ID(55), LAST_INSERT_ID()
SELECT LAST_INSERT_ID()
SELECT LAST_INSERT_ID(id) FROM t ORDER BY id LIMIT 0
SELECT LAST_INSERT_ID()
INSERT INTO t (v) VALUES (LAST_INSERT_ID(66))
SELECT LAST_INSERT_ID() > 0
INSERT INTO t (id, v) VALUES (LAST_INSERT_ID(660), 'a660')
SELECT LAST_INSERT_ID()
DELETE FROM t WHERE id = LAST_INSERT_ID()
SELECT ROW_COUNT()
DO LAST_INSERT_ID(3)
INSERT INTO t (id, v) VALUES (LAST_INSERT_ID(501), LAST_INSERT_ID())
SELECT v, LAST_INSERT_ID() FROM t WHERE id = 501
INSERT INTO t (id, v) VALUES (LAST_INSERT_ID(), LAST_INSERT_ID(900))
UPDATE t SET id = LAST_INSERT_ID(502), v = LAST_INSERT_ID() WHERE id = 501
SELECT v, LAST_INSERT_ID() FROM t WHERE id = 502
DO LAST_INSERT_ID(3)
INSERT INTO t (id, v) VALUES (502, LAST_INSERT_ID()) ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id), v = LAST_INSERT_ID()
SELECT id, v FROM t ORDER BY id
DO LAST_INSERT_ID(3)
SELECT id FROM t WHERE LAST_INSERT_ID(600) AND id < LAST_INSERT_ID() ORDER BY id
SELECT LAST_INSERT_ID()
`}

// TestSetValues: SET with values that are computed, or that do something themselves, over a pool of one connection and on a server.
func TestSetValues(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 1, conns: 1})
		table := "CREATE TABLE t (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, v VARCHAR(50) UNIQUE)"
		exec(t, f.open(""), table)
		home := testkit.Shared(t, flavor, 1)
		direct := testkit.Database(t, home)
		home.Exec("CREATE TABLE " + direct + "." + strings.TrimPrefix(table, "CREATE TABLE "))
		for _, script := range settingScripts {
			proxyDB, directDB := f.open(""), openDB(t, home.Config(direct).FormatDSN())
			p := pair{direct: on{conn(t, directDB)}, proxy: on{conn(t, proxyDB)}, directSchema: direct, proxySchema: f.db}
			for i, text := range strings.Split(strings.TrimSpace(script), "\n") {
				a, errA := tryRows(p.direct, text)
				b, errB := tryRows(p.proxy, text)
				if codeOf(errA) != codeOf(errB) || (errA == nil) != (errB == nil) || a != b || fmt.Sprint(errA) != fmt.Sprint(errB) {
					t.Errorf("%d: %s\ndirect: %q %v\nsluice: %q %v", i, text, a, errA, b, errB)
				}
			}
			p.proxy.c.Close()
			p.direct.c.Close()
			proxyDB.Close()
			directDB.Close()
		}
	})
}

// TestSetFromVariable: the variable is on the session's connection, whatever others a transaction has.
func TestSetFromVariable(t *testing.T) {
	f := newFront(t, frontOptions{shards: 2, conns: 3})
	f.tables()
	c := on{conn(t, f.open(""))}
	for i := range 6 {
		exec(t, c, fmt.Sprintf("SET time_zone = '+00:00', @tz = '+0%d:00'", i+1))
		exec(t, c, "BEGIN")
		exec(t, c, fmt.Sprintf("INSERT INTO users VALUES (%d, 'a')", i))
		exec(t, c, "SET time_zone = @tz")
		want(t, rows(t, c, "SELECT @@time_zone"), fmt.Sprintf("+0%d:00", i+1))
		exec(t, c, "COMMIT")
	}
}
