package exec

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"

	"sluice/query"
	"sluice/router"
	"sluice/wire"
)

// aggregate combines the legs' partial aggregates group by group. Every leg gives a group
// once and in the order of the group keys, so the rows of one group are on top of the
// heap together: they are combined where they stand, in the connections' buffers.
func (s *scatter) aggregate(m *router.Merge, sh *shape, out *sink) error {
	c, err := newCombiner(m, sh)
	if err != nil {
		return err
	}
	specs, err := groupOrder(m)
	if err != nil {
		return err
	}
	st, err := s.streams(specs, sh, true)
	if err != nil {
		return err
	}
	var sorter *sorter
	if len(m.Resort) > 0 {
		if sorter, err = newSorter(m.Resort, sh, out.offset, out.limit); err != nil {
			return err
		}
	} else if err := out.begin(); err != nil {
		return err
	}
	for len(st.heap.legs) > 0 && (sorter != nil || !out.full()) {
		c.legs = st.group(c.legs[:0])
		if st.heap.apart != nil {
			return st.heap.apart
		}
		if err := c.emit(c.legs, sorter, out); err != nil {
			return err
		}
		if err := st.advanceAll(c.legs); err != nil {
			return err
		}
	}
	if sorter != nil {
		return sorter.flush(out)
	}
	return nil
}

// groupOrder gives the keys in whose order the legs come: the groups' own, which ORDER BY
// may turn round. Rows with equal keys are one group.
func groupOrder(m *router.Merge) ([]router.SortKey, error) {
	if len(m.Sort) == 0 {
		return m.Groups, nil
	}
	ok := len(m.Sort) == len(m.Groups)
	for i := range m.Groups {
		ok = ok && slices.ContainsFunc(m.Sort, func(k router.SortKey) bool {
			return k.Column == m.Groups[i].Column && k.Compare == m.Groups[i].Compare
		})
	}
	if !ok {
		return nil, refuse(1105, "HY000", "the plan merges groups in an order of other columns than theirs")
	}
	return m.Sort, nil
}

// group takes the legs out of the heap whose rows are of the smallest group.
func (st *streams) group(dst []*leg) []*leg {
	first := st.heap.pop()
	dst = append(dst, first)
	for len(st.heap.legs) > 0 && st.heap.compare(first.keys, st.heap.legs[0].keys) == 0 {
		dst = append(dst, st.heap.pop())
	}
	return dst
}

// advanceAll reads on in legs that group took out and puts them back.
func (st *streams) advanceAll(legs []*leg) error {
	for _, l := range legs {
		more, err := st.advance(l)
		if err != nil {
			return err
		}
		if more {
			st.heap.push(l)
		}
	}
	return nil
}

// combiner makes one row of a group's rows.
type combiner struct {
	merge *router.Merge
	shape *shape
	keys  keyReader // decodes what MIN and MAX compare
	legs  []*leg    // memory for a group
	vals  [][]byte
	buf   []byte // of the computed values
	text  []byte
	row   []byte
	sum   total
}

func newCombiner(m *router.Merge, sh *shape) (*combiner, error) {
	in := func(i int) bool { return i >= 0 && i < len(sh.cols) }
	for i := range m.Aggs {
		a := &m.Aggs[i]
		ok := in(a.Column)
		switch a.Fn {
		case query.Count, query.Sum:
		case query.Avg:
			ok = ok && in(a.Sum) && in(a.Count)
		case query.Min, query.Max:
			ok = ok && in(a.Key) && a.Compare.Known()
		default:
			return nil, refuse(1235, "42000", "this aggregate function cannot be combined over shards")
		}
		if !ok {
			return nil, refuse(1105, "HY000", "the plan combines columns that the shards do not give")
		}
	}
	return &combiner{merge: m, shape: sh, keys: keyReader{shape: sh}}, nil
}

// emit combines a group and sends it, or keeps it to be sorted.
func (c *combiner) emit(group []*leg, sorter *sorter, out *sink) error {
	if sorter == nil {
		if out.skip() {
			return nil
		}
		if len(group) == 1 { // a partial value that stands alone is the whole one
			cut, err := c.shape.cut(group[0].row)
			if err != nil {
				return err
			}
			return out.write(cut)
		}
	}
	vals := group[0].vals
	if len(group) > 1 {
		var err error
		if vals, err = c.combine(group); err != nil {
			return err
		}
	}
	c.row = c.shape.join(c.row[:0], vals)
	if sorter != nil {
		return sorter.add(c.row, vals)
	}
	return out.write(c.row)
}

// combine gives the values of the group's one row, the hidden ones too. They are valid
// until the next call or read.
func (c *combiner) combine(group []*leg) ([][]byte, error) {
	c.vals = append(c.vals[:0], group[0].vals...)
	c.buf = c.buf[:0]
	for i := range c.merge.Aggs {
		a := &c.merge.Aggs[i]
		var err error
		switch a.Fn {
		case query.Count, query.Sum:
			err = c.add(group, a.Column)
		case query.Avg:
			err = c.average(group, a)
		default:
			err = c.extreme(group, a)
		}
		if err != nil {
			return nil, err
		}
	}
	return c.vals, nil
}

