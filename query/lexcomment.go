package query

// dashComment says whether the "-" at i begins a comment: "--" and then a blank, a control
// character or the end of the text; 1--1 is arithmetic.
func (l *lexer) dashComment(i int) bool {
	if i+1 >= len(l.src) || l.src[i+1] != '-' {
		return false
	}
	if i+2 >= len(l.src) {
		return true
	}
	c := l.src[i+2]
	if c == 0x7F && l.mode.Charset == OneByte {
		l.fail(ErrCharset) // a control character in some of these sets alone
	}
	return l.class[c] == classBlank || c < 0x20 || c == 0x7F
}

// lineEnd gives the position after the line that holds i. A NUL in it would end the
// comment for the server.
func (l *lexer) lineEnd(i int) int {
	for ; i < len(l.src); i++ {
		switch l.src[i] {
		case '\n':
			return i + 1
		case 0:
			l.fail(ErrNUL)
			return len(l.src)
		}
	}
	return i
}

// comment reads what begins with "/" at i. Either it is a token (an operator, a hint, the
// opening of an executable comment), or it is skipped and the answer is where to go on.
//
// An executable comment is one that the server runs as if it were plain text
// (measured): /*! without version always; /*!ddddd (5 or 6 digits, but by MySQL 6 only
// before a blank) from that version on, by MariaDB not for 50700…99999; /*M! the same by
// MariaDB alone and without that gap. One that is not run may hold one level of plain
// comments.
func (l *lexer) comment(t *token, i int) (next int, isToken bool) {
	src := l.src
	if i+1 >= len(src) || src[i+1] != '*' {
		l.one(t, i, tokOp)
		return 0, true
	}
	switch {
	case i+2 < len(src) && src[i+2] == '+':
		end := l.hintEnd(i + 3)
		if end < 0 {
			return len(src), false
		}
		t.kind, l.pos = tokHint, end
		return 0, true
	case i+2 < len(src) && src[i+2] == '!':
		return l.versioned(t, i+3, false)
	case l.mode.MariaDB && i+3 < len(src) && src[i+2] == 'M' && src[i+3] == '!':
		return l.versioned(t, i+4, true)
	}
	return l.commentEnd(i+2, false), false
}

// versioned reads an executable comment; src[i] follows its "!".
func (l *lexer) versioned(t *token, i int, own bool) (next int, isToken bool) {
	version, n := 0, 0
	for n < 6 && i+n < len(l.src) && isDigit(l.src[i+n]) {
		version = version*10 + int(l.src[i+n]-'0')
		n++
	}
	if n == 6 && !l.mode.MariaDB && (i+6 >= len(l.src) || l.class[l.src[i+6]] != classBlank) {
		version, n = version/10, 5
	}
	if n >= 5 {
		runs := version <= l.mode.ServerVersion
		if l.mode.MariaDB && !own && version >= 50700 && version <= 99999 {
			runs = false
		}
		if !runs {
			return l.commentEnd(i, true), false
		}
		i += n
	}
	l.inExec = true
	t.kind, l.pos = tokExecOpen, i
	return 0, true
}

// commentEnd gives the position after the "*/" of a comment. In nested ones a plain
// comment inside is skipped with its own "*/".
func (l *lexer) commentEnd(i int, nested bool) int {
	src := l.src
	for ; i+1 < len(src); i++ {
		switch {
		case src[i] == '*' && src[i+1] == '/':
			return i + 2
		case nested && src[i] == '/' && src[i+1] == '*':
			i = l.commentEnd(i+2, false) - 1
			if l.err != nil {
				return len(src)
			}
		case src[i] == 0:
			l.fail(ErrNUL)
			return len(src)
		}
	}
	l.fail(ErrUnterminated)
	return len(src)
}

// hintEnd gives the position after an optimizer hint, -1 after an error. MySQL reads quoted
// names inside of hints, MariaDB and other places of the text know no hints: a quote in one
// makes the end of the comment a matter of opinion.
func (l *lexer) hintEnd(i int) int {
	for j := i; j+1 < len(l.src); j++ {
		switch c := l.src[j]; {
		case c == '*' && l.src[j+1] == '/':
			return j + 2
		case c == '`', c == '"', c == '\'':
			if !l.mode.MariaDB {
				end := l.commentEnd(j, false)
				if l.err == nil && hasQuotedEnd(l.src[i:end]) {
					l.fail(ErrAmbiguous)
				}
				if l.err != nil {
					return -1
				}
				return end
			}
		case c == 0:
			l.fail(ErrNUL)
			return -1
		}
	}
	l.fail(ErrUnterminated)
	return -1
}

// hasQuotedEnd says whether the quotes of a hint are not closed where its comment ends.
func hasQuotedEnd(hint []byte) bool {
	var quote byte
	for _, c := range hint {
		switch {
		case quote == 0 && (c == '`' || c == '"' || c == '\''):
			quote = c
		case c == quote:
			quote = 0
		}
	}
	return quote != 0
}
