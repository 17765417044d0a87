package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"sluice/wire"
)

// TestHungShard: of a shard that stops without a word statements are given up after a while and
// refused at once from then on, of one that dies at once; the other shards' statements go on
// unharmed, and when it is back all is well.
func TestHungShard(t *testing.T) {
	t.Parallel()
	c := start(t, setup{own: true, shards: 2, maxConns: 8, schemas: shop + "\n  cache: [{schema: shop, table: orders, ttl: 500ms, stale: 1h}]\n"})
	db := c.open("shop", interpolated)
	create(t, db)
	users(t, db, 40)
	here, there := c.keys()
	order, key := fmt.Sprintf("SELECT item FROM orders WHERE user_id = %d", there[0]), fmt.Sprint(there[0])
	must(t, db, "INSERT INTO orders (user_id, item, amount) VALUES ("+key+", 'old', 1)")
	cacheOn(t, c.px[0])
	stale := func() (n int) {
		fmt.Sscan(column(t, c.px[0].dba(), "SHOW CACHE", "stale")[0], &n)
		return n
	}
	point := func(id int) string { return fmt.Sprintf("SELECT user_id FROM users WHERE user_id = %d", id) }

	var stop atomic.Bool
	var wg sync.WaitGroup
	var went atomic.Int64
	for range 4 { // the other shard's
		wg.Go(func() {
			for !stop.Load() {
				if got, err := tryRows(db, point(here[0])); err != nil || len(got) != 1 {
					t.Errorf("on the shard that lives: %q, %v", got, err)
					return
				}
				went.Add(1)
			}
		})
	}
	defer func() {
		stop.Store(true)
		wg.Wait()
	}()
	for _, how := range []string{"hangs", "dies"} {
		eventually(t, "a result is stored", func() bool { return hit(t, c.px[0], db, "shop.orders", order) })
		var hurt sync.WaitGroup
		if how == "hangs" {
			c.servers[1].Pause()
			for range 20 { // more than the shard has connections: some wait for one
				hurt.Go(func() {
					_, err := tryRows(db, point(there[0]))
					me, ok := err.(*mysql.MySQLError)
					if !ok || me.Number != 2013 && me.Number != 1105 && me.Number != 1205 || !strings.HasPrefix(me.Message, "sluice: ") {
						t.Errorf("on the shard that hangs: %v", err)
					}
				})
			}
			hurt.Wait() // nobody hangs
			before := went.Load()
			eventually(t, "the others go on", func() bool { return went.Load() > before+20 })
		} else {
			c.servers[1].Kill()
		}
		expectError(t, db, point(there[0]), 1105, "sluice: shard s1 is not available")
		for _, row := range rows(t, c.px[0].dba(), "SHOW BACKENDS") {
			f := strings.Split(row, "\t")
			if closed := f[11] == "closed"; closed != (f[0] == "s0") {
				t.Errorf("%s: the breakers: %s", how, row)
			}
			if how == "hangs" && f[0] == "s1" && f[15] == "0" {
				t.Errorf("nothing was given up: %s", row)
			}
		}
		before := stale()
		eventually(t, "a result beyond its time is given", func() bool { // it is the last one
			got, err := tryRows(db, order) // refused while the proxy is not sure of the cache
			if err == nil && !slices.Equal(got, []string{map[string]string{"hangs": "old", "dies": "new"}[how]}) {
				t.Errorf("%s: %q", how, got)
			}
			return stale() > before
		})
		expectError(t, db, order+" AND 1 = 1", 1105, "sluice: shard s1 is not available") // which nobody has asked before
		if how == "hangs" {
			c.servers[1].Resume()
		} else {
			c.servers[1].Start()
		}
		eventually(t, "the shard is back", func() bool {
			got, err := tryRows(db, point(there[0]))
			return err == nil && len(got) == 1
		})
		must(t, db, "UPDATE orders SET item = 'new' WHERE user_id = "+key)
		expect(t, db, order, "new")
	}
}

// TestFairUsers: a user with three clients gets as much as one with thirty, and a transaction goes on
// while newcomers stand in line for its shard.
func TestFairUsers(t *testing.T) {
	t.Parallel()
	c := start(t, setup{own: true, shards: 1, maxConns: 8, schemas: strings.ReplaceAll(shop, "default_shard: s1", "default_shard: s0")})
	db := c.open("plain", interpolated)
	guest := connect(t, c.px[0].data, "guest", "plain", interpolated)
	must(t, db, "CREATE TABLE t (id INT PRIMARY KEY, n INT)", "INSERT INTO t VALUES (1, 0)")
	ctx := context.Background()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("UPDATE t SET n = n + 1 WHERE id = 1"); err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	var many, few atomic.Int64
	var wg sync.WaitGroup
	for i := range 63 {
		conn, count := db, &many
		if i < 3 {
			conn, count = guest, &few
		}
		wg.Go(func() {
			for !stop.Load() {
				if _, err := tryRows(conn, "SELECT SLEEP(0.02)"); err == nil {
					count.Add(1)
				} else if me, ok := err.(*mysql.MySQLError); !ok || me.Number != 1205 {
					t.Errorf("%v", err)
					return
				}
			}
		})
	}
	eventually(t, "there is a line", func() bool {
		f := strings.Split(rows(t, c.px[0].dba(), "SHOW BACKENDS")[0], "\t")
		return f[7] != "0"
	})
	many.Store(0)
	few.Store(0)
	for i := range 20 { // its statements do not stand in the line
		if _, err := tx.Exec(fmt.Sprintf("UPDATE t SET n = %d WHERE id = 1", i)); err != nil {
			t.Errorf("a statement of the transaction: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err := tx.Commit(); err != nil {
		t.Error(err)
	}
	eventually(t, "enough was done", func() bool { return many.Load()+few.Load() > 150 })
	stop.Store(true)
	wg.Wait()
	// Three clients cannot have more than three places of the six or seven; without lines they would have 1 of 20.
	if few.Load()*4 < many.Load() {
		t.Errorf("three clients of one user: %d statements, sixty of another: %d", few.Load(), many.Load())
	}
}

// TestSlowReaders: clients that leave large answers lying hold all connections of a shard, but only until
// somebody else waits for one.
func TestSlowReaders(t *testing.T) {
	t.Parallel()
	c := start(t, setup{own: true, shards: 1, maxConns: 8, schemas: strings.ReplaceAll(shop, "default_shard: s1", "default_shard: s0")})
	p := c.px[0]
	db := c.open("plain", interpolated)
	var slow []*raw
	for range 7 { // an eighth place is for Sluice's own work
		r := loginRaw(t, p.data, rawLogin{schema: "plain"})
		r.send(wire.ComQuery, "SELECT REPEAT('x', 100000) FROM seq_1_to_2000")
		r.packet()
		slow = append(slow, r)
	}
	busy := func() string { return column(t, p.dba(), "SHOW BACKENDS", "in_flight")[0] }
	time.Sleep(7 * time.Second) // it is known that they are slow
	if got := busy(); got != "7" {
		t.Errorf("%s connections are at work; slow readers were cut off while nobody waited", got)
	}
	if got, err := tryRows(db, "SELECT 1"); err != nil || len(got) != 1 {
		t.Errorf("somebody else: %q, %v", got, err)
	}
	eventually(t, "one is cut off", func() bool {
		left := " " + strings.Join(column(t, p.dba(), "SHOW SESSIONS", "id"), " ") + " "
		return slices.ContainsFunc(slow, func(r *raw) bool { return !strings.Contains(left, fmt.Sprintf(" %d ", r.id)) })
	})
}
