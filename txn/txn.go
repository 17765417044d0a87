// Package txn holds a client's transaction: the connections that take part in it, one a
// shard, and how it ends. A transaction that stays on one shard is that server's own,
// with no extra cost. Reads may join on other shards (each with its own snapshot); a
// write on a second shard is refused until the atomic commit over shards is built.
//
//	         Begin            first statement on a shard
//	(none) ───────▶ open ────────────────────────────▶ open, legs joined ──┐
//	   ▲                                                                    │
//	   └───────────── Commit · Rollback · a leg lost (Broken) ◀─────────────┘
//
// A Tx is used by one goroutine at a time.
package txn

import (
	"errors"
	"strings"

	"sluice/backend"
)

// ErrSecondWriter says that a leg would be the second shard that the transaction writes
// on. Nothing was sent.
var ErrSecondWriter = errors.New("a transaction writes on one shard only")

// Leg is one shard's part of a transaction.
type Leg struct {
	Conn  *backend.Conn
	Shard string
	Write bool
}

// Tx is a transaction. The zero value is no transaction.
type Tx struct {
	open       bool
	statement  bool   // around one autocommit statement that writes on several shards
	begin      string // statement that opens a leg; "" under autocommit=0: the server opens it
	next       string // SET TRANSACTION … that applies to this transaction only
	legs       []Leg
	savepoints savepoints // replayed on legs that join later
}

// Open tells whether a transaction is open, with or without legs.
func (t *Tx) Open() bool { return t.open }

// Legs lists the shards that take part. The slice is the Tx's own.
func (t *Tx) Legs() []Leg { return t.legs }

// Begin opens an explicit transaction; no shard is touched yet. begin is the statement
// that opens a leg ("BEGIN", "START TRANSACTION READ ONLY"); characteristics is a SET
// TRANSACTION statement to run before it, or "".
func (t *Tx) Begin(begin, characteristics string) {
	*t = Tx{open: true, begin: begin, next: characteristics, legs: t.legs[:0]}
}

// BeginStatement opens the transaction around one autocommit statement that writes on
// several shards: every leg may write, and the caller commits or rolls back at its end.
func (t *Tx) BeginStatement() {
	*t = Tx{open: true, statement: true, begin: "BEGIN", legs: t.legs[:0]}
}

// BeginImplicit notes that a server has opened, or will open, a transaction by itself:
// under autocommit=0 every leg does, otherwise (a procedure opened it) other legs need a BEGIN.
// characteristics is as in Begin; the first leg has it already.
func (t *Tx) BeginImplicit(autocommit bool, characteristics string) {
	*t = Tx{open: true, next: characteristics, legs: t.legs[:0]}
	if autocommit {
		t.begin = "BEGIN"
	}
}

// Chain gives what Begin needs for a transaction with the same characteristics, for AND
// CHAIN. A consistent snapshot is not one of them.
func (t *Tx) Chain() (begin, characteristics string) {
	begin = strings.Replace(t.begin, Snapshot+", ", "", 1)
	begin = strings.TrimSpace(strings.Replace(begin, Snapshot, "", 1))
	return strings.TrimSuffix(begin, ","), t.next
}

// Freeze gives an open transaction the characteristics that it has, in a SET TRANSACTION
// statement, because the session's own are about to change: legs that join later, and a
// transaction that follows with AND CHAIN, must not get those.
func (t *Tx) Freeze(characteristics string) { t.next = characteristics }

// Snapshot is the characteristic of START TRANSACTION that opens the read view at once.
const Snapshot = "WITH CONSISTENT SNAPSHOT"

// Marks tells whether Join leaves something on a connection that it does not take, which
// only a COMMIT removes: savepoints, or the characteristics of the next transaction.
func (t *Tx) Marks() bool { return len(t.savepoints) > 0 || t.next != "" }

// Statement tells whether the transaction is that of one statement.
func (t *Tx) Statement() bool { return t.statement }

// Leg gives the connection of a shard, or nil when it has not joined.
func (t *Tx) Leg(shard string) *backend.Conn {
	for i := range t.legs {
		if t.legs[i].Shard == shard {
			return t.legs[i].Conn
		}
	}
	return nil
}

