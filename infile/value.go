package infile

import "bytes"

// find gives where a text begins in b.
func find(b []byte, text string) (at int, found bool) {
	at = bytes.Index(b, []byte(text))
	return at, at >= 0
}

// Value appends what a field stands for, without its quotes and escapes. null says that it
// is NULL: \N, or the word NULL where fields can be enclosed and this one is not.
func (c *Cutter) Value(dst, b []byte, f Field) (value []byte, null bool) {
	from := len(dst)
	text := b[f.Start:f.End]
	quoted := len(text) > 0 && int(text[0]) == c.enclosed
	if f.Enclosed {
		text = text[1 : len(text)-1]
	}
	asked := false // \N was there
	p := 0
	if quoted && !f.Enclosed { // its quote was not closed
		dst = append(dst, text[0])
		p = 1
	}
	for p < len(text) {
		ch := int(text[p])
		switch {
		case ch == c.escaped && p+1 < len(text) && (c.escaped != c.enclosed || int(text[p+1]) == c.escaped):
			dst = append(dst, unescape(text[p+1]))
			asked = asked || text[p+1] == 'N'
			p += 2
		case quoted && ch == c.enclosed && p+1 < len(text) && int(text[p+1]) == ch:
			dst = append(dst, text[p])
			p += 2
		default:
			n, err := c.character(text[p:], true)
			if err != nil {
				n = 1
			}
			dst = append(dst, text[p:p+n]...)
			p += n
		}
	}
	value = dst[from:]
	return dst, asked && len(value) == 1 || !f.Enclosed && c.enclosed >= 0 && string(value) == "NULL"
}

// unescape gives what an escape and a byte stand for (READ_INFO::unescape).
func unescape(b byte) byte {
	switch b {
	case 'n':
		return '\n'
	case 't':
		return '\t'
	case 'r':
		return '\r'
	case 'b':
		return '\b'
	case '0':
		return 0
	case 'Z':
		return 0x1A
	}
	return b
}
