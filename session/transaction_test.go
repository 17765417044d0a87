package session_test

import (
	"fmt"
	"sync"
	"testing"

	"sluice/internal/testkit"
)

// keysOn gives keys of users whose rows are on the two shards.
func (f *front) keysOn(db queryer) (zero, one int) {
	f.t.Helper()
	for i := 1; i < 100 && (zero == 0 || one == 0); i++ {
		switch rows(f.t, db, fmt.Sprintf("EXPLAIN ROUTE SELECT * FROM users WHERE user_id = %d", i))[:2] {
		case "s0":
			zero = i
		case "s1":
			one = i
		}
	}
	return zero, one
}

// TestTransactions: as in MySQL, on one shard and over several.
func TestTransactions(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 2})
		f.tables()
		a, b := on{conn(t, f.open(""))}, on{conn(t, f.open(""))}
		zero, one := f.keysOn(a)
		insert := func(key int) string { return fmt.Sprintf("INSERT INTO users VALUES (%d, 'n')", key) }

		exec(t, a, "BEGIN")
		exec(t, a, insert(zero))
		want(t, rows(t, b, "SELECT COUNT(*) FROM users"), "0")
		want(t, rows(t, a, "SELECT COUNT(*) FROM users"), "1") // joins the other shard to read
		exec(t, a, "SAVEPOINT sp")
		exec(t, a, insert(one))
		exec(t, a, fmt.Sprintf("UPDATE users SET name = 'm' WHERE user_id = %d", zero))
		want(t, rows(t, b, "SELECT COUNT(*) FROM users"), "0")
		exec(t, a, "ROLLBACK TO sp")
		want(t, rows(t, a, "SELECT name FROM users"), "n")
		exec(t, a, "COMMIT")
		want(t, rows(t, b, "SELECT name FROM users"), "n")

		exec(t, a, "SET autocommit = 0")
		exec(t, a, fmt.Sprintf("DELETE FROM users WHERE user_id = %d", zero))
		want(t, rows(t, b, "SELECT COUNT(*) FROM users"), "1")
		exec(t, a, "ROLLBACK")
		exec(t, a, fmt.Sprintf("UPDATE users SET name = 'z' WHERE user_id = %d", zero))
		exec(t, a, "SET autocommit = 1") // commits
		want(t, rows(t, b, "SELECT name FROM users"), "z")

		exec(t, a, "BEGIN")
		exec(t, a, insert(one))
		exec(t, a, "CREATE TABLE other (a INT)") // commits
		want(t, rows(t, b, "SELECT COUNT(*) FROM users"), "2")
		exec(t, a, "ROLLBACK")
		want(t, rows(t, b, "SELECT COUNT(*) FROM users"), "2")

		// A statement that fails leaves the transaction as it is.
		exec(t, a, "BEGIN")
		exec(t, a, "DELETE FROM users WHERE user_id = "+fmt.Sprint(one))
		_, err := a.Exec(insert(zero))
		wantCode(t, err, 1062)
		_, err = a.Exec("INSERT INTO missing VALUES (1)")
		if err == nil {
			t.Error("no error")
		}
		exec(t, a, "ROLLBACK")
		want(t, rows(t, b, "SELECT COUNT(*) FROM users"), "2")

		// A multi-row INSERT over the shards is one: all or nothing.
		_, err = b.Exec(fmt.Sprintf("INSERT INTO users VALUES (%d, 'n'), (%d, 'n'), (%d, 'n'), (%d, 'n')", zero+100, one+100, zero, one))
		wantCode(t, err, 1062)
		want(t, rows(t, b, "SELECT COUNT(*) FROM users"), "2")
		_, err = b.Exec("ROLLBACK TO nosuch")
		wantCode(t, err, 1305)
	})
}

