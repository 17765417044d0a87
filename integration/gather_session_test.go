package integration

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"sluice/internal/testkit"
	"sluice/wire"
)

// gatherSchemas has a table of each kind, and small bounds.
const gatherSchemas = `
  gather: {max_rows: 3000, max_bytes: 1M}
  schemas:
    - name: shop
      default_shard: s1
      tables:
        u: {shard_key: id}
        v: {shard_key: id}
        big: {shard_key: id}
        part: {shard_key: id}
        ft: {shard_key: id}
        twice: {shard_key: id}
        same: {shard_key: id}
        "größen": {shard_key: id}
        r: {kind: reference}
    - name: plain
      default_shard: s2
`

// gatherWorld is a cluster with 40 rows in u and v, 3 in the others.
func gatherWorld(t *testing.T, flavor testkit.Flavor, more ...func(*setup)) *cluster {
	t.Helper()
	s := setup{flavor: flavor, schemas: gatherSchemas}
	for _, f := range more {
		f(&s)
	}
	c := start(t, s)
	db := c.open("shop", interpolated)
	must(t, db,
		"CREATE TABLE u (id BIGINT NOT NULL PRIMARY KEY, k INT, name VARCHAR(50), KEY (k))",
		"CREATE TABLE v (id BIGINT NOT NULL PRIMARY KEY, k INT, amount DECIMAL(10,2))",
		"CREATE TABLE r (k INT NOT NULL PRIMARY KEY, title VARCHAR(20))",
		"CREATE TABLE p (k INT NOT NULL PRIMARY KEY, title VARCHAR(20))",
		"CREATE VIEW pv AS SELECT k, CONCAT('view of ', title) AS title FROM p",
		"CREATE TABLE plain.q (k INT NOT NULL PRIMARY KEY, title VARCHAR(20), n INT NOT NULL AUTO_INCREMENT, g INT AS (k + 1) STORED, KEY (n))",
		"INSERT INTO r VALUES (1,'one'),(2,'two'),(3,'three')",
		"INSERT INTO p VALUES (1,'eins'),(2,'zwei'),(3,'drei')",
		"INSERT INTO plain.q (k, title) VALUES (1,'un'),(2,'deux'),(3,'trois')")
	var us, vs []string
	for i := range 40 {
		us = append(us, fmt.Sprintf("(%d,%d,'user %d')", i, i%10, i))
		vs = append(vs, fmt.Sprintf("(%d,%d,%d.25)", 100+i, i%10, i))
	}
	must(t, db, "INSERT INTO u VALUES "+strings.Join(us, ","), "INSERT INTO v VALUES "+strings.Join(vs, ","))
	return c
}

const joined = "SELECT COUNT(*) FROM u JOIN v ON v.k = u.k"

