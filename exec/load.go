package exec

import (
	"fmt"
	"strconv"
	"strings"

	"sluice/router"
	"sluice/wire"
)

// batchBytes is the text of one INSERT: large enough that a round trip does not matter,
// small enough for every server's max_allowed_packet. A row that is larger goes alone.
const batchBytes = 1 << 20

// loader fills one temporary table on the home connection with INSERTs of many rows. While
// the server carries one out, the next is written: two buffers.
type loader struct {
	g     *gathering
	table *router.GatherTable
	cols  []wire.Column // of the leg that is read
	vals  [][]byte
	buf   []byte // the INSERT that is being written
	head  int    // where its rows begin
	rows  int
	sent  []byte // the one that the server carries out
	under bool   // an INSERT is under way
	count int    // rows of sent
	plain bool   // unique keys have been made plain ones

	number uint64 // of the last row, which a copy that is written has in a column of its own
}

func (ld *loader) begin() {
	ld.buf = append(ld.buf[:0], "INSERT INTO "...)
	ld.buf = append(ld.buf, tableName(ld.table.Schema, ld.table.Name)...)
	ld.buf = append(ld.buf, " ("...)
	for i, c := range ld.table.Columns {
		if i > 0 {
			ld.buf = append(ld.buf, ", "...)
		}
		ld.buf = append(ld.buf, quoteName(c.Name)...)
	}
	if ld.table.Write != nil {
		ld.buf = append(ld.buf, ", "+rowColumn...)
	}
	ld.buf = append(ld.buf, ") VALUES "...)
	ld.head = len(ld.buf)
}

// describe checks the definitions of the rows that follow.
func (ld *loader) describe(l *leg) error {
	if len(l.cols) != len(ld.table.Columns) {
		return refuse(1412, "HY000", "shard %s gives %d columns of %s.%s, not %d", l.conn.Shard(), len(l.cols), ld.table.Schema, ld.table.Table, len(ld.table.Columns))
	}
	ld.cols = l.cols
	return nil
}

// size is what has been written of the next INSERT.
func (ld *loader) size() int { return len(ld.buf) - ld.head }

// row adds a row and sends the INSERT when it is full.
func (ld *loader) row(row []byte) error {
	if err := ld.keep(row); err != nil {
		return err
	}
	return ld.flushFull()
}

// keep adds a row, which is not kept itself.
func (ld *loader) keep(row []byte) error {
	vals, err := wire.SplitBinaryRow(row, ld.cols, ld.vals)
	if err != nil {
		return err
	}
	ld.vals = vals
	before := len(ld.buf)
	for i, v := range vals {
		sep := byte(',')
		if i == 0 {
			if ld.rows > 0 {
				ld.buf = append(ld.buf, ',')
			}
			sep = '('
		}
		ld.buf = append(ld.buf, sep)
		if v == nil {
			ld.buf = append(ld.buf, "NULL"...)
			continue
		}
		if ld.buf, err = appendLoaded(ld.buf, v, &ld.cols[i], ld.table.Columns[i].Form); err != nil {
			return fmt.Errorf("column %s of %s.%s: %w", ld.table.Columns[i].Name, ld.table.Schema, ld.table.Table, err)
		}
	}
	ld.number++
	if ld.table.Write != nil {
		ld.buf = strconv.AppendUint(append(ld.buf, ','), ld.number, 10)
	}
	ld.buf = append(ld.buf, ')')
	ld.rows++
	a := &ld.g.amount
	a.rows++
	a.bytes += len(ld.buf) - before
	if limits := ld.g.plan.Limits; a.rows > limits.Rows() || a.bytes > limits.Bytes() {
		return tooLarge{}
	}
	return nil
}

// flushFull sends the INSERT if it is full.
func (ld *loader) flushFull() error {
	if ld.size() < batchBytes {
		return nil
	}
	return ld.flush()
}

// flush sends the INSERT when the one before has been carried out.
func (ld *loader) flush() error {
	if ld.rows == 0 {
		return nil
	}
	if err := ld.await(); err != nil {
		return err
	}
	if err := ld.g.interrupted(); err != nil {
		return err
	}
	ld.sent, ld.buf = ld.buf, append(ld.sent[:0], ld.buf[:ld.head]...)
	ld.count, ld.rows = ld.rows, 0
	return ld.send()
}

func (ld *loader) send() error {
	l := ld.g.home
	if err := sendQuery(l.conn, ld.sent); err != nil {
		return l.failed(err)
	}
	l.state, l.known = legSent, false
	ld.under = true
	return nil
}

// await reads the answer of the INSERT that is under way. Rows of two shards may have the
// same value of a unique key without the shard key: the copy has it as a plain one then.
func (ld *loader) await() error {
	if !ld.under {
		return nil
	}
	ld.under = false
	l := ld.g.home
	err := l.header()
	if wire.IsCode(err, 1062) && !ld.plain {
		ld.plain = true
		if err := (definer{ld.g}).makePlain(ld.table); err != nil {
			return err
		}
		if err := ld.send(); err != nil {
			return err
		}
		return ld.await()
	}
	switch {
	case wire.IsCode(err, 1153):
		return bounds{ld.g}.tooBig(fmt.Sprintf("a row of %s.%s that is larger than the shard's max_allowed_packet", ld.table.Schema, ld.table.Table))
	case err != nil:
		return err
	case l.ok.AffectedRows != uint64(ld.count):
		return refuse(1105, "HY000", "of %d rows of %s.%s %d could be copied", ld.count, ld.table.Schema, ld.table.Table, l.ok.AffectedRows)
	case l.ok.Warnings > 0:
		return heed(l, ld.table)
	}
	return nil
}

// heed looks at the warnings of an INSERT: a value that was changed would make a wrong
// answer. Columns that were left out have none (1364), and an ENUM may have its error value,
// which is 0 (1265).
func heed(l *leg, t *router.GatherTable) error {
	_, rows, err := l.conn.Query("SHOW WARNINGS")
	if err != nil {
		return l.failed(err)
	}
	for _, r := range rows {
		if len(r) != 3 {
			return l.failed(fmt.Errorf("%w: a warning of %d columns", wire.ErrMalformed, len(r)))
		}
		code, text := string(r[1]), string(r[2])
		if code == "1364" || string(r[0]) == "Note" || code == "1265" && isNumbered(t, text) {
			continue
		}
		return refuse(1105, "HY000", "a row of %s.%s could not be copied as it is: %s", t.Schema, t.Table, text)
	}
	return nil
}

// isNumbered tells whether a warning names a column that is copied as a number.
func isNumbered(t *router.GatherTable, text string) bool {
	for _, c := range t.Columns {
		if c.Form == router.AsNumber && strings.Contains(text, "'"+c.Name+"'") {
			return true
		}
	}
	return false
}

// end loads what is left.
func (ld *loader) end() error {
	if err := ld.flush(); err != nil {
		return err
	}
	return ld.await()
}