// MayWrite is nil when the shard may write in this transaction, else ErrSecondWriter.
func (t *Tx) MayWrite(shard string) error {
	if t.statement {
		return nil
	}
	for i := range t.legs {
		if t.legs[i].Write && t.legs[i].Shard != shard {
			return ErrSecondWriter
		}
	}
	return nil
}

// NoteWrite marks a leg as one that wrote.
func (t *Tx) NoteWrite(shard string) {
	for i := range t.legs {
		if t.legs[i].Shard == shard {
			t.legs[i].Write = true
		}
	}
}

// Join opens the transaction on a connection and takes it. Where the server opens it
// itself the connection is not taken: it may turn out not to be in one after its statement,
// and Take takes it when it is. On error the connection is not taken and the caller closes it.
func (t *Tx) Join(c *backend.Conn, shard string) (taken bool, err error) {
	if t.next != "" {
		if _, err := c.Exec(t.next); err != nil {
			return false, err
		}
	}
	if t.begin != "" {
		if _, err := c.Exec(t.begin); err != nil {
			return false, err
		}
	}
	for _, name := range t.savepoints {
		if _, err := c.Exec("SAVEPOINT " + quote(name)); err != nil {
			return false, err
		}
	}
	if t.begin == "" {
		return false, nil
	}
	t.Take(c, shard)
	return true, nil
}

// Take adds a connection on which the server has opened the transaction already.
func (t *Tx) Take(c *backend.Conn, shard string) {
	t.legs = append(t.legs, Leg{Conn: c, Shard: shard})
}

// Drop takes a leg out: its connection was lost or its server ended the transaction. The
// connection stays the caller's.
func (t *Tx) Drop(shard string) {
	for i := range t.legs {
		if t.legs[i].Shard == shard {
			t.legs = append(t.legs[:i], t.legs[i+1:]...)
			return
		}
	}
}

// Ended is a connection that a transaction gives back.
type Ended struct {
	Conn  *backend.Conn
	Shard string
	Clean bool // it may go back to its pool; otherwise it has to be closed
}

// PartialError says that a COMMIT over several shards did not happen everywhere.
type PartialError struct {
	Committed []string // shards
	Failed    string   // the shard whose COMMIT failed or whose answer was lost
	Err       error
}

func (e *PartialError) Error() string { return e.Err.Error() }
func (e *PartialError) Unwrap() error { return e.Err }

// Commit ends the transaction: legs that only read first and without regard, then the one
// that wrote. With BeginStatement several legs have written: after a failure the rest is
// rolled back, and *PartialError says if some had been committed already. All connections
// come back in ended.
func (t *Tx) Commit() (ended []Ended, err error) {
	var committed []string
	for pass := range 2 {
		for i := range t.legs {
			leg := &t.legs[i]
			if leg.Write != (pass == 1) {
				continue
			}
			verb := "COMMIT"
			if err != nil {
				verb = "ROLLBACK"
			}
			_, legErr := leg.Conn.Exec(verb)
			ended = append(ended, Ended{leg.Conn, leg.Shard, legErr == nil})
			switch {
			case legErr == nil && verb == "COMMIT" && leg.Write:
				committed = append(committed, leg.Shard)
			case legErr != nil && leg.Write && err == nil:
				err = legErr
				if t.statement {
					err = &PartialError{Committed: committed, Failed: leg.Shard, Err: legErr}
				}
			}
		}
	}
	*t = Tx{legs: t.legs[:0]}
	return ended, err
}

// Rollback ends the transaction everywhere. A leg whose ROLLBACK fails is closed by the
// caller, which rolls it back at the server.
func (t *Tx) Rollback() (ended []Ended) {
	for i := range t.legs {
		_, err := t.legs[i].Conn.Exec("ROLLBACK")
		ended = append(ended, Ended{t.legs[i].Conn, t.legs[i].Shard, err == nil})
	}
	*t = Tx{legs: t.legs[:0]}
	return ended
}