// noCopies sees that no connection of the pools has a copy left: one that had would not
// create it again.
func (c *cluster) noCopies() {
	c.t.Helper()
	var conns []*sql.Conn
	db := c.open("shop", interpolated)
	for range 8 { // at once, so that other connections than the last are taken, too
		conn, err := db.Conn(context.Background())
		if err != nil {
			c.t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	errs := make(chan error)
	for i, conn := range conns {
		go func() {
			_, err := tryRows(conn, fmt.Sprintf("SELECT %d, COUNT(*) FROM u JOIN v ON v.k = u.k", i))
			conn.Close()
			errs <- err
		}()
	}
	for range conns {
		if err := <-errs; err != nil {
			c.t.Error("a connection of the pool is not as it was:", err)
		}
	}
}

func oneConn(t *testing.T, db *sql.DB) *sql.Conn {
	t.Helper()
	conn, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func run(t *testing.T, conn *sql.Conn, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := conn.ExecContext(context.Background(), s); err != nil {
			t.Fatalf("%.200s: %v", s, err)
		}
	}
}

// TestGatherInTransactions: a transaction's own writes are in what is gathered, and the
// transaction goes on as if it had only read.
func TestGatherInTransactions(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		c := gatherWorld(t, flavor)
		for name, driver := range map[string]func(*mysql.Config){"text": interpolated, "prepared": func(*mysql.Config) {}} {
			t.Run(name, func(t *testing.T) {
				db := c.open("shop", driver)
				conn := oneConn(t, db)
				run(t, conn, "BEGIN", "INSERT INTO u VALUES (1000, 1, 'mine')")
				expect(t, conn, joined, "164")
				run(t, conn, "UPDATE u SET k = 2 WHERE id = 1000", "SAVEPOINT a", "DELETE FROM u WHERE id = 1000")
				expect(t, conn, joined, "160")
				run(t, conn, "ROLLBACK TO a")
				expect(t, conn, "SELECT u.name, p.title, r.title FROM u JOIN p ON p.k = u.k JOIN r ON r.k = u.k WHERE u.id = 1000", "mine\tzwei\ttwo")
				expect(t, oneConn(t, db), joined, "160")
				run(t, conn, "ROLLBACK")
				expect(t, conn, joined, "160")

				run(t, conn, "SET autocommit=0")
				expect(t, conn, joined, "160")
				run(t, conn, "INSERT INTO u VALUES (1001, 1, 'mine'), (1002, 1, 'mine'), (1003, 1, 'mine'), (1004, 1, 'mine'), (1005, 1, 'mine')")
				expect(t, conn, joined, "180")
				expect(t, conn, "SELECT COUNT(*) FROM u JOIN p ON p.k = u.k", "17")
				run(t, conn, "ROLLBACK")
				expect(t, conn, joined, "160")
				run(t, conn, "COMMIT", "SET autocommit=1")

				run(t, conn, "BEGIN", "INSERT INTO u VALUES (1001, 1, 'mine'), (1002, 1, 'mine'), (1003, 1, 'mine'), (1004, 1, 'mine'), (1005, 1, 'mine')")
				expect(t, conn, joined, "180")
				run(t, conn, "INSERT INTO p VALUES (4, 'vier')")
				expect(t, conn, "SELECT COUNT(*) FROM u JOIN p ON p.k = u.k", "21")
				run(t, conn, "COMMIT")
				expect(t, conn, joined, "180")
				run(t, conn, "DELETE FROM u WHERE id > 1000", "DELETE FROM p WHERE k = 4")

				run(t, conn, "START TRANSACTION READ ONLY")
				expect(t, conn, joined, "160")
				expect(t, conn, "SELECT pv.title, COUNT(*) FROM u JOIN pv ON pv.k = u.k JOIN r ON r.k = u.k WHERE r.title = 'two' GROUP BY pv.title", "view of zwei\t4")
				run(t, conn, "COMMIT", "SET SESSION TRANSACTION READ ONLY")
				expect(t, conn, joined, "160")
				checkError(t, "a write", execOn(conn, "DELETE FROM u WHERE id = 1"), 1792)
				run(t, conn, "SET SESSION TRANSACTION READ WRITE", "START TRANSACTION WITH CONSISTENT SNAPSHOT")
				expect(t, conn, joined, "160")
				run(t, conn, "COMMIT")
				if got := rows(t, conn, "SELECT u.id FROM u JOIN v ON v.k = u.k FOR UPDATE"); len(got) != len(rows(t, conn, "SELECT u.id FROM u JOIN v ON v.k = u.k")) {
					t.Errorf("%d rows are locked", len(got))
				}
				run(t, conn, "BEGIN", "INSERT INTO u VALUES (1000, 1, 'mine')")
				expectError(t, conn, "SELECT u.nothing FROM u JOIN v ON v.k = u.k", 1054)
				expectError(t, conn, "SELECT SUM(id), (SELECT k FROM v) FROM u", 1242)
				expect(t, conn, joined, "164")
				run(t, conn, "ROLLBACK")
			})
		}
		c.noCopies()
	})
}

