package exec

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"sluice/router"
	"sluice/wire"
)

// writer writes the changes of copies to the shards.
type writer struct{ *gathering }

// step is one walk over the changes of a copy. A row that changes its shard is deleted
// before anything is changed, and inserted after that: so no unique key is in its own way.
type step uint8

const (
	leaving  step = iota // rows that are deleted, or move to another shard
	staying              // rows that change where they are
	arriving             // rows that have moved
)

// writeAll carries out the steps, each for all tables.
func (g writer) writeAll() error {
	for _, s := range []step{leaving, staying, arriving} {
		for i := range g.plan.Tables {
			w := g.plan.Tables[i].Write
			if w == nil || w.Deletes && s != leaving || !w.Deletes && w.Moves == nil && s != staying {
				continue
			}
			if err := g.writeTable(i, s); err != nil {
				return g.ignored(w, err)
			}
		}
	}
	return nil
}

// ignored refuses what a server would have skipped the row for, with a warning: the rows
// before it, the counts and the warnings come of the copies, which have no foreign keys and
// not all rows of a unique one.
func (g writer) ignored(w *router.WriteBack, err error) error {
	if !w.Ignore {
		return err
	}
	for _, code := range []uint16{1062, 1216, 1217, 1451, 1452, 3819, 4025} {
		if wire.IsCode(err, code) {
			return refuse(1235, "42000", "a row that IGNORE would have to skip in an UPDATE or DELETE over several shards (%v); "+
				"nothing was written; leave the row out by a condition, or write without IGNORE", err)
		}
	}
	return err
}

// writeTable carries out one step. Rows whose new key another row still has wait for that
// one: a server has made the changes in some order in which they do not collide, and a
// walk in the other direction is that order more often than not.
func (g writer) writeTable(i int, s step) error {
	wb := &tableWriter{writer: g, index: i, table: &g.plan.Tables[i], step: s}
	if err := wb.charsets(); err != nil {
		return err
	}
	if err := wb.walk(false); err != nil {
		return err
	}
	for reverse := true; len(wb.waiting) > 0; reverse = !reverse {
		before := len(wb.waiting)
		wb.only, wb.waiting = wb.waiting, nil
		if err := wb.walk(reverse); err != nil {
			return err
		}
		if len(wb.waiting) == before {
			return wb.collision
		}
	}
	return nil
}

// tableWriter is one step for one table.
type tableWriter struct {
	writer
	index     int
	table     *router.GatherTable
	step      step
	intro     []string // by key column: what makes a string literal of its character set
	queues    []*queue // by shard
	only      map[uint64]bool
	waiting   map[uint64]bool
	collision error
	vals      [][]byte
}

// charsets asks for the character sets of the key's strings: a literal of another one would
// be compared without the key.
func (w *tableWriter) charsets() error {
	t := w.table
	var list []string
	for _, k := range t.Write.Key {
		list = append(list, "CHARSET("+quoteName(t.Columns[k].Name)+")")
	}
	_, rows, err := w.home.conn.Query("SELECT " + strings.Join(list, ", ") + " FROM " + w.write.kept[w.index] + " LIMIT 1")
	if err != nil {
		return w.home.failed(err)
	}
	w.intro = make([]string, len(list))
	for _, r := range rows {
		for i := range r {
			w.intro[i] = "_" + string(r[i])
		}
	}
	return nil
}

// walk reads the rows before and after the statement and writes their differences.
func (w *tableWriter) walk(reverse bool) error {
	t := w.table
	sql := "SELECT sluice_b." + rowColumn
	for _, e := range t.Write.Before {
		sql += ", " + e
	}
	join := " LEFT JOIN "
	if !t.Write.Deletes {
		join = " JOIN "
		for _, e := range t.Write.After {
			sql += ", " + e
		}
	}
	sql += " FROM " + w.write.kept[w.index] + " sluice_b" + join + tableName(t.Schema, t.Table) + " sluice_a ON sluice_a." + rowColumn + " = sluice_b." + rowColumn
	if t.Write.Deletes {
		sql += " WHERE sluice_a." + rowColumn + " IS NULL"
	}
	sql += " ORDER BY sluice_b." + rowColumn
	if reverse {
		sql += " DESC"
	}
	done, err := marker{w.gathering}.openRows(sql)
	if err != nil {
		return err
	}
	want := 1 + len(t.Write.Before)
	if !t.Write.Deletes {
		want += len(t.Write.After)
	}
	if len(w.home.cols) != want {
		return refuse(1105, "HY000", "the changes of %s.%s have %d columns, not %d", t.Schema, t.Table, len(w.home.cols), want)
	}
	for {
		row, err := w.home.next()
		if err != nil {
			return err
		}
		if row == nil {
			break
		}
		if err := w.row(row); err != nil {
			return err
		}
	}
	for _, q := range w.queues {
		if err := q.flush(); err != nil {
			return err
		}
	}
	return done()
}

