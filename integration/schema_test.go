package integration

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"sluice/internal/testkit"
)

// TestSchema is what dump tools, ORMs and DBAs do with a schema over four shards.
func TestSchema(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		c := start(t, setup{flavor: flavor})
		db := c.open("shop", interpolated)
		create(t, db)
		users(t, db, 200)
		must(t, db, "INSERT INTO orders (user_id, item, amount) VALUES (1,'a',1.5),(2,'b',2),(3,'c',3),(4,'d',4),(5,'e',5)",
			"INSERT INTO names VALUES ('a',1),('b ',2),('\\'c\"',3),('日本',NULL)", "INSERT INTO countries VALUES ('de','Germany'),('fr','France')",
			"INSERT INTO settings VALUES ('a','b')")
		for _, part := range []struct {
			name string
			f    func(*testing.T, *cluster, *sql.DB)
		}{{"rights", testSchemaRights}, {"locks", testTableLocks}, {"comments", testCommentsOnly}, {"sizes", testSizes}, {"dump", testDump}, {"unique keys", testUniqueKeys}, {"agreement", testAgreement},
			{"again", testAgain}, {"rename", testRename}, {"alter rows", testAlterRows}, {"elsewhere", testElsewhere}} {
			t.Run(part.name, func(t *testing.T) { part.f(t, c, db) })
		}
	})
}

// testSchemaRights: the tables of others are denied in the words of one server.
func testSchemaRights(t *testing.T, c *cluster, _ *sql.DB) {
	one := c.servers[0]
	one.Exec("CREATE USER IF NOT EXISTS guest@'%' IDENTIFIED BY 'guest'", "GRANT ALL ON plain.* TO guest@'%'")
	t.Cleanup(func() { one.Exec("DROP USER guest@'%'") })
	direct := connect(t, one.Addr, "guest", "plain", interpolated)
	guest := connect(t, c.px[0].data, "guest", "plain", interpolated)
	host := regexp.MustCompile(`@'[^']*'`)
	said := func(db *sql.DB, q string) string {
		_, err := tryRows(db, q)
		if err == nil {
			return "no error"
		}
		return host.ReplaceAllString(err.Error(), "@")
	}
	for _, q := range []string{
		"SELECT * FROM shop.users", "SELECT * FROM shop.nope", "SELECT * FROM nowhere.x", "SELECT 1 FROM plain.a, shop.users",
		"SELECT (SELECT 1 FROM shop.users) FROM plain.a", "SELECT * FROM shop.users FOR UPDATE",
		"INSERT INTO shop.users VALUES (1,2)", "REPLACE INTO shop.users VALUES (1,2)", "UPDATE shop.users SET v=1", "DELETE FROM shop.users WHERE id=1",
		"INSERT INTO shop.users VALUES (1,2) ON DUPLICATE KEY UPDATE v=1", "INSERT INTO shop.users SELECT * FROM shop.users",
		"DELETE a FROM shop.users a", "UPDATE shop.users a, shop.users b SET a.v=1",
		"CREATE TABLE shop.t (id INT)", "CREATE TABLE shop.t LIKE shop.users", "CREATE TABLE shop.t SELECT 1", "CREATE TEMPORARY TABLE shop.t (id INT)",
		"DROP TABLE shop.users", "DROP TABLE IF EXISTS shop.users", "ALTER TABLE shop.users ADD x INT", "ALTER TABLE shop.users RENAME plain.x",
		"TRUNCATE shop.users", "RENAME TABLE shop.users TO shop.b", "CREATE INDEX i ON shop.users (v)", "DROP INDEX i ON shop.users",
		"SHOW CREATE TABLE shop.users", "SHOW COLUMNS FROM shop.users", "DESCRIBE shop.users", "SHOW INDEX FROM shop.users",
		"SHOW TABLES FROM shop", "SHOW TABLE STATUS FROM shop", "EXPLAIN SELECT * FROM shop.users", "EXPLAIN DELETE FROM shop.users",
		"LOCK TABLES shop.users READ", "LOCK TABLES shop.users WRITE", "DO (SELECT 1 FROM shop.users)", "USE shop", "DROP DATABASE shop",
		"SELECT * FROM mysql.user", "DELETE FROM mysql.user", "CREATE TABLE mysql.x (id INT)", "DROP TABLE information_schema.tables",
		"INSERT INTO information_schema.tables VALUES (1)", "SELECT * FROM performance_schema.threads",
	} {
		if want, got := said(direct, q), said(guest, q); got != want {
			t.Errorf("%s:\n got %s\nwant %s", q, got, want)
		}
	}
}

