package integration

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/internal/testkit"
	"sluice/shard"
)

// TestSlowEtcd: a switch is not begun while etcd is slow, and says so. When etcd does not answer
// at the commit point, a statement that waits is told to try again before etcd is back: it was
// not executed, and the switch goes on.
func TestSlowEtcd(t *testing.T) {
	t.Parallel()
	etcd := testkit.Etcd(t)
	link := testkit.NewLink(t, etcd.Addr)
	s := setup{on: make([]*testkit.Server, 2), etcd: link.Addr, env: []string{"SLUICE_FAULT=reshard-before-commit:stop"}}
	var starting sync.WaitGroup
	for i := range s.on {
		starting.Go(func() { s.on[i] = testkit.MariaDB(t, testkit.Binlog(i+1)) })
	}
	starting.Wait()
	c := start(t, s)
	c.setup.etcd = etcd.Addr
	c.addProxy("SLUICE_FAULT=reshard-claim:delay=800ms")
	create(t, c.open("shop"))
	m := &resharding{cluster: c, dba: c.px[1].dba()}
	m.fill(c.open("shop"), 500)
	user := int64(0)
	for id := int64(1); user == 0; id++ {
		if shard.SlotOfInt(id) < 4096 {
			user = id
		}
	}
	db, write := c.px[1].open("shop"), fmt.Sprintf("UPDATE users SET name = name + 1 WHERE user_id = %d", user)
	id := rows(t, c.px[0].dba(), "MOVE SLOTS 0-4095 TO s1")[0]
	m.await(id, "ready")

	link.Delay(150 * time.Millisecond)
	must(t, m.dba, "CUTOVER MIGRATION "+id)
	eventually(t, "etcd is found too slow for a switch", func() bool {
		_, _, _, trouble := m.state(id)
		return strings.Contains(trouble, "etcd takes")
	})
	must(t, db, write)
	m.acks.Store(user, int64(1))
	link.Delay(0)

	eventually(t, "the proxy is about to commit", func() bool { return processState(c.px[0].PID()) == "T" })
	link.Stall()
	c.px[0].Resume()
	_, err := db.Exec(write)
	checkError(t, "a statement that waits for etcd", err, 1205, "not executed")
	link.Resume()
	m.await(id, "switched")
	must(t, m.dba, "COMPLETE MIGRATION "+id)
	m.awaitEnd(id, "completed")
	m.check()
}
