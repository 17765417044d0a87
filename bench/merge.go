package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/internal/testkit"
)

// mergeTable has rows of some 60 bytes, ids from 1 on.
const mergeTable = "(id BIGINT NOT NULL PRIMARY KEY, v INT NOT NULL, g INT NOT NULL, name VARCHAR(40) NOT NULL) DEFAULT CHARSET=utf8mb4"

// mergeRows gives the rows that a server holds: those of the slots from first to last.
func mergeRows(table string, n, first, last int) string {
	return fmt.Sprintf("INSERT INTO %s SELECT seq, seq * 7919 %% 1000003, seq * 31 %% %d, CONCAT('name ', seq * 104729 %% 1000003) FROM bench.seq_1_to_%d "+
		"WHERE MOD(CRC32(seq), 16384) BETWEEN %d AND %d", table, max(n/5, 1), n, first, last)
}

// mergeWorks are what is read of the table "many": answers of many rows, which the proxy has to
// put together, and at the end some for which the shards have to work.
var mergeWorks = []struct{ name, sql string }{
	{"all rows, unordered", "SELECT id, v, name FROM many"},
	{"ORDER BY the primary key", "SELECT id, v, name FROM many ORDER BY id"},
	{"ORDER BY a string, then the key", "SELECT id, v, name FROM many ORDER BY name, id"},
	{"GROUP BY a number, groups a fifth of the rows", "SELECT g, COUNT(*), SUM(v), MAX(id) FROM many GROUP BY g ORDER BY g"},
	{"gather: COUNT(DISTINCT) by group, of a tenth of the rows", "SELECT g % 1000, COUNT(DISTINCT v) FROM many WHERE v < 100000 GROUP BY g % 1000"},
	{"gather: a join of a hundredth of the rows with a tenth of them", "SELECT a.id, a.name, b.name FROM many a JOIN many b ON b.id = a.g WHERE a.v < 10000 AND b.v < 100000 ORDER BY a.id"},
	{"aggregates over all rows", "SELECT COUNT(*), SUM(v), MIN(name), MAX(name) FROM many WHERE name LIKE '%77%'"},
	{"the first ten by what no index has", "SELECT id, v, name FROM many ORDER BY MD5(name), id LIMIT 10"},
}

type mergeBench struct {
	o       *options
	direct  *testkit.Server
	shards  []*testkit.Server
	targets []*target
}

// measureMerges reads ordered rows through Sluice and, in the same round, from one server that
// has them all; and many more through Sluice alone, for its memory.
func (h *house) measureMerges(ctx context.Context, o *options) error {
	fmt.Println("== starting one server and four shards")
	b := &mergeBench{o: o, direct: h.server()}
	var list []string
	for range shards {
		s := h.server()
		b.shards = append(b.shards, s)
		list = append(list, s.Addr)
	}
	for _, s := range append(slices.Clone(b.shards), b.direct) {
		s.Exec("CREATE DATABASE bench", "CREATE USER app IDENTIFIED BY 'app'", "GRANT ALL ON bench.* TO app")
	}
	sluice := h.proxy("sluice", o.sluice, list, "many: {shard_key: id}, huge: {shard_key: id}")
	b.targets = []*target{{name: "direct", port: portOf(b.direct.Addr)}, sluice}
	fmt.Printf("== %d rows on each side\n", o.merged)
	b.fill("many", o.merged, true)
	for _, w := range mergeWorks {
		if err := b.measure(ctx, w.name, w.sql); err != nil {
			return fmt.Errorf("%s: %w", w.sql, err)
		}
	}
	if o.huge == 0 {
		return nil
	}
	fmt.Printf("\n== %d rows on the shards\n", o.huge)
	b.fill("huge", o.huge, false)
	return b.memory(sluice)
}

