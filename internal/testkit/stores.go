package testkit

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
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
