package session

import (
	"context"
	"strings"

	"sluice/query"
	"sluice/wire"
)

// applicationXA runs an XA statement of the application's own. It works where the
// application has one server only: in a schema without rules, on one connection that
// stays with the session.
func (s *Session) applicationXA(ctx context.Context, st *statement, stmt *query.Statement) error {
	if sc := s.h.topo.Map().Schema(s.schema); sc == nil || !sc.PassThrough() {
		return notBuilt("XA statements of an application in a schema whose tables are on several shards; BEGIN and COMMIT span the shards by themselves")
	}
	text := strings.ToLower(string(st.sql))
	if strings.Contains(text, "21328") || strings.Contains(text, "0x5350") {
		return notBuilt("XA statements with the format id of Sluice's own transactions; choose another")
	}
	c, err := s.lease(ctx, s.homeShard(), true)
	if err != nil {
		return s.xaDone(err)
	}
	status := s.status()
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
	s.Done(c, status, inOrder(err))
	if err == nil {
		s.pinHeld(pinXA)
	}
	if err = s.xaDone(err); err != nil {
		return err
	}
	if cols != nil {
		return s.result(st, cols, rows)
	}
	return s.ok(st, wire.OK{})
}

// xaDone gives the connection its place, and forgets a transaction that has ended.
func (s *Session) xaDone(err error) error {
	ended := s.txEnded()
	if lost := s.releaseHeld(); lost != nil {
		s.txLost()
	}
	if ended {
		s.rollbackAll()
	}
	return err
}
