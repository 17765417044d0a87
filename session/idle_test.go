//go:build linux

package session_test

import (
	"io"
	"runtime"
	"sync"
	"testing"

	"sluice/wire"
)

// TestIdle: sessions that have run a statement, in text or prepared, have no coroutine or goroutine of their own when they rest, and
// go on. One that is killed ends from its rest.
func TestIdle(t *testing.T) {
	f := newFront(t, frontOptions{shards: 2})
	f.tables()
	const n = 150
	before := runtime.NumGoroutine()
	all := make([]*raw, n)
	for i := range all {
		c := f.raw(0)
		if all[i] = c; i%2 == 0 {
			st, _ := c.prepare("SELECT name FROM users WHERE user_id = ?")
			c.must(c.execute(st.ID, 0, bigintOf(int64(i))))
		}
		c.value("SELECT COUNT(*) FROM users WHERE user_id = 7")
	}
	eventually(t, "the sessions rest", func() bool { return runtime.NumGoroutine()-before < n/3 })
	var together sync.WaitGroup
	for _, c := range all {
		together.Go(func() {
			for range 5 {
				c.send(wire.ComPing, "")
				if b, err := c.ReadPacket(); err != nil || !wire.IsOK(b) {
					t.Errorf("%x, %v", b, err)
				}
			}
		})
	}
	together.Wait()
	victim := all[0].value("SELECT CONNECTION_ID()")
	all[1].send(wire.ComQuery, "KILL "+victim)
	all[1].ok()
	all[0].ResetSequence()
	if _, err := all[0].ReadPacket(); err != io.EOF {
		t.Errorf("who is killed at rest is told %v", err)
	}
}
