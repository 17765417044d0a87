package session_test

import (
	"testing"

	"sluice/internal/testkit"
)

// TestSetInTransaction: a SET that ran on a transaction's connection is on no other client's
// connection later, nor on the same client's after a SET that is already known.
func TestSetInTransaction(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, conns: 1})
		f.tables()
		a, b := on{conn(t, f.open(""))}, on{conn(t, f.open(""))}
		exec(t, a, "INSERT INTO users VALUES (1, 'é')")
		exec(t, a, "SET NAMES utf8mb4") // known from now on
		exec(t, a, "SET NAMES latin1")
		exec(t, a, "SET NAMES utf8mb4")
		const name = "SELECT name FROM users WHERE user_id = 1"
		exec(t, a, "BEGIN")
		want(t, rows(t, a, name), "é")
		exec(t, a, "SET NAMES latin1, sql_mode = 'ANSI_QUOTES'") // not known: it runs here
		exec(t, a, "ROLLBACK")
		want(t, rows(t, b, name), "é")
		want(t, rows(t, b, `SELECT "x" FROM users`), "x")
		want(t, rows(t, a, name), "\xe9")
		exec(t, a, "SET NAMES utf8mb4")
		exec(t, a, "SET sql_mode = ''")
		exec(t, a, "SET NAMES latin1")
		exec(t, a, "SET NAMES utf8mb4")

		exec(t, a, "BEGIN")
		want(t, rows(t, a, name), "é")
		exec(t, a, "SET character_set_results = latin1")
		exec(t, a, "SET NAMES utf8mb4")
		want(t, rows(t, a, name), "é")
		if _, err := a.Exec("SET NAMES latin1, group_concat_max_len = 'x'"); err == nil {
			t.Error("a SET of a text for a number is no error")
		}
		want(t, rows(t, a, name), "é")
		exec(t, a, "COMMIT")
		want(t, rows(t, b, name), "é")
	})
}
