package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// target is an address to measure and the process whose CPU time counts.
type target struct {
	name  string
	port  int
	admin int
	pid   int // 0: no proxy

	filled bool // another target fills its tables
	some   bool // each of its connections sees a part of the rows only: for reads of which many find nothing
}

// measures tells whether a work can be done there.
func (t *target) measures(w workload) bool { return !t.some || w.program != "read_write" }

// result is one measurement.
type result struct {
	qps      float64
	p50, p99 float64 // milliseconds a transaction of sysbench
	cpu      float64 // microseconds of the proxy's CPU time a statement
}

func (t *target) args(o *options, w workload) []string {
	mode := "disable"
	if w.prepared {
		mode = "auto"
	}
	args := []string{"oltp_" + w.program, "--db-driver=mysql", "--mysql-host=127.0.0.1", fmt.Sprintf("--mysql-port=%d", t.port),
		"--mysql-user=app", "--mysql-password=app", "--mysql-db=bench", fmt.Sprintf("--tables=%d", o.tables),
		fmt.Sprintf("--table-size=%d", o.rows), "--db-ps-mode=" + mode, "--mysql-ssl=off"}
	if w.byKey {
		args = append(args, "--range-selects=off")
	}
	if w.program == "read_write" {
		// Its transactions write rows of several keys: without the atomic commit over shards
		// each statement is its own transaction, for all targets alike.
		// Two threads may then insert the id that both have deleted.
		args = append(args, "--skip-trx=on", "--mysql-ignore-errors=1062")
	}
	return args
}

func (t *target) prepare(ctx context.Context, o *options) error {
	out, err := exec.CommandContext(ctx, "sysbench", append(t.args(o, workload{program: "point_select"}), "prepare")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("sysbench prepare through %s: %w: %s", t.name, err, out)
	}
	return nil
}

func (t *target) measure(ctx context.Context, o *options, w workload) (result, error) {
	args := append(t.args(o, w), fmt.Sprintf("--threads=%d", w.threads), fmt.Sprintf("--time=%d", max(int(o.time.Seconds()), 1)),
		"--histogram=on", "--rand-type=uniform", "run")
	before := cpuTicks(t.pid)
	out, err := exec.CommandContext(ctx, "sysbench", args...).CombinedOutput()
	if err != nil {
		return result{}, fmt.Errorf("sysbench: %w: %s", err, out)
	}
	ticks := cpuTicks(t.pid) - before
	return parse(string(out), float64(ticks)*1e6/ticksPerSecond)
}

var (
	queriesLine = regexp.MustCompile(`queries:\s+(\d+)\s+\(([\d.]+) per sec`)
	bucketLine  = regexp.MustCompile(`(?m)^\s*([\d.]+) \|[* ]*\s(\d+)$`)
)

// parse reads sysbench's report; cpuMicros is what the proxy used meanwhile.
func parse(out string, cpuMicros float64) (r result, err error) {
	m := queriesLine.FindStringSubmatch(out)
	if m == nil {
		return r, fmt.Errorf("no query count in sysbench's report: %s", out)
	}
	queries, err := strconv.ParseFloat(m[1], 64)
	if err != nil || queries == 0 {
		return r, fmt.Errorf("no queries were run: %s", out)
	}
	if r.qps, err = strconv.ParseFloat(m[2], 64); err != nil {
		return r, err
	}
	r.cpu = cpuMicros / queries
	r.p50, r.p99 = percentiles(bucketLine.FindAllStringSubmatch(out, -1))
	return r, nil
}

// percentiles reads them from the histogram's lines: value, count.
func percentiles(lines [][]string) (p50, p99 float64) {
	var total, seen float64
	for _, l := range lines {
		n, _ := strconv.ParseFloat(l[2], 64) // the expression matched digits
		total += n
	}
	for _, l := range lines {
		n, _ := strconv.ParseFloat(l[2], 64)
		value, _ := strconv.ParseFloat(l[1], 64)
		if seen < total*0.5 && seen+n >= total*0.5 {
			p50 = value
		}
		if seen < total*0.99 && seen+n >= total*0.99 {
			p99 = value
		}
		seen += n
	}
	return p50, p99
}

// ticksPerSecond is USER_HZ, which Linux fixes at 100 for what /proc shows.
const ticksPerSecond = 100

// cpuTicks gives a process's user and system time.
func cpuTicks(pid int) int64 {
	if pid == 0 {
		return 0
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// pid (name) state …: the name may hold anything; utime and stime are fields 14 and 15.
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	user, _ := strconv.ParseInt(f[11], 10, 64)
	system, _ := strconv.ParseInt(f[12], 10, 64)
	return user + system
}
