package integration

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/internal/testkit"
)

// cached is the shop whose results are kept. Its section is followed by that of schemas.
const cached = shop + `
  cache:
    - {schema: shop, table: users, ttl: 60s}
    - {schema: shop, table: orders, ttl: 60s}
    - {schema: shop, table: countries, ttl: 60s}
    - {schema: plain, table: "c*", ttl: 60s}
`

// redisNode is the node's section for a Redis.
func redisNode(addr string) string { return fmt.Sprintf("redis: {addrs: [\"%s\"]}\n", addr) }

// cacheOn waits until results are given.
func cacheOn(t *testing.T, px ...*px) {
	t.Helper()
	for _, p := range px {
		dba := p.dba()
		var got []string
		var err error
		for end := time.Now().Add(3 * time.Minute); ; time.Sleep(10 * time.Millisecond) { // Redis has to answer in 250 ms for that
			if got, err = tryRows(dba, "SHOW CACHE"); err == nil && len(got) > 0 && strings.HasPrefix(got[0], "all\ton") {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("the cache is not on: %q, %v", got, err)
			}
		}
	}
}

// cacheCounts gives what was counted for a rule: hits, misses, bypassed.
func cacheCounts(t *testing.T, p *px, rule string) (n [3]string) {
	t.Helper()
	dba := p.dba()
	defer dba.Close()
	for _, r := range rows(t, dba, "SHOW CACHE") {
		if f := strings.Split(r, "\t"); f[0] == rule {
			copy(n[:], f[2:])
		}
	}
	return n
}

// hit reads, and tells whether the cache gave the answer. A read that had to go by the cache,
// because something took too long on a busy machine, is made again.
func hit(t *testing.T, p *px, db querier, rule, query string, args ...any) bool {
	t.Helper()
	for range 300 {
		before := cacheCounts(t, p, rule)
		rows(t, db, query, args...)
		after := cacheCounts(t, p, rule)
		if after[2] == before[2] || after[0] != before[0] {
			return after[0] != before[0]
		}
		time.Sleep(30 * time.Millisecond)
	}
	t.Fatalf("%s: the cache has no say", query)
	return false
}

// TestCache: what is cached, what is not, and what drops what.
func TestCache(t *testing.T) {
	for _, kind := range []string{"memory", "redis"} {
		t.Run(kind, func(t *testing.T) {
			eachFlavor(t, func(t *testing.T, f testkit.Flavor) {
				s := setup{flavor: f, shards: 2, schemas: cached}
				if kind == "redis" {
					s.node = redisNode(testkit.Redis(t).Addr)
				}
				c := start(t, s)
				testCache(t, c)
				if kind == "memory" {
					testLinger(t, c)
				}
			})
		})
	}
}

