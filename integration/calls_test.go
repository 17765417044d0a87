package integration

import (
	"strings"
	"testing"

	"sluice/internal/testkit"
)

// TestWhatCallsLeave: what programs do to the client's session, and to its transaction, is as on one server or refused.
func TestWhatCallsLeave(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		c := start(t, setup{flavor: flavor, schemas: `
  schemas:
    - name: shop
      default_shard: s1
      tables:
        x: {shard_key: id}
    - name: plain
      default_shard: s2
`})
		db := c.open("shop", interpolated)
		must(t, db,
			"CREATE TABLE x (id INT NOT NULL PRIMARY KEY, v INT)",
			"CREATE TABLE p (i INT PRIMARY KEY, v INT)",
			"CREATE TABLE ai (i INT PRIMARY KEY AUTO_INCREMENT, v INT UNIQUE) AUTO_INCREMENT = 3",
			"INSERT INTO x VALUES (1,1),(2,2),(3,3),(4,4),(5,5),(6,6),(7,7),(8,8)",
			"INSERT INTO p VALUES (1,1),(2,2),(3,3)")
		t.Run("insert id", func(t *testing.T) { testCalledInsertID(t, c, flavor) })
		t.Run("found rows", func(t *testing.T) { testCalledFoundRows(t, c, flavor) })
		t.Run("settings", func(t *testing.T) { testCalledSettings(t, c, flavor) })
		t.Run("transactions", func(t *testing.T) { testCalledTransactions(t, c, flavor) })
		t.Run("rights", func(t *testing.T) { testCalledRights(t, c, flavor) })
	})
}

func testCalledInsertID(t *testing.T, c *cluster, flavor testkit.Flavor) {
	db := c.open("shop", interpolated)
	must(t, db, "CREATE PROCEDURE addai(n INT) INSERT INTO ai (v) VALUES (n)",
		"CREATE PROCEDURE addx(n INT) CALL addai(n)",
		"CREATE PROCEDURE addtwice(n INT) BEGIN INSERT INTO ai (v) VALUES (n); INSERT INTO ai (v) VALUES (n); END")
	one := oneConn(t, db)
	run(t, one, "CALL addai(5)")
	expect(t, one, "SELECT LAST_INSERT_ID()", "3")
	expect(t, one, "SELECT v FROM x WHERE id = LAST_INSERT_ID()", "3")
	run(t, one, "SET last_insert_id = 7", "CALL addx(6)", "INSERT INTO x VALUES (LAST_INSERT_ID() + 200, LAST_INSERT_ID())")
	expect(t, one, "SELECT id, v FROM x WHERE id > 200", "204\t4")
	expectError(t, one, "CALL addtwice(7)", 1062)
	expect(t, one, "SELECT LAST_INSERT_ID()", "5")
	run(t, one, "SET last_insert_id = 7", "CALL addai(LAST_INSERT_ID() + 1)")
	expect(t, one, "SELECT LAST_INSERT_ID() > 7, (SELECT MAX(v) FROM ai)", "0\t8")
	if flavor == testkit.MariaDBFlavor {
		run(t, one, "SET last_insert_id = 1", "BEGIN NOT ATOMIC INSERT INTO ai (v) VALUES (90); END")
		expect(t, one, "SELECT LAST_INSERT_ID() = (SELECT i FROM ai WHERE v = 90)", "1")
		run(t, one, "SET last_insert_id = 1", "IF 1 THEN INSERT INTO ai (v) VALUES (91); END IF")
		expect(t, one, "SELECT LAST_INSERT_ID() = (SELECT i FROM ai WHERE v = 91)", "1")
	}
	must(t, db, "DELETE FROM x WHERE id > 200")
}

