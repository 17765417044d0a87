package exec

import (
	"math"

	"sluice/router"
	"sluice/wire"
)

// merge answers with the rows of all legs.
func (s *scatter) merge() error {
	for i := range s.legs {
		l := &s.legs[i]
		if err := l.header(); err != nil {
			return err
		}
		if l.cols == nil {
			return refuse(1235, "42000", "shard %s answered without rows where rows were expected", l.conn.Shard())
		}
	}
	return s.rows()
}

// rows makes one result of the legs' results, whose headers have been read.
func (s *scatter) rows() error {
	cols, err := agree(s.legs, s.req.Execute != nil)
	if err != nil {
		return err
	}
	b := s.req.Bound
	m := b.Merge
	if m == nil {
		m = &router.Merge{}
	}
	visible := m.Visible
	if visible == 0 { // the plan does not know: SELECT *
		visible = len(cols) - m.Hidden
	}
	if visible+m.Hidden != len(cols) {
		// ER_TABLE_DEF_CHANGED: the keys would be taken from other columns than they are in.
		return refuse(1412, "HY000", "a table has other columns now than when the statement was planned (%d, not %d); run it again",
			len(cols)-m.Hidden, visible)
	}
	sh := &shape{cols: cols, visible: visible, binary: s.req.Execute != nil}
	out := &sink{s: s, shape: sh, offset: max(b.Offset, 0), limit: b.Limit}
	if b.Limit < 0 {
		out.limit = math.MaxInt64
	}
	switch {
	case b.Strategy == router.Aggregate || m.Distinct:
		err = s.aggregate(m, sh, out)
	case b.Strategy == router.MergeSort:
		err = s.mergeSort(m, sh, out)
	case m.Reports:
		err = reports{s}.answer(out)
	case m.Checksums:
		err = checksums{s}.answer(out)
	default:
		err = s.concatenate(out)
	}
	if err != nil {
		return err
	}
	return out.end()
}

// concatenate gives the rows of one leg after the other.
func (s *scatter) concatenate(out *sink) error {
	if err := out.begin(); err != nil {
		return err
	}
	for i := range s.legs {
		for !out.full() {
			row, err := s.legs[i].next()
			if err != nil {
				return err
			}
			if row == nil {
				break
			}
			if err := out.row(row); err != nil {
				return err
			}
		}
	}
	return nil
}

// mergeSort gives the rows of legs that are sorted themselves in their common order.
func (s *scatter) mergeSort(m *router.Merge, sh *shape, out *sink) error {
	st, err := s.streams(m.Sort, sh, false)
	if err != nil {
		return err
	}
	if err := out.begin(); err != nil {
		return err
	}
	for len(st.heap.legs) > 0 && !out.full() {
		if st.heap.apart != nil {
			return st.heap.apart
		}
		top := st.heap.legs[0]
		if err := out.row(top.row); err != nil {
			return err
		}
		more, err := st.advance(top)
		if err != nil {
			return err
		}
		if more {
			st.heap.fix()
		} else {
			st.heap.pop()
		}
	}
	return nil
}

// streams are legs that each come in the order of the keys, with the smallest on top.
type streams struct {
	reader keyReader
	shape  *shape
	strict bool // equal keys never follow each other in one leg
	heap   legHeap
}

// streams reads the first row of every leg.
func (s *scatter) streams(specs []router.SortKey, sh *shape, strict bool) (*streams, error) {
	reader, err := newKeyReader(specs, sh)
	if err != nil {
		return nil, err
	}
	st := &streams{reader: reader, shape: sh, strict: strict, heap: legHeap{specs: specs}}
	for i := range s.legs {
		l := &s.legs[i]
		l.keys, l.prev = make([]key, len(specs)), make([]key, len(specs))
		row, err := l.next()
		if err != nil {
			return nil, err
		}
		if row == nil {
			continue
		}
		if err := st.look(l, row); err != nil {
			return nil, err
		}
		st.heap.push(l)
	}
	return st, nil
}

// look reads what the merge needs of a row.
func (st *streams) look(l *leg, row []byte) error {
	var err error
	l.row = row
	if l.vals, err = st.shape.split(row, l.vals); err != nil {
		return l.failed(err)
	}
	return st.reader.read(l.keys, l.vals)
}

