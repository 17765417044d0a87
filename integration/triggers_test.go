package integration

import (
	"database/sql"
	"strings"
	"testing"

	"sluice/internal/testkit"
)

const triggerSchemas = `
  schemas:
    - name: shop
      default_shard: s1
      tables:
        x: {shard_key: id}
        y: {shard_key: id}
        a: {shard_key: uid}
        r: {kind: reference}
        q: {kind: reference}
    - name: plain
      default_shard: s2
`

// TestTriggers: what the triggers of a table do is looked at when it is written, whoever has made them.
// Those that would see a shard's part, write one copy, or tell of the connection are refused; what they
// leave in the session stays with it.
func TestTriggers(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		c := start(t, setup{flavor: flavor, schemas: triggerSchemas, maxConns: 4})
		db := c.open("shop")
		must(t, db,
			"CREATE TABLE x (id INT NOT NULL PRIMARY KEY, v INT)",
			"CREATE TABLE a (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, uid INT NOT NULL)",
			"CREATE TABLE r (code INT NOT NULL PRIMARY KEY, n INT)",
			"CREATE TABLE log (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, what VARCHAR(100))",
			"CREATE TABLE p (i INT)", "CREATE VIEW vp AS SELECT i FROM p", "CREATE TABLE u (i INT)")
		home := c.servers[1].DB(t, "shop")
		one := oneConn(t, db)
		definer := "DEFINER = " + c.servers[1].Value("SELECT CONCAT(user, '@`', host, '`') FROM mysql.user WHERE user = 'sluice'")
		for _, try := range []struct{ event, body, refused string }{
			{"BEFORE INSERT", "SET NEW.i = NEW.i * 2", ""},
			{"AFTER INSERT", "INSERT INTO log (what) VALUES (CONCAT('i', NEW.i))", ""},
			{"AFTER INSERT", "INSERT INTO log (what) SELECT COUNT(*) FROM x", "shop.x"},
			{"AFTER INSERT", "UPDATE x SET v = 1", "shop.x"},
			{"AFTER INSERT", "INSERT INTO a (uid) VALUES (NEW.i)", "shop.a"},
			{"BEFORE INSERT", "SET NEW.i = (SELECT COALESCE(MAX(n), 5) FROM r)", ""},
			{"AFTER INSERT", "UPDATE r SET n = NEW.i", "shop.r"},
			{"AFTER INSERT", "INSERT INTO log (what) VALUES (USER())", "USER()"},
			{"AFTER INSERT", "INSERT INTO log (what) VALUES (CONNECTION_ID())", "CONNECTION_ID()"},
			{"AFTER INSERT", "INSERT INTO log (what) VALUES (CURRENT_USER)", ""}, // its definer
			{"DEFINER AFTER INSERT", "INSERT INTO log (what) VALUES (CURRENT_USER)", "CURRENT_USER"},
			{"AFTER INSERT", "INSERT INTO log (what) VALUES (ROW_COUNT())", "ROW_COUNT()"},
			{"AFTER INSERT", "INSERT INTO log (what) VALUES (total())", "shop.x"},
			{"AFTER INSERT", "CALL writes()", "shop.r"},
			{"BEFORE INSERT", "IF NEW.i > 100 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'too large'; END IF", ""},
		} {
			event, sluices := strings.CutPrefix(try.event, "DEFINER ")
			by := map[bool]string{true: definer}[sluices]
			must(t, home, "DROP TRIGGER IF EXISTS p1", "DROP FUNCTION IF EXISTS total", "DROP PROCEDURE IF EXISTS writes",
				"CREATE FUNCTION total() RETURNS INT READS SQL DATA RETURN (SELECT COUNT(*) FROM x)",
				"CREATE PROCEDURE writes() UPDATE r SET n = 1",
				"CREATE "+by+" TRIGGER p1 "+event+" ON p FOR EACH ROW "+try.body)
			must(t, db, "CREATE OR REPLACE VIEW vp AS SELECT i FROM p") // what is known of the schema is looked at anew
			for _, sql := range []string{"INSERT INTO p VALUES (1)", "REPLACE INTO p VALUES (2)", "INSERT INTO vp VALUES (3)", "INSERT INTO p SELECT 4", "INSERT INTO p SELECT id FROM x WHERE id < 0"} {
				_, err := one.ExecContext(t.Context(), sql)
				if try.refused == "" && err != nil {
					t.Errorf("%s with %q: %v", sql, try.body, err)
				} else if try.refused != "" {
					checkError(t, sql+" with "+try.body, err, 1235, "sluice:", "p1", try.refused)
				}
			}
			must(t, db, "UPDATE p SET i = 0", "DELETE FROM p WHERE i = 99", "TRUNCATE TABLE p") // its other events
		}
		must(t, home, "CREATE PROCEDURE fills() INSERT INTO p VALUES (1)", "DROP TRIGGER p1",
			"CREATE TRIGGER p1 AFTER INSERT ON p FOR EACH ROW UPDATE r SET n = 9")
		must(t, db, "CREATE OR REPLACE VIEW vp AS SELECT i FROM p")
		expectError(t, one, "CALL fills()", 1235, "sluice:", "r")
		for _, s := range c.servers {
			if got := s.Value("SELECT COALESCE(SUM(n), 0) FROM shop.r"); got != "0" {
				t.Errorf("a copy of r has %s", got)
			}
		}
		// made through Sluice
		for sql, why := range map[string]string{
			"CREATE TRIGGER x1 BEFORE INSERT ON x FOR EACH ROW SET NEW.v = 1":                              "shop.x",
			"CREATE TRIGGER u1 AFTER INSERT ON u FOR EACH ROW INSERT INTO x VALUES (1, 1)":                 "shop.x",
			"CREATE TRIGGER u1 AFTER INSERT ON u FOR EACH ROW INSERT INTO log (what) VALUES (USER())":      "USER()",
			"CREATE TRIGGER u1 BEFORE INSERT ON u FOR EACH ROW SET NEW.i = total()":                        "shop.x",
			"CREATE TRIGGER u1 AFTER INSERT ON u FOR EACH ROW CALL writes()":                               "shop.r",
			"CREATE EVENT e1 ON SCHEDULE EVERY 1 DAY DO CALL writes()":                                     "shop.r",
			"CREATE EVENT e1 ON SCHEDULE EVERY 1 DAY DO DELETE FROM x":                                     "shop.x",
			"CREATE EVENT e1 ON SCHEDULE EVERY 1 DAY DO INSERT INTO log (what) VALUES (total())":           "shop.x",
			"CREATE EVENT e1 ON SCHEDULE EVERY 1 DAY DO INSERT INTO log (what) VALUES (CURRENT_USER())":    "CURRENT_USER",
			"CREATE EVENT e1 ON SCHEDULE EVERY 1 DAY DO INSERT INTO log SELECT NULL, COUNT(*) FROM shop.x": "shop.x",
			"CREATE EVENT e1 ON SCHEDULE EVERY 1 DAY DO INSERT INTO p VALUES (1)":                          "p1",
		} {
			expectError(t, one, sql, 1235, why)
		}
		must(t, db, "CREATE TRIGGER u1 BEFORE INSERT ON u FOR EACH ROW SET NEW.i = NEW.i + 1, @last = NEW.i",
			"CREATE EVENT e1 ON SCHEDULE EVERY 1 DAY DO INSERT INTO log (what) VALUES ('an event')")
		for i, s := range c.servers {
			want := map[bool]string{true: "1", false: "0"}[i == 1]
			if got := s.Value("SELECT COUNT(*) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = 'shop'"); got != want {
				t.Errorf("shard %d has %s events", i, got)
			}
		}
		must(t, db, "DROP EVENT e1")
		// looked up under locks of the session's own, those of other tables are seen, too
		must(t, home, "CREATE TRIGGER l1 BEFORE INSERT ON log FOR EACH ROW SET NEW.what = (SELECT COUNT(*) FROM x)")
		locker := oneConn(t, db)
		must1(t, locker, "LOCK TABLES u WRITE")
		must(t, db, "CREATE OR REPLACE VIEW vp AS SELECT i FROM p")
		must1(t, locker, "INSERT INTO u VALUES (1)")
		expectError(t, one, "INSERT INTO log (what) VALUES ('a')", 1235, "l1")
		must1(t, locker, "UNLOCK TABLES")
		must(t, home, "DROP TRIGGER l1")
		must(t, db, "DELETE FROM u")
		// a variable that a trigger sets is the client's
		must1(t, one, "INSERT INTO u VALUES (41)")
		expect(t, one, "SELECT @last", "42")
		expect(t, one, "SELECT @last, COUNT(*) FROM x", "42\t0")
		for range 8 {
			expect(t, oneConn(t, db), "SELECT @last", "NULL")
		}
	})
}

