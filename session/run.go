package session

import (
	"bytes"
	"context"
	"errors"

	"sluice/backend"
	"sluice/exec"
	"sluice/query"
	"sluice/router"
	"sluice/shard"
	"sluice/txn"
	"sluice/wire"
)

// beforeRun does what must come before a statement: refusals that depend on where it goes,
// the implicit commit of DDL, the transaction around one statement that writes on several
// shards, a table's new rule.
func (s *Session) beforeRun(ctx context.Context, st *statement, e *entry) error {
	p := e.plan
	if asksConditions(e.stmt) {
		return notBuilt("@@warning_count and @@error_count within a longer statement; select them alone, or SHOW COUNT(*) WARNINGS")
	}
	if e.stmt.Opaque {
		if name := unanswered(st.scan.Fingerprint); name != "" {
			return notBuilt("%s() in a statement that is not understood (%s); select it alone", name, e.stmt.Reason)
		}
	}
	s.preset = e.ids == idsAsked || readsInsertID(st.scan, e.stmt)
	s.localFile = e.stmt.LocalFile
	s.mayWrite = mayWrite(e.stmt)
	if s.localFile && s.c.Capabilities&wire.ClientLocalFiles == 0 {
		return &wire.Error{Code: 3948, SQLState: "42000", Message: "Loading local data is disabled; this must be enabled on both the client and server sides"}
	}
	if len(s.bound.Legs) > 1 {
		if err := s.refuseSpread(e.stmt); err != nil {
			return err
		}
	}
	switch {
	case p.DDL && !e.stmt.Temporary:
		if err := s.commit(); err != nil {
			return err
		}
		return s.declare(ctx, p)
	case s.tx.Open() || !s.severalShards() || p.DDL:
	case !s.autocommit() && (p.Write || e.stmt.Kind == query.Select):
		// The servers would open a transaction each, none of which can be a branch of one.
		s.given, s.next = s.next, nextTx{}
		s.tx.BeginImplicit(false, s.given.text())
	case p.Write && !p.Locking:
		s.tx.BeginStatement()
	}
	return s.guard(p)
}

// mayWrite tells whether a statement may change data although its plan is that of a read.
func mayWrite(stmt *query.Statement) bool {
	return stmt.Opaque || len(stmt.Routines) > 0 || stmt.Kind == query.Call
}

// refuseSpread refuses what only the one server that ran the whole statement could answer.
func (s *Session) refuseSpread(stmt *query.Statement) error {
	limit := s.vars.plain("sql_select_limit")
	switch {
	case stmt.CalcFoundRows:
		return notBuilt("SQL_CALC_FOUND_ROWS in a statement over several shards; ask with SELECT COUNT(*) instead")
	case stmt.Kind == query.Select && limit != "" && limit != "18446744073709551615":
		return notBuilt("a SELECT over several shards under sql_select_limit; write LIMIT into the statement instead")
	case s.preset:
		return notBuilt("LAST_INSERT_ID(expr) or @@last_insert_id in a statement over several shards")
	}
	return nil
}

// declare stores the rule of a table that CREATE TABLE shards by its columns.
func (s *Session) declare(ctx context.Context, p *router.Plan) error {
	if p.Declares == nil {
		return nil
	}
	m, err := s.h.topo.Update(ctx, p.Declare)
	if err != nil {
		return refuse(1105, "HY000", "the rule of the table could not be stored: %v", err)
	}
	s.args.Map = m
	return nil
}

// afterRun ends what the statement opened, remembers what it said and answers what is
// not answered yet.
func (s *Session) afterRun(ctx context.Context, st *statement, e *entry, out *exec.Outcome, runErr error) error {
	if runErr == nil && out.Response.Err != nil && !out.Answered {
		runErr = out.Response.Err
	}
	if len(s.held) > 0 {
		s.applied, s.next = s.next, nextTx{} // it was for this statement, or its transaction
	}
	s.remember(st, e, out, runErr)
	s.cleanUp(out)
	if s.tx.Statement() {
		runErr = s.endStatementTx(e, out, runErr)
	}
	ended := s.txEnded()
	if s.tx.Several() && txn.LockFailed(outcomeError(out, runErr)) {
		// A deadlock over two servers shows as a timeout: here, too, all is rolled back.
		ended = true
		if !out.Answered {
			runErr = txn.Deadlock()
		}
	}
	if lost := s.releaseHeld(); lost != nil {
		s.txLost()
	}
	if ended {
		s.endRest(out, runErr)
	} else if err := s.endGuard(runErr != nil || out.Response.Err != nil); err != nil && runErr == nil {
		runErr = err
	}
	if e.plan.DDL {
		s.afterDDL(ctx, e)
	}
	return s.reply(st, out, runErr)
}