// add sums a column up; NULLs do not count, and a sum of nothing else is NULL.
func (c *combiner) add(group []*leg, column int) error {
	if isFloat(c.shape.cols[column].Type) {
		f, any, err := c.floats(group, column)
		if err != nil || !any {
			return err
		}
		return c.setFloat(column, f)
	}
	any, err := c.decimals(group, column)
	if err != nil || !any {
		return err
	}
	c.text = c.sum.appendText(c.text[:0])
	return c.set(column, c.text)
}

// average divides the sum of the partial sums by the sum of the counts.
func (c *combiner) average(group []*leg, a *router.AggColumn) error {
	if _, err := c.decimals(group, a.Count); err != nil {
		return err
	}
	n := c.sum.value()
	if n.Sign() == 0 {
		c.vals[a.Column] = nil
		return nil
	}
	if !n.IsUint64() || c.sum.scale != 0 {
		return value("count", a.Count)
	}
	col := &c.shape.cols[a.Column]
	if isFloat(col.Type) {
		f, any, err := c.floats(group, a.Sum)
		if err != nil {
			return err
		}
		if !any {
			return value("NULL", a.Sum)
		}
		return c.setFloat(a.Column, f/float64(n.Uint64()))
	}
	any, err := c.decimals(group, a.Sum)
	if err != nil {
		return err
	}
	if !any {
		return value("NULL", a.Sum)
	}
	c.text = c.sum.appendAverage(c.text[:0], n.Uint64(), int(col.Decimals))
	return c.set(a.Column, c.text)
}

// extreme takes MIN or MAX, with the hidden key that it was compared by. NULL is neither.
func (c *combiner) extreme(group []*leg, a *router.AggColumn) error {
	by := a.Key
	if by < c.shape.visible { // no hidden column: compared by itself
		by = a.Column
	}
	var best, next key
	var winner *leg
	for _, l := range group {
		if l.vals[a.Column] == nil {
			continue
		}
		if err := c.keys.one(&next, l.vals[by], by, a.Compare); err != nil {
			return err
		}
		if winner != nil {
			order := compareKey(&next, &best, a.Compare)
			if a.Fn == query.Min && order >= 0 || a.Fn == query.Max && order <= 0 {
				continue
			}
		}
		winner = l
		best, next = next, best
	}
	if winner != nil {
		c.vals[a.Column], c.vals[by] = winner.vals[a.Column], winner.vals[by]
	}
	return nil
}

// decimals sums a column exactly into c.sum; any is false when all values are NULL.
func (c *combiner) decimals(group []*leg, column int) (any bool, err error) {
	c.sum.reset()
	for _, l := range group {
		v := l.vals[column]
		if v == nil {
			continue
		}
		if c.text, err = c.textOf(v, column); err != nil {
			return false, err
		}
		if err := c.sum.add(c.text); err != nil {
			return false, value(string(c.text), column)
		}
		any = true
	}
	return any, nil
}

// textOf gives a value as text in c.text's memory.
func (c *combiner) textOf(v []byte, column int) ([]byte, error) {
	text, err := c.shape.text(c.text[:0], v, column)
	if err != nil {
		return c.text, err
	}
	return append(c.text[:0], text...), nil
}

// floats sums a column in double precision, as the servers do.
func (c *combiner) floats(group []*leg, column int) (sum float64, any bool, err error) {
	for _, l := range group {
		v := l.vals[column]
		if v == nil {
			continue
		}
		var f float64
		if c.shape.binary && c.shape.cols[column].Type == wire.TypeDouble && len(v) == 8 {
			f = math.Float64frombits(binary.LittleEndian.Uint64(v))
		} else {
			if c.text, err = c.textOf(v, column); err != nil {
				return 0, false, err
			}
			if f, err = strconv.ParseFloat(string(c.text), 64); err != nil {
				return 0, false, value(string(c.text), column)
			}
		}
		sum += f
		any = true
	}
	return sum, any, nil
}

// set puts a computed value, given as text, into the row.
func (c *combiner) set(column int, text []byte) error {
	start := len(c.buf)
	buf, err := c.shape.encode(c.buf, text, column)
	if err != nil {
		return value(string(text), column)
	}
	c.buf = buf
	c.vals[column] = buf[start:len(buf):len(buf)]
	return nil
}

// setFloat puts a double into the row, in the text form that a server would give it.
func (c *combiner) setFloat(column int, f float64) error {
	col := c.shape.cols[column]
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return refuse(1690, "22003", "DOUBLE value is out of range in column %s", col.Name)
	}
	if col.Type == wire.TypeFloat { // no server gives a SUM or AVG of this type
		return refuse(1235, "42000", "a sum of type FLOAT cannot be combined")
	}
	bits := binary.LittleEndian.AppendUint64(nil, math.Float64bits(f))
	start := len(c.buf)
	if c.shape.binary {
		c.buf = append(c.buf, bits...)
	} else {
		var err error
		if c.buf, err = wire.BinaryToText(c.buf, bits, &col); err != nil {
			return err
		}
	}
	c.vals[column] = c.buf[start:len(c.buf):len(c.buf)]
	return nil
}

func isFloat(t byte) bool { return t == wire.TypeFloat || t == wire.TypeDouble }

// value is the error for a partial value that its aggregate cannot have.
func value(text string, column int) error {
	return fmt.Errorf("%w: %.40q in column %d, which is combined over shards", wire.ErrValue, text, column+1)
}