// testCommentsOnly: what dump tools send for servers of other versions only is no empty query.
func testCommentsOnly(t *testing.T, c *cluster, db *sql.DB) {
	must(t, db, "/* nothing */", "/*!999999 SELECT nothing */", "-- nothing")
	expectError(t, db, " ", 1065)
}

// conn is a single connection.
func (c *cluster) conn(schema string, opts ...func(*mysql.Config)) *sql.Conn {
	c.t.Helper()
	conn, err := c.open(schema, append(opts, interpolated)...).Conn(context.Background())
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { conn.Close() })
	return conn
}

func exec1(t *testing.T, c *sql.Conn, statements ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second) // a lock that is never given up
	defer cancel()
	for _, s := range statements {
		if _, err := c.ExecContext(ctx, s); err != nil {
			t.Fatalf("%.200s: %v", s, err)
		}
	}
}

// testTableLocks: LOCK TABLES over shards is as on one server.
func testTableLocks(t *testing.T, c *cluster, db *sql.DB) {
	a, b := c.conn("shop"), c.conn("shop")
	blocked := func(q string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		conn := c.conn("shop")
		if _, err := conn.ExecContext(ctx, q); err == nil {
			t.Errorf("%s is not blocked", q)
		}
	}
	exec1(t, a, "LOCK TABLES users WRITE, countries READ, settings AS s READ")
	for key := 1; key <= 4; key++ {
		blocked(fmt.Sprintf("SELECT COUNT(*) FROM users WHERE user_id = %d", key))
	}
	blocked("UPDATE countries SET name = 'x' WHERE code = 'de'")
	exec1(t, b, "SELECT * FROM countries", "SELECT * FROM orders WHERE user_id = 1")

	expect(t, a, "SELECT COUNT(*) FROM users", "200")
	expect(t, a, "SELECT value FROM settings AS s", "b")
	expect(t, a, "SELECT 1", "1")
	expectError(t, a, "SELECT * FROM settings", 1100)
	expectError(t, a, "SELECT * FROM orders WHERE user_id = 1", 1100, "orders")
	expectError(t, a, "SELECT COUNT(*) FROM orders", 1100)
	expectError(t, a, "UPDATE countries SET name = 'x' WHERE code = 'de'", 1099)
	exec1(t, a, "INSERT INTO users (user_id, name, email, country) VALUES (1001,'x','x','de'),(1002,'y','y','de'),(1003,'z','z','fr'),(1004,'z','z','fr')")
	if _, err := a.ExecContext(context.Background(), "INSERT INTO users (user_id, name, email, country) VALUES (2001,'x','x','de'),(2002,'y','y','de'),(2003,'z','z','fr'),(1,'z','z','fr')"); err == nil {
		t.Error("a duplicate key is inserted")
	}
	expect(t, a, "SELECT COUNT(*) FROM users", "204") // nothing of the second one
	exec1(t, a, "UPDATE users SET name = 'w' WHERE user_id > 1000", "DELETE FROM users WHERE user_id > 1000")
	exec1(t, a, "UNLOCK TABLES")
	expect(t, b, "SELECT COUNT(*) FROM users", "200")
	expect(t, a, "SELECT COUNT(*) FROM orders", "5")

	// LOCK TABLES commits, another one and BEGIN unlock.
	exec1(t, a, "BEGIN", "UPDATE settings SET value = 'c'", "LOCK TABLES users READ")
	expect(t, b, "SELECT value FROM settings", "c")
	exec1(t, a, "LOCK TABLES orders WRITE")
	exec1(t, b, "UPDATE users SET name = 'n' WHERE user_id IN (1,2,3,4)")
	exec1(t, a, "BEGIN")
	exec1(t, b, "UPDATE orders SET item = 'n'")
	exec1(t, a, "ROLLBACK")

	// The documented way to use it with transactions.
	exec1(t, a, "SET autocommit = 0", "LOCK TABLES users WRITE, settings WRITE")
	for range 2 {
		if _, err := a.ExecContext(context.Background(), "INSERT INTO users (user_id, name, email, country) VALUES (2001,'x','x','de'),(2002,'y','y','de'),(2003,'z','z','fr'),(1,'z','z','fr')"); err == nil {
			t.Error("a duplicate key is inserted")
		}
		expect(t, a, "SELECT COUNT(*) FROM users", "200")
	}
	exec1(t, a, "UPDATE users SET name = 'm' WHERE user_id IN (1,2,3,4)",
		"UPDATE settings SET value = 'd'", "COMMIT")
	blocked("SELECT value FROM settings")
	exec1(t, a, "UPDATE users SET name = 'gone'", "ROLLBACK", "UNLOCK TABLES", "SET autocommit = 1")
	expect(t, b, "SELECT COUNT(*) FROM users WHERE name = 'm'", "4")
	expect(t, b, "SELECT value FROM settings", "d")
	exec1(t, b, "UPDATE settings SET value = 'b'")

	// What needs connections besides the locked ones would wait for its own session.
	exec1(t, a, "ALTER TABLE users COMMENT = 'a'", "LOCK TABLES users WRITE") // nothing is known of users now
	expectError(t, a, "UPDATE users SET user_id = user_id + 1000 WHERE user_id < 4", 1235, "UNLOCK TABLES")
	expect(t, a, "SELECT COUNT(*) FROM users WHERE user_id < 4", "3")
	exec1(t, a, "UNLOCK TABLES", "CREATE TEMPORARY TABLE passing (id INT)", "ALTER TABLE users COMMENT = ''", "LOCK TABLES users WRITE")
	expectError(t, a, "SELECT COUNT(*), AVG(user_id) FROM users", 1235, "UNLOCK TABLES")
	// A look-up that waits for another session's lock ends with its client.
	blocked("SELECT COUNT(*), AVG(user_id) FROM users")
	eventually(t, "the look-up has ended", func() bool {
		return c.servers[0].Value("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT * FROM `shop`.`users` LIMIT 0%'") == "0"
	})
	exec1(t, a, "UNLOCK TABLES", "DROP TEMPORARY TABLE passing")

	// Locks of two schemas on two shards; the end of the client unlocks.
	exec1(t, a, "CREATE TABLE plain.p (id INT PRIMARY KEY)", "LOCK TABLES plain.p WRITE, settings WRITE")
	blocked("INSERT INTO plain.p VALUES (1)")
	_ = a.Raw(func(any) error { return driver.ErrBadConn }) // closes it
	exec1(t, b, "DROP TABLE plain.p")
}