func testCalledFoundRows(t *testing.T, c *cluster, flavor testkit.Flavor) {
	db := c.open("shop", interpolated)
	must(t, db, "CREATE PROCEDURE calc() SELECT SQL_CALC_FOUND_ROWS i FROM p LIMIT 1",
		"CREATE PROCEDURE counts() BEGIN DECLARE n INT; SELECT COUNT(*) INTO n FROM p; UPDATE p SET v = v; END",
		"CREATE PROCEDURE changes() BEGIN DECLARE n INT DEFAULT 1; UPDATE p SET v = v; END",
		"CREATE PROCEDURE perhaps(n INT) BEGIN IF n THEN SELECT i FROM p; END IF; END")
	one := oneConn(t, db)
	for call, want := range map[string]string{"CALL calc()": "3", "CALL counts()": "1", "CALL changes()": "8"} {
		rows(t, one, "SELECT id FROM x")
		if flavor == testkit.MySQLFlavor && call == "CALL changes()" { // which sets it by the rows that it has looked at
			run(t, one, call)
			expectError(t, one, "SELECT FOUND_ROWS()", 1235, "may have changed it")
			continue
		}
		if flavor == testkit.MySQLFlavor && call == "CALL counts()" {
			want = "3"
		}
		run(t, one, call)
		expect(t, one, "SELECT FOUND_ROWS()", want)
		run(t, one, call)
		expect(t, one, "SELECT FOUND_ROWS() + v FROM x WHERE id = 1", map[string]string{"3": "4", "1": "2", "8": "2"}[want])
	}
	run(t, one, "CALL perhaps(0)")
	expectError(t, one, "SELECT FOUND_ROWS()", 1235, "sluice: FOUND_ROWS() after a program that may have changed it, or not")
	expectError(t, one, "SELECT FOUND_ROWS() + 1", 1235, "may have changed it")
	rows(t, one, "SELECT id FROM x")
	expect(t, one, "SELECT FOUND_ROWS()", "8")
	if flavor == testkit.MariaDBFlavor {
		run(t, one, "BEGIN NOT ATOMIC SELECT i FROM p; END")
		expect(t, one, "SELECT FOUND_ROWS()", "3")
	}
}

