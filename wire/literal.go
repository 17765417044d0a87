package wire

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// Literal appends the parameter as a SQL literal that means the same value, for
// statements that must be sent as text. charset is the connection's character set.
//
// Numbers below zero stand in parentheses, so that a minus before the placeholder does
// not begin a comment. Strings are quoted when no sql_mode and no character set can read
// them differently, else written in hexadecimal with the character set's introducer; the
// literal then has that character set's default collation and not the connection's, as
// it has for every comparison with a column. A parameter sent as a BLOB is a binary
// string. Values that no literal can express, and long data, are ErrValue.
func (p *Param) Literal(dst []byte, charset string) ([]byte, error) {
	if p.LongData {
		return dst, fmt.Errorf("%w: long data is not in the parameter", ErrValue)
	}
	if p.Value == nil {
		return append(dst, "NULL"...), nil
	}
	s, size := paramShape(p.Type)
	switch s {
	case shapeInt, shapeFloat, shapeDouble:
		if len(p.Value) != size {
			return dst, badValue(p.Value, p.Type)
		}
		return p.numberLiteral(dst, s)
	case shapeDate, shapeTime:
		if !dateLength(s, len(p.Value)) {
			return dst, badValue(p.Value, p.Type)
		}
		return p.dateLiteral(dst)
	case shapeBytes:
		switch p.Type {
		case TypeDecimal, TypeNewDecimal:
			return decimalLiteral(dst, p.Value)
		case TypeTinyBlob, TypeMediumBlob, TypeLongBlob, TypeBlob:
			return AppendHexLiteral(dst, p.Value, "binary")
		}
		return AppendStringLiteral(dst, p.Value, charset)
	}
	return dst, badValue(p.Value, p.Type)
}

// numberLiteral writes an integer, or a double that reads back as exactly the same one.
func (p *Param) numberLiteral(dst []byte, s shape) ([]byte, error) {
	if s == shapeInt {
		start := len(dst)
		dst = appendInt(append(dst, '('), p.Value, p.Unsigned)
		if dst[start+1] == '-' {
			return append(dst, ')'), nil
		}
		copy(dst[start:], dst[start+1:])
		return dst[:len(dst)-1], nil
	}
	f := 0.0
	if s == shapeFloat {
		f = float64(math.Float32frombits(binary.LittleEndian.Uint32(p.Value)))
	} else {
		f = math.Float64frombits(binary.LittleEndian.Uint64(p.Value))
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return dst, fmt.Errorf("%w: %v has no literal", ErrValue, f)
	}
	if math.Signbit(f) {
		dst = strconv.AppendFloat(append(dst, '('), f, 'e', -1, 64)
		return append(dst, ')'), nil
	}
	return strconv.AppendFloat(dst, f, 'e', -1, 64), nil
}

// decimalLiteral checks a decimal's text and writes it with a point, without which it
// would be an integer.
func decimalLiteral(dst, text []byte) ([]byte, error) {
	digits := text
	negative := false
	if len(digits) > 0 && (digits[0] == '-' || digits[0] == '+') {
		negative = digits[0] == '-'
		digits = digits[1:]
	}
	points := 0
	for _, c := range digits {
		switch {
		case c == '.':
			points++
		case c < '0' || c > '9':
			points = 2
		}
	}
	if points > 1 || len(digits) == points {
		return dst, badText(text, TypeNewDecimal)
	}
	if negative {
		dst = append(dst, "(-"...)
	}
	dst = append(dst, digits...)
	if points == 0 {
		dst = append(dst, '.')
	}
	if negative {
		dst = append(dst, ')')
	}
	return dst, nil
}

// dateLiteral writes a typed literal where the date or time is a real one, and the quoted
// text otherwise (zero parts): whether those are allowed depends on the sql_mode, and a
// typed literal would fail where the parameter does not.
func (p *Param) dateLiteral(dst []byte) ([]byte, error) {
	var word string
	var m moment
	switch p.Type {
	case TypeTime:
		m = parseTimeBytes(p.Value)
		word = "TIME"
		if m.days > 34 || m.hour > 23 || m.minute > 59 || m.second > 59 || m.micros > 999999 {
			return dst, badValue(p.Value, p.Type)
		}
	default:
		m = parseDateBytes(p.Value)
		word = "TIMESTAMP"
		if p.Type == TypeDate {
			word = "DATE"
		}
		if m.year > 9999 || m.month > 12 || m.day > 31 || m.hour > 23 || m.minute > 59 || m.second > 59 || m.micros > 999999 {
			return dst, badValue(p.Value, p.Type)
		}
		if m.month == 0 || m.day == 0 || m.day > 28 && !realDay(m) {
			word = ""
		}
	}
	dst = append(append(dst, word...), '\'')
	decimals := byte(0)
	if m.micros != 0 {
		decimals = 6
	}
	if p.Type == TypeTime {
		dst = appendTimeText(dst, p.Value, decimals)
	} else {
		dst = appendDateText(dst, p.Value, p.Type, decimals)
	}
	return append(dst, '\''), nil
}

// realDay says whether a month has such a day.
func realDay(m moment) bool {
	switch m.month {
	case 4, 6, 9, 11:
		return m.day <= 30
	case 2:
		leap := m.year%4 == 0 && (m.year%100 != 0 || m.year%400 == 0)
		return m.day <= 28 || leap && m.day == 29
	}
	return true
}

// AppendStringLiteral appends a string of the given character set as a literal: quoted if
// that is safe under every sql_mode and in the character set, else as AppendHexLiteral.
func AppendStringLiteral(dst, s []byte, charset string) ([]byte, error) {
	if !quotable(s, charset) {
		return AppendHexLiteral(dst, s, charset)
	}
	dst = append(dst, '\'')
	for _, c := range s {
		if c == '\'' {
			dst = append(dst, '\'')
		}
		dst = append(dst, c)
	}
	return append(dst, '\''), nil
}

// quotable says whether a string can stand between quotes, a quote in it doubled. A
// backslash cannot: its meaning depends on the sql_mode; nor can bytes from 0x80 on,
// except where the character set is known to have neither quote nor backslash in them.
func quotable(s []byte, charset string) bool {
	high := false
	for _, c := range s {
		if c == '\\' || c < ' ' && c != '\n' && c != '\t' && c != '\r' {
			return false
		}
		high = high || c >= 0x80
	}
	if !high {
		return true
	}
	switch charset {
	case "utf8mb4", "utf8mb3", "utf8":
		return utf8.Valid(s)
	}
	return false
}

// AppendHexLiteral appends a string as introducer and hexadecimal digits: _utf8mb4 x'C3A9'.
func AppendHexLiteral(dst, s []byte, charset string) ([]byte, error) {
	if charset == "" || len(charset) > 32 {
		return dst, fmt.Errorf("%w: character set %q", ErrValue, charset)
	}
	for _, c := range []byte(charset) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return dst, fmt.Errorf("%w: character set %q", ErrValue, charset)
		}
	}
	dst = append(append(append(dst, '_'), charset...), " x'"...)
	dst = hex.AppendEncode(dst, s)
	return append(dst, '\''), nil
}