func execOn(conn *sql.Conn, sql string) error {
	_, err := conn.ExecContext(context.Background(), sql)
	return err
}

// TestGatherWithState: what a session carries (variables, temporary tables, its schema) is
// where the statement runs.
func TestGatherWithState(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		c := gatherWorld(t, flavor)
		db := c.open("shop", interpolated)
		conn := oneConn(t, db)
		run(t, conn, "SET @k = 3")
		expect(t, conn, "SELECT COUNT(*) FROM u JOIN v ON v.k = u.k WHERE u.k = @k", "16")
		run(t, conn, "SELECT COUNT(DISTINCT k), MAX(id) - MIN(id) INTO @a, @b FROM u", "SET @c = (SELECT COUNT(DISTINCT k) FROM v)", "DO (SELECT COUNT(DISTINCT k) FROM v)")
		expect(t, conn, "SELECT @a, @b, @c, @k", "10\t39\t10\t3")
		run(t, conn, "SET @n = 0")
		if n := len(rows(t, conn, "SELECT @n := @n + 1 FROM u JOIN v ON v.k = u.k")); n != 160 {
			t.Errorf("%d rows", n)
		}
		expect(t, conn, "SELECT @n", "160")
		run(t, conn, "SET @k = 3") // their shard is not that of all rows
		expect(t, conn, "SELECT id FROM u WHERE k = @k ORDER BY id", "3", "13", "23", "33")
		for _, id := range []string{"3", "13", "23", "33"} {
			expect(t, conn, "SELECT id FROM u WHERE id = "+id+" AND k = @k", id)
			run(t, conn, "SELECT id + 1 INTO @next FROM u WHERE id = "+id)
			expect(t, conn, "SELECT @next - 1", id)
		}
		run(t, conn, "BEGIN", "INSERT INTO u VALUES (1000, 3, 'mine')")
		expect(t, conn, "SELECT COUNT(*) FROM u JOIN v ON v.k = u.k WHERE u.k = @k", "20")
		run(t, conn, "ROLLBACK")

		other := oneConn(t, db)
		run(t, other, "CREATE TEMPORARY TABLE mine (k INT, txt VARCHAR(10))", "INSERT INTO mine VALUES (1,'a'),(2,'b')")
		expect(t, other, "SELECT txt, COUNT(*) FROM mine JOIN u ON u.k = mine.k GROUP BY txt ORDER BY txt", "a\t4", "b\t4")
		expect(t, other, "SELECT COUNT(*) FROM mine JOIN u ON u.k = mine.k JOIN v ON v.k = u.k", "32")
		run(t, other, "DROP TEMPORARY TABLE mine")
		expect(t, other, joined, "160")

		none := oneConn(t, c.open("", interpolated))
		expect(t, none, "SELECT COUNT(*), shop.u.k FROM shop.u JOIN shop.v ON shop.v.k = shop.u.k WHERE shop.u.k = 1", "16\t1")
		expect(t, none, "SELECT u.name, q.title, q.g FROM shop.u JOIN plain.q ON q.k = u.k WHERE u.id = 12", "user 12\tdeux\t3")

		// tables of two default shards, and of none
		expect(t, db, "SELECT p.title, q.title, q.g FROM p JOIN plain.q ON q.k = p.k ORDER BY p.k", "eins\tun\t2", "zwei\tdeux\t3", "drei\ttrois\t4")
		expect(t, db, "SELECT q.title, pv.title, COUNT(*) FROM plain.q AS q JOIN u ON u.k = q.k JOIN r ON r.k = u.k JOIN p ON p.k = u.k JOIN pv ON pv.k = p.k WHERE q.k = 1 GROUP BY 1, 2",
			"un\tview of eins\t4")
		expect(t, db, "SELECT q.title, COUNT(*) FROM plain.q AS q JOIN pv ON q.k = pv.k JOIN u ON u.k = q.k WHERE pv.title LIKE '%drei' GROUP BY q.title", "trois\t4")
		prepared := c.open("shop")
		expect(t, prepared, "SELECT p.title, q.title FROM p JOIN plain.q ON q.k = p.k WHERE p.k = 2", "zwei\tdeux")
		expectArgs(t, prepared, "SELECT p.title, q.title FROM p JOIN plain.q ON q.k = p.k WHERE p.k = ?", []any{3}, "drei\ttrois")
		expectArgs(t, prepared, "SELECT COUNT(*) FROM u JOIN v ON v.k = u.k WHERE u.id = ? AND u.name = ?", []any{3, "user 3"}, "4")
		expectArgs(t, prepared, "SELECT COUNT(DISTINCT k) FROM u WHERE id IN (?, ?, ?)", []any{3, 13, 4}, "2")
		c.noCopies()
	})
}