// testDump: dump tools see every table and row once, and what they write makes the same
// schema on one server and, through Sluice, on empty shards.
func testDump(t *testing.T, c *cluster, db *sql.DB) {
	must(t, db, "CREATE VIEW v AS SELECT name, value FROM settings", "CREATE TRIGGER tr BEFORE INSERT ON settings FOR EACH ROW SET NEW.value = CONCAT(NEW.value, '')",
		"CREATE PROCEDURE pr() SELECT 1", "CREATE FUNCTION fn(a INT) RETURNS INT DETERMINISTIC RETURN a + 1", "CREATE EVENT ev ON SCHEDULE EVERY 1 DAY DISABLE DO SET @a = 1")
	want := contentsOf(t, db)
	one := c.servers[1]
	t.Cleanup(func() { one.Exec("DROP DATABASE IF EXISTS dumped") })
	tool := func(args ...string) *exec.Cmd {
		host, port := c.px[0].hostPort()
		args = append([]string{"--no-defaults", "-h", host, "-P", port, "-uapp", "-papp"}, args...)
		if c.setup.flavor == testkit.MySQLFlavor {
			return testkit.MySQLTool(t, "mysqldump", args[1:]...)
		}
		return exec.Command("mariadb-dump", args...)
	}
	dir := testkit.Dir(t, "dump")
	for i, options := range [][]string{{}, {"--single-transaction", "--skip-add-locks"}, {"--routines", "--triggers", "--events"}, {"--skip-extended-insert", "--no-autocommit"}} {
		file := filepath.Join(dir, fmt.Sprint(i, ".sql"))
		out, err := tool(append(options, "--result-file="+file, "shop")...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", options, err, out)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"users", "orders", "names", "countries", "settings"} {
			if n := strings.Count(string(text), "CREATE TABLE `"+table+"`"); n != 1 {
				t.Errorf("%v: %s is there %d times", options, table, n)
			}
		}
		one.Exec("DROP DATABASE IF EXISTS dumped", "CREATE DATABASE dumped")
		load(t, one.Addr, "sluice", "dumped", file)
		direct := connect(t, one.Addr, "sluice", "dumped", interpolated)
		if got := contentsOf(t, direct); got != want {
			t.Errorf("%v: one server has\n%s\nwant\n%s", options, got, want)
		}
		must(t, db, "DROP TABLE users, orders, names", "DROP TABLE countries", "DROP TABLE settings", "DROP VIEW v")
		if i == 2 {
			must(t, db, "DROP PROCEDURE pr", "DROP FUNCTION fn", "DROP EVENT ev")
		}
		load(t, c.px[0].data, "app", "shop", file)
		if got := contentsOf(t, db); got != want {
			t.Errorf("%v: the cluster has\n%s\nwant\n%s", options, got, want)
		}
		if got := strings.Join(c.perShard("SELECT COUNT(*) > 20 AND COUNT(*) < 80 FROM shop.users"), ""); got != "1111" {
			t.Errorf("%v: the rows are not spread over the shards: %s", options, got)
		}
		expect(t, db, "SELECT fn(1)", "2")
		expect(t, db, "SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = 'shop'", "ev")
		expect(t, db, "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = 'shop'", "tr")
	}
	must(t, db, "INSERT INTO orders (user_id, item, amount) VALUES (6,'f',6)") // the sequence goes on behind the ids that are there
	expect(t, db, "SELECT COUNT(DISTINCT order_id) FROM orders", "6")
	must(t, db, "DROP VIEW v", "DROP TRIGGER tr", "DROP PROCEDURE pr", "DROP FUNCTION fn", "DROP EVENT ev", "DELETE FROM orders WHERE user_id = 6")
}

