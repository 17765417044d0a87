package session

import (
	"context"
	"fmt"
	"strings"

	"sluice/query"
	"sluice/router"
	"sluice/shard"
	"sluice/wire"
)

// actionOf tells who answers a statement.
func actionOf(stmt *query.Statement) action {
	if substitutes(stmt) {
		return substitute
	}
	switch stmt.Kind {
	case query.Set:
		if len(stmt.Tables) > 0 && onlyUserVars(stmt) {
			return route
		}
		return local
	case query.SetNames, query.SetTx, query.Use, query.Begin, query.Commit, query.Rollback, query.Savepoint,
		query.Kill, query.ExplainRoute, query.PrepareText, query.XA:
		return local
	case query.Show:
		if shownLocally(stmt) {
			return local
		}
	case query.Select:
		if countsConditions(stmt) {
			return local
		}
	case query.Other:
		if strings.HasPrefix(stmt.Verb, "set ") { // PASSWORD, ROLE, STATEMENT … FOR: always opaque
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
		text, err := s.inline(st)
		if err != nil {
			return err
		}
		inner := statement{sql: text, scan: new(query.Scan), more: st.more, binary: st.binary, started: st.started}
		if err := inner.scan.Run(text, s.mode); err != nil {
			return scanError(err)
		}
		st, stmt = &inner, s.h.analyzer.Analyze(text, inner.scan, s.mode)
	}
	if stmt.Opaque && stmt.Kind != query.Kill {
		return notBuilt("this form of %s is not understood (%s)", strings.ToUpper(stmt.Verb), stmt.Reason)
	}
	switch stmt.Kind {
	case query.Set, query.SetNames:
		return s.set(ctx, st, stmt)
	case query.SetTx:
		return s.setTransaction(st, stmt)
	case query.Use:
		return s.use(st, stmt.Schema)
	case query.Begin:
		return s.beginTx(ctx, st, stmt)
	case query.Commit, query.Rollback:
		return s.endTx(st, stmt)
	case query.Savepoint:
		return s.savepoint(st, stmt)
	case query.Kill:
		return s.killStatement(st, stmt)
	case query.PrepareText:
		return s.prepareText(ctx, st, stmt)
	case query.XA:
		return s.applicationXA(ctx, st, stmt)
	}
	cols, rows, err := s.localRows(ctx, st, stmt)
	if err != nil {
		return err
	}
	if stmt.ShowWhat == "warnings" || stmt.ShowWhat == "errors" || stmt.ShowWhat == "processlist" || stmt.ShowWhat == "grants" {
		s.answers.rowCount = -1
		return s.writeRows(st, cols, rows) // FOUND_ROWS() stays: they are no queries
	}
	return s.result(st, cols, rows)
}

// localRows gives the result set of a statement that the session answers itself.
func (s *Session) localRows(ctx context.Context, st *statement, stmt *query.Statement) ([]wire.Column, [][][]byte, error) {
	switch {
	case stmt.Kind == query.ExplainRoute:
		return s.explainRoute(ctx, st, stmt)
	case stmt.Kind == query.Select:
		return s.conditionCounts(stmt)
	}
	return s.show(st, stmt)
}

// use changes the current schema, as USE and COM_INIT_DB do.
func (s *Session) use(st *statement, name string) error {
	if err := s.mayUse(name); err != nil {
		return err
	}
	s.setSchema(name)
	return s.ok(st, wire.OK{})
}

// mayUse answers as a server does: it does not tell whether a schema exists that the user
// has no right to.
func (s *Session) mayUse(name string) error {
	m := s.h.topo.Map()
	if strings.EqualFold(name, "information_schema") {
		return nil
	}
	switch u := m.User(s.c.User); {
	case name == "":
		return &wire.Error{Code: 1046, SQLState: "3D000", Message: "No database selected"}
	case u == nil || !u.May(name) || shard.IsSystemSchema(name):
		return &wire.Error{Code: 1044, SQLState: "42000", Message: fmt.Sprintf("Access denied for user '%s'@'%%' to database '%s'", s.c.User, name)}
	case m.Schema(name) == nil:
		return &wire.Error{Code: 1049, SQLState: "42000", Message: fmt.Sprintf("Unknown database '%s'", name)}
	}
	return nil
}

// killStatement carries out KILL.
func (s *Session) killStatement(st *statement, stmt *query.Statement) error {
	id := stmt.KillID
	if stmt.Opaque {
		if !strings.HasSuffix(strings.ToLower(string(st.scan.Fingerprint)), " connection_id()") {
			return notBuilt("KILL takes a connection id")
		}
		id = uint64(s.c.ID)
	}
	if err := s.kill(id, !stmt.KillQuery); err != nil {
		return err
	}
	return s.ok(st, wire.OK{})
}

// kill stops a session of the same user.
func (s *Session) kill(id uint64, whole bool) error {
	if id == uint64(s.c.ID) {
		s.gone = s.gone || whole
		return interrupted()
	}
	var other = s.h.find(id)
	if other == nil {
		return &wire.Error{Code: 1094, SQLState: "HY000", Message: fmt.Sprintf("Unknown thread id: %d", id)}
	}
	if other.Info().User != s.c.User {
		return &wire.Error{Code: 1095, SQLState: "HY000", Message: fmt.Sprintf("You are not owner of thread %d", id)}
	}
	other.Kill(whole)
	return nil
}

// explainRoute shows what would go where. It takes no ids of a sequence: those that are
// shown are examples.
func (s *Session) explainRoute(ctx context.Context, st *statement, stmt *query.Statement) ([]wire.Column, [][][]byte, error) {
	cols := []wire.Column{textColumn("shard", 64), textColumn("sql", 65535), textColumn("strategy", 32)}
	inner := statement{sql: stmt.Inner.Of(st.sql), scan: new(query.Scan), started: st.started}
	for range 2 { // again after the session's functions are put in
		if err := inner.scan.Run(inner.sql, s.mode); err != nil {
			return nil, nil, scanError(err)
		}
		e, err := s.plan(ctx, &inner)
		if err != nil {
			return nil, nil, err
		}
		switch e.action {
		case local:
			return cols, [][][]byte{{{}, inner.sql, []byte("local")}}, nil
		case substitute:
			if inner.sql, err = s.answerCalls(inner.sql, e.stmt); err != nil {
				return nil, nil, err
			}
			continue
		}
		rows, err := s.explainLegs(&inner, e)
		return cols, rows, err
	}
	return nil, nil, notBuilt("EXPLAIN ROUTE of this statement")
}

func (s *Session) explainLegs(inner *statement, e *entry) (rows [][][]byte, err error) {
	if legs := s.tx.Legs(); len(legs) > 0 {
		if i, ok := s.args.Map.ShardIndex(legs[0].Shard); ok {
			s.args.Held = i
		}
	}
	s.holdFor(inner)
	s.args.FirstID = 1
	var bound router.Bound
	b, err := e.plan.Bind(&s.args, &bound)
	if err != nil {
		return nil, err
	}
	s.bound = *b
	if err := s.placePinned(inner, e); err != nil {
		return nil, err
	}
	for _, r := range s.bound.Explain(&s.args) {
		rows = append(rows, [][]byte{[]byte(r.Shard), []byte(r.SQL), []byte(r.Strategy)})
	}
	s.bound.Legs = nil
	return rows, nil
}
