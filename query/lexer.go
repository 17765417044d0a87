package query

import (
	"errors"
	"unicode/utf8"
)

// Errors of Scan.Run. ErrUnterminated may be left to a server, which answers with its syntax
// error; the others are text that Sluice does not pass on.
var (
	ErrUnterminated  = errors.New("quote or comment without end")
	ErrTooDeep       = errors.New("parentheses are nested too deeply")
	ErrTooManyTokens = errors.New("statement has too many tokens")
	ErrNUL           = errors.New("NUL byte outside of a string")
	ErrCharset       = errors.New("name that is not valid in the client's character set")
	ErrAmbiguous     = errors.New("comment whose end can be read in two ways")
)

type tokenKind uint8

const (
	tokEnd       tokenKind = iota
	tokWord                // name or keyword
	tokQuoted              // `name`, or "name" with ANSI_QUOTES
	tokUserVar             // @name, @'name'
	tokSysVar              // @@; the name follows as words and dots
	tokVerbatim            // text that stays in the fingerprint: N'x', _latin1'x', \N
	tokHint                // /*+ … */
	tokExecOpen            // /*! or /*M! with its version, when the server runs what follows
	tokExecClose           // its */
	tokInt
	tokDecimal
	tokString
	tokHex
	tokParam
	tokOp
	tokDot
	tokOpen
	tokClose
	tokComma
	tokSemi
)

func (k tokenKind) isLiteral() bool { return k >= tokInt && k <= tokParam }

func (k tokenKind) literal() LiteralKind { return LiteralKind(k - tokInt) }

// token is one lexical element. blank: blanks or comments stand before it. name: a word
// that is a name and no keyword, because it touches a dot.
type token struct {
	start, end int32
	kind       tokenKind
	blank      bool
	name       bool
}

// lexer cuts a text as the server's lexer does (MYSQLlex of MariaDB 10.11 and MySQL 9,
// which agree but for executable comments). The zero value with src, class and mode set
// stands at the start.
type lexer struct {
	src    []byte
	pos    int
	class  *[256]uint8
	mode   Mode
	prev   token
	inExec bool // inside an executable comment
	dotted bool // the next word follows "name." or "@@" directly
	intro  bool // the last token is a word that can be a character-set introducer
	err    error
}

func newLexer(src []byte, mode Mode) lexer {
	class := plainClasses
	if mode.Charset == Latin1 {
		class = latin1Classes
	}
	return lexer{src: src, class: class, mode: mode}
}

// next reads a token. After an error it gives tokEnd for ever.
func (l *lexer) next(t *token) {
	src, i := l.src, l.pos
	start := i
again:
	for i < len(src) && l.class[src[i]] == classBlank {
		i++
	}
	if i >= len(src) || l.err != nil {
		l.end(t)
		return
	}
	t.start, t.blank, t.name = int32(i), i > start, false
	c := src[i]
	switch l.class[c] {
	case classLetter, classHigh:
		l.word(t, i)
	case classDigit:
		l.digit(t, i)
	case classQuote:
		l.quoted(t, i, tokString)
	case classDouble:
		l.quoted(t, i, tokString)
		if l.mode.ANSIQuotes {
			l.identifier(t)
		}
	case classBacktick:
		l.quoted(t, i, tokQuoted)
		l.identifier(t)
	case classOpen:
		l.one(t, i, tokOpen)
	case classClose:
		l.one(t, i, tokClose)
	case classComma:
		l.one(t, i, tokComma)
	case classSemi:
		l.one(t, i, tokSemi)
	case classQuestion:
		l.one(t, i, tokParam)
	case classOp:
		l.one(t, i, tokOp)
	case classOpJoin:
		t.kind, l.pos = tokOp, i+operatorLen(src[i:])
	case classDot:
		l.dot(t, i)
	case classAt:
		l.variable(t, i)
	case classMinus:
		if l.dashComment(i) {
			i = l.lineEnd(i)
			goto again
		}
		l.minus(t, i)
	case classHash:
		i = l.lineEnd(i)
		goto again
	case classSlash:
		if j, ok := l.comment(t, i); !ok {
			i = j
			goto again
		}
	case classStar:
		if l.inExec && i+1 < len(src) && src[i+1] == '/' {
			l.inExec = false
			t.kind, l.pos = tokExecClose, i+2
		} else {
			l.one(t, i, tokOp)
		}
	case classBackslash:
		if i+1 < len(src) && src[i+1] == 'N' {
			t.kind, l.pos = tokVerbatim, i+2
		} else {
			l.one(t, i, tokOp)
		}
	default:
		l.fail(ErrNUL)
	}
	if l.err != nil {
		l.end(t)
		return
	}
	t.end = int32(l.pos)
	if l.intro && (t.kind == tokString || t.kind == tokHex) {
		t.kind = tokVerbatim
	}
	l.intro = t.kind == tokWord && src[t.start] == '_' && !t.name
	l.prev = *t
}

