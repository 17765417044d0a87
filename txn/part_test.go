package txn

import (
	"testing"

	"sluice/backend"
	"sluice/internal/testkit"
	"sluice/shard"
)

// TestCommitWaits: only a part that has read, and locked nothing, need not have answered when the client hears that its
// transaction was committed.
func TestCommitWaits(t *testing.T) {
	t.Parallel()
	s := testkit.Shared(t, testkit.MariaDBFlavor, 0)
	m := &shard.Map{Version: 1, Spec: shard.Spec{
		Backend: shard.Backend{User: "sluice", Password: "sluice"},
		Shards:  []shard.Shard{{Name: "s0", Primary: s.Addr}},
	}}
	p := backend.Open(backend.Options{}, m)
	t.Cleanup(p.Close)
	for _, c := range []struct {
		name     string
		lockless bool
		then     func(*Tx)
		parts    bool
		waits    bool
	}{
		{"it has read", true, func(*Tx) {}, true, false},
		{"its connection stays", true, func(*Tx) {}, false, true},
		{"it locks", false, func(*Tx) {}, true, true},
		{"it locks later", true, func(tx *Tx) { _ = tx.Bound("s0", "") }, true, true},
		{"it writes", true, func(tx *Tx) { tx.NoteWrite("s0") }, true, true},
	} {
		conn, err := p.Get(t.Context(), "s0", backend.Class{}, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		var tx Tx
		tx.Begin("BEGIN", "")
		if _, err := tx.Join(t.Context(), conn, Joining{Lockless: c.lockless}); err != nil {
			t.Fatal(err)
		}
		c.then(&tx)
		ended, err := tx.Commit(t.Context(), c.parts)
		if err != nil || len(ended) != 1 || !ended[0].Clean {
			t.Fatalf("%s: %v, %v", c.name, ended, err)
		}
		if conn.Owes() == c.waits {
			t.Errorf("%s: its answer was waited for: %v", c.name, !conn.Owes())
		}
		conn.Put()
	}
}
