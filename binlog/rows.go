package binlog

import "fmt"

// tableMap is a table as the events that follow its map know it.
type tableMap struct {
	table  *Table // nil: nobody asked for it
	kinds  []kind
	name   string
	before Row // reused
	after  Row
	text   []byte
}

// parseTableMap reads a TABLE_MAP_EVENT. idSize is 4 or 6.
func (s *Stream) parseTableMap(r *buffer, idSize int) error {
	id := r.le(idSize)
	r.take(2) // flags
	schema, name := r.name(), r.name()
	if r.bad {
		return errShort
	}
	if old := s.tables[id]; old != nil && old.name == schema+"."+name && old.table == nil {
		return nil // known as one nobody asked for
	}
	if len(s.tables) >= maxTables {
		clear(s.tables)
	}
	m := &tableMap{table: s.lookup(schema, name), name: schema + "." + name}
	s.tables[id] = m
	if m.table == nil {
		return nil
	}
	types := r.take(r.lenenc())
	meta := buffer{b: r.take(r.lenenc())}
	if r.bad {
		return errShort
	}
	var err error
	if m.kinds, err = parseKinds(types, &meta); err != nil {
		return fmt.Errorf("table %s: %w", m.name, err)
	}
	if w := m.table.Width; w != 0 && w != len(types) {
		return faultf("the table %s has %d columns in the binary log and %d in its definition: it was altered", m.name, len(types), w)
	}
	for _, c := range m.table.Columns {
		if c.Index >= len(types) {
			return faultf("the table %s has only %d columns in the binary log: it was altered", m.name, len(types))
		}
	}
	m.before, m.after = make(Row, len(m.table.Columns)), make(Row, len(m.table.Columns))
	return nil
}

// maxTables bounds the table maps that are remembered; every transaction repeats its own.
const maxTables = 10_000

// parseRows reads a WRITE, UPDATE or DELETE_ROWS_EVENT and hands its rows out.
func (s *Stream) parseRows(r *buffer, idSize int, what rowsEvent, h Handler) error {
	id := r.le(idSize)
	r.take(2) // flags
	if r.bad {
		return errShort
	}
	m := s.tables[id]
	if m == nil {
		if id == 0xffffff { // a dummy that ends a statement
			return nil
		}
		return faultf("an event has rows of the table number %d, of which there was no map", id)
	}
	if m.table == nil {
		return nil
	}
	if what.v2 {
		r.take(int(r.le(2)) - 2)
	}
	n := r.lenenc()
	if r.bad {
		return errShort
	}
	if n != len(m.kinds) {
		return faultf("an event has %d columns of the table %s, whose map has %d", n, m.name, len(m.kinds))
	}
	var has [2][]byte
	for i, image := range [2]bool{what.before, what.after} {
		if !image {
			continue
		}
		if has[i] = r.take((n + 7) / 8); r.bad {
			return errShort
		}
		for _, c := range m.table.Columns {
			if !bit(has[i], c.Index) {
				return faultf("an event has no complete rows of the table %s; set binlog_row_image=FULL", m.name)
			}
		}
	}
	for len(r.b) > 0 && !r.bad {
		m.text = m.text[:0]
		var before, after Row
		if what.before {
			before = m.before
			if err := m.image(r, has[0], before); err != nil {
				return err
			}
		}
		if what.after {
			after = m.after
			if err := m.image(r, has[1], after); err != nil {
				return err
			}
		}
		if r.bad {
			break
		}
		if err := h.Changed(m.table, before, after); err != nil {
			return err
		}
	}
	if r.bad {
		return errShort
	}
	return nil
}

// image reads one row, which has the columns that are set in has: virtual ones may be left out.
func (m *tableMap) image(r *buffer, has []byte, into Row) error {
	n := 0
	for i := range m.kinds {
		if bit(has, i) {
			n++
		}
	}
	nulls := r.take((n + 7) / 8)
	if r.bad {
		return nil // seen by the caller
	}
	clear(into)
	n = -1
	for i, k := range m.kinds {
		if !bit(has, i) {
			continue
		}
		if n++; bit(nulls, n) {
			continue
		}
		v := k.value(r)
		if r.bad {
			return nil
		}
		for j, c := range m.table.Columns {
			if c.Index != i {
				continue
			}
			at := len(m.text)
			text, ok := k.appendText(m.text, v, c)
			if !ok {
				return faultf("column %d of the table %s has the type %d, whose values are not read", i+1, m.name, k.typ)
			}
			m.text = text
			into[j] = text[at:len(text):len(text)]
		}
	}
	return nil
}
