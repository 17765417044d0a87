package integration

import (
	"fmt"
	"testing"

	"sluice/internal/testkit"
)

// TestProgramsOfTheDefaultShard: stored programs of an imported database, which were made past Sluice,
// of what several shards have. None may be answered from the default shard's part or write one copy.
func TestProgramsOfTheDefaultShard(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		c := start(t, setup{flavor: flavor, schemas: `
  schemas:
    - name: shop
      default_shard: s1
      tables:
        x: {shard_key: id}
        r: {kind: reference}
    - name: plain
      default_shard: s2
`})
		db := c.open("shop")
		must(t, db,
			"CREATE TABLE x (id INT NOT NULL PRIMARY KEY, v INT, body TEXT, FULLTEXT KEY (body))",
			"CREATE TABLE r (code INT NOT NULL PRIMARY KEY, n INT)",
			"CREATE TABLE p (i INT)")
		home := c.servers[1].DB(t, "shop")
		must(t, home,
			"CREATE VIEW vx9 AS SELECT id, v FROM x",
			"CREATE FUNCTION wr9(k INT) RETURNS INT MODIFIES SQL DATA BEGIN UPDATE r SET n = k; RETURN k; END",
			"CREATE PROCEDURE pr9(k INT) UPDATE r SET n = k",
			"CREATE FUNCTION fv9() RETURNS INT READS SQL DATA RETURN (SELECT COUNT(*) FROM vx9)",
			"CREATE PROCEDURE pv9() SELECT COUNT(*) FROM vx9",
			"CREATE FUNCTION wv9() RETURNS INT MODIFIES SQL DATA BEGIN UPDATE vx9 SET v = v + 1; RETURN 1; END",
			"CREATE FUNCTION total9() RETURNS INT READS SQL DATA RETURN (SELECT COUNT(*) FROM x)",
			"CREATE PROCEDURE sm9() BEGIN PREPARE sm9 FROM 'SELECT COUNT(*) FROM x'; EXECUTE sm9; DEALLOCATE PREPARE sm9; END",
			"CREATE FUNCTION who9() RETURNS VARCHAR(100) NO SQL RETURN USER()",
			"CREATE FUNCTION held9() RETURNS BIGINT NO SQL RETURN IS_USED_LOCK('a9')",
			`CREATE FUNCTION esc9() RETURNS INT READS SQL DATA BEGIN DECLARE s TEXT DEFAULT '\''; RETURN (SELECT COUNT(*) FROM x WHERE CONCAT('a',v) <> '\''); END`,
			"CREATE PROCEDURE rows9() BEGIN UPDATE p SET i = 3 WHERE i = 1; SELECT ROW_COUNT(); END",
			"CREATE FUNCTION zone9() RETURNS INT NO SQL BEGIN SET time_zone = '+05:00'; RETURN 1; END")
		if err := c.servers[1].Try("USE shop; SET sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES'); " +
			`CREATE FUNCTION back9() RETURNS INT READS SQL DATA RETURN (SELECT COUNT(*) FROM x WHERE CONCAT('a', v) <> '\') + (SELECT COUNT(*) FROM r WHERE CONCAT('a', code) <> '\')`); err != nil {
			t.Fatal(err)
		}
		polyfill := map[testkit.Flavor]string{testkit.MariaDBFlavor: "regexp_like", testkit.MySQLFlavor: "nvl"}[flavor]
		must(t, home, "CREATE FUNCTION "+polyfill+"(a INT, b INT) RETURNS INT READS SQL DATA RETURN (SELECT COUNT(*) FROM x)")
		must(t, db, "CREATE TABLE q (i INT)", // what is known of the schema is looked at anew
			"INSERT INTO r VALUES (1, 0), (2, 0)",
			"INSERT INTO p VALUES (1), (2)")
		for i := range 24 {
			must(t, db, fmt.Sprintf("INSERT INTO x VALUES (%d, %d, '%s')", i, i, []string{"apple pie", "plum", "cherry tart", "quince"}[i%4]))
		}
		refused := []string{"SELECT wr9(1)", "DO wr9(2)", "SET @a = wr9(3)", "UPDATE p SET i = wr9(4) LIMIT 1", "INSERT INTO p (i) VALUES (wr9(5))", "CALL pr9(1)",
			"SELECT fv9()", "CALL pv9()", "SELECT wv9()", "CALL sm9()", "SELECT who9()", "SELECT who9() FROM p", "UPDATE p SET i = LENGTH(who9())", "SELECT held9()",
			"CREATE TABLE made9 AS SELECT total9() AS n"}
		if flavor == testkit.MariaDBFlavor {
			must(t, home, "CREATE PROCEDURE ei9() EXECUTE IMMEDIATE 'DELETE FROM x WHERE v > 0'")
			refused = append(refused, "CALL ei9()", "BEGIN NOT ATOMIC SELECT total9(); END", "IF total9() > 5 THEN SELECT total9(); END IF")
		}
		one := oneConn(t, db)
		for _, sql := range refused {
			if got, err := tryRows(one, sql); err == nil {
				t.Errorf("%s: got %q", sql, got)
			} else {
				checkError(t, sql, err, 1235, "sluice:")
			}
		}
		for _, s := range c.servers {
			if got := s.Value("SELECT SUM(n) FROM shop.r"); got != "0" {
				t.Errorf("a copy of r has %s", got)
			}
		}
		for sql, want := range map[string]string{"SELECT total9()": "24", "SELECT esc9()": "24", "SELECT back9()": "26", "CALL rows9()": "1",
			"SELECT " + polyfill + "(1, 2)": "24", "SELECT SUM(v) FROM x": "276",
			"SELECT COUNT(*) FROM x WHERE 0.1 BETWEEN 0 AND (MATCH(body) AGAINST('apple'))": "6"} {
			expect(t, one, sql, want)
		}
		expect(t, one, "SELECT zone9()", "1")
		expect(t, one, "SELECT @@time_zone", "+05:00")
	})
}
