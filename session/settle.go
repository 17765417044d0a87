package session

import (
	"context"
	"slices"

	"sluice/exec"
	"sluice/query"
	"sluice/router"
	"sluice/shard"
	"sluice/txn"
)

// settling is what follows a statement's run, when its connections are still held.
type settling struct{ *running }

// after ends what the statement opened, remembers what it said and answers what is
// not answered yet.
func (s *settling) after(ctx context.Context, st *statement, e *entry, out *exec.Outcome, runErr error) error {
	if runErr == nil && out.Response.Err != nil && !out.Answered {
		runErr = out.Response.Err
	}
	if codeOf(runErr) == inBranch && s.kept.tx.Several() && len(s.bound.Legs) > 0 {
		runErr = endsOne(s.args.Map.ShardName(s.bound.Legs[0].Shard))
	}
	if len(s.held.list) > 0 {
		s.kept.tx.spend(usesTables(e.stmt) && codeOf(outcomeError(out, runErr)) != readOnlyTx)
	}
	s.remember(st, e, out, runErr)
	s.kept.tx.temporary.copies = s.kept.tx.temporary.copies || s.bound.Gathering != nil
	s.cleanUp(out)
	s.keepAssigned(st, e, out, runErr)
	s.held.forgetNow()
	if s.kept.tx.Statement() {
		runErr = s.endStatementTx(e, out, runErr)
	}
	if s.held.plain {
		runErr = locking{s.running}.end(e, out, runErr)
	}
	ended := s.held.txEnded()
	if s.kept.tx.Several() && txn.LockFailed(outcomeError(out, runErr)) {
		// A deadlock over two servers shows as a timeout: here, too, all is rolled back.
		ended = true
		if !out.Answered {
			runErr = txn.Deadlock()
		}
	}
	if lost := s.held.release(); lost != nil {
		s.kept.lost()
	}
	if s.kept.pins.temporary() {
		temporaryTables{s.planner}.note(e, &s.bound, outcomeError(out, runErr))
	}
	if ended {
		s.c.Task.Leave()
		s.endRest(out, runErr)
	} else if err := s.kept.endGuard(runErr != nil || out.Response.Err != nil); err != nil && runErr == nil {
		runErr = err
	}
	if e.plan.DDL {
		said := outcomeError(out, runErr) // by the shards: that they are not alike then comes after it
		if s.bound.Strategy == router.Everywhere {
			runErr = defining{s.running}.check(ctx, st, e, out, runErr)
		}
		if runErr == nil && out.Response.Err == nil {
			said = nil // what failed had been there before: it is complete
		}
		s.afterDDL(ctx, e, said != nil)
		s.settleRule(ctx, e, said)
	}
	return s.answer(st, out, runErr)
}

// readOnlyTx is ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION, which comes before a table is used.
const readOnlyTx = 1792

// inBranch is ER_XAER_RMFAIL: what ends a transaction was said in a branch of one over several shards.
const inBranch = 1399

// usesTables tells whether a statement may have used a table.
func usesTables(stmt *query.Statement) bool {
	return len(stmt.Tables) > 0 || len(stmt.Routines) > 0 || stmt.Opaque || stmt.Kind == query.Call
}

func outcomeError(out *exec.Outcome, runErr error) error {
	if runErr == nil && out.Response.Err != nil {
		return out.Response.Err
	}
	return runErr
}

// answer answers a statement that the executor has not answered.
func (s *settling) answer(st *statement, out *exec.Outcome, runErr error) error {
	s.reply.rows = out.Response.Rows
	switch {
	case runErr != nil && out.Started && !out.Answered && !out.Unended:
		s.kept.gone = true // the client stands in the middle of an answer
		s.reply.failed = true
		return nil
	case runErr != nil:
		return runErr
	case out.Response.Err != nil:
		s.reply.failed = true
		return nil
	case out.Answered:
		return nil
	case out.Unended:
		return s.c.WriteEOF(s.reply.statusOf(st), out.Response.OK.Warnings)
	}
	ok := out.Response.OK
	if s.bound.InsertID != 0 && s.bound.Load == nil { // servers do not tell it of LOAD DATA, only LAST_INSERT_ID() does
		ok.LastInsertID = s.bound.InsertID
	}
	return s.reply.writeOK(st, ok)
}

// endStatementTx commits a statement that wrote on several shards when all of it
// succeeded, else takes it back everywhere.
func (s *settling) endStatementTx(e *entry, out *exec.Outcome, runErr error) error {
	killed := s.shared.unwatch()
	ok := runErr == nil && out.Response.Err == nil
	for i := range s.held.list {
		l := &s.held.list[i]
		switch {
		case l.kind == fromApart:
			l.endApart(killed)
			continue
		case l.done && l.ok && l.write:
			s.kept.tx.NoteWrite(l.shard)
			continue
		case l.done && l.ok:
			continue
		}
		s.kept.lose(l.conn, l.shard) // its server has rolled it back, or will
		if ok {
			ok, runErr = false, refuse(2013, "HY000", "lost connection to shard %s during query; nothing was written", l.shard)
		}
	}
	s.held.list = s.held.list[:0]
	switch {
	case ok && killed:
		ok, runErr = false, interrupted()
	case ok && len(out.Uneven) > 0:
		ok, runErr = false, unevenCopies(e.plan.Table, s.args.Map.ShardName(out.Uneven[0]))
	}
	if !ok {
		ended, _ := s.kept.tx.Rollback()
		s.kept.finish(ended)
		return runErr
	}
	ended, err := s.kept.tx.Commit(context.Background(), false)
	s.kept.finish(ended)
	return s.kept.commitError(err)
}

