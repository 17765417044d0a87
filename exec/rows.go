package exec

import (
	"fmt"

	"sluice/wire"
)

// shape is the form of the legs' rows: text or binary protocol, the client's columns
// first and hidden ones behind them.
type shape struct {
	cols    []wire.Column
	visible int
	binary  bool
	vals    [][]byte // of cut
	buf     []byte   // of cut
}

// split cuts a row into its values: those of a text row as text, those of a binary row as
// they are encoded. nil is NULL. They alias the row.
func (sh *shape) split(row []byte, dst [][]byte) ([][]byte, error) {
	if sh.binary {
		return wire.SplitBinaryRow(row, sh.cols, dst)
	}
	vals, err := wire.SplitTextRow(row, dst)
	if err == nil && len(vals) != len(sh.cols) {
		err = fmt.Errorf("%w: a row of %d values for %d columns", wire.ErrMalformed, len(vals), len(sh.cols))
	}
	return vals, err
}

// cut gives a row's visible part. It is valid until the next call.
func (sh *shape) cut(row []byte) ([]byte, error) {
	if sh.visible == len(sh.cols) {
		return row, nil
	}
	if sh.binary {
		var err error
		if sh.vals, err = wire.SplitBinaryRow(row, sh.cols, sh.vals); err != nil {
			return nil, err
		}
		sh.buf = sh.join(sh.buf[:0], sh.vals)
		return sh.buf, nil
	}
	end := 0
	for range sh.visible {
		_, n, ok := wire.LenencBytes(row[end:])
		if !ok {
			return nil, fmt.Errorf("%w: text row", wire.ErrMalformed)
		}
		end += n
	}
	return row[:end], nil
}

// join makes a row of the visible ones of vals, which are as split gives them.
func (sh *shape) join(dst []byte, vals [][]byte) []byte {
	if sh.binary {
		return wire.AppendBinaryRow(dst, vals[:sh.visible], sh.cols[:sh.visible])
	}
	return wire.AppendTextRow(dst, vals[:sh.visible])
}

// text gives a value (not NULL) of column i as text, appended to dst or aliasing v.
func (sh *shape) text(dst, v []byte, i int) ([]byte, error) {
	if !sh.binary {
		return v, nil
	}
	if isString(sh.cols[i].Type) {
		s, n, ok := wire.LenencBytes(v)
		if !ok || s == nil || n != len(v) {
			return nil, fmt.Errorf("%w: column %d of a binary row", wire.ErrMalformed, i+1)
		}
		return s, nil
	}
	return wire.BinaryToText(dst, v, &sh.cols[i])
}

// encode is text's inverse: what split would give for the text.
func (sh *shape) encode(dst, text []byte, i int) ([]byte, error) {
	if !sh.binary {
		return append(dst, text...), nil
	}
	return wire.TextToBinary(dst, text, &sh.cols[i])
}

// isString tells whether the binary protocol has the type as a string with its length.
func isString(t byte) bool {
	switch t {
	case wire.TypeTiny, wire.TypeShort, wire.TypeLong, wire.TypeLongLong, wire.TypeInt24, wire.TypeYear,
		wire.TypeFloat, wire.TypeDouble, wire.TypeNull,
		wire.TypeDate, wire.TypeNewDate, wire.TypeTime, wire.TypeDatetime, wire.TypeTimestamp:
		return false
	}
	return true
}

// meaningFlags are the column flags that change what a value's bytes mean. (The others, that
// of BINARY too, depend on how a server's optimizer runs the statement.)
const meaningFlags = wire.FlagUnsigned | wire.FlagZerofill | wire.FlagEnum | wire.FlagSet

// agree makes one set of column definitions of all legs' own: the first leg's names, the
// largest lengths. Legs whose columns differ in what their values mean cannot be merged.
func agree(legs []leg) ([]wire.Column, error) {
	cols := legs[0].cols
	for i := range legs[1:] {
		l := &legs[1+i]
		if len(l.cols) != len(cols) {
			return nil, refuse(1105, "HY000", "the table differs between the shards: %d columns on %s, %d on %s",
				len(cols), legs[0].conn.Shard(), len(l.cols), l.conn.Shard())
		}
		for j := range cols {
			a, b := &cols[j], &l.cols[j]
			if why := differ(a, b); why != "" {
				return nil, refuse(1105, "HY000", "the table differs between the shards: column %d (%s) has another %s on %s than on %s",
					j+1, a.Name, why, legs[0].conn.Shard(), l.conn.Shard())
			}
			a.Length = max(a.Length, b.Length)
			a.Flags &^= wire.FlagNotNull &^ b.Flags // NOT NULL only if it is on all
		}
	}
	return cols, nil
}

// isText tells whether the type is one of those that stand for a plain string. Which of them an
// expression has depends on how a server's optimizer runs the statement: what goes through a
// temporary table becomes a blob there when it may be long.
func isText(t byte) bool {
	switch t {
	case wire.TypeVarchar, wire.TypeVarString, wire.TypeTinyBlob, wire.TypeBlob, wire.TypeMediumBlob, wire.TypeLongBlob:
		return true
	}
	return false
}

// differ says in what two definitions of a column contradict each other.
func differ(a, b *wire.Column) string {
	switch {
	case a.Name != b.Name:
		return "name"
	case a.Type != b.Type && !(isText(a.Type) && isText(b.Type)):
		return "type"
	case a.Collation != b.Collation:
		return "character set"
	case (a.Flags^b.Flags)&meaningFlags != 0:
		return "attribute"
	case a.Decimals != b.Decimals && !isString(a.Type), a.Decimals != b.Decimals && a.Type == wire.TypeNewDecimal:
		return "number of decimals"
	}
	return ""
}
