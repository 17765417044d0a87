package integration

import (
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// testSizes: information_schema and SHOW TABLE STATUS give rows and sizes of all shards, and
// each table once.
func testSizes(t *testing.T, c *cluster, db *sql.DB) {
	must(t, db, "ANALYZE TABLE users, orders, names", "ANALYZE TABLE countries", "ANALYZE TABLE settings",
		"CREATE TABLE sized (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, tenant_id INT NOT NULL, KEY (tenant_id))",
		"INSERT INTO sized (id, tenant_id) VALUES (1001, 1), (1002, 2), (1003, 3), (1004, 4), (1005, 5)", "ANALYZE TABLE sized")
	of := func(column, table, name string) uint64 {
		var sum uint64
		for _, v := range c.perShard(fmt.Sprintf("SELECT SUM(%s) FROM information_schema.%s WHERE TABLE_SCHEMA='shop' AND TABLE_NAME='%s'", column, table, name)) {
			n, err := strconv.ParseUint(v, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			sum += n
		}
		return sum
	}
	for _, column := range []string{"TABLE_ROWS", "DATA_LENGTH", "INDEX_LENGTH", "DATA_FREE"} {
		want := strconv.FormatUint(of(column, "TABLES", "users"), 10)
		expect(t, db, "SELECT "+column+" FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'users'", want)
		expect(t, db, "SELECT SUM(t."+strings.ToLower(column)+") FROM information_schema.tables t WHERE t.table_schema = DATABASE() AND table_name LIKE 'user%'", want)
		expect(t, db, "SELECT SUM("+column+") FROM information_schema.PARTITIONS WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'users'", want)
	}
	if n := of("TABLE_ROWS", "TABLES", "users"); n < 150 || n > 250 {
		t.Errorf("the servers speak of %d rows of users", n)
	}
	expect(t, db, "SELECT SUM(CARDINALITY) FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'users'",
		strconv.FormatUint(of("CARDINALITY", "STATISTICS", "users"), 10))
	expect(t, db, "SELECT TABLE_NAME, COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop' AND TABLE_ROWS >= 0 GROUP BY TABLE_NAME ORDER BY TABLE_NAME",
		"countries\t1", "names\t1", "orders\t1", "settings\t1", "sized\t1", "users\t1")
	expect(t, db, "SELECT TABLE_ROWS FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'countries'",
		c.servers[0].Value("SELECT TABLE_ROWS FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'countries'"))
	expect(t, db, "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = '_sluice'", "0")
	expect(t, db, "SELECT AVG_ROW_LENGTH = DATA_LENGTH DIV TABLE_ROWS FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'users'", "1")
	expect(t, db, "SELECT (SELECT AUTO_INCREMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'sized') > 1000 FROM settings", "1")

	status := func(q string) (out []string) {
		for _, r := range rows(t, db, q) {
			f := strings.Split(r, "\t")
			out = append(out, f[0]+" "+f[4])
		}
		return out
	}
	want := "users " + strconv.FormatUint(of("TABLE_ROWS", "TABLES", "users"), 10)
	for _, q := range []string{"SHOW TABLE STATUS LIKE 'users'", "SHOW TABLE STATUS FROM shop LIKE 'user%'", "SHOW TABLE STATUS WHERE Name = 'users' OR `Rows` < 0"} {
		if got := status(q); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", q, got, want)
		}
	}
	if got := status("SHOW TABLE STATUS"); len(got) != 6 || got[5] != want {
		t.Errorf("SHOW TABLE STATUS: %q", got)
	}
	prepared := c.open("shop")
	expect(t, prepared, "SELECT TABLE_ROWS FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'users'", strings.TrimPrefix(want, "users "))
	if got := rows(t, prepared, "SELECT table_schema, SUM(data_length + index_length) FROM information_schema.tables WHERE table_schema = ? GROUP BY table_schema", "shop"); len(got) != 1 {
		t.Errorf("sizes of the schema: %q", got)
	}
	must(t, db, "DROP TABLE sized")
	must(t, prepared, "SET sql_select_limit = 1") // is the client's, not that of the questions to the shards
	expect(t, prepared, "SELECT TABLE_ROWS FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'users'", strings.TrimPrefix(want, "users "))
}
