package integration

import (
	"strings"
	"testing"

	"sluice/wire"
)

// TestDiffNotices: the comparison that all of the differential test rests on sees each kind
// of difference, and overlooks what is not certain.
func TestDiffNotices(t *testing.T) {
	base := func() result {
		return result{cols: []wire.Column{{Name: "id", Type: wire.TypeLong, Flags: wire.FlagNotNull | wire.FlagPrimaryKey}, {Name: "s", Type: wire.TypeVarString, Length: 80}},
			rows: [][]string{{"1", "a"}, {"2", "B "}, {"3", null}}, ok: wire.OK{Status: wire.StatusAutocommit}}
	}
	failed := func(code uint16) result { return result{err: &wire.Error{Code: code, SQLState: "HY000"}} }
	swap := func(r *result) { r.rows[0], r.rows[1] = r.rows[1], r.rows[0] }
	for name, c := range map[string]struct {
		how    comparison
		change func(*result)
		differ string // part of what is said; "": alike
	}{
		"nothing":               {change: func(*result) {}},
		"order":                 {how: comparison{order: ordered}, change: swap, differ: "row 1"},
		"order that is open":    {change: swap},
		"a value":               {change: func(r *result) { r.rows[0][1] = "b" }, differ: "row"},
		"NULL and empty":        {change: func(r *result) { r.rows[2][1] = "" }, differ: "row"},
		"equal for a group":     {how: comparison{fold: true}, change: func(r *result) { r.rows[1][1] = "b" }},
		"a row less":            {how: comparison{order: onlySize}, change: func(r *result) { r.rows = r.rows[:2] }, differ: "2 rows, want 3"},
		"other rows of a LIMIT": {how: comparison{order: onlySize}, change: func(r *result) { r.rows[0][0] = "9" }},
		"a label":               {change: func(r *result) { r.cols[0].Name = "ID" }, differ: "column 1"},
		"a type":                {change: func(r *result) { r.cols[0].Type = wire.TypeLongLong }, differ: "column 1"},
		"unsigned":              {change: func(r *result) { r.cols[0].Flags |= wire.FlagUnsigned }, differ: "column 1"},
		"a length":              {change: func(r *result) { r.cols[1].Length = 20 }, differ: "column 2"},
		"an index":              {change: func(r *result) { r.cols[0].Flags &^= wire.FlagPrimaryKey }},
		"warnings":              {change: func(r *result) { r.ok.Warnings = 1 }, differ: "1 warnings"},
		"a transaction":         {change: func(r *result) { r.ok.Status |= wire.StatusInTrans }, differ: "status"},
		"an error":              {change: func(r *result) { *r = failed(1062) }, differ: "an error"},
	} {
		want, got := base(), base()
		c.change(&got)
		d := c.how.differ([]result{want}, []result{got})
		if c.differ == "" && d != "" || !strings.Contains(d, c.differ) {
			t.Errorf("%s: %q, want %q", name, d, c.differ)
		}
	}
	if folded("caf\xe9") != folded("CAFE ") || folded("café") != folded("cafe") { // latin1, UTF-8
		t.Error("é is no e")
	}
	for _, c := range []struct{ want, got uint16 }{{1062, 1048}, {1062, 1213}} {
		if d := (comparison{}).differ([]result{failed(c.want)}, []result{failed(c.got)}); d != "result 1: another error" {
			t.Errorf("error %d for %d: %q", c.got, c.want, d)
		}
	}
	said := func(code uint16, text string) []result {
		return []result{{err: &wire.Error{Code: code, SQLState: "HY000", Message: text}}}
	}
	for _, c := range []struct {
		code      uint16
		want, got string
		alike     bool
	}{{1062, "Duplicate entry '1'", "Duplicate entry '2'", false}, {1406, "too long for 'a' at row 2", "too long for 'a' at row 1", true},
		{1406, "too long for 'a' at row 2", "too long for 'b' at row 2", false}, {1064, "near 'x'", "near 'y'", true},
		{1054, "Unknown column 'a' in 'ORDER BY'", "Unknown column 'a' in 'SELECT'", true}, {1054, "Unknown column 'a' in 'SELECT'", "Unknown column 'b' in 'SELECT'", false}} {
		if d := (comparison{}).differ(said(c.code, c.want), said(c.code, c.got)); (d == "") != c.alike {
			t.Errorf("errors %q and %q: %q", c.want, c.got, d)
		}
	}
	if d := (comparison{}).differ([]result{base(), base()}, []result{base()}); d != "1 results, want 2" {
		t.Errorf("a result less: %q", d)
	}
	ok := func(affected, id uint64) []result {
		return []result{{ok: wire.OK{AffectedRows: affected, LastInsertID: id}}}
	}
	for _, c := range []struct {
		a, b  uint64
		alike bool
	}{{0, 7, false}, {3, 7, true}} {
		if d := (comparison{}).differ(ok(1, c.a), ok(1, c.b)); (d == "") != c.alike {
			t.Errorf("insert ids %d and %d: %q", c.a, c.b, d)
		}
	}
	if d := (comparison{}).differ(ok(1, 0), ok(2, 0)); d == "" {
		t.Error("affected rows are not compared")
	}
}
