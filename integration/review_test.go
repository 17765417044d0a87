package integration

import (
	"strings"
	"testing"

	"sluice/internal/testkit"
)

const reviewSchemas = `
  schemas:
    - name: shop
      default_shard: s0
      tables:
        t:      {shard_key: id}
        a:      {shard_key: uid, sequence: id}
        "k*":   {shard_key: k}
        "ref*": {kind: reference}
    - name: plain
      default_shard: s2
`

// TestReferenceCopies: whatever a statement writes into a reference table, all copies have
// the same rows after it, or it is refused.
func TestReferenceCopies(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		c := start(t, setup{flavor: flavor, schemas: reviewSchemas})
		db := c.open("shop", interpolated)
		must(t, db, `CREATE TABLE ref (code CHAR(2) NOT NULL PRIMARY KEY, n INT, f DOUBLE,
			ts TIMESTAMP(6) NULL DEFAULT CURRENT_TIMESTAMP(6), dt DATETIME(6) DEFAULT CURRENT_TIMESTAMP(6),
			up DATETIME(6) NULL ON UPDATE CURRENT_TIMESTAMP(6), name VARCHAR(50))`,
			`CREATE TABLE ref2 (id INT NOT NULL PRIMARY KEY, n INT, name VARCHAR(50), at DATETIME(6) NULL)`)
		if flavor == testkit.MariaDBFlavor {
			must(t, db, `CREATE TABLE ref3 (id INT NOT NULL PRIMARY KEY, u VARCHAR(50) DEFAULT UUID(), r DOUBLE DEFAULT (RAND()), d DATE DEFAULT (CURRENT_DATE + INTERVAL 1 DAY))`)
		} else {
			must(t, db, `CREATE TABLE ref3 (id INT NOT NULL PRIMARY KEY, u VARCHAR(50) DEFAULT (UUID()), r DOUBLE DEFAULT (RAND()), d DATE DEFAULT (CURRENT_DATE + INTERVAL 1 DAY))`)
		}
		must(t, db, `INSERT INTO ref2 VALUES (1,10,'a',NULL),(2,20,'b',NULL),(3,30,'c',NULL)`,
			`INSERT INTO ref (code,n,f,ts,dt,up,name) VALUES ('aa',1,1,NULL,NULL,NULL,'x'),('bb',2,2,NULL,NULL,NULL,'y')`)
		db.SetMaxOpenConns(1)
		must(t, db, "SET sql_select_limit = 1") // does not cut short what is looked up of ref3
		copies := func() string {
			var different []string
			for _, table := range []string{"ref", "ref2", "ref3"} {
				var first string
				for i, s := range c.servers {
					var b strings.Builder
					for _, row := range s.Query("SELECT * FROM shop." + table + " ORDER BY 1") {
						b.WriteString(strings.Join(row, "\t") + "\n")
					}
					if i == 0 {
						first = b.String()
					} else if b.String() != first {
						different = append(different, table+" on s0:\n"+first+" and on "+s.Addr+":\n"+b.String())
						break
					}
				}
			}
			return strings.Join(different, "\n")
		}
		for _, sql := range []string{
			"INSERT INTO ref (code) VALUES ('c1')",
			"INSERT INTO ref (code, ts, dt) VALUES ('c2', DEFAULT, DEFAULT)",
			"INSERT INTO ref (code, ts, dt) VALUES ('c3', NULL, DEFAULT)",
			"INSERT INTO ref VALUES ('c4', 1, 1, DEFAULT, DEFAULT, DEFAULT, 'x')",
			"INSERT INTO ref VALUES ('c5', 1, 1, DEFAULT(ts), DEFAULT(dt), NULL, 'x')",
			"INSERT INTO ref VALUES ('c6', 1, 1, NULL, NULL, NULL, DEFAULT(ts))",
			"INSERT INTO ref SET code = 'c7', ts = DEFAULT, dt = DEFAULT",
			"INSERT INTO ref SET code = 'c8'",
			"INSERT INTO ref () VALUES ()",
			"INSERT INTO ref VALUES ()",
			"REPLACE INTO ref (code) VALUES ('aa')",
			"REPLACE INTO ref (code, n) SELECT code, n FROM ref WHERE code = 'aa'",
			"INSERT INTO ref (code, ts, dt) VALUES ('aa', NULL, NULL) ON DUPLICATE KEY UPDATE n = n + 1",
			"INSERT INTO ref (code, ts, dt, up) VALUES ('aa', NULL, NULL, NULL) ON DUPLICATE KEY UPDATE n = n + 1",
			"INSERT INTO ref (code, ts, dt, up) VALUES ('aa', NULL, NULL, NULL) ON DUPLICATE KEY UPDATE dt = DEFAULT, up = NULL",
			"INSERT INTO ref (code, ts, dt, up) VALUES ('aa', NULL, NULL, NULL) ON DUPLICATE KEY UPDATE dt = DEFAULT(ts), up = NULL",
			"INSERT INTO ref (code, ts, dt, up) VALUES ('aa', NULL, NULL, NULL) ON DUPLICATE KEY UPDATE n = n + 1, up = NULL",
			"UPDATE ref SET n = 5 WHERE code = 'aa'",
			"UPDATE ref SET n = 6, up = NULL WHERE code = 'aa'",
			"UPDATE ref SET ts = DEFAULT, up = NULL WHERE code = 'aa'",
			"UPDATE ref SET up = NULL, dt = DEFAULT(dt) WHERE code = 'aa'",
			"UPDATE ref SET up = DEFAULT WHERE code = 'aa'",
			"UPDATE ref x, ref2 y SET x.n = y.n, x.up = NULL",
			"UPDATE ref x, ref2 SET x.n = 7 WHERE x.code = 'aa'",
			"UPDATE ref2 SET at = NOW(6) WHERE id = 1",
			"UPDATE ref2 SET at = CURRENT_TIME(6) WHERE id = 1",
			"UPDATE ref2 SET at = TIME'10:00:00' WHERE id = 1",
			"UPDATE ref2 SET name = @@port WHERE id = 1",
			"UPDATE ref2 SET name = @@hostname WHERE id = 1",
			"UPDATE ref2 SET name = @@GLOBAL.port WHERE id = 2",
			"UPDATE ref2 SET name = @@pseudo_thread_id",
			"UPDATE ref2 SET name = CONNECTION_ID()",
			"UPDATE ref2 SET name = (SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_VARIABLES WHERE VARIABLE_NAME = 'port')",
			"DELETE FROM ref2 WHERE n * 0 + RAND() < 0.5",
			"DELETE FROM ref2 WHERE name = CONCAT(@@port)",
			"UPDATE IGNORE ref2 SET id = id + 1",
			"UPDATE ref2 SET id = id + 100 ORDER BY id DESC",
			"UPDATE ref2 SET name = (SELECT GROUP_CONCAT(code) FROM ref)",
			"UPDATE ref2 SET name = @x := 5",
			"INSERT INTO ref2 (id, n, name) SELECT n + 1000, n, code FROM ref WHERE n IS NOT NULL",
			"INSERT INTO ref2 (id, n, name) SELECT 2000 + n, SUM(n), MAX(code) FROM ref WHERE n IS NOT NULL GROUP BY n",
			"INSERT INTO ref2 (id, n, name) SELECT 3000 + ROW_NUMBER() OVER (), n, code FROM ref",
			"INSERT IGNORE INTO ref2 (id, n, name) SELECT 4000, n, code FROM ref",
			"REPLACE INTO ref2 (id, n, name) SELECT 4000, n, code FROM ref",
			"INSERT INTO ref2 (id, n, name) SELECT 4000, n, code FROM ref z ON DUPLICATE KEY UPDATE name = z.code",
			"INSERT INTO ref2 (id, n, name) SELECT 4000, n, code FROM ref z LIMIT 1",
			"INSERT INTO ref2 (id, n, name, at) SELECT 5000, n, code, ts FROM ref z WHERE code = 'aa'",
			"INSERT INTO ref3 (id) VALUES (1)",
			"INSERT INTO ref3 VALUES (2, DEFAULT, 1, '2020-01-01')",
			"INSERT INTO ref3 VALUES (3, 'x', DEFAULT, '2020-01-01')",
			"INSERT INTO ref3 VALUES (4, 'x', 1, DEFAULT)",
			"INSERT INTO ref3 (id, u, r, d) VALUES (5, 'x', 1, '2020-01-01')",
			"INSERT INTO ref3 (id, u, r, d) VALUES (5, 'x', 1, '2020-01-01') ON DUPLICATE KEY UPDATE u = DEFAULT",
			"UPDATE ref3 SET u = DEFAULT",
			"UPDATE ref3 SET r = DEFAULT(r)",
			"UPDATE ref3 SET r = UUID_SHORT()",
			"/*sluice: shard=s1*/ INSERT INTO ref2 (id) VALUES (7001)",
			"/*sluice: shard=s1*/ UPDATE ref2 SET name = 'hinted'",
			"/*sluice: shard=s1*/ DELETE FROM ref2 WHERE id = 1",
			"/*sluice: key=5*/ REPLACE INTO ref2 (id) VALUES (7002)",
			"/*sluice: shard=s1*/ INSERT INTO ref2 (id) VALUES ROW(7003)",
			"INSERT INTO ref2 (id) VALUES ROW(7004)",
			"INSERT INTO ref2 TABLE ref2",
			"WITH q AS (SELECT 1 AS z) UPDATE ref2 SET name = 'cte' WHERE id = (SELECT z FROM q)",
			"WITH q AS (SELECT 1 AS z) DELETE FROM ref2 WHERE id = (SELECT z + 8000 FROM q)",
		} {
			_, err := db.Exec(sql)
			if d := copies(); d != "" {
				t.Errorf("%s (error %v):\n%s", sql, err, d)
				for _, s := range c.servers {
					for _, table := range []string{"ref", "ref2", "ref3"} {
						s.Exec("DELETE FROM shop." + table)
					}
				}
				must(t, db, `INSERT INTO ref2 VALUES (1,10,'a',NULL),(2,20,'b',NULL),(3,30,'c',NULL)`,
					`INSERT INTO ref (code,n,f,ts,dt,up,name) VALUES ('aa',1,1,NULL,NULL,NULL,'x'),('bb',2,2,NULL,NULL,NULL,'y')`)
			}
		}
	})
}

