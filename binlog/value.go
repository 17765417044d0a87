package binlog

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"time"
)

// Types as they stand in table maps, where they differ from those of the client protocol or
// are not spoken there.
const (
	typeTiny           = 1
	typeShort          = 2
	typeLong           = 3
	typeFloat          = 4
	typeDouble         = 5
	typeNull           = 6
	typeTimestamp      = 7
	typeLongLong       = 8
	typeInt24          = 9
	typeDate           = 10
	typeTime           = 11
	typeDatetime       = 12
	typeYear           = 13
	typeNewDate        = 14
	typeVarchar        = 15
	typeBit            = 16
	typeTimestamp2     = 17
	typeDatetime2      = 18
	typeTime2          = 19
	typeBlobCompressed = 140 // MariaDB's
	typeTextCompressed = 141
	typeVector         = 242
	typeJSON           = 245
	typeDecimal        = 246
	typeEnum           = 247
	typeSet            = 248
	typeTinyBlob       = 249
	typeMediumBlob     = 250
	typeLongBlob       = 251
	typeBlob           = 252
	typeVarString      = 253
	typeString         = 254
	typeGeometry       = 255
)

// kind is a column's type as a table map gives it.
type kind struct {
	typ  byte
	meta uint16 // as the type has it: a length, digits and scale, fraction digits, size of a length
}

// parseKinds reads the types and their metadata; each type has 0, 1 or 2 bytes of it.
func parseKinds(types []byte, meta *buffer) ([]kind, error) {
	kinds := make([]kind, len(types))
	for i, t := range types {
		k := kind{typ: t}
		switch t {
		case typeTiny, typeShort, typeLong, typeLongLong, typeInt24, typeYear, typeNull,
			typeTimestamp, typeDate, typeTime, typeDatetime, typeNewDate:
		case typeFloat, typeDouble, typeTimestamp2, typeDatetime2, typeTime2, typeBlobCompressed, typeVector, typeJSON,
			typeTinyBlob, typeMediumBlob, typeLongBlob, typeBlob, typeGeometry:
			k.meta = uint16(meta.le(1))
		case typeVarchar, typeVarString, typeBit, typeTextCompressed:
			k.meta = uint16(meta.le(2))
		case typeDecimal:
			k.meta = uint16(meta.be(2)) // digits, then scale
		case typeString, typeEnum, typeSet:
			// The real type, then the length, whose bits 8 and 9 stand inverted in the type.
			b0, b1 := byte(meta.le(1)), uint16(meta.le(1))
			switch {
			case b0 == typeEnum || b0 == typeSet:
				k.typ, k.meta = b0, b1
			default:
				k.typ, k.meta = typeString, b1|uint16(b0&0x30^0x30)<<4
			}
		default:
			return nil, faultf("a column has the type %d, which is not known", t)
		}
		kinds[i] = k
	}
	if meta.bad {
		return nil, errShort
	}
	return kinds, nil
}

var errShort = fmt.Errorf("an event is shorter than what it says of itself")

// fixed gives the size of values that have always the same, else -1.
func (k kind) fixed() int {
	switch k.typ {
	case typeNull:
		return 0
	case typeTiny, typeYear:
		return 1
	case typeShort:
		return 2
	case typeInt24, typeDate, typeTime, typeNewDate:
		return 3
	case typeLong, typeFloat, typeTimestamp:
		return 4
	case typeLongLong, typeDouble, typeDatetime:
		return 8
	case typeTimestamp2:
		return 4 + int(k.meta+1)/2
	case typeDatetime2:
		return 5 + int(k.meta+1)/2
	case typeTime2:
		return 3 + int(k.meta+1)/2
	case typeBit:
		return int(k.meta>>8) + int(k.meta&0xff+7)/8
	case typeEnum, typeSet:
		return int(k.meta)
	case typeDecimal:
		return decimalSize(int(k.meta>>8), int(k.meta&0xff))
	}
	return -1
}

// value cuts the bytes of one value off.
func (k kind) value(r *buffer) []byte {
	if n := k.fixed(); n >= 0 {
		return r.take(n)
	}
	prefix := 1
	switch k.typ {
	case typeVarchar, typeVarString, typeString, typeTextCompressed:
		if k.meta > 255 {
			prefix = 2
		}
	default: // the blobs, JSON, geometry, vectors
		prefix = int(k.meta)
		if prefix < 1 || prefix > 4 {
			r.bad = true
			return nil
		}
	}
	return r.take(int(r.le(prefix)))
}

