package session

import (
	"context"
	"maps"
	"slices"
	"strings"

	"sluice/cache"
	"sluice/query"
	"sluice/txn"
	"sluice/wire"
)

func characteristicsLate() *wire.Error {
	return &wire.Error{Code: 1568, SQLState: "25001", Message: "Transaction characteristics can't be changed while a transaction is in progress"}
}

// verbs are the statements that open, mark and end transactions.
type verbs struct {
	*core
	held   *held
	reply  *reply
	setter *setter
}

// setTransaction carries out SET [SESSION] TRANSACTION.
func (v *verbs) setTransaction(stmt *query.Statement) error {
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
			changes[v.h.defaults.isolationVar()] = "'" + strings.ReplaceAll(n.isolation, " ", "-") + "'"
		}
		if n.access != "" {
			changes[v.h.defaults.readOnlyVar()] = map[string]string{"READ ONLY": "1", "READ WRITE": "0"}[n.access]
		}
		v.setter.carry(changes)
		v.reply.tracker.variables(slices.Collect(maps.Keys(changes))...)
	case v.kept.tx.Open():
		return characteristicsLate()
	default:
		if n.isolation != "" {
			v.kept.tx.next.isolation = n.isolation
		}
		if n.access != "" {
			v.kept.tx.next.access = n.access
		}
	}
	return nil
}

// begin carries out BEGIN and START TRANSACTION. No shard is touched before a statement
// needs one, except for a consistent snapshot, which is of this moment.
func (v *verbs) begin(ctx context.Context, stmt *query.Statement) error {
	old, open := v.kept.tx.given, v.kept.tx.Open()
	if err := v.kept.commit(); err != nil {
		return err
	}
	if open && !v.state.mode.MariaDB {
		v.kept.tx.next = old // MySQL's trans_begin commits without taking SET TRANSACTION and READ ONLY back
	}
	if err := v.kept.unlock(); err != nil {
		return err
	}
	v.kept.tx.start(beginText(stmt))
	switch {
	case stmt.TxReadOnly:
		v.kept.tx.given.access = "READ ONLY"
	case stmt.TxReadWrite:
		v.kept.tx.given.access = "READ WRITE"
	}
	if stmt.TxSnapshot {
		v.kept.under = v.h.topo.Map()
		if err := v.snapshotEverywhere(ctx); err != nil {
			v.kept.rollback()
			return err
		}
	}
	return nil
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

// snapshotEverywhere opens the transaction on all shards that the schema's tables are on.
// Each takes its own snapshot, at once with the others.
func (v *verbs) snapshotEverywhere(ctx context.Context) error {
	m := v.h.topo.Map()
	shards := []string{v.state.defaultShard()}
	if sc := m.Schema(v.state.schema); sc == nil || !sc.PassThrough() {
		shards = shards[:0]
		for _, sh := range m.Spec.Shards {
			shards = append(shards, sh.Name)
		}
	}
	if len(shards) > 1 {
		if err := v.held.join(ctx, shards); err != nil {
			return err
		}
	}
	for _, shard := range shards {
		l, err := v.held.connection(ctx, shard)
		if err != nil {
			return err
		}
		if l.kind != fromTx {
			v.kept.giveBack(l.conn, false) // a transaction that has just begun takes every connection
		}
	}
	return nil
}

// end carries out COMMIT and ROLLBACK. said are its warnings.
func (v *verbs) end(stmt *query.Statement) (said [][][]byte, err error) {
	begin, characteristics := v.kept.tx.Chain()
	wasOpen := v.kept.tx.Open()
	if stmt.Kind == query.Commit {
		if err := v.kept.commit(); err != nil {
			return nil, err
		}
	} else {
		said = v.kept.rollback()
	}
	switch {
	case stmt.Chain && wasOpen:
		v.kept.tx.Begin(begin, characteristics)
	case stmt.Chain:
		v.kept.tx.start("BEGIN")
	case stmt.Release:
		v.kept.gone = true
	default:
		v.kept.tx.next = nextTx{} // also when none was open
	}
	return said, nil
}

// savepoint carries out SAVEPOINT, ROLLBACK TO SAVEPOINT and RELEASE SAVEPOINT. said are its warnings.
func (v *verbs) savepoint(stmt *query.Statement) (said [][][]byte, err error) {
	switch stmt.SavepointOp {
	case "savepoint":
		if !v.kept.tx.Open() {
			if v.state.autocommit() {
				break // without a transaction it is over as soon as it is said
			}
			v.kept.tx.startImplicit()
		}
		err = v.kept.tx.Savepoint(stmt.Savepoint)
	case "rollback":
		said, err = v.kept.tx.RollbackTo(stmt.Savepoint)
		said = v.kept.tx.own(said, true)
	case "release":
		err = v.kept.tx.Release(stmt.Savepoint)
	default:
		return nil, notBuilt("this form of SAVEPOINT is not understood")
	}
	if err != nil && !inOrder(err) {
		v.kept.lost()
	}
	return said, err
}

// xa runs an XA statement of the application's own. It works where the application has one
// server only: in a schema without rules, on one connection that stays with the session.
func (v *verbs) xa(ctx context.Context, st *statement, stmt *query.Statement) error {
	if sc := v.h.topo.Map().Schema(v.state.schema); sc == nil || !sc.PassThrough() {
		return notBuilt("XA statements of an application in a schema whose tables are on several shards; BEGIN and COMMIT span the shards by themselves")
	}
	text := strings.ToLower(string(st.sql))
	if strings.Contains(text, "21328") || strings.Contains(text, "0x5350") {
		return notBuilt("XA statements with the format id of Sluice's own transactions; choose another")
	}
	if v.h.cache != nil { // what a branch has changed is not known to who commits it
		mark, err := v.h.cache.c.Begin(ctx, &cache.Write{All: true})
		if err != nil {
			return unsafeWrite(err)
		}
		defer mark.End(true)
	}
	c, err := v.held.lease(ctx, v.kept.homeShard(), true)
	if err != nil {
		return v.held.end(err)
	}
	status := v.kept.tx.status()
	var cols []wire.Column
	var rows [][][]byte
	if strings.Contains(text, "recover") {
		cols, rows, err = c.Query(string(st.sql))
	} else {
		var ok wire.OK
		if ok, err = c.Exec(string(st.sql)); err == nil {
			status = ok.Status
		}
	}
	v.held.done(c, status, inOrder(err))
	if err == nil {
		v.held.pin(pinXA, "")
	}
	if err = v.held.end(err); err != nil {
		return err
	}
	if cols != nil {
		return v.reply.result(st, cols, rows)
	}
	return v.reply.ok(st, wire.OK{})
}
