package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/internal/testkit"
)

const insertSelectSchemas = `
  schemas:
    - name: shop
      default_shard: s1
      tables:
        u: {shard_key: id}
        v: {shard_key: id}
        a: {shard_key: uid, sequence: id}
        chk: {shard_key: id}
        r: {kind: reference}
    - name: plain
      default_shard: s2
`

// TestInsertSelect: what the corpus cannot show of INSERTs whose rows are computed first.
func TestInsertSelect(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		c := start(t, setup{flavor: flavor, schemas: insertSelectSchemas})
		db := c.open("shop", interpolated)
		must(t, db,
			"CREATE TABLE u (id BIGINT NOT NULL PRIMARY KEY, k INT, name VARCHAR(50), UNIQUE KEY (k))",
			"CREATE TABLE v (id BIGINT NOT NULL PRIMARY KEY, k INT, name VARCHAR(50) DEFAULT 'ohne é', made TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3))",
			"CREATE TABLE a (id BIGINT NOT NULL AUTO_INCREMENT, uid BIGINT NOT NULL, n INT, PRIMARY KEY (id), KEY (uid))",
			"CREATE TABLE chk (id BIGINT NOT NULL PRIMARY KEY, n INT, g INT AS (n * 2) STORED, CONSTRAINT small CHECK (n < 100))",
			"CREATE TABLE r (code VARCHAR(80) NOT NULL PRIMARY KEY, made DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6))",
			"CREATE TABLE p (id INT NOT NULL PRIMARY KEY, n INT)")
		var list []string
		for i := range 40 {
			list = append(list, fmt.Sprintf("(%d,%d,'user %d')", i, i, i))
		}
		must(t, db, "INSERT INTO u (id, k, name) VALUES "+strings.Join(list, ","))

		t.Run("current", func(t *testing.T) { // what is read is what is there, not an older snapshot
			one, two := oneConn(t, db), oneConn(t, db)
			run(t, one, "BEGIN")
			expect(t, one, "SELECT COUNT(*) FROM u", "40")
			run(t, two, "INSERT INTO u (id, k, name) VALUES (100, 100, 'new')")
			expect(t, one, "SELECT COUNT(*) FROM u WHERE id = 100", "0")
			run(t, one, "INSERT INTO v (id, k) SELECT id + 1000, k FROM u WHERE k >= 39")
			expect(t, one, "SELECT id FROM v WHERE id >= 1000 ORDER BY id", "1039", "1100")
			// and it is locked
			run(t, two, "SET innodb_lock_wait_timeout = 1")
			_, err := two.ExecContext(context.Background(), "UPDATE u SET k = 200 WHERE id = 100")
			checkError(t, "UPDATE of a row that was read", err, 1205)
			run(t, one, "ROLLBACK")
			run(t, two, "DELETE FROM u WHERE id = 100")
			expect(t, db, "SELECT COUNT(*) FROM v", "0")
		})
		t.Run("locks", func(t *testing.T) { // which a SELECT says itself, at each level
			one, two := oneConn(t, db), oneConn(t, db)
			run(t, two, "SET innodb_lock_wait_timeout = 1", "BEGIN", "UPDATE u SET name = 'held' WHERE k = 1")
			run(t, one, "SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "BEGIN",
				"INSERT INTO v (id, k) SELECT id + 1000, k FROM u WHERE k IN (0, 1, 2) FOR UPDATE SKIP LOCKED")
			expect(t, one, "SELECT id FROM v ORDER BY id", "1000", "1002")
			run(t, two, "ROLLBACK")
			_, err := two.ExecContext(context.Background(), "UPDATE u SET name = 'x' WHERE k = 2")
			checkError(t, "UPDATE of a row that was locked", err, 1205)
			run(t, one, "ROLLBACK", "SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "BEGIN", "INSERT INTO v (id, k) SELECT id + 1000, k FROM u WHERE k = 2")
			run(t, two, "UPDATE u SET name = 'x' WHERE k = 2", "UPDATE u SET name = 'user 2' WHERE k = 2")
			run(t, one, "ROLLBACK", "BEGIN", "INSERT INTO v (id, k) VALUES (1000, (SELECT MAX(k) FROM u WHERE k = 2))")
			_, err = two.ExecContext(context.Background(), "UPDATE u SET name = 'x' WHERE k = 2")
			checkError(t, "UPDATE of a row that a subquery has read", err, 1205)
			run(t, one, "ROLLBACK")
		})
		t.Run("atomic", func(t *testing.T) { // the last row fails on its shard, others are there by then
			must(t, db, "INSERT INTO v (id, k) VALUES (2039, 1)")
			expectError(t, db, "INSERT INTO v (id, k) SELECT id + 2000, k FROM u ORDER BY id", 1062, "2039")
			expect(t, db, "SELECT COUNT(*) FROM v", "1")
			conn := oneConn(t, db)
			run(t, conn, "BEGIN", "INSERT INTO v (id, k) VALUES (3000, 1)")
			if _, err := conn.ExecContext(context.Background(), "INSERT INTO v (id, k) SELECT id + 2000, k FROM u ORDER BY id"); err == nil {
				t.Error("a duplicate was inserted")
			}
			run(t, conn, "INSERT INTO v (id, k) SELECT id + 3000, k FROM u WHERE id > 0", "COMMIT")
			expect(t, db, "SELECT COUNT(*) FROM v", "41")
			must(t, db, "DELETE FROM v")
		})
		t.Run("definitions", func(t *testing.T) {
			must(t, db, "INSERT INTO v (id, k) SELECT id + 1, k FROM u")
			expect(t, db, "SELECT COUNT(*), COUNT(DISTINCT made), MIN(name) FROM v", "40\t1\tohne é")
			must(t, db, "INSERT INTO chk (id, n) SELECT id + 1, k FROM u")
			expect(t, db, "SELECT MAX(g) FROM chk", "78")
			_, err := db.Exec("INSERT INTO chk (id, n) SELECT id + 100, k + 90 FROM u")
			if err == nil || !strings.Contains(err.Error(), "small") {
				t.Errorf("a CHECK that fails: %v", err)
			}
			must(t, db, "INSERT INTO r (code) SELECT CONCAT(name, UUID()) FROM u", "INSERT INTO r VALUES (UUID(), NOW(6))")
			copies := c.perShard("SELECT CONCAT(COUNT(*), ' ', SUM(CRC32(code)), ' ', MIN(made), ' ', MAX(made)) FROM shop.r")
			for _, copy := range copies {
				if copy != copies[0] || !strings.HasPrefix(copy, "41 ") {
					t.Errorf("the copies of r differ: %q", copies)
				}
			}
			must(t, db, "INSERT INTO p SELECT id, k FROM u WHERE id > 5")
			expect(t, db, "SELECT COUNT(*) FROM p", "34")
		})
		t.Run("ids", func(t *testing.T) {
			conn := oneConn(t, db)
			run(t, conn, "INSERT INTO a (uid, n) SELECT id, k FROM u ORDER BY id")
			expect(t, conn, "SELECT n FROM a WHERE id = LAST_INSERT_ID()", "0")
			expect(t, conn, "SELECT MIN(id) = LAST_INSERT_ID(), MAX(id) - MIN(id), COUNT(DISTINCT id) FROM a", "1\t39\t40")
			run(t, conn, "INSERT INTO a (id, uid, n) SELECT id + 5000, id, -1 FROM u", "INSERT INTO a (uid, n) VALUES (1, -2)")
			expect(t, conn, "SELECT id > 5039 FROM a WHERE n = -2", "1")
			expect(t, conn, "SELECT COUNT(*) - COUNT(DISTINCT id) FROM a", "0")
		})
		t.Run("kill", func(t *testing.T) {
			conn := oneConn(t, db)
			id := rows(t, conn, "SELECT CONNECTION_ID()")[0]
			done := make(chan error, 1)
			go func() {
				_, err := conn.ExecContext(context.Background(), "INSERT INTO v (id, k) SELECT id + 10000, SLEEP(0.5) FROM u")
				done <- err
			}()
			time.Sleep(300 * time.Millisecond)
			must(t, db, "KILL QUERY "+id)
			checkError(t, "a killed INSERT … SELECT", <-done, 1317)
			expect(t, conn, "SELECT COUNT(*) FROM v WHERE id >= 10000", "0")
		})
		t.Run("many", func(t *testing.T) {
			must(t, db, "DELETE FROM v", "INSERT INTO v (id, k, name) SELECT a.id * 1000 + b.id * 25 + c.id, a.id, REPEAT(c.name, 3) FROM u a, u b, u c WHERE c.id < 25 AND b.id < 10")
			expect(t, db, "SELECT COUNT(*), COUNT(DISTINCT id), SUM(id) FROM v", "10000\t10000\t196245000")
			must(t, db, "INSERT INTO v (id, k, name) SELECT id + 100000, k, name FROM v")
			expect(t, db, "SELECT COUNT(*) FROM v WHERE id >= 100000 AND LENGTH(name) >= 18", "10000")
		})
	})
}
