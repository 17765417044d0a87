package exec

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"

	"sluice/router"
	"sluice/wire"
)

// key is one decoded key value. Which field holds it is the Compare's to say.
type key struct {
	null bool
	n    uint64 // BySigned (its bits), ByUnsigned
	f    float64
	b    []byte // ByBytes, ByDecimal, ByTime, ByWeights…: a copy in memory of its own
}

// keyReader decodes the key columns of rows.
type keyReader struct {
	specs []router.SortKey
	shape *shape
	buf   []byte
}

// newKeyReader checks that the keys are columns of the rows.
func newKeyReader(specs []router.SortKey, sh *shape) (keyReader, error) {
	for _, k := range specs {
		if k.Column < 0 || k.Column >= len(sh.cols) || !k.Compare.Known() {
			return keyReader{}, refuse(1105, "HY000", "the plan merges by column %d of %d", k.Column+1, len(sh.cols))
		}
	}
	return keyReader{specs: specs, shape: sh}, nil
}

// read decodes the keys of a row that has been split, reusing dst's memory.
func (r *keyReader) read(dst []key, vals [][]byte) error {
	for i := range r.specs {
		spec := &r.specs[i]
		if err := r.one(&dst[i], vals[spec.Column], spec.Column, spec.Compare); err != nil {
			return err
		}
	}
	return nil
}

// one decodes a value of a column.
func (r *keyReader) one(k *key, v []byte, column int, how router.Compare) error {
	k.null = v == nil
	if k.null {
		return nil
	}
	col := &r.shape.cols[column]
	if r.shape.binary && k.fromBinary(v, col, how) {
		return nil
	}
	text, err := r.shape.text(r.buf[:0], v, column)
	if err != nil {
		return err
	}
	if r.shape.binary && !isString(col.Type) {
		r.buf = text
	}
	ok := true
	switch how {
	case router.BySigned:
		var n int64
		n, ok = parseSigned(text)
		k.n = uint64(n)
	case router.ByUnsigned:
		k.n, ok = parseUnsigned(text)
	case router.ByFloat:
		k.f, err = strconv.ParseFloat(string(text), 64)
		ok = err == nil && !math.IsNaN(k.f)
	case router.ByDecimal:
		ok = isDecimal(text)
		k.b = append(k.b[:0], text...)
	default:
		k.b = append(k.b[:0], text...)
	}
	if !ok {
		return fmt.Errorf("%w: %.40q in column %s, by which rows are merged", wire.ErrValue, text, col.Name)
	}
	return nil
}

// fromBinary decodes numbers that need no text in between.
func (k *key) fromBinary(v []byte, col *wire.Column, how router.Compare) bool {
	switch col.Type {
	case wire.TypeTiny, wire.TypeShort, wire.TypeLong, wire.TypeInt24, wire.TypeLongLong:
		return k.fromInt(v, col.Flags&wire.FlagUnsigned != 0, how)
	case wire.TypeFloat:
		if how == router.ByFloat && len(v) == 4 {
			k.f = float64(math.Float32frombits(binary.LittleEndian.Uint32(v)))
			return !math.IsNaN(k.f)
		}
	case wire.TypeDouble:
		if how == router.ByFloat && len(v) == 8 {
			k.f = math.Float64frombits(binary.LittleEndian.Uint64(v))
			return !math.IsNaN(k.f)
		}
	}
	return false
}

// fromInt decodes an integer for the comparison that fits its sign.
func (k *key) fromInt(v []byte, unsigned bool, how router.Compare) bool {
	var n uint64
	for i, b := range v {
		n |= uint64(b) << (8 * i)
	}
	if !unsigned {
		shift := 64 - 8*len(v)
		n = uint64(int64(n<<shift) >> shift)
	}
	k.n = n
	negativeBits := int64(n) < 0
	switch how {
	case router.BySigned:
		return !unsigned || !negativeBits
	case router.ByUnsigned:
		return unsigned || !negativeBits
	}
	return false
}

// parseSigned and parseUnsigned read a decimal integer without allocating.
func parseSigned(b []byte) (int64, bool) {
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		b = b[1:]
	}
	n, ok := parseUnsigned(b)
	if negative {
		return -int64(n), ok && n <= 1<<63
	}
	return int64(n), ok && n < 1<<63
}

