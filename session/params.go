package session

import (
	"encoding/binary"
	"math"
	"strconv"

	"sluice/wire"
)

// params shows the router a prepared execution's parameters.
type params struct {
	exec *wire.Execute
	long map[int][]byte
	buf  [24]byte
}

// Null implements router.Params.
func (p *params) Null(i int) bool {
	return i < len(p.exec.Params) && p.exec.Params[i].Value == nil && !p.exec.Params[i].LongData
}

// Temporal implements router.Params.
func (p *params) Temporal(i int) bool {
	if i >= len(p.exec.Params) || p.exec.Params[i].Value == nil {
		return false
	}
	switch p.exec.Params[i].Type {
	case wire.TypeDate, wire.TypeTime, wire.TypeDatetime, wire.TypeTimestamp:
		return true
	}
	return false
}

// Key implements router.Params. The key is valid until the next call. A float that is an
// integer, exactly, is one: some drivers send every number as DOUBLE. From 1e15 on it is none:
// there the servers write it into a string as 1e15, and further on a DOUBLE equals several BIGINTs.
func (p *params) Key(i int) (key []byte, isString, ok bool) {
	if i < 0 || i >= len(p.exec.Params) {
		return nil, false, false
	}
	v := &p.exec.Params[i]
	if v.LongData {
		return p.long[i], true, true
	}
	var f float64
	switch {
	case v.Type == wire.TypeDouble && len(v.Value) == 8:
		f = math.Float64frombits(binary.LittleEndian.Uint64(v.Value))
	case v.Type == wire.TypeFloat && len(v.Value) == 4:
		f = float64(math.Float32frombits(binary.LittleEndian.Uint32(v.Value)))
	default:
		return v.Key(p.buf[:0])
	}
	if f != math.Trunc(f) || math.Abs(f) >= 1e15 {
		return nil, false, false
	}
	return strconv.AppendInt(p.buf[:0], int64(f), 10), false, true
}