func expectArgs(t *testing.T, db querier, query string, args []any, want ...string) {
	t.Helper()
	if got := rows(t, db, query, args...); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s %v:\n got %q\nwant %q", query, args, got, want)
	}
}

// TestGatherExplained: EXPLAIN ROUTE shows where rows come from and what runs over them.
func TestGatherExplained(t *testing.T) {
	c := gatherWorld(t, testkit.MariaDBFlavor)
	db := c.open("shop", interpolated)
	got := rows(t, db, "EXPLAIN ROUTE SELECT u.name FROM u JOIN v ON v.k = u.k WHERE u.id = 5 AND v.amount > 3")
	if len(got) != 6 || !strings.HasSuffix(got[0], "\tgather sluice_g1") || !strings.Contains(got[0], "FROM `shop`.`u` WHERE (`id` IN (5)) LIMIT 3001") ||
		!strings.HasSuffix(got[4], "\tgather sluice_g2") || !strings.Contains(got[4], "AS `v`") && !strings.Contains(got[4], "(v.amount > 3)") ||
		!strings.HasSuffix(got[5], "SELECT u.name FROM `sluice_g1` AS u JOIN `sluice_g2` AS v ON v.k = u.k WHERE u.id = 5 AND v.amount > 3\tgather") {
		t.Errorf("%q", got)
	}
	expectError(t, db, "/*sluice: scatter=deny*/ "+joined, 1235, "scatter=deny")
}

