package session

import (
	"slices"
	"strings"

	"sluice/txn"
	"sluice/wire"
)

// nextTx is what SET TRANSACTION says of the next transaction only.
type nextTx struct{ isolation, access string }

// text gives the SET TRANSACTION statement, "" for nothing.
func (n nextTx) text() string {
	switch {
	case n.isolation != "" && n.access != "":
		return "SET TRANSACTION ISOLATION LEVEL " + n.isolation + ", " + n.access
	case n.isolation != "":
		return "SET TRANSACTION ISOLATION LEVEL " + n.isolation
	case n.access != "":
		return "SET TRANSACTION " + n.access
	}
	return ""
}

// transaction is a session's open transaction, and what SET TRANSACTION says of it and of the
// next one.
type transaction struct {
	txn.Tx
	state *state

	next    nextTx // for the next transaction only
	applied nextTx // to the running statement, which may open one
	given   nextTx // to the open transaction
	guarded bool   // a savepoint of the session's own stands before the running statement

	temporary temporaries
}

// temporaries says what has become of temporary tables since the transaction began: the servers warn at a
// rollback of those that the client has made and of the copies of statements over several shards alike.
type temporaries struct {
	made, dropped bool // by the client
	copies        bool
}

// own leaves out of a rollback's warnings those that the client's own temporary tables are no reason for.
func (t *transaction) own(said [][][]byte, toSavepoint bool) [][][]byte {
	return slices.DeleteFunc(said, func(row [][]byte) bool {
		if len(row) < 2 {
			return false
		}
		switch string(row[1]) {
		case "1751": // ER_WARNING_NOT_COMPLETE_ROLLBACK_WITH_CREATED_TEMP_TABLE
			return !t.temporary.made
		case "1752": // … WITH_DROPPED_TEMP_TABLE
			return !t.temporary.dropped
		case "1196": // MariaDB's word for them at a savepoint (trans_rollback_to_savepoint), and for tables without transactions
			return toSavepoint && t.state.mode.MariaDB && t.temporary.copies && !t.temporary.made
		}
		return false
	})
}

// start opens a transaction with what SET TRANSACTION has said.
func (t *transaction) start(begin string) {
	t.given, t.next, t.temporary = t.next, nextTx{}, temporaries{}
	t.Begin(begin, t.given.text())
}

// startImplicit opens the transaction that a statement opens under autocommit=0.
func (t *transaction) startImplicit() {
	t.given, t.next = t.next, nextTx{}
	t.BeginImplicit(false, t.given.text())
}

// startStatement opens the transaction of a statement that writes on several shards.
func (t *transaction) startStatement() { t.BeginStatement(t.next.text()) }

// spend notes that next was said on a connection for the running statement. It is used up by a
// statement that uses tables, and by a COMMIT (trans_commit_stmt, trans_reset_one_shot_chistics).
func (t *transaction) spend(usedTables bool) {
	t.applied = t.next
	if usedTables {
		t.next = nextTx{}
	}
}

// found takes note of a transaction that a server has opened with the statement.
func (t *transaction) found() {
	t.given = t.applied
	t.BeginImplicit(t.state.autocommit(), t.given.text())
}

// sessionSet is told of SET SESSION TRANSACTION before it: an open transaction stays as it is;
// otherwise it is the last word about the next one, too.
func (t *transaction) sessionSet(isolation, access bool) {
	if t.Open() {
		if isolation || access {
			t.freeze()
		}
		return
	}
	if isolation {
		t.next.isolation = ""
	}
	if access {
		t.next.access = ""
	}
}

// serializable tells whether every SELECT in the open transaction may wait for locks.
func (t *transaction) serializable() bool {
	isolation := t.given.isolation
	if isolation == "" {
		isolation = t.state.vars.plain(t.state.h.defaults.isolationVar())
	}
	return strings.EqualFold(isolation, "SERIALIZABLE")
}

// freeze keeps the open transaction as it is when the session's characteristics change.
func (t *transaction) freeze() {
	if t.given.isolation == "" {
		t.given.isolation = strings.ReplaceAll(t.state.vars.plain(t.state.h.defaults.isolationVar()), "-", " ")
	}
	if t.given.access == "" {
		t.given.access = "READ WRITE"
		if t.state.vars.plain(t.state.h.defaults.readOnlyVar()) == "1" {
			t.given.access = "READ ONLY"
		}
	}
	t.Freeze(t.given.text())
}

// status gives the status flags of an answer that no server gave.
func (t *transaction) status() uint16 {
	var st uint16
	if t.state.autocommit() {
		st |= wire.StatusAutocommit
	}
	if t.Open() && !t.Statement() {
		st |= wire.StatusInTrans
		if t.given.access == "READ ONLY" || t.given.access == "" && t.state.vars.plain(t.state.h.defaults.readOnlyVar()) == "1" {
			st |= wire.StatusInTransReadonly
		}
	}
	if t.state.mode.NoBackslashEscapes {
		st |= wire.StatusNoBackslashEscapes
	}
	return st
}
