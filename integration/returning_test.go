package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sluice/internal/testkit"
)

// TestInsertReturning: what INSERT … RETURNING over shards does beyond what the corpus shows:
// ids of the sequence, duplicates that are ignored, rows that are too much.
func TestInsertReturning(t *testing.T) {
	c := start(t, setup{flavor: testkit.MariaDBFlavor, schemas: `
  schemas:
    - name: shop
      default_shard: s1
      tables:
        n: {shard_key: id}
        k: {shard_key: uid}
        r: {kind: reference}
    - name: plain
      default_shard: s2
`})
	db := c.open("shop", interpolated)
	must(t, db,
		"CREATE TABLE n (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, v INT)",
		"CREATE TABLE k (uid INT NOT NULL PRIMARY KEY, v INT)",
		"CREATE TABLE r (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, v INT)")
	for _, table := range []string{"n", "r"} {
		for _, conn := range []querier{oneConn(t, db), oneConn(t, c.open("shop"))} {
			got := rows(t, conn, "INSERT INTO "+table+" (v) VALUES (?), (5), (4), (3), (2), (1) RETURNING id, v", 6)
			var first int64
			if _, err := fmt.Sscan(strings.Join(got, " "), &first); err != nil {
				t.Fatalf("%s: %q", table, got)
			}
			var want []string
			for i := range int64(6) {
				want = append(want, fmt.Sprintf("%d\t%d", first+i, 6-i))
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: got %q, want %q", table, got, want)
			}
			expect(t, conn, "SELECT LAST_INSERT_ID()", fmt.Sprint(first))
			expect(t, conn, fmt.Sprintf("SELECT v FROM %s WHERE id >= %d ORDER BY id", table, first), "6", "5", "4", "3", "2", "1")
		}
	}

	one := oneConn(t, db)
	ignoring := "INSERT IGNORE INTO k VALUES (8, 1), (7, 1), (6, 1), (5, 1), (4, 1), (3, 1), (2, 1), (1, 1) RETURNING uid"
	rows(t, one, "INSERT INTO k VALUES (5, 0)")
	for range 2 { // the second time in a transaction, of which only the statement is taken back
		expectError(t, one, ignoring, 1235, "sluice:", "one by one")
		expect(t, one, "SELECT COUNT(*) FROM k", "1")
		rows(t, one, "BEGIN")
		rows(t, one, "UPDATE k SET v = v + 1 WHERE uid = 5")
	}
	expect(t, one, "SELECT v FROM k", "2")
	rows(t, one, "DELETE FROM k")
	expect(t, one, ignoring, "8", "7", "6", "5", "4", "3", "2", "1")
	rows(t, one, "ROLLBACK")
	expect(t, one, "SELECT uid, v FROM k", "5\t1")

	large := "REPEAT('x', 15000000)"
	expectError(t, one, "REPLACE INTO k VALUES (8, 1), (7, 1), (6, 1), (5, 1), (4, 1) RETURNING "+large+" AS a, uid", 1104, "sluice:", "64 MiB")
	expect(t, one, "SELECT uid, v FROM k", "5\t1")
}
