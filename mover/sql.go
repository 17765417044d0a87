package mover

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// Keys and rows are slices of values as column.read gives them over the text protocol, nil
// for NULL. Package binlog gives the values of key columns in the same form, so that two
// images of one value are the same bytes.

// packKey makes a map's key of a row's key.
func packKey(values [][]byte) string {
	var b []byte
	for _, v := range values {
		b = binary.AppendUvarint(b, uint64(len(v)))
		b = append(b, v...)
	}
	return string(b)
}

// unpackKey is packKey's inverse.
func unpackKey(s string, dst [][]byte) [][]byte {
	b := []byte(s)
	for len(b) > 0 {
		n, used := binary.Uvarint(b)
		dst = append(dst, b[used:used+int(n)])
		b = b[used+int(n):]
	}
	return dst
}

// operand appends a value to compare the column with. The column's own collation decides
// what is equal and what comes first.
func (t *table) operand(dst []byte, c *column, v []byte) []byte {
	switch c.kind(t.flavor) {
	case number, index:
		return append(dst, v...)
	case double:
		return appendDouble(dst, v)
	case moment, spelled:
		return append(append(append(dst, '\''), v...), '\'')
	}
	if c.charset != "" && c.charset != "binary" {
		dst = append(append(append(dst, '_'), c.charset...), ' ')
	}
	dst = hex.AppendEncode(append(dst, "X'"...), v)
	return append(dst, '\'')
}

// value appends a value to be stored in the column.
func (t *table) value(dst []byte, c *column, v []byte) []byte {
	if v == nil {
		return append(dst, "NULL"...)
	}
	switch c.kind(t.flavor) {
	case number, index:
		return append(dst, v...)
	case double:
		return appendDouble(dst, v)
	case moment:
		return append(append(append(dst, '\''), v...), '\'')
	case spelled:
		return append(append(append(dst, "_latin1'"...), v...), '\'')
	case json:
		return appendJSON(dst, v)
	}
	// The session's character set is binary: the bytes reach the column as they are. Oracle
	// MySQL fails every SELECT from the process list while a statement's text is not utf8mb3.
	if t.flavor == mysql && !ascii(v) {
		return appendHex(dst, v)
	}
	return appendQuoted(dst, v)
}

func appendHex(dst, v []byte) []byte {
	return append(hex.AppendEncode(append(dst, "X'"...), v), '\'')
}

func appendQuoted(dst, v []byte) []byte {
	dst = append(dst, '\'')
	for {
		i := bytes.IndexAny(v, "'\\\x00")
		if i < 0 {
			break
		}
		dst = append(dst, v[:i]...)
		if v[i] == 0 {
			dst = append(dst, '\\', '0')
		} else {
			dst = append(dst, '\\', v[i])
		}
		v = v[i+1:]
	}
	dst = append(dst, v...)
	return append(dst, '\'')
}

// appendDouble appends a number so that the parser takes it for a DOUBLE: a minus before an
// integer zero would be lost.
func appendDouble(dst, v []byte) []byte {
	dst = append(dst, v...)
	if bytes.IndexByte(v, 'e') < 0 {
		dst = append(dst, "e0"...)
	}
	return dst
}

// matches appends the condition that a row has one of some values in some columns.
func (t *table) matches(dst []byte, columns, prefix []int, of [][][]byte) []byte {
	if len(columns) == 1 && (prefix == nil || prefix[0] == 0) {
		c := &t.columns[columns[0]]
		dst = append(append(dst, quote(c.name)...), " IN ("...)
		for i, v := range of {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = t.operand(dst, c, v[0])
		}
		return append(dst, ')')
	}
	dst = append(dst, '(')
	for i, v := range of {
		if i > 0 {
			dst = append(dst, " OR "...)
		}
		dst = append(dst, '(')
		for j, at := range columns {
			if j > 0 {
				dst = append(dst, " AND "...)
			}
			c := &t.columns[at]
			if prefix != nil && prefix[j] > 0 {
				n := itoa(prefix[j])
				dst = append(append(dst, "LEFT("+quote(c.name)+","+n+")=LEFT("...), t.operand(nil, c, v[j])...)
				dst = append(dst, ","+n+")"...)
				continue
			}
			dst = append(append(dst, quote(c.name)...), '=')
			dst = t.operand(dst, c, v[j])
		}
		dst = append(dst, ')')
	}
	return append(dst, ')')
}

