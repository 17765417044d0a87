package mover

import (
	"fmt"

	"sluice/wire"
)

// rows are rows of one SELECT, as the text protocol gave them, in one piece of memory.
type rows struct {
	data []byte
	ends []int
}

func (r *rows) add(row []byte) {
	r.data = append(r.data, row...)
	r.ends = append(r.ends, len(r.data))
}

func (r *rows) len() int { return len(r.ends) }

func (r *rows) reset() { r.data, r.ends = r.data[:0], r.ends[:0] }

// row cuts row i into its values, which alias.
func (r *rows) row(i int, dst [][]byte) ([][]byte, error) {
	from := 0
	if i > 0 {
		from = r.ends[i-1]
	}
	return wire.SplitTextRow(r.data[from:r.ends[i]], dst)
}

// values is row with the number of values that it has to have.
func (r *rows) values(i, n int, dst [][]byte) ([][]byte, error) {
	v, err := r.row(i, dst)
	if err == nil && len(v) != n {
		err = fmt.Errorf("%w: a row of %d values, not %d", wire.ErrMalformed, len(v), n)
	}
	return v, err
}

// Bounds of a chunk.
const (
	maxChunkBytes = 8 << 20
	minChunk      = 50
	maxChunk      = 20_000
)

// chunk is a range of a table's key and its rows that move.
type chunk struct {
	t       *table
	rows    rows
	upTo    [][]byte // the last key of the range; nil: there is no end
	scanned int
}

// bound gives the n-th key after a key, nil if there are fewer.
func (t *table) bound(s *session, after [][]byte, n int) ([][]byte, error) {
	sql := append([]byte("SELECT "), t.keyRead()+" FROM "+t.sqlName()+" FORCE INDEX ("+quote(t.uniques[t.key].name)+")"...)
	if after != nil {
		sql = t.beyond(append(sql, " WHERE "...), ">", after)
	}
	sql = append(sql, " ORDER BY "+t.keyOrder()+" LIMIT 1 OFFSET "+itoa(n-1)...)
	got, err := s.query(string(sql))
	if err != nil || len(got) == 0 {
		return nil, err
	}
	return got[0], nil
}

// span appends the condition of a range of keys.
func (t *table) span(dst []byte, after, upTo [][]byte) []byte {
	if after != nil {
		dst = append(t.beyond(dst, ">", after), " AND "...)
	}
	if upTo != nil {
		dst = append(t.beyond(dst, "<=", upTo), " AND "...)
	}
	return dst
}

// selectSpan reads the rows that move of a range of keys, in its order; each is given to f.
func (t *table) selectSpan(s *session, l *layout, after, upTo [][]byte, within string, f func(row []byte) error) error {
	sql := append([]byte("SELECT "), l.read(t)+" FROM "+t.sqlName()+" FORCE INDEX ("+quote(t.uniques[t.key].name)+") WHERE "...)
	sql = append(t.span(sql, after, upTo), within+" ORDER BY "+t.keyOrder()...)
	return s.each(sql, f)
}

// readChunk reads a range of about n keys after a key. It has the rows of fewer when they
// are larger than what may be held, and upTo is the last of these then.
func (t *table) readChunk(s *session, l *layout, after [][]byte, n int, within string) (*chunk, error) {
	c := &chunk{t: t, scanned: n}
	var err error
	if c.upTo, err = t.bound(s, after, n); err != nil {
		return nil, err
	}
	cut := false
	err = t.selectSpan(s, l, after, c.upTo, within, func(row []byte) error {
		if cut = cut || c.rows.len() > 0 && len(c.rows.data)+len(row) > maxChunkBytes; !cut {
			c.rows.add(row)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if cut {
		v, err := c.rows.values(c.rows.len()-1, len(l.columns), nil)
		if err != nil {
			return nil, err
		}
		c.upTo, c.scanned = copied(l.pick(v, t.keyColumns())), c.rows.len()
	} else if c.upTo == nil {
		c.scanned = c.rows.len()
	}
	return c, nil
}

func copied(values [][]byte) [][]byte {
	out := make([][]byte, len(values))
	for i, v := range values {
		out[i] = append([]byte{}, v...)
	}
	return out
}

// selectKeys reads the rows that move of some keys.
func (t *table) selectKeys(s *session, l *layout, keys [][][]byte, within string, into *rows) error {
	sql := append([]byte("SELECT "), l.read(t)+" FROM "+t.sqlName()+" FORCE INDEX ("+quote(t.uniques[t.key].name)+") WHERE "...)
	sql = append(t.matches(sql, t.keyColumns(), nil, keys), " AND "+within...)
	return s.each(sql, func(row []byte) error {
		into.add(row)
		return nil
	})
}
