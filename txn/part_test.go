package txn

import (
	"context"
	"fmt"
	"testing"
	"time"

	"sluice/backend"
	"sluice/internal/testkit"
	"sluice/shard"
)

// named is a topology that only gives names.
type named struct{ Topology }

func (named) Process() string                         { return "p1" }
func (named) Cluster(context.Context) (string, error) { return "c1", nil }

// TestCommitWaits: only a part that has read, and locked nothing, need not have answered when the client hears that its
// transaction was committed.
func TestCommitWaits(t *testing.T) {
	t.Parallel()
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) { testCommitWaits(t, testkit.Shared(t, flavor, 0), testkit.Shared(t, flavor, 1)) })
	}
}

func testCommitWaits(t *testing.T, servers ...*testkit.Server) {
	spec := shard.Spec{Backend: shard.Backend{User: "sluice", Password: "sluice", MaxConnections: 1}}
	for i, s := range servers {
		spec.Shards = append(spec.Shards, shard.Shard{Name: fmt.Sprint("s", i), Primary: s.Addr})
	}
	p := backend.Open(backend.Options{}, &shard.Map{Version: 1, Spec: spec})
	t.Cleanup(p.Close)
	others := make(chan *backend.Conn, 1)
	wanted := func(tx *Tx) {
		go func() {
			conn, _ := p.Get(context.Background(), "s0", backend.Class{}, "", nil)
			others <- conn
		}()
		for !tx.legs[0].Conn.Wanted() {
			time.Sleep(time.Millisecond)
		}
	}
	decisions := NewDecisions(Options{Topology: named{}})
	for _, c := range []struct {
		name     string
		lockless bool
		then     func(*Tx)
		parts    bool
		waits    [2]bool // of the first part, and of the second, which only reads
	}{
		{"it has read", true, func(*Tx) {}, true, [2]bool{false, false}},
		{"its connection stays", true, func(*Tx) {}, false, [2]bool{true, true}},
		{"it locks", false, func(*Tx) {}, true, [2]bool{true, false}},
		{"it locks later", true, func(tx *Tx) { _ = tx.Bound("s0", "") }, true, [2]bool{true, false}},
		{"it writes", true, func(tx *Tx) { tx.NoteWrite("s0") }, true, [2]bool{true, false}},
		{"another waits for its connection", true, wanted, true, [2]bool{true, false}},
	} {
		tx := Tx{Decisions: decisions}
		tx.Begin("BEGIN", "")
		var legs [2]*backend.Conn
		for i := range legs {
			conn, err := p.Get(t.Context(), fmt.Sprint("s", i), backend.Class{}, "", nil)
			if err != nil {
				t.Fatal(err)
			}
			legs[i] = conn
			if _, err := tx.Join(t.Context(), conn, Joining{Lockless: c.lockless || i > 0}); err != nil {
				t.Fatal(err)
			}
		}
		c.then(&tx)
		ended, err := tx.Commit(t.Context(), c.parts)
		if err != nil || len(ended) != 2 || !ended[0].Clean || !ended[1].Clean {
			t.Fatalf("%s: %v, %v", c.name, ended, err)
		}
		for i, conn := range legs {
			if conn.Owes() == c.waits[i] {
				t.Errorf("%s: the answer of part %d was waited for: %v", c.name, i, !conn.Owes())
			}
			conn.Put()
			if c.name == "another waits for its connection" && i == 0 {
				(<-others).Put()
			}
			again, err := p.Get(t.Context(), conn.Shard(), backend.Class{}, "", nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := again.Exec("BEGIN"); err != nil { // refused within a branch
				t.Errorf("%s: after part %d: %v", c.name, i, err)
			}
			if _, err := again.Exec("COMMIT"); err != nil {
				t.Errorf("%s: after part %d: %v", c.name, i, err)
			}
			again.Put()
		}
	}
}
