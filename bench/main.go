// Command bench measures Sluice, as it is and on goroutines, beside direct connections, HAProxy
// (TCP mode) and a bare relay of packets on Go's netpoller (bench/relay) in one run, with real sysbench
// against real MariaDB servers.
//
// Every round runs all targets one after the other, and each begins with another, so that what
// else the machine does meets all of them; ratios are taken within a round, and the table shows
// medians. The steadiest figure is the CPU time that the proxy's process used for a statement, from
// /proc/PID/stat. All programs run in the benchmark's own session (for kernels that give each session its
// share of the CPU) and listen below the ports of outgoing connections.
//
// A work is a sysbench program without oltp_, and what is changed of it: point_select:ps with prepared
// statements, read_only:key without ranges over several shards. -out writes the tables, with what
// machine it was, into a file.
//
// -only=tx measures transactions: those of one shard beside the same proxy without the code
// for several, those of two shards beside two plain COMMITs, and their round trips.
//
// -only=merge measures merges: ordered rows, groups and a gather over four shards beside one
// server that has all rows, and the proxy's memory for many more.
//
// -only=move measures online moves of slots: copied rows a second beside mariadb-dump piped into
// mariadb between the same two servers, the application's throughput meanwhile, and how long
// its writes are held by the switch.
//
// -only=overload measures ten times more clients than are best: the throughput, the p99 of what is answered,
// refusals, hangs, beside a proxy that limits nothing.
//
// -only=scale measures many pools, rules, statements, idle connections, and new connections.
//
// -only=cache measures point reads with the result cache beside those without it and redis-benchmark's GET: CPU
// of each process, latency, what is left to the database; and what the applications see when Redis is killed.
//
//	go run ./bench [-only sysbench|tx|merge|move|overload|scale|cache] [-rounds 5] [-time 2s] [-cases point_select@1,point_select:ps@64,…] [-out FILE]
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options is what one run measures.
type options struct {
	rounds int
	time   time.Duration
	cases  []workload
	out    string
	tables int
	rows   int
	sluice string
	only   string
	base   string
	merged int
	huge   int
	moved  int
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	o := options{tables: 4, rows: 10000}
	var cases string
	flag.IntVar(&o.rounds, "rounds", 5, "rounds; medians are taken over them")
	flag.DurationVar(&o.time, "time", 2*time.Second, "length of one measurement")
	flag.StringVar(&cases, "cases", shortCases, "works and their client threads; all: a longer list")
	flag.StringVar(&o.out, "out", "", "a `file` for the tables, besides the standard output")
	flag.StringVar(&o.sluice, "sluice", "bin/sluice", "the proxy's `program`")
	flag.StringVar(&o.only, "only", "", "sysbench, tx, merge, move, overload, scale or cache; default: all")
	flag.IntVar(&o.merged, "merged", 1_000_000, "rows that are merged")
	flag.IntVar(&o.huge, "huge", 10_000_000, "rows that are merged for the proxy's memory; 0: none")
	flag.IntVar(&o.moved, "moved", 600_000, "rows of the table of which half moves")
	flag.StringVar(&o.base, "base", "", "a `program` that transactions on one shard are compared with, instead of this one without its code for several")
	flag.Parse()
	if abs, err := filepath.Abs(o.sluice); err == nil { // servers run in directories of their own
		o.sluice = abs
	}
	if !slices.Contains([]string{"", "sysbench", "tx", "merge", "move", "overload", "scale", "cache"}, o.only) {
		return fmt.Errorf("-only: %q is none of sysbench, tx, merge, move, overload, scale and cache", o.only)
	}
	if cases == "all" {
		cases = allCases
	}
	for _, text := range strings.Split(cases, ",") {
		w, err := parseWorkload(text)
		if err != nil {
			return err
		}
		o.cases = append(o.cases, w)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	house := &house{}
	defer house.close()
	defer func() { // the kit's servers fail by panicking with a failure
		if f, ok := recover().(failure); ok {
			err = f
		}
	}()
	for _, part := range []struct {
		name    string
		measure func() error
	}{
		{"sysbench", func() error { return measureSysbench(ctx, house, &o) }},
		{"tx", func() error { return house.measureTransactions(ctx, &o) }},
		{"merge", func() error { return house.measureMerges(ctx, &o) }},
		{"move", func() error { return house.measureMoves(ctx, &o) }},
		{"overload", func() error { return house.measureOverload(ctx, &o) }},
		{"scale", func() error { return house.measureScale(ctx, &o) }},
		{"cache", func() error { return house.measureCache(ctx, &o) }},
	} {
		if o.only == "" || o.only == part.name {
			if err := part.measure(); err != nil {
				return err
			}
		}
	}
	return nil
}

func measureSysbench(ctx context.Context, house *house, o *options) error {
	targets, err := house.open(ctx, o.sluice)
	if err != nil {
		return err
	}
	var out io.Writer = os.Stdout
	if o.out != "" {
		f, err := os.Create(o.out)
		if err != nil {
			return err
		}
		defer f.Close()
		fmt.Fprintf(f, "# Benchmarks\n\nWritten by `go run ./bench -only sysbench` (see the head of bench/main.go for how it measures).\n\n%s\n", facts(o))
		out = io.MultiWriter(os.Stdout, f)
	}
	for _, t := range targets {
		if t.filled {
			continue
		}
		fmt.Printf("== filling %d tables of %d rows, %s\n", o.tables, o.rows, t.name)
		if err := t.prepare(ctx, o); err != nil {
			return err
		}
	}
	for _, w := range o.cases {
		able := slices.DeleteFunc(slices.Clone(targets), func(t *target) bool { return !t.measures(w) })
		rounds, err := measureAll(ctx, able, o, w)
		if err != nil {
			return err
		}
		printTable(out, w, able, rounds)
	}
	whole := slices.DeleteFunc(targets, func(t *target) bool { return t.some })
	return measureWide(ctx, out, whole, o)
}

// measureAll gives the rounds of one work: results in the order of the targets.
func measureAll(ctx context.Context, targets []*target, o *options, w workload) ([][]result, error) {
	var rounds [][]result
	for n := range o.rounds {
		round := make([]result, len(targets))
		for k := range targets {
			i := (k + n) % len(targets)
			r, err := targets[i].measure(ctx, o, w)
			if err != nil {
				return nil, fmt.Errorf("%s, %v: %w", targets[i].name, w, err)
			}
			round[i] = r
		}
		rounds = append(rounds, round)
	}
	return rounds, nil
}
