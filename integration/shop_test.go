package integration

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sluice/internal/testkit"
)

// eachFlavor runs a test on MariaDB and on Oracle MySQL.
func eachFlavor(t *testing.T, f func(t *testing.T, flavor testkit.Flavor)) {
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) { f(t, flavor) })
	}
}

// TestFourShardsLookLikeOne is the story of the shop: tables are created, filled, read and
// changed by an application that believes it talks to one MySQL.
func TestFourShardsLookLikeOne(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		c := start(t, setup{flavor: flavor})
		for _, protocol := range []string{"text", "binary"} {
			t.Run(protocol, func(t *testing.T) {
				db := c.open("shop")
				if protocol == "text" {
					db = c.open("shop", interpolated)
				}
				must(t, db, "DROP TABLE IF EXISTS users, orders, names", "DROP TABLE IF EXISTS countries", "DROP TABLE IF EXISTS settings")
				create(t, db)
				users(t, db, 1000)
				testSpread(t, c)
				testReads(t, db)
				testWrites(t, c, db)
				testSequence(t, db)
				testReference(t, c, db)
				testTransactions(t, db)
			})
		}
	})
}

// testSpread: each row is on the shard that owns its key's slot, and on no other.
func testSpread(t *testing.T, c *cluster) {
	counts := c.perShard("SELECT COUNT(*) FROM shop.users")
	sum := 0
	for i, s := range c.servers {
		n, err := strconv.Atoi(counts[i])
		if err != nil || n < 150 {
			t.Errorf("shard %d has %s users of 1000", i, counts[i])
		}
		sum += n
		first, last := i*16384/len(c.servers), (i+1)*16384/len(c.servers)-1
		wrong := s.Value(fmt.Sprintf("SELECT COUNT(*) FROM shop.users WHERE MOD(CRC32(user_id), 16384) NOT BETWEEN %d AND %d", first, last))
		if wrong != "0" {
			t.Errorf("shard %d has %s rows of slots that it does not own", i, wrong)
		}
	}
	if sum != 1000 {
		t.Errorf("%d users on all shards, want 1000", sum)
	}
}

func testReads(t *testing.T, db *sql.DB) {
	expect(t, db, "SELECT name, email FROM users WHERE user_id = 42", "user 42\tu42@example.com")
	expect(t, db, "SELECT name FROM users WHERE user_id = '42'", "user 42")
	expect(t, db, "SELECT name FROM users WHERE user_id = 424242")
	expect(t, db, "SELECT user_id FROM users WHERE user_id IN (3, 1, 2, 9999) ORDER BY user_id", "1", "2", "3")
	expect(t, db, "SELECT user_id FROM users WHERE user_id BETWEEN 10 AND 14 ORDER BY user_id DESC", "14", "13", "12", "11", "10")
	expect(t, db, "SELECT user_id, name FROM users ORDER BY name LIMIT 3", "1\tuser 1", "10\tuser 10", "100\tuser 100")
	expect(t, db, "SELECT name FROM users ORDER BY user_id LIMIT 2 OFFSET 997", "user 998", "user 999")
	expect(t, db, "SELECT name FROM users ORDER BY country, user_id DESC LIMIT 2", "user 999", "user 996")
	expect(t, db, "SELECT COUNT(*), SUM(user_id), MIN(user_id), MAX(name), AVG(user_id) FROM users", "1000\t500500\t1\tuser 999\t500.5000")
	expect(t, db, "SELECT COUNT(*), SUM(user_id), AVG(user_id) FROM users WHERE user_id > 5000", "0\tNULL\tNULL")
	expect(t, db, "SELECT country, COUNT(*) FROM users GROUP BY country ORDER BY country", "de\t333", "fr\t334", "nl\t333")
	expect(t, db, "SELECT country, COUNT(*) AS n FROM users GROUP BY country ORDER BY n DESC, country LIMIT 2", "fr\t334", "de\t333")
	expect(t, db, "SELECT DISTINCT country FROM users ORDER BY country DESC", "nl", "fr", "de")
	all := rows(t, db, "SELECT user_id FROM users")
	if slices.Sort(all); len(all) != 1000 || len(slices.Compact(all)) != 1000 {
		t.Errorf("%d rows of 1000", len(all))
	}
	if got := rows(t, db, "SELECT user_id FROM users WHERE user_id = ?", 77); !slices.Equal(got, []string{"77"}) {
		t.Errorf("by parameter: %q", got)
	}
	if got := rows(t, db, "SELECT user_id FROM users WHERE user_id > ? ORDER BY user_id LIMIT ?", 500, 2); !slices.Equal(got, []string{"501", "502"}) {
		t.Errorf("merge with parameters: %q", got)
	}
}

