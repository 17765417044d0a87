package integration

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"sluice/internal/testkit"
)

// TestTriggerLooks: what is known of triggers and programs is what the shards have, whatever the session is that asks first.
func TestTriggerLooks(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		s := setup{flavor: flavor, schemas: triggerSchemas}
		for i := range 3 {
			s.addrs = append(s.addrs, testkit.Shared(t, flavor, i).Addr)
		}
		link := testkit.NewLink(t, testkit.Shared(t, flavor, 3).Addr)
		s.addrs = append(s.addrs, link.Addr)
		c := start(t, s)
		db := c.open("shop")
		must(t, db,
			"CREATE TABLE x (id INT NOT NULL PRIMARY KEY, v INT)",
			"CREATE TABLE r (code INT NOT NULL PRIMARY KEY, n INT)",
			"CREATE TABLE p (i INT, s VARCHAR(50))", "CREATE VIEW vp AS SELECT i FROM p", "CREATE TABLE u (i INT)",
			"INSERT INTO r VALUES (1, 0)")
		t.Run("charset", func(t *testing.T) { testLooksCharset(t, c) })
		t.Run("locked", func(t *testing.T) { testLooksLocked(t, c) })
		t.Run("uneven", func(t *testing.T) { testLooksUneven(t, c) })
		if flavor == testkit.MariaDBFlavor { // it takes as long as it may
			t.Run("hung", func(t *testing.T) { testLooksHung(t, c, link) })
		}
		t.Run("down", func(t *testing.T) { testLooksDown(t, c, link) })
		t.Run("new", func(t *testing.T) { testLooksNew(t, c, link) })
	})
}

// anew makes the proxy look at what the servers have.
func anew(t *testing.T, c *cluster) {
	t.Helper()
	must(t, c.open("shop"), "CREATE OR REPLACE VIEW vp AS SELECT i FROM p")
}

// testLooksCharset: a text of the dictionary is not read in the client's character set.
func testLooksCharset(t *testing.T, c *cluster) {
	home := oneConn(t, c.servers[1].DB(t, "shop"))
	one := oneConn(t, c.open("shop"))
	for _, made := range []string{"utf8mb4", "gbk"} {
		// A text of several bytes before an escaped quote, twice: read wrong, what stands between is in quotes.
		text := map[string]string{"utf8mb4": "中", "gbk": "\xd6\xd0\xdf\x5c"}[made]
		must1(t, home, "SET NAMES "+made)
		must1(t, home, "CREATE TRIGGER p1 BEFORE INSERT ON p FOR EACH ROW BEGIN SET NEW.s = '"+text+`\''; UPDATE r SET n = n + 1; SET NEW.s = '`+text+`\''; END`)
		for _, names := range []string{"gbk", "latin1", "cp1251", "sjis", "utf8mb4"} {
			anew(t, c)
			must1(t, one, "SET NAMES "+names)
			_, err := one.ExecContext(t.Context(), "INSERT INTO p (i) VALUES (1)")
			checkError(t, "INSERT under "+names+" of a trigger in "+made, err, 1235, "sluice:", "p1", "shop.r")
		}
		must1(t, home, "DROP TRIGGER p1")
		must1(t, home, "CREATE TRIGGER p1 BEFORE INSERT ON p FOR EACH ROW BEGIN SET NEW.s = '"+text+`\''; SET NEW.i = 7; SET NEW.s = '`+text+`\''; END`)
		for _, names := range []string{"gbk", "latin1", "utf8mb4"} {
			anew(t, c)
			must1(t, one, "SET NAMES "+names)
			must1(t, one, "INSERT INTO p (i) VALUES (1)")
		}
		must1(t, home, "DROP TRIGGER p1")
	}
	anew(t, c)
	if got := strings.Join(c.perShard("SELECT n FROM shop.r"), " "); got != "0 0 0 0" {
		t.Errorf("the copies of r have %s", got)
	}
}

// testLooksLocked: what a session under LOCK TABLES cannot look at is not unknown to all.
func testLooksLocked(t *testing.T, c *cluster) {
	home := c.servers[1].DB(t, "shop")
	must(t, home, "CREATE TRIGGER u1 BEFORE INSERT ON u FOR EACH ROW SET NEW.i = LENGTH('abc')",
		"CREATE TRIGGER p1 BEFORE INSERT ON p FOR EACH ROW SET NEW.i = LENGTH('abcd')")
	anew(t, c)
	db := c.open("shop")
	one := oneConn(t, db)
	must1(t, one, "LOCK TABLES p WRITE")
	must1(t, one, "INSERT INTO p (i) VALUES (1)")
	must(t, db, "INSERT INTO u VALUES (1)")
	must1(t, one, "UNLOCK TABLES")
	must(t, db, "INSERT INTO u VALUES (1)")
	expect(t, db, "SELECT DISTINCT i FROM u", "3")
	must(t, home, "DROP TRIGGER u1", "DROP TRIGGER p1")
}

