package integration

import (
	"fmt"
	"testing"
	"time"

	"sluice/internal/testkit"
)

// proofCluster is three proxies on one etcd and n shards of the test's own, and a server
// that can be added as one more.
func proofCluster(t *testing.T, s setup, n int) (*cluster, *testkit.Server) {
	t.Helper()
	servers := make([]*testkit.Server, n+1)
	for i := range servers {
		servers[i] = testkit.StartServer(t, s.flavor, testkit.Binlog(100+i), testkit.Args("--binlog-format=ROW"))
	}
	s.on, s.schemas = servers[:n], proofSchema
	if s.etcd == "" {
		s.etcd = testkit.Etcd(t).Addr
	}
	c := start(t, s)
	c.addProxy(s.env...)
	c.addProxy(s.env...)
	return c, servers[n]
}

// TestProofSees: the traffic finds nothing wrong where nothing moves, and the check sees
// what is planted.
func TestProofSees(t *testing.T) {
	t.Parallel()
	c, _ := proofCluster(t, setup{}, 4)
	tr := newTraffic(t, c)
	tr.run(1)
	time.Sleep(2 * time.Second)
	tr.check(true)
	if t.Failed() {
		return
	}
	user := 7
	home := c.servers[c.shardOf("7")]
	away := c.servers[(c.shardOf("7")+1)%4]
	for _, x := range []struct{ name, plant, mend string }{
		{"a line is lost", "DELETE FROM shop.journal ORDER BY user_id, seq LIMIT 1", ""},
		{"an increment is lost", "UPDATE shop.counters SET n = n - 1 WHERE user_id = 7", "UPDATE shop.counters SET n = n + 1 WHERE user_id = 7"},
		{"an increment is done twice", "UPDATE shop.counters SET n = n + 1 WHERE user_id = 7", "UPDATE shop.counters SET n = n - 1 WHERE user_id = 7"},
		{"half a transfer", "UPDATE shop.purses SET amount = amount + 1 WHERE user_id = 7", "UPDATE shop.purses SET amount = amount - 1 WHERE user_id = 7"},
		{"a flag is left out", "UPDATE shop.flags SET n = n - 1 WHERE user_id = 7", "UPDATE shop.flags SET n = n + 1 WHERE user_id = 7"},
		{"a value is another", "UPDATE shop.things SET f = IFNULL(f, 0) / 2 + 1 LIMIT 1", ""},
	} {
		before := len(tr.faults(true))
		home.Exec(x.plant)
		if after := len(tr.faults(true)); after <= before {
			t.Errorf("%s: not seen", x.name)
		}
		if x.mend != "" {
			home.Exec(x.mend)
		}
	}
	before := len(tr.faults(true))
	away.Exec(fmt.Sprintf("INSERT INTO shop.purses VALUES (%d, 0)", user))
	if after := len(tr.faults(true)); after <= before {
		t.Error("a row at a shard that does not own it: not seen")
	}
	tr.mu.Lock()
	tr.bad = nil
	tr.mu.Unlock()
	tr.run(1)
	time.Sleep(time.Second)
	tr.end()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if len(tr.bad) == 0 {
		t.Error("the clients have not seen that a row is there twice")
	}
}
