package exec

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"time"

	"sluice/router"
	"sluice/wire"
)

// appendLoaded writes a value of a binary row (not NULL) as a literal that becomes the same
// value in the column that it was read from, on a connection in the loading state.
func appendLoaded(dst, v []byte, col *wire.Column, form router.Form) ([]byte, error) {
	switch form {
	case router.AsNumber:
		return wire.BinaryToText(dst, v, col)
	case router.AsFloat:
		return appendFloatLiteral(dst, v, col)
	case router.AsTime:
		return appendStringLiteral(dst, v)
	case router.AsInstant:
		return appendInstant(dst, v, col)
	case router.AsBytes:
		return appendStringLiteral(append(dst, "_binary"...), v)
	case router.AsJSON:
		return appendStringLiteral(append(dst, "_utf8mb4"...), v)
	}
	return dst, fmt.Errorf("no way to load form %d", form)
}

// appendStringLiteral quotes the bytes of a string. The connection's character set is
// binary and its sql_mode reads backslashes: only these and quotes are special.
func appendStringLiteral(dst, v []byte) ([]byte, error) {
	s, n, ok := wire.LenencBytes(v)
	if !ok || s == nil || n != len(v) {
		return dst, fmt.Errorf("%w: a string of a binary row", wire.ErrMalformed)
	}
	dst = append(dst, '\'')
	for {
		i := bytes.IndexAny(s, `'\`)
		if i < 0 {
			return append(append(dst, s...), '\''), nil
		}
		dst = append(append(dst, s[:i]...), '\\', s[i])
		s = s[i+1:]
	}
}

// appendFloatLiteral writes a FLOAT or DOUBLE so that it is read back as the same one: the
// text protocol prints six digits of a FLOAT.
func appendFloatLiteral(dst, v []byte, col *wire.Column) ([]byte, error) {
	var f float64
	switch {
	case col.Type == wire.TypeFloat && len(v) == 4:
		f = float64(math.Float32frombits(binary.LittleEndian.Uint32(v)))
	case col.Type == wire.TypeDouble && len(v) == 8:
		f = math.Float64frombits(binary.LittleEndian.Uint64(v))
	default:
		return dst, fmt.Errorf("%w: %d bytes of a floating-point number of type %d", wire.ErrMalformed, len(v), col.Type)
	}
	return strconv.AppendFloat(dst, f, 'e', -1, 64), nil
}

// appendInstant writes seconds since 1970 as a date and time of UTC. 0 is the zero date.
func appendInstant(dst, v []byte, col *wire.Column) ([]byte, error) {
	var buf [40]byte
	text, err := wire.BinaryToText(buf[:0], v, col)
	if err != nil {
		return dst, err
	}
	whole, fraction, _ := bytes.Cut(text, []byte{'.'})
	seconds, err := strconv.ParseInt(string(whole), 10, 64)
	if err != nil {
		return dst, fmt.Errorf("%w: %q as an instant", wire.ErrValue, text)
	}
	if seconds == 0 && len(bytes.Trim(fraction, "0")) == 0 {
		return append(dst, "'0000-00-00 00:00:00'"...), nil
	}
	dst = time.Unix(seconds, 0).UTC().AppendFormat(dst, "'2006-01-02 15:04:05")
	if len(fraction) > 0 {
		dst = append(append(dst, '.'), fraction...)
	}
	return append(dst, '\''), nil
}
