package integration

import (
	"strings"
	"testing"

	"sluice/internal/testkit"
)

// TestSystemVersioned: tables WITH SYSTEM VERSIONING, which a DBA has made on the shards, have the answers
// of one server, their past included where the key says on which shard it is; else it is refused.
func TestSystemVersioned(t *testing.T) {
	const flavor = testkit.MariaDBFlavor
	c := start(t, setup{flavor: flavor, schemas: reviewSchemas})
	one := testkit.Shared(t, flavor, 4)
	one.Exec("DROP DATABASE IF EXISTS shop", "CREATE DATABASE shop")
	t.Cleanup(func() { one.Exec("DROP DATABASE shop") })
	for _, s := range append(c.servers[:4:4], one) {
		s.Exec("CREATE TABLE shop.t (id BIGINT NOT NULL PRIMARY KEY, v INT) WITH SYSTEM VERSIONING",
			"CREATE TABLE shop.kv (k BIGINT NOT NULL PRIMARY KEY, v INT, since TIMESTAMP(6) GENERATED ALWAYS AS ROW START, till TIMESTAMP(6) GENERATED ALWAYS AS ROW END, "+
				"PERIOD FOR SYSTEM_TIME (since, till)) WITH SYSTEM VERSIONING")
	}
	db, odb := c.open("shop", interpolated), one.DB(t, "shop")
	db.SetMaxOpenConns(1)
	odb.SetMaxOpenConns(1)
	for _, sql := range []string{
		"INSERT INTO t VALUES (1,1),(2,2),(3,3),(4,4),(5,5),(6,6),(7,7),(8,8)",
		"INSERT INTO kv (k, v) VALUES (1,1),(2,2),(3,3),(4,4)",
		"UPDATE t SET v = v + 1 WHERE id = 5",
		"UPDATE t SET v = v + 1",
		"UPDATE kv SET v = v * 2",
		"DELETE FROM t WHERE v > 9",
		"DELETE FROM t ORDER BY v LIMIT 1",
		"UPDATE t SET v = (SELECT MAX(v) FROM kv) WHERE id < 4",
		"REPLACE INTO t VALUES (5, 50), (6, 60)",
		"INSERT INTO t SELECT k + 100, v FROM kv",
		"INSERT INTO kv (k, v) SELECT id, v FROM t WHERE id > 4",
		"UPDATE t SET id = 200 WHERE id = 4",
		"INSERT INTO t VALUES (5, 51) ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id), v = 51",
	} {
		sameIDs(t, db, odb, sql)
	}
	refused := 0
	for _, sql := range []string{
		"SELECT * FROM t ORDER BY id",
		"SELECT k, v, since < till, till > '2030-01-01' FROM kv ORDER BY k",
		"SELECT COUNT(*), MAX(v) FROM t WHERE row_end > '2030-01-01'",
		"SELECT id, row_end > '2030-01-01' FROM t WHERE id = 5",
		"SELECT a.id, b.k FROM t a JOIN kv b ON a.v = b.v ORDER BY 1, 2",
		"SELECT * FROM t WHERE v IN (SELECT v FROM kv) ORDER BY id",
		"SELECT id FROM t WHERE v IN (SELECT v FROM kv) ORDER BY id",
		"SELECT COUNT(DISTINCT v) FROM kv",
		"SELECT DISTINCT MEDIAN(v) OVER () FROM t",
		"SELECT id, v FROM t FOR SYSTEM_TIME ALL WHERE id = 5 ORDER BY row_start",
		"SELECT t.v, row_end > '2030-01-01' FROM t FOR SYSTEM_TIME BETWEEN '2020-01-01' AND NOW(6) WHERE t.id = 5 AND v > 1 ORDER BY 1",
		"SELECT COUNT(*) FROM t FOR SYSTEM_TIME AS OF TIMESTAMP'2020-01-01 00:00:00' WHERE id = 5",
		"SELECT COUNT(*) FROM t FOR SYSTEM_TIME ALL WHERE id = 4",
		"SELECT COUNT(*) FROM t FOR SYSTEM_TIME ALL WHERE id = 200",
	} {
		got, err := tryRows(db, sql)
		want, wantErr := tryRows(odb, sql)
		if wantErr != nil {
			t.Fatalf("%s: %v", sql, wantErr)
		}
		switch {
		case err != nil:
			refused++
			t.Logf("%s: %v", sql, err)
			checkError(t, sql, err, 1235)
		case strings.Join(got, ";") != strings.Join(want, ";"):
			t.Errorf("%s: %q, want %q", sql, got, want)
		}
	}
	if refused > 0 {
		t.Errorf("%d are refused", refused)
	}
	for _, sql := range []string{
		"SELECT COUNT(*) FROM t FOR SYSTEM_TIME ALL",
		"SELECT COUNT(*) FROM t FOR SYSTEM_TIME ALL WHERE id IN (4, 5)",
		"SELECT COUNT(*) FROM t FOR SYSTEM_TIME ALL WHERE id = '5x'",
		"SELECT COUNT(*) FROM t FOR SYSTEM_TIME ALL WHERE id = 5 OR id = 6",
		"SELECT COUNT(*) FROM t FOR SYSTEM_TIME ALL, kv WHERE id = 5",
		"SELECT COUNT(*) FROM t FOR SYSTEM_TIME ALL WHERE id = 5 UNION SELECT 1",
		"SELECT COUNT(*) FROM t FOR SYSTEM_TIME FROM '2020-01-01' TO NOW() WHERE id = 5",
		"SELECT (SELECT COUNT(*) FROM t FOR SYSTEM_TIME ALL WHERE id = 5)",
		"DELETE HISTORY FROM t",
		"SELECT a.id, b.k FROM t a JOIN kv b ON a.v = b.v AND b.till > '2030-01-01' ORDER BY 1, 2",
		"SELECT a.id, b.k FROM t a JOIN kv b ON a.v = b.v AND a.row_end > '2030-01-01' ORDER BY 1, 2",
		"SELECT * FROM t a JOIN kv b ON a.v = b.v",
		"UPDATE kv SET v = 5 ORDER BY since LIMIT 1",
	} {
		expectError(t, db, sql, 1235)
	}
}
