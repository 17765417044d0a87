package integration

import (
	"context"
	"database/sql"
	"testing"
)

// testAgain: a statement that failed on one shard is completed by running it again, also where it adds a
// key, which a server would add again under another name; ALTER says how many rows all shards copied.
func testAgain(t *testing.T, c *cluster, db *sql.DB) {
	must(t, db, "CREATE TABLE parts (tenant_id INT NOT NULL PRIMARY KEY, v INT)",
		"INSERT INTO parts VALUES (1,1),(2,2),(3,3),(4,4),(5,5),(6,6),(7,7),(8,8)")
	t.Cleanup(func() { must(t, db, "DROP TABLE parts") })
	r, err := db.ExecContext(context.Background(), "ALTER TABLE parts ADD COLUMN w INT, ALGORITHM=COPY")
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := r.RowsAffected(); n != 8 {
		t.Errorf("ALTER TABLE has copied %d rows, want 8", n)
	}
	// One shard has two rows with the same value.
	must(t, db, "INSERT INTO parts (tenant_id, v) SELECT tenant_id + 100, 0 FROM parts WHERE tenant_id < 3")
	var keys [2]string
	for n, found := 0, 0; found < 2; n++ {
		key := rows(t, db, "SELECT MAX(tenant_id) + 1 FROM parts")[0]
		must(t, db, "INSERT INTO parts (tenant_id, v) VALUES ("+key+", 1000)")
		if shardOf(t, db, key) == "s3" {
			keys[found] = key
			found++
			continue
		}
		must(t, db, "UPDATE parts SET v = tenant_id WHERE tenant_id = "+key)
	}
	must(t, db, "DELETE FROM parts WHERE v = 0")
	const add = "ALTER TABLE parts ADD UNIQUE KEY (v)"
	expectError(t, db, add, 1062, "done on s0, s1, s2; failed on s3")
	expectError(t, db, add, 1235, "shard s0 has UNIQUE KEY `v` (`v`), shard s3 has not")
	must(t, db, "UPDATE parts SET v = 2000 WHERE tenant_id = "+keys[0])
	expectError(t, db, add, 1235)
	must(t, db, "ALTER TABLE parts ADD UNIQUE KEY v (v)")
	expect(t, db, "SELECT COUNT(DISTINCT INDEX_NAME) FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'parts'", "2")
	must(t, db, "ALTER TABLE parts ADD KEY (w)") // all are alike again
	expectError(t, db, "ALTER TABLE parts MODIFY tenant_id INT(8) ZEROFILL NOT NULL", 1235)
	must(t, db, "ALTER TABLE parts CHANGE tenant_id tenant_id BIGINT NOT NULL")
	expect(t, db, "SELECT v FROM parts WHERE tenant_id = 5", "5")
}

// shardOf names the shard of a key.
func shardOf(t *testing.T, db *sql.DB, key string) string {
	t.Helper()
	var shard, text, strategy string
	if err := db.QueryRow("EXPLAIN ROUTE SELECT * FROM parts WHERE tenant_id = "+key).Scan(&shard, &text, &strategy); err != nil {
		t.Fatal(err)
	}
	return shard
}
