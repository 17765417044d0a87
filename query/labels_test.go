package query

import (
	"strings"
	"testing"

	"sluice/internal/testkit"
)

// TestLabels: the column names of select items without alias are those of real servers.
func TestLabels(t *testing.T) {
	items := []string{"(a)", "A", "ccc", "t . a", "t.A", "`b`", "a /* c1 */ + /* c2 */ 1", "'lit'", "'a' 'b'", "N'x'", "_utf8mb4'y'",
		`"dq''s"`, "null", "NULL", "(null)", "1.5", "-5", "- 5", "(1)", "('x')", "count( * )", "last_insert_id( )",
		"@@version_comment is null", "@x", "(select 1)", "(select a from t limit 1)", "a is null", "x'41'", "0x41", "b'1'",
		"date '2020-01-01'", "current_user() is null", "connection_id ( ) > 0", `'a\'b'`, "''", "'  blank'", "( a )", "((a))", "a+1",
		"a  +  1", "if(a, 'x', 'y')", "true", "TRUE", "+5", "a -- c\n + 1", "max(a) /*!40000 + 1 */"}
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) {
			server := testkit.Shared(t, flavor, 0)
			db := server.DB(t, testkit.Database(t, server))
			if _, err := db.Exec("create table t (a int, b int, Ccc int)"); err != nil {
				t.Fatal(err)
			}
			mode := Mode{MariaDB: flavor == testkit.MariaDBFlavor, ServerVersion: 101119}
			if !mode.MariaDB {
				mode.ServerVersion = 90100
			}
			for _, it := range items {
				sql := "select " + it + " from t group by a, b, ccc"
				rows, err := db.Query(sql)
				if err != nil {
					t.Errorf("%s: %v", sql, err)
					continue
				}
				want, err := rows.Columns()
				rows.Close()
				if err != nil {
					t.Fatal(err)
				}
				var scan Scan
				if err := scan.Run([]byte(sql), mode); err != nil {
					t.Fatal(err)
				}
				st := Analyze([]byte(sql), &scan, mode)
				if st.Opaque {
					t.Errorf("%s: opaque: %s", sql, st.Reason)
					continue
				}
				if got := st.Blocks[0].Items[0].Label; got != strings.Join(want, "|") {
					t.Errorf("%s: label %q, server's %q", sql, got, want)
				}
			}
		})
	}
}
