package exec

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"sluice/router"
	"sluice/wire"
)

// TestWeights: values of one line are equal, and those of a line come before those of the next one.
func TestWeights(t *testing.T) {
	for _, c := range []struct {
		how   router.Compare
		order [][]string
	}{
		{router.ByWeights20, [][]string{{"A\t"}, {"A \t"}, {"A", "A ", "A   "}, {"A !"}, {"A!"}, {"AB", "AB "}}},
		{router.ByWeights0209, [][]string{{"\x02\x01"}, {"", "\x02\x09", "\x02\x09\x02\x09"}, {"\x0e\x33\x02\x01"},
			{"\x0e\x33\x02\x09\x02\x01"}, {"\x0e\x33", "\x0e\x33\x02\x09"}, {"\x0e\x33\x02\x0a"}, {"\x0e\x33\x0f\xea"}}},
		{router.ByWeights020A, [][]string{{"\x12\x0f\x02\x09"}, {"\x12\x0f", "\x12\x0f\x02\x0a"}, {"\x12\x0f\x12\x0f"}}},
		{router.ByBytes, [][]string{{""}, {"A"}, {"A "}, {"A  "}, {"AB"}}},
	} {
		for i, xs := range c.order {
			for j, ys := range c.order {
				for _, x := range xs {
					for _, y := range ys {
						if got, want := compareKey(&key{b: []byte(x)}, &key{b: []byte(y)}, c.how), order(int64(i), int64(j)); got != want {
							t.Errorf("%s: %q beside %q gives %d, want %d", c.how, x, y, got, want)
						}
					}
				}
			}
		}
	}
}

// TestToldApart: rows that differ behind what servers are certain to sort by are not merged,
// whichever legs they come from.
func TestToldApart(t *testing.T) {
	long := func(end string) string { return "SELECT CONCAT(REPEAT('x', 100), '" + end + "') AS a" }
	both := func(a, b string) string { return a + " UNION ALL " + b }
	each(t, func(t *testing.T, w *world) {
		for _, c := range []struct {
			name, a, b string
			desc, ok   bool
		}{
			{"of two shards", long("a"), long("b"), false, false},
			{"descending", long("b"), long("a"), true, false},
			{"of one", both(long("a"), long("b")), "SELECT 'y' AS a", false, false},
			{"of one, otherwise", both(long("b"), long("a")), "SELECT 'y' AS a", false, false},
			{"equal", long("a"), long("a"), false, true},
			{"before it", "SELECT REPEAT('x', 100) AS a", "SELECT CONCAT(REPEAT('x', 99), 'y') AS a", false, true},
			{"without one", "SELECT NULL AS a", long("a"), false, true},
		} {
			t.Run(c.name, func(t *testing.T) {
				m := &router.Merge{Visible: 1, Sort: []router.SortKey{{Column: 0, Compare: router.ByBytes, Desc: c.desc, Cut: 100}}}
				got, _, err := w.run(context.Background(), newLeases(w), request(bound(router.MergeSort, parts(c.a, c.b), m), nil))
				var we *wire.Error
				if refused := errors.As(got.err, &we) && we.Code == 1235 && strings.Contains(we.Message, "max_sort_length"); err != nil && got.err == nil || refused == c.ok {
					t.Errorf("%v, client %v", err, got.err)
				}
			})
		}
	})
	var s sorter
	s.reader.specs = []router.SortKey{{Compare: router.ByWeights20, Cut: 3}}
	s.keep = 9
	for _, v := range []string{"AA  X", "AA", "B"} {
		s.rows = append(s.rows, sortedRow{keys: []key{{b: []byte(v)}}})
	}
	if s.prune(); s.apart == nil {
		t.Error("groups that differ behind the cut are sorted")
	}
	s.apart, s.rows = nil, slices.Delete(s.rows, 0, 2)
	if s.prune(); s.apart != nil {
		t.Error("one group is refused")
	}
}