// testLinger: who was answered from the cache has a goroutine for a moment only, and goes on.
func testLinger(t *testing.T, c *cluster) {
	p := c.px[0]
	const clients, query = 30, "SELECT COUNT(*) FROM users"
	var all []*sql.Conn
	for range clients {
		conn, err := c.open("shop", interpolated).Conn(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		all = append(all, conn)
		eventually(t, "a hit", func() bool { return hit(t, p, conn, "shop.users", query) })
	}
	eventually(t, "the clients rest", func() bool {
		carried := 0 // tasks, by goroutines
		_, profile, _ := strings.Cut(p.page("/debug/pprof/goroutine?debug=1"), "\n")
		for _, stacks := range strings.Split(profile, "\n\n") {
			n := 0
			if _, err := fmt.Sscan(stacks, &n); err == nil && strings.Contains(stacks, "engine.(*Task).carry") {
				carried += n
			}
		}
		return carried < clients/2
	})
	for _, conn := range all {
		rows(t, conn, query)
	}
}

func testCache(t *testing.T, c *cluster) {
	p, db := c.px[0], c.open("shop", interpolated)
	must(t, db, "CREATE TABLE users (user_id BIGINT PRIMARY KEY, name VARCHAR(40), n INT)", "CREATE TABLE countries (id INT PRIMARY KEY, name VARCHAR(40))",
		"CREATE TABLE orders (order_id BIGINT PRIMARY KEY, user_id BIGINT, n INT, KEY (user_id))",
		"INSERT INTO users VALUES (1, 'a', 10), (2, 'b', 20), (3, 'c', 30), (42, 'd', 40)", "INSERT INTO countries VALUES (1, 'x')")
	cacheOn(t, p)
	const one, two, all = "SELECT name, n FROM users WHERE user_id = 42", "SELECT name, n FROM users WHERE user_id = 2", "SELECT COUNT(*), SUM(n) FROM users"
	is := func(want bool, rule, query string) {
		t.Helper()
		before := cacheCounts(t, p, rule)
		if got := hit(t, p, db, rule, query); got != want {
			t.Errorf("%s: a hit: %v (hits, misses, bypassed: %v, then %v)", query, got, before, cacheCounts(t, p, rule))
		}
	}
	fill := func() {
		t.Helper()
		for _, q := range []string{one, two, all} { // a busy machine may not store the first answer in time
			eventually(t, "a hit", func() bool { return hit(t, p, db, "shop.users", q) })
		}
	}
	fill()
	expect(t, db, one, "d\t40")
	expect(t, db, all, "4\t100")

	// A write by key drops that key's and what depends on all keys.
	must(t, db, "UPDATE users SET n = 41 WHERE user_id = 42")
	is(true, "shop.users", two)
	is(false, "shop.users", one)
	is(false, "shop.users", all)
	expect(t, db, one, "d\t41")
	expect(t, db, all, "4\t101")

	// A rollback drops nothing, a commit does.
	fill()
	must(t, db, "BEGIN", "UPDATE users SET n = 0 WHERE user_id = 42", "ROLLBACK")
	conn, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	do := func(statements ...string) {
		t.Helper()
		for _, s := range statements {
			if _, err := conn.ExecContext(context.Background(), s); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
		}
	}
	fill() // on a connection whose login may have been greeted otherwise, and then has a key of its own
	do("BEGIN", "UPDATE users SET n = 0 WHERE user_id = 42")
	is(true, "shop.users", one)
	expect(t, conn, one, "d\t0") // its own write, from the database
	do("ROLLBACK")
	is(true, "shop.users", one)
	do("BEGIN", "UPDATE users SET n = 43 WHERE user_id = 42", "UPDATE users SET n = 21 WHERE user_id = 2")
	is(true, "shop.users", one)
	do("COMMIT")
	is(false, "shop.users", one)
	expect(t, db, one, "d\t43")
	expect(t, db, two, "b\t21")

	// Writes without a key, of many rows, with other effects, and definitions.
	for _, w := range []string{
		"UPDATE users SET n = n + 1", "DELETE FROM users WHERE n > 1000000", "INSERT INTO users VALUES (7, 'g', 7) ON DUPLICATE KEY UPDATE n = 8",
		"REPLACE INTO users VALUES (7, 'g', 9)", "ALTER TABLE users COMMENT 'x'",
	} {
		fill()
		must(t, db, w)
		for _, q := range []string{one, two, all} {
			is(false, "shop.users", q)
		}
	}
	fill()
	must(t, db, "INSERT INTO users VALUES (8, 'h', 8)")
	is(true, "shop.users", one)
	is(false, "shop.users", all)

	// The answers of a hit are those of the database: prepared, empty, FOUND_ROWS.
	prepared := c.open("shop")
	for range 2 {
		if got := rows(t, prepared, "SELECT name, n FROM users WHERE user_id = ?", 8); len(got) != 1 || got[0] != "h\t8" {
			t.Error(got)
		}
		if got := rows(t, prepared, "SELECT name, n FROM users WHERE user_id = ?", 99); len(got) != 0 {
			t.Error(got)
		}
		do("DO 0")
		expect(t, conn, "SELECT user_id FROM users WHERE user_id IN (1, 2, 3) ORDER BY user_id LIMIT 1", "1")
		expect(t, conn, "SELECT FOUND_ROWS()", "1")
	}
	eventually(t, "a prepared statement is a hit", func() bool {
		return hit(t, p, prepared, "shop.users", "SELECT name, n FROM users WHERE user_id = ?", 8)
	})
	if hit(t, p, prepared, "shop.users", "SELECT name, n FROM users WHERE user_id = ?", 1) {
		t.Error("another parameter is a hit")
	}

	// ORDER BY the number of a column: texts of one fingerprint that are planned each for itself.
	for q, want := range map[string]string{
		"SELECT name, n FROM users WHERE user_id IN (7, 8) ORDER BY 1 LIMIT 1":            "g\t9",
		"SELECT name, n FROM users WHERE user_id IN (7, 8) ORDER BY 2 LIMIT 1":            "h\t8",
		"SELECT name, SUM(n) FROM users WHERE user_id IN (7, 8) GROUP BY name ORDER BY 2": "h\t8, g\t9",
	} {
		for range 2 {
			if got := strings.Join(rows(t, db, q), ", "); got != want {
				t.Errorf("%s: %s, want %s", q, got, want)
			}
		}
		eventually(t, "a hit", func() bool { return hit(t, p, db, "shop.users", q) })
	}

	// EXPLAIN ROUTE says it in a note.
	for sql, want := range map[string]string{
		one:                                   "cached: rule shop.users, ttl 1m0s, depends on 1 shard keys",
		all:                                   "cached: rule shop.users, ttl 1m0s, depends on all of its tables' rows",
		one + " FOR UPDATE":                   "not cached: it locks rows",
		"SELECT NOW(), n FROM users":          "not cached: a function in it gives something else each time",
		"UPDATE users SET n = 1":              "drops all of shop.users",
		"DELETE FROM users WHERE user_id = 1": "drops 1 shard keys of shop.users",
	} {
		rows(t, conn, "EXPLAIN ROUTE "+sql)
		expect(t, conn, "SHOW WARNINGS", "Note\t1003\tsluice: "+want)
	}

	// What is never cached.
	for _, q := range []string{
		"SELECT name, NOW() FROM users WHERE user_id = 1", "SELECT name, RAND() FROM users WHERE user_id = 1", "SELECT name FROM users WHERE user_id = 1 FOR UPDATE",
		"SELECT name, @x FROM users WHERE user_id = 1", "SELECT SQL_NO_CACHE name FROM users WHERE user_id = 1", "/*sluice: nocache*/ SELECT name FROM users WHERE user_id = 1",
		"SELECT 1 + 'a' FROM users WHERE user_id = 1",
	} {
		other := c.open("shop", interpolated)
		rows(t, other, q)
		if hit(t, p, other, "shop.users", q) {
			t.Errorf("%s: a hit", q)
		}
	}

	// A hint for a table without a rule.
	must(t, db, "CREATE TABLE names (name VARCHAR(40) COLLATE utf8mb4_bin PRIMARY KEY, n INT) DEFAULT CHARSET utf8mb4", "INSERT INTO names VALUES ('a', 1)")
	const hinted = "/*sluice: cache=30s*/ SELECT n FROM names WHERE name = 'a'"
	for _, sql := range []string{"EXPLAIN ROUTE " + hinted, "/*sluice: cache=30s*/ EXPLAIN ROUTE SELECT n FROM names WHERE name = 'a'"} {
		rows(t, conn, sql)
		if got := rows(t, conn, "SHOW WARNINGS"); strings.Contains(got[0], "no rule") {
			t.Errorf("%s: %q", sql, got)
		}
	}
	rows(t, conn, "EXPLAIN ROUTE SELECT n FROM names")
	expect(t, conn, "SHOW WARNINGS", "Note\t1003\tsluice: not cached: no rule names shop.names")
	eventually(t, "the hinted table is cached", func() bool { return hit(t, p, db, "hint", hinted) })
	must(t, db, "UPDATE names SET n = 2 WHERE name = 'a'")
	expect(t, db, hinted, "2")

	testCacheSpills(t, c, conn)
}

// testCacheSpills: writes that change tables that they do not name.
func testCacheSpills(t *testing.T, c *cluster, _ *sql.Conn) {
	db := c.open("plain", interpolated)
	must(t, db, "CREATE TABLE p (id INT PRIMARY KEY, n INT)", "CREATE TABLE ca (id INT PRIMARY KEY, p INT, n INT, FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE)",
		"CREATE TABLE cb (id INT PRIMARY KEY, n INT)", "CREATE TABLE src (id INT PRIMARY KEY)", "CREATE VIEW v AS SELECT id, n FROM cb", "CREATE VIEW cv AS SELECT id, n FROM cb",
		"CREATE TRIGGER tr AFTER INSERT ON src FOR EACH ROW UPDATE cb SET n = n + 1",
		"CREATE PROCEDURE pr() UPDATE cb SET n = n + 1", "INSERT INTO p VALUES (1, 1), (2, 2)", "INSERT INTO ca VALUES (1, 1, 1), (2, 2, 2)", "INSERT INTO cb VALUES (1, 0)")
	n := func(query string) string { return strings.Join(rows(t, db, query), ",") }
	const a, b, v = "SELECT COUNT(*) FROM ca", "SELECT n FROM cb WHERE id = 1", "SELECT n FROM cv WHERE id = 1"
	for i, w := range []string{"INSERT INTO src VALUES (1)", "UPDATE v SET n = n + 1", "CALL pr()"} {
		for range 3 {
			n(b)
			n(v)
		}
		must(t, db, w)
		want := fmt.Sprint(i + 1)
		if got := n(b) + n(v); got != want+want {
			t.Errorf("after %s: %s, not %s twice", w, got, want)
		}
	}
	other := c.open("plain", interpolated) // CALL has pinned the session of db
	eventually(t, "a table without keys is cached", func() bool { return hit(t, c.px[0], other, "plain.c*", b) })
	if n(a); n(a) != "2" {
		t.Error("children")
	}
	must(t, db, "DELETE FROM p WHERE id = 1")
	if got := n(a); got != "1" {
		t.Errorf("after a cascade: %s", got)
	}
}