// TestInsertIDs: the id that an INSERT reports is one of a row that is there, also when
// IGNORE or ON DUPLICATE KEY UPDATE did not use the one that it took from the sequence.
func TestInsertIDs(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		c := start(t, setup{flavor: flavor, schemas: reviewSchemas})
		one := testkit.Shared(t, flavor, 4)
		one.Exec("DROP DATABASE IF EXISTS shop", "CREATE DATABASE shop")
		t.Cleanup(func() { one.Exec("DROP DATABASE shop") })
		db, odb := c.open("shop", interpolated), one.DB(t, "shop")
		db.SetMaxOpenConns(1)
		odb.SetMaxOpenConns(1)
		const create = "CREATE TABLE a (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, uid BIGINT NOT NULL, name VARCHAR(20), UNIQUE KEY (uid, name))"
		must(t, db, create)
		must(t, odb, create)
		for _, sql := range []string{
			"INSERT INTO a (uid, name) VALUES (1,'x')",
			"INSERT INTO a (uid, name) VALUES (2,'x')",
			"INSERT IGNORE INTO a (uid, name) VALUES (1,'x')",
			"INSERT IGNORE INTO a (uid, name) VALUES (1,'x'), (2,'x')",
			"INSERT INTO a (uid, name) VALUES (1,'x') ON DUPLICATE KEY UPDATE name = 'y'",
			"INSERT INTO a (uid, name) VALUES (1,'y') ON DUPLICATE KEY UPDATE name = 'y'",
			"INSERT INTO a (uid, name) VALUES (1,'y') ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id)",
			"INSERT INTO a (id, uid, name) VALUES (NULL,1,'y') ON DUPLICATE KEY UPDATE name = 'z'",
			"REPLACE INTO a (id, uid, name) VALUES (100,1,'z')",
			"INSERT IGNORE INTO a (id, uid, name) VALUES (200,3,'new')",
		} {
			sameIDs(t, db, odb, sql)
		}
		keptKeys(t, flavor, db, odb)
		for _, c := range []struct {
			sql  string
			want bool
		}{ // in this order: the second takes away what the first collides with
			{"INSERT IGNORE INTO a (uid, name) VALUES (1,'z'), (5,'some'), (6,'are new')", false},
			{"INSERT INTO a (uid, name) VALUES (1,'z'), (7,'new') ON DUPLICATE KEY UPDATE name = CONCAT(name, 1)", false},
			{"INSERT IGNORE INTO a (uid, name) VALUES (8,'all'), (9,'are'), (10,'new')", true},
		} {
			sql, want := c.sql, c.want
			r, err := db.Exec(sql)
			if err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
			id, _ := r.LastInsertId()
			if id != 0 != want || id != 0 && len(rows(t, db, "SELECT 1 FROM a WHERE id = ?", id)) != 1 {
				t.Errorf("%s: insert id %d", sql, id)
			}
		}
	})
}

