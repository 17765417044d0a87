package infile

import "unicode/utf8"

// charset is how the characters of a set are told from each other.
type charset uint8

const (
	oneByte charset = iota
	utf8mb3
	utf8mb4
	gbk
	big5
	sjis
)

// charsets are the sets that are cut. Not gb18030, whose second bytes can be digits, and not
// the EUC sets: MariaDB and MySQL disagree about their broken characters.
var charsets = map[string]charset{
	"utf8": utf8mb3, "utf8mb3": utf8mb3, "utf8mb4": utf8mb4, "gbk": gbk, "big5": big5, "sjis": sjis, "cp932": sjis,

	"armscii8": oneByte, "ascii": oneByte, "binary": oneByte, "cp1250": oneByte, "cp1251": oneByte, "cp1256": oneByte, "cp1257": oneByte,
	"cp850": oneByte, "cp852": oneByte, "cp866": oneByte, "dec8": oneByte, "geostd8": oneByte, "greek": oneByte, "hebrew": oneByte,
	"hp8": oneByte, "keybcs2": oneByte, "koi8r": oneByte, "koi8u": oneByte, "latin1": oneByte, "latin2": oneByte, "latin5": oneByte,
	"latin7": oneByte, "macce": oneByte, "macroman": oneByte, "tis620": oneByte,
}

// pairs tells whether a second byte can look like a delimiter.
func (s charset) pairs() bool { return s >= gbk }

func (s charset) unicode() bool { return s == utf8mb3 || s == utf8mb4 }

// length gives the length of the character at the start of b, which is not ASCII.
func (s charset) length(b []byte, whole bool) (int, error) {
	if s == oneByte || s == sjis && b[0] >= 0xA1 && b[0] <= 0xDF {
		return 1, nil
	}
	if s.unicode() {
		if !utf8.FullRune(b) {
			if whole {
				return 0, ErrCharacters
			}
			return 0, ErrMore
		}
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 || n == 4 && s == utf8mb3 {
			return 0, ErrCharacters
		}
		return n, nil
	}
	if len(b) == 1 {
		if whole {
			return 0, ErrCharacters
		}
		return 0, ErrMore
	}
	if !s.pair(b[0], b[1]) {
		return 0, ErrCharacters
	}
	return 2, nil
}

// pair tells whether two bytes are a character (isgbkhead and the like in the servers' ctype-*.c).
func (s charset) pair(lead, trail byte) bool {
	low := trail >= 0x40 && trail <= 0x7E
	switch s {
	case gbk:
		return lead >= 0x81 && lead <= 0xFE && (low || trail >= 0x80 && trail <= 0xFE)
	case big5:
		return lead >= 0xA1 && lead <= 0xF9 && (low || trail >= 0xA1 && trail <= 0xFE)
	case sjis:
		return (lead >= 0x81 && lead <= 0x9F || lead >= 0xE0 && lead <= 0xFC) && (low || trail >= 0x80 && trail <= 0xFC)
	}
	return false
}
