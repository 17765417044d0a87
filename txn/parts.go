package txn

import (
	"time"

	"sluice/backend"
)

// Leg is one shard's part of a transaction.
type Leg struct {
	Conn    *backend.Conn
	Shard   string
	Write   bool
	Branch  string // of an XA transaction, as it stands behind the verb; "": a transaction of the server's own
	restore string // takes the bound of its waits for locks back; "": there is none
	reads   bool   // it has only read, without locks
	awake   bool   // its connection may be at work
	driven  bool   // by the engine
	lost    bool   // nothing more can be said on the connection
	err     error
}

// parts are the legs of a transaction.
type parts struct {
	legs []Leg
}

// Legs lists the shards that take part. The slice is the Tx's own.
func (t *parts) Legs() []Leg { return t.legs }

// Leg gives the connection of a shard, or nil when it has not joined.
func (t *parts) Leg(shard string) *backend.Conn {
	for i := range t.legs {
		if t.legs[i].Shard == shard {
			return t.legs[i].Conn
		}
	}
	return nil
}

// Wake is Leg for a statement that is about to run there.
func (t *parts) Wake(shard string) *backend.Conn {
	for i := range t.legs {
		if l := &t.legs[i]; l.Shard == shard {
			l.awake = true
			l.Conn.Wake()
			return l.Conn
		}
	}
	return nil
}

// Rest has the connections rest that a statement has woken, or joined: the others are not even looked at.
func (t *parts) Rest() {
	for i := range t.legs {
		if l := &t.legs[i]; l.awake {
			l.awake = false
			l.Conn.Rest()
		}
	}
}

// Driven tells whether no connection is one that a goroutine has to wait for.
func (t *parts) Driven() bool {
	for i := range t.legs {
		if !t.legs[i].driven {
			return false
		}
	}
	return true
}

// Branch tells whether a shard takes part by a branch of an XA transaction.
func (t *parts) Branch(shard string) bool {
	for i := range t.legs {
		if t.legs[i].Shard == shard {
			return t.legs[i].Branch != ""
		}
	}
	return false
}

// NoteWrite marks a leg as one that wrote.
func (t *parts) NoteWrite(shard string) {
	for i := range t.legs {
		if t.legs[i].Shard == shard {
			t.legs[i].Write, t.legs[i].reads = true, false
		}
	}
}

// Drop takes a leg out: its connection was lost or its server ended the transaction. The
// connection stays the caller's, who says restore on it before anybody else gets it.
func (t *parts) Drop(shard string) (restore string) {
	for i := range t.legs {
		if t.legs[i].Shard == shard {
			restore = t.legs[i].restore
			t.legs = append(t.legs[:i], t.legs[i+1:]...)
			break
		}
	}
	return restore
}

// Ended is a connection that a transaction gives back.
type Ended struct {
	Conn  *backend.Conn
	Shard string
	Clean bool // it may go back to its pool; otherwise it has to be closed

	restore string // still to be said
	warned  bool   // by its last statement
}

// each ends all legs at once. The error is that of the leg that wrote: there is no more
// than one when each leg is simply told to commit. A server that hangs holds up nobody for
// longer than answerTime and probeTime. restores: the bounds of waits are taken back as well. parts: who has only read is told,
// and not waited for (backend.Conn.Part): there is nothing that its answer could change.
func (t *parts) each(end func(*Leg) []string, restores, parts bool) (ended []Ended, err error) {
	for i := range t.legs {
		l := &t.legs[i]
		if l.err = errBroken; l.lost {
			continue
		}
		statements := end(l)
		if restores {
			statements = l.last(statements)
		}
		l.reads = l.reads && !l.Conn.Wanted() // who has it next would wait in his stead
		if parts && l.reads {
			l.err = l.Conn.Part(statements...)
			continue
		}
		l.err = sendAll(l.Conn, statements...)
	}
	until := time.Now().Add(answerTime)
	ended = make([]Ended, 0, len(t.legs))
	for i := range t.legs {
		l := &t.legs[i]
		if parts && l.reads && l.err == nil {
			ended = append(ended, Ended{Conn: l.Conn, Shard: l.Shard, Clean: true})
			continue
		}
		warned := false
		for n := range end(l) {
			if l.err == nil || inOrder(l.err) && n > 0 { // XA END fails where the server has rolled back; then the next counts
				warned, l.err = heard(l.Conn, 1, until)
			}
		}
		clean := l.err == nil
		restore := l.restore
		if clean && restores && restore != "" {
			clean, restore = hear(l.Conn, 1, until) == nil, ""
		}
		if clean {
			clean = l.Conn.SetDeadline(time.Time{}) == nil
		}
		if l.err != nil && l.Write && err == nil {
			err = l.err
		}
		ended = append(ended, Ended{l.Conn, l.Shard, clean, restore, warned})
	}
	return ended, err
}

// What nearly all transactions end with. Nothing changes them.
var justCommit, justRollback = []string{"COMMIT"}, []string{"ROLLBACK"}

// leave gives the statements that commit a leg which needs nobody else.
func (l *Leg) leave() []string {
	if l.Branch == "" {
		return justCommit
	}
	// ONE PHASE, because it has written nothing: on MariaDB a crash in the midst of it could
	// leave the binary log without the rows (MDEV-31921).
	return []string{"XA END " + l.Branch, "XA COMMIT " + l.Branch + " ONE PHASE"}
}

// undo gives the statements that roll a leg back.
func (l *Leg) undo() []string {
	if l.Branch == "" {
		return justRollback
	}
	return []string{"XA END " + l.Branch, "XA ROLLBACK " + l.Branch}
}