// TestGatherFulltext: which rows match is asked of each shard; how well they match depends on
// all rows, which are copied into a table that is there as long as the statement.
func TestGatherFulltext(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		c := gatherWorld(t, flavor)
		db := c.open("shop", interpolated)
		const columns = " (id INT NOT NULL PRIMARY KEY, k INT, txt TEXT, FULLTEXT KEY txt (txt))"
		must(t, db, "CREATE TABLE ft"+columns, "CREATE TABLE part"+columns+" ENGINE=MyISAM")
		for _, table := range []string{"ft", "part"} {
			must(t, db, "INSERT INTO "+table+" VALUES (1,1,'apple pie'),(2,2,'banana split'),(3,3,'apple tart apple'),(4,4,'cherry pie'),(5,5,'plum'),(6,6,'plum cake'),(7,7,'nothing')")
			expect(t, db, "SELECT id FROM "+table+" WHERE MATCH(txt) AGAINST ('+apple -tart' IN BOOLEAN MODE)", "1")
			expect(t, db, "SELECT id FROM "+table+" WHERE MATCH(txt) AGAINST ('apple plum' IN BOOLEAN MODE) ORDER BY id", "1", "3", "5", "6")
		}
		for _, table := range []string{"ft", "part"} {
			got := rows(t, db, "SELECT id, MATCH(txt) AGAINST ('apple') FROM "+table+" ORDER BY MATCH(txt) AGAINST ('apple') DESC, id LIMIT 3")
			if len(got) != 3 || !strings.HasPrefix(got[0], "3\t") || !strings.HasPrefix(got[1], "1\t") || strings.HasSuffix(got[1], "\t0") {
				t.Errorf("%s: %q", table, got)
			}
		}
		tx := oneConn(t, db)
		run(t, tx, "BEGIN", "INSERT INTO ft VALUES (8,8,'apple apple apple')")
		expect(t, tx, "SELECT id FROM ft WHERE MATCH(txt) AGAINST ('apple') > 0 AND k > 1 ORDER BY id", "3", "8")
		run(t, tx, "ROLLBACK")
		expect(t, tx, "SELECT id FROM ft WHERE MATCH(txt) AGAINST ('apple') > 0 AND k > 1 ORDER BY id", "3")
		must(t, db, "INSERT INTO part SELECT id + 100, k, MATCH(txt) AGAINST ('apple') FROM ft")
		expect(t, db, "SELECT COUNT(*), SUM(txt > 0) FROM part WHERE id > 100", "7\t2")
		must(t, db, "DELETE FROM part WHERE id > 100")
		must(t, db, "INSERT INTO u SELECT id + 1000, k, txt FROM ft WHERE MATCH(txt) AGAINST ('apple')", "INSERT INTO p SELECT id + 100, txt FROM ft WHERE MATCH(txt) AGAINST ('apple')")
		expect(t, db, "SELECT COUNT(*), (SELECT COUNT(*) FROM p WHERE k > 100) FROM u WHERE id > 1000", "2\t2")
		must(t, db, "DELETE FROM u WHERE id > 1000")
		must(t, db, "INSERT INTO p SELECT id + 200, MATCH(txt) AGAINST ('apple') FROM ft")
		expect(t, db, "SELECT COUNT(*), SUM(title > 0) FROM p WHERE k > 200", "7\t2")
		expectError(t, db, "UPDATE ft SET k = 5 WHERE (MATCH(txt) AGAINST ('apple')) > 0 ORDER BY id LIMIT 1", 1235, "a table that is written")

		id := rows(t, tx, "SELECT CONNECTION_ID()")[0]
		done := make(chan error)
		go func() {
			_, err := tryRows(tx, "SELECT SUM(SLEEP(20)), MAX(MATCH(txt) AGAINST ('apple')) FROM ft")
			done <- err
		}()
		eventually(t, "the statement over copies", func() bool {
			for _, server := range c.servers {
				if len(server.Query("SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT SUM(SLEEP(20))%sluice_g%'")) > 0 {
					return true
				}
			}
			return false
		})
		must(t, db, "KILL QUERY "+id)
		if err := <-done; err != nil {
			checkError(t, "killed", err, 1317)
		}
		var b strings.Builder
		for i := range 3001 {
			fmt.Fprintf(&b, ",(%d,NULL,'x')", 1000+i)
		}
		must(t, db, "INSERT INTO ft VALUES "+b.String()[1:])
		expectError(t, db, "SELECT MAX(MATCH(txt) AGAINST ('apple')) FROM ft WHERE k = 1", 1104, "of shop.ft")
		c.noCopies()
		for _, server := range c.servers {
			if left := server.Query("SHOW TABLES FROM shop LIKE 'sluice%'"); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		}
	})
}

