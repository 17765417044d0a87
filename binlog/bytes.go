package binlog

import "encoding/binary"

// buffer reads what is left of an event. Reading past its end gives zeros and sets bad.
type buffer struct {
	b   []byte
	bad bool
}

// take cuts n bytes off.
func (r *buffer) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.bad, r.b = true, nil
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

// le reads a little-endian integer of n ≤ 8 bytes.
func (r *buffer) le(n int) (v uint64) {
	b := r.take(n)
	for i := len(b) - 1; i >= 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	return v
}

// be reads a big-endian integer of n ≤ 8 bytes.
func (r *buffer) be(n int) (v uint64) {
	for _, c := range r.take(n) {
		v = v<<8 | uint64(c)
	}
	return v
}

// lenenc reads a length-encoded integer that is a number of things in this event.
func (r *buffer) lenenc() int {
	v := r.le(1)
	switch v {
	case 0xfc:
		v = r.le(2)
	case 0xfd:
		v = r.le(3)
	case 0xfe:
		v = r.le(8)
	case 0xfb, 0xff:
		r.bad = true
		return 0
	}
	if v > 1<<30 {
		r.bad = true
		return 0
	}
	return int(v)
}

// name reads a length byte, a string and its zero byte.
func (r *buffer) name() string {
	s := string(r.take(int(r.le(1))))
	r.take(1)
	return s
}

func bit(bitmap []byte, i int) bool { return bitmap[i/8]>>(i%8)&1 != 0 }

func le32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }
