package session

import (
	"context"
	"strings"

	"sluice/query"
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

// isolationVar and readOnlyVar are the servers' names of the variables.
func (d *defaults) isolationVar() string {
	if d.mode.MariaDB && d.mode.ServerVersion < 110100 {
		return "tx_isolation"
	}
	return "transaction_isolation"
}

func (d *defaults) readOnlyVar() string {
	if d.mode.MariaDB && d.mode.ServerVersion < 110100 {
		return "tx_read_only"
	}
	return "transaction_read_only"
}

// freezeTx keeps an open transaction as it is when the session's characteristics change.
func (s *Session) freezeTx() {
	if !s.tx.Open() {
		return
	}
	if s.given.isolation == "" {
		s.given.isolation = strings.ReplaceAll(s.vars.plain(s.h.defaults.isolationVar()), "-", " ")
	}
	if s.given.access == "" {
		s.given.access = "READ WRITE"
		if s.vars.plain(s.h.defaults.readOnlyVar()) == "1" {
			s.given.access = "READ ONLY"
		}
	}
	s.tx.Freeze(s.given.text())
}

func characteristicsLate() *wire.Error {
	return &wire.Error{Code: 1568, SQLState: "25001", Message: "Transaction characteristics can't be changed while a transaction is in progress"}
}

// setTransaction carries out SET [SESSION] TRANSACTION.
func (s *Session) setTransaction(st *statement, stmt *query.Statement) error {
	n := nextTx{isolation: strings.ToUpper(strings.ReplaceAll(stmt.Isolation, "-", " "))}
	switch {
	case stmt.TxReadOnly:
		n.access = "READ ONLY"
	case stmt.TxReadWrite:
		n.access = "READ WRITE"
	}
	switch {
	case stmt.TxScope == "global":
		return denied("SUPER")
	case stmt.TxScope == "session":
		changes := map[string]string{}
		if n.isolation != "" {
			changes[s.h.defaults.isolationVar()] = "'" + strings.ReplaceAll(n.isolation, " ", "-") + "'"
		}
		if n.access != "" {
			changes[s.h.defaults.readOnlyVar()] = map[string]string{"READ ONLY": "1", "READ WRITE": "0"}[n.access]
		}
		s.carry(changes)
	case s.tx.Open():
		return characteristicsLate()
	default:
		if n.isolation != "" {
			s.next.isolation = n.isolation
		}
		if n.access != "" {
			s.next.access = n.access
		}
	}
	return s.ok(st, wire.OK{})
}

// beginTx carries out BEGIN and START TRANSACTION. No shard is touched before a statement
// needs one, except for a consistent snapshot, which is of this moment.
func (s *Session) beginTx(ctx context.Context, st *statement, stmt *query.Statement) error {
	old, open := s.given, s.tx.Open()
	if err := s.commit(); err != nil {
		return err
	}
	if open && !s.mode.MariaDB {
		s.next = old // MySQL's trans_begin commits without taking SET TRANSACTION and READ ONLY back
	}
	s.openTx(beginText(stmt))
	switch {
	case stmt.TxReadOnly:
		s.given.access = "READ ONLY"
	case stmt.TxReadWrite:
		s.given.access = "READ WRITE"
	}
	if stmt.TxSnapshot {
		if err := s.snapshotEverywhere(ctx); err != nil {
			s.rollbackAll()
			return err
		}
	}
	return s.ok(st, wire.OK{})
}

// beginText says BEGIN in the words that txn.Tx knows.
func beginText(stmt *query.Statement) string {
	var words []string
	if stmt.TxSnapshot {
		words = append(words, txn.Snapshot)
	}
	switch {
	case stmt.TxReadOnly:
		words = append(words, "READ ONLY")
	case stmt.TxReadWrite:
		words = append(words, "READ WRITE")
	}
	if len(words) == 0 {
		return "BEGIN"
	}
	return "START TRANSACTION " + strings.Join(words, ", ")
}

// openTx opens a transaction with what SET TRANSACTION has said.
func (s *Session) openTx(begin string) {
	s.given, s.next = s.next, nextTx{}
	s.tx.Begin(begin, s.given.text())
}

// snapshotEverywhere opens the transaction on all shards that the schema's tables are on.
// Each takes its own snapshot, one after the other.
func (s *Session) snapshotEverywhere(ctx context.Context) error {
	m := s.h.topo.Map()
	shards := []string{s.defaultShard()}
	if sc := m.Schema(s.schema); sc == nil || !sc.PassThrough() {
		shards = shards[:0]
		for _, sh := range m.Spec.Shards {
			shards = append(shards, sh.Name)
		}
	}
	for _, shard := range shards {
		l, err := s.connection(ctx, shard)
		if err != nil {
			return err
		}
		if l.kind != fromTx {
			s.giveBack(l.conn, false) // a transaction that has just begun takes every connection
		}
	}
	return nil
}

// endTx carries out COMMIT and ROLLBACK.
func (s *Session) endTx(st *statement, stmt *query.Statement) error {
	begin, characteristics := s.tx.Chain()
	wasOpen := s.tx.Open()
	if stmt.Kind == query.Commit {
		if err := s.commit(); err != nil {
			return err
		}
	} else {
		s.rollbackAll()
	}
	switch {
	case stmt.Chain && wasOpen:
		s.tx.Begin(begin, characteristics)
	case stmt.Chain:
		s.openTx("BEGIN")
	case stmt.Release:
		s.gone = true
	}
	return s.ok(st, wire.OK{})
}

// savepoint carries out SAVEPOINT, ROLLBACK TO SAVEPOINT and RELEASE SAVEPOINT.
func (s *Session) savepoint(st *statement, stmt *query.Statement) error {
	var err error
	switch stmt.SavepointOp {
	case "savepoint":
		if !s.tx.Open() {
			if s.autocommit() {
				break // without a transaction it is over as soon as it is said
			}
			s.given, s.next = s.next, nextTx{}
			s.tx.BeginImplicit(false, s.given.text())
		}
		err = s.tx.Savepoint(stmt.Savepoint)
	case "rollback":
		err = s.tx.RollbackTo(stmt.Savepoint)
	case "release":
		err = s.tx.Release(stmt.Savepoint)
	default:
		return notBuilt("this form of SAVEPOINT is not understood")
	}
	if err != nil {
		if !inOrder(err) {
			s.txLost()
		}
		return err
	}
	return s.ok(st, wire.OK{})
}
