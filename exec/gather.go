package exec

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"sluice/backend"
	"sluice/router"
	"sluice/wire"
)

// ErrApart says that the statement's temporary tables cannot be made in the session's
// transaction, because that is read only or one of XA. The caller plans again with
// router.Input.Apart. Nothing has been answered.
var ErrApart = errors.New("temporary tables are not allowed in this transaction")

// ErrMoves says that an UPDATE has matched rows where none may be (router.Leg.Nothing). The
// caller undoes it and binds it again with router.Args.Moves. Nothing has been answered.
var ErrMoves = errors.New("rows have to move to another shard")

// ErrUnmatched says that the copies lack the FULLTEXT keys that the statement needs. The caller
// plans again with router.Input.Sift. Nothing has been answered.
var ErrUnmatched = errors.New("MATCH … AGAINST over copies without FULLTEXT keys")

// ErrUnranked says that the copies lack the FULLTEXT keys by which MATCH … AGAINST ranks. The caller
// plans again with router.Input.Scratch. Nothing has been answered.
var ErrUnranked = errors.New("the rank of MATCH … AGAINST over copies without FULLTEXT keys")

// gathering is one Gather under way.
//
//	lease all ─▶ open the home shard's own sources as cursors, or all that lock ─▶ loading state ─▶ for each copy:
//	create, read its legs in turn, insert ─▶ the client's state ─▶ the statement, its rows relayed
//
// What is left on the home connection is removed by Outcome.Cleanup, after the session has
// asked that connection about the statement's warnings.
type gathering struct {
	ctx    context.Context
	client *wire.Conn
	leases Leases
	req    *Request
	plan   *router.Gathering
	out    Outcome

	targets  []int        // shards that rows are written to (staging)
	prepared func() error // called when the copies are there, on home in the loading state; may be nil

	home    *leg       // where the copies are and the statement runs
	sources []leg      // by shard, in ascending order; home may be one of them
	cursors []cursor   // of the home connection's own sources, or of all that lock
	state   *loadState // nil while home has the client's
	made    []string   // temporary tables, schema and name quoted
	scratch []string   // tables that are not temporary
	stmt    uint32     // the prepared statement on home, 0 for none
	amount  amount

	textKeys bool     // the original that was defined last has FULLTEXT keys
	write    *changes // of a GatherWrite; nil for a Gather
}

// gather runs a statement over copies of its tables on one shard.
func gather(ctx context.Context, client *wire.Conn, leases Leases, req *Request) (Outcome, error) {
	g := &gathering{ctx: ctx, client: client, leases: leases, req: req, plan: req.Bound.Gathering}
	err := g.lease()
	if err == nil {
		err = g.fill()
	}
	if err == nil {
		err = g.answer()
	}
	var said *wire.Error
	if errors.As(err, &said) {
		switch {
		case said.Code == syntaxError:
			err = g.asWritten(said)
		case said.Code == cannotReopen && slices.ContainsFunc(g.plan.Tables, func(t router.GatherTable) bool { return t.Shadow }):
			err = refuse(1235, "42000", "a stored function that names a table of several shards twice (MySQL opens a temporary table once); name it once, with a common table expression")
		}
		said.Message = g.plan.Original(said.Message)
	}
	g.out.Legs = len(g.sources)
	err = conclude(ctx, client, &g.out, err)
	g.end()
	return g.out, err
}

const (
	syntaxError  = 1064
	cannotReopen = 1137 // ER_CANT_REOPEN_TABLE
)

// asWritten gives a syntax error as the server tells it of the client's own text.
func (g *gathering) asWritten(e *wire.Error) error {
	l := g.home
	if l == nil || l.state != legIdle || g.state != nil {
		return e
	}
	stmt, err := prepareOnce(l.conn, g.req.SQL)
	var own *wire.Error
	switch {
	case errors.As(err, &own):
		return own
	case err == nil:
		err = closeOnce(l.conn, stmt.ID)
	}
	if err != nil {
		return l.failed(err)
	}
	return e
}

// DescribeGather gives the columns of a Gather's answer as its home shard would: over
// copies without rows.
func DescribeGather(ctx context.Context, leases Leases, req *Request) (cols []wire.Column, err error) {
	g := &gathering{ctx: ctx, leases: leases, req: req, plan: req.Bound.Gathering}
	if err = g.lease(); err == nil {
		g.state, err = enterLoad(g.home.conn, true)
	}
	for i := 0; err == nil && i < len(g.plan.Tables); i++ {
		err = definer{g}.create(&g.plan.Tables[i])
	}
	if err == nil {
		err = marker{g}.rename()
	}
	if err == nil {
		err = g.state.leave()
	}
	var stmt *backend.Stmt
	if err == nil {
		g.state = nil
		stmt, err = prepareOnce(g.home.conn, req.Bound.Legs[0].SQL)
	}
	if err == nil {
		g.stmt, cols = stmt.ID, stmt.Columns
		for i := range cols {
			g.rename(&cols[i])
		}
	} else if g.home != nil {
		err = g.home.failed(err)
	}
	g.endDescribed()
	return cols, err
}

