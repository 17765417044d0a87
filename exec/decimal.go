package exec

import (
	"bytes"
	"fmt"
	"math/big"
	"strconv"

	"sluice/wire"
)

// isDecimal tells whether b is a decimal number as the servers print one: -12.50.
func isDecimal(b []byte) bool {
	if len(b) > 0 && b[0] == '-' {
		b = b[1:]
	}
	points := 0
	for i, c := range b {
		switch {
		case c == '.' && i > 0:
			points++
		case c < '0' || c > '9':
			return false
		}
	}
	return len(b) > 0 && points <= 1
}

// compareDecimal compares two decimal numbers exactly, digit by digit.
func compareDecimal(a, b []byte) int {
	na, ia, fa := decimalParts(a)
	nb, ib, fb := decimalParts(b)
	if na != nb {
		if na {
			return -1
		}
		return 1
	}
	c := order(int64(len(ia)), int64(len(ib)))
	if c == 0 {
		c = bytes.Compare(ia, ib)
	}
	if c == 0 {
		c = bytes.Compare(fa, fb)
	}
	if na {
		return -c
	}
	return c
}

// decimalParts gives the digits before and behind the point without zeros that say
// nothing. Zero is not negative.
func decimalParts(b []byte) (negative bool, whole, fraction []byte) {
	if len(b) > 0 && b[0] == '-' {
		negative = true
		b = b[1:]
	}
	whole, fraction, _ = bytes.Cut(b, []byte("."))
	whole = bytes.TrimLeft(whole, "0")
	fraction = bytes.TrimRight(fraction, "0")
	return negative && len(whole)+len(fraction) > 0, whole, fraction
}

// total is an exact sum of decimal numbers: an integer of units 10^-scale. It stays in 64
// bits as long as that holds it.
type total struct {
	scale int
	small int64
	large *big.Int // in place of small, when not nil
}

const (
	// smallDigits is how many digits surely fit 64 bits.
	smallDigits = 18
	// groupDigits is how many decimal digits the servers keep in one word of a decimal.
	groupDigits = 9
	// maxDigits bounds a number that is summed: the servers' own sums have 81 digits.
	maxDigits = 200
)

// reset starts again with 0.
func (t *total) reset() { *t = total{} }

// add adds a number in text form.
func (t *total) add(text []byte) error {
	if !isDecimal(text) || len(text) > maxDigits {
		return fmt.Errorf("%w: %.40q as a decimal number", wire.ErrValue, text)
	}
	digits, fraction, _ := bytes.Cut(text, []byte("."))
	scale := len(fraction)
	switch {
	case scale > t.scale:
		t.rescale(scale)
	case scale < t.scale:
		return t.addLarge(text, digits, fraction)
	}
	if t.large == nil && len(digits)+scale <= smallDigits {
		n, ok := parseSigned(digits)
		var f int64
		if scale > 0 {
			var ok2 bool
			f, ok2 = parseSigned(fraction)
			ok = ok && ok2
		}
		if digits[0] == '-' {
			f = -f
		}
		n = n*pow10(scale) + f
		if sum := t.small + n; ok && (sum > t.small) == (n > 0) {
			t.small = sum
			return nil
		}
	}
	return t.addLarge(text, digits, fraction)
}

// addLarge adds without a limit of digits.
func (t *total) addLarge(text, digits, fraction []byte) error {
	n, ok := new(big.Int).SetString(string(digits)+string(fraction), 10)
	if !ok {
		return fmt.Errorf("%w: %.40q as a decimal number", wire.ErrValue, text)
	}
	if d := t.scale - len(fraction); d > 0 {
		n.Mul(n, bigPow10(d))
	}
	t.large = n.Add(n, t.value())
	return nil
}

// rescale gives the sum more digits behind the point.
func (t *total) rescale(scale int) {
	if t.small != 0 || t.large != nil {
		v := t.value()
		t.large = v.Mul(v, bigPow10(scale-t.scale))
	}
	t.scale = scale
}

// value gives the sum in units; the caller may change it.
func (t *total) value() *big.Int {
	if t.large != nil {
		return new(big.Int).Set(t.large)
	}
	return big.NewInt(t.small)
}

// appendText writes the sum with all its digits.
func (t *total) appendText(dst []byte) []byte {
	if t.large == nil {
		var digits [20]byte
		return appendUnits(dst, strconv.AppendInt(digits[:0], t.small, 10), t.scale)
	}
	return appendUnits(dst, t.large.Append(nil, 10), t.scale)
}

// appendUnits puts the point into an integer of units 10^-scale.
func appendUnits(dst, units []byte, scale int) []byte {
	if units[0] == '-' {
		dst = append(dst, '-')
		units = units[1:]
	}
	whole := len(units) - scale
	if whole <= 0 {
		dst = append(dst, '0')
	} else {
		dst = append(dst, units[:whole]...)
		units = units[whole:]
	}
	if scale == 0 {
		return dst
	}
	dst = append(dst, '.')
	for range -whole {
		dst = append(dst, '0')
	}
	return append(dst, units...)
}

// appendAverage writes the sum divided by n > 0 with so many digits behind the point, as
// the servers do it: they divide to whole groups of 9 digits and drop the rest, then
// round half away from zero. So an average whose digits fill their groups is cut, not
// rounded.
func (t *total) appendAverage(dst []byte, n uint64, decimals int) []byte {
	kept := groups(t.scale)
	if more := decimals - t.scale - (kept - t.scale); more > 0 {
		kept = groups(kept + more)
	}
	kept = max(kept, decimals)
	v := t.value()
	v.Mul(v, bigPow10(kept-t.scale))
	v.Quo(v, new(big.Int).SetUint64(n))
	if kept > decimals {
		half := bigPow10(kept - decimals - 1)
		half.Mul(half, big.NewInt(5))
		if v.Sign() < 0 {
			half.Neg(half)
		}
		v.Add(v, half)
		v.Quo(v, bigPow10(kept-decimals))
	}
	return appendUnits(dst, v.Append(nil, 10), decimals)
}

// groups rounds a number of digits up to whole groups.
func groups(digits int) int { return (digits + groupDigits - 1) / groupDigits * groupDigits }

// pow10 gives 10^n for n up to smallDigits.
func pow10(n int) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}

func bigPow10(n int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}
