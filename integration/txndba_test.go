package integration

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/internal/testkit"
)

// TestTransactionsForDBAs: what a DBA sees of transactions, what becomes of decisions, and how
// one is ended by hand.
func TestTransactionsForDBAs(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		t.Parallel() // it waits most of the time
		c, b, db := useBank(t, flavor)
		dba := c.px[0].dba()
		x := one(t, db)
		p, q := b.byRow[0][0], b.byRow[1][0]
		update := "UPDATE accounts SET balance = balance + %d WHERE user_id = %d"
		do(t, x, "BEGIN", fmt.Sprintf(update, 1, p))
		open := func() string { return strings.Join(rows(t, dba, "SHOW TRANSACTIONS"), "\n") }
		eventually(t, "an open transaction on one shard", func() bool { // the client hears first
			f := strings.Split(open(), "\t")
			return len(f) == 8 && f[1] == "app" && f[2] == "open" && f[4] == "s0" && f[6] == "NULL" && f[7] == "NULL"
		})
		do(t, x, fmt.Sprintf(update, -1, q))
		eventually(t, "its age is that of the transaction", func() bool { return strings.Split(open(), "\t")[3] >= "1" })
		do(t, x, "SELECT 1", "SELECT 1") // so that the first is over
		f := strings.Split(open(), "\t")
		if f[3] == "0" || f[4] != "s0,s1" || len(strings.Split(f[6], ".")) != 6 {
			t.Errorf("an open transaction on two shards: %q", f)
		}
		gtrid := f[6]
		do(t, x, "COMMIT")
		eventually(t, "it is gone after the COMMIT", func() bool { return open() == "" }) // the client hears first
		eventually(t, "the decision is deleted", func() bool {
			return c.servers[0].Value("SELECT COUNT(*) FROM _sluice.decisions WHERE gtrid = '"+gtrid+"'") == "0"
		})

		// What a process that is not there has left: without a decision it is rolled back, and
		// where the decision cannot be asked for a DBA says what to do.
		left := func(number, coordinator string) string {
			f := strings.Split(gtrid, ".")
			f[2], f[3], f[4] = "000000000000", number, coordinator
			name := strings.Join(f, ".")
			branch := fmt.Sprintf("'%s','%.4x.1',21328", name, sha256.Sum256([]byte("s1")))
			server := c.servers[1].DB(t, "shop")
			conn := one(t, server)
			do(t, conn, "XA START "+branch, fmt.Sprintf(update, 1000, q), "XA END "+branch, "XA PREPARE "+branch)
			conn.Close()
			server.Close()
			return name
		}
		balance := fmt.Sprintf("SELECT balance FROM accounts WHERE user_id = %d", q)
		name := left("a", strings.Split(gtrid, ".")[4])
		expectDoubt(t, c, name)
		eventually(t, "it is rolled back", func() bool { return len(b.prepared()) == 0 })
		expect(t, db, balance, "999")
		expectMetric(t, c, "sluice_transactions_rolled_back_total 1")
		if n := c.servers[0].Value("SELECT COUNT(*) FROM _sluice.decisions WHERE gtrid = '" + name + "' AND decision = 'abort'"); n != "1" {
			t.Errorf("%s marks of its abort", n)
		}

		name = left("b", "00000000")
		expectDoubt(t, c, name)
		expectDoubt(t, c, "by hand")
		expectMetric(t, c, "sluice_prepared_branches 1")
		expectError(t, dba, "RESOLVE TRANSACTION '"+name+"x' COMMIT", 1105)
		must(t, dba, "RESOLVE TRANSACTION '"+name+"' COMMIT")
		expect(t, db, balance, "1999")
		expectError(t, dba, "RESOLVE TRANSACTION '"+name+"' COMMIT", 1105, "no shard has a prepared branch")
		expectMetric(t, c, "sluice_prepared_branches 0")
		expectMetric(t, c, "sluice_prepared_oldest_seconds 0")
		name = left("c", "00000000")
		expectDoubt(t, c, name)
		must(t, dba, "RESOLVE TRANSACTION '"+name+"' ROLLBACK")
		expect(t, db, balance, "1999")
		if log := c.px[0].Log(); strings.Count(log, "resolved by hand") != 2 || strings.Count(log, "a DBA resolves a transaction") < 2 {
			t.Error("it is not in the log")
		}
	})
}

