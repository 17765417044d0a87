package exec

import (
	"bytes"

	"sluice/wire"
)

// Bounds of what is written to a shard at once: statements, which are sent together, and
// rows of one.
const (
	mostQueued  = 64
	mostInOne   = 256
	queuedBytes = 512 << 10
)

type verb uint8

const (
	deletes verb = iota
	updates
	inserts
)

// change is one statement of a writeback.
type change struct {
	verb  verb
	set   []byte   // what an UPDATE assigns
	parts [][]byte // by row: the condition of its key, or its values
	rows  []uint64
}

// queue are the changes that a shard is sent next.
type queue struct {
	w    *tableWriter
	leg  *leg
	list []change
	size int
}

// queue gives the queue of a shard. Its connection is brought into the state for loading.
func (w *tableWriter) queue(shard int) (*queue, error) {
	for _, q := range w.queues {
		if q.leg.shard == shard {
			return q, nil
		}
	}
	l, err := w.arrives(shard)
	if err != nil {
		return nil, err
	}
	known := false
	for _, s := range w.write.states {
		known = known || s.conn == l.conn
	}
	if !known {
		state, err := enterLoad(l.conn, false)
		w.write.states = append(w.write.states, state)
		if err != nil {
			return nil, l.failed(err)
		}
	}
	q := &queue{w: w, leg: l}
	w.queues = append(w.queues, q)
	return q, nil
}

// arrives gives the leg of a shard, which rows may be the first to reach.
func (w *tableWriter) arrives(shard int) (*leg, error) {
	if l := w.source(shard); l != nil {
		return l, nil
	}
	if len(w.sources) == cap(w.sources) {
		return nil, refuse(1105, "HY000", "no connection of shard %d is there to be written to", shard)
	}
	c, err := w.leases.Lease(w.ctx, shard, true)
	if err != nil {
		return nil, err
	}
	w.sources = append(w.sources, leg{index: len(w.sources), shard: shard, conn: c})
	return &w.sources[len(w.sources)-1], nil
}

// add takes a change of one row. It becomes part of the one before where that is the same.
func (q *queue) add(c change) error {
	q.size += len(c.set) + len(c.parts[0])
	if n := len(q.list); n > 0 && q.joins(&q.list[n-1], &c) {
		last := &q.list[n-1]
		last.parts, last.rows = append(last.parts, c.parts...), append(last.rows, c.rows...)
	} else {
		q.list = append(q.list, c)
	}
	if len(q.list) < mostQueued && q.size < queuedBytes {
		return nil
	}
	return q.flush()
}

// joins tells whether a change can be made by the same statement as another: where rows
// may wait for others each is one of its own.
func (q *queue) joins(last, c *change) bool {
	return last.verb == c.verb && len(last.rows) < mostInOne && bytes.Equal(last.set, c.set) &&
		(c.verb != updates || !q.w.table.Write.Unique)
}

// flush sends what is there and reads all answers.
func (q *queue) flush() error {
	if len(q.list) == 0 {
		return nil
	}
	if err := q.w.interrupted(); err != nil {
		return err
	}
	l := q.leg
	for i := range q.list {
		if err := l.conn.Command(wire.ComQuery, q.text(&q.list[i])); err != nil {
			return l.failed(err)
		}
	}
	if err := l.conn.Flush(); err != nil {
		return l.failed(err)
	}
	var first error
	for i := range q.list {
		l.conn.AwaitAnswer()
		l.state = legSent
		err := l.header()
		if l.state == legBroken {
			return err
		}
		if err = q.answered(&q.list[i], err); err != nil && first == nil {
			first = err
		}
	}
	q.list, q.size = q.list[:0], 0
	return first
}

// text writes the statement of a change.
func (q *queue) text(c *change) (sql []byte) {
	t := q.w.table
	name := tableName(t.Schema, t.Table)
	sep := " OR "
	switch c.verb {
	case deletes:
		sql = append(sql, "DELETE FROM "+name+" WHERE "...)
	case updates:
		sql = append(append(append(sql, "UPDATE "+name+" SET "...), c.set...), " WHERE "...)
	case inserts:
		sep = ", "
		sql = append(sql, "INSERT INTO "+name+" ("...)
		for i, col := range t.Columns {
			if i > 0 {
				sql = append(sql, ", "...)
			}
			sql = append(sql, quoteName(col.Name)...)
		}
		sql = append(sql, ") VALUES "...)
	}
	return append(sql, bytes.Join(c.parts, []byte(sep))...)
}

// answered checks that a change has been made to the rows that it was meant for, which are
// locked.
func (q *queue) answered(c *change, err error) error {
	t, l := q.w.table, q.leg
	if err != nil {
		if wire.IsCode(err, 1062) && c.verb == updates && t.Write.Unique {
			if q.w.waiting == nil {
				q.w.waiting = map[uint64]bool{}
			}
			q.w.waiting[c.rows[0]], q.w.collision = true, err
			return nil
		}
		return err
	}
	found := l.ok.AffectedRows
	if c.verb == updates {
		said := updated(l.ok.Info)
		if said == nil {
			return refuse(1105, "HY000", "shard %s answered an UPDATE with %q", l.conn.Shard(), l.ok.Info)
		}
		found = said[0]
	}
	if found != uint64(len(c.rows)) && !(c.verb == deletes && found < uint64(len(c.rows)) && !t.Write.Only) {
		return refuse(1105, "HY000", "of %d changed rows of %s.%s %d were found on shard %s; nothing was written", len(c.rows), t.Schema, t.Table, found, l.conn.Shard())
	}
	if l.ok.Warnings > 0 {
		return heed(l, t)
	}
	return nil
}
