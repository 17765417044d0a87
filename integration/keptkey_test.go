package integration

import (
	"database/sql"
	"fmt"
	"hash/crc32"
	"testing"

	"sluice/internal/testkit"
)

// sameIDs runs an INSERT on both: the counts, ids and errors are the same.
func sameIDs(t *testing.T, db, one *sql.DB, insert string, args ...any) {
	t.Helper()
	say := func(db *sql.DB) string {
		r, err := db.Exec(insert, args...)
		if err != nil {
			return err.Error()
		}
		n, _ := r.RowsAffected()
		id, _ := r.LastInsertId()
		return fmt.Sprintf("%d rows, id %d, LAST_INSERT_ID() %s", n, id, rows(t, db, "SELECT LAST_INSERT_ID()")[0])
	}
	if got, want := say(db), say(one); got != want {
		t.Errorf("%s %v: %s, want %s", insert, args, got, want)
	}
}

// keptKeys: ON DUPLICATE KEY UPDATE may assign the shard key what leaves the row where it is.
func keptKeys(t *testing.T, flavor testkit.Flavor, db, one *sql.DB) {
	for _, d := range []*sql.DB{db, one} {
		must(t, d, "CREATE TABLE ku (k BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, n INT, name VARCHAR(20), UNIQUE KEY (name))",
			"CREATE TABLE ks (k INT NOT NULL PRIMARY KEY, n INT)", "INSERT INTO ku VALUES (5, 1, 'five'), (6, 1, 'six')", "INSERT INTO ks VALUES (-5, 1), (7, 1)")
	}
	beside := 1000 // lives on the shard of 5
	for shard := func(k int) uint32 { return crc32.ChecksumIEEE([]byte(fmt.Sprint(k))) % 16384 / 4096 }; shard(beside) != shard(5); beside++ {
	}
	list := []string{
		"INSERT INTO ku VALUES (5, 1, 'x') ON DUPLICATE KEY UPDATE k = LAST_INSERT_ID(k), n = n + 1",
		"INSERT INTO ku (k, n) VALUES (11, 1) ON DUPLICATE KEY UPDATE k = LAST_INSERT_ID(k), n = n + 1",
		"INSERT INTO ku (k, n) VALUES (11, 1) ON DUPLICATE KEY UPDATE n = n + 1, `k` = LAST_INSERT_ID((ku.`K`))",
		"INSERT INTO ku SET k = 6, n = 3 ON DUPLICATE KEY UPDATE ku.k = last_insert_id(k), n = 9",
		fmt.Sprintf("INSERT INTO ku VALUES (%d, 1, 'five') ON DUPLICATE KEY UPDATE k = LAST_INSERT_ID(k), n = 77", beside),
		fmt.Sprintf("INSERT INTO ku VALUES (%d, 1, 'five') ON DUPLICATE KEY UPDATE k = k, n = 78", beside),
		fmt.Sprintf("INSERT INTO ku VALUES (%d, 1, 'five') ON DUPLICATE KEY UPDATE k = (VALUES(k)), n = 79", beside),
		fmt.Sprintf("INSERT INTO ku VALUES (%d, 1, 'five') ON DUPLICATE KEY UPDATE k = LAST_INSERT_ID(k), n = 79", beside),
		"INSERT INTO ku (k, n) VALUES (12, 1), (13, 2), (14, 3) ON DUPLICATE KEY UPDATE k = ku.k, n = 9",
		"INSERT INTO ku (k, n) VALUES (12, 1), (13, 2), (15, 3) ON DUPLICATE KEY UPDATE k = VALUES(k), n = VALUES(n) + 5",
		"INSERT INTO ks VALUES (7, 1) ON DUPLICATE KEY UPDATE k = LAST_INSERT_ID(k), n = 9",
		"INSERT INTO ks VALUES (8, 1) ON DUPLICATE KEY UPDATE k = LAST_INSERT_ID(k), n = 9",
		"INSERT INTO ks VALUES (7, 1) ON DUPLICATE KEY UPDATE k = 7, n = 10",
		"INSERT INTO ks VALUES (7, 1), (7, 2) ON DUPLICATE KEY UPDATE k = '7', n = VALUES(n)",
		"INSERT INTO ks SET k = 9, n = 9 ON DUPLICATE KEY UPDATE k = 9, n = 10",
	}
	if flavor == testkit.MariaDBFlavor {
		list = append(list, "INSERT INTO ku VALUES (5, 1, 'x') ON DUPLICATE KEY UPDATE k = VALUE(k), n = VALUE(n) + 4")
	} else {
		list = append(list, "INSERT INTO ku VALUES (5, 1, 'x') AS new ON DUPLICATE KEY UPDATE k = new.k, n = new.n + 4",
			"INSERT INTO ku (k, n) VALUES (5, 1), (6, 2) AS new ON DUPLICATE KEY UPDATE k = ku.k, n = new.n + 4",
			"INSERT INTO ku (k, n) VALUES (5, 1) AS new(a, b) ON DUPLICATE KEY UPDATE k = k, n = b + 5",
			"INSERT INTO ku (k, n) VALUES (5, 1) AS new(a, b) ON DUPLICATE KEY UPDATE k = LAST_INSERT_ID(k), n = b + 6")
	}
	for _, insert := range list {
		sameIDs(t, db, one, insert)
	}
	sameIDs(t, db, one, "INSERT INTO ks VALUES (?, 1) ON DUPLICATE KEY UPDATE k = ?, n = n + 1", 7, 7)
	sameIDs(t, db, one, "INSERT INTO ks VALUES (-5, 1) ON DUPLICATE KEY UPDATE k = LAST_INSERT_ID(k), n = 9") // out of range: what LAST_INSERT_ID() is then is not certain
	must(t, one, "INSERT INTO a (uid, name) VALUES (99, 'x')")
	must(t, db, "INSERT INTO a (uid, name) VALUES (99, 'x')")
	for _, table := range []string{"ku", "ks"} {
		expect(t, db, "SELECT * FROM "+table+" ORDER BY k", rows(t, one, "SELECT * FROM "+table+" ORDER BY k")...)
	}
	refused := []string{
		"INSERT INTO ku (n, name) VALUES (1, 'six') ON DUPLICATE KEY UPDATE k = LAST_INSERT_ID(k)",
		"INSERT INTO ku VALUES (0, 1, 'six') ON DUPLICATE KEY UPDATE k = LAST_INSERT_ID(k)",
		"INSERT INTO ku VALUES (5, 1, 'six'), (NULL, 1, 'six') ON DUPLICATE KEY UPDATE k = LAST_INSERT_ID(k)",
		"INSERT INTO ku VALUES (5, 1, 'six'), (6, 1, 'six') ON DUPLICATE KEY UPDATE k = LAST_INSERT_ID(k)",
		"INSERT INTO ku VALUES (5, 1, 'six') ON DUPLICATE KEY UPDATE k = LAST_INSERT_ID(k + 1)",
		"INSERT INTO ku VALUES (5, 1, 'six') ON DUPLICATE KEY UPDATE k = LAST_INSERT_ID(n)",
		"INSERT INTO ku VALUES (NULL, 1, 'six') ON DUPLICATE KEY UPDATE k = 6",
		"INSERT INTO ks VALUES (7, 1) ON DUPLICATE KEY UPDATE k = 8",
		"INSERT INTO ks VALUES (7, 1), (8, 1) ON DUPLICATE KEY UPDATE k = 7",
		"INSERT INTO ks VALUES (7, 1) ON DUPLICATE KEY UPDATE k = k, k = 8",
		"INSERT IGNORE INTO ks VALUES (-5, 1) ON DUPLICATE KEY UPDATE k = LAST_INSERT_ID(k)",
		"INSERT INTO ku SELECT 5, 1, 'x' ON DUPLICATE KEY UPDATE k = LAST_INSERT_ID(k)",
	}
	if flavor == testkit.MySQLFlavor {
		refused = append(refused, "INSERT INTO ku (k, n) VALUES (5, 1) AS new(n, k) ON DUPLICATE KEY UPDATE k = k",
			"INSERT INTO ku (k, n) VALUES (5, 1) AS new(n, k) ON DUPLICATE KEY UPDATE k = new.k")
	}
	for _, insert := range refused {
		expectError(t, db, insert, 1235)
	}
	must(t, db, "SET sql_mode = ''")
	expectError(t, db, "INSERT INTO ks VALUES (-5, 1) ON DUPLICATE KEY UPDATE k = LAST_INSERT_ID(k)", 1235)
	must(t, db, "INSERT INTO ku (k) VALUES (5) ON DUPLICATE KEY UPDATE k = LAST_INSERT_ID(k)", "SET sql_mode = DEFAULT")
}
