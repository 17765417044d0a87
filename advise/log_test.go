package advise

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"sluice/query"
)

// TestLog reads logs as the servers write them: connection, schema and text of each entry.
func TestLog(t *testing.T) {
	datadriven.RunTest(t, "testdata/logs.txt", func(t *testing.T, d *datadriven.TestData) string {
		var b strings.Builder
		input := strings.NewReplacer("→", "\t", "↵", "").Replace(d.Input)
		err := readLog(strings.NewReader(input), query.Mode{MariaDB: true, ServerVersion: 101119}, func(l logged) {
			switch {
			case l.ended:
				fmt.Fprintf(&b, "%d ended\n", l.conn)
			case l.sql == "":
				fmt.Fprintf(&b, "%d use %s\n", l.conn, l.schema)
			default:
				fmt.Fprintf(&b, "%d %s %q\n", l.conn, l.schema, l.sql)
			}
		})
		if err != nil {
			fmt.Fprintf(&b, "error: %v\n", err)
		}
		return b.String()
	})
}

// A log that is damaged or of another kind must be an error or nothing, never a panic.
func FuzzLog(f *testing.F) {
	f.Add("Time                Id Command  Argument\n\t\t     4 Query\tselect 1\nfrom t\n")
	f.Add("# User@Host: a[a] @ [1]  Id: 3\n# Query_time: 1\nuse x;\nSET timestamp=1;\nselect 1;\n")
	f.Add("select ';'; select \"\n;\n';")
	f.Fuzz(func(t *testing.T, text string) {
		_ = readLog(strings.NewReader(text), query.Mode{}, func(l logged) {
			if len(l.sql) > len(text) {
				t.Errorf("more than was there: %q", l.sql)
			}
		})
	})
}

func TestDSN(t *testing.T) {
	for text, want := range map[string]string{
		"root:pw@127.0.0.1:3307/shop":            `{root pw 127.0.0.1:3307 [shop]}`,
		"root:p@ss/word@tcp(db.example)/shop,wp": `{root p@ss/word db.example:3306 [shop wp]}`,
		"root@db:3306/shop":                      `{root  db:3306 [shop]}`,
		"root:pw@db:3306/":                       `the DSN names the schema ""; write user:password@host:port/schema`,
		"root:pw@db:3306/mysql":                  `the DSN names the schema "mysql"; write user:password@host:port/schema`,
		"db:3306/shop":                           `the DSN names no user; write user:password@host:port/schema`,
		"root:pw@db":                             `the DSN names no schema; write user:password@host:port/schema`,
		"root:pw@:3306/shop":                     `the DSN's server: ":3306" has no host; write it like 10.0.0.1:3306`,
	} {
		d, err := ParseDSN(text)
		got := fmt.Sprint(d)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}

func TestScalars(t *testing.T) {
	for name, want := range map[string]string{"users": "users", "wp_users": "wp_users", "t1": "t1", "on": `"on"`, "a b": `"a b"`, "1": `"1"`, "ü": `"ü"`} {
		if got := scalar(name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