// beyond appends the condition that a row's key comes after (or, with op "<=" or "<",
// before) a key, in the order of the server. The first column is named apart so that every
// optimizer sees a range.
func (t *table) beyond(dst []byte, op string, key [][]byte) []byte {
	columns := t.keyColumns()
	strict, equal := op[:1], len(op) == 2
	if len(columns) == 1 {
		c := &t.columns[columns[0]]
		return t.operand(append(dst, quote(c.name)+op...), c, key[0])
	}
	first := &t.columns[columns[0]]
	dst = t.operand(append(dst, quote(first.name)+strict+"="...), first, key[0])
	dst = append(dst, " AND ("...)
	for i := range columns {
		if i > 0 {
			dst = append(dst, " OR "...)
		}
		dst = append(dst, '(')
		for j := 0; j <= i; j++ {
			c := &t.columns[columns[j]]
			o := "="
			if j == i {
				if o = strict; equal && i == len(columns)-1 {
					o = op
				}
			}
			if j > 0 {
				dst = append(dst, " AND "...)
			}
			dst = t.operand(append(dst, quote(c.name)+o...), c, key[j])
		}
		dst = append(dst, ')')
	}
	return append(dst, ')')
}

// keyOrder is ORDER BY's list.
func (t *table) keyOrder() string {
	var names []string
	for _, i := range t.keyColumns() {
		names = append(names, quote(t.columns[i].name))
	}
	return strings.Join(names, ",")
}

// keyRead is a SELECT's list of the key.
func (t *table) keyRead() string {
	var names []string
	for _, i := range t.keyColumns() {
		names = append(names, t.columns[i].read(t.flavor))
	}
	return strings.Join(names, ",")
}

// layout is the order in which rows are read: the stored columns, then generated ones that
// are part of a unique key and are not written.
type layout struct {
	columns []int // into table.columns
	stored  int   // of these, the first ones are written
	at      []int // of each of table.columns: where it is in a row, -1 if it is not
}

func (t *table) layout() *layout {
	l := &layout{at: make([]int, len(t.columns))}
	for i := range l.at {
		l.at[i] = -1
	}
	add := func(i int) {
		if l.at[i] < 0 {
			l.at[i] = len(l.columns)
			l.columns = append(l.columns, i)
		}
	}
	for i := range t.columns {
		if !t.columns[i].generated {
			add(i)
		}
	}
	l.stored = len(l.columns)
	for _, u := range t.uniques {
		for _, i := range u.columns {
			if i >= 0 {
				add(i)
			}
		}
	}
	return l
}

// read is a SELECT's list.
func (l *layout) read(t *table) string {
	var names []string
	for _, i := range l.columns {
		names = append(names, t.columns[i].read(t.flavor))
	}
	return strings.Join(names, ",")
}

// insert is the start of an INSERT.
func (l *layout) insert(t *table) string {
	var names []string
	for _, i := range l.columns[:l.stored] {
		names = append(names, quote(t.columns[i].name))
	}
	return "INSERT INTO " + t.sqlName() + " (" + strings.Join(names, ",") + ") VALUES "
}

// pick gives a row's values of some columns; nil if one of them is NULL or an expression.
func (l *layout) pick(row [][]byte, columns []int) [][]byte {
	values := make([][]byte, len(columns))
	for i, c := range columns {
		if c < 0 || row[l.at[c]] == nil {
			return nil
		}
		values[i] = row[l.at[c]]
	}
	return values
}

// show writes a key for people.
func (t *table) show(key [][]byte) string {
	var b []byte
	for i, at := range t.keyColumns() {
		if i > 0 {
			b = append(b, " AND "...)
		}
		c := &t.columns[at]
		b = append(append(b, quote(c.name)...), '=')
		if c.kind(t.flavor) == text && c.charset != "" && printable(key[i]) {
			b = append(b, literal(string(key[i]))...)
			continue
		}
		b = t.operand(b, c, key[i])
	}
	return string(b)
}

func ascii(v []byte) bool {
	for _, c := range v {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

func printable(v []byte) bool {
	for _, c := range v {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}
