// Command bench measures Sluice beside direct connections and HAProxy (TCP mode) in one run,
// with real sysbench against real MariaDB servers.
//
// Every round runs all targets one after the other, so that what else the machine does
// meets all of them; ratios are taken within a round, and the table shows medians. The
// steadiest figure is the CPU time that the proxy's process used for a statement, from
// /proc/PID/stat.
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
//	go run ./bench [-only sysbench|tx|merge|move|overload] [-rounds 3] [-time 5s] [-threads 1,8,64] [-work point_select,…]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// options is what one run measures.
type options struct {
	rounds  int
	time    time.Duration
	threads []int
	work    []string
	tables  int
	rows    int
	sluice  string
	only    string
	base    string
	merged  int
	huge    int
	moved   int
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	o := options{tables: 4, rows: 10000}
	var threads, work string
	flag.IntVar(&o.rounds, "rounds", 3, "rounds; medians are taken over them")
	flag.DurationVar(&o.time, "time", 5*time.Second, "length of one measurement")
	flag.StringVar(&threads, "threads", "1,8,64", "client threads")
	flag.StringVar(&work, "work", "point_select,read_only,read_write", "sysbench oltp_… programs")
	flag.StringVar(&o.sluice, "sluice", "bin/sluice", "the proxy's `program`")
	flag.StringVar(&o.only, "only", "", "sysbench, tx, merge, move or overload; default: all")
	flag.IntVar(&o.merged, "merged", 1_000_000, "rows that are merged")
	flag.IntVar(&o.huge, "huge", 10_000_000, "rows that are merged for the proxy's memory; 0: none")
	flag.IntVar(&o.moved, "moved", 600_000, "rows of the table of which half moves")
	flag.StringVar(&o.base, "base", "", "a `program` that transactions on one shard are compared with, instead of this one without its code for several")
	flag.Parse()
	if abs, err := filepath.Abs(o.sluice); err == nil { // servers run in directories of their own
		o.sluice = abs
	}
	if !slices.Contains([]string{"", "sysbench", "tx", "merge", "move", "overload"}, o.only) {
		return fmt.Errorf("-only: %q is none of sysbench, tx, merge, move and overload", o.only)
	}
	o.work = strings.Split(work, ",")
	for _, n := range strings.Split(threads, ",") {
		v, err := strconv.Atoi(n)
		if err != nil || v < 1 || v > 1000 {
			return fmt.Errorf("-threads: %q is no number from 1 to 1000", n)
		}
		o.threads = append(o.threads, v)
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
	targets := house.open(o.sluice)
	for _, t := range targets {
		if t.name == "haproxy" {
			continue // it stands before the same server as direct
		}
		fmt.Printf("== filling %d tables of %d rows, %s\n", o.tables, o.rows, t.name)
		if err := t.prepare(ctx, o); err != nil {
			return err
		}
	}
	for _, w := range o.work {
		for _, n := range o.threads {
			rounds, err := measureAll(ctx, targets, o, w, n)
			if err != nil {
				return err
			}
			printTable(os.Stdout, w, n, targets, rounds)
		}
	}
	return nil
}

// measureAll gives the rounds of one work: results in the order of the targets.
func measureAll(ctx context.Context, targets []*target, o *options, work string, threads int) ([][]result, error) {
	var rounds [][]result
	for range o.rounds {
		round := make([]result, len(targets))
		for i, t := range targets {
			r, err := t.measure(ctx, o, work, threads)
			if err != nil {
				return nil, fmt.Errorf("%s, %s, %d threads: %w", t.name, work, threads, err)
			}
			round[i] = r
		}
		rounds = append(rounds, round)
	}
	return rounds, nil
}
