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

// cursors are the commands on prepared statements that are about cursors, or end one.
type cursors struct {
	*core
	held    *held
	reply   *reply
	running *running
}

// open prepares and executes the statement on its shard and relays the answer.
func (cs *cursors) open(ctx context.Context, st *statement, e *entry, p *prepared) (exec.Outcome, error) {
	leg := &cs.running.bound.Legs[0]
	text := st.sql
	if leg.SQL != nil {
		text = leg.SQL
	}
	c, err := cs.running.Lease(ctx, leg.Shard, e.plan.Write)
	if err != nil {
		return exec.Outcome{}, err
	}
	id, err := sendCursor(c, text, st, leg)
	if err != nil {
		return exec.Outcome{Legs: 1}, cs.endBroken(c, err)
	}
	resp, err := wire.Relay(cs.c.Conn, c.Conn, wire.RelayOptions{Cursor: true})
	out := exec.Outcome{Response: resp, Legs: 1, Answered: err == nil, Started: resp.Bytes > 0}
	if err != nil {
		cs.held.done(c, 0, false)
		return out, err
	}
	if resp.Err == nil && resp.OK.Status&wire.StatusCursorExists != 0 {
		p.cursor = &cursor{conn: c, id: id}
		cs.kept.pins.add(c, cs.running.args.Map.ShardName(leg.Shard), "")
		cs.held.done(c, resp.OK.Status, true)
		return out, nil
	}
	status := resp.OK.Status
	if closeErr := closeStatement(c, id); closeErr != nil {
		cs.held.done(c, 0, false)
		return out, nil
	}
	if resp.Err != nil {
		ok, _ := c.Exec("DO 0") // broken, the connection's next use tells
		status = ok.Status
	}
	cs.held.done(c, status, true)
	return out, nil
}

// endBroken ends the lease of a connection that gave err before anything was relayed.
func (cs *cursors) endBroken(c *backend.Conn, err error) error {
	var we *wire.Error
	if !errors.As(err, &we) {
		cs.held.done(c, 0, false)
		return &wire.RelayError{Err: err}
	}
	ok, broken := c.Exec("DO 0")
	cs.held.done(c, ok.Status, broken == nil)
	return err
}

// sendCursor prepares text and sends its execution with a read-only cursor.
func sendCursor(c *backend.Conn, text []byte, st *statement, leg *router.Leg) (id uint32, err error) {
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

// fetch carries out COM_STMT_FETCH.
func (cs *cursors) fetch(arg []byte) error {
	p, err := cs.handles.of(arg, "mysqld_stmt_fetch")
	switch {
	case err != nil:
		return cs.reply.fail(err)
	case len(arg) < 8:
		return cs.reply.fail(&wire.Error{Code: 1210, SQLState: "HY000", Message: "Incorrect arguments to mysqld_stmt_fetch"})
	case p.cursor == nil:
		return cs.reply.fail(&wire.Error{Code: 1421, SQLState: "HY000", Message: "The statement (" + string(appendUint(nil, uint64(p.id))) + ") has no open cursor."})
	}
	c := p.cursor.conn
	ask := binary.LittleEndian.AppendUint32(nil, p.cursor.id)
	err = cs.shared.watch(c)
	if err == nil {
		err = c.Command(wire.ComStmtFetch, append(ask, arg[4:8]...))
	}
	if err == nil {
		err = c.Flush()
	}
	var resp wire.Response
	if err == nil {
		resp, err = wire.Relay(cs.c.Conn, c.Conn, wire.RelayOptions{Fetch: true})
	}
	killed := cs.shared.unwatch()
	if err != nil {
		cs.kept.lose(c, c.Shard())
		cs.kept.gone = true // the cursor, and what else the connection carried, are lost
		return cs.reply.fail(err)
	}
	if killed {
		_, _ = c.Exec("DO 0") // takes a late KILL QUERY upon itself; broken, the next use tells
	}
	if resp.Err != nil || resp.OK.Status&wire.StatusLastRowSent != 0 {
		cs.close(p)
	}
	return nil
}

// reset carries out COM_STMT_RESET.
func (cs *cursors) reset(arg []byte) error {
	p, err := cs.handles.of(arg, "mysqld_stmt_reset")
	if err != nil {
		return cs.reply.fail(err)
	}
	cs.handles.dropLong(p)
	cs.close(p)
	return cs.c.WriteOK(wire.OK{Status: cs.kept.tx.status()})
}

// closeStmt carries out COM_STMT_CLOSE, which has no answer.
func (cs *cursors) closeStmt(arg []byte) {
	if p, err := cs.handles.of(arg, "mysqld_stmt_close"); err == nil {
		cs.close(p)
		cs.handles.remove(p)
	}
}

// close closes a statement's cursor, if it has one, and frees its connection.
func (cs *cursors) close(p *prepared) {
	if p.cursor == nil {
		return
	}
	cur := p.cursor
	p.cursor = nil
	if cs.kept.pins.of(cur.conn.Shard()) != cur.conn {
		return // it was lost
	}
	if err := closeStatement(cur.conn, cur.id); err != nil {
		cs.kept.lose(cur.conn, cur.conn.Shard())
		cs.kept.gone = true
		return
	}
	cs.kept.cursorClosed(cur.conn)
}

// closeStatement sends COM_STMT_CLOSE, which has no answer.
func closeStatement(c *backend.Conn, id uint32) error {
	if err := c.Command(wire.ComStmtClose, binary.LittleEndian.AppendUint32(nil, id)); err != nil {
		return err
	}
	return c.Flush()
}
