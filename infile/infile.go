// Package infile cuts the text of LOAD DATA into rows and fields as the servers do
// (READ_INFO in sql_load.cc of MariaDB and MySQL, whose oddities are kept: beyond the last
// column a row goes on to its line end without regard for quotes, and so do ignored lines).
//
// What it refuses to do: to guess. Where MariaDB and MySQL read bytes differently, or would
// read a row in another way when other rows stand behind it, the row is an error.
package infile

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// Format is how rows and fields are delimited. Delimiters are ASCII.
type Format struct {
	FieldEnd, LineEnd string // not empty, and not equal
	LineStart         string // what stands before a row's first field; all before it is skipped
	Enclosed, Escaped string // one byte, or none
	Charset           string // of the text, in lower case
	Columns           int    // fields of a row that are read
	Wanted            []int  // fields that Row.Fields gives
	Binary            []int  // fields of columns without a character set, in which MariaDB reads bytes
}

// Field is a field of a row by offsets into the text: with its quotes, without what ends it.
type Field struct {
	Start, End int
	Enclosed   bool
	There      bool
}

// Row is one row by offsets into the text: [Start, End) is what follows LineStart, with the
// line end, if there is one.
type Row struct {
	Start, End int
	Fields     []Field // as Format.Wanted; valid until the next row is cut
}

// Errors of a Cutter.
var (
	// ErrMore says that the row does not end in the bytes that are there.
	ErrMore = errors.New("infile: more bytes are needed")
	// ErrEnd says that no row follows.
	ErrEnd = errors.New("infile: no further row")
	// ErrCharacters says that bytes are no characters of the text's set.
	ErrCharacters = errors.New("has bytes that are no characters of the file's character set")
	// ErrEscaped is an escape before a character of several bytes in a set whose second bytes
	// can look like delimiters, which MariaDB takes for one character and MySQL for two; or,
	// behind the last column or in one of bytes, one whose second byte is a delimiter to MariaDB.
	ErrEscaped = errors.New("has a character of several bytes with an escape that servers read differently")
)

// Cutter cuts texts of one format. It keeps nothing between rows.
type Cutter struct {
	f                 Format
	enclosed, escaped int // bytes, -1 for none
	charset           charset
	special           [256]bool // bytes at which a field has to be looked at
	fields            []Field
}

// New checks a format. The error says what is wrong with it.
func New(f Format) (*Cutter, error) {
	c := &Cutter{f: f, enclosed: -1, escaped: -1, fields: make([]Field, len(f.Wanted))}
	set, ok := charsets[f.Charset]
	switch {
	case !ok:
		return nil, fmt.Errorf("a file in CHARACTER SET %s", f.Charset)
	case f.FieldEnd == "":
		return nil, errors.New("FIELDS TERMINATED BY '' (fields of fixed size)")
	case f.LineEnd == "" || f.LineEnd == f.FieldEnd:
		return nil, errors.New("a file whose lines have no end of their own (LINES TERMINATED BY)")
	case f.Escaped != "" && (f.Escaped[0] == f.FieldEnd[0] || f.Escaped[0] == f.LineEnd[0]),
		f.Enclosed != "" && (f.Enclosed[0] == f.FieldEnd[0] || f.Enclosed[0] == f.LineEnd[0]):
		return nil, errors.New("a delimiter that begins like another one")
	case len(f.Enclosed) > 1 || len(f.Escaped) > 1:
		return nil, errors.New("ENCLOSED BY or ESCAPED BY of several characters")
	}
	for _, s := range []string{f.FieldEnd, f.LineEnd, f.LineStart, f.Enclosed, f.Escaped} {
		if slices.ContainsFunc([]byte(s), func(b byte) bool { return b >= utf8.RuneSelf }) {
			return nil, errors.New("delimiters that are not ASCII")
		}
	}
	c.charset = set
	if f.Enclosed != "" {
		c.enclosed = int(f.Enclosed[0])
		c.special[c.enclosed] = true
	}
	if f.Escaped != "" {
		c.escaped = int(f.Escaped[0])
		c.special[c.escaped] = true
	}
	c.special[f.FieldEnd[0]], c.special[f.LineEnd[0]] = true, true
	if set.pairs() {
		for b := utf8.RuneSelf; b < 256; b++ {
			c.special[b] = true
		}
	}
	return c, nil
}

// Next cuts the row that follows at the start of b. whole says that b goes to the end of the
// text. n is what the row takes of b, all that was skipped before it included.
func (c *Cutter) Next(b []byte, whole bool) (r Row, n int, err error) {
	at := 0
	if c.f.LineStart != "" {
		var found bool
		if at, found = find(b, c.f.LineStart); !found {
			return r, 0, short(whole, ErrEnd)
		}
		at += len(c.f.LineStart)
	}
	if at == len(b) {
		return r, 0, short(whole, ErrEnd)
	}
	clear(c.fields)
	r.Start, r.Fields = at, c.fields
	end := endField
	for i := 0; i < c.f.Columns && end == endField; i++ {
		var f Field
		if f, at, end, err = c.field(b, at, whole, slices.Contains(c.f.Binary, i)); err != nil {
			return r, 0, err
		}
		if w := slices.Index(c.f.Wanted, i); w >= 0 && (end != endText || f.End > f.Start || i == 0) {
			c.fields[w] = f
		}
	}
	if end == endField {
		if at, err = c.line(b, at, whole); err != nil {
			return r, 0, err
		}
	}
	r.End = at
	return r, at, nil
}