// TestTriggersOfSpreadTables: triggers of sharded and reference tables run where a row is written. They are
// right where all shards have the same one, and it looks at nothing but the row.
func TestTriggersOfSpreadTables(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		c := start(t, setup{flavor: flavor, schemas: triggerSchemas})
		db := c.open("shop")
		must(t, db,
			"CREATE TABLE x (id INT NOT NULL PRIMARY KEY, v INT)",
			"CREATE TABLE y (id INT NOT NULL PRIMARY KEY, v INT)",
			"CREATE TABLE a (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, uid INT NOT NULL, note VARCHAR(50))",
			"CREATE TABLE r (code INT NOT NULL PRIMARY KEY, n INT)",
			"CREATE TABLE p (i INT)")
		const rows = " VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6)"
		for _, try := range []struct {
			table, event, body string
			only               int // on this shard, -1 on all
			sql, refused       string
		}{
			{"x", "BEFORE INSERT", "SET NEW.v = NEW.v + 10", -1, "INSERT INTO x" + rows, ""},
			{"x", "BEFORE INSERT", "SET NEW.v = NEW.v + 10", 1, "INSERT INTO x" + rows, "shop.x"},
			{"x", "BEFORE INSERT", "SET NEW.id = NEW.id + 10", -1, "INSERT INTO x" + rows, "shard key"},
			{"x", "AFTER INSERT", "INSERT INTO a (uid) VALUES (NEW.id)", -1, "INSERT INTO x" + rows, "shop.a"},
			{"x", "AFTER INSERT", "SET @n = @n + 1", -1, "INSERT INTO x" + rows, "shop.x"},
			{"x", "BEFORE UPDATE", "SET NEW.v = NEW.v + 10", -1, "UPDATE x SET v = 1", ""},
			{"x", "BEFORE UPDATE", "SET NEW.v = NEW.v + 10", -1, "UPDATE x SET v = 1 ORDER BY v, id LIMIT 3", "shop.x"},
			{"x", "BEFORE DELETE", "SET @n = @n + 1", -1, "UPDATE x SET v = 1 ORDER BY v, id LIMIT 3", "shop.x"},
			{"a", "BEFORE INSERT", "SET NEW.id = 7", -1, "INSERT INTO a (uid) VALUES (1), (2)", "AUTO_INCREMENT"},
			{"a", "BEFORE INSERT", "SET NEW.note = CONCAT('id ', NEW.id)", -1, "INSERT INTO a (uid) VALUES (1), (2)", "AUTO_INCREMENT"},
			{"a", "BEFORE INSERT", "SET NEW.note = CONCAT('u', NEW.uid)", -1, "INSERT INTO a (uid) VALUES (1), (2)", ""},
			{"r", "BEFORE INSERT", "SET NEW.n = CRC32(UUID/* c */())", -1, "INSERT INTO r" + rows, "shop.r"},
			{"r", "BEFORE INSERT", "SET NEW.n = NEW.n + 10", -1, "INSERT INTO r" + rows, ""},
			{"r", "BEFORE INSERT", "SET NEW.n = RAND() * 100", -1, "INSERT INTO r" + rows, "shop.r"},
			{"r", "BEFORE INSERT", "SET NEW.n = (SELECT COUNT(*) FROM p)", -1, "INSERT INTO r" + rows, "shop.r"},
		} {
			for i, s := range c.servers {
				s.Exec("DROP TRIGGER IF EXISTS shop.t1")
				if try.only < 0 || try.only == i {
					s.Exec("USE shop; CREATE TRIGGER t1 " + try.event + " ON " + try.table + " FOR EACH ROW " + try.body)
				}
			}
			must(t, db, "DROP TABLE p", "CREATE TABLE p (i INT)")
			_, err := db.Exec(try.sql)
			if try.refused != "" {
				checkError(t, try.sql+" with "+try.body, err, 1235, "sluice:", "t1", try.refused)
				continue
			}
			if err != nil {
				t.Errorf("%s with %s: %v", try.sql, try.body, err)
			}
			switch try.table {
			case "x":
				expect(t, db, "SELECT COUNT(*), MIN(v) > 10 FROM x", "6\t1")
			case "a":
				expect(t, db, "SELECT note FROM a ORDER BY uid", "u1", "u2")
			case "r":
				for _, s := range c.servers {
					if got := s.Value("SELECT SUM(n) FROM shop.r"); got != "81" {
						t.Errorf("a copy of r has %s", got)
					}
				}
			}
		}
		if flavor != testkit.MariaDBFlavor {
			return
		}
		for _, s := range c.servers {
			s.Exec("USE shop; DROP TRIGGER IF EXISTS t1; SET sql_mode = ORACLE; CREATE TRIGGER t1 BEFORE INSERT ON x FOR EACH ROW BEGIN :NEW.id := NEW.id + 1000; END; SET sql_mode = DEFAULT")
		}
		must(t, db, "DROP TABLE p", "CREATE TABLE p (i INT)")
		expectError(t, db, "INSERT INTO x VALUES (11, 1)", 1235, "sluice:", "t1", "shard key")
	})
}

func must1(t *testing.T, c *sql.Conn, statement string) {
	t.Helper()
	if _, err := c.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%.200s: %v", statement, err)
	}
}
