package query

import (
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// modeOf reads the arguments of a golden file's command.
func modeOf(t *testing.T, d *datadriven.TestData) Mode {
	m := Mode{MariaDB: true, ServerVersion: 101119}
	for _, arg := range d.CmdArgs {
		switch arg.Key {
		case "ansi":
			m.ANSIQuotes = true
		case "nobackslash":
			m.NoBackslashEscapes = true
		case "pipes":
			m.PipesAsConcat = true
		case "mysql":
			m.MariaDB, m.ServerVersion = false, 90100
		case "charset":
			cs, ok := CharsetOf(arg.Vals[0])
			if !ok {
				d.Fatalf(t, "unknown charset %s", arg.Vals[0])
			}
			m.Charset = cs
		default:
			d.Fatalf(t, "unknown argument %s", arg.Key)
		}
	}
	return m
}

// TestAnalyze: each line of an input is a statement; a line that ends with a backslash goes on.
func TestAnalyze(t *testing.T) {
	var z Analyzer
	datadriven.Walk(t, "testdata/analyze", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			mode := modeOf(t, d)
			var out strings.Builder
			for _, line := range strings.Split(strings.ReplaceAll(d.Input, "\\\n", "\n"), "\n") {
				if line == "" {
					continue
				}
				sql := []byte(rawBytes(line))
				var scan Scan
				if err := scan.Run(sql, mode); err != nil {
					out.WriteString("scan: " + err.Error() + "\n")
				}
				if strings.Count(d.Input, "\n") > 0 {
					out.WriteString("> " + line + "\n")
				}
				out.WriteString(printStatement(sql, &scan, z.Analyze(sql, &scan, mode)))
			}
			return out.String()
		})
	})
}

// rawBytes turns \xHH of a golden file's text into a byte.
func rawBytes(s string) string {
	const hex = "0123456789abcdef"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if strings.HasPrefix(s[i:], `\x`) && i+3 < len(s) {
			b.WriteByte(byte(strings.IndexByte(hex, s[i+2])<<4 | strings.IndexByte(hex, s[i+3])))
			i += 3
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// TestAnalyzerConcurrent: goroutines that share an Analyzer do not see each other's statements.
func TestAnalyzerConcurrent(t *testing.T) {
	var z Analyzer
	mode := Mode{MariaDB: true, ServerVersion: 101119}
	analyse := func(sql []byte) string {
		var scan Scan
		if scan.Run(sql, mode) != nil {
			scan = Scan{}
		}
		return printStatement(sql, &scan, z.Analyze(sql, &scan, mode))
	}
	statements := goldenStatements(t)
	want := make([]string, len(statements))
	for i, sql := range statements {
		want[i] = analyse([]byte(sql))
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range statements {
				i = (i*7 + g*101) % len(statements)
				if got := analyse([]byte(statements[i])); got != want[i] {
					t.Errorf("%s:\n%s\nwant %s", statements[i], got, want[i])
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkAnalyze(b *testing.B) {
	mode := Mode{MariaDB: true, ServerVersion: 101119}
	for name, sql := range map[string]string{
		"point":  "SELECT c FROM sbtest1 WHERE id=42",
		"join":   "select u.id, count(*) n from users u join orders o on o.user_id = u.id where u.id in (1,2,3) group by u.id order by n desc limit 10",
		"insert": "INSERT INTO t (a, b, c) VALUES (1, 'x', NULL)" + strings.Repeat(", (2, 'y', NULL)", 1000),
	} {
		b.Run(name, func(b *testing.B) {
			var z Analyzer
			var scan Scan
			if err := scan.Run([]byte(sql), mode); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				z.Analyze([]byte(sql), &scan, mode)
			}
		})
	}
}
