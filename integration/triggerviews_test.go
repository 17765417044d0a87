package integration

import (
	"testing"

	"sluice/internal/testkit"
)

// TestProgramsBehindViews: what a view calls that a program, a trigger or a statement reads is looked at like
// what is called by name.
func TestProgramsBehindViews(t *testing.T) {
	t.Parallel()
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		c := start(t, setup{flavor: flavor, schemas: triggerSchemas, maxConns: 4})
		db := c.open("shop")
		must(t, db,
			"CREATE TABLE x (id INT NOT NULL PRIMARY KEY, v INT)",
			"CREATE TABLE r (code INT NOT NULL PRIMARY KEY, n INT)",
			"CREATE TABLE p (i INT)", "CREATE TABLE u (i INT)",
			"INSERT INTO r VALUES (1, 0)", "INSERT INTO x VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6), (7, 7), (8, 8)")
		must(t, c.servers[1].DB(t, "shop"),
			"CREATE FUNCTION adds() RETURNS INT MODIFIES SQL DATA BEGIN UPDATE r SET n = n + 1; RETURN 1; END",
			"CREATE FUNCTION fills() RETURNS INT MODIFIES SQL DATA BEGIN INSERT INTO p VALUES (7); RETURN 1; END",
			"CREATE FUNCTION total() RETURNS INT READS SQL DATA RETURN (SELECT COUNT(*) FROM x)",
			"CREATE VIEW vadds AS SELECT adds() AS n", "CREATE VIEW vfills AS SELECT fills() AS n",
			"CREATE VIEW vtotal AS SELECT total() AS n", "CREATE VIEW vid AS SELECT CONNECTION_ID() AS n",
			"CREATE FUNCTION by_adds() RETURNS INT MODIFIES SQL DATA RETURN (SELECT n FROM vadds)",
			"CREATE FUNCTION by_total() RETURNS INT READS SQL DATA RETURN (SELECT n FROM vtotal)",
			"CREATE FUNCTION by_id() RETURNS INT READS SQL DATA RETURN (SELECT n FROM vid)",
			"CREATE PROCEDURE renames() RENAME TABLE r TO r9",
			"CREATE TRIGGER p1 AFTER INSERT ON p FOR EACH ROW UPDATE r SET n = n + 1",
			"CREATE TRIGGER u1 BEFORE INSERT ON u FOR EACH ROW SET NEW.i = (SELECT n FROM vadds)",
			"CREATE TRIGGER u2 BEFORE UPDATE ON u FOR EACH ROW SET NEW.i = (SELECT n FROM vid)")
		if flavor == testkit.MariaDBFlavor {
			must(t, c.servers[1].DB(t, "shop"), "CREATE PROCEDURE dot() UPDATE .r SET n = n + 1")
		}
		must(t, c.servers[2].DB(t, "plain"), "CREATE TABLE t1 (i INT)",
			"CREATE PROCEDURE adds() INSERT INTO t1 VALUES (1)", "CREATE PROCEDURE adds_some(n INT) INSERT INTO t1 VALUES (n)",
			"CREATE FUNCTION filled() RETURNS INT READS SQL DATA RETURN (SELECT COUNT(*) FROM t1)")
		must(t, db, "CREATE TABLE w (i INT)") // what is known of the schema is looked at anew
		one := oneConn(t, db)
		for sql, why := range map[string]string{
			"SELECT by_adds()":                       "shop.r",
			"SELECT by_id()":                         "CONNECTION_ID()",
			"INSERT INTO u VALUES (1)":               "shop.r",
			"UPDATE u SET i = 2":                     "CONNECTION_ID()",
			"SELECT * FROM vfills":                   "p1",
			"CALL renames()":                         "shop.r",
			"SELECT fills()":                         "p1",
			"CREATE TABLE w2 AS SELECT fills() AS n": "p1",
		} {
			expectError(t, one, sql, 1235, "sluice:", why)
		}
		expect(t, one, "SELECT by_total()", "8")
		plain := oneConn(t, c.open("plain"))
		expectError(t, plain, "CREATE EVENT IF NOT EXISTS shop.e1 ON SCHEDULE EVERY 1 DAY DO UPDATE r SET n = n + 1", 1235, "shop.r")
		expectError(t, plain, "CREATE TRIGGER IF NOT EXISTS shop.u3 AFTER INSERT ON shop.u FOR EACH ROW UPDATE r SET n = n + 1", 1235, "shop.r")
		// of a schema on another shard
		expectError(t, plain, "CALL shop.renames", 1235, "shop.r")
		other := oneConn(t, db)
		for _, sql := range []string{"CALL plain.adds", "CALL plain.adds()", "CALL `plain`.adds_some(3)", "SET @n = plain.filled() + 1"} {
			must1(t, other, sql)
		}
		expect(t, other, "SELECT i FROM plain.t1 ORDER BY i", "1", "1", "3")
		expect(t, other, "SELECT plain.filled(), @n", "3\t4")
		must(t, db, "CREATE PROCEDURE mine() SELECT 1")
		expectError(t, other, "CALL mine()", 1235, "live on shard s2")
		expect(t, oneConn(t, db), "CALL mine()", "1")
		expectError(t, one, "CALL plain.adds_some((SELECT COUNT(*) FROM p))", 1235, "in an argument")
		if flavor == testkit.MariaDBFlavor {
			expectError(t, one, "CALL dot()", 1235, "shop.r")
		}
		for _, s := range c.servers {
			if got := s.Value("SELECT n FROM shop.r"); got != "0" {
				t.Errorf("a copy of r has %s", got)
			}
		}
	})
}
