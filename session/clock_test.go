package session_test

import (
	"strings"
	"testing"

	"sluice/internal/testkit"
)

// TestOneClock: NOW() and what follows from it is one value in a statement, on however many
// shards it runs; afterwards the connections' clocks go on.
func TestOneClock(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 2, conns: 3})
		db := on{conn(t, f.open("interpolateParams=true"))}
		exec(t, db, "CREATE TABLE users (user_id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(50), made DATETIME(6) DEFAULT CURRENT_TIMESTAMP(6), changed TIMESTAMP(6) NULL ON UPDATE CURRENT_TIMESTAMP(6))")
		exec(t, db, "INSERT INTO users (user_id, name) VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd'), (5, 'e'), (6, 'f')")
		one := func(sql string) string {
			t.Helper()
			all := strings.Fields(strings.NewReplacer("\n", " ", ",", " ", "|", " ").Replace(strings.ReplaceAll(rows(t, db, sql), " ", "T")))
			if len(all) < 2 {
				t.Fatalf("%s: %q", sql, all)
			}
			for _, v := range all {
				if v != all[0] {
					t.Errorf("%s: %q", sql, all)
					break
				}
			}
			return all[0]
		}
		now := "SELECT NOW(6) FROM users"
		first := one(now)
		if again := one(now); again <= first {
			t.Errorf("the time stands still: %s, then %s", first, again)
		}
		one("SELECT UTC_TIMESTAMP(6) FROM users ORDER BY name")
		one("SELECT NOW(6) FROM users a JOIN users b ON a.name <> b.name")

		one("SELECT made FROM users")
		exec(t, db, "UPDATE users SET name = CONCAT(name, 'x')")
		one("SELECT changed FROM users")
		exec(t, db, "BEGIN")
		exec(t, db, "UPDATE users SET name = CONCAT(name, 'y'), made = NOW(6)")
		exec(t, db, "COMMIT")
		one("SELECT made, changed FROM users")
		if _, err := db.Exec("INSERT INTO users (user_id, made) VALUES (7, NOW(6)), (8, NOW(6)), (1, NOW(6)), (2, NOW(6))"); codeOf(err) != 1062 {
			t.Errorf("a key that is there: %v", err)
		}
		for _, sql := range []string{"SELECT NOW(6) FROM users WHERE user_id = 1", "SELECT NOW(6) FROM users WHERE user_id = 2"} {
			if a, b := rows(t, db, sql), rows(t, db, sql); a == b {
				t.Errorf("a connection's clock stands still at %s", a)
			}
			want(t, rows(t, db, "SELECT 1 FROM users WHERE user_id = 1 AND ABS(TIMESTAMPDIFF(SECOND, NOW(), SYSDATE())) < 2"), "1")
		}
	})
}
