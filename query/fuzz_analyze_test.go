package query

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// checkSpans says what is wrong with the spans and holes of a statement, "" for nothing.
func checkSpans(sql []byte, scan *Scan, st *Statement) string {
	bad := ""
	span := func(what string, s Span) {
		if s.Start < 0 || s.End < s.Start || int(s.End) > len(sql) {
			bad = "span of " + what
		}
	}
	value := func(v Value) {
		if v.Kind == ValLiteral {
			if _, ok := scan.Value(v.Hole, v.Pos); !ok {
				bad = "value without a hole"
			}
		}
	}
	for _, t := range st.Tables {
		span("table", t.Span)
		if !st.Opaque && len(st.Blocks) > 0 && t.Block >= len(st.Blocks) {
			bad = "block of a table"
		}
	}
	for i, b := range st.Blocks {
		if b.Parent >= i && i > 0 || b.ItemsEnd < 0 || int(b.ItemsEnd) > len(sql) || b.OrderEnd < 0 || int(b.OrderEnd) > len(sql) {
			bad = "block"
		}
		span("where", b.Where)
		span("from", b.From)
		span("having", b.HavingSpan)
		span("limit", b.Limit.Span)
		if b.Limit.Has {
			value(b.Limit.Count)
			value(b.Limit.Offset)
		}
		for _, it := range b.Items {
			span("item", it.Span)
			span("argument", it.Arg)
		}
		for _, o := range append(b.GroupBy[:len(b.GroupBy):len(b.GroupBy)], b.OrderBy...) {
			span("order", o.Span)
			if o.Item >= len(b.Items) {
				bad = "item of an order"
			}
			if o.Literal != nil {
				value(*o.Literal)
			}
		}
	}
	for _, p := range st.Predicates {
		for _, v := range p.Values {
			value(v)
		}
		if p.Block >= len(st.Blocks) || len(p.Values) == 0 {
			bad = "predicate"
		}
	}
	for _, s := range st.Sets {
		span("assignment", s.Text)
		value(s.Value)
	}
	for _, c := range st.Calls {
		span("call", c.Span)
	}
	if in := st.Insert; in != nil {
		span("rows", in.RowsSpan)
		span("columns", in.ColumnsSpan)
		for i, r := range in.Rows {
			if len(r) != len(in.ValueSpans[i]) {
				bad = "row"
			}
			for k, v := range r {
				value(v)
				span("value", in.ValueSpans[i][k])
			}
		}
	}
	span("inner", st.Inner)
	if st.Opaque && st.Reason == "" {
		bad = "opaque without a reason"
	}
	return bad
}

var fuzzModes = []Mode{
	{MariaDB: true, ServerVersion: 101119},
	{ServerVersion: 90100},
	{MariaDB: true, ServerVersion: 101119, ANSIQuotes: true, PipesAsConcat: true},
	{ServerVersion: 90100, NoBackslashEscapes: true, HighNotPrecedence: true, IgnoreSpace: true},
	{MariaDB: true, ServerVersion: 101119, Charset: GBK},
	{ServerVersion: 90100, Charset: SJIS},
	{MariaDB: true, ServerVersion: 101119, Charset: Latin1},
}

// FuzzAnalyze: no text makes Analyze panic or name a place outside of it.
func FuzzAnalyze(f *testing.F) {
	for _, sql := range goldenStatements(f) {
		f.Add([]byte(sql), uint8(0))
	}
	f.Fuzz(func(t *testing.T, sql []byte, mode uint8) {
		m := fuzzModes[int(mode)%len(fuzzModes)]
		var scan Scan
		if scan.Run(sql, m) != nil {
			scan = Scan{}
		}
		st := Analyze(sql, &scan, m)
		if bad := checkSpans(sql, &scan, st); bad != "" {
			t.Errorf("%s: %q\n%s", bad, sql, printStatement(sql, &scan, st))
		}
	})
}

// goldenStatements gives the inputs of the golden files.
func goldenStatements(t testing.TB) (out []string) {
	files, err := filepath.Glob("testdata/analyze/*")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		input := false
		for _, line := range strings.Split(string(b), "\n") {
			switch {
			case strings.HasPrefix(line, "analyze"):
				input = true
			case line == "----":
				input = false
			case input && line != "":
				out = append(out, rawBytes(line))
			}
		}
	}
	return out
}

// TestAnalyzeEverywhere: each golden statement, cut off at every token, under every mode.
func TestAnalyzeEverywhere(t *testing.T) {
	var z Analyzer
	for _, sql := range goldenStatements(t) {
		for _, m := range fuzzModes {
			for end := len(sql); end > 0; end = strings.LastIndexAny(sql[:end], " (,=") {
				text := []byte(sql[:end])
				var scan Scan
				if scan.Run(text, m) != nil {
					scan = Scan{}
				}
				st := z.Analyze(text, &scan, m)
				if bad := checkSpans(text, &scan, st); bad != "" {
					t.Errorf("%s: %q\n%s", bad, text, printStatement(text, &scan, st))
				}
			}
		}
	}
}