func testCalledSettings(t *testing.T, c *cluster, flavor testkit.Flavor) {
	db := c.open("shop", interpolated)
	must(t, db,
		"CREATE TABLE fires (i INT)",
		"CREATE PROCEDURE ac0() SET autocommit = 0",
		"CREATE PROCEDURE ac1() BEGIN START TRANSACTION; INSERT INTO p VALUES (50, 50); COMMIT; SET autocommit = 1; END",
		"CREATE PROCEDURE zone() SET time_zone = '+05:00'",
		"CREATE PROCEDURE fails() BEGIN SET SESSION group_concat_max_len = 5; SELECT * FROM nowhere; END",
		"CREATE PROCEDURE keeps() BEGIN SET @old = @@sql_mode; SET sql_mode = 'ANSI_QUOTES'; UPDATE p SET v = v; SET sql_mode = @old; END",
		"CREATE PROCEDURE clock() SET timestamp = 5",
		"CREATE PROCEDURE next() SET TRANSACTION READ ONLY",
		"CREATE PROCEDURE begins() BEGIN SET TRANSACTION READ ONLY; START TRANSACTION; SELECT COUNT(*) FROM p; COMMIT; END",
		"CREATE TRIGGER sets AFTER INSERT ON fires FOR EACH ROW SET div_precision_increment = 2",
		"CREATE TRIGGER stops AFTER DELETE ON fires FOR EACH ROW SET timestamp = 5")
	must(t, c.servers[2].DB(t, "plain"), "CREATE PROCEDURE made() BEGIN PREPARE s FROM 'SET foreign_key_checks = 0'; EXECUTE s; DEALLOCATE PREPARE s; END")

	own := connect(t, c.px[0].data, "app", "shop", interpolated)
	one := oneConn(t, own)
	run(t, one, "SET autocommit = 0", "CALL ac1()")
	expect(t, one, "SELECT @@autocommit", "1")
	run(t, one, "UPDATE x SET v = v + 1000", "INSERT INTO p VALUES (51, 51)")
	one.Close()
	own.Close()
	expect(t, db, "SELECT SUM(v) FROM x", "8036")
	expect(t, db, "SELECT COUNT(*) FROM p WHERE i >= 50", "2")

	one = oneConn(t, db)
	run(t, one, "CALL ac0()", "UPDATE x SET v = id", "ROLLBACK")
	expect(t, one, "SELECT SUM(v) FROM x", "8036")
	run(t, one, "UPDATE x SET v = id", "COMMIT", "SET autocommit = 1")

	one = oneConn(t, db)
	run(t, one, "CALL zone()")
	expect(t, one, "SELECT DISTINCT FROM_UNIXTIME(0) FROM x", "1970-01-01 05:00:00")
	expectError(t, one, "CALL fails()", 1146)
	expect(t, one, "SELECT GROUP_CONCAT(id ORDER BY id) FROM x", "1,2,3")
	before := rows(t, one, "SELECT @@sql_mode")
	run(t, one, "CALL keeps()")
	expect(t, one, "SELECT @@sql_mode", before...)
	expect(t, one, `SELECT "a" FROM x WHERE id = 1`, "a")
	run(t, one, "INSERT INTO fires VALUES (1)")
	expect(t, one, "SELECT 1/3 FROM x WHERE id < 3", "0.33", "0.33")
	if flavor == testkit.MariaDBFlavor {
		run(t, one, "BEGIN NOT ATOMIC SET lc_time_names = 'de_DE'; END")
		expect(t, one, "SELECT DISTINCT MONTHNAME('2026-05-01') FROM x", "Mai")
	}
	for _, sql := range []string{"CALL clock()", "DELETE FROM fires"} {
		expectError(t, one, sql, 1235, "sluice: a stored program that sets timestamp")
	}
	expectError(t, one, "CALL next()", 1235, "SET TRANSACTION, which is about the client's next transaction")
	run(t, one, "CALL begins()", "UPDATE x SET v = v")
	one = oneConn(t, db)
	run(t, one, "CALL plain.made()")
	expect(t, one, "SELECT DISTINCT @@foreign_key_checks FROM x", "0")
}

func testCalledTransactions(t *testing.T, c *cluster, flavor testkit.Flavor) {
	db := c.open("shop", interpolated)
	must(t, db,
		"CREATE PROCEDURE back() ROLLBACK TO SAVEPOINT sv",
		"CREATE PROCEDURE marks() BEGIN SAVEPOINT own; UPDATE p SET v = 70 WHERE i = 1; ROLLBACK TO own; RELEASE SAVEPOINT own; END",
		"CREATE PROCEDURE does(n INT) BEGIN DECLARE CONTINUE HANDLER FOR SQLEXCEPTION SET @failed = 1; START TRANSACTION; UPDATE p SET v = n WHERE i = 1; COMMIT; END",
		"CREATE PROCEDURE undoes() BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION ROLLBACK; UPDATE p SET v = 80 WHERE i = 1; END")
	must(t, c.servers[2].DB(t, "plain"), "CREATE PROCEDURE commits() BEGIN PREPARE s FROM 'COMMIT'; EXECUTE s; DEALLOCATE PREPARE s; END")
	one := oneConn(t, db)
	run(t, one, "BEGIN", "UPDATE p SET v = 0", "SAVEPOINT sv", "UPDATE x SET v = v + 100")
	for _, sql := range []string{"CALL back()", "CALL marks()"} {
		expectError(t, one, sql, 1235, "sluice: a program with SAVEPOINT, ROLLBACK TO or RELEASE in a transaction on another shard than s1")
	}
	for _, sql := range []string{"CALL does(1)", "CALL undoes()"} {
		expectError(t, one, sql, 1235, "sluice: a program that begins or ends transactions (also by DDL), in a transaction on another shard than s1")
	}
	run(t, one, "ROLLBACK TO sv", "COMMIT")
	expect(t, db, "SELECT SUM(v) FROM x", "36")
	expect(t, db, "SELECT SUM(v) FROM p", "0")
	run(t, one, "BEGIN", "UPDATE p SET v = 5 WHERE i = 1", "SAVEPOINT sv", "UPDATE p SET v = 6 WHERE i = 1", "CALL back()", "CALL marks()", "COMMIT")
	expect(t, db, "SELECT v FROM p WHERE i = 1", "5")
	run(t, one, "BEGIN", "UPDATE p SET v = 7 WHERE i = 2", "CALL does(9)", "UPDATE p SET v = 8 WHERE i = 2", "ROLLBACK", "UPDATE x SET v = v", "CALL does(10)")
	expect(t, db, "SELECT v FROM p WHERE i <= 2 ORDER BY i", "10", "8")
	one = oneConn(t, db)
	run(t, one, "BEGIN", "UPDATE p SET v = v", "UPDATE x SET v = v + 100")
	expectError(t, one, "CALL plain.commits()", 1235, "COMMIT or ROLLBACK before the call")
	run(t, one, "ROLLBACK")
}

