package wire

import (
	"encoding/binary"
	"errors"
)

// Errors of framing and decoding. They are compared with errors.Is.
var (
	// ErrMalformed is a packet whose bytes contradict the protocol.
	ErrMalformed = errors.New("wire: malformed packet")
	// ErrSequence is a packet with another number than the next one.
	ErrSequence = errors.New("wire: packets out of order")
	// ErrTooLarge is a packet above the limit. Its payload has not been read, so the
	// connection can only answer (1153, 08S01) and close.
	ErrTooLarge = errors.New("wire: packet larger than the limit")
	// ErrValue is a value that does not fit its column's type.
	ErrValue = errors.New("wire: value does not fit its type")
)

// nullByte stands for NULL where a text row has a length.
const nullByte = 0xfb

// AppendLenencInt appends a length-encoded integer.
func AppendLenencInt(dst []byte, v uint64) []byte {
	switch {
	case v < nullByte:
		return append(dst, byte(v))
	case v < 1<<16:
		return append(dst, 0xfc, byte(v), byte(v>>8))
	case v < 1<<24:
		return append(dst, 0xfd, byte(v), byte(v>>8), byte(v>>16))
	}
	return binary.LittleEndian.AppendUint64(append(dst, 0xfe), v)
}

// AppendLenencString appends a string with its length before it.
func AppendLenencString(dst []byte, s string) []byte {
	return append(AppendLenencInt(dst, uint64(len(s))), s...)
}

// appendLenencBytes is AppendLenencString for bytes.
func appendLenencBytes(dst, b []byte) []byte {
	return append(AppendLenencInt(dst, uint64(len(b))), b...)
}

// LenencInt reads a length-encoded integer from the start of b: n bytes are consumed. ok
// is false when b is too short, and for 0xFB (NULL) and 0xFF, which are no integers.
func LenencInt(b []byte) (v uint64, n int, ok bool) {
	if len(b) == 0 {
		return 0, 0, false
	}
	switch first := b[0]; {
	case first < nullByte:
		return uint64(first), 1, true
	case first == 0xfc && len(b) >= 3:
		return uint64(b[1]) | uint64(b[2])<<8, 3, true
	case first == 0xfd && len(b) >= 4:
		return uint64(b[1]) | uint64(b[2])<<8 | uint64(b[3])<<16, 4, true
	case first == 0xfe && len(b) >= 9:
		return binary.LittleEndian.Uint64(b[1:]), 9, true
	}
	return 0, 0, false
}

// LenencBytes reads a length-encoded string from the start of b; s aliases b and n bytes
// are consumed. NULL (0xFB) is nil, 1, true; an empty string is not nil.
func LenencBytes(b []byte) (s []byte, n int, ok bool) {
	if len(b) > 0 && b[0] == nullByte {
		return nil, 1, true
	}
	v, n, ok := LenencInt(b)
	if !ok || v > uint64(len(b)-n) {
		return nil, 0, false
	}
	end := n + int(v)
	return b[n:end:end], end, true
}

// cursor reads fields one after the other. The first field that does not fit makes it
// bad for good; zero values come from then on, so that one check at the end is enough.
type cursor struct {
	b   []byte
	bad bool
}

// take gives the next n bytes.
func (c *cursor) take(n int) []byte {
	if c.bad || n < 0 || n > len(c.b) {
		c.bad = true
		return nil
	}
	s := c.b[:n:n]
	c.b = c.b[n:]
	return s
}

func (c *cursor) uint8() byte {
	if s := c.take(1); s != nil {
		return s[0]
	}
	return 0
}

func (c *cursor) uint16() uint16 {
	if s := c.take(2); s != nil {
		return binary.LittleEndian.Uint16(s)
	}
	return 0
}

func (c *cursor) uint32() uint32 {
	if s := c.take(4); s != nil {
		return binary.LittleEndian.Uint32(s)
	}
	return 0
}

func (c *cursor) lenenc() uint64 {
	v, n, ok := LenencInt(c.b)
	if c.bad || !ok {
		c.bad = true
		return 0
	}
	c.b = c.b[n:]
	return v
}

// str gives the next length-encoded string, which may not be NULL.
func (c *cursor) str() []byte {
	s, n, ok := LenencBytes(c.b)
	if c.bad || !ok || s == nil {
		c.bad = true
		return nil
	}
	c.b = c.b[n:]
	return s
}
