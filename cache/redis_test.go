package cache

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"sluice/internal/testkit"
)

func openRedis(t *testing.T) (*Cache, *redisStore) {
	c := New(Options{Cluster: &alone{state: State{Secret: "s", Ready: true}}, Redis: &Redis{Addrs: []string{testkit.Redis(t).Addr}}, Log: slog.New(slog.DiscardHandler)})
	c.budget = 5 * time.Second
	t.Cleanup(c.Close)
	return c, c.store.(*redisStore)
}

func (s *redisStore) state(t *testing.T, k key) string {
	t.Helper()
	states, _, err := s.look(context.Background(), &place{tags: []key{k}}, false)
	if err != nil {
		t.Fatal(err)
	}
	return states[0]
}

// TestVersions: a command that is carried out twice gives a new version each time, and a tag of everything
// that a write makes after Redis has forgotten is not believed at once.
func TestVersions(t *testing.T) {
	t.Parallel()
	_, s := openRedis(t)
	ctx := context.Background()
	k, all := key{0, "sluice:{0}:k:x"}, key{0, everythingIn(0)}
	seen := map[string]bool{}
	for _, writer := range []string{"a", "b"} {
		for i := range 3 {
			err := s.begin(ctx, []key{k}, "same", writer, markLease)
			if i > 0 {
				err = s.end(ctx, []key{k}, "same", writer)
			}
			v, _, _ := strings.Cut(s.state(t, k), "|")
			if err != nil || len(v) != 24 || seen[v] {
				t.Errorf("%v: %q, after %v", err, v, seen)
			}
			seen[v] = true
		}
	}
	s.client.FlushAll(ctx)
	if err := s.begin(ctx, []key{all}, "v", "w", markLease); err != nil {
		t.Fatal(err)
	}
	if err := s.end(ctx, []key{all}, "v", "w"); err != nil || !strings.Contains(s.state(t, all), "|"+settler+":") {
		t.Error(s.state(t, all), err)
	}
	s.client.ScriptFlush(ctx)
	if err := s.end(ctx, []key{all}, "v", "w"); err != nil {
		t.Error("without its scripts:", err)
	}
}

// TestPromotedAgain: what a Redis holds is not believed when it has been a replica, also one that never got its primary's
// data, which may have been written to.
func TestPromotedAgain(t *testing.T) {
	t.Parallel()
	addr := testkit.Redis(t).Addr
	all := key{0, everythingIn(0)}
	greeted := func() string {
		c := New(Options{Cluster: &alone{}, Redis: &Redis{Addrs: []string{addr}}, Log: slog.New(slog.DiscardHandler)})
		defer c.Close()
		v, _, _ := strings.Cut(c.store.(*redisStore).state(t, all), "|")
		return v
	}
	was := greeted()
	if again := greeted(); was == "" || again != was {
		t.Fatalf("%q, then %q", was, again)
	}
	r := redis.NewClient(&redis.Options{Addr: addr})
	defer r.Close()
	for _, to := range [][2]any{{"127.0.0.1", "1"}, {"NO", "ONE"}} {
		if err := r.Do(context.Background(), "REPLICAOF", to[0], to[1]).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if now := greeted(); now == "" || now == was {
		t.Errorf("%q is believed", now)
	}
}

// TestDropLasts: what a log tells is neither given nor stored for a while, and then is, once more.
func TestDropLasts(t *testing.T) {
	t.Parallel()
	c, _ := openRedis(t)
	l, _, _ := open(t)
	for _, c := range []*Cache{c, l} {
		for end := time.Now().Add(20 * time.Second); !has(c, read(1)); time.Sleep(5 * time.Millisecond) {
			if _, miss := c.Lookup(context.Background(), read(1)); mayStore(miss) {
				miss.Store(context.Background(), &Result{Packets: []byte("old")})
				miss.End()
			}
			if time.Now().After(end) {
				t.Fatal("nothing is stored")
			}
		}
		_, before := c.Lookup(context.Background(), read(2))
		if err := c.Drop(context.Background(), write(1, 2)); err != nil {
			t.Fatal(err)
		}
		if res, miss := c.Lookup(context.Background(), read(1)); !noSay(res, miss) {
			t.Error("it may be stored")
		}
		before.Store(context.Background(), &Result{Packets: []byte("old")})
		before.End()
		eventually(t, func() bool {
			res, miss := c.Lookup(context.Background(), read(1))
			miss.End()
			if res != nil {
				t.Fatal("given again")
			}
			return mayStore(miss)
		})
		if has(c, read(2)) {
			t.Error("what was read before was stored")
		}
	}
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not in 20 s")
		}
	}
}