// endDescribed removes what was made and gives the leases back.
func (g *gathering) endDescribed() {
	for i := range g.sources {
		l := &g.sources[i]
		ok := l.state == legIdle
		if l == g.home && ok && g.leaves() {
			ok = g.cleanUp(l.conn) == nil
		}
		g.leases.Done(l.conn, 0, ok)
	}
}

// lease takes a connection of every shard that is needed, in the order of the shards, as
// all statements over several shards do.
func (g *gathering) lease() error {
	at := g.req.Bound.Legs[0].Shard
	var shards []int
	for i := range g.plan.Tables {
		for _, l := range g.plan.Tables[i].Legs {
			shards = append(shards, l.Shard)
		}
		if w := g.plan.Tables[i].Write; w != nil {
			shards = append(shards, w.Shards...)
		}
	}
	if !g.plan.Apart {
		shards = append(shards, at)
	}
	shards = append(shards, g.targets...)
	slices.Sort(shards)
	shards = slices.Compact(shards)
	if to := g.req.Bound.Staging; to != nil && to.HomeFirst && !g.plan.Apart { // no other one waits for it
		shards = append([]int{at}, slices.DeleteFunc(shards, func(s int) bool { return s == at })...)
	}
	g.sources = make([]leg, 0, len(shards)+g.mostArrivals())
	for _, shard := range shards {
		c, err := g.leases.Lease(g.ctx, shard, g.writes(shard))
		if err != nil {
			return err
		}
		g.sources = append(g.sources, leg{index: len(g.sources), shard: shard, conn: c})
		if shard == at && !g.plan.Apart {
			g.home = &g.sources[len(g.sources)-1]
		}
	}
	if g.plan.Apart {
		c, err := g.leases.Apart(g.ctx, at)
		if err != nil {
			return err
		}
		g.home = &leg{index: len(g.sources), shard: at, conn: c}
	}
	g.out.Home = g.home.conn
	return g.interrupted()
}

// interrupted tells whether the statement has been stopped: between two commands a KILL
// finds nothing that runs.
func (g *gathering) interrupted() error {
	if err := interrupted(g.ctx); err != nil {
		return err
	}
	return g.leases.Interrupted()
}

// source gives the leg of a shard that rows come from.
func (g *gathering) source(shard int) *leg {
	for i := range g.sources {
		if g.sources[i].shard == shard {
			return &g.sources[i]
		}
	}
	return nil
}

// fill makes the copies.
func (g *gathering) fill() error {
	if err := (kept{g}).openCursors(); err != nil {
		return err
	}
	state, err := enterLoad(g.home.conn, g.plan.Apart)
	g.state = state
	if err != nil {
		return g.home.failed(err)
	}
	for i := range g.plan.Tables {
		t := &g.plan.Tables[i]
		if err := g.interrupted(); err != nil {
			return err
		}
		if err := (definer{g}).create(t); err != nil {
			return err
		}
		if t.Write != nil {
			if err := (marker{g}).number(t); err != nil {
				return err
			}
		}
		if err := g.copy(i); err != nil {
			return err
		}
	}
	if g.prepared != nil {
		if err := g.prepared(); err != nil {
			return err
		}
	}
	if err := (marker{g}).keepAll(); err != nil {
		return err
	}
	if err := (scratcher{g}).filled(); err != nil {
		return err
	}
	if err := g.state.leave(); err != nil {
		return g.home.failed(err)
	}
	g.state = nil
	return g.interrupted()
}

// copy fills one temporary table. All shards are asked before the first answers, unless
// a write locks their rows: two statements that lock them in the same order do not wait for
// each other in a circle.
func (g *gathering) copy(i int) error {
	t := &g.plan.Tables[i]
	if t.CopyOf != "" {
		return bounds{g}.tooMuch(definer{g}.copyAgain(t))
	}
	ld := &loader{g: g, table: t}
	ld.begin()
	for j := range t.Legs {
		if l := g.source(t.Legs[j].Shard); l != g.home && !g.locks() {
			if err := g.ask(l, &t.Legs[j]); err != nil {
				return err
			}
		}
	}
	for j := range t.Legs {
		l := g.source(t.Legs[j].Shard)
		var err error
		if c := (kept{g}).cursor(i, l); c != nil {
			err = kept{g}.fetch(c, ld)
		} else {
			if g.locks() {
				err = g.ask(l, &t.Legs[j])
			}
			if err == nil {
				err = g.read(l, ld)
			}
		}
		if err != nil {
			return bounds{g}.tooMuch(err)
		}
		if g.write != nil {
			if err := g.write.came(i, l, ld.number); err != nil {
				return err
			}
		}
		if g.req.Bound.Plan != nil && g.req.Bound.Plan.Strict && l.ok.Warnings > 0 {
			if err := l.converted(); err != nil {
				return err
			}
		}
	}
	return bounds{g}.tooMuch(ld.end())
}

