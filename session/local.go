package session

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"sluice/query"
	"sluice/server"
	"sluice/wire"
)

// actionOf tells who answers a statement.
func actionOf(stmt *query.Statement) action {
	if countsConditions(stmt) || asksFoundRows(stmt) || slices.Contains(stmt.SysVars, gtidMode) && asksOne(stmt, "", "global") {
		return local
	}
	if substitutes(stmt) {
		return substitute
	}
	switch stmt.Kind {
	case query.Set:
		if len(stmt.Tables)+len(stmt.Routines) > 0 && onlyUserVars(stmt) {
			return route
		}
		return local
	case query.SetNames, query.SetTx, query.Use, query.Begin, query.Commit, query.Rollback, query.Savepoint,
		query.Kill, query.ExplainRoute, query.PrepareText, query.XA, query.SetStatement:
		return local
	case query.Show:
		if shownLocally(stmt) {
			return local
		}
	case query.Other:
		if strings.HasPrefix(stmt.Verb, "set ") { // PASSWORD, ROLE …: always opaque
			return local
		}
	}
	return route
}

func onlyUserVars(stmt *query.Statement) bool {
	for i := range stmt.Sets {
		if stmt.Sets[i].Scope != "user" {
			return false
		}
	}
	return true
}

// local answers a statement that is the session's own affair. Values of a prepared one
// are written into its text first.
func (s *Session) local(ctx context.Context, st *statement, e *entry) error {
	stmt := e.stmt
	if st.exec != nil && len(st.exec.Params) > 0 {
		text, err := inline(st, s.state.charset())
		if err != nil {
			return err
		}
		inner := statement{sql: text, scan: new(query.Scan), more: st.more, binary: st.binary, started: st.started}
		if err := inner.scan.Run(text, s.state.mode); err != nil {
			return scanError(err)
		}
		st, stmt = &inner, s.h.analyzer.Analyze(text, inner.scan, s.state.mode)
	}
	err := understood(stmt)
	if err != nil {
		return err
	}
	var said [][][]byte
	switch stmt.Kind {
	case query.Set, query.SetNames:
		return s.setter.set(ctx, st, stmt)
	case query.PrepareText:
		return s.prepareText(ctx, st, stmt)
	case query.SetStatement:
		return setForOne{s}.run(ctx, st, stmt)
	case query.XA:
		return s.verbs.xa(ctx, st, stmt)
	case query.SetTx:
		err = s.verbs.setTransaction(stmt)
	case query.Use:
		err = s.state.use(stmt.Schema)
		s.reply.tracker.schema(err)
	case query.Begin:
		err = s.verbs.begin(ctx, stmt)
	case query.Commit, query.Rollback:
		said, err = s.verbs.end(stmt)
	case query.Savepoint:
		said, err = s.verbs.savepoint(stmt)
	case query.Kill:
		err = s.peers.killStatement(st, stmt)
	default:
		return s.show(ctx, st, stmt)
	}
	if err != nil {
		return err
	}
	if len(said) > 0 {
		s.answers.clear()
		s.answers.warn(said)
	}
	return s.reply.ok(st, wire.OK{Warnings: uint16(len(said))})
}

// understood refuses a statement of the session's own affair that is not understood.
func understood(stmt *query.Statement) error {
	if stmt.Opaque && stmt.Kind != query.Kill && stmt.Kind != query.ExplainRoute { // which plans the statement within by itself
		return notBuilt("this form of %s is not understood (%s)", strings.ToUpper(stmt.Verb), stmt.Reason)
	}
	return nil
}

// Way tells who answers a statement, for those who plan without a session. own: the session
// itself, or it refuses with err. Otherwise text is what is planned: functions that are the
// session's to answer are values in it.
func Way(sql []byte, stmt *query.Statement, mode query.Mode) (own bool, text []byte, err error) {
	switch actionOf(stmt) {
	case local:
		return true, nil, understood(stmt)
	case substitute:
		v := values{core: &core{c: &server.Client{}, state: &state{mode: mode}, answers: &answers{}}}
		text, err = v.put(sql, stmt)
		return false, text, err
	}
	return false, sql, nil
}

// show answers a statement whose rows are the session's own.
func (s *Session) show(ctx context.Context, st *statement, stmt *query.Statement) (err error) {
	var cols []wire.Column
	var rows [][][]byte
	if stmt.Kind == query.ExplainRoute {
		cols, rows, err = s.explainRoute(ctx, st, stmt)
	} else {
		cols, rows, err = s.shows.rows(st, stmt)
	}
	if err != nil {
		return err
	}
	warnings := s.shows.warn(stmt)
	switch stmt.ShowWhat {
	case "warnings", "errors", "processlist", "grants":
		s.answers.rowCount = -1
		return s.reply.writeRows(st, cols, rows, warnings) // FOUND_ROWS() stays: they are no queries
	}
	s.answers.selected(uint64(len(rows)))
	return s.reply.writeRows(st, cols, rows, warnings)
}

// explainRoute shows what would go where. It takes no ids of a sequence: those that are
// shown are examples.
func (s *Session) explainRoute(ctx context.Context, st *statement, stmt *query.Statement) ([]wire.Column, [][][]byte, error) {
	cols := routeColumns()
	inner := statement{sql: explained(st, stmt), scan: new(query.Scan), started: st.started}
	for range 2 { // again after the session's functions are put in
		if err := inner.scan.Run(inner.sql, s.state.mode); err != nil {
			return nil, nil, scanError(err)
		}
		e, err := s.planner.plan(ctx, &inner)
		if err != nil {
			return nil, nil, err
		}
		switch e.action {
		case local:
			return cols, [][][]byte{{{}, inner.sql, []byte("local")}}, nil
		case substitute:
			if inner.sql, err = s.values.put(inner.sql, e.stmt); err != nil {
				return nil, nil, err
			}
			continue
		}
		rows, err := s.running.explain(ctx, &inner, e)
		if err == nil { // as a note: the columns are fixed
			s.answers.note(caching{s}.explain(ctx, &inner, e))
		}
		s.running.bound.Legs = nil
		return cols, rows, err
	}
	return nil, nil, notBuilt("EXPLAIN ROUTE of this statement")
}

// explained is the statement within, with the hint that stands before it, or before EXPLAIN.
func explained(st *statement, stmt *query.Statement) []byte {
	const hint, end = "/*sluice:", "*/"
	text := stmt.Inner.Of(st.sql)
	before := bytes.TrimSpace(st.sql[:stmt.Inner.Start])
	if i := bytes.LastIndex(before, []byte(hint)); i > 0 && bytes.Index(before[i:], []byte(end)) == len(before)-i-len(end) {
		return st.sql[bytes.LastIndex(st.sql[:stmt.Inner.Start], []byte(hint)):stmt.Inner.End]
	}
	if h := st.scan.Hint.Of(st.sql); len(h) > 0 {
		return slices.Concat([]byte(hint), h, []byte(end+" "), text)
	}
	return text
}

func routeColumns() []wire.Column {
	return []wire.Column{textColumn("shard", 64), textColumn("sql", 65535), textColumn("strategy", 32)}
}