// TestClusterFailsOver: a Redis Cluster's client finds the replica that has taken a dead node's place, and the node
// again that was a replica in between, without anybody who sends it there.
func TestClusterFailsOver(t *testing.T) {
	t.Parallel()
	nodes := testkit.RedisCluster(t, 3, 1)
	var addrs []string
	for _, n := range nodes {
		addrs = append(addrs, n.Addr)
	}
	c := New(Options{Cluster: &alone{state: State{Secret: "s", Ready: true}}, Redis: &Redis{Addrs: addrs}, Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(c.Close)
	works := func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return c.store.ping(ctx) == nil
	}
	says := func(n *testkit.Store, what string, ask ...any) bool {
		r := redis.NewClient(&redis.Options{Addr: n.Addr})
		defer r.Close()
		if len(ask) > 0 {
			r.Do(context.Background(), ask...)
		}
		return strings.Contains(r.Info(context.Background(), "replication").Val(), what)
	}
	eventually(t, works)
	first, second := nodes[0], nodes[3]
	for range 2 {
		first.Kill()
		eventually(t, func() bool { return says(second, "role:master", "CLUSTER", "FAILOVER", "TAKEOVER") })
		eventually(t, works)
		first.Start()
		eventually(t, func() bool { return says(first, "master_link_status:up") })
		first, second = second, first
	}
}

// trips counts the questions to a store.
type trips struct {
	*redisStore
	asked []string
}

func (s *trips) look(ctx context.Context, at *place, entry bool) ([]string, []byte, error) {
	s.asked = append(s.asked, "look")
	return s.redisStore.look(ctx, at, entry)
}

func (s *trips) fresh(ctx context.Context, at *place, version string) ([]string, error) {
	s.asked = append(s.asked, "fresh")
	return s.redisStore.fresh(ctx, at, version)
}

func (s *trips) open(ctx context.Context, at *place, version, name string, lease time.Duration) ([]string, bool, error) {
	s.asked = append(s.asked, "open")
	return s.redisStore.open(ctx, at, version, name, lease)
}

func (s *trips) fill(ctx context.Context, at *place, states []string, value []byte, ttl time.Duration, lock string) (bool, error) {
	s.asked = append(s.asked, "fill")
	return s.redisStore.fill(ctx, at, states, value, ttl, lock)
}

func (s *trips) lock(ctx context.Context, k key, name string, lease time.Duration) (bool, error) {
	s.asked = append(s.asked, "lock")
	return s.redisStore.lock(ctx, k, name, lease)
}

func (s *trips) unlock(ctx context.Context, k key, name string) error {
	s.asked = append(s.asked, "unlock")
	return s.redisStore.unlock(ctx, k, name)
}

// TestTrips: what nobody has read before costs three questions, and what somebody writes is left alone without a lock.
func TestTrips(t *testing.T) {
	t.Parallel()
	c, s := openRedis(t)
	counted := &trips{redisStore: s}
	c.store = counted
	ctx := context.Background()
	_, early := c.Lookup(ctx, read(99)) // the tag of everything is not there yet, and then not believed
	early.End()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if _, m := c.Lookup(ctx, read(99)); !noSay(nil, m) {
			break
		}
		if time.Now().After(end) {
			t.Fatal("Redis is not believed")
		}
	}
	asked := func(want ...string) {
		t.Helper()
		if got := strings.Join(counted.asked, " "); got != strings.Join(want, " ") {
			t.Errorf("asked %s, want %s", got, want)
		}
		counted.asked = nil
	}
	counted.asked = nil
	put(t, c, read(1), "x")
	asked("look", "open", "fill")
	if !has(c, read(1)) {
		t.Error("it is not there")
	}
	asked("look")
	m, err := c.Begin(ctx, write(1))
	if err != nil {
		t.Fatal(err)
	}
	if res, miss := c.Lookup(ctx, read(1)); !noSay(res, miss) {
		t.Errorf("it is written, and there is %v, %v", res, miss)
	}
	asked("look", "fresh")
	m.End(true)
	put(t, c, read(1), "y")
	asked("look", "look", "lock", "fill") // a copy, whose tags are not as they were; then all

	// Of two proxies one has the lock, and what somebody writes gets none.
	at := c.rings(new(State{Secret: "s", Ready: true})).placeOf(read(2))
	if _, mine, err := s.open(ctx, &at, token(), "one", lockLease); !mine || err != nil {
		t.Error(mine, err)
	}
	if states, mine, err := s.open(ctx, &at, token(), "two", lockLease); mine || err != nil || !clean(states) {
		t.Error(states, mine, err)
	}
	at = c.rings(new(State{Secret: "s", Ready: true})).placeOf(read(3))
	if err := s.begin(ctx, at.tags[len(at.tags)-1:], token(), "w", markLease); err != nil {
		t.Fatal(err)
	}
	if states, mine, err := s.open(ctx, &at, token(), "three", lockLease); mine || err != nil || clean(states) {
		t.Error(states, mine, err)
	}
}
