package query

import (
	"bytes"
	"unicode/utf8"
)

// quoted reads a quoted string or name whose quote is at src[i]. A doubled quote stands for
// one; a backslash, where the mode has it as escape and the text is no name, takes the
// one byte after it, even when that is the lead byte of a wide character.
func (l *lexer) quoted(t *token, i int, kind tokenKind) {
	src, quote := l.src, l.src[i]
	escapes := !l.mode.NoBackslashEscapes && kind != tokQuoted && !(quote == '"' && l.mode.ANSIQuotes) && quote != '`'
	wide := l.mode.Charset.multibyte()
	isName := kind == tokQuoted || quote == '`' || quote == '"' && l.mode.ANSIQuotes
	for j := i + 1; j < len(src); j++ {
		switch c := src[j]; {
		case c == quote:
			if j+1 < len(src) && src[j+1] == quote {
				j++
				continue
			}
			t.kind, l.pos = kind, j+1
			return
		case c == '\\' && escapes:
			j++
		case c == 0 && isName:
			l.fail(ErrNUL)
			return
		case c >= 0x80 && wide:
			if n := l.mode.Charset.charLen(src, j); n > 0 {
				j += n - 1
			}
		}
	}
	l.fail(ErrUnterminated)
}

// identifier makes a quoted token a name and checks that its bytes can be read as one.
func (l *lexer) identifier(t *token) {
	t.kind, t.name = tokQuoted, true
	if l.err != nil {
		return
	}
	l.checkName(l.src[t.start+1 : l.pos-1])
}

// dollarQuoted reads $tag$ text $tag$ (the tag may be empty), as MySQL has it since 8.1 for
// routines in other languages. There a name cannot begin so, elsewhere it can.
func (l *lexer) dollarQuoted(t *token, i int) bool {
	const since = 80100
	if l.mode.MariaDB || l.mode.ServerVersion < since {
		return false
	}
	src, j := l.src, i+1
	high := false
	for j < len(src) && src[j] != '$' && l.class[src[j]] <= classHigh {
		high = high || src[j] >= 0x80
		j++
	}
	if high {
		l.fail(ErrCharset) // which of these belong to a tag depends on the set
		return true
	}
	if j >= len(src) || src[j] != '$' {
		return false
	}
	tag := src[i : j+1]
	end := bytes.Index(src[j+1:], tag)
	if end < 0 {
		l.fail(ErrUnterminated)
		return true
	}
	t.kind, l.pos = tokVerbatim, j+1+end+len(tag)
	return true
}

// wideWord ends an unquoted word that has bytes above 0x7F; the first is at j.
func (l *lexer) wideWord(i, j int) int {
	src := l.src
	for j < len(src) && l.class[src[j]] <= classHigh {
		n := 1
		if src[j] >= 0x80 && l.mode.Charset.multibyte() {
			n = l.mode.Charset.charLen(src, j)
			if n == 0 && !(l.mode.Charset == SJIS && src[j] >= 0xA1 && src[j] <= 0xDF) {
				l.fail(ErrCharset)
				return j
			}
			n = max(n, 1)
		}
		j += n
	}
	l.checkName(src[i:j])
	return j
}

// checkName refuses the names that Sluice could not compare with those of the catalog: a
// table that the server would find under such a name must not pass as unknown.
func (l *lexer) checkName(name []byte) {
	switch l.mode.Charset {
	case Plain:
		if !utf8.Valid(name) {
			l.fail(ErrCharset)
		}
	case OneByte:
		for _, c := range name {
			if c >= 0x80 {
				l.fail(ErrCharset)
				return
			}
		}
	}
}
