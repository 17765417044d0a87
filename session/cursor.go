package session

import (
	"context"
	"encoding/binary"
	"errors"

	"sluice/backend"
	"sluice/exec"
	"sluice/router"
	"sluice/wire"
)

// cursor is a result that one shard's server keeps for the client, which fetches from it.
// Its statement is prepared for it alone: a server closes a statement's cursor when the
// statement is executed again, and the connection's own cache may do that for others.
type cursor struct {
	conn *backend.Conn
	id   uint32 // of the statement on conn
}

// executeWithCursor opens a cursor where one shard answers with its own rows. Elsewhere the
// rows are sent at once, which the protocol allows.
func (s *Session) executeWithCursor(ctx context.Context, st *statement, p *prepared) error {
	s.failed, s.diagnosed, s.rows, s.bound.Legs = false, false, 0, s.bound.Legs[:0]
	s.bound.Gathering = nil
	s.preset, s.localFile = false, false
	e, err := s.plan(ctx, st)
	if err != nil {
		return s.fail(err)
	}
	if e.action != route || e.plan.Write && !e.plan.Locking || readsInsertID(st.scan, e.stmt) || e.stmt.CalcFoundRows {
		return s.query(ctx, st)
	}
	if err := s.bind(ctx, st, e); err != nil {
		return s.fail(err)
	}
	if len(s.bound.Legs) != 1 || s.bound.Strategy != router.Relay {
		return s.query(ctx, st)
	}
	if err := s.beforeRun(ctx, st, e); err != nil {
		return s.fail(err)
	}
	out, err := s.openCursor(ctx, st, e, p)
	if err = s.afterRun(ctx, st, e, &out, err); err != nil {
		err = s.fail(err)
	}
	s.observe(st, e)
	return err
}

// openCursor prepares and executes the statement on its shard and relays the answer.
func (s *Session) openCursor(ctx context.Context, st *statement, e *entry, p *prepared) (exec.Outcome, error) {
	leg := &s.bound.Legs[0]
	text := st.sql
	if leg.SQL != nil {
		text = leg.SQL
	}
	c, err := s.Lease(ctx, leg.Shard, e.plan.Write)
	if err != nil {
		return exec.Outcome{}, err
	}
	id, err := s.sendCursor(c, text, st, leg)
	if err != nil {
		return exec.Outcome{Legs: 1}, s.endBroken(c, err)
	}
	resp, err := wire.Relay(s.c.Conn, c.Conn, wire.RelayOptions{Cursor: true})
	out := exec.Outcome{Response: resp, Legs: 1, Answered: err == nil, Started: resp.Bytes > 0}
	if err != nil {
		s.Done(c, 0, false)
		return out, err
	}
	if resp.Err == nil && resp.OK.Status&wire.StatusCursorExists != 0 {
		p.cursor = &cursor{conn: c, id: id}
		s.pin(c, s.args.Map.ShardName(leg.Shard), "")
		s.Done(c, resp.OK.Status, true)
		return out, nil
	}
	status := resp.OK.Status
	if closeErr := closeStatement(c, id); closeErr != nil {
		s.Done(c, 0, false)
		return out, nil
	}
	if resp.Err != nil {
		ok, _ := c.Exec("DO 0") // broken, the connection's next use tells
		status = ok.Status
	}
	s.Done(c, status, true)
	return out, nil
}

// endBroken ends the lease of a connection that gave err before anything was relayed.
func (s *Session) endBroken(c *backend.Conn, err error) error {
	var we *wire.Error
	if !errors.As(err, &we) {
		s.Done(c, 0, false)
		return &wire.RelayError{Err: err}
	}
	ok, broken := c.Exec("DO 0")
	s.Done(c, ok.Status, broken == nil)
	return err
}

// sendCursor prepares text and sends its execution with a read-only cursor.
func (s *Session) sendCursor(c *backend.Conn, text []byte, st *statement, leg *router.Leg) (id uint32, err error) {
	if err := c.Command(wire.ComStmtPrepare, text); err != nil {
		return 0, err
	}
	if err := c.Flush(); err != nil {
		return 0, err
	}
	ok, _, _, err := wire.ReadPrepare(c.Conn)
	if err != nil {
		return 0, err
	}
	run := wire.Execute{ID: ok.ID, Flags: wire.CursorReadOnly, Params: st.exec.Params}
	long := func(i int) int { return i }
	if leg.Params != nil {
		run.Params = nil
		for _, i := range leg.Params {
			run.Params = append(run.Params, st.exec.Params[i])
		}
		long = func(i int) int { return leg.Params[i] }
	}
	for i := range run.Params {
		if !run.Params[i].LongData {
			continue
		}
		if err := c.WriteLongData(ok.ID, i, st.long[long(i)]); err != nil {
			return 0, err
		}
	}
	if _, err := c.WriteExecute(&run, nil); err != nil {
		return 0, err
	}
	return ok.ID, c.Flush()
}

// stmtFetch carries out COM_STMT_FETCH.
func (s *Session) stmtFetch(arg []byte) error {
	p, err := s.stmtOf(arg, "mysqld_stmt_fetch")
	switch {
	case err != nil:
		return s.fail(err)
	case len(arg) < 8:
		return s.fail(&wire.Error{Code: 1210, SQLState: "HY000", Message: "Incorrect arguments to mysqld_stmt_fetch"})
	case p.cursor == nil:
		return s.fail(&wire.Error{Code: 1421, SQLState: "HY000", Message: "The statement (" + string(appendUint(nil, uint64(p.id))) + ") has no open cursor."})
	}
	c := p.cursor.conn
	ask := binary.LittleEndian.AppendUint32(nil, p.cursor.id)
	err = s.watch(c)
	if err == nil {
		err = c.Command(wire.ComStmtFetch, append(ask, arg[4:8]...))
	}
	if err == nil {
		err = c.Flush()
	}
	var resp wire.Response
	if err == nil {
		resp, err = wire.Relay(s.c.Conn, c.Conn, wire.RelayOptions{Fetch: true})
	}
	killed := s.unwatch()
	if err != nil {
		s.lose(&lease{conn: c, shard: c.Shard()})
		s.gone = true // the cursor, and what else the connection carried, are lost
		return s.fail(err)
	}
	if killed {
		_, _ = c.Exec("DO 0") // takes a late KILL QUERY upon itself; broken, the next use tells
	}
	if resp.Err != nil || resp.OK.Status&wire.StatusLastRowSent != 0 {
		s.closeCursor(p)
	}
	return nil
}

// closeCursor closes a statement's cursor, if it has one, and frees its connection.
func (s *Session) closeCursor(p *prepared) {
	if p.cursor == nil {
		return
	}
	cur := p.cursor
	p.cursor = nil
	if s.pinned(cur.conn.Shard()) != cur.conn {
		return // it was lost
	}
	if err := closeStatement(cur.conn, cur.id); err != nil {
		s.lose(&lease{conn: cur.conn, shard: cur.conn.Shard()})
		s.gone = true
		return
	}
	s.cursorClosed(cur.conn)
}

// closeStatement sends COM_STMT_CLOSE, which has no answer.
func closeStatement(c *backend.Conn, id uint32) error {
	if err := c.Command(wire.ComStmtClose, binary.LittleEndian.AppendUint32(nil, id)); err != nil {
		return err
	}
	return c.Flush()
}