// Ignore skips one line of IGNORE n LINES.
func (c *Cutter) Ignore(b []byte, whole bool) (n int, err error) {
	if len(b) == 0 {
		return 0, short(whole, ErrEnd)
	}
	return c.line(b, 0, whole)
}

func short(whole bool, otherwise error) error {
	if whole {
		return otherwise
	}
	return ErrMore
}

// ending is what a field ends with.
type ending uint8

const (
	endField ending = iota
	endLine
	endText
)

// field reads one field at b[at:] and gives what follows it.
func (c *Cutter) field(b []byte, at int, whole, binary bool) (f Field, next int, end ending, err error) {
	f = Field{Start: at, There: true}
	quoted := at < len(b) && int(b[at]) == c.enclosed
	p := at
	if quoted {
		p++
	}
	for {
		for p < len(b) && !c.special[b[p]] {
			p++
		}
		if p == len(b) {
			f.End = p
			return f, p, endText, short(whole, nil)
		}
		ch := int(b[p])
		if ch == c.escaped {
			if p+1 == len(b) {
				f.End = p + 1
				return f, p + 1, endText, short(whole, nil)
			}
			if c.escaped != c.enclosed || int(b[p+1]) == c.escaped {
				if b[p+1] >= utf8.RuneSelf && c.charset.pairs() {
					return f, 0, 0, ErrEscaped
				}
				p += 2
				continue
			}
		}
		if !quoted {
			for _, by := range [...]struct {
				text string
				end  ending
			}{{c.f.LineEnd, endLine}, {c.f.FieldEnd, endField}} {
				is, err := matches(b[p:], by.text, whole)
				if err != nil {
					return f, 0, 0, err
				}
				if is {
					f.End = p
					return f, p + len(by.text), by.end, c.closed(b[at:p])
				}
			}
		} else if ch == c.enclosed {
			if p+1 == len(b) {
				f.End, f.Enclosed = p+1, true
				return f, p + 1, endText, short(whole, nil)
			}
			if int(b[p+1]) == ch {
				p += 2
				continue
			}
			for _, by := range [...]struct {
				text string
				end  ending
			}{{c.f.LineEnd, endLine}, {c.f.FieldEnd, endField}} {
				is, err := matches(b[p+1:], by.text, whole)
				if err != nil {
					return f, 0, 0, err
				}
				if is {
					f.End, f.Enclosed = p+1, true
					return f, p + 1 + len(by.text), by.end, nil
				}
			}
		}
		n, err := c.character(b[p:], whole)
		if err != nil {
			return f, 0, 0, err
		}
		if n > 1 && binary && c.special[b[p+1]] {
			return f, 0, 0, ErrEscaped
		}
		p += n
	}
}

// closed refuses a field that ends in the middle of a UTF-8 character: where the text ends
// soon after it MySQL drops these bytes, where more rows follow it keeps them.
func (c *Cutter) closed(field []byte) error {
	if !c.charset.unicode() || len(field) == 0 || field[len(field)-1] < utf8.RuneSelf {
		return nil
	}
	if r, n := utf8.DecodeLastRune(field); r == utf8.RuneError && n == 1 {
		return ErrCharacters
	}
	return nil
}

// character gives the length of the character at the start of b, within a field.
func (c *Cutter) character(b []byte, whole bool) (int, error) {
	if b[0] < utf8.RuneSelf || !c.charset.pairs() {
		return 1, nil
	}
	return c.charset.length(b, whole)
}

// line skips to the end of the line: quotes mean nothing there, escapes do.
func (c *Cutter) line(b []byte, at int, whole bool) (next int, err error) {
	for at < len(b) {
		switch ch := b[at]; {
		case ch >= utf8.RuneSelf:
			n, err := c.charset.length(b[at:], whole)
			if err != nil {
				return 0, err
			}
			if n == 2 && int(b[at+1]) == c.escaped {
				return 0, ErrEscaped
			}
			at += n
			continue
		case int(ch) == c.escaped:
			if at+1 < len(b) && b[at+1] >= utf8.RuneSelf && c.charset != oneByte {
				return 0, ErrEscaped
			}
			at = min(at+2, len(b))
			if at == len(b) && !whole {
				return 0, ErrMore
			}
			continue
		}
		is, err := matches(b[at:], c.f.LineEnd, whole)
		if err != nil {
			return 0, err
		}
		if is {
			return at + len(c.f.LineEnd), nil
		}
		at++
	}
	return at, short(whole, nil)
}

// matches tells whether b begins with a delimiter; ErrMore where that is not known yet.
func matches(b []byte, by string, whole bool) (bool, error) {
	if b[0] != by[0] {
		return false, nil
	}
	n := min(len(b), len(by))
	switch {
	case string(b[:n]) != by[:n]:
		return false, nil
	case n < len(by):
		return false, short(whole, nil)
	}
	return true, nil
}