func testWrites(t *testing.T, c *cluster, db *sql.DB) {
	affected := func(query string, want int64, args ...any) {
		t.Helper()
		r, err := db.Exec(query, args...)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		if n, err := r.RowsAffected(); n != want || err != nil {
			t.Errorf("%s: %d rows affected (%v), want %d", query, n, err, want)
		}
	}
	affected("UPDATE users SET name = 'changed' WHERE user_id = ?", 1, 5)
	affected("UPDATE users SET name = 'changed' WHERE user_id = 5", 0)
	expect(t, db, "SELECT name FROM users WHERE user_id = 5", "changed")
	affected("DELETE FROM users WHERE user_id = ?", 1, 6)
	affected("INSERT INTO users VALUES (6, 'six', 'e', 'de'), (2001, 'a', 'e', 'de'), (2002, 'b', 'e', 'de'), (2003, 'c', 'e', 'de')", 4)
	affected("INSERT IGNORE INTO users VALUES (2003, 'c', 'e', 'de'), (2004, 'd', 'e', 'de')", 1)
	affected("INSERT INTO users VALUES (2004, 'x', 'e', 'de') ON DUPLICATE KEY UPDATE name = VALUES(name)", 2)
	expect(t, db, "SELECT name FROM users WHERE user_id = 2004", "x")
	expectError(t, db, "INSERT INTO users VALUES (2004, 'x', 'e', 'de')", 1062)
	// A batch that fails on one shard leaves nothing on the others.
	_, err := db.Exec("INSERT INTO users VALUES (3001,'a','e','de'),(3002,'a','e','de'),(3003,'a','e','de'),(3004,'a','e','de'),(3005,'a','e','de'),(2004,'a','e','de')")
	checkError(t, "a batch with a duplicate", err, 1062)
	expect(t, db, "SELECT COUNT(*) FROM users WHERE user_id BETWEEN 3001 AND 3005", "0")
	must(t, db, "INSERT INTO names VALUES ('Zoë', 1), ('zoë', 2), ('a b', 3)")
	expect(t, db, "SELECT n FROM names WHERE name = 'Zoë'", "1")
	expect(t, db, "SELECT n FROM names WHERE name IN ('zoë', 'a b') ORDER BY n", "2", "3")
	if got := c.servers[c.shardOf("a b")].Value("SELECT n FROM shop.names WHERE name = 'a b'"); got != "3" {
		t.Errorf("'a b' is not on the shard of its slot: %q", got)
	}
	// Writes without the key reach every shard, all of it or nothing.
	affected("UPDATE users SET email = 'same' WHERE name LIKE 'user 1%'", 112)
	affected("DELETE FROM users WHERE user_id > 2000", 4)
	// A new key that another row has is an error, and nothing happens; a free one moves the row.
	_, err = db.Exec("UPDATE users SET user_id = 7 WHERE user_id = 8")
	checkError(t, "a new key", err, 1062)
	expect(t, db, "SELECT COUNT(*) FROM users WHERE user_id IN (7, 8)", "2")
	affected("UPDATE users SET user_id = 4008 WHERE user_id = 8", 1)
	expect(t, db, "SELECT user_id FROM users WHERE user_id IN (8, 4008)", "4008")
	affected("UPDATE users SET user_id = 8 WHERE user_id = 4008", 1)
}