// load runs a file of statements as a DBA does.
func load(t *testing.T, addr, user, schema, file string) {
	t.Helper()
	host, port, _ := strings.Cut(addr, ":")
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	cmd := exec.Command("mariadb", "--no-defaults", "--default-character-set=utf8mb4", "-h", host, "-P", port, "-u"+user, "-p"+user, schema)
	cmd.Stdin = in
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("loading %s into %s: %v\n%s", file, addr, err, out)
	}
}

// contentsOf is all rows of the shop.
func contentsOf(t *testing.T, db *sql.DB) string {
	t.Helper()
	var b strings.Builder
	for _, q := range []string{"SELECT * FROM users ORDER BY user_id", "SELECT * FROM orders ORDER BY order_id", "SELECT HEX(name), n FROM names ORDER BY name",
		"SELECT * FROM countries ORDER BY code", "SELECT * FROM settings", "SELECT * FROM v"} {
		fmt.Fprintf(&b, "%s\n%s\n", q, strings.Join(rows(t, db, q), "\n"))
	}
	return b.String()
}

// testUniqueKeys: a unique key without the shard key holds on each shard only, and says so.
func testUniqueKeys(t *testing.T, c *cluster, db *sql.DB) {
	conn := c.conn("shop")
	warned := func(sql string, keys ...string) {
		t.Helper()
		exec1(t, conn, sql)
		got := rows(t, conn, "SHOW WARNINGS")
		for i, key := range keys {
			if i >= len(got) || !strings.HasPrefix(got[i], "Warning\t1503\tsluice: the unique key "+key+" of ") {
				t.Errorf("%s: warnings %q, want one of %s", sql, got, key)
			}
		}
		if len(got) != len(keys) {
			t.Errorf("%s: warnings %q, want %d", sql, got, len(keys))
		}
	}
	warned("CREATE TABLE sbtest7 (id INT NOT NULL, k INT, c INT, PRIMARY KEY (id), UNIQUE KEY uk (k), UNIQUE KEY both2 (k, id))", "uk")
	warned("ALTER TABLE sbtest7 ADD UNIQUE KEY uc (c)", "uc", "uk")
	warned("ALTER TABLE sbtest7 DROP KEY uc")
	warned("CREATE UNIQUE INDEX uc ON sbtest7 (c)", "uc", "uk")
	warned("ALTER TABLE sbtest7 DROP KEY uc, DROP KEY uk")
	warned("CREATE TABLE sbtest8 LIKE sbtest7")
	warned("CREATE TABLE m (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, tenant_id INT NOT NULL, KEY (tenant_id))")
	warned("CREATE TABLE sbtest9 (id VARCHAR(20) COLLATE utf8mb4_bin NOT NULL, PRIMARY KEY (id(3)))", "PRIMARY")
	must(t, db, "DROP TABLE sbtest7, sbtest8, sbtest9, m")
}

