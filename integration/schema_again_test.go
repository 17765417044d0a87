package integration

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	"sluice/internal/testkit"
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

// testRename: a table that is sharded takes its rule to a name that has none, and leaves a place for another.
func testRename(t *testing.T, c *cluster, db *sql.DB) {
	const columns = " (id BIGINT AUTO_INCREMENT PRIMARY KEY, tenant_id INT NOT NULL, KEY (tenant_id))"
	must(t, db, "CREATE TABLE first"+columns, "INSERT INTO first (tenant_id) VALUES (1),(2),(3),(4),(5),(6),(7),(8)")
	ids := func(table, count string) {
		t.Helper()
		must(t, db, "INSERT INTO "+table+" (tenant_id) VALUES (1),(2),(3),(4)")
		expect(t, db, "SELECT COUNT(*), COUNT(DISTINCT id), COUNT(DISTINCT tenant_id) FROM "+table, count+"\t"+count+"\t8")
	}
	must(t, db, "ALTER TABLE first RENAME TO first2", "ALTER TABLE first2 RENAME second")
	expectError(t, db, "SELECT * FROM first", 1146)
	ids("second", "12")
	expect(t, db, "SELECT COUNT(*) FROM second WHERE tenant_id = 7", "1")
	// What tools do that change a schema beside its use.
	must(t, db, "CREATE TABLE second_new LIKE second", "ALTER TABLE second_new ADD COLUMN note VARCHAR(9)", "INSERT INTO second_new (id, tenant_id) SELECT id, tenant_id FROM second",
		"RENAME TABLE second TO second_old, second_new TO second")
	ids("second", "16")
	expect(t, db, "SELECT COUNT(*), MAX(note) FROM second WHERE tenant_id = 7", "1\tNULL")
	expect(t, db, "SELECT COUNT(*) FROM second_old", "12")
	must(t, db, "DROP TABLE second_old")
	// The names that are free have no rule any more.
	must(t, db, "CREATE TABLE first (i INT)", "INSERT INTO first VALUES (1)")
	expectError(t, db, "RENAME TABLE second TO first", 1050)
	expectError(t, db, "RENAME TABLE nothing9 TO nothing8", 1146)
	expect(t, db, "SELECT COUNT(*) FROM first", "1")
	must(t, db, "DROP TABLE first")

	// One shard has the new name; then not.
	c.servers[2].Exec("CREATE TABLE shop.third LIKE shop.second")
	expectError(t, db, "RENAME TABLE second TO third", 1050, "done on", "failed on s2")
	if _, err := tryRows(db, "RENAME TABLE second TO third"); err == nil { // each kind of servers says another error first
		t.Error("RENAME TABLE is done where one shard has both names")
	}
	c.servers[2].Exec("DROP TABLE shop.third")
	must(t, db, "RENAME TABLE second TO third")
	ids("third", "20")
	expectError(t, db, "SELECT COUNT(*) FROM second", 1146)
	must(t, db, "CREATE TABLE second (i INT)", "DROP TABLE second", "DROP TABLE third")
}

