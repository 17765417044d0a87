package integration

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"sluice/internal/testkit"
)

const moveSchema = `
  schemas:
    - name: shop
      default_shard: s0
      auto_shard_key: [user_id]
      tables: {refs: {kind: reference}}
    - name: plain
      default_shard: s1
`

// TestGatherWrites: what UPDATE and DELETE over several shards do beyond what a plain server
// can be asked to compare.
func TestGatherWrites(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		c := start(t, setup{flavor: flavor, schemas: moveSchema + "  gather: {max_rows: 500}\n"})
		db := c.open("shop", interpolated)
		t.Run("keys", func(t *testing.T) { movesByAnyKey(t, c, db) })
		t.Run("columns", func(t *testing.T) { writesComputedColumns(t, c, db) })
		t.Run("refused", func(t *testing.T) { refusesWrites(t, c, db) })
		t.Run("taken once", func(t *testing.T) { takesOnce(t, c, db) })
		t.Run("locks", func(t *testing.T) { writesUnderLocks(t, c, db) })
		t.Run("lock order", func(t *testing.T) { locksInOrder(t, c, db) })
	})
}

// movesByAnyKey: rows are found again by primary keys of every type.
func movesByAnyKey(t *testing.T, c *cluster, db *sql.DB) {
	for i, k := range []struct{ typ, values string }{
		{"VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", "'a','É','ß','日本','x''y','back\\\\slash'"},
		{"VARCHAR(20) CHARACTER SET latin1", "'a','É','ü','x''y','%','z'"},
		{"CHAR(5) CHARACTER SET utf16", "'a','É','ü','日本','''','z'"},
		{"VARBINARY(20)", "'a',x'00',x'ff00','x''y','\\\\','z'"},
		{"DECIMAL(10,3)", "1,2.5,-3.125,0,99999.999,-0.001"},
		{"DATETIME(3)", "'2024-01-01','2024-02-29 23:59:59.999','1000-01-01','9999-12-31 23:59:59','2000-01-01 00:00:00.001','2001-01-01'"},
		{"TIMESTAMP NOT NULL DEFAULT '2001-01-01 00:00:00'", "'2024-01-01','2024-07-01 12:00:00','1999-12-31','2030-01-01','2010-01-01','2011-01-01'"},
		{"TIME", "'00:00:00','-12:00:00','838:59:59','1:2:3','00:00:01','00:00:02'"},
		{"ENUM('a','b','c','d','e','f')", "'a','b','c','d','e','f'"},
		{"DOUBLE", "0.1,-0.3,1e300,3,1e-300,7"},
		{"FLOAT", "0.1,-0.3,1e30,3,1e-30,7"},
	} {
		table := fmt.Sprintf("keys%d", i)
		not := " NOT NULL"
		if strings.Contains(k.typ, "NOT NULL") {
			not = ""
		}
		must(t, db, fmt.Sprintf("CREATE TABLE %s (user_id BIGINT NOT NULL, k %s%s, v INT, PRIMARY KEY (k))", table, k.typ, not))
		for n, v := range strings.Split(k.values, ",") {
			must(t, db, fmt.Sprintf("INSERT INTO %s VALUES (%d, %s, %d)", table, n*37, v, n))
		}
		before := rows(t, db, "SELECT v, HEX(k), k FROM "+table+" ORDER BY v")
		must(t, db, "SET time_zone = '+03:00'", "UPDATE "+table+" SET user_id = user_id + 1000, v = v + 10 ORDER BY v DESC", "SET time_zone = DEFAULT")
		must(t, db, "UPDATE "+table+" SET v = v - 10 WHERE v >= 10 ORDER BY v LIMIT 6")
		expect(t, db, "SELECT v, HEX(k), k FROM "+table+" ORDER BY v", before...)
		expect(t, db, "SELECT MIN(user_id), COUNT(*) FROM "+table, "1000\t6")
		c.inPlace(t, table)
		must(t, db, "DELETE FROM "+table+" ORDER BY v DESC LIMIT 5")
		expect(t, db, "SELECT v FROM "+table, "0")
	}
}

