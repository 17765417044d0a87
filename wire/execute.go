package wire

import (
	"encoding/binary"
	"fmt"
	"strconv"
)

// MaxParams bounds the parameters of a statement: the count has two bytes on the wire.
const MaxParams = 1<<16 - 1

// Param is one bound parameter. Value is nil for NULL and aliases the packet otherwise;
// a variable-length value, dates and times included, stands without its length prefix.
type Param struct {
	Type     byte
	Unsigned bool
	Value    []byte
	LongData bool // sent by COM_STMT_SEND_LONG_DATA; Value is not in the packet
}

// Execute is a decoded COM_STMT_EXECUTE.
type Execute struct {
	ID     uint32
	Flags  byte // cursor type
	Params []Param
	Types  []byte // 2 bytes a parameter, as sent now (aliases the packet) or remembered
}

// ParseExecute decodes COM_STMT_EXECUTE's payload (after the command byte) for a
// statement of n parameters. types are those remembered from an earlier execution (used
// when the packet brings none; it is an error if there are none); long[i] marks
// parameters sent by COM_STMT_SEND_LONG_DATA, and may be shorter than n or nil. reuse may
// be nil; it is overwritten and returned otherwise.
func ParseExecute(b []byte, n int, types []byte, long []bool, reuse *Execute) (*Execute, error) {
	e := reuse
	if e == nil {
		e = &Execute{}
	}
	c := cursor{b: b}
	e.ID, e.Flags = c.uint32(), c.uint8()
	c.take(4) // iterations: always 1
	e.Params, e.Types = e.Params[:0], nil
	if c.bad || n < 0 || n > MaxParams {
		return nil, fmt.Errorf("%w: COM_STMT_EXECUTE", ErrMalformed)
	}
	if n == 0 {
		return e, nil
	}
	nulls := c.take((n + 7) / 8)
	if c.uint8() != 0 {
		types = c.take(2 * n)
	}
	if c.bad || len(types) != 2*n {
		return nil, fmt.Errorf("%w: COM_STMT_EXECUTE without its parameters' types", ErrMalformed)
	}
	e.Types = types
	for i := range n {
		p := Param{Type: types[2*i], Unsigned: types[2*i+1]&ParamUnsigned != 0}
		switch {
		case types[2*i+1]&^ParamUnsigned != 0:
			return nil, fmt.Errorf("%w: parameter %d of unknown type", ErrMalformed, i+1)
		case i < len(long) && long[i]:
			if !takesLongData(p.Type) {
				return nil, fmt.Errorf("%w: long data for a parameter of type %d", ErrMalformed, p.Type)
			}
			p.LongData = true
		case nulls[i/8]&(1<<(i%8)) != 0:
		default:
			if p.Value = paramValue(&c, p.Type); c.bad {
				return nil, fmt.Errorf("%w: parameter %d of type %d", ErrMalformed, i+1, p.Type)
			}
		}
		e.Params = append(e.Params, p)
	}
	if len(c.b) != 0 {
		return nil, fmt.Errorf("%w: bytes behind the last parameter", ErrMalformed)
	}
	return e, nil
}

// takesLongData says which types the servers accept for COM_STMT_SEND_LONG_DATA.
func takesLongData(t byte) bool { return t >= TypeTinyBlob && t <= TypeString }

// paramValue takes one value from the packet. A zero date, which has no bytes, is not
// nil: that is NULL.
func paramValue(c *cursor, t byte) []byte {
	s, size := paramShape(t)
	switch s {
	case shapeInt, shapeFloat, shapeDouble:
		return c.take(size)
	case shapeBytes:
		return c.str()
	case shapeDate, shapeTime:
		n := int(c.uint8())
		if !dateLength(s, n) {
			c.bad = true
		}
		return c.take(n)
	}
	c.bad = true
	return nil
}

// paramShape is shapeOf for parameters. It refuses the types whose values the servers do
// not read alike: MariaDB 10.11 takes INT24, YEAR, BIT and GEOMETRY for NULL and reads no
// bytes, MySQL 9 refuses them. What Sluice reads must be what they read.
func paramShape(t byte) (shape, int) {
	switch t {
	case TypeInt24, TypeYear, TypeBit, TypeGeometry:
		return shapeNone, 0
	}
	return shapeOf(t)
}

// dateLength says whether a date or time may have n bytes.
func dateLength(s shape, n int) bool {
	if s == shapeDate {
		return n == 0 || n == 4 || n == 7 || n == 11
	}
	return n == 0 || n == 8 || n == 12
}

// AppendExecute builds COM_STMT_EXECUTE's payload (after the command byte) with all types.
func AppendExecute(dst []byte, e *Execute) []byte {
	dst = appendExecuteHead(dst, e)
	for i := range e.Params {
		dst = append(appendParamHead(dst, &e.Params[i]), e.Params[i].sent()...)
	}
	return dst
}

