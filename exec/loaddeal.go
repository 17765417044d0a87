package exec

import (
	"strconv"

	"sluice/infile"
)

// note finds where a row goes. Its offsets are within b, which is shift bytes behind what
// emit is given.
func (l *fileLoad) note(b []byte, r *infile.Row, shift int) error {
	l.rows++
	row := fileRow{start: shift + r.Start, end: shift + r.End, part: -1}
	key, id := r.Fields[0], r.Fields[1]
	if l.load.ID == l.load.Key {
		id = key
	}
	if err := l.noteID(b, id, shift, &row); err != nil {
		return err
	}
	if err := l.noteKey(b, key, &row); err != nil {
		return err
	}
	l.batch = append(l.batch, row)
	return nil
}

// noteID finds out which id a row has.
func (l *fileLoad) noteID(b []byte, f infile.Field, shift int, row *fileRow) error {
	switch {
	case l.load.AddID:
		row.generated, row.idFrom, row.idTo = true, row.start, row.start
		return nil
	case l.load.ID < 0:
		return nil
	case !f.There:
		return l.missing()
	}
	row.idFrom, row.idTo = shift+f.Start, shift+f.End
	value, null := l.cut.Value(l.value[:0], b, f)
	if l.value = value; null {
		row.generated = true
		return nil
	}
	generated, explicit, why := l.load.IDOf(value)
	if why != "" {
		_, _, column := l.load.Names()
		return l.badValue(value, column, why, "write an integer, or \\N for a new id")
	}
	row.generated = generated
	if explicit > 0 {
		l.high = max(l.high, explicit)
		if l.low == 0 || explicit < l.low {
			l.low = explicit
		}
	}
	return nil
}

// noteKey finds the part that a row goes to.
func (l *fileLoad) noteKey(b []byte, f infile.Field, row *fileRow) error {
	switch {
	case l.load.Everywhere, row.generated && l.load.KeyIsID():
		return nil
	case !f.There:
		return l.missing()
	}
	value, null := l.cut.Value(l.value[:0], b, f)
	l.value = value
	table, column, _ := l.load.Names()
	if null {
		return refuse(1048, "23000", "Column '%s' cannot be null at row %d: it is the shard key of %s and says where the row lives; nothing was loaded", column, l.rows, table)
	}
	var why string
	if row.part, why = l.load.OfKey(value, l.charset); why != "" {
		return l.badValue(value, column, why, "write the value as the column stores it")
	}
	return nil
}

// badValue refuses a row of which it is not certain what a server would store.
func (l *fileLoad) badValue(value []byte, column, why, instead string) error {
	code, state := uint16(1235), "42000"
	switch why {
	case "is out of the column's range":
		code, state = 1264, "22003"
	case "is longer than the column":
		code, state = 1406, "22001"
	}
	return refuse(code, state, "the value %q of column '%s' at row %d %s; %s; nothing was loaded", value[:min(len(value), 64)], column, l.rows, why, instead)
}

// missing refuses a row that is too short.
func (l *fileLoad) missing() error {
	_, key, id := l.load.Names()
	if key == "" || l.load.Key < 0 {
		key = id
	}
	return refuse(1261, "HY000", "row %d does not contain data for column '%s', without which its shard or id is not certain; nothing was loaded", l.rows, key)
}

// emit gives the rows of the batch to their parts.
func (l *fileLoad) emit(b []byte) error {
	next, err := l.ids()
	if err != nil {
		return err
	}
	number := l.rows - uint64(len(l.batch))
	for i := range l.batch {
		row := &l.batch[i]
		number++
		id := uint64(0)
		if row.generated {
			id = next
			next++
			if row.part < 0 && !l.load.Everywhere {
				row.part = l.load.OfID(id)
			}
		}
		l.last = max(row.part, 0)
		for j, p := range l.parts {
			if l.load.Everywhere || j == row.part {
				l.put(p, b, row, id)
				p.count(number)
				p.flushFull()
			}
		}
	}
	return nil
}

// ids takes the ids that the batch needs, after the explicit ones are out of reach.
func (l *fileLoad) ids() (first uint64, err error) {
	if l.high > 0 {
		if err := l.req.Sequence.Keep(l.ctx, l.low, l.high); err != nil {
			return 0, err
		}
	}
	n := 0
	for i := range l.batch {
		if l.batch[i].generated {
			n++
		}
	}
	if n == 0 {
		return 0, nil
	}
	if first, err = l.req.Sequence.Take(l.ctx, n); err != nil {
		return 0, err
	}
	if l.req.Bound.InsertID == 0 {
		l.req.Bound.InsertID = first
	}
	return first, nil
}

// put writes a row into a part's buffer, with its id.
func (l *fileLoad) put(p *filePart, b []byte, row *fileRow, id uint64) {
	buf := append(p.buf, l.format.LineStart...)
	if row.generated {
		buf = append(buf, b[row.start:row.idFrom]...)
		buf = strconv.AppendUint(buf, id, 10)
		if l.load.AddID {
			buf = append(buf, l.format.FieldEnd...)
		}
		p.buf = append(buf, b[row.idTo:row.end]...)
		return
	}
	p.buf = append(buf, b[row.start:row.end]...)
}