// inPlace checks that every row is on the shard of its slot.
func (c *cluster) inPlace(t *testing.T, table string) {
	t.Helper()
	n := len(c.servers)
	for i, s := range c.servers {
		if strays := s.Value(fmt.Sprintf("SELECT COUNT(*) FROM shop.%s WHERE MOD(CRC32(user_id), 16384) NOT BETWEEN %d AND %d", table, i*16384/n, (i+1)*16384/n-1)); strays != "0" {
			t.Errorf("%s rows of %s on shard s%d are of slots of others", strays, table, i)
		}
	}
}

// writesComputedColumns: columns that the servers compute have the values that the
// statement gave them.
func writesComputedColumns(t *testing.T, c *cluster, db *sql.DB) {
	must(t, db, `CREATE TABLE computed (user_id BIGINT NOT NULL PRIMARY KEY, v INT, twice INT AS (v * 2) STORED, virt INT AS (v + 1) VIRTUAL,
		changed TIMESTAMP(6) NULL ON UPDATE CURRENT_TIMESTAMP(6), kept DATETIME DEFAULT '2000-01-01', CHECK (v < 100), UNIQUE KEY (twice, user_id))`)
	for i := range 12 {
		must(t, db, fmt.Sprintf("INSERT INTO computed (user_id, v) VALUES (%d, %d)", i, i))
	}
	must(t, db, "UPDATE computed SET v = v + 1 ORDER BY user_id LIMIT 6", "UPDATE computed SET user_id = user_id + 500 WHERE v > 8 ORDER BY user_id LIMIT 100")
	expect(t, db, "SELECT COUNT(*), COUNT(changed), COUNT(DISTINCT changed), SUM(twice), SUM(virt), MAX(kept) FROM computed", "12\t9\t2\t144\t84\t2000-01-01 00:00:00")
	c.inPlace(t, "computed")
	expectError(t, db, "UPDATE computed SET v = v + 95 ORDER BY user_id LIMIT 6", map[testkit.Flavor]uint16{testkit.MariaDBFlavor: 4025, testkit.MySQLFlavor: 3819}[c.setup.flavor])
	expect(t, db, "SELECT SUM(v) FROM computed", "72")
	must(t, db, `CREATE TABLE hidden (user_id BIGINT NOT NULL PRIMARY KEY, v INT, secret INT INVISIBLE)`, "INSERT INTO hidden (user_id, v, secret) VALUES (1, 2, 3), (4, 5, 6)",
		"UPDATE hidden SET user_id = user_id + 7, v = 9")
	expect(t, db, "SELECT user_id, v, secret FROM hidden ORDER BY user_id", "8\t9\t3", "11\t9\t6")
}

