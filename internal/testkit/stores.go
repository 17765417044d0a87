package testkit

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Store is a running Redis or etcd server.
type Store struct {
	*Process
	Addr string // 127.0.0.1:port
}

// Redis starts a Redis server that keeps nothing on disk. args are options of its own.
func Redis(t TB, args ...string) *Store {
	t.Helper()
	port := Port(t)
	dir := Dir(t, "redis")
	s := &Store{Addr: fmt.Sprintf("127.0.0.1:%d", port)}
	argv := append([]string{"redis-server", "--bind", "127.0.0.1", "--port", strconv.Itoa(port),
		"--save", "", "--appendonly", "no", "--dir", dir}, args...)
	s.Process = Start(t, Spec{Name: "redis", Argv: argv, Dir: dir, Ready: s.redisReady})
	return s
}

// RedisCluster starts a Redis Cluster: primaries that share the slots, the first of them with so many
// replicas, which come behind the primaries in the list.
func RedisCluster(t TB, primaries, replicas int) []*Store {
	t.Helper()
	const slots = 16384
	nodes := make([]*Store, primaries+replicas)
	bus := make([]string, len(nodes))
	for i := range nodes {
		bus[i] = strconv.Itoa(Port(t))
		nodes[i] = Redis(t, "--cluster-enabled", "yes", "--cluster-port", bus[i], "--cluster-node-timeout", "2000", "--cluster-require-full-coverage", "no",
			"--repl-diskless-sync-delay", "0", "--cluster-replica-validity-factor", "0")
	}
	for i, n := range nodes {
		if i > 0 {
			nodes[0].ask(t, "CLUSTER", "MEET", "127.0.0.1", strings.TrimPrefix(n.Addr, "127.0.0.1:"), bus[i])
		}
		if i < primaries {
			n.ask(t, "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*slots/primaries), strconv.Itoa((i+1)*slots/primaries-1))
		}
	}
	until := time.Now().Add(60 * time.Second)
	agreed := func(n *Store) bool {
		info := n.ask(t, "CLUSTER", "INFO")
		return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d", len(nodes)))
	}
	for _, n := range nodes {
		for !agreed(n) {
			if time.Now().After(until) {
				t.Fatalf("testkit: the Redis Cluster does not agree: %s", n.ask(t, "CLUSTER", "NODES"))
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	id := strings.TrimSpace(nodes[0].ask(t, "CLUSTER", "MYID"))
	for _, n := range nodes[primaries:] {
		n.ask(t, "CLUSTER", "REPLICATE", id)
		for !strings.Contains(n.ask(t, "INFO", "replication"), "master_link_status:up") {
			if time.Now().After(until) {
				t.Fatalf("testkit: a replica does not follow: %s", n.ask(t, "INFO", "replication"))
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	return nodes
}

// ask runs a command by redis-cli.
func (s *Store) ask(t TB, command ...string) string {
	t.Helper()
	_, port, _ := strings.Cut(s.Addr, ":")
	out, err := exec.Command("redis-cli", append([]string{"-p", port}, command...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("testkit: redis-cli %v: %v: %s", command, err, out)
	}
	return string(out)
}

// redisReady accepts any answer: a server with a password refuses PING and serves.
func (s *Store) redisReady(ctx context.Context) error {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", s.Addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	if _, err := c.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	_, err = bufio.NewReader(c).ReadString('\n')
	return err
}

// Etcd starts an etcd server of one member. args are options of its own.
func Etcd(t TB, args ...string) *Store {
	t.Helper()
	dir := Dir(t, "etcd")
	s := &Store{Addr: fmt.Sprintf("127.0.0.1:%d", Port(t))}
	client, peer := "http://"+s.Addr, fmt.Sprintf("http://127.0.0.1:%d", Port(t))
	argv := append([]string{"etcd", "--name", "test", "--data-dir", dir + "/data",
		"--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "test=" + peer,
		"--heartbeat-interval", "50", "--election-timeout", "250",
		"--unsafe-no-fsync", "--log-level", "warn"}, args...)
	env := []string{"ETCD_UNSUPPORTED_ARCH=" + os.Getenv("ETCD_UNSUPPORTED_ARCH")}
	s.Process = Start(t, Spec{Name: "etcd", Argv: argv, Env: env, Dir: dir, Ready: s.etcdReady})
	return s
}

func (s *Store) etcdReady(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Addr+"/health", nil)
	if err != nil {
		return err
	}
	tr := &http.Transport{DisableKeepAlives: true}
	defer tr.CloseIdleConnections()
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New("etcd: " + resp.Status)
	}
	return nil
}
