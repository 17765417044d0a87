package integration

import (
	"testing"

	"sluice/internal/testkit"
)

// TestCreateSelect: what the corpus cannot show of CREATE TABLE in several statements.
func TestCreateSelect(t *testing.T) {
	t.Parallel()
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		c := start(t, setup{flavor: flavor})
		db := c.open("shop", interpolated)
		must(t, db, "CREATE TABLE users (user_id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(20))",
			"INSERT INTO users VALUES (1,'a'), (2,'b'), (3,'c'), (4,'d'), (5,'e'), (6,'f'), (7,'g'), (8,'h')")
		left := func(table string) (on int) {
			for _, s := range c.servers {
				on += len(s.Query("SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = '" + table + "'"))
			}
			return on
		}

		t.Run("fails", func(t *testing.T) { // no shard keeps a table whose rows could not be written
			expectError(t, db, "CREATE TABLE one (k INT PRIMARY KEY) SELECT 1 AS k, user_id FROM users", 1062)
			expectError(t, db, "CREATE TABLE all1 (tenant_id INT PRIMARY KEY) SELECT 1 AS tenant_id, user_id FROM users", 1062)
			expectError(t, db, "CREATE TABLE sbtest1 SELECT user_id, name FROM users", 1105) // no shard key
			for _, table := range []string{"one", "all1", "sbtest1", "sluice_c1"} {
				if n := left(table); n != 0 {
					t.Errorf("%d shards have %s", n, table)
				}
			}
		})
		t.Run("killed", func(t *testing.T) {
			one := oneConn(t, db)
			id := rows(t, one, "SELECT CONNECTION_ID()")[0]
			done := make(chan error, 1)
			go func() {
				_, err := one.ExecContext(t.Context(), "CREATE TABLE slow SELECT user_id, SLEEP(2) AS s FROM users")
				done <- err
			}()
			eventually(t, "the table", func() bool { return left("slow") == 1 })
			must(t, db, "KILL QUERY "+id)
			if err := <-done; err == nil {
				t.Error("a killed statement succeeded")
			}
			if left("slow") != 0 {
				t.Error("a killed statement has left its table")
			}
		})
		t.Run("sharded", func(t *testing.T) { // the rows are where the key says
			must(t, db, "CREATE TABLE sbtest2 SELECT user_id AS id, name FROM users")
			if n := left("sbtest2"); n != 4 {
				t.Errorf("%d shards have sbtest2", n)
			}
			for _, id := range []string{"1", "2", "3", "4", "5", "6", "7", "8"} {
				expect(t, db, "SELECT COUNT(*) FROM sbtest2 WHERE id = "+id, "1")
			}
			expect(t, db, "SELECT COUNT(*), SUM(id) FROM sbtest2", "8\t36")
		})
		t.Run("like", func(t *testing.T) { // of a table that one shard has
			must(t, db, "CREATE TABLE base (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, v VARCHAR(10) NOT NULL DEFAULT 'x', KEY (v), CHECK (v <> ''))",
				"INSERT INTO base (v) VALUES ('a')", "CREATE TABLE sbtest3 LIKE base", "INSERT INTO sbtest3 (v) VALUES ('q'), ('r')")
			expect(t, db, "SELECT COUNT(*) FROM sbtest3", "2")
			expect(t, db, "SELECT COUNT(*) FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'sbtest3'", "2")
			expectError(t, db, "CREATE TABLE sbtest3 LIKE base", 1050)
		})
		t.Run("refused", func(t *testing.T) {
			if flavor == testkit.MariaDBFlavor {
				expectError(t, db, "CREATE OR REPLACE TABLE one SELECT user_id FROM users", 1235)
			}
			one := oneConn(t, db)
			run(t, one, "CREATE TEMPORARY TABLE tmp (id INT)")
			if _, err := one.ExecContext(t.Context(), "CREATE TABLE one SELECT user_id FROM users"); err == nil {
				t.Error("with a temporary table it is not refused")
			}
		})
	})
}
