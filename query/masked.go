package query

import (
	"sort"

	"github.com/pingcap/tidb/pkg/parser/ast"
)

// maxParsed and maxParsedTokens bound what the parser is given: it takes 80 ns and 33 bytes
// of memory for a byte, and its trees are as deep as a sum has terms.
const (
	maxParsed       = 1 << 20
	maxParsedTokens = 200_000
)

// What the parser need not see whole: of a literal it gets no more than maxBody bytes between
// the quotes, of what stands between two tokens no more than maxGap blanks. So a statement
// that is long because of its values is as good as a short one.
const (
	maxBody = 1 << 10 // even: digits of x'…' come in pairs
	maxGap  = 8
)

// masked is the text that the parser gets: blanks where comments and hints were, and filler
// in every string that a lexer could end elsewhere than Sluice's. So the parser cannot
// disagree about where a literal ends; values are taken from the tokens alone. skip are token
// ranges that are left out: rows of a long INSERT. Positions in it are not those of the
// text: place translates them.
func (t *text) masked(lo, hi int, skip [][2]int) (string, bool) {
	m := masker{text: t}
	for i := lo; i < hi; i++ {
		if len(skip) > 0 && i == skip[0][0] {
			i = skip[0][1] - 1
			skip = skip[1:]
			continue
		}
		if !m.token(i) {
			return "", false
		}
	}
	return m.done(), true
}

// masker builds what the parser gets.
type masker struct {
	*text
	buf   []byte
	n     int
	end   int32 // of the token before in the text; 0 before the first
	folds []fold
}

// fold says how far positions from one on are from those in the text.
type fold struct{ at, delta int32 }

// token appends token i; false when there is too much of it all.
func (m *masker) token(i int) bool {
	if m.n++; m.n > maxParsedTokens {
		return false
	}
	tok := m.toks[i]
	if m.end > 0 {
		for range min(tok.start-m.end, maxGap) {
			m.buf = append(m.buf, ' ')
		}
	}
	m.end = tok.end
	at := int32(len(m.buf))
	delta := tok.start - at
	if n := len(m.folds); n == 0 && delta != 0 || n > 0 && m.folds[n-1].delta != delta {
		m.folds = append(m.folds, fold{at, delta})
	}
	m.mask(i)
	return len(m.buf) <= maxParsed
}

// word appends what does not stand in the text.
func (m *masker) word(s string) {
	m.buf = append(append(append(m.buf, ' '), s...), ' ')
	m.end = 0
}

// done gives the text and lets place know.
func (m *masker) done() string {
	m.text.folds = m.folds
	return string(m.buf)
}

// place gives the position of an expression in the text.
func (t *text) place(n ast.ExprNode) int {
	at := n.OriginTextPosition()
	i := sort.Search(len(t.folds), func(i int) bool { return int(t.folds[i].at) > at })
	if i == 0 {
		return at
	}
	return at + int(t.folds[i-1].delta)
}

// mask appends token i.
func (m *masker) mask(i int) {
	src := m.bytes(i)
	from := len(m.buf)
	if head, tail, digits := m.bodyOf(i); head > 0 {
		body := src[head : len(src)-tail]
		plain := digits || isPlain(body)
		m.buf = append(append(m.buf, src[:head]...), body[:min(len(body), maxBody)]...)
		for k := from + head; k < len(m.buf) && !plain; k++ {
			m.buf[k] = 'x'
		}
		m.buf = append(m.buf, src[len(src)-tail:]...)
		return
	}
	m.buf = append(m.buf, src...)
	if m.standIn(m.buf[from:], i) {
		return
	}
	if m.kind(i) == tokWord && src[0] == '_' && m.kind(i+1) == tokVerbatim {
		for k := from; k < len(m.buf); k++ {
			m.buf[k] = ' ' // a character-set introducer, which the parser may not know
		}
	}
}

// bodyOf tells how many bytes of a literal stand before and behind those that can be left
// out or filled, and whether these are digits, which stay digits. No head: the token stays
// as it is.
func (t *text) bodyOf(i int) (head, tail int, digits bool) {
	src := t.bytes(i)
	if len(src) < 2 {
		return 0, 0, false
	}
	quoted := func(i int) bool { return src[i] == '\'' || src[i] == '"' }
	switch t.kind(i) {
	case tokString:
		return 1, 1, false
	case tokUserVar:
		if len(src) > 2 && (quoted(1) || src[1] == '`') {
			return 2, 1, false
		}
	case tokVerbatim, tokHex:
		switch {
		case quoted(0):
			return 1, 1, false
		case src[0] == '0':
			return 2, 0, true
		case quoted(1):
			return 2, 1, src[0] != 'n' && src[0] != 'N'
		}
	}
	return 0, 0, false
}

// isPlain says whether the parser reads what is between quotes as it is.
func isPlain(body []byte) bool {
	if len(body) > maxBody {
		return false
	}
	for _, c := range body {
		if c < ' ' || c > '~' || c == '\\' || c == '\'' || c == '"' || c == '`' {
			return false
		}
	}
	return true
}

// isPlain says whether the parser saw the quoted token as it is.
func (t *text) isPlain(i int) bool {
	b := t.bytes(i)
	return isPlain(b[1 : len(b)-1])
}