func (l *lexer) one(t *token, i int, kind tokenKind) { t.kind, l.pos = kind, i+1 }

func (l *lexer) fail(err error) {
	if l.err == nil {
		l.err = err
	}
}

func (l *lexer) end(t *token) {
	if l.inExec {
		l.fail(ErrUnterminated)
	}
	l.pos = len(l.src)
	*t = token{start: int32(l.pos), end: int32(l.pos), kind: tokEnd, blank: true}
}

// word reads an unquoted name or keyword, or the literals and strings that begin as one:
// x'2a', b'01', N'text'.
func (l *lexer) word(t *token, i int) {
	src := l.src
	if src[i] == '$' && !l.dotted && l.dollarQuoted(t, i) {
		return
	}
	j := i
	for j < len(src) && l.class[src[j]] <= classDigit {
		j++
	}
	if j < len(src) && l.class[src[j]] == classHigh {
		j = l.wideWord(i, j)
	}
	t.kind, l.pos = tokWord, j
	t.name = l.dotted
	l.dotted = false
	if j < len(src) {
		switch src[j] {
		case '.':
			if j+1 < len(src) && l.class[src[j+1]] <= classHigh {
				t.name = true
			}
		case '\'':
			if j == i+1 && !t.name {
				l.prefixed(t, i)
			}
		}
	}
}

// prefixed reads x'..', b'..' and N'..', whose quote follows the letter at once.
func (l *lexer) prefixed(t *token, i int) {
	switch l.src[i] {
	case 'x', 'X':
		j := i + 2
		for j < len(l.src) && isHexDigit(l.src[j]) {
			j++
		}
		if j < len(l.src) && l.src[j] == '\'' && (j-i)%2 == 0 {
			t.kind, l.pos = tokHex, j+1
		}
	case 'b', 'B':
		j := i + 2
		for j < len(l.src) && (l.src[j] == '0' || l.src[j] == '1') {
			j++
		}
		if j < len(l.src) && l.src[j] == '\'' {
			t.kind, l.pos = tokHex, j+1
		}
	case 'n', 'N':
		l.quoted(t, i+1, tokVerbatim)
	}
}

// digit reads what begins with a digit: a number, or a name such as 1st; after "name." and
// "@@" always a name.
func (l *lexer) digit(t *token, i int) {
	if l.dotted {
		l.word(t, i)
		return
	}
	src := l.src
	if src[i] == '0' && i+1 < len(src) && (src[i+1] == 'x' || src[i+1] == 'b') {
		j := i + 2
		for j < len(src) && (isHexDigit(src[j]) && src[i+1] == 'x' || src[j] == '0' || src[j] == '1') {
			j++
		}
		if j > i+2 && (j == len(src) || l.class[src[j]] > classHigh) {
			t.kind, l.pos = tokHex, j
			return
		}
		l.word(t, i)
		return
	}
	kind, j := l.number(i)
	if kind == tokWord {
		if src[j] >= 0x80 && l.mode.Charset.multibyte() {
			l.fail(ErrCharset) // MySQL takes a lead byte behind digits for a whole character
			return
		}
		l.word(t, i)
		return
	}
	t.kind, l.pos = kind, j
}

// number reads digits [. digits] [e [sign] digits] at i and says where they end; tokWord
// means that the digits begin a name.
func (l *lexer) number(i int) (tokenKind, int) {
	src, j := l.src, i
	for j < len(src) && isDigit(src[j]) {
		j++
	}
	if j == len(src) {
		return tokInt, j
	}
	if src[j] == '.' {
		j++
		for j < len(src) && isDigit(src[j]) {
			j++
		}
		if k := l.exponent(j); k > 0 {
			j = k
		}
		return tokDecimal, j
	}
	if l.class[src[j]] > classHigh {
		return tokInt, j
	}
	if k := l.exponent(j); k > 0 {
		return tokDecimal, k
	}
	return tokWord, j
}

// exponent gives the end of an exponent at j, 0 when there is none.
func (l *lexer) exponent(j int) int {
	src := l.src
	if j >= len(src) || src[j] != 'e' && src[j] != 'E' {
		return 0
	}
	j++
	if j < len(src) && (src[j] == '+' || src[j] == '-') {
		j++
	}
	if j >= len(src) || !isDigit(src[j]) {
		return 0
	}
	for j < len(src) && isDigit(src[j]) {
		j++
	}
	return j
}

