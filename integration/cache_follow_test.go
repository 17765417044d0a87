package integration

import (
	"strings"
	"sync"
	"testing"

	"sluice/internal/testkit"
)

// TestCacheFollows: what is written at a shard directly is seen through the cache, soon, and what it
// does not change stays.
func TestCacheFollows(t *testing.T) {
	t.Parallel()
	eachFlavor(t, func(t *testing.T, f testkit.Flavor) {
		t.Parallel()
		servers := make([]*testkit.Server, 2)
		var starting sync.WaitGroup
		for i := range servers {
			starting.Go(func() { servers[i] = testkit.StartServer(t, f, testkit.Binlog(i+1)) })
		}
		starting.Wait()
		s := setup{flavor: f, on: servers, schemas: cached, shard: ", cache: follow_binlog", env: []string{"SLUICE_FAULT=cache.hurry:off,cache.settle:off"}}
		if f == testkit.MariaDBFlavor {
			s.node = redisNode(testkit.Redis(t).Addr)
		}
		c := start(t, s)
		p, db := c.px[0], c.open("shop", interpolated)
		plain := c.open("plain", interpolated)
		must(t, db, "CREATE TABLE users (user_id BIGINT PRIMARY KEY, name VARCHAR(40), n INT)", "CREATE TABLE countries (id INT PRIMARY KEY, name VARCHAR(40))",
			"INSERT INTO users VALUES (1, 'a', 10), (42, 'd', 40)", "INSERT INTO countries VALUES (1, 'x')")
		must(t, plain, "CREATE TABLE p (id INT PRIMARY KEY)", "CREATE TABLE ca (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE)",
			"INSERT INTO p VALUES (1)", "INSERT INTO ca VALUES (1, 1)")
		cacheOn(t, p)
		eventually(t, "both shards are followed", func() bool { return strings.Count(p.Log(), "follows a shard's binary log") == len(servers) })
		const one, other, all = "SELECT n FROM users WHERE user_id = 42", "SELECT n FROM users WHERE user_id = 1", "SELECT SUM(n) FROM users"
		filled := func() {
			t.Helper()
			for _, q := range []string{one, other, all} {
				eventually(t, "a hit", func() bool { return hit(t, p, db, "shop.users", q) })
			}
		}
		becomes := func(query, want string) {
			t.Helper()
			eventually(t, query+" is "+want, func() bool { return rows(t, db, query)[0] == want })
		}
		home := servers[c.shardOf("42")]
		for _, w := range []struct{ sql, one, all string }{
			{"UPDATE shop.users SET n = 41 WHERE user_id = 42", "41", "51"},
			{"BEGIN; UPDATE shop.users SET n = 43 WHERE name = 'd'; COMMIT", "43", "53"},
			{"XA START 'x'; UPDATE shop.users SET n = 44 WHERE user_id = 42; XA END 'x'; XA PREPARE 'x'; XA COMMIT 'x'", "44", "54"},
		} {
			// What the proxy's own writes and the last round's have dropped a second time is behind.
			eventually(t, "the others stay", func() bool {
				filled()
				if err := home.Try(w.sql); err != nil {
					t.Fatalf("%s: %v", w.sql, err)
				}
				becomes(one, w.one)
				becomes(all, w.all)
				return hit(t, p, db, "shop.users", other)
			})
		}
		// A table that is whole on each shard, one without a rule whose children have one, and a definition.
		eventually(t, "a hit", func() bool { return hit(t, p, db, "shop.countries", "SELECT name FROM countries WHERE id = 1") })
		for _, s := range servers {
			s.Exec("UPDATE shop.countries SET name = 'y' WHERE id = 1")
		}
		becomes("SELECT name FROM countries WHERE id = 1", "y")
		eventually(t, "a hit", func() bool { return hit(t, p, plain, "plain.c*", "SELECT COUNT(*) FROM ca") })
		servers[1].Exec("DELETE FROM plain.p WHERE id = 1")
		eventually(t, "the children are gone", func() bool { return rows(t, plain, "SELECT COUNT(*) FROM ca")[0] == "0" })
		filled()
		for _, s := range servers {
			s.Exec("TRUNCATE shop.users")
		}
		becomes("SELECT COUNT(*), SUM(n) FROM users", "0\tNULL")
		eventually(t, "no row", func() bool { return len(rows(t, db, one)) == 0 })
	})
}
