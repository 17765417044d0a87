package query

import (
	"bytes"
	"errors"
	"slices"
)

// Bounds of a statement (RELIABILITY S17): what passes them cannot exhaust the stack of the
// parser's visitors, which a Go program does not survive.
const (
	maxDepth     = 128     // parentheses within parentheses
	maxTokens    = 2 << 20 // of one statement
	maxChain     = 1 << 18 // names and operators between two commas outside of parentheses
	maxStatement = 1 << 30 // bytes: the largest max_allowed_packet
)

// ErrTooLong is the answer to a text beyond the largest packet that a server would take.
var ErrTooLong = errors.New("statement is too long")

// Buffers that a larger statement left behind are given back at the next Run.
const (
	keepFingerprint = 16 << 10
	keepLiterals    = 1 << 10
)

// LiteralKind is what a literal's text looks like; NULL, TRUE and DEFAULT are words, not
// literals.
type LiteralKind uint8

const (
	Int     LiteralKind = iota // 42, and -42 where no operand stands before the sign
	Decimal                    // 1.5 .5 1. 1e5, with sign like Int
	String                     // 'x', and "x" without ANSI_QUOTES
	Hex                        // 0x2a x'2a' 0b1 b'1'
	Param                      // ?
)

// Literal is a value of the text: its span, with quotes, prefix and sign, and its kind.
type Literal struct {
	Span
	Kind LiteralKind
}

// Hole is one placeholder of the fingerprint: Holes[n] is its n-th. The literal at position
// pos, 0 ≤ pos < Count, of a hole is Literals[First+pos*Stride].
//
// A literal on its own is a hole of Count 1. All literals of a collapsed IN list are one hole
// (Stride 1). In collapsed rows of VALUES each literal of the row's shape is a hole whose Count
// is the number of rows and whose Stride is the number of literals in a row.
type Hole struct {
	First, Count int32
	Stride       int32
}

// Scan is what one pass over a statement's text finds. It is reused: Run allocates only
// where a statement is larger than those before. The zero value is ready; not for concurrent
// use.
//
// The fingerprint is the statement's tokens with literals replaced by ?i ?d ?s ?x ?p (Int,
// Decimal, String, Hex, Param), comments dropped and blanks made uniform; everything else is
// there byte for byte, so names, keywords and optimizer hints keep their case. Texts with the same
// fingerprint under the same Mode have the same tokens but for the literals' values, hence
// the same structure, and their literals are in the same holes. Only two things vary:
//
//   - IN ( … ) with literals of one kind and nothing else is IN (?i+), whatever their number.
//     Lists with mixed kinds, NULL or expressions stay as they are.
//   - VALUES ( … ), ( … ) outside of parentheses whose rows all have the same shape, and a
//     literal in it, is VALUES (?i, ?s)+, whatever the number of rows, one included. Rows
//     of unequal shapes stay as they are. Within rows no IN list is collapsed.
//
// These strings are no literals but stay in the fingerprint: one that could be a name (an
// alias: after AS, a name, ")", a literal, or a word that need not be followed by a value), one
// that MySQL concatenates with a neighbour ('a' 'b'), and one with a character set (N'a',
// _latin1'a', also _latin1 0x61).
type Scan struct {
	Fingerprint []byte
	Literals    []Literal // in the order of the text
	Holes       []Hole
	// Rows are the texts "( … )" of the rows of VALUES outside of parentheses, one or more,
	// collapsed or not. Empty also when an executable comment stands before or among them.
	Rows []Span
	// RowsCollapsed: the rows are one shape in the fingerprint.
	RowsCollapsed bool
	// Hint is what stands between "/*sluice:" and "*/" in a comment that begins the text (only
	// blanks may stand before it). Such a comment elsewhere is a comment.
	Hint Span
	// End is where the first statement ends: the position of its ";", or the text's length.
	// Nothing behind it was looked at. Statements that hold others, such as CREATE PROCEDURE
	// … BEGIN … END, go to the end of the text: their own end is for the server to find, which
	// must not be told to take several statements.
	End               int32
	Params            int  // number of "?"
	Tokens            int  // of the statement, for bounds of later stages
	ExecutableComment bool // there is a /*! … */ or /*M! … */ that the server runs
	UserVariable      bool // @name
	SystemVariable    bool // @@name
}

// LiteralAt gives the literal whose text starts at an offset of the statement.
func (s *Scan) LiteralAt(offset int32) (index int, ok bool) {
	return slices.BinarySearchFunc(s.Literals, offset, func(l Literal, at int32) int {
		return int(l.Start) - int(at)
	})
}

// HoleOf gives the hole of a literal and the position within it.
func (s *Scan) HoleOf(literal int) (hole, pos int) {
	// Holes are in the order of their first literals; the literals of collapsed rows come
	// in turns, so the hole is one Stride before at most.
	i, found := slices.BinarySearchFunc(s.Holes, int32(literal), func(h Hole, lit int32) int {
		return int(h.First) - int(lit)
	})
	if found {
		return i, 0
	}
	for i--; i >= 0; i-- {
		h := s.Holes[i]
		if d := int32(literal) - h.First; h.Stride > 0 && d%h.Stride == 0 && d/h.Stride < h.Count {
			return i, int(d / h.Stride)
		}
	}
	return -1, 0
}

