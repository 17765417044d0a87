package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
)

// TextToBinary converts a text value (not NULL) to the binary encoding of its column's
// type, appended to dst. A text that is no value of the type is ErrValue.
func TextToBinary(dst []byte, text []byte, col *Column) ([]byte, error) {
	s, size := shapeOf(col.Type)
	switch s {
	case shapeInt:
		return appendTextInt(dst, text, size, col.Flags&FlagUnsigned != 0 || col.Type == TypeYear)
	case shapeFloat:
		f, err := strconv.ParseFloat(string(text), 32)
		if err != nil {
			return dst, badText(text, col.Type)
		}
		return binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(f))), nil
	case shapeDouble:
		f, err := strconv.ParseFloat(string(text), 64)
		if err != nil {
			return dst, badText(text, col.Type)
		}
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(f)), nil
	case shapeDate:
		return appendTextDate(dst, text, col.Type)
	case shapeTime:
		return appendTextTime(dst, text)
	case shapeBytes:
		return appendLenencBytes(dst, text), nil
	}
	return dst, badText(text, col.Type)
}

func badText(text []byte, t byte) error {
	return fmt.Errorf("%w: %.40q as type %d", ErrValue, text, t)
}

// appendTextInt appends an integer of size bytes.
func appendTextInt(dst, text []byte, size int, unsigned bool) ([]byte, error) {
	var v uint64
	var err error
	if unsigned {
		v, err = strconv.ParseUint(string(text), 10, 8*size)
	} else {
		var i int64
		i, err = strconv.ParseInt(string(text), 10, 8*size)
		v = uint64(i)
	}
	if err != nil {
		return dst, fmt.Errorf("%w: %.40q as an integer of %d bytes", ErrValue, text, size)
	}
	for range size {
		dst = append(dst, byte(v))
		v >>= 8
	}
	return dst, nil
}

// BinaryToText converts a binary-protocol value (not NULL) to the text that the text
// protocol shows, appended to dst.
func BinaryToText(dst []byte, value []byte, col *Column) ([]byte, error) {
	s, size := shapeOf(col.Type)
	start := len(dst)
	switch s {
	case shapeInt, shapeFloat, shapeDouble:
		if len(value) != size {
			return dst, badValue(value, col.Type)
		}
		switch s {
		case shapeInt:
			dst = appendInt(dst, value, col.Flags&FlagUnsigned != 0 || col.Type == TypeYear)
		case shapeFloat:
			dst = appendFloat(dst, float64(math.Float32frombits(binary.LittleEndian.Uint32(value))), col.Decimals, 32)
		case shapeDouble:
			dst = appendFloat(dst, math.Float64frombits(binary.LittleEndian.Uint64(value)), col.Decimals, 64)
		}
		if col.Flags&FlagZerofill != 0 || col.Type == TypeYear {
			dst = padZeros(dst, start, int(col.Length))
		}
		return dst, nil
	case shapeDate, shapeTime:
		if len(value) == 0 || int(value[0]) != len(value)-1 || !dateLength(s, len(value)-1) {
			return dst, badValue(value, col.Type)
		}
		if s == shapeTime {
			return appendTimeText(dst, value[1:], col.Decimals), nil
		}
		return appendDateText(dst, value[1:], col.Type, col.Decimals), nil
	case shapeBytes:
		v, n, ok := LenencBytes(value)
		if !ok || v == nil || n != len(value) {
			return dst, badValue(value, col.Type)
		}
		return append(dst, v...), nil
	}
	return dst, badValue(value, col.Type)
}

func badValue(value []byte, t byte) error {
	return fmt.Errorf("%w: %d bytes as type %d", ErrValue, len(value), t)
}

// padZeros puts zeros before the number at dst[start:], up to the column's width: ZEROFILL.
func padZeros(dst []byte, start, width int) []byte {
	const widest = 255 // of a numeric column
	n := len(dst) - start
	if width > widest || n >= width {
		return dst
	}
	fill := width - n
	for range fill {
		dst = append(dst, '0')
	}
	copy(dst[start+fill:], dst[start:start+n])
	for i := range fill {
		dst[start+i] = '0'
	}
	return dst
}

// appendFloat writes a FLOAT (bits 32) or DOUBLE as the servers do: with the column's
// fraction digits when it has them; else a DOUBLE with the fewest digits that give the
// same value again, a FLOAT with 6 digits, both in the exponent form when the decimal
// point is far from the digits.
func appendFloat(dst []byte, f float64, decimals byte, bits int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, '0') // no server stores them
	}
	if decimals < NotFixedDecimals {
		return strconv.AppendFloat(dst, f, 'f', int(decimals), 64)
	}
	const (
		floatDigits = 6  // FLT_DIG
		pointLimit  = 15 // DBL_DIG
	)
	var scratch [32]byte
	var e []byte
	if bits == 32 {
		e = strconv.AppendFloat(scratch[:0], f, 'e', floatDigits-1, 64)
	} else {
		e = strconv.AppendFloat(scratch[:0], f, 'e', -1, 64)
	}
	digits, exp, negative := splitExponent(e)
	if negative {
		dst = append(dst, '-')
	}
	point := exp + 1 // digits before the decimal point
	if point < -pointLimit+1 || point > pointLimit && len(digits) <= point {
		return appendExponent(dst, digits, exp)
	}
	switch {
	case point <= 0:
		dst = append(dst, "0."...)
		for range -point {
			dst = append(dst, '0')
		}
		return append(dst, digits...)
	case point < len(digits):
		dst = append(dst, digits[:point]...)
		dst = append(dst, '.')
		return append(dst, digits[point:]...)
	}
	dst = append(dst, digits...)
	for range point - len(digits) {
		dst = append(dst, '0')
	}
	return dst
}

// splitExponent cuts strconv's form d.ddde±xx into digits, without zeros at the end, and
// the exponent. It edits e.
func splitExponent(e []byte) (digits []byte, exp int, negative bool) {
	if e[0] == '-' {
		negative = true
		e = e[1:]
	}
	at := len(e) - 1
	for e[at] != 'e' {
		at--
	}
	exp, _ = strconv.Atoi(string(e[at+1:]))
	digits = e[:at]
	if len(digits) > 1 { // d.ddd: take the point out
		digits = append(digits[:1], digits[2:]...)
	}
	for len(digits) > 1 && digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
	}
	return digits, exp, negative && !(len(digits) == 1 && digits[0] == '0')
}

// appendExponent writes d.ddde±x.
func appendExponent(dst, digits []byte, exp int) []byte {
	dst = append(dst, digits[0])
	if len(digits) > 1 {
		dst = append(dst, '.')
		dst = append(dst, digits[1:]...)
	}
	dst = append(dst, 'e')
	return strconv.AppendInt(dst, int64(exp), 10)
}