// dot tells the dot of a qualified name from the one of a number: directly after an
// unquoted name it is the former, whatever follows.
func (l *lexer) dot(t *token, i int) {
	src := l.src
	follows := i+1 < len(src) && l.class[src[i+1]] <= classHigh
	if follows && isDigit(src[i+1]) && !(l.prev.kind == tokWord && !t.blank) {
		j := i + 1
		for j < len(src) && isDigit(src[j]) {
			j++
		}
		if k := l.exponent(j); k > 0 {
			j = k
		}
		t.kind, l.pos = tokDecimal, j
		return
	}
	l.dotted = follows
	l.one(t, i, tokDot)
}

// variable reads @name, @'name' or the @@ of a system variable.
func (l *lexer) variable(t *token, i int) {
	src := l.src
	t.kind = tokUserVar
	if i+1 < len(src) {
		switch l.class[src[i+1]] {
		case classAt:
			t.kind, l.pos = tokSysVar, i+2
			l.dotted = i+2 < len(src) && l.class[src[i+2]] <= classHigh
			for j := i + 2; j < len(src) && l.class[src[j]] <= classHigh; j++ {
				if src[j] >= 0x80 {
					l.fail(ErrCharset) // no variable has such a name, and MySQL would read it by bytes
				}
			}
			return
		case classQuote, classDouble, classBacktick:
			l.quoted(t, i+1, tokUserVar)
			return
		}
	}
	j := i + 1
	for j < len(src) && (l.class[src[j]] <= classHigh || src[j] == '.') {
		j++
	}
	l.pos = j
	if l.mode.Charset != Plain || !utf8.Valid(src[i:j]) {
		for _, c := range src[i:j] {
			if c >= 0x80 {
				l.fail(ErrCharset) // which of these the server takes for letters depends on the set
			}
		}
	}
}

// minus reads an operator that begins with "-", or a negative number where a value must
// start: after an operator, "(", "," or one of valueWords.
func (l *lexer) minus(t *token, i int) {
	src := l.src
	if i+1 < len(src) && l.class[src[i+1]] <= classDot && l.valueMustStart() {
		kind, j := tokWord, 0
		switch {
		case isDigit(src[i+1]):
			kind, j = l.number(i + 1)
			if src[i+1] == '0' && i+2 < len(src) && (src[i+2] == 'x' || src[i+2] == 'b') {
				kind = tokWord
			}
		case src[i+1] == '.' && i+2 < len(src) && isDigit(src[i+2]):
			kind, j = l.number(i + 1)
		}
		if kind != tokWord {
			t.kind, l.pos = kind, j
			return
		}
	}
	t.kind, l.pos = tokOp, i+1
	if i+1 < len(src) && src[i+1] == '>' && !l.mode.MariaDB {
		l.pos++
		if i+2 < len(src) && src[i+2] == '>' {
			l.pos++
		}
	}
}

func (l *lexer) valueMustStart() bool {
	p := &l.prev
	switch p.kind {
	case tokOpen, tokComma:
		return true
	case tokOp:
		return l.src[p.start] != '*' // SELECT * -1 is no value either way
	case tokWord:
		return !p.name && isValueWord(l.src[p.start:p.end])
	}
	return false
}

// isValueWord: reserved words after which an expression must begin.
func isValueWord(w []byte) bool {
	for _, k := range [...]string{"SELECT", "WHERE", "AND", "OR", "NOT", "BETWEEN", "LIKE", "THEN",
		"ELSE", "WHEN", "CASE", "XOR", "DIV", "MOD", "ON", "HAVING", "BY", "DISTINCT", "INTERVAL", "RLIKE", "REGEXP"} {
		if wordIs(w, k) {
			return true
		}
	}
	return false
}

// operatorLen gives the length of the operator that s begins with, the longest first.
func operatorLen(s []byte) int {
	if len(s) < 2 {
		return 1
	}
	switch s[0] {
	case '<':
		if s[1] == '=' && len(s) > 2 && s[2] == '>' {
			return 3
		}
		if s[1] == '=' || s[1] == '>' || s[1] == '<' {
			return 2
		}
	case '>':
		if s[1] == '=' || s[1] == '>' {
			return 2
		}
	case '!', ':':
		if s[1] == '=' {
			return 2
		}
	case '|', '&':
		if s[1] == s[0] {
			return 2
		}
	}
	return 1
}
