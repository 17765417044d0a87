package wire

import (
	"encoding/binary"
	"strconv"
)

// Dates and times have a length byte in the binary protocol and only as many bytes as
// are not zero:
//
//	date, datetime: year(2) month day | hour minute second | microseconds(4)   0, 4, 7 or 11
//	time:           negative days(4) hour minute second | microseconds(4)      0, 8 or 12

// moment is a date, a datetime or a time as it stands in a packet.
type moment struct {
	negative             bool
	year, days           uint32
	month, day           byte
	hour, minute, second byte
	micros               uint32
}

// parseDateBytes reads a date's or datetime's bytes, whose number has been checked.
func parseDateBytes(b []byte) (m moment) {
	if len(b) >= 4 {
		m.year, m.month, m.day = uint32(binary.LittleEndian.Uint16(b)), b[2], b[3]
	}
	if len(b) >= 7 {
		m.hour, m.minute, m.second = b[4], b[5], b[6]
	}
	if len(b) >= 11 {
		m.micros = binary.LittleEndian.Uint32(b[7:])
	}
	return m
}

// parseTimeBytes reads a time's bytes, whose number has been checked.
func parseTimeBytes(b []byte) (m moment) {
	if len(b) >= 8 {
		m.negative, m.days = b[0] != 0, binary.LittleEndian.Uint32(b[1:])
		m.hour, m.minute, m.second = b[5], b[6], b[7]
	}
	if len(b) >= 12 {
		m.micros = binary.LittleEndian.Uint32(b[8:])
	}
	return m
}

// appendDateText writes a date or datetime; decimals are the column's fraction digits.
func appendDateText(dst, value []byte, t, decimals byte) []byte {
	m := parseDateBytes(value)
	dst = m.appendDate(dst)
	if t == TypeDate {
		return dst
	}
	dst = m.appendClock(append(dst, ' '), uint64(m.hour))
	return appendFraction(dst, m.micros, decimals)
}

// appendTimeText writes a time; its days become hours.
func appendTimeText(dst, value []byte, decimals byte) []byte {
	m := parseTimeBytes(value)
	if m.negative {
		dst = append(dst, '-')
	}
	dst = m.appendClock(dst, uint64(m.days)*24+uint64(m.hour))
	return appendFraction(dst, m.micros, decimals)
}

func (m *moment) appendDate(dst []byte) []byte {
	dst = appendPadded(dst, uint64(m.year), 4)
	dst = appendPadded(append(dst, '-'), uint64(m.month), 2)
	return appendPadded(append(dst, '-'), uint64(m.day), 2)
}

func (m *moment) appendClock(dst []byte, hours uint64) []byte {
	dst = appendPadded(dst, hours, 2)
	dst = appendPadded(append(dst, ':'), uint64(m.minute), 2)
	return appendPadded(append(dst, ':'), uint64(m.second), 2)
}

// appendFraction writes a point and the first digits of the microseconds. More than 6
// digits is how a server says that it does not know: then all of them, if any.
func appendFraction(dst []byte, micros uint32, decimals byte) []byte {
	if decimals > 6 {
		if micros == 0 {
			return dst
		}
		decimals = 6
	}
	if decimals == 0 {
		return dst
	}
	dst = append(dst, '.')
	start := len(dst)
	dst = appendPadded(dst, uint64(micros), 6)
	return dst[:start+int(decimals)]
}

// appendPadded writes v with at least width digits.
func appendPadded(dst []byte, v uint64, width int) []byte {
	for n, limit := 1, uint64(10); n < width; n, limit = n+1, limit*10 {
		if v < limit {
			dst = append(dst, '0')
		}
	}
	return strconv.AppendUint(dst, v, 10)
}

// digits reads numbers of a date's or time's text.
type digits struct {
	b   []byte
	bad bool
}

