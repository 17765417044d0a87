package integration

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"sluice/internal/testkit"
)

// TestCacheCluster: what is cached, what is not, and what drops what, in a Redis Cluster.
func TestCacheCluster(t *testing.T) {
	t.Parallel()
	nodes := testkit.RedisCluster(t, 3, 0)
	testCache(t, start(t, setup{flavor: testkit.MariaDBFlavor, own: true, shards: 2, schemas: cached, node: clusterNode(nodes)}))
	for _, n := range nodes { // all of them have something
		c := redis.NewClient(&redis.Options{Addr: n.Addr})
		defer c.Close()
		if size, err := c.DBSize(context.Background()).Result(); err != nil || size == 0 {
			t.Errorf("%s has %d keys: %v", n.Addr, size, err)
		}
	}
}

// TestCacheClusterProof: nothing older than what was acknowledged or seen is given while a node fails over to
// its replica, which may not have been told all, and back.
func TestCacheClusterProof(t *testing.T) {
	t.Parallel()
	flavors, rounds := testkit.Flavors()[:1], 1
	if soak() {
		flavors, rounds = testkit.Flavors(), 10
	}
	for _, f := range flavors {
		t.Run(f.String(), func(t *testing.T) {
			r := newClusterRegisters(t, f, 3, 1)
			r.run()
			time.Sleep(time.Second)
			first, second := r.nodes[0], r.nodes[3]
			for range rounds {
				r.failOver(first, second)
				r.failOver(second, first)
			}
			for _, f := range r.end() {
				t.Error(f)
			}
			if !t.Failed() {
				r.back()
			}
		})
	}
}

// failOver kills a primary, waits until its replica is one, and brings it back as a replica.
func (r *registers) failOver(from, to *testkit.Store) {
	c := redis.NewClient(&redis.Options{Addr: to.Addr})
	defer c.Close()
	info := func() string { return c.Info(context.Background(), "replication").Val() }
	eventually(r.t, "the replica follows", func() bool { return strings.Contains(info(), "master_link_status:up") })
	from.Kill()
	eventually(r.t, "the replica is promoted", func() bool { return strings.Contains(info(), "role:master") })
	time.Sleep(500 * time.Millisecond)
	from.Start()
	time.Sleep(500 * time.Millisecond)
}