// refusesWrites: by number, and nothing is written.
func refusesWrites(t *testing.T, c *cluster, db *sql.DB) {
	must(t, db, "CREATE TABLE parents (user_id BIGINT NOT NULL PRIMARY KEY, v INT)",
		"CREATE TABLE children (user_id BIGINT NOT NULL, n INT NOT NULL, PRIMARY KEY (user_id, n), FOREIGN KEY (user_id) REFERENCES parents (user_id) ON DELETE CASCADE)",
		"CREATE TABLE strict (user_id BIGINT NOT NULL, n INT NOT NULL, PRIMARY KEY (user_id, n), FOREIGN KEY (user_id, n) REFERENCES children (user_id, n))",
		"INSERT INTO parents VALUES (1, 1), (2, 2), (3, 3)", "INSERT INTO children VALUES (1, 1), (2, 2)", "INSERT INTO strict VALUES (2, 2)")
	expectError(t, db, "UPDATE parents SET user_id = 8 WHERE user_id = 1", 1235, "ON DELETE CASCADE")
	expectError(t, db, "UPDATE parents SET user_id = 9 WHERE user_id = 1", 1451) // of the same shard: its own answer
	expectError(t, db, "UPDATE children SET user_id = 3 WHERE user_id = 2", 1451)
	expectError(t, db, "UPDATE children SET user_id = 77 WHERE user_id = 1", 1452)
	expectError(t, db, "DELETE FROM children ORDER BY user_id DESC LIMIT 1", 1451)
	expectError(t, db, "UPDATE IGNORE children SET user_id = 3 WHERE user_id > 0", 1235, "without IGNORE")
	expectError(t, db, "UPDATE IGNORE children SET user_id = 77 WHERE user_id = 1", 1235, "without IGNORE")
	expectError(t, db, "DELETE IGNORE FROM children ORDER BY user_id DESC LIMIT 2", 1235, "without IGNORE")
	expect(t, db, "SELECT user_id FROM children ORDER BY user_id", "1", "2")
	must(t, db, "UPDATE IGNORE children SET user_id = 1 WHERE user_id = 1 ORDER BY n LIMIT 1")
	must(t, db, "UPDATE children SET user_id = 3 WHERE user_id = 1", "DELETE FROM parents ORDER BY user_id DESC LIMIT 1")
	expect(t, db, "SELECT user_id FROM children", "2")
	expect(t, db, "SELECT user_id FROM parents ORDER BY user_id", "1", "2")

	must(t, db, "CREATE TABLE log (id INT PRIMARY KEY, v INT)", "INSERT INTO log VALUES (1, 0)", "UPDATE log SET v = (SELECT COUNT(*) FROM parents)")
	expect(t, db, "SELECT v FROM log", "2")
	c.servers[0].Exec("CREATE TRIGGER shop.t1 BEFORE UPDATE ON shop.log FOR EACH ROW SET NEW.v = NEW.v + 100")
	expectError(t, db, "UPDATE log SET v = (SELECT COUNT(*) FROM parents)", 1235, "triggers")

	must(t, db, "CREATE TABLE many (user_id BIGINT NOT NULL PRIMARY KEY, v VARCHAR(20))")
	for i := range 6 {
		var list []string
		for j := range 100 {
			list = append(list, fmt.Sprintf("(%d,'%d')", i*100+j, j))
		}
		must(t, db, "INSERT INTO many VALUES "+strings.Join(list, ","))
	}
	expectError(t, db, "UPDATE many SET v = 'x' ORDER BY v", 1104, "shop.many")
	must(t, db, "UPDATE many SET v = 'y' ORDER BY v, user_id LIMIT 100", "DELETE FROM many WHERE v = '5' LIMIT 200")
	expectError(t, db, "UPDATE many SET v = 'x' WHERE v = 77 ORDER BY v LIMIT 5", 1235, "convert values")
	must(t, db, "SET max_error_count = 0") // the warnings are there all the same
	expectError(t, db, "UPDATE many SET v = 'x' WHERE v = 77 ORDER BY v LIMIT 5", 1235, "convert values")
	must(t, db, "SET max_error_count = DEFAULT")
	expect(t, db, "SELECT COUNT(*), SUM(v = 'y') FROM many", "594\t100")

	tx, err := db.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	_, err = tx.Exec("DELETE FROM many WHERE v = 'none' ORDER BY user_id LIMIT 3")
	checkError(t, "a write in a READ ONLY transaction", err, 1792)
	period := map[testkit.Flavor]string{testkit.MySQLFlavor: "."}[c.setup.flavor]
	if want := "Error 1792 (25006): Cannot execute statement in a READ ONLY transaction" + period; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
}

// takesOnce: clients that delete rows of a queue at the same time take each row once.
func takesOnce(t *testing.T, c *cluster, db *sql.DB) {
	must(t, db, "CREATE TABLE queue (user_id BIGINT NOT NULL PRIMARY KEY, at INT, KEY (at))")
	var list []string
	for i := range 60 {
		list = append(list, fmt.Sprintf("(%d,%d)", i*11, i%7))
	}
	must(t, db, "INSERT INTO queue VALUES "+strings.Join(list, ","))
	var wg sync.WaitGroup
	taken := make([]int64, 3)
	for i := range taken {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 400 {
				r, err := db.Exec("DELETE FROM queue ORDER BY at, user_id LIMIT 5")
				var me *mysql.MySQLError
				if errors.As(err, &me) && (me.Number == 1213 || me.Number == 1205) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				n, _ := r.RowsAffected()
				if taken[i] += n; n == 0 {
					return
				}
			}
		}()
	}
	wg.Wait()
	if sum := taken[0] + taken[1] + taken[2]; sum != 60 {
		t.Errorf("%v rows were taken, %d together, want 60", taken, sum)
	}
	expect(t, db, "SELECT COUNT(*) FROM queue", "0")
}

