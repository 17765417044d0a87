package topo

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/internal/testkit"
	"sluice/shard"
)

func TestEtcdIsKilledAndReturns(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	etcd := testkit.Etcd(t)
	w := &external{etcd: etcd}
	a := must(t, w, Options{Node: "a", Initial: spec(2)})
	b := must(t, w, Options{Node: "b"})
	used := map[uint64]bool{}
	take := func(s *Store) error {
		id, err := s.NextIDs(ctx, "t", 1, floor(0))
		if err == nil && used[id] {
			t.Errorf("id %d was handed out twice", id)
		}
		used[id] = true
		return err
	}
	if err := take(a); err != nil {
		t.Fatal(err)
	}
	for round := range 2 {
		etcd.Kill()
		eventually(t, "the store notices", func() bool { return !a.Healthy() && !b.Healthy() })
		if a.Map() == nil {
			t.Fatal("no map is served")
		}
		began := time.Now()
		if _, err := a.Update(ctx, addShard("lost")); err == nil {
			t.Error("Update succeeded without etcd")
		}
		var err error
		for n := 0; err == nil; n++ {
			if err = take(a); n > 2*largestBlock {
				t.Fatal("ids never end without etcd")
			}
		}
		if d := time.Since(began); d > soon {
			t.Errorf("errors took %v", d)
		}
		if !strings.Contains(err.Error(), "does not answer") {
			t.Errorf("the error does not say what is wrong: %v", err)
		}
		etcd.Start()
		eventually(t, "the stores are well again", func() bool { return a.Healthy() && b.Healthy() })
		eventually(t, "ids are handed out again", func() bool { return take(a) == nil && take(b) == nil })
		m, err := b.Update(ctx, addShard("r"+strconv.Itoa(round)))
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "changes are seen again", func() bool { return a.Map().Version == m.Version })
	}
}

// A stalled etcd keeps its connections and answers nothing.
func TestEtcdStalls(t *testing.T) {
	t.Parallel()
	etcd := testkit.Etcd(t)
	a := must(t, &external{etcd: etcd}, Options{Node: "a", Initial: spec(2)})
	etcd.Pause()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if _, err := a.Update(ctx, addShard("lost")); err == nil {
		t.Error("Update succeeded without etcd")
	}
	if _, err := a.NextIDs(context.Background(), "t", 1, floor(0)); err == nil {
		t.Error("ids without etcd")
	}
	if err := a.RaiseRange(context.Background(), "t", 7, 7, floor(0)); err == nil {
		t.Error("raised without etcd")
	}
	eventually(t, "the store notices", func() bool { return !a.Healthy() })
	etcd.Resume()
	eventually(t, "the store is well again", a.Healthy)
}

func TestStartWithoutEtcd(t *testing.T) {
	t.Parallel()
	etcd := testkit.Etcd(t)
	w := &external{etcd: etcd}
	dir := t.TempDir()
	a, err := w.open(t, Options{Node: "a", DataDir: dir, Initial: spec(2)})
	if err != nil {
		t.Fatal(err)
	}
	m, err := a.Update(context.Background(), addShard("s2"))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the map is on disk", func() bool {
		saved, err := a.dir.loadMap("/sluice")
		return err == nil && saved != nil && saved.Version == m.Version
	})
	a.Close()
	if info, err := os.Stat(filepath.Join(dir, mapFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the passwords in the map are open to others: %v, %v", info.Mode(), err)
	}
	etcd.Kill()

	// Nothing on disk, or that of another cluster: it says so within its context.
	for name, opts := range map[string]Options{"empty": {Initial: spec(2)}, "other": {DataDir: dir, Prefix: "/other", Initial: spec(2)}} {
		opts = complete(t, opts)
		opts.Endpoints = []string{etcd.Addr}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		s, err := Open(ctx, opts)
		cancel()
		if err == nil {
			s.Close()
			t.Fatalf("%s: opened without a map", name)
		}
		if !strings.Contains(err.Error(), "does not answer") || !strings.Contains(err.Error(), etcd.Addr) {
			t.Errorf("%s: the error does not say what is wrong: %v", name, err)
		}
	}

	a = must(t, w, Options{Node: "a", DataDir: dir, Initial: spec(2)})
	if a.Map().Version != m.Version || len(a.Map().Spec.Shards) != 3 {
		t.Errorf("version %d is served, want %d", a.Map().Version, m.Version)
	}
	if a.Healthy() {
		t.Error("healthy without etcd")
	}
	if _, err := a.NextIDs(context.Background(), "t", 1, floor(0)); err == nil {
		t.Error("ids without etcd")
	}
	etcd.Start()
	eventually(t, "the store finds etcd", a.Healthy)
	b := must(t, w, Options{Node: "b"})
	m, err = b.Update(context.Background(), addShard("s3"))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "changes are seen", func() bool { return a.Map().Version == m.Version })
	if _, err := a.NextIDs(context.Background(), "t", 1, floor(0)); err != nil {
		t.Error(err)
	}
}