// TestDeadlock: the victim's transaction is over everywhere, a lock timeout's is not.
func TestDeadlock(t *testing.T) {
	f := newFront(t, frontOptions{shards: 2})
	f.tables()
	a, b := on{conn(t, f.open(""))}, on{conn(t, f.open(""))}
	exec(t, a, "INSERT INTO plain (v) VALUES ('1'), ('2')")
	_, one := f.keysOn(a)
	exec(t, a, fmt.Sprintf("INSERT INTO users VALUES (%d, 'n')", one))
	for _, c := range []on{a, b} {
		exec(t, c, "BEGIN")
		rows(t, c, fmt.Sprintf("SELECT * FROM users WHERE user_id = %d", one))
	}
	exec(t, a, "UPDATE plain SET v = 'a' WHERE id = 1")
	exec(t, b, "UPDATE plain SET v = 'b' WHERE id = 2")
	var wg sync.WaitGroup
	errs := make([]error, 2)
	wg.Add(2)
	go func() { defer wg.Done(); _, errs[0] = a.Exec("UPDATE plain SET v = 'c' WHERE id = 2") }()
	go func() { defer wg.Done(); _, errs[1] = b.Exec("UPDATE plain SET v = 'd' WHERE id = 1") }()
	wg.Wait()
	victim, winner := a, b
	if errs[0] == nil {
		victim, winner = b, a
	}
	if codeOf(errs[0])+codeOf(errs[1]) != 1213 {
		t.Fatal(errs)
	}
	want(t, rows(t, victim, "SELECT @@in_transaction"), "0")
	exec(t, victim, "INSERT INTO plain (v) VALUES ('kept')") // by itself, as on one server
	exec(t, victim, "ROLLBACK")
	exec(t, winner, "COMMIT")
	want(t, rows(t, winner, "SELECT COUNT(*) FROM plain WHERE v = 'kept'"), "1")

	exec(t, a, "BEGIN")
	exec(t, a, "UPDATE plain SET v = 'locked' WHERE id = 1")
	exec(t, b, "SET innodb_lock_wait_timeout = 1")
	exec(t, b, "BEGIN")
	exec(t, b, "INSERT INTO plain (v) VALUES ('before')")
	_, err := b.Exec("UPDATE plain SET v = 'waits' WHERE id = 1")
	wantCode(t, err, 1205)
	exec(t, b, "COMMIT")
	exec(t, a, "ROLLBACK")
	want(t, rows(t, b, "SELECT COUNT(*) FROM plain WHERE v = 'before'"), "1")
}

// TestSequence: ids of a sharded table are unique over the shards, and LAST_INSERT_ID() and
// the protocol tell the first of a statement.
func TestSequence(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 2})
		f.tables()
		a := on{conn(t, f.open("interpolateParams=true"))}
		for i := 1; i <= 10; i++ {
			r := exec(t, a, "INSERT INTO orders (user_id, amount) VALUES (?, 1)", i)
			if got, _ := r.LastInsertId(); got != int64(i) {
				t.Errorf("id %d, want %d", got, i)
			}
			want(t, rows(t, a, "SELECT LAST_INSERT_ID()"), fmt.Sprint(i))
		}
		r := exec(t, a, "INSERT INTO orders (user_id, amount) VALUES (1, 1), (2, 1), (3, 1), (4, 1), (5, 1)")
		if got, _ := r.LastInsertId(); got != 11 {
			t.Errorf("id %d of several rows", got)
		}
		if n, _ := r.RowsAffected(); n != 5 {
			t.Errorf("%d rows", n)
		}
		want(t, rows(t, a, "SELECT LAST_INSERT_ID(), ROW_COUNT()"), "11|5")
		exec(t, a, "INSERT INTO orders (order_id, user_id) VALUES (500, 1)")
		want(t, rows(t, a, "SELECT LAST_INSERT_ID()"), "11")
		exec(t, a, "INSERT INTO orders (user_id) VALUES (1)")
		want(t, rows(t, a, "SELECT LAST_INSERT_ID()"), "501")
		want(t, rows(t, a, "SELECT COUNT(*), COUNT(DISTINCT order_id), MAX(order_id) FROM orders WHERE user_id = 1"), "4|4|501")
		// A prepared one.
		b := on{conn(t, f.open(""))}
		r = exec(t, b, "INSERT INTO orders (user_id, amount) VALUES (?, ?)", 7, "1.5")
		if got, _ := r.LastInsertId(); got != 502 {
			t.Errorf("id %d of a prepared statement", got)
		}
		// Unsharded tables have their server's own ids; an explicit one is not LAST_INSERT_ID().
		r = exec(t, b, "INSERT INTO plain (v) VALUES ('a'), ('b')")
		if got, _ := r.LastInsertId(); got != 1 {
			t.Errorf("id %d of an unsharded table", got)
		}
		exec(t, b, "INSERT INTO plain (id, v) VALUES (?, ?)", 50, "c")
		want(t, rows(t, b, "SELECT LAST_INSERT_ID()"), "1")
		exec(t, b, "INSERT INTO plain (id, v) VALUES (?, ?)", 0, "d")
		want(t, rows(t, b, "SELECT LAST_INSERT_ID()"), "51")
		want(t, rows(t, b, "SELECT id FROM plain WHERE id = LAST_INSERT_ID() AND v = ?", "d"), "51")
	})
}
