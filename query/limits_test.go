package query

import (
	"strings"
	"testing"
)

// TestAnalyzeLong: texts that are long or deep in one way are analysed or opaque; none takes
// the process down.
func TestAnalyzeLong(t *testing.T) {
	mode := Mode{MariaDB: true, ServerVersion: 101119}
	ids := strings.Repeat(",123", 300_000)
	rows := strings.Repeat(",(1,'abc',NULL)", 100_000)
	for _, c := range []struct {
		name, sql string
		opaque    bool
	}{
		{"not", "select * from t where " + strings.Repeat("not ", 150_000) + "a", false},
		{"minus", "select " + strings.Repeat("- ", 150_000) + "a from t", false},
		{"sum", "select 1" + strings.Repeat("+1", 90_000) + " from t", false},
		{"or", "select * from t where id = 1" + strings.Repeat(" or id = 1", 40_000), false},
		{"and", "select * from t where id = 1" + strings.Repeat(" and a = b", 40_000), false},
		{"too many", "select 1" + strings.Repeat("+1", 200_000) + " from t", true},
		{"in list", "select * from t where id in (1" + ids + ")", false},
		{"rows", "insert into t values (1,2,3)" + rows, false},
		{"collapsed rows", "insert into t values (1,'abc',NULL)" + rows, false},
		{"union", "select 1" + strings.Repeat(" union select 1", 30_000), false},
		{"joins", "select 1 from t0" + strings.Repeat(" join t on a = b", 20_000), false},
		{"case", "select " + strings.Repeat("case when ", 30_000) + "1" + strings.Repeat(" then 1 end", 30_000), false},
		{"parentheses", "select " + strings.Repeat("(", 100_000) + "1" + strings.Repeat(")", 100_000), true},
		{"names", "call " + strings.Repeat("a.b ", 100_000), true},
	} {
		sql := []byte(c.sql)
		var scan Scan
		if scan.Run(sql, mode) != nil {
			scan = Scan{}
		}
		st := Analyze(sql, &scan, mode)
		if st.Opaque != c.opaque {
			t.Errorf("%s: opaque %v: %s", c.name, st.Opaque, st.Reason)
		}
		if bad := checkSpans(sql, &scan, st); bad != "" {
			t.Errorf("%s: %s", c.name, bad)
		}
	}
}