// writesUnderLocks: a row that is written is locked from the moment that it is read, and
// what is read is what is committed then, not what an old snapshot has.
func writesUnderLocks(t *testing.T, c *cluster, db *sql.DB) {
	must(t, db, "CREATE TABLE held (user_id BIGINT NOT NULL PRIMARY KEY, v INT)", "INSERT INTO held VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, 5)")
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	expect(t, tx, "SELECT SUM(v) FROM held", "15") // its snapshots
	must(t, db, "UPDATE held SET v = v + 100 ORDER BY user_id LIMIT 2")
	if _, err := tx.Exec("UPDATE held SET v = v + 1000 ORDER BY v DESC LIMIT 2"); err != nil {
		t.Fatal(err)
	}
	expect(t, tx, "SELECT v FROM held WHERE v > 1000 ORDER BY v", "1101", "1102")
	other := c.open("shop", interpolated)
	nowait := map[testkit.Flavor]uint16{testkit.MariaDBFlavor: 1205, testkit.MySQLFlavor: 3572}[c.setup.flavor]
	expectError(t, other, "SELECT v FROM held WHERE user_id = 1 FOR UPDATE NOWAIT", nowait)
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	expect(t, db, "SELECT v FROM held ORDER BY user_id", "101", "102", "3", "4", "5")
	must(t, other, "UPDATE held SET v = 0 WHERE user_id = 1")

	if tx, err = db.Begin(); err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	expect(t, tx, "SELECT a.user_id FROM held a JOIN held b ON b.v = a.v + 1 WHERE a.v < 4 ORDER BY a.user_id FOR UPDATE", "3")
	expectError(t, other, "SELECT v FROM held WHERE user_id = 3 FOR UPDATE NOWAIT", nowait)
	expect(t, tx, "SELECT user_id FROM held ORDER BY user_id DESC LIMIT 1 FOR UPDATE", "5")
	expectError(t, other, "SELECT v FROM held WHERE user_id = 5 FOR UPDATE NOWAIT", nowait)
}

// locksInOrder: a SELECT locks on one shard after the other, whichever is its home; and the
// rows of reference tables where all others lock them.
func locksInOrder(t *testing.T, c *cluster, db *sql.DB) {
	must(t, db, "CREATE TABLE inorder (user_id BIGINT NOT NULL PRIMARY KEY, v INT)", "CREATE TABLE inother LIKE inorder", "CREATE TABLE refs (id INT NOT NULL PRIMARY KEY, v INT)",
		"INSERT INTO refs VALUES (1, 0)")
	of := make([]string, len(c.servers)) // by shard: a row
	for i := 1; i < 40; i++ {
		for _, table := range []string{"inorder", "inother"} {
			must(t, db, fmt.Sprintf("INSERT INTO %s VALUES (%d, %[2]d)", table, i))
		}
		of[c.shardOf(fmt.Sprint(i))] = fmt.Sprint(i)
	}
	begin := func(db *sql.DB) *sql.Tx {
		t.Helper()
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { tx.Rollback() })
		return tx
	}
	first := begin(c.servers[0].DB(t, "shop"))
	rows(t, first, "SELECT * FROM inorder FOR UPDATE")
	tx := begin(db)
	rows(t, tx, "SELECT v FROM inorder WHERE user_id = "+of[3]) // its home
	done := make(chan error, 1)
	go func() {
		var n int
		done <- tx.QueryRow("SELECT COUNT(*) FROM inorder a JOIN inorder b ON b.v = a.v + 1 FOR UPDATE").Scan(&n)
	}()
	eventually(t, "it waits on the first shard", func() bool {
		return c.servers[0].Value("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT%`inorder`% FOR UPDATE'") == "1"
	})
	for i, s := range c.servers[1:] {
		free := begin(s.DB(t, "shop"))
		if _, err := tryRows(free, "SELECT * FROM inorder FOR UPDATE NOWAIT"); err != nil {
			t.Errorf("rows of s%d are locked before those of s0: %v", i+1, err)
		}
		free.Rollback()
	}
	first.Rollback()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	tx.Rollback()

	const join = "SELECT COUNT(DISTINCT r.id) FROM %s a JOIN refs r ON r.v < a.v FOR UPDATE"
	for _, home := range []int{0, 3} {
		a, b := begin(db), begin(db)
		rows(t, a, "SELECT v FROM inorder WHERE user_id = "+of[1])
		expect(t, a, fmt.Sprintf(join, "inorder"), "1")
		rows(t, b, "SELECT v FROM inother WHERE user_id = "+of[home])
		for _, sql := range []string{fmt.Sprintf(join, "inother"), "SELECT * FROM refs FOR UPDATE", "SELECT * FROM shop.refs FOR UPDATE"} {
			if got, err := tryRows(b, sql+" NOWAIT"); err == nil {
				t.Errorf("s%d: %s: %v, while another locks the row of the reference table", home, sql, got)
			}
		}
		a.Rollback()
		b.Rollback()
	}
}

