package integration

import (
	"database/sql"
	"testing"
)

// testAlterRows: ALTER TABLE gives the rows that are there what one server would give them: no number twice,
// and one time.
func testAlterRows(t *testing.T, c *cluster, db *sql.DB) {
	must(t, db, "CREATE TABLE numbered (tenant_id INT NOT NULL PRIMARY KEY, n INT)", "CREATE TABLE IF NOT EXISTS countries (code CHAR(2) PRIMARY KEY, name VARCHAR(50))",
		"INSERT INTO numbered VALUES (1,0),(2,0),(3,0),(4,0),(5,NULL),(6,0),(7,0),(8,0)")
	t.Cleanup(func() { must(t, db, "DROP TABLE numbered") })
	for _, q := range []string{"ADD COLUMN m SERIAL", "ADD m SERIAL FIRST", "ADD COLUMN (k INT, m SERIAL)", "ADD m INT SERIAL DEFAULT VALUE",
		"MODIFY n INT NOT NULL AUTO_INCREMENT UNIQUE", "CHANGE n n SERIAL"} {
		expectError(t, db, "ALTER TABLE numbered "+q, 1235, "on every shard from 1 on")
	}
	must(t, db, "UPDATE numbered SET n = tenant_id", "ALTER TABLE numbered MODIFY n INT NOT NULL")
	expectError(t, db, "ALTER TABLE numbered MODIFY n INT NOT NULL AUTO_INCREMENT UNIQUE", 1235, "NO_AUTO_VALUE_ON_ZERO")
	one := oneConn(t, db)
	must(t, db, "INSERT INTO numbered VALUES (9, 0)") // meanwhile
	for _, q := range []string{"SET sql_mode = CONCAT(@@sql_mode, ',NO_AUTO_VALUE_ON_ZERO')", "ALTER TABLE numbered MODIFY n INT NOT NULL AUTO_INCREMENT UNIQUE"} {
		if _, err := one.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	must(t, db, "INSERT INTO numbered (tenant_id) VALUES (10),(11),(12)", "ALTER TABLE numbered MODIFY n BIGINT NOT NULL AUTO_INCREMENT")
	expect(t, db, "SELECT COUNT(*), COUNT(DISTINCT n), MIN(n) FROM numbered", "12\t12\t0")

	must(t, db, "ALTER TABLE numbered ADD COLUMN t DATETIME(6) NOT NULL DEFAULT NOW(6)")
	expect(t, db, "SELECT COUNT(*), COUNT(DISTINCT t) FROM numbered", "12\t1")
	if _, err := one.ExecContext(t.Context(), "SET explicit_defaults_for_timestamp = 0"); err == nil { // a server may not let it be set
		if _, err := one.ExecContext(t.Context(), "ALTER TABLE countries ADD ts TIMESTAMP(6) NOT NULL"); err != nil {
			t.Fatal(err)
		}
		defer must(t, db, "ALTER TABLE countries DROP COLUMN ts")
		if got := c.perShard("SELECT MIN(ts) FROM shop.countries"); got[0] != got[1] || got[0] != got[2] || got[0] != got[3] {
			t.Errorf("the copies of a reference table have the times %q", got)
		}
	}
}

// testElsewhere: what ALTER TABLE says to a sequence is heard; what a schema's name qualifies is dropped there; a temporary table is not
// taken for a table of several shards that gets its name.
func testElsewhere(t *testing.T, c *cluster, db *sql.DB) {
	must(t, db, "CREATE TABLE counted (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, tenant_id INT NOT NULL)", "CREATE TABLE fired (i INT)",
		"CREATE TRIGGER fired1 BEFORE INSERT ON fired FOR EACH ROW SET NEW.i = 55", "CREATE EVENT late ON SCHEDULE EVERY 1 DAY DO DELETE FROM fired")
	t.Cleanup(func() { must(t, db, "DROP TABLE counted, later, fired") })
	must(t, db, "INSERT INTO counted (tenant_id) VALUES (1)", "ALTER TABLE counted AUTO_INCREMENT = 500000", "INSERT INTO counted (tenant_id) VALUES (2)")
	expect(t, db, "SELECT id FROM counted WHERE tenant_id = 2", "500000")

	must(t, c.open("plain"), "DROP TRIGGER IF EXISTS shop.fired1", "DROP EVENT IF EXISTS shop.late")
	must(t, db, "INSERT INTO fired VALUES (1)")
	expect(t, db, "SELECT i FROM fired", "1")
	expect(t, db, "SELECT COUNT(*) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = 'shop'", "0")

	// A name that is no table's, although there is one of that name over several shards.
	must(t, db, "CREATE VIEW seen (counted) AS SELECT i FROM fired", "CREATE PROCEDURE counted(n INT) SELECT n AS n, i FROM fired WHERE i < n")
	expect(t, db, "SELECT counted FROM seen", "1")
	expect(t, db, "CALL counted(5)", "5\t1")
	expectError(t, db, "CREATE PROCEDURE u(counted INT) SELECT counted FROM counted", 1235)
	must(t, db, "DROP VIEW seen", "DROP PROCEDURE counted")

	one := oneConn(t, db)
	run := func(list ...string) {
		t.Helper()
		for _, q := range list {
			if _, err := one.ExecContext(t.Context(), q); err != nil {
				t.Errorf("%s: %v", q, err)
			}
		}
	}
	run("CREATE TEMPORARY TABLE early (tenant_id INT PRIMARY KEY)", "ALTER TABLE early RENAME TO later", "INSERT INTO later VALUES (7)", "CREATE TEMPORARY TABLE other (a INT)")
	must(t, db, "CREATE TABLE later LIKE counted", "INSERT INTO later (tenant_id) VALUES (1),(2),(3),(4),(5),(6)")
	for _, q := range []string{"SELECT COUNT(*) FROM later", "DELETE FROM later", "SELECT * FROM other, later", "DROP TABLE later", "SHOW CREATE TABLE later"} {
		expectError(t, one, q, 1235, "DROP TEMPORARY TABLE later")
	}
	expectError(t, one, "CREATE TABLE other (tenant_id INT PRIMARY KEY)", 1235, "DROP TEMPORARY TABLE other")
	run("DROP TEMPORARY TABLE later", "DROP TABLE other", "CREATE TABLE other (tenant_id INT PRIMARY KEY)", "DROP TABLE other")
	expect(t, one, "SELECT COUNT(*) FROM later", "6")
	expectError(t, one, "DROP TEMPORARY TABLE later", 1051)
	expectError(t, db, "CREATE TABLE whose (i INT, w VARCHAR(99) DEFAULT (USER()))", 1235)
}
