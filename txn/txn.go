// Package txn holds a client's transaction: the connections that take part in it, one a
// shard, and how it ends. A transaction that stays on one shard is that server's own,
// with no extra cost. Every further shard that joins does so by XA START; when one of
// them has written, COMMIT is a two-phase commit whose decision is a row on the first
// shard, committed there together with the data. Decisions finishes what a proxy that died
// has left. There is no snapshot over several shards: each has its own.
//
//	         Begin            first statement on a shard
//	(none) ───────▶ open ────────────────────────────▶ open, legs joined ──┐
//	   ▲                                                                    │
//	   └─────────────── Commit · Rollback · a leg lost (Drop) ◀─────────────┘
//
// A Tx is used by one goroutine at a time.
package txn

import (
	"context"
	"errors"
	"slices"
	"time"

	"sluice/backend"
)

// Tx is a transaction. The zero value is no transaction.
type Tx struct {
	Decisions *Decisions // of the proxy

	open      bool
	statement bool // around one autocommit statement that writes on several shards
	characteristics
	parts
	savepoints savepoints // replayed on legs that join later
	home       string     // the first shard, which coordinates
	identity
}

// identity is by what people know a transaction.
type identity struct {
	gtrid string // its name, once there is a second shard
	since time.Time
}

// Open tells whether a transaction is open, with or without legs.
func (t *Tx) Open() bool { return t.open }

// Begin opens an explicit transaction; no shard is touched yet. begin is the statement
// that opens a leg ("BEGIN", "START TRANSACTION READ ONLY"); next is a SET
// TRANSACTION statement to run before it, or "".
func (t *Tx) Begin(begin, next string) {
	t.start(Tx{open: true, characteristics: characteristics{begin, next}})
}

// BeginStatement opens the transaction around one autocommit statement that writes on
// several shards: every leg may write, and the caller commits or rolls back at its end. next is
// as in Begin.
func (t *Tx) BeginStatement(next string) {
	t.start(Tx{open: true, statement: true, characteristics: characteristics{"BEGIN", next}})
}

// BeginImplicit notes that a server has opened, or will open, a transaction by itself:
// under autocommit=0 every leg does, otherwise (a procedure opened it) other legs need a BEGIN.
// next is as in Begin; the first leg has it already.
func (t *Tx) BeginImplicit(autocommit bool, next string) {
	t.start(Tx{open: true, characteristics: characteristics{next: next}})
	if autocommit {
		t.begin = "BEGIN"
	}
}

// Marks tells whether Join leaves something on a connection that it does not take, which
// only a COMMIT removes: savepoints, or the characteristics of the next transaction.
func (t *Tx) Marks() bool { return len(t.savepoints) > 0 || t.next != "" }

// Statement tells whether the transaction is that of one statement.
func (t *Tx) Statement() bool { return t.statement }

// MayWrite is asked before a shard writes: it makes sure that the atomic commit will be
// possible. The error says what a DBA has to do; nothing was sent.
func (t *Tx) MayWrite(ctx context.Context, shard string) error {
	if !t.open || len(t.legs) == 0 || t.home == shard || t.readOnly() { // which the server itself refuses
		return nil
	}
	for i := range t.legs {
		if l := &t.legs[i]; l.Shard == shard && l.Branch == "" {
			return errors.New("the transaction has read from shard " + shard + " in a way that allows no write there; begin it again")
		}
	}
	if t.Decisions.isReady(t.home) {
		return nil
	}
	t.legs[0].Conn.Leave()
	return t.Decisions.Ready(ctx, t.home)
}

// Since is when the transaction was opened.
func (i *identity) Since() time.Time { return i.since }

// Name is the transaction's gtrid, "" on one shard.
func (i *identity) Name() string { return i.gtrid }

// Several tells whether the transaction is one over several shards.
func (i *identity) Several() bool { return i.gtrid != "" }

// Take adds a connection on which the server has opened the transaction already.
func (t *Tx) Take(c *backend.Conn, shard string) {
	if t.gtrid == "" && len(t.legs) == 0 {
		t.home = shard
	}
	t.legs = append(t.legs, Leg{Conn: c, Shard: shard, awake: true, driven: c.Driven()})
}

// Commit ends the transaction: on one shard by that server's COMMIT, on several that
// wrote by a two-phase commit. All connections come back in ended. The error is a server's
// *wire.Error, that of a lost connection, *RolledBack or *Unknown. parts: the connections of all go back to their pools, so that
// what those answer that have only read may be read by who has them next.
func (t *Tx) Commit(ctx context.Context, parts bool) (ended []Ended, err error) {
	defer t.start(Tx{})
	for i := range t.legs {
		if t.legs[i].Write && t.legs[i].Branch != "" {
			t.legs[i].Conn.Leave()
			c := &commit{t: t, d: t.Decisions, ctx: ctx, began: time.Now()}
			err := c.run()
			return c.ended, err
		}
	}
	return t.each((*Leg).leave, true, parts)
}

// Rollback ends the transaction everywhere. A leg whose ROLLBACK fails is closed by the
// caller, which rolls it back at the server. said are the rows of SHOW WARNINGS: what could not be rolled back.
func (t *Tx) Rollback() (ended []Ended, said [][][]byte) {
	defer t.start(Tx{})
	ended, _ = t.each((*Leg).undo, false, false) // after what takes bounds back the servers know of no warning
	for i := range ended {
		e := &ended[i]
		if e.Clean && e.warned {
			rows, err := conditions(e.Conn)
			e.Clean, said = err == nil, join(said, rows)
		}
	}
	undone(ended)
	return ended, said
}

// undone takes the bound of the waits for locks back on legs that have ended.
func undone(ended []Ended) {
	if !slices.ContainsFunc(ended, func(e Ended) bool { return e.restore != "" }) {
		return
	}
	list := make([]saying, len(ended))
	for i, e := range ended {
		if list[i].conn = e.Conn; e.Clean && e.restore != "" {
			list[i].statements = []string{e.restore}
		}
	}
	_ = sayEach(list) // each has its own
	for i := range ended {
		ended[i].Clean = ended[i].Clean && list[i].err == nil
	}
}

// start makes the Tx another transaction, of the same proxy.
func (t *Tx) start(next Tx) {
	if next.Decisions, next.legs = t.Decisions, t.legs[:0]; next.open {
		next.since = time.Now()
	}
	*t = next
}