// testLooksUneven: the triggers of a sharded table are compared between all shards, with their order and their definers.
func testLooksUneven(t *testing.T, c *cluster) {
	const one, two = "CREATE TRIGGER t1 BEFORE UPDATE ON x FOR EACH ROW SET NEW.v = NEW.v + 1", "CREATE TRIGGER t2 BEFORE UPDATE ON x FOR EACH ROW SET NEW.v = NEW.v * 2"
	db := c.open("shop")
	must(t, db, "INSERT INTO x VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6), (7, 7), (8, 8)")
	for _, try := range []struct {
		name   string
		on     func(shard int) []string
		uneven bool
	}{
		{"the same", func(int) []string { return []string{one, two} }, false},
		{"not on the default shard", func(i int) []string { return map[bool][]string{true: {one}}[i != 1] }, true},
		{"on one other", func(i int) []string { return map[bool][]string{true: {one}}[i == 3] }, true},
		{"in another order", func(i int) []string { return map[bool][]string{true: {one, two}, false: {two, one}}[i != 2] }, true},
		{"another definer", func(i int) []string {
			return []string{strings.Replace(one, "CREATE", map[bool]string{true: "CREATE DEFINER = nobody@localhost", false: "CREATE DEFINER = CURRENT_USER"}[i == 2], 1)}
		}, true},
	} {
		for i, s := range c.servers {
			for _, sql := range try.on(i) {
				s.Exec("USE shop; " + sql)
			}
		}
		anew(t, c)
		_, err := db.Exec("UPDATE x SET v = 5")
		if try.uneven {
			checkError(t, try.name, err, 1235, "sluice:", "not all shards have")
		} else if err != nil {
			t.Errorf("%s: %v", try.name, err)
		}
		expect(t, db, "SELECT DISTINCT v FROM x", "12")
		for _, s := range c.servers {
			s.Exec("DROP TRIGGER IF EXISTS shop.t1", "DROP TRIGGER IF EXISTS shop.t2")
		}
	}
	anew(t, c)
}

// testLooksNew: a shard that has no tables yet keeps nobody from writing.
func testLooksNew(t *testing.T, c *cluster, link *testkit.Link) {
	db := c.open("shop")
	c.servers[3].Exec("DROP DATABASE shop")
	link.Cut() // a connection that was in the schema does not miss it
	anew(t, c)
	for i, key := 0, 0; i < 3; key++ {
		if c.shardOf(strconv.Itoa(key)) == i {
			must(t, db, fmt.Sprintf("REPLACE INTO x VALUES (%d, 1)", key))
			i++
		}
	}
	must(t, db, "INSERT INTO u VALUES (1)")
}

// testLooksHung: a shard that hangs while triggers are looked up fails no write to others.
func testLooksHung(t *testing.T, c *cluster, link *testkit.Link) {
	db := c.open("shop")
	must(t, db, "REPLACE INTO x VALUES (1, 5), (2, 5), (3, 5), (4, 5), (5, 5), (6, 6), (7, 7), (8, 8)")
	anew(t, c)
	link.Stall()
	defer link.Resume()
	var all sync.WaitGroup
	for range 4 {
		for key := 1; key <= 8; key++ {
			if c.shardOf(strconv.Itoa(key)) != 3 {
				all.Go(func() {
					if _, err := db.Exec(fmt.Sprintf("UPDATE x SET v = v + 1 WHERE id = %d", key)); err != nil {
						t.Errorf("UPDATE of %d: %v", key, err)
					}
				})
			}
		}
	}
	all.Wait()
	link.Resume()
	eventually(t, "the shard is back", func() bool {
		_, err := db.Exec("UPDATE x SET v = v + 1")
		return err == nil
	})
}

// testLooksDown: a shard that was down when triggers were looked at is asked for its own before it is written to; others wait for
// nothing.
func testLooksDown(t *testing.T, c *cluster, link *testkit.Link) {
	db := c.open("shop")
	must(t, db, "REPLACE INTO x VALUES (1, 5), (2, 5), (3, 5), (4, 5), (5, 5), (6, 6), (7, 7), (8, 8)")
	of := map[int]string{} // a key of each shard
	for _, key := range []string{"1", "2", "3", "4", "5", "6", "7", "8"} {
		of[c.shardOf(key)] = key
	}
	c.servers[3].Exec("USE shop; CREATE TRIGGER t1 BEFORE UPDATE ON x FOR EACH ROW SET NEW.v = 77")
	anew(t, c)
	link.Refuse(true)
	link.Cut()
	must(t, db, "UPDATE x SET v = 6 WHERE id = "+of[0], "UPDATE x SET v = 6 WHERE id = "+of[1])
	if _, err := db.Exec("UPDATE x SET v = 6 WHERE id = " + of[3]); err == nil {
		t.Error("a shard that is down was written to")
	}
	must(t, db, "UPDATE x SET v = 7 WHERE id = "+of[0])
	link.Refuse(false)
	eventually(t, "the shard is back", func() bool {
		_, err := tryRows(db, "SELECT v FROM x WHERE id = "+of[3])
		return err == nil
	})
	_, err := db.Exec("UPDATE x SET v = 6 WHERE id = " + of[3])
	checkError(t, "UPDATE", err, 1235, "sluice:", "t1", "not all shards have")
	c.servers[3].Exec("DROP TRIGGER shop.t1")
	anew(t, c)
	must(t, db, "UPDATE x SET v = 6")
}

