package exec

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"sluice/router"
)

// TestArithmetic: sums and averages in testdata/decimal, one number a line.
func TestArithmetic(t *testing.T) {
	datadriven.RunTest(t, "testdata/decimal", func(t *testing.T, d *datadriven.TestData) string {
		var sum total
		for _, n := range strings.Fields(d.Input) {
			if err := sum.add([]byte(n)); err != nil {
				return "error: " + err.Error()
			}
		}
		switch d.Cmd {
		case "sum":
			return string(sum.appendText(nil))
		case "avg":
			var count, decimals int
			d.ScanArgs(t, "count", &count)
			d.ScanArgs(t, "decimals", &decimals)
			return string(sum.appendAverage(nil, uint64(count), decimals))
		}
		t.Fatalf("unknown command %q", d.Cmd)
		return ""
	})
}

// TestOrders: the lines of testdata/compare are in ascending order (words of one line are
// equal) when they are compared as the command says.
func TestOrders(t *testing.T) {
	kinds := map[string]router.Compare{"bytes": router.ByBytes, "signed": router.BySigned, "unsigned": router.ByUnsigned,
		"decimal": router.ByDecimal, "float": router.ByFloat, "time": router.ByTime}
	datadriven.RunTest(t, "testdata/compare", func(t *testing.T, d *datadriven.TestData) string {
		how, ok := kinds[d.Cmd]
		if !ok {
			t.Fatalf("unknown comparison %q", d.Cmd)
		}
		type item struct {
			text string
			k    key
		}
		var items []item
		r := keyReader{shape: &shape{cols: textColumns(1), visible: 1}}
		for _, line := range strings.Split(d.Input, "\n") {
			for _, w := range strings.Split(line, ",") {
				var v []byte
				if w = strings.TrimSpace(w); w != "NULL" {
					v = []byte(w)
				}
				it := item{text: w}
				if err := r.one(&it.k, v, 0, how); err != nil {
					return "error: " + err.Error()
				}
				items = append(items, it)
			}
		}
		sort.SliceStable(items, func(i, j int) bool { return compareKey(&items[i].k, &items[j].k, how) < 0 })
		var b strings.Builder
		for i := range items {
			switch {
			case i == 0:
			case compareKey(&items[i-1].k, &items[i].k, how) == 0:
				b.WriteString(" = ")
			default:
				b.WriteString("\n")
			}
			b.WriteString(items[i].text)
		}
		return b.String()
	})
}

// TestSumsAgainstBig: random numbers, in any order and scale, sum up as exact rationals do.
func TestSumsAgainstBig(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var sum total
		want := new(big.Rat)
		scale := 0
		for range 1 + rnd.IntN(12) {
			n := randomDecimal(rnd)
			_, fraction, _ := strings.Cut(n, ".")
			scale = max(scale, len(fraction))
			if err := sum.add([]byte(n)); err != nil {
				t.Fatal(err)
			}
			r, _ := new(big.Rat).SetString(n)
			want.Add(want, r)
		}
		if got := string(sum.appendText(nil)); strings.TrimPrefix(got, "-") != strings.TrimPrefix(want.FloatString(scale), "-") ||
			strings.HasPrefix(got, "-") != (want.Sign() < 0) {
			t.Fatalf("got %s, want %s", got, want.FloatString(scale))
		}
	}
}

func randomDecimal(rnd *rand.Rand) string {
	var b strings.Builder
	if rnd.IntN(2) == 0 {
		b.WriteByte('-')
	}
	fmt.Fprintf(&b, "%d", rnd.IntN(10))
	for range rnd.IntN(40) * rnd.IntN(2) {
		b.WriteString(strconv.Itoa(rnd.IntN(10)))
	}
	if n := rnd.IntN(3) * rnd.IntN(11); n > 0 {
		b.WriteByte('.')
		for range n {
			b.WriteString(strconv.Itoa(rnd.IntN(10)))
		}
	}
	return b.String()
}

// TestDecimalOrder: comparing digit by digit is comparing as numbers.
func TestDecimalOrder(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		a, b := randomDecimal(rnd), randomDecimal(rnd)
		ra, _ := new(big.Rat).SetString(a)
		rb, _ := new(big.Rat).SetString(b)
		if got := compareDecimal([]byte(a), []byte(b)); got != ra.Cmp(rb) {
			t.Fatalf("%s against %s: %d", a, b, got)
		}
	}
}

func FuzzDecimal(f *testing.F) {
	for _, s := range []string{"0", "-0.00", "12.50", "-.5", "1e5", "", "-", ".", "1.2.3"} {
		f.Add([]byte(s), []byte("1.5"))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var sum total
		errA := sum.add(a)
		errB := sum.add(b)
		if errA == nil && errB == nil {
			if text := sum.appendText(nil); !isDecimal(text) {
				t.Fatalf("%s + %s = %s", a, b, text)
			}
		}
		if compareDecimal(a, b) != -compareDecimal(b, a) || compareTime(a, b) != -compareTime(b, a) {
			t.Fatalf("%s and %s have no order", a, b)
		}
	})
}
