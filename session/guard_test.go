package session_test

import (
	"fmt"
	"testing"

	"sluice/internal/testkit"
)

// TestFailedStatementInTransaction: a statement that fails on one of its shards leaves
// nothing on the others, and the transaction goes on.
func TestFailedStatementInTransaction(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 2})
		f.tables()
		a, b := on{conn(t, f.open(""))}, on{conn(t, f.open(""))}
		zero, one := f.keysOn(a)
		exec(t, a, fmt.Sprintf("INSERT INTO users VALUES (%d, 'there')", one))
		for i, begin := range []string{"BEGIN", "SET autocommit = 0"} {
			for j, end := range []string{"COMMIT", "BEGIN", "ROLLBACK"} {
				fresh := zero + 16384*(3*i+j) // (a key that is new; where it is does not matter)
				exec(t, a, begin)
				exec(t, a, fmt.Sprintf("UPDATE users SET name = 'kept%d' WHERE user_id = %d", 3*i+j, one))
				exec(t, a, "SAVEPOINT sp")
				_, err := a.Exec(fmt.Sprintf("INSERT INTO users VALUES (%d, 'new'), (%d, 'new'), (%d, 'new')", zero, fresh+1000000, one))
				wantCode(t, err, 1062)
				want(t, rows(t, a, "SELECT COUNT(*) FROM users"), "1")
				exec(t, a, "RELEASE SAVEPOINT sp")
				exec(t, a, fmt.Sprintf("UPDATE users SET name = CONCAT(name, '!') WHERE user_id IN (%d, %d)", zero, one))
				exec(t, a, end)
				exec(t, a, "ROLLBACK")
				want(t, rows(t, b, "SELECT COUNT(*) FROM users"), "1")
				if end != "ROLLBACK" {
					want(t, rows(t, b, "SELECT name FROM users"), fmt.Sprintf("kept%d!", 3*i+j))
				}
			}
		}
	})
}

// TestAfterGather: what the session carries out itself after a statement that brought rows
// of several shards together is not taken for that statement.
func TestAfterGather(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 2})
		f.tables()
		a := on{conn(t, f.open(""))}
		zero, one := f.keysOn(a)
		exec(t, a, fmt.Sprintf("INSERT INTO users VALUES (%d, 'a'), (%d, 'b')", zero, one))
		const gathered = "SELECT COUNT(DISTINCT name) FROM users"
		want(t, rows(t, a, gathered), "2")
		exec(t, a, "BEGIN")
		exec(t, a, "SET @a = 7")
		want(t, rows(t, a, gathered), "2")
		exec(t, a, "COMMIT")
		want(t, rows(t, a, "SELECT @a"), "7")
		want(t, rows(t, a, gathered), "2")
		exec(t, a, "SET @a = @a + 1")
		want(t, rows(t, a, "SELECT @a"), "8")
	})
}