// TestGatherAtOnce: many gatherings through small pools wait for each other and not for ever.
func TestGatherAtOnce(t *testing.T) {
	c := gatherWorld(t, testkit.MariaDBFlavor, func(s *setup) { s.maxConns = 2 })
	db := c.open("shop", interpolated)
	errs := make(chan error)
	const clients = 12
	for i := range clients {
		go func() {
			var err error
			for n := 0; n < 6 && err == nil; n++ {
				var got []string
				if got, err = tryRows(db, fmt.Sprintf("SELECT COUNT(*), %d FROM u JOIN v ON v.k = u.k JOIN p ON p.k = u.k WHERE v.id < %d", i, 100+10*(n%4+1))); err == nil &&
					got[0] != fmt.Sprintf("%d\t%d", 12*(n%4+1), i) {
					err = fmt.Errorf("%q", got)
				}
			}
			errs <- err
		}()
	}
	for range clients {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// TestGatherDefinitions: originals of which no temporary table can be LIKE.
func TestGatherDefinitions(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		c := gatherWorld(t, flavor, func(s *setup) { s.schemas = strings.Replace(s.schemas, "max_bytes: 1M", "max_bytes: 64M", 1) })
		db := c.open("shop", interpolated)
		must(t, db,
			"CREATE TABLE part (id INT NOT NULL, k INT COMMENT 'a, b\n) c', e ENUM('x\ny', 'it''s)', 'ü'), g INT AS (k + 1) VIRTUAL, txt VARCHAR(20) CHARACTER SET latin1 DEFAULT 'CHECK', PRIMARY KEY (id), KEY `k` (k, txt(3))) "+
				"COMMENT='FULLTEXT KEY' DEFAULT CHARSET=utf8mb4 PARTITION BY HASH(id) PARTITIONS 3",
			"CREATE TABLE ft (id INT NOT NULL PRIMARY KEY, k INT, txt TEXT, FULLTEXT KEY txt (txt), CONSTRAINT c1 CHECK (k >= 0))",
			"CREATE TABLE `größen` (id INT NOT NULL PRIMARY KEY, `größe` INT, `a``b` INT)",
			"INSERT INTO part (id, k, e, txt) VALUES (1,1,'x\ny','é'),(2,2,'it''s)','b'),(3,3,NULL,NULL),(4,9,'ü','ü')",
			"INSERT INTO ft VALUES (1,1,'apple pie'),(2,2,'banana'),(3,3,'apple')",
			"INSERT INTO `größen` VALUES (1,1,10),(2,2,20),(3,3,30)")
		expect(t, db, "SELECT part.id, part.e, part.g, part.txt, COUNT(*) FROM part USE INDEX (k) JOIN u ON u.k = part.k GROUP BY part.id ORDER BY part.id",
			"1\tx\ny\t2\té\t4", "2\tit's)\t3\tb\t4", "3\tNULL\t4\tNULL\t4", "4\tü\t10\tü\t4")
		expect(t, db, "SELECT ft.txt, COUNT(*) FROM ft JOIN u ON u.k = ft.k GROUP BY ft.id ORDER BY ft.id", "apple pie\t4", "banana\t4", "apple\t4")
		expect(t, db, "SELECT SUM(`größe`), SUM(g.`a``b`) FROM `größen` g JOIN u ON u.k = g.`größe`", "24\t240")

		// a unique key without the shard key, whose values are there twice
		must(t, db, "CREATE TABLE twice (id INT NOT NULL, n INT NOT NULL, email VARCHAR(20), PRIMARY KEY (n), UNIQUE KEY email (email), KEY (id))")
		for i, server := range c.servers {
			server.Exec(fmt.Sprintf("INSERT INTO shop.twice VALUES (%d, 1, 'same@example.com'), (%d, %d, 'other%d')", i, i, i+2, i))
		}
		expect(t, db, "SELECT COUNT(*), COUNT(DISTINCT n), COUNT(DISTINCT email) FROM twice", "8\t5\t5")
		expect(t, db, "SELECT a.email, COUNT(*) FROM twice a JOIN twice b ON a.n = b.n GROUP BY a.email HAVING COUNT(*) > 1", "same@example.com\t16")
		twiceInTransaction(t, c, flavor)
		c.noCopies()
	})
}