// TestRenameOfRules: what tools do that change a schema beside its use, where the configuration has the rules.
func TestRenameOfRules(t *testing.T) {
	c := start(t, setup{schemas: triggerSchemas, etcd: testkit.Etcd(t).Addr})
	db, other := c.open("shop"), connect(t, c.addProxy().data, "app", "shop")
	must(t, db, "CREATE TABLE x (id INT NOT NULL PRIMARY KEY, v INT)", "INSERT INTO x VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6), (7, 7), (8, 8)",
		"CREATE TABLE r (code INT NOT NULL PRIMARY KEY, n INT)", "INSERT INTO r VALUES (1, 1)",
		"CREATE TABLE x_apart (id INT NOT NULL PRIMARY KEY, v INT)")
	expectError(t, db, "RENAME TABLE x TO x_old, x_apart TO x", 1235, "shop.x_apart", "CREATE TABLE … LIKE x")
	for range 2 {
		must(t, db, "CREATE TABLE _x_new LIKE x", "ALTER TABLE _x_new ADD COLUMN w INT", "INSERT INTO _x_new (id, v) SELECT id, v FROM x", "RENAME TABLE x TO _x_old, _x_new TO x")
		expect(t, db, "SELECT COUNT(*), MAX(w) FROM x", "8\tNULL")
		expect(t, db, "SELECT v FROM x WHERE id = 7", "7")
		expect(t, db, "SELECT COUNT(*) FROM _x_old", "8")
		if got := strings.Join(c.perShard("SELECT COUNT(*) < 8 FROM shop.x"), " "); got != "1 1 1 1" {
			t.Errorf("a shard has all rows: %s", got)
		}
		must(t, db, "DROP TABLE _x_old", "ALTER TABLE x DROP COLUMN w")
	}
	must(t, db, "CREATE TABLE r_new LIKE r", "INSERT INTO r_new SELECT * FROM r", "RENAME TABLE r TO r_old, r_new TO r", "DROP TABLE r_old")
	if got := strings.Join(c.perShard("SELECT COUNT(*) FROM shop.r"), " "); got != "1 1 1 1" {
		t.Errorf("copies of r: %s", got)
	}
	// Another proxy drops a table, whose name is without a rule then.
	for n := range 8 {
		must(t, db, "CREATE TABLE m LIKE x")
		must(t, other, "DROP TABLE m")
		if n%2 == 0 {
			must(t, db, "CREATE TABLE m (id INT PRIMARY KEY, v INT)")
		} else {
			must(t, db, "CREATE TABLE m (v INT)")
		}
		if got := strings.Join(c.perShard("SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'm'"), " "); got != "0 1 0 0" {
			t.Fatalf("shards that have the unsharded table m: %s", got)
		}
		must(t, db, "DROP TABLE m")
	}
	expectError(t, db, "DROP TABLE nope, x", 1051, "Unknown table 'shop.nope'")
	expect(t, db, "SELECT COUNT(*) FROM x", "8")
	// Ids go on where they were, also where the rows that had them are gone.
	must(t, db, "CREATE TABLE a (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, uid INT NOT NULL)", "INSERT INTO a (uid) VALUES (1), (2), (3), (4), (5)")
	last := rows(t, db, "SELECT MAX(id) FROM a")[0]
	must(t, db, "DELETE FROM a", "RENAME TABLE a TO b", "INSERT INTO b (uid) VALUES (1), (2)")
	expect(t, db, "SELECT COUNT(*), MIN(id) > "+last+" FROM b", "2\t1")
	last = rows(t, db, "SELECT MAX(id) FROM b")[0]
	must(t, db, "CREATE TABLE b_new LIKE b", "RENAME TABLE b TO b_old, b_new TO b", "INSERT INTO b (uid) VALUES (1), (2)", "INSERT INTO b_old (uid) VALUES (3), (4)")
	expect(t, db, "SELECT COUNT(*), MIN(id) > "+last+" FROM b", "2\t1")
	expect(t, db, "SELECT COUNT(*), COUNT(DISTINCT id), COUNT(*) - SUM(id > "+last+") FROM b_old", "4\t4\t2")
	must(t, db, "CREATE TABLE b_new LIKE b", "INSERT INTO b_new (uid) VALUES (1)")
	expect(t, db, "SELECT id FROM b_new", "1")
	// The names are without rules again; a table of another schema has none.
	must(t, db, "CREATE TABLE _x_new (i INT)", "CREATE TABLE plain.x LIKE x", "INSERT INTO plain.x VALUES (1, 1), (2, 2), (3, 3), (4, 4)")
	if got := strings.Join(c.perShard("SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_NAME = '_x_new' OR TABLE_SCHEMA = 'plain'"), " "); got != "0 1 1 0" {
		t.Errorf("unsharded tables: %s", got)
	}
}
