package integration

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/internal/testkit"
)

// useBank starts a bank on shared servers, for what needs no deaths.
func useBank(t *testing.T, flavor testkit.Flavor) (*cluster, *bank, *sql.DB) {
	t.Helper()
	c := start(t, setup{flavor: flavor, shards: 3, schemas: bankSchema})
	db := c.open("shop")
	b := newBank(t, c, db)
	must(t, db, "CREATE TABLE rates (code CHAR(3) NOT NULL PRIMARY KEY, rate DECIMAL(10,4) NOT NULL)",
		"INSERT INTO rates VALUES ('EUR', 1), ('USD', 1.1)")
	return c, b, db
}

func one(t *testing.T, db *sql.DB) *sql.Conn {
	t.Helper()
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func do(t *testing.T, c *sql.Conn, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := c.ExecContext(context.Background(), s); err != nil {
			t.Fatalf("%.200s: %v", s, err)
		}
	}
}

func affected(t *testing.T, c *sql.Conn, statement string, want int64) {
	t.Helper()
	r, err := c.ExecContext(context.Background(), statement)
	if err != nil {
		t.Fatalf("%.200s: %v", statement, err)
	}
	if n, _ := r.RowsAffected(); n != want {
		t.Errorf("%s: %d rows, want %d", statement, n, want)
	}
}

// TestTransactionsOverShards: what works on one server works over several.
func TestTransactionsOverShards(t *testing.T) {
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) {
			_, b, db := useBank(t, flavor)
			x, y := one(t, db), one(t, db)
			p, q, r := b.byRow[0][0], b.byRow[1][0], b.byRow[2][0]
			set := func(key, balance int) string {
				return fmt.Sprintf("UPDATE accounts SET balance = %d WHERE user_id = %d", balance, key)
			}
			sum := func(c *sql.Conn, want string) {
				t.Helper()
				expect(t, c, fmt.Sprintf("SELECT SUM(balance) FROM accounts WHERE user_id IN (%d, %d, %d)", p, q, r), want)
			}
			sum(y, "3000")

			// Nothing of it is seen before the COMMIT, all of it after; savepoints are on all shards.
			do(t, x, "START TRANSACTION", set(p, 1), "SAVEPOINT a", set(q, 2), "SAVEPOINT b", set(r, 3), "ROLLBACK TO SAVEPOINT b")
			sum(x, "1003")
			sum(y, "3000")
			do(t, x, "RELEASE SAVEPOINT a")
			expectError(t, x, "ROLLBACK TO SAVEPOINT b", 1305)
			do(t, x, "COMMIT")
			sum(y, "1003")
			do(t, x, "BEGIN", set(p, 0), set(q, 0), set(r, 0), "ROLLBACK")
			sum(y, "1003")

			// autocommit=0, AND CHAIN, DDL that commits, a client that leaves.
			do(t, x, "SET autocommit = 0", set(p, 10), set(q, 20))
			sum(y, "1003")
			do(t, x, "COMMIT AND CHAIN", set(r, 30))
			sum(y, "1030")
			do(t, x, "SET autocommit = 1")
			sum(y, "60")
			do(t, x, "BEGIN", set(p, 1), set(q, 1), "CREATE TABLE other (a INT)")
			sum(y, "32")
			z := one(t, db)
			do(t, z, "BEGIN", set(p, 7), set(q, 7))
			if err := z.Raw(func(any) error { return driver.ErrBadConn }); err == nil {
				t.Error("the connection is still there")
			}
			eventually(t, "its locks are gone", func() bool {
				_, err := y.ExecContext(context.Background(), "UPDATE accounts SET balance = balance WHERE user_id = "+fmt.Sprint(p))
				return err == nil
			})
			sum(y, "32")

			// Isolation is each shard's: READ COMMITTED sees, REPEATABLE READ does not.
			do(t, x, "SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "BEGIN")
			sum(x, "32")
			do(t, y, set(q, 501))
			sum(x, "532")
			do(t, x, "COMMIT", "START TRANSACTION WITH CONSISTENT SNAPSHOT")
			do(t, y, set(p, 0), set(q, 0), set(r, 0))
			sum(x, "532")
			do(t, x, "COMMIT", "START TRANSACTION READ ONLY")
			sum(x, "0")
			expectError(t, x, set(q, 5), 1792)
			do(t, x, "COMMIT")

			// An error of a statement takes back the statement, and only it.
			do(t, x, "BEGIN", set(p, 1), set(q, 1))
			expectError(t, x, fmt.Sprintf("INSERT INTO accounts VALUES (%d, 1), (1000001, 1)", q), 1062)
			do(t, x, "COMMIT")
			sum(y, "2")
		})
	}
}