// number reads between least and most digits.
func (d *digits) number(least, most int) uint32 {
	var v uint32
	n := 0
	for n < most && n < len(d.b) && d.b[n] >= '0' && d.b[n] <= '9' {
		v = v*10 + uint32(d.b[n]-'0')
		n++
	}
	if n < least {
		d.bad = true
	}
	d.b = d.b[n:]
	return v
}

// sign reads one given character.
func (d *digits) sign(c byte) {
	if len(d.b) == 0 || d.b[0] != c {
		d.bad = true
		return
	}
	d.b = d.b[1:]
}

// fraction reads a point and up to 6 digits, if there are any, as microseconds.
func (d *digits) fraction() uint32 {
	if len(d.b) == 0 {
		return 0
	}
	d.sign('.')
	n := len(d.b)
	v := d.number(1, 6)
	for range 6 - (n - len(d.b)) {
		v *= 10
	}
	return v
}

// clock reads hours of up to most digits, minutes, seconds and their fraction.
func (d *digits) clock(m *moment, most int) (hours uint32) {
	hours = d.number(2, most)
	d.sign(':')
	m.minute = byte(d.number(2, 2))
	d.sign(':')
	m.second = byte(d.number(2, 2))
	m.micros = d.fraction()
	if m.minute > 59 || m.second > 59 {
		d.bad = true
	}
	return hours
}

// appendTextDate encodes the text of a date or datetime, with its length byte.
func appendTextDate(dst, text []byte, t byte) ([]byte, error) {
	d := digits{b: text}
	var m moment
	m.year = d.number(4, 4)
	d.sign('-')
	m.month = byte(d.number(2, 2))
	d.sign('-')
	m.day = byte(d.number(2, 2))
	if t != TypeDate && len(d.b) > 0 {
		d.sign(' ')
		hours := d.clock(&m, 2)
		m.hour = byte(hours)
		if hours > 23 {
			d.bad = true
		}
	}
	if d.bad || len(d.b) > 0 || m.month > 12 || m.day > 31 {
		return dst, badText(text, t)
	}
	return m.encodeDate(dst), nil
}

// encodeDate writes the length byte and what is not zero.
func (m *moment) encodeDate(dst []byte) []byte {
	n := byte(11)
	switch {
	case m.micros != 0:
	case m.hour != 0 || m.minute != 0 || m.second != 0:
		n = 7
	case m.year != 0 || m.month != 0 || m.day != 0:
		n = 4
	default:
		n = 0
	}
	start := len(dst)
	dst = append(dst, n)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(m.year))
	dst = append(dst, m.month, m.day, m.hour, m.minute, m.second)
	dst = binary.LittleEndian.AppendUint32(dst, m.micros)
	return dst[:start+1+int(n)]
}

// appendTextTime encodes the text of a time, with its length byte.
func appendTextTime(dst, text []byte) ([]byte, error) {
	d := digits{b: text}
	var m moment
	if len(text) > 0 && text[0] == '-' {
		m.negative = true
		d.b = text[1:]
	}
	hours := d.clock(&m, 3)
	if d.bad || len(d.b) > 0 {
		return dst, badText(text, TypeTime)
	}
	m.days, m.hour = hours/24, byte(hours%24)
	return m.encodeTime(dst), nil
}

// encodeTime writes the length byte and what is not zero.
func (m *moment) encodeTime(dst []byte) []byte {
	n := byte(12)
	switch {
	case m.micros != 0:
	case m.days != 0 || m.hour != 0 || m.minute != 0 || m.second != 0:
		n = 8
	default:
		n = 0
	}
	start := len(dst)
	dst = append(dst, n, 0)
	if m.negative {
		dst[start+1] = 1
	}
	dst = binary.LittleEndian.AppendUint32(dst, m.days)
	dst = append(dst, m.hour, m.minute, m.second)
	dst = binary.LittleEndian.AppendUint32(dst, m.micros)
	return dst[:start+1+int(n)]
}