// twiceInTransaction: a copy whose unique keys are made plain when most of its rows are there
// does not end the client's transaction, and has all values and keys of its original.
func twiceInTransaction(t *testing.T, c *cluster, flavor testkit.Flavor) {
	t.Helper()
	db := c.open("shop", interpolated)
	must(t, db, "CREATE TABLE same (id INT NOT NULL, n INT NOT NULL, aid INT NOT NULL AUTO_INCREMENT, e ENUM('ä','b') DEFAULT 'ä', d DATE, g INT AS (n + 1) VIRTUAL, txt VARCHAR(20) COLLATE utf8mb4_bin DEFAULT 'ö', "+
		"pad VARCHAR(3000) CHARACTER SET latin1, PRIMARY KEY (n), UNIQUE KEY (aid), UNIQUE KEY `u ``1` (e, txt, d) COMMENT 'a, b', KEY (id), CONSTRAINT same_c CHECK (n >= 0))")
	for i, server := range c.servers {
		server.Exec(fmt.Sprintf("INSERT IGNORE INTO shop.same (id, n, e, d, txt) VALUES (%d, 99999, 'ä', '2024-02-29', 'one'), (%d, %d, 0, NULL, 'ö')", i, i, i+2))
		for n := range 20 { // the copies' INSERTs are several
			server.Exec(fmt.Sprintf("INSERT INTO shop.same (id, n, txt, pad) SELECT %d, %d + seq, CONCAT('%d ', seq), REPEAT('é', 3000) FROM (SELECT id AS seq FROM shop.u) a", i, 100*(20*i+n+1), 20*i+n))
		}
	}
	if flavor == testkit.MariaDBFlavor { // unique by hashes
		must(t, db, "ALTER TABLE same ADD h TEXT, ADD UNIQUE KEY h (h)")
	}
	one := oneConn(t, db)
	run := func(list ...string) {
		t.Helper()
		for _, text := range list {
			if _, err := one.ExecContext(context.Background(), text); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
		}
	}
	for _, names := range []string{"utf8mb4", "latin1"} {
		run("SET NAMES "+names, "BEGIN", "INSERT INTO u VALUES (900, 1, 'a')", "SAVEPOINT s", "INSERT INTO u VALUES (900, 2, 'b') ON DUPLICATE KEY UPDATE k = 2")
		expect(t, one, "SELECT HEX(CAST(part.e AS CHAR CHARACTER SET utf8mb4)), part.e + 0 FROM part JOIN u ON u.k = part.k WHERE part.id = 4 LIMIT 1", "C3BC\t3")
		want := rows(t, one, "SELECT COUNT(*), SUM(n), SUM(LENGTH(pad)) FROM same")[0]
		expect(t, one, "SELECT COUNT(*), SUM(x.n), SUM(LENGTH(x.pad)) FROM same x JOIN (SELECT DISTINCT n FROM same) y ON y.n = x.n", want)
		expect(t, one, "SELECT HEX(CAST(a.e AS CHAR CHARACTER SET utf8mb4)), a.e + 0, a.d, a.g, HEX(a.txt), COUNT(*) FROM same a USE INDEX (`u ``1`) JOIN same b ON b.n = a.n AND b.id = a.id WHERE (a.n < 100 OR a.n = 99999) GROUP BY 1, 2, 3, 4, 5 ORDER BY 2, 4",
			"\t0\tNULL\t3\tC3B6\t1", "\t0\tNULL\t4\tC3B6\t1", "\t0\tNULL\t5\tC3B6\t1", "\t0\tNULL\t6\tC3B6\t1", "C3A4\t1\t2024-02-29\t100000\t6F6E65\t4")
		expect(t, one, "SELECT k FROM u WHERE id = 900", "2")
		run("ROLLBACK TO SAVEPOINT s")
		expect(t, one, "SELECT k FROM u WHERE id = 900", "1")
		run("ROLLBACK")
		expect(t, one, "SELECT COUNT(*) FROM u WHERE id = 900", "0")
	}
}