func outcomeError(out *exec.Outcome, runErr error) error {
	if runErr == nil && out.Response.Err != nil {
		return out.Response.Err
	}
	return runErr
}

// reply answers a statement that the executor has not answered.
func (s *Session) reply(st *statement, out *exec.Outcome, runErr error) error {
	s.rows = out.Response.Rows
	switch {
	case runErr != nil && out.Started && !out.Answered:
		s.gone = true // the client stands in the middle of an answer
		s.failed = true
		return nil
	case runErr != nil:
		return runErr
	case out.Response.Err != nil:
		s.failed = true
		return nil
	case out.Answered:
		return nil
	}
	ok := out.Response.OK
	if s.bound.InsertID != 0 {
		ok.LastInsertID = s.bound.InsertID
	}
	return s.writeOK(st, ok)
}

// endStatementTx commits a statement that wrote on several shards when all of it
// succeeded, else takes it back everywhere.
func (s *Session) endStatementTx(e *entry, out *exec.Outcome, runErr error) error {
	killed := s.unwatch()
	ok := runErr == nil && out.Response.Err == nil
	for i := range s.held {
		l := &s.held[i]
		if l.done && l.ok {
			s.tx.NoteWrite(l.shard)
			continue
		}
		s.lose(l) // its server has rolled it back, or will
		if ok {
			ok, runErr = false, refuse(2013, "HY000", "lost connection to shard %s during query; nothing was written", l.shard)
		}
	}
	s.held = s.held[:0]
	switch {
	case ok && killed:
		ok, runErr = false, interrupted()
	case ok && len(out.Uneven) > 0:
		ok, runErr = false, refuse(1105, "HY000", "the copies of %s are not alike: the statement would change another number of rows on shard %s "+
			"than on the first; nothing was written", e.plan.Table, s.args.Map.ShardName(out.Uneven[0]))
	}
	if !ok {
		s.finishTx(s.tx.Rollback())
		return runErr
	}
	ended, err := s.tx.Commit(context.Background())
	s.finishTx(ended)
	return s.commitError(err)
}

// txEnded tells whether the transaction ended with this statement although no COMMIT was
// said: a deadlock rolled it back, or the statement commits implicitly.
func (s *Session) txEnded() bool {
	if !s.tx.Open() || s.tx.Statement() {
		return false
	}
	for i := range s.held {
		l := &s.held[i]
		if l.kind == fromTx && l.done && l.ok && l.status&wire.StatusInTrans == 0 {
			return true
		}
	}
	return false
}

// endRest ends a transaction on its other shards as one server has ended its part.
func (s *Session) endRest(out *exec.Outcome, runErr error) {
	if runErr != nil || out.Response.Err != nil || s.tx.Statement() {
		s.rollbackAll()
		return
	}
	if err := s.commit(); err != nil {
		s.h.log.Warn("a transaction's part could not be committed with the rest", "connection", s.c.ID, "error", err)
		s.gone = true
	}
}

// remember keeps what later statements may ask about, while the connections that know are
// still held.
func (s *Session) remember(st *statement, e *entry, out *exec.Outcome, runErr error) {
	r := &out.Response
	if r.Err != nil {
		s.answers.failed(r.Err)
	}
	s.fetchWarnings(out, runErr) // first: it leaves the other answers as they are, they not it
	if runErr != nil || r.Err != nil {
		return
	}
	ok, before := r.OK, s.answers.insertID
	switch {
	case r.Columns > 0:
		found := r.Rows
		if e.stmt.CalcFoundRows {
			found = s.askNumber(out, "SELECT FOUND_ROWS()", r.Rows)
		}
		s.answers.selected(found)
	case s.bound.InsertID != 0:
		ok.LastInsertID = s.bound.InsertID
		s.answers.done(ok)
	default:
		if s.preset || ok.LastInsertID != 0 && !s.generated(e) {
			ok.LastInsertID = 0 // the protocol reports a value that the statement gave, LAST_INSERT_ID() does not
		}
		s.answers.done(ok)
	}
	if s.preset {
		asked := s.askNumber(out, "SELECT LAST_INSERT_ID()", s.answers.insertID)
		if s.bound.InsertID == 0 || asked != before { // else the server did not see that an id was generated
			s.answers.insertID = asked
		}
	}
	s.keepState(st, e)
}