func testCalledRights(t *testing.T, c *cluster, flavor testkit.Flavor) {
	guest := oneConn(t, connect(t, c.px[0].data, "guest", "plain", interpolated))
	for text, code := range map[string]uint16{"DROP DATABASE shop": 1235, "ALTER DATABASE shop CHARACTER SET latin1": 1235, "CREATE SCHEMA other": 1235,
		"SHOW TABLES FROM shop": 1044, "SHOW COLUMNS FROM x IN shop": 1044, "SHOW DATABASES": 1227, "SHOW GRANTS": 1227, "SET GLOBAL max_connections = 10": 1227,
		"CREATE USER u9": 1227, "GRANT SELECT ON plain.* TO u9": 1227, "FLUSH STATUS": 1227,
		"BEGIN IF 1 THEN DROP DATABASE shop; END IF; END": 1235, "BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION FLUSH STATUS; SELECT 1; END": 1227,
		"BEGIN DECLARE n INT; SET n = 1, @@GLOBAL.max_connections = 10; END": 1227, "BEGIN SELECT 1; SHOW TABLES IN shop; END": 1044} {
		expectError(t, guest, "CREATE PROCEDURE z() "+text, code)
		if flavor == testkit.MariaDBFlavor && !strings.Contains(text, "@@") {
			expectError(t, guest, "BEGIN NOT ATOMIC "+text+"; END", code)
		}
	}
	expectError(t, guest, "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DROP DATABASE shop", 1235)
	expectError(t, guest, "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO FLUSH STATUS", 1227)
	// Made before it was refused: as the proxies' account.
	own := connect(t, c.servers[2].Addr, "sluice", "plain", interpolated)
	must(t, own, "CREATE PROCEDURE old() DROP DATABASE shop", "CREATE PROCEDURE flushes() FLUSH STATUS")
	run(t, guest, "CREATE TABLE users (user INT, password INT, role INT, `change` INT)") // what is known of the schema is looked at anew
	expectError(t, guest, "CALL old()", 1235, "DROP DATABASE in a stored program would be carried out on one shard")
	expectError(t, guest, "CALL flushes()", 1227)
	run(t, guest, "CREATE PROCEDURE fine(`change` INT, reset INT) BEGIN UPDATE users SET password = reset, role = 1; ALTER TABLE users DROP user, DROP role; SHOW TABLES; SHOW COLUMNS FROM users FROM plain; END",
		"CALL fine(1, 2)")
	if got := c.perShard("SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'shop'"); strings.Join(got, "") != "1111" {
		t.Errorf("shards have shop: %q", got)
	}
}
