package query

import (
	"slices"
	"testing"
)

func TestApply(t *testing.T) {
	const sql = "SELECT a FROM t WHERE b = 1"
	for _, c := range []struct {
		name  string
		edits []Edit
		want  string // "" for an error
	}{
		{"none", nil, sql},
		{"one", []Edit{{Span{14, 15}, "db.t"}}, "SELECT a FROM db.t WHERE b = 1"},
		{"in any order", []Edit{{Span{26, 27}, "22"}, {Span{7, 8}, "x"}}, "SELECT x FROM t WHERE b = 22"},
		{"deletion", []Edit{{Span{15, 27}, ""}}, "SELECT a FROM t"},
		{"insertions at one place", []Edit{{Span{8, 8}, ", b"}, {Span{8, 8}, ", c"}}, "SELECT a, b, c FROM t WHERE b = 1"},
		{"at both ends", []Edit{{Span{27, 27}, " LIMIT 1"}, {Span{0, 0}, "EXPLAIN "}}, "EXPLAIN SELECT a FROM t WHERE b = 1 LIMIT 1"},
		{"insertion before a replacement", []Edit{{Span{7, 8}, "b"}, {Span{7, 7}, "DISTINCT "}}, "SELECT DISTINCT b FROM t WHERE b = 1"},
		{"adjacent", []Edit{{Span{7, 8}, "b"}, {Span{8, 8}, ", c"}}, "SELECT b, c FROM t WHERE b = 1"},
		{"overlapping", []Edit{{Span{7, 12}, "b"}, {Span{9, 13}, "c"}}, ""},
		{"twice the same", []Edit{{Span{7, 8}, "b"}, {Span{7, 8}, "c"}}, ""},
		{"insertion inside", []Edit{{Span{7, 12}, "b"}, {Span{9, 9}, "c"}}, ""},
		{"outside", []Edit{{Span{7, 28}, "b"}}, ""},
		{"negative", []Edit{{Span{-1, 2}, "b"}}, ""},
		{"backwards", []Edit{{Span{8, 7}, "b"}}, ""},
	} {
		given := slices.Clone(c.edits)
		got, err := Apply([]byte("> "), []byte(sql), c.edits)
		if !slices.Equal(given, c.edits) {
			t.Errorf("%s: the edits were changed", c.name)
		}
		switch {
		case c.want == "" && (err == nil || string(got) != "> "):
			t.Errorf("%s: %q, %v", c.name, got, err)
		case c.want != "" && (err != nil || string(got) != "> "+c.want):
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
}
