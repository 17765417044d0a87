// Package query turns statement text into what Sluice decides by: tokens and a
// fingerprint in one pass without allocation (the hot path), and, on a plan-cache miss, a
// Statement. It is the only importer of the SQL parser, whose types do not leave. It
// never produces SQL from a tree: what goes to a shard is the client's text, edited by spans.
//
// What it refuses to do: to guess. A statement whose structure is not proven is Opaque and
// lists every name that could be a table; text that servers may read in two ways is an error.
package query

import (
	"slices"
	"strconv"
	"strings"
)

// Mode is everything outside the text that decides what the text means.
type Mode struct {
	ANSIQuotes         bool // sql_mode ANSI_QUOTES
	NoBackslashEscapes bool // sql_mode NO_BACKSLASH_ESCAPES
	PipesAsConcat      bool
	IgnoreSpace        bool
	HighNotPrecedence  bool
	Charset            Charset // of character_set_client
	MariaDB            bool    // the backends' dialect, for executable comments
	ServerVersion      int     // 101119 for 10.11.19, 90100 for 9.1.0
}

// With gives the mode under a value of sql_mode.
func (m Mode) With(sqlMode string) Mode {
	m.ANSIQuotes, m.NoBackslashEscapes, m.PipesAsConcat, m.IgnoreSpace, m.HighNotPrecedence = false, false, false, false, false
	for _, word := range strings.Split(strings.ToUpper(sqlMode), ",") {
		switch word {
		case "ANSI_QUOTES":
			m.ANSIQuotes = true
		case "NO_BACKSLASH_ESCAPES":
			m.NoBackslashEscapes = true
		case "PIPES_AS_CONCAT":
			m.PipesAsConcat = true
		case "IGNORE_SPACE":
			m.IgnoreSpace = true
		case "HIGH_NOT_PRECEDENCE":
			m.HighNotPrecedence = true
		}
	}
	return m
}

// Stored gives the mode of a text that a server has kept under a value of sql_mode: it is in UTF-8, whatever the client speaks.
func (m Mode) Stored(sqlMode string) Mode {
	m = m.With(sqlMode)
	m.Charset = Plain
	return m
}

// Of gives a value of sql_mode with those words of the mode that decide what a text means.
func (m Mode) Of(sqlMode string) string {
	var words []string
	for _, word := range strings.Split(sqlMode, ",") {
		if word != "" && (Mode{}).With(word) == (Mode{}) && !strings.EqualFold(word, "ANSI") {
			words = append(words, word)
		}
	}
	for word, on := range map[string]bool{"ANSI_QUOTES": m.ANSIQuotes, "NO_BACKSLASH_ESCAPES": m.NoBackslashEscapes, "PIPES_AS_CONCAT": m.PipesAsConcat,
		"IGNORE_SPACE": m.IgnoreSpace, "HIGH_NOT_PRECEDENCE": m.HighNotPrecedence} {
		if on {
			words = append(words, word)
		}
	}
	slices.Sort(words)
	return strings.Join(words, ",")
}

// Version reads what a server says of its version ("10.11.19-MariaDB-1", "9.1.0") into a mode.
func Version(text string) (m Mode) {
	m.MariaDB = strings.Contains(strings.ToLower(text), "mariadb")
	part := 0
	for _, f := range strings.FieldsFunc(strings.TrimPrefix(text, "5.5.5-"), func(r rune) bool { return r < '0' || r > '9' }) {
		v, err := strconv.Atoi(f)
		if err != nil || part == 3 {
			break
		}
		m.ServerVersion, part = m.ServerVersion*100+v, part+1
	}
	return m
}

// Charset is the class of a client character set, as far as the scanner cares.
type Charset uint8

const (
	Plain   Charset = iota // utf8mb4, utf8mb3, ascii, binary: names outside quotes are ASCII or UTF-8
	GBK                    // trail bytes 0x40–0x7E, 0x80–0xFE
	Big5                   // trail bytes 0x40–0x7E, 0xA1–0xFE
	SJIS                   // and cp932: trail bytes 0x40–0x7E, 0x80–0xFC
	GB18030                // like GBK, and four-byte characters
	Latin1                 // 0xA0 is a blank between tokens
	OneByte                // every other set without quote-like trail bytes: names must be ASCII
)

// CharsetOf gives the class of a character set by its MySQL name. ok is false for the sets
// that no client may use (utf16 and the like) and for unknown ones.
func CharsetOf(name string) (c Charset, ok bool) {
	switch name {
	case "utf8mb4", "utf8mb3", "utf8", "ascii", "binary":
		return Plain, true
	case "latin1":
		return Latin1, true
	case "gbk":
		return GBK, true
	case "big5":
		return Big5, true
	case "sjis", "cp932":
		return SJIS, true
	case "gb18030":
		return GB18030, true
	case "armscii8", "cp1250", "cp1251", "cp1256", "cp1257", "cp850", "cp852", "cp866", "dec8",
		"geostd8", "greek", "hebrew", "hp8", "keybcs2", "koi8r", "koi8u", "latin2", "latin5",
		"latin7", "macce", "macroman", "tis620", "eucjpms", "ujis", "euckr", "gb2312":
		return OneByte, true
	}
	return Plain, false
}

// Span is a half-open byte range of the statement text.
type Span struct{ Start, End int32 }

// Empty says that the span covers nothing.
func (s Span) Empty() bool { return s.Start >= s.End }

// Of gives the bytes of the span; a span outside the text gives nothing.
func (s Span) Of(sql []byte) []byte {
	if s.Start < 0 || s.End < s.Start || int(s.End) > len(sql) {
		return nil
	}
	return sql[s.Start:s.End]
}