// ask sends a source's SELECT, prepared, so that values come in their types.
func (g *gathering) ask(l *leg, part *router.Leg) error {
	l.part = part
	req := g.execute()
	var types [64]byte
	var stmt *backend.Stmt
	var err error
	if kinds := req.kinds(types[:0], part); req.ReadUnder != "" { // strings in conditions of the client's are part of it
		stmt, err = l.conn.PrepareUnder(req.ReadUnder, req.CollationOwn, part.SQL, kinds, false)
	} else {
		stmt, err = l.conn.PrepareAs(part.SQL, kinds)
	}
	if err == nil {
		err = sendExecute(l.conn, stmt, req, part, wire.CursorNone)
	}
	if err != nil {
		return l.failed(err)
	}
	l.state, l.known = legSent, false
	return nil
}

// execute gives the request as one with parameters, which a text statement has none of.
func (g *gathering) execute() *Request {
	if g.req.Execute != nil {
		return g.req
	}
	r := *g.req
	r.Execute = &wire.Execute{}
	return &r
}

// read loads the rows of a shard.
func (g *gathering) read(l *leg, ld *loader) error {
	if err := l.header(); err != nil {
		return err
	}
	if err := ld.describe(l); err != nil {
		return err
	}
	for {
		row, err := l.next()
		if err != nil || row == nil {
			return err
		}
		if err := ld.row(row); err != nil {
			return err
		}
	}
}

// answer runs the client's statement over the copies and relays what it says.
func (g *gathering) answer() error {
	l := g.home
	l.part = &g.req.Bound.Legs[0]
	err := g.sendAnswer()
	if err == nil {
		err = l.header()
	}
	switch {
	case wire.IsCode(err, noTextKey) && len(g.scratch) == 0:
		return scratcher{g}.unmatched()
	case err != nil:
		return err
	}
	if l.cols == nil {
		g.out.Response.OK = l.ok
		return nil
	}
	eof, err := g.relayRows()
	if err != nil {
		return err
	}
	if err := g.client.WriteEOF(eof.Status, eof.Warnings); err != nil {
		return clientGone(err)
	}
	eof.Status &^= wire.StatusMoreResults
	if eof.Warnings > 0 {
		g.out.Warned = append(g.out.Warned, l.shard)
	}
	g.out.Response.OK, g.out.Answered = eof, true
	return nil
}

// relayRows relays the home connection's rows, without what ends them. Definitions name the
// originals.
func (g *gathering) relayRows() (eof wire.OK, err error) {
	l := g.home
	for i := range l.cols {
		g.rename(&l.cols[i])
	}
	g.out.Started = true
	g.out.Response.Columns = len(l.cols)
	if err := wire.WriteColumns(g.client, l.cols, g.status(), 0); err != nil {
		return eof, clientGone(err)
	}
	for {
		row, err := l.next()
		if err != nil {
			return eof, err
		}
		if row == nil {
			return wire.OK{Status: g.status(), Warnings: l.ok.Warnings}, nil
		}
		if err := g.req.full(g.out.Response.Rows); err != nil {
			return eof, err
		}
		if err := g.client.WritePacket(row); err != nil {
			return eof, clientGone(err)
		}
		g.out.Response.Rows++
		g.out.Response.Bytes += int64(len(row))
	}
}

// sendAnswer sends the statement, as text or prepared, as the client has.
func (g *gathering) sendAnswer() error {
	l := g.home
	err := error(nil)
	if g.req.Execute == nil {
		err = sendQuery(l.conn, l.part.SQL)
	} else {
		var stmt *backend.Stmt
		if stmt, err = g.prepareAnswer(); err == nil {
			g.stmt = stmt.ID
			err = sendExecute(l.conn, stmt, g.req, l.part, wire.CursorNone)
		}
	}
	if err != nil {
		return l.failed(err)
	}
	l.state, l.known = legSent, false
	return nil
}

