package topo

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/internal/testkit"
	"sluice/shard"
)

// No expectation: a bound for loaded machines.
const soon = 20 * time.Second

func TestMain(m *testing.M) {
	if child() {
		return
	}
	goleak.VerifyTestMain(m)
}

// world is an etcd on which stores are opened; the contract holds for each.
type world interface {
	// open opens a store with a data directory of its own.
	open(t *testing.T, opts Options) (*Store, error)
}

func eachWorld(t *testing.T, test func(t *testing.T, w world)) {
	t.Run("embedded", func(t *testing.T) {
		c, err := startEmbedded(context.Background(), t.TempDir(), testLog(t))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.stop)
		test(t, &inProcess{c: c})
	})
	t.Run("external", func(t *testing.T) { test(t, &external{etcd: testkit.Etcd(t)}) })
}

// inProcess lets several stores use one embedded etcd, each as if it were its own.
type inProcess struct{ c *conn }

func (w *inProcess) open(t *testing.T, opts Options) (*Store, error) {
	opts = complete(t, opts)
	dir, err := openDirectory(opts.DataDir)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	if opts, err = opts.check(); err != nil {
		return nil, err
	}
	s, err := open(ctx, opts, dir, &conn{Client: w.c.Client, where: w.c.where, stop: func() {}})
	if err != nil {
		dir.close()
	}
	return s, err
}

type external struct{ etcd *testkit.Store }

func (w *external) open(t *testing.T, opts Options) (*Store, error) {
	opts = complete(t, opts)
	opts.Endpoints = []string{w.etcd.Addr}
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	return Open(ctx, opts)
}

func complete(t *testing.T, opts Options) Options {
	if opts.DataDir == "" {
		opts.DataDir = t.TempDir()
	}
	if opts.Node == "" {
		opts.Node = "px1"
	}
	if opts.Log == nil {
		opts.Log = testLog(t)
	}
	return opts
}

type logWriter struct{ t *testing.T }

func (w logWriter) Write(b []byte) (int, error) { w.t.Logf("%s", b); return len(b), nil }

func testLog(t *testing.T) *slog.Logger { return slog.New(slog.NewTextHandler(logWriter{t}, nil)) }

// must opens a store that is closed with the test.
func must(t *testing.T, w world, opts Options) *Store {
	t.Helper()
	s, err := w.open(t, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// spec gives a sound spec of n shards.
func spec(n int) *shard.Spec {
	s := &shard.Spec{
		Users:   []shard.User{{Name: "app", Password: "app"}},
		Backend: shard.Backend{User: "sluice", Password: "secret", MaxConnections: 64},
	}
	for i := range n {
		s.Shards = append(s.Shards, shard.Shard{Name: fmt.Sprintf("s%d", i), Primary: fmt.Sprintf("10.0.0.%d:3306", i+1)})
	}
	s.Ranges = shard.Deal(s.Shards)
	return s
}

// eventually waits until ok; the bound is for loaded machines.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(soon); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", soon, what)
		}
	}
}

func addShard(name string) func(*shard.Spec) error {
	return func(s *shard.Spec) error {
		s.Shards = append(s.Shards, shard.Shard{Name: name, Primary: name + ".example:3306"})
		return nil
	}
}

func floor(id uint64) user {
	return func(context.Context) (uint64, error) { return id, nil }
}

// user is an IDUser that waits where it is.
type user func(context.Context) (uint64, error)

func (u user) Floor(ctx context.Context) (uint64, error) { return u(ctx) }

func (u user) Leave() {}
