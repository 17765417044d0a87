package query

// Byte classes of the lexer. The first three are the bytes that an unquoted name goes on
// with, in that order, so that one comparison asks for them.
const (
	classLetter uint8 = iota
	classDigit
	classHigh // 0x80 and above: part of a name, to be checked
	classBlank
	classQuote     // '
	classDouble    // "
	classBacktick  // `
	classOp        // operators of one byte
	classOpJoin    // bytes that can begin a longer operator: < > = ! | & :
	classMinus     // -
	classSlash     // /
	classStar      // *
	classHash      // #
	classAt        // @
	classDot       // .
	classOpen      // (
	classClose     // )
	classComma     // ,
	classSemi      // ;
	classQuestion  // ?
	classBackslash // \
	classNUL
)

// The state maps of the server's lexer (sql/lex_charset, init_state_maps), by which the
// blanks are those of the character set: in latin1 0xA0 is one.
var (
	plainClasses  = byteClasses(false)
	latin1Classes = byteClasses(true)
)

func byteClasses(latin1 bool) *[256]uint8 {
	var t [256]uint8
	for c := range t {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c == '$':
			t[c] = classLetter
		case c >= '0' && c <= '9':
			t[c] = classDigit
		case c >= 0x80:
			t[c] = classHigh
		case c == ' ', c >= '\t' && c <= '\r':
			t[c] = classBlank
		default:
			t[c] = classOp
		}
	}
	for c, class := range map[byte]uint8{'\'': classQuote, '"': classDouble, '`': classBacktick,
		'<': classOpJoin, '>': classOpJoin, '=': classOpJoin, '!': classOpJoin, '|': classOpJoin,
		'&': classOpJoin, ':': classOpJoin, '-': classMinus, '/': classSlash, '*': classStar,
		'#': classHash, '@': classAt, '.': classDot, '(': classOpen, ')': classClose,
		',': classComma, ';': classSemi, '?': classQuestion, '\\': classBackslash, 0: classNUL} {
		t[c] = class
	}
	if latin1 {
		t[0xA0] = classBlank
	}
	return &t
}

// multibyte says whether a trail byte of the set can look like a quote's neighbour.
func (c Charset) multibyte() bool { return c >= GBK && c <= GB18030 }

// charLen gives the length of the multi-byte character that starts at src[i], 0 when the
// bytes there are none: the server's ismbchar of the set. A lead byte without its trail
// byte counts as a byte of its own, which is what makes 0xBF 0x27 end a GBK string.
func (c Charset) charLen(src []byte, i int) int {
	if i+1 >= len(src) {
		return 0
	}
	lead, trail := src[i], src[i+1]
	switch c {
	case GBK:
		if lead >= 0x81 && lead <= 0xFE && gbkTrail(trail) {
			return 2
		}
	case Big5:
		if lead >= 0xA1 && lead <= 0xF9 && (trail >= 0x40 && trail <= 0x7E || trail >= 0xA1 && trail <= 0xFE) {
			return 2
		}
	case SJIS:
		if (lead >= 0x81 && lead <= 0x9F || lead >= 0xE0 && lead <= 0xFC) &&
			(trail >= 0x40 && trail <= 0x7E || trail >= 0x80 && trail <= 0xFC) {
			return 2
		}
	case GB18030:
		if lead < 0x81 || lead > 0xFE {
			return 0
		}
		if gbkTrail(trail) {
			return 2
		}
		if i+3 < len(src) && isDigit(trail) && src[i+2] >= 0x81 && src[i+2] <= 0xFE && isDigit(src[i+3]) {
			return 4
		}
	}
	return 0
}

func gbkTrail(c byte) bool { return c >= 0x40 && c <= 0x7E || c >= 0x80 && c <= 0xFE }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isHexDigit(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// wordIs compares a word with an upper-case keyword.
func wordIs(word []byte, keyword string) bool {
	if len(word) != len(keyword) {
		return false
	}
	for i := range word {
		c := word[i]
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c != keyword[i] {
			return false
		}
	}
	return true
}