// askNumber asks the connection that ran the statement about it, before it is given back.
func (s *Session) askNumber(out *exec.Outcome, sql string, otherwise uint64) uint64 {
	l := s.atHome(out)
	if l == nil || !l.done || !l.ok {
		return otherwise
	}
	_, rows, err := l.conn.Query(sql)
	if err != nil || len(rows) != 1 || len(rows[0]) != 1 {
		l.ok = false
		return otherwise
	}
	return parseUint(rows[0][0])
}

// fetchWarnings asks the connections of the statement for its warnings, or errors. An ERR
// packet has no status flags: the answer tells whether the transaction is still open, too.
func (s *Session) fetchWarnings(out *exec.Outcome, runErr error) {
	failed := out.Response.Err != nil || isServerError(runErr)
	warned := runErr == nil && out.Response.OK.Warnings > 0
	var kept bool
	for i := range s.held {
		l := &s.held[i]
		asked := failed || warned && (out.Home == nil || out.Home == l.conn)
		if !l.done || !l.ok || !asked && l.status != 0 {
			continue
		}
		rows, status, err := conditions(l.conn)
		if err != nil {
			l.ok = false
			continue
		}
		if l.status == 0 {
			l.status = status
		}
		if asked && len(rows) > 0 {
			if !kept {
				s.answers.clear()
				s.diagnosed = failed
			}
			if !kept || s.bound.Strategy != router.Everywhere { // there each shard has the same ones
				s.answers.warn(rows)
			}
			kept = true
		}
	}
	if warned && kept { // the servers keep the first of them only
		s.answers.count = max(s.answers.count, int(out.Response.OK.Warnings))
	}
}

// isServerError tells whether an error is a server's, or one of the session's own in its shape.
func isServerError(err error) bool {
	if err == nil {
		return false
	}
	var we *wire.Error
	return errors.As(err, &we)
}

// conditions asks a connection for its warnings and its status.
func conditions(c *backend.Conn) (rows [][][]byte, status uint16, err error) {
	if err := c.Command(wire.ComQuery, []byte("SHOW WARNINGS")); err != nil {
		return nil, 0, err
	}
	if err := c.Flush(); err != nil {
		return nil, 0, err
	}
	if _, err := c.ReadResultHeader(); err != nil {
		return nil, 0, err
	}
	for {
		row, end, err := c.ReadRow()
		switch {
		case err != nil:
			return nil, 0, err
		case end != nil:
			return rows, end.Status, nil
		}
		values, err := wire.SplitTextRow(row, nil)
		if err != nil {
			return nil, 0, err
		}
		for i := range values {
			values[i] = bytes.Clone(values[i])
		}
		if len(rows) <= maxWarnings {
			rows = append(rows, values)
		}
	}
}

// afterDDL makes every proxy forget what it knew of the table.
func (s *Session) afterDDL(ctx context.Context, e *entry) {
	if e.stmt.Temporary || !changesTables(e.stmt.Kind) {
		return
	}
	s.h.catalog.forget()
	for _, seq := range e.plan.DropsSequences() {
		if err := s.h.topo.DropIDs(ctx, seq); err != nil {
			s.h.log.Warn("a dropped table's sequence could not be removed", "sequence", seq, "error", err)
		}
	}
	if _, err := s.h.topo.Update(ctx, bumpDDL); err != nil {
		s.h.log.Warn("other proxies could not be told of a changed table", "error", err)
	}
}

// bumpDDL changes nothing: a new version of the map is what makes every proxy forget the
// tables that it has looked up.
func bumpDDL(*shard.Spec) error { return nil }

// changesTables tells whether a statement changes what a catalog holds.
func changesTables(k query.Kind) bool {
	switch k {
	case query.CreateTable, query.AlterTable, query.DropTable, query.TruncateTable, query.RenameTable,
		query.CreateIndex, query.DropIndex, query.OtherDDL:
		return true
	}
	return false
}
