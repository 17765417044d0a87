package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"sluice/exec"
	"sluice/query"
	"sluice/router"
	"sluice/wire"
)

// statement is one statement on its way: its text and, when it was prepared, its
// parameters.
type statement struct {
	sql     []byte
	exec    *wire.Execute // nil for text
	long    map[int][]byte
	scan    *query.Scan
	more    bool   // further statements of the same packet follow
	binary  bool   // answer rows in the binary protocol
	under   string // collation_connection that its text is read under; "" for the session's
	started time.Time
}

// queries runs the statements of a COM_QUERY one after the other.
func (s *Session) queries(ctx context.Context, sql []byte, started time.Time) error {
	if err := s.state.load(ctx); err != nil {
		return s.reply.fail(err)
	}
	for first := true; ; first = false {
		st := statement{sql: sql, scan: &s.scan, started: started}
		rest, err := s.state.cut(&st)
		if err != nil {
			if codeOf(err) == emptyQuery && (!first || commented(st.sql)) {
				return s.reply.writeOK(&st, wire.OK{}) // a comment, or nothing behind the last semicolon
			}
			return s.reply.fail(err)
		}
		st.more = len(rest) > 0
		if st.more && loads(st.scan.Fingerprint) {
			rest = bytes.Clone(rest) // the file comes through the buffer that holds it
		}
		if err := s.query(ctx, &st); err != nil || s.reply.failed || !st.more || s.kept.gone {
			return err
		}
		sql, started = rest, time.Now()
	}
}

// commented tells whether a text without tokens has a comment, which servers carry out:
// dump tools send what is meant for another version only.
func commented(sql []byte) bool { return len(bytes.Trim(sql, " \t\n\v\f\r;")) > 0 }

func codeOf(err error) uint16 {
	if err == nil {
		return 0 // nearly always; what follows is on the heap
	}
	var we *wire.Error
	if errors.As(err, &we) {
		return we.Code
	}
	return 0
}

// loads tells whether a statement may ask the client for a file.
func loads(fingerprint []byte) bool {
	return len(fingerprint) >= 4 && bytes.EqualFold(fingerprint[:4], []byte("load"))
}

// query is the life of a statement. An error is the end of the connection; a statement that
// was answered an error sets failed.
func (s *Session) query(ctx context.Context, st *statement) error {
	s.running.start()
	entry, err := s.planner.plan(ctx, st) // fingerprint → plan cache, or parse and plan
	if err != nil {
		st, entry, err = s.planner.unwrap(ctx, st, err)
	}
	if err != nil {
		return s.reply.fail(err)
	}
	if err := tell(&s.kept, entry.stmt); err != nil {
		return s.reply.fail(err)
	}
	if clearsWarnings(entry.stmt, s.state.mode.MariaDB) {
		s.answers.clear()
	}
	if entry.action != route && !(entry.action == local && swift(entry.stmt) && (st.exec == nil || len(st.exec.Params) == 0)) {
		s.c.Task.Leave()
	}
	switch entry.action {
	case local:
		err = caching{s}.local(ctx, st, entry)
	case substitute:
		return s.substituted(ctx, st, entry)
	default:
		if entry.bounds == nil {
			err = s.routed(ctx, st, entry)
		} else {
			err = bounding{s}.run(ctx, st, entry)
		}
	}
	if err != nil {
		err = s.reply.fail(err)
	}
	s.running.observe(st, entry)
	return err
}

// swift tells whether a statement of the session's own waits for no more than its connections, as long as its
// parts do not Leave.
func swift(stmt *query.Statement) bool {
	switch stmt.Kind {
	case query.Begin:
		return !stmt.TxSnapshot
	case query.Commit, query.Rollback, query.Savepoint, query.Set, query.SetNames, query.SetTx:
		return true
	}
	return false
}

// routed runs a statement on its shards. A plan that was made from a table's definition
// which has changed since is made again, once: nothing has been answered then.
func (s *Session) routed(ctx context.Context, st *statement, e *entry) error {
	for began, inTx := time.Now(), s.kept.tx.Open(); ; {
		err := attempt{s}.once(ctx, st, e)
		if err == nil {
			return nil
		}
		if err = (admission{&s.running}).again(ctx, st, err, began, inTx); err != nil {
			return err
		}
		if e, err = s.planner.plan(ctx, st); err != nil || e.action != route {
			return err
		}
	}
}

// attempt is a statement's run under one map.
type attempt struct{ *Session }

