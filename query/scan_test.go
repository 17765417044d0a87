package query

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

var testCharsets = map[string]Charset{"gbk": GBK, "big5": Big5, "sjis": SJIS, "gb18030": GB18030, "latin1": Latin1, "onebyte": OneByte}

// testMode reads the words behind a directive of the golden files. Without one the mode is
// that of MariaDB 10.11; "mysql" is MySQL 9.
func testMode(t *testing.T, d *datadriven.TestData) (mode Mode, escaped bool) {
	mode = Mode{MariaDB: true, ServerVersion: 101119}
	for _, arg := range d.CmdArgs {
		switch key := arg.Key; key {
		case "mysql":
			mode.MariaDB, mode.ServerVersion = false, 90704
		case "ansi":
			mode.ANSIQuotes = true
		case "nobackslash":
			mode.NoBackslashEscapes = true
		case "escaped":
			escaped = true
		default:
			c, ok := testCharsets[key]
			if !ok {
				t.Fatalf("%s: unknown word %q", d.Pos, key)
			}
			mode.Charset = c
		}
	}
	return mode, escaped
}

func testInput(t *testing.T, d *datadriven.TestData, escaped bool) []byte {
	if !escaped {
		return []byte(d.Input)
	}
	s, err := strconv.Unquote(`"` + strings.ReplaceAll(d.Input, `"`, `\"`) + `"`)
	if err != nil {
		t.Fatalf("%s: %v", d.Pos, err)
	}
	return []byte(s)
}

// TestScan holds the fingerprints, spans and marks of the files in testdata/scan.
func TestScan(t *testing.T) {
	datadriven.Walk(t, "testdata/scan", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			mode, escaped := testMode(t, d)
			sql := testInput(t, d, escaped)
			switch d.Cmd {
			case "scan":
				var s Scan
				if err := s.Run(sql, mode); err != nil {
					return "error: " + err.Error() + "\n"
				}
				return describe(&s, sql)
			case "statements": // as a session cuts them
				return statements(sql, mode)
			}
			t.Fatalf("%s: unknown directive %q", d.Pos, d.Cmd)
			return ""
		})
	})
}

func statements(sql []byte, mode Mode) string {
	var out strings.Builder
	var s Scan
	for {
		if err := s.Run(sql, mode); err != nil {
			return out.String() + "error: " + err.Error() + "\n"
		}
		fmt.Fprintf(&out, "%s\n", printable(s.Fingerprint))
		if int(s.End) >= len(sql) {
			return out.String()
		}
		sql = sql[s.End+1:]
	}
}

// printable shows bytes that are no text as escapes.
func printable(b []byte) string {
	q := strconv.QuoteToASCII(string(b))
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}

func (k LiteralKind) name() string {
	return [...]string{"int", "decimal", "string", "hex", "param"}[k]
}

func describe(s *Scan, sql []byte) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s\n", printable(s.Fingerprint))
	for i, h := range s.Holes {
		fmt.Fprintf(&out, "%d:", i)
		for pos := range int(h.Count) {
			lit, ok := s.Value(i, pos)
			if !ok {
				return fmt.Sprintf("hole %d has no literal %d\n", i, pos)
			}
			fmt.Fprintf(&out, " %s %s", lit.Kind.name(), printable(lit.Of(sql)))
		}
		out.WriteByte('\n')
	}
	for _, r := range s.Rows {
		fmt.Fprintf(&out, "row %s\n", printable(r.Of(sql)))
	}
	if s.RowsCollapsed {
		out.WriteString("rows are collapsed\n")
	}
	if s.Hint != (Span{}) {
		fmt.Fprintf(&out, "hint %q\n", s.Hint.Of(sql))
	}
	if int(s.End) != len(sql) {
		fmt.Fprintf(&out, "rest %s\n", printable(sql[s.End:]))
	}
	if s.Params > 0 {
		fmt.Fprintf(&out, "params %d\n", s.Params)
	}
	if s.ExecutableComment {
		out.WriteString("executable comment\n")
	}
	if s.UserVariable {
		out.WriteString("user variable\n")
	}
	if s.SystemVariable {
		out.WriteString("system variable\n")
	}
	return out.String()
}

