package query

// maxParsed and maxParsedTokens bound what the parser is given: it takes 80 ns and 33 bytes
// of memory for a byte, and its trees are as deep as a sum has terms.
const (
	maxParsed       = 1 << 20
	maxParsedTokens = 200_000
)

// masked is the text that the parser gets: the same offsets, blanks where comments and
// hints were, and filler in every string that a lexer could end elsewhere than Sluice's.
// So the parser cannot disagree about where a literal ends; values are taken from the
// tokens alone. skip are token ranges that are left out: rows of a long INSERT.
func (t *text) masked(lo, hi int, skip [][2]int) (string, bool) {
	buf := make([]byte, t.end)
	for i := range buf {
		buf[i] = ' '
	}
	size, n := 0, 0
	for i := lo; i < hi; i++ {
		if len(skip) > 0 && i == skip[0][0] {
			i = skip[0][1] - 1
			skip = skip[1:]
			continue
		}
		tok := t.toks[i]
		size += int(tok.end - tok.start)
		n++
		if size > maxParsed || n > maxParsedTokens {
			return "", false
		}
		t.mask(buf[tok.start:tok.end], i)
	}
	return string(buf), true
}

// mask copies token i into dst, which lies where it stands.
func (t *text) mask(dst []byte, i int) {
	if t.standIn(dst, i) {
		return
	}
	tok, src := t.toks[i], t.bytes(i)
	quote := -1
	switch tok.kind {
	case tokString:
		quote = 0
	case tokUserVar:
		if len(src) > 1 && (src[1] == '\'' || src[1] == '"' || src[1] == '`') {
			quote = 1
		}
	case tokVerbatim:
		switch src[0] {
		case '\'', '"':
			quote = 0
		case 'n', 'N':
			quote = 1
		}
	case tokWord:
		if src[0] == '_' && t.kind(i+1) == tokVerbatim {
			return // a character-set introducer, which the parser may not know
		}
	}
	copy(dst, src)
	if quote < 0 {
		return
	}
	body := dst[quote+1 : len(dst)-1]
	for _, c := range body {
		if c < ' ' || c > '~' || c == '\\' || c == '\'' || c == '"' || c == '`' {
			for i := range body {
				body[i] = 'x'
			}
			return
		}
	}
}

// isPlain says whether the parser saw the quoted token as it is.
func (t *text) isPlain(i int) bool {
	for _, c := range t.bytes(i)[1 : len(t.bytes(i))-1] {
		if c < ' ' || c > '~' || c == '\\' || c == '\'' || c == '"' || c == '`' {
			return false
		}
	}
	return true
}