// prepareAnswer prepares the client's statement.
func (g *gathering) prepareAnswer() (*backend.Stmt, error) {
	l := g.home
	if g.req.ReadUnder == "" {
		return prepareOnce(l.conn, l.part.SQL)
	}
	if _, err := l.conn.Exec("SET collation_connection='" + g.req.ReadUnder + "'"); err != nil {
		return nil, err
	}
	g.state = &loadState{conn: l.conn, restore: []string{"SET collation_connection='" + g.req.CollationOwn + "'"}}
	stmt, err := prepareOnce(l.conn, l.part.SQL)
	if back := g.state.leave(); back != nil {
		return nil, back
	}
	g.state = nil
	return stmt, err
}

// prepareOnce prepares a statement that is closed by the caller: it names tables that will
// not be there the next time.
func prepareOnce(c *backend.Conn, sql []byte) (*backend.Stmt, error) {
	if err := c.Command(wire.ComStmtPrepare, sql); err != nil {
		return nil, err
	}
	if err := c.Flush(); err != nil {
		return nil, err
	}
	ok, params, cols, err := wire.ReadPrepare(c.Conn)
	if err != nil {
		return nil, err
	}
	return &backend.Stmt{ID: ok.ID, Params: len(params), Columns: cols}, nil
}

// closeOnce closes it; there is no answer.
func closeOnce(c *backend.Conn, id uint32) error {
	var arg [4]byte
	binary.LittleEndian.PutUint32(arg[:], id)
	if err := c.Command(wire.ComStmtClose, arg[:]); err != nil {
		return err
	}
	return c.Flush()
}

// rename makes the definition of a copy's column that of the original's.
func (g *gathering) rename(c *wire.Column) {
	for i := range g.plan.Tables {
		if t := &g.plan.Tables[i]; c.OrgTable == t.Name && (c.Schema == t.Schema || c.Schema == "") {
			c.OrgTable = t.Table
		}
		if t := &g.plan.Tables[i]; strings.Contains(c.Name, t.Name) { // where no alias can stand: in VALUES
			c.Name = strings.ReplaceAll(strings.ReplaceAll(c.Name, "`"+t.Name+"` AS ", ""), "`"+t.Name+"`", t.Table)
		}
	}
}

func (g *gathering) status() uint16 {
	status := g.req.Status | g.home.status&legFlags
	if g.req.More {
		status |= wire.StatusMoreResults
	}
	return status
}

// end gives every lease back. What the statement has left on the home connection is
// removed by Cleanup, or together with a connection that is not in order.
func (g *gathering) end() {
	legs := make([]leg, 0, len(g.sources)+1)
	legs = append(legs, g.sources...)
	at := -1
	for i := range g.sources {
		if &g.sources[i] == g.home {
			at = i
		}
	}
	if at < 0 && g.home != nil {
		at = len(legs)
		legs = append(legs, *g.home)
	}
	stopAll(legs)
	for i := range legs {
		l := &legs[i]
		if !l.known {
			l.status = 0
		}
		ok := l.state == legIdle && (i == at || kept{g}.close(l.conn) == nil)
		if i == at && ok && g.leaves() {
			c := l.conn
			g.out.Cleanup = func() error { return g.cleanUp(c) }
		}
		g.leases.Done(l.conn, l.status, ok)
	}
}

// leaves tells whether something has to be cleaned up.
func (g *gathering) leaves() bool {
	return g.state != nil || len(g.made)+len(g.scratch) > 0 || len(g.cursors) > 0 || g.stmt != 0
}

// cleanUp removes what the statement has left on its home connection.
func (g *gathering) cleanUp(c *backend.Conn) error {
	if err := (kept{g}).close(c); err != nil {
		return err
	}
	if g.stmt != 0 {
		if err := closeOnce(c, g.stmt); err != nil {
			return err
		}
	}
	err := g.undo(c)
	if wire.IsCode(err, 1317) { // a KILL that came late was for the statement
		err = g.undo(c)
	}
	return err
}

// undo drops the copies and brings the client's state back. It may be run twice.
func (g *gathering) undo(c *backend.Conn) error {
	if len(g.made) > 0 {
		sql := "DROP TEMPORARY TABLE IF EXISTS "
		for i, name := range g.made {
			if i > 0 {
				sql += ", "
			}
			sql += name
		}
		if _, err := c.Exec(sql); err != nil {
			return err
		}
		g.made = nil
	}
	if err := (scratcher{g}).drop(c); err != nil {
		return err
	}
	if g.state != nil {
		if err := g.state.leave(); err != nil {
			return err
		}
		g.state = nil
	}
	if g.plan.Apart { // under autocommit=0 its own statements have opened a transaction
		_, err := c.Exec("ROLLBACK")
		return err
	}
	return nil
}