// testAgreement: DDL says which shard is not as the others, and completes what is half done.
func testAgreement(t *testing.T, c *cluster, _ *sql.DB) {
	db := c.open("shop", interpolated)
	half := c.servers[2]
	half.Exec("CREATE TABLE shop.sbtest1 (id INT NOT NULL PRIMARY KEY, k INT)")
	must(t, db, "CREATE TABLE sbtest1 (id INT NOT NULL PRIMARY KEY, k INT)") // is completed
	expectError(t, db, "CREATE TABLE sbtest1 (id INT NOT NULL PRIMARY KEY, k INT)", 1050)
	half.Exec("ALTER TABLE shop.sbtest1 ADD c INT")
	must(t, db, "ALTER TABLE sbtest1 ADD c INT")
	half.Exec("CREATE INDEX k ON shop.sbtest1 (k)")
	must(t, db, "CREATE INDEX k ON sbtest1 (k)")
	half.Exec("RENAME TABLE shop.sbtest1 TO shop.sbtest2")
	must(t, db, "RENAME TABLE sbtest1 TO sbtest2")
	half.Exec("ALTER TABLE shop.sbtest2 DROP c")
	must(t, db, "ALTER TABLE sbtest2 DROP c", "INSERT INTO sbtest2 VALUES (1,1),(2,2),(3,3),(4,4),(5,5),(6,6)")
	expect(t, db, "SELECT COUNT(*) FROM sbtest2", "6")

	half.Exec("ALTER TABLE shop.sbtest2 ADD other INT")
	expectError(t, db, "ALTER TABLE sbtest2 ADD other VARCHAR(10)", 1105, "done on s0, s1, s3", "s2", "other")
	must(t, db, "ALTER TABLE sbtest2 MODIFY other VARCHAR(10)")
	half.Exec("DROP TABLE shop.sbtest2")
	expectError(t, db, "TRUNCATE TABLE sbtest2", 1146, "done on s0, s1, s3", "failed on s2")
	expectError(t, db, "CREATE TABLE IF NOT EXISTS sbtest2 (id INT NOT NULL PRIMARY KEY)", 1105, "not alike", "s2")
	must(t, db, "DROP TABLE sbtest2")
	expectError(t, db, "DROP TABLE sbtest2", 1051)
}