// appendExecuteHead appends what stands before the values.
func appendExecuteHead(dst []byte, e *Execute) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, e.ID)
	dst = append(dst, e.Flags, 1, 0, 0, 0)
	n := len(e.Params)
	if n == 0 {
		return dst
	}
	nulls := len(dst)
	for range (n + 7) / 8 {
		dst = append(dst, 0)
	}
	dst = append(dst, 1)
	for i := range e.Params {
		p := &e.Params[i]
		var flag byte
		if p.Unsigned {
			flag = ParamUnsigned
		}
		dst = append(dst, p.Type, flag)
		if p.Value == nil && !p.LongData {
			dst[nulls+i/8] |= 1 << (i % 8)
		}
	}
	return dst
}

// appendParamHead appends the length that stands before some values.
func appendParamHead(dst []byte, p *Param) []byte {
	if p.Value == nil || p.LongData {
		return dst
	}
	switch s, _ := shapeOf(p.Type); s {
	case shapeBytes:
		return AppendLenencInt(dst, uint64(len(p.Value)))
	case shapeDate, shapeTime:
		return append(dst, byte(len(p.Value)))
	}
	return dst
}

// sent is the value as far as it is in the packet.
func (p *Param) sent() []byte {
	if p.LongData {
		return nil
	}
	return p.Value
}

// WriteExecute writes COM_STMT_EXECUTE with all types and does not flush. Large values go out
// from where they are: only the rest is put together in scratch, which is given back grown.
func (c *Conn) WriteExecute(e *Execute, scratch []byte) ([]byte, error) {
	b := appendExecuteHead(append(scratch[:0], ComStmtExecute), e)
	size, large := len(b), false
	for i := range e.Params {
		p := &e.Params[i]
		n := len(b)
		b = appendParamHead(b, p)
		size += len(b) - n + len(p.sent())
		b = b[:n]
		large = large || len(p.sent()) >= directSize
	}
	c.ResetSequence()
	if !large {
		for i := range e.Params {
			b = append(appendParamHead(b, &e.Params[i]), e.Params[i].sent()...)
		}
		return b, c.WritePacket(b)
	}
	w := pieceWriter{c: c, left: size}
	for i := range e.Params {
		p := &e.Params[i]
		b = appendParamHead(b, p)
		if value := p.sent(); len(value) < directSize {
			b = append(b, value...)
			continue
		}
		if err := w.write(b); err != nil {
			return b, err
		}
		if err := w.write(p.sent()); err != nil {
			return b, err
		}
		b = b[:0]
	}
	if err := w.write(b); err != nil {
		return b, err
	}
	return b, w.end()
}

// longPiece is how much of a parameter goes into one COM_STMT_SEND_LONG_DATA.
const longPiece = 32 << 10

// WriteLongData writes a parameter's value as COM_STMT_SEND_LONG_DATA, in as many as it takes,
// and does not flush. An empty value needs a packet, too.
func (c *Conn) WriteLongData(id uint32, param int, value []byte) error {
	head := [...]byte{ComStmtSendLongData, byte(id), byte(id >> 8), byte(id >> 16), byte(id >> 24), byte(param), byte(param >> 8)}
	for first := true; first || len(value) > 0; first = false {
		piece := value[:min(len(value), longPiece)]
		value = value[len(piece):]
		c.ResetSequence()
		if err := writePieces(c, head[:], piece); err != nil {
			return err
		}
	}
	return nil
}

// Key gives a parameter in the form that Sluice routes by: the decimal text of an
// integer, appended to dst, or the bytes of a string, which alias the packet; ok is false
// for other types, NULL and long data.
func (p *Param) Key(dst []byte) (key []byte, isString, ok bool) {
	if p.Value == nil || p.LongData {
		return nil, false, false
	}
	switch p.Type {
	case TypeTiny, TypeShort, TypeLong, TypeLongLong:
		return appendInt(dst, p.Value, p.Unsigned), false, true
	case TypeVarchar, TypeVarString, TypeString, TypeTinyBlob, TypeMediumBlob, TypeLongBlob, TypeBlob:
		return p.Value, true, true
	}
	return nil, false, false
}

// appendInt appends the decimal text of a little-endian integer of 1, 2, 4 or 8 bytes.
func appendInt(dst, value []byte, unsigned bool) []byte {
	v := intBits(value)
	if unsigned {
		return strconv.AppendUint(dst, v, 10)
	}
	shift := 64 - 8*min(len(value), 8)
	return strconv.AppendInt(dst, int64(v<<shift)>>shift, 10)
}

// intBits reads a little-endian integer without extending its sign.
func intBits(value []byte) uint64 {
	var v uint64
	for i, b := range value[:min(len(value), 8)] {
		v |= uint64(b) << (8 * i)
	}
	return v
}