func parseUnsigned(b []byte) (uint64, bool) {
	if len(b) == 0 {
		return 0, false
	}
	var n uint64
	for _, c := range b {
		d := uint64(c - '0')
		if d > 9 || n > math.MaxUint64/10 || n*10 > math.MaxUint64-d {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}

// compareKeys compares rows by their keys: -1, 0 or +1. NULL is the smallest.
func compareKeys(a, b []key, specs []router.SortKey) int {
	for i := range specs {
		c := compareKey(&a[i], &b[i], specs[i].Compare)
		if c == 0 {
			continue
		}
		if specs[i].Desc {
			return -c
		}
		return c
	}
	return 0
}

// toldApart says why rows that differ are not certain to come in the order of their keys: the
// first key that they differ in is alike as far as servers sort by it (router.SortKey.Cut). Rows
// between two of those have the same beginning: so it is seen, whichever are compared.
func toldApart(a, b []key, specs []router.SortKey) error {
	for i := range specs {
		k := &specs[i]
		switch {
		case compareKey(&a[i], &b[i], k.Compare) == 0:
			continue
		case k.Cut == 0 || a[i].null || b[i].null:
			return nil
		}
		x, y := a[i].b[:min(k.Cut, len(a[i].b))], b[i].b[:min(k.Cut, len(b[i].b))]
		if pad := k.Compare.Pad(); pad == "" && !bytes.Equal(x, y) || pad != "" && compareWeights(x, y, pad) != 0 {
			return nil
		}
		return refuse(1235, "42000", "strings that differ only behind their first %d characters are not sorted over several shards, because servers "+
			"sort by the beginning of a string (max_sort_length); use that alone, LEFT(column, 255), or give the shard key a value", leastCut)
	}
	return nil
}

// leastCut is how many characters a Cut is at least: of two bytes of weights each.
const leastCut = 256

func compareKey(a, b *key, how router.Compare) int {
	switch {
	case a.null && b.null:
		return 0
	case a.null:
		return -1
	case b.null:
		return 1
	}
	switch how {
	case router.BySigned:
		return order(int64(a.n), int64(b.n))
	case router.ByUnsigned:
		return order(a.n, b.n)
	case router.ByFloat:
		return order(a.f, b.f)
	case router.ByDecimal:
		return compareDecimal(a.b, b.b)
	case router.ByTime:
		return compareTime(a.b, b.b)
	}
	if pad := how.Pad(); pad != "" {
		return compareWeights(a.b, b.b, pad)
	}
	return bytes.Compare(a.b, b.b)
}

// compareWeights compares weights as if those of spaces followed the shorter ones.
func compareWeights(a, b []byte, pad string) int {
	n := min(len(a), len(b))
	if c := bytes.Compare(a[:n], b[:n]); c != 0 {
		return c
	}
	rest, sign := a[n:], 1
	if len(b) > n {
		rest, sign = b[n:], -1
	}
	for i, w := range rest {
		if c := order(w, pad[i%len(pad)]); c != 0 {
			return c * sign
		}
	}
	return 0
}

func order[T byte | int64 | uint64 | float64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// compareTime compares the texts of two dates, datetimes or times: the first field (a
// year, or hours of two and three digits) by its length, the rest as text. A fraction may
// be missing on one side.
func compareTime(a, b []byte) int {
	na, a := timeSign(a)
	nb, b := timeSign(b)
	if na != nb {
		if na {
			return -1
		}
		return 1
	}
	c := order(int64(firstField(a)), int64(firstField(b)))
	if c == 0 {
		c = bytes.Compare(trimFraction(a), trimFraction(b))
	}
	if na {
		return -c
	}
	return c
}

// timeSign cuts the minus off; a zero time has none.
func timeSign(b []byte) (negative bool, rest []byte) {
	if len(b) == 0 || b[0] != '-' {
		return false, b
	}
	for _, c := range b[1:] {
		if c >= '1' && c <= '9' {
			return true, b[1:]
		}
	}
	return false, b[1:]
}

// firstField counts the digits before the first separator.
func firstField(b []byte) int {
	for i, c := range b {
		if c < '0' || c > '9' {
			return i
		}
	}
	return len(b)
}

// trimFraction takes zeros off the end of a fraction, and the point with the last one.
func trimFraction(b []byte) []byte {
	if bytes.IndexByte(b, '.') < 0 {
		return b
	}
	return bytes.TrimSuffix(bytes.TrimRight(b, "0"), []byte("."))
}