// TestGatherBounds: past the bound the SELECT is refused by number, with what it would
// take, and the session goes on.
func TestGatherBounds(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		c := gatherWorld(t, flavor)
		db := c.open("shop", interpolated)
		must(t, db, "CREATE TABLE big (id INT NOT NULL PRIMARY KEY, k INT, txt LONGTEXT, KEY (k))")
		for first := 0; first < 4000; first += 1000 {
			var b strings.Builder
			for i := range 1000 {
				fmt.Fprintf(&b, ",(%d,%d,NULL)", first+i, i%10)
			}
			must(t, db, "INSERT INTO big VALUES "+b.String()[1:])
		}
		for _, conn := range []querier{db, c.open("shop"), oneConn(t, db)} {
			_, err := tryRows(conn, "SELECT COUNT(DISTINCT k) FROM big")
			checkError(t, "rows", err, 1104, "sluice:", "of shop.big", "at most 3000 rows", "WHERE")
			expect(t, conn, "SELECT COUNT(DISTINCT k) FROM big WHERE k IN (1, 2, 3)", "3")
			expect(t, conn, joined, "160")
		}
		tx := oneConn(t, db)
		run(t, tx, "BEGIN", "INSERT INTO u VALUES (1000, 1, 'mine')")
		expectError(t, tx, "SELECT COUNT(DISTINCT k) FROM big", 1104)
		expect(t, tx, joined, "164")
		run(t, tx, "ROLLBACK")

		must(t, db, "UPDATE big SET txt = REPEAT('x', 400000) WHERE id < 5")
		expectError(t, db, "SELECT COUNT(DISTINCT txt) FROM big WHERE k < 1000 AND id IN (0,1,2,3,4)", 1104, "1 MiB")
		expect(t, db, "SELECT COUNT(DISTINCT txt), COUNT(DISTINCT k) FROM big WHERE id IN (3,4,5,6)", "1\t4")
		c.noCopies()
	})
}

// TestGatherStopped: KILL QUERY, a client that goes away and a shard that dies leave no copy
// behind, and the session where it can go on.
func TestGatherStopped(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		c := gatherWorld(t, flavor)
		db := c.open("shop", interpolated)
		for _, begin := range []string{"DO 1", "BEGIN"} {
			for _, slow := range []string{
				"SELECT COUNT(DISTINCT u.k), SLEEP(20) FROM u",
				"SELECT SUM(SLEEP(1)) FROM u JOIN v ON v.k = u.k",
			} {
				conn := oneConn(t, db)
				run(t, conn, begin)
				id := rows(t, conn, "SELECT CONNECTION_ID()")[0]
				done := make(chan error)
				go func() {
					_, err := tryRows(conn, slow)
					done <- err
				}()
				time.Sleep(300 * time.Millisecond)
				must(t, db, "KILL QUERY "+id)
				if err := <-done; err != nil { // SLEEP that is stopped may also give 1
					checkError(t, slow, err, 1317)
				}
				expect(t, conn, joined, "160")
				run(t, conn, "COMMIT")
			}
		}
		for range 3 {
			p, err := dialPeer(c.px[0].data, "app", "app", "shop", 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.command(wire.ComQuery, []byte("SELECT a.name, b.name, c.name, REPEAT('x', 1000) FROM u a JOIN u b JOIN u c JOIN v ON v.k >= 0")); err != nil {
				t.Fatal(err)
			}
			if b, err := p.conn.ReadPacket(); err != nil || bytes.HasPrefix(b, []byte{0xff}) {
				t.Fatal(err, b)
			}
			p.conn.Close()
		}
		deadline := time.Now().Add(20 * time.Second)
		for _, server := range c.servers {
			for len(server.Query("SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE '%sluice_g%' AND ID <> CONNECTION_ID()")) > 0 {
				if time.Now().After(deadline) {
					t.Fatal("a statement of a client that is gone still runs")
				}
				time.Sleep(50 * time.Millisecond)
			}
		}
		expect(t, db, joined, "160")
		c.noCopies()
	})
}