// appendText appends a value as Row says. false: values of this type are not given.
func (k kind) appendText(dst, v []byte, c Column) ([]byte, bool) {
	switch k.typ {
	case typeTiny, typeShort, typeInt24, typeLong, typeLongLong:
		u := little(v)
		if c.Unsigned {
			return strconv.AppendUint(dst, u, 10), true
		}
		shift := 64 - 8*len(v)
		return strconv.AppendInt(dst, int64(u<<shift)>>shift, 10), true
	case typeYear:
		if v[0] == 0 {
			return append(dst, "0000"...), true
		}
		return strconv.AppendInt(dst, 1900+int64(v[0]), 10), true
	case typeEnum, typeSet:
		return strconv.AppendUint(dst, little(v), 10), true
	case typeVarchar, typeVarString:
		return append(dst, v...), true
	case typeString:
		dst = append(dst, v...)
		for n := len(v); n < c.Fill; n++ {
			dst = append(dst, 0)
		}
		return dst, true
	case typeDecimal:
		return appendDecimal(dst, v, int(k.meta>>8), int(k.meta&0xff)), true
	case typeDate, typeNewDate:
		d := little(v)
		return appendDate(dst, d>>9, d>>5&15, d&31), true
	case typeDatetime2:
		u := bigEndian(v[:5]) - 1<<39
		months := u >> 22
		dst = appendDate(dst, months/13, months%13, u>>17&31)
		dst = appendClock(append(dst, ' '), u>>12&31, u>>6&63, u&63)
		return appendFraction(dst, v[5:], int(k.meta)), true
	case typeTimestamp2:
		second := binary.BigEndian.Uint32(v)
		if second == 0 && bigEndian(v[4:]) == 0 {
			dst = append(dst, "0000-00-00 00:00:00"...)
		} else {
			dst = time.Unix(int64(second), 0).UTC().AppendFormat(dst, "2006-01-02 15:04:05")
		}
		return appendFraction(dst, v[4:], int(k.meta)), true
	}
	return dst, false
}

// little is the little-endian value of up to 8 bytes.
func little(v []byte) (u uint64) {
	for i := min(len(v), 8) - 1; i >= 0; i-- {
		u = u<<8 | uint64(v[i])
	}
	return u
}

func bigEndian(v []byte) (u uint64) {
	for _, c := range v {
		u = u<<8 | uint64(c)
	}
	return u
}

func appendDate(dst []byte, year, month, day uint64) []byte {
	dst = appendDigits(dst, year, 4)
	dst = appendDigits(append(dst, '-'), month, 2)
	return appendDigits(append(dst, '-'), day, 2)
}

func appendClock(dst []byte, hour, minute, second uint64) []byte {
	dst = appendDigits(dst, hour, 2)
	dst = appendDigits(append(dst, ':'), minute, 2)
	return appendDigits(append(dst, ':'), second, 2)
}

// appendFraction appends the digits of a second's fraction; the bytes hold an even number.
func appendFraction(dst, v []byte, digits int) []byte {
	if digits == 0 {
		return dst
	}
	u := bigEndian(v)
	if digits%2 != 0 {
		u /= 10
	}
	return appendDigits(append(dst, '.'), u, digits)
}

func appendDigits(dst []byte, u uint64, n int) []byte {
	at := len(dst)
	for range n {
		dst = append(dst, '0')
	}
	for i := len(dst) - 1; i >= at; i-- {
		dst[i] = '0' + byte(u%10)
		u /= 10
	}
	return dst
}

// decimalBytes is how many bytes so many digits take that do not fill a group of nine.
var decimalBytes = [10]int{0, 1, 1, 2, 2, 3, 3, 4, 4, 4}

func decimalSize(digits, scale int) int {
	whole := digits - scale
	if whole < 0 {
		return 0
	}
	return whole/9*4 + decimalBytes[whole%9] + scale/9*4 + decimalBytes[scale%9]
}

// appendDecimal appends a DECIMAL: groups of nine digits as big-endian integers, the
// first sign bit inverted, everything inverted when it is negative.
func appendDecimal(dst, v []byte, digits, scale int) []byte {
	if len(v) == 0 {
		return append(dst, '0')
	}
	b := append([]byte(nil), v...)
	b[0] ^= 0x80
	if negative := v[0]&0x80 == 0; negative {
		for i := range b {
			b[i] ^= 0xff
		}
		dst = append(dst, '-')
	}
	group := func(n int) uint64 {
		u := bigEndian(b[:decimalBytes[n]])
		b = b[decimalBytes[n]:]
		return u
	}
	whole, at := digits-scale, len(dst)
	dst = appendDigits(dst, group(whole%9), whole%9)
	for range whole / 9 {
		dst = appendDigits(dst, group(9), 9)
	}
	zeros := 0
	for at+zeros < len(dst)-1 && dst[at+zeros] == '0' {
		zeros++
	}
	dst = append(dst[:at], dst[at+zeros:]...)
	if len(dst) == at {
		dst = append(dst, '0')
	}
	if scale == 0 {
		return dst
	}
	dst = append(dst, '.')
	for range scale / 9 {
		dst = appendDigits(dst, group(9), 9)
	}
	return appendDigits(dst, group(scale%9), scale%9)
}