func TestScanBounds(t *testing.T) {
	var s Scan
	mode := Mode{MariaDB: true, ServerVersion: 101119}
	for _, c := range []struct {
		name, sql string
		want      error
	}{
		{"depth allowed", "SELECT " + strings.Repeat("(", maxDepth) + "1" + strings.Repeat(")", maxDepth), nil},
		{"depth", "SELECT " + strings.Repeat("(", maxDepth+1) + "1" + strings.Repeat(")", maxDepth+1), ErrTooDeep},
		{"depth in quotes and comments", "SELECT '" + strings.Repeat("(", 1000) + "' /* " + strings.Repeat("(", 1000) + " */", nil},
		{"depth one after the other", "SELECT " + strings.Repeat("(1),", 1000) + "1", nil},
		{"unclosed by the million", "SELECT " + strings.Repeat("(", 1<<20), ErrTooDeep},
		{"closed without opening", "SELECT " + strings.Repeat(")", 1<<16), nil},
		{"tokens", "SELECT " + strings.Repeat("1,", maxTokens/2), ErrTooManyTokens},
		{"long list", "SELECT a FROM t WHERE id IN (" + strings.Repeat("1,", 500_000) + "1)", nil},
		{"long batch", "INSERT INTO t VALUES " + strings.Repeat("(1,'x'),", 100_000) + "(1,'x')", nil},
		{"chain of NOT", "SELECT " + strings.Repeat("NOT ", maxChain) + "1", ErrTooDeep},
		{"chain of minus", "SELECT " + strings.Repeat("- ", maxChain) + "1", ErrTooDeep},
		{"chain of CASE", "SELECT " + strings.Repeat("CASE WHEN 1 THEN ", maxChain/2) + "1", ErrTooDeep},
		{"chain allowed", "SELECT 1 WHERE a" + strings.Repeat(" OR a=1", 50_000), nil},
	} {
		if err := s.Run([]byte(c.sql), mode); err != c.want {
			t.Errorf("%s: %v, not %v", c.name, err, c.want)
		}
	}
	if err := s.Run([]byte("SELECT 1"), mode); err != nil || cap(s.Literals) > keepLiterals || cap(s.Fingerprint) > keepFingerprint {
		t.Errorf("buffers of a large statement were kept: %d literals, %d bytes, %v", cap(s.Literals), cap(s.Fingerprint), err)
	}
}

// TestFingerprintsCollapse: batches of any length are one fingerprint, and the value at a
// hole's position is the one that the text has there.
func TestFingerprintsCollapse(t *testing.T) {
	mode := Mode{MariaDB: true, ServerVersion: 101119}
	var first string
	for n := 1; n <= 40; n++ {
		var rows, ids []string
		for i := range n {
			rows = append(rows, fmt.Sprintf("(%d, 'n%d', NULL, %d.5)", i, i, i))
			ids = append(ids, strconv.Itoa(1000+i))
		}
		sql := []byte("INSERT INTO t (a, b, c, d) VALUES " + strings.Join(rows, ",") +
			" ON DUPLICATE KEY UPDATE a = VALUES(a) + 1, b = IF(a IN (" + strings.Join(ids, ",") + "), 'y', 'n')")
		var s Scan
		if err := s.Run(sql, mode); err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = string(s.Fingerprint)
		}
		if string(s.Fingerprint) != first {
			t.Fatalf("%d rows: %s\n  not %s", n, s.Fingerprint, first)
		}
		if len(s.Holes) != 7 || len(s.Rows) != n {
			t.Fatalf("%d rows: %d holes, %d rows", n, len(s.Holes), len(s.Rows))
		}
		for i := range n {
			want := []string{strconv.Itoa(i), fmt.Sprintf("'n%d'", i), fmt.Sprintf("%d.5", i)}
			for hole, text := range want {
				checkValue(t, &s, sql, hole, i, text)
			}
			checkValue(t, &s, sql, 4, i, strconv.Itoa(1000+i))
		}
		checkValue(t, &s, sql, 3, 0, "1")
		checkValue(t, &s, sql, 6, 0, "'n'")
	}
}

func checkValue(t *testing.T, s *Scan, sql []byte, hole, pos int, want string) {
	t.Helper()
	lit, ok := s.Value(hole, pos)
	if !ok || string(lit.Of(sql)) != want {
		t.Fatalf("hole %d, position %d is %q, not %q", hole, pos, lit.Of(sql), want)
	}
	i, ok := s.LiteralAt(lit.Start)
	if !ok || s.Literals[i] != lit {
		t.Fatalf("no literal found at %d", lit.Start)
	}
	if h, p := s.HoleOf(i); h != hole || p != pos {
		t.Fatalf("literal %d is in hole %d at %d, not in %d at %d", i, h, p, hole, pos)
	}
	if _, ok := s.Value(hole, int(s.Holes[hole].Count)); ok {
		t.Fatalf("hole %d has more than Count values", hole)
	}
}