func testSequence(t *testing.T, db *sql.DB) {
	seen := map[string]bool{}
	for i := range 40 {
		r, err := db.Exec("INSERT INTO orders (user_id, item, amount) VALUES (?, 'book', 9.99)", i)
		if err != nil {
			t.Fatal(err)
		}
		id, err := r.LastInsertId()
		if err != nil || id <= 0 || seen[fmt.Sprint(id)] {
			t.Fatalf("id %d (%v) of order %d was given before", id, err, i)
		}
		seen[fmt.Sprint(id)] = true
		expect(t, db, fmt.Sprintf("SELECT user_id FROM orders WHERE order_id = %d", id), strconv.Itoa(i))
	}
	r, err := db.Exec("INSERT INTO orders (user_id, item, amount) VALUES (1,'a',1),(2,'b',1),(3,'c',1),(4,'d',1)")
	if err != nil {
		t.Fatal(err)
	}
	first, _ := r.LastInsertId()
	expect(t, db, fmt.Sprintf("SELECT item FROM orders WHERE order_id BETWEEN %d AND %d ORDER BY order_id", first, first+3), "a", "b", "c", "d")
	must(t, db, fmt.Sprintf("INSERT INTO orders (order_id, user_id, item, amount) VALUES (%d, 5, 'explicit', 1)", first+1000))
	r, err = db.Exec("INSERT INTO orders (user_id, item, amount) VALUES (5, 'after', 1)")
	if err != nil {
		t.Fatal(err)
	}
	if id, _ := r.LastInsertId(); id <= first+1000 {
		t.Errorf("id %d after an explicit id of %d", id, first+1000)
	}
	conn, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(context.Background(), "INSERT INTO orders (user_id, item, amount) VALUES (6, 'mine', 1)"); err != nil {
		t.Fatal(err)
	}
	expect(t, conn, "SELECT item FROM orders WHERE order_id = LAST_INSERT_ID()", "mine")
}

func testReference(t *testing.T, c *cluster, db *sql.DB) {
	must(t, db, "INSERT INTO countries VALUES ('de','Germany'),('fr','France'),('nl','Netherlands')", "UPDATE countries SET name = 'Holland' WHERE code = 'nl'")
	for i, got := range c.perShard("SELECT GROUP_CONCAT(name ORDER BY code) FROM shop.countries") {
		if got != "Germany,France,Holland" {
			t.Errorf("shard %d has the countries %q", i, got)
		}
	}
	expect(t, db, "SELECT c.name FROM users u JOIN countries c ON c.code = u.country WHERE u.user_id = 7", "France")
	expect(t, db, "SELECT c.name, COUNT(*) FROM users u JOIN countries c ON c.code = u.country WHERE u.user_id <= 9 GROUP BY c.name ORDER BY c.name",
		"France\t3", "Germany\t3", "Holland\t3")
	expect(t, db, "SELECT u.name, COUNT(*) FROM users u JOIN orders o ON o.user_id = u.user_id WHERE u.user_id = 4 GROUP BY u.name", "user 4\t2")
	must(t, db, "INSERT INTO settings VALUES ('a', '1') ON DUPLICATE KEY UPDATE value = '1'")
	expect(t, db, "SELECT value FROM settings WHERE name = 'a'", "1")
	there := c.perShard("SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'settings'")
	if got := strings.Join(there, " "); got != "1 0 0 0" {
		t.Errorf("the unsharded table on each shard: %s", got)
	}
}

func testTransactions(t *testing.T, db *sql.DB) {
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("UPDATE users SET name = 'tx' WHERE user_id = 20"); err != nil {
		t.Fatal(err)
	}
	expect(t, tx, "SELECT name FROM users WHERE user_id = 20", "tx")
	expect(t, db, "SELECT name FROM users WHERE user_id = 20", "user 20")
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	expect(t, db, "SELECT name FROM users WHERE user_id = 20", "user 20")
	if tx, err = db.Begin(); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("UPDATE users SET name = 'tx' WHERE user_id = 20"); err != nil {
		t.Fatal(err)
	}
	expect(t, tx, "SELECT COUNT(*) FROM users WHERE user_id <= 20", "20") // reads on all shards join
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	expect(t, db, "SELECT name FROM users WHERE user_id = 20", "tx")
	// A transaction over all shards: rolled back everywhere, then committed everywhere.
	for _, end := range []string{"ROLLBACK", "COMMIT"} {
		if tx, err = db.Begin(); err != nil {
			t.Fatal(err)
		}
		for id := 21; id <= 30; id++ {
			if _, err := tx.Exec(fmt.Sprintf("UPDATE users SET name = 'many' WHERE user_id = %d", id)); err != nil {
				t.Fatal(err)
			}
		}
		expect(t, tx, "SELECT COUNT(*) FROM users WHERE name = 'many'", "10")
		if end == "COMMIT" {
			err = tx.Commit()
		} else {
			err = tx.Rollback()
		}
		if err != nil {
			t.Fatal(err)
		}
		expect(t, db, "SELECT COUNT(*) FROM users WHERE name = 'many'", map[string]string{"ROLLBACK": "0", "COMMIT": "10"}[end])
	}
}