// TestInformationSchemaHome: the tables of a schema are listed by the shard that has all of them, those of several once.
func TestInformationSchemaHome(t *testing.T) {
	c := start(t, setup{schemas: reviewSchemas})
	db := c.open("shop", interpolated)
	must(t, db, "CREATE TABLE own (id INT)", "CREATE TABLE plain.there (id INT)", "CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY)")
	expect(t, db, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'plain'", "there")
	expect(t, db, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() ORDER BY 1", "own", "t")
	expect(t, db, "SELECT t.TABLE_NAME, c.COLUMN_NAME FROM information_schema.TABLES t JOIN information_schema.COLUMNS c "+
		"ON c.TABLE_SCHEMA = t.TABLE_SCHEMA AND c.TABLE_NAME = t.TABLE_NAME WHERE c.TABLE_SCHEMA = 'plain'", "there\tid")
	if got := rows(t, c.open("shop"), "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = ?", "plain"); len(got) != 1 || got[0] != "there" {
		t.Errorf("with a parameter: %q", got)
	}
	expect(t, db, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA IN ('shop', 'plain') ORDER BY 1", "own", "t", "there")
}

// TestHintedWrites: no hint puts a row on a shard on which its key does not find it.
func TestHintedWrites(t *testing.T) {
	c := start(t, setup{schemas: reviewSchemas})
	db := c.open("shop", interpolated)
	must(t, db, "CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, n INT)", "INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)")
	for _, sql := range []string{"INSERT INTO t VALUES (5, 5)", "REPLACE INTO t VALUES (1, 9)", "UPDATE t SET id = id + 10"} {
		for _, hint := range []string{"shard=s0", "shard=s1", "shard=s2", "shard=s3", "key=7"} {
			_, err := db.Exec("/*sluice: " + hint + "*/ " + sql)
			checkError(t, hint+" "+sql, err, 1235, "leave the hint out")
		}
	}
	expect(t, db, "SELECT id, n FROM t ORDER BY id", "1\t1", "2\t2", "3\t3")
	_, err := db.Exec("ALTER TABLE t ADD COLUMN ai INT NOT NULL AUTO_INCREMENT UNIQUE")
	checkError(t, "ADD AUTO_INCREMENT", err, 1235)
}
