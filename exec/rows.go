package exec

import (
	"fmt"
	"slices"

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

// meaningOf gives the column flags that change what a value's bytes mean. (The others, that
// of BINARY too, depend on how a server's optimizer runs the statement.)
func meaningOf(t byte) uint16 {
	if isText(t) || t == wire.TypeString {
		return wire.FlagEnum | wire.FlagSet
	}
	return wire.FlagUnsigned | wire.FlagZerofill | wire.FlagEnum | wire.FlagSet
}

// agree makes one set of column definitions of all legs' own: the first leg's names, the
// widest types, the largest lengths. Legs whose columns differ in what their values mean
// cannot be merged. The rows of a leg that writes them otherwise are rewritten as they come.
func agree(legs []leg, binary bool) ([]wire.Column, error) {
	cols := slices.Clone(legs[0].cols)
	for i := range legs[1:] {
		l := &legs[1+i]
		if len(l.cols) != len(cols) {
			return nil, refuse(1105, "HY000", "the table differs between the shards: %d columns on %s, %d on %s",
				len(cols), legs[0].conn.Shard(), len(l.cols), l.conn.Shard())
		}
		for j := range cols {
			a, b := &cols[j], &l.cols[j]
			widen(a, b)
			if why := differ(a, b); why != "" {
				return nil, refuse(1105, "HY000", "the table differs between the shards: column %d (%s) has another %s on %s than on %s",
					j+1, a.Name, why, legs[0].conn.Shard(), l.conn.Shard())
			}
			a.Length = max(a.Length, b.Length)
			a.Flags &^= wire.FlagNotNull &^ b.Flags // NOT NULL only if it is on all
		}
	}
	for i := range legs {
		l := &legs[i]
		l.wide = nil
		if binary && !slices.EqualFunc(l.cols, cols, func(a, b wire.Column) bool { return intSize(a.Type) == intSize(b.Type) }) {
			l.wide = cols
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

// widen gives a the type of an expression that both definitions have values of. A server
// defines an expression otherwise when it has put its values into a temporary table (MySQL
// makes INT of BIGINT, then) or knows it to be NULL, which depends on the rows of its shard.
// Columns of tables have their types from the tables.
func widen(a, b *wire.Column) {
	if a.OrgTable != "" || b.OrgTable != "" {
		return
	}
	switch {
	case a.Type == b.Type, b.Type == wire.TypeNull:
	case a.Type == wire.TypeNull, intSize(b.Type) > intSize(a.Type) && intSize(a.Type) > 0 && (a.Flags^b.Flags)&meaningOf(a.Type) == 0:
		a.Type, a.Collation, a.Decimals = b.Type, b.Collation, b.Decimals
		a.Flags = b.Flags &^ (wire.FlagNotNull &^ a.Flags)
	}
}

// isWidened tells whether a has, after widen, a type that holds the values of b's.
func isWidened(a, b *wire.Column) bool {
	return a.OrgTable == "" && b.OrgTable == "" && intSize(b.Type) > 0 && intSize(a.Type) > intSize(b.Type)
}

// intSize orders the integer types; 0: it is none of them.
func intSize(t byte) int {
	return 1 + slices.Index([]byte{wire.TypeTiny, wire.TypeShort, wire.TypeInt24, wire.TypeLong, wire.TypeLongLong}, t)
}

// differ says in what two definitions of a column contradict each other, the first of
// which has been widened.
func differ(a, b *wire.Column) string {
	switch {
	case a.Name != b.Name:
		return "name"
	case b.Type == wire.TypeNull && b.OrgTable == "" && a.OrgTable == "":
		return ""
	case a.Type != b.Type && !(isText(a.Type) && isText(b.Type)) && !isWidened(a, b):
		return "type"
	case a.Collation != b.Collation:
		return "character set"
	// (Oracle MySQL's MIN of a YEAR has its ZEROFILL by one plan and not by another.)
	// (A string of digits, such as BIN's, may have the sign of what it was made of.)
	case (a.Flags^b.Flags)&meaningOf(a.Type) != 0 && !(a.Type == wire.TypeYear && a.OrgTable == "" && b.OrgTable == ""):
		return "attribute"
	case a.Decimals != b.Decimals && !isString(a.Type), a.Decimals != b.Decimals && a.Type == wire.TypeNewDecimal:
		return "number of decimals"
	}
	return ""
}

// widened writes a row of the binary protocol with the types that all legs have agreed on.
// It is valid until the next call.
func (l *leg) widened(row []byte) ([]byte, error) {
	var err error
	if l.narrow, err = wire.SplitBinaryRow(row, l.cols, l.narrow); err != nil {
		return nil, err
	}
	for i, v := range l.narrow {
		if v == nil || intSize(l.cols[i].Type) == intSize(l.wide[i].Type) {
			continue
		}
		text, err := wire.BinaryToText(nil, v, &l.cols[i])
		if err == nil {
			l.narrow[i], err = wire.TextToBinary(nil, text, &l.wide[i])
		}
		if err != nil {
			return nil, err
		}
	}
	l.wideRow = wire.AppendBinaryRow(l.wideRow[:0], l.narrow, l.wide)
	return l.wideRow, nil
}
