package query

import (
	"regexp"
	"strings"
	"testing"
)

var (
	blanks    = regexp.MustCompile(`\s+`)
	positions = regexp.MustCompile(`(ItemsEnd|OrderEnd|ColumnsAt|TailAt)=\d+`)
	reason    = regexp.MustCompile(`not understood: line .*? table «`) // the parser's words, with its positions
)

// TestAnalyzeStretched: wide gaps between the tokens and long strings change nothing of an
// analysis, although the parser gets neither.
func TestAnalyzeStretched(t *testing.T) {
	mode := Mode{MariaDB: true, ServerVersion: 101119}
	tail := strings.Repeat("y", 3*maxBody)
	analyse := func(sql string) string {
		var scan Scan
		if scan.Run([]byte(sql), mode) != nil {
			return "refused by the scan"
		}
		return printStatement([]byte(sql), &scan, Analyze([]byte(sql), &scan, mode))
	}
	normal := func(s string) string {
		s = blanks.ReplaceAllString(strings.ReplaceAll(s, tail, ""), " ")
		return reason.ReplaceAllString(positions.ReplaceAllString(s, "$1"), "not understood")
	}
	n := 0
	for _, sql := range goldenStatements(t) {
		wide, long := stretch(sql, mode, strings.Repeat(" ", 3*maxGap), tail)
		want := normal(analyse(sql))
		if got := normal(analyse(wide)); got != want {
			t.Errorf("%s\nwith wide gaps:\n%s\nwant:\n%s", sql, got, want)
		}
		if long != wide && strings.HasPrefix(want, "Select") || strings.HasPrefix(want, "Insert") || strings.HasPrefix(want, "Update") || strings.HasPrefix(want, "Delete") {
			n++
			if got := normal(analyse(long)); got != want {
				t.Errorf("%s\nwith long strings:\n%s\nwant:\n%s", sql, got, want)
			}
		}
	}
	if n < 50 {
		t.Errorf("only %d statements were stretched", n)
	}
}

// stretch widens the gaps of blanks between the tokens, then the strings that are values.
func stretch(sql string, mode Mode, gap, tail string) (wide, long string) {
	t := &text{tokens: &tokens{sql: []byte(sql), mode: mode, end: len(sql)}, scan: new(Scan)}
	if t.cut() != "" {
		return sql, sql
	}
	var a, b strings.Builder
	end := int32(0)
	for i, tok := range t.toks {
		between := sql[end:tok.start]
		if between != "" && strings.TrimSpace(between) == "" {
			between += gap
		}
		a.WriteString(between)
		b.WriteString(between)
		src := sql[tok.start:tok.end]
		a.WriteString(src)
		if tok.kind == tokString && !t.isAny(i-1, "DATE", "TIME", "TIMESTAMP", "INTERVAL", "AS", "ESCAPE") {
			src = src[:len(src)-1] + tail + src[len(src)-1:]
		}
		b.WriteString(src)
		end = tok.end
	}
	a.WriteString(sql[end:])
	b.WriteString(sql[end:])
	return a.String(), b.String()
}

// TestAnalyzeLongValues: a statement is understood however long its values are.
func TestAnalyzeLongValues(t *testing.T) {
	mode := Mode{MariaDB: true, ServerVersion: 101119}
	for _, value := range []string{
		"'" + strings.Repeat("x", 3<<20) + "'", "'" + strings.Repeat(`\'`, 2<<20) + "'", "N'" + strings.Repeat("ü", 1<<20) + "'",
		"_binary'" + strings.Repeat("\x00", 2<<20) + "'", "x'" + strings.Repeat("ab", 2<<20) + "'", "0x" + strings.Repeat("ab", 2<<20),
		"_binary 0x" + strings.Repeat("ab", 2<<20), "_latin1 x'" + strings.Repeat("ab", 2<<20) + "'", "/*" + strings.Repeat("y", 2<<20) + "*/ 7",
	} {
		sql := []byte("UPDATE t SET body = " + value + " WHERE id = 42")
		var scan Scan
		if err := scan.Run(sql, mode); err != nil {
			t.Fatalf("%.20s: %v", value, err)
		}
		st := Analyze(sql, &scan, mode)
		if bad := checkSpans(sql, &scan, st); st.Opaque || bad != "" || len(st.Predicates) != 1 || len(st.Predicates[0].Values) != 1 {
			t.Errorf("%.20s: opaque %v (%s), %d predicates %s", value, st.Opaque, st.Reason, len(st.Predicates), bad)
			continue
		}
		v := st.Predicates[0].Values[0]
		if lit, ok := scan.Value(v.Hole, v.Pos); !ok || string(lit.Of(sql)) != "42" {
			t.Errorf("%.20s: id = %.20s", value, lit.Of(sql))
		}
	}
}
