package integration

import (
	"strings"
	"testing"

	"sluice/internal/testkit"
)

// TestAutoShardKey: a rule that CREATE TABLE has made by auto_shard_key goes with the table, one of
// a DBA's stays, and a table that is there is not given one.
func TestAutoShardKey(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		t.Parallel()
		c := start(t, setup{flavor: flavor, own: true, shards: 2})
		db := c.open("shop", interpolated)
		dba := c.px[0].dba()
		kind := func(table, want string) {
			t.Helper()
			got := "none"
			for _, row := range rows(t, dba, "SHOW TABLES") {
				if f := strings.Split(row, "\t"); f[0] == "shop" && f[1] == table {
					got = strings.Join(f[2:5], " ")
				}
			}
			if got != want {
				t.Errorf("%s is %q, want %q", table, got, want)
			}
		}
		const byTenant = "CREATE TABLE x (tenant_id INT NOT NULL PRIMARY KEY, a INT)"
		must(t, db, byTenant, "INSERT INTO x VALUES (1, 1), (2, 2), (3, 3), (4, 4)")
		kind("x", "sharded tenant_id ")
		expectError(t, db, "CREATE TEMPORARY TABLE tmp (a INT, a INT)", 1060)
		kind("x", "sharded tenant_id ")
		must(t, db, "DROP TABLE x")
		kind("x", "none")
		must(t, db, "CREATE TABLE x (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, a INT)", "INSERT INTO x (a) VALUES (1), (2), (3)")
		kind("x", "unsharded  ")
		expect(t, db, "SELECT id, a FROM x ORDER BY id", "1\t1", "2\t2", "3\t3")
		must(t, db, "DROP TABLE x", "CREATE TABLE x (n BIGINT NOT NULL AUTO_INCREMENT, tenant_id INT NOT NULL, PRIMARY KEY (tenant_id, n), KEY (n))", "INSERT INTO x (tenant_id) VALUES (7), (8), (9)")
		kind("x", "sharded tenant_id n")
		expect(t, db, "SELECT COUNT(*), MAX(n) FROM x", "3\t3")
		must(t, db, "TRUNCATE TABLE x")
		kind("x", "sharded tenant_id n")
		expectError(t, db, "CREATE TABLE x (n BIGINT NOT NULL AUTO_INCREMENT, tenant_id INT NOT NULL, PRIMARY KEY (tenant_id, n), KEY (n))", 1050)
		must(t, db, "CREATE TABLE IF NOT EXISTS x (n BIGINT NOT NULL AUTO_INCREMENT, tenant_id INT NOT NULL, PRIMARY KEY (tenant_id, n), KEY (n))")
		kind("x", "sharded tenant_id n")

		expectError(t, db, "CREATE TABLE y (tenant_id INT NOT NULL PRIMARY KEY, a INT, a INT)", 1060)
		kind("y", "none")
		must(t, db, "CREATE TABLE y (a INT)", "INSERT INTO y VALUES (5)")
		expectError(t, db, "CREATE TABLE y (tenant_id INT NOT NULL PRIMARY KEY)", 1050)
		must(t, db, "CREATE TABLE IF NOT EXISTS y (tenant_id INT NOT NULL PRIMARY KEY)")
		kind("y", "unsharded  ")
		expect(t, db, "SELECT a FROM y", "5")

		must(t, db, "CREATE TABLE z LIKE x", "DROP TABLE IF EXISTS x, y, z, nothing")
		for _, table := range []string{"x", "y", "z"} {
			kind(table, "none")
		}
		must(t, db, byTenant, "INSERT INTO x VALUES (1, 1), (2, 2), (3, 3), (4, 4)")
		expect(t, db, "SELECT SUM(a) FROM x", "10")
		if flavor == testkit.MariaDBFlavor {
			must(t, db, "CREATE TABLE y (a INT)", "CREATE OR REPLACE TABLE y (tenant_id INT NOT NULL PRIMARY KEY)", "INSERT INTO y VALUES (1), (2), (3)")
			kind("y", "sharded tenant_id ")
		}

		must(t, db, "CREATE TABLE users (user_id INT NOT NULL PRIMARY KEY)", "DROP TABLE users")
		kind("users", "sharded user_id ")
		expectError(t, db, "CREATE TABLE users (a INT)", 1105, "has no column user_id")
	})
}
