package server

import (
	"bytes"
	"encoding/binary"

	"sluice/wire"
)

// fields reads a packet field by field. The first one that does not fit makes it bad for
// good; zero values come from then on, so that one check at the end is enough. No length
// that a client names is used before it was compared with what is there.
type fields struct {
	b   []byte
	bad bool
}

// take gives the next n bytes.
func (f *fields) take(n uint64) []byte {
	if f.bad || n > uint64(len(f.b)) {
		f.bad = true
		return nil
	}
	s := f.b[:n:n]
	f.b = f.b[n:]
	return s
}

func (f *fields) uint8() byte {
	if s := f.take(1); s != nil {
		return s[0]
	}
	return 0
}

func (f *fields) uint16() uint16 {
	if s := f.take(2); s != nil {
		return binary.LittleEndian.Uint16(s)
	}
	return 0
}

func (f *fields) uint32() uint32 {
	if s := f.take(4); s != nil {
		return binary.LittleEndian.Uint32(s)
	}
	return 0
}

// zero gives the bytes up to the next NUL, which must be there.
func (f *fields) zero() []byte {
	i := bytes.IndexByte(f.b, 0)
	if i < 0 {
		f.bad = true
	}
	if f.bad {
		return nil
	}
	s := f.take(uint64(i))
	f.take(1)
	return s
}

// zeroOrRest is zero, but the packet's end ends the string as well: clients differ about
// the plugin's name.
func (f *fields) zeroOrRest() []byte {
	if bytes.IndexByte(f.b, 0) < 0 {
		return f.take(uint64(len(f.b)))
	}
	return f.zero()
}

// lenenc gives a length-encoded string, which may not be NULL.
func (f *fields) lenenc() []byte {
	s, n, ok := wire.LenencBytes(f.b)
	if f.bad || !ok || s == nil {
		f.bad = true
		return nil
	}
	f.b = f.b[n:]
	return s
}