// TestMoveKilled: a proxy dies while a row moves: before its new place is written, and at
// every step of the commit. The row is there exactly once.
func TestMoveKilled(t *testing.T) {
	for _, flavor := range soaked() {
		c := start(t, setup{flavor: flavor, shards: 3, schemas: moveSchema, plain: true, own: true, etcd: testkit.Etcd(t).Addr})
		db := c.open("shop")
		must(t, db, "CREATE TABLE movers (user_id BIGINT NOT NULL, id INT NOT NULL, v INT, PRIMARY KEY (id))")
		here, there := 1, 2
		for c.shardOf(fmt.Sprint(there)) == c.shardOf(fmt.Sprint(here)) {
			there++
		}
		must(t, db, fmt.Sprintf("INSERT INTO movers VALUES (%d, 1, 1)", here))
		die := func(what string, p *px) {
			t.Helper()
			if _, err := p.open("shop").Exec(fmt.Sprintf("UPDATE movers SET user_id = %d - user_id WHERE id = 1 ORDER BY id LIMIT 1", here+there)); err == nil {
				t.Errorf("%s: the statement succeeded", what)
			}
			waitDead(t, p, false)
			eventually(t, what, func() bool {
				_, err := db.Exec("UPDATE movers SET v = v + 1")
				return err == nil
			})
			expect(t, db, "SELECT COUNT(*) FROM movers", "1")
			c.inPlace(t, "movers")
		}
		for _, point := range []string{"txn.half-prepared", "txn.committed"} { // TestProxyKilledInCommit has all
			die(point, c.addProxy("SLUICE_FAULT="+point+":exit:1"))
		}
		// A lock on the new place holds the statement up when the row has left the old one.
		at := rows(t, db, "SELECT user_id FROM movers")[0]
		to := there
		if at == fmt.Sprint(there) {
			to = here
		}
		lock, err := c.servers[c.shardOf(fmt.Sprint(to))].DB(t, "shop").Begin()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := lock.Exec(fmt.Sprintf("INSERT INTO movers VALUES (%d, 1, 1)", to)); err != nil {
			t.Fatal(err)
		}
		p := c.addProxy()
		done := make(chan struct{})
		go func() {
			defer close(done)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, _ = p.open("shop").ExecContext(ctx, fmt.Sprintf("UPDATE movers SET user_id = %d WHERE user_id = %s", to, at))
		}()
		target := c.servers[c.shardOf(fmt.Sprint(to))]
		eventually(t, "the row has left, and waits", func() bool {
			return target.Value("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'INSERT INTO `shop`.`movers`%'") == "1"
		})
		p.Kill()
		<-done
		if err := lock.Rollback(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the row is free", func() bool {
			_, err := db.Exec("UPDATE movers SET v = v + 1")
			return err == nil
		})
		expect(t, db, "SELECT COUNT(*), MAX(user_id) FROM movers", "1\t"+at)
		c.inPlace(t, "movers")
	}
}
