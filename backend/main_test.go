package backend

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/internal/testkit"
	"sluice/shard"
	"sluice/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// mapOf makes a map whose shards s0, s1 … are at the given addresses.
func mapOf(t testing.TB, b shard.Backend, addresses ...string) *shard.Map {
	t.Helper()
	if b.User == "" {
		b.User, b.Password = "sluice", "sluice"
	}
	spec := shard.Spec{Backend: b}
	for i, a := range addresses {
		spec.Shards = append(spec.Shards, shard.Shard{Name: "s" + string(rune('0'+i)), Primary: a})
	}
	return &shard.Map{Version: 1, Spec: spec}
}

// open starts pools that end with the test.
func open(t testing.TB, opts Options, m *shard.Map) *Pools {
	t.Helper()
	p := Open(opts, m)
	t.Cleanup(p.Close)
	return p
}

func get(t testing.TB, p *Pools, schema string, s *Settings) *Conn {
	t.Helper()
	c, err := p.Get(context.Background(), "s0", Class{}, schema, s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// value gives the one value of a query's answer.
func value(t testing.TB, c *Conn, sql string) string {
	t.Helper()
	_, rows, err := c.Query(sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	if len(rows) != 1 || len(rows[0]) != 1 {
		t.Fatalf("%s: %q", sql, rows)
	}
	if rows[0][0] == nil {
		return "NULL"
	}
	return string(rows[0][0])
}

func exec(t testing.TB, c *Conn, sql string) {
	t.Helper()
	if _, err := c.Exec(sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func eachServer(t *testing.T, f func(t *testing.T, s *testkit.Server)) {
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) { f(t, testkit.Shared(t, flavor, 0)) })
	}
}

// unavailable fails the test unless err is an *Unavailable.
func unavailable(t testing.TB, err error) *Unavailable {
	t.Helper()
	var u *Unavailable
	if !errors.As(err, &u) {
		t.Fatalf("%v is no *Unavailable", err)
	}
	return u
}

// eventually waits for what another goroutine is about to do.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !f() {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// serverOf starts a server that does whatever serve does with its connections.
func serverOf(t testing.TB, serve func(w *wire.Conn, nc net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var conns []net.Conn
	served := make(chan struct{}, 1000)
	n := 0
	go func() {
		defer close(done)
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			conns = append(conns, nc)
			n++
			go func() {
				defer func() { served <- struct{}{} }()
				defer nc.Close()
				serve(wire.NewConn(nc, 1<<20), nc)
			}()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
		for _, nc := range conns {
			nc.Close()
		}
		for range n {
			<-served
		}
	})
	return l.Addr().String()
}
