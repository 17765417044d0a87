package integration

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"sluice/internal/testkit"
)

// TestCacheLoaders: of many that miss the same result at once, through two proxies, few ask the database.
func TestCacheLoaders(t *testing.T) {
	t.Parallel()
	c := twoCaches(t, testkit.Redis(t), "cache.hurry:off,cache.settle:off,cache.fill:delay=80ms")
	db := c.open("shop", interpolated)
	const query, clients, rounds = "SELECT n FROM users WHERE user_id = 7", 20, 3
	count := func() (misses, waited int) {
		for _, p := range c.px {
			dba := p.dba()
			for _, r := range rows(t, dba, "SHOW CACHE") {
				if f := strings.Split(r, "\t"); f[0] == "shop.users" {
					m, _ := strconv.Atoi(f[3])
					w, _ := strconv.Atoi(f[12])
					misses, waited = misses+m, waited+w
				}
			}
			dba.Close()
		}
		return misses, waited
	}
	before, waitedBefore := count()
	for i := range rounds {
		must(t, db, fmt.Sprintf("UPDATE users SET n = %d WHERE user_id = 7", i))
		var all sync.WaitGroup
		for k := range clients {
			db := c.px[k%2].open("shop", interpolated)
			if err := db.Ping(); err != nil {
				t.Fatal(err)
			}
			all.Go(func() {
				if got, err := tryRows(db, query); err != nil || got[0] != fmt.Sprint(i) {
					t.Errorf("%v: %v", got, err)
				}
			})
		}
		all.Wait()
	}
	misses, waited := count()
	t.Logf("%d reads: %d asked the database, %d waited", clients*rounds, misses-before, waited-waitedBefore)
	if misses-before > clients*rounds/3 || waited == waitedBefore { // a busy machine lets some wait in vain
		t.Errorf("%d of %d asked the database, %d waited", misses-before, clients*rounds, waited-waitedBefore)
	}
}

// TestCacheFull: a Redis that has no room takes no marks: the cache is suspended, nothing old is given, no
// statement fails, and it comes back with the room.
func TestCacheFull(t *testing.T) {
	t.Parallel()
	r := testkit.Redis(t, "--maxmemory", "64mb", "--maxmemory-policy", "noeviction")
	c := twoCaches(t, r, "cache.hurry:off,cache.settle:off")
	ctl := redis.NewClient(&redis.Options{Addr: r.Addr})
	defer ctl.Close()
	ctx := context.Background()
	room := func(much string) {
		if err := ctl.ConfigSet(ctx, "maxmemory", much).Err(); err != nil {
			t.Fatal(err)
		}
	}
	a, b := c.px[0].open("shop", interpolated), c.px[1].open("shop", interpolated)
	const query = "SELECT n FROM users WHERE user_id = 7"
	filled := func() {
		t.Helper()
		eventually(t, "a hit", func() bool { return hit(t, c.px[1], b, "shop.users", query) })
	}
	for i := 1; i <= 3; i++ {
		filled()
		room("1")
		must(t, a, fmt.Sprintf("UPDATE users SET n = %d WHERE user_id = 7", i))
		expect(t, b, query, fmt.Sprint(i))
		expect(t, a, query, fmt.Sprint(i))
		must(t, b, fmt.Sprintf("UPDATE users SET n = %d WHERE user_id = 7", 100*i))
		expect(t, a, query, fmt.Sprint(100*i))
		room("64mb")
		cacheOn(t, c.px...)
	}
	filled()
	expect(t, b, query, "300")
}

// twoCaches starts two proxies with one Redis, and a table of users.
func twoCaches(t *testing.T, r *testkit.Store, faults string) *cluster {
	env := "SLUICE_FAULT=" + faults
	c := start(t, setup{own: true, shards: 1, schemas: strings.ReplaceAll(cached, "default_shard: s1", "default_shard: s0"), etcd: testkit.Etcd(t).Addr, node: redisNode(r.Addr), env: []string{env}})
	c.addProxy(env)
	must(t, c.open("shop", interpolated), "CREATE TABLE users (user_id BIGINT PRIMARY KEY, n BIGINT)", "INSERT INTO users VALUES (7, 0)")
	cacheOn(t, c.px...)
	return c
}