// An etcd that lost what this proxy has served would send rows to the wrong shards.
func TestEtcdThatForgotIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := &external{etcd: testkit.Etcd(t)}
	s := must(t, first, Options{Node: "a", DataDir: dir, Initial: spec(2)})
	if _, err := s.Update(context.Background(), addShard("s2")); err != nil {
		t.Fatal(err)
	}
	s.Close()
	second := &external{etcd: testkit.Etcd(t)}
	refused := func(what string) {
		t.Helper()
		s, err := second.open(t, Options{Node: "a", DataDir: dir, Initial: spec(2)})
		if err == nil {
			s.Close()
			t.Fatalf("an etcd with %s is accepted", what)
		}
		if !strings.Contains(err.Error(), mapFile) {
			t.Errorf("the error does not say what to do: %v", err)
		}
	}
	refused("no map")
	other := must(t, second, Options{Node: "b", Initial: spec(4)})
	refused("an older map")

	// A running proxy keeps its map too.
	before := other.Map()
	m, err := other.Update(context.Background(), func(s *shard.Spec) error { s.Shards[0].Replicas = []string{"r:1"}; return nil })
	if err != nil {
		t.Fatal(err)
	}
	if other.stored.maps.publish(before) || other.Map().Version != m.Version {
		t.Error("an older map is served")
	}
}

// A proxy that is killed and started again at once has its name back, and no id that it
// handed out comes again.
func TestKilledProxy(t *testing.T) {
	t.Parallel()
	t.Run("embedded", func(t *testing.T) { killed(t, nil) })
	t.Run("external", func(t *testing.T) { killed(t, []string{testkit.Etcd(t).Addr}) })
}

func killed(t *testing.T, endpoints []string) {
	dir := testkit.Dir(t, "killed")
	used := map[uint64]bool{}
	version := ""
	for round := range 3 {
		cmd := childCommand(t, Options{Node: "px1", DataDir: dir, Endpoints: endpoints})
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; n < 500*(round+1) && lines.Scan(); {
			what, value, _ := strings.Cut(lines.Text(), " ")
			switch what {
			case "map":
				if version != "" && version != value {
					t.Errorf("map version %s, after a kill %s", version, value)
				}
				version = value
			case "id":
				id, err := strconv.ParseUint(value, 10, 64)
				if err != nil || used[id] {
					t.Fatalf("id %q came again", value)
				}
				used[id] = true
				n++
			default:
				t.Errorf("round %d: %s", round, lines.Text())
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it had printed when it died
			if _, value, ok := strings.Cut(lines.Text(), "id "); ok {
				if id, err := strconv.ParseUint(value, 10, 64); err == nil {
					used[id] = true
				}
			}
		}
		cmd.Wait()
	}
	if len(used) < 3000 {
		t.Errorf("only %d ids", len(used))
	}
}
