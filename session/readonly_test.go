package session_test

import (
	"fmt"
	"strings"
	"testing"

	"sluice/internal/testkit"
)

// TestReadOnlyEnds compares with a server when a READ ONLY ends: it is used up by a statement
// that uses a table, taken back by COMMIT and ROLLBACK, and not by SET autocommit=1, although that
// ends the transaction.
func TestReadOnlyEnds(t *testing.T) {
	write, look, one := "INSERT INTO t (v) VALUES (1)", "SELECT COUNT(*) FROM t", "SELECT 1"
	on0, on1 := "SET autocommit = 0", "SET autocommit = 1"
	sequences := [][]string{
		{"START TRANSACTION READ ONLY", "ROLLBACK AND CHAIN", on1, write, write, "ROLLBACK", write},
		{on0, "START TRANSACTION READ ONLY", "ROLLBACK AND CHAIN", on1, write, write, look, write},
		{on0, "START TRANSACTION READ ONLY", on1, write, one, write, look, write},
		{on0, "START TRANSACTION READ ONLY", look, on1, write, "COMMIT", write},
		{on0, "START TRANSACTION READ ONLY", look, on1, "SET autocommit = 1", write, "BEGIN", write, "ROLLBACK", write},
		{on0, "SET TRANSACTION READ ONLY", look, on1, write, "DO 1", write, "ROLLBACK", write},
		{on0, "SET TRANSACTION READ ONLY", on1, write, write, look, write},
		{"SET TRANSACTION READ ONLY", write, write, look, write},
		{"SET TRANSACTION READ ONLY", one, write, look, write},
		{"SET TRANSACTION READ ONLY", "SET @x = 1", "DO 1", write, "USE %s", write, "COMMIT", write},
		{on0, "START TRANSACTION READ ONLY", on1, "BEGIN", write, "COMMIT", write},
		{on0, "START TRANSACTION READ ONLY", on1, "SET SESSION TRANSACTION READ WRITE", write, look, write},
		{on0, "START TRANSACTION READ ONLY", on1, "SET TRANSACTION READ WRITE", write},
		{on0, "START TRANSACTION READ ONLY", on1, "CREATE TABLE other (a INT)", write, write},
	}
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 1, conns: 1})
		table := "CREATE TABLE t (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, v INT)"
		exec(t, f.open(""), table)
		home := testkit.Shared(t, flavor, 1)
		direct := testkit.Database(t, home)
		home.Exec("CREATE TABLE " + direct + "." + strings.TrimPrefix(table, "CREATE TABLE "))
		for _, sequence := range sequences {
			proxyDB, directDB := f.open("interpolateParams=true"), openDB(t, home.Config(direct).FormatDSN())
			p := pair{direct: on{conn(t, directDB)}, proxy: on{conn(t, proxyDB)}, directSchema: direct, proxySchema: f.db}
			var d, x []string
			for _, text := range sequence {
				_, errD := tryRows(p.direct, fill(text, 0, p.directSchema))
				_, errP := tryRows(p.proxy, fill(text, 0, p.proxySchema))
				d, x = append(d, fmt.Sprint(text, " ", codeOf(errD))), append(x, fmt.Sprint(text, " ", codeOf(errP)))
			}
			if a, b := strings.Join(d, "; "), strings.Join(x, "; "); a != b {
				t.Errorf("\nserver: %s\nsluice: %s", a, b)
			}
			_, _ = p.direct.Exec("DROP TABLE IF EXISTS other")
			_, _ = p.proxy.Exec("DROP TABLE IF EXISTS other")
			p.proxy.c.Close()
			p.direct.c.Close()
			proxyDB.Close()
			directDB.Close()
		}
	})
}
