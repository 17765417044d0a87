package exec

import (
	"encoding/binary"
	"fmt"
	"strings"

	"sluice/backend"
	"sluice/router"
	"sluice/wire"
)

// kept reads rows that servers keep.
type kept struct{ *gathering }

// A connection cannot be read from and inserted on at once. The home shard's own rows are
// therefore kept by its server in a cursor and fetched in small portions. (INSERT … SELECT
// would lock the rows that it reads.)
//
// Rows that a SELECT locks are kept so by all servers: that of a cursor has found, and
// locked, all of them when it answers. So one shard's are locked after the other's, in the
// order of the shards whichever is home.
type cursor struct {
	table int // index in Gathering.Tables
	leg   *leg
	stmt  uint32
	cols  []wire.Column
}

// Rows that one fetch asks for: few at first, more while they are small. They are held as
// text until the fetch has ended.
const (
	firstFetch = 16
	mostFetch  = 256
)

// openCursors opens them while the home connection has the client's state, in which its
// predicates are meant.
func (g kept) openCursors() error {
	if g.write != nil {
		return nil
	}
	for s := range g.sources {
		l := &g.sources[s]
		if l != g.home && !g.locks() {
			continue
		}
		for i := range g.plan.Tables {
			t := &g.plan.Tables[i]
			for j := range t.Legs {
				if t.Legs[j].Shard != l.shard {
					continue
				}
				if err := g.open(l, i, &t.Legs[j]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (g kept) open(l *leg, table int, part *router.Leg) error {
	var stmt *backend.Stmt
	var err error
	prepare := func() error {
		stmt, err = prepareOnce(l.conn, part.SQL)
		return err
	}
	if under := g.req.ReadUnder; under != "" {
		err = l.conn.Under(under, g.req.CollationOwn, prepare)
	} else {
		err = prepare()
	}
	if err != nil {
		return l.failed(err)
	}
	g.cursors = append(g.cursors, cursor{table: table, leg: l, stmt: stmt.ID})
	l.part = part
	if err := sendExecute(l.conn, stmt, g.execute(), part, wire.CursorReadOnly); err != nil {
		return l.failed(err)
	}
	l.state, l.known = legSent, false
	if err := l.header(); err != nil {
		return err
	}
	if l.cols == nil || l.ok.Status&wire.StatusCursorExists == 0 {
		return refuse(1105, "HY000", "shard %s opened no cursor for the statement's rows", l.conn.Shard())
	}
	g.cursors[len(g.cursors)-1].cols = l.cols
	l.state = legIdle // until something is fetched
	return nil
}

// cursor gives that of a leg of a copy, nil when it has none.
func (g kept) cursor(table int, l *leg) *cursor {
	for i := range g.cursors {
		if g.cursors[i].table == table && g.cursors[i].leg == l {
			return &g.cursors[i]
		}
	}
	return nil
}

// close closes the cursors of a connection.
func (g kept) close(c *backend.Conn) error {
	for i := range g.cursors {
		if g.cursors[i].leg.conn != c {
			continue
		}
		if err := closeOnce(c, g.cursors[i].stmt); err != nil {
			return err
		}
	}
	return nil
}

// fetch loads the rows of a cursor.
func (g kept) fetch(cur *cursor, ld *loader) error {
	l := cur.leg
	l.cols = cur.cols
	if err := ld.describe(l); err != nil {
		return err
	}
	for n := firstFetch; ; {
		if l == g.home {
			if err := ld.await(); err != nil { // the connection is needed
				return err
			}
		}
		before := ld.size()
		last, err := g.fetchRows(cur, n, ld)
		if err != nil || last {
			return err
		}
		if taken := ld.size() - before; taken < batchBytes/4 {
			n = min(2*n, mostFetch)
		} else if taken > batchBytes {
			n = max(n/2, 1)
		}
		if err := ld.flushFull(); err != nil {
			return err
		}
		if err := g.interrupted(); err != nil {
			return err
		}
	}
}

// fetchRows fetches the next n rows; last says that there are no more.
func (g kept) fetchRows(cur *cursor, n int, ld *loader) (last bool, err error) {
	l := cur.leg
	arg := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, cur.stmt), uint32(n))
	if err := l.conn.Command(wire.ComStmtFetch, arg); err != nil {
		return false, l.failed(err)
	}
	if err := l.conn.Flush(); err != nil {
		return false, l.failed(err)
	}
	l.state, l.known = legRows, false
	for {
		row, err := l.next()
		if err != nil {
			return false, err
		}
		if row == nil {
			return l.status&wire.StatusLastRowSent != 0, nil
		}
		if err := ld.keep(row); err != nil {
			return false, err
		}
	}
}

// bounds refuses what is more than one statement may gather.
type bounds struct{ *gathering }

// amount counts what a statement has gathered.
type amount struct{ rows, bytes int }

// tooLarge is the error of a statement that gathers more than is allowed.
type tooLarge struct{}

func (tooLarge) Error() string { return "the statement gathers too much" }

// tooMuch makes the refusal of a statement that gathers too much, with what the servers
// believe it would take.
func (g bounds) tooMuch(err error) error {
	if _, ok := err.(tooLarge); !ok {
		return err
	}
	stopAll(g.sources)
	var parts []string
	total := 0
	for i := range g.plan.Tables {
		t := &g.plan.Tables[i]
		rows := 0
		for j := range t.Legs {
			n, err := g.estimate(&t.Legs[j])
			if err != nil {
				return err
			}
			rows += n
		}
		total += rows
		parts = append(parts, fmt.Sprintf("%d of %s.%s", rows, t.Schema, t.Table))
	}
	return g.tooBig(fmt.Sprintf("about %d rows on one shard (%s)", total, strings.Join(parts, ", ")))
}

// tooBig is ER_TOO_BIG_SELECT: what MySQL says of a SELECT that its limits do not allow.
func (g bounds) tooBig(what string) *router.Refusal {
	return refuse(1104, "42000", "the SELECT would bring together %s; at most %d rows and %d MiB are brought together for one statement. "+
		"Give the shard key a value, compare further columns of these tables with values in WHERE, or select fewer columns",
		what, g.plan.Limits.Rows(), (g.plan.Limits.Bytes()+1<<20-1)>>20)
}

// estimate asks a shard's optimizer for the number of a source's rows.
func (g bounds) estimate(part *router.Leg) (int, error) {
	l := g.source(part.Shard)
	if l.state != legIdle {
		return 0, lost(l.conn, wire.ErrMalformed)
	}
	explain := router.Leg{Shard: part.Shard, SQL: append([]byte("EXPLAIN FORMAT=TRADITIONAL "), part.SQL...), Params: part.Params}
	if err := g.ask(l, &explain); err != nil {
		return 0, err
	}
	if err := l.header(); err != nil {
		return 0, err
	}
	rows := 0
	var vals [][]byte
	for {
		row, err := l.next()
		if err != nil || row == nil {
			return rows, err
		}
		if vals, err = wire.SplitBinaryRow(row, l.cols, vals); err != nil {
			return 0, l.failed(err)
		}
		for i := range l.cols {
			if l.cols[i].Name != "rows" || vals[i] == nil {
				continue
			}
			text, err := wire.BinaryToText(nil, vals[i], &l.cols[i])
			if err != nil {
				return 0, l.failed(err)
			}
			var n int
			if _, err := fmt.Sscan(string(text), &n); err == nil {
				rows = max(rows, n)
			}
		}
	}
}

// converted gives the error that a condition which converts values is in an INSERT … SELECT; a SELECT is only warned, and
// leaves the rows out that it would fail for.
func (l *leg) converted() error {
	_, rows, err := l.conn.Query("SHOW WARNINGS")
	if err != nil {
		return l.failed(err)
	}
	for _, r := range rows {
		if len(r) == 3 && string(r[0]) == "Warning" && string(r[1]) == "1292" {
			return &wire.Error{Code: 1292, SQLState: "22007", Message: string(r[2])}
		}
	}
	return nil
}
