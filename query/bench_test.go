package query

import (
	"strings"
	"testing"
)

var benchStatements = []struct{ name, sql string }{
	{"PointSelect", "SELECT c FROM sbtest1 WHERE id=5012"},
	{"Range", "SELECT c FROM sbtest1 WHERE id BETWEEN 4998 AND 5097 ORDER BY c"},
	{"Update", "UPDATE sbtest1 SET k=k+1 WHERE id=5012"},
	{"Insert", "INSERT INTO sbtest1 (id, k, c, pad) VALUES (5012, 4990, '68487932199-96439406143-93774651418-41631865787-96406072701-20604855487-25459966574-28203206787-41238978918-19503783441', '22195207048-70116052123-74140395089-76317954521-98694025897')"},
	{"Batch100", "INSERT INTO t (a, b, c) VALUES " + strings.Repeat("(1234, 'some text', 5.25), ", 99) + "(1234, 'some text', 5.25)"},
	{"In500", "SELECT a FROM t WHERE id IN (" + strings.Repeat("12345, ", 499) + "1)"},
	{"WordPress", "SELECT SQL_CALC_FOUND_ROWS  wp_posts.ID FROM wp_posts LEFT JOIN wp_term_relationships ON (wp_posts.ID = wp_term_relationships.object_id) WHERE 1=1  AND ( wp_term_relationships.term_taxonomy_id IN (3) ) AND wp_posts.post_type = 'post' AND (wp_posts.post_status = 'publish' OR wp_posts.post_status = 'private') GROUP BY wp_posts.ID ORDER BY wp_posts.post_date DESC LIMIT 0, 10"},
}

func BenchmarkScan(b *testing.B) {
	mode := Mode{MariaDB: true, ServerVersion: 101119}
	for _, c := range benchStatements {
		b.Run(c.name, func(b *testing.B) {
			sql := []byte(c.sql)
			b.SetBytes(int64(len(sql)))
			b.ReportAllocs()
			var s Scan
			for b.Loop() {
				if err := s.Run(sql, mode); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestScanAllocations: the hot path makes no garbage.
func TestScanAllocations(t *testing.T) {
	for _, mode := range testModes {
		for _, c := range benchStatements {
			sql := []byte(c.sql)
			var s Scan
			if n := testing.AllocsPerRun(100, func() {
				if err := s.Run(sql, mode); err != nil {
					t.Fatal(err)
				}
			}); n != 0 {
				t.Errorf("%s: %v allocations", c.name, n)
			}
		}
	}
}