// TestWritesOnAllShards: single statements that write on several shards, alone and within
// transactions.
func TestWritesOnAllShards(t *testing.T) {
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) {
			c, b, db := useBank(t, flavor)
			x, y := one(t, db), one(t, db)
			affected(t, x, "UPDATE accounts SET balance = balance + 1", accounts)
			affected(t, x, "UPDATE accounts SET balance = balance WHERE balance = 1001", 0)
			expect(t, x, "SELECT ROW_COUNT()", "0")
			affected(t, x, "UPDATE accounts SET balance = 5 WHERE user_id IN (1, 2, 3, 4, 5, 6, 7, 8)", 8)
			affected(t, x, "UPDATE accounts a JOIN rates r ON r.code = 'USD' SET a.balance = a.balance * 2 WHERE a.balance = 5", 8)
			affected(t, x, "DELETE FROM accounts WHERE balance = 10", 8)
			expect(t, y, "SELECT COUNT(*), SUM(balance) FROM accounts", fmt.Sprintf("%d\t%d", accounts-8, (accounts-8)*1001))

			do(t, x, "BEGIN")
			affected(t, x, "DELETE FROM accounts", accounts-8)
			affected(t, x, "UPDATE rates SET rate = 2 WHERE code = 'USD'", 1)
			expect(t, y, "SELECT COUNT(*) FROM accounts", fmt.Sprint(accounts-8))
			do(t, x, "ROLLBACK")
			do(t, x, "BEGIN")
			affected(t, x, "UPDATE rates SET rate = 3", 2)
			affected(t, x, "UPDATE accounts SET balance = 0", accounts-8)
			do(t, x, "COMMIT")
			for _, v := range c.perShard("SELECT CONCAT(SUM(rate), ' ', (SELECT SUM(balance) FROM shop.accounts)) FROM shop.rates") {
				if v != "6.0000 0" {
					t.Errorf("a shard has %q", v)
				}
			}
			// An error on one shard takes the whole statement back.
			server := c.servers[c.shardOf("20")]
			server.Exec("INSERT INTO shop.ledger VALUES (20, 1, 1)")
			expectError(t, x, "INSERT INTO ledger VALUES (18, 1, 1), (19, 1, 1), (20, 1, 1), (21, 1, 1), (22, 1, 1)", 1062)
			expect(t, x, "SELECT COUNT(*) FROM ledger", "1")
			expectError(t, x, "UPDATE accounts SET user_id = 7", 1062)  // all of them
			expectError(t, x, "UPDATE accounts SET balance = @n", 1048) // NULL, as nobody has set it
			do(t, x, "UPDATE accounts SET balance = user_id")
			affected(t, x, "DELETE FROM accounts ORDER BY balance DESC LIMIT 5", 5)
			affected(t, x, "DELETE FROM accounts WHERE balance = (SELECT MAX(user_id) FROM ledger)", 1)
			expect(t, x, "SELECT COUNT(*), MAX(balance) FROM accounts", fmt.Sprintf("%d\t%d", accounts-14, accounts-5))
			_ = b
		})
	}
}

// TestLocksOverShards: locks are taken on all shards, and a deadlock that goes round over
// two of them ends, with one of both rolled back as a whole.
func TestLocksOverShards(t *testing.T) {
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) {
			t.Parallel() // it waits most of the time
			_, b, db := useBank(t, flavor)
			x, y := one(t, db), one(t, db)
			p, q := b.byRow[0][0], b.byRow[1][0]
			do(t, x, "BEGIN")
			if n := len(rows(t, x, "SELECT * FROM accounts FOR UPDATE")); n != accounts {
				t.Errorf("%d rows", n)
			}
			do(t, y, "SET innodb_lock_wait_timeout = 1")
			for _, key := range []int{p, q} {
				expectError(t, y, fmt.Sprintf("UPDATE accounts SET balance = 0 WHERE user_id = %d", key), 1205)
			}
			do(t, x, "COMMIT")
			do(t, y, "SET innodb_lock_wait_timeout = DEFAULT")

			add := "UPDATE accounts SET balance = balance + 100 WHERE user_id = %d"
			get := "SELECT balance FROM accounts WHERE user_id = %d"
			t.Run("deadlock", func(t *testing.T) {
				for i, way := range []struct {
					name, before string
					first, then  string // on the own row; on the other's
				}{
					{"writes", "", add, add},
					{"reads first", get, add, add},
					{"serializable reads", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", add, get},
				} {
					t.Run(way.name, func(t *testing.T) {
						t.Parallel()
						deadlock(t, [2]*sql.Conn{one(t, db), one(t, db)}, [2]int{b.byRow[0][i], b.byRow[1][i]}, way.before, way.first, way.then)
					})
				}
			})
		})
	}
}