// Value gives the literal at a position of a hole.
func (s *Scan) Value(hole, pos int) (Literal, bool) {
	if hole < 0 || hole >= len(s.Holes) || pos < 0 || pos >= int(s.Holes[hole].Count) {
		return Literal{}, false
	}
	h := s.Holes[hole]
	return s.Literals[int(h.First)+pos*int(h.Stride)], true
}

// Run scans the first statement of sql. After an error the Scan describes nothing.
func (s *Scan) Run(sql []byte, mode Mode) error {
	s.reset()
	if len(sql) > maxStatement {
		return ErrTooLong
	}
	c := scanner{lexer: newLexer(sql, mode), Scan: s}
	s.Hint = c.startHint()
	s.End = int32(len(sql))
	var t token
	for c.next(&t); t.kind != tokEnd; c.next(&t) {
		if t.kind == tokSemi && !c.holdsStatements() {
			if c.inExec || bytes.HasSuffix(sql[:t.start], []byte("--")) && c.last.end == t.start && c.last.kind == tokOp {
				return ErrAmbiguous // "--" is a comment where the text is cut, and none before ";"
			}
			s.End = t.start
			break
		}
		if s.Tokens++; s.Tokens > maxTokens {
			return ErrTooManyTokens
		}
		c.token(&t)
		if c.err != nil {
			return c.err
		}
	}
	if c.err != nil {
		return c.err
	}
	c.endRows()
	return nil
}

func (s *Scan) reset() {
	*s = Scan{Fingerprint: s.Fingerprint[:0], Literals: s.Literals[:0], Holes: s.Holes[:0], Rows: s.Rows[:0]}
	if cap(s.Fingerprint) > keepFingerprint {
		s.Fingerprint = nil
	}
	if cap(s.Literals) > keepLiterals {
		s.Literals = nil
	}
	if cap(s.Holes) > keepLiterals {
		s.Holes = nil
	}
	if cap(s.Rows) > keepLiterals {
		s.Rows = nil
	}
}

// scanner is one Run under way.
type scanner struct {
	lexer
	*Scan
	last     token     // the last token that the server's grammar sees: no hint, no comment mark
	lastAt   int       // where the last literal begins in the fingerprint
	written  tokenKind // of the last token in the fingerprint
	depth    int
	chain    int // see maxChain
	list     inList
	rows     rowSet
	compound compoundState
}

const hintPrefix = "/*sluice:"

// startHint finds the hint that begins the text. That its comment is closed and sound is
// left to the lexer, which reads it as any other.
func (c *scanner) startHint() Span {
	i := 0
	for i < len(c.src) && c.class[c.src[i]] == classBlank {
		i++
	}
	if len(c.src)-i < len(hintPrefix) || string(c.src[i:i+len(hintPrefix)]) != hintPrefix {
		return Span{}
	}
	i += len(hintPrefix)
	for j := i; j+1 < len(c.src); j++ {
		if c.src[j] == '*' && c.src[j+1] == '/' {
			return Span{int32(i), int32(j)}
		}
	}
	return Span{}
}

// token puts one token into the fingerprint and follows the structure that it is part of.
func (c *scanner) token(t *token) {
	switch t.kind {
	case tokInt, tokDecimal, tokString, tokHex, tokParam:
		if t.kind == tokString && !c.stringIsValue() {
			c.verbatimString(t)
			return
		}
		c.literal(t)
	case tokWord:
		c.word(t)
	case tokOpen:
		c.open(t)
	case tokClose:
		c.close(t)
	case tokComma:
		c.comma(t)
	case tokHint:
		c.list.state = noList
		c.copyToken(t)
		return // last stays: the server's grammar does not see hints everywhere
	case tokExecOpen, tokExecClose:
		c.ExecutableComment = true
		c.list.state = noList
		c.dropRows()
		c.copyToken(t)
		return
	case tokUserVar:
		c.UserVariable = true
		c.other(t)
	case tokSysVar:
		c.SystemVariable = true
		c.other(t)
	default:
		c.other(t)
	}
	c.last = *t
}

// other is any token without a meaning for lists and rows.
func (c *scanner) other(t *token) {
	c.list.state = noList
	c.leaveRows()
	c.copyToken(t)
	c.count()
}

// count bounds how deep an expression without parentheses can become.
func (c *scanner) count() {
	if c.chain++; c.chain > maxChain {
		c.fail(ErrTooDeep)
	}
}

func (c *scanner) copyToken(t *token) {
	c.separate(t)
	c.Fingerprint = append(c.Fingerprint, c.src[t.start:t.end]...)
}

// separate puts the blank between the last token and t. It is uniform, except where the
// server tells texts with and without it apart: before "(" (a built-in function's name
// must touch it) and around the dots of names. No two tokens can run into one by it.
func (c *scanner) separate(t *token) {
	blank := true
	switch t.kind {
	case tokExecOpen, tokExecClose:
	case tokComma, tokClose, tokSemi:
		blank = false
	case tokDot:
		blank = t.blank
	default:
		switch c.written {
		case tokOpen:
			blank = false
		case tokDot, tokSysVar:
			blank = t.blank
		case tokWord, tokQuoted:
			if t.kind == tokOpen {
				blank = t.blank || c.list.state == listWanted || c.rows.state == rowsWanted
			}
		}
	}
	c.written = t.kind
	if blank && len(c.Fingerprint) > 0 {
		c.Fingerprint = append(c.Fingerprint, ' ')
	}
}