// fill puts rows on the shards that own them, and on the one server.
func (b *mergeBench) fill(table string, n int, direct bool) {
	create := "CREATE TABLE bench." + table + " " + mergeTable
	for i, s := range b.shards {
		s.Exec(create, mergeRows("bench."+table, n, i*16384/shards, (i+1)*16384/shards-1))
	}
	if direct {
		b.direct.Exec(create, mergeRows("bench."+table, n, 0, 16383))
	}
}

// measure reads the rows in rounds.
func (b *mergeBench) measure(ctx context.Context, name, sql string) error {
	var took [2][]float64 // milliseconds
	var cpu, ratios []float64
	rows, sluice := 0, b.targets[1]
	forgetPeak(sluice.pid)
	before := peakMemory(sluice.pid)
	for range b.o.rounds {
		for i, t := range b.targets {
			if err := ctx.Err(); err != nil {
				return err
			}
			n, d, micros, err := t.read(sql)
			if err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
			if i > 0 && n != rows {
				return fmt.Errorf("%s gives %d rows, not %d", t.name, n, rows)
			}
			rows = n
			took[i] = append(took[i], d.Seconds()*1e3)
			if i > 0 {
				cpu = append(cpu, micros/float64(n))
				ratios = append(ratios, took[0][len(took[0])-1]/took[1][len(took[1])-1])
			}
		}
	}
	perSecond := func(ms []float64) float64 { return float64(rows) / median(ms) * 1e3 }
	printRows(fmt.Sprintf("%s: %d rows, %d rounds", name, rows, len(ratios)), "way\tms\trows/s\tratio\t(min … max)\tproxy's CPU us/row\tits peak RSS before, MiB\tand after, MiB",
		fmt.Sprintf("direct\t%.0f\t%.0f\t1.00\t\t-\t-\t-", median(took[0]), perSecond(took[0])),
		fmt.Sprintf("sluice\t%.0f\t%.0f\t%.2f\t(%.2f … %.2f)\t%.2f\t%.1f\t%.1f", median(took[1]), perSecond(took[1]), median(ratios), slices.Min(ratios), slices.Max(ratios),
			median(cpu), before, peakMemory(sluice.pid)))
	return nil
}

// read runs a query on a new connection and counts the rows.
func (t *target) read(sql string) (rows int, took time.Duration, micros float64, err error) {
	r, err := dialReader(net.JoinHostPort("127.0.0.1", strconv.Itoa(t.port)), "app", "app", "bench")
	if err != nil {
		return 0, 0, 0, err
	}
	defer r.Close()
	ticks, began := cpuTicks(t.pid), time.Now()
	if rows, err = r.count(sql); err != nil {
		return 0, 0, 0, err
	}
	return rows, time.Since(began), float64(cpuTicks(t.pid)-ticks) * 1e6 / ticksPerSecond, nil
}

// memory reads the ordered rows of the large table through the proxy and says how large its
// process has become at most.
func (b *mergeBench) memory(proxy *target) error {
	forgetPeak(proxy.pid)
	before := peakMemory(proxy.pid)
	n, took, micros, err := proxy.read("SELECT id, v, name FROM huge ORDER BY id")
	if err != nil {
		return err
	}
	printRows(fmt.Sprintf("ORDER BY over %d rows", n), "rows/s\tproxy's CPU us/row\tpeak RSS before, MiB\tand after, MiB",
		fmt.Sprintf("%.0f\t%.2f\t%.1f\t%.1f", float64(n)/took.Seconds(), micros/float64(n), before, peakMemory(proxy.pid)))
	return nil
}

// forgetPeak lets a process's largest resident set begin anew (proc(5), clear_refs).
func forgetPeak(pid int) { _ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0) }

// peakMemory gives the largest resident set that a process has had since then, in MiB.
func peakMemory(pid int) float64 { return statusMiB(pid, "VmHWM:") }

// statusMiB gives a size that /proc tells of a process, in MiB.
func statusMiB(pid int, name string) float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(b), "\n") {
		if rest, ok := strings.CutPrefix(line, name); ok {
			n, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return n / 1024
		}
	}
	return 0
}
