package integration

import (
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
