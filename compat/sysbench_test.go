package compat

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"sluice/internal/testkit"
)

const sysbenchRules = `      tables:
        "sbtest*": {shard_key: id}
`

// scripts are sysbench's own for databases.
var scripts = []string{"oltp_delete", "oltp_insert", "oltp_point_select", "oltp_read_only", "oltp_read_write", "oltp_update_index", "oltp_update_non_index",
	"oltp_write_only", "select_random_points", "select_random_ranges", "bulk_insert"}

// TestSysbench runs them from a seed, in the text protocol and with prepared statements: the
// same number of reads and writes must succeed, and the same rows be there in the end.
func TestSysbench(t *testing.T) {
	onlyFull(t)
	t.Parallel()
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, flavor, options{rules: sysbenchRules})
			for _, mode := range []string{"disable", "auto"} {
				client := "sysbench 1.0.20, db-ps-mode=" + mode
				seen := map[string]map[string]string{}
				for _, on := range w.targets() {
					seen[on.name] = map[string]string{}
					for _, script := range scripts {
						seen[on.name][script] = seeded(t, on, script, mode)
					}
				}
				for _, on := range w.targets()[1:] {
					same := 0
					for _, script := range scripts {
						if d := diff(t, seen["plain"][script], seen[on.name][script]); d != "" {
							t.Errorf("%s, %s, %s:\n%s", client, on.name, script, d)
							continue
						}
						same++
					}
					matrix.record(result{Client: client, Server: serverName(flavor), Mode: on.name, What: "scripts: counts and rows", Passed: same, Of: len(scripts)})
				}
			}
		})
	}
}

var sysbenchCounts = regexp.MustCompile(`(?m)^ +(read|write|other|total|transactions|queries|ignored errors|reconnects): +([0-9]+)`)

// seeded runs a script from a seed and gives its counts, then the sums over its tables.
func seeded(t *testing.T, on *target, script, mode string) string {
	t.Helper()
	seed := []string{"--rand-seed=7", "--threads=1", "--events=60", "--time=0"}
	tables, columns := 2, "id, k, c, pad"
	if strings.HasPrefix(script, "select_random") || script == "bulk_insert" { // which know one only, or one for each thread
		tables = 1
	}
	if script == "bulk_insert" {
		columns = "id, k"
	}
	on.must(t, "DROP TABLE IF EXISTS sbtest1, sbtest2")
	sysbench(t, on, script, "prepare", mode, tables, seed...)
	for i := range tables { // the seed is not that of prepare, whose rows are others each time
		if columns == "id, k, c, pad" {
			on.must(t, fmt.Sprintf("UPDATE sbtest%d SET k = id * 7 %% 500, c = CONCAT(id, REPEAT('-c', 50)), pad = CONCAT('pad ', id)", i+1))
		}
	}
	out := sysbench(t, on, script, "run", mode, tables, seed...)
	var b strings.Builder
	for _, m := range sysbenchCounts.FindAllStringSubmatch(out, -1) {
		fmt.Fprintf(&b, "%s %s\n", m[1], m[2])
	}
	for i := range tables {
		fmt.Fprintln(&b, strings.Join(queryRows(t, on.db(t), fmt.Sprintf("SELECT 'sbtest%d', COUNT(*), MAX(id), SUM(CRC32(CONCAT_WS(',', %s))) FROM sbtest%[1]d", i+1, columns)), "\n"))
	}
	return b.String()
}