// endRest ends a transaction on its other shards as one server has ended its part.
func (s *settling) endRest(out *exec.Outcome, runErr error) {
	if runErr != nil || out.Response.Err != nil || s.kept.tx.Statement() {
		s.kept.rollback()
		return
	}
	if err := s.kept.commit(); err != nil {
		s.h.log.Warn("a transaction's part could not be committed with the rest", "connection", s.c.ID, "error", err)
		s.kept.gone = true
	}
}

// cleanUp removes what a statement has left on its home connection. Where that fails the
// connection is lost, and with it what else it carries.
func (s *settling) cleanUp(out *exec.Outcome) {
	if out.Cleanup == nil {
		return
	}
	if err := out.Cleanup(); err != nil {
		s.h.log.Warn("what a gathering left could not be removed; its connection is closed", "connection", s.c.ID, "error", err)
		if l := s.atHome(out); l != nil {
			l.ok = false
		}
	}
}

// atHome gives the lease of the connection that a statement's answer came from, nil when it
// came from several.
func (s *settling) atHome(out *exec.Outcome) *lease {
	if out.Home == nil && len(s.held.list) == 1 {
		return &s.held.list[0]
	}
	for i := range s.held.list {
		if s.held.list[i].conn == out.Home {
			return &s.held.list[i]
		}
	}
	return nil
}

// keepState pins the connections that now carry what no other has: a gathering's only where it
// was answered.
func (s *settling) keepState(st *statement, e *entry, out *exec.Outcome) {
	if t := &s.kept.tx.temporary; e.stmt.Temporary {
		t.made, t.dropped = t.made || e.stmt.Kind == query.CreateTable, t.dropped || e.stmt.Kind == query.DropTable
	}
	reason := leaves(st, e)
	if s.held.lent.back && reason != "" {
		l := s.atHome(out)
		s.bringHome(l)
		if l.kind == fromApart || reason == pinUserVars {
			return
		}
	}
	s.pinFor(reason)
}

// keepAssigned keeps what the functions of a statement have assigned before it failed, as one server
// does. One that is run again has assigned nothing.
func (s *settling) keepAssigned(st *statement, e *entry, out *exec.Outcome, runErr error) {
	err := outcomeError(out, runErr)
	if err == nil || runsAgain(err) {
		return
	}
	if st.scan.UserVariable || mayWrite(e) || e.plan.Called != nil { // whatever is set now on a connection is for nobody else
		for i := range s.held.list {
			s.held.list[i].conn.Soil()
		}
	}
	called{s}.keepSettings(e, out)
	if s.held.lent.back {
		if l := s.atHome(out); l != nil && slices.Contains(s.held.lent.to, l.conn) {
			s.bringHome(l)
		}
		return
	}
	if c := e.plan.Called; c != nil && (len(c.Variables) > 0 || c.Settings) {
		s.pinFor(leaves(st, e))
	}
}

// bringHome takes user variables back; where that fails, the session ends with them.
func (s *settling) bringHome(l *lease) {
	err := errTxLost
	if l.done && l.ok {
		if err = s.held.takeBack(l.conn); codeOf(err) == interruptedCode {
			err = s.held.takeBack(l.conn) // the first took a late KILL QUERY upon itself
		}
	}
	if err != nil {
		s.h.log.Warn("user variables did not come back to their connection", "connection", s.c.ID, "error", err)
		s.kept.gone = true
	}
}

// pinFor pins the connections that a statement has left state on.
func (s *settling) pinFor(reason string) {
	switch {
	case reason == "":
	case s.bound.Load != nil:
		s.held.pin(reason, s.kept.homeShard())
	case s.bound.Gathering == nil:
		s.held.pin(reason, "")
	case len(s.bound.Legs) == 1:
		s.held.pin(reason, s.args.Map.ShardName(s.bound.Legs[0].Shard))
	}
}

// afterDDL makes every proxy forget what it knew of the table. A RENAME TABLE that failed may be carried out in part: names that it
// leaves keep their sequences.
func (s *settling) afterDDL(ctx context.Context, e *entry, failed bool) {
	if e.stmt.Temporary || !changesTables(e.stmt.Kind) && !e.stmt.Opaque { // not understood: a stored program
		return
	}
	s.h.catalog.forget()
	ctx = context.WithoutCancel(ctx) // what was done is done
	renames := router.PassesSequences(e.plan)
	for _, r := range renames {
		if err := s.h.topo.PassIDs(ctx, r[0], r[1], &ids{r: s.running, seq: r[1]}); err != nil {
			s.h.log.Warn("a renamed table's sequence could not be renamed", "sequence", r[0], "to", r[1], "error", err)
			failed = true
			if err := s.h.topo.DropIDs(ctx, r[1]); err != nil { // the next one asks the rows
				s.h.log.Error("the sequence of a renamed table may give ids that it has", "sequence", r[1], "error", err)
			}
		}
	}
	for _, seq := range e.plan.DropsSequences() {
		if failed && len(renames) > 0 {
			break
		}
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