// advance reads a leg's next row; more is false after the last one. A leg that does not
// come in the order of the keys would make a wrong answer: it is an error. That happens
// when the servers compare otherwise than the plan believes.
func (st *streams) advance(l *leg) (more bool, err error) {
	row, err := l.next()
	if err != nil || row == nil {
		return false, err
	}
	l.keys, l.prev = l.prev, l.keys
	if err := st.look(l, row); err != nil {
		return false, err
	}
	c := st.heap.compare(l.prev, l.keys)
	switch {
	case st.heap.apart != nil:
		return false, st.heap.apart
	case c > 0:
		return false, disagrees("gives its rows in another order than they are merged in", l)
	case c == 0 && st.strict:
		return false, disagrees("gives two rows for one group of the merge", l)
	}
	return true, nil
}

// disagrees says that a shard's server compares otherwise than the plan believes.
func disagrees(how string, l *leg) error {
	return refuse(1235, "42000", "shard %s %s, with which the answer would be wrong; give the shard key a value so that one shard "+
		"has all the rows, or sort by another expression", l.conn.Shard(), how)
}

// sink writes the merged rows to the client.
type sink struct {
	s             *scatter
	shape         *shape
	offset, limit int64 // rows still to skip, then still to send
}

// begin writes the column definitions.
func (k *sink) begin() error {
	s := k.s
	s.out.Started = true
	s.out.Response.Columns = k.shape.visible
	if err := wire.WriteColumns(s.client, k.shape.cols[:k.shape.visible], k.status(), 0); err != nil {
		return clientGone(err)
	}
	return nil
}

// full tells whether no further row will be sent, nor counted as skipped.
func (k *sink) full() bool { return k.limit <= 0 && k.offset <= 0 }

// skip tells whether the next row is not sent; it counts the row.
func (k *sink) skip() bool {
	if k.offset > 0 {
		k.offset--
		k.s.out.Skipped++
		return true
	}
	k.limit--
	return false
}

// row sends a leg's row without its hidden columns.
func (k *sink) row(row []byte) error {
	if k.skip() {
		return nil
	}
	cut, err := k.shape.cut(row)
	if err != nil {
		return err
	}
	return k.write(cut)
}

// write sends a row of the visible columns that has been counted.
func (k *sink) write(row []byte) error {
	if err := k.s.req.full(k.s.out.Response.Rows); err != nil {
		return err
	}
	if err := k.s.client.WritePacket(row); err != nil {
		return clientGone(err)
	}
	k.s.out.Response.Rows++
	k.s.out.Response.Bytes += int64(len(row))
	return nil
}

// end writes the EOF with the warnings of all legs. A LIMIT may have been reached before
// the legs have ended: those are stopped first, so that their warnings and status are known.
func (k *sink) end() error {
	s := k.s
	stopAll(s.legs)
	var warnings int
	for i := range s.legs {
		if n := int(s.legs[i].ok.Warnings); n > 0 {
			warnings += n
			s.out.Warned = append(s.out.Warned, s.legs[i].shard)
		}
	}
	eof := wire.OK{Status: k.status(), Warnings: uint16(min(warnings, math.MaxUint16))}
	if err := s.client.WriteEOF(eof.Status, eof.Warnings); err != nil {
		return clientGone(err)
	}
	eof.Status &^= wire.StatusMoreResults
	s.out.Response.OK = eof
	s.out.Answered = true
	return nil
}

// legFlags are the status flags that the legs, not the session, know.
const legFlags = wire.StatusInTrans | wire.StatusNoIndexUsed | wire.StatusNoGoodIndexUsed | wire.StatusQueryWasSlow

// status gives the flags of the answer: the session's, and what the legs' servers say. As
// MySQL does, every EOF of a statement that is not the packet's last says that more follows.
func (k *sink) status() uint16 {
	status := k.s.req.Status
	if k.s.req.More {
		status |= wire.StatusMoreResults
	}
	for i := range k.s.legs {
		status |= k.s.legs[i].status & legFlags
	}
	return status
}
