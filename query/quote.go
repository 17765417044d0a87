package query

import "slices"

// Unquote appends the bytes that a String literal stands for, in the client's character set: without
// its quotes, doubled quotes as one, and the escapes that the mode has resolved as the server
// does (\0 \b \n \r \t \Z; \% and \_ stay as they are; any other \x is x). Literals of other
// kinds are appended as they are written: an integer's text is its value but for leading zeros.
func Unquote(dst []byte, sql []byte, lit Literal, mode Mode) []byte {
	text := lit.Of(sql)
	if lit.Kind != String || len(text) < 2 {
		return append(dst, text...)
	}
	quote, body := text[0], text[1:len(text)-1]
	dst = slices.Grow(dst, len(body))
	for i := 0; i < len(body); i++ {
		c := body[i]
		switch {
		case c == '\\' && !mode.NoBackslashEscapes && i+1 < len(body):
			i++
			dst = unescape(dst, body[i])
		case c == quote:
			dst = append(dst, c)
			i++ // its double
		default:
			n := 1
			if c >= 0x80 {
				n = max(n, mode.Charset.charLen(body, i))
			}
			dst = append(dst, body[i:i+n]...)
			i += n - 1
		}
	}
	return dst
}

// unescape appends what a backslash and c stand for.
func unescape(dst []byte, c byte) []byte {
	switch c {
	case '0':
		c = 0
	case 'b':
		c = '\b'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'Z':
		c = 0x1A
	case '%', '_':
		return append(dst, '\\', c)
	}
	return append(dst, c)
}

// QuoteString appends a literal whose value under the mode is s, which is in the client's
// character set. It is in single quotes: these delimit strings in every mode.
func QuoteString(dst []byte, s string, mode Mode) []byte {
	dst = append(dst, '\'')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\'':
			dst = append(dst, '\'', '\'')
		case c == '\\' && !mode.NoBackslashEscapes:
			dst = append(dst, '\\', '\\')
		case c >= 0x80 && mode.Charset.multibyte():
			// The bytes of a character go together: a 0x5C that is its second byte is no backslash.
			n := max(1, mode.Charset.charLen([]byte(s[i:min(i+4, len(s))]), 0))
			dst = append(dst, s[i:i+n]...)
			i += n - 1
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '\'')
}

// QuoteName appends a name in backticks, which quote names in every mode. The name is ASCII,
// or in the client's character set with no byte that looks like a backtick (names in UTF-8 are
// such).
func QuoteName(dst []byte, name string) []byte {
	dst = append(dst, '`')
	for i := 0; i < len(name); i++ {
		if name[i] == '`' {
			dst = append(dst, '`')
		}
		dst = append(dst, name[i])
	}
	return append(dst, '`')
}