func (s attempt) once(ctx context.Context, st *statement, e *entry) error {
	err := s.run(ctx, st, e)
	if isStaged(err) {
		if st, e, err = s.planner.staged(ctx, st); err == nil {
			err = s.run(ctx, st, e)
		}
	}
	if isHomes(err) {
		if e, err = s.planner.makePlan(ctx, st, false, manner{homes: true}); err == nil {
			err = s.run(ctx, st, e)
		}
	}
	if isApart(err) && e.stmt.Insert != nil && !e.plan.Staged() { // apart it is, and then values come into the text first
		if st, e, err = s.planner.staged(ctx, st); err == nil {
			err = s.run(ctx, st, e)
		}
	}
	if isApart(err) {
		if e, err = s.planner.apart(ctx, st, e); err == nil {
			err = s.run(ctx, st, e)
		}
	}
	if errors.Is(err, exec.ErrUnmatched) {
		as := manner{sift: true, apart: s.running.bound.Gathering.Apart, staged: e.plan.Staged()}
		if e, err = s.planner.makePlan(ctx, st, false, as); err == nil {
			err = s.run(ctx, st, e)
		}
	}
	if errors.Is(err, exec.ErrUnranked) {
		as := manner{apart: true, scratch: fmt.Sprintf("%016x", rand.Uint64()), staged: e.stmt.Insert != nil}
		if as.staged && !e.plan.Staged() { // values come into the text first
			st, e, err = s.planner.staged(ctx, st)
		}
		if err == nil || errors.Is(err, exec.ErrUnranked) {
			e, err = s.planner.makePlan(ctx, st, false, as)
		}
		if err == nil {
			err = s.run(ctx, st, e)
		}
	}
	if errors.Is(err, exec.ErrMoves) {
		s.running.args.Moves = true
		err = s.run(ctx, st, e)
	}
	if err == nil || !isStale(err) {
		return err
	}
	s.h.catalog.forgetSince(e.catVersion)
	if e, err = s.planner.plan(ctx, st); err != nil || e.action != route {
		return err
	}
	if err = s.run(ctx, st, e); isStale(err) && e.plan.Unasked != nil {
		return tryAgain("a shard has so much to do that it cannot be asked for its triggers")
	}
	return err
}

// runsAgain tells whether an error of a run makes another one of the statement.
func runsAgain(err error) bool {
	return isStaged(err) || isHomes(err) || isApart(err) || isStale(err) ||
		errors.Is(err, exec.ErrUnmatched) || errors.Is(err, exec.ErrUnranked) || errors.Is(err, exec.ErrMoves)
}

// isStale tells whether the executor has found another definition than the plan knows.
func isStale(err error) bool {
	var refusal *router.Refusal
	return errors.As(err, &refusal) && refusal.Code == staleCode
}

// staleCode is ER_TABLE_DEF_CHANGED.
const staleCode = 1412

// run binds a plan to the statement's values, runs it and closes what it opened.
func (s *Session) run(ctx context.Context, st *statement, e *entry) error {
	err := s.running.bind(ctx, st, e)
	if err != nil {
		if st, e, err = s.planner.unwrap(ctx, st, err); err == nil {
			err = s.running.bind(ctx, st, e)
		}
	}
	if err == nil && e.plan.Unasked != nil {
		err = (systems{&s.planner}).unasked(ctx, e.plan, &s.running.bound)
	}
	if err != nil {
		return err
	}
	if s.running.plain = plain(&s.running, e); !s.running.plain {
		s.c.Task.Leave()
	}
	if s.h.cache != nil {
		return caching{s}.run(ctx, st, e)
	}
	return attempt{s}.bound(ctx, st, e)
}

// bound runs a bound statement.
func (s attempt) bound(ctx context.Context, st *statement, e *entry) error {
	if s.running.bound.Creation != nil {
		return creating(s).run(ctx, st, e)
	}
	if limit := s.running.selectLimit(); limit != "" {
		return s.limited(ctx, st, e, limit)
	}
	if isLock(e) {
		return locking{&s.running}.run(ctx, st)
	}
	if err := s.running.before(ctx, st, e); err != nil {
		return creating(s).standing(st, e, err)
	}
	outcome, err := s.running.run(ctx, st, e)
	return s.settle.after(ctx, st, e, &outcome, err)
}

// executeCursor opens a cursor where one shard answers with its own rows. Elsewhere the
// rows are sent at once, which the protocol allows.
func (s *Session) executeCursor(ctx context.Context, st *statement, p *prepared) error {
	s.running.start()
	e, err := s.planner.plan(ctx, st)
	if err != nil {
		return s.reply.fail(err)
	}
	if e.action != route || e.bounds != nil || e.plan.Write && !e.plan.Locking || readsInsertID(st.scan, e.stmt) || e.stmt.CalcFoundRows || s.h.cache != nil && mayWrite(e) {
		return s.query(ctx, st)
	}
	if err := tell(&s.kept, e.stmt); err != nil {
		return s.reply.fail(err)
	}
	if err := s.running.bind(ctx, st, e); errors.Is(err, errRebind) {
		return s.executeCursor(ctx, st, p)
	} else if err != nil {
		return s.reply.fail(err)
	}
	if len(s.running.bound.Legs) != 1 || s.running.bound.Strategy != router.Relay || s.running.held.lent.back {
		return s.query(ctx, st)
	}
	if err := s.running.before(ctx, st, e); err != nil {
		return s.reply.fail(err)
	}
	out, err := s.cursors.open(ctx, st, e, p)
	if err = s.settle.after(ctx, st, e, &out, err); err != nil {
		err = s.reply.fail(err)
	}
	s.running.observe(st, e)
	return err
}