func expectMetric(t *testing.T, c *cluster, line string) {
	t.Helper()
	eventually(t, line, func() bool {
		body, _, err := get(context.Background(), "http://"+c.px[0].http+"/metrics")
		return err == nil && strings.Contains(body, "\n"+line+"\n")
	})
}

// TestIsolationOverShards: the levels and the locks of reads hold on every shard.
func TestIsolationOverShards(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		t.Parallel() // it waits most of the time
		_, b, db := useBank(t, flavor)
		x, y := one(t, db), one(t, db)
		keys := []int{b.byRow[0][0], b.byRow[1][0], b.byRow[2][0]}
		set := func(key, balance int) string {
			return fmt.Sprintf("UPDATE accounts SET balance = %d WHERE user_id = %d", balance, key)
		}
		sum := fmt.Sprintf("SELECT SUM(balance) FROM accounts WHERE user_id IN (%d, %d, %d)", keys[0], keys[1], keys[2])
		do(t, y, "SET innodb_lock_wait_timeout = 1")
		locked := func(what string) {
			t.Helper()
			for _, key := range keys {
				_, err := y.ExecContext(t.Context(), set(key, 1))
				checkError(t, what, err, 1205)
			}
		}

		// READ UNCOMMITTED sees what is not committed, also in a branch; SERIALIZABLE locks what it reads.
		do(t, x, "BEGIN", set(keys[0], 1), set(keys[1], 1), set(keys[2], 1))
		do(t, y, "SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED", "BEGIN")
		expect(t, y, sum, "3")
		do(t, y, "COMMIT", "BEGIN")
		expect(t, y, sum, "3000")
		do(t, y, "COMMIT")
		do(t, x, "ROLLBACK", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "BEGIN")
		expect(t, x, sum, "3000")
		locked("under SERIALIZABLE")
		do(t, x, "COMMIT")

		// Shared locks let others read with locks, and not write.
		shared := []string{"SELECT * FROM accounts LOCK IN SHARE MODE"}
		if flavor == testkit.MySQLFlavor {
			shared = append(shared, "SELECT * FROM accounts FOR SHARE")
		}
		for _, s := range shared {
			do(t, x, "BEGIN")
			if n := len(rows(t, x, s)); n != accounts {
				t.Errorf("%s: %d rows", s, n)
			}
			if n := len(rows(t, y, s)); n != accounts {
				t.Errorf("%s of another: %d rows", s, n)
			}
			locked(s)
			do(t, x, "COMMIT")
		}
		do(t, x, "BEGIN", "SELECT * FROM accounts FOR UPDATE", "ROLLBACK") // nobody has one left

		// A wait for a lock is bounded in a transaction over several shards, and its end rolls
		// all of it back: 1213 says so.
		do(t, x, "BEGIN", set(keys[2], 7))
		do(t, y, "SET innodb_lock_wait_timeout = DEFAULT", "BEGIN", set(keys[0], 5), set(keys[1], 5))
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		_, err := y.ExecContext(ctx, set(keys[2], 5))
		checkError(t, "a lock of another", err, 1213, "all its shards")
		do(t, x, "COMMIT")
		do(t, y, "COMMIT")
		expect(t, y, sum, "2007")

		// BEGIN, START TRANSACTION, SET autocommit = 1 and DDL commit what is open on all shards.
		do(t, x, "BEGIN", set(keys[0], 0), set(keys[1], 0), "BEGIN")
		expect(t, y, sum, "7")
		do(t, x, set(keys[0], 1), set(keys[2], 1), "START TRANSACTION READ ONLY")
		expect(t, y, sum, "2")
		expectError(t, x, set(keys[0], 9), 1792)
		do(t, x, "COMMIT", "BEGIN", set(keys[0], 2), set(keys[1], 2), "ALTER TABLE ledger ADD COLUMN note INT")
		expect(t, y, sum, "5")
		do(t, x, "ROLLBACK")
		expect(t, y, sum, "5")
	})
}
