package query

import (
	"bytes"
	"sort"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// tokens is a statement cut into tokens, the ground on which every span of a Statement
// stands. Comments, hints and the marks of executable comments are not among the tokens.
type tokens struct {
	sql  []byte
	mode Mode
	toks []token
	pair []int32 // of "(" and ")": index of the other one; 0 for other tokens
	end  int     // of the statement in sql

	marks  []Span  // of executable comments: the server does not see them
	closed []int32 // ends of closing braces that were taken out of toks
}

// text is a statement with the literals of its scan, as it is given to the parser.
type text struct {
	*tokens
	scan  *Scan
	subst standIns
	folds []fold // of what the parser has got last
}

// cut makes the tokens. A reason other than "" says why the text cannot be analysed; the
// tokens up to there are good.
func (t *tokens) cut() (reason string) {
	l := newLexer(t.sql[:t.end], t.mode)
	var open []int32
	var tok token
	for {
		l.next(&tok)
		switch tok.kind {
		case tokEnd:
			if l.err != nil {
				return l.err.Error()
			}
			if len(open) > 0 {
				return "parenthesis without end"
			}
			return ""
		case tokExecOpen, tokExecClose:
			t.marks = append(t.marks, Span{tok.start, tok.end})
			continue
		case tokHint:
			continue
		case tokOpen:
			if len(open) == maxDepth && reason == "" {
				reason = "parentheses are nested too deeply"
			}
			open = append(open, int32(len(t.toks)))
		case tokClose:
			if len(open) == 0 {
				return "parenthesis without beginning"
			}
			at := open[len(open)-1]
			open = open[:len(open)-1]
			t.pair[at] = int32(len(t.toks))
			t.toks, t.pair = append(t.toks, tok), append(t.pair, at)
			continue
		}
		t.toks, t.pair = append(t.toks, tok), append(t.pair, 0)
		if reason != "" {
			return reason
		}
	}
}

func (t *tokens) bytes(i int) []byte { return t.sql[t.toks[i].start:t.toks[i].end] }

// is says whether token i is the unquoted word, given in upper case.
func (t *tokens) is(i int, keyword string) bool {
	return i >= 0 && i < len(t.toks) && t.toks[i].kind == tokWord && !t.toks[i].name && wordIs(t.bytes(i), keyword)
}

func (t *tokens) isAny(i int, keywords ...string) bool {
	for _, k := range keywords {
		if t.is(i, k) {
			return true
		}
	}
	return false
}

// seq says whether the tokens from i on are these words.
func (t *tokens) seq(i int, keywords ...string) bool {
	for j, k := range keywords {
		if !t.is(i+j, k) {
			return false
		}
	}
	return true
}

func (t *tokens) kind(i int) tokenKind {
	if i < 0 || i >= len(t.toks) {
		return tokEnd
	}
	return t.toks[i].kind
}

func (t *tokens) isOp(i int, op string) bool {
	return t.kind(i) == tokOp && string(t.bytes(i)) == op
}

// next gives the index after token i, or after its group when i opens one.
func (t *tokens) next(i int) int {
	if t.toks[i].kind == tokOpen && t.pair[i] > 0 {
		return int(t.pair[i]) + 1
	}
	return i + 1
}

// span of the tokens [i, j).
func (t *tokens) span(i, j int) Span {
	if i >= j || i < 0 || j > len(t.toks) {
		return Span{}
	}
	return Span{t.toks[i].start, t.toks[j-1].end}
}

// endOf gives the position after token i-1: where something can be put before token i.
func (t *tokens) endOf(i int) int32 {
	if i <= 0 {
		return 0
	}
	end := t.toks[i-1].end
	for _, c := range t.closed {
		if c > end && (i == len(t.toks) || c <= t.toks[i].start) {
			end = c
		}
	}
	return end
}

// at finds the token that starts at the position; -1 when none does.
func (t *tokens) at(pos int) int {
	i := sort.Search(len(t.toks), func(i int) bool { return int(t.toks[i].start) >= pos })
	if i < len(t.toks) && int(t.toks[i].start) == pos {
		return i
	}
	return -1
}

// isName says whether token i can be a name: a quoted one or any word.
func (t *tokens) isName(i int) bool {
	k := t.kind(i)
	return k == tokWord || k == tokQuoted
}

// raw gives the bytes of a name without its quotes.
func (t *tokens) raw(i int) []byte {
	b := t.bytes(i)
	if t.toks[i].kind != tokQuoted {
		return b
	}
	return unquoteName(b)
}

func unquoteName(b []byte) []byte {
	quote := b[0]
	b = b[1 : len(b)-1]
	if bytes.IndexByte(b, quote) >= 0 {
		q := string(quote)
		b = bytes.ReplaceAll(b, []byte(q+q), []byte(q))
	}
	return b
}

// name gives a name in UTF-8; "" when it has none.
func (t *tokens) name(i int) string { return decodeName(t.raw(i), t.mode.Charset) }

// list cuts [i, j) at its commas of depth 0 into token ranges.
func (t *tokens) list(i, j int) [][2]int {
	if i >= j {
		return nil
	}
	var out [][2]int
	for k := i; k < j; k = t.next(k) {
		if t.toks[k].kind == tokComma {
			out = append(out, [2]int{i, k})
			i = k + 1
		}
	}
	return append(out, [2]int{i, j})
}

// find gives the first of the words at depth 0 of [i, j); j when there is none.
func (t *tokens) find(i, j int, keywords ...string) int {
	for ; i < j; i = t.next(i) {
		if t.isAny(i, keywords...) {
			return i
		}
	}
	return j
}

// decodeName brings a name of the client's character set to UTF-8.
func decodeName(b []byte, charset Charset) string {
	ascii := true
	for _, c := range b {
		ascii = ascii && c < utf8.RuneSelf
	}
	if ascii {
		return string(b)
	}
	var enc encoding.Encoding
	switch charset {
	case GBK:
		enc = simplifiedchinese.GBK
	case GB18030:
		enc = simplifiedchinese.GB18030
	case Big5:
		enc = traditionalchinese.Big5
	case SJIS:
		enc = japanese.ShiftJIS
	case Latin1:
		return decodeLatin1(b)
	default:
		return string(b)
	}
	out, err := enc.NewDecoder().Bytes(b)
	if err != nil {
		return ""
	}
	return string(out)
}

// decodeLatin1 follows MySQL's latin1: cp1252, whose five holes are the control characters.
func decodeLatin1(b []byte) string {
	const high = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ"
	table := []rune(high)
	var s strings.Builder
	for _, c := range b {
		if c >= 0x80 && c < 0xA0 {
			s.WriteRune(table[c-0x80])
		} else {
			s.WriteRune(rune(c))
		}
	}
	return s.String()
}

// without gives the text with the tokens [i, j) taken out of it.
func (t *tokens) without(i, j int) *tokens {
	out := *t
	n := int32(j - i)
	out.toks = append(append(make([]token, 0, len(t.toks)), t.toks[:i]...), t.toks[j:]...)
	out.pair = append(append(make([]int32, 0, len(t.pair)), t.pair[:i]...), t.pair[j:]...)
	for k, p := range out.pair {
		if p >= int32(j) {
			out.pair[k] = p - n
		}
	}
	return &out
}