// deadlock has two sessions each lock a row and then want the other's, on two shards, of which no server knows.
func deadlock(t *testing.T, sessions [2]*sql.Conn, keys [2]int, before, first, then string) {
	of := func(sql string, key int) string { return strings.ReplaceAll(sql, "%d", strconv.Itoa(key)) }
	for i, s := range sessions {
		if strings.HasPrefix(before, "SET") {
			do(t, s, before)
		}
		do(t, s, "BEGIN")
		if strings.HasPrefix(before, "SELECT") {
			rows(t, s, of(before, keys[0]))
			rows(t, s, of(before, keys[1]))
		}
		do(t, s, of(first, keys[i]))
	}
	began := time.Now()
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i, s := range sessions {
		wg.Go(func() {
			// What is read is not looked at: that it waits is.
			_, errs[i] = s.ExecContext(context.Background(), of(then, keys[1-i]))
		})
	}
	wg.Wait()
	if d := time.Since(began); d > 12*time.Second {
		t.Errorf("the deadlock lasted %v", d)
	}
	lost := 0
	for _, err := range errs {
		if err != nil {
			lost++
			checkError(t, "deadlock", err, 1213, "all its shards")
		}
	}
	if lost == 0 {
		t.Error("nobody was rolled back")
	}
	for _, s := range sessions {
		do(t, s, "COMMIT")
	}
	// Each is there with all of its parts, or with none.
	each := funds
	if strings.HasPrefix(then, "UPDATE") {
		each += 100 * (2 - lost)
		expect(t, sessions[0], fmt.Sprintf("SELECT MIN(balance), MAX(balance) FROM accounts WHERE user_id IN (%d, %d)", keys[0], keys[1]), fmt.Sprintf("%d\t%d", each, each))
	}
	for _, s := range sessions {
		expect(t, s, "SELECT @@innodb_lock_wait_timeout", "50")
		for _, key := range keys { // on the connections that took part
			expect(t, s, fmt.Sprintf("SELECT @@innodb_lock_wait_timeout FROM accounts WHERE user_id = %d", key), "50")
		}
	}
}

// TestApplicationXA: XA statements of the application's own.
func TestApplicationXA(t *testing.T) {
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) {
			c, _, db := useBank(t, flavor)
			plain := c.open("plain")
			must(t, plain, "CREATE TABLE t (a INT PRIMARY KEY)")
			x := one(t, plain)
			id := "'app" + flavor.String() + "'"
			do(t, x, "XA START "+id, "INSERT INTO t VALUES (1)", "XA END "+id, "XA PREPARE "+id, "XA COMMIT "+id)
			expect(t, plain, "SELECT COUNT(*) FROM t", "1")
			expectError(t, one(t, db), "XA START "+id, 1235)
		})
	}
}

// TestMissingRights: without the rights the DBA is told the statements that give them, and
// with them it works.
func TestMissingRights(t *testing.T) {
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) {
			for i := range 2 {
				s := testkit.Shared(t, flavor, i)
				s.Exec("DROP USER IF EXISTS lowly", "CREATE USER lowly IDENTIFIED BY 'lowly'", "GRANT ALL PRIVILEGES ON shop.* TO lowly")
				t.Cleanup(func() { s.Exec("DROP USER IF EXISTS lowly") })
			}
			c := start(t, setup{flavor: flavor, shards: 2, schemas: bankSchema, account: "lowly"})
			db := c.open("shop")
			must(t, db, "CREATE TABLE accounts (user_id BIGINT NOT NULL PRIMARY KEY, balance BIGINT NOT NULL)")
			x := one(t, db)
			insert := "INSERT INTO accounts VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6)"
			_, err := x.ExecContext(t.Context(), insert)
			checkError(t, insert, err, 1235, "GRANT CREATE, SELECT, INSERT, UPDATE, DELETE ON `\\_sluice`.* TO 'lowly'@'%'")
			expect(t, x, "SELECT COUNT(*) FROM accounts", "0")
			for _, s := range c.servers {
				_, grants, _ := strings.Cut(err.Error(), "run there: ")
				for g := range strings.SplitSeq(grants, "; ") {
					s.Exec(g)
				}
			}
			affected(t, x, insert, 6)
		})
	}
}
