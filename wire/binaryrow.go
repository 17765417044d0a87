package wire

import "fmt"

// SplitBinaryRow cuts a binary-protocol row into its encoded values (nil is NULL; a
// value keeps the encoding of its column's type, including a length prefix), reusing dst.
// The values alias row.
func SplitBinaryRow(row []byte, cols []Column, dst [][]byte) ([][]byte, error) {
	c := cursor{b: row}
	header := c.uint8()
	nulls := c.take((len(cols) + 9) / 8)
	if c.bad || header != 0 {
		return nil, fmt.Errorf("%w: binary row", ErrMalformed)
	}
	dst = dst[:0]
	for i := range cols {
		bit := i + 2 // the first two bits are reserved
		if nulls[bit/8]&(1<<(bit%8)) != 0 {
			dst = append(dst, nil)
			continue
		}
		v := binaryValue(&c, cols[i].Type)
		if c.bad {
			return nil, fmt.Errorf("%w: column %d of a binary row, type %d", ErrMalformed, i+1, cols[i].Type)
		}
		dst = append(dst, v)
	}
	if len(c.b) != 0 {
		return nil, fmt.Errorf("%w: bytes behind a binary row", ErrMalformed)
	}
	return dst, nil
}

// binaryValue takes one encoded value.
func binaryValue(c *cursor, t byte) []byte {
	s, size := shapeOf(t)
	switch s {
	case shapeInt, shapeFloat, shapeDouble:
		return c.take(size)
	case shapeDate, shapeTime:
		if len(c.b) > 0 && dateLength(s, int(c.b[0])) {
			return c.take(1 + int(c.b[0]))
		}
	case shapeBytes:
		if v, n, ok := LenencBytes(c.b); ok && v != nil {
			return c.take(n)
		}
	}
	c.bad = true
	return nil
}

// AppendBinaryRow is SplitBinaryRow's inverse: the values are encoded as it gives them.
func AppendBinaryRow(dst []byte, values [][]byte, cols []Column) []byte {
	dst = append(dst, 0)
	nulls := len(dst)
	for range (len(cols) + 9) / 8 {
		dst = append(dst, 0)
	}
	for i, v := range values {
		if v == nil {
			bit := i + 2
			dst[nulls+bit/8] |= 1 << (bit % 8)
		}
		dst = append(dst, v...)
	}
	return dst
}