// TestTriggersHidden: where the proxies' account may not see triggers, there are none for it; writes that may fire them are refused.
func TestTriggersHidden(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		all := func(sql ...string) {
			for i := range 4 {
				testkit.Shared(t, flavor, i).Exec(sql...)
			}
		}
		all("DROP USER IF EXISTS blind", "CREATE USER blind IDENTIFIED BY 'blind'", "GRANT ALL PRIVILEGES ON shop.* TO blind", "GRANT ALL PRIVILEGES ON plain.* TO blind",
			"GRANT CREATE, SELECT, INSERT, UPDATE, DELETE ON `\\_sluice`.* TO blind")
		t.Cleanup(func() { all("DROP USER IF EXISTS blind") })
		if flavor == testkit.MySQLFlavor {
			all("GRANT XA_RECOVER_ADMIN ON *.* TO blind")
		}
		testkit.Shared(t, flavor, 1).Exec("REVOKE TRIGGER ON shop.* FROM blind")
		testkit.Shared(t, flavor, 0).Exec("REVOKE TRIGGER ON shop.* FROM blind", "DROP ROLE IF EXISTS sees", "CREATE ROLE sees", "GRANT TRIGGER ON shop.* TO sees", "GRANT sees TO blind",
			map[testkit.Flavor]string{testkit.MySQLFlavor: "SET DEFAULT ROLE sees TO blind", testkit.MariaDBFlavor: "SET DEFAULT ROLE sees FOR blind"}[flavor])
		t.Cleanup(func() { testkit.Shared(t, flavor, 0).Exec("DROP ROLE IF EXISTS sees") })
		c := start(t, setup{flavor: flavor, account: "blind", schemas: triggerSchemas})
		db := c.open("shop")
		must(t, db, "CREATE TABLE x (id INT NOT NULL PRIMARY KEY, v INT)", "CREATE TABLE r (code INT NOT NULL PRIMARY KEY, n INT)", "CREATE TABLE p (i INT)", "CREATE TABLE plain.q (i INT)")
		c.servers[1].Exec("USE shop; CREATE TRIGGER p1 AFTER INSERT ON p FOR EACH ROW UPDATE r SET n = n + 1")
		anew(t, c)
		for _, sql := range []string{"INSERT INTO p VALUES (1)", "INSERT INTO r VALUES (1, 0)", "UPDATE x SET v = 1", "DELETE FROM x WHERE id = 3"} {
			expectError(t, db, sql, 1235, "sluice:", "s1", "TRIGGER on shop.*")
		}
		must(t, db, "INSERT INTO plain.q VALUES (1)", "/*sluice: shard=s1*/ UPDATE p SET i = 2")
		expect(t, db, "SELECT COUNT(*) FROM x", "0")
		testkit.Shared(t, flavor, 1).Exec("GRANT TRIGGER ON shop.* TO blind")
		anew(t, c)
		must(t, db, "INSERT INTO x VALUES (1, 1)")
		// a function that the triggers', programs' and views' definer may call, and the account does not see
		c.servers[1].Exec("USE shop; DROP TRIGGER p1; CREATE FUNCTION sly() RETURNS INT READS SQL DATA RETURN (SELECT COUNT(*) FROM x); "+
			"CREATE TRIGGER p1 BEFORE INSERT ON p FOR EACH ROW SET NEW.i = sly(); CREATE DEFINER=blind PROCEDURE fills() CALL `deep`(); CREATE PROCEDURE deep() INSERT INTO x VALUES (5, 5); "+
			"CREATE DEFINER=blind FUNCTION calm() RETURNS INT NO SQL RETURN ABS(IF(1, 2, 3)); CREATE VIEW vs AS SELECT sly() AS n", "REVOKE EXECUTE, CREATE ROUTINE, ALTER ROUTINE ON shop.* FROM blind",
			"GRANT EXECUTE ON PROCEDURE shop.fills TO blind; GRANT EXECUTE ON FUNCTION shop.calm TO blind")
		anew(t, c)
		for _, sql := range []string{"INSERT INTO p VALUES (1)", "CALL fills()", "SELECT * FROM vs"} {
			expectError(t, db, sql, 1235, "sluice:", "EXECUTE on shop.*")
		}
		expectError(t, db, "SELECT sly()", 1370)
		must(t, db, "UPDATE p SET i = 3", "DELETE FROM p")
		c.servers[1].Exec("GRANT EXECUTE ON shop.* TO blind")
		anew(t, c)
		expectError(t, db, "INSERT INTO p VALUES (1)", 1235, "p1", "cannot be read")
		expect(t, db, "SELECT calm()", "2")
	})
}
