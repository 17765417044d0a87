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
