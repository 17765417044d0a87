package integration

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"sluice/internal/testkit"
)

// dangers are what each safeguard is for, one step after the other. Each gives what is read by
// proxy 2 when a row has the value v for sure: acknowledged, or seen.
var dangers = []struct {
	name, safeguard string
	read            func(r *registers, dbs []*sql.DB, v int64) string
}{
	{"a write between a read of the database and its storing", "cache.race", func(r *registers, dbs []*sql.DB, v int64) string {
		r.filled(dbs[1])
		must(r.t, dbs[0], set(-v)) // the next read is no hit
		rows(r.t, dbs[1], register)
		must(r.t, dbs[0], set(v)) // while the first is about to be stored
		return r.again(dbs[1])
	}},
	{"a write by a proxy that Redis does not let in", "cache.suspend", func(r *registers, dbs []*sql.DB, v int64) string {
		r.filled(dbs[1])
		r.account(0, false)
		defer r.account(0, true)
		must(r.t, dbs[0], set(v))
		return r.again(dbs[1])
	}},
	{"a Redis that starts from an old dump", "cache.process", func(r *registers, dbs []*sql.DB, v int64) string {
		r.filled(dbs[1])
		if err := r.ctl.Save(context.Background()).Err(); err != nil {
			r.t.Fatal(err)
		}
		must(r.t, dbs[0], set(v))
		r.redis.Kill()
		r.redis.Start()
		r.accounts()
		got := ""
		for range 20 { // it is connected to again
			if got = r.again(dbs[1]); got != fmt.Sprint(v) {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		return got
	}},
	{"a read between a commit and its end", "cache.marks", func(r *registers, dbs []*sql.DB, v int64) string {
		r.filled(dbs[1])
		done := make(chan error, 1)
		go func() {
			_, err := dbs[0].Exec(set(v))
			done <- err
		}()
		for rows(r.t, dbs[2], "/*sluice: nocache*/ "+register)[0] != fmt.Sprint(v) {
			time.Sleep(time.Millisecond)
		}
		got := r.again(dbs[1])
		if err := <-done; err != nil {
			r.t.Fatal(err)
		}
		return got
	}},
	{"a Redis that forgets a write under way", "cache.settle", func(r *registers, dbs []*sql.DB, v int64) string {
		r.filled(dbs[1])
		hold, err := r.c.servers[1].DB(r.t, "shop").Begin() // the row's
		if err != nil {
			r.t.Fatal(err)
		}
		if _, err := hold.Exec("UPDATE users SET n = n WHERE user_id = 1"); err != nil {
			r.t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			_, err := dbs[0].Exec(set(v))
			done <- err
		}()
		eventually(r.t, "the write waits", func() bool {
			time.Sleep(150 * time.Millisecond) // the table is made anew only when nobody has read it for 100 ms
			return r.c.servers[1].Value("SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'") == "1"
		})
		r.ctl.FlushAll(context.Background())
		for range 10 {
			r.again(dbs[1]) // and is stored, if it may be
		}
		if err := hold.Rollback(); err != nil {
			r.t.Fatal(err)
		}
		for rows(r.t, dbs[2], "/*sluice: nocache*/ "+register)[0] != fmt.Sprint(v) {
			time.Sleep(time.Millisecond)
		}
		got := r.again(dbs[1])
		if err := <-done; err != nil {
			r.t.Fatal(err)
		}
		return got
	}},
}

const register = "SELECT n FROM users WHERE user_id = 1"

func set(v int64) string { return fmt.Sprintf("UPDATE users SET n = %d WHERE user_id = 1", v) }

func (r *registers) again(db *sql.DB) string { return rows(r.t, db, register)[0] }

// filled reads until the answer comes from the cache.
func (r *registers) filled(db *sql.DB) {
	eventually(r.t, "a hit", func() bool { return hit(r.t, r.c.px[1], db, "shop.users", register) })
}

// TestCacheControls: what each safeguard is for is seen when it alone is left out, and not with all of them.
func TestCacheControls(t *testing.T) {
	t.Parallel()
	const slow = "cache.hurry:off,cache.fill:delay=200ms,cache.committed:delay=200ms"
	// What is stored without the check is under the versions of then: the write has to have ended before.
	const slowFill = "cache.hurry:off,cache.fill:delay=500ms"
	older := func(r *registers, i, times int) bool {
		var dbs []*sql.DB
		for _, p := range r.c.px {
			db := p.open("shop", interpolated)
			db.SetMaxOpenConns(1) // the next statement comes after the last one's storing
			dbs = append(dbs, db)
		}
		v := int64(i) * 1000
		for range times {
			cacheOn(r.t, r.c.px...)
			v++
			if dangers[i].read(r, dbs, v) != fmt.Sprint(v) {
				return true
			}
		}
		return false
	}
	flavors, left := testkit.Flavors()[:1], dangers[:1]
	if soak() {
		flavors, left = testkit.Flavors(), dangers
	}
	for _, f := range flavors {
		for i, d := range left {
			t.Run(f.String()+" without "+d.safeguard, func(t *testing.T) {
				t.Parallel()
				delays := slow
				if d.safeguard == "cache.race" {
					delays = slowFill
				}
				if r := newRegisters(t, f, delays+","+d.safeguard+":off"); !older(r, i, 200) {
					t.Errorf("%s: nothing older was read", d.name)
				}
			})
		}
		t.Run(f.String()+" with all", func(t *testing.T) {
			t.Parallel()
			r := newRegisters(t, f, slow)
			for i, d := range dangers {
				if older(r, i, 2) {
					t.Errorf("%s: something older was read", d.name)
				}
			}
		})
	}
}
