package wire

import "fmt"

// SplitTextRow cuts a text-protocol row into its values (nil is NULL), reusing dst. The
// values alias row.
func SplitTextRow(row []byte, dst [][]byte) ([][]byte, error) {
	dst = dst[:0]
	for len(row) > 0 {
		v, n, ok := LenencBytes(row)
		if !ok || len(dst) == MaxColumns {
			return nil, fmt.Errorf("%w: text row", ErrMalformed)
		}
		dst = append(dst, v)
		row = row[n:]
	}
	return dst, nil
}

// AppendTextRow is SplitTextRow's inverse.
func AppendTextRow(dst []byte, values [][]byte) []byte {
	for _, v := range values {
		if v == nil {
			dst = append(dst, nullByte)
		} else {
			dst = appendLenencBytes(dst, v)
		}
	}
	return dst
}