// row looks at one row of the copy, before and after.
func (w *tableWriter) row(row []byte) (err error) {
	t, n := w.table, len(w.table.Columns)
	if w.vals, err = wire.SplitBinaryRow(row, w.home.cols, w.vals); err != nil {
		return err
	}
	if len(w.vals[0]) != 8 {
		return fmt.Errorf("%w: a row's number has %d bytes", wire.ErrMalformed, len(w.vals[0]))
	}
	number := binary.LittleEndian.Uint64(w.vals[0])
	if w.only != nil && !w.only[number] {
		return nil
	}
	from, err := w.write.shardOf(w.index, number)
	if err != nil {
		return err
	}
	before := w.vals[1 : 1+n]
	if t.Write.Deletes {
		return w.remove(from, number, before)
	}
	after := w.vals[1+n:]
	to, changed := from, false
	for i := range before {
		changed = changed || !sameValue(before[i], after[i])
	}
	if !changed {
		return nil
	}
	if t.Write.Moves != nil && !sameValue(before[t.Write.Moves.Column], after[t.Write.Moves.Column]) {
		if to, err = w.newShard(after[t.Write.Moves.Column], n); err != nil {
			return err
		}
	}
	switch {
	case w.step == leaving && to != from:
		return w.remove(from, number, before)
	case w.step == staying && to == from:
		return w.update(from, number, before, after)
	case w.step == arriving && to != from:
		return w.insert(to, number, after)
	}
	return nil
}

// sameValue tells whether two values of a row are: nil is NULL.
func sameValue(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

// newShard gives the shard of a row's new key.
func (w *tableWriter) newShard(v []byte, n int) (int, error) {
	m := w.table.Write.Moves
	if v == nil {
		return 0, refuse(1048, "23000", "Column '%s' cannot be null: it is the shard key", w.table.Columns[m.Column].Name)
	}
	if w.table.Columns[m.Column].Form == router.AsBytes {
		text, _, ok := wire.LenencBytes(v)
		if !ok {
			return 0, fmt.Errorf("%w: a string of a binary row", wire.ErrMalformed)
		}
		return m.Shard(text)
	}
	text, err := wire.BinaryToText(nil, v, &w.home.cols[1+n+m.Column])
	if err != nil {
		return 0, err
	}
	return m.Shard(text)
}

// remove deletes a row.
func (w *tableWriter) remove(shard int, number uint64, before [][]byte) error {
	key, err := w.keyOf(before)
	if err != nil {
		return err
	}
	return w.each(shard, change{verb: deletes, parts: [][]byte{key}, rows: []uint64{number}})
}

// update changes what is different in a row, and what a server would change by itself.
func (w *tableWriter) update(shard int, number uint64, before, after [][]byte) error {
	key, err := w.keyOf(before)
	if err != nil {
		return err
	}
	var set []byte
	for i := range after {
		if sameValue(before[i], after[i]) && !slices.Contains(w.table.Write.OnUpdate, i) {
			continue
		}
		if set != nil {
			set = append(set, ", "...)
		}
		set = append(append(set, quoteName(w.table.Columns[i].Name)...), '=')
		if set, err = w.value(set, after[i], i); err != nil {
			return err
		}
	}
	return w.each(shard, change{verb: updates, set: set, parts: [][]byte{key}, rows: []uint64{number}})
}

// insert puts a row on its new shard.
func (w *tableWriter) insert(shard int, number uint64, after [][]byte) (err error) {
	text := []byte{'('}
	for i := range after {
		if i > 0 {
			text = append(text, ',')
		}
		if text, err = w.value(text, after[i], i); err != nil {
			return err
		}
	}
	return w.each(shard, change{verb: inserts, parts: [][]byte{append(text, ')')}, rows: []uint64{number}})
}

// value writes a column's value as a literal.
func (w *tableWriter) value(dst, v []byte, i int) ([]byte, error) {
	if v == nil {
		return append(dst, "NULL"...), nil
	}
	return appendLoaded(dst, v, &w.home.cols[1+i], w.table.Columns[i].Form)
}

// keyOf writes the condition that a row's key fulfils.
func (w *tableWriter) keyOf(vals [][]byte) (text []byte, err error) {
	for n, i := range w.table.Write.Key {
		if n > 0 {
			text = append(text, " AND "...)
		}
		text = append(append(text, quoteName(w.table.Columns[i].Name)...), '=')
		switch {
		case vals[i] == nil:
			return nil, refuse(1105, "HY000", "a row of %s.%s has NULL in its primary key", w.table.Schema, w.table.Table)
		case w.table.Columns[i].Form == router.AsBytes:
			text, err = appendStringLiteral(append(text, w.intro[n]...), vals[i])
		default:
			text, err = w.value(text, vals[i], i)
		}
		if err != nil {
			return nil, err
		}
	}
	return append(append([]byte{'('}, text...), ')'), nil
}

// each gives a change to the shard of its row; one of a reference table to all.
func (w *tableWriter) each(shard int, c change) error {
	if w.table.Write.Shards == nil {
		return w.change(shard, c)
	}
	for _, s := range w.table.Write.Shards {
		if err := w.change(s, c); err != nil {
			return err
		}
	}
	return nil
}

func (w *tableWriter) change(shard int, c change) error {
	q, err := w.queue(shard)
	if err != nil {
		return err
	}
	return q.add(c)
}
