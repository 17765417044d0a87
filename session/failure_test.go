package session_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice/wire"
)

// TestShardLost: a lost connection ends a transaction's session, and no other.
func TestShardLost(t *testing.T) {
	f := newFront(t, frontOptions{shards: 2, links: true})
	f.tables()
	a, b := f.raw(0), f.raw(0)
	query := func(c *raw, sql string) *wire.Error {
		t.Helper()
		_, _, _, err := c.query(sql)
		if err != nil {
			return err.(*wire.Error)
		}
		return nil
	}
	if err := query(a, "BEGIN"); err != nil {
		t.Fatal(err)
	}
	if err := query(a, "INSERT INTO plain (v) VALUES ('lost')"); err != nil {
		t.Fatal(err)
	}
	f.links[0].Cut()
	if err := query(a, "INSERT INTO plain (v) VALUES ('too')"); err == nil || !strings.HasPrefix(err.Message, "sluice: ") {
		t.Errorf("in a transaction: %v", err)
	}
	if _, err := a.ReadPacket(); err == nil {
		t.Error("the session goes on, as if the transaction were still there")
	}
	if err := query(b, "INSERT INTO plain (v) VALUES ('kept')"); err != nil {
		t.Errorf("another session: %v", err)
	}
	want(t, b.value("SELECT GROUP_CONCAT(v) FROM plain"), "kept")
	// Down, then up again: the session outlives it.
	f.links[0].Refuse(true)
	f.links[0].Cut()
	if err := query(b, "SELECT * FROM plain"); err == nil || !strings.Contains(err.Message, "s0") {
		t.Errorf("a shard that is down: %v", err)
	}
	zero, one := 0, 0
	for i := 1; zero == 0 || one == 0; i++ {
		_, legs, _, err := b.query(fmt.Sprintf("EXPLAIN ROUTE SELECT * FROM users WHERE user_id = %d", i))
		b.must(err)
		if strings.HasPrefix(string(legs[0]), "\x02s0") {
			zero = i
		} else {
			one = i
		}
	}
	if err := query(b, fmt.Sprintf("SELECT * FROM users WHERE user_id = %d", one)); err != nil {
		t.Errorf("the other shard: %v", err)
	}
	f.links[0].Refuse(false)
	for deadline := time.Now().Add(10 * time.Second); query(b, "SELECT * FROM plain") != nil; {
		if time.Now().After(deadline) {
			t.Fatal("the shard is not used again")
		}
		time.Sleep(20 * time.Millisecond)
	}
	// The answer to COMMIT is lost: the outcome is unknown, and said to be.
	for _, sql := range []string{"BEGIN", "INSERT INTO plain (v) VALUES ('unknown')"} {
		if err := query(b, sql); err != nil {
			t.Fatal(err)
		}
	}
	f.links[0].Cut()
	if err := query(b, "COMMIT"); err == nil || err.Code != 2013 || !strings.Contains(err.Message, "unknown") {
		t.Errorf("COMMIT: %v", err)
	}
}

// TestKillStorm kills one session's statements all the time: the connections that it gives
// back to the pool must not bring a KILL to another session's statement.
func TestKillStorm(t *testing.T) {
	f := newFront(t, frontOptions{shards: 1, conns: 2})
	f.tables()
	victim, other := f.raw(0), f.raw(0)
	var target uint32
	fmt.Sscan(victim.value("SELECT CONNECTION_ID()"), &target)
	var stop atomic.Bool
	done := make(chan int)
	go func() {
		n := 0
		for ; !stop.Load(); n++ {
			f.server.Find(target).Session().Kill(false)
		}
		done <- n
	}()
	go func() {
		killed := 0
		for !stop.Load() {
			if _, _, _, err := victim.query("SELECT v FROM plain"); err != nil {
				killed++
			}
		}
		done <- killed
	}()
	for end := time.Now().Add(500 * time.Millisecond); time.Now().Before(end); {
		if _, _, _, err := other.query("SELECT v FROM plain WHERE id = 1"); err != nil {
			t.Errorf("another session: %v", err)
			break
		}
	}
	stop.Store(true)
	t.Log(<-done, <-done)
	want(t, victim.value("SELECT 1"), "1")
}

// TestLimitsOfPrepared: more statements than a server has are refused, not kept.
func TestLimitsOfPrepared(t *testing.T) {
	f := newFront(t, frontOptions{shards: 1})
	c := f.raw(0)
	for range 16382 {
		c.must(c.Command(wire.ComStmtPrepare, []byte("SET @x = 1")))
		c.must(c.Flush())
		if _, _, _, err := wire.ReadPrepare(c.Conn); err != nil {
			t.Fatal(err)
		}
	}
	c.send(wire.ComStmtPrepare, "SELECT 1")
	if got := c.code(); got != 1461 {
		t.Error(got)
	}
	c.send(wire.ComStmtClose, id(5))
	c.prepare("SELECT 1")
}
