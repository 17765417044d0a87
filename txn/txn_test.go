package txn

import (
	"context"
	"errors"
	"testing"

	"sluice/wire"
)

// TestSavepoints: names are compared without case, the same name again is a new one, and
// what lies behind a savepoint is gone with it.
func TestSavepoints(t *testing.T) {
	var tx Tx
	tx.Begin("BEGIN", "")
	for _, name := range []string{"a", "b", "c", "B"} {
		if err := tx.Savepoint(name); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tx.RollbackTo("A"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"b", "c"} {
		var e *wire.Error
		if _, err := tx.RollbackTo(name); !errors.As(err, &e) || e.Code != 1305 {
			t.Errorf("ROLLBACK TO %s: %v", name, err)
		}
	}
	if err := tx.Release("a"); err != nil {
		t.Fatal(err)
	}
	if tx.Marks() {
		t.Error("a savepoint is left")
	}
}

// TestChain: characteristics go on, a consistent snapshot does not.
func TestChain(t *testing.T) {
	for _, c := range []struct{ begin, want string }{
		{"BEGIN", "BEGIN"},
		{"START TRANSACTION READ ONLY", "START TRANSACTION READ ONLY"},
		{"START TRANSACTION WITH CONSISTENT SNAPSHOT", "START TRANSACTION"},
		{"START TRANSACTION READ ONLY, WITH CONSISTENT SNAPSHOT", "START TRANSACTION READ ONLY"},
		{"START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", "START TRANSACTION READ ONLY"},
	} {
		var tx Tx
		tx.Begin(c.begin, "SET TRANSACTION READ WRITE")
		if begin, next := tx.Chain(); begin != c.want || next != "SET TRANSACTION READ WRITE" {
			t.Errorf("%q: %q, %q", c.begin, begin, next)
		}
	}
}

// TestEnds: no transaction is open after it has ended, however it did.
func TestEnds(t *testing.T) {
	for name, end := range map[string]func(*Tx){
		"commit":   func(tx *Tx) { _, _ = tx.Commit(context.Background(), true) },
		"rollback": func(tx *Tx) { tx.Rollback() },
	} {
		var tx Tx
		tx.BeginStatement("")
		if !tx.Open() || !tx.Statement() || tx.MayWrite(context.Background(), "any") != nil {
			t.Errorf("%s: not open", name)
		}
		end(&tx)
		if tx.Open() || tx.Statement() {
			t.Errorf("%s: still open", name)
		}
	}
}
